package record

import (
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
)

// The elements of Matroska that are written (RFC 9559).
const (
	idEBML         = 0x1A45DFA3
	idSegment      = 0x18538067
	idSeekHead     = 0x114D9B74
	idSeek         = 0x4DBB
	idSeekID       = 0x53AB
	idSeekPosition = 0x53AC
	idVoid         = 0xEC
	idInfo         = 0x1549A966
	idScale        = 0x2AD7B1
	idDuration     = 0x4489
	idTracks       = 0x1654AE6B
	idCluster      = 0x1F43B675
	idTimestamp    = 0xE7
	idSimpleBlock  = 0xA3
	idCues         = 0x1C53BB6B
	idCuePoint     = 0xBB
	idCueTime      = 0xB3
	idCuePositions = 0xB7
	idCueTrack     = 0xF7
	idCueCluster   = 0xF1
)

const (
	clusterTime = 1000    // ms that a cluster has: so much is lost with the process
	clusterSize = 4 << 20 // bytes
	lastFrame   = 40      // ms that the last frame is shown
	seekRoom    = 96      // bytes that are kept for the table of what is where
	durationLen = 11      // bytes of the duration with its name
)

// vint is a size of eight bytes; sizes are known before they are written, but
// one form is simpler to mend.
func vint(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n|1<<56) }

// unknownSize stands for "up to the end", until the end is known.
const unknownSize = 1<<56 - 1

func idBytes(id uint32) []byte {
	b := binary.BigEndian.AppendUint32(nil, id)
	for b[0] == 0 {
		b = b[1:]
	}
	return b
}

