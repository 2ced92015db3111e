package natslink_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/bus/bustest"
	"github.com/skein-im/skein/internal/bus/natslink"
	"github.com/skein-im/skein/internal/bus/relay"
	"github.com/skein-im/skein/internal/im"
)

var quiet = slog.New(slog.DiscardHandler)

// join puts a relay on each link and returns the nodes' buses.
func join(t *testing.T, links []*natslink.Link) []bus.Bus {
	t.Helper()
	out := make([]bus.Bus, len(links))
	for i, l := range links {
		local := bus.NewLocal()
		r, err := relay.New(t.Context(), relay.Options{Bus: local, Link: l, Prefix: "skein.test", Key: []byte("key"), Incarnation: "i", Shards: 4,
			Boot: bus.Boot{Node: fmt.Sprint("n", i), Started: 1}, Clock: im.SystemClock{}, Log: quiet})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			r.Close(context.Background())
			l.Close(context.Background())
			local.Close()
		})
		out[i] = local
	}
	return out
}

// freeAddr is below the range from which the system gives ports out.
func freeAddr(t *testing.T) string {
	t.Helper()
	for port := 14000 + os.Getpid()%8000; port < 32000; port += 7 {
		addr := fmt.Sprint("127.0.0.1:", port)
		if ln, err := net.Listen("tcp", addr); err == nil {
			ln.Close()
			return addr
		}
	}
	t.Fatal("no free port")
	return ""
}

// clustered starts n embedded servers; every one but the first knows only the
// first.
func clustered(t *testing.T, n int, change func(*natslink.EmbedOptions)) []*natslink.Link {
	t.Helper()
	var links []*natslink.Link
	first := ""
	for i := range n {
		o := natslink.EmbedOptions{Node: fmt.Sprint("n", i), Cluster: "test", Listen: "127.0.0.1:0", Secret: "secret", Log: quiet}
		if i > 0 {
			o.Peers = []string{first}
		}
		if change != nil {
			change(&o)
		}
		l, err := natslink.Embed(o)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = l.RouteAddr()
		}
		links = append(links, l)
	}
	return links
}

func TestThreeClusteredNodesKeepTheContract(t *testing.T) {
	bustest.Run(t, func(t *testing.T, n int) []bus.Bus { return join(t, clustered(t, n, nil)) })
}

func TestThreeClusteredNodesOverTLSKeepTheContract(t *testing.T) {
	pki := newCA(t)
	cert, key := pki.issue(t, "node")
	bustest.Run(t, func(t *testing.T, n int) []bus.Bus {
		return join(t, clustered(t, n, func(o *natslink.EmbedOptions) { o.Cert, o.Key, o.CA = cert, key, pki.file }))
	})
}

func TestClusteredNodesThatDropRepeatAndReorderKeepTheContract(t *testing.T) {
	for seed := range uint64(2) {
		bustest.Run(t, func(t *testing.T, n int) []bus.Bus {
			out := join(t, clustered(t, n, nil))
			for i := range out {
				out[i] = bustest.Lossy(out[i], bustest.Faults{Seed: seed<<8 + uint64(i), Drop: 0.3, Repeat: 0.3, Swap: 0.3})
			}
			return out
		})
	}
}

// external starts a server as operators run it, with a user.
func external(t *testing.T, addr string) *server.Server {
	t.Helper()
	return externalWith(t, addr, "pw")
}

func externalWith(t *testing.T, addr, password string) *server.Server {
	t.Helper()
	tcp, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: tcp.Port, NoSigs: true, NoLog: true, Username: "skein", Password: password})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the external server does not start")
	}
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	return s
}

func dial(t *testing.T, addr string, n int) []*natslink.Link {
	t.Helper()
	var links []*natslink.Link
	for i := range n {
		l, err := natslink.Dial(natslink.DialOptions{URL: "nats://" + addr, Name: fmt.Sprint(i), User: "skein", Password: "pw", Log: quiet})
		if err != nil {
			t.Fatal(err)
		}
		links = append(links, l)
	}
	return links
}

func TestNodesOverAnExternalServerKeepTheContract(t *testing.T) {
	addr := freeAddr(t)
	external(t, addr)
	bustest.Run(t, func(t *testing.T, n int) []bus.Bus { return join(t, dial(t, addr, n)) })
}

// heard waits until what one node says reaches another.
func heard(t *testing.T, from, to bus.Bus) {
	t.Helper()
	done := make(chan struct{}, 1)
	defer to.Listen(bus.Fences, func(e bus.Event) {
		if e.Signal == (bus.FenceRaised{Pos: 77}) {
			select {
			case done <- struct{}{}:
			default:
			}
		}
	})()
	deadline := time.After(20 * time.Second)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		from.Signal(bus.FenceRaised{Pos: 77})
		select {
		case <-done:
			return
		case <-again.C:
		case <-deadline:
			t.Fatal("the nodes do not hear each other")
		}
	}
}

