package forward

import (
	"testing"

	"github.com/skein-im/skein/internal/sfu/link"
)

// A packet that waits for the rest of its frame is forwarded whatever comes
// after it: the ring of repairs may have let go of it by then.
func TestWhatWaitsToBeForwardedOutlivesItsPlaceInTheRing(t *testing.T) {
	const began = int64(1e9)
	open := func(ssrc uint32, seq uint16) *link.Buffer { // of a frame that goes on
		b := rtpOf(ssrc, seq, 3000, true, 600)
		b.B[1] &^= 0x80
		return b
	}
	for name, then := range map[string]func(sender *Peer, track *Track, out *link.Batch){
		"a number that takes its place": func(sender *Peer, _ *Track, _ *link.Batch) {
			sender.RTP(began, rtpOf(10, 1+ringSize, 3000, false, 600))
		},
		"the next one after a standstill": func(sender *Peer, _ *Track, out *link.Batch) {
			if !sender.Flush(began, out, false) {
				t.Fatal("the frame did not wait for its end")
			}
			sender.RTP(began+5*ringAge, rtpOf(10, 2, 3000, false, 600))
		},
		"the stream anew": func(sender *Peer, track *Track, _ *link.Batch) {
			sender.mu.Lock()
			sender.bindLocked(track, Layer{Rid: "q", Index: 0}, 77)
			sender.mu.Unlock()
			sender.RTP(began, rtpOf(77, 1, 3000, true, 600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			sender, _, track, d := stage()
			other := &Down{Track: track, peer: peer(), ssrc: 97}
			other.layer.Store(-1)
			track.addDown(other)
			d.target.Store(0)
			var out link.Batch
			sender.RTP(began, open(10, 1))
			then(sender, track, &out)
			sender.Flush(began+5*ringAge, &out, true)
			if got := d.munger.outSeq; d.current == nil || got == 0 {
				t.Errorf("nothing was forwarded: layer %d, number %d", d.Layer(), got)
			}
			s := track.layerOf(0)
			if len(s.pending)+len(s.outlive) > 0 {
				t.Errorf("%d packets still wait, %d are kept for it", len(s.pending), len(s.outlive))
			}
			sender.StopReceiving(track)
		})
	}
}
