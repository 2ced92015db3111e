// Package journal stores conversations as append-only logs and is the only
// place where a message becomes durable.
//
// The decisions behind it (docs/adr/0001, 0002):
//
//   - A shard is the unit of order. A conversation lives in one shard; every
//     entry has (conversation, seq) and (shard, pos), both gap-free, and pos
//     is in commit order, because one writer at a time appends to a shard.
//   - Callers enqueue; the shard's writer commits what has gathered in one
//     fsynced transaction and answers them together. An idle shard commits at
//     once. Entry, numbers and idempotency key are in that one transaction.
//   - Preconditions are checked under the shard's lock, so that a decision
//     taken on what was read before cannot be overtaken.
//   - One row an entry, and the row is the message: an edit replaces its body
//     in place, a recall blanks it, both in the transaction of the new entry.
//   - Every row carries a content hash that is checked on read. A flipped bit
//     is reported as DataLoss and never served.
//   - A journal has a random incarnation. Positions of another incarnation
//     mean nothing.
//
// The journal knows no permission and gives entries no meaning: what may be
// appended is the business of package chat.
package journal

import (
	"context"
	"strings"
	"time"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/trace"
)

// Journal is the contract that both engines and the in-memory twin keep;
// journaltest holds them to it. All methods may be called from any goroutine.
type Journal interface {
	// Submit enqueues an append and returns at once; done is called exactly
	// once, on a goroutine of the journal, after the commit or the failure. It
	// must not block. Submits of one goroutine to one conversation keep their
	// order. When the queue is full (Options.MaxQueue) done gets Unavailable.
	// Neither a nor what it points to may be changed afterwards.
	//
	// Errors: ClientIDReused (same key, other content), FailedPrecondition
	// (*Stale: read again and retry), NotFound (no such conversation and no
	// Create), ResourceExhausted (disk full; nothing stored), Unavailable (the
	// outcome is unknown: retry with the same client id), InvalidArgument (no
	// app, conversation, kind or client id; a text that is not UTF-8 or has a
	// NUL), TooLarge (MaxBody), DataLoss (a row that it builds on is damaged).
	// A retry of what was stored succeeds although a precondition fails now.
	Submit(a *Append, done func(Result, error))

	// Mark moves a member's read marker forward, never back, and returns the
	// marker after the call. A seq past the head counts as the head. Marks are
	// coalesced into the shard's next commit; they take no position.
	// NotFound when the user is no member.
	Mark(ctx context.Context, app im.AppID, conv im.ConvID, user im.UserID, seq im.Seq) (Marker, error)

	// View runs fn over one consistent snapshot. The View is dead after fn
	// returns. fn must not Submit and wait.
	View(ctx context.Context, fn func(v View) error) error

	// Incarnation of this journal, 32 hex digits; constant while it is open.
	Incarnation() string
	// Shards is the number of shards, >= 1; constant while it is open.
	Shards() int
	// Close waits for what is queued (until ctx ends), then stops the writers.
	Close(ctx context.Context) error
}

// Append is one entry to be, with the changes that must commit with it.
type Append struct {
	App       im.AppID
	Conv      im.ConvID
	Kind      im.Kind
	Sender    im.UserID
	Device    im.DeviceID
	Session   uint64      // copied to Entry.Session; not stored
	Trace     *trace.Span // that the append belongs to, nil = none; see Entry.Trace
	ClientID  im.ClientID
	Target    im.Seq
	Key       string
	Handshake bool
	ToDevices []im.DeviceID
	Body      []byte // encoded skein.v1.Body; kept byte for byte
	ToUsers   []im.UserID
	Silent    bool
	Priority  im.Priority
	Burn      int32
	// TTL, if > 0, is how long after the entry's time its body expires.
	TTL time.Duration
	// Expires, if > 0, is when the body expires; it is not part of what a retry
	// must repeat.
	Expires   im.Micros
	Uncounted bool

	// ACLVersion, if >= 0, must be the conversation's; else *Stale. 0 is the
	// version of a conversation that does not exist yet.
	ACLVersion int64
	// TargetVersion, if > 0, must be the target row's version; else *Stale.
	TargetVersion int32
	// SlotSeq, if not nil, must be the seq of the newest entry of Key, 0 = none
	// yet; else *Stale. With it a value can be read, changed and stored.
	SlotSeq *im.Seq
	// MinGap, if > 0: the sender's last message in this conversation must be
	// at least so old; else RateLimited, with how long to wait.
	MinGap time.Duration
	// Deny are bits of the conversation (Conv.Bits) none of which may be set;
	// else PermissionDenied. Checked under the shard's lock and free of cost,
	// so that a block is exact.
	Deny uint64

	// Create makes the conversation when it does not exist; nil = NotFound
	// then. It does nothing when it exists.
	Create *Create
	// Effect says what the entry does to rows that exist.
	Effect Effect
	// Members are changes of membership, applied at this entry's seq: a join
	// reads from seq (or from 1 with FromStart), an end reads up to seq
	// itself: to_seq = seq + 1, so that the removed one is told of the
	// removal and of nothing after it. Any change raises acl_version.
	Members []MemberChange
	// Title, if not nil, becomes the conversation's. It raises acl_version.
	Title *string
	// Attrs, if not nil, become the conversation's attributes, which mean
	// nothing to the journal. At most MaxBody bytes. It raises acl_version.
	Attrs *[]byte
	// Raise raises acl_version though nothing else changed, so that decisions
	// that counted something (pins, say) are taken again.
	Raise bool
	// SetBits and ClearBits change Conv.Bits. A change raises acl_version.
	SetBits, ClearBits uint64
	// MarkRead moves the sender's read marker to this entry.
	MarkRead bool
}

