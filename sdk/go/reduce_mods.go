package skein

import (
	"slices"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// maxReactors is how many users of a reaction are listed.
const maxReactors = 100

// isModification tells whether an entry is about an earlier one.
func isModification(k skeinv1.EntryKind) bool {
	switch k {
	case skeinv1.EntryKind_ENTRY_KIND_EDIT, skeinv1.EntryKind_ENTRY_KIND_RECALL, skeinv1.EntryKind_ENTRY_KIND_REACTION,
		skeinv1.EntryKind_ENTRY_KIND_EXPIRE, skeinv1.EntryKind_ENTRY_KIND_VOTE, skeinv1.EntryKind_ENTRY_KIND_EXTENSION:
		return true
	}
	return false
}

// isShown tells whether an entry is shown in the list of messages.
func isShown(k skeinv1.EntryKind) bool {
	switch k {
	case skeinv1.EntryKind_ENTRY_KIND_MESSAGE, skeinv1.EntryKind_ENTRY_KIND_MEMBERS, skeinv1.EntryKind_ENTRY_KIND_CONVERSATION:
		return true
	}
	return false
}

// withRow returns the entry with another body. Entries are shared with what
// was handed to the app, so that they are never changed in place.
func withRow(e *skeinv1.Entry, version uint32, body *skeinv1.Body, recalled, expired bool) *skeinv1.Entry {
	return &skeinv1.Entry{
		Conversation: e.GetConversation(), Seq: e.GetSeq(), Ord: e.GetOrd(), Kind: e.GetKind(), Sender: e.GetSender(),
		TimeUs: e.GetTimeUs(), ClientId: e.GetClientId(), Version: version, Body: body, Recalled: recalled, Expired: expired,
		TargetSeq: e.GetTargetSeq(), Handshake: e.GetHandshake(), ToDevices: e.GetToDevices(), ToUsers: e.GetToUsers(),
		Silent: e.GetSilent(), Priority: e.GetPriority(), ExpiresUs: e.GetExpiresUs(), BurnAfterS: e.GetBurnAfterS(), Uncounted: e.GetUncounted(),
	}
}

// modify applies an edit, a recall, an expiry or a reaction to its target, and remembers
// it for a page that is on its way when the target is not current here.
func (r *reducer) modify(c *conv, e *skeinv1.Entry) {
	target := e.GetTargetSeq()
	if !c.ranges.has(target) {
		r.remember(c, e)
	}
	if m := c.msgs[target]; m != nil {
		r.modifyShown(c, m, e)
	}
}

func (r *reducer) remember(c *conv, e *skeinv1.Entry) {
	if e.GetSeq() <= c.floor {
		return
	}
	i, found := slices.BinarySearchFunc(c.mods, e.GetSeq(), func(m *skeinv1.Entry, seq uint64) int {
		return int(int64(m.GetSeq()) - int64(seq))
	})
	if found {
		return
	}
	c.mods = slices.Insert(c.mods, i, e)
	if len(c.mods) > maxMods {
		c.floor = c.mods[0].GetSeq()
		c.mods = c.mods[1:]
	}
}

// modifyShown applies a modification to a message that is held.
func (r *reducer) modifyShown(c *conv, m *msg, e *skeinv1.Entry) {
	if m == nil || e.GetSeq() <= m.asOf {
		return
	}
	m.asOf = e.GetSeq()
	changed := false
	row := m.entry
	switch e.GetKind() {
	case skeinv1.EntryKind_ENTRY_KIND_EDIT:
		m.folded++
		if m.folded+1 > row.GetVersion() {
			body := e.GetBody()
			if row.GetRecalled() || row.GetExpired() || body == nil {
				body = row.GetBody()
			}
			m.entry = withRow(row, m.folded+1, body, row.GetRecalled(), row.GetExpired())
			changed = true
		}
	case skeinv1.EntryKind_ENTRY_KIND_RECALL:
		m.folded++
		v := max(row.GetVersion(), m.folded+1)
		changed = v != row.GetVersion() || !row.GetRecalled() || row.GetBody() != nil
		m.entry = withRow(row, v, nil, true, row.GetExpired())
	case skeinv1.EntryKind_ENTRY_KIND_EXPIRE:
		m.folded++
		v := max(row.GetVersion(), m.folded+1)
		changed = v != row.GetVersion() || !row.GetExpired() || row.GetBody() != nil
		m.entry = withRow(row, v, nil, row.GetRecalled(), true)
	case skeinv1.EntryKind_ENTRY_KIND_REACTION:
		if x := e.GetBody().GetContent().GetReaction(); x != nil {
			m.reactions, changed = react(m.reactions, x, e.GetSender(), e.GetSender() == r.st.user)
		}
	default:
		changed = m.fold(e, r.st.user)
	}
	r.put(c, m)
	if changed {
		r.add(changeMessageUpdated, c, row.GetSeq())
	}
}

// react returns the list after user u (who is the reader if own) added or
// removed a reaction, and whether it changed. The given list is not touched.
func react(list []*skeinv1.ReactionSummary, x *skeinv1.Reaction, u string, own bool) ([]*skeinv1.ReactionSummary, bool) {
	i := slices.IndexFunc(list, func(s *skeinv1.ReactionSummary) bool { return s.GetEmoji() == x.GetEmoji() })
	if i < 0 {
		if x.GetRemoved() {
			return list, false
		}
		return append(slices.Clip(list), &skeinv1.ReactionSummary{Emoji: x.GetEmoji(), Count: 1, Users: []string{u}, Mine: own}), true
	}
	old := list[i]
	at := slices.Index(old.GetUsers(), u)
	known := at >= 0
	if own {
		known = old.GetMine()
	}
	if !x.GetRemoved() && known || x.GetRemoved() && !known && (own || int(old.GetCount()) <= len(old.GetUsers())) {
		return list, false
	}
	n := &skeinv1.ReactionSummary{Emoji: old.GetEmoji(), Count: old.GetCount(), Users: slices.Clone(old.GetUsers()), Mine: old.GetMine()}
	if x.GetRemoved() {
		n.Count--
		n.Mine = n.Mine && !own
		if at >= 0 {
			n.Users = slices.Delete(n.Users, at, at+1)
		}
	} else {
		n.Count++
		n.Mine = n.Mine || own
		if at < 0 && len(n.Users) < maxReactors {
			n.Users = append(n.Users, u)
		}
	}
	list = slices.Clone(list)
	if n.Count == 0 {
		return slices.Delete(list, i, i+1), true
	}
	list[i] = n
	return list, true
}
