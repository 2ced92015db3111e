package forward

import (
	"bytes"
	"testing"

	"github.com/skein-im/skein/internal/sfu/link"
)

func TestSoundIsRepeatedAsItWentOutOnceSomebodyMissesIt(t *testing.T) {
	_, viewer, _, _ := stage()
	d := &Down{Track: NewTrack(false), peer: viewer, ssrc: 5}
	var out link.Batch
	if d.repeat(7, 1e9, &out) || d.sound == nil {
		t.Fatal("what was not kept was repeated, or nothing is kept from then on")
	}
	for seq := uint16(0); seq < 3*echoes; seq++ {
		d.sound.keep(seq, []byte{byte(seq), 1, 2})
	}
	d.sound.keep(3*echoes, bytes.Repeat([]byte{1}, maxEchoSize+1))
	last := uint16(3*echoes - 1)
	for _, test := range []struct {
		name string
		seq  uint16
		at   int64
		want bool
	}{
		{"the newest", last, 1e9, true},
		{"at once again", last, 1e9 + echoWait/2, false},
		{"later", last, 1e9 + 2*echoWait, true},
		{"one of long ago", last - echoes, 1e9, false},
		{"one to come", last + 5, 1e9, false},
		{"one that was too large", last + 1, 1e9, false},
	} {
		if got := d.repeat(test.seq, test.at, &out); got != test.want {
			t.Errorf("%s: repeated %t", test.name, got)
		}
	}
}
