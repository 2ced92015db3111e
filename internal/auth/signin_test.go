package auth

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skein-im/skein/internal/im"
)

func TestTheFirstTokenMakesTheUserAndTheDevice(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a := w.running()
		s := w.mustSignIn(a, w.token("ann"), "phone", PlatformIOS)
		if want := (im.Actor{App: "shop", User: "ann", Device: "phone"}); s.Actor != want || s.Platform != PlatformIOS {
			t.Fatalf("got %+v", s)
		}
		if left := s.Expires.Sub(w.clock.Now()); left < 59*time.Minute || left > time.Hour {
			t.Errorf("expires in %v, want about an hour", left)
		}
		if err := a.Confirm(s); err != nil {
			t.Error(err)
		}
		w.mustSignIn(a, w.token("ann"), "laptop", PlatformWeb)
		w.wantDevices("ann", "laptop", "phone")
		w.wantDevices("bob")
		list := must(a.ListDevices(w.ctx, s.Actor))(t)
		if d := list[1]; d.Platform != PlatformIOS || d.Name != "phone" || d.Created == 0 || d.LastSeen < d.Created {
			t.Errorf("got %+v", d)
		}
	})
}

func TestWithoutALeaseNobodySignsIn(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		token := w.token("ann")
		_, err := w.signIn(w.auth, token, "phone", 0)
		wantCode(t, "before Run", err, im.Unavailable)
		_, err = w.auth.AuthenticateCall(w.ctx, "shop", token, "")
		wantCode(t, "a call before Run", err, im.Unavailable)
		wantCode(t, "confirm before Run", w.auth.Confirm(Session{}), im.Unavailable)
		w.running()
		w.mustSignIn(w.auth, token, "phone", 0)
	})
}

func TestADeviceKeepsWhatTheClientDoesNotSayAgain(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a := w.running()
		token := w.token("ann")
		w.mustSignIn(a, token, "phone", PlatformIOS)
		if s := must(a.AuthenticateCall(w.ctx, "shop", token, "phone"))(t); s.Platform != PlatformIOS {
			t.Errorf("platform %v after a call that does not tell it", s.Platform)
		}
		s := must(a.Authenticate(w.ctx, "shop", w.token("ann"), DeviceInfo{ID: "phone", Platform: PlatformAndroid, Name: " new\u202e\x07 name "}))(t)
		if s.Platform != PlatformAndroid {
			t.Errorf("platform %v, want the new one", s.Platform)
		}
		if d := must(a.ListDevices(w.ctx, s.Actor))(t)[0]; d.Name != "new name" || d.Platform != PlatformAndroid {
			t.Errorf("got %+v", d)
		}
		for _, p := range []Platform{-1, 99} {
			w.mustSignIn(a, w.token("ann"), "odd", p)
		}
	})
}

func TestBadDeviceInfoIsRefused(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a := w.running()
		for _, d := range []DeviceInfo{{ID: ""}, {ID: "a\x00"}, {ID: im.DeviceID(strings.Repeat("x", 65))},
			{ID: "a", Name: strings.Repeat("x", 65)}, {ID: "a", Name: "\xff"}} {
			_, err := a.Authenticate(w.ctx, "shop", w.token("ann"), d)
			wantCode(t, fmt.Sprintf("%+v", d), err, im.InvalidArgument)
		}
		_, err := a.AuthenticateCall(w.ctx, "shop", w.token("ann"), "a\nb")
		wantCode(t, "a call of a bad device", err, im.InvalidArgument)
		w.wantDevices("ann")
	})
}

