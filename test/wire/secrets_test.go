package wire_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skein-im/skein/internal/pgtest"
)

// canaries are secrets, by what they are. Each is a word that nobody says by
// chance, so that it is found wherever it comes out.
type canaries map[string]string

func (c canaries) add(what string) string {
	b := make([]byte, 12)
	rand.Read(b)
	c[what] = "canary" + hex.EncodeToString(b)
	return c[what]
}

// silent fails the test when a text has a secret.
func (c canaries) silent(t *testing.T, where, text string) {
	t.Helper()
	for what, secret := range c {
		if i := strings.Index(text, secret); i >= 0 {
			t.Errorf("%s has %s: … %q", where, what, text[max(0, i-80):i+len(secret)])
		}
	}
}

// refuses is a server that lets nobody in, whatever the password. It keeps
// what it was told.
type refuses struct {
	addr string
	mu   sync.Mutex // guards told
	told bytes.Buffer
}

func (r *refuses) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.told.String()
}

func refusing(t *testing.T, talk func(c net.Conn, told io.Writer)) *refuses {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &refuses{addr: ln.Addr().String()}
	t.Cleanup(func() { ln.Close() })
	go func() { // ends with the listener
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				c.SetDeadline(time.Now().Add(patience))
				talk(c, r)
			}()
		}
	}()
	return r
}

func (r *refuses) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.told.Write(p)
}

// refuseNATS speaks NATS as far as "Authorization Violation".
func refuseNATS(c net.Conn, told io.Writer) {
	fmt.Fprint(c, `INFO {"server_id":"x","version":"2.10.0","proto":1,"max_payload":1048576,"auth_required":true}`+"\r\n")
	line, _ := bufio.NewReader(c).ReadString('\n')
	io.WriteString(told, line)
	fmt.Fprint(c, "-ERR 'Authorization Violation'\r\n")
}

// refusePostgres speaks PostgreSQL as far as "password authentication failed".
func refusePostgres(c net.Conn, told io.Writer) {
	message := func(kind bool) []byte {
		head := make([]byte, 5)
		if !kind {
			head = head[:4]
		}
		if _, err := io.ReadFull(c, head); err != nil {
			return nil
		}
		b := make([]byte, binary.BigEndian.Uint32(head[len(head)-4:])-4)
		io.ReadFull(c, b)
		return b
	}
	message(false)                               // the startup message
	c.Write([]byte{'R', 0, 0, 0, 8, 0, 0, 0, 3}) // send the password as it is
	told.Write(message(true))
	text := "SFATAL\x00C28P01\x00Mpassword authentication failed\x00\x00"
	c.Write(append(binary.BigEndian.AppendUint32([]byte{'E'}, uint32(4+len(text))), text...))
}

// page returns a page of a server, whatever its status.
func page(t *testing.T, address string) (status int, body string) {
	t.Helper()
	res, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// awaitIn waits until a server has logged a text and returns what stands
// between it and the next space.
func awaitIn(t *testing.T, s *server, text string) string {
	t.Helper()
	for limit := time.Now().Add(patience); time.Now().Before(limit); <-time.After(20 * time.Millisecond) {
		if _, rest, ok := strings.Cut(s.logs.String(), text); ok {
			rest, _, _ = strings.Cut(rest, "\n")
			rest, _, _ = strings.Cut(rest, " ")
			return rest
		}
	}
	t.Fatalf("%q is not in the log:\n%s", text, s.logs)
	return ""
}

func TestNoSecretIsInWhatTheServerSaysWhileEverythingFails(t *testing.T) {
	t.Parallel()
	secret := canaries{}
	nats := refusing(t, refuseNATS)
	var traces refuses
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { io.Copy(&traces, r.Body) }))
	defer collector.Close()
	proxy := pgtest.NewProxy(t, pgtest.DB(t))
	base, err := url.Parse(proxy.URL())
	if err != nil {
		t.Fatal(err)
	}
	base.User = url.UserPassword("postgres", secret.add("the database's password"))
	key := make([]byte, 32)
	rand.Read(key)
	secret["the secret key"] = base64.StdEncoding.EncodeToString(key)
	dir := t.TempDir()
	env := []string{"SKEIN_SECRET_KEY=" + secret["the secret key"], "SKEIN_NATS_USER=skein", "SKEIN_NATS_PASSWORD=" + secret.add("the password for NATS")}
	create := exec.Command(bin, "app", "create", "wire", "--data", dir, "--db", base.String())
	create.Env = append(cleanEnv(), env...)
	wire, err := makeApp(create, "wire")
	if err != nil {
		t.Fatal(err)
	}
	secret["the app's secret"] = string(wire.secret)
	cmd := exec.Command(bin, "serve", "--listen", "127.0.0.1:0", "--data", dir, "--db", base.String(), "--nats-url", "nats://"+nats.addr,
		"--admin-listen", "127.0.0.1:0", "--otel-sample", "1", "--log-level", "debug",
		"--otel-endpoint", strings.Replace(collector.URL, "://", "://otel:"+secret.add("the collector's password")+"@", 1))
	cmd.Env = env
	s, err := launchAs(cmd, dir, map[string]*app{"wire": wire})
	if err != nil {
		t.Fatal(err)
	}
	defer s.stop()
	admin := "http://" + awaitIn(t, s, `"operators are answered" addr=`)
	ann := as(t, s, "ann")
	secret["a user's token"] = ann.token
	c := connect(t, s, "ann", "phone")
	c.ask(sendFrame(text(direct("ann", "bob"), secret.add("a message"))))

	pages := func(when string) {
		t.Helper()
		for _, path := range []string{"/metrics", "/readyz", "/livez", "/version", "/debug/pprof/", "/debug/pprof/cmdline", "/debug/pprof/goroutine?debug=2",
			"/debug/pprof/heap?debug=1", "/debug/pprof/threadcreate?debug=1"} {
			_, body := page(t, admin+path)
			secret.silent(t, when+", "+path, body)
		}
		_, body := page(t, s.url+"/readyz")
		secret.silent(t, when+", the public /readyz", body)
	}
	pages("with NATS refusing")
	proxy.Freeze()
	proxy.Cut()
	c.send(sendFrame(text(direct("ann", "bob"), secret["a message"])))
	for limit := time.Now().Add(patience); ; <-time.After(50 * time.Millisecond) {
		if status, body := page(t, admin+"/readyz"); status == http.StatusServiceUnavailable {
			secret.silent(t, "a node that is not ready", body)
			break
		}
		if time.Now().After(limit) {
			t.Fatal("a node without its database says that it is ready")
		}
	}
	pages("with the database away")
	proxy.Thaw()
	awaitIn(t, s, "Authorization Violation")
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	secret.silent(t, "the log", s.logs.String())
	secret.silent(t, "the traces", traces.text())
	// What all this was about has happened.
	if told := nats.text(); !strings.Contains(told, secret["the password for NATS"]) {
		t.Errorf("NATS was never asked: %q", told)
	}
	if traces.text() == "" {
		t.Error("nothing was traced")
	}
}

