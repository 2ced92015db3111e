package relay

import (
	"encoding/binary"
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/im"
)

// A signal is a message with one field that says which it is; that field is a
// message of the fields below. A node that does not know the type passes over it.
const (
	signalTyping        = 1
	signalReadMoved     = 2
	signalMemberChanged = 3
	signalConvChanged   = 4
	signalFenceRaised   = 5
	signalFenceApplied  = 6
	signalDeviceMoved   = 7
	signalNodeAlive     = 8
	signalRosterWanted  = 9
	signalRoster        = 10
	signalCommand       = 11
	signalSightChanged  = 20
	signalRoomTold      = 12
	signalDelivered     = 13
)

// The fields of signals. They share their numbers, so that one function
// reads them all.
const (
	partApp     = 1
	partConv    = 2
	partUser    = 3
	partDevice  = 4
	partFlag    = 5 // Stopped, Online, Own
	partSeq     = 6
	partOrd     = 7
	partVersion = 8 // ACLVersion, of a roster
	partPos     = 9
	partNode    = 10
	partStarted = 11
	partAt      = 12
	partSums    = 13 // Buckets times 8 bytes, little endian
	partBuckets = 14 // packed
	partBucket  = 15
	partSession = 16 // repeated: app, user, device
	partType    = 17 // of a command
	partData    = 18
	partTo      = 19 // repeated: a user
	partViewers = 20
	partJoined  = 21
	partLine    = 22 // repeated: a rank and a frame
)

// appendSignal encodes a signal without a tag; nothing for a type that it does
// not know, which a test rules out.
func appendSignal(b []byte, s bus.Signal) []byte {
	var p [256]byte
	part, which := p[:0], protowire.Number(0)
	switch s := s.(type) {
	case bus.Typing:
		which = signalTyping
		part = appendConv(part, s.App, s.Conv)
		part = appendText(part, partUser, string(s.User))
		part = appendText(part, partDevice, string(s.Device))
		part = appendBool(part, partFlag, s.Stopped)
	case bus.ReadMoved:
		which = signalReadMoved
		part = appendConv(part, s.App, s.Conv)
		part = appendText(part, partUser, string(s.User))
		part = appendText(part, partDevice, string(s.Device))
		part = appendUint(part, partSeq, uint64(s.Seq))
		part = appendUint(part, partOrd, uint64(s.Ord))
		part = appendBool(part, partFlag, s.Own)
	case bus.Delivered:
		which = signalDelivered
		part = appendConv(part, s.App, s.Conv)
		part = appendText(part, partUser, string(s.User))
		part = appendUint(part, partSeq, uint64(s.Seq))
	case bus.Command:
		which = signalCommand
		part = appendConv(part, s.App, s.Conv)
		part = appendText(part, partUser, string(s.User))
		part = appendText(part, partDevice, string(s.Device))
		part = appendUint(part, partVersion, uint64(s.ACLVersion+1))
		part = appendText(part, partType, s.Type)
		part = appendBytes(part, partData, s.Data)
		for _, u := range s.To {
			part = appendText(part, partTo, string(u))
		}
	case bus.RoomTold:
		which = signalRoomTold
		part = appendConv(part, s.App, s.Conv)
		part = appendBoot(part, s.Boot)
		part = appendUint(part, partVersion, uint64(s.ACLVersion))
		part = appendUint(part, partViewers, uint64(s.Viewers))
		part = appendUint(part, partJoined, uint64(s.Joined))
		for _, l := range s.Said {
			part = appendBytes(part, partLine, l)
		}
	case bus.MemberChanged:
		which = signalMemberChanged
		part = appendConv(part, s.App, s.Conv)
		part = appendText(part, partUser, string(s.User))
	case bus.ConvChanged:
		which = signalConvChanged
		part = appendConv(part, s.App, s.Conv)
		part = appendUint(part, partVersion, uint64(s.ACLVersion))
	case bus.SightChanged:
		which = signalSightChanged
		part = appendText(part, partApp, string(s.App))
		part = appendText(part, partUser, string(s.User))
		part = appendText(part, partTo, string(s.Other))
	case bus.FenceRaised:
		which = signalFenceRaised
		part = appendUint(part, partPos, uint64(s.Pos))
	case bus.FenceApplied:
		which = signalFenceApplied
		part = appendText(part, partNode, s.Node)
		part = appendUint(part, partPos, uint64(s.Pos))
	case bus.DeviceMoved:
		which = signalDeviceMoved
		part = appendSession(part, s.Session)
		part = appendBoot(part, s.Boot)
		part = appendUint(part, partVersion, s.Version)
		part = appendBool(part, partFlag, s.Online)
		part = appendUint(part, partAt, uint64(s.At))
	case bus.NodeAlive:
		which = signalNodeAlive
		part = appendBoot(part, s.Boot)
		part = appendUint(part, partVersion, s.Version)
		part = appendSums(part, s.Sums)
	case bus.RosterWanted:
		which = signalRosterWanted
		part = appendBoot(part, s.Boot)
		part = appendBuckets(part, s.Buckets)
	case bus.Roster:
		which = signalRoster
		part = appendBoot(part, s.Boot)
		part = appendUint(part, partVersion, s.Version)
		part = appendUint(part, partBucket, uint64(s.Bucket))
		for _, session := range s.Sessions {
			part = appendBytes(part, partSession, appendSession(nil, session))
		}
	}
	return protowire.AppendBytes(protowire.AppendTag(b, which, protowire.BytesType), part)
}