func TestTokensOfTheWrongKindAreRefused(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a := w.running()
		must(a.CreateApp(w.ctx, NewApp{ID: "other"}))(t)
		back := w.mint(Grant{App: "shop", Server: true})
		_, err := w.signIn(a, back, "phone", 0)
		wantCode(t, "a server's token for a session", err, im.PermissionDenied)
		s := must(a.AuthenticateCall(w.ctx, "shop", back, "phone"))(t)
		if s.Actor != server() {
			t.Errorf("a back end's call is made by %+v", s.Actor)
		}
		_, err = a.AuthenticateCall(w.ctx, "other", w.token("ann"), "")
		wantCode(t, "a token of another app", err, im.Unauthenticated)
		_, err = a.AuthenticateCall(w.ctx, "nowhere", w.token("ann"), "")
		wantCode(t, "an app that does not exist", err, im.Unauthenticated)
		_, err = a.AuthenticateCall(w.ctx, "shop", w.mint(Grant{App: "shop", User: "ann", DevMode: true}), "")
		wantCode(t, "a token of dev mode", err, im.Unauthenticated)

		bound := w.mint(Grant{App: "shop", User: "ann", Device: "phone"})
		_, err = w.signIn(a, bound, "tablet", 0)
		wantCode(t, "another device's token", err, im.Unauthenticated)
		_, err = a.AuthenticateCall(w.ctx, "shop", bound, "")
		wantCode(t, "a bound token without a device", err, im.Unauthenticated)
		w.mustSignIn(a, bound, "phone", 0)
		if dev := w.run(w.open(func(o *Options) { o.Dev = true })); true {
			w.mustSignIn(dev, w.mint(Grant{App: "shop", User: "ann", DevMode: true}), "phone", 0)
		}
	})
}

func TestAnExpiredTokenIsRefusedAlsoFromMemory(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a := w.running()
		token := w.mint(Grant{App: "shop", User: "ann", TTL: 10 * time.Minute})
		for range 2 { // the second from memory
			must(a.AuthenticateCall(w.ctx, "shop", token, "phone"))(t)
		}
		w.clock.advance(11*time.Minute + time.Second)
		if err := a.WaitValid(w.ctx); err != nil { // the lease is gone too, by this clock
			t.Fatal(err)
		}
		_, err := a.AuthenticateCall(w.ctx, "shop", token, "phone")
		wantCode(t, "a call", err, im.TokenExpired)
		_, err = w.signIn(a, token, "phone", 0)
		wantCode(t, "a hello", err, im.TokenExpired)
	})
}

func TestLoginPolicyOneDeviceKeepsTheNewest(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a := w.running()
		must(a.UpdateApp(w.ctx, server(), AppUpdate{LoginPolicy: PolicyOneDevice}))(t)
		old := w.token("ann")
		first := w.mustSignIn(a, old, "phone", PlatformIOS)
		second := w.mustSignIn(a, w.token("ann"), "laptop", PlatformWeb)
		w.wantDevices("ann", "laptop")
		f := w.nextFence(FenceDevice)
		if !f.Ends(first) || f.Ends(second) {
			t.Errorf("%+v ends the wrong session", f)
		}
		_, err := w.signIn(a, old, "phone", PlatformIOS)
		wantCode(t, "the replaced device with its old token", err, im.SignedOut)
		_, err = a.AuthenticateCall(w.ctx, "shop", old, "")
		wantCode(t, "its old token without a device", err, im.SignedOut)
		w.mustSignIn(a, w.token("ann"), "phone", PlatformIOS)
		w.wantDevices("ann", "phone")
		w.mustSignIn(a, w.token("bob"), "desktop", PlatformDesktop)
		w.wantDevices("ann", "phone")
	})
}

// nextFence returns the next fence of a kind that the node applies.
func (w *world) nextFence(kind FenceKind) Fence {
	w.t.Helper()
	for {
		select {
		case f := <-w.fences:
			if f.Kind == kind {
				return f
			}
		case <-w.ctx.Done():
			w.t.Fatalf("no fence of kind %d was applied", kind)
		}
	}
}

func TestLoginPolicyOnePerPlatformReplacesWithinThePlatform(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a := w.running()
		must(a.UpdateApp(w.ctx, server(), AppUpdate{LoginPolicy: PolicyOnePerPlatform}))(t)
		token := w.token("ann") // one for all: a back end may do that
		w.mustSignIn(a, token, "phone", PlatformIOS)
		w.mustSignIn(a, token, "tab 1", PlatformWeb)
		w.mustSignIn(a, token, "tab 2", PlatformWeb)
		w.wantDevices("ann", "tab 2", "phone")
		w.mustSignIn(a, token, "unknown 1", PlatformUnspecified)
		w.mustSignIn(a, token, "unknown 2", PlatformUnspecified)
		w.wantDevices("ann", "unknown 2", "tab 2", "phone")
		w.mustSignIn(a, token, "tab 2", PlatformWeb) // again: nothing changes
		w.wantDevices("ann", "unknown 2", "tab 2", "phone")
	})
}

