package sfu

import (
	"testing"

	"github.com/skein-im/skein/internal/sfu/forward"
	"github.com/skein-im/skein/proto/livekit"
)

func TestWhatAViewerCanDecodeDecidesWhichEncodingItGets(t *testing.T) {
	payloads := func(codecs ...forward.Codec) (x forward.Payloads) {
		for i, c := range codecs {
			x.Media[c] = uint8(96 + i)
		}
		return x
	}
	for _, test := range []struct {
		name   string
		codecs []string // announced
		sent   bool     // the second one is on its way
		can    forward.Payloads
		ok     bool
		want   string // first, second, or nothing yet
	}{
		{"both", []string{"vp9", "vp8"}, true, payloads(forward.VP8, forward.VP9), true, "first"},
		{"the second alone", []string{"vp9", "vp8"}, true, payloads(forward.VP8), true, "second"},
		{"the second alone, not sent yet", []string{"vp9", "vp8"}, false, payloads(forward.VP8), true, ""},
		{"neither", []string{"vp9", "vp8"}, true, payloads(forward.H264), false, ""},
		{"not the only one", []string{"av1"}, false, payloads(forward.VP8), false, ""},
		{"the only one", []string{"av1"}, false, payloads(forward.AV1), true, "first"},
		{"the same codec twice", []string{"vp8", "vp8"}, false, payloads(forward.H264), false, ""},
	} {
		var codecs []*livekit.SimulcastCodec
		for _, c := range test.codecs {
			codecs = append(codecs, &livekit.SimulcastCodec{Codec: c})
		}
		first, _ := forward.CodecOf(test.codecs[0])
		p := &published{track: forward.NewTrack(true), info: &livekit.TrackInfo{MimeType: first.Mime()}}
		p.announceBackup(codecs)
		if test.sent {
			p.addBackup(&livekit.AddTrackRequest{Cid: "second"})
			p.backup.bound = true
		}
		track, ok := p.trackFor(test.can)
		got := ""
		switch {
		case track == p.track:
			got = "first"
		case track != nil && track == p.backup.track:
			got = "second"
		}
		if ok != test.ok || got != test.want {
			t.Errorf("%s: the %q, %t", test.name, got, ok)
		}
		if needed := p.backup.want() >= -1 && p.backup != nil && p.backup.needed; needed != (test.want == "second" || test.ok && got == "") {
			t.Errorf("%s: the second one is needed: %t", test.name, needed)
		}
	}
}
