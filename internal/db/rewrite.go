package db

import "strings"

// rewrite turns $N into plain ? for SQLite, which would otherwise number $1 by
// where it first appears: "… SET a = $2 WHERE b = $1" would swap the two. order
// lists for each ? the index of its argument; nil means 0, 1, 2 … Dollars in
// strings, quoted names and comments stay.
//
// (?N would do as well, but the driver looks named parameters up by comparing
// text, for every argument with every other.)
//
// A bare parameter behind LIMIT becomes a sum: SQLite plans a statement by the
// value of its limit, and so would prepare it anew for each new argument, which
// costs several times what a small query does.
func rewrite(text string) (out string, order []int) {
	var b strings.Builder
	b.Grow(len(text))
	straight := true
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case c == '\'' || c == '"':
			n := skipTo(text, i+1, string(c))
			b.WriteString(text[i:n])
			i = n
		case strings.HasPrefix(text[i:], "--"):
			n := skipTo(text, i, "\n")
			b.WriteString(text[i:n])
			i = n
		case strings.HasPrefix(text[i:], "/*"):
			n := skipTo(text, i, "*/")
			b.WriteString(text[i:n])
			i = n
		case c == '$' && i+1 < len(text) && isDigit(text[i+1]):
			n := 0
			for i++; i < len(text) && isDigit(text[i]); i++ {
				n = n*10 + int(text[i]-'0')
			}
			straight = straight && n == len(order)+1
			order = append(order, n-1)
			if strings.HasSuffix(b.String(), "LIMIT ") {
				b.WriteString("0+")
			}
			b.WriteByte('?')
		default:
			b.WriteByte(c)
			i++
		}
	}
	if straight {
		order = nil
	}
	return b.String(), order
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// skipTo returns the index after the next end, or the text's length.
func skipTo(text string, from int, end string) int {
	n := strings.Index(text[from:], end)
	if n < 0 {
		return len(text)
	}
	return from + n + len(end)
}
