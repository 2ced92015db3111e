package auth

import (
	"context"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
)

// LimitViewer tells every node that what a user may do in a livestream has
// changed; with out they are not shown it any more. It returns when every node
// has looked, or has lost its right to deliver.
func (a *Auth) LimitViewer(ctx context.Context, app im.AppID, conv im.ConvID, user im.UserID, out bool) error {
	f := Fence{Kind: FenceViewer, App: app, User: user, KID: string(conv)}
	if out {
		f.Device = "*"
	}
	err := a.writeFence(ctx, func(tx db.Tx) (err error) {
		f, err = a.insertFence(tx, f)
		return err
	})
	if err != nil {
		return err
	}
	return a.awaitFence(ctx, f.ID)
}
