package timed

import (
	"errors"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// The states of a row are those of the wire.
const (
	waiting   = int64(skeinv1.ScheduledState_SCHEDULED_STATE_WAITING)
	sending   = int64(skeinv1.ScheduledState_SCHEDULED_STATE_SENDING)
	sent      = int64(skeinv1.ScheduledState_SCHEDULED_STATE_SENT)
	failed    = int64(skeinv1.ScheduledState_SCHEDULED_STATE_FAILED)
	cancelled = int64(skeinv1.ScheduledState_SCHEDULED_STATE_CANCELLED)
)

// row is a scheduled message as it is stored.
type row struct {
	app     im.AppID
	user    im.UserID
	id      string
	conv    im.ConvID
	hash    []byte
	message []byte
	sendAt  im.Micros
	state   int64
	version int64
	sendID  []byte
	seq     im.Seq
	code    int64
	err     string
	created im.Micros
	updated im.Micros
}

// name is the row's, among all that hold files.
func (r *row) name() string { return "later/" + string(r.user) + "/" + r.id }

func (r *row) actor() im.Actor { return im.Actor{App: r.app, User: r.user} }

const columns = "app, usr, id, conv, hash, message, send_at, state, version, send_id, seq, code, error, created, updated"

func (r *row) scan(from interface{ Scan(...any) error }) error {
	return from.Scan(&r.app, &r.user, &r.id, &r.conv, &r.hash, &r.message, &r.sendAt, &r.state, &r.version, &r.sendID, &r.seq, &r.code,
		&r.err, &r.created, &r.updated)
}

// load reads a row; NotFound when there is none.
func load(tx db.Tx, a im.Actor, id string) (*row, error) {
	r := new(row)
	err := r.scan(tx.QueryRow("SELECT "+columns+" FROM scheduled WHERE app = $1 AND usr = $2 AND id = $3", a.App, a.User, id))
	if errors.Is(err, db.ErrNoRows) {
		return nil, im.ErrNotFound
	}
	return r, err
}

// store writes a row that was loaded or is new.
func (r *row) store(tx db.Tx) error {
	var sendID any
	if r.sendID != nil {
		sendID = r.sendID
	}
	if r.message == nil {
		r.message = []byte{}
	}
	_, err := tx.Exec("INSERT INTO scheduled ("+columns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
		ON CONFLICT (app, usr, id) DO UPDATE SET message = excluded.message, send_at = excluded.send_at, state = excluded.state,
		version = excluded.version, send_id = excluded.send_id, seq = excluded.seq, code = excluded.code, error = excluded.error, updated = excluded.updated`,
		r.app, r.user, r.id, r.conv, r.hash, r.message, r.sendAt, r.state, r.version, sendID, r.seq, r.code, r.err, r.created, r.updated)
	return err
}

// wire is the row as a client sees it.
func (r *row) wire() (*skeinv1.Scheduled, error) {
	id, err := unhex(r.id)
	if err != nil {
		return nil, err
	}
	out := &skeinv1.Scheduled{Id: id, SendAtUs: int64(r.sendAt), State: skeinv1.ScheduledState(r.state), Version: uint32(r.version), CreatedUs: int64(r.created)}
	if len(r.message) > 0 {
		out.Message = new(skeinv1.SendMessageRequest)
		if err := proto.Unmarshal(r.message, out.Message); err != nil {
			return nil, err
		}
	}
	if r.state == failed {
		out.Error = &skeinv1.Error{Code: skeinv1.ErrorCode(r.code), Message: r.err}
	}
	return out, nil
}
