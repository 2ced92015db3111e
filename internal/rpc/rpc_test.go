package rpc

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
	"github.com/skein-im/skein/proto/skein/v1/skeinv1connect"
)

// spoken is what the verbs behind the handlers were asked, and what they answer.
type spoken struct {
	mu     sync.Mutex // guards the rest
	actors []im.Actor
	err    error
	wait   bool // until the call is given up
}

func (s *spoken) hear(ctx context.Context, a im.Actor) error {
	s.mu.Lock()
	s.actors = append(s.actors, a)
	err, wait := s.err, s.wait
	s.mu.Unlock()
	if wait {
		<-ctx.Done()
		return fmt.Errorf("read the devices: %w", ctx.Err())
	}
	return err
}

func (s *spoken) ListDevices(ctx context.Context, a im.Actor) ([]*skeinv1.Device, error) {
	return []*skeinv1.Device{{Id: "phone"}}, s.hear(ctx, a)
}

func (s *spoken) SignOutDevice(ctx context.Context, a im.Actor, _ im.DeviceID) error {
	return s.hear(ctx, a)
}

func (s *spoken) GetApp(ctx context.Context, a im.Actor, _ *skeinv1.GetAppRequest) (*skeinv1.GetAppResponse, error) {
	return &skeinv1.GetAppResponse{}, s.hear(ctx, a)
}

func (s *spoken) UpdateApp(ctx context.Context, a im.Actor, _ *skeinv1.UpdateAppRequest) (*skeinv1.UpdateAppResponse, error) {
	return &skeinv1.UpdateAppResponse{}, s.hear(ctx, a)
}

func (s *spoken) RevokeUser(ctx context.Context, a im.Actor, _ *skeinv1.RevokeUserRequest) (*skeinv1.RevokeUserResponse, error) {
	return &skeinv1.RevokeUserResponse{}, s.hear(ctx, a)
}

// world is the handlers over a journal in memory.
type world struct {
	t       *testing.T
	handler http.Handler
	server  *server
	spoken  *spoken
	log     bytes.Buffer
	allow   error // of known callers
	strange error // of unknown ones
	counted []string
}

// searches is Search by a name that is not that of its method.
type searches interface{ Search }

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, spoken: &spoken{}}
	m, err := journal.NewMemory(1, im.SystemEntropy())
	if err != nil {
		t.Fatal(err)
	}
	b := bus.NewLocal()
	j := m.Open(journal.Options{})
	t.Cleanup(func() { j.Close(context.Background()); b.Close() })
	c := chat.New(chat.Deps{Journal: j, Signals: b, Limits: chat.DefaultLimits(), Clock: im.SystemClock{}, CursorKey: []byte("0123456789abcdef")})
	d := Deps{
		Caller: func(_ context.Context, app im.AppID, token string, device im.DeviceID) (im.Actor, error) {
			if token == "server" {
				return im.Actor{App: app, Server: true}, nil
			}
			if !strings.HasPrefix(token, "token-of-") {
				return im.Actor{}, im.Errorf(im.Unauthenticated, "the token is not one")
			}
			return im.Actor{App: app, User: im.UserID(strings.TrimPrefix(token, "token-of-")), Device: device}, nil
		},
		Verbs: Verbs{Chat: c, Search: struct{ searches }{}, Rooms: struct{ Rooms }{}, Broadcasts: struct{ Broadcasts }{}, Files: struct{ Files }{}, Calls: struct{ Calls }{}, Profiles: struct{ Profiles }{}, Contacts: struct{ Contacts }{}, SignIns: struct{ SignIns }{}, Users: struct{ Users }{}, Admin: w.spoken, Devices: w.spoken, Timed: struct{ Timed }{}, Joins: struct{ Joins }{}, Boards: struct{ Boards }{}, Presences: struct{ Presences }{},
			CheckSend: func(r *chat.SendRequest, id []byte) (err error) {
				r.ClientID, err = clientID(id)
				return err
			}},
		Allow: func(im.Actor) error { return w.allow },
		AllowStranger: func(address string) error {
			w.counted = append(w.counted, address)
			return w.strange
		},
		Address: func(*http.Request) string { return "192.0.2.7" },
		Origin: func(_ *http.Request, app im.AppID, origin string) bool {
			return app == "demo" && origin == "https://good.example"
		},
		Log: slog.New(slog.NewTextHandler(&w.log, nil)), MaxBytes: 64 << 10, Timeout: 30 * time.Second,
	}
	if w.handler, err = New(d); err != nil {
		t.Fatal(err)
	}
	w.server = &server{Deps: d}
	return w
}

