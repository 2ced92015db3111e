// Package sdp reads and writes as much of session descriptions (RFC 8866) as
// WebRTC clients and the SFU have to say to each other (RFC 8829). Reading
// takes any text without a panic, and bounds what it keeps; attributes that it
// does not know it skips.
package sdp

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Direction is who sends, seen from the writer of the description.
type Direction string

// The directions of RFC 3264 §5.1.
const (
	SendRecv Direction = "sendrecv"
	SendOnly Direction = "sendonly"
	RecvOnly Direction = "recvonly"
	Inactive Direction = "inactive"
)

// Sends reports whether the writer sends.
func (d Direction) Sends() bool { return d == SendRecv || d == SendOnly }

// Receives reports whether the writer receives.
func (d Direction) Receives() bool { return d == SendRecv || d == RecvOnly }

// Codec is one payload type of a section.
type Codec struct {
	PT       uint8
	Name     string // lower case: "opus", "red", "vp8", "h264", "rtx" …
	Clock    int    // Hz
	Channels int    // 0 where the description says none
	Fmtp     string
	Feedback []string // "nack pli", "transport-cc" …
}

// Apt is the payload type that an rtx codec repairs.
func (c Codec) Apt() (uint8, bool) {
	v, ok := c.Param("apt")
	n, err := strconv.ParseUint(v, 10, 7)
	return uint8(n), ok && err == nil
}

// Param finds a parameter of the fmtp line.
func (c Codec) Param(name string) (string, bool) {
	for _, p := range strings.Split(c.Fmtp, ";") {
		k, v, _ := strings.Cut(strings.TrimSpace(p), "=")
		if strings.EqualFold(k, name) {
			return v, true
		}
	}
	return "", false
}

// Ext is a header extension (RFC 8285).
type Ext struct {
	ID  uint8
	URI string
}

// Media is one m-section of a client.
type Media struct {
	Kind        string // "audio", "video", "application"
	Mid         string
	Rejected    bool
	Dir         Direction
	Codecs      []Codec
	Exts        []Ext
	Stream      string // first half of msid
	Track       string // second half
	SSRCs       []uint32
	RTX         map[uint32]uint32 // media SSRC -> SSRC of its repair
	Rids        []string          // simulcast layers that the client sends, in its order
	Ufrag, Pwd  string
	Fingerprint string
	Setup       string // "actpass", "active", "passive"
	SCTPPort    int
}

// ExtID finds the number of an extension; 0 = not negotiated.
func (m *Media) ExtID(uri string) uint8 {
	for _, e := range m.Exts {
		if e.URI == uri {
			return e.ID
		}
	}
	return 0
}

// Session is a client's description.
type Session struct {
	Media      []*Media
	AllowMixed bool // one- and two-byte header extensions may be mixed
}

// What a description may hold at most.
const (
	maxBytes = 1 << 20
	maxMedia = 512
	maxItems = 128 // codecs, extensions, SSRCs of a section
)

// Errors of Parse.
var (
	ErrTooLong = errors.New("the description is too long")
	ErrNoMedia = errors.New("the description has no media")
)

// Parse reads a description.
func Parse(text string) (*Session, error) {
	if len(text) > maxBytes {
		return nil, ErrTooLong
	}
	s := &Session{}
	common := &Media{} // what is said once for all sections
	cur := common
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if len(line) < 2 || line[1] != '=' {
			continue
		}
		switch line[0] {
		case 'm':
			if len(s.Media) == maxMedia {
				return nil, ErrTooLong
			}
			m, err := parseMedia(line[2:])
			if err != nil {
				return nil, err
			}
			m.Ufrag, m.Pwd, m.Fingerprint, m.Setup = common.Ufrag, common.Pwd, common.Fingerprint, common.Setup
			s.Media = append(s.Media, m)
			cur = m
		case 'a':
			name, value, _ := strings.Cut(line[2:], ":")
			if name == "extmap-allow-mixed" {
				s.AllowMixed = true
			}
			cur.attribute(name, value)
		}
	}
	if len(s.Media) == 0 {
		return nil, ErrNoMedia
	}
	for _, m := range s.Media {
		m.Codecs = slices.DeleteFunc(m.Codecs, func(c Codec) bool { return c.Name == "" })
	}
	return s, nil
}

func parseMedia(v string) (*Media, error) {
	f := strings.Fields(v)
	if len(f) < 3 {
		return nil, fmt.Errorf("the description has a broken line m=%.40q", v)
	}
	m := &Media{Kind: f[0], Rejected: f[1] == "0", Dir: SendRecv}
	if m.Kind != "audio" && m.Kind != "video" {
		return m, nil
	}
	for _, p := range f[3:] {
		if n, err := strconv.ParseUint(p, 10, 7); err == nil && len(m.Codecs) < maxItems {
			m.Codecs = append(m.Codecs, Codec{PT: uint8(n)})
		}
	}
	return m, nil
}

