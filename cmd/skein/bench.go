package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/skein-im/skein/internal/auth"
	"github.com/skein-im/skein/internal/bench"
	"github.com/skein-im/skein/internal/config"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/fsck"
	"github.com/skein-im/skein/internal/im"
)

// benchFlags are what every kind of load understands.
type benchFlags struct {
	endpoint, data, db string
	json, tls          bool
	seconds            float64
	p2p                bench.P2POptions
}

const benchUsage = `skein bench KIND [flags] --json

Kinds:
  p2p      pairs of users, one sends and the other receives
  startup  from start to the first accepted login, and memory when idle

Without --endpoint it starts this binary's "serve" with its defaults on a
temporary folder, and before it reports it kills it (SIGKILL), proves the
folder with fsck, and compares what is stored with what was acknowledged.`

// benchCommand runs one kind of load and prints one JSON object.
func benchCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		fmt.Fprintln(stderr, benchUsage)
		return exitCode(2)
	}
	var f benchFlags
	fs := flag.NewFlagSet("bench "+args[0], flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&f.endpoint, "endpoint", "", "an already running server, such as http://127.0.0.1:8080; needs --data or --db to sign tokens")
	fs.StringVar(&f.data, "data", "", "data folder of the server at --endpoint")
	fs.StringVar(&f.db, "db", "", "database of the server: postgres://…")
	fs.BoolVar(&f.json, "json", true, "print JSON (the only form there is)")
	fs.BoolVar(&f.tls, "tls", false, "the same load over TLS")
	fs.Float64Var(&f.seconds, "seconds", 10, "how long to send")
	fs.IntVar(&f.p2p.Pairs, "pairs", 500, "p2p: senders, and as many receivers")
	fs.IntVar(&f.p2p.Window, "window", 16, "p2p: messages in flight a sender")
	fs.Float64Var(&f.p2p.Rate, "rate", 0, "p2p: messages a second over all pairs (open loop); 0 = as the window allows")
	fs.BoolVar(&f.p2p.Reads, "reads", false, "p2p: mark each delivery read")
	if err := fs.Parse(args[1:]); err != nil {
		return exitCode(2)
	}
	f.p2p.Seconds = f.seconds
	switch args[0] {
	case "p2p":
		return benchP2P(ctx, f, stdout, stderr)
	case "startup":
		return benchStartup(ctx, f, stdout, stderr)
	case "echo-server": // the yardstick's other half, in a process of its own
		return bench.ServeEcho(ctx, stdout)
	}
	fmt.Fprintln(stderr, benchUsage)
	return fmt.Errorf("there is no bench %q", args[0])
}

// report is what p2p prints.
type report struct {
	Kind string `json:"kind"`
	bench.P2PResult
	bench.EchoResult
	Stored   int64  `json:"stored"`
	Fsck     string `json:"fsck"`
	Database string `json:"database"`
	TLS      bool   `json:"tls"`
}

func benchP2P(ctx context.Context, f benchFlags, stdout, stderr io.Writer) error {
	if f.p2p.Pairs < 1 || f.p2p.Window < 1 || f.p2p.Window > 2000 || f.seconds <= 0 {
		return fmt.Errorf("--pairs and --window start at 1, --window ends at 2000, --seconds is over 0")
	}
	r := report{Kind: "p2p", Database: "sqlite", TLS: f.tls}
	if f.db != "" {
		r.Database = "postgres"
	}
	var err error
	fmt.Fprintln(stderr, "yardstick: a bare echo over the same number of sockets")
	if r.EchoResult, err = echoYardstick(ctx, f.p2p); err != nil {
		return err
	}
	sv, err := startChild(ctx, f, stderr)
	if err != nil {
		return err
	}
	defer sv.kill()
	fmt.Fprintf(stderr, "%d pairs, window %d, %g s\n", f.p2p.Pairs, f.p2p.Window, f.seconds)
	if r.P2PResult, err = bench.P2P(ctx, sv.target(), f.p2p); err != nil {
		return err
	}
	sv.kill()
	if f.endpoint != "" {
		r.Fsck = "not run: the server is not ours"
		return printReport(stdout, r, nil)
	}
	fmt.Fprintln(stderr, "killed the server; proving the folder")
	report, err := checkStore(ctx, sv.dbTarget)
	if err != nil {
		return err
	}
	r.Stored, r.Fsck = report.Messages, "ok"
	var bad error
	switch {
	case !report.Sound():
		r.Fsck = fmt.Sprintf("%d findings, the first: %s", int64(len(report.Findings))+report.More, report.Findings[0])
		bad = fmt.Errorf("fsck: %s", r.Fsck)
	case r.Stored < r.Acked || r.Stored > r.Sent:
		bad = fmt.Errorf("%d messages stored, %d acknowledged, %d sent", r.Stored, r.Acked, r.Sent)
	case r.Lost > 0 || r.Duplicated > 0:
		bad = fmt.Errorf("%d lost, %d duplicated", r.Lost, r.Duplicated)
	}
	return printReport(stdout, r, bad)
}

