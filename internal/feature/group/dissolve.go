package group

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"sort"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/job"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// The end of a group. Its first entry says in its settings that it is over, so
// that nothing is said in it any more, and takes out its members. A large group
// has more of them than an entry names; the others are taken out by further
// entries, for which a job is written down before the first one. So a crash in
// between leaves nobody in for long, and nobody can write meanwhile.
const (
	// endStep is how many members an entry takes out: their ids, of 64 bytes
	// at most, stay well below what a body may have.
	endStep = 300
	// endAtOnce is how many steps the call itself makes; the job makes the rest.
	endAtOnce = 20
	endKind   = "end_group"
)

// Later writes down that the end of a group may need to be completed.
type Later func(ctx context.Context, app im.AppID, conv im.ConvID) error

// errLarge is a plan's way to ask for the job before it goes on.
var errLarge = im.Errorf(im.Internal, "the group is large")

// Dissolve ends the group. Only the owner may.
func (s *Service) Dissolve(ctx context.Context, a im.Actor, id im.ConvID, client im.ClientID) (*im.Entry, error) {
	large := false
	for {
		e, err := s.change(ctx, a, id, client, ask("dissolve"), func(room *chat.Room) (chat.Change, error) {
			return planDissolve(room, large)
		})
		switch {
		case err == errLarge:
			if err := s.later(ctx, a.App, id); err != nil {
				return nil, err
			}
			large = true
			continue
		case err != nil:
			return nil, err
		}
		if large || e == nil {
			// It is over whatever comes of this: the job does what is left.
			_, _ = s.end(ctx, a.App, id, endAtOnce)
		}
		return e, nil
	}
}

// planDissolve is the first entry of the end.
func planDissolve(room *chat.Room, large bool) (chat.Change, error) {
	c := chat.Change{Verb: chat.VerbDissolve, Content: &skeinv1.Content{
		Kind: &skeinv1.Content_Members{Members: &skeinv1.MembersChange{}}, GroupChange: &skeinv1.GroupChange{Dissolved: true, Changed: []string{"dissolved"}}}}
	if room.Dissolved() {
		return c, chat.ErrNoChange
	}
	if room.Size() > endStep && !large {
		return c, errLarge
	}
	after := stored(room)
	after.Dissolved = true
	attrs := encode(after)
	c.Attrs, c.Content.GroupChange.Settings = &attrs, chat.ResolveSettings(proto.CloneOf(after))
	var users []im.UserID
	room.Each(func(u im.UserID) { users = append(users, u) })
	sort.SliceStable(users, func(i, j int) bool { return users[i] != room.Owner() && users[j] == room.Owner() })
	said := c.Content.GetMembers()
	for _, u := range users[:min(len(users), endStep)] {
		c.Members = append(c.Members, journal.MemberChange{User: u, Role: im.RoleNone})
		said.Removed = append(said.Removed, string(u))
	}
	return c, nil
}

// end takes members out of a dissolved group, at most steps times, and returns
// how many are left.
func (s *Service) end(ctx context.Context, app im.AppID, id im.ConvID, steps int) (left int, err error) {
	for n := range steps {
		if left, err = s.chat.EndMembers(ctx, app, id, stepID(s.chat.Now(), app, id, n), endStep); err != nil || left == 0 {
			break
		}
	}
	return left, err
}

// stepID is the client id of a step. Two runs that make the same one at the
// same moment make the same step.
func stepID(now im.Micros, app im.AppID, id im.ConvID, n int) im.ClientID {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte(string(app)+"\x00"+string(id)), uint64(now)<<8|uint64(n&255)))
	var out im.ClientID
	copy(out[:], sum[:])
	ms := uint64(now) / 1000
	for i := range 6 {
		out[i] = byte(ms >> (40 - 8*i))
	}
	out[6], out[8] = out[6]&0x0f|0x70, out[8]&0x3f|0x80
	return out
}

// EndKind is the kind of the jobs that complete the end of large groups, which
// the server's queue runs. The queue is made before the front door, which is
// asked for when a job runs.
func EndKind(late func() *chat.Service) job.Kind {
	return job.Kind{Name: endKind, Timeout: 5 * time.Minute, Tries: 100, Run: func(ctx context.Context, j job.Job) error {
		c := late()
		s, conv := &Service{chat: c}, im.ConvID(j.Body)
		for {
			left, err := s.end(ctx, j.App, conv, endAtOnce)
			switch {
			case im.CodeOf(err) == im.FailedPrecondition && time.Duration(c.Now()-j.Created)*time.Microsecond < time.Hour:
				return err // it was not dissolved: not yet, or the call had failed
			case im.CodeOf(err) == im.FailedPrecondition || im.CodeOf(err) == im.NotFound:
				return nil
			case err != nil || left == 0:
				return err
			}
		}
	}}
}

// EndJob is the job that completes the end of a group.
func EndJob(app im.AppID, conv im.ConvID) job.Spec {
	return job.Spec{Kind: endKind, App: app, Key: string(conv), Body: []byte(conv), Delay: 3 * time.Second}
}
