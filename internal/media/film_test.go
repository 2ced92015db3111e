package media_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/skein-im/skein/internal/media"
)

func be(n int, v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v)[8-n:] }

// box writes a box of MP4.
func box(kind string, parts ...[]byte) []byte {
	body := bytes.Join(parts, nil)
	return append(append(be(4, uint64(len(body)+8)), kind...), body...)
}

// then is when films here were made.
var then = be(4, 0xdd00_1234)

func mvhd(scale, length int) []byte {
	return box("mvhd", be(4, 0), then, then, be(4, uint64(scale)), be(4, uint64(length)), make([]byte, 80))
}

// matrix of a film that is turned by some degrees.
func matrix(degrees int) []byte {
	one, minus := uint64(0x10000), uint64(0xffff0000)
	m := [9]uint64{one, 0, 0, 0, one, 0, 0, 0, 0x40000000}
	switch degrees {
	case 90:
		m[0], m[1], m[3], m[4] = 0, one, minus, 0
	case 180:
		m[0], m[4] = minus, minus
	case 270:
		m[0], m[1], m[3], m[4] = 0, minus, one, 0
	}
	var out []byte
	for _, v := range m {
		out = append(out, be(4, v)...)
	}
	return out
}

func trak(id int, kind string, w, h, degrees, scale, length int, stbl []byte, more ...[]byte) []byte {
	tkhd := box("tkhd", be(4, 3), then, then, be(4, uint64(id)), be(4, 0), be(4, uint64(length)), make([]byte, 16), matrix(degrees), be(4, uint64(w)<<16), be(4, uint64(h)<<16))
	mdhd := box("mdhd", be(4, 0), then, then, be(4, uint64(scale)), be(4, uint64(length)), be(4, 0))
	hdlr := box("hdlr", be(8, 0), []byte(kind), make([]byte, 13))
	return box("trak", append([][]byte{tkhd, box("mdia", mdhd, hdlr, box("minf", box("stbl", stbl)))}, more...)...)
}

// stsz says the sizes of frames: of a sound that grows louder.
func stsz(n int) []byte {
	out := append(be(8, 0), be(4, uint64(n))...)
	for i := range n {
		out = append(out, be(4, uint64(100+i))...)
	}
	return box("stsz", out)
}

// gps are the boxes in which phones write where and with what a film was made.
func gps() []byte {
	return append(box("udta", box("\xa9xyz", be(2, 18), be(2, 0x15c7), []byte(secret))),
		box("meta", box("hdlr", be(8, 0), []byte("mdta"), make([]byte, 12)), box("keys", []byte("com.apple.quicktime.location.ISO6709")), box("ilst", []byte(secret)))...)
}

// telemetry are the tables of a track of two chunks, at a place, of two and one
// frames of 24 bytes.
func telemetry(at int) []byte {
	return bytes.Join([][]byte{box("stsz", be(4, 0), be(4, 24), be(4, 3)), box("stsc", be(4, 0), be(4, 2), be(4, 1), be(4, 2), be(4, 1), be(4, 2), be(4, 1), be(4, 1)),
		box("stco", be(4, 0), be(4, 2), be(4, uint64(at)), be(4, uint64(at+100)))}, nil)
}

// mp4Film is a film of 640 × 360, turned, of 12.5 s.
func mp4Film(_ testing.TB, degrees int) []byte {
	ftyp := box("ftyp", []byte("isom\x00\x00\x02\x00isomiso2"))
	went := []byte("52.5163N 13.3777E Kilroy")
	mdat := box("mdat", went, went, bytes.Repeat([]byte("frame"), 10), []byte("xx"), went, bytes.Repeat([]byte("frame"), 100))
	moov := box("moov", mvhd(1000, 12_500), trak(1, "vide", 640, 360, degrees, 90_000, 12*90_000, nil, gps()), trak(2, "soun", 0, 0, 0, 48_000, 12*48_000, stsz(600)),
		trak(3, "meta", 0, 0, 0, 1000, 12_000, telemetry(len(ftyp)+8)), gps())
	return bytes.Join([][]byte{ftyp, mdat, moov, box("uuid", []byte("\xbe\x7a\xcf\xcb\x97\xa9\x42\xe8"+secret))}, nil)
}

