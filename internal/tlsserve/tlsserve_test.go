package tlsserve

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/skein-im/skein/internal/im"
)

const testName = "chat.skein.test"

// pairFiles writes a certificate of a CA and its key.
func pairFiles(t *testing.T, c *ca, cert, key string, until time.Time) (serial string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := c.issue(&k.PublicKey, until, testName)
	if err != nil {
		t.Fatal(err)
	}
	kder, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	write(t, cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	write(t, key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: kder}))
	return fmt.Sprint(c.last)
}

// write replaces a file as tools do: a new one in its place.
func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", b, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

var hello = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello "+r.URL.Scheme) })

// start runs a server until the test ends.
func start(t *testing.T, o Options) *Server {
	t.Helper()
	o.Addr, o.Clock, o.Log = "127.0.0.1:0", im.SystemClock{}, slog.New(slog.NewTextHandler(t.Output(), nil))
	if o.Handler == nil {
		o.Handler = hello
	}
	s, err := Listen(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return s
}

// client speaks to a server under the tests' name.
func client(t *testing.T, s *Server, c *ca) *http.Client {
	tr := &http.Transport{TLSClientConfig: &tls.Config{ServerName: testName, RootCAs: c.pool}, ForceAttemptHTTP2: true}
	tr.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", s.Addr().String())
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 10 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func get(t *testing.T, c *http.Client, url string) *http.Response {
	t.Helper()
	resp, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	return resp
}

// serial is the certificate that a new handshake gets.
func serial(t *testing.T, s *Server, c *ca) string {
	t.Helper()
	conn, err := tls.Dial("tcp", s.Addr().String(), &tls.Config{ServerName: testName, RootCAs: c.pool})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
}

// files starts a server with a certificate from files.
func files(t *testing.T, change func(*Options)) (s *Server, c *ca, cert, key string) {
	dir := t.TempDir()
	c, cert, key = newCA(t), filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	pairFiles(t, c, cert, key, time.Now().Add(time.Hour))
	o := Options{Cert: cert, Key: key, HSTS: time.Hour, Poll: time.Hour}
	if change != nil {
		change(&o)
	}
	return start(t, o), c, cert, key
}

func TestTLSIsServedWithHTTP2AndHSTS(t *testing.T) {
	s, c, _, _ := files(t, nil)
	resp := get(t, client(t, s, c), "https://"+testName+"/")
	if resp.ProtoMajor != 2 || resp.Header.Get("Strict-Transport-Security") != "max-age=3600" {
		t.Errorf("got %s, HSTS %q", resp.Proto, resp.Header.Get("Strict-Transport-Security"))
	}
	if !strings.HasPrefix(s.URL(), "https://127.0.0.1:") {
		t.Errorf("URL %s", s.URL())
	}
	plain := get(t, http.DefaultClient, "http://"+s.Addr().String()+"/")
	if plain.StatusCode != http.StatusBadRequest {
		t.Errorf("plain HTTP on the port of TLS: %s", plain.Status)
	}
}

func TestHSTSIsNotSentInPlain(t *testing.T) {
	s := start(t, Options{HSTS: time.Hour})
	if h := get(t, http.DefaultClient, s.URL()+"/").Header.Get("Strict-Transport-Security"); h != "" {
		t.Errorf("sent %q", h)
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	s, c, _, _ := files(t, nil)
	for _, v := range []struct {
		version uint16
		ok      bool
	}{{tls.VersionTLS10, false}, {tls.VersionTLS11, false}, {tls.VersionTLS12, true}, {tls.VersionTLS13, true}} {
		conn, err := tls.Dial("tcp", s.Addr().String(), &tls.Config{ServerName: testName, RootCAs: c.pool, MinVersion: v.version, MaxVersion: v.version})
		if (err == nil) != v.ok {
			t.Errorf("%s: %v", tls.VersionName(v.version), err)
		}
		if err == nil {
			conn.Close()
		}
	}
}

func TestWeakSuitesAreRefused(t *testing.T) {
	s, c, _, _ := files(t, nil)
	for _, suite := range tls.InsecureCipherSuites() {
		conn, err := tls.Dial("tcp", s.Addr().String(), &tls.Config{ServerName: testName, RootCAs: c.pool, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite.ID}})
		if err == nil {
			conn.Close()
			t.Errorf("%s was accepted", suite.Name)
		}
	}
}

func TestANewCertificateIsUsedAndNoConnectionIsDropped(t *testing.T) {
	remote := make(chan string, 10)
	s, c, cert, key := files(t, func(o *Options) {
		o.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { remote <- r.RemoteAddr })
	})
	old := serial(t, s, c)
	tr := client(t, s, c)
	get(t, tr, "https://"+testName+"/")
	first := <-remote
	next := pairFiles(t, c, cert, key, time.Now().Add(time.Hour))
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	if got := serial(t, s, c); got != next || got == old {
		t.Errorf("a new handshake got certificate %s, want %s", got, next)
	}
	get(t, tr, "https://"+testName+"/")
	if <-remote != first {
		t.Error("the open connection was dropped")
	}
}

// until repeats until the handshake gives the certificate; the test's own time
// limit ends it.
func until(t *testing.T, s *Server, c *ca, want string) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for serial(t, s, c) != want {
		if time.Now().After(deadline) {
			t.Fatal("the new certificate is not used")
		}
	}
}

