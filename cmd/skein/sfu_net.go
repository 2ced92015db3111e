package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/sfu"
	"github.com/skein-im/skein/internal/sfu/address"
	"github.com/skein-im/skein/internal/sfu/relay"
	"github.com/skein-im/skein/proto/livekit"
)

// sfuNetFlags are the options of "skein sfu" about the networks between it and
// its clients.
type sfuNetFlags struct {
	stun, metadata                string
	turn, turnPublic              bool
	turnPort, turnTLSPort         uint
	turnDomain, turnCert, turnKey string
	turnListen, turnRelayPorts    string
	iceServers                    string

	minPort, maxPort uint16 // of turnRelayPorts
}

func (f *sfuNetFlags) define(fs *flag.FlagSet) {
	fs.StringVar(&f.stun, "rtc-stun", "", "STUN servers as HOST:PORT, with commas, that --rtc-address=auto asks for the public address where no cloud tells it")
	fs.StringVar(&f.metadata, "rtc-metadata", "", "where --rtc-address=auto finds the machine's metadata: empty = where AWS, Azure and Google Cloud have them; off = do not ask")
	fs.BoolVar(&f.turn, "turn", false, "relay media (TURN) for clients whose network lets nothing else through; it relays to this SFU only")
	fs.StringVar(&f.turnListen, "turn-listen", "", "addresses to serve TURN on, with commas; empty = those of --rtc-listen")
	fs.UintVar(&f.turnPort, "turn-port", 3478, "port of TURN over UDP and TCP; 0 = a free one")
	fs.UintVar(&f.turnTLSPort, "turn-tls-port", 5349, "port of TURN over TLS, where there is a certificate; 443 passes most networks; 0 = a free one")
	fs.StringVar(&f.turnDomain, "turn-domain", "", "name that the certificate of TURN over TLS is for")
	fs.StringVar(&f.turnCert, "turn-cert", "", "file with the certificate (PEM); read again when it has changed")
	fs.StringVar(&f.turnKey, "turn-key", "", "file with the certificate's key (PEM)")
	fs.BoolVar(&f.turnPublic, "turn-public", false, "relay to public addresses elsewhere too, never to private ones")
	fs.StringVar(&f.turnRelayPorts, "turn-relay-ports", "", "ports that relayed media leaves from, as FIRST-LAST; they need to be open to the outside with --turn-public only; empty = any")
	fs.StringVar(&f.iceServers, "ice-servers", "", "further STUN and TURN servers that clients are told of, as URLs with commas; those of TURN get credentials made with SKEIN_SFU_TURN_SECRET")
}

func (f *sfuNetFlags) check() error {
	if f.turnPort > 65535 || f.turnTLSPort > 65535 {
		return errors.New("a port of TURN is beyond 65535")
	}
	if (f.turnCert == "") != (f.turnKey == "") || (f.turnCert != "") != (f.turnDomain != "") {
		return errors.New("TURN over TLS needs --turn-domain, --turn-cert and --turn-key together")
	}
	if f.turnRelayPorts != "" {
		if n, err := fmt.Sscanf(f.turnRelayPorts, "%d-%d", &f.minPort, &f.maxPort); n != 2 || err != nil || f.minPort == 0 || f.maxPort < f.minPort {
			return fmt.Errorf("--turn-relay-ports: %q is not FIRST-LAST", f.turnRelayPorts)
		}
	}
	for u := range commas(f.iceServers) {
		scheme, _, _ := strings.Cut(u, ":")
		if scheme != "stun" && scheme != "stuns" && scheme != "turn" && scheme != "turns" {
			return fmt.Errorf("--ice-servers: %q is not the URL of a STUN or TURN server", u)
		}
	}
	return nil
}

// commas are the entries of a list.
func commas(list string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for s := range strings.SplitSeq(list, ",") {
			if s = strings.TrimSpace(s); s != "" && !yield(s) {
				return
			}
		}
	}
}

// How long credentials of TURN are good, which is how long a call can be
// relayed without a break; and how often addresses are looked for again.
const (
	turnCredentials = 8 * time.Hour
	addressEvery    = time.Minute
)