func TestAFilmTellsItsSizeAndItsLengthAndNotWhereItWasMade(t *testing.T) {
	for degrees, want := range map[int][2]int{0: {640, 360}, 90: {360, 640}, 180: {640, 360}, 270: {360, 640}} {
		b := mp4Film(t, degrees)
		m, clean := makeOf(t, b, "video/mp4")
		if !m.Shown || m.Mime != "video/mp4" || m.Width != want[0] || m.Height != want[1] || m.Duration != 12_500*time.Millisecond {
			t.Errorf("%d°: %+v", degrees, m.Info)
		}
		if len(clean) != len(b) || bytes.Contains(clean, []byte("Kilroy")) || bytes.Contains(clean, []byte("location")) || bytes.Contains(clean, then) {
			t.Errorf("%d°: of %d bytes %d are left, with what nobody should know", degrees, len(b), len(clean))
		}
		if bytes.Count(clean, []byte("frame")) != 110 || !bytes.HasPrefix(clean, []byte("\x00\x00\x00\x18ftypisom")) {
			t.Error("the film itself was touched")
		}
		if again, _ := makeOf(t, clean, "video/mp4"); !again.Shown || again.Width != m.Width || again.Duration != m.Duration {
			t.Errorf("afterwards it is %+v", again.Info)
		}
	}
	// The description at the end, with a size of 64 bits; what is said to be a film is a sound.
	ftyp := box("ftyp", []byte("M4A \x00\x00\x02\x00"))
	mdat := append(append(be(4, 1), "mdat"...), append(be(8, 16+5000), make([]byte, 5000)...)...)
	moov := box("moov", mvhd(600, 600*60), trak(1, "soun", 0, 0, 0, 44_100, 60*44_100, stsz(2000)))
	m, _ := makeOf(t, bytes.Join([][]byte{ftyp, mdat, moov}, nil), "video/mp4")
	if !m.Shown || m.Mime != "audio/mp4" || m.Duration != time.Minute || len(m.Waveform) != 64 || m.Waveform[0] != 0 || m.Waveform[63] != 255 || m.Waveform[31] > m.Waveform[32] {
		t.Errorf("%+v", m.Info)
	}
}

func TestAFilmInFragmentsIsAsLongAsThese(t *testing.T) {
	ftyp := box("ftyp", []byte("iso5\x00\x00\x02\x00"))
	moov := box("moov", mvhd(1000, 0), trak(1, "soun", 0, 0, 0, 48_000, 0, nil), box("mvex", box("trex", be(4, 0), be(4, 1), be(4, 1), be(4, 1024), be(4, 0), be(4, 0))))
	b := append(ftyp, moov...)
	for i := range 10 {
		trun := append(append(be(4, 0x200), be(4, 47)...), []byte{}...)
		for j := range 47 {
			trun = append(trun, be(4, uint64(50+i*47+j))...)
		}
		b = append(b, box("moof", box("mfhd", be(8, 0)), box("traf", box("tfhd", be(4, 0), be(4, 1)), box("tfdt", be(4, 0), be(4, uint64(i*47*1024))), box("trun", trun)))...)
		b = append(b, box("mdat", make([]byte, 1000))...)
	}
	m, _ := makeOf(t, b, "audio/mp4")
	if !m.Shown || m.Duration != 470*1024*time.Second/48_000 || len(m.Waveform) != 64 {
		t.Errorf("%+v", m.Info)
	}
}

func el(id uint64, parts ...[]byte) []byte {
	n := 1
	for id>>(8*n) > 0 {
		n++
	}
	body := bytes.Join(parts, nil)
	return append(append(be(n, id), be(8, uint64(len(body))|1<<56)...), body...)
}

// recorded is a WebM as browsers record it: it says nowhere how long it is.
func recorded(video bool, seconds int) []byte {
	kind, size := uint64(2), []byte{}
	if video {
		kind, size = 1, el(0xe0, el(0xb0, be(2, 320)), el(0xba, be(2, 240)))
	}
	unknown := func(id uint64) []byte { return append(be(4, id), 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff) }
	out := append(el(0x1a45dfa3, el(0x4282, []byte("webm"))), unknown(0x18538067)...)
	out = append(out, el(0x1549a966, el(0x2ad7b1, be(3, 1_000_000)), el(0x4461, be(8, 12345)), el(0x7ba9, []byte(secret)))...)
	out = append(out, el(0x1654ae6b, el(0xae, el(0xd7, be(1, 1)), el(0x83, be(1, kind)), size))...)
	out = append(out, el(0x1254c367, []byte("LOCATION "+secret))...)
	for s := range seconds {
		out = append(append(out, unknown(0x1f43b675)...), el(0xe7, be(4, uint64(s*1000)))...)
		for f := range 50 {
			out = append(out, el(0xa3, append([]byte{0x81, byte(f * 20 >> 8), byte(f * 20), 0x80}, make([]byte, 20+s*4)...))...)
		}
	}
	return out
}