// call makes a JSON call and returns the answer's status, header and body.
func (w *world) call(procedure, token, body string, header ...string) *http.Response {
	w.t.Helper()
	r := httptest.NewRequestWithContext(w.t.Context(), http.MethodPost, procedure, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Skein-App", "demo")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	return rec.Result()
}

// failure reads a Connect error and the error of ours inside.
func failure(t *testing.T, res *http.Response) (code string, ours *skeinv1.Error) {
	t.Helper()
	var e struct {
		Code    string
		Details []struct{ Type, Value string }
	}
	raw, err := io.ReadAll(res.Body)
	if err == nil {
		err = json.Unmarshal(raw, &e)
	}
	if err != nil || len(e.Details) != 1 || e.Details[0].Type != "skein.v1.Error" {
		t.Fatalf("status %d, no error of ours in %q: %v", res.StatusCode, raw, err)
	}
	b, err := base64.RawStdEncoding.DecodeString(e.Details[0].Value)
	ours = new(skeinv1.Error)
	if err == nil {
		err = proto.Unmarshal(b, ours)
	}
	if err != nil {
		t.Fatal(err)
	}
	return e.Code, ours
}

// withoutToken are the calls of whoever signs in: they look for themselves who
// calls.
var withoutToken = map[string]bool{
	skeinv1connect.SignInServiceGetSignInOptionsProcedure: true, skeinv1connect.SignInServiceCreateGuestProcedure: true,
	skeinv1connect.SignInServiceCreateSignInCodeProcedure: true, skeinv1connect.SignInServiceWaitSignInCodeProcedure: true,
	skeinv1connect.SignInServiceRenewTokenProcedure: true,
}

func TestEveryCallOfTheProtoIsInTheTableAndNoOther(t *testing.T) {
	w := newWorld(t)
	table := w.server.table()
	protoregistry.GlobalFiles.RangeFilesByPackage("skein.v1", func(f protoreflect.FileDescriptor) bool {
		for i := range f.Services().Len() {
			s := f.Services().Get(i)
			for k := range s.Methods().Len() {
				p := fmt.Sprintf("/%s/%s", s.FullName(), s.Methods().Get(k).Name())
				if table[p] == nil {
					t.Errorf("%s has no handler", p)
				}
				delete(table, p)
				if withoutToken[p] {
					continue
				}
				if res := w.call(p, "", "{}"); res.StatusCode != http.StatusUnauthorized {
					t.Errorf("%s without a token: %d", p, res.StatusCode)
				}
			}
		}
		return true
	})
	for p := range table {
		t.Errorf("%s is not of the proto", p)
	}
	if res := w.call("/skein.v1.ConversationService/Nothing", "token-of-ann", "{}"); res.StatusCode != http.StatusNotFound {
		t.Errorf("a call that is none: %d", res.StatusCode)
	}
}

func TestEveryErrorCodeHasItsPlaceInConnect(t *testing.T) {
	w := newWorld(t)
	for n, name := range skeinv1.ErrorCode_name {
		if n == 0 {
			continue
		}
		code := im.Code(n)
		if connectCodes[code] == 0 {
			t.Errorf("%s has no Connect code", name)
			continue
		}
		w.spoken.err = fmt.Errorf("deep below: %w", &im.Error{Code: code, Message: "what it is", Hint: "what to do", RetryAfter: 1500 * time.Millisecond, ServerTime: 77})
		res := w.call(skeinv1connect.DeviceServiceListDevicesProcedure, "token-of-ann", "{}")
		got, ours := failure(t, res)
		if got != connectCodes[code].String() || int32(ours.Code) != n || ours.Message != "what it is" || ours.Hint != "what to do" ||
			ours.RetryAfterMs != 1500 || ours.ServerTimeUs != 77 {
			t.Errorf("%s came as %s %v", name, got, ours)
		}
	}
	for code := range connectCodes {
		if _, ok := skeinv1.ErrorCode_name[int32(code)]; !ok {
			t.Errorf("code %d is not of the proto", code)
		}
	}
	if w.log.Len() > 0 {
		t.Errorf("an error for the caller was logged: %s", w.log.String())
	}
}

func TestAnErrorThatIsNotForTheCallerIsLoggedOnceAndNotShown(t *testing.T) {
	w := newWorld(t)
	w.spoken.err = errors.New("password authentication failed for user skein")
	code, ours := failure(t, w.call(skeinv1connect.DeviceServiceListDevicesProcedure, "token-of-ann", "{}"))
	if code != connect.CodeInternal.String() || ours.Code != skeinv1.ErrorCode_ERROR_CODE_INTERNAL || strings.Contains(ours.Message, "password") {
		t.Errorf("%s %v", code, ours)
	}
	if n := strings.Count(w.log.String(), "password"); n != 1 || strings.Contains(w.log.String(), "token-of") {
		t.Errorf("logged %d times:\n%s", n, w.log.String())
	}
}

func TestACallThatTakesTooLongIsGivenUpWithAnUnknownOutcome(t *testing.T) {
	w := newWorld(t)
	w.spoken.wait = true
	h := w.handler
	d := w.server.Deps
	d.Timeout = 20 * time.Millisecond
	var err error
	if w.handler, err = New(d); err != nil {
		t.Fatal(err)
	}
	code, ours := failure(t, w.call(skeinv1connect.DeviceServiceListDevicesProcedure, "token-of-ann", "{}"))
	if code != connect.CodeUnavailable.String() || ours.Code != skeinv1.ErrorCode_ERROR_CODE_UNAVAILABLE || ours.Hint == "" {
		t.Errorf("by the server: %s %v", code, ours)
	}
	w.handler = h // and by the caller, in Connect's header
	res := w.call(skeinv1connect.DeviceServiceListDevicesProcedure, "token-of-ann", "{}", "Connect-Timeout-Ms", "20")
	if res.StatusCode == http.StatusOK {
		t.Errorf("by the caller: %d", res.StatusCode)
	}
}

func TestWhoCallsIsTakenFromTheHeaderAndCounted(t *testing.T) {
	w := newWorld(t)
	list := skeinv1connect.DeviceServiceListDevicesProcedure
	if res := w.call(list, "token-of-ann", "{}", "Skein-Device", "ann%20%E4%B8%96"); res.StatusCode != http.StatusOK {
		t.Fatal(res.Status)
	}
	if got, want := w.spoken.actors[0], (im.Actor{App: "demo", User: "ann", Device: "ann 世"}); got != want {
		t.Errorf("the actor is %v", got)
	}
	for name, c := range map[string]struct {
		token  string
		header []string
		code   skeinv1.ErrorCode
	}{
		"no token":                        {"", nil, skeinv1.ErrorCode_ERROR_CODE_UNAUTHENTICATED},
		"a token that is none":            {"nonsense", nil, skeinv1.ErrorCode_ERROR_CODE_UNAUTHENTICATED},
		"another kind of authorization":   {"", []string{"Authorization", "Basic YTpi"}, skeinv1.ErrorCode_ERROR_CODE_UNAUTHENTICATED},
		"no app":                          {"token-of-ann", []string{"Skein-App", ""}, skeinv1.ErrorCode_ERROR_CODE_UNAUTHENTICATED},
		"an app that can not be":          {"token-of-ann", []string{"Skein-App", "a b"}, skeinv1.ErrorCode_ERROR_CODE_UNAUTHENTICATED},
		"a device with a control in it":   {"token-of-ann", []string{"Skein-Device", "a%0Ab"}, skeinv1.ErrorCode_ERROR_CODE_INVALID_ARGUMENT},
		"a device that is not of letters": {"token-of-ann", []string{"Skein-Device", "%FF"}, skeinv1.ErrorCode_ERROR_CODE_INVALID_ARGUMENT},
	} {
		before := len(w.counted)
		if _, ours := failure(t, w.call(list, c.token, "{}", c.header...)); ours.Code != c.code {
			t.Errorf("%s: %v", name, ours)
		}
		if len(w.counted) != before+1 || w.counted[before] != "192.0.2.7" {
			t.Errorf("%s: its address was counted %v", name, w.counted[before:])
		}
	}
	if len(w.spoken.actors) != 1 {
		t.Errorf("a stranger's call reached the verb: %v", w.spoken.actors)
	}
	w.strange = im.Errorf(im.RateLimited, "too many calls without a good token")
	if _, ours := failure(t, w.call(list, "", "{}")); ours.Code != skeinv1.ErrorCode_ERROR_CODE_RATE_LIMITED {
		t.Errorf("a stranger beyond the rate: %v", ours)
	}
	w.allow = im.Errorf(im.RateLimited, "too many calls")
	if _, ours := failure(t, w.call(list, "token-of-ann", "{}")); ours.Code != skeinv1.ErrorCode_ERROR_CODE_RATE_LIMITED || len(w.spoken.actors) != 1 {
		t.Errorf("a caller beyond the rate: %v", ours)
	}
}

func TestARequestThatBreaksItsRulesReachesNoVerb(t *testing.T) {
	w := newWorld(t)
	long := strings.Repeat("x", 65)
	for name, c := range map[string]struct{ procedure, body, field string }{
		"a device id that is too long": {skeinv1connect.DeviceServiceSignOutDeviceProcedure, `{"device":"` + long + `"}`, "device"},
		"no device id":                 {skeinv1connect.DeviceServiceSignOutDeviceProcedure, `{}`, "device"},
		"too many conversations":       {skeinv1connect.SyncServiceSyncProcedure, `{"conversations":501}`, "conversations"},
		"an emoji that is too long":    {skeinv1connect.MessageServiceReactToMessageProcedure, `{"conversation":"g1","seq":"1","emoji":"` + long + `","clientId":"AAAAAAAAcACAAAAAAAAAAA=="}`, "emoji"},
	} {
		_, ours := failure(t, w.call(c.procedure, "token-of-ann", c.body))
		if ours.Code != skeinv1.ErrorCode_ERROR_CODE_INVALID_ARGUMENT || !strings.Contains(ours.Message, c.field) {
			t.Errorf("%s: %v", name, ours)
		}
	}
	if len(w.spoken.actors) > 0 {
		t.Errorf("a verb was asked: %v", w.spoken.actors)
	}
	if res := w.call(skeinv1connect.SyncServiceSyncProcedure, "token-of-ann", `{"notAField":1}`); res.StatusCode != http.StatusOK {
		t.Errorf("a field of the future: %d", res.StatusCode)
	}
	_, ours := failure(t, w.call(skeinv1connect.SyncServiceSyncProcedure, "token-of-ann", `{"x":"`+strings.Repeat("x", 64<<10)+`"}`))
	if ours.Code != skeinv1.ErrorCode_ERROR_CODE_TOO_LARGE {
		t.Errorf("a request over the limit: %v", ours)
	}
}

// preflight asks what a page may do, as a browser does.
func (w *world) preflight(origin string) *http.Response {
	r := httptest.NewRequestWithContext(w.t.Context(), http.MethodOptions, skeinv1connect.SyncServiceSyncProcedure, nil)
	r.Header.Set("Origin", origin)
	r.Header.Set("Access-Control-Request-Method", "POST")
	r.Header.Set("Access-Control-Request-Headers", "authorization,content-type,skein-app,skein-device,connect-protocol-version")
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	return rec.Result()
}

func TestPagesReadAnswersOnlyForAnAppThatAllowsThem(t *testing.T) {
	w := newWorld(t)
	pre := w.preflight("https://bad.example")
	allowed := strings.ToLower(pre.Header.Get("Access-Control-Allow-Headers"))
	for _, h := range []string{"authorization", "content-type", "skein-app", "skein-device", "connect-protocol-version", "connect-timeout-ms"} {
		if !strings.Contains(allowed, h) {
			t.Errorf("the preflight does not allow %s: %q", h, allowed)
		}
	}
	if pre.StatusCode != http.StatusNoContent || pre.Header.Get("Access-Control-Allow-Methods") != "POST" || pre.Header.Get("Access-Control-Max-Age") == "" {
		t.Errorf("preflight: %d %v", pre.StatusCode, pre.Header)
	}
	if pre.Header.Get("Access-Control-Allow-Credentials") != "" {
		t.Error("a page may send cookies")
	}
	sync := skeinv1connect.SyncServiceSyncProcedure
	good := w.call(sync, "token-of-ann", "{}", "Origin", "https://good.example")
	if good.StatusCode != http.StatusOK || good.Header.Get("Access-Control-Allow-Origin") != "https://good.example" || good.Header.Get("Vary") != "Origin" {
		t.Errorf("an allowed page: %d %v", good.StatusCode, good.Header)
	}
	for _, c := range [][2]string{{"https://bad.example", "demo"}, {"https://good.example", "other"}, {"null", "demo"}} {
		bad := w.call(sync, "token-of-ann", "{}", "Origin", c[0], "Skein-App", c[1])
		if bad.StatusCode != http.StatusForbidden || bad.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s for %s: %d %v", c[0], c[1], bad.StatusCode, bad.Header)
		}
	}
	plain := w.call(sync, "token-of-ann", "{}")
	if plain.StatusCode != http.StatusOK || plain.Header.Get("Access-Control-Allow-Origin") != "" || plain.Header.Get("Cache-Control") != "no-store" ||
		plain.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("no page at all: %d %v", plain.StatusCode, plain.Header)
	}
}