func appendConv(b []byte, app im.AppID, conv im.ConvID) []byte {
	return appendText(appendText(b, partApp, string(app)), partConv, string(conv))
}

func appendSession(b []byte, s bus.Session) []byte {
	b = appendText(b, partApp, string(s.App))
	b = appendText(b, partUser, string(s.User))
	return appendText(b, partDevice, string(s.Device))
}

func appendBoot(b []byte, boot bus.Boot) []byte {
	return appendUint(appendText(b, partNode, boot.Node), partStarted, uint64(boot.Started))
}

func appendSums(b []byte, sums *[bus.Buckets]uint64) []byte {
	if sums == nil {
		return b
	}
	b = protowire.AppendTag(b, partSums, protowire.BytesType)
	b = protowire.AppendVarint(b, 8*bus.Buckets)
	for _, s := range sums {
		b = binary.LittleEndian.AppendUint64(b, s)
	}
	return b
}

func appendBuckets(b []byte, buckets []uint16) []byte {
	if len(buckets) == 0 {
		return b
	}
	packed := make([]byte, 0, 2*len(buckets))
	for _, n := range buckets {
		packed = protowire.AppendVarint(packed, uint64(n))
	}
	return appendBytes(b, partBuckets, packed)
}

// parts is whatever a signal can hold.
type parts struct {
	bus.Session
	boot     bus.Boot
	conv     im.ConvID
	flag     bool
	seq      im.Seq
	ord      im.Ord
	version  uint64
	pos      int64
	at       im.Micros
	sums     *[bus.Buckets]uint64
	buckets  []uint16
	bucket   uint16
	sessions []bus.Session
	kind     string
	data     []byte
	to       []im.UserID
	viewers  int64
	joined   int64
	lines    [][]byte
}

