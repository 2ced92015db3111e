package placement

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/pgtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// unit is an SFU without media.
type unit struct {
	mu          sync.Mutex
	base        string
	incarnation string
	rooms       map[string]int
	released    []string
	asked       int
	after       func(u *unit) // the next answer of Rooms; once
}

func (u *unit) Current() (string, string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.base, u.incarnation
}

func (u *unit) Rooms(context.Context) (map[string]int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.asked++
	out := make(map[string]int)
	for r, n := range u.rooms {
		out[r] = n
	}
	if after := u.after; after != nil {
		u.after = nil
		after(u)
	}
	return out, nil
}

func (u *unit) Release(_ context.Context, room string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.rooms, room)
	u.released = append(u.released, room)
	return nil
}

func (u *unit) set(fn func(u *unit)) {
	u.mu.Lock()
	defer u.mu.Unlock()
	fn(u)
}

// world is nodes on one database.
type world struct {
	t     *testing.T
	db    *db.DB
	units map[*Register]*unit

	mu    sync.Mutex        // guards the rest
	ended map[string]string // what each node was told of others that are gone
}

// gone is what a node was told of others.
func (w *world) gone(name string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ended[name]
}

func both(t *testing.T, test func(t *testing.T, w *world)) {
	t.Parallel()
	for name, target := range map[string]func(t *testing.T) string{
		"SQLite":     func(t *testing.T) string { return t.TempDir() },
		"PostgreSQL": func(t *testing.T) string { return pgtest.DB(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := db.Open(t.Context(), target(t), db.Options{})
			must(t, err)
			t.Cleanup(func() { must(t, d.Close()) })
			must(t, d.Migrate(t.Context(), "sfu", Migrations()))
			test(t, &world{t: t, db: d, units: map[*Register]*unit{}, ended: map[string]string{}})
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// node starts a node with so many participants, and waits until it has a lease.
func (w *world) node(name string, load int) *Register {
	w.t.Helper()
	return w.nodeAt(name, "https://"+name, load)
}

func (w *world) nodeAt(name, url string, load int) *Register {
	w.t.Helper()
	u := &unit{base: "http://own." + name, incarnation: name + "-1", rooms: map[string]int{}}
	if load > 0 {
		u.rooms["other-"+name] = load
	}
	r := New(Options{DB: w.db, Clock: im.SystemClock{}, Log: slog.New(slog.DiscardHandler), Node: name, URL: url, SFU: u, Gone: func(url string) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.ended[name] += url
	}})
	w.units[r] = u
	w.t.Cleanup(func() { must(w.t, r.Close(context.Background())) })
	w.until("it has a lease", func() bool {
		return w.count("SELECT count(*) FROM sfu_node WHERE node = $1 AND lease_until > 0 AND load = $2", name, load) == 1
	})
	return r
}

// dies ends a node as a kill does: nothing is given back. Its lease is over at once
// rather than in some seconds.
func (w *world) dies(r *Register) {
	w.t.Helper()
	r.stop()
	<-r.done
	w.exec("UPDATE sfu_node SET lease_until = $2 WHERE node = $1", r.o.Node, w.now())
}

// now is the database's clock.
func (w *world) now() im.Micros {
	w.t.Helper()
	now, err := w.db.Now(w.t.Context())
	must(w.t, err)
	return now
}

func (w *world) exec(query string, args ...any) {
	w.t.Helper()
	must(w.t, w.db.Write(w.t.Context(), func(tx db.Tx) error {
		_, err := tx.Exec(query, args...)
		return err
	}))
}

func (w *world) count(query string, args ...any) (n int64) {
	w.t.Helper()
	must(w.t, w.db.Read(w.t.Context(), func(tx db.Tx) error { return tx.QueryRow(query, args...).Scan(&n) }))
	return n
}

func (w *world) until(what string, holds func() bool) {
	w.t.Helper()
	end := time.NewTimer(20 * time.Second)
	defer end.Stop()
	for tick := time.NewTicker(5 * time.Millisecond); !holds(); {
		select {
		case <-tick.C:
		case <-end.C:
			w.t.Fatalf("waited in vain: %s", what)
		}
	}
}

func (w *world) of(r *Register, room string) string {
	w.t.Helper()
	base, err := r.Of(w.t.Context(), room)
	must(w.t, err)
	return base
}

func TestARoomIsPlacedOnTheNodeWithTheLeastToDoAndEverybodyFindsItThere(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		a, b, c := w.node("a", 50), w.node("b", 3), w.node("c", 40)
		if got := w.of(a, "r"); got != "https://b" {
			t.Errorf("a finds it at %s", got)
		}
		if got := w.of(c, "r"); got != "https://b" {
			t.Errorf("c finds it at %s", got)
		}
		if got := w.of(b, "r"); got != "http://own.b" {
			t.Errorf("b itself finds it at %s", got)
		}
		for r, want := range map[*Register]bool{a: false, b: true, c: false} {
			if mine, err := r.Mine(t.Context(), "r"); err != nil || mine != want {
				t.Errorf("%s has it: %v %v", r.o.Node, mine, err)
			}
		}
	})
}

func TestRoomsThatComeAllAtOnceAreSpreadBeforeAnybodyIsInThem(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		a, _, _ := w.node("a", 0), w.node("b", 0), w.node("c", 0)
		for i := range 9 {
			w.of(a, fmt.Sprint("r", i))
		}
		for _, n := range []string{"a", "b", "c"} {
			if got := w.count("SELECT count(*) FROM sfu_room WHERE node = $1", n); got != 3 {
				t.Errorf("%d rooms on %s", got, n)
			}
		}
	})
}

