// Package internal_test holds the shape of the source tree as data and fails
// on every departure from it: who may import whom, how long a file may be,
// where a package has to say what it is for, and where the wall clock may be
// read. The rules are in this file; how a tree is read is in
// arch_load_test.go, how a rule is checked in arch_check_test.go, and
// arch_red_test.go plants a breach of each rule and expects it to be found.
//
// To add a package, give it a row in imports. To let a package import one
// more, add the name to its row: the change is then seen in review for what it
// is, a change of the architecture.
package internal_test

import (
	"os"
	"strings"
	"testing"
)

// module is the import path of the repository's Go module.
const module = "github.com/skein-im/skein"

// row is one line of the import table.
type row struct {
	// pkg is the package's path under the module. A path that ends in
	// "/..." also covers all packages below it.
	pkg string
	// may lists the packages of this module that it may import, written as
	// pkg is. "*" stands for every package, "platform" for every row that is
	// marked platform, "self" for the packages under the row's own path.
	may []string
	// never lists packages outside this module (standard or third-party) that
	// it must not import; an entry covers the packages below it.
	never []string
	// stdOnly forbids every third-party package.
	stdOnly bool
	// platform marks a package of the lower tier, which features stand on.
	platform bool
	// testing marks a package that exists for tests: only test files, other
	// such packages, and the programs under test/ may import it.
	testing bool
}

// sql is what a package without SQL stays away from.
var sql = []string{"database/sql", "github.com/jackc/pgx", "modernc.org/sqlite", "github.com/mattn/go-sqlite3", "github.com/pressly/goose"}

// drivers are the database engines; only internal/db opens them.
var drivers = []string{"github.com/jackc/pgx", "modernc.org/sqlite", "github.com/mattn/go-sqlite3", "github.com/pressly/goose"}

// imports is the import table: the path of a package is its rule. A package
// without a row is a breach, so is an import that its row does not list.
var imports = []row{
	// The platform, lowest first.
	{pkg: "internal/im", platform: true, stdOnly: true, never: sql},
	{pkg: "internal/metrics", platform: true, may: []string{"internal/im"}, never: sql},
	{pkg: "internal/turn", platform: true, stdOnly: true, never: sql},
	{pkg: "internal/trace", platform: true, may: []string{"internal/im"}, never: sql},
	{pkg: "internal/ws", platform: true, stdOnly: true, never: sql},
	{pkg: "internal/config", platform: true, may: []string{"internal/im"}, never: sql},
	{pkg: "internal/tlsserve", platform: true, may: []string{"internal/im"}, never: sql},
	{pkg: "internal/db", platform: true, may: []string{"internal/im", "internal/metrics"}},
	{pkg: "internal/bus/...", platform: true, may: []string{"internal/im", "internal/trace", "internal/metrics", "internal/bus", "self"}, never: sql},
	{pkg: "internal/blob/...", platform: true, may: []string{"internal/im", "self"}, never: sql},
	{pkg: "internal/media", platform: true, may: []string{"internal/im", "internal/metrics"}, never: sql},
	{pkg: "internal/page", platform: true, may: []string{"internal/im"}, never: sql},
	{pkg: "internal/tus", platform: true, may: []string{"internal/im"}, never: sql},
	{pkg: "internal/quota", platform: true, may: []string{"internal/im", "internal/metrics"}, never: sql},
	{pkg: "internal/health", platform: true, may: []string{"internal/im", "internal/db"}, never: drivers},
	{pkg: "internal/job", platform: true, may: []string{"internal/im", "internal/metrics", "internal/db"}, never: drivers},
	{pkg: "internal/auth", platform: true, may: []string{"internal/im", "internal/metrics", "internal/db", "proto/..."}, never: drivers},
	{pkg: "internal/journal", platform: true, may: []string{"internal/im", "internal/trace", "internal/turn", "internal/db", "internal/metrics"}},
	{pkg: "internal/follow", platform: true,
		may: []string{"internal/im", "internal/turn", "internal/metrics", "internal/db", "internal/bus", "internal/job", "internal/journal"}, never: drivers},
	{pkg: "internal/presence", platform: true, may: []string{"internal/im", "internal/turn", "internal/bus"}, never: sql},
	{pkg: "internal/chat", platform: true, never: sql,
		may: []string{"internal/im", "internal/trace", "internal/turn", "internal/bus", "internal/journal", "internal/quota", "proto/..."}},
	{pkg: "internal/live", platform: true, never: sql},
	// Who speaks to a media server knows its tokens, and nothing of its inside.
	{pkg: "internal/sfu/token", platform: true, never: sql},
	{pkg: "internal/sfu/...", may: []string{"internal/im", "internal/ws", "proto/livekit", "self"}, never: sql},
	{pkg: "internal/sfu/placement", may: []string{"internal/im", "internal/db", "internal/sfu/token"}, never: drivers},
	{pkg: "internal/gateway", platform: true, never: sql,
		may: []string{"internal/im", "internal/trace", "internal/turn", "internal/ws", "internal/bus", "internal/journal", "internal/auth", "internal/presence",
			"internal/chat", "internal/live", "internal/quota", "internal/metrics", "proto/..."}},
	{pkg: "internal/rpc", platform: true, never: sql,
		may: []string{"internal/im", "internal/trace", "internal/metrics", "internal/auth", "internal/chat", "internal/presence", "internal/quota", "proto/..."}},

	// Features: the platform, their own folder, and never one another.
	{pkg: "internal/feature/...", may: []string{"platform", "self", "proto/..."}, never: drivers},

	// Programs beside the server, which start it or read what it left.
	{pkg: "internal/fsck", may: []string{"platform", "proto/..."}, never: drivers},
	{pkg: "internal/move", may: []string{"platform", "internal/fsck"}},
	{pkg: "internal/bench", may: []string{"platform", "internal/fsck", "sdk/go", "proto/..."}, never: drivers},

	// What only tests use.
	{pkg: "internal/journal/journaltest", testing: true, may: []string{"platform", "internal/pgtest"}},
	{pkg: "internal/bus/bustest", testing: true, may: []string{"internal/im", "internal/bus"}},
	{pkg: "internal/blob/blobtest", testing: true, may: []string{"internal/im", "internal/blob"}},
	{pkg: "internal/cloudtest", testing: true, stdOnly: true},
	{pkg: "internal/feature/call/calltest", testing: true, stdOnly: true},
	{pkg: "internal/pgtest", testing: true, may: []string{"internal/im", "internal/db"}},

	// The rest of the tree.
	{pkg: "internal"},
	{pkg: "proto/...", may: []string{"self"}},
	{pkg: "sdk/go", may: []string{"internal/turn", "internal/ws", "proto/...", "self"}},
	{pkg: "sdk/go/...", may: []string{"internal/ws", "proto/...", "sdk/go", "self"}},
	{pkg: "web/...", stdOnly: true, never: sql},
	{pkg: "cmd/skein", may: []string{"*"}},
	{pkg: "test/...", may: []string{"*"}},
	{pkg: "tools/...", may: []string{"proto/..."}},
	{pkg: "deploy", may: []string{"internal/config"}},
	{pkg: "docs/...", may: []string{"sdk/go", "proto/..."}},
	// An example shows what a stranger can write, so it sees what a stranger sees.
	{pkg: "examples/...", may: []string{"sdk/go", "self"}, never: sql},
}

