package sdp

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

const offer = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1 2\r\na=extmap-allow-mixed\r\n" +
	"a=fingerprint:sha-256 AA:BB\r\na=setup:actpass\r\n" +
	"m=audio 9 UDP/TLS/RTP/SAVPF 111 63\r\na=mid:0\r\na=ice-ufrag:u\r\na=ice-pwd:p\r\na=sendonly\r\na=msid:s t\r\na=rtpmap:111 opus/48000/2\r\n" +
	"a=fmtp:111 minptime=10;useinbandfec=1\r\na=rtpmap:63 red/48000/2\r\na=fmtp:63 111/111\r\na=ssrc:77 cname:x\r\n" +
	"m=video 0 UDP/TLS/RTP/SAVPF 96 97 98\r\na=bundle-only\r\na=mid:1\r\na=rtpmap:96 VP8/90000\r\na=rtcp-fb:* nack pli\r\na=rtpmap:97 rtx/90000\r\n" +
	"a=fmtp:97 apt=96\r\na=rid:q send\r\na=rid:f send max-width=10\r\na=rid:x recv\r\na=simulcast:send q;f\r\na=extmap:4/sendonly urn:x\r\n" +
	"a=ssrc-group:FID 1 2\r\na=ssrc:1 msid:a b\r\na=ssrc:2 cname:x\r\n" +
	"m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:2\r\na=sctp-port:5000\r\n"

func TestAnOfferIsRead(t *testing.T) {
	s, err := Parse(offer)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Media) != 3 || !s.AllowMixed {
		t.Fatalf("got %+v", s)
	}
	a, v, d := s.Media[0], s.Media[1], s.Media[2]
	if a.Mid != "0" || a.Dir != SendOnly || a.Stream != "s" || a.Track != "t" || a.Ufrag != "u" || a.Pwd != "p" || a.Setup != "actpass" ||
		a.Fingerprint != "sha-256 AA:BB" || len(a.Codecs) != 2 || a.Codecs[0].Channels != 2 || a.Codecs[1].Name != "red" {
		t.Errorf("audio: %+v", a)
	}
	if apt, ok := v.Codecs[1].Apt(); v.Rejected || len(v.Codecs) != 2 || !ok || apt != 96 || !slices.Equal(v.Rids, []string{"q", "f"}) ||
		v.ExtID("urn:x") != 4 || v.RTX[1] != 2 || !slices.Equal(v.Main(), []uint32{1}) || v.Track != "b" || v.Codecs[0].Feedback[0] != "nack pli" {
		t.Errorf("video: %+v", v)
	}
	if d.Kind != "application" || d.SCTPPort != 5000 {
		t.Errorf("data: %+v", d)
	}
}

func TestWhatIsWrittenCanBeRead(t *testing.T) {
	l := Local{Ufrag: "u", Pwd: "p", Fingerprint: "sha-256 AA", Setup: "passive", MaxMessage: 10, AllowMixed: true,
		Candidates: []Candidate{{Addr: netip.MustParseAddrPort("[::1]:7")}, {Addr: netip.MustParseAddrPort("1.2.3.4:7"), TCP: true}}}
	text := Write(l, []Section{
		{Kind: "video", Mid: "0", Dir: SendOnly, Codecs: []Codec{{PT: 96, Name: "vp8", Clock: 90000, Feedback: []string{"nack"}}}, Stream: "s", Track: "t", SSRC: 5, RTXSSRC: 6},
		{Kind: "video", Mid: "1", Dir: RecvOnly, Codecs: []Codec{{PT: 96, Name: "vp8", Clock: 90000}}, Rids: []string{"q", "h"}},
		{Kind: "audio", Mid: "2", Rejected: true},
		{Kind: "application", Mid: "3", SCTPPort: 5000},
	})
	s, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if v := s.Media[0]; v.RTX[5] != 6 || v.Track != "t" || v.Ufrag != "u" || v.Codecs[0].Name != "vp8" || v.Fingerprint != "sha-256 AA" {
		t.Errorf("got %+v", v)
	}
	if !s.Media[2].Rejected || s.Media[1].Rejected || s.Media[3].SCTPPort != 5000 {
		t.Errorf("got %s", text)
	}
	for _, want := range []string{"a=ice-lite", "a=group:BUNDLE 0 1 3\r\n", "a=simulcast:recv q;h", "udp 0 ::1 7 typ host", "1.2.3.4 7 typ host tcptype passive", "VP8/90000", "max-message-size:10"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in %s", want, text)
		}
	}
}

func FuzzSDP(f *testing.F) {
	f.Add(offer)
	f.Add("m=audio 9 x 1\r\na=rtpmap:1 /\r\na=ssrc:1 msid:\r\na=fmtp:1 apt\r\na=extmap: \r\n")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse(text)
		if err != nil {
			return
		}
		for _, m := range s.Media {
			m.Main()
			for _, c := range m.Codecs {
				c.Apt()
			}
		}
	})
}
