// Package journaltest holds every journal.Journal to its contract: both
// engines and the in-memory twin pass the same tests.
package journaltest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
)

// Open opens a new, empty journal for one test. reopen ends it without Close,
// as a kill would, as far as that is possible within a process, and opens what
// was stored; it may be called several times. Options are the test's own.
type Open func(t *testing.T, o journal.Options) (j journal.Journal, reopen func() journal.Journal)

// app is the tenant of the tests.
const app = im.AppID("demo")

// Run runs all tests.
func Run(t *testing.T, open Open) {
	for _, c := range []struct {
		name string
		run  func(*env)
	}{
		{"entries are numbered without gaps and read back byte for byte", numbers},
		{"ord counts messages to everybody alone", ords},
		{"many goroutines in many conversations leave no gap and no disorder", concurrency},
		{"one goroutine's pipelined entries keep their order", pipeline},
		{"a retry returns the first entry and takes no number", retry},
		{"a retry is known after a reopen", retryAfterReopen},
		{"the same key twice in one batch is stored once", retryInBatch},
		{"the same key with other content is an error of that entry alone", reused},
		{"a key belongs to its app and sender", keyScope},
		{"an entry that fails fails alone and leaves no hole", failsAlone},
		{"a retry of a stored entry succeeds although its precondition is stale now", retryBeatsStale},
		{"of two racing demotions one is stale", demotions},
		{"target versions are checked", targetVersion},
		{"two creators of one conversation both succeed", createRace},
		{"a missing conversation is NotFound", missing},
		{"members join, change, leave and come back in intervals", intervals},
		{"a join starts with nothing unread", joinReads},
		{"one entry may end and begin the same membership", endAndBegin},
		{"the title and any change of members raise acl_version", aclVersion},
		{"marks move forward only and to the head at most", marks},
		{"a mark is news for a cursor from before it and not for ever", markVisibility},
		{"marks and entries of one batch agree", marksInBatch},
		{"the newest readers come first", readers},
		{"an edit replaces the target's body and keeps the first", edits},
		{"a recall blanks the message and its edits", recalls},
		{"effects work on entries of the same batch", effectsInBatch},
		{"of a key only the newest entry keeps its body", keyed},
		{"handshake and devices come back", devices},
		{"readers, priority and expiry come back, and a retry must repeat them", options},
		{"an expiry blanks the message and its edits and is no recall", expiries},
		{"a key's newest entry can be a precondition", slots},
		{"attributes of conversations and members change with their version", attributes},
		{"a bit that is set refuses the appends that it denies", bits},
		{"a sender in slow mode waits", slowMode},
		{"what hangs below messages is found and counted", threads},
		{"folded keys follow each other, and devices do not get them", foldedKeys},
		{"time never runs back in a conversation", clockBack},
		{"a view is one snapshot", snapshot},
		{"Since gives a shard in order", since},
		{"Entries pages both ways", paging},
		{"Targeting finds reactions and edits of a range", targeting},
		{"Changes gives what lies past a cursor, newest first, in pages", changes},
		{"Members pages over current members", members},
		{"Groups pages over an app's groups and nothing else", groups},
		{"who has changed since a position brings a list of members up to date", membersSince},
		{"a poison entry does not spoil its batch", poison},
		{"what is stored is announced in order and before it is answered", announced},
		{"the incarnation stays over a reopen", incarnation},
		{"a full queue and a closed journal refuse with Unavailable", refusals},
		{"texts of any kind come back as they were", texts},
		{"two nodes on one store leave no gap, and see each other's changes", twoNodes},
		{"many conversations at once outlive the writer's memory", manyConversations},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := &env{T: t, clock: &Clock{now: time.UnixMilli(1_800_000_000_000)}}
			e.open(open, journal.Options{})
			c.run(e)
		})
	}
}

// Clock is a clock that a test moves.
type Clock struct {
	mu  sync.Mutex
	now time.Time // guarded by mu
}

