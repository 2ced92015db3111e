package chat

import (
	"context"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// maxRoomBody bounds a body that is said in a livestream.
const maxRoomBody = 4 << 10

// viewerKey begins the keys under which a livestream keeps what its viewers may
// not do.
const viewerKey = "viewer/"

// Livestream returns a livestream for somebody who may watch it: every user of
// the app when it is open, else its members. Who is kept out is told by
// ViewerLimits. Errors: NotFound; FailedPrecondition when a member asks for a
// group that is none.
func (s *Service) Livestream(ctx context.Context, actor im.Actor, conv im.ConvID) (*Room, error) {
	if conv.Kind() != im.ConvGroup {
		return nil, im.ErrNotFound
	}
	room, err := s.rooms.get(ctx, actor.App, conv)
	if err != nil {
		return nil, err
	}
	live := room.Settings.Type == skeinv1.GroupType_GROUP_TYPE_LIVESTREAM && !room.Dissolved()
	_, in := room.Member(actor.User)
	switch {
	case live && (in || actor.Server || room.Settings.JoinMode == skeinv1.JoinMode_JOIN_MODE_OPEN):
		return room, nil
	case in || actor.Server:
		return nil, im.Errorf(im.FailedPrecondition, "the group is no livestream")
	}
	return nil, im.ErrNotFound
}

// keeping refuses to store what somebody says in a livestream: it has no
// history, for its staff and the app's back end neither. What hangs on its
// board, and what is changed of it, is kept as of any group.
func keeping(room *Room) error {
	if room.Kind == im.ConvGroup && room.Settings.Type == skeinv1.GroupType_GROUP_TYPE_LIVESTREAM {
		return ErrKeepsNothing()
	}
	return nil
}

// ErrKeepsNothing is the answer to who wants to store a message in a
// livestream.
func ErrKeepsNothing() *im.Error {
	return &im.Error{Code: im.FailedPrecondition, Message: "a livestream keeps no messages", Hint: "join the room and say it there: send the frame room_message"}
}

// RoomLine is something that is to be said in a livestream.
type RoomLine struct {
	Conv     im.ConvID
	Body     []byte // encoded skein.v1.Body
	Priority im.Priority
	// Muted is until when the speaker may not write as a viewer (ViewerLimits).
	Muted im.Micros
}

// SayInLivestream decides on a line and returns its rank, and the version of the
// room that it decided on: the higher the rank, the later it is left out. The one who looks after the room goes before its members, and
// members before those who only watch.
func (s *Service) SayInLivestream(ctx context.Context, actor im.Actor, l RoomLine) (rank int, version int64, err error) {
	room, err := s.Livestream(ctx, actor, l.Conv)
	if err != nil {
		return 0, 0, err
	}
	if len(l.Body) > maxRoomBody {
		return 0, 0, im.Errorf(im.TooLarge, "a body in a livestream has at most %d bytes", maxRoomBody)
	}
	content, err := s.checkBody(l.Body)
	if err != nil {
		return 0, 0, err
	}
	for _, a := range content.GetAttachments().GetItems() {
		if a.File != "" || a.Poster != "" { // who may read one is asked of the message that has it, and none will
			return 0, 0, &im.Error{Code: im.FailedPrecondition, Message: "a livestream keeps no messages, and so no uploaded files", Hint: "name a url"}
		}
	}
	now := s.Now()
	if _, in := room.Member(actor.User); in || actor.Server {
		if err = s.decide(ctx, &Action{Verb: VerbSend, Actor: actor, Room: room, Content: content}); err != nil {
			return 0, 0, err
		}
		rank = 1
		if r := room.Rank(actor.User); r >= RankAdmin || actor.Server {
			rank = 3
			if l.Priority == im.PriorityHigh {
				rank = 4
			}
		} else if r > RankMember {
			rank = 2
		}
	} else if may := Grants(room.Settings.GetMemberGrants().GetBits()); !may.Has(skeinv1.Grant_GRANT_SEND) || now < im.Micros(room.Settings.MutedUntilUs) {
		return 0, 0, errQuiet()
	} else if _, text := content.GetKind().(*skeinv1.Content_Text); !text && !may.Has(skeinv1.Grant_GRANT_SEND_MEDIA) {
		return 0, 0, im.Errorf(im.PermissionDenied, "only text may be written here")
	}
	if now < l.Muted && rank < 3 {
		return 0, 0, errQuiet()
	}
	if l.Priority == im.PriorityLow {
		rank = 0
	}
	return rank, room.Version, nil
}

func errQuiet() error { return im.Errorf(im.PermissionDenied, "you may not write here now") }

// ViewerLimits returns what the viewers of a livestream may not do, by user.
func (s *Service) ViewerLimits(ctx context.Context, app im.AppID, conv im.ConvID) (map[im.UserID]*skeinv1.ViewerLimits, error) {
	out := make(map[im.UserID]*skeinv1.ViewerLimits)
	now := int64(s.Now())
	err := s.j.View(ctx, func(v journal.View) error {
		es, err := v.Keyed(app, conv)
		if err != nil && im.CodeOf(err) != im.DataLoss { // a damaged one was reported
			return err
		}
		for i := range es {
			if !strings.HasPrefix(es[i].Key, viewerKey) {
				continue
			}
			if l := readContent(es[i].Body).GetViewer(); l.GetMutedUntilUs() > now || l.GetRemovedUntilUs() > now {
				out[im.UserID(l.User)] = l
			}
		}
		return nil
	})
	return out, err
}

// LimitViewer mutes a viewer of a livestream, or keeps them out, for a time
// from now on; 0 ends it. Whatever else they may not do stays. The caller has
// the nodes look at it.
func (s *Service) LimitViewer(ctx context.Context, actor im.Actor, conv im.ConvID, id im.ClientID, user im.UserID, remove bool, d time.Duration) error {
	if !im.ValidName(string(user)) {
		return im.Errorf(im.InvalidArgument, "user is no user id")
	}
	if user == actor.User {
		return im.Errorf(im.InvalidArgument, "nobody is limited by themselves")
	}
	_, err := s.SetKeyed(ctx, actor, conv, id, func(v journal.View, room *Room) (Keyed, error) {
		if room.Kind != im.ConvGroup || room.Settings.Type != skeinv1.GroupType_GROUP_TYPE_LIVESTREAM {
			return Keyed{}, im.Errorf(im.FailedPrecondition, "the group is no livestream")
		}
		need := skeinv1.Grant_GRANT_MUTE
		if remove {
			need = skeinv1.Grant_GRANT_REMOVE_MEMBERS
		}
		now := s.Now()
		if !actor.Server && (!room.Grants(actor.User, now).Has(need) || room.Rank(actor.User) <= max(room.Rank(user), RankMember)) {
			return Keyed{}, im.Errorf(im.PermissionDenied, "your role may not do this")
		}
		key := viewerKey + string(user)
		l := &skeinv1.ViewerLimits{User: string(user)}
		newest := im.Seq(0)
		es, err := v.Keyed(actor.App, conv)
		if err != nil && im.CodeOf(err) != im.DataLoss {
			return Keyed{}, err
		}
		for i := range es {
			if es[i].Key == key {
				newest = es[i].Seq
				if old := readContent(es[i].Body).GetViewer(); old != nil {
					l = old
				}
			}
		}
		until := int64(0)
		if d > 0 {
			until = int64(now) + d.Microseconds()
		}
		if remove {
			l.RemovedUntilUs = until
		} else {
			l.MutedUntilUs = until
		}
		return Keyed{Verb: VerbRead, Key: key, Newest: &newest, Content: &skeinv1.Content{Kind: &skeinv1.Content_Viewer{Viewer: l}}}, nil
	})
	return err
}

// readContent returns what a stored body says; nil when it says nothing.
func readContent(body []byte) *skeinv1.Content {
	var b skeinv1.Body
	if proto.Unmarshal(body, &b) != nil {
		return nil
	}
	return b.Content
}
