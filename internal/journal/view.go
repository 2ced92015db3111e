package journal

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
)

// sqlStore reads the journal, with one SQL text for both engines.
type sqlStore struct {
	d       *db.DB
	log     *slog.Logger
	damaged prometheus.Counter
}

func (s *sqlStore) view(ctx context.Context, fn func(View) error) error {
	return s.d.Read(ctx, func(tx db.Tx) error { return fn(&sqlView{tx: tx, log: s.log, damaged: s.damaged}) })
}

// purge removes idempotency keys in steps, so that no writer waits long.
func (s *sqlStore) purge(ctx context.Context, before im.ClientID, upTo im.Micros) (int64, error) {
	err := s.d.Write(ctx, func(tx db.Tx) error {
		_, err := tx.Exec(`INSERT INTO journal_meta (name, value) VALUES ('purged', $1)
ON CONFLICT (name) DO UPDATE SET value = excluded.value`, strconv.FormatInt(int64(upTo), 10))
		return err
	})
	const step = 5000
	var total int64
	for n := int64(step); n == step && err == nil; total += n {
		err = s.d.Write(ctx, func(tx db.Tx) (err error) {
			n, err = tx.Exec(`DELETE FROM idempotency WHERE (client_id, app, sender) IN
(SELECT client_id, app, sender FROM idempotency WHERE client_id < $1 ORDER BY client_id LIMIT $2)`, before[:], step)
			return err
		})
	}
	return total, err
}

// sqlView implements View.
type sqlView struct {
	tx      db.Tx
	log     *slog.Logger
	damaged prometheus.Counter
	buf     []byte
}

// selectEntries reads a conversation. The subquery, and not a join, because
// PostgreSQL then takes the newest of a range from the end of the index; for
// the join it reads the whole range and sorts it.
const selectEntries = "SELECT " + rowColumns + " FROM entry e WHERE e.conv_no = (SELECT c.conv_no FROM conversation c WHERE c.app = $1 AND c.conv = $2)"

// joinEntries is for the few of a conversation that another index finds: there
// the subquery would have PostgreSQL walk the order that is asked for.
const joinEntries = "SELECT " + rowColumns + " FROM conversation c JOIN entry e ON e.conv_no = c.conv_no WHERE c.app = $1 AND c.conv = $2"

// Heads implements View.
func (v *sqlView) Heads() ([]im.Pos, error) { return Heads(v.tx) }

// Conv implements View.
func (v *sqlView) Conv(app im.AppID, conv im.ConvID) (Conv, error) {
	var h headRow
	if err := h.read(v.tx, convKey{app, conv}); err != nil {
		return Conv{}, notFound(err)
	}
	v.report(h.broken)
	return h.conv, nil
}

