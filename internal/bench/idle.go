package bench

import (
	"context"
	"fmt"
	"net"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/ws"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// IdleResult is what silent sessions cost, and how fast they come.
type IdleResult struct {
	// Connections are sessions that had been answered; each user is a member
	// of Conversations.
	Connections   int `json:"connections"`
	Conversations int `json:"conversations"`
	// RSSPerConnection is (RSSAfter - RSSBefore) / Connections.
	RSSPerConnection float64 `json:"rss_kb_per_connection"` // KiB
	// LoginsPerS counts devices that come back: connect, upgrade, token check,
	// and the answer to a hello with a cursor.
	LoginsPerS float64     `json:"logins_per_s"`
	Login      Percentiles `json:"login_ms"`
	LoginCPU   float64     `json:"server_cpu_us_per_login"`
	// FirstLoginsPerS counts devices that have never been there: user, device
	// and token are stored, and the answer has all conversations in it.
	FirstLoginsPerS float64 `json:"first_logins_per_s"`
	FirstLoginCPU   float64 `json:"server_cpu_us_per_first_login"`
	RSSBefore       int64   `json:"rss_before_bytes"` // before the first connection
	RSSLogin        int64   `json:"rss_after_logins_bytes"`
	RSSAfter        int64   `json:"rss_after_bytes"` // 10 s after the last login
	Alive           int     `json:"sessions_alive"`  // answered a ping afterwards
	SecondsWaited   float64 `json:"seconds_waited"`
}

// Seat is a user with the token and the cursor of its device.
type Seat struct {
	User   im.UserID
	token  string
	cursor []byte
}

// idleWait is how long after the last login the memory is looked at.
const idleWait = 10 * time.Second

// loginsAtOnce is how many clients are under way.
const loginsAtOnce = 64

// source spreads the clients over addresses of this machine, as they would
// come: one address has at most 28,000 ports towards the server, and the
// server holds an address to a rate.
func source(t *Target, i int) net.IP {
	if !t.Loopback {
		return nil
	}
	return net.IPv4(127, 0, 0, byte(2+i%32))
}

// FirstLogins signs everybody in for the first time and out again, and keeps
// in the seats what each device takes away from it. It fills in the fields of
// the first logins.
func FirstLogins(ctx context.Context, t *Target, seats []Seat, res *IdleResult) error {
	cpu, _ := t.CPU()
	began := time.Now()
	err := Each(len(seats), loginsAtOnce, func(i int) (err error) {
		s := &seats[i]
		if s.token, err = t.Token(s.User); err != nil {
			return err
		}
		c, w, err := greet(ctx, t, s.User, greeting{token: s.token, conversations: 500, from: source(t, i)})
		if err != nil {
			return err
		}
		defer c.conn.Close()
		if w.Sync.GetMore() || len(w.Sync.GetConversations()) < res.Conversations {
			return fmt.Errorf("the first page of %s has %d conversations", s.User, len(w.Sync.GetConversations()))
		}
		s.cursor = w.Sync.Cursor
		return nil
	})
	if err != nil {
		return err
	}
	res.FirstLoginsPerS = float64(len(seats)) / time.Since(began).Seconds()
	after, _ := t.CPU()
	res.FirstLoginCPU = float64((after - cpu).Microseconds()) / float64(len(seats))
	return nil
}

// Idle has everybody come back with token and cursor, waits, and looks at the
// server's memory. Nobody may have connected to the server's process before.
func Idle(ctx context.Context, t *Target, seats []Seat, res *IdleResult) error {
	conns := make([]*client, len(seats))
	defer func() {
		for _, c := range conns {
			if c != nil {
				c.conn.Close()
			}
		}
	}()
	var took histogram
	res.Connections, res.RSSBefore = len(seats), t.RSS()
	cpu, _ := t.CPU()
	began := time.Now()
	err := Each(len(seats), loginsAtOnce, func(i int) (err error) {
		from := time.Now()
		conns[i], _, err = greet(ctx, t, seats[i].User, greeting{token: seats[i].token, cursor: seats[i].cursor, from: source(t, i)})
		took.add(time.Since(from))
		return err
	})
	if err != nil {
		return err
	}
	res.LoginsPerS = float64(len(seats)) / time.Since(began).Seconds()
	after, _ := t.CPU()
	res.LoginCPU = float64((after - cpu).Microseconds()) / float64(len(seats))
	res.Login, res.RSSLogin = took.percentiles(), t.RSS()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(idleWait):
	}
	res.RSSAfter, res.SecondsWaited = t.RSS(), idleWait.Seconds()
	res.RSSPerConnection = float64(res.RSSAfter-res.RSSBefore) / 1024 / float64(len(seats))
	err = Each(len(seats), loginsAtOnce, func(i int) error { return conns[i].ping() })
	if err == nil {
		res.Alive = len(seats)
	}
	return err
}

// ping asks for an answer and waits for it, so that a session which is only
// half there does not count.
func (c *client) ping() error {
	b, err := proto.Marshal(&skeinv1.ClientPacket{Frames: []*skeinv1.ClientFrame{{Ref: 9, Frame: &skeinv1.ClientFrame_Ping{Ping: &skeinv1.Ping{}}}}})
	if err == nil {
		err = c.conn.WriteMessage(ws.OpBinary, b)
	}
	if err == nil {
		err = c.conn.SetReadDeadline(time.Now().Add(idleWait))
	}
	for err == nil {
		var raw []byte
		if _, raw, err = c.conn.ReadMessage(); err != nil {
			break
		}
		answered := false
		scan(raw, func(f frame) { answered = answered || f.kind == kindPong })
		if answered {
			return nil
		}
	}
	return fmt.Errorf("the session of %s does not answer: %w", c.user, err)
}
