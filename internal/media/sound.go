package media

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"time"
)

// maxWalk is how much of a sound or a film is walked over, from frame to frame,
// in bytes: some hours of speech. Of what is longer the end alone is looked at.
const maxWalk = 32 << 20

// sound says what was found out of a sound.
func sound(mime string, d time.Duration, waveform []byte) (Made, error) {
	return Made{Info: Info{Mime: mime, Duration: min(d, maxDuration), Waveform: waveform}, Shown: true}, nil
}

// ogg reads a sound in an Ogg container (RFC 3533, RFC 7845).
func ogg(s source, mime string, _ Limits) (Made, error) {
	head, err := s.some(0, window)
	if err != nil {
		return Made{}, err
	}
	p, ok := oggPage(head)
	if !ok {
		return Made{}, errBad
	}
	var rate, skip uint64 // samples a second, and how many of them come before the sound
	var opus bool
	switch first := p.data; {
	case bytes.HasPrefix(first, []byte("OpusHead")) && len(first) >= 19:
		rate, skip, opus = 48_000, uint64(binary.LittleEndian.Uint16(first[10:])), true
	case bytes.HasPrefix(first, []byte("\x01vorbis")) && len(first) >= 16:
		rate = uint64(binary.LittleEndian.Uint32(first[12:]))
	case bytes.HasPrefix(first, []byte("\x7fFLAC")) && len(first) >= 30:
		rate = uint64(first[27])<<12 | uint64(first[28])<<4 | uint64(first[29])>>4
	case bytes.HasPrefix(first, []byte("Speex   ")) && len(first) >= 40:
		rate = uint64(binary.LittleEndian.Uint32(first[36:]))
	default:
		return Made{}, errBad
	}
	last, sizes, err := oggEnd(s, p.serial, opus)
	if err != nil {
		return Made{}, err
	}
	d := seconds(last-min(skip, last), rate)
	if len(sizes) > 2 {
		sizes = sizes[2:] // the headers
	}
	return sound(mime, d, ofSizes(sizes))
}

// page is a page of an Ogg stream.
type page struct {
	serial, length int
	granule        uint64
	lacing, data   []byte
}

// oggPage reads the page at the beginning of some bytes.
func oggPage(b []byte) (p page, ok bool) {
	if len(b) < 27 || string(b[:5]) != "OggS\x00" || len(b) < 27+int(b[26]) {
		return p, false
	}
	p.granule, p.serial = binary.LittleEndian.Uint64(b[6:]), int(binary.LittleEndian.Uint32(b[14:]))
	p.lacing = b[27 : 27+int(b[26])]
	p.length = 27 + len(p.lacing)
	for _, n := range p.lacing {
		p.length += int(n)
	}
	p.data = b[27+len(p.lacing) : min(len(b), p.length)]
	return p, true
}

// maxPage is the size of the largest page, in bytes.
const maxPage = 27 + 255 + 255*255

// oggEnd finds where a stream ends. Of one that is not long it returns the sizes
// of its packets as well.
func oggEnd(s source, serial int, packets bool) (granule uint64, sizes []uint32, err error) {
	if !packets || s.size > maxWalk {
		b, err := s.some(max(0, s.size-2*maxPage), 2*maxPage)
		for len(b) > 0 && err == nil {
			i := bytes.Index(b, []byte("OggS\x00"))
			if i < 0 {
				break
			}
			b = b[i:]
			if p, ok := oggPage(b); ok && p.serial == serial && p.granule != math.MaxUint64 {
				granule = p.granule
			}
			b = b[4:]
		}
		return granule, nil, err
	}
	size := uint32(0)
	for at := int64(0); at < s.size; {
		b, err := s.some(at, 27+255)
		if err != nil {
			return 0, nil, err
		}
		p, ok := oggPage(b)
		if !ok {
			break // torn, or something else behind it
		}
		if at += int64(p.length); p.serial != serial {
			continue
		}
		if p.granule != math.MaxUint64 {
			granule = p.granule
		}
		for _, n := range p.lacing {
			if size += uint32(n); n < 255 {
				sizes, size = append(sizes, size), 0
			}
		}
	}
	return granule, sizes, nil
}

