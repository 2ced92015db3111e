package record

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtp/codecs"
	"go.uber.org/goleak"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/sfu/forward"
	"github.com/skein-im/skein/proto/livekit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const ms = int64(time.Millisecond)

// packetOf is an Opus packet of 20 ms whose body tells which one it is.
func packetOf(n byte) []byte { return []byte{0xfc, n, 0x55} }

// packets reads an Ogg file: its packets, and the samples that it plays.
func packets(t *testing.T, b []byte) (out [][]byte, samples int64) {
	t.Helper()
	for len(b) > 0 {
		lacing := b[oggHead : oggHead+int(b[26])]
		body := b[oggHead+len(lacing):]
		var open []byte
		for _, l := range lacing {
			open = append(open, body[:l]...)
			body = body[l:]
			if l < 255 {
				out, open = append(out, open), nil
			}
		}
		b = body
	}
	for _, p := range out[2:] {
		samples += opusSamples(p)
	}
	return out[2:], samples
}

func TestSoundThatIsLostLateOrMutedKeepsItsPlaceInTime(t *testing.T) {
	var b bytes.Buffer
	s, err := newSound(&b, 1)
	if err != nil {
		t.Fatal(err)
	}
	now := int64(0)
	send := func(n int, late int64) {
		s.take(&Packet{TS: uint32(n) * 960, Arrival: int64(n)*20*ms + late, Payload: packetOf(byte(n)), Codec: forward.Opus}, false)
	}
	for n := range 500 {
		now = int64(n) * 20 * ms
		switch {
		case n == 50, n == 51: // lost
		case n == 100: // late
		case n >= 200 && n < 400: // muted for four seconds
		default:
			send(n, 0)
		}
		if n == 105 {
			send(100, 5*20*ms)
		}
		if err := s.write(now, false); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.write(now, true); err != nil {
		t.Fatal(err)
	}
	if err := s.ogg.finish(); err != nil {
		t.Fatal(err)
	}
	got, samples := packets(t, b.Bytes())
	if samples != 500*960 {
		t.Errorf("it plays %d ms, want 10000", samples/48)
	}
	for n, p := range got {
		mine := len(p) == 3 && p[0] == 0xfc && p[1] == byte(n)
		missing := n == 50 || n == 51 || n >= 200 && n < 400
		if mine == missing {
			t.Errorf("packet %d is % x", n, p)
		}
	}
}

func TestRedundancyStandsInForWhatWasLost(t *testing.T) {
	var b bytes.Buffer
	s, err := newSound(&b, 1)
	if err != nil {
		t.Fatal(err)
	}
	red := func(n int) []byte { // the packet before, and this one
		old := packetOf(byte(n - 1))
		return append(append([]byte{0x80 | 111, 960 >> 6, 960 & 0x3f << 2, byte(len(old)), 111}, old...), packetOf(byte(n))...)
	}
	for n := 1; n < 100; n++ {
		if n%2 == 1 || n%10 == 4 {
			s.take(&Packet{TS: uint32(n) * 960, Arrival: int64(n) * 20 * ms, Payload: red(n)}, true)
		}
		if err := s.write(int64(n)*20*ms, false); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.write(0, true); err != nil {
		t.Fatal(err)
	}
	if err := s.ogg.finish(); err != nil {
		t.Fatal(err)
	}
	got, samples := packets(t, b.Bytes())
	if samples != 99*960 {
		t.Errorf("it plays %d ms", samples/48)
	}
	for n, p := range got {
		if !bytes.Equal(p, packetOf(byte(n+1))) {
			t.Errorf("packet %d is % x", n, p)
		}
	}
}

func TestAClockThatRunsFastOrStandsStillIsHeldToOurs(t *testing.T) {
	x := axis{rate: 48_000}
	var worst int64
	for n := int64(0); n < 60*50*60; n++ { // an hour, 200 millionths too fast: 720 ms
		arrival := n * 20 * ms
		worst = max(worst, max(x.at(uint32(n*960+n*960*200/1_000_000), arrival)-arrival, 0))
	}
	if worst > 60*ms {
		t.Errorf("it is %d ms ahead", worst/ms)
	}
	y := axis{rate: 48_000}
	y.at(0, 0)
	for n := int64(0); n < 700; n++ { // two seconds stood still
		y.at(uint32(n*960), n*20*ms+2000*ms)
	}
	if d := y.at(700*960, 700*20*ms+2000*ms) - (700*20*ms + 2000*ms); d < -50*ms || d > 50*ms {
		t.Errorf("after it stood still it is %d ms off", d/ms)
	}
}

// vp8 is a picture of one packet: a real key frame's head, or another frame.
func vp8(key bool, width, height int, n byte) []byte {
	p := codecs.VP8Payloader{}
	f := []byte{0x01, n, 0, 0, 0, 0, 0, 0, 0, 0, n}
	if key {
		f = []byte{0x10, n, 0, 0x9d, 0x01, 0x2a, byte(width), byte(width >> 8), byte(height), byte(height >> 8), n}
	}
	return p.Payload(1200, f)[0]
}

func spool(t *testing.T, dir string, now *int64) *Spool {
	t.Helper()
	s, err := Open(Options{Dir: dir, Now: func() int64 { return *now }, Clock: im.SystemClock{}, Entropy: im.SystemEntropy(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func manifest(t *testing.T, dir, name string) (m Manifest, info struct {
	Status      string
	FileResults []struct{ Filename, Duration, Size, StartedAt string }
}) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name+manifested))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(m.Egress, &info); err != nil {
		t.Fatal(err)
	}
	return m, info
}

// film writes three seconds of a track of two layers by hand: the small one at
// first, the large one from the second second on, two pictures lost.
func film(t *testing.T, v *picture) {
	t.Helper()
	now := int64(0)
	for n := range 90 {
		now = int64(n) * 33 * ms
		small := Packet{Layer: 0, Seq: uint16(n), TS: uint32(n) * 2970, Marker: true, Key: n == 0, Codec: forward.VP8, Arrival: now, Payload: vp8(n == 0, 320, 180, byte(n))}
		v.take(&small)
		if n >= 30 && n != 60 {
			key := n == 30 || n == 88
			v.take(&Packet{Layer: 2, Seq: uint16(65530 + n), TS: uint32(7 + n*2970), Marker: true, Key: key, Codec: forward.VP8, Arrival: now, Payload: vp8(key, 1280, 720, byte(n))})
		}
		if err := v.write(now, false); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTheBestLayerIsWrittenFromItsKeyFrameOn(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "f.webm"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	asked := map[int]int{}
	v := newPicture(f, "vp8", 0, 0, func(layer int) { asked[layer]++ })
	film(t, v)
	if err := v.webm.flush(); err != nil {
		t.Fatal(err)
	}
	if d, err := mendWebM(f); err != nil || d != 89*33+lastFrame {
		t.Errorf("it lasts %d ms, %v", d, err)
	}
	if v.webm.width != 1280 || v.webm.height != 720 || v.current != 2 {
		t.Errorf("%d × %d of layer %d", v.webm.width, v.webm.height, v.current)
	}
	if asked[2] == 0 {
		t.Error("no key frame was asked for after a loss")
	}
	seen, keys, cues := pictures(t, f)
	if len(seen) != 30+30+2 || len(keys) != 3 || cues != 3 {
		t.Errorf("%d pictures, key frames at %v, %d cues", len(seen), keys, cues)
	}
	if keys[0] != 0 || keys[1] != 30*33 || keys[2] != 88*33 {
		t.Errorf("key frames at %v", keys)
	}
}

// block is a picture in a file.
type block struct {
	ms   int64
	key  bool
	data []byte
}

// blocks reads a WebM file: its pictures, and how many cues it has.
func blocks(t *testing.T, f *os.File) (out []block, cues int) {
	t.Helper()
	read := func(at, n int64) []byte {
		b := make([]byte, n)
		if _, err := f.ReadAt(b, at); err != nil {
			t.Fatal(err)
		}
		return b
	}
	var at int64
	for {
		h, ok := headAt(f, at)
		if !ok {
			return out, cues
		}
		switch h.id {
		case idSegment:
			if h.size == unknownSize {
				t.Error("the segment's size is not known")
			}
			at += h.len
			continue
		case idCluster:
			base, _ := clusterAt(f, at+h.len)
			for p := at + h.len; p < at+h.len+h.size; {
				b, _ := headAt(f, p)
				if b.id == idSimpleBlock {
					x := read(p+b.len, b.size)
					out = append(out, block{base + int64(x[1])<<8 + int64(x[2]), x[3]&0x80 != 0, x[4:]})
				}
				p += b.len + b.size
			}
		case idCues:
			cues = bytes.Count(read(at+h.len, h.size), []byte{idCueTrack, 0x81, 1})
		}
		at += h.len + h.size
	}
}

// pictures are the times of a file's pictures and of its key frames, and how
// many cues it has.
func pictures(t *testing.T, f *os.File) (times, keys []int64, cues int) {
	t.Helper()
	list, cues := blocks(t, f)
	for _, b := range list {
		times = append(times, b.ms)
		if b.key {
			keys = append(keys, b.ms)
		}
	}
	return times, keys, cues
}

func TestAFileThatIsCutAnywhereIsMended(t *testing.T) {
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "f.webm"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	v := newPicture(f, "vp8", 0, 0, func(int) {})
	film(t, v)
	if err := v.webm.flush(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	var sound bytes.Buffer
	s, err := newSound(&sound, 1)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 200 {
		s.take(&Packet{TS: uint32(n) * 960, Arrival: int64(n) * 20 * ms, Payload: packetOf(byte(n))}, false)
	}
	if err := s.write(0, true); err != nil {
		t.Fatal(err)
	}
	mend := func(name string, b []byte) (int64, error) {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if strings.HasSuffix(name, ".ogg") {
			n, err := mendOgg(f)
			if err == nil {
				b, _ := os.ReadFile(path)
				if _, plays := packets(t, b); plays != n {
					t.Errorf("cut at %d: says %d samples, has %d", len(b), n, plays)
				}
			}
			return n / 48, err
		}
		n, err := mendWebM(f)
		if err == nil {
			if times, _, _ := pictures(t, f); times[len(times)-1]+lastFrame != n {
				t.Errorf("cut: lasts %d ms, has %d", n, times[len(times)-1])
			}
		}
		return n, err
	}
	for name, b := range map[string][]byte{"x.webm": whole, "x.ogg": sound.Bytes()} {
		var before int64
		for cut := len(b) % 7; cut <= len(b); cut += 7 {
			d, err := mend(name, b[:cut])
			if err == nil && d < before || err != nil && before > 0 {
				t.Fatalf("%s cut at %d lasts %d ms, shorter one %d: %v", name, cut, d, before, err)
			}
			before = max(before, d)
		}
		if before < 2000 {
			t.Errorf("%s lasts %d ms at most", name, before)
		}
	}
}

func TestARecordingThatNobodyEndedIsEndedAtTheNextStart(t *testing.T) {
	dir := t.TempDir()
	now := int64(5_000_000_000)
	s := spool(t, dir, &now)
	changed := make(chan livekit.EgressStatus, 16)
	start := func(path string) (*Recording, error) {
		return s.Start(Track{Egress: "EG_1", Room: &livekit.Room{Name: "r"}, Owner: &livekit.ParticipantInfo{Identity: "ann/phone"}, Info: &livekit.TrackInfo{Sid: "TR_1", Source: livekit.TrackSource_MICROPHONE},
			Codec: "red", Path: path, Ask: func(int) {}, Changed: func(i *livekit.EgressInfo) { changed <- i.Status }})
	}
	for _, bad := range []string{"../x", "/etc/x", "a/../../x", "a\x00b", strings.Repeat("x", 300)} {
		if _, err := start(bad); err == nil {
			t.Errorf("%q is a path", bad)
		}
	}
	r, err := start("{room_name}-{track_id}.ogg")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := start("{room_name}-{track_id}"); err == nil {
		t.Error("a file is written over")
	}
	for n := range 500 {
		for !r.Packet(Packet{TS: uint32(n) * 960, Arrival: now + int64(n)*20*ms, Payload: packetOf(byte(n)), Codec: forward.Opus}) {
		}
	}
	if got := <-changed; got != livekit.EgressStatus_EGRESS_ACTIVE {
		t.Fatalf("it is %v", got)
	}
	// Another one that has the same folder leaves alone what is being written.
	beside := spool(t, dir, &now)
	if list, err := beside.Over(); err != nil || len(list) != 0 {
		t.Errorf("beside it there is %v, %v", list, err)
	}
	beside.Close()
	// The process dies here: what is in the folder is all there is.
	other := t.TempDir()
	for _, name := range []string{"r-TR_1.ogg", "r-TR_1.ogg.json"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(other, name), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	after := spool(t, other, &now)
	list, err := after.Over()
	if err != nil || len(list) != 1 || list[0].Status != livekit.EgressStatus_EGRESS_COMPLETE || list[0].FileResults[0].Duration < 1e9 {
		t.Errorf("after the death there is %v, %v", list, err)
	}
	after.Close()
	r.Stop()
	s.Close()
	m, info := manifest(t, dir, "r-TR_1.ogg")
	if m.Identity != "ann/phone" || m.Source != "MICROPHONE" || m.Codec != "opus" || info.Status != "EGRESS_COMPLETE" || info.FileResults[0].Duration != "10000000000" {
		t.Errorf("the manifest says %+v %+v", m, info)
	}
	if r.Packet(Packet{}) {
		t.Error("it takes packets when it is over")
	}
}

func FuzzFrames(f *testing.F) {
	f.Add([]byte{0x90, 0x80, 0x81, 0x10, 0, 0, 0x9d, 0x01, 0x2a, 1, 0, 1, 0}, uint8(0))
	f.Add([]byte{0x8c, 0x81, 0x82, 0x49, 0x83, 0x42, 0, 1, 2, 3, 4, 5}, uint8(1))
	f.Add([]byte{0x18, 0x0a, 0x0b, 1, 2, 3}, uint8(2))
	f.Add([]byte{0x67, 1, 2, 3, 4, 5}, uint8(3))
	f.Fuzz(func(t *testing.T, b []byte, which uint8) {
		codec := []string{"vp8", "vp9", "av1", "h264"}[which%4]
		s := newFrames(codec)
		for i := range 4 {
			s.take(&Packet{Seq: uint16(i), TS: uint32(i / 2), Marker: i%2 == 1, Key: true, Arrival: int64(i), Payload: b})
		}
		s.ready(1<<60, func(f frame) { describe(codec, f.data) })
		describe(codec, b)
		x := &sound{ogg: &ogg{w: &bytes.Buffer{}}, axis: axis{rate: opusRate}}
		x.take(&Packet{Payload: b}, true)
		x.take(&Packet{Payload: b}, false)
		if err := x.write(0, true); err != nil {
			t.Error(err)
		}
	})
}
