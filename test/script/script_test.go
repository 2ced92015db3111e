package script

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/skein-im/skein/internal/pgtest"
)

// binary is the server under test: the one that SKEIN_BIN names, or one that
// is built from this tree, once.
var binary string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "skein-script-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		if binary = os.Getenv("SKEIN_BIN"); binary != "" {
			os.Unsetenv("SKEIN_BIN") // the server takes such names for options
			return m.Run()
		}
		binary = filepath.Join(dir, "skein")
		build := exec.Command("go", "build", "-o", binary, "../../cmd/skein")
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			fmt.Fprintln(os.Stderr, "build the server:", err)
			return 1
		}
		return m.Run()
	}())
}

// engines are where a server keeps its data.
var engines = map[string]func(t *testing.T) []string{
	"sqlite":   func(t *testing.T) []string { return []string{"--data", t.TempDir()} },
	"postgres": func(t *testing.T) []string { return []string{"--data", t.TempDir(), "--db", pgtest.DB(t)} },
}

// sdks are what a device is made of.
var sdks = map[string]func(t *testing.T, endpoint, app, user, device string) Driver{
	"go":         OpenGo,
	"typescript": OpenNode,
}

func scripts(t *testing.T) map[string]string {
	files, err := filepath.Glob("*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	out := map[string]string{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		out[strings.TrimSuffix(f, ".txt")] = string(b)
	}
	return out
}

// disturbs tells whether a script stops the server, and so needs its own.
var disturbs = regexp.MustCompile(`(?m)^server:`)

func TestEveryScriptHoldsOnEveryEngineThroughEverySDK(t *testing.T) {
	all := scripts(t)
	for engine, store := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			shared := startServer(t, store(t))
			for sdk, open := range sdks {
				for name, src := range all {
					t.Run(sdk+"/"+name, func(t *testing.T) {
						t.Parallel()
						var s *Server
						if disturbs.MatchString(src) {
							s = startServer(t, store(t))
						} else {
							s = &Server{Binary: binary, Store: shared.Store, addr: shared.Addr()}
						}
						s.App = strings.ReplaceAll(sdk+"-"+name, "_", "-")
						if err := s.CreateApp(); err != nil {
							t.Fatal(err)
						}
						Run(t, src, Backend{Server: s, Open: open})
					})
				}
			}
		})
	}
}

// startServer starts a server that ends with the test.
func startServer(t *testing.T, store []string) *Server {
	t.Helper()
	s := &Server{Binary: binary, Store: store}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Stop(syscall.SIGTERM)
		if t.Failed() {
			t.Logf("the server said:\n%s", s.Log())
		}
	})
	return s
}

func TestThereAreThirtyScriptsOfEightStepsAndTheyCoverThePromises(t *testing.T) {
	long, promises := 0, map[string]bool{}
	for name, src := range scripts(t) {
		about, lines, err := parse(src)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		n := 0
		for _, l := range lines {
			n += len(l.steps)
		}
		if n >= 8 {
			long++
		} else {
			t.Errorf("%s has %d steps", name, n)
		}
		for _, p := range []string{"D2", "D3", "D4", "D5", "D6"} {
			if strings.HasPrefix(about, p+":") {
				promises[p] = true
			}
		}
	}
	if long < 30 || len(promises) != 5 {
		t.Errorf("%d scripts of 8 steps or more, promises %v", long, promises)
	}
}

func TestTheReadmeExplainsEveryVerbAndExpectation(t *testing.T) {
	doc, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for v := range verbs {
		if !bytes.Contains(doc, []byte("`"+v)) {
			t.Errorf("README.md does not explain the verb %s", v)
		}
	}
	for v := range netVerbs {
		if !bytes.Contains(doc, []byte("`"+v+"`")) {
			t.Errorf("README.md does not explain %s", v)
		}
	}
	for e := range expectations {
		if !bytes.Contains(doc, []byte("`expect "+e)) {
			t.Errorf("README.md does not explain expect %s", e)
		}
	}
}

func TestAMalformedScriptIsRefused(t *testing.T) {
	for name, src := range map[string]string{
		"no comment": "ann: connect", "no actor": "# x\nconnect", "an open quote": "# x\nann: send bob \"hi", "an empty step": "# x\nann: connect;;",
	} {
		if _, _, err := parse(src); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
