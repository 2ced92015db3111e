// Package markdown parses the subset of Markdown that messages are written
// in; docs/guide/markdown.md is its grammar. It makes a tree and no markup:
// whoever shows a text makes elements of the tree, so that nothing in a text
// can become HTML, and whatever the grammar does not know stays as it was
// typed.
//
// The grammar is smaller than CommonMark on purpose. Every rule looks at most
// at the characters beside it, so that a parser is a page in any language, the
// time is linear in the text, the depth of the tree is bounded, and two
// parsers agree on every text (sdk/testdata/markdown holds them to that).
package markdown

import "strings"

// Bounds of a tree, so that who walks it needs no guard.
const (
	// MaxQuotes is how deep quotes nest; a further > is text.
	MaxQuotes = 4
	// MaxLists is how deep lists nest; what is indented further joins the last.
	MaxLists = 4
	// MaxURL is the length of a link's address in bytes.
	MaxURL = 2048
)

// Kind says what a node is.
type Kind string

// The kinds of blocks and of what is inside a paragraph.
const (
	Paragraph Kind = "paragraph" // Children: inline
	CodeBlock Kind = "codeBlock" // Text, Language
	Quote     Kind = "quote"     // Children: blocks
	List      Kind = "list"      // Children: items; Ordered, Start
	Item      Kind = "item"      // Children: a paragraph, then lists

	Text   Kind = "text"   // Text
	Break  Kind = "break"  // the end of a line within a paragraph
	Code   Kind = "code"   // Text
	Strong Kind = "strong" // Children: inline
	Em     Kind = "em"     // Children: inline
	Strike Kind = "strike" // Children: inline
	Link   Kind = "link"   // Children: inline without links; URL
)

// Node is a part of a text. Which fields mean something stands beside its Kind.
type Node struct {
	Kind     Kind    `json:"kind"`
	Text     string  `json:"text,omitempty"`
	Language string  `json:"language,omitempty"`
	URL      string  `json:"url,omitempty"`
	Ordered  bool    `json:"ordered,omitempty"`
	Start    int     `json:"start,omitempty"`
	Children []*Node `json:"children,omitempty"`
}

// Parse returns the blocks of a text. Every text has a tree: there are no errors.
func Parse(text string) []*Node {
	return blocks(lines(text), 0)
}

// Plain returns what a text says without its marks, on one line: for lists of
// conversations and for notifications.
func Plain(text string) string {
	var b strings.Builder
	plain(&b, Parse(text))
	return strings.Join(strings.FieldsFunc(b.String(), func(r rune) bool { return r == ' ' || r == '\n' || r == '\t' }), " ")
}

func plain(b *strings.Builder, nodes []*Node) {
	for _, n := range nodes {
		switch n.Kind {
		case Text, Code:
			b.WriteString(n.Text)
		case CodeBlock:
			b.WriteString(n.Text + "\n")
		case Break:
			b.WriteString("\n")
		case Paragraph, Quote, List, Item:
			plain(b, n.Children)
			b.WriteString("\n")
		default:
			plain(b, n.Children)
		}
	}
}

// lines splits a text; a carriage return before a line feed belongs to it.
func lines(text string) []string {
	out := strings.Split(text, "\n")
	for i := range out[:len(out)-1] {
		out[i] = strings.TrimSuffix(out[i], "\r")
	}
	return out
}

// blocks parses lines, depth quotes deep.
func blocks(in []string, depth int) (out []*Node) {
	var para []string
	flush := func() {
		if len(para) > 0 {
			out = append(out, &Node{Kind: Paragraph, Children: inline(strings.Join(para, "\n"))})
			para = nil
		}
	}
	for i := 0; i < len(in); {
		n := 1
		switch lang, fence := fenced(in[i]); {
		case fence:
			flush()
			var code *Node
			code, n = codeBlock(in[i:], lang)
			out = append(out, code)
		case depth < MaxQuotes && strings.HasPrefix(in[i], ">"):
			flush()
			var inner []string
			for n = 0; i+n < len(in) && strings.HasPrefix(in[i+n], ">"); n++ {
				inner = append(inner, strings.TrimPrefix(in[i+n][1:], " "))
			}
			out = append(out, &Node{Kind: Quote, Children: blocks(inner, depth+1)})
		case blank(in[i]):
			flush()
		default:
			if _, ok := marker(in[i]); !ok {
				para = append(para, in[i])
				break
			}
			flush()
			var items []item
			items, n = listItems(in[i:])
			for len(items) > 0 {
				var l *Node
				l, items = list(items, 1)
				out = append(out, l)
			}
		}
		i += n
	}
	flush()
	return out
}

