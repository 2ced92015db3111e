// Package profile keeps what users show of themselves, to whom they show it,
// and the directory in which they are found.
//
// A profile is one row; a change of it is not announced. Clients keep what
// they got and ask again with the versions that they have, some minutes
// later: so a new name costs a read where it is looked at, and not a message
// to everybody who could look.
//
// What the reader may not see is left out, and so is a user who shows them
// nothing: an answer never tells whether a user exists.
package profile

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"io/fs"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/page"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Relations is what visibility depends on; package contact through wire.go.
type Relations interface {
	// Contacts returns those of the others who are contacts of user.
	Contacts(ctx context.Context, app im.AppID, user im.UserID, others []im.UserID) (map[im.UserID]bool, error)
	// Blockers returns those of the others who have blocked user.
	Blockers(ctx context.Context, app im.AppID, user im.UserID, others []im.UserID) (map[im.UserID]bool, error)
}

// Reads keeps whether others learn how far a user has read; package chat, which
// holds everything that shows a read marker to it.
type Reads interface {
	HidesReads(ctx context.Context, app im.AppID, user im.UserID) (bool, error)
	// HideReads has taken effect on every node when it returns.
	HideReads(ctx context.Context, a im.Actor, hide bool) error
}

// Deps are what a Service is made of; all but Changed are needed.
type Deps struct {
	DB        *db.DB
	Clock     im.Clock
	Relations Relations
	Reads     Reads
	// Exists tells whether a user has ever signed in; package auth.
	Exists func(ctx context.Context, app im.AppID, user im.UserID) (bool, error)
	// Settings are the app's, every field set; package auth.
	Settings func(app im.AppID) *skeinv1.AppSettings
	// AllowSearch counts a look-up in the directory and refuses it with RateLimited.
	AllowSearch func(a im.Actor) error
	Pages       *page.Sealer
	// Changed is told of new privacy settings once they are stored, so that
	// what others watch is decided again; nil = nobody is told.
	Changed func(app im.AppID, user im.UserID)
}

// Service answers skein.v1.ProfileService.
type Service struct{ Deps }

// New builds the service. The tables must have been migrated.
func New(d Deps) *Service { return &Service{d} }

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns the tables of this package, for db.Migrate under the
// name "profile".
func Migrations() fs.FS { return db.Migrations(migrations) }

// row is a user's profile and privacy; never nil, the latter without gaps.
type row struct {
	user    im.UserID
	found   bool // there is a row
	data    *skeinv1.Profile
	privacy *skeinv1.Privacy
}

// load reads a row; one that is not there is empty.
func load(tx db.Tx, app im.AppID, user im.UserID) (row, error) {
	r := row{user: user, data: &skeinv1.Profile{}, privacy: &skeinv1.Privacy{}}
	var data, privacy []byte
	err := tx.QueryRow("SELECT data, privacy FROM profile WHERE app = $1 AND user_id = $2", app, user).Scan(&data, &privacy)
	switch {
	case errors.Is(err, db.ErrNoRows):
	case err != nil:
		return r, err
	default:
		r.found = true
		if err := errors.Join(proto.Unmarshal(data, r.data), proto.Unmarshal(privacy, r.privacy)); err != nil {
			return r, err
		}
	}
	r.data.User = string(user)
	setDefaults(r.privacy)
	return r, nil
}

// setDefaults fills in what was never set, as the proto says.
func setDefaults(p *skeinv1.Privacy) {
	for _, v := range []*skeinv1.Visibility{&p.Name, &p.AvatarUrl, &p.Bio, &p.Language, &p.Custom, &p.LastSeen, &p.Findable} {
		if *v == 0 {
			*v = skeinv1.Visibility_VISIBILITY_EVERYBODY
		}
	}
	for _, v := range []*skeinv1.Visibility{&p.Gender, &p.Birthday} {
		if *v == 0 {
			*v = skeinv1.Visibility_VISIBILITY_CONTACTS
		}
	}
}

// rows reads the rows of some users.
func (s *Service) rows(ctx context.Context, app im.AppID, users []im.UserID) ([]row, error) {
	var out []row
	err := s.DB.Read(ctx, func(tx db.Tx) error {
		out = out[:0]
		for _, u := range users {
			r, err := load(tx, app, u)
			if err != nil {
				return err
			}
			out = append(out, r)
		}
		return nil
	})
	return out, err
}

