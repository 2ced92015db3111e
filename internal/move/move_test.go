package move_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skein-im/skein/internal/auth"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/follow"
	"github.com/skein-im/skein/internal/fsck"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/job"
	"github.com/skein-im/skein/internal/journal"
	"github.com/skein-im/skein/internal/move"
	"github.com/skein-im/skein/internal/pgtest"
)

func open(t *testing.T, target string) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), target, db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// makeSchema makes the tables of all packages, as the server does.
func makeSchema(ctx context.Context, d *db.DB) error {
	for name, files := range map[string]fs.FS{"follow": follow.Migrations(), "job": job.Migrations()} {
		if err := d.Migrate(ctx, name, files); err != nil {
			return err
		}
	}
	if _, err := auth.New(ctx, auth.Options{DB: d, Clock: im.SystemClock{}, Entropy: im.SystemEntropy()}); err != nil {
		return err
	}
	j, err := journal.Open(ctx, d, journal.Options{})
	if err != nil {
		return err
	}
	return j.Close(ctx)
}

// world is a store with a journal that is written to.
type world struct {
	t  *testing.T
	d  *db.DB
	j  journal.Journal
	mu sync.Mutex // guards n
	n  int
}

func newWorld(t *testing.T, target string) *world {
	t.Helper()
	w := &world{t: t, d: open(t, target)}
	if err := makeSchema(t.Context(), w.d); err != nil {
		t.Fatal(err)
	}
	w.open()
	return w
}

func (w *world) open() {
	w.t.Helper()
	var err error
	if w.j, err = journal.Open(w.t.Context(), w.d, journal.Options{}); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = w.j.Close(context.Background()) })
}

func (w *world) close() {
	w.t.Helper()
	if err := w.j.Close(context.Background()); err != nil {
		w.t.Fatal(err)
	}
}

// say appends the n-th of a mix of everything: messages to groups and to one
// user, edits, recalls, reactions, keyed entries, changes of members, marks.
func (w *world) say() error {
	w.mu.Lock()
	w.n++
	n := w.n
	w.mu.Unlock()
	id, err := im.NewClientID(time.Now(), rand.Reader)
	if err != nil {
		return err
	}
	conv := im.ConvID(fmt.Sprintf("g%d", n%7))
	a := &journal.Append{App: "demo", Conv: conv, Kind: im.KindMessage, Sender: "ann", Device: "phone", ClientID: id, ACLVersion: -1, MarkRead: true,
		Body: []byte(fmt.Sprintf("message %d", n)), Create: &journal.Create{Kind: im.ConvGroup, Title: "t", Members: []journal.NewMember{
			{User: "ann", Role: im.RoleOwner}, {User: "bob", Role: im.RoleMember}, {User: "cat", Role: im.RoleMember}}}}
	switch n % 11 {
	case 3:
		a.Kind, a.Effect, a.Target = im.KindEdit, journal.ReplaceTarget, 1
	case 4:
		a.Kind, a.Target = im.KindReaction, 1
	case 5:
		if n > 60 {
			a.Kind, a.Effect, a.Target = im.KindRecall, journal.BlankTarget, im.Seq(2+n%3)
		}
	case 6:
		a.Conv, a.Kind, a.Key, a.Effect = im.Self("ann"), im.KindKeyed, fmt.Sprintf("draft/%d", n%5), journal.BlankKey
		a.Create = &journal.Create{Kind: im.ConvSelf, Members: []journal.NewMember{{User: "ann", Role: im.RoleOwner}}}
	case 7:
		role := im.RoleMember
		if n%2 == 0 {
			role = im.RoleNone
		}
		a.Kind, a.Members = im.KindMembers, []journal.MemberChange{{User: "dan", Role: role}}
	case 8:
		b := im.UserID(fmt.Sprintf("u%d", n))
		a.Conv, a.ToDevices = im.Direct("ann", b), []im.DeviceID{"phone"}
		a.Create = &journal.Create{Kind: im.ConvDirect, Members: []journal.NewMember{{User: "ann", Role: im.RoleMember}, {User: b, Role: im.RoleMember}}}
	}
	_, err = journal.AppendWait(context.Background(), w.j, a)
	if err == nil && n%9 == 0 {
		_, err = w.j.Mark(context.Background(), "demo", conv, "bob", im.Seq(n))
	}
	if im.CodeOf(err) == im.FailedPrecondition || im.CodeOf(err) == im.NotFound {
		return nil // an edit of what was recalled
	}
	return err
}

