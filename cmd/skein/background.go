package main

import (
	"context"
	"io/fs"
	"log/slog"
	"time"

	"github.com/skein-im/skein/internal/auth"
	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/config"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/feature/admin"
	"github.com/skein-im/skein/internal/feature/broadcast"
	"github.com/skein-im/skein/internal/feature/call"
	"github.com/skein-im/skein/internal/feature/contact"
	"github.com/skein-im/skein/internal/feature/file"
	"github.com/skein-im/skein/internal/feature/group"
	"github.com/skein-im/skein/internal/feature/join"
	"github.com/skein-im/skein/internal/feature/profile"
	"github.com/skein-im/skein/internal/feature/search"
	"github.com/skein-im/skein/internal/feature/timed"
	"github.com/skein-im/skein/internal/feature/usage"
	"github.com/skein-im/skein/internal/feature/user"
	"github.com/skein-im/skein/internal/follow"
	"github.com/skein-im/skein/internal/gateway"
	"github.com/skein-im/skein/internal/health"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/job"
	"github.com/skein-im/skein/internal/journal"
	"github.com/skein-im/skein/internal/page"
	"github.com/skein-im/skein/internal/sfu/placement"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// background is what works without being asked: jobs, and the features whose
// jobs or followers they are. The queue comes before the front door, which
// tells what it needs to know at once (burns), and what speaks through the
// front door comes behind it; nothing runs before start.
type background struct {
	jobs   *job.Queue
	burns  *timed.Burns
	admin  *admin.Service
	usage  *usage.Service
	files  *file.Service
	timed  *timed.Service
	folk   *people
	chat   *chat.Service
	groups *group.Service
	search *search.Service
	joins  *join.Service
	users  *user.Service
	casts  *broadcast.Service
	calls  *call.Service
	auth   *auth.Auth
}

// ownMigrations are the tables of the packages that leave it to the server to
// make them.
func ownMigrations() map[string]fs.FS {
	return map[string]fs.FS{
		"admin":     admin.Migrations(),
		"broadcast": broadcast.Migrations(),
		"call":      call.Migrations(),
		"follow":    follow.Migrations(),
		"health":    health.Migrations(),
		"job":       job.Migrations(),
		"file":      file.Migrations(),
		"join":      join.Migrations(),
		"profile":   profile.Migrations(),
		"search":    search.Migrations(),
		"sfu":       placement.Migrations(),
		"timed":     timed.Migrations(),
		"usage":     usage.Migrations(),
		"user":      user.Migrations(),
	}
}

// newBackground makes the tables, the queue, and what the front door needs.
func newBackground(ctx context.Context, s *server, cfg *config.Config, a *auth.Auth, limits *limits, online func(im.AppID) int, log *slog.Logger) (*background, error) {
	for name, files := range ownMigrations() {
		if err := s.db.Migrate(ctx, name, files); err != nil {
			return nil, err
		}
	}
	use := usage.New(usage.Deps{DB: s.db, Clock: limits.clock, Log: log, Quotas: a.Quotas, Users: a.Users, Online: online,
		Files: func(ctx context.Context, app im.AppID, use *skeinv1.AppUsage) error {
			return file.Usage(ctx, s.db, app, use)
		}, Refused: limits.refused})
	s.onClose(use.Close)
	back := &background{auth: a, usage: use, admin: admin.New(a, use.Usage, s.db)}
	clock := im.SystemClock{}
	kinds := append(timed.Kinds(func() *timed.Service { return back.timed }, func() *timed.Burns { return back.burns }), job.Kind{
		Name: "purge_client_ids", Every: 6 * time.Hour, Run: func(ctx context.Context, _ job.Job) error {
			// A day more than the window, so that no id is both accepted and forgotten.
			_, err := journal.PurgeIdempotency(ctx, s.journal, im.MicrosOf(clock.Now().Add(-cfg.Limits.IDWindow-24*time.Hour)))
			return err
		}}, contact.Jobs(func() *contact.Service { return back.folk.contacts }))
	kinds = append(kinds, join.Kinds(func() *join.Service { return back.joins })...)
	kinds = append(kinds, broadcast.Kinds(func() *broadcast.Service { return back.casts })...)
	kinds = append(kinds, call.Kinds(func() *call.Service { return back.calls })...)
	kinds = append(kinds, use.Kind(), filesKind(func() *file.Service { return back.files }), group.EndKind(func() *chat.Service { return back.chat }), user.Kind(func() *user.Service { return back.users }))
	var err error
	back.jobs, err = job.New(job.Options{DB: s.db, Clock: clock, Entropy: im.SystemEntropy(), Log: log, Metrics: s.ops.metrics}, kinds...)
	if err != nil {
		return nil, err
	}
	back.burns = timed.NewBurns(s.db, s.journal, back.jobs)
	return back, nil
}

// start makes what speaks through the front door, and starts jobs and followers.
func (back *background) start(ctx context.Context, s *server, cfg *config.Config, c *chat.Service, b bus.Bus, folk *people, pages *page.Sealer, limits *limits, log *slog.Logger) error {
	back.folk, back.chat = folk, c
	clock, entropy := im.SystemClock{}, im.SystemEntropy()
	back.timed = timed.New(timed.Deps{DB: s.db, Chat: c, Queue: back.jobs, Clock: clock, Entropy: entropy, Log: log,
		Decode: gateway.DecodeSend, IDWindow: cfg.Limits.IDWindow, Files: file.Holds{}})
	back.joins = newJoins(s, cfg, c, back.jobs, pages, limits, log)
	back.casts = newBroadcasts(s, c, back.jobs, back.auth)
	back.calls = newCalls(s, cfg, c, back.files, back.jobs, pages, limits, log)
	back.jobs.Start()
	s.onClose(back.jobs.Close)
	followers, err := follow.New(follow.Options{DB: s.db, Journal: s.journal, Bus: b, Clock: clock, Entropy: entropy, Log: log, Metrics: s.ops.metrics},
		back.admin.Usage(),
		back.burns.Follower(),
		contactsFollower(back.jobs),
		callsFollower(back.jobs),
		search.Index(),
		back.usage.Follower(),
		file.Follower(),
	)
	if err != nil {
		return err
	}
	back.search = search.New(c, s.db, pages)
	old, err := back.search.Outdated(ctx, s.journal.Shards())
	if err == nil && old {
		err = followers.Rebuild(ctx, "search")
	}
	if err != nil {
		return err
	}
	followers.Start()
	s.onClose(followers.Close)
	back.groups = group.New(c, cfg.Limits.GroupMembers, func(ctx context.Context, app im.AppID, conv im.ConvID) error {
		return s.db.Write(ctx, func(tx db.Tx) error {
			_, _, err := back.jobs.Enqueue(tx, group.EndJob(app, conv))
			return err
		})
	})
	return nil
}
