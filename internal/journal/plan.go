package journal

import (
	"bytes"
	"fmt"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/trace"
)

// item is one thing that waits for a shard's next commit: an append or a mark.
type item struct {
	a    *Append
	req  int64 // requestHash of a
	done func(Result, error)
	span *trace.Span // from the submit to the answer

	mark     *markRequest // instead of a
	markDone func(Marker, error)

	// The outcome, and what leads to it, of the newest attempt.
	c      *convState
	row    *row
	dup    bool
	acl    int64
	marker Marker
	err    error
}

// markRequest is a call of Mark.
type markRequest struct {
	app  im.AppID
	conv im.ConvID
	user im.UserID
	seq  im.Seq
}

func (it *item) bytes() int {
	if it.a == nil {
		return 0
	}
	return len(it.a.Body)
}

func (it *item) key() convKey {
	if it.a == nil {
		return convKey{it.mark.app, it.mark.conv}
	}
	return convKey{it.a.App, it.a.Conv}
}

func (it *item) idem() idemKey { return idemKey{it.a.ClientID, it.a.App, it.a.Sender} }

// answer calls the caller back.
func (it *item) answer() {
	it.span.End(it.err)
	switch {
	case it.mark != nil:
		it.markDone(it.marker, it.err)
	case it.err != nil:
		it.done(Result{}, it.err)
	default:
		it.done(Result{Entry: it.row.Entry, Duplicate: it.dup, ACLVersion: it.acl}, nil)
	}
}

// rowRef asks for an entry of a conversation that is known.
type rowRef struct {
	c   *convState
	seq im.Seq
}

// txn is what a plan needs of a store while it is made. Look-ups return what
// they find and leave the rest out; they need not be of one snapshot, because
// apply fails with errMoved when the shard has moved since the cache saw it.
type txn interface {
	// shard returns the shard's row. In an optimistic transaction it may be
	// what the caller believes.
	shard() (head im.Pos, commits int64, err error)
	convs(keys []convKey) ([]*convState, error)
	// people puts the newest interval of each user into c.people.
	people(c []*convState, users []im.UserID) error
	rows(refs []rowRef) ([]*row, error)
	// edits returns the entries of each target that carry a part of it (row.beside).
	edits(refs []rowRef) ([]*row, error)
	// slots returns the newest entry of each key.
	slots(c []*convState, keys []string) ([]*row, error)
	stored(keys []idemKey) (map[idemKey]storedReq, error)
	// apply writes a plan; errDuplicate when one of its idempotency keys is
	// there, errMoved when the shard's row is not the one that the plan began
	// with. After an error nothing of it stays.
	apply(p *plan) error
}

// plan turns a batch into rows. It decides everything and reads and writes
// nothing itself, so that both engines and the twin decide alike.
type plan struct {
	shard   int
	now     im.Micros
	cache   *cache
	careful bool                  // duplicates were looked up: known holds them
	known   map[idemKey]storedReq // stored before this batch
	seen    map[idemKey]*item     // planned in this batch; careful plans only
	index   bool                  // new rows must be found by seq within the batch
	buf     []byte

	// What to write.
	head, newHead im.Pos
	commits       int64
	newConvs      []*convState
	convs         []*convState // changed ones
	newItems      []*item      // whose rows are new, in pos order
	changedRows   []*row
	people        []person

	fresh   map[convKey]*convState
	rows    map[rowKey]*row
	editsOf map[rowKey][]*row
	slots   map[slotKey]*row
	marked  []person
}

// person is a membership row of a conversation.
type person struct {
	c *convState
	m *memberState
}

func newPlan(shard int, now im.Micros, c *cache) *plan {
	return &plan{shard: shard, now: now, cache: c, head: c.head, commits: c.commits, fresh: map[convKey]*convState{},
		rows: map[rowKey]*row{}, editsOf: map[rowKey][]*row{}, slots: map[slotKey]*row{}}
}

// beCareful makes a plan that knows which of its entries were stored before.
func (p *plan) beCareful(known map[idemKey]storedReq) {
	p.careful, p.known, p.seen = true, known, map[idemKey]*item{}
}

