package skein

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// ConversationKind is told by a conversation's id.
type ConversationKind string

// The kinds of conversations.
const (
	Direct ConversationKind = "direct" // two users
	Group  ConversationKind = "group"  // many
	Self   ConversationKind = "self"   // one user's notes and private state
)

// Role of a member.
type Role string

// The roles. A group has one owner.
const (
	RoleMember Role = "member"
	RoleAdmin  Role = "admin"
	RoleOwner  Role = "owner"
)

func roleOf(r skeinv1.Role) Role {
	switch r {
	case skeinv1.Role_ROLE_MEMBER:
		return RoleMember
	case skeinv1.Role_ROLE_ADMIN:
		return RoleAdmin
	case skeinv1.Role_ROLE_OWNER:
		return RoleOwner
	}
	return ""
}

func (r Role) wire() skeinv1.Role {
	switch r {
	case RoleMember:
		return skeinv1.Role_ROLE_MEMBER
	case RoleAdmin:
		return skeinv1.Role_ROLE_ADMIN
	case RoleOwner:
		return skeinv1.Role_ROLE_OWNER
	}
	return skeinv1.Role_ROLE_UNSPECIFIED
}

// Position is a place in a conversation, with the number of messages up to it.
type Position struct{ Seq, Ord uint64 }

// Conversation is one conversation, as a value to hold: a client has one for
// each id. What it tells is the state at the time of the call, from memory.
type Conversation struct {
	c    *Client
	id   string // guarded by c.mu; "" until the user is known
	peer string // of one that was asked for before that
}

// directID returns the id of two users' conversation.
func directID(a, b string) string {
	if b < a {
		a, b = b, a
	}
	return "@" + strconv.Itoa(len(a)) + ":" + a + ":" + b
}

// directPeer returns the other user of a direct conversation's id.
func directPeer(id, user string) string {
	if len(id) < 2 || id[0] != '@' {
		return ""
	}
	i := 1
	for i < len(id) && id[i] != ':' {
		i++
	}
	n, err := strconv.Atoi(id[1:i])
	if err != nil || n < 1 || i+1+n >= len(id) || id[i+1+n] != ':' {
		return ""
	}
	a, b := id[i+1:i+1+n], id[i+2+n:]
	switch user {
	case a:
		return b
	case b:
		return a
	}
	return ""
}

// ID returns the conversation's id: "" while the client does not know yet who
// the user is.
func (v *Conversation) ID() string {
	v.c.mu.RLock()
	defer v.c.mu.RUnlock()
	return v.id
}

// key is ID for calls that need it.
func (v *Conversation) key() (string, error) {
	if id := v.ID(); id != "" {
		return id, nil
	}
	return "", &Error{Code: FailedPrecondition, Message: "the client does not know yet who the user is", Hint: "Connect first, or set Options.User"}
}

// look calls fn with the state, if there is one.
func (v *Conversation) look(fn func(cv *conv)) {
	v.c.mu.RLock()
	defer v.c.mu.RUnlock()
	if cv := v.c.st.convs[v.id]; cv != nil {
		fn(cv)
	}
}

// Kind returns the conversation's kind.
func (v *Conversation) Kind() ConversationKind {
	v.c.mu.RLock()
	defer v.c.mu.RUnlock()
	switch {
	case v.id == "" && v.peer == "":
		return Self
	case v.id == "":
		return Direct
	}
	switch kindOf(v.id) {
	case skeinv1.ConversationKind_CONVERSATION_KIND_DIRECT:
		return Direct
	case skeinv1.ConversationKind_CONVERSATION_KIND_SELF:
		return Self
	}
	return Group
}

// Title returns a group's title.
func (v *Conversation) Title() (title string) {
	v.look(func(cv *conv) { title = cv.title })
	return title
}

// Peer returns the other user of a direct conversation, else "".
func (v *Conversation) Peer() string {
	v.c.mu.RLock()
	defer v.c.mu.RUnlock()
	if v.id == "" {
		return v.peer
	}
	return directPeer(v.id, v.c.st.user)
}

// Unread returns how many messages lie behind the user's read marker.
func (v *Conversation) Unread() (n int) {
	v.look(func(cv *conv) { n = int(cv.unread()) })
	return n
}

// Head returns the newest position known of.
func (v *Conversation) Head() (p Position) {
	v.look(func(cv *conv) { p = Position{cv.head.seq, cv.head.ord} })
	return p
}

// ReadPosition returns the user's own read marker.
func (v *Conversation) ReadPosition() (p Position) {
	v.look(func(cv *conv) { p = Position{cv.read.seq, cv.read.ord} })
	return p
}

// ReadMarkers returns how far others have read, at most 200 of them.
func (v *Conversation) ReadMarkers() map[string]Position {
	out := map[string]Position{}
	v.look(func(cv *conv) {
		for u, p := range cv.markers {
			out[u] = Position{p.seq, p.ord}
		}
	})
	return out
}

// MemberCount returns how many are in it; 0 while that is not known.
func (v *Conversation) MemberCount() (n int) {
	v.look(func(cv *conv) { n = int(cv.members) })
	return n
}

// Role returns the user's role, "" while that is not known.
func (v *Conversation) Role() (r Role) {
	v.look(func(cv *conv) { r = roleOf(cv.role) })
	return r
}

