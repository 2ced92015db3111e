//go:build !sqlite_cgo

package db

import (
	"errors"
	"net/url"

	"modernc.org/sqlite" // and the driver "sqlite"
)

// liteDriver is SQLite translated to Go: the default, because the binary then
// needs no C library and is built for any machine from any other.
const liteDriver = "sqlite"

// LiteDriver says which SQLite this binary was built with.
const LiteDriver = "modernc.org/sqlite"

// liteOptions is what only this driver takes: text in double quotes is a name,
// never a string.
func liteOptions() url.Values { return url.Values{"_dqs": {"0"}} }

// liteResult returns the extended result code of an error that SQLite gave.
func liteResult(err error) (code int, ok bool) {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return 0, false
	}
	return e.Code(), true
}
