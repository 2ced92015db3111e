package journal

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
)

// Mark says why a journal may not be served: it is being filled by a copy that
// is not whole yet, or it has moved to another database, where new entries are.
// It lies in the database, so that every program that opens the journal sees it.
type Mark struct {
	// Moved: entries may be elsewhere that this journal does not have. Else
	// the journal is being filled.
	Moved bool `json:"moved"`
	// Where it has moved to, or what it is filled from, for people; without
	// passwords.
	Where string `json:"where"`
	// Run names the copy that has set the mark, so that it can be taken up
	// again and no other.
	Run string    `json:"run"`
	At  im.Micros `json:"at"`
}

// markName is the row of journal_meta that holds a mark.
const markName = "mark"

// ReadMark returns a journal's mark; ok is false when it may be served.
func ReadMark(tx db.Tx) (m Mark, ok bool, err error) {
	var text string
	err = tx.QueryRow("SELECT value FROM journal_meta WHERE name = $1", markName).Scan(&text)
	if errors.Is(err, db.ErrNoRows) {
		return Mark{}, false, nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(text), &m)
	}
	return m, err == nil, err
}

// SetMark keeps the journal from being opened until ClearMark.
func SetMark(tx db.Tx, m Mark) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	_, err = tx.Exec("INSERT INTO journal_meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value", markName, string(text))
	return err
}

// ClearMark lets the journal be opened again.
func ClearMark(tx db.Tx) error {
	_, err := tx.Exec("DELETE FROM journal_meta WHERE name = $1", markName)
	return err
}

// refuse is what Open answers for a marked journal.
func (m Mark) refuse() error {
	if m.Moved {
		return &im.Error{Code: im.FailedPrecondition, Message: "this journal has moved to " + m.Where,
			Hint: "serve that one; skein migrate --undo opens this one again, without what was stored since"}
	}
	return &im.Error{Code: im.FailedPrecondition, Message: "this journal is being filled from " + m.Where + " and is not whole",
		Hint: "let the copy end, or start it again with the same arguments"}
}

// Marked tells whether a database has a journal and a mark on it, without
// opening the journal. A database without a journal has none.
func Marked(ctx context.Context, d *db.DB) (m Mark, ok bool, err error) {
	err = d.Read(ctx, func(tx db.Tx) error {
		query := "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'journal_meta'"
		if tx.Dialect() == db.Postgres {
			query = "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'journal_meta'"
		}
		var n int
		if err := tx.QueryRow(query).Scan(&n); err != nil || n == 0 {
			return err
		}
		m, ok, err = ReadMark(tx)
		return err
	})
	return m, ok, err
}
