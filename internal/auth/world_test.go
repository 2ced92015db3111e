package auth

import (
	"context"
	"crypto/rand"
	"log/slog"
	"runtime"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/pgtest"
)

// testClock is the machine's clock, moved by as much as the test says.
type testClock struct {
	mu    sync.Mutex
	shift time.Duration
}

func (c *testClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.shift)
}

func (c *testClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shift += d
}

// world is one database with an app "shop" and, when it was asked for, a
// running node.
type world struct {
	t      testing.TB
	ctx    context.Context
	db     *db.DB
	clock  *testClock
	key    MasterKey
	auth   *Auth
	secret Secret
	fences chan Fence // what the node has applied
}

// onEach runs a test over every engine, each time on an empty database.
func onEach(t *testing.T, test func(t *testing.T, w *world)) {
	t.Run("SQLite", func(t *testing.T) { test(t, newWorld(t, t.TempDir())) })
	t.Run("PostgreSQL", func(t *testing.T) { test(t, newWorld(t, pgtest.DB(t))) })
}

func newWorld(t testing.TB, target string) *world {
	clock := &testClock{}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	d, err := db.Open(ctx, target, db.Options{Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	w := &world{t: t, ctx: ctx, db: d, clock: clock, fences: make(chan Fence, 1000)}
	var key [32]byte
	if _, err := rand.Read(key[:]); err != nil {
		t.Fatal(err)
	}
	w.key = newMasterKey(key[:])
	w.auth = w.open(nil)
	w.secret = must(w.auth.CreateApp(ctx, NewApp{ID: "shop", Name: "The shop"}))(t)
	return w
}

// open opens a service on the world's database; change adjusts its options.
func (w *world) open(change func(*Options)) *Auth {
	w.t.Helper()
	// A long lease, so that a busy machine does not end it.
	o := Options{DB: w.db, Clock: w.clock, Entropy: rand.Reader, Key: w.key, Lease: time.Minute, Log: slog.New(slog.NewTextHandler(w.t.Output(), nil))}
	if change != nil {
		change(&o)
	}
	return must(New(w.ctx, o))(w.t)
}

// run runs a node until the test ends.
func (w *world) run(a *Auth) *Auth {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.ctx)
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx, func(f Fence) { w.fences <- f }) }()
	w.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("Run: %v", err)
		}
	})
	if err := a.WaitValid(w.ctx); err != nil {
		w.t.Fatal(err)
	}
	return a
}

// running is the world's own node, running.
func (w *world) running() *Auth { return w.run(w.auth) }

// token returns a fresh token of a user, issued after everything so far.
func (w *world) token(user im.UserID) string {
	w.t.Helper()
	return w.mint(Grant{App: "shop", User: user})
}

func (w *world) mint(g Grant) string {
	w.t.Helper()
	w.clock.advance(time.Microsecond)
	raw, _, err := w.auth.MintToken(w.ctx, g)
	if err != nil {
		w.t.Fatal(err)
	}
	return raw
}

// signIn signs a device in.
func (w *world) signIn(a *Auth, token string, d im.DeviceID, p Platform) (Session, error) {
	return a.Authenticate(w.ctx, "shop", token, DeviceInfo{ID: d, Platform: p, Name: string(d)})
}

// mustSignIn fails the test when the device is refused.
func (w *world) mustSignIn(a *Auth, token string, d im.DeviceID, p Platform) Session {
	w.t.Helper()
	w.clock.advance(time.Microsecond)
	return must(w.signIn(a, token, d, p))(w.t)
}

// wantDevices compares a user's device list, newest first.
func (w *world) wantDevices(user im.UserID, want ...im.DeviceID) {
	w.t.Helper()
	list := must(w.auth.ListDevices(w.ctx, im.Actor{App: "shop", User: user}))(w.t)
	var got []im.DeviceID
	for _, d := range list {
		got = append(got, d.ID)
	}
	if len(got) != len(want) {
		w.t.Fatalf("%s has the devices %q, want %q", user, got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			w.t.Fatalf("%s has the devices %q, want %q", user, got, want)
		}
	}
}

func wantCode(t *testing.T, what string, err error, want im.Code) {
	t.Helper()
	if im.CodeOf(err) != want {
		t.Fatalf("%s: got %v, want %v", what, err, want)
	}
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func server() im.Actor { return im.Actor{App: "shop", Server: true} }

// unconfirmed lets a call write its fence, and gives it up while it waits for a
// node that does not turn.
func (w *world) unconfirmed(call func(ctx context.Context) error) {
	w.t.Helper()
	before := must(w.auth.currentFence(w.ctx))(w.t)
	ctx, cancel := context.WithCancel(w.ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- call(ctx) }()
	for must(w.auth.currentFence(w.ctx))(w.t) == before {
		runtime.Gosched()
	}
	cancel()
	if err := <-done; im.CodeOf(err) != im.Unavailable {
		w.t.Fatalf("a call that was given up: %v", err)
	}
}

// What tests do behind the service's back.

func deleteFirstFence(tx db.Tx) error {
	_, err := tx.Exec("DELETE FROM fence WHERE id = 1")
	return err
}

// makeOld puts the head far ahead of every fence and ends every lease.
func makeOld(tx db.Tx) error {
	if _, err := tx.Exec("UPDATE fence_head SET head = $1", keepFences+10); err != nil {
		return err
	}
	_, err := tx.Exec("UPDATE node_lease SET lease_until = 1")
	return err
}

func countLeases(w *world) (n int64, err error) {
	err = w.db.Read(w.ctx, func(tx db.Tx) error { return tx.QueryRow("SELECT COUNT(*) FROM node_lease").Scan(&n) })
	return n, err
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
