package wire_test

import (
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	pb "github.com/skein-im/skein/proto/skein/v1"
)

const (
	joinGroup    = "/skein.v1.JoinService/JoinGroup"
	createInvite = "/skein.v1.JoinService/CreateInvite"
	banMember    = "/skein.v1.JoinService/BanMember"
	setAttribute = "/skein.v1.BoardService/SetGroupAttribute"
	announce     = "/skein.v1.BoardService/CreateAnnouncement"
	increment    = "/skein.v1.BoardService/IncrementCounter"
)

// openUp makes the group one that everybody may find, and join as mode says.
func (f *fixture) openUp(mode pb.JoinMode) {
	must[pb.UpdateGroupSettingsResponse](f.as(owner), updateSettings, &pb.UpdateGroupSettingsRequest{Conversation: f.group, Fields: []string{"type", "join_mode"},
		Settings: &pb.GroupSettings{Type: pb.GroupType_GROUP_TYPE_PUBLIC, JoinMode: mode}, ClientId: newID(0)})
}

// invite makes an invitation; what there is of it is remembered by the group,
// so that a group which is absent has none.
func (f *fixture) invite() {
	r := must[pb.CreateInviteResponse](f.as(owner), createInvite, &pb.CreateInviteRequest{Conversation: f.group, ClientId: newID(0)})
	f.users[principal("code of "+f.group)], f.users[principal("invite of "+f.group)] = r.Code, r.Invite.Id
}

func (f *fixture) code() string {
	if c := f.users[principal("code of "+f.group)]; c != "" {
		return c
	}
	return strings.Repeat("A", 24)
}

func (f *fixture) inviteID() string {
	if id := f.users[principal("invite of "+f.group)]; id != "" {
		return id
	}
	return strings.Repeat("A", 22)
}

// ask has the user of a principal file a request to join.
func (f *fixture) askToJoin(p principal) {
	f.openUp(pb.JoinMode_JOIN_MODE_APPROVAL)
	must[pb.JoinGroupResponse](f.as(p), joinGroup, &pb.JoinGroupRequest{Conversation: f.group, ClientId: newID(0)})
	// It has come to rest once everybody was told.
	for _, who := range []principal{p, owner, admin} {
		for range 1000 {
			c := must[pb.GetConversationResponse](f.as(who), getConversation, &pb.GetConversationRequest{Conversation: "~" + f.users[who]})
			if c.Conversation.HeadSeq > 0 {
				break
			}
			<-time.After(5 * time.Millisecond)
		}
	}
}

// asNewcomer is somebody whom no row is about.
func (f *fixture) asNewcomer() principal {
	if f.users["newcomer"] == "" {
		f.users["newcomer"] = f.newcomer()
	}
	return "newcomer"
}

func joinRows() []row {
	return []row{
		{verb: "JoinService/JoinGroup", cells: nobody + `
			NOT_FOUND        foreign blocked
			INVALID_ARGUMENT foreign-app app
			ok               stranger visitor guest ex muted member bot admin owner`,
			shows:   []principal{stranger, visitor, guest, ex},
			prepare: func(f *fixture, _ principal) { f.openUp(pb.JoinMode_JOIN_MODE_OPEN) },
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.JoinGroupRequest{Conversation: f.group, ClientId: newID(0)}
			}},
		{verb: "JoinService/ListJoinRequests", cells: leaders + `
			ok admin owner app`,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.ListJoinRequestsRequest{Conversation: f.group}
			}},
		{verb: "JoinService/AnswerJoinRequest", cells: leaders + `
			ok admin owner app`,
			prepare: func(f *fixture, _ principal) { f.askToJoin(f.asNewcomer()) },
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.AnswerJoinRequestRequest{Conversation: f.group, User: f.users[f.asNewcomer()], Accept: true, ClientId: newID(0)}
			}},
		{verb: "JoinService/CancelJoinRequest", cells: nobody + `
			NOT_FOUND foreign foreign-app blocked muted member bot admin owner app
			ok        stranger visitor guest ex`,
			prepare: func(f *fixture, p principal) {
				if p != "" {
					f.askToJoin(p)
				}
			},
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.CancelJoinRequestRequest{Conversation: f.group}
			}},
		{verb: "JoinService/ListMyJoinRequests", cells: nobody + `
			INVALID_ARGUMENT foreign-app app
			ok               foreign stranger visitor guest ex blocked muted member bot admin owner`,
			request: func(*fixture, principal) proto.Message { return &pb.ListMyJoinRequestsRequest{} }},
		{verb: "JoinService/CreateInvite", cells: leaders + `
			ok admin owner app`,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.CreateInviteRequest{Conversation: f.group, ClientId: newID(0)}
			}},
		{verb: "JoinService/ListInvites", cells: leaders + `
			ok admin owner app`,
			request: func(f *fixture, _ principal) proto.Message { return &pb.ListInvitesRequest{Conversation: f.group} }},
		{verb: "JoinService/RevokeInvite", cells: outside + `
			NOT_FOUND muted member bot
			ok        admin owner app`,
			prepare: func(f *fixture, _ principal) { f.invite() },
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.RevokeInviteRequest{Conversation: f.group, Invite: f.inviteID(), ClientId: newID(0)}
			}},
		{verb: "JoinService/GetInvite", cells: nobody + `
			NOT_FOUND        foreign blocked
			INVALID_ARGUMENT foreign-app app
			ok               stranger visitor guest ex muted member bot admin owner`,
			shows:   []principal{stranger, visitor, guest, ex},
			prepare: func(f *fixture, _ principal) { f.invite() },
			request: func(f *fixture, _ principal) proto.Message { return &pb.GetInviteRequest{Code: f.code()} }},
		{verb: "JoinService/JoinByInvite", cells: nobody + `
			NOT_FOUND        foreign blocked
			INVALID_ARGUMENT foreign-app app
			ok               stranger visitor guest ex muted member bot admin owner`,
			shows:   []principal{stranger, visitor, guest, ex},
			prepare: func(f *fixture, _ principal) { f.invite() },
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.JoinByInviteRequest{Code: f.code(), ClientId: newID(0)}
			}},
		{verb: "JoinService/BanMember", cells: leaders + `
			ok admin owner app`,
			request: func(f *fixture, p principal) proto.Message {
				who := member
				if p == member { // nobody bans themselves
					who = bot
				}
				return &pb.BanMemberRequest{Conversation: f.group, User: f.users[who], ClientId: newID(0)}
			}},
		{verb: "JoinService/UnbanMember", cells: leaders + `
			ok admin owner app`,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.UnbanMemberRequest{Conversation: f.group, User: f.users[blocked]}
			}},
		{verb: "JoinService/ListBans", cells: leaders + `
			ok admin owner app`,
			request: func(f *fixture, _ principal) proto.Message { return &pb.ListBansRequest{Conversation: f.group} }},
		{verb: "JoinService/SetAllowList", cells: leaders + `
			ok admin owner app`,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.SetAllowListRequest{Conversation: f.group, Users: []string{f.newcomer()}, Enforced: true, ClientId: newID(0)}
			}},
		{verb: "JoinService/RemoveFromAllowList", cells: leaders + `
			ok admin owner app`,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.RemoveFromAllowListRequest{Conversation: f.group, Users: []string{f.newcomer()}, ClientId: newID(0)}
			}},
		{verb: "JoinService/ListAllowList", cells: leaders + `
			ok admin owner app`,
			request: func(f *fixture, _ principal) proto.Message { return &pb.ListAllowListRequest{Conversation: f.group} }},
	}
}

