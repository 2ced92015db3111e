package broadcast_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/feature/broadcast"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/job"
	"github.com/skein-im/skein/internal/journal"
	"github.com/skein-im/skein/internal/pgtest"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// front is a front door that refuses one user, and breaks down once.
type front struct {
	said   map[im.ConvID]map[im.ClientID]bool
	broken int                 // breaks down at this send; 0 = no more
	full   func(send int) bool // the app may send no more for a minute; nil = never
	sends  int
	users  int // sends that were not the app's
}

func (f *front) CheckSend(*chat.SendRequest) error { return nil }

func (f *front) Send(_ context.Context, a im.Actor, r chat.SendRequest) (journal.Result, error) {
	f.sends++
	if !r.FromApp {
		f.users++
	}
	switch {
	case f.full != nil && f.full(f.sends):
		return journal.Result{}, &im.Error{Code: im.RateLimited, RetryAfter: time.Minute}
	case f.sends == f.broken:
		return journal.Result{}, im.Errorf(im.Unavailable, "the outcome is not known")
	case r.Conv == im.Direct(a.User, "u007"):
		return journal.Result{}, im.Errorf(im.PermissionDenied, "blocked")
	}
	if f.said[r.Conv] == nil {
		f.said[r.Conv] = map[im.ClientID]bool{}
	}
	f.said[r.Conv][r.ClientID] = true
	return journal.Result{}, nil
}

// queue keeps the jobs for the test to run.
type queue struct{ specs []job.Spec }

func (q *queue) Enqueue(_ db.Tx, s job.Spec) (string, bool, error) {
	q.specs = append(q.specs, s)
	return "", true, nil
}

// shelf counts the holds of each broadcast's files.
type shelf map[string]int

func (s shelf) Hold(_ db.Tx, a im.Actor, name string, _ []byte) error {
	if !a.Server {
		return im.Errorf(im.FailedPrecondition, "not the app's")
	}
	s[strings.TrimPrefix(name, "cast/")]++
	return nil
}

func (s shelf) Release(_ db.Tx, _ im.AppID, name string) error {
	delete(s, strings.TrimPrefix(name, "cast/"))
	return nil
}

