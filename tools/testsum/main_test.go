package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// events makes the lines of go test -json: "action package test output".
func events(lines ...string) string {
	var b strings.Builder
	for _, l := range lines {
		f := strings.SplitN(l, " ", 4)
		for len(f) < 4 {
			f = append(f, "")
		}
		if f[2] == "-" {
			f[2] = ""
		}
		b.WriteString(`{"Action":"` + f[0] + `","Package":"` + module + f[1] + `","Test":"` + f[2] + `","Output":"` + f[3] + `\n"}` + "\n")
	}
	return b.String()
}

func TestGoRunsAreJudged(t *testing.T) {
	for _, c := range []struct {
		name                    string
		in                      string
		passed, failed, skipped int
		says                    string
	}{
		{"a passing run passes", events("start a", "run a TestX", "pass a TestX", "pass a"), 1, 0, 0, ""},
		{"a failing test shows its output", events("start a", "output a TestX boom", "fail a TestX", "fail a"), 0, 1, 0, "FAILED: go a.TestX\n    boom"},
		{"a test with subtests counts as these", events("start a", "pass a TestX/one", "pass a TestX/two", "pass a TestX", "pass a"), 2, 0, 0, ""},
		{"a failing subtest is told once", events("start a", "output a TestX/one boom", "fail a TestX/one", "fail a TestX", "fail a"), 0, 1, 0, "FAILED: go a.TestX/one"},
		{"a skip that nobody allowed fails", events("start a", "pass a TestY", "skip a TestX", "pass a"), 1, 1, 0, "go a.TestX\n    skipped"},
		{"a skip that the list names is printed with its reason", events("start a", "pass a TestY", "skip a TestAllowed", "pass a"), 1, 0, 1, "skipped: go a.TestAllowed (no such disk)"},
		{"a package that does not build fails", events("build-output a - undefined:x", "start a", "fail a"), 0, 1, 0, "undefined:x"},
		{"a package that panics outside its tests fails", events("start a", "output a - panic", "fail a"), 0, 1, 0, "FAILED: go a\n    panic"},
		{"a package that never ends fails", events("start a", "pass a TestX"), 1, 1, 0, "never ended"},
		{"a package without tests is none", events("start a", "pass a TestX", "pass a", "start b", "skip b"), 1, 0, 0, ""},
		{"a run of no test fails", events("start a", "skip a"), 0, 1, 0, "no test was run"},
		{"what is no event fails", "go: cannot find main module\n", 0, 1, 0, "cannot find main module"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r report
			if err := r.readGo(strings.NewReader(c.in)); err != nil {
				t.Fatal(err)
			}
			check(t, &r, c.passed, c.failed, c.skipped, c.says)
		})
	}
}

func check(t *testing.T, r *report, passed, failed, skipped int, says string) {
	t.Helper()
	var out bytes.Buffer
	ok := r.judge(&out, map[string]string{"go a.TestAllowed": "no such disk", "js a.test.ts > allowed": "no such browser"})
	if r.passed != passed || len(r.failed) != failed || len(r.skipped) != skipped {
		t.Errorf("passed %d failed %v skipped %v, want %d %d %d", r.passed, r.failed, r.skipped, passed, failed, skipped)
	}
	if ok != (failed == 0) {
		t.Errorf("success is %v with %d failures", ok, failed)
	}
	if !strings.Contains(out.String(), says) {
		t.Errorf("printed %q, want %q in it", out.String(), says)
	}
}

