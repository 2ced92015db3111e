package journal

import (
	"cmp"
	"slices"
	"strings"

	"github.com/skein-im/skein/internal/im"
)

// Threads implements View.
func (v *memView) Threads(app im.AppID, conv im.ConvID, q ThreadQuery) ([]Thread, error) {
	c := v.convs[convKey{app, conv}]
	if c == nil {
		return nil, nil
	}
	found := map[im.Seq]*Thread{}
	for _, r := range c.entries {
		if r.Kind != im.KindMessage || r.Target < max(q.From, 1) || r.Target > q.To || r.Seq > q.Head {
			continue
		}
		t := found[r.Target]
		if t == nil {
			t = &Thread{Root: r.Target}
			found[r.Target] = t
		}
		if t.Replies < senderReplies && len(t.Senders) < maxSenders && !slices.Contains(t.Senders, r.Sender) {
			t.Senders = append(t.Senders, r.Sender)
		}
		t.Replies++
		t.Last, t.Time = r.Seq, r.Time
	}
	var out []Thread
	for _, t := range found {
		if q.Before <= 0 || t.Last < q.Before {
			out = append(out, *t)
		}
	}
	slices.SortFunc(out, func(a, b Thread) int {
		if q.Newest {
			return cmp.Compare(b.Last, a.Last)
		}
		return cmp.Compare(a.Root, b.Root)
	})
	return out[:min(len(out), max(q.Limit, 0))], nil
}

// Replies implements View.
func (v *memView) Replies(app im.AppID, conv im.ConvID, root, from, to im.Seq, limit int, newest bool) ([]im.Entry, error) {
	out, err := v.pick(app, conv, 1<<30, func(r *row) bool {
		return r.Kind == im.KindMessage && root > 0 && r.Target == root && r.Seq >= from && r.Seq <= to
	})
	if limit = min(len(out), max(limit, 0)); newest {
		return out[len(out)-limit:], err
	}
	return out[:limit], err
}

// At implements View.
func (v *memView) At(app im.AppID, conv im.ConvID, seqs []im.Seq) ([]im.Entry, error) {
	return v.pick(app, conv, 500, func(r *row) bool { return slices.Contains(seqs, r.Seq) })
}

// Slots implements View.
func (v *memView) Slots(app im.AppID, conv im.ConvID, from, to string, limit int) ([]im.Entry, error) {
	out, err := v.pick(app, conv, 1<<30, func(r *row) bool { return r.slot && r.Key >= from && r.Key < to })
	slices.SortFunc(out, func(a, b im.Entry) int { return strings.Compare(a.Key, b.Key) })
	return out[:min(len(out), max(limit, 0))], err
}

// CountSlots implements View.
func (v *memView) CountSlots(app im.AppID, conv im.ConvID, from, to string, limit int) (int, error) {
	out, err := v.Slots(app, conv, from, to, limit)
	return len(out), err
}
