package sfu

import (
	"bytes"
	"context"
	"net/http"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/sfu/token"
	"github.com/skein-im/skein/proto/livekit"
)

// How events are delivered.
const (
	hookQueue = 1024 // events that wait; more are lost, and logged
	hookTries = 4
)

// webhooks posts events, in order, to each URL. An event is tried a few times
// with growing pauses, then given up: what must not be lost is asked for by
// the room API.
type webhooks struct {
	s      *Server
	queues []chan *livekit.WebhookEvent
	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{}
}

func newWebhooks(s *Server) *webhooks {
	h := &webhooks{s: s, done: make(chan struct{})}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	ended := make(chan struct{}, len(s.cfg.Webhooks))
	for _, url := range s.cfg.Webhooks {
		q := make(chan *livekit.WebhookEvent, hookQueue)
		h.queues = append(h.queues, q)
		go func() { h.deliver(url, q); ended <- struct{}{} }()
	}
	go func() {
		for range s.cfg.Webhooks {
			<-ended
		}
		close(h.done)
	}()
	return h
}

// send queues an event. It never waits.
func (h *webhooks) send(event string, room *livekit.Room, p *livekit.ParticipantInfo, t *livekit.TrackInfo) {
	if len(h.queues) == 0 {
		return
	}
	e := &livekit.WebhookEvent{Event: event, Room: room, Participant: p, Id: h.s.newID("EV_"), CreatedAt: h.s.now().Unix()}
	if t != nil {
		e.Track = proto.CloneOf(t)
	}
	h.queue(e)
}

// egress queues the event of a recording. It never waits.
func (h *webhooks) egress(event string, i *livekit.EgressInfo) {
	if len(h.queues) > 0 {
		h.queue(&livekit.WebhookEvent{Event: event, EgressInfo: i, Id: h.s.newID("EV_"), CreatedAt: h.s.now().Unix()})
	}
}

func (h *webhooks) queue(e *livekit.WebhookEvent) {
	for _, q := range h.queues {
		select {
		case q <- e:
		default:
			h.s.log.Warn("a webhook event was dropped: the receiver is too slow", "event", e.Event)
		}
	}
}

func (h *webhooks) deliver(url string, q chan *livekit.WebhookEvent) {
	for {
		select {
		case <-h.ctx.Done():
			return
		case e := <-q:
			body, err := jsonOut.Marshal(e)
			if err == nil {
				h.post(url, e.Event, body)
			}
		}
	}
}

func (h *webhooks) post(url, event string, body []byte) {
	pause := 200 * time.Millisecond
	for try := 1; ; try++ {
		err := h.once(url, body)
		if err == nil || h.ctx.Err() != nil {
			return
		}
		if try == hookTries {
			h.s.log.Warn("a webhook event could not be delivered", "event", event, "error", err)
			return
		}
		wait := time.NewTimer(pause)
		select {
		case <-wait.C:
		case <-h.ctx.Done():
			wait.Stop()
			return
		}
		pause *= 5
	}
}

type statusError int

func (e statusError) Error() string { return http.StatusText(int(e)) }

func (h *webhooks) once(url string, body []byte) error {
	key := h.s.cfg.WebhookKey
	secret, _ := h.s.secret(key)
	auth, err := token.SignBody(key, secret, body, h.s.now())
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(h.ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/webhook+json")
	req.Header.Set("Authorization", auth)
	resp, err := h.s.cfg.HTTP.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return statusError(resp.StatusCode)
	}
	return nil
}

func (h *webhooks) close() {
	h.cancel()
	<-h.done
}
