package call

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/job"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// What a call and a recording leave in the conversation, as it is due.
const (
	noteStart int64 = 1
	noteEnd   int64 = 2
	sendFiles int64 = 4 // of a recording: files are stored that are in no message
)

// call is a row of the table.
type call struct {
	app           im.AppID
	id            string
	starter       im.UserID
	conv          im.ConvID
	hash          []byte
	room          string
	video, quiet  int64
	role          int64
	state, ending int64
	created       im.Micros
	answered      im.Micros
	ended         im.Micros
	version, told int64
	closed, due   int64
	note1, note2  []byte
	recording     string // that goes on, empty = none
	recorder      im.UserID
	recorded      im.Micros
}

func (c *call) direct() bool { return c.conv.Kind() == im.ConvDirect }

const callColumns = "app, id, starter, conv, hash, room, video, quiet, role, state, ending, created, answered, ended, version, told, closed, due, note_1, note_2, recording, recorder, recorded"

func (c *call) scan(from interface{ Scan(...any) error }) error {
	return from.Scan(&c.app, &c.id, &c.starter, &c.conv, &c.hash, &c.room, &c.video, &c.quiet, &c.role, &c.state, &c.ending, &c.created, &c.answered,
		&c.ended, &c.version, &c.told, &c.closed, &c.due, &c.note1, &c.note2, &c.recording, &c.recorder, &c.recorded)
}

// store writes what changes of a call after it was made.
func (c *call) store(tx db.Tx) error {
	_, err := tx.Exec("UPDATE call SET state = $3, ending = $4, answered = $5, ended = $6, version = $7, due = $8, recording = $9, recorder = $10, recorded = $11 WHERE app = $1 AND id = $2",
		c.app, c.id, c.state, c.ending, c.answered, c.ended, c.version, c.due, c.recording, c.recorder, c.recorded)
	return err
}

func (c *call) insert(tx db.Tx) error {
	_, err := tx.Exec("INSERT INTO call ("+callColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23)",
		c.app, c.id, c.starter, c.conv, c.hash, c.room, c.video, c.quiet, c.role, c.state, c.ending, c.created, c.answered, c.ended, c.version, c.told,
		c.closed, c.due, c.note1, c.note2, c.recording, c.recorder, c.recorded)
	return err
}

// party is a row of call_party.
type party struct {
	user    im.UserID
	role    int64
	state   state
	device  im.DeviceID
	inviter im.UserID
	ring    im.Micros
	joined  im.Micros
	gone    im.Micros
	seen    im.Micros
	evict   string
	changed im.Micros
	version int64
	told    int64
	hushed  im.Micros
	allowed int64

	touched bool // it has to be stored
}

// acts is the role that a party has in the room: they only hear and see while
// the group has muted them, whatever role they were given.
func (p *party) acts() int64 {
	if p.hushed != 0 {
		return int64(skeinv1.CallRole_CALL_ROLE_VIEWER)
	}
	return p.role
}

const partyColumns = "usr, role, state, device, inviter, ring, joined, gone, seen, evict, changed, version, told, hushed, allowed"

func (p *party) scan(from interface{ Scan(...any) error }) error {
	return from.Scan(&p.user, &p.role, &p.state, &p.device, &p.inviter, &p.ring, &p.joined, &p.gone, &p.seen, &p.evict, &p.changed, &p.version, &p.told, &p.hushed, &p.allowed)
}