// sight is how near a reader is to a user.
type sight int

const (
	stranger sight = iota
	contact
	owner // the user, or the app's back end
)

// allows tells whether a reader sees what has this visibility.
func (s sight) allows(v skeinv1.Visibility) bool {
	switch v {
	case skeinv1.Visibility_VISIBILITY_EVERYBODY:
		return true
	case skeinv1.Visibility_VISIBILITY_CONTACTS:
		return s >= contact
	}
	return s == owner
}

// shown is what a reader may see of a row, with its version; nil for nothing.
func (r row) shown(s sight) *skeinv1.Profile {
	p, d := r.privacy, r.data
	out := &skeinv1.Profile{}
	for _, f := range []struct {
		to   *string
		from string
		v    skeinv1.Visibility
	}{
		{&out.Name, d.Name, p.Name}, {&out.AvatarUrl, d.AvatarUrl, p.AvatarUrl}, {&out.Bio, d.Bio, p.Bio},
		{&out.Gender, d.Gender, p.Gender}, {&out.Birthday, d.Birthday, p.Birthday}, {&out.Language, d.Language, p.Language},
	} {
		if s.allows(f.v) {
			*f.to = f.from
		}
	}
	if s.allows(p.Custom) {
		out.Custom = d.Custom
	}
	if proto.Size(out) == 0 {
		return nil
	}
	out.User = d.User
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(out)
	if err != nil {
		return nil // only invalid UTF-8 can do that, and none is stored
	}
	sum := sha256.Sum256(b)
	out.Version = hex.EncodeToString(sum[:8])
	return out
}

// sights tells how near the actor is to each of some users. Only when a row
// makes a difference between contacts and others are the contacts looked up.
func (s *Service) sights(ctx context.Context, a im.Actor, rows []row) (func(r row) sight, error) {
	var ask []im.UserID
	for _, r := range rows {
		if p := r.privacy; r.user != a.User && !a.Server && r.found && forContacts(p) {
			ask = append(ask, r.user)
		}
	}
	near := map[im.UserID]bool{}
	if len(ask) > 0 {
		var err error
		if near, err = s.Relations.Contacts(ctx, a.App, a.User, ask); err != nil {
			return nil, err
		}
	}
	return func(r row) sight {
		switch {
		case a.Server || r.user == a.User:
			return owner
		case near[r.user]:
			return contact
		}
		return stranger
	}, nil
}

// GetProfiles returns what the actor may see of some users. Errors:
// InvalidArgument.
func (s *Service) GetProfiles(ctx context.Context, a im.Actor, r *skeinv1.GetProfilesRequest) (*skeinv1.GetProfilesResponse, error) {
	users := make([]im.UserID, 0, len(r.Users))
	seen := make(map[im.UserID]bool, len(r.Users))
	for _, u := range r.Users {
		if id := im.UserID(u); im.ValidName(u) && !seen[id] {
			seen[id] = true
			users = append(users, id)
		}
	}
	known := make(map[string]string, len(r.Known))
	for _, k := range r.Known {
		known[k.GetUser()] = k.GetVersion()
	}
	rows, err := s.rows(ctx, a.App, users)
	if err != nil {
		return nil, err
	}
	see, err := s.sights(ctx, a, rows)
	if err != nil {
		return nil, err
	}
	out := &skeinv1.GetProfilesResponse{}
	for _, r := range rows {
		p := r.shown(see(r))
		switch {
		case p == nil:
		case known[p.User] == p.Version:
			out.Unchanged = append(out.Unchanged, p.User)
		default:
			out.Profiles = append(out.Profiles, p)
		}
	}
	return out, nil
}

// forContacts tells whether contacts see more of the profile than others.
func forContacts(p *skeinv1.Privacy) bool {
	for _, v := range []skeinv1.Visibility{p.Name, p.AvatarUrl, p.Bio, p.Gender, p.Birthday, p.Language, p.Custom} {
		if v == skeinv1.Visibility_VISIBILITY_CONTACTS {
			return true
		}
	}
	return false
}
