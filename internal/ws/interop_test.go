package ws

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"golang.org/x/net/websocket"
)

// Another implementation is asked whether it understands ours, and the other
// way round.

func TestOurClientTalksToAnotherServer(t *testing.T) {
	s := httptest.NewServer(websocket.Handler(func(c *websocket.Conn) {
		for {
			var m string
			if websocket.Message.Receive(c, &m) != nil || websocket.Message.Send(c, m) != nil {
				return
			}
		}
	}))
	defer s.Close()
	c, err := Dial(context.Background(), "ws"+strings.TrimPrefix(s.URL, "http"),
		DialOptions{Limits: Limits{ReadLimit: 1 << 20}, Header: http.Header{"Origin": {s.URL}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{0, 1, 125, 126, 65535, 65536, 200000} {
		want := strings.Repeat("x", size)
		if err := c.WriteMessage(OpText, []byte(want)); err != nil {
			t.Fatal(err)
		}
		wantMessage(t, c, OpText, want)
	}
	if err := c.CloseWith(CloseNormal, ""); err != nil && !errors.Is(err, io.EOF) { // it may answer with its end alone
		t.Error(err)
	}
}

func TestAnotherClientTalksToOurServer(t *testing.T) {
	address := echoServer(t, false)
	c, err := websocket.Dial(address, "", "http"+strings.TrimPrefix(address, "ws"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, size := range []int{0, 1, 125, 126, 65535, 65536, 200000} {
		want := strings.Repeat("é", size/2)
		if err := websocket.Message.Send(c, want); err != nil {
			t.Fatal(err)
		}
		var got string
		if err := websocket.Message.Receive(c, &got); err != nil || got != want {
			t.Fatalf("%d bytes came back as %d, error %v", len(want), len(got), err)
		}
	}
}