func TestNoSecretIsInWhatACommandSaysThatFails(t *testing.T) {
	t.Parallel()
	secret := canaries{}
	postgres := refusing(t, refusePostgres)
	pw := secret.add("a password")
	dir := t.TempDir()
	if _, err := makeApps(dir, "wire"); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "skein.yaml")
	if err := os.WriteFile(file, []byte("secret_key: {a: "+pw+"}\nnats:\n  password: ["+pw+"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := "postgres://skein:" + pw + "@" + postgres.addr + "/skein?sslmode=disable"
	broken := []string{"postgres://skein:" + pw + "%zz@h/x", "postgres://skein:" + pw + "@[h:1/x", "postgres://skein:" + pw + "@h:port/x",
		"postgres://skein:" + pw + "@127.0.0.1:1/x?sslmode=odd", "mysql://skein:" + pw + "@h/x", good}
	type failing struct {
		env  []string
		args []string
	}
	list := []failing{
		{args: []string{"serve", good}}, // without --db
		{args: []string{"serve", "--config", file}},
		{env: []string{"SKEIN_SECRET_KEY=" + pw}, args: []string{"serve", "--data", dir}},
		{env: []string{"SKEIN_SECRET_KEY=" + pw, "SKEIN_DB=" + good}, args: []string{"serve", "--data", dir, "--cluster-listen", "127.0.0.1:0", "--cluster-peers", "nowhere"}},
		{args: []string{"serve", "--data", dir, "--db", good, "--nats-url", "nats://skein:" + pw + "%zz@h:1"}},
		{args: []string{"serve", "--data", dir, "--db", good, "--nats-url", "nats://skein:" + pw + "@h:port"}},
	}
	for _, u := range broken {
		list = append(list, failing{args: []string{"serve", "--data", dir, "--db", u}}, failing{args: []string{"fsck", "--db", u}},
			failing{args: []string{"backup", "--db", u, "--out", filepath.Join(dir, "b")}},
			failing{args: []string{"migrate", "--data", dir, "--to", u}}, failing{args: []string{"app", "create", "x", "--data", dir, "--db", u}})
	}
	for _, f := range list {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		cmd := exec.CommandContext(ctx, bin, f.args...)
		cmd.Env, cmd.Dir = append(cleanEnv(), f.env...), dir // what is no address is a folder
		said, err := cmd.CombinedOutput()
		cancel()
		what := strings.ReplaceAll(strings.Join(f.args, " "), pw, "…")
		if err == nil || len(said) == 0 {
			t.Errorf("%s: %v, and it says %q", what, err, said)
		}
		secret.silent(t, what, string(said))
	}
	if !strings.Contains(postgres.text(), pw) {
		t.Error("nobody has shown PostgreSQL a wrong password")
	}
}
