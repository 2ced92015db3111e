package chaos

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
)

// lossyBus stands between nodes and a NATS server. It understands as much of
// the protocol as it takes to see where a message begins and ends, and drops,
// repeats and holds back whole messages on their way to a node. What a bus
// carries are hints, so that nothing of this may matter.
type lossyBus struct {
	ln net.Listener
	to string
	wg sync.WaitGroup

	mu                sync.Mutex // guards the rest
	rng               *rand.Rand
	drop, twice, late float64
	n                 lossyCounts
	conns             map[net.Conn]struct{}
	closed            bool
}

type lossyCounts struct{ passed, dropped, repeated, moved int64 }

// newLossyBus listens for nodes, in front of the server at an address. It
// passes everything on until Lose is called.
func newLossyBus(to string, seed uint64) (*lossyBus, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	b := &lossyBus{ln: ln, to: to, rng: rand.New(rand.NewPCG(seed, 3)), conns: map[net.Conn]struct{}{}}
	b.wg.Add(1)
	go b.accept()
	return b, nil
}

// Addr is where nodes connect.
func (b *lossyBus) Addr() string { return b.ln.Addr().String() }

// Lose sets the shares of messages that are dropped, come twice, or come
// behind the one after them.
func (b *lossyBus) Lose(drop, twice, late float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.drop, b.twice, b.late = drop, twice, late
}

// add adds what was done to n.
func (b *lossyBus) add(n *lossyCounts) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n.passed, n.dropped, n.repeated, n.moved = n.passed+b.n.passed, n.dropped+b.n.dropped, n.repeated+b.n.repeated, n.moved+b.n.moved
}

// Close ends every connection.
func (b *lossyBus) Close() error {
	err := b.ln.Close()
	b.mu.Lock()
	b.closed = true
	for c := range b.conns {
		c.Close()
	}
	b.mu.Unlock()
	b.wg.Wait()
	return err
}

func (b *lossyBus) accept() {
	defer b.wg.Done()
	for {
		node, err := b.ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		b.wg.Add(1)
		go func() { defer b.wg.Done(); b.carry(node) }()
	}
}

// hold notes a connection that Close has to end.
func (b *lossyBus) hold(c net.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.conns[c] = struct{}{}; b.closed {
		c.Close()
	}
}

func (b *lossyBus) carry(node net.Conn) {
	defer node.Close()
	srv, err := new(net.Dialer).DialContext(context.Background(), "tcp", b.to)
	if err != nil {
		return
	}
	defer srv.Close()
	b.hold(node)
	b.hold(srv)
	b.wg.Add(1)
	go func() {
		defer b.wg.Done()
		io.Copy(srv, node)
		srv.Close()
	}()
	_ = b.lossy(node, bufio.NewReaderSize(srv, 1<<16)) // ends with either connection
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.conns, node)
	delete(b.conns, srv)
}

// lossy passes on what a server says to a node.
func (b *lossyBus) lossy(node io.Writer, from *bufio.Reader) error {
	var held []byte // a message that waits for the next one
	for {
		line, err := from.ReadBytes('\n')
		if err != nil {
			return err
		}
		if !message(line) {
			if _, err := node.Write(line); err != nil {
				return err
			}
			continue
		}
		fields := strings.Fields(string(line))
		size, err := strconv.Atoi(fields[len(fields)-1])
		if err != nil {
			return fmt.Errorf("a message without a size: %q", line)
		}
		frame := append(line, make([]byte, size+2)...) // and CR LF
		if _, err := io.ReadFull(from, frame[len(line):]); err != nil {
			return err
		}
		var out []byte
		if out, held = b.fate(frame, held); len(out) > 0 {
			if _, err := node.Write(out); err != nil {
				return err
			}
		}
	}
}

// message tells whether a line begins a message: MSG or HMSG, then names and
// sizes, the last of which is that of everything behind the line.
func message(line []byte) bool {
	return strings.HasPrefix(string(line), "MSG ") || strings.HasPrefix(string(line), "HMSG ")
}

// fate decides what becomes of a message, and of the one that was held back
// before it.
func (b *lossyBus) fate(frame, held []byte) (out, later []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch x := b.rng.Float64(); {
	case x < b.drop:
		b.n.dropped++
		return held, nil
	case x < b.drop+b.twice:
		b.n.repeated++
		return append(append(append([]byte{}, frame...), frame...), held...), nil
	case x < b.drop+b.twice+b.late && held == nil:
		b.n.moved++
		return nil, frame
	}
	b.n.passed++
	return append(append([]byte{}, frame...), held...), nil
}
