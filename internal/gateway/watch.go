package gateway

import (
	"context"
	"slices"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/presence"
	"github.com/skein-im/skein/internal/turn"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Sight is what users may see of one another's presence; feature/profile.
type Sight interface {
	// SeesLastSeen returns those of the users whose presence the actor may see.
	SeesLastSeen(ctx context.Context, a im.Actor, users []im.UserID) ([]im.UserID, error)
	// Statuses returns what users say of themselves; who says nothing is left out.
	Statuses(ctx context.Context, app im.AppID, users []im.UserID) (map[im.UserID]*skeinv1.PresenceStatus, error)
}

// watch replaces the users whose presence the session hears of, and tells
// their present state. Those it shares no conversation with, and those who
// hide it, are left out without a word.
func (s *session) watch(ctx context.Context, names []string) error {
	if len(names) > s.g.Limits.Watch {
		return im.Errorf(im.TooLarge, "a session watches at most %d users", s.g.Limits.Watch)
	}
	users := make([]im.UserID, 0, len(names))
	for _, n := range names {
		if !im.ValidName(n) {
			return im.Errorf(im.InvalidArgument, "users has an invalid user id")
		}
		users = append(users, im.UserID(n))
	}
	seen, statuses, err := s.sees(ctx, users)
	if err != nil {
		return err
	}
	hidden := slices.DeleteFunc(users, func(u im.UserID) bool { return slices.Contains(seen, u) })
	s.watchMu.Lock()
	defer s.watchMu.Unlock()
	switch {
	case s.watchEnded:
		return nil
	case s.watching == nil:
		s.watching = s.g.Presence.Watch(s.actor().App, s.actor().User, s.tellPresence, s.lookAgain)
	}
	s.statusMu.Lock()
	s.statuses = statuses
	s.statusMu.Unlock()
	for _, st := range s.watching.Set(seen, hidden) {
		s.tellPresence(st)
	}
	return nil
}

// sees returns those of the users whose presence the session's user may see,
// and what they say of themselves.
func (s *session) sees(ctx context.Context, users []im.UserID) ([]im.UserID, map[im.UserID]*skeinv1.PresenceStatus, error) {
	users, err := s.g.Chat.Peers(ctx, s.actor(), users)
	if err != nil || s.g.Sight == nil || len(users) == 0 {
		return users, nil, err
	}
	if users, err = s.g.Sight.SeesLastSeen(ctx, s.actor(), users); err != nil {
		return nil, nil, err
	}
	statuses, err := s.g.Sight.Statuses(ctx, s.actor().App, users)
	return users, statuses, err
}

// lookAgain decides anew what is seen of a user, or of all with "". It may be
// called under presence's lock. One task looks at a time, and at whom it was
// told of first, so that the last one looked last; no lock is held meanwhile,
// as internal/turn wants it.
func (s *session) lookAgain(u im.UserID) {
	s.lookMu.Lock()
	defer s.lookMu.Unlock()
	if slices.Contains(s.toLook, u) {
		return // nobody has begun to look
	}
	s.toLook = append(s.toLook, u)
	if !s.looking {
		s.looking = true
		turn.Go(s.g.tasks, s.lookAll) // ends with the list; each look is two look-ups, which are bounded
	}
}

func (s *session) lookAll() {
	for {
		s.lookMu.Lock()
		if len(s.toLook) == 0 {
			s.looking = false
			s.lookMu.Unlock()
			return
		}
		u := s.toLook[0]
		s.toLook = s.toLook[1:]
		s.lookMu.Unlock()
		s.lookNow(u)
	}
}

func (s *session) lookNow(u im.UserID) {
	ctx, cancel := context.WithTimeout(s.g.ctx, callTimeout)
	defer cancel()
	s.watchMu.Lock()
	watching, ended := s.watching, s.watchEnded
	s.watchMu.Unlock()
	if watching == nil || ended {
		return
	}
	users := []im.UserID{u}
	if u == "" {
		users = watching.Users()
	}
	seen, statuses, err := s.sees(ctx, users)
	if err != nil {
		if ctx.Err() == nil {
			s.g.Log.Warn("look at presence again", "err", err)
		}
		seen, statuses = nil, nil // what can not be decided is not shown
	}
	for _, u := range users {
		show := slices.Contains(seen, u)
		s.statusMu.Lock()
		if s.statuses == nil {
			s.statuses = make(map[im.UserID]*skeinv1.PresenceStatus)
		}
		if delete(s.statuses, u); show && statuses[u] != nil {
			s.statuses[u] = statuses[u]
		}
		s.statusMu.Unlock()
		switch st, watched := watching.Show(u, show); {
		case watched && show:
			s.tellPresence(st)
		case watched:
			s.tellPresence(presence.State{User: u})
		}
	}
}

// tellPresence queues a state; it may be called under presence's lock.
func (s *session) tellPresence(st presence.State) {
	s.statusMu.Lock()
	status := s.statuses[st.User]
	s.statusMu.Unlock()
	s.handle(event{kind: evSignal, bytes: encodeFrame(&skeinv1.ServerFrame{Frame: &skeinv1.ServerFrame_Presence{
		Presence: &skeinv1.Presence{User: string(st.User), Online: st.Online, LastSeenUs: int64(st.LastSeen), Status: status}}})})
}
