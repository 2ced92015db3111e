// Package files uploads with a client that others wrote, to servers that die,
// over networks that break, into stores of every kind.
package files

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io"
	mrand "math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/skein-im/skein/internal/blob"
	"github.com/skein-im/skein/internal/blob/azure"
	"github.com/skein-im/skein/internal/blob/local"
	"github.com/skein-im/skein/internal/blob/remote"
	"github.com/skein-im/skein/internal/blob/s3"
	"github.com/skein-im/skein/internal/cloudtest"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/test/chaos"
	"github.com/skein-im/skein/test/cluster"
)

var bin string

func TestMain(m *testing.M) {
	if code, child := chaos.Apart(); child { // small disks are mounted
		os.Exit(code)
	}
	if len(os.Args) > 1 && os.Args[1] == asGoClient {
		os.Exit(goClient(os.Args[2:]))
	}
	if len(os.Args) > 1 && os.Args[1] == asGoBackEnd {
		os.Exit(goBackEnd(os.Args[2:]))
	}
	os.Exit(cluster.WithBinary("skein-files", func(binary string) int {
		bin = binary
		return m.Run()
	}))
}

// size of the upload, in bytes; SKEIN_CHAOS_LONG takes 200 MB.
func size() int64 {
	if os.Getenv("SKEIN_CHAOS_LONG") != "" {
		return 200_000_000
	}
	return 48_000_000
}

// place is where a server keeps files: its options and environment, and the
// same store opened by the test.
type place struct {
	args, env []string
	open      func(t *testing.T, data string) blob.Store
}

var places = map[string]func(t *testing.T) place{
	"a folder": func(t *testing.T) place {
		return place{open: func(t *testing.T, data string) blob.Store {
			s, err := local.Open(filepath.Join(data, "blobs"), im.SystemEntropy())
			must(t, err)
			t.Cleanup(func() { must(t, s.Close()) })
			return s
		}}
	},
	"S3": func(t *testing.T) place {
		c := buckets(t, cloudtest.S3(t), "files")[0]
		return c.place(func() (remote.Objects, error) {
			return s3.New(s3.Options{Endpoint: c.endpoint, Region: "us-east-1", Bucket: "files", AccessKey: cloudtest.S3Key, Secret: cloudtest.S3Secret})
		})
	},
	"Azure": func(t *testing.T) place {
		c := azureContainer(t)
		return c.place(func() (remote.Objects, error) {
			return azure.New(azure.Options{Account: cloudtest.AzureAccount, Endpoint: c.endpoint, Container: "files", Key: cloudtest.AzureKey, Clock: im.SystemClock{}, Entropy: im.SystemEntropy()})
		})
	},
}

// place is a bucket as a server's only place of files.
func (c cloud) place(objects func() (remote.Objects, error)) place {
	return place{args: []string{"--blobs", c.url}, env: c.env, open: func(t *testing.T, _ string) blob.Store {
		o, err := objects()
		must(t, err)
		return remote.New(o, "skein/", t.TempDir(), im.SystemEntropy())
	}}
}

func TestAnUploadOutlivesDeadClientsDeadServersAndABrokenNetwork(t *testing.T) {
	for name, of := range places {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			outlives(t, of(t), uploader{program: []string{"node", "upload.mjs"}, dies: true}, nil)
		})
	}
}

// uploader is a program that uploads; its arguments come behind.
type uploader struct {
	program []string
	dies    bool // and goes on in another process
	backEnd bool // has the app's token, and no user's
}

