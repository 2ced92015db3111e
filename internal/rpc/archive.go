package rpc

import (
	"context"
	"math"
	"net/http"

	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
	"github.com/skein-im/skein/proto/skein/v1/skeinv1connect"
)

// archiveCalls are what an app's back end reads and writes of everybody's.
func (s *server) archiveCalls(t map[string]http.Handler) {
	c := s.Verbs.Chat
	at(t, s, skeinv1connect.ArchiveServiceListGroupsProcedure, func(ctx context.Context, a im.Actor, r *skeinv1.ListGroupsRequest) (*skeinv1.ListGroupsResponse, error) {
		return c.Groups(ctx, a, int(r.Limit), r.Page)
	})
	at(t, s, skeinv1connect.ArchiveServiceExportMessagesProcedure, func(ctx context.Context, a im.Actor, r *skeinv1.ExportMessagesRequest) (*skeinv1.ExportMessagesResponse, error) {
		return c.Export(ctx, a, im.ConvID(r.Conversation), im.Seq(min(r.AfterSeq, math.MaxInt64)), int(r.Limit))
	})
	at(t, s, skeinv1connect.ArchiveServiceImportMessagesProcedure, func(ctx context.Context, a im.Actor, r *skeinv1.ImportMessagesRequest) (*skeinv1.ImportMessagesResponse, error) {
		id, err := clientID(r.ImportId)
		if err != nil {
			return nil, err
		}
		seqs, err := c.Import(ctx, a, im.ConvID(r.Conversation), id, r.Messages)
		return &skeinv1.ImportMessagesResponse{Seqs: seqs}, err
	})
}
