package chat

import (
	"context"
	"fmt"
	"slices"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

const (
	pinKeys   = "pinned/" // begins the keys of pins
	maxPinned = 100
)

// Pin pins a message, or takes its pin down; nil when that is so already.
//
// A pin is an entry of the conversation under one of 100 keys. A key whose pin
// was taken down, or whose message is gone, is used again, so that what devices
// keep of a conversation does not grow with the years. Each one raises the
// conversation's version: what was counted is exact, in a direct conversation
// too.
func (s *Service) Pin(ctx context.Context, actor im.Actor, conv im.ConvID, seq im.Seq, remove bool, id im.ClientID) (*im.Entry, error) {
	var last *journal.Append
	res, err := s.apply(ctx, actor, conv, id, func(ctx context.Context, room *Room, a *journal.Append) error {
		last, a.Kind, a.Target, a.Raise = a, im.KindConversation, seq, true
		self, in := room.Member(actor.User)
		if !in && !actor.Server || seq < self.From {
			return im.ErrNotFound
		}
		var t im.Entry
		var err error
		if !remove {
			if t, err = s.target(ctx, actor, room, seq); err != nil {
				return err
			}
		}
		if err := s.decide(ctx, &Action{Verb: VerbPin, Actor: actor, Room: room, Target: &t}); err != nil {
			return err
		}
		if t.Recalled || t.Expired || len(t.ToUsers)+len(t.ToDevices) > 0 {
			return im.Errorf(im.FailedPrecondition, "a message that was recalled, or is for some, is not pinned")
		}
		a.Body = encodeContent(&skeinv1.Content{Kind: &skeinv1.Content_Pin{Pin: &skeinv1.Pin{Seq: uint64(seq), Removed: remove}}})
		return s.j.View(ctx, func(v journal.View) error {
			c, err := v.Conv(actor.App, conv)
			if err != nil {
				return err
			}
			if room.Version < 0 { // nobody looked it up
				a.ACLVersion = c.ACLVersion
			}
			a.Key, err = pinKey(v, &c, seq, remove)
			return err
		})
	})
	if im.CodeOf(err) == im.ClientIDReused && last != nil { // by now it would have another key
		if done, ok := s.repeated(ctx, last); ok && string(done.Entry.Body) == string(last.Body) {
			return &done.Entry, nil
		}
	}
	if err == ErrNoChange { //nolint:errorlint // it is returned as it is
		return nil, nil
	}
	return &res.Entry, err
}

// pinKey finds the key under which a message is pinned, or may be.
func pinKey(v journal.View, c *journal.Conv, seq im.Seq, remove bool) (string, error) {
	es, err := v.Slots(c.App, c.ID, pinKeys, past(pinKeys), maxPinned)
	if err != nil {
		return "", err
	}
	free, live := "", map[im.Seq]string{}
	for i := range es {
		p := contentOf(es[i].Body).GetPin()
		switch {
		case im.Seq(p.GetSeq()) == seq && !p.GetRemoved():
			if remove {
				return es[i].Key, nil
			}
			return "", ErrNoChange
		case p.GetRemoved():
			free = es[i].Key
		default:
			live[im.Seq(p.GetSeq())] = es[i].Key
		}
	}
	switch {
	case remove:
		return "", ErrNoChange
	case free != "":
		return free, nil
	case len(es) < maxPinned:
		return fmt.Sprintf("%s%02d", pinKeys, len(es)), nil
	}
	seqs := make([]im.Seq, 0, len(live))
	for s := range live {
		seqs = append(seqs, s)
	}
	messages, err := v.At(c.App, c.ID, seqs)
	if err != nil {
		return "", err
	}
	for i := range messages {
		if messages[i].Recalled || messages[i].Expired {
			return live[messages[i].Seq], nil
		}
	}
	return "", im.Errorf(im.FailedPrecondition, "at most %d messages are pinned; take one down first", maxPinned)
}

// Pins returns the pinned messages that the actor may read, the newest pin
// first. What was recalled or has expired is not pinned any more.
func (s *Service) Pins(ctx context.Context, actor im.Actor, conv im.ConvID) (*skeinv1.ListPinsResponse, error) {
	var out *skeinv1.ListPinsResponse
	err := s.readingShown(ctx, actor, conv, func(v journal.View, c *journal.Conv, self journal.Member, head im.Seq, hidden Hidden) error {
		out = &skeinv1.ListPinsResponse{Incarnation: s.j.Incarnation(), AsOfSeq: uint64(head)}
		if c.Bits&journal.BitKeyed == 0 {
			return nil
		}
		es, err := v.Slots(c.App, c.ID, pinKeys, past(pinKeys), maxPinned)
		if err != nil {
			return err
		}
		pins := map[im.Seq]*im.Entry{}
		var seqs []im.Seq
		for i := range es {
			if p := contentOf(es[i].Body).GetPin(); p != nil && !p.Removed && es[i].Seq <= head {
				pins[im.Seq(p.Seq)] = &es[i]
				seqs = append(seqs, im.Seq(p.Seq))
			}
		}
		messages, err := readable(v, actor, c, self, head, hidden, seqs)
		if err != nil {
			return err
		}
		messages = slices.DeleteFunc(messages, func(e im.Entry) bool { return e.Recalled || e.Expired })
		items, err := itemsOf(v, actor, c, messages, head, hidden)
		slices.SortFunc(items, func(a, b *skeinv1.HistoryItem) int {
			return int(pins[im.Seq(b.Entry.Seq)].Seq - pins[im.Seq(a.Entry.Seq)].Seq)
		})
		for _, it := range items {
			by := pins[im.Seq(it.Entry.Seq)]
			out.Pins = append(out.Pins, &skeinv1.PinnedMessage{Item: it, User: string(by.Sender), TimeUs: int64(by.Time)})
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
