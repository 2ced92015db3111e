package chaos

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"
)

// Link is what a cable does to what goes one way. The zero value passes
// everything at once.
type Link struct {
	Cut           bool
	Loss, Twice   float64 // shares of packets that are dropped, or come twice
	Delay, Jitter time.Duration
}

// Traffic counts packets.
type Traffic struct{ Passed, Cut, Lost, Delayed, Twice int64 }

// Switch connects Spaces and can do to packets what bad networks do, each way
// by itself. The kernel that this must run on has no netem. Packets that are
// delayed by a random time overtake each other.
type Switch struct {
	Spaces []*Space

	at map[[4]byte]*Space
	wg sync.WaitGroup

	mu    sync.Mutex // guards the rest
	rng   *rand.Rand
	links map[[2]*Space]Link
	n     Traffic
}

// newSwitch makes namespaces with the addresses 10.99.0.1, .2 and so on.
// The seed decides which packets are lost and how long others take.
func newSwitch(seed uint64, names ...string) (*Switch, error) {
	w := &Switch{at: map[[4]byte]*Space{}, rng: rand.New(rand.NewPCG(seed, 0)), links: map[[2]*Space]Link{}}
	for i, name := range names {
		s, err := newSpace(name, byte(i+1))
		if err != nil {
			return nil, errors.Join(err, w.Close())
		}
		w.Spaces = append(w.Spaces, s)
		w.at[[4]byte{10, 99, 0, byte(i + 1)}] = s
	}
	for _, s := range w.Spaces {
		w.wg.Add(1)
		go func() { defer w.wg.Done(); w.carry(s) }() // ends when the cable is closed
	}
	return w, nil
}

// Close pulls all cables.
func (w *Switch) Close() error {
	var errs []error
	for _, s := range w.Spaces {
		errs = append(errs, s.close())
	}
	w.wg.Wait()
	return errors.Join(errs...)
}

// carry passes on what a machine sends.
func (w *Switch) carry(from *Space) {
	packet := make([]byte, 1<<16)
	for {
		n, err := from.tun.Read(packet)
		if err != nil {
			return
		}
		if n < 20 || packet[0]>>4 != 4 {
			continue // what a kernel says of itself over IPv6
		}
		if to := w.at[[4]byte(packet[16:20])]; to != nil {
			w.pass(from, to, packet[:n])
		}
	}
}

// pass does to one packet what its link does.
func (w *Switch) pass(from, to *Space, packet []byte) {
	w.mu.Lock()
	l := w.links[[2]*Space{from, to}]
	times, after := 1, time.Duration(0)
	switch {
	case l.Cut:
		w.n.Cut++
		times = 0
	case l.Loss > 0 && w.rng.Float64() < l.Loss:
		w.n.Lost++
		times = 0
	default:
		w.n.Passed++
		if l.Twice > 0 && w.rng.Float64() < l.Twice {
			w.n.Twice++
			times = 2
		}
		if l.Delay > 0 {
			w.n.Delayed++
			after = l.Delay + time.Duration((2*w.rng.Float64()-1)*float64(l.Jitter))
		}
	}
	w.mu.Unlock()
	for range times {
		if after <= 0 {
			to.tun.Write(packet) // a full queue drops it, as a cable would
			continue
		}
		late := append([]byte(nil), packet...)
		time.AfterFunc(after, func() { to.tun.Write(late) }) // a pulled cable drops it
	}
}

// Set gives the way from every one of a to every one of b a quality.
func (w *Switch) Set(a, b []*Space, l Link) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, from := range a {
		for _, to := range b {
			if from != to {
				w.links[[2]*Space{from, to}] = l
			}
		}
	}
}

// Both is Set in both directions.
func (w *Switch) Both(a, b []*Space, l Link) {
	w.Set(a, b, l)
	w.Set(b, a, l)
}

// Heal lets everything pass again.
func (w *Switch) Heal() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.links)
}

// Traffic is what was done so far.
func (w *Switch) Traffic() Traffic {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.n
}

// String tells what is wrong at the moment.
func (w *Switch) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []string
	for ends, l := range w.links {
		all = append(all, fmt.Sprintf("%s>%s %+v", ends[0].Name, ends[1].Name, l))
	}
	return strings.Join(all, ", ")
}
