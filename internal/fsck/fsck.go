// Package fsck proves the invariants of what is stored: that every number is
// there once, that every row is what was written, and that what refers to
// something refers to something that exists.
//
// It reads one snapshot and changes nothing, so it may run beside a server.
// It is the one package that reads other packages' tables, because its
// question is whether they agree.
package fsck

import (
	"context"
	"errors"
	"fmt"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
)

// MaxFindings bounds Report.Findings; what is beyond it is only counted.
const MaxFindings = 200

// Report is what a check found. It is sound when it has no findings.
type Report struct {
	Engine        string    `json:"engine"`
	Incarnation   string    `json:"incarnation"`
	Shards        int       `json:"shards"`
	Conversations int64     `json:"conversations"`
	Entries       int64     `json:"entries"`
	Messages      int64     `json:"messages"` // entries of kind message
	Recalled      int64     `json:"recalled"`
	Memberships   int64     `json:"memberships"`
	Keys          int64     `json:"idempotency_keys"`
	Followers     int64     `json:"follower_cursors"`
	Devices       int64     `json:"device_cursors"`
	Findings      []Finding `json:"findings"`
	More          int64     `json:"more_findings"` // beyond MaxFindings
}

// Finding is one breach.
type Finding struct {
	// Check names the invariant: seq, ord, pos, time, hash, idempotency,
	// reference, slot, recall, head, acl, owner, membership, marker, cursor,
	// count, engine.
	Check  string    `json:"check"`
	App    im.AppID  `json:"app,omitempty"`
	Conv   im.ConvID `json:"conv,omitempty"`
	Seq    im.Seq    `json:"seq,omitempty"`
	Detail string    `json:"detail"`
}

// String gives the finding on one line.
func (f Finding) String() string {
	s := f.Check + ": "
	if f.Conv != "" {
		s += fmt.Sprintf("%s/%s", f.App, f.Conv)
		if f.Seq != 0 {
			s += fmt.Sprintf(" %d", f.Seq)
		}
		s += ": "
	}
	return s + f.Detail
}

// Sound tells whether nothing was found.
func (r *Report) Sound() bool { return len(r.Findings) == 0 }

func (r *Report) add(f Finding) {
	if len(r.Findings) >= MaxFindings {
		r.More++
		return
	}
	r.Findings = append(r.Findings, f)
}

// check is one run.
type check struct {
	tx    db.Tx
	r     *Report
	heads []im.Pos          // by shard
	convs map[int64]*conv   // by number
	ords  map[rowKey]im.Ord // at read markers
}

type rowKey struct {
	conv int64
	seq  im.Seq
}

// conv is a conversation's row and what its entries and members add up to.
type conv struct {
	no      int64
	app     im.AppID
	id      im.ConvID
	kind    im.ConvKind
	shard   int
	acl     int64
	changed im.Pos
	members int64

	headSeq im.Seq
	current int64
	owners  int64
	named   int64           // current ones whom the id names
	raises  map[im.Seq]bool // entries that must have raised acl
}

func (c *conv) finding(check string, seq im.Seq, detail string, args ...any) Finding {
	return Finding{Check: check, App: c.app, Conv: c.id, Seq: seq, Detail: fmt.Sprintf(detail, args...)}
}

// Check reads the whole database. The error is about reading it, for example
// Unavailable; what is wrong with what was read is in the report. It takes
// about ten seconds and 100 MB a million entries.
func Check(ctx context.Context, d *db.DB) (r Report, err error) {
	err = d.Read(ctx, func(tx db.Tx) error {
		r, err = CheckTx(ctx, tx)
		return err
	})
	return r, err
}

// CheckTx is Check within a transaction: of what is to be committed, or of a
// snapshot that something else is compared with too.
func CheckTx(ctx context.Context, tx db.Tx) (Report, error) {
	r := Report{Engine: tx.Dialect().String(), Findings: []Finding{}}
	c := &check{tx: tx, r: &r, convs: map[int64]*conv{}, ords: map[rowKey]im.Ord{}}
	for _, step := range []func(context.Context) error{c.engine, c.meta, c.conversations, c.markers, c.entries, c.positions, c.keys,
		c.memberships, c.sums, c.followers, c.devices, c.counts, c.stores, c.previews} {
		err := step(ctx)
		// A damaged page ends the step that met it, and is a finding; the
		// others may still find more.
		if im.CodeOf(err) == im.DataLoss {
			r.add(Finding{Check: "engine", Detail: err.Error()})
			err = nil
		}
		if err != nil {
			return r, err
		}
	}
	return r, nil
}

// each runs a query and hands its rows over.
func (c *check) each(row func(scan func(...any) error) error, query string, args ...any) error {
	rows, err := c.tx.Query(query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// count reads one number.
func (c *check) count(query string, args ...any) (n int64, err error) {
	err = c.tx.QueryRow(query, args...).Scan(&n)
	return n, err
}

// engine lets SQLite check its pages and indexes. PostgreSQL does that by page
// checksums and amcheck, which are the operator's.
func (c *check) engine(context.Context) error {
	if c.tx.Dialect() != db.SQLite {
		return nil
	}
	return c.each(func(scan func(...any) error) error {
		var s string
		if err := scan(&s); err != nil {
			return err
		}
		if s != "ok" {
			c.r.add(Finding{Check: "engine", Detail: s})
		}
		return nil
	}, "PRAGMA integrity_check(50)")
}

// has tells whether a table is there: tables of packages that this database
// was never opened with are not.
func (c *check) has(table string) (bool, error) {
	query := "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = $1"
	if c.tx.Dialect() == db.Postgres {
		query = "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename = $1"
	}
	n, err := c.count(query, table)
	return n > 0, err
}

func (c *check) meta(context.Context) error {
	ok, err := c.has("journal_meta")
	if err != nil {
		return err
	}
	if !ok {
		return im.Errorf(im.FailedPrecondition, "there is no journal in this database")
	}
	err = c.tx.QueryRow("SELECT value FROM journal_meta WHERE name = 'incarnation'").Scan(&c.r.Incarnation)
	if errors.Is(err, db.ErrNoRows) {
		c.r.add(Finding{Check: "head", Detail: "the journal has no incarnation"})
	} else if err != nil {
		return err
	}
	return c.each(func(scan func(...any) error) error {
		var shard int
		var head im.Pos
		if err := scan(&shard, &head); err != nil {
			return err
		}
		if shard != len(c.heads) {
			c.r.add(Finding{Check: "head", Detail: fmt.Sprintf("shard %d follows shard %d", shard, len(c.heads)-1)})
		}
		c.heads = append(c.heads, head)
		c.r.Shards = len(c.heads)
		return nil
	}, "SELECT shard, head FROM shard ORDER BY shard")
}

// head returns a shard's newest position, 0 when there is no such shard.
func (c *check) head(shard int) im.Pos {
	if shard < 0 || shard >= len(c.heads) {
		return 0
	}
	return c.heads[shard]
}
