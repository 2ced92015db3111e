package skein

import (
	"encoding/hex"
	"slices"
	"time"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// MessageState is how far a message of the user's own is.
type MessageState string

// The states of a message. Everything that came from the server is Sent.
const (
	Sending MessageState = "sending" // in the outbox; will be sent until it is answered
	Sent    MessageState = "sent"    // in the log
	Failed  MessageState = "failed"  // refused for good; the user may retry or discard it
)

// MessageKind says which fields of a Message mean something.
type MessageKind string

// The kinds of messages. Unreadable is a body in a scheme or of a kind that
// this SDK does not know, or one that is gone.
const (
	KindText         MessageKind = "text"
	KindCustom       MessageKind = "custom"
	KindMembers      MessageKind = "members"
	KindConversation MessageKind = "conversation"
	KindLocation     MessageKind = "location"
	KindContactCard  MessageKind = "contactCard"
	KindSticker      MessageKind = "sticker"
	KindAttachments  MessageKind = "attachments"
	KindNotice       MessageKind = "notice"
	KindMerged       MessageKind = "merged"
	KindPoll         MessageKind = "poll"
	KindTopic        MessageKind = "topic"
	KindPin          MessageKind = "pin"
	KindUnreadable   MessageKind = "unreadable"
)

// Message is a message as it is at one moment: a value, never changed. A
// later state comes with OnMessageUpdated.
type Message struct {
	// ID is the sender's id of it, a UUID: the same in every state and on
	// every device.
	ID           string
	Conversation string // id
	// Seq is its position, 0 until it was acknowledged. Ord counts messages.
	Seq, Ord uint64
	Sender   string
	// Time is the server's, or this device's while it is not acknowledged.
	Time time.Time
	Kind MessageKind

	Text    string   // KindText; of KindAttachments the caption
	Format  Format   // of Text
	Custom  *Custom  // KindCustom
	Members *Members // KindMembers
	Title   string   // KindConversation: the title
	// GroupChange is what else changed, of KindMembers and KindConversation.
	GroupChange *GroupChange

	Location    *Location    // KindLocation
	ContactCard *ContactCard // KindContactCard
	Sticker     *Sticker     // KindSticker
	Attachments []Attachment // KindAttachments
	Notice      *Notice      // KindNotice
	Merged      *Merged      // KindMerged
	Poll        *Poll        // KindPoll
	Topic       *Topic       // KindTopic
	Pin         *Pin         // KindPin: a message was pinned, or its pin taken down
	// Imported is when a message that came from another system was first sent
	// there; zero for all others. Time is when it was imported.
	Imported time.Time
	// Forwarded tells whose message this was first, nil when it was not forwarded.
	Forwarded *Forwarded

	ReplyTo  uint64   // seq of the message that this one answers, 0 = none
	Mentions []string // user ids
	// MentionRoles, MentionAll and MentionHere call a group's roles, everybody,
	// and everybody who is online; MentionsMe tells whether that is the reader.
	MentionRoles []string
	MentionAll   bool
	MentionHere  bool
	Opaque       []byte // KindUnreadable: the bytes of another scheme
	// ToDevices are the devices that this message is for; empty: all.
	ToDevices []string
	// ToUsers are the members whom it is for, beside the sender; empty: all.
	ToUsers []string
	// Silent: nobody is to be disturbed by it.
	Silent   bool
	Priority Priority

	State    MessageState
	Err      *Error // Failed: why
	Edited   bool
	Recalled bool // the body is gone for everybody
	// Expired: its time was up, and the body is gone for everybody.
	Expired bool
	// Expires is when the body goes; zero = never.
	Expires time.Time
	// BurnAfter is how long after its reader has read it the body goes; 0 = it stays.
	BurnAfter time.Duration
	// Pending is true while an own edit, recall or reaction that is shown
	// here has not been acknowledged.
	Pending   bool
	Reactions []Reaction
	// Thread is the seq of the root of the thread that this message is a reply
	// in; 0 = none. Messages and History leave replies out.
	Thread uint64
	// Replies is the thread below this message, nil when it has none.
	Replies *Replies
	// Extensions are the values that are attached to the message.
	Extensions map[string][]byte
}

// Custom is a message of the app's own kind.
type Custom struct {
	// Type is the app's name for it: 1 to 64 of a-z A-Z 0-9 . _ -
	Type string
	// Data is the app's, usually JSON; at most 16 KiB.
	Data []byte
	// Summary is a line for those who do not know the type; at most 256 bytes.
	Summary string
}

// Members is a change of who is in a conversation.
type Members struct {
	Added, Removed, Left []string
	RoleChanged          []string
	Role                 Role // of those in Added or RoleChanged
}

// Reaction is one emoji on one message.
type Reaction struct {
	Emoji string
	Count int
	// Users are the first 100 of them.
	Users []string
	Mine  bool
}

// viewMessage shows an entry with the outbox's operations on top of it.
func (s *state) viewMessage(c *conv, m *msg) Message {
	e := m.entry
	v := Message{
		ID: idText(e.GetClientId()), Conversation: c.id, Seq: e.GetSeq(), Ord: e.GetOrd(), Sender: e.GetSender(),
		Time: time.UnixMicro(e.GetTimeUs()).UTC(), State: Sent, Recalled: e.GetRecalled(),
		Edited: e.GetVersion() > 1 && !e.GetRecalled() && !e.GetExpired(), ToDevices: slices.Clone(e.GetToDevices()),
		ToUsers: slices.Clone(e.GetToUsers()), Silent: e.GetSilent(), Priority: priorityOf(e.GetPriority()),
	}
	if e.GetKind() == skeinv1.EntryKind_ENTRY_KIND_MESSAGE {
		v.Thread = e.GetTargetSeq()
	}
	body, reactions := e.GetBody(), m.reactions
	for _, op := range s.outbox {
		if op.op != opSend && op.state != Failed && op.conv == c.id && op.targetSeq == v.Seq {
			body, reactions = v.overlay(op, body, reactions, s.user)
		}
	}
	v.ends(e.GetExpiresUs(), e.GetBurnAfterS())
	if v.Expired = e.GetExpired() || v.over(s.now()); v.Expired {
		body = nil
	}
	v.setBody(body)
	for _, r := range reactions {
		v.Reactions = append(v.Reactions, Reaction{Emoji: r.GetEmoji(), Count: int(r.GetCount()), Users: slices.Clone(r.GetUsers()), Mine: r.GetMine()})
	}
	v.setBeside(s, c, &m.beside)
	return v
}

// viewItem shows an outbox item: the local echo.
func (s *state) viewItem(it *item) Message {
	v := Message{
		ID: it.id, Conversation: it.conv, Seq: it.seq, Ord: it.ord, Sender: s.user, Time: time.UnixMicro(it.time).UTC(),
		State: it.state, Err: it.err, ToDevices: slices.Clone(it.toDevices),
		ToUsers: slices.Clone(it.opts.ToUsers), Silent: it.opts.Silent, Priority: priorityOf(skeinv1.Priority(it.opts.Priority)),
		Thread: it.opts.ThreadSeq,
	}
	if it.ackTime != 0 {
		v.Time = time.UnixMicro(it.ackTime).UTC()
	}
	if it.ackTime != 0 && it.opts.TTLS > 0 {
		v.ends(it.ackTime+int64(it.opts.TTLS)*1_000_000, it.opts.BurnS)
	} else {
		v.ends(0, it.opts.BurnS)
	}
	body := it.body
	var reactions []*skeinv1.ReactionSummary
	for _, op := range s.outbox {
		if op.op != opSend && op.state != Failed && op.conv == it.conv && op.targetID == it.id {
			body, reactions = v.overlay(op, body, reactions, s.user)
		}
	}
	v.setBody(body)
	for _, r := range reactions {
		v.Reactions = append(v.Reactions, Reaction{Emoji: r.GetEmoji(), Count: int(r.GetCount()), Users: r.GetUsers(), Mine: r.GetMine()})
	}
	return v
}

// overlay shows what an operation will do before the server has confirmed it.
func (v *Message) overlay(op *item, body *skeinv1.Body, reactions []*skeinv1.ReactionSummary, user string) (*skeinv1.Body, []*skeinv1.ReactionSummary) {
	v.Pending = true
	switch op.op {
	case opEdit:
		if !v.Recalled {
			body, v.Edited = op.body, true
		}
	case opRecall:
		body, v.Recalled, v.Edited = nil, true, false
	case opReact:
		reactions, _ = react(reactions, &skeinv1.Reaction{Emoji: op.emoji, Removed: op.remove}, user, true)
	}
	return body, reactions
}

func (v *Message) setBody(b *skeinv1.Body) {
	v.Opaque = b.GetOpaque()
	v.setContent(b.GetContent())
}

func (v *Message) setContent(c *skeinv1.Content) {
	v.Kind = KindUnreadable
	v.ReplyTo, v.Mentions, v.Format = c.GetReplyToSeq(), slices.Clone(c.GetMentions()), formatOf(c.GetFormat())
	v.MentionRoles, v.MentionAll, v.MentionHere = slices.Clone(c.GetMentionRoles()), c.GetMentionAll(), c.GetMentionHere()
	if f := c.GetForwarded(); f != nil {
		v.Forwarded = &Forwarded{Sender: f.GetSender(), Time: time.UnixMicro(f.GetTimeUs()).UTC()}
	}
	if at := c.GetImportedUs(); at != 0 {
		v.Imported = time.UnixMicro(at).UTC()
	}
	v.GroupChange = groupChangeOf(c.GetGroupChange())
	switch k := c.GetKind().(type) {
	case *skeinv1.Content_Text:
		v.Kind, v.Text = KindText, k.Text.GetText()
	case *skeinv1.Content_Custom:
		v.Kind = KindCustom
		v.Custom = &Custom{Type: k.Custom.GetType(), Data: k.Custom.GetData(), Summary: k.Custom.GetSummary()}
	case *skeinv1.Content_Members:
		m := k.Members
		v.Kind = KindMembers
		v.Members = &Members{Added: m.GetAdded(), Removed: m.GetRemoved(), Left: m.GetLeft(), RoleChanged: m.GetRoleChanged(), Role: roleOf(m.GetRole())}
	case *skeinv1.Content_Conversation:
		v.Kind, v.Title = KindConversation, k.Conversation.GetTitle()
	default:
		v.setKind(c)
	}
}

// Outgoing is what Send sends: a text, a custom message, one of the other
// kinds, or opaque bytes. Attachments and Files may have a Text with them.
type Outgoing struct {
	// Text is 1 to 16,384 bytes of UTF-8.
	Text   string
	Format Format // of Text
	Custom *Custom

	Location    *Location
	ContactCard *ContactCard
	Sticker     *Sticker
	// Attachments are at most 20.
	Attachments []Attachment
	// Files are at most 20 that are uploaded first: Send and Enqueue alone.
	// OnProgress, if it is not nil, is told how far they are, like a handler; the
	// last time when the message is sent, or has failed.
	Files      []Upload
	OnProgress func(Transfer)
	// Opaque is at most 32 KiB that the server and its followers do not read.
	// With MLS they are a message of RFC 9420, else of the app's own making.
	Opaque []byte
	MLS    bool

	// Poll is a question; see NewPoll.
	Poll *Poll

	// Thread is the seq of the message below which it hangs; 0 = none.
	Thread uint64
	// ReplyTo is the seq of the message that this one answers.
	ReplyTo uint64
	// Mentions are user ids, at most 100.
	Mentions []string
	// MentionRoles are "owner", "admin" or ids of the group's own roles, at most
	// 10; with MentionAll and MentionHere they are for groups, and in groups of
	// more than 100 members for those who have the grant: PermissionDenied.
	MentionRoles []string
	MentionAll   bool
	MentionHere  bool
	// ToUsers limits who may read it to these members and the sender; at most
	// 100. An answer to such a message goes to its readers alone.
	ToUsers []string
	// Silent disturbs nobody: no sound, no push.
	Silent   bool
	Priority Priority
	// TTL is how long it stays, in whole seconds from 1 second to 1 year; then
	// its body is gone for everybody. 0 = for ever.
	TTL time.Duration
	// BurnAfter is how long it stays after the other one has read it, in whole
	// seconds from 1 second to 7 days; direct conversations only. 0 = for ever.
	BurnAfter time.Duration
	// ToDevices limits who may read it to these devices of members; at most 100.
	ToDevices []string
	// Handshake keeps it until every member device has passed it.
	Handshake bool
	// Key makes it the newest value of a key, in the self conversation only;
	// at most 200 bytes. Of values that follow fast only the newest is sent,
	// at most one a second.
	Key string
}

// body checks what a server would refuse anyway and builds the wire's body.
func (o Outgoing) body() (*skeinv1.Body, error) { return o.bodyWith(false) }

// bodyWith builds it; files tells whether whoever asks uploads Files.
func (o Outgoing) bodyWith(files bool) (*skeinv1.Body, error) {
	switch {
	case len(o.Files) > 0 && !files:
		return nil, &Error{Code: InvalidArgument, Message: "Files go with Send and Enqueue alone", Hint: "Client.Upload makes Attachments of them"}
	case o.kinds() != 1:
		return nil, errorf(InvalidArgument, nil, "a message has exactly one content: Text, Custom, Opaque or one of the other kinds")
	case len(o.Text) > 16384:
		return nil, errorf(TooLarge, nil, "Text has %d bytes, at most 16384 are allowed", len(o.Text))
	case len(o.Opaque) > 32768:
		return nil, errorf(TooLarge, nil, "Opaque has %d bytes, at most 32768 are allowed", len(o.Opaque))
	case o.Custom != nil && len(o.Custom.Data) > 16384:
		return nil, errorf(TooLarge, nil, "Custom.Data has %d bytes, at most 16384 are allowed", len(o.Custom.Data))
	}
	if len(o.Opaque) > 0 {
		scheme := skeinv1.BodyScheme_BODY_SCHEME_OPAQUE
		if o.MLS {
			scheme = skeinv1.BodyScheme_BODY_SCHEME_MLS
		}
		return &skeinv1.Body{Scheme: scheme, Opaque: slices.Clone(o.Opaque)}, nil
	}
	c := &skeinv1.Content{ReplyToSeq: o.ReplyTo, Mentions: slices.Clone(o.Mentions),
		MentionRoles: slices.Clone(o.MentionRoles), MentionAll: o.MentionAll, MentionHere: o.MentionHere}
	if err := o.fill(c); err != nil {
		return nil, err
	}
	return &skeinv1.Body{Scheme: skeinv1.BodyScheme_BODY_SCHEME_CONTENT, Content: c}, nil
}

// idText returns a client id's usual 8-4-4-4-12 form, or "" when it is none.
func idText(b []byte) string {
	if len(b) != 16 {
		return ""
	}
	var s [36]byte
	hex.Encode(s[0:8], b[0:4])
	hex.Encode(s[9:13], b[4:6])
	hex.Encode(s[14:18], b[6:8])
	hex.Encode(s[19:23], b[8:10])
	hex.Encode(s[24:36], b[10:16])
	s[8], s[13], s[18], s[23] = '-', '-', '-', '-'
	return string(s[:])
}

// idBytes is the inverse of idText; nil when the text is no id.
func idBytes(s string) []byte {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return nil
	}
	b, err := hex.DecodeString(s[0:8] + s[9:13] + s[14:18] + s[19:23] + s[24:36])
	if err != nil {
		return nil
	}
	return b
}
