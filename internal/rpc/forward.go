package rpc

import (
	"context"
	"net/http"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
	"github.com/skein-im/skein/proto/skein/v1/skeinv1connect"
)

func (s *server) forwardCalls(t map[string]http.Handler) {
	c := s.Verbs.Chat
	at(t, s, skeinv1connect.ForwardServiceForwardMessagesProcedure, func(ctx context.Context, a im.Actor, r *skeinv1.ForwardMessagesRequest) (*skeinv1.ForwardMessagesResponse, error) {
		id, err := clientID(r.ClientId)
		if err != nil {
			return nil, err
		}
		f := chat.ForwardRequest{From: im.ConvID(r.From), To: im.ConvID(r.To), Merged: r.Merged, Title: r.Title, Comment: r.Comment, ClientID: id}
		for _, n := range r.Seqs {
			f.Seqs = append(f.Seqs, seq(n))
		}
		sent, err := c.Forward(ctx, a, f)
		out := &skeinv1.ForwardMessagesResponse{}
		for i := range sent {
			out.Entries = append(out.Entries, chat.ProtoEntry(&sent[i].Entry))
		}
		return out, err
	})
}
