package presence

import (
	"cmp"
	"container/list"
	"hash/fnv"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/im"
)

// An event is what can happen to a mirror: hello, tick, moved or heard.
type event any

type (
	hello struct{} // this node starts, or lost hints: learn from everybody
	tick  struct{} // time has passed
	moved struct { // a session of this node came or went
		bus.Session
		online bool
	}
	arrived struct{ bus.Session } // one came that had reserved a place
	heard   struct{ bus.Signal }  // another node (or this one) said something
)

// An effect is what a mirror wants done: say or changed.
type effect any

type (
	say     struct{ bus.Signal }
	changed struct {
		user
		State
	}
)

type user struct {
	app  im.AppID
	user im.UserID
}

// mirror is the state: this node's sessions, and what is believed of others'.
type mirror struct {
	boot     bus.Boot
	version  uint64
	came     uint64 // the version of the move that brought a user here last
	self     roster
	extra    map[bus.Session]int // further Onlines of a session of this node
	alive    time.Time           // when the last digest was sent
	answered [bus.Buckets]time.Time

	peers  map[string]*peer
	others int // sessions of all peers
	users  map[user][]Place
	// apps counts the places of each app, and reserved those that sessions of
	// this node are about to take (Presence.Reserve).
	apps     map[im.AppID]int
	reserved map[im.AppID]int
	seen     map[user]*list.Element // of order
	order    *list.List             // of seenAt, the oldest in front

	effects []effect // of the running step
	ordered bool     // what goes over a map goes in an order that repeats
}

type seenAt struct {
	user
	at im.Micros
}

// peer is another node.
type peer struct {
	roster
	boot  bus.Boot
	heard time.Time
	asked time.Time
	gone  bool // it said goodbye; kept so that a late move does not revive it

	// How much of the node's roster is mirrored: with whole set, all of it as
	// of version chain. Moves since a digest have been heard without a gap up
	// to chain; wanted are the buckets that differed then and were not told yet.
	whole  bool
	chain  uint64
	base   uint64 // the digest's version
	wanted map[uint16]struct{}
}

// follow counts a move: one that leaves a gap ends what was known for whole.
func (p *peer) follow(version uint64) {
	switch {
	case version == p.chain+1:
		p.chain = version
	case version > p.chain:
		p.forget()
	}
}

// forget says that the mirror of the peer may have a hole.
func (p *peer) forget() { p.whole, p.wanted = false, nil }

// digest compares a digest's version with what was heard. differ are the
// buckets that are not equal, asked whether they have been asked for.
func (p *peer) digest(version uint64, differ []uint16, asked bool) {
	switch {
	case version < p.chain && (p.whole || p.wanted != nil):
		// It was overtaken by moves: what differs says nothing.
	case len(differ) == 0:
		p.whole, p.wanted, p.chain, p.base = true, nil, version, version
	case !asked:
		p.forget()
	default:
		p.whole, p.chain, p.base = false, version, version
		p.wanted = make(map[uint16]struct{}, len(differ))
		for _, b := range differ {
			p.wanted[b] = struct{}{}
		}
	}
}

// told counts a bucket that was told as of a version.
func (p *peer) told(bucket uint16, version uint64) {
	if _, ok := p.wanted[bucket]; !ok || version < p.base {
		return
	}
	if delete(p.wanted, bucket); len(p.wanted) == 0 {
		p.whole, p.wanted = true, nil
	}
}

// roster is the sessions of a node with the version of their last move, and
// the sums that digests compare.
type roster struct {
	sessions [bus.Buckets]map[bus.Session]uint64
	sums     [bus.Buckets]uint64
	count    int
}