func TestVitestRunsAreJudged(t *testing.T) {
	file := func(status, message, tests string) string {
		return `{"testResults":[{"name":"ROOT/a.test.ts","status":"` + status + `","message":"` + message + `","assertionResults":[` + tests + `]}]}`
	}
	one := func(name, status string) string {
		return `{"fullName":"` + name + `","status":"` + status + `","failureMessages":["boom"]}`
	}
	for _, c := range []struct {
		name                    string
		in                      string
		passed, failed, skipped int
		says                    string
	}{
		{"a passing run passes", file("passed", "", one("x", "passed")), 1, 0, 0, ""},
		{"a failing test shows why", file("failed", "", one("x", "failed")), 0, 1, 0, "FAILED: js a.test.ts > x\n    boom"},
		{"a terminal's colours are left out", file("failed", "", strings.Replace(one("x", "failed"), "boom", `\u001b[2mboom\u001b[22m`, 1)), 0, 1, 0, "\n    boom\n"},
		{"a file that cannot be read fails", file("failed", "no module", ""), 0, 1, 0, "no module"},
		{"a skip that nobody allowed fails", file("passed", "", one("x", "pending")), 0, 1, 0, "skipped, and"},
		{"a todo is a skip", file("passed", "", one("x", "todo")), 0, 1, 0, "skipped, and"},
		{"a skip that the list names is allowed", file("passed", "", one("y", "passed")+","+one("allowed", "skipped")), 1, 0, 1, "no such browser"},
		{"a run of no test fails", `{"testResults":[]}`, 0, 1, 0, "no test was run"},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			report1 := filepath.Join(root, "report.json")
			if err := os.WriteFile(report1, []byte(strings.ReplaceAll(c.in, "ROOT", root)), 0o600); err != nil {
				t.Fatal(err)
			}
			var r report
			if err := r.readVitest(report1, root); err != nil {
				t.Fatal(err)
			}
			check(t, &r, c.passed, c.failed, c.skipped, c.says)
		})
	}
}

func TestWhatFailedMayPassTheSecondTimeAndIsTold(t *testing.T) {
	first := events("start a", "pass a TestW", "output a TestX boom", "fail a TestX", "fail a", "start b", "fail b TestY", "fail b", "start c", "pass c TestZ", "pass c")
	for _, c := range []struct {
		name           string
		in             string
		passed, failed int
		says           string
	}{
		{"all of it passed then", events("start a", "pass a TestW", "pass a TestX", "pass a", "start b", "pass b TestY", "pass b"), 4, 0, "passed only the second time: go a.TestX\n    boom"},
		{"one failed again", events("start a", "pass a TestW", "pass a TestX", "pass a", "start b", "fail b TestY", "fail b"), 3, 1, "FAILED: go b.TestY"},
		{"another of the package failed then", events("start a", "fail a TestW", "pass a TestX", "fail a", "start b", "pass b TestY", "pass b"), 3, 1, "FAILED: go a.TestX"},
		{"it was skipped then", events("start a", "pass a TestW", "skip a TestX", "pass a", "start b", "pass b TestY", "pass b"), 2, 2, "FAILED: go a.TestX"},
		{"nothing was run then", events("start a", "skip a"), 2, 2, "FAILED: go a.TestX"},
		{"it never ended then", events("start a", "pass a TestW", "pass a TestX"), 2, 2, "FAILED: go a.TestX"},
		{"it was no run", "go: no\n", 2, 2, "FAILED: go a.TestX"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r, second report
			if err := errors.Join(r.readGo(strings.NewReader(first)), second.readGo(strings.NewReader(c.in))); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(r.places(), " "); got != module+"a "+module+"b" {
				t.Errorf("to be run again: %s", got)
			}
			r.amend(&second)
			check(t, &r, c.passed, c.failed, 0, c.says)
		})
	}
}

func TestAFileThatFailedMayPassTheSecondTime(t *testing.T) {
	root := t.TempDir()
	read := func(status string) *report {
		t.Helper()
		name := filepath.Join(root, status+".json")
		text := `{"testResults":[{"name":"` + root + `/t/a.test.ts","status":"` + status + `","assertionResults":[{"fullName":"x","status":"` + status + `"}]}]}`
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := read("vitest", name, root)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for second, passed := range map[string]int{"passed": 1, "failed": 0} {
		r := read("failed")
		if got := r.places(); len(got) != 1 || got[0] != "t/a.test.ts" {
			t.Errorf("to be run again: %v", got)
		}
		r.amend(read(second))
		check(t, r, passed, 1-passed, 0, "js t/a.test.ts > x")
	}
}

func TestASkipNeedsAReason(t *testing.T) {
	for text, ok := range map[string]bool{
		"# comment\n\ngo a.TestX -- no such disk\n": true,
		"go a.TestX\n":      false,
		"go a.TestX -- \n":  false,
		"go a.TestX: why\n": false,
	} {
		name := filepath.Join(t.TempDir(), "skips.txt")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readSkips(name); (err == nil) != ok {
			t.Errorf("%q: error %v", text, err)
		}
	}
}

func TestCountsAddUpInOneFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "counts")
	for _, r := range []report{{passed: 2, skipped: []string{"x"}}, {failed: []failure{{}}}} {
		if err := r.appendCounts(name); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != "2 0 1\n0 1 0\n" {
		t.Errorf("counts are %q", got)
	}
}
