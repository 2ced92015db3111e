// Package im holds the words that every other package uses: ids, positions,
// the actor of a call, errors, time and entropy. It imports the standard
// library only, so that nothing can depend on it by accident.
//
// A conversation is an append-only log. An Actor is who calls; it carries the
// app, so that a tenant cannot be forgotten.
package im

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
)

// Kind says what an entry does to the state of its conversation.
type Kind int32

// Countable tells whether an entry of this kind raises ord. An entry addressed
// to devices never does, whatever its kind: the others could not read it, and
// it must not make them an unread message.
func (k Kind) Countable(toDevices []DeviceID) bool { return k == KindMessage && len(toDevices) == 0 }

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
	Target    Seq        // what an edit, recall or reaction is about; 0 otherwise
	Key       string     // of a keyed entry
	Handshake bool       // kept until every member device has passed it
	ToDevices []DeviceID // empty = every member
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

// Withheld tells whether the position is delivered as a bare position to a
// device: compacted or damaged for everybody, or addressed to other devices.
func (e *Entry) Withheld(d DeviceID) bool {
	if e.Damaged || e.Kind == KindKeyed && len(e.Body) == 0 {
		return true
	}
	if len(e.ToDevices) == 0 {
		return false
	}
	for _, to := range e.ToDevices {
		if to == d {
			return false
		}
	}
	return true
}
