package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Planting them takes minutes, and so is seldom done; whoever rewrites such a
// line learns here that the plant goes with it.
func TestEveryPlantHasItsPlaceAndEveryTestThatShouldFindItIsThere(t *testing.T) {
	for _, p := range plants {
		for _, e := range p.edits {
			if _, err := e.read("../.."); err != nil {
				t.Errorf("%s: %v", p.name, err)
			}
		}
		for _, s := range p.scripts {
			if _, err := os.Stat(filepath.Join("../script", s+".txt")); err != nil {
				t.Errorf("%s: %v", p.name, err)
			}
		}
		for _, test := range p.tests {
			if !declared(t, filepath.Join("../..", test.pkg), test.name) {
				t.Errorf("%s: %s has no %s", p.name, test.pkg, test.name)
			}
		}
	}
}

// declared tells whether a folder's tests have one of a name.
func declared(t *testing.T, dir, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), "\nfunc "+name+"(t *testing.T) {\n") {
			return true
		}
	}
	return false
}
