package main

import (
	"context"

	"github.com/skein-im/skein/internal/auth"
	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/feature/broadcast"
	"github.com/skein-im/skein/internal/feature/file"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/job"
)

// newBroadcasts is one message to many users.
func newBroadcasts(s *server, c *chat.Service, jobs *job.Queue, a *auth.Auth) *broadcast.Service {
	return broadcast.New(broadcast.Deps{DB: s.db, Chat: c, Queue: jobs, Files: file.Holds{},
		Users: func(ctx context.Context, app im.AppID, after im.UserID, limit int) ([]im.UserID, error) {
			list, err := a.ListAccounts(ctx, im.Actor{App: app, Server: true}, after, limit)
			out := make([]im.UserID, len(list))
			for i := range list {
				out[i] = list[i].ID
			}
			return out, err
		}})
}
