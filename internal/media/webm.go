package media

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"math/bits"
	"time"
)

// Elements of WebM and Matroska (RFC 9559).
const (
	ebmlHead        = 0x1a45dfa3
	ebmlVoid        = 0xec
	mkvSegment      = 0x18538067
	mkvSeekHead     = 0x114d9b74
	mkvSeek         = 0x4dbb
	mkvSeekID       = 0x53ab
	mkvSeekPosition = 0x53ac
	mkvInfo         = 0x1549a966
	mkvScale        = 0x2ad7b1
	mkvDuration     = 0x4489
	mkvDate         = 0x4461
	mkvTitle        = 0x7ba9
	mkvTracks       = 0x1654ae6b
	mkvTrack        = 0xae
	mkvNumber       = 0xd7
	mkvType         = 0x83
	mkvVideo        = 0xe0
	mkvWidth        = 0xb0
	mkvHeight       = 0xba
	mkvCluster      = 0x1f43b675
	mkvTime         = 0xe7
	mkvSimpleBlock  = 0xa3
	mkvBlockGroup   = 0xa0
	mkvBlock        = 0xa1
	mkvTags         = 0x1254c367
	mkvAttachments  = 0x1941a469
)

// maxHeader is the size of an element that is read whole, in bytes.
const maxHeader = 4 << 20

// element is one, of which data begins at data and ends at end; end is -1 when
// that is not told.
type element struct {
	id            uint32
	at, data, end int64
}

// elementAt reads the head of an element; ok is false where there is none.
func elementAt(b []byte, at int64) (e element, ok bool) {
	e.at = at
	if len(b) == 0 || b[0] < 0x10 {
		return e, false
	}
	n := bits.LeadingZeros8(b[0]) + 1
	if len(b) <= n {
		return e, false
	}
	for _, c := range b[:n] {
		e.id = e.id<<8 | uint32(c)
	}
	size, length, unknown := vint(b[n:])
	if length == 0 || size > 1<<50 && !unknown {
		return e, false
	}
	e.data = at + int64(n+length)
	if e.end = e.data + int64(size); unknown {
		e.end = -1
	}
	return e, true
}

// vint reads a number of 1 to 8 bytes; length is 0 where there is none.
func vint(b []byte) (n uint64, length int, unknown bool) {
	if len(b) == 0 || b[0] == 0 {
		return 0, 0, false
	}
	length = bits.LeadingZeros8(b[0]) + 1
	if len(b) < length {
		return 0, 0, false
	}
	n = uint64(b[0]) & (1<<(8-length) - 1)
	for _, c := range b[1:length] {
		n = n<<8 | uint64(c)
	}
	return n, length, n == 1<<(7*length)-1
}

// matroska is what is found out of a WebM.
type matroska struct {
	s             source
	patches       patches
	segment       int64 // where its data are
	scale         uint64
	duration      float64
	width, height int
	video, audio  uint64 // numbers of tracks; 0 = none
	seeks         map[uint32]int64
	cluster       uint64
	last          uint64
	sizes         []uint32
}

// webm reads a WebM or Matroska file: its head, and of one that does not say how
// long it is, as browsers record them, the times of its frames.
func webm(s source, mime string, _ Limits) (Made, error) {
	k := &matroska{s: s, scale: 1_000_000, seeks: map[uint32]int64{}}
	clusters, err := k.head()
	if err == nil && k.video == 0 && k.audio == 0 {
		err = errBad
	}
	if err == nil && clusters >= 0 && (k.duration == 0 || k.video == 0) {
		err = k.walk(clusters)
	}
	if err == nil {
		err = k.notes()
	}
	m, many := k.patches.made(s.size)
	if err = cmp.Or(err, many); err != nil {
		return m, err
	}
	m.Shown = true
	m.Mime, m.Width, m.Height = "video/webm", k.width, k.height
	if k.video == 0 {
		m.Mime, m.Width, m.Height, m.Waveform = "audio/webm", 0, 0, ofSizes(k.sizes)
	} else if m.Width < 1 || m.Height < 1 || m.Width > maxSide || m.Height > maxSide {
		return m, errBad
	}
	ns := k.duration * float64(k.scale)
	if ns == 0 {
		ns = float64(k.last) * float64(k.scale)
	}
	if ns > 0 && ns <= float64(maxDuration) {
		m.Duration = time.Duration(ns)
	}
	return m, nil
}

