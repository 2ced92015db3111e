package auth

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestAMasterKeyIsMadeOnceAndForTheOwnerAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret.key")
	var wg sync.WaitGroup
	keys := make([]MasterKey, 8)
	for i := range keys {
		wg.Go(func() {
			k, err := LoadMasterKey(path, rand.Reader)
			if err != nil {
				t.Error(err)
			}
			keys[i] = k
		})
	}
	wg.Wait()
	for _, k := range keys {
		if k != keys[0] || k.ID == "" {
			t.Fatal("two processes that start at once have different keys")
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info.Mode(), err)
	}
	if left, _ := filepath.Glob(path + ".*"); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadMasterKey(path, rand.Reader); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a key that others can read: %v", err)
	}
	if err := os.WriteFile(path, []byte("short"), 0o600); err != nil || os.Chmod(path, 0o600) != nil {
		t.Fatal(err)
	}
	if _, err := LoadMasterKey(path, rand.Reader); err == nil {
		t.Error("a damaged key was accepted")
	}
	if _, err := LoadMasterKey(filepath.Join(t.TempDir(), "no", "secret.key"), rand.Reader); err == nil {
		t.Error("a key was stored in a folder that does not exist")
	}
}

func TestAMasterKeyIsReadInEveryUsualForm(t *testing.T) {
	b := make([]byte, 32)
	for i := range b {
		b[i] = byte(255 - i*7)
	}
	want := newMasterKey(b)
	for _, s := range []string{hex.EncodeToString(b), base64.StdEncoding.EncodeToString(b), base64.RawStdEncoding.EncodeToString(b),
		base64.URLEncoding.EncodeToString(b), " " + base64.RawURLEncoding.EncodeToString(b) + "\n"} {
		if k, err := ParseMasterKey(s); err != nil || k != want {
			t.Errorf("%s: %v", s, err)
		}
	}
	for _, s := range []string{"", "x", strings.Repeat("a", 31), hex.EncodeToString(b[:31]), base64.StdEncoding.EncodeToString(append(b, 1))} {
		if _, err := ParseMasterKey(s); err == nil {
			t.Errorf("%q was accepted", s)
		}
	}
	if s := fmt.Sprintf("%v %+v %#v %s", want, want, want, want); strings.Contains(s, fmt.Sprint(b[0], b[1])) || strings.Contains(s, hex.EncodeToString(b[:4])) {
		t.Errorf("a log shows the key: %s", s)
	}
}

func TestSealedBytesOpenOnlyAsTheyWere(t *testing.T) {
	k := newMasterKey(make([]byte, 32))
	sealed, err := k.Seal([]byte("secret"), "row 1", rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := k.Open(sealed, "row 1"); err != nil || string(got) != "secret" {
		t.Fatalf("%q, %v", got, err)
	}
	if _, err := k.Open(sealed, "row 2"); err == nil {
		t.Error("opens in another row")
	}
	for i := range sealed {
		sealed[i] ^= 1
		if _, err := k.Open(sealed, "row 1"); err == nil {
			t.Errorf("opens with byte %d changed", i)
		}
		sealed[i] ^= 1
	}
	if _, err := k.Open(sealed[:11], "row 1"); err == nil {
		t.Error("opens when cut")
	}
}

func TestEveryPurposeHasAKeyOfItsOwn(t *testing.T) {
	a, b := newMasterKey(make([]byte, 32)), newMasterKey(append(make([]byte, 31), 1))
	seen := map[string]string{string(a.key[:]): "the key itself"}
	for what, k := range map[string]MasterKey{"a": a, "b": b} {
		for _, purpose := range []string{"cursor", "cursor2"} {
			d, err := k.Derive(purpose)
			again, _ := k.Derive(purpose)
			if err != nil || len(d) != 32 || string(d) != string(again) || seen[string(d)] != "" {
				t.Errorf("%s of %s: %x, %v, the same as %s", purpose, what, d, err, seen[string(d)])
			}
			seen[string(d)] = purpose + " of " + what
		}
	}
}