func (p *plan) writesNothing() bool {
	return len(p.newItems) == 0 && len(p.people) == 0 && len(p.convs) == 0
}

// make loads what the batch needs and plans it.
func (p *plan) make(t txn, items []*item) error {
	if err := p.loadConvs(t, items); err != nil {
		return err
	}
	if err := p.load(t, items); err != nil {
		return err
	}
	p.newHead = p.head
	for _, it := range items {
		it.row, it.dup, it.err, it.marker = nil, false, nil, Marker{}
		if it.mark != nil {
			p.mark(it)
		} else {
			p.append(it)
		}
	}
	p.finishMarks()
	for _, it := range p.newItems {
		p.buf = it.row.seal(p.buf)
	}
	for _, r := range p.changedRows {
		p.buf = r.seal(p.buf)
	}
	return p.failedBefore(t, items)
}

// failedBefore looks at the entries that cannot be appended: a retry of one
// that was stored is answered with it, although what it relied on has changed
// since, for example its sender's membership.
func (p *plan) failedBefore(t txn, items []*item) error {
	if p.careful {
		return nil
	}
	var keys []idemKey
	for _, it := range items {
		if it.a != nil && it.err != nil {
			keys = append(keys, it.idem())
		}
	}
	if len(keys) == 0 {
		return nil
	}
	found, err := t.stored(keys)
	if err == nil && len(found) > 0 {
		p.known = found
		return errDuplicate
	}
	return err
}

