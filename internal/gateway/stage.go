package gateway

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/live"
	"github.com/skein-im/skein/internal/turn"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// The bounds and times of livestreams.
const (
	roomLines    = 30        // that one flush shows at most
	roomBytes    = 64 << 10  // and how many bytes of them
	roomsWatched = 10        // of one session
	roomSlow     = 256 << 10 // output that waits for a viewer who is passed over
	flushEvery   = 100 * time.Millisecond
	stateEvery   = time.Second
	slice        = time.Millisecond // in which a part of the budget is used
	peerLife     = 5 * time.Second  // of what another node told of its viewers
	roomRate     = 2.0              // messages of a viewer a second
	roomBurst    = 5.0
	staffRate    = 20.0 // of who looks after the room
	staffBurst   = 50.0
	maxFar       = 10_000 // rooms of which other nodes have told
)

// stage is the livestreams that are watched at this node. What is said goes out
// in flushes: each viewer gets one write with all that the flush shows, and
// writes have a budget of their own (Limits.RoomWrites a second), used in
// slices of 1 ms. So the more viewers a node has the rarer flushes are, and the
// cost for everybody else stays the same however much is said.
type stage struct {
	g    *Gateway
	off  func()
	wake chan struct{} // holds a token when there is something to do

	mu    sync.Mutex // guards the rest; a session's lock is taken under it
	rooms map[roomKey]*stageRoom
	order []*stageRoom // of rooms, by key: whose turn it is goes round
	turn  int
	// looks counts the fences about viewers: what was read before one may be
	// out of date.
	looks uint64
	// others is what other nodes have told of their viewers.
	others map[roomKey]map[string]told
	tokens float64
	filled time.Time
}

// stageRoom is one livestream.
type stageRoom struct {
	key     roomKey
	viewers []*viewer
	places  map[*session]int // in viewers
	limits  map[im.UserID]*skeinv1.ViewerLimits
	looked  uint64 // looks when limits were read
	version int64  // of the room by which the viewers were checked

	shown, told     live.Sample // for the viewers here, for other nodes
	joined, dropped int         // since the last state
	joinedHere      int64       // since other nodes were told
	viewersTold     int

	batch     []byte // the flush under way
	at        int    // viewers that have had it
	nextFlush time.Time
	nextState time.Time
	lastTold  time.Time
}

type told struct {
	viewers int64
	at      time.Time
}

// viewer is a session that watches.
type viewer struct {
	s       *session
	user    im.UserID
	tokens  float64
	filled  time.Time
	skipped int // lines that it was not shown because it reads slowly
}

func newStage(g *Gateway) *stage {
	st := &stage{g: g, wake: make(chan struct{}, 1), rooms: make(map[roomKey]*stageRoom), others: make(map[roomKey]map[string]told), filled: g.Clock.Now()}
	st.off = g.Bus.Listen(bus.Livestreams, st.hear)
	return st
}

func (st *stage) poke() {
	select {
	case st.wake <- struct{}{}:
	default:
	}
}

// run sends what is due until the gateway closes.
func (st *stage) run() {
	due := turn.NewTimer(st.g.tasks, time.Hour)
	defer due.Stop()
	for {
		var wake <-chan struct{} = st.wake
		dues := due.C
		turn.First(st.g.tasks, st.g.ctx, turn.In(&wake), turn.In(&dues))
		select {
		case <-st.g.ctx.Done():
			return
		case <-wake:
		case <-dues:
		}
		if wait := st.step(st.g.Clock.Now()); wait > 0 {
			due.Reset(wait)
		}
	}
}

// budget is how many writes a second go to viewers.
func (st *stage) budget() float64 { return float64(st.g.Limits.RoomWrites) }

