package chat

import (
	"context"
	"slices"

	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
)

// deliveredScan is how many conversations are looked at for what a device got
// by a sync. What lies behind them is told when somebody asks (Receipts).
const deliveredScan = 50

// Given is a message of a direct conversation that a device was given.
type Given struct {
	Conv  im.ConvID
	Shard int
	Pos   im.Pos
	Seq   im.Seq
}

// Delivered tells the other users of direct conversations what a device of the
// actor has stored, as it has just acknowledged with a cursor, and returns what
// of given the cursor does not cover yet. Nothing is stored, and a hint may be
// lost: Receipts derives the same from the cursors.
//
// What a session was given as it came is in given, and costs a row of each
// conversation. What came by a sync is looked up with synced: the conversations
// that changed since the cursors that the actor's devices have acknowledged
// before, so that it is to be called before this one is noted.
func (s *Service) Delivered(ctx context.Context, actor im.Actor, raw []byte, given []Given, synced bool) (rest []Given, err error) {
	cur, ok, err := s.cursors.open(actor, raw)
	if err != nil || !ok {
		return given, err
	}
	var since []im.Pos
	if synced {
		if since, err = s.acknowledgedBefore(ctx, actor); err != nil {
			return given, err
		}
		synced = since == nil || ahead(cur.base, since)
	}
	var covered []Given
	for _, g := range given {
		if g.Shard < len(cur.base) && cur.base[g.Shard] >= g.Pos {
			covered = append(covered, g)
		} else {
			rest = append(rest, g)
		}
	}
	if len(covered) == 0 && !synced {
		return rest, nil
	}
	var tell []bus.Delivered
	err = s.j.View(ctx, func(v journal.View) error {
		tell = tell[:0]
		for _, g := range covered {
			c, err := v.Conv(actor.App, g.Conv)
			if err != nil {
				return err
			}
			tell = appendDelivered(tell, actor, &c, g.Seq)
		}
		if !synced {
			return nil
		}
		rows, err := v.Changes(actor.App, actor.User, since, nil, deliveredScan)
		for i := range rows {
			// One that has gone on since is told with what has come.
			if c := &rows[i].Conv; c.Kind == im.ConvDirect && c.Shard < len(cur.base) && cur.base[c.Shard] >= c.LastPos {
				tell = appendDelivered(tell, actor, c, c.HeadSeq)
			}
		}
		return err
	})
	if err != nil {
		return given, err
	}
	for _, d := range tell {
		s.signals.Signal(d)
	}
	return rest, nil
}

// appendDelivered adds what the other user of a direct conversation is told,
// once: a message may have come by a sync and as it came. Whom the actor has
// blocked is told nothing.
func appendDelivered(tell []bus.Delivered, actor im.Actor, c *journal.Conv, seq im.Seq) []bus.Delivered {
	if seq < 1 || Relation(c.Bits)&Blocks(c.ID, actor.User) != 0 {
		return tell
	}
	if i := slices.IndexFunc(tell, func(d bus.Delivered) bool { return d.Conv == c.ID }); i >= 0 {
		tell[i].Seq = max(tell[i].Seq, seq)
		return tell
	}
	return append(tell, bus.Delivered{App: actor.App, Conv: c.ID, User: actor.User, Seq: seq})
}

// acknowledgedBefore is how far any device of the actor is known to be, shard
// by shard; nil = none of them has ever said so.
func (s *Service) acknowledgedBefore(ctx context.Context, actor im.Actor) (most []im.Pos, err error) {
	if s.acknowledged == nil {
		return nil, nil
	}
	known, err := s.acknowledged(ctx, actor.App, []im.UserID{actor.User})
	if err != nil {
		return nil, err
	}
	for _, raw := range known[actor.User] {
		cur, ok, err := s.cursors.open(actor, raw)
		switch {
		case err != nil || !ok:
		case most == nil:
			most = cur.base
		default:
			for i, p := range cur.base {
				most[i] = max(most[i], p)
			}
		}
	}
	return most, nil
}
