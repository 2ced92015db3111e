package chat

import (
	"slices"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
)

// entries reads a range as View.Entries does, but goes on where a row does
// not fit its hash: that position comes back as Damaged, which is delivered
// as withheld. One flipped bit must not keep somebody from signing in; the
// journal has reported it, and fsck finds it.
func entries(v journal.View, app im.AppID, conv im.ConvID, from, to im.Seq, limit int, newest bool) ([]im.Entry, error) {
	es, err := v.Entries(app, conv, from, to, limit, newest)
	if im.CodeOf(err) != im.DataLoss {
		return es, err
	}
	es = nil
	for n := im.Seq(0); n < im.Seq(limit) && from+n <= to; n++ {
		seq := from + n
		if newest {
			seq = to - n
		}
		one, err := v.Entries(app, conv, seq, seq, 1, false)
		switch {
		case im.CodeOf(err) == im.DataLoss:
			es = append(es, im.Entry{App: app, Conv: conv, Seq: seq, Damaged: true})
		case err != nil:
			return nil, err
		case len(one) == 1:
			es = append(es, one[0])
		}
	}
	if newest {
		slices.Reverse(es)
	}
	// A damaged position counts as what lies before it: pos and ord only grow.
	for i := 1; i < len(es); i++ {
		if es[i].Damaged {
			es[i].Ord, es[i].Pos, es[i].Shard = es[i-1].Ord, es[i-1].Pos, es[i-1].Shard
		}
	}
	for i := len(es) - 2; i >= 0; i-- {
		if es[i].Damaged && es[i].Pos == 0 {
			es[i].Ord, es[i].Pos, es[i].Shard = es[i+1].Ord, es[i+1].Pos, es[i+1].Shard
		}
	}
	return es, nil
}

// at reads some positions as View.At does, and leaves out a row that does not
// fit its hash.
func at(v journal.View, app im.AppID, conv im.ConvID, seqs []im.Seq) ([]im.Entry, error) {
	es, err := v.At(app, conv, seqs)
	if im.CodeOf(err) != im.DataLoss {
		return es, err
	}
	es = nil
	for _, seq := range slices.Sorted(slices.Values(seqs)) {
		one, err := v.At(app, conv, []im.Seq{seq})
		if err != nil && im.CodeOf(err) != im.DataLoss {
			return nil, err
		}
		es = append(es, one...)
	}
	return slices.CompactFunc(es, func(a, b im.Entry) bool { return a.Seq == b.Seq }), nil
}
