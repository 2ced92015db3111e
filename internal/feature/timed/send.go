package timed

import (
	"context"
	"errors"
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

// scheduledTries is how often a server that cannot send tries again: with the
// job's growing delay, for about a day.
const scheduledTries = 34

// runScheduled sends a message whose time has come. A row that was changed
// since the job was made has another job.
func (s *Service) runScheduled(ctx context.Context, j job.Job) error {
	// The key is user/id/version; a user's id can have slashes.
	rest, v, ok := cutLast(j.Key)
	user, id, ok2 := cutLast(rest)
	version, err := strconv.ParseInt(v, 10, 64)
	if !ok || !ok2 || err != nil {
		return job.Permanent(errors.New("the job's key is not one of a scheduled message"))
	}
	actor := im.Actor{App: j.App, User: im.UserID(user)}
	row, err := s.claim(ctx, actor, id, version)
	if err != nil || row == nil {
		return err
	}
	_, err = s.deliver(ctx, row, j.Try >= scheduledTries)
	if !definitive(err) && j.Try < scheduledTries {
		return err
	}
	return nil
}

func cutLast(s string) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, '/')
	if i < 0 {
		return "", "", false
	}
	return s[:i], s[i+1:], true
}

// claim makes a row one that is being sent, with the client id that every
// attempt will have. nil = there is nothing to send (any more). version 0 is
// any.
func (s *Service) claim(ctx context.Context, a im.Actor, id string, version int64) (*row, error) {
	var out *row
	err := s.d.DB.Write(ctx, func(tx db.Tx) error {
		out = nil
		row, err := load(tx, a, id)
		if im.CodeOf(err) == im.NotFound {
			return nil
		}
		if err != nil {
			return err
		}
		if version != 0 && row.version != version || row.state == sent || row.state == cancelled || version != 0 && row.state == failed {
			return nil
		}
		now, err := tx.Now()
		if err != nil {
			return err
		}
		if row.sendID == nil {
			cid, err := im.NewClientID(s.d.Clock.Now(), s.d.Entropy)
			if err != nil {
				return err
			}
			row.sendID = cid[:]
		}
		row.state, row.updated = sending, now
		out = row
		return row.store(tx)
	})
	return out, err
}

// definitive tells whether a send that failed with err would fail again, and
// has stored nothing.
func definitive(err error) bool {
	var e *im.Error
	if err == nil {
		return true
	}
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code {
	case im.Unavailable, im.RateLimited, im.ResourceExhausted, im.Internal, im.DataLoss:
		return false
	}
	return true
}

// deliver sends a claimed row and writes down what came of it. With last, what
// may have failed for a moment only counts as failed.
func (s *Service) deliver(ctx context.Context, row *row, last bool) (journal.Result, error) {
	res, err := s.say(ctx, row)
	if err != nil && !definitive(err) && !last {
		return res, err
	}
	storeErr := s.d.DB.Write(ctx, func(tx db.Tx) error {
		now, terr := tx.Now()
		if terr != nil {
			return terr
		}
		fresh, terr := load(tx, row.actor(), row.id)
		if terr != nil || fresh.state != sending {
			return terr
		}
		fresh.updated = now
		if err == nil {
			fresh.state, fresh.message, fresh.seq, fresh.code, fresh.err = sent, nil, res.Entry.Seq, 0, ""
			if terr := s.d.Files.Release(tx, fresh.app, fresh.name()); terr != nil { // the message has them
				return terr
			}
			return fresh.store(tx)
		}
		e, _ := im.Shown(err)
		fresh.state, fresh.code, fresh.err = failed, int64(e.Code), e.Message
		if definitive(err) { // nothing was stored, so the next attempt is another message
			fresh.sendID = nil
		}
		return fresh.store(tx)
	})
	if storeErr != nil {
		return res, storeErr
	}
	s.tell(ctx, row.actor())
	return res, err
}

func (s *Service) say(ctx context.Context, row *row) (journal.Result, error) {
	m := new(skeinv1.SendMessageRequest)
	if err := proto.Unmarshal(row.message, m); err != nil {
		return journal.Result{}, im.Errorf(im.InvalidArgument, "the stored message can not be read")
	}
	m.ClientId = row.sendID
	send, err := s.d.Decode(m)
	if err != nil {
		return journal.Result{}, err
	}
	return s.d.Chat.Send(ctx, row.actor(), send)
}

// SendScheduledNow sends a message that waits or has failed.
func (s *Service) SendScheduledNow(ctx context.Context, a im.Actor, req *skeinv1.SendScheduledNowRequest) (*skeinv1.SendScheduledNowResponse, error) {
	id, err := parseID(req.GetId())
	if err != nil {
		return nil, err
	}
	row, err := s.hurry(ctx, a, id)
	if err != nil {
		return nil, err
	}
	if row.state == sent {
		e, err := s.stored(ctx, row)
		return &skeinv1.SendScheduledNowResponse{Entry: e}, err
	}
	res, err := s.deliver(ctx, row, false)
	if err != nil {
		return nil, err
	}
	return &skeinv1.SendScheduledNowResponse{Entry: chat.ProtoEntry(&res.Entry)}, nil
}

// stored reads the message that was sent, as it is now.
func (s *Service) stored(ctx context.Context, row *row) (*skeinv1.Entry, error) {
	p, err := s.d.Chat.History(ctx, row.actor(), chat.HistoryRequest{Conv: row.conv, After: row.seq - 1, Limit: 1})
	if err != nil {
		return nil, err
	}
	for _, i := range p.GetItems() {
		if i.GetEntry().GetSeq() == uint64(row.seq) {
			return i.GetEntry(), nil
		}
	}
	return nil, im.ErrNotFound
}

// hurry claims a row for its user, with a job that finishes the work should
// this node not.
func (s *Service) hurry(ctx context.Context, a im.Actor, id string) (*row, error) {
	var out *row
	err := s.d.DB.Write(ctx, func(tx db.Tx) error {
		now, err := tx.Now()
		if err != nil {
			return err
		}
		if out, err = load(tx, a, id); err != nil || out.state == sent {
			return err
		}
		if out.state == cancelled {
			return im.ErrNotFound
		}
		if out.sendID == nil {
			cid, err := im.NewClientID(s.d.Clock.Now(), s.d.Entropy)
			if err != nil {
				return err
			}
			out.sendID = cid[:]
		}
		out.state, out.version, out.updated = sending, out.version+1, now
		out.sendAt = now + im.Micros(5*time.Second/time.Microsecond) // when the job looks after it
		return s.plan(tx, out, now)
	})
	return out, err
}

// purge removes what is over, once no client can repeat the call that made it.
func (s *Service) purge(ctx context.Context, _ job.Job) error {
	return s.d.DB.Write(ctx, func(tx db.Tx) error {
		now, err := tx.Now()
		if err != nil {
			return err
		}
		_, err = tx.Exec("DELETE FROM scheduled WHERE state IN (3, 5) AND updated < $1", now-im.Micros((s.d.IDWindow+24*time.Hour)/time.Microsecond))
		return err
	})
}
