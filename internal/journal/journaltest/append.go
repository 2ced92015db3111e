package journaltest

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
)

func numbers(e *env) {
	for i := 1; i <= 20; i++ {
		a := e.say("ann", fmt.Sprintf("message %d \x00\xff", i))
		a.Session = 77
		e.clock.Add(time.Millisecond)
		r := e.must(a)
		x := r.Entry
		if x.Seq != im.Seq(i) || x.Pos < 1 || x.Ord != im.Ord(i) || x.Version != 1 || r.Duplicate || r.ACLVersion != 1 ||
			x.Time != im.MicrosOf(e.clock.Now()) || x.Session != 77 {
			e.Fatalf("entry %d: %+v", i, r)
		}
	}
	for i, x := range e.entries(group) {
		want := fmt.Sprintf("message %d \x00\xff", i+1)
		if string(x.Body) != want || x.Sender != "ann" || x.Device != "phone" || x.Conv != group || x.App != app || x.Kind != im.KindMessage {
			e.Fatalf("read %+v", x)
		}
	}
	if c := e.conv(group); c.HeadSeq != 20 || c.HeadOrd != 20 || c.Members != 3 || c.Title != "three" || c.ACLVersion != 1 || c.Created == 0 {
		e.Fatalf("%+v", c)
	}
	e.sound()
}

func ords(e *env) {
	reaction := e.say("bob", "+1")
	reaction.Kind, reaction.Target = im.KindReaction, 1
	private := e.say("ann", "for one device")
	private.ToDevices = []im.DeviceID{"tablet"}
	for i, c := range []struct {
		a   *journal.Append
		ord im.Ord
	}{{e.say("ann", "1"), 1}, {reaction, 1}, {e.say("bob", "2"), 2}, {private, 2}, {e.say("cat", "3"), 3}} {
		if x := e.must(c.a).Entry; x.Ord != c.ord || x.Seq != im.Seq(i+1) {
			e.Fatalf("%d: %+v", i, x)
		}
	}
	e.view(func(v journal.View) error {
		for seq, want := range []im.Ord{0, 1, 1, 2, 2, 3} {
			if got, err := v.OrdAt(app, group, im.Seq(seq)); err != nil || got != want {
				e.Fatalf("ord at %d: %d, %v", seq, got, err)
			}
		}
		_, err := v.OrdAt(app, group, 6)
		e.code(err, im.NotFound)
		return nil
	})
}

func direct(i int) (im.ConvID, *journal.Create, im.UserID) {
	a, b := im.UserID(fmt.Sprintf("a%d", i)), im.UserID(fmt.Sprintf("b%d", i))
	return im.Direct(a, b), &journal.Create{Kind: im.ConvDirect, Members: []journal.NewMember{
		{User: a, Role: im.RoleMember}, {User: b, Role: im.RoleMember}}}, a
}

func concurrency(e *env) {
	const workers, convs, each = 16, 40, 60
	var g sync.WaitGroup
	var mu sync.Mutex
	got := map[im.ConvID]map[im.Seq]string{}
	for w := range workers {
		g.Go(func() {
			for i := range each {
				conv, create, sender := direct((w*each + i*7) % convs)
				body := fmt.Sprintf("%d/%d", w, i)
				r, err := e.try(&journal.Append{App: app, Conv: conv, Kind: im.KindMessage, Sender: sender, ClientID: e.id(),
					Body: []byte(body), ACLVersion: -1, Create: create, MarkRead: true})
				if err != nil {
					e.Error(err)
					return
				}
				mu.Lock()
				if got[conv] == nil {
					got[conv] = map[im.Seq]string{}
				}
				if old, twice := got[conv][r.Entry.Seq]; twice {
					e.Errorf("%s %d was given to %s and %s", conv, r.Entry.Seq, old, body)
				}
				got[conv][r.Entry.Seq] = body
				mu.Unlock()
			}
		})
	}
	g.Wait()
	e.sound()
	total := 0
	for conv, want := range got {
		for _, x := range e.entries(conv) {
			total++
			if want[x.Seq] != string(x.Body) {
				e.Fatalf("%s %d is %q, was acknowledged as %q", conv, x.Seq, x.Body, want[x.Seq])
			}
		}
	}
	if total != workers*each {
		e.Fatalf("%d entries", total)
	}
}

