package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
)

// GrowthOptions is a journal that grows. The load runs in the process of the
// journal, without sockets, so that what is measured is what grows.
type GrowthOptions struct {
	App im.AppID
	// Pairs is the number of direct conversations, all written to alike; at
	// most 1,000, so that the first step has a full page in each.
	Pairs    int
	Messages int // how many there are in the end
	// CPU returns what the process and its database have used.
	CPU func() time.Duration
	// Size returns the bytes on disk.
	Size func() (int64, error)
	// Step is told of each level that is reached.
	Step func(GrowthStep)
}

// GrowthStep is what an operation costs at a number of messages, in
// microseconds of CPU of the process and its database, one at a time but for
// the appends.
type GrowthStep struct {
	Messages int     `json:"messages"`
	Append   float64 `json:"append_us"`  // durable, 1,024 in flight
	Newest   float64 `json:"last_50_us"` // the newest 50 of a conversation
	History  float64 `json:"history_us"` // 50 from somewhere in the middle
	Sync     float64 `json:"sync_us"`    // a device that was away for a thousand messages of others
	Disk     int64   `json:"disk_bytes"`
}

// GrowthResult has the steps, and the last one's costs divided by the first's.
type GrowthResult struct {
	Pairs         int          `json:"pairs"`
	Steps         []GrowthStep `json:"steps"`
	AppendGrowth  float64      `json:"append_growth"`
	NewestGrowth  float64      `json:"last_50_growth"`
	HistoryGrowth float64      `json:"history_growth"`
	SyncGrowth    float64      `json:"sync_growth"`
	FillPerS      float64      `json:"fill_per_s"` // appends a second over all
}

// firstStep is where the comparison begins; each further step is ten times
// the one before.
const firstStep = 100_000

// samples is how many appends of a step count, and how many reads of a kind.
const (
	sampleAppends = 50_000
	sampleReads   = 1_000
)

// growth is a load under way.
type growth struct {
	o    GrowthOptions
	j    journal.Journal
	c    *chat.Service
	body []byte
	rng  *rand.Rand
	n    uint32 // appended
}

// Growth fills the journal and measures at 10⁵, 10⁶ … messages.
func Growth(ctx context.Context, j journal.Journal, c *chat.Service, o GrowthOptions) (GrowthResult, error) {
	g := &growth{o: o, j: j, c: c, body: TextBody(strings.Repeat("m", 96)), rng: rand.New(rand.NewPCG(1, 2))}
	res := GrowthResult{Pairs: o.Pairs}
	began := time.Now()
	for level := firstStep; level <= o.Messages; level *= 10 {
		step, err := g.step(ctx, level)
		if err != nil {
			return res, fmt.Errorf("at %d messages: %w", level, err)
		}
		res.Steps = append(res.Steps, step)
		if o.Step != nil {
			o.Step(step)
		}
	}
	if len(res.Steps) == 0 {
		return res, fmt.Errorf("--messages starts at %d", firstStep)
	}
	res.FillPerS = float64(g.n) / time.Since(began).Seconds()
	first, last := res.Steps[0], res.Steps[len(res.Steps)-1]
	res.AppendGrowth, res.NewestGrowth = last.Append/first.Append, last.Newest/first.Newest
	res.HistoryGrowth, res.SyncGrowth = last.History/first.History, last.Sync/first.Sync
	return res, nil
}

func (g *growth) step(ctx context.Context, level int) (GrowthStep, error) {
	s := GrowthStep{Messages: level}
	if err := g.fill(ctx, level-sampleAppends-int(g.n)); err != nil {
		return s, err
	}
	var err error
	s.Append, err = g.cost(sampleAppends, func() error { return g.fill(ctx, sampleAppends) })
	if err != nil {
		return s, err
	}
	s.Newest, err = g.reads(func(a im.Actor, conv im.ConvID) error {
		page, err := g.c.History(ctx, a, chat.HistoryRequest{Conv: conv})
		if err == nil && len(page.GetItems()) == 0 {
			err = errors.New("the newest page is empty")
		}
		return err
	})
	if err != nil {
		return s, err
	}
	s.History, err = g.reads(func(a im.Actor, conv im.ConvID) error {
		_, err := g.c.History(ctx, a, chat.HistoryRequest{Conv: conv, Before: im.Seq(52 + g.rng.IntN(max(level/g.o.Pairs-52, 1)))})
		return err
	})
	if err != nil {
		return s, err
	}
	if s.Sync, err = g.syncs(ctx); err != nil {
		return s, err
	}
	s.Disk, err = g.o.Size()
	return s, err
}

// cost returns the CPU of n operations, each.
func (g *growth) cost(n int, fn func() error) (float64, error) {
	before := g.o.CPU()
	if err := fn(); err != nil {
		return 0, err
	}
	return float64((g.o.CPU() - before).Microseconds()) / float64(n), nil
}

// reads runs a read of many conversations, chosen at random: warmed up first,
// since a step's first reads find cold what the fill has pushed out.
func (g *growth) reads(read func(a im.Actor, conv im.ConvID) error) (float64, error) {
	run := func() error {
		for range sampleReads {
			k := g.rng.IntN(g.o.Pairs)
			a, conv := g.pair(k)
			if err := read(im.Actor{App: g.o.App, User: a, Device: "bench"}, conv); err != nil {
				return err
			}
		}
		return nil
	}
	if err := run(); err != nil {
		return 0, err
	}
	return g.cost(sampleReads, run)
}

// syncs measures the sync of devices that have missed the last thousand
// messages, most of which were others'.
func (g *growth) syncs(ctx context.Context) (float64, error) {
	var heads []im.Pos
	err := g.j.View(ctx, func(v journal.View) (err error) {
		heads, err = v.Heads()
		return err
	})
	if err != nil {
		return 0, err
	}
	if err := g.fill(ctx, 1000); err != nil {
		return 0, err
	}
	return g.reads(func(a im.Actor, _ im.ConvID) error {
		_, err := g.c.Sync(ctx, a, chat.SyncRequest{Cursor: g.c.CursorAt(a, heads)})
		return err
	})
}

// pair is the k-th conversation and one of the two in it. Every user is in
// several conversations.
func (g *growth) pair(k int) (im.UserID, im.ConvID) {
	users := max(g.o.Pairs/10, 1)
	a := im.UserID(fmt.Sprintf("u%05d", k%users))
	b := im.UserID(fmt.Sprintf("v%06d", k))
	return a, im.Direct(a, b)
}

// fill appends n messages to random conversations, 1,024 in flight, as sends
// come out of the front door.
func (g *growth) fill(ctx context.Context, n int) error {
	slots := make(chan struct{}, 1024)
	var failed atomic.Pointer[error]
	for range n {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		if e := failed.Load(); e != nil {
			return *e
		}
		g.n++
		user, conv := g.pair(g.rng.IntN(g.o.Pairs))
		a, b := conv.Pair()
		g.j.Submit(&journal.Append{App: g.o.App, Conv: conv, Kind: im.KindMessage, Sender: user, Device: "bench",
			ClientID: clientID(time.Now(), 0, g.n), Body: g.body, MarkRead: true, ACLVersion: -1,
			Create: &journal.Create{Kind: im.ConvDirect, Members: []journal.NewMember{{User: a, Role: im.RoleMember}, {User: b, Role: im.RoleMember}}}},
			func(_ journal.Result, err error) {
				if err != nil {
					failed.CompareAndSwap(nil, &err)
				}
				<-slots
			})
	}
	for range cap(slots) { // until nothing is in flight
		slots <- struct{}{}
	}
	if e := failed.Load(); e != nil {
		return *e
	}
	return nil
}
