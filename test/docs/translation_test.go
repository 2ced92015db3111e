package docs_test

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// original is the English page of a Chinese one.
func original(chinese string) string {
	return strings.Replace(strings.Replace(chinese, "docs/guide/zh-CN/", "docs/guide/", 1), ".zh-CN.md", ".md", 1)
}

// A translation has its original's code, so that running the one runs both,
// and its shape, so that nothing is missing.
func TestEveryChinesePageSaysWhatTheEnglishOneDoes(t *testing.T) {
	english, chinese := readPages(t)
	translated := map[string]*page{}
	for _, p := range chinese {
		translated[original(p.path)] = p
	}
	for _, p := range english {
		if p.path != "README.md" && !strings.HasPrefix(p.path, "docs/guide/") {
			continue
		}
		zh := translated[p.path]
		if zh == nil {
			t.Errorf("%s has no Chinese page", p.path)
			continue
		}
		delete(translated, p.path)
		compareBlocks(t, p, zh)
		for what, count := range map[string]*regexp.Regexp{"headings": regexp.MustCompile(`(?m)^#+ `), "table rows": regexp.MustCompile(`(?m)^\|`),
			"links": regexp.MustCompile(`\]\(`), "list items": regexp.MustCompile(`(?m)^(- |\d+\. )`)} {
			prose := regexp.MustCompile("(?ms)^```.*?^```$")
			if a, b := len(count.FindAllString(prose.ReplaceAllString(p.text, ""), -1)), len(count.FindAllString(prose.ReplaceAllString(zh.text, ""), -1)); a != b {
				t.Errorf("%s has %d %s, %s has %d", p.path, a, what, zh.path, b)
			}
		}
	}
	for _, p := range translated {
		t.Errorf("%s has no English page", p.path)
	}
}

func compareBlocks(t *testing.T, p, zh *page) {
	shown := slices.DeleteFunc(slices.Clone(p.blocks), func(b *block) bool { return b.hidden })
	if len(shown) != len(zh.blocks) {
		t.Errorf("%s has %d code blocks, %s has %d", p.path, len(shown), zh.path, len(zh.blocks))
		return
	}
	for i, a := range shown {
		b := zh.blocks[i]
		if a.lang != b.lang || a.marker != b.marker || a.file != b.file || a.lang != "text" && a.bare() != b.bare() {
			t.Errorf("%s:%d differs from %s:%d; comments may, code may not:\n%s\n---\n%s", p.path, a.line, zh.path, b.line, a.bare(), b.bare())
		}
		if (a.output == nil) != (b.output == nil) || a.output != nil && a.output.code != b.output.code {
			t.Errorf("%s:%d and %s:%d do not show the same output", p.path, a.line, zh.path, b.line)
		}
	}
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
)

// Links within the repository lead somewhere, to the heading too.
func TestNoLinkIsDead(t *testing.T) {
	found := 0
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && (name == "node_modules" || name == "dist" || name == "test-output" || name == "data" || strings.HasPrefix(name, ".") && file != root) {
			return fs.SkipDir
		}
		if !strings.HasSuffix(name, ".md") {
			return nil
		}
		b, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		text := regexp.MustCompile("(?ms)^```.*?^```$").ReplaceAllString(string(b), "")
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			found++
			to := file
			if target != "" {
				to = filepath.Join(filepath.Dir(file), filepath.FromSlash(target))
			}
			if !leadsTo(to, anchor) {
				rel, _ := filepath.Rel(root, file)
				t.Errorf("%s: the link to %s leads nowhere", filepath.ToSlash(rel), m[1])
			}
		}
		return nil
	})
	if err != nil || found < 50 {
		t.Errorf("%d links were found, %v", found, err)
	}
}

// leadsTo tells whether a file or folder is there, and has a heading.
func leadsTo(file, anchor string) bool {
	if _, err := os.Stat(file); err != nil {
		return false
	}
	if anchor == "" || path.Ext(file) != ".md" {
		return true
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return false
	}
	for _, m := range heading.FindAllStringSubmatch(string(b), -1) {
		if slugOf(m[1]) == anchor {
			return true
		}
	}
	return false
}

// slugOf is the anchor that a forge gives a heading.
func slugOf(title string) string {
	title = regexp.MustCompile("[`*]|\\[|\\]\\([^)]*\\)").ReplaceAllString(strings.ToLower(title), "")
	title = regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(title, "")
	return strings.ReplaceAll(title, " ", "-")
}
