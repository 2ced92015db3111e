package journal

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/pgtest"
)

// counted counts the transactions of a store.
type counted struct {
	store
	n, locked atomic.Int64
}

func (c *counted) transact(ctx context.Context, shard int, locked bool, believed *cache, fn func(txn) error) error {
	c.n.Add(1)
	if locked || !believed.valid {
		c.locked.Add(1)
	}
	return c.store.transact(ctx, shard, locked, believed, fn)
}

// A writer that nobody disturbs needs one transaction a commit, and locks only
// for the first; one that was disturbed needs one more, once.
func TestUndisturbedWriterCommitsInOneAttempt(t *testing.T) {
	for _, target := range []string{t.TempDir(), pgtest.DB(t)} {
		d, err := db.Open(t.Context(), target, db.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = d.Close() }()
		j, err := Open(t.Context(), d, Options{Shards: 1})
		if err != nil {
			t.Fatal(err)
		}
		e := j.(*engine)
		c := &counted{store: e.store}
		e.store = c
		other, err := Open(t.Context(), d, Options{Shards: 1})
		if err != nil {
			t.Fatal(err)
		}
		step := func(j Journal, want int64) {
			t.Helper()
			before := c.n.Load()
			id, err := im.NewClientID(im.SystemClock{}.Now(), im.SystemEntropy())
			if err != nil {
				t.Fatal(err)
			}
			r, err := AppendWait(t.Context(), j, &Append{App: "demo", Conv: "g1", Kind: im.KindMessage, Sender: "ann", ClientID: id, ACLVersion: -1,
				MarkRead: true, Create: &Create{Kind: im.ConvGroup, Members: []NewMember{{"ann", im.RoleOwner}, {"bob", im.RoleMember}}}})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := j.Mark(t.Context(), "demo", "g1", "bob", r.Entry.Seq); err != nil {
				t.Fatal(err)
			}
			if n := c.n.Load() - before; n != want {
				t.Errorf("%v: %d transactions for two commits, want %d", d.Dialect(), n, want)
			}
		}
		step(j, 2)
		step(j, 2)
		if n := c.locked.Load(); n != 1 {
			t.Errorf("%v: locked %d times", d.Dialect(), n)
		}
		step(other, 0)
		step(j, 3)
		step(j, 2)
		if _, err := other.Mark(t.Context(), "demo", "g1", "ann", 1); err != nil { // moves nothing, commits nothing
			t.Fatal(err)
		}
		step(j, 2)
		for _, j := range []Journal{j, other} {
			if err := j.Close(context.Background()); err != nil {
				t.Error(err)
			}
		}
	}
}
