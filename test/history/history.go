// Package history records what clients of a server asked for and saw, and
// proves afterwards that the server kept its promises.
//
// A History is the notes of one run: each Client (one device of one user)
// writes down every message that it sent with the outcome that it knows of,
// every position that it showed in the order in which it showed them, every
// read marker, and what its syncs told. At the end a device that starts from
// nothing reads every conversation: the Log. Check compares them.
//
// The server numbers everything, so the order is explicit and no search is
// needed: Check takes O(n log n), about a microsecond for each note, and the
// notes of a message take about 64 bytes and 16 more for each delivery. A
// million messages fit into 200 MB.
//
// Times are monotonic nanoseconds since New, all of one process: clients that
// are compared by time must be recorded in one process.
package history

import (
	"fmt"
	"hash/fnv"
	"sync"
	"time"
)

// ID is a client id (a UUIDv7).
type ID [16]byte

// Outcome is what a client knows of an operation in the end.
type Outcome uint8

// The outcomes.
const (
	// Unknown: no answer came. The effect is there once, or not at all.
	Unknown Outcome = iota
	// Acked: the server acknowledged it.
	Acked
	// Failed: the server refused it for good. It must have no effect.
	Failed
)

// String names the outcome as Jepsen's histories do.
func (o Outcome) String() string { return [...]string{"info", "ok", "fail"}[o] }

// Kind is what an entry is.
type Kind uint8

// The kinds of entries that are told apart.
const (
	Message Kind = iota
	Members      // somebody joined or left
	Other        // anything else; it only takes a position
	Lost         // the position is there and its content is not served (damage)
)

// Op is one append as its sender knows it.
type Op struct {
	ID   ID
	Hash uint64 // of the payload, see Hash
	// Invoke is when the first attempt began, Return when the answer came; 0 =
	// none came.
	Invoke, Return int64
	Conv           uint32
	Seq, Ord       uint32 // of the acknowledgement
	N              uint32 // counts this client's sends to this conversation
	Kind           Kind
	Outcome        Outcome
	Attempts       uint8 // saturates
	// Refused: at least one attempt was answered by an error that asks to try
	// again, so that later ones may have overtaken it.
	Refused bool
}

// EventKind is what a device showed.
type EventKind uint8

// The kinds of events.
const (
	// Delivered: the device showed a position.
	Delivered EventKind = iota
	// WithheldTo: positions up to Seq, from the one in Print on, were declared
	// to hold nothing for this reader.
	WithheldTo
	// Restarted: the device has lost its store and begins anew.
	Restarted
	// Foreign: what was delivered carries the mark of another app.
	Foreign
)

const kindShift = 28 // the kind of an event lies above its conversation

// Event is one step of a device's view, 16 bytes.
type Event struct {
	At    uint32 // the conversation's number, and the kind in the highest bits
	Seq   uint32
	Print uint64 // fingerprint of what was shown; of WithheldTo: the first position
}

// Conv is the conversation's number.
func (e Event) Conv() uint32 { return e.At & (1<<kindShift - 1) }

// Kind tells what happened.
func (e Event) Kind() EventKind { return EventKind(e.At >> kindShift) }

// Head is what a sync told a device of one conversation.
type Head struct {
	Conv             uint32
	HeadSeq, HeadOrd uint32
	ReadSeq, ReadOrd uint32
}

// Read is one call that moves a read marker.
type Read struct {
	Conv, Asked    uint32
	Seq, Ord       uint32 // the marker that was answered
	Invoke, Return int64
	Outcome        Outcome
}

// Client is one device of one user. Its methods may be called from any
// goroutine; the order of calls is the order of what happened.
type Client struct {
	User   uint32
	Device string
	// Sparse: the device may jump over positions (an SDK that loads what lies
	// between when somebody looks). It never goes back.
	Sparse bool
	// Ended: the device was left behind before the end, so that its view need
	// not reach the head.
	Ended bool
	// Fresh: the device began without a cursor in the end. It is told of the
	// groups that its user is in, and not of those that were left.
	Fresh bool

	mu     sync.Mutex // guards the rest while the run goes on
	Ops    []Op
	Events []Event
	Heads  []Head // in the order of the syncs
	Reads  []Read
	// Inbox is what the device's last sync, after all was quiet, said of all
	// its conversations; nil = it was not asked.
	Inbox []Head

	h *History
	n map[uint32]uint32
}

