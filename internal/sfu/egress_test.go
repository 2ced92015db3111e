package sfu

import (
	"net/http"
	"strings"
	"testing"

	"github.com/skein-im/skein/internal/sfu/token"
	"github.com/skein-im/skein/proto/livekit"
)

func TestRecordingsAreForWhoMayRecord(t *testing.T) {
	dir := t.TempDir()
	_, h := start(t, func(c *Config) { c.RecordDir = dir })
	_, none := start(t, nil)
	record := mint(t, token.Grants{Video: token.Video{RoomRecord: true}})
	admin := mint(t, token.Grants{Video: token.Video{RoomAdmin: true, RoomCreate: true, RoomList: true, Room: "r"}})
	c := signalOnly(t, h.URL, "ann", token.Video{}, &livekit.JoinRequest{AddTrackRequests: []*livekit.AddTrackRequest{{Cid: "m", Source: livekit.TrackSource_MICROPHONE}}})
	sid := c.until("a track", func(m *livekit.SignalResponse) bool { return m.GetTrackPublished() != nil }).GetTrackPublished().GetTrack().GetSid()
	ask := func(url, method, auth, body string) (int, string) {
		req, err := http.NewRequest(http.MethodPost, url+egressPath+method, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+auth)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer http.DefaultClient.CloseIdleConnections()
		defer resp.Body.Close()
		b := make([]byte, 1<<16)
		n, _ := resp.Body.Read(b) //nolint:errcheck // the status tells
		return resp.StatusCode, string(b[:n])
	}
	for _, test := range []struct {
		url, method, auth, body string
		want                    int
	}{
		{h.URL, "ListEgress", record, `{}`, 200},
		{h.URL, "ListEgress", admin, `{}`, 403},
		{h.URL, "ListEgress", "x", `{}`, 401},
		{h.URL, "ListEgress", record, `{`, 400},
		{h.URL, "StopEgress", admin, `{"egressId":"EG_x"}`, 403},
		{h.URL, "StopEgress", record, `{"egressId":"EG_x"}`, 404},
		{h.URL, "StartTrackEgress", admin, `{"roomName":"r","trackId":"x","file":{}}`, 403},
		{h.URL, "StartTrackEgress", record, `{"roomName":"r","trackId":"x"}`, 400},
		{h.URL, "StartTrackEgress", record, `{"roomName":"r","trackId":"x","websocketUrl":"ws://x"}`, 400},
		{h.URL, "StartTrackEgress", record, `{"roomName":"nowhere","trackId":"x","file":{}}`, 404},
		{h.URL, "StartTrackEgress", record, `{"roomName":"r","trackId":"x","file":{}}`, 404},
		{h.URL, "StartTrackEgress", record, `{"roomName":"r","trackId":"` + sid + `","file":{"s3":{"secret":"s"}}}`, 412},
		{h.URL, "StartRoomCompositeEgress", record, `{}`, 404},
		{none.URL, "StartTrackEgress", record, `{"roomName":"r","trackId":"x","file":{}}`, 412},
		{none.URL, "ListEgress", record, `{}`, 200},
	} {
		if code, body := ask(test.url, test.method, test.auth, test.body); code != test.want {
			t.Errorf("%s %s: %d %s, want %d", test.method, test.body, code, body, test.want)
		}
	}
}
