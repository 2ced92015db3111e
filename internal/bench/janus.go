package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/skein-im/skein/internal/ws"
)

// Janus is the yardstick of [SFU]: the same clients send and receive the same
// media through a VideoRoom of Janus. o.URL is that of its WebSocket, o.PID
// its process; it has no key. The version of Janus is returned beside.
//
// What differs is what is Janus': subscribers are offered to, and have a
// connection apart from what they would send on; a publisher names its best
// layer first.
func Janus(ctx context.Context, o SFUOptions, say func(string)) (r *SFUResult, version string, err error) {
	admin, err := dialJanus(ctx, o.URL)
	if err != nil {
		return nil, "", err
	}
	defer admin.conn.Close()
	info, err := admin.ask(ctx, janusMessage{Janus: "info"})
	if err != nil {
		return nil, "", err
	}
	if err := admin.attach(ctx); err != nil {
		return nil, "", err
	}
	room := janusRoom{Request: "create", Room: janusRoomID, Publishers: o.Publishers, VideoCodec: "vp8", AudioCodec: "opus"}
	if _, err := admin.ask(ctx, janusMessage{Janus: "message", Body: room}); err != nil {
		return nil, "", err
	}
	j := &janusLoad{o: o}
	l, err := loadSFU(ctx, o, say, j.join)
	if err != nil {
		return nil, "", err
	}
	defer l.Close()
	r, err = l.Measure(ctx, o.Seconds)
	return r, info.Version, err
}

const janusRoomID = 1

// janusRoom is what is said to the VideoRoom.
type janusRoom struct {
	Request    string        `json:"request"`
	Room       int           `json:"room,omitempty"`
	Publishers int           `json:"publishers,omitempty"`
	VideoCodec string        `json:"videocodec,omitempty"`
	AudioCodec string        `json:"audiocodec,omitempty"`
	Type       string        `json:"ptype,omitempty"`
	Streams    []janusStream `json:"streams,omitempty"`
}

type janusStream struct {
	Feed int64 `json:"feed"`
}

// janusMessage is both ways of Janus' API.
type janusMessage struct {
	Janus       string                     `json:"janus"`
	Transaction string                     `json:"transaction,omitempty"`
	Session     int64                      `json:"session_id,omitempty"`
	Handle      int64                      `json:"handle_id,omitempty"`
	Plugin      string                     `json:"plugin,omitempty"`
	Body        any                        `json:"body,omitempty"`
	JSEP        *webrtc.SessionDescription `json:"jsep,omitempty"`

	Version string `json:"version_string,omitempty"`
	Data    struct {
		ID int64 `json:"id,omitempty"`
	} `json:"data,omitzero"`
	PluginData struct {
		Data struct {
			ID    int64  `json:"id"`
			Error string `json:"error"`
		} `json:"data"`
	} `json:"plugindata,omitzero"`
	Error struct {
		Reason string `json:"reason"`
	} `json:"error,omitzero"`
}

// janusConn is one WebSocket with one session and one handle in it.
type janusConn struct {
	conn            *ws.Conn
	session, handle int64
	asked           atomic.Int64
	once            sync.Once
	up              chan struct{} // closed when Janus has a connection for the handle's media

	mu      sync.Mutex // guards waiting
	waiting map[string]chan janusMessage
}

func dialJanus(ctx context.Context, url string) (*janusConn, error) {
	conn, err := ws.Dial(ctx, url, ws.DialOptions{Subprotocols: []string{"janus-protocol"}, Limits: ws.Limits{ReadLimit: 1 << 20}})
	if err != nil {
		return nil, err
	}
	c := &janusConn{conn: conn, up: make(chan struct{}), waiting: map[string]chan janusMessage{}}
	go c.read()
	return c, nil
}

// read hands each answer to who asked, but for the word that a request has
// arrived; it ends with the connection.
func (c *janusConn) read() {
	for {
		_, b, err := c.conn.ReadMessage()
		if err != nil {
			return
		}
		var m janusMessage
		if json.Unmarshal(b, &m) != nil || m.Janus == "ack" {
			continue
		}
		if m.Janus == "webrtcup" {
			c.once.Do(func() { close(c.up) })
			continue
		}
		c.mu.Lock()
		answer := c.waiting[m.Transaction]
		delete(c.waiting, m.Transaction)
		c.mu.Unlock()
		if answer != nil {
			answer <- m
		}
	}
}

// ask sends a request and waits for what comes of it.
func (c *janusConn) ask(ctx context.Context, m janusMessage) (janusMessage, error) {
	m.Transaction, m.Session, m.Handle = fmt.Sprint("t", c.asked.Add(1)), c.session, c.handle
	answer := make(chan janusMessage, 1)
	c.mu.Lock()
	c.waiting[m.Transaction] = answer
	c.mu.Unlock()
	b, err := json.Marshal(m)
	if err != nil {
		return m, err
	}
	if err := c.conn.WriteMessage(ws.OpText, b); err != nil {
		return m, err
	}
	t := time.NewTimer(10 * time.Second)
	defer t.Stop()
	select {
	case m = <-answer:
	case <-t.C:
		return m, fmt.Errorf("Janus did not answer to %s in 10 s", m.Janus)
	case <-ctx.Done():
		return m, ctx.Err()
	}
	if reason := m.Error.Reason + m.PluginData.Data.Error; reason != "" {
		return m, errors.New("Janus: " + reason)
	}
	return m, nil
}

