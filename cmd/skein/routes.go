package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"strings"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/skein-im/skein/internal/auth"
	"github.com/skein-im/skein/internal/config"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/sfu/door"
	"github.com/skein-im/skein/web"
)

// routes is every path of the server.
func routes(cfg *config.Config, s *server, unary, uploads, downloads http.Handler, clock im.Clock) (http.Handler, error) {
	mux := http.NewServeMux()
	mux.Handle("GET /v1/socket", s.gateway)
	mux.Handle(uploadPath, uploads)
	mux.Handle(filePath, downloads)
	mux.HandleFunc("POST "+hookPath, s.hook)
	if s.sfu != nil {
		for _, path := range door.Paths() {
			mux.Handle(path, s.sfu.door)
		}
	}
	protoregistry.GlobalFiles.RangeFilesByPackage("skein.v1", func(f protoreflect.FileDescriptor) bool {
		for i := range f.Services().Len() {
			mux.Handle("/"+string(f.Services().Get(i).FullName())+"/", unary)
		}
		return true
	})
	for _, path := range []string{"GET /readyz", "GET /healthz"} { // the second is the older name
		mux.HandleFunc(path, s.ops.readyInShort)
	}
	mux.HandleFunc("GET /livez", live)
	if cfg.Dev {
		dev := &devEndpoints{auth: s.auth, server: s, clock: clock}
		mux.Handle("POST /dev/token", dev.guard(dev.token))
		mux.Handle("GET /dev/info", dev.guard(dev.info))
	}
	app, err := web.Handler()
	if err != nil {
		return nil, err
	}
	files, err := filesOrigin(cfg)
	if err != nil {
		return nil, err
	}
	mux.Handle("/", securePage(app, files, mediaOrigin(cfg.Calls.URL)))
	if files == "" {
		return mux, nil
	}
	return apart(files, mux), nil
}

// filesOrigin reads the option files_origin; empty = there is none.
func filesOrigin(cfg *config.Config) (string, error) {
	if cfg.FilesOrigin == "" {
		return "", nil
	}
	o, err := auth.ParseOrigin(cfg.FilesOrigin)
	if err != nil {
		return "", fmt.Errorf("files_origin: %w", withHint(err))
	}
	return o, nil
}

// apart answers for files at an origin of their own, and there for nothing else:
// what a file might do to the page that shows it, it does to an origin that has
// no page, no script and no stored token. A URL of a file at another name of the
// server leads there. A request that says who it is by a header is answered
// where it comes: no link and no page makes a browser send that.
func apart(origin string, all http.Handler) http.Handler {
	scheme, host, _ := strings.Cut(origin, "://")
	port := map[string]string{"http": ":80", "https": ":443"}[scheme]
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		file := strings.HasPrefix(r.URL.Path, filePath)
		switch here := strings.EqualFold(strings.TrimSuffix(r.Host, port), host); {
		case here && !file && r.URL.Path != "/livez" && r.URL.Path != "/readyz" && r.URL.Path != "/healthz":
			w.Header().Set("X-Content-Type-Options", "nosniff")
			http.Error(w, "there are files here, and nothing else", http.StatusNotFound)
		case !here && file && r.Header.Get("Authorization") == "" && (r.Method == http.MethodGet || r.Method == http.MethodHead):
			h := w.Header()
			h.Set("Access-Control-Allow-Origin", "*")
			h.Set("Cache-Control", "no-store")
			h.Set("Cross-Origin-Resource-Policy", "cross-origin")
			h.Set("Referrer-Policy", "no-referrer")
			http.Redirect(w, r, origin+r.URL.RequestURI(), http.StatusTemporaryRedirect)
		default:
			all.ServeHTTP(w, r)
		}
	})
}

// mediaOrigin is where pages ask the media server at url why it lets them not
// in, which they do by HTTP; empty = there is none, or it is this server.
func mediaOrigin(url string) string {
	scheme, rest, ok := strings.Cut(url, "://")
	if !ok {
		return ""
	}
	host, _, _ := strings.Cut(rest, "/")
	return "http" + strings.TrimPrefix(scheme, "ws") + "://" + host
}

// securePage gives pages the headers that keep them to themselves. They show
// files of the origin files, and call by the media server of the origin media,
// when there are such.
func securePage(next http.Handler, files, media string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'self'; connect-src 'self' ws: wss: "+files+" "+media+"; img-src 'self' data: blob: https: "+files+"; media-src 'self' blob: https: "+files+"; style-src 'self'; script-src 'self'; "+
			"object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Permissions-Policy", "camera=(self), microphone=(self), display-capture=(self), geolocation=(self)")
		next.ServeHTTP(w, r)
	})
}

// devEndpoints mint tokens for whoever asks, so they exist in dev mode only,
// which listens on loopback only; and they answer nobody but programs of this
// machine and pages that this server itself has served: no other Host (a
// rebound name), no other Origin, nothing that came through a proxy.
type devEndpoints struct {
	auth   *auth.Auth
	server *server
	clock  im.Clock
}

func (e *devEndpoints) guard(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		origin := r.Header.Get("Origin")
		switch {
		case !loopbackHost(r.Host):
			http.Error(w, "dev endpoints answer to a loopback Host only", http.StatusForbidden)
		case origin != "" && !auth.SameOrigin(origin, scheme(r), r.Host):
			http.Error(w, "dev endpoints answer to this server's own pages only", http.StatusForbidden)
		case forwarded(r.Header):
			http.Error(w, "dev endpoints do not answer through a proxy", http.StatusForbidden)
		default:
			w.Header().Set("Cache-Control", "no-store")
			w.Header().Set("Content-Type", "application/json")
			next(w, r)
		}
	})
}

// demoUsers are ready to chat in dev mode.
var demoUsers = [...]string{"alice", "bob", "carol"}

// info tells of the server; with ?collect what nobody uses is not counted as heap.
func (e *devEndpoints) info(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Has("collect") {
		runtime.GC()
	}
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	json.NewEncoder(w).Encode(map[string]any{"app": auth.DemoApp, "users": demoUsers, "version": version,
		"connections": e.server.gateway.Connections(), "sessions": e.server.gateway.Sessions(), "heap_bytes": mem.HeapAlloc, "goroutines": runtime.NumGoroutine()})
}

func (e *devEndpoints) token(w http.ResponseWriter, r *http.Request) {
	var ask struct {
		User string `json:"user"`
	}
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<10))
	if err := dec.Decode(&ask); err != nil || !im.ValidName(ask.User) {
		w.WriteHeader(http.StatusBadRequest)
		json.NewEncoder(w).Encode(map[string]string{"error": `send {"user":"alice"}: 1 to 64 bytes without control characters`})
		return
	}
	token, expires, err := e.auth.MintToken(r.Context(), auth.Grant{App: auth.DemoApp, User: im.UserID(ask.User), TTL: time.Hour, DevMode: true})
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		json.NewEncoder(w).Encode(map[string]string{"error": err.Error()})
		return
	}
	json.NewEncoder(w).Encode(map[string]any{"token": token, "app": auth.DemoApp, "expires_us": expires.UnixMicro()})
}

// scheme is how the client reached this server, as far as it can know.
func scheme(r *http.Request) string {
	if r.TLS != nil || r.URL.Scheme == "https" {
		return "https"
	}
	return "http"
}

// loopbackHost tells whether a Host header names this machine's loopback.
func loopbackHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && a.IsLoopback()
}

// forwarded tells whether a proxy was on the way.
func forwarded(h http.Header) bool {
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Via"} {
		if h.Get(name) != "" {
			return true
		}
	}
	return false
}
