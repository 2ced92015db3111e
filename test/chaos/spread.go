package chaos

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	skein "github.com/skein-im/skein/sdk/go"

	"github.com/skein-im/skein/internal/ws"
)

// Spread is three nodes, their database and their clients, each on a machine
// of its own as far as the network goes, and the switch between them. The
// nodes speak TLS with each other.
type Spread struct {
	*Cluster
	Switch      *Switch
	Nodes       []*Space
	DB, Clients *Space
}

// StartSpread starts it.
func (e *Env) StartSpread(ctx context.Context, seed uint64, apps ...string) (s *Spread, err error) {
	s = &Spread{}
	if s.Switch, err = newSwitch(seed, "node1", "node2", "node3", "db", "clients"); err != nil {
		return nil, err
	}
	all := s.Switch.Spaces
	s.Nodes, s.DB, s.Clients = all[:3], all[3], all[4]
	s.Cluster = &Cluster{Apps: map[string]*App{}, own: true}
	if err := s.start(ctx, e, apps); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Spread) start(ctx context.Context, e *Env, apps []string) (err error) {
	if s.Dir, err = e.Folder("spread"); err != nil {
		return err
	}
	if s.Postgres, err = startPostgresIn(ctx, filepath.Join(s.Dir, "pg"), s.DB); err != nil {
		return err
	}
	ca, err := newAuthority(s.Dir)
	if err != nil {
		return err
	}
	var peers []string
	for _, n := range s.Nodes {
		peers = append(peers, n.Addr+":6222")
	}
	data := []string{"--data", filepath.Join(s.Dir, "data")}
	for i, n := range s.Nodes {
		cert, key, err := ca.issue(s.Dir, n.Name, n.Addr)
		if err != nil {
			return err
		}
		args := append(append([]string{}, roomy...), roomyHello...)
		args = append(args, "--behind-proxy", s.Clients.Addr, "--cluster-listen", peers[i], "--cluster-peers", strings.Join(peers, ","),
			"--cluster-cert", cert, "--cluster-key", key, "--cluster-ca", filepath.Join(s.Dir, "ca.pem"))
		node, err := NewNode(NodeOptions{Bin: e.Bin, Addr: n.Addr + ":8080", Args: args, Command: n.Command, Log: filepath.Join(s.Dir, n.Name+".log"),
			Store: append(data, "--db", fmt.Sprintf("postgres://postgres@%s:5432/skein?sslmode=disable", s.DB.Addr)), Tools: append(data, "--db", s.Postgres.URL())})
		if err != nil {
			return err
		}
		s.Cluster.Nodes = append(s.Cluster.Nodes, node)
	}
	for _, id := range apps {
		if s.Apps[id], err = CreateApp(ctx, s.Cluster.Nodes[0], id); err != nil {
			return err
		}
	}
	for _, n := range s.Cluster.Nodes {
		if err := n.Start(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Close ends everything.
func (s *Spread) Close() error { return errors.Join(s.Cluster.Close(), s.Switch.Close()) }

// HTTP makes calls from the machine of the clients.
func (s *Spread) HTTP() *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: s.Clients.Dial, MaxIdleConnsPerHost: 16}}
}

// authority signs the certificates of nodes.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// newAuthority makes a CA, and ca.pem in a folder.
func newAuthority(dir string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "the nodes of a proof"}, NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	return &authority{t, key}, writePEM(filepath.Join(dir, "ca.pem"), "CERTIFICATE", der)
}

// issue makes the certificate of a node, and its key, in files.
func (a *authority) issue(dir, name, addr string) (cert, key string, err error) {
	priv, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", err
	}
	t := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.ParseIP(addr)}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, t, a.cert, &priv.PublicKey, a.key)
	if err != nil {
		return "", "", err
	}
	raw, err := x509.MarshalPKCS8PrivateKey(priv)
	if err != nil {
		return "", "", err
	}
	cert, key = filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key")
	return cert, key, errors.Join(writePEM(cert, "CERTIFICATE", der), writePEM(key, "PRIVATE KEY", raw))
}

func writePEM(name, kind string, der []byte) error {
	return os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

// dialled is the SDK's transport over connections that somebody else makes.
type dialled struct {
	dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Dial implements skein.Transport.
func (t dialled) Dial(ctx context.Context, address string) (skein.Socket, error) {
	c, err := ws.Dial(ctx, address, ws.DialOptions{Subprotocols: []string{skein.Subprotocol}, NetDial: t.dial, Limits: ws.Limits{ReadLimit: 64 << 20}})
	if err != nil {
		return nil, err
	}
	return dialledSocket{c}, nil
}

type dialledSocket struct{ c *ws.Conn }

func (s dialledSocket) Read() ([]byte, error) {
	_, p, err := s.c.ReadMessage()
	var closed *ws.CloseError
	if errors.As(err, &closed) {
		return nil, &skein.CloseError{Code: int(closed.Code), Reason: closed.Reason}
	}
	return append([]byte(nil), p...), err
}

func (s dialledSocket) Write(p []byte) error { return s.c.WriteMessage(ws.OpBinary, p) }

func (s dialledSocket) Close(code int, reason string) error {
	return s.c.CloseWith(ws.CloseCode(code), reason)
}
