package job

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
)

const (
	// lanesARound is how many lanes of a kind are looked at in one round. The
	// next round goes on behind them.
	lanesARound = 512
	// roundPause is how long the next round waits when there were more.
	roundPause = 100 * time.Millisecond
	// reclaimEvery is how often jobs whose lease has ended are looked for.
	reclaimEvery = 5 * time.Second
)

// soon are the delays after a wake-up: the transaction that the job was added
// in has still to commit.
var soon = [...]time.Duration{2 * time.Millisecond, 10 * time.Millisecond, 50 * time.Millisecond, 250 * time.Millisecond}

// result is how a run of a job ended.
type result struct {
	job     Job
	err     error
	dropped bool // the node stops: the try does not count
}

// dispatcher claims jobs and writes down how they ended. One goroutine owns
// it; each running job has another, which ends by sending its result.
type dispatcher struct {
	q       *Queue
	runs    context.Context // of handlers
	health  health
	running map[run]Job
	after   map[string]string // by kind: behind which lane the next round begins
	pending []result          // not written down yet
	stirred int               // how many of soon have passed since the last wake-up
	reclaim time.Time
}

// run is one try of a job: a job that was given back can run again while an
// earlier try has not noticed.
type run struct {
	id  string
	try int
}

func newDispatcher(q *Queue, runs context.Context) *dispatcher {
	return &dispatcher{q: q, runs: runs, health: health{lanes: make(map[lane]*ills)}, running: make(map[run]Job),
		after: make(map[string]string), stirred: len(soon)}
}

// run works until ctx ends and the last running job has been written down.
func (d *dispatcher) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	rings := d.q.o.Clock.Now() // when the timer does
	set := func(in time.Duration) {
		timer.Reset(in)
		rings = d.q.o.Clock.Now().Add(in)
	}
	for planned := false; ctx.Err() == nil; {
		select {
		case <-ctx.Done():
			continue
		case r := <-d.q.results:
			d.collect(r)
		case <-d.q.wake:
			// The timer is only ever brought forward: those who add jobs
			// without a pause must not put the next round off for ever.
			d.stirred = 0
			if rings.Sub(d.q.o.Clock.Now()) > soon[0] {
				set(soon[0])
			}
			continue
		case <-timer.C:
		}
		if !planned {
			planned = d.plan(ctx)
		}
		set(d.round(ctx))
	}
	for len(d.running) > 0 {
		d.collect(<-d.q.results)
	}
	// What is not written down now is run again when its lease ends.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if _, err := d.commit(ctx, nil); err != nil {
		d.q.o.Log.Warn("the outcome of jobs was not stored; they will run again", "jobs", len(d.pending), "err", err)
	}
}

// collect takes a result and all others that have come meanwhile.
func (d *dispatcher) collect(r result) {
	for {
		l := laneOf(r.job)
		now := d.q.o.Clock.Now()
		var permanent *permanentError
		switch {
		case r.dropped:
		case r.err == nil || errors.As(r.err, &permanent): // the target answers; the job is at fault
			d.health.outcome(l, true, now)
		default:
			d.health.outcome(l, false, now)
		}
		delete(d.running, run{r.job.ID, r.job.Try})
		d.pending = append(d.pending, r)
		select {
		case r = <-d.q.results:
		default:
			return
		}
	}
}

