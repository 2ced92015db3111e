package main

import (
	"github.com/skein-im/skein/internal/auth"
	"github.com/skein-im/skein/internal/feature/user"
	"github.com/skein-im/skein/internal/page"
)

// newUsers is what an app's back end does with its users.
func newUsers(a *auth.Auth, folk *people, key auth.MasterKey) (*user.Service, error) {
	pageKey, err := key.Derive("page")
	if err != nil {
		return nil, err
	}
	return user.New(user.Deps{Accounts: a, Profiles: folk.profiles, Pages: page.New(pageKey)}), nil
}
