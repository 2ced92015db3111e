// Package broadcast writes one message to many users, each into their
// conversation with its sender.
//
// A broadcast is a row and a chain of jobs: each serves a piece of the users,
// then notes how far it came and plans the next job in one transaction, so
// that nothing is lost whatever dies. The ids of the messages are derived from
// the broadcast's and the user's: a piece that is served again is not said
// again.
package broadcast

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/job"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Limits of this package.
const (
	// MaxUsers is how many users a broadcast names at most.
	MaxUsers = 10_000
	// MaxRunning is how many broadcasts of an app run at once.
	MaxRunning = 10

	piece = 50                     // users of a job
	pause = 500 * time.Millisecond // between two
	keep  = 30 * 24 * time.Hour    // what is over
)

// The states of a row are those of the wire.
const (
	running   = int64(skeinv1.BroadcastState_BROADCAST_STATE_RUNNING)
	done      = int64(skeinv1.BroadcastState_BROADCAST_STATE_DONE)
	cancelled = int64(skeinv1.BroadcastState_BROADCAST_STATE_CANCELLED)
)

// Chat is the front door; *chat.Service.
type Chat interface {
	Send(ctx context.Context, actor im.Actor, r chat.SendRequest) (journal.Result, error)
	CheckSend(r *chat.SendRequest) error
}

// Queue is what adds jobs; *job.Queue.
type Queue interface {
	Enqueue(tx db.Tx, s job.Spec) (id string, added bool, err error)
}

// Deps are what this package is made of; all are needed.
type Deps struct {
	DB    *db.DB
	Chat  Chat
	Queue Queue // with the Kinds of this package
	// Users returns the users of an app after one ("" = from the first), in the
	// order of their ids, at most limit.
	Users func(ctx context.Context, app im.AppID, after im.UserID, limit int) ([]im.UserID, error)
	Files Files
}

// Files keeps the files of what is still to be said from being collected;
// feature/file.
type Files interface {
	// Hold keeps those of a body under a name.
	Hold(tx db.Tx, a im.Actor, name string, body []byte) error
	// Release keeps them no longer.
	Release(tx db.Tx, app im.AppID, name string) error
}

// Service answers skein.v1.BroadcastService and does what was started.
type Service struct{ d Deps }

// New returns a service. The tables must have been migrated.
func New(d Deps) *Service { return &Service{d} }

// The kinds of jobs.
const (
	pieceKind = "broadcast"
	purgeKind = "broadcast_purge"
)

// Kinds are the jobs of this package; late is asked when one runs, because a
// queue comes before the service.
func Kinds(late func() *Service) []job.Kind {
	return []job.Kind{
		{Name: pieceKind, Tries: 30, PerTarget: 1, Timeout: time.Minute, Run: func(ctx context.Context, j job.Job) error { return late().serve(ctx, j.App, string(j.Body)) }},
		{Name: purgeKind, Every: 6 * time.Hour, Timeout: 5 * time.Minute, Run: func(ctx context.Context, _ job.Job) error { return late().purge(ctx) }},
	}
}

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns the tables of this package, for db.Migrate under the
// name "broadcast".
func Migrations() fs.FS { return db.Migrations(migrations) }

// row is a broadcast as it is stored.
type row struct {
	app                 im.AppID
	id                  string
	hash                []byte
	sender              im.UserID
	users               string
	body                []byte
	state               int64
	after               im.UserID
	step, sent, refused int64
	created, finished   im.Micros
}

const columns = "hash, sender, users, body, state, after, step, sent, refused, created, finished"

func read(tx db.Tx, app im.AppID, id string) (*row, error) {
	r := &row{app: app, id: id}
	err := tx.QueryRow("SELECT "+columns+" FROM broadcast WHERE app = $1 AND id = $2", app, id).
		Scan(&r.hash, &r.sender, &r.users, &r.body, &r.state, &r.after, &r.step, &r.sent, &r.refused, &r.created, &r.finished)
	if errors.Is(err, db.ErrNoRows) {
		err = im.ErrNotFound
	}
	return r, err
}

// heldBy is a broadcast's name, among all that hold files.
func heldBy(id string) string { return "cast/" + id }

func (r *row) wire() *skeinv1.Broadcast {
	id, _ := hex.DecodeString(r.id) // it was encoded here
	return &skeinv1.Broadcast{Id: id, Sender: string(r.sender), State: skeinv1.BroadcastState(r.state), Sent: uint64(r.sent), Refused: uint64(r.refused),
		CreatedUs: int64(r.created), FinishedUs: int64(r.finished)}
}

// plan adds the job of the next piece.
func (s *Service) plan(tx db.Tx, r *row, in time.Duration) error {
	_, _, err := s.d.Queue.Enqueue(tx, job.Spec{Kind: pieceKind, App: r.app, Target: r.id, Key: r.id + "/" + strconv.FormatInt(r.step, 10),
		Body: []byte(r.id), Delay: in})
	return err
}