func TestAPolicyActsFromTheNextSignInOn(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a := w.running()
		w.mustSignIn(a, w.token("ann"), "phone", PlatformIOS)
		laptop := w.token("ann")
		w.mustSignIn(a, laptop, "laptop", PlatformWeb)
		must(a.UpdateApp(w.ctx, server(), AppUpdate{LoginPolicy: PolicyOneDevice}))(t)
		w.wantDevices("ann", "laptop", "phone")
		w.mustSignIn(a, laptop, "laptop", PlatformWeb) // with what it showed before, too
		w.wantDevices("ann", "laptop")
	})
}

func TestOneDeviceTooManySignsOutTheOneSeenLongestAgo(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a := w.run(w.open(func(o *Options) { o.MaxDevices = 3 }))
		for _, d := range []im.DeviceID{"d1", "d2", "d3"} {
			w.mustSignIn(a, w.token("ann"), d, 0)
		}
		w.mustSignIn(a, w.token("ann"), "d1", 0) // seen again
		w.mustSignIn(a, w.token("ann"), "d4", 0)
		w.wantDevices("ann", "d4", "d1", "d3")
		if f := w.nextFence(FenceDevice); f.Device != "d2" {
			t.Errorf("signed out %q, want d2", f.Device)
		}
	})
}

func TestASignedOutDeviceStaysOutWithEveryOldToken(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a := w.running()
		unused, shared, phones := w.token("ann"), w.token("ann"), w.token("ann")
		phone := w.mustSignIn(a, phones, "phone", PlatformIOS)
		w.mustSignIn(a, shared, "phone", PlatformIOS)
		laptop := w.mustSignIn(a, shared, "laptop", PlatformWeb)
		must(a.AuthenticateCall(w.ctx, "shop", phones, ""))(t) // now in memory
		must(a.AuthenticateCall(w.ctx, "shop", shared, "laptop"))(t)
		if err := a.SignOutDevice(w.ctx, laptop.Actor, "phone"); err != nil {
			t.Fatal(err)
		}
		f := w.nextFence(FenceDevice)
		if !f.Ends(phone) || f.Ends(laptop) {
			t.Errorf("%+v ends the wrong session", f)
		}
		wantCode(t, "confirming the phone's session", a.Confirm(phone), im.SignedOut)
		w.wantDevices("ann", "laptop")
		for _, c := range []struct {
			what, token string
			device      im.DeviceID
			want        im.Code
		}{
			{"its token", phones, "phone", im.SignedOut},
			{"an older token that it never showed", unused, "phone", im.SignedOut},
			{"its token without a device", phones, "", im.SignedOut},
			{"its token under another name", phones, "burner", im.SignedOut},
			{"its token under the laptop's name", phones, "laptop", im.SignedOut},
			{"a shared token under another name", shared, "burner", im.SignedOut},
			{"a shared token where it was in use", shared, "laptop", 0},
			{"a token that it never showed, elsewhere", unused, "tablet", 0},
		} {
			_, err := a.AuthenticateCall(w.ctx, "shop", c.token, c.device)
			wantCode(t, c.what, err, c.want)
		}
		again := w.mustSignIn(a, w.token("ann"), "phone", PlatformIOS)
		if f.Ends(again) {
			t.Error("the old fence ends the new session")
		}
		_, err := w.signIn(a, phones, "phone", PlatformIOS)
		wantCode(t, "its old token after it came back", err, im.SignedOut)
		w.wantDevices("ann", "phone", "tablet", "laptop")
	})
}

// The back end's clock is ahead: its token of a moment ago looks newer than
// the sign-out.
func TestASignOutHoldsForATokenFromTheFuture(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a := w.running()
		w.clock.advance(50 * time.Second)
		token := w.token("ann")
		w.clock.advance(-50 * time.Second)
		s := w.mustSignIn(a, token, "phone", 0)
		if err := a.SignOutDevice(w.ctx, s.Actor, "phone"); err != nil {
			t.Fatal(err)
		}
		_, err := w.signIn(a, token, "phone", 0)
		wantCode(t, "the token from the future", err, im.SignedOut)
		_, err = w.signIn(a, token, "burner", 0)
		wantCode(t, "under another name", err, im.SignedOut)
		if _, err := a.RevokeUser(w.ctx, server(), "ann"); err != nil {
			t.Fatal(err)
		}
		_, err = a.AuthenticateCall(w.ctx, "shop", token, "")
		wantCode(t, "after the user was revoked", err, im.SignedOut)
	})
}

