package bustest

import (
	"math/rand/v2"
	"slices"
	"sync"
)

// Network carries messages between the relays of one process. It delivers at
// once, on the publisher's goroutine, so that a run in which nothing else is
// concurrent repeats exactly.
type Network struct {
	mu     sync.Mutex // guards the rest
	subs   map[string][]*subscription
	down   bool
	faults Faults
	rng    *rand.Rand
	count  int
	links  []*NetworkLink
}

type subscription struct {
	link *NetworkLink
	mu   sync.Mutex // held while fn runs; guards ended and held
	fn   func([]byte)
	gone bool
	held []byte // comes after the next one
}

// NewNetwork makes a network that loses nothing.
func NewNetwork() *Network { return &Network{subs: make(map[string][]*subscription)} }

// Spoil makes the network drop, repeat and reorder messages from now on, for
// each receiver on its own.
func (n *Network) Spoil(f Faults) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.faults, n.rng = f, rand.New(rand.NewPCG(f.Seed, 7))
}

// Cut makes every message vanish until it is called with false; then every link
// is told that it is restored.
func (n *Network) Cut(down bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down = down
	if !down {
		for _, l := range n.links {
			select {
			case l.restored <- struct{}{}:
			default:
			}
		}
	}
}

// Subscriptions is how many there are, over all nodes.
func (n *Network) Subscriptions() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.count
}

// Link returns a node's end of the network.
func (n *Network) Link() *NetworkLink {
	l := &NetworkLink{n: n, restored: make(chan struct{}, 1)}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.links = append(n.links, l)
	return l
}

// NetworkLink is a relay.Link.
type NetworkLink struct {
	n        *Network
	restored chan struct{}
}

// MaxMessage implements relay.Link; it is small, so that tests see what does
// not fit.
func (l *NetworkLink) MaxMessage() int { return 64 << 10 }

// Restored implements relay.Link.
func (l *NetworkLink) Restored() <-chan struct{} { return l.restored }

// Subscribe implements relay.Link.
func (l *NetworkLink) Subscribe(subject string, fn func([]byte)) (off func(), err error) {
	s := &subscription{link: l, fn: fn}
	l.n.mu.Lock()
	l.n.subs[subject] = append(slices.Clone(l.n.subs[subject]), s)
	l.n.count++
	l.n.mu.Unlock()
	return func() {
		l.n.mu.Lock()
		left := slices.DeleteFunc(slices.Clone(l.n.subs[subject]), func(o *subscription) bool { return o == s })
		l.n.count -= len(l.n.subs[subject]) - len(left)
		l.n.subs[subject] = left
		l.n.mu.Unlock()
		s.mu.Lock()
		s.gone = true
		s.mu.Unlock()
	}, nil
}

// Publish implements relay.Link.
func (l *NetworkLink) Publish(subject string, message []byte) {
	type dose struct {
		s                  *subscription
		drop, repeat, swap bool
	}
	var doses []dose
	l.n.mu.Lock()
	if !l.n.down {
		for _, s := range l.n.subs[subject] {
			if s.link == l {
				continue
			}
			d := dose{s: s}
			if r := l.n.rng; r != nil {
				d.drop, d.repeat, d.swap = r.Float64() < l.n.faults.Drop, r.Float64() < l.n.faults.Repeat, r.Float64() < l.n.faults.Swap
			}
			doses = append(doses, d)
		}
	}
	l.n.mu.Unlock()
	for _, d := range doses {
		d.s.take(slices.Clone(message), d.drop, d.repeat, d.swap)
	}
}

func (s *subscription) take(m []byte, drop, repeat, swap bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.gone || drop:
		return
	case swap && s.held == nil:
		s.held = m
		return
	}
	s.fn(m)
	if repeat {
		s.fn(slices.Clone(m))
	}
	if late := s.held; late != nil {
		s.held = nil
		s.fn(late)
	}
}
