package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/skein-im/skein/internal/im"
)

// callTimeout bounds what is done at the end, and, with two fifths of the
// lease, one look at the log and one renewal: a renewal that begins when a
// third of the lease is gone and hangs can be tried anew, over another
// connection, before four fifths are.
const callTimeout = 3 * time.Second

// Every so often the runner stores what was noted and clears old rows away.
const (
	flushEvery = 10 * time.Second
	cleanEvery = 10 * time.Minute
)

// Run keeps this node's lease, applies fences, and stores what Touch and
// AckCursor have noted. It returns when ctx ends, after giving the lease back.
// Call it once; until it has got its first lease nobody can sign in.
//
// apply is called for every fence, in order, before the call that wrote it is
// answered: it closes every session that the fence Ends, and returns when the
// sockets of these have been told to close and nothing more is delivered to
// them. It must not wait for a slow client. It can be nil.
func (a *Auth) Run(ctx context.Context, apply func(Fence)) error {
	if apply == nil {
		apply = func(Fence) {}
	}
	applied, err := a.begin(ctx)
	if err != nil {
		return err
	}
	a.setApplied(applied)
	done := make(chan struct{})
	go func() { // ends with ctx
		defer close(done)
		a.store(ctx)
	}()
	a.keepLease(ctx, leaseState{lease: a.lease, applied: applied}, apply)
	a.valid.drop()
	<-done
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	return errors.Join(a.flush(last), a.dropLease(last))
}

// flush stores what is to be noted of devices.
func (a *Auth) flush(ctx context.Context) error { return a.notes.flush(ctx, a.db, a.now()) }

// begin takes the node's name and returns how far the log is. It waits for a
// database that is away, as the node does later on.
func (a *Auth) begin(ctx context.Context) (applied int64, err error) {
	for {
		if err = a.takeName(ctx); err != nil {
			err = fmt.Errorf("take the node's name: %w", err)
		} else if applied, err = a.currentFence(ctx); err != nil {
			err = fmt.Errorf("read the fence log: %w", err)
		}
		if err == nil || im.CodeOf(err) != im.Unavailable || ctx.Err() != nil {
			return applied, err
		}
		a.logLease(ctx, "begin", err)
		t := time.NewTimer(retryAfter)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return 0, err
		}
	}
}

// keepLease carries the machine's effects until ctx ends.
func (a *Auth) keepLease(ctx context.Context, s leaseState, apply func(Fence)) {
	var effects []any
	next := any(leaseTick{})
	for ctx.Err() == nil {
		s, effects = s.step(next, a.clock.Now())
		for _, e := range effects {
			next = a.carry(ctx, e, apply)
		}
	}
}

// carry carries one effect out and returns the event that answers it.
func (a *Auth) carry(ctx context.Context, effect any, apply func(Fence)) any {
	call, cancel := context.WithTimeout(ctx, min(callTimeout, a.lease*2/5))
	defer cancel()
	switch e := effect.(type) {
	case leaseLook:
		fences, err := a.fencesAfter(call, e.after)
		a.logLease(ctx, "read the fence log", err)
		return leaseLooked{fences, err}
	case leaseApply:
		for _, f := range e.fences {
			a.known.apply(f)
			a.fences.Inc()
			apply(f)
		}
		upTo := e.fences[len(e.fences)-1].ID
		a.setApplied(upTo)
		return leaseApplied{upTo}
	case leaseRenew:
		ok, err := a.renewLease(call, e.applied)
		a.logLease(ctx, "renew the lease", err)
		return leaseRenewed{e.start, ok, err}
	case leaseHold:
		a.valid.hold(e.start)
		a.announce()
		a.tell()
	case leaseSleep:
		return a.sleep(ctx, e.until)
	}
	return leaseTick{}
}

// sleep waits until a time, a wake-up, or the end.
func (a *Auth) sleep(ctx context.Context, until time.Time) any {
	t := time.NewTimer(max(until.Sub(a.clock.Now()), time.Millisecond))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	case <-a.wake:
		return leaseWake{}
	}
	return leaseTick{}
}

// sayEvery is how often a database that stays away is reported, for it is
// asked ten times a second.
const sayEvery = 5 * time.Second

// logLease reports a failure; a database that is away is reported here and
// nowhere else, since the caller only tries again. It belongs to the goroutine
// of Run.
func (a *Auth) logLease(ctx context.Context, what string, err error) {
	if err == nil || ctx.Err() != nil {
		return
	}
	valid, _ := a.valid.now()
	now := a.clock.Now()
	if valid == a.saidValid && now.Sub(a.said) < sayEvery {
		return
	}
	a.said, a.saidValid = now, valid
	a.log.Warn(what, "err", err, "node", a.node, "valid", valid)
}

// store stores notes and clears rows away until ctx ends.
func (a *Auth) store(ctx context.Context) {
	flush, clean := time.NewTicker(flushEvery), time.NewTicker(cleanEvery)
	defer flush.Stop()
	defer clean.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-flush.C:
			err = a.flush(ctx)
		case <-a.notes.full:
			err = a.flush(ctx)
		case <-clean.C:
			err = a.clean(ctx)
		}
		if err != nil && ctx.Err() == nil {
			a.log.Warn("store notes of devices", "err", err)
		}
	}
}

// tell tells the other nodes how far this one has come, once for each step.
func (a *Auth) tell() {
	a.mu.Lock()
	applied, news := a.applied, a.applied != a.toldOf
	a.toldOf = applied
	a.mu.Unlock()
	if news {
		a.told(applied)
	}
}

// setApplied remembers how far this process has applied the log.
func (a *Auth) setApplied(fence int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.applied = fence
}

// announce wakes whoever waits for a fence on this node.
func (a *Auth) announce() {
	a.mu.Lock()
	defer a.mu.Unlock()
	close(a.moved)
	a.moved = make(chan struct{})
}

// Valid tells whether this node may accept and deliver: it has applied every
// fence that was acknowledged so far. It turns false by the clock alone, also
// in a process that was frozen. Ask it before every delivery.
func (a *Auth) Valid() bool {
	ok, _ := a.valid.now()
	return ok
}

// WaitValid returns when the node is Valid, or when ctx ends. Fences that came
// in between were applied before: sessions that they end have been closed.
func (a *Auth) WaitValid(ctx context.Context) error {
	for {
		ok, again := a.valid.now()
		if ok {
			return nil
		}
		select {
		case <-again:
		case <-ctx.Done():
			return errNotValid()
		}
	}
}

// errNotValid is the answer of a node that is cut off from the database.
func errNotValid() error {
	return im.Errorf(im.Unavailable, "this node can not reach the database")
}
