package join

import (
	"context"
	"errors"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// errAsk says that a group is not open to join at once.
var errAsk = errors.New("the group wants to be asked")

// JoinGroup answers skein.v1.JoinService.JoinGroup.
func (s *Service) JoinGroup(ctx context.Context, a im.Actor, r *skeinv1.JoinGroupRequest) (*skeinv1.JoinGroupResponse, error) {
	conv := im.ConvID(r.Conversation)
	client, err := s.checkJoin(a, r.Message, r.ClientId)
	if err != nil {
		return nil, err
	}
	if err := s.AllowLookup(a); err != nil {
		return nil, err
	}
	if _, err := s.group(ctx, a.App, conv); err != nil {
		return nil, err
	}
	err = s.enter(ctx, a, conv, client, s.openDoor(ctx, a))
	if errors.Is(err, errAsk) {
		q, err := s.file(ctx, a, conv, r.Message, nil)
		return &skeinv1.JoinGroupResponse{Outcome: skeinv1.JoinOutcome_JOIN_OUTCOME_REQUESTED, Request: q}, err
	}
	if err != nil {
		return nil, err
	}
	c, err := s.conversation(ctx, a, conv)
	return &skeinv1.JoinGroupResponse{Outcome: skeinv1.JoinOutcome_JOIN_OUTCOME_JOINED, Conversation: c}, err
}

// checkJoin holds a call to the rules that need no group.
func (s *Service) checkJoin(a im.Actor, message string, client []byte) (im.ClientID, error) {
	id, ok := im.ParseClientID(client)
	if !ok {
		return id, im.Errorf(im.InvalidArgument, "client_id is a UUIDv7 of 16 bytes")
	}
	if a.Server {
		return id, im.Errorf(im.InvalidArgument, "a user joins; a back end adds members")
	}
	return id, checkText("message", message, maxText)
}

// openDoor decides on joining a group that can be looked up.
func (s *Service) openDoor(ctx context.Context, a im.Actor) func(*chat.Room) error {
	return func(room *chat.Room) error {
		if room.Settings.GetType() <= skeinv1.GroupType_GROUP_TYPE_PRIVATE {
			return im.ErrNotFound
		}
		if err := s.DB.Read(ctx, func(tx db.Tx) error { return gate(tx, room, a.User) }); err != nil {
			return err
		}
		switch room.Settings.GetJoinMode() {
		case skeinv1.JoinMode_JOIN_MODE_OPEN:
			return nil
		case skeinv1.JoinMode_JOIN_MODE_APPROVAL:
			return errAsk
		}
		return im.Errorf(im.PermissionDenied, "the group is joined by invitation only")
	}
}

// enter appends the entry that lets the actor in, if may says so of the group
// as it is. Who is in already is let be.
func (s *Service) enter(ctx context.Context, a im.Actor, conv im.ConvID, client im.ClientID, may func(*chat.Room) error) error {
	leave, err := s.doors.enter(ctx, a.App, conv)
	if err != nil {
		return err
	}
	defer leave()
	_, err = s.Chat.Join(ctx, a, conv, client, func(room *chat.Room) (chat.Change, error) {
		if _, in := room.Member(a.User); in {
			return chat.Change{}, chat.ErrNoChange
		}
		if err := may(room); err != nil {
			return chat.Change{}, err
		}
		return s.adding(room, a.User)
	})
	if errors.Is(err, chat.ErrNoChange) {
		return nil
	}
	return err
}

// adding is the change that makes a user a member, as the group wants it.
func (s *Service) adding(room *chat.Room, user im.UserID) (chat.Change, error) {
	if err := s.Chat.CheckSize(room.App, room.Settings.GetMaxMembers(), s.Members, room.Size()+1); err != nil {
		return chat.Change{}, err
	}
	return chat.Change{Verb: chat.VerbMembers, Members: []journal.MemberChange{room.Joining(user)},
		Content: &skeinv1.Content{Kind: &skeinv1.Content_Members{Members: &skeinv1.MembersChange{Added: []string{string(user)}, Role: skeinv1.Role_ROLE_MEMBER}}}}, nil
}
