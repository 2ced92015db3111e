package call

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/job"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// runWork does what follows from a change. The job's key begins with the call.
func (s *Service) runWork(ctx context.Context, j job.Job) error {
	id, _, _ := strings.Cut(j.Key, "/")
	return s.work(ctx, j.App, id)
}

// runRing ends the rings whose time is up.
func (s *Service) runRing(ctx context.Context, j job.Job) error {
	id, _, _ := strings.Cut(j.Key, "/")
	t, err := s.turn(ctx, j.App, id, func(t *turn) error {
		t.ringsOver()
		return nil
	})
	if err != nil {
		return gone(err)
	}
	return s.work(ctx, t.c.app, t.c.id)
}

func (t *turn) ringsOver() {
	for _, p := range t.parties {
		if p.state == ringing && p.ring <= t.now {
			t.move(p, timeout)
		}
	}
}

// workNow does the work at once; what is left of it the job does.
func (s *Service) workNow(ctx context.Context, app im.AppID, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := s.work(ctx, app, id); err != nil {
		s.d.Log.Warn("what follows from a call is done later", "app", app, "call", id, "err", err)
	}
}

// work does whatever follows from a call as it is and is not done yet: devices
// and the group are told, the conversation gets its notices, the media server
// loses participants and the room. All of it may be done twice, also at once.
func (s *Service) work(ctx context.Context, app im.AppID, id string) error {
	c, parties, err := s.read(ctx, app, id)
	if err != nil {
		return gone(err)
	}
	errs := []error{s.tellAll(ctx, c, parties), s.tellGroup(ctx, c), s.note(ctx, c, parties)}
	if s.d.Media != nil {
		errs = append(errs, s.evict(ctx, c, parties), s.permit(ctx, c, parties), s.close(ctx, c))
	}
	errs = append(errs, s.recordings(ctx, c))
	return errors.Join(errs...)
}

// tellers is how many users are told at once.
const tellers = 16