// StartBroadcast stores a broadcast and has it begin. Errors: NotFound for
// anybody but the app's back end, InvalidArgument, TooLarge, ClockSkew,
// ClientIDReused, ResourceExhausted.
func (s *Service) StartBroadcast(ctx context.Context, a im.Actor, q *skeinv1.StartBroadcastRequest) (*skeinv1.StartBroadcastResponse, error) {
	if !a.Server {
		return nil, im.ErrNotFound
	}
	r, err := s.check(a, q)
	if err != nil {
		return nil, err
	}
	err = s.d.DB.Write(ctx, func(tx db.Tx) error {
		old, err := read(tx, r.app, r.id)
		switch {
		case err == nil && !bytes.Equal(old.hash, r.hash):
			return im.Errorf(im.ClientIDReused, "the client id stands for another broadcast")
		case err == nil:
			r = old
			return nil
		case im.CodeOf(err) != im.NotFound:
			return err
		}
		var n int
		if err := tx.QueryRow("SELECT count(*) FROM broadcast WHERE app = $1 AND state = $2", r.app, running).Scan(&n); err != nil {
			return err
		}
		if n >= MaxRunning {
			return &im.Error{Code: im.ResourceExhausted, Message: "the app has " + strconv.Itoa(MaxRunning) + " broadcasts that are not over", Hint: "wait, or cancel one"}
		}
		if r.created, err = tx.Now(); err != nil {
			return err
		}
		if _, err := tx.Exec("INSERT INTO broadcast (app, id, "+columns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
			r.app, r.id, r.hash, r.sender, r.users, r.body, r.state, r.after, r.step, r.sent, r.refused, r.created, r.finished); err != nil {
			return err
		}
		if err := s.d.Files.Hold(tx, a, heldBy(r.id), r.body); err != nil {
			return err
		}
		return s.plan(tx, r, 0)
	})
	if err != nil {
		return nil, err
	}
	return &skeinv1.StartBroadcastResponse{Broadcast: r.wire()}, nil
}

// check holds a broadcast to the rules and makes its row.
func (s *Service) check(a im.Actor, q *skeinv1.StartBroadcastRequest) (*row, error) {
	id, ok := im.ParseClientID(q.GetClientId())
	if !ok {
		return nil, im.Errorf(im.InvalidArgument, "client_id is a UUIDv7 of 16 bytes")
	}
	if !im.ValidName(q.GetSender()) {
		return nil, im.Errorf(im.InvalidArgument, "sender is not a user id")
	}
	if len(q.Users) > MaxUsers {
		return nil, im.Errorf(im.InvalidArgument, "a broadcast names at most %d users", MaxUsers)
	}
	users := slices.Clone(q.Users)
	slices.Sort(users)
	users = slices.Compact(users)
	for _, u := range users {
		if !im.ValidName(u) {
			return nil, im.Errorf(im.InvalidArgument, "users has an invalid user id")
		}
	}
	body, err := proto.MarshalOptions{Deterministic: true}.Marshal(q.GetBody())
	if err != nil {
		return nil, im.Errorf(im.InvalidArgument, "the body is not a skein.v1.Body")
	}
	if c := q.GetBody().GetContent(); c.GetReplyToSeq() != 0 || c.GetNotice() != nil {
		return nil, im.Errorf(im.InvalidArgument, "a broadcast is a user's message and answers none")
	}
	if err := s.d.Chat.CheckSend(&chat.SendRequest{Conv: im.Self(im.UserID(q.Sender)), ClientID: id, Body: body}); err != nil {
		return nil, err
	}
	r := &row{app: a.App, id: hex.EncodeToString(id[:]), sender: im.UserID(q.Sender), users: strings.Join(users, "\n"), body: body, state: running}
	sum := sha256.Sum256([]byte(q.Sender + "\x00" + r.users + "\x00" + string(body)))
	r.hash = sum[:]
	return r, nil
}

// GetBroadcast tells how far one is. Errors: NotFound.
func (s *Service) GetBroadcast(ctx context.Context, a im.Actor, q *skeinv1.GetBroadcastRequest) (*skeinv1.GetBroadcastResponse, error) {
	if !a.Server {
		return nil, im.ErrNotFound
	}
	var r *row
	err := s.d.DB.Read(ctx, func(tx db.Tx) (err error) {
		r, err = read(tx, a.App, hex.EncodeToString(q.GetId()))
		return err
	})
	if err != nil {
		return nil, err
	}
	return &skeinv1.GetBroadcastResponse{Broadcast: r.wire()}, nil
}

