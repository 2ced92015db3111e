// Command testsum reads what a test runner reports, prints what failed and
// what was skipped, and leaves the counts for scripts/test.sh to add up.
//
//	testsum -counts FILE [-again AGAIN.json] go events.json
//	testsum -counts FILE [-again AGAIN.json] vitest report.json
//	testsum -failing go|vitest report.json
//
// The last form prints the packages or files that a second run is to try once
// more; -again names what that run reported. What passed only then is not red,
// and is printed every time: something in it depends on the machine's mood.
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
	again := flag.String("again", "", "the `report` of a second run of what failed")
	failing := flag.Bool("failing", false, "print what failed, and judge nothing")
	flag.Parse()
	allowed, err := readSkips(*skips)
	if err != nil {
		fatal(err)
	}
	r, err := read(flag.Arg(0), flag.Arg(1), *root)
	if err != nil {
		fatal(err)
	}
	if *failing {
		for _, place := range r.places() {
			fmt.Println(place)
		}
		return
	}
	if *again != "" {
		second, err := read(flag.Arg(0), *again, *root)
		if err != nil {
			fatal(err)
		}
		r.amend(second)
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

// read reads what a runner reported.
func read(runner, name, root string) (*report, error) {
	r := &report{}
	switch runner {
	case "go":
		f, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("read go test: %w", err)
		}
		defer f.Close()
		return r, r.readGo(f)
	case "vitest":
		return r, r.readVitest(name, root)
	}
	return nil, fmt.Errorf("the runner is go or vitest, not %q", runner)
}

// report is the outcome of one run.
type report struct {
	passed  int
	failed  []failure
	unsure  []failure // failed first, and passed the second time
	skipped []string
	fine    map[string]bool // the packages or files that passed whole
}

// failure is a test, or a package or file outside its tests, that failed.
type failure struct {
	place  string // the package or file; empty when it is not known
	name   string
	output string
}

// places are the packages or files that failed, none when one is not known.
func (r *report) places() []string {
	var all []string
	for _, f := range r.failed {
		if f.place == "" {
			return nil
		}
		all = append(all, f.place)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// amend takes the second run of what failed into account: a package or file is
// forgiven when all of it passed then, and nothing was skipped.
func (r *report) amend(second *report) {
	if len(second.skipped) > 0 {
		return
	}
	r.failed = slices.DeleteFunc(r.failed, func(f failure) bool {
		if !second.fine[f.place] {
			return false
		}
		r.unsure = append(r.unsure, f)
		r.passed++
		return true
	})
}

// judge prints failures and skips, and reports whether the run is a success.
// Skips that are not allowed are turned into failures.
func (r *report) judge(w io.Writer, allowed map[string]string) bool {
	r.skipped = slices.DeleteFunc(r.skipped, func(name string) bool {
		if reason, ok := allowed[name]; ok {
			fmt.Fprintf(w, "skipped: %s (%s)\n", name, reason)
			return false
		}
		r.failed = append(r.failed, failure{name: name, output: "skipped, and test/skips.txt does not allow it\n"})
		return true
	})
	if r.passed == 0 && len(r.failed) == 0 {
		r.failed = append(r.failed, failure{name: "the run", output: "no test was run\n"})
	}
	tell(w, "passed only the second time", r.unsure)
	tell(w, "FAILED", r.failed)
	return len(r.failed) == 0
}

func tell(w io.Writer, what string, all []failure) {
	for _, f := range all {
		fmt.Fprintf(w, "%s: %s\n", what, f.name)
		for line := range strings.Lines(f.output) {
			fmt.Fprintf(w, "    %s", line)
		}
	}
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