func pipeline(e *env) {
	var list []*journal.Append
	for i := range 300 {
		list = append(list, e.say("ann", fmt.Sprint(i)))
	}
	results, errs := e.all(list...)
	for i := range list {
		if errs[i] != nil || results[i].Entry.Seq != im.Seq(i+1) {
			e.Fatalf("%d: %+v %v", i, results[i].Entry, errs[i])
		}
	}
}

func retry(e *env) {
	a := e.say("ann", "once")
	first := e.must(a)
	e.must(e.say("bob", "between"))
	for range 3 {
		r := e.must(a)
		if !r.Duplicate || r.Entry.Seq != first.Entry.Seq || r.Entry.Pos != first.Entry.Pos || string(r.Entry.Body) != "once" || r.ACLVersion != 1 {
			e.Fatalf("%+v", r)
		}
	}
	if r := e.must(e.say("ann", "next")); r.Entry.Seq != 3 {
		e.Fatalf("the retry took a number: %+v", r)
	}
	// A retry and new entries in one batch, in any order.
	list := []*journal.Append{e.say("ann", "x"), a, e.say("bob", "y"), a, e.say("cat", "z")}
	results, errs := e.batch(list...)
	for i, want := range []im.Seq{4, 1, 5, 1, 6} {
		if errs[i] != nil || results[i].Entry.Seq != want || results[i].Duplicate != (want == 1) {
			e.Fatalf("%d: %+v %v", i, results[i], errs[i])
		}
	}
	e.sound()
	e.view(func(v journal.View) error {
		x, err := v.ByClientID(app, "ann", a.ClientID)
		if err != nil || x.Seq != 1 || x.Conv != group {
			e.Fatalf("%+v %v", x, err)
		}
		_, err = v.ByClientID(app, "bob", a.ClientID)
		e.code(err, im.NotFound)
		return nil
	})
}

func retryAfterReopen(e *env) {
	a, b := e.say("ann", "a"), e.say("bob", "b")
	e.must(a)
	e.must(b)
	for range 2 {
		e.reopen()
		r := e.must(a)
		if !r.Duplicate || r.Entry.Seq != 1 {
			e.Fatalf("%+v", r)
		}
	}
	if r := e.must(e.say("ann", "c")); r.Entry.Seq != 3 || r.Entry.Ord != 3 {
		e.Fatalf("%+v", r)
	}
	e.sound()
}

func retryInBatch(e *env) {
	e.must(e.say("ann", "first"))
	a := e.say("ann", "twice")
	other := *a
	other.Body = []byte("other")
	results, errs := e.batch(e.say("bob", "before"), a, a, &other, e.say("bob", "after"))
	for i, want := range []im.Seq{2, 3, 3, 0, 4} {
		if want == 0 {
			e.code(errs[i], im.ClientIDReused)
		} else if errs[i] != nil || results[i].Entry.Seq != want {
			e.Fatalf("%d: %+v %v", i, results[i], errs[i])
		}
	}
	e.sound()
}

func reused(e *env) {
	a := e.say("ann", "one")
	e.must(a)
	for name, change := range map[string]func(*journal.Append){
		"body":    func(x *journal.Append) { x.Body = []byte("two") },
		"conv":    func(x *journal.Append) { x.Conv = "g2" },
		"kind":    func(x *journal.Append) { x.Kind = im.KindReaction },
		"target":  func(x *journal.Append) { x.Target = 1 },
		"key":     func(x *journal.Append) { x.Key = "k" },
		"devices": func(x *journal.Append) { x.ToDevices = []im.DeviceID{"d"} },
	} {
		b := *a
		change(&b)
		results, errs := e.batch(e.say("bob", "fine"), &b, e.say("bob", "too"))
		if errs[0] != nil || errs[2] != nil || results[2].Entry.Seq != results[0].Entry.Seq+1 {
			e.Fatalf("%s: its neighbours: %v %v", name, errs[0], errs[2])
		}
		e.code(errs[1], im.ClientIDReused)
	}
	e.sound()
}

