package docs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"go/format"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// programs are the TypeScript and the Go of all pages, each compiled at once:
// one run of tsc with the options of a strict project, and one Go program with
// a function for each page.
type programs struct {
	pages []*page
	ts    func() (dir string, err error) // with a .js for each page
	gobin func() (file string, err error)
}

func newPrograms(pages []*page) *programs {
	p := &programs{pages: pages}
	p.ts = sync.OnceValues(p.compileTS)
	p.gobin = sync.OnceValues(p.compileGo)
	return p
}

func (p *programs) compiled(t *testing.T) string {
	t.Helper()
	dir, err := p.ts()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// has tells whether a page has blocks of a language that are run.
func (p *page) has(lang string) bool {
	return slices.ContainsFunc(p.blocks, func(b *block) bool { return b.lang == lang && b.marker == "run" })
}

// slug is a file's name for a page.
func (p *page) slug() string {
	return regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(strings.TrimSuffix(p.path, ".md")), "_")
}

// who are the clients that a program finds connected when it names them.
var who = [][2]string{{"im", "alice"}, {"asBob", "bob"}, {"asCarol", "carol"}}

// imports begins a JavaScript program: what it uses of the prelude, and the
// clients that it names and does not make itself.
func imports(code string) string {
	var names []string
	for _, name := range []string{"assert", "console", "endpoint", "tokenOf", "fetchTokenFromMyServer", "client", "until", "prints", "server", "finish"} {
		if uses(code, name) {
			names = append(names, name)
		}
	}
	clients := ""
	for _, w := range who {
		if uses(code, w[0]) && !regexp.MustCompile(`(const|let) `+w[0]+`\b`).MatchString(code) {
			clients += fmt.Sprintf("const %s = await client(%q);\n", w[0], w[1])
			names = append(names, "client")
		}
	}
	slices.Sort(names)
	names = append(slices.Compact(names), "finish")
	return fmt.Sprintf("import { %s } from \"./prelude.js\";\n%s", strings.Join(slices.Compact(names), ", "), clients)
}

func uses(code, name string) bool {
	return regexp.MustCompile(`(^|[^.\w"])` + name + `\b`).MatchString(code)
}

// source is a page's TypeScript. The places in it that start with "// @" lead
// a compiler's error back to the page.
func (p *page) source() string {
	var code strings.Builder
	for _, b := range p.blocks {
		if b.lang != "ts" {
			continue
		}
		fmt.Fprintf(&code, "// @ %d\n%s", b.line, b.code)
		if b.output != nil {
			fmt.Fprintf(&code, "await prints(%s);\n", quote(b.output.code))
		}
		for _, c := range b.checks {
			if c.lang == "ts" {
				fmt.Fprintf(&code, "// @ %d\n%s", c.line, c.code)
			}
		}
	}
	body := strings.ReplaceAll(code.String(), server, "endpoint")
	return imports(body) + body + "await finish();\n"
}

// server is what the pages call the server's address, as a string in a program.
const server = `"http://127.0.0.1:8080"`

func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string always has an encoding
	}
	return string(b)
}

// options are those of a project whose authors want to be told.
const options = `{"compilerOptions": {"strict": true, "noUncheckedIndexedAccess": true, "exactOptionalPropertyTypes": true, "verbatimModuleSyntax": true,
"module": "nodenext", "target": "es2023", "lib": ["es2023", "dom"], "types": ["node"], "outDir": "out", "skipLibCheck": true}, "include": ["*.ts"]}`

func (p *programs) compileTS() (string, error) {
	dir := filepath.Join(work, "ts")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	prelude, err := os.ReadFile("prelude.ts")
	if err != nil {
		return "", err
	}
	files := map[string]string{"tsconfig.json": options, "package.json": `{"type": "module"}`, "prelude.ts": string(prelude)}
	for _, pg := range p.pages {
		if pg.has("ts") {
			files[pg.slug()+".ts"] = pg.source()
		}
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return "", err
		}
	}
	if err := os.Symlink(filepath.Join(root, "node_modules"), filepath.Join(dir, "node_modules")); err != nil {
		return "", err
	}
	cmd := exec.Command(filepath.Join(root, "node_modules", ".bin", "tsc"), "-p", dir)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("the TypeScript of the pages: %w\n%s", err, p.places(files, string(out)))
	}
	return filepath.Join(dir, "out"), nil
}

// places rewrites tsc's file names and lines to those of the pages.
func (p *programs) places(files map[string]string, out string) string {
	return regexp.MustCompile(`(\w+)\.ts\((\d+),`).ReplaceAllStringFunc(out, func(place string) string {
		m := regexp.MustCompile(`(\w+)\.ts\((\d+),`).FindStringSubmatch(place)
		n, _ := strconv.Atoi(m[2])
		for _, pg := range p.pages {
			if pg.slug() != m[1] {
				continue
			}
			lines := strings.Split(files[m[1]+".ts"], "\n")
			for i := n - 1; i >= 0; i-- {
				if from, ok := strings.CutPrefix(lines[i], "// @ "); ok {
					first, _ := strconv.Atoi(from)
					return fmt.Sprintf("%s:%d (", pg.path, first+n-i-2)
				}
			}
		}
		return place
	})
}

