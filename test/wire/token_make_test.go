package wire_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/skein-im/skein/internal/auth"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
)

// app is a tenant as its back end knows it: an id and a secret.
type app struct {
	id, kid string
	secret  []byte
}

// makeApps makes apps in a data folder on which no server runs yet; those that
// exist already are an error.
func makeApps(dir string, ids ...string) (map[string]*app, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	ctx := context.Background()
	key, err := auth.LoadMasterKey(filepath.Join(dir, "secret.key"), im.SystemEntropy())
	if err != nil {
		return nil, err
	}
	d, err := openData(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	a, err := auth.New(ctx, auth.Options{DB: d, Clock: im.SystemClock{}, Entropy: im.SystemEntropy(), Key: key})
	if err != nil {
		return nil, err
	}
	apps := make(map[string]*app)
	for _, id := range ids {
		s, err := a.CreateApp(ctx, auth.NewApp{ID: im.AppID(id)})
		if err != nil {
			return nil, err
		}
		apps[id] = &app{id: id, kid: s.KID, secret: []byte(s.Text)}
	}
	return apps, nil
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