// Create describes a conversation to be made with its first entry.
type Create struct {
	Kind    im.ConvKind
	Title   string
	Attrs   []byte
	Members []NewMember // read from seq 1
}

// NewMember is a first member.
type NewMember struct {
	User im.UserID
	Role im.Role
}

// Effect is what an entry does to its target.
type Effect int

// The effects.
const (
	NoEffect Effect = iota
	// ReplaceTarget stores Body as the target row's body too and raises its
	// version; when the target's version was 1, its old body becomes this
	// entry's Previous. *Stale when the target is recalled: an edit must not
	// bring a body back.
	ReplaceTarget
	// BlankTarget empties the target row, every body in its edits and
	// extensions (Body and Previous of KindEdit and KindExtension entries with
	// this target), sets Recalled on the target and raises their versions.
	BlankTarget
	// BlankKey empties the older entry of the same Key: only the newest of a
	// key is kept.
	BlankKey
	// ExpireTarget is BlankTarget that sets Expired instead of Recalled.
	ExpireTarget
	// FollowKey stores the body of the older entry of the same Key as this
	// entry's Previous: who reads one after the other sees each change whole.
	FollowKey
)

// MemberChange is a join, a role change or an end. What changes nothing (ending
// who is no member, giving a role that is held) raises nothing. Who joins has
// a read marker right before the entry: nothing earlier counts as unread.
type MemberChange struct {
	User im.UserID
	// Role after the change; RoleNone ends the membership.
	Role im.Role
	// FromStart lets a joining user read from seq 1; otherwise from this entry on.
	FromStart bool
	// Attrs, if not nil, become the member's attributes, which mean nothing to
	// the journal; of an end, those that stay. Who joins anew begins without.
	Attrs *[]byte
}

// Result of an append.
type Result struct {
	Entry im.Entry
	// Duplicate: the same key and content were stored before; Entry is that one.
	Duplicate bool
	// ACLVersion of the conversation after the append.
	ACLVersion int64
}

// Stale reports a precondition that no longer holds. Callers read again and retry.
type Stale struct{ What string }

// Error implements error.
func (s *Stale) Error() string { return "stale " + s.What }

// Marker is a read position.
type Marker struct {
	Seq im.Seq
	Ord im.Ord
	// Moved is false when the marker was there or further already.
	Moved bool
}

// Conv is a conversation's row.
type Conv struct {
	App     im.AppID
	ID      im.ConvID
	Kind    im.ConvKind
	Title   string
	Shard   int
	HeadSeq im.Seq
	HeadOrd im.Ord
	LastPos im.Pos
	// ChangedPos is raised by every Mark of any member (by the rule of
	// Member.Changed), so that a device that was away learns how far the
	// others have read without looking at every member's row.
	ChangedPos im.Pos
	ACLVersion int64
	Members    int // current ones
	Created    im.Micros
	Attrs      []byte
	// Bits are flags of whoever appends (Append.SetBits), below BitKeyed.
	Bits uint64
}

// BitKeyed in Conv.Bits tells that the conversation has had keyed entries. The
// journal sets it; bits from here on are its own.
const BitKeyed uint64 = 1 << 48

// BitThreads in Conv.Bits tells that the conversation has had messages with a
// Target: without it nobody need look for threads. The journal sets it.
const BitThreads uint64 = 1 << 49

// Member is one membership interval [From, To) of a user; the newest one of a
// (conversation, user) where a user was in several times. To = 0: still in.
type Member struct {
	User    im.UserID
	Role    im.Role
	From    im.Seq
	To      im.Seq
	ReadSeq im.Seq
	ReadOrd im.Ord
	// Changed is the shard position at or after which the row's change is
	// seen by a cursor: rows with Changed > cursor are news.
	Changed im.Pos
	Attrs   []byte
	// Sent is the time of the member's last message, 0 = none in this interval.
	Sent im.Micros
	// Joined is the seq of the entry that began the interval, which may read
	// from before it (From).
	Joined im.Seq
}

