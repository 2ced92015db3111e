package job

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
)

func TestAJobOfACommittedTransactionRunsOnceAndOneOfARolledBackNever(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		r := newRecorder()
		q := b.start(Kind{Name: "k", Run: func(_ context.Context, j Job) error { r.enter(j)(); return nil }})
		planned := errors.New("planned")
		err := b.db.Write(t.Context(), func(tx db.Tx) error {
			if _, _, err := q.Enqueue(tx, Spec{Kind: "k", Body: []byte("lost")}); err != nil {
				return err
			}
			return planned
		})
		if !errors.Is(err, planned) {
			t.Fatal(err)
		}
		begun := time.Now()
		ids := b.add(q, Spec{Kind: "k", App: "app", Target: "t", Body: []byte("kept")})
		b.gone(ids...)
		if d := time.Since(begun); d > pollEvery {
			t.Errorf("it took %v: the queue was not woken", d)
		}
		got := r.seen()
		if len(got) != 1 || got[0].ID != ids[0] || string(got[0].Body) != "kept" || got[0].Try != 1 || got[0].App != "app" ||
			got[0].Target != "t" || got[0].Kind != "k" || got[0].Created == 0 {
			t.Errorf("ran %+v", got)
		}
	})
}

func TestThoseWhoAddJobsWithoutAPauseDoNotPutTheNextRoundOff(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) { // the bubble's clock makes the pace exact
		d, err := db.Open(t.Context(), dir, db.Options{})
		if err != nil {
			t.Fatal(err)
		}
		b := &bench{t: t, db: d}
		defer func() { b.must(d.Close()) }()
		b.must(d.Migrate(t.Context(), "job", Migrations()))
		q := b.queue(Kind{Name: "k", Run: func(context.Context, Job) error { return nil }})
		q.Start()
		defer func() { b.must(q.Close(context.Background())) }()
		id := b.add(q, Spec{Kind: "k"})[0]
		for range 1000 {
			time.Sleep(soon[0] / 4)
			q.Wake()
		}
		if r := b.row(id); r.state != -1 {
			t.Errorf("after 500 ms: %+v", r)
		}
	})
}

func TestAJobThatFailsIsTriedAgainAndDiesAfterItsTries(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		var calls, heal atomic.Int32
		q := b.start(Kind{Name: "k", Tries: 3, Backoff: time.Millisecond, Run: func(context.Context, Job) error {
			if calls.Add(1); heal.Load() > 0 {
				return nil
			}
			return errors.New("planned")
		}})
		id := b.add(q, Spec{Kind: "k", App: "app", Body: []byte("x")})[0]
		b.until("it is dead", func() bool { return b.row(id).state == 3 })
		if calls.Load() != 3 {
			t.Errorf("%d tries", calls.Load())
		}
		dead, err := q.Dead(t.Context(), "app", "", 10)
		b.must(err)
		if len(dead) != 1 || dead[0].ID != id || dead[0].Try != 3 || dead[0].Error != "planned" || dead[0].At == 0 || string(dead[0].Body) != "x" {
			t.Fatalf("dead: %+v", dead)
		}
		for _, other := range []im.AppID{"other", "ap"} {
			if list, _ := q.Dead(t.Context(), other, "", 10); len(list) != 0 {
				t.Errorf("%s sees %+v", other, list)
			}
			if err := q.Replay(t.Context(), other, id); im.CodeOf(err) != im.NotFound {
				t.Errorf("replay by %s: %v", other, err)
			}
			if err := q.Discard(t.Context(), other, id); im.CodeOf(err) != im.NotFound {
				t.Errorf("discard by %s: %v", other, err)
			}
		}
		heal.Store(1)
		b.must(q.Replay(t.Context(), "app", id))
		b.gone(id)
		if err := q.Replay(t.Context(), "", id); im.CodeOf(err) != im.NotFound {
			t.Errorf("a second replay: %v", err)
		}
	})
}

