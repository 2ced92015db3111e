package call

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// idWindow is how far a call's id may lie from the server's clock: a call that
// was to start long ago is no call.
const idWindow = 10 * time.Minute

// StartCall starts a call and rings.
func (s *Service) StartCall(ctx context.Context, a im.Actor, r *skeinv1.StartCallRequest) (*skeinv1.StartCallResponse, error) {
	if err := s.users(a); err != nil {
		return nil, err
	}
	fences := s.fenced.count()
	id, ok := im.ParseClientID(r.GetClientId())
	if !ok {
		return nil, im.Errorf(im.InvalidArgument, "client_id is a UUIDv7 of 16 bytes")
	}
	conv := im.ConvID(r.GetConversation())
	name, hash := hex.EncodeToString(id[:]), hashOf(r)
	if out, err := s.started(ctx, a, name, hash); out != nil || err != nil {
		if err == nil && out.Access != nil { // the first attempt may have died before it
			err = s.roomOf(ctx, a.App, name)
		}
		return out, err
	}
	if now := s.d.Chat.Now().Time(); id.Time().Sub(now).Abs() > idWindow {
		return nil, &im.Error{Code: im.ClockSkew, Message: "the client id's time is too far from the server's", Hint: "set the device's clock, or take the time from server_time_us",
			ServerTime: im.MicrosOf(now)}
	}
	room, err := s.d.Chat.MayCall(ctx, a, conv)
	if err != nil {
		return nil, err
	}
	users, err := s.invited(a, room, r)
	if err != nil {
		return nil, err
	}
	if err := s.allowRing(a); err != nil {
		return nil, err
	}
	c, err := s.fresh(a, name, conv, hash, r)
	if err != nil {
		return nil, err
	}
	if err := s.begin(ctx, a, c, users); err != nil {
		return nil, err
	}
	if err := s.signedIn(ctx, fences, a, name); err != nil {
		return nil, err
	}
	if c.state != callEnded {
		if err := s.d.Media.createRoom(ctx, c.room, s.d.Parties); err != nil {
			s.fail(ctx, c)
			return nil, err
		}
	}
	s.workNow(ctx, a.App, name)
	return s.started(ctx, a, name, hash)
}

// users refuses calls to who can make none.
func (s *Service) users(a im.Actor) error {
	switch {
	case a.Server:
		return im.Errorf(im.InvalidArgument, "only users call and join")
	case s.d.Media == nil:
		return errNone()
	}
	return nil
}

func (s *Service) allowRing(a im.Actor) error {
	if s.d.AllowRing == nil {
		return nil
	}
	return s.d.AllowRing(a)
}

