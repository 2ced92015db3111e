package server

import (
	"context"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// App returns the app's settings and its use.
func (c *Client) App(ctx context.Context) (*skeinv1.App, error) {
	res, err := call(ctx, c, c.admin.GetApp, &skeinv1.GetAppRequest{})
	return res.GetApp(), err
}

// UpdateApp changes what the request sets and leaves the rest. A login policy
// applies to the next sign-in, everything else at once, on every node.
func (c *Client) UpdateApp(ctx context.Context, r *skeinv1.UpdateAppRequest) (*skeinv1.App, error) {
	res, err := call(ctx, c, c.admin.UpdateApp, r)
	return res.GetApp(), err
}
