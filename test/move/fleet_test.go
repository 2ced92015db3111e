// Package move_test proves that a store can be moved and put back under its
// clients: real servers, real SDK clients that send all the time, some of them
// offline, and at the end every device is compared with a fresh one.
//
// SKEIN_CHAOS_LONG=1 makes the runs as long as docs/reliability.md has them.
package move_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skein "github.com/skein-im/skein/sdk/go"
	"github.com/skein-im/skein/sdk/go/sqlitestore"
	"github.com/skein-im/skein/test/cluster"
)

var binary string

func TestMain(m *testing.M) {
	os.Exit(cluster.WithBinary("skein-move", func(built string) int {
		binary = built
		return m.Run()
	}))
}

// size is how large a run is.
type size struct {
	stored  int           // messages that are there before
	clients int           // connected, each sends to the next
	offline int           // that were there before, and come back afterwards
	rate    int           // messages a second, all clients together
	before  time.Duration // how long they send before anything happens
}

func runSize() size {
	if os.Getenv("SKEIN_CHAOS_LONG") != "" {
		return size{stored: 200_000, clients: 40, offline: 10, rate: 1000, before: 10 * time.Second}
	}
	return size{stored: 3000, clients: 8, offline: 3, rate: 200, before: time.Second}
}

// device is one client of one user, and what happened to what it sent.
type device struct {
	user   string
	client *skein.Client
	store  skein.Store
	peer   *skein.Conversation

	mu     sync.Mutex
	sent   map[string]bool      // enqueued, by id
	acked  map[string]uint64    // seq, by id
	when   []time.Time          // of the acks
	failed map[string]error     // definitive
	at     map[string]time.Time // of the ack, by id
	room   chan struct{}        // poked by each ack
}

// fleet is a server and its clients.
type fleet struct {
	*testing.T
	s       *server
	size    size
	devices []*device
	away    []*device
}

func newFleet(t *testing.T, data string) *fleet {
	t.Helper()
	return &fleet{T: t, size: runSize(), s: &server{store: []string{"--data", data}}}
}

// server is the real one, in a process of its own, on whatever store it is
// given at its next start.
type server struct {
	store []string
	node  *cluster.Node
	log   lockedLog
}

// options of serve, beside the store: all clients come from one address.
func options() []string {
	return []string{"--limits-hello-rate", "10000", "--limits-hello-burst", "10000", "--limits-call-rate", "10000", "--limits-call-burst", "10000"}
}

func (s *server) start() error {
	listen := "127.0.0.1:0"
	if s.node != nil {
		listen = s.node.Addr() // where the clients look for it
	}
	s.node = &cluster.Node{Name: "the server", Binary: binary, Listen: listen, Args: append(options(), s.store...), Log: &s.log}
	return s.node.Start()
}

// tool runs a subcommand on the store.
func (s *server) tool(args ...string) (string, error) {
	cmd := exec.Command(binary, append(args, s.store...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("skein %s: %w: %s", strings.Join(args, " "), err, stderr.String())
	}
	return strings.TrimSpace(string(out)), err
}

// lockedLog is what the processes of a server have written.
type lockedLog struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

// Write implements io.Writer.
func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedLog) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return tail(l.b.String())
}

func (f *fleet) createApp() error {
	_, err := f.s.tool("app", "create", "fleet")
	return err
}

// must ends the test for an error.
func (f *fleet) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatalf("%v\nthe server said:\n%s", err, f.s.log.tail())
	}
}

func tail(s string) string { return s[max(0, len(s)-4000):] }

