package wire_test

import (
	"context"
	"fmt"
	"log/slog"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
)

// app is a tenant as its back end knows it: an id and a secret.
type app struct {
	id, kid string
	secret  []byte
}

// makeApps makes apps in a data folder, as an operator does.
func makeApps(dir string, ids ...string) (map[string]*app, error) {
	return makeAppsIn([]string{"--data", dir}, ids...)
}

// makeAppsIn makes apps in the store that options of the server name.
func makeAppsIn(store []string, ids ...string) (map[string]*app, error) {
	apps := make(map[string]*app)
	for _, id := range ids {
		cmd := exec.Command(bin, append([]string{"app", "create", id}, store...)...)
		cmd.Env = cleanEnv()
		a, err := makeApp(cmd, id)
		if err != nil {
			return nil, err
		}
		apps[id] = a
	}
	return apps, nil
}

// makeApp makes an app by a command of the caller's.
func makeApp(cmd *exec.Cmd, id string) (*app, error) {
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("make the app %s: %w", id, err)
	}
	a := &app{}
	for line := range strings.Lines(string(out)) {
		switch name, value, _ := strings.Cut(strings.TrimSpace(line), ":"); name {
		case "app":
			a.id = strings.TrimSpace(value)
		case "kid":
			a.kid = strings.TrimSpace(value)
		case "secret":
			a.secret = []byte(strings.TrimSpace(value))
		}
	}
	if a.id != id || a.kid == "" || len(a.secret) == 0 {
		return nil, fmt.Errorf("make the app %s: no secret in %q", id, out)
	}
	return a, nil
}

// openData opens the database of a folder on which no server runs.
func openData(dir string) (*db.DB, error) {
	return db.Open(context.Background(), dir, db.Options{Clock: im.SystemClock{}, Log: slog.New(slog.DiscardHandler)})
}

// renewJournal gives the journal of a folder another incarnation, as restoring
// a backup does.
func renewJournal(t *testing.T, dir string) {
	t.Helper()
	d, err := openData(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	id, err := im.RandomID(im.SystemEntropy())
	if err != nil {
		t.Fatal(err)
	}
	err = d.Write(t.Context(), func(tx db.Tx) error {
		_, err := tx.Exec("UPDATE journal_meta SET value = $1 WHERE name = 'incarnation'", id)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// claim changes a token before it is signed.
type claim func(header, claims map[string]any)

// with sets a claim; nil takes it out.
func with(name string, v any) claim {
	return func(_, c map[string]any) { set(c, name, v) }
}

// withHeader sets a field of the header; nil takes it out.
func withHeader(name string, v any) claim {
	return func(h, _ map[string]any) { set(h, name, v) }
}

func set(m map[string]any, name string, v any) {
	if v == nil {
		delete(m, name)
		return
	}
	m[name] = v
}

// lasting makes a token that was issued and ends at these distances from now.
func lasting(from, to time.Duration) claim {
	return func(_, c map[string]any) {
		now := time.Now()
		c["iat"], c["exp"] = now.Add(from).Unix(), now.Add(to).Unix()
	}
}

// token signs a token for a user as a back end does.
func (a *app) token(t testing.TB, user string, changes ...claim) string {
	t.Helper()
	return a.sign(t, append([]claim{with("sub", user)}, changes...)...)
}

// serverToken signs a token for the back end itself.
func (a *app) serverToken(t testing.TB, changes ...claim) string {
	t.Helper()
	return a.sign(t, append([]claim{with("scope", "server")}, changes...)...)
}

func (a *app) sign(t testing.TB, changes ...claim) string {
	t.Helper()
	now := time.Now()
	claims := jwt.MapClaims{"iss": a.id, "aud": "skein", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()}
	tok := jwt.NewWithClaims(jwt.SigningMethodHS256, claims)
	tok.Header["kid"] = a.kid
	for _, change := range changes {
		change(tok.Header, claims)
	}
	s, err := tok.SignedString(a.secret)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