// step sends what the budget allows and returns when to come again; 0 = when
// there is news.
func (st *stage) step(now time.Time) time.Duration {
	st.mu.Lock()
	var tell []bus.Signal
	rate := st.budget()
	st.tokens = min(st.tokens+now.Sub(st.filled).Seconds()*rate, max(rate*slice.Seconds()*2, 16))
	st.filled = now
	wait := time.Duration(0)
	sooner := func(d time.Duration) {
		if d = max(d, time.Millisecond); wait == 0 || d < wait {
			wait = d
		}
	}
	for n := range len(st.order) {
		r := st.order[(st.turn+n)%len(st.order)]
		if s := r.tellOthers(st.g.Presence.Boot(), now); s != nil {
			tell = append(tell, s)
		}
		if r.batch == nil {
			st.begin(r, now)
		}
		if r.batch != nil && !st.flush(r) {
			sooner(slice)
		}
		if r.batch == nil {
			if r.shown.Len() > 0 {
				sooner(r.nextFlush.Sub(now))
			}
			if len(r.viewers) > 0 {
				sooner(r.nextState.Sub(now))
			}
		}
		if r.told.Len() > 0 {
			sooner(r.lastTold.Add(flushEvery).Sub(now))
		} else if len(r.viewers) > 0 {
			sooner(r.lastTold.Add(stateEvery).Sub(now))
		}
	}
	if len(st.order) > 0 {
		st.turn = (st.turn + 1) % len(st.order)
	}
	st.mu.Unlock()
	for _, s := range tell {
		st.g.Bus.Signal(s)
	}
	return wait
}

// begin makes the next flush of a room when it is due, under mu.
func (st *stage) begin(r *stageRoom, now time.Time) {
	if len(r.viewers) == 0 || now.Before(r.nextFlush) {
		return
	}
	var batch []byte
	lines, dropped := r.shown.Take()
	r.dropped += dropped
	for _, l := range lines {
		batch = append(batch, l.Frame...)
	}
	if total := st.total(r.key, now); !now.Before(r.nextState) && (total != r.viewersTold || r.joined > 0 || r.dropped > 0) {
		batch = append(batch, stateFrame(0, &skeinv1.RoomState{Conversation: string(r.key.conv), Viewers: uint32(total), Joined: uint32(r.joined), Dropped: uint32(r.dropped)})...)
		r.viewersTold, r.joined, r.dropped = total, 0, 0
		r.nextState = now.Add(stateEvery)
	} else if !now.Before(r.nextState) {
		r.nextState = now.Add(stateEvery)
	}
	if len(batch) > 0 {
		r.batch, r.at, r.nextFlush = batch, 0, now.Add(flushEvery)
		st.g.counts.roomDropped.Add(float64(dropped))
	}
}

// flush gives the batch to viewers while the budget lasts, under mu; true when
// all have had it.
func (st *stage) flush(r *stageRoom) bool {
	for r.at < len(r.viewers) {
		if st.tokens < 1 {
			return false
		}
		st.tokens--
		v := r.viewers[r.at]
		r.at++
		if v.s.waiting() > roomSlow {
			v.skipped++
			continue
		}
		v.s.handle(event{kind: evSignal, bytes: r.batch})
		st.g.counts.roomWrites.Inc()
	}
	r.batch = nil
	return true
}

// total is how many watch on all nodes, under mu.
func (st *stage) total(key roomKey, now time.Time) int {
	n := int64(0)
	if r := st.rooms[key]; r != nil {
		n = int64(len(r.viewers))
	}
	for node, o := range st.others[key] {
		if now.Sub(o.at) > peerLife {
			delete(st.others[key], node)
			continue
		}
		n += o.viewers
	}
	return int(min(n, 1<<31))
}

// tellOthers is what other nodes are to know now, nil = nothing.
func (r *stageRoom) tellOthers(boot bus.Boot, now time.Time) bus.Signal {
	wait := stateEvery
	if r.told.Len() > 0 {
		wait = flushEvery
	}
	if now.Before(r.lastTold.Add(wait)) {
		return nil
	}
	r.lastTold = now
	s := bus.RoomTold{App: r.key.app, Conv: r.key.conv, Boot: boot, ACLVersion: r.version, Viewers: int64(len(r.viewers)), Joined: r.joinedHere}
	r.joinedHere = 0
	lines, _ := r.told.Take()
	for _, l := range lines {
		s.Said = append(s.Said, append([]byte{byte(l.Rank)}, l.Frame...))
	}
	return s
}

func stateFrame(ref uint32, s *skeinv1.RoomState) []byte {
	return encodeFrame(&skeinv1.ServerFrame{Ref: ref, Frame: &skeinv1.ServerFrame_RoomState{RoomState: s}})
}

