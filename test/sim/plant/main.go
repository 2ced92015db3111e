// Plant shows that the simulation finds bugs: it plants one in each of the
// packages that the simulation runs, by an overlay of the compiler, so that
// the tree stays as it is; runs seeds until one breaks a promise; and runs
// that seed ten times more, which has to give the same trace each time. It
// fails when a bug is not found within -seeds, or a seed does not repeat.
//
//	go run ./test/sim/plant
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// plant is a bug: a text that occurs once in a file, and what takes its place.
type plant struct{ pkg, says, file, old, new string }

var plants = []plant{
	{"internal/journal", "the retry of a commit whose answer was lost leaves a hole in the positions of the shard",
		"internal/journal/plan.go",
		"\t\tit.dup, it.acl = true, it.c.acl\n", "\t\tit.dup, it.acl = true, it.c.acl\n\t\tp.newHead++\n"},
	{"internal/chat", "a send is decided on the members that are remembered, and nobody checks them at the append",
		"internal/chat/pipe.go", "ClientID: r.ClientID, ACLVersion: room.Version, Deny:", "ClientID: r.ClientID, ACLVersion: -1, Deny:"},
	{"internal/gateway", "a sign-out passes over a session to which nothing new was written since its last cursor",
		"internal/gateway/machine.go", "\tcase evFenced:\n", "\tcase evFenced:\n\t\tif m.phase == phaseLive && !m.dirty {\n\t\t\treturn out\n\t\t}\n"},
	{"internal/follow", "a cursor moves also for a node that has lost its lease",
		"internal/follow/task.go", "AND shard = $3 AND epoch = $4 AND pos < $1\"", "AND shard = $3 AND epoch >= $4-$4 AND pos < $1\""},
	{"sdk/go", "an entry that comes right before its predecessor is dropped as one that was passed",
		"sdk/go/reduce.go", "\tcase seq > c.live+1:\n\t\tr.hold(c, seq, early{entry: e})", "\tcase seq > c.live+2:\n\t\tr.hold(c, seq, early{entry: e})"},
}

func main() {
	seeds := flag.Int("seeds", 1000, "within how many seeds a bug has to be found")
	only := flag.String("only", "", "plant in this package alone")
	flag.Parse()
	dir, err := os.MkdirTemp("", "skein-plant-")
	if err == nil {
		err = run(dir, *seeds, *only)
		err = errors.Join(err, os.RemoveAll(dir))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(dir string, seeds int, only string) error {
	var errs []error
	for _, p := range plants {
		if only == "" || p.pkg == only {
			if err := p.hunt(dir, seeds); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", p.pkg, err))
			}
		}
	}
	return errors.Join(errs...)
}

var (
	found = regexp.MustCompile(`found by seed (\d+), among (\d+) seeds: (\S+)`)
	trace = regexp.MustCompile(`seed \d+: trace ([0-9a-f]{16})`)
)

// hunt builds the simulation with the bug and lets it look for it.
func (p plant) hunt(dir string, seeds int) error {
	binary, err := p.build(dir)
	if err != nil {
		return err
	}
	began := time.Now()
	out, err := exec.Command(binary, "-test.run=TestWorlds", "-test.v", fmt.Sprint("-seeds=", seeds), "-until").CombinedOutput()
	m := found.FindSubmatch(out)
	if err == nil || m == nil {
		return fmt.Errorf("%s: not found within %d seeds (%v)", p.says, seeds, err)
	}
	took := time.Since(began).Round(time.Second)
	traces := map[string]int{}
	for range 10 {
		out, err := exec.Command(binary, "-test.run=TestWorlds", "-test.v", "-seed="+string(m[1])).CombinedOutput()
		t := trace.FindSubmatch(out)
		if err == nil || t == nil {
			return fmt.Errorf("seed %s does not fail again", m[1])
		}
		traces[string(t[1])]++
	}
	if len(traces) != 1 {
		return fmt.Errorf("seed %s has different traces: %v", m[1], traces)
	}
	for t := range traces {
		fmt.Printf("%-17s %s\n%-17s   found by seed %s (%s) after %s seeds, %s; 10 of 10 repetitions have trace %s\n", p.pkg, p.says, "", m[1], m[3], m[2], took, t)
	}
	return nil
}

// build compiles the simulation over a copy of the file with the bug.
func (p plant) build(dir string) (string, error) {
	path, err := filepath.Abs(p.file)
	if err != nil {
		return "", err
	}
	src, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	if n := strings.Count(string(src), p.old); n != 1 {
		return "", fmt.Errorf("the text to be changed occurs %d times in %s", n, p.file)
	}
	name := filepath.Join(dir, strings.ReplaceAll(p.pkg, "/", "_"))
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {path: name + ".go"}})
	if err != nil {
		return "", err
	}
	err = errors.Join(os.WriteFile(name+".go", []byte(strings.Replace(string(src), p.old, p.new, 1)), 0o600), os.WriteFile(name+".json", overlay, 0o600))
	if err != nil {
		return "", err
	}
	out, err := exec.Command("go", "test", "-c", "-overlay", name+".json", "-o", name+".test", "./test/sim").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return name + ".test", nil
}
