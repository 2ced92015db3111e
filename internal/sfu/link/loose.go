package link

import "github.com/skein-im/skein/internal/im"

// Loose makes a link that has no wire: what is sent on it goes to sink, as it
// would be encrypted, valid during the call and with the link's lock held. It
// is for simulations, which bring packets by calling the Handler themselves.
// It is connected from the beginning, and there is nothing to close.
func Loose(clock im.Clock, sink func(packet []byte)) *Link {
	l := &Link{port: &Port{cfg: Config{Clock: clock}, began: clock.Now()}, sink: sink}
	l.ready.Store(true)
	return l
}

// offer gives a packet to the sink, if there is one.
func (l *Link) offer(p []byte) {
	if l.sink != nil {
		l.sink(p)
	}
}
