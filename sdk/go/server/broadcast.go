package server

import (
	"context"
	"time"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// StartBroadcast has a message of one user written to many others, about 100 a
// second. It goes on by itself, whatever restarts, and reaches nobody twice.
// Its id is the client id of the request.
func (c *Client) StartBroadcast(ctx context.Context, r *skeinv1.StartBroadcastRequest) (*skeinv1.Broadcast, error) {
	res, err := call(ctx, c, c.broadcasts.StartBroadcast, r)
	return res.GetBroadcast(), err
}

// Broadcast tells how far one is. One that is over is known for 30 days, then it is
// NotFound.
func (c *Client) Broadcast(ctx context.Context, id []byte) (*skeinv1.Broadcast, error) {
	res, err := call(ctx, c, c.broadcasts.GetBroadcast, &skeinv1.GetBroadcastRequest{Id: id})
	return res.GetBroadcast(), err
}

// WaitBroadcast waits until a broadcast is over, or ctx.
func (c *Client) WaitBroadcast(ctx context.Context, id []byte) (*skeinv1.Broadcast, error) {
	return waitFor(ctx, c, func() (*skeinv1.Broadcast, error) { return c.Broadcast(ctx, id) },
		func(b *skeinv1.Broadcast) bool { return b.State != skeinv1.BroadcastState_BROADCAST_STATE_RUNNING })
}

// look is how often what goes on is looked at.
const look = 250 * time.Millisecond

// waitFor looks at something until it is over.
func waitFor[T any](ctx context.Context, c *Client, get func() (T, error), over func(T) bool) (T, error) {
	for {
		v, err := get()
		if err != nil || over(v) {
			return v, err
		}
		if err := c.wait(ctx, look); err != nil {
			return v, err
		}
	}
}

// CancelBroadcast ends one; up to 50 further messages may be on their way. One that
// is over stays as it is.
func (c *Client) CancelBroadcast(ctx context.Context, id []byte) (*skeinv1.Broadcast, error) {
	res, err := call(ctx, c, c.broadcasts.CancelBroadcast, &skeinv1.CancelBroadcastRequest{Id: id})
	return res.GetBroadcast(), err
}
