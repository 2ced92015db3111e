package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Hunting them takes minutes; whoever rewrites such a line learns here that
// the bug goes with it.
func TestEveryBugHasItsPlace(t *testing.T) {
	for _, p := range plants {
		src, err := os.ReadFile(filepath.Join("../../..", p.file))
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(src), p.old); n != 1 {
			t.Errorf("%s: %s has its text %d times, not once", p.says, p.file, n)
		}
	}
}
