package record

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"

	"github.com/skein-im/skein/internal/sfu/forward"
)

// lens is a made-up camera: every picture has its number in it, and is known by
// its bytes.
type lens struct {
	codec string
	rng   *rand.Rand
	seq   uint16
	sent  [][]byte // as they should be in the file
	keys  []bool
}

// shoot is the next picture, as packets.
func (l *lens) shoot(key bool) (out []Packet) {
	n := len(l.sent)
	size := 200 + l.rng.IntN(4000)
	if key {
		size = 9000
	}
	body := make([]byte, size)
	for i := range body {
		body[i] = byte(l.rng.Uint32()) | 1 // no start codes
	}
	binary.BigEndian.PutUint32(body[12:], uint32(n)|0x01010000)
	var payloader rtp.Payloader
	var whole, send []byte
	codec := forward.VP8
	switch l.codec {
	case "vp8":
		payloader = &codecs.VP8Payloader{EnablePictureID: true}
		body[0] = 0x01
		if key {
			copy(body, []byte{0x10, 1, 1, 0x9d, 0x01, 0x2a, 0x80, 2, 0x68, 1})
		}
		whole, send = body, body
	case "h264":
		payloader, codec = &codecs.H264Payloader{}, forward.H264
		units := [][]byte{body}
		body[0] = 0x61
		if key { // in two slices, each of several packets
			a, b := body[:size/2:size/2], body[size/2:]
			a[0], b[0] = 0x65, 0x65
			units = [][]byte{{0x67, 0x42, 0xc0, 0x1f, byte(n) | 1}, {0x68, 0xce, 0x3c, 0x81}, a, b}
		}
		for _, u := range units {
			whole = append(binary.BigEndian.AppendUint32(whole, uint32(len(u))), u...)
			send = append(append(send, 0, 0, 0, 1), u...)
		}
	}
	l.sent, l.keys = append(l.sent, whole), append(l.keys, key)
	list := payloader.Payload(1100, send)
	for i, b := range list {
		first := i == 0 && key
		if l.codec == "h264" { // as the forwarder has it: also the beginning of a slice
			first = first || b[0]&0x1f == 28 && b[1]&0x80 != 0 && b[1]&0x1f == 5
		}
		out = append(out, Packet{Seq: l.seq, TS: uint32(n) * 3000, Marker: i == len(list)-1, Key: first, Codec: codec, Payload: b})
		l.seq++
	}
	return out
}

// over takes a film of so many seconds over a network: what is lost is sent
// again, as often as it takes or not at all, and packets overtake each other.
func over(t *testing.T, codec string, loss float64, again bool, seed uint64) (v *picture, l *lens, asked int) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "f.webm"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	const trip, step = 60 * ms, 5 * ms
	l = &lens{codec: codec, rng: rand.New(rand.NewPCG(seed, 1)), seq: 65_000}
	arrive := map[int64][]Packet{}
	var now, wanted int64
	v = newPicture(f, codec, 640, 360, func(int) {
		asked++
		wanted = now + trip
	})
	send := func(p Packet) {
		at := now + trip/2 + l.rng.Int64N(4)*step
		for tries := 0; l.rng.Float64() < loss; tries++ {
			if at += trip; !again || tries == 8 {
				return
			}
		}
		at = at / step * step
		p.Arrival = at
		arrive[at] = append(arrive[at], p)
	}
	for now = 0; now < 20_000*ms; now += step {
		if now%(35*ms) == 0 {
			key := now == 0 || wanted != 0 && now >= wanted
			if key {
				wanted = 0
			}
			for _, p := range l.shoot(key) {
				send(p)
			}
		}
		for i := range arrive[now] {
			v.take(&arrive[now][i])
		}
		delete(arrive, now)
		if now%(50*ms) == 0 {
			if err := v.write(now, false); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := v.write(now, true); err != nil {
		t.Fatal(err)
	}
	if err := v.webm.flush(); err != nil {
		t.Fatal(err)
	}
	return v, l, asked
}

func TestASmallerLayerStandsInForOneThatComesNoMoreAndNotForAStillPicture(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "f.webm"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	asked := map[int]int64{}
	var now int64
	v := newPicture(f, "vp8", 0, 0, func(layer int) { asked[layer] = now })
	seq := [3]uint16{}
	shoot := func(layer int, key bool) {
		v.take(&Packet{Layer: layer, Seq: seq[layer], TS: uint32(now / ms * 90), Marker: true, Key: key, Codec: forward.VP8, Arrival: now, Payload: vp8(key, 320<<layer, 180<<layer, byte(now/ms))})
		seq[layer]++
	}
	for ; now < 20_000*ms; now += 50 * ms {
		still := now >= 5000*ms && now < 10_000*ms // a screen: all layers once a second, the smallest first
		for layer := range 3 {
			if still && now%(1000*ms) != int64(layer)*50*ms || now >= 15_000*ms && layer == 2 {
				continue
			}
			key := now == 0 || asked[layer] != 0 && now-asked[layer] == 50*ms
			shoot(layer, key)
		}
		if err := v.write(now, false); err != nil {
			t.Fatal(err)
		}
		if now < 15_000*ms && now > 0 && v.current != 2 {
			t.Fatalf("after %d ms it is layer %d", now/ms, v.current)
		}
	}
	if v.current != 1 || asked[1] < 15_000*ms || asked[1] > 16_500*ms || asked[0] != 0 {
		t.Errorf("in the end it is layer %d; key frames were asked for at %v", v.current, asked)
	}
}

func TestWhatIsLostFreezesThePictureForAMomentAndNeverSpoilsIt(t *testing.T) {
	for _, codec := range []string{"vp8", "h264"} {
		for again, losses := range map[bool][]float64{true: {0.05, 0.1}, false: {0.01}} {
			for _, loss := range losses {
				t.Run(fmt.Sprintf("%s %v %v", codec, loss, again), func(t *testing.T) {
					for seed := range uint64(5) {
						v, l, asked := over(t, codec, loss, again, seed)
						if _, err := mendWebM(v.file); err != nil {
							t.Fatal(err)
						}
						list, _ := blocks(t, v.file)
						at, longest := -1, int64(0)
						for i, b := range list {
							n := at + 1
							for n < len(l.sent) && !bytes.Equal(l.sent[n], b.data) {
								n++
							}
							if n == len(l.sent) {
								t.Fatalf("picture %d of the file, after number %d, was never sent", i, at)
							}
							if b.key != l.keys[n] || !b.key && n != at+1 {
								t.Fatalf("number %d follows %d, key frame %v", n, at, b.key)
							}
							if i > 0 {
								longest = max(longest, b.ms-list[i-1].ms)
							}
							at = n
						}
						freeze := int64(400) // it was all sent again, if late
						if !again {
							freeze = 3500 // it is waited for, and the key frame may lack something too
						}
						if left := int64(len(l.sent)-at) * 35; longest > freeze || left > freeze {
							t.Errorf("seed %d: the longest freeze lasts %d ms; the file ends %d ms before the film", seed, longest, left)
						}
						if again && asked > 3 || !again && asked == 0 {
							t.Errorf("seed %d: %d key frames were asked for", seed, asked)
						}
					}
				})
			}
		}
	}
}
