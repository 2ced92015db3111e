package file

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/skein-im/skein/internal/auth"
	"github.com/skein-im/skein/internal/blob"
	"github.com/skein-im/skein/internal/blob/sealed"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
)

// Login is who the server is in a bucket. Empty = whoever its environment or
// its machine says, as with the server's own store.
type Login struct {
	// ID goes with a secret of S3: the access key's.
	ID string `json:"id,omitempty"`
	// Secret is the secret of an access key of S3, the key of an Azure account,
	// or the key file of a service account of Google.
	Secret string `json:"secret,omitempty"`
}

// StoresDeps are what Stores are made of; DB and Entropy are needed.
type StoresDeps struct {
	DB *db.DB
	// Own is the server's own store; a command that serves nothing has none.
	Own blob.Store
	// Open opens a bucket without asking anything of it.
	Open func(ctx context.Context, url string, who Login) (blob.Store, error)
	// Secret seals credentials.
	Secret auth.MasterKey
	// Keys seal the apps' keys: the first new ones, the others open what they
	// have sealed. None = new objects are not encrypted.
	Keys    []auth.MasterKey
	Entropy im.Entropy
}

// Stores knows where each object lies: in the server's own store or in a bucket
// of an app, and whether it is encrypted. An object's row has the id of its
// place, which is empty for the server's own store without encryption, and
// otherwise a row of file_store.
type Stores struct {
	d StoresDeps

	mu     sync.Mutex // guards what follows
	opened map[string]*openedStore
	uses   int64 // counts, to know what was used last
}

// openedStore is a row's store, as long as the row has that version.
type openedStore struct {
	version int64
	store   blob.Store
	used    int64
}

// maxOpened bounds the stores that a node keeps open; one that is not among
// them is opened again.
const maxOpened = 200

// NewStores returns the stores. The tables must have been migrated.
func NewStores(d StoresDeps) *Stores {
	return &Stores{d: d, opened: make(map[string]*openedStore)}
}

// storeRow is a row.
type storeRow struct {
	id, app, url   string
	login, data    []byte
	loginBy, keyBy string
	version        int64
}

const storeColumns = "id, app, url, login, login_by, data, data_by, version"

func (r *storeRow) scan(row interface{ Scan(...any) error }) error {
	return row.Scan(&r.id, &r.app, &r.url, &r.login, &r.loginBy, &r.data, &r.keyBy, &r.version)
}

// What ties what is sealed to its row.
func (r *storeRow) aboutLogin() string { return "skein bucket\x00" + r.app + "\x00" + r.url }
func (r *storeRow) aboutKey() string   { return "skein files key\x00" + r.app + "\x00" + r.id }

// At returns the store of an object by what its row says. It reads that row's
// store each time, so that new credentials count on every node at once. Errors:
// Unavailable (it can not be opened as this server is configured).
func (s *Stores) At(ctx context.Context, id string) (blob.Store, error) {
	if id == "" {
		return s.d.Own, nil
	}
	var r storeRow
	err := s.d.DB.Read(ctx, func(tx db.Tx) error {
		return r.scan(tx.QueryRow("SELECT "+storeColumns+" FROM file_store WHERE id = $1", id))
	})
	if errors.Is(err, db.ErrNoRows) {
		return nil, im.Errorf(im.DataLoss, "the place of a file is not known")
	} else if err != nil {
		return nil, err
	}
	return s.open(ctx, &r)
}

// ForNew returns where new objects of an app go, and what their rows say of it.
// With encryption it makes the app's key when it has none yet.
func (s *Stores) ForNew(ctx context.Context, app im.AppID) (id string, store blob.Store, err error) {
	for range 3 {
		r := storeRow{app: string(app)}
		err := s.d.DB.Read(ctx, func(tx db.Tx) error {
			err := r.scan(tx.QueryRow("SELECT "+storeColumns+" FROM file_store WHERE app = $1 AND current = 1", app))
			if errors.Is(err, db.ErrNoRows) {
				err = nil
			}
			return err
		})
		if err != nil {
			return "", nil, err
		}
		switch {
		case len(s.d.Keys) > 0 && len(r.data) == 0:
			if err := s.addKey(ctx, r); err != nil {
				return "", nil, err
			}
			continue // it may be another node's
		case r.id == "":
			return "", s.d.Own, nil
		}
		store, err = s.open(ctx, &r)
		return r.id, store, err
	}
	return "", nil, im.Errorf(im.Unavailable, "where files go is being changed, come back")
}

// current is where new objects of an app go by now.
func (s *Stores) current(ctx context.Context, app im.AppID) (id string, err error) {
	err = s.d.DB.Read(ctx, func(tx db.Tx) error {
		return tx.QueryRow("SELECT coalesce((SELECT id FROM file_store WHERE app = $1 AND current = 1), '')", app).Scan(&id)
	})
	return id, err
}

