package bus

import "github.com/skein-im/skein/internal/im"

// Signal is a small message that may be lost. The set is closed: a bus has to
// be able to carry each of them to another node, so a new one is added here.
// Signals are values; nobody changes one after it was sent.
type Signal interface {
	// Address says whom the signal is for. A bus between nodes may use it to
	// spare nodes where nobody is; it never has to.
	Address() Address
	// Topic is the one topic that the signal belongs to.
	Topic() Topics
}

// Address is for whom a signal is: with Conv set the members of that
// conversation that are online, else with User set that user's devices, else
// every node.
type Address struct {
	App  im.AppID
	Conv im.ConvID
	User im.UserID
}

// Typing says that a user is writing in a conversation, or stopped.
type Typing struct {
	App     im.AppID
	Conv    im.ConvID
	User    im.UserID
	Device  im.DeviceID // the one being typed on; it need not be told
	Stopped bool
}

// Command says something to the members of a conversation who are online, or
// to some of them. It has no meaning here, and is stored nowhere.
type Command struct {
	App    im.AppID
	Conv   im.ConvID
	User   im.UserID   // who says it
	Device im.DeviceID // on which it is said; it need not be told
	// ACLVersion is that of the member list which it was decided on; a node
	// with an older one reads it first. -1 = the id alone says who is in.
	ACLVersion int64
	Type       string
	Data       []byte      // read only
	To         []im.UserID // read only; empty = every member
}

// RoomTold is what a node says to the others of a livestream that is watched
// there: how many watch, and what was said since the last time. Most of it may
// be lost without harm: it is said again, or was never promised.
type RoomTold struct {
	App  im.AppID
	Conv im.ConvID
	Boot Boot
	// ACLVersion is that of the room on which what was said was decided; a node
	// with an older one looks first who may watch.
	ACLVersion int64
	Viewers    int64 // sessions at that node now
	Joined     int64 // since the last time
	// Said is what was said, each a rank as one byte and a frame; read only.
	Said [][]byte
}

// ReadMoved says that a user's read marker moved forward to Seq.
type ReadMoved struct {
	App    im.AppID
	Conv   im.ConvID
	User   im.UserID
	Device im.DeviceID // the one that moved it; it has its answer already
	Seq    im.Seq
	Ord    im.Ord
	Own    bool // it is told to User's own devices alone
}

// Delivered says that a device of User has stored a direct conversation up to
// Seq. It is addressed to the other of the two.
type Delivered struct {
	App  im.AppID
	Conv im.ConvID
	User im.UserID
	Seq  im.Seq
}

// MemberChanged says that a user's membership of a conversation began, ended
// or changed its role. It is addressed to that user: the other members have
// the entry.
type MemberChanged struct {
	App  im.AppID
	Conv im.ConvID
	User im.UserID
}

// ConvChanged says that the row of a conversation changed (title, members,
// ACL version), addressed to its members: whatever a node keeps of it is
// older than ACLVersion.
type ConvChanged struct {
	App        im.AppID
	Conv       im.ConvID
	ACLVersion int64
}

// FenceRaised says that the fence log has grown to Pos: every node reads it
// now rather than when its lease ends.
type FenceRaised struct{ Pos int64 }

// FenceApplied says that a node delivers and accepts nothing any more that
// the fence log forbids up to Pos. The call that raised the fence waits for it.
type FenceApplied struct {
	Node string
	Pos  int64
}

// Session is one device of a user at a node.
type Session struct {
	App    im.AppID
	User   im.UserID
	Device im.DeviceID
}

// Boot names one run of a node: a restarted node is another boot, so that
// what is told of the old run cannot be taken for the new one.
type Boot struct {
	Node string
	// Started is when this run began; of two boots of a node the later counts.
	Started im.Micros
}

// DeviceMoved says that a device came to a node or went away.
type DeviceMoved struct {
	Session
	Boot Boot
	// Version counts the node's own moves: 1, 2, 3 …
	Version uint64
	Online  bool
	At      im.Micros // by the node's clock
}

// Buckets is in how many parts a node's roster is compared and repaired.
const Buckets = 256

// NodeAlive renews a node's lease and lets the others compare what they
// believe of it.
type NodeAlive struct {
	Boot    Boot
	Version uint64
	// Sums holds, for each bucket, the XOR of the hashes of its sessions. Nil
	// when the node goes away: all its sessions end. Read only.
	Sums *[Buckets]uint64
}

// RosterWanted asks a node to tell the sessions of some buckets again.
type RosterWanted struct {
	Boot    Boot     // whose
	Buckets []uint16 // read only
}

// Roster is a whole bucket of a node's sessions as of a version.
type Roster struct {
	Boot     Boot
	Version  uint64
	Bucket   uint16
	Sessions []Session // read only
}

// SightChanged says that what others see of a user's presence may be another
// thing now: their privacy, their status, or a block. With Other set only the
// two are concerned.
type SightChanged struct {
	App   im.AppID
	User  im.UserID
	Other im.UserID
}

// Address implements Signal: every node.
func (SightChanged) Address() Address { return Address{} }

// Topic implements Signal.
func (SightChanged) Topic() Topics { return Presence }

// Address implements Signal: the conversation's members.
func (s Typing) Address() Address { return Address{App: s.App, Conv: s.Conv} }

// Topic implements Signal.
func (Typing) Topic() Topics { return Activity }

// Address implements Signal: the conversation's members.
func (s Command) Address() Address { return Address{App: s.App, Conv: s.Conv} }

// Topic implements Signal.
func (Command) Topic() Topics { return Activity }

// Address implements Signal: every node.
func (RoomTold) Address() Address { return Address{} }

// Topic implements Signal.
func (RoomTold) Topic() Topics { return Livestreams }

// Address implements Signal: the conversation's members.
func (s ReadMoved) Address() Address { return Address{App: s.App, Conv: s.Conv} }

// Topic implements Signal.
func (ReadMoved) Topic() Topics { return Activity }

// Address implements Signal: the other user of the conversation.
func (s Delivered) Address() Address { return Address{App: s.App, User: s.Conv.Peer(s.User)} }

// Topic implements Signal.
func (Delivered) Topic() Topics { return Activity }

// Address implements Signal: the user whose membership it is.
func (s MemberChanged) Address() Address { return Address{App: s.App, User: s.User} }

// Topic implements Signal.
func (MemberChanged) Topic() Topics { return Changes }

// Address implements Signal: the conversation's members.
func (s ConvChanged) Address() Address { return Address{App: s.App, Conv: s.Conv} }

// Topic implements Signal.
func (ConvChanged) Topic() Topics { return Changes }

// Address implements Signal: every node.
func (FenceRaised) Address() Address { return Address{} }

// Topic implements Signal.
func (FenceRaised) Topic() Topics { return Fences }

// Address implements Signal: every node.
func (FenceApplied) Address() Address { return Address{} }

// Topic implements Signal.
func (FenceApplied) Topic() Topics { return Fences }

// Address implements Signal: every node.
func (DeviceMoved) Address() Address { return Address{} }

// Topic implements Signal.
func (DeviceMoved) Topic() Topics { return Presence }

// Address implements Signal: every node.
func (NodeAlive) Address() Address { return Address{} }

// Topic implements Signal.
func (NodeAlive) Topic() Topics { return Presence }

// Address implements Signal: every node.
func (RosterWanted) Address() Address { return Address{} }

// Topic implements Signal.
func (RosterWanted) Topic() Topics { return Presence }

// Address implements Signal: every node.
func (Roster) Address() Address { return Address{} }

// Topic implements Signal.
func (Roster) Topic() Topics { return Presence }