// Bits implements View.
func (v *sqlView) Bits(app im.AppID, convs ...im.ConvID) (map[im.ConvID]uint64, error) {
	out := make(map[im.ConvID]uint64, len(convs))
	for some := range slices.Chunk(convs, bitsAtOnce) {
		args := make([]any, 0, len(some)+1)
		args = append(args, app)
		for _, c := range some {
			args = append(args, c)
		}
		if err := v.bits(out, "SELECT conv, bits FROM conversation WHERE app = $1 AND conv IN ("+db.List(2, len(some))+")", args); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// bitsAtOnce is how many conversations one query names.
const bitsAtOnce = 500

func (v *sqlView) bits(out map[im.ConvID]uint64, query string, args []any) error {
	rows, err := v.tx.Query(query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var conv im.ConvID
		var bits uint64
		if err := rows.Scan(&conv, &bits); err != nil {
			return err
		}
		out[conv] = bits
	}
	return rows.Err()
}

// report tells the operator of a damaged row.
func (v *sqlView) report(err error) {
	if err != nil {
		v.damaged.Inc()
		v.log.Error("damaged entry", "err", err)
	}
}

func notFound(err error) error {
	if errors.Is(err, db.ErrNoRows) {
		return im.ErrNotFound
	}
	return err
}

// entries reads and checks entries; app and conv are those of all of them, or
// empty when the query gives them behind rowColumns.
func (v *sqlView) entries(app im.AppID, conv im.ConvID, query string, args ...any) ([]im.Entry, error) {
	rows, err := v.tx.Query(query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []im.Entry
	for rows.Next() {
		r := row{Entry: im.Entry{App: app, Conv: conv}}
		if app == "" {
			err = r.scan(rows, &r.App, &r.Conv)
		} else {
			err = r.scan(rows)
		}
		if err != nil {
			return nil, err
		}
		if v.buf, err = r.verify(v.buf); err != nil {
			v.report(err)
			return nil, err
		}
		out = append(out, r.Entry)
	}
	return out, rows.Err()
}

// Entries implements View.
func (v *sqlView) Entries(app im.AppID, conv im.ConvID, from, to im.Seq, limit int, newest bool) ([]im.Entry, error) {
	order := " AND e.seq BETWEEN $3 AND $4 ORDER BY e.seq LIMIT $5"
	if newest {
		order = " AND e.seq BETWEEN $3 AND $4 ORDER BY e.seq DESC LIMIT $5"
	}
	out, err := v.entries(app, conv, selectEntries+order, app, conv, from, to, max(limit, 0))
	if newest {
		reverse(out)
	}
	return out, err
}

// Targeting implements View.
func (v *sqlView) Targeting(app im.AppID, conv im.ConvID, from, to im.Seq, limit int, kinds ...im.Kind) ([]im.Entry, error) {
	if len(kinds) == 0 {
		return nil, nil
	}
	args := []any{app, conv, from, to, max(limit, 0)}
	for _, k := range kinds {
		args = append(args, k)
	}
	return v.entries(app, conv, joinEntries+" AND e.target BETWEEN $3 AND $4 AND e.target > 0 AND e.kind IN ("+
		db.List(6, len(kinds))+") ORDER BY e.seq LIMIT $5", args...)
}

// ByClientID implements View.
func (v *sqlView) ByClientID(app im.AppID, sender im.UserID, id im.ClientID) (im.Entry, error) {
	out, err := v.entries("", "", "SELECT "+rowColumns+`, c.app, c.conv FROM idempotency i
JOIN entry e ON e.conv_no = i.conv_no AND e.seq = i.seq JOIN conversation c ON c.conv_no = i.conv_no
WHERE i.client_id = $1 AND i.app = $2 AND i.sender = $3`, id[:], app, sender)
	if err == nil && len(out) == 0 {
		err = im.ErrNotFound
	}
	if err != nil {
		return im.Entry{}, err
	}
	return out[0], nil
}

// Keyed implements View.
func (v *sqlView) Keyed(app im.AppID, conv im.ConvID) ([]im.Entry, error) {
	return v.entries(app, conv, selectEntries+" AND e.slot <> '' AND e.slot >= $3 ORDER BY e.slot", app, conv, pastFolded)
}

// KeyedIn implements View.
func (v *sqlView) KeyedIn(app im.AppID, conv im.ConvID, r KeyRange) ([]im.Entry, error) {
	return v.entries(app, conv, selectEntries+` AND e.slot <> '' AND e.slot >= $3 AND e.slot <= $4 AND e.slot > $5 AND e.pos > $6
ORDER BY e.slot LIMIT $7`, app, conv, r.Prefix, r.upper(), r.After, r.Since, max(r.Limit, 0))
}

// KeyedAt implements View.
func (v *sqlView) KeyedAt(app im.AppID, conv im.ConvID, keys ...string) ([]im.Entry, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	list, args := "", []any{app, conv}
	for i, k := range keys {
		if i > 0 {
			list += ", "
		}
		list += "$" + strconv.Itoa(i+3)
		args = append(args, k)
	}
	return v.entries(app, conv, selectEntries+" AND e.slot <> '' AND e.slot IN ("+list+") ORDER BY e.slot", args...)
}

// Since implements View.
func (v *sqlView) Since(shard int, after im.Pos, limit int) ([]im.Entry, error) {
	return v.entries("", "", "SELECT "+rowColumns+`, c.app, c.conv FROM entry e JOIN conversation c ON c.conv_no = e.conv_no
WHERE e.shard = $1 AND e.pos > $2 ORDER BY e.pos LIMIT $3`, shard, after, max(limit, 0))
}

const (
	memberColumns = "m.usr, m.role, m.from_seq, m.to_seq, m.read_seq, m.read_ord, m.changed_pos, m.attrs, m.sent, m.joined"
	selectMembers = "SELECT " + memberColumns + ` FROM conversation c JOIN membership m ON m.conv_no = c.conv_no
WHERE c.app = $1 AND c.conv = $2`
)

func (m *Member) dest() []any {
	return []any{&m.User, &m.Role, &m.From, &m.To, &m.ReadSeq, &m.ReadOrd, &m.Changed, &m.Attrs, &m.Sent, &m.Joined}
}

func (v *sqlView) members(query string, args ...any) ([]Member, error) {
	rows, err := v.tx.Query(query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []Member
	for rows.Next() {
		var m Member
		if err := rows.Scan(m.dest()...); err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, rows.Err()
}

// Member implements View.
func (v *sqlView) Member(app im.AppID, conv im.ConvID, user im.UserID) (Member, error) {
	var m Member
	err := v.tx.QueryRow(selectMembers+" AND m.usr = $3 AND m.latest = 1", app, conv, user).Scan(m.dest()...)
	return m, notFound(err)
}

// Intervals implements View.
func (v *sqlView) Intervals(app im.AppID, conv im.ConvID, user im.UserID) ([]Member, error) {
	return v.members(selectMembers+" AND m.usr = $3 ORDER BY m.joined", app, conv, user)
}

// Members implements View.
func (v *sqlView) Members(app im.AppID, conv im.ConvID, after im.UserID, limit int) ([]Member, error) {
	return v.members(selectMembers+" AND m.usr > $3 AND m.latest = 1 AND m.to_seq = 0 ORDER BY m.usr LIMIT $4", app, conv, after, max(limit, 0))
}

// Readers implements View. Most members of a large group have read nothing:
// the inner query, which has an index, looks at them without a row of theirs
// being decoded.
func (v *sqlView) Readers(app im.AppID, conv im.ConvID, limit int) ([]Member, error) {
	return v.members("SELECT usr, role, from_seq, to_seq, read_seq, read_ord, changed_pos, attrs, sent, joined FROM ("+selectMembers+
		" AND m.latest = 1 AND m.to_seq = 0 ORDER BY m.changed_pos DESC, m.usr DESC LIMIT $3) newest "+
		"WHERE read_seq > 0 ORDER BY changed_pos DESC, usr DESC", app, conv, max(limit, 0))
}

// Changes implements View. The inner query looks at every conversation of the
// user, by indexes alone; the outer one reads the few that are news.
func (v *sqlView) Changes(app im.AppID, user im.UserID, since []im.Pos, before *PageKey, limit int) ([]Changed, error) {
	args := []any{app, user, max(limit, 0)}
	where := "1 = 1"
	if before != nil {
		args = append(args, before.LastPos, before.Conv)
		where = "(t.last_pos < $4 OR t.last_pos = $4 AND t.conv > $5)"
	}
	if since != nil {
		args = append(args, cursorArg(v.tx.Dialect(), since))
		cursor := "$" + strconv.Itoa(len(args))
		if v.tx.Dialect() == db.Postgres {
			cursor = "coalesce((" + cursor + "::bigint[])[t.shard + 1], 0)"
		}
		where += " AND (t.member_changed > " + cursor + " OR t.to_seq = 0 AND (t.last_pos > " + cursor + " OR t.changed_pos > " + cursor + "))"
	}
	rows, err := v.tx.Query("SELECT "+rowColumns+", "+convColumns+", "+memberColumns+` FROM (
  SELECT t.conv_no, t.conv, t.joined, t.shard, t.last_pos FROM (
    SELECT m.conv_no, m.joined, m.to_seq, m.changed_pos AS member_changed, c.conv, c.shard, c.changed_pos,
      (SELECT x.pos FROM entry x WHERE x.conv_no = m.conv_no ORDER BY x.seq DESC LIMIT 1) AS last_pos
    FROM membership m JOIN conversation c ON c.conv_no = m.conv_no
    WHERE m.app = $1 AND m.usr = $2 AND m.latest = 1
  ) t WHERE `+where+` ORDER BY t.last_pos DESC, t.conv LIMIT $3
) n JOIN conversation c ON c.conv_no = n.conv_no
JOIN membership m ON m.conv_no = n.conv_no AND m.usr = $2 AND m.joined = n.joined
JOIN entry e ON e.shard = n.shard AND e.pos = n.last_pos
ORDER BY n.last_pos DESC, n.conv`, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []Changed
	var heads []headRow
	for rows.Next() {
		var h headRow
		var m Member
		if err := h.scanHead(rows, m.dest()...); err != nil {
			return nil, err
		}
		out, heads = append(out, Changed{Conv: h.conv, Member: m}), append(heads, h)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	for i := range heads {
		if heads[i].broken != nil {
			if err := heads[i].mend(v.tx); err != nil {
				return nil, err
			}
			v.report(heads[i].broken)
			out[i].Conv = heads[i].conv
		}
	}
	return out, nil
}

// cursorArg is a cursor as an argument: SQLite has one shard.
func cursorArg(d db.Dialect, since []im.Pos) any {
	if d == db.Postgres {
		out := make([]int64, len(since))
		for i, p := range since {
			out[i] = int64(p)
		}
		return out
	}
	if len(since) == 0 {
		return 0
	}
	return int64(since[0])
}

// Places implements View.
func (v *sqlView) Places(app im.AppID, user im.UserID, limit int) ([]Place, error) {
	rows, err := v.tx.Query(`SELECT c.conv, m.from_seq, m.to_seq FROM membership m JOIN conversation c ON c.conv_no = m.conv_no
WHERE m.app = $1 AND m.usr = $2 AND m.latest = 1 ORDER BY c.conv LIMIT $3`, app, user, max(limit, 0))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []Place
	for rows.Next() {
		var p Place
		if err := rows.Scan(&p.Conv, &p.From, &p.To); err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, rows.Err()
}

// OrdAt implements View.
func (v *sqlView) OrdAt(app im.AppID, conv im.ConvID, seq im.Seq) (im.Ord, error) {
	if seq == 0 {
		return 0, nil
	}
	out, err := v.entries(app, conv, selectEntries+" AND e.seq = $3", app, conv, seq)
	if err == nil && len(out) == 0 {
		err = im.ErrNotFound
	}
	if err != nil {
		return 0, err
	}
	return out[0].Ord, nil
}
