package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"

	"github.com/skein-im/skein/internal/auth"
	"github.com/skein-im/skein/internal/config"
	"github.com/skein-im/skein/internal/feature/call"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/sfu/door"
	"github.com/skein-im/skein/internal/sfu/peer"
	"github.com/skein-im/skein/internal/sfu/placement"
)

// sfuNodes is what several servers on one database have beside an SFU each: the
// register of which room is where, and the listener by which the others reach
// this one's SFU. What comes there goes to this node's SFU or nowhere, so
// nothing goes round in circles.
type sfuNodes struct {
	keys     *peer.Keys
	register *placement.Register
	inner    *door.Door // for who comes from another node
	listener *peer.Listener
	shut     sync.Once

	mu    sync.Mutex          // guards the rest
	asked *placement.Register // by who comes to the listener, which is there first; nil until then
	front *door.Door          // nil until open
}

// newSFUNodes listens for the other nodes and takes this one's lease, which
// begins when its SFU answers.
func newSFUNodes(s *server, o *ownSFU, cfg *config.Config, key auth.MasterKey) (n *sfuNodes, err error) {
	seed, err := key.Derive("sfu peers")
	if err != nil {
		return nil, err
	}
	n = &sfuNodes{}
	if n.keys, err = peer.New(seed); err != nil {
		return nil, err
	}
	addr, err := peerAddress(cfg)
	if err != nil {
		return nil, fmt.Errorf("cluster.sfu: %w", err)
	}
	own := func(ctx context.Context, room string) (string, error) {
		n.mu.Lock()
		register := n.asked
		n.mu.Unlock()
		if register == nil {
			return "", im.Errorf(im.Unavailable, "this node has just begun")
		}
		mine, err := register.Mine(ctx, room)
		if err == nil && !mine {
			err = im.Errorf(im.Unavailable, "the room is on another node by now")
		}
		if err != nil {
			return "", err
		}
		return o.host.Where(ctx)
	}
	n.inner = door.New(door.Options{Key: o.keys.key, Secret: o.keys.secret, Where: own, Clock: im.SystemClock{}, Log: o.log})
	if n.listener, err = n.keys.Listen(addr, peerHandler(n.inner, own, o.host.Where, o.log), o.log); err != nil {
		return nil, fmt.Errorf("listen for the calls of other servers (cluster.sfu): %w", err)
	}
	n.register = placement.New(placement.Options{DB: s.db, Clock: im.SystemClock{}, Log: o.log, Node: s.node, URL: n.listener.URL(), Gone: n.gone,
		SFU: &placement.Own{Key: o.keys.key, Secret: o.keys.secret, Clock: im.SystemClock{}, At: func() (base, incarnation string) {
			base, life := o.host.Current()
			if base == "" {
				return "", ""
			}
			return base, fmt.Sprint(s.node, ".", life)
		}}})
	n.mu.Lock()
	n.asked = n.register
	n.mu.Unlock()
	o.log.Info("listening for the calls of other servers", "url", n.listener.URL())
	return n, nil
}

// peerHandler is what other nodes may ask for here: the signalling of clients, and
// the room API, both with the tokens that the SFU wants to see.
func peerHandler(inner http.Handler, own func(context.Context, string) (string, error), any func(context.Context) (string, error), log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	for _, path := range door.Paths() {
		mux.Handle(path, inner)
	}
	away := func(w http.ResponseWriter) {
		http.Error(w, "the media server is not there", http.StatusServiceUnavailable)
	}
	passed := func(w http.ResponseWriter, r *http.Request) {
		base, err := "", error(nil)
		if room := r.Header.Get(call.RoomHeader); room != "" {
			base, err = own(r.Context(), room)
		} else {
			base, err = any(r.Context())
		}
		to, bad := url.Parse(base)
		if err != nil || bad != nil {
			away(w)
			return
		}
		(&httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(to) }, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
			ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { away(w) }}).ServeHTTP(w, r)
	}
	mux.HandleFunc("POST /twirp/livekit.RoomService/", passed)
	mux.HandleFunc("POST /twirp/livekit.Egress/", passed)
	return mux
}

// open says which door clients come through.
func (n *sfuNodes) open(front *door.Door) {
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.front = front
}

// gone cuts off who is passed on to a node that is gone.
func (n *sfuNodes) gone(url string) {
	n.mu.Lock()
	front := n.front
	n.mu.Unlock()
	if front != nil {
		front.Cut(url)
	}
}

// kick has the others told at once that this node's SFU has begun or ended.
func (n *sfuNodes) kick() {
	if n != nil && n.register != nil {
		n.register.Kick()
	}
}

// close ends it; the SFU is closed already.
func (n *sfuNodes) close(ctx context.Context) (err error) {
	if n == nil {
		return nil
	}
	n.shut.Do(func() {
		err = errors.Join(n.inner.Close(ctx), n.listener.Close(ctx), n.register.Close(ctx))
	})
	return err
}

// peerAddress is where this node listens for the calls of others, HOST:PORT, of
// which the host is what they dial.
func peerAddress(cfg *config.Config) (string, error) {
	c := &cfg.Cluster
	host, port := "", "0"
	for _, addr := range []string{c.SFU, c.Listen} {
		h, p, err := net.SplitHostPort(addr)
		if err != nil {
			continue // it is empty, or was refused before
		}
		if addr == c.SFU {
			port = p
		}
		if ip := net.ParseIP(h); host == "" && h != "" && (ip == nil || !ip.IsUnspecified()) {
			host = h
		}
	}
	if host != "" {
		return net.JoinHostPort(host, port), nil
	}
	host, err := ownAddress(others(cfg))
	return net.JoinHostPort(host, port), err
}

// others are addresses of what this node speaks to over the network.
func others(cfg *config.Config) (out []string) {
	out = append(out, cfg.Cluster.Peers...)
	for _, u := range append(strings.Split(cfg.NATS.URL, ","), cfg.DB) {
		at, err := url.Parse(strings.TrimSpace(u))
		if err != nil {
			continue
		}
		name := at.Hostname()
		if q := at.Query().Get("host"); q != "" {
			name = q
		}
		if name, _, _ = strings.Cut(name, ","); name != "" && !strings.HasPrefix(name, "/") { // a folder with a socket
			out = append(out, net.JoinHostPort(name, "1"))
		}
	}
	return out
}

// ownAddress is the address from which this machine reaches the first of others
// that it can reach at all; loopback when there is none. Nothing is sent.
func ownAddress(others []string) (string, error) {
	var errs []error
	for _, o := range others {
		c, err := net.Dial("udp", o)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		defer c.Close()
		host, _, err := net.SplitHostPort(c.LocalAddr().String())
		return host, err
	}
	return "127.0.0.1", errors.Join(errs...)
}
