package rpc

import (
	"context"
	"net/http"

	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
	"github.com/skein-im/skein/proto/skein/v1/skeinv1connect"
)

// Timed keeps messages for later; feature/timed.
type Timed interface {
	ScheduleMessage(ctx context.Context, a im.Actor, r *skeinv1.ScheduleMessageRequest) (*skeinv1.ScheduleMessageResponse, error)
	ListScheduled(ctx context.Context, a im.Actor, r *skeinv1.ListScheduledRequest) (*skeinv1.ListScheduledResponse, error)
	UpdateScheduled(ctx context.Context, a im.Actor, r *skeinv1.UpdateScheduledRequest) (*skeinv1.UpdateScheduledResponse, error)
	CancelScheduled(ctx context.Context, a im.Actor, r *skeinv1.CancelScheduledRequest) (*skeinv1.CancelScheduledResponse, error)
	SendScheduledNow(ctx context.Context, a im.Actor, r *skeinv1.SendScheduledNowRequest) (*skeinv1.SendScheduledNowResponse, error)
}

func (s *server) timedCalls(t map[string]http.Handler) {
	v := s.Verbs.Timed
	at(t, s, skeinv1connect.TimedServiceScheduleMessageProcedure, v.ScheduleMessage)
	at(t, s, skeinv1connect.TimedServiceListScheduledProcedure, v.ListScheduled)
	at(t, s, skeinv1connect.TimedServiceUpdateScheduledProcedure, v.UpdateScheduled)
	at(t, s, skeinv1connect.TimedServiceCancelScheduledProcedure, v.CancelScheduled)
	at(t, s, skeinv1connect.TimedServiceSendScheduledNowProcedure, v.SendScheduledNow)
}
