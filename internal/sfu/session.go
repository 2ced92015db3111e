package sfu

import (
	"errors"
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/ws"
	"github.com/skein-im/skein/proto/livekit"
)

// How a signalling connection is bounded.
const (
	maxSignal   = 512 << 10 // bytes of one message; an offer of many sections is large
	signalQueue = 512       // messages that wait for a slow client
	pingEvery   = 5         // seconds, told to the client
	pingTimeout = 15        // seconds
	readTimeout = 45 * time.Second
	maxPerSec   = 200 // messages of one client
)

// session is one signalling connection. Messages are queued and written by a
// goroutine of its own; one that does not keep up is cut off and resumes.
type session struct {
	conn *ws.Conn
	out  chan []byte
	json bool // the client speaks JSON; guarded by mu

	mu     sync.Mutex
	closed bool
	done   chan struct{}
}

func newSession(c *ws.Conn) *session {
	return &session{conn: c, out: make(chan []byte, signalQueue), done: make(chan struct{})}
}

// send queues a message.
func (s *session) send(m *livekit.SignalResponse) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	b, err := encodeSignal(m, s.json)
	if err != nil {
		return
	}
	select {
	case s.out <- b:
	default:
		s.closed = true
		close(s.out)
	}
}

// finish lets what is queued go out, and closes.
func (s *session) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.closed = true
		close(s.out)
	}
}

// write sends what is queued until finish, then closes the connection.
func (s *session) write() {
	defer close(s.done)
	for b := range s.out {
		op := ws.OpBinary
		if len(b) > 0 && b[0] == '{' {
			// No binary message begins so: 0x7b would be field 15 with wire type 3.
			op = ws.OpText
		}
		if err := s.conn.WriteMessage(op, b); err != nil {
			s.conn.Close() //nolint:errcheck // the reader finds out
			for range s.out {
			}
			return
		}
	}
	s.conn.CloseWith(ws.CloseNormal, "") //nolint:errcheck // the client may be gone
}

var (
	jsonOut = protojson.MarshalOptions{}
	jsonIn  = protojson.UnmarshalOptions{DiscardUnknown: true}
)

// encodeSignal writes a message in the client's form.
func encodeSignal(m *livekit.SignalResponse, asJSON bool) ([]byte, error) {
	if asJSON {
		return jsonOut.Marshal(m)
	}
	return proto.Marshal(m)
}

var errSignal = errors.New("a signalling message could not be read")

// decodeSignal reads a message of a client, binary or JSON.
func decodeSignal(b []byte, asJSON bool) (*livekit.SignalRequest, error) {
	m := &livekit.SignalRequest{}
	var err error
	if asJSON {
		err = jsonIn.Unmarshal(b, m)
	} else {
		err = proto.Unmarshal(b, m)
	}
	if err != nil {
		return nil, errSignal
	}
	return m, nil
}

// receive reads messages until the connection ends.
func (s *session) receive(handle func(*livekit.SignalRequest), now func() time.Time) {
	count, second := 0, int64(0)
	for {
		t := now()
		s.conn.SetReadDeadline(t.Add(readTimeout)) //nolint:errcheck // the read says it
		op, b, err := s.conn.ReadMessage()
		if err != nil {
			return
		}
		if now().Unix() != second {
			count, second = 0, now().Unix()
		}
		if count++; count > maxPerSec {
			return
		}
		text := op == ws.OpText
		m, err := decodeSignal(b, text)
		if err != nil {
			return
		}
		s.mu.Lock()
		s.json = text
		s.mu.Unlock()
		handle(m)
	}
}
