package wire_test

import (
	"testing"
	"time"

	"github.com/skein-im/skein/internal/ws"
	pb "github.com/skein-im/skein/proto/skein/v1"
)

func signOut(device string) *pb.SignOutDeviceRequest {
	return &pb.SignOutDeviceRequest{Device: device}
}

func deviceIDs(c *caller) map[string]*pb.Device {
	c.t.Helper()
	out := map[string]*pb.Device{}
	for _, d := range must[pb.ListDevicesResponse](c, listDevices, &pb.ListDevicesRequest{}).Devices {
		out[d.Id] = d
	}
	return out
}

func TestASignOutClosesTheSocketWithinASecondAndKillsTheToken(t *testing.T) {
	t.Parallel()
	ann, bob, conv := pair()
	token := shared.app().token(t, ann, lasting(-5*time.Second, time.Hour))
	lost := connect(t, shared, ann, "lost", withToken(token))
	lost.say(conv, "from the lost phone")
	kept := connect(t, shared, ann, "kept")
	on := as(t, shared, ann).on("kept")
	if d := deviceIDs(on); len(d) != 2 || !d["lost"].Online || d["lost"].Current || !d["kept"].Current {
		t.Errorf("%v", d)
	}
	begin := time.Now()
	must[pb.SignOutDeviceResponse](on, signOutDevice, signOut("lost"))
	answered := time.Since(begin)
	lost.endsWith(pb.CloseCode_CLOSE_CODE_SIGNED_OUT)
	if took := time.Since(begin); took > time.Second {
		t.Errorf("closed after %s (answered after %s)", took, answered)
	}
	// The token is dead: for the device, for another name, for calls.
	const out = pb.ErrorCode_ERROR_CODE_SIGNED_OUT
	for _, device := range []string{"lost", "found"} {
		c := greet(t, shared, ann, device, withToken(token))
		if e := c.answer(1).GetError(); e.GetCode() != out || e.GetHint() == "" {
			t.Errorf("%s: %v", device, e)
		}
		c.endsWith(pb.CloseCode_CLOSE_CODE_SIGNED_OUT)
	}
	for _, device := range []string{"", "lost", "found"} {
		(&caller{t: t, srv: shared, app: "wire", token: token, device: device}).refused(sendMessage, text(conv, "x"), out)
	}
	if d := deviceIDs(on); len(d) != 1 || d["kept"] == nil {
		t.Errorf("%v", d)
	}
	// The other device goes on, and hears what comes now; the signed-out one did not.
	as(t, shared, bob).say(conv, "after")
	kept.hears(conv, "after")
	for _, f := range lost.waiting {
		if textOf(f.GetEntry()) == "after" {
			t.Error("a signed-out device was told what came after")
		}
	}
	// With a new token the device may come back; iat counts in seconds, so it
	// takes until the next one.
	until(t, "the device comes back", func() bool {
		c := greet(t, shared, ann, "lost")
		return c.answer(1).GetWelcome() != nil
	})
	on.refused(signOutDevice, signOut("never seen"), pb.ErrorCode_ERROR_CODE_NOT_FOUND)
	as(t, shared, bob).on("pc").refused(signOutDevice, signOut("kept"), pb.ErrorCode_ERROR_CODE_NOT_FOUND)
	must[pb.SignOutDeviceResponse](on, signOutDevice, signOut("lost"))
	must[pb.SignOutDeviceResponse](on, signOutDevice, signOut("lost")) // once more is no error
	shared.alive(t)
}

func TestARevokedUserIsOutEverywhere(t *testing.T) {
	t.Parallel()
	ann, bob, conv := pair()
	old := shared.app().token(t, ann, lasting(-5*time.Second, time.Hour))
	phone, tablet := connect(t, shared, ann, "phone", withToken(old)), connect(t, shared, ann, "tablet", withToken(old))
	b := connect(t, shared, bob, "phone")
	if n := must[pb.RevokeUserResponse](backEnd(t, shared), revokeUser, &pb.RevokeUserRequest{User: ann}).DevicesSignedOut; n != 2 {
		t.Errorf("%d devices", n)
	}
	phone.endsWith(pb.CloseCode_CLOSE_CODE_SIGNED_OUT)
	tablet.endsWith(pb.CloseCode_CLOSE_CODE_SIGNED_OUT)
	(&caller{t: t, srv: shared, app: "wire", token: old}).refused(listDevices, &pb.ListDevicesRequest{}, pb.ErrorCode_ERROR_CODE_SIGNED_OUT)
	b.say(conv, "bob goes on")
	until(t, "a new token opens a session", func() bool {
		c := greet(t, shared, ann, "phone")
		return c.answer(1).GetWelcome() != nil
	})
}

