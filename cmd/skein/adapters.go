package main

import (
	"context"
	"net/http"

	"github.com/skein-im/skein/internal/auth"
	"github.com/skein-im/skein/internal/feature/profile"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/presence"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// originRules says which pages may speak to this server.
type originRules struct{ auth *auth.Auth }

// same tells whether a page is one of the server's own.
func (o originRules) same(r *http.Request, origin string) bool {
	return auth.SameOrigin(origin, scheme(r), r.Host)
}

// any tells whether some app's pages may open a socket here.
func (o originRules) any(r *http.Request, origin string) bool {
	if o.same(r, origin) {
		return true
	}
	ok, err := o.auth.KnowsOrigin(r.Context(), origin)
	return err == nil && ok
}

// forApp tells whether a page may speak for an app.
func (o originRules) forApp(r *http.Request, app im.AppID, origin string) bool {
	if o.same(r, origin) {
		return true
	}
	ok, err := o.auth.AllowsOrigin(r.Context(), app, origin)
	return err == nil && ok
}

// devices joins what auth stores of devices with who is online.
type devices struct {
	auth     *auth.Auth
	presence *presence.Presence
}

// ListDevices implements rpc.Devices.
func (d devices) ListDevices(ctx context.Context, a im.Actor) ([]*skeinv1.Device, error) {
	list, err := d.auth.ListDevices(ctx, a)
	if err != nil {
		return nil, err
	}
	online := make(map[im.DeviceID]bool)
	for _, p := range d.presence.Where(a.App, a.User) {
		online[p.Device] = true
	}
	out := make([]*skeinv1.Device, len(list))
	for i, v := range list {
		out[i] = &skeinv1.Device{Id: string(v.ID), Platform: skeinv1.Platform(v.Platform), Name: v.Name, CreatedUs: int64(v.Created),
			LastSeenUs: int64(v.LastSeen), Online: online[v.ID], Current: v.ID == a.Device}
	}
	return out, nil
}

// SignOutDevice implements rpc.Devices.
func (d devices) SignOutDevice(ctx context.Context, a im.Actor, id im.DeviceID) error {
	return d.auth.SignOutDevice(ctx, a, id)
}

// presences joins who is online with what they say of themselves.
type presences struct {
	presence *presence.Presence
	profiles *profile.Service
}

// Get implements rpc.Presences.
func (p presences) Get(ctx context.Context, a im.Actor, peers []im.UserID) ([]*skeinv1.Presence, error) {
	users, err := p.profiles.SeesLastSeen(ctx, a, peers)
	if err != nil {
		return nil, err
	}
	statuses, err := p.profiles.Statuses(ctx, a.App, users)
	if err != nil {
		return nil, err
	}
	states := p.presence.Get(a.App, users...)
	out := make([]*skeinv1.Presence, len(states))
	for i, st := range states {
		out[i] = &skeinv1.Presence{User: string(st.User), Online: st.Online, LastSeenUs: int64(st.LastSeen), Status: statuses[st.User]}
	}
	return out, nil
}

// SetStatus implements rpc.Presences.
func (p presences) SetStatus(ctx context.Context, a im.Actor, r *skeinv1.SetStatusRequest) (*skeinv1.SetStatusResponse, error) {
	return p.profiles.SetStatus(ctx, a, r)
}
