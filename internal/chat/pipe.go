package chat

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	"github.com/skein-im/skein/internal/turn"
)

// Pipe keeps the order of what one connection sends without waiting: entries
// that it pipelines into a conversation are appended in that order, also when
// the conversation's members change in between and decisions are taken again.
// One Pipe belongs to one session; one goroutine submits.
//
// What can go wrong: sends 1 2 3 were decided on version 5 of a group and are
// in the journal's queue when version 6 commits after 1. 2 and 3 come back as
// stale, and 4, decided on version 6, must not be appended before they are.
// So all that is in flight into a group was decided on one version. Whatever
// is stale, or was decided on another version than what is in flight, stalls
// the line: it is held, with all that comes after it, until nothing is in
// flight any more; then the held ones are decided and sent again, in order.
type Pipe struct {
	s     *Service
	actor im.Actor

	mu     sync.Mutex              // guards the rest
	lines  map[im.ConvID]*pipeLine // of groups and planned values: nothing else can become stale
	next   uint64
	closed bool
}

// pipeLine is what is under way in one group.
type pipeLine struct {
	conv     im.ConvID
	inFlight int
	attempts []im.ClientID // what is in flight, and decided
	version  int64         // that what is in flight was decided on
	stalled  bool
	draining bool       // a goroutine sends what was held
	held     []heldSend // in the order of n
	stalls   int
}

type heldSend struct {
	n    uint64 // the order in which the connection sent
	req  SendRequest
	done func(journal.Result, error)
}

// NewPipe returns a pipe for one session of an actor.
func (s *Service) NewPipe(actor im.Actor) *Pipe {
	return &Pipe{s: s, actor: actor}
}

// Close ends the session's part: what was appended stays, but nothing that
// came back as stale is decided and sent again. The client has, or will have,
// another session, and sends again there: what is refused there for good must
// not appear because of an older attempt. It is answered with Unavailable.
func (p *Pipe) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
}

// errPipeClosed is the answer to what a closed pipe held.
func errPipeClosed() error {
	return &im.Error{Code: im.Unavailable, Message: "the connection has ended", Hint: "retry with the same client id"}
}

// Submit sends without waiting; done is called exactly once and must not
// block. ctx bounds look-ups, not the append.
func (p *Pipe) Submit(ctx context.Context, r SendRequest, done func(journal.Result, error)) {
	if err := p.s.checkSend(&r); err != nil {
		done(journal.Result{}, err)
		return
	}
	if r.Conv.Kind() != im.ConvGroup && !r.planned() {
		a, back, err := p.prepare(ctx, &r)
		if err != nil {
			answer(done, err)
			return
		}
		if back != nil {
			done = settled(back, done)
		}
		p.s.j.Submit(a, done)
		return
	}
	p.mu.Lock()
	line := p.line(r.Conv)
	p.next++
	h := heldSend{p.next, r, done}
	if line.stalled || line.draining || len(line.held) > 0 {
		line.hold(h)
		p.mu.Unlock()
		return
	}
	line.inFlight++
	p.mu.Unlock()
	p.try(ctx, line, h)
}

func (p *Pipe) line(conv im.ConvID) *pipeLine {
	if p.lines == nil {
		p.lines = make(map[im.ConvID]*pipeLine)
	}
	line := p.lines[conv]
	if line == nil {
		line = &pipeLine{conv: conv}
		p.lines[conv] = line
	}
	return line
}

// hold keeps a send in its place.
func (l *pipeLine) hold(h heldSend) {
	i := len(l.held)
	for i > 0 && l.held[i-1].n > h.n {
		i--
	}
	l.held = slices.Insert(l.held, i, h)
}

// try decides a send, which is counted as in flight, and submits it, unless
// the line has stalled meanwhile or stalls because of it.
func (p *Pipe) try(ctx context.Context, line *pipeLine, h heldSend) {
	a, back, err := p.prepare(ctx, &h.req)
	p.mu.Lock()
	// A repetition that is refused while its first attempt is under way has to
	// wait for that one: it may be decided again, and otherwise.
	first := line.has(h.req.ClientID)
	if err != nil && !first {
		p.mu.Unlock()
		answer(h.done, err)
		p.landed(ctx, line, nil, im.ClientID{})
		return
	}
	if err != nil || line.stalled || line.inFlight > 1 && line.version != a.ACLVersion {
		line.stalled = true
		p.mu.Unlock()
		if back != nil {
			back()
		}
		p.landed(ctx, line, &h, im.ClientID{})
		return
	}
	line.version = a.ACLVersion
	line.attempts = append(line.attempts, a.ClientID)
	p.mu.Unlock()
	p.s.j.Submit(a, func(res journal.Result, err error) {
		settle(back, &res, err)
		if isStale(err) {
			p.landed(ctx, line, &h, a.ClientID)
			return
		}
		h.done(res, err)
		p.landed(ctx, line, nil, a.ClientID)
	})
}

