package docs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// block is one fenced code block of a page, with what belongs to it.
type block struct {
	line   int    // of its first line of code, from 1
	lang   string // of the info string: sh, js, ts, go, html, yaml, ini, text
	marker string // what the tests do with it, see markers
	file   string // with the marker file=NAME: the name
	code   string
	hidden bool // what a reader has done on another page
	// output is the text block that follows at once: what the code prints.
	output *block
	checks []check
}

// check is an HTML comment <!-- check LANG … --> after a block: code that
// readers do not see, which asserts what the page says about the block. In the
// same way <!-- run sh … --> is what a reader has done before.
type check struct {
	line int
	lang string
	code string
}

// page is one Markdown file.
type page struct {
	path   string // under the repository's root, with slashes
	text   string
	blocks []*block
}

// markers lists what a block can be marked as, by language, and so what every
// block of every page has to be one of. "text" has none: it is output, or a
// picture made of letters.
var markers = map[string][]string{
	"sh":   {"run", "serve", "make"},
	"js":   {"run", "file"},
	"ts":   {"run"},
	"go":   {"run", "file", "program"},
	"html": {"file"},
	"yaml": {"config"},
	"ini":  {"unit"},
	"text": {""},
}

var (
	fence   = regexp.MustCompile("^(\\s*)```(.*)$")
	comment = regexp.MustCompile(`^<!-- (check|run) (\w+)$`)
)

// readPage reads a page. It fails on a block that no test would run.
func readPage(root, path string) (*page, error) {
	b, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		return nil, err
	}
	p := &page{path: path, text: string(b)}
	lines := strings.Split(p.text, "\n")
	between := "" // what stands between a block and the next one
	for i := 0; i < len(lines); i++ {
		if m := comment.FindStringSubmatch(lines[i]); m != nil {
			c := check{line: i + 2, lang: m[2]}
			for i++; ; i++ {
				if i == len(lines) {
					return nil, fmt.Errorf("%s:%d: the check has no end", path, c.line)
				}
				if lines[i] == "-->" {
					break
				}
				c.code += lines[i] + "\n"
			}
			if m[1] == "run" {
				p.blocks = append(p.blocks, &block{line: c.line, lang: c.lang, marker: "run", code: c.code, hidden: true})
				continue
			}
			if len(p.blocks) == 0 {
				return nil, fmt.Errorf("%s:%d: a check without a block before it", path, c.line)
			}
			last := p.blocks[len(p.blocks)-1]
			last.checks = append(last.checks, c)
			continue
		}
		m := fence.FindStringSubmatch(lines[i])
		if m == nil {
			between += strings.TrimSpace(lines[i])
			continue
		}
		bl, err := newBlock(m[2])
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, i+1, err)
		}
		if m[1] != "" {
			return nil, fmt.Errorf("%s:%d: a code block is not indented", path, i+1)
		}
		bl.line = i + 2
		for i++; ; i++ {
			if i == len(lines) {
				return nil, fmt.Errorf("%s:%d: the block has no end", path, bl.line)
			}
			if lines[i] == "```" {
				break
			}
			bl.code += lines[i] + "\n"
		}
		if n := len(p.blocks); bl.lang == "text" && between == "" && n > 0 && p.blocks[n-1].prints() && p.blocks[n-1].output == nil && len(p.blocks[n-1].checks) == 0 {
			p.blocks[n-1].output = bl
		} else {
			p.blocks = append(p.blocks, bl)
		}
		between = ""
	}
	return p, nil
}

// prints tells whether a text block right after this one is its output.
func (b *block) prints() bool {
	return b.marker == "run" || b.marker == "serve" || b.marker == "program"
}

func newBlock(info string) (*block, error) {
	lang, marker, _ := strings.Cut(strings.TrimSpace(info), " ")
	b := &block{lang: lang, marker: strings.TrimSpace(marker)}
	if name, ok := strings.CutPrefix(b.marker, "file="); ok {
		b.marker, b.file = "file", name
	}
	known, ok := markers[lang]
	if !ok || !slices.Contains(known, b.marker) {
		return nil, fmt.Errorf("no test runs a block marked %q; the markers are in test/docs/markdown_test.go", info)
	}
	return b, nil
}

// comments of each language, to the end of the line. The space keeps addresses
// (http://…) and the like out of it.
var comments = map[string]*regexp.Regexp{
	"//": regexp.MustCompile(`(?m)(^|\s+)// .*$`),
	"#":  regexp.MustCompile(`(?m)(^|\s+)# .*$`),
	"<!": regexp.MustCompile(`(?s)<!--.*?-->`),
}

// bare is the code without comments and without what only comments left
// behind: what a translated page has to have in common with its original.
func (b *block) bare() string {
	code := b.code
	switch b.lang {
	case "js", "ts", "go":
		code = comments["//"].ReplaceAllString(code, "")
	case "sh", "yaml", "ini":
		code = comments["#"].ReplaceAllString(code, "")
	case "html":
		code = comments["//"].ReplaceAllString(comments["<!"].ReplaceAllString(code, ""), "")
	}
	var out []string
	for line := range strings.SplitSeq(code, "\n") {
		if strings.TrimSpace(line) != "" {
			out = append(out, strings.TrimRight(line, " \t"))
		}
	}
	return strings.Join(out, "\n")
}

// matches tells whether output is what the text block shows; "…" in it stands
// for anything in one line.
func (b *block) matches(output string) bool {
	return pattern(b.code).MatchString(strings.TrimSpace(output))
}

func pattern(want string) *regexp.Regexp {
	return regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(strings.TrimSpace(want)), "…", ".*") + "$")
}
