package chat

import (
	"context"
	"strings"
	"time"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	"github.com/skein-im/skein/internal/trace"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// SendRequest is a message to be.
type SendRequest struct {
	Conv      im.ConvID
	ClientID  im.ClientID
	Body      []byte // encoded skein.v1.Body, kept as it is
	ToDevices []im.DeviceID
	Handshake bool
	Key       string
	ToUsers   []im.UserID
	Silent    bool
	Priority  im.Priority
	TTL       time.Duration // how long the body stays; 0 = for ever
	Burn      int32         // seconds after the peer has read it; 0 = it stays
	Thread    im.Seq        // the root of its thread; 0 = none
	Session   uint64        // the socket session that asks, 0 = none
	// FromApp: the app's back end has it sent, be it in a user's name.
	FromApp bool
	// Trace is the trace that the send belongs to, nil = none; Send takes it
	// from its context.
	Trace *trace.Span

	content *skeinv1.Content // of a readable body, once checkSend has seen it
}

// Send appends a message and waits for its durable outcome.
func (s *Service) Send(ctx context.Context, actor im.Actor, r SendRequest) (journal.Result, error) {
	if err := s.checkSend(&r); err != nil {
		return journal.Result{}, err
	}
	r.Trace = trace.From(ctx)
	return s.apply(ctx, actor, r.Conv, r.ClientID, func(ctx context.Context, room *Room, a *journal.Append) error {
		return s.fillSend(ctx, actor, room, &r, a)
	})
}

// CheckSend holds a request to the rules that need no room: for messages that
// will be sent later.
func (s *Service) CheckSend(r *SendRequest) error { return s.checkSend(r) }

// checkSend holds a request to the rules that need no room.
func (s *Service) checkSend(r *SendRequest) error {
	if err := s.checkID(r.ClientID); err != nil {
		return err
	}
	if strings.HasPrefix(r.Key, journal.FoldedKey) {
		return im.Errorf(im.InvalidArgument, "a key does not begin with %s", journal.FoldedKey)
	}
	if r.Key != "" && (r.Conv.Kind() != im.ConvSelf || !im.ValidKey(r.Key)) {
		return im.Errorf(im.InvalidArgument, "key is for the self conversation and has at most 200 bytes without control characters")
	}
	if reservedKey(r.Key) {
		return im.Errorf(im.InvalidArgument, "the keys contact/, request/, block/, "+hidesReadsKey+" and "+CallsKey+" are written by the server")
	}
	if err := checkOptions(r); err != nil {
		return err
	}
	var err error
	if r.content, err = s.checkBody(r.Body); err != nil {
		return err
	}
	return checkPrivate(r.Key, r.content)
}

// Bounds of a message's options.
const (
	MaxToUsers = 100 // users whom a message or a command is for
	maxTTL     = 366 * 24 * time.Hour
	maxBurn    = 7 * 24 * 60 * 60 // seconds
)

// checkOptions holds the options of a send to their ranges.
func checkOptions(r *SendRequest) error {
	if len(r.ToUsers) > MaxToUsers {
		return im.Errorf(im.InvalidArgument, "to_users has at most %d users", MaxToUsers)
	}
	for _, u := range r.ToUsers {
		if !im.ValidName(string(u)) {
			return im.Errorf(im.InvalidArgument, "to_users has an invalid user id")
		}
	}
	switch {
	case r.Priority < im.PriorityNormal || r.Priority > im.PriorityLow:
		return im.Errorf(im.InvalidArgument, "priority is not known")
	case r.TTL < 0 || r.TTL > maxTTL:
		return im.Errorf(im.InvalidArgument, "ttl_s is at most a year")
	case r.Burn < 0 || r.Burn > maxBurn:
		return im.Errorf(im.InvalidArgument, "burn_after_s is at most a week")
	case r.Key != "" && (r.TTL > 0 || r.Burn > 0):
		return im.Errorf(im.InvalidArgument, "the value of a key stays until the next one")
	case r.Thread < 0:
		return im.Errorf(im.InvalidArgument, "thread_seq starts at 1")
	case r.Thread > 0 && (r.Key != "" || len(r.ToUsers)+len(r.ToDevices) > 0):
		return im.Errorf(im.InvalidArgument, "a reply in a thread is for everybody who reads the thread")
	}
	return nil
}

// fillSend decides a send and fills in the append.
func (s *Service) fillSend(ctx context.Context, actor im.Actor, room *Room, r *SendRequest, a *journal.Append) error {
	span := r.Trace.Child("chat.decide")
	a.Kind, a.Body, a.MarkRead, a.Trace = im.KindMessage, r.Body, true, r.Trace
	a.ToDevices, a.Handshake, a.Session = r.ToDevices, r.Handshake, r.Session
	a.ToUsers, a.Silent, a.Priority, a.TTL, a.Burn, a.Target = r.ToUsers, r.Silent, r.Priority, r.TTL, r.Burn, r.Thread
	if r.Key != "" {
		// Nothing was read or said: the SDKs move no marker either.
		a.Kind, a.Key, a.Effect, a.MarkRead = im.KindKeyed, r.Key, journal.BlankKey, false
	}
	a.Create = create(room)
	if err := s.guestSends(ctx, actor, room); err != nil {
		span.End(err)
		return err
	}
	if r.planned() {
		if err := s.planPrivate(ctx, actor, r, a); err != nil {
			span.End(err)
			return err
		}
	}
	act := &Action{Verb: VerbSend, Actor: actor, Room: room, Content: r.content, FromApp: r.FromApp}
	var err error
	if r.Thread > 0 {
		err = s.fillReply(ctx, act, r, a)
	}
	if err == nil {
		err = s.decide(ctx, act)
	}
	if err == nil { // after it: who may not know of the conversation hears nothing about it
		err = keeping(room)
	}
	if err == nil { // nor about who is in it
		err = s.checkReaders(ctx, actor, room, r, a)
	}
	if room.Kind == im.ConvGroup && a.Kind == im.KindMessage && !actor.Server {
		a.MinGap = room.SlowMode(actor.User)
	}
	if err == nil && r.Burn > 0 && room.Kind != im.ConvDirect {
		err = im.Errorf(im.FailedPrecondition, "only messages between two users burn after reading")
	}
	span.End(err)
	return err
}
