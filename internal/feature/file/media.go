package file

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"time"

	"github.com/skein-im/skein/internal/blob"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/media"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Media makes of a picture, a sound or a film what others may be shown; package
// media. Errors: those of src, and Unavailable.
type Media interface {
	Make(ctx context.Context, src io.ReaderAt, size int64, mime string) (media.Made, error)
}

// stored is what a file's bytes are kept as.
type stored struct {
	sum   []byte
	size  int64
	key   string
	mime  string
	shown bool
	// Of bytes that are new:
	info     *media.Info // nil = nothing that is shown
	previews []preview
	reserved []string // the objects that were made
}

// preview is a smaller picture that is stored.
type preview struct {
	size, key, mime string
	width, height   int
	bytes           int64
}

// reservation is how long the objects that are made of an upload may be there
// without a row that names them, beside the time that it takes to copy them.
// Whoever has died then has left nothing.
const reservation = 30 * time.Minute

// make makes of an upload that is complete what is kept: bytes without what is
// nobody's business, and smaller pictures. Until a row names it nobody can read
// any of it; the keys are new ones each time, so that two who do this at once,
// one of whom has lost the upload, do not write the same objects.
func (s *Service) make(ctx context.Context, u *upload, store blob.Store, sum []byte) (*stored, error) {
	f := &stored{sum: sum, size: u.size, key: u.key()}
	first, err := head(ctx, store, f.key)
	if err != nil {
		return nil, err
	}
	if f.mime, f.shown = mediaOf(first, u.mime); !media.Reads(f.mime) {
		f.shown = false
		return f, nil
	}
	src := &objectReader{ctx: ctx, store: store, key: f.key}
	m, err := s.d.Media.Make(ctx, src, u.size, f.mime)
	if err != nil {
		return nil, err
	}
	if !m.Shown {
		f.shown = false
	} else {
		f.info, f.mime = &m.Info, m.Mime
	}
	if m.Clean == nil && len(m.Previews) == 0 {
		return f, nil
	}
	return f, s.store(ctx, u, store, f, &m)
}

// store stores what was made of an upload.
func (s *Service) store(ctx context.Context, u *upload, store blob.Store, f *stored, m *media.Made) error {
	var b [4]byte
	if _, err := io.ReadFull(s.d.Entropy, b[:]); err != nil {
		return err
	}
	prefix := u.key() + "-" + hex.EncodeToString(b[:])
	if m.Clean != nil {
		f.key = prefix
		f.reserved = append(f.reserved, f.key)
	}
	for _, p := range m.Previews {
		v := preview{p.Size, prefix + "-" + p.Size, p.Mime, p.Width, p.Height, int64(len(p.Bytes))}
		f.previews = append(f.previews, v)
		f.reserved = append(f.reserved, v.key)
	}
	if err := s.reserve(ctx, u.store, f.reserved, reservation+time.Duration(u.size/copyRate)*time.Second); err != nil {
		return err
	}
	for i, p := range m.Previews {
		if err := store.Put(ctx, f.previews[i].key, p.Bytes); err != nil {
			return err
		}
	}
	if m.Clean == nil {
		return nil
	}
	f.size = media.Size(m.Clean)
	var err error
	f.sum, err = putClean(ctx, store, u.key(), f, m.Clean)
	return err
}

// putClean stores the pieces of an object that are kept, and returns their hash.
func putClean(ctx context.Context, store blob.Store, from string, f *stored, clean []media.Piece) ([]byte, error) {
	digest := sha256.New()
	var parts []*part
	r := io.TeeReader(media.Reader(clean, func(at, n int64) io.Reader {
		parts = append(parts, &part{ctx: ctx, store: store, key: from, at: at, n: n})
		return parts[len(parts)-1]
	}), digest)
	defer func() { // of which one is open, when not all was read
		for _, p := range parts {
			p.close()
		}
	}()
	if f.size <= blob.MaxPut {
		b := make([]byte, f.size)
		if _, err := io.ReadFull(r, b); err != nil {
			return nil, err
		}
		return digest.Sum(nil), store.Put(ctx, f.key, b)
	}
	id, err := store.Create(ctx, f.key, f.size)
	if err != nil {
		return nil, err
	}
	u := blob.Upload{Key: f.key, ID: id, Size: f.size}
	if err := store.Append(ctx, u, r, func(at int64) error { u.At = at; return nil }); err != nil {
		return nil, err
	}
	return digest.Sum(nil), store.Complete(ctx, u)
}