func TestARevokedUserIsSignedOutEverywhere(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a := w.running()
		early := w.token("ann")
		phone := w.mustSignIn(a, w.token("ann"), "phone", PlatformIOS)
		w.mustSignIn(a, w.token("ann"), "laptop", PlatformWeb)
		bob := w.mustSignIn(a, w.token("bob"), "phone", PlatformIOS)
		must(a.AuthenticateCall(w.ctx, "shop", early, ""))(t)
		if n := must(a.RevokeUser(w.ctx, server(), "ann"))(t); n != 2 {
			t.Errorf("%d devices were signed out, want 2", n)
		}
		if f := w.nextFence(FenceUser); !f.Ends(phone) || f.Ends(bob) {
			t.Errorf("%+v ends the wrong session", f)
		}
		w.wantDevices("ann")
		_, err := a.AuthenticateCall(w.ctx, "shop", early, "")
		wantCode(t, "a token from before", err, im.SignedOut)
		_, err = w.signIn(a, early, "new", 0)
		wantCode(t, "on a new device", err, im.SignedOut)
		w.mustSignIn(a, w.token("ann"), "phone", 0)

		if n := must(a.RevokeUser(w.ctx, server(), "never-seen"))(t); n != 0 {
			t.Errorf("%d devices of a user who was never here", n)
		}
		_, err = a.RevokeUser(w.ctx, phone.Actor, "bob")
		wantCode(t, "by another user", err, im.NotFound)
		_, err = a.RevokeUser(w.ctx, server(), "\x00")
		wantCode(t, "of no user", err, im.InvalidArgument)
	})
}

func TestOnlyTheUserSignsOutItsDevices(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a := w.running()
		ann := w.mustSignIn(a, w.token("ann"), "phone", 0)
		bob := w.mustSignIn(a, w.token("bob"), "laptop", 0)
		wantCode(t, "another user's device", a.SignOutDevice(w.ctx, bob.Actor, "phone"), im.NotFound)
		wantCode(t, "a device that is not there", a.SignOutDevice(w.ctx, ann.Actor, "nothing"), im.NotFound)
		wantCode(t, "a back end, which is no user", a.SignOutDevice(w.ctx, server(), "phone"), im.NotFound)
		_, err := a.ListDevices(w.ctx, server())
		wantCode(t, "a back end's list", err, im.NotFound)
		other := im.Actor{App: "other", User: "ann"}
		wantCode(t, "the same user of another app", a.SignOutDevice(w.ctx, other, "phone"), im.NotFound)
		w.wantDevices("ann", "phone")
		for range 2 { // the second asks for what is done already
			if err := a.SignOutDevice(w.ctx, ann.Actor, "phone"); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestARefreshKeepsTheSessionsUserAndDevice(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a := w.running()
		s := w.mustSignIn(a, w.mint(Grant{App: "shop", User: "ann", TTL: 10 * time.Minute}), "phone", PlatformIOS)
		w.clock.advance(5 * time.Minute)
		if err := a.WaitValid(w.ctx); err != nil {
			t.Fatal(err)
		}
		next := must(a.Refresh(w.ctx, s, w.token("ann")))(t)
		if next.Actor != s.Actor || next.Platform != PlatformIOS || !next.Expires.After(s.Expires.Add(50*time.Minute)) {
			t.Errorf("got %+v after %+v", next, s)
		}
		_, err := a.Refresh(w.ctx, s, w.token("bob"))
		wantCode(t, "with another user's token", err, im.Unauthenticated)
		_, err = a.Refresh(w.ctx, s, w.mint(Grant{App: "shop", Server: true}))
		wantCode(t, "with a server's token", err, im.Unauthenticated)
	})
}

func TestATokenSeenBeforeCostsNoLookAtTheDatabase(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a := w.running()
		token := w.token("ann")
		first := must(a.AuthenticateCall(w.ctx, "shop", token, "phone"))(t)
		gone := w.open(nil)
		gone.known, gone.valid = a.known, a.valid
		gone.db = nil // any look would panic
		if s := must(gone.AuthenticateCall(w.ctx, "shop", token, "phone"))(t); s.Actor != first.Actor {
			t.Errorf("got %+v", s)
		}
	})
}

