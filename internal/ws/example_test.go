package ws_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/skein-im/skein/internal/ws"
)

// A server takes the connection out of the handler and serves it on a
// goroutine of its own. A read deadline tells when to look whether the peer
// is still there.
func Example() {
	const quiet = 30 * time.Second
	serve := func(c *ws.Conn) {
		defer c.Close()
		for seen := uint64(math.MaxUint64); ; { // so that the first silence is asked about
			c.SetReadDeadline(time.Now().Add(quiet))
			op, payload, err := c.ReadMessage()
			var timeout interface{ Timeout() bool }
			var broken *ws.ProtocolError
			switch {
			case err == nil:
				err = c.WriteMessage(op, payload) // payload is gone with the next read
			case errors.As(err, &timeout) && timeout.Timeout() && c.FramesRead() != seen:
				seen = c.FramesRead() // something came since the last look
				err = c.Ping(nil)
			case errors.As(err, &broken):
				c.CloseWith(broken.CloseCode, broken.Reason)
			}
			if err != nil {
				return
			}
		}
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := ws.Upgrade(w, r, ws.UpgradeOptions{Subprotocols: []string{"echo"}}); err == nil {
			go serve(c)
		}
	}))
	defer s.Close()

	c, err := ws.Dial(context.Background(), "ws"+strings.TrimPrefix(s.URL, "http"), ws.DialOptions{Subprotocols: []string{"echo"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	c.WriteMessage(ws.OpText, []byte("hello"))
	_, payload, _ := c.ReadMessage()
	fmt.Println(c.Subprotocol(), string(payload), c.CloseWith(ws.CloseNormal, ""))
	// Output: echo hello <nil>
}
