package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/skein-im/skein/internal/auth"
	"github.com/skein-im/skein/internal/blob"
	"github.com/skein-im/skein/internal/blob/azure"
	"github.com/skein-im/skein/internal/blob/gcs"
	"github.com/skein-im/skein/internal/blob/local"
	"github.com/skein-im/skein/internal/blob/remote"
	"github.com/skein-im/skein/internal/blob/s3"
	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/config"
	"github.com/skein-im/skein/internal/feature/file"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/job"
	"github.com/skein-im/skein/internal/rpc"
	"github.com/skein-im/skein/internal/tus"
)

// uploadPath is where uploads are made.
const uploadPath = "/v1/uploads/"

// newFiles opens the store of files, and takes uploads in.
func newFiles(ctx context.Context, s *server, cfg *config.Config, c *chat.Service, key []byte, log *slog.Logger) (*file.Service, error) {
	clock, entropy := im.SystemClock{}, im.SystemEntropy()
	if err := os.RemoveAll(spool(cfg)); err != nil { // what an earlier run left
		return nil, fmt.Errorf("empty the folder of uploads on their way: %w", err)
	}
	if err := os.MkdirAll(spool(cfg), 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of uploads on their way: %w", err)
	}
	store, err := openBlobs(ctx, s, cfg, clock, entropy)
	if err != nil {
		return nil, err
	}
	return file.New(file.Deps{DB: s.db, Blobs: store, Redirect: cfg.BlobsRedirect, Chat: c, Key: key, Clock: clock, Entropy: entropy, Log: log,
		Limits: file.Limits{Size: int64(cfg.Limits.FileBytes), Open: cfg.Limits.OpenUploads, Keep: cfg.Limits.FileKeep}}), nil
}

// spool is the folder of files that last no longer than a request.
func spool(cfg *config.Config) string { return filepath.Join(cfg.Data, "spool") }

// openBlobs opens what the option blobs names.
func openBlobs(ctx context.Context, s *server, cfg *config.Config, clock im.Clock, entropy im.Entropy) (blob.Store, error) {
	if cfg.Blobs == "" {
		store, err := local.Open(filepath.Join(cfg.Data, "blobs"), entropy)
		if err == nil {
			s.onClose(func(context.Context) error { return store.Close() })
		}
		return store, err
	}
	u, err := url.Parse(cfg.Blobs)
	if err != nil || u.User != nil || u.Host == "" {
		return nil, im.Errorf(im.InvalidArgument, "the option blobs is s3://BUCKET, azure://ACCOUNT/CONTAINER or gs://BUCKET, without a secret in it")
	}
	q, path := u.Query(), strings.Trim(u.Path, "/")
	var objects remote.Objects
	switch u.Scheme {
	case "s3":
		objects, err = s3.New(s3.Options{Endpoint: q.Get("endpoint"), Region: q.Get("region"), Bucket: u.Host, VirtualHost: q.Get("virtual_host") == "true"})
	case "azure":
		container, prefix, _ := strings.Cut(path, "/")
		path = prefix
		objects, err = azure.New(azure.Options{Account: u.Host, Endpoint: q.Get("endpoint"), Container: container, Key: os.Getenv("AZURE_STORAGE_KEY"), Clock: clock, Entropy: entropy})
	case "gs":
		objects, err = gcs.New(ctx, gcs.Options{Bucket: u.Host, Endpoint: q.Get("endpoint"), Clock: clock, Entropy: entropy})
	default:
		err = im.Errorf(im.InvalidArgument, "the option blobs knows s3, azure and gs, not %q", u.Scheme)
	}
	if err != nil {
		return nil, err
	}
	if path != "" {
		path += "/"
	}
	store := remote.New(objects, path, spool(cfg), entropy)
	// A wrong name or secret is found out now, not by the first user.
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := store.Check(ctx); err != nil {
		return nil, fmt.Errorf("the store of files (option blobs): %w", err)
	}
	return store, nil
}

// filesKind is the job that collects what nobody needs any more.
func filesKind(late func() *file.Service) job.Kind {
	return job.Kind{Name: "collect_files", Every: 10 * time.Minute, Timeout: 6 * time.Minute, Run: func(ctx context.Context, _ job.Job) error { return late().Collect(ctx) }}
}

// filePath is where files are read.
const filePath = "/v1/files/"

// downloads serves what is below filePath.
func downloads(files *file.Service, calls *rpc.Server, a *auth.Auth) http.Handler {
	return &file.Downloads{Service: files, Prefix: filePath, Who: calls.Who, Holds: a.Holds}
}

// uploads serves what is below uploadPath.
func uploads(cfg *config.Config, files *file.Service, calls *rpc.Server, log *slog.Logger) http.Handler {
	h := tus.NewHandler(tus.Deps{Uploads: files, Who: calls.Who, Spool: spool(cfg), Prefix: uploadPath, Clock: im.SystemClock{}, Log: log})
	return calls.Pages(h, tus.Methods, tus.Sends, tus.Reads)
}
