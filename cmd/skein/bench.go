package main

import (
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/skein-im/skein/internal/bench"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/fsck"
)

// benchFlags are what the kinds of load understand.
type benchFlags struct {
	endpoint, data, db string
	json, tls          bool
	seconds            float64
	window             int // p2p, group; 0 = the kind's own
	p2p                bench.P2POptions
	members, online    int    // group
	size               string // upload
	parallel           int    // upload
	rounds             int    // upload
	images             int    // upload; 0 = files without meaning
	viewers            int    // room
	publishers         int    // sfu
	subscribers, kbps  int
	chat               bool
	nices              []int
	connections        int // idle
	conversations      int // idle, sync; 0 = the kind's own
	perGroup           int
	messages, quiet    int // sync
	growth             bench.GrowthOptions
}

const benchUsage = `skein bench KIND [flags] --json

Kinds:
  p2p      pairs of users, one sends and the other receives
  group    one member of a group sends, all others receive
  idle     what a silent session costs, and how fast many come back
  growth   what an append and a read cost as the journal grows
  search   how fast messages are found on the server
  sync     what it takes a device that was away to have everything
  room     what a livestream costs those who talk to each other
  upload   how fast files are taken in
  sfu      what forwarding the media of a call costs
  startup  from start to the first accepted login, and memory when idle

Without --endpoint it starts this binary's "serve" with its defaults on a
temporary folder. Before p2p and group report they kill it (SIGKILL), prove
the folder with fsck, and compare what is stored with what was acknowledged.
bench/README.md tells what each figure is.`

// benchCommand runs one kind of load and prints one JSON object.
func benchCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		fmt.Fprintln(stderr, benchUsage)
		return exitCode(2)
	}
	f, err := parseBench(args, stderr)
	if err != nil {
		return exitCode(2)
	}
	switch args[0] {
	case "p2p":
		return benchP2P(ctx, f, stdout, stderr)
	case "group":
		return benchGroup(ctx, f, stdout, stderr)
	case "idle":
		return benchIdle(ctx, f, stdout, stderr)
	case "growth":
		return benchGrowth(ctx, f, stdout, stderr)
	case "sync":
		return benchSync(ctx, f, stdout, stderr)
	case "search":
		return benchSearch(ctx, f, stdout, stderr)
	case "room":
		return benchRoom(ctx, f, stdout, stderr)
	case "startup":
		return benchStartup(ctx, f, stdout, stderr)
	case "sfu":
		if f.chat {
			return benchSFUChat(ctx, f, stdout, stderr)
		}
		return benchSFU(ctx, f, stdout, stderr)
	case "sfu-clients": // its load, in a process of its own
		return benchSFUClients(ctx, f, os.Stdin, stdout, stderr)
	case "upload":
		if f.images > 0 {
			return benchImages(ctx, f, stdout, stderr)
		}
		return benchUpload(ctx, f, stdout, stderr)
	case "upload-sink": // the yardstick's other half, in a process of its own
		return bench.ServeSink(ctx, f.data, stdout)
	case "image-yardstick":
		return bench.ImageYardstick(f.data)
	case "echo-server": // the yardstick's other half, in a process of its own
		return bench.ServeEcho(ctx, stdout)
	}
	fmt.Fprintln(stderr, benchUsage)
	return fmt.Errorf("there is no bench %q", args[0])
}

