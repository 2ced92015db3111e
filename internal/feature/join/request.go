package join

import (
	"context"
	"errors"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// The states of a request.
const (
	stateOpen     = 0
	stateDeclined = 1
)

// request is a row of join_request.
type request struct {
	conv             im.ConvID
	user             im.UserID
	message          string
	inviter          im.UserID
	state            int64
	created, expires im.Micros
}

const requestColumns = "conv, usr, message, inviter, state, created, expires"

func (q *request) dest() []any {
	return []any{&q.conv, &q.user, &q.message, &q.inviter, &q.state, &q.created, &q.expires}
}

func (q *request) wire() *skeinv1.JoinRequest {
	state := skeinv1.JoinRequestState_JOIN_REQUEST_STATE_OPEN
	if q.state == stateDeclined {
		state = skeinv1.JoinRequestState_JOIN_REQUEST_STATE_DECLINED
	}
	return &skeinv1.JoinRequest{Conversation: string(q.conv), User: string(q.user), Message: q.message, CreatedUs: int64(q.created),
		ExpiresUs: int64(q.expires), Inviter: string(q.inviter), State: state}
}

// file files the actor's request, or returns the one that is open already. An
// invitation that asks for approval is used by the row, in its transaction.
func (s *Service) file(ctx context.Context, a im.Actor, conv im.ConvID, message string, by *invite) (*skeinv1.JoinRequest, error) {
	var q request
	err := s.write(ctx, func(tx db.Tx) error {
		q = request{conv: conv, user: a.User, message: message}
		if by != nil {
			q.inviter = by.creator
		}
		now, err := tx.Now()
		if err != nil {
			return err
		}
		var old request
		err = tx.QueryRow("SELECT "+requestColumns+" FROM join_request WHERE app = $1 AND conv = $2 AND usr = $3", a.App, conv, a.User).Scan(old.dest()...)
		if err == nil && old.state == stateOpen && old.expires > now {
			q = old
			return nil
		}
		if err != nil && !errors.Is(err, db.ErrNoRows) {
			return err
		}
		if err := roomForOne(tx, a, conv, now); err != nil {
			return err
		}
		if by != nil {
			if err := takeUse(tx, by, now); err != nil {
				return err
			}
		}
		q.created, q.expires = now, now+im.Micros(RequestLife.Microseconds())
		if _, err := tx.Exec(`INSERT INTO join_request (app, conv, usr, message, inviter, state, created, expires, claim, claimed)
VALUES ($1, $2, $3, $4, $5, 0, $6, $7, $8, 0)
ON CONFLICT (app, conv, usr) DO UPDATE SET message = excluded.message, inviter = excluded.inviter, state = 0, created = excluded.created,
  expires = excluded.expires, claim = excluded.claim, claimed = 0`,
			a.App, conv, a.User, q.message, q.inviter, q.created, q.expires, []byte{}); err != nil {
			return err
		}
		return s.notify(tx, a.App, conv, a.User)
	})
	if err != nil {
		return nil, err
	}
	return q.wire(), nil
}

// roomForOne refuses a request too many.
func roomForOne(tx db.Tx, a im.Actor, conv im.ConvID, now im.Micros) error {
	var mine, theirs int64
	err := tx.QueryRow("SELECT count(*) FROM join_request WHERE app = $1 AND usr = $2 AND state = 0 AND expires > $3", a.App, a.User, now).Scan(&mine)
	if err == nil {
		err = tx.QueryRow("SELECT count(*) FROM join_request WHERE app = $1 AND conv = $2 AND state = 0 AND expires > $3", a.App, conv, now).Scan(&theirs)
	}
	switch {
	case err != nil:
		return err
	case mine >= MaxOpen:
		return &im.Error{Code: im.ResourceExhausted, Message: "you have too many open requests", Hint: "cancel one, or wait for an answer"}
	case theirs >= MaxWaiting:
		return im.Errorf(im.ResourceExhausted, "the group has too many open requests")
	}
	return nil
}

// ListJoinRequests answers skein.v1.JoinService.ListJoinRequests.
func (s *Service) ListJoinRequests(ctx context.Context, a im.Actor, r *skeinv1.ListJoinRequestsRequest) (*skeinv1.ListJoinRequestsResponse, error) {
	conv := im.ConvID(r.Conversation)
	limit, err := pageSize(int(r.Limit), 50, 200)
	if err != nil {
		return nil, err
	}
	l := list{"requests", a, conv}
	after, user, err := s.openPage(l, r.Page)
	if err != nil {
		return nil, err
	}
	if _, err := s.manager(ctx, a, conv, skeinv1.Grant_GRANT_ADD_MEMBERS); err != nil {
		return nil, err
	}
	out := &skeinv1.ListJoinRequestsResponse{}
	var last request
	err = s.DB.Read(ctx, func(tx db.Tx) error {
		now, err := tx.Now()
		if err != nil {
			return err
		}
		var open int64
		if err := tx.QueryRow("SELECT count(*) FROM join_request WHERE app = $1 AND conv = $2 AND state = 0 AND expires > $3", a.App, conv, now).Scan(&open); err != nil {
			return err
		}
		out.Open = uint32(open)
		rows, err := tx.Query("SELECT "+requestColumns+` FROM join_request WHERE app = $1 AND conv = $2 AND state = 0 AND expires > $3
AND (created > $4 OR created = $4 AND usr > $5) ORDER BY created, usr LIMIT $6`, a.App, conv, now, after, user, limit)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			last = request{}
			if err := rows.Scan(last.dest()...); err != nil {
				return err
			}
			out.Requests = append(out.Requests, last.wire())
		}
		return rows.Err()
	})
	if len(out.Requests) == limit {
		out.NextPage = s.sealPage(l, last.created, string(last.user))
	}
	return out, err
}

