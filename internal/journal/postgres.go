package journal

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
)

// pgStore is the writers' side on PostgreSQL. The usual commit is one round
// trip: a pipeline that begins with an UPDATE of the shard's row which fails
// unless the row is what the writer saw last, and so takes the row's lock and
// checks the writer's memory in one. When that fails, the next attempt locks
// the row first and looks again at all it needs.
type pgStore struct{ d *db.DB }

// pgTimeout ends an attempt on a connection that has gone silent, or at a shard
// whose row somebody holds. The next attempt finds out what became of it.
const pgTimeout = 10 * time.Second

func (s *pgStore) transact(ctx context.Context, shard int, locked bool, believed *cache, fn func(txn) error) error {
	ctx, cancel := context.WithTimeout(ctx, pgTimeout)
	defer cancel()
	c, err := s.d.Acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	believed.at(s.d.Epoch())
	if !locked && believed.valid {
		return pgError(db.Outcome(c, fn(&pgTxn{ctx: ctx, d: s.d, q: c, no: shard, believed: believed})))
	}
	tx, err := c.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted})
	if err != nil {
		return db.MapError(err)
	}
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), pgTimeout)
		defer cancel()
		_ = tx.Rollback(end)
	}()
	if err := fn(&pgTxn{ctx: ctx, d: s.d, q: tx, no: shard}); err != nil {
		return pgError(db.Outcome(c, err))
	}
	return pgError(db.Outcome(c, tx.Commit(ctx)))
}

// pgError tells the errors that another attempt answers from the others.
func pgError(err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch {
		case pg.Code == "22012": // division by zero: see pgGuard
			return errMoved
		case pg.Code == "23505" && pg.ConstraintName == "idempotency_pkey":
			return errDuplicate
		case pg.Code == "40001", pg.Code == "40P01":
			return errMoved
		}
	}
	return db.MapError(err)
}

// pgQuerier is a transaction, or a connection, where each call is one of its own.
type pgQuerier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

type pgTxn struct {
	ctx      context.Context
	d        *db.DB
	q        pgQuerier
	no       int
	believed *cache // of an optimistic transaction
}

func (t *pgTxn) shard() (head im.Pos, commits int64, err error) {
	if t.believed != nil {
		return t.believed.head, t.believed.commits, nil
	}
	err = t.q.QueryRow(t.ctx, "SELECT head, commits FROM shard WHERE shard = $1 FOR UPDATE", t.no).Scan(&head, &commits)
	return head, commits, err
}

