package chat

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Room is a conversation with its current members, as of Version. It is
// immutable (but for a memo) and shared.
type Room struct {
	App     im.AppID
	ID      im.ConvID
	Kind    im.ConvKind
	Title   string
	Version int64 // acl_version; -1 = needs no check: the id alone says who is in
	Created im.Micros
	Attrs   []byte // the conversation's attributes, encoded; of a group
	// Settings are what Attrs say, with the defaults of the group's type filled
	// in; nil for what is no group. They are shared: nobody changes them.
	Settings *skeinv1.GroupSettings

	seats *seats // nil for direct and self
	// The newest entry when the room was read: by these a later reading tells
	// that it continues this one, also after a database was put back.
	head   im.Seq
	last   im.Pos
	stamp  im.ClientID
	trail  trail
	bygone atomic.Pointer[bygone] // a memo of Audience
}

// Member returns the user's place in the room.
func (r *Room) Member(u im.UserID) (journal.Member, bool) {
	switch r.Kind {
	case im.ConvDirect:
		if r.ID.Peer(u) == "" {
			return journal.Member{}, false
		}
	case im.ConvSelf:
		if r.ID.Owner() != u || u == "" {
			return journal.Member{}, false
		}
	default:
		s := r.seats.get(u)
		if s == nil {
			return journal.Member{}, false
		}
		return s.member(), true
	}
	return journal.Member{User: u, Role: im.RoleMember, From: 1}, true
}

// Size is the number of current members.
func (r *Room) Size() int {
	switch r.Kind {
	case im.ConvDirect:
		return 2
	case im.ConvSelf:
		return 1
	}
	return r.seats.n
}

// Each calls fn for every current member, in the order of their ids.
func (r *Room) Each(fn func(u im.UserID)) {
	switch r.Kind {
	case im.ConvDirect:
		a, b := r.ID.Pair()
		fn(a)
		fn(b)
	case im.ConvSelf:
		fn(r.ID.Owner())
	default:
		r.seats.each("", func(s *seat) bool { fn(s.user); return true })
	}
}

// Owner returns the owner of a group, or "".
func (r *Room) Owner() im.UserID {
	if r.seats == nil {
		return ""
	}
	return r.seats.owner
}

// ChangedSince returns whom the changes between a version of this room and this
// one concern, perhaps more than once; ok is false when they are not known.
func (r *Room) ChangedSince(version int64) (users []im.UserID, ok bool) {
	if version > r.Version || version < r.trail.from {
		return nil, false
	}
	for i := len(r.trail.steps) - 1; i >= 0 && r.trail.steps[i].version > version; i-- {
		users = append(users, r.trail.steps[i].user)
	}
	return users, true
}

// trail is the newest changes that have led to a room.
type trail struct {
	from  int64 // all behind this version are known
	steps []step
}

type step struct {
	version int64
	user    im.UserID
}

// maxTrail bounds a trail: it is copied with each change.
const maxTrail = 256

func (t trail) with(version int64, users []im.UserID) trail {
	if len(users) >= maxTrail {
		return trail{from: version}
	}
	next := trail{from: t.from, steps: make([]step, 0, len(t.steps)+len(users))}
	next.steps = append(next.steps, t.steps...)
	for _, u := range users {
		next.steps = append(next.steps, step{version, u})
	}
	if cut := len(next.steps) - maxTrail; cut > 0 {
		next.from = next.steps[cut-1].version
		next.steps = next.steps[cut:]
	}
	return next
}

type roomKey struct {
	app  im.AppID
	conv im.ConvID
}

// rooms caches groups. Direct and self conversations need no look-up at all:
// their ids say who is in them.
//
// A room that something has happened to is not forgotten: the next one is made
// of it and of what has changed, so that a member of 100,000 costs no more than
// one of ten.
type rooms struct {
	j        journal.Journal
	max      int
	maxSeats int        // members of all rooms
	mu       sync.Mutex // guards the rest
	m        map[roomKey]*kept
	total    int // members of all in m
	// loading counts the reads under way; dirty ones were overtaken by a drop
	// and must not be cached: [read v1] [commit v2, drop] [cache v1] would
	// deliver to a member whom v2 removed.
	loading map[roomKey]*roomLoad
}

// kept is a room of the cache. An old one may not be used as it is.
type kept struct {
	room *Room
	old  bool
}

type roomLoad struct {
	readers int
	dirty   bool
}

func newRooms(j journal.Journal, max, maxSeats int) *rooms {
	return &rooms{j: j, max: max, maxSeats: maxSeats, m: make(map[roomKey]*kept), loading: make(map[roomKey]*roomLoad)}
}

// get returns a room, from the cache when it can, or im.ErrNotFound.
func (rs *rooms) get(ctx context.Context, app im.AppID, conv im.ConvID) (*Room, error) {
	switch kind := conv.Kind(); kind {
	case im.ConvDirect, im.ConvSelf:
		return &Room{App: app, ID: conv, Kind: kind, Version: -1}, nil
	case im.ConvInvalid:
		return nil, im.ErrNotFound
	}
	rs.mu.Lock()
	if k := rs.m[roomKey{app, conv}]; k != nil && !k.old {
		defer rs.mu.Unlock()
		return k.room, nil
	}
	rs.mu.Unlock()
	return rs.load(ctx, app, conv)
}