func TestAChangedFileIsNoticed(t *testing.T) {
	s, c, cert, key := files(t, func(o *Options) { o.Poll = 5 * time.Millisecond })
	until(t, s, c, pairFiles(t, c, cert, key, time.Now().Add(time.Hour)))
}

func TestSIGHUPReadsTheCertificateAgain(t *testing.T) {
	// The last signal may come when the server has ended, and would end the tests.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	s, c, cert, key := files(t, nil)
	next := pairFiles(t, c, cert, key, time.Now().Add(time.Hour))
	// The signal is asked for by a goroutine of Run; a first request tells
	// that the server runs, not that this goroutine does.
	deadline := time.Now().Add(20 * time.Second)
	for serial(t, s, c) != next && time.Now().Before(deadline) {
		if s.watching.Load() {
			if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := serial(t, s, c); got != next {
		t.Errorf("certificate %s, want %s", got, next)
	}
}

func TestABadNewPairKeepsTheOldOne(t *testing.T) {
	s, c, cert, key := files(t, func(o *Options) { o.Poll = 5 * time.Millisecond })
	old := serial(t, s, c)
	good, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	other := newCA(t)
	dir := t.TempDir()
	pairFiles(t, other, filepath.Join(dir, "c"), filepath.Join(dir, "k"), time.Now().Add(time.Hour))
	foreign, err := os.ReadFile(filepath.Join(dir, "k"))
	if err != nil {
		t.Fatal(err)
	}
	for what, b := range map[string][]byte{"garbage": []byte("x"), "an empty file": nil, "the key of another certificate": foreign} {
		write(t, key, b)
		if err := s.Reload(); err == nil {
			t.Errorf("%s was accepted", what)
		}
		if got := serial(t, s, c); got != old {
			t.Errorf("after %s: certificate %s, want %s", what, got, old)
		}
	}
	if err := os.Remove(cert); err != nil {
		t.Fatal(err)
	}
	if err := s.Reload(); err == nil || serial(t, s, c) != old {
		t.Errorf("after the file was removed: %v", err)
	}
	write(t, key, good)
	pairFiles(t, c, cert, key, time.Now().Add(-time.Minute))
	if err := s.Reload(); err == nil || !strings.Contains(err.Error(), "expired") || serial(t, s, c) != old {
		t.Errorf("after an expired one came: %v", err)
	}
	until(t, s, c, pairFiles(t, c, cert, key, time.Now().Add(time.Hour)))
}

func TestWhatCannotWorkIsToldAtTheStart(t *testing.T) {
	taken := start(t, Options{})
	for _, c := range []struct {
		what string
		o    Options
		want string
	}{
		{"an address that is taken", Options{Addr: taken.Addr().String()}, "another program has it"},
		{"no such address", Options{Addr: "192.0.2.1:0"}, "listen on 192.0.2.1:0"},
		{"a certificate that is not there", Options{Addr: "127.0.0.1:0", Cert: "/nowhere/c", Key: "/nowhere/k"}, "read the certificate /nowhere/c"},
	} {
		c.o.Handler, c.o.Clock = hello, im.SystemClock{}
		if s, err := Listen(c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v", c.what, s, err)
		}
	}
	if _, err := NewACME(ACMEOptions{Domains: []string{"a.example"}}); err == nil {
		t.Error("ACME without a cache was accepted")
	}
}

func TestACertificateComesFromACMEByTLSALPN(t *testing.T) {
	testACME(t, "tls-alpn-01", "")
}

func TestACertificateComesFromACMEByHTTP(t *testing.T) {
	testACME(t, "http-01", "127.0.0.1:0")
}

func testACME(t *testing.T, kind, httpAddr string) {
	authority := newACMEServer(t, kind)
	cache := filepath.Join(t.TempDir(), "acme")
	open := func() *Server {
		a, err := NewACME(ACMEOptions{Domains: []string{strings.ToUpper(testName)}, Email: "ops@skein.test", Cache: cache,
			Directory: authority.url("/directory"), HTTP: httpAddr, Client: authority.http.Client()})
		if err != nil {
			t.Fatal(err)
		}
		return start(t, Options{ACME: a, HSTS: time.Hour})
	}
	s := open()
	authority.tlsAddr = s.Addr().String()
	if a := s.RedirectAddr(); a != nil {
		authority.httpAddr = a.String()
	}
	c := client(t, s, authority.ca)
	if resp := get(t, c, "https://"+testName+"/"); resp.StatusCode != 200 || resp.TLS.PeerCertificates[0].DNSNames[0] != testName {
		t.Fatalf("got %s with %v", resp.Status, resp.TLS.PeerCertificates[0].DNSNames)
	}
	if _, err := tls.Dial("tcp", s.Addr().String(), &tls.Config{ServerName: "evil.skein.test", InsecureSkipVerify: true}); err == nil {
		t.Error("a handshake for a name that is not ours succeeded")
	}
	authority.mu.Lock()
	issued, requests := authority.issued, authority.requests
	authority.mu.Unlock()
	if issued != 1 || requests < 6 {
		t.Errorf("%d certificates after %d requests", issued, requests)
	}
	info, err := os.Stat(cache)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the cache has mode %v, %v", info.Mode(), err)
	}
	if kind == "http-01" {
		testRedirect(t, s)
	}
	// After a restart the certificate comes from the cache.
	again := open()
	get(t, client(t, again, authority.ca), "https://"+testName+"/")
	authority.mu.Lock()
	defer authority.mu.Unlock()
	if authority.issued != 1 {
		t.Errorf("a restart asked for another certificate")
	}
}

func testRedirect(t *testing.T, s *Server) {
	t.Helper()
	_, port, err := net.SplitHostPort(s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	ask := func(method, host string) *http.Response {
		req, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.RedirectAddr().String()+"/a?b=c", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp
	}
	if resp := ask("GET", testName+":80"); resp.StatusCode != 301 || resp.Header.Get("Location") != "https://"+testName+":"+port+"/a?b=c" {
		t.Errorf("got %s to %s", resp.Status, resp.Header.Get("Location"))
	}
	if resp := ask("GET", "evil.example"); resp.StatusCode != 421 {
		t.Errorf("for another name: %s to %s", resp.Status, resp.Header.Get("Location"))
	}
	if resp := ask("POST", testName); resp.StatusCode != 400 {
		t.Errorf("a POST: %s", resp.Status)
	}
}

func TestRunEndsWithItsContextAndWaitsForRequests(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	o := Options{Addr: "127.0.0.1:0", Clock: im.SystemClock{}, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-leave
		io.WriteString(w, "done")
	})}
	s, err := Listen(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended, got := make(chan error, 1), make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	go func() {
		resp, err := http.Get(s.URL())
		if err == nil {
			defer resp.Body.Close()
			if b, _ := io.ReadAll(resp.Body); string(b) != "done" {
				err = errors.New("the answer was cut")
			}
		}
		got <- err
	}()
	<-entered
	cancel()
	close(leave)
	if err := <-got; err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := net.DialTimeout("tcp", s.Addr().String(), time.Second); err == nil {
		t.Error("it still accepts")
	}
}

func TestOnlyTrustedProxiesAreBelieved(t *testing.T) {
	p, err := NewProxies([]string{"10.0.0.0/8", "192.0.2.7", "2001:db8::/32"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		remote, want string
		forwarded    []string
	}{
		{"203.0.113.9:1", "203.0.113.9", nil},
		{"203.0.113.9:1", "203.0.113.9", []string{"1.2.3.4"}},
		{"10.0.0.1:1", "10.0.0.1", nil},
		{"10.0.0.1:1", "1.2.3.4", []string{"1.2.3.4"}},
		{"10.0.0.1:1", "5.6.7.8", []string{"1.2.3.4, 5.6.7.8"}},
		{"10.0.0.1:1", "5.6.7.8", []string{"1.2.3.4", "5.6.7.8"}},
		{"10.0.0.1:1", "5.6.7.8", []string{"1.2.3.4, 5.6.7.8, 10.9.9.9, 192.0.2.7"}},
		{"[::ffff:10.0.0.1]:1", "1.2.3.4", []string{"1.2.3.4"}},
		{"[2001:db8::1]:1", "2001:db9::2", []string{"2001:db9::2"}},
		{"10.0.0.1:1", "2001:db9::2", []string{"[2001:db9::2]:443"}},
		{"10.0.0.1:1", "1.2.3.4", []string{"1.2.3.4:5678"}},
		{"10.0.0.1:1", "10.0.0.1", []string{"unknown"}},
		{"10.0.0.1:1", "10.0.0.2", []string{"1.2.3.4, garbage, 10.0.0.2"}},
		{"10.0.0.1:1", "10.0.0.3", []string{"10.0.0.3, 10.0.0.2"}},
		{"10.0.0.1:1", "10.0.0.1", []string{strings.Repeat(",", 10_000)}},
		{"192.0.2.8:1", "192.0.2.8", []string{"1.2.3.4"}},
		{"pipe", "invalid IP", []string{"1.2.3.4"}},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = c.remote
		r.Header["X-Forwarded-For"] = c.forwarded
		if got := p.ClientAddr(r).String(); got != c.want {
			t.Errorf("from %s with %.60q: %s, want %s", c.remote, c.forwarded, got, c.want)
		}
	}
	for _, c := range []struct {
		remote, proto string
		want          bool
	}{
		{"10.0.0.1:1", "https", true}, {"10.0.0.1:1", "HTTPS", true}, {"10.0.0.1:1", "http", false}, {"10.0.0.1:1", "", false},
		{"10.0.0.1:1", "https, http", false}, {"10.0.0.1:1", "http, https", true}, {"203.0.113.9:1", "https", false}, {"pipe", "https", false},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = c.remote
		r.Header.Set("X-Forwarded-Proto", c.proto)
		w := httptest.NewRecorder()
		p.Wrap(hello).ServeHTTP(w, r)
		if want := map[bool]string{true: "hello https", false: "hello "}[c.want]; p.Secure(r) != c.want || w.Body.String() != want {
			t.Errorf("from %s with %q: secure %v, %q", c.remote, c.proto, p.Secure(r), w.Body)
		}
	}
	if _, err := NewProxies([]string{"proxy.internal"}); err == nil {
		t.Error("a name was accepted as a proxy")
	}
	var none *Proxies
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = "10.0.0.1:1"
	r.Header.Set("X-Forwarded-For", "1.2.3.4")
	if none.ClientAddr(r).String() != "10.0.0.1" || none.Secure(r) {
		t.Error("without proxies a header is believed")
	}
}
