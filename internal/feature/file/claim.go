package file

import (
	"context"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"sync/atomic"
	"time"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/tus"
)

const (
	// lease is how long an upload is held by somebody who says nothing more: a
	// server that died. One that was frozen, or lost the database, ends by itself
	// a little earlier (spare): what it stored later could be bytes of a file that
	// another has completed meanwhile.
	lease = 10 * time.Second
	spare = time.Second
	// renewal is how often a holder says that they are still there, and finds out
	// that somebody else wants the upload.
	renewal = 2 * time.Second
	// patience is how long somebody waits who finds an upload held: a client that
	// comes back finds the server still reading its lost connection.
	patience = 12 * time.Second
	// answer is how long the database may take.
	answer = 20 * time.Second
	// again is how often they look.
	again = 200 * time.Millisecond
)

// claim is an upload that one holds; nobody else writes it.
type claim struct {
	s      *Service
	upload *upload
	holder string
	// ctx ends when the claim is lost, and not when the client goes away.
	ctx    context.Context
	cancel context.CancelFunc
	until  atomic.Pointer[time.Time] // when it is lost, unless it is renewed before
	end    *time.Timer               // loses it then
	stop   atomic.Pointer[func()]    // ends the reading, for another who wants the upload
	wanted atomic.Bool
}

// errWanted ends the reading of a claim that another waits for.
var errWanted = im.Errorf(im.Unavailable, "the upload goes on with another request")

// claim takes an upload that stands at offset; -1 = anywhere. Errors: NotFound,
// FailedPrecondition (it stands elsewhere), Unavailable (somebody else holds it).
func (s *Service) claim(ctx context.Context, a im.Actor, id string, offset int64) (*claim, error) {
	var b [8]byte
	if _, err := io.ReadFull(s.d.Entropy, b[:]); err != nil {
		return nil, err
	}
	c := &claim{s: s, holder: hex.EncodeToString(b[:])}
	var began time.Time
	for waited := time.Duration(0); ; waited += again {
		began = s.d.Clock.Now()
		held, err := s.take(ctx, a, id, offset, c)
		if err != nil {
			return nil, err
		}
		if !held {
			break
		}
		if waited >= patience {
			return nil, &im.Error{Code: im.Unavailable, Message: "another request writes this upload", Hint: "come back", RetryAfter: lease}
		}
		pause := time.NewTimer(again)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return nil, im.Errorf(im.Unavailable, "the upload was given up")
		}
	}
	c.ctx, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	c.end = time.AfterFunc(lease, c.cancel)
	c.extend(began)
	s.claims.add(c)
	return c, nil
}

// Alone says that no other server is on the database, nor was since the last one
// ended: whoever held an upload is dead, and nobody waits for them. It is for
// the start, before the first request.
func (s *Service) Alone(ctx context.Context) error {
	return s.d.DB.Write(ctx, func(tx db.Tx) error {
		_, err := tx.Exec("UPDATE file_upload SET holder = '', held = 0, wanted = 0 WHERE holder <> ''")
		return err
	})
}

// take looks once; held = somebody else has it.
func (s *Service) take(ctx context.Context, a im.Actor, id string, offset int64, c *claim) (held bool, err error) {
	err = s.d.DB.Write(ctx, func(tx db.Tx) error {
		u, err := find(tx, a, id)
		if err != nil {
			return err
		}
		if offset >= 0 && u.at != offset {
			return tus.ErrOffset(u.at)
		}
		now, err := tx.Now()
		if err != nil {
			return err
		}
		n, err := tx.Exec("UPDATE file_upload SET holder = $3, held = $4, wanted = 0 WHERE app = $1 AND id = $2 AND at = $5 AND (holder = '' OR held < $6)",
			u.app, id, c.holder, now+im.Micros(lease.Microseconds()), u.at, now)
		if err != nil {
			return err
		}
		c.upload = u
		if held = n == 0; held {
			_, err = tx.Exec("UPDATE file_upload SET wanted = 1 WHERE app = $1 AND id = $2", u.app, id)
		}
		return err
	})
	return held, err
}