func keyScope(e *env) {
	a := e.say("ann", "same")
	e.must(a)
	b := *a
	b.Sender = "bob"
	if r := e.must(&b); r.Duplicate || r.Entry.Seq != 2 {
		e.Fatalf("%+v", r)
	}
	c := *a
	c.App = "other"
	if r := e.must(&c); r.Duplicate || r.Entry.Seq != 1 {
		e.Fatalf("%+v", r)
	}
	e.view(func(v journal.View) error {
		list, err := v.Entries("other", group, 1, 9, 9, false)
		if err != nil || len(list) != 1 {
			e.Fatalf("%d entries, %v", len(list), err)
		}
		return nil
	})
}

func failsAlone(e *env) {
	e.must(e.say("ann", "1"))
	staleOne := e.say("ann", "stale")
	staleOne.ACLVersion = 9
	nowhere := e.say("ann", "nowhere")
	nowhere.Conv, nowhere.Create = "g-none", nil
	noTarget := e.say("ann", "no target")
	noTarget.Kind, noTarget.Effect, noTarget.Target = im.KindRecall, journal.BlankTarget, 99
	results, errs := e.batch(e.say("ann", "2"), staleOne, e.say("ann", "3"), nowhere, e.say("ann", "4"), noTarget, e.say("ann", "5"))
	e.stale(errs[1])
	e.code(errs[3], im.NotFound)
	e.code(errs[5], im.NotFound)
	for i, k := range []int{0, 2, 4, 6} {
		if errs[k] != nil || results[k].Entry.Seq != im.Seq(i+2) {
			e.Fatalf("%d: %+v %v", k, results[k].Entry, errs[k])
		}
	}
	// What failed definitively was not stored and may be sent again.
	staleOne.ACLVersion = 1
	if r := e.must(staleOne); r.Duplicate || r.Entry.Seq != 6 {
		e.Fatalf("%+v", r)
	}
	e.sound()
}

func retryBeatsStale(e *env) {
	a := e.say("bob", "sent, ack lost")
	a.ACLVersion = 0
	e.must(a)
	e.must(e.change("ann", journal.MemberChange{User: "bob"}))
	r := e.must(a)
	if !r.Duplicate || r.Entry.Seq != 1 || r.ACLVersion != 2 {
		e.Fatalf("%+v", r)
	}
	results, errs := e.batch(e.say("ann", "x"), a, e.say("ann", "y"))
	if errs[1] != nil || !results[1].Duplicate || results[2].Entry.Seq != 4 {
		e.Fatalf("%+v %v", results, errs)
	}
	gone := *a
	gone.Body = []byte("other")
	_, err := e.try(&gone)
	e.code(err, im.ClientIDReused)
	e.sound()
}

// change is an entry that changes members.
func (e *env) change(by im.UserID, list ...journal.MemberChange) *journal.Append {
	a := e.say(by, "members")
	a.Kind, a.Members, a.Create = im.KindMembers, list, nil
	return a
}