func (p *party) store(tx db.Tx, c *call) error {
	_, err := tx.Exec("INSERT INTO call_party (app, call_id, "+partyColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
		ON CONFLICT (app, usr, call_id) DO UPDATE SET role = excluded.role, state = excluded.state, device = excluded.device, inviter = excluded.inviter, ring = excluded.ring,
		joined = excluded.joined, gone = excluded.gone, seen = excluded.seen, evict = excluded.evict, changed = excluded.changed, version = excluded.version,
		hushed = excluded.hushed, allowed = excluded.allowed`,
		c.app, c.id, p.user, p.role, int64(p.state), p.device, p.inviter, p.ring, p.joined, p.gone, p.seen, p.evict, p.changed, p.version, p.told, p.hushed, p.allowed)
	return err
}

// load reads a call; NotFound when there is none.
func load(tx db.Tx, app im.AppID, id string) (*call, error) {
	c := new(call)
	err := c.scan(tx.QueryRow("SELECT "+callColumns+" FROM call WHERE app = $1 AND id = $2", app, id))
	if errors.Is(err, db.ErrNoRows) {
		return nil, im.ErrNotFound
	}
	return c, err
}

// loadAll reads a call with everybody in it; NotFound when there is none.
func loadAll(tx db.Tx, app im.AppID, id string) (*call, []*party, error) {
	c, err := load(tx, app, id)
	if err != nil {
		return nil, nil, err
	}
	parties, err := loadParties(tx, c)
	return c, parties, err
}

// loadParties reads everybody of a call: the starter, then by their ids.
func loadParties(tx db.Tx, c *call) ([]*party, error) {
	var out []*party
	err := db.Each(tx, func(r db.Rows) error {
		p := new(party)
		err := p.scan(r)
		out = append(out, p)
		return err
	}, "SELECT "+partyColumns+" FROM call_party WHERE app = $1 AND call_id = $2 ORDER BY usr", c.app, c.id)
	slices.SortStableFunc(out, func(a, b *party) int {
		return cmp.Compare(boolInt(b.user == c.starter), boolInt(a.user == c.starter))
	})
	return out, err
}

func boolInt(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// turn is one change of a call: the call and everybody in it, as they are in a
// transaction.
type turn struct {
	s       *Service
	tx      db.Tx
	now     im.Micros
	c       *call
	parties []*party
}

func (t *turn) party(u im.UserID) *party {
	for _, p := range t.parties {
		if p.user == u {
			return p
		}
	}
	return nil
}

// add returns a user's party, made when there is none.
func (t *turn) add(u im.UserID) *party {
	if p := t.party(u); p != nil {
		return p
	}
	p := &party{user: u, role: t.c.role}
	t.parties = append(t.parties, p)
	return p
}

// store writes a turn down: who is to be told, what is to be done.
func (t *turn) store(before *call) error {
	c := t.c
	moved := c.state != before.state || c.answered != before.answered
	changed := moved || before.id == ""
	for _, p := range t.parties {
		// A call that is answered, or over, is news for who is in it.
		if moved && !p.touched && (p.state == joined || p.state == ringing) {
			p.version++
			p.touched, p.changed = true, t.now
		}
		if p.touched {
			if err := p.store(t.tx, c); err != nil {
				return err
			}
			changed = true
		}
	}
	if !changed {
		return nil
	}
	if c.state == callEnded && before.state != callEnded && skeinv1.CallEnd(c.ending) != skeinv1.CallEnd_CALL_END_FAILED {
		c.due |= noteEnd
	}
	if c.state == callEnded {
		if err := t.stopRecording(problem{}); err != nil {
			return err
		}
	}
	c.version++
	if err := c.store(t.tx); err != nil {
		return err
	}
	return t.s.later(t.tx, workKind, c, strconv.FormatInt(c.version, 10), workAfter)
}

// Jobs come twice, a few seconds apart: a node that dies with the first has it
// for as long as its lease runs, and the second finds nothing to do otherwise.
const (
	workAfter = 2 * time.Second // who made the change does the work at once
	secondJob = 5 * time.Second
)

// later has a job done for a call, surely.
func (s *Service) later(tx db.Tx, kind string, c *call, key string, delay time.Duration) error {
	for i, d := range []time.Duration{delay, delay + secondJob} {
		if _, _, err := s.d.Queue.Enqueue(tx, job.Spec{Kind: kind, App: c.app, Key: c.id + "/" + key + "/" + strconv.Itoa(i), Delay: d}); err != nil {
			return err
		}
	}
	return nil
}

// change runs a turn on a call. fn may run several times, and its error takes
// everything back. Afterwards the work is done.
func (s *Service) change(ctx context.Context, app im.AppID, id string, fn func(t *turn) error) (*turn, error) {
	out, err := s.turn(ctx, app, id, fn)
	if err != nil {
		return nil, err
	}
	s.workNow(ctx, app, id)
	return out, nil
}

// turn is change without the work.
func (s *Service) turn(ctx context.Context, app im.AppID, id string, fn func(t *turn) error) (*turn, error) {
	defer s.alone(id)()
	var out *turn
	err := s.d.DB.Write(ctx, func(tx db.Tx) error {
		now, err := tx.Now()
		if err != nil {
			return err
		}
		c, parties, err := loadAll(tx, app, id)
		if err != nil {
			return err
		}
		out = &turn{s: s, tx: tx, now: now, c: c, parties: parties}
		before := *c
		if err := fn(out); err != nil {
			return err
		}
		out.settle()
		return out.store(&before)
	})
	return out, err
}

// elsewhere returns the call that a user is in, beside one, with the device
// that is in it; "" = none.
func elsewhere(tx db.Tx, app im.AppID, u im.UserID, id string) (other string, device im.DeviceID, err error) {
	err = tx.QueryRow("SELECT call_id, device FROM call_party WHERE app = $1 AND usr = $2 AND state = 2 AND call_id <> $3", app, u, id).Scan(&other, &device)
	if errors.Is(err, db.ErrNoRows) {
		return "", "", nil
	}
	return other, device, err
}

// wire is a call as an actor sees it; most bounds its parties, 0 = all.
func (c *call) wire(parties []*party, a im.Actor, most int) *skeinv1.Call {
	out := &skeinv1.Call{Id: c.id, Conversation: string(c.conv), Starter: string(c.starter), Video: c.video != 0, State: skeinv1.CallState(c.state),
		End: skeinv1.CallEnd(c.ending), StartedUs: int64(c.created), AnsweredUs: int64(c.answered), EndedUs: int64(c.ended), Role: skeinv1.CallRole(c.role),
		PartyCount: uint32(len(parties)), Version: uint32(c.version), Recording: c.mark()}
	for _, p := range parties {
		if p.state == joined {
			out.JoinedCount++
		}
		if most > 0 && len(out.Parties) >= most && p.user != a.User {
			continue
		}
		w := &skeinv1.CallParty{User: string(p.user), State: skeinv1.CallPartyState(p.state), Role: skeinv1.CallRole(p.acts()), InvitedBy: string(p.inviter),
			JoinedUs: int64(p.joined), LeftUs: int64(p.gone)}
		if p.user == a.User {
			w.Device = string(p.device)
		}
		out.Parties = append(out.Parties, w)
	}
	return out
}

// own is a call as one of its users has it.
func (c *call) own(p *party) *skeinv1.UserCall {
	return &skeinv1.UserCall{Call: c.id, Conversation: string(c.conv), Starter: string(c.starter), Video: c.video != 0, State: skeinv1.CallState(c.state),
		End: skeinv1.CallEnd(c.ending), Own: skeinv1.CallPartyState(p.state), Role: skeinv1.CallRole(p.acts()), Device: string(p.device), InvitedBy: string(p.inviter),
		StartedUs: int64(c.created), AnsweredUs: int64(c.answered), RingsUntilUs: int64(p.ring), Recording: c.mark()}
}
