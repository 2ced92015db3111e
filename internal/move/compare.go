package move

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
)

// suspects are rows that were changed, or found different, since both sides
// were compared: they are looked at again when the target has caught up.
type suspects struct {
	entries map[[2]int64]bool           // conversation number, seq
	rows    map[string]map[string][]any // table, printed key, key
}

func (s *suspects) clear() { *s = suspects{} }

func (s *suspects) entry(no int64, seq im.Seq) {
	if s.entries == nil {
		s.entries = map[[2]int64]bool{}
	}
	s.entries[[2]int64{no, int64(seq)}] = true
}

func (s *suspects) row(t *table, key []any) {
	if s.rows == nil {
		s.rows = map[string]map[string][]any{}
	}
	if s.rows[t.Name] == nil {
		s.rows[t.Name] = map[string][]any{}
	}
	s.rows[t.Name][printKey(key)] = key
}

// addBatch takes what a pass has written.
func (s *suspects) addBatch(b *batch, tables []table) {
	for _, list := range [][]journal.Raw{b.entries, b.changed} {
		for i := range list {
			s.entry(list[i].ConvNo(), list[i].Seq())
		}
	}
	for i := range tables {
		t := &tables[i]
		for _, row := range b.upserts[t.Name] {
			s.row(t, t.keyOf(row))
		}
		for _, key := range b.removes[t.Name] {
			s.row(t, key)
		}
	}
}

// printKey makes a key comparable.
func printKey(key []any) string { return fmt.Sprintf("%#v", key) }

// compare reads every row of both databases and puts what differs among the
// suspects. Changes are followed meanwhile, so that they stay few.
func (m *Move) compare(ctx context.Context) error {
	last := m.o.Clock.Now()
	breathe := func() error {
		if m.o.Clock.Now().Sub(last) < between {
			return nil
		}
		_, err := m.follow(ctx)
		last = m.o.Clock.Now()
		return err
	}
	begin, n := last, int64(0)
	var total int64
	for _, p := range m.copied {
		total += int64(p)
	}
	for s := range m.from {
		for after := im.Pos(0); after < m.copied[s]; {
			k, err := m.compareEntries(ctx, s, &after)
			if err == nil {
				n += int64(k)
				m.o.Progress(Progress{Step: "compare", What: "entry", Done: n, Total: max(total, n), Elapsed: m.o.Clock.Now().Sub(begin)})
				err = breathe()
			}
			if err != nil {
				return fmt.Errorf("compare entries: %w", err)
			}
		}
	}
	for i := range m.tables {
		t := &m.tables[i]
		begin, n = m.o.Clock.Now(), 0
		var after []any
		for {
			k, err := m.compareRows(ctx, t, &after)
			if err == nil {
				n += int64(k)
				m.o.Progress(Progress{Step: "compare", What: t.Name, Done: n, Elapsed: m.o.Clock.Now().Sub(begin)})
				err = breathe()
			}
			if err != nil {
				return fmt.Errorf("compare %s: %w", t.Name, err)
			}
			if k < chunk {
				break
			}
		}
	}
	return nil
}

// compareEntries compares a page of a shard.
func (m *Move) compareEntries(ctx context.Context, shard int, after *im.Pos) (n int, err error) {
	var list []journal.Raw
	err = m.o.From.Read(ctx, func(tx db.Tx) (err error) {
		list, err = journal.RawAfter(tx, shard, *after, chunk)
		return err
	})
	if err != nil {
		return 0, err
	}
	if len(list) == 0 {
		return 0, im.Errorf(im.DataLoss, "shard %d ends at %d and should go on to %d", shard, *after, m.copied[shard])
	}
	*after = list[len(list)-1].Pos()
	for len(list) > 0 && list[len(list)-1].Pos() > m.copied[shard] {
		list = list[:len(list)-1]
	}
	differ, err := m.differ(ctx, list)
	for _, r := range differ {
		m.suspect.entry(r.ConvNo(), r.Seq())
	}
	return len(list), err
}