func demotions(e *env) {
	two := groupCreate()
	two.Members[1].Role = im.RoleOwner
	a := e.say("ann", "two owners")
	a.Create = two
	version := e.must(a).ACLVersion
	x := e.change("ann", journal.MemberChange{User: "bob", Role: im.RoleMember})
	y := e.change("bob", journal.MemberChange{User: "ann", Role: im.RoleMember})
	x.ACLVersion, y.ACLVersion = version, version
	_, errs := e.batch(x, y)
	if errs[0] != nil {
		e.Fatal(errs[0])
	}
	e.stale(errs[1])
	if ann, bob := e.member("ann"), e.member("bob"); ann.Role != im.RoleOwner || bob.Role != im.RoleMember {
		e.Fatalf("%+v %+v", ann, bob)
	}
	// And a kicked member's message cannot commit after the kick.
	kick := e.change("ann", journal.MemberChange{User: "bob"})
	late := e.say("bob", "late")
	late.ACLVersion = e.conv(group).ACLVersion
	_, errs = e.batch(kick, late)
	if errs[0] != nil {
		e.Fatal(errs[0])
	}
	e.stale(errs[1])
	e.sound()
}

func targetVersion(e *env) {
	e.must(e.say("ann", "1"))
	edit := func(version int32, body string) *journal.Append {
		a := e.say("ann", body)
		a.Kind, a.Effect, a.Target, a.TargetVersion = im.KindEdit, journal.ReplaceTarget, 1, version
		return a
	}
	_, errs := e.batch(edit(1, "x"), edit(1, "y"))
	if errs[0] != nil {
		e.Fatal(errs[0])
	}
	e.stale(errs[1])
	e.must(edit(2, "z"))
	_, err := e.try(edit(2, "late"))
	e.stale(err)
	recall := e.say("ann", "")
	recall.Kind, recall.Effect, recall.Target, recall.TargetVersion = im.KindRecall, journal.BlankTarget, 1, 3
	e.must(recall)
	back := edit(-1, "an edit must not bring it back")
	_, err = e.try(back)
	e.stale(err)
	if x := e.entries(group)[0]; len(x.Body) != 0 || !x.Recalled || x.Version != 4 {
		e.Fatalf("%+v", x)
	}
}

func createRace(e *env) {
	results, errs := e.batch(e.say("ann", "a"), e.say("bob", "b"), e.say("cat", "c"))
	for i := range results {
		if errs[i] != nil || results[i].Entry.Seq != im.Seq(i+1) || results[i].ACLVersion != 1 {
			e.Fatalf("%+v %v", results[i], errs[i])
		}
	}
	// The version of a conversation that is not there is 0: the first wins.
	x, y := e.say("ann", "x"), e.say("bob", "y")
	x.Conv, y.Conv, x.ACLVersion, y.ACLVersion = "g2", "g2", 0, 0
	_, errs = e.batch(x, y)
	if errs[0] != nil {
		e.Fatal(errs[0])
	}
	e.stale(errs[1])
	z := e.say("ann", "z")
	z.Conv, z.ACLVersion = "g3", 1
	_, err := e.try(z)
	e.stale(err)
	if c := e.conv(group); c.Members != 3 || c.HeadSeq != 3 {
		e.Fatalf("%+v", c)
	}
	for _, u := range []im.UserID{"ann", "bob", "cat"} {
		if m := e.member(u); m.ReadSeq == 0 || m.From != 1 || m.To != 0 {
			e.Fatalf("%+v", m)
		}
	}
	e.sound()
}

func missing(e *env) {
	a := e.say("ann", "x")
	a.Create = nil
	_, err := e.try(a)
	e.code(err, im.NotFound)
	_, err = e.j.Mark(e.Context(), app, group, "ann", 1)
	e.code(err, im.NotFound)
	e.view(func(v journal.View) error {
		_, err := v.Conv(app, group)
		e.code(err, im.NotFound)
		_, err = v.Member(app, group, "ann")
		e.code(err, im.NotFound)
		list, err := v.Entries(app, group, 1, 9, 9, false)
		if len(list) != 0 || err != nil {
			e.Fatal(list, err)
		}
		return nil
	})
	a.Create = groupCreate()
	if r := e.must(a); r.Entry.Seq != 1 || r.Duplicate {
		e.Fatalf("%+v", r)
	}
	_, err = e.j.Mark(e.Context(), app, group, "eve", 1)
	e.code(err, im.NotFound)
}