// decodeSignal returns nil for a type that this version does not know.
func decodeSignal(b []byte) (bus.Signal, error) {
	r := reader{rest: b}
	if !r.next() || r.kind != protowire.BytesType {
		return nil, errEnvelope
	}
	p, ok := decodeParts(r.bytes)
	if !ok {
		return nil, errEnvelope
	}
	switch r.field {
	case signalTyping:
		return bus.Typing{App: p.App, Conv: p.conv, User: p.User, Device: p.Device, Stopped: p.flag}, nil
	case signalReadMoved:
		return bus.ReadMoved{App: p.App, Conv: p.conv, User: p.User, Device: p.Device, Seq: p.seq, Ord: p.ord, Own: p.flag}, nil
	case signalDelivered:
		return bus.Delivered{App: p.App, Conv: p.conv, User: p.User, Seq: p.seq}, nil
	case signalCommand:
		return bus.Command{App: p.App, Conv: p.conv, User: p.User, Device: p.Device, ACLVersion: int64(p.version) - 1, Type: p.kind, Data: p.data, To: p.to}, nil
	case signalSightChanged:
		sight := bus.SightChanged{App: p.App, User: p.User}
		if len(p.to) > 0 {
			sight.Other = p.to[0]
		}
		return sight, nil
	case signalRoomTold:
		return bus.RoomTold{App: p.App, Conv: p.conv, Boot: p.boot, ACLVersion: int64(p.version), Viewers: p.viewers, Joined: p.joined, Said: p.lines}, nil
	case signalMemberChanged:
		return bus.MemberChanged{App: p.App, Conv: p.conv, User: p.User}, nil
	case signalConvChanged:
		return bus.ConvChanged{App: p.App, Conv: p.conv, ACLVersion: int64(p.version)}, nil
	case signalFenceRaised:
		return bus.FenceRaised{Pos: p.pos}, nil
	case signalFenceApplied:
		return bus.FenceApplied{Node: p.boot.Node, Pos: p.pos}, nil
	case signalDeviceMoved:
		return bus.DeviceMoved{Session: p.Session, Boot: p.boot, Version: p.version, Online: p.flag, At: p.at}, nil
	case signalNodeAlive:
		return bus.NodeAlive{Boot: p.boot, Version: p.version, Sums: p.sums}, nil
	case signalRosterWanted:
		return bus.RosterWanted{Boot: p.boot, Buckets: p.buckets}, nil
	case signalRoster:
		return bus.Roster{Boot: p.boot, Version: p.version, Bucket: p.bucket, Sessions: p.sessions}, nil
	}
	return nil, nil
}

func decodeParts(b []byte) (p parts, ok bool) {
	r := reader{rest: b}
	for r.next() {
		switch r.field {
		case partApp:
			p.App = im.AppID(r.id())
		case partConv:
			p.conv = im.ConvID(r.id())
		case partUser:
			p.User = im.UserID(r.id())
		case partDevice:
			p.Device = im.DeviceID(r.id())
		case partFlag:
			p.flag = r.uint(1) == 1
		case partSeq:
			p.seq = im.Seq(r.int64())
		case partOrd:
			p.ord = im.Ord(r.int64())
		case partVersion:
			p.version = r.uint(math.MaxInt64)
		case partPos:
			p.pos = r.int64()
		case partNode:
			p.boot.Node = r.id()
		case partStarted:
			p.boot.Started = im.Micros(r.int64())
		case partAt:
			p.at = im.Micros(r.int64())
		case partSums:
			p.sums = decodeSums(&r)
		case partBuckets:
			p.buckets = decodeBuckets(&r)
		case partBucket:
			p.bucket = uint16(r.uint(bus.Buckets - 1))
		case partType:
			p.kind = r.id()
		case partData:
			p.data = r.blob()
		case partViewers:
			p.viewers = r.int64()
		case partJoined:
			p.joined = r.int64()
		case partLine:
			if line := r.blob(); len(line) > 0 {
				p.lines = append(p.lines, line)
			}
		case partTo:
			p.to = append(p.to, im.UserID(r.id()))
		case partSession:
			s, good := decodeSession(r.blob())
			if !good {
				return p, false
			}
			p.sessions = append(p.sessions, s)
		}
	}
	return p, !r.bad
}

func decodeSession(b []byte) (s bus.Session, ok bool) {
	r := reader{rest: b}
	for r.next() {
		switch r.field {
		case partApp:
			s.App = im.AppID(r.id())
		case partUser:
			s.User = im.UserID(r.id())
		case partDevice:
			s.Device = im.DeviceID(r.id())
		}
	}
	return s, !r.bad
}

func decodeSums(r *reader) *[bus.Buckets]uint64 {
	if len(r.bytes) != 8*bus.Buckets {
		r.bad = true
		return nil
	}
	sums := new([bus.Buckets]uint64)
	for i := range sums {
		sums[i] = binary.LittleEndian.Uint64(r.bytes[8*i:])
	}
	return sums
}

func decodeBuckets(r *reader) []uint16 {
	var out []uint16
	for b := r.blob(); len(b) > 0; {
		v, n := protowire.ConsumeVarint(b)
		if n < 0 || v >= bus.Buckets || len(out) == bus.Buckets {
			r.bad = true
			return nil
		}
		out = append(out, uint16(v))
		b = b[n:]
	}
	return out
}
