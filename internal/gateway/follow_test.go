package gateway

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// TestASyncThatFollowsBringsAllPagesForOneRequest lets devices come back to
// more than the queue may hold, while more is said, and holds what they are
// told to the log: once, in order, without a hole.
func TestASyncThatFollowsBringsAllPagesForOneRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) { s.limits.QueueBytes = 128 << 10 })
	text := strings.Repeat("x", 2000)
	const convs, each = 12, 60
	peer := func(i int) string { return fmt.Sprintf("p%02d", i) }
	for i := range convs {
		w.say(peer(i), im.Direct("ann", im.UserID(peer(i))), "start")
	}
	_, welcome := w.connect("ann", "phone")
	cursor := welcome.Sync.Cursor
	for range each {
		for i := range convs {
			w.say(peer(i), im.Direct("ann", im.UserID(peer(i))), text)
		}
	}
	for _, at := range [][]byte{nil, cursor} {
		device := fmt.Sprint("tablet", len(at))
		c, _ := w.connect("ann", device)
		c.send(&skeinv1.ClientFrame{Frame: &skeinv1.ClientFrame_Sync{Sync: &skeinv1.SyncRequest{Cursor: at, Entries: 200, Follow: true}}})
		got := map[string][]int{}
		pages := 0
		for more := true; more; pages++ {
			f := c.await("a page", func(f *skeinv1.ServerFrame) bool { return f.GetSync() != nil || f.GetError() != nil })
			p := f.GetSync()
			if p == nil || f.Ref != c.ref || p.Follows != p.More || p.Reset_ != (at == nil && pages == 0) {
				t.Fatalf("page %d: ref %d, %v", pages, f.Ref, f.GetError())
			}
			more = p.More
			for _, d := range p.Conversations {
				for _, e := range d.Entries {
					if !slices.Contains(got[e.Conversation], int(e.Seq)) {
						got[e.Conversation] = append(got[e.Conversation], int(e.Seq))
					}
				}
			}
			if pages == 2 {
				w.say(peer(0), im.Direct("ann", im.UserID(peer(0))), "meanwhile")
			}
		}
		for i := range convs {
			conv := im.Direct("ann", im.UserID(peer(i)))
			var want []int
			for _, seq := range w.positions("ann", conv, 0) {
				if int(seq) > 1 || at == nil {
					want = append(want, int(seq))
				}
			}
			last := want[len(want)-1]
			if i == 0 && !slices.Contains(got[string(conv)], last) { // it came live, or in a last page
				c.hears(conv, "meanwhile")
				want = want[:len(want)-1]
			}
			slices.Sort(got[string(conv)])
			if !slices.Equal(got[string(conv)], want) {
				t.Errorf("of %s came %v, want %v", conv, got[string(conv)], want)
			}
		}
		if pages < 5 {
			t.Errorf("%d pages", pages)
		}
		c.ask(&skeinv1.ClientFrame{Frame: &skeinv1.ClientFrame_Ping{Ping: &skeinv1.Ping{}}}) // it is heard again
		w.g.hub.match("demo", "ann", im.DeviceID(device), func(s *session) {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.m.inFlight != 0 {
				t.Errorf("%d requests are without an answer", s.m.inFlight)
			}
		})
	}
}

// TestASyncThatDoesNotFollowBringsOnePage has two pages to tell to who asks for
// one at a time, in the hello and after it.
func TestASyncThatDoesNotFollowBringsOnePage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	text := strings.Repeat("x", 2000)
	for i := range 8 {
		for range 60 {
			w.say("ann", im.Direct("ann", im.UserID(fmt.Sprint("bob", i))), text)
		}
	}
	c, welcome := w.connect("ann", "phone")
	next := func(after string) *skeinv1.ServerFrame {
		c.send(&skeinv1.ClientFrame{Frame: &skeinv1.ClientFrame_Ping{Ping: &skeinv1.Ping{}}})
		return c.await(after, func(f *skeinv1.ServerFrame) bool { return f.GetSync() != nil || f.GetPong() != nil })
	}
	if !welcome.Sync.More {
		t.Fatal("there is one page only")
	}
	if f := next("what comes after the welcome"); f.GetPong() == nil {
		t.Errorf("ref %d brought a page that nobody asked for", f.Ref)
	}
	c.send(&skeinv1.ClientFrame{Frame: &skeinv1.ClientFrame_Sync{Sync: &skeinv1.SyncRequest{}}})
	if p := c.await("the page", func(f *skeinv1.ServerFrame) bool { return f.GetSync() != nil }); !p.GetSync().More {
		t.Error("a sync from nothing has one page")
	}
	if f := next("what comes after the page"); f.GetPong() == nil {
		t.Errorf("ref %d brought a page that nobody asked for", f.Ref)
	}
}
