package main

import (
	"context"
	"fmt"
	"io"

	"github.com/skein-im/skein/internal/bench"
	"github.com/skein-im/skein/internal/im"
)

// idleReport is what "bench idle" prints.
type idleReport struct {
	Kind string `json:"kind"`
	bench.IdleResult
	GroupMembers int `json:"group_members"`
	engine
}

// benchIdle measures devices that come back after their server was started
// anew: first everybody signs in once, at a server of which only the speed is
// looked at; then a fresh process answers the same devices.
func benchIdle(ctx context.Context, f benchFlags, stdout, stderr io.Writer) error {
	if f.connections < 1 || f.conversations < 0 || f.conversations > 490 || f.perGroup < 2 || f.perGroup > 1000 {
		return fmt.Errorf("--connections starts at 1, --conversations ends at 490, --group-members is 2 to 1000")
	}
	r := idleReport{Kind: "idle", GroupMembers: f.perGroup, engine: f.engine()}
	r.Conversations = f.conversations
	sv, err := newChild(ctx, f, stderr)
	if err != nil {
		return err
	}
	defer sv.end()
	seats, groups := seating(f.connections, f.conversations, f.perGroup)
	fmt.Fprintf(stderr, "%d users, %d groups\n", len(seats), len(groups))
	if _, err := sv.makeGroups(ctx, groups); err != nil {
		return err
	}
	if err := sv.start(); err != nil {
		return err
	}
	fmt.Fprintln(stderr, "first logins")
	if err := bench.FirstLogins(ctx, sv.target(), seats, &r.IdleResult); err != nil {
		return err
	}
	if err := sv.restart(); err != nil {
		return err
	}
	fmt.Fprintln(stderr, "started the server anew; all come back")
	err = bench.Idle(ctx, sv.target(), seats, &r.IdleResult)
	return printReport(stdout, r, err)
}

// seating puts each of n users into so many groups of about size, a different
// company in each.
func seating(n, conversations, size int) (seats []bench.Seat, groups [][]im.UserID) {
	user := func(i int) im.UserID { return im.UserID(fmt.Sprintf("i%06d", i)) }
	for i := range n {
		seats = append(seats, bench.Seat{User: user(i)})
	}
	for c := range conversations {
		step := 2*c + 1
		for gcd(step, n) != 1 { // so that it passes everybody once
			step += 2
		}
		for from := 0; from < n; from += size {
			var g []im.UserID
			for i := from; i < min(from+size, n); i++ {
				g = append(g, user(i*step%n))
			}
			groups = append(groups, g)
		}
	}
	return seats, groups
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
