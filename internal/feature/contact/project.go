package contact

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/follow"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/job"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// jobKind names the jobs that write the lists.
const jobKind = "contact_lists"

// oldest is the age up to which entries are projected again. Later their
// client ids would be refused, and they have had their effect for weeks.
const oldest = 28 * 24 * time.Hour

// where is a CONTACT entry, as a job carries it.
type where struct {
	Conv im.ConvID `json:"conv"`
	Seq  im.Seq    `json:"seq"`
}

// Follower makes a job of every CONTACT entry: who called may be gone before
// both lists are written.
func Follower(enqueue func(tx db.Tx, s job.Spec) error) follow.Follower {
	return follow.Follower{Name: "contacts", Origin: follow.FromStart,
		Wants: func(e *im.Entry) bool { return e.Kind == im.KindContact },
		Apply: func(_ context.Context, tx db.Tx, entries []im.Entry) error {
			for i := range entries {
				e := &entries[i]
				body, err := json.Marshal(where{e.Conv, e.Seq})
				if err != nil {
					return err
				}
				if err := enqueue(tx, job.Spec{Kind: jobKind, App: e.App, Key: fmt.Sprintf("%s %d", e.Conv, e.Seq), Body: body}); err != nil {
					return err
				}
			}
			return nil
		}}
}

// Jobs is the kind of job that Follower makes. A queue has to know it before
// there is a service, so late is asked when a job runs.
func Jobs(late func() *Service) job.Kind {
	return job.Kind{Name: jobKind, PerTarget: 8, Run: func(ctx context.Context, j job.Job) error {
		s := late()
		var w where
		if err := json.Unmarshal(j.Body, &w); err != nil {
			return job.Permanent(err)
		}
		var found []im.Entry
		err := s.Journal.View(ctx, func(v journal.View) (err error) {
			found, err = v.Entries(j.App, w.Conv, w.Seq, w.Seq, 1, false)
			return err
		})
		if err != nil || len(found) == 0 {
			return err
		}
		return s.project(ctx, &found[0])
	}}
}

// settle writes both lists before a call is answered, so that whoever called
// finds what they did. Should it fail, the entry's job does it.
func (s *Service) settle(ctx context.Context, e *im.Entry) error {
	if err := s.project(ctx, e); err != nil && ctx.Err() == nil && im.CodeOf(err) == im.Internal {
		return fmt.Errorf("lists of %s: %w", e.Conv, err)
	}
	if a, b := e.Conv.Pair(); s.Changed != nil {
		s.Changed(e.App, a, b)
	}
	return nil
}

// project writes what a CONTACT entry changes into the two users' own
// conversations. It can be run again, late, and for several entries at once:
// it writes what the relation is by now, and only if nobody else has written
// the same key in between.
func (s *Service) project(ctx context.Context, e *im.Entry) error {
	if s.Clock.Now().Sub(e.Time.Time()) > oldest {
		return nil
	}
	c := changeOf(e)
	peer := e.Conv.Peer(e.Sender)
	if c == nil || peer == "" {
		return nil
	}
	if c.Action == skeinv1.ContactAction_CONTACT_ACTION_BLOCK && s.Part != nil {
		if err := s.Part(ctx, e.App, e.Sender, peer); err != nil {
			return err
		}
	}
	p := projection{s: s, e: e, c: c}
	for _, w := range []struct {
		owner, other im.UserID
		prefix       string
		want         func(now *state) *skeinv1.ContactChange
	}{
		{e.Sender, peer, keyContact, p.contact}, {peer, e.Sender, keyContact, p.contact},
		{e.Sender, peer, keyRequest, p.request}, {peer, e.Sender, keyRequest, p.request},
		{e.Sender, peer, keyBlock, p.block},
	} {
		if err := p.put(ctx, w.owner, w.other, w.prefix, w.want); err != nil {
			return err
		}
	}
	return nil
}

// projection is the projecting of one entry.
type projection struct {
	s *Service
	e *im.Entry
	c *skeinv1.ContactChange
}

// state is what a decision about one key is made of.
type state struct {
	owner, other im.UserID
	conv         im.ConvID
	rel          chat.Relation
	value        *skeinv1.ContactChange // never nil
}

// gone is the value of what is no more.
func gone() *skeinv1.ContactChange { return &skeinv1.ContactChange{} }

