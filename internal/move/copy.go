package move

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
)

// batch is what one pass takes from one snapshot of the source.
type batch struct {
	noted   *noted
	from    []im.Pos      // the source's heads
	entries []journal.Raw // new ones, by shard and pos
	changed []journal.Raw // copied before
	upserts map[string][][]any
	removes map[string][][]any
	more    bool
}

// size is the number of rows that a batch writes.
func (b *batch) size() int {
	n := len(b.entries) + len(b.changed)
	for _, l := range b.upserts {
		n += len(l)
	}
	for _, l := range b.removes {
		n += len(l)
	}
	return n
}

// pass copies changes that were noted, then new entries, in one transaction
// each way: when it returns more = false, the target is the source as it was
// at one moment.
func (m *Move) pass(ctx context.Context) (n int, more bool, err error) {
	b := &batch{upserts: map[string][][]any{}, removes: map[string][][]any{}}
	err = m.o.From.Read(ctx, func(tx db.Tx) error {
		if err := patient(ctx, tx); err != nil {
			return err
		}
		return m.take(tx, b)
	})
	if err != nil {
		return 0, false, err
	}
	if err := m.put(ctx, b); err != nil {
		return 0, false, err
	}
	return b.size(), b.more, m.source.forget(ctx, b.noted)
}

func (m *Move) take(tx db.Tx, b *batch) (err error) {
	if b.from, err = journal.Heads(tx); err != nil {
		return err
	}
	if b.noted, err = readNoted(tx); err != nil {
		return err
	}
	if err := m.takeChanged(tx, b); err != nil {
		return err
	}
	for i := range m.tables {
		if t := &m.tables[i]; m.done[t.Name] {
			if err := m.takeRows(tx, b, t); err != nil {
				return err
			}
		}
	}
	if b.more = !b.noted.all; b.more {
		// New entries may stand where a changed one stood, for example as the
		// newest of a key: all changes come first.
		return nil
	}
	room, bytes := chunk, 0
	for s := 0; s < m.from && !b.more; s++ {
		list, err := journal.RawAfter(tx, s, m.copied[s], room)
		if err != nil {
			return err
		}
		b.entries = append(b.entries, list...)
		room -= len(list)
		for i := range list {
			bytes += list[i].Size()
		}
		b.more = room == 0 || bytes >= journal.RawBytes
	}
	return nil
}

// takeChanged reads entries again that are in the target already.
func (m *Move) takeChanged(tx db.Tx, b *batch) error {
	var nos, seqs []int64
	t := entryTable()
	for text := range b.noted.keys["entry"] {
		key, err := t.parseKey(text)
		if err != nil {
			return err
		}
		nos, seqs = append(nos, key[0].(int64)), append(seqs, key[1].(int64))
	}
	list, err := journal.RawEntries(tx, nos, seqs)
	for _, r := range list {
		if r.Pos() <= m.copied[r.Shard()] {
			b.changed = append(b.changed, r)
		}
	}
	return err
}

// takeRows reads the rows of a table that have changed.
func (m *Move) takeRows(tx db.Tx, b *batch, t *table) error {
	for text := range b.noted.keys[t.Name] {
		key, err := t.parseKey(text)
		if err != nil {
			return err
		}
		row, err := t.row(tx, key)
		if err != nil {
			return err
		}
		if row == nil {
			b.removes[t.Name] = append(b.removes[t.Name], key)
			continue
		}
		if err := m.name(tx, t, row); err != nil {
			return err
		}
		b.upserts[t.Name] = append(b.upserts[t.Name], row)
	}
	return nil
}

// maxNames bounds the conversations whose names are remembered.
const maxNames = 50_000

// name remembers the names of the conversation that a row is about, by which
// its shard is found.
func (m *Move) name(tx db.Tx, t *table, row []any) error {
	if !slices.Contains(placedTables(), t.Name) {
		return nil
	}
	no, _ := row[t.column("conv_no")].(int64)
	if _, ok := m.convs[no]; ok {
		return nil
	}
	rows, err := tx.Query("SELECT conv_no, app, conv FROM conversation WHERE conv_no >= $1 ORDER BY conv_no LIMIT 200", no)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var n int64
		var c convName
		if err := rows.Scan(&n, &c.app, &c.conv); err != nil {
			return err
		}
		if len(m.convs) >= maxNames {
			clear(m.convs)
		}
		m.convs[n] = c
	}
	return rows.Err()
}

