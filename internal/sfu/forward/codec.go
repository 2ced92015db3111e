package forward

import (
	"encoding/binary"
	"strings"
)

// Codec is an encoding that is passed on.
type Codec uint8

// The codecs.
const (
	codecNone Codec = iota
	Opus
	RED // redundant Opus (RFC 2198)
	VP8
	H264
	VP9
	AV1
	numCodecs
)

var codecNames = [numCodecs]string{Opus: "opus", RED: "red", VP8: "vp8", H264: "h264", VP9: "vp9", AV1: "av1"}

// CodecOf finds a codec by its name in SDP, of any case, or as a mime type.
func CodecOf(name string) (Codec, bool) {
	name = strings.ToLower(name)
	name = strings.TrimPrefix(strings.TrimPrefix(name, "video/"), "audio/")
	for c, n := range codecNames {
		if n == name && n != "" {
			return Codec(c), true
		}
	}
	return codecNone, false
}

// Mime is the codec's type as it is told to clients.
func (c Codec) Mime() string {
	switch c {
	case Opus, RED:
		return "audio/" + codecNames[c]
	case VP8, H264, VP9, AV1:
		return "video/" + strings.ToUpper(codecNames[c])
	}
	return ""
}

// Name is the codec's name in SDP, in lower case.
func (c Codec) Name() string { return codecNames[c] }

// frameInfo is what a payload says of its frame, with where its counters lie.
type frameInfo struct {
	key     bool   // begins a key frame
	pic     uint16 // picture id
	tl0     uint8
	keyIdx  uint8
	picAt   uint8 // offset in the payload, 0 = none
	tl0At   uint8
	keyAt   uint8
	picLong bool // 15 bits
	counted bool // pic is known
	// Layers within the stream; scalable says that the sender tells of them.
	scalable bool
	sid, tid uint8 // spatial and temporal, 0 is the base
	sync     bool  // of this temporal layer: needs none but those below
	end      bool  // the last packet of its spatial layer's picture
}

// inspect reads the beginning of a payload, and its dependency descriptor for
// codecs that say nothing themselves. It trusts nothing in it. known is what
// the stream's descriptors have told before; nil when there are none.
func inspect(c Codec, b []byte, dependency []byte, known *structure) frameInfo {
	switch c {
	case VP8:
		return inspectVP8(b)
	case VP9:
		return inspectVP9(b)
	case H264:
		return frameInfo{key: keyH264(b)}
	case AV1:
		return inspectAV1(b, dependency, known)
	}
	return frameInfo{}
}

// inspectVP8 reads the payload descriptor (RFC 7741 §4.2).
func inspectVP8(b []byte) (f frameInfo) {
	if len(b) < 1 {
		return f
	}
	at, x := 1, b[0]
	if x&0x80 != 0 {
		if len(b) < 2 {
			return f
		}
		bits := b[1]
		at = 2
		if bits&0x80 != 0 {
			if len(b) < at+2 {
				return f
			}
			f.picAt, f.counted = uint8(at), true
			if f.picLong = b[at]&0x80 != 0; f.picLong {
				f.pic = binary.BigEndian.Uint16(b[at:]) & 0x7fff
				at += 2
			} else {
				f.pic = uint16(b[at])
				at++
			}
		}
		if bits&0x40 != 0 {
			if len(b) < at+1 {
				return frameInfo{}
			}
			f.tl0At, f.tl0 = uint8(at), b[at]
			at++
		}
		if bits&0x30 != 0 {
			if len(b) < at+1 {
				return frameInfo{}
			}
			if bits&0x10 != 0 {
				f.keyAt, f.keyIdx = uint8(at), b[at]&0x1f
			}
			if bits&0x20 != 0 {
				f.scalable, f.tid, f.sync = true, b[at]>>6, b[at]&0x20 != 0
			}
			at++
		}
	}
	// The start of the first partition, and its P bit.
	f.key = x&0x10 != 0 && x&0x07 == 0 && len(b) > at && b[at]&1 == 0
	return f
}

// inspectVP9 reads the payload descriptor (RFC 9628 §4.2).
func inspectVP9(b []byte) (f frameInfo) {
	if len(b) < 1 {
		return f
	}
	i, p, l, flex, begin := b[0]&0x80 != 0, b[0]&0x40 != 0, b[0]&0x20 != 0, b[0]&0x10 != 0, b[0]&0x08 != 0
	at := 1
	if i {
		if len(b) < 3 {
			return f
		}
		f.picAt, f.counted = 1, true
		if f.picLong = b[1]&0x80 != 0; f.picLong {
			f.pic = binary.BigEndian.Uint16(b[1:]) & 0x7fff
			at = 3
		} else {
			f.pic = uint16(b[1])
			at = 2
		}
	}
	spatial := uint8(0)
	if l {
		if len(b) < at+1 {
			return frameInfo{}
		}
		spatial = b[at] >> 1 & 7
		f.scalable, f.tid, f.sync, f.sid, f.end = true, b[at]>>5, b[at]&0x10 != 0, spatial, b[0]&0x04 != 0
		at++
		if !flex {
			if len(b) < at+1 {
				return frameInfo{}
			}
			f.tl0At, f.tl0 = uint8(at), b[at]
		}
	}
	f.key = !p && begin && spatial == 0
	return f
}

// keyH264 finds a sequence parameter set or an IDR slice (RFC 6184).
func keyH264(b []byte) bool {
	if len(b) < 2 {
		return false
	}
	switch kind := b[0] & 0x1f; kind {
	case 5, 7:
		return true
	case 24: // STAP-A
		for b = b[1:]; len(b) > 2; {
			n := int(binary.BigEndian.Uint16(b))
			if k := b[2] & 0x1f; k == 5 || k == 7 {
				return true
			}
			if n == 0 || len(b) < 2+n {
				return false
			}
			b = b[2+n:]
		}
	case 28: // FU-A: the start of the unit
		return b[1]&0x80 != 0 && (b[1]&0x1f == 5 || b[1]&0x1f == 7)
	}
	return false
}

// inspectAV1 reads the aggregation header and the dependency descriptor.
func inspectAV1(b, dependency []byte, known *structure) (f frameInfo) {
	f.key = len(b) > 0 && b[0]&0x08 != 0 // N: a new coded video sequence
	if known != nil {
		known.depend(dependency, &f)
	}
	return f
}

// primary takes the newest block out of a RED payload, nil when it is broken.
func primary(b []byte) []byte {
	skip := 0
	for len(b) > 0 && b[0]&0x80 != 0 {
		if len(b) < 4 {
			return nil
		}
		skip += int(binary.BigEndian.Uint16(b[2:]) & 0x3ff)
		b = b[4:]
	}
	if len(b) < 1 || len(b)-1 < skip {
		return nil
	}
	return b[1+skip:]
}
