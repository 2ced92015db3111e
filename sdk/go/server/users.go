package server

import (
	"context"
	"iter"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// UpsertUsers makes users and changes those that are there, at most 500. The
// answer has one result for each, in their order: a user who is refused holds
// no other back; see ResultError.
func (c *Client) UpsertUsers(ctx context.Context, users ...*skeinv1.UserChange) ([]*skeinv1.UserResult, error) {
	res, err := call(ctx, c, c.users.UpsertUsers, &skeinv1.UpsertUsersRequest{Users: users})
	return res.GetResults(), err
}

// ResultError is why nothing was changed of a user; nil = it was done.
func ResultError(r *skeinv1.UserResult) error {
	if r.GetError() == nil {
		return nil
	}
	return fromWire(r.GetError())
}

// User returns one user. NotFound when there is none.
func (c *Client) User(ctx context.Context, id string) (*skeinv1.User, error) {
	res, err := call(ctx, c, c.users.GetUser, &skeinv1.GetUserRequest{Id: id})
	return res.GetUser(), err
}

// Users returns all users, by id.
func (c *Client) Users(ctx context.Context) iter.Seq2[*skeinv1.User, error] {
	return pages(func(page string) ([]*skeinv1.User, string, error) {
		res, err := call(ctx, c, c.users.ListUsers, &skeinv1.ListUsersRequest{Limit: 500, Page: page})
		return res.GetUsers(), res.GetNextPage(), err
	})
}

// SuspendUser signs a user out everywhere and refuses their tokens; it returns how
// many devices were signed in.
func (c *Client) SuspendUser(ctx context.Context, id string) (int, error) {
	res, err := call(ctx, c, c.users.SuspendUser, &skeinv1.SuspendUserRequest{Id: id})
	return int(res.GetDevicesSignedOut()), err
}

// UnsuspendUser lets a user in again, with a token that was issued after the
// suspension.
func (c *Client) UnsuspendUser(ctx context.Context, id string) error {
	_, err := call(ctx, c, c.users.UnsuspendUser, &skeinv1.UnsuspendUserRequest{Id: id})
	return err
}

// RevokeUser signs a user out everywhere and refuses every token from before; with
// another one they may come back. It returns how many devices were signed in.
func (c *Client) RevokeUser(ctx context.Context, id string) (int, error) {
	res, err := call(ctx, c, c.admin.RevokeUser, &skeinv1.RevokeUserRequest{User: id})
	return int(res.GetDevicesSignedOut()), err
}

// EraseUser suspends a user and begins to erase them; Erasure tells how far it is.
func (c *Client) EraseUser(ctx context.Context, id string) (*skeinv1.Erasure, error) {
	res, err := call(ctx, c, c.users.EraseUser, &skeinv1.EraseUserRequest{Id: id})
	return res.GetErasure(), err
}

// Erasure tells how far an erasure is. NotFound when there was none.
func (c *Client) Erasure(ctx context.Context, id string) (*skeinv1.Erasure, error) {
	res, err := call(ctx, c, c.users.GetErasure, &skeinv1.GetErasureRequest{Id: id})
	return res.GetErasure(), err
}

// WaitErasure waits until an erasure is done, or ctx.
func (c *Client) WaitErasure(ctx context.Context, id string) (*skeinv1.Erasure, error) {
	return waitFor(ctx, c, func() (*skeinv1.Erasure, error) { return c.Erasure(ctx, id) },
		func(e *skeinv1.Erasure) bool { return e.State == skeinv1.ErasureState_ERASURE_STATE_DONE })
}

// UpdateProfile changes those fields of a user's profile that the request names, and
// returns all of it. UpsertUsers changes many users at once, of fewer fields.
func (c *Client) UpdateProfile(ctx context.Context, r *skeinv1.UpdateProfileRequest) (*skeinv1.Profile, error) {
	res, err := call(ctx, c, c.profiles.UpdateProfile, r)
	return res.GetProfile(), err
}

// Follows counts how many follow a user, and how many they follow.
func (c *Client) Follows(ctx context.Context, user string) (*skeinv1.GetFollowsResponse, error) {
	res, err := call(ctx, c, c.contacts.GetFollows, &skeinv1.GetFollowsRequest{User: user})
	return res, err
}
