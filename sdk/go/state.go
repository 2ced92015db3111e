package skein

import (
	"maps"
	"slices"
	"strings"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Bounds of what a conversation keeps in memory beside its messages.
const (
	maxHeld    = 1000   // positions that came too early
	maxMods    = 1000   // modifications of messages that are not current here
	maxMarkers = 200    // others' read markers
	maxOutbox  = 10_000 // items of the outbox, all conversations together
)

// point is a position with the count of messages up to it.
type point struct{ seq, ord uint64 }

// state is all that a client knows (docs/sdk-spec.md §2.1). It is changed by
// reduce alone and owned by the client's one goroutine.
type state struct {
	user        string
	incarnation string
	cursor      []byte
	convs       map[string]*conv
	outbox      []*item
	nextOrder   int64           // of the newest outbox item
	holes       map[string]bool // conversations that miss something
	// now is the server's time in microseconds, as far as it is known.
	now       func() int64
	acked     int  // outbox items in state Sent, whose entries are held back
	resetting bool // a sync that began with reset has more pages to come
}

// conv is a conversation as this device knows it.
type conv struct {
	id          string
	kind        skeinv1.ConversationKind
	title       string
	members     uint32
	created     int64
	meta        uint64
	changed     uint64 // newest change of the attributes that was applied; not persisted
	role        skeinv1.Role
	from, to    uint64
	settings    *skeinv1.GroupSettings // of a group; nil = not known
	attrs       *skeinv1.MemberAttrs   // the user's in a group
	lastOwn     int64                  // time of the user's newest message that was seen
	head        point
	live, floor uint64
	ranges      spans
	read        point
	readUnsent  uint64
	markers     map[string]point
	stored      uint64 // a device of the peer has it up to here, as was told; not persisted
	activity    int64
	keyed       map[string]*keyedValue
	incarnation string

	// msgs are the messages in memory: all of them in the vectors, in a
	// client those that the store was asked for.
	msgs map[uint64]*msg
	held map[uint64]early
	mods []*skeinv1.Entry // ascending by seq
}

// msg is an entry that is shown, with what later entries made of it.
type msg struct {
	entry     *skeinv1.Entry // body, version and recalled are the newest known
	reactions []*skeinv1.ReactionSummary
	beside           // what else later entries made of it
	folded    uint32 // edits and recalls counted
	asOf      uint64 // modifications up to here are in it
}

// keyedValue is the newest value of a key.
type keyedValue struct {
	seq  uint64
	body *skeinv1.Body
}

// early is a position that came before its predecessors: an entry, or the
// withheld range that begins there.
type early struct {
	entry    *skeinv1.Entry
	withheld *skeinv1.Withheld
}

// opKind is what an outbox item does.
type opKind int

const (
	opSend opKind = iota
	opEdit
	opRecall
	opReact
)

// item is something the user did that the server has not confirmed.
type item struct {
	id         string // UUID text of the client id
	conv       string
	op         opKind
	body       *skeinv1.Body
	emoji      string
	remove     bool
	key        string
	toDevices  []string
	opts       sendOptions
	handshake  bool
	targetID   string // the message an op is about: its id,
	targetSeq  uint64 // and where it is, once that is known
	time       int64  // local clock, microseconds
	state      MessageState
	err        *Error
	seq, ord   uint64 // of the ack, while its entry is held back
	ackTime    int64
	order      int64 // ascending in the outbox
	attempts   int
	firstTryMS int64 // server time of the first attempt, 0 = never
	// files are those that the message brings, nil = none. Until they are there
	// the outbox has the item not.
	files *transfer
}

// sendOptions is how a message is sent, beside what it says.
type sendOptions struct {
	ToUsers   []string `json:",omitempty"`
	Silent    bool     `json:",omitempty"`
	Priority  int32    `json:",omitempty"` // of the wire
	TTLS      uint32   `json:",omitempty"` // seconds
	BurnS     uint32   `json:",omitempty"` // seconds
	ThreadSeq uint64   `json:",omitempty"`
}

func newState(user string) *state {
	return &state{user: user, convs: map[string]*conv{}, holes: map[string]bool{}, now: func() int64 { return 0 }}
}

// kindOf tells a conversation's kind by the first character of its id.
func kindOf(id string) skeinv1.ConversationKind {
	switch {
	case strings.HasPrefix(id, "@"):
		return skeinv1.ConversationKind_CONVERSATION_KIND_DIRECT
	case strings.HasPrefix(id, "~"):
		return skeinv1.ConversationKind_CONVERSATION_KIND_SELF
	}
	return skeinv1.ConversationKind_CONVERSATION_KIND_GROUP
}

func newConv(id, incarnation string) *conv {
	return &conv{
		id: id, kind: kindOf(id), from: 1, incarnation: incarnation,
		markers: map[string]point{}, keyed: map[string]*keyedValue{},
		msgs: map[uint64]*msg{}, held: map[uint64]early{},
	}
}

// unread is the number of messages after the own read marker.
func (c *conv) unread() uint64 {
	if c.head.ord < c.read.ord {
		return 0
	}
	return c.head.ord - c.read.ord
}

// hole returns the positions that are missing between what was applied and
// what is known to exist.
func (c *conv) hole() (span, bool) {
	end := c.head.seq
	if len(c.held) > 0 {
		end = slices.Min(slices.Collect(maps.Keys(c.held))) - 1
	}
	return span{c.live + 1, end}, c.live+1 <= end
}

// seqs returns the positions of the messages in memory, ascending.
func (c *conv) seqs() []uint64 {
	return slices.Sorted(maps.Keys(c.msgs))
}

// itemByID finds an outbox item.
func (s *state) itemByID(id string) (int, *item) {
	for i, it := range s.outbox {
		if it.id == id {
			return i, it
		}
	}
	return -1, nil
}

// noteHole keeps holes up to date for one conversation.
func (s *state) noteHole(id string) {
	c := s.convs[id]
	if c == nil {
		delete(s.holes, id)
		return
	}
	if _, ok := c.hole(); ok {
		s.holes[id] = true
	} else {
		delete(s.holes, id)
	}
}
