package gateway

import (
	"slices"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/im"
)

type roomKey struct {
	app  im.AppID
	conv im.ConvID
}

// localsFrom is from how many members on a conversation has its locals: below, its
// members are gone through for each entry.
const localsFrom = 256

// maxLocals bounds those that are kept; they are found again by a look at
// everybody who is here.
const maxLocals = 4096

// locals is who of a large conversation is online at this node, so that an
// entry costs what its listeners cost and not what its members would. The
// fan-out's goroutine owns it.
//
// It is kept by what changes it: who comes to this node is looked up among the
// members, and whom a change of the members concerns among those who are here.
// Who has gone stays until the list is mostly of such.
type locals struct {
	room  *chat.Room
	came  uint64 // of the hub
	users []im.UserID
	in    map[im.UserID]struct{} // users
	away  int                    // of users, as of the last walk
}

// localsOf returns who is here of a room, as of now.
func (f *fanout) localsOf(room *chat.Room) *locals {
	k := roomKey{room.App, room.ID}
	c := f.locals[k]
	if c == nil {
		if len(f.locals) >= maxLocals {
			for old := range f.locals {
				delete(f.locals, old)
				break
			}
		}
		c = &locals{}
		f.locals[k] = c
	}
	if !f.freshen(c, room) {
		f.gather(c, room)
	}
	return c
}

// gather finds them anew.
func (f *fanout) gather(c *locals, room *chat.Room) {
	users, came := f.g.hub.all(room.App)
	c.room, c.came, c.away = room, came, 0
	c.users = slices.DeleteFunc(users, func(u im.UserID) bool { _, in := room.Member(u); return !in })
	c.in = make(map[im.UserID]struct{}, len(c.users))
	for _, u := range c.users {
		c.in[u] = struct{}{}
	}
}

// freshen brings them up to date; false when too much has changed.
func (f *fanout) freshen(c *locals, room *chat.Room) bool {
	if c.room == nil || c.away > len(c.users)/2+16 {
		return false
	}
	if c.room != room {
		changed, ok := room.ChangedSince(c.room.Version)
		if !ok {
			return false
		}
		c.room = room
		for _, u := range changed {
			if _, in := room.Member(u); !in {
				c.remove(u)
			} else if f.g.hub.of(room.App, u) != nil {
				c.add(u)
			}
		}
	}
	came, ok := f.g.hub.since(c.came, room.App, func(u im.UserID) {
		if _, in := room.Member(u); in {
			c.add(u)
		}
	})
	c.came = came
	return ok
}

func (c *locals) add(u im.UserID) {
	if _, in := c.in[u]; !in {
		c.in[u] = struct{}{}
		c.users = append(c.users, u)
	}
}

func (c *locals) remove(u im.UserID) {
	if _, in := c.in[u]; in {
		delete(c.in, u)
		c.users = slices.DeleteFunc(c.users, func(o im.UserID) bool { return o == u })
	}
}

// here calls fn for the sessions of this node that an audience has.
func (f *fanout) here(a *chat.Audience, fn func(u im.UserID, s *session)) {
	app := a.Room.App
	each := func(u im.UserID) {
		for _, s := range f.g.hub.of(app, u) {
			fn(u, s)
		}
	}
	if a.Room.Size() < localsFrom {
		a.Each(each)
		return
	}
	c, everybody := f.localsOf(a.Room), a.Everybody()
	c.away = 0
	for _, u := range c.users {
		sessions := f.g.hub.of(app, u)
		if len(sessions) == 0 {
			c.away++
			continue
		}
		if everybody || a.Has(u) {
			for _, s := range sessions {
				fn(u, s)
			}
		}
	}
	a.Gone(each)
}
