package sfu

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/sfu/token"
	"github.com/skein-im/skein/proto/livekit"
)

func TestNoDoorOpensForATokenThatIsForgedForeignOrOver(t *testing.T) {
	s, h := start(t, nil)
	now := time.Now()
	sign := func(key, secret string, g token.Grants) string {
		if g.Expires.IsZero() {
			g.Expires = now.Add(time.Hour)
		}
		raw, err := token.Mint(key, secret, g)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	join := token.Video{RoomJoin: true, Room: "r"}
	good := sign(testKey, testSecret, token.Grants{Identity: "ann", Video: join})
	parts := strings.Split(good, ".")
	claims := jwt.MapClaims{"iss": testKey, "sub": "ann", "exp": now.Add(time.Hour).Unix(), "video": map[string]any{"roomJoin": true, "room": "r", "roomAdmin": true, "roomCreate": true, "roomList": true}}
	none, err := jwt.NewWithClaims(jwt.SigningMethodNone, claims).SignedString(jwt.UnsafeAllowNoneSignatureType)
	if err != nil {
		t.Fatal(err)
	}
	other, err := jwt.NewWithClaims(jwt.SigningMethodHS512, claims).SignedString([]byte(testSecret))
	if err != nil {
		t.Fatal(err)
	}
	forged := parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"key","sub":"eve","exp":4102444800,"video":{"roomJoin":true,"room":"r","roomAdmin":true,"roomList":true}}`)) + "." + parts[2]
	for _, test := range []struct {
		name, token string
		enter, ask  int // what signalling and the room API answer
	}{
		{"none", "", 401, 401},
		{"nonsense", "a.b.c", 401, 401},
		{"forged", forged, 401, 401},
		{"without a signature", none, 401, 401},
		{"of another algorithm", other, 401, 401},
		{"cut short", good[:len(good)-4], 401, 401},
		{"of another's secret", sign(testKey, testSecret+"!", token.Grants{Identity: "ann", Video: join}), 401, 401},
		{"of an unknown app", sign("nobody", testSecret, token.Grants{Identity: "ann", Video: join}), 401, 401},
		{"of a minute ago", sign(testKey, testSecret, token.Grants{Identity: "ann", Video: join, Expires: now.Add(-time.Minute)}), 401, 401},
		{"of tomorrow", sign(testKey, testSecret, token.Grants{Identity: "ann", Video: join, NotBefore: now.Add(24 * time.Hour), Expires: now.Add(48 * time.Hour)}), 401, 401},
		{"for a webhook", sign(testKey, testSecret, token.Grants{SHA256: "x"}), 403, 403},
		{"of an administrator", sign(testKey, testSecret, token.Grants{Identity: "ann", Video: token.Video{RoomAdmin: true, Room: "other"}}), 403, 403},
		{"for no room", sign(testKey, testSecret, token.Grants{Identity: "ann", Video: token.Video{RoomJoin: true}}), 403, 403},
		{"for nobody", sign(testKey, testSecret, token.Grants{Video: join}), 403, 403},
		{"for a name too long", sign(testKey, testSecret, token.Grants{Identity: strings.Repeat("x", 300), Video: join}), 403, 403},
	} {
		for _, path := range []string{"/rtc", "/rtc/v1", "/rtc/validate", "/rtc/v1/validate?join_request=CAA"} {
			path += map[bool]string{true: "&", false: "?"}[strings.Contains(path, "?")] + "access_token=" + test.token
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.URL+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != test.enter {
				t.Errorf("%s at %.18s: %d, want %d", test.name, path, resp.StatusCode, test.enter)
			}
		}
		for _, call := range []struct{ method, body string }{{"ListRooms", "{}"}, {"CreateRoom", `{"name":"x"}`}, {"ListParticipants", `{"room":"r"}`}, {"RemoveParticipant", `{"room":"r","identity":"ann"}`}, {"SendData", `{"room":"r","data":"aGk="}`}} {
			if code, body := twirp(t, h.URL, call.method, test.token, call.body); code != test.ask {
				t.Errorf("%s to %s: %d %s, want %d", test.name, call.method, code, body, test.ask)
			}
		}
	}
	http.DefaultClient.CloseIdleConnections()
	if c := s.Counts(); c.Rooms != 0 {
		t.Errorf("there are %+v", c)
	}
}

func TestAJoinRequestThatUnpacksToALotIsRefusedBeforeItDoes(t *testing.T) {
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 1<<20)
	for range 64 {
		if _, err := z.Write(zeros); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := proto.Marshal(&livekit.WrappedJoinRequest{Compression: livekit.WrappedJoinRequest_GZIP, JoinRequest: packed.Bytes()})
	if err != nil {
		t.Fatal(err)
	}
	raw := base64.RawURLEncoding.EncodeToString(b)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err = decodeJoin(raw)
	runtime.ReadMemStats(&after)
	if err == nil || after.TotalAlloc-before.TotalAlloc > 16<<20 {
		t.Errorf("64 MiB in %d bytes: %v, after %d bytes were allocated", len(raw), err, after.TotalAlloc-before.TotalAlloc)
	}
}
