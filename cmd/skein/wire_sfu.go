package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/skein-im/skein/internal/auth"
	"github.com/skein-im/skein/internal/config"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/metrics"
	"github.com/skein-im/skein/internal/sfu/address"
	"github.com/skein-im/skein/internal/sfu/door"
	"github.com/skein-im/skein/internal/sfu/host"
)

// ownSFU is the media server that comes with the server: what keeps it running,
// the door through which clients reach it, and where it tells what happens.
type ownSFU struct {
	keys  sfuKeys
	flags sfuFlags
	host  *host.Host
	door  *door.Door
	hooks *http.Server
	heard net.Listener // nil until start
	nodes *sfuNodes    // nil = there are no other servers
	log   *slog.Logger
}

// newOwnSFU returns the server's own SFU, which start starts; nil when it has none.
func newOwnSFU(s *server, cfg *config.Config, key auth.MasterKey, set *metrics.Set, log *slog.Logger) (*ownSFU, error) {
	own := &ownSFU{log: log, hooks: &http.Server{ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}}
	if !cfg.OwnSFU() {
		own = nil
	} else if err := own.make(s, cfg, key); err != nil {
		return nil, err
	}
	own.declare(set)
	return own, nil
}

func (o *ownSFU) make(s *server, cfg *config.Config, key auth.MasterKey) (err error) {
	if o.keys, err = ownKeys(cfg, key); err != nil {
		return err
	}
	if o.flags, err = ownFlags(cfg); err != nil {
		return err
	}
	run := o.inline
	if cfg.SFU == "process" {
		run = o.process
	}
	o.host = host.New(host.Options{Run: run, Clock: im.SystemClock{}, Log: o.log, Changed: func() { o.nodes.kick() }})
	front := door.Options{Key: o.keys.key, Secret: o.keys.secret, Where: o.where, Clock: im.SystemClock{}, Log: o.log}
	if cfg.DB != "" {
		if o.nodes, err = newSFUNodes(s, o, cfg, key); err != nil {
			return err
		}
		front.Lost, front.Transport = o.nodes.register.Lost, o.nodes.keys.Transport()
	}
	o.door = door.New(front)
	o.nodes.open(o.door)
	return nil
}

// ownKeys follow from the secret key, so that all nodes of a cluster have the same.
func ownKeys(cfg *config.Config, key auth.MasterKey) (k sfuKeys, err error) {
	for purpose, to := range map[string]*string{"sfu key": &k.key, "sfu secret": &k.secret, "sfu turn": &k.turn} {
		b, err := key.Derive(purpose)
		if err != nil {
			return k, err
		}
		*to = hex.EncodeToString(b)
	}
	k.key = "skein" + k.key[:12] // a name, which tokens show
	if cfg.TURN.Secret != "" {
		k.turn = cfg.TURN.Secret
	}
	return k, nil
}

// ownFlags are the options of the SFU, as "skein sfu" has them.
func ownFlags(cfg *config.Config) (f sfuFlags, err error) {
	r, t := &cfg.RTC, &cfg.TURN
	list := func(l []string) string { return strings.Join(l, ",") }
	f = sfuFlags{listen: "127.0.0.1:0", maxParticipants: cfg.Calls.Parties, recordTo: recordingsDir(cfg), recordBytes: int64(max(cfg.Limits.FileBytes-recordMargin, cfg.Limits.FileBytes/2)), rtcPort: uint(r.Port), rtcListen: list(r.Listen), rtcAddress: list(r.Address), rtcTCP: r.TCP, readers: r.Readers,
		net: sfuNetFlags{stun: list(r.STUN), metadata: r.Metadata, iceServers: list(r.ICEServers), turn: t.Enabled, turnPublic: t.Public, turnPort: uint(t.Port),
			turnTLSPort: uint(t.TLSPort), turnDomain: t.Domain, turnCert: t.Cert, turnKey: t.Key, turnListen: list(t.Listen), turnRelayPorts: t.RelayPorts}}
	if err = f.net.check(); err != nil { // which also reads turnRelayPorts
		return f, err
	}
	// What the SFU would refuse is refused here, and once.
	if _, err = address.New(address.Config{Spec: f.rtcAddress}); err != nil {
		err = fmt.Errorf("rtc.address: %w", err)
	}
	return f, err
}

// recordMargin is how far a recorded file stays below the largest that is
// stored: what is written in the two seconds between two looks at its size.
const recordMargin = 8 << 20

