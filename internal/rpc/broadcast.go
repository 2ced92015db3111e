package rpc

import (
	"context"
	"net/http"

	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
	"github.com/skein-im/skein/proto/skein/v1/skeinv1connect"
)

// Broadcasts are messages to many users; feature/broadcast.
type Broadcasts interface {
	StartBroadcast(ctx context.Context, a im.Actor, r *skeinv1.StartBroadcastRequest) (*skeinv1.StartBroadcastResponse, error)
	GetBroadcast(ctx context.Context, a im.Actor, r *skeinv1.GetBroadcastRequest) (*skeinv1.GetBroadcastResponse, error)
	CancelBroadcast(ctx context.Context, a im.Actor, r *skeinv1.CancelBroadcastRequest) (*skeinv1.CancelBroadcastResponse, error)
}

func (s *server) broadcastCalls(t map[string]http.Handler) {
	v := s.Verbs.Broadcasts
	at(t, s, skeinv1connect.BroadcastServiceStartBroadcastProcedure, v.StartBroadcast)
	at(t, s, skeinv1connect.BroadcastServiceGetBroadcastProcedure, v.GetBroadcast)
	at(t, s, skeinv1connect.BroadcastServiceCancelBroadcastProcedure, v.CancelBroadcast)
}
