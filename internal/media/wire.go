package media

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// A parent and a child speak in frames: a kind, the length of what follows in 4
// bytes, and that.
//
//	parent → child   J {mime, size, pixels}        a job
//	                 D bytes                       what was asked for; fewer at the end
//	                 X text                        it can not be had: the job has failed
//	child → parent   R from, n (8 bytes each)      asks for bytes of the file
//	                 M {made, without bytes}       the job is done
//	                 B bytes                       after it, the bytes that made tells of, in order
//	                 F text                        the job has failed
const (
	frameJob   = 'J'
	frameData  = 'D'
	frameLost  = 'X'
	frameRead  = 'R'
	frameMade  = 'M'
	frameBytes = 'B'
	frameFail  = 'F'
)

const (
	// maxFrame bounds a frame, in bytes.
	maxFrame = MaxPicture + 1<<20
	// maxMade bounds the description of what was made, in bytes.
	maxMade = 1 << 20
)

// job is what a child is told.
type job struct {
	Mime   string
	Size   int64
	Pixels int64
}

// errFrame says that the other side does not speak as it should.
var errFrame = errors.New("a frame that is none")

func writeFrame(w io.Writer, kind byte, data []byte) error {
	var head [5]byte
	head[0] = kind
	binary.BigEndian.PutUint32(head[1:], uint32(len(data)))
	if _, err := w.Write(head[:]); err != nil {
		return err
	}
	_, err := w.Write(data)
	return err
}

func writeJSON(w io.Writer, kind byte, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return writeFrame(w, kind, b)
}

// readHead reads the kind and length of the next frame.
func readHead(r io.Reader, most int) (kind byte, n int, err error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, 0, err
	}
	size := binary.BigEndian.Uint32(head[1:])
	if int64(size) > int64(most) {
		return 0, 0, fmt.Errorf("%w: %d bytes", errFrame, size)
	}
	return head[0], int(size), nil
}

func readFrame(r io.Reader, most int) (kind byte, data []byte, err error) {
	kind, n, err := readHead(r, most)
	if err != nil {
		return 0, nil, err
	}
	data = make([]byte, n)
	_, err = io.ReadFull(r, data)
	return kind, data, err
}

// bytesOf lists the bytes of what was made: they travel behind its description.
func (m *Made) bytesOf() (out []*[]byte, lengths []int64) {
	for i := range m.Clean {
		if m.Clean[i].New != nil {
			out, lengths = append(out, &m.Clean[i].New), append(lengths, m.Clean[i].N)
		}
	}
	for i := range m.Previews {
		out, lengths = append(out, &m.Previews[i].Bytes), append(lengths, int64(len(m.Previews[i].Bytes)))
	}
	return out, lengths
}

// send writes what was made.
func (m Made) send(w io.Writer) error {
	all, lengths := m.bytesOf()
	bytes := make([][]byte, len(all))
	for i, b := range all {
		// What is told in their place is that there are some.
		bytes[i], *b = *b, []byte{}
	}
	if err := writeJSON(w, frameMade, struct {
		Made    Made
		Lengths []int64
	}{m, lengths}); err != nil {
		return err
	}
	for _, b := range bytes {
		if err := writeFrame(w, frameBytes, b); err != nil {
			return err
		}
	}
	return nil
}

// receive reads what was made of a file of a size, behind its first frame. A
// child that says what can not be is one that does not work.
func receive(r io.Reader, made []byte, size int64) (Made, error) {
	var got struct {
		Made    Made
		Lengths []int64
	}
	if err := json.Unmarshal(made, &got); err != nil {
		return Made{}, err
	}
	m := got.Made
	left := int64(maxFrame)
	for i := range m.Clean {
		p := &m.Clean[i]
		if p.N < 0 || p.N > size && p.Zero || p.From < 0 || p.New == nil && !p.Zero && (p.From > size || p.N > size-p.From) {
			return Made{}, fmt.Errorf("%w: a piece of a file of %d bytes", errFrame, size)
		}
	}
	all, _ := m.bytesOf()
	if len(all) != len(got.Lengths) || len(m.Previews) > len(sizes) || len(m.Clean) > maxPieces+8 {
		return Made{}, fmt.Errorf("%w: %d parts", errFrame, len(all))
	}
	for i, to := range all {
		kind, b, err := readFrame(r, int(left))
		if err != nil {
			return Made{}, err
		}
		if kind != frameBytes || int64(len(b)) != got.Lengths[i] {
			return Made{}, fmt.Errorf("%w: other bytes than were told", errFrame)
		}
		*to = b
		left -= int64(len(b))
	}
	for i := range m.Clean {
		if p := &m.Clean[i]; p.New != nil && int64(len(p.New)) != p.N {
			return Made{}, fmt.Errorf("%w: a piece of another length", errFrame)
		}
	}
	return m, m.check()
}

// check refuses what can not be.
func (m *Made) check() error {
	for _, p := range m.Previews {
		if p.Width < 1 || p.Height < 1 || p.Width > sizes[len(sizes)-1].side || p.Height > sizes[len(sizes)-1].side || p.Mime != "image/jpeg" && p.Mime != "image/webp" {
			return fmt.Errorf("%w: a preview", errFrame)
		}
	}
	if m.Width < 0 || m.Width > maxSide || m.Height < 0 || m.Height > maxSide || m.Duration < 0 || m.Duration > maxDuration || len(m.Thumb) > 64 ||
		len(m.Waveform) != 0 && len(m.Waveform) != waves || m.Shown && kinds[m.Mime] == nil {
		return fmt.Errorf("%w: what is told of the file", errFrame)
	}
	return nil
}
