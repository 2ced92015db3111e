package journal

import (
	"fmt"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
)

// headRow is a conversation with its newest entry, from which its head
// follows.
type headRow struct {
	row
	convNo int64
	conv   Conv
	broken error // the newest entry does not fit its hash
}

const (
	convColumns = "c.conv_no, c.app, c.conv, c.kind, c.title, c.shard, c.acl_version, c.changed_pos, c.members, c.created, c.attrs, c.bits"
	selectHead  = "SELECT " + rowColumns + ", " + convColumns + ` FROM conversation c
JOIN entry e ON e.conv_no = c.conv_no AND e.seq = (SELECT max(x.seq) FROM entry x WHERE x.conv_no = c.conv_no)
WHERE c.app = $1 AND c.conv = $2`
	// selectBelow reads a conversation backwards from its head.
	selectBelow = "SELECT " + rowColumns + " FROM entry e WHERE e.conv_no = $1 AND e.seq <= $2 ORDER BY e.seq DESC LIMIT 64"
)

// scanHead reads rowColumns and convColumns.
func (h *headRow) scanHead(from scanner, more ...any) error {
	c := &h.conv
	err := h.scan(from, append([]any{&h.convNo, &c.App, &c.ID, &c.Kind, &c.Title, &c.Shard, &c.ACLVersion, &c.ChangedPos, &c.Members,
		&c.Created, &c.Attrs, &c.Bits}, more...)...)
	if err != nil {
		return err
	}
	h.App, h.Conv = c.App, c.ID
	_, h.broken = h.verify(nil)
	c.HeadSeq, c.HeadOrd, c.LastPos = h.Seq, h.Ord, h.Pos
	return nil
}

// read finds a conversation, or db.ErrNoRows.
func (h *headRow) read(tx db.Tx, k convKey) error {
	if err := h.scanHead(tx.QueryRow(selectHead, k.app, k.conv)); err != nil {
		return err
	}
	return h.mend(tx)
}

// mend derives ord and time of a damaged newest entry from the entries before
// it. Whoever reads the entry itself gets DataLoss; the conversation goes on.
func (h *headRow) mend(tx db.Tx) error {
	if h.broken == nil {
		return nil
	}
	rows, err := tx.Query(selectBelow, h.convNo, h.Seq)
	if err != nil {
		return err
	}
	defer rows.Close()
	var above im.Ord
	for rows.Next() {
		r := row{Entry: im.Entry{App: h.App, Conv: h.Conv}}
		if err := r.scan(rows); err != nil {
			return err
		}
		if _, err := r.verify(nil); err == nil {
			h.conv.HeadOrd, h.Time = r.Ord+above, r.Time
			return nil
		}
		if r.Countable() {
			above++
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if h.Seq <= 64 { // all of them are damaged
		h.conv.HeadOrd = above
		return nil
	}
	return fmt.Errorf("no sound entry near the head of conversation %q: %w", h.Conv, h.broken)
}

// state is the writer's view of it.
func (h *headRow) state() *convState {
	c := &h.conv
	return &convState{convKey: convKey{c.App, c.ID}, no: h.convNo, kind: c.Kind, title: c.Title, shard: c.Shard, acl: c.ACLVersion,
		attrs: c.Attrs, bits: c.Bits, changed: c.ChangedPos, members: int64(c.Members), created: c.Created, headSeq: c.HeadSeq, headOrd: c.HeadOrd, headTime: h.Time}
}
