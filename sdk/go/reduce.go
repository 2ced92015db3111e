package skein

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// changeKind names what an event did to the state (docs/sdk-spec.md §2.2).
type changeKind string

const (
	changeMessage             changeKind = "message"
	changeMessageUpdated      changeKind = "messageUpdated"
	changeMessageRemoved      changeKind = "messageRemoved"
	changeSent                changeKind = "sent"
	changeReplaced            changeKind = "replaced"
	changeFailed              changeKind = "failed"
	changeConversation        changeKind = "conversation"
	changeConversationRemoved changeKind = "conversationRemoved"
	changeGap                 changeKind = "gap"
	changeResync              changeKind = "resync"
)

// change is one thing that an event did. Which fields are set depends on kind.
type change struct {
	kind changeKind
	conv string
	seq  uint64
	id   string
	to   string // of replaced: the id that took the place
	err  *Error

	// Of a removed message, for whoever has to be told what went.
	was *msg
	op  *item
}

// event is something that happened to the state. The types are in this
// package only; the vectors name them.
type event interface{ isEvent() }

type (
	packetEvent struct{ packet *skeinv1.ServerPacket }
	// pageEvent is the answer to ListMessages; with repair it closes a hole.
	pageEvent struct {
		conv          string
		before, after uint64
		asked         bool // after is meant even though it is 0
		repair        bool
		page          *skeinv1.ListMessagesResponse
	}
	answerEvent  struct{ entry *skeinv1.Entry }
	enqueueEvent struct{ item *item }
	failedEvent  struct {
		id  string
		err *Error
	}
	renewedEvent struct{ id, newID string }
	retryEvent   struct{ id, newID string }
	discardEvent struct{ id string }
	readEvent    struct {
		conv string
		seq  uint64
	}
	restartEvent struct{}
	// itemsEvent are messages of a call's answer, as of a head, that may lie
	// anywhere: what they say is taken, and no range is current because of it.
	itemsEvent struct {
		conv        string
		asOf        uint64
		incarnation string
		items       []*skeinv1.HistoryItem
	}
)

func (packetEvent) isEvent()  {}
func (pageEvent) isEvent()    {}
func (answerEvent) isEvent()  {}
func (enqueueEvent) isEvent() {}
func (failedEvent) isEvent()  {}
func (renewedEvent) isEvent() {}
func (retryEvent) isEvent()   {}
func (discardEvent) isEvent() {}
func (readEvent) isEvent()    {}
func (restartEvent) isEvent() {}
func (itemsEvent) isEvent()   {}

// reducer applies one event to a state and notes what it did and what has to
// be persisted. One is made for each event.
type reducer struct {
	st      *state
	changes []change
	dirty   dirty

	touched    []*conv // to be reported as changed, in order of first change
	touchedIDs map[string]bool
	synced     bool // the packet had a sync page
	quiet      bool // no message changes: a reset
}

// dirty is what an event changed of what is persisted.
type dirty struct {
	convs   map[string]bool
	gone    []string // conversations removed
	puts    map[place]bool
	cleared []clearing
	outbox  map[string]bool // item ids, put or removed
	cursor  bool
	reset   bool // incarnation or user changed
}

// place is one position of one conversation.
type place struct {
	conv string
	seq  uint64
}

// clearing is a range of positions that hold no messages, apart from those
// that are put by the same event.
type clearing struct {
	conv     string
	from, to uint64
}