func (w *world) fill(n int) {
	w.t.Helper()
	for range n {
		if err := w.say(); err != nil {
			w.t.Fatal(err)
		}
	}
}

// exec changes rows of other tables, as other packages would.
func (w *world) exec(query string, args ...any) {
	w.t.Helper()
	err := w.d.Write(context.Background(), func(tx db.Tx) error {
		_, err := tx.Exec(query, args...)
		return err
	})
	if err != nil {
		w.t.Fatalf("%s: %v", query, err)
	}
}

func (w *world) others() {
	w.exec("INSERT INTO app (id, name, login_policy, created, suspended) VALUES ('demo', 'Démo \"x\"', 1, 5, 0)")
	w.exec("INSERT INTO app_secret (kid, app, alg, key_id, sealed, created, retired) VALUES ('k1', 'demo', 'HS256', 'm', $1, 1, 0)", []byte{0, 1, 255})
	for _, u := range []string{"ann", "bob", "ünï\"☃"} {
		w.exec("INSERT INTO device_token (app, user_id, hash, device, expires) VALUES ('demo', $1, $2, 'd', 9)", u, []byte(u+"\x00\xff"))
		w.exec("INSERT INTO app_user (app, id, created, tokens_valid_from, seen_iat) VALUES ('demo', $1, 1, 0, 0)", u)
	}
	w.exec("INSERT INTO job (id, kind, app, target, lane, key, body, state, run_at, tries, owner, lease_until, created, finished, error) VALUES ('j1', 'k', '', 't', '/t', NULL, $1, 0, 1, 0, '', 0, 0, 0, '')", []byte{})
	w.exec("UPDATE fence_head SET head = 1")
	w.exec("INSERT INTO fence (id, kind, app, user_id, device, kid, time) VALUES (1, 1, 'demo', 'bob', 'x', '', 7)")
}