// Entry is one line of the final log.
type Entry struct {
	ID       ID
	Hash     uint64
	Seq, Ord uint32
	Sender   uint32
	Kind     Kind
}

// Change is what a Members entry did.
type Change struct {
	Seq          uint32
	Added, Ended []uint32 // users
}

// Log is a conversation as a device that starts from nothing reads it.
type Log struct {
	Conv    uint32
	First   []uint32 // members from position 1 on
	Entries []Entry
	Changes []Change // ascending by Seq
}

// History is the notes of one run.
type History struct {
	App     string
	mu      sync.Mutex // guards the rest while the run goes on
	Convs   []string
	Users   []string
	Clients []*Client
	Logs    []*Log // by conversation; nil = nobody read it

	start time.Time
	conv  map[string]uint32
	user  map[string]uint32
}

// New starts the clock of a run.
func New(app string) *History {
	return &History{App: app, start: time.Now(), conv: map[string]uint32{}, user: map[string]uint32{}}
}

// Now is the run's time.
func (h *History) Now() int64 { return int64(time.Since(h.start)) }

// Conv gives a conversation its number.
func (h *History) Conv(id string) uint32 {
	h.mu.Lock()
	defer h.mu.Unlock()
	n, ok := h.conv[id]
	if !ok {
		n = uint32(len(h.Convs))
		if n >= 1<<kindShift {
			panic("history: too many conversations")
		}
		h.conv[id] = n
		h.Convs = append(h.Convs, id)
		h.Logs = append(h.Logs, nil)
	}
	return n
}

// User gives a user their number.
func (h *History) User(id string) uint32 {
	h.mu.Lock()
	defer h.mu.Unlock()
	n, ok := h.user[id]
	if !ok {
		n = uint32(len(h.Users))
		h.user[id] = n
		h.Users = append(h.Users, id)
	}
	return n
}

// Client adds a device.
func (h *History) Client(user, device string) *Client {
	c := &Client{User: h.User(user), Device: device, h: h, n: map[uint32]uint32{}}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Clients = append(h.Clients, c)
	return c
}

// SetLog stores a conversation as it was read in the end.
func (h *History) SetLog(l *Log) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Logs[l.Conv] = l
}

// Invoke notes that a send begins and returns its number. Sends of one client
// to one conversation must be invoked in the order in which they go out.
func (c *Client) Invoke(conv uint32, kind Kind, id ID, hash uint64) int {
	return c.InvokeAt(c.h.Now(), conv, kind, id, hash)
}

// InvokeAt is Invoke for a send whose id was not known when it began, at a
// time of Now.
func (c *Client) InvokeAt(began int64, conv uint32, kind Kind, id ID, hash uint64) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n[conv]++
	c.Ops = append(c.Ops, Op{ID: id, Hash: hash, Invoke: began, Conv: conv, N: c.n[conv], Kind: kind, Attempts: 1})
	return len(c.Ops) - 1
}

// Again notes another attempt.
func (c *Client) Again(op int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.Ops[op].Attempts < 255 {
		c.Ops[op].Attempts++
	}
}

// Ack notes an acknowledgement. A second one is compared with the first: it
// returns an error when they differ, which Check reports too.
func (c *Client) Ack(op int, seq, ord uint32) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := &c.Ops[op]
	if o.Outcome == Acked && o.Seq == seq {
		return nil
	}
	if o.Outcome != Unknown {
		err := fmt.Errorf("%s was answered %s %d, and then ok %d", c.h.name(c, o), o.Outcome, o.Seq, seq)
		c.Ops = append(c.Ops, *o) // both are kept: two acknowledgements of one id
		o = &c.Ops[len(c.Ops)-1]
		o.Outcome, o.Seq, o.Ord = Acked, seq, ord
		return err
	}
	o.Outcome, o.Seq, o.Ord, o.Return = Acked, seq, ord, c.h.Now()
	return nil
}

