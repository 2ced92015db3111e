package cluster

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/skein-im/skein/internal/pgtest"
	skein "github.com/skein-im/skein/sdk/go"
)

// binary is the server, built once from this tree.
var binary string

func TestMain(m *testing.M) {
	os.Exit(WithBinary("skein-cluster-test", func(built string) int {
		binary = built
		return m.Run()
	}))
}

func start(t *testing.T, o Options) *Cluster {
	t.Helper()
	o.Binary, o.Data, o.DB, o.Listen, o.Args = binary, t.TempDir(), pgtest.DB(t), "127.0.0.1:0", append(o.Args, "--dev")
	o.Say = t.Logf
	c, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			for _, n := range c.Nodes() {
				text, _ := os.ReadFile(c.LogOf(n))
				t.Logf("%s said:\n%s", n.Name, text)
			}
		}
	})
	return c
}

// sessions asks a node how many devices are signed in with it.
func sessions(t *testing.T, n *Node) int {
	t.Helper()
	res, err := http.Get("http://" + n.Addr() + "/dev/info")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var info struct{ Sessions int }
	if err := json.NewDecoder(res.Body).Decode(&info); err != nil {
		t.Fatal(err)
	}
	return info.Sessions
}

// elsewhere connects a user until they are on another node than that one: which
// it is hangs on how many connections came before.
func elsewhere(t *testing.T, c *Cluster, user string, than *Node) *skein.Client {
	t.Helper()
	for range 20 {
		client, n := person(t, c, user)
		if n != than {
			return client
		}
		here := sessions(t, n)
		if err := client.Close(); err != nil {
			t.Fatal(err)
		}
		for sessions(t, n) >= here { // or person would not see the next one
			<-time.After(5 * time.Millisecond)
		}
	}
	t.Fatalf("%s is always on %s", user, than.Name)
	return nil
}

// person connects a user through the balancer and tells which node has them.
func person(t *testing.T, c *Cluster, user string) (*skein.Client, *Node) {
	t.Helper()
	before := map[*Node]int{}
	for _, n := range c.Nodes() {
		before[n] = sessions(t, n)
	}
	client := connect(t, user, c.Addr())
	for _, n := range c.Nodes() {
		if sessions(t, n) > before[n] {
			return client, n
		}
	}
	t.Fatalf("%s is on no node", user)
	return nil, nil
}

func TestNodesThatStartAtOnceOnAnEmptyDatabaseAgree(t *testing.T) {
	for range 2 {
		c := start(t, Options{Nodes: 5})
		out, err := exec.Command(binary, "app", "list", "--data", c.o.Data, "--db", c.Database()).CombinedOutput()
		if err != nil || strings.Count(string(out), "demo") != 2 {
			t.Errorf("the apps are, %v:\n%s", err, out)
		}
		for _, n := range c.Nodes() {
			if sessions(t, n) != 0 {
				t.Errorf("%s has sessions", n.Name)
			}
		}
	}
}

func TestTheUsersOfAKilledNodeAreBackWithinTenSecondsAndNobodyMissesAnything(t *testing.T) {
	c := start(t, Options{Again: 100 * time.Millisecond})
	ann, hers := person(t, c, "ann")
	bob := elsewhere(t, c, "bob", hers)
	want := []string{"before", "meanwhile from bob", "meanwhile from ann"}
	if _, err := ann.With("bob").Send(t.Context(), skein.Outgoing{Text: want[0]}); err != nil {
		t.Fatal(err)
	}
	heard := make(chan string, 10)
	ann.OnMessage(func(e skein.MessageEvent) { heard <- e.Message.Text })

	killed := time.Now()
	pid := hers.Pid()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if _, err := bob.With("ann").Send(t.Context(), skein.Outgoing{Text: want[1]}); err != nil {
		t.Fatal(err)
	}
	for text := ""; text != want[1]; {
		select {
		case text = <-heard:
		case <-time.After(10*time.Second - time.Since(killed)):
			t.Fatal("ann is not current 10 s after her node was killed")
		}
	}
	t.Logf("ann was current after %v", time.Since(killed))
	if _, err := ann.With("bob").Send(t.Context(), skein.Outgoing{Text: want[2]}); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); hers.Pid() == pid || !hers.Up(); {
		if time.Now().After(end) {
			t.Fatal("the killed node was not started again")
		}
		<-time.After(10 * time.Millisecond)
	}
	cid, _ := person(t, c, "bob") // another device of bob's
	var got []string
	for page, err := range cid.With("ann").History(t.Context(), skein.HistoryOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range page {
			got = append(got, m.Text)
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("stored is %q", got)
	}
}
