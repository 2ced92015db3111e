package admin_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/auth"
	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/feature/admin"
	"github.com/skein-im/skein/internal/follow"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	"github.com/skein-im/skein/internal/pgtest"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// apps records what the service asks of package auth.
type apps struct {
	app     auth.App
	updates []auth.AppUpdate
	revoked []im.UserID
	err     error
}

func (a *apps) GetApp(context.Context, im.Actor) (auth.App, error) { return a.app, a.err }

func (a *apps) UpdateApp(_ context.Context, _ im.Actor, u auth.AppUpdate) (auth.App, error) {
	a.updates = append(a.updates, u)
	return a.app, a.err
}

func (a *apps) Effective(own *skeinv1.AppSettings) *skeinv1.AppSettings { return own }

func (a *apps) EffectiveQuotas(own *skeinv1.AppQuotas) *skeinv1.AppQuotas { return own }

func use(_ context.Context, app im.AppID) (*skeinv1.AppUsage, error) {
	return &skeinv1.AppUsage{Users: uint64(len(app))}, nil
}

func (a *apps) RevokeUser(_ context.Context, _ im.Actor, u im.UserID) (int, error) {
	a.revoked = append(a.revoked, u)
	return 3, a.err
}

// both runs a test on every engine.
func both(t *testing.T, test func(t *testing.T, d *db.DB)) {
	for name, target := range map[string]func(t *testing.T) string{
		"SQLite":     func(t *testing.T) string { return t.TempDir() },
		"PostgreSQL": func(t *testing.T) string { return pgtest.DB(t) },
	} {
		t.Run(name, func(t *testing.T) {
			d, err := db.Open(t.Context(), target(t), db.Options{Conns: 8})
			must(t, err)
			t.Cleanup(func() { must(t, d.Close()) })
			must(t, d.Migrate(t.Context(), "follow", follow.Migrations()))
			must(t, d.Migrate(t.Context(), "admin", admin.Migrations()))
			test(t, d)
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var server = im.Actor{App: "shop", Server: true}

func TestTheBackEndSeesAndChangesItsAppAndRevokesUsers(t *testing.T) {
	both(t, func(t *testing.T, d *db.DB) {
		fake := &apps{app: auth.App{ID: "shop", LoginPolicy: auth.PolicyOneDevice, AllowedOrigins: []string{"https://shop.example"}, Created: 7,
			OwnQuotas: &skeinv1.AppQuotas{Users: proto.Uint64(9)}}}
		s := admin.New(fake, use, d)
		must(t, d.Write(t.Context(), func(tx db.Tx) error {
			_, err := tx.Exec("INSERT INTO usage_day (app, day, shard, messages) VALUES ('shop', 1, 0, 40), ('shop', 1, 1, 1), ('shop', 2, 0, 1), ('other', 1, 0, 9)")
			return err
		}))
		got, err := s.GetApp(t.Context(), server, &skeinv1.GetAppRequest{})
		must(t, err)
		if a := got.GetApp(); a.GetId() != "shop" || a.GetMessageCount() != 42 || a.GetCreatedUs() != 7 ||
			a.GetLoginPolicy() != skeinv1.LoginPolicy_LOGIN_POLICY_ONE_DEVICE || len(a.GetAllowedOrigins()) != 1 || a.GetQuotas().GetUsers() != 9 || a.GetUsage().GetUsers() != 4 {
			t.Errorf("got %v", a)
		}
		_, err = s.UpdateApp(t.Context(), server, &skeinv1.UpdateAppRequest{LoginPolicy: skeinv1.LoginPolicy_LOGIN_POLICY_NONE})
		must(t, err)
		changed, err := s.UpdateApp(t.Context(), server, &skeinv1.UpdateAppRequest{AllowedOrigins: &skeinv1.Origins{}})
		must(t, err)
		if len(fake.updates) != 2 || fake.updates[0].LoginPolicy != auth.PolicyNone || fake.updates[0].AllowedOrigins != nil ||
			fake.updates[1].LoginPolicy != 0 || fake.updates[1].AllowedOrigins == nil || len(*fake.updates[1].AllowedOrigins) != 0 {
			t.Errorf("updates %+v", fake.updates)
		}
		if changed.GetApp().GetMessageCount() != 42 {
			t.Errorf("after the update: %v", changed)
		}
		revoked, err := s.RevokeUser(t.Context(), server, &skeinv1.RevokeUserRequest{User: "eve"})
		must(t, err)
		if revoked.GetDevicesSignedOut() != 3 || len(fake.revoked) != 1 || fake.revoked[0] != "eve" {
			t.Errorf("%v, %v", revoked, fake.revoked)
		}
		if _, err := s.RevokeUser(t.Context(), server, &skeinv1.RevokeUserRequest{User: "e\x00"}); im.CodeOf(err) != im.InvalidArgument {
			t.Errorf("a bad user id: %v", err)
		}
		fake.err = errors.New("planned")
		if _, err := s.GetApp(t.Context(), server, nil); !errors.Is(err, fake.err) {
			t.Errorf("an error of auth became %v", err)
		}
	})
}

func TestAUserIsToldThatThereIsNothing(t *testing.T) {
	fake := &apps{}
	s := admin.New(fake, use, nil)
	user := im.Actor{App: "shop", User: "eve", Device: "phone"}
	_, e1 := s.GetApp(t.Context(), user, &skeinv1.GetAppRequest{})
	_, e2 := s.UpdateApp(t.Context(), user, &skeinv1.UpdateAppRequest{})
	_, e3 := s.RevokeUser(t.Context(), user, &skeinv1.RevokeUserRequest{User: "ann"})
	for _, err := range []error{e1, e2, e3} {
		if !errors.Is(err, im.ErrNotFound) {
			t.Errorf("%v", err)
		}
	}
	if len(fake.updates)+len(fake.revoked) > 0 {
		t.Error("auth was asked for a user")
	}
}

// days is a clock that moves on by hours with every look.
type days struct {
	mu  sync.Mutex // guards now
	now time.Time
}

func (c *days) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(17 * time.Minute)
	return c.now
}

// chat appends random entries of two apps to a journal.
type chat struct {
	t   *testing.T
	j   journal.Journal
	rng *rand.Rand
	n   int
}

func (c *chat) append(n int) {
	var wg sync.WaitGroup
	for range n {
		c.n++
		app := []im.AppID{"shop", "other"}[c.rng.IntN(2)]
		a := &journal.Append{App: app, Conv: im.Self(im.UserID(fmt.Sprint("u", c.rng.IntN(9)))), Kind: im.KindMessage, ACLVersion: -1, Body: []byte("x")}
		a.Sender = a.Conv.Owner()
		a.Create = &journal.Create{Kind: im.ConvSelf, Members: []journal.NewMember{{User: a.Sender, Role: im.RoleOwner}}}
		switch c.rng.IntN(4) {
		case 0:
			a.Kind = im.KindReaction
		case 1:
			a.ToDevices = []im.DeviceID{"phone"}
		}
		var err error
		if a.ClientID, err = im.NewClientID(time.Now(), im.SystemEntropy()); err != nil {
			c.t.Fatal(err)
		}
		wg.Add(1)
		c.j.Submit(a, func(_ journal.Result, err error) {
			if err != nil {
				c.t.Error(err)
			}
			wg.Done()
		})
	}
	wg.Wait()
}

// recount counts from the journal, and from the heads of the conversations.
func recount(t *testing.T, j journal.Journal, app im.AppID) (messages, ords int64, days map[int64]int64) {
	t.Helper()
	days = make(map[int64]int64)
	must(t, j.View(t.Context(), func(v journal.View) error {
		for shard := range j.Shards() {
			entries, err := v.Since(shard, 0, 1_000_000)
			if err != nil {
				return err
			}
			for _, e := range entries {
				if e.App == app && e.Kind == im.KindMessage && len(e.ToDevices) == 0 {
					messages++
					days[int64(e.Time)/86_400_000_000]++
				}
			}
		}
		for i := range 9 {
			c, err := v.Conv(app, im.Self(im.UserID(fmt.Sprint("u", i))))
			if err != nil {
				return err
			}
			ords += int64(c.HeadOrd)
		}
		return nil
	}))
	return messages, ords, days
}

// caughtUp waits until as much is counted as a recount finds.
func caughtUp(t *testing.T, s *admin.Service, j journal.Journal) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for _, app := range []im.AppID{"shop", "other"} {
		for want, _, _ := recount(t, j, app); ; {
			got, err := s.Messages(t.Context(), app)
			must(t, err)
			if got >= want {
				break
			}
			select {
			case <-again.C:
			case <-deadline:
				t.Fatalf("%s: %d of %d counted after 20 s", app, got, want)
			}
		}
	}
}

func TestTheCountEqualsARecountThroughRestartsHandOversAndARebuild(t *testing.T) {
	both(t, func(t *testing.T, d *db.DB) {
		hints := bus.NewLocal()
		defer hints.Close()
		shards := 1
		if d.Dialect() == db.Postgres {
			shards = 4
		}
		j, err := journal.Open(t.Context(), d, journal.Options{Clock: &days{now: time.UnixMicro(1_700_000_000_000_000)}, Shards: shards, Committed: hints.Ring})
		must(t, err)
		defer func() { must(t, j.Close(context.Background())) }()
		s := admin.New(&apps{}, use, d)
		start := func() *follow.Runner {
			f := s.Usage()
			f.Every = time.Millisecond
			r, err := follow.New(follow.Options{DB: d, Journal: j, Bus: hints, Clock: im.SystemClock{}, Entropy: im.SystemEntropy(),
				Log: slog.New(slog.DiscardHandler)}, f)
			must(t, err)
			r.Start()
			return r
		}
		check := func(when string) {
			t.Helper()
			for _, app := range []im.AppID{"shop", "other"} {
				want, ords, perDay := recount(t, j, app)
				got, err := s.Messages(t.Context(), app)
				must(t, err)
				if got != want || got != ords || want == 0 {
					t.Errorf("%s: %s counts %d, a recount %d, the heads %d", when, app, got, want, ords)
				}
				must(t, d.Read(t.Context(), func(tx db.Tx) error {
					rows, err := tx.Query("SELECT day, CAST(sum(messages) AS BIGINT) FROM usage_day WHERE app = $1 GROUP BY day", app)
					if err != nil {
						return err
					}
					defer rows.Close()
					for rows.Next() {
						var day, n int64
						if err := rows.Scan(&day, &n); err != nil {
							return err
						}
						if perDay[day] != n {
							t.Errorf("%s: %s counts %d on day %d, a recount %d", when, app, n, day, perDay[day])
						}
						delete(perDay, day)
					}
					return rows.Err()
				}))
				if len(perDay) > 0 {
					t.Errorf("%s: %s does not count days %v", when, app, perDay)
				}
			}
		}
		c := &chat{t: t, j: j, rng: rand.New(rand.NewPCG(1, 1))}
		r := start()
		for range 10 {
			c.append(40)
			second := start()
			c.append(20)
			must(t, r.Close(t.Context()))
			r = second
		}
		caughtUp(t, s, j)
		check("in the end")
		must(t, r.Rebuild(t.Context(), "usage"))
		c.append(30)
		caughtUp(t, s, j)
		check("after a rebuild")
		must(t, r.Close(t.Context()))
	})
}
