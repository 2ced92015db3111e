package server

import (
	"context"
	"iter"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Members returns a group's members, by user id. The request can ask for
// those with a role, or whose name begins with something.
func (c *Client) Members(ctx context.Context, r *skeinv1.ListMembersRequest) iter.Seq2[*skeinv1.Membership, error] {
	return pages(func(page string) ([]*skeinv1.Membership, string, error) {
		res, err := call(ctx, c, c.conversations.ListMembers,
			&skeinv1.ListMembersRequest{Conversation: r.GetConversation(), Query: r.GetQuery(), Role: r.GetRole(), Limit: 200, Page: page})
		return res.GetMembers(), res.GetNextPage(), err
	})
}

// AddMembers adds users to a group, at most 1,000. The entry is nil when all of
// them were in it already.
func (c *Client) AddMembers(ctx context.Context, r *skeinv1.AddMembersRequest) (*skeinv1.Entry, error) {
	res, err := call(ctx, c, c.conversations.AddMembers, r)
	return res.GetEntry(), err
}

// RemoveMember takes a user out of a group. After the answer nothing that is said
// later reaches them.
func (c *Client) RemoveMember(ctx context.Context, r *skeinv1.RemoveMemberRequest) (*skeinv1.Entry, error) {
	res, err := call(ctx, c, c.conversations.RemoveMember, r)
	return res.GetEntry(), err
}

// SetRole makes a member an admin, or a plain member again. The role of an owner
// hands the group over, as TransferGroup does.
func (c *Client) SetRole(ctx context.Context, r *skeinv1.SetRoleRequest) (*skeinv1.Entry, error) {
	res, err := call(ctx, c, c.conversations.SetRole, r)
	return res.GetEntry(), err
}

// SetMemberRoles says which of the group's own roles a member has.
func (c *Client) SetMemberRoles(ctx context.Context, r *skeinv1.SetMemberRolesRequest) (*skeinv1.Entry, error) {
	res, err := call(ctx, c, c.groups.SetMemberRoles, r)
	return res.GetEntry(), err
}

// SetNickname names a member in a group; empty takes the name away.
func (c *Client) SetNickname(ctx context.Context, r *skeinv1.SetNicknameRequest) (*skeinv1.Entry, error) {
	res, err := call(ctx, c, c.groups.SetNickname, r)
	return res.GetEntry(), err
}

// MuteMember keeps a member from writing for some seconds; 0 ends it.
func (c *Client) MuteMember(ctx context.Context, r *skeinv1.MuteMemberRequest) (*skeinv1.Entry, error) {
	res, err := call(ctx, c, c.groups.MuteMember, r)
	return res.GetEntry(), err
}
