package auth

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

func TestAGuestSignsInOnlyWhereTheAppHasGuests(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a := w.running()
		_, err := a.CreateGuest(w.ctx, "shop", "tab")
		wantCode(t, "before the app allows it", err, im.PermissionDenied)
		must(a.UpdateApp(w.ctx, server(), AppUpdate{Settings: &skeinv1.AppSettings{Guests: proto.Bool(true)}}))(t)
		_, err = a.CreateGuest(w.ctx, "shop", "")
		wantCode(t, "without a device", err, im.InvalidArgument)
		_, err = a.CreateGuest(w.ctx, "nowhere", "tab")
		wantCode(t, "of no app", err, im.PermissionDenied)
		got := must(a.CreateGuest(w.ctx, "shop", "tab"))(t)
		if !strings.HasPrefix(string(got.User), "guest-") || len(got.User) < 30 {
			t.Errorf("the guest is called %s", got.User)
		}
		s := w.mustSignIn(a, got.Token, "tab", PlatformWeb)
		if !s.Actor.Guest || s.Actor.User != got.User || s.Actor.Server {
			t.Errorf("signed in as %+v", s.Actor)
		}
		_, err = w.signIn(a, got.Token, "other", PlatformWeb)
		wantCode(t, "on another device", err, im.Unauthenticated)
		// A token of the app's own makes a usual user of the same id.
		if s := w.mustSignIn(a, w.token(got.User), "tab", PlatformWeb); s.Actor.Guest {
			t.Error("the back end's token is a guest's")
		}
	})
}

func TestATokenOfThisServersIsRenewedForAWhile(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a := w.running()
		must(a.UpdateApp(w.ctx, server(), AppUpdate{Settings: &skeinv1.AppSettings{Guests: proto.Bool(true)}}))(t)
		_, err := a.Renew(w.ctx, "shop", w.token("ann"))
		wantCode(t, "a token of the back end", err, im.FailedPrecondition)
		_, err = a.Renew(w.ctx, "shop", "nonsense")
		wantCode(t, "no token", err, im.Unauthenticated)
		first := must(a.CreateGuest(w.ctx, "shop", "tab"))(t)
		w.clock.advance(time.Second)
		second := must(a.Renew(w.ctx, "shop", first.Token))(t)
		if s := w.mustSignIn(a, second.Token, "tab", PlatformWeb); !s.Actor.Guest || s.Actor.User != first.User || second.Token == first.Token {
			t.Errorf("renewed to %+v", s.Actor)
		}
		_, err = w.signIn(a, second.Token, "other", PlatformWeb)
		wantCode(t, "the new one on another device", err, im.Unauthenticated)
		old := must(a.ownToken(w.ctx, grant{app: "shop", user: first.User, device: "tab", guest: true, renew: a.now() - 1e6}))(t)
		_, err = a.Renew(w.ctx, "shop", old.Token)
		wantCode(t, "one that has been renewed for a month", err, im.FailedPrecondition)
		if err := a.SignOutDevice(w.ctx, im.Actor{App: "shop", User: first.User, Device: "tab"}, "tab"); err != nil {
			t.Fatal(err)
		}
		_, err = a.Renew(w.ctx, "shop", second.Token)
		wantCode(t, "after a sign-out", err, im.SignedOut)
	})
}

