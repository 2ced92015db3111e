package gateway

import (
	"errors"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/auth"
	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// driven is a machine with what it asked for.
type driven struct {
	t   *testing.T
	m   machine
	now time.Time
	fx  []effect
}

func drive(t *testing.T) *driven {
	l := DefaultLimits()
	return &driven{t: t, m: machine{limits: &l, session: "s1"}, now: time.Unix(1_790_000_000, 0)}
}

func (d *driven) step(ev event) []effect {
	d.t.Helper()
	if ev.now.IsZero() {
		ev.now = d.now
	}
	d.fx = d.m.step(&ev, nil)
	return d.fx
}

func (d *driven) hello() {
	d.t.Helper()
	d.step(event{kind: evPacket, frames: []clientFrame{{ref: 1, msg: &skeinv1.ClientFrame{Frame: &skeinv1.ClientFrame_Hello{
		Hello: &skeinv1.Hello{Protocol: 1, App: "demo", Token: "t", Device: "phone"}}}}}})
}

func (d *driven) live() {
	d.t.Helper()
	d.hello()
	d.step(event{kind: evSignedIn, id: auth.Session{Actor: im.Actor{App: "demo", User: "alice", Device: "phone"}, Expires: d.now.Add(time.Hour)}})
	d.step(event{kind: evSynced, ref: 1, sync: page(10, false)})
	if d.m.phase != phaseLive {
		d.t.Fatalf("phase %d", d.m.phase)
	}
}

func page(head im.Pos, more bool) chat.SyncResult {
	r := chat.SyncResult{Page: &skeinv1.SyncResponse{More: more}, More: more}
	if !more {
		r.Heads = []im.Pos{head}
	}
	return r
}

// frames decodes what was queued.
func frames(t *testing.T, fx []effect) []*skeinv1.ServerFrame {
	t.Helper()
	var all []byte
	for _, f := range fx {
		if f.kind == fxOut {
			all = append(all, f.bytes...)
		}
	}
	var p skeinv1.ServerPacket
	if err := proto.Unmarshal(all, &p); err != nil {
		t.Fatal(err)
	}
	return p.Frames
}

func closeOf(fx []effect) skeinv1.CloseCode {
	for _, f := range fx {
		if f.kind == fxClose {
			return f.code
		}
	}
	return 0
}

func send(ref uint32) clientFrame {
	return clientFrame{ref: ref, send: &chat.SendRequest{Conv: "g1", Body: []byte("x")}}
}

func news1(pos im.Pos) event {
	e := im.Entry{Conv: "g1", Seq: im.Seq(pos), Kind: im.KindMessage}
	return event{kind: evNews, pos: pos, bytes: encodeEntry(&e)}
}

func TestAFrameBeforeHelloClosesTheSession(t *testing.T) {
	d := drive(t)
	d.step(event{kind: evPacket, frames: []clientFrame{send(7)}})
	if closeOf(d.fx) != skeinv1.CloseCode_CLOSE_CODE_HELLO_EXPECTED {
		t.Errorf("close %v", closeOf(d.fx))
	}
	if f := frames(t, d.fx); len(f) != 1 || f[0].Ref != 7 || f[0].GetError().GetCode() != skeinv1.ErrorCode_ERROR_CODE_FAILED_PRECONDITION {
		t.Errorf("frames %v", f)
	}
	if fx := d.step(event{kind: evPacket, frames: []clientFrame{send(8)}}); len(fx) != 0 {
		t.Error("a session that is over does nothing")
	}
}

func TestHelloSignsInThenSyncsThenWelcomes(t *testing.T) {
	d := drive(t)
	d.hello()
	if len(d.fx) != 1 || d.fx[0].kind != fxSignIn {
		t.Fatalf("after hello: %+v", d.fx)
	}
	d.step(event{kind: evPacket, frames: []clientFrame{send(2)}}) // pipelined behind the hello
	if len(d.fx) != 0 {
		t.Fatalf("a frame behind the hello did not wait: %+v", d.fx)
	}
	d.step(event{kind: evSignedIn, id: auth.Session{Actor: im.Actor{User: "alice"}, Expires: d.now.Add(time.Hour)}})
	if len(d.fx) != 1 || d.fx[0].kind != fxSync {
		t.Fatalf("after sign-in: %+v", d.fx)
	}
	d.step(event{kind: evSynced, ref: 1, sync: page(10, false)})
	if f := frames(t, d.fx); len(f) != 1 || f[0].Ref != 1 || f[0].GetWelcome().GetUser() != "alice" {
		t.Fatalf("frames %v", f)
	}
	if last := d.fx[len(d.fx)-1]; last.kind != fxSubmit || last.ref != 2 {
		t.Errorf("the waiting send did not go: %+v", d.fx)
	}
}

func TestNewsDuringASyncIsHeldAndWhatTheSyncToldIsDropped(t *testing.T) {
	d := drive(t)
	d.hello()
	d.step(event{kind: evSignedIn, id: auth.Session{}})
	for _, p := range []im.Pos{9, 10, 11, 12} {
		if fx := d.step(news1(p)); len(fx) != 0 {
			t.Fatalf("news went out before the welcome: %+v", fx)
		}
	}
	d.step(event{kind: evSynced, ref: 1, sync: page(10, false)})
	var got []uint64
	for _, f := range frames(t, d.fx) {
		if e := f.GetEntry(); e != nil {
			got = append(got, e.Seq)
		}
	}
	if len(got) != 2 || got[0] != 11 || got[1] != 12 {
		t.Errorf("after the sync came %v, want 11 12", got)
	}
	if f := frames(t, d.step(news1(13))); len(f) != 1 || f[0].GetEntry().GetSeq() != 13 {
		t.Errorf("live: %v", f)
	}
}

func TestNewsWaitForTheLastPage(t *testing.T) {
	d := drive(t)
	d.hello()
	d.step(event{kind: evSignedIn, id: auth.Session{}})
	d.step(event{kind: evSynced, ref: 1, sync: page(0, true)})
	if fx := d.step(news1(11)); len(fx) != 0 {
		t.Fatal("news between two pages")
	}
	d.step(event{kind: evPacket, frames: []clientFrame{{ref: 2, msg: &skeinv1.ClientFrame{Frame: &skeinv1.ClientFrame_Sync{Sync: &skeinv1.SyncRequest{}}}}}})
	d.step(event{kind: evSynced, ref: 2, sync: page(10, false)})
	f := frames(t, d.fx)
	if len(f) != 2 || f[0].Ref != 2 || f[0].GetSync() == nil || f[1].GetEntry().GetSeq() != 11 {
		t.Errorf("frames %v", f)
	}
	if d.m.inFlight != 0 {
		t.Errorf("%d frames in flight", d.m.inFlight)
	}
}

func TestTooMuchNewsDuringASyncEndsTheSession(t *testing.T) {
	d := drive(t)
	d.m.limits.QueueFrames = 3
	d.hello()
	d.step(event{kind: evSignedIn, id: auth.Session{}})
	for p := im.Pos(1); p <= 4; p++ {
		d.step(news1(p))
	}
	if closeOf(d.fx) != skeinv1.CloseCode_CLOSE_CODE_SLOW_READER {
		t.Errorf("close %v", closeOf(d.fx))
	}
}

func TestARefusedHelloSaysWhetherToComeBack(t *testing.T) {
	for code, want := range map[im.Code]skeinv1.CloseCode{
		im.Unauthenticated: skeinv1.CloseCode_CLOSE_CODE_UNAUTHENTICATED, im.TokenExpired: skeinv1.CloseCode_CLOSE_CODE_TOKEN_EXPIRED,
		im.SignedOut: skeinv1.CloseCode_CLOSE_CODE_SIGNED_OUT, im.Unavailable: skeinv1.CloseCode_CLOSE_CODE_UNAVAILABLE,
		im.RateLimited: skeinv1.CloseCode_CLOSE_CODE_RATE_LIMITED,
	} {
		d := drive(t)
		d.hello()
		d.step(event{kind: evSignedIn, err: im.Errorf(code, "no")})
		if f := frames(t, d.fx); len(f) != 1 || f[0].Ref != 1 || int32(f[0].GetError().GetCode()) != int32(code) || closeOf(d.fx) != want {
			t.Errorf("%v: frames %v, close %v", code, f, closeOf(d.fx))
		}
	}
	d := drive(t)
	d.step(event{kind: evPacket, frames: []clientFrame{{ref: 1, msg: &skeinv1.ClientFrame{Frame: &skeinv1.ClientFrame_Hello{Hello: &skeinv1.Hello{Protocol: 2, App: "demo", Device: "d"}}}}}})
	if closeOf(d.fx) != skeinv1.CloseCode_CLOSE_CODE_UNSUPPORTED {
		t.Errorf("protocol 2: close %v", closeOf(d.fx))
	}
}

func TestASendBeyondTheRateOrTheWindowIsRefusedAlone(t *testing.T) {
	d := drive(t)
	d.m.limits.InFlight, d.m.limits.SendRate, d.m.limits.SendBurst = 2, 10, 3
	d.live()
	d.step(event{kind: evPacket, frames: []clientFrame{send(1), send(2), send(3)}})
	if f := frames(t, d.fx); len(f) != 1 || f[0].Ref != 3 || f[0].GetError().GetCode() != skeinv1.ErrorCode_ERROR_CODE_RATE_LIMITED {
		t.Fatalf("the third in flight: %v", f)
	}
	d.step(event{kind: evAppended, ref: 1, bytes: encodeAck(1, &im.Entry{Conv: "g1", Seq: 1})})
	d.step(event{kind: evAppended, ref: 2, err: im.ErrNotFound})
	if f := frames(t, d.fx); len(f) != 1 || f[0].Ref != 2 || f[0].GetError().GetCode() != skeinv1.ErrorCode_ERROR_CODE_NOT_FOUND {
		t.Errorf("a failed send: %v", f)
	}
	d.step(event{kind: evPacket, frames: []clientFrame{send(4), send(5)}}) // one token is left of the burst
	if f := frames(t, d.fx); len(f) != 1 || f[0].Ref != 5 || f[0].GetError().GetRetryAfterMs() == 0 {
		t.Errorf("over the rate: %v", f)
	}
	d.now = d.now.Add(100 * time.Millisecond)
	if d.step(event{kind: evPacket, frames: []clientFrame{send(6)}}); len(d.fx) != 1 || d.fx[0].kind != fxSubmit {
		t.Errorf("a tenth of a second later: %+v", d.fx)
	}
}

func TestADeviceThatComesOnlineElsewhereEndsAnOldSessionAndNoYoungOne(t *testing.T) {
	d := drive(t)
	if d.step(event{kind: evElsewhere, now: d.now.Add(time.Hour)}); len(d.fx) != 0 {
		t.Errorf("before the sign-in: %+v", d.fx)
	}
	d.live()
	if d.step(event{kind: evElsewhere, now: d.now.Add(elsewhereAge - time.Second)}); len(d.fx) != 0 {
		t.Errorf("late news of the connection before: %+v", d.fx)
	}
	if d.step(event{kind: evElsewhere, now: d.now.Add(elsewhereAge + time.Second)}); closeOf(d.fx) != skeinv1.CloseCode_CLOSE_CODE_REPLACED {
		t.Errorf("the device is elsewhere: %+v", d.fx)
	}
}

func TestWhatEndsASessionAtOnceDropsWhatIsQueued(t *testing.T) {
	for kind, want := range map[eventKind]skeinv1.CloseCode{
		evFenced: skeinv1.CloseCode_CLOSE_CODE_SIGNED_OUT, evReplaced: skeinv1.CloseCode_CLOSE_CODE_REPLACED, evFull: skeinv1.CloseCode_CLOSE_CODE_SLOW_READER,
	} {
		d := drive(t)
		d.live()
		d.step(event{kind: kind})
		if len(d.fx) != 1 || !d.fx[0].now || closeOf(d.fx) != want {
			t.Errorf("%d: %+v", kind, d.fx)
		}
		if fx := d.step(news1(99)); len(fx) != 0 {
			t.Errorf("%d: news after the end", kind)
		}
	}
	d := drive(t)
	d.live()
	d.step(event{kind: evDrain, spread: 3 * time.Second})
	if f := frames(t, d.fx); len(f) != 1 || f[0].GetGoAway().GetRetryAfterMs() != 3000 || closeOf(d.fx) != skeinv1.CloseCode_CLOSE_CODE_GOING_AWAY {
		t.Errorf("drain: %v", f)
	}
}

func TestTimeAloneEndsASessionWhoseTokenExpired(t *testing.T) {
	d := drive(t)
	d.live()
	if d.step(event{kind: evTick, holds: true, now: d.now.Add(time.Hour + auth.Leeway/2)}); closeOf(d.fx) != 0 {
		t.Error("closed within the leeway")
	}
	if d.step(event{kind: evTick, holds: true, now: d.now.Add(time.Hour + auth.Leeway + time.Second)}); closeOf(d.fx) != skeinv1.CloseCode_CLOSE_CODE_TOKEN_EXPIRED {
		t.Errorf("close %v", closeOf(d.fx))
	}
	d = drive(t)
	d.live()
	if d.step(event{kind: evTick, holds: false}); closeOf(d.fx) != skeinv1.CloseCode_CLOSE_CODE_UNAVAILABLE {
		t.Errorf("a node without a lease: close %v", closeOf(d.fx))
	}
}

func TestACursorGoesOutOnceAfterNews(t *testing.T) {
	d := drive(t)
	d.live()
	if d.step(event{kind: evTick, holds: true}); len(d.fx) != 0 {
		t.Errorf("a cursor without news: %+v", d.fx)
	}
	d.step(news1(11))
	if d.step(event{kind: evTick, holds: true}); len(d.fx) != 1 || d.fx[0].kind != fxCursor {
		t.Errorf("no cursor after news: %+v", d.fx)
	}
	if d.step(event{kind: evTick, holds: true}); len(d.fx) != 0 {
		t.Errorf("a second cursor: %+v", d.fx)
	}
}

func TestAnErrorThatIsNotOursShowsNothing(t *testing.T) {
	p := chat.ProtoError(errors.New("pq: password authentication failed for user skein"))
	if p.Code != skeinv1.ErrorCode_ERROR_CODE_INTERNAL || p.Message != "internal error" {
		t.Errorf("got %v", p)
	}
}
