package rpc

import (
	"context"
	"net/http"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
	"github.com/skein-im/skein/proto/skein/v1/skeinv1connect"
)

// Admin is the server API; feature/admin.
type Admin interface {
	GetApp(ctx context.Context, a im.Actor, r *skeinv1.GetAppRequest) (*skeinv1.GetAppResponse, error)
	UpdateApp(ctx context.Context, a im.Actor, r *skeinv1.UpdateAppRequest) (*skeinv1.UpdateAppResponse, error)
	RevokeUser(ctx context.Context, a im.Actor, r *skeinv1.RevokeUserRequest) (*skeinv1.RevokeUserResponse, error)
}

// Devices is what a user does with their devices; package auth through wire.go.
type Devices interface {
	ListDevices(ctx context.Context, a im.Actor) ([]*skeinv1.Device, error)
	SignOutDevice(ctx context.Context, a im.Actor, d im.DeviceID) error
}

// Presences is who is online and what they say of themselves; packages
// presence and feature/profile through wire.go.
type Presences interface {
	// Get returns what the actor may see of users they share a conversation with.
	Get(ctx context.Context, a im.Actor, peers []im.UserID) ([]*skeinv1.Presence, error)
	SetStatus(ctx context.Context, a im.Actor, r *skeinv1.SetStatusRequest) (*skeinv1.SetStatusResponse, error)
}

// Verbs are whom the calls go to. A simulation has a part of them: the calls of
// an interface that is nil are not answered.
type Verbs struct {
	Chat       *chat.Service
	Groups     Groups
	Admin      Admin
	Devices    Devices
	Timed      Timed
	Search     Search
	Joins      Joins
	Boards     Boards
	Presences  Presences
	Profiles   Profiles
	Contacts   Contacts
	Rooms      Rooms
	SignIns    SignIns
	Users      Users
	Broadcasts Broadcasts
	Files      Files
	Calls      Calls
	// CheckSend holds a send to the rules that need no state.
	CheckSend func(r *chat.SendRequest, id []byte) error
}

// table is every call there is. A test holds it to the proto descriptors.
func (s *server) table() map[string]http.Handler {
	t := make(map[string]http.Handler)
	s.conversationCalls(t)
	s.messageCalls(t)
	s.otherCalls(t)
	s.groupCalls(t)
	s.archiveCalls(t)
	if s.Verbs.Timed != nil {
		s.timedCalls(t)
	}
	if s.Verbs.Joins != nil {
		s.joinCalls(t)
	}
	if s.Verbs.Boards != nil {
		s.boardCalls(t)
	}
	if s.Verbs.Profiles != nil {
		s.peopleCalls(t)
	}
	s.receiptCalls(t)
	s.signInCalls(t)
	s.forwardCalls(t)
	if s.Verbs.Search != nil {
		s.searchCalls(t)
	}
	s.threadCalls(t)
	s.attachedCalls(t)
	if s.Verbs.Broadcasts != nil {
		s.broadcastCalls(t)
	}
	if s.Verbs.Files != nil {
		s.fileCalls(t)
	}
	if s.Verbs.Calls != nil {
		s.callCalls(t)
	}
	if s.Verbs.Users != nil {
		s.userCalls(t)
	}
	if s.Verbs.Rooms != nil {
		s.roomCalls(t)
	}
	return t
}

