// Cover measures how much of the packages that the simulation runs its worlds
// reach, and fails below 60 % of the statements of any.
//
//	go run ./test/sim/cover -seeds=100
//
// The journal is run on its in-memory twin. What only an SQL engine can reach
// (the two stores, the SQL view, the check of a database) is held by
// journaltest; the journal is therefore counted without these files, and the
// figure with them is printed beside it.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const module = "github.com/skein-im/skein/"

// least is the part of each package's statements that has to be reached.
const least = 60.0

var packages = []string{"internal/journal", "internal/chat", "internal/gateway", "internal/follow", "sdk/go"}

// engines are the files of the journal that need an SQL database.
var engines = []string{"audit.go", "head.go", "mark.go", "postgres.go", "raw.go", "renew.go", "sqlite.go", "view.go"}

func main() {
	seeds := flag.Int("seeds", 100, "how many worlds to run")
	flag.Parse()
	if err := run(*seeds); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(seeds int) error {
	dir, err := os.MkdirTemp("", "skein-cover-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	profile := filepath.Join(dir, "profile")
	var list []string
	for _, p := range packages {
		list = append(list, "./"+p)
	}
	out, err := exec.Command("go", "test", "./test/sim", "-run=TestWorlds", fmt.Sprint("-seeds=", seeds),
		"-coverpkg="+strings.Join(list, ","), "-coverprofile="+profile).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	reached, all, err := read(profile)
	if err != nil {
		return err
	}
	var errs []error
	for _, p := range packages {
		part := func(skip []string) float64 {
			r, a := 0, 0
			for file, n := range all {
				if path.Dir(file) == p && !slices.Contains(skip, path.Base(file)) {
					r, a = r+reached[file], a+n
				}
			}
			return 100 * float64(r) / float64(max(a, 1))
		}
		got, note := part(nil), ""
		if p == "internal/journal" {
			note = fmt.Sprintf("  (%.1f %% with the files of the SQL engines)", got)
			got = part(engines)
		}
		fmt.Printf("%-17s %.1f %%%s\n", p, got, note)
		if got < least {
			errs = append(errs, fmt.Errorf("%s: %.1f %% of the statements are reached, %.0f %% are needed", p, got, least))
		}
	}
	return errors.Join(errs...)
}

// read counts the statements of a profile, and those that were reached.
func read(profile string) (reached, all map[string]int, err error) {
	f, err := os.Open(profile)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	reached, all = map[string]int{}, map[string]int{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		// github.com/…/file.go:12.3,14.5 STATEMENTS COUNT
		fields := strings.Fields(lines.Text())
		if len(fields) != 3 || fields[0] == "mode:" {
			continue
		}
		file, _, _ := strings.Cut(strings.TrimPrefix(fields[0], module), ":")
		n, err := strconv.Atoi(fields[1])
		if err != nil {
			return nil, nil, err
		}
		all[file] += n
		if fields[2] != "0" {
			reached[file] += n
		}
	}
	return reached, all, lines.Err()
}
