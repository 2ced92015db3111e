package door

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/sfu/token"
	"github.com/skein-im/skein/internal/ws"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	key    = "skeintest"
	secret = "a secret of the door that is long enough"
)

func mint(t *testing.T, key, secret string, g token.Grants) string {
	t.Helper()
	if g.Expires.IsZero() {
		g.Expires = time.Now().Add(time.Minute)
	}
	raw, err := token.Mint(key, secret, g)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func joins(room string) token.Grants {
	return token.Grants{Identity: "ann/phone", Video: token.Video{RoomJoin: true, Room: room}}
}

// open opens a door before an SFU that echoes, and tells what came to it.
func open(t *testing.T, where func(context.Context, string) (string, error)) (door *Door, front string, seen chan *http.Request) {
	t.Helper()
	seen = make(chan *http.Request, 16)
	sfu := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen <- r
		if strings.HasSuffix(r.URL.Path, "/validate") {
			w.Header().Set("Access-Control-Allow-Origin", "*")
			io.WriteString(w, "success")
			return
		}
		c, err := ws.Upgrade(w, r, ws.UpgradeOptions{CheckOrigin: func(*http.Request) bool { return true }})
		if err != nil {
			return
		}
		defer c.Close()
		for {
			op, b, err := c.ReadMessage()
			if err != nil {
				return
			}
			if err := c.WriteMessage(op, b); err != nil {
				return
			}
		}
	}))
	if where == nil {
		where = func(_ context.Context, room string) (string, error) { return sfu.URL + "/" + room, nil }
	}
	d := New(Options{Key: key, Secret: secret, Where: where, Clock: im.SystemClock{}, Log: slog.New(slog.DiscardHandler)})
	mux := http.NewServeMux()
	for _, p := range Paths() {
		mux.Handle(p, d)
	}
	h := httptest.NewServer(mux)
	t.Cleanup(func() {
		if err := d.Close(context.Background()); err != nil {
			t.Error(err)
		}
		h.Close()
		sfu.Close()
	})
	return d, h.URL, seen
}

func TestASocketIsPassedOnToTheSFUOfItsTokensRoom(t *testing.T) {
	d, front, seen := open(t, nil)
	for name, o := range map[string]struct {
		query  string
		header http.Header
	}{
		"in the query": {query: "?access_token=" + mint(t, key, secret, joins("blue")) + "&join_request=x"},
		"in a header":  {query: "?join_request=x", header: http.Header{"Authorization": {"Bearer " + mint(t, key, secret, joins("blue"))}, "Cookie": {"session=1"}}},
	} {
		c, err := ws.Dial(t.Context(), strings.Replace(front, "http", "ws", 1)+"/rtc/v1"+o.query, ws.DialOptions{Header: o.header})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		r := <-seen
		if r.URL.Path != "/blue/rtc/v1" || r.URL.Query().Get("join_request") != "x" || r.Header.Get("Cookie") != "" {
			t.Errorf("%s: the SFU was asked %s, %v", name, r.URL, r.Header)
		}
		if err := c.WriteMessage(ws.OpBinary, []byte("hello")); err != nil {
			t.Fatal(err)
		}
		if _, b, err := c.ReadMessage(); err != nil || string(b) != "hello" {
			t.Errorf("%s: %q %v", name, b, err)
		}
		if d.Open() != 1 {
			t.Errorf("%d are passed on", d.Open())
		}
		c.Close()
		for d.Open() != 0 { // it notices by itself
			select {
			case <-t.Context().Done():
				t.Fatal("it is passed on for ever")
			case <-time.After(time.Millisecond):
			}
		}
	}
}

func TestATokenThatIsNotGoodIsRefusedBeforeAnySFUIsAsked(t *testing.T) {
	_, front, seen := open(t, nil)
	old := joins("blue")
	old.Expires = time.Now().Add(-time.Minute)
	nobody := joins("blue")
	nobody.Identity = ""
	for name, c := range map[string]struct {
		token string
		want  int
	}{
		"none":              {"", 401},
		"no token at all":   {"x.y.z", 401},
		"forged":            {mint(t, key, secret+"!", joins("blue")), 401},
		"of another key":    {mint(t, "skeinother", secret, joins("blue")), 401},
		"expired":           {mint(t, key, secret, old), 401},
		"into no room":      {mint(t, key, secret, joins("")), 403},
		"of nobody":         {mint(t, key, secret, nobody), 403},
		"of an admin":       {mint(t, key, secret, token.Grants{Video: token.Video{RoomAdmin: true, Room: "blue"}}), 403},
		"cut in the middle": {mint(t, key, secret, joins("blue"))[:60], 401},
	} {
		for _, path := range Paths() {
			resp, err := http.Get(front + path + "?access_token=" + c.token)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != c.want || resp.Header.Get("Access-Control-Allow-Origin") != "*" {
				t.Errorf("%s at %s: %d %v", name, path, resp.StatusCode, resp.Header)
			}
		}
	}
	if len(seen) != 0 {
		t.Error("an SFU was asked")
	}
}

