package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/skein-im/skein/internal/config"
	"github.com/skein-im/skein/internal/health"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	"github.com/skein-im/skein/internal/metrics"
)

// operations is what operators look at. It is there before everything else,
// so that a server that takes long to start, because it migrates or waits for
// its database, can be seen to live and to be not ready.
type operations struct {
	metrics *metrics.Set
	health  *health.Health
	addr    string // of the admin listener, "" = none
	server  *http.Server
	ended   chan struct{}         // closed when server has ended
	began   atomic.Pointer[int64] // of the drain, in microseconds; nil before
	clock   im.Clock
}

// startOperations starts the admin listener, if there is to be one.
func startOperations(cfg *config.Config, log *slog.Logger) (*operations, error) {
	clock := im.SystemClock{}
	o := &operations{metrics: metrics.New(clock), health: health.New(clock, log), clock: clock, ended: make(chan struct{})}
	info := o.metrics.Gauges("build_info", "Always 1; the label tells the version that runs.", "version", version)
	info[version].Set(1)
	o.metrics.GaugeFunc("ready", "1 when this node can take a message, as /readyz says, else 0.", func() float64 {
		if o.health.Report().Ready {
			return 1
		}
		return 0
	})
	reasons := o.metrics.Gauges("not_ready", "1 for each reason for which this node is not ready.", "reason", health.Checks()...)
	o.metrics.OnScrape(func(context.Context) {
		for _, g := range reasons {
			g.Set(0)
		}
		for _, r := range o.health.Report().Reasons {
			if g := reasons[r.Name]; g != nil {
				g.Set(1)
			}
		}
	})
	if cfg.Admin.Listen == "" {
		close(o.ended)
		return o, nil
	}
	ln, err := net.Listen("tcp", cfg.Admin.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen for operators on %s: choose another address with --admin-listen: %w", cfg.Admin.Listen, err)
	}
	o.addr = ln.Addr().String()
	// A profile takes as long as was asked for, so writes have no deadline.
	handler := o.routes()
	if loopbackHost(o.addr) {
		handler = ownNames(handler)
	}
	o.server = &http.Server{Handler: handler, ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	go func() { // ends with the server
		defer close(o.ended)
		o.server.Serve(ln) //nolint:errcheck // always an error, and only close ends it
	}()
	log.Info("operators are answered", "addr", o.addr)
	return o, nil
}

// close ends the admin listener, as the last thing: a drain can be watched.
func (o *operations) close() {
	if o.server != nil {
		o.server.Close() //nolint:errcheck // the process ends
	}
	<-o.ended
}

// drain notes that the server was told to end.
func (o *operations) drain() {
	now := o.clock.Now().UnixMicro()
	o.began.CompareAndSwap(nil, &now)
	o.health.Drain()
}

// sinceDrain is for how long the server has been ending.
func (o *operations) sinceDrain() time.Duration {
	if began := o.began.Load(); began != nil {
		return o.clock.Now().Sub(time.UnixMicro(*began))
	}
	return 0
}

// left is how much of the drain's timeout is left.
func (o *operations) left(cfg *config.Config) time.Duration {
	return cfg.Drain.Timeout - o.sinceDrain()
}

// routes are the admin listener's.
func (o *operations) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", o.metrics.Handler())
	mux.HandleFunc("GET /livez", live)
	mux.HandleFunc("GET /readyz", o.readyInFull)
	mux.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) {
		answerJSON(w, http.StatusOK, map[string]string{"version": version, "revision": revision(), "go": runtime.Version()})
	})
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	// Not cmdline: the URL of the database, with its password, may be in it.
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

// ownNames refuses what asks for this machine by a name of somebody else's: a
// page in a browser here whose name was made to point here (DNS rebinding).
func ownNames(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !loopbackHost(r.Host) {
			http.Error(w, "this listener answers to a loopback Host only", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// live answers that the process runs: what restarts a process that hangs asks
// this, and never whether it is ready.
func live(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Write([]byte("ok\n")) //nolint:errcheck // the client's loss
}

// readyInFull answers operators with every reason.
func (o *operations) readyInFull(w http.ResponseWriter, _ *http.Request) {
	r, status := o.health.Report(), http.StatusOK
	if !r.Ready {
		status = http.StatusServiceUnavailable
	}
	answerJSON(w, status, r)
}

// readyInShort answers strangers: 200, or 503 with the names of the reasons.
func (o *operations) readyInShort(w http.ResponseWriter, r *http.Request) {
	report := o.health.Report()
	if report.Ready {
		live(w, r)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, "not ready: "+report.Names(), http.StatusServiceUnavailable)
}

func answerJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v) //nolint:errcheck // the client's loss
}

// revision is the commit that the program was built from, if that is known.
func revision() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				return s.Value
			}
		}
	}
	return ""
}

// checks are what a send needs, so that a node that says ready can take one.
func (s *server) checks(cfg *config.Config) []health.Check {
	return []health.Check{
		health.Database(s.db, s.node),
		health.Lease(s.auth.Valid),
		health.Disk(cfg.Data, cfg.Admin.DiskPercent),
		health.Func("journal", func() error { return journal.Failing(s.journal) }),
		health.Func("admission", s.gateway.Admits),
	}
}
