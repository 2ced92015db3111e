package move

import (
	"context"
	"encoding/hex"
	"errors"
	"io"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
)

// BackupOptions say what Backup shall put into a file.
type BackupOptions struct {
	Program  string         // its version, for people
	Key      []byte         // the key that seals the apps' secrets; nil leaves it out
	Clock    im.Clock       // nil = the machine's clock
	Progress func(Progress) // can be nil
}

// Backup writes what a database holds at one moment, while servers write to
// it. Readers and writers are not held up; on SQLite the write-ahead log grows
// by what is written meanwhile, and on PostgreSQL old versions of rows are kept
// as long.
func Backup(ctx context.Context, d *db.DB, w io.Writer, o BackupOptions) (m Manifest, err error) {
	if o.Clock == nil {
		o.Clock = im.SystemClock{}
	}
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	c, err := newChunkWriter(w)
	if err != nil {
		return m, err
	}
	err = d.Read(ctx, func(tx db.Tx) error {
		if err := patient(ctx, tx); err != nil {
			return err
		}
		if m.Header, err = header(tx, &o); err != nil {
			return err
		}
		m.Trailer.Rows = map[string]int64{}
		if err := c.json(kindHead, m.Header); err != nil {
			return err
		}
		if o.Key != nil {
			if err := c.write(kindKey, o.Key); err != nil {
				return err
			}
		}
		if err := backupEntries(tx, c, &m, &o); err != nil {
			return err
		}
		for i := range m.Tables {
			if err := backupTable(tx, c, i, &m, &o); err != nil {
				return err
			}
		}
		return c.json(kindEnd, m.Trailer)
	})
	m.Bytes, m.Sum = c.n, hex.EncodeToString(c.sum[:])
	return m, err
}

func header(tx db.Tx, o *BackupOptions) (h Header, err error) {
	h = Header{Program: o.Program, Created: im.MicrosOf(o.Clock.Now()), Engine: tx.Dialect().String(), WithKey: o.Key != nil}
	if h.Schema, err = schemaOf(tx); err != nil {
		return h, err
	}
	if len(h.Schema["journal"]) == 0 {
		return h, im.Errorf(im.NotFound, "there is no journal in this database")
	}
	if mark, marked, err := journal.ReadMark(tx); err != nil {
		return h, err
	} else if marked && !mark.Moved {
		return h, im.Errorf(im.FailedPrecondition, "this database is being filled from %s and is not whole", mark.Where)
	}
	if h.Tables, err = tablesOf(tx); err != nil {
		return h, err
	}
	if h.Heads, err = journal.Heads(tx); err != nil {
		return h, err
	}
	if err := tx.QueryRow("SELECT value FROM journal_meta WHERE name = 'incarnation'").Scan(&h.Incarnation); err != nil {
		return h, err
	}
	err = tx.QueryRow("SELECT value FROM journal_meta WHERE name = 'purged'").Scan(&h.Purged)
	if errors.Is(err, db.ErrNoRows) {
		err = nil
	}
	return h, err
}

func backupEntries(tx db.Tx, c *chunkWriter, m *Manifest, o *BackupOptions) error {
	var total int64
	for _, p := range m.Heads {
		total += int64(p)
	}
	begin := o.Clock.Now()
	var buf []byte
	for shard := range m.Heads {
		for after := im.Pos(0); ; {
			list, err := journal.RawAfter(tx, shard, after, chunk)
			if err != nil {
				return err
			}
			if len(list) == 0 {
				break
			}
			buf = buf[:0]
			for i := range list {
				if !list[i].Sound() {
					m.Damaged++
				}
				if len(buf) >= fullChunk {
					if err := c.write(kindEntry, buf); err != nil {
						return err
					}
					buf = buf[:0]
				}
				for _, v := range append([]any{string(list[i].App), string(list[i].Conv)}, list[i].Values...) {
					if buf, err = appendValue(buf, v); err != nil {
						return err
					}
				}
			}
			if err := c.write(kindEntry, buf); err != nil {
				return err
			}
			after = list[len(list)-1].Pos()
			m.Entries += int64(len(list))
			o.Progress(Progress{Step: "back up", What: "entry", Done: m.Entries, Total: total, Elapsed: o.Clock.Now().Sub(begin)})
		}
	}
	return nil
}

