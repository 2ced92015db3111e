package fsck

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
)

func (c *check) conversations(context.Context) error {
	return c.each(func(scan func(...any) error) error {
		v := &conv{raises: map[im.Seq]bool{}}
		if err := scan(&v.no, &v.app, &v.id, &v.kind, &v.shard, &v.acl, &v.changed, &v.members); err != nil {
			return err
		}
		c.convs[v.no] = v
		c.r.Conversations++
		if v.id.Kind() != v.kind {
			c.r.add(v.finding("reference", 0, "its kind is %d, its id says %d", v.kind, v.id.Kind()))
		}
		if want := journal.ShardOf(v.app, v.id, max(len(c.heads), 1)); v.shard != want {
			c.r.add(v.finding("pos", 0, "it lies in shard %d and belongs in %d", v.shard, want))
		}
		if v.changed > c.head(v.shard)+1 {
			c.r.add(v.finding("head", 0, "changed at %d, past the shard's head %d", v.changed, c.head(v.shard)))
		}
		return nil
	}, "SELECT conv_no, app, conv, kind, shard, acl_version, changed_pos, members FROM conversation")
}

// markers notes at which entries read markers stand, so that the one pass over
// the entries can look at them.
func (c *check) markers(context.Context) error {
	return c.each(func(scan func(...any) error) error {
		var k rowKey
		if err := scan(&k.conv, &k.seq); err != nil {
			return err
		}
		c.ords[k] = -1
		return nil
	}, "SELECT DISTINCT conv_no, read_seq FROM membership WHERE read_seq > 0")
}

// walk is the pass over one conversation's entries.
type walk struct {
	conv     *conv
	last     journal.StoredEntry
	recalled map[im.Seq]bool
	keys     map[string]im.Seq // the newest entry of a key
	slots    map[string]im.Seq // the entry that has the slot
}

func (c *check) entries(ctx context.Context) error {
	w := &walk{}
	err := journal.Audit(ctx, c.tx, func(s *journal.StoredEntry) error {
		if w.conv == nil || w.conv.no != s.ConvNo {
			c.endWalk(w)
			w = &walk{conv: c.convs[s.ConvNo], recalled: map[im.Seq]bool{}, keys: map[string]im.Seq{}, slots: map[string]im.Seq{}}
		}
		c.entry(w, s)
		w.last = *s
		return nil
	})
	c.endWalk(w)
	return err
}

func (c *check) endWalk(w *walk) {
	if w.conv == nil {
		return
	}
	w.conv.headSeq = w.last.Seq
	for key, seq := range w.keys {
		if w.slots[key] != seq {
			c.r.add(w.conv.finding("slot", seq, "the newest entry of key %q is not found by it", key))
		}
	}
}

func (c *check) entry(w *walk, s *journal.StoredEntry) {
	v := w.conv
	c.r.Entries++
	if s.Kind == im.KindMessage {
		c.r.Messages++
	}
	if !s.Sound {
		c.r.add(v.finding("hash", s.Seq, "the row does not fit its hash"))
	}
	if s.Seq != w.last.Seq+1 {
		c.r.add(v.finding("seq", s.Seq, "it follows %d", w.last.Seq))
	}
	ord := w.last.Ord
	if s.Countable() {
		ord++
	}
	if s.Ord != ord {
		c.r.add(v.finding("ord", s.Seq, "ord is %d, should be %d", s.Ord, ord))
	}
	if s.Time < w.last.Time {
		c.r.add(v.finding("time", s.Seq, "it is %d µs older than the entry before it", w.last.Time-s.Time))
	}
	if s.Shard != v.shard || s.Pos <= w.last.Pos {
		c.r.add(v.finding("pos", s.Seq, "shard %d pos %d, after shard %d pos %d", s.Shard, s.Pos, v.shard, w.last.Pos))
	}
	if s.Target < 0 || (s.Kind == im.KindEdit || s.Kind == im.KindRecall) && (s.Target < 1 || s.Target >= s.Seq) {
		c.r.add(v.finding("reference", s.Seq, "its target %d is no entry before it", s.Target))
	}
	if s.Recalled {
		c.r.Recalled++
	}
	if s.Recalled || s.Expired {
		w.recalled[s.Seq] = true
	}
	if (s.Recalled || s.Expired || s.Kind == im.KindEdit && w.recalled[s.Target]) && (len(s.Body) > 0 || len(s.Previous) > 0) {
		c.r.add(v.finding("recall", s.Seq, "it was recalled or has expired and still has a body"))
	}
	if s.Key != "" {
		w.keys[s.Key] = s.Seq
	}
	if s.Slot {
		if old := w.slots[s.Key]; old != 0 || s.Key == "" {
			c.r.add(v.finding("slot", s.Seq, "the slot of key %q is that of entry %d too", s.Key, old))
		}
		w.slots[s.Key] = s.Seq
	}
	if k := (rowKey{s.ConvNo, s.Seq}); c.ords[k] != 0 {
		c.ords[k] = s.Ord
	}
}