// args are the flags as a command line.
func (f *sfuFlags) args() []string {
	n := &f.net
	number := func(u uint) string { return strconv.FormatUint(uint64(u), 10) }
	args := []string{"skein", "sfu"}
	for _, a := range [][2]string{{"listen", f.listen}, {"rtc-port", number(f.rtcPort)}, {"rtc-listen", f.rtcListen}, {"rtc-address", f.rtcAddress}, {"rtc-tcp", strconv.FormatBool(f.rtcTCP)},
		{"readers", strconv.Itoa(f.readers)}, {"max-participants", strconv.Itoa(f.maxParticipants)}, {"webhook", f.webhooks}, {"record-to", f.recordTo}, {"record-bytes", strconv.FormatInt(f.recordBytes, 10)}, {"supervised", strconv.FormatBool(f.supervised)},
		{"rtc-stun", n.stun}, {"rtc-metadata", n.metadata}, {"ice-servers", n.iceServers}, {"turn", strconv.FormatBool(n.turn)}, {"turn-public", strconv.FormatBool(n.turnPublic)},
		{"turn-port", number(n.turnPort)}, {"turn-tls-port", number(n.turnTLSPort)}, {"turn-domain", n.turnDomain}, {"turn-cert", n.turnCert}, {"turn-key", n.turnKey},
		{"turn-listen", n.turnListen}, {"turn-relay-ports", n.turnRelayPorts}} {
		args = append(args, "--"+a[0]+"="+a[1])
	}
	return args
}

// where is the SFU of a room: the only one, or that of the node which has it.
func (o *ownSFU) where(ctx context.Context, room string) (string, error) {
	if o.nodes == nil {
		return o.host.Where(ctx)
	}
	return o.nodes.register.Of(ctx, room)
}

// handOver has calls go on at other nodes.
func (o *ownSFU) handOver(ctx context.Context) error {
	if o == nil || o.nodes == nil {
		return nil
	}
	o.door.Refuse()
	return o.nodes.register.Drain(ctx)
}

// start starts the SFU, without waiting for it. It tells hook what happens, on
// loopback.
func (o *ownSFU) start(hook http.HandlerFunc) (err error) {
	if o == nil {
		return nil
	}
	if o.heard, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return fmt.Errorf("listen for the SFU: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+hookPath, hook)
	o.hooks.Handler = mux
	go o.hooks.Serve(o.heard) //nolint:errcheck // until it is closed
	o.flags.webhooks = "http://" + o.heard.Addr().String() + hookPath
	o.host.Start()
	return nil
}

// close ends the SFU. What it tells of its end is heard no more: its clients
// are not leaving their calls, they come back as soon as there is another one.
func (o *ownSFU) close(ctx context.Context) error {
	if o == nil {
		return nil
	}
	return errors.Join(o.hooks.Close(), o.host.Close(ctx), o.door.Close(ctx), o.nodes.close(ctx))
}

// inline is a life of the SFU in this process.
func (o *ownSFU) inline(ctx context.Context, up func(string)) error {
	return runSFU(ctx, o.flags, o.keys, o.log, func(about map[string]any) {
		o.log.Info("the SFU answers", "at", about)
		up(fmt.Sprint("http://", about["listen"]))
	})
}

// sfuNice is how much the SFU yields to the server, and sfuLeaves how many
// processors it leaves to it: media that comes a few ms later is evened out by its
// receiver, and an acknowledgement is not. Niceness alone is not enough: nothing
// preempts a system call that sends, and who had its share waits for the next tick.
const (
	sfuNice   = 5
	sfuLeaves = 1
)

// process is a life of the SFU in a process of its own: this very program, also
// when its file was replaced by a newer one in between.
func (o *ownSFU) process(ctx context.Context, up func(string)) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	if runtime.GOOS == "linux" {
		self = "/proc/self/exe"
	}
	f := o.flags
	f.supervised = true
	env := []string{"SKEIN_SFU_KEY=" + o.keys.key, "SKEIN_SFU_SECRET=" + o.keys.secret, "SKEIN_SFU_TURN_SECRET=" + o.keys.turn}
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "TZ", "GODEBUG", "GOMAXPROCS", "GOTRACEBACK", "SSL_CERT_FILE", "SSL_CERT_DIR", "SystemRoot"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	p := host.Process{Program: self, Args: f.args(), Env: env, Log: o.log, Nice: sfuNice, Leave: sfuLeaves}
	return p.Run(ctx, up)
}

// declare declares the metrics of the SFU's keeping. Without one they stay 0.
func (o *ownSFU) declare(set *metrics.Set) {
	of := func(read func() float64) func() float64 {
		return func() float64 {
			if o == nil {
				return 0
			}
			return read()
		}
	}
	set.GaugeFunc("sfu_up", "1 while the server's own media server for calls answers; 0 also where it has none.", of(func() float64 {
		if o.host.Stats().Up {
			return 1
		}
		return 0
	}))
	set.CounterFunc("sfu_restarts_total", "Times that it was started again, because it had ended.", of(func() float64 { return float64(o.host.Stats().Restarts) }))
	set.GaugeFunc("sfu_signals", "Clients in calls whose signalling passes through this server.", of(func() float64 { return float64(o.door.Open()) }))
}
