package skein

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/skein-im/skein/internal/turn"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

const (
	maxEvents   = 1024 // handlers that wait to be called before the socket is read no further
	maxDrain    = 64   // packets that share a transaction
	keepLoaded  = 256  // messages of a conversation that stay in memory
	evictAbove  = 512  // ... once it has more than this
	repairDelay = 500 * time.Millisecond
)

// driver is what the loop owns: no other goroutine touches it.
type driver struct {
	conn   *connection
	box    *outboxMachine
	sess   *session
	timers map[string]*wake

	connecting []chan error              // Connect calls that wait
	sending    map[string][]chan outcome // Send and operation calls that wait, by item
	details    map[string]*Error         // what the server said of an item, for its failure
	cause      *Error                    // the last thing that went wrong with the connection

	changes   []change
	dirty     dirty
	late      []func()               // to be run after what was changed is stored
	frames    []*skeinv1.ClientFrame // to be sent after that
	uploading uploading
	rooms     map[string]*Room   // livestreams that are watched, by conversation
	refs      map[uint32]awaited // frames of this session that wait for an answer
	ref       uint32
	queue     []func() // events that wait for the handlers' goroutine

	lastTyped map[string]time.Time // own typing by conversation, last sent
	watch     []string
	typists   map[typist]string // user writing → timer
	reads     map[string]bool   // conversations with a read to be sent
	holes     map[string]bool   // conversations that may miss something
	repairing map[string]bool
	grown     map[string]*conv // conversations that got messages from the store
	asking    map[string]bool  // groups whose attributes are being fetched
	synced    int
}

// wake is a timer that was set.
type wake struct{ stop func() }

// awaited says what a frame was that waits for an answer.
type awaited struct {
	kind string       // hello, sync, send, read, watch, refresh, ping, command
	id   string       // of send: the item
	conv string       // of read
	done chan outcome // of command: room for one
}

type typist struct{ conv, user string }

func newDriver(random func() float64) driver {
	return driver{
		conn: newConnection(random), box: newOutbox(random), timers: map[string]*wake{}, sending: map[string][]chan outcome{},
		details: map[string]*Error{}, dirty: newDirty(), typists: map[typist]string{}, reads: map[string]bool{},
		holes: map[string]bool{}, repairing: map[string]bool{}, grown: map[string]*conv{}, asking: map[string]bool{}, refs: map[uint32]awaited{},
		lastTyped: map[string]time.Time{},
	}
}

func newDirty() dirty {
	return dirty{convs: map[string]bool{}, puts: map[place]bool{}, outbox: map[string]bool{}}
}

// loop is the one goroutine that changes the state. It ends with ctx.
func (c *Client) loop() {
	defer c.shutdown()
	c.flush()
	for {
		var packets <-chan inbound
		if c.sess != nil && len(c.queue) < maxEvents {
			packets = c.sess.in
		}
		var events chan<- func()
		var next func()
		if len(c.queue) > 0 {
			events, next = c.events, c.queue[0]
		}
		var cmds <-chan func() = c.cmds
		turn.First(c.tasks, c.ctx, turn.In(&cmds), turn.In(&packets), turn.Out(&events))
		select {
		case fn := <-cmds:
			fn()
		case in := <-packets:
			c.inbound(in)
			c.drainPackets()
		case events <- next:
			c.queue = c.queue[1:]
			continue
		case <-c.ctx.Done():
			return
		}
		c.flush()
	}
}

// drainPackets takes what has arrived already, so that it shares one
// transaction.
func (c *Client) drainPackets() {
	for range maxDrain {
		if c.sess == nil || len(c.late) > 0 {
			return
		}
		select {
		case in := <-c.sess.in:
			c.inbound(in)
		default:
			return
		}
	}
}

// shutdown ends what the loop owns.
func (c *Client) shutdown() {
	if c.sess != nil {
		c.sess.end(closeNormal)
		c.sess = nil
	}
	for _, w := range c.timers {
		w.stop()
	}
}

// after runs fn when what was changed so far is stored.
func (c *Client) after(fn func()) { c.late = append(c.late, fn) }

// now is the local time in milliseconds.
func (c *Client) now() int64 { return c.opt.Clock.Now().UnixMilli() }

// serverNow is the server's time in milliseconds, as far as it is known.
func (c *Client) serverNow() int64 { return c.now() + c.offsetMS }

// apply reduces one event into the state.
func (c *Client) apply(ev event) {
	c.preload(ev)
	c.mu.Lock()
	changes, d := reduce(c.st, ev)
	c.mu.Unlock()
	c.changes = append(c.changes, changes...)
	c.dirty.join(d)
}

