// Package script runs behaviour that is written in the product's language:
// who does what on which device, and what then is so. A script is one text;
// it runs over SQLite and over PostgreSQL, through the Go SDK and through the
// TypeScript SDK, against the real server in a process of its own. README.md
// describes the language.
package script

import (
	"fmt"
	"strings"
	"unicode"
)

// line is one line of a script: one actor, some steps.
type line struct {
	number int
	actor  string // "ann", "bob/tablet", "server"
	steps  []step
}

// step is a verb with its words; a word that was quoted is literal.
type step struct {
	text  string
	words []word
	fails string // the error code that is expected, "" = success
}

type word struct {
	text   string
	quoted bool
}

// parse reads a script. Its first comment lines say what it shows.
func parse(src string) (about string, lines []line, err error) {
	var doc []string
	for i, raw := range strings.Split(src, "\n") {
		text := strings.TrimSpace(raw)
		if text == "" {
			continue
		}
		if strings.HasPrefix(text, "#") {
			if len(lines) == 0 {
				doc = append(doc, strings.TrimSpace(strings.TrimPrefix(text, "#")))
			}
			continue
		}
		actor, rest, ok := strings.Cut(text, ":")
		if !ok || strings.ContainsAny(actor, " \"") {
			return "", nil, fmt.Errorf("line %d: a line is ACTOR: STEP; STEP", i+1)
		}
		l := line{number: i + 1, actor: actor}
		for _, part := range splitSteps(rest) {
			s, err := parseStep(part)
			if err != nil {
				return "", nil, fmt.Errorf("line %d: %w", i+1, err)
			}
			l.steps = append(l.steps, s)
		}
		if len(l.steps) == 0 {
			return "", nil, fmt.Errorf("line %d: no step", i+1)
		}
		lines = append(lines, l)
	}
	if len(doc) == 0 {
		return "", nil, fmt.Errorf("a script begins with a comment that says what it shows")
	}
	return strings.Join(doc, " "), lines, nil
}

// splitSteps cuts at semicolons outside quotes.
func splitSteps(s string) (out []string) {
	start, quoted := 0, false
	for i, r := range s {
		switch {
		case r == '"':
			quoted = !quoted
		case r == ';' && !quoted:
			out = append(out, s[start:i])
			start = i + 1
		}
	}
	return append(out, s[start:])
}

func parseStep(text string) (step, error) {
	s := step{text: strings.TrimSpace(text)}
	rest := s.text
	if i := strings.LastIndex(rest, "->"); i >= 0 && strings.Count(rest[:i], `"`)%2 == 0 {
		s.fails = strings.TrimSpace(rest[i+2:])
		rest = rest[:i]
	}
	for rest = strings.TrimSpace(rest); rest != ""; rest = strings.TrimLeftFunc(rest, unicode.IsSpace) {
		if rest[0] == '"' {
			end := strings.IndexByte(rest[1:], '"')
			if end < 0 {
				return s, fmt.Errorf("a quote is not closed in %q", text)
			}
			s.words = append(s.words, word{rest[1 : 1+end], true})
			rest = rest[2+end:]
			continue
		}
		end := strings.IndexFunc(rest, unicode.IsSpace)
		if end < 0 {
			end = len(rest)
		}
		s.words = append(s.words, word{rest[:end], false})
		rest = rest[end:]
	}
	if len(s.words) == 0 {
		return s, fmt.Errorf("an empty step")
	}
	return s, nil
}

// args takes a step's words one by one.
type args struct {
	step step
	i    int
	err  error
}

// next returns the next word; it is an error when there is none.
func (a *args) next(what string) string {
	if a.i == len(a.step.words) {
		if a.err == nil {
			a.err = fmt.Errorf("%q lacks %s", a.step.text, what)
		}
		return ""
	}
	w := a.step.words[a.i]
	a.i++
	return w.text
}

// text returns the next word, which must be quoted.
func (a *args) text(what string) string {
	if a.i < len(a.step.words) && !a.step.words[a.i].quoted && a.err == nil {
		a.err = fmt.Errorf("%q: %s is written in quotes", a.step.text, what)
	}
	return a.next(what)
}

// word takes the next word if it is this one.
func (a *args) word(w string) bool {
	if a.i < len(a.step.words) && !a.step.words[a.i].quoted && a.step.words[a.i].text == w {
		a.i++
		return true
	}
	return false
}

// quoted tells whether the next word is a quoted one.
func (a *args) quoted() bool { return a.i < len(a.step.words) && a.step.words[a.i].quoted }

// more tells whether there are words left.
func (a *args) more() bool { return a.i < len(a.step.words) }

// rest takes all words that are left.
func (a *args) rest() (out []string) {
	for a.more() {
		out = append(out, a.next(""))
	}
	return out
}

// done reports what went wrong, or words that nobody took.
func (a *args) done() error {
	if a.err == nil && a.more() {
		return fmt.Errorf("%q: %q is too much", a.step.text, a.step.words[a.i].text)
	}
	return a.err
}
