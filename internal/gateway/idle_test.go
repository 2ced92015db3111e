package gateway

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/skein-im/skein/internal/ws"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// stacks is the memory of all stacks after a collection.
func stacks() uint64 {
	runtime.GC()
	runtime.GC() // frees what the first one found
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.StackInuse
}

// Not parallel: it measures. The clients have no goroutine, so that what the
// stacks grow by belongs to the sessions.
func TestTheStackOfAnIdleSessionStaysAsItWasBorn(t *testing.T) {
	const n = 500
	w := newWorld(t)
	w.connect("first", "phone") // whatever is made once
	before := stacks()
	for i := range n {
		c := dial(t, w.url, protoBinary, ws.Limits{})
		c.name = fmt.Sprint("u", i)
		if f := c.ask(greeting(c.name, "phone", nil)); f.GetWelcome() == nil {
			t.Fatal(f)
		}
		c.ask(&skeinv1.ClientFrame{Frame: &skeinv1.ClientFrame_WatchPresence{WatchPresence: &skeinv1.WatchPresence{Users: []string{c.name}}}})
		c.ask(&skeinv1.ClientFrame{Frame: &skeinv1.ClientFrame_Ping{Ping: &skeinv1.Ping{}}})
	}
	if each := (stacks() - before) / n; each > idleStack {
		t.Errorf("%d bytes of stack a session, want at most %d", each, idleStack)
	}
	if w.g.Sessions() != n+1 {
		t.Errorf("%d sessions", w.g.Sessions())
	}
}