// reduce applies one event. It is the one way in which a state changes.
func reduce(st *state, ev event) ([]change, dirty) {
	r := &reducer{st: st, touchedIDs: map[string]bool{},
		dirty: dirty{convs: map[string]bool{}, puts: map[place]bool{}, outbox: map[string]bool{}}}
	switch ev := ev.(type) {
	case packetEvent:
		r.packet(ev.packet)
	case pageEvent:
		r.page(ev)
	case answerEvent:
		r.answer(ev.entry)
	case enqueueEvent:
		r.enqueue(ev.item)
	case failedEvent:
		r.failed(ev)
	case renewedEvent:
		r.renewed(ev)
	case retryEvent:
		r.retry(ev)
	case discardEvent:
		r.discard(ev.id)
	case readEvent:
		r.localRead(ev)
	case itemsEvent:
		r.items(ev)
	case restartEvent:
		for _, c := range st.convs {
			c.held, c.mods, c.floor = map[uint64]early{}, nil, c.live
			st.noteHole(c.id)
		}
	}
	r.sweep()
	r.noteHoles()
	for _, c := range r.touched {
		r.changes = append(r.changes, change{kind: changeConversation, conv: c.id})
	}
	return r.changes, r.dirty
}

func (r *reducer) packet(p *skeinv1.ServerPacket) {
	var cursor []byte
	for _, f := range p.GetFrames() {
		switch f := f.GetFrame().(type) {
		case *skeinv1.ServerFrame_Welcome:
			r.welcome(f.Welcome)
			cursor = f.Welcome.GetSync().GetCursor()
		case *skeinv1.ServerFrame_Sync:
			r.sync(f.Sync)
			cursor = f.Sync.GetCursor()
		case *skeinv1.ServerFrame_Ack:
			r.ack(f.Ack)
		case *skeinv1.ServerFrame_Entry:
			r.position(r.current(f.Entry.GetConversation()), f.Entry)
		case *skeinv1.ServerFrame_Withheld:
			r.withheld(r.current(f.Withheld.GetConversation()), f.Withheld)
		case *skeinv1.ServerFrame_ReadMarker:
			m := f.ReadMarker
			if c := r.st.convs[m.GetConversation()]; c != nil {
				r.marker(c, m.GetUser(), point{m.GetReadSeq(), m.GetReadOrd()})
			}
		case *skeinv1.ServerFrame_Conversation:
			r.conversation(f.Conversation, false)
		}
	}
	if len(p.GetCursor()) > 0 {
		cursor = p.GetCursor()
	}
	r.noteHoles()
	if len(cursor) > 0 && (r.synced || len(r.st.holes) == 0) && !bytes.Equal(cursor, r.st.cursor) {
		r.st.cursor = cursor
		r.dirty.cursor = true
	}
}

func (r *reducer) noteHoles() {
	for id := range r.dirty.convs {
		r.st.noteHole(id)
	}
	for _, id := range r.dirty.gone {
		r.st.noteHole(id)
	}
}

func (r *reducer) welcome(w *skeinv1.Welcome) {
	if r.st.user == "" {
		r.st.user = w.GetUser()
		r.dirty.reset = true
	}
	if w.GetSync() != nil {
		r.sync(w.GetSync())
	}
}

// conv returns a conversation, made if unknown.
func (r *reducer) conv(id string) *conv {
	c := r.st.convs[id]
	if c == nil {
		c = newConv(id, r.st.incarnation)
		r.st.convs[id] = c
		r.touch(c)
	}
	return c
}

// current returns the conversation that news is about. One that was kept from
// another journal, because of what waits in the outbox, begins anew: its
// positions are not those of the news.
func (r *reducer) current(id string) *conv {
	c := r.conv(id)
	if c.incarnation == r.st.incarnation {
		return c
	}
	if c.head.seq > 0 {
		r.removeRange(c, 1, maxSeq, nil)
		blank := newConv(id, r.st.incarnation)
		blank.msgs = c.msgs
		*c = *blank
		r.add(changeGap, c, 0)
		r.disown(c, false)
	}
	c.incarnation = r.st.incarnation
	r.touch(c)
	return c
}

// touch notes that something the app sees of a conversation changed.
func (r *reducer) touch(c *conv) {
	r.save(c)
	if !r.touchedIDs[c.id] {
		r.touchedIDs[c.id] = true
		r.touched = append(r.touched, c)
	}
}

