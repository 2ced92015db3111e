package skein

import (
	"cmp"
	"context"
	"encoding/base64"
	"slices"
	"strings"
	"sync"
	"time"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// CallState is how far a call is.
type CallState string

// The states of a call.
const (
	CallRinging CallState = "ringing" // nobody has answered yet
	CallActive  CallState = "active"
	CallEnded   CallState = "ended"
)

// CallEnd is why a call is over.
type CallEnd string

// The ends of a call.
const (
	CallCompleted CallEnd = "completed" // people talked
	CallCancelled CallEnd = "cancelled" // ended before anybody answered
	CallDeclined  CallEnd = "declined"
	CallNoAnswer  CallEnd = "noAnswer"
	CallBusy      CallEnd = "busy"
	CallFailed    CallEnd = "failed" // no room could be made for it
)

// CallPartyState is how a user stands to a call.
type CallPartyState string

// The states of a user in a call.
const (
	PartyRinging  CallPartyState = "ringing"
	PartyJoined   CallPartyState = "joined"
	PartyDeclined CallPartyState = "declined"
	PartyMissed   CallPartyState = "missed"
	PartyBusy     CallPartyState = "busy"
	PartyLeft     CallPartyState = "left"
	PartyRemoved  CallPartyState = "removed"
)

// CallRole is what a user may do in a call.
type CallRole string

// The roles.
const (
	CallPublisher CallRole = "publisher" // speaks and shows themself
	CallViewer    CallRole = "viewer"    // hears and sees
)

// Call is a voice or video call.
type Call struct {
	ID           string
	Conversation string // id
	Starter      string // user id; "" when they were erased
	Video        bool   // it was started with cameras
	State        CallState
	End          CallEnd // of an ended one
	// Started, Answered and Ended are zero when that has not happened.
	Started, Answered, Ended time.Time
	// Role is that of who joins without being invited.
	Role    CallRole
	Parties []CallParty // the starter first; in lists the first 20 and oneself
	// Recording says that it is being recorded; zero = it is not.
	Recording RecordingMark
	// Count is how many have to do with it, Joined how many are in it.
	Count, Joined int
	// Access is what a LiveKit client connects with, where this device was let
	// in; else nil.
	Access *CallAccess
}

// CallParty is a user of a call.
type CallParty struct {
	User      string
	State     CallPartyState
	Role      CallRole
	InvitedBy string // "" for the starter, and for who came by themself
	Device    string // of oneself: with which device
}

// CallAccess lets one device into a call's room, at a server that speaks
// LiveKit's protocol.
type CallAccess struct {
	URL      string // wss:// or ws://
	Token    string // connect within a minute
	Identity string // who the device is there; see ParseParticipant
	Expires  time.Time
}

// OwnCall is a call as this user's devices know it without asking: it rings, or
// the user is in it, or it was over a moment ago.
type OwnCall struct {
	ID           string
	Conversation string
	Starter      string
	Video        bool
	State        CallState
	End          CallEnd
	Own          CallPartyState // the user's own state
	Role         CallRole
	Device       string // of theirs that joined or declined
	InvitedBy    string
	Started      time.Time
	Answered     time.Time // zero = nobody has
	RingsUntil   time.Time
	Recording    RecordingMark // zero = it is not being recorded
}

// CallsKey is the key of the self conversation that has the user's calls of
// now: OnConversation tells of that conversation when it changes.
const CallsKey = "calls"

// NewCall says how to start a call.
type NewCall struct {
	Video bool
	// Users are whom to ring in a group; empty = everybody.
	Users []string
	// Quiet rings nobody: members see that there is a call and may join.
	Quiet bool
	// Role is what everybody but the starter may do; "" = CallPublisher.
	Role CallRole
}

// StartCall starts a call in this conversation and rings. When the only other
// user is in a call it is over at once, with End CallBusy and no Access.
//
// Errors: NotFound, PermissionDenied, AlreadyExists (there is a call: join it),
// FailedPrecondition (in a call with another device; a server without calls),
// ResourceExhausted, RateLimited, Unavailable, Aborted, Closed.
func (v *Conversation) StartCall(ctx context.Context, n NewCall) (Call, error) {
	id, err := v.key()
	if err != nil {
		return Call{}, err
	}
	cid, err := v.c.newID()
	if err != nil {
		return Call{}, err
	}
	var resp skeinv1.StartCallResponse
	err = v.c.rpc(ctx, "CallService/StartCall", &skeinv1.StartCallRequest{Conversation: id, ClientId: cid, Video: n.Video, Users: n.Users, Quiet: n.Quiet,
		Role: wireRole(n.Role)}, &resp)
	return callWith(resp.GetCall(), v.c.accessOf(resp.GetAccess())), err
}

// GroupCall is the call of a group that its members can join.
type GroupCall struct {
	ID      string
	Starter string
	Video   bool
	Started time.Time
	Joined  int      // how many are in it
	Users   []string // the first 20 of them
	// Recording says that it is being recorded; zero = it is not.
	Recording RecordingMark
}

// CallNow returns the call that members of this group can join.
func (v *Conversation) CallNow() (call GroupCall, ok bool) {
	v.look(func(cv *conv) {
		k := valueOf(cv, "call").GetCall()
		if ok = k != nil && k.GetState() != skeinv1.CallState_CALL_STATE_ENDED; ok {
			call = GroupCall{ID: k.GetCall(), Starter: k.GetStarter(), Video: k.GetVideo(), Started: microsTime(k.GetStartedUs()), Joined: int(k.GetJoined()), Users: slices.Clone(k.GetUsers()),
				Recording: markOf(k.GetRecording())}
		}
	})
	return call, ok
}

// OwnCalls returns the user's calls of now, newest first, from what the device
// knows.
func (c *Client) OwnCalls() []OwnCall {
	var out []OwnCall
	c.Self().look(func(cv *conv) {
		for _, k := range valueOf(cv, CallsKey).GetCalls().GetCalls() {
			out = append(out, OwnCall{ID: k.GetCall(), Conversation: k.GetConversation(), Starter: k.GetStarter(), Video: k.GetVideo(), State: wordAt(callStates(), int32(k.GetState())),
				End: wordAt(callEnds(), int32(k.GetEnd())), Own: wordAt(partyStates(), int32(k.GetOwn())), Role: wordAt(callRoles(), int32(k.GetRole())), Device: k.GetDevice(), InvitedBy: k.GetInvitedBy(),
				Started: microsTime(k.GetStartedUs()), Answered: microsTime(k.GetAnsweredUs()), RingsUntil: microsTime(k.GetRingsUntilUs()), Recording: markOf(k.GetRecording())})
		}
	})
	return out
}

// valueOf is the newest value of a key.
func valueOf(cv *conv, key string) *skeinv1.Content {
	if k := cv.keyed[key]; k != nil {
		return k.body.GetContent()
	}
	return nil
}

// OnCalls is called when the user's calls of now may have changed, on whichever
// device: a ring begins, or has been answered, declined or given up. When the
// client starts it is called for what rings already.
func (c *Client) OnCalls(fn func([]OwnCall)) (off func()) {
	var mu sync.Mutex // guards last
	var last []OwnCall
	return c.OnConversation(func(e ConversationEvent) {
		if !strings.HasPrefix(e.Conversation.ID(), "~") {
			return
		}
		calls := c.OwnCalls()
		mu.Lock()
		changed := !slices.Equal(calls, last)
		last = slices.Clone(calls) // fn may do with its own what it likes
		mu.Unlock()
		if changed {
			fn(calls)
		}
	})
}

// AcceptCall answers a call, joins one that goes on, or comes back into one
// after a broken connection. Exactly one of a user's devices is let in.
//
// Errors: NotFound, PermissionDenied (taken out of it), FailedPrecondition
// (another device has answered, in another call, over), ResourceExhausted.
func (c *Client) AcceptCall(ctx context.Context, id string) (Call, error) {
	return c.joinCall(ctx, id, false)
}

// MoveCall takes a call over that another device of the user is in.
func (c *Client) MoveCall(ctx context.Context, id string) (Call, error) {
	return c.joinCall(ctx, id, true)
}

func (c *Client) joinCall(ctx context.Context, id string, move bool) (Call, error) {
	var resp skeinv1.JoinCallResponse
	err := c.rpc(ctx, "CallService/JoinCall", &skeinv1.JoinCallRequest{Call: id, Move: move}, &resp)
	return callWith(resp.GetCall(), c.accessOf(resp.GetAccess())), err
}

// accessOf reads how to connect: a media server without a URL is the server
// itself.
func (c *Client) accessOf(a *skeinv1.CallAccess) *CallAccess {
	if a == nil {
		return nil
	}
	return &CallAccess{URL: cmp.Or(a.GetUrl(), "ws"+strings.TrimPrefix(c.opt.Endpoint, "http")), Token: a.GetToken(), Identity: a.GetIdentity(), Expires: microsTime(a.GetExpiresUs())}
}

// DeclineCall stops the ring on all of the user's devices. Errors: NotFound,
// FailedPrecondition (another device has answered, over).
func (c *Client) DeclineCall(ctx context.Context, id string) error {
	return c.rpc(ctx, "CallService/DeclineCall", &skeinv1.DeclineCallRequest{Call: id}, &skeinv1.DeclineCallResponse{})
}

// LeaveCall leaves; who started a call that nobody has answered cancels it.
func (c *Client) LeaveCall(ctx context.Context, id string) error {
	return c.rpc(ctx, "CallService/LeaveCall", &skeinv1.LeaveCallRequest{Call: id}, &skeinv1.LeaveCallResponse{})
}

// EndCall ends a call for everybody. Errors: NotFound, PermissionDenied.
func (c *Client) EndCall(ctx context.Context, id string) error {
	return c.rpc(ctx, "CallService/EndCall", &skeinv1.EndCallRequest{Call: id}, &skeinv1.EndCallResponse{})
}

// InviteToCall rings more members of the group. role "" = the call's.
func (c *Client) InviteToCall(ctx context.Context, id string, role CallRole, users ...string) (Call, error) {
	var resp skeinv1.InviteToCallResponse
	err := c.rpc(ctx, "CallService/InviteToCall", &skeinv1.InviteToCallRequest{Call: id, Users: users, Role: wireRole(role)}, &resp)
	return callWith(resp.GetCall(), nil), err
}

// MuteInCall switches somebody's microphone or camera off, as the call's host;
// they may switch it on again.
func (c *Client) MuteInCall(ctx context.Context, id, user string, audio, video bool) error {
	return c.rpc(ctx, "CallService/MuteInCall", &skeinv1.MuteInCallRequest{Call: id, User: user, Audio: audio, Video: video}, &skeinv1.MuteInCallResponse{})
}

// RemoveFromCall takes somebody out, or stops their ring, as the call's host.
func (c *Client) RemoveFromCall(ctx context.Context, id, user string) error {
	return c.rpc(ctx, "CallService/RemoveFromCall", &skeinv1.RemoveFromCallRequest{Call: id, User: user}, &skeinv1.RemoveFromCallResponse{})
}

// SetCallRole says whether somebody speaks or only hears and sees, as the
// call's host.
func (c *Client) SetCallRole(ctx context.Context, id, user string, role CallRole) error {
	return c.rpc(ctx, "CallService/SetCallRole", &skeinv1.SetCallRoleRequest{Call: id, User: user, Role: wireRole(role)}, &skeinv1.SetCallRoleResponse{})
}

// Call returns a call with everybody in it. Errors: NotFound.
func (c *Client) Call(ctx context.Context, id string) (Call, error) {
	var resp skeinv1.GetCallResponse
	err := c.rpc(ctx, "CallService/GetCall", &skeinv1.GetCallRequest{Call: id}, &resp)
	return callWith(resp.GetCall(), nil), err
}

// CallQuery says which calls are listed.
type CallQuery struct {
	Limit        int    // 0 = 50; at most 100
	Page         string // the next of the list before; "" = the newest
	Missed       bool   // those alone that the user missed
	Conversation string // "" = all
}

// Calls returns the user's calls, newest first, and the next page; "" = there
// is none.
func (c *Client) Calls(ctx context.Context, q CallQuery) (calls []Call, next string, err error) {
	var resp skeinv1.ListCallsResponse
	err = c.rpc(ctx, "CallService/ListCalls", &skeinv1.ListCallsRequest{Limit: uint32(q.Limit), Page: q.Page, Missed: q.Missed, Conversation: q.Conversation}, &resp)
	for _, k := range resp.GetCalls() {
		calls = append(calls, callWith(k, nil))
	}
	return calls, resp.GetNextPage(), err
}

// CallLine is the line that a call leaves in its conversation.
type CallLine struct {
	// Kind is "started", "ended", "missed" or "declined", or "recording" and "recorded" of a recording.
	Kind    string
	Call    string // id
	Video   bool
	Starter string        // user id
	Talked  time.Duration // of an ended one, and of a recording
	// Recording is the recording's id and Recorder who has started it, of "recording" and "recorded".
	Recording, Recorder string
	// Reason is why it was missed: CallNoAnswer, CallCancelled or CallBusy.
	Reason CallEnd
}

// CallOf reads the line that a call leaves in its conversation; ok is false for
// any other message.
func CallOf(m *Message) (l CallLine, ok bool) {
	if m.Notice == nil {
		return CallLine{}, false
	}
	kind, ok := strings.CutPrefix(m.Notice.Code, "call.")
	if !ok || !slices.Contains([]string{"started", "ended", "missed", "declined", "recording", "recorded"}, kind) {
		return CallLine{}, false
	}
	p := m.Notice.Params
	talked, _ := time.ParseDuration(p["duration_s"] + "s") // absent = none
	l = CallLine{Kind: kind, Call: p["call"], Video: p["video"] == "true", Starter: p["starter"], Talked: talked, Recording: p["recording"], Recorder: p["recorder"]}
	switch p["reason"] {
	case "no_answer":
		l.Reason = CallNoAnswer
	case "cancelled":
		l.Reason = CallCancelled
	case "busy":
		l.Reason = CallBusy
	}
	return l, true
}

// ParseParticipant returns the user and device of a participant of a call's
// room; ok is false for one who is no user.
func ParseParticipant(identity string) (user, device string, ok bool) {
	u, d, found := strings.Cut(identity, "/")
	user, ok1 := participantPart(u)
	device, ok2 := participantPart(d)
	return user, device, found && ok1 && ok2 && user != ""
}

func participantPart(s string) (string, bool) {
	coded, ok := strings.CutPrefix(s, "~")
	if !ok {
		return s, true
	}
	b, err := base64.RawURLEncoding.DecodeString(coded)
	return string(b), err == nil
}

// The words of the enums by their wire values; the first is that of none.

func callStates() []CallState {
	return []CallState{"", CallRinging, CallActive, CallEnded}
}

func callEnds() []CallEnd {
	return []CallEnd{"", CallCompleted, CallCancelled, CallDeclined, CallNoAnswer, CallBusy, CallFailed}
}

func partyStates() []CallPartyState {
	return []CallPartyState{"", PartyRinging, PartyJoined, PartyDeclined, PartyMissed, PartyBusy, PartyLeft, PartyRemoved}
}

func callRoles() []CallRole {
	return []CallRole{"", CallPublisher, CallViewer}
}

func wireRole(r CallRole) skeinv1.CallRole { return skeinv1.CallRole(indexOf(callRoles(), r)) }

func callWith(k *skeinv1.Call, access *CallAccess) Call {
	out := Call{ID: k.GetId(), Conversation: k.GetConversation(), Starter: k.GetStarter(), Video: k.GetVideo(), State: wordAt(callStates(), int32(k.GetState())), End: wordAt(callEnds(), int32(k.GetEnd())),
		Started: microsTime(k.GetStartedUs()), Answered: microsTime(k.GetAnsweredUs()), Ended: microsTime(k.GetEndedUs()), Role: wordAt(callRoles(), int32(k.GetRole())),
		Count: int(k.GetPartyCount()), Joined: int(k.GetJoinedCount()), Access: access, Recording: markOf(k.GetRecording())}
	for _, p := range k.GetParties() {
		out.Parties = append(out.Parties, CallParty{User: p.GetUser(), State: wordAt(partyStates(), int32(p.GetState())), Role: wordAt(callRoles(), int32(p.GetRole())), InvitedBy: p.GetInvitedBy(), Device: p.GetDevice()})
	}
	return out
}