// ListMyJoinRequests answers skein.v1.JoinService.ListMyJoinRequests.
func (s *Service) ListMyJoinRequests(ctx context.Context, a im.Actor, _ *skeinv1.ListMyJoinRequestsRequest) (*skeinv1.ListMyJoinRequestsResponse, error) {
	if a.Server {
		return nil, im.Errorf(im.InvalidArgument, "a user has requests")
	}
	out := &skeinv1.ListMyJoinRequestsResponse{}
	err := s.DB.Read(ctx, func(tx db.Tx) (err error) {
		out.Requests, err = mine(tx, a.App, a.User)
		return err
	})
	return out, err
}

// mine returns a user's requests that are open or were declined, newest first.
func mine(tx db.Tx, app im.AppID, user im.UserID) (out []*skeinv1.JoinRequest, err error) {
	now, err := tx.Now()
	if err != nil {
		return nil, err
	}
	rows, err := tx.Query("SELECT "+requestColumns+" FROM join_request WHERE app = $1 AND usr = $2 AND expires > $3 ORDER BY state, created DESC, conv LIMIT 100",
		app, user, now)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var q request
		if err := rows.Scan(q.dest()...); err != nil {
			return nil, err
		}
		out = append(out, q.wire())
	}
	return out, rows.Err()
}

// CancelJoinRequest answers skein.v1.JoinService.CancelJoinRequest. A declined
// request is taken off the list the same way.
func (s *Service) CancelJoinRequest(ctx context.Context, a im.Actor, r *skeinv1.CancelJoinRequestRequest) (*skeinv1.CancelJoinRequestResponse, error) {
	if err := s.AllowLookup(a); err != nil {
		return nil, err
	}
	return &skeinv1.CancelJoinRequestResponse{}, s.end(ctx, a, im.ConvID(r.Conversation), a.User, "DELETE FROM join_request")
}

// end takes a request out of the open ones, unless an answer is under way.
func (s *Service) end(ctx context.Context, a im.Actor, conv im.ConvID, user im.UserID, how string) error {
	return s.write(ctx, func(tx db.Tx) error {
		now, err := tx.Now()
		if err != nil {
			return err
		}
		n, err := tx.Exec(how+" WHERE app = $1 AND conv = $2 AND usr = $3 AND expires > $4 AND claimed < $5",
			a.App, conv, user, now, now-im.Micros(claimLife.Microseconds()))
		if err != nil {
			return err
		}
		if n == 0 {
			return missing(tx, a.App, conv, user, now)
		}
		return s.notify(tx, a.App, conv, user)
	})
}

// missing says why a request could not be changed.
func missing(tx db.Tx, app im.AppID, conv im.ConvID, user im.UserID, now im.Micros) error {
	var n int64
	err := tx.QueryRow("SELECT count(*) FROM join_request WHERE app = $1 AND conv = $2 AND usr = $3 AND state = 0 AND expires > $4", app, conv, user, now).Scan(&n)
	if err != nil {
		return err
	}
	if n == 0 {
		return im.ErrNotFound
	}
	return &im.Error{Code: im.FailedPrecondition, Message: "the request is being answered", Hint: "look at it again in a moment"}
}

