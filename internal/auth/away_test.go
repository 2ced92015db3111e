package auth

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/pgtest"
)

// renewals waits for n renewals of a node's lease, and fails when the node
// stops serving meanwhile.
func renewals(t *testing.T, ctx context.Context, a *Auth, n int) {
	t.Helper()
	for range n {
		ok, again := a.valid.now()
		if !ok {
			t.Fatal("the node does not serve any more")
		}
		select {
		case <-again:
		case <-ctx.Done():
			t.Fatal("the lease is not renewed")
		}
	}
}

func TestALeaseIsRenewedWhileEveryConnectionIsInUse(t *testing.T) {
	w := newWorld(t, pgtest.DB(t))
	busy, err := db.Open(w.ctx, w.db.Pool().Config().ConnString(), db.Options{Clock: w.clock, Conns: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { busy.Close() })
	a := w.run(w.open(func(o *Options) { o.DB, o.Lease = busy, 3*time.Second }))
	done := make(chan struct{})
	var held, wg sync.WaitGroup
	defer wg.Wait()
	defer close(done)
	for range 4 {
		held.Add(1)
		wg.Go(func() {
			err := busy.Read(w.ctx, func(tx db.Tx) error {
				err := tx.QueryRow("SELECT 1").Scan(new(int))
				held.Done()
				<-done
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	held.Wait()
	for range 50 { // and a queue before it
		wg.Go(func() { _ = busy.Ping(w.ctx) })
	}
	renewals(t, w.ctx, a, 4)
}

func TestANodeWhoseDatabaseHangsStopsAndComesBackByItself(t *testing.T) {
	w := newWorld(t, pgtest.DB(t))
	const lease = 2 * time.Second
	proxy := pgtest.NewProxy(t, w.db.Pool().Config().ConnString())
	through, err := db.Open(w.ctx, proxy.URL(), db.Options{Clock: w.clock, Postgres: db.PostgresOptions{ConnectTimeout: time.Second}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { through.Close() })
	near := w.running()
	far := w.run(w.open(func(o *Options) { o.DB, o.Lease = through, lease }))
	s := w.mustSignIn(far, w.token("ann"), "phone", 0)
	renewals(t, w.ctx, far, 1)
	proxy.Freeze()
	frozen := time.Now()
	// It is acknowledged without the node that is cut off, and only when that
	// one has stopped.
	if err := near.SignOutDevice(w.ctx, s.Actor, "phone"); err != nil {
		t.Fatal(err)
	}
	took := time.Since(frozen)
	if far.Valid() {
		t.Fatalf("acknowledged after %v while the node that is cut off still serves", took)
	}
	if t.Logf("acknowledged after %v", took); took > lease+3*time.Second {
		t.Errorf("the sign-out took %v", took)
	}
	_, err = w.signIn(far, w.token("bob"), "phone", 0)
	wantCode(t, "a hello at the node that is cut off", err, im.Unavailable)
	proxy.Thaw()
	if err := far.WaitValid(w.ctx); err != nil {
		t.Fatal(err)
	}
	if far.known.good(s) {
		t.Error("it serves again, and has not applied the sign-out")
	}
	w.mustSignIn(far, w.token("bob"), "phone", 0)
}
