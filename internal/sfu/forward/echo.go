package forward

import "github.com/skein-im/skein/internal/sfu/link"

// How audio is repeated.
const (
	echoes      = 64          // packets that are kept: 1.3 s of the usual 20 ms
	echoWait    = 20_000_000  // ns before one packet is repeated again, at the least
	soundAge    = 250_000_000 // ns after which a sender is not asked for audio any more
	maxEchoSize = 1200        // bytes of a packet that is kept
)

// echo keeps the newest packets of an audio stream as they went out. Audio has
// no stream for repairs, so that what is sent again has to be the very same
// bytes: encrypted once more, one nonce would be used for two contents. The
// subscriber's link lock guards it.
type echo struct {
	at     [echoes]int64 // when it was last repeated
	seq    [echoes]uint16
	packet [echoes][]byte
}

func (e *echo) keep(seq uint16, sent []byte) {
	i := seq % echoes
	if len(sent) == 0 || len(sent) > maxEchoSize {
		e.packet[i] = e.packet[i][:0]
		return
	}
	e.seq[i], e.at[i] = seq, 0
	e.packet[i] = append(e.packet[i][:0], sent...)
}

// repeat sends a packet again. Who asks for the first time gets nothing yet:
// what is kept costs memory, and on a good network nobody asks.
func (d *Down) repeat(seq uint16, now int64, out *link.Batch) bool {
	if d.sound == nil {
		d.sound = &echo{}
		return false
	}
	e, i := d.sound, seq%echoes
	if e.seq[i] != seq || len(e.packet[i]) == 0 || e.at[i] != 0 && now-e.at[i] < max(echoWait, d.peer.sender.rtt/2) {
		return false
	}
	e.at[i] = now
	out.Again(d.peer.Link, e.packet[i])
	return true
}