func parseBench(args []string, stderr io.Writer) (f benchFlags, err error) {
	fs := flag.NewFlagSet("bench "+args[0], flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&f.endpoint, "endpoint", "", "an already running server, such as http://127.0.0.1:8080; needs --data or --db to sign tokens")
	fs.StringVar(&f.data, "data", "", "data folder of the server at --endpoint")
	fs.StringVar(&f.db, "db", "", "database of the server: postgres://…; empty = SQLite")
	fs.BoolVar(&f.json, "json", true, "print JSON (the only form there is)")
	fs.BoolVar(&f.tls, "tls", false, "the same load over TLS")
	fs.Float64Var(&f.seconds, "seconds", 0, "p2p, group, room: how long to send (10, 8, 4 times 8)")
	fs.IntVar(&f.window, "window", 0, "p2p, group: messages in flight a sender (16, 8)")
	fs.IntVar(&f.p2p.Pairs, "pairs", 500, "p2p: senders, and as many receivers")
	fs.Float64Var(&f.p2p.Rate, "rate", 0, "p2p: messages a second over all pairs (open loop); 0 = as the window allows; room: messages a second in it (1000)")
	fs.StringVar(&f.size, "size", "", "upload: of a file (200MB)")
	fs.IntVar(&f.parallel, "parallel", 8, "upload: files at once")
	fs.IntVar(&f.rounds, "rounds", 3, "upload: how often, and the yardstick in turns; all of it lies on the disk at the end")
	fs.IntVar(&f.images, "images", 0, "upload: so many photographs of 1,280 × 960 and of about --size (200KB) instead, with their thumbnails")
	fs.IntVar(&f.publishers, "publishers", 1, "sfu: participants who send video and audio")
	fs.IntVar(&f.subscribers, "subscribers", 50, "sfu: participants who receive all of it")
	fs.IntVar(&f.kbps, "kbps", 1500, "sfu: of the best layer of a video")
	fs.BoolVar(&f.chat, "chat", false, "sfu: what it costs those who talk to each other while the server's own media server uses one processor; --subscribers (50) do not hear, the rate is found")
	fs.Func("nice", "sfu --chat: also with the media server at these nice values, such as 0,10", func(s string) error {
		for v := range strings.SplitSeq(s, ",") {
			n, err := strconv.Atoi(v)
			if err != nil {
				return err
			}
			f.nices = append(f.nices, n)
		}
		return nil
	})
	fs.IntVar(&f.viewers, "viewers", 5000, "room: sessions that watch")
	fs.BoolVar(&f.p2p.Reads, "reads", false, "p2p: mark each delivery read")
	fs.IntVar(&f.members, "members", 500, "group: members, the sender among them")
	fs.IntVar(&f.online, "online", 0, "group: of the members, how many are connected; fewer than all: measured against a group of as many (0 = all)")
	fs.IntVar(&f.connections, "connections", 10_000, "idle: sessions, each of a user of its own")
	fs.IntVar(&f.conversations, "conversations", 0, "idle: groups that each user is a member of (50); sync: conversations with news (100); search: conversations, a tenth of them the asker's (2000)")
	fs.IntVar(&f.quiet, "quiet", 5000, "sync: further conversations, without news")
	fs.IntVar(&f.perGroup, "group-members", 100, "idle: members of a group")
	fs.IntVar(&f.messages, "messages", 0, "growth: how far to go (1000000); 10000000 takes minutes and 3 GB; sync: messages that are news, over all conversations (10000); search: messages that are searched (1000000)")
	fs.IntVar(&f.growth.Pairs, "growth-pairs", 500, "growth: conversations that are written to")
	if err := fs.Parse(args[1:]); err != nil {
		return f, err
	}
	if fs.NArg() > 0 {
		fmt.Fprintf(stderr, "bench takes flags only, not %q\n", fs.Arg(0))
		return f, exitCode(2)
	}
	defaults := map[string][2]int{"idle": {50, 0}, "sync": {100, 10_000}, "growth": {0, 1_000_000}, "search": {2000, 1_000_000}}[args[0]]
	f.conversations, f.messages = cmp.Or(f.conversations, defaults[0]), cmp.Or(f.messages, defaults[1])
	f.growth.Messages = f.messages
	if f.size == "" && f.images > 0 {
		f.size = "200KB"
	}
	f.size = cmp.Or(f.size, "200MB")
	f.p2p.Window, f.p2p.Seconds = cmp.Or(f.window, 16), cmp.Or(f.seconds, 10)
	return f, nil
}

func printReport(w io.Writer, r any, bad error) error {
	if err := json.NewEncoder(w).Encode(r); err != nil {
		return err
	}
	return bad
}

// proof is what a killed server has left, held against what was acknowledged.
type proof struct {
	Stored int64  `json:"stored"` // messages
	Fsck   string `json:"fsck"`
}

// prove runs fsck over the store and counts its messages: of those that were
// sent, besides what was there before, none that was acknowledged may lack.
func prove(ctx context.Context, target string, before, acked, sent int64) (proof, error) {
	d, err := db.Open(ctx, target, db.Options{})
	if err != nil {
		return proof{}, err
	}
	defer d.Close()
	report, err := fsck.Check(ctx, d)
	if err != nil {
		return proof{}, err
	}
	p := proof{Stored: report.Messages - before, Fsck: "ok"}
	switch {
	case !report.Sound():
		p.Fsck = fmt.Sprintf("%d findings, the first: %s", int64(len(report.Findings))+report.More, report.Findings[0])
		return p, fmt.Errorf("fsck: %s", p.Fsck)
	case p.Stored < acked || p.Stored > sent:
		return p, fmt.Errorf("%d messages stored, %d acknowledged, %d sent", p.Stored, acked, sent)
	}
	return p, nil
}

// engine names what the figures are of.
type engine struct {
	Database string `json:"database"`
	Driver   string `json:"driver"`
	TLS      bool   `json:"tls"`
}

func (f *benchFlags) engine() engine {
	if f.db != "" {
		return engine{"postgres", "github.com/jackc/pgx", f.tls}
	}
	return engine{"sqlite", db.LiteDriver, f.tls}
}
