package skein

import (
	"context"
	"sync"
	"time"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Room is a livestream that this client watches. Nothing of it is stored: what
// was said before, and while there was no connection, is not there. When the
// connection comes back the client joins again by itself.
type Room struct {
	c  *Client
	id string

	mu    sync.Mutex // guards state
	state RoomState
}

// RoomMessage is something that was said in a livestream.
type RoomMessage struct {
	Room string // the conversation's id
	ID   string // made by the sender's client; of an own one what Say returned
	User string
	Time time.Time // the server's
	Text string
	// Custom is set instead of Text, for a message of the app's own kind.
	Custom *Custom
	// High tells that the one who looks after the room put it before others.
	High bool
}

// RoomState is how a livestream is for this client.
type RoomState struct {
	Room    string
	Viewers int // sessions that watch, on all nodes
	Joined  int // came since the last state
	Dropped int // said since the last state, and not shown here
	// Muted is until when the user may not write; zero = they may.
	Muted time.Time
	// Ended: nothing more comes. Removed says that somebody took the user out;
	// else the room was dissolved, or is not open to them any more.
	Ended, Removed bool
}

// OnRoomMessage is called for what is shown of the livestreams that this client
// watches, its own messages included.
func (c *Client) OnRoomMessage(fn func(RoomMessage)) (off func()) { return c.on.roomMessage.add(fn) }

// OnRoomState is called about once a second when something about a livestream
// has changed, and when watching has ended.
func (c *Client) OnRoomState(fn func(RoomState)) (off func()) { return c.on.roomState.add(fn) }

// JoinRoom begins to watch a livestream; at most 10 at a time.
//
// Errors: NotFound (no such room, or not for the user), PermissionDenied
// (removed for a time, see RetryAfter), FailedPrecondition (a group, but no
// livestream), ResourceExhausted, Unavailable (not online), Aborted, Closed.
func (c *Client) JoinRoom(ctx context.Context, conversation string) (*Room, error) {
	r := &Room{c: c, id: conversation}
	err := c.frameCall(ctx, func() *skeinv1.ClientFrame {
		if was := c.rooms[conversation]; was != nil {
			r = was
		}
		if c.rooms == nil {
			c.rooms = make(map[string]*Room)
		}
		c.rooms[conversation] = r
		return r.joinFrame()
	})
	if err != nil {
		_ = c.do(context.WithoutCancel(ctx), func() { delete(c.rooms, conversation) })
		return nil, err
	}
	return r, nil
}

// ID is the conversation's id.
func (r *Room) ID() string { return r.id }

// State is what the client heard of the room last.
func (r *Room) State() RoomState {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state
}

// Say says a text of at most 4 KiB to who watches. It returns when the server
// has passed it on; that every viewer sees it is not promised.
//
// Errors: PermissionDenied (muted, or nobody may write), RateLimited (2 a
// second), FailedPrecondition (not watching), TooLarge, Unavailable, Closed.
func (r *Room) Say(ctx context.Context, text string) (id string, err error) {
	return r.say(ctx, &skeinv1.Content{Kind: &skeinv1.Content_Text{Text: &skeinv1.Text{Text: text}}}, false)
}

// SayCustom says something of the app's own kind, such as a gift. With high it
// goes before what others say; heeded of those who look after the room.
func (r *Room) SayCustom(ctx context.Context, custom Custom, high bool) (id string, err error) {
	return r.say(ctx, &skeinv1.Content{Kind: &skeinv1.Content_Custom{Custom: &skeinv1.Custom{Type: custom.Type, Data: custom.Data, Summary: custom.Summary}}}, high)
}

func (r *Room) say(ctx context.Context, content *skeinv1.Content, high bool) (string, error) {
	cid, err := r.c.newID()
	if err != nil {
		return "", err
	}
	priority := skeinv1.Priority_PRIORITY_UNSPECIFIED
	if high {
		priority = skeinv1.Priority_PRIORITY_HIGH
	}
	return idText(cid), r.c.frameCall(ctx, func() *skeinv1.ClientFrame {
		return &skeinv1.ClientFrame{Frame: &skeinv1.ClientFrame_RoomMessage{RoomMessage: &skeinv1.RoomMessage{Conversation: r.id, ClientId: cid, Priority: priority,
			Body: &skeinv1.Body{Scheme: skeinv1.BodyScheme_BODY_SCHEME_CONTENT, Content: content}}}}
	})
}

// Leave ends watching.
func (r *Room) Leave(ctx context.Context) error {
	return r.c.frameCall(ctx, func() *skeinv1.ClientFrame {
		delete(r.c.rooms, r.id)
		return &skeinv1.ClientFrame{Frame: &skeinv1.ClientFrame_LeaveRoom{LeaveRoom: &skeinv1.LeaveRoom{Conversation: r.id}}}
	})
}

// Mute keeps a viewer from writing for a time, at most a year; 0 ends it. They
// need not be a member, nor be there. Grant: mute.
//
// Errors: NotFound, PermissionDenied, FailedPrecondition.
func (r *Room) Mute(ctx context.Context, user string, d time.Duration) error {
	cid, err := r.c.newID()
	if err != nil {
		return err
	}
	return r.c.rpc(ctx, "RoomService/MuteViewer", &skeinv1.MuteViewerRequest{Conversation: r.id, User: user, Seconds: uint32(d.Seconds()), ClientId: cid}, &skeinv1.MuteViewerResponse{})
}

// Remove ends a viewer's watching and keeps them out for a time, at most a
// year; 0 lets them in again. Once it returns nothing said later reaches them.
// Grant: remove members.
//
// Errors: as Mute.
func (r *Room) Remove(ctx context.Context, user string, d time.Duration) error {
	cid, err := r.c.newID()
	if err != nil {
		return err
	}
	return r.c.rpc(ctx, "RoomService/RemoveViewer", &skeinv1.RemoveViewerRequest{Conversation: r.id, User: user, Seconds: uint32(d.Seconds()), ClientId: cid}, &skeinv1.RemoveViewerResponse{})
}

func (r *Room) joinFrame() *skeinv1.ClientFrame {
	return &skeinv1.ClientFrame{Frame: &skeinv1.ClientFrame_JoinRoom{JoinRoom: &skeinv1.JoinRoom{Conversation: r.id}}}
}

// frameCall says a frame that the loop makes, and waits for its answer.
func (c *Client) frameCall(ctx context.Context, frame func() *skeinv1.ClientFrame) error {
	answer := make(chan outcome, 1)
	err := c.do(ctx, func() {
		if c.conn.state != Online {
			answer <- outcome{err: errorf(Unavailable, nil, "there is no connection")}
			return
		}
		c.send(frame(), awaited{kind: "command", done: answer})
	})
	if err != nil {
		return err
	}
	_, err = c.await(ctx, Message{}, answer)
	return err
}

// rejoin joins the rooms again after the connection was lost.
func (c *Client) rejoin() {
	for _, id := range sortedKeys(c.rooms) {
		c.send(c.rooms[id].joinFrame(), awaited{kind: "room", conv: id})
	}
}

// roomSaid takes what was said in a room.
func (c *Client) roomSaid(m *skeinv1.RoomMessage) {
	if c.rooms[m.GetConversation()] == nil {
		return
	}
	out := RoomMessage{Room: m.GetConversation(), ID: idText(m.GetClientId()), User: m.GetUser(), Time: time.UnixMicro(m.GetTimeUs()),
		Text: m.GetBody().GetContent().GetText().GetText(), High: m.GetPriority() == skeinv1.Priority_PRIORITY_HIGH}
	if x := m.GetBody().GetContent().GetCustom(); x != nil {
		out.Custom = &Custom{Type: x.GetType(), Data: x.GetData(), Summary: x.GetSummary()}
	}
	emit(c, &c.on.roomMessage, out)
}

// roomTold takes the state of a room, in answer to a join or as news.
func (c *Client) roomTold(m *skeinv1.RoomState) {
	r := c.rooms[m.GetConversation()]
	if r == nil {
		return
	}
	s := RoomState{Room: r.id, Viewers: int(m.GetViewers()), Joined: int(m.GetJoined()), Dropped: int(m.GetDropped()),
		Ended: m.GetEnded() != 0, Removed: m.GetEnded() == skeinv1.RoomEnd_ROOM_END_REMOVED}
	r.mu.Lock()
	if s.Muted = r.state.Muted; m.GetMutedUntilUs() > 0 {
		s.Muted = time.UnixMicro(m.GetMutedUntilUs())
	}
	r.state = s
	r.mu.Unlock()
	if s.Ended {
		delete(c.rooms, r.id)
	}
	emit(c, &c.on.roomState, s)
}
