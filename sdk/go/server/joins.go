package server

import (
	"context"
	"iter"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// JoinRequests returns the open requests to join a group, oldest first.
func (c *Client) JoinRequests(ctx context.Context, conversation string) iter.Seq2[*skeinv1.JoinRequest, error] {
	return pages(func(page string) ([]*skeinv1.JoinRequest, string, error) {
		res, err := call(ctx, c, c.joins.ListJoinRequests, &skeinv1.ListJoinRequestsRequest{Conversation: conversation, Limit: 200, Page: page})
		return res.GetRequests(), res.GetNextPage(), err
	})
}

// AnswerJoinRequest accepts or declines a request. Accepting who is in already
// succeeds.
func (c *Client) AnswerJoinRequest(ctx context.Context, r *skeinv1.AnswerJoinRequestRequest) error {
	_, err := call(ctx, c, c.joins.AnswerJoinRequest, r)
	return err
}

// CreateInvite makes an invitation. Its code is in this answer alone: the server
// keeps a hash. A retry gets another code, and the first one ends.
func (c *Client) CreateInvite(ctx context.Context, r *skeinv1.CreateInviteRequest) (*skeinv1.CreateInviteResponse, error) {
	res, err := call(ctx, c, c.joins.CreateInvite, r)
	return res, err
}

// Invites returns a group's invitations, newest first, without their codes.
func (c *Client) Invites(ctx context.Context, conversation string) iter.Seq2[*skeinv1.Invite, error] {
	return pages(func(page string) ([]*skeinv1.Invite, string, error) {
		res, err := call(ctx, c, c.joins.ListInvites, &skeinv1.ListInvitesRequest{Conversation: conversation, Limit: 200, Page: page})
		return res.GetInvites(), res.GetNextPage(), err
	})
}

// RevokeInvite ends an invitation. After the answer nobody comes in by it.
func (c *Client) RevokeInvite(ctx context.Context, r *skeinv1.RevokeInviteRequest) error {
	_, err := call(ctx, c, c.joins.RevokeInvite, r)
	return err
}

// BanMember takes a user out of a group and keeps them out; also one who is no
// member.
func (c *Client) BanMember(ctx context.Context, r *skeinv1.BanMemberRequest) error {
	_, err := call(ctx, c, c.joins.BanMember, r)
	return err
}

// UnbanMember lets a user come back; it does not bring them. NotFound without a
// ban.
func (c *Client) UnbanMember(ctx context.Context, conversation, user string) error {
	_, err := call(ctx, c, c.joins.UnbanMember, &skeinv1.UnbanMemberRequest{Conversation: conversation, User: user})
	return err
}

// Bans returns whom a group keeps out, by user id.
func (c *Client) Bans(ctx context.Context, conversation string) iter.Seq2[*skeinv1.Ban, error] {
	return pages(func(page string) ([]*skeinv1.Ban, string, error) {
		res, err := call(ctx, c, c.joins.ListBans, &skeinv1.ListBansRequest{Conversation: conversation, Limit: 200, Page: page})
		return res.GetBans(), res.GetNextPage(), err
	})
}

// SetAllowList adds users to a group's allow list, at most 1,000, says whether it is in
// force, and returns how many are on it.
func (c *Client) SetAllowList(ctx context.Context, r *skeinv1.SetAllowListRequest) (int, error) {
	res, err := call(ctx, c, c.joins.SetAllowList, r)
	return int(res.GetSize()), err
}

// RemoveFromAllowList takes users off the list, at most 1,000, and returns how many
// are left.
func (c *Client) RemoveFromAllowList(ctx context.Context, r *skeinv1.RemoveFromAllowListRequest) (int, error) {
	res, err := call(ctx, c, c.joins.RemoveFromAllowList, r)
	return int(res.GetSize()), err
}

// AllowList returns the users on a group's allow list, by id.
func (c *Client) AllowList(ctx context.Context, conversation string) iter.Seq2[string, error] {
	return pages(func(page string) ([]string, string, error) {
		res, err := call(ctx, c, c.joins.ListAllowList, &skeinv1.ListAllowListRequest{Conversation: conversation, Limit: 1000, Page: page})
		return res.GetUsers(), res.GetNextPage(), err
	})
}
