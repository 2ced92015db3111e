package main

import (
	"context"

	"github.com/skein-im/skein/internal/auth"
	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/feature/contact"
	"github.com/skein-im/skein/internal/feature/profile"
	"github.com/skein-im/skein/internal/follow"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/job"
	"github.com/skein-im/skein/internal/journal"
	"github.com/skein-im/skein/internal/page"
	"github.com/skein-im/skein/internal/quota"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// people are the features about users and what they are to each other.
type people struct {
	profiles *profile.Service
	contacts *contact.Service
}

func newPeople(j journal.Journal, d *db.DB, c *chat.Service, a *auth.Auth, b bus.Bus, pages *page.Sealer, limits *limits) *people {
	perUser := func(name, what string) func(im.Actor) error {
		set := quota.New[im.Actor](limits.of(name), 100_000, limits.clock)
		return func(a im.Actor) error {
			a.Device = ""
			return set.Allow(a, 1, what)
		}
	}
	p := &people{}
	p.profiles = profile.New(profile.Deps{DB: d, Clock: limits.clock, Relations: relations{c}, Reads: reads{c, limits.clock, im.SystemEntropy()}, Exists: a.Exists, Settings: a.Settings,
		AllowSearch: perUser("directory", "look-ups in the directory"), Pages: pages,
		Changed: func(app im.AppID, user im.UserID) { b.Signal(bus.SightChanged{App: app, User: user}) }})
	p.contacts = contact.New(contact.Deps{Part: p.profiles.Part, Chat: c, Journal: j, Clock: limits.clock, Pages: pages, AllowRequest: perUser("request", "contact requests"),
		Changed: func(app im.AppID, user, other im.UserID) {
			b.Signal(bus.SightChanged{App: app, User: user, Other: other})
		},
		Policy: func(ctx context.Context, app im.AppID, user im.UserID) (skeinv1.ContactPolicy, error) {
			privacy, err := p.profiles.Privacy(ctx, app, user)
			return privacy.GetContactPolicy(), err
		}})
	return p
}

// contactsFollower has contacts' lists written by jobs.
func contactsFollower(jobs *job.Queue) follow.Follower {
	return contact.Follower(func(tx db.Tx, s job.Spec) error {
		_, _, err := jobs.Enqueue(tx, s)
		return err
	})
}

// reads keeps for feature/profile whether others learn how far users have read.
type reads struct {
	*chat.Service
	clock   im.Clock
	entropy im.Entropy
}

// HideReads implements profile.Reads.
func (r reads) HideReads(ctx context.Context, a im.Actor, hide bool) error {
	id, err := im.NewClientID(r.clock.Now(), r.entropy)
	if err != nil {
		return err
	}
	return r.Service.HideReads(ctx, a, id, hide)
}

// relations tells feature/profile what users are to each other.
type relations struct{ chat *chat.Service }

// Contacts implements profile.Relations.
func (r relations) Contacts(ctx context.Context, app im.AppID, user im.UserID, others []im.UserID) (map[im.UserID]bool, error) {
	return r.which(ctx, app, user, others, func(im.ConvID, im.UserID) chat.Relation { return chat.AreContacts })
}

// Blockers implements profile.Relations.
func (r relations) Blockers(ctx context.Context, app im.AppID, user im.UserID, others []im.UserID) (map[im.UserID]bool, error) {
	return r.which(ctx, app, user, others, chat.Blocks)
}

func (r relations) which(ctx context.Context, app im.AppID, user im.UserID, others []im.UserID,
	flag func(conv im.ConvID, other im.UserID) chat.Relation) (map[im.UserID]bool, error) {
	all, err := r.chat.Relations(ctx, app, user, others)
	out := make(map[im.UserID]bool)
	for u, rel := range all {
		if rel&flag(im.Direct(user, u), u) != 0 {
			out[u] = true
		}
	}
	return out, err
}
