package media

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
	"strings"
	"time"
)

const (
	// maxMoov is the size of a film's description that is read, in bytes: that of
	// some hours.
	maxMoov = 48 << 20
	// maxFragments bounds the fragments of a film that are looked at.
	maxFragments = 100_000
	// maxMdats bounds the boxes of frames in which some are looked for.
	maxMdats = 100
	// maxSounds bounds the sound frames that a waveform is made of.
	maxSounds = 4_000_000
)

// film is what is found out of an MP4 or a QuickTime file.
type film struct {
	patches   patches
	blanks    patches // of frames, which are in one of the following
	mdats     []box
	scale     uint64 // parts of a second
	length    uint64 // in such parts
	tracks    []*track
	moov      bool
	fragments int
}

type track struct {
	id            uint32
	kind          string // vide, soun, or what else
	width, height int
	turned        bool
	scale         uint64
	length        uint64
	sizes         []uint32 // of sound frames
	frameLength   uint32   // of fragments, where those do not tell
	frameSize     uint32
	until         uint64 // where the last fragment ends
	chunks        space  // where the frames are: stco or co64
	wide          int    // of an entry of that, in bytes
	perChunk      space  // stsc
	frames        space  // stsz
}

// movie reads an MP4 or a QuickTime file. Its description may come first or last;
// the film itself is not read. What tells when and where it was made, and by whom,
// is overwritten in its place.
func movie(s source, mime string, _ Limits) (Made, error) {
	f := &film{}
	err := s.topBoxes(func(b box) error {
		switch b.kind {
		case "moov":
			if f.moov {
				return errBad
			}
			f.moov = true
			in, err := s.read(b.data, b.end, maxMoov)
			if err != nil {
				return err
			}
			return f.readMoov(in)
		case "uuid", "udta", "meta":
			f.blank(b.at, b.data, b.end)
		case "mdat":
			if len(f.mdats) < maxMdats {
				f.mdats = append(f.mdats, b)
			}
		case "moof":
			if f.fragments++; f.fragments > maxFragments {
				return errBad
			}
			in, err := s.read(b.data, b.end, maxMoov)
			if err != nil {
				return err
			}
			return in.boxes(f.traf)
		}
		return nil
	})
	m, many := append(f.patches, f.inside()...).made(s.size)
	if err = cmp.Or(err, many); err != nil {
		return m, err
	}
	return f.made(m, mime)
}

// made says what was found out.
func (f *film) made(m Made, mime string) (Made, error) {
	m.Mime = mime
	var sound *track
	for _, t := range f.tracks {
		switch {
		case t.kind == "vide" && m.Width == 0:
			m.Width, m.Height = t.width, t.height
			if t.turned {
				m.Width, m.Height = t.height, t.width
			}
		case t.kind == "soun" && sound == nil:
			sound = t
		}
	}
	if m.Width == 0 && sound == nil || m.Width > maxSide || m.Height > maxSide {
		return m, errBad
	}
	m.Duration = seconds(f.length, f.scale)
	if m.Duration == 0 {
		for _, t := range f.tracks {
			m.Duration = max(m.Duration, seconds(t.length, t.scale), seconds(t.until, t.scale))
		}
	}
	if m.Width == 0 {
		m.Mime, m.Waveform = "audio/mp4", ofSizes(sound.sizes)
	} else if !strings.HasPrefix(mime, "video/") {
		m.Mime = "video/mp4"
	}
	m.Shown = true
	return m, nil
}

// seconds is a length in parts of a second; 0 when it can not be one.
func seconds(n, scale uint64) time.Duration {
	if scale == 0 {
		return 0
	}
	high, low := bits.Mul64(n, uint64(time.Second))
	if high >= scale {
		return 0
	}
	d, _ := bits.Div64(high, low, scale)
	if d > uint64(maxDuration) {
		return 0
	}
	return time.Duration(d)
}

// blank makes a box one that everybody skips, with nothing in it.
func (f *film) blank(at, data, end int64) {
	f.patches = append(f.patches, patch{at: at + 4, n: 4, new: []byte("free")}, patch{at: data, n: end - data})
}