func backupTable(tx db.Tx, c *chunkWriter, index int, m *Manifest, o *BackupOptions) error {
	t := &m.Tables[index]
	begin := o.Clock.Now()
	var buf []byte
	for after := []any(nil); ; {
		rows, err := t.page(tx, after, nil, chunk)
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			return nil
		}
		if buf, err = appendValue(buf[:0], int64(index)); err != nil {
			return err
		}
		for _, row := range rows {
			for _, v := range row {
				if buf, err = appendValue(buf, v); err != nil {
					return err
				}
			}
		}
		if err := c.write(kindRows, buf); err != nil {
			return err
		}
		after = t.keyOf(rows[len(rows)-1])
		m.Rows[t.Name] += int64(len(rows))
		o.Progress(Progress{Step: "back up", What: t.Name, Done: m.Rows[t.Name], Elapsed: o.Clock.Now().Sub(begin)})
	}
}

// contents is who takes what a backup holds; a nil field takes nothing.
type contents struct {
	header  func(*Header) error
	key     func([]byte) error
	entries func([]journal.Raw) error
	rows    func(t *table, rows [][]any) error
}

// readBackup reads a whole backup and checks everything that it can: each
// chunk's sum, that every position is there once, and the counts at the end.
func readBackup(r io.Reader, take contents) (m Manifest, err error) {
	c := newChunkReader(r)
	m.Trailer.Rows = map[string]int64{}
	var got Trailer
	got.Rows = map[string]int64{}
	var at []im.Pos
	for first := true; ; first = false {
		kind, payload, err := c.next()
		if err != nil {
			return m, err
		}
		if first != (kind == kindHead) {
			return m, errDamaged("its header is not its first chunk")
		}
		v := &values{payload}
		switch kind {
		case kindHead:
			if err = unmarshal(payload, &m.Header); err == nil {
				at = make([]im.Pos, len(m.Heads))
				err = call(take.header, &m.Header)
			}
		case kindKey:
			err = call(take.key, payload)
		case kindEntry:
			err = takeEntries(v, at, &got, take.entries)
		case kindRows:
			err = takeTable(v, &m.Header, &got, take.rows)
		case kindEnd:
			if err = unmarshal(payload, &m.Trailer); err == nil {
				err = errors.Join(checkCounts(&m, &got, at), c.end())
			}
			m.Bytes, m.Sum = c.n, hex.EncodeToString(c.sum[:])
			return m, err
		default:
			err = im.Errorf(im.Unsupported, "this backup has chunks that a newer program has made; use that one")
		}
		if err != nil {
			return m, err
		}
	}
}

func call[T any](fn func(T) error, v T) error {
	if fn == nil {
		return nil
	}
	return fn(v)
}

func takeEntries(v *values, at []im.Pos, got *Trailer, take func([]journal.Raw) error) error {
	var list []journal.Raw
	for len(v.b) > 0 {
		row, err := v.row(2 + len(journal.EntryColumns()))
		if err != nil {
			return err
		}
		app, ok1 := row[0].(string)
		conv, ok2 := row[1].(string)
		r := journal.Raw{App: im.AppID(app), Conv: im.ConvID(conv), Values: row[2:]}
		if s := r.Shard(); !ok1 || !ok2 || s < 0 || s >= len(at) || r.Pos() != at[s]+1 {
			return errDamaged("an entry is not where it should be")
		}
		at[r.Shard()]++
		got.Entries++
		if !r.Sound() {
			got.Damaged++
		}
		list = append(list, r)
	}
	return call(take, list)
}

func takeTable(v *values, h *Header, got *Trailer, take func(*table, [][]any) error) error {
	n, err := v.next()
	if err != nil {
		return err
	}
	i, ok := n.(int64)
	if !ok || i < 0 || int(i) >= len(h.Tables) {
		return errDamaged("it has rows of no table")
	}
	t := &h.Tables[i]
	var rows [][]any
	for len(v.b) > 0 {
		row, err := v.row(len(t.Columns))
		if err != nil {
			return err
		}
		rows = append(rows, row)
	}
	got.Rows[t.Name] += int64(len(rows))
	if take == nil {
		return nil
	}
	return take(t, rows)
}

func checkCounts(m *Manifest, got *Trailer, at []im.Pos) error {
	if got.Entries != m.Entries || got.Damaged != m.Damaged || len(got.Rows) != len(m.Rows) {
		return errDamaged("it does not hold what its end says")
	}
	for name, n := range m.Rows {
		if got.Rows[name] != n {
			return errDamaged("it does not hold what its end says of " + name)
		}
	}
	for i, p := range m.Heads {
		if at[i] != p {
			return errDamaged("entries are missing")
		}
	}
	return nil
}

// Verify reads a backup to its end and tells what is in it, without a
// database. DataLoss when anything is not as it was written.
func Verify(r io.Reader) (Manifest, error) { return readBackup(r, contents{}) }
