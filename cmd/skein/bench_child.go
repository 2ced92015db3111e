package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/skein-im/skein/internal/auth"
	"github.com/skein-im/skein/internal/bench"
	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/config"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/feature/group"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
)

// child is a server under load: one that was started here, or somebody else's.
type child struct {
	flags  benchFlags
	stderr io.Writer
	cmd    *exec.Cmd // nil while none of ours runs
	dir    string    // temporary; empty = the server's own
	serve  []string  // further flags of "serve"
	url    *url.URL
	app    im.AppID
	auth   *auth.Auth
	db     *db.DB
	pid    int
	// dbTarget is what db.Open takes; postmaster is PostgreSQL's first process
	// when it runs on this machine.
	dbTarget   string
	postmaster int
	started    time.Time
	listening  time.Time
}

// startChild starts this binary's "serve" with its defaults, on an empty
// folder, and makes an app in it.
func startChild(ctx context.Context, f benchFlags, stderr io.Writer) (*child, error) {
	c, err := makeChild(f, stderr)
	if err == nil {
		err = c.start()
	}
	if err == nil {
		err = c.open(ctx)
	}
	if err != nil {
		c.end()
		return nil, err
	}
	return c, nil
}

// newChild makes the folder and the app, so that it can be filled before the
// server starts.
func newChild(ctx context.Context, f benchFlags, stderr io.Writer) (*child, error) {
	c, err := makeChild(f, stderr)
	if err == nil {
		err = c.open(ctx)
	}
	if err != nil {
		c.end()
		return nil, err
	}
	return c, nil
}

func makeChild(f benchFlags, stderr io.Writer) (*child, error) {
	c := &child{flags: f, stderr: stderr, app: "bench", dbTarget: f.db}
	data := f.data
	if f.endpoint == "" {
		var err error
		if c.dir, err = os.MkdirTemp("", "skein-bench-"); err != nil {
			return c, err
		}
		data = c.dir
	}
	if c.dbTarget == "" {
		c.dbTarget = data
	}
	return c, nil
}

// start starts the server, unless it is somebody else's.
func (c *child) start() (err error) {
	endpoint := c.flags.endpoint
	if endpoint == "" {
		args := []string{"serve", "--listen", "127.0.0.1:0", "--data", c.dir}
		args = append(args, c.serve...)
		if c.flags.db != "" {
			args = append(args, "--db", c.flags.db)
		}
		if c.flags.tls {
			cert, key, err := bench.SelfSigned(c.dir)
			if err != nil {
				return err
			}
			args = append(args, "--tls-cert", cert, "--tls-key", key)
		}
		self, err := os.Executable()
		if err != nil {
			return err
		}
		c.cmd = exec.Command(self, args...)
		c.cmd.Stderr, c.cmd.Env = c.stderr, append(os.Environ(), "SKEIN_SFU=off") // calls are measured apart
		c.started = time.Now()
		line, err := startLine(c.cmd)
		if err != nil {
			c.cmd = nil
			return err
		}
		c.pid, c.listening = c.cmd.Process.Pid, time.Now()
		endpoint = strings.TrimPrefix(line, "listening ")
	}
	c.url, err = url.Parse(endpoint)
	return err
}

// restart ends the server as an operator would and starts it anew.
func (c *child) restart() error {
	if c.cmd == nil {
		return nil
	}
	if err := c.stop(); err != nil {
		return err
	}
	return c.start()
}

// stop ends the server as an operator would.
func (c *child) stop() error {
	if c.cmd == nil {
		return nil
	}
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	c.cmd.Wait()
	return nil
}

// open opens the server's own tables, to make an app and sign its tokens as an
// operator would with "skein app" and "skein token".
func (c *child) open(ctx context.Context) error {
	data := c.dir
	if data == "" {
		data = c.flags.data
	}
	key, err := masterKey(&config.Config{Data: data}, im.SystemEntropy())
	if err != nil {
		return err
	}
	if c.db, err = db.Open(ctx, c.dbTarget, db.Options{}); err != nil {
		return err
	}
	if p := c.db.Pool(); p != nil {
		var backend int
		if err := p.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&backend); err != nil {
			return err
		}
		if c.postmaster = bench.Postmaster(backend); c.postmaster == 0 {
			fmt.Fprintln(c.stderr, "PostgreSQL is not on this machine: its CPU is not counted")
		}
	}
	if c.auth, err = auth.New(ctx, auth.Options{DB: c.db, Clock: im.SystemClock{}, Entropy: im.SystemEntropy(), Key: key}); err != nil {
		return err
	}
	// A journal's tables are made with it.
	j, err := journal.Open(ctx, c.db, journal.Options{})
	if err != nil {
		return err
	}
	if err := j.Close(ctx); err != nil {
		return err
	}
	// In a database that was used before, the key of its apps is in another
	// folder: each run has an app of its own.
	if c.flags.db != "" {
		id, err := im.RandomID(im.SystemEntropy())
		if err != nil {
			return err
		}
		c.app = im.AppID("bench-" + id[:8])
	}
	_, err = c.auth.CreateApp(ctx, auth.NewApp{ID: c.app})
	if im.CodeOf(err) == im.AlreadyExists {
		err = nil
	}
	return err
}

