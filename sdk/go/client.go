package skein

import (
	"cmp"
	"context"
	"encoding/hex"
	"io"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/skein-im/skein/internal/turn"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Client is one device of one user. All methods may be called from any
// goroutine. Close ends it.
type Client struct {
	opt    Options
	log    *slog.Logger
	tokens *tokens
	on     listeners

	profiles profileCache
	files    Files

	tasks  turn.Scheduler  // nil = goroutines
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup // every goroutine but the one that calls handlers
	// running is how many there are, for a scheduler that must not be blocked.
	running atomic.Int32
	cmds    chan func() // to be run by the loop
	events  chan func() // to the goroutine that calls handlers

	closing sync.Once
	handled struct {
		mu     sync.Mutex // held while a handler is chosen or a goroutine started
		closed bool       // guarded by mu: none starts any more
	}

	mu sync.RWMutex // held by the loop while it changes what follows
	st *state
	// values are the conversations handed out, by id; waiting are those whose
	// id is not known before the user is, by peer ("" = the user's own).
	values   map[string]*Conversation
	waiting  map[string]*Conversation
	status   State
	presence map[string]Presence
	device   string
	limits   *skeinv1.Limits
	offsetMS int64 // server - local
	// onlineSince is the server's time when the client came online last.
	onlineSince time.Time
	fatal       *Error

	driver // owned by the loop
}

// New makes a client from its store, without touching the network: what was
// loaded can be read, and messages written, before Connect.
//
// Errors: InvalidArgument, Storage, FailedPrecondition when the store belongs
// to another endpoint, app or user.
func New(o Options) (*Client, error) {
	o, err := o.normalise()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := &Client{
		opt: o, log: o.Logger, tasks: turn.Of(o.Clock), ctx: ctx, cancel: cancel, cmds: make(chan func(), 64), events: make(chan func()),
		values: map[string]*Conversation{}, waiting: map[string]*Conversation{}, status: Idle, presence: map[string]Presence{},
		profiles: profileCache{kept: map[string]keptProfile{}},
	}
	if c.tasks != nil {
		c.events = make(chan func(), 1) // tasks can not meet in an unbuffered channel
	}
	c.tokens = &tokens{supply: o.Token, ctx: ctx, start: c.start, tasks: c.tasks}
	c.files.c = c
	c.driver = newDriver(uniform(o.Entropy))
	if err := c.load(); err != nil {
		cancel()
		return nil, err
	}
	c.start(c.loop)
	turn.Go(c.tasks, c.handle) // ends with ctx; Close sees to it that nothing is called any more
	return c, nil
}

// start runs a goroutine that Close waits for; none once the client is closed.
func (c *Client) start(fn func()) bool {
	c.handled.mu.Lock()
	defer c.handled.mu.Unlock()
	if c.handled.closed {
		return false
	}
	c.wg.Add(1)
	c.running.Add(1)
	turn.Go(c.tasks, func() {
		defer c.wg.Done()
		defer c.running.Add(-1)
		fn()
	})
	return true
}

// load takes what the store has.
func (c *Client) load() error {
	s, err := c.opt.Store.Load(c.ctx)
	if err != nil {
		return errorf(Storage, err, "the store could not be read")
	}
	m := s.Meta
	switch {
	case m.Endpoint != "" && (m.Endpoint != c.opt.Endpoint || m.App != c.opt.AppID):
		return &Error{Code: FailedPrecondition, Message: "the store belongs to app " + m.App + " at " + m.Endpoint, Hint: "use one store for each endpoint, app and user"}
	case m.User != "" && c.opt.User != "" && m.User != c.opt.User:
		return otherUser(m.User)
	}
	if c.st, err = loadState(s); err != nil {
		return err
	}
	c.st.now = func() int64 { return c.serverNow() * 1000 }
	if c.st.user == "" {
		c.st.user = c.opt.User
	}
	c.device = cmp.Or(c.opt.DeviceID, m.Device)
	if c.device == "" {
		var b [16]byte
		if _, err := io.ReadFull(c.opt.Entropy, b[:]); err != nil {
			return errorf(Internal, err, "no random bytes for a device id")
		}
		c.device = hex.EncodeToString(b[:])
	}
	c.dirty.reset = m.Endpoint == "" || m.Device != c.device || m.User != c.st.user
	for _, it := range c.st.outbox {
		c.putBack(it)
	}
	return nil
}

func otherUser(u string) *Error {
	return &Error{Code: FailedPrecondition, Message: "the store belongs to another user: " + u, Hint: "use one store for each endpoint, app and user"}
}

// Connect opens the connection and returns when everything that was missed is
// here (state Online). A network that does not answer is no error: the client
// goes on trying, also after ctx has ended, until Close.
//
// Errors: SignedOut or Unauthenticated when this device or its tokens are
// refused, FailedPrecondition when the device id is used elsewhere, Aborted
// with ctx, Closed.
func (c *Client) Connect(ctx context.Context) error {
	done := make(chan error, 1)
	if err := c.do(ctx, func() {
		c.connecting = append(c.connecting, done)
		c.step(connEvent{Type: "connect"})
		if c.conn.state == Online {
			c.resolveConnect(nil)
		}
	}); err != nil {
		return err
	}
	err, _, ended := wait(c, ctx, done)
	if ended != nil {
		return ended
	}
	return err
}

// wait waits for a value of ch, or the end of the caller's ctx or of the
// client, which is an error. ok is false for a channel that was closed.
func wait[T any](c *Client, ctx context.Context, ch <-chan T) (v T, ok bool, ended error) {
	got := false
	if c.tasks == nil {
		select {
		case v, ok = <-ch:
			return v, ok, nil
		case <-ctx.Done():
		case <-c.ctx.Done():
		}
	} else {
		c.tasks.Wait(func() bool {
			select {
			case v, ok = <-ch:
				got = true
			default:
			}
			return got || ctx.Err() != nil || c.ctx.Err() != nil
		})
	}
	switch {
	case got:
		return v, ok, nil
	case ctx.Err() != nil:
		return v, false, aborted(ctx.Err())
	}
	return v, false, c.closed()
}

// Close ends the client: the socket, every goroutine and every call that
// waits. What is in the outbox stays in the store. It may be called more than
// once, also by a handler; a handler that is running may finish after it.
func (c *Client) Close() error {
	c.closing.Do(func() {
		_ = c.do(context.Background(), func() { c.step(connEvent{Type: "close"}) })
		c.handled.mu.Lock()
		c.handled.closed = true
		c.handled.mu.Unlock()
		c.cancel()
	})
	if c.tasks != nil {
		c.tasks.Wait(func() bool { return c.running.Load() == 0 })
	}
	c.wg.Wait()
	if c.opt.ownHTTP {
		c.opt.HTTPClient.CloseIdleConnections()
	}
	return nil
}

// Online tells the client that the network is back, the machine awake or the
// app visible again: it tries to connect at once, or finds out whether the
// connection still lives. A server has no use for it.
func (c *Client) Online() { c.post(func() { c.step(connEvent{Type: "online"}) }) }

// State returns the connection's state.
func (c *Client) State() State {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.status
}

// UserID returns who is signed in: "" before the first token was fetched on
// an empty store.
func (c *Client) UserID() string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.st.user
}

