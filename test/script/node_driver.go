package script

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"
)

// node is a Node process with drivers of the TypeScript SDK in it; what is said
// over its pipes is in driver/driver.mjs.
type node struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	ended chan struct{}

	mu      sync.Mutex // guards the rest, and writes
	next    int        // the id of the last command
	waiting map[int]chan answer
	drivers []*nodeDriver // by their numbers
	live    int           // of drivers
}

// nodeDriver is one driver in such a process.
type nodeDriver struct {
	*node
	number  int
	changed chan struct{}
}

// request is a command to a driver, or with Open the making of it.
type request struct {
	ID     int      `json:"id"`
	Driver int      `json:"driver"`
	Open   []string `json:"open,omitempty"`
	Command
}

type answer struct {
	ID      int             `json:"id"`
	Driver  int             `json:"driver"`
	Result  json.RawMessage `json:"result"`
	Failure *Failure        `json:"failure"`
	Error   string          `json:"error"`
	Changed bool            `json:"changed"`
}

// OpenNode opens devices of the TypeScript SDK. Those of a script share a
// process, which ends with the last of them: most of what a device costs is a
// Node that starts and loads the SDK. Each has storage and a link of its own.
func OpenNode() Opener {
	var n *node
	return func(t *testing.T, endpoint, app, user, device string) Driver {
		t.Helper()
		if n == nil || n.live == 0 {
			n = startNode(t, exec.Command("node", "driver/driver.mjs"))
		}
		d := n.driver()
		if _, err := d.ask(t.Context(), request{Open: []string{endpoint, app, user, device}}); err != nil {
			t.Fatal(err)
		}
		return d
	}
}

// OpenServerNode makes a back end on the TypeScript SDK, in a process of its own.
func OpenServerNode(t *testing.T, endpoint, app, kid, secret string) Caller {
	t.Helper()
	cmd := exec.Command("node", "backend.mjs", endpoint, app, kid)
	cmd.Env = append(os.Environ(), "SKEIN_SECRET="+secret)
	return startNode(t, cmd).driver()
}

// startNode starts a process.
func startNode(t *testing.T, cmd *exec.Cmd) *node {
	t.Helper()
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	n := &node{cmd: cmd, in: in, ended: make(chan struct{}), waiting: map[int]chan answer{}}
	go n.listen(out)
	return n
}

// driver is one more driver in the process.
func (n *node) driver() *nodeDriver {
	n.mu.Lock()
	defer n.mu.Unlock()
	d := &nodeDriver{node: n, number: len(n.drivers), changed: make(chan struct{}, 1)}
	n.drivers = append(n.drivers, d)
	n.live++
	return d
}

// listen hands answers to those who wait for them, until the process ends.
func (n *node) listen(out io.Reader) {
	defer close(n.ended)
	s := bufio.NewScanner(out)
	s.Buffer(nil, 64<<20)
	for s.Scan() {
		var a answer
		if err := json.Unmarshal(s.Bytes(), &a); err != nil {
			fmt.Fprintf(os.Stderr, "the Node driver said %s\n", s.Bytes())
			continue
		}
		n.mu.Lock()
		d, ch := n.drivers[a.Driver], n.waiting[a.ID]
		delete(n.waiting, a.ID)
		n.mu.Unlock()
		if a.Changed {
			select {
			case d.changed <- struct{}{}:
			default:
			}
		} else if ch != nil {
			ch <- a
		}
	}
}

// Do implements Driver.
func (d *nodeDriver) Do(ctx context.Context, c Command) (json.RawMessage, error) {
	return d.ask(ctx, request{Command: c})
}

func (d *nodeDriver) ask(ctx context.Context, r request) (json.RawMessage, error) {
	ch := make(chan answer, 1)
	d.mu.Lock()
	d.next++
	r.ID, r.Driver = d.next, d.number
	d.waiting[r.ID] = ch
	b, err := json.Marshal(r)
	if err == nil {
		_, err = d.in.Write(append(b, '\n'))
	}
	d.mu.Unlock()
	if err != nil {
		return nil, fmt.Errorf("the Node driver: %w", err)
	}
	select {
	case a := <-ch:
		switch {
		case a.Failure != nil:
			return nil, a.Failure
		case a.Error != "":
			return nil, fmt.Errorf("the Node driver: %s", a.Error)
		}
		return a.Result, nil
	case <-d.ended:
		return nil, fmt.Errorf("the Node driver has ended")
	case <-ctx.Done():
		return nil, fmt.Errorf("%s did not answer: %w", r.Verb, ctx.Err())
	}
}

// View implements Driver.
func (d *nodeDriver) View(ctx context.Context) (v View, err error) {
	raw, err := d.Do(ctx, Command{Verb: "view"})
	if err == nil {
		err = json.Unmarshal(raw, &v)
	}
	return v, err
}

// Changed implements Driver.
func (d *nodeDriver) Changed() <-chan struct{} { return d.changed }

// Close implements Driver: the process ends with its last driver, and closes
// what is open in it.
func (d *nodeDriver) Close() {
	d.mu.Lock()
	d.live--
	last := d.live == 0
	d.mu.Unlock()
	if last {
		d.in.Close()
		<-d.ended
		d.cmd.Wait()
	}
}
