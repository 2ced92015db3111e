package record

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
)

// opusRate is the clock of Opus in Ogg, whatever the sound was (RFC 7845 §4).
const opusRate = 48_000

// The flags of an Ogg page (RFC 3533 §6).
const (
	oggFirst = 2
	oggLast  = 4
)

// oggHead is the size of a page's header without its table of segments.
const oggHead = 27

// ogg writes one stream of Opus into an Ogg file, a page a second, so that
// whatever becomes of this process all but the last second can be played.
type ogg struct {
	w       io.Writer
	serial  uint32
	number  uint32
	granule int64 // samples up to the end of what was written
	since   int64 // granule at the page's beginning
	lacing  []byte
	body    []byte
}

// newOgg writes the two headers (RFC 7845 §5).
func newOgg(w io.Writer, serial uint32) (*ogg, error) {
	o := &ogg{w: w, serial: serial}
	head := append([]byte("OpusHead"), 1, 2, 0, 0) // two channels: a mono packet plays in both; nothing to skip
	head = binary.LittleEndian.AppendUint32(head, opusRate)
	head = append(head, 0, 0, 0) // no gain; the usual two channels
	o.add(head)
	if err := o.flush(oggFirst); err != nil {
		return nil, err
	}
	const vendor = "Skein"
	tags := binary.LittleEndian.AppendUint32([]byte("OpusTags"), uint32(len(vendor)))
	tags = append(tags, vendor...)
	o.add(binary.LittleEndian.AppendUint32(tags, 0))
	return o, o.flush(0)
}

// add puts a packet on the page.
func (o *ogg) add(b []byte) {
	for n := len(b); ; n -= 255 {
		if n < 255 {
			o.lacing = append(o.lacing, byte(n))
			break
		}
		o.lacing = append(o.lacing, 255)
	}
	o.body = append(o.body, b...)
}

// maxOpus bounds a packet: more than RFC 6716 lets one have.
const maxOpus = 8 << 10

// packet writes a packet of so many samples.
func (o *ogg) packet(b []byte, samples int64) error {
	if len(b) > maxOpus {
		return nil
	}
	if len(o.lacing)+len(b)/255+1 > 255 {
		if err := o.flush(0); err != nil {
			return err
		}
	}
	o.add(b)
	o.granule += samples
	if o.granule-o.since >= opusRate {
		return o.flush(0)
	}
	return nil
}

// flush writes the page.
func (o *ogg) flush(flags byte) error {
	_, err := o.w.Write(oggPage(flags, o.granule, o.serial, o.number, o.lacing, o.body))
	o.number++
	o.since, o.lacing, o.body = o.granule, o.lacing[:0], o.body[:0]
	return err
}

// finish writes the rest and the end of the stream.
func (o *ogg) finish() error { return o.flush(oggLast) }

func oggPage(flags byte, granule int64, serial, number uint32, lacing, body []byte) []byte {
	p := append([]byte("OggS"), 0, flags)
	p = binary.LittleEndian.AppendUint64(p, uint64(granule))
	p = binary.LittleEndian.AppendUint32(p, serial)
	p = binary.LittleEndian.AppendUint32(p, number)
	p = append(p, 0, 0, 0, 0, byte(len(lacing)))
	p = append(append(p, lacing...), body...)
	binary.LittleEndian.PutUint32(p[22:], oggSum(p))
	return p
}

// oggSum is the checksum of a page whose own field is zero: CRC-32 by
// 0x04c11db7, most significant bit first, from zero (RFC 3533 §6).
func oggSum(p []byte) (sum uint32) {
	for _, b := range p {
		sum ^= uint32(b) << 24
		for range 8 {
			if sum&0x80000000 != 0 {
				sum = sum<<1 ^ 0x04c11db7
			} else {
				sum <<= 1
			}
		}
	}
	return sum
}

// errNothing says that a file has nothing in it that can be played.
var errNothing = errors.New("nothing was recorded")

// mendOgg ends a file that somebody did not: what is not a whole page goes, and
// the stream gets its end. It returns how many samples it has. Errors:
// errNothing.
func mendOgg(f *os.File) (samples int64, err error) {
	var at int64
	var serial, number uint32
	var last bool
	head := make([]byte, oggHead)
	page := make([]byte, 0, oggHead+255+255*255)
	for {
		if _, err := f.ReadAt(head, at); err != nil || string(head[:4]) != "OggS" {
			break
		}
		page = append(page[:0], head...)
		page = page[:oggHead+int(head[26])]
		if _, err := f.ReadAt(page[oggHead:], at+oggHead); err != nil {
			break
		}
		n := 0
		for _, l := range page[oggHead:] {
			n += int(l)
		}
		body := len(page)
		page = page[:body+n]
		if _, err := f.ReadAt(page[body:], at+int64(body)); err != nil && !(errors.Is(err, io.EOF) && n == 0) {
			break
		}
		sum := binary.LittleEndian.Uint32(page[22:])
		binary.LittleEndian.PutUint32(page[22:], 0)
		if oggSum(page) != sum {
			break
		}
		samples = int64(binary.LittleEndian.Uint64(page[6:]))
		serial, number, last = binary.LittleEndian.Uint32(page[14:]), binary.LittleEndian.Uint32(page[18:]), page[5]&oggLast != 0
		at += int64(len(page))
	}
	if samples == 0 {
		return 0, errNothing
	}
	if err := f.Truncate(at); err != nil {
		return 0, err
	}
	if !last {
		_, err = f.WriteAt(oggPage(oggLast, samples, serial, number+1, nil, nil), at)
	}
	return samples, err
}

// opusSamples is how long a packet plays, in samples; 0 = it is none (RFC 6716
// §3.1).
func opusSamples(b []byte) int64 {
	if len(b) == 0 {
		return 0
	}
	config := b[0] >> 3
	var frame int64
	switch {
	case config < 12: // SILK: 10, 20, 40, 60 ms
		frame = [...]int64{480, 960, 1920, 2880}[config&3]
	case config < 16: // hybrid: 10, 20 ms
		frame = [...]int64{480, 960}[config&1]
	default: // CELT: 2.5, 5, 10, 20 ms
		frame = [...]int64{120, 240, 480, 960}[config&3]
	}
	count := int64(1)
	switch b[0] & 3 {
	case 1, 2:
		count = 2
	case 3:
		if len(b) < 2 {
			return 0
		}
		count = int64(b[1] & 0x3f)
	}
	if n := frame * count; n <= 5760 { // 120 ms at most
		return n
	}
	return 0
}

// silence is a packet that plays nothing for 2.5, 5, 10 or 20 ms, the longest
// that fits; what is left of less than that stays.
func silence(samples int64) (packet []byte, n int64) {
	for config, size := byte(31), int64(960); size >= 120; config, size = config-1, size/2 {
		if samples >= size {
			return []byte{config << 3, 0xff, 0xfe}, size
		}
	}
	return nil, 0
}
