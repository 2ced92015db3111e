package timed

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/job"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

func unhex(s string) ([]byte, error) { return hex.DecodeString(s) }

// ScheduleMessage keeps a message to be sent at a time.
func (s *Service) ScheduleMessage(ctx context.Context, a im.Actor, req *skeinv1.ScheduleMessageRequest) (*skeinv1.ScheduleMessageResponse, error) {
	id, err := parseID(req.GetClientId())
	if err != nil {
		return nil, err
	}
	conv, message, err := s.check(a, req.GetMessage(), req.GetClientId())
	if err != nil {
		return nil, err
	}
	seen, err := s.d.Chat.Open(ctx, a, conv)
	if err == nil && seen.GetMembership().GetToSeq() != 0 { // whether they may speak is decided later, but who has left will not
		err = im.ErrNotFound
	}
	if err == nil && seen.GetSettings().GetType() == skeinv1.GroupType_GROUP_TYPE_LIVESTREAM { // it will be one for ever
		err = chat.ErrKeepsNothing()
	}
	if err != nil {
		return nil, err
	}
	at := im.Micros(req.GetSendAtUs())
	var out *row
	var fresh bool
	err = s.d.DB.Write(ctx, func(tx db.Tx) error {
		fresh = false
		hash := hashOf(message, at)
		if out, err = load(tx, a, id); err == nil {
			if !bytes.Equal(out.hash, hash) {
				return im.Errorf(im.ClientIDReused, "this client id was used for another message")
			}
			return nil
		}
		if im.CodeOf(err) != im.NotFound {
			return err
		}
		now, err := tx.Now()
		if err != nil {
			return err
		}
		if err := checkTime(at, now); err != nil {
			return err
		}
		var n int64
		if err := tx.QueryRow("SELECT count(*) FROM scheduled WHERE app = $1 AND usr = $2 AND state IN (1, 2, 4)", a.App, a.User).Scan(&n); err != nil {
			return err
		}
		if n >= MaxScheduled {
			return &im.Error{Code: im.ResourceExhausted, Message: "at most " + strconv.Itoa(MaxScheduled) + " messages of a user are kept for later",
				Hint: "cancel one, or send it now"}
		}
		fresh = true
		out = &row{app: a.App, user: a.User, id: id, conv: conv, hash: hash, message: message, sendAt: at, state: waiting, version: 1, created: now, updated: now}
		if err := s.hold(tx, out); err != nil {
			return err
		}
		return s.plan(tx, out, now)
	})
	if err != nil {
		return nil, err
	}
	if fresh {
		s.tell(ctx, a)
	}
	w, err := out.wire()
	return &skeinv1.ScheduleMessageResponse{Scheduled: w}, err
}

// hold keeps the files of what a row will send.
func (s *Service) hold(tx db.Tx, r *row) error {
	m := new(skeinv1.SendMessageRequest)
	if err := proto.Unmarshal(r.message, m); err != nil {
		return err
	}
	body, err := proto.Marshal(m.GetBody())
	if err != nil {
		return err
	}
	return s.d.Files.Hold(tx, r.actor(), r.name(), body)
}

// plan stores a row that waits, with the job that will send it.
func (s *Service) plan(tx db.Tx, r *row, now im.Micros) error {
	if err := r.store(tx); err != nil {
		return err
	}
	_, _, err := s.d.Queue.Enqueue(tx, job.Spec{Kind: scheduledKind, App: r.app, Key: string(r.user) + "/" + r.id + "/" + strconv.FormatInt(r.version, 10),
		Delay: time.Duration(max(0, r.sendAt-now)) * time.Microsecond})
	return err
}

// check holds a message to the rules of sending that need no state, and
// returns it as it is stored.
func (s *Service) check(a im.Actor, m *skeinv1.SendMessageRequest, id []byte) (im.ConvID, []byte, error) {
	switch {
	case a.Server:
		return "", nil, im.Errorf(im.InvalidArgument, "only users schedule messages")
	case m == nil:
		return "", nil, im.Errorf(im.InvalidArgument, "message is missing")
	case m.GetKey() != "" || m.GetHandshake():
		return "", nil, im.Errorf(im.InvalidArgument, "values of keys and handshakes are not sent later")
	}
	m = proto.Clone(m).(*skeinv1.SendMessageRequest)
	m.ClientId = id
	r, err := s.d.Decode(m)
	if err == nil {
		err = s.d.Chat.CheckSend(&r)
	}
	if err != nil {
		return "", nil, err
	}
	m.ClientId = nil
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	return r.Conv, raw, err
}

func checkTime(at, now im.Micros) error {
	ahead := time.Duration(at-now) * time.Microsecond
	if at-now > im.Micros(MaxAhead/time.Microsecond) || ahead < MinAhead {
		return &im.Error{Code: im.InvalidArgument, Message: "a message is scheduled for 1 second to 365 days ahead", ServerTime: now,
			Hint: "count from the server's time"}
	}
	return nil
}

func hashOf(message []byte, at im.Micros) []byte {
	h := sha256.New()
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(at)))
	h.Write(message)
	return h.Sum(nil)
}

