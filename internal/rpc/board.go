package rpc

import (
	"context"
	"net/http"

	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
	"github.com/skein-im/skein/proto/skein/v1/skeinv1connect"
)

// Boards is what hangs on groups' boards; feature/board.
type Boards interface {
	CreateAnnouncement(ctx context.Context, a im.Actor, r *skeinv1.CreateAnnouncementRequest) (*skeinv1.CreateAnnouncementResponse, error)
	UpdateAnnouncement(ctx context.Context, a im.Actor, r *skeinv1.UpdateAnnouncementRequest) (*skeinv1.UpdateAnnouncementResponse, error)
	DeleteAnnouncement(ctx context.Context, a im.Actor, r *skeinv1.DeleteAnnouncementRequest) (*skeinv1.DeleteAnnouncementResponse, error)
	ListAnnouncements(ctx context.Context, a im.Actor, r *skeinv1.ListAnnouncementsRequest) (*skeinv1.ListAnnouncementsResponse, error)
	SetGroupAttribute(ctx context.Context, a im.Actor, r *skeinv1.SetGroupAttributeRequest) (*skeinv1.SetGroupAttributeResponse, error)
	RemoveGroupAttribute(ctx context.Context, a im.Actor, r *skeinv1.RemoveGroupAttributeRequest) (*skeinv1.RemoveGroupAttributeResponse, error)
	ListGroupAttributes(ctx context.Context, a im.Actor, r *skeinv1.ListGroupAttributesRequest) (*skeinv1.ListGroupAttributesResponse, error)
	IncrementCounter(ctx context.Context, a im.Actor, r *skeinv1.IncrementCounterRequest) (*skeinv1.IncrementCounterResponse, error)
	RemoveCounter(ctx context.Context, a im.Actor, r *skeinv1.RemoveCounterRequest) (*skeinv1.RemoveCounterResponse, error)
	ListCounters(ctx context.Context, a im.Actor, r *skeinv1.ListCountersRequest) (*skeinv1.ListCountersResponse, error)
}

func (s *server) boardCalls(t map[string]http.Handler) {
	v := s.Verbs.Boards
	at(t, s, skeinv1connect.BoardServiceCreateAnnouncementProcedure, v.CreateAnnouncement)
	at(t, s, skeinv1connect.BoardServiceUpdateAnnouncementProcedure, v.UpdateAnnouncement)
	at(t, s, skeinv1connect.BoardServiceDeleteAnnouncementProcedure, v.DeleteAnnouncement)
	at(t, s, skeinv1connect.BoardServiceListAnnouncementsProcedure, v.ListAnnouncements)
	at(t, s, skeinv1connect.BoardServiceSetGroupAttributeProcedure, v.SetGroupAttribute)
	at(t, s, skeinv1connect.BoardServiceRemoveGroupAttributeProcedure, v.RemoveGroupAttribute)
	at(t, s, skeinv1connect.BoardServiceListGroupAttributesProcedure, v.ListGroupAttributes)
	at(t, s, skeinv1connect.BoardServiceIncrementCounterProcedure, v.IncrementCounter)
	at(t, s, skeinv1connect.BoardServiceRemoveCounterProcedure, v.RemoveCounter)
	at(t, s, skeinv1connect.BoardServiceListCountersProcedure, v.ListCounters)
}
