package rpc

import (
	"context"
	"net/http"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
	"github.com/skein-im/skein/proto/skein/v1/skeinv1connect"
)

// threadCalls are the calls on threads and topics.
func (s *server) threadCalls(t map[string]http.Handler) {
	c := s.Verbs.Chat
	at(t, s, skeinv1connect.ThreadServiceListThreadProcedure, func(ctx context.Context, a im.Actor, r *skeinv1.ListThreadRequest) (*skeinv1.ListThreadResponse, error) {
		return c.Thread(ctx, a, chat.ThreadRequest{Conv: im.ConvID(r.Conversation), Root: seq(r.RootSeq), Before: seq(r.BeforeSeq), After: seq(r.AfterSeq), Limit: int(r.Limit)})
	})
	at(t, s, skeinv1connect.ThreadServiceListThreadsProcedure, func(ctx context.Context, a im.Actor, r *skeinv1.ListThreadsRequest) (*skeinv1.ListThreadsResponse, error) {
		return c.Threads(ctx, a, im.ConvID(r.Conversation), int(r.Limit), seq(r.BeforeSeq))
	})
	at(t, s, skeinv1connect.ThreadServiceCreateTopicProcedure, func(ctx context.Context, a im.Actor, r *skeinv1.CreateTopicRequest) (*skeinv1.CreateTopicResponse, error) {
		e, err := withID(r.ClientId, func(id im.ClientID) (*im.Entry, error) {
			res, err := c.CreateTopic(ctx, a, im.ConvID(r.Conversation), r.Name, r.Icon, id)
			return &res.Entry, err
		})
		return &skeinv1.CreateTopicResponse{Entry: e}, err
	})
	at(t, s, skeinv1connect.ThreadServiceUpdateTopicProcedure, func(ctx context.Context, a im.Actor, r *skeinv1.UpdateTopicRequest) (*skeinv1.UpdateTopicResponse, error) {
		e, err := withID(r.ClientId, func(id im.ClientID) (*im.Entry, error) {
			res, err := c.UpdateTopic(ctx, a, im.ConvID(r.Conversation), seq(r.RootSeq), r.Name, r.Icon, id)
			return &res.Entry, err
		})
		return &skeinv1.UpdateTopicResponse{Entry: e}, err
	})
	at(t, s, skeinv1connect.ThreadServiceCloseTopicProcedure, func(ctx context.Context, a im.Actor, r *skeinv1.CloseTopicRequest) (*skeinv1.CloseTopicResponse, error) {
		e, err := withID(r.ClientId, func(id im.ClientID) (*im.Entry, error) {
			res, err := c.CloseTopic(ctx, a, im.ConvID(r.Conversation), seq(r.RootSeq), r.Reopen, id)
			return &res.Entry, err
		})
		return &skeinv1.CloseTopicResponse{Entry: e}, err
	})
	at(t, s, skeinv1connect.ThreadServiceListTopicsProcedure, func(ctx context.Context, a im.Actor, r *skeinv1.ListTopicsRequest) (*skeinv1.ListTopicsResponse, error) {
		return c.Topics(ctx, a, im.ConvID(r.Conversation), int(r.Limit), seq(r.AfterSeq))
	})
}

// attachedCalls are the calls on what is attached to messages.
func (s *server) attachedCalls(t map[string]http.Handler) {
	c := s.Verbs.Chat
	at(t, s, skeinv1connect.PollServiceVotePollProcedure, func(ctx context.Context, a im.Actor, r *skeinv1.VotePollRequest) (*skeinv1.VotePollResponse, error) {
		e, err := withID(r.ClientId, func(id im.ClientID) (*im.Entry, error) {
			res, err := c.Vote(ctx, a, im.ConvID(r.Conversation), seq(r.Seq), r.Choices, id)
			return &res.Entry, err
		})
		return &skeinv1.VotePollResponse{Entry: e}, err
	})
	at(t, s, skeinv1connect.PollServiceClosePollProcedure, func(ctx context.Context, a im.Actor, r *skeinv1.ClosePollRequest) (*skeinv1.ClosePollResponse, error) {
		e, err := withID(r.ClientId, func(id im.ClientID) (*im.Entry, error) {
			res, err := c.ClosePoll(ctx, a, im.ConvID(r.Conversation), seq(r.Seq), id)
			return &res.Entry, err
		})
		return &skeinv1.ClosePollResponse{Entry: e}, err
	})
	at(t, s, skeinv1connect.PinServicePinMessageProcedure, func(ctx context.Context, a im.Actor, r *skeinv1.PinMessageRequest) (*skeinv1.PinMessageResponse, error) {
		e, err := withID(r.ClientId, func(id im.ClientID) (*im.Entry, error) {
			return c.Pin(ctx, a, im.ConvID(r.Conversation), seq(r.Seq), false, id)
		})
		return &skeinv1.PinMessageResponse{Entry: e}, err
	})
	at(t, s, skeinv1connect.PinServiceUnpinMessageProcedure, func(ctx context.Context, a im.Actor, r *skeinv1.UnpinMessageRequest) (*skeinv1.UnpinMessageResponse, error) {
		e, err := withID(r.ClientId, func(id im.ClientID) (*im.Entry, error) {
			return c.Pin(ctx, a, im.ConvID(r.Conversation), seq(r.Seq), true, id)
		})
		return &skeinv1.UnpinMessageResponse{Entry: e}, err
	})
	at(t, s, skeinv1connect.PinServiceListPinsProcedure, func(ctx context.Context, a im.Actor, r *skeinv1.ListPinsRequest) (*skeinv1.ListPinsResponse, error) {
		return c.Pins(ctx, a, im.ConvID(r.Conversation))
	})
	at(t, s, skeinv1connect.ExtensionServiceSetExtensionProcedure, func(ctx context.Context, a im.Actor, r *skeinv1.SetExtensionRequest) (*skeinv1.SetExtensionResponse, error) {
		e, err := withID(r.ClientId, func(id im.ClientID) (*im.Entry, error) {
			res, err := c.Extend(ctx, a, im.ConvID(r.Conversation), seq(r.Seq), r.Extension, id)
			return &res.Entry, err
		})
		return &skeinv1.SetExtensionResponse{Entry: e}, err
	})
	at(t, s, skeinv1connect.ExtensionServiceListExtensionsProcedure, func(ctx context.Context, a im.Actor, r *skeinv1.ListExtensionsRequest) (*skeinv1.ListExtensionsResponse, error) {
		return c.Extensions(ctx, a, im.ConvID(r.Conversation), seq(r.Seq))
	})
}