func poison(e *env) {
	e.must(e.say("ann", "1"))
	zero, nul, bad, big := e.say("ann", "z"), e.say("ann", "n"), e.say("ann", "b"), e.say("ann", "")
	zero.ClientID = im.ClientID{}
	nul.Key = "a\x00b"
	bad.Device = "\xff"
	big.Body = make([]byte, journal.MaxBody+1)
	results, errs := e.batch(e.say("ann", "2"), zero, nul, bad, big, e.say("ann", "3"))
	e.code(errs[1], im.InvalidArgument)
	e.code(errs[2], im.InvalidArgument)
	e.code(errs[3], im.InvalidArgument)
	e.code(errs[4], im.TooLarge)
	if errs[0] != nil || errs[5] != nil || results[5].Entry.Seq != 3 {
		e.Fatal(results, errs)
	}
	e.sound()
}

func announced(e *env) {
	var list []*journal.Append
	for i := range 200 {
		conv, create, sender := direct(i % 20)
		list = append(list, &journal.Append{App: app, Conv: conv, Kind: im.KindMessage, Sender: sender, ClientID: e.id(),
			Body: []byte("x"), ACLVersion: -1, Create: create})
	}
	var g sync.WaitGroup
	g.Add(len(list))
	for _, a := range list {
		e.j.Submit(a, func(r journal.Result, err error) {
			defer g.Done()
			e.mu.Lock()
			defer e.mu.Unlock()
			for i := len(e.announced) - 1; i >= 0; i-- {
				if x := e.announced[i]; x.Conv == r.Entry.Conv && x.Seq == r.Entry.Seq && x.Pos == r.Entry.Pos {
					return
				}
			}
			e.Errorf("answered before it was announced: %+v %v", r, err)
		})
	}
	g.Wait()
	e.must(list[0]) // a duplicate is not announced again
	e.mu.Lock()
	defer e.mu.Unlock()
	last := map[int]im.Pos{}
	for _, x := range e.announced {
		if x.Pos != last[x.Shard]+1 {
			e.Fatalf("shard %d: %d after %d", x.Shard, x.Pos, last[x.Shard])
		}
		last[x.Shard] = x.Pos
	}
	if len(e.announced) != len(list) {
		e.Fatalf("%d announced", len(e.announced))
	}
}

func incarnation(e *env) {
	was, shards := e.j.Incarnation(), e.j.Shards()
	if len(was) != 32 || shards < 1 {
		e.Fatal(was, shards)
	}
	e.reopen()
	if e.j.Incarnation() != was || e.j.Shards() != shards {
		e.Fatal("it changed")
	}
	j, _ := e.opener(e.T, journal.Options{})
	if j.Incarnation() == was {
		e.Fatal("two journals have the same")
	}
}

func refusals(e *env) {
	gate := make(chan struct{})
	entered := make(chan struct{}, 100)
	small := &env{T: e.T, clock: e.clock}
	small.open(e.opener, journal.Options{MaxQueue: 4, MaxBatch: 2, Committed: func([]im.Entry) {
		entered <- struct{}{}
		<-gate
	}})
	// The first batch is being announced, the second waits behind it and the
	// third commits or waits; then the queue fills.
	var g sync.WaitGroup
	var mu sync.Mutex
	codes := map[im.Code]int{}
	for range 40 {
		g.Add(1)
		small.j.Submit(small.say("ann", "x"), func(_ journal.Result, err error) {
			mu.Lock()
			codes[im.CodeOf(err)]++
			mu.Unlock()
			g.Done()
		})
	}
	<-entered
	close(gate)
	g.Wait()
	if codes[im.Unavailable] == 0 || codes[0] == 0 || codes[0]+codes[im.Unavailable] != 40 {
		e.Fatalf("%v", codes)
	}
	if n := len(small.entries(group)); n != codes[0] {
		e.Fatalf("%d entries, %d acknowledged", n, codes[0])
	}
	small.sound()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := small.j.Close(ctx); err != nil {
		e.Fatal(err)
	}
	_, err := small.try(small.say("ann", "x"))
	e.code(err, im.Unavailable)
	_, err = small.j.Mark(ctx, app, group, "ann", 1)
	e.code(err, im.Unavailable)
}

