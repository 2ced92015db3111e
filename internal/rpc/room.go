package rpc

import (
	"context"
	"net/http"
	"time"

	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
	"github.com/skein-im/skein/proto/skein/v1/skeinv1connect"
)

// Rooms is what looks after livestreams; chat, the gateway and the fences
// through wire.go.
type Rooms interface {
	// Viewers is how many watch; for who may watch.
	Viewers(ctx context.Context, a im.Actor, conv im.ConvID) (int, error)
	// Limit mutes a viewer, or keeps them out, from now on for a time.
	Limit(ctx context.Context, a im.Actor, conv im.ConvID, id im.ClientID, user im.UserID, remove bool, d time.Duration) error
}

// roomCalls are the calls on livestreams.
func (s *server) roomCalls(t map[string]http.Handler) {
	limit := func(ctx context.Context, a im.Actor, conv, user string, id []byte, remove bool, seconds uint32) error {
		_, err := withID(id, func(id im.ClientID) (*im.Entry, error) {
			return nil, s.Verbs.Rooms.Limit(ctx, a, im.ConvID(conv), id, im.UserID(user), remove, time.Duration(seconds)*time.Second)
		})
		return err
	}
	at(t, s, skeinv1connect.RoomServiceGetRoomProcedure, func(ctx context.Context, a im.Actor, r *skeinv1.GetRoomRequest) (*skeinv1.GetRoomResponse, error) {
		n, err := s.Verbs.Rooms.Viewers(ctx, a, im.ConvID(r.Conversation))
		return &skeinv1.GetRoomResponse{Viewers: uint32(n)}, err
	})
	at(t, s, skeinv1connect.RoomServiceMuteViewerProcedure, func(ctx context.Context, a im.Actor, r *skeinv1.MuteViewerRequest) (*skeinv1.MuteViewerResponse, error) {
		return &skeinv1.MuteViewerResponse{}, limit(ctx, a, r.Conversation, r.User, r.ClientId, false, r.Seconds)
	})
	at(t, s, skeinv1connect.RoomServiceRemoveViewerProcedure, func(ctx context.Context, a im.Actor, r *skeinv1.RemoveViewerRequest) (*skeinv1.RemoveViewerResponse, error) {
		return &skeinv1.RemoveViewerResponse{}, limit(ctx, a, r.Conversation, r.User, r.ClientId, true, r.Seconds)
	})
}