// CancelBroadcast ends one that runs. Errors: NotFound.
func (s *Service) CancelBroadcast(ctx context.Context, a im.Actor, q *skeinv1.CancelBroadcastRequest) (*skeinv1.CancelBroadcastResponse, error) {
	if !a.Server {
		return nil, im.ErrNotFound
	}
	var r *row
	err := s.d.DB.Write(ctx, func(tx db.Tx) (err error) {
		if r, err = read(tx, a.App, hex.EncodeToString(q.GetId())); err != nil || r.state != running {
			return err
		}
		if r.finished, err = tx.Now(); err != nil {
			return err
		}
		r.state = cancelled
		if _, err = tx.Exec("UPDATE broadcast SET state = $3, finished = $4 WHERE app = $1 AND id = $2", r.app, r.id, r.state, r.finished); err != nil {
			return err
		}
		return s.d.Files.Release(tx, r.app, heldBy(r.id))
	})
	if err != nil {
		return nil, err
	}
	return &skeinv1.CancelBroadcastResponse{Broadcast: r.wire()}, nil
}

// serve writes to the next users and plans who follows them.
func (s *Service) serve(ctx context.Context, app im.AppID, id string) error {
	var r *row
	err := s.d.DB.Read(ctx, func(tx db.Tx) (err error) {
		r, err = read(tx, app, id)
		return err
	})
	if im.CodeOf(err) == im.NotFound || err == nil && r.state != running {
		return nil
	}
	if err != nil {
		return err
	}
	users, err := s.next(ctx, r)
	if err != nil {
		return err
	}
	before := r.step
	wait, err := s.sayAll(ctx, r, users)
	if err != nil {
		return err
	}
	return s.d.DB.Write(ctx, func(tx db.Tx) error {
		r.step, r.state, r.finished = before+1, running, 0
		if len(users) < piece && wait == 0 {
			if r.finished, err = tx.Now(); err != nil {
				return err
			}
			r.state = done
		}
		n, err := tx.Exec("UPDATE broadcast SET state = $5, after = $6, step = $7, sent = $8, refused = $9, finished = $10 WHERE app = $1 AND id = $2 AND step = $3 AND state = $4",
			r.app, r.id, before, running, r.state, r.after, r.step, r.sent, r.refused, r.finished)
		switch {
		case err != nil || n == 0: // another try was faster, or it was cancelled
			return err
		case r.state == done:
			return s.d.Files.Release(tx, r.app, heldBy(r.id))
		}
		return s.plan(tx, r, max(pause, wait))
	})
}

// sayAll writes to users, in order, and notes how far it has come. wait > 0: the
// app has used up what it may send for so long, and the rest is for the next
// job, rather than for another try of this one, of which there are not that many.
func (s *Service) sayAll(ctx context.Context, r *row, users []im.UserID) (wait time.Duration, err error) {
	for _, u := range users {
		got, err := s.say(ctx, r, u)
		var e *im.Error
		switch {
		case errors.As(err, &e) && (e.Code == im.RateLimited || e.Code == im.ResourceExhausted) && e.RetryAfter > 0:
			return e.RetryAfter, nil
		case err != nil:
			return 0, err
		case got:
			r.sent++
		default:
			r.refused++
		}
		r.after = u
	}
	return 0, nil
}

// next returns the users of the next piece.
func (s *Service) next(ctx context.Context, r *row) ([]im.UserID, error) {
	if r.users == "" {
		return s.d.Users(ctx, r.app, r.after, piece)
	}
	var out []im.UserID
	for u := range strings.SplitSeq(r.users, "\n") {
		if im.UserID(u) > r.after && len(out) < piece {
			out = append(out, im.UserID(u))
		}
	}
	return out, nil
}

// say writes to one user; false when that may not be.
func (s *Service) say(ctx context.Context, r *row, u im.UserID) (bool, error) {
	if u == r.sender {
		return false, nil
	}
	_, err := s.d.Chat.Send(ctx, im.Actor{App: r.app, User: r.sender}, chat.SendRequest{Conv: im.Direct(r.sender, u), ClientID: messageID(r.id, u), Body: r.body, FromApp: true})
	switch im.CodeOf(err) {
	case im.Code(0):
		return true, nil
	case im.PermissionDenied, im.NotFound, im.FailedPrecondition, im.InvalidArgument, im.ClockSkew, im.ClientIDReused, im.TooLarge:
		return false, nil
	}
	return false, err
}

// messageID is the client id of a broadcast's message to a user.
func messageID(id string, u im.UserID) (out im.ClientID) {
	raw, _ := hex.DecodeString(id) // it was encoded here
	copy(out[:], raw)
	sum := sha256.Sum256([]byte("skein broadcast " + id + " " + string(u)))
	copy(out[6:], sum[:])
	out[6], out[8] = out[6]&0x0f|0x70, out[8]&0x3f|0x80
	return out
}

// purge forgets what has been over for long.
func (s *Service) purge(ctx context.Context) error {
	return s.d.DB.Write(ctx, func(tx db.Tx) error {
		now, err := tx.Now()
		if err == nil {
			_, err = tx.Exec("DELETE FROM broadcast WHERE finished > 0 AND finished < $1", now-im.Micros(keep.Microseconds()))
		}
		return err
	})
}