func texts(e *env) {
	for _, s := range []string{"", "'; DROP TABLE entry; --", "日本語 🧵", "a\tb\nc", "$1 ?1", "\u202e"} {
		a := e.say("ann", s)
		a.Device = im.DeviceID("d" + s)
		a.Key, a.Kind = "k"+s, im.KindKeyed
		x := e.must(a).Entry
		list := e.entries(group)
		got := list[len(list)-1]
		if got.Seq != x.Seq || got.Device != a.Device || got.Key != a.Key || !bytes.Equal(got.Body, a.Body) {
			e.Fatalf("%q: %+v", s, got)
		}
	}
	every := make([]byte, 70_000)
	for i := range every {
		every[i] = byte(i * 31)
	}
	e.must(e.say("ann", string(every)))
	list := e.entries(group)
	if !bytes.Equal(list[len(list)-1].Body, every) {
		e.Fatal("a large body changed")
	}
}

func manyConversations(e *env) {
	small := &env{T: e.T, clock: e.clock}
	small.open(e.opener, journal.Options{MaxBatch: 8})
	var list []*journal.Append
	for i := range 600 {
		conv, create, sender := direct(i % 300)
		list = append(list, &journal.Append{App: app, Conv: conv, Kind: im.KindMessage, Sender: sender, ClientID: small.id(),
			Body: []byte("x"), ACLVersion: -1, Create: create, MarkRead: true})
	}
	_, errs := small.all(list...)
	for _, err := range errs {
		if err != nil {
			e.Fatal(err)
		}
	}
	small.sound()
}

func twoNodes(e *env) {
	e.must(e.say("ann", "first"))
	nodes := []journal.Journal{e.j, e.again()}
	var g sync.WaitGroup
	retried := e.say("bob", "retried on the other node")
	for w := range 8 {
		j := nodes[w%2]
		g.Go(func() {
			for i := range 30 {
				conv, create, sender := direct(i % 5)
				_, err := journal.AppendWait(e.Context(), j, &journal.Append{App: app, Conv: conv, Kind: im.KindMessage, Sender: sender,
					ClientID: e.id(), Body: []byte(fmt.Sprintf("%d/%d", w, i)), ACLVersion: -1, Create: create, MarkRead: true})
				if err != nil {
					e.Error(err)
				}
				if _, err := journal.AppendWait(e.Context(), j, retried); err != nil {
					e.Error(err)
				}
				if _, err := j.Mark(e.Context(), app, conv, sender, im.Seq(i)); err != nil {
					e.Error(err)
				}
			}
		})
	}
	g.Wait()
	e.sound()
	if n := len(e.entries(group)); n != 2 {
		e.Fatalf("%d entries: the retries were stored again", n)
	}
	// What one node changes the other one acts on, however warm its memory is.
	for i := range 6 {
		j := nodes[i%2]
		role := im.RoleMember
		if i%2 == 0 {
			role = im.RoleAdmin
		}
		change := e.change("ann", journal.MemberChange{User: "cat", Role: role})
		change.ACLVersion = int64(i)
		_, err := journal.AppendWait(e.Context(), j, change)
		e.stale(err)
		change.ACLVersion = int64(i + 1)
		r, err := journal.AppendWait(e.Context(), j, change)
		if err != nil || r.ACLVersion != int64(i+2) {
			e.Fatalf("%d: %+v %v", i, r, err)
		}
		m, err := nodes[(i+1)%2].Mark(e.Context(), app, group, "cat", 1<<40)
		if err != nil || m.Seq != r.Entry.Seq || m.Ord != 2 {
			e.Fatalf("%+v %v", m, err)
		}
	}
	e.sound()
}