func TestTwoNodesAtOncePlaceARoomOnce(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		nodes := []*Register{w.node("a", 0), w.node("b", 0), w.node("c", 0)}
		for i := range 10 {
			room := fmt.Sprint("r", i)
			var wg sync.WaitGroup
			got := make([]string, 2*len(nodes))
			for j := range got {
				wg.Go(func() {
					p, err := nodes[j%3].find(t.Context(), room)
					if err != nil {
						t.Error(err)
					}
					got[j] = p.node
				})
			}
			wg.Wait()
			for _, node := range got {
				if node != got[0] || node == "" {
					t.Fatalf("%s is on %v", room, got)
				}
			}
		}
	})
}

func TestARoomOfANodeThatDiedIsPlacedAnewOnceByWhoeverAsks(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		a, b, c := w.node("a", 9), w.node("b", 0), w.node("c", 9)
		if got := w.of(a, "r"); got != "https://b" {
			t.Fatalf("it is at %s", got)
		}
		w.dies(b)
		w.until("the others have heard of it", func() bool { return w.gone("a") == "https://b" && w.gone("c") == "https://b" })
		var wg sync.WaitGroup
		var got [2]string
		for i, r := range []*Register{a, c} {
			wg.Go(func() {
				base, err := r.Lost(t.Context(), "r", "https://b")
				if err != nil {
					t.Error(err)
				}
				got[i] = base
			})
		}
		wg.Wait()
		if got != [2]string{"http://own.a", "https://a"} && got != [2]string{"https://c", "http://own.c"} {
			t.Errorf("they find it at %v", got)
		}
	})
}

func TestThatAnSFUHangsIsHeardOfByWhoRemovesRowsFirst(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		a, b := w.node("a", 0), w.node("b", 0)
		a.stop()
		<-a.done
		w.units[b].set(func(u *unit) { u.base, u.incarnation = "", "" })
		b.Kick()
		w.until("b has given its lease back", func() bool {
			return w.count("SELECT count(*) FROM sfu_node WHERE node = 'b' AND lease_until > $1", w.now()) == 0
		})
		must(t, a.look(t.Context()))
		_, err := a.beat(t.Context())
		must(t, err)
		if got := w.gone("a"); got != "https://b" {
			t.Errorf("a has heard of %q", got)
		}
	})
}

func TestANodeThatIsStartedAnewAtItsURLIsNotGoneUntilItIs(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		a, b := w.node("a", 0), w.node("b", 0)
		beats := func(n int64) {
			t.Helper()
			for range n {
				lease := w.count("SELECT lease_until FROM sfu_node WHERE node = 'a'")
				a.Kick()
				w.until("its next beat", func() bool { return w.count("SELECT lease_until FROM sfu_node WHERE node = 'a'") > lease })
			}
		}
		b.stop()
		<-b.done
		again := w.nodeAt("b again", "https://b", 0)
		w.dies(b)
		beats(2) // the first may have been on its way
		if got := w.gone("a"); got != "" {
			t.Errorf("while it lives it is said to be gone: %s", got)
		}
		for _, told := range []string{"https://b", "https://bhttps://b"} {
			w.dies(again)
			w.until("it has heard of it", func() bool { return w.gone("a") == told })
			again = w.nodeAt("b after "+told, "https://b", 0)
			beats(2)
		}
	})
}

