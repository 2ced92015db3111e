package chat

import (
	"bytes"
	"slices"
	"sort"
	"strings"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
)

// seat is what a room keeps of a member.
type seat struct {
	user  im.UserID
	role  im.Role // RoleNone: gone, in an overlay
	from  im.Seq
	attrs []byte
}

func seatOf(m *journal.Member) seat {
	if m.To > 0 {
		return seat{user: m.User}
	}
	return seat{m.User, m.Role, m.From, m.Attrs}
}

func (s *seat) member() journal.Member {
	return journal.Member{User: s.user, Role: s.role, From: s.from, Attrs: s.attrs}
}

func (s *seat) same(o *seat) bool {
	return s.role == o.role && s.from == o.from && bytes.Equal(s.attrs, o.attrs)
}

// seats is the members of a room, by user: a base that many rooms share and
// what has changed since, over it. It is never changed; with makes another one,
// at the price of the overlay and, when that has grown to about the root of the
// base, of a copy: a join in a group of 100,000 costs microseconds.
type seats struct {
	base, over []seat // each ascending by user
	n          int    // current ones
	owner      im.UserID
}

// newSeats takes a list over that is ascending by user.
func newSeats(list []seat) *seats {
	s := &seats{base: list, n: len(list)}
	for i := range list {
		if list[i].role == im.RoleOwner {
			s.owner = list[i].user
		}
	}
	return s
}

func find(list []seat, u im.UserID) (int, bool) {
	i := sort.Search(len(list), func(i int) bool { return list[i].user >= u })
	return i, i < len(list) && list[i].user == u
}

func (s *seats) get(u im.UserID) *seat {
	if len(s.over) > 0 {
		if i, ok := find(s.over, u); ok {
			if s.over[i].role == im.RoleNone {
				return nil
			}
			return &s.over[i]
		}
	}
	if i, ok := find(s.base, u); ok {
		return &s.base[i]
	}
	return nil
}

// each calls fn in the order of user ids until it returns false, from the first
// user behind one.
func (s *seats) each(after im.UserID, fn func(*seat) bool) {
	behind := func(list []seat) int {
		i, ok := find(list, after)
		if ok {
			i++
		}
		return i
	}
	b, o := behind(s.base), behind(s.over)
	if after == "" {
		b, o = 0, 0
	}
	for b < len(s.base) || o < len(s.over) {
		var next *seat
		if o < len(s.over) && (b == len(s.base) || s.over[o].user <= s.base[b].user) {
			if b < len(s.base) && s.base[b].user == s.over[o].user {
				b++
			}
			next = &s.over[o]
			o++
		} else {
			next = &s.base[b]
			b++
		}
		if next.role != im.RoleNone && !fn(next) {
			return
		}
	}
}

// with returns the seats after some members have changed, and whom it concerns.
func (s *seats) with(changed []journal.Member) (*seats, []im.UserID) {
	slices.SortFunc(changed, func(a, b journal.Member) int { return strings.Compare(string(a.User), string(b.User)) })
	next := &seats{base: s.base, n: s.n, owner: s.owner}
	var who []im.UserID
	var fresh []seat
	for i := range changed {
		now, before := seatOf(&changed[i]), s.get(changed[i].User)
		if before == nil && now.role == im.RoleNone || before != nil && before.same(&now) {
			continue // only their read marker, or somebody who came and went
		}
		switch {
		case before == nil:
			next.n++
		case now.role == im.RoleNone:
			next.n--
		}
		if now.role == im.RoleOwner {
			next.owner = now.user
		} else if next.owner == now.user {
			next.owner = ""
		}
		fresh, who = append(fresh, now), append(who, now.user)
	}
	if len(who) == 0 {
		return s, nil
	}
	next.over = merge(s.over, fresh)
	if k := len(next.over); k > 64 && k*k > 16*len(next.base) {
		all := make([]seat, 0, next.n)
		next.each("", func(s *seat) bool { all = append(all, *s); return true })
		next.base, next.over = all, nil
	}
	return next, who
}

// merge merges two lists by user; of two seats of one user that of b counts.
func merge(a, b []seat) []seat {
	out := make([]seat, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0].user < b[0].user:
			out, a = append(out, a[0]), a[1:]
		case a[0].user == b[0].user:
			a = a[1:]
		default:
			out, b = append(out, b[0]), b[1:]
		}
	}
	return append(append(out, a...), b...)
}