func TestNotesAreStoredAndKeptUnderAFailure(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a := w.running()
		s := w.mustSignIn(a, w.token("ann"), "phone", 0)
		before := must(a.ListDevices(w.ctx, s.Actor))(t)[0].LastSeen
		w.clock.advance(time.Minute)
		a.Touch(s.Actor)
		a.AckCursor(s.Actor, []byte("one"))
		a.AckCursor(s.Actor, []byte("two"))
		a.AckCursor(s.Actor, make([]byte, MaxCursorBytes+1))
		a.Touch(im.Actor{App: "shop", User: "ann"}) // without a device: nothing to note
		done, cancel := context.WithCancel(w.ctx)
		cancel()
		if err := a.flush(done); err == nil {
			t.Fatal("stored although the call was given up")
		}
		if err := a.flush(w.ctx); err != nil {
			t.Fatal(err)
		}
		if got := must(a.Cursor(w.ctx, s.Actor))(t); string(got) != "two" {
			t.Errorf("cursor %q, want two", got)
		}
		if d := must(a.ListDevices(w.ctx, s.Actor))(t)[0]; d.LastSeen < before+60e6 {
			t.Errorf("last seen %d, a minute before: %d", d.LastSeen, before)
		}
		_, err := a.Cursor(w.ctx, im.Actor{App: "shop", User: "ann", Device: "x"})
		wantCode(t, "a device that is not there", err, im.NotFound)
	})
}

func TestWhatADeviceAcknowledgedLastStandsWhicheverNodeStoresItLast(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a := w.running()
		s := w.mustSignIn(a, w.token("ann"), "phone", 0)
		k := deviceKey{s.Actor.App, s.Actor.User, s.Actor.Device}
		flush := func(n *notes, now im.Micros) {
			t.Helper()
			if err := n.flush(w.ctx, w.db, now); err != nil {
				t.Fatal(err)
			}
		}
		// It was cut off from one node, whose clock is an hour ahead, and went on by another.
		here, there, now, hour := newNotes(), newNotes(), a.now(), im.Micros(3600e6)
		there.add(k, note{seen: now + hour, cursor: []byte("one"), acked: now + hour})
		here.add(k, note{seen: now + 1e6, cursor: []byte("two"), acked: now + 1e6})
		flush(here, now+2e6)
		there.add(k, note{seen: now + hour + 4e6}) // it sees late that the connection is gone
		flush(there, now+hour+5e6)
		if got := must(a.Cursor(w.ctx, s.Actor))(t); string(got) != "two" {
			t.Errorf("cursor %q, want two", got)
		}
		there.add(k, note{seen: now + hour + 6e6, cursor: []byte("three"), acked: now + hour + 6e6})
		flush(there, now+hour+7e6)
		if got := must(a.Cursor(w.ctx, s.Actor))(t); string(got) != "three" {
			t.Errorf("cursor %q, want three", got)
		}
	})
}

func TestManySignInsAtOnceLeaveWhatThePolicyAllows(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a := w.running()
		must(a.UpdateApp(w.ctx, server(), AppUpdate{LoginPolicy: PolicyOneDevice}))(t)
		var wg sync.WaitGroup
		for i := range 40 {
			user := im.UserID(fmt.Sprint("user", i%4)) // ten devices each
			token := w.token(user)
			wg.Go(func() {
				if _, err := w.signIn(a, token, im.DeviceID(fmt.Sprint("d", i)), 0); err != nil {
					t.Errorf("%s: %v", user, err)
				}
			})
		}
		wg.Wait()
		for i := range 4 {
			user := im.Actor{App: "shop", User: im.UserID(fmt.Sprint("user", i))}
			if list := must(a.ListDevices(w.ctx, user))(t); len(list) != 1 {
				t.Errorf("%s has %d devices", user.User, len(list))
			}
		}
	})
}

func BenchmarkSignIn(b *testing.B) {
	for name, fresh := range map[string]bool{"new token": true, "token seen before": false} {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b, b.TempDir())
			a := w.running()
			token, i := w.token("ann"), 0
			for b.Loop() {
				if i++; fresh {
					b.StopTimer()
					token = w.token(im.UserID(fmt.Sprint("u", i)))
					b.StartTimer()
				}
				if _, err := w.signIn(a, token, "phone", 0); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
