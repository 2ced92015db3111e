package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/skein-im/skein/internal/db"
	skein "github.com/skein-im/skein/sdk/go"
)

// latency sends messages one by one and returns how long each took to reach a
// client, sorted.
func latency(t *testing.T, from, to *skein.Client, n int) []time.Duration {
	t.Helper()
	heard := make(chan string, 100)
	off := to.OnMessage(func(e skein.MessageEvent) { heard <- e.Message.Text })
	defer off()
	var out []time.Duration
	for i := range n {
		text := fmt.Sprintf("message %d", i)
		sent := time.Now()
		if _, err := from.With(to.UserID()).Send(t.Context(), skein.Outgoing{Text: text}); err != nil {
			t.Fatal(err)
		}
		for got := ""; got != text; {
			select {
			case got = <-heard:
			case <-time.After(15 * time.Second):
				t.Fatalf("%q did not arrive", text)
			}
		}
		out = append(out, time.Since(sent))
	}
	slices.Sort(out)
	return out
}

func TestWhatIsSentOnOneNodeIsThereAtOnceOnAnother(t *testing.T) {
	c := start(t, Options{})
	ann, bob := at(t, "ann", c.Nodes()[0]), at(t, "bob", c.Nodes()[1])
	took := latency(t, ann, bob, 30)
	t.Logf("from send to delivery on another node: median %v, slowest %v", took[15], took[29])
	if took[15] > 500*time.Millisecond { // reading would take a second
		t.Errorf("half of the messages took longer than %v", took[15])
	}
}