// put decides about one key and writes it.
func (p *projection) put(ctx context.Context, owner, other im.UserID, prefix string, want func(now *state) *skeinv1.ContactChange) error {
	key := prefix + string(other)
	self := im.Self(owner)
	_, err := p.s.Chat.SetKeyed(ctx, im.Actor{App: p.e.App, User: owner}, self, p.id(owner, key), func(v journal.View, _ *chat.Room) (chat.Keyed, error) {
		have, err := slot(v, p.e.App, self, key)
		if err != nil {
			return chat.Keyed{}, err
		}
		now := &state{owner: owner, other: other, conv: p.e.Conv, value: gone()}
		seq := im.Seq(0)
		if have != nil {
			seq = have.Seq
			if c := changeOf(have); c != nil {
				now.value = c
			}
		}
		conv, err := v.Conv(p.e.App, p.e.Conv)
		if err != nil {
			return chat.Keyed{}, err
		}
		now.rel = chat.Relation(conv.Bits)
		to := want(now)
		if to == nil {
			return chat.Keyed{}, errDone
		}
		return keyed(key, seq, to), nil
	})
	if errors.Is(err, errDone) {
		return nil
	}
	return err
}

// id derives a write's client id from its input, so that a repetition is one.
func (p *projection) id(owner im.UserID, key string) im.ClientID {
	sum := sha256.Sum256([]byte(strings.Join([]string{string(p.e.App), string(p.e.Conv), fmt.Sprint(p.e.Seq), string(owner), key}, "\x00")))
	id, err := im.NewClientID(p.e.Time.Time(), strings.NewReader(string(sum[:])))
	if err != nil {
		panic(err) // the reader has 32 bytes and ten are read
	}
	return id
}

// contact wants the value of contact/OTHER; nil = what is there.
func (p *projection) contact(now *state) *skeinv1.ContactChange {
	made := p.c.Action == skeinv1.ContactAction_CONTACT_ACTION_ADD || p.c.Action == skeinv1.ContactAction_CONTACT_ACTION_ACCEPT
	switch are := now.rel&chat.AreContacts != 0; {
	case are && now.value.Contact == nil && made:
		return &skeinv1.ContactChange{Contact: &skeinv1.Contact{User: string(now.other), SinceUs: int64(p.e.Time)}}
	case !are && now.value.Contact != nil:
		return gone()
	}
	return nil
}

// request wants the value of request/OTHER.
func (p *projection) request(now *state) *skeinv1.ContactChange {
	have, pending := now.value.Request, skeinv1.ContactRequestState_CONTACT_REQUEST_STATE_PENDING
	newer := have == nil || have.Seq < uint64(p.e.Seq)
	switch asks := now.rel&either != 0; {
	case asks && p.c.Action == skeinv1.ContactAction_CONTACT_ACTION_REQUEST && now.rel&chat.Asks(now.conv, p.e.Sender) != 0 && newer:
		return &skeinv1.ContactChange{Request: &skeinv1.ContactRequest{User: string(now.other), Outgoing: now.owner == p.e.Sender,
			State: pending, Greeting: p.c.Greeting, TimeUs: int64(p.e.Time), Seq: uint64(p.e.Seq)}}
	case asks || have == nil && p.c.Action != skeinv1.ContactAction_CONTACT_ACTION_DECLINE:
		return nil
	case p.c.Action == skeinv1.ContactAction_CONTACT_ACTION_DECLINE && now.owner != p.e.Sender && now.rel&chat.AreContacts == 0:
		if !newer {
			return nil
		}
		return &skeinv1.ContactChange{Request: &skeinv1.ContactRequest{User: string(now.other), Outgoing: true,
			State: skeinv1.ContactRequestState_CONTACT_REQUEST_STATE_DECLINED, Greeting: have.GetGreeting(), TimeUs: int64(p.e.Time), Seq: uint64(p.e.Seq)}}
	case have != nil && (have.State == pending || now.rel&chat.AreContacts != 0 || p.c.Action == skeinv1.ContactAction_CONTACT_ACTION_BLOCK):
		return gone()
	}
	return nil
}

// block wants the value of block/OTHER of the one who blocks or unblocks.
func (p *projection) block(now *state) *skeinv1.ContactChange {
	switch blocks := now.rel&chat.Blocks(now.conv, now.owner) != 0; {
	case blocks && now.value.Blocked == nil && p.c.Action == skeinv1.ContactAction_CONTACT_ACTION_BLOCK:
		return &skeinv1.ContactChange{Blocked: &skeinv1.BlockedUser{User: string(now.other), SinceUs: int64(p.e.Time)}}
	case !blocks && now.value.Blocked != nil:
		return gone()
	}
	return nil
}
