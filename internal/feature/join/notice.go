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

// notice says whose request to what group has changed, "" = nobody's. What it
// came to is read when it is told.
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

// write is a transaction that may notify: what it enqueues is done at once,
// and not when the queue looks by itself.
func (s *Service) write(ctx context.Context, fn func(db.Tx) error) error {
	err := s.DB.Write(ctx, fn)
	if err == nil {
		s.Jobs.Wake()
	}
	return err
}

// tell writes the values of a notice.
func (s *Service) tell(ctx context.Context, j job.Job) error {
	var n notice
	if err := json.Unmarshal(j.Body, &n); err != nil {
		return job.Permanent(err)
	}
	all, err := s.waiting(ctx, j.App, n.Conv)
	if err != nil {
		return err
	}
	if n.User != "" {
		own := &skeinv1.JoinState{}
		if err := s.DB.Read(ctx, func(tx db.Tx) (err error) {
			own.Requests, err = mine(tx, j.App, n.User)
			return err
		}); err != nil {
			return err
		}
		if err := s.put(ctx, j.App, n.User, "join", own); err != nil {
			return err
		}
	}
	return s.tellAnswerers(ctx, j.App, n.Conv, all)
}

// waiting counts the open requests of a group.
func (s *Service) waiting(ctx context.Context, app im.AppID, conv im.ConvID) (*skeinv1.JoinState, error) {
	state := &skeinv1.JoinState{Conversation: string(conv)}
	err := s.DB.Read(ctx, func(tx db.Tx) error {
		now, err := tx.Now()
		if err != nil {
			return err
		}
		var open int64
		err = tx.QueryRow("SELECT count(*), coalesce(max(created), 0) FROM join_request WHERE app = $1 AND conv = $2 AND state = 0 AND expires > $3",
			app, conv, now).Scan(&open, &state.NewestUs)
		state.Open = uint32(open)
		return err
	})
	return state, err
}

// tellAnswerers tells those who may answer how many requests are open, and
// those who were told and may not any more that none is theirs.
func (s *Service) tellAnswerers(ctx context.Context, app im.AppID, conv im.ConvID, state *skeinv1.JoinState) error {
	room, err := s.group(ctx, app, conv)
	if im.CodeOf(err) == im.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	told, err := s.told(ctx, app, conv)
	if err != nil {
		return err
	}
	key, none := "join/"+string(conv), &skeinv1.JoinState{Conversation: string(conv)}
	if state.Open > 0 {
		for _, u := range s.answerers(room) {
			if err := s.put(ctx, app, u, key, state); err != nil {
				return err
			}
			if err := s.note(ctx, app, conv, u, "INSERT INTO join_told (app, conv, usr) VALUES ($1, $2, $3) ON CONFLICT (app, conv, usr) DO NOTHING"); err != nil {
				return err
			}
			delete(told, u)
		}
	}
	for u := range told {
		if err := s.put(ctx, app, u, key, none); err != nil {
			return err
		}
		if err := s.note(ctx, app, conv, u, "DELETE FROM join_told WHERE app = $1 AND conv = $2 AND usr = $3"); err != nil {
			return err
		}
	}
	return nil
}

// told returns whose value says that requests to a group wait.
func (s *Service) told(ctx context.Context, app im.AppID, conv im.ConvID) (map[im.UserID]bool, error) {
	out := make(map[im.UserID]bool)
	err := s.DB.Read(ctx, func(tx db.Tx) error {
		rows, err := tx.Query("SELECT usr FROM join_told WHERE app = $1 AND conv = $2", app, conv)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var u im.UserID
			if err := rows.Scan(&u); err != nil {
				return err
			}
			out[u] = true
		}
		return rows.Err()
	})
	return out, err
}

// note changes who was told.
func (s *Service) note(ctx context.Context, app im.AppID, conv im.ConvID, user im.UserID, how string) error {
	return s.DB.Write(ctx, func(tx db.Tx) error {
		_, err := tx.Exec(how, app, conv, user)
		return err
	})
}

// recount tells again where somebody was told and may no longer answer, or
// where the last request ended by its time.
func (s *Service) recount(ctx context.Context) error {
	type group struct {
		app  im.AppID
		conv im.ConvID
	}
	var groups []group
	err := s.DB.Read(ctx, func(tx db.Tx) error {
		rows, err := tx.Query("SELECT DISTINCT app, conv FROM join_told ORDER BY app, conv LIMIT $1", 10*tidyStep)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var g group
			if err := rows.Scan(&g.app, &g.conv); err != nil {
				return err
			}
			groups = append(groups, g)
		}
		return rows.Err()
	})
	if err != nil {
		return err
	}
	for _, g := range groups {
		stale, err := s.stale(ctx, g.app, g.conv)
		if err == nil && stale {
			err = s.write(ctx, func(tx db.Tx) error { return s.notify(tx, g.app, g.conv, "") })
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// stale tells whether what those who were told know is no longer so.
func (s *Service) stale(ctx context.Context, app im.AppID, conv im.ConvID) (bool, error) {
	state, err := s.waiting(ctx, app, conv)
	if err != nil || state.Open == 0 {
		return err == nil, err
	}
	room, err := s.group(ctx, app, conv)
	if err != nil {
		return false, err
	}
	told, err := s.told(ctx, app, conv)
	for _, u := range s.answerers(room) {
		delete(told, u)
	}
	return len(told) > 0, err
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