// Fail notes a definitive error: the server says that it has no effect.
func (c *Client) Fail(op int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if o := &c.Ops[op]; o.Outcome == Unknown {
		o.Outcome, o.Return = Failed, c.h.Now()
	}
}

// Refuse notes an error after which the client tries again.
func (c *Client) Refuse(op int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Ops[op].Refused = true
}

// Deliver notes that the device shows a position. The order of calls is the
// device's view.
func (c *Client) Deliver(conv, seq uint32, kind Kind, sender string, id ID, hash uint64) {
	c.event(Delivered, conv, seq, Print(kind, sender, id, hash))
}

// Withhold notes that positions hold nothing for this device.
func (c *Client) Withhold(conv, from, to uint32) { c.event(WithheldTo, conv, to, uint64(from)) }

// Restart notes that the device has lost what it had of a conversation.
func (c *Client) Restart(conv uint32) { c.event(Restarted, conv, 0, 0) }

// Leak notes that something of another app was delivered.
func (c *Client) Leak(conv, seq uint32) { c.event(Foreign, conv, seq, 0) }

func (c *Client) event(k EventKind, conv, seq uint32, print uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Events = append(c.Events, Event{At: conv | uint32(k)<<kindShift, Seq: seq, Print: print})
}

// Synced notes what a sync told of a conversation.
func (c *Client) Synced(h Head) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Heads = append(c.Heads, h)
}

// Final notes all conversations that a device is told of when it asks for
// everything, after all was quiet.
func (c *Client) Final(inbox []Head) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Inbox = append([]Head{}, inbox...)
}

// Marked notes a call that moved a read marker. seq and ord are what was
// answered with outcome Acked.
func (c *Client) Marked(r Read) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Reads = append(c.Reads, r)
}

// Hash is the hash of a payload.
func Hash(payload string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(payload))
	return h.Sum64()
}

// Print is the fingerprint of an entry: everything about it that may not
// differ between those who see it.
func Print(kind Kind, sender string, id ID, hash uint64) uint64 {
	const prime = 1099511628211
	p := uint64(14695981039346656037)
	for i := 0; i < len(sender); i++ {
		p = (p ^ uint64(sender[i])) * prime
	}
	p = (p ^ uint64(kind)) * prime
	for _, b := range id {
		p = (p ^ uint64(b)) * prime
	}
	for range 8 {
		p = (p ^ hash&0xff) * prime
		hash >>= 8
	}
	return p
}

// name says which operation it is.
func (h *History) name(c *Client, o *Op) string {
	return fmt.Sprintf("send %x of %s/%s to %s", o.ID, h.Users[c.User], c.Device, h.Convs[o.Conv])
}

// Counts are how much a history holds.
type Counts struct {
	Acked, Failed, Unknown int64
	Retried                int64 // operations that needed more than one attempt
	Delivered              int64
	Reads                  int64
	Clients, Conversations int
	Entries                int64
}

// Counts adds up; it may be called while the run goes on.
func (h *History) Counts() (n Counts) {
	h.mu.Lock()
	clients, logs := h.Clients, h.Logs
	n.Clients, n.Conversations = len(clients), len(h.Convs)
	h.mu.Unlock()
	for _, c := range clients {
		c.mu.Lock()
		for i := range c.Ops {
			switch c.Ops[i].Outcome {
			case Acked:
				n.Acked++
			case Failed:
				n.Failed++
			case Unknown:
				n.Unknown++
			}
			if c.Ops[i].Attempts > 1 {
				n.Retried++
			}
		}
		n.Delivered += int64(len(c.Events))
		n.Reads += int64(len(c.Reads))
		c.mu.Unlock()
	}
	for _, l := range logs {
		if l != nil {
			n.Entries += int64(len(l.Entries))
		}
	}
	return n
}