func (m *Media) codec(pt string) *Codec {
	n, err := strconv.ParseUint(pt, 10, 7)
	if err != nil {
		return nil
	}
	for i := range m.Codecs {
		if m.Codecs[i].PT == uint8(n) {
			return &m.Codecs[i]
		}
	}
	return nil
}

func (m *Media) attribute(name, value string) {
	switch name {
	case "mid":
		m.Mid = value
	case "sendrecv", "sendonly", "recvonly", "inactive":
		m.Dir = Direction(name)
	case "bundle-only":
		m.Rejected = false
	case "ice-ufrag":
		m.Ufrag = value
	case "ice-pwd":
		m.Pwd = value
	case "fingerprint":
		if m.Fingerprint == "" || strings.HasPrefix(strings.ToLower(value), "sha-256") {
			m.Fingerprint = value
		}
	case "setup":
		m.Setup = value
	case "sctp-port":
		m.SCTPPort, _ = strconv.Atoi(value)
	case "msid":
		m.Stream, m.Track, _ = strings.Cut(value, " ")
	case "rid":
		if f := strings.Fields(value); len(f) >= 2 && f[1] == "send" && len(m.Rids) < 8 {
			m.Rids = append(m.Rids, f[0])
		}
	case "extmap":
		f := strings.Fields(value)
		if len(f) < 2 || len(m.Exts) >= maxItems {
			return
		}
		id, _, _ := strings.Cut(f[0], "/")
		if n, err := strconv.ParseUint(id, 10, 8); err == nil && n > 0 {
			m.Exts = append(m.Exts, Ext{ID: uint8(n), URI: f[1]})
		}
	case "rtpmap", "fmtp", "rtcp-fb":
		m.codecAttribute(name, value)
	case "ssrc", "ssrc-group":
		m.ssrcAttribute(name, value)
	}
}

func (m *Media) codecAttribute(name, value string) {
	pt, rest, _ := strings.Cut(value, " ")
	if name == "rtcp-fb" && pt == "*" {
		for i := range m.Codecs {
			m.Codecs[i].Feedback = append(m.Codecs[i].Feedback, rest)
		}
		return
	}
	c := m.codec(pt)
	if c == nil {
		return
	}
	switch name {
	case "rtpmap":
		f := strings.Split(rest, "/")
		c.Name = strings.ToLower(f[0])
		if len(f) > 1 {
			c.Clock, _ = strconv.Atoi(f[1])
		}
		if len(f) > 2 {
			c.Channels, _ = strconv.Atoi(f[2])
		}
	case "fmtp":
		c.Fmtp = rest
	case "rtcp-fb":
		if len(c.Feedback) < maxItems {
			c.Feedback = append(c.Feedback, rest)
		}
	}
}

func (m *Media) ssrcAttribute(name, value string) {
	f := strings.Fields(value)
	if name == "ssrc" {
		if len(f) == 0 || len(m.SSRCs) >= maxItems {
			return
		}
		if n, err := strconv.ParseUint(f[0], 10, 32); err == nil && !slices.Contains(m.SSRCs, uint32(n)) {
			m.SSRCs = append(m.SSRCs, uint32(n))
		}
		if len(f) > 1 && m.Track == "" { // the form before Unified Plan
			if stream, track, ok := strings.Cut(strings.TrimPrefix(strings.Join(f[1:], " "), "msid:"), " "); ok && strings.HasPrefix(f[1], "msid:") {
				m.Stream, m.Track = stream, track
			}
		}
		return
	}
	if len(f) == 3 && f[0] == "FID" && len(m.RTX) < maxItems {
		a, err1 := strconv.ParseUint(f[1], 10, 32)
		b, err2 := strconv.ParseUint(f[2], 10, 32)
		if err1 == nil && err2 == nil {
			if m.RTX == nil {
				m.RTX = map[uint32]uint32{}
			}
			m.RTX[uint32(a)] = uint32(b)
		}
	}
}

// Main are the SSRCs of media, without those that repair.
func (m *Media) Main() []uint32 {
	repairs := map[uint32]bool{}
	for _, r := range m.RTX {
		repairs[r] = true
	}
	var out []uint32
	for _, s := range m.SSRCs {
		if !repairs[s] {
			out = append(out, s)
		}
	}
	return out
}
