package gateway

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/skein-im/skein/internal/auth"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/presence"
	"github.com/skein-im/skein/internal/ws"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// places is a quota of devices.
type places struct{ most, refused atomic.Int64 }

func (p *places) Devices(im.AppID) uint64 { return uint64(p.most.Load()) }

func (p *places) NoDevice(most uint64) error {
	p.refused.Add(1)
	e := im.Errorf(im.ResourceExhausted, "the app has all of the %d devices online that it may have", most)
	e.RetryAfter = 7 * time.Second
	return e
}

func (p *places) Members(im.AppID) int { return 77 }

func TestExactlyAsManyDevicesComeOnlineAsTheAppMayHave(t *testing.T) {
	q := &places{}
	q.most.Store(6)
	w := newWorld(t, func(s *setup) { s.quota = q })
	kept, welcome := w.connect("ann", "phone")
	if n := welcome.GetLimits().GetMaxGroupMembers(); n != 77 {
		t.Errorf("the welcome tells of groups of %d", n)
	}
	const many = 60
	clients := make([]*client, many)
	for i := range clients {
		clients[i] = dial(t, w.url, protoBinary, ws.Limits{})
	}
	for i, c := range clients {
		c.name = fmt.Sprint("u", i)
		c.send(greeting(c.name, "phone", nil))
	}
	in := -1
	for i, c := range clients {
		f := c.await("an answer", func(f *skeinv1.ServerFrame) bool { return f.GetWelcome() != nil || f.GetError() != nil })
		switch e := f.GetError(); {
		case f.GetWelcome() != nil:
			in = i
		case e.GetCode() != skeinv1.ErrorCode_ERROR_CODE_RESOURCE_EXHAUSTED || e.GetRetryAfterMs() != 7000:
			t.Errorf("refused by %v", f)
		}
	}
	if got := w.g.Presence.InApp("demo"); got != 6 || q.refused.Load() != many-5 {
		t.Errorf("%d are online, %d were refused", got, q.refused.Load())
	}
	// Who is online may come again, though there is no place.
	w.connect("ann", "phone")
	kept.endsWith(skeinv1.CloseCode_CLOSE_CODE_REPLACED)
	// Who goes makes room, and a sign-in that fails takes none.
	gone := make(chan struct{})
	watch := w.g.Presence.Watch("demo", "ann", func(s presence.State) { close(gone) }, func(im.UserID) {})
	defer watch.Close()
	watch.Set([]im.UserID{im.UserID(clients[in].name)}, nil)
	clients[in].conn.Close()
	<-gone
	w.porter.admit = func(s auth.Session) error {
		if s.Actor.User == "eve" {
			return im.Errorf(im.PermissionDenied, "the user is suspended")
		}
		return nil
	}
	for range 10 {
		if f := dial(t, w.url, protoBinary, ws.Limits{}).ask(greeting("eve", "phone", nil)); f.GetError().GetCode() != skeinv1.ErrorCode_ERROR_CODE_PERMISSION_DENIED {
			t.Errorf("one who is refused for another reason: %v", f)
		}
	}
	w.connect("bob", "phone")
	q.most.Store(0)
	w.connect("carol", "phone")
}
