package server

import (
	"context"
	"iter"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// CreateGroup makes a group for the owner whom the request names. Further
// members, 999 at most, are those that it lists; more come by AddMembers.
// AlreadyExists when the id is taken by a group of another owner.
func (c *Client) CreateGroup(ctx context.Context, r *skeinv1.CreateGroupRequest) (*skeinv1.Conversation, error) {
	res, err := call(ctx, c, c.conversations.CreateGroup, r)
	return res.GetConversation(), err
}

// Groups returns all groups of the app, by id, without a membership or read
// markers.
func (c *Client) Groups(ctx context.Context) iter.Seq2[*skeinv1.Conversation, error] {
	return pages(func(page string) ([]*skeinv1.Conversation, string, error) {
		res, err := call(ctx, c, c.archive.ListGroups, &skeinv1.ListGroupsRequest{Limit: 200, Page: page})
		return res.GetGroups(), res.GetNextPage(), err
	})
}

// Group returns one group, or any other conversation. NotFound when there is
// none.
func (c *Client) Group(ctx context.Context, id string) (*skeinv1.Conversation, error) {
	res, err := call(ctx, c, c.conversations.GetConversation, &skeinv1.GetConversationRequest{Conversation: id})
	return res.GetConversation(), err
}

// UpdateGroup changes a group's title.
func (c *Client) UpdateGroup(ctx context.Context, r *skeinv1.UpdateGroupRequest) (*skeinv1.Entry, error) {
	res, err := call(ctx, c, c.conversations.UpdateGroup, r)
	return res.GetEntry(), err
}

// UpdateGroupSettings changes the settings that the request names in fields; one
// that is absent in settings goes back to its default.
func (c *Client) UpdateGroupSettings(ctx context.Context, r *skeinv1.UpdateGroupSettingsRequest) (*skeinv1.Entry, error) {
	res, err := call(ctx, c, c.groups.UpdateGroupSettings, r)
	return res.GetEntry(), err
}

// MuteGroup keeps everybody below the admins from writing for some seconds; 0
// ends it.
func (c *Client) MuteGroup(ctx context.Context, r *skeinv1.MuteGroupRequest) (*skeinv1.Entry, error) {
	res, err := call(ctx, c, c.groups.MuteGroup, r)
	return res.GetEntry(), err
}

// TransferGroup makes a member the owner, and the owner an admin.
func (c *Client) TransferGroup(ctx context.Context, r *skeinv1.TransferGroupRequest) (*skeinv1.Entry, error) {
	res, err := call(ctx, c, c.groups.TransferGroup, r)
	return res.GetEntry(), err
}

// DissolveGroup ends a group for everybody; its id is never used again, and
// everybody keeps what they could read.
func (c *Client) DissolveGroup(ctx context.Context, r *skeinv1.DissolveGroupRequest) (*skeinv1.Entry, error) {
	res, err := call(ctx, c, c.groups.DissolveGroup, r)
	return res.GetEntry(), err
}

// PutGroupRole makes a role of a group, or changes the one whose id the request
// has, and returns its id.
func (c *Client) PutGroupRole(ctx context.Context, r *skeinv1.PutGroupRoleRequest) (string, error) {
	res, err := call(ctx, c, c.groups.PutGroupRole, r)
	return res.GetRoleId(), err
}

// DeleteGroupRole takes a role away from everybody who has it.
func (c *Client) DeleteGroupRole(ctx context.Context, r *skeinv1.DeleteGroupRoleRequest) (*skeinv1.Entry, error) {
	res, err := call(ctx, c, c.groups.DeleteGroupRole, r)
	return res.GetEntry(), err
}
