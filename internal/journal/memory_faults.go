package journal

import (
	"context"
	"maps"
	"slices"

	"github.com/skein-im/skein/internal/im"
)

// Faults are what goes wrong with the store under one journal, for a
// simulation. Each function can be nil, and may wait: others go on meanwhile,
// as with a disk or a database that is slow.
type Faults struct {
	// Before is called before each attempt at a commit. An error fails it, and
	// nothing is stored.
	Before func(shard int) error
	// After is called when it is stored, before anybody is told. An error is
	// the answer that the writer gets: one with code Unavailable is how a lost
	// connection looks, the outcome being unknown.
	After func(shard int) error
	// View is called before each snapshot; its error is returned.
	View func() error
}

// OpenFaulty is Open with faults.
func (m *Memory) OpenFaulty(o Options, f Faults) Journal {
	o.defaults()
	s := &faulty{m: m, f: f}
	return newEngine(o, s, s, m.incarnation, len(m.shards))
}

// Restored is a copy of what is stored now under another incarnation: what a
// backup gives back when it is restored. Journals that are open on m do not
// see it.
func (m *Memory) Restored(e im.Entropy) (*Memory, error) {
	incarnation, err := im.RandomID(e)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	c := &Memory{incarnation: incarnation, shards: slices.Clone(m.shards), convs: maps.Clone(m.convs), byNo: maps.Clone(m.byNo),
		keys: maps.Clone(m.keys)}
	for i := range c.shards { // two stores append to it from now on
		c.shards[i].log = slices.Clip(c.shards[i].log)
	}
	for k, x := range c.convs {
		y := *x
		y.entries = slices.Clip(y.entries)
		c.convs[k], c.byNo[y.no] = &y, &y
	}
	return c, nil
}

// faulty is a store whose faults are ordered.
type faulty struct {
	m *Memory
	f Faults
}

func (s *faulty) transact(ctx context.Context, shard int, locked bool, believed *cache, fn func(txn) error) error {
	if s.f.Before != nil {
		if err := s.f.Before(shard); err != nil {
			return err
		}
	}
	if err := s.m.transact(ctx, shard, locked, believed, fn); err != nil {
		return err
	}
	if s.f.After != nil {
		return s.f.After(shard)
	}
	return nil
}

func (s *faulty) view(ctx context.Context, fn func(View) error) error {
	if s.f.View != nil {
		if err := s.f.View(); err != nil {
			return err
		}
	}
	return s.m.view(ctx, fn)
}

func (s *faulty) purge(ctx context.Context, before im.ClientID, upTo im.Micros) (int64, error) {
	return s.m.purge(ctx, before, upTo)
}