// join adds what another event changed. Clearings come before puts in a
// batch, so a put that a later event cleared has to go.
func (d *dirty) join(o dirty) {
	for _, cl := range o.cleared {
		for p := range d.puts {
			if p.conv == cl.conv && p.seq >= cl.from && p.seq <= cl.to && !o.puts[p] {
				delete(d.puts, p)
			}
		}
	}
	maps.Copy(d.convs, o.convs)
	maps.Copy(d.puts, o.puts)
	maps.Copy(d.outbox, o.outbox)
	for _, id := range o.gone {
		delete(d.convs, id)
		maps.DeleteFunc(d.puts, func(p place, _ bool) bool { return p.conv == id })
	}
	d.gone = append(d.gone, o.gone...)
	d.cleared = append(d.cleared, o.cleared...)
	d.cursor = d.cursor || o.cursor
	d.reset = d.reset || o.reset
}

// empty tells whether nothing has to be stored.
func (d *dirty) empty() bool {
	return len(d.convs) == 0 && len(d.puts) == 0 && len(d.outbox) == 0 && len(d.gone) == 0 && len(d.cleared) == 0 && !d.cursor && !d.reset
}

// flush stores what was changed, then tells: changes become events, calls
// that wait are answered, frames go out. What that changes is stored as well.
func (c *Client) flush() {
	if c.fatal != nil {
		return // nothing more is promised
	}
	c.pumpUploads()
	for len(c.changes) > 0 || len(c.late) > 0 || !c.dirty.empty() {
		if !c.persist() {
			return
		}
		changes, late := c.changes, c.late
		c.changes, c.late = nil, nil
		c.deliver(changes)
		for _, fn := range late {
			fn()
		}
		c.pumpUploads()
	}
	for _, cv := range c.grown {
		c.evict(cv)
	}
	clear(c.grown)
	c.sendReads()
	c.lookForHoles()
	c.sendFrames()
}

// persist writes what is dirty in one transaction. A store that fails ends
// the client: going on would leave a cursor that stands for what is not there.
func (c *Client) persist() bool {
	if c.dirty.empty() {
		return true
	}
	b, err := c.batch()
	if err == nil {
		err = c.opt.Store.Apply(c.ctx, b)
	}
	if err != nil {
		c.fail(errorf(Storage, err, "the store could not be written"))
		return false
	}
	cursor := c.dirty.cursor
	c.dirty = newDirty()
	if cursor {
		c.step(connEvent{Type: "cursor"})
	}
	return true
}

// fail ends the client for a reason of its own.
func (c *Client) fail(err *Error) {
	if c.ctx.Err() != nil || c.fatal != nil {
		return
	}
	c.log.Error("the client has to stop", "code", err.Code, "error", err.Cause)
	c.mu.Lock()
	c.fatal, c.status = err, Ended
	c.mu.Unlock()
	// The handlers get to know: their goroutine lives as long as the loop
	// waits for it here, and no longer than Close.
	last := func() {
		c.on.state.call(StateEvent{State: Ended, Err: err})
		c.cancel()
	}
	c.start(func() {
		turn.SendOr(c.tasks, c.events, last, c.ctx.Done())
	})
	c.resolveConnect(err)
	c.changes, c.late, c.frames, c.dirty = nil, nil, nil, newDirty()
	c.shutdown()
	c.sess = nil
	c.conn = newConnection(c.conn.random)
}

// batch is what is dirty, encoded.
func (c *Client) batch() (Batch, error) {
	var b Batch
	d := c.dirty
	if d.cursor || d.reset {
		b.Meta = &Meta{Endpoint: c.opt.Endpoint, App: c.opt.AppID, User: c.st.user, Device: c.device,
			Incarnation: c.st.incarnation, Cursor: c.st.cursor}
	}
	b.Removed = d.gone
	for _, cl := range d.cleared {
		b.Cleared = append(b.Cleared, Clearing{cl.conv, cl.from, cl.to})
	}
	for _, id := range sortedKeys(d.convs) {
		data, err := encodeConv(c.st.convs[id])
		if err != nil {
			return b, err
		}
		b.Conversations = append(b.Conversations, SavedConversation{ID: id, Data: data})
	}
	for p := range d.puts {
		m, err := saved(c.st.convs[p.conv].msgs[p.seq])
		if err != nil {
			return b, err
		}
		b.Messages = append(b.Messages, m)
	}
	for _, id := range sortedKeys(d.outbox) {
		_, it := c.st.itemByID(id)
		if it == nil {
			b.Dropped = append(b.Dropped, id)
			continue
		}
		row, err := encodeItem(it)
		if err != nil {
			return b, err
		}
		b.Items = append(b.Items, row)
	}
	return b, nil
}

