package skein

import (
	"bytes"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// conversation takes the attributes of a conversation. With reset its values
// replace what is held, also downwards.
func (r *reducer) conversation(c *skeinv1.Conversation, reset bool) *conv {
	x := r.conv(c.GetId())
	if !reset {
		x = r.current(c.GetId())
	}
	head, own := point{c.GetHeadSeq(), c.GetHeadOrd()}, c.GetMembership()
	read := point{own.GetReadSeq(), own.GetReadOrd()}
	if reset {
		x.incarnation, x.head, x.meta, x.changed, x.activity = r.st.incarnation, head, 0, 0, 0
		if !(x.readUnsent > read.seq && x.readUnsent <= head.seq) {
			x.read, x.readUnsent = read, 0
		}
		x.markers = map[string]point{}
		r.touch(x)
	}
	if c.GetHeadSeq() >= max(x.meta, x.changed) {
		r.attributes(x, c)
	}
	r.raiseHead(x, head)
	r.marker(x, r.st.user, read)
	for _, m := range c.GetReadMarkers() {
		r.marker(x, m.GetUser(), point{m.GetReadSeq(), m.GetReadOrd()})
	}
	if c.GetCreatedUs() > x.activity {
		x.activity = c.GetCreatedUs()
	}
	if x.from > 1 {
		if x.ranges.add(1, x.from-1) {
			r.touch(x)
		}
		x.live = max(x.live, x.from-1)
		r.drain(x)
	}
	return x
}

func (r *reducer) attributes(x *conv, c *skeinv1.Conversation) {
	m := c.GetMembership()
	from := max(m.GetFromSeq(), 1)
	if x.groupAttributes(c) || x.title != c.GetTitle() || x.members != c.GetMemberCount() || x.created != c.GetCreatedUs() ||
		x.role != m.GetRole() || x.from != from || x.to != m.GetToSeq() {
		r.touch(x)
	}
	x.title, x.members, x.created, x.meta = c.GetTitle(), c.GetMemberCount(), c.GetCreatedUs(), c.GetHeadSeq()
	x.role, x.from, x.to = m.GetRole(), from, m.GetToSeq()
	if c.GetKind() != skeinv1.ConversationKind_CONVERSATION_KIND_UNSPECIFIED {
		x.kind = c.GetKind()
	}
	r.save(x)
}

// sync applies one page of changes.
func (r *reducer) sync(s *skeinv1.SyncResponse) {
	r.synced = true
	r.st.resetting = r.st.resetting || s.GetReset_()
	r.quiet = r.st.resetting
	if s.GetIncarnation() != r.st.incarnation {
		r.st.incarnation = s.GetIncarnation()
		r.dirty.reset = true
	}
	for _, d := range s.GetConversations() {
		if d.GetConversation().GetId() != "" {
			r.delta(d, s.GetReset_())
		}
	}
	r.quiet = false
	if s.GetMore() {
		return
	}
	r.st.resetting = false
	for _, id := range slices.Sorted(maps.Keys(r.st.convs)) {
		c := r.st.convs[id]
		if c.incarnation == r.st.incarnation {
			continue
		}
		r.disown(c, true)
		if slices.ContainsFunc(r.st.outbox, func(it *item) bool { return it.conv == id }) {
			continue
		}
		delete(r.st.convs, id)
		delete(r.dirty.convs, id)
		r.dirty.gone = append(r.dirty.gone, id)
		r.changes = append(r.changes, change{kind: changeConversationRemoved, conv: id})
	}
}

// delta applies what changed in one conversation (docs/sdk-spec.md §2.3).
func (r *reducer) delta(d *skeinv1.ConversationDelta, reset bool) {
	held := r.st.convs[d.GetConversation().GetId()]
	other := held != nil && held.incarnation != r.st.incarnation
	if other {
		reset = true // a later page of a reset: nothing that is held of it counts
		held.readAgain(d.GetEntries())
	}
	c := r.conversation(d.GetConversation(), reset)
	head := d.GetConversation().GetHeadSeq()
	first := head + 1
	for _, e := range d.GetEntries() {
		first = min(first, e.GetSeq())
	}
	for _, w := range d.GetWithheld() {
		first = min(first, w.GetFromSeq())
	}
	if reset || first > c.live+1 {
		if reset {
			c.held, c.keyed = map[uint64]early{}, map[string]*keyedValue{}
			r.removeRange(c, head+1, maxSeq, nil)
		}
		if c.ranges.giveUpBelow(maxSeq, c.from-1) {
			r.add(changeGap, c, 0)
			r.touch(c)
		}
		c.mods = nil
		c.live, c.floor = first-1, first-1
	}
	entries, withheld := d.GetEntries(), d.GetWithheld()
	for len(entries) > 0 || len(withheld) > 0 {
		if len(withheld) == 0 || len(entries) > 0 && entries[0].GetSeq() < withheld[0].GetFromSeq() {
			r.position(c, entries[0])
			entries = entries[1:]
		} else {
			r.withheld(c, withheld[0])
			withheld = withheld[1:]
		}
	}
	c.live = max(c.live, head)
	r.save(c)
	r.drain(c)
	for _, e := range d.GetKeyed() {
		r.setKey(c, e)
	}
	if other {
		r.disown(c, false)
	}
}

// readAgain takes a read that was not told yet over into another incarnation,
// whose entries these are: as far as they are what was read.
func (c *conv) readAgain(entries []*skeinv1.Entry) {
	unsent := c.readUnsent
	c.readUnsent = 0
	for _, e := range entries {
		if m := c.msgs[e.GetSeq()]; e.GetSeq() <= unsent && m != nil && bytes.Equal(m.entry.GetClientId(), e.GetClientId()) {
			c.read, c.readUnsent = point{e.GetSeq(), e.GetOrd()}, e.GetSeq()
		}
	}
}

// disown removes from the outbox what another incarnation acknowledged before
// its entry came, since the position of the ack is none of this one's: what was
// restored of it is in the log. And it fails what was to be done to messages
// that are not known to be in the new incarnation where they were: it would be
// done to others. With gone the incarnation does not have the conversation.
func (r *reducer) disown(c *conv, gone bool) {
	for _, it := range slices.Clone(r.st.outbox) {
		m := c.msgs[it.targetSeq]
		same := !gone && m != nil && c.ranges.has(it.targetSeq) && idText(m.entry.GetClientId()) == it.targetID
		switch {
		case it.conv != c.id:
		case it.state == Sent:
			r.discard(it.id)
		case it.targetSeq > 0 && !same:
			r.failed(failedEvent{it.id, errorf(FailedPrecondition, nil, "what this is about was not restored")})
		}
	}
}

// maxSeq is past every position that JavaScript counts exactly.
const maxSeq = 1<<53 - 1

// pageItem is what a page says of one of its entries.
type pageItem struct {
	reactions []*skeinv1.ReactionSummary
	beside
	asOf uint64
}

func (p *pageItem) msg(e *skeinv1.Entry) *msg {
	m := &msg{entry: e, reactions: p.reactions, beside: p.beside, asOf: p.asOf}
	if v := e.GetVersion(); v > 1 {
		m.folded = v - 1
	}
	return m
}

// page applies a page of history, or of a repair.
func (r *reducer) page(ev pageEvent) {
	p := ev.page
	if r.st.incarnation != "" && p.GetIncarnation() != r.st.incarnation {
		r.changes = append(r.changes, change{kind: changeResync})
		return
	}
	c := r.current(ev.conv)
	asOf := p.GetAsOfSeq()
	s, ok := ev.covers()
	if !ok || !ev.repair && asOf < c.floor || ev.repair && s.to <= c.live {
		return
	}
	if ev.repair {
		if c.ranges.giveUpBelow(s.from, c.from-1) {
			r.add(changeGap, c, 0)
			r.touch(c)
		}
		c.floor = max(c.floor, s.to)
	}
	seen := map[uint64]bool{}
	for _, it := range p.GetItems() {
		e := it.GetEntry()
		if !isShown(e.GetKind()) {
			continue
		}
		seen[e.GetSeq()] = true
		pi := &pageItem{reactions: it.GetReactions(), beside: besideOf(it), asOf: asOf}
		if ev.repair && e.GetSeq() > c.live {
			r.apply(c, e, pi)
		} else {
			r.pageItem(c, e, pi)
		}
	}
	r.applyMods(c, asOf, seen)
	r.removeRange(c, s.from, s.to, func(seq uint64) bool { return seen[seq] })
	if c.ranges.add(s.from, s.to) {
		r.touch(c)
	}
	if p.GetAtStart() && s.from > 1 && c.ranges.add(1, s.from-1) {
		r.touch(c)
	}
	if n := len(p.GetItems()); n > 0 {
		r.raiseHead(c, point{p.GetToSeq(), p.GetItems()[n-1].GetEntry().GetOrd()})
	}
	if ev.repair {
		c.live = max(c.live, s.to)
		r.save(c)
		r.drain(c)
	}
}

// covers returns the positions that a page speaks for.
func (ev pageEvent) covers() (span, bool) {
	p, forward := ev.page, ev.after > 0 || ev.asked
	if p.GetToSeq() == 0 { // nothing is there, as of that head
		var s span
		switch {
		case p.GetAtStart() && !forward:
			s = span{1, p.GetAsOfSeq()}
			if ev.before > 0 {
				s.to = min(s.to, ev.before-1)
			}
		case p.GetAtEnd() && forward:
			s = span{ev.after + 1, p.GetAsOfSeq()}
		}
		return s, s.from > 0 && s.from <= s.to
	}
	s := span{max(p.GetFromSeq(), 1), p.GetToSeq()}
	switch {
	case ev.before > 0:
		s.to = max(s.to, min(ev.before-1, p.GetAsOfSeq()))
	case forward:
		s.from = min(s.from, ev.after+1)
	}
	return s, s.from <= s.to
}

// pageItem takes an entry of a page that is no news.
func (r *reducer) pageItem(c *conv, e *skeinv1.Entry, p *pageItem) {
	seq := e.GetSeq()
	if r.claim(c, e) {
		r.add(changeMessageUpdated, c, seq)
	}
	m := c.msgs[seq]
	same := m != nil && bytes.Equal(m.entry.GetClientId(), e.GetClientId())
	if same && c.ranges.has(seq) && p.asOf < m.asOf {
		return
	}
	n := p.msg(e)
	if m != nil && (!same || !sameShown(m, n)) {
		r.add(changeMessageUpdated, c, seq)
	}
	r.put(c, n)
}

// applyMods brings the items of a page up to date with what came meanwhile,
// and forgets what is no longer waited for.
func (r *reducer) applyMods(c *conv, asOf uint64, items map[uint64]bool) {
	var rest []*skeinv1.Entry
	for _, e := range c.mods {
		if !items[e.GetTargetSeq()] {
			rest = append(rest, e)
		} else if e.GetSeq() > asOf {
			r.modifyShown(c, c.msgs[e.GetTargetSeq()], e)
		}
	}
	c.mods = rest
}

// sameShown tells whether two versions of a message look the same.
func sameShown(a, b *msg) bool {
	return a.entry.GetVersion() == b.entry.GetVersion() && a.entry.GetRecalled() == b.entry.GetRecalled() &&
		slices.EqualFunc(a.reactions, b.reactions, func(x, y *skeinv1.ReactionSummary) bool { return proto.Equal(x, y) }) && a.beside.same(&b.beside)
}
