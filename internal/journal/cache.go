package journal

import (
	"math/bits"

	"github.com/skein-im/skein/internal/im"
)

// convKey names a conversation.
type convKey struct {
	app  im.AppID
	conv im.ConvID
}

// rowKey names an entry.
type rowKey struct {
	convNo int64
	seq    im.Seq
}

// slotKey names the newest entry of a key.
type slotKey struct {
	convNo int64
	key    string
}

// idemKey is an idempotency key.
type idemKey struct {
	id     im.ClientID
	app    im.AppID
	sender im.UserID
}

// storedReq is what is known of a request that was stored before.
type storedReq struct {
	hash   int64
	convNo int64
	seq    im.Seq
}

// convState is what a writer knows of a conversation.
type convState struct {
	convKey
	no      int64
	kind    im.ConvKind
	title   string
	shard   int
	acl     int64
	changed im.Pos
	members int64 // current ones
	created im.Micros
	attrs   []byte
	bits    uint64

	headSeq  im.Seq
	headOrd  im.Ord
	headTime im.Micros
	// Bit i of countable tells whether entry headSeq-i is countable, for the
	// newest `known` entries: most read markers are set near the head, and
	// their ord follows from this without reading the entry.
	countable uint64
	known     int

	// people holds the newest interval of the users that were asked for; nil
	// = looked up and never a member.
	people map[im.UserID]*memberState

	fresh, changedRow bool // to be inserted, to be written over
}

// memberState is a user's newest interval of membership.
type memberState struct {
	user    im.UserID
	joined  im.Seq // seq of the entry that began it
	role    im.Role
	from    im.Seq
	to      im.Seq
	readSeq im.Seq
	readOrd im.Ord
	changed im.Pos
	attrs   []byte
	sent    im.Micros

	fresh      bool // to be inserted
	changedRow bool // role, to, attrs or changed are to be written
	readMoved  bool // readSeq, readOrd and sent are to be written
	wasLatest  bool // a newer interval was made: latest is to be cleared
	listed     bool // is in the plan's list already
}

// latest is the value of the column.
func (m *memberState) latest() int {
	if m.wasLatest {
		return 0
	}
	return 1
}

func (m *memberState) current() bool { return m != nil && m.to == 0 && m.role != im.RoleNone }

// pushed notes that an entry was appended.
func (c *convState) pushed(countable bool) {
	c.countable <<= 1
	if countable {
		c.countable |= 1
	}
	c.known = min(c.known+1, 64)
}

// ordAt returns ord at a seq when it can be told without reading the entry.
func (c *convState) ordAt(seq im.Seq) (im.Ord, bool) {
	back := int(min(c.headSeq-seq, 64))
	switch {
	case seq == 0:
		return 0, true
	case seq >= c.headSeq:
		return c.headOrd, true
	case back > c.known || back == 64:
		return 0, false
	}
	return c.headOrd - im.Ord(bits.OnesCount64(c.countable&(1<<back-1))), true
}

// cache holds what a shard's writer knows. It is exact while the shard's row
// has the head and the commits that the writer saw last: every commit of
// whatever node raises commits, and is checked against both when it begins.
//
// It is two generations of maps: what is asked for moves to the young one;
// when that is full it becomes the old one, and what was in the old one and
// not asked for is forgotten.
type cache struct {
	head    im.Pos
	commits int64
	valid   bool  // head and commits are known
	epoch   int64 // of the server that they were read from (db.DB.Epoch)
	limit   int
	young   map[convKey]*convState
	old     map[convKey]*convState
}

func newCache(limit int) *cache {
	return &cache{limit: limit, young: make(map[convKey]*convState)}
}

func (c *cache) get(k convKey) *convState {
	s := c.young[k]
	if s == nil {
		if s = c.old[k]; s != nil {
			c.put(s)
		}
	}
	return s
}

func (c *cache) put(s *convState) {
	if len(c.young) >= c.limit {
		c.old, c.young = c.young, make(map[convKey]*convState, c.limit)
	}
	c.young[s.convKey] = s
}

// reset forgets everything: another node has committed, or a commit failed and
// what was planned for it must not be believed.
func (c *cache) reset() {
	epoch := c.epoch
	*c = *newCache(c.limit)
	c.epoch = epoch
}

// at drops a cache that was filled from another server: a standby that was
// promoted without the newest commits can come to the same head and the same
// number of commits again, with other entries.
func (c *cache) at(epoch int64) {
	if c.epoch != epoch {
		c.epoch = epoch
		c.reset()
	}
}

// saw takes the shard's row over; a cache that was built on another is dropped.
func (c *cache) saw(head im.Pos, commits int64) {
	if !c.valid || c.head != head || c.commits != commits {
		c.reset()
	}
	c.head, c.commits, c.valid = head, commits, true
}
