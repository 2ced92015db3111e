package docs_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// patterns say where the pages are whose blocks are run; a page in Chinese is
// held to its original instead. The npm package's README is compiled by a test
// of the package.
var patterns = []string{"README*.md", "docs/guide/*.md", "docs/guide/zh-CN/*.md", "sdk/go/README.md", "examples/*/README*.md"}

func readPages(t *testing.T) (english, chinese []*page) {
	t.Helper()
	for _, pattern := range patterns {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			path, err := filepath.Rel(root, file)
			if err != nil {
				t.Fatal(err)
			}
			p, err := readPage(root, filepath.ToSlash(path))
			if err != nil {
				t.Error(err)
				continue
			}
			if strings.Contains(path, "zh-CN") {
				chinese = append(chinese, p)
			} else {
				english = append(english, p)
			}
		}
	}
	if len(english) < 15 {
		t.Errorf("only %d pages were found", len(english))
	}
	return english, chinese
}

// forShell tells whether a block is one that a reader follows in a terminal or
// an editor.
func forShell(b *block) bool {
	return b.marker != "" && (b.marker != "run" || b.lang == "sh" || b.lang == "js")
}

func TestEverySnippetDoesWhatThePageSays(t *testing.T) {
	english, _ := readPages(t)
	pr := newPrograms(english)
	for _, p := range english {
		t.Run(p.path, func(t *testing.T) {
			t.Parallel()
			if slices.ContainsFunc(p.blocks, forShell) {
				t.Run("shell", func(t *testing.T) {
					t.Parallel()
					follow(t, p, pr)
				})
			}
			if p.has("ts") {
				t.Run("TypeScript", func(t *testing.T) {
					t.Parallel()
					pr.runTS(t, p)
				})
			}
			if p.has("go") {
				t.Run("Go", func(t *testing.T) {
					t.Parallel()
					pr.runGo(t, p)
				})
			}
			p.vet(t)
		})
	}
}

// An example is small enough to be read at once, and says how it is run.
func TestExamplesAreSmallAndSayHowTheyRun(t *testing.T) {
	folders, err := filepath.Glob(filepath.Join(root, "examples", "*", "README.md"))
	if err != nil || len(folders) < 3 {
		t.Fatalf("%d examples, %v", len(folders), err)
	}
	for _, readme := range folders {
		name := filepath.Base(filepath.Dir(readme))
		files, err := filepath.Glob(filepath.Join(filepath.Dir(readme), "*"))
		if err != nil {
			t.Fatal(err)
		}
		lines := 0
		for _, file := range files {
			if strings.HasSuffix(file, ".md") {
				continue
			}
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			lines += strings.Count(string(b), "\n")
		}
		if lines == 0 || lines > 150 {
			t.Errorf("%s has %d lines of source; 150 are enough", name, lines)
		}
		p, err := readPage(root, "examples/"+name+"/README.md")
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(p.blocks, func(b *block) bool { return b.marker == "serve" && len(b.checks) > 0 }) {
			t.Errorf("nothing in its README starts %s and looks at what it does", name)
		}
	}
}
