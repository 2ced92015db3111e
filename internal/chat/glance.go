package chat

import (
	"context"
	"crypto/hmac"
	"encoding/base64"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
)

// Glance returns the messages at some places of a conversation, as they are
// now, ascending. Those that the actor may not read at this moment, has
// deleted for themself, that are empty or are none are left out, and so is the whole conversation when it is
// not the actor's: who looks things up for a user (search, say) asks here.
func (s *Service) Glance(ctx context.Context, actor im.Actor, conv im.ConvID, seqs []im.Seq) ([]im.Entry, error) {
	var out []im.Entry
	err := s.reading(ctx, actor, conv, func(v journal.View, _ *Room, self journal.Member, head im.Seq) error {
		out = out[:0]
		hidden, err := HiddenIn(v, actor.App, actor.User, conv)
		if err != nil {
			return err
		}
		for _, seq := range seqs {
			if seq < max(self.From, 1) || seq > head || hidden[conv].Has(seq) {
				continue
			}
			es, err := entries(v, actor.App, conv, seq, seq, 1, false)
			if err != nil {
				return err
			}
			if len(es) == 1 && es[0].Kind == im.KindMessage && len(es[0].Body) > 0 && !es[0].Withheld(actor.User, actor.Device) {
				out = append(out, es[0])
			}
		}
		return nil
	})
	if im.CodeOf(err) == im.NotFound {
		return nil, nil
	}
	return out, err
}

// Places returns the conversations that the actor is or was in.
func (s *Service) Places(ctx context.Context, actor im.Actor, limit int) (out []journal.Place, err error) {
	err = s.j.View(ctx, func(v journal.View) (err error) {
		out, err = v.Places(actor.App, actor.User, limit)
		return err
	})
	return out, err
}

// Seal makes a token that means something to whoever made it and is bound to
// the actor: another one cannot read it, and nobody can change it. what tells
// the uses of it apart.
func (s *Service) Seal(actor im.Actor, what byte, payload []byte) string {
	return base64.RawURLEncoding.EncodeToString(append(payload[:len(payload):len(payload)], s.cursors.mac(actor, what, payload)...))
}

// Unseal reads it back; false when it is forged or another's.
func (s *Service) Unseal(actor im.Actor, what byte, token string) ([]byte, bool) {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	n := len(raw) - macBytes
	if err != nil || n < 0 || !hmac.Equal(raw[n:], s.cursors.mac(actor, what, raw[:n])) {
		return nil, false
	}
	return raw[:n], true
}
