package rpc

import (
	"context"
	"net/http"

	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
	"github.com/skein-im/skein/proto/skein/v1/skeinv1connect"
)

// Search finds messages; feature/search.
type Search interface {
	Search(ctx context.Context, a im.Actor, r *skeinv1.SearchMessagesRequest) (*skeinv1.SearchMessagesResponse, error)
}

func (s *server) searchCalls(t map[string]http.Handler) {
	at(t, s, skeinv1connect.SearchServiceSearchMessagesProcedure, func(ctx context.Context, a im.Actor, r *skeinv1.SearchMessagesRequest) (*skeinv1.SearchMessagesResponse, error) {
		return s.Verbs.Search.Search(ctx, a, r)
	})
}