const (
	// maxFileLines bounds every hand-written source file.
	maxFileLines = 800
	// maxIMLines bounds the package of shared words, all its files together,
	// tests aside: what everybody imports has to stay small.
	maxIMLines = 500
)

// forbiddenNames are package names that say nothing about what is inside.
var forbiddenNames = []string{"util", "utils", "common", "base", "helper", "helpers", "manager", "managers",
	"model", "models", "types", "misc", "shared", "lib"}

// domain lists where the clock and the dice are injected, so that a simulation
// repeats exactly; clockFiles are the places in it that wrap the real ones.
var (
	domain      = []string{"internal/...", "sdk/go/..."}
	notDomain   = []string{"internal/bench", "internal/pgtest", "internal/cloudtest", "internal/blob/blobtest"}
	clockFiles  = []string{"internal/im/clock.go", "internal/im/entropy.go", "sdk/go/clock.go"}
	clockCalls  = []string{"time.Now", "time.Since", "time.Until"}
	diceImports = []string{"math/rand", "math/rand/v2"}
)

// oneSQL: the engines speak one SQL text. What tells them apart is internal/db,
// the journal's hot path and its set-up, and the programs that walk over a
// whole store, whatever is in it.
var (
	engineNames = []string{"db.SQLite", "db.Postgres"}
	tellsEngine = []string{"internal/db", "internal/feature/search", "internal/journal", "internal/journal/journaltest", "internal/move", "internal/fsck", "cmd/skein"}
)

// toolConfigs are scripts that somebody else's tool reads, in a form that the
// tool prescribes.
var toolConfigs = []string{"vite.config.ts", "vitest.config.ts"}

// checks are all the rules; the key names a rule where a breach is reported.
var checks = map[string]func(tree) []string{
	"imports":         checkImports,
	"package comment": checkComments,
	"file length":     checkLengths,
	"im length":       checkIMLength,
	"package name":    checkNames,
	"clock":           checkClock,
	"no table in db":  checkNoTables,
	"one sql":         checkOneSQL,
	"no init":         checkNoInit,
	"no sleep":        checkNoSleep,
	"web imports":     checkWebImports,
	"typescript":      checkTypeScript,
}

func TestTreeKeepsItsShape(t *testing.T) {
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	root = strings.TrimSuffix(root, "/internal")
	tr, err := load(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"internal/im", "internal/journal", "cmd/skein"} {
		if _, ok := tr.packages[want]; !ok {
			t.Errorf("%s was not found under %s: the tree was not read", want, root)
		}
	}
	for name, check := range checks {
		for _, breach := range check(tr) {
			t.Errorf("%s: %s", name, breach)
		}
	}
}