func TestOneDeviceHasOneSession(t *testing.T) {
	t.Parallel()
	ann, bob, conv := pair()
	first := connect(t, shared, ann, "phone")
	first.say(conv, "one")
	second := connect(t, shared, ann, "phone")
	first.endsWith(pb.CloseCode_CLOSE_CODE_REPLACED)
	as(t, shared, bob).say(conv, "two")
	second.hears(conv, "two")
	// Of many that come at once, one stays.
	var all []*client
	for range 8 {
		all = append(all, greet(t, shared, ann, "laptop"))
	}
	open := 0
	for _, c := range all {
		if c.awaitOr(1) != nil && c.closed == 0 && c.conn.WriteMessage(ws.OpBinary, packet(t, &pb.ClientFrame{Ref: 2, Frame: ping().Frame})) == nil &&
			c.awaitOr(2) != nil {
			open++
		} else if c.closed != ws.CloseCode(pb.CloseCode_CLOSE_CODE_REPLACED) {
			t.Errorf("closed with %d", c.closed)
		}
	}
	if open < 1 {
		t.Error("none is left")
	}
	if d := deviceIDs(as(t, shared, ann)); len(d) != 2 || !d["laptop"].Online {
		t.Errorf("%v", d)
	}
}

// awaitOr waits for an answer or for the end; nil for the end.
func (c *client) awaitOr(ref uint32) *pb.ServerFrame {
	c.t.Helper()
	for i := 0; ; i++ {
		for i == len(c.waiting) {
			if !c.read() {
				return nil
			}
		}
		if c.waiting[i].Ref == ref {
			return c.waiting[i]
		}
	}
}

func TestLoginPoliciesLetTheNewestDeviceWin(t *testing.T) {
	t.Parallel()
	s := serve(t)
	const web, android, desktop = pb.Platform_PLATFORM_WEB, pb.Platform_PLATFORM_ANDROID, pb.Platform_PLATFORM_DESKTOP
	policy := func(p pb.LoginPolicy) {
		if app := must[pb.UpdateAppResponse](backEnd(t, s), updateApp, &pb.UpdateAppRequest{LoginPolicy: p}).App; app.LoginPolicy != p {
			t.Fatalf("%v", app)
		}
	}
	stays := func(cs ...*client) {
		t.Helper()
		for _, c := range cs {
			if c.ask(ping()).GetPong() == nil {
				t.Errorf("%s is out", c.device)
			}
		}
	}
	ann := someone("ann")
	policy(pb.LoginPolicy_LOGIN_POLICY_NONE)
	phone, laptop, tab := connect(t, s, ann, "phone", onPlatform(android)), connect(t, s, ann, "laptop", onPlatform(desktop)), connect(t, s, ann, "tab", onPlatform(web))
	stays(phone, laptop, tab)

	// The policy acts at the next sign-in: those who are in stay until then.
	policy(pb.LoginPolicy_LOGIN_POLICY_ONE_PER_PLATFORM)
	stays(phone, laptop, tab)
	other := connect(t, s, ann, "other phone", onPlatform(android))
	phone.endsWith(pb.CloseCode_CLOSE_CODE_SIGNED_OUT)
	stays(other, laptop, tab)
	if d := deviceIDs(as(t, s, ann)); len(d) != 3 || d["phone"] != nil {
		t.Errorf("%v", d)
	}

	policy(pb.LoginPolicy_LOGIN_POLICY_ONE_DEVICE)
	last := connect(t, s, ann, "new laptop", onPlatform(desktop))
	for _, c := range []*client{other, laptop, tab} {
		c.endsWith(pb.CloseCode_CLOSE_CODE_SIGNED_OUT)
	}
	stays(last)
	if d := deviceIDs(as(t, s, ann)); len(d) != 1 || d["new laptop"] == nil {
		t.Errorf("%v", d)
	}
	// Other users are other users.
	bob := connect(t, s, someone("bob"), "phone", onPlatform(desktop))
	stays(last, bob)
	// Two devices of one user that come at once: one is left.
	a, b := greet(t, s, ann, "a"), greet(t, s, ann, "b")
	a.awaitOr(1)
	b.awaitOr(1)
	until(t, "one device is left", func() bool { return len(deviceIDs(as(t, s, ann))) == 1 })
}

