package chat

import (
	"context"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
)

// Quota is what the operator allows an app.
type Quota interface {
	// Message takes a place for a message that is to be stored. back gives it
	// back when it was not, or had been before; nil = there is nothing to give
	// back. Errors: RateLimited, ResourceExhausted.
	Message(ctx context.Context, app im.AppID) (back func(), err error)
	// Imported is Message for one of another system, which comes as fast as the
	// calls that bring it.
	Imported(ctx context.Context, app im.AppID) (back func(), err error)
	// Look tells whether it may be looked for what a message or a group that
	// found no place has stored before, which is a read; nil = it may. Errors:
	// Unavailable, when the app has been refused too often.
	Look(app im.AppID) error
	// Group takes a place for a group that is to be made. Errors: ResourceExhausted.
	Group(ctx context.Context, app im.AppID, conv im.ConvID) (back func(), err error)
	// Members is how many members a group of the app may have, 0 = as many as
	// the server's limit says.
	Members(app im.AppID) int
	// Full counts a refusal because of Members, and returns what to do about it.
	Full() (hint string)
}

// noQuota allows everything.
type noQuota struct{}

// Message implements Quota.
func (noQuota) Message(context.Context, im.AppID) (func(), error) { return nil, nil }

// Imported implements Quota.
func (noQuota) Imported(context.Context, im.AppID) (func(), error) { return nil, nil }

// Look implements Quota.
func (noQuota) Look(im.AppID) error { return nil }

// Group implements Quota.
func (noQuota) Group(context.Context, im.AppID, im.ConvID) (func(), error) { return nil, nil }

// Members implements Quota.
func (noQuota) Members(im.AppID) int { return 0 }

// Full implements Quota.
func (noQuota) Full() string { return "" }

// MostMembers is how many members a group of an app may be set to have, where
// the limit is as given: the app's quota takes its place.
func (s *Service) MostMembers(app im.AppID, limit int) int {
	if most := s.quota.Members(app); most > 0 {
		return most
	}
	return limit
}

// CheckSize tells whether a group may have so many members, where own is what
// the group itself allows (0 = it does not say) and limit is the server's. The
// app's quota takes the place of limit, and nobody's group goes beyond it.
// Errors: TooLarge.
func (s *Service) CheckSize(app im.AppID, own uint32, limit, size int) error {
	quota := s.quota.Members(app)
	most := limit
	switch {
	case quota > 0 && (own == 0 || int(own) > quota):
		most = quota
	case own > 0:
		most = int(own)
	}
	if size <= most {
		return nil
	}
	e := im.Errorf(im.TooLarge, "the group has at most %d members", most)
	if most == quota {
		e.Hint = s.quota.Full()
	}
	return e
}

// taker is one of the methods of a Quota.
type taker func(ctx context.Context, app im.AppID) (back func(), err error)

// takePlace takes a place for an append that was decided, if it is a message:
// messages of all kinds, whoever sends them and whoever reads them. What else
// is appended (edits, reactions, values, changes of groups) is about what is
// there already, and is free.
//
// A retry takes a place as well, because nobody knows yet that it is one:
// settle gives it back. When there is none, refuse looks for the first attempt's
// entry.
func takePlace(ctx context.Context, take taker, a *journal.Append) (back func(), err error) {
	if a.Kind != im.KindMessage {
		return nil, nil
	}
	return take(ctx, a.App)
}

// refuse answers an append that found no place: as its first attempt if that was
// stored, which a retry has to hear whatever the quota is, else by err.
func (s *Service) refuse(ctx context.Context, a *journal.Append, err error) (journal.Result, error) {
	if busy := s.quota.Look(a.App); busy != nil {
		return journal.Result{}, busy
	}
	if done, ok := s.repeated(ctx, a); ok {
		return done, nil
	}
	return journal.Result{}, err
}

// settle gives a place back that stored nothing. One whose outcome is not known
// stays taken: the message may be stored.
func settle(back func(), res *journal.Result, err error) {
	if back != nil && (err == nil && res.Duplicate || err != nil && im.CodeOf(err) != im.Unavailable) {
		back()
	}
}
