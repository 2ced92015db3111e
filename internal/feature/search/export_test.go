package search

import (
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Matches tells whether a text is found by a query, by the rule and not by the
// index.
func Matches(text, query string) bool {
	_, ok := matches(text, parse(query))
	return ok
}

// Scope is what an app's words begin with in the index.
var Scope = scope

// ForgetFileKinds leaves of every document what one of a message with files had
// before files had kinds.
func ForgetFileKinds(tx db.Tx) error {
	rows, err := tx.Query("SELECT doc, app, conv FROM search_doc")
	if err != nil {
		return err
	}
	tokens := map[int64][]string{}
	for rows.Next() {
		var doc int64
		var app im.AppID
		var conv im.ConvID
		if err := rows.Scan(&doc, &app, &conv); err != nil {
			return err
		}
		tokens[doc] = []string{convMark(app, conv), kindMark(app, skeinv1.SearchKind_SEARCH_KIND_ATTACHMENT)}
	}
	rows.Close()
	for doc, list := range tokens {
		if err := reput(tx, doc, list); err != nil {
			return err
		}
	}
	return rows.Err()
}
