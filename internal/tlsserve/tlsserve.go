// Package tlsserve is the listener in front of the handlers: plain HTTP on
// loopback or behind a proxy, or HTTPS by itself, with a certificate from files
// or from an ACME server.
//
// A certificate from files is read again when the files change, and on SIGHUP.
// Connections that are open stay open: a certificate matters in a handshake
// only. A pair that cannot be used is logged, and the old one stays.
//
// TLS is 1.2 or newer, with the suites that Go considers safe. HTTP/2 is
// offered beside HTTP/1.1, over TLS and in plain, because gRPC clients need it;
// the socket is HTTP/1.1.
package tlsserve

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/skein-im/skein/internal/im"
)

// Bounds of what a client can do before a handler sees it.
const (
	headerTimeout = 10 * time.Second // the handshake, and the headers of a request
	bodyTimeout   = time.Minute      // a whole request; a handler can ask for more
	idleTimeout   = 2 * time.Minute
	headerBytes   = 16 << 10
	streams       = 100 // calls at once on a connection of HTTP/2
)

// DefaultHandshakes is Options.Handshakes when it is 0.
const DefaultHandshakes = 1000

// DefaultGrace is how long Run waits for requests when it ends.
const DefaultGrace = 5 * time.Second

// Options of Listen. Handler, Addr and Clock are needed.
type Options struct {
	// Addr is the address and port to listen on; port 0 takes any.
	Addr    string
	Handler http.Handler
	Clock   im.Clock
	Log     *slog.Logger // nil = none
	// Cert and Key are files in PEM; both or none.
	Cert, Key string
	// Poll is how often the files are looked at; 0 = 10 s.
	Poll time.Duration
	// ACME gets certificates by itself; nil = not.
	ACME *ACME
	// HSTS is the max-age of Strict-Transport-Security; 0 = no such header. It
	// is sent over this server's own TLS only.
	HSTS time.Duration
	// Proxies are those whose headers are believed; nil = none.
	Proxies *Proxies
	// Handshakes bounds the TLS handshakes at the same time; 0 = DefaultHandshakes.
	Handshakes int
	// Grace is how long Run waits for requests when it ends; 0 = DefaultGrace.
	Grace time.Duration
}

// Server is a listener that is bound.
type Server struct {
	o        Options
	log      *slog.Logger
	listener net.Listener
	http     *http.Server
	secure   bool
	files    *Files // nil = no certificate from files
	// redirect answers http-01 challenges and sends the rest to HTTPS; nil = none.
	redirect         *http.Server
	redirectListener net.Listener
	watching         atomic.Bool // SIGHUP is listened for
}

// Listen binds the address and loads the certificate, so that what is wrong is
// known before anything else starts.
func Listen(o Options) (_ *Server, err error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Grace <= 0 {
		o.Grace = DefaultGrace
	}
	s := &Server{o: o, log: o.Log}
	config, err := s.tlsConfig()
	if err != nil {
		return nil, err
	}
	s.listener, err = net.Listen("tcp", o.Addr)
	if err != nil {
		return nil, explain(o.Addr, err)
	}
	defer func() {
		if err != nil {
			s.listener.Close()
		}
	}()
	handler := o.Handler
	if o.HSTS > 0 {
		handler = hsts(handler, o.HSTS)
	}
	if o.Proxies != nil {
		handler = o.Proxies.Wrap(handler)
	}
	s.http = s.newHTTP(handler)
	if config == nil {
		return s, nil
	}
	s.http.TLSConfig, s.secure = config, true
	if o.ACME != nil && o.ACME.HTTP != "" {
		s.redirectListener, err = net.Listen("tcp", o.ACME.HTTP)
		if err != nil {
			return nil, explain(o.ACME.HTTP, err)
		}
		s.redirect = s.newHTTP(o.ACME.manager.HTTPHandler(s.toHTTPS()))
	}
	return s, nil
}

// explain says what to do about an address that cannot be bound.
func explain(addr string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("listen on %s: another program has it; stop that one or choose another port with --listen: %w", addr, err)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("listen on %s: ports below 1024 are for the administrator; choose another or give the program CAP_NET_BIND_SERVICE: %w", addr, err)
	}
	return fmt.Errorf("listen on %s: %w", addr, err)
}