// blankIn is blank for a box of which only the inside is known: its head has 8
// bytes, or 16 where it says its size there.
func (f *film) blankIn(parent space, in space) {
	head := int64(8)
	if i := in.at - parent.at - 16; i >= 0 && parent.u(int(i), 4) == 1 && parent.u(int(i+8), 8) == uint64(len(in.b)+16) {
		head = 16
	}
	f.blank(in.at-head, in.at, in.at+int64(len(in.b)))
}

// times overwrites when something was made and changed, in a box that begins with
// a version and both; it returns where what follows is.
func (f *film) times(in space) (next, width int) {
	width = 4
	if in.version() == 1 {
		width = 8
	}
	n := int64(2 * width)
	if in.u(4, width) != 0 || in.u(4+width, width) != 0 {
		if n+4 <= int64(len(in.b)) {
			f.patches = append(f.patches, patch{at: in.at + 4, n: n})
		}
	}
	return 4 + 2*width, width
}

func (f *film) readMoov(in space) error {
	return in.boxes(func(kind string, b space) error {
		switch kind {
		case "mvhd":
			at, width := f.times(b)
			f.scale = b.u(at, 4)
			f.length = known(b.u(at+4, width), width)
		case "trak":
			return f.trak(in, b)
		case "mvex":
			return b.boxes(f.mvex)
		case "udta", "meta", "uuid":
			f.blankIn(in, b)
		}
		return nil
	})
}

// known is a length, or 0 when it is one that says that nobody knows.
func known(n uint64, width int) uint64 {
	if width == 4 && n == math.MaxUint32 || n == math.MaxUint64 {
		return 0
	}
	return n
}

// maxTracks bounds the tracks of a film.
const maxTracks = 64

