package natslink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

const (
	// maxPayload is the largest message between nodes. An entry can carry a
	// body and the one that it replaced.
	maxPayload = 8 << 20
	// maxPending bounds what an embedded server holds for one connection that
	// does not read.
	maxPending = 64 << 20
	// pingEvery is how often a silent route is looked at; after three times
	// that a route to a node that is cut off is gone.
	pingEvery = 5 * time.Second
	// startWait bounds the start of the embedded server.
	startWait = 10 * time.Second
	startLook = 100 * time.Millisecond
	// watchEvery is how often routes are counted.
	watchEvery = 250 * time.Millisecond
)

// EmbedOptions say how the embedded servers find and trust one another.
type EmbedOptions struct {
	Node    string   // this node's name, unique in the cluster
	Cluster string   // the same on every node
	Listen  string   // host:port for the other nodes' routes; port 0 takes a free one
	Peers   []string // host:port of other nodes; this node may be among them
	// Secret must be the same on every node; a route without it is refused.
	Secret string
	// Cert, Key and CA are PEM files: every node shows a certificate that the
	// CA has signed. All three, or none: then routes are not encrypted.
	Cert, Key, CA string
	Log           *slog.Logger
}

// Embed starts a server in this process and connects to it without a socket.
func Embed(o EmbedOptions) (*Link, error) {
	so, err := serverOptions(o)
	if err != nil {
		return nil, err
	}
	srv, err := server.NewServer(so)
	if err != nil {
		return nil, fmt.Errorf("embedded NATS: %w", err)
	}
	trouble := &adapter{log: o.Log}
	srv.SetLogger(trouble, false, false)
	srv.Start()
	l := &Link{srv: srv, restored: make(chan struct{}, 1), quit: make(chan struct{}), watched: make(chan struct{}), log: o.Log}
	for tries := startWait / startLook; !srv.ReadyForConnections(startLook); tries-- {
		if tries <= 0 || trouble.fatal() {
			srv.Shutdown()
			return nil, fmt.Errorf("listen for other nodes on %s: %w", o.Listen, trouble.last())
		}
	}
	if err := l.connect("", []nats.Option{nats.InProcessServer(srv), nats.Name(o.Node), nats.UserInfo("node", o.Secret)}); err != nil {
		srv.Shutdown()
		return nil, fmt.Errorf("embedded NATS: %w", err)
	}
	go l.watch()
	return l, nil
}

// RouteAddr is where the embedded server takes routes.
func (l *Link) RouteAddr() string { return l.srv.ClusterAddr().String() }

// watch counts the routes: one more means a node whose hints were missed, and
// that has missed ours.
func (l *Link) watch() {
	defer close(l.watched)
	t := time.NewTicker(watchEvery)
	defer t.Stop()
	routes := 0
	for {
		select {
		case <-l.quit:
			return
		case <-t.C:
		}
		n := l.srv.NumRoutes()
		if n != routes {
			l.log.Info("routes to other nodes", "routes", n)
		}
		if n > routes {
			l.restore()
		}
		routes = n
	}
}

func serverOptions(o EmbedOptions) (*server.Options, error) {
	host, portText, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return nil, fmt.Errorf("cluster.listen: %w", err)
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return nil, fmt.Errorf("cluster.listen: %w", err)
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	if host == "" {
		host = "0.0.0.0"
	}
	so := &server.Options{
		// This version of the server begins with its routes only when it
		// listens for clients: so it does, on loopback, and lets nobody in but
		// who has the nodes' secret. The node itself needs no socket.
		Host: "127.0.0.1", Port: server.RANDOM_PORT, Username: "node", Password: o.Secret, MaxConn: 4,
		ServerName: o.Node, NoSigs: true, NoSystemAccount: true,
		MaxPayload: maxPayload, MaxPending: maxPending, WriteDeadline: 5 * time.Second, MaxControlLine: 4096,
		Cluster: server.ClusterOpts{Name: o.Cluster, Host: host, Port: port, Username: "node", Password: o.Secret, PoolSize: -1,
			PingInterval: pingEvery, MaxPingsOut: 2, WriteDeadline: 5 * time.Second, AuthTimeout: 5, TLSTimeout: 5},
	}
	for _, p := range o.Peers {
		so.Routes = append(so.Routes, &url.URL{Scheme: "nats-route", User: url.UserPassword("node", o.Secret), Host: p})
	}
	if o.Cert != "" {
		if so.Cluster.TLSConfig, err = mutual(o.Cert, o.Key, o.CA); err != nil {
			return nil, fmt.Errorf("certificates of the cluster: %w", err)
		}
	}
	return so, nil
}

// adapter writes the server's log as ours. What is a notice there is detail
// here.
type adapter struct {
	log *slog.Logger
	mu  sync.Mutex // guards the rest
	err string     // the last error
	end bool       // it was a fatal one
}

func (a *adapter) fatal() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.end
}

func (a *adapter) last() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err == "" {
		return errors.New("it took too long")
	}
	return errors.New(strings.TrimSpace(a.err))
}

func (a *adapter) fault(format string, v []any) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.err = fmt.Sprintf(format, v...)
	return a.err
}

func (a *adapter) Noticef(format string, v ...any) {
	a.log.Debug("nats", "what", fmt.Sprintf(format, v...))
}

// The secret is a password of 256 random bits, which needs no bcrypt.
func (a *adapter) Warnf(format string, v ...any) {
	if !strings.HasPrefix(format, "Plaintext passwords") {
		a.log.Warn("nats", "what", fmt.Sprintf(format, v...))
	}
}

// Nodes start in some order, so that a route that is not there yet is no news.
func (a *adapter) Errorf(format string, v ...any) {
	level := slog.LevelWarn
	if strings.HasPrefix(format, "Error trying to connect to route") {
		level = slog.LevelInfo
	}
	a.log.Log(context.Background(), level, "nats", "what", a.fault(format, v))
}
func (a *adapter) Fatalf(format string, v ...any) {
	a.log.Error("nats", "what", a.fault(format, v))
	a.mu.Lock()
	defer a.mu.Unlock()
	a.end = true
}
func (a *adapter) Debugf(format string, v ...any) {
	a.log.Debug("nats", "what", fmt.Sprintf(format, v...))
}
func (a *adapter) Tracef(string, ...any) {}
