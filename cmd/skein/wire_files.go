package main

import (
	"context"
	"errors"
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
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/feature/file"
	"github.com/skein-im/skein/internal/follow"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/job"
	"github.com/skein-im/skein/internal/rpc"
	"github.com/skein-im/skein/internal/tus"
)

// uploadPath is where uploads are made.
const uploadPath = "/v1/uploads/"

// newFiles opens the store of files, and takes uploads in.
func newFiles(ctx context.Context, s *server, cfg *config.Config, c *chat.Service, a *auth.Auth, master auth.MasterKey, limits *limits, log *slog.Logger) (*file.Service, error) {
	clock, entropy := im.SystemClock{}, im.SystemEntropy()
	if err := emptyFolder(spool(cfg)); err != nil { // of what an earlier run left
		return nil, fmt.Errorf("empty the folder of uploads on their way: %w", err)
	}
	urls, err := master.Derive("file")
	if err != nil {
		return nil, err
	}
	origin, err := filesOrigin(cfg)
	if err != nil {
		return nil, err
	}
	keys, err := blobKeys(cfg)
	if err != nil {
		return nil, err
	}
	own, err := ownBlobs(ctx, s, cfg)
	if err != nil {
		return nil, err
	}
	stores := newStores(s.db, cfg, own, master, keys)
	if err := stores.Start(ctx); err != nil {
		return nil, withHint(err)
	}
	pool, err := newMedia(s, cfg.Media, log)
	if err != nil {
		return nil, err
	}
	files := file.New(file.Deps{DB: s.db, Stores: stores, Media: pool, Redirect: cfg.BlobsRedirect, Origin: origin, Chat: c, Key: urls, Clock: clock, Entropy: entropy, Log: log,
		Uncounted: func(ctx context.Context) (im.Micros, bool, error) {
			return follow.Waits(ctx, s.db, s.journal, file.Follower().Name)
		},
		Limits: file.Limits{Size: int64(cfg.Limits.FileBytes), Open: cfg.Limits.OpenUploads, Keep: cfg.Limits.FileKeep},
		Quotas: a.Quotas, Refused: limits.refused})
	if s.alone {
		if err := files.Alone(ctx); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// emptyFolder makes a folder that is empty. One that is there stays: it may be a
// disk of its own.
func emptyFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	list, err := os.ReadDir(dir)
	for _, e := range list {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
	return err
}

// newStores knows where files lie; a command that serves none has no own.
func newStores(d *db.DB, cfg *config.Config, own blob.Store, master auth.MasterKey, keys []auth.MasterKey) *file.Stores {
	return file.NewStores(file.StoresDeps{DB: d, Own: own, Secret: master, Keys: keys, Entropy: im.SystemEntropy(),
		Open: func(ctx context.Context, url string, who file.Login) (blob.Store, error) {
			return openBucket(ctx, cfg, url, who)
		}})
}

// blobKeys reads the option blobs_key.
func blobKeys(cfg *config.Config) ([]auth.MasterKey, error) {
	var keys []auth.MasterKey
	for i, text := range cfg.BlobsKey {
		k, err := auth.ParseMasterKey(text)
		if err != nil {
			return nil, fmt.Errorf("blobs_key, key %d: %w", i+1, err)
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// spool is the folder of files that last no longer than a request.
func spool(cfg *config.Config) string { return filepath.Join(cfg.Data, "spool") }

// ownBlobs opens what the option blobs names.
func ownBlobs(ctx context.Context, s *server, cfg *config.Config) (blob.Store, error) {
	if cfg.Blobs == "" {
		store, err := local.Open(filepath.Join(cfg.Data, "blobs"), im.SystemEntropy())
		if err == nil {
			s.onClose(func(context.Context) error { return store.Close() })
		}
		return store, err
	}
	store, err := openBucket(ctx, cfg, cfg.Blobs, file.Login{})
	if err == nil {
		// A wrong name or secret is found out now, not by the first user.
		ctx, cancel := context.WithTimeout(ctx, bucketTimeout)
		defer cancel()
		err = store.Check(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("the store of files (option blobs): %w", err)
	}
	return store, nil
}

// bucketTimeout bounds how long a bucket is tried.
const bucketTimeout = 30 * time.Second

// openBucket opens a bucket by its URL, without asking anything of it. Without
// credentials the environment and the machine say who the server is there.
func openBucket(ctx context.Context, cfg *config.Config, bucket string, who file.Login) (blob.Store, error) {
	clock, entropy := im.SystemClock{}, im.SystemEntropy()
	u, err := url.Parse(bucket)
	if err != nil || u.User != nil || u.Host == "" {
		return nil, im.Errorf(im.InvalidArgument, "a bucket is s3://BUCKET, azure://ACCOUNT/CONTAINER or gs://BUCKET, without a secret in it")
	}
	q, path := u.Query(), strings.Trim(u.Path, "/")
	var objects remote.Objects
	switch u.Scheme {
	case "s3":
		objects, err = s3.New(s3.Options{Endpoint: q.Get("endpoint"), Region: q.Get("region"), Bucket: u.Host, VirtualHost: q.Get("virtual_host") == "true", AccessKey: who.ID, Secret: who.Secret})
	case "azure":
		container, prefix, _ := strings.Cut(path, "/")
		path = prefix
		if who.Secret == "" {
			who.Secret = os.Getenv("AZURE_STORAGE_KEY")
		}
		objects, err = azure.New(azure.Options{Account: u.Host, Endpoint: q.Get("endpoint"), Container: container, Key: who.Secret, Clock: clock, Entropy: entropy})
	case "gs":
		objects, err = gcs.New(ctx, gcs.Options{Bucket: u.Host, Endpoint: q.Get("endpoint"), Credentials: []byte(who.Secret), Clock: clock, Entropy: entropy})
	default:
		err = im.Errorf(im.InvalidArgument, "a bucket is one of s3, azure or gs, not of %q", u.Scheme)
	}
	if err != nil {
		return nil, err
	}
	if path != "" {
		path += "/"
	}
	return remote.New(objects, path, spool(cfg), entropy), nil
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
	h := tus.NewHandler(tus.Deps{Uploads: files, Who: calls.Who, Spool: spool(cfg), Prefix: uploadPath, Clock: im.SystemClock{}, Entropy: im.SystemEntropy(), Log: log})
	return calls.Pages(h, tus.Methods, tus.Sends, tus.Reads)
}
