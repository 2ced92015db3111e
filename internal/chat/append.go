package chat

import (
	"context"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	"github.com/skein-im/skein/internal/turn"
)

// maxRetries bounds how often a decision is taken again because somebody
// changed the room meanwhile.
const maxRetries = 8

// attempt is one decision: it fills in the append, or refuses.
type attempt func(ctx context.Context, room *Room, a *journal.Append) error

// apply decides and appends, and decides again when it was overtaken. It is
// the way of every verb that is not the hot one.
func (s *Service) apply(ctx context.Context, actor im.Actor, conv im.ConvID, id im.ClientID, try attempt) (journal.Result, error) {
	return s.applyUpTo(ctx, maxRetries, s.quota.Message, actor, conv, id, try)
}

// applyUpTo is apply that decides again at most so many times, and takes the
// place of a message so.
func (s *Service) applyUpTo(ctx context.Context, retries int, take taker, actor im.Actor, conv im.ConvID, id im.ClientID, try attempt) (journal.Result, error) {
	if err := s.checkID(id); err != nil {
		return journal.Result{}, err
	}
	for n := 0; ; n++ {
		room, err := s.rooms.get(ctx, actor.App, conv)
		if err != nil {
			return journal.Result{}, err
		}
		a := &journal.Append{App: actor.App, Conv: conv, Sender: actor.User, Device: actor.Device, ClientID: id, ACLVersion: room.Version,
			Deny: denyOf(room, actor)}
		if err := try(ctx, room, a); err != nil {
			// A retry of what has succeeded must get its first answer, even
			// when the actor could not do it any more.
			if done, ok := s.repeated(ctx, a); ok {
				return done, nil
			}
			if n < retries && s.outdated(ctx, room) {
				continue
			}
			return journal.Result{}, err
		}
		back, err := takePlace(ctx, take, a)
		if err != nil {
			return s.refuse(ctx, a, err)
		}
		res, err := s.wait(ctx, a)
		settle(back, &res, err)
		if !isStale(err) {
			if a.Members != nil || a.Title != nil || a.Attrs != nil || a.Raise || a.SetBits|a.ClearBits != 0 {
				s.rooms.drop(actor.App, conv) // the caller's next decision sees it
			}
			return res, err
		}
		if n == retries {
			return journal.Result{}, &im.Error{Code: im.Unavailable, Message: "the conversation keeps changing", Hint: "retry with the same client id"}
		}
		s.rooms.drop(actor.App, conv)
	}
}

// outdated tells whether a room that made somebody refuse is not the newest
// any more: a refusal appends nothing, so no precondition would notice.
func (s *Service) outdated(ctx context.Context, room *Room) bool {
	if room.Version < 0 {
		return false
	}
	s.rooms.dropIf(room)
	fresh, err := s.rooms.get(ctx, room.App, room.ID)
	return err == nil && fresh.Version != room.Version
}

// repeated finds the entry of an append that was acknowledged before.
func (s *Service) repeated(ctx context.Context, a *journal.Append) (journal.Result, bool) {
	var res journal.Result
	err := s.j.View(ctx, func(v journal.View) error {
		e, err := v.ByClientID(a.App, a.Sender, a.ClientID)
		if err == nil && (e.Conv != a.Conv || e.Kind != a.Kind || e.Target != a.Target) {
			return im.ErrNotFound
		}
		res.Entry, res.Duplicate = e, true
		return err
	})
	return res, err == nil
}

// wait appends and waits for the outcome. When ctx ends first the outcome is
// unknown, which is what Unavailable tells the caller.
func (s *Service) wait(ctx context.Context, a *journal.Append) (journal.Result, error) {
	type outcome struct {
		res journal.Result
		err error
	}
	ch := make(chan outcome, 1)
	s.j.Submit(a, func(r journal.Result, err error) { ch <- outcome{r, err} })
	if o, ok := turn.ReceiveOr(s.tasks, ch, ctx.Done()); ok {
		o.res.Entry = *s.Shown(&o.res.Entry) // a repetition can come late
		return o.res, o.err
	}
	return journal.Result{}, &im.Error{Code: im.Unavailable, Message: "the outcome is not known yet", Hint: "retry with the same client id"}
}

// create returns how to make a conversation whose id says who is in it; nil
// for a group, which must exist.
func create(room *Room) *journal.Create {
	switch room.Kind {
	case im.ConvDirect:
		a, b := room.ID.Pair()
		return &journal.Create{Kind: im.ConvDirect, Members: []journal.NewMember{{User: a, Role: im.RoleMember}, {User: b, Role: im.RoleMember}}}
	case im.ConvSelf:
		return &journal.Create{Kind: im.ConvSelf, Members: []journal.NewMember{{User: room.ID.Owner(), Role: im.RoleOwner}}}
	}
	return nil
}
