package peer

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func seed(b byte) []byte { return bytes.Repeat([]byte{b}, ed25519.SeedSize) }

func keys(t *testing.T, b byte) *Keys {
	t.Helper()
	k, err := New(seed(b))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func serve(t *testing.T) *Listener {
	t.Helper()
	l, err := keys(t, 1).Listen("127.0.0.1:0", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "in") //nolint:errcheck // the test reads it
	}), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return l
}

// get asks once, without keeping the connection.
func get(t *testing.T, tr *http.Transport, url string) (string, error) {
	t.Helper()
	defer tr.CloseIdleConnections()
	a, err := (&http.Client{Transport: tr}).Get(url)
	if err != nil {
		return "", err
	}
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	return string(b), err
}

func TestNodesOfOneClusterReachEachOther(t *testing.T) {
	l := serve(t)
	if got, err := get(t, keys(t, 1).Transport(), l.URL()); err != nil || got != "in" {
		t.Errorf("got %q %v", got, err)
	}
}

func TestWhoHasNotTheClustersKeyGetsNoAnswerAndIsGivenNone(t *testing.T) {
	l := serve(t)
	if _, err := get(t, keys(t, 2).Transport(), l.URL()); err == nil || !strings.Contains(err.Error(), errStranger.Error()) {
		t.Errorf("a node of another cluster found out nothing: %v", err)
	}
	// One who does not mind whom it speaks to.
	open := func(c *tls.Config) *http.Transport {
		c.InsecureSkipVerify = true
		return &http.Transport{TLSClientConfig: c}
	}
	stolen := keys(t, 1).cert
	_, other, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	stolen.PrivateKey = other // the certificate is no secret, its key is
	for what, tr := range map[string]*http.Transport{
		"no certificate":           open(&tls.Config{}),
		"another cluster's":        open(&tls.Config{Certificates: []tls.Certificate{keys(t, 2).cert}}),
		"ours without its key":     open(&tls.Config{Certificates: []tls.Certificate{stolen}}),
		"an older protocol":        open(&tls.Config{Certificates: []tls.Certificate{keys(t, 1).cert}, MaxVersion: tls.VersionTLS12}),
		"no TLS, by the same port": {},
	} {
		url := l.URL()
		if what == "no TLS, by the same port" {
			url = "http" + strings.TrimPrefix(url, "https")
		}
		if got, err := get(t, tr, url); got == "in" {
			t.Errorf("%s: got in, %v", what, err)
		}
	}
}

func TestASeedThatIsNoneIsRefused(t *testing.T) {
	for _, b := range [][]byte{nil, {1}, make([]byte, 64)} {
		if _, err := New(b); err == nil {
			t.Errorf("%d bytes were taken", len(b))
		}
	}
}