// newHTTP makes a server with every bound set.
func (s *Server) newHTTP(h http.Handler) *http.Server {
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler: h, Protocols: protocols, HTTP2: &http.HTTP2Config{MaxConcurrentStreams: streams},
		ReadHeaderTimeout: headerTimeout, ReadTimeout: bodyTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: headerBytes,
		// Failed handshakes and aborted requests: the clients' faults.
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}

// tlsConfig returns nil when there is no TLS.
func (s *Server) tlsConfig() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	switch {
	case s.o.Cert != "":
		files, err := NewFiles(s.o.Cert, s.o.Key, s.o.Clock, s.log)
		if err != nil {
			return nil, err
		}
		s.files = files
		c.GetCertificate = files.GetCertificate
	case s.o.ACME != nil:
		c.GetCertificate = s.o.ACME.manager.GetCertificate
		c.NextProtos = append(c.NextProtos, alpnACME)
	default:
		return nil, nil
	}
	return c, nil
}

// Addr is the address that is listened on.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// RedirectAddr is the address of the listener for plain HTTP beside HTTPS, or
// nil.
func (s *Server) RedirectAddr() net.Addr {
	if s.redirectListener == nil {
		return nil
	}
	return s.redirectListener.Addr()
}

// URL is where the server is found from this machine, without a slash at its end.
func (s *Server) URL() string {
	scheme := "http"
	if s.secure {
		scheme = "https"
	}
	host, port, err := net.SplitHostPort(s.Addr().String())
	if err != nil {
		return ""
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "localhost"
	}
	if s.o.ACME != nil {
		host = s.o.ACME.Domains[0]
	}
	return (&url.URL{Scheme: scheme, Host: net.JoinHostPort(host, port)}).String()
}

// Reload reads the certificate's files again. Without such files it does
// nothing.
func (s *Server) Reload() error {
	if s.files == nil {
		return nil
	}
	return s.files.Reload()
}

// Run serves until ctx ends or the listener fails. At the end it accepts
// nothing more and waits for the requests that run, for Options.Grace at most.
// Connections that a handler has taken over are the handler's to end.
func (s *Server) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	wg.Go(func() { cancel(s.serve(s.http, s.listener, s.secure)) })
	if s.redirect != nil {
		wg.Go(func() { cancel(s.serve(s.redirect, s.redirectListener, false)) })
	}
	if s.files != nil {
		wg.Go(func() { s.watch(ctx) })
	}
	<-ctx.Done()
	grace, stop := context.WithTimeout(context.WithoutCancel(ctx), s.o.Grace)
	defer stop()
	for _, h := range []*http.Server{s.redirect, s.http} {
		if h != nil && h.Shutdown(grace) != nil {
			h.Close()
		}
	}
	wg.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) && !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (s *Server) serve(h *http.Server, l net.Listener, secure bool) error {
	if secure {
		return h.Serve(newHandshakes(l, h.TLSConfig, s.o.Handshakes, s.log))
	}
	return h.Serve(l)
}

// Close releases the addresses of a server that was never run.
func (s *Server) Close() error {
	if s.redirectListener != nil {
		s.redirectListener.Close()
	}
	return s.listener.Close()
}

// watch reads the files again when they have changed, and on SIGHUP.
func (s *Server) watch(ctx context.Context) {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	s.watching.Store(true)
	every := s.o.Poll
	if every <= 0 {
		every = 10 * time.Second
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
			if err := s.files.Reload(); err != nil {
				s.log.Error("the new certificate is not used", "err", err)
			}
		case <-tick.C:
			s.files.poll()
		}
	}
}

// hsts tells browsers to come over TLS only.
func hsts(next http.Handler, age time.Duration) http.Handler {
	value := "max-age=" + strconv.FormatInt(int64(age/time.Second), 10)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS != nil {
			w.Header().Set("Strict-Transport-Security", value)
		}
		next.ServeHTTP(w, r)
	})
}

// toHTTPS sends a request to the same place over TLS. It knows the names that
// the certificates are for, and sends nobody anywhere else.
func (s *Server) toHTTPS() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		host = strings.ToLower(host)
		switch {
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			http.Error(w, "use HTTPS", http.StatusBadRequest)
			return
		case !slices.Contains(s.o.ACME.Domains, host):
			http.Error(w, "this server has another name", http.StatusMisdirectedRequest)
			return
		}
		if _, port, err := net.SplitHostPort(s.Addr().String()); err == nil && port != "443" {
			host = net.JoinHostPort(host, port)
		}
		http.Redirect(w, r, "https://"+host+r.URL.RequestURI(), http.StatusMovedPermanently)
	})
}