// collect runs a query and hands each row over.
func (t *pgTxn) collect(each func(pgx.Rows) error, query string, args ...any) error {
	rows, err := t.q.Query(t.ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (t *pgTxn) convs(keys []convKey) ([]*convState, error) {
	apps, names := make([]string, len(keys)), make([]string, len(keys))
	for i, k := range keys {
		apps[i], names[i] = string(k.app), string(k.conv)
	}
	var out []*convState
	var broken []*headRow
	err := t.collect(func(rows pgx.Rows) error {
		var h headRow
		if err := h.scanHead(rows); err != nil {
			return err
		}
		if h.broken != nil {
			broken = append(broken, &h)
		} else {
			out = append(out, h.state())
		}
		return nil
	}, "SELECT "+rowColumns+", "+convColumns+` FROM unnest($1::text[], $2::text[]) k(app, conv)
JOIN conversation c ON c.app = k.app AND c.conv = k.conv
JOIN LATERAL (SELECT * FROM entry x WHERE x.conv_no = c.conv_no ORDER BY x.seq DESC LIMIT 1) e ON true`, apps, names)
	for _, h := range broken {
		if err == nil {
			err = t.d.Read(t.ctx, h.mend)
			out = append(out, h.state())
		}
	}
	return out, err
}

func (t *pgTxn) people(cs []*convState, users []im.UserID) error {
	nos, names := make([]int64, len(cs)), make([]string, len(cs))
	byNo := make(map[int64]*convState, len(cs))
	for i, c := range cs {
		nos[i], names[i], byNo[c.no] = c.no, string(users[i]), c
	}
	return t.collect(func(rows pgx.Rows) error {
		var no int64
		m := &memberState{}
		err := rows.Scan(&no, &m.user, &m.joined, &m.role, &m.from, &m.to, &m.readSeq, &m.readOrd, &m.changed, &m.attrs, &m.sent)
		if err == nil {
			byNo[no].people[m.user] = m
		}
		return err
	}, `SELECT m.conv_no, m.usr, m.joined, m.role, m.from_seq, m.to_seq, m.read_seq, m.read_ord, m.changed_pos, m.attrs, m.sent
FROM unnest($1::bigint[], $2::text[]) k(conv_no, usr)
JOIN membership m ON m.conv_no = k.conv_no AND m.usr = k.usr AND m.latest = 1`, nos, names)
}

// found reads entries of the given conversations; the query ends with conv_no.
func (t *pgTxn) found(cs []*convState, query string, args ...any) ([]*row, error) {
	byNo := make(map[int64]*convState, len(cs))
	for _, c := range cs {
		byNo[c.no] = c
	}
	var out []*row
	err := t.collect(func(rows pgx.Rows) error {
		r := &row{}
		var no int64
		if err := r.scan(rows, &no); err != nil {
			return err
		}
		r.c = byNo[no]
		r.App, r.Conv = r.c.app, r.c.conv
		out = append(out, r)
		return nil
	}, "SELECT "+rowColumns+", e.conv_no FROM "+query, args...)
	return out, err
}

// split turns references into arrays.
func split(refs []rowRef) (cs []*convState, nos, seqs []int64) {
	for _, r := range refs {
		cs, nos, seqs = append(cs, r.c), append(nos, r.c.no), append(seqs, int64(r.seq))
	}
	return cs, nos, seqs
}

func (t *pgTxn) rows(refs []rowRef) ([]*row, error) {
	cs, nos, seqs := split(refs)
	return t.found(cs, `unnest($1::bigint[], $2::bigint[]) k(conv_no, seq)
JOIN entry e ON e.conv_no = k.conv_no AND e.seq = k.seq`, nos, seqs)
}

func (t *pgTxn) edits(refs []rowRef) ([]*row, error) {
	cs, nos, seqs := split(refs)
	return t.found(cs, `unnest($1::bigint[], $2::bigint[]) k(conv_no, seq)
JOIN entry e ON e.conv_no = k.conv_no AND e.target = k.seq AND e.target > 0 AND e.kind IN ($3, $4)`, nos, seqs, int64(im.KindEdit),
		int64(im.KindExtension))
}

func (t *pgTxn) slots(cs []*convState, keys []string) ([]*row, error) {
	nos := make([]int64, len(cs))
	for i, c := range cs {
		nos[i] = c.no
	}
	return t.found(cs, `unnest($1::bigint[], $2::text[]) k(conv_no, slot)
JOIN entry e ON e.conv_no = k.conv_no AND e.slot = k.slot AND e.slot <> ''`, nos, keys)
}

func (t *pgTxn) stored(keys []idemKey) (map[idemKey]storedReq, error) {
	ids, apps, senders := make([][]byte, len(keys)), make([]string, len(keys)), make([]string, len(keys))
	for i := range keys {
		ids[i], apps[i], senders[i] = keys[i].id[:], string(keys[i].app), string(keys[i].sender)
	}
	found := map[idemKey]storedReq{}
	err := t.collect(func(rows pgx.Rows) error {
		var id []byte
		var k idemKey
		var s storedReq
		if err := rows.Scan(&id, &k.app, &k.sender, &s.hash, &s.convNo, &s.seq); err != nil {
			return err
		}
		copy(k.id[:], id)
		found[k] = s
		return nil
	}, `SELECT i.client_id, i.app, i.sender, i.hash, i.conv_no, i.seq FROM unnest($1::bytea[], $2::text[], $3::text[]) k(id, app, sender)
JOIN idempotency i ON i.client_id = k.id AND i.app = k.app AND i.sender = k.sender`, ids, apps, senders)
	return found, err
}

// pgGuard moves the shard on, or divides by zero when it is not where the plan
// began, which ends the pipeline and takes everything in it back.
const pgGuard = `WITH moved AS (UPDATE shard SET head = $2, commits = $3 WHERE shard = $1 AND head = $4 AND commits = $5 RETURNING 1)
SELECT 1 / count(*) FROM moved`

const (
	pgCheck      = "SELECT 1 / count(*) FROM shard WHERE shard = $1 AND head = $2 AND commits = $3"
	pgNumbers    = "SELECT nextval(pg_get_serial_sequence('conversation', 'conv_no')) FROM generate_series(1, $1)"
	pgInsertConv = `INSERT INTO conversation (conv_no, app, conv, kind, title, shard, acl_version, changed_pos, members, created, attrs, bits)
SELECT no, app, conv, kind, title, $12, acl, changed, members, created, attrs, bits
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[],
  $10::bytea[], $11::bigint[]) k(no, app, conv, kind, title, acl, changed, members, created, attrs, bits)`
	pgUpdateConv = `UPDATE conversation c SET title = k.title, acl_version = k.acl, changed_pos = k.changed, members = k.members,
  attrs = k.attrs, bits = k.bits
FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bytea[], $7::bigint[])
  k(no, title, acl, changed, members, attrs, bits) WHERE c.conv_no = k.no`
	pgInsertIdem = `INSERT INTO idempotency (client_id, app, sender, hash, conv_no, seq)
SELECT * FROM unnest($1::bytea[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[])`
	pgInsertPlain = `INSERT INTO entry (shard, pos, conv_no, seq, ord, sender, device, time, client_id, body, hash)
SELECT $11, * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::bigint[], $8::bytea[],
  $9::bytea[], $10::bigint[])`
	pgInsertEntry = `INSERT INTO entry (shard, pos, conv_no, seq, ord, sender, device, time, client_id, body, hash,
  kind, version, target, key, slot, flags, devices, previous, extra)
SELECT $20, * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::bigint[], $8::bytea[],
  $9::bytea[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::text[], $15::text[], $16::bigint[], $17::bytea[], $18::bytea[], $19::bytea[])`
	pgUpdateEntry = `UPDATE entry e SET version = k.version, flags = k.flags, body = k.body, previous = k.previous, slot = k.slot, hash = k.hash
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bytea[], $5::bytea[], $6::text[], $7::bigint[])
  k(pos, version, flags, body, previous, slot, hash) WHERE e.shard = $8 AND e.pos = k.pos`
	pgInsertPerson = `INSERT INTO membership (conv_no, usr, joined, app, role, from_seq, to_seq, read_seq, read_ord, changed_pos, latest, attrs, sent)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[],
  $9::bigint[], $10::bigint[], $11::bigint[], $12::bytea[], $13::bigint[])`
	pgUpdatePerson = `UPDATE membership m SET role = k.role, to_seq = k.upto, read_seq = k.rseq, read_ord = k.rord, changed_pos = k.changed, latest = k.latest,
  attrs = k.attrs, sent = k.sent
FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[],
  $10::bytea[], $11::bigint[]) k(no, usr, joined, role, upto, rseq, rord, changed, latest, attrs, sent) WHERE m.conv_no = k.no AND m.usr = k.usr AND m.joined = k.joined`
	pgUpdateRead = `UPDATE membership m SET read_seq = k.rseq, read_ord = k.rord, sent = k.sent
FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[]) k(no, usr, joined, rseq, rord, sent)
WHERE m.conv_no = k.no AND m.usr = k.usr AND m.joined = k.joined`
)

func (t *pgTxn) apply(p *plan) error {
	if p.writesNothing() {
		if t.believed == nil {
			return nil // the row is locked and is what the plan began with
		}
		var one int64
		return t.q.QueryRow(t.ctx, pgCheck, t.no, p.head, p.commits).Scan(&one)
	}
	if err := t.number(p.newConvs); err != nil {
		return err
	}
	var b pgx.Batch
	b.Queue(pgGuard, t.no, p.newHead, p.commits+1, p.head, p.commits)
	queueConvs(&b, p, t.no)
	queueEntries(&b, p, t.no)
	queuePeople(&b, p)
	return t.q.SendBatch(t.ctx, &b).Close()
}

// number gives new conversations their numbers.
func (t *pgTxn) number(cs []*convState) error {
	if len(cs) == 0 {
		return nil
	}
	i := 0
	return t.collect(func(rows pgx.Rows) error {
		i++
		return rows.Scan(&cs[i-1].no)
	}, pgNumbers, len(cs))
}

// column collects one value of each member of a list.
func column[T, V any](list []T, value func(T) V) []V {
	out := make([]V, len(list))
	for i, x := range list {
		out[i] = value(x)
	}
	return out
}

func queueConvs(b *pgx.Batch, p *plan, shard int) {
	no := func(c *convState) int64 { return c.no }
	title := func(c *convState) string { return c.title }
	acl := func(c *convState) int64 { return c.acl }
	changed := func(c *convState) int64 { return int64(c.changed) }
	members := func(c *convState) int64 { return c.members }
	attrs := func(c *convState) []byte { return full(c.attrs) }
	bits := func(c *convState) int64 { return int64(c.bits) }
	if l := p.newConvs; len(l) > 0 {
		b.Queue(pgInsertConv, column(l, no), column(l, func(c *convState) string { return string(c.app) }),
			column(l, func(c *convState) string { return string(c.conv) }), column(l, func(c *convState) int64 { return int64(c.kind) }),
			column(l, title), column(l, acl), column(l, changed), column(l, members),
			column(l, func(c *convState) int64 { return int64(c.created) }), column(l, attrs), column(l, bits), shard)
	}
	if l := p.convs; len(l) > 0 {
		b.Queue(pgUpdateConv, column(l, no), column(l, title), column(l, acl), column(l, changed), column(l, members), column(l, attrs), column(l, bits))
	}
}

func queueEntries(b *pgx.Batch, p *plan, shard int) {
	if l := p.newItems; len(l) > 0 {
		b.Queue(pgInsertIdem, column(l, func(it *item) []byte { return it.a.ClientID[:] }),
			column(l, func(it *item) string { return string(it.a.App) }), column(l, func(it *item) string { return string(it.a.Sender) }),
			column(l, func(it *item) int64 { return it.req }), column(l, func(it *item) int64 { return it.row.c.no }),
			column(l, func(it *item) int64 { return int64(it.row.Seq) }))
	}
	version := func(r *row) int64 { return int64(r.Version) }
	flags := func(r *row) int64 { return r.flags() }
	body := func(r *row) []byte { return full(r.Body) }
	previous := func(r *row) []byte { return full(r.Previous) }
	slot := func(r *row) string { return r.slotKey() }
	hash := func(r *row) int64 { return r.hash }
	pos := func(r *row) int64 { return int64(r.Pos) }
	if l := p.changedRows; len(l) > 0 { // a keyed entry takes its slot from an older one: first the old, then the new
		b.Queue(pgUpdateEntry, column(l, pos), column(l, version), column(l, flags), column(l, body), column(l, previous),
			column(l, slot), column(l, hash), shard)
	}
	var plain, other []*row
	for _, it := range p.newItems {
		if it.row.plain() {
			plain = append(plain, it.row)
		} else {
			other = append(other, it.row)
		}
	}
	args := func(l []*row) []any {
		return []any{column(l, pos), column(l, func(r *row) int64 { return r.c.no }), column(l, func(r *row) int64 { return int64(r.Seq) }),
			column(l, func(r *row) int64 { return int64(r.Ord) }), column(l, func(r *row) string { return string(r.Sender) }),
			column(l, func(r *row) string { return string(r.Device) }), column(l, func(r *row) int64 { return int64(r.Time) }),
			column(l, func(r *row) []byte { return r.ClientID[:] }), column(l, body), column(l, hash)}
	}
	if len(plain) > 0 {
		b.Queue(pgInsertPlain, append(args(plain), shard)...)
	}
	if l := other; len(l) > 0 {
		b.Queue(pgInsertEntry, append(args(l), column(l, func(r *row) int64 { return int64(r.Kind) }), column(l, version),
			column(l, func(r *row) int64 { return int64(r.Target) }), column(l, func(r *row) string { return r.Key }), column(l, slot),
			column(l, flags), column(l, func(r *row) []byte { return packDevices(r.ToDevices) }), column(l, previous),
			column(l, (*row).extra), shard)...)
	}
}

// full returns nil, which is stored as NULL, for an empty body.
func full(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

func queuePeople(b *pgx.Batch, p *plan) {
	var fresh, changed, read []person
	for _, x := range p.people {
		switch {
		case x.m.fresh:
			fresh = append(fresh, x)
		case x.m.changedRow || x.m.wasLatest:
			changed = append(changed, x)
		case x.m.readMoved:
			read = append(read, x)
		}
	}
	no := func(x person) int64 { return x.c.no }
	usr := func(x person) string { return string(x.m.user) }
	joined := func(x person) int64 { return int64(x.m.joined) }
	role := func(x person) int64 { return int64(x.m.role) }
	to := func(x person) int64 { return int64(x.m.to) }
	readSeq := func(x person) int64 { return int64(x.m.readSeq) }
	readOrd := func(x person) int64 { return int64(x.m.readOrd) }
	pos := func(x person) int64 { return int64(x.m.changed) }
	latest := func(x person) int64 { return int64(x.m.latest()) }
	attrs := func(x person) []byte { return full(x.m.attrs) }
	sent := func(x person) int64 { return int64(x.m.sent) }
	if l := changed; len(l) > 0 {
		b.Queue(pgUpdatePerson, column(l, no), column(l, usr), column(l, joined), column(l, role), column(l, to), column(l, readSeq),
			column(l, readOrd), column(l, pos), column(l, latest), column(l, attrs), column(l, sent))
	}
	if l := fresh; len(l) > 0 {
		b.Queue(pgInsertPerson, column(l, no), column(l, usr), column(l, joined), column(l, func(x person) string { return string(x.c.app) }),
			column(l, role), column(l, func(x person) int64 { return int64(x.m.from) }), column(l, to), column(l, readSeq),
			column(l, readOrd), column(l, pos), column(l, latest), column(l, attrs), column(l, sent))
	}
	if l := read; len(l) > 0 {
		b.Queue(pgUpdateRead, column(l, no), column(l, usr), column(l, joined), column(l, readSeq), column(l, readOrd), column(l, sent))
	}
}
