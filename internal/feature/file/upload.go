package file

import (
	"context"
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
	"time"

	"github.com/skein-im/skein/internal/blob"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/tus"
)

var _ tus.Uploads = (*Service)(nil)

// maxMime bounds what a client says that a file is, in bytes.
const maxMime = 127

// upload is a row.
type upload struct {
	app        im.AppID
	id         string
	owner      im.UserID
	size, at   int64
	hash       []byte // the state of SHA-256 after at bytes
	sum        []byte
	name, mime string
	header     string
	place      string
	store      string // see Stores
	done       bool
	day        int64 // that it counts for
	expires    im.Micros
}

const uploadColumns = "owner, size, at, hash, sum, name, mime, header, place, store, done, expires, day"

func (u *upload) scan(row interface{ Scan(...any) error }) error {
	var done int64
	err := row.Scan(&u.owner, &u.size, &u.at, &u.hash, &u.sum, &u.name, &u.mime, &u.header, &u.place, &u.store, &done, &u.expires, &u.day)
	u.done = done != 0
	return err
}

// key is where the bytes of an upload go. Ids are random and never used again.
func (u *upload) key() string { return "files/" + u.id[:2] + "/" + u.id }

func (u *upload) blob() blob.Upload {
	return blob.Upload{Key: u.key(), ID: u.place, Size: u.size, At: u.at}
}

func (u *upload) info() tus.Info {
	return tus.Info{Size: u.size, Offset: u.at, Expires: u.expires.Time(), Metadata: u.header}
}

// MaxSize implements tus.Uploads.
func (s *Service) MaxSize(im.Actor) int64 { return s.d.Limits.Size }

// Create implements tus.Uploads. The metadata that mean something are filename,
// filetype (or type), and sha256 in hex. Errors: InvalidArgument, TooLarge,
// ResourceExhausted.
func (s *Service) Create(ctx context.Context, a im.Actor, n tus.New, header string) (string, tus.Info, error) {
	u := &upload{app: a.App, owner: a.User, size: n.Size, header: header}
	if n.Size > s.d.Limits.Size {
		return "", tus.Info{}, im.Errorf(im.TooLarge, "a file has at most %d bytes", s.d.Limits.Size)
	}
	var err error
	if u.name, err = fileName(n.Metadata["filename"]); err != nil {
		return "", tus.Info{}, err
	}
	if u.mime = n.Metadata["filetype"]; u.mime == "" {
		u.mime = n.Metadata["type"]
	}
	if u.mime, err = mediaType(u.mime); err != nil {
		return "", tus.Info{}, err
	}
	if u.sum, err = hex.DecodeString(n.Metadata["sha256"]); err != nil || len(u.sum) != 0 && len(u.sum) != sha256.Size {
		return "", tus.Info{}, im.Errorf(im.InvalidArgument, "sha256 is 64 hex digits")
	}
	if u.id, err = im.RandomID(s.d.Entropy); err != nil {
		return "", tus.Info{}, err
	}
	if u.hash, err = stateOf(sha256.New()); err != nil {
		return "", tus.Info{}, err
	}
	var store blob.Store
	if u.store, store, err = s.d.Stores.ForNew(ctx, u.app); err != nil {
		return "", tus.Info{}, err
	}
	if err := s.insert(ctx, u); err != nil {
		return "", tus.Info{}, err
	}
	// The row is first: whatever the store begins can be found and ended by it.
	if u.place, err = store.Create(ctx, u.key(), u.size); err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answer)
		defer cancel()
		return "", tus.Info{}, errors.Join(err, s.forget(ctx, u, ""))
	}
	err = s.d.DB.Write(ctx, func(tx db.Tx) error {
		_, err := tx.Exec("UPDATE file_upload SET place = $3 WHERE app = $1 AND id = $2", u.app, u.id, u.place)
		return err
	})
	return u.id, u.info(), err
}

// insert stores a new upload, if its owner may have one more.
func (s *Service) insert(ctx context.Context, u *upload) error {
	err := s.d.DB.Write(ctx, func(tx db.Tx) error {
		var open int
		if err := tx.QueryRow("SELECT count(*) FROM file_upload WHERE app = $1 AND owner = $2 AND done = 0", u.app, u.owner).Scan(&open); err != nil {
			return err
		}
		if u.owner != "" && open >= s.d.Limits.Open {
			return &im.Error{Code: im.ResourceExhausted, Message: fmt.Sprintf("%d uploads are on their way already", open), Hint: "complete one, or give one up with DELETE"}
		}
		now, err := tx.Now()
		if err != nil {
			return err
		}
		if err := s.charge(tx, u, now); err != nil {
			return err
		}
		u.expires = now + im.Micros(s.d.Limits.Keep.Microseconds())
		_, err = tx.Exec("INSERT INTO file_upload (app, id, "+uploadColumns+", holder, held, wanted) VALUES ($1, $2, $3, $4, 0, $5, $6, $7, $8, $9, '', $10, 0, $11, $12, '', 0, 0)",
			u.app, u.id, u.owner, u.size, u.hash, u.sum, u.name, u.mime, u.header, u.store, u.expires, u.day)
		return err
	})
	return s.refuse(err, u.size)
}

// find reads a row of the actor's. The back end sees all of its app.
func find(tx db.Tx, a im.Actor, id string) (*upload, error) {
	u := &upload{app: a.App, id: id}
	err := u.scan(tx.QueryRow("SELECT "+uploadColumns+" FROM file_upload WHERE app = $1 AND id = $2", a.App, id))
	if errors.Is(err, db.ErrNoRows) || err == nil && u.owner != a.User && !a.Server {
		return nil, im.ErrNotFound
	}
	return u, err
}