func blank(line string) bool { return strings.Trim(line, " \t") == "" }

// fenced tells a line of three backticks and perhaps a language.
func fenced(line string) (lang string, ok bool) {
	lang, ok = strings.CutPrefix(line, "```")
	lang = strings.TrimRight(lang, " \t")
	if !ok || len(lang) > 32 {
		return "", false
	}
	for i := 0; i < len(lang); i++ {
		if !asciiWord(lang[i]) && strings.IndexByte("+#._-", lang[i]) < 0 {
			return "", false
		}
	}
	return lang, true
}

// codeBlock takes lines up to a closing fence, or all; it returns how many.
func codeBlock(in []string, lang string) (*Node, int) {
	for n := 1; n < len(in); n++ {
		if strings.TrimRight(in[n], " \t") == "```" {
			return &Node{Kind: CodeBlock, Language: lang, Text: strings.Join(in[1:n], "\n")}, n + 1
		}
	}
	return &Node{Kind: CodeBlock, Language: lang, Text: strings.Join(in[1:], "\n")}, len(in)
}

// item is one of a list, before its place in the tree is known.
type item struct {
	indent  int
	ordered bool
	start   int
	text    string
}

// marker tells a line that begins an item: at most 15 spaces, one of - * + or
// up to nine digits with . or ), and a space.
func marker(line string) (it item, ok bool) {
	rest := strings.TrimLeft(line, " ")
	it.indent = len(line) - len(rest)
	if it.indent > 15 || rest == "" {
		return it, false
	}
	n := 1
	if strings.IndexByte("-*+", rest[0]) < 0 {
		for n = 0; n < len(rest) && n < 10 && rest[n] >= '0' && rest[n] <= '9'; n++ {
			it.start = it.start*10 + int(rest[n]-'0')
		}
		if n == 0 || n > 9 || n == len(rest) || rest[n] != '.' && rest[n] != ')' {
			return it, false
		}
		it.ordered = true
		n++
	}
	if n == len(rest) || rest[n] != ' ' {
		return it, false
	}
	it.text = strings.TrimLeft(rest[n:], " ")
	return it, true
}

// listItems takes the lines of a list: those with a marker, and those that are
// indented by two spaces at least, which go on with the item before them.
func listItems(in []string) (items []item, n int) {
	var texts []string // of the last item
	finish := func() {
		if len(items) > 0 {
			items[len(items)-1].text = strings.Join(texts, "\n")
		}
	}
	for n < len(in) {
		it, ok := marker(in[n])
		switch {
		case ok:
			finish()
			items, texts = append(items, it), []string{it.text}
		case strings.HasPrefix(in[n], "  ") && !blank(in[n]):
			texts = append(texts, strings.TrimLeft(in[n], " "))
		default:
			finish()
			return items, n
		}
		n++
	}
	finish()
	return items, n
}

// list builds the list that begins with the first item and returns the items
// that are not of it: those less indented, and those of the other kind.
func list(items []item, depth int) (*Node, []item) {
	first := items[0]
	l := &Node{Kind: List, Ordered: first.ordered, Start: first.start}
	for len(items) > 0 && items[0].indent >= first.indent {
		if items[0].indent >= first.indent+2 && depth < MaxLists && len(l.Children) > 0 {
			last := l.Children[len(l.Children)-1]
			var sub *Node
			sub, items = list(items, depth+1)
			last.Children = append(last.Children, sub)
			continue
		}
		if items[0].ordered != l.Ordered {
			break
		}
		l.Children = append(l.Children, &Node{Kind: Item, Children: []*Node{{Kind: Paragraph, Children: inline(items[0].text)}}})
		items = items[1:]
	}
	return l, items
}
