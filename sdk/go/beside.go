package skein

import (
	"bytes"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// beside is what later entries made of a message, beside its body and its
// reactions. What it points to is never changed in place.
type beside struct {
	votes      []*skeinv1.ReactionSummary // of a poll; emoji is the option's id
	extensions []*skeinv1.Extension       // ascending by key
	thread     *skeinv1.ThreadSummary     // nil = no replies
}

func besideOf(it *skeinv1.HistoryItem) beside {
	return beside{votes: it.GetVotes(), extensions: it.GetExtensions(), thread: it.GetThread()}
}

// fold takes a vote, an extension or a reply in the thread below the message,
// and tells whether it changed anything (docs/sdk-spec.md §2.3).
func (b *beside) fold(e *skeinv1.Entry, me string) (changed bool) {
	switch e.GetKind() {
	case skeinv1.EntryKind_ENTRY_KIND_VOTE:
		now, before := e.GetBody().GetContent().GetVote().GetChoices(), e.GetPreviousBody().GetContent().GetVote().GetChoices()
		own := e.GetSender() == me
		for _, id := range before {
			if !slices.Contains(now, id) {
				changed = b.vote(id, true, e.GetSender(), own) || changed
			}
		}
		for _, id := range now {
			if !slices.Contains(before, id) {
				changed = b.vote(id, false, e.GetSender(), own) || changed
			}
		}
	case skeinv1.EntryKind_ENTRY_KIND_EXTENSION:
		changed = b.extend(e.GetBody().GetContent().GetExtension())
	case skeinv1.EntryKind_ENTRY_KIND_MESSAGE:
		b.reply(e)
		changed = true
	}
	return changed
}

func (b *beside) vote(option string, remove bool, user string, own bool) (changed bool) {
	b.votes, changed = react(b.votes, &skeinv1.Reaction{Emoji: option, Removed: remove}, user, own)
	return changed
}

func (b *beside) extend(x *skeinv1.Extension) bool {
	if x == nil { // a newer value took its place
		return false
	}
	i, there := slices.BinarySearchFunc(b.extensions, x.GetKey(), func(o *skeinv1.Extension, key string) int { return strings.Compare(o.GetKey(), key) })
	switch {
	case x.GetRemoved() && !there, there && !x.GetRemoved() && bytes.Equal(b.extensions[i].GetValue(), x.GetValue()):
		return false
	case x.GetRemoved():
		b.extensions = slices.Delete(slices.Clone(b.extensions), i, i+1)
	case there:
		b.extensions = slices.Clone(b.extensions)
		b.extensions[i] = x
	default:
		b.extensions = slices.Insert(slices.Clone(b.extensions), i, x)
	}
	return true
}

// maxParticipants are listed of a thread.
const maxParticipants = 5

func (b *beside) reply(e *skeinv1.Entry) {
	t := &skeinv1.ThreadSummary{ReplyCount: b.thread.GetReplyCount() + 1, LastSeq: e.GetSeq(), LastTimeUs: e.GetTimeUs(),
		Participants: b.thread.GetParticipants()}
	if len(t.Participants) < maxParticipants && !slices.Contains(t.Participants, e.GetSender()) {
		t.Participants = append(slices.Clone(t.Participants), e.GetSender())
	}
	b.thread = t
}

// same tells whether two look the same.
func (b *beside) same(o *beside) bool {
	return proto.Equal(&skeinv1.HistoryItem{Votes: b.votes, Extensions: b.extensions, Thread: b.thread},
		&skeinv1.HistoryItem{Votes: o.votes, Extensions: o.extensions, Thread: o.thread})
}

// items takes messages that a call returned.
func (r *reducer) items(ev itemsEvent) {
	if r.st.incarnation != "" && ev.incarnation != r.st.incarnation {
		r.changes = append(r.changes, change{kind: changeResync})
		return
	}
	c := r.current(ev.conv)
	for _, it := range ev.items {
		e := it.GetEntry()
		if !isShown(e.GetKind()) {
			continue
		}
		m := c.msgs[e.GetSeq()]
		same := m != nil && bytes.Equal(m.entry.GetClientId(), e.GetClientId())
		if same && c.ranges.has(e.GetSeq()) && ev.asOf < m.asOf {
			continue
		}
		p := &pageItem{reactions: it.GetReactions(), beside: besideOf(it), asOf: ev.asOf}
		n := p.msg(e)
		r.put(c, n)
		if m != nil && (!same || !sameShown(m, n)) {
			r.add(changeMessageUpdated, c, e.GetSeq())
		}
		for _, mod := range c.mods {
			if mod.GetTargetSeq() == e.GetSeq() && mod.GetSeq() > ev.asOf {
				r.modifyShown(c, n, mod)
			}
		}
	}
}
