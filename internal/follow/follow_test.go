package follow

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/bus/bustest"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
)

func TestEveryEntryHasItsEffectOnceThoughHintsAreLostRepeatedAndReordered(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		local := bus.NewLocal()
		defer local.Close()
		hints := bustest.Lossy(local, bustest.Faults{Seed: 1, Drop: 0.2, Repeat: 0.2, Swap: 0.2})
		b.runner(hints, Follower{Name: "a", Apply: effect("a"), Every: time.Millisecond},
			Follower{Name: "b", Apply: effect("b"), Every: 20 * time.Millisecond})
		var wg sync.WaitGroup
		for shard := range 2 {
			wg.Go(func() {
				for i := range 60 {
					hints.Ring(b.log.append(shard, 1+i%9))
				}
			})
		}
		wg.Wait()
		for _, name := range []string{"a", "b"} {
			for shard := range 2 {
				head := im.Pos(len(b.log.shards[shard]))
				b.at(name, shard, head)
				b.once(name, shard, head)
			}
		}
	})
}

func TestWithoutAnyHintThePollFindsNewEntries(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		b.log.append(1, 5)
		b.runner(nil, Follower{Name: "a", Apply: effect("a")})
		b.at("a", 1, 5)
		b.log.append(1, 5)
		b.at("a", 1, 10)
		b.once("a", 1, 10)
	})
}

func TestAnEntryThatFailsIsParkedAndTheFollowerGoesOn(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		var healed atomic.Bool
		var tries atomic.Int32
		cause := func() error {
			if healed.Load() {
				return nil
			}
			tries.Add(1)
			return errors.New("planned")
		}
		r := b.runner(nil, Follower{Name: "a", Apply: poisoned("a", 37, cause)})
		b.log.append(0, 100)
		b.log.append(1, 100)
		r.poll(t.Context())
		b.at("a", 0, 100)
		b.at("a", 1, 100)
		b.once("a", 0, 100, 37)
		b.once("a", 1, 100)
		list, err := r.Parked(t.Context(), nil, 10)
		b.must(err)
		if len(list) != 1 || list[0].Follower != "a" || list[0].Shard != 0 || list[0].Pos != 37 || list[0].Tries != Tries ||
			list[0].Error != "planned" || list[0].App != "app" || list[0].Conv != "g1" || list[0].Seq != 37 || list[0].At == 0 {
			t.Fatalf("parked: %+v", list)
		}
		if more, err := r.Parked(t.Context(), &list[0], 10); err != nil || len(more) != 0 {
			t.Errorf("after the last one: %v, %v", more, err)
		}
		st, err := r.Status(t.Context())
		b.must(err)
		if len(st) != 2 || st[0] != (Status{Follower: "a", Shard: 0, Pos: 100, Held: true, Parked: 1}) {
			t.Errorf("status %+v", st)
		}

		if err := r.Replay(t.Context(), "a", 0, 37); err == nil || err.Error() == "" {
			t.Error("a replay that fails says nothing")
		}
		if list, _ = r.Parked(t.Context(), nil, 10); len(list) != 1 || list[0].Tries != Tries+1 {
			t.Errorf("after a replay that failed: %+v", list)
		}
		healed.Store(true)
		b.must(r.Replay(t.Context(), "a", 0, 37))
		b.once("a", 0, 100)
		for _, again := range []error{r.Replay(t.Context(), "a", 0, 37), r.Replay(t.Context(), "a", 0, 999), r.Replay(t.Context(), "x", 0, 1)} {
			if im.CodeOf(again) != im.NotFound {
				t.Errorf("a replay of what is not parked: %v", again)
			}
		}
	})
}

func TestAPanicOfAFollowerIsAFailureOfItsEntry(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		b.log.append(0, 20)
		r := b.runner(nil, Follower{Name: "a", Apply: poisoned("a", 20, func() error { panic("planned") })})
		b.at("a", 0, 20)
		b.once("a", 0, 20, 20)
		list, err := r.Parked(t.Context(), nil, 10)
		b.must(err)
		if len(list) != 1 || list[0].Pos != 20 {
			t.Errorf("parked %+v", list)
		}
		b.must(r.Forget(t.Context(), "a", 0, 20))
		if list, _ = r.Parked(t.Context(), nil, 10); len(list) != 0 {
			t.Errorf("still parked: %+v", list)
		}
	})
}

