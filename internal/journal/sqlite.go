package journal

import (
	"context"
	"errors"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
)

// liteStore is the writers' side on SQLite. A transaction there excludes all
// others from its start. The optimistic one still saves a query: the shard's
// row is checked by the UPDATE that apply begins with.
type liteStore struct{ d *db.DB }

func (s *liteStore) transact(ctx context.Context, shard int, locked bool, believed *cache, fn func(txn) error) error {
	if locked || !believed.valid {
		believed = nil
	}
	return s.d.Write(ctx, func(tx db.Tx) error { return fn(&liteTxn{tx: tx, no: shard, believed: believed}) })
}

type liteTxn struct {
	tx       db.Tx
	no       int
	believed *cache // of an optimistic transaction
}

func (t *liteTxn) shard() (head im.Pos, commits int64, err error) {
	if t.believed != nil {
		return t.believed.head, t.believed.commits, nil
	}
	err = t.tx.QueryRow("SELECT head, commits FROM shard WHERE shard = $1", t.no).Scan(&head, &commits)
	return head, commits, err
}

func (t *liteTxn) convs(keys []convKey) ([]*convState, error) {
	var out []*convState
	for _, k := range keys {
		var h headRow
		err := h.read(t.tx, k)
		if errors.Is(err, db.ErrNoRows) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, h.state())
	}
	return out, nil
}

const litePerson = `SELECT joined, role, from_seq, to_seq, read_seq, read_ord, changed_pos, attrs, sent
FROM membership WHERE conv_no = $1 AND usr = $2 AND latest = 1`

func (t *liteTxn) people(cs []*convState, users []im.UserID) error {
	for i, c := range cs {
		m := &memberState{user: users[i]}
		err := t.tx.QueryRow(litePerson, c.no, users[i]).Scan(&m.joined, &m.role, &m.from, &m.to, &m.readSeq, &m.readOrd, &m.changed,
			&m.attrs, &m.sent)
		if errors.Is(err, db.ErrNoRows) {
			m = nil
		} else if err != nil {
			return err
		}
		c.people[users[i]] = m
	}
	return nil
}

const selectRow = "SELECT " + rowColumns + " FROM entry e"

func (t *liteTxn) rows(refs []rowRef) ([]*row, error) {
	return t.each(len(refs), func(i int) (*convState, string, []any) {
		return refs[i].c, selectRow + " WHERE e.conv_no = $1 AND e.seq = $2", []any{refs[i].c.no, refs[i].seq}
	})
}

func (t *liteTxn) edits(refs []rowRef) ([]*row, error) {
	return t.each(len(refs), func(i int) (*convState, string, []any) {
		return refs[i].c, selectRow + " WHERE e.conv_no = $1 AND e.target = $2 AND e.target > 0 AND e.kind IN ($3, $4)",
			[]any{refs[i].c.no, refs[i].seq, im.KindEdit, im.KindExtension}
	})
}

func (t *liteTxn) slots(cs []*convState, keys []string) ([]*row, error) {
	return t.each(len(cs), func(i int) (*convState, string, []any) {
		return cs[i], selectRow + " WHERE e.conv_no = $1 AND e.slot = $2 AND e.slot <> ''", []any{cs[i].no, keys[i]}
	})
}