// save notes that a conversation's row has to be persisted.
func (r *reducer) save(c *conv) { r.dirty.convs[c.id] = true }

// put stores a message and notes that it has to be persisted.
func (r *reducer) put(c *conv, m *msg) {
	c.msgs[m.entry.GetSeq()] = m
	r.dirty.puts[place{c.id, m.entry.GetSeq()}] = true
}

func (r *reducer) add(k changeKind, c *conv, seq uint64) {
	r.changes = append(r.changes, change{kind: k, conv: c.id, seq: seq})
}

// removeRange removes the messages in [from, to] unless keep says otherwise.
func (r *reducer) removeRange(c *conv, from, to uint64, keep func(seq uint64) bool) {
	if from > to {
		return
	}
	r.dirty.cleared = append(r.dirty.cleared, clearing{c.id, from, to})
	for _, seq := range c.seqs() {
		if seq < from || seq > to {
			continue
		}
		if keep != nil && keep(seq) {
			r.dirty.puts[place{c.id, seq}] = true
			continue
		}
		r.changes = append(r.changes, change{kind: changeMessageRemoved, conv: c.id, seq: seq, was: c.msgs[seq]})
		delete(c.msgs, seq)
		delete(r.dirty.puts, place{c.id, seq})
	}
}

// position takes an entry as news: applied when it is next, kept when it is
// early, compared when it is old.
func (r *reducer) position(c *conv, e *skeinv1.Entry) {
	seq := e.GetSeq()
	switch {
	case seq == 0:
	case seq > c.live+1:
		r.hold(c, seq, early{entry: e})
		r.raiseHead(c, point{seq, e.GetOrd()})
	case seq == c.live+1:
		r.apply(c, e, nil)
		c.live = seq
		r.save(c)
		r.drain(c)
	default:
		r.duplicate(c, e)
	}
}

// withheld takes positions that this reader does not get.
func (r *reducer) withheld(c *conv, w *skeinv1.Withheld) {
	from, to := w.GetFromSeq(), w.GetToSeq()
	switch {
	case from == 0 || to < from:
	case from > c.live+1:
		r.hold(c, from, early{withheld: w})
		r.raiseHead(c, point{to, w.GetOrd()})
	default:
		r.removeRange(c, from, to, nil)
		if to <= c.live {
			return
		}
		if c.ranges.add(c.live+1, to) {
			r.touch(c)
		}
		c.live = to
		r.save(c)
		r.raiseHead(c, point{to, w.GetOrd()})
		r.drain(c)
	}
}

func (r *reducer) hold(c *conv, seq uint64, e early) {
	if old, ok := c.held[seq]; ok && (old.entry != nil || e.entry == nil) && old.entry.GetVersion() >= e.entry.GetVersion() {
		return
	}
	c.held[seq] = e
	r.save(c)
	if len(c.held) > maxHeld {
		delete(c.held, slices.Max(slices.Collect(maps.Keys(c.held))))
	}
}

// drain applies what was held back as far as it joins, and drops what is old.
func (r *reducer) drain(c *conv) {
	for len(c.held) > 0 {
		first := slices.Min(slices.Collect(maps.Keys(c.held)))
		if first > c.live+1 {
			return
		}
		e := c.held[first]
		delete(c.held, first)
		if e.entry != nil {
			r.position(c, e.entry)
		} else {
			r.withheld(c, e.withheld)
		}
	}
}

// duplicate takes an entry whose position was passed.
func (r *reducer) duplicate(c *conv, e *skeinv1.Entry) {
	seq := e.GetSeq()
	if isModification(e.GetKind()) {
		r.modify(c, e)
		return
	}
	if e.GetKey() != "" {
		r.setKey(c, e) // a repair has passed its position: pages show no keys
	}
	if e.GetKind() == skeinv1.EntryKind_ENTRY_KIND_KEYED {
		return
	}
	m := c.msgs[seq]
	if m == nil {
		return
	}
	if !bytes.Equal(m.entry.GetClientId(), e.GetClientId()) {
		r.put(c, &msg{entry: e, asOf: seq})
		r.add(changeMessageUpdated, c, seq)
		return
	}
	r.upgrade(c, m, e)
}

