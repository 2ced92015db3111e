package history

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Invariant names what was broken; docs/reliability.md says what each means.
type Invariant string

// The invariants.
const (
	I1  Invariant = "I1 acknowledged is stored"
	I2  Invariant = "I2 positions have no gap and all see the same"
	I3  Invariant = "I3 at most once"
	I4  Invariant = "I4 real time"
	I5  Invariant = "I5 a sender's order"
	I6  Invariant = "I6 a view goes forward only and skips nothing"
	I7  Invariant = "I7 what is shown is stored"
	I8  Invariant = "I8 membership is a fence"
	I9  Invariant = "I9 unread and read markers"
	I10 Invariant = "I10 the inbox is complete"
	I12 Invariant = "I12 apps are apart"
)

// Violation is one breach.
type Violation struct {
	Invariant Invariant
	Detail    string // names the operations and positions
}

// maxPerInvariant bounds the violations that are kept of one invariant; the
// others are only counted.
const maxPerInvariant = 20

// Report is what Check found.
type Report struct {
	Counts     Counts
	Violations []Violation
	Total      map[Invariant]int64 // all, kept or not
	// Lost counts acknowledged operations that are not in the log, Duplicated
	// ids that are in it more than once.
	Lost, Duplicated int64
}

// OK tells whether every promise was kept.
func (r *Report) OK() bool { return len(r.Total) == 0 }

// String sums up in a few lines.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d acknowledged, %d failed, %d unknown, %d retried, %d deliveries, %d clients, %d conversations, %d entries: %d lost, %d duplicated",
		r.Counts.Acked, r.Counts.Failed, r.Counts.Unknown, r.Counts.Retried, r.Counts.Delivered, r.Counts.Clients, r.Counts.Conversations, r.Counts.Entries, r.Lost, r.Duplicated)
	for _, i := range slices.Sorted(maps.Keys(r.Total)) {
		fmt.Fprintf(&b, "\n%s: broken %d times", i, r.Total[i])
		for _, v := range r.Violations {
			if v.Invariant == i {
				fmt.Fprintf(&b, "\n  %s", v.Detail)
			}
		}
	}
	return b.String()
}

// opRef is an operation and whose it is.
type opRef struct {
	c  *Client
	op *Op
}

// place is where an entry lies.
type place struct {
	id         ID
	conv, line uint32 // line is the index into Log.Entries
}

// checker is one run of Check.
type checker struct {
	h      *History
	r      *Report
	seen   map[Invariant]int
	ops    []opRef // by id
	places []place // by id
	spans  []map[uint32][]span
}

// span is an interval of positions [from, to) that a user may see.
type span struct{ from, to uint32 }

const open = ^uint32(0)

// Check proves the invariants of a run that has ended: nothing may be recorded
// any more. Every conversation that anybody sent to needs its Log.
func Check(h *History) *Report {
	k := &checker{h: h, r: &Report{Counts: h.Counts(), Total: map[Invariant]int64{}}, seen: map[Invariant]int{}}
	k.index()
	k.logs()
	k.members()
	k.outcomes()
	k.orders()
	k.views()
	k.reads()
	k.inboxes()
	k.registers()
	return k.r
}

func (k *checker) breach(i Invariant, format string, args ...any) {
	k.r.Total[i]++
	if k.seen[i]++; k.seen[i] <= maxPerInvariant {
		k.r.Violations = append(k.r.Violations, Violation{i, fmt.Sprintf(format, args...)})
	}
}

// index sorts operations and entries by id.
func (k *checker) index() {
	for _, c := range k.h.Clients {
		for i := range c.Ops {
			k.ops = append(k.ops, opRef{c, &c.Ops[i]})
		}
	}
	slices.SortStableFunc(k.ops, func(a, b opRef) int { return bytes.Compare(a.op.ID[:], b.op.ID[:]) })
	for _, l := range k.h.Logs {
		if l == nil {
			continue
		}
		for i := range l.Entries {
			k.places = append(k.places, place{l.Entries[i].ID, l.Conv, uint32(i)})
		}
	}
	slices.SortStableFunc(k.places, func(a, b place) int { return bytes.Compare(a.id[:], b.id[:]) })
}

// find returns the operations of an id.
func (k *checker) find(id ID) []opRef {
	i, _ := slices.BinarySearchFunc(k.ops, id, func(o opRef, id ID) int { return bytes.Compare(o.op.ID[:], id[:]) })
	j := i
	for j < len(k.ops) && k.ops[j].op.ID == id {
		j++
	}
	return k.ops[i:j]
}

