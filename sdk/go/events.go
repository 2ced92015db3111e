package skein

import (
	"slices"
	"sync"
	"time"
)

// The events of a client. Handlers are called one after the other, in the
// order in which things happened, on a goroutine of the client; a handler may
// call anything but wait for its own event. While a handler is slow the
// client reads no further from the socket.
type (
	// MessageEvent carries a message and its conversation.
	MessageEvent struct {
		Conversation *Conversation
		Message      Message
	}
	// ConversationEvent says that a conversation's head, unread count, title,
	// members, role or markers changed.
	ConversationEvent struct {
		Conversation *Conversation
		// Removed: the conversation is no more on the server.
		Removed bool
	}
	// StateEvent is a change of the connection.
	StateEvent struct {
		State State
		// Err says why, when it was not asked for; nil otherwise.
		Err *Error
		// RetryAt is when the next attempt will be made, in state Waiting.
		RetryAt time.Time
	}
	// TypingEvent says that a user began or stopped to write.
	TypingEvent struct {
		Conversation *Conversation
		User         string
		Typing       bool
	}
	// PresenceEvent is a user's presence as of now.
	PresenceEvent struct{ Presence Presence }
	// SyncEvent tells how far the catching up is after a (re)connect.
	SyncEvent struct {
		Done int  // conversations so far
		More bool // false: all is here
	}
	// ErrorEvent is something that went wrong and belongs to no call.
	ErrorEvent struct{ Err *Error }
	// FrameEvent is one frame of the socket in the proto3 JSON mapping, for a
	// developer's eyes. Tokens are left out.
	FrameEvent struct {
		Sent bool
		JSON []byte
	}
)

// Presence is whether a user is online. It may be up to 60 s old.
type Presence struct {
	User   string
	Online bool
	// LastSeen is when the last device went away; zero: never seen, or online.
	LastSeen time.Time
	// Status is what the user says of themselves; nil = nothing.
	Status *Status
}

// Status is a word about oneself, such as "on holiday".
type Status struct {
	Text  string // at most 128 bytes
	Emoji string // one, at most 32 bytes
	// Until is when it ends; zero: it stays.
	Until time.Time
}

// handlers is a list of functions for one kind of event.
type handlers[E any] struct {
	mu   sync.Mutex
	list []*func(E)
}

// add registers fn and returns the way to stop.
func (h *handlers[E]) add(fn func(E)) (off func()) {
	p := &fn
	h.mu.Lock()
	h.list = append(slices.Clip(h.list), p)
	h.mu.Unlock()
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.list = slices.DeleteFunc(slices.Clone(h.list), func(q *func(E)) bool { return q == p })
	}
}

func (h *handlers[E]) some() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.list) > 0
}

func (h *handlers[E]) call(e E) {
	h.mu.Lock()
	list := h.list
	h.mu.Unlock()
	for _, fn := range list {
		(*fn)(e)
	}
}

// listeners are the handlers of all kinds.
type listeners struct {
	message, messageUpdated, messageRemoved handlers[MessageEvent]
	conversation                            handlers[ConversationEvent]
	state                                   handlers[StateEvent]
	typing                                  handlers[TypingEvent]
	presence                                handlers[PresenceEvent]
	sync                                    handlers[SyncEvent]
	errors                                  handlers[ErrorEvent]
	frames                                  handlers[FrameEvent]
	command                                 handlers[CommandEvent]
	roomMessage                             handlers[RoomMessage]
	roomState                               handlers[RoomState]
	upload                                  handlers[UploadEvent]
}

// OnMessage is called for each new message, from anybody, including what the
// user sent from other devices and what came while this client was away. The
// client's own sends come as OnMessageUpdated.
func (c *Client) OnMessage(fn func(MessageEvent)) (off func()) { return c.on.message.add(fn) }

// OnMessageUpdated is called when a message changed: an own one was put into
// the outbox, acknowledged or failed; any was edited, recalled or reacted to.
func (c *Client) OnMessageUpdated(fn func(MessageEvent)) (off func()) {
	return c.on.messageUpdated.add(fn)
}

// OnMessageRemoved is called when a message is no more: discarded, expired,
// or moved out of what is loaded.
func (c *Client) OnMessageRemoved(fn func(MessageEvent)) (off func()) {
	return c.on.messageRemoved.add(fn)
}

// OnConversation is called when what a list of conversations shows changed.
func (c *Client) OnConversation(fn func(ConversationEvent)) (off func()) {
	return c.on.conversation.add(fn)
}

// OnState is called when the connection's state changed.
func (c *Client) OnState(fn func(StateEvent)) (off func()) { return c.on.state.add(fn) }

// OnTyping is called when somebody begins or stops writing.
func (c *Client) OnTyping(fn func(TypingEvent)) (off func()) { return c.on.typing.add(fn) }

// OnPresence is called when a watched user comes or goes.
func (c *Client) OnPresence(fn func(PresenceEvent)) (off func()) { return c.on.presence.add(fn) }

// OnSync is called after each page of the catching up.
func (c *Client) OnSync(fn func(SyncEvent)) (off func()) { return c.on.sync.add(fn) }

// OnError is called for what went wrong and belongs to no call.
func (c *Client) OnError(fn func(ErrorEvent)) (off func()) { return c.on.errors.add(fn) }

// OnFrame is called for every frame of the socket, both ways. It costs: for
// debugging only.
func (c *Client) OnFrame(fn func(FrameEvent)) (off func()) { return c.on.frames.add(fn) }
