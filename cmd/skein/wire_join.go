package main

import (
	"log/slog"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/config"
	"github.com/skein-im/skein/internal/feature/join"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/job"
	"github.com/skein-im/skein/internal/page"
	"github.com/skein-im/skein/internal/quota"
)

// newJoins is who comes into groups by themselves, and who is kept out.
func newJoins(s *server, cfg *config.Config, c *chat.Service, jobs *job.Queue, pages *page.Sealer, limits *limits, log *slog.Logger) *join.Service {
	lookups := quota.New[im.Actor](limits.of("invite"), 100_000, limits.clock)
	return join.New(join.Deps{DB: s.db, Journal: s.journal, Chat: c, Jobs: jobs, Clock: limits.clock, Entropy: im.SystemEntropy(), Log: log,
		Members: cfg.Limits.GroupMembers, Pages: pages,
		AllowLookup: func(a im.Actor) error {
			a.Device = ""
			return lookups.Allow(a, 1, "look-ups of invitations")
		}})
}
