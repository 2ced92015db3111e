package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/skein-im/skein/internal/bench"
	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/im"
)

// syncReport is what "bench sync" prints.
type syncReport struct {
	Kind          string  `json:"kind"`
	Conversations int     `json:"conversations"`
	Quiet         int     `json:"quiet"`
	Milliseconds  float64 `json:"ms"`       // from dialling to the last of the bodies, decoded; the middle one of the rounds
	First         float64 `json:"ms_first"` // of them
	Requests      int     `json:"requests"` // frames and HTTP calls of the client, hello included
	Messages      int     `json:"messages"`
	QuietMS       float64 `json:"ms_quiet"` // of the same device, when 3 of the quiet conversations have changed
	QuietFirst    float64 `json:"ms_quiet_first"`
	QuietRequests int     `json:"requests_quiet"`
	QuietMessages int     `json:"messages_quiet"`
	Rounds        int     `json:"rounds"`
	engine
}

// syncRounds is how often each of the two is measured.
const syncRounds = 9

// reader is the user whose device comes back.
const reader = im.UserID("reader")

func benchSync(ctx context.Context, f benchFlags, stdout, stderr io.Writer) error {
	r := syncReport{Kind: "sync", Conversations: f.conversations, Quiet: f.quiet, Rounds: syncRounds, engine: f.engine()}
	total := f.messages
	if f.endpoint != "" || f.conversations < 1 || f.quiet < 3 || total < f.conversations || total/f.conversations > 200 {
		return fmt.Errorf("sync starts a server of its own; --conversations starts at 1, --quiet at 3, and each conversation gets 1 to 200 of --messages")
	}
	sv, err := newChild(ctx, f, stderr)
	if err != nil {
		return err
	}
	defer sv.end()
	fmt.Fprintf(stderr, "%d conversations, %d of them quiet\n", f.conversations+f.quiet, f.quiet)
	all := f.conversations + f.quiet
	if err := sv.say(ctx, all, all, 0); err != nil {
		return err
	}
	if err := sv.start(); err != nil {
		return err
	}
	before, err := bench.ComeBack(ctx, sv.target(), bench.SyncOptions{User: reader})
	if err != nil {
		return err
	}
	if err := sv.while(ctx, func() error { return sv.say(ctx, f.conversations, total, 1) }); err != nil {
		return err
	}
	run, first, err := bench.Sync(ctx, sv.target(), bench.SyncOptions{User: reader, Cursor: before.Cursor, Rounds: syncRounds})
	if err != nil {
		return err
	}
	r.Milliseconds, r.First, r.Requests, r.Messages = ms(run.Took), ms(first.Took), run.Requests, run.Messages
	if err := sv.while(ctx, func() error { return sv.sayTo(ctx, []int{all - 1, all - 2, all - 3}, 2) }); err != nil {
		return err
	}
	run, first, err = bench.Sync(ctx, sv.target(), bench.SyncOptions{User: reader, Cursor: run.Cursor, Rounds: syncRounds})
	if err != nil {
		return err
	}
	r.QuietMS, r.QuietFirst, r.QuietRequests, r.QuietMessages = ms(run.Took), ms(first.Took), run.Requests, run.Messages
	if r.Messages != total || r.QuietMessages != 3 {
		err = fmt.Errorf("%d messages came of %d, and %d of 3", r.Messages, total, r.QuietMessages)
	}
	return printReport(stdout, r, err)
}

// while ends the server as an operator would, does something with its store,
// and starts it anew.
func (c *child) while(ctx context.Context, do func() error) error {
	if err := c.stop(); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	if err := c.start(); err != nil {
		return err
	}
	return c.calm(ctx)
}

// calm waits until the server has nothing to do any more: its followers read
// what was written while it was away, and are not what is measured.
func (c *child) calm(ctx context.Context) error {
	t := c.target()
	last, quiet := time.Duration(-1), 0
	for deadline := time.Now().Add(2 * time.Minute); quiet < 3; {
		if time.Now().After(deadline) {
			return fmt.Errorf("the server is still at work after two minutes")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
		cpu, _ := t.CPU()
		if quiet++; last < 0 || cpu-last > 10*time.Millisecond {
			quiet = 0
		}
		last = cpu
	}
	return nil
}

// say has n messages written to the reader, in turn by so many others, each in
// the direct conversation of the two.
func (c *child) say(ctx context.Context, others, n, round int) error {
	to := make([]int, n)
	for i := range to {
		to[i] = i % others
	}
	return c.sayTo(ctx, to, round)
}

func (c *child) sayTo(ctx context.Context, to []int, round int) error {
	j, front, err := c.frontDoor(ctx)
	if err != nil {
		return err
	}
	err = bench.Each(len(to), 256, func(i int) error {
		a := im.Actor{App: c.app, User: im.UserID(fmt.Sprintf("p%05d", to[i])), Device: "bench"}
		_, err := front.Send(ctx, a, chat.SendRequest{Conv: im.Direct(a.User, reader), ClientID: bench.ClientID(uint32(round), uint32(i)),
			Body: bench.TextBody(fmt.Sprintf("message %d of the sync bench, of about the length that people write: see you at noon?", i))})
		return err
	})
	if closing := j.Close(ctx); err == nil {
		err = closing
	}
	return err
}