// Left tells that the user is no member any more: what came before can still
// be read.
func (v *Conversation) Left() (left bool) {
	v.look(func(cv *conv) { left = cv.to > 0 })
	return left
}

// Value returns the newest value of a key; self conversation only.
func (v *Conversation) Value(key string) (m Message, ok bool) {
	v.look(func(cv *conv) {
		if k := cv.keyed[key]; k != nil {
			m, ok = Message{Conversation: cv.id, Seq: k.seq, Sender: v.c.st.user, State: Sent}, true
			m.setBody(k.body)
		}
	})
	return m, ok
}

// Keys returns the keys that have a value, in order; self conversation only.
func (v *Conversation) Keys() (keys []string) {
	v.look(func(cv *conv) { keys = slices.Sorted(maps.Keys(cv.keyed)) })
	return keys
}

// Messages returns the newest messages that are here without a gap, at most
// limit (0 = 50), oldest first, with the outbox's at the end. It asks the
// local store and never the network: see History for that.
//
// Errors: Storage, Closed, Aborted.
func (v *Conversation) Messages(ctx context.Context, limit int) ([]Message, error) {
	id, err := v.key()
	if err != nil {
		return nil, err
	}
	limit = cmp.Or(max(limit, 0), 50)
	var out []Message
	err = v.c.do(ctx, func() {
		var echoes []Message
		for _, it := range v.c.st.outbox {
			if it.op == opSend && it.conv == id && it.key == "" && it.opts.ThreadSeq == 0 {
				echoes = append(echoes, v.c.st.viewItem(it))
			}
		}
		if cv := v.c.st.convs[id]; cv != nil && cv.head.seq > 0 {
			r := cv.newest()
			out = v.c.loaded(cv, r.from, r.to, limit, true)
		}
		out = append(out, echoes...)
		out = out[max(0, len(out)-limit):]
	})
	return out, err
}

// LastMessage returns what a list of conversations shows: the newest message
// in memory, the outbox's included.
func (v *Conversation) LastMessage(ctx context.Context) (Message, bool, error) {
	list, err := v.Messages(ctx, 1)
	if err != nil || len(list) == 0 {
		return Message{}, false, err
	}
	return list[len(list)-1], true, nil
}

// newest is the range of positions that is shown first: the highest current
// one, or all that is stale when nothing is current.
func (c *conv) newest() span {
	if n := len(c.ranges); n > 0 && (c.ranges[n-1].to >= c.from || c.live < c.from) {
		return c.ranges[n-1]
	}
	return span{1, c.head.seq}
}

// loaded returns messages of a range, replies in threads left out, from the
// store where they are not in memory. It runs on the loop.
func (c *Client) loaded(cv *conv, from, to uint64, limit int, newest bool) []Message {
	var out []Message
	for from <= to && len(out) < limit {
		want := limit - len(out)
		rows, err := c.opt.Store.Messages(c.ctx, cv.id, from, to, want, newest)
		if err != nil {
			c.fail(errorf(Storage, err, "the store could not be read"))
			return nil
		}
		page := c.views(cv, rows)
		if newest {
			out = append(page, out...)
		} else {
			out = append(out, page...)
		}
		if len(rows) < want {
			break
		}
		if newest {
			to = rows[0].Seq - 1
		} else {
			from = rows[len(rows)-1].Seq + 1
		}
	}
	return out
}

// views shows rows of the store, but for replies in threads.
func (c *Client) views(cv *conv, rows []SavedMessage) []Message {
	out := make([]Message, 0, len(rows))
	for _, row := range rows {
		m := cv.msgs[row.Seq]
		if m == nil {
			var err error
			if m, err = decodeMessage(row.Data); err != nil {
				c.log.Error("a stored message can not be read", "conversation", cv.id, "seq", row.Seq)
				continue
			}
		}
		if v := c.st.viewMessage(cv, m); v.Thread == 0 {
			out = append(out, v)
		}
	}
	return out
}

// Typing tells the others that the user is writing. Call it at every key: it
// is sent at most every 3 s, and shown for 6. It is lost without a connection.
func (v *Conversation) Typing() { v.typing(false) }

// StopTyping tells that the user does not write any more.
func (v *Conversation) StopTyping() { v.typing(true) }

const typingEvery = 3 * time.Second

func (v *Conversation) typing(stopped bool) {
	c := v.c
	c.post(func() {
		id := v.id
		if id == "" || c.conn.state != Online {
			return
		}
		now := c.opt.Clock.Now()
		if last, ok := c.lastTyped[id]; stopped && !ok || !stopped && ok && now.Sub(last) < typingEvery {
			return
		}
		if stopped {
			delete(c.lastTyped, id)
		} else {
			c.lastTyped[id] = now
		}
		c.send(&skeinv1.ClientFrame{Frame: &skeinv1.ClientFrame_Typing{Typing: &skeinv1.Typing{Conversation: id, Stopped: stopped}}}, awaited{})
	})
}

// Read moves the user's read marker to a position, never back. It counts at
// once here, and reaches the server when there is a connection.
func (v *Conversation) Read(ctx context.Context, seq uint64) error {
	id, err := v.key()
	if err != nil {
		return err
	}
	return v.c.do(ctx, func() {
		v.c.apply(readEvent{id, seq})
		v.c.reads[id] = true
	})
}

// ReadAll moves the user's read marker to the newest position.
func (v *Conversation) ReadAll(ctx context.Context) error { return v.Read(ctx, maxSeq) }
