package chat

import (
	"context"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// maxMarkers is how many of the others' read markers come with a conversation.
const maxMarkers = 50

// Open returns a conversation as the actor sees it. A direct conversation and
// the actor's own self conversation exist from the start, with head 0; a
// former member sees the group as it was when they left.
func (s *Service) Open(ctx context.Context, actor im.Actor, conv im.ConvID) (*skeinv1.Conversation, error) {
	var out *skeinv1.Conversation
	err := s.reading(ctx, actor, conv, func(v journal.View, room *Room, self journal.Member, _ im.Seq) error {
		c, err := v.Conv(actor.App, conv)
		if im.CodeOf(err) == im.NotFound { // reading has let it pass: it exists from the start
			out = &skeinv1.Conversation{Id: string(conv), Kind: skeinv1.ConversationKind(room.Kind), MemberCount: uint32(room.Size()),
				Membership: protoMember(self)}
			return nil
		}
		if err == nil && !actor.Server { // with its read marker, which the room does not know
			self, err = v.Member(actor.App, conv, actor.User)
		}
		if err == nil {
			out, err = protoConv(v, &markers{v: v, actor: actor}, &c, &self)
		}
		return err
	})
	return out, err
}

// protoConv is a conversation for one member, ended or not.
func protoConv(v journal.View, shown *markers, c *journal.Conv, self *journal.Member) (*skeinv1.Conversation, error) {
	out := &skeinv1.Conversation{Id: string(c.ID), Kind: skeinv1.ConversationKind(c.Kind), Title: c.Title,
		HeadSeq: uint64(c.HeadSeq), HeadOrd: uint64(c.HeadOrd), AclVersion: uint64(c.ACLVersion),
		MemberCount: uint32(c.Members), CreatedUs: int64(c.Created), Membership: protoMember(*self)}
	if self.To > 0 { // what came after is not theirs to know, the title and the count included
		ord, err := v.OrdAt(c.App, c.ID, self.To-1)
		if err != nil {
			return nil, err
		}
		out.HeadSeq, out.HeadOrd, out.AclVersion, out.MemberCount = uint64(self.To-1), uint64(ord), 0, 0
		return out, nil
	}
	switch c.Kind {
	case im.ConvSelf:
		return out, nil
	case im.ConvGroup:
		out.Settings = DecodeSettings(c.Attrs)
		_, may, _ := standing(out.Settings, self)
		out.Grants, out.Attrs = uint64(may), out.Membership.Attrs
	}
	readers, err := v.Readers(c.App, c.ID, maxMarkers)
	if err != nil {
		return nil, err
	}
	if err := shown.mask(c.Kind, readers); err != nil {
		return nil, err
	}
	for _, m := range readers {
		if m.User != self.User && m.ReadSeq > 0 {
			out.ReadMarkers = append(out.ReadMarkers, &skeinv1.ReadMarker{Conversation: string(c.ID), User: string(m.User),
				ReadSeq: uint64(m.ReadSeq), ReadOrd: uint64(m.ReadOrd)})
		}
	}
	return out, nil
}

func protoMember(m journal.Member) *skeinv1.Membership {
	return &skeinv1.Membership{User: string(m.User), Role: skeinv1.Role(m.Role), FromSeq: uint64(m.From), ToSeq: uint64(m.To),
		ReadSeq: uint64(m.ReadSeq), ReadOrd: uint64(m.ReadOrd), Attrs: DecodeMember(m.Attrs)}
}

// List pages through the actor's current conversations, newest activity first.
func (s *Service) List(ctx context.Context, actor im.Actor, limit int, page string) (*skeinv1.ListConversationsResponse, error) {
	if limit == 0 {
		limit = defaultPage
	}
	if limit < 1 || limit > maxPage {
		return nil, im.Errorf(im.InvalidArgument, "limit is 1 to %d", maxPage)
	}
	before, err := s.cursors.openPage(actor, page)
	if err != nil {
		return nil, err
	}
	out := &skeinv1.ListConversationsResponse{}
	err = s.j.View(ctx, func(v journal.View) error {
		rows, err := v.Changes(actor.App, actor.User, nil, before, limit)
		if err != nil {
			return err
		}
		shown := &markers{v: v, actor: actor}
		for i := range rows {
			if rows[i].Member.To > 0 {
				continue
			}
			c, err := protoConv(v, shown, &rows[i].Conv, &rows[i].Member)
			if err != nil {
				return err
			}
			out.Conversations = append(out.Conversations, c)
		}
		if len(rows) == limit {
			last := rows[len(rows)-1].Conv
			out.NextPage = s.cursors.sealPage(actor, journal.PageKey{LastPos: last.LastPos, Conv: last.ID})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
