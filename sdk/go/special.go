package skein

import (
	"context"
	"math"
	"slices"
	"time"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Priority is how much attention a message asks for. The server carries it;
// what it means is for apps, and for push, to say.
type Priority string

// The priorities.
const (
	NormalPriority Priority = ""
	HighPriority   Priority = "high"
	LowPriority    Priority = "low"
)

func priorityOf(p skeinv1.Priority) Priority {
	switch p {
	case skeinv1.Priority_PRIORITY_HIGH:
		return HighPriority
	case skeinv1.Priority_PRIORITY_LOW:
		return LowPriority
	}
	return NormalPriority
}

func (p Priority) wire() skeinv1.Priority {
	switch p {
	case HighPriority:
		return skeinv1.Priority_PRIORITY_HIGH
	case LowPriority:
		return skeinv1.Priority_PRIORITY_LOW
	}
	return skeinv1.Priority_PRIORITY_UNSPECIFIED
}

// options is how a message is to be sent. What answers a message for some
// users is for those and its sender: the server would see to it, and the local
// echo shall say so at once.
func (v *Conversation) options(o Outgoing) sendOptions {
	out := sendOptions{ToUsers: slices.Clone(o.ToUsers), Silent: o.Silent, Priority: int32(o.Priority.wire()),
		TTLS: wholeSeconds(o.TTL), BurnS: wholeSeconds(o.BurnAfter), ThreadSeq: o.Thread}
	if o.ReplyTo > 0 && o.Thread == 0 && len(out.ToUsers) == 0 {
		v.look(func(cv *conv) {
			m := cv.msgs[o.ReplyTo]
			if m == nil || len(m.entry.GetToUsers()) == 0 {
				return
			}
			out.ToUsers = slices.Clone(m.entry.GetToUsers())
			if !slices.Contains(out.ToUsers, m.entry.GetSender()) {
				out.ToUsers = append(out.ToUsers, m.entry.GetSender())
			}
		})
	}
	return out
}

// wholeSeconds is a duration as the wire has it: whole seconds, and not 0 unless it
// is; the server refuses what is too much.
func wholeSeconds(d time.Duration) uint32 {
	if d <= 0 {
		return 0
	}
	return uint32(min((d+time.Second-1)/time.Second, math.MaxUint32))
}

// ends tells a message's end; us is microseconds, 0 = it has none.
func (v *Message) ends(us int64, burn uint32) {
	if us != 0 {
		v.Expires = time.UnixMicro(us).UTC()
	}
	v.BurnAfter = time.Duration(burn) * time.Second
}

// over tells whether its time is up by the server's clock, in microseconds: a
// device that is offline does not show it either.
func (v *Message) over(now int64) bool { return !v.Expires.IsZero() && v.Expires.UnixMicro() <= now }

// MentionsMe tells whether a message calls this user: by name, by a role that
// they have, with all, or with here while this client was online when it came.
// One's own messages do not.
func (v *Conversation) MentionsMe(m Message) bool {
	c := v.c
	c.mu.RLock()
	defer c.mu.RUnlock()
	me := c.st.user
	switch {
	case m.Sender == me || m.Recalled:
		return false
	case slices.Contains(m.Mentions, me) || m.MentionAll:
		return true
	case m.MentionHere && !c.onlineSince.IsZero() && !m.Time.Before(c.onlineSince):
		return true
	}
	cv := c.st.convs[v.id]
	if cv == nil || len(m.MentionRoles) == 0 {
		return false
	}
	return slices.Contains(m.MentionRoles, string(roleOf(cv.role))) ||
		slices.ContainsFunc(cv.attrs.GetRoleIds(), func(id string) bool { return slices.Contains(m.MentionRoles, id) })
}

// CommandEvent is something that another member's app said to those that are
// online, or to some of them.
type CommandEvent struct {
	Conversation *Conversation
	User         string
	Type         string
	Data         []byte
}

// OnCommand is called for every command. They are stored nowhere and can get
// lost.
func (c *Client) OnCommand(fn func(CommandEvent)) (off func()) { return c.on.command.add(fn) }

// Command says something to the online devices of the conversation's members,
// or of some of them: a type of 1 to 64 of a-z A-Z 0-9 . _ - and at most 4 KiB.
// It returns when the server has passed it on; it is stored nowhere.
//
// Errors: Unavailable (not online: it was not said, or may not have been),
// NotFound, InvalidArgument, TooLarge, FailedPrecondition (more than 1,000
// members, and none named), RateLimited, Aborted, Closed.
func (v *Conversation) Command(ctx context.Context, kind string, data []byte, to ...string) error {
	id, err := v.key()
	if err != nil {
		return err
	}
	c := v.c
	answer := make(chan outcome, 1)
	err = c.do(ctx, func() {
		if c.conn.state != Online {
			answer <- outcome{err: errorf(Unavailable, nil, "there is no connection")}
			return
		}
		c.send(&skeinv1.ClientFrame{Frame: &skeinv1.ClientFrame_Command{Command: &skeinv1.Command{Conversation: id, Type: kind,
			Data: slices.Clone(data), ToUsers: to}}}, awaited{kind: "command", done: answer})
	})
	if err != nil {
		return err
	}
	_, err = c.await(ctx, Message{}, answer)
	return err
}

// commanded takes somebody's command.
func (c *Client) commanded(m *skeinv1.Command) {
	emit(c, &c.on.command, CommandEvent{Conversation: c.Conversation(m.GetConversation()), User: m.GetUser(), Type: m.GetType(), Data: m.GetData()})
}

// abandon answers the commands that have none, when their session ends.
func (c *Client) abandon() {
	for _, a := range c.refs {
		if a.done != nil {
			a.done <- outcome{err: errorf(Unavailable, nil, "the connection was lost")}
		}
	}
	clear(c.refs)
}

// pause waits.
func (c *Client) pause(ctx context.Context, name string, d time.Duration) error {
	over := make(chan outcome, 1)
	if err := c.do(ctx, func() { c.setTimer(name, d, func() { over <- outcome{} }) }); err != nil {
		return err
	}
	_, err := c.await(ctx, Message{}, over)
	return err
}

// Forward is what ForwardMessages sends on.
type Forward struct {
	// Messages of one conversation that the server has: at most 100 merged, at
	// most 20 otherwise. They are sent in their order.
	Messages []Message
	// Merged makes one message of them, which Title names.
	Merged bool
	Title  string // at most 128 bytes
	// Comment is a text of the user's own behind them.
	Comment string
}

// Forward sends messages of another conversation here. The server reads the
// originals itself, so that Forwarded and Merged can be believed. Unlike Send it
// needs the network. It returns what was sent.
//
// Errors: NotFound, FailedPrecondition (recalled, going away, for some alone,
// not readable by the server, or of a kind that stays where it is), TooLarge,
// PermissionDenied, InvalidArgument, Unavailable, Aborted, Closed.
func (v *Conversation) Forward(ctx context.Context, f Forward) ([]Message, error) {
	to, err := v.key()
	if err != nil {
		return nil, err
	}
	if len(f.Messages) == 0 {
		return nil, errorf(InvalidArgument, nil, "there is nothing to forward")
	}
	ask := &skeinv1.ForwardMessagesRequest{From: f.Messages[0].Conversation, To: to, Merged: f.Merged, Title: f.Title, Comment: f.Comment}
	for _, m := range f.Messages {
		if m.Seq == 0 || m.Conversation != ask.From {
			return nil, errorf(InvalidArgument, nil, "only sent messages of one conversation are forwarded together")
		}
		ask.Seqs = append(ask.Seqs, m.Seq)
	}
	if ask.ClientId, err = v.c.newID(); err != nil {
		return nil, err
	}
	was := v.c.incarnation()
	var resp skeinv1.ForwardMessagesResponse
	for attempt := 0; ; attempt++ {
		err = v.c.rpc(ctx, "ForwardService/ForwardMessages", ask, &resp)
		if CodeOf(err) != Unavailable || attempt == 3 || ctx.Err() != nil {
			break
		}
		if err := v.c.pause(ctx, "forward/"+idText(ask.GetClientId()), time.Second<<attempt); err != nil {
			return nil, err
		}
	}
	if err != nil {
		return nil, err
	}
	var out []Message
	err = v.c.do(ctx, func() {
		for _, e := range resp.GetEntries() {
			v.c.applyAnswer(was, answerEvent{e})
			cv := v.c.st.convs[to]
			if cv == nil {
				cv = newConv(to, was)
			}
			out = append(out, v.c.st.viewMessage(cv, &msg{entry: e}))
		}
	})
	return out, err
}