// transform gives a row the target's places.
func (m *Move) transform(t *table, row []any, from []im.Pos) []any {
	if !slices.Contains(placedTables(), t.Name) {
		return row
	}
	no, _ := row[t.column("conv_no")].(int64)
	return transform(t, row, m.convs[no], placer{from, m.heads})
}

func transform(t *table, row []any, c convName, p placer) []any {
	row = slices.Clone(row)
	shard := journal.ShardOf(c.app, c.conv, len(p.to))
	if i := t.column("shard"); i >= 0 {
		row[i] = int64(shard)
	}
	if i := t.column("changed_pos"); i >= 0 {
		pos, _ := row[i].(int64)
		row[i] = p.changed(pos, journal.ShardOf(c.app, c.conv, len(p.from)), shard)
	}
	return row
}

// updateEntry writes an entry over itself: all that can change, and the hash.
const updateEntry = `UPDATE entry SET version = $1, flags = $2, body = $3, previous = $4, slot = $5, hash = $6 WHERE conv_no = $7 AND seq = $8`

// put writes a batch.
func (m *Move) put(ctx context.Context, b *batch) error {
	if b.size() == 0 {
		return nil
	}
	changed, err := m.placeChanged(ctx, b.changed)
	if err != nil {
		return err
	}
	heads, copied := slices.Clone(m.heads), slices.Clone(m.copied)
	rows := make([][]any, len(b.entries))
	for i := range b.entries {
		r := b.entries[i]
		copied[r.Shard()] = r.Pos()
		r.Values = slices.Clone(r.Values)
		s := m.shard(convName{r.App, r.Conv})
		heads[s]++
		if !r.Place(s, heads[s]) {
			m.result.Damaged++
			m.o.Log.Warn("a damaged entry is copied as it is", "app", r.App, "conv", r.Conv, "seq", r.Seq())
		}
		rows[i] = r.Values
	}
	err = fill(ctx, m.o.To, func(s sink) error {
		if err := s.each(updateEntry, changed); err != nil {
			return err
		}
		if err := s.insert("entry", journal.EntryColumns(), rows); err != nil {
			return err
		}
		if err := putHeads(s, m.heads, heads); err != nil {
			return err
		}
		old := m.heads
		m.heads = heads // what rows of other tables are placed by
		defer func() { m.heads = old }()
		if err := m.putRows(s, b); err != nil {
			return err
		}
		return note(s, "copied", places(copied))
	})
	if err == nil {
		m.heads, m.copied = heads, copied
		if !m.loading { // all is compared later
			m.suspect.addBatch(b, m.tables)
		}
	}
	return err
}

func (m *Move) putRows(s sink, b *batch) error {
	for i := range m.tables {
		t := &m.tables[i]
		if err := remove(s, t, b.removes[t.Name]); err != nil {
			return err
		}
		var list [][]any
		for _, row := range b.upserts[t.Name] {
			list = append(list, m.transform(t, row, b.from))
		}
		if err := upsert(s, t, list); err != nil {
			return err
		}
	}
	return nil
}

// putHeads writes the heads of the shards that have moved.
func putHeads(s sink, old, heads []im.Pos) error {
	var args [][]any
	for i, p := range heads {
		if i >= len(old) || p != old[i] {
			args = append(args, []any{int64(p), int64(i)})
		}
	}
	return s.each("UPDATE shard SET head = $1, commits = commits + 1 WHERE shard = $2", args)
}