// dump is everything that a store says, without places.
func dump(t *testing.T, d *db.DB) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	err := d.Read(t.Context(), func(tx db.Tx) error {
		clear(out)
		err := journal.Audit(t.Context(), tx, func(s *journal.StoredEntry) error {
			s.Shard, s.Pos = 0, 0
			out["entry"] = append(out["entry"], fmt.Sprintf("%+v", *s))
			return nil
		})
		if err != nil {
			return err
		}
		for name, columns := range map[string]string{"conversation": "conv_no, app, conv, kind, title, acl_version, members, created",
			"membership":  "conv_no, usr, joined, app, role, from_seq, to_seq, read_seq, read_ord, latest",
			"idempotency": "client_id, app, sender, hash, conv_no, seq", "app": "id, name, login_policy, created, suspended",
			"app_secret": "kid, app, alg, key_id, sealed", "device_token": "app, user_id, hash, device, expires", "app_user": "app, id, created",
			"job": "id, kind, coalesce(key, 'none'), body", "fence": "id, user_id", "fence_head": "id, head"} {
			rows, err := tx.Query("SELECT " + columns + " FROM " + name)
			if err != nil {
				return err
			}
			for rows.Next() {
				row := make([]any, strings.Count(columns, ", ")+1-strings.Count(columns, "(key, "))
				dest := make([]any, len(row))
				for i := range row {
					dest[i] = &row[i]
				}
				if err := rows.Scan(dest...); err != nil {
					rows.Close()
					return fmt.Errorf("%s: %w", name, err)
				}
				for i := range row {
					if b, ok := row[i].([]byte); ok && len(b) == 0 {
						row[i] = nil
					}
				}
				out[name] = append(out[name], fmt.Sprintf("%#v", row))
			}
			if err := rows.Err(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range out {
		slices.Sort(l)
	}
	return out
}

// same fails the test unless two stores hold the same.
func same(t *testing.T, a, b map[string][]string) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(a)) {
		if slices.Equal(a[name], b[name]) {
			continue
		}
		t.Errorf("%s: %d rows and %d rows", name, len(a[name]), len(b[name]))
		for i := range a[name] {
			if i >= len(b[name]) || a[name][i] != b[name][i] {
				t.Errorf("row %d:\n%s\n%s", i, a[name][i], append(b[name], make([]string, i+1)...)[i])
				break
			}
		}
	}
}

// checkAll returns the names of what fsck finds.
func checkAll(t *testing.T, d *db.DB) (checks []string) {
	t.Helper()
	r, err := fsck.Check(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Findings {
		checks = append(checks, f.Check)
	}
	return checks
}

func sound(t *testing.T, d *db.DB) fsck.Report {
	t.Helper()
	r, err := fsck.Check(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	if !r.Sound() {
		t.Fatalf("%d findings, first %v", len(r.Findings), r.Findings[0])
	}
	return r
}

// pairs are the ways that a store can go.
func pairs(t *testing.T, run func(t *testing.T, from, to string)) {
	t.Run("SQLite to PostgreSQL", func(t *testing.T) { run(t, t.TempDir(), pgtest.DB(t)) })
	t.Run("PostgreSQL to SQLite", func(t *testing.T) { run(t, pgtest.DB(t), t.TempDir()) })
	t.Run("SQLite to SQLite", func(t *testing.T) { run(t, t.TempDir(), t.TempDir()) })
	t.Run("PostgreSQL to PostgreSQL", func(t *testing.T) { run(t, pgtest.DB(t), pgtest.DB(t)) })
}

func TestStoreMovesWhileItIsWrittenTo(t *testing.T) {
	pairs(t, func(t *testing.T, from, to string) {
		w := newWorld(t, from)
		w.others()
		w.fill(300)
		before := w.j.Incarnation()
		target := open(t, to)
		m, err := move.New(t.Context(), move.Options{From: w.d, To: target, FromName: "here", ToName: "there", Schema: makeSchema})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for ctx.Err() == nil {
					if err := w.say(); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		if err := m.Copy(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.exec("UPDATE app SET name = 'renamed'")
		w.exec("DELETE FROM device_token WHERE user_id = 'bob'")
		w.exec("UPDATE app_user SET id = 'renamed' WHERE id = 'bob'")
		r, err := m.Switch(t.Context(), func(context.Context) error {
			stop()
			wg.Wait()
			w.close()
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%+v", r)
		same(t, dump(t, w.d), dump(t, target))
		report := sound(t, target)
		if report.Entries != r.Entries || report.Incarnation != r.Incarnation || r.Incarnation == before || r.Entries < 300 {
			t.Errorf("%+v and %+v", report, r)
		}
		if _, err := journal.Open(t.Context(), w.d, journal.Options{}); im.CodeOf(err) != im.FailedPrecondition || !strings.Contains(err.Error(), "there") {
			t.Errorf("the source opens: %v", err)
		}
		n := &world{t: t, d: target, n: w.n}
		n.open()
		n.fill(50)
		n.close()
		sound(t, target)
		if moved, err := move.Undo(t.Context(), w.d, im.SystemEntropy()); !moved || err != nil {
			t.Fatal(moved, err)
		}
		w.open()
		w.fill(20)
		if w.j.Incarnation() == before {
			t.Error("the source goes on under its old incarnation")
		}
		sound(t, w.d)
	})
}
