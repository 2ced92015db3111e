package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/skein-im/skein/internal/auth"
	"github.com/skein-im/skein/internal/blob"
	"github.com/skein-im/skein/internal/blob/local"
	"github.com/skein-im/skein/internal/config"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/feature/file"
	"github.com/skein-im/skein/internal/fsck"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/move"
)

// errNoBlobs says that a tool does not know where files are.
var errNoBlobs = errors.New("the folder blobs is not in the data folder: name the server's store with --blobs, or its folder with --data")

// errMissing is about objects that could not be copied.
var errMissing = errors.New("objects that the database names are not there")

// ownForTool opens the server's own store as a tool does, which makes no folder
// where there is none.
func ownForTool(ctx context.Context, s *server, cfg *config.Config) (blob.Store, error) {
	if cfg.Blobs != "" { // without trying to write
		return openBucket(ctx, cfg, cfg.Blobs, file.Login{})
	}
	if _, err := os.Stat(filepath.Join(cfg.Data, "blobs", "objects")); err != nil {
		return nil, errNoBlobs
	}
	return ownBlobs(ctx, s, cfg)
}

// storesForTool returns how the places of objects are opened.
func storesForTool(ctx context.Context, s *server, cfg *config.Config, d *db.DB) (func(context.Context, string) (blob.Store, error), error) {
	var master auth.MasterKey
	if _, err := os.Stat(filepath.Join(cfg.Data, "secret.key")); err == nil || cfg.SecretKey != "" {
		if master, err = masterKey(cfg, im.SystemEntropy()); err != nil {
			return nil, err
		}
	}
	keys, err := blobKeys(cfg)
	if err != nil {
		return nil, err
	}
	own, err := ownForTool(ctx, s, cfg)
	if err != nil {
		own = nowhere{err: err}
	}
	return newStores(d, cfg, own, master, keys).At, nil
}

// nowhere is a store that could not be opened; tools ask it for sizes alone,
// first.
type nowhere struct {
	blob.Store
	err error
}

// Stat implements blob.Store.
func (n nowhere) Stat(context.Context, string) (int64, error) { return 0, n.err }

// checkFiles is the part of fsck that is about the bytes of files.
func checkFiles(ctx context.Context, cfg *config.Config, d *db.DB, deep bool) (r fsck.FilesReport, err error) {
	s := &server{}
	defer func() { err = errors.Join(err, s.close(context.WithoutCancel(ctx))) }()
	at, err := storesForTool(ctx, s, cfg, d)
	if err != nil {
		return r, err
	}
	return fsck.Files(ctx, d, fsck.FilesOptions{At: at, Deep: deep})
}

// tellUnseen says what fsck could not look at.
func tellUnseen(w io.Writer, r *fsck.FilesReport) {
	for _, place := range slices.Sorted(maps.Keys(r.Unseen)) {
		fmt.Fprintf(w, "the files in %s were not looked at: %s\n", place, r.Unseen[place])
	}
}

// filesTo copies what is new in the server's own store into a folder, and
// filesFrom out of one.
func filesTo(ctx context.Context, cfg *config.Config, d *db.DB, dir string, w io.Writer) error {
	return withFolder(ctx, cfg, dir, ownForTool, func(own, folder blob.Store) error { return copyFiles(ctx, d, own, folder, dir, w) })
}

func filesFrom(ctx context.Context, cfg *config.Config, d *db.DB, dir string, w io.Writer) error {
	if _, err := os.Stat(filepath.Join(dir, "objects")); err != nil {
		return fmt.Errorf("there are no files of a backup in %s: %w", dir, err)
	}
	return withFolder(ctx, cfg, dir, ownBlobs, func(own, folder blob.Store) error { return copyFiles(ctx, d, folder, own, "the server's store", w) })
}

func withFolder(ctx context.Context, cfg *config.Config, dir string, open func(context.Context, *server, *config.Config) (blob.Store, error),
	do func(own, folder blob.Store) error) (err error) {
	s := &server{}
	defer func() { err = errors.Join(err, s.close(context.WithoutCancel(ctx))) }()
	own, err := open(ctx, s, cfg)
	if err != nil {
		return err
	}
	folder, err := local.Open(dir, im.SystemEntropy())
	if err != nil {
		return err
	}
	s.onClose(func(context.Context) error { return folder.Close() })
	return do(own, folder)
}

// copyFiles copies what the database names, and says what came of it. Files that
// are missing are an error, after all others are there.
func copyFiles(ctx context.Context, d *db.DB, from, to blob.Store, where string, w io.Writer) error {
	r, err := move.CopyFiles(ctx, d, from, to)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%d objects of files (%d bytes) were copied to %s, %d were there\n", r.Copied, r.Bytes, where, r.Had)
	for _, b := range slices.Sorted(maps.Keys(r.Buckets)) {
		fmt.Fprintf(w, "%d are in an app's own bucket, %s: back that one up where it is\n", r.Buckets[b], b)
	}
	if len(r.Missing) > 0 {
		return fmt.Errorf("%d %w, such as %s: see skein fsck", len(r.Missing), errMissing, r.Missing[0])
	}
	return nil
}

// tellFiles says what is not in a backup that was made without files.
func tellFiles(ctx context.Context, cfg *config.Config, d *db.DB, w io.Writer) error {
	n, size, err := fsck.OwnFiles(ctx, d)
	if err != nil || n == 0 {
		return err
	}
	where := cfg.Blobs
	if where == "" {
		where = filepath.Join(cfg.Data, "blobs")
	}
	fmt.Fprintf(w, "%d objects of files (%d bytes) are not in the backup: add --files DIR, or copy %s after it\n", n, size, where)
	return nil
}
