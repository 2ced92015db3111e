package move

import (
	"context"
	"fmt"
	"strings"

	"github.com/skein-im/skein/internal/db"
)

// capture notes which rows of a live database change while it is copied: a
// trigger on each table writes the key of the row into move_log, in the
// transaction of the change. So a copy finds the last changes of any table at
// a cost that follows what changed and not what there is, which is what keeps
// the pause short however large the database is.
//
// New entries need none: they are found by their position.
type capture struct{ d *db.DB }

// entryKey is the key by which changed entries are noted.
func entryTable() *table {
	return &table{Name: "entry", Columns: []column{{Name: "conv_no", Kind: "i"}, {Name: "seq", Kind: "i"}}, Key: []int{0, 1}}
}

// install begins to note changes of a table. It may be called again.
func (c capture) install(ctx context.Context, t *table) error {
	texts := c.lite
	if c.d.Dialect() == db.Postgres {
		texts = c.postgres
	}
	return c.d.Write(ctx, func(tx db.Tx) error {
		for _, s := range texts(t) {
			if _, err := tx.Exec(s); err != nil {
				return fmt.Errorf("note the changes of %s: %w", t.Name, err)
			}
		}
		return nil
	})
}

// events are what is noted of a table. Entries are never deleted.
func events(t *table) []string {
	if t.Name == "entry" {
		return []string{"UPDATE"}
	}
	return []string{"INSERT", "UPDATE", "DELETE"}
}

func (c capture) lite(t *table) []string {
	key := func(row string) string {
		var parts []string
		for _, k := range t.Key {
			n := row + "." + t.Columns[k].Name
			if t.Columns[k].Kind == "b" {
				n = "hex(" + n + ")"
			}
			parts = append(parts, n)
		}
		return "json_array(" + strings.Join(parts, ", ") + ")"
	}
	note := func(row string) string {
		return fmt.Sprintf("INSERT INTO move_log (tbl, k) VALUES ('%s', %s);", t.Name, key(row))
	}
	out := []string{"CREATE TABLE IF NOT EXISTS move_log (n INTEGER PRIMARY KEY AUTOINCREMENT, tbl TEXT NOT NULL, k TEXT NOT NULL) STRICT"}
	for _, e := range events(t) {
		body := map[string]string{"INSERT": note("NEW"), "DELETE": note("OLD"), "UPDATE": note("NEW")}[e]
		out = append(out, fmt.Sprintf("CREATE TRIGGER IF NOT EXISTS move_%s_%s AFTER %s ON %s BEGIN %s END", t.Name, strings.ToLower(e), e, t.Name, body))
	}
	if t.Name != "entry" { // a row that gets another key has left its old one
		var moved []string
		for _, n := range t.keyNames() {
			moved = append(moved, fmt.Sprintf("OLD.%s IS NOT NEW.%s", n, n))
		}
		out = append(out, fmt.Sprintf("CREATE TRIGGER IF NOT EXISTS move_%s_key AFTER UPDATE ON %s WHEN %s BEGIN %s END",
			t.Name, t.Name, strings.Join(moved, " OR "), note("OLD")))
	}
	return out
}

func (c capture) postgres(t *table) []string {
	note := func(row string) string {
		var parts []string
		for _, k := range t.Key {
			n := row + "." + t.Columns[k].Name
			if t.Columns[k].Kind == "b" {
				n = "encode(" + n + ", 'hex')"
			}
			parts = append(parts, n)
		}
		return fmt.Sprintf("INSERT INTO move_log (tbl, k) VALUES ('%s', jsonb_build_array(%s)::text);", t.Name, strings.Join(parts, ", "))
	}
	var lines strings.Builder
	for _, e := range events(t) {
		if e != "INSERT" {
			fmt.Fprintf(&lines, "IF TG_OP = '%s' THEN %s END IF; ", e, note("OLD"))
		}
		if e != "DELETE" {
			fmt.Fprintf(&lines, "IF TG_OP = '%s' THEN %s END IF; ", e, note("NEW"))
		}
	}
	return []string{
		"CREATE TABLE IF NOT EXISTS move_log (n BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tbl TEXT NOT NULL, k TEXT NOT NULL)",
		fmt.Sprintf("CREATE OR REPLACE FUNCTION move_note_%s() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN %s RETURN NULL; END $f$", t.Name, lines.String()),
		fmt.Sprintf("CREATE OR REPLACE TRIGGER move_note AFTER %s ON %s FOR EACH ROW EXECUTE FUNCTION move_note_%s()",
			strings.Join(events(t), " OR "), t.Name, t.Name),
	}
}

// removeCapture takes every trace of a capture away.
func removeCapture(tx db.Tx) error {
	drops, err := db.Column[string](tx, map[db.Dialect]string{
		db.SQLite:   "SELECT 'DROP TRIGGER ' || name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'move\\_%' ESCAPE '\\'",
		db.Postgres: "SELECT 'DROP FUNCTION ' || proname::text || '() CASCADE' FROM pg_proc WHERE pronamespace = current_schema()::regnamespace AND proname LIKE 'move\\_note\\_%'",
	}[tx.Dialect()])
	if err != nil {
		return err
	}
	for _, s := range append(drops, "DROP TABLE IF EXISTS move_log") {
		if _, err := tx.Exec(s); err != nil {
			return err
		}
	}
	return nil
}

// noted is what a capture has noted and nobody has copied yet.
type noted struct {
	numbers []int64
	keys    map[string]map[string]bool // by table
	all     bool                       // nothing else was noted
}

// maxNoted bounds the keys that are taken at once.
const maxNoted = 20_000

// read takes the oldest notes, in the caller's snapshot.
func readNoted(tx db.Tx) (*noted, error) {
	out := &noted{keys: map[string]map[string]bool{}}
	rows, err := tx.Query("SELECT n, tbl, k FROM move_log ORDER BY n LIMIT $1", maxNoted)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var n int64
		var tbl, key string
		if err := rows.Scan(&n, &tbl, &key); err != nil {
			return nil, err
		}
		out.numbers = append(out.numbers, n)
		if out.keys[tbl] == nil {
			out.keys[tbl] = map[string]bool{}
		}
		out.keys[tbl][key] = true
	}
	out.all = len(out.numbers) < maxNoted
	return out, rows.Err()
}

// forget removes notes whose rows are safe in the copy. Notes of PostgreSQL
// become visible in another order than their numbers have, so that nothing but
// what was read may go.
func (c capture) forget(ctx context.Context, n *noted) error {
	if len(n.numbers) == 0 {
		return nil
	}
	return c.d.Write(ctx, func(tx db.Tx) error {
		if tx.Dialect() == db.Postgres {
			_, err := tx.Exec("DELETE FROM move_log WHERE n = ANY($1)", n.numbers)
			return err
		}
		_, err := tx.Exec("DELETE FROM move_log WHERE n <= $1", n.numbers[len(n.numbers)-1])
		return err
	})
}
