package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/sfu"
	"github.com/skein-im/skein/internal/sfu/link"
)

// sfuFlags are the options of "skein sfu".
type sfuFlags struct {
	listen, rtcListen, rtcAddress, webhooks string
	recordTo                                string
	recordBytes                             int64
	rtcPort                                 uint
	rtcTCP                                  bool
	readers, maxParticipants                int
	supervised                              bool
	net                                     sfuNetFlags
}

// sfuKeys are its secrets, which are no flags.
type sfuKeys struct{ key, secret, turn string }

const sfuHelp = `skein sfu forwards the media of calls. It speaks LiveKit's client protocol and
room API, so that LiveKit's clients and server SDKs are its own. The API key
and its secret come from the environment: SKEIN_SFU_KEY and SKEIN_SFU_SECRET, and
SKEIN_SFU_TURN_SECRET where it shares one with a TURN server elsewhere.
When it serves, it prints one line of JSON: {"listen":…,"rtc_port":…}.

Options:
`

func parseSFU(args []string, stderr io.Writer) (f sfuFlags, err error) {
	fs := flag.NewFlagSet("sfu", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&f.listen, "listen", "127.0.0.1:7880", "address of signalling and of the room API (HTTP); a proxy with TLS stands before it")
	fs.UintVar(&f.rtcPort, "rtc-port", 7882, "port of all media, UDP and TCP; 0 = a free one")
	fs.StringVar(&f.rtcListen, "rtc-listen", "0.0.0.0", "addresses to serve media on, with commas; 0.0.0.0 and :: stand for all of this machine")
	fs.StringVar(&f.rtcAddress, "rtc-address", "", "addresses that clients are told, with commas: an address (PUBLIC or PUBLIC=LOCAL where a NAT translates), an interface, a network, auto = ask the cloud and STUN; with ! not these; empty = those that are served")
	fs.BoolVar(&f.rtcTCP, "rtc-tcp", true, "serve media over TCP too, for networks without UDP")
	fs.IntVar(&f.readers, "readers", 0, "sockets that share the UDP port; 0 = one a processor")
	fs.IntVar(&f.maxParticipants, "max-participants", 0, "of a room that does not say so itself; 0 = no bound")
	fs.StringVar(&f.webhooks, "webhook", "", "URLs that events are posted to, with commas")
	fs.BoolVar(&f.supervised, "supervised", false, "end when standard input does, as for whoever starts it and may die")
	fs.StringVar(&f.recordTo, "record-to", "", "folder that tracks are recorded to, by LiveKit's egress API; empty = nothing is recorded")
	fs.Int64Var(&f.recordBytes, "record-bytes", 5<<30, "most bytes of a recorded file; then another one is begun")
	f.net.define(fs)
	fs.Usage = func() {
		fmt.Fprint(stderr, sfuHelp)
		fs.PrintDefaults()
	}
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return f, exitCode(0)
		}
		return f, exitCode(2)
	}
	if fs.NArg() > 0 {
		return f, fmt.Errorf("sfu takes options only, not %q", fs.Arg(0))
	}
	if f.rtcPort > 65535 {
		return f, fmt.Errorf("there is no port %d", f.rtcPort)
	}
	return f, f.net.check()
}

// addresses reads a list of IP addresses.
func addresses(list string) (out []netip.Addr, err error) {
	for _, s := range strings.Split(list, ",") {
		if s = strings.TrimSpace(s); s == "" {
			continue
		}
		a, err := netip.ParseAddr(s)
		if err != nil {
			return nil, fmt.Errorf("%q is not an IP address", s)
		}
		out = append(out, a)
	}
	return out, nil
}

// sfuCommand serves calls until it is told to stop.
func sfuCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f, err := parseSFU(args, stderr)
	if code := exitCode(0); errors.As(err, &code) && code == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	keys := sfuKeys{os.Getenv("SKEIN_SFU_KEY"), os.Getenv("SKEIN_SFU_SECRET"), os.Getenv("SKEIN_SFU_TURN_SECRET")}
	if keys.key == "" || len(keys.secret) < 32 {
		return errors.New("set SKEIN_SFU_KEY, and SKEIN_SFU_SECRET to at least 32 characters")
	}
	if f.supervised {
		// Where memory runs out (Linux), calls go before chat does.
		_ = os.WriteFile("/proc/self/oom_score_adj", []byte("500"), 0) // elsewhere there is no such file
		var alone context.CancelFunc
		ctx, alone = context.WithCancel(ctx)
		defer alone()
		go func() { // ends with the process
			io.Copy(io.Discard, os.Stdin) //nolint:errcheck // whatever ended it
			alone()
		}()
	}
	return runSFU(ctx, f, keys, slog.New(slog.NewJSONHandler(stderr, nil)), func(about map[string]any) {
		json.NewEncoder(stdout).Encode(about) //nolint:errcheck // whoever started it sees the end
	})
}

// runSFU serves calls until ctx ends. It calls up with what there is to know of
// it when it answers.
func runSFU(ctx context.Context, f sfuFlags, keys sfuKeys, log *slog.Logger, up func(about map[string]any)) (err error) {
	cfg := sfu.Config{
		Keys: map[string]string{keys.key: keys.secret}, WebhookKey: keys.key, MaxParticipants: uint32(max(f.maxParticipants, 0)),
		RecordDir: f.recordTo, RecordLimit: f.recordBytes,
		Media: link.Config{Port: uint16(f.rtcPort), TCP: f.rtcTCP, Readers: f.readers},
		Clock: im.SystemClock{}, Entropy: im.SystemEntropy(), Log: log,
	}
	if cfg.Media.Listen, err = addresses(f.rtcListen); err != nil {
		return fmt.Errorf("--rtc-listen: %w", err)
	}
	network, err := newSFUNet(ctx, f, keys.turn, cfg.Media.Listen, cfg.Log)
	if err != nil {
		return err
	}
	cfg.Media.Advertise, cfg.ICEServers = network.told(), network.iceServers
	for _, u := range strings.Split(f.webhooks, ",") {
		if u = strings.TrimSpace(u); u != "" {
			cfg.Webhooks = append(cfg.Webhooks, u)
		}
	}
	ln, err := net.Listen("tcp", f.listen)
	if err != nil {
		return err
	}
	server, err := sfu.New(cfg)
	if err != nil {
		ln.Close() //nolint:errcheck // the first error tells
		return err
	}
	if err := network.start(ctx, server); err != nil {
		ln.Close() //nolint:errcheck // the first error tells
		server.Close()
		return err
	}
	h := &http.Server{Handler: server.Handler(), ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- h.Serve(ln) }()
	up(network.describe(map[string]any{"listen": ln.Addr().String(), "rtc_port": server.MediaPort()}))
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	limit, stop := context.WithTimeout(context.Background(), 5*time.Second)
	defer stop()
	server.Close()
	network.close()
	h.Shutdown(limit) //nolint:errcheck // what is left is cut off
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return err
}