func TestARoomThatBeginsAnewWhileItsRowIsRemovedStaysWhereItIs(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		a, _ := w.node("a", 0), w.node("b", 9)
		if got := w.of(a, "r"); got != "http://own.a" {
			t.Fatalf("it is at %s", got)
		}
		a.stop()
		<-a.done
		w.exec("UPDATE sfu_room SET placed = placed - $1", int64(2*micros(settle)))
		w.units[a].set(func(u *unit) { u.after = func(u *unit) { u.rooms["r"] = 1 } })
		must(t, a.look(t.Context()))
		if n := w.count("SELECT count(*) FROM sfu_room WHERE room = 'r' AND node = 'a'"); n != 1 {
			t.Error("a room with somebody in it is nowhere")
		}
		// What is really over is not remembered to be here.
		w.units[a].set(func(u *unit) { delete(u.rooms, "r") })
		w.exec("UPDATE sfu_room SET placed = placed - $1", int64(2*micros(settle)))
		must(t, a.look(t.Context()))
		if _, known := a.recall("r"); known || w.count("SELECT count(*) FROM sfu_room WHERE room = 'r'") != 0 {
			t.Error("a room that is over is still somewhere")
		}
	})
}

func TestWhoLosesANodeWaitsForTheEndOfItsLeaseAndNoLonger(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		a, b := w.node("a", 9), w.node("b", 0)
		if got := w.of(a, "r"); got != "https://b" {
			t.Fatalf("it is at %s", got)
		}
		b.stop()
		<-b.done
		begun := time.Now()
		base, err := a.Lost(t.Context(), "r", "https://b")
		if err != nil || base != "http://own.a" {
			t.Fatalf("it is at %s %v", base, err)
		}
		if took := time.Since(begun); took > Lease+time.Second || took < Lease-2*beatEvery-500*time.Millisecond {
			t.Errorf("it took %v", took)
		}
	})
}

func TestANodeThatOnlyDidNotAnswerKeepsItsRoom(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		a, _ := w.node("a", 9), w.node("b", 0)
		w.of(a, "r")
		if base, err := a.Lost(t.Context(), "r", "https://b"); err != nil || base != "https://b" {
			t.Errorf("it is at %s %v", base, err)
		}
	})
}

func TestAnSFUThatIsStartedAnewHasNoRoomsAndOneThatEndedGetsNone(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		a, b := w.node("a", 9), w.node("b", 0)
		if got := w.of(a, "r"); got != "https://b" {
			t.Fatalf("it is at %s", got)
		}
		u := w.units[b]
		u.set(func(u *unit) { u.base, u.incarnation = "", "" })
		b.Kick()
		if base, err := a.Lost(t.Context(), "r", "https://b"); err != nil || base != "http://own.a" {
			t.Errorf("while none runs it is at %s %v", base, err)
		}
		u.set(func(u *unit) { u.base, u.incarnation = "http://own.b", "b-2" })
		b.Kick()
		w.until("the new one has a lease", func() bool {
			return w.count("SELECT count(*) FROM sfu_node WHERE node = 'b' AND incarnation = 'b-2' AND lease_until > 0") == 1
		})
		if got := w.of(b, "r"); got != "https://a" {
			t.Errorf("it went back to %s", got)
		}
		w.of(b, "s")
		if mine, err := b.Mine(t.Context(), "s"); err != nil || !mine {
			t.Errorf("the new one has %v %v", mine, err)
		}
	})
}

