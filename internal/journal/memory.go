package journal

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/skein-im/skein/internal/im"
)

// Memory is what the in-memory twin has stored: a journal without a disk, for
// simulations and for tests that are not about storage. It keeps the same
// contract, by the same plans and machines, and survives its journals: Open it
// again to see what a restarted node would see, or twice for two nodes.
type Memory struct {
	mu          sync.Mutex // guards the rest
	incarnation string
	shards      []memShard
	convs       map[convKey]*memConv
	byNo        map[int64]*memConv
	keys        map[idemKey]storedReq
	full        bool
}

// memShard is a shard's row and its entries by pos.
type memShard struct {
	head    im.Pos
	commits int64
	log     []rowKey
}

// memConv is one conversation. It is never changed once it is in the map, so
// that a snapshot needs nothing but the map: a commit puts a new one there.
type memConv struct {
	convState                              // without people
	entries   []*row                       // by seq
	intervals map[im.UserID][]*memberState // oldest first
}

// NewMemory makes an empty store with a number of shards, at least 1.
func NewMemory(shards int, e im.Entropy) (*Memory, error) {
	incarnation, err := im.RandomID(e)
	if err != nil {
		return nil, err
	}
	return &Memory{incarnation: incarnation, shards: make([]memShard, max(shards, 1)), convs: map[convKey]*memConv{},
		byNo: map[int64]*memConv{}, keys: map[idemKey]storedReq{}}, nil
}

// Open returns a journal over the store. Options.Shards and Entropy have no
// meaning here.
func (m *Memory) Open(o Options) Journal {
	o.defaults()
	return newEngine(o, m, m, m.incarnation, len(m.shards))
}

// SetFull lets commits fail as on a full disk, until it is called with false.
func (m *Memory) SetFull(full bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.full = full
}

