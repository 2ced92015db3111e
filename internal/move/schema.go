package move

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
)

// column is one column of a table. kind is 'i', 't' or 'b': a 64-bit integer,
// a text, bytes; nothing else is ever stored.
type column struct {
	Name    string `json:"name"`
	Kind    string `json:"kind"`
	NotNull bool   `json:"not_null,omitempty"`
}

// table is one table that is copied as it is, row by row.
type table struct {
	Name    string   `json:"name"`
	Columns []column `json:"columns"`
	Key     []int    `json:"key"` // the columns of its primary key, in order
}

// ownTables are those that a copy treats by rules of its own.
//
// entry, shard and journal_meta are the journal's places and numbers. The
// others are not copied: leases and probes are of processes that serve the one database
// and not the other, and what followers have made is made again from the
// journal, because their positions count in another incarnation.
func ownTables() map[string]bool {
	return map[string]bool{"entry": true, "shard": true, "journal_meta": true,
		"node_lease": true, "health_probe": true, "follower": true, "follower_owner": true, "parked_entry": true, "usage_day": true,
		"sfu_node": true, "sfu_room": true, "search_doc": true, "search_form": true, "group_place": true, "group_count": true}
}

// placed are the columns that hold a place in a shard. A table that has one
// and is not known here cannot be copied blindly.
func placed() []string { return []string{"shard", "pos", "changed_pos"} }

// placedTables are the tables with such columns that transform knows.
func placedTables() []string { return []string{"conversation", "membership"} }

