package chat

import (
	"context"
	"crypto/sha256"
	"encoding/binary"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
)

// expiring is a journal whose readers get no body after its time: the entry
// that empties the row for good may come later, and nobody is to read the
// message meanwhile. Everything that this package reads, it reads here.
type expiring struct {
	journal.Journal
	clock im.Clock
}

// View implements journal.Journal.
func (j expiring) View(ctx context.Context, fn func(journal.View) error) error {
	now := im.MicrosOf(j.clock.Now())
	return j.Journal.View(ctx, func(v journal.View) error { return fn(expiringView{v, now}) })
}

// expiringView is a view of that journal. Every method of journal.View that
// returns entries stands here; a test holds it to that.
type expiringView struct {
	journal.View
	now im.Micros
}

// over tells whether an entry's time is up though its row does not say so yet.
func over(e *im.Entry, now im.Micros) bool { return e.Expires != 0 && now >= e.Expires && !e.Expired }

// expire shows an entry as its row will be.
func expire(e *im.Entry) { e.Body, e.Previous, e.Expired = nil, nil, true }

func (v expiringView) all(es []im.Entry, err error) ([]im.Entry, error) {
	for i := range es {
		if over(&es[i], v.now) {
			expire(&es[i])
		}
	}
	return es, err
}

// Entries implements journal.View.
func (v expiringView) Entries(app im.AppID, conv im.ConvID, from, to im.Seq, limit int, newest bool) ([]im.Entry, error) {
	return v.all(v.View.Entries(app, conv, from, to, limit, newest))
}

// Targeting implements journal.View.
func (v expiringView) Targeting(app im.AppID, conv im.ConvID, from, to im.Seq, limit int, kinds ...im.Kind) ([]im.Entry, error) {
	return v.all(v.View.Targeting(app, conv, from, to, limit, kinds...))
}

// Keyed implements journal.View.
func (v expiringView) Keyed(app im.AppID, conv im.ConvID) ([]im.Entry, error) {
	return v.all(v.View.Keyed(app, conv))
}

// KeyedIn implements journal.View.
func (v expiringView) KeyedIn(app im.AppID, conv im.ConvID, r journal.KeyRange) ([]im.Entry, error) {
	return v.all(v.View.KeyedIn(app, conv, r))
}

// KeyedAt implements journal.View.
func (v expiringView) KeyedAt(app im.AppID, conv im.ConvID, keys ...string) ([]im.Entry, error) {
	return v.all(v.View.KeyedAt(app, conv, keys...))
}

// Replies implements journal.View.
func (v expiringView) Replies(app im.AppID, conv im.ConvID, root, from, to im.Seq, limit int, newest bool) ([]im.Entry, error) {
	return v.all(v.View.Replies(app, conv, root, from, to, limit, newest))
}

// At implements journal.View.
func (v expiringView) At(app im.AppID, conv im.ConvID, seqs []im.Seq) ([]im.Entry, error) {
	return v.all(v.View.At(app, conv, seqs))
}

// Slots implements journal.View.
func (v expiringView) Slots(app im.AppID, conv im.ConvID, from, to string, limit int) ([]im.Entry, error) {
	return v.all(v.View.Slots(app, conv, from, to, limit))
}

// Since implements journal.View.
func (v expiringView) Since(shard int, after im.Pos, limit int) ([]im.Entry, error) {
	return v.all(v.View.Since(shard, after, limit))
}

// ByClientID implements journal.View.
func (v expiringView) ByClientID(app im.AppID, sender im.UserID, id im.ClientID) (im.Entry, error) {
	e, err := v.View.ByClientID(app, sender, id)
	if over(&e, v.now) {
		expire(&e)
	}
	return e, err
}

// Shown returns an entry as it may be delivered now: itself, or without its
// body when its time is up.
func (s *Service) Shown(e *im.Entry) *im.Entry {
	if e.Expires == 0 || !over(e, im.MicrosOf(s.clock.Now())) {
		return e
	}
	shown := *e
	expire(&shown)
	return &shown
}

// errOver tells that there is nothing left to empty.
var errOver = im.Errorf(im.AlreadyExists, "the message is gone already")

// Expire empties a message whose time is up, with every body that its edits
// had, by an entry that says so. It is the server's own doing: nobody is asked.
// What is empty already stays as it is. Errors: NotFound.
func (s *Service) Expire(ctx context.Context, app im.AppID, conv im.ConvID, seq im.Seq) error {
	return s.empty(ctx, app, conv, seq, emptying{why: "expire", of: im.KindMessage, by: im.KindExpire, effect: journal.ExpireTarget})
}

// emptying says how an entry is emptied.
type emptying struct {
	why    string // tells the reasons apart
	of, by im.Kind
	effect journal.Effect
}

// empty takes an entry's body away, by one that no user asked for. What is
// empty already stays as it is. Errors: NotFound.
func (s *Service) empty(ctx context.Context, app im.AppID, conv im.ConvID, seq im.Seq, how emptying) error {
	actor := im.Actor{App: app, Server: true}
	_, err := s.apply(ctx, actor, conv, s.ownID(how.why, app, conv, seq), func(ctx context.Context, _ *Room, a *journal.Append) error {
		a.Kind, a.Target, a.Effect = how.by, seq, how.effect
		return s.stored.View(ctx, func(v journal.View) error {
			es, err := v.Entries(app, conv, seq, seq, 1, false)
			switch {
			case err != nil:
				return err
			case len(es) == 0 || es[0].Kind != how.of:
				return im.ErrNotFound
			case es[0].Expired || es[0].Recalled:
				return errOver
			}
			a.TargetVersion, a.ToUsers, a.ToDevices = es[0].Version, about(&es[0]), es[0].ToDevices
			return nil
		})
	})
	if err == errOver {
		return nil
	}
	return err
}

// ownID is the client id of an entry that the server makes by itself about
// another one: the same for whoever tries, as long as they try within a
// millisecond; that there is only one is the target's version's doing.
func (s *Service) ownID(what string, app im.AppID, conv im.ConvID, seq im.Seq) im.ClientID {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(seq))
	sum := sha256.Sum256([]byte(what + "\x00" + string(app) + "\x00" + string(conv) + "\x00" + string(b[:])))
	var id im.ClientID
	copy(id[:], sum[:])
	binary.BigEndian.PutUint64(b[:], uint64(s.clock.Now().UnixMilli())<<16)
	copy(id[:6], b[:6])
	id[6], id[8] = id[6]&0x0f|0x70, id[8]&0x3f|0x80
	return id
}

// errExpired refuses what is done to a message whose time is up.
func errExpired() error { return im.Errorf(im.FailedPrecondition, "the message has expired") }