// attach makes a session and a handle of the VideoRoom in it.
func (c *janusConn) attach(ctx context.Context) error {
	m, err := c.ask(ctx, janusMessage{Janus: "create"})
	if err != nil {
		return err
	}
	c.session = m.Data.ID
	if m, err = c.ask(ctx, janusMessage{Janus: "attach", Plugin: "janus.plugin.videoroom"}); err != nil {
		return err
	}
	c.handle = m.Data.ID
	return nil
}

// janusLoad knows who publishes, so that subscribers can ask for them.
type janusLoad struct {
	o     SFUOptions
	feeds []janusStream
}

func (j *janusLoad) join(ctx context.Context, _ string, publish bool) (*sfuClient, error) {
	c, err := newSFUClient(j.o, publish)
	if err != nil {
		return nil, err
	}
	c.began = time.Now()
	conn, err := dialJanus(ctx, j.o.URL)
	if err != nil {
		c.pc.Close() //nolint:errcheck // the first error tells
		return nil, err
	}
	c.conn = conn.conn
	if err = conn.attach(ctx); err == nil && publish {
		err = j.publish(ctx, c, conn)
	} else if err == nil {
		err = j.subscribe(ctx, c, conn)
	}
	if err != nil {
		c.close()
		return nil, err
	}
	go conn.keep(ctx)
	return c, nil
}

// keep tells Janus that the session is alive.
func (c *janusConn) keep(ctx context.Context) {
	for wait(ctx, 20*time.Second) == nil {
		if _, err := c.ask(ctx, janusMessage{Janus: "keepalive"}); err != nil {
			return
		}
	}
}

func (j *janusLoad) publish(ctx context.Context, c *sfuClient, conn *janusConn) error {
	if err := c.addTracks("f", "h", "q"); err != nil {
		return err
	}
	offer, err := c.offer()
	if err != nil {
		return err
	}
	m, err := conn.ask(ctx, janusMessage{Janus: "message", Body: janusRoom{Request: "join", Type: "publisher", Room: janusRoomID}})
	if err != nil {
		return err
	}
	j.feeds = append(j.feeds, janusStream{m.PluginData.Data.ID})
	if m, err = conn.ask(ctx, janusMessage{Janus: "message", Body: janusRoom{Request: "publish"}, JSEP: offer}); err != nil {
		return err
	}
	if m.JSEP == nil {
		return errors.New("Janus gave no answer to an offer")
	}
	if err := c.pc.SetRemoteDescription(*m.JSEP); err != nil {
		return err
	}
	select {
	case <-conn.up: // a feed exists from now on
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(10 * time.Second):
		return errors.New("not connected with Janus after 10 s")
	}
}

func (j *janusLoad) subscribe(ctx context.Context, c *sfuClient, conn *janusConn) error {
	m, err := conn.ask(ctx, janusMessage{Janus: "message", Body: janusRoom{Request: "join", Type: "subscriber", Room: janusRoomID, Streams: j.feeds}})
	if err != nil {
		return err
	}
	if m.JSEP == nil {
		return errors.New("Janus gave a subscriber no offer")
	}
	if err := c.pc.SetRemoteDescription(*m.JSEP); err != nil {
		return err
	}
	answer, err := c.pc.CreateAnswer(nil)
	if err != nil {
		return err
	}
	local, err := c.local(answer)
	if err != nil {
		return err
	}
	_, err = conn.ask(ctx, janusMessage{Janus: "message", Body: janusRoom{Request: "start"}, JSEP: local})
	return err
}

// JanusConfig are the files of a Janus of its own: a WebSocket on loopback, media
// on one address of this machine, and everything else as it comes. plugins and
// transports are its folders of shared objects, in which nothing but the
// VideoRoom and the WebSocket should be found.
func JanusConfig(folder, plugins, transports string, port int, media netip.Addr) map[string]string {
	return map[string]string{
		"janus.jcfg": fmt.Sprintf(strings.TrimLeft(`
general: { configs_folder = %q; plugins_folder = %q; transports_folder = %q; events_folder = %q; loggers_folder = %q; debug_level = 2; log_to_stdout = false; log_to_file = %q }
nat: { ice_enforce_list = %q }
`, "\n"), folder, plugins, transports, folder, folder, folder+"/janus.log", media.String()),
		"janus.transport.websockets.jcfg": fmt.Sprintf("general: { json = \"compact\"; ws = true; ws_port = %d; ws_ip = \"127.0.0.1\"; wss = false }\nadmin: { admin_ws = false; admin_wss = false }\n", port),
		"janus.plugin.videoroom.jcfg":     "general: { }\n",
	}
}