// placeChanged gives changed entries the places that their copies have.
func (m *Move) placeChanged(ctx context.Context, list []journal.Raw) (args [][]any, err error) {
	if len(list) == 0 {
		return nil, nil
	}
	err = m.o.To.Read(ctx, func(tx db.Tx) error {
		for i := range list {
			r := list[i]
			var shard int
			var pos im.Pos
			err := tx.QueryRow("SELECT shard, pos FROM entry WHERE conv_no = $1 AND seq = $2", r.ConvNo(), int64(r.Seq())).Scan(&shard, &pos)
			if err != nil {
				return fmt.Errorf("find the copy of entry %d of %q: %w", r.Seq(), r.Conv, err)
			}
			r.Values = slices.Clone(r.Values)
			r.Place(shard, pos)
			v := map[string]any{}
			for j, n := range journal.EntryColumns() {
				v[n] = r.Values[j]
			}
			args = append(args, []any{v["version"], v["flags"], v["body"], v["previous"], v["slot"], v["hash"], v["conv_no"], v["seq"]})
		}
		return nil
	})
	return args, err
}

// bulkEntries copies entries until the end is near.
func (m *Move) bulkEntries(ctx context.Context) error {
	var total int64
	err := m.o.From.Read(ctx, func(tx db.Tx) error {
		h, err := journal.Heads(tx)
		for _, p := range h {
			total += int64(p)
		}
		return err
	})
	if err != nil {
		return err
	}
	m.loading = true
	defer func() { m.loading = false }()
	begin := m.o.Clock.Now()
	for {
		_, more, err := m.pass(ctx)
		if err != nil {
			return err
		}
		var n int64
		for _, p := range m.copied {
			n += int64(p)
		}
		m.o.Progress(Progress{Step: "copy", What: "entry", Done: n, Total: max(total, n), Elapsed: m.o.Clock.Now().Sub(begin)})
		if !more {
			return nil
		}
	}
}

// bulk copies a table, by key, after its changes have begun to be noted.
func (m *Move) bulk(ctx context.Context, t *table) error {
	if err := m.source.install(ctx, t); err != nil {
		return err
	}
	if err := fill(ctx, m.o.To, func(s sink) error { return s.exec("DELETE FROM " + t.Name) }); err != nil {
		return err
	}
	begin := m.o.Clock.Now()
	var after []any
	for n := int64(0); ; {
		var rows [][]any
		var from []im.Pos
		err := m.o.From.Read(ctx, func(tx db.Tx) (err error) {
			if from, err = journal.Heads(tx); err != nil {
				return err
			}
			if rows, err = t.page(tx, after, nil, chunk); err != nil {
				return err
			}
			for _, row := range rows {
				if err := m.name(tx, t, row); err != nil {
					return err
				}
			}
			out := make([][]any, len(rows))
			for i, row := range rows {
				out[i] = m.transform(t, row, from)
			}
			if len(rows) > 0 {
				after = t.keyOf(rows[len(rows)-1])
			}
			rows = out
			return nil
		})
		if err != nil {
			return err
		}
		last := len(rows) < chunk
		err = fill(ctx, m.o.To, func(s sink) error {
			if err := s.insert(t.Name, t.names(), rows); err != nil {
				return err
			}
			if last {
				return note(s, t.Name, "copied")
			}
			return nil
		})
		if err != nil {
			return err
		}
		n += int64(len(rows))
		m.result.Rows += int64(len(rows))
		m.o.Progress(Progress{Step: "copy", What: t.Name, Done: n, Elapsed: m.o.Clock.Now().Sub(begin)})
		if last {
			m.done[t.Name] = true
			return nil
		}
	}
}

// Text is one line about a progress, for people.
func (p Progress) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: %d", p.Step, p.What, p.Done)
	if p.Total > 0 {
		fmt.Fprintf(&b, " of %d (%d%%)", p.Total, p.Done*100/p.Total)
	}
	fmt.Fprint(&b, " rows")
	if s := p.Elapsed.Seconds(); s > 0.5 {
		rate := float64(p.Done) / s
		fmt.Fprintf(&b, ", %.0f/s", rate)
		if left := p.Total - p.Done; left > 0 && rate > 0 {
			fmt.Fprintf(&b, ", %v left", (time.Duration(float64(left)/rate*1000) * time.Millisecond).Round(time.Second))
		}
	}
	return b.String()
}