// load reads a group and caches it, unless it was dropped meanwhile.
func (rs *rooms) load(ctx context.Context, app im.AppID, conv im.ConvID) (*Room, error) {
	key := roomKey{app, conv}
	rs.mu.Lock()
	l := rs.loading[key]
	if l == nil || l.dirty {
		l = &roomLoad{}
		rs.loading[key] = l
	}
	l.readers++
	var base *Room
	if k := rs.m[key]; k != nil {
		base = k.room
	}
	rs.mu.Unlock()
	r, err := rs.read(ctx, app, conv, base)
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if l.readers--; l.readers == 0 && rs.loading[key] == l {
		delete(rs.loading, key)
	}
	if err != nil || l.dirty {
		return r, err
	}
	if k := rs.m[key]; k != nil && !k.old && k.room.Version >= r.Version {
		return k.room, nil
	}
	rs.keep(key, r)
	return r, nil
}

// keep caches a room, under mu, and makes room for it: whichever goes costs a
// read.
func (rs *rooms) keep(key roomKey, r *Room) {
	rs.forget(key)
	rs.m[key] = &kept{room: r}
	rs.total += r.seats.n
	for k := range rs.m {
		if len(rs.m) <= rs.max && rs.total <= rs.maxSeats {
			return
		}
		if k != key {
			rs.forget(k)
		}
	}
}

func (rs *rooms) forget(key roomKey) {
	if k := rs.m[key]; k != nil {
		rs.total -= k.room.seats.n
		delete(rs.m, key)
	}
}

// read reads a group from the journal: what has changed since base, or all.
func (rs *rooms) read(ctx context.Context, app im.AppID, conv im.ConvID, base *Room) (*Room, error) {
	var r *Room
	err := rs.j.View(ctx, func(v journal.View) error {
		c, err := v.Conv(app, conv)
		if err != nil {
			return err
		}
		r = &Room{App: app, ID: conv, Kind: c.Kind, Title: c.Title, Version: c.ACLVersion, Created: c.Created, Attrs: c.Attrs, Settings: DecodeSettings(c.Attrs), head: c.HeadSeq, last: c.LastPos}
		if r.stamp, err = stampOf(v, r, r.head); err != nil {
			return err
		}
		if base != nil {
			if done, err := r.follow(v, base, c.Members); done || err != nil {
				return err
			}
		}
		return r.readAll(v)
	})
	return r, err
}

// stampOf is what an entry is known by; zero when it is damaged.
func stampOf(v journal.View, r *Room, seq im.Seq) (im.ClientID, error) {
	es, err := v.Entries(r.App, r.ID, seq, seq, 1, false)
	if im.CodeOf(err) == im.DataLoss {
		return im.ClientID{}, nil
	}
	if err != nil || len(es) == 0 {
		return im.ClientID{}, err
	}
	return es[0].ClientID, nil
}

// maxFollow is up to how many changed members a room is made from an older one.
const maxFollow = 5000

// follow takes over the members of an older reading and what has changed since;
// done is false when that can not be: it is of another past (a database that
// was put back, a standby that lacked the last commits), or too much has
// changed. The older one's newest entry shows that all before it is the same.
func (r *Room) follow(v journal.View, base *Room, members int) (done bool, err error) {
	if base.stamp == (im.ClientID{}) || r.head < base.head {
		return false, nil
	}
	stamp := r.stamp
	if r.head > base.head {
		if stamp, err = stampOf(v, r, base.head); err != nil {
			return false, err
		}
	}
	if stamp != base.stamp {
		return false, nil
	}
	r.seats, r.trail = base.seats, base.trail
	if r.Version != base.Version {
		changed, err := v.MembersSince(r.App, r.ID, base.last, maxFollow)
		if err != nil || len(changed) == maxFollow {
			return false, err
		}
		var who []im.UserID
		r.seats, who = base.seats.with(changed)
		r.trail = base.trail.with(r.Version, who)
	}
	return r.seats.n == members, nil
}

// readAll reads every member.
func (r *Room) readAll(v journal.View) error {
	const page = 5000
	var list []seat
	for after := im.UserID(""); ; {
		ms, err := v.Members(r.App, r.ID, after, page)
		if err != nil {
			return err
		}
		for i := range ms {
			list = append(list, seatOf(&ms[i]))
		}
		if len(ms) < page {
			r.seats, r.trail = newSeats(list), trail{from: r.Version}
			return nil
		}
		after = ms[len(ms)-1].User
	}
}

// drop says that a room has changed: the next get looks at it anew.
func (rs *rooms) drop(app im.AppID, conv im.ConvID) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.outdated(roomKey{app, conv})
}

// outdated is drop, under mu.
func (rs *rooms) outdated(key roomKey) {
	if k := rs.m[key]; k != nil {
		k.old = true
	}
	if l := rs.loading[key]; l != nil {
		l.dirty = true
	}
}

// outdate is drop unless the room was read behind the entry that changes it: of
// many changes that commit together, the first has all of them read.
func (rs *rooms) outdate(app im.AppID, conv im.ConvID, seq im.Seq) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	key := roomKey{app, conv}
	if k := rs.m[key]; k == nil || k.old || k.room.head < seq {
		rs.outdated(key)
	}
}

// dropIf is drop unless a newer one took its place.
func (rs *rooms) dropIf(r *Room) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if k := rs.m[roomKey{r.App, r.ID}]; k != nil && k.room == r {
		k.old = true
	}
}

// clear is drop of every room: hints were lost.
func (rs *rooms) clear() {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for _, k := range rs.m {
		k.old = true
	}
	for _, l := range rs.loading {
		l.dirty = true
	}
}

// isStale tells whether an append failed because the room had changed.
func isStale(err error) bool {
	var st *journal.Stale
	return errors.As(err, &st)
}