func TestADamagedOrMissingRowIsParkedAndTheFollowerGoesOn(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		b.log.append(0, 50)
		b.log.damaged[31] = true
		b.log.missing[12] = true
		r := b.runner(nil, Follower{Name: "a", Apply: effect("a")})
		b.at("a", 0, 50)
		b.once("a", 0, 50, 12, 31)
		list, err := r.Parked(t.Context(), nil, 10)
		b.must(err)
		if len(list) != 2 || list[0].Pos != 12 || list[1].Pos != 31 || list[1].App != "" || list[1].Error == "" {
			t.Fatalf("parked %+v", list)
		}
		if err := r.Replay(t.Context(), "a", 0, 31); im.CodeOf(err) != im.DataLoss {
			t.Errorf("the replay of a damaged row: %v", err)
		}
		if err := r.Replay(t.Context(), "a", 0, 12); im.CodeOf(err) != im.NotFound {
			t.Errorf("the replay of a missing row: %v", err)
		}
	})
}

func TestAFullDiskParksNothing(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		var full atomic.Int32
		full.Store(8)
		b.log.append(0, 10)
		r := b.runner(nil, Follower{Name: "a", Every: time.Millisecond, Apply: poisoned("a", 3, func() error {
			if full.Add(-1) >= 0 {
				return im.Errorf(im.ResourceExhausted, "the disk is full")
			}
			return nil
		})})
		for range 8 { // without waiting for the back-off: the wait is the machine's, tested there
			for task := range r.tasksOf(0) {
				task.look()
			}
		}
		full.Store(2)
		b.at("a", 0, 10)
		b.once("a", 0, 10)
		if list, err := r.Parked(t.Context(), nil, 10); err != nil || len(list) != 0 {
			t.Errorf("parked %+v, %v", list, err)
		}
	})
}

func TestAnOwnerThatFreezesAndWakesUpLateChangesNothing(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		b.log.append(0, 10)
		// The first runner freezes between reading entries and applying them,
		// for so long that its lease ends.
		// It has read more entries than the next owner will find, so that its
		// cursor, where it wants to put it, would still be a step forward.
		slow := newMemory(2)
		slow.append(0, 15)
		thaw := make(chan struct{})
		slow.freeze = thaw
		var late atomic.Int32
		f := Follower{Name: "a", Apply: effect("a")}
		f.Apply = func(ctx context.Context, tx db.Tx, entries []im.Entry) error {
			late.Add(1)
			return effect("a")(ctx, tx, entries)
		}
		frozen, err := New(Options{DB: b.db, Journal: slow, Clock: im.SystemClock{}, Entropy: im.SystemEntropy(), Log: quiet()}, f)
		b.must(err)
		frozen.Start()
		defer func() { b.must(frozen.Close(context.Background())) }()
		<-slow.frozen
		b.expire()

		b.runner(nil, Follower{Name: "a", Apply: effect("a")})
		b.at("a", 0, 10)
		b.once("a", 0, 10)
		before, err := b.cursors()
		b.must(err)

		close(thaw)
		b.until("the frozen owner tries", func() bool { return late.Load() > 0 })
		b.until("the frozen owner finds out", func() bool {
			for task := range frozen.tasksOf(0) {
				if task.held.Load() {
					return false
				}
			}
			return true
		})
		b.once("a", 0, 10)
		if after, err := b.cursors(); err != nil || !slices.EqualFunc(before, after, func(x, y cursor) bool {
			return x.pos == y.pos && x.epoch == y.epoch && x.owner == y.owner
		}) {
			t.Errorf("cursors were %+v and are %+v, %v", before, after, err)
		}
	})
}

func TestACommitThatWasReportedAsUnknownIsNotAppliedAgain(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		r, err := New(Options{DB: b.db, Journal: b.log, Clock: im.SystemClock{}, Entropy: im.SystemEntropy(), Log: quiet()},
			Follower{Name: "a", Apply: effect("a")})
		b.must(err)
		r.lease(t.Context())
		task := r.tasks[0]
		task.m.step(time.Now(), task.mail()...)
		entries := b.log.append(0, 5)
		b.must(task.write(t.Context(), entries, 5))
		// The connection broke after the commit; the follower tries again.
		if err := task.write(t.Context(), entries, 5); !errors.Is(err, errTaken) {
			t.Errorf("the second try: %v", err)
		}
		b.once("a", 0, 5)
	})
}

func TestManyRunnersThatStealFromEachOtherApplyEverythingOnce(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		local := bus.NewLocal()
		defer local.Close()
		var runners []*Runner
		for range 3 {
			runners = append(runners, b.runner(local, Follower{Name: "a", Apply: effect("a"), Every: time.Millisecond}))
		}
		for i := range 40 {
			local.Ring(b.log.append(i%2, 5))
			if i%4 == 0 {
				b.expire()
				runners[i/4%3].leases()
			}
		}
		for shard := range 2 {
			b.at("a", shard, 100)
			b.once("a", shard, 100)
		}
	})
}

