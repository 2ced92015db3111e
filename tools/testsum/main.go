// Command testsum reads what a test runner reports, prints what failed and
// what was skipped, and leaves the counts for scripts/test.sh to add up.
//
//	go test -json ./... | testsum -counts FILE go
//	testsum -counts FILE vitest report.json
//
// A skipped test is a failure, unless the list of skips names it and says
// why: a suite that is green because it did not look is worse than a red one.
// So is a run of no test at all.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

func main() {
	counts := flag.String("counts", "", "append `passed failed skipped` to this file")
	skips := flag.String("skips", "test/skips.txt", "the list of tests that may be skipped")
	root := flag.String("root", ".", "the folder that file names are given from")
	flag.Parse()
	allowed, err := readSkips(*skips)
	if err != nil {
		fatal(err)
	}
	var r report
	switch flag.Arg(0) {
	case "go":
		err = r.readGo(os.Stdin)
	case "vitest":
		err = r.readVitest(flag.Arg(1), *root)
	default:
		err = fmt.Errorf("the runner is go or vitest, not %q", flag.Arg(0))
	}
	if err != nil {
		fatal(err)
	}
	ok := r.judge(os.Stdout, allowed)
	if *counts != "" {
		if err := r.appendCounts(*counts); err != nil {
			fatal(err)
		}
	}
	if !ok {
		os.Exit(1)
	}
}

func fatal(err error) {
	fmt.Fprintf(os.Stderr, "testsum: %v\n", err)
	os.Exit(2)
}

// report is the outcome of one run.
type report struct {
	passed  int
	failed  []failure
	skipped []string
}

// failure is a test, or a package or file outside its tests, that failed.
type failure struct {
	name   string
	output string
}

// judge prints failures and skips, and reports whether the run is a success.
// Skips that are not allowed are turned into failures.
func (r *report) judge(w io.Writer, allowed map[string]string) bool {
	r.skipped = slices.DeleteFunc(r.skipped, func(name string) bool {
		if reason, ok := allowed[name]; ok {
			fmt.Fprintf(w, "skipped: %s (%s)\n", name, reason)
			return false
		}
		r.failed = append(r.failed, failure{name, "skipped, and test/skips.txt does not allow it\n"})
		return true
	})
	if r.passed == 0 && len(r.failed) == 0 {
		r.failed = append(r.failed, failure{"the run", "no test was run\n"})
	}
	for _, f := range r.failed {
		fmt.Fprintf(w, "FAILED: %s\n", f.name)
		for line := range strings.Lines(f.output) {
			fmt.Fprintf(w, "    %s", line)
		}
	}
	return len(r.failed) == 0
}

func (r *report) appendCounts(name string) error {
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("record counts: %w", err)
	}
	if _, err := fmt.Fprintln(f, r.passed, len(r.failed), len(r.skipped)); err != nil {
		return fmt.Errorf("record counts: %w", err)
	}
	return f.Close()
}

// readSkips reads lines of the form "NAME -- REASON"; empty lines and lines
// that start with # are comments. Without a reason nothing is allowed.
func readSkips(name string) (map[string]string, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read the list of skips: %w", err)
	}
	allowed := map[string]string{}
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		test, reason, ok := strings.Cut(line, " -- ")
		if !ok || strings.TrimSpace(reason) == "" {
			return nil, fmt.Errorf("%s:%d: want \"NAME -- REASON\"", name, n)
		}
		allowed[strings.TrimSpace(test)] = strings.TrimSpace(reason)
	}
	return allowed, nil
}