func TestTheSameCallIsMadeInEveryProtocolOfConnect(t *testing.T) {
	w := newWorld(t)
	srv := httptest.NewUnstartedServer(w.handler)
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	for name, options := range map[string][]connect.ClientOption{
		"Connect": nil, "Connect with JSON": {connect.WithProtoJSON()}, "gRPC": {connect.WithGRPC()}, "gRPC-Web": {connect.WithGRPCWeb()},
	} {
		c := skeinv1connect.NewDeviceServiceClient(srv.Client(), srv.URL, options...)
		r := connect.NewRequest(&skeinv1.ListDevicesRequest{})
		r.Header().Set("Authorization", "Bearer token-of-ann")
		r.Header().Set("Skein-App", "demo")
		res, err := c.ListDevices(t.Context(), r)
		if err != nil || len(res.Msg.Devices) != 1 || res.Msg.Devices[0].Id != "phone" {
			t.Errorf("%s: %v %v", name, res, err)
		}
		r = connect.NewRequest(&skeinv1.ListDevicesRequest{})
		_, err = c.ListDevices(t.Context(), r)
		var ce *connect.Error
		if !errors.As(err, &ce) || ce.Code() != connect.CodeUnauthenticated || len(ce.Details()) != 1 {
			t.Errorf("%s without a token: %v", name, err)
		}
	}
}