func printReport(w io.Writer, r any, bad error) error {
	if err := json.NewEncoder(w).Encode(r); err != nil {
		return err
	}
	return bad
}

// checkStore runs fsck over what a killed server has left.
func checkStore(ctx context.Context, target string) (fsck.Report, error) {
	d, err := db.Open(ctx, target, db.Options{})
	if err != nil {
		return fsck.Report{}, err
	}
	defer d.Close()
	return fsck.Check(ctx, d)
}

// echoYardstick measures an echo server in a process of its own.
func echoYardstick(ctx context.Context, o bench.P2POptions) (bench.EchoResult, error) {
	self, err := os.Executable()
	if err != nil {
		return bench.EchoResult{}, err
	}
	cmd := exec.CommandContext(ctx, self, "bench", "echo-server")
	line, err := startLine(cmd)
	if err != nil {
		return bench.EchoResult{}, err
	}
	defer func() { cmd.Process.Kill(); cmd.Wait() }()
	return bench.Echo(ctx, line, cmd.Process.Pid, o.Pairs, o.Window)
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

// child is a server under load: one that was started here, or somebody else's.
type child struct {
	cmd       *exec.Cmd
	dir       string
	url       *url.URL
	app       im.AppID
	auth      *auth.Auth
	db        *db.DB
	pid       int
	dbTarget  string
	tls       bool
	started   time.Time
	listening time.Time
}

// startChild starts this binary's "serve" with its defaults.
func startChild(ctx context.Context, f benchFlags, stderr io.Writer) (_ *child, err error) {
	c := &child{tls: f.tls, app: "bench", dbTarget: f.db}
	defer func() {
		if err != nil {
			c.kill()
		}
	}()
	data := f.data
	if f.endpoint == "" {
		if c.dir, err = os.MkdirTemp("", "skein-bench-"); err != nil {
			return nil, err
		}
		data = c.dir
		args := []string{"serve", "--listen", "127.0.0.1:0", "--data", data}
		if f.db != "" {
			args = append(args, "--db", f.db)
		}
		if f.tls {
			cert, key, err := bench.SelfSigned(c.dir)
			if err != nil {
				return nil, err
			}
			args = append(args, "--tls-cert", cert, "--tls-key", key)
		}
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		c.cmd = exec.Command(self, args...)
		c.cmd.Stderr = stderr
		c.started = time.Now()
		line, err := startLine(c.cmd)
		if err != nil {
			return nil, err
		}
		c.pid, c.listening = c.cmd.Process.Pid, time.Now()
		f.endpoint = strings.TrimPrefix(line, "listening ")
	}
	if c.url, err = url.Parse(f.endpoint); err != nil {
		return nil, err
	}
	if c.dbTarget == "" {
		c.dbTarget = data
	}
	return c, c.openAuth(ctx, data)
}

// openAuth opens the server's own tables, to make an app and sign its tokens
// as an operator would with "skein app" and "skein token".
func (c *child) openAuth(ctx context.Context, data string) error {
	cfg := &config.Config{Data: data}
	key, err := masterKey(cfg, im.SystemEntropy())
	if err != nil {
		return err
	}
	if c.db, err = db.Open(ctx, c.dbTarget, db.Options{}); err != nil {
		return err
	}
	if c.auth, err = auth.New(ctx, auth.Options{DB: c.db, Clock: im.SystemClock{}, Entropy: im.SystemEntropy(), Key: key}); err != nil {
		return err
	}
	if _, err = c.auth.CreateApp(ctx, auth.NewApp{ID: c.app}); im.CodeOf(err) == im.AlreadyExists {
		err = nil
	}
	return err
}

func (c *child) target() bench.Target {
	t := bench.Target{App: c.app, PID: c.pid, Token: func(u im.UserID) (string, error) {
		token, _, err := c.auth.MintToken(context.Background(), auth.Grant{App: c.app, User: u})
		return token, err
	}}
	u := *c.url
	u.Path = "/v1/socket"
	u.Scheme = "ws"
	if c.tls || c.url.Scheme == "https" {
		u.Scheme = "wss"
		t.TLS = bench.TrustAll()
	}
	t.URL = u.String()
	return t
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
