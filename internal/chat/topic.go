package chat

import (
	"context"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

const (
	topicKeys    = journal.FoldedKey + "t/" // begins the keys of topics' roots, before the client id
	maxTopics    = 500                      // in a community, recalled ones included
	maxTopicName = 128                      // bytes
	maxTopicIcon = 32                       // bytes
)

func checkTopic(name, icon string) error {
	if err := checkLine(name, "a topic's name", 1, maxTopicName); err != nil {
		return err
	}
	return checkLine(icon, "a topic's icon", 0, maxTopicIcon)
}

// CreateTopic appends the root of a topic to a community. The root has a key,
// by which the topics of a community are found.
func (s *Service) CreateTopic(ctx context.Context, actor im.Actor, conv im.ConvID, name, icon string, id im.ClientID) (journal.Result, error) {
	if err := checkTopic(name, icon); err != nil {
		return journal.Result{}, err
	}
	content := &skeinv1.Content{Kind: &skeinv1.Content_Topic{Topic: &skeinv1.Topic{Name: name, Icon: icon}}}
	return s.apply(ctx, actor, conv, id, func(ctx context.Context, room *Room, a *journal.Append) error {
		a.Kind, a.Body, a.MarkRead, a.Key, a.Raise = im.KindMessage, encodeContent(content), true, topicKeys+id.String(), true
		if err := s.decide(ctx, &Action{Verb: VerbCreateTopic, Actor: actor, Room: room, Content: content}); err != nil {
			return err
		}
		if !community(room) {
			return im.Errorf(im.FailedPrecondition, "only a community has topics")
		}
		return s.j.View(ctx, func(v journal.View) error {
			n, err := v.CountSlots(actor.App, conv, topicKeys, past(topicKeys), maxTopics)
			if err == nil && n >= maxTopics {
				return im.Errorf(im.FailedPrecondition, "a community has at most %d topics", maxTopics)
			}
			return err
		})
	})
}

// UpdateTopic changes a topic's name and icon: its creator, or who may manage
// topics.
func (s *Service) UpdateTopic(ctx context.Context, actor im.Actor, conv im.ConvID, root im.Seq, name, icon string, id im.ClientID) (journal.Result, error) {
	if err := checkTopic(name, icon); err != nil {
		return journal.Result{}, err
	}
	return s.changeTopic(ctx, actor, conv, root, id, func(t *skeinv1.Topic) error {
		t.Name, t.Icon = name, icon
		return nil
	})
}

// CloseTopic lets nobody write into a topic any more but who may manage topics,
// or opens it again.
func (s *Service) CloseTopic(ctx context.Context, actor im.Actor, conv im.ConvID, root im.Seq, reopen bool, id im.ClientID) (journal.Result, error) {
	return s.changeTopic(ctx, actor, conv, root, id, func(t *skeinv1.Topic) error {
		if t.Closed != reopen {
			return im.Errorf(im.FailedPrecondition, "the topic is so already")
		}
		t.Closed = !reopen
		return nil
	})
}

// changeTopic replaces the root's body with one whose topic is changed.
func (s *Service) changeTopic(ctx context.Context, actor im.Actor, conv im.ConvID, root im.Seq, id im.ClientID, change func(*skeinv1.Topic) error) (journal.Result, error) {
	return s.onTarget(ctx, actor, conv, root, id, &Action{Verb: VerbTopic}, func(_ context.Context, _ *Room, t *im.Entry, a *journal.Append) error {
		if t.Recalled || t.Expired {
			return im.Errorf(im.FailedPrecondition, "the topic was recalled")
		}
		return replaceContent(t, a, func(c *skeinv1.Content) error {
			if c.GetTopic() == nil {
				return im.Errorf(im.InvalidArgument, "the message is no topic")
			}
			return change(c.GetTopic())
		})
	})
}

// replaceContent makes an append an edit of a message by the server: the
// content that it has now, changed.
func replaceContent(t *im.Entry, a *journal.Append, change func(*skeinv1.Content) error) error {
	c := contentOf(t.Body)
	if c == nil {
		c = &skeinv1.Content{}
	}
	c = proto.CloneOf(c)
	if err := change(c); err != nil {
		return err
	}
	a.Effect, a.TargetVersion, a.Body = journal.ReplaceTarget, t.Version, encodeContent(c)
	return nil
}

// Topics pages through the topics of a community, oldest first; after, if > 0,
// is next_after_seq of the page before.
func (s *Service) Topics(ctx context.Context, actor im.Actor, conv im.ConvID, limit int, after im.Seq) (*skeinv1.ListTopicsResponse, error) {
	if limit == 0 {
		limit = 100
	}
	if limit < 1 || limit > maxPage || after < 0 {
		return nil, im.Errorf(im.InvalidArgument, "limit is 1 to %d", maxPage)
	}
	var out *skeinv1.ListTopicsResponse
	err := s.readingShown(ctx, actor, conv, func(v journal.View, c *journal.Conv, self journal.Member, head im.Seq, hidden Hidden) error {
		out = &skeinv1.ListTopicsResponse{Incarnation: s.j.Incarnation(), AsOfSeq: uint64(head)}
		if c.Bits&journal.BitKeyed == 0 {
			return nil
		}
		es, err := v.Slots(c.App, c.ID, topicKeys, past(topicKeys), maxTopics)
		if err != nil {
			return err
		}
		es = slices.DeleteFunc(es, func(e im.Entry) bool {
			return e.Seq <= after || e.Seq < self.From || e.Seq > head || e.Recalled || e.Expired
		})
		slices.SortFunc(es, func(a, b im.Entry) int { return int(a.Seq - b.Seq) })
		if len(es) > limit {
			es = es[:limit]
			out.NextAfterSeq = uint64(es[limit-1].Seq)
		}
		out.Topics, err = itemsOf(v, actor, c, es, head, hidden)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