// join lets a session watch.
func (st *stage) join(ctx context.Context, s *session, conv im.ConvID) (*skeinv1.ServerFrame, error) {
	a := s.actor()
	room, err := st.g.Chat.Livestream(ctx, a, conv)
	if err != nil {
		return nil, err
	}
	key := roomKey{a.App, conv}
	for {
		limits, looks, err := st.limits(ctx, key)
		if err != nil {
			return nil, err
		}
		now := st.g.Clock.Now()
		mine := limits[a.User]
		if until := im.Micros(mine.GetRemovedUntilUs()); until > im.MicrosOf(now) {
			return nil, &im.Error{Code: im.PermissionDenied, Message: "you were removed from the room", RetryAfter: until.Time().Sub(now)}
		}
		st.mu.Lock()
		if looks != st.looks { // somebody may have been removed meanwhile
			st.mu.Unlock()
			continue
		}
		if st.watched(s) >= roomsWatched {
			st.mu.Unlock()
			return nil, im.Errorf(im.ResourceExhausted, "a session watches at most %d rooms", roomsWatched)
		}
		r := st.room(key, now)
		r.limits, r.looked = limits, looks
		r.version = max(r.version, room.Version)
		if r.find(s) < 0 {
			r.places[s] = len(r.viewers)
			r.viewers = append(r.viewers, &viewer{s: s, user: a.User, tokens: roomBurst, filled: now})
			r.joined++
			r.joinedHere++
		}
		state := &skeinv1.RoomState{Conversation: string(conv), Viewers: uint32(st.total(key, now)), MutedUntilUs: max(mine.GetMutedUntilUs(), 1)}
		st.mu.Unlock()
		st.poke()
		if s.over() { // it ended while it came
			st.leave(s, "")
		}
		return &skeinv1.ServerFrame{Frame: &skeinv1.ServerFrame_RoomState{RoomState: state}}, nil
	}
}

// limits are what the viewers of a room may not do, as of a number of looks.
func (st *stage) limits(ctx context.Context, key roomKey) (map[im.UserID]*skeinv1.ViewerLimits, uint64, error) {
	st.mu.Lock()
	looks := st.looks
	if r := st.rooms[key]; r != nil && r.looked == looks && r.limits != nil {
		defer st.mu.Unlock()
		return r.limits, looks, nil
	}
	st.mu.Unlock()
	limits, err := st.g.Chat.ViewerLimits(ctx, key.app, key.conv)
	st.mu.Lock()
	defer st.mu.Unlock()
	if r := st.rooms[key]; r != nil && err == nil && st.looks == looks {
		r.limits, r.looked = limits, looks
	}
	return limits, looks, err
}

// room returns a room, made when it is not there, under mu.
func (st *stage) room(key roomKey, now time.Time) *stageRoom {
	r := st.rooms[key]
	if r == nil {
		r = &stageRoom{key: key, shown: live.NewSample(roomLines, roomBytes), told: live.NewSample(roomLines, roomBytes),
			places: make(map[*session]int), nextFlush: now, nextState: now}
		st.rooms[key] = r
		i, _ := slices.BinarySearchFunc(st.order, key, func(o *stageRoom, k roomKey) int {
			return cmp.Or(cmp.Compare(o.key.app, k.app), cmp.Compare(o.key.conv, k.conv))
		})
		st.order = slices.Insert(st.order, i, r)
	}
	return r
}

func (r *stageRoom) find(s *session) int {
	if i, ok := r.places[s]; ok {
		return i
	}
	return -1
}

// watched is how many rooms a session watches, under mu.
func (st *stage) watched(s *session) (n int) {
	for _, r := range st.order {
		if r.find(s) >= 0 {
			n++
		}
	}
	return n
}

// out takes the i-th viewer out, under mu. A flush under way goes on with the
// others.
func (r *stageRoom) out(i int) {
	last := len(r.viewers) - 1
	put := func(at, from int) {
		r.viewers[at] = r.viewers[from]
		r.places[r.viewers[at].s] = at
	}
	delete(r.places, r.viewers[i].s)
	if r.batch != nil && i < r.at { // a place among those who have had it
		if r.at--; i != r.at {
			put(i, r.at)
		}
		i = r.at
	}
	if i != last {
		put(i, last)
	}
	r.viewers[last] = nil
	r.viewers = r.viewers[:last]
}

