package db

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"text/template"

	"github.com/jackc/pgx/v5"

	"github.com/skein-im/skein/internal/im"
)

// migrateLock is the PostgreSQL advisory lock under which nodes that start at
// the same time migrate one after the other ("skein" in ASCII).
const migrateLock = 0x736b65696e

// migration names: 0001_what.sql, 0002_what.sql …
var (
	fileName  = regexp.MustCompile(`^(\d{4})_[a-z0-9_]+\.sql$`)
	tablePart = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
)

// Migrations returns the folder "migrations" of the files that a package
// embeds, as Migrate takes it.
func Migrations(embedded embed.FS) fs.FS {
	sub, err := fs.Sub(embedded, "migrations")
	if err != nil {
		panic(err) // the name is a valid one
	}
	return sub
}

// Migrate brings the tables of one package to the newest version: it runs the
// files 0001_what.sql, 0002_what.sql … in the root of files that have not run
// yet, in one transaction, so that a start either has all of them or none. The
// name says whose they are ("journal"); what has run is kept in the table
// NAME_migration with a hash, and a file that has changed since is an error:
// write a new one.
//
// Nodes are upgraded one after the other, and back again when the new version
// disappoints: so programs of two versions run on one database. A file whose
// first line begins with "-- expand:" promises that programs that do not know
// it go on working: it adds tables, indexes, or columns with a default, and
// changes nothing that is there. They then start on the newer database too. A
// file without that line shuts them out: once it has run, a program that does
// not know it gets FailedPrecondition. Such a file (dropping what only older
// versions read) belongs into a release whose predecessor works with both
// (docs/ops/upgrades.md).
//
// Several processes may call it at once, on both engines; that, the hash and
// the one transaction are why this is not left to a library.
//
// A file is a text/template. Its words are
//
//	{{bigint}}    a 64-bit integer column (SQLite: INTEGER, so that a PRIMARY KEY is the rowid)
//	{{serial}}    a primary key that numbers itself
//	{{blob}}      bytes
//	{{text}}      text, compared bytewise
//	{{strict}}    after the closing parenthesis of a table
//	{{strict_without_rowid}}   the same for a table that is its primary key's index
//	{{if sqlite}} … {{else}} … {{end}}   for the rest
func (d *DB) Migrate(ctx context.Context, name string, files fs.FS) error {
	if !tablePart.MatchString(name) {
		return fmt.Errorf("migrate: bad name %q", name)
	}
	steps, err := loadSteps(d.dialect, files)
	if err != nil {
		return fmt.Errorf("migrate %s: %w", name, err)
	}
	run := func(tx Tx) error { return migrate(tx, name+"_migration", steps) }
	if d.pool != nil {
		// Read committed, because the snapshot of a stricter level would be
		// older than the lock.
		err = d.transactPostgres(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx Tx) error {
			tx.(*pgTx).slow = true // an index of a large table, or another node that makes one
			if _, err := tx.Exec("SELECT set_config('statement_timeout', '0', true), set_config('lock_timeout', '0', true)"); err != nil {
				return err
			}
			if _, err := tx.Exec("SELECT pg_advisory_xact_lock($1)", migrateLock); err != nil {
				return err
			}
			return run(tx)
		})
	} else {
		err = d.lite.write(ctx, run)
	}
	if err != nil {
		return fmt.Errorf("migrate %s: %w", name, err)
	}
	return nil
}

// step is one migration. expands: programs that do not know it may run.
type step struct {
	name, text, hash string
	expands          bool
}

// expandMark begins the first line of a migration that older programs need not
// know.
const expandMark = "-- expand:"

func loadSteps(dialect Dialect, files fs.FS) ([]step, error) {
	entries, err := fs.ReadDir(files, ".") // sorted by name
	if err != nil {
		return nil, err
	}
	var steps []step
	for _, e := range entries {
		m := fileName.FindStringSubmatch(e.Name())
		if m == nil {
			continue
		}
		if want := fmt.Sprintf("%04d", len(steps)+1); m[1] != want {
			return nil, fmt.Errorf("%s should be number %s", e.Name(), want)
		}
		raw, err := fs.ReadFile(files, e.Name())
		if err != nil {
			return nil, err
		}
		text, err := expand(dialect, string(raw))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.Name(), err)
		}
		sum := sha256.Sum256(raw)
		steps = append(steps, step{e.Name(), text, hex.EncodeToString(sum[:]), strings.HasPrefix(string(raw), expandMark)})
	}
	if len(steps) == 0 {
		return nil, fmt.Errorf("no migrations")
	}
	return steps, nil
}