// tablesOf lists the tables of a database that are copied as they are, by name.
func tablesOf(tx db.Tx) ([]table, error) {
	names, err := db.Column[string](tx, map[db.Dialect]string{
		db.SQLite:   "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name",
		db.Postgres: `SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename COLLATE "C"`}[tx.Dialect()])
	if err != nil {
		return nil, err
	}
	var out []table
	for _, name := range names {
		if ownTables()[name] || strings.HasPrefix(name, "sqlite_") || strings.HasPrefix(name, "move_") || strings.HasPrefix(name, "search_token") || strings.HasSuffix(name, "_migration") {
			continue
		}
		t, err := tableOf(tx, name)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

const (
	liteColumns = `SELECT name, type, "notnull" <> 0 OR pk > 0, pk FROM pragma_table_info($1)`
	pgColumns   = `SELECT a.attname::text, format_type(a.atttypid, NULL), (a.attnotnull)::int,
  coalesce((SELECT k.n FROM unnest(i.indkey::smallint[]) WITH ORDINALITY k(attnum, n) WHERE k.attnum = a.attnum), 0)::int
FROM pg_attribute a LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`
)

func tableOf(tx db.Tx, name string) (table, error) {
	t := table{Name: name}
	rows, err := tx.Query(map[db.Dialect]string{db.SQLite: liteColumns, db.Postgres: pgColumns}[tx.Dialect()], name)
	if err != nil {
		return t, err
	}
	defer rows.Close()
	key := map[int]int{} // place in the key, to column
	for rows.Next() {
		var c column
		var kind string
		var pk, notNull int
		if err := rows.Scan(&c.Name, &kind, &notNull, &pk); err != nil {
			return t, err
		}
		c.NotNull = notNull != 0
		switch strings.ToUpper(kind) {
		case "INTEGER", "BIGINT", "INT":
			c.Kind = "i"
		case "TEXT":
			c.Kind = "t"
		case "BLOB", "BYTEA":
			c.Kind = "b"
		default:
			return t, fmt.Errorf("column %s of %s is of type %s, which this program cannot copy", c.Name, name, kind)
		}
		if slices.Contains(placed(), c.Name) && !slices.Contains(placedTables(), name) {
			return t, fmt.Errorf("table %s holds positions that this program does not know how to copy", name)
		}
		if pk > 0 {
			key[pk] = len(t.Columns)
		}
		t.Columns = append(t.Columns, c)
	}
	for i := range len(key) {
		t.Key = append(t.Key, key[i+1])
	}
	if len(t.Key) == 0 && rows.Err() == nil {
		return t, fmt.Errorf("table %s has no primary key and cannot be copied", name)
	}
	return t, rows.Err()
}

// same tells whether two tables have the same columns, in whatever order.
func (t *table) same(o *table) bool {
	a, b := t.names(), o.names()
	slices.Sort(a)
	slices.Sort(b)
	return t.Name == o.Name && slices.Equal(a, b)
}

func (t *table) names() []string {
	out := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		out[i] = c.Name
	}
	return out
}

func (t *table) keyNames() []string {
	out := make([]string, len(t.Key))
	for i, k := range t.Key {
		if k >= 0 && k < len(t.Columns) { // else it comes from a file, and is no table of ours
			out[i] = t.Columns[k].Name
		}
	}
	return out
}

// column returns the index of a column, or -1.
func (t *table) column(name string) int {
	return slices.IndexFunc(t.Columns, func(c column) bool { return c.Name == name })
}

func (t *table) list() string { return strings.Join(t.names(), ", ") }

// keyOf returns the values of a row's key.
func (t *table) keyOf(row []any) []any {
	out := make([]any, len(t.Key))
	for i, k := range t.Key {
		out[i] = row[k]
	}
	return out
}

// where is "a = $n AND b = $n+1 …" over the key.
func (t *table) where(from int) string {
	var parts []string
	for i, n := range t.keyNames() {
		parts = append(parts, fmt.Sprintf("%s = $%d", n, from+i))
	}
	return strings.Join(parts, " AND ")
}

// page reads up to limit rows whose key is greater than after (nil = from the
// first) and not greater than upTo (nil = to the end), by key.
func (t *table) page(tx db.Tx, after, upTo []any, limit int) ([][]any, error) {
	key := strings.Join(t.keyNames(), ", ")
	query, args := "SELECT "+t.list()+" FROM "+t.Name, []any{}
	word := " WHERE "
	for _, b := range []struct {
		op  string
		key []any
	}{{">", after}, {"<=", upTo}} {
		if b.key != nil {
			query += fmt.Sprintf("%s(%s) %s (%s)", word, key, b.op, db.List(len(args)+1, len(b.key)))
			args = append(args, b.key...)
			word = " AND "
		}
	}
	query += " ORDER BY " + key
	if limit > 0 {
		query += " LIMIT " + strconv.Itoa(limit)
	}
	return t.rows(tx, query, args...)
}

// row reads the row of a key; nil when there is none.
func (t *table) row(tx db.Tx, key []any) ([]any, error) {
	list, err := t.rows(tx, "SELECT "+t.list()+" FROM "+t.Name+" WHERE "+t.where(1), key...)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return list[0], nil
}

func (t *table) rows(tx db.Tx, query string, args ...any) ([][]any, error) {
	rows, err := tx.Query(query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out [][]any
	dest := make([]any, len(t.Columns))
	for rows.Next() {
		row := make([]any, len(t.Columns))
		for i := range row {
			dest[i] = &row[i]
		}
		if err := rows.Scan(dest...); err != nil {
			return nil, err
		}
		for i := range row {
			if b, ok := row[i].([]byte); ok && b == nil {
				row[i] = []byte{} // what a driver made of bytes of length 0
			}
		}
		out = append(out, row)
	}
	return out, rows.Err()
}

// parseKey reads a key that a trigger wrote (see capture): a JSON list, bytes
// in hexadecimal.
func (t *table) parseKey(text string) ([]any, error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var list []any
	if err := d.Decode(&list); err != nil || len(list) != len(t.Key) {
		return nil, fmt.Errorf("the key %q of %s cannot be read", text, t.Name)
	}
	for i, k := range t.Key {
		var err error
		switch v := list[i].(type) {
		case json.Number:
			list[i], err = v.Int64()
		case string:
			if t.Columns[k].Kind == "b" {
				list[i], err = hex.DecodeString(v)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("the key %q of %s cannot be read", text, t.Name)
		}
	}
	return list, nil
}

// sameRow compares two rows of a table, but for places.
func (t *table) sameRow(a, b []any, equal func(a, b any) bool) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	for i, c := range t.Columns {
		if !slices.Contains(placed(), c.Name) && !equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

// schema is the version of every package's tables: the hashes of the
// migrations that have run, by package.
type schema map[string][]string

func schemaOf(tx db.Tx) (schema, error) {
	names, err := db.Column[string](tx, map[db.Dialect]string{
		db.SQLite:   "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE '%\\_migration' ESCAPE '\\'",
		db.Postgres: "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema() AND tablename LIKE '%\\_migration'"}[tx.Dialect()])
	if err != nil {
		return nil, err
	}
	out := schema{}
	for _, n := range names {
		if out[strings.TrimSuffix(n, "_migration")], err = db.Column[string](tx, "SELECT hash FROM "+n+" ORDER BY version"); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// check compares the tables of where the rows come from with those of where
// they go to. They have to be of the same version: a copy is no upgrade.
func (s schema) check(target schema) error {
	for name, have := range s {
		if !slices.Equal(have, target[name]) {
			return &im.Error{Code: im.FailedPrecondition,
				Message: fmt.Sprintf("the tables of %s are of version %d, this program's of version %d", name, len(have), len(target[name])),
				Hint:    "use the program of the version that wrote them, then let the newer one open the result"}
		}
	}
	return nil
}

// patient lets a transaction last: a copy holds one for longer than a server's
// own statements may.
func patient(ctx context.Context, tx db.Tx) error {
	if tx.Dialect() != db.Postgres {
		return ctx.Err()
	}
	for _, s := range []string{"SET LOCAL statement_timeout = 0", "SET LOCAL idle_in_transaction_session_timeout = 0"} {
		if _, err := tx.Exec(s); err != nil {
			return err
		}
	}
	return nil
}
