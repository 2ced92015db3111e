package join

import (
	"context"
	"encoding/json"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/job"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// The names of the kinds of jobs.
const (
	noticeJob = "join_notice"
	tidyJob   = "join_tidy"
)

// maxTold is how many of those who may answer are told of requests; the others
// ask ListJoinRequests.
const maxTold = 100

// notice says whose request to what group has changed. What it came to is read
// when it is told.
type notice struct {
	Conv im.ConvID `json:"conv"`
	User im.UserID `json:"user"`
}

// notify has those who may answer, and who asked, told of what the caller's
// transaction changes: by values in their own conversations, so that every
// device of theirs hears of it now or when it comes back. The jobs of a group
// run one after the other, and each tells what is true when it runs.
func (s *Service) notify(tx db.Tx, app im.AppID, conv im.ConvID, user im.UserID) error {
	body, err := json.Marshal(notice{conv, user})
	if err != nil {
		return err
	}
	_, _, err = s.Jobs.Enqueue(tx, job.Spec{Kind: noticeJob, App: app, Target: string(conv), Body: body})
	return err
}

// tell writes the values of a notice.
func (s *Service) tell(ctx context.Context, j job.Job) error {
	var n notice
	if err := json.Unmarshal(j.Body, &n); err != nil {
		return job.Permanent(err)
	}
	own := &skeinv1.JoinState{}
	all := &skeinv1.JoinState{Conversation: string(n.Conv)}
	err := s.DB.Read(ctx, func(tx db.Tx) (err error) {
		if own.Requests, err = mine(tx, j.App, n.User); err != nil {
			return err
		}
		now, err := tx.Now()
		if err != nil {
			return err
		}
		var open, newest int64
		err = tx.QueryRow("SELECT count(*), coalesce(max(created), 0) FROM join_request WHERE app = $1 AND conv = $2 AND state = 0 AND expires > $3",
			j.App, n.Conv, now).Scan(&open, &newest)
		all.Open, all.NewestUs = uint32(open), newest
		return err
	})
	if err != nil {
		return err
	}
	if err := s.put(ctx, j.App, n.User, "join", own); err != nil {
		return err
	}
	room, err := s.group(ctx, j.App, n.Conv)
	if im.CodeOf(err) == im.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	for _, u := range s.answerers(room) {
		if err := s.put(ctx, j.App, u, "join/"+string(n.Conv), all); err != nil {
			return err
		}
	}
	return nil
}

// answerers returns who may answer requests to join, at most maxTold.
func (s *Service) answerers(room *chat.Room) (out []im.UserID) {
	now := im.MicrosOf(s.Clock.Now())
	room.Each(func(u im.UserID) {
		if len(out) < maxTold && room.Grants(u, now).Has(skeinv1.Grant_GRANT_ADD_MEMBERS) {
			out = append(out, u)
		}
	})
	return out
}

// put sets a value in a user's own conversation.
func (s *Service) put(ctx context.Context, app im.AppID, user im.UserID, key string, state *skeinv1.JoinState) error {
	id, err := im.NewClientID(s.Clock.Now(), s.Entropy)
	if err != nil {
		return err
	}
	_, err = s.Chat.SetKeyed(ctx, im.Actor{App: app, Server: true}, im.Self(user), id, func(journal.View, *chat.Room) (chat.Keyed, error) {
		return chat.Keyed{Verb: chat.VerbSend, Key: key, Content: &skeinv1.Content{Kind: &skeinv1.Content_Join{Join: state}}}, nil
	})
	return err
}
