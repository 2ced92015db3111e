// Package deploy_test holds what operators copy, units of systemd, the
// Dockerfile and the pages about them, to the server that they start: options
// exist, times fit together, what is copied is there. What it can not do is
// build an image or boot a system; docs/ops says so.
package deploy_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skein-im/skein/internal/config"
)

// unit is a unit's settings: "Service.ExecStart" → its values, in order.
type unit map[string][]string

func readUnit(t *testing.T, name string) unit {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("systemd", name))
	if err != nil {
		t.Fatal(err)
	}
	u, section := unit{}, ""
	for i, line := range strings.Split(string(b), "\n") {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '[':
			section = strings.Trim(line, "[]")
		default:
			key, value, ok := strings.Cut(line, "=")
			if !ok || section == "" {
				t.Fatalf("%s:%d: %s", name, i+1, line)
			}
			u[section+"."+key] = append(u[section+"."+key], value)
		}
	}
	return u
}

var units = []string{"skein.service", "skein@.service"}

func TestTheTwoUnitsDifferInWhoseNodeItIsAlone(t *testing.T) {
	one, many := readUnit(t, "skein.service"), readUnit(t, "skein@.service")
	for key, values := range many {
		for i, v := range values {
			v = strings.ReplaceAll(v, "/%i.yaml", "/skein.yaml")
			v = strings.ReplaceAll(v, "/%i", "")
			values[i] = strings.ReplaceAll(v, " (node %i)", "")
		}
		if !slices.Equal(values, one[key]) {
			t.Errorf("%s is %q and %q", key, one[key], values)
		}
	}
	if len(one) != len(many) {
		t.Errorf("%d settings and %d", len(one), len(many))
	}
}

func TestAUnitGivesTheServerTheTimeThatItsDrainTakes(t *testing.T) {
	for _, name := range units {
		seconds, err := time.ParseDuration(readUnit(t, name)["Service.TimeoutStopSec"][0] + "s")
		if err != nil || seconds < config.Default().Drain.Timeout+10*time.Second {
			t.Errorf("%s: it is killed after %v, %v; the drain may take %v", name, seconds, err, config.Default().Drain.Timeout)
		}
	}
}

func TestAUnitStartsTheServerWithOptionsThatItKnows(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "skein.yaml"), []byte("log: {format: json}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range units {
		u := readUnit(t, name)
		for key, verb := range map[string]string{"Service.ExecStartPre": "check", "Service.ExecStart": "serve"} {
			words := strings.Fields(strings.ReplaceAll(u[key][0], "${CREDENTIALS_DIRECTORY}", dir))
			if words[0] != "/usr/local/bin/skein" || words[1] != verb {
				t.Fatalf("%s: %s is %q", name, key, words)
			}
			c, _, err := config.Load(config.Source{Args: words[2:], Environ: u["Service.Environment"]})
			if err != nil || c.Log.Format != "json" || !strings.HasPrefix(c.Data, "/var/lib/skein") {
				t.Errorf("%s: %s: %+v, %v", name, key, c, err)
			}
		}
	}
}

