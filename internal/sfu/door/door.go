// Package door is the way of a LiveKit client through the server to the SFU that
// its room is on: signalling comes to the address that everything else comes to.
// A token is verified before anything is passed on, so that nobody without one
// reaches an SFU.
package door

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/sfu/token"
)

// Options are what a Door is made of; all but Lost and Transport are needed.
type Options struct {
	// Key and Secret are those that tokens are signed with.
	Key, Secret string
	// Where returns the http URL of the SFU that a room is on. It may wait for a
	// moment, while one is being started.
	Where func(ctx context.Context, room string) (base string, err error)
	// Lost says that the SFU of a room did not answer at base, or has not got the
	// room, and returns where to try once more; it may wait. nil = nowhere.
	Lost func(ctx context.Context, room, base string) (string, error)
	// Transport reaches SFUs; nil = by plain HTTP.
	Transport *http.Transport
	Clock     im.Clock
	Log       *slog.Logger
}

// Paths are where a Door answers: signalling, and what clients ask when it was
// refused.
func Paths() []string { return []string{"/rtc", "/rtc/v1", "/rtc/validate", "/rtc/v1/validate"} }

// Door passes signalling on. It is safe for concurrent use.
type Door struct {
	o     Options
	proxy *httputil.ReverseProxy
	open  atomic.Int64
	ctx   context.Context
	stop  context.CancelFunc

	mu     sync.Mutex // guards the rest, and Add of wg against closed
	closed bool
	wg     sync.WaitGroup
	passed map[*passing]struct{}
}

// passing is a request on its way, and the context's value that says where to.
type passing struct {
	room string
	cut  context.CancelFunc
	base string // guarded by Door.mu
}

// target is the key of that value.
type target struct{}

// dialTime bounds the connection to an SFU, and answerTime its first answer. A
// client waits for 5 to 15 s.
const (
	dialTime   = 2 * time.Second
	answerTime = 4 * time.Second
)

// New returns a door; Close ends what goes through it.
func New(o Options) *Door {
	if o.Transport == nil {
		o.Transport = &http.Transport{DialContext: (&net.Dialer{Timeout: dialTime}).DialContext, ResponseHeaderTimeout: answerTime, DisableCompression: true,
			MaxIdleConnsPerHost: 8, IdleConnTimeout: 30 * time.Second}
	}
	d := &Door{o: o, passed: map[*passing]struct{}{}}
	d.ctx, d.stop = context.WithCancel(context.Background())
	d.proxy = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.Header.Del("Cookie") // where to is said by RoundTrip
		},
		Transport: d,
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() == nil {
				o.Log.Warn("an SFU did not answer a client", "err", err)
			}
			away(w)
		},
		ErrorLog: slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug),
	}
	return d
}

// Open is how many clients are passed on at the moment.
func (d *Door) Open() int { return int(d.open.Load()) }

// Refuse lets nobody else in: who comes is told to come again, by then at another
// node. It is better than to be let in and cut off a moment later, which some
// clients do not notice while they are connecting anew.
func (d *Door) Refuse() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
}

// Close cuts off who is passed on, and waits until they are gone or ctx ends.
func (d *Door) Close(ctx context.Context) error {
	d.Refuse()
	d.stop()
	gone := make(chan struct{})
	go func() { d.wg.Wait(); close(gone) }()
	select {
	case <-gone:
	case <-ctx.Done():
		return ctx.Err()
	}
	d.o.Transport.CloseIdleConnections()
	return nil
}

// Cut cuts off who is passed on to an SFU that is gone without having closed
// its connections, as a machine does that stands still. They come back at once,
// and not only when they notice by themselves.
func (d *Door) Cut(base string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for p := range d.passed {
		if p.base == base {
			p.cut()
			n++
		}
	}
	if n > 0 {
		d.o.Log.Warn("clients in calls are cut off from an SFU that is gone, and come back", "at", base, "clients", n)
	}
}

// RoundTrip implements http.RoundTripper: a request goes to where its room is, and
// once more to where that turns out to be instead.
func (d *Door) RoundTrip(r *http.Request) (*http.Response, error) {
	p := r.Context().Value(target{}).(*passing)
	base, err := d.o.Where(r.Context(), p.room)
	if err != nil {
		return nil, err
	}
	a, err := d.to(r, p, base)
	if d.o.Lost == nil || err == nil && a.StatusCode != http.StatusServiceUnavailable || r.Context().Err() != nil {
		return a, err
	}
	if base, lost := d.o.Lost(r.Context(), p.room, base); lost == nil {
		if err == nil {
			a.Body.Close()
		}
		return d.to(r, p, base)
	}
	return a, err
}

// to sends a request to the SFU at base.
func (d *Door) to(r *http.Request, p *passing, base string) (*http.Response, error) {
	to, err := url.Parse(base)
	if err != nil || to.Host == "" {
		return nil, fmt.Errorf("an SFU has no URL: %q", base)
	}
	d.mu.Lock()
	p.base = base
	d.mu.Unlock()
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host, r.URL.Path = to.Scheme, to.Host, strings.TrimSuffix(to.Path, "/")+r.URL.Path
	r.Host = ""
	return d.o.Transport.RoundTrip(r)
}

// away tells a client to come again, which LiveKit's do.
func away(w http.ResponseWriter) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("Retry-After", "1")
	http.Error(w, "the media server is not there at the moment", http.StatusServiceUnavailable)
}

// ServeHTTP passes a request on to the SFU of its token's room. Answers of its
// own: 401 (the token is not valid), 403 (it lets into no room), 405, 503.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// Pages of any origin may ask: nothing here reads a cookie.
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	switch r.Method {
	case http.MethodGet:
	case http.MethodOptions:
		h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
		h.Set("Access-Control-Allow-Methods", "GET, OPTIONS")
		h.Set("Access-Control-Max-Age", "86400")
		w.WriteHeader(http.StatusNoContent)
		return
	default:
		h.Set("Allow", "GET, OPTIONS")
		http.Error(w, "GET, or a WebSocket", http.StatusMethodNotAllowed)
		return
	}
	g, err := token.Parse(bearer(r), d.secret, d.o.Clock.Now())
	switch {
	case err != nil:
		http.Error(w, token.ErrRefused.Error(), http.StatusUnauthorized)
		return
	case !g.Video.RoomJoin || g.Video.Room == "" || g.Identity == "":
		http.Error(w, "the access token does not let into a room", http.StatusForbidden)
		return
	}
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		away(w)
		return
	}
	d.wg.Add(1)
	d.mu.Unlock()
	defer d.wg.Done()
	d.pass(w, r, g.Video.Room)
}

// pass passes a request on until either side, or the door, ends it.
func (d *Door) pass(w http.ResponseWriter, r *http.Request, room string) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(d.ctx, cancel)()
	p := &passing{room: room, cut: cancel}
	d.mu.Lock()
	d.passed[p] = struct{}{}
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.passed, p)
	}()
	d.open.Add(1)
	defer d.open.Add(-1)
	w.Header().Del("Access-Control-Allow-Origin") // the SFU says it
	d.proxy.ServeHTTP(w, r.WithContext(context.WithValue(ctx, target{}, p)))
}

// bearer finds the token of a request: browsers cannot set a header for a
// WebSocket, and the others do.
func bearer(r *http.Request) string {
	if v, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return v
	}
	return r.URL.Query().Get("access_token")
}

func (d *Door) secret(key string) (string, bool) { return d.o.Secret, key == d.o.Key }
