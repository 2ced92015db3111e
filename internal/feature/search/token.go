package search

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// maxWord bounds a word, in characters; a longer one is found by its beginning.
const maxWord = 48

// maxBegin bounds the beginnings of words that have a token: a query for a
// short one is about a good part of all words, which the index would have to
// go through one by one.
const maxBegin = 4

// A text is searched in a folded form: compatibility characters become the
// usual ones (full-width letters, ligatures), letters lose case and, in the
// Latin, Greek and Cyrillic scripts, accents.
type folded struct {
	runes []rune
	// at is the offset in the text of each rune, and of the text's end.
	at []int
}

// fold folds a text.
func fold(text string) folded {
	f := folded{runes: make([]rune, 0, len(text)), at: make([]int, 0, len(text)+1)}
	for i, r := range text {
		switch {
		case r < 0x80:
			if 'A' <= r && r <= 'Z' {
				r += 'a' - 'A'
			}
			f.runes, f.at = append(f.runes, r), append(f.at, i)
		case unicode.Is(unicode.Mn, r) && len(f.runes) > 0 && alphabetic(f.runes[len(f.runes)-1]):
			// the accent of a letter before it
		case unicode.Is(unicode.Han, r):
			f.runes, f.at = append(f.runes, r), append(f.at, i)
		default:
			for _, x := range foldRune(r) {
				f.runes, f.at = append(f.runes, x), append(f.at, i)
			}
		}
	}
	f.at = append(f.at, len(text))
	return f
}

func foldRune(r rune) []rune {
	var out []rune
	for _, x := range norm.NFKC.String(string(r)) {
		if !alphabetic(x) {
			out = append(out, unicode.ToLower(x))
			continue
		}
		for _, y := range norm.NFD.String(string(x)) {
			if !unicode.Is(unicode.Mn, y) {
				out = append(out, unicode.ToLower(y))
			}
		}
	}
	return out
}

// alphabetic tells whether a letter's accents are left out of account.
func alphabetic(r rune) bool {
	return r < 0x80 && unicode.IsLetter(r) || r >= 0x80 && unicode.In(r, unicode.Latin, unicode.Greek, unicode.Cyrillic)
}

// dense tells whether a character belongs to a script that puts no spaces
// between words: its texts are found by single characters and by pairs.
func dense(r rune) bool {
	return r >= 0x0e00 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Bopomofo,
		unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}

// wordly tells whether a character is part of a word of other scripts.
func wordly(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r)
}

// run is a stretch of characters of one sort: a word, or characters of scripts
// without spaces.
type run struct {
	from, to int // in runes
	dense    bool
}

// runs splits a folded text; what is neither is left out.
func runs(text []rune) []run {
	var out []run
	for i := 0; i < len(text); {
		d := dense(text[i])
		if !d && !wordly(text[i]) {
			i++
			continue
		}
		from := i
		for i < len(text) && dense(text[i]) == d && (d || wordly(text[i])) {
			i++
		}
		out = append(out, run{from, i, d})
	}
	return out
}

// tokens returns what a text is found by, each once, in order: its words, and
// the characters and pairs of scripts without spaces.
func tokens(text string) []string {
	f := fold(text)
	var out []string
	for _, r := range runs(f.runes) {
		if !r.dense {
			w := f.runes[r.from:min(r.to, r.from+maxWord)]
			out = append(out, string(w))
			for n := 1; n <= maxBegin && n < len(w); n++ {
				out = append(out, begins+string(w[:n]))
			}
			continue
		}
		for i := r.from; i < r.to; i++ {
			out = append(out, string(f.runes[i]))
			if i+1 < r.to {
				out = append(out, string(f.runes[i:i+2]))
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// term is one thing that a message has to contain.
type term struct {
	runes  []rune
	dense  bool
	prefix bool // a word that begins so will do
}

// maxTerms bounds a query.
const maxTerms = 16

// parse reads a query: words and runs of characters, all of which a message
// has to contain. The last word may be the beginning of one, unless a space or
// a sign follows it.
func parse(query string) []term {
	f := fold(query)
	var out []term
	for _, r := range runs(f.runes) {
		t := term{runes: f.runes[r.from:r.to], dense: r.dense}
		if !r.dense {
			t.runes = t.runes[:min(len(t.runes), maxWord)]
			t.prefix = r.to == len(f.runes) && !strings.HasSuffix(query, " ") || r.to-r.from > maxWord
		}
		out = append(out, t)
	}
	return out
}

// tokens returns what the index is asked for.
func (t *term) tokens() []string {
	if !t.dense || len(t.runes) == 1 {
		return []string{string(t.runes)}
	}
	var out []string
	for i := 0; i+1 < len(t.runes); i++ {
		out = append(out, string(t.runes[i:i+2]))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// span is a stretch of a text, in bytes.
type span struct{ from, to int }

// matches returns where a text contains the terms, in order; ok is false when
// it lacks one: pairs of characters that are all there need not be in a row.
func matches(text string, terms []term) (spans []span, ok bool) {
	f := fold(text)
	words := runs(f.runes)
	for i := range terms {
		found := f.find(words, &terms[i])
		if len(found) == 0 {
			return nil, false
		}
		spans = append(spans, found...)
	}
	slices.SortFunc(spans, func(a, b span) int { return a.from - b.from })
	return merge(spans), true
}

// find returns where a term is.
func (f *folded) find(words []run, t *term) (out []span) {
	n := len(t.runes)
	for _, w := range words {
		if w.dense != t.dense {
			continue
		}
		if !t.dense {
			if w.to-w.from >= n && (t.prefix || w.to-w.from == n) && slices.Equal(f.runes[w.from:w.from+n], t.runes) {
				out = append(out, f.span(w.from, w.from+n))
			}
			continue
		}
		for i := w.from; i+n <= w.to; i++ {
			if slices.Equal(f.runes[i:i+n], t.runes) {
				out = append(out, f.span(i, i+n))
			}
		}
	}
	return out
}

// span is a stretch of runes in the text. A character that was folded to
// several belongs to it whole.
func (f *folded) span(from, to int) span {
	end := to
	for end < len(f.at)-1 && f.at[end] == f.at[end-1] {
		end++
	}
	return span{f.at[from], f.at[end]}
}

// merge joins spans that touch.
func merge(list []span) []span {
	var out []span
	for _, s := range list {
		if n := len(out); n > 0 && s.from <= out[n-1].to {
			out[n-1].to = max(out[n-1].to, s.to)
			continue
		}
		out = append(out, s)
	}
	return out
}