// Now implements im.Clock.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Add moves the clock.
func (c *Clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// env is one test's journal.
type env struct {
	*testing.T
	j      journal.Journal
	again  func() journal.Journal
	clock  *Clock
	opener Open

	mu        sync.Mutex
	ids       int           // guarded by mu
	announced []im.Entry    // guarded by mu
	gate      chan struct{} // guarded by mu; holds the announcements of plugs
}

func (e *env) open(open Open, o journal.Options) {
	o.Clock = e.clock
	committed := o.Committed
	o.Committed = func(list []im.Entry) {
		e.mu.Lock()
		e.announced = append(e.announced, list...)
		gate := e.gate
		e.mu.Unlock()
		if gate != nil && strings.HasPrefix(string(list[0].Conv), "plug") {
			<-gate
		}
		if committed != nil {
			committed(list)
		}
	}
	e.opener = open
	e.j, e.again = open(e.T, o)
}

func (e *env) reopen() { e.j = e.again() }

// id makes a new client id.
func (e *env) id() im.ClientID {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ids++
	id, err := im.NewClientID(e.clock.Now(), counter(e.ids))
	if err != nil {
		e.Fatal(err)
	}
	return id
}

// counter is entropy that gives a number.
type counter int

func (c counter) Read(p []byte) (int, error) {
	clear(p)
	copy(p[max(0, len(p)-8):], fmt.Sprintf("%08x", int(c)))
	return len(p), nil
}

// group is the conversation of ann (owner), bob and cat that most tests use.
const group = im.ConvID("g1")

func groupCreate() *journal.Create {
	return &journal.Create{Kind: im.ConvGroup, Title: "three", Members: []journal.NewMember{
		{User: "ann", Role: im.RoleOwner}, {User: "bob", Role: im.RoleAdmin}, {User: "cat", Role: im.RoleMember}}}
}

// say is a message of a user to the group.
func (e *env) say(user im.UserID, body string) *journal.Append {
	return &journal.Append{App: app, Conv: group, Kind: im.KindMessage, Sender: user, Device: "phone", ClientID: e.id(),
		Body: []byte(body), ACLVersion: -1, Create: groupCreate(), MarkRead: true}
}

func (e *env) try(a *journal.Append) (journal.Result, error) {
	return journal.AppendWait(e.Context(), e.j, a)
}

func (e *env) must(a *journal.Append) journal.Result {
	e.Helper()
	r, err := e.try(a)
	if err != nil {
		e.Fatal(err)
	}
	return r
}

// all submits entries at once, so that they land in few batches, and waits.
func (e *env) all(list ...*journal.Append) ([]journal.Result, []error) {
	results, errs := make([]journal.Result, len(list)), make([]error, len(list))
	var g sync.WaitGroup
	g.Add(len(list))
	for i, a := range list {
		e.j.Submit(a, func(r journal.Result, err error) {
			results[i], errs[i] = r, err
			g.Done()
		})
	}
	g.Wait()
	return results, errs
}

// batch submits entries so that they are in one commit of each shard. It stops
// the writers first: of three entries, announced one after the other, the first
// is held in the announcement, the second waits for its own, and the third
// keeps the writer from its next commit.
func (e *env) batch(list ...*journal.Append) ([]journal.Result, []error) {
	e.Helper()
	plugs := e.plugs()
	gate := make(chan struct{})
	e.mu.Lock()
	e.gate = gate
	e.mu.Unlock()
	for range 3 {
		for _, conv := range plugs {
			want := e.conv(conv).HeadSeq + 1
			e.j.Submit(e.plug(conv), func(journal.Result, error) {})
			for e.conv(conv).HeadSeq < want {
				runtime.Gosched()
			}
		}
	}
	results, errs := make([]journal.Result, len(list)), make([]error, len(list))
	var g sync.WaitGroup
	g.Add(len(list))
	for i, a := range list {
		e.j.Submit(a, func(r journal.Result, err error) {
			results[i], errs[i] = r, err
			g.Done()
		})
	}
	e.mu.Lock()
	e.gate = nil
	e.mu.Unlock()
	close(gate)
	g.Wait()
	return results, errs
}

func (e *env) plug(conv im.ConvID) *journal.Append {
	return &journal.Append{App: app, Conv: conv, Kind: im.KindMessage, ClientID: e.id(), ACLVersion: -1,
		Create: &journal.Create{Kind: im.ConvGroup}}
}

// plugs returns a conversation in each shard that no test uses.
func (e *env) plugs() []im.ConvID {
	e.Helper()
	found := map[int]im.ConvID{}
	for i := 0; len(found) < e.j.Shards(); i++ {
		conv := im.ConvID(fmt.Sprint("plug", i))
		found[e.must(e.plug(conv)).Entry.Shard] = conv
	}
	return slices.Sorted(maps.Values(found))
}

func (e *env) view(fn func(journal.View) error) {
	e.Helper()
	if err := e.j.View(e.Context(), fn); err != nil {
		e.Fatal(err)
	}
}

func (e *env) entries(conv im.ConvID) (out []im.Entry) {
	e.Helper()
	e.view(func(v journal.View) (err error) {
		out, err = v.Entries(app, conv, 1, 1<<40, 1<<20, false)
		return err
	})
	return out
}

func (e *env) conv(id im.ConvID) (c journal.Conv) {
	e.Helper()
	e.view(func(v journal.View) (err error) {
		c, err = v.Conv(app, id)
		return err
	})
	return c
}

func (e *env) member(user im.UserID) (m journal.Member) {
	e.Helper()
	e.view(func(v journal.View) (err error) {
		m, err = v.Member(app, group, user)
		return err
	})
	return m
}

func (e *env) heads() (h []im.Pos) {
	e.Helper()
	e.view(func(v journal.View) (err error) {
		h, err = v.Heads()
		return err
	})
	return h
}

func (e *env) code(err error, want im.Code) {
	e.Helper()
	if im.CodeOf(err) != want {
		e.Fatalf("%v, want %v", err, want)
	}
}

func (e *env) stale(err error) {
	e.Helper()
	var s *journal.Stale
	if im.CodeOf(err) != im.FailedPrecondition || !errors.As(err, &s) {
		e.Fatalf("%v, want stale", err)
	}
}

// sound checks what must hold of every journal: seq, ord and pos without gaps,
// in the order of time.
func (e *env) sound() {
	e.Helper()
	ctx, cancel := context.WithTimeout(e.Context(), time.Minute)
	defer cancel()
	err := e.j.View(ctx, func(v journal.View) error {
		heads, err := v.Heads()
		if err != nil {
			return err
		}
		type head struct {
			seq  im.Seq
			ord  im.Ord
			time im.Micros
		}
		convs := map[im.ConvID]head{}
		for shard, last := range heads {
			list, err := v.Since(shard, 0, 1<<30)
			if err != nil {
				return err
			}
			if len(list) != int(last) {
				return fmt.Errorf("shard %d has %d entries and head %d", shard, len(list), last)
			}
			for i, x := range list {
				h := convs[x.Conv]
				ord := h.ord
				if x.Countable() {
					ord++
				}
				if int(x.Pos) != i+1 || x.Shard != shard || x.Seq != h.seq+1 || x.Ord != ord || x.Time < h.time {
					return fmt.Errorf("entry %d of shard %d after %+v: %+v", i, shard, h, x)
				}
				convs[x.Conv] = head{x.Seq, x.Ord, x.Time}
			}
		}
		for id, h := range convs {
			c, err := v.Conv(app, id)
			if err != nil {
				return err
			}
			if c.HeadSeq != h.seq || c.HeadOrd != h.ord {
				return fmt.Errorf("conversation %s is at %d/%d, its entries at %d/%d", id, c.HeadSeq, c.HeadOrd, h.seq, h.ord)
			}
		}
		return nil
	})
	if err != nil {
		e.Fatal(err)
	}
}
