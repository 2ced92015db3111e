// Package admin is what an app's own back end may do to its app: look at its
// settings and its use, change them, and revoke a user. It decides nothing
// about tokens itself; package auth does. What it adds is the count of stored
// messages, which a follower keeps (usage.go).
package admin

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"github.com/skein-im/skein/internal/auth"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Apps is what this package needs of package auth. Each refuses an actor that
// is not an app's back end, with NotFound.
type Apps interface {
	// GetApp returns the settings of the actor's app.
	GetApp(ctx context.Context, a im.Actor) (auth.App, error)
	// UpdateApp changes them.
	UpdateApp(ctx context.Context, a im.Actor, u auth.AppUpdate) (auth.App, error)
	// RevokeUser ends every session of a user and refuses every token issued
	// up to now; it returns how many devices were signed in.
	RevokeUser(ctx context.Context, a im.Actor, user im.UserID) (devices int, err error)
	// Effective lays an app's own settings over the server's defaults.
	Effective(own *skeinv1.AppSettings) *skeinv1.AppSettings
	// EffectiveQuotas lays what the operator allows an app over the server's defaults.
	EffectiveQuotas(own *skeinv1.AppQuotas) *skeinv1.AppQuotas
}

// Use tells what an app uses now of what the operator allows it.
type Use func(ctx context.Context, app im.AppID) (*skeinv1.AppUsage, error)

// Service answers skein.v1.AdminService.
type Service struct {
	apps Apps
	use  Use
	db   *db.DB
}

// New builds the service. The tables must have been migrated.
func New(apps Apps, use Use, d *db.DB) *Service { return &Service{apps: apps, use: use, db: d} }

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns the tables of this package, for db.Migrate under the
// name "admin".
func Migrations() fs.FS { return db.Migrations(migrations) }

// GetApp returns the actor's app with its quotas and its use. NotFound for anybody but its
// back end.
func (s *Service) GetApp(ctx context.Context, a im.Actor, _ *skeinv1.GetAppRequest) (*skeinv1.GetAppResponse, error) {
	if !a.Server {
		return nil, im.ErrNotFound
	}
	app, err := s.apps.GetApp(ctx, a)
	if err != nil {
		return nil, err
	}
	out, err := s.wire(ctx, app)
	return &skeinv1.GetAppResponse{App: out}, err
}

// UpdateApp changes settings of the actor's app; what the request leaves out
// stays. Errors: NotFound, InvalidArgument, TooLarge.
func (s *Service) UpdateApp(ctx context.Context, a im.Actor, req *skeinv1.UpdateAppRequest) (*skeinv1.UpdateAppResponse, error) {
	if !a.Server {
		return nil, im.ErrNotFound
	}
	u := auth.AppUpdate{LoginPolicy: auth.LoginPolicy(req.GetLoginPolicy()), Settings: req.GetSettings()}
	if o := req.GetAllowedOrigins(); o != nil {
		origins := o.GetOrigins()
		u.AllowedOrigins = &origins
	}
	app, err := s.apps.UpdateApp(ctx, a, u)
	if err != nil {
		return nil, err
	}
	out, err := s.wire(ctx, app)
	return &skeinv1.UpdateAppResponse{App: out}, err
}

// RevokeUser signs out every device of a user; when it returns, no node
// serves them any more. Errors: NotFound, InvalidArgument.
func (s *Service) RevokeUser(ctx context.Context, a im.Actor, req *skeinv1.RevokeUserRequest) (*skeinv1.RevokeUserResponse, error) {
	if !a.Server {
		return nil, im.ErrNotFound
	}
	if !im.ValidName(req.GetUser()) {
		return nil, im.Errorf(im.InvalidArgument, "a user id is 1 to %d bytes of UTF-8 without control characters", im.MaxIDBytes)
	}
	n, err := s.apps.RevokeUser(ctx, a, im.UserID(req.GetUser()))
	if err != nil {
		return nil, err
	}
	return &skeinv1.RevokeUserResponse{DevicesSignedOut: uint32(n)}, nil
}

func (s *Service) wire(ctx context.Context, app auth.App) (*skeinv1.App, error) {
	n, err := s.Messages(ctx, app.ID)
	if err != nil {
		return nil, fmt.Errorf("usage of app %s: %w", app.ID, err)
	}
	use, err := s.use(ctx, app.ID)
	if err != nil {
		return nil, fmt.Errorf("usage of app %s: %w", app.ID, err)
	}
	return &skeinv1.App{Id: string(app.ID), LoginPolicy: skeinv1.LoginPolicy(app.LoginPolicy), AllowedOrigins: app.AllowedOrigins,
		CreatedUs: int64(app.Created), MessageCount: uint64(n), Settings: s.apps.Effective(app.Own),
		Quotas: s.apps.EffectiveQuotas(app.OwnQuotas), Usage: use}, nil
}