// extend notes that the claim was renewed, at a time from which the database
// counts, or an earlier one.
func (c *claim) extend(began time.Time) {
	until := began.Add(lease - spare)
	c.until.Store(&until)
	c.end.Reset(until.Sub(c.s.d.Clock.Now()))
}

// lost tells whether the upload may be another's by now. A process that was
// frozen is told here before its timers run.
func (c *claim) lost() bool {
	if c.s.d.Clock.Now().After(*c.until.Load()) {
		c.cancel()
	}
	return c.ctx.Err() != nil
}

// errLost says that the claim is another's by now.
var errLost = im.Errorf(im.Unavailable, "the upload is another request's by now")

// update changes the row, as long as it is held; $4 is until when it is held
// then.
func (c *claim) update(ctx context.Context, set string, args []any) error {
	var began time.Time
	err := c.s.d.DB.Write(ctx, func(tx db.Tx) error {
		began = c.s.d.Clock.Now()
		return c.set(tx, set, args)
	})
	if err == nil && c.ctx.Err() == nil {
		c.extend(began)
	}
	return err
}

// set is update within a transaction.
func (c *claim) set(tx db.Tx, set string, args []any) error {
	now, err := tx.Now()
	if err != nil {
		return err
	}
	u := c.upload
	var wanted int64
	err = tx.QueryRow("UPDATE file_upload SET "+set+" WHERE app = $1 AND id = $2 AND holder = $3 RETURNING wanted",
		append([]any{u.app, u.id, c.holder, now + im.Micros(lease.Microseconds())}, args...)...).Scan(&wanted)
	if errors.Is(err, db.ErrNoRows) {
		return errLost
	}
	if err == nil && wanted != 0 {
		c.yield()
	}
	return err
}

// yield ends the reading: another wants the upload.
func (c *claim) yield() {
	c.wanted.Store(true)
	if stop := c.stop.Load(); stop != nil {
		(*stop)()
	}
}

// durable writes down how far the upload is.
func (c *claim) durable(at int64, digest hash.Hash) error {
	state, err := stateOf(digest)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.ctx, answer)
	defer cancel()
	keep := im.MicrosOf(c.s.d.Clock.Now().Add(c.s.d.Limits.Keep))
	if err := c.update(ctx, "held = $4, at = $5, hash = $6, expires = $7", []any{at, state, keep}); err != nil {
		return err
	}
	c.upload.at, c.upload.hash, c.upload.expires = at, state, keep
	return nil
}

// reading gives the reader's bytes until somebody else wants the upload. One
// that waits for bytes is told by its method Stop, if it has one.
func (c *claim) reading(r io.Reader) io.Reader {
	if s, ok := r.(interface{ Stop() }); ok {
		stop := s.Stop
		c.stop.Store(&stop)
	}
	return &wantedReader{c, r}
}

type wantedReader struct {
	c *claim
	r io.Reader
}

// Read implements io.Reader.
func (r *wantedReader) Read(b []byte) (int, error) {
	if r.c.wanted.Load() {
		return 0, errWanted
	}
	n, err := r.r.Read(b)
	if r.c.lost() {
		return 0, errLost
	}
	if err != nil && err != io.EOF && r.c.wanted.Load() {
		err = errWanted
	}
	return n, err
}

// release lets the upload go.
func (c *claim) release() {
	c.cancel()
	c.end.Stop()
	c.s.claims.remove(c)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), answer)
	defer cancel()
	err := c.s.d.DB.Write(ctx, func(tx db.Tx) error {
		_, err := tx.Exec("UPDATE file_upload SET holder = '', held = 0, wanted = 0 WHERE app = $1 AND id = $2 AND holder = $3", c.upload.app, c.upload.id, c.holder)
		return err
	})
	if err != nil {
		c.s.d.Log.Warn("an upload is held until its lease ends", "app", c.upload.app, "err", err)
	}
}