// ListScheduled returns what waits and what has failed, soonest first.
func (s *Service) ListScheduled(ctx context.Context, a im.Actor, req *skeinv1.ListScheduledRequest) (*skeinv1.ListScheduledResponse, error) {
	var out *skeinv1.ListScheduledResponse
	err := s.d.DB.Read(ctx, func(tx db.Tx) error {
		out = &skeinv1.ListScheduledResponse{}
		rows, err := tx.Query("SELECT "+columns+" FROM scheduled WHERE app = $1 AND usr = $2 AND state IN (1, 2, 4) ORDER BY send_at, id LIMIT 200", a.App, a.User)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var r row
			if err := r.scan(rows); err != nil {
				return err
			}
			if c := req.GetConversation(); c != "" && string(r.conv) != c {
				continue
			}
			w, err := r.wire()
			if err != nil {
				return err
			}
			out.Scheduled = append(out.Scheduled, w)
		}
		return rows.Err()
	})
	return out, err
}

// errBeingSent refuses a change of what is on its way.
func errBeingSent() error {
	return im.Errorf(im.FailedPrecondition, "the message is being sent")
}

// UpdateScheduled changes a message that waits or has failed.
func (s *Service) UpdateScheduled(ctx context.Context, a im.Actor, req *skeinv1.UpdateScheduledRequest) (*skeinv1.UpdateScheduledResponse, error) {
	id, err := parseID(req.GetId())
	if err != nil {
		return nil, err
	}
	var message []byte
	var conv im.ConvID
	if req.GetMessage() != nil {
		probe, err := im.NewClientID(s.d.Clock.Now(), s.d.Entropy)
		if err != nil {
			return nil, err
		}
		if conv, message, err = s.check(a, req.GetMessage(), probe[:]); err != nil {
			return nil, err
		}
	}
	out, err := s.change(ctx, a, id, func(tx db.Tx, r *row, now im.Micros) error {
		switch {
		case r.state == sending:
			return errBeingSent()
		case req.GetVersion() != 0 && int64(req.GetVersion()) != r.version:
			return im.Errorf(im.FailedPrecondition, "it was changed meanwhile: its version is %d", r.version)
		case conv != "" && conv != r.conv:
			return im.Errorf(im.InvalidArgument, "a message stays in its conversation")
		}
		if message != nil {
			r.message = message
			if err := s.hold(tx, r); err != nil {
				return err
			}
		}
		if at := im.Micros(req.GetSendAtUs()); at != 0 {
			r.sendAt = at
		}
		r.state, r.code, r.err, r.sendID = waiting, 0, "", nil
		return checkTime(r.sendAt, now)
	})
	if err != nil {
		return nil, err
	}
	w, err := out.wire()
	return &skeinv1.UpdateScheduledResponse{Scheduled: w}, err
}

// change changes a row that is not over, and tells the user's devices.
func (s *Service) change(ctx context.Context, a im.Actor, id string, fn func(tx db.Tx, r *row, now im.Micros) error) (*row, error) {
	var out *row
	err := s.d.DB.Write(ctx, func(tx db.Tx) error {
		now, err := tx.Now()
		if err != nil {
			return err
		}
		if out, err = load(tx, a, id); err != nil {
			return err
		}
		if out.state == sent || out.state == cancelled {
			return im.ErrNotFound
		}
		if err := fn(tx, out, now); err != nil {
			return err
		}
		out.version++
		out.updated = now
		if out.state == waiting {
			return s.plan(tx, out, now)
		}
		return out.store(tx)
	})
	if err != nil {
		return nil, err
	}
	s.tell(ctx, a)
	return out, nil
}

// CancelScheduled forgets a message that waits or has failed.
func (s *Service) CancelScheduled(ctx context.Context, a im.Actor, req *skeinv1.CancelScheduledRequest) (*skeinv1.CancelScheduledResponse, error) {
	id, err := parseID(req.GetId())
	if err != nil {
		return nil, err
	}
	_, err = s.change(ctx, a, id, func(tx db.Tx, r *row, _ im.Micros) error {
		if r.state == sending {
			return errBeingSent()
		}
		r.state, r.message = cancelled, nil
		return s.d.Files.Release(tx, r.app, r.name())
	})
	if im.CodeOf(err) == im.NotFound && s.is(ctx, a, id, cancelled) {
		err = nil
	}
	return &skeinv1.CancelScheduledResponse{}, err
}

func (s *Service) is(ctx context.Context, a im.Actor, id string, state int64) bool {
	var r *row
	err := s.d.DB.Read(ctx, func(tx db.Tx) (err error) {
		r, err = load(tx, a, id)
		return err
	})
	return err == nil && r.state == state
}

// tell has every device of a user read the list again. It is a hint: who
// misses it reads the list when it is opened.
func (s *Service) tell(ctx context.Context, a im.Actor) {
	a.Device = "" // the device that made the change hears of it as well
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	id, err := im.NewClientID(s.d.Clock.Now(), s.d.Entropy)
	if err == nil {
		body, merr := proto.Marshal(&skeinv1.Body{Scheme: skeinv1.BodyScheme_BODY_SCHEME_CONTENT, Content: &skeinv1.Content{
			Kind: &skeinv1.Content_Custom{Custom: &skeinv1.Custom{Type: "skein.scheduled", Data: id[:]}}}})
		if err = merr; err == nil {
			_, err = s.d.Chat.Send(ctx, a, chat.SendRequest{Conv: im.Self(a.User), ClientID: id, Key: "scheduled", Body: body})
		}
	}
	if err != nil {
		s.d.Log.Warn("devices were not told of a change of scheduled messages", "app", a.App, "err", err)
	}
}
