package sdp

import (
	"fmt"
	"net/netip"
	"strings"
)

// Candidate is one of the server's addresses.
type Candidate struct {
	Addr     netip.AddrPort
	TCP      bool
	Priority uint32
}

// Local is what the server says of itself, once for all sections.
type Local struct {
	ID          uint64 // of the session, and Version of this description
	Version     uint64
	Ufrag, Pwd  string
	Fingerprint string
	Setup       string
	Candidates  []Candidate
	AllowMixed  bool
	MaxMessage  int // of data channels, bytes
}

// Section is one m-section of the server.
type Section struct {
	Kind     string
	Mid      string
	Rejected bool
	Dir      Direction
	Codecs   []Codec
	Exts     []Ext
	Stream   string // msid, when the server sends
	Track    string
	SSRC     uint32
	RTXSSRC  uint32   // 0 = none
	Rids     []string // layers that the server receives
	SCTPPort int
}

// Write makes the text of a description with everything in one bundle.
func Write(l Local, sections []Section) string {
	var b strings.Builder
	fmt.Fprintf(&b, "v=0\r\no=- %d %d IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=ice-lite\r\na=fingerprint:%s\r\n", l.ID, l.Version, l.Fingerprint)
	if l.AllowMixed {
		b.WriteString("a=extmap-allow-mixed\r\n")
	}
	b.WriteString("a=msid-semantic:WMS *\r\na=group:BUNDLE")
	for _, s := range sections {
		if !s.Rejected {
			b.WriteString(" " + s.Mid)
		}
	}
	b.WriteString("\r\n")
	for i := range sections {
		sections[i].write(&b, l)
	}
	return b.String()
}

func (s *Section) write(b *strings.Builder, l Local) {
	port := 9
	if s.Rejected {
		port = 0
	}
	if s.Kind == "application" {
		fmt.Fprintf(b, "m=application %d UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n", port)
	} else {
		fmt.Fprintf(b, "m=%s %d UDP/TLS/RTP/SAVPF", s.Kind, port)
		for _, c := range s.Codecs {
			fmt.Fprintf(b, " %d", c.PT)
		}
		if len(s.Codecs) == 0 {
			b.WriteString(" 0")
		}
		b.WriteString("\r\nc=IN IP4 0.0.0.0\r\n")
	}
	fmt.Fprintf(b, "a=mid:%s\r\n", s.Mid)
	if s.Rejected {
		b.WriteString("a=inactive\r\n")
		return
	}
	fmt.Fprintf(b, "a=setup:%s\r\na=ice-ufrag:%s\r\na=ice-pwd:%s\r\n", l.Setup, l.Ufrag, l.Pwd)
	for i, c := range l.Candidates {
		if c.TCP {
			fmt.Fprintf(b, "a=candidate:%d 1 tcp %d %s %d typ host tcptype passive\r\n", i+1, c.Priority, c.Addr.Addr(), c.Addr.Port())
		} else {
			fmt.Fprintf(b, "a=candidate:%d 1 udp %d %s %d typ host\r\n", i+1, c.Priority, c.Addr.Addr(), c.Addr.Port())
		}
	}
	b.WriteString("a=end-of-candidates\r\n")
	if s.Kind == "application" {
		fmt.Fprintf(b, "a=sctp-port:%d\r\na=max-message-size:%d\r\n", s.SCTPPort, l.MaxMessage)
		return
	}
	fmt.Fprintf(b, "a=rtcp-mux\r\na=rtcp-rsize\r\na=%s\r\n", s.Dir)
	for _, c := range s.Codecs {
		c.write(b)
	}
	for _, e := range s.Exts {
		fmt.Fprintf(b, "a=extmap:%d %s\r\n", e.ID, e.URI)
	}
	for _, r := range s.Rids {
		fmt.Fprintf(b, "a=rid:%s recv\r\n", r)
	}
	if len(s.Rids) > 0 {
		fmt.Fprintf(b, "a=simulcast:recv %s\r\n", strings.Join(s.Rids, ";"))
	}
	if s.Dir.Sends() && s.SSRC != 0 {
		fmt.Fprintf(b, "a=msid:%s %s\r\n", s.Stream, s.Track)
		if s.RTXSSRC != 0 {
			fmt.Fprintf(b, "a=ssrc-group:FID %d %d\r\n", s.SSRC, s.RTXSSRC)
		}
		for _, ssrc := range []uint32{s.SSRC, s.RTXSSRC} {
			if ssrc != 0 {
				fmt.Fprintf(b, "a=ssrc:%d cname:%s\r\na=ssrc:%d msid:%s %s\r\n", ssrc, s.Stream, ssrc, s.Stream, s.Track)
			}
		}
	}
}

func (c Codec) write(b *strings.Builder) {
	name := c.Name
	switch name {
	case "vp8", "vp9", "h264", "h265", "av1":
		name = strings.ToUpper(name)
	}
	fmt.Fprintf(b, "a=rtpmap:%d %s/%d", c.PT, name, c.Clock)
	if c.Channels > 1 {
		fmt.Fprintf(b, "/%d", c.Channels)
	}
	b.WriteString("\r\n")
	if c.Fmtp != "" {
		fmt.Fprintf(b, "a=fmtp:%d %s\r\n", c.PT, c.Fmtp)
	}
	for _, f := range c.Feedback {
		fmt.Fprintf(b, "a=rtcp-fb:%d %s\r\n", c.PT, f)
	}
}
