package auth

import (
	"testing"

	"github.com/skein-im/skein/internal/im"
)

func TestASuspendedUserIsOutUntilLetInAgain(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a := w.running()
		old := w.token("ann")
		s := w.mustSignIn(a, old, "phone", PlatformIOS)
		must(a.AuthenticateCall(w.ctx, "shop", old, "phone"))(t) // remembered
		if n := must(a.SuspendUser(w.ctx, server(), "ann"))(t); n != 1 {
			t.Errorf("%d devices were signed out", n)
		}
		wantCode(t, "the open session", a.Confirm(s), im.SignedOut)
		_, err := a.AuthenticateCall(w.ctx, "shop", old, "phone")
		wantCode(t, "a call with the old token", err, im.PermissionDenied)
		fresh := w.token("ann")
		_, err = w.signIn(a, fresh, "tablet", PlatformWeb)
		wantCode(t, "a new token", err, im.PermissionDenied)
		since := must(a.GetAccount(w.ctx, server(), "ann"))(t).Suspended
		if n := must(a.SuspendUser(w.ctx, server(), "ann"))(t); n != 0 || since == 0 {
			t.Errorf("again: %d devices, suspended since %d", n, since)
		}
		if again := must(a.GetAccount(w.ctx, server(), "ann"))(t).Suspended; again != since {
			t.Errorf("suspended since %d, and then since %d", since, again)
		}
		for range 2 {
			if err := a.UnsuspendUser(w.ctx, server(), "ann"); err != nil {
				t.Fatal(err)
			}
		}
		_, err = w.signIn(a, old, "phone", PlatformIOS)
		wantCode(t, "the token from before", err, im.SignedOut)
		w.mustSignIn(a, w.token("ann"), "phone", PlatformIOS)

		// One who has never been here can be kept out as well.
		must(a.SuspendUser(w.ctx, server(), "eve"))(t)
		_, err = w.signIn(a, w.token("eve"), "phone", PlatformIOS)
		wantCode(t, "eve", err, im.PermissionDenied)
	})
}

func TestOnlyTheBackEndSeesAndChangesAccounts(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a := w.running()
		yes, no := true, false
		if got := must(a.PutAccounts(w.ctx, server(), []AccountChange{{ID: "zoë", Bot: &yes}, {ID: "Bob"}, {ID: "ann"}, {ID: "ann", Bot: &no}}))(t); !got[0] || !got[1] || !got[2] || got[3] {
			t.Errorf("new are %v", got)
		}
		must(a.PutAccounts(w.ctx, server(), []AccountChange{{ID: "zoë"}}))(t)
		w.mustSignIn(a, w.token("ann"), "phone", PlatformIOS) // who was made signs in like everybody
		if found := must(a.Exists(w.ctx, "shop", "Bob"))(t); !found {
			t.Error("a user who was made is not there")
		}
		var ids string
		for after := im.UserID(""); ; {
			page := must(a.ListAccounts(w.ctx, server(), after, 2))(t)
			for _, c := range page {
				after, ids = c.ID, ids+" "+string(c.ID)
				if c.Bot != (c.ID == "zoë") || c.Created == 0 || c.Suspended != 0 {
					t.Errorf("%+v", c)
				}
			}
			if len(page) < 2 {
				break
			}
		}
		if ids != " Bob ann zoë" {
			t.Errorf("listed are%s", ids)
		}
		_, err := a.PutAccounts(w.ctx, server(), []AccountChange{{ID: "new"}, {ID: "a\nb"}})
		wantCode(t, "an id of two lines", err, im.InvalidArgument)
		_, err = a.GetAccount(w.ctx, server(), "new")
		wantCode(t, "one of a call that was refused", err, im.NotFound)
		wantCode(t, "letting nobody in again", a.UnsuspendUser(w.ctx, server(), "new"), im.NotFound)

		ann, others := im.Actor{App: "shop", User: "ann"}, im.Actor{App: "cafe", Server: true}
		_, err = a.GetAccount(w.ctx, others, "ann")
		wantCode(t, "another app's back end", err, im.NotFound)
		_, err = a.GetAccount(w.ctx, ann, "ann")
		wantCode(t, "a user who looks", err, im.NotFound)
		_, err = a.ListAccounts(w.ctx, ann, "", 10)
		wantCode(t, "a user who lists", err, im.NotFound)
		_, err = a.PutAccounts(w.ctx, ann, nil)
		wantCode(t, "a user who makes users", err, im.NotFound)
		_, err = a.SuspendUser(w.ctx, ann, "Bob")
		wantCode(t, "a user who suspends", err, im.NotFound)
		wantCode(t, "a user who lets in", a.UnsuspendUser(w.ctx, ann, "Bob"), im.NotFound)
	})
}
