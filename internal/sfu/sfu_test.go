package sfu

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/sfu/link"
	"github.com/skein-im/skein/internal/sfu/token"
	"github.com/skein-im/skein/internal/ws"
	"github.com/skein-im/skein/proto/livekit"

	"log/slog"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testKey    = "key"
	testSecret = "a secret for tests that is long enough"
)

// start serves on free ports of loopback until the test ends.
func start(t *testing.T, change func(*Config)) (*Server, *httptest.Server) {
	t.Helper()
	cfg := Config{
		Keys:  map[string]string{testKey: testSecret},
		Media: link.Config{Listen: []netip.Addr{netip.MustParseAddr("127.0.0.1")}, TCP: true},
		Clock: im.SystemClock{}, Entropy: im.SystemEntropy(), Log: slog.New(slog.DiscardHandler), WebhookKey: testKey,
	}
	if change != nil {
		change(&cfg)
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s.Handler())
	t.Cleanup(func() {
		s.Close()
		h.Close()
	})
	return s, h
}

func mint(t *testing.T, g token.Grants) string {
	t.Helper()
	g.Expires = time.Now().Add(time.Hour)
	raw, err := token.Mint(testKey, testSecret, g)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// twirp calls the room API and returns status and body.
func twirp(t *testing.T, url, method, auth, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, url+"/twirp/livekit.RoomService/"+method, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+auth)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	var b strings.Builder
	var raw json.RawMessage
	if err := json.NewDecoder(resp.Body).Decode(&raw); err == nil {
		b.Write(raw)
	}
	return resp.StatusCode, b.String()
}

func TestEachCallOfTheRoomAPIAsksForItsOwnGrant(t *testing.T) {
	_, h := start(t, nil)
	create := mint(t, token.Grants{Video: token.Video{RoomCreate: true}})
	list := mint(t, token.Grants{Video: token.Video{RoomList: true}})
	admin := mint(t, token.Grants{Video: token.Video{RoomAdmin: true, Room: "r"}})
	other := mint(t, token.Grants{Video: token.Video{RoomAdmin: true, Room: "other"}})
	join := mint(t, token.Grants{Identity: "ann", Video: token.Video{RoomJoin: true, Room: "r"}})
	if code, body := twirp(t, h.URL, "CreateRoom", create, `{"name":"r","metadata":"m","emptyTimeout":7}`); code != 200 || !strings.Contains(body, `"metadata":"m"`) {
		t.Fatalf("CreateRoom: %d %s", code, body)
	}
	for _, test := range []struct {
		method, auth, body string
		want               int
	}{
		{"CreateRoom", join, `{"name":"x"}`, 403},
		{"CreateRoom", create, `{"name":""}`, 400},
		{"CreateRoom", create, `{`, 400},
		{"CreateRoom", "nonsense", `{"name":"x"}`, 401},
		{"ListRooms", create, `{}`, 403},
		{"ListRooms", list, `{"names":["r"]}`, 200},
		{"ListParticipants", admin, `{"room":"r"}`, 200},
		{"ListParticipants", other, `{"room":"r"}`, 403},
		{"ListParticipants", join, `{"room":"r"}`, 403},
		{"GetParticipant", admin, `{"room":"r","identity":"nobody"}`, 404},
		{"RemoveParticipant", other, `{"room":"r","identity":"nobody"}`, 403},
		{"MutePublishedTrack", admin, `{"room":"r","identity":"nobody"}`, 404},
		{"UpdateParticipant", admin, `{"room":"r","identity":"nobody"}`, 404},
		{"UpdateSubscriptions", admin, `{"room":"r","identity":"nobody"}`, 404},
		{"SendData", admin, `{"room":"r","data":"aGk="}`, 200},
		{"SendData", join, `{"room":"r","data":"aGk="}`, 403},
		{"UpdateRoomMetadata", admin, `{"room":"r","metadata":"n"}`, 200},
		{"Nothing", admin, `{}`, 404},
		{"ForwardParticipant", admin, `{"room":"r","identity":"ann","destinationRoom":"s"}`, 501},
		{"MoveParticipant", admin, `{"room":"r","identity":"ann","destinationRoom":"s"}`, 501},
		{"MoveParticipant", "nonsense", `{"room":"r","identity":"ann","destinationRoom":"s"}`, 401},
		{"PerformRpc", admin, `{}`, 501},
		{"DeleteRoom", list, `{"room":"r"}`, 403},
		{"DeleteRoom", create, `{"room":"r"}`, 200},
		{"DeleteRoom", create, `{"room":"r"}`, 404},
		{"ReleaseRoom", list, `{"room":"r"}`, 403},
		{"ReleaseRoom", create, `{"room":"r"}`, 404},
	} {
		if code, body := twirp(t, h.URL, test.method, test.auth, test.body); code != test.want {
			t.Errorf("%s %s: %d %s, want %d", test.method, test.body, code, body, test.want)
		}
	}
}

