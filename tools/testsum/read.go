package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// module is cut off the names of packages.
const module = "github.com/skein-im/skein/"

// event is a line of `go test -json`; see `go doc test2json`.
type event struct {
	Action     string
	Package    string
	ImportPath string // of build events
	Test       string
	Output     string
}

// readGo reads the events of `go test -json`. A test that only holds subtests
// is not counted beside them; if it failed by itself it is.
func (r *report) readGo(in io.Reader) error {
	outputs := map[string]string{} // by test or package
	failing := map[string]bool{}   // packages with a test that failed
	parents := map[string]bool{}   // tests with subtests
	ended := map[string]string{}   // how a test ended
	within := map[string]string{}  // the package of a test
	started := map[string]bool{}   // packages that have not ended
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			r.failed = append(r.failed, failure{name: "go test", output: lines.Text() + "\n"})
			continue
		}
		pkg := strings.TrimPrefix(e.Package, module)
		name := "go " + pkg
		if e.Test != "" {
			name += "." + e.Test
		}
		switch e.Action {
		case "start":
			started[pkg] = true
		case "build-output":
			outputs["build"] += e.Output
		case "output":
			outputs[name] += e.Output
		case "pass", "fail", "skip":
			if e.Test == "" {
				delete(started, pkg)
				r.passes(e.Package, e.Action == "pass")
				if e.Action == "fail" && !failing[pkg] {
					r.failed = append(r.failed, failure{e.Package, name, outputs["build"] + outputs[name]})
					delete(outputs, "build")
				}
				continue
			}
			ended[name], within[name] = e.Action, e.Package
			if e.Action == "fail" {
				failing[pkg] = true
			}
			for i, c := range e.Test {
				if c == '/' {
					parents["go "+pkg+"."+e.Test[:i]] = true
				}
			}
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read go test: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(ended)) {
		switch {
		case ended[name] == "skip":
			r.skipped = append(r.skipped, name)
		case ended[name] == "fail" && !hasFailedChild(name, ended):
			r.failed = append(r.failed, failure{within[name], name, outputs[name]})
		case ended[name] == "pass" && !parents[name]:
			r.passed++
		}
	}
	for _, pkg := range slices.Sorted(maps.Keys(started)) {
		r.failed = append(r.failed, failure{name: "go " + pkg, output: "the package never ended\n" + outputs["go "+pkg]})
	}
	return nil
}

func (r *report) passes(place string, fine bool) {
	if r.fine == nil {
		r.fine = map[string]bool{}
	}
	r.fine[place] = fine
}

func hasFailedChild(name string, ended map[string]string) bool {
	for other, how := range ended {
		if how == "fail" && strings.HasPrefix(other, name+"/") {
			return true
		}
	}
	return false
}

// colour is a terminal's escape sequence, which means nothing in a log.
var colour = regexp.MustCompile("\x1b\\[[0-9;]*m")

// vitest is the part that we read of the report of vitest's JSON reporter.
type vitest struct {
	TestResults []struct {
		Name             string
		Status           string
		Message          string
		AssertionResults []struct {
			FullName        string
			Status          string
			FailureMessages []string
		}
	}
}

// readVitest reads the report of vitest's JSON reporter.
func (r *report) readVitest(name, root string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("read vitest's report: %w", err)
	}
	var v vitest
	if err := json.Unmarshal(text, &v); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	root, err = filepath.Abs(root)
	if err != nil {
		return fmt.Errorf("read vitest's report: %w", err)
	}
	for _, file := range v.TestResults {
		place := strings.TrimPrefix(filepath.ToSlash(file.Name), filepath.ToSlash(root)+"/")
		path := "js " + place
		before := len(r.failed)
		for _, test := range file.AssertionResults {
			full := path + " > " + test.FullName
			switch test.Status {
			case "passed":
				r.passed++
			case "failed":
				r.failed = append(r.failed, failure{place, full, colour.ReplaceAllString(strings.Join(test.FailureMessages, "\n"), "") + "\n"})
			default: // skipped, pending, todo, disabled: nothing was proven
				r.skipped = append(r.skipped, full)
			}
		}
		r.passes(place, file.Status == "passed")
		if file.Status == "failed" && len(r.failed) == before {
			r.failed = append(r.failed, failure{place, path, file.Message + "\n"})
		}
	}
	return nil
}
