package docs_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/skein-im/skein/internal/config"
)

// reader is somebody who follows a page: a folder with bin/skein in it, a
// server that `make run` has started there, and what they have noted down.
type reader struct {
	t        *testing.T
	page     *page
	dir      string // where commands run
	home     string // the reader's own folder: data, and files of the page
	host     *host
	site     string // the port that the page calls 3000
	env      []string
	serving  []*process // of blocks marked serve, in order
	programs *programs
	scripts  int
}

// follow runs the blocks of a page that are for a shell, in order.
func follow(t *testing.T, p *page, pr *programs) {
	home := t.TempDir()
	r := &reader{t: t, page: p, dir: home, home: home, host: serve(t, home), site: freePort(t), programs: pr}
	bin := filepath.Join(home, "bin")
	r.must(os.Mkdir(bin, 0o755))
	r.must(os.Symlink(binary, filepath.Join(bin, "skein")))
	r.must(os.Symlink(filepath.Join(root, "node_modules"), filepath.Join(home, "node_modules")))
	r.env = append(r.host.env(), "PATH="+bin+":"+os.Getenv("PATH"), "SKEIN_DATA="+filepath.Join(home, "data"))
	if strings.HasPrefix(p.path, "examples/") {
		r.dir = root // its commands are those of a clone
	}
	for _, b := range p.blocks {
		r.block(b)
		for _, c := range b.checks {
			r.check(c)
		}
	}
}

func (r *reader) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// block does what the reader does with a block.
func (r *reader) block(b *block) {
	switch b.lang + " " + b.marker {
	case "sh run":
		out := r.run(b.line, "bash", "-euo", "pipefail", "-c", r.real(b.code))
		r.note(out)
		r.compare(b, out)
	case "sh serve":
		r.serveBlock(b)
	case "sh make":
		r.makes(b)
	case "js run":
		r.compare(b, r.script(b.line, b.code+r.checksOf(b, "js")))
	case "go program":
		file := filepath.Join(r.t.TempDir(), "main.go")
		r.must(os.WriteFile(file, []byte(r.real(b.code)), 0o644))
		program, err := build(filepath.Join(r.t.TempDir(), "program"), file)
		r.must(err)
		out := r.run(b.line, program)
		r.compare(b, out)
		r.env = append(r.env, "SKEIN_OUTPUT="+strings.TrimSpace(out))
	case "js file", "html file", "go file":
		if r.dir == root {
			r.t.Fatalf("%s:%d: files of an example are in its folder", r.page.path, b.line)
		}
		r.must(os.WriteFile(filepath.Join(r.dir, filepath.Base(b.file)), []byte(r.real(b.code)), 0o644))
	case "yaml config":
		r.configures(b)
	case "ini unit":
		r.unit(b)
	}
}

// real puts this run's places and names where the page has its own.
func (r *reader) real(code string) string {
	code = strings.ReplaceAll(code, "127.0.0.1:8080", strings.TrimPrefix(r.host.url, "http://"))
	code = regexp.MustCompile(`\b3000\b`).ReplaceAllString(code, r.site)
	code = strings.ReplaceAll(code, "/var/lib/skein", filepath.Join(r.home, "data"))
	code = strings.ReplaceAll(code, "/var/backups", r.home)
	if r.dir == root {
		code = strings.ReplaceAll(code, "bin/skein", binary)
	}
	for _, line := range slices.Backward(r.env) {
		name, value, _ := strings.Cut(line, "=")
		if name == "SKEIN_KID" || name == "SKEIN_SECRET" {
			code = strings.ReplaceAll(code, name+"=…", name+"="+value)
		}
	}
	return code
}

// note keeps the secret that `skein app create` shows once, as the page tells
// the reader to.
func (r *reader) note(out string) {
	for _, name := range []string{"kid", "secret"} {
		if m := regexp.MustCompile(`(?m)^` + name + `:\s+(\S+)$`).FindStringSubmatch(out); m != nil {
			r.env = append(r.env, "SKEIN_"+strings.ToUpper(name)+"="+m[1])
		}
	}
}

// run runs a command to its end and returns what it prints.
func (r *reader) run(line int, name string, args ...string) string {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = r.dir, r.env
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	if err := cmd.Run(); err != nil {
		r.t.Fatalf("%s:%d: %v\n%s%s", r.page.path, line, err, &out, &stderr)
	}
	return out.String()
}

func (r *reader) compare(b *block, out string) {
	r.t.Helper()
	switch {
	case b.output == nil:
	case !b.output.matches(out):
		r.t.Fatalf("%s:%d: the page shows\n%s\nbut it is\n%s", r.page.path, b.output.line, b.output.code, out)
	}
}

// serveBlock starts what goes on running. Where the page has shown another
// such program on the same port, the reader has ended that first.
func (r *reader) serveBlock(b *block) {
	code := r.real(b.code)
	if strings.Contains(r.page.text, "<!-- one at a time -->") {
		for _, p := range r.serving {
			p.stop()
		}
	}
	p := start(r.t, r.dir, r.env, "bash", "-euo", "pipefail", "-c", code)
	r.serving = append(r.serving, p)
	p.await(r.t, "a first line", func(out string) bool {
		return b.output == nil && strings.Contains(out, "\n") || b.output != nil && pattern(r.real(b.output.code)).MatchString(strings.TrimSpace(out))
	})
}