func TestAWebMThatSaysNoLengthIsAsLongAsItsFrames(t *testing.T) {
	for _, c := range []struct {
		b    []byte
		mime string
		want media.Info
	}{
		{recorded(true, 7), "video/webm", media.Info{Mime: "video/webm", Width: 320, Height: 240, Duration: 6980 * time.Millisecond}},
		{recorded(false, 30), "video/webm", media.Info{Mime: "audio/webm", Duration: 29_980 * time.Millisecond}},
		{append(recorded(true, 3), el(0x1254c367, []byte(secret))...), "video/webm", media.Info{Mime: "video/webm", Width: 320, Height: 240, Duration: 2980 * time.Millisecond}},
		{recorded(false, 30)[:30_000], "audio/webm", media.Info{Mime: "audio/webm", Duration: 11_000 * time.Millisecond}},
	} {
		m, clean := makeOf(t, c.b, c.mime)
		if !m.Shown || m.Mime != c.want.Mime || m.Width != c.want.Width || m.Height != c.want.Height || (m.Duration-c.want.Duration).Abs() > 2*time.Second ||
			len(c.b) > 40_000 && m.Duration != c.want.Duration {
			t.Errorf("%+v, want %+v", m.Info, c.want)
		}
		if bytes.Contains(clean, []byte("Kilroy")) || len(clean) != len(c.b) {
			t.Error("it says where it was made")
		}
		if sound := m.Mime == "audio/webm"; sound != (len(m.Waveform) == 64) {
			t.Errorf("%s has a waveform of %d", m.Mime, len(m.Waveform))
		}
		if again, _ := makeOf(t, clean, c.mime); again.Clean != nil || again.Duration != m.Duration {
			t.Errorf("afterwards it is %+v", again.Info)
		}
	}
	// One that says it is believed.
	told := append(el(0x1a45dfa3, el(0x4282, []byte("webm"))), el(0x18538067,
		el(0x1549a966, el(0x4489, be(8, math.Float64bits(65_000)))), el(0x1654ae6b, el(0xae, el(0xd7, be(1, 1)), el(0x83, be(1, 1)), el(0xe0, el(0xb0, be(2, 320)), el(0xba, be(2, 240))))))...)
	if m, _ := makeOf(t, told, "video/webm"); m.Duration != 65*time.Second {
		t.Errorf("%+v", m.Info)
	}
}

// oggPages writes packets, some on a page.
func oggPages(packets [][]byte, granules []uint64) []byte {
	var out []byte
	for i, p := range packets {
		lacing := bytes.Repeat([]byte{255}, len(p)/255)
		lacing = append(lacing, byte(len(p)%255))
		out = append(out, "OggS\x00\x00"...)
		out = binary.LittleEndian.AppendUint64(out, granules[i])
		out = append(out, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, byte(len(lacing)))
		out = append(append(out, lacing...), p...)
	}
	return out
}

// opusVoice is a voice of so many frames of 20 ms, which grows louder.
func opusVoice(frames int) []byte {
	head := append([]byte("OpusHead\x01\x01"), 0x38, 1, 0x80, 0xbb, 0, 0, 0, 0, 0) // 312 samples are skipped
	packets, granules := [][]byte{head, []byte("OpusTags\x00")}, []uint64{0, 0}
	for i := range frames {
		packets, granules = append(packets, make([]byte, 20+i)), append(granules, uint64(960*(i+1)))
	}
	return oggPages(packets, granules)
}