// wav reads a WAV. It is not compressed: how loud it is, its samples say.
func wav(s source, mime string, _ Limits) (Made, error) {
	var m Made
	var format []byte
	var p patches
	for at := int64(12); at+8 <= s.size; {
		head, err := s.some(at, 8)
		if err != nil || len(head) < 8 {
			return m, cmp.Or(err, errBad)
		}
		n := int64(binary.LittleEndian.Uint32(head[4:]))
		switch string(head[:4]) {
		case "fmt ":
			if format, err = s.some(at+8, min(n, 40)); err != nil {
				return m, err
			}
		case "LIST", "bext", "iXML", "id3 ", "ID3 ", "_PMX", "aXML", "cart": // who, when, and with what
			if at+8+n <= s.size {
				p = append(p, patch{at: at, n: 4, new: []byte("junk")}, patch{at: at + 8, n: n})
			}
		case "data":
			if len(format) < 16 || m.Shown {
				return m, errBad
			}
			// Who records into a stream does not know the size at the beginning.
			length := min(n, s.size-at-8)
			perSecond, frame := int64(binary.LittleEndian.Uint32(format[8:])), int64(binary.LittleEndian.Uint16(format[12:]))
			if perSecond == 0 || frame == 0 {
				return m, errBad
			}
			form, err := wavForm(s, at+8, length, frame, format)
			if err != nil {
				return m, err
			}
			m, _ = sound(mime, time.Duration(float64(length)/float64(perSecond)*float64(time.Second)), form)
		}
		at += 8 + n + n&1
	}
	if !m.Shown {
		return m, errBad
	}
	if len(p) > maxPieces/3 {
		return m, errBad
	}
	m.Clean = p.of(s.size)
	return m, nil
}

// wavPart is how much of each of the 64 parts of a WAV is listened to, in bytes.
const wavPart = 512 << 10

// wavForm computes how loud the samples are; nil for samples of a kind that is
// not read.
func wavForm(s source, from, length, frame int64, format []byte) ([]byte, error) {
	kind, width := binary.LittleEndian.Uint16(format), int(binary.LittleEndian.Uint16(format[14:]))/8
	if kind == 0xfffe && len(format) >= 26 {
		kind = binary.LittleEndian.Uint16(format[24:])
	}
	level := wavLevel(kind, width)
	if level == nil || length/frame < waves {
		return nil, nil
	}
	levels := make([]float64, waves)
	for i := range levels {
		at, end := length*int64(i)/waves/frame*frame, length*int64(i+1)/waves/frame*frame
		b, err := s.some(from+at, min(end-at, wavPart))
		if err != nil {
			return nil, err
		}
		sum, n := 0.0, 0
		for ; len(b) >= width; b = b[width:] {
			v := level(b)
			sum += v * v
			n++
		}
		levels[i] = math.Sqrt(sum / float64(max(n, 1)))
	}
	return ofLevels(levels), nil
}

// wavLevel returns what reads a sample as -1 to 1.
func wavLevel(kind uint16, width int) func(b []byte) float64 {
	switch {
	case kind == 1 && width == 1:
		return func(b []byte) float64 { return float64(int(b[0])-128) / 128 }
	case kind == 1 && width == 2:
		return func(b []byte) float64 { return float64(int16(binary.LittleEndian.Uint16(b))) / 32768 }
	case kind == 1 && width == 3:
		return func(b []byte) float64 { return float64(int32(uint24(b)<<8)) / (1 << 31) }
	case kind == 1 && width == 4:
		return func(b []byte) float64 { return float64(int32(binary.LittleEndian.Uint32(b))) / (1 << 31) }
	case kind == 3 && width == 4:
		return func(b []byte) float64 {
			v := float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))
			if v != v {
				return 0
			}
			return max(-1, min(1, v))
		}
	}
	return nil
}