// runTS runs a page's TypeScript against a server of its own.
func (p *programs) runTS(t *testing.T, pg *page) {
	p.run(t, pg, "node", filepath.Join(p.compiled(t), pg.slug()+".js"))
}

// goImports are the packages that Go blocks may use without saying so, as an
// editor would add them.
var goImports = map[string]string{"context": "context", "errors": "errors", "io": "io", "os": "os", "strings": "strings", "time": "time",
	"skein": "github.com/skein-im/skein/sdk/go", "sqlitestore": "github.com/skein-im/skein/sdk/go/sqlitestore"}

func (p *programs) compileGo() (string, error) {
	var code, table bytes.Buffer
	for i, pg := range p.pages {
		if !pg.has("go") {
			continue
		}
		fmt.Fprintf(&table, "%q: page%d,\n", pg.path, i)
		if err := pg.function(&code, i); err != nil {
			return "", err
		}
	}
	var head bytes.Buffer
	head.WriteString("package main\n\nimport (\n\"context\"\n")
	for _, name := range []string{"errors", "io", "os", "strings", "time", "skein", "sqlitestore"} {
		if uses(code.String(), name) {
			fmt.Fprintf(&head, "%s %q\n", name, goImports[name])
		}
	}
	fmt.Fprintf(&head, ")\n\nfunc pages() map[string]func(context.Context, *docs) error {\nreturn map[string]func(context.Context, *docs) error{\n%s}\n}\n", &table)
	dir := filepath.Join(work, "go")
	prelude, err := os.ReadFile("prelude.go.txt")
	if err == nil {
		err = os.Mkdir(dir, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "prelude.go"), prelude, 0o644)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "pages.go"), append(head.Bytes(), code.Bytes()...), 0o644)
	}
	if err != nil {
		return "", err
	}
	return build(filepath.Join(dir, "pages"), filepath.Join(dir, "prelude.go"), filepath.Join(dir, "pages.go"))
}

// build compiles files as a program of this module.
func build(out string, files ...string) (string, error) {
	cmd := exec.Command("go", append([]string{"build", "-o", out}, files...)...)
	cmd.Dir = root
	if said, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("the Go of the pages: %w\n%s", err, said)
	}
	return out, nil
}

// function writes a page's Go blocks as one function.
func (p *page) function(w *bytes.Buffer, n int) error {
	var code strings.Builder
	for _, b := range p.blocks {
		if b.lang != "go" || b.marker != "run" {
			continue
		}
		if nice, err := format.Source([]byte(b.code)); err != nil || string(nice) != b.code {
			return fmt.Errorf("%s:%d: not as gofmt has it: %v", p.path, b.line, err)
		}
		fmt.Fprintf(&code, "//line %s:%d\n%s", filepath.Join(root, p.path), b.line, strings.ReplaceAll(b.code, server, "d.endpoint"))
		if b.output != nil {
			fmt.Fprintf(&code, "d.prints(%s)\n", quote(b.output.code))
		}
		for _, c := range b.checks {
			if c.lang == "go" {
				fmt.Fprintf(&code, "//line %s:%d\n%s", filepath.Join(root, p.path), c.line, c.code)
			}
		}
	}
	fmt.Fprintf(w, "func page%d(ctx context.Context, fmt *docs) error {\nd := fmt\n", n)
	for _, v := range who {
		if uses(code.String(), v[0]) && !regexp.MustCompile(`\b`+v[0]+`(, \w+)? :=`).MatchString(code.String()) {
			fmt.Fprintf(w, "%s := d.client(%q)\ndefer %s.Close()\n", v[0], v[1], v[0])
		}
	}
	if uses(code.String(), "fetchTokenFromMyServer") {
		fmt.Fprintln(w, "fetchTokenFromMyServer := d.tokenOf(\"alice\")")
	}
	fmt.Fprintf(w, "_ = d\n%sreturn nil\n}\n", code.String())
	return nil
}

// runGo runs a page's Go against a server of its own.
func (p *programs) runGo(t *testing.T, pg *page) {
	file, err := p.gobin()
	if err != nil {
		t.Fatal(err)
	}
	p.run(t, pg, file, pg.path)
}

// run runs a program of a page, with nothing else on its server.
func (p *programs) run(t *testing.T, pg *page, name string, args ...string) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = t.TempDir()
	cmd.Env = serve(t, t.TempDir()).env()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", pg.path, err, out)
	}
}

// vet holds the whole files of a page to the format of Go.
func (p *page) vet(t *testing.T) {
	for _, b := range p.blocks {
		if b.lang != "go" || b.marker == "run" {
			continue
		}
		if nice, err := format.Source([]byte(b.code)); err != nil || string(nice) != b.code {
			t.Errorf("%s:%d: not as gofmt has it: %v", p.path, b.line, err)
		}
	}
}
