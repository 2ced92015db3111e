package chat

import (
	"context"
	"slices"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Bounds of a poll.
const (
	minOptions     = 2
	maxOptions     = 20
	maxQuestion    = 512 // bytes
	maxOption      = 128 // bytes
	maxOptionID    = 16  // bytes
	maxPollForever = 1 << 53
)

// checkPoll holds a poll that is sent to its rules.
func checkPoll(p *skeinv1.Poll) error {
	if p == nil || hasGroups(p) {
		return errGroups()
	}
	if err := checkLine(p.Question, "a poll's question", 1, maxQuestion); err != nil {
		return err
	}
	switch n := len(p.Options); {
	case n < minOptions || n > maxOptions:
		return im.Errorf(im.InvalidArgument, "a poll has %d to %d options", minOptions, maxOptions)
	case int(p.MaxChoices) > n:
		return im.Errorf(im.InvalidArgument, "max_choices is at most the number of options")
	case p.ClosesUs < 0 || p.ClosesUs > maxPollForever:
		return im.Errorf(im.InvalidArgument, "closes_us is a time in microseconds")
	case p.Closed:
		return im.Errorf(im.InvalidArgument, "a poll is closed by ClosePoll")
	}
	seen := make(map[string]bool, len(p.Options))
	for _, o := range p.Options {
		switch {
		case o == nil || hasGroups(o):
			return errGroups()
		case !validOptionID(o.Id) || seen[o.Id]:
			return im.Errorf(im.InvalidArgument, "options have different ids of 1 to %d bytes of a-z A-Z 0-9 _ -", maxOptionID)
		}
		seen[o.Id] = true
		if err := checkLine(o.Text, "an option", 1, maxOption); err != nil {
			return err
		}
	}
	return nil
}

func validOptionID(id string) bool {
	if len(id) == 0 || len(id) > maxOptionID {
		return false
	}
	for i := 0; i < len(id); i++ {
		c := id[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-') {
			return false
		}
	}
	return true
}

// Vote takes the place of what the actor chose before in a poll; no choices
// take it back. The entry follows the actor's last one of this poll by its key,
// so that the chain of a voter is whole whoever was faster; the poll's version
// guards it, so that nothing is counted after the poll was closed.
func (s *Service) Vote(ctx context.Context, actor im.Actor, conv im.ConvID, seq im.Seq, choices []string, id im.ClientID) (journal.Result, error) {
	if actor.User == "" {
		return journal.Result{}, im.Errorf(im.InvalidArgument, "only a user votes")
	}
	return s.onTarget(ctx, actor, conv, seq, id, &Action{Verb: VerbVote}, func(_ context.Context, _ *Room, t *im.Entry, a *journal.Append) error {
		a.Effect, a.Key, a.TargetVersion = journal.FollowKey, foldKey(seq, foldVote, string(actor.User)), t.Version
		p, err := s.openPoll(t)
		if err != nil {
			return err
		}
		ordered, err := chosen(p, choices)
		if err != nil {
			return err
		}
		a.Body = encodeContent(&skeinv1.Content{Kind: &skeinv1.Content_Vote{Vote: &skeinv1.Vote{Choices: ordered}}})
		return nil
	})
}

// openPoll is the poll that a message is, if it still takes votes.
func (s *Service) openPoll(t *im.Entry) (*skeinv1.Poll, error) {
	p := contentOf(t.Body).GetPoll()
	switch {
	case t.Recalled || t.Expired:
		return nil, im.Errorf(im.FailedPrecondition, "the poll was recalled")
	case p == nil:
		return nil, im.Errorf(im.InvalidArgument, "the message is no poll")
	case p.Closed || p.ClosesUs > 0 && im.MicrosOf(s.clock.Now()) >= im.Micros(p.ClosesUs):
		return nil, im.Errorf(im.FailedPrecondition, "the poll is closed")
	}
	return p, nil
}

// chosen returns the choices in the order of the options.
func chosen(p *skeinv1.Poll, choices []string) ([]string, error) {
	if len(choices) > int(max(p.MaxChoices, 1)) {
		return nil, im.Errorf(im.InvalidArgument, "the poll takes at most %d choices", max(p.MaxChoices, 1))
	}
	var out []string
	for _, o := range p.Options {
		if slices.Contains(choices, o.Id) {
			out = append(out, o.Id)
		}
	}
	if len(out) != len(choices) {
		return nil, im.Errorf(im.InvalidArgument, "a choice is no option of the poll, or stands there twice")
	}
	return out, nil
}

// ClosePoll ends a poll: one's own, or in a group, where its policy allows it,
// somebody else's.
func (s *Service) ClosePoll(ctx context.Context, actor im.Actor, conv im.ConvID, seq im.Seq, id im.ClientID) (journal.Result, error) {
	return s.onTarget(ctx, actor, conv, seq, id, &Action{Verb: VerbClosePoll}, func(_ context.Context, room *Room, t *im.Entry, a *journal.Append) error {
		if t.Sender != actor.User && !actor.Server && room.Kind != im.ConvGroup {
			return im.Errorf(im.PermissionDenied, "only its author closes a poll")
		}
		if _, err := s.openPoll(t); err != nil {
			return err
		}
		return replaceContent(t, a, func(c *skeinv1.Content) error {
			c.GetPoll().Closed = true
			return nil
		})
	})
}
