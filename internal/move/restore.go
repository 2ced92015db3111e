package move

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
)

// RestoreOptions say where Restore shall put a backup.
type RestoreOptions struct {
	To     *db.DB
	ToName string // for people
	// Schema makes the tables in To, and a journal without entries.
	Schema func(context.Context, *db.DB) error
	// Overwrite empties To first, in place of refusing when it is not empty.
	Overwrite bool
	// Key takes the key that seals the apps' secrets, when the backup has it.
	Key      func([]byte) error
	Entropy  im.Entropy     // nil = the machine's
	Clock    im.Clock       // nil = the machine's clock
	Progress func(Progress) // can be nil
}

// Restored is what a restore did.
type Restored struct {
	Manifest
	// Fresh is the new incarnation, by which devices compare what they hold
	// by (conversation, seq, client id).
	Fresh string
}

// Restore fills an empty database from a backup. Until all of it was read and
// found sound, and everything was stored, the database carries a mark and no
// server opens it: a backup that is cut off leaves nothing that could be taken
// for a restored one.
func Restore(ctx context.Context, r io.Reader, o RestoreOptions) (out Restored, err error) {
	if o.Entropy == nil {
		o.Entropy = im.SystemEntropy()
	}
	if o.Clock == nil {
		o.Clock = im.SystemClock{}
	}
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	// What a Move knows of a target fits; it has no source.
	x := &restore{o: o, m: &Move{o: Options{To: o.To, ToName: o.ToName, FromName: "a backup", Schema: o.Schema, Entropy: o.Entropy, Clock: o.Clock},
		convs: map[int64]convName{}}, ctx: ctx, begin: im.MicrosOf(o.Clock.Now())}
	out.Manifest, err = readBackup(r, contents{header: x.header, key: o.Key, entries: x.entries, rows: x.rows})
	if err != nil {
		return out, fmt.Errorf("restore: %w", err)
	}
	if err := numberOn(ctx, o.To); err != nil {
		return out, err
	}
	out.Fresh, err = release(ctx, o.To, out.Purged, o.Entropy)
	return out, err
}

// restore is one run of Restore.
type restore struct {
	o     RestoreOptions
	m     *Move
	h     *Header
	ctx   context.Context // of the one call
	begin im.Micros
	done  map[string]int64
}

// header prepares the database when it is known what comes.
func (x *restore) header(h *Header) error {
	x.h, x.done = h, map[string]int64{}
	mark, marked, err := journal.Marked(x.ctx, x.o.To)
	switch {
	case err != nil:
		return err
	case marked && !x.o.Overwrite:
		return &im.Error{Code: im.FailedPrecondition, Message: x.o.ToName + " holds an unfinished copy of " + mark.Where,
			Hint: "add --overwrite to throw it away"}
	case !marked:
		if err := x.o.Schema(x.ctx, x.o.To); err != nil {
			return fmt.Errorf("make the tables in %s: %w", x.o.ToName, err)
		}
	}
	if !x.o.Overwrite {
		err = empty(x.ctx, x.o.To, x.o.ToName)
	} else if n, err2 := Nodes(x.ctx, x.o.To); err2 != nil || n > 0 {
		return orRunning(err2, x.o.ToName)
	}
	if err != nil {
		return err
	}
	if err := x.m.begin(x.ctx); err != nil { // first the mark: from here on nobody opens it
		return err
	}
	if x.o.Overwrite {
		if err := x.m.wipe(x.ctx); err != nil {
			return err
		}
	}
	return x.o.To.Read(x.ctx, func(tx db.Tx) (err error) {
		here, err := schemaOf(tx)
		if err != nil {
			return err
		}
		if err := h.Schema.check(here); err != nil {
			return err
		}
		if err := known(tx, h.Tables); err != nil {
			return err
		}
		x.m.heads, err = journal.Heads(tx)
		return err
	})
}

// known makes sure that a backup names tables and columns that are there: they
// go into statements.
func known(tx db.Tx, tables []table) error {
	here, err := tablesOf(tx)
	if err != nil {
		return err
	}
	for i := range tables {
		t := &tables[i]
		at := slices.IndexFunc(here, func(o table) bool { return t.same(&o) })
		if at < 0 || !slices.Equal(t.keyNames(), here[at].keyNames()) {
			return errDamaged(fmt.Sprintf("the database has no table %q like it", t.Name))
		}
	}
	return nil
}

func orRunning(err error, name string) error {
	if err != nil {
		return err
	}
	return im.Errorf(im.FailedPrecondition, "a server runs on %s: stop it first", name)
}

func (x *restore) progress(what string, n int, total int64) {
	x.done[what] += int64(n)
	x.o.Progress(Progress{Step: "restore", What: what, Done: x.done[what], Total: total, Elapsed: x.o.Clock.Now().Sub(x.begin.Time())})
}

// entries stores a chunk of entries at new places.
func (x *restore) entries(list []journal.Raw) error {
	m := x.m
	old := append([]im.Pos(nil), m.heads...)
	rows := make([][]any, len(list))
	for i := range list {
		s := m.shard(convName{list[i].App, list[i].Conv})
		m.heads[s]++
		list[i].Place(s, m.heads[s])
		rows[i] = list[i].Values
	}
	err := fill(x.ctx, x.o.To, func(s sink) error {
		if err := s.insert("entry", journal.EntryColumns(), rows); err != nil {
			return err
		}
		return putHeads(s, old, m.heads)
	})
	var total int64
	for _, p := range x.h.Heads {
		total += int64(p)
	}
	x.progress("entry", len(list), total)
	return err
}

// rows stores a chunk of a table. Conversations come before the tables that
// refer to them, so that their names are in the database.
func (x *restore) rows(t *table, rows [][]any) error {
	out := make([][]any, len(rows))
	for i, row := range rows {
		if t.Name == "conversation" {
			no, _ := row[t.column("conv_no")].(int64)
			app, _ := row[t.column("app")].(string)
			conv, _ := row[t.column("conv")].(string)
			if len(x.m.convs) >= maxNames {
				clear(x.m.convs)
			}
			x.m.convs[no] = convName{im.AppID(app), im.ConvID(conv)}
		} else if err := x.o.To.Read(x.ctx, func(tx db.Tx) error { return x.m.name(tx, t, row) }); err != nil {
			return err
		}
		out[i] = x.m.transform(t, row, x.h.Heads)
	}
	err := fill(x.ctx, x.o.To, func(s sink) error {
		if x.done[t.Name] == 0 {
			if err := s.exec("DELETE FROM " + t.Name); err != nil { // what a fresh schema begins with
				return err
			}
		}
		return s.insert(t.Name, t.names(), out)
	})
	x.progress(t.Name, len(rows), 0)
	return err
}

func unmarshal(payload []byte, v any) error {
	if err := json.Unmarshal(payload, v); err != nil {
		return errDamaged("its header or its end cannot be read")
	}
	return nil
}
