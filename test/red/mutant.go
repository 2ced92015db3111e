package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// mutant is a server with a bug, and the tests that have to notice it.
type mutant struct {
	c      *copied
	p      plant
	binary string
	tests  []string // the binary of each goTest
}

// build plants a bug, compiles what is to be run, and takes the bug away.
func (c *copied) build(ctx context.Context, p plant) (m *mutant, err error) {
	for _, e := range p.edits {
		src, err := e.read(c.tree())
		if err != nil {
			return nil, err
		}
		path := filepath.Join(c.tree(), e.file)
		if err := os.WriteFile(path, []byte(strings.Replace(src, e.old, e.new, 1)), 0o644); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, os.WriteFile(path, []byte(src), 0o644)) }()
	}
	m = &mutant{c: c, p: p, binary: filepath.Join(c.dir, slug(p.name))}
	if len(p.scripts) > 0 || slices.ContainsFunc(p.tests, goTest.starts) {
		if _, err := output(c.goTool(ctx, "build", "-o", m.binary, "./cmd/skein")); err != nil {
			return nil, err
		}
	}
	for i, t := range p.tests {
		bin := fmt.Sprintf("%s-%d.test", m.binary, i)
		if _, err := output(c.goTool(ctx, "test", "-c", "-o", bin, t.pkg)); err != nil {
			return nil, err
		}
		m.tests = append(m.tests, bin)
	}
	return m, nil
}

func slug(s string) string { return strings.ReplaceAll(strings.ToLower(s), " ", "-") }

// result says whether a script or a test noticed the bug, and by what.
type result struct {
	what string
	red  bool
	why  string
	err  error // it could not be run
}

// everyScript is the test that runs the scripts.
const everyScript = "TestEveryScriptHoldsOnEveryEngineThroughEverySDK"

// run runs the scripts and tests of a mutant.
func (m *mutant) run(ctx context.Context) []result {
	var out []result
	if len(m.p.scripts) > 0 {
		pattern := "^" + everyScript + "$/^sqlite$/^go$/^(" + strings.Join(m.p.scripts, "|") + ")$"
		o, err := m.c.test(ctx, m.c.scripts, "test/script", pattern, m.binary)
		for _, s := range m.p.scripts {
			out = append(out, o.of(s+".txt", everyScript+"/sqlite/go/"+s, err))
		}
	}
	for i, t := range m.p.tests {
		server := ""
		if t.starts() {
			server = m.binary
		}
		o, err := m.c.test(ctx, m.tests[i], t.pkg, "^"+t.name+"$", server)
		out = append(out, o.of(strings.TrimPrefix(t.pkg, "./")+" "+t.name, t.name, err))
	}
	return out
}

// outcomes is what a test binary printed, by test.
type outcomes map[string]*outcome

type outcome struct {
	action string // of the last event: pass, fail, skip
	said   strings.Builder
}

// test runs a compiled test in the folder of its package, as go test does.
func (c *copied) test(ctx context.Context, bin, pkg, pattern, server string) (outcomes, error) {
	cmd := exec.CommandContext(ctx, bin, "-test.run="+pattern, "-test.v=test2json", "-test.timeout=300s")
	cmd.Dir = filepath.Join(c.tree(), pkg)
	cmd.Env = os.Environ()
	if server != "" {
		cmd.Env = append(cmd.Env, "SKEIN_BIN="+server)
	}
	log, failed := cmd.CombinedOutput() // it is meant to fail
	convert := c.goTool(ctx, "tool", "test2json")
	convert.Stdin = bytes.NewReader(log)
	events, err := output(convert)
	if err != nil {
		return nil, err
	}
	out := outcomes{}
	for d := json.NewDecoder(strings.NewReader(events)); d.More(); {
		var e struct{ Action, Test, Output string }
		if err := d.Decode(&e); err != nil {
			return nil, err
		}
		o := out[e.Test]
		if o == nil {
			o = &outcome{}
			out[e.Test] = o
		}
		o.action = e.Action
		o.said.WriteString(e.Output)
	}
	return out, failed
}

// complaint finds what a test says when it fails, behind its file and line.
var complaint = regexp.MustCompile(`(?m)^\s+\w+\.go:\d+: (.+(?:\n {8}.+)?)$`)

// of reads the outcome of one test.
func (o outcomes) of(what, name string, failed error) result {
	r := result{what: what}
	t := o[name]
	switch {
	case t == nil && failed == nil:
		r.err = errors.New("there is no such test")
	case t == nil:
		r.err = fmt.Errorf("it did not run (%w)", failed)
		if all := o[""]; all != nil {
			r.err = fmt.Errorf("%w\n%s", r.err, all.said.String())
		}
	case t.action == "fail":
		r.red, r.why = true, o.reason(name)
	case t.action != "pass":
		r.err = fmt.Errorf("it ended with %q", t.action)
	}
	return r
}

// reason is the first complaint of the first subtest that failed, or of the test
// itself, in one line. Subtests go first: a test that sums them up only says
// that they failed.
func (o outcomes) reason(name string) string {
	var names []string
	for n, t := range o {
		if strings.HasPrefix(n, name+"/") && t.action == "fail" {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	for _, n := range append(names, name) {
		if m := complaint.FindStringSubmatch(o[n].said.String()); m != nil {
			why := strings.Join(strings.Fields(m[1]), " ")
			if r := []rune(why); len(r) > 160 {
				why = string(r[:160]) + " …"
			}
			return strings.ReplaceAll(why, "|", "\\|")
		}
	}
	return "red"
}