// addKey makes a row with a key, which takes the place of the current row old.
// When that is not current any more it does nothing.
func (s *Stores) addKey(ctx context.Context, old storeRow) error {
	id, err := im.RandomID(s.d.Entropy)
	if err != nil {
		return err
	}
	r := old
	if r.id = id; r.login == nil {
		r.login = []byte{}
	}
	key := make([]byte, sealed.KeyBytes)
	if _, err := io.ReadFull(s.d.Entropy, key); err != nil {
		return err
	}
	if r.data, err = s.d.Keys[0].Seal(key, r.aboutKey(), s.d.Entropy); err != nil {
		return err
	}
	r.keyBy = s.d.Keys[0].ID
	return s.d.DB.Write(ctx, func(tx db.Tx) error {
		if old.id != "" {
			// Its credentials may have been renewed meanwhile.
			err := tx.QueryRow("UPDATE file_store SET current = 0 WHERE id = $1 AND current = 1 RETURNING login, login_by", old.id).Scan(&r.login, &r.loginBy)
			if errors.Is(err, db.ErrNoRows) {
				return nil
			} else if err != nil {
				return err
			}
		}
		_, err := r.insert(tx)
		return err
	})
}

// insert stores a row as the current one of its app, unless there is one.
func (r *storeRow) insert(tx db.Tx) (done bool, err error) {
	now, err := tx.Now()
	if err != nil {
		return false, err
	}
	n, err := tx.Exec("INSERT INTO file_store ("+storeColumns+", current, created) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1, $9) ON CONFLICT (app) WHERE current = 1 DO NOTHING",
		r.id, r.app, r.url, r.login, r.loginBy, r.data, r.keyBy, r.version, now)
	return n > 0, err
}