func TestASoundTellsItsLengthAndHowLoudItIs(t *testing.T) {
	le := func(n int, v uint64) []byte { return binary.LittleEndian.AppendUint64(nil, v)[:n] }
	var samples []byte
	for i := range 8000 * 4 {
		samples = append(samples, le(2, uint64(uint16(int16(float64(i)/2*math.Sin(float64(i)/5)))))...)
	}
	format := bytes.Join([][]byte{[]byte("fmt "), le(4, 16), le(2, 1), le(2, 1), le(4, 8000), le(4, 16_000), le(2, 2), le(2, 16)}, nil)
	wav := func(size int) []byte {
		return bytes.Join([][]byte{[]byte("RIFF\x00\x00\x00\x00WAVE"), format, []byte("LIST"), le(4, uint64(len(secret))), []byte(secret), []byte("data"), le(4, uint64(size)), samples}, nil)
	}
	streaminfo := append([]byte("fLaC\x00\x00\x00\x22"), make([]byte, 10)...)
	streaminfo = append(streaminfo, be(8, 44_100<<44|1<<41|15<<36|44_100*75)...)
	streaminfo = append(streaminfo, make([]byte, 16)...)
	var adts []byte
	for i := range 430 {
		n := 50 + i
		adts = append(append(adts, 0xff, 0xf1, 0x50, byte(n>>11), byte(n>>3), byte(n<<5)|0x1f, 0xfc), make([]byte, n-7)...)
	}
	xing := append([]byte("ID3\x04\x00\x00\x00\x00\x00\x0a0123456789\xff\xfb\x90\x64"), make([]byte, 32)...)
	xing = append(append(xing, "Xing\x00\x00\x00\x01"...), be(4, 1000)...)
	cbr := append([]byte{0xff, 0xfb, 0x90, 0x64}, make([]byte, 128_000/8*10-4)...)
	vorbis := oggPages([][]byte{append([]byte("\x01vorbis\x00\x00\x00\x00\x02"), append(le(4, 44_100), make([]byte, 14)...)...), make([]byte, 500)}, []uint64{0, 44_100 * 9})
	for name, c := range map[string]struct {
		b    []byte
		mime string
		want time.Duration
		wave bool
	}{
		"Opus": {opusVoice(500), "audio/ogg", (500*960 - 312) * time.Second / 48_000, true}, "Vorbis": {vorbis, "audio/ogg", 9 * time.Second, false},
		"WAV": {wav(len(samples)), "audio/wav", 4 * time.Second, true}, "WAV of a stream": {wav(math.MaxUint32), "audio/wav", 4 * time.Second, true},
		"FLAC": {streaminfo, "audio/flac", 75 * time.Second, false}, "AAC": {adts, "audio/aac", 430 * 1024 * time.Second / 44_100, true},
		"MP3 that tells": {xing, "audio/mpeg", 1000 * 1152 * time.Second / 44_100, false}, "MP3 of one rate": {cbr, "audio/mpeg", 10 * time.Second, false},
	} {
		m, clean := makeOf(t, c.b, c.mime)
		if !m.Shown || m.Mime != c.mime || (m.Duration-c.want).Abs() > time.Millisecond || m.Width != 0 {
			t.Errorf("%s: %+v, want %s", name, m.Info, c.want)
		}
		if (len(m.Waveform) == 64) != c.wave || c.wave && (m.Waveform[63] < 240 || m.Waveform[10] > m.Waveform[30] || m.Waveform[30] > m.Waveform[60]) {
			t.Errorf("%s: the waveform is %v", name, m.Waveform)
		}
		if strings.HasPrefix(name, "WAV") && bytes.Contains(clean, []byte("Kilroy")) {
			t.Errorf("%s: it says who made it", name)
		}
	}
}

// heif is a picture of 400 × 300 that is turned, with EXIF.
func heif(brand string) []byte {
	note := append([]byte{0, 0, 0, 0}, exif(6)...)
	ftyp := box("ftyp", []byte(brand+"\x00\x00\x00\x00mif1"))
	build := func(at int) []byte {
		infe := func(id int, kind string) []byte {
			return box("infe", be(4, 2<<24), be(2, uint64(id)), be(2, 0), []byte(kind+"\x00"))
		}
		iloc := box("iloc", be(4, 0), []byte{0x44, 0}, be(2, 2),
			be(2, 1), be(2, 0), be(2, 1), be(4, uint64(at)), be(4, 100), be(2, 2), be(2, 0), be(2, 1), be(4, uint64(at+100)), be(4, uint64(len(note))))
		iprp := box("iprp", box("ipco", box("ispe", be(4, 0), be(4, 400), be(4, 300)), box("irot", []byte{1})), box("ipma", be(4, 0), be(4, 1), be(2, 1), []byte{2, 1, 0x82}))
		return box("meta", be(4, 0), box("hdlr", be(8, 0), []byte("pict"), make([]byte, 13)), box("pitm", be(4, 0), be(2, 1)), box("iinf", be(4, 0), be(2, 2), infe(1, "av01"), infe(2, "Exif")), iloc, iprp)
	}
	meta := build(0)
	meta = build(len(ftyp) + len(meta) + 8)
	return bytes.Join([][]byte{ftyp, meta, box("mdat", bytes.Repeat([]byte{7}, 100), note)}, nil)
}

func TestAPictureThatIsNotDecodedLosesItsNotesAllTheSame(t *testing.T) {
	for brand, mime := range map[string]string{"avif": "image/avif", "heic": "image/heic"} {
		b := heif(brand)
		m, clean := makeOf(t, b, mime)
		if !m.Shown || m.Width != 300 || m.Height != 400 || m.Mime != mime || len(m.Previews) != 0 {
			t.Errorf("%s: %+v", brand, m.Info)
		}
		if len(clean) != len(b) || bytes.Contains(clean, []byte("Kilroy")) || !bytes.Contains(clean, bytes.Repeat([]byte{7}, 100)) {
			t.Errorf("%s: %q", brand, clean)
		}
	}
}
