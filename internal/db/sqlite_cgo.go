//go:build sqlite_cgo

package db

import (
	"errors"
	"net/url"

	"github.com/mattn/go-sqlite3" // and the driver "sqlite3"
)

// liteDriver is SQLite in C, which needs cgo and a C compiler to build and
// costs less CPU a statement (docs/performance.md): "make build SQLITE=cgo".
// Both drivers read and write the same files.
const liteDriver = "sqlite3"

// LiteDriver says which SQLite this binary was built with.
const LiteDriver = "github.com/mattn/go-sqlite3"

// liteOptions is what only this driver takes: nothing.
func liteOptions() url.Values { return nil }

// liteResult returns the extended result code of an error that SQLite gave.
func liteResult(err error) (code int, ok bool) {
	var e sqlite3.Error
	if !errors.As(err, &e) {
		return 0, false
	}
	if e.ExtendedCode != 0 {
		return int(e.ExtendedCode), true
	}
	return int(e.Code), true
}