func TestAPermanentErrorAPanicAndADiscard(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		var calls atomic.Int32
		q := b.start(Kind{Name: "no", Run: func(context.Context, Job) error { calls.Add(1); return Permanent(errors.New("gone")) }},
			Kind{Name: "panic", Tries: 1, Run: func(context.Context, Job) error { panic("planned") }})
		ids := b.add(q, Spec{Kind: "no"}, Spec{Kind: "panic"})
		for _, id := range ids {
			b.until("it is dead", func() bool { return b.row(id).state == 3 })
			b.must(q.Discard(t.Context(), "", id))
			b.gone(id)
		}
		if calls.Load() != 1 {
			t.Errorf("a permanent error was tried %d times", calls.Load())
		}
		if Permanent(nil) != nil {
			t.Error("Permanent(nil) is an error")
		}
	})
}

func TestAKeyIsTakenForAsLongAsItsJobIsThere(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		hold := make(chan struct{})
		q := b.start(Kind{Name: "gone", Run: func(context.Context, Job) error { <-hold; return nil }},
			Kind{Name: "kept", Keep: time.Hour, Run: func(context.Context, Job) error { return nil }})
		add := func(kind string, app im.AppID, key string) (id string, added bool) {
			b.must(b.db.Write(t.Context(), func(tx db.Tx) (err error) {
				id, added, err = q.Enqueue(tx, Spec{Kind: kind, App: app, Key: key})
				return err
			}))
			return id, added
		}
		first, added := add("gone", "app", "x")
		if again, twice := add("gone", "app", "x"); !added || twice || again != first {
			t.Errorf("%s %v, then %s %v", first, added, again, twice)
		}
		if _, added := add("gone", "other", "x"); !added {
			t.Error("another app's key is in the way")
		}
		if _, added := add("gone", "app", ""); !added {
			t.Error("a job without a key was not added")
		}
		if _, added := add("gone", "app", ""); !added {
			t.Error("a second job without a key was not added")
		}
		kept, _ := add("kept", "app", "x")
		close(hold)
		b.gone(first)
		if _, added := add("gone", "app", "x"); !added {
			t.Error("the key of a job that is gone is still taken")
		}
		b.until("it is done", func() bool { return b.row(kept).state == 2 })
		if again, added := add("kept", "app", "x"); added || again != kept {
			t.Error("the key of a job that is kept was given again")
		}
	})
}

func TestATargetsLimitHoldsInTheWholeCluster(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		r := newRecorder()
		kind := Kind{Name: "k", PerTarget: 2, Workers: 8, Run: func(_ context.Context, j Job) error {
			leave := r.enter(j)
			defer leave()
			<-time.After(time.Millisecond) // so that runs overlap if they can
			return nil
		}}
		q := b.start(kind)
		b.start(kind)
		b.start(kind)
		var specs []Spec
		for i := range 60 {
			specs = append(specs, Spec{Kind: "k", App: "app", Target: fmt.Sprint("t", i%3)})
		}
		b.gone(b.add(q, specs...)...)
		if got := r.seen(); len(got) != 60 {
			t.Errorf("%d runs of 60 jobs", len(got))
		}
		for target, n := range r.most {
			if n > 2 {
				t.Errorf("%s had %d running at once", target, n)
			}
		}
	})
}

func TestJobsOfOneLaneThatRunsOneAtATimeKeepTheirOrderAndDoNotWaitForThePoll(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		r := newRecorder()
		q := b.start(Kind{Name: "k", PerTarget: 1, Run: func(_ context.Context, j Job) error { r.enter(j)(); return nil }})
		var ids []string
		begun := time.Now()
		for range 20 {
			ids = append(ids, b.add(q, Spec{Kind: "k", App: "app", Target: "t"})...)
		}
		b.gone(ids...)
		if d := time.Since(begun); d > 5*time.Second {
			t.Errorf("20 short jobs took %v", d)
		}
		for i, j := range r.seen() {
			if j.ID != ids[i] {
				t.Fatalf("run %d was of another job", i)
			}
		}
	})
}

