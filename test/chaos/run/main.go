// Command run breaks servers and proves that they keep their promises, at full
// length: `make chaos` is `go run ./test/chaos/run all`. See package chaos.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/skein-im/skein/test/chaos"
)

const usage = `go run ./test/chaos/run NEMESIS [flags]

  all                                              every line below, at full length
  kill    --db sqlite|postgres --nodes N --kills N --acks N --rate N
  power   --db sqlite|postgres --cuts N --rate N
  red                                              a broken server, which must be found out
  disk    --db sqlite|postgres --rounds N          full, slow and read-only
  flip    --db sqlite|postgres --flips N
  ackloss --db sqlite|postgres --kills N --acks N
  storm   --db sqlite|postgres --clients N
  stalled --db sqlite|postgres --readers N
  nodeloss --kills N --freezes N --users N         one node of three
  partition --seed N --cycles N --rate N           cuts, loss and delay between machines
  revoke  --seed N --rounds N --each N             sign-outs and removals while a node is cut off
  nats    --seed N --rounds N --rate N             1 of 3 and 3 of 3 killed, and hints lost
  record  FILE                                     a good history, for the checker's own test

Each prints a line of JSON and the row of docs/reliability.md, and fails when a
promise was broken or when the nemesis did not act.`

// full are the runs of "all": the figures that docs/reliability.md shows.
var full = []string{
	"red",
	"flip --db sqlite", "flip --db postgres",
	"disk --db sqlite", "disk --db postgres",
	"ackloss --db sqlite --kills 10 --acks 200000", "ackloss --db postgres --kills 10 --acks 100000",
	"stalled --db sqlite", "storm --db sqlite", "storm --db postgres",
	"nodeloss --kills 12 --freezes 3",
	"partition --cycles 20", "revoke --rounds 3 --each 5", "nats --rounds 5",
	"power --db sqlite --rate 160", "power --db postgres --rate 160",
	"kill --db sqlite", "kill --db postgres", "kill --db postgres --nodes 3",
}

func main() {
	if code, child := chaos.Apart(); child {
		os.Exit(code)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New(usage)
	}
	env, err := chaos.NewEnv(ctx, os.Stderr)
	if err != nil {
		return err
	}
	defer env.Close()
	if args[0] == "record" && len(args) == 2 {
		return chaos.Record(ctx, env, args[1])
	}
	if args[0] != "all" {
		r, err := one(ctx, env, args)
		if r != nil {
			fmt.Println(r.JSON())
			fmt.Println(r.Row())
		}
		return err
	}
	var rows []string
	var bad error
	for _, line := range full {
		env.Logf("=== %s", line)
		r, err := one(ctx, env, strings.Fields(line))
		if err != nil {
			bad = errors.Join(bad, fmt.Errorf("%s: %w", line, err))
			env.Logf("%v", err)
		}
		if r != nil {
			fmt.Println(r.JSON())
			rows = append(rows, r.Row())
		}
		if ctx.Err() != nil {
			break
		}
	}
	fmt.Printf("\n%s\n%s\n", chaos.RowHead, strings.Join(rows, "\n"))
	return bad
}

// one runs one nemesis. The error also tells of broken promises.
func one(ctx context.Context, env *chaos.Env, args []string) (*chaos.Result, error) {
	fs := flag.NewFlagSet(args[0], flag.ContinueOnError)
	db := fs.String("db", "sqlite", "sqlite or postgres")
	nodes := fs.Int("nodes", 1, "how many nodes")
	kills := fs.Int("kills", 200, "how many kills at least")
	acks := fs.Int64("acks", 1_000_000, "how many acknowledged messages at least")
	rate := fs.Float64("rate", 60, "messages a second of each of about a hundred senders; 0 = as fast as it goes")
	cuts := fs.Int("cuts", 100, "how many power cuts")
	rounds := fs.Int("rounds", 5, "how many times each fault of the disk")
	flips := fs.Int("flips", 200, "how many flipped bits")
	clients := fs.Int("clients", 10000, "how many clients come back")
	freezes := fs.Int("freezes", 1, "how many times a node is frozen")
	seed := fs.Uint64("seed", 1, "decides what is lost, and when")
	cycles := fs.Int("cycles", 20, "how many times the network is cut at random")
	each := fs.Int("each", 3, "how many are signed out, and how many removed, at a time")
	users := fs.Int("users", 60, "how many users of the SDK")
	readers := fs.Int("readers", 1000, "how many readers stop")
	if err := fs.Parse(args[1:]); err != nil {
		return nil, err
	}
	engine := chaos.Engine(*db)
	if engine != chaos.SQLite && engine != chaos.PostgreSQL {
		return nil, fmt.Errorf("--db is %s or %s", chaos.SQLite, chaos.PostgreSQL)
	}
	var r *chaos.Result
	var err error
	began := time.Now()
	switch args[0] {
	case "kill":
		r, err = chaos.Kill(ctx, env, chaos.KillOptions{Engine: engine, Nodes: *nodes, Kills: *kills, Acks: *acks, Rate: *rate})
	case "power":
		r, err = chaos.Power(ctx, env, chaos.PowerOptions{Engine: engine, Cuts: *cuts, Rate: *rate})
	case "red":
		r, err = chaos.Red(ctx, env)
	case "disk":
		r, err = chaos.Faults(ctx, env, chaos.FaultOptions{Engine: engine, Rounds: *rounds})
	case "flip":
		r, err = chaos.Flip(ctx, env, chaos.FlipOptions{Engine: engine, Flips: *flips})
	case "ackloss":
		r, err = chaos.AckLoss(ctx, env, chaos.AckLossOptions{Engine: engine, Kills: *kills, Acks: *acks, Rate: *rate})
	case "storm":
		r, err = chaos.Storm(ctx, env, chaos.StormOptions{Engine: engine, Clients: *clients})
	case "stalled":
		r, err = chaos.Stalled(ctx, env, chaos.StalledOptions{Engine: engine, Readers: *readers, Strict: true})
	case "partition":
		r, err = chaos.Partition(ctx, env, chaos.PartitionOptions{Seed: *seed, Cycles: *cycles, Rate: min(*rate, 20)})
	case "revoke":
		r, err = chaos.Revoke(ctx, env, chaos.RevokeOptions{Seed: *seed, Rounds: *rounds, Each: *each})
	case "nats":
		r, err = chaos.NATS(ctx, env, chaos.NATSOptions{Seed: *seed, Rounds: *rounds, Rate: min(*rate, 20)})
	case "nodeloss":
		r, err = chaos.NodeLoss(ctx, env, chaos.LossOptions{Kills: *kills, Freezes: *freezes, Users: *users, Rate: min(*rate, 20)})
	default:
		return nil, errors.New(usage)
	}
	env.Logf("%s took %s", args[0], time.Since(began).Round(time.Second))
	if err == nil && !r.OK() {
		err = errors.New(r.Why())
	}
	if err != nil && r != nil {
		r.Problem("%v", err) // the row says so too
	}
	return r, err
}