// started answers a StartCall that has happened; nil when it has not.
func (s *Service) started(ctx context.Context, a im.Actor, id string, hash []byte) (*skeinv1.StartCallResponse, error) {
	c, parties, err := s.read(ctx, a.App, id)
	switch {
	case im.CodeOf(err) == im.NotFound:
		return nil, nil
	case err != nil:
		return nil, err
	case skeinv1.CallEnd(c.ending) == skeinv1.CallEnd_CALL_END_FAILED && c.starter == a.User:
		return nil, &im.Error{Code: im.Unavailable, Message: "no room could be made for this call", Hint: "start another one"}
	case c.starter != a.User || !bytes.Equal(c.hash, hash):
		return nil, im.Errorf(im.ClientIDReused, "this client id was used for another call")
	}
	out := &skeinv1.StartCallResponse{Call: c.wire(parties, a, 0)}
	for _, p := range parties {
		if p.user == a.User && p.state == joined && p.device == a.Device {
			if out.Access, err = s.d.Media.access(c, p); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// roomOf makes a call's room, once more.
func (s *Service) roomOf(ctx context.Context, app im.AppID, id string) error {
	c, _, err := s.read(ctx, app, id)
	if err != nil {
		return err
	}
	return s.d.Media.createRoom(ctx, c.room, s.d.Parties)
}

// read returns a call with everybody in it. Errors: NotFound.
func (s *Service) read(ctx context.Context, app im.AppID, id string) (c *call, parties []*party, err error) {
	err = s.d.DB.Read(ctx, func(tx db.Tx) (err error) {
		c, parties, err = loadAll(tx, app, id)
		return err
	})
	return c, parties, err
}

// invited is whom a call rings.
func (s *Service) invited(a im.Actor, room *chat.Room, r *skeinv1.StartCallRequest) ([]im.UserID, error) {
	if room.Kind == im.ConvDirect {
		if len(r.GetUsers()) > 0 || r.GetQuiet() {
			return nil, im.Errorf(im.InvalidArgument, "users and quiet are for groups")
		}
		return []im.UserID{room.ID.Peer(a.User)}, nil
	}
	if r.GetQuiet() {
		if len(r.GetUsers()) > 0 {
			return nil, im.Errorf(im.InvalidArgument, "a quiet call rings nobody")
		}
		return nil, nil
	}
	if len(r.GetUsers()) > 0 {
		return members(a, room, r.GetUsers(), s.d.Parties-1)
	}
	if room.Size() > s.d.Parties {
		return nil, errFull(s.d.Parties)
	}
	var out []im.UserID
	room.Each(func(u im.UserID) {
		if u != a.User {
			out = append(out, u)
		}
	})
	return out, nil
}

// members are users who have to be in a room, each once and without the actor.
func members(a im.Actor, room *chat.Room, names []string, most int) ([]im.UserID, error) {
	var out []im.UserID
	for _, n := range names {
		u := im.UserID(n)
		if _, in := room.Member(u); !in {
			return nil, im.Errorf(im.NotFound, "users names somebody who is not in the conversation")
		}
		if u != a.User {
			out = append(out, u)
		}
	}
	slices.Sort(out)
	out = slices.Compact(out)
	if len(out) > most {
		return nil, errFull(most + 1)
	}
	return out, nil
}

func errFull(most int) error {
	return &im.Error{Code: im.ResourceExhausted, Message: "a call has at most " + strconv.Itoa(most) + " users", Hint: "name fewer, or start it quiet"}
}

// fresh is a call that nobody is in yet.
func (s *Service) fresh(a im.Actor, id string, conv im.ConvID, hash []byte, r *skeinv1.StartCallRequest) (*call, error) {
	secret, err := im.RandomID(s.d.Entropy)
	if err != nil {
		return nil, err
	}
	c := &call{app: a.App, id: id, starter: a.User, conv: conv, hash: hash, room: string(a.App) + "_" + secret, video: boolInt(r.GetVideo()), quiet: boolInt(r.GetQuiet()),
		role: int64(max(r.GetRole(), skeinv1.CallRole_CALL_ROLE_PUBLISHER)), state: callRings}
	for _, to := range []*[]byte{&c.note1, &c.note2} {
		note, err := im.NewClientID(s.d.Clock.Now(), s.d.Entropy)
		if err != nil {
			return nil, err
		}
		*to = note[:]
	}
	if conv.Kind() == im.ConvGroup {
		c.due = noteStart
	}
	return c, nil
}

// begin stores a new call with its rings.
func (s *Service) begin(ctx context.Context, a im.Actor, c *call, users []im.UserID) error {
	// Before it holds a turn: this takes one of another call.
	err := s.dropOwn(ctx, a, c.id, func(tx db.Tx, own string) error { return vacant(tx, a, c, own) })
	if err != nil {
		return err
	}
	defer s.alone(c.id)()
	made := *c
	return s.d.DB.Write(ctx, func(tx db.Tx) error {
		*c = made
		now, err := tx.Now()
		if err != nil {
			return err
		}
		c.created = now
		if err := free(tx, a, c); err != nil {
			return err
		}
		if err := c.insert(tx); err != nil {
			if db.IsDuplicate(err) { // somebody else's, at this very moment
				return im.Errorf(im.ClientIDReused, "this client id was used for another call")
			}
			return err
		}
		t := &turn{s: s, tx: tx, now: now, c: c}
		me := t.add(a.User)
		me.role, me.device = int64(skeinv1.CallRole_CALL_ROLE_PUBLISHER), a.Device
		me.allowed = me.acts() // as their token says
		t.move(me, join)
		if err := t.ring(a.User, users, 0); err != nil {
			return err
		}
		t.settle()
		if err := t.checkSoon(); err != nil {
			return err
		}
		return t.store(&call{})
	})
}

// free refuses a call where there is one already.
func free(tx db.Tx, a im.Actor, c *call) error {
	other, _, err := elsewhere(tx, a.App, a.User, c.id)
	switch {
	case err != nil:
		return err
	case other != "":
		return errElsewhere()
	}
	return vacant(tx, a, c, "")
}

// vacant refuses a call in a conversation that has one. own is the one that its
// starter leaves for it, which is in nobody's way if it ends by that.
func vacant(tx db.Tx, a im.Actor, c *call, own string) error {
	var others int64
	if own != "" && !c.direct() {
		if err := tx.QueryRow("SELECT count(*) FROM call_party WHERE app = $1 AND call_id = $2 AND state = 2 AND usr <> $3", c.app, own, a.User).Scan(&others); err != nil {
			return err
		}
	}
	if others > 0 {
		own = ""
	}
	var n int64
	if err := tx.QueryRow("SELECT count(*) FROM call WHERE app = $1 AND conv = $2 AND state < 3 AND id <> $3 AND id <> $4", c.app, c.conv, c.id, own).Scan(&n); err != nil {
		return err
	}
	if n > 0 {
		return &im.Error{Code: im.AlreadyExists, Message: "there is a call in this conversation", Hint: "join it"}
	}
	return nil
}

func errElsewhere() error {
	return &im.Error{Code: im.FailedPrecondition, Message: "you are in another call", Hint: "leave it first"}
}

// dropOwn takes a user out of another call that this very device is in: who
// starts or joins one there has left it, whatever the server has heard. It is asked
// first whether the new one refuses them, given the one that they are in, which
// then goes on.
func (s *Service) dropOwn(ctx context.Context, a im.Actor, id string, refuses func(tx db.Tx, own string) error) error {
	var own string
	err := s.d.DB.Read(ctx, func(tx db.Tx) error {
		other, device, err := elsewhere(tx, a.App, a.User, id)
		if err != nil || other == "" || device != a.Device {
			return err
		}
		own = other
		return refuses(tx, own)
	})
	if err != nil || own == "" {
		return err
	}
	_, err = s.drop(ctx, a.App, own, func(p *party) bool { return p.user == a.User && p.device == a.Device }, leave)
	return err
}

// ring invites users, those aside who are in the call or ring already.
func (t *turn) ring(by im.UserID, users []im.UserID, role int64) error {
	until := t.now + im.Micros(t.s.d.RingTime.Microseconds())
	in, err := t.talking(users)
	if err != nil {
		return err
	}
	rings := false
	for _, u := range users {
		e := invite
		if in[u] {
			e = engaged
		}
		p := t.party(u)
		if p == nil {
			p = &party{user: u, role: t.c.role}
			t.parties = append(t.parties, p)
		}
		if !t.move(p, e) {
			continue
		}
		p.inviter, p.device, p.ring = by, "", 0
		if role != 0 {
			p.role = role
		}
		if p.state == ringing {
			p.ring, rings = until, true
		}
	}
	if !rings {
		return nil
	}
	return t.s.later(t.tx, ringKind, t.c, strconv.FormatInt(int64(until), 10), t.s.d.RingTime)
}

// talking are those of the users who are in another call.
func (t *turn) talking(users []im.UserID) (map[im.UserID]bool, error) {
	out := make(map[im.UserID]bool)
	for chunk := range slices.Chunk(users, 100) {
		args := []any{t.c.app, t.c.id}
		for _, u := range chunk {
			args = append(args, u)
		}
		err := db.Each(t.tx, func(r db.Rows) error {
			var u im.UserID
			err := r.Scan(&u)
			out[u] = true
			return err
		}, "SELECT usr FROM call_party WHERE app = $1 AND state = 2 AND call_id <> $2 AND usr IN ("+db.List(3, len(chunk))+")", args...)
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// fail ends a call that has no room.
func (s *Service) fail(ctx context.Context, c *call) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if _, err := s.change(ctx, c.app, c.id, func(t *turn) error {
		t.end(skeinv1.CallEnd_CALL_END_FAILED)
		t.c.due = 0
		return nil
	}); err != nil {
		s.d.Log.Warn("a call without a room is not ended", "app", c.app, "err", err)
	}
}

// hashOf tells one request from another one with the same client id.
func hashOf(r *skeinv1.StartCallRequest) []byte {
	r = proto.Clone(r).(*skeinv1.StartCallRequest)
	r.ClientId = nil
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(r)
	if err != nil {
		return nil // invalid UTF-8, which the codec has refused already
	}
	sum := sha256.Sum256(raw)
	return sum[:]
}