func TestDeadTargetsStopNobodyElse(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		// Thirty targets that hang until their time is up, with more jobs each
		// than there are workers, and one that works.
		q := b.start(Kind{Name: "k", Workers: 8, PerTarget: 4, Timeout: 30 * time.Millisecond, Backoff: 10 * time.Millisecond,
			Run: func(ctx context.Context, j Job) error {
				if j.Target == "good" {
					return nil
				}
				<-ctx.Done()
				return ctx.Err()
			}})
		var dead []Spec
		for i := range 300 {
			dead = append(dead, Spec{Kind: "k", App: "app", Target: fmt.Sprint("dead", i%30)})
		}
		b.add(q, dead...)
		b.until("every dead target is under suspicion", func() bool {
			var n int
			b.must(b.db.Read(t.Context(), func(tx db.Tx) error {
				return tx.QueryRow("SELECT count(*) FROM (SELECT target FROM job WHERE error <> '' GROUP BY target HAVING sum(tries) >= $1) x", suspectAfter).Scan(&n)
			}))
			return n == 30
		})
		begun := time.Now()
		var good []Spec
		for range 50 {
			good = append(good, Spec{Kind: "k", App: "app", Target: "good"})
		}
		b.gone(b.add(q, good...)...)
		if d := time.Since(begun); d > 5*time.Second {
			t.Errorf("50 short jobs of a good target took %v", d)
		}
	})
}

// choose runs a dispatcher's choice, without running anything.
func (b *bench) choose(d *dispatcher) (c choice) {
	b.t.Helper()
	b.must(b.db.Read(b.t.Context(), func(tx db.Tx) (err error) {
		c, err = d.choose(tx)
		return err
	}))
	return c
}

func TestLanesUnderSuspicionGetOneJobEachAndHalfOfTheWorkersTogether(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		q := b.queue(Kind{Name: "k", Workers: 8, PerTarget: 4, Run: func(context.Context, Job) error { return nil }})
		d := newDispatcher(q, t.Context())
		var specs []Spec
		now := time.Now()
		for i := range 20 {
			target := fmt.Sprintf("bad%02d", i)
			specs = append(specs, Spec{Kind: "k", App: "app", Target: target}, Spec{Kind: "k", App: "app", Target: target})
			for range suspectAfter {
				d.health.outcome(lane{"k", "app/" + target}, false, now.Add(-time.Hour))
			}
		}
		paused := lane{"k", "app/a"}
		specs = append(specs, Spec{Kind: "k", App: "app", Target: "a"})
		for range suspectAfter {
			d.health.outcome(paused, false, now.Add(time.Hour))
		}
		for range 10 {
			specs = append(specs, Spec{Kind: "k", App: "app", Target: "good"})
		}
		b.add(q, specs...)
		targets := make(map[string]int)
		for _, j := range b.choose(d).jobs {
			targets[j.Target]++
		}
		if targets["good"] == 0 || targets["good"] > 4 || targets["a"] != 0 || len(targets) != 5 {
			t.Errorf("chosen: %v", targets)
		}
		for target, n := range targets {
			if target != "good" && n != 1 {
				t.Errorf("%s got %d workers", target, n)
			}
		}
		// A replay lifts the suspicion.
		q.started = true
		q.forgive(paused)
		if got := b.choose(d).jobs; !slices.ContainsFunc(got, func(j Job) bool { return j.Target == "a" }) {
			t.Errorf("after the replay: %+v", got)
		}
	})
}

func TestALaneUnderSuspicionGetsOneJobAtATimeThoughNobodyElseWantsAWorker(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		q := b.queue(Kind{Name: "k", Run: func(context.Context, Job) error { return nil }})
		d := newDispatcher(q, t.Context())
		b.add(q, Spec{Kind: "k", App: "app"}, Spec{Kind: "k", App: "app"}, Spec{Kind: "k", App: "app"})
		if got := b.choose(d).jobs; len(got) != 3 {
			t.Errorf("%d jobs of a good lane were chosen", len(got))
		}
		for range suspectAfter {
			d.health.outcome(lane{"k", "app/"}, false, time.Time{})
		}
		if got := b.choose(d).jobs; len(got) != 1 {
			t.Errorf("%d jobs of a suspect lane were chosen", len(got))
		}
	})
}

