package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/skein-im/skein/internal/config"
)

func TestHealthAsksTheServerThatTheOptionsDescribe(t *testing.T) {
	for listen, want := range map[string]string{
		"127.0.0.1:8080": "http://127.0.0.1:8080/healthz",
		"0.0.0.0:80":     "http://127.0.0.1:80/healthz",
		":8080":          "http://127.0.0.1:8080/healthz",
		"[::]:8080":      "http://[::1]:8080/healthz",
		"10.1.2.3:8080":  "http://10.1.2.3:8080/healthz",
	} {
		cfg := config.Default()
		cfg.Listen = listen
		if got, err := healthURL(cfg); err != nil || got != want {
			t.Errorf("%s: %s, %v", listen, got, err)
		}
		cfg.TLS.Cert, cfg.TLS.Key = "a", "b"
		if got, err := healthURL(cfg); err != nil || got != strings.Replace(want, "http:", "https:", 1) {
			t.Errorf("%s with TLS: %s, %v", listen, got, err)
		}
	}
}

func TestHealthTellsAServerThatIsReadyFromOneThatIsNot(t *testing.T) {
	ready := true
	answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path != "/healthz":
			http.NotFound(w, r)
		case !ready:
			http.Error(w, "the disk is full", http.StatusServiceUnavailable)
		default:
			w.Write([]byte("ok\n"))
		}
	})
	plain, secure := httptest.NewServer(answer), httptest.NewTLSServer(answer)
	defer plain.Close()
	defer secure.Close()
	for _, args := range [][]string{
		{"health", "--listen", plain.Listener.Addr().String()},
		{"health", "--listen", secure.Listener.Addr().String(), "--tls-cert", "a"},
		{"health", "--url", secure.URL + "/healthz"},
	} {
		ready = true
		if out := mustCommand(t, args...); out != "ok\n" {
			t.Errorf("%v: %q", args, out)
		}
		ready = false
		if _, err := runCommand(t, args...); err == nil || !strings.Contains(err.Error(), "the disk is full") {
			t.Errorf("%v when not ready: %v", args, err)
		}
	}
	addr := plain.Listener.Addr().String()
	plain.Close()
	if _, err := runCommand(t, "health", "--listen", addr); err == nil {
		t.Error("a server that is away is healthy")
	}
}

func TestCheckFindsWhatServeWouldRefuse(t *testing.T) {
	file := filepath.Join(t.TempDir(), "skein.yaml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("listen: 127.0.0.1:9000\nlog:\n  format: json\n")
	if out := mustCommand(t, "check", "--config", file); out != "the options are good\n" {
		t.Errorf("%q", out)
	}
	write("lisen: 127.0.0.1:9000\n")
	if _, err := runCommand(t, "check", "--config", file); err == nil || !strings.Contains(err.Error(), "listen") {
		t.Errorf("a wrong name: %v", err)
	}
	if _, err := runCommand(t, "check", "--listen", "0.0.0.0:80"); err == nil {
		t.Error("plain HTTP for everybody")
	}
	t.Setenv("SKEIN_SECRET_KEY", "short")
	if _, err := runCommand(t, "check"); err == nil || strings.Contains(err.Error(), "short") {
		t.Errorf("a bad key: %v", err)
	}
}
