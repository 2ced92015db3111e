package call

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/job"
)

// maxHook bounds the body of a webhook.
const maxHook = 1 << 20

// hook is LiveKit's WebhookEvent, as far as it is used.
type hook struct {
	Event string `json:"event"`
	Room  struct {
		Name string `json:"name"`
		Most int    `json:"maxParticipants"`
	} `json:"room"`
	Participant struct {
		participant
		Reason string      `json:"disconnectReason"`
		May    *permission `json:"permission"`
	} `json:"participant"`
	Egress *egress `json:"egressInfo"`
}

// The reasons of those who are about to come back. Whom a media server has sent
// to another one, because it ends or has given the room away, and does not come
// back is gone when the sweep says so.
const (
	shutDown = "SERVER_SHUTDOWN"
	migrated = "MIGRATION"
	// broken is of a connection that is gone without a word, as that of a page
	// that is closed or loaded anew.
	broken = "STATE_MISMATCH"
)

// Webhook hears from the media server, as LiveKit sends it: JSON, with a token
// in the header Authorization that has the body's SHA-256. What it says is a
// hint. It answers 401 to what the media server has not signed, and 503 to
// what should be sent again.
func (s *Service) Webhook(w http.ResponseWriter, r *http.Request) {
	if s.d.Media == nil {
		http.Error(w, "this server has no calls", http.StatusNotFound)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxHook))
	if err != nil {
		http.Error(w, "the body is too large, or broke off", http.StatusBadRequest)
		return
	}
	if s.d.Media.sent(r.Header.Get("Authorization"), body) != nil {
		http.Error(w, "it is not signed by the media server", http.StatusUnauthorized)
		return
	}
	var h hook
	if json.Unmarshal(body, &h) != nil {
		http.Error(w, "it is no webhook event", http.StatusBadRequest)
		return
	}
	if err := s.heard(r.Context(), &h); err != nil {
		s.d.Log.Warn("a webhook of the media server is to come again", "event", h.Event, "err", err)
		http.Error(w, "try again", http.StatusServiceUnavailable)
	}
}

// heard has an event of the media server take effect.
func (s *Service) heard(ctx context.Context, h *hook) error {
	if h.Egress != nil {
		return s.heardEgress(ctx, h.Egress)
	}
	var c *call
	err := s.d.DB.Read(ctx, func(tx db.Tx) error {
		c = new(call)
		return c.scan(tx.QueryRow("SELECT "+callColumns+" FROM call WHERE room = $1", h.Room.Name))
	})
	if errors.Is(err, db.ErrNoRows) {
		return nil // a room of somebody else's
	}
	if err != nil {
		return err
	}
	switch h.Event {
	case "room_started":
		// By a client that came first, after the death of the one where it was.
		if c.state != callEnded && h.Room.Most != s.d.Parties {
			return s.d.Media.createRoom(ctx, c.room, s.d.Parties)
		}
	case "participant_joined":
		return s.came(ctx, c, h.Participant.Identity, h.Participant.May)
	case "participant_left", "participant_connection_aborted":
		switch h.Participant.Reason {
		case shutDown, migrated:
		case broken:
			return s.broke(ctx, c, h.Participant.Identity)
		default:
			return s.hungUp(ctx, c, h.Participant.Identity)
		}
	case "track_published":
		return s.captured(ctx, c)
	case "room_finished":
		return s.compare(ctx, c.app, c.id, true)
	}
	return nil
}

// came notes who is in the room, and sends away who may not be: a token is good
// for a minute, and much can happen in one. So it is with what they may do there:
// may is what their token says, nil = unknown.
func (s *Service) came(ctx context.Context, c *call, who string, may *permission) error {
	u, d, ok := whoIs(who)
	in := false
	var role int64
	if ok {
		t, err := s.turn(ctx, c.app, c.id, func(t *turn) error {
			in = false
			if p := t.party(u); p != nil && p.state == joined && p.device == d {
				in, role = true, p.acts()
				return t.seen(p)
			}
			return nil
		})
		if err != nil {
			return gone(err)
		}
		c = t.c
	}
	switch now := permissionOf(role); {
	case !in:
		return s.d.Media.remove(ctx, c.room, who)
	case may != nil && *may != now:
		return gone(s.d.Media.permit(ctx, c.room, who, now))
	}
	return nil
}

// hungUp takes out who has left the room. News may be late: somebody who was let in
// and has not been in the room since has left it before that, and is on their
// way, or it is in vain that they try, which time tells.
func (s *Service) hungUp(ctx context.Context, c *call, who string) error {
	c, parties, err := s.read(ctx, c.app, c.id)
	if err != nil {
		return gone(err)
	}
	for _, p := range parties {
		switch {
		case p.state != joined || identity(p.user, p.device) != who:
		case p.seen == p.joined:
			return s.broke(ctx, c, who)
		default:
			return s.went(ctx, c, who, p.seen)
		}
	}
	return nil
}

// went takes out who has left the room, unless they are back: a client that
// connects anew takes the place of its old self, and the news of both may come in
// any order. Nor are those gone who were in the room, or let in, after since.
func (s *Service) went(ctx context.Context, c *call, who string, since im.Micros) error {
	u, d, ok := whoIs(who)
	if !ok || c.state == callEnded {
		return nil
	}
	if _, err := s.d.Media.get(ctx, c.room, who); im.CodeOf(err) != im.NotFound {
		return err
	}
	_, err := s.drop(ctx, c.app, c.id, func(p *party) bool { return p.user == u && p.device == d && p.state == joined && p.seen <= since }, leave)
	return gone(err)
}

// away is somebody whose connection broke.
type away struct {
	Call  string    `json:"call"`
	Who   string    `json:"who"`
	Since im.Micros `json:"since"`
}

// broke has somebody whose connection is gone without a word looked for, when
// they have had the time to load their page anew.
func (s *Service) broke(ctx context.Context, c *call, who string) error {
	if c.state == callEnded {
		return nil
	}
	return s.d.DB.Write(ctx, func(tx db.Tx) error {
		now, err := tx.Now()
		if err != nil {
			return err
		}
		body, err := json.Marshal(away{c.id, who, now})
		if err != nil {
			return err
		}
		_, _, err = s.d.Queue.Enqueue(tx, job.Spec{Kind: awayKind, App: c.app, Body: body, Delay: reload})
		return err
	})
}

// runAway takes out who is not back.
func (s *Service) runAway(ctx context.Context, j job.Job) error {
	var a away
	if err := json.Unmarshal(j.Body, &a); err != nil {
		return job.Permanent(err)
	}
	c, _, err := s.read(ctx, j.App, a.Call)
	if err != nil {
		return gone(err)
	}
	return s.went(ctx, c, a.Who, a.Since)
}
