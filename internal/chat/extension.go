package chat

import (
	"context"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Bounds of extensions.
const (
	maxExtensions     = 256     // keys of a message, those that were taken away included
	maxExtensionValue = 4 << 10 // bytes
	// crowded is from how many keys on a new one is counted exactly: others that
	// come at the same time are decided again.
	crowded = maxExtensions / 2
)

// Extend attaches a value to a message under a key, or takes it away. Whoever
// can see a message may; the newest value counts, and older ones are not kept.
func (s *Service) Extend(ctx context.Context, actor im.Actor, conv im.ConvID, seq im.Seq, x *skeinv1.Extension, id im.ClientID) (journal.Result, error) {
	switch {
	case x == nil || !im.ValidName(x.Key):
		return journal.Result{}, im.Errorf(im.InvalidArgument, "an extension has a key of 1 to 64 bytes of UTF-8 without control characters")
	case len(x.Value) > maxExtensionValue:
		return journal.Result{}, im.Errorf(im.TooLarge, "an extension has at most %d bytes", maxExtensionValue)
	case x.Removed && len(x.Value) > 0:
		return journal.Result{}, im.Errorf(im.InvalidArgument, "an extension that is taken away has no value")
	}
	body := encodeContent(&skeinv1.Content{Kind: &skeinv1.Content_Extension{Extension: &skeinv1.Extension{Key: x.Key, Value: x.Value, Removed: x.Removed}}})
	return s.onTarget(ctx, actor, conv, seq, id, &Action{Verb: VerbExtend}, func(ctx context.Context, room *Room, t *im.Entry, a *journal.Append) error {
		a.Body, a.Effect, a.Key, a.TargetVersion = body, journal.BlankKey, foldKey(seq, foldExtension, x.Key), t.Version
		if t.Recalled || t.Expired {
			return im.Errorf(im.FailedPrecondition, "the message was recalled")
		}
		return s.j.View(ctx, func(v journal.View) error {
			known, err := v.CountSlots(actor.App, conv, a.Key, a.Key+"\x01", 1) // no key has control characters, and PostgreSQL takes no NUL
			if err != nil || known > 0 {
				return err
			}
			if x.Removed {
				return im.Errorf(im.FailedPrecondition, "the message has no such extension")
			}
			all := foldPrefix(seq) + foldExtension + "/"
			n, err := v.CountSlots(actor.App, conv, all, past(all), maxExtensions)
			if err != nil || n < crowded {
				return err
			}
			if n >= maxExtensions {
				return im.Errorf(im.FailedPrecondition, "a message has at most %d extensions", maxExtensions)
			}
			a.Raise = true
			if room.Version < 0 {
				c, err := v.Conv(actor.App, conv)
				a.ACLVersion = c.ACLVersion
				return err
			}
			return nil
		})
	})
}

// Extensions returns what is attached to a message, ascending by key; nothing
// to a recalled one.
func (s *Service) Extensions(ctx context.Context, actor im.Actor, conv im.ConvID, seq im.Seq) (*skeinv1.ListExtensionsResponse, error) {
	var out *skeinv1.ListExtensionsResponse
	err := s.readingShown(ctx, actor, conv, func(v journal.View, c *journal.Conv, self journal.Member, head im.Seq, hidden Hidden) error {
		out = &skeinv1.ListExtensionsResponse{}
		es, err := readable(v, actor, c, self, head, hidden, []im.Seq{seq})
		if err != nil || len(es) == 0 {
			return orNotFound(err)
		}
		f, err := fold1(v, c, seq, head)
		if err == nil {
			out.Extensions = f.item(&es[0], actor.User).Extensions
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