// reserve notes objects that are about to be made, as ones to delete in a while.
func (s *Service) reserve(ctx context.Context, store string, keys []string, life time.Duration) error {
	return s.d.DB.Write(ctx, func(tx db.Tx) error {
		now, err := tx.Now()
		if err != nil {
			return err
		}
		for _, key := range keys {
			if _, err := tx.Exec("INSERT INTO file_trash (key, place, store, since) VALUES ($1, '', $2, $3)", key, store, now+im.Micros(life.Microseconds())); err != nil {
				return err
			}
		}
		return nil
	})
}

// keep writes down what was made, and takes back that it is to be deleted, which
// must not have begun.
func (f *stored) keep(tx db.Tx, app im.AppID) error {
	now, err := tx.Now()
	if err != nil {
		return err
	}
	for _, key := range f.reserved {
		n, err := tx.Exec("DELETE FROM file_trash WHERE key = $1 AND since > $2", key, now)
		if err != nil {
			return err
		}
		if n == 0 {
			return errGone
		}
	}
	for _, v := range f.previews {
		if _, err := tx.Exec("INSERT INTO file_preview (app, sum, size, key, mime, width, height, bytes) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
			app, f.sum, v.size, v.key, v.mime, v.width, v.height, v.bytes); err != nil {
			return err
		}
	}
	if f.info == nil {
		return nil
	}
	i := f.info
	_, err = tx.Exec("INSERT INTO file_media (app, sum, mime, width, height, duration, thumb, animated, waveform) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
		app, f.sum, i.Mime, i.Width, i.Height, i.Duration.Milliseconds(), i.Thumb, number(i.Animated), append([]byte{}, i.Waveform...))
	return err
}

// known finds the bytes of an upload that its app has already; nil when it has
// not, or, with moves, when it has them in another store.
func (s *Service) known(ctx context.Context, u *upload, sum []byte, moves bool) (f *stored, err error) {
	var where string
	err = s.d.DB.Read(ctx, func(tx db.Tx) error {
		f = &stored{sum: sum}
		err := tx.QueryRow(`SELECT b.key, b.store, b.size, coalesce(m.mime, '') FROM file_bytes b LEFT JOIN file_media m ON m.app = b.app AND m.sum = b.sum
			WHERE b.app = $1 AND b.sum = $2`, u.app, sum).Scan(&f.key, &where, &f.size, &f.mime)
		if errors.Is(err, db.ErrNoRows) || err == nil && moves && where != u.store {
			f, err = nil, nil
		}
		return err
	})
	if f == nil || err != nil {
		return nil, err
	}
	if f.shown = shownTypes[f.mime]; f.mime == "" {
		store, err := s.d.Stores.At(ctx, where)
		if err != nil {
			return nil, err
		}
		first, err := head(ctx, store, f.key)
		if err != nil {
			return nil, err
		}
		f.mime, _ = mediaOf(first, u.mime)
	}
	return f, nil
}

// move gives bytes that lie elsewhere the place of an upload, with what was made
// of them there. What they leave is deleted when those have ended who read it.
func (f *stored) move(tx db.Tx, u *upload) error {
	now, err := tx.Now()
	if err != nil {
		return err
	}
	later := now + im.Micros(readers.Microseconds())
	for _, query := range []string{
		"INSERT INTO file_trash (key, place, store, since) SELECT key, '', store, $3 FROM file_bytes WHERE app = $1 AND sum = $2",
		"INSERT INTO file_trash (key, place, store, since) SELECT p.key, '', b.store, $3 FROM file_preview p JOIN file_bytes b ON b.app = p.app AND b.sum = p.sum WHERE p.app = $1 AND p.sum = $2",
	} {
		if _, err := tx.Exec(query, u.app, f.sum, later); err != nil {
			return err
		}
	}
	for _, table := range []string{"file_preview", "file_media"} {
		if _, err := tx.Exec("DELETE FROM "+table+" WHERE app = $1 AND sum = $2", u.app, f.sum); err != nil {
			return err
		}
	}
	_, err = tx.Exec("UPDATE file_bytes SET key = $3, store = $4 WHERE app = $1 AND sum = $2", u.app, f.sum, f.key, u.store)
	return err
}

