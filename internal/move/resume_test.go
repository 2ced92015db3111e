package move_test

import (
	"context"
	"strings"
	"testing"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	"github.com/skein-im/skein/internal/move"
	"github.com/skein-im/skein/internal/pgtest"
)

func options(w *world, to *db.DB) move.Options {
	return move.Options{From: w.d, To: to, FromName: "here", ToName: "there", Schema: makeSchema}
}

// interrupt copies until so many reports of progress have come.
func interrupt(t *testing.T, o move.Options, after int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o.Progress = func(move.Progress) {
		if after--; after == 0 {
			cancel()
		}
	}
	m, err := move.New(ctx, o)
	if err == nil {
		err = m.Copy(ctx)
	}
	if err == nil {
		t.Fatal("it ended before it was interrupted")
	}
}

// stopped is for a source that no server runs on.
func stopped(context.Context) error { return nil }

func TestInterruptedMoveIsTakenUpWhereItWasAndFindsWhatHasChangedSince(t *testing.T) {
	pairs(t, func(t *testing.T, from, to string) {
		w := newWorld(t, from)
		w.others()
		w.fill(150)
		target := open(t, to)
		for _, after := range []int{1, 3, 5, 7, 9} {
			interrupt(t, options(w, target), after)
			if _, err := journal.Open(t.Context(), target, journal.Options{}); im.CodeOf(err) != im.FailedPrecondition {
				t.Fatalf("what was copied in part opens: %v", err)
			}
			w.fill(40)
			w.exec("UPDATE app_user SET seen_iat = seen_iat + 1")
		}
		o := options(w, target)
		o.FromName = "somewhere else"
		if _, err := move.New(t.Context(), o); im.CodeOf(err) != im.FailedPrecondition || !strings.Contains(err.Error(), "here") {
			t.Errorf("another source went on with it: %v", err)
		}
		m, err := move.New(t.Context(), options(w, target))
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Copy(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.close()
		if _, err := m.Switch(t.Context(), stopped); err != nil {
			t.Fatal(err)
		}
		same(t, dump(t, w.d), dump(t, target))
		sound(t, target)
	})
}

// A crash after the source was marked and before the target is released leaves
// neither open; the same command ends it.
func TestMoveThatWasInterruptedWithinItsSwitchIsEndedByAnotherRun(t *testing.T) {
	w := newWorld(t, t.TempDir())
	w.others()
	w.fill(60)
	w.close()
	target := open(t, pgtest.DB(t))
	m, err := move.New(t.Context(), options(w, target))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Copy(t.Context()); err != nil {
		t.Fatal(err)
	}
	mark, _, err := journal.Marked(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := move.Undo(t.Context(), w.d, im.SystemEntropy()); err != nil { // takes the triggers away, as the switch does
		t.Fatal(err)
	}
	err = w.d.Write(t.Context(), func(tx db.Tx) error {
		return journal.SetMark(tx, journal.Mark{Moved: true, Where: "there", Run: mark.Run})
	})
	if err != nil {
		t.Fatal(err)
	}
	if m, err = move.New(t.Context(), options(w, target)); err == nil {
		err = m.Copy(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	r, err := m.Switch(t.Context(), stopped)
	if err != nil {
		t.Fatal(err)
	}
	same(t, dump(t, w.d), dump(t, target))
	if report := sound(t, target); report.Incarnation != r.Incarnation {
		t.Errorf("%+v", r)
	}
	if _, err := journal.Open(t.Context(), w.d, journal.Options{}); im.CodeOf(err) != im.FailedPrecondition {
		t.Errorf("the source opens too: %v", err)
	}
}

func TestInterruptedMoveIsThrownAwayWithRestart(t *testing.T) {
	w := newWorld(t, t.TempDir())
	w.others()
	w.fill(80)
	target := open(t, pgtest.DB(t))
	interrupt(t, options(w, target), 10)
	o := options(w, target)
	o.FromName, o.Restart = "here, by another name", true
	m, err := move.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Copy(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.close()
	if _, err := m.Switch(t.Context(), stopped); err != nil {
		t.Fatal(err)
	}
	same(t, dump(t, w.d), dump(t, target))
	sound(t, target)
}

func TestMoveIsNeverMadeIntoAStoreThatIsUsed(t *testing.T) {
	w := newWorld(t, t.TempDir())
	w.fill(3)
	used := newWorld(t, pgtest.DB(t))
	used.fill(1)
	used.close()
	if _, err := move.New(t.Context(), options(w, used.d)); im.CodeOf(err) != im.FailedPrecondition || !strings.Contains(err.Error(), "not empty") {
		t.Error(err)
	}
	served := open(t, pgtest.DB(t))
	if err := makeSchema(t.Context(), served); err != nil {
		t.Fatal(err)
	}
	s := &world{t: t, d: served}
	s.exec("INSERT INTO node_lease (node, epoch, applied, lease_until) VALUES ('n', 'e', 0, $1)", int64(1)<<60)
	if _, err := move.New(t.Context(), options(w, served)); im.CodeOf(err) != im.FailedPrecondition || !strings.Contains(err.Error(), "a server runs") {
		t.Error(err)
	}
}

// What the copy has lost, changed or made up is found before the switch, and
// then nothing is switched.
func TestCopyThatDiffersIsFoundAndNothingIsSwitched(t *testing.T) {
	for name, damage := range map[string]string{
		"a lost entry":           "DELETE FROM entry WHERE conv_no = (SELECT min(conv_no) FROM conversation) AND seq = 5",
		"a changed entry":        "UPDATE entry SET body = 'else' WHERE conv_no = (SELECT min(conv_no) FROM conversation) AND seq = 5",
		"a lost idempotency row": "DELETE FROM idempotency WHERE client_id = (SELECT client_id FROM idempotency ORDER BY client_id LIMIT 1)",
		"a row too many":         "INSERT INTO app_user (app, id, created, tokens_valid_from, seen_iat) VALUES ('demo', 'eve', 1, 0, 0)",
		"another role":           "UPDATE membership SET role = 3 WHERE usr = 'bob'",
		"another read marker":    "UPDATE membership SET read_seq = 0, read_ord = 0 WHERE usr = 'ann'",
		"another shard":          "UPDATE entry SET shard = 63 - shard, pos = pos + 100000 WHERE seq = 3",
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, t.TempDir())
			w.others()
			w.fill(60)
			target := open(t, pgtest.DB(t))
			broken := false
			o := options(w, target)
			o.Progress = func(p move.Progress) {
				if p.Step == "copy" && p.What == "membership" && !broken { // the last table of all
					broken = true
					x := &world{t: t, d: target}
					x.exec(damage)
				}
			}
			m, err := move.New(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			err = m.Copy(t.Context())
			w.close()
			if err == nil {
				_, err = m.Switch(t.Context(), stopped)
			}
			if im.CodeOf(err) != im.DataLoss || !broken {
				t.Fatalf("it was not found: %v", err)
			}
			w.open() // the source is served as before
			w.fill(3)
			if _, err := journal.Open(t.Context(), target, journal.Options{}); im.CodeOf(err) != im.FailedPrecondition {
				t.Errorf("the copy opens: %v", err)
			}
		})
	}
}
