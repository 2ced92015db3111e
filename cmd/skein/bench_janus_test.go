package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheBenchReportsNoJanusWhereNoneIsInstalled(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("PATH", folder)
	if j := findJanus(); j != nil {
		t.Errorf("found %+v on an empty PATH", j)
	}
	// A program without its VideoRoom is none that can be measured.
	if err := os.MkdirAll(filepath.Join(folder, "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "bin", "janus"), []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", filepath.Join(folder, "bin"))
	if j := findJanus(); j != nil && strings.HasPrefix(j.videoRoom, folder) {
		t.Errorf("found %+v without a VideoRoom", j)
	}
	b, err := json.Marshal(sfuReport{Kind: "sfu"})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(b), "janus") {
		t.Errorf("the report says %s", b)
	}
}