// each runs n queries for rows of known conversations.
func (t *liteTxn) each(n int, query func(int) (*convState, string, []any)) ([]*row, error) {
	var out []*row
	for i := range n {
		c, text, args := query(i)
		rows, err := t.tx.Query(text, args...)
		if err != nil {
			return nil, err
		}
		for rows.Next() {
			r := &row{c: c, Entry: im.Entry{App: c.app, Conv: c.conv}}
			if err := r.scan(rows); err != nil {
				rows.Close()
				return nil, err
			}
			out = append(out, r)
		}
		if err := rows.Err(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (t *liteTxn) stored(keys []idemKey) (map[idemKey]storedReq, error) {
	found := map[idemKey]storedReq{}
	for _, k := range keys {
		var s storedReq
		err := t.tx.QueryRow("SELECT hash, conv_no, seq FROM idempotency WHERE client_id = $1 AND app = $2 AND sender = $3",
			k.id[:], k.app, k.sender).Scan(&s.hash, &s.convNo, &s.seq)
		if errors.Is(err, db.ErrNoRows) {
			continue
		}
		if err != nil {
			return nil, err
		}
		found[k] = s
	}
	return found, nil
}

const (
	liteInsertConv = `INSERT INTO conversation (app, conv, kind, title, shard, acl_version, changed_pos, members, created, attrs, bits)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING conv_no`
	liteUpdateConv = `UPDATE conversation SET title = $2, acl_version = $3, changed_pos = $4, members = $5, attrs = $6, bits = $7 WHERE conv_no = $1`
	liteInsertIdem = `INSERT INTO idempotency (client_id, app, sender, hash, conv_no, seq) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT DO NOTHING`
	liteInsertPlain = `INSERT INTO entry (pos, conv_no, seq, ord, sender, device, time, client_id, body, hash)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`
	liteInsertEntry = `INSERT INTO entry (pos, conv_no, seq, ord, sender, device, time, client_id, body, hash,
  kind, version, target, key, slot, flags, devices, previous, extra)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)`
	liteUpdateEntry = `UPDATE entry SET version = $2, flags = $3, body = $4, previous = $5, slot = $6, hash = $7 WHERE pos = $1`
	litePersonNew   = `INSERT INTO membership (conv_no, usr, joined, app, role, from_seq, to_seq, read_seq, read_ord, changed_pos, latest, attrs, sent)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`
	litePersonRow = `UPDATE membership SET role = $4, to_seq = $5, read_seq = $6, read_ord = $7, changed_pos = $8, latest = $9, attrs = $10, sent = $11
WHERE conv_no = $1 AND usr = $2 AND joined = $3`
	litePersonRead = `UPDATE membership SET read_seq = $1, read_ord = $2, sent = $3 WHERE conv_no = $4 AND usr = $5 AND joined = $6`
)

func (t *liteTxn) apply(p *plan) error {
	if p.writesNothing() {
		return t.check(p)
	}
	n, err := t.tx.Exec("UPDATE shard SET head = $1, commits = $2 WHERE shard = $3 AND head = $4 AND commits = $5",
		p.newHead, p.commits+1, t.no, p.head, p.commits)
	if err != nil {
		return err
	}
	if n == 0 {
		return errMoved
	}
	for _, c := range p.newConvs {
		err := t.tx.QueryRow(liteInsertConv, c.app, c.conv, c.kind, c.title, c.shard, c.acl, c.changed, c.members, c.created,
			full(c.attrs), c.bits).Scan(&c.no)
		if err != nil {
			return err
		}
	}
	// The keys first: a duplicate would change the numbers of all after it.
	for _, it := range p.newItems {
		a := it.a
		n, err := t.tx.Exec(liteInsertIdem, a.ClientID[:], string(a.App), string(a.Sender), it.req, it.row.c.no, int64(it.row.Seq))
		if err != nil {
			return err
		}
		if n == 0 {
			return errDuplicate
		}
	}
	// Then what is there: a keyed entry takes its slot from an older one.
	for _, r := range p.changedRows {
		if _, err := t.tx.Exec(liteUpdateEntry, r.Pos, r.Version, r.flags(), r.Body, r.Previous, r.slotKey(), r.hash); err != nil {
			return err
		}
	}
	for _, it := range p.newItems {
		if err := t.insert(it.row); err != nil {
			return err
		}
	}
	for _, c := range p.convs {
		if _, err := t.tx.Exec(liteUpdateConv, c.no, c.title, c.acl, c.changed, c.members, full(c.attrs), c.bits); err != nil {
			return err
		}
	}
	for _, x := range p.people {
		if err := t.person(x.c, x.m); err != nil {
			return err
		}
	}
	return nil
}

// check tells whether the shard is where the plan began.
func (t *liteTxn) check(p *plan) error {
	t.believed = nil
	head, commits, err := t.shard()
	if err == nil && (head != p.head || commits != p.commits) {
		return errMoved
	}
	return err
}

func (t *liteTxn) insert(r *row) error {
	id := r.ClientID[:]
	if r.plain() { // in the types that a driver takes, so that none of them is converted
		_, err := t.tx.Exec(liteInsertPlain, int64(r.Pos), r.c.no, int64(r.Seq), int64(r.Ord), string(r.Sender), string(r.Device),
			int64(r.Time), id, r.Body, r.hash)
		return err
	}
	_, err := t.tx.Exec(liteInsertEntry, r.Pos, r.c.no, r.Seq, r.Ord, r.Sender, r.Device, r.Time, id, r.Body, r.hash,
		r.Kind, r.Version, r.Target, r.Key, r.slotKey(), r.flags(), packDevices(r.ToDevices), r.Previous, r.extra())
	return err
}

func (t *liteTxn) person(c *convState, m *memberState) error {
	var err error
	switch {
	case m.fresh:
		_, err = t.tx.Exec(litePersonNew, c.no, m.user, m.joined, c.app, m.role, m.from, m.to, m.readSeq, m.readOrd, m.changed, m.latest(),
			full(m.attrs), m.sent)
	case m.changedRow || m.wasLatest:
		_, err = t.tx.Exec(litePersonRow, c.no, m.user, m.joined, m.role, m.to, m.readSeq, m.readOrd, m.changed, m.latest(), full(m.attrs), m.sent)
	case m.readMoved:
		_, err = t.tx.Exec(litePersonRead, int64(m.readSeq), int64(m.readOrd), int64(m.sent), c.no, string(m.user), int64(m.joined))
	}
	return err
}
