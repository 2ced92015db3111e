package fsck_test

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/skein-im/skein/internal/auth"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/follow"
	"github.com/skein-im/skein/internal/fsck"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	"github.com/skein-im/skein/internal/pgtest"
)

type world struct {
	*testing.T
	d   *db.DB
	j   journal.Journal
	ids byte
	now time.Time
}

// Now implements im.Clock.
func (w *world) Now() time.Time { return w.now }

func (w *world) append(a journal.Append) journal.Result {
	w.Helper()
	w.ids++
	w.now = w.now.Add(time.Millisecond)
	id, err := im.NewClientID(w.now, strings.NewReader(strings.Repeat(string(rune('a'+w.ids%26)), 10)))
	if err != nil {
		w.Fatal(err)
	}
	a.App, a.ClientID = "demo", id
	if a.ACLVersion == 0 {
		a.ACLVersion = -1
	}
	r, err := journal.AppendWait(w.Context(), w.j, &a)
	if err != nil {
		w.Fatal(err)
	}
	return r
}

// newWorld stores something of every kind.
func newWorld(t *testing.T, target string) *world {
	w := &world{T: t, now: time.UnixMilli(1_800_000_000_000)}
	var err error
	if w.d, err = db.Open(t.Context(), target, db.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.d.Close() })
	if w.j, err = journal.Open(t.Context(), w.d, journal.Options{Clock: w, Shards: shards(w.d)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.j.Close(context.Background()) })
	if err := w.d.Migrate(t.Context(), "follow", follow.Migrations()); err != nil {
		t.Fatal(err)
	}
	if _, err := auth.New(t.Context(), auth.Options{DB: w.d, Clock: w, Entropy: im.SystemEntropy()}); err != nil {
		t.Fatal(err)
	}
	group := &journal.Create{Kind: im.ConvGroup, Title: "g", Members: []journal.NewMember{
		{User: "ann", Role: im.RoleOwner}, {User: "bob", Role: im.RoleMember}, {User: "cat", Role: im.RoleMember}}}
	say := func(body string) journal.Append {
		return journal.Append{Conv: "g1", Kind: im.KindMessage, Sender: "ann", Body: []byte(body), Create: group, MarkRead: true}
	}
	on := func(kind im.Kind, effect journal.Effect, target im.Seq) journal.Append {
		a := say("x")
		a.Kind, a.Effect, a.Target = kind, effect, target
		return a
	}
	change := func(list ...journal.MemberChange) journal.Append {
		a := say("m")
		a.Kind, a.Members = im.KindMembers, list
		return a
	}
	for _, a := range []journal.Append{say("one"), say("two"), say("three"), on(im.KindEdit, journal.ReplaceTarget, 1),
		on(im.KindReaction, journal.NoEffect, 2), on(im.KindEdit, journal.ReplaceTarget, 3), on(im.KindRecall, journal.BlankTarget, 3),
		change(journal.MemberChange{User: "cat"}), change(journal.MemberChange{User: "cat", Role: im.RoleMember, FromStart: true}),
		change(journal.MemberChange{User: "dan", Role: im.RoleAdmin}, journal.MemberChange{User: "bob"}, journal.MemberChange{User: "bob", Role: im.RoleMember})} {
		w.append(a)
	}
	for _, key := range []string{"draft/x", "draft/y", "draft/x"} {
		w.append(journal.Append{Conv: im.Self("ann"), Kind: im.KindKeyed, Sender: "ann", Key: key, Effect: journal.BlankKey, Body: []byte(key),
			Create: &journal.Create{Kind: im.ConvSelf, Members: []journal.NewMember{{User: "ann", Role: im.RoleOwner}}}})
	}
	w.append(journal.Append{Conv: im.Direct("ann", "bob"), Kind: im.KindMessage, Sender: "bob", Body: []byte("hi"), MarkRead: true,
		Create: &journal.Create{Kind: im.ConvDirect, Members: []journal.NewMember{{User: "ann", Role: im.RoleMember}, {User: "bob", Role: im.RoleMember}}}})
	for user, seq := range map[im.UserID]im.Seq{"cat": 9, "dan": 1 << 40} {
		if _, err := w.j.Mark(t.Context(), "demo", "g1", user, seq); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func shards(d *db.DB) int {
	if d.Dialect() == db.Postgres {
		return 3
	}
	return 1
}

func (w *world) sql(query string, args ...any) {
	w.Helper()
	err := w.d.Write(w.Context(), func(tx db.Tx) error {
		n, err := tx.Exec(query, args...)
		if err == nil && n == 0 {
			return errors.New("it changed nothing")
		}
		return err
	})
	if err != nil {
		w.Fatalf("%s: %v", query, err)
	}
}

func (w *world) check() fsck.Report {
	w.Helper()
	r, err := fsck.Check(w.Context(), w.d)
	if err != nil {
		w.Fatal(err)
	}
	return r
}

func engines(t *testing.T, run func(*testing.T, string)) {
	t.Run("SQLite", func(t *testing.T) { run(t, t.TempDir()) })
	t.Run("PostgreSQL", func(t *testing.T) { run(t, pgtest.DB(t)) })
}

func TestSoundJournalHasNoFindings(t *testing.T) {
	engines(t, func(t *testing.T, target string) {
		w := newWorld(t, target)
		w.sql("INSERT INTO follower (name, shard, incarnation, pos, epoch, owner) VALUES ('push', 0, $1, 1, 1, ''), ('old', 0, 'another', 999, 1, '')", w.j.Incarnation())
		w.cursor(1)
		r := w.check()
		if !r.Sound() || r.More != 0 {
			t.Fatalf("%v", r.Findings)
		}
		r.Findings = nil
		want := fsck.Report{Engine: w.d.Dialect().String(), Incarnation: w.j.Incarnation(), Shards: w.j.Shards(), Conversations: 3, Entries: 14,
			Messages: 4, Recalled: 1, Memberships: 9, Keys: 14, Followers: 2, Devices: int64(w.j.Shards())}
		if fmt.Sprint(r) != fmt.Sprint(want) {
			t.Fatalf("\n%+v\n%+v", r, want)
		}
		if b, err := json.Marshal(r); err != nil || !strings.Contains(string(b), `"idempotency_keys":14`) {
			t.Fatal(string(b), err)
		}
		// Keys from before a purge need not be there.
		n, err := journal.PurgeIdempotency(t.Context(), w.j, im.MicrosOf(w.now.Add(-3*time.Millisecond)))
		if err != nil || n != 10 {
			t.Fatal(n, err)
		}
		if r := w.check(); !r.Sound() || r.Keys != 4 {
			t.Fatalf("after a purge: %v", r.Findings)
		}
	})
}

// cursor gives a device a cursor at a position of every shard.
func (w *world) cursor(pos uint64) {
	inc, err := hex.DecodeString(w.j.Incarnation())
	if err != nil {
		w.Fatal(err)
	}
	b := append([]byte{1}, inc...)
	b = binary.AppendUvarint(b, uint64(w.j.Shards()))
	for range w.j.Shards() {
		b = append(binary.AppendUvarint(b, pos), 0, 0)
	}
	w.sql(`INSERT INTO device (app, user_id, id, platform, name, created, last_seen, revoked, token_valid_from, shown_cut, fence, cursor_ack)
VALUES ('demo', 'ann', 'phone', 1, '', 0, 0, 0, 0, 0, 0, $1)`, append(b, make([]byte, 12)...))
}

func TestEveryKindOfDamageIsFound(t *testing.T) {
	const g1 = "(SELECT conv_no FROM conversation WHERE conv = 'g1')"
	damages := []struct{ name, check, sql string }{
		{"a body that was flipped", "hash", "UPDATE entry SET body = previous WHERE kind = 2 AND previous IS NOT NULL AND conv_no = " + g1},
		{"a sender that was changed", "hash", "UPDATE entry SET sender = 'eve' WHERE seq = 2 AND conv_no = " + g1},
		{"an entry that moved to another conversation", "hash", "UPDATE entry SET conv_no = (SELECT conv_no FROM conversation WHERE conv = '~ann'), seq = 99 WHERE seq = 10 AND conv_no = " + g1},
		{"a lost entry", "seq", "DELETE FROM entry WHERE seq = 5 AND conv_no = " + g1},
		{"a lost entry leaves a hole in its shard", "pos", "DELETE FROM entry WHERE seq = 5 AND conv_no = " + g1},
		{"a lost newest entry", "head", "DELETE FROM entry WHERE seq = 1 AND conv_no = (SELECT conv_no FROM conversation WHERE conv LIKE '@%')"},
		{"an ord that skips", "ord", "UPDATE entry SET ord = ord + 1 WHERE seq >= 6 AND conv_no = " + g1},
		{"a time that runs back", "time", "UPDATE entry SET time = time - 1000000 WHERE seq = 4 AND conv_no = " + g1},
		{"a shard's head that went back", "head", "UPDATE shard SET head = head - 1 WHERE head > 1"},
		{"a key that is gone", "idempotency", "DELETE FROM idempotency WHERE seq = 2"},
		{"a key of another entry", "idempotency", "UPDATE idempotency SET seq = 6 WHERE seq = 5 AND sender = 'ann'"},
		{"a key of no entry", "idempotency", "UPDATE idempotency SET seq = 600 WHERE seq = 5"},
		{"a key of another app", "idempotency", "UPDATE idempotency SET app = 'other' WHERE seq = 5"},
		{"a conversation that is gone", "reference", "DELETE FROM conversation WHERE conv = 'g1'"},
		{"a conversation without entries", "reference", "UPDATE entry SET conv_no = 77 WHERE conv_no = (SELECT conv_no FROM conversation WHERE conv LIKE '@%')"},
		{"a kind that its id does not have", "reference", "UPDATE conversation SET kind = 3 WHERE conv = 'g1'"},
		{"a target that is not there", "reference", "UPDATE entry SET target = 40 WHERE kind = 2 AND seq = 4"},
		{"a membership of nothing", "reference", "UPDATE membership SET conv_no = 77 WHERE usr = 'dan'"},
		{"two owners", "owner", "UPDATE membership SET role = 3 WHERE usr = 'dan'"},
		{"no owner", "owner", "UPDATE membership SET role = 2 WHERE usr = 'ann' AND conv_no = " + g1},
		{"a stranger in a direct conversation", "owner", "UPDATE membership SET usr = 'eve' WHERE usr = 'bob' AND conv_no <> " + g1},
		{"a self conversation of somebody else", "owner", "UPDATE membership SET usr = 'eve' WHERE usr = 'ann' AND conv_no = (SELECT conv_no FROM conversation WHERE conv = '~ann')"},
		{"a wrong count of members", "head", "UPDATE conversation SET members = 9 WHERE conv = 'g1'"},
		{"an acl_version that is too low", "acl", "UPDATE conversation SET acl_version = 2 WHERE conv = 'g1'"},
		{"an acl_version that is too high", "acl", "UPDATE conversation SET acl_version = 99 WHERE conv = 'g1'"},
		{"intervals that overlap", "membership", "UPDATE membership SET to_seq = 11 WHERE usr = 'cat' AND latest = 0"},
		{"an interval that never ended", "membership", "UPDATE membership SET to_seq = 0 WHERE usr = 'cat' AND latest = 0"},
		{"an interval that ends before it begins", "membership", "UPDATE membership SET to_seq = 3 WHERE usr = 'dan'"},
		{"an interval that begins past the head", "membership", "UPDATE membership SET joined = 50, from_seq = 50 WHERE usr = 'dan'"},
		{"a newest interval that is not marked", "membership", "UPDATE membership SET latest = 0 WHERE usr = 'dan'"},
		{"a role that is none", "membership", "UPDATE membership SET role = 7 WHERE usr = 'bob' AND conv_no <> " + g1},
		{"a change past the head", "membership", "UPDATE membership SET changed_pos = 4000 WHERE usr = 'dan'"},
		{"a read marker past the head", "marker", "UPDATE membership SET read_seq = 4000 WHERE usr = 'dan'"},
		{"a read marker with the wrong ord", "marker", "UPDATE membership SET read_ord = read_ord + 1 WHERE usr = 'dan'"},
		{"a conversation changed past the head", "head", "UPDATE conversation SET changed_pos = 4000 WHERE conv = 'g1'"},
		{"a slot that is lost", "slot", "UPDATE entry SET slot = '' WHERE slot = 'draft/y'"},
		{"a slot of another key", "slot", "UPDATE entry SET slot = 'draft/z' WHERE slot = 'draft/y'"},
		{"a recalled body that came back", "recall", "UPDATE entry SET body = hash_body.body FROM (SELECT body FROM entry WHERE seq = 2 AND body IS NOT NULL LIMIT 1) hash_body WHERE flags = 2"},
		{"a recalled edit that came back", "recall", "UPDATE entry SET body = hash_body.body FROM (SELECT body FROM entry WHERE seq = 2 AND body IS NOT NULL LIMIT 1) hash_body WHERE kind = 2 AND target = 3"},
		{"a follower ahead of its shard", "cursor", "INSERT INTO follower (name, shard, incarnation, pos, epoch, owner) VALUES ('push', 0, (SELECT value FROM journal_meta WHERE name = 'incarnation'), 5000, 1, '')"},
		{"a follower of no shard", "cursor", "INSERT INTO follower (name, shard, incarnation, pos, epoch, owner) VALUES ('push', 64, (SELECT value FROM journal_meta WHERE name = 'incarnation'), 1, 1, '')"},
		{"users that are not counted", "count", "INSERT INTO app_count (app, users) VALUES ('demo', 7)"},
		{"a lost incarnation", "head", "DELETE FROM journal_meta WHERE name = 'incarnation'"},
	}
	engines(t, func(t *testing.T, target string) {
		w := newWorld(t, target)
		for _, c := range damages {
			t.Run(c.name, func(t *testing.T) {
				w := &world{T: t, d: w.d, j: w.j}
				for _, f := range w.damaged(c.sql).Findings {
					if f.Check == c.check {
						return
					}
				}
				t.Fatalf("no finding of %q", c.check)
			})
		}
		if r := w.check(); !r.Sound() {
			t.Fatalf("a damage was not taken back: %v", r.Findings)
		}
	})
}

// errBack takes a transaction back.
var errBack = errors.New("take it back")

// damaged checks the store as it is after a statement, which is then taken
// back, so that one world serves all kinds of damage.
func (w *world) damaged(query string) (r fsck.Report) {
	w.Helper()
	err := w.d.Write(w.Context(), func(tx db.Tx) error {
		n, err := tx.Exec(query)
		if err != nil {
			return err
		}
		if n == 0 {
			return errors.New("it changed nothing")
		}
		if r, err = fsck.CheckTx(w.Context(), tx); err != nil {
			return err
		}
		return errBack
	})
	if !errors.Is(err, errBack) {
		w.Fatalf("%s: %v", query, err)
	}
	return r
}

func TestDeviceCursorAheadOfTheJournalIsFound(t *testing.T) {
	w := newWorld(t, t.TempDir())
	w.cursor(5000)
	r := w.check()
	if len(r.Findings) != 1 || r.Findings[0].Check != "cursor" || !strings.Contains(r.Findings[0].String(), "phone") {
		t.Fatalf("%v", r.Findings)
	}
}

func TestAWrongCountOfGroupsIsFound(t *testing.T) {
	engines(t, func(t *testing.T, target string) {
		w := newWorld(t, target)
		// As feature/usage makes them.
		if err := w.d.Write(t.Context(), func(tx db.Tx) error {
			for _, query := range []string{"CREATE TABLE group_place (app TEXT, conv TEXT, shard BIGINT, since BIGINT)", "CREATE TABLE group_count (app TEXT, places BIGINT)",
				"INSERT INTO group_place (app, conv, shard, since) VALUES ('demo', 'g1', 0, 1)", "INSERT INTO group_count (app, places) VALUES ('demo', 1), ('empty', 0)"} {
				if _, err := tx.Exec(query); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if r := w.check(); !r.Sound() {
			t.Fatalf("what is right: %v", r.Findings)
		}
		w.sql("DELETE FROM group_place")
		if r := w.check(); len(r.Findings) != 1 || r.Findings[0].Check != "count" || r.Findings[0].App != "demo" {
			t.Fatalf("%v", r.Findings)
		}
	})
}

func TestWrongCountsAndPlacesOfFilesAreFound(t *testing.T) {
	engines(t, func(t *testing.T, target string) {
		w := newWorld(t, target)
		// As feature/file makes them, as far as they are looked at.
		if err := w.d.Write(t.Context(), func(tx db.Tx) error {
			for _, query := range []string{"CREATE TABLE file (app TEXT, id TEXT, owner TEXT, sum BIGINT, size BIGINT, refs BIGINT)", "CREATE TABLE file_ref (app TEXT, file TEXT)",
				"CREATE TABLE file_upload (app TEXT, owner TEXT, size BIGINT, done BIGINT, store TEXT)", "CREATE TABLE file_bytes (app TEXT, sum BIGINT, uses BIGINT, store TEXT)",
				"CREATE TABLE file_app (app TEXT, bytes BIGINT)", "CREATE TABLE file_user (app TEXT, owner TEXT, bytes BIGINT)", "CREATE TABLE file_store (id TEXT, app TEXT)",
				"INSERT INTO file (app, id, owner, size, refs) VALUES ('demo', 'f', 'ann', 10, 0), ('demo', 'g', '', 5, 0)", "INSERT INTO file_bytes (app, sum, uses, store) VALUES ('demo', 7, 1, ''), ('demo', 8, 1, 's')",
				"CREATE TABLE file_media (app TEXT, sum BIGINT)", "CREATE TABLE file_preview (app TEXT, sum BIGINT)",
				"INSERT INTO file_media (app, sum) VALUES ('demo', 7)", "INSERT INTO file_preview (app, sum) VALUES ('demo', 7), ('demo', 7)",
				"INSERT INTO file_upload (app, owner, size, done, store) VALUES ('demo', 'bob', 3, 0, 's'), ('demo', 'ann', 10, 1, '')",
				"INSERT INTO file_app (app, bytes) VALUES ('demo', 18), ('empty', 0)", "INSERT INTO file_user (app, owner, bytes) VALUES ('demo', 'ann', 10), ('demo', 'bob', 3)", "INSERT INTO file_store (id, app) VALUES ('s', 'demo')"} {
				if _, err := tx.Exec(query); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if r := w.check(); !r.Sound() {
			t.Fatalf("what is right: %v", r.Findings)
		}
		for i, wrong := range []struct{ broken, mend, check, says string }{
			{"UPDATE file_app SET bytes = 19 WHERE app = 'demo'", "UPDATE file_app SET bytes = 18 WHERE app = 'demo'", "count", "19 bytes of files"},
			{"UPDATE file_user SET bytes = 4 WHERE owner = 'bob'", "UPDATE file_user SET bytes = 3 WHERE owner = 'bob'", "count", "14 bytes of users' files"},
			{"UPDATE file_preview SET sum = 9", "UPDATE file_preview SET sum = 7", "reference", "2 rows of file_preview"},
			{"UPDATE file_media SET sum = 9", "UPDATE file_media SET sum = 7", "reference", "1 rows of file_media"},
			{"UPDATE file_store SET app = 'other'", "UPDATE file_store SET app = 'demo'", "reference", "1 rows of file_"},
		} {
			w.sql(wrong.broken)
			r := w.check()
			if len(r.Findings) == 0 || r.Findings[0].Check != wrong.check || r.Findings[0].App != "demo" || !strings.Contains(r.Findings[0].Detail, wrong.says) {
				t.Errorf("%d: %v", i, r.Findings)
			}
			w.sql(wrong.mend)
		}
	})
}

func TestFindingsAreBounded(t *testing.T) {
	w := newWorld(t, t.TempDir())
	w.sql(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
INSERT INTO membership (conv_no, usr, joined, app, role, from_seq, to_seq, read_seq, read_ord, changed_pos, latest)
SELECT 999, 'u' || i, 1, 'demo', 1, 1, 0, 0, 0, 0, 1 FROM n`)
	r := w.check()
	if len(r.Findings) != fsck.MaxFindings || r.More != 300-fsck.MaxFindings {
		t.Fatalf("%d and %d more", len(r.Findings), r.More)
	}
}

func TestDatabaseWithoutJournalIsAnError(t *testing.T) {
	d, err := db.Open(t.Context(), t.TempDir(), db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	if _, err := fsck.Check(t.Context(), d); im.CodeOf(err) != im.FailedPrecondition {
		t.Fatal(err)
	}
}
