package journal

import (
	"strings"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
)

// Thread is what hangs below a message: the messages whose Target it is.
type Thread struct {
	Root    im.Seq
	Replies int
	Last    im.Seq    // the newest reply
	Time    im.Micros // of the newest reply
	// Senders are the first five of those who replied, in the order in which
	// they came, looked for among the first 100 replies.
	Senders []im.UserID
}

// ThreadQuery says which threads.
type ThreadQuery struct {
	From, To im.Seq // of the roots
	Head     im.Seq // later replies do not count
	// Before, if > 0, passes over threads whose newest reply is not before it.
	Before im.Seq
	Limit  int
	// Newest orders by the newest reply, that first; else by root.
	Newest bool
}

// A thread's first senders are looked for among so many replies.
const (
	senderReplies = 100
	maxSenders    = 5
)

// ThreadView is the part of View on messages that hang below others. Its cost
// follows the number of threads, and of their replies for a count, which it
// takes from an index alone.
type ThreadView interface {
	// Threads returns the threads that a query asks for.
	Threads(app im.AppID, conv im.ConvID, q ThreadQuery) ([]Thread, error)
	// Replies returns up to limit messages whose Target is root with from <=
	// seq <= to, ascending, or the last ones when newest is true.
	Replies(app im.AppID, conv im.ConvID, root, from, to im.Seq, limit int, newest bool) ([]im.Entry, error)
	// At returns the entries at some positions, ascending; at most 500.
	At(app im.AppID, conv im.ConvID, seqs []im.Seq) ([]im.Entry, error)
	// Slots returns the newest entry of each key with from <= key < to,
	// ascending by key, folded ones (FoldedKey) included, at most limit.
	Slots(app im.AppID, conv im.ConvID, from, to string, limit int) ([]im.Entry, error)
	// CountSlots returns how many there are, at most limit.
	CountSlots(app im.AppID, conv im.ConvID, from, to string, limit int) (int, error)
}

// FoldedKey begins the keys of entries that are state of a message, such as
// votes: they are not among Keyed, which is what devices get.
const FoldedKey = "!"

// pastFolded is the first key after all that begin with FoldedKey.
const pastFolded = "\""

const (
	ofConv = "e.conv_no = (SELECT c.conv_no FROM conversation c WHERE c.app = $1 AND c.conv = $2)"
	// isReply is written as the index entry_thread has it.
	isReply = " AND e.kind = 1 AND e.target > 0"
	// threadRoots walks from root to root by the index, so that the replies
	// in between are passed over.
	threadRoots = `WITH RECURSIVE root (seq) AS (
  SELECT (SELECT e.target FROM entry e WHERE ` + ofConv + isReply + ` AND e.target >= $3 ORDER BY e.target LIMIT 1)
  UNION ALL
  SELECT (SELECT e.target FROM entry e WHERE ` + ofConv + isReply + ` AND e.target > root.seq ORDER BY e.target LIMIT 1)
  FROM root WHERE root.seq < $4
), thread (seq, newest) AS (
  SELECT root.seq, (SELECT max(e.seq) FROM entry e WHERE ` + ofConv + isReply + ` AND e.target = root.seq AND e.seq <= $5)
  FROM root WHERE root.seq BETWEEN $3 AND $4
)
SELECT t.seq, t.newest,
  (SELECT max(e.time) FROM entry e WHERE ` + ofConv + isReply + ` AND e.target = t.seq AND e.seq = t.newest),
  (SELECT count(*) FROM entry e WHERE ` + ofConv + isReply + ` AND e.target = t.seq AND e.seq <= $5),
  (SELECT AGG FROM (
    SELECT f.sender, min(f.seq) AS came FROM (
      SELECT e.sender, e.seq FROM entry e WHERE ` + ofConv + isReply + ` AND e.target = t.seq AND e.seq <= $5 ORDER BY e.seq LIMIT $8
    ) f GROUP BY f.sender ORDER BY came LIMIT $9
  ) g)
FROM (SELECT thread.seq, thread.newest FROM thread WHERE thread.newest < $6 ORDER BY ORDER LIMIT $7) t ORDER BY OUTER`
)

// threadsQuery is the query for an engine and an order.
func threadsQuery(d db.Dialect, newest bool) string {
	agg, inner, outer := "group_concat(g.sender, char(10))", "thread.seq", "t.seq"
	if d == db.Postgres {
		agg = "string_agg(g.sender, chr(10) ORDER BY g.came)"
	}
	if newest {
		inner, outer = "thread.newest DESC", "t.newest DESC"
	}
	return strings.NewReplacer("AGG", agg, "ORDER BY ORDER", "ORDER BY "+inner, "ORDER BY OUTER", "ORDER BY "+outer).Replace(threadRoots)
}

// Threads implements View.
func (v *sqlView) Threads(app im.AppID, conv im.ConvID, q ThreadQuery) ([]Thread, error) {
	before := q.Before
	if before <= 0 {
		before = 1 << 62
	}
	rows, err := v.tx.Query(threadsQuery(v.tx.Dialect(), q.Newest), app, conv, max(q.From, 1), q.To, q.Head, before, max(q.Limit, 0), senderReplies, maxSenders)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []Thread
	for rows.Next() {
		var t Thread
		var senders string
		if err := rows.Scan(&t.Root, &t.Last, &t.Time, &t.Replies, &senders); err != nil {
			return nil, err
		}
		for _, u := range strings.Split(senders, "\n") { // a user id has no control characters
			t.Senders = append(t.Senders, im.UserID(u))
		}
		out = append(out, t)
	}
	return out, rows.Err()
}

// Replies implements View.
func (v *sqlView) Replies(app im.AppID, conv im.ConvID, root, from, to im.Seq, limit int, newest bool) ([]im.Entry, error) {
	order := " ORDER BY e.seq LIMIT $6"
	if newest {
		order = " ORDER BY e.seq DESC LIMIT $6"
	}
	out, err := v.entries(app, conv, selectEntries+isReply+" AND e.target = $3 AND e.seq BETWEEN $4 AND $5"+order, app, conv, root, from, to, max(limit, 0))
	if newest {
		reverse(out)
	}
	return out, err
}

func reverse(list []im.Entry) {
	for i, k := 0, len(list)-1; i < k; i, k = i+1, k-1 {
		list[i], list[k] = list[k], list[i]
	}
}

// At implements View.
func (v *sqlView) At(app im.AppID, conv im.ConvID, seqs []im.Seq) ([]im.Entry, error) {
	if len(seqs) == 0 {
		return nil, nil
	}
	args := []any{app, conv}
	for _, s := range seqs[:min(len(seqs), 500)] {
		args = append(args, s)
	}
	return v.entries(app, conv, selectEntries+" AND e.seq IN ("+db.List(3, len(args)-2)+") ORDER BY e.seq", args...)
}

const slotRange = " AND e.slot <> '' AND e.slot >= $3 AND e.slot < $4"

// Slots implements View.
func (v *sqlView) Slots(app im.AppID, conv im.ConvID, from, to string, limit int) ([]im.Entry, error) {
	return v.entries(app, conv, selectEntries+slotRange+" ORDER BY e.slot LIMIT $5", app, conv, from, to, max(limit, 0))
}

// CountSlots implements View.
func (v *sqlView) CountSlots(app im.AppID, conv im.ConvID, from, to string, limit int) (n int, err error) {
	err = v.tx.QueryRow("SELECT count(*) FROM (SELECT 1 FROM entry e WHERE "+ofConv+slotRange+" LIMIT $5) found", app, conv, from, to, max(limit, 0)).Scan(&n)
	return n, err
}
