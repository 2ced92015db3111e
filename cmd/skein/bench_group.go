package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/skein-im/skein/internal/bench"
	"github.com/skein-im/skein/internal/im"
)

// groupReport is what "bench group" prints.
type groupReport struct {
	Kind    string `json:"kind"`
	Members int    `json:"members"`
	Online  int    `json:"online"`
	Window  int    `json:"window"`
	bench.GroupResult
	*onlineReport
	bench.EchoResult
	proof
	engine
}

// onlineReport sets a group in which few are online against one in which the
// same few are all there is.
type onlineReport struct {
	FillSeconds  float64           `json:"fill_s"` // to make the group, all its members added
	CPU          float64           `json:"server_cpu_us_per_message"`
	Small        bench.GroupResult `json:"all_online"` // the yardstick: a group of those who are online
	SmallCPU     float64           `json:"all_online_server_cpu_us_per_message"`
	CPURatio     float64           `json:"cpu_ratio"`
	LatencyRatio float64           `json:"latency_ratio"` // of the middle delivery
}

func benchGroup(ctx context.Context, f benchFlags, stdout, stderr io.Writer) error {
	o := bench.GroupOptions{Window: cmp.Or(f.window, 8), Seconds: cmp.Or(f.seconds, 8)}
	online := cmp.Or(f.online, f.members)
	if f.members < 2 || online < 2 || online > f.members || o.Window < 1 || o.Window > 256 || o.Seconds <= 0 {
		return fmt.Errorf("--members and --online start at 2, --window at 1 and ends at 256, --seconds is over 0")
	}
	r := groupReport{Kind: "group", Members: f.members, Online: online, Window: o.Window, engine: f.engine()}
	var err error
	fmt.Fprintln(stderr, "yardstick: a bare echo over the same number of sockets")
	if r.EchoResult, err = echoYardstick(ctx, online, o.Window); err != nil {
		return err
	}
	sv, err := newChild(ctx, f, stderr)
	if err != nil {
		return err
	}
	defer sv.end()
	// One member sends all that is sent: by default 1,000 a second.
	sv.serve = []string{"--limits-send-rate", "1000000", "--limits-send-burst", "1000000"}
	all := make([]im.UserID, f.members)
	for i := range all {
		all[i] = im.UserID(fmt.Sprintf("m%06d", i))
	}
	o.Members = all[:online]
	lists := [][]im.UserID{all}
	if online < f.members {
		lists = append(lists, o.Members)
	}
	began := time.Now()
	made, err := sv.makeGroups(ctx, lists)
	if err != nil {
		return err
	}
	filled := time.Since(began).Seconds()
	before, err := sv.messages(ctx)
	if err != nil {
		return err
	}
	if err := sv.start(); err != nil {
		return err
	}
	acked, sent := int64(0), int64(0)
	run := func(g madeGroup, members int) (bench.GroupResult, error) {
		fmt.Fprintf(stderr, "a group of %d, %d online, window %d, %g s\n", members, online, o.Window, o.Seconds)
		o.Conv, o.From = g.conv, g.head
		res, err := bench.Group(ctx, sv.target(), o)
		acked, sent = acked+res.Acked, sent+res.Sent
		return res, err
	}
	if online < f.members {
		r.onlineReport = &onlineReport{FillSeconds: filled}
		if r.Small, err = run(made[1], online); err != nil {
			return err
		}
	}
	if r.GroupResult, err = run(made[0], f.members); err != nil {
		return err
	}
	if r.onlineReport != nil {
		r.compare(&r.GroupResult, online)
	}
	r.proof, err = sv.proof(ctx, stderr, before, acked, sent)
	if err == nil && (r.Lost > 0 || r.Duplicated > 0) {
		err = fmt.Errorf("%d lost, %d duplicated", r.Lost, r.Duplicated)
	}
	return printReport(stdout, r, err)
}

// compare fills in what a message costs in both, and how much more.
func (o *onlineReport) compare(large *bench.GroupResult, online int) {
	o.CPU, o.SmallCPU = large.ServerCPU*float64(online-1), o.Small.ServerCPU*float64(online-1)
	if o.SmallCPU > 0 && o.Small.Deliver.P50 > 0 {
		o.CPURatio, o.LatencyRatio = o.CPU/o.SmallCPU, large.Deliver.P50/o.Small.Deliver.P50
	}
}
