package skein

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// ScheduledState is how far a scheduled message is.
type ScheduledState string

// The states of what ListScheduled returns.
const (
	ScheduledWaiting ScheduledState = "waiting" // for its time
	ScheduledSending ScheduledState = "sending" // its time has come
	ScheduledFailed  ScheduledState = "failed"  // it was refused when its time came: see Err
)

// Scheduled is a message that the server sends later, as the user.
type Scheduled struct {
	// ID names it: a UUID.
	ID           string
	Conversation string // id
	// Message is what will be sent: Kind, its content, ReplyTo, Mentions,
	// ToUsers, Silent, Priority and BurnAfter mean something.
	Message Message
	// TTL is how long it will stay once it is sent; 0 = for ever.
	TTL    time.Duration
	SendAt time.Time
	State  ScheduledState
	Err    *Error // ScheduledFailed: why
	// Version is raised by each change.
	Version uint32
}

// Schedule has the server send a message at a time, exactly once, also when no
// device of the user is online. at is 1 second to 365 days ahead. Whether it
// may be sent is decided then; what is refused stays in ListScheduled with the
// reason. Unlike a send it needs the network.
//
// Errors: NotFound, InvalidArgument, TooLarge, ResourceExhausted (100 messages
// wait), Unavailable, Aborted, Closed.
func (v *Conversation) Schedule(ctx context.Context, o Outgoing, at time.Time) (Scheduled, error) {
	m, err := v.later(o)
	if err != nil {
		return Scheduled{}, err
	}
	cid, err := v.c.newID()
	if err != nil {
		return Scheduled{}, err
	}
	var resp skeinv1.ScheduleMessageResponse
	err = v.c.rpc(ctx, "TimedService/ScheduleMessage", &skeinv1.ScheduleMessageRequest{Message: m, SendAtUs: at.UnixMicro(), ClientId: cid}, &resp)
	return v.c.scheduled(resp.GetScheduled()), err
}

// later is a message as the server keeps it.
func (v *Conversation) later(o Outgoing) (*skeinv1.SendMessageRequest, error) {
	id, err := v.key()
	if err != nil {
		return nil, err
	}
	body, err := o.body()
	if err != nil {
		return nil, err
	}
	opts := v.options(o)
	return &skeinv1.SendMessageRequest{Conversation: id, Body: body, ToDevices: o.ToDevices, ToUsers: opts.ToUsers, Silent: opts.Silent,
		Priority: skeinv1.Priority(opts.Priority), TtlS: opts.TTLS, BurnAfterS: opts.BurnS, ThreadSeq: opts.ThreadSeq}, nil
}

// ListScheduled returns what waits for its time and what could not be sent,
// soonest first.
func (c *Client) ListScheduled(ctx context.Context) ([]Scheduled, error) {
	var resp skeinv1.ListScheduledResponse
	if err := c.rpc(ctx, "TimedService/ListScheduled", &skeinv1.ListScheduledRequest{}, &resp); err != nil {
		return nil, err
	}
	out := make([]Scheduled, 0, len(resp.GetScheduled()))
	for _, s := range resp.GetScheduled() {
		out = append(out, c.scheduled(s))
	}
	return out, nil
}

// UpdateScheduled changes what is sent (nil: nothing of it), or when (zero: it
// stays). What has failed waits again.
//
// Errors: NotFound, InvalidArgument, FailedPrecondition (it is being sent, or
// was changed since s was read).
func (c *Client) UpdateScheduled(ctx context.Context, s Scheduled, o *Outgoing, at time.Time) (Scheduled, error) {
	req := &skeinv1.UpdateScheduledRequest{Id: idBytes(s.ID), Version: s.Version}
	if o != nil {
		m, err := c.Conversation(s.Conversation).later(*o)
		if err != nil {
			return Scheduled{}, err
		}
		req.Message = m
	}
	if !at.IsZero() {
		req.SendAtUs = at.UnixMicro()
	}
	var resp skeinv1.UpdateScheduledResponse
	err := c.rpc(ctx, "TimedService/UpdateScheduled", req, &resp)
	return c.scheduled(resp.GetScheduled()), err
}

// CancelScheduled forgets a scheduled message. Errors: NotFound (also when it
// was sent), FailedPrecondition (it is being sent).
func (c *Client) CancelScheduled(ctx context.Context, s Scheduled) error {
	return c.rpc(ctx, "TimedService/CancelScheduled", &skeinv1.CancelScheduledRequest{Id: idBytes(s.ID)}, &skeinv1.CancelScheduledResponse{})
}

// SendScheduledNow sends a scheduled message before its time, or one that has
// failed once more, and returns its position. Errors: NotFound, and what a send
// can be refused with.
func (c *Client) SendScheduledNow(ctx context.Context, s Scheduled) (seq uint64, err error) {
	var resp skeinv1.SendScheduledNowResponse
	err = c.rpc(ctx, "TimedService/SendScheduledNow", &skeinv1.SendScheduledNowRequest{Id: idBytes(s.ID)}, &resp)
	return resp.GetEntry().GetSeq(), err
}

// ScheduledKey is the key of the self conversation that the server rewrites
// whenever the list of scheduled messages has changed: who shows the list reads
// it again when OnConversation tells of that conversation.
const ScheduledKey = "scheduled"

// scheduled reads what the wire has of one.
func (c *Client) scheduled(s *skeinv1.Scheduled) Scheduled {
	if s == nil {
		return Scheduled{}
	}
	m := s.GetMessage()
	out := Scheduled{ID: idText(s.GetId()), Conversation: m.GetConversation(), SendAt: time.UnixMicro(s.GetSendAtUs()).UTC(), Version: s.GetVersion(),
		TTL: time.Duration(m.GetTtlS()) * time.Second}
	switch s.GetState() {
	case skeinv1.ScheduledState_SCHEDULED_STATE_SENDING:
		out.State = ScheduledSending
	case skeinv1.ScheduledState_SCHEDULED_STATE_FAILED:
		out.State = ScheduledFailed
		out.Err = fromWire(s.GetError())
	default:
		out.State = ScheduledWaiting
	}
	out.Message = Message{Conversation: m.GetConversation(), Sender: c.UserID(), ToDevices: m.GetToDevices(), ToUsers: m.GetToUsers(),
		Silent: m.GetSilent(), Priority: priorityOf(m.GetPriority()), BurnAfter: time.Duration(m.GetBurnAfterS()) * time.Second}
	if m != nil {
		out.Message.setBody(proto.Clone(m.GetBody()).(*skeinv1.Body))
	}
	return out
}
