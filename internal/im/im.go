// Package im holds the words that every other package uses: ids, positions,
// the actor of a call, errors, time and entropy. It imports the standard
// library only, so that nothing can depend on it by accident.
//
// A conversation is an append-only log. An Actor is who calls; it carries the
// app, so that a tenant cannot be forgotten.
package im

import "slices"

// AppID names a tenant: 1 to 64 bytes of a-z A-Z 0-9 _ -.
type AppID string

// UserID names a user within an app. It is chosen by the app's own back end:
// 1 to 64 bytes of UTF-8 without control characters.
type UserID string

// DeviceID names one installation of a client. It is made by the SDK: 1 to 64
// bytes of UTF-8 without control characters.
type DeviceID string

// Seq numbers the entries of a conversation: 1, 2, 3 … without gap or reuse.
// 0 is the position before the first entry.
type Seq int64

// Ord counts the countable messages of a conversation up to an entry.
type Ord int64

// Pos numbers the entries of a shard in commit order, without gap or reuse.
type Pos int64

// Micros is a time in microseconds since 1970-01-01 UTC. It is what is stored
// and sent, because both engines and JavaScript keep it exactly.
type Micros int64

// Role is a member's standing in a conversation. Its values are wire values.
type Role int32

// The roles, weakest first, so that they compare with <.
const (
	RoleNone   Role = 0
	RoleMember Role = 1
	RoleAdmin  Role = 2
	RoleOwner  Role = 3
)

// Actor is who makes a call. Every operation of the platform takes one.
type Actor struct {
	App    AppID
	User   UserID   // empty for the app's own back end
	Device DeviceID // empty for the app's own back end and for HTTP calls without a device
	// Server is true for the app's own back end: it holds the app's secret
	// and may do everything within its app.
	Server bool
	// Guest is true for a user without an account, who begins nothing.
	Guest bool
}

// Entry kinds. Their values are wire values (skein.v1.EntryKind).
const (
	KindMessage      Kind = 1 // the only countable kind
	KindEdit         Kind = 2
	KindRecall       Kind = 3
	KindReaction     Kind = 4
	KindMembers      Kind = 5
	KindConversation Kind = 6
	KindKeyed        Kind = 7
	KindVote         Kind = 8  // a vote in the poll that Target is
	KindExtension    Kind = 9  // key-value pairs beside the message that Target is
	KindExpire       Kind = 10 // the time of the message that Target is was up
	KindContact      Kind = 11 // a fact between the two users of a direct conversation
)

// Kind says what an entry does to the state of its conversation.
type Kind int32

// Priority is how much a message wants to be noticed. Its values are wire values.
type Priority int32

// The priorities.
const (
	PriorityNormal Priority = 0
	PriorityHigh   Priority = 1
	PriorityLow    Priority = 2
)

// Countable tells whether the entry raises ord: a message that everybody may
// read. An entry addressed to devices or users never does, whatever its kind:
// the others could not read it, and it must not make them an unread message.
// Nor does a message that says so (Uncounted): a reply in a thread is unread
// there.
func (e *Entry) Countable() bool {
	return e.Kind == KindMessage && !e.Uncounted && len(e.ToDevices) == 0 && len(e.ToUsers) == 0
}

// Entry is one row of a conversation's log, and it is the message: a later
// edit or recall changes Body, Version and Recalled of this row in place.
// Seq, Pos, Kind, Sender and Time never change.
type Entry struct {
	App    AppID
	Conv   ConvID
	Seq    Seq
	Ord    Ord
	Shard  int
	Pos    Pos
	Kind   Kind
	Sender UserID
	Device DeviceID // the sending device: its own session gets the ack instead of the entry
	// Session is the socket session that sent the entry, 0 = none. It is not
	// stored: it only lets the gateway answer that session with the ack
	// instead of the entry.
	Session uint64
	// Trace is the W3C traceparent of the commit, when the entry is one of the
	// few that are traced; else empty. It is not stored. A bus carries it to
	// other nodes, so that their deliveries join the trace.
	Trace     string
	Time      Micros
	ClientID  ClientID
	Version   int32
	Target    Seq        // what an edit, recall or reaction is about, or the root of a message's thread; 0 otherwise
	Key       string     // of a keyed entry
	Handshake bool       // kept until every member device has passed it
	ToDevices []DeviceID // empty = every member
	ToUsers   []UserID   // beside the sender, who may read it; empty = every member
	Silent    bool       // nobody is to be disturbed by it
	Priority  Priority
	Burn      int32  // seconds after the peer has read it that the body goes; 0 = it stays
	Expires   Micros // when the body goes; 0 = never. Nobody is served it after that
	Uncounted bool   // a message that raises no ord
	Expired   bool   // blanked because its time was up
	Recalled  bool
	// Body is the encoded skein.v1.Body, kept byte for byte as it was sent.
	// Empty when recalled or compacted.
	Body []byte
	// Damaged: the stored row does not fit its hash, so that nothing but its
	// position is known. It is reported, and delivered as withheld.
	Damaged bool
	// Previous is, on the first edit of a message, the body that it replaced.
	Previous []byte
}

// Special tells whether the entry has any of what few entries have: readers,
// a priority, an end.
func (e *Entry) Special() bool {
	return len(e.ToUsers) > 0 || e.Silent || e.Priority != 0 || e.Burn != 0 || e.Expires != 0 || e.Uncounted || e.Expired
}

// Withheld tells whether the position is delivered as a bare position to a
// user's device: compacted or damaged for everybody, or addressed to others.
func (e *Entry) Withheld(u UserID, d DeviceID) bool {
	if e.Damaged || e.Kind == KindKeyed && len(e.Body) == 0 {
		return true
	}
	if len(e.ToUsers) > 0 && u != e.Sender && !slices.Contains(e.ToUsers, u) {
		return true
	}
	return len(e.ToDevices) > 0 && !slices.Contains(e.ToDevices, d)
}