func TestSystemdAcceptsTheUnitsAndFindsThemConfined(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Log("systemd-analyze is not installed: the units were parsed by this package alone")
		return
	}
	dir := t.TempDir()
	for _, name := range units {
		b, err := os.ReadFile(filepath.Join("systemd", name))
		if err != nil {
			t.Fatal(err)
		}
		// It looks for the program, which is not installed here.
		text := strings.ReplaceAll(string(b), "/usr/local/bin/skein", "/bin/true")
		file := filepath.Join(dir, strings.Replace(name, "@.", "@1.", 1))
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("systemd-analyze", "verify", file).CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
		// 2.0 of 10; what is left is the network, and the port 443.
		if out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--threshold=20", file).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// instruction is one line of the Dockerfile, continued lines joined.
type instruction struct {
	verb string
	args []string
	line int
}

func readDockerfile(t *testing.T) (all []instruction) {
	t.Helper()
	b, err := os.ReadFile("../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	joined, from := "", 0
	for i, line := range strings.Split(string(b), "\n") {
		if joined == "" {
			from = i + 1
			if strings.HasPrefix(line, "#") || strings.TrimSpace(line) == "" {
				continue
			}
		}
		if rest, ok := strings.CutSuffix(line, "\\"); ok {
			joined += rest
			continue
		}
		words := strings.Fields(joined + line)
		all = append(all, instruction{words[0], words[1:], from})
		joined = ""
	}
	return all
}

// ignored is a small part of the language of .dockerignore: what ours uses.
func ignored(t *testing.T, path string) bool {
	b, err := os.ReadFile("../.dockerignore")
	if err != nil {
		t.Fatal(err)
	}
	hit := false
	for _, p := range strings.Fields(strings.Join(slices.DeleteFunc(strings.Split(string(b), "\n"), func(l string) bool { return strings.HasPrefix(l, "#") }), "\n")) {
		p, keep := strings.CutPrefix(p, "!")
		name, deep := strings.CutPrefix(p, "**/")
		for at := path; at != "."; at = filepath.Dir(at) {
			try := at
			if deep {
				try = filepath.Base(at)
			}
			if ok, _ := filepath.Match(name, try); ok {
				hit = !keep
				break
			}
		}
	}
	return hit
}

func TestTheDockerfileCopiesWhatIsThereAndEndsWithAServerThatIsNotRoot(t *testing.T) {
	stages, last := []string{}, map[string][]string{}
	for _, in := range readDockerfile(t) {
		switch in.verb {
		case "FROM":
			clear(last)
			if n := len(in.args); n > 2 && in.args[n-2] == "AS" {
				stages = append(stages, in.args[n-1])
			}
		case "COPY":
			var flags []string
			for strings.HasPrefix(in.args[0], "--") {
				flags, in.args = append(flags, in.args[0]), in.args[1:]
			}
			if i := slices.IndexFunc(flags, func(f string) bool { return strings.HasPrefix(f, "--from=") }); i >= 0 {
				if from := strings.TrimPrefix(flags[i], "--from="); !slices.Contains(stages, from) {
					t.Errorf("line %d: there is no stage %s before it", in.line, from)
				}
				break
			}
			for _, source := range in.args[:len(in.args)-1] {
				if _, err := os.Stat(filepath.Join("..", source)); err != nil || ignored(t, source) {
					t.Errorf("line %d: %s is not in what is sent to the build (%v)", in.line, source, err)
				}
			}
		}
		last[in.verb] = in.args
	}
	if !slices.Equal(stages, []string{"web", "build"}) {
		t.Errorf("stages %v", stages)
	}
	if u := last["USER"]; len(u) != 1 || u[0] != "65532:65532" {
		t.Errorf("it runs as %v", u)
	}
	if last["FROM"][0] != "scratch" || !slices.Equal(last["ENTRYPOINT"], []string{`["/skein"]`}) || !slices.Equal(last["CMD"], []string{`["serve"]`}) {
		t.Errorf("it starts %v %v on %v", last["ENTRYPOINT"], last["CMD"], last["FROM"])
	}
	if h := strings.Join(last["HEALTHCHECK"], " "); !strings.HasSuffix(h, `CMD ["/skein", "health"]`) {
		t.Errorf("its health is %s", h)
	}
	if _, _, err := config.Read(config.Source{Environ: last["ENV"]}); err != nil {
		t.Error(err)
	}
}

func TestTheDockerfileBuildsAsTheMakefileDoesWithTheToolsThatTheTreeAsksFor(t *testing.T) {
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	docker, gomod := read("Dockerfile"), read("go.mod")
	var version string
	for _, line := range strings.Split(gomod, "\n") {
		if v, ok := strings.CutPrefix(line, "go "); ok {
			version = strings.Join(strings.Split(v, ".")[:2], ".")
		}
	}
	if want := fmt.Sprintf("golang:%s-", version); !strings.Contains(docker, want) {
		t.Errorf("it is not built with %s", want)
	}
	if !strings.Contains(docker, "CGO_ENABLED=0") {
		t.Error("it needs a C library that the last stage does not have")
	}
	for _, flags := range []string{"-trimpath -buildvcs=false -ldflags", "-s -w -buildid="} {
		if !strings.Contains(docker, flags) || !strings.Contains(read("Makefile"), flags) {
			t.Errorf("Dockerfile and Makefile do not agree on %s", flags)
		}
	}
	// npm ci fails when the package of a workspace is missing.
	for _, dir := range []string{"sdk/js/client", "sdk/js/server", "web/chat", "test/e2e", "test/files"} {
		if !strings.Contains(docker, "COPY "+dir+"/package.json "+dir+"/") || !strings.Contains(read("package.json"), `"`+dir+`"`) {
			t.Errorf("the workspace %s is not in both", dir)
		}
	}
	// Each folder of Go code that the server is made of is copied.
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if .Module}}{{if .Module.Main}}{{.ImportPath}}{{end}}{{end}}", "../cmd/skein").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, pkg := range strings.Fields(string(out)) {
		dir := strings.TrimPrefix(pkg, "github.com/skein-im/skein/")
		if !slices.ContainsFunc([]string{"cmd", "internal", "proto", "sdk/go", "web"}, func(d string) bool { return dir == d || strings.HasPrefix(dir, d+"/") }) ||
			ignored(t, dir) {
			t.Errorf("the package %s is not sent to the build", dir)
		}
	}
}
