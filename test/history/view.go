package history

import (
	"slices"
)

// members works out who may see which positions of each conversation, from
// the log alone, and proves that nobody wrote outside of that (I8).
func (k *checker) members() {
	k.spans = make([]map[uint32][]span, len(k.h.Convs))
	for _, l := range k.h.Logs {
		if l == nil {
			continue
		}
		spans := map[uint32][]span{}
		join := func(u, seq uint32) {
			s := spans[u]
			if n := len(s); n == 0 || s[n-1].to != open {
				spans[u] = append(s, span{seq, open})
			}
		}
		for _, u := range l.First {
			join(u, 1)
		}
		for _, ch := range l.Changes {
			for _, u := range ch.Added {
				join(u, ch.Seq)
			}
			for _, u := range ch.Ended {
				if s := spans[u]; len(s) > 0 && s[len(s)-1].to == open {
					s[len(s)-1].to = ch.Seq + 1 // who is removed is told so
				}
			}
		}
		k.spans[l.Conv] = spans
		for i := range l.Entries {
			e := &l.Entries[i]
			if e.Kind == Message && !inside(spans[e.Sender], e.Seq) {
				k.breach(I8, "%s %d is by %s, who was no member then", k.h.Convs[l.Conv], e.Seq, k.h.Users[e.Sender])
			}
		}
	}
}

func inside(spans []span, seq uint32) bool {
	return slices.ContainsFunc(spans, func(s span) bool { return s.from <= seq && seq < s.to })
}

// around returns the interval that a position lies in. Who comes back to a
// group reads on from there: what a device has missed of an earlier membership
// is not owed to it.
func around(spans []span, seq uint32) []span {
	for i, s := range spans {
		if s.from <= seq && seq < s.to {
			return spans[i : i+1]
		}
	}
	return spans
}

// owed are the positions that a device has to have shown in the end.
func (k *checker) owed(c *Client, spans []span) []span {
	if len(spans) == 0 {
		return nil
	}
	last := spans[len(spans)-1:]
	if c.Fresh && last[0].to != open {
		return nil
	}
	return last
}

// overlaps tells whether any position of [from, to] is inside.
func overlaps(spans []span, from, to uint32) bool {
	return from <= to && slices.ContainsFunc(spans, func(s span) bool { return s.from <= to && from < s.to })
}

// views proves of every device that it showed each conversation's positions
// in order, none twice, none left out, each as it is stored, and only those of
// its user's memberships (I2, I6, I7, I8, I12).
func (k *checker) views() {
	for _, c := range k.h.Clients {
		if len(c.Events) == 0 && c.Inbox == nil {
			continue
		}
		// The events of one conversation together, in their order.
		events := slices.Clone(c.Events)
		slices.SortStableFunc(events, func(a, b Event) int { return int(a.Conv()) - int(b.Conv()) })
		showed := map[uint32]bool{}
		for len(events) > 0 {
			conv, n := events[0].Conv(), 1
			for n < len(events) && events[n].Conv() == conv {
				n++
			}
			k.view(c, conv, events[:n])
			showed[conv], events = true, events[n:]
		}
		if c.Ended || c.Sparse {
			continue
		}
		for conv, spans := range k.spans {
			if s := k.owed(c, spans[c.User]); len(s) > 0 && !showed[uint32(conv)] && overlaps(s, 1, uint32(len(k.h.Logs[conv].Entries))) {
				k.breach(I2, "%s showed nothing of %s", k.device(c), k.h.Convs[conv])
			}
		}
	}
}

func (k *checker) device(c *Client) string { return k.h.Users[c.User] + "/" + c.Device }

// view is one device's view of one conversation.
func (k *checker) view(c *Client, conv uint32, events []Event) {
	l := k.h.Logs[conv]
	if l == nil {
		k.breach(I7, "%s was shown %s, which nobody read in the end", k.device(c), k.h.Convs[conv])
		return
	}
	spans, last := k.spans[conv][c.User], uint32(0)
	where := func() string { return k.device(c) + " in " + k.h.Convs[conv] }
	for _, e := range events {
		from := e.Seq
		switch e.Kind() {
		case Restarted:
			last = 0
			continue
		case Foreign:
			k.breach(I12, "%s was shown at seq %d what belongs to another app", where(), e.Seq)
			continue
		case WithheldTo:
			from = uint32(e.Print)
			k.withheld(l, spans, from, e.Seq, where)
		case Delivered:
			k.delivered(l, spans, e, where)
		}
		if from <= last {
			k.breach(I6, "%s was shown seq %d after %d", where(), from, last)
			last = max(last, e.Seq)
			continue
		}
		needed := around(spans, from)
		if c.Fresh {
			needed = k.owed(c, spans)
		}
		if from > last+1 && !c.Sparse && overlaps(needed, last+1, from-1) {
			k.breach(I6, "%s was shown seq %d after %d; what lies between is missing (a member in %v)", where(), from, last, spans)
		}
		last = e.Seq
	}
	if n := uint32(len(l.Entries)); !c.Ended && !c.Sparse && overlaps(k.owed(c, spans), last+1, n) {
		k.breach(I2, "%s ended at seq %d, and the log goes on to %d", where(), last, n)
	}
}

func (k *checker) delivered(l *Log, spans []span, e Event, where func() string) {
	if e.Seq == 0 || int(e.Seq) > len(l.Entries) {
		k.breach(I7, "%s was shown seq %d, and the log ends at %d", where(), e.Seq, len(l.Entries))
		return
	}
	if s := &l.Entries[e.Seq-1]; s.Kind != Lost && Print(s.Kind, k.h.Users[s.Sender], s.ID, s.Hash) != e.Print {
		k.breach(I7, "%s was shown something else at seq %d than what is stored there (id %x)", where(), e.Seq, s.ID)
	}
	if !inside(spans, e.Seq) {
		k.breach(I8, "%s was shown seq %d and was no member then (%v)", where(), e.Seq, spans)
	}
}

// withheld: nothing in these runs is addressed to single devices, so that only
// what is damaged may be withheld from a member, and what is of an earlier
// membership than the one that goes on behind it.
func (k *checker) withheld(l *Log, spans []span, from, to uint32, where func() string) {
	if inside(spans, to+1) {
		spans = around(spans, to+1)
	}
	for seq := from; seq <= to && int(seq) <= len(l.Entries); seq++ {
		if inside(spans, seq) && l.Entries[seq-1].Kind != Lost {
			k.breach(I6, "%s was told that seq %d is withheld, and it is there", where(), seq)
			return
		}
	}
	if int(to) > len(l.Entries) {
		k.breach(I7, "%s was told of withheld positions up to %d, and the log ends at %d", where(), to, len(l.Entries))
	}
}
