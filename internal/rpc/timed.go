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
	at(t, s, skeinv1connect.TimedServiceScheduleMessageProcedure, bind(v, Timed.ScheduleMessage))
	at(t, s, skeinv1connect.TimedServiceListScheduledProcedure, bind(v, Timed.ListScheduled))
	at(t, s, skeinv1connect.TimedServiceUpdateScheduledProcedure, bind(v, Timed.UpdateScheduled))
	at(t, s, skeinv1connect.TimedServiceCancelScheduledProcedure, bind(v, Timed.CancelScheduled))
	at(t, s, skeinv1connect.TimedServiceSendScheduledNowProcedure, bind(v, Timed.SendScheduledNow))
}

// bind makes a verb of a method. A server without the part that has it answers
// everything else (the simulation does so).
func bind[V, Req, Res any](v V, method func(V, context.Context, im.Actor, *Req) (*Res, error)) func(context.Context, im.Actor, *Req) (*Res, error) {
	return func(ctx context.Context, a im.Actor, r *Req) (*Res, error) { return method(v, ctx, a, r) }
}