func TestPagesOfAnyOriginMayAskWhyOnce(t *testing.T) {
	_, front, _ := open(t, nil)
	ask := func(method, path string) *http.Response {
		req, err := http.NewRequest(method, front+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp
	}
	if r := ask("OPTIONS", "/rtc/v1/validate"); r.StatusCode != 204 || r.Header.Get("Access-Control-Allow-Headers") == "" {
		t.Errorf("a preflight: %d %v", r.StatusCode, r.Header)
	}
	if r := ask("POST", "/rtc/validate"); r.StatusCode != 405 {
		t.Errorf("POST: %d", r.StatusCode)
	}
	r := ask("GET", "/rtc/validate?access_token="+mint(t, key, secret, joins("blue")))
	if got := r.Header.Values("Access-Control-Allow-Origin"); r.StatusCode != 200 || len(got) != 1 || got[0] != "*" {
		t.Errorf("validate: %d, origins %q", r.StatusCode, got)
	}
}

func TestWithoutAnSFUTheClientIsToldToComeAgain(t *testing.T) {
	for name, where := range map[string]func(context.Context, string) (string, error){
		"unknown": func(context.Context, string) (string, error) { return "", im.Errorf(im.Unavailable, "none") },
		"dead":    func(context.Context, string) (string, error) { return "http://127.0.0.1:1", nil },
		"nowhere": func(context.Context, string) (string, error) { return "", nil },
	} {
		_, front, _ := open(t, where)
		resp, err := http.Get(front + "/rtc?access_token=" + mint(t, key, secret, joins("blue")))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" || resp.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: %d %v", name, resp.StatusCode, resp.Header)
		}
	}
}

func TestADoorThatClosesCutsOffWhoIsPassedOnAndLetsNobodyElseIn(t *testing.T) {
	d, front, _ := open(t, nil)
	at := strings.Replace(front, "http", "ws", 1) + "/rtc?access_token=" + mint(t, key, secret, joins("blue"))
	c, err := ws.Dial(t.Context(), at, ws.DialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	d.Refuse()
	if _, err := ws.Dial(t.Context(), at, ws.DialOptions{}); err == nil {
		t.Error("somebody came in who was to be refused")
	}
	if err := c.WriteMessage(ws.OpBinary, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, b, err := c.ReadMessage(); err != nil || string(b) != "hello" {
		t.Errorf("who is in already: %q %v", b, err)
	}
	if err := d.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.ReadMessage(); err == nil {
		t.Error("it still reads")
	}
	if _, err := ws.Dial(t.Context(), at, ws.DialOptions{}); err == nil {
		t.Error("somebody came in")
	}
}

func TestWhoComesToAnSFUThatIsGoneOrHasNotTheRoomIsTakenToTheOneThatHasIt(t *testing.T) {
	busy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "not mine", http.StatusServiceUnavailable) }))
	defer busy.Close()
	sfu := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "in "+r.URL.RawQuery[:5]) }))
	defer sfu.Close()
	for name, c := range map[string]struct {
		first, then string
		status      int
	}{
		"dead":                    {"http://127.0.0.1:1", sfu.URL, 200},
		"another's":               {busy.URL, sfu.URL, 200},
		"twice":                   {busy.URL, busy.URL, 503},
		"another's, then nowhere": {busy.URL, "", 503},
	} {
		d := New(Options{Key: key, Secret: secret, Clock: im.SystemClock{}, Log: slog.New(slog.DiscardHandler),
			Where: func(context.Context, string) (string, error) { return c.first, nil },
			Lost: func(_ context.Context, room, base string) (string, error) {
				if room != "blue" || base != c.first {
					t.Errorf("%s: lost are %s at %s", name, room, base)
				}
				if c.then == "" {
					return "", im.Errorf(im.Unavailable, "nowhere")
				}
				return c.then, nil
			}})
		h := httptest.NewServer(d)
		resp, err := http.Get(h.URL + "/rtc/validate?access_token=" + mint(t, key, secret, joins("blue")))
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body) // short is different, too
		resp.Body.Close()
		if resp.StatusCode != c.status || c.status == 200 && string(body) != "in acces" {
			t.Errorf("%s: %d %q", name, resp.StatusCode, body)
		}
		if err := d.Close(t.Context()); err != nil {
			t.Error(err)
		}
		h.Close()
	}
}

func TestWhoIsPassedOnToAnSFUThatStandsStillIsCutOff(t *testing.T) {
	var base string
	d, front, seen := open(t, nil)
	c, err := ws.Dial(t.Context(), strings.Replace(front, "http", "ws", 1)+"/rtc?access_token="+mint(t, key, secret, joins("blue")), ws.DialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	base = "http://" + (<-seen).Host + "/blue"
	d.Cut("http://elsewhere")
	if err := c.WriteMessage(ws.OpBinary, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, b, err := c.ReadMessage(); err != nil || string(b) != "hello" {
		t.Fatalf("after the end of another: %q %v", b, err)
	}
	d.Cut(base)
	if _, _, err := c.ReadMessage(); err == nil {
		t.Error("it still reads")
	}
}
