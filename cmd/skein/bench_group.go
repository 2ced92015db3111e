package main

import (
	"cmp"
	"context"
	"fmt"
	"io"

	"github.com/skein-im/skein/internal/bench"
	"github.com/skein-im/skein/internal/im"
)

// groupReport is what "bench group" prints.
type groupReport struct {
	Kind    string `json:"kind"`
	Members int    `json:"members"`
	Window  int    `json:"window"`
	bench.GroupResult
	bench.EchoResult
	proof
	engine
}

func benchGroup(ctx context.Context, f benchFlags, stdout, stderr io.Writer) error {
	o := bench.GroupOptions{Window: cmp.Or(f.window, 8), Seconds: cmp.Or(f.seconds, 8)}
	if f.members < 2 || o.Window < 1 || o.Window > 256 || o.Seconds <= 0 {
		return fmt.Errorf("--members starts at 2, --window at 1 and ends at 256, --seconds is over 0")
	}
	r := groupReport{Kind: "group", Members: f.members, Window: o.Window, engine: f.engine()}
	var err error
	fmt.Fprintln(stderr, "yardstick: a bare echo over the same number of sockets")
	if r.EchoResult, err = echoYardstick(ctx, f.members, o.Window); err != nil {
		return err
	}
	sv, err := newChild(ctx, f, stderr)
	if err != nil {
		return err
	}
	defer sv.end()
	// One member sends all that is sent: by default 1,000 a second.
	sv.serve = []string{"--limits-send-rate", "1000000", "--limits-send-burst", "1000000"}
	for i := range f.members {
		o.Members = append(o.Members, im.UserID(fmt.Sprintf("m%04d", i)))
	}
	made, err := sv.makeGroups(ctx, [][]im.UserID{o.Members})
	if err != nil {
		return err
	}
	o.Conv, o.From = made[0].conv, made[0].head
	before, err := sv.messages(ctx)
	if err != nil {
		return err
	}
	if err := sv.start(); err != nil {
		return err
	}
	fmt.Fprintf(stderr, "a group of %d, window %d, %g s\n", f.members, o.Window, o.Seconds)
	if r.GroupResult, err = bench.Group(ctx, sv.target(), o); err != nil {
		return err
	}
	r.proof, err = sv.proof(ctx, stderr, before, r.Acked, r.Sent)
	if err == nil && (r.Lost > 0 || r.Duplicated > 0) {
		err = fmt.Errorf("%d lost, %d duplicated", r.Lost, r.Duplicated)
	}
	return printReport(stdout, r, err)
}