// preload stores messages of other users, as fast as the journal takes them.
func preload(t *testing.T, target string, n int) {
	t.Helper()
	d, err := db.Open(t.Context(), target, db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	j, err := journal.Open(t.Context(), d, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close(context.Background())
	var wg sync.WaitGroup
	room := make(chan struct{}, 2000)
	for i := range n {
		id, err := im.NewClientID(time.Now(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		a, b := im.UserID(fmt.Sprintf("old%d", i%200)), im.UserID(fmt.Sprintf("old%d", (i+1)%200))
		room <- struct{}{}
		wg.Add(1)
		j.Submit(&journal.Append{App: "fleet", Conv: im.Direct(a, b), Kind: im.KindMessage, Sender: a, ClientID: id, ACLVersion: -1, MarkRead: true,
			Body: []byte(strings.Repeat("x", 80+i%200)), Create: &journal.Create{Kind: im.ConvDirect, Members: []journal.NewMember{
				{User: a, Role: im.RoleMember}, {User: b, Role: im.RoleMember}}}}, func(_ journal.Result, err error) {
			if err != nil {
				t.Error(err)
			}
			<-room
			wg.Done()
		})
	}
	wg.Wait()
}

// open makes a client and connects it.
func (f *fleet) open(user, name string, store skein.Store) *device {
	f.Helper()
	var mu sync.Mutex
	token := ""
	d := &device{user: user, store: store, sent: map[string]bool{}, acked: map[string]uint64{}, failed: map[string]error{},
		at: map[string]time.Time{}, room: make(chan struct{}, 1)}
	c, err := skein.New(skein.Options{Endpoint: "http://" + f.s.node.Addr(), AppID: "fleet", User: user, DeviceID: name, Store: store,
		Token: func(context.Context) (string, error) {
			mu.Lock()
			defer mu.Unlock()
			var err error
			if token == "" {
				token, err = f.s.tool("token", "--app", "fleet", "--user", user)
			}
			return token, err
		}})
	f.must(err)
	d.client = c
	c.OnMessageUpdated(func(e skein.MessageEvent) { d.updated(e.Message) })
	f.Cleanup(func() { c.Close() })
	return d
}

func (d *device) updated(m skein.Message) {
	if m.Sender != d.user {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case m.Seq > 0 && d.acked[m.ID] == 0:
		d.acked[m.ID] = m.Seq
		d.when, d.at[m.ID] = append(d.when, time.Now()), time.Now()
		delete(d.failed, m.ID)
	case m.State == skein.Failed:
		d.failed[m.ID] = m.Err
	}
	select {
	case d.room <- struct{}{}:
	default:
	}
}

// start opens the fleet: every client has a conversation with the next one.
func (f *fleet) start() {
	f.Helper()
	n := f.size.clients
	for i := range n {
		d := f.open(fmt.Sprintf("u%d", i), "phone", f.deviceStore(i))
		f.must(d.client.Connect(f.Context()))
		d.peer = d.client.With(fmt.Sprintf("u%d", (i+1)%n))
		f.devices = append(f.devices, d)
	}
	for i := range f.size.offline { // a second device of a user, which goes away
		store, err := sqlitestore.Open(filepath.Join(f.TempDir(), "away.db"))
		f.must(err)
		f.Cleanup(func() { store.Close() })
		d := f.open(fmt.Sprintf("u%d", i), "tablet", store)
		f.must(d.client.Connect(f.Context()))
		d.peer = d.client.With(fmt.Sprintf("u%d", (i+1)%n))
		d.enqueue(f, "said by the tablet")
		f.away = append(f.away, d)
	}
	f.settled(f.away...)
}

// deviceStore keeps some devices on disk and the others in memory.
func (f *fleet) deviceStore(i int) skein.Store {
	if i%4 != 0 {
		return skein.NewMemoryStore()
	}
	store, err := sqlitestore.Open(filepath.Join(f.TempDir(), "device.db"))
	f.must(err)
	f.Cleanup(func() { store.Close() })
	return store
}

func (d *device) enqueue(f *fleet, text string) {
	f.Helper()
	m, err := d.peer.Enqueue(f.Context(), skein.Outgoing{Text: text})
	f.must(err)
	d.mu.Lock()
	d.sent[m.ID] = true
	d.mu.Unlock()
}

// load lets all send at the rate until stop is called, which waits until
// everything is acknowledged.
func (f *fleet) load() (stop func()) {
	ctx, cancel := context.WithCancel(f.Context())
	var wg sync.WaitGroup
	for i, d := range f.devices {
		wg.Go(func() {
			tick := time.NewTicker(time.Second * time.Duration(f.size.clients) / time.Duration(f.size.rate))
			defer tick.Stop()
			for n := 0; ; n++ {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
				m, err := d.peer.Enqueue(ctx, skein.Outgoing{Text: fmt.Sprintf("u%d says %d", i, n)})
				if ctx.Err() != nil && err != nil {
					return
				}
				if err != nil {
					f.Errorf("enqueue: %v", err)
					return
				}
				d.mu.Lock()
				d.sent[m.ID] = true
				d.mu.Unlock()
			}
		})
	}
	return func() {
		cancel()
		wg.Wait()
		f.settled(f.devices...)
	}
}

// settled waits until everything that was sent is acknowledged.
func (f *fleet) settled(devices ...*device) {
	f.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	for _, d := range devices {
		for {
			d.mu.Lock()
			left, failed := len(d.sent)-len(d.acked), len(d.failed)
			d.mu.Unlock()
			if left <= 0 {
				break
			}
			select {
			case <-d.room:
			case <-deadline.C:
				f.Fatalf("%s has %d messages without an ack, %d failed, and is %v\nthe server said:\n%s", d.user, left, failed, d.client.State(), f.s.log.tail())
			}
		}
	}
}

// count is how many messages were acknowledged by now.
func (f *fleet) count() (n int) {
	for _, d := range f.devices {
		d.mu.Lock()
		n += len(d.acked)
		d.mu.Unlock()
	}
	return n
}

// pauses returns the longest time in which nobody got an ack, and the longest
// of each client, sorted.
func (f *fleet) pauses() (all time.Duration, each []time.Duration) {
	var every []time.Time
	gap := func(list []time.Time) (g time.Duration) {
		for i := 1; i < len(list); i++ {
			g = max(g, list[i].Sub(list[i-1]))
		}
		return g
	}
	for _, d := range f.devices {
		d.mu.Lock()
		each = append(each, gap(d.when))
		every = append(every, d.when...)
		d.mu.Unlock()
	}
	slices.SortFunc(every, time.Time.Compare)
	slices.Sort(each)
	return gap(every), each
}

// line is a message as a device shows it.
type line struct {
	Seq  uint64
	ID   string
	Text string
}

// view is everything that a device shows, by conversation.
func (f *fleet) view(c *skein.Client) map[string][]line {
	f.Helper()
	out := map[string][]line{}
	for _, conv := range c.Conversations() {
		var list []line
		for page, err := range conv.History(f.Context(), skein.HistoryOptions{Limit: 200}) {
			f.must(err)
			for _, m := range page {
				list = append(list, line{m.Seq, m.ID, m.Text})
			}
		}
		slices.SortFunc(list, func(a, b line) int { return int(int64(a.Seq) - int64(b.Seq)) })
		out[conv.ID()] = list
	}
	return out
}

// converged compares every device with a fresh one of its user, and returns
// what the fresh ones show, by message id.
func (f *fleet) converged(devices ...*device) map[string]line {
	f.Helper()
	all := map[string]line{}
	fresh := map[string]map[string][]line{}
	for _, d := range devices {
		if fresh[d.user] == nil {
			c := f.open(d.user, "fresh", skein.NewMemoryStore())
			f.must(c.client.Connect(f.Context()))
			fresh[d.user] = f.view(c.client)
			f.must(c.client.Close())
		}
		want := fresh[d.user]
		got := f.await(d, want)
		for conv, list := range want {
			for i, l := range list {
				if l.Seq != list[0].Seq+uint64(i) {
					f.Errorf("%s: conversation %s has a gap or a double before %d", d.user, conv, l.Seq)
				}
				if old, ok := all[l.ID]; ok && old != l {
					f.Errorf("message %s is %v and %v", l.ID, old, l)
				}
				all[l.ID] = l
			}
			if !slices.Equal(list, got[conv]) {
				f.Errorf("%s: conversation %s has %d messages, a fresh device %d", d.user, conv, len(got[conv]), len(list))
			}
		}
		if len(got) != len(want) {
			f.Errorf("%s knows %d conversations, a fresh device %d", d.user, len(got), len(want))
		}
	}
	return all
}

// await reads a device until it shows what a fresh one does, or half a minute
// is over: what others sent reaches it a moment after their ack.
func (f *fleet) await(d *device, want map[string][]line) (got map[string][]line) {
	f.Helper()
	changed := make(chan struct{}, 1)
	poke := func(skein.MessageEvent) {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	defer d.client.OnMessage(poke)()
	defer d.client.OnMessageUpdated(poke)()
	defer d.client.OnMessageRemoved(poke)()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		got = f.view(d.client)
		equal := len(got) == len(want)
		for conv, list := range want {
			equal = equal && slices.Equal(list, got[conv])
		}
		if equal {
			return got
		}
		select {
		case <-changed:
		case <-tick.C:
		case <-deadline.C:
			return got
		}
	}
}