// differ returns those entries that the target does not hold, or holds
// differently.
func (m *Move) differ(ctx context.Context, list []journal.Raw) (out []journal.Raw, err error) {
	nos, seqs := make([]int64, len(list)), make([]int64, len(list))
	for i := range list {
		nos[i], seqs[i] = list[i].ConvNo(), int64(list[i].Seq())
	}
	found := make(map[[2]int64]*journal.Raw, len(list))
	err = m.o.To.Read(ctx, func(tx db.Tx) error {
		there, err := journal.RawEntries(tx, nos, seqs)
		for i := range there {
			found[[2]int64{there[i].ConvNo(), int64(there[i].Seq())}] = &there[i]
		}
		return err
	})
	for i := range list {
		r := &list[i]
		there := found[[2]int64{nos[i], seqs[i]}]
		if there == nil || !r.Same(there) || there.Shard() != m.shard(convName{r.App, r.Conv}) {
			out = append(out, *r)
		}
	}
	return out, err
}

// compareRows compares a page of a table, and what the target has between its
// first and its last key, or past the last.
func (m *Move) compareRows(ctx context.Context, t *table, after *[]any) (n int, err error) {
	var here, there [][]any
	err = m.o.From.Read(ctx, func(tx db.Tx) (err error) {
		here, err = t.page(tx, *after, nil, chunk)
		return err
	})
	if err != nil {
		return 0, err
	}
	var upTo []any
	if len(here) == chunk {
		upTo = t.keyOf(here[len(here)-1])
	}
	err = m.o.To.Read(ctx, func(tx db.Tx) (err error) {
		there, err = t.page(tx, *after, upTo, 0)
		return err
	})
	if err != nil {
		return 0, err
	}
	rows := make(map[string][]any, len(there))
	for _, row := range there {
		rows[printKey(t.keyOf(row))] = row
	}
	for _, row := range here {
		key := t.keyOf(row)
		p := printKey(key)
		if !t.sameRow(row, rows[p], journal.SameValue) {
			m.suspect.row(t, key)
		}
		delete(rows, p)
	}
	for _, row := range rows {
		m.suspect.row(t, t.keyOf(row))
	}
	*after = upTo
	return len(here), nil
}

// settle looks at the suspects again. While servers write, those that differ
// stay suspects; in the end (last) there may be none.
func (m *Move) settle(ctx context.Context, last bool) error {
	old := m.suspect
	m.suspect.clear()
	if err := m.settleEntries(ctx, old); err != nil {
		return err
	}
	for i := range m.tables {
		if err := m.settleRows(ctx, &m.tables[i], slices.Collect(maps.Values(old.rows[m.tables[i].Name]))); err != nil {
			return err
		}
	}
	if !last {
		return nil
	}
	for k := range m.suspect.entries {
		return im.Errorf(im.DataLoss, "entry %d of conversation number %d is not the same in %s; nothing was switched", k[1], k[0], m.o.ToName)
	}
	for name := range m.suspect.rows {
		return im.Errorf(im.DataLoss, "%d rows of %s are not the same in %s; nothing was switched", len(m.suspect.rows[name]), name, m.o.ToName)
	}
	return nil
}

func (m *Move) settleEntries(ctx context.Context, old suspects) error {
	var nos, seqs []int64
	for k := range old.entries {
		nos, seqs = append(nos, k[0]), append(seqs, k[1])
	}
	for len(nos) > 0 {
		n := min(len(nos), chunk)
		var list []journal.Raw
		err := m.o.From.Read(ctx, func(tx db.Tx) (err error) {
			list, err = journal.RawEntries(tx, nos[:n], seqs[:n])
			return err
		})
		if err != nil {
			return err
		}
		if len(list) != n {
			return im.Errorf(im.DataLoss, "%d entries have gone from %s while it was copied", n-len(list), m.o.FromName)
		}
		differ, err := m.differ(ctx, list)
		if err != nil {
			return err
		}
		for _, r := range differ {
			m.suspect.entry(r.ConvNo(), r.Seq())
		}
		nos, seqs = nos[n:], seqs[n:]
	}
	return nil
}

func (m *Move) settleRows(ctx context.Context, t *table, keys [][]any) error {
	for len(keys) > 0 {
		some := keys[:min(len(keys), chunk)]
		keys = keys[len(some):]
		sides := [2][][]any{}
		for side, d := range []*db.DB{m.o.From, m.o.To} {
			err := d.Read(ctx, func(tx db.Tx) error {
				sides[side] = nil
				for _, key := range some {
					row, err := t.row(tx, key)
					if err != nil {
						return err
					}
					sides[side] = append(sides[side], row)
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		for i, key := range some {
			if !t.sameRow(sides[0][i], sides[1][i], journal.SameValue) {
				m.suspect.row(t, key)
			}
		}
	}
	return nil
}
