package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/skein-im/skein/internal/auth"
	"github.com/skein-im/skein/internal/config"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/pgtest"
)

// runCommand runs a subcommand and returns what it wrote to standard output.
func runCommand(t *testing.T, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var out, people bytes.Buffer
	err := run(ctx, args, &out, &people)
	t.Logf("skein %s\n%s%v", strings.Join(args, " "), &people, err)
	return out.String(), err
}

func mustCommand(t *testing.T, args ...string) string {
	t.Helper()
	out, err := runCommand(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// field returns a value that the command has printed as "name: value".
func field(t *testing.T, out, name string) string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^` + name + `:\s+(\S+)$`).FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("no %s in:\n%s", name, out)
	}
	return m[1]
}

// onEachStore runs a test on a data folder, and on a PostgreSQL database with
// the key in a data folder.
func onEachStore(t *testing.T, test func(t *testing.T, where ...string)) {
	t.Run("SQLite", func(t *testing.T) { test(t, "--data", filepath.Join(t.TempDir(), "data")) })
	t.Run("PostgreSQL", func(t *testing.T) {
		test(t, "--data", filepath.Join(t.TempDir(), "data"), "--db", pgtest.DB(t))
	})
}

// node runs a node on the same store, as a server does.
func node(t *testing.T, where []string) *auth.Auth {
	t.Helper()
	cfg, _, err := config.Read(config.Source{Args: where})
	if err != nil {
		t.Fatal(err)
	}
	a, done, err := openAuth(t.Context(), cfg, true, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx, nil) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		done()
	})
	if err := a.WaitValid(t.Context()); err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAnAppIsMadeListedAndRotatedBesideARunningServer(t *testing.T) {
	onEachStore(t, func(t *testing.T, where ...string) {
		do := func(args ...string) string { return mustCommand(t, append(args, where...)...) }
		out := do("app", "create", "shop")
		secret := field(t, out, "secret")
		a := node(t, where)

		token := do("token", "--app", "shop", "--user", "ann")
		if strings.Count(token, "\n") != 1 || strings.TrimSpace(token) == "" {
			t.Fatalf("the token does not stand alone on a line: %q", token)
		}
		s, err := a.AuthenticateCall(t.Context(), "shop", strings.TrimSpace(token), "")
		if err != nil || s.Actor.User != "ann" {
			t.Errorf("the server answers %+v, %v", s, err)
		}
		back := do("token", "--app", "shop", "--server")
		if s, err := a.AuthenticateCall(t.Context(), "shop", strings.TrimSpace(back), ""); err != nil || !s.Actor.Server {
			t.Errorf("the back end's token: %+v, %v", s, err)
		}

		// What create printed is what a JWT library needs.
		now := time.Now()
		j := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"iss": "shop", "sub": "bob", "aud": "skein", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()})
		j.Header["kid"] = field(t, out, "kid")
		own, err := j.SignedString([]byte(secret))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.AuthenticateCall(t.Context(), "shop", own, ""); err != nil {
			t.Errorf("a token signed with the printed secret: %v", err)
		}

		do("app", "create", "The other shop")
		list := do("app", "list")
		if !strings.Contains(list, "shop") || !strings.Contains(list, "The other shop") || strings.Contains(list, secret) {
			t.Errorf("the list is\n%s", list)
		}
		if again := do("app", "rotate", "shop"); field(t, again, "secret") == secret || field(t, again, "kid") == field(t, out, "kid") {
			t.Error("rotate printed the old secret")
		}
		if _, err := a.AuthenticateCall(t.Context(), "shop", own, ""); err != nil {
			t.Errorf("the secret before the rotation: %v", err)
		}
		do("app", "rotate", "--retire-old", "shop")
		if _, err := a.AuthenticateCall(t.Context(), "shop", own, ""); im.CodeOf(err) != im.Unauthenticated {
			t.Errorf("a retired secret's token: %v", err)
		}
		do("app", "suspend", "shop")
		fresh := strings.TrimSpace(do("token", "--app", "shop", "--user", "ann"))
		if _, err := a.AuthenticateCall(t.Context(), "shop", fresh, ""); im.CodeOf(err) != im.PermissionDenied {
			t.Errorf("a suspended app's token: %v", err)
		}
		do("app", "resume", "shop")
		if _, err := a.AuthenticateCall(t.Context(), "shop", fresh, ""); err != nil {
			t.Errorf("after it was resumed: %v", err)
		}
	})
}

func TestAnAppIsMadeWithTheOriginsOfItsPages(t *testing.T) {
	onEachStore(t, func(t *testing.T, where ...string) {
		a := node(t, where)
		mustCommand(t, append([]string{"app", "create", "shop", "--allowed-origins", "https://shop.example, http://127.0.0.1:3000"}, where...)...)
		for origin, want := range map[string]bool{"https://shop.example": true, "http://127.0.0.1:3000": true, "https://evil.example": false} {
			if got, err := a.AllowsOrigin(t.Context(), "shop", origin); got != want || err != nil {
				t.Errorf("%s: %v, %v", origin, got, err)
			}
		}
	})
}

func TestAnAppCanHaveAKeyPair(t *testing.T) {
	where := []string{"--data", t.TempDir()}
	out := mustCommand(t, append([]string{"app", "create", "shop", "--alg", "EdDSA"}, where...)...)
	if !strings.Contains(out, "-----BEGIN PRIVATE KEY-----") || field(t, out, "alg") != "EdDSA" {
		t.Errorf("got\n%s", out)
	}
}

func TestTokenWorksForTheDemoAppOnceDevModeRan(t *testing.T) {
	dir := t.TempDir()
	where := []string{"--data", dir}
	a := node(t, where)
	_, err := runCommand(t, append([]string{"token", "--app", "demo", "--user", "alice"}, where...)...)
	if err == nil || !strings.Contains(err.Error(), "skein serve --dev") {
		t.Errorf("before: %v", err)
	}
	if err := a.EnsureDemoApp(t.Context()); err != nil { // what serve --dev does
		t.Fatal(err)
	}
	token := strings.TrimSpace(mustCommand(t, append([]string{"token", "--app", "demo", "--user", "alice", "--ttl", "10m"}, where...)...))
	s, err := a.Authenticate(t.Context(), "demo", token, auth.DeviceInfo{ID: "phone"})
	if left := time.Until(s.Expires); err != nil || left > 10*time.Minute || left < 9*time.Minute {
		t.Errorf("%v, expires in %v", err, left)
	}
}

func TestWhatIsWrongIsSaidWithWhatToDo(t *testing.T) {
	dir, empty := t.TempDir(), t.TempDir()
	mustCommand(t, "app", "create", "shop", "--data", dir)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"app"}, "skein app create|list|rotate"},
		{[]string{"app", "delete", "shop"}, `not "delete"`},
		{[]string{"app", "create"}, "skein app create NAME"},
		{[]string{"app", "create", "a", "b"}, `"b" is one name too many`},
		{[]string{"app", "create", "shop", "--data", dir}, "exists already; to give it a new secret, run: skein app rotate shop"},
		{[]string{"app", "rotate", "nowhere", "--data", dir}, `there is no app "nowhere"; list the apps with: skein app list`},
		{[]string{"app", "create", "x", "--data", dir, "--retire-old"}, "--retire-old goes with"},
		{[]string{"app", "rotate", "shop", "--data", dir, "--allowed-origins", "https://a.example"}, "--allowed-origins goes with: skein app create"},
		{[]string{"app", "create", "x", "--data", dir, "--allowed-origins", "a.example"}, "not a web origin"},
		{[]string{"app", "create", "x", "--data", dir, "--alg", "none"}, "HS256 or EdDSA"},
		{[]string{"app", "create", "x", "--data", dir, "--public-key", "/nowhere"}, "/nowhere"},
		{[]string{"app", "list", "--data", empty}, "there is no data in the folder"},
		{[]string{"app", "list", "--listen", ":80"}, "there is no flag --listen"},
		{[]string{"token", "--data", dir}, "name the app"},
		{[]string{"token", "--data", dir, "--app", "shop"}, "name the user"},
		{[]string{"token", "--data", dir, "--app", "shop", "--user", "ann", "x"}, "takes options only"},
		{[]string{"token", "--data", dir, "--app", "nowhere", "--user", "ann"}, `there is no app "nowhere"`},
		{[]string{"token", "--data", dir, "--app", "shop", "--user", "ann", "--ttl", "25h"}, "1 second to 24 hours"},
		{[]string{"token", "--data", empty, "--app", "shop", "--user", "ann"}, "there is no data in the folder"},
	} {
		out, err := runCommand(t, c.args...)
		if err == nil || !strings.Contains(err.Error(), c.want) || out != "" {
			t.Errorf("skein %s: %q, %v; want %s", strings.Join(c.args, " "), out, err, c.want)
		}
	}
	if left, err := os.ReadDir(empty); err != nil || len(left) > 0 {
		t.Errorf("a command that failed left %v in the folder, %v", left, err)
	}
	for _, c := range []string{"app", "token"} {
		if out := mustCommand(t, c, "--help"); !strings.Contains(out, "--data") || !strings.Contains(out, "skein "+c) {
			t.Errorf("skein %s --help printed\n%s", c, out)
		}
	}
}

// The key may come from the environment, for nodes that share a database.
func TestTheSecretKeyMayComeFromTheEnvironment(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("SKEIN_SECRET_KEY", strings.Repeat("ab", 32))
	mustCommand(t, "app", "create", "shop", "--data", dir)
	if _, err := os.Stat(filepath.Join(dir, "secret.key")); !os.IsNotExist(err) {
		t.Errorf("a key file was made: %v", err)
	}
	mustCommand(t, "token", "--app", "shop", "--user", "ann", "--data", dir)
	t.Setenv("SKEIN_SECRET_KEY", strings.Repeat("cd", 32))
	if _, err := runCommand(t, "token", "--app", "shop", "--user", "ann", "--data", dir); err == nil || !strings.Contains(err.Error(), "SKEIN_SECRET_KEY") {
		t.Errorf("with another key: %v", err)
	}
}

func TestAppQuotaSetsAndShowsWhatAnAppMayUse(t *testing.T) {
	onEachStore(t, func(t *testing.T, where ...string) {
		app := func(args ...string) (string, error) {
			return runCommand(t, append(append([]string{"app"}, args...), where...)...)
		}
		mustCommand(t, append([]string{"app", "create", "shop"}, where...)...)
		a := node(t, where)
		wants := func(when string, rows ...string) {
			t.Helper()
			out, err := app("quota", "shop")
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range rows {
				if !regexp.MustCompile(`(?m)^` + row + `$`).MatchString(out) {
					t.Errorf("%s: no %q in\n%s", when, row, out)
				}
			}
		}
		wants("at first", `users +default +0`, `groups +default +0`, `messages_per_day +default +-`, `devices_online +default +-`)
		out, err := app("quota", "shop", "--max-users=3", "--messages-per-second=0.5", "--max-group-members", "50", "--messages-per-day=1000", "--calls-per-second=0",
			"--max-stored-bytes=10GiB", "--max-user-stored-bytes=5000", "--user-uploaded-bytes-per-day=2GB")
		if err != nil || !strings.Contains(out, "0.5") {
			t.Fatalf("%v\n%s", err, out)
		}
		if q := a.Quotas("shop"); q.GetUsers() != 3 || q.GetMessagesPerSecond() != 0.5 || q.GetGroupMembers() != 50 || q.GetMessagesPerDay() != 1000 {
			t.Errorf("a node that runs goes by %v", q)
		}
		if _, err := a.PutAccounts(t.Context(), im.Actor{App: "shop", Server: true}, []auth.AccountChange{{ID: "ann"}, {ID: "bob"}}); err != nil {
			t.Fatal(err)
		}
		wants("afterwards", `users +3 +2`, `messages_per_second +0.5 +-`, `messages_per_day +1000 +0`, `calls_per_second +no bound +-`, `stored_bytes +10737418240 +0`, `user_stored_bytes +5000 +-`, `user_uploaded_bytes_per_day +2000000000 +-`)
		if _, err := app("quota", "shop", "--max-users", "default"); err != nil || a.Quotas("shop").GetUsers() != 0 {
			t.Errorf("back to the default: %v, %v", err, a.Quotas("shop"))
		}
		for _, bad := range [][]string{{"quota", "nobody"}, {"quota", "nobody", "--max-users=1"}, {"quota"}, {"quota", "shop", "--max-users=-1"}, {"quota", "shop", "--max-users=many"},
			{"quota", "shop", "--messages-per-second=NaN"}, {"quota", "shop", "--max-group-members=100001"}, {"quota", "shop", "--max-group-members=4294967297"}, {"quota", "shop", "--max-stored-bytes=1.5GB"}, {"quota", "shop", "--max-stored-bytes=-1"}, {"quota", "shop", "--max-stored-bytes=9007199255GB"}, {"list", "--max-users=1"}} {
			if out, err := app(bad...); err == nil || out != "" {
				t.Errorf("%v: %q, %v", bad, out, err)
			}
		}
		if q := a.Quotas("shop"); q.GetMessagesPerDay() != 1000 || q.GetMessagesPerSecond() != 0.5 || q.GetUsers() != 0 {
			t.Errorf("what was refused has changed %v", q)
		}
	})
}