// makes checks that the targets of `make` commands exist, and that `make run`
// starts the server that every page's commands are run against.
func (r *reader) makes(b *block) {
	for line := range strings.Lines(b.code) {
		words := strings.Fields(comments["#"].ReplaceAllString(line, ""))
		if len(words) < 2 || words[0] != "make" {
			r.t.Fatalf("%s:%d: %q is no make command", r.page.path, b.line, line)
		}
		cmd := exec.CommandContext(r.t.Context(), "make", append([]string{"-n"}, words[1:]...)...)
		cmd.Dir = root
		out, err := cmd.CombinedOutput()
		if err != nil {
			r.t.Fatalf("%s:%d: %s: %v\n%s", r.page.path, b.line, line, err, out)
		}
		if want := "bin/skein serve --dev --listen 127.0.0.1:8080 --data ./data"; words[1] == "run" && len(words) == 2 && !strings.Contains(string(out), want) {
			r.t.Fatalf("make run does not start what the pages are tested with, %s:\n%s", want, out)
		}
	}
}

// configures checks a configuration of the server, as its start would.
func (r *reader) configures(b *block) {
	file := filepath.Join(r.t.TempDir(), "skein.yaml")
	r.must(os.WriteFile(file, []byte(r.real(b.code)), 0o600))
	if _, _, err := config.Load(config.Source{Args: []string{"--config", file}}); err != nil {
		r.t.Fatalf("%s:%d: %v", r.page.path, b.line, err)
	}
}

// unit checks the command of a service of systemd.
func (r *reader) unit(b *block) {
	m := regexp.MustCompile(`(?m)^ExecStart=\S*/skein serve (.*)$`).FindStringSubmatch(b.code)
	if m == nil {
		r.t.Fatalf("%s:%d: the unit does not start skein", r.page.path, b.line)
	}
	file := filepath.Join(r.t.TempDir(), "skein.yaml")
	r.must(os.WriteFile(file, []byte("listen: 127.0.0.1:8080\n"), 0o600))
	args := strings.Fields(regexp.MustCompile(`/\S+\.yaml`).ReplaceAllString(m[1], file))
	if _, _, err := config.Load(config.Source{Args: args}); err != nil {
		r.t.Fatalf("%s:%d: %v", r.page.path, b.line, err)
	}
}

// checksOf joins the checks of a block that go into its own program.
func (r *reader) checksOf(b *block, lang string) string {
	var code strings.Builder
	for _, c := range b.checks {
		if c.lang == lang {
			code.WriteString(c.code)
		}
	}
	return code.String()
}

// check runs a check that stands for itself.
func (r *reader) check(c check) {
	switch c.lang {
	case "browser":
		r.script(c.line, "import { open, server, assert, done } from \"./browser.mjs\";\n"+c.code+"await done();\n")
	case "node":
		r.script(c.line, imports(c.code)+c.code+"await finish();\n")
	case "terminal":
		r.terminal(c)
	}
}

// script runs JavaScript in the reader's folder, with the programs' prelude
// and the browser's beside it.
func (r *reader) script(line int, code string) string {
	r.t.Helper()
	r.scripts++
	b, err := os.ReadFile("browser.mjs")
	r.must(err)
	r.must(os.WriteFile(filepath.Join(r.home, "browser.mjs"), b, 0o644))
	b, err = os.ReadFile(filepath.Join(r.programs.compiled(r.t), "prelude.js"))
	r.must(err)
	r.must(os.WriteFile(filepath.Join(r.home, "prelude.mjs"), b, 0o644))
	file := filepath.Join(r.home, fmt.Sprintf("script%d.mjs", r.scripts))
	code = strings.ReplaceAll(code, "./prelude.js", "./prelude.mjs")
	r.must(os.WriteFile(file, []byte(r.real(code)), 0o644))
	return r.run(line, "node", file)
}

// terminal types into the programs of the page's serve blocks, and waits for
// what they say: "1 < text" is a line for the first one, "2 > text" waits
// until the second has printed a line with this text.
func (r *reader) terminal(c check) {
	seen := map[int]int{} // how far the output of each was read
	for line := range strings.Lines(c.code) {
		m := regexp.MustCompile(`^(\d) ([<>]) (.*)\n$`).FindStringSubmatch(line)
		if m == nil {
			r.t.Fatalf("%s:%d: %q is not of the form: 1 < text", r.page.path, c.line, line)
		}
		n, _ := strconv.Atoi(m[1])
		if n < 1 || n > len(r.serving) {
			r.t.Fatalf("%s:%d: there is no program %d", r.page.path, c.line, n)
		}
		p := r.serving[n-1]
		if m[2] == "<" {
			_, err := fmt.Fprintln(p.stdin, m[3])
			r.must(err)
			continue
		}
		out := p.await(r.t, fmt.Sprintf("%q from program %d", m[3], n), func(out string) bool {
			return strings.Contains(out[seen[n]:], m[3])
		})
		seen[n] += strings.Index(out[seen[n]:], m[3]) + len(m[3])
	}
}