// upgrade takes the row's state from a newer copy of the same entry.
func (r *reducer) upgrade(c *conv, m *msg, e *skeinv1.Entry) {
	if e.GetVersion() <= m.entry.GetVersion() && !(e.GetVersion() == m.entry.GetVersion() && e.GetExpired() && !m.entry.GetExpired()) {
		return
	}
	m.entry = withRow(m.entry, e.GetVersion(), e.GetBody(), e.GetRecalled(), e.GetExpired())
	r.put(c, m)
	r.add(changeMessageUpdated, c, e.GetSeq())
}

// apply makes an entry part of the log. item is set when it comes from a
// page, with its reactions and modifications folded in as of pageAsOf.
func (r *reducer) apply(c *conv, e *skeinv1.Entry, from *pageItem) {
	seq := e.GetSeq()
	own := r.claim(c, e)
	covered := c.ranges.has(seq)
	if c.ranges.add(seq, seq) {
		r.touch(c)
	}
	r.raiseHead(c, point{seq, e.GetOrd()})
	switch e.GetKind() {
	case skeinv1.EntryKind_ENTRY_KIND_MESSAGE:
		r.show(c, e, from, own, covered)
		r.spoke(c, e)
		if !e.GetUncounted() {
			r.marker(c, e.GetSender(), point{seq, e.GetOrd()})
		}
		if e.GetTargetSeq() > 0 { // a reply also changes the root of its thread
			r.modify(c, e)
		}
	case skeinv1.EntryKind_ENTRY_KIND_MEMBERS:
		r.show(c, e, from, own, covered)
		if seq > c.meta {
			r.membersChanged(c, e)
			r.groupChanged(c, e)
			c.known(seq)
		}
	case skeinv1.EntryKind_ENTRY_KIND_CONVERSATION:
		r.show(c, e, from, own, covered)
		if e.GetKey() != "" { // a pin
			r.setKey(c, e)
		}
		if t := e.GetBody().GetContent().GetConversation(); seq > c.meta && t != nil {
			if t.GetTitle() != c.title {
				c.title = t.GetTitle()
				r.touch(c)
			}
			r.groupChanged(c, e)
			c.known(seq)
		}
	case skeinv1.EntryKind_ENTRY_KIND_KEYED:
		r.standsAlone(c, seq)
		r.setKey(c, e)
	default:
		r.standsAlone(c, seq)
		if isModification(e.GetKind()) {
			r.modify(c, e)
		}
	}
}

// standsAlone removes a message that stood at the position of an entry that is
// none: it was there in another incarnation.
func (r *reducer) standsAlone(c *conv, seq uint64) {
	if c.msgs[seq] != nil {
		r.removeRange(c, seq, seq, nil)
	}
}

// known notes that the attributes changed at seq: what was read before it, and
// comes later, must not take them back. Attributes that are unknown stay so.
func (c *conv) known(seq uint64) {
	c.changed = max(c.changed, seq)
	if c.meta > 0 {
		c.meta = seq
	}
}

// show puts an entry where messages are.
func (r *reducer) show(c *conv, e *skeinv1.Entry, from *pageItem, own, covered bool) {
	seq := e.GetSeq()
	m := c.msgs[seq]
	switch {
	case from != nil:
		r.put(c, from.msg(e))
	case m != nil && covered && bytes.Equal(m.entry.GetClientId(), e.GetClientId()):
		if e.GetVersion() > m.entry.GetVersion() {
			m.entry = withRow(m.entry, e.GetVersion(), e.GetBody(), e.GetRecalled(), e.GetExpired())
			r.put(c, m)
		}
	default:
		r.put(c, &msg{entry: e, asOf: seq})
	}
	if e.GetTimeUs() > c.activity {
		c.activity = e.GetTimeUs()
		r.save(c)
	}
	switch {
	case own:
		r.add(changeMessageUpdated, c, seq)
	case !r.quiet:
		r.add(changeMessage, c, seq)
	}
}