// at reads the head of the element at a position.
func (k *matroska) at(at int64) (e element, ok bool, err error) {
	b, err := k.s.some(at, 12)
	if err != nil {
		return e, false, err
	}
	e, ok = elementAt(b, at)
	return e, ok, nil
}

// head reads everything before the first cluster, and returns where that is; -1
// when there is none.
func (k *matroska) head() (clusters int64, err error) {
	e, ok, err := k.at(0)
	if err != nil || !ok || e.id != ebmlHead || e.end < 0 {
		return -1, cmp.Or(err, errBad)
	}
	if e, ok, err = k.at(e.end); err != nil || !ok || e.id != mkvSegment {
		return -1, cmp.Or(err, errBad)
	}
	k.segment = e.data
	for at, n := e.data, 0; at < k.s.size; n++ {
		e, ok, err := k.at(at)
		if err != nil || !ok || n > 1000 {
			return -1, cmp.Or(err, errBad)
		}
		if e.id == mkvCluster {
			return at, nil
		}
		if e.end < 0 || e.end > k.s.size {
			return -1, errBad
		}
		if err := k.top(e); err != nil {
			return -1, err
		}
		at = e.end
	}
	return -1, nil
}

// top reads one of the elements of the segment.
func (k *matroska) top(e element) error {
	switch e.id {
	case mkvTags, mkvAttachments:
		k.void(e)
		return nil
	case mkvInfo, mkvTracks, mkvSeekHead:
	default:
		return nil
	}
	in, err := k.s.read(e.data, e.end, maxHeader)
	if err != nil {
		return err
	}
	return in.elements(func(c element, in space) error {
		switch {
		case e.id == mkvInfo:
			k.info(c, in)
		case e.id == mkvTracks && c.id == mkvTrack:
			return k.track(in)
		case e.id == mkvSeekHead && c.id == mkvSeek:
			return k.seek(in)
		}
		return nil
	})
}

// elements walks over the elements in a part.
func (p space) elements(fn func(e element, in space) error) error {
	for i := int64(0); i < int64(len(p.b)); {
		e, ok := elementAt(p.b[i:], i)
		if !ok || e.end < 0 || e.end > int64(len(p.b)) {
			return errBad
		}
		in := space{p.b[e.data:e.end], p.at + e.data}
		e.at, e.data, e.end = e.at+p.at, e.data+p.at, e.end+p.at
		if err := fn(e, in); err != nil {
			return err
		}
		i = e.end - p.at
	}
	return nil
}

func (k *matroska) info(e element, in space) {
	switch e.id {
	case mkvScale:
		if n := in.u(0, min(8, len(in.b))); n > 0 {
			k.scale = n
		}
	case mkvDuration:
		switch len(in.b) {
		case 4:
			k.duration = float64(math.Float32frombits(uint32(in.u(0, 4))))
		case 8:
			k.duration = math.Float64frombits(in.u(0, 8))
		}
		if !(k.duration > 0) || math.IsInf(k.duration, 0) {
			k.duration = 0
		}
	case mkvDate, mkvTitle:
		k.void(e)
	}
}

func (k *matroska) track(in space) error {
	var number, kind uint64
	var width, height int
	err := in.elements(func(e element, in space) error {
		switch e.id {
		case mkvNumber:
			number = in.u(0, min(8, len(in.b)))
		case mkvType:
			kind = in.u(0, min(8, len(in.b)))
		case mkvVideo:
			return in.elements(func(e element, in space) error {
				switch e.id {
				case mkvWidth:
					width = int(in.u(0, min(4, len(in.b))))
				case mkvHeight:
					height = int(in.u(0, min(4, len(in.b))))
				}
				return nil
			})
		}
		return nil
	})
	switch {
	case kind == 1 && k.video == 0:
		k.video, k.width, k.height = number, width, height
	case kind == 2 && k.audio == 0:
		k.audio = number
	}
	return err
}