// preload brings in the messages that an event touches.
func (c *Client) preload(ev event) {
	switch ev := ev.(type) {
	case packetEvent:
		for _, f := range ev.packet.GetFrames() {
			c.preloadEntry(f.GetEntry())
			if w := f.GetWithheld(); w != nil {
				c.bringIn(w.GetConversation(), w.GetFromSeq(), w.GetToSeq())
			}
			c.preloadSync(f.GetWelcome().GetSync())
			c.preloadSync(f.GetSync())
		}
	case pageEvent:
		c.bringIn(ev.conv, ev.page.GetFromSeq(), max(ev.page.GetToSeq(), ev.before))
	case answerEvent:
		c.preloadEntry(ev.entry)
	case itemsEvent:
		for _, it := range ev.items {
			c.bringIn(ev.conv, it.GetEntry().GetSeq(), it.GetEntry().GetSeq())
		}
	case readEvent:
		if cv := c.st.convs[ev.conv]; cv != nil && ev.seq < cv.head.seq {
			c.bringInNewest(cv, ev.seq)
		}
	}
}

func (c *Client) preloadSync(s *skeinv1.SyncResponse) {
	for _, d := range s.GetConversations() {
		for _, e := range d.GetEntries() {
			c.preloadEntry(e)
		}
		for _, w := range d.GetWithheld() {
			c.bringIn(w.GetConversation(), w.GetFromSeq(), w.GetToSeq())
		}
	}
}

func (c *Client) preloadEntry(e *skeinv1.Entry) {
	if e == nil {
		return
	}
	c.bringIn(e.GetConversation(), e.GetSeq(), e.GetSeq())
	if t := e.GetTargetSeq(); t > 0 {
		c.bringIn(e.GetConversation(), t, t)
	}
}

// bringIn loads the stored messages of a range that are not in memory. None
// lies above the head, so news cost no look-up.
func (c *Client) bringIn(conv string, from, to uint64) {
	cv := c.st.convs[conv]
	if cv == nil || from == 0 || from > cv.head.seq || from == to && cv.msgs[from] != nil {
		return
	}
	rows, err := c.opt.Store.Messages(c.ctx, conv, from, min(to, cv.head.seq), 4096, true)
	if err != nil {
		c.fail(errorf(Storage, err, "the store could not be read"))
		return
	}
	c.keep(cv, rows)
}

func (c *Client) bringInNewest(cv *conv, upTo uint64) {
	rows, err := c.opt.Store.Messages(c.ctx, cv.id, 1, upTo, 1, true)
	if err != nil {
		c.fail(errorf(Storage, err, "the store could not be read"))
		return
	}
	c.keep(cv, rows)
}

// keep puts stored messages into memory, where there is none.
func (c *Client) keep(cv *conv, rows []SavedMessage) {
	c.grown[cv.id] = cv
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, row := range rows {
		if cv.msgs[row.Seq] != nil {
			continue
		}
		m, err := decodeMessage(row.Data)
		if err != nil {
			c.log.Error("a stored message can not be read", "conversation", cv.id, "seq", row.Seq)
			continue
		}
		cv.msgs[row.Seq] = m
	}
}

// evict forgets the oldest messages of a conversation that has many in
// memory. They are in the store.
func (c *Client) evict(cv *conv) {
	if len(cv.msgs) <= evictAbove {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	seqs := cv.seqs()
	for _, seq := range seqs[:len(seqs)-keepLoaded] {
		delete(cv.msgs, seq)
	}
}

// setTimer sets the timer of a name, replacing one that runs.
func (c *Client) setTimer(name string, in time.Duration, fn func()) {
	c.stopTimer(name)
	w := &wake{}
	w.stop = c.opt.Clock.AfterFunc(in, func() {
		c.post(func() {
			if c.timers[name] == w {
				delete(c.timers, name)
				fn()
			}
		})
	})
	c.timers[name] = w
}

func (c *Client) stopTimer(name string) {
	if w := c.timers[name]; w != nil {
		w.stop()
		delete(c.timers, name)
	}
}

// emit queues an event for the handlers.
func emit[E any](c *Client, h *handlers[E], e E) {
	if h.some() {
		c.queue = append(c.queue, func() { h.call(e) })
	}
}

// resolveConnect answers the Connect calls that wait.
func (c *Client) resolveConnect(err error) {
	for _, ch := range c.connecting {
		ch <- err
	}
	c.connecting = nil
}

// outcome is what became of an item.
type outcome struct {
	m   Message
	err *Error
}

// resolve answers the calls that wait for an item.
func (c *Client) resolve(id string, o outcome) {
	for _, ch := range c.sending[id] {
		ch <- o
	}
	delete(c.sending, id)
	delete(c.details, id)
}

// call runs an RPC on a goroutine of its own and then fn on the loop.
func (c *Client) call(run func(ctx context.Context) error, fn func(err error)) {
	c.start(func() {
		err := run(c.ctx)
		c.post(func() { fn(err) })
	})
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
