package chat

import (
	"context"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	"github.com/skein-im/skein/internal/trace"
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
	// Trace is the trace that the send belongs to, nil = none; Send takes it
	// from its context.
	Trace *trace.Span
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
	span := r.Trace.Child("chat.decide")
	a.Kind, a.Body, a.MarkRead, a.Trace = im.KindMessage, r.Body, true, r.Trace
	a.ToDevices, a.Handshake, a.Session = r.ToDevices, r.Handshake, r.Session
	if r.Key != "" {
		// Nothing was read or said: the SDKs move no marker either.
		a.Kind, a.Key, a.Effect, a.MarkRead = im.KindKeyed, r.Key, journal.BlankKey, false
	}
	a.Create = create(room)
	err := s.decide(ctx, &Action{Verb: VerbSend, Actor: actor, Room: room})
	span.End(err)
	return err
}