// has tells whether a message is under way, or held.
func (l *pipeLine) has(id im.ClientID) bool {
	return slices.Contains(l.attempts, id) || slices.ContainsFunc(l.held, func(h heldSend) bool { return h.req.ClientID == id })
}

// landed counts one outcome, of the append with that client id if there was
// one; back is a send that has to be tried again. When
// nothing is in flight any more the held ones are sent, on a goroutine of
// their own: this may be the journal's, which must not wait for a read.
func (p *Pipe) landed(ctx context.Context, line *pipeLine, back *heldSend, id im.ClientID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	line.inFlight--
	if i := slices.Index(line.attempts, id); i >= 0 {
		line.attempts = slices.Delete(line.attempts, i, i+1)
	}
	if back != nil {
		line.stalled = true
		line.hold(*back)
	}
	if line.inFlight > 0 || line.draining {
		return
	}
	if len(line.held) == 0 {
		delete(p.lines, line.conv)
		return
	}
	line.stalled, line.draining = false, true
	line.stalls++
	turn.Go(p.s.tasks, func() { p.drain(ctx, line) }) // ends when nothing is held, or the line stalls
}

// drain sends what is held, in order, until the line stalls again.
func (p *Pipe) drain(ctx context.Context, line *pipeLine) {
	p.s.rooms.drop(p.actor.App, line.conv)
	for {
		p.mu.Lock()
		if len(line.held) == 0 || line.stalled {
			line.draining = false
			line.inFlight++ // so that landed sees the line as it is now
			p.mu.Unlock()
			p.landed(ctx, line, nil, im.ClientID{})
			return
		}
		h := line.held[0]
		line.held = line.held[1:]
		line.inFlight++
		giveUp, closed := line.stalls > maxRetries, p.closed
		p.mu.Unlock()
		if closed {
			h.done(journal.Result{}, errPipeClosed())
			p.landed(ctx, line, nil, im.ClientID{})
			continue
		}
		if giveUp {
			h.done(journal.Result{}, &im.Error{Code: im.Unavailable, Message: "the conversation keeps changing", Hint: "retry with the same client id"})
			p.landed(ctx, line, nil, im.ClientID{})
			continue
		}
		p.try(ctx, line, h)
	}
}

// settled is done behind settle.
func settled(back func(), done func(journal.Result, error)) func(journal.Result, error) {
	return func(res journal.Result, err error) {
		settle(back, &res, err)
		done(res, err)
	}
}

// prepare decides a send, builds its append and takes its place (takePlace). A
// refusal on a room that is not the newest is taken again.
func (p *Pipe) prepare(ctx context.Context, r *SendRequest) (a *journal.Append, back func(), err error) {
	for n := 0; ; n++ {
		room, err := p.s.rooms.get(ctx, p.actor.App, r.Conv)
		if err != nil {
			return nil, nil, err
		}
		a := &journal.Append{App: p.actor.App, Conv: r.Conv, Sender: p.actor.User, Device: p.actor.Device,
			ClientID: r.ClientID, ACLVersion: room.Version, Deny: denyOf(room, p.actor)}
		if err = p.s.fillSend(ctx, p.actor, room, r, a); err == nil {
			if back, err = takePlace(ctx, p.s.quota.Message, a); err == nil {
				return a, back, nil
			}
			res, err := p.s.refuse(ctx, a, err)
			if err == nil {
				err = &repeatedError{res}
			}
			return nil, nil, err
		}
		if res, ok := p.s.repeated(ctx, a); ok {
			return nil, nil, &repeatedError{res}
		}
		if n == maxRetries || !p.s.outdated(ctx, room) {
			return nil, nil, err
		}
	}
}

// repeatedError carries the first answer of a send that is no longer allowed.
type repeatedError struct{ res journal.Result }

func (e *repeatedError) Error() string { return "acknowledged before" }

// answer calls done with a failure, or with the first answer of a repetition.
func answer(done func(journal.Result, error), err error) {
	var r *repeatedError
	if errors.As(err, &r) {
		done(r.res, nil)
		return
	}
	done(journal.Result{}, err)
}
