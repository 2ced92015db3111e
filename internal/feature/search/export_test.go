package search

// Matches tells whether a text is found by a query, by the rule and not by the
// index.
func Matches(text, query string) bool {
	_, ok := matches(text, parse(query))
	return ok
}

// Scope is what an app's words begin with in the index.
var Scope = scope
