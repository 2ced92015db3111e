package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/bus/bustest"
	"github.com/skein-im/skein/internal/bus/relay"
	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	"github.com/skein-im/skein/internal/pgtest"
	"github.com/skein-im/skein/internal/presence"
)

// newCluster makes n nodes on one PostgreSQL, each with a journal, a bus and
// everything else of its own, joined by a network.
func newCluster(t *testing.T, n int) ([]*world, *bustest.Network) {
	t.Helper()
	ctx, url, network := context.Background(), pgtest.DB(t), bustest.NewNetwork()
	var nodes []*world
	for i := range n {
		d, err := db.Open(ctx, url, db.Options{})
		if err != nil {
			t.Fatal(err)
		}
		w := &world{t: t, d: d, bus: bus.NewLocal(), porter: &porter{}, log: &errorLog{Handler: slog.DiscardHandler}}
		if w.j, err = journal.Open(ctx, d, journal.Options{Committed: w.bus.Ring, Shards: 4}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { w.j.Close(ctx); w.bus.Close(); d.Close() })
		w.c, w.g, w.url = w.node(fmt.Sprint("n", i), func(s *setup) {
			s.join = func(c *chat.Service, p *presence.Presence) {
				r, err := relay.New(ctx, relay.Options{Bus: w.bus, Link: network.Link(), Prefix: "x", Key: []byte("key"), Incarnation: w.j.Incarnation(),
					Shards: w.j.Shards(), Boot: p.Boot(), Map: p, Rooms: c, Clock: im.SystemClock{}, Log: slog.New(w.log)})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { r.Close(ctx) })
			}
		})
		nodes = append(nodes, w)
	}
	return nodes, network
}

// crowd is a group's members: a few who chat, and a lot who never come.
func crowd(n int, first ...string) []string {
	for i := len(first); i < n; i++ {
		first = append(first, fmt.Sprint("absent", i))
	}
	return first
}

// Users come and go at every node while messages are sent at every node, into
// small conversations and a large one, and members change. Whoever is there
// hears everything from its first sync on, once and in order, although each
// node is sent only what its own users need.
func TestEverySessionOfAClusterHearsEverythingWhoeverComesAndWhereverItIsSent(t *testing.T) {
	for name, f := range map[string]bustest.Faults{
		"a good network": {},
		"a bad network":  {Seed: 5, Drop: 0.2, Repeat: 0.2, Swap: 0.2},
	} {
		t.Run(name, func(t *testing.T) {
			nodes, network := newCluster(t, 3)
			if f.Drop > 0 {
				network.Spoil(f)
			}
			rng := rand.New(rand.NewPCG(3, 3))
			users := []string{"ann", "bob", "cid", "dan", "eve", "fay"}
			small, large := im.ConvID("small"), im.ConvID("large")
			nodes[0].group(small, "ann", "bob", "cid", "dan")
			nodes[1].group(large, crowd(localsFrom+10, users...)...)
			direct := im.Direct("ann", "eve")
			nodes[2].say("ann", direct, "start")
			convs := []im.ConvID{small, large, direct}
			speaker := map[im.ConvID][]string{small: {"ann", "bob"}, large: users, direct: {"ann", "eve"}}
			var all []*watcher
			began := map[*watcher]map[im.ConvID]im.Seq{} // what its first sync told
			in := true
			for i := range 300 {
				if i%12 == 0 {
					x := nodes[rng.IntN(3)].watch(users[rng.IntN(len(users))], fmt.Sprint("device", i), true)
					all, began[x] = append(all, x), maps.Clone(x.last)
					if x.user == "dan" && x.last[small] == 0 { // he is out now, and what was before is no news to him
						began[x][small] = nodes[0].head(small)
					}
				}
				if i%50 == 25 {
					role := im.RoleMember
					if in = !in; !in {
						role = im.RoleNone
					}
					nodes[rng.IntN(3)].member("ann", small, "dan", role)
				}
				conv := convs[rng.IntN(len(convs))]
				from := speaker[conv]
				nodes[rng.IntN(3)].say(from[rng.IntN(len(from))], conv, fmt.Sprint(i))
			}
			for _, x := range all {
				for _, conv := range convs {
					want := []im.Seq(nil)
					if conv != direct || x.user == "ann" || x.user == "eve" {
						want = nodes[0].positions(x.user, conv, began[x][conv])
					}
					if len(want) > 0 {
						x.until(conv, want[len(want)-1])
					}
					if !slices.Equal(x.heard[conv], want) {
						t.Errorf("%s heard of %s, after %d: %v, want %v", x.name, conv, began[x][conv], x.heard[conv], want)
					}
				}
			}
		})
	}
}

// head is the newest position of a conversation.
func (w *world) head(conv im.ConvID) (head im.Seq) {
	w.t.Helper()
	err := w.j.View(context.Background(), func(v journal.View) error {
		c, err := v.Conv("demo", conv)
		head = c.HeadSeq
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return head
}

func TestAClusterWhoseNetworkIsCutDeliversByReadingAndRecovers(t *testing.T) {
	nodes, network := newCluster(t, 2)
	ab := im.Direct("ann", "bob")
	nodes[0].say("ann", ab, "start")
	bob, _ := connectTo(t, nodes[1].url, "bob", "phone", nil)
	network.Cut(true)
	cut := time.Now()
	nodes[0].say("ann", ab, "over the cut")
	bob.hears(ab, "over the cut")
	if took := time.Since(cut); took > pollInterval+2*time.Second {
		t.Errorf("it took %v", took)
	}
	network.Cut(false)
	// The nodes introduce themselves again; then it is milliseconds.
	for i := 0; ; i++ {
		began := time.Now()
		nodes[0].say("ann", ab, fmt.Sprint(i))
		bob.hears(ab, fmt.Sprint(i))
		if time.Since(began) < 200*time.Millisecond {
			break
		}
		if i == 10 {
			t.Fatal("the nodes do not hear each other any more")
		}
	}
}