func (s *server) conversationCalls(t map[string]http.Handler) {
	c, g := s.Verbs.Chat, s.Verbs.Groups
	at(t, s, skeinv1connect.ConversationServiceGetConversationProcedure, func(ctx context.Context, a im.Actor, r *skeinv1.GetConversationRequest) (*skeinv1.GetConversationResponse, error) {
		conv, err := c.Open(ctx, a, im.ConvID(r.Conversation))
		return &skeinv1.GetConversationResponse{Conversation: conv}, err
	})
	at(t, s, skeinv1connect.ConversationServiceListConversationsProcedure, func(ctx context.Context, a im.Actor, r *skeinv1.ListConversationsRequest) (*skeinv1.ListConversationsResponse, error) {
		return c.List(ctx, a, int(r.Limit), r.Page)
	})
	at(t, s, skeinv1connect.ConversationServiceListMembersProcedure, func(ctx context.Context, a im.Actor, r *skeinv1.ListMembersRequest) (*skeinv1.ListMembersResponse, error) {
		return c.Members(ctx, a, im.ConvID(r.Conversation), chat.MembersRequest{Limit: int(r.Limit), Page: r.Page, Query: r.Query, Role: im.Role(r.Role)})
	})
	at(t, s, skeinv1connect.ConversationServiceCreateGroupProcedure, func(ctx context.Context, a im.Actor, r *skeinv1.CreateGroupRequest) (*skeinv1.CreateGroupResponse, error) {
		id, err := clientID(r.ClientId)
		if err != nil {
			return nil, err
		}
		conv, err := g.CreateFor(ctx, a, im.UserID(r.Owner), im.ConvID(r.Id), r.Title, users(r.Members), r.Settings, id)
		return &skeinv1.CreateGroupResponse{Conversation: conv}, err
	})
	at(t, s, skeinv1connect.ConversationServiceUpdateGroupProcedure, func(ctx context.Context, a im.Actor, r *skeinv1.UpdateGroupRequest) (*skeinv1.UpdateGroupResponse, error) {
		e, err := withID(r.ClientId, func(id im.ClientID) (*im.Entry, error) {
			return g.Update(ctx, a, im.ConvID(r.Conversation), r.Title, id)
		})
		return &skeinv1.UpdateGroupResponse{Entry: e}, err
	})
	at(t, s, skeinv1connect.ConversationServiceAddMembersProcedure, func(ctx context.Context, a im.Actor, r *skeinv1.AddMembersRequest) (*skeinv1.AddMembersResponse, error) {
		e, err := withID(r.ClientId, func(id im.ClientID) (*im.Entry, error) {
			return g.Add(ctx, a, im.ConvID(r.Conversation), users(r.Users), id)
		})
		return &skeinv1.AddMembersResponse{Entry: e}, err
	})
	at(t, s, skeinv1connect.ConversationServiceRemoveMemberProcedure, func(ctx context.Context, a im.Actor, r *skeinv1.RemoveMemberRequest) (*skeinv1.RemoveMemberResponse, error) {
		e, err := withID(r.ClientId, func(id im.ClientID) (*im.Entry, error) {
			return g.Remove(ctx, a, im.ConvID(r.Conversation), im.UserID(r.User), id)
		})
		return &skeinv1.RemoveMemberResponse{Entry: e}, err
	})
	at(t, s, skeinv1connect.ConversationServiceLeaveGroupProcedure, func(ctx context.Context, a im.Actor, r *skeinv1.LeaveGroupRequest) (*skeinv1.LeaveGroupResponse, error) {
		e, err := withID(r.ClientId, func(id im.ClientID) (*im.Entry, error) { return g.Leave(ctx, a, im.ConvID(r.Conversation), id) })
		return &skeinv1.LeaveGroupResponse{Entry: e}, err
	})
	at(t, s, skeinv1connect.ConversationServiceSetRoleProcedure, func(ctx context.Context, a im.Actor, r *skeinv1.SetRoleRequest) (*skeinv1.SetRoleResponse, error) {
		e, err := withID(r.ClientId, func(id im.ClientID) (*im.Entry, error) {
			return g.SetRole(ctx, a, im.ConvID(r.Conversation), im.UserID(r.User), im.Role(r.Role), id)
		})
		return &skeinv1.SetRoleResponse{Entry: e}, err
	})
}