func TestANodeThatIsDrainedGivesItsRoomsAwayAndTakesNoNewOnes(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		a, b := w.node("a", 9), w.node("b", 0)
		w.of(a, "r")
		w.units[b].set(func(u *unit) { u.rooms["r"] = 2 })
		must(t, b.Drain(t.Context()))
		w.units[b].set(func(u *unit) {
			if fmt.Sprint(u.released) != "[r]" {
				t.Errorf("released are %v", u.released)
			}
		})
		// a still remembers; b says that it is not there.
		if mine, err := b.Mine(t.Context(), "r"); err != nil || mine {
			t.Errorf("b has it: %v %v", mine, err)
		}
		if base, err := a.Lost(t.Context(), "r", "https://b"); err != nil || base != "http://own.a" {
			t.Errorf("it is at %s %v", base, err)
		}
		if got := w.of(b, "s"); got != "https://a" {
			t.Errorf("a new one is at %s", got)
		}
	})
}

func TestANodeThatComesBackSendsWhoIsStillThereAfterTheRoomAndKeepsTheOthers(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		a, _ := w.node("a", 0), w.node("b", 9)
		w.of(a, "kept")
		w.of(a, "taken")
		u := w.units[a]
		u.set(func(u *unit) { u.rooms["kept"], u.rooms["taken"], u.rooms["unknown"] = 2, 2, 2 })
		// It is cut off, and b takes one of the rooms.
		w.exec("UPDATE sfu_room SET node = 'b', incarnation = 'b-1' WHERE room = 'taken'")
		w.exec("UPDATE sfu_node SET lease_until = 0 WHERE node = 'a'")
		a.Kick()
		w.until("it is released", func() bool {
			released := ""
			u.set(func(u *unit) { released = fmt.Sprint(u.released) })
			return released == "[taken]"
		})
		w.until("the others are its own", func() bool {
			return w.count("SELECT count(*) FROM sfu_room WHERE node = 'a' AND room IN ('kept', 'unknown')") == 2
		})
	})
}

func TestRowsOfRoomsThatHaveEndedGo(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		a := w.node("a", 0)
		for _, room := range []string{"gone", "new", "here"} {
			w.of(a, room)
		}
		w.units[a].set(func(u *unit) { u.rooms["here"] = 1 })
		w.exec("INSERT INTO sfu_room (room, node, incarnation, placed) VALUES ('of the dead', 'x', 'x-1', 1)")
		w.exec("UPDATE sfu_room SET placed = 1 WHERE room <> 'new'")
		must(t, a.look(t.Context()))
		if n := w.count("SELECT count(*) FROM sfu_room WHERE room IN ('new', 'here')"); n != 2 {
			t.Errorf("%d of those that go on are there", n)
		}
		if n := w.count("SELECT count(*) FROM sfu_room"); n != 2 {
			t.Errorf("%d rows stay", n)
		}
	})
}

func TestAPlaceIsRememberedForItsLeaseAndAnsweredWithoutTheDatabase(t *testing.T) {
	d, err := db.Open(t.Context(), t.TempDir(), db.Options{})
	must(t, err)
	must(t, d.Migrate(t.Context(), "sfu", Migrations()))
	w := &world{t: t, db: d, units: map[*Register]*unit{}, ended: map[string]string{}}
	clock := &shifted{}
	u := &unit{base: "http://own.a", incarnation: "a-1", rooms: map[string]int{}}
	a := New(Options{DB: d, Clock: clock, Log: slog.New(slog.DiscardHandler), Node: "a", URL: "https://a", SFU: u})
	w.until("it has a lease", func() bool { return w.count("SELECT count(*) FROM sfu_node") == 1 })
	w.of(a, "r")
	a.stop()
	<-a.done
	must(t, d.Close()) // whoever asks now fails
	if got := w.of(a, "r"); got != "http://own.a" {
		t.Errorf("within the lease: %s", got)
	}
	clock.shift(Lease)
	if _, ok := a.recall("r"); ok {
		t.Error("it is remembered for longer than its lease")
	}
}

// shifted is the machine's clock, and so much more.
type shifted struct {
	mu sync.Mutex
	by time.Duration
}

func (c *shifted) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.by)
}

func (c *shifted) shift(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.by += d
}

func TestWithoutANodeThatTakesItARoomIsUnavailable(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		a := w.node("a", 0)
		must(t, a.Drain(t.Context()))
		if _, err := a.Of(t.Context(), "r"); im.CodeOf(err) != im.Unavailable {
			t.Errorf("got %v", err)
		}
	})
}
