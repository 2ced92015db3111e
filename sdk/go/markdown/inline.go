package markdown

import "strings"

// scanner parses one paragraph. What is open waits in opened, each style and
// each of its marks at most once, so that the tree is at most six deep and
// closing is quick; a mark that finds no partner stays in out as text.
type scanner struct {
	in     string
	at     int
	out    []*Node
	opened []opening
	text   strings.Builder // typed since the last node
	ticks  bool            // no closing backtick follows: all that come are text
}

// opening is a mark that waits for its partner: out[index] is its text.
type opening struct {
	mark  string
	index int
}

// inline parses a paragraph.
func inline(in string) []*Node {
	s := &scanner{in: in}
	for s.at < len(in) {
		s.step()
	}
	s.flush()
	return joined(s.out)
}

// step takes what begins at the next character.
func (s *scanner) step() {
	switch c := s.in[s.at]; c {
	case '\\':
		s.escape()
	case '\n':
		s.add(&Node{Kind: Break})
		s.at++
	case '`':
		s.code()
	case '*', '_', '~':
		s.style(c)
	case '[':
		s.open("[")
		s.at++
	case ']':
		s.link()
	default:
		s.text.WriteByte(c)
		s.at++
	}
}

// flush makes a node of the text so far.
func (s *scanner) flush() {
	if s.text.Len() > 0 {
		s.out = append(s.out, &Node{Kind: Text, Text: s.text.String()})
		s.text.Reset()
	}
}

func (s *scanner) add(n *Node) {
	s.flush()
	s.out = append(s.out, n)
}

// escape takes a backslash: the punctuation behind it is itself.
func (s *scanner) escape() {
	if s.at+1 < len(s.in) && punctuation(s.in[s.at+1]) {
		s.at++
	}
	s.text.WriteByte(s.in[s.at])
	s.at++
}

// code takes what is between two backticks; without a second one it is text.
func (s *scanner) code() {
	n := -1
	if !s.ticks {
		n = strings.IndexByte(s.in[s.at+1:], '`')
		s.ticks = n < 0
	}
	if n < 1 { // none, or nothing between them
		s.text.WriteString(s.in[s.at : s.at+1+max(n+1, 0)])
		s.at += 1 + max(n+1, 0)
		return
	}
	s.add(&Node{Kind: Code, Text: s.in[s.at+1 : s.at+1+n]})
	s.at += n + 2
}

// style takes a run of one of * _ ~ .
func (s *scanner) style(c byte) {
	run := 1
	for s.at+run < len(s.in) && s.in[s.at+run] == c {
		run++
	}
	before, after := byte(' '), byte(' ')
	if s.at > 0 {
		before = s.in[s.at-1]
	}
	if s.at+run < len(s.in) {
		after = s.in[s.at+run]
	}
	mark := s.in[s.at : s.at+run]
	s.at += run
	if run > 3 || c == '~' && run != 2 {
		s.text.WriteString(mark)
		return
	}
	canOpen := !space(after) && (c != '_' || !word(before))
	canClose := !space(before) && (c != '_' || !word(after))
	if canClose {
		mark = s.closeStyles(c, mark)
	}
	for canOpen && len(mark) > 0 {
		n := min(len(mark), 2)
		if s.find(mark[:n]) >= 0 { // open already: it does not nest in itself
			break
		}
		s.open(mark[:n])
		mark = mark[n:]
	}
	s.text.WriteString(mark)
}

// closeStyles closes as much as a run of marks can, the innermost first, and
// returns what is left of the run.
func (s *scanner) closeStyles(c byte, mark string) string {
	for len(mark) > 0 {
		i := len(s.opened) - 1
		for i >= 0 && s.opened[i].mark[0] != c {
			i--
		}
		if i < 0 || len(s.opened[i].mark) > len(mark) {
			return mark
		}
		n := len(s.opened[i].mark)
		kind := Em
		switch {
		case c == '~':
			kind = Strike
		case n == 2:
			kind = Strong
		}
		s.wrap(i, &Node{Kind: kind})
		mark = mark[n:]
	}
	return mark
}

// open notes a mark, which is text until its partner comes. A second [ takes
// the place of the first: links do not nest.
func (s *scanner) open(mark string) {
	if i := s.find(mark); i >= 0 {
		s.opened = append(s.opened[:i], s.opened[i+1:]...)
	}
	s.flush()
	s.opened = append(s.opened, opening{mark, len(s.out)})
	s.out = append(s.out, &Node{Kind: Text, Text: mark})
}

func (s *scanner) find(mark string) int {
	for i, o := range s.opened {
		if o.mark == mark {
			return i
		}
	}
	return -1
}

// wrap puts all since an opening into a node, in its place. What was opened
// since stays text.
func (s *scanner) wrap(i int, n *Node) {
	s.flush()
	at := s.opened[i].index
	n.Children = joined(append([]*Node(nil), s.out[at+1:]...))
	s.out = append(s.out[:at], n)
	s.opened = s.opened[:i]
}

// link takes a ] : with an address behind it and a [ before it, it is a link.
func (s *scanner) link() {
	i := s.find("[")
	s.at++
	if i < 0 {
		s.text.WriteByte(']')
		return
	}
	url, n := address(s.in[s.at:])
	if n == 0 {
		s.opened = append(s.opened[:i], s.opened[i+1:]...)
		s.text.WriteByte(']')
		return
	}
	s.at += n
	node := &Node{Kind: Link, URL: url}
	s.wrap(i, node)
	if len(node.Children) == 0 {
		node.Children = []*Node{{Kind: Text, Text: url}}
	}
}

// address takes (url) and returns the url and the length of all of it, 0 when
// it is none: http, https or mailto, of printing ASCII without ( ) < > " ` \ .
func address(in string) (url string, n int) {
	if in == "" || in[0] != '(' {
		return "", 0
	}
	for n = 1; n < len(in) && in[n] > ' ' && in[n] < 0x7f && strings.IndexByte("()<>\"`\\", in[n]) < 0; n++ {
	}
	if n == len(in) || in[n] != ')' || n-1 > MaxURL {
		return "", 0
	}
	url = in[1:n]
	low := strings.ToLower(url)
	for _, scheme := range []string{"http://", "https://", "mailto:"} {
		if strings.HasPrefix(low, scheme) && len(url) > len(scheme) {
			return url, n + 1
		}
	}
	return "", 0
}

// joined makes one text of those that stand side by side.
func joined(in []*Node) (out []*Node) {
	var run strings.Builder
	for i, n := range in {
		if n.Kind != Text {
			out = append(out, n)
			continue
		}
		run.WriteString(n.Text)
		if i+1 == len(in) || in[i+1].Kind != Text {
			out = append(out, &Node{Kind: Text, Text: run.String()})
			run.Reset()
		}
	}
	return out
}

func space(c byte) bool { return c == ' ' || c == '\t' || c == '\n' }

func asciiWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// word tells a letter or digit; everything beyond ASCII counts as one, so that
// a parser needs no tables.
func word(c byte) bool { return asciiWord(c) || c >= 0x80 }

func punctuation(c byte) bool { return c > ' ' && c < 0x7f && !asciiWord(c) }
