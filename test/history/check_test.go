package history

import (
	"strings"
	"testing"
	"time"
)

// good is a history of a server that kept its promises while it was killed
// four times: two direct conversations and a group of four, one of whose
// members is taken out and in again. To record another one:
//
//	go run ./test/chaos/run record test/history/testdata/good.json.gz
func good(t *testing.T) *History {
	t.Helper()
	h, err := Load("testdata/good.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestAGoodHistoryPasses(t *testing.T) {
	r := Check(good(t))
	if !r.OK() {
		t.Error(r)
	}
	if c := r.Counts; c.Acked < 300 || c.Failed < 5 || c.Retried < 3 || c.Delivered < 1000 || c.Reads < 5 {
		t.Errorf("the history is too poor to mutate: %s", r)
	}
}

// acked returns an acknowledged message of a raw device whose conversation
// has others before and after it.
func acked(t *testing.T, h *History, n int) (*Client, *Op) {
	t.Helper()
	for _, c := range h.Clients {
		for i := range c.Ops {
			o := &c.Ops[i]
			if o.Outcome == Acked && o.Kind == Message && c.Device == "raw" && o.Seq > 20 && int(o.Seq) < len(h.Logs[o.Conv].Entries)-20 && h.Convs[o.Conv][0] == '@' {
				if n--; n < 0 {
					return c, o
				}
			}
		}
	}
	t.Fatal("no such operation")
	return nil, nil
}

func line(h *History, o *Op) *Entry { return &h.Logs[o.Conv].Entries[o.Seq-1] }

// reader returns a device that shows a conversation without jumps, and where
// its events of that conversation are.
func reader(t *testing.T, h *History, conv string) (*Client, []int) {
	t.Helper()
	for _, c := range h.Clients {
		if c.Device != "raw" {
			continue
		}
		var at []int
		for i, e := range c.Events {
			if h.Convs[e.Conv()] == conv && e.Kind() == Delivered {
				at = append(at, i)
			}
		}
		if len(at) > 30 {
			return c, at
		}
	}
	t.Fatal("nobody shows " + conv)
	return nil, nil
}

func user(t *testing.T, h *History, name string) *Client {
	t.Helper()
	for _, c := range h.Clients {
		if h.Users[c.User] == name && c.Device == "raw" {
			return c
		}
	}
	t.Fatal("no " + name)
	return nil
}

const (
	direct  = "@7:p00000a:p00000b"
	group   = "g0000"
	churned = "g0000-u3"
)

func conv(h *History, id string) uint32 {
	for i, c := range h.Convs {
		if c == id {
			return uint32(i)
		}
	}
	panic("no " + id)
}

// cut takes positions out of a log, and numbers what is behind them again.
func cut(l *Log, at int) {
	l.Entries = append(l.Entries[:at], l.Entries[at+1:]...)
	for i := at; i < len(l.Entries); i++ {
		l.Entries[i].Seq--
		l.Entries[i].Ord--
	}
}

func remove(c *Client, i int) { c.Events = append(c.Events[:i:i], c.Events[i+1:]...) }

func insert(c *Client, i int, e Event) {
	c.Events = append(c.Events[:i:i], append([]Event{e}, c.Events[i:]...)...)
}

// mutation breaks a good history in one way.
type mutation struct {
	name string
	want Invariant
	do   func(t *testing.T, h *History)
}

var inTheLog = []mutation{
	{"an acknowledged message is not stored", I1, func(t *testing.T, h *History) {
		_, o := acked(t, h, 0)
		cut(h.Logs[o.Conv], int(o.Seq)-1)
	}},
	{"the newest acknowledged messages are not stored", I1, func(t *testing.T, h *History) {
		l := h.Logs[conv(h, direct)]
		l.Entries = l.Entries[:len(l.Entries)-10]
	}},
	{"an acknowledged message is stored twice", I3, func(t *testing.T, h *History) {
		_, o := acked(t, h, 1)
		l := h.Logs[o.Conv]
		e := *line(h, o)
		e.Seq, e.Ord = uint32(len(l.Entries))+1, l.Entries[len(l.Entries)-1].Ord+1
		l.Entries = append(l.Entries, e)
	}},
	{"a message is stored in two conversations", I3, func(t *testing.T, h *History) {
		_, o := acked(t, h, 1)
		l := h.Logs[conv(h, "@7:p00001a:p00001b")]
		e := *line(h, o)
		e.Seq, e.Ord = uint32(len(l.Entries))+1, l.Entries[len(l.Entries)-1].Ord+1
		l.Entries = append(l.Entries, e)
	}},
	{"two messages have changed places", I1, func(t *testing.T, h *History) {
		_, o := acked(t, h, 2)
		es := h.Logs[o.Conv].Entries
		a, b := &es[o.Seq-1], &es[o.Seq]
		a.ID, b.ID, a.Hash, b.Hash, a.Sender, b.Sender = b.ID, a.ID, b.Hash, a.Hash, b.Sender, a.Sender
	}},
	{"a position is used twice", I2, func(t *testing.T, h *History) {
		_, o := acked(t, h, 3)
		h.Logs[o.Conv].Entries[o.Seq].Seq = o.Seq
	}},
	{"a position is missing", I2, func(t *testing.T, h *History) {
		_, o := acked(t, h, 4)
		l := h.Logs[o.Conv]
		l.Entries = append(l.Entries[:o.Seq-1], l.Entries[o.Seq:]...)
	}},
	{"a stored text is another one", I1, func(t *testing.T, h *History) {
		_, o := acked(t, h, 5)
		line(h, o).Hash ^= 1
	}},
	{"a stored message is by somebody else", I1, func(t *testing.T, h *History) {
		_, o := acked(t, h, 5)
		e := line(h, o)
		for _, u := range h.Logs[o.Conv].First {
			if u != e.Sender {
				e.Sender = u
				break
			}
		}
	}},
	{"something is stored that nobody sent", I3, func(t *testing.T, h *History) {
		l := h.Logs[conv(h, direct)]
		last := l.Entries[len(l.Entries)-1]
		l.Entries = append(l.Entries, Entry{ID: ID{1}, Seq: last.Seq + 1, Ord: last.Ord + 1, Sender: last.Sender})
	}},
	{"a failed message is stored", I3, func(t *testing.T, h *History) {
		_, o := acked(t, h, 6)
		o.Outcome = Failed
	}},
	{"a message of unknown outcome is stored twice", I3, func(t *testing.T, h *History) {
		_, o := acked(t, h, 7)
		o.Outcome = Unknown
		l := h.Logs[o.Conv]
		e := *line(h, o)
		e.Seq, e.Ord = uint32(len(l.Entries))+1, l.Entries[len(l.Entries)-1].Ord+1
		l.Entries = append(l.Entries, e)
	}},
	{"the content of a position is gone", I1, func(t *testing.T, h *History) {
		_, o := acked(t, h, 8)
		*line(h, o) = Entry{Seq: o.Seq, Ord: o.Ord, Kind: Lost}
	}},
	{"ord skips a message", I9, func(t *testing.T, h *History) {
		_, o := acked(t, h, 8)
		line(h, o).Ord++
	}},
	{"somebody wrote who had been removed", I8, func(t *testing.T, h *History) {
		l := h.Logs[conv(h, group)]
		for i, ch := range l.Changes {
			if len(ch.Ended) == 0 {
				continue
			}
			for j := range l.Entries {
				e := &l.Entries[j]
				if e.Kind == Message && e.Seq > ch.Seq && (i+1 == len(l.Changes) || e.Seq < l.Changes[i+1].Seq) {
					e.Sender = ch.Ended[0]
					return
				}
			}
		}
		t.Fatal("nobody wrote while somebody was out")
	}},
}

var inOutcomes = []mutation{
	{"an acknowledgement names another seq", I1, func(t *testing.T, h *History) {
		_, o := acked(t, h, 0)
		o.Seq++
	}},
	{"an acknowledgement names another ord", I9, func(t *testing.T, h *History) {
		_, o := acked(t, h, 0)
		o.Ord++
	}},
	{"one id was acknowledged as two positions", I3, func(t *testing.T, h *History) {
		c, o := acked(t, h, 1)
		again := *o
		again.Seq++
		c.Ops = append(c.Ops, again)
	}},
	{"an id was acknowledged and refused", I3, func(t *testing.T, h *History) {
		c, o := acked(t, h, 1)
		again := *o
		again.Outcome, again.Seq = Failed, 0
		c.Ops = append(c.Ops, again)
	}},
	{"something began after a later position was acknowledged", I4, func(t *testing.T, h *History) {
		_, o := acked(t, h, 2)
		o.Invoke = int64(time.Hour)
		o.Return = int64(2 * time.Hour)
	}},
	{"a sender's messages overtook each other", I5, func(t *testing.T, h *History) {
		c, o := acked(t, h, 3)
		for i := range c.Ops {
			if p := &c.Ops[i]; p.Conv == o.Conv && p.N == o.N+1 {
				p.N, o.N = o.N, p.N
				return
			}
		}
		t.Fatal("no next message")
	}},
}

var inViews = []mutation{
	{"a device shows a position twice", I6, func(t *testing.T, h *History) {
		c, at := reader(t, h, direct)
		insert(c, at[10], c.Events[at[10]])
	}},
	{"a device goes back", I6, func(t *testing.T, h *History) {
		c, at := reader(t, h, direct)
		c.Events[at[10]], c.Events[at[11]] = c.Events[at[11]], c.Events[at[10]]
	}},
	{"a device leaves out a position", I6, func(t *testing.T, h *History) {
		c, at := reader(t, h, direct)
		remove(c, at[10])
	}},
	{"a device never hears of the newest", I2, func(t *testing.T, h *History) {
		c, at := reader(t, h, direct)
		remove(c, at[len(at)-1])
	}},
	{"a device never hears of a conversation", I2, func(t *testing.T, h *History) {
		c, at := reader(t, h, direct)
		for i := len(at) - 1; i >= 0; i-- {
			remove(c, at[i])
		}
	}},
	{"a device shows what was never stored", I7, func(t *testing.T, h *History) {
		c, at := reader(t, h, direct)
		last := c.Events[at[len(at)-1]]
		last.Seq++
		insert(c, at[len(at)-1]+1, last)
	}},
	{"a device shows another text than what is stored", I7, func(t *testing.T, h *History) {
		c, at := reader(t, h, direct)
		c.Events[at[10]].Print ^= 1 << 40
	}},
	{"a device of the SDK shows another text than what is stored", I7, func(t *testing.T, h *History) {
		for _, c := range h.Clients {
			if c.Device == "sdk" && len(c.Events) > 0 {
				c.Events[0].Print ^= 1
				return
			}
		}
		t.Fatal("the SDK showed nothing")
	}},
	{"a device of the SDK goes back", I6, func(t *testing.T, h *History) {
		for _, c := range h.Clients {
			if c.Device == "sdk" && len(c.Events) > 5 {
				c.Events = append(c.Events, c.Events[2])
				return
			}
		}
		t.Fatal("the SDK showed nothing")
	}},
	{"a position that is there is withheld", I6, func(t *testing.T, h *History) {
		c, at := reader(t, h, direct)
		e := &c.Events[at[10]]
		e.At, e.Print = e.Conv()|uint32(WithheldTo)<<kindShift, uint64(e.Seq)
	}},
	{"somebody hears of what came after their removal", I8, func(t *testing.T, h *History) {
		c := user(t, h, churned)
		for _, ch := range h.Logs[conv(h, group)].Changes {
			if len(ch.Ended) == 0 {
				continue
			}
			for i, e := range c.Events {
				if e.Conv() == conv(h, group) && e.Seq == ch.Seq {
					next := h.Logs[e.Conv()].Entries[ch.Seq]
					insert(c, i+1, Event{At: e.At, Seq: next.Seq, Print: Print(next.Kind, h.Users[next.Sender], next.ID, next.Hash)})
					return
				}
			}
		}
		t.Fatal("nobody was told of a removal")
	}},
	{"somebody hears of what came before they joined", I8, func(t *testing.T, h *History) {
		l := h.Logs[conv(h, group)]
		c := user(t, h, churned)
		for _, ch := range l.Changes[1:] {
			if len(ch.Added) == 0 {
				continue
			}
			for i, e := range c.Events {
				if e.Conv() == l.Conv && e.Seq == ch.Seq {
					before := l.Entries[ch.Seq-2]
					insert(c, i, Event{At: e.At, Seq: before.Seq, Print: Print(before.Kind, h.Users[before.Sender], before.ID, before.Hash)})
					return
				}
			}
		}
		t.Fatal("nobody was told of a return")
	}},
	{"something of another app is delivered", I12, func(t *testing.T, h *History) {
		c, at := reader(t, h, direct)
		e := c.Events[at[3]]
		insert(c, at[3]+1, Event{At: e.Conv() | uint32(Foreign)<<kindShift, Seq: e.Seq})
	}},
}

// synced returns a device that was told of a conversation, and the last time.
func synced(t *testing.T, h *History, id string) (*Client, int) {
	t.Helper()
	for _, c := range h.Clients {
		for i := len(c.Heads) - 1; i >= 0; i-- {
			if h.Convs[c.Heads[i].Conv] == id && c.Heads[i].ReadSeq > 0 {
				return c, i
			}
		}
	}
	t.Fatal("nobody was told of " + id)
	return nil, 0
}

func inbox(t *testing.T, h *History) (*Client, *Head) {
	t.Helper()
	for _, c := range h.Clients {
		for i := range c.Inbox {
			if c.Device == "raw" && c.Inbox[i].ReadSeq > 5 {
				return c, &c.Inbox[i]
			}
		}
	}
	t.Fatal("no inbox")
	return nil, nil
}

var inReads = []mutation{
	{"the unread count is wrong", I9, func(t *testing.T, h *History) {
		_, head := inbox(t, h)
		head.ReadOrd--
	}},
	{"a read marker goes back", I9, func(t *testing.T, h *History) {
		c, i := synced(t, h, direct)
		back := c.Heads[i]
		back.ReadSeq--
		c.Heads = append(c.Heads, back)
	}},
	{"an acknowledged mark is lost", I9, func(t *testing.T, h *History) {
		for _, c := range h.Clients {
			if len(c.Reads) > 0 && c.Inbox != nil {
				r := c.Reads[len(c.Reads)-1]
				l := h.Logs[r.Conv]
				r.Seq, r.Ord, r.Outcome = uint32(len(l.Entries)), l.Entries[len(l.Entries)-1].Ord, Acked
				c.Reads = append(c.Reads, r)
				for i := range c.Inbox {
					if c.Inbox[i].Conv == r.Conv {
						c.Inbox[i].ReadSeq--
						c.Inbox[i].ReadOrd = ordAt(l, c.Inbox[i].ReadSeq)
					}
				}
				return
			}
		}
		t.Fatal("nobody read anything")
	}},
	{"two devices of a user disagree about what is read", I9, func(t *testing.T, h *History) {
		c, head := inbox(t, h)
		other := h.Client2(c.User)
		moved := *head
		moved.ReadSeq--
		moved.ReadOrd = ordAt(h.Logs[head.Conv], moved.ReadSeq)
		other.Inbox = []Head{moved}
	}},
	{"an own message counts as unread", I9, func(t *testing.T, h *History) {
		c, o := acked(t, h, 4)
		for i := range c.Inbox {
			if c.Inbox[i].Conv == o.Conv {
				c.Inbox[i].ReadSeq, c.Inbox[i].ReadOrd = o.Seq-1, ordAt(h.Logs[o.Conv], o.Seq-1)
				c.Reads = nil
			}
		}
	}},
	{"two marks at a time are answered as no order allows", I9, func(t *testing.T, h *History) {
		c := h.Client2(h.Clients[0].User)
		group := conv(h, "@7:p00001a:p00001b") // not a conversation of this user's, who so wrote nothing there
		ord := func(seq uint32) uint32 { return ordAt(h.Logs[group], seq) }
		c.Reads = []Read{
			{Conv: group, Asked: 9, Seq: 9, Ord: ord(9), Invoke: 10, Return: 20, Outcome: Acked},
			{Conv: group, Asked: 5, Seq: 5, Ord: ord(5), Invoke: 30, Return: 40, Outcome: Acked},
		}
	}},
	{"an inbox lacks a conversation", I10, func(t *testing.T, h *History) {
		c, head := inbox(t, h)
		for i := range c.Inbox {
			if &c.Inbox[i] == head {
				c.Inbox = append(c.Inbox[:i:i], c.Inbox[i+1:]...)
				return
			}
		}
	}},
	{"an inbox has a conversation of others", I10, func(t *testing.T, h *History) {
		c := user(t, h, "p00001a")
		l := h.Logs[conv(h, direct)]
		c.Inbox = append(c.Inbox, Head{Conv: l.Conv, HeadSeq: uint32(len(l.Entries)), HeadOrd: ordAt(l, ^uint32(0))})
	}},
	{"an inbox ends before the log does", I10, func(t *testing.T, h *History) {
		_, head := inbox(t, h)
		head.HeadSeq--
		head.HeadOrd = ordAt(h.Logs[head.Conv], head.HeadSeq)
	}},
	{"the head of a conversation goes back", I10, func(t *testing.T, h *History) {
		c, i := synced(t, h, direct)
		back := c.Heads[i]
		back.HeadSeq--
		c.Heads = append(c.Heads, back)
	}},
}

// Client2 adds another device of a user.
func (h *History) Client2(user uint32) *Client {
	c := &Client{User: user, Device: "second", Ended: true, Fresh: true, h: h}
	h.Clients = append(h.Clients, c)
	return c
}

// A checker that can not fail is worth nothing: each way of breaking a good
// history is found, and by the invariant that it breaks.
func TestEveryMutationOfAGoodHistoryIsFound(t *testing.T) {
	n := 0
	for _, list := range [][]mutation{inTheLog, inOutcomes, inViews, inReads} {
		for _, m := range list {
			n++
			t.Run(m.name, func(t *testing.T) {
				h := good(t)
				m.do(t, h)
				r := Check(h)
				if r.Total[m.want] == 0 {
					t.Fatalf("no breach of %s was found: %s", m.want, r)
				}
				for _, v := range r.Violations {
					if v.Invariant == m.want && strings.ContainsAny(v.Detail, "0123456789") {
						return
					}
				}
				t.Errorf("no violation names a position: %s", r)
			})
		}
	}
	if n < 30 {
		t.Errorf("%d mutations only", n)
	}
}

// The checker's time stays in proportion to the number of messages.
func TestHundredsOfThousandsOfMessagesAreCheckedInSeconds(t *testing.T) {
	h := New("big")
	const convs, each = 100, 3000
	for i := range convs {
		name := "c" + string(rune('a'+i%26)) + string(rune('a'+i/26))
		conv := h.Conv(name)
		a, b := h.Client("a"+name, "raw"), h.Client("b"+name, "raw")
		l := &Log{Conv: conv, First: []uint32{a.User, b.User}}
		for n := uint32(1); n <= each; n++ {
			id := ID{byte(i), byte(n), byte(n >> 8), byte(n >> 16)}
			op := a.Invoke(conv, Message, id, uint64(n))
			for _, c := range []*Client{a, b} {
				c.Deliver(conv, n, Message, "a"+name, id, uint64(n))
			}
			if err := a.Ack(op, n, n); err != nil {
				t.Fatal(err)
			}
			l.Entries = append(l.Entries, Entry{ID: id, Hash: uint64(n), Seq: n, Ord: n, Sender: a.User})
		}
		h.SetLog(l)
	}
	began := time.Now()
	r := Check(h)
	if !r.OK() || r.Counts.Acked != convs*each {
		t.Fatal(r)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("%d messages took %s", convs*each, took)
	}
}