// plan makes the rows of the periodic kinds.
func (d *dispatcher) plan(ctx context.Context) bool {
	err := d.q.o.DB.Write(ctx, func(tx db.Tx) error {
		for i := range d.q.kinds {
			if k := &d.q.kinds[i]; k.Every > 0 {
				if err := schedule(tx, k); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil && ctx.Err() == nil {
		d.q.o.Log.Warn("periodic jobs were not planned", "err", err)
	}
	return err == nil
}

// round writes results down, claims what is due and starts it. It returns when
// to come again at the latest.
func (d *dispatcher) round(ctx context.Context) time.Duration {
	next, err := d.try(ctx)
	if err != nil {
		if ctx.Err() == nil {
			d.q.o.Log.Warn("jobs wait for the database", "err", err)
		}
		return pollEvery
	}
	if d.stirred < len(soon) {
		next = min(next, soon[d.stirred])
		d.stirred++
	}
	return next
}

func (d *dispatcher) try(ctx context.Context) (next time.Duration, err error) {
	var c choice
	if err := d.reclaimLost(ctx); err != nil {
		return 0, err
	}
	err = d.q.o.DB.Read(ctx, func(tx db.Tx) (err error) {
		c, err = d.choose(tx)
		return err
	})
	if err != nil {
		return 0, err
	}
	again, err := d.commit(ctx, c.jobs)
	return min(c.next, again), err
}

// choice is what a round found.
type choice struct {
	jobs []Job
	next time.Duration
}

// choose picks due jobs, kind by kind, on a snapshot.
func (d *dispatcher) choose(tx db.Tx) (c choice, err error) {
	c.next = pollEvery
	for _, l := range d.q.takeForgiven() {
		d.health.outcome(l, true, time.Time{})
	}
	now, err := tx.Now()
	if err != nil {
		return c, err
	}
	busy, err := runningLanes(tx)
	if err != nil {
		return c, err
	}
	for _, r := range d.pending {
		busy[laneOf(r.job)]-- // it is written down before anything is claimed
	}
	for i := range d.q.kinds {
		k := &d.q.kinds[i]
		due, err := earliest(tx, k.Name)
		if err != nil {
			return c, err
		}
		if due < 0 {
			continue
		}
		if due > now {
			c.next = min(c.next, time.Duration(due-now)*time.Microsecond+time.Millisecond)
			continue
		}
		more, err := d.chooseKind(tx, k, now, busy, &c)
		if err != nil {
			return c, err
		}
		if more {
			c.next = min(c.next, roundPause)
		}
	}
	return c, nil
}

// chooseKind adds due jobs of one kind, fairly between its lanes. It reports
// whether there are lanes that it has not come to though workers are free.
func (d *dispatcher) chooseKind(tx db.Tx, k *Kind, now im.Micros, busy map[lane]int, c *choice) (more bool, err error) {
	free, suspects := k.Workers, 0
	for _, j := range d.running {
		if j.Kind == k.Name {
			free--
			if d.health.suspect(laneOf(j)) {
				suspects++
			}
		}
	}
	if free <= 0 {
		return false, nil
	}
	all, err := round(tx, k.Name, d.after[k.Name], lanesARound)
	if err != nil {
		return false, err
	}
	clock := d.q.o.Clock.Now()
	ready := slices.DeleteFunc(slices.Clone(all), func(w waiting) bool { return w.at > now || d.health.paused(w.lane, clock) })
	for i, w := range ready {
		suspect := d.health.suspect(w.lane)
		want := min(k.PerTarget-busy[w.lane], max(1, free/(len(ready)-i)))
		if suspect {
			want = min(want, 1-busy[w.lane], max(1, k.Workers/2)-suspects)
		}
		if want <= 0 {
			continue
		}
		jobs, err := dueJobs(tx, w.lane, now, want)
		if err != nil {
			return false, err
		}
		c.jobs = append(c.jobs, jobs...)
		if suspect {
			suspects += len(jobs)
		}
		d.after[k.Name] = w.name
		if free -= len(jobs); free <= 0 {
			return false, nil
		}
	}
	if len(all) < lanesARound {
		return false, nil
	}
	d.after[k.Name] = all[len(all)-1].name
	return true, nil
}

// commit writes results down and claims jobs, in one transaction, and starts
// the claimed ones. It returns when a job that has failed is due again.
func (d *dispatcher) commit(ctx context.Context, jobs []Job) (again time.Duration, err error) {
	if len(d.pending) == 0 && len(jobs) == 0 {
		return pollEvery, nil
	}
	var claimed []Job
	var lost []string
	err = d.q.o.DB.Write(ctx, func(tx db.Tx) error {
		claimed, lost, again = nil, nil, pollEvery
		now, err := tx.Now()
		if err != nil {
			return err
		}
		for _, r := range d.pending {
			mine, due, err := d.q.finish(tx, r, now)
			if err != nil {
				return err
			}
			if due > 0 {
				again = min(again, due+time.Millisecond)
			}
			if !mine {
				lost = append(lost, r.job.ID)
			}
		}
		if len(jobs) > 0 {
			claimed, err = d.q.claim(tx, jobs, now)
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	for _, id := range lost {
		d.q.o.Log.Warn("a job ended after its lease; it may have run twice", "job", id)
	}
	d.pending = d.pending[:0]
	for _, j := range claimed {
		d.running[run{j.ID, j.Try}] = j
		go d.work(j)
	}
	return again, nil
}

// work runs one job and reports.
func (d *dispatcher) work(j Job) {
	k := d.q.named[j.Kind]
	ctx, cancel := context.WithTimeout(d.runs, k.Timeout)
	defer cancel()
	err := handle(ctx, k, j)
	r := result{job: j, err: err, dropped: err != nil && d.runs.Err() != nil}
	if err != nil && !r.dropped {
		d.q.o.Log.Warn("a job failed", "kind", j.Kind, "job", j.ID, "app", j.App, "try", j.Try, "of", k.Tries, "err", err)
	}
	switch {
	case r.dropped:
	case err != nil:
		d.q.runs.Inc("failed")
	default:
		d.q.runs.Inc("ok")
	}
	d.q.results <- r
}

// handle turns a panic of a handler into an error.
func handle(ctx context.Context, k *Kind, j Job) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return k.Run(ctx, j)
}

// reclaimLost gives back the jobs whose lease has ended: their node has died,
// or cannot reach the database.
func (d *dispatcher) reclaimLost(ctx context.Context) error {
	now := d.q.o.Clock.Now()
	if now.Before(d.reclaim) {
		return nil
	}
	var lost []Job
	err := d.q.o.DB.Read(ctx, func(tx db.Tx) (err error) {
		lost, err = overdue(tx)
		return err
	})
	if err == nil && len(lost) > 0 {
		err = d.q.o.DB.Write(ctx, func(tx db.Tx) error { return d.q.giveBack(tx, lost) })
	}
	if err == nil {
		d.reclaim = now.Add(reclaimEvery)
	}
	return err
}
