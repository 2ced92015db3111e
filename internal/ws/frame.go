package ws

import (
	"encoding/binary"
	"io"
	"math/bits"
)

// maxControl is the largest payload of a control frame (RFC 6455 §5.5).
const maxControl = 125

// maxHeader is the longest frame header: 2 bytes, 8 of length, 4 of mask.
const maxHeader = 14

// header is the start of a frame (RFC 6455 §5.2).
type header struct {
	op     Op
	fin    bool
	masked bool
	key    uint32 // the mask's bytes, the first one lowest
	length int    // of the payload
}

// parseHeader reads a header from the start of b and returns its size in
// bytes. A size larger than b says how many bytes are needed to tell more. It
// judges what can be judged without knowing the frames before.
func parseHeader(b []byte) (h header, size int, err error) {
	if len(b) < 2 {
		return h, 2, nil
	}
	h = header{op: Op(b[0] & 0x0f), fin: b[0]&0x80 != 0, masked: b[1]&0x80 != 0, length: int(b[1] & 0x7f)}
	if b[0]&0x70 != 0 {
		return h, 0, broken("reserved bit set")
	}
	switch h.op {
	case opContinuation, OpText, OpBinary:
	case opClose, opPing, opPong:
		if h.length > maxControl {
			return h, 0, broken("control frame over 125 bytes")
		}
		if !h.fin {
			return h, 0, broken("fragmented control frame")
		}
	default:
		return h, 0, broken("unknown opcode")
	}
	size = 2
	switch h.length {
	case 126:
		size += 2
	case 127:
		size += 8
	}
	lengthEnd := size
	if h.masked {
		size += 4
	}
	if len(b) < size {
		return h, size, nil
	}
	switch lengthEnd {
	case 4:
		h.length = int(binary.BigEndian.Uint16(b[2:]))
		if h.length < 126 {
			return h, 0, broken("length not in its shortest form")
		}
	case 10:
		n := binary.BigEndian.Uint64(b[2:])
		if n>>63 != 0 {
			return h, 0, broken("length with its highest bit set")
		}
		if n < 1<<16 {
			return h, 0, broken("length not in its shortest form")
		}
		h.length = int(n)
		if h.length < 0 || uint64(h.length) != n { // on a 32-bit machine
			return h, 0, tooBig()
		}
	}
	if h.masked {
		h.key = binary.LittleEndian.Uint32(b[lengthEnd:])
	}
	return h, size, nil
}

// appendHeader writes the header that parseHeader reads.
func appendHeader(b []byte, h header) []byte {
	b0, b1 := byte(h.op), byte(0)
	if h.fin {
		b0 |= 0x80
	}
	if h.masked {
		b1 = 0x80
	}
	switch {
	case h.length < 126:
		b = append(b, b0, b1|byte(h.length))
	case h.length < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, b0, b1|126), uint16(h.length))
	default:
		b = binary.BigEndian.AppendUint64(append(b, b0, b1|127), uint64(h.length))
	}
	if h.masked {
		b = binary.LittleEndian.AppendUint32(b, h.key)
	}
	return b
}

// mask writes src XOR the repeated key to dst, which may be src itself, and
// returns the key turned so that the next piece goes on where this one ended.
func mask(dst, src []byte, key uint32) uint32 {
	k := uint64(key)<<32 | uint64(key)
	dst = dst[:len(src)]
	for len(src) >= 32 && len(dst) >= 32 {
		binary.LittleEndian.PutUint64(dst[0:], binary.LittleEndian.Uint64(src[0:])^k)
		binary.LittleEndian.PutUint64(dst[8:], binary.LittleEndian.Uint64(src[8:])^k)
		binary.LittleEndian.PutUint64(dst[16:], binary.LittleEndian.Uint64(src[16:])^k)
		binary.LittleEndian.PutUint64(dst[24:], binary.LittleEndian.Uint64(src[24:])^k)
		src, dst = src[32:], dst[32:]
	}
	for len(src) >= 8 && len(dst) >= 8 {
		binary.LittleEndian.PutUint64(dst, binary.LittleEndian.Uint64(src)^k)
		src, dst = src[8:], dst[8:]
	}
	for i := range src {
		dst[i] = src[i] ^ byte(key)
		key = bits.RotateLeft32(key, -8)
	}
	return key
}

// maskSource deals out frame masks. It reads its entropy in blocks, because a
// system call for every frame would cost more than the frame.
type maskSource struct {
	entropy io.Reader
	block   [128]byte
	used    int
}

func newMaskSource(entropy io.Reader) *maskSource {
	return &maskSource{entropy: entropy, used: len(maskSource{}.block)}
}

func (m *maskSource) next() (uint32, error) {
	if m.used == len(m.block) {
		if _, err := io.ReadFull(m.entropy, m.block[:]); err != nil {
			return 0, err
		}
		m.used = 0
	}
	key := binary.LittleEndian.Uint32(m.block[m.used:])
	m.used += 4
	return key, nil
}
