package main

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/skein-im/skein/internal/config"
	"github.com/skein-im/skein/internal/feature/call"
	"github.com/skein-im/skein/internal/im"
)

func TestANodeTellsTheOthersAnAddressThatTheyCanReach(t *testing.T) {
	for _, c := range []struct {
		sfu, listen, db string
		peers           []string
		want            string
	}{
		{listen: "10.0.0.11:6222", want: "10.0.0.11:0"},
		{sfu: "10.0.0.12:6223", listen: "10.0.0.11:6222", want: "10.0.0.12:6223"},
		{sfu: ":6223", listen: "node1.internal:6222", want: "node1.internal:6223"},
		{sfu: ":6223", listen: "0.0.0.0:6222", peers: []string{"127.0.0.1:6222"}, want: "127.0.0.1:6223"},
		{listen: "[::]:6222", db: "postgres://skein:secret@127.0.0.1,127.0.0.2:5432/skein", want: "127.0.0.1:0"},
		{db: "postgres:///skein?host=/run/postgresql", want: "127.0.0.1:0"},
		{db: "postgres:///skein?host=127.0.0.1", want: "127.0.0.1:0"},
	} {
		cfg := &config.Config{DB: c.db, Cluster: config.Cluster{SFU: c.sfu, Listen: c.listen, Peers: c.peers}}
		if got, err := peerAddress(cfg); err != nil || got != c.want {
			t.Errorf("%+v: %s %v", c, got, err)
		}
	}
}

func TestAnotherNodeGetsToThisOnesSFUOnlyAndOnlyForRoomsThatAreThere(t *testing.T) {
	sfu := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.URL.Path) //nolint:errcheck // the test reads it
	}))
	defer sfu.Close()
	own := func(_ context.Context, room string) (string, error) {
		if room != "here" {
			return "", im.Errorf(im.Unavailable, "it is elsewhere")
		}
		return sfu.URL, nil
	}
	inner := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "signals") }) //nolint:errcheck // the test reads it
	h := httptest.NewServer(peerHandler(inner, own, func(context.Context) (string, error) { return sfu.URL, nil }, slog.New(slog.DiscardHandler)))
	defer h.Close()
	for _, c := range []struct{ method, path, room, want string }{
		{"POST", "/twirp/livekit.RoomService/ListRooms", "", "200 /twirp/livekit.RoomService/ListRooms"},
		{"POST", "/twirp/livekit.RoomService/CreateRoom", "here", "200 /twirp/livekit.RoomService/CreateRoom"},
		{"POST", "/twirp/livekit.Egress/ListEgress", "here", "200 /twirp/livekit.Egress/ListEgress"},
		{"POST", "/twirp/livekit.RoomService/CreateRoom", "elsewhere", "503 the media server is not there"},
		{"GET", "/twirp/livekit.RoomService/ListRooms", "", "405 Method Not Allowed"},
		{"GET", "/rtc/v1", "", "200 signals"},
		{"GET", "/", "", "404 404 page not found"},
		{"POST", "/v1/calls/webhook", "", "404 404 page not found"},
	} {
		r, err := http.NewRequest(c.method, h.URL+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if c.room != "" {
			r.Header.Set(call.RoomHeader, c.room)
		}
		a, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(a.Body) // short is different, too
		a.Body.Close()
		if got := a.Status[:3] + " " + strings.TrimSpace(string(b)); got != c.want {
			t.Errorf("%s %s: %s, want %s", c.method, c.path, got, c.want)
		}
	}
}

func TestAnAddressIsFoundWhereTheFirstOfTheOthersIsUnknown(t *testing.T) {
	if got, err := ownAddress([]string{"nobody.invalid:1", "127.0.0.1:1"}); err != nil || net.ParseIP(got) == nil {
		t.Errorf("%s %v", got, err)
	}
	if got, err := ownAddress([]string{"nobody.invalid:1"}); err == nil {
		t.Errorf("%s was told to the others, who are on another machine", got)
	}
}

func TestNodesThatShareADataFolderRecordIntoFoldersOfTheirOwn(t *testing.T) {
	a := recordingsDir(&config.Config{Data: "/data", DB: "postgres://db/skein", Listen: "[::]:8080"})
	b := recordingsDir(&config.Config{Data: "/data", DB: "postgres://db/skein", Listen: "[::]:8081"})
	if a == b || strings.ContainsAny(a, ":[]") || !strings.HasPrefix(a, "/data/recordings/") {
		t.Errorf("they are %s and %s", a, b)
	}
	if got := recordingsDir(&config.Config{Data: "/data"}); got != "/data/recordings" {
		t.Errorf("a server alone records to %s", got)
	}
}