// AnswerJoinRequest answers skein.v1.JoinService.AnswerJoinRequest.
func (s *Service) AnswerJoinRequest(ctx context.Context, a im.Actor, r *skeinv1.AnswerJoinRequestRequest) (*skeinv1.AnswerJoinRequestResponse, error) {
	conv, user := im.ConvID(r.Conversation), im.UserID(r.User)
	client, ok := im.ParseClientID(r.ClientId)
	if !ok {
		return nil, im.Errorf(im.InvalidArgument, "client_id is a UUIDv7 of 16 bytes")
	}
	if err := checkUser(user); err != nil {
		return nil, err
	}
	if _, err := s.manager(ctx, a, conv, skeinv1.Grant_GRANT_ADD_MEMBERS); err != nil {
		return nil, err
	}
	var err error
	if r.Accept {
		err = s.accept(ctx, a, conv, user, client)
	} else {
		err = s.end(ctx, a, conv, user, "UPDATE join_request SET state = 1")
	}
	return &skeinv1.AnswerJoinRequestResponse{}, err
}

// accept lets a user in who asked. The request is claimed first, so that
// nobody declines meanwhile, and deleted when the user is in; a node that dies
// in between leaves a claim that ends.
func (s *Service) accept(ctx context.Context, a im.Actor, conv im.ConvID, user im.UserID, client im.ClientID) error {
	if err := s.claim(ctx, a, conv, user, client); err != nil {
		if im.CodeOf(err) == im.NotFound && s.done(ctx, a, conv, client) {
			return nil
		}
		return err
	}
	leave, err := s.doors.enter(ctx, a.App, conv)
	if err != nil {
		return err
	}
	defer leave()
	_, err = s.Chat.Change(ctx, a, conv, client, func(room *chat.Room) (chat.Change, error) {
		if _, in := room.Member(user); in {
			return chat.Change{}, chat.ErrNoChange
		}
		if closed(room) {
			return chat.Change{}, im.ErrNotFound
		}
		if err := s.needs(room, a, skeinv1.Grant_GRANT_ADD_MEMBERS); err != nil {
			return chat.Change{}, err
		}
		return s.adding(room, user)
	})
	if errors.Is(err, chat.ErrNoChange) {
		err = nil
	}
	switch {
	case err == nil:
		return s.settleRequest(ctx, a, conv, user, client, "DELETE FROM join_request")
	case definite(err):
		if e := s.settleRequest(ctx, a, conv, user, client, "UPDATE join_request SET claimed = 0"); e != nil {
			s.Log.Warn("a request to join stays claimed", "err", e)
		}
	}
	return err
}

// definite tells whether an error says that nothing happened.
func definite(err error) bool {
	code := im.CodeOf(err)
	return code != 0 && code != im.Unavailable && code != im.Internal
}

// claim takes a request for one answer.
func (s *Service) claim(ctx context.Context, a im.Actor, conv im.ConvID, user im.UserID, client im.ClientID) error {
	return s.DB.Write(ctx, func(tx db.Tx) error {
		now, err := tx.Now()
		if err != nil {
			return err
		}
		n, err := tx.Exec(`UPDATE join_request SET claim = $1, claimed = $2 WHERE app = $3 AND conv = $4 AND usr = $5 AND state = 0 AND expires > $6
AND (claimed < $7 OR claim = $8)`, client[:], now, a.App, conv, user, now, now-im.Micros(claimLife.Microseconds()), client[:])
		if err == nil && n == 0 {
			err = missing(tx, a.App, conv, user, now)
		}
		return err
	})
}

// settleRequest writes the outcome of an answer, if it is still ours to write.
func (s *Service) settleRequest(ctx context.Context, a im.Actor, conv im.ConvID, user im.UserID, client im.ClientID, how string) error {
	return s.write(ctx, func(tx db.Tx) error {
		n, err := tx.Exec(how+" WHERE app = $1 AND conv = $2 AND usr = $3 AND claim = $4", a.App, conv, user, client[:])
		if err != nil || n == 0 {
			return err
		}
		return s.notify(tx, a.App, conv, user)
	})
}

// done tells whether an answer with this client id has let somebody in before.
func (s *Service) done(ctx context.Context, a im.Actor, conv im.ConvID, client im.ClientID) bool {
	found := false
	err := s.Journal.View(ctx, func(v journal.View) error {
		e, err := v.ByClientID(a.App, a.User, client)
		found = err == nil && e.Conv == conv && e.Kind == im.KindMembers
		return err
	})
	return err == nil && found
}
