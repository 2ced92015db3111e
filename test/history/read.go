package history

import (
	"slices"
)

// ordAt is the number of messages up to a position.
func ordAt(l *Log, seq uint32) uint32 {
	if seq == 0 || len(l.Entries) == 0 {
		return 0
	}
	return l.Entries[min(int(seq), len(l.Entries))-1].Ord
}

// reads proves that markers only move forward, that they count as the log
// does, and that all devices agree in the end (I9).
func (k *checker) reads() {
	type key struct{ user, conv uint32 }
	marked := map[key]uint32{} // highest acknowledged
	for _, c := range k.h.Clients {
		for _, r := range c.Reads {
			if r.Outcome != Acked {
				continue
			}
			l, at := k.h.Logs[r.Conv], key{c.User, r.Conv}
			marked[at] = max(marked[at], r.Seq)
			if l == nil {
				continue
			}
			if r.Seq < min(r.Asked, uint32(len(l.Entries))) {
				k.breach(I9, "%s read %s up to %d and was answered %d", k.device(c), k.h.Convs[r.Conv], r.Asked, r.Seq)
			}
			if want := ordAt(l, r.Seq); r.Ord != want {
				k.breach(I9, "%s read %s up to %d and was answered ord %d; it is %d", k.device(c), k.h.Convs[r.Conv], r.Seq, r.Ord, want)
			}
		}
		last := map[uint32]Head{}
		for _, h := range c.Heads {
			if p := last[h.Conv]; h.ReadSeq < p.ReadSeq {
				k.breach(I9, "a sync told %s that %s is read up to %d, after %d", k.device(c), k.h.Convs[h.Conv], h.ReadSeq, p.ReadSeq)
			}
			last[h.Conv] = h
		}
	}
	final := map[key]Head{}
	for _, c := range k.h.Clients {
		for _, h := range c.Inbox {
			k.finalRead(c, h, marked[key{c.User, h.Conv}])
			at := key{c.User, h.Conv}
			if p, ok := final[at]; ok && (p.ReadSeq != h.ReadSeq || p.ReadOrd != h.ReadOrd) {
				k.breach(I9, "the devices of %s disagree about %s: read up to %d (ord %d) and %d (ord %d)",
					k.h.Users[c.User], k.h.Convs[h.Conv], p.ReadSeq, p.ReadOrd, h.ReadSeq, h.ReadOrd)
			}
			final[at] = h
		}
	}
}

// finalRead checks one conversation of a device's last sync.
func (k *checker) finalRead(c *Client, h Head, marked uint32) {
	l := k.h.Logs[h.Conv]
	if l == nil {
		return
	}
	name := k.h.Convs[h.Conv]
	if h.ReadSeq < marked {
		k.breach(I9, "%s had read %s up to %d, and in the end it is %d", k.device(c), name, marked, h.ReadSeq)
	}
	unread, want := h.HeadOrd-h.ReadOrd, ordAt(l, h.HeadSeq)-ordAt(l, h.ReadSeq)
	if unread != want {
		k.breach(I9, "%s is told of %d unread messages in %s; there are %d (head %d, read %d)", k.device(c), int32(unread), name, want, h.HeadSeq, h.ReadSeq)
	}
	spans := k.spans[h.Conv][c.User]
	for i := len(l.Entries) - 1; i >= 0 && l.Entries[i].Seq > h.ReadSeq; i-- {
		if e := &l.Entries[i]; e.Sender == c.User && e.Kind == Message && inside(spans, e.Seq) && overlaps(spans[len(spans)-1:], e.Seq, e.Seq) {
			k.breach(I9, "%s wrote %s %d, and has read it up to %d only", k.device(c), name, e.Seq, h.ReadSeq)
			break
		}
	}
}

// inboxes proves that the conversations which a sync tells of are those that
// the user is in, each up to its head, and that heads never go back (I10).
func (k *checker) inboxes() {
	for _, c := range k.h.Clients {
		last := map[uint32]uint32{}
		for _, h := range c.Heads {
			if p := last[h.Conv]; h.HeadSeq < p {
				k.breach(I10, "a sync told %s that the head of %s is %d, after %d", k.device(c), k.h.Convs[h.Conv], h.HeadSeq, p)
			}
			last[h.Conv] = h.HeadSeq
		}
		if c.Inbox == nil {
			continue
		}
		told := map[uint32]bool{}
		for _, h := range c.Inbox {
			l := k.h.Logs[h.Conv]
			if l == nil || told[h.Conv] {
				k.breach(I10, "%s was told twice of %s, or nobody else knows it", k.device(c), k.h.Convs[h.Conv])
				continue
			}
			told[h.Conv] = true
			spans := k.spans[h.Conv][c.User]
			switch {
			case !slices.ContainsFunc(spans, func(s span) bool { return s.to == open }):
				k.breach(I10, "%s was told of %s and is no member", k.device(c), k.h.Convs[h.Conv])
			case int(h.HeadSeq) != len(l.Entries):
				k.breach(I10, "%s was told that %s ends at %d; it ends at %d", k.device(c), k.h.Convs[h.Conv], h.HeadSeq, len(l.Entries))
			}
		}
		for conv, spans := range k.spans {
			if s := spans[c.User]; len(s) > 0 && s[len(s)-1].to == open && !told[uint32(conv)] && len(k.h.Logs[conv].Entries) > 0 {
				k.breach(I10, "%s was not told of %s", k.device(c), k.h.Convs[conv])
			}
		}
	}
}