// tellAll tells the devices of everybody for whom something has changed.
func (s *Service) tellAll(ctx context.Context, c *call, parties []*party) error {
	var wg sync.WaitGroup
	var mu sync.Mutex // guards errs
	var errs []error
	slots := make(chan struct{}, tellers)
	for _, p := range parties {
		if p.told >= p.version {
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := s.tell(ctx, c, p); err != nil {
				mu.Lock()
				errs = append(errs, fmt.Errorf("tell a user of a call: %w", err))
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// tell tells one user's devices.
func (s *Service) tell(ctx context.Context, c *call, p *party) error {
	id, err := im.NewClientID(s.d.Clock.Now(), s.d.Entropy)
	if err != nil {
		return err
	}
	err = s.d.Chat.Refresh(ctx, im.Actor{App: c.app, User: p.user}, im.Self(p.user), chat.CallsKey, id, func(ctx context.Context) (*skeinv1.Content, error) {
		calls, err := s.own(ctx, c.app, p.user)
		return &skeinv1.Content{Kind: &skeinv1.Content_Calls{Calls: calls}}, err
	})
	if err == nil && s.d.Push != nil {
		err = s.d.Push(ctx, Ring{App: c.app, User: p.user, Call: c.own(p)})
	}
	if err != nil {
		return err
	}
	return s.d.DB.Write(ctx, func(tx db.Tx) error {
		_, err := tx.Exec("UPDATE call_party SET told = $4 WHERE app = $1 AND usr = $2 AND call_id = $3 AND told < $4", c.app, p.user, c.id, p.version)
		return err
	})
}

// own are a user's calls of now.
func (s *Service) own(ctx context.Context, app im.AppID, u im.UserID) (*skeinv1.UserCalls, error) {
	var out *skeinv1.UserCalls
	err := s.d.DB.Read(ctx, func(tx db.Tx) error {
		out = &skeinv1.UserCalls{}
		now, err := tx.Now()
		if err != nil {
			return err
		}
		var list []ownParty
		err = db.Each(tx, func(r db.Rows) error {
			p := ownParty{party: new(party)}
			err := p.scan(withID{r, &p.call})
			if p.live() || now-p.changed < im.Micros(afterglow.Microseconds()) {
				list = append(list, p)
			}
			return err
		}, "SELECT call_id, "+partyColumns+" FROM call_party WHERE app = $1 AND usr = $2 AND state = 2 UNION ALL SELECT * FROM (SELECT call_id, "+partyColumns+
			" FROM call_party WHERE app = $1 AND usr = $2 AND state <> 2 ORDER BY call_id DESC LIMIT 64) AS x", app, u)
		if err != nil {
			return err
		}
		for _, p := range newest(list) {
			c, err := load(tx, app, p.call)
			if err != nil {
				return err
			}
			out.Calls = append(out.Calls, c.own(p.party))
		}
		return nil
	})
	return out, err
}

// ownParty is how a user stands to one of their calls.
type ownParty struct {
	call string
	*party
}

func (p ownParty) live() bool { return p.state == ringing || p.state == joined }

// newest are those of a user's calls that there is room for, newest first: the one
// that they are in and those that ring go before those that are over, of which
// others can make as many as they like.
func newest(list []ownParty) []ownParty {
	slices.SortFunc(list, func(a, b ownParty) int {
		return cmp.Or(cmp.Compare(boolInt(b.state == joined), boolInt(a.state == joined)), cmp.Compare(boolInt(b.live()), boolInt(a.live())), cmp.Compare(b.call, a.call))
	})
	list = list[:min(len(list), MaxOwn)]
	slices.SortFunc(list, func(a, b ownParty) int { return cmp.Compare(b.call, a.call) })
	return list
}

// withID scans an id before the columns of a party.
type withID struct {
	rows db.Rows
	id   *string
}

func (w withID) Scan(to ...any) error { return w.rows.Scan(append([]any{w.id}, to...)...) }

// tellGroup shows the members of a group which call they can join.
func (s *Service) tellGroup(ctx context.Context, c *call) error {
	if c.direct() || c.told >= c.version {
		return nil
	}
	m := &s.groups[maphash.String(s.seed, c.id)%uint64(len(s.groups))]
	m.Lock()
	defer m.Unlock()
	fresh, _, err := s.read(ctx, c.app, c.id)
	if err != nil || fresh.told >= c.version {
		return gone(err)
	}
	id, err := im.NewClientID(s.d.Clock.Now(), s.d.Entropy)
	if err != nil {
		return err
	}
	// What is told is newer than fresh, or the same.
	err = s.d.Chat.Refresh(ctx, im.Actor{App: c.app, Server: true}, c.conv, chat.CallKey, id, func(ctx context.Context) (*skeinv1.Content, error) {
		now, err := s.ofGroup(ctx, c)
		return &skeinv1.Content{Kind: &skeinv1.Content_Call{Call: now}}, err
	})
	if err != nil && !over(err) {
		return fmt.Errorf("tell a group of a call: %w", err)
	}
	return s.noteDown(ctx, c.id, "UPDATE call SET told = $3 WHERE app = $1 AND id = $2 AND told < $3", c.app, c.id, fresh.version)
}

// over tells that a conversation takes nothing any more: it was dissolved, or is
// gone.
func over(err error) bool {
	switch im.CodeOf(err) {
	case im.NotFound, im.FailedPrecondition, im.PermissionDenied:
		return true
	}
	return false
}

// ofGroup is the call of a group of now: the one that goes on, else the one that
// is told of.
func (s *Service) ofGroup(ctx context.Context, about *call) (*skeinv1.ConversationCall, error) {
	var out *skeinv1.ConversationCall
	err := s.d.DB.Read(ctx, func(tx db.Tx) error {
		c := new(call)
		err := c.scan(tx.QueryRow("SELECT "+callColumns+" FROM call WHERE app = $1 AND conv = $2 AND state < 3", about.app, about.conv))
		if errors.Is(err, db.ErrNoRows) {
			c, err = load(tx, about.app, about.id)
		}
		if err != nil {
			return err
		}
		parties, err := loadParties(tx, c)
		out = &skeinv1.ConversationCall{Call: c.id, Starter: string(c.starter), Video: c.video != 0, State: skeinv1.CallState(c.state), StartedUs: int64(c.created), Recording: c.mark()}
		for _, p := range parties {
			if p.state == joined {
				if out.Joined++; len(out.Users) < MaxShown {
					out.Users = append(out.Users, string(p.user))
				}
			}
		}
		return err
	})
	return out, err
}

// note writes the notices that are due into the conversation.
func (s *Service) note(ctx context.Context, c *call, parties []*party) error {
	for _, which := range []int64{noteStart, noteEnd} {
		if c.due&which == 0 {
			continue
		}
		id, n := c.note1, startNotice(c)
		if which == noteEnd {
			id, n = c.note2, endNotice(c)
		}
		cid, _ := im.ParseClientID(id)
		body, err := noticeBody(n)
		if err != nil {
			return err
		}
		silent := n.Code != codeMissed
		// In the starter's name, so that it is unread for the others; by the server,
		// which alone writes notices.
		res, err := s.d.Chat.Send(ctx, im.Actor{App: c.app, User: c.starter, Server: true}, chat.SendRequest{Conv: c.conv, ClientID: cid, Body: body, Silent: silent})
		switch {
		case err == nil && which == noteEnd:
			s.readBy(ctx, c, parties, res.Entry.Seq)
		case err != nil && !over(err) && im.CodeOf(err) != im.ClockSkew:
			return fmt.Errorf("write a call's notice: %w", err)
		}
		if err := s.noteDown(ctx, c.id, "UPDATE call SET due = due - $3 WHERE app = $1 AND id = $2 AND (due / $3) % 2 = 1", c.app, c.id, which); err != nil {
			return err
		}
	}
	return nil
}

// readBy moves the markers of those who were in the call over its last line, if
// they had read everything before it: they know how it ended. A marker that
// does not move is no harm.
func (s *Service) readBy(ctx context.Context, c *call, parties []*party, seq im.Seq) {
	if len(parties) > MaxShown {
		return
	}
	for _, p := range parties {
		if p.joined == 0 || p.user == c.starter {
			continue
		}
		a := im.Actor{App: c.app, User: p.user}
		conv, err := s.d.Chat.Open(ctx, a, c.conv)
		if err == nil && conv.GetHeadSeq() == uint64(seq) && conv.GetHeadOrd() == conv.GetMembership().GetReadOrd()+1 {
			_, err = s.d.Chat.Read(ctx, a, c.conv, seq)
		}
		if err != nil {
			s.d.Log.Debug("a marker stays behind the end of a call", "err", err)
		}
	}
}

// evict sends away who is to be in the room no more, unless they are let in again
// by now: what else follows from a change takes its time.
func (s *Service) evict(ctx context.Context, c *call, parties []*party) error {
	var errs []error
	for _, p := range parties {
		if p.evict == "" || c.state == callEnded {
			continue
		}
		var still int64
		err := s.d.DB.Read(ctx, func(tx db.Tx) error {
			return tx.QueryRow("SELECT count(*) FROM call_party WHERE app = $1 AND usr = $2 AND call_id = $3 AND evict = $4", c.app, p.user, c.id, p.evict).Scan(&still)
		})
		if err != nil || still == 0 {
			errs = append(errs, err)
			continue
		}
		if err := s.d.Media.remove(ctx, c.room, p.evict); err != nil {
			errs = append(errs, fmt.Errorf("take somebody out of a call's room: %w", err))
			continue
		}
		errs = append(errs, s.noteDown(ctx, c.id, "UPDATE call_party SET evict = '' WHERE app = $1 AND usr = $2 AND call_id = $3 AND evict = $4", c.app, p.user, c.id, p.evict))
	}
	return errors.Join(errs...)
}

// permit has the media server let everybody in the room do what they may do now.
// Who is not connected yet connects with it. What is done at once by several, each
// with what it has read, ends as the newest is: whoever has spoken last reads once
// more.
func (s *Service) permit(ctx context.Context, c *call, parties []*party) error {
	said := make(map[im.UserID]int64)
	for c.state != callEnded {
		spoke := false
		for _, p := range parties {
			last, mine := said[p.user]
			if p.state != joined || p.allowed == p.acts() && (!mine || last == p.acts()) {
				continue
			}
			role := p.acts()
			if err := gone(s.d.Media.permit(ctx, c.room, identity(p.user, p.device), permissionOf(role))); err != nil {
				return fmt.Errorf("change what somebody may do in a call's room: %w", err)
			}
			said[p.user], spoke = role, true
			if err := s.noteDown(ctx, c.id, "UPDATE call_party SET allowed = $5 WHERE app = $1 AND usr = $2 AND call_id = $3 AND device = $4", c.app, p.user, c.id, p.device, role); err != nil {
				return err
			}
		}
		if !spoke {
			return nil
		}
		var err error
		if c, parties, err = s.read(ctx, c.app, c.id); err != nil {
			return gone(err)
		}
	}
	return nil
}

// close deletes the room of a call that is over.
func (s *Service) close(ctx context.Context, c *call) error {
	if c.state != callEnded || c.closed != 0 {
		return nil
	}
	if err := s.d.Media.deleteRoom(ctx, c.room); err != nil {
		return fmt.Errorf("close a call's room: %w", err)
	}
	return s.noteDown(ctx, c.id, "UPDATE call SET closed = 1 WHERE app = $1 AND id = $2", c.app, c.id)
}
