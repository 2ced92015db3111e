package script

import (
	"context"
	"net"
	"sync"
	"testing"
)

// link is a device's way to the server, which a script can spoil.
type link struct {
	ln     net.Listener
	target func() string

	mu    sync.Mutex // guards the rest
	conns map[net.Conn]struct{}
	cut   bool // nothing connects
	deaf  bool // what the server says is lost; what the device says arrives
	wg    sync.WaitGroup
}

func newLink(t *testing.T, target func() string) *link {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &link{ln: ln, target: target, conns: map[net.Conn]struct{}{}}
	l.wg.Add(1)
	go l.accept()
	return l
}

func (l *link) addr() string { return l.ln.Addr().String() }

func (l *link) accept() {
	defer l.wg.Done()
	for {
		c, err := l.ln.Accept()
		if err != nil {
			return
		}
		l.mu.Lock()
		cut := l.cut
		l.mu.Unlock()
		s, err := net.Dial("tcp", l.target())
		if cut || err != nil {
			c.Close()
			if err == nil {
				s.Close()
			}
			continue
		}
		l.mu.Lock()
		l.conns[c], l.conns[s] = struct{}{}, struct{}{}
		l.mu.Unlock()
		l.wg.Add(2)
		go l.copy(s, c, false)
		go l.copy(c, s, true)
	}
}

// copy carries one direction; the server's is dropped while the link is deaf.
func (l *link) copy(dst, src net.Conn, fromServer bool) {
	defer l.wg.Done()
	defer dst.Close()
	defer src.Close()
	buf := make([]byte, 16<<10)
	for {
		n, err := src.Read(buf)
		if n > 0 {
			l.mu.Lock()
			lost := fromServer && l.deaf
			l.mu.Unlock()
			if !lost {
				if _, err := dst.Write(buf[:n]); err != nil {
					return
				}
			}
		}
		if err != nil {
			return
		}
	}
}

// set changes the link's state and drops what is connected when asked to.
func (l *link) set(cut, deaf, drop bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut, l.deaf = cut, deaf
	if drop {
		for c := range l.conns {
			c.Close()
		}
		clear(l.conns)
	}
}

func (l *link) close() {
	l.ln.Close()
	l.set(true, false, true)
	l.wg.Wait()
}

// netVerbs spoil and mend a device's link.
var netVerbs = map[string]func(ctx context.Context, w *world, d *device) error{
	// cut: no connection, and none can be made
	"cut": func(_ context.Context, _ *world, d *device) error { d.link.set(true, false, true); return nil },
	// deaf: what the device sends arrives, what the server answers is lost
	"deaf": func(_ context.Context, _ *world, d *device) error { d.link.set(false, true, false); return nil },
	// mend: everything works again; connections that were spoilt are dropped
	"mend": func(_ context.Context, _ *world, d *device) error { d.link.set(false, false, true); return nil },
	// drop: connections break, new ones can be made
	"drop": func(_ context.Context, _ *world, d *device) error { d.link.set(false, false, true); return nil },
}