// seek reads where one of the elements of the segment is.
func (k *matroska) seek(in space) error {
	var id uint32
	var where int64
	err := in.elements(func(e element, in space) error {
		switch e.id {
		case mkvSeekID:
			id = uint32(in.u(0, min(4, len(in.b))))
		case mkvSeekPosition:
			where = int64(in.u(0, min(7, len(in.b))))
		}
		return nil
	})
	if id == mkvTags || id == mkvAttachments {
		k.seeks[id] = k.segment + where
	}
	return err
}

// notes makes void what lies behind the film.
func (k *matroska) notes() error {
	for id, at := range k.seeks {
		if at < 0 || at >= k.s.size {
			continue
		}
		e, ok, err := k.at(at)
		if err != nil {
			return err
		}
		if ok && e.id == id && e.end >= 0 && e.end <= k.s.size {
			k.void(e)
		}
	}
	return nil
}

// void makes an element one that everybody skips, with nothing in it.
func (k *matroska) void(e element) {
	n := e.end - e.at
	switch {
	case n >= 9:
		head := append([]byte{ebmlVoid}, binary.BigEndian.AppendUint64(nil, uint64(n-9)|1<<56)...)
		k.patches = append(k.patches, patch{at: e.at, n: n, new: head})
	case n >= 2:
		k.patches = append(k.patches, patch{at: e.at, n: n, new: []byte{ebmlVoid, 0x80 | byte(n-2)}})
	}
}

// walk goes over the frames, from the first cluster on. Of a long file it looks
// at the end alone.
func (k *matroska) walk(at int64) error {
	if k.s.size-at > maxWalk {
		tail := k.s.size - maxWalk/4
		b, err := k.s.some(tail, maxWalk/4)
		if err != nil {
			return err
		}
		id := []byte{0x1f, 0x43, 0xb6, 0x75}
		for i := bytes.Index(b, id); ; {
			if i < 0 {
				return nil // it is not known how long it is
			}
			if e, ok := elementAt(b[i:], tail+int64(i)); ok {
				if t, ok := elementAt(b[min(int64(len(b)), e.data-tail):], e.data); ok && t.id == mkvTime {
					at = e.at
					break
				}
			}
			next := bytes.Index(b[i+4:], id)
			if next < 0 {
				return nil
			}
			i += 4 + next
		}
	}
	for at < k.s.size {
		e, ok, err := k.at(at)
		if err != nil {
			return err
		}
		if !ok {
			return nil // torn: what there is counts
		}
		switch e.id {
		case mkvCluster, mkvBlockGroup:
			at = e.data // what is in it comes next
			continue
		case mkvTags, mkvAttachments:
			if e.end >= 0 && e.end <= k.s.size {
				k.void(e)
			}
		case mkvTime, mkvSimpleBlock, mkvBlock:
			if err := k.frame(e); err != nil {
				return err
			}
		}
		if e.end < 0 {
			return nil
		}
		at = e.end
	}
	return nil
}

// frame reads the time of a frame, or of its cluster.
func (k *matroska) frame(e element) error {
	b, err := k.s.some(e.data, min(12, e.end-e.data))
	if err != nil {
		return err
	}
	in := space{b, e.data}
	if e.id == mkvTime {
		k.cluster = in.u(0, min(8, len(b)))
		return nil
	}
	track, n, _ := vint(b)
	if n == 0 || len(b) < n+3 {
		return nil
	}
	if t := int64(k.cluster) + int64(int16(in.u(n, 2))); t > 0 {
		k.last = max(k.last, uint64(t))
	}
	if track == k.audio && k.video == 0 && len(k.sizes) < maxSounds {
		k.sizes = append(k.sizes, uint32(min(e.end-e.data, math.MaxUint32)))
	}
	return nil
}