// frontDoor opens the journal and what stands before it, in this process.
func (c *child) frontDoor(ctx context.Context) (journal.Journal, *chat.Service, error) {
	j, err := journal.Open(ctx, c.db, journal.Options{})
	if err != nil {
		return nil, nil, err
	}
	return j, chat.New(chat.Deps{Journal: j, Signals: silence{}, Policies: []chat.Policy{group.Rules}, Limits: chat.DefaultLimits(),
		Clock: im.SystemClock{}, Log: slog.New(slog.DiscardHandler), CursorKey: make([]byte, 32)}), nil
}

// silence tells nobody.
type silence struct{}

func (silence) Signal(bus.Signal) {}

// madeGroup is a group with its newest entry.
type madeGroup struct {
	conv im.ConvID
	head im.Seq
}

const (
	maxBenchMembers = 100_000
	benchBatch      = 1000 // members that are added at once
)

// makeGroups makes groups with one message in each; the first of each list is
// the owner.
func (c *child) makeGroups(ctx context.Context, lists [][]im.UserID) ([]madeGroup, error) {
	j, front, err := c.frontDoor(ctx)
	if err != nil {
		return nil, err
	}
	groups := group.New(front, maxBenchMembers, nil)
	made := make([]madeGroup, len(lists))
	err = bench.Each(len(lists), 256, func(i int) error {
		owner := im.Actor{App: c.app, User: lists[i][0], Device: "bench"}
		first := lists[i][1:min(len(lists[i]), benchBatch)]
		conv, err := groups.Create(ctx, owner, im.ConvID(fmt.Sprintf("bench-%d", i)), "bench", first, nil, bench.ClientID(uint32(i), 0))
		if err != nil {
			return err
		}
		made[i].conv = im.ConvID(conv.Id)
		for at := 1 + len(first); at < len(lists[i]); at += benchBatch {
			more := lists[i][at:min(len(lists[i]), at+benchBatch)]
			if _, err := groups.Add(ctx, im.Actor{App: c.app, Server: true}, made[i].conv, more, bench.ClientID(uint32(i), uint32(1+at))); err != nil {
				return err
			}
		}
		r, err := front.Send(ctx, owner, chat.SendRequest{Conv: made[i].conv, ClientID: bench.ClientID(uint32(i), 1), Body: bench.TextBody("hello")})
		made[i].head = r.Entry.Seq
		return err
	})
	closing := j.Close(ctx)
	if err == nil {
		err = closing
	}
	return made, err
}

func (c *child) target() *bench.Target {
	t := &bench.Target{App: c.app, PID: c.pid, Database: c.postmaster, Token: func(u im.UserID) (string, error) {
		token, _, err := c.auth.MintToken(context.Background(), auth.Grant{App: c.app, User: u})
		return token, err
	}}
	if c.url == nil {
		return t
	}
	u := *c.url
	u.Path = "/v1/socket"
	u.Scheme = "ws"
	if c.flags.tls || c.url.Scheme == "https" {
		u.Scheme = "wss"
		t.TLS = bench.TrustAll()
	}
	t.URL = u.String()
	addr, err := netip.ParseAddr(u.Hostname())
	t.Loopback = err == nil && addr.Is4() && addr.IsLoopback()
	return t
}

// proof kills the server and proves what it has left; a server that is
// somebody else's is left alone.
func (c *child) proof(ctx context.Context, stderr io.Writer, before, acked, sent int64) (proof, error) {
	if c.flags.endpoint != "" {
		return proof{Fsck: "not run: the server is not ours"}, nil
	}
	c.kill()
	fmt.Fprintln(stderr, "killed the server; proving the folder")
	return prove(ctx, c.dbTarget, before, acked, sent)
}

// kill ends the server by SIGKILL and removes nothing: fsck comes next.
func (c *child) kill() {
	if c.db != nil {
		c.db.Close()
		c.db = nil
	}
	if c.cmd != nil && c.cmd.Process != nil {
		c.cmd.Process.Kill()
		c.cmd.Wait()
		c.cmd = nil
	}
}

// end kills the server and removes the temporary folder.
func (c *child) end() {
	c.kill()
	if c.dir != "" {
		os.RemoveAll(c.dir)
	}
}

// startLine starts a command and returns the first line that it prints; the
// rest is read away.
func startLine(cmd *exec.Cmd) (string, error) {
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	r := bufio.NewReader(out)
	line, err := r.ReadString('\n')
	if err != nil {
		cmd.Process.Kill()
		cmd.Wait()
		return "", fmt.Errorf("%s ended before it was ready: %w", filepath.Base(cmd.Path), err)
	}
	go io.Copy(io.Discard, r) // ends with the child
	return strings.TrimSpace(line), nil
}

// runSelf runs this binary to its end.
func runSelf(ctx context.Context, args ...string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return exec.CommandContext(ctx, self, args...).Run()
}