func (r *reducer) raiseHead(c *conv, p point) {
	if p.seq > c.head.seq {
		c.head = p
		r.touch(c)
	}
}

// marker moves a user's read marker, never back.
func (r *reducer) marker(c *conv, user string, p point) {
	if user == r.st.user {
		if p.seq > c.read.seq {
			c.read = p
			r.touch(c)
		}
		if c.readUnsent > 0 && p.seq >= c.readUnsent {
			c.readUnsent = 0
			r.save(c)
		}
		return
	}
	if p.seq == 0 || p.seq <= c.markers[user].seq {
		return
	}
	c.markers[user] = p
	r.touch(c)
	if len(c.markers) > maxMarkers {
		worst := ""
		for u, q := range c.markers {
			if w := c.markers[worst]; worst == "" || q.seq < w.seq || q.seq == w.seq && u > worst {
				worst = u
			}
		}
		delete(c.markers, worst)
	}
}

func (r *reducer) membersChanged(c *conv, e *skeinv1.Entry) {
	ch := e.GetBody().GetContent().GetMembers()
	if ch == nil {
		return
	}
	n := int64(c.members) + int64(len(ch.GetAdded())) - int64(len(ch.GetRemoved())) - int64(len(ch.GetLeft()))
	c.members = uint32(max(n, 0))
	role := ch.GetRole()
	if role == skeinv1.Role_ROLE_UNSPECIFIED {
		role = skeinv1.Role_ROLE_MEMBER
	}
	if slices.Contains(ch.GetRemoved(), r.st.user) || slices.Contains(ch.GetLeft(), r.st.user) {
		c.to = e.GetSeq() + 1
	}
	if slices.Contains(ch.GetAdded(), r.st.user) {
		// What changed while the reader was out is not theirs to read: the
		// attributes are unknown until somebody tells them.
		c.from, c.to, c.role, c.meta = e.GetSeq(), 0, role, 0
	}
	switch {
	case slices.Contains(ch.GetRoleChanged(), r.st.user):
		c.role = role
	case role == skeinv1.Role_ROLE_OWNER && len(ch.GetRoleChanged()) > 0 && c.role == role:
		c.role = skeinv1.Role_ROLE_ADMIN // handed over: a group has one owner
	}
	r.touch(c)
}

func (r *reducer) setKey(c *conv, e *skeinv1.Entry) {
	old := c.keyed[e.GetKey()]
	if old != nil && old.seq >= e.GetSeq() {
		return
	}
	c.keyed[e.GetKey()] = &keyedValue{seq: e.GetSeq(), body: e.GetBody()}
	r.touch(c)
	if id, ok := strings.CutPrefix(e.GetKey(), "hidden/"); ok && c.id == "~"+r.st.user {
		var before *skeinv1.PrivateHidden
		if old != nil {
			before = old.body.GetContent().GetPrivate().GetHidden()
		}
		r.setHidden(id, before, e.GetBody().GetContent().GetPrivate().GetHidden())
	}
}

func (r *reducer) localRead(ev readEvent) {
	c := r.st.convs[ev.conv]
	if c == nil {
		return
	}
	s := min(ev.seq, c.head.seq)
	if s <= c.read.seq {
		return
	}
	ord := c.head.ord
	if s < c.head.seq {
		ord = 0
		for _, seq := range c.seqs() {
			if seq <= s {
				ord = c.msgs[seq].entry.GetOrd()
			}
		}
		ord = max(ord, c.read.ord)
	}
	c.read = point{s, ord}
	c.readUnsent = s
	r.touch(c)
}