// flac reads the head of a FLAC (RFC 9639).
func flac(s source, mime string, _ Limits) (Made, error) {
	b, err := s.some(0, 42)
	if err != nil || len(b) < 42 || string(b[:4]) != "fLaC" || b[4]&0x7f != 0 {
		return Made{}, cmp.Or(err, errBad)
	}
	rate := uint64(b[18])<<12 | uint64(b[19])<<4 | uint64(b[20])>>4
	samples := uint64(b[21]&15)<<32 | uint64(binary.BigEndian.Uint32(b[22:]))
	return sound(mime, seconds(samples, rate), nil)
}

// mp3Rates are the bit rates of layer III by version, in kbit/s, and sampleRates
// the samples a second (ISO/IEC 11172-3, 2.4.2.3; 13818-3).
var (
	mp3Rates = [2][16]int{{0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0},
		{0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0}}
	sampleRates = [3]int{44100, 48000, 32000}
)

// mp3 reads the first frame of an MP3: it tells how many there are, or how large
// each is.
func mp3(s source, mime string, _ Limits) (Made, error) {
	at := int64(0)
	for range 3 { // some have two heads
		b, err := s.some(at, 10)
		if err != nil {
			return Made{}, err
		}
		if len(b) < 10 || string(b[:3]) != "ID3" {
			break
		}
		at += 10 + (int64(b[6]&0x7f)<<21 | int64(b[7]&0x7f)<<14 | int64(b[8]&0x7f)<<7 | int64(b[9]&0x7f))
	}
	b, err := s.some(at, window)
	if err != nil {
		return Made{}, err
	}
	for ; len(b) >= 4; b, at = b[1:], at+1 {
		if b[0] != 0xff || b[1]&0xe6 != 0xe2 {
			continue
		}
		version, rate, freq := b[1]>>3&3, int(b[2]>>4), int(b[2]>>2&3)
		low := 1
		if version == 3 {
			low = 0
		}
		if version == 1 || freq == 3 || mp3Rates[low][rate] == 0 {
			continue
		}
		samples, hz := 1152>>low, sampleRates[freq]>>low
		if version == 0 {
			hz /= 2
		}
		if n := mp3Frames(b); n > 0 {
			return sound(mime, seconds(uint64(n)*uint64(samples), uint64(hz)), nil)
		}
		return sound(mime, seconds(uint64(s.size-at), uint64(mp3Rates[low][rate]*125)), nil)
	}
	return Made{}, errBad
}

// mp3Frames reads how many frames there are, out of the note that programs leave
// in the first one when they are not all of one size; 0 when there is none.
func mp3Frames(b []byte) uint32 {
	b = b[:min(len(b), 256)]
	for _, name := range []string{"Xing", "Info"} {
		if i := bytes.Index(b, []byte(name)); i >= 0 && len(b) >= i+12 && b[i+7]&1 != 0 {
			return binary.BigEndian.Uint32(b[i+8:])
		}
	}
	if i := bytes.Index(b, []byte("VBRI")); i >= 0 && len(b) >= i+18 {
		return binary.BigEndian.Uint32(b[i+14:])
	}
	return 0
}

// aac reads an AAC of ADTS frames. A long one is measured by what its beginning
// says of a second.
func aac(s source, mime string, _ Limits) (Made, error) {
	rates := [16]uint64{96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350}
	rate, at := uint64(0), int64(0)
	var sizes []uint32
	for at+7 <= min(s.size, maxWalk) {
		b, err := s.some(at, 7)
		if err != nil {
			return Made{}, err
		}
		n := int64(b[3]&3)<<11 | int64(b[4])<<3 | int64(b[5])>>5
		if b[0] != 0xff || b[1]&0xf6 != 0xf0 || n < 7 {
			break
		}
		rate = rates[b[2]>>2&15]
		sizes = append(sizes, uint32(n))
		at += n
	}
	if rate == 0 {
		return Made{}, errBad
	}
	d := seconds(uint64(len(sizes))*1024, rate)
	if at >= maxWalk {
		d = time.Duration(float64(d) / float64(at) * float64(s.size))
	}
	return sound(mime, d, ofSizes(sizes))
}
