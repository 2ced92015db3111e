package cluster

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// WithBinary builds the server from this tree into a folder of its own, runs a
// package's tests with it, and removes the folder; with SKEIN_BIN they run with
// the server that this names. It returns run's exit code,
// or 1 when the server can not be built. name begins the folder's, so that a
// process can be told by its path.
func WithBinary(name string, run func(binary string) int) int {
	if bin := os.Getenv("SKEIN_BIN"); bin != "" {
		os.Unsetenv("SKEIN_BIN") // servers take such names for options
		return run(bin)
	}
	dir, err := os.MkdirTemp("", name+"-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "skein")
	build := exec.Command("go", "build", "-o", binary, "github.com/skein-im/skein/cmd/skein")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build the server:", err)
		return 1
	}
	return run(binary)
}