func TestRunnersShareWhatThereIsAndTakeOverFromWhoGoes(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		b.log = newMemory(8)
		var followers []Follower
		for _, name := range []string{"a", "b"} {
			followers = append(followers, Follower{Name: name, Apply: effect(name)})
		}
		held := func(r *Runner) (n int) {
			for _, t := range r.tasks {
				if t.held.Load() {
					n++
				}
			}
			return n
		}
		first := b.runner(nil, followers...)
		b.until("the first one has all", func() bool { return held(first) == 16 })
		second := b.runner(nil, followers...)
		b.until("they share", func() bool {
			first.leases()
			second.leases()
			return held(first) == 8 && held(second) == 8
		})
		for shard := range 8 {
			b.log.append(shard, 5)
		}
		for shard := range 8 {
			b.at("a", shard, 5)
			b.at("b", shard, 5)
		}
		b.must(first.Close(t.Context()))
		b.until("the second one has all", func() bool {
			second.leases()
			return held(second) == 16
		})
		for shard := range 8 {
			b.log.append(shard, 5)
		}
		for shard := range 8 {
			for _, name := range []string{"a", "b"} {
				b.at(name, shard, 10)
				b.once(name, shard, 10)
			}
		}
	})
}

func TestARunnerTakesWhatTheOthersDoNotKnow(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		b.log = newMemory(4)
		b.log.append(3, 5)
		old := b.runner(nil, Follower{Name: "a", Apply: effect("a")})
		b.at("a", 3, 5)
		next := b.runner(nil, Follower{Name: "a", Apply: effect("a")}, Follower{Name: "new", Apply: effect("new")})
		b.until("all of the new one is followed", func() bool {
			old.leases()
			next.leases()
			n := 0
			for _, t := range next.tasks {
				if t.f.Name == "new" && t.held.Load() {
					n++
				}
			}
			return n == 4
		})
		b.at("new", 3, 5)
		b.once("new", 3, 5)
	})
}

func TestARunnerThatClosesHandsOverAtOnce(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		first := b.runner(nil, Follower{Name: "a", Apply: effect("a")})
		b.log.append(0, 5)
		b.at("a", 0, 5)
		b.must(first.Close(t.Context()))
		b.log.append(0, 5)
		begun := time.Now()
		b.runner(nil, Follower{Name: "a", Apply: effect("a")})
		b.at("a", 0, 10)
		if d := time.Since(begun); d > Lease/3 {
			t.Errorf("the next runner waited %v", d)
		}
		b.once("a", 0, 10)
	})
}

func TestAFollowerFromTheHeadSeesNothingOld(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		b.log.append(0, 10)
		r := b.runner(nil, Follower{Name: "a", Apply: effect("a"), Origin: FromHead})
		b.at("a", 0, 10)
		b.log.append(0, 3)
		r.poll(t.Context())
		b.at("a", 0, 13)
		b.once("a", 0, 13, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
		if err := r.Rebuild(t.Context(), "a"); im.CodeOf(err) != im.FailedPrecondition {
			t.Errorf("rebuild: %v", err)
		}
	})
}

// reset removes what effect has written for a shard.
func reset(name string) func(context.Context, db.Tx, int) error {
	return func(_ context.Context, tx db.Tx, shard int) error {
		_, err := tx.Exec("DELETE FROM effect WHERE name = $1 AND shard = $2", name, shard)
		return err
	}
}

func TestAJournalOfAnotherIncarnationIsFollowedFromTheStartOrTheHead(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		followers := []Follower{{Name: "all", Apply: poisoned("all", 2, func() error { return errors.New("planned") }), Reset: reset("all")},
			{Name: "new", Apply: effect("new"), Origin: FromHead}}
		r := b.runner(nil, followers...)
		b.at("new", 1, 0)
		b.log.append(0, 20)
		b.log.append(1, 20)
		r.poll(t.Context())
		b.at("all", 0, 20)
		b.at("all", 1, 20)
		b.at("new", 0, 20)
		b.must(r.Close(t.Context()))

		// The journal was restored to an earlier state, with one shard now.
		old := b.log
		b.log = newMemory(1)
		b.log.incarnation = "two"
		b.log.shards[0] = old.shards[0][:12]
		followers[0].Apply = effect("all")
		r = b.runner(nil, followers...)
		b.until("the second shard is gone", func() bool {
			rows, err := b.cursors()
			b.must(err)
			return len(rows) == 2 && rows[0].incarnation == "two" && rows[0].pos == 12 && rows[1].incarnation == "two"
		})
		b.once("all", 0, 12)
		b.once("all", 1, 0)
		if list, err := r.Parked(t.Context(), nil, 10); err != nil || len(list) != 0 {
			t.Errorf("parked in the old journal: %+v, %v", list, err)
		}
		b.log.append(0, 3)
		r.poll(t.Context())
		b.at("new", 0, 15)
		b.at("all", 0, 15)
		b.once("all", 0, 15)
		st, err := r.Status(t.Context())
		b.must(err)
		if len(st) != 2 || st[1].Behind != 0 {
			t.Errorf("status %+v", st)
		}
	})
}