// Find implements tus.Uploads.
func (s *Service) Find(ctx context.Context, a im.Actor, id string) (tus.Info, error) {
	u, err := s.read(ctx, a, id)
	if err != nil {
		return tus.Info{}, err
	}
	if u.at == u.size && !u.done {
		// Whoever brought the last byte died before the file was made of it.
		return s.Write(ctx, a, id, u.at, strings.NewReader(""))
	}
	return u.info(), nil
}

func (s *Service) read(ctx context.Context, a im.Actor, id string) (u *upload, err error) {
	err = s.d.DB.Read(ctx, func(tx db.Tx) (err error) {
		u, err = find(tx, a, id)
		return err
	})
	return u, err
}

// writeTimeout bounds what is done for an upload whose client may have gone.
const writeTimeout = 2 * time.Minute

// Write implements tus.Uploads. It goes on when the client has gone away, with
// what that client has sent.
func (s *Service) Write(ctx context.Context, a im.Actor, id string, offset int64, r io.Reader) (tus.Info, error) {
	c, err := s.claim(ctx, a, id, offset)
	if err != nil {
		return tus.Info{}, err
	}
	defer c.release()
	u := c.upload
	if u.done {
		return u.info(), nil
	}
	digest, err := hashAt(u.hash)
	if err != nil {
		return u.info(), err
	}
	store, err := s.d.Stores.At(c.ctx, u.store)
	if err != nil {
		return u.info(), err
	}
	if u.at < u.size {
		err = store.Append(c.ctx, u.blob(), io.TeeReader(c.reading(r), &first{digest, u.size - u.at}), func(at int64) error { return c.durable(at, digest) })
	}
	if code := im.CodeOf(err); code == im.NotFound || code == im.DataLoss {
		// The store does not have what it had, as after a restore into another
		// one: nobody can go on, and the client begins anew.
		s.d.Log.Warn("an upload is not in the store any more", "app", u.app, "err", err)
		return u.info(), errors.Join(im.ErrNotFound, s.giveUp(c.ctx, c))
	}
	if u.at == u.size && errors.Is(err, errWanted) {
		err = nil // by whoever asks where it stands: it is whole
	}
	var known *im.Error
	if err != nil && !errors.As(err, &known) { // the reader's
		err = fmt.Errorf("%w (%w)", im.Errorf(im.Unavailable, "the connection was lost"), err)
	}
	if u.at < u.size {
		return u.info(), err
	}
	// Also with bytes behind the last one, which are refused: the file is whole.
	return u.info(), errors.Join(err, s.finish(c, store, digest.Sum(nil)))
}

// first passes on the first n bytes: what comes behind an upload's last byte is
// read, to be refused, and is nothing of the file's.
type first struct {
	w io.Writer
	n int64
}

// Write implements io.Writer.
func (f *first) Write(b []byte) (int, error) {
	mine := b[:min(int64(len(b)), f.n)]
	f.n -= int64(len(mine))
	if _, err := f.w.Write(mine); err != nil {
		return 0, err
	}
	return len(b), nil
}

// stateOf and hashAt keep a hash in a row.
func stateOf(h hash.Hash) ([]byte, error) {
	m, ok := h.(encoding.BinaryMarshaler)
	if !ok {
		return nil, errors.New("the hash cannot be kept")
	}
	return m.MarshalBinary()
}

func hashAt(state []byte) (hash.Hash, error) {
	h := sha256.New()
	m, ok := h.(encoding.BinaryUnmarshaler)
	if !ok {
		return nil, errors.New("the hash cannot be kept")
	}
	return h, m.UnmarshalBinary(state)
}

// Terminate implements tus.Uploads. A file that was made stays.
func (s *Service) Terminate(ctx context.Context, a im.Actor, id string) error {
	u, err := s.read(ctx, a, id)
	if err != nil {
		return err
	}
	if u.done {
		return errComplete()
	}
	c, err := s.claim(ctx, a, id, -1)
	if err != nil {
		return err
	}
	defer c.release()
	if c.upload.done { // while this waited for whoever held it
		return errComplete()
	}
	return s.giveUp(c.ctx, c)
}

func errComplete() error { return im.Errorf(im.FailedPrecondition, "the upload is complete") }

// giveUp forgets an upload that is claimed. What another holds by now, or has
// made a file of, stays: its bytes are that file's.
func (s *Service) giveUp(ctx context.Context, c *claim) error {
	if err := s.forget(ctx, c.upload, c.holder); err != nil {
		return err
	}
	return s.empty(ctx, c.upload.key(), c.upload.place, c.upload.store)
}

// forget deletes the row of an upload that somebody holds, and notes its bytes
// as ones to delete.
func (s *Service) forget(ctx context.Context, u *upload, holder string) error {
	return s.d.DB.Write(ctx, func(tx db.Tx) error {
		n, err := tx.Exec("DELETE FROM file_upload WHERE app = $1 AND id = $2 AND holder = $3 AND done = 0", u.app, u.id, holder)
		if err != nil {
			return err
		}
		if n == 0 {
			return errLost
		}
		if err := trash(tx, u.key(), u.place, u.store); err != nil {
			return err
		}
		f := freed{}
		f.upload(u.app, u.owner, u.size, u.at, u.day)
		return f.count(tx)
	})
}

// mediaType takes what a client says a file is; it is believed by nobody.
func mediaType(t string) (string, error) {
	if t == "" {
		return "application/octet-stream", nil
	}
	if len(t) > maxMime || strings.ContainsFunc(t, func(r rune) bool { return r <= ' ' || r > '~' }) || strings.Count(t, "/") != 1 {
		return "", im.Errorf(im.InvalidArgument, "filetype is a media type of at most %d bytes", maxMime)
	}
	return strings.ToLower(t), nil
}
