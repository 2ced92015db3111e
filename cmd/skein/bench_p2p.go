package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/skein-im/skein/internal/bench"
)

// p2pReport is what "bench p2p" prints.
type p2pReport struct {
	Kind string `json:"kind"`
	bench.P2PResult
	bench.EchoResult
	proof
	engine
}

func benchP2P(ctx context.Context, f benchFlags, stdout, stderr io.Writer) error {
	if f.p2p.Pairs < 1 || f.p2p.Window < 1 || f.p2p.Window > 2000 || f.p2p.Seconds <= 0 {
		return fmt.Errorf("--pairs and --window start at 1, --window ends at 2000, --seconds is over 0")
	}
	r := p2pReport{Kind: "p2p", engine: f.engine()}
	var err error
	fmt.Fprintln(stderr, "yardstick: a bare echo over the same number of sockets")
	if r.EchoResult, err = echoYardstick(ctx, f.p2p.Pairs, f.p2p.Window); err != nil {
		return err
	}
	sv, err := startChild(ctx, f, stderr)
	if err != nil {
		return err
	}
	defer sv.end()
	before, err := sv.messages(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(stderr, "%d pairs, window %d, %g s\n", f.p2p.Pairs, f.p2p.Window, f.p2p.Seconds)
	if r.P2PResult, err = bench.P2P(ctx, sv.target(), f.p2p); err != nil {
		return err
	}
	r.proof, err = sv.proof(ctx, stderr, before, r.Acked, r.Sent)
	if err == nil && (r.Lost > 0 || r.Duplicated > 0) {
		err = fmt.Errorf("%d lost, %d duplicated", r.Lost, r.Duplicated)
	}
	return printReport(stdout, r, err)
}

// echoYardstick measures an echo server in a process of its own.
func echoYardstick(ctx context.Context, sockets, window int) (bench.EchoResult, error) {
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
	return bench.Echo(ctx, line, cmd.Process.Pid, sockets, window)
}