func TestALinkWithoutItsServerComesBackByItself(t *testing.T) {
	addr := freeAddr(t)
	links := dial(t, addr, 2) // there is no server yet
	nodes := join(t, links)
	first := external(t, addr)
	heard(t, nodes[0], nodes[1])
	first.Shutdown()
	first.WaitForShutdown()
	told := make(chan struct{}, 100)
	defer nodes[1].Listen(bus.Presence, func(e bus.Event) {
		if e.Lost {
			told <- struct{}{}
		}
	})()
	for range 1000 { // nobody is there, and nobody is held up
		nodes[0].Ring(bustest.Batch(1, 10))
	}
	external(t, addr)
	heard(t, nodes[0], nodes[1])
	select {
	case <-told:
	case <-time.After(10 * time.Second):
		t.Error("nobody was told that hints were missed")
	}
}

// The client library gives up by itself when it is refused twice for the same
// reason; a node would stay without hints until somebody started it again.
func TestALinkThatIsRefusedGoesOnTrying(t *testing.T) {
	addr := freeAddr(t)
	wrong := externalWith(t, addr, "another")
	nodes := join(t, dial(t, addr, 2))
	for deadline := time.After(20 * time.Second); len(refusals(t, wrong)) < 6; {
		select {
		case <-time.After(50 * time.Millisecond):
		case <-deadline:
			t.Fatal("nobody was refused six times")
		}
	}
	wrong.Shutdown()
	wrong.WaitForShutdown()
	external(t, addr)
	heard(t, nodes[0], nodes[1])
}

// refusals are the connections that a server has closed for a wrong password.
func refusals(t *testing.T, s *server.Server) []*server.ConnInfo {
	t.Helper()
	z, err := s.Connz(&server.ConnzOptions{State: server.ConnClosed, Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	return z.Conns
}

func TestARouteThatComesTellsThatHintsWereMissed(t *testing.T) {
	links := clustered(t, 2, nil)
	defer links[0].Close(t.Context())
	defer links[1].Close(t.Context())
	for i, l := range links {
		// The first token is of the connection to the own server.
		for deadline := time.After(10 * time.Second); ; {
			select {
			case <-l.Restored():
			case <-deadline:
				t.Fatalf("node %d was told nothing", i)
			}
			if _, routes := l.State(); routes == 1 {
				break
			}
		}
	}
}

func TestWhoHasNotTheSecretOrTheCertificateGetsNoRoute(t *testing.T) {
	pki, foreign := newCA(t), newCA(t)
	cert, key := pki.issue(t, "node")
	badCert, badKey := foreign.issue(t, "node")
	tls := func(cert, key, ca string) func(*natslink.EmbedOptions) {
		return func(o *natslink.EmbedOptions) { o.Cert, o.Key, o.CA = cert, key, ca }
	}
	for what, c := range map[string]struct{ host, guest func(*natslink.EmbedOptions) }{
		"another secret":              {nil, func(o *natslink.EmbedOptions) { o.Secret = "guessed" }},
		"no TLS":                      {tls(cert, key, pki.file), nil},
		"a certificate of another CA": {tls(cert, key, pki.file), tls(badCert, badKey, pki.file)},
	} {
		t.Run(what, func(t *testing.T) {
			host := clustered(t, 1, c.host)[0]
			defer host.Close(t.Context())
			guest := clustered(t, 1, func(o *natslink.EmbedOptions) {
				o.Node, o.Peers = "guest", []string{host.RouteAddr()}
				if c.guest != nil {
					c.guest(o)
				}
			})[0]
			defer guest.Close(t.Context())
			own := clustered(t, 1, func(o *natslink.EmbedOptions) {
				o.Node, o.Peers = "own", []string{host.RouteAddr()}
				if c.host != nil {
					c.host(o)
				}
			})[0]
			defer own.Close(t.Context())
			// The guest was first and has had its second try by then.
			for deadline := time.Now().Add(20 * time.Second); ; {
				<-time.After(100 * time.Millisecond)
				if _, routes := own.State(); routes == 1 && time.Until(deadline) < 18*time.Second {
					break
				}
				if time.Now().After(deadline) {
					t.Fatal("a node of the cluster got no route")
				}
			}
			if _, routes := host.State(); routes != 1 {
				t.Errorf("the host has %d routes", routes)
			}
			if _, routes := guest.State(); routes != 0 {
				t.Errorf("the guest has %d routes", routes)
			}
		})
	}
}

func TestAnAddressInUseIsNamed(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, err = natslink.Embed(natslink.EmbedOptions{Node: "a", Cluster: "c", Listen: ln.Addr().String(), Secret: "x", Log: quiet})
	if err == nil || !strings.Contains(err.Error(), ln.Addr().String()) || !strings.Contains(err.Error(), "in use") {
		t.Errorf("%v", err)
	}
}

// ca signs certificates for nodes on loopback.
type ca struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	dir  string
	file string
}

func newCA(t *testing.T) *ca {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "nodes"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	c := &ca{key: key, dir: t.TempDir()}
	if c.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	c.file = c.write(t, "ca.pem", "CERTIFICATE", der)
	return c
}

func (c *ca) write(t *testing.T, name, kind string, der []byte) string {
	t.Helper()
	path := filepath.Join(c.dir, name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (c *ca) issue(t *testing.T, name string) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, c.cert, &k.PublicKey, c.key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return c.write(t, name+".pem", "CERTIFICATE", der), c.write(t, name+".key", "PRIVATE KEY", raw)
}