// element is an element with its content.
func element(id uint32, parts ...[]byte) []byte {
	var n int
	for _, p := range parts {
		n += len(p)
	}
	b := idBytes(id)
	if n < 127 {
		b = append(b, 0x80|byte(n))
	} else {
		b = append(b, vint(uint64(n))...)
	}
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

func number(id uint32, n uint64) []byte {
	b := binary.BigEndian.AppendUint64(nil, n)
	for len(b) > 1 && b[0] == 0 {
		b = b[1:]
	}
	return element(id, b)
}

func text(id uint32, s string) []byte { return element(id, []byte(s)) }

// void is n bytes of nothing, 2 to 126.
func void(n int) []byte { return element(idVoid, make([]byte, n-2)) }

// webm writes one video track into a WebM file, or a Matroska file where WebM
// does not have the codec. A cluster goes out whole, so that what is in the file
// can always be played; mendWebM adds the rest at the end.
type webm struct {
	f             io.WriterAt
	at            int64 // where the next cluster goes
	sizeAt        int64 // where width and height are
	width, height int

	cluster []byte // blocks that wait
	begin   int64  // ms: the cluster's timestamp
	last    int64  // ms: of the last block, -1 = there is none
}

// codecIDs are the names of codecs in Matroska.
var codecIDs = map[string]string{"vp8": "V_VP8", "vp9": "V_VP9", "av1": "V_AV1", "h264": "V_MPEG4/ISO/AVC"}

// newWebM writes what comes before the first cluster.
func newWebM(f io.WriterAt, codec string, private []byte, width, height int) (*webm, error) {
	kind := "webm"
	if codec == "h264" {
		kind = "matroska"
	}
	b := element(idEBML, number(0x4286, 1), number(0x42F7, 1), number(0x42F2, 4), number(0x42F3, 8), text(0x4282, kind), number(0x4287, 4), number(0x4285, 2))
	b = append(append(b, idBytes(idSegment)...), vint(unknownSize)...)
	b = append(b, void(seekRoom)...)
	b = append(b, element(idInfo, number(idScale, 1_000_000), text(0x4D80, "Skein"), text(0x5741, "Skein"), void(durationLen))...)
	size := []byte{0xB0, 0x82, 0, 0, 0xBA, 0x82, 0, 0} // pixels across and down, which change
	entry := [][]byte{number(0xD7, 1), number(0x73C5, 1), number(0x83, 1), number(0x9C, 0), text(0x86, codecIDs[codec])}
	if len(private) > 0 {
		entry = append(entry, element(0x63A2, private))
	}
	b = append(b, element(idTracks, element(0xAE, append(entry, element(0xE0, size))...))...)
	w := &webm{f: f, at: int64(len(b)), sizeAt: int64(len(b) - len(size)), last: -1}
	if _, err := f.WriteAt(b, 0); err != nil {
		return nil, err
	}
	return w, w.grow(width, height)
}

// grow notes the size of a frame, when it is the largest.
func (w *webm) grow(width, height int) error {
	if width <= 0 || height <= 0 || width > math.MaxUint16 || height > math.MaxUint16 || width*height <= w.width*w.height {
		return nil
	}
	w.width, w.height = width, height
	b := []byte{0xB0, 0x82, byte(width >> 8), byte(width), 0xBA, 0x82, byte(height >> 8), byte(height)}
	_, err := w.f.WriteAt(b, w.sizeAt)
	return err
}

// frame writes a frame that is shown at ms, later than the one before.
func (w *webm) frame(ms int64, key bool, data []byte) error {
	if len(w.cluster) > 0 && (key || ms-w.begin >= clusterTime || len(w.cluster) > clusterSize) {
		if err := w.flush(); err != nil {
			return err
		}
	}
	if len(w.cluster) == 0 {
		w.begin = ms
	}
	flags := byte(0)
	if key {
		flags = 0x80
	}
	rel := uint16(ms - w.begin)
	w.cluster = append(w.cluster, element(idSimpleBlock, []byte{0x81, byte(rel >> 8), byte(rel), flags}, data)...)
	w.last = ms
	return nil
}

// flush writes the cluster.
func (w *webm) flush() error {
	if len(w.cluster) == 0 {
		return nil
	}
	time := number(idTimestamp, uint64(w.begin))
	b := append(idBytes(idCluster), vint(uint64(len(time)+len(w.cluster)))...)
	b = append(append(b, time...), w.cluster...)
	if _, err := w.f.WriteAt(b, w.at); err != nil {
		return err
	}
	w.at += int64(len(b))
	w.cluster = w.cluster[:0]
	return nil
}

// head is the name and size of an element.
type head struct {
	id   uint32
	len  int64 // of name and size
	size int64
}

// headAt reads one; ok is false at the end and for what is broken.
func headAt(f io.ReaderAt, at int64) (h head, ok bool) {
	var b [12]byte
	n, err := f.ReadAt(b[:], at)
	if n == 0 || err != nil && !errors.Is(err, io.EOF) {
		return h, false
	}
	id, k := varint(b[:n], 4, true)
	size, l := varint(b[min(k, n):n], 8, false)
	if k == 0 || l == 0 {
		return h, false
	}
	return head{uint32(id), int64(k + l), int64(size)}, true
}

// varint reads a number of at most so many bytes; 0 bytes = there is none.
func varint(b []byte, most int, marked bool) (v uint64, n int) {
	if len(b) == 0 || b[0] == 0 {
		return 0, 0
	}
	n = 1
	for m := byte(0x80); b[0]&m == 0; m >>= 1 {
		n++
	}
	if n > most || n > len(b) {
		return 0, 0
	}
	v = uint64(b[0])
	if !marked {
		v &= 1<<(8-n) - 1
	}
	for _, x := range b[1:n] {
		v = v<<8 | uint64(x)
	}
	return v, n
}

// mendWebM makes a file whole, whoever has left it how: what is not a whole
// cluster goes, and the table of key frames, the duration and the sizes are
// written where they belong. It returns the duration, ms. Errors: errNothing.
func mendWebM(f *os.File) (duration int64, err error) {
	at, data, durationAt, infoAt, tracksAt := int64(0), int64(0), int64(0), int64(0), int64(0)
	var cues []byte
	var last [2]int64 // where the last cluster is, and its size
	for {
		h, ok := headAt(f, at)
		if !ok {
			break
		}
		end := at + h.len + h.size
		switch h.id {
		case idSegment:
			data, end = at+h.len, at+h.len
		case idInfo:
			infoAt, durationAt = at, end-durationLen
		case idTracks:
			tracksAt = at
		case idCluster:
			if !whole(f, end) {
				goto scanned
			}
			time, key := clusterAt(f, at+h.len)
			if key {
				cues = append(cues, element(idCuePoint, number(idCueTime, uint64(time)),
					element(idCuePositions, number(idCueTrack, 1), number(idCueCluster, uint64(at-data))))...)
			}
			last = [2]int64{at + h.len, h.size}
		case idCues:
			goto scanned // it was whole once
		}
		at = end
	}
scanned:
	if last[1] == 0 || data == 0 || tracksAt == 0 || infoAt == 0 {
		return 0, errNothing
	}
	duration = lastBlock(f, last[0], last[1]) + lastFrame
	b := element(idCues, cues)
	if err := f.Truncate(at); err != nil {
		return 0, err
	}
	if _, err := f.WriteAt(b, at); err != nil {
		return 0, err
	}
	seek := element(idSeekHead, seekTo(idInfo, infoAt-data), seekTo(idTracks, tracksAt-data), seekTo(idCues, at-data))
	seek = append(seek, void(seekRoom-len(seek))...)
	length := binary.BigEndian.AppendUint64([]byte{0x44, 0x89, 0x88}, math.Float64bits(float64(duration)))
	for where, what := range map[int64][]byte{data: seek, durationAt: length, data - 8: vint(uint64(at + int64(len(b)) - data))} {
		if _, err := f.WriteAt(what, where); err != nil {
			return 0, err
		}
	}
	return duration, nil
}

// seekTo is 21 bytes that say where something is, from the segment's data on.
func seekTo(id uint32, at int64) []byte {
	return element(idSeek, element(idSeekID, idBytes(id)), element(idSeekPosition, binary.BigEndian.AppendUint64(nil, uint64(at))))
}

// whole tells whether a file reaches as far.
func whole(f *os.File, end int64) bool {
	i, err := f.Stat()
	return err == nil && i.Size() >= end
}

// clusterAt reads a cluster's timestamp, and whether it begins with a key frame.
func clusterAt(f io.ReaderAt, at int64) (time int64, key bool) {
	h, _ := headAt(f, at)
	var b [8]byte
	if h.id != idTimestamp || h.size > 8 {
		return 0, false
	}
	f.ReadAt(b[8-h.size:], at+h.len) //nolint:errcheck // it is zero then
	at += h.len + h.size
	block, _ := headAt(f, at)
	var flags [4]byte
	f.ReadAt(flags[:], at+block.len) //nolint:errcheck // it is none then
	return int64(binary.BigEndian.Uint64(b[:])), flags[3]&0x80 != 0
}

// lastBlock is when the last frame of a cluster is shown, ms.
func lastBlock(f io.ReaderAt, at, size int64) (ms int64) {
	time, _ := clusterAt(f, at)
	for end := at + size; at < end; {
		h, ok := headAt(f, at)
		if !ok {
			break
		}
		if h.id == idSimpleBlock {
			var b [3]byte
			f.ReadAt(b[:], at+h.len) //nolint:errcheck // it is zero then
			ms = time + int64(binary.BigEndian.Uint16(b[1:]))
		}
		at += h.len + h.size
	}
	return ms
}