// expand fills the words of a schema in.
func expand(dialect Dialect, text string) (string, error) {
	word := func(lite, pg string) func() string {
		if dialect == Postgres {
			return func() string { return pg }
		}
		return func() string { return lite }
	}
	t, err := template.New("").Funcs(template.FuncMap{
		"sqlite":               func() bool { return dialect == SQLite },
		"bigint":               word("INTEGER", "BIGINT"),
		"serial":               word("INTEGER PRIMARY KEY", "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"),
		"blob":                 word("BLOB", "BYTEA"),
		"text":                 word("TEXT", `TEXT COLLATE "C"`),
		"strict":               word("STRICT", ""),
		"strict_without_rowid": word("STRICT, WITHOUT ROWID", ""),
	}).Parse(text)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = t.Execute(&b, nil)
	return b.String(), err
}

func migrate(tx Tx, table string, steps []step) error {
	if err := createLog(tx, table); err != nil {
		return err
	}
	done, least, err := checkLog(tx, table, steps)
	if err != nil || done >= len(steps) {
		return err
	}
	now, err := tx.Now()
	if err != nil {
		return err
	}
	for i, s := range steps[done:] {
		if err := script(tx, s.text); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		if !s.expands {
			least = done + i + 1
		}
		_, err := tx.Exec("INSERT INTO "+table+" (version, hash, applied, least) VALUES ($1, $2, $3, $4)", done+i+1, s.hash, now, least)
		if err != nil {
			return err
		}
	}
	return nil
}

// createLog makes the table of what has run. least came later: rows without it
// shut nobody out.
func createLog(tx Tx, table string) error {
	_, err := tx.Exec("CREATE TABLE IF NOT EXISTS " + table +
		" (version BIGINT PRIMARY KEY, hash TEXT NOT NULL, applied BIGINT NOT NULL, least BIGINT NOT NULL DEFAULT 1)")
	if err != nil {
		return err
	}
	columns := "SELECT count(*) FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = $1 AND column_name = 'least'"
	if tx.Dialect() == SQLite {
		columns = "SELECT count(*) FROM pragma_table_info($1) WHERE name = 'least'"
	}
	var n int
	if err := tx.QueryRow(columns, table).Scan(&n); err != nil || n > 0 {
		return err
	}
	_, err = tx.Exec("ALTER TABLE " + table + " ADD COLUMN least BIGINT NOT NULL DEFAULT 1")
	return err
}

// checkLog holds what has run to what this program knows. done is how many have
// run, which may be more than it knows when they all expand; least is how many
// a program has to know.
func checkLog(tx Tx, table string, steps []step) (done, least int, err error) {
	rows, err := tx.Query("SELECT version, hash, least FROM " + table + " ORDER BY version")
	if err != nil {
		return 0, 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var version int
		var hash string
		if err := rows.Scan(&version, &hash, &least); err != nil {
			return 0, 0, err
		}
		switch done++; {
		case version != done:
			return 0, 0, im.Errorf(im.FailedPrecondition, "migration %d of %s is missing in the database", done, table)
		case done <= len(steps) && hash != steps[done-1].hash:
			return 0, 0, im.Errorf(im.FailedPrecondition, "migration %s has changed since it ran", steps[done-1].name)
		case least > len(steps):
			return 0, 0, &im.Error{Code: im.FailedPrecondition, Message: fmt.Sprintf(
				"the database has migration %d, which this program does not know and can not do without", least),
				Hint: "run the newer version; how far back one may go is in docs/ops/upgrades.md"}
		}
	}
	return done, least, rows.Err()
}

// script runs several statements. Both drivers do that in one call when there
// are no arguments, if nothing is prepared.
func script(tx Tx, text string) error {
	switch t := tx.(type) {
	case *pgTx:
		_, err := t.tx.Conn().PgConn().Exec(t.ctx, text).ReadAll()
		return mapError(err)
	case *liteTx:
		return t.script(text)
	}
	return fmt.Errorf("unknown engine")
}