// stored returns the places of an id.
func (k *checker) stored(id ID) []place {
	i, _ := slices.BinarySearchFunc(k.places, id, func(p place, id ID) int { return bytes.Compare(p.id[:], id[:]) })
	j := i
	for j < len(k.places) && k.places[j].id == id {
		j++
	}
	return k.places[i:j]
}

func (k *checker) entry(p place) *Entry { return &k.h.Logs[p.conv].Entries[p.line] }

// logs proves of each conversation that its positions are 1, 2, 3 …, that ord
// counts its messages, and that nothing is in it that nobody sent (I2, I3).
func (k *checker) logs() {
	for _, l := range k.h.Logs {
		if l == nil {
			continue
		}
		name, ord := k.h.Convs[l.Conv], uint32(0)
		for i := range l.Entries {
			e := &l.Entries[i]
			if e.Seq != uint32(i)+1 {
				k.breach(I2, "%s holds seq %d as entry number %d", name, e.Seq, i+1)
			}
			switch e.Kind {
			case Message:
				ord++
			case Lost:
				ord = e.Ord
			}
			if e.Ord != ord {
				k.breach(I9, "%s %d has ord %d, and %d messages are there up to it", name, e.Seq, e.Ord, ord)
				ord = e.Ord
			}
			if e.Kind == Message && len(k.find(e.ID)) == 0 {
				k.breach(I3, "%s %d (id %x) was sent by nobody", name, e.Seq, e.ID)
			}
		}
	}
	for i := 1; i < len(k.places); i++ {
		if a, b := k.places[i-1], k.places[i]; a.id == b.id && a.id != (ID{}) {
			k.r.Duplicated++
			k.breach(I3, "id %x is stored twice: as %s %d and as %s %d", a.id, k.h.Convs[a.conv], k.entry(a).Seq, k.h.Convs[b.conv], k.entry(b).Seq)
		}
	}
}

// outcomes proves of each operation that the log agrees with what its sender
// was told (I1, I3).
func (k *checker) outcomes() {
	for i, o := range k.ops {
		name := func() string { return k.h.name(o.c, o.op) }
		l := k.h.Logs[o.op.Conv]
		if l == nil {
			k.breach(I1, "%s: nobody read that conversation in the end", name())
			continue
		}
		if i > 0 && k.ops[i-1].op.ID == o.op.ID {
			p := k.ops[i-1]
			k.breach(I3, "one id, two outcomes: %s: %s %d, and %s: %s %d", k.h.name(p.c, p.op), p.op.Outcome, p.op.Seq, name(), o.op.Outcome, o.op.Seq)
		}
		at := k.stored(o.op.ID)
		switch {
		case o.op.Outcome == Acked && len(at) == 0:
			k.r.Lost++
			k.breach(I1, "%s was acknowledged as seq %d and is not stored; the head is %d", name(), o.op.Seq, len(l.Entries))
		case o.op.Outcome == Failed && len(at) > 0:
			k.breach(I3, "%s failed, and is stored as seq %d", name(), k.entry(at[0]).Seq)
		}
		for _, p := range at {
			k.compare(o, p, name)
		}
	}
}

// compare holds one stored entry against its operation.
func (k *checker) compare(o opRef, p place, name func() string) {
	e := k.entry(p)
	switch {
	case p.conv != o.op.Conv:
		k.breach(I1, "%s is stored in %s, seq %d", name(), k.h.Convs[p.conv], e.Seq)
	case e.Kind == Lost:
	case e.Hash != o.op.Hash || e.Kind != o.op.Kind:
		k.breach(I1, "%s is stored as seq %d with other content", name(), e.Seq)
	case e.Sender != o.c.User:
		k.breach(I1, "%s is stored as seq %d of %s", name(), e.Seq, k.h.Users[e.Sender])
	case o.op.Outcome == Acked && e.Seq != o.op.Seq:
		k.breach(I1, "%s was acknowledged as seq %d and is stored as seq %d", name(), o.op.Seq, e.Seq)
	case o.op.Outcome == Acked && e.Ord != o.op.Ord:
		k.breach(I9, "%s was acknowledged with ord %d and is stored with ord %d", name(), o.op.Ord, e.Ord)
	}
}