func TestAClaimTakesNoMoreThanALanesLimitAndNothingTwice(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		q := b.queue(Kind{Name: "k", PerTarget: 2, Run: func(context.Context, Job) error { return nil }})
		var specs []Spec
		for range 6 {
			specs = append(specs, Spec{Kind: "k", App: "app", Target: "t"})
		}
		b.add(q, specs...)
		var claimed []int
		b.must(b.db.Write(t.Context(), func(tx db.Tx) error {
			claimed = nil
			now, err := tx.Now()
			if err != nil {
				return err
			}
			// As if each of three nodes had looked before the others claimed.
			jobs, err := dueJobs(tx, lane{"k", "app/t"}, now, 6)
			if err != nil || len(jobs) != 6 {
				return fmt.Errorf("%d jobs are due: %w", len(jobs), err)
			}
			for _, list := range [][]Job{jobs[:1], jobs, jobs} {
				got, err := q.claim(tx, list, now)
				if err != nil {
					return err
				}
				claimed = append(claimed, len(got))
			}
			return nil
		}))
		if !slices.Equal(claimed, []int{1, 1, 0}) {
			t.Errorf("claimed %v", claimed)
		}
	})
}

func TestAJobWhoseNodeDiedRunsAgainAndTheDeadNodesAnswerDoesNotCount(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		begun, hold := make(chan struct{}), make(chan struct{})
		dead := b.start(Kind{Name: "k", Keep: time.Hour, Run: func(context.Context, Job) error {
			close(begun)
			<-hold
			return errors.New("too late")
		}})
		id := b.add(dead, Spec{Kind: "k"})[0]
		<-begun
		dead.cancel()                                              // it claims nothing any more, but its handler still runs
		b.exec("UPDATE job SET lease_until = 1 WHERE id = $1", id) // its time is up
		r := newRecorder()
		b.start(Kind{Name: "k", Keep: time.Hour, Backoff: time.Millisecond, Run: func(_ context.Context, j Job) error { r.enter(j)(); return nil }})
		b.until("it is done", func() bool { return b.row(id).state == 2 })
		if got := r.seen(); len(got) != 1 || got[0].Try != 2 || got[0].ID != id {
			t.Errorf("ran %+v", got)
		}
		before := b.row(id)
		close(hold)
		b.must(dead.Close(t.Context()))
		if after := b.row(id); after != before {
			t.Errorf("the late answer made %+v of %+v", after, before)
		}
	})
}

func TestAJobThatKillsEveryNodeIsDeadInTheEnd(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		q := b.start(Kind{Name: "k", Tries: 2, Backoff: time.Millisecond, Run: func(ctx context.Context, _ Job) error { return nil }})
		id := b.queueless(q, "k", 2)
		b.until("it is dead", func() bool { return b.row(id).state == 3 })
		if b.row(id).err != errLost.Error() {
			t.Errorf("%+v", b.row(id))
		}
	})
}

// queueless writes a job that was running, for the last time, on a node that
// is no more.
func (b *bench) queueless(q *Queue, kind string, tries int) (id string) {
	b.t.Helper()
	b.must(b.db.Write(b.t.Context(), func(tx db.Tx) (err error) {
		if id, _, err = q.Enqueue(tx, Spec{Kind: kind}); err == nil {
			_, err = tx.Exec("UPDATE job SET state = 1, owner = 'gone', lease_until = 1, tries = $2 WHERE id = $1", id, tries)
		}
		return err
	}))
	return id
}

func TestClosingGivesAJobBackWithoutCountingTheTry(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		begun := make(chan struct{})
		q := b.start(Kind{Name: "k", Run: func(ctx context.Context, _ Job) error {
			close(begun)
			<-ctx.Done()
			return ctx.Err()
		}})
		id := b.add(q, Spec{Kind: "k"})[0]
		<-begun
		now, cancel := context.WithCancel(t.Context())
		cancel()
		b.must(q.Close(now))
		if r := b.row(id); r.state != 0 || r.tries != 0 {
			t.Errorf("%+v", r)
		}
		b.start(Kind{Name: "k", Run: func(context.Context, Job) error { return nil }})
		b.gone(id)
		b.must(q.Close(t.Context())) // again
		never := b.queue()
		b.must(never.Close(t.Context()))
		never.Start() // too late
	})
}

