package server

import (
	"context"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// CreateAnnouncement hangs up an announcement; a group has 50 at most.
func (c *Client) CreateAnnouncement(ctx context.Context, r *skeinv1.CreateAnnouncementRequest) (*skeinv1.Announcement, error) {
	res, err := call(ctx, c, c.boards.CreateAnnouncement, r)
	return res.GetAnnouncement(), err
}

// UpdateAnnouncement replaces one.
func (c *Client) UpdateAnnouncement(ctx context.Context, r *skeinv1.UpdateAnnouncementRequest) (*skeinv1.Announcement, error) {
	res, err := call(ctx, c, c.boards.UpdateAnnouncement, r)
	return res.GetAnnouncement(), err
}

// DeleteAnnouncement takes one down.
func (c *Client) DeleteAnnouncement(ctx context.Context, r *skeinv1.DeleteAnnouncementRequest) error {
	_, err := call(ctx, c, c.boards.DeleteAnnouncement, r)
	return err
}

// Announcements returns a group's announcements, pinned ones first, then the newest.
func (c *Client) Announcements(ctx context.Context, conversation string) ([]*skeinv1.Announcement, error) {
	res, err := call(ctx, c, c.boards.ListAnnouncements, &skeinv1.ListAnnouncementsRequest{Conversation: conversation})
	return res.GetAnnouncements(), err
}

// SetGroupAttribute sets an attribute. FailedPrecondition when it has another
// version than the one that the request names.
func (c *Client) SetGroupAttribute(ctx context.Context, r *skeinv1.SetGroupAttributeRequest) (*skeinv1.GroupAttribute, error) {
	res, err := call(ctx, c, c.boards.SetGroupAttribute, r)
	return res.GetAttribute(), err
}

// RemoveGroupAttribute removes one.
func (c *Client) RemoveGroupAttribute(ctx context.Context, r *skeinv1.RemoveGroupAttributeRequest) error {
	_, err := call(ctx, c, c.boards.RemoveGroupAttribute, r)
	return err
}

// GroupAttributes returns a group's attributes by name, at most 100.
func (c *Client) GroupAttributes(ctx context.Context, conversation string) ([]*skeinv1.GroupAttribute, error) {
	res, err := call(ctx, c, c.boards.ListGroupAttributes, &skeinv1.ListGroupAttributesRequest{Conversation: conversation})
	return res.GetAttributes(), err
}

// IncrementCounter adds to a counter, which begins at 0, and returns its value;
// exact, however many add at once. FailedPrecondition when it would leave the
// bounds that the request sets.
func (c *Client) IncrementCounter(ctx context.Context, r *skeinv1.IncrementCounterRequest) (int64, error) {
	res, err := call(ctx, c, c.boards.IncrementCounter, r)
	return res.GetValue(), err
}

// RemoveCounter removes a counter.
func (c *Client) RemoveCounter(ctx context.Context, r *skeinv1.RemoveCounterRequest) error {
	_, err := call(ctx, c, c.boards.RemoveCounter, r)
	return err
}

// Counters returns a group's counters by name, at most 50.
func (c *Client) Counters(ctx context.Context, conversation string) ([]*skeinv1.GroupCounter, error) {
	res, err := call(ctx, c, c.boards.ListCounters, &skeinv1.ListCountersRequest{Conversation: conversation})
	return res.GetCounters(), err
}