// Place is a conversation that a user is in, or was in until To.
type Place struct {
	Conv im.ConvID
	From im.Seq
	To   im.Seq
}

// Changed is a conversation of a user that lies past a cursor.
type Changed struct {
	Conv   Conv
	Member Member
}

// View reads one snapshot. Rows whose hash does not fit are an error with
// code DataLoss that names (conversation, seq) and are reported to the log.
type View interface {
	ThreadView

	// Heads returns the newest pos of each shard.
	Heads() ([]im.Pos, error)
	// Conv returns a conversation or ErrNotFound.
	Conv(app im.AppID, conv im.ConvID) (Conv, error)
	// Groups returns an app's groups by id, those after the given one, at most limit.
	Groups(app im.AppID, after im.ConvID, limit int) ([]Conv, error)
	// Entries returns up to limit entries with from <= seq <= to, ascending,
	// or the last ones of that range when newest is true (ascending too).
	Entries(app im.AppID, conv im.ConvID, from, to im.Seq, limit int, newest bool) ([]im.Entry, error)
	// Targeting returns the entries of one of the kinds whose Target lies in
	// [from, to], ascending by seq, at most limit.
	Targeting(app im.AppID, conv im.ConvID, from, to im.Seq, limit int, kinds ...im.Kind) ([]im.Entry, error)
	// ByClientID finds an entry by its idempotency key, or ErrNotFound.
	ByClientID(app im.AppID, sender im.UserID, id im.ClientID) (im.Entry, error)
	// Keyed returns the newest entry of each key that is no folded one (see
	// FoldedKey), ascending by key.
	Keyed(app im.AppID, conv im.ConvID) ([]im.Entry, error)
	// KeyedIn returns the newest entry of each key of a range, ascending by key, at most r.Limit.
	KeyedIn(app im.AppID, conv im.ConvID, r KeyRange) ([]im.Entry, error)
	// KeyedAt returns the newest entries of those of the keys that have one, ascending by key.
	KeyedAt(app im.AppID, conv im.ConvID, keys ...string) ([]im.Entry, error)
	// Since returns up to limit entries of a shard with pos > after, ascending.
	Since(shard int, after im.Pos, limit int) ([]im.Entry, error)
	// Member returns the newest interval of a user, ended ones included, or ErrNotFound.
	Member(app im.AppID, conv im.ConvID, user im.UserID) (Member, error)
	// Intervals returns every interval of a user, oldest first.
	Intervals(app im.AppID, conv im.ConvID, user im.UserID) ([]Member, error)
	// Members returns current members by user id, after the given one, at most limit.
	Members(app im.AppID, conv im.ConvID, after im.UserID, limit int) ([]Member, error)
	// MembersSince returns the newest interval of each user whose Changed lies
	// past a position, ended ones included, in no order, at most limit. So who
	// has read the members as of LastPos comes to those of now.
	MembersSince(app im.AppID, conv im.ConvID, after im.Pos, limit int) ([]Member, error)
	// Readers returns, of the limit current members that changed last (highest
	// Changed first), those who have read something.
	Readers(app im.AppID, conv im.ConvID, limit int) ([]Member, error)
	// Changes returns the user's conversations whose LastPos (while a member),
	// Conv.ChangedPos or Member.Changed lies past the cursor of their shard, newest LastPos
	// first; page by passing the last one's (LastPos, ID). since = nil: all.
	Changes(app im.AppID, user im.UserID, since []im.Pos, before *PageKey, limit int) ([]Changed, error)
	// Places returns the conversations that a user is or was in, by id, at most limit.
	Places(app im.AppID, user im.UserID, limit int) ([]Place, error)
	// Bits returns Conv.Bits of those of the conversations that are there.
	Bits(app im.AppID, convs ...im.ConvID) (map[im.ConvID]uint64, error)
	// OrdAt returns ord at a seq (0 at seq 0).
	OrdAt(app im.AppID, conv im.ConvID, seq im.Seq) (im.Ord, error)
}

// KeyRange is a part of a conversation's keyed state.
type KeyRange struct {
	// Prefix is what the keys begin with; "" = all.
	Prefix string
	// After is the last key of the page before; "" = none.
	After string
	// Since leaves out entries at or before this position.
	Since im.Pos
	Limit int
}

// upper is as large as a key gets that begins with Prefix: a key has at most
// 200 bytes, and U+10FFFF is the last character.
func (r KeyRange) upper() string { return r.Prefix + strings.Repeat("\U0010FFFF", 50) }

// PageKey continues a page of Changes.
type PageKey struct {
	LastPos im.Pos
	Conv    im.ConvID
}

// Committed is called by the journal after each commit with its entries in
// pos order, and right before the callers are answered: stored before
// announced. The slice and what it points to are handed over: nobody changes
// them again. It must not block. What is behind it is a hint: it may drop,
// repeat or reorder.
type Committed func(entries []im.Entry)