// hang puts one of each on the group's board; the announcement's id is
// remembered by the group.
func (f *fixture) hang() {
	own := f.as(owner)
	r := must[pb.CreateAnnouncementResponse](own, announce, &pb.CreateAnnouncementRequest{Conversation: f.group, Title: f.late, ClientId: newID(0)})
	f.users[principal("announcement of "+f.group)] = r.Announcement.Id
	must[pb.SetGroupAttributeResponse](own, setAttribute, &pb.SetGroupAttributeRequest{Conversation: f.group, Name: "topic", Value: f.late, ClientId: newID(0)})
	must[pb.IncrementCounterResponse](own, increment, &pb.IncrementCounterRequest{Conversation: f.group, Name: "seen", Delta: 1, ClientId: newID(0)})
}

func (f *fixture) announcement() string {
	if id := f.users[principal("announcement of "+f.group)]; id != "" {
		return id
	}
	return strings.Repeat("0", 32)
}

func boardRows() []row {
	hung := func(f *fixture, _ principal) { f.hang() }
	const readers = outside + `
		ok muted member bot admin owner app`
	const writers = leaders + `
		ok admin owner app`
	return []row{
		{verb: "BoardService/CreateAnnouncement", cells: writers, request: func(f *fixture, _ principal) proto.Message {
			return &pb.CreateAnnouncementRequest{Conversation: f.group, Title: "hear", ClientId: newID(0)}
		}},
		{verb: "BoardService/UpdateAnnouncement", cells: writers, prepare: hung, request: func(f *fixture, _ principal) proto.Message {
			return &pb.UpdateAnnouncementRequest{Conversation: f.group, Id: f.announcement(), Title: "hear", ClientId: newID(0)}
		}},
		{verb: "BoardService/DeleteAnnouncement", cells: writers, prepare: hung, request: func(f *fixture, _ principal) proto.Message {
			return &pb.DeleteAnnouncementRequest{Conversation: f.group, Id: f.announcement(), ClientId: newID(0)}
		}},
		{verb: "BoardService/ListAnnouncements", cells: readers, prepare: hung, request: func(f *fixture, _ principal) proto.Message {
			return &pb.ListAnnouncementsRequest{Conversation: f.group}
		}},
		{verb: "BoardService/SetGroupAttribute", cells: writers, prepare: hung, request: func(f *fixture, _ principal) proto.Message {
			return &pb.SetGroupAttributeRequest{Conversation: f.group, Name: "topic", Value: "dogs", ClientId: newID(0)}
		}},
		{verb: "BoardService/RemoveGroupAttribute", cells: writers, prepare: hung, request: func(f *fixture, _ principal) proto.Message {
			return &pb.RemoveGroupAttributeRequest{Conversation: f.group, Name: "topic", ClientId: newID(0)}
		}},
		{verb: "BoardService/ListGroupAttributes", cells: readers, prepare: hung, request: func(f *fixture, _ principal) proto.Message {
			return &pb.ListGroupAttributesRequest{Conversation: f.group}
		}},
		{verb: "BoardService/IncrementCounter", cells: writers, prepare: hung, request: func(f *fixture, _ principal) proto.Message {
			return &pb.IncrementCounterRequest{Conversation: f.group, Name: "seen", Delta: 1, ClientId: newID(0)}
		}},
		{verb: "BoardService/RemoveCounter", cells: writers, prepare: hung, request: func(f *fixture, _ principal) proto.Message {
			return &pb.RemoveCounterRequest{Conversation: f.group, Name: "seen", ClientId: newID(0)}
		}},
		{verb: "BoardService/ListCounters", cells: readers, prepare: hung, request: func(f *fixture, _ principal) proto.Message {
			return &pb.ListCountersRequest{Conversation: f.group}
		}},
	}
}