func TestATwentyFirstDeviceSignsOutTheOneNotSeenForLongest(t *testing.T) {
	t.Parallel()
	ann := someone("ann")
	var cs []*client
	for i := range 21 {
		cs = append(cs, connect(t, shared, ann, "device-"+string(rune('a'+i))))
	}
	if d := deviceIDs(as(t, shared, ann)); len(d) != 20 || d["device-u"] == nil {
		t.Errorf("%d devices", len(d))
	}
	cs[0].endsWith(pb.CloseCode_CLOSE_CODE_SIGNED_OUT)
	for _, c := range cs[1:] {
		if c.ask(ping()).GetPong() == nil {
			t.Errorf("%s is out", c.device)
		}
	}
}

// A token's exp is kept to with a minute of leeway for clocks, so a token that
// ended 58 s ago lives for 2 s more.
func TestASocketOutlivesItsTokenOnlyByARefresh(t *testing.T) {
	t.Parallel()
	ann, bob, conv := pair()
	ending := lasting(-time.Hour, -57*time.Second)
	short := shared.app().token(t, ann, ending)
	left := connect(t, shared, ann, "left", withToken(short))
	kept := connect(t, shared, ann, "kept", withToken(short))
	if at := kept.welcome.TokenExpiresUs; at > time.Now().UnixMicro() {
		t.Errorf("the welcome says that the token ends at %d", at)
	}
	refresh := func(token string) *pb.ClientFrame {
		return &pb.ClientFrame{Frame: &pb.ClientFrame_RefreshToken{RefreshToken: &pb.RefreshToken{Token: token}}}
	}
	// What is no token for this session changes nothing.
	const stranger = pb.ErrorCode_ERROR_CODE_UNAUTHENTICATED
	for _, bad := range []string{"", "x", shared.app().token(t, bob), shared.apps["other"].token(t, ann), shared.app().serverToken(t),
		shared.app().token(t, ann, with("dev", "left"))} {
		kept.refused(refresh(bad), stranger)
	}
	kept.refused(refresh(shared.app().token(t, ann, lasting(-time.Hour, -2*time.Minute))), pb.ErrorCode_ERROR_CODE_TOKEN_EXPIRED)
	if kept.ask(refresh(shared.app().token(t, ann))).GetDone() == nil {
		t.Fatal("not refreshed")
	}
	begin := time.Now()
	left.endsWith(pb.CloseCode_CLOSE_CODE_TOKEN_EXPIRED)
	if took := time.Since(begin); took > 6*time.Second {
		t.Errorf("closed after %s", took)
	}
	kept.say(conv, "still here")
	c := greet(t, shared, ann, "left", withToken(short))
	if e := c.answer(1).GetError(); e.GetCode() != pb.ErrorCode_ERROR_CODE_TOKEN_EXPIRED {
		t.Errorf("%v", e)
	}
	c.endsWith(pb.CloseCode_CLOSE_CODE_TOKEN_EXPIRED)
}

// A call's token is remembered, but not beyond its end.
func TestACallsTokenEndsWhenItEnds(t *testing.T) {
	t.Parallel()
	ann := someone("ann")
	c := &caller{t: t, srv: shared, app: "wire", token: shared.app().token(t, ann, lasting(-time.Hour, -58*time.Second))}
	must[pb.ListDevicesResponse](c, listDevices, &pb.ListDevicesRequest{})
	until(t, "the token has ended", func() bool {
		return c.call(listDevices, &pb.ListDevicesRequest{}).err.GetCode() == pb.ErrorCode_ERROR_CODE_TOKEN_EXPIRED
	})
}
