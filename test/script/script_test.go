package script

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/skein-im/skein/internal/pgtest"
	"github.com/skein-im/skein/test/cluster"
)

// binary is the server under test: the one that SKEIN_BIN names, or one that
// is built from this tree, once.
var binary string

func TestMain(m *testing.M) {
	os.Exit(cluster.WithBinary("skein-script", func(built string) int {
		binary = built
		return m.Run()
	}))
}

// engine is what a script runs on.
type engine struct {
	nodes int
	store func(t *testing.T) []string
	// few is set where a script through the second SDK would only repeat what
	// it has shown through the first: then those of acrossNodes run alone.
	few bool
}

var engines = map[string]engine{
	"sqlite":   {nodes: 1, store: func(t *testing.T) []string { return []string{"--data", t.TempDir()} }},
	"postgres": {nodes: 1, store: onPostgres},
	"cluster":  {nodes: 3, store: onPostgres, few: true},
}

func onPostgres(t *testing.T) []string { return []string{"--data", t.TempDir(), "--db", pgtest.DB(t)} }

// acrossNodes are the scripts that three nodes may break in the SDK's view: what
// is a hint only, what ends a session from afar, and nodes that go.
var acrossNodes = []string{"backend_users", "d2_over_restart", "d5_resume", "d6_kick", "d6_leave_and_return", "d6_signout", "drain", "group_roles", "multi_device",
	"presence", "server_restart", "typing", "unread"}

// sdks are what the devices of a script are made of.
var sdks = map[string]func() Opener{
	"go":         func() Opener { return OpenGo },
	"typescript": OpenNode,
}

// serverSDKs are what the app's back end is made of beside devices of each.
var serverSDKs = map[string]func(t *testing.T, endpoint, app, kid, secret string) Caller{
	"go":         OpenServerGo,
	"typescript": OpenServerNode,
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
	for engine, e := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			shared := startHost(t, e.nodes, e.store(t))
			for sdk, open := range sdks {
				for name, src := range all {
					if e.few && sdk != "go" && !slices.Contains(acrossNodes, name) {
						continue
					}
					t.Run(sdk+"/"+name, func(t *testing.T) {
						t.Parallel()
						s := &Server{Host: shared, App: strings.ReplaceAll(sdk+"-"+name, "_", "-")}
						if disturbs.MatchString(src) {
							s.Host = startHost(t, e.nodes, e.store(t))
						}
						if err := s.CreateApp(); err != nil {
							t.Fatal(err)
						}
						Run(t, src, Backend{Server: s, Open: open(), OpenServer: serverSDKs[sdk]})
					})
				}
			}
		})
	}
}

// startHost starts nodes that end with the test.
func startHost(t *testing.T, nodes int, store []string) *Host {
	t.Helper()
	h, err := NewHost(binary, nodes, store)
	if err == nil {
		err = h.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		h.End()
		if t.Failed() {
			t.Logf("the server said:\n%s", h.Log())
		}
	})
	return h
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
	for v := range backEndVerbs {
		if !bytes.Contains(doc, []byte("`backend: "+v)) {
			t.Errorf("README.md does not explain what the back end does with %s", v)
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

func TestTheScriptsThatRunAcrossNodesInBothLanguagesExist(t *testing.T) {
	all := scripts(t)
	for _, name := range acrossNodes {
		if all[name] == "" {
			t.Errorf("there is no script %s", name)
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
