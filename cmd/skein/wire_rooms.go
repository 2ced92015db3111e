package main

import (
	"context"
	"time"

	"github.com/skein-im/skein/internal/auth"
	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/gateway"
	"github.com/skein-im/skein/internal/im"
)

// rooms implements rpc.Rooms: chat decides and stores, the fence has every node
// look, the gateway knows who watches.
type rooms struct {
	chat    *chat.Service
	auth    *auth.Auth
	gateway *gateway.Gateway
}

// Viewers implements rpc.Rooms.
func (r rooms) Viewers(ctx context.Context, a im.Actor, conv im.ConvID) (int, error) {
	if _, err := r.chat.Livestream(ctx, a, conv); err != nil {
		return 0, err
	}
	limits, err := r.chat.ViewerLimits(ctx, a.App, conv)
	if err != nil {
		return 0, err
	}
	if limits[a.User].GetRemovedUntilUs() > int64(r.chat.Now()) {
		return 0, im.Errorf(im.PermissionDenied, "you were removed from the room")
	}
	return r.gateway.Viewers(a.App, conv), nil
}

// Limit implements rpc.Rooms.
func (r rooms) Limit(ctx context.Context, a im.Actor, conv im.ConvID, id im.ClientID, user im.UserID, remove bool, d time.Duration) error {
	if err := r.chat.LimitViewer(ctx, a, conv, id, user, remove, d); err != nil {
		return err
	}
	return r.auth.LimitViewer(ctx, a.App, conv, user, remove && d > 0)
}
