package chat

import (
	"context"
	"sync"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
)

// SendRequest is a message to be.
type SendRequest struct {
	Conv      im.ConvID
	ClientID  im.ClientID
	Body      []byte // encoded skein.v1.Body, kept as it is
	ToDevices []im.DeviceID
	Handshake bool
	Key       string
	Session   uint64 // the socket session that asks, 0 = none
}

// Send appends a message and waits for its durable outcome.
func (s *Service) Send(ctx context.Context, actor im.Actor, r SendRequest) (journal.Result, error) {
	if err := s.checkSend(&r); err != nil {
		return journal.Result{}, err
	}
	return s.apply(ctx, actor, r.Conv, r.ClientID, func(ctx context.Context, room *Room, a *journal.Append) error {
		return s.fillSend(ctx, actor, room, &r, a)
	})
}

// checkSend holds a request to the rules that need no room.
func (s *Service) checkSend(r *SendRequest) error {
	if err := s.checkID(r.ClientID); err != nil {
		return err
	}
	if r.Key != "" && (r.Conv.Kind() != im.ConvSelf || len(r.Key) > 200) {
		return im.Errorf(im.InvalidArgument, "key is for the self conversation and has at most 200 bytes")
	}
	return s.checkBody(r.Body)
}

// fillSend decides a send and fills in the append.
func (s *Service) fillSend(ctx context.Context, actor im.Actor, room *Room, r *SendRequest, a *journal.Append) error {
	a.Kind, a.Body, a.MarkRead = im.KindMessage, r.Body, true
	a.ToDevices, a.Handshake, a.Session = r.ToDevices, r.Handshake, r.Session
	if r.Key != "" {
		a.Kind, a.Key, a.Effect = im.KindKeyed, r.Key, journal.BlankKey
	}
	a.Create = create(room)
	return s.decide(ctx, &Action{Verb: VerbSend, Actor: actor, Room: room})
}

// Pipe keeps the order of what one connection sends without waiting: entries
// that it pipelines into a conversation are appended in that order, also when
// the conversation's members change in between and decisions are taken again.
// One Pipe belongs to one session.
type Pipe struct {
	s     *Service
	actor im.Actor

	mu    sync.Mutex              // guards convs
	convs map[im.ConvID]*convLine // only groups: nothing else can become stale
}

// convLine is what is under way in one group.
type convLine struct {
	inFlight int
	held     []heldSend // failed as stale, or came after one that did; in order
	tries    int
}

type heldSend struct {
	req  SendRequest
	done func(journal.Result, error)
}

// NewPipe returns a pipe for one session of an actor.
func (s *Service) NewPipe(actor im.Actor) *Pipe {
	return &Pipe{s: s, actor: actor, convs: make(map[im.ConvID]*convLine)}
}

// Submit sends without waiting; done is called exactly once and must not
// block. ctx bounds look-ups, not the append.
func (p *Pipe) Submit(ctx context.Context, r SendRequest, done func(journal.Result, error)) {
	if err := p.s.checkSend(&r); err != nil {
		done(journal.Result{}, err)
		return
	}
	if r.Conv.Kind() != im.ConvGroup {
		p.submit(ctx, r, done)
		return
	}
	p.mu.Lock()
	line := p.convs[r.Conv]
	if line == nil {
		line = &convLine{}
		p.convs[r.Conv] = line
	}
	if len(line.held) > 0 {
		line.held = append(line.held, heldSend{r, done})
		p.mu.Unlock()
		return
	}
	line.inFlight++
	p.mu.Unlock()
	p.submitGroup(ctx, line, r, done)
}

// submit is the hot path: one decision, one append, nothing held.
func (p *Pipe) submit(ctx context.Context, r SendRequest, done func(journal.Result, error)) {
	a, err := p.prepare(ctx, &r)
	if err != nil {
		answer(done, err)
		return
	}
	p.s.j.Submit(a, done)
}

func (p *Pipe) prepare(ctx context.Context, r *SendRequest) (*journal.Append, error) {
	for n := 0; ; n++ {
		room, err := p.s.rooms.get(ctx, p.actor.App, r.Conv)
		if err != nil {
			return nil, err
		}
		a := &journal.Append{App: p.actor.App, Conv: r.Conv, Sender: p.actor.User, Device: p.actor.Device,
			ClientID: r.ClientID, ACLVersion: room.Version}
		if err = p.s.fillSend(ctx, p.actor, room, r, a); err == nil {
			return a, nil
		}
		if res, ok := p.s.repeated(ctx, a); ok {
			return nil, &repeatedError{res}
		}
		if n == maxRetries || !p.s.outdated(ctx, room) {
			return nil, err
		}
	}
}

// repeatedError carries the first answer of a send that is no longer allowed.
type repeatedError struct{ res journal.Result }

func (e *repeatedError) Error() string { return "acknowledged before" }

// answer unwraps a repeatedError.
func answer(done func(journal.Result, error), err error) {
	if r, ok := err.(*repeatedError); ok {
		done(r.res, nil)
		return
	}
	done(journal.Result{}, err)
}

func (p *Pipe) submitGroup(ctx context.Context, line *convLine, r SendRequest, done func(journal.Result, error)) {
	a, err := p.prepare(ctx, &r)
	if err != nil {
		answer(done, err)
		p.landed(ctx, line, r.Conv, nil)
		return
	}
	p.s.j.Submit(a, func(res journal.Result, err error) {
		if isStale(err) {
			p.landed(ctx, line, r.Conv, &heldSend{r, done})
			return
		}
		done(res, err)
		p.landed(ctx, line, r.Conv, nil)
	})
}

// landed counts one outcome. When nothing is in flight any more and sends are
// held, they are decided again, in order, on a goroutine of their own: this
// may be the journal's, which must not wait for a read.
func (p *Pipe) landed(ctx context.Context, line *convLine, conv im.ConvID, stale *heldSend) {
	p.mu.Lock()
	defer p.mu.Unlock()
	line.inFlight--
	if stale != nil {
		line.held = append(line.held, *stale)
	}
	if line.inFlight > 0 {
		return
	}
	if len(line.held) == 0 {
		delete(p.convs, conv)
		return
	}
	line.tries++
	go p.retry(ctx, line, conv)
}

func (p *Pipe) retry(ctx context.Context, line *convLine, conv im.ConvID) {
	p.s.rooms.drop(p.actor.App, conv)
	p.mu.Lock()
	held := line.held
	line.held = nil
	line.inFlight += len(held)
	giveUp := line.tries > maxRetries
	p.mu.Unlock()
	for _, h := range held {
		if giveUp {
			h.done(journal.Result{}, &im.Error{Code: im.Unavailable, Message: "the conversation keeps changing", Hint: "retry with the same client id"})
			p.landed(ctx, line, conv, nil)
			continue
		}
		p.submitGroup(ctx, line, h.req, h.done)
	}
}
