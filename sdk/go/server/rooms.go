package server

import (
	"context"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Viewers tells how many sessions watch a livestream, on all nodes.
func (c *Client) Viewers(ctx context.Context, conversation string) (int, error) {
	res, err := call(ctx, c, c.rooms.GetRoom, &skeinv1.GetRoomRequest{Conversation: conversation})
	return int(res.GetViewers()), err
}

// MuteViewer keeps a viewer of a livestream from writing for some seconds; 0 ends it.
func (c *Client) MuteViewer(ctx context.Context, r *skeinv1.MuteViewerRequest) error {
	_, err := call(ctx, c, c.rooms.MuteViewer, r)
	return err
}

// RemoveViewer ends a viewer's watching and keeps them out for some seconds; 0 lets
// them in again.
func (c *Client) RemoveViewer(ctx context.Context, r *skeinv1.RemoveViewerRequest) error {
	_, err := call(ctx, c, c.rooms.RemoveViewer, r)
	return err
}
