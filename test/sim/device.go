package sim

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	skein "github.com/skein-im/skein/sdk/go"
)

// device is one installation of the app: the product's SDK over a store that
// survives the crashes of its process.
type device struct {
	proc   *proc
	w      *world
	name   string
	user   string
	id     string
	skew   time.Duration // of its clock
	store  *skein.MemoryStore
	client *skein.Client
	boots  int

	cutOff bool // it has no network
	asleep bool // it reads nothing

	seen  map[string]uint64 // newest seq that OnMessage told in order, by conversation; of this process
	reads map[string]uint64 // newest read position seen; of this process
	texts int
	calls int // of the app, under way
}

// start runs the app's process on what the store has.
func (d *device) start() {
	w := d.w
	d.boots++
	d.proc = &proc{s: &w.sched, name: d.name, epoch: w.epoch.Add(d.skew)}
	d.seen, d.reads, d.client, d.calls = map[string]uint64{}, map[string]uint64{}, nil, 0
	w.trace(d.name, "start %d", d.boots)
	p := d.proc
	w.spawn(p, func() {
		c, err := skein.New(skein.Options{Endpoint: "http://sim.example", AppID: string(app), User: d.user, DeviceID: d.id, Store: d.store,
			Token: func(context.Context) (string, error) {
				p.sleep(w.latency(d))
				if w.chance(w.faults.tokenFails) {
					return "", errReset
				}
				return w.newToken(d), nil
			},
			Logger: slog.New(&logs{w: w, who: d.name}), HTTPClient: &http.Client{Transport: d}, Transport: d, Clock: p, Entropy: w.entropy(d.name)})
		if err != nil {
			w.fail("I2", "%s can not open its store: %v", d.name, err)
			return
		}
		d.listen(c)
		d.client = c
		d.connect()
	})
}

// connect calls Connect, and again after a while when the device was refused.
func (d *device) connect() {
	w, p, c := d.w, d.proc, d.client
	p.Go(func() {
		for {
			err := c.Connect(context.Background())
			w.trace(d.name, "connect: %v", err)
			if err == nil {
				return
			}
			switch skein.CodeOf(err) {
			case skein.SignedOut, skein.Unauthenticated, skein.FailedPrecondition:
				p.sleep(time.Duration(1000+w.dice.IntN(4000)) * time.Millisecond)
				w.serials[d.name]++ // the user signs in again
			default:
				if c.State() == skein.Ended {
					return
				}
				p.sleep(time.Second)
			}
		}
	})
}

// crash ends the process; its store stays.
func (d *device) crash() {
	if d.proc == nil || d.proc.dead {
		return
	}
	d.w.trace(d.name, "crash")
	d.w.kill(d.proc)
	for _, c := range d.w.socksOf(d) {
		if !c.ended[0] {
			c.ended[0] = true
			c.abort()
		}
	}
	d.client = nil
}

// listen records what the app is told.
func (d *device) listen(c *skein.Client) {
	w := d.w
	c.OnMessage(func(e skein.MessageEvent) { w.told(d, e.Message, false) })
	c.OnMessageUpdated(func(e skein.MessageEvent) { w.told(d, e.Message, true) })
	c.OnMessageRemoved(func(e skein.MessageEvent) {
		w.trace(d.name, "removed %s %d %q", e.Message.Conversation, e.Message.Seq, e.Message.Text)
		if e.Message.Sender == d.user {
			w.discarded(e.Message.Text)
		}
	})
	c.OnConversation(func(e skein.ConversationEvent) {
		if !e.Removed {
			w.conversationTold(d, e.Conversation)
		}
	})
	c.OnState(func(e skein.StateEvent) {
		w.trace(d.name, "state %s %v", e.State, e.Err)
		if e.State == skein.SignedOff || e.State == skein.Replaced {
			d.proc.Go(func() {
				d.proc.sleep(time.Duration(500+w.dice.IntN(5000)) * time.Millisecond)
				w.serials[d.name]++
				d.connect()
			})
		}
		if e.State == skein.Ended {
			w.fail("I1", "%s has ended: %v", d.name, e.Err)
		}
	})
	c.OnTyping(func(e skein.TypingEvent) { w.trace(d.name, "typing %s %s %v", e.Conversation.ID(), e.User, e.Typing) })
	c.OnPresence(func(e skein.PresenceEvent) { w.trace(d.name, "presence %s %v", e.Presence.User, e.Presence.Online) })
	c.OnSync(func(e skein.SyncEvent) { w.trace(d.name, "sync %d %v", e.Done, e.More) })
	c.OnError(func(e skein.ErrorEvent) { w.trace(d.name, "error %v", e.Err) })
}

// online tells whether the app's process runs and is connected.
func (d *device) online() bool {
	return d.proc != nil && !d.proc.dead && d.client != nil && d.client.State() == skein.Online
}
