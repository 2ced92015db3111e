package move

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/skein-im/skein/internal/blob"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/fsck"
	"github.com/skein-im/skein/internal/im"
)

// Files is what CopyFiles did.
type Files struct {
	Copied, Bytes int64
	Had           int64    // that were there before
	Missing       []string // that the database names and that are not in the store
	// Buckets are the apps' own buckets, with how many objects are in each; those
	// are not copied.
	Buckets map[string]int64
}

// CopyFiles copies every object in the server's own store that a database names
// into another store, as it is there, encrypted or not. What the other one has
// it does not copy again: an object never changes. So a second run after
// something else has happened brings what is new.
func CopyFiles(ctx context.Context, d *db.DB, from, to blob.Store) (Files, error) {
	var mu sync.Mutex // guards out
	out := Files{Buckets: map[string]int64{}}
	err := fsck.EachObject(ctx, d, func(o fsck.Object) error {
		if o.Bucket != "" {
			mu.Lock()
			defer mu.Unlock()
			out.Buckets[o.Bucket]++
			return nil
		}
		had, err := copyObject(ctx, from, to, o.Key, o.Size)
		missing := im.CodeOf(err) == im.NotFound
		if missing {
			if missing, err = fsck.Named(ctx, d, o); err == nil && !missing {
				return nil // it was deleted meanwhile, and rightly
			}
		}
		if err != nil {
			return fmt.Errorf("copy the object %s: %w", o.Key, err)
		}
		mu.Lock()
		defer mu.Unlock()
		switch {
		case missing:
			out.Missing = append(out.Missing, o.Key)
		case had:
			out.Had++
		default:
			out.Copied++
			out.Bytes += o.Size
		}
		return nil
	})
	return out, err
}

// copyObject copies one object, unless it is there.
func copyObject(ctx context.Context, from, to blob.Store, key string, size int64) (had bool, err error) {
	switch n, err := to.Stat(ctx, key); {
	case err == nil && n == size:
		return true, nil
	case err == nil:
		return false, im.Errorf(im.DataLoss, "there is another object of %d bytes, and this one has %d", n, size)
	case im.CodeOf(err) != im.NotFound:
		return false, err
	}
	in, err := from.Get(ctx, key, 0, -1)
	if err != nil {
		return false, err
	}
	defer in.Close()
	if size <= blob.MaxPut {
		b, err := io.ReadAll(io.LimitReader(in, size+1))
		if err == nil && int64(len(b)) != size {
			err = errSize(int64(len(b)), size)
		}
		if err != nil {
			return false, err
		}
		return false, to.Put(ctx, key, b)
	}
	u := blob.Upload{Key: key, Size: size}
	if err := to.Abort(ctx, u); err != nil { // what a copy that was killed has left
		return false, err
	}
	if u.ID, err = to.Create(ctx, key, size); err != nil {
		return false, err
	}
	err = to.Append(ctx, u, in, func(at int64) error { u.At = at; return nil })
	if err == nil && u.At != size {
		err = errSize(u.At, size)
	}
	if err == nil {
		err = to.Complete(ctx, u)
	}
	if err != nil {
		err = errors.Join(err, to.Abort(context.WithoutCancel(ctx), u))
	}
	return false, err
}

func errSize(is, want int64) error {
	return im.Errorf(im.DataLoss, "the object has %d bytes and not %d", is, want)
}