func TestAPeriodicJobRunsOnceAPeriodInTheClusterAndSurvivesRestarts(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		var runs, failing atomic.Int32
		kind := Kind{Name: "p", Every: 50 * time.Millisecond, Tries: 2, Backoff: time.Millisecond, Run: func(context.Context, Job) error {
			runs.Add(1)
			if failing.Load() > 0 {
				return errors.New("planned")
			}
			return nil
		}}
		begun := time.Now()
		first, second := b.start(kind), b.start(kind)
		b.until("five runs", func() bool { return runs.Load() >= 5 })
		if d := time.Since(begun); d < 5*kind.Every {
			t.Errorf("five periods of %v took %v", kind.Every, d)
		}
		b.must(first.Close(t.Context()))
		b.must(second.Close(t.Context()))
		var rows int
		b.must(b.db.Read(t.Context(), func(tx db.Tx) error {
			return tx.QueryRow("SELECT count(*) FROM job WHERE kind = 'p'").Scan(&rows)
		}))
		if rows != 1 {
			t.Fatalf("%d rows", rows)
		}
		// A restart takes the schedule as it finds it, and a failure does not end it.
		failing.Store(1)
		runs.Store(0)
		due := b.row("every.p").runAt
		kind.Every = time.Hour
		third := b.start(kind)
		b.until("its tries are used up", func() bool { r := b.row("every.p"); return runs.Load() == 2 && r.state == 0 && r.tries == 0 })
		if r := b.row("every.p"); r.runAt < due+micros(time.Hour) || r.err != "planned" {
			t.Errorf("%+v, was due at %d", r, due)
		}
		// A shorter period brings the next run forward.
		b.must(third.Close(t.Context()))
		kind.Every = 10 * time.Millisecond
		failing.Store(0)
		b.start(kind)
		b.until("it runs again", func() bool { return runs.Load() > 4 })
	})
}

func TestADelayAndARetryAfterAreWaitedFor(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		var late atomic.Bool
		q := b.start(Kind{Name: "k", Tries: 5, Run: func(_ context.Context, j Job) error {
			if string(j.Body) == "busy" {
				return &im.Error{Code: im.RateLimited, Message: "busy", RetryAfter: 2 * time.Hour}
			}
			late.Store(true)
			return nil
		}})
		begun := time.Now()
		ids := b.add(q, Spec{Kind: "k", Delay: 150 * time.Millisecond}, Spec{Kind: "k", Body: []byte("busy")})
		b.until("the busy one has failed", func() bool { return b.row(ids[1]).err != "" })
		now, err := b.db.Now(t.Context())
		b.must(err)
		if wait := b.row(ids[1]).runAt - now; wait < micros(119*time.Minute) || wait > micros(151*time.Minute) {
			t.Errorf("the busy one waits %v", time.Duration(wait)*time.Microsecond)
		}
		b.gone(ids[0])
		if d := time.Since(begun); d < 150*time.Millisecond {
			t.Errorf("the delayed one ran after %v", d)
		}
	})
}

func TestOldRowsArePurgedAndOthersStay(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		q := b.queue(Kind{Name: "k", Keep: time.Hour, KeepDead: 2 * time.Hour, Run: func(context.Context, Job) error { return nil }})
		var ids []string
		for range 5 {
			ids = append(ids, b.add(q, Spec{Kind: "k"})...)
		}
		now, err := b.db.Now(t.Context())
		b.must(err)
		for i, c := range []struct {
			state int
			age   time.Duration
		}{{2, 61 * time.Minute}, {2, 59 * time.Minute}, {3, 121 * time.Minute}, {3, 119 * time.Minute}, {0, 1000 * time.Hour}} {
			b.exec("UPDATE job SET state = $2, finished = $3 WHERE id = $1", ids[i], c.state, now-micros(c.age))
		}
		b.must(q.purge(t.Context(), Job{}))
		for i, want := range []int{-1, 2, -1, 3, 0} {
			if got := b.row(ids[i]).state; got != want {
				t.Errorf("row %d is in state %d, not %d", i, got, want)
			}
		}
	})
}

