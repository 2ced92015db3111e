package chat

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
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
	Attrs   []byte                       // the conversation's attributes, encoded; of a group
	members map[im.UserID]journal.Member // nil for direct and self
	order   []im.UserID                  // of members, ascending: whoever tells them all does so in one order
	head    im.Seq                       // newest entry when it was read
	bygone  atomic.Pointer[bygone]       // a memo of Audience
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
		m, ok := r.members[u]
		return m, ok
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
	return len(r.members)
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
		for _, u := range r.order {
			fn(u)
		}
	}
}

// Owner returns the owner of a group, or "".
func (r *Room) Owner() im.UserID {
	for u, m := range r.members {
		if m.Role == im.RoleOwner {
			return u
		}
	}
	return ""
}

type roomKey struct {
	app  im.AppID
	conv im.ConvID
}

// rooms caches groups. Direct and self conversations need no look-up at all:
// their ids say who is in them.
type rooms struct {
	j   journal.Journal
	max int
	mu  sync.Mutex // guards the rest
	m   map[roomKey]*Room
	// loading counts the reads under way; dirty ones were overtaken by a drop
	// and must not be cached: [read v1] [commit v2, drop] [cache v1] would
	// deliver to a member whom v2 removed.
	loading map[roomKey]*roomLoad
}

type roomLoad struct {
	readers int
	dirty   bool
}

func newRooms(j journal.Journal, max int) *rooms {
	return &rooms{j: j, max: max, m: make(map[roomKey]*Room), loading: make(map[roomKey]*roomLoad)}
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
	r := rs.m[roomKey{app, conv}]
	rs.mu.Unlock()
	if r != nil {
		return r, nil
	}
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
	rs.mu.Unlock()
	r, err := rs.read(ctx, app, conv)
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if l.readers--; l.readers == 0 && rs.loading[key] == l {
		delete(rs.loading, key)
	}
	if err != nil || l.dirty {
		return r, err
	}
	if old := rs.m[key]; old != nil && old.Version >= r.Version {
		return old, nil
	}
	if len(rs.m) >= rs.max { // drop an arbitrary one: a reload costs one read
		for k := range rs.m {
			delete(rs.m, k)
			break
		}
	}
	rs.m[key] = r
	return r, nil
}

// read reads a group from the journal.
func (rs *rooms) read(ctx context.Context, app im.AppID, conv im.ConvID) (*Room, error) {
	r := &Room{App: app, ID: conv, members: make(map[im.UserID]journal.Member)}
	err := rs.j.View(ctx, func(v journal.View) error {
		c, err := v.Conv(app, conv)
		if err != nil {
			return err
		}
		r.Kind, r.Title, r.Version, r.Created, r.head, r.Attrs = c.Kind, c.Title, c.ACLVersion, c.Created, c.HeadSeq, c.Attrs
		for after := im.UserID(""); ; {
			page, err := v.Members(app, conv, after, 500)
			if err != nil {
				return err
			}
			for _, m := range page {
				r.members[m.User] = m
				r.order = append(r.order, m.User)
			}
			if len(page) < 500 {
				return nil
			}
			after = page[len(page)-1].User
		}
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// drop forgets a room; the next get reads it anew.
func (rs *rooms) drop(app im.AppID, conv im.ConvID) {
	rs.mu.Lock()
	delete(rs.m, roomKey{app, conv})
	if l := rs.loading[roomKey{app, conv}]; l != nil {
		l.dirty = true
	}
	rs.mu.Unlock()
}

// outdate makes the next get read a room anew, unless it was read behind the
// entry that changes it: of many changes that commit together, the first has
// all of them read.
func (rs *rooms) outdate(app im.AppID, conv im.ConvID, seq im.Seq) {
	rs.mu.Lock()
	r, loading := rs.m[roomKey{app, conv}], rs.loading[roomKey{app, conv}]
	rs.mu.Unlock()
	if r == nil && loading == nil || r != nil && r.head >= seq {
		return
	}
	rs.drop(app, conv)
}

// dropIf forgets a room unless a newer one took its place.
func (rs *rooms) dropIf(r *Room) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if k := (roomKey{r.App, r.ID}); rs.m[k] == r {
		delete(rs.m, k)
	}
}

// clear forgets everything: hints were lost.
func (rs *rooms) clear() {
	rs.mu.Lock()
	rs.m = make(map[roomKey]*Room)
	for _, l := range rs.loading {
		l.dirty = true
	}
	rs.mu.Unlock()
}

// isStale tells whether an append failed because the room had changed.
func isStale(err error) bool {
	var st *journal.Stale
	return errors.As(err, &st)
}