// outlives has a client upload through faults. Then the bytes are compared, and
// after is called.
func outlives(t *testing.T, p place, u uploader, after func(w *world)) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	dir := t.TempDir()
	data, source := filepath.Join(dir, "data"), filepath.Join(dir, "source")
	sum := write(t, source)
	node, err := chaos.NewNode(chaos.NodeOptions{Bin: bin, Store: []string{"--data", data}, Args: p.args, Env: p.env, Log: filepath.Join(dir, "log")})
	must(t, err)
	app, err := chaos.CreateApp(ctx, node, "shop")
	must(t, err)
	must(t, node.Start(ctx))
	t.Cleanup(func() {
		node.Kill()
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(dir, "log"))
			t.Logf("the server said:\n%s", log)
		}
	})
	net := newRelay(t, node.Addr())
	token := app.Token("ann")
	if u.backEnd {
		token, err = app.Secret().Token(ctx)
		must(t, err)
	}
	c := &client{t: t, args: append(u.program, "http://"+net.addr(), "shop", token, source, filepath.Join(dir, "state"))}
	defer c.kill()
	c.start(ctx)

	faults := []string{"server", "server", "server", "network", "network", "network"}
	if u.dies {
		faults = append(faults, "client", "client", "client")
	}
	mrand.Shuffle(len(faults), func(i, k int) { faults[i], faults[k] = faults[k], faults[i] })
	for i, fault := range faults {
		// At some moment in the next tenth of the bytes.
		net.awaitBytes(ctx, t, size()/10*int64(i)+mrand.Int64N(size()/10))
		switch fault {
		case "client":
			c.kill()
			c.start(ctx)
		case "server":
			node.Kill()
			must(t, node.Start(ctx))
		case "network":
			net.cut()
		}
	}
	id := c.wait(ctx)

	r, err := p.open(t, data).Get(ctx, "files/"+id[:2]+"/"+id, 0, -1)
	must(t, err)
	defer r.Close()
	h := sha256.New()
	n, err := io.Copy(h, r)
	must(t, err)
	if n != size() || [32]byte(h.Sum(nil)) != sum {
		t.Errorf("%d bytes of %d arrived, or other ones, after %v", n, size(), faults)
	}
	// What is sent again after a fault is at most a part: 8 MiB, and what the network held.
	if again := net.passed.Load() - size(); again > int64(len(faults))*(blob.Step+4<<20) {
		t.Errorf("%d bytes were sent again after %v", again, faults)
	} else {
		t.Logf("%d bytes were sent again after %v", again, faults)
	}
	if after != nil {
		after(&world{t, node, app, data})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// write makes a file of random bytes.
func write(t *testing.T, name string) (sum [32]byte) {
	t.Helper()
	f, err := os.Create(name)
	must(t, err)
	h := sha256.New()
	_, err = io.CopyN(io.MultiWriter(f, h), rand.Reader, size())
	must(t, errors.Join(err, f.Close()))
	return [32]byte(h.Sum(nil))
}

// client is a process that uploads.
type client struct {
	t    *testing.T
	args []string
	cmd  *exec.Cmd
	out  *strings.Builder
	err  *strings.Builder
}

func (c *client) start(ctx context.Context) {
	c.t.Helper()
	c.cmd, c.out, c.err = exec.CommandContext(ctx, c.args[0], c.args[1:]...), &strings.Builder{}, &strings.Builder{}
	c.cmd.Stdout, c.cmd.Stderr = c.out, c.err
	must(c.t, c.cmd.Start())
}

func (c *client) kill() {
	if c.cmd.ProcessState == nil {
		_ = c.cmd.Process.Kill()
		_ = c.cmd.Wait()
	}
}

// wait waits for the end and returns the upload's id.
func (c *client) wait(context.Context) string {
	c.t.Helper()
	if err := c.cmd.Wait(); err != nil {
		c.t.Fatalf("the client: %v\n%s", err, c.err)
	}
	id := path.Base(strings.TrimSpace(c.out.String()))
	if len(id) != 32 {
		c.t.Fatalf("the client said %q", c.out)
	}
	return id
}

// relay is the network between client and server.
type relay struct {
	ln     net.Listener
	to     string
	passed atomic.Int64 // bytes from clients, all together
	mu     sync.Mutex   // guards conns
	conns  map[net.Conn]bool
	all    sync.WaitGroup
}

func newRelay(t *testing.T, to string) *relay {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	r := &relay{ln: ln, to: to, conns: map[net.Conn]bool{}}
	r.all.Go(r.accept)
	t.Cleanup(func() {
		_ = ln.Close()
		r.cut()
		r.all.Wait()
	})
	return r
}

func (r *relay) addr() string { return r.ln.Addr().String() }

func (r *relay) accept() {
	for {
		in, err := r.ln.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", r.to)
		if err != nil { // the server is down
			_ = in.Close()
			continue
		}
		r.mu.Lock()
		r.conns[in], r.conns[out] = true, true
		r.mu.Unlock()
		r.all.Go(func() { r.pump(out, in, &r.passed) })
		r.all.Go(func() { r.pump(in, out, new(atomic.Int64)) })
	}
}

// pump carries bytes, and counts them.
func (r *relay) pump(to, from net.Conn, count *atomic.Int64) {
	defer r.drop(to, from)
	b := make([]byte, 64<<10)
	for {
		n, err := from.Read(b)
		count.Add(int64(n))
		if n > 0 {
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (r *relay) drop(conns ...net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
		delete(r.conns, c)
	}
}

// cut breaks every connection.
func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.conns {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // what is under way is lost
		}
		_ = c.Close()
	}
}

// awaitBytes waits until so many bytes have passed.
func (r *relay) awaitBytes(ctx context.Context, t *testing.T, n int64) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for r.passed.Load() < n {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%d bytes of %d have passed: %v", r.passed.Load(), n, ctx.Err())
		}
	}
}
