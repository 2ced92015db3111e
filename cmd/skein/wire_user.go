package main

import (
	"context"

	"github.com/skein-im/skein/internal/auth"
	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/feature/user"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/page"
)

// newUsers is what an app's back end does with its users. The jobs that erase
// one run once back is started.
func newUsers(s *server, back *background, a *auth.Auth, c *chat.Service, folk *people, pages *page.Sealer) *user.Service {
	return user.New(user.Deps{Accounts: a, Profiles: folk.profiles, Pages: pages,
		DB: s.db, Jobs: back.jobs, Clock: im.SystemClock{}, Entropy: im.SystemEntropy(), Chat: c, Contacts: folk.contacts,
		Forget: []func(context.Context, im.AppID, im.UserID) error{
			func(ctx context.Context, app im.AppID, u im.UserID) error { return back.timed.Forget(ctx, app, u) },
			func(ctx context.Context, app im.AppID, u im.UserID) error { return back.joins.Forget(ctx, app, u) },
			func(ctx context.Context, app im.AppID, u im.UserID) error { return back.casts.Forget(ctx, app, u) },
			func(ctx context.Context, app im.AppID, u im.UserID) error { return back.calls.Forget(ctx, app, u) },
			func(ctx context.Context, app im.AppID, u im.UserID) error { return back.files.Forget(ctx, app, u) }, // after what holds some
			folk.profiles.Forget,
			a.ForgetDevices,
		}})
}
