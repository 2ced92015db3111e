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

// nodeDriver drives the TypeScript SDK in a Node process of its own; what is
// said over its pipes is in driver/driver.mjs.
type nodeDriver struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	changed chan struct{}
	ended   chan struct{}

	mu      sync.Mutex // guards the rest, and writes
	next    int
	waiting map[int]chan answer
}

type answer struct {
	ID      int             `json:"id"`
	Result  json.RawMessage `json:"result"`
	Failure *Failure        `json:"failure"`
	Error   string          `json:"error"`
	Changed bool            `json:"changed"`
}

// OpenNode opens a device of the TypeScript SDK.
func OpenNode(t *testing.T, endpoint, app, user, device string) Driver {
	t.Helper()
	return startNode(t, exec.Command("node", "driver/driver.mjs", endpoint, app, user, device))
}

// OpenServerNode makes a back end on the TypeScript SDK.
func OpenServerNode(t *testing.T, endpoint, app, kid, secret string) Caller {
	t.Helper()
	cmd := exec.Command("node", "backend.mjs", endpoint, app, kid)
	cmd.Env = append(os.Environ(), "SKEIN_SECRET="+secret)
	return startNode(t, cmd)
}

// startNode starts a driver's process.
func startNode(t *testing.T, cmd *exec.Cmd) *nodeDriver {
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
	d := &nodeDriver{cmd: cmd, in: in, changed: make(chan struct{}, 1), ended: make(chan struct{}), waiting: map[int]chan answer{}}
	go d.listen(out)
	return d
}

// listen hands answers to those who wait for them, until the process ends.
func (d *nodeDriver) listen(out io.Reader) {
	defer close(d.ended)
	s := bufio.NewScanner(out)
	s.Buffer(nil, 64<<20)
	for s.Scan() {
		var a answer
		if err := json.Unmarshal(s.Bytes(), &a); err != nil {
			fmt.Fprintf(os.Stderr, "driver.mjs said %s\n", s.Bytes())
			continue
		}
		if a.Changed {
			select {
			case d.changed <- struct{}{}:
			default:
			}
			continue
		}
		d.mu.Lock()
		ch := d.waiting[a.ID]
		delete(d.waiting, a.ID)
		d.mu.Unlock()
		if ch != nil {
			ch <- a
		}
	}
}

// Do implements Driver.
func (d *nodeDriver) Do(ctx context.Context, c Command) (json.RawMessage, error) {
	ch := make(chan answer, 1)
	d.mu.Lock()
	d.next++
	id := d.next
	d.waiting[id] = ch
	b, err := json.Marshal(struct {
		ID int `json:"id"`
		Command
	}{id, c})
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
		return nil, fmt.Errorf("%s did not answer: %w", c.Verb, ctx.Err())
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

// Close implements Driver.
func (d *nodeDriver) Close() {
	d.in.Close()
	<-d.ended
	d.cmd.Wait()
}
