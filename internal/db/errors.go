package db

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/skein-im/skein/internal/im"
)

// Result codes of SQLite (https://www.sqlite.org/rescode.html), primary ones
// unless they say otherwise.
const (
	liteBusy       = 5
	liteLocked     = 6
	liteNoMem      = 7
	liteReadOnly   = 8
	liteIOErr      = 10
	liteCorrupt    = 11
	liteFull       = 13
	liteCantOpen   = 14
	liteProtocol   = 15
	liteConstraint = 19
	liteNotADB     = 26

	liteShmSize   = 10 | 19<<8 // extended: the WAL's index could not grow, which is what a full disk looks like there
	liteUnique    = 19 | 8<<8
	litePrimary   = 19 | 6<<8
	liteRowID     = 19 | 10<<8
	pgUnique      = "23505"
	pgDiskFull    = "53100"
	pgSerialize   = "40001"
	pgDeadlock    = "40P01"
	pgReadOnly    = "25006"
	pgIdleInTx    = "25P03"
	pgTooLong     = "25P04"
	pgLockWait    = "55P03"
	pgIndexDamage = "XX002"
	pgDataDamage  = "XX001"
)

// IsDuplicate tells whether err is a breach of a unique or primary key.
func IsDuplicate(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code == pgUnique
	}
	code, ok := liteResult(err)
	return ok && (code == liteUnique || code == litePrimary || code == liteRowID)
}

// MapError gives an engine's error the code that callers act on; other errors
// are returned as they are. For hot paths that speak to the engine directly;
// what comes from a Tx has been mapped.
func MapError(err error) error { return mapError(err) }

func mapError(err error) error {
	if err == nil || errors.Is(err, ErrNoRows) {
		return err
	}
	var known *im.Error
	if errors.As(err, &known) {
		return err
	}
	if e := codeOf(err); e != nil {
		return fmt.Errorf("%w (%w)", e, err)
	}
	return err
}

func codeOf(err error) *im.Error {
	var pg *pgconn.PgError
	var connect *pgconn.ConnectError
	if code, ok := liteResult(err); ok {
		return liteCode(code)
	}
	switch {
	case errors.As(err, &pg):
		return pgCode(pg.Code)
	case errors.As(err, &connect), pgconn.Timeout(err), errors.Is(err, pgx.ErrTxClosed):
		return im.Errorf(im.Unavailable, "the database does not answer")
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return im.Errorf(im.Unavailable, "the call was given up before the database answered")
	case isNetwork(err):
		return im.Errorf(im.Unavailable, "the connection to the database was lost")
	}
	return nil
}

func liteCode(code int) *im.Error {
	switch code & 0xff {
	case liteFull:
		return errFull()
	case liteBusy, liteLocked, liteProtocol:
		return im.Errorf(im.Unavailable, "another process holds the database")
	case liteIOErr:
		if code == liteShmSize {
			return errFull()
		}
		return im.Errorf(im.Unavailable, "the disk reports an error")
	case liteNoMem, liteCantOpen, liteReadOnly:
		return im.Errorf(im.Unavailable, "the database file cannot be used")
	case liteCorrupt, liteNotADB:
		return im.ErrDamaged
	}
	return nil
}

func pgCode(code string) *im.Error {
	switch {
	case code == pgDiskFull:
		return errFull()
	case code == pgSerialize, code == pgDeadlock:
		return im.Errorf(im.Unavailable, "too many transactions wanted the same rows")
	case code == pgIndexDamage, code == pgDataDamage:
		return im.ErrDamaged
	// Classes: connection, resources, operator intervention (shutdown), I/O.
	case code == pgReadOnly, code == pgLockWait, code == pgIdleInTx, code == pgTooLong, strings.HasPrefix(code, "08"), strings.HasPrefix(code, "53"),
		strings.HasPrefix(code, "57"), strings.HasPrefix(code, "58"):
		return im.Errorf(im.Unavailable, "the database cannot serve at the moment")
	}
	return nil
}

func errFull() *im.Error {
	return &im.Error{Code: im.ResourceExhausted, Message: "the database's disk is full",
		Hint: "nothing was stored; free space, then send again"}
}
