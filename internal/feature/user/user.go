// Package user is the server API for users: what an app's own back end does
// with the users of its app. It makes and changes them in bulk, lists them,
// suspends them, and erases them by a job. Who they are is package auth's, what they show is package
// profile's; both are asked through wire.
package user

import (
	"context"

	"github.com/skein-im/skein/internal/auth"
	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/job"
	"github.com/skein-im/skein/internal/page"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Accounts is who there is; package auth. Each refuses an actor that is not an
// app's back end, with NotFound.
type Accounts interface {
	// PutAccounts makes users, changes those that are there, and tells which are new.
	PutAccounts(ctx context.Context, a im.Actor, list []auth.AccountChange) (created []bool, err error)
	// NewUsers tells which users, by their places in a list, the app does not
	// have and has no room for.
	NewUsers(ctx context.Context, a im.Actor, list []im.UserID) (refused map[int]error, err error)
	// GetAccount returns one user. Errors: NotFound.
	GetAccount(ctx context.Context, a im.Actor, user im.UserID) (auth.Account, error)
	// ListAccounts returns the users after an id, in the order of their bytes.
	ListAccounts(ctx context.Context, a im.Actor, after im.UserID, limit int) ([]auth.Account, error)
	// SuspendUser signs a user out everywhere and refuses their tokens.
	SuspendUser(ctx context.Context, a im.Actor, user im.UserID) (devices int, err error)
	// UnsuspendUser takes that back.
	UnsuspendUser(ctx context.Context, a im.Actor, user im.UserID) error
}

// Profiles is what users show; feature/profile.
type Profiles interface {
	// Put makes changes, each for itself, and tells which were refused and why.
	Put(ctx context.Context, a im.Actor, changes []*skeinv1.UpdateProfileRequest) (refused []error, err error)
	// GetProfiles returns all of some profiles to the back end.
	GetProfiles(ctx context.Context, a im.Actor, r *skeinv1.GetProfilesRequest) (*skeinv1.GetProfilesResponse, error)
}

// Queue adds jobs; *job.Queue.
type Queue interface {
	Enqueue(tx db.Tx, s job.Spec) (id string, added bool, err error)
}

// Deps are what a Service is made of; all are needed.
type Deps struct {
	Accounts Accounts
	Profiles Profiles
	Pages    *page.Sealer

	// What an erasure needs.
	DB       *db.DB
	Jobs     Queue // with this package's Kind
	Clock    im.Clock
	Entropy  im.Entropy
	Chat     Chat
	Contacts Contacts
	// Forget remove what other packages know of a user who is suspended; each
	// may be repeated.
	Forget []func(ctx context.Context, app im.AppID, user im.UserID) error
}

// Service answers skein.v1.UserService.
type Service struct{ d Deps }

// New builds the service.
func New(d Deps) *Service { return &Service{d} }

// Limits of the calls.
const (
	MaxUpsert   = 500 // users of one call
	maxList     = 500
	defaultList = 100
)

// listName binds the pages of ListUsers to it.
const listName = "users"

// UpsertUsers makes users and changes those that are there, each for itself.
// The profile comes first: a user whose profile is refused is not made. When
// the call breaks off between the two, its repetition does the rest. For a user
// whom the app has no room for nothing is written; should others take the last
// places between the two, the call ends with ResourceExhausted. Errors: NotFound
// for anybody but the app's back end, InvalidArgument.
func (s *Service) UpsertUsers(ctx context.Context, a im.Actor, r *skeinv1.UpsertUsersRequest) (*skeinv1.UpsertUsersResponse, error) {
	switch {
	case !a.Server:
		return nil, im.ErrNotFound
	case len(r.GetUsers()) == 0 || len(r.GetUsers()) > MaxUpsert:
		return nil, im.Errorf(im.InvalidArgument, "a call has 1 to %d users", MaxUpsert)
	}
	ids := make([]im.UserID, len(r.Users))
	for i, u := range r.Users {
		if u == nil {
			return nil, im.Errorf(im.InvalidArgument, "users[%d] is missing", i)
		}
		ids[i] = im.UserID(u.GetId())
	}
	refused, err := s.putProfiles(ctx, a, r.Users, ids)
	if err != nil {
		return nil, err
	}
	out := &skeinv1.UpsertUsersResponse{Results: make([]*skeinv1.UserResult, len(r.Users))}
	var accounts []auth.AccountChange
	var where []int
	for i, u := range r.Users {
		out.Results[i] = &skeinv1.UserResult{Id: u.GetId()}
		if refused[i] != nil {
			out.Results[i].Error = chat.ProtoError(refused[i])
			continue
		}
		accounts, where = append(accounts, auth.AccountChange{ID: im.UserID(u.GetId()), Bot: u.Bot}), append(where, i)
	}
	created, err := s.d.Accounts.PutAccounts(ctx, a, accounts)
	if err != nil {
		return nil, err
	}
	for i, yes := range created {
		out.Results[where[i]].Created = yes
	}
	return out, nil
}

// putProfiles writes the profiles of those users for whom there is room, and
// tells for each why it was refused.
func (s *Service) putProfiles(ctx context.Context, a im.Actor, users []*skeinv1.UserChange, ids []im.UserID) ([]error, error) {
	full, err := s.d.Accounts.NewUsers(ctx, a, ids)
	if err != nil {
		return nil, err
	}
	var changes []*skeinv1.UpdateProfileRequest
	var where []int
	out := make([]error, len(users))
	for i, u := range users {
		if out[i] = full[i]; out[i] == nil {
			changes, where = append(changes, profileOf(u)), append(where, i)
		}
	}
	refused, err := s.d.Profiles.Put(ctx, a, changes)
	for i, err := range refused {
		out[where[i]] = err
	}
	return out, err
}

// profileOf is what a change says of the profile.
func profileOf(u *skeinv1.UserChange) *skeinv1.UpdateProfileRequest {
	r := &skeinv1.UpdateProfileRequest{Profile: &skeinv1.Profile{User: u.GetId(), Name: u.GetName(), AvatarUrl: u.GetAvatarUrl(), Custom: u.GetCustom().GetFields()}}
	for _, f := range []struct {
		name  string
		named bool
	}{{"name", u.Name != nil}, {"avatar_url", u.AvatarUrl != nil}, {"custom", u.Custom != nil}} {
		if f.named {
			r.Fields = append(r.Fields, f.name)
		}
	}
	return r
}

// GetUser returns one user of the app. Errors: NotFound.
func (s *Service) GetUser(ctx context.Context, a im.Actor, r *skeinv1.GetUserRequest) (*skeinv1.GetUserResponse, error) {
	account, err := s.d.Accounts.GetAccount(ctx, a, im.UserID(r.GetId()))
	if err != nil {
		return nil, err
	}
	users, err := s.wire(ctx, a, []auth.Account{account})
	if err != nil {
		return nil, err
	}
	return &skeinv1.GetUserResponse{User: users[0]}, nil
}

// ListUsers returns a page of the app's users, by id. Errors: NotFound for
// anybody but the app's back end, InvalidArgument.
func (s *Service) ListUsers(ctx context.Context, a im.Actor, r *skeinv1.ListUsersRequest) (*skeinv1.ListUsersResponse, error) {
	if !a.Server {
		return nil, im.ErrNotFound
	}
	after, err := s.d.Pages.Open(a, listName, r.GetPage())
	if err != nil {
		return nil, err
	}
	limit := int(r.GetLimit())
	if limit == 0 {
		limit = defaultList
	}
	if limit > maxList {
		return nil, im.Errorf(im.InvalidArgument, "a page has at most %d users", maxList)
	}
	accounts, err := s.d.Accounts.ListAccounts(ctx, a, im.UserID(after), limit+1)
	if err != nil {
		return nil, err
	}
	out := &skeinv1.ListUsersResponse{}
	if len(accounts) > limit {
		accounts = accounts[:limit]
		out.NextPage = s.d.Pages.Seal(a, listName, string(accounts[limit-1].ID))
	}
	out.Users, err = s.wire(ctx, a, accounts)
	return out, err
}

// wire are users as the protocol has them, with all of their profiles.
func (s *Service) wire(ctx context.Context, a im.Actor, accounts []auth.Account) ([]*skeinv1.User, error) {
	ids := make([]string, len(accounts))
	for i, c := range accounts {
		ids[i] = string(c.ID)
	}
	got, err := s.d.Profiles.GetProfiles(ctx, a, &skeinv1.GetProfilesRequest{Users: ids})
	if err != nil {
		return nil, err
	}
	profiles := map[string]*skeinv1.Profile{}
	for _, p := range got.GetProfiles() {
		profiles[p.User] = p
	}
	out := make([]*skeinv1.User, len(accounts))
	for i, c := range accounts {
		out[i] = &skeinv1.User{Id: ids[i], CreatedUs: int64(c.Created), Bot: c.Bot, SuspendedUs: int64(c.Suspended), Profile: profiles[ids[i]]}
	}
	return out, nil
}

// SuspendUser signs a user out everywhere and refuses their tokens; when it
// returns, no node serves them. Errors: NotFound, InvalidArgument.
func (s *Service) SuspendUser(ctx context.Context, a im.Actor, r *skeinv1.SuspendUserRequest) (*skeinv1.SuspendUserResponse, error) {
	n, err := s.d.Accounts.SuspendUser(ctx, a, im.UserID(r.GetId()))
	if err != nil {
		return nil, err
	}
	return &skeinv1.SuspendUserResponse{DevicesSignedOut: uint32(n)}, nil
}

// UnsuspendUser lets a user in again. Errors: NotFound.
func (s *Service) UnsuspendUser(ctx context.Context, a im.Actor, r *skeinv1.UnsuspendUserRequest) (*skeinv1.UnsuspendUserResponse, error) {
	return &skeinv1.UnsuspendUserResponse{}, s.d.Accounts.UnsuspendUser(ctx, a, im.UserID(r.GetId()))
}