// sfuNet is how clients reach the SFU.
type sfuNet struct {
	f      sfuNetFlags
	listen []netip.Addr
	log    *slog.Logger
	finder *address.Finder
	found  atomic.Pointer[address.Result]
	secret string
	relay  *relay.Server // nil without TURN
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// newSFUNet finds the addresses to tell.
func newSFUNet(ctx context.Context, f sfuFlags, secret string, listen []netip.Addr, log *slog.Logger) (*sfuNet, error) {
	n := &sfuNet{f: f.net, listen: listen, log: log, secret: secret}
	if n.secret == "" {
		// Nobody else has to know it.
		var b [32]byte
		if _, err := io.ReadFull(im.SystemEntropy(), b[:]); err != nil {
			return nil, err
		}
		n.secret = hex.EncodeToString(b[:])
	}
	cfg := address.Config{Spec: f.rtcAddress, Listen: listen, Metadata: f.net.metadata, Clock: im.SystemClock{}, Entropy: im.SystemEntropy(), Log: log}
	for s := range commas(f.net.stun) {
		cfg.STUN = append(cfg.STUN, s)
	}
	var err error
	if n.finder, err = address.New(cfg); err != nil {
		return nil, fmt.Errorf("--rtc-address: %w", err)
	}
	r, err := n.finder.Find(ctx)
	if err != nil {
		return nil, fmt.Errorf("--rtc-address: %w", err)
	}
	if !r.Sure {
		log.Warn("the public address was not found: clients are told those of this machine", "addresses", fmt.Sprint(r.Pairs))
	}
	n.found.Store(&r)
	return n, nil
}

// told are the addresses that clients are told.
func (n *sfuNet) told() (out []netip.Addr) {
	for _, p := range n.found.Load().Pairs {
		out = append(out, p.Told)
	}
	return out
}

// start serves TURN, and keeps the addresses up to date until ctx ends.
func (n *sfuNet) start(ctx context.Context, server *sfu.Server) error {
	if n.f.turn {
		if err := n.startTURN(server.MediaPort()); err != nil {
			return err
		}
	}
	ctx, n.cancel = context.WithCancel(ctx)
	n.wg.Go(func() {
		n.finder.Watch(ctx, addressEvery, *n.found.Load(), func(r address.Result) {
			n.found.Store(&r)
			server.Advertise(n.told())
			n.log.Info("clients are told other addresses", "addresses", fmt.Sprint(r.Pairs))
		})
	})
	return nil
}

func (n *sfuNet) startTURN(port uint16) (err error) {
	at := n.listen
	if n.f.turnListen != "" {
		if at, err = addresses(n.f.turnListen); err != nil {
			return fmt.Errorf("--turn-listen: %w", err)
		}
	}
	cfg := relay.Config{
		Secret: n.secret, Public: n.f.turnPublic, MinPort: n.f.minPort, MaxPort: n.f.maxPort, Clock: im.SystemClock{}, Entropy: im.SystemEntropy(), Log: n.log,
		Media: func() (out []relay.Media) {
			for _, p := range n.found.Load().Pairs {
				out = append(out, relay.Media{Told: netip.AddrPortFrom(p.Told, port), Local: netip.AddrPortFrom(p.Local, port)})
			}
			return out
		},
	}
	if n.f.turnCert != "" {
		cert := &keyPair{cert: n.f.turnCert, key: n.f.turnKey}
		if _, err := cert.get(nil); err != nil {
			return err
		}
		cfg.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: cert.get}
	}
	for _, a := range n.concrete(at) {
		cfg.UDP = append(cfg.UDP, netip.AddrPortFrom(a, uint16(n.f.turnPort)))
		cfg.TCP = append(cfg.TCP, netip.AddrPortFrom(a, uint16(n.f.turnPort)))
		if cfg.TLSConfig != nil {
			cfg.TLS = append(cfg.TLS, netip.AddrPortFrom(a, uint16(n.f.turnTLSPort)))
		}
	}
	n.relay, err = relay.New(cfg)
	return err
}

// concrete puts the addresses that media comes to in the place of unspecified
// ones: a socket of all addresses answers from whichever the system likes.
func (n *sfuNet) concrete(at []netip.Addr) (out []netip.Addr) {
	for _, a := range at {
		before := len(out)
		for _, p := range n.found.Load().Pairs {
			if a.IsUnspecified() && p.Local.Is4() == a.Is4() && !slices.Contains(out, p.Local) {
				out = append(out, p.Local)
			}
		}
		if len(out) == before {
			out = append(out, a)
		}
	}
	return out
}

// keyPair is a certificate in files, read again when they have changed.
type keyPair struct {
	cert, key string
	mu        sync.Mutex // guards the rest
	at        time.Time
	pair      *tls.Certificate
}

func (k *keyPair) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	s, err := os.Stat(k.cert)
	if err == nil && k.pair != nil && s.ModTime().Equal(k.at) {
		return k.pair, nil
	}
	if err == nil {
		var p tls.Certificate
		if p, err = tls.LoadX509KeyPair(k.cert, k.key); err == nil {
			k.at, k.pair = s.ModTime(), &p
		}
	}
	if k.pair != nil { // half of a new one is there: the one before is still good
		return k.pair, nil
	}
	return nil, fmt.Errorf("the certificate of TURN: %w", err)
}

// iceServers are what a participant is told. Its name goes over the wire in
// the clear, so that it is one that says nothing.
func (n *sfuNet) iceServers(identity string) (out []*livekit.ICEServer) {
	sum := sha256.Sum256([]byte(identity))
	user, pass := relay.Credentials(n.secret, hex.EncodeToString(sum[:8]), im.SystemClock{}.Now().Add(turnCredentials))
	if n.relay != nil {
		out = append(out, &livekit.ICEServer{Urls: n.relay.URLs(n.f.turnDomain, n.told()...), Username: user, Credential: pass})
	}
	for u := range commas(n.f.iceServers) {
		s := &livekit.ICEServer{Urls: []string{u}}
		if strings.HasPrefix(u, "turn") {
			s.Username, s.Credential = user, pass
		}
		out = append(out, s)
	}
	return out
}

// describe adds to what is printed for whoever started the SFU.
func (n *sfuNet) describe(m map[string]any) map[string]any {
	m["told"] = fmt.Sprint(n.told())
	if n.relay != nil {
		m["turn"] = n.relay.URLs(n.f.turnDomain, n.told()...)
	}
	return m
}

// close ends what start began.
func (n *sfuNet) close() {
	n.cancel()
	if n.relay != nil {
		n.relay.Close() //nolint:errcheck // nothing is left to lose
	}
	n.wg.Wait()
}
