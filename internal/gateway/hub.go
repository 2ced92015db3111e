package gateway

import (
	"cmp"
	"slices"
	"sync"

	"github.com/skein-im/skein/internal/im"
)

type userKey struct {
	app  im.AppID
	user im.UserID
}

// hub finds the signed-in sessions of a user.
type hub struct {
	ordered bool // match goes by the sessions' numbers, so that a simulation repeats

	mu    sync.RWMutex // guards the rest
	users map[userKey][]*session
	n     int
	// came counts the users who came, of whom the newest are in recent, the
	// n-th at n modulo its length: whoever keeps a list of who is here asks for
	// those whom it does not know.
	came   uint64
	recent [1024]userKey
}

func newHub(ordered bool) *hub { return &hub{ordered: ordered, users: make(map[userKey][]*session)} }

// add makes a session findable and returns the one of the same device that
// it replaces, if any.
func (h *hub) add(s *session, a im.Actor) (old *session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	k := userKey{a.App, a.User}
	list := h.users[k]
	next := make([]*session, 0, len(list)+1) // readers hold the old slice
	for _, o := range list {
		if o.actor().Device == a.Device {
			old = o
			h.n--
			continue
		}
		next = append(next, o)
	}
	if len(list) == 0 {
		h.came++
		h.recent[h.came%uint64(len(h.recent))] = k
	}
	h.users[k] = append(next, s)
	h.n++
	return old
}

// since calls fn for the users of an app who have come behind the n-th to come,
// and returns how many have come until now; ok is false when they are too many
// to be remembered. Some may have gone again.
func (h *hub) since(n uint64, app im.AppID, fn func(im.UserID)) (came uint64, ok bool) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if h.came-n > uint64(len(h.recent)) {
		return h.came, false
	}
	for i := n + 1; i <= h.came; i++ {
		if k := h.recent[i%uint64(len(h.recent))]; k.app == app {
			fn(k.user)
		}
	}
	return h.came, true
}

// all returns the users of an app who are here, by name, and how many have come
// until now.
func (h *hub) all(app im.AppID) (users []im.UserID, came uint64) {
	h.mu.RLock()
	for k := range h.users {
		if k.app == app {
			users = append(users, k.user)
		}
	}
	came = h.came
	h.mu.RUnlock()
	slices.Sort(users)
	return users, came
}

func (h *hub) remove(s *session, a im.Actor) {
	h.mu.Lock()
	defer h.mu.Unlock()
	k := userKey{a.App, a.User}
	list := h.users[k]
	next := make([]*session, 0, len(list))
	for _, o := range list {
		if o != s {
			next = append(next, o)
		}
	}
	h.n -= len(list) - len(next)
	if len(next) == 0 {
		delete(h.users, k)
		return
	}
	h.users[k] = next
}

// of returns a user's sessions; the slice is not to be changed.
func (h *hub) of(app im.AppID, user im.UserID) []*session {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.users[userKey{app, user}]
}

func (h *hub) size() int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.n
}

// each calls fn for every session, outside the lock.
func (h *hub) each(fn func(*session)) { h.match("", "", "", fn) }

// match calls fn for the sessions of an app, user, device; "" matches all.
func (h *hub) match(app im.AppID, user im.UserID, device im.DeviceID, fn func(*session)) {
	var found []*session
	h.mu.RLock()
	if app != "" && user != "" {
		found = append(found, h.users[userKey{app, user}]...)
	} else {
		for k, list := range h.users {
			if app == "" || k.app == app {
				found = append(found, list...)
			}
		}
	}
	h.mu.RUnlock()
	if h.ordered {
		slices.SortFunc(found, func(a, b *session) int { return cmp.Compare(a.num, b.num) })
	}
	for _, s := range found {
		if device == "" || s.actor().Device == device {
			fn(s)
		}
	}
}