func (m *Memory) transact(ctx context.Context, shard int, _ bool, _ *cache, fn func(txn) error) error {
	if err := ctx.Err(); err != nil {
		return im.Errorf(im.Unavailable, "the journal is closed")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return fn(&memTxn{m: m, no: shard})
}

type memTxn struct {
	m  *Memory
	no int
}

func (t *memTxn) shard() (head im.Pos, commits int64, err error) {
	s := &t.m.shards[t.no]
	return s.head, s.commits, nil
}

func (t *memTxn) convs(keys []convKey) (out []*convState, err error) {
	for _, k := range keys {
		if c := t.m.convs[k]; c != nil {
			s := c.convState
			s.known, s.countable = 0, 0
			out = append(out, &s)
		}
	}
	return out, nil
}

func (t *memTxn) people(cs []*convState, users []im.UserID) error {
	for i, c := range cs {
		if list := t.m.byNo[c.no].intervals[users[i]]; len(list) > 0 {
			m := *list[len(list)-1]
			c.people[users[i]] = &m
		}
	}
	return nil
}

// lend gives a plan its own copy of a stored row.
func lend(c *convState, r *row) *row {
	x := *r
	x.c, x.checked = c, false
	return &x
}

func (t *memTxn) pick(c *convState, fits func(*row) bool) (out []*row) {
	for _, r := range t.m.byNo[c.no].entries {
		if fits(r) {
			out = append(out, lend(c, r))
		}
	}
	return out
}

func (t *memTxn) rows(refs []rowRef) (out []*row, err error) {
	for _, ref := range refs {
		if list := t.m.byNo[ref.c.no].entries; ref.seq >= 1 && int(ref.seq) <= len(list) {
			out = append(out, lend(ref.c, list[ref.seq-1]))
		}
	}
	return out, nil
}

func (t *memTxn) edits(refs []rowRef) (out []*row, err error) {
	for _, ref := range refs {
		out = append(out, t.pick(ref.c, func(r *row) bool { return r.beside() && r.Target == ref.seq })...)
	}
	return out, nil
}

func (t *memTxn) slots(cs []*convState, keys []string) (out []*row, err error) {
	for i, c := range cs {
		out = append(out, t.pick(c, func(r *row) bool { return r.slot && r.Key == keys[i] })...)
	}
	return out, nil
}

func (t *memTxn) stored(keys []idemKey) (map[idemKey]storedReq, error) {
	found := map[idemKey]storedReq{}
	for _, k := range keys {
		if s, ok := t.m.keys[k]; ok {
			found[k] = s
		}
	}
	return found, nil
}

func (t *memTxn) apply(p *plan) error {
	m := t.m
	if p.writesNothing() {
		return nil
	}
	if m.full {
		return im.Errorf(im.ResourceExhausted, "the store is full")
	}
	batch := map[idemKey]bool{}
	for _, it := range p.newItems {
		k := it.idem()
		if _, ok := m.keys[k]; ok || batch[k] {
			return errDuplicate
		}
		batch[k] = true
	}
	changed := map[*convState]*memConv{}
	touch := func(c *convState) *memConv {
		if x := changed[c]; x != nil {
			return x
		}
		x := &memConv{intervals: map[im.UserID][]*memberState{}}
		if old := m.convs[c.convKey]; old != nil {
			*x = *old
		}
		changed[c] = x
		return x
	}
	for _, c := range p.newConvs {
		c.no = int64(len(m.byNo) + 1)
		m.byNo[c.no] = touch(c) // before the next one is numbered
	}
	s := &m.shards[t.no]
	for _, it := range p.newItems {
		x := touch(it.row.c)
		x.entries = append(x.entries, keep(it.row))
		s.log = append(s.log, rowKey{it.row.c.no, it.row.Seq})
		m.keys[it.idem()] = storedReq{it.req, it.row.c.no, it.row.Seq}
	}
	for _, r := range p.changedRows {
		x := touch(r.c)
		x.entries = slices.Clone(x.entries)
		x.entries[r.Seq-1] = keep(r)
	}
	for _, who := range p.people {
		touch(who.c).join(who.m)
	}
	for _, c := range p.convs {
		touch(c)
	}
	for c, x := range changed {
		x.convState = *c
		x.people, x.fresh, x.changedRow = nil, false, false
		m.convs[c.convKey], m.byNo[c.no] = x, x
	}
	s.head, s.commits = p.newHead, p.commits+1
	return nil
}

// keep copies a row, so that a plan's later changes do not reach the store.
func keep(r *row) *row {
	x := *r
	x.Session, x.fresh, x.changed, x.c = 0, false, false, nil
	x.Body, x.Previous, x.ToDevices = slices.Clone(full(r.Body)), slices.Clone(full(r.Previous)), slices.Clone(r.ToDevices)
	x.ToUsers = slices.Clone(r.ToUsers)
	return &x
}

// join stores an interval, over its older state if there is one.
func (x *memConv) join(m *memberState) {
	c := *m
	c.fresh, c.changedRow, c.readMoved, c.listed = false, false, false, false
	x.intervals = maps.Clone(x.intervals)
	list := slices.Clone(x.intervals[m.user])
	if i := slices.IndexFunc(list, func(o *memberState) bool { return o.joined == m.joined }); i >= 0 {
		list[i] = &c
	} else {
		list = append(list, &c)
		slices.SortFunc(list, func(a, b *memberState) int { return int(a.joined - b.joined) })
	}
	x.intervals[m.user] = list
}

func (m *Memory) purge(_ context.Context, before im.ClientID, _ im.Micros) (n int64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for k := range m.keys {
		if string(k.id[:]) < string(before[:]) {
			delete(m.keys, k)
			n++
		}
	}
	return n, nil
}

func (m *Memory) view(ctx context.Context, fn func(View) error) error {
	if err := ctx.Err(); err != nil {
		return im.Errorf(im.Unavailable, "the call was given up")
	}
	m.mu.Lock()
	v := &memView{m: m, convs: maps.Clone(m.convs), byNo: maps.Clone(m.byNo), shards: slices.Clone(m.shards)}
	m.mu.Unlock()
	return fn(v)
}

// memView implements View over maps of conversations that nobody changes.
type memView struct {
	m      *Memory
	convs  map[convKey]*memConv
	byNo   map[int64]*memConv
	shards []memShard
	buf    []byte
}

func (v *memView) entry(c *memConv, r *row) (im.Entry, error) {
	x := *r
	x.checked = false
	var err error
	if v.buf, err = x.verify(v.buf); err != nil {
		return im.Entry{}, err
	}
	x.Body, x.Previous, x.ToDevices = slices.Clone(r.Body), slices.Clone(r.Previous), slices.Clone(r.ToDevices)
	x.ToUsers = slices.Clone(r.ToUsers)
	return x.Entry, nil
}

// pick returns the entries of a conversation that fit, at most limit.
func (v *memView) pick(app im.AppID, conv im.ConvID, limit int, fits func(*row) bool) (out []im.Entry, err error) {
	c := v.convs[convKey{app, conv}]
	if c == nil {
		return nil, nil
	}
	for _, r := range c.entries {
		if len(out) < limit && fits(r) {
			x, err := v.entry(c, r)
			if err != nil {
				return nil, err
			}
			out = append(out, x)
		}
	}
	return out, nil
}

// Heads implements View.
func (v *memView) Heads() (out []im.Pos, err error) {
	for _, s := range v.shards {
		out = append(out, s.head)
	}
	return out, nil
}

func (x *memConv) conv() Conv {
	last := x.entries[len(x.entries)-1]
	return Conv{App: x.app, ID: x.convKey.conv, Kind: x.kind, Title: x.title, Shard: x.shard, HeadSeq: last.Seq, HeadOrd: last.Ord,
		LastPos: last.Pos, ChangedPos: x.changed, ACLVersion: x.acl, Members: int(x.members), Created: x.created,
		Attrs: x.attrs, Bits: x.bits}
}

// Conv implements View.
func (v *memView) Conv(app im.AppID, conv im.ConvID) (Conv, error) {
	if c := v.convs[convKey{app, conv}]; c != nil {
		return c.conv(), nil
	}
	return Conv{}, im.ErrNotFound
}

// Bits implements View.
func (v *memView) Bits(app im.AppID, convs ...im.ConvID) (map[im.ConvID]uint64, error) {
	out := make(map[im.ConvID]uint64, len(convs))
	for _, id := range convs {
		if c := v.convs[convKey{app, id}]; c != nil {
			out[id] = c.conv().Bits
		}
	}
	return out, nil
}

// Entries implements View.
func (v *memView) Entries(app im.AppID, conv im.ConvID, from, to im.Seq, limit int, newest bool) ([]im.Entry, error) {
	if c := v.convs[convKey{app, conv}]; newest && c != nil {
		from = max(from, min(to, im.Seq(len(c.entries)))-im.Seq(max(limit, 0))+1)
	}
	return v.pick(app, conv, limit, func(r *row) bool { return r.Seq >= from && r.Seq <= to })
}

// Targeting implements View.
func (v *memView) Targeting(app im.AppID, conv im.ConvID, from, to im.Seq, limit int, kinds ...im.Kind) ([]im.Entry, error) {
	return v.pick(app, conv, limit, func(r *row) bool {
		return r.Target > 0 && r.Target >= from && r.Target <= to && slices.Contains(kinds, r.Kind)
	})
}

// ByClientID implements View.
func (v *memView) ByClientID(app im.AppID, sender im.UserID, id im.ClientID) (im.Entry, error) {
	v.m.mu.Lock()
	s, ok := v.m.keys[idemKey{id, app, sender}]
	v.m.mu.Unlock()
	c := v.byNo[s.convNo]
	if !ok || c == nil || int(s.seq) > len(c.entries) { // stored after the snapshot
		return im.Entry{}, im.ErrNotFound
	}
	return v.entry(c, c.entries[s.seq-1])
}

// Keyed implements View.
func (v *memView) Keyed(app im.AppID, conv im.ConvID) ([]im.Entry, error) {
	out, err := v.pick(app, conv, 1<<30, func(r *row) bool { return r.slot && r.Key >= pastFolded })
	slices.SortFunc(out, func(a, b im.Entry) int { return strings.Compare(a.Key, b.Key) })
	return out, err
}

// KeyedIn implements View.
func (v *memView) KeyedIn(app im.AppID, conv im.ConvID, r KeyRange) ([]im.Entry, error) {
	out, err := v.pick(app, conv, 1<<30, func(e *row) bool {
		return e.slot && strings.HasPrefix(e.Key, r.Prefix) && e.Key > r.After && e.Pos > r.Since
	})
	slices.SortFunc(out, func(a, b im.Entry) int { return strings.Compare(a.Key, b.Key) })
	return out[:min(len(out), max(r.Limit, 0))], err
}

// KeyedAt implements View.
func (v *memView) KeyedAt(app im.AppID, conv im.ConvID, keys ...string) ([]im.Entry, error) {
	out, err := v.pick(app, conv, 1<<30, func(e *row) bool { return e.slot && slices.Contains(keys, e.Key) })
	slices.SortFunc(out, func(a, b im.Entry) int { return strings.Compare(a.Key, b.Key) })
	return out, err
}

// Since implements View.
func (v *memView) Since(shard int, after im.Pos, limit int) (out []im.Entry, err error) {
	if shard < 0 || shard >= len(v.shards) {
		return nil, nil
	}
	log := v.shards[shard].log
	for i := max(after, 0); int(i) < len(log) && len(out) < limit; i++ {
		c := v.byNo[log[i].convNo]
		x, err := v.entry(c, c.entries[log[i].seq-1])
		if err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, nil
}

func (m *memberState) member() Member {
	return Member{User: m.user, Role: m.role, From: m.from, To: m.to, ReadSeq: m.readSeq, ReadOrd: m.readOrd, Changed: m.changed,
		Attrs: m.attrs, Sent: m.sent, Joined: m.joined}
}

// Intervals implements View.
func (v *memView) Intervals(app im.AppID, conv im.ConvID, user im.UserID) (out []Member, err error) {
	if c := v.convs[convKey{app, conv}]; c != nil {
		for _, m := range c.intervals[user] {
			out = append(out, m.member())
		}
	}
	return out, nil
}

// Member implements View.
func (v *memView) Member(app im.AppID, conv im.ConvID, user im.UserID) (Member, error) {
	list, err := v.Intervals(app, conv, user)
	if err != nil || len(list) == 0 {
		return Member{}, im.ErrNotFound
	}
	return list[len(list)-1], nil
}

// current returns the current members by user id.
func (v *memView) current(app im.AppID, conv im.ConvID) (out []Member) {
	c := v.convs[convKey{app, conv}]
	if c == nil {
		return nil
	}
	for _, user := range slices.Sorted(maps.Keys(c.intervals)) {
		if m := c.intervals[user][len(c.intervals[user])-1]; m.to == 0 {
			out = append(out, m.member())
		}
	}
	return out
}

// Members implements View.
func (v *memView) Members(app im.AppID, conv im.ConvID, after im.UserID, limit int) ([]Member, error) {
	list := slices.DeleteFunc(v.current(app, conv), func(m Member) bool { return m.User <= after })
	return list[:min(len(list), max(limit, 0))], nil
}

// Readers implements View.
func (v *memView) Readers(app im.AppID, conv im.ConvID, limit int) ([]Member, error) {
	list := v.current(app, conv)
	slices.Reverse(list)
	slices.SortStableFunc(list, func(a, b Member) int { return int(b.Changed - a.Changed) })
	list = list[:min(len(list), max(limit, 0))]
	return slices.DeleteFunc(list, func(m Member) bool { return m.ReadSeq == 0 }), nil
}

// Changes implements View.
func (v *memView) Changes(app im.AppID, user im.UserID, since []im.Pos, before *PageKey, limit int) (out []Changed, err error) {
	for k, c := range v.convs {
		list := c.intervals[user]
		if k.app != app || len(list) == 0 {
			continue
		}
		x := Changed{Conv: c.conv(), Member: list[len(list)-1].member()}
		var cursor im.Pos
		if c.shard < len(since) {
			cursor = since[c.shard]
		}
		news := since == nil || x.Member.Changed > cursor ||
			x.Member.To == 0 && (x.Conv.LastPos > cursor || x.Conv.ChangedPos > cursor)
		if news && (before == nil || x.Conv.LastPos < before.LastPos || x.Conv.LastPos == before.LastPos && x.Conv.ID > before.Conv) {
			out = append(out, x)
		}
	}
	slices.SortFunc(out, func(a, b Changed) int {
		if a.Conv.LastPos != b.Conv.LastPos {
			return int(b.Conv.LastPos - a.Conv.LastPos)
		}
		return strings.Compare(string(a.Conv.ID), string(b.Conv.ID))
	})
	return out[:min(len(out), max(limit, 0))], nil
}

// Places implements View.
func (v *memView) Places(app im.AppID, user im.UserID, limit int) (out []Place, err error) {
	for k, c := range v.convs {
		if list := c.intervals[user]; k.app == app && len(list) > 0 {
			m := list[len(list)-1]
			out = append(out, Place{Conv: k.conv, From: m.from, To: m.to})
		}
	}
	slices.SortFunc(out, func(a, b Place) int { return strings.Compare(string(a.Conv), string(b.Conv)) })
	return out[:min(len(out), max(limit, 0))], nil
}

// OrdAt implements View.
func (v *memView) OrdAt(app im.AppID, conv im.ConvID, seq im.Seq) (im.Ord, error) {
	c := v.convs[convKey{app, conv}]
	switch {
	case seq == 0:
		return 0, nil
	case c == nil || seq < 0 || int(seq) > len(c.entries):
		return 0, im.ErrNotFound
	}
	return c.entries[seq-1].Ord, nil
}