// positions checks what is between rows of different conversations.
func (c *check) positions(context.Context) error {
	seen := map[int]bool{}
	err := c.each(func(scan func(...any) error) error {
		var shard int
		var first, last im.Pos
		var n int64
		if err := scan(&shard, &first, &last, &n); err != nil {
			return err
		}
		seen[shard] = true
		if first != 1 || int64(last) != n {
			c.r.add(Finding{Check: "pos", Detail: fmt.Sprintf("shard %d has %d entries between %d and %d", shard, n, first, last)})
		}
		if head := c.head(shard); head != last {
			c.r.add(Finding{Check: "head", Detail: fmt.Sprintf("shard %d has head %d and ends at %d", shard, head, last)})
		}
		return nil
	}, "SELECT shard, min(pos), max(pos), count(*) FROM entry GROUP BY shard")
	if err != nil {
		return err
	}
	for shard, head := range c.heads {
		if head != 0 && !seen[shard] {
			c.r.add(Finding{Check: "head", Detail: fmt.Sprintf("shard %d has head %d and no entries", shard, head)})
		}
	}
	return c.each(func(scan func(...any) error) error {
		var no, n int64
		if err := scan(&no, &n); err != nil {
			return err
		}
		c.r.add(Finding{Check: "reference", Detail: fmt.Sprintf("%d entries of conversation number %d, which is not there", n, no)})
		return nil
	}, "SELECT e.conv_no, count(*) FROM entry e LEFT JOIN conversation c ON c.conv_no = e.conv_no WHERE c.conv_no IS NULL GROUP BY e.conv_no")
}

// keys compares entries with idempotency rows, both ways. Keys from before the
// last purge may be gone.
func (c *check) keys(context.Context) error {
	var err error
	if c.r.Keys, err = c.count("SELECT count(*) FROM idempotency"); err != nil {
		return err
	}
	err = c.each(func(scan func(...any) error) error {
		var app im.AppID
		var sender im.UserID
		var no int64
		var seq im.Seq
		if err := scan(&app, &sender, &no, &seq); err != nil {
			return err
		}
		f := Finding{Check: "idempotency", Detail: fmt.Sprintf("the key of %s/%s refers to number %d seq %d, which is not its entry", app, sender, no, seq)}
		if v := c.convs[no]; v != nil {
			f.App, f.Conv, f.Seq = v.app, v.id, seq
		}
		c.r.add(f)
		return nil
	}, `SELECT i.app, i.sender, i.conv_no, i.seq FROM idempotency i
LEFT JOIN entry e ON e.conv_no = i.conv_no AND e.seq = i.seq LEFT JOIN conversation c ON c.conv_no = i.conv_no
WHERE e.seq IS NULL OR c.conv_no IS NULL OR e.client_id <> i.client_id OR e.sender <> i.sender OR c.app <> i.app`)
	if err != nil {
		return err
	}
	from, err := c.purged()
	if err != nil {
		return err
	}
	return c.each(func(scan func(...any) error) error {
		var no int64
		var seq im.Seq
		if err := scan(&no, &seq); err != nil {
			return err
		}
		if v := c.convs[no]; v != nil {
			c.r.add(v.finding("idempotency", seq, "the entry has no key: a retry would be stored again"))
		}
		return nil
	}, `SELECT e.conv_no, e.seq FROM entry e JOIN conversation c ON c.conv_no = e.conv_no
LEFT JOIN idempotency i ON i.client_id = e.client_id AND i.app = c.app AND i.sender = e.sender
WHERE i.client_id IS NULL AND e.client_id >= $1`, from)
}

// purged returns the first client id that must still have a key.
func (c *check) purged() ([]byte, error) {
	var text string
	err := c.tx.QueryRow("SELECT value FROM journal_meta WHERE name = 'purged'").Scan(&text)
	if errors.Is(err, db.ErrNoRows) {
		return make([]byte, 16), nil
	}
	if err != nil {
		return nil, err
	}
	upTo, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		c.r.add(Finding{Check: "idempotency", Detail: "the time of the last purge cannot be read"})
	}
	id := journal.FirstClientID(im.Micros(upTo))
	return id[:], nil
}