// tidy forgets a room that nobody watches, under mu.
func (st *stage) tidy(r *stageRoom) {
	if len(r.viewers) == 0 {
		delete(st.rooms, r.key)
		st.order = slices.DeleteFunc(st.order, func(o *stageRoom) bool { return o == r })
		boot := st.g.Presence.Boot()
		turn.Go(st.g.tasks, func() { st.g.Bus.Signal(bus.RoomTold{App: r.key.app, Conv: r.key.conv, Boot: boot}) })
	}
}

// leave ends a session's watching of a room, "" = of all. It reports whether it
// watched.
func (st *stage) leave(s *session, conv im.ConvID) (did bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, r := range slices.Clone(st.order) {
		if i := r.find(s); i >= 0 && (conv == "" || r.key.conv == conv) {
			r.out(i)
			st.tidy(r)
			did = true
		}
	}
	return did
}

// remove ends a user's watching, or everybody's whom keep does not want; each
// of them is told why.
func (st *stage) remove(key roomKey, why skeinv1.RoomEnd, goes func(v *viewer) bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	r := st.rooms[key]
	if r == nil {
		return
	}
	frame := stateFrame(0, &skeinv1.RoomState{Conversation: string(key.conv), Ended: why})
	for _, v := range slices.Clone(r.viewers) {
		if goes(v) {
			r.out(r.find(v.s))
			v.s.handle(event{kind: evSignal, bytes: frame})
		}
	}
	st.tidy(r)
}

// fenced applies a change of what a viewer may do, before it returns.
func (st *stage) fenced(app im.AppID, conv im.ConvID, user im.UserID, out bool) {
	st.mu.Lock()
	st.looks++
	st.mu.Unlock()
	key := roomKey{app, conv}
	if out {
		st.remove(key, skeinv1.RoomEnd_ROOM_END_REMOVED, func(v *viewer) bool { return v.user == user })
		return
	}
	st.mu.Lock()
	r := st.rooms[key]
	here := r != nil && slices.ContainsFunc(r.viewers, func(v *viewer) bool { return v.user == user })
	st.mu.Unlock()
	if here {
		st.g.wg.Add(1)
		turn.Go(st.g.tasks, func() { defer st.g.wg.Done(); st.tellMuted(key, user) })
	}
}

