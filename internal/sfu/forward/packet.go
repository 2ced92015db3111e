// Package forward passes media on: what one participant sends, to all who
// subscribe, rewritten for each of them. It knows RTP and RTCP and nothing of
// rooms, names or signalling.
//
// The path of a packet is one goroutine's: it is decrypted and parsed once
// (Peer.RTP), waits for the rest of its frame (link.HoldTime at most), and is
// written to each subscriber with a new header and encrypted into the batch
// that goes out (Peer.Flush). There is no queue and no goroutine in between.
//
//   - Source is one incoming stream (one SSRC: an audio track, or one layer of
//     a simulcast one). It keeps the last second of packets, once, for all who
//     may ask for one again.
//   - Track is what a participant published: one Source a layer.
//   - Down is one subscriber's view of a Track. It decides which layer goes
//     out and rewrites numbers so that the receiver sees one stream without a
//     seam: sequence, timestamp, and the codec's own counters.
//   - Peer is both sides of one link: its Sources and Downs, RTCP, and the
//     division of the estimated bandwidth among the Downs.
//
// Locks, in the order in which they are taken: Peer.mu (what is received),
// Link's lock (what is sent to one subscriber), Source.ringMu. Nobody holds
// two links' locks.
package forward

import (
	"encoding/binary"

	"github.com/skein-im/skein/internal/sfu/link"
)

// Ext names a header extension that is understood or passed on.
type Ext uint8

// The extensions. Those from ExtAudioLevel on are copied to receivers that
// negotiated them; the first are the server's own business on each side.
const (
	extNone Ext = iota
	ExtMid
	ExtRid
	ExtRepairedRid
	ExtTWCC
	ExtAudioLevel
	ExtPlayoutDelay
	ExtDependency
	ExtCaptureTime
	ExtColorSpace
	numExt
)

const firstCopied = ExtAudioLevel

// extURIs are their names in SDP. How a picture is to be turned
// (urn:3gpp:video-orientation) is not among them, as with LiveKit: so whoever
// sends turns it themselves, and it is upright in a recording and for viewers who
// do not know that extension.
var extURIs = [numExt]string{
	ExtMid:          "urn:ietf:params:rtp-hdrext:sdes:mid",
	ExtRid:          "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
	ExtRepairedRid:  "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
	ExtTWCC:         "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
	ExtAudioLevel:   "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
	ExtPlayoutDelay: "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
	ExtDependency:   "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension",
	ExtCaptureTime:  "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time",
	ExtColorSpace:   "http://www.webrtc.org/experiments/rtp-hdrext/color-space",
}

// ExtOf finds an extension by its name in SDP.
func ExtOf(uri string) (Ext, bool) {
	for e, u := range extURIs {
		if u == uri && u != "" {
			return Ext(e), true
		}
	}
	return extNone, false
}

// ExtMap gives each extension's number on one link, 0 = not negotiated.
type ExtMap [numExt]uint8

// span is a part of a packet.
type span struct {
	off uint16
	n   uint8
}

// Packet is one RTP packet as it came. It is written once, before others see it.
type Packet struct {
	buf     *link.Buffer
	seq     uint16
	marker  bool
	pt      uint8
	ts      uint32
	ssrc    uint32
	arrival int64
	body    uint16 // where the payload begins
	end     uint16 // where it ends, padding not counted
	codec   Codec
	ext     [numExt]span
	frame   frameInfo
}

func (p *Packet) payload() []byte { return p.buf.B[p.body:p.end] }

func (p *Packet) extension(e Ext) []byte {
	s := p.ext[e]
	if s.n == 0 {
		return nil
	}
	return p.buf.B[s.off : s.off+uint16(s.n)]
}

// parse reads header and extensions; ids is the sender's numbering. It
// reports false for what is no RTP packet, whatever the bytes.
func (p *Packet) parse(b []byte, ids *[256]Ext) bool {
	if len(b) < 12 || b[0]>>6 != 2 {
		return false
	}
	p.marker, p.pt = b[1]&0x80 != 0, b[1]&0x7f
	p.seq = binary.BigEndian.Uint16(b[2:])
	p.ts = binary.BigEndian.Uint32(b[4:])
	p.ssrc = binary.BigEndian.Uint32(b[8:])
	off := 12 + 4*int(b[0]&0x0f)
	end := len(b)
	if off > end {
		return false
	}
	if b[0]&0x10 != 0 {
		if off+4 > end {
			return false
		}
		profile := binary.BigEndian.Uint16(b[off:])
		n := 4 * int(binary.BigEndian.Uint16(b[off+2:]))
		off += 4
		if off+n > end {
			return false
		}
		p.parseExtensions(b, off, off+n, profile, ids)
		off += n
	}
	if b[0]&0x20 != 0 {
		pad := int(b[end-1])
		if pad == 0 || off+pad > end {
			return false
		}
		end -= pad
	}
	p.body, p.end = uint16(off), uint16(end)
	return true
}

func (p *Packet) parseExtensions(b []byte, off, end int, profile uint16, ids *[256]Ext) {
	two := profile&0xfff0 == 0x1000
	if !two && profile != 0xbede {
		return
	}
	for off < end {
		id := b[off]
		if id == 0 { // padding
			off++
			continue
		}
		var n int
		if two {
			if off+2 > end {
				return
			}
			n = int(b[off+1])
			off += 2
		} else {
			id, n = b[off]>>4, int(b[off]&0x0f)+1
			if id == 15 {
				return
			}
			off++
		}
		if off+n > end {
			return
		}
		if e := ids[id]; e != extNone && n > 0 {
			p.ext[e] = span{uint16(off), uint8(n)}
		}
		off += n
	}
}

// outHeader is what differs from receiver to receiver.
type outHeader struct {
	marker bool
	pt     uint8
	seq    uint16
	ts     uint32
	ssrc   uint32
}

// extElement is one extension to write.
type extElement struct {
	id   uint8
	data []byte
}

// appendHeader writes an RTP header with extensions, in the two-byte form
// when one of them needs it.
func appendHeader(b []byte, h outHeader, exts []extElement) []byte {
	first, second := byte(0x80), h.pt
	if h.marker {
		second |= 0x80
	}
	if len(exts) > 0 {
		first |= 0x10
	}
	b = append(b, first, second)
	b = binary.BigEndian.AppendUint16(b, h.seq)
	b = binary.BigEndian.AppendUint32(b, h.ts)
	b = binary.BigEndian.AppendUint32(b, h.ssrc)
	if len(exts) == 0 {
		return b
	}
	two := false
	for _, e := range exts {
		if e.id > 14 || len(e.data) > 16 || len(e.data) == 0 {
			two = true
		}
	}
	at := len(b)
	if two {
		b = append(b, 0x10, 0x00, 0, 0)
	} else {
		b = append(b, 0xbe, 0xde, 0, 0)
	}
	for _, e := range exts {
		if two {
			b = append(b, e.id, byte(len(e.data)))
		} else {
			b = append(b, e.id<<4|byte(len(e.data)-1))
		}
		b = append(b, e.data...)
	}
	for (len(b)-at)%4 != 0 {
		b = append(b, 0)
	}
	binary.BigEndian.PutUint16(b[at+2:], uint16((len(b)-at)/4-1))
	return b
}

// URI is the extension's name in SDP.
func (e Ext) URI() string { return extURIs[e] }
