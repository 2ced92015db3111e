package rpc

import (
	"net/http"
	"net/url"

	"github.com/skein-im/skein/internal/im"
)

// cors lets pages of an app's own origins read answers. A preflight does not
// say which app it is for, so it is granted to everybody: it carries no
// cookie, and the call that follows is refused when the origin is not one of
// the app's.
func (s *server) cors(next http.Handler, methods, headers, exposed string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.RemoteAddr = s.Address(r) // what connect calls the peer
		origin := r.Header.Get("Origin")
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		if origin == "" {
			next.ServeHTTP(w, r)
			return
		}
		h.Add("Vary", "Origin")
		if r.Method == http.MethodOptions {
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Access-Control-Allow-Methods", methods)
			h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, "+headerApp+", "+headerDevice+", "+headers)
			h.Set("Access-Control-Max-Age", "7200")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		if !s.Origin(r, im.AppID(r.Header.Get(headerApp)), origin) {
			http.Error(w, "pages of this origin may not call for this app", http.StatusForbidden)
			return
		}
		h.Set("Access-Control-Allow-Origin", origin)
		if exposed != "" {
			h.Set("Access-Control-Expose-Headers", exposed)
		}
		next.ServeHTTP(w, r)
	})
}

// unescape undoes the percent-encoding that lets a header carry any UTF-8.
func unescape(s string) string {
	u, err := url.PathUnescape(s)
	if err != nil {
		return s
	}
	return u
}
