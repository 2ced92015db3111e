package fsck

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"sync"

	"github.com/skein-im/skein/internal/blob"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
)

// Object is what a database says of an object that files, or smaller pictures
// of them, lie in.
type Object struct {
	App   im.AppID
	Key   string
	Size  int64
	Sum   []byte // SHA-256 of what is read; nil of a smaller picture
	Store string // the id of its place, as package file has it; empty = the server's own store
	// Bucket is the URL of the app's own bucket that it is in; empty = it is in
	// the server's own store, as it is or encrypted.
	Bucket string
}

const (
	objectPage = 500
	// atOnce is how many objects are looked at, or copied, at a time.
	atOnce = 8
)

// EachObject calls fn for every object that a database names, several at a
// time, and stops at its first error. It is no snapshot: what comes and goes
// meanwhile may be among them or not.
func EachObject(ctx context.Context, d *db.DB, fn func(Object) error) error {
	var app im.AppID
	sum := []byte{}
	for {
		var list []Object
		last := false
		err := d.Read(ctx, func(tx db.Tx) (err error) {
			list, last, err = objects(tx, &app, &sum)
			return err
		})
		if err != nil {
			return err
		}
		var (
			all    sync.WaitGroup
			mu     sync.Mutex // guards failed
			failed error
			slots  = make(chan struct{}, atOnce)
		)
		for _, o := range list {
			slots <- struct{}{}
			all.Go(func() {
				defer func() { <-slots }()
				if err := fn(o); err != nil {
					mu.Lock()
					defer mu.Unlock()
					failed = err
				}
			})
		}
		all.Wait()
		if failed != nil || last {
			return failed
		}
	}
}

// objects reads a page behind a row, and moves that one on.
func objects(tx db.Tx, app *im.AppID, sum *[]byte) (out []Object, last bool, err error) {
	c := &check{tx: tx}
	for _, table := range []string{"file_bytes", "file_store", "file_preview"} { // of a database that knows no files yet
		if ok, err := c.has(table); err != nil || !ok {
			return nil, true, err
		}
	}
	fromApp, fromSum := *app, *sum
	take := func(scan func(...any) error) error {
		var o Object
		if err := scan(&o.App, &o.Sum, &o.Size, &o.Key, &o.Store, &o.Bucket); err != nil {
			return err
		}
		out = append(out, o)
		return nil
	}
	err = c.each(take, `SELECT b.app, b.sum, b.size, b.key, b.store, coalesce(s.url, '') FROM file_bytes b LEFT JOIN file_store s ON s.id = b.store
		WHERE (b.app, b.sum) > ($1, $2) ORDER BY b.app, b.sum LIMIT $3`, fromApp, fromSum, objectPage)
	if err != nil || len(out) == 0 {
		return nil, true, err
	}
	n := len(out)
	*app, *sum = out[n-1].App, out[n-1].Sum
	err = c.each(take, `SELECT p.app, p.sum, p.bytes, p.key, b.store, coalesce(s.url, '') FROM file_preview p JOIN file_bytes b ON b.app = p.app AND b.sum = p.sum
		LEFT JOIN file_store s ON s.id = b.store WHERE (p.app, p.sum) > ($1, $2) AND (p.app, p.sum) <= ($3, $4)`, fromApp, fromSum, *app, *sum)
	for i := range out[n:] {
		out[n+i].Sum = nil
	}
	return out, n < objectPage, err
}

// OwnFiles counts the objects in the server's own store that a database names,
// and their bytes.
func OwnFiles(ctx context.Context, d *db.DB) (n, size int64, err error) {
	var mu sync.Mutex // guards the results
	err = EachObject(ctx, d, func(o Object) error {
		mu.Lock()
		defer mu.Unlock()
		if o.Bucket == "" {
			n++
			size += o.Size
		}
		return nil
	})
	return n, size, err
}

// Named tells whether a database still names an object.
func Named(ctx context.Context, d *db.DB, o Object) (yes bool, err error) {
	err = d.Read(ctx, func(tx db.Tx) error {
		return tx.QueryRow(`SELECT EXISTS (SELECT 1 FROM file_bytes WHERE app = $1 AND key = $2) OR EXISTS (SELECT 1 FROM file_preview WHERE app = $1 AND key = $2)`, o.App, o.Key).Scan(&yes)
	})
	return yes, err
}

// FilesOptions say how Files looks at objects.
type FilesOptions struct {
	// At opens a place by its id (Object.Store).
	At func(ctx context.Context, store string) (blob.Store, error)
	// Deep reads every object and compares its SHA-256; otherwise its size is
	// compared.
	Deep bool
}

// FilesReport is what Files found.
type FilesReport struct {
	Objects int64 `json:"objects"` // that were looked at
	Bytes   int64 `json:"bytes"`
	// Unseen are places that could not be looked at, and why.
	Unseen   map[string]string `json:"unseen"`
	Findings []Finding         `json:"findings"`
	More     int64             `json:"more_findings"`
}

// Files checks that every object which a database names is in its store, with
// the size that is told; with Deep that it has the bytes. It may run beside a
// server. What is wrong is in the report, under the check "file".
func Files(ctx context.Context, d *db.DB, o FilesOptions) (FilesReport, error) {
	var mu sync.Mutex // guards what follows
	r := FilesReport{Unseen: map[string]string{}}
	found := Report{}
	err := EachObject(ctx, d, func(obj Object) error {
		what, err := look(ctx, d, obj, o)
		mu.Lock()
		defer mu.Unlock()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			r.Unseen[obj.place()] = err.Error()
			return nil
		case what != "":
			found.add(Finding{Check: "file", App: obj.App, Detail: fmt.Sprintf("app %s: object %s, %s: %s", obj.App, obj.Key, obj.place(), what)})
		}
		r.Objects++
		r.Bytes += obj.Size
		return nil
	})
	r.Findings, r.More = found.Findings, found.More
	return r, err
}

// place names where an object is, for people.
func (o Object) place() string {
	if o.Bucket == "" {
		return "the server's own store"
	}
	return o.Bucket
}

// look returns what is wrong with an object; an error is about looking.
func look(ctx context.Context, d *db.DB, obj Object, o FilesOptions) (wrong string, err error) {
	store, err := o.At(ctx, obj.Store)
	if err != nil {
		return "", err
	}
	size, err := store.Stat(ctx, obj.Key)
	if im.CodeOf(err) == im.NotFound {
		if named, err := Named(ctx, d, obj); err != nil || !named {
			return "", err // it was deleted meanwhile, and rightly
		}
		return "it is not there", nil
	}
	if err != nil {
		return "", err
	}
	if size != obj.Size {
		return fmt.Sprintf("it has %d bytes and not %d", size, obj.Size), nil
	}
	if !o.Deep || obj.Sum == nil {
		return "", nil
	}
	in, err := store.Get(ctx, obj.Key, 0, -1)
	if err != nil {
		return "", err
	}
	defer in.Close()
	h := sha256.New()
	if _, err := io.Copy(h, in); err != nil {
		return "", err
	}
	if !bytes.Equal(h.Sum(nil), obj.Sum) {
		return "its bytes are other ones", nil
	}
	return "", nil
}
