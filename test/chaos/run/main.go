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
	"syscall"

	"github.com/skein-im/skein/test/chaos"
)

const usage = `go run ./test/chaos/run NEMESIS [flags]

  kill --db sqlite|postgres --nodes N --kills N --acks N

It prints a line of JSON and the row of docs/reliability.md, and fails when a
promise was broken or the nemesis did not act.`

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
	fs := flag.NewFlagSet(args[0], flag.ContinueOnError)
	db := fs.String("db", "sqlite", "sqlite or postgres")
	nodes := fs.Int("nodes", 1, "how many nodes")
	kills := fs.Int("kills", 200, "how many kills at least")
	cuts := fs.Int("cuts", 100, "how many power cuts")
	rounds := fs.Int("rounds", 5, "how many times each fault")
	flips := fs.Int("flips", 200, "how many flipped bits")
	clients := fs.Int("clients", 10000, "how many clients")
	readers := fs.Int("readers", 1000, "how many readers stop")
	acks := fs.Int64("acks", 1_000_000, "how many acknowledged messages at least")
	if err := fs.Parse(args[1:]); err != nil {
		return err
	}
	env, err := chaos.NewEnv(ctx, os.Stderr)
	if err != nil {
		return err
	}
	defer env.Close()
	var r *chaos.Result
	switch args[0] {
	case "kill":
		r, err = chaos.Kill(ctx, env, chaos.KillOptions{Engine: chaos.Engine(*db), Nodes: *nodes, Kills: *kills, Acks: *acks})
	case "power":
		r, err = chaos.Power(ctx, env, chaos.PowerOptions{Engine: chaos.Engine(*db), Cuts: *cuts})
	case "red":
		r, err = chaos.Red(ctx, env)
	case "disk":
		r, err = chaos.Faults(ctx, env, chaos.FaultOptions{Engine: chaos.Engine(*db), Rounds: *rounds})
	case "flip":
		r, err = chaos.Flip(ctx, env, chaos.FlipOptions{Engine: chaos.Engine(*db), Flips: *flips})
	case "storm":
		r, err = chaos.Storm(ctx, env, chaos.StormOptions{Engine: chaos.Engine(*db), Clients: *clients})
	case "stalled":
		r, err = chaos.Stalled(ctx, env, chaos.StalledOptions{Engine: chaos.Engine(*db), Readers: *readers, Strict: true})
	case "ackloss":
		r, err = chaos.AckLoss(ctx, env, chaos.AckLossOptions{Engine: chaos.Engine(*db), Kills: *kills, Acks: *acks})
	case "record":
		return chaos.Record(ctx, env, fs.Arg(0))
	default:
		return errors.New(usage)
	}
	if err != nil {
		return err
	}
	fmt.Println(r.JSON())
	fmt.Println(r.Row())
	if !r.OK() {
		return errors.New(r.Why())
	}
	return nil
}
