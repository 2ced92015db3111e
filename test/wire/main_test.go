// Package wire_test speaks to the server as a stranger does: the real binary,
// built and started, over raw sockets and raw HTTP, with tokens that a back
// end would sign. It holds the server to docs/protocol.md (every kind of bad
// input gets its documented answer and changes nothing) and to
// docs/guarantees.md (the promises, each by a test that docs/guarantees.md
// names), and it runs what docs/protocol.md shows.
//
// Most tests share one server and run at the same time, each with users of its
// own. What kills a server, fills a disk or needs other options starts one for
// itself. SKEIN_BIN names a binary to test instead of one built from this tree.
package wire_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// shared is the server that most tests speak to: dev mode, SQLite, defaults.
var shared *server

// bin is the binary under test.
var bin string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "skein-wire")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if bin = os.Getenv("SKEIN_BIN"); bin == "" {
		bin = filepath.Join(dir, "skein")
		build := exec.Command("go", "build", "-o", bin, "github.com/skein-im/skein/cmd/skein")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build the server: %v\n%s", err, out)
			return 1
		}
	}
	data := filepath.Join(dir, "shared")
	apps, err := makeApps(data, "wire", "other")
	if err == nil {
		shared, err = launch(data, apps, "--dev")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	// Many of the tests mostly wait.
	flag.Parse()
	flag.Set("test.parallel", "16")
	status := m.Run()
	if err := shared.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "the shared server:", err)
		status = 1
	}
	// Whatever the tests threw at it, nothing of it was a surprise.
	for line := range strings.Lines(shared.logs.String()) {
		if strings.Contains(line, "level=ERROR") || strings.Contains(line, "panic") {
			fmt.Fprint(os.Stderr, "the shared server logged: ", line)
			status = 1
		}
	}
	return status
}
