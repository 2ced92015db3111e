package user

import (
	"context"
	"embed"
	"errors"
	"io/fs"
	"time"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/job"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Chat is what an erasure needs of the front door.
type Chat interface {
	// Places returns the conversations that the actor is or was in, by id.
	Places(ctx context.Context, actor im.Actor, limit int) ([]journal.Place, error)
	// Change changes a group.
	Change(ctx context.Context, actor im.Actor, conv im.ConvID, id im.ClientID, plan func(*chat.Room) (chat.Change, error)) (journal.Result, error)
	// EraseFrom empties what a user has said and takes back what they have done,
	// page by page.
	EraseFrom(ctx context.Context, app im.AppID, conv im.ConvID, user im.UserID, after im.Seq, most int) (next im.Seq, emptied int, more bool, err error)
	// EraseValues empties the values of a user's own conversation.
	EraseValues(ctx context.Context, app im.AppID, user im.UserID) error
	// Relations tells what a user and some others are to each other.
	Relations(ctx context.Context, app im.AppID, user im.UserID, others []im.UserID) (map[im.UserID]chat.Relation, error)
}

// Contacts ends what a user is to others; feature/contact. NotFound = it is
// not so.
type Contacts interface {
	EndContact(ctx context.Context, a im.Actor, peer im.UserID, id im.ClientID) error
	UnblockUser(ctx context.Context, a im.Actor, r *skeinv1.UnblockUserRequest) (*skeinv1.UnblockUserResponse, error)
}

const (
	eraseKind = "erase_user"
	// eraseStep is how many entries are gone through between two notes of how
	// far it is.
	eraseStep = 200
	maxPlaces = 1_000_000
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns the tables of this package, for db.Migrate under the
// name "user".
func Migrations() fs.FS { return db.Migrations(migrations) }

// Kind is the kind of the jobs that erase, which the server's queue runs. The
// queue is made before the service, which is asked for when a job runs. A job
// that is cut off goes on where it was.
func Kind(late func() *Service) job.Kind {
	return job.Kind{Name: eraseKind, Timeout: 5 * time.Minute, Tries: 10_000, Run: func(ctx context.Context, j job.Job) error {
		return late().erase(ctx, j.App, im.UserID(j.Body))
	}}
}

// erasure is a row.
type erasure struct {
	user          im.UserID
	state         skeinv1.ErasureState
	conv          im.ConvID
	seq           im.Seq
	conversations int64
	messages      int64
	started       im.Micros
	finished      im.Micros
}

func (e *erasure) wire() *skeinv1.Erasure {
	return &skeinv1.Erasure{Id: string(e.user), State: e.state, Conversations: uint32(e.conversations), Messages: uint64(e.messages),
		StartedUs: int64(e.started), FinishedUs: int64(e.finished)}
}

// loadErasure returns a row. Errors: NotFound.
func loadErasure(tx db.Tx, app im.AppID, user im.UserID) (*erasure, error) {
	e := &erasure{user: user}
	var state int64
	err := tx.QueryRow("SELECT state, conv, seq, conversations, messages, started, finished FROM user_erasure WHERE app = $1 AND user_id = $2", app, user).
		Scan(&state, &e.conv, &e.seq, &e.conversations, &e.messages, &e.started, &e.finished)
	e.state = skeinv1.ErasureState(state)
	if errors.Is(err, db.ErrNoRows) {
		err = im.ErrNotFound
	}
	return e, err
}

func (e *erasure) store(tx db.Tx, app im.AppID) error {
	_, err := tx.Exec(`INSERT INTO user_erasure (app, user_id, state, conv, seq, conversations, messages, started, finished)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (app, user_id) DO UPDATE
		SET state = $3, conv = $4, seq = $5, conversations = $6, messages = $7, started = $8, finished = $9`,
		app, e.user, int64(e.state), e.conv, e.seq, e.conversations, e.messages, e.started, e.finished)
	return err
}

// retryWindow is for how long a finished erasure answers for itself: a call
// then is a retry of the one that began it; a later one erases what came since.
const retryWindow = time.Minute

// EraseUser suspends a user, and writes down the job that erases them. Errors:
// NotFound for anybody but the app's back end, InvalidArgument.
func (s *Service) EraseUser(ctx context.Context, a im.Actor, r *skeinv1.EraseUserRequest) (*skeinv1.EraseUserResponse, error) {
	user := im.UserID(r.GetId())
	if _, err := s.d.Accounts.SuspendUser(ctx, a, user); err != nil { // refuses everybody else, too
		return nil, err
	}
	var e *erasure
	err := s.d.DB.Write(ctx, func(tx db.Tx) (err error) {
		if e, err = loadErasure(tx, a.App, user); err != nil && im.CodeOf(err) != im.NotFound {
			return err
		}
		now, err := tx.Now()
		if err != nil {
			return err
		}
		if e.state == skeinv1.ErasureState_ERASURE_STATE_DONE && now.Time().Sub(e.finished.Time()) < retryWindow {
			return nil // as after a lost answer
		}
		fresh := e.state != skeinv1.ErasureState_ERASURE_STATE_RUNNING
		if fresh {
			*e = erasure{user: user, state: skeinv1.ErasureState_ERASURE_STATE_RUNNING, started: now}
			if err := e.store(tx, a.App); err != nil {
				return err
			}
		}
		_, added, err := s.d.Jobs.Enqueue(tx, job.Spec{Kind: eraseKind, App: a.App, Key: string(user), Body: []byte(user)})
		if err == nil && fresh && !added {
			err = im.Errorf(im.Unavailable, "the erasure before this one is just ending") // its job would not see this one
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return &skeinv1.EraseUserResponse{Erasure: e.wire()}, nil
}

// GetErasure tells how far an erasure is. Errors: NotFound.
func (s *Service) GetErasure(ctx context.Context, a im.Actor, r *skeinv1.GetErasureRequest) (*skeinv1.GetErasureResponse, error) {
	if !a.Server {
		return nil, im.ErrNotFound
	}
	var e *erasure
	err := s.d.DB.Read(ctx, func(tx db.Tx) (err error) {
		e, err = loadErasure(tx, a.App, im.UserID(r.GetId()))
		return err
	})
	if err != nil {
		return nil, err
	}
	return &skeinv1.GetErasureResponse{Erasure: e.wire()}, nil
}

// erase does the work of a job: first what would bring more to erase, then the
// conversations, one after the other, then the rest. Each step may be
// repeated, and how far it is is noted after each page.
func (s *Service) erase(ctx context.Context, app im.AppID, user im.UserID) error {
	var e *erasure
	err := s.d.DB.Read(ctx, func(tx db.Tx) (err error) {
		e, err = loadErasure(tx, app, user)
		return err
	})
	if im.CodeOf(err) == im.NotFound || err == nil && e.state != skeinv1.ErasureState_ERASURE_STATE_RUNNING {
		return nil
	}
	if err != nil {
		return err
	}
	for _, forget := range s.d.Forget {
		if err := forget(ctx, app, user); err != nil {
			return err
		}
	}
	places, err := s.d.Chat.Places(ctx, im.Actor{App: app, User: user}, maxPlaces)
	if err != nil {
		return err
	}
	for _, p := range places {
		if p.Conv <= e.conv {
			continue
		}
		if err := s.eraseIn(ctx, app, p.Conv, e); err != nil {
			return err
		}
	}
	// What contacts and groups have just noted for the user goes as well.
	if err := s.d.Chat.EraseValues(ctx, app, user); err != nil {
		return err
	}
	return s.note(ctx, app, e, func(now im.Micros) { e.state, e.finished = skeinv1.ErasureState_ERASURE_STATE_DONE, now })
}

// note changes an erasure's row.
func (s *Service) note(ctx context.Context, app im.AppID, e *erasure, change func(now im.Micros)) error {
	return s.d.DB.Write(ctx, func(tx db.Tx) error {
		now, err := tx.Now()
		if err != nil {
			return err
		}
		change(now)
		return e.store(tx, app)
	})
}

// eraseIn goes through one conversation.
func (s *Service) eraseIn(ctx context.Context, app im.AppID, conv im.ConvID, e *erasure) error {
	var err error
	switch conv.Kind() {
	case im.ConvGroup:
		err = s.leave(ctx, app, conv, e.user)
	case im.ConvDirect:
		err = s.part(ctx, app, conv, e.user)
	}
	if err != nil {
		return err
	}
	for more := true; more; {
		next, n, again, err := s.d.Chat.EraseFrom(ctx, app, conv, e.user, e.seq, eraseStep)
		if err != nil {
			return err
		}
		more = again
		seq, messages, last := next, e.messages+int64(n), e.conversations
		if err := s.note(ctx, app, e, func(im.Micros) {
			if e.seq, e.messages = seq, messages; !again {
				e.conv, e.seq, e.conversations = conv, 0, last+1
			}
		}); err != nil {
			return err
		}
	}
	return nil
}

// leave ends a membership. What the user owned goes to an admin, else to a
// member: the first by id.
func (s *Service) leave(ctx context.Context, app im.AppID, conv im.ConvID, user im.UserID) error {
	id, err := im.NewClientID(s.d.Clock.Now(), s.d.Entropy)
	if err != nil {
		return err
	}
	_, err = s.d.Chat.Change(ctx, im.Actor{App: app, Server: true}, conv, id, func(room *chat.Room) (chat.Change, error) {
		if _, in := room.Member(user); !in {
			return chat.Change{}, im.ErrNotFound
		}
		said := &skeinv1.MembersChange{Left: []string{string(user)}}
		c := chat.Change{Verb: chat.VerbMembers, Content: &skeinv1.Content{Kind: &skeinv1.Content_Members{Members: said}}}
		if next := heir(room, user); next != "" {
			c.Members = append(c.Members, journal.MemberChange{User: next, Role: im.RoleOwner})
			said.RoleChanged, said.Role = []string{string(next)}, skeinv1.Role_ROLE_OWNER
		}
		c.Members = append(c.Members, journal.MemberChange{User: user, Role: im.RoleNone})
		return c, nil
	})
	if im.CodeOf(err) == im.NotFound {
		return nil
	}
	return err
}

// heir is who owns the group when user goes; "" = nobody new.
func heir(room *chat.Room, user im.UserID) (next im.UserID) {
	if room.Owner() != user {
		return ""
	}
	admin := false
	room.Each(func(u im.UserID) {
		m, _ := room.Member(u)
		switch runs := m.Role >= im.RoleAdmin; {
		case u == user, admin && !runs:
		case next == "" || runs && !admin || u < next:
			next, admin = u, runs
		}
	})
	return next
}

// part ends what the user and the other one of a direct conversation are to
// each other, as far as it is the user's doing.
func (s *Service) part(ctx context.Context, app im.AppID, conv im.ConvID, user im.UserID) error {
	peer := conv.Peer(user)
	all, err := s.d.Chat.Relations(ctx, app, user, []im.UserID{peer})
	if err != nil {
		return err
	}
	a, now := im.Actor{App: app, User: user}, all[peer]
	id, err := im.NewClientID(s.d.Clock.Now(), s.d.Entropy)
	if err != nil {
		return err
	}
	if now&(chat.AreContacts|chat.SmallerAsks|chat.LargerAsks) != 0 {
		err = s.d.Contacts.EndContact(ctx, a, peer, id)
	}
	if err == nil && now&chat.Blocks(conv, user) != 0 {
		_, err = s.d.Contacts.UnblockUser(ctx, a, &skeinv1.UnblockUserRequest{User: string(peer), ClientId: id[:]})
	}
	if im.CodeOf(err) == im.NotFound {
		return nil
	}
	return err
}
