// Package contact keeps who is whose contact, who has asked whom, and who has
// blocked whom.
//
// A fact between two users is an entry of their direct conversation, and the
// bits of that conversation's row say what they are to each other: so a block
// and a message, or two requests that cross, are decided under one lock, and
// nothing needs two shards in one transaction. What a user sees (their
// contacts with remarks, the requests that wait, whom they block) are values
// in their own conversation, which every device has by syncing. A follower
// writes them from the entries (project.go).
package contact

import (
	"context"
	"errors"
	"time"
	"unicode/utf8"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	"github.com/skein-im/skein/internal/page"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Limits of contacts.
const (
	MaxContacts = 3000
	// MaxOpen is how many requests of a user may wait at once.
	MaxOpen = 100
	// Pause is how long after a request was declined the same user may not ask
	// the same one again.
	Pause       = 7 * 24 * time.Hour
	MaxGreeting = 200 // characters
	MaxRemark   = 64  // characters
	// MaxLabels is how many different labels a user has, and MaxLabelsEach how
	// many a contact.
	MaxLabels     = 50
	MaxLabelsEach = 10
	MaxLabel      = 32 // characters
)

// Chat is what this package needs of the front door.
type Chat interface {
	Relate(ctx context.Context, a im.Actor, peer im.UserID, id im.ClientID,
		plan func(conv im.ConvID, now chat.Relation) (chat.RelationChange, error)) (journal.Result, error)
	SetKeyed(ctx context.Context, a im.Actor, conv im.ConvID, id im.ClientID,
		plan func(v journal.View, room *chat.Room) (chat.Keyed, error)) (journal.Result, error)
}

// Deps are what a Service is made of; all but Part and Changed are needed.
type Deps struct {
	Chat    Chat
	Journal journal.Journal
	Clock   im.Clock
	Pages   *page.Sealer
	// Policy returns what a request to a user does; package profile through wire.go.
	Policy func(ctx context.Context, app im.AppID, user im.UserID) (skeinv1.ContactPolicy, error)
	// AllowRequest counts a request and refuses it with RateLimited.
	AllowRequest func(a im.Actor) error
	// Part ends what a block ends beside contacts; it may be repeated. nil = nothing.
	Part func(ctx context.Context, app im.AppID, a, b im.UserID) error
	// Changed is told when two users became, or are no more, contacts, or one
	// has blocked the other, so that what they watch is decided again.
	Changed func(app im.AppID, user, other im.UserID)
}

// Service answers skein.v1.ContactService.
type Service struct{ Deps }

// New builds the service.
func New(d Deps) *Service { return &Service{d} }

var (
	errServer  = im.Errorf(im.InvalidArgument, "a back end has no contacts of its own")
	errRefused = &im.Error{Code: im.PermissionDenied, Message: "this user takes no requests from you"}
)

// either are both flags of requests.
const either = chat.SmallerAsks | chat.LargerAsks

// RequestContact asks a user, or accepts what they have asked. See the proto
// for its errors.
func (s *Service) RequestContact(ctx context.Context, a im.Actor, r *skeinv1.RequestContactRequest) (*skeinv1.RequestContactResponse, error) {
	if !utf8.ValidString(r.Greeting) || utf8.RuneCountInString(r.Greeting) > MaxGreeting {
		return nil, im.Errorf(im.InvalidArgument, "a greeting has at most %d characters", MaxGreeting)
	}
	peer, id, err := s.parties(a, r.User, r.ClientId)
	if err != nil {
		return nil, err
	}
	if err := s.AllowRequest(a); err != nil {
		return nil, err
	}
	policy, err := s.Policy(ctx, a.App, peer)
	if err != nil {
		return nil, err
	}
	mine, err := s.lists(ctx, a.App, a.User)
	if err != nil {
		return nil, err
	}
	change := &skeinv1.ContactChange{Greeting: r.Greeting}
	res, err := s.Chat.Relate(ctx, a, peer, id, func(conv im.ConvID, now chat.Relation) (chat.RelationChange, error) {
		return s.request(a, peer, conv, now, policy, mine, change)
	})
	if err != nil {
		return nil, asRefusal(err)
	}
	if err := s.settle(ctx, &res.Entry); err != nil {
		return nil, err
	}
	action := actionOf(&res.Entry)
	return &skeinv1.RequestContactResponse{Added: action == skeinv1.ContactAction_CONTACT_ACTION_ADD || action == skeinv1.ContactAction_CONTACT_ACTION_ACCEPT}, nil
}

// request decides what asking does.
func (s *Service) request(a im.Actor, peer im.UserID, conv im.ConvID, now chat.Relation, policy skeinv1.ContactPolicy,
	mine *lists, change *skeinv1.ContactChange) (chat.RelationChange, error) {
	var none chat.RelationChange
	switch {
	case now&chat.Blocks(conv, a.User) != 0:
		return none, &im.Error{Code: im.FailedPrecondition, Message: "you have blocked this user", Hint: "unblock them first"}
	case now&chat.Blocks(conv, peer) != 0:
		return none, errRefused
	case now&chat.AreContacts != 0:
		return none, im.Errorf(im.AlreadyExists, "you are contacts already")
	case now&chat.Asks(conv, a.User) != 0:
		return none, im.Errorf(im.AlreadyExists, "your request waits for an answer")
	case len(mine.contacts) >= MaxContacts:
		return none, errFull()
	case now&chat.Asks(conv, peer) != 0:
		change.Action = skeinv1.ContactAction_CONTACT_ACTION_ACCEPT
		return chat.RelationChange{Change: change, Set: chat.AreContacts, Clear: either}, nil
	case policy == skeinv1.ContactPolicy_CONTACT_POLICY_NOBODY:
		return none, errRefused
	case policy == skeinv1.ContactPolicy_CONTACT_POLICY_ANYONE:
		change.Action = skeinv1.ContactAction_CONTACT_ACTION_ADD
		return chat.RelationChange{Change: change, Set: chat.AreContacts, Clear: either}, nil
	}
	if err := mine.mayAsk(peer, s.Clock.Now()); err != nil {
		return none, err
	}
	change.Action = skeinv1.ContactAction_CONTACT_ACTION_REQUEST
	return chat.RelationChange{Change: change, Set: chat.Asks(conv, a.User)}, nil
}

func errFull() error {
	return im.Errorf(im.ResourceExhausted, "a user has at most %d contacts", MaxContacts)
}

// asRefusal makes the journal's refusal of a blocked one the same as any.
func asRefusal(err error) error {
	if im.CodeOf(err) == im.PermissionDenied {
		return errRefused
	}
	return err
}

// AnswerContactRequest accepts or declines. Errors: NotFound, ResourceExhausted.
func (s *Service) AnswerContactRequest(ctx context.Context, a im.Actor, r *skeinv1.AnswerContactRequestRequest) (*skeinv1.AnswerContactRequestResponse, error) {
	peer, id, err := s.parties(a, r.User, r.ClientId)
	if err != nil {
		return nil, err
	}
	full := false
	if r.Accept {
		mine, err := s.lists(ctx, a.App, a.User)
		if err != nil {
			return nil, err
		}
		full = len(mine.contacts) >= MaxContacts
	}
	res, err := s.Chat.Relate(ctx, a, peer, id, func(conv im.ConvID, now chat.Relation) (chat.RelationChange, error) {
		switch {
		case now&chat.Asks(conv, peer) == 0:
			return chat.RelationChange{}, im.ErrNotFound
		case full:
			return chat.RelationChange{}, errFull()
		case r.Accept:
			return chat.RelationChange{Change: &skeinv1.ContactChange{Action: skeinv1.ContactAction_CONTACT_ACTION_ACCEPT}, Set: chat.AreContacts, Clear: either}, nil
		}
		return chat.RelationChange{Change: &skeinv1.ContactChange{Action: skeinv1.ContactAction_CONTACT_ACTION_DECLINE}, Clear: chat.Asks(conv, peer)}, nil
	})
	if err != nil {
		return nil, asRefusal(err)
	}
	return &skeinv1.AnswerContactRequestResponse{}, s.settle(ctx, &res.Entry)
}

// RemoveContact ends a contact for both. Errors: NotFound.
func (s *Service) RemoveContact(ctx context.Context, a im.Actor, r *skeinv1.RemoveContactRequest) (*skeinv1.RemoveContactResponse, error) {
	peer, id, err := s.parties(a, r.User, r.ClientId)
	if err != nil {
		return nil, err
	}
	res, err := s.Chat.Relate(ctx, a, peer, id, func(_ im.ConvID, now chat.Relation) (chat.RelationChange, error) {
		if now&chat.AreContacts == 0 {
			return chat.RelationChange{}, im.ErrNotFound
		}
		return chat.RelationChange{Change: &skeinv1.ContactChange{Action: skeinv1.ContactAction_CONTACT_ACTION_REMOVE}, Clear: chat.AreContacts}, nil
	})
	if err != nil {
		return nil, err
	}
	return &skeinv1.RemoveContactResponse{}, s.settle(ctx, &res.Entry)
}

// EndContact ends, for a user who is erased, that they and another one are
// contacts, and the requests that wait between the two. Errors: NotFound.
func (s *Service) EndContact(ctx context.Context, a im.Actor, peer im.UserID, id im.ClientID) error {
	res, err := s.Chat.Relate(ctx, a, peer, id, func(_ im.ConvID, now chat.Relation) (chat.RelationChange, error) {
		if now&(chat.AreContacts|either) == 0 {
			return chat.RelationChange{}, im.ErrNotFound
		}
		return chat.RelationChange{Change: &skeinv1.ContactChange{Action: skeinv1.ContactAction_CONTACT_ACTION_REMOVE}, Clear: chat.AreContacts | either}, nil
	})
	if err != nil {
		return err
	}
	return s.settle(ctx, &res.Entry)
}

// BlockUser blocks a user. Once it has returned, nothing that they send to the
// direct conversation is stored: their sends are checked against the same row,
// under the same lock, that this entry has changed. Blocking twice is no error.
func (s *Service) BlockUser(ctx context.Context, a im.Actor, r *skeinv1.BlockUserRequest) (*skeinv1.BlockUserResponse, error) {
	peer, id, err := s.parties(a, r.User, r.ClientId)
	if err != nil {
		return nil, err
	}
	res, err := s.Chat.Relate(ctx, a, peer, id, func(conv im.ConvID, now chat.Relation) (chat.RelationChange, error) {
		if now&chat.Blocks(conv, a.User) != 0 {
			return chat.RelationChange{}, errDone
		}
		return chat.RelationChange{Change: &skeinv1.ContactChange{Action: skeinv1.ContactAction_CONTACT_ACTION_BLOCK},
			Set: chat.Blocks(conv, a.User), Clear: chat.AreContacts | either, Own: true}, nil
	})
	if errors.Is(err, errDone) {
		return &skeinv1.BlockUserResponse{}, nil
	}
	if err != nil {
		return nil, err
	}
	return &skeinv1.BlockUserResponse{}, s.settle(ctx, &res.Entry)
}

// errDone is returned by plans that find nothing to do.
var errDone = im.Errorf(im.AlreadyExists, "nothing to do")

// UnblockUser takes a block back. Errors: NotFound.
func (s *Service) UnblockUser(ctx context.Context, a im.Actor, r *skeinv1.UnblockUserRequest) (*skeinv1.UnblockUserResponse, error) {
	peer, id, err := s.parties(a, r.User, r.ClientId)
	if err != nil {
		return nil, err
	}
	res, err := s.Chat.Relate(ctx, a, peer, id, func(conv im.ConvID, now chat.Relation) (chat.RelationChange, error) {
		if now&chat.Blocks(conv, a.User) == 0 {
			return chat.RelationChange{}, im.ErrNotFound
		}
		return chat.RelationChange{Change: &skeinv1.ContactChange{Action: skeinv1.ContactAction_CONTACT_ACTION_UNBLOCK},
			Clear: chat.Blocks(conv, a.User), Own: true}, nil
	})
	if err != nil {
		return nil, err
	}
	return &skeinv1.UnblockUserResponse{}, s.settle(ctx, &res.Entry)
}

// parties checks what every change begins with.
func (s *Service) parties(a im.Actor, user string, client []byte) (im.UserID, im.ClientID, error) {
	id, ok := im.ParseClientID(client)
	switch {
	case a.Server:
		return "", id, errServer
	case !ok:
		return "", id, im.Errorf(im.InvalidArgument, "client_id is a UUIDv7 of 16 bytes")
	case !im.ValidName(user) || im.UserID(user) == a.User:
		return "", id, im.Errorf(im.InvalidArgument, "user is not the id of another user")
	}
	return im.UserID(user), id, nil
}