// open opens a row's store, or finds it open.
func (s *Stores) open(ctx context.Context, r *storeRow) (blob.Store, error) {
	s.mu.Lock()
	o := s.opened[r.id]
	if o != nil && o.version == r.version {
		s.uses++
		o.used = s.uses
		s.mu.Unlock()
		return o.store, nil
	}
	s.mu.Unlock()
	store, err := s.openRow(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("the files of app %s (%s): %w", r.app, r.id, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.uses++
	s.opened[r.id] = &openedStore{r.version, store, s.uses}
	if len(s.opened) > maxOpened {
		oldest := r.id
		for id, o := range s.opened {
			if o.used < s.opened[oldest].used {
				oldest = id
			}
		}
		delete(s.opened, oldest)
	}
	return store, nil
}

func (s *Stores) openRow(ctx context.Context, r *storeRow) (blob.Store, error) {
	store := s.d.Own
	if r.url != "" {
		who, err := s.loginOf(r)
		if err != nil {
			return nil, err
		}
		// What is opened outlives the request, tokens of a cloud included.
		if store, err = s.d.Open(context.WithoutCancel(ctx), r.url, who); err != nil {
			return nil, err
		}
	}
	if len(r.data) == 0 {
		return store, nil
	}
	key, err := s.keyOf(r)
	if err != nil {
		return nil, err
	}
	return sealed.New(store, key)
}

// loginOf opens a row's credentials.
func (s *Stores) loginOf(r *storeRow) (who Login, err error) {
	if len(r.login) == 0 {
		return Login{}, nil
	}
	text, err := s.d.Secret.Open(r.login, r.aboutLogin())
	if err != nil {
		return Login{}, fmt.Errorf("%w (%w)", &im.Error{Code: im.Unavailable, Message: "the store for files can not be opened",
			Hint: "its credentials were sealed with the secret key " + r.loginBy + " and this server has " + s.d.Secret.ID + ": set them again with skein app bucket"}, err)
	}
	return who, json.Unmarshal(text, &who)
}

// keyOf opens a row's key.
func (s *Stores) keyOf(r *storeRow) ([]byte, error) {
	for _, k := range s.d.Keys {
		if k.ID != r.keyBy {
			continue
		}
		key, err := k.Open(r.data, r.aboutKey())
		if err != nil {
			return nil, im.Errorf(im.DataLoss, "the sealed key of files does not open: its row was changed")
		}
		return key, nil
	}
	return nil, errNoKey(r.keyBy)
}

// errNoKey says that what is sealed can not be opened.
func errNoKey(id string) error {
	return &im.Error{Code: im.Unavailable, Message: "files are encrypted with the master key " + id + ", which the option blobs_key does not have",
		Hint: "bring the key back: it may stand behind a newer one, with a comma between them"}
}

// Start holds the option blobs_key to what is stored: every key that files are
// encrypted with can be opened. What an older master key has sealed is sealed
// with the first one then, so that the older one can be taken away.
func (s *Stores) Start(ctx context.Context) error {
	return s.d.DB.Write(ctx, func(tx db.Tx) error {
		rows, err := s.sealedRows(tx)
		if err != nil {
			return err
		}
		for i := range rows {
			r := &rows[i]
			key, err := s.keyOf(r)
			if err != nil {
				return err
			}
			if r.keyBy == s.d.Keys[0].ID {
				continue
			}
			again, err := s.d.Keys[0].Seal(key, r.aboutKey(), s.d.Entropy)
			if err != nil {
				return err
			}
			if _, err := tx.Exec("UPDATE file_store SET data = $2, data_by = $3 WHERE id = $1", r.id, again, s.d.Keys[0].ID); err != nil {
				return err
			}
		}
		return nil
	})
}

// sealedRows are the rows that have a key.
func (s *Stores) sealedRows(tx db.Tx) (out []storeRow, err error) {
	rows, err := tx.Query("SELECT " + storeColumns + " FROM file_store WHERE data_by <> ''")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r storeRow
		if err := r.scan(rows); err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

// Bucket is where new files of an app go.
type Bucket struct {
	URL       string // empty = the server's own store
	Encrypted bool
	// Elsewhere is how many other places of the app have files that are read.
	Elsewhere int
}

// Bucket tells where new files of an app go.
func (s *Stores) Bucket(ctx context.Context, app im.AppID) (b Bucket, err error) {
	err = s.d.DB.Read(ctx, func(tx db.Tx) error {
		var r storeRow
		err := r.scan(tx.QueryRow("SELECT "+storeColumns+" FROM file_store WHERE app = $1 AND current = 1", app))
		if err != nil && !errors.Is(err, db.ErrNoRows) {
			return err
		}
		b = Bucket{URL: r.url, Encrypted: len(r.data) > 0}
		return tx.QueryRow("SELECT count(*) FROM (SELECT DISTINCT store FROM file_bytes WHERE app = $1 AND store <> $2) o", app, r.id).Scan(&b.Elsewhere)
	})
	return b, err
}

// SetBucket has new files of an app stored in a bucket; an empty url is the
// server's own store. For the operator, never for the app: the server connects
// to whatever address the URL names. What the server will do there is tried
// first, and when one of it fails nothing changes. Files that are elsewhere stay
// there and are read there; where the app has files in a bucket of the same URL
// already, they are read with the new credentials too. Errors: InvalidArgument,
// FailedPrecondition (the bucket does not work).
func (s *Stores) SetBucket(ctx context.Context, app im.AppID, url string, who Login) error {
	id, err := im.RandomID(s.d.Entropy)
	if err != nil {
		return err
	}
	r := storeRow{id: id, app: string(app), url: url, login: []byte{}, data: []byte{}, version: 1}
	if url != "" {
		store, err := s.d.Open(ctx, url, who)
		if err != nil {
			return err
		}
		if err := s.probe(ctx, store); err != nil {
			return im.Errorf(im.FailedPrecondition, "the bucket does not work, and nothing was changed: %v", err)
		}
	}
	if who != (Login{}) {
		text, err := json.Marshal(who)
		if err != nil {
			return err
		}
		if r.login, err = s.d.Secret.Seal(text, r.aboutLogin(), s.d.Entropy); err != nil {
			return err
		}
		r.loginBy = s.d.Secret.ID
	}
	return s.d.DB.Write(ctx, func(tx db.Tx) error { return r.makeCurrent(tx) })
}

// makeCurrent makes a bucket the current one, with the credentials of r.
func (r *storeRow) makeCurrent(tx db.Tx) error {
	if _, err := tx.Exec("UPDATE file_store SET current = 0 WHERE app = $1 AND current = 1", r.app); err != nil {
		return err
	}
	n, err := tx.Exec("UPDATE file_store SET login = $3, login_by = $4, version = version + 1 WHERE app = $1 AND url = $2", r.app, r.url, r.login, r.loginBy)
	switch {
	case err != nil:
		return err
	case n > 0:
		_, err = tx.Exec("UPDATE file_store SET current = 1 WHERE id = (SELECT id FROM file_store WHERE app = $1 AND url = $2 ORDER BY created DESC, id LIMIT 1)", r.app, r.url)
		return err
	case r.url == "": // that needs no row
		return nil
	}
	done, err := r.insert(tx)
	if err == nil && !done {
		err = im.Errorf(im.Unavailable, "somebody else has changed it at the same moment: do it again")
	}
	return err
}

// probe does with a store what the server will do.
func (s *Stores) probe(ctx context.Context, store blob.Store) error {
	name, err := im.RandomID(s.d.Entropy)
	if err != nil {
		return err
	}
	key := "check/" + name
	if err := store.Put(ctx, key, []byte(name)); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	r, err := store.Get(ctx, key, 0, -1)
	if err == nil {
		var b []byte
		b, err = io.ReadAll(io.LimitReader(r, 1000))
		if err = errors.Join(err, r.Close()); err == nil && string(b) != name {
			err = errors.New("other bytes than were written")
		}
	}
	if err != nil {
		return errors.Join(fmt.Errorf("read: %w", err), store.Delete(ctx, key))
	}
	if err := store.Delete(ctx, key); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	u := blob.Upload{Key: key, Size: 1}
	if u.ID, err = store.Create(ctx, key, u.Size); err != nil {
		return fmt.Errorf("begin an upload of parts: %w", err)
	}
	if err := store.Abort(ctx, u); err != nil {
		return fmt.Errorf("end an upload of parts: %w", err)
	}
	return nil
}