// hash spreads a session over the buckets; its low bits make the sums.
func hash(s bus.Session) uint64 {
	h := fnv.New64a()
	for _, part := range [...]string{string(s.App), string(s.User), string(s.Device)} {
		h.Write([]byte(part))
		h.Write([]byte{0xff}) // no byte of an id, which is UTF-8
	}
	// FNV's sums of similar inputs are similar; XORed, they could cancel out.
	x := h.Sum64()
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func bucketOf(h uint64) int { return int(h >> 56) }

// add reports whether the session is new.
func (r *roster) add(s bus.Session, version uint64) bool {
	h := hash(s)
	b := bucketOf(h)
	if old, ok := r.sessions[b][s]; ok {
		r.sessions[b][s] = max(old, version)
		return false
	}
	if r.sessions[b] == nil {
		r.sessions[b] = make(map[bus.Session]uint64)
	}
	r.sessions[b][s] = version
	r.sums[b] ^= h
	r.count++
	return true
}

// remove reports whether the session was there, and not newer than version.
func (r *roster) remove(s bus.Session, version uint64) bool {
	h := hash(s)
	b := bucketOf(h)
	if old, ok := r.sessions[b][s]; !ok || old > version {
		return false
	}
	delete(r.sessions[b], s)
	r.sums[b] ^= h
	r.count--
	return true
}

func newMirror(boot bus.Boot, now time.Time) *mirror {
	return &mirror{boot: boot, alive: now, extra: make(map[bus.Session]int), peers: make(map[string]*peer),
		users: make(map[user][]Place), apps: make(map[im.AppID]int), reserved: make(map[im.AppID]int), seen: make(map[user]*list.Element), order: list.New()}
}

// step is the whole machine. The effects are valid until the next step.
func (m *mirror) step(e event, now time.Time) []effect {
	clear(m.effects)
	m.effects = m.effects[:0]
	switch e := e.(type) {
	case hello:
		m.say(bus.RosterWanted{})
		m.sayAlive(now)
	case tick:
		m.tick(now)
	case arrived:
		tally(m.reserved, e.App, -1)
		m.moveOwn(e.Session, true, now)
	case moved:
		m.moveOwn(e.Session, e.online, now)
	case heard:
		m.hear(e.Signal, now)
	}
	return m.effects
}

func (m *mirror) say(s bus.Signal) { m.effects = append(m.effects, say{s}) }

func (m *mirror) sayAlive(now time.Time) {
	sums := m.self.sums
	m.say(bus.NodeAlive{Boot: m.boot, Version: m.version, Sums: &sums})
	m.alive = now
}

func (m *mirror) tick(now time.Time) {
	// Half a tick early is better than half a tick late.
	if now.Sub(m.alive) >= AliveEvery-tickEvery/2 {
		m.sayAlive(now)
	}
	for name := range inOrder(m.ordered, m.peers, strings.Compare) {
		p := m.peers[name]
		if now.Sub(p.heard) >= Lease {
			m.empty(p, im.MicrosOf(p.heard))
			delete(m.peers, name)
		}
	}
}

// moveOwn counts the sessions of a device at this node: only the first coming
// and the last going are moves.
func (m *mirror) moveOwn(s bus.Session, online bool, now time.Time) {
	at := im.MicrosOf(now)
	switch {
	case online && m.self.add(s, m.version+1):
		if !m.at(user{s.App, s.User}, m.boot.Node) {
			m.came = m.version + 1
		}
		m.place(s, m.boot.Node)
	case online:
		m.extra[s]++
		return
	case m.extra[s] > 0:
		if m.extra[s]--; m.extra[s] == 0 {
			delete(m.extra, s)
		}
		return
	case m.self.remove(s, m.version+1):
		m.displace(s, m.boot.Node, at)
	default:
		return // an Offline without an Online
	}
	m.version++
	m.say(bus.DeviceMoved{Session: s, Boot: m.boot, Version: m.version, Online: online, At: at})
}

func (m *mirror) hear(s bus.Signal, now time.Time) {
	switch s := s.(type) {
	case bus.DeviceMoved:
		p := m.peer(s.Boot, now)
		switch {
		case p == nil || p.gone:
			return
		case s.Online:
			m.come(p, s.Session, s.Version)
		case p.remove(s.Session, s.Version):
			m.others--
			m.displace(s.Session, p.boot.Node, s.At)
		}
		p.follow(s.Version)
	case bus.NodeAlive:
		m.compare(s, now)
	case bus.RosterWanted:
		m.answer(s, now)
	case bus.Roster:
		m.replace(s, now)
	}
}

// peer finds who speaks and renews its lease. Nil: this node itself, an older
// run of the speaker, or another node that took this node's name.
func (m *mirror) peer(boot bus.Boot, now time.Time) *peer {
	if boot.Node == m.boot.Node {
		return nil
	}
	p := m.peers[boot.Node]
	switch {
	case p == nil:
		p = &peer{boot: boot}
		m.peers[boot.Node] = p
	case boot.Started < p.boot.Started:
		return nil
	case boot.Started > p.boot.Started:
		m.empty(p, im.MicrosOf(p.heard))
		p.boot, p.gone, p.asked, p.chain, p.base = boot, false, time.Time{}, 0, 0
		p.forget()
	}
	p.heard = now
	return p
}

// compare finds what differs from a node's digest and asks for it.
func (m *mirror) compare(s bus.NodeAlive, now time.Time) {
	p := m.peer(s.Boot, now)
	switch {
	case p == nil || p.gone:
		return
	case s.Sums == nil:
		m.empty(p, im.MicrosOf(now))
		p.gone = true
		return
	}
	var differ []uint16
	for b := range s.Sums {
		if s.Sums[b] != p.sums[b] {
			differ = append(differ, uint16(b))
		}
	}
	ask := differ != nil && now.Sub(p.asked) >= calm
	p.digest(s.Version, differ, ask)
	if ask {
		p.asked = now
		m.say(bus.RosterWanted{Boot: p.boot, Buckets: differ})
	}
}

// answer tells everybody the buckets that somebody asked for. The zero boot
// asks every node for its digest.
func (m *mirror) answer(s bus.RosterWanted, now time.Time) {
	if s.Boot == (bus.Boot{}) {
		if now.Sub(m.alive) >= calm {
			m.sayAlive(now)
		}
		return
	}
	if s.Boot != m.boot {
		return
	}
	for _, b := range s.Buckets {
		if b >= bus.Buckets || now.Sub(m.answered[b]) < calm {
			continue // it was told to everybody a moment ago
		}
		m.answered[b] = now
		sessions := make([]bus.Session, 0, len(m.self.sessions[b]))
		for session := range inOrder(m.ordered, m.self.sessions[b], compareSessions) {
			sessions = append(sessions, session)
		}
		m.say(bus.Roster{Boot: m.boot, Version: m.version, Bucket: b, Sessions: sessions})
	}
}

// replace takes over a bucket as its node tells it. Moves that are newer than
// the roster stay.
func (m *mirror) replace(s bus.Roster, now time.Time) {
	p := m.peer(s.Boot, now)
	if p == nil || p.gone || s.Bucket >= bus.Buckets {
		return
	}
	told := make(map[bus.Session]struct{}, len(s.Sessions))
	for _, session := range s.Sessions {
		told[session] = struct{}{}
		m.come(p, session, s.Version)
	}
	for session := range inOrder(m.ordered, p.sessions[s.Bucket], compareSessions) {
		if _, ok := told[session]; !ok && p.remove(session, s.Version) {
			m.others--
			m.displace(session, p.boot.Node, im.MicrosOf(now))
		}
	}
	p.told(s.Bucket, s.Version)
}

func (m *mirror) come(p *peer, s bus.Session, version uint64) {
	if m.others >= MaxSessions {
		p.chain = 0 // this mirror will not be whole
		p.forget()
		return
	}
	if p.add(s, version) {
		m.others++
		m.place(s, p.boot.Node)
	}
}

// empty ends all sessions of a peer.
func (m *mirror) empty(p *peer, at im.Micros) {
	for _, bucket := range p.sessions {
		for s := range inOrder(m.ordered, bucket, compareSessions) {
			m.displace(s, p.boot.Node, at)
		}
	}
	m.others -= p.count
	p.roster = roster{}
}

// place notes where a session is; the first one of a user is news.
func (m *mirror) place(s bus.Session, node string) {
	u := user{s.App, s.User}
	m.users[u] = append(m.users[u], Place{s.Device, node})
	tally(m.apps, s.App, 1)
	if len(m.users[u]) == 1 {
		if e, ok := m.seen[u]; ok {
			m.order.Remove(e)
			delete(m.seen, u)
		}
		m.effects = append(m.effects, changed{u, m.state(u)})
	}
}

// displace forgets where a session was; the last one of a user is news.
func (m *mirror) displace(s bus.Session, node string, at im.Micros) {
	u := user{s.App, s.User}
	had := len(m.users[u])
	left := slices.DeleteFunc(m.users[u], func(p Place) bool { return p == Place{s.Device, node} })
	tally(m.apps, s.App, len(left)-had)
	if len(left) > 0 {
		m.users[u] = left
		return
	}
	delete(m.users, u)
	m.seen[u] = m.order.PushBack(seenAt{u, at})
	if m.order.Len() > MaxSeen {
		oldest := m.order.Remove(m.order.Front()).(seenAt)
		delete(m.seen, oldest.user)
	}
	m.effects = append(m.effects, changed{u, m.state(u)})
}

// tally adds to a count that is kept only while it is not 0.
func tally(counts map[im.AppID]int, app im.AppID, n int) {
	if counts[app] += n; counts[app] == 0 {
		delete(counts, app)
	}
}

// reserve takes a place for a device that is about to come, unless it has one
// here or at another node already, or the app has as many as it may.
func (m *mirror) reserve(s bus.Session, most uint64) (reserved, ok bool) {
	if slices.ContainsFunc(m.users[user{s.App, s.User}], func(p Place) bool { return p.Device == s.Device }) {
		return false, true
	}
	if uint64(m.apps[s.App]+m.reserved[s.App]) >= most {
		return false, false
	}
	tally(m.reserved, s.App, 1)
	return true, true
}

func (m *mirror) state(u user) State {
	s := State{User: u.user, Online: len(m.users[u]) > 0}
	if e, ok := m.seen[u]; ok {
		s.LastSeen = e.Value.(seenAt).at
	}
	return s
}

// at tells whether a user has a session at a node.
func (m *mirror) at(u user, node string) bool {
	return slices.ContainsFunc(m.users[u], func(p Place) bool { return p.Node == node })
}

func (m *mirror) where(u user) []Place { return slices.Clone(m.users[u]) }

// inOrder iterates over the keys of a map: in the map's own order, which
// differs from run to run, or in one that a simulation can repeat.
func inOrder[K comparable, V any](ordered bool, m map[K]V, compare func(a, b K) int) iter.Seq[K] {
	if !ordered {
		return maps.Keys(m)
	}
	return slices.Values(slices.SortedFunc(maps.Keys(m), compare))
}

func compareSessions(a, b bus.Session) int {
	return cmp.Or(cmp.Compare(a.App, b.App), cmp.Compare(a.User, b.User), cmp.Compare(a.Device, b.Device))
}