// readers is how long bytes that were moved stay where they were.
const readers = time.Hour

// loadMedia reads what bytes are as a picture, a sound or a film; nil when they
// are none.
func loadMedia(tx db.Tx, app im.AppID, sum []byte) (*skeinv1.Media, error) {
	m := &skeinv1.Media{}
	var animated int64
	var thumb string
	err := tx.QueryRow("SELECT width, height, duration, thumb, animated, waveform FROM file_media WHERE app = $1 AND sum = $2", app, sum).
		Scan(&m.Width, &m.Height, &m.DurationMs, &thumb, &animated, &m.Waveform)
	if errors.Is(err, db.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	m.Thumb, m.Animated = []byte(thumb), animated != 0
	rows, err := tx.Query("SELECT size, width, height, bytes FROM file_preview WHERE app = $1 AND sum = $2 ORDER BY width, height", app, sum)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		v := &skeinv1.Preview{}
		if err := rows.Scan(&v.Size, &v.Width, &v.Height, &v.Bytes); err != nil {
			return nil, err
		}
		m.Previews = append(m.Previews, v)
	}
	return m, rows.Err()
}

// smaller finds the smaller picture of a file: the file itself, where that is no
// larger. Errors: NotFound (it is no picture), InvalidArgument.
func (s *Service) smaller(ctx context.Context, f *row, size string) (*row, error) {
	if size != "s" && size != "m" && size != "l" {
		return nil, im.Errorf(im.InvalidArgument, "a smaller picture is t=s, t=m or t=l")
	}
	v := *f
	err := s.d.DB.Read(ctx, func(tx db.Tx) error {
		err := tx.QueryRow("SELECT key, mime, bytes FROM file_preview WHERE app = $1 AND sum = $2 AND size = $3", f.app, f.sum, size).Scan(&v.key, &v.mime, &v.size)
		if errors.Is(err, db.ErrNoRows) {
			if v = *f; !f.shown || !isPicture(f.mime) {
				return im.ErrNotFound
			}
			return nil
		}
		v.variant, v.name = "-"+size, renamed(f.name, v.mime)
		return err
	})
	return &v, err
}

// dropMedia forgets what is known of bytes that nobody uses, and notes the
// smaller pictures as ones to delete.
func dropMedia(tx db.Tx, since im.Micros) error {
	_, err := tx.Exec("INSERT INTO file_trash (key, place, store, since) SELECT file_preview.key, '', b.store, $1 FROM file_preview JOIN file_bytes b ON b.app = file_preview.app AND b.sum = file_preview.sum WHERE b.uses = 0 ON CONFLICT (key) DO NOTHING", since)
	for _, table := range []string{"file_preview", "file_media"} {
		if err == nil {
			_, err = tx.Exec("DELETE FROM " + table + " WHERE (app, sum) IN (SELECT app, sum FROM file_bytes WHERE uses = 0)")
		}
	}
	return err
}

// part reads a part of an object, which it asks for when it is read and lets go
// at its end.
type part struct {
	ctx   context.Context
	store blob.Store
	key   string
	at, n int64
	r     io.ReadCloser
}

// Read implements io.Reader.
func (p *part) Read(b []byte) (n int, err error) {
	if p.n == 0 {
		return 0, io.EOF
	}
	if p.r == nil {
		if p.r, err = p.store.Get(p.ctx, p.key, p.at, p.n); err != nil {
			return 0, err
		}
	}
	n, err = p.r.Read(b[:min(int64(len(b)), p.n)])
	p.n -= int64(n)
	switch {
	case p.n == 0:
		err = nil
	case errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
	}
	if p.n == 0 || err != nil {
		p.close()
	}
	return n, err
}

func (p *part) close() {
	if p.r != nil {
		_ = p.r.Close() // what was read is what was wanted
		p.r = nil
	}
}

// objectReader reads an object from anywhere.
type objectReader struct {
	ctx   context.Context
	store blob.Store
	key   string
}

// ReadAt implements io.ReaderAt.
func (r *objectReader) ReadAt(p []byte, at int64) (int, error) {
	body, err := r.store.Get(r.ctx, r.key, at, int64(len(p)))
	if err != nil {
		return 0, err
	}
	n, err := io.ReadFull(body, p)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return n, errors.Join(err, body.Close())
}