func TestADeviceIsLetInByACodeOnce(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a := w.running()
		ann := w.mustSignIn(a, w.token("ann"), "phone", PlatformIOS).Actor
		c := must(a.CreateCode(w.ctx, "shop", DeviceInfo{ID: "laptop", Name: "Ann's laptop", Platform: PlatformWeb}, "192.0.2.9"))(t)
		if len(c.Code) != 22 || len(c.Ticket) != 22 || c.Code == c.Ticket {
			t.Errorf("code %q, ticket %q", c.Code, c.Ticket)
		}
		state, got, err := a.TakeCode(w.ctx, "shop", c.Ticket)
		if err != nil || state != CodeWaiting || got.Token != "" {
			t.Fatalf("at first: %d, %v, %v", state, got, err)
		}
		shown := must(a.GetCode(w.ctx, ann, c.Code))(t)
		if shown.Device.Name != "Ann's laptop" || shown.Address != "192.0.2.9" || shown.Device.Platform != PlatformWeb || shown.Ticket != "" {
			t.Errorf("shown is %+v", shown)
		}
		guest, other := im.Actor{App: "shop", User: "guest-1", Guest: true}, im.Actor{App: "cafe", User: "ann"}
		for what, try := range map[string]error{
			"a guest":           a.AnswerCode(w.ctx, guest, c.Code, true),
			"another app":       a.AnswerCode(w.ctx, other, c.Code, true),
			"a code of nothing": a.AnswerCode(w.ctx, ann, "nothing", true),
			"the ticket":        a.AnswerCode(w.ctx, ann, c.Ticket, true),
		} {
			want := im.NotFound
			if what == "a guest" {
				want = im.PermissionDenied
			}
			wantCode(t, what, try, want)
		}
		// Many approve and many ask at once: one approval counts, and the token is given out once.
		var approved, tokens atomic.Int64
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if a.AnswerCode(w.ctx, ann, c.Code, true) == nil {
					approved.Add(1)
				}
			})
		}
		wg.Wait()
		var token atomic.Value
		for range 8 {
			wg.Go(func() {
				if _, got, err := a.TakeCode(w.ctx, "shop", c.Ticket); err == nil && got.Token != "" {
					tokens.Add(1)
					token.Store(got.Token)
				}
			})
		}
		wg.Wait()
		if approved.Load() != 1 || tokens.Load() != 1 {
			t.Fatalf("%d approvals, %d tokens", approved.Load(), tokens.Load())
		}
		_, err = a.GetCode(w.ctx, ann, c.Code)
		wantCode(t, "showing it again", err, im.NotFound)
		s := w.mustSignIn(a, token.Load().(string), "laptop", PlatformWeb)
		if s.Actor.User != "ann" || s.Actor.Guest {
			t.Errorf("signed in as %+v", s.Actor)
		}
		_, err = w.signIn(a, token.Load().(string), "stolen", PlatformWeb)
		wantCode(t, "on a device that it is not bound to", err, im.Unauthenticated)
		w.wantDevices("ann", "laptop", "phone")
	})
}

func TestACodeIsDeniedOrRunsOut(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a := w.running()
		ann := w.mustSignIn(a, w.token("ann"), "phone", PlatformIOS).Actor
		code := func() Code { return must(a.CreateCode(w.ctx, "shop", DeviceInfo{ID: "laptop"}, "192.0.2.9"))(t) }
		c := code()
		if err := a.AnswerCode(w.ctx, ann, c.Code, false); err != nil {
			t.Fatal(err)
		}
		wantCode(t, "approving what was denied", a.AnswerCode(w.ctx, ann, c.Code, true), im.NotFound)
		if state, got, err := a.TakeCode(w.ctx, "shop", c.Ticket); err != nil || state != CodeDenied || got.Token != "" {
			t.Errorf("denied: %d, %v, %v", state, got, err)
		}
		late, taken := code(), code()
		if err := a.AnswerCode(w.ctx, ann, taken.Code, true); err != nil {
			t.Fatal(err)
		}
		w.clock.advance(CodeLife + time.Second)
		wantCode(t, "approving late", a.AnswerCode(w.ctx, ann, late.Code, true), im.NotFound)
		_, _, err := a.TakeCode(w.ctx, "shop", taken.Ticket)
		wantCode(t, "asking late", err, im.NotFound)
		_, _, err = a.TakeCode(w.ctx, "cafe", code().Ticket)
		wantCode(t, "another app's ticket", err, im.NotFound)
	})
}