func TestABroadcastGoesOnWhereItBrokeDownAndCountsEverybodyOnce(t *testing.T) {
	for name, target := range map[string]string{"sqlite": t.TempDir(), "postgres": pgtest.DB(t)} {
		t.Run(name, func(t *testing.T) {
			d, err := db.Open(t.Context(), target, db.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = d.Close() }()
			if err := d.Migrate(t.Context(), "broadcast", broadcast.Migrations()); err != nil {
				t.Fatal(err)
			}
			f, q := &front{said: map[im.ConvID]map[im.ClientID]bool{}, broken: 73}, &queue{}
			kept := shelf{}
			s := broadcast.New(broadcast.Deps{DB: d, Chat: f, Queue: q, Files: kept,
				Users: func(_ context.Context, app im.AppID, after im.UserID, limit int) (out []im.UserID, _ error) {
					for i := range 120 {
						if u := im.UserID(fmt.Sprintf("u%03d", i)); u > after && len(out) < limit && app == "shop" {
							out = append(out, u)
						}
					}
					return out, nil
				}})
			server := im.Actor{App: "shop", Server: true}
			id, err := im.NewClientID(time.Now(), im.SystemEntropy())
			if err != nil {
				t.Fatal(err)
			}
			start := &skeinv1.StartBroadcastRequest{ClientId: id[:], Sender: "bot", Body: &skeinv1.Body{Scheme: 1}}
			for range 2 { // the second time nothing begins
				if _, err := s.StartBroadcast(t.Context(), server, start); err != nil {
					t.Fatal(err)
				}
			}
			if len(q.specs) != 1 {
				t.Fatalf("%d jobs", len(q.specs))
			}
			if kept[hex.EncodeToString(id[:])] != 1 {
				t.Errorf("its files are kept %v", kept)
			}
			run := broadcast.Kinds(func() *broadcast.Service { return s })[0].Run
			failures := 0
			for i := 0; i < len(q.specs) && failures < 9; {
				if err := run(t.Context(), job.Job{App: q.specs[i].App, Body: q.specs[i].Body}); err != nil {
					failures++ // the queue tries the same job again
					continue
				}
				i++
			}
			r, err := s.GetBroadcast(t.Context(), server, &skeinv1.GetBroadcastRequest{Id: id[:]})
			if err != nil {
				t.Fatal(err)
			}
			if b := r.Broadcast; failures != 1 || b.State != skeinv1.BroadcastState_BROADCAST_STATE_DONE || b.Sent != 119 || b.Refused != 1 || len(q.specs) != 3 {
				t.Errorf("%d failures, %d jobs, %+v", failures, len(q.specs), b)
			}
			for conv, ids := range f.said {
				if len(ids) != 1 {
					t.Errorf("%s has %d messages", conv, len(ids))
				}
			}
			if len(f.said) != 119 || f.users != 0 || len(kept) != 0 {
				t.Errorf("%d users were told, %d times not for the app; files are kept: %v", len(f.said), f.users, kept)
			}
			for what, end := range map[string]func(id []byte) error{
				"cancelled": func(id []byte) error {
					_, err := s.CancelBroadcast(t.Context(), server, &skeinv1.CancelBroadcastRequest{Id: id})
					return err
				},
				"erased": func([]byte) error { return s.Forget(t.Context(), "shop", "bot") },
			} {
				next, err := im.NewClientID(time.Now(), im.SystemEntropy())
				if err != nil {
					t.Fatal(err)
				}
				if _, err := s.StartBroadcast(t.Context(), server, &skeinv1.StartBroadcastRequest{ClientId: next[:], Sender: "bot", Body: &skeinv1.Body{Scheme: 1}}); err != nil || len(kept) != 1 {
					t.Errorf("%v, kept are %v", err, kept)
				}
				if err := end(next[:]); err != nil || len(kept) != 0 {
					t.Errorf("%s: %v, kept are %v", what, err, kept)
				}
				q.specs = q.specs[:3] // what it would have done
			}
			// A job that comes late, or a user's call, changes nothing.
			if err := run(t.Context(), job.Job{App: "shop", Body: q.specs[0].Body}); err != nil || len(q.specs) != 3 {
				t.Errorf("%v, %d jobs", err, len(q.specs))
			}
			for _, a := range []im.Actor{{App: "shop", User: "bot"}, {App: "other", Server: true}} {
				if _, err := s.GetBroadcast(t.Context(), a, &skeinv1.GetBroadcastRequest{Id: id[:]}); !errors.Is(err, im.ErrNotFound) {
					t.Errorf("%+v: %v", a, err)
				}
			}
			if err := broadcast.Kinds(func() *broadcast.Service { return s })[1].Run(t.Context(), job.Job{}); err != nil {
				t.Error(err)
			}
		})
	}
}

// Every second message is one too many for now: no try of a job is lost to that,
// however many users there are.
func TestABroadcastGoesAsFastAsTheAppMaySend(t *testing.T) {
	d, err := db.Open(t.Context(), t.TempDir(), db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	if err := d.Migrate(t.Context(), "broadcast", broadcast.Migrations()); err != nil {
		t.Fatal(err)
	}
	f, q := &front{said: map[im.ConvID]map[im.ClientID]bool{}, full: func(n int) bool { return n%2 == 0 }}, &queue{}
	s := broadcast.New(broadcast.Deps{DB: d, Chat: f, Queue: q, Files: shelf{}})
	server := im.Actor{App: "shop", Server: true}
	id, err := im.NewClientID(time.Now(), im.SystemEntropy())
	if err != nil {
		t.Fatal(err)
	}
	start := &skeinv1.StartBroadcastRequest{ClientId: id[:], Sender: "bot", Body: &skeinv1.Body{Scheme: 1}}
	for i := range 60 {
		start.Users = append(start.Users, fmt.Sprintf("u%03d", i))
	}
	if _, err := s.StartBroadcast(t.Context(), server, start); err != nil {
		t.Fatal(err)
	}
	run := broadcast.Kinds(func() *broadcast.Service { return s })[0].Run
	for i := 0; i < len(q.specs) && i < 200; i++ {
		if i > 0 && q.specs[i].Delay != time.Minute {
			t.Errorf("job %d begins after %v", i, q.specs[i].Delay)
		}
		if err := run(t.Context(), job.Job{App: q.specs[i].App, Body: q.specs[i].Body}); err != nil {
			t.Fatal(err)
		}
	}
	r, err := s.GetBroadcast(t.Context(), server, &skeinv1.GetBroadcastRequest{Id: id[:]})
	if err != nil {
		t.Fatal(err)
	}
	if b := r.Broadcast; b.State != skeinv1.BroadcastState_BROADCAST_STATE_DONE || b.Sent != 59 || b.Refused != 1 || len(f.said) != 59 {
		t.Errorf("%d were told: %+v", len(f.said), b)
	}
}