func TestEventsArePostedSignedAndInOrderAlsoWhenTheReceiverFailsFirst(t *testing.T) {
	var mu sync.Mutex
	var got []string
	enough := make(chan struct{})
	failures := 1
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if failures > 0 {
			failures--
			http.Error(w, "not now", http.StatusServiceUnavailable)
			return
		}
		var e struct{ Event string }
		if err := json.NewDecoder(r.Body).Decode(&e); err != nil {
			t.Error(err)
		}
		g, err := token.Parse(r.Header.Get("Authorization"), func(string) (string, bool) { return testSecret, true }, time.Now())
		if err != nil || g.SHA256 == "" || r.Header.Get("Content-Type") != "application/webhook+json" {
			t.Errorf("signed by %+v, %v", g, err)
		}
		if got = append(got, e.Event); len(got) == 3 {
			close(enough)
		}
	}))
	defer hook.Close()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	_, h := start(t, func(c *Config) { c.Webhooks, c.HTTP = []string{hook.URL}, client })
	create := mint(t, token.Grants{Video: token.Video{RoomCreate: true}})
	twirp(t, h.URL, "CreateRoom", create, `{"name":"elsewhere"}`)
	signalOnly(t, h.URL, "ann", token.Video{Room: "elsewhere"}, &livekit.JoinRequest{}).until("join", func(m *livekit.SignalResponse) bool { return m.GetJoin() != nil })
	twirp(t, h.URL, "ReleaseRoom", create, `{"room":"elsewhere"}`) // it goes on, so it is not finished, and who was in it is no more gone than it
	twirp(t, h.URL, "CreateRoom", create, `{"name":"r"}`)
	twirp(t, h.URL, "DeleteRoom", create, `{"room":"r"}`)
	select {
	case <-enough:
	case <-time.After(20 * time.Second):
		t.Fatal("the events did not come")
	}
	mu.Lock()
	defer mu.Unlock()
	if fmt.Sprint(got) != "[room_started room_started room_finished]" {
		t.Errorf("got %v", got)
	}
}

func FuzzSignal(f *testing.F) {
	b, err := proto.Marshal(&livekit.SignalRequest{Message: &livekit.SignalRequest_Mute{Mute: &livekit.MuteTrackRequest{Sid: "TR_x", Muted: true}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b, false)
	f.Add([]byte(`{"ping":"1"}`), true)
	f.Fuzz(func(t *testing.T, b []byte, asJSON bool) {
		if m, err := decodeSignal(b, asJSON); err == nil {
			if _, err := proto.Marshal(m); err != nil {
				t.Errorf("%x was read but cannot be written: %v", b, err)
			}
		}
		if k, err := readData(b); err == nil {
			(&Room{participants: map[string]*Participant{}}).recipients(nil, k)
		}
	})
}

func FuzzJoinRequest(f *testing.F) {
	f.Add("CAESBA==")
	f.Add("CAESFB-LCAAAAAAAAP8CAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, s string) {
		if m, err := decodeJoin(s); err == nil && m == nil {
			t.Error("neither a request nor an error")
		}
	})
}

// Who loses its wish to negotiate when it hurries is not told to.
func TestOnlyClientsThatCanAreToldToPublishFast(t *testing.T) {
	_, h := start(t, nil)
	for sdk, fast := range map[livekit.ClientInfo_SDK]bool{livekit.ClientInfo_JS: true, livekit.ClientInfo_SWIFT: true, livekit.ClientInfo_ANDROID: true, livekit.ClientInfo_UNKNOWN: true,
		livekit.ClientInfo_RUST: false, livekit.ClientInfo_NODE: false, livekit.ClientInfo_PYTHON: false, livekit.ClientInfo_UNITY: false} {
		c := signalOnly(t, h.URL, sdk.String(), token.Video{}, &livekit.JoinRequest{ClientInfo: &livekit.ClientInfo{Sdk: sdk}})
		j := c.until("join", func(m *livekit.SignalResponse) bool { return m.GetJoin() != nil }).GetJoin()
		if j.FastPublish != fast {
			t.Errorf("%v is told %v", sdk, j.FastPublish)
		}
		old, err := ws.Dial(t.Context(), strings.Replace(h.URL, "http", "ws", 1)+"/rtc?sdk="+strings.ToLower(sdk.String())+"&access_token="+mint(t, token.Grants{Identity: "old " + sdk.String(), Video: token.Video{Room: "r", RoomJoin: true}}), ws.DialOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer old.Close()
		_, b, err := old.ReadMessage()
		m := &livekit.SignalResponse{}
		if err != nil || proto.Unmarshal(b, m) != nil || m.GetJoin().GetFastPublish() != fast {
			t.Errorf("%v of protocol 0 is told %v, %v", sdk, m.GetJoin().GetFastPublish(), err)
		}
	}
}
