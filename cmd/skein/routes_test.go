package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// The page may use what a call needs: camera, microphone and screen, and the
// media server, when it is another one.
func TestThePageMayCall(t *testing.T) {
	for _, c := range []struct{ url, origin string }{
		{"", ""},
		{"wss://calls.example.com", "https://calls.example.com"},
		{"ws://10.0.0.7:7880/base", "http://10.0.0.7:7880"},
	} {
		if got := mediaOrigin(c.url); got != c.origin {
			t.Errorf("the media server %q is asked at %q, want %q", c.url, got, c.origin)
		}
	}
	w := httptest.NewRecorder()
	securePage(http.NotFoundHandler(), "https://files.example.com", "https://calls.example.com").ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", http.NoBody))
	if may := w.Header().Get("Permissions-Policy"); !strings.Contains(may, "camera=(self), microphone=(self), display-capture=(self)") {
		t.Errorf("the page may not use devices: %s", may)
	}
	if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "connect-src 'self' ws: wss: https://files.example.com https://calls.example.com;") {
		t.Errorf("the page may not reach the media server: %s", csp)
	}
}