func (f *film) trak(moov, in space) error {
	t := &track{}
	if len(f.tracks) == maxTracks {
		return errBad
	}
	before := len(f.patches)
	err := in.boxes(func(kind string, b space) error {
		switch kind {
		case "tkhd":
			at, width := f.times(b)
			t.id = uint32(b.u(at, 4))
			at += 8 + width + 8 + 8 // id, reserved, length; reserved; layer, group, volume, reserved
			a, d := b.u(at, 4), b.u(at+16, 4)
			t.turned = a == 0 && d == 0 && len(b.b) >= at+36
			t.width, t.height = int(b.u(at+36, 4)>>16), int(b.u(at+40, 4)>>16)
		case "mdia":
			return f.mdia(t, b)
		case "udta", "meta", "uuid":
			f.blankIn(in, b)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if t.kind == "meta" || t.kind == "camm" { // where it went, told every second
		f.patches = f.patches[:before]
		f.blankIn(moov, in)
		f.blankFrames(t)
		return nil
	}
	f.tracks = append(f.tracks, t)
	return nil
}

func (f *film) mdia(t *track, in space) error {
	return in.boxes(func(kind string, b space) error {
		switch kind {
		case "mdhd":
			at, width := f.times(b)
			t.scale, t.length = b.u(at, 4), known(b.u(at+4, width), width)
		case "hdlr":
			if len(b.b) >= 12 {
				t.kind = string(b.b[8:12])
			}
		case "udta", "meta":
			f.blankIn(in, b)
		case "minf":
			return b.boxes(func(kind string, b space) error {
				if kind != "stbl" {
					return nil
				}
				return b.boxes(t.stbl)
			})
		}
		return nil
	})
}

// maxBlanks bounds the chunks of a track that are overwritten.
const maxBlanks = 2000

// blankFrames overwrites what a track has in the film, chunk by chunk. One with
// more chunks than are overwritten keeps its frames, which nothing leads to.
func (f *film) blankFrames(t *track) {
	n := int(t.chunks.u(4, 4))
	if t.wide == 0 || n > maxBlanks {
		return
	}
	each, all := t.frames.u(4, 4), int(t.frames.u(8, 4)) // the size of all, or 0
	frame, run, count := 0, 0, 0
	for c := 1; c <= n; c++ {
		// stsc tells from which chunk on there are how many frames in each.
		for runs := int(t.perChunk.u(4, 4)); run < runs && int(t.perChunk.u(8+12*run, 4)) <= c; run++ {
			count = int(t.perChunk.u(8+12*run+4, 4))
		}
		size := uint64(0)
		for i := 0; i < count && frame < all && frame < len(t.frames.b); i++ {
			if size += each; each == 0 {
				size += t.frames.u(12+4*frame, 4)
			}
			frame++
		}
		at := t.chunks.u(8+(c-1)*t.wide, t.wide)
		if at < math.MaxInt64/2 && size < math.MaxInt32 {
			f.blanks = append(f.blanks, patch{at: int64(at), n: int64(size)})
		}
	}
}

// inside are the blanks that are in the film, and not in what describes it.
func (f *film) inside() (out patches) {
	for _, p := range f.blanks {
		if slices.ContainsFunc(f.mdats, func(b box) bool { return p.at >= b.data && p.at+p.n <= b.end }) {
			out = append(out, p)
		}
	}
	return out
}

// stbl reads the tables of a track.
func (t *track) stbl(kind string, b space) error {
	switch kind {
	case "stco":
		t.chunks, t.wide = b, 4
	case "co64":
		t.chunks, t.wide = b, 8
	case "stsc":
		t.perChunk = b
	case "stsd":
		if t.kind == "vide" && t.width == 0 {
			t.width, t.height = int(b.u(8+32, 2)), int(b.u(8+34, 2))
		}
	case "stsz":
		t.frames = b
		n := min(int(b.u(8, 4)), (len(b.b)-12)/4, maxSounds)
		if t.kind != "soun" || b.u(4, 4) != 0 || n <= 0 {
			return nil
		}
		t.sizes = make([]uint32, n)
		for i := range t.sizes {
			t.sizes[i] = uint32(b.u(12+4*i, 4))
		}
	}
	return nil
}

// mvex reads what holds for all fragments.
func (f *film) mvex(kind string, b space) error {
	switch kind {
	case "mehd":
		width := 4
		if b.version() == 1 {
			width = 8
		}
		if f.length == 0 {
			f.length = known(b.u(4, width), width)
		}
	case "trex":
		if t := f.track(uint32(b.u(4, 4))); t != nil {
			t.frameLength, t.frameSize = uint32(b.u(12, 4)), uint32(b.u(16, 4))
		}
	}
	return nil
}

func (f *film) track(id uint32) *track {
	for _, t := range f.tracks {
		if t.id == id {
			return t
		}
	}
	return nil
}

// traf reads a part of a fragment: one track's.
func (f *film) traf(kind string, in space) error {
	if kind != "traf" {
		return nil
	}
	var t *track
	var length, size uint32
	return in.boxes(func(kind string, b space) error {
		switch kind {
		case "tfhd":
			flags, at := b.u(1, 3), 8
			if t = f.track(uint32(b.u(4, 4))); t == nil {
				return nil
			}
			length, size = t.frameLength, t.frameSize
			for _, o := range []struct {
				flag  uint64
				width int
				to    *uint32
			}{{1, 8, nil}, {2, 4, nil}, {8, 4, &length}, {16, 4, &size}} {
				if flags&o.flag == 0 {
					continue
				}
				if o.to != nil {
					*o.to = uint32(b.u(at, 4))
				}
				at += o.width
			}
		case "tfdt":
			if t != nil {
				t.until = b.u(4, 4)
				if b.version() == 1 {
					t.until = b.u(4, 8)
				}
			}
		case "trun":
			if t != nil {
				t.trun(b, length, size)
			}
		}
		return nil
	})
}

// trun reads a run of frames.
func (t *track) trun(b space, length, size uint32) {
	flags, n, at := b.u(1, 3), int(b.u(4, 4)), 8
	for _, flag := range []uint64{1, 4} {
		if flags&flag != 0 {
			at += 4
		}
	}
	each := 4 * bits.OnesCount64(flags&0xf00)
	if each == 0 {
		t.until += uint64(n) * uint64(length)
		return
	}
	for ; n > 0 && at+each <= len(b.b); n-- {
		l, s, i := length, size, at
		if flags&0x100 != 0 {
			l, i = uint32(b.u(i, 4)), i+4
		}
		if flags&0x200 != 0 {
			s = uint32(b.u(i, 4))
		}
		t.until += uint64(l)
		if t.kind == "soun" && len(t.sizes) < maxSounds {
			t.sizes = append(t.sizes, s)
		}
		at += each
	}
}