func (p *plan) loadConvs(t txn, items []*item) error {
	var missing []convKey
	var asked map[convKey]bool
	for _, it := range items {
		k := it.key()
		if it.c = p.cache.get(k); it.c == nil && !asked[k] {
			if asked == nil {
				asked = map[convKey]bool{}
			}
			asked[k] = true
			missing = append(missing, k)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	found, err := t.convs(missing)
	if err != nil {
		return err
	}
	for _, c := range found {
		c.people = map[im.UserID]*memberState{}
		p.cache.put(c)
	}
	for _, it := range items {
		if it.c == nil {
			it.c = p.cache.get(it.key())
		}
	}
	return nil
}

// wants collects what a batch needs beside its conversations.
type wants struct {
	peopleOf []*convState
	users    []im.UserID
	rows     []rowRef
	edits    []rowRef
	slotsOf  []*convState
	keys     []string
}

func (w *wants) person(c *convState, u im.UserID) {
	if _, ok := c.people[u]; !ok && u != "" {
		c.people[u] = nil
		w.peopleOf, w.users = append(w.peopleOf, c), append(w.users, u)
	}
}

func (p *plan) load(t txn, items []*item) error {
	var w wants
	rowsAsked := map[rowRef]bool{}
	row := func(c *convState, seq im.Seq) {
		if r := (rowRef{c, seq}); seq >= 1 && seq <= c.headSeq && !rowsAsked[r] {
			rowsAsked[r] = true
			w.rows = append(w.rows, r)
		}
	}
	for _, it := range items {
		c := it.c
		if it.mark == nil && (it.a.Effect != NoEffect || it.a.TargetVersion > 0) {
			p.index = true
		}
		if c == nil {
			continue
		}
		if it.mark != nil {
			w.person(c, it.mark.user)
			if _, known := c.ordAt(it.mark.seq); !known {
				row(c, it.mark.seq)
			}
			continue
		}
		a := it.a
		if a.MarkRead || a.MinGap > 0 {
			w.person(c, a.Sender)
		}
		for _, m := range a.Members {
			w.person(c, m.User)
		}
		if st, ok := p.known[it.idem()]; ok && st.hash == it.req {
			row(c, st.seq)
			continue
		}
		if a.Effect.onTarget() || a.TargetVersion > 0 {
			row(c, a.Target)
		}
		if a.Effect.blanks() {
			w.edits = append(w.edits, rowRef{c, a.Target})
		}
		if a.Key != "" {
			w.slotsOf, w.keys = append(w.slotsOf, c), append(w.keys, a.Key)
		}
	}
	return p.fetch(t, &w)
}

func (p *plan) fetch(t txn, w *wants) error {
	if len(w.users) > 0 {
		if err := t.people(w.peopleOf, w.users); err != nil {
			return err
		}
	}
	for _, get := range []struct {
		n    int
		call func() ([]*row, error)
		then func(*row)
	}{
		{len(w.rows), func() ([]*row, error) { return t.rows(w.rows) }, func(*row) {}},
		{len(w.edits), func() ([]*row, error) { return t.edits(w.edits) }, func(r *row) {
			k := rowKey{r.c.no, r.Target}
			p.editsOf[k] = append(p.editsOf[k], r)
		}},
		{len(w.keys), func() ([]*row, error) { return t.slots(w.slotsOf, w.keys) }, func(r *row) {
			p.slots[slotKey{r.c.no, r.Key}] = r
		}},
	} {
		if get.n == 0 {
			continue
		}
		found, err := get.call()
		if err != nil {
			return err
		}
		for _, r := range found {
			k := rowKey{r.c.no, r.Seq}
			if p.rows[k] == nil {
				p.rows[k] = r
				get.then(r)
			} else if !listed(p.editsOf[rowKey{r.c.no, r.Target}], p.rows[k]) {
				get.then(p.rows[k]) // one row, found in two ways
			}
		}
	}
	return nil
}

func listed(list []*row, r *row) bool {
	for _, x := range list {
		if x == r {
			return true
		}
	}
	return false
}

// duplicate answers an entry whose key was stored before.
func (p *plan) duplicate(it *item, st storedReq) {
	if st.hash != it.req {
		it.err = errReused()
		return
	}
	if it.c != nil {
		it.row = p.rows[rowKey{it.c.no, st.seq}]
	}
	if it.row == nil {
		it.err = im.Errorf(im.DataLoss, "the entry of a stored client id is gone")
		return
	}
	if p.buf, it.err = it.row.verify(p.buf); it.err == nil {
		it.dup, it.acl = true, it.c.acl
	}
}

func errReused() error {
	return &im.Error{Code: im.ClientIDReused, Message: "the client id was used for another content",
		Hint: "make a new client id for each new message"}
}

func stale(what string) error {
	return fmt.Errorf("%w (%w)", im.Errorf(im.FailedPrecondition, "the %s has changed; read again and retry", what), &Stale{What: what})
}

func (p *plan) append(it *item) {
	a := it.a
	if p.careful {
		k := it.idem()
		if st, ok := p.known[k]; ok {
			p.duplicate(it, st)
			return
		}
		if first := p.seen[k]; first != nil {
			if first.req != it.req {
				it.err = errReused()
			} else {
				it.row, it.dup, it.acl = first.row, true, first.acl
			}
			return
		}
		defer func() {
			if it.err == nil {
				p.seen[k] = it
			}
		}()
	}
	if it.c == nil {
		it.c = p.fresh[it.key()]
	}
	var target *row
	if it.err = p.precondition(it); it.err == nil {
		target, it.err = p.target(it)
	}
	var older *row
	if it.err == nil && a.Key != "" && it.c != nil {
		if older = p.slots[slotKey{it.c.no, a.Key}]; older != nil {
			p.buf, it.err = older.verify(p.buf)
		}
	}
	if it.err != nil {
		return
	}
	c := it.c
	if c == nil {
		c = p.create(a)
		it.c = c
	}
	r := p.number(c, a)
	it.row = r
	p.newItems = append(p.newItems, it)
	p.effect(a, r, target, older)
	p.membership(c, a, r)
	if m := c.people[a.Sender]; (a.MarkRead || a.MinGap > 0) && m.current() {
		if a.MarkRead {
			m.readSeq, m.readOrd = r.Seq, r.Ord
		}
		if a.Kind == im.KindMessage {
			m.sent = r.Time
		}
		m.readMoved = true
		p.touch(c, m)
	}
	it.acl = c.acl
}

func (p *plan) precondition(it *item) error {
	a, c := it.a, it.c
	switch {
	case c == nil && a.Create == nil:
		return im.ErrNotFound
	case c == nil && a.ACLVersion > 0, c != nil && a.ACLVersion >= 0 && a.ACLVersion != c.acl:
		return stale("acl_version")
	case c != nil && c.bits&a.Deny != 0:
		return im.Errorf(im.PermissionDenied, "the conversation is closed to this sender")
	}
	if a.SlotSeq != nil {
		var newest im.Seq
		if c != nil {
			if older := p.slots[slotKey{c.no, a.Key}]; older != nil {
				newest = older.Seq
			}
		}
		if newest != *a.SlotSeq {
			return stale("key")
		}
	}
	return p.slow(it)
}

// slow refuses a message that follows the sender's last one too soon.
func (p *plan) slow(it *item) error {
	a, c := it.a, it.c
	if a.MinGap <= 0 || c == nil {
		return nil
	}
	m := c.people[a.Sender]
	if !m.current() || m.sent == 0 {
		return nil
	}
	if wait := a.MinGap - max(p.now, c.headTime).Time().Sub(m.sent.Time()); wait > 0 {
		return &im.Error{Code: im.RateLimited, Message: "this conversation is in slow mode", RetryAfter: wait}
	}
	return nil
}

// onTarget tells whether the effect changes the target's row.
func (e Effect) onTarget() bool { return e == ReplaceTarget || e.blanks() }

// blanks tells whether the effect empties the target and its edits.
func (e Effect) blanks() bool { return e == BlankTarget || e == ExpireTarget }

// target finds and checks the row that an entry is about.
func (p *plan) target(it *item) (*row, error) {
	a := it.a
	if !a.Effect.onTarget() && a.TargetVersion <= 0 {
		return nil, nil
	}
	if it.c == nil || a.Target < 1 || a.Target > it.c.headSeq {
		return nil, im.ErrNotFound
	}
	t := p.rows[rowKey{it.c.no, a.Target}]
	if t == nil {
		return nil, im.Errorf(im.DataLoss, "entry %d of conversation %q is gone", a.Target, a.Conv)
	}
	var err error
	if p.buf, err = t.verify(p.buf); err != nil {
		return nil, err
	}
	if a.TargetVersion > 0 && t.Version != a.TargetVersion {
		return nil, stale("target version")
	}
	if a.Effect == ReplaceTarget && (t.Recalled || t.Expired) {
		return nil, stale("target") // an edit must not bring a recalled body back
	}
	if a.Effect.blanks() {
		for _, e := range p.editsOf[rowKey{it.c.no, a.Target}] {
			if p.buf, err = e.verify(p.buf); err != nil {
				return nil, err
			}
		}
	}
	return t, nil
}

// create makes a conversation. Until it is stored it has a number below 0,
// which tells it from others in the maps of this plan.
func (p *plan) create(a *Append) *convState {
	c := &convState{convKey: convKey{a.App, a.Conv}, no: -int64(len(p.newConvs) + 1), kind: a.Create.Kind, title: a.Create.Title,
		attrs: a.Create.Attrs, shard: p.shard, acl: 1, created: p.now, people: map[im.UserID]*memberState{}, fresh: true}
	for _, m := range a.Create.Members {
		if c.people[m.User].current() || m.Role == im.RoleNone {
			continue
		}
		s := &memberState{user: m.User, role: m.Role, joined: 1, from: 1, changed: p.newHead + 1, fresh: true}
		c.people[m.User] = s
		c.members++
		p.touch(c, s)
	}
	p.fresh[c.convKey] = c
	p.newConvs = append(p.newConvs, c)
	return c
}

// number gives an entry its place.
func (p *plan) number(c *convState, a *Append) *row {
	c.headSeq++
	p.newHead++
	c.headTime = max(c.headTime, p.now)
	r := &row{c: c, fresh: true, checked: true, Entry: im.Entry{App: a.App, Conv: a.Conv, Seq: c.headSeq, Shard: p.shard,
		Pos: p.newHead, Kind: a.Kind, Sender: a.Sender, Device: a.Device, Session: a.Session, Time: c.headTime,
		ClientID: a.ClientID, Version: 1, Target: a.Target, Key: a.Key, Handshake: a.Handshake, ToDevices: a.ToDevices, Body: a.Body,
		ToUsers: a.ToUsers, Silent: a.Silent, Priority: a.Priority, Burn: a.Burn, Uncounted: a.Uncounted}}
	if r.Expires = a.Expires; a.TTL > 0 {
		r.Expires = c.headTime + im.Micros(a.TTL.Microseconds())
	}
	if r.Countable() {
		c.headOrd++
	}
	c.pushed(r.Countable())
	r.Ord = c.headOrd
	if p.index {
		p.rows[rowKey{c.no, r.Seq}] = r
		if k := (rowKey{c.no, r.Target}); r.beside() {
			p.editsOf[k] = append(p.editsOf[k], r)
		}
	}
	return r
}

// effect changes the rows that the entry is about.
func (p *plan) effect(a *Append, r, target, older *row) {
	switch a.Effect {
	case ReplaceTarget:
		if target.Version == 1 {
			r.Previous = target.Body
		}
		target.Body = a.Body
		target.Version++
		p.change(target)
	case BlankTarget:
		p.blank(target, &target.Recalled)
		p.blankEdits(r)
	case ExpireTarget:
		p.blank(target, &target.Expired)
		p.blankEdits(r)
	case BlankKey:
		if older != nil {
			p.blank(older, nil)
		}
	case FollowKey:
		if older != nil {
			r.Previous = older.Body
		}
	}
	if a.Key == "" {
		return
	}
	if older != nil {
		older.slot = false
		p.change(older)
	}
	r.slot = true
	p.slots[slotKey{r.c.no, a.Key}] = r
}

// blankEdits empties the edits of an entry's target.
func (p *plan) blankEdits(r *row) {
	for _, e := range p.editsOf[rowKey{r.c.no, r.Target}] {
		p.blank(e, nil)
	}
}

// blank empties a row and sets the mark that says why, if there is one; a row
// that is so already stays as it is.
func (p *plan) blank(r *row, mark *bool) {
	if len(r.Body) == 0 && len(r.Previous) == 0 && (mark == nil || *mark) {
		return
	}
	r.Body, r.Previous = nil, nil
	if mark != nil {
		*mark = true
	}
	r.Version++
	p.change(r)
}

func (p *plan) change(r *row) {
	if !r.fresh && !r.changed {
		r.changed = true
		p.changedRows = append(p.changedRows, r)
	}
}

// membership applies changes of members and of the conversation's own row.
func (p *plan) membership(c *convState, a *Append, r *row) {
	if own := ownBits(r); c.bits&own != own {
		c.bits |= own
		p.changeConv(c)
	}
	if len(a.Members) == 0 && a.Title == nil && a.Attrs == nil && !a.Raise && a.SetBits|a.ClearBits == 0 {
		return
	}
	raised := a.Raise
	for _, ch := range a.Members {
		m := c.people[ch.User]
		switch {
		case ch.Role == im.RoleNone && m.current():
			m.to = r.Seq + 1
			c.members--
			if ch.Attrs != nil {
				m.attrs = *ch.Attrs
			}
		case ch.Role == im.RoleNone:
			continue
		case m.current():
			if m.role == ch.Role && (ch.Attrs == nil || bytes.Equal(m.attrs, *ch.Attrs)) {
				continue
			}
			m.role = ch.Role
			if ch.Attrs != nil {
				m.attrs = *ch.Attrs
			}
		default:
			m = p.join(c, m, ch, r)
		}
		m.changed, m.changedRow, raised = r.Pos, true, true
		p.touch(c, m)
	}
	if a.Title != nil && *a.Title != c.title {
		c.title, raised = *a.Title, true
	}
	if a.Attrs != nil && !bytes.Equal(*a.Attrs, c.attrs) {
		c.attrs, raised = *a.Attrs, true
	}
	if bits := c.bits&^a.ClearBits | a.SetBits; bits != c.bits {
		c.bits, raised = bits, true
	}
	if raised {
		c.acl++
		p.changeConv(c)
	}
}

// join begins an interval. Its read marker stands right before the entry, so
// that what was said before does not count as unread.
func (p *plan) join(c *convState, before *memberState, ch MemberChange, r *row) *memberState {
	if before != nil && before.joined == r.Seq { // ended and begun by one entry
		before.to, before.role, before.attrs = 0, ch.Role, nil
		if ch.Attrs != nil {
			before.attrs = *ch.Attrs
		}
		c.members++
		return before
	}
	if before != nil {
		before.wasLatest = true
		p.touch(c, before)
	}
	m := &memberState{user: ch.User, role: ch.Role, joined: r.Seq, from: r.Seq, readSeq: r.Seq - 1, readOrd: r.Ord, fresh: true}
	if r.Countable() {
		m.readOrd--
	}
	if ch.FromStart {
		m.from = 1
	}
	if ch.Attrs != nil {
		m.attrs = *ch.Attrs
	}
	c.people[ch.User] = m
	c.members++
	return m
}

func (p *plan) touch(c *convState, m *memberState) {
	if !m.listed {
		m.listed = true
		p.people = append(p.people, person{c, m})
	}
}

func (p *plan) changeConv(c *convState) {
	if !c.fresh && !c.changedRow {
		c.changedRow = true
		p.convs = append(p.convs, c)
	}
}

// mark moves a read marker.
func (p *plan) mark(it *item) {
	mk, c := it.mark, it.c
	if c == nil {
		c = p.fresh[it.key()]
	}
	if c == nil || !c.people[mk.user].current() {
		it.err = im.ErrNotFound
		return
	}
	m := c.people[mk.user]
	seq := min(mk.seq, c.headSeq)
	if seq > m.readSeq {
		ord, ok := c.ordAt(seq)
		if !ok {
			r := p.rows[rowKey{c.no, seq}]
			if r == nil {
				it.err = im.Errorf(im.DataLoss, "entry %d of conversation %q is gone", seq, mk.conv)
				return
			}
			if p.buf, it.err = r.verify(p.buf); it.err != nil {
				return
			}
			ord = r.Ord
		}
		m.readSeq, m.readOrd, m.readMoved = seq, ord, true
		it.marker.Moved = true
		p.marked = append(p.marked, person{c, m})
		p.touch(c, m)
	}
	it.marker.Seq, it.marker.Ord = m.readSeq, m.readOrd
}

// finishMarks gives the rows of moved markers their changed position, by which
// a device's sync finds them: what lies past its cursor is news.
//
// A cursor is the shard's head in some snapshot. If this commit moves the head
// from 7 to 9, whoever has cursor 9 has seen the mark, so 9 it is. If it does
// not, a device may have cursor 7 from before the mark, and 7 is not past 7: it
// would never hear of it. So then it is 8. A device that syncs twice before
// entry 8 is there sees the row twice, which does no harm; from the next entry
// on it does not.
func (p *plan) finishMarks() {
	pos := p.newHead
	if p.newHead == p.head {
		pos++
	}
	for _, x := range p.marked {
		x.m.changed, x.m.changedRow = pos, true
		x.c.changed = pos
		p.changeConv(x.c)
	}
}

// maxPeople bounds the members of one conversation that a writer remembers; a
// large group with a mark of everybody would be held whole otherwise.
const maxPeople = 4096

// stored makes what was planned the cache's truth, after the commit.
func (p *plan) stored() {
	p.cache.head, p.cache.commits = p.newHead, p.commits+1
	for _, c := range p.newConvs {
		c.fresh = false
		p.cache.put(c)
	}
	for _, c := range p.convs {
		c.changedRow = false
	}
	for _, x := range p.people {
		x.m.fresh, x.m.changedRow, x.m.readMoved, x.m.listed = false, false, false, false
		if len(x.c.people) > maxPeople {
			x.c.people = map[im.UserID]*memberState{}
		}
	}
}