func TestEveryLaneHasItsTurnHoweverManyThereAre(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		q := b.queue(Kind{Name: "k", Run: func(context.Context, Job) error { return nil }})
		var specs []Spec
		for i := range 25 {
			for range 3 {
				specs = append(specs, Spec{Kind: "k", App: "app", Target: fmt.Sprintf("t%02d", i)})
			}
		}
		specs = append(specs, Spec{Kind: "k"}) // the lane of nobody
		b.add(q, specs...)
		b.must(b.db.Read(t.Context(), func(tx db.Tx) error {
			seen := make(map[string]int)
			after := ""
			for range 13 { // four lanes at a time, twice around
				got, err := round(tx, "k", after, 4)
				if err != nil {
					return err
				}
				if len(got) != 4 {
					t.Fatalf("a round of %d lanes", len(got))
				}
				for _, w := range got {
					seen[w.name]++
				}
				after = got[3].name
			}
			if len(seen) != 26 {
				t.Errorf("%d lanes of 26 had a turn", len(seen))
			}
			for name, n := range seen {
				if n != 2 {
					t.Errorf("lane %s had %d turns", name, n)
				}
			}
			all, err := round(tx, "k", "app/t10", 100)
			if err != nil {
				return err
			}
			if len(all) != 26 || all[0].name != "app/t11" || all[25].name != "app/t10" {
				t.Errorf("a whole round: %+v", all)
			}
			return nil
		}))
	})
}

func TestWhatCanNotBeAJobIsRefused(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		run := func(context.Context, Job) error { return nil }
		q := b.queue(Kind{Name: "k", Run: run}, Kind{Name: "p", Run: run, Every: time.Hour})
		for _, c := range []struct {
			spec Spec
			want im.Code
		}{{Spec{Kind: "x"}, im.InvalidArgument}, {Spec{Kind: "p"}, im.InvalidArgument},
			{Spec{Kind: "k", Body: make([]byte, MaxBody+1)}, im.TooLarge}} {
			err := b.db.Write(t.Context(), func(tx db.Tx) error { _, _, err := q.Enqueue(tx, c.spec); return err })
			if im.CodeOf(err) != c.want {
				t.Errorf("%s: %v", c.spec.Kind, err)
			}
		}
		for _, kinds := range [][]Kind{{{Name: "A", Run: run}}, {{Name: "a"}}, {{Name: "a", Run: run}, {Name: "a", Run: run}}, {{Name: purgeKind, Run: run}}} {
			if _, err := New(q.o, kinds...); im.CodeOf(err) != im.InvalidArgument {
				t.Errorf("%+v: %v", kinds, err)
			}
		}
	})
}

func TestALaneThatFailsIsLeftAloneForLongerAndLongerUntilItWorks(t *testing.T) {
	h := health{lanes: make(map[lane]*ills)}
	now := time.UnixMicro(1_700_000_000_000_000)
	l := lane{"k", "app/t"}
	var pauses []time.Duration
	for i := range 15 {
		h.outcome(l, false, now)
		if h.suspect(l) != (i+1 >= suspectAfter) {
			t.Errorf("after %d failures: suspect is %v", i+1, h.suspect(l))
		}
		pause := time.Duration(0)
		for h.paused(l, now.Add(pause)) {
			pause += time.Second
		}
		pauses = append(pauses, pause)
		now = now.Add(pause)
	}
	if pauses[0] != 0 || pauses[2] != pauseBase || !slices.IsSorted(pauses) || pauses[14] != pauseMost {
		t.Errorf("pauses %v", pauses)
	}
	h.outcome(l, true, now)
	if h.suspect(l) || h.paused(l, now) || len(h.lanes) != 0 {
		t.Error("a lane that works again is still under suspicion")
	}
}

func TestBackOffDoublesUpToAnHour(t *testing.T) {
	k := Kind{Backoff: time.Second}
	for _, c := range []struct {
		tries int
		want  time.Duration
	}{{1, time.Second}, {2, 2 * time.Second}, {5, 16 * time.Second}, {13, MaxBackoff}, {1000, MaxBackoff}} {
		if got := k.retryIn(c.tries, errors.New("x")); got != c.want {
			t.Errorf("after %d tries: %v, not %v", c.tries, got, c.want)
		}
	}
}
