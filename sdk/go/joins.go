package skein

import (
	"context"
	"iter"
	"strings"
	"time"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Joining is what came of joining a group.
type Joining struct {
	// Conversation that the user is a member of now; nil when a request was filed.
	Conversation *Conversation
	// Request that was filed; somebody answers it.
	Request *JoinRequest
}

// JoinRequest is one user's wish to come into a group. It ends after 30 days.
type JoinRequest struct {
	Conversation, User, Message string
	// Inviter is whose invitation they came by, "" = nobody's.
	Inviter          string
	Created, Expires time.Time
	// Declined: only its user still sees it, and may ask again.
	Declined bool
}

func joinRequestOf(q *skeinv1.JoinRequest) JoinRequest {
	return JoinRequest{Conversation: q.GetConversation(), User: q.GetUser(), Message: q.GetMessage(), Inviter: q.GetInviter(),
		Created: time.UnixMicro(q.GetCreatedUs()).UTC(), Expires: time.UnixMicro(q.GetExpiresUs()).UTC(),
		Declined: q.GetState() == skeinv1.JoinRequestState_JOIN_REQUEST_STATE_DECLINED}
}

// joining takes the answer of a call that joins.
func (c *Client) joining(ctx context.Context, was string, conv *skeinv1.Conversation, q *skeinv1.JoinRequest) (Joining, error) {
	if conv == nil {
		r := joinRequestOf(q)
		return Joining{Request: &r}, nil
	}
	if err := c.do(ctx, func() { c.applyAnswer(was, conversationEvent(conv)) }); err != nil {
		return Joining{}, err
	}
	return Joining{Conversation: c.Conversation(conv.GetId())}, nil
}

// JoinGroup joins a group that can be looked up, or files a request with a
// message of at most 256 bytes where the group wants to be asked.
//
// Errors: NotFound (also for private groups), PermissionDenied (by invitation
// only, or the user is not on the group's list), TooLarge (it is full),
// ResourceExhausted (50 open requests).
func (c *Client) JoinGroup(ctx context.Context, group, message string) (Joining, error) {
	cid, err := c.newID()
	if err != nil {
		return Joining{}, err
	}
	was := c.incarnation()
	var resp skeinv1.JoinGroupResponse
	if err := c.rpc(ctx, "JoinService/JoinGroup", &skeinv1.JoinGroupRequest{Conversation: group, Message: message, ClientId: cid}, &resp); err != nil {
		return Joining{}, err
	}
	return c.joining(ctx, was, resp.GetConversation(), resp.GetRequest())
}

// MyJoinRequests returns the user's own requests, the open ones first.
func (c *Client) MyJoinRequests(ctx context.Context) ([]JoinRequest, error) {
	var resp skeinv1.ListMyJoinRequestsResponse
	if err := c.rpc(ctx, "JoinService/ListMyJoinRequests", &skeinv1.ListMyJoinRequestsRequest{}, &resp); err != nil {
		return nil, err
	}
	out := make([]JoinRequest, 0, len(resp.GetRequests()))
	for _, q := range resp.GetRequests() {
		out = append(out, joinRequestOf(q))
	}
	return out, nil
}

// CancelJoinRequest takes the user's request to a group back, or a declined
// one off their list.
func (c *Client) CancelJoinRequest(ctx context.Context, group string) error {
	return c.rpc(ctx, "JoinService/CancelJoinRequest", &skeinv1.CancelJoinRequestRequest{Conversation: group}, &skeinv1.CancelJoinRequestResponse{})
}

// WaitingJoinRequests returns how many requests wait for an answer that the
// user may give, by group: what this device has heard, without a call. Each
// change of it is an OnConversation event of the self conversation.
func (c *Client) WaitingJoinRequests() map[string]int {
	out := map[string]int{}
	c.Self().look(func(cv *conv) {
		for key, v := range cv.keyed {
			s := v.body.GetContent().GetJoin()
			if strings.HasPrefix(key, "join/") && s.GetOpen() > 0 {
				out[s.GetConversation()] = int(s.GetOpen())
			}
		}
	})
	return out
}

// JoinRequests reads the open requests of a group, oldest first. It needs the
// grant to add members.
func (v *Conversation) JoinRequests(ctx context.Context) iter.Seq2[JoinRequest, error] {
	return pages(func(page string) ([]JoinRequest, string, error) {
		id, err := v.key()
		if err != nil {
			return nil, "", err
		}
		var resp skeinv1.ListJoinRequestsResponse
		err = v.c.rpc(ctx, "JoinService/ListJoinRequests", &skeinv1.ListJoinRequestsRequest{Conversation: id, Limit: 200, Page: page}, &resp)
		var out []JoinRequest
		for _, q := range resp.GetRequests() {
			out = append(out, joinRequestOf(q))
		}
		return out, resp.GetNextPage(), err
	})
}

// pages walks through a list page by page.
func pages[T any](read func(page string) ([]T, string, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for page := ""; ; {
			rows, next, err := read(page)
			for _, r := range rows {
				if !yield(r, nil) {
					return
				}
			}
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			if page = next; page == "" {
				return
			}
		}
	}
}

// AnswerJoinRequest accepts or declines a user's request to join.
//
// Errors: NotFound (there is none, or no longer), PermissionDenied, TooLarge,
// FailedPrecondition (somebody else is answering it).
func (v *Conversation) AnswerJoinRequest(ctx context.Context, user string, accept bool) error {
	return v.call(func(id string, cid []byte) error {
		return v.c.rpc(ctx, "JoinService/AnswerJoinRequest", &skeinv1.AnswerJoinRequestRequest{Conversation: id, User: user, Accept: accept, ClientId: cid},
			&skeinv1.AnswerJoinRequestResponse{})
	})
}

// call makes a call that has a client id and brings no entry.
func (v *Conversation) call(do func(id string, cid []byte) error) error {
	id, err := v.key()
	if err != nil {
		return err
	}
	cid, err := v.c.newID()
	if err != nil {
		return err
	}
	return do(id, cid)
}

// Invite is an invitation to a group.
type Invite struct {
	// ID is what RevokeInvite takes. It opens nothing.
	ID string
	// Creator made it; "" = the app's back end.
	Creator, Label string
	Created        time.Time
	Expires        time.Time // zero = never
	// MaxUses, 0 = any number, and how many were used.
	MaxUses, Uses int
	// Approval: whoever comes by it files a request.
	Approval bool
	// Ended: nobody comes in by it any more.
	Ended bool
}

// NewInvite is what an invitation is made of; the zero value is one for
// everybody, until it is revoked.
type NewInvite struct {
	Expires  time.Duration // at most a year; 0 = never
	MaxUses  int           // at most 100,000; 0 = any number
	Approval bool          // whoever comes by it files a request
	Label    string        // at most 64 bytes
}

func inviteOf(p *skeinv1.Invite) Invite {
	v := Invite{ID: p.GetId(), Creator: p.GetCreator(), Label: p.GetLabel(), Created: time.UnixMicro(p.GetCreatedUs()).UTC(), MaxUses: int(p.GetMaxUses()),
		Uses: int(p.GetUses()), Approval: p.GetApproval(), Ended: p.GetEnded()}
	if p.GetExpiresUs() > 0 {
		v.Expires = time.UnixMicro(p.GetExpiresUs()).UTC()
	}
	return v
}

// CreateInvite makes an invitation and returns it with its code, which the
// server shows this once: keep it, or give it away as InviteLink. It needs the
// grant to invite.
//
// Errors: NotFound, PermissionDenied, ResourceExhausted (100 a group).
func (v *Conversation) CreateInvite(ctx context.Context, n NewInvite) (invite Invite, code string, err error) {
	if n.Expires < 0 || n.Expires > 366*24*time.Hour || n.MaxUses < 0 || n.MaxUses > 100_000 {
		return Invite{}, "", errorf(InvalidArgument, nil, "an invitation lasts a year at most and has at most 100,000 uses")
	}
	err = v.call(func(id string, cid []byte) error {
		var resp skeinv1.CreateInviteResponse
		err := v.c.rpc(ctx, "JoinService/CreateInvite", &skeinv1.CreateInviteRequest{Conversation: id, ExpiresS: uint32(n.Expires / time.Second),
			MaxUses: uint32(n.MaxUses), Approval: n.Approval, Label: n.Label, ClientId: cid}, &resp)
		invite, code = inviteOf(resp.GetInvite()), resp.GetCode()
		return err
	})
	return invite, code, err
}

// InviteLink is the link of a code: the web app that the server brings opens
// it, and an app of your own can.
func (c *Client) InviteLink(code string) string {
	return strings.TrimSuffix(c.opt.Endpoint, "/") + "/#/join/" + code
}

// Invites reads a group's invitations, newest first: all of them for who may
// add members, one's own for who may invite.
func (v *Conversation) Invites(ctx context.Context) iter.Seq2[Invite, error] {
	return pages(func(page string) ([]Invite, string, error) {
		id, err := v.key()
		if err != nil {
			return nil, "", err
		}
		var resp skeinv1.ListInvitesResponse
		err = v.c.rpc(ctx, "JoinService/ListInvites", &skeinv1.ListInvitesRequest{Conversation: id, Limit: 200, Page: page}, &resp)
		var out []Invite
		for _, p := range resp.GetInvites() {
			out = append(out, inviteOf(p))
		}
		return out, resp.GetNextPage(), err
	})
}

// RevokeInvite ends an invitation: once it has returned nobody comes in by it.
func (v *Conversation) RevokeInvite(ctx context.Context, invite string) error {
	return v.call(func(id string, cid []byte) error {
		return v.c.rpc(ctx, "JoinService/RevokeInvite", &skeinv1.RevokeInviteRequest{Conversation: id, Invite: invite, ClientId: cid}, &skeinv1.RevokeInviteResponse{})
	})
}

// InvitePreview is what an invitation shows to who is invited.
type InvitePreview struct {
	Title, AvatarURL string
	Members          int
	// Inviter is "" when it is the app's back end.
	Inviter string
	// Approval: joining files a request.
	Approval bool
}

// GetInvite shows what a code opens.
//
// Errors: NotFound for whatever does not, RateLimited.
func (c *Client) GetInvite(ctx context.Context, code string) (InvitePreview, error) {
	var resp skeinv1.GetInviteResponse
	if err := c.rpc(ctx, "JoinService/GetInvite", &skeinv1.GetInviteRequest{Code: code}, &resp); err != nil {
		return InvitePreview{}, err
	}
	return InvitePreview{Title: resp.GetTitle(), AvatarURL: resp.GetAvatarUrl(), Members: int(resp.GetMemberCount()), Inviter: resp.GetInviter(),
		Approval: resp.GetApproval()}, nil
}

// JoinByInvite joins by an invitation's code, or files a request with a
// message where it asks for approval. Who is a member already uses nothing up.
//
// Errors: NotFound (the code opens nothing), PermissionDenied (not on the
// group's list), TooLarge, RateLimited, ResourceExhausted.
func (c *Client) JoinByInvite(ctx context.Context, code, message string) (Joining, error) {
	cid, err := c.newID()
	if err != nil {
		return Joining{}, err
	}
	was := c.incarnation()
	var resp skeinv1.JoinByInviteResponse
	if err := c.rpc(ctx, "JoinService/JoinByInvite", &skeinv1.JoinByInviteRequest{Code: code, Message: message, ClientId: cid}, &resp); err != nil {
		return Joining{}, err
	}
	return c.joining(ctx, was, resp.GetConversation(), resp.GetRequest())
}

// Ban is a user whom a group keeps out.
type Ban struct {
	// By is "" when it was the app's back end.
	User, By, Reason string
	Created          time.Time
}

// BanMember takes a user out of a group, if they are in, and keeps them out by
// every way until UnbanMember. It needs the grant to remove members, and a
// higher rank than theirs. reason is for the list alone.
func (v *Conversation) BanMember(ctx context.Context, user, reason string) error {
	return v.call(func(id string, cid []byte) error {
		return v.c.rpc(ctx, "JoinService/BanMember", &skeinv1.BanMemberRequest{Conversation: id, User: user, Reason: reason, ClientId: cid}, &skeinv1.BanMemberResponse{})
	})
}

// UnbanMember lets a user come back; it does not bring them. NotFound without
// a ban.
func (v *Conversation) UnbanMember(ctx context.Context, user string) error {
	return v.call(func(id string, _ []byte) error {
		return v.c.rpc(ctx, "JoinService/UnbanMember", &skeinv1.UnbanMemberRequest{Conversation: id, User: user}, &skeinv1.UnbanMemberResponse{})
	})
}

// Bans reads whom a group keeps out, by user id.
func (v *Conversation) Bans(ctx context.Context) iter.Seq2[Ban, error] {
	return pages(func(page string) ([]Ban, string, error) {
		id, err := v.key()
		if err != nil {
			return nil, "", err
		}
		var resp skeinv1.ListBansResponse
		err = v.c.rpc(ctx, "JoinService/ListBans", &skeinv1.ListBansRequest{Conversation: id, Limit: 200, Page: page}, &resp)
		var out []Ban
		for _, b := range resp.GetBans() {
			out = append(out, Ban{User: b.GetUser(), By: b.GetBy(), Reason: b.GetReason(), Created: time.UnixMicro(b.GetCreatedUs()).UTC()})
		}
		return out, resp.GetNextPage(), err
	})
}

// AllowList is who may join a group by themselves.
type AllowList struct {
	// Enforced: only those on it do, also by invitation.
	Enforced bool
	Users    []string
}

// AllowList reads a group's list, at most 10,000 users. It needs the grant to
// manage the group.
func (v *Conversation) AllowList(ctx context.Context) (AllowList, error) {
	id, err := v.key()
	if err != nil {
		return AllowList{}, err
	}
	var out AllowList
	for page := ""; ; {
		var resp skeinv1.ListAllowListResponse
		if err := v.c.rpc(ctx, "JoinService/ListAllowList", &skeinv1.ListAllowListRequest{Conversation: id, Limit: 1000, Page: page}, &resp); err != nil {
			return AllowList{}, err
		}
		out.Enforced, out.Users = resp.GetEnforced(), append(out.Users, resp.GetUsers()...)
		if page = resp.GetNextPage(); page == "" {
			return out, nil
		}
	}
}

// SetAllowList adds users to the list, at most 1,000 a call, and says whether
// it is in force from now on.
func (v *Conversation) SetAllowList(ctx context.Context, enforced bool, add ...string) error {
	return v.call(func(id string, cid []byte) error {
		return v.c.rpc(ctx, "JoinService/SetAllowList", &skeinv1.SetAllowListRequest{Conversation: id, Users: add, Enforced: enforced, ClientId: cid}, &skeinv1.SetAllowListResponse{})
	})
}

// RemoveFromAllowList takes users off the list.
func (v *Conversation) RemoveFromAllowList(ctx context.Context, users ...string) error {
	return v.call(func(id string, cid []byte) error {
		return v.c.rpc(ctx, "JoinService/RemoveFromAllowList", &skeinv1.RemoveFromAllowListRequest{Conversation: id, Users: users, ClientId: cid},
			&skeinv1.RemoveFromAllowListResponse{})
	})
}