func TestARebuiltFollowerAppliesEverythingAgainWhileEntriesKeepComing(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		local := bus.NewLocal()
		defer local.Close()
		f := Follower{Name: "a", Apply: effect("a"), Reset: reset("a"), Every: time.Millisecond}
		here, there := b.runner(local, f), b.runner(local, f)
		for i := range 60 {
			local.Ring(b.log.append(i%2, 10))
			if i == 20 {
				b.must(here.Rebuild(t.Context(), "a"))
			}
			if i == 40 {
				b.must(there.Rebuild(t.Context(), "a"))
			}
		}
		for shard := range 2 {
			b.at("a", shard, 300)
			b.once("a", shard, 300)
		}
		if err := here.Rebuild(t.Context(), "x"); im.CodeOf(err) != im.NotFound {
			t.Errorf("rebuild of nothing: %v", err)
		}
	})
}

func TestEntriesThatNobodyWantsCostNoTransaction(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		local := bus.NewLocal()
		defer local.Close()
		var calls atomic.Int32
		apply := effect("a")
		r := b.runner(local, Follower{Name: "a", Every: time.Millisecond,
			Wants: func(e *im.Entry) bool { return e.Kind == im.KindReaction },
			Apply: func(ctx context.Context, tx db.Tx, entries []im.Entry) error {
				calls.Add(1)
				return apply(ctx, tx, entries)
			}})
		passed := func(pos im.Pos) func() bool {
			return func() bool {
				for task := range r.tasksOf(0) {
					return im.Pos(task.pos.Load()) == pos
				}
				return false
			}
		}
		local.Ring(b.log.append(0, 9)) // the tenth is a reaction
		b.until("nine are passed", passed(9))
		if rows, err := b.cursors(); err != nil || rows[0].pos != 0 || calls.Load() != 0 {
			t.Errorf("%+v, %v, %d calls", rows, err, calls.Load())
		}
		local.Ring(b.log.append(0, 1))
		b.at("a", 0, 10)
		b.once("a", 0, 10, 1, 2, 3, 4, 5, 6, 7, 8, 9)
		local.Ring(b.log.append(0, 5))
		b.until("five more are passed", passed(15))
		b.at("a", 0, 15) // written down after a while all the same
	})
}

func TestTheWindowIsEmptyOnceEverybodyHasPassed(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		local := bus.NewLocal()
		defer local.Close()
		r := b.runner(local, Follower{Name: "a", Apply: effect("a")}, Follower{Name: "b", Apply: effect("b")})
		b.at("a", 0, 0)
		local.Ring(b.log.append(0, 100))
		b.at("a", 0, 100)
		b.at("b", 0, 100)
		b.until("the window is empty", func() bool {
			r.windows[0].mu.Lock()
			defer r.windows[0].mu.Unlock()
			return len(r.windows[0].chunks) == 0 && r.windows[0].bytes == 0
		})
	})
}

func TestABadFollowerIsRefused(t *testing.T) {
	o := Options{Journal: newMemory(1), Entropy: im.SystemEntropy()}
	for _, fs := range [][]Follower{{{Name: "", Apply: effect("")}}, {{Name: "A b", Apply: effect("")}}, {{Name: "a"}},
		{{Name: "a", Apply: effect("")}, {Name: "a", Apply: effect("")}}} {
		if _, err := New(o, fs...); im.CodeOf(err) != im.InvalidArgument {
			t.Errorf("%+v: %v", fs, err)
		}
	}
}

func TestARunnerThatNeverStartedCloses(t *testing.T) {
	r, err := New(Options{Journal: newMemory(1), Entropy: im.SystemEntropy(), Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(t.Context()); err != nil {
		t.Error(err)
	}
	r.Start() // too late
	if err := r.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
