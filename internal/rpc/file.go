package rpc

import (
	"context"
	"net/http"

	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
	"github.com/skein-im/skein/proto/skein/v1/skeinv1connect"
)

// Files are what was uploaded; feature/file.
type Files interface {
	GetFile(ctx context.Context, a im.Actor, r *skeinv1.GetFileRequest) (*skeinv1.GetFileResponse, error)
	CreateFileKey(ctx context.Context, a im.Actor, r *skeinv1.CreateFileKeyRequest) (*skeinv1.CreateFileKeyResponse, error)
}

func (s *server) fileCalls(t map[string]http.Handler) {
	v := s.Verbs.Files
	at(t, s, skeinv1connect.FileServiceGetFileProcedure, v.GetFile)
	at(t, s, skeinv1connect.FileServiceCreateFileKeyProcedure, v.CreateFileKey)
}