// tellMuted tells a viewer until when they may not write.
func (st *stage) tellMuted(key roomKey, user im.UserID) {
	limits, _, err := st.limits(st.g.ctx, key)
	if err != nil {
		return // they learn it when they write
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	r := st.rooms[key]
	if r == nil {
		return
	}
	frame := stateFrame(0, &skeinv1.RoomState{Conversation: string(key.conv), Viewers: uint32(st.total(key, st.g.Clock.Now())), MutedUntilUs: max(limits[user].GetMutedUntilUs(), 1)})
	for _, v := range r.viewers {
		if v.user == user {
			v.s.handle(event{kind: evSignal, bytes: frame})
		}
	}
}

// changed looks who may still watch a room whose settings or members are at a
// version.
func (st *stage) changed(app im.AppID, conv im.ConvID, version int64) {
	key := roomKey{app, conv}
	st.mu.Lock()
	r := st.rooms[key]
	if r == nil || version > 0 && r.version >= version {
		st.mu.Unlock()
		return
	}
	actors := make(map[im.UserID]im.Actor, len(r.viewers))
	for _, v := range r.viewers {
		actors[v.user] = v.s.actor()
	}
	st.mu.Unlock()
	room, err := st.g.Chat.RoomAt(st.g.ctx, app, conv, version)
	if err != nil && im.CodeOf(err) != im.NotFound {
		return // looked at again with the next line
	}
	gone := make(map[im.UserID]bool)
	if room != nil && !room.Dissolved() && room.Settings.JoinMode == skeinv1.JoinMode_JOIN_MODE_OPEN {
		clear(actors) // everybody may watch
	}
	for u, a := range actors {
		if _, err := st.g.Chat.Livestream(st.g.ctx, a, conv); im.CodeOf(err) == im.NotFound || im.CodeOf(err) == im.FailedPrecondition {
			gone[u] = true
		}
	}
	if len(gone) > 0 {
		st.remove(key, skeinv1.RoomEnd_ROOM_END_CLOSED, func(v *viewer) bool { return gone[v.user] })
	}
	if room != nil {
		st.mu.Lock()
		r.version = max(r.version, room.Version)
		st.mu.Unlock()
	}
}

// say takes what a session says.
func (st *stage) say(ctx context.Context, s *session, m *skeinv1.RoomMessage) error {
	a, key := s.actor(), roomKey{s.actor().App, im.ConvID(m.Conversation)}
	limits, _, err := st.limits(ctx, key)
	if err != nil {
		return err
	}
	if len(m.ClientId) > 16 {
		return im.Errorf(im.InvalidArgument, "client_id has at most 16 bytes")
	}
	if m.Body == nil {
		return im.Errorf(im.InvalidArgument, "body is missing")
	}
	body, err := proto.Marshal(m.Body)
	if err != nil {
		return im.Errorf(im.InvalidArgument, "the body is not a skein.v1.Body")
	}
	rank, version, err := st.g.Chat.SayInLivestream(ctx, a, chat.RoomLine{Conv: key.conv, Body: body, Priority: im.Priority(m.Priority), Muted: im.Micros(limits[a.User].GetMutedUntilUs())})
	if err != nil {
		return err
	}
	now := st.g.Clock.Now()
	frame := encodeFrame(&skeinv1.ServerFrame{Frame: &skeinv1.ServerFrame_RoomMessage{RoomMessage: &skeinv1.RoomMessage{
		Conversation: m.Conversation, ClientId: m.ClientId, Body: m.Body, User: string(a.User), TimeUs: now.UnixMicro(), Priority: m.Priority}}})
	st.changed(key.app, key.conv, version)
	st.mu.Lock()
	defer st.mu.Unlock()
	r := st.rooms[key]
	i := -1
	if r != nil {
		i = r.find(s)
	}
	if i < 0 {
		return &im.Error{Code: im.FailedPrecondition, Message: "you do not watch the room", Hint: "send join_room first"}
	}
	if err := r.viewers[i].admit(now, rank); err != nil {
		st.g.counts.limited.Inc()
		return err
	}
	line := live.Line{Rank: rank, Frame: frame}
	r.shown.Add(line)
	r.told.Add(line)
	st.poke()
	return nil
}

// admit holds a viewer to the rate of a room.
func (v *viewer) admit(now time.Time, rank int) error {
	rate, burst := roomRate, roomBurst
	if rank >= 3 {
		rate, burst = staffRate, staffBurst
	}
	v.tokens = min(burst, v.tokens+now.Sub(v.filled).Seconds()*rate)
	v.filled = now
	if v.tokens < 1 {
		return &im.Error{Code: im.RateLimited, Message: "too many messages a second in this room",
			RetryAfter: time.Duration(float64(time.Second) / rate * (1 - v.tokens))}
	}
	v.tokens--
	return nil
}

// hear takes what another node tells of a room.
func (st *stage) hear(ev bus.Event) {
	m, ok := ev.Signal.(bus.RoomTold)
	if !ok || !ev.Remote {
		return
	}
	key := roomKey{m.App, m.Conv}
	if len(m.Said) > 0 {
		st.changed(m.App, m.Conv, m.ACLVersion)
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	others := st.others[key]
	switch {
	case m.Viewers == 0:
		if delete(others, m.Boot.Node); len(others) == 0 {
			delete(st.others, key)
		}
	case others == nil && len(st.others) >= maxFar:
	default:
		if others == nil {
			others = make(map[string]told)
			st.others[key] = others
		}
		others[m.Boot.Node] = told{m.Viewers, st.g.Clock.Now()}
	}
	r := st.rooms[key]
	if r == nil {
		return
	}
	r.joined += int(m.Joined)
	for _, l := range m.Said {
		r.shown.Add(live.Line{Rank: int(l[0]), Frame: l[1:]})
	}
	st.poke()
}

// Viewers is how many sessions watch a livestream on all nodes, as far as this
// one has heard: within a second or two.
func (g *Gateway) Viewers(app im.AppID, conv im.ConvID) int {
	g.stage.mu.Lock()
	defer g.stage.mu.Unlock()
	return g.stage.total(roomKey{app, conv}, g.Clock.Now())
}
