package presence_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/bus/bustest"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/presence"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func actor(u im.UserID, d im.DeviceID) im.Actor { return im.Actor{App: "app", User: u, Device: d} }

// nodes starts n nodes on one bus, in a bubble of time.
func nodes(t *testing.T, b bus.Bus, names ...string) []*presence.Presence {
	var out []*presence.Presence
	for _, name := range names {
		p := presence.New(name, b, im.SystemClock{})
		t.Cleanup(func() { _ = p.Close(context.Background()) })
		out = append(out, p)
	}
	return out
}

func TestADeviceIsSeenOnEveryNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := bus.NewLocal()
		defer b.Close()
		p := nodes(t, b, "a", "b")
		p[0].Online(actor("ann", "phone"))
		p[1].Online(actor("ann", "tablet"))
		synctest.Wait()
		want := []presence.Place{{Device: "phone", Node: "a"}, {Device: "tablet", Node: "b"}}
		for i := range p {
			got := p[i].Where("app", "ann")
			slices.SortFunc(got, func(x, y presence.Place) int { return int(x.Device[0]) - int(y.Device[0]) })
			if !slices.Equal(got, want) {
				t.Errorf("node %d: %v", i, got)
			}
			if st := p[i].Get("app", "bob", "ann"); st[0].Online || !st[1].Online || st[1].User != "ann" {
				t.Errorf("node %d: %+v", i, st)
			}
			if st := p[i].Get("other", "ann"); st[0].Online {
				t.Error("another app sees ann")
			}
		}
		if own, all := p[0].Count(); own != 1 || all != 2 {
			t.Errorf("counts %d of %d", own, all)
		}
		p[0].Offline(actor("ann", "phone"))
		_ = p[1].Close(t.Context()) // says goodbye
		synctest.Wait()
		if st := p[0].Get("app", "ann")[0]; st.Online || st.LastSeen == 0 {
			t.Errorf("%+v", st)
		}
	})
}

func TestPresenceConvergesOverALossyBusInRealTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := bus.NewLocal()
		defer inner.Close()
		p := nodes(t, bustest.Lossy(inner, bustest.Faults{Seed: 3, Drop: 0.1, Repeat: 0.2, Swap: 0.1}), "a", "b", "c")
		for i := range 50 {
			p[i%3].Online(actor(im.UserID(rune('A'+i)), "d"))
		}
		for i := range 25 {
			p[i%3].Offline(actor(im.UserID(rune('A'+i)), "d"))
		}
		time.Sleep(60 * time.Second)
		synctest.Wait()
		for n := range p {
			for i := range 50 {
				if st := p[n].Get("app", im.UserID(rune('A'+i)))[0]; st.Online != (i >= 25) {
					t.Errorf("node %d: %+v", n, st)
				}
			}
		}
	})
}

func TestAWatchHearsEveryChangeAfterItsFirstStates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := bus.NewLocal()
		defer b.Close()
		p := nodes(t, b, "a", "b")
		p[0].Online(actor("ann", "phone"))
		var heard []presence.State
		w := p[0].Watch("app", "ann", func(s presence.State) { heard = append(heard, s) }, func(im.UserID) {})
		if st := w.Set([]im.UserID{"bob", "ann"}, nil); st[0].Online || !st[1].Online {
			t.Errorf("first states %+v", st)
		}
		p[1].Online(actor("bob", "phone"))
		p[1].Online(actor("bob", "tablet")) // no change of state
		p[1].Online(actor("eve", "phone"))  // not watched
		synctest.Wait()
		p[1].Offline(actor("bob", "phone"))
		p[1].Offline(actor("bob", "tablet"))
		synctest.Wait()
		if len(heard) != 2 || !heard[0].Online || heard[1].Online || heard[1].User != "bob" || heard[1].LastSeen == 0 {
			t.Errorf("heard %+v", heard)
		}
		w.Set([]im.UserID{"eve"}, nil)
		heard = nil
		p[0].Offline(actor("ann", "phone")) // no more watched
		synctest.Wait()
		w.Close()
		p[1].Offline(actor("eve", "phone"))
		synctest.Wait()
		if len(heard) != 0 {
			t.Errorf("heard %+v", heard)
		}
		if st := w.Set(make([]im.UserID, presence.MaxWatched+1), nil); len(st) != presence.MaxWatched {
			t.Errorf("%d users are watched", len(st))
		}
	})
}

func TestAWatchIsAskedAgainWhereSightChangedAndTellsNothingOfTheHidden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := bus.NewLocal()
		defer b.Close()
		p := nodes(t, b, "a", "b")
		var heard []presence.State
		var again []im.UserID
		w := p[0].Watch("app", "ann", func(s presence.State) { heard = append(heard, s) }, func(u im.UserID) { again = append(again, u) })
		w.Set([]im.UserID{"bob"}, []im.UserID{"eve"})
		p[1].Online(actor("eve", "phone"))
		synctest.Wait()
		if len(heard) != 0 {
			t.Errorf("heard of the hidden: %+v", heard)
		}
		for _, signal := range []bus.SightChanged{
			{App: "app", User: "eve"},               // who is watched changed their settings
			{App: "app", User: "ann"},               // who watches did
			{App: "app", User: "ann", Other: "bob"}, // something between the two
			{App: "app", User: "eve", Other: "bob"}, // between others
			{App: "cafe", User: "eve"},              // another app's
			{App: "app", User: "cid"},               // nobody who is watched
			{App: "app", User: "cid", Other: "ann"}, // not watched
			{App: "app", User: "eve", Other: "ann"}, // the other way round
		} {
			b.Signal(signal)
			synctest.Wait()
		}
		if want := []im.UserID{"eve", "", "bob", "eve"}; !slices.Equal(again, want) {
			t.Errorf("asked again are %q, want %q", again, want)
		}
		if st, watched := w.Show("eve", true); !watched || !st.Online {
			t.Errorf("shown: %+v, %v", st, watched)
		}
		p[1].Offline(actor("eve", "phone"))
		synctest.Wait()
		if len(heard) != 1 || heard[0].User != "eve" || heard[0].Online {
			t.Errorf("heard %+v", heard)
		}
		if _, watched := w.Show("cid", true); watched {
			t.Error("somebody who is not watched is shown")
		}
		w.Close()
		b.Signal(bus.SightChanged{App: "app", User: "eve"})
		synctest.Wait()
		if len(again) != 4 {
			t.Error("a closed watch is asked again")
		}
	})
}

func TestOnceClosedPresenceIsSilentAndCloseCanBeRepeated(t *testing.T) {
	b := bus.NewLocal()
	defer b.Close()
	p := presence.New("a", b, im.SystemClock{})
	for range 2 {
		if err := p.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	p.Online(actor("ann", "phone"))
	p.Online(im.Actor{App: "app", Server: true})
	if p.Get("app", "ann")[0].Online {
		t.Error("a closed presence took a device")
	}
}