func (s *server) messageCalls(t map[string]http.Handler) {
	c := s.Verbs.Chat
	at(t, s, skeinv1connect.MessageServiceSendMessageProcedure, func(ctx context.Context, a im.Actor, r *skeinv1.SendMessageRequest) (*skeinv1.SendMessageResponse, error) {
		send := chat.SendRequest{Conv: im.ConvID(r.Conversation), Handshake: r.Handshake, Key: r.Key, Body: encode(r.Body)}
		send.ToUsers, send.Silent, send.Priority = users(r.ToUsers), r.Silent, im.Priority(r.Priority)
		send.TTL, send.Burn, send.Thread = time.Duration(r.TtlS)*time.Second, int32(r.BurnAfterS), seq(r.ThreadSeq)
		for _, d := range r.ToDevices {
			send.ToDevices = append(send.ToDevices, im.DeviceID(d))
		}
		if err := s.Verbs.CheckSend(&send, r.ClientId); err != nil {
			return nil, err
		}
		send.FromApp = a.Server
		a, err := asSender(a, r.Sender)
		if err != nil {
			return nil, err
		}
		res, err := c.Send(ctx, a, send)
		if err != nil {
			return nil, err
		}
		return &skeinv1.SendMessageResponse{Entry: chat.ProtoEntry(&res.Entry)}, nil
	})
	at(t, s, skeinv1connect.MessageServiceEditMessageProcedure, func(ctx context.Context, a im.Actor, r *skeinv1.EditMessageRequest) (*skeinv1.EditMessageResponse, error) {
		e, err := withID(r.ClientId, func(id im.ClientID) (*im.Entry, error) {
			res, err := c.Edit(ctx, a, im.ConvID(r.Conversation), seq(r.Seq), encode(r.Body), id)
			return &res.Entry, err
		})
		return &skeinv1.EditMessageResponse{Entry: e}, err
	})
	at(t, s, skeinv1connect.MessageServiceRecallMessageProcedure, func(ctx context.Context, a im.Actor, r *skeinv1.RecallMessageRequest) (*skeinv1.RecallMessageResponse, error) {
		e, err := withID(r.ClientId, func(id im.ClientID) (*im.Entry, error) {
			res, err := c.Recall(ctx, a, im.ConvID(r.Conversation), seq(r.Seq), id)
			return &res.Entry, err
		})
		return &skeinv1.RecallMessageResponse{Entry: e}, err
	})
	at(t, s, skeinv1connect.MessageServiceReactToMessageProcedure, func(ctx context.Context, a im.Actor, r *skeinv1.ReactToMessageRequest) (*skeinv1.ReactToMessageResponse, error) {
		e, err := withID(r.ClientId, func(id im.ClientID) (*im.Entry, error) {
			res, err := c.React(ctx, a, im.ConvID(r.Conversation), seq(r.Seq), r.Emoji, r.Remove, id)
			return &res.Entry, err
		})
		return &skeinv1.ReactToMessageResponse{Entry: e}, err
	})
	at(t, s, skeinv1connect.MessageServiceReadConversationProcedure, func(ctx context.Context, a im.Actor, r *skeinv1.ReadConversationRequest) (*skeinv1.ReadConversationResponse, error) {
		m, err := c.Read(ctx, a, im.ConvID(r.Conversation), seq(r.Seq))
		return &skeinv1.ReadConversationResponse{ReadSeq: uint64(m.Seq), ReadOrd: uint64(m.Ord)}, err
	})
	at(t, s, skeinv1connect.MessageServiceListMessagesProcedure, func(ctx context.Context, a im.Actor, r *skeinv1.ListMessagesRequest) (*skeinv1.ListMessagesResponse, error) {
		return c.History(ctx, a, chat.HistoryRequest{Conv: im.ConvID(r.Conversation), Before: seq(r.BeforeSeq), After: seq(r.AfterSeq), Limit: int(r.Limit)})
	})
	at(t, s, skeinv1connect.MessageServiceListEditsProcedure, func(ctx context.Context, a im.Actor, r *skeinv1.ListEditsRequest) (*skeinv1.ListEditsResponse, error) {
		return c.Edits(ctx, a, im.ConvID(r.Conversation), seq(r.Seq))
	})
}

