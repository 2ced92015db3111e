package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/auth"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/ws"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

func TestTheGateLetsSyncsGoFirstAndRefusesWhatWouldWaitTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(nil, 2, 3)
		ctx := context.Background()
		if !g.enter(ctx, false) || !g.enter(ctx, true) {
			t.Fatal("an empty gate refuses")
		}
		var order []string
		var mu sync.Mutex
		wait := func(name string, sync bool) {
			go func() {
				if g.enter(ctx, sync) {
					mu.Lock()
					order = append(order, name)
					mu.Unlock()
				}
			}()
			synctest.Wait()
		}
		wait("login 1", false)
		wait("login 2", false)
		wait("sync 1", true)
		wait("login 3", false)
		if !g.full() || g.waiting() != 4 || g.enter(ctx, false) {
			t.Error("a fourth sign-in waits")
		}
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if g.enter(short, true) {
			t.Error("a sync got a turn that nobody gave back")
		}
		for range 4 {
			g.leave()
			synctest.Wait()
		}
		if got := strings.Join(order, ", "); got != "sync 1, login 1, login 2, login 3" {
			t.Error(got)
		}
		g.leave()
		g.leave()
		if g.running != 0 || g.waiting() != 0 {
			t.Errorf("%d run, %d wait", g.running, g.waiting())
		}
	})
}

// comer is a client of a storm: it dials and says hello until it is in, as the
// SDKs do, but for the time: it comes back at once when it was told a second.
func comer(t *testing.T, url, user string, refused *atomic.Int64, longest *atomic.Int64) *ws.Conn {
	for try := 1; try < 200; try++ {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		conn, err := ws.Dial(ctx, url, ws.DialOptions{Subprotocols: []string{protoBinary}})
		cancel()
		var bad *ws.HandshakeError
		if errors.As(err, &bad) && bad.Status == http.StatusServiceUnavailable {
			refused.Add(1)
			<-time.After(time.Duration(try) * 5 * time.Millisecond)
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", user, err)
			return nil
		}
		b, err := proto.Marshal(&skeinv1.ClientPacket{Frames: []*skeinv1.ClientFrame{greeting(user, "phone", nil)}})
		if err == nil {
			err = conn.WriteMessage(ws.OpBinary, b)
		}
		p := new(skeinv1.ServerPacket)
		if err == nil {
			conn.SetReadDeadline(time.Now().Add(patience))
			_, b, err = conn.ReadMessage()
		}
		if err == nil {
			err = proto.Unmarshal(b, p)
		}
		if err != nil {
			t.Errorf("%s: %v", user, err)
			return nil
		}
		f := p.Frames[0]
		if f.GetWelcome() != nil {
			return conn
		}
		after := time.Duration(f.GetError().GetRetryAfterMs()) * time.Millisecond
		if f.GetError().GetCode() != skeinv1.ErrorCode_ERROR_CODE_UNAVAILABLE || after < comeBackAfter || after > comeBackAfter+comeBackWithin {
			t.Errorf("%s is refused with %v", user, f)
			return nil
		}
		for old := longest.Load(); int64(after) > old && !longest.CompareAndSwap(old, int64(after)); old = longest.Load() {
		}
		refused.Add(1)
		conn.Close()
		<-time.After(time.Duration(try) * 5 * time.Millisecond)
	}
	t.Errorf("%s never got in", user)
	return nil
}

// Not parallel: it measures time.
func TestAReconnectStormIsLetInBitByBitAndNobodyWhoIsConnectedNotices(t *testing.T) {
	const crowd, atOnce = 2000, 4
	w := newWorld(t, func(s *setup) { s.limits.Logins, s.limits.LoginQueue = atOnce, 100 })
	ab := im.Direct("ann", "bob")
	ann, _ := w.connect("ann", "phone")
	bob, _ := w.connect("bob", "phone")
	var inside, most atomic.Int64
	w.porter.admit = func(auth.Session) error {
		n := inside.Add(1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		<-time.After(time.Millisecond) // what a database takes
		inside.Add(-1)
		return nil
	}
	var refused, longest atomic.Int64
	var all sync.WaitGroup
	began := time.Now()
	for i := range crowd {
		all.Go(func() {
			if conn := comer(t, w.url, fmt.Sprint("u", i), &refused, &longest); conn != nil {
				t.Cleanup(func() { conn.Close() })
			}
		})
	}
	ended := make(chan struct{})
	go func() { all.Wait(); close(ended) }()
	slowest, sent := time.Duration(0), 0
	for storm := true; storm; sent++ {
		at := time.Now()
		ann.says(ab, "x")
		bob.hears(ab, "x")
		slowest = max(slowest, time.Since(at))
		select {
		case <-ended:
			storm = false
		case <-time.After(5 * time.Millisecond):
		}
	}
	t.Logf("%d clients in %v, %d times refused, %d sign-ins at once; %d messages meanwhile, the slowest %v", crowd, time.Since(began), refused.Load(), most.Load(), sent, slowest)
	if most.Load() > atOnce {
		t.Errorf("%d sign-ins at once", most.Load())
	}
	if refused.Load() == 0 {
		t.Error("nobody was refused: it was no storm")
	}
	if got := w.g.Sessions(); got != crowd+2 {
		t.Errorf("%d sessions", got)
	}
	if slowest > 5*time.Second {
		t.Errorf("a message took %v", slowest)
	}
}

func TestANodeThatIsFullSaysThatItAdmitsNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) { s.limits.Connections = 1 })
	if err := w.g.Admits(); err != nil {
		t.Error(err)
	}
	ann, _ := w.connect("ann", "phone")
	if err := w.g.Admits(); err == nil || !strings.Contains(err.Error(), "limits.connections") {
		t.Errorf("a full node: %v", err)
	}
	ann.conn.Close()
	for w.g.Connections() > 0 {
		<-time.After(time.Millisecond)
	}
	if err := w.g.Admits(); err != nil {
		t.Error(err)
	}
}

func TestTheRateOfNewConnectionsIsHeldAndThoseOnTopAreToldWhenToComeBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) { s.limits.LoginRate, s.limits.LoginBurst = 1, 5 })
	later := map[string]bool{}
	open, began := 0, time.Now()
	for range 40 {
		res, err := http.Get("http" + strings.TrimPrefix(w.url, "ws"))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusServiceUnavailable {
			open++ // a plain GET is no handshake, but it was let through the door
			continue
		}
		later[res.Header.Get("Retry-After")] = true
		if !res.Close {
			t.Error("the connection of who is refused stays open")
		}
	}
	if open < 5 || open > 6+int(time.Since(began).Seconds()) || len(later) < 3 {
		t.Errorf("%d let in; told to come back after %v", open, later)
	}
}
