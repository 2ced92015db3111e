package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestAnAdminListenerOnLoopbackAnswersToNoOtherName(t *testing.T) {
	h := ownNames(http.HandlerFunc(live))
	for host, want := range map[string]int{
		"127.0.0.1:9090": http.StatusOK, "localhost:9090": http.StatusOK, "[::1]:9090": http.StatusOK,
		"evil.example:9090": http.StatusForbidden, "127.0.0.1.evil.example": http.StatusForbidden, "": http.StatusForbidden,
	} {
		r := httptest.NewRequest(http.MethodGet, "/livez", nil)
		r.Host = host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%q: %d, want %d", host, w.Code, want)
		}
	}
}
