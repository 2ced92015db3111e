package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/skein-im/skein/internal/config"
)

// pages are those for operators.
func pages(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, pattern := range []string{"../docs/ops/*.md", "../docs/ops/zh-CN/*.md"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			out[f] = string(b)
		}
	}
	if len(out) < 7 {
		t.Fatalf("%d pages", len(out))
	}
	return out
}

var (
	link  = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	block = regexp.MustCompile("(?ms)^ *```(\\S*)( \\S+)?\n(.*?)^ *```$")
	title = regexp.MustCompile(`(?m)^#+ (.+)$`)
)

// anchor is how a heading is linked to.
func anchor(heading string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(heading) {
		switch {
		case r == ' ':
			b.WriteByte('-')
		case r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r > 0x2e80:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func TestTheLinksOfTheOperatorsPagesLeadSomewhere(t *testing.T) {
	for page, text := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			target, part, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			file := page
			if target != "" {
				file = filepath.Join(filepath.Dir(page), target)
			}
			info, err := os.Stat(file)
			if err != nil {
				t.Errorf("%s leads to %s, which is not there", page, m[1])
				continue
			}
			if part == "" || info.IsDir() {
				continue
			}
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			found := false
			for _, h := range title.FindAllStringSubmatch(string(b), -1) {
				found = found || anchor(h[1]) == part
			}
			if !found {
				t.Errorf("%s leads to %s, which has no such heading", page, m[1])
			}
		}
	}
}

func TestTheShellOfTheOperatorsPagesIsShellAndTheirOptionsAreOptions(t *testing.T) {
	options := 0
	for page, text := range pages(t) {
		for _, m := range block.FindAllStringSubmatch(text, -1) {
			switch m[1] + m[2] {
			case "sh":
				c := exec.Command("bash", "-n")
				c.Stdin = strings.NewReader(m[3])
				if out, err := c.CombinedOutput(); err != nil {
					t.Errorf("%s: %v: %s\n%s", page, err, out, m[3])
				}
			case "yaml config":
				options++
				file := filepath.Join(t.TempDir(), "skein.yaml")
				if err := os.WriteFile(file, []byte(m[3]), 0o600); err != nil {
					t.Fatal(err)
				}
				if _, _, err := config.Load(config.Source{Args: []string{"--config", file}}); err != nil {
					t.Errorf("%s: %v\n%s", page, err, m[3])
				}
			}
		}
	}
	if options == 0 {
		t.Error("no page shows a file of options")
	}
}

// asked finds the server's own flags and variables on a page.
var asked = regexp.MustCompile(`SKEIN_[A-Z_]+`)

func TestTheVariablesOnTheOperatorsPagesExist(t *testing.T) {
	reference, err := os.ReadFile("../docs/reference/config.md")
	if err != nil {
		t.Fatal(err)
	}
	// The command sfu has secrets of its own, and no file of options.
	var sfu strings.Builder
	for _, name := range []string{"sfu.go", "sfu_net.go"} {
		code, err := os.ReadFile("../cmd/skein/" + name)
		if err != nil {
			t.Fatal(err)
		}
		sfu.Write(code)
	}
	// The first names the file of options, the others are of tests.
	others := []string{"SKEIN_CONFIG", "SKEIN_CHAOS_LONG", "SKEIN_CALLS_LONG"}
	for page, text := range pages(t) {
		for _, name := range asked.FindAllString(text, -1) {
			known := slices.Contains(others, name) || strings.Contains(string(reference), "`"+name+"`") || strings.Contains(sfu.String(), `Getenv("`+name+`")`)
			if !known {
				t.Errorf("%s names %s, which is no option", page, name)
			}
		}
	}
}