func TestAGroupOfManyIsHeardOnEveryNode(t *testing.T) {
	c := start(t, Options{})
	ann, bob, cid := at(t, "ann", c.Nodes()[0]), at(t, "bob", c.Nodes()[1]), at(t, "cid", c.Nodes()[2])
	members := []string{"bob", "cid"}
	for i := range 250 {
		members = append(members, fmt.Sprint("absent", i))
	}
	group, err := ann.CreateGroup(t.Context(), skein.NewGroup{ID: "many", Title: "many", Members: members})
	if err != nil {
		t.Fatal(err)
	}
	heard := make(chan string, 100)
	for _, x := range []*skein.Client{bob, cid} {
		defer x.OnMessage(func(e skein.MessageEvent) {
			if e.Message.Text != "" { // the entry that made the group may come just now
				heard <- x.UserID() + e.Message.Text
			}
		})()
	}
	var took []time.Duration
	for i := range 20 {
		began := time.Now()
		if _, err := group.Send(t.Context(), skein.Outgoing{Text: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
		want := map[string]bool{fmt.Sprint("bob", i): true, fmt.Sprint("cid", i): true}
		for len(want) > 0 {
			select {
			case got := <-heard:
				if !want[got] {
					t.Fatalf("heard %q in place of %v", got, want)
				}
				delete(want, got)
			case <-time.After(15 * time.Second):
				t.Fatalf("%v were not heard", want)
			}
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	t.Logf("from send to delivery on both other nodes: median %v, slowest %v", took[10], took[19])
	if took[10] > 500*time.Millisecond {
		t.Errorf("half of the messages took longer than %v", took[10])
	}
}

// natsServer starts a NATS of the operator's own.
func natsServer(t *testing.T, port int) (stop func()) {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: port, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("NATS does not start")
	}
	stop = sync.OnceFunc(func() { s.Shutdown(); s.WaitForShutdown() })
	t.Cleanup(stop)
	return stop
}

func TestWhenNATSIsGoneMessagesArriveByReadingAndWhenItIsBackAtOnce(t *testing.T) {
	addr, err := freeAddr()
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(addr, ":")
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	stop := natsServer(t, port)
	c := start(t, Options{Nodes: 2, Args: []string{"--nats-url", "nats://" + addr}})
	ann, bob := at(t, "ann", c.Nodes()[0]), at(t, "bob", c.Nodes()[1])
	if took := latency(t, ann, bob, 11); took[5] > 500*time.Millisecond {
		t.Errorf("over NATS: %v", took)
	}
	stop()
	took := latency(t, ann, bob, 2)
	t.Logf("without it: %v", took)
	if took[1] > 5*time.Second {
		t.Errorf("without it: %v", took)
	}
	natsServer(t, port)
	back := time.Now()
	for { // the nodes find it by themselves
		took := latency(t, ann, bob, 3)
		if took[2] < 500*time.Millisecond {
			t.Logf("at once again %v after it was back: %v", time.Since(back), took)
			return
		}
		if time.Since(back) > 30*time.Second {
			t.Fatalf("30 s after it is back: %v", took)
		}
	}
}

func TestWithoutABusMessagesArriveByReading(t *testing.T) {
	c := start(t, Options{Nodes: 2, Args: []string{NoBus}})
	ann, bob := at(t, "ann", c.Nodes()[0]), at(t, "bob", c.Nodes()[1])
	if took := latency(t, ann, bob, 2); took[1] > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

// signedOff yields when a client has learned that its device is signed out.
func signedOff(c *skein.Client) <-chan struct{} {
	out := make(chan struct{}, 10)
	c.OnState(func(e skein.StateEvent) {
		if e.State == skein.SignedOff {
			out <- struct{}{}
		}
	})
	return out
}

func TestASignOutOnOneNodeEndsTheSocketOnAnotherAtOnce(t *testing.T) {
	c := start(t, Options{})
	tablet := at(t, "ann", c.Nodes()[0])
	var took []time.Duration
	for range 5 {
		phone := at(t, "ann", c.Nodes()[1])
		off := signedOff(phone)
		began := time.Now()
		if err := tablet.SignOut(t.Context(), phone.DeviceID()); err != nil {
			t.Fatal(err)
		}
		answered := time.Since(began)
		select {
		case <-off:
		case <-time.After(10 * time.Second):
			t.Fatal("the phone goes on")
		}
		took = append(took, max(answered, time.Since(began)))
	}
	slices.Sort(took)
	t.Logf("from the call to its answer and the end of the socket: %v", took)
	if took[2] > time.Second {
		t.Errorf("half of the sign-outs took longer than %v", took[2])
	}
}

// ask reads one number from the cluster's database.
func ask(t *testing.T, d *db.DB, sql string) (n int64) {
	t.Helper()
	if err := d.Read(t.Context(), func(tx db.Tx) error { return tx.QueryRow(sql).Scan(&n) }); err != nil {
		t.Fatal(err)
	}
	return n
}

// A node sleeps through a sign-out and through the lease of its followers, and
// wakes: it delivers nothing to whom was signed out, and moves no cursor.
func TestANodeThatWasFrozenDeliversNothingItMayNotAndMovesNoCursor(t *testing.T) {
	t.Parallel() // it waits for most of its time
	c := start(t, Options{})
	d, err := db.Open(t.Context(), c.Database(), db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	here, frozen := c.Nodes()[0], c.Nodes()[1]
	tablet, phone, bob := at(t, "ann", here), at(t, "ann", frozen), at(t, "bob", here)
	heard := make(chan string, 100)
	phone.OnMessage(func(e skein.MessageEvent) { heard <- e.Message.Text })
	if _, err := bob.With("ann").Send(t.Context(), skein.Outgoing{Text: "before"}); err != nil {
		t.Fatal(err)
	}
	for text := ""; text != "before"; text = <-heard {
	}
	epochs := ask(t, d, "SELECT coalesce(sum(epoch), 0) FROM follower")

	if err := syscall.Kill(frozen.Pid(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	asleep := time.Now()
	defer syscall.Kill(frozen.Pid(), syscall.SIGCONT)
	// The acknowledgement waits until the frozen node's lease has run out.
	if err := tablet.SignOut(t.Context(), phone.DeviceID()); err != nil {
		t.Fatal(err)
	}
	t.Logf("the sign-out was acknowledged after %v", time.Since(asleep))
	const sent = 20
	for i := range sent {
		if _, err := bob.With("ann").Send(t.Context(), skein.Outgoing{Text: fmt.Sprint("after ", i)}); err != nil {
			t.Fatal(err)
		}
	}
	// The followers that it held, if any, are another's after their lease.
	<-time.After(time.Until(asleep.Add(30 * time.Second)))
	off := signedOff(phone)
	if err := syscall.Kill(frozen.Pid(), syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	select {
	case <-off:
	case <-time.After(20 * time.Second):
		t.Fatal("the phone was not told that it is signed out")
	}
	select {
	case text := <-heard:
		t.Errorf("the phone got %q after its sign-out was acknowledged", text)
	default:
	}
	// Every message is counted once, whoever counted it.
	deadline := time.Now().Add(20 * time.Second)
	for ask(t, d, "SELECT coalesce(sum(messages), 0) FROM usage_day") < sent+1 && time.Now().Before(deadline) {
		<-time.After(100 * time.Millisecond)
	}
	if n := ask(t, d, "SELECT coalesce(sum(messages), 0) FROM usage_day"); n != sent+1 {
		t.Errorf("%d messages were counted of %d", n, sent+1)
	}
	if behind := ask(t, d, "SELECT count(*) FROM follower f JOIN shard s ON s.shard = f.shard WHERE f.pos > s.head"); behind != 0 {
		t.Errorf("%d cursors lie past their shards", behind)
	}
	t.Logf("the epochs rose by %d", ask(t, d, "SELECT coalesce(sum(epoch), 0) FROM follower")-epochs)
}

// at connects a user to a node, past the balancer.
func at(t *testing.T, user string, n *Node) *skein.Client {
	t.Helper()
	return connect(t, user, n.Addr())
}

// connect connects a user of the demo app to an address.
func connect(t *testing.T, user, addr string) *skein.Client {
	t.Helper()
	client, err := skein.New(skein.Options{Endpoint: "http://" + addr, AppID: "demo", User: user,
		Token: func(context.Context) (string, error) {
			res, err := http.Post("http://"+addr+"/dev/token", "application/json", strings.NewReader(`{"user":"`+user+`"}`))
			if err != nil {
				return "", err
			}
			defer res.Body.Close()
			var answer struct{ Token string }
			return answer.Token, json.NewDecoder(res.Body).Decode(&answer)
		}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	if err := client.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	return client
}