func (s *server) otherCalls(t map[string]http.Handler) {
	v := s.Verbs
	at(t, s, skeinv1connect.SyncServiceSyncProcedure, func(ctx context.Context, a im.Actor, r *skeinv1.SyncRequest) (*skeinv1.SyncResponse, error) {
		res, err := v.Chat.Sync(ctx, a, chat.SyncRequest{Cursor: r.Cursor, Conversations: int(r.Conversations), Entries: int(r.Entries)})
		return res.Page, err
	})
	at(t, s, skeinv1connect.DeviceServiceListDevicesProcedure, func(ctx context.Context, a im.Actor, _ *skeinv1.ListDevicesRequest) (*skeinv1.ListDevicesResponse, error) {
		ds, err := v.Devices.ListDevices(ctx, a)
		return &skeinv1.ListDevicesResponse{Devices: ds}, err
	})
	at(t, s, skeinv1connect.DeviceServiceSignOutDeviceProcedure, func(ctx context.Context, a im.Actor, r *skeinv1.SignOutDeviceRequest) (*skeinv1.SignOutDeviceResponse, error) {
		return &skeinv1.SignOutDeviceResponse{}, v.Devices.SignOutDevice(ctx, a, im.DeviceID(r.Device))
	})
	at(t, s, skeinv1connect.PresenceServiceGetPresenceProcedure, func(ctx context.Context, a im.Actor, r *skeinv1.GetPresenceRequest) (*skeinv1.GetPresenceResponse, error) {
		us, err := v.Chat.Peers(ctx, a, users(r.Users))
		if err != nil {
			return nil, err
		}
		ps, err := v.Presences.Get(ctx, a, us)
		return &skeinv1.GetPresenceResponse{Presences: ps}, err
	})
	at(t, s, skeinv1connect.PresenceServiceSetStatusProcedure, v.Presences.SetStatus)
	at(t, s, skeinv1connect.AdminServiceGetAppProcedure, v.Admin.GetApp)
	at(t, s, skeinv1connect.AdminServiceUpdateAppProcedure, v.Admin.UpdateApp)
	at(t, s, skeinv1connect.AdminServiceRevokeUserProcedure, v.Admin.RevokeUser)
}

// at puts a verb into the table.
func at[Req, Res any, PReq interface {
	*Req
	proto.Message
}](t map[string]http.Handler, s *server, procedure string, verb func(context.Context, im.Actor, *Req) (*Res, error)) {
	t[procedure] = unary[Req, Res, PReq](s, procedure, verb)
}

// withID parses the client id, calls, and encodes the entry; nil for none.
func withID(raw []byte, call func(im.ClientID) (*im.Entry, error)) (*skeinv1.Entry, error) {
	id, err := clientID(raw)
	if err != nil {
		return nil, err
	}
	e, err := call(id)
	if err != nil || e == nil {
		return nil, err
	}
	return chat.ProtoEntry(e), nil
}

func clientID(raw []byte) (im.ClientID, error) {
	id, ok := im.ParseClientID(raw)
	if !ok {
		return id, im.Errorf(im.InvalidArgument, "client_id is a UUIDv7 of 16 bytes")
	}
	return id, nil
}

// seq clamps a position to what can exist: the journal counts in int64.
func seq(v uint64) im.Seq { return im.Seq(min(v, 1<<62)) }

func users(names []string) []im.UserID {
	out := make([]im.UserID, len(names))
	for i, n := range names {
		out[i] = im.UserID(n)
	}
	return out
}

// encode returns a body's bytes. What a JSON client sent has none yet, so the
// encoding of the generated code becomes the body.
func encode(b *skeinv1.Body) []byte {
	raw, err := proto.Marshal(b)
	if err != nil {
		return nil // invalid UTF-8, which the codec has refused already
	}
	return raw
}
