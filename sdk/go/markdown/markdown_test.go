package markdown_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/skein-im/skein/sdk/go/markdown"
)

const vectors = "../../testdata/markdown"

// update writes the trees that this parser makes into the vectors. Whoever
// runs it reads every line that changed: the vectors are the specification.
var update = flag.Bool("update", false, "write the vectors again")

type vector struct {
	Name  string `json:"name"`
	About string `json:"about"`
	Cases []struct {
		Text  string           `json:"text"`
		Tree  []*markdown.Node `json:"tree"`
		Plain string           `json:"plain"`
	} `json:"cases"`
}

func TestEveryVectorGivesItsTree(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(vectors, "*.json"))
	if err != nil || len(files) < 2 {
		t.Fatalf("%d vectors, %v", len(files), err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var v vector
		if err := json.Unmarshal(raw, &v); err != nil {
			t.Fatal(err)
		}
		for i := range v.Cases {
			c := &v.Cases[i]
			tree, plain := markdown.Parse(c.Text), markdown.Plain(c.Text)
			if *update {
				c.Tree, c.Plain = tree, plain
				continue
			}
			if got, want := dump(t, tree), dump(t, c.Tree); got != want {
				t.Errorf("%s: %q\n got %s\nwant %s", v.Name, c.Text, got, want)
			}
			if plain != c.Plain {
				t.Errorf("%s: %q reads %q, want %q", v.Name, c.Text, plain, c.Plain)
			}
		}
		if *update {
			write(t, file, v)
		}
	}
}

// write keeps a case on three lines, which is how they are read.
func write(t *testing.T, file string, v vector) {
	t.Helper()
	one := func(x any) string {
		var b strings.Builder
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(x); err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(b.String())
	}
	var b strings.Builder
	b.WriteString("{\n \"name\": " + one(v.Name) + ",\n \"about\": " + one(v.About) + ",\n \"cases\": [\n")
	for i, c := range v.Cases {
		if c.Tree == nil {
			c.Tree = []*markdown.Node{}
		}
		b.WriteString("  {\"text\": " + one(c.Text) + ",\n   \"tree\": " + one(c.Tree) + ",\n   \"plain\": " + one(c.Plain) + "}")
		if i+1 < len(v.Cases) {
			b.WriteString(",")
		}
		b.WriteString("\n")
	}
	b.WriteString(" ]\n}\n")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

func dump(t *testing.T, tree []*markdown.Node) string {
	t.Helper()
	if len(tree) == 0 {
		return "[]"
	}
	b, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// hostile are texts that make a careless parser slow or deep.
func hostile(n int) map[string]string {
	r := func(s string) string { return strings.Repeat(s, n/len(s)) }
	return map[string]string{
		"stars": r("*"), "star words": r("*a "), "open and close": r("*a**b"), "underscores": r("_a_ "), "brackets": r("["), "half links": r("]("),
		"links": r("[a](http://b"), "links in links": r("[a](http://b)"), "backticks": r("` `"), "tick": r("`"), "odd ticks": "`" + r("a*"), "quotes": r(">"), "quoted lines": r("> "),
		"deep list": r(" - "), "items": r("- a\n"), "fences": r("```\n"), "escapes": r("\\*"), "mixed": r("**_~~[`"), "breaks": r("*\n"), "mentions": r("@ann "),
	}
}

func TestTheTimeIsLinearInTheText(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // it would be most of what is measured
	took := func(text string) time.Duration {
		best := time.Hour
		for range 7 { // on a busy machine some are interrupted
			start := time.Now()
			markdown.Parse(text)
			best = min(best, time.Since(start))
		}
		return best
	}
	small, large := hostile(16<<10), hostile(128<<10)
	for name := range small {
		// 8 times the text; a quadratic parser would need 64 times the time.
		if a, b := took(small[name]), took(large[name]); b > 40*max(a, 50*time.Microsecond) {
			t.Errorf("%s: %s for 16 KiB, %s for 128 KiB", name, a, b)
		}
		runtime.GC()
	}
}

func depth(nodes []*markdown.Node) int {
	most := 0
	for _, n := range nodes {
		most = max(most, 1+depth(n.Children))
	}
	return most
}

// check holds a tree to what every tree promises.
func check(t *testing.T, text string, nodes []*markdown.Node) {
	t.Helper()
	if d := depth(nodes); d > markdown.MaxQuotes+2*markdown.MaxLists+8 {
		t.Fatalf("%q is %d deep", text, d)
	}
	var walk func(nodes []*markdown.Node, inLink bool)
	walk = func(nodes []*markdown.Node, inLink bool) {
		for i, n := range nodes {
			if n.Kind == markdown.Link {
				low := strings.ToLower(n.URL)
				if inLink || !strings.HasPrefix(low, "http://") && !strings.HasPrefix(low, "https://") && !strings.HasPrefix(low, "mailto:") || strings.ContainsAny(n.URL, " \n\"<>") {
					t.Fatalf("%q has a bad link %q", text, n.URL)
				}
			}
			if n.Kind == markdown.Text && (n.Text == "" || i > 0 && nodes[i-1].Kind == markdown.Text) {
				t.Fatalf("%q has an empty text or two in a row", text)
			}
			walk(n.Children, inLink || n.Kind == markdown.Link)
		}
	}
	walk(nodes, false)
}

func TestHostileTextsGiveShallowTrees(t *testing.T) {
	for _, text := range hostile(16 << 10) {
		check(t, text, markdown.Parse(text))
	}
}

func FuzzMentionMarkdown(f *testing.F) {
	for _, text := range hostile(64) {
		f.Add(text)
	}
	f.Add("*a* **b** [c](https://d.example) `e` @ann\n> q\n- l\n```go\nx\n```")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 32<<10 {
			return
		}
		tree := markdown.Parse(text)
		check(t, text, tree)
		if !reflect.DeepEqual(tree, markdown.Parse(text)) {
			t.Fatalf("%q has two trees", text)
		}
		// What is plain and has no marks is itself.
		if !strings.ContainsAny(text, "\\`*_~[]>-+0123456789\n\r\t ") {
			if got := markdown.Plain(text); got != text {
				t.Fatalf("%q reads %q", text, got)
			}
		}
	})
}