// DeviceID returns this installation's id.
func (c *Client) DeviceID() string { return c.device }

// With returns the conversation with another user. It exists from the start.
func (c *Client) With(user string) *Conversation { return c.lazy(user, "") }

// Self returns the user's own conversation: notes and private state.
func (c *Client) Self() *Conversation { return c.lazy("", "~") }

// Group returns a group's conversation, be it known here or not.
func (c *Client) Group(id string) *Conversation { return c.Conversation(id) }

// Conversation returns the conversation of an id. It is the same value every
// time.
func (c *Client) Conversation(id string) *Conversation {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.value(id)
}

// value is Conversation under mu.
func (c *Client) value(id string) *Conversation {
	v := c.values[id]
	if v == nil {
		v = &Conversation{c: c, id: id}
		c.values[id] = v
	}
	return v
}

// lazy returns a conversation whose id depends on who the user is.
func (c *Client) lazy(peer, self string) *Conversation {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.st.user != "" {
		return c.value(idFor(c.st.user, peer))
	}
	v := c.waiting[peer]
	if v == nil {
		v = &Conversation{c: c, peer: peer}
		c.waiting[peer] = v
	}
	return v
}

// idFor returns the id of a direct conversation, or with "" of the self one.
func idFor(user, peer string) string {
	if peer == "" || peer == user {
		return "~" + user
	}
	return directID(user, peer)
}

// Conversations returns what is known here, newest activity first.
func (c *Client) Conversations() []*Conversation {
	c.mu.Lock()
	defer c.mu.Unlock()
	type row struct {
		v  *Conversation
		at int64
	}
	latest := map[string]int64{}
	for _, it := range c.st.outbox {
		if it.op == opSend && it.key == "" {
			latest[it.conv] = max(latest[it.conv], it.time)
		}
	}
	var rows []row
	for id, cv := range c.st.convs {
		if cv.kind == skeinv1.ConversationKind_CONVERSATION_KIND_SELF && cv.head.ord == 0 && latest[id] == 0 {
			continue // private state only: nothing to show
		}
		rows = append(rows, row{c.value(id), max(cv.activity, latest[id])})
	}
	slices.SortFunc(rows, func(a, b row) int { return cmp.Or(cmp.Compare(b.at, a.at), cmp.Compare(a.v.id, b.v.id)) })
	out := make([]*Conversation, len(rows))
	for i, r := range rows {
		out[i] = r.v
	}
	return out
}

// do runs fn on the loop and returns when what it changed is stored.
func (c *Client) do(ctx context.Context, fn func()) error {
	if ctx.Err() != nil {
		return aborted(ctx.Err())
	}
	done := make(chan struct{})
	task := func() { fn(); c.after(func() { close(done) }) }
	if !c.hand(ctx, task) {
		if ctx.Err() != nil {
			return aborted(ctx.Err())
		}
		return c.closed()
	}
	_, _, ended := wait(c, context.Background(), done) // it is under way: ctx does not take it back
	return ended
}

// hand gives fn to the loop; false when ctx or the client has ended.
func (c *Client) hand(ctx context.Context, fn func()) bool {
	if c.tasks == nil {
		select {
		case c.cmds <- fn:
			return true
		case <-ctx.Done():
		case <-c.ctx.Done():
		}
		return false
	}
	sent := false
	c.tasks.Wait(func() bool {
		select {
		case c.cmds <- fn:
			sent = true
		default:
		}
		return sent || ctx.Err() != nil || c.ctx.Err() != nil
	})
	return sent
}

// post runs fn on the loop, sooner or later, unless the client is closed.
func (c *Client) post(fn func()) {
	c.hand(c.ctx, fn)
}

// closed is why the client ended.
func (c *Client) closed() *Error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.fatal != nil {
		return c.fatal
	}
	return errClosed()
}

// handle calls the app's handlers, one after the other.
func (c *Client) handle() {
	for {
		var events <-chan func() = c.events
		turn.First(c.tasks, c.ctx, turn.In(&events))
		select {
		case fn := <-events:
			c.handled.mu.Lock()
			closed := c.handled.closed
			c.handled.mu.Unlock()
			if closed {
				return
			}
			fn()
		case <-c.ctx.Done():
			return
		}
	}
}
