package journal

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/skein-im/skein/internal/im"
)

func entryItem(body int) *item { return &item{a: &Append{Body: make([]byte, body)}} }

func TestIdleShardCommitsAtOnceAndGathersMeanwhile(t *testing.T) {
	m := machine{maxQueue: 10, maxBatch: 3}
	first := m.step(event{kind: evSubmit, item: entryItem(1)})
	if len(first.commit) != 1 || first.refuse {
		t.Fatalf("%+v", first)
	}
	for range 5 {
		if out := m.step(event{kind: evSubmit, item: entryItem(1)}); out.commit != nil || out.refuse {
			t.Fatalf("a second commit at once: %+v", out)
		}
	}
	for _, want := range []int{3, 2, 0} {
		if out := m.step(event{kind: evFinished}); len(out.commit) != want {
			t.Fatalf("%d in the batch, want %d", len(out.commit), want)
		}
	}
}

func TestLargeEntriesMakeSmallBatches(t *testing.T) {
	m := machine{maxQueue: 100, maxBatch: 100}
	m.step(event{kind: evSubmit, item: entryItem(1)})
	for range 10 {
		m.step(event{kind: evSubmit, item: entryItem(maxBatchBytes / 3)})
	}
	m.step(event{kind: evSubmit, item: entryItem(2 * maxBatchBytes)})
	var sizes []int
	for {
		out := m.step(event{kind: evFinished})
		if len(out.commit) == 0 {
			break
		}
		sizes = append(sizes, len(out.commit))
	}
	if fmt.Sprint(sizes) != "[3 3 3 1 1]" {
		t.Fatal(sizes)
	}
}

func TestClosingMachineFinishesItsQueueAndStopsOnce(t *testing.T) {
	m := machine{maxQueue: 2, maxBatch: 1}
	m.step(event{kind: evSubmit, item: entryItem(0)})
	m.step(event{kind: evSubmit, item: entryItem(0)})
	m.step(event{kind: evSubmit, item: entryItem(0)})
	if out := m.step(event{kind: evSubmit, item: entryItem(0)}); !out.refuse {
		t.Fatal("the queue has no bound")
	}
	if out := m.step(event{kind: evClose}); out.stopped || out.commit != nil {
		t.Fatalf("%+v", out)
	}
	if out := m.step(event{kind: evSubmit, item: entryItem(0)}); !out.refuse {
		t.Fatal("taken after the close")
	}
	var trace []string
	for range 4 {
		out := m.step(event{kind: evFinished})
		trace = append(trace, fmt.Sprint(len(out.commit), out.stopped))
	}
	if fmt.Sprint(trace) != "[1 false 1 false 0 true 0 false]" {
		t.Fatal(trace)
	}
}

// Whatever happens in whatever order: no item is lost, doubled or reordered,
// and there is never more than one commit.
func TestMachineKeepsEveryItemOnceAndInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := machine{maxQueue: rapid.IntRange(1, 20).Draw(t, "queue"), maxBatch: rapid.IntRange(1, 8).Draw(t, "batch")}
		var taken, committed []*item
		var flying []*item
		stopped := 0
		carry := func(out effects) {
			if len(out.commit) > 0 {
				if flying != nil {
					t.Fatal("two commits at once")
				}
				if len(out.commit) > m.maxBatch {
					t.Fatalf("a batch of %d", len(out.commit))
				}
				flying = append([]*item(nil), out.commit...)
			}
			if out.stopped {
				stopped++
			}
		}
		finish := func() {
			committed = append(committed, flying...)
			spare := append([]*item(nil), flying...)
			flying = nil
			carry(m.step(event{kind: evFinished, spare: spare}))
		}
		for range rapid.IntRange(0, 200).Draw(t, "steps") {
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0:
				if rapid.IntRange(0, 30).Draw(t, "close") == 0 {
					carry(m.step(event{kind: evClose}))
				}
			case 1, 2, 3:
				if flying != nil {
					finish()
				}
			default:
				it := entryItem(rapid.IntRange(0, maxBatchBytes/2).Draw(t, "size"))
				out := m.step(event{kind: evSubmit, item: it})
				if !out.refuse {
					taken = append(taken, it)
				}
				carry(out)
			}
		}
		carry(m.step(event{kind: evClose}))
		for flying != nil {
			finish()
		}
		if stopped != 1 || len(committed) != len(taken) {
			t.Fatalf("stopped %d times, %d of %d committed", stopped, len(committed), len(taken))
		}
		for i := range taken {
			if taken[i] != committed[i] {
				t.Fatalf("item %d is out of order", i)
			}
		}
		if m.bytes != 0 {
			t.Fatalf("%d bytes left", m.bytes)
		}
	})
}

func TestOrdNearTheHeadIsKnownWithoutReading(t *testing.T) {
	c := &convState{headSeq: 5, headOrd: 3} // read from the store: only the head is known
	for range 200 {
		for back := im.Seq(0); back <= 80 && back < c.headSeq; back++ {
			ord, ok := c.ordAt(c.headSeq - back)
			if want := back <= im.Seq(min(c.known, 63)); ok != want {
				t.Fatalf("head %d, %d back of %d known: %v", c.headSeq, back, c.known, ok)
			}
			if ok && ord != ordOf(c.headSeq-back) {
				t.Fatalf("ord at %d is %d, want %d", c.headSeq-back, ord, ordOf(c.headSeq-back))
			}
		}
		c.headSeq++
		c.headOrd = ordOf(c.headSeq)
		c.pushed(c.headSeq%3 != 0)
	}
	if ord, ok := c.ordAt(0); ord != 0 || !ok {
		t.Fatal("ord at 0 is always 0")
	}
}

// ordOf is ord at a seq where every third entry from 6 on does not count, and
// 5 has ord 3.
func ordOf(seq im.Seq) (ord im.Ord) {
	ord = 3
	for s := im.Seq(6); s <= seq; s++ {
		if s%3 != 0 {
			ord++
		}
	}
	return ord
}

func TestCacheForgetsWhatWasNotAskedForAndAllWhenTheShardMoved(t *testing.T) {
	c := newCache(4)
	c.saw(10, 5)
	key := func(i int) convKey { return convKey{"demo", im.ConvID(fmt.Sprint(i))} }
	for i := range 4 {
		c.put(&convState{convKey: key(i)})
	}
	for i := range 4 {
		c.put(&convState{convKey: key(10 + i)})
		if c.get(key(0)) == nil {
			t.Fatal("what is asked for is forgotten")
		}
	}
	for i := range 4 {
		c.put(&convState{convKey: key(20 + i)})
	}
	if c.get(key(1)) != nil || len(c.young)+len(c.old) > 8 {
		t.Fatalf("it grows: %d and %d", len(c.young), len(c.old))
	}
	c.saw(10, 5)
	if c.get(key(23)) == nil {
		t.Fatal("dropped although nobody has committed")
	}
	c.saw(10, 6) // a commit without an entry, of another node
	if c.get(key(23)) != nil {
		t.Fatal("kept although somebody has committed")
	}
}

func TestHashCoversEveryField(t *testing.T) {
	base := row{Entry: im.Entry{App: "a", Conv: "c", Seq: 1, Ord: 1, Pos: 1, Kind: 1, Sender: "s", Device: "d", Time: 1, Version: 1,
		ToDevices: []im.DeviceID{"x"}, Body: []byte("b")}}
	want, _ := base.sum(nil)
	for name, change := range map[string]func(*row){
		"App": func(r *row) { r.App = "b" }, "Conv": func(r *row) { r.Conv = "d" }, "Seq": func(r *row) { r.Seq++ }, "Ord": func(r *row) { r.Ord++ },
		"Shard": func(r *row) { r.Shard++ }, "Pos": func(r *row) { r.Pos++ }, "Kind": func(r *row) { r.Kind++ },
		"Sender": func(r *row) { r.Sender, r.Device = "", "sd" }, "Device": func(r *row) { r.Device = "e" }, "Time": func(r *row) { r.Time++ },
		"ClientID": func(r *row) { r.ClientID[15]++ }, "Version": func(r *row) { r.Version++ }, "Target": func(r *row) { r.Target++ },
		"Key": func(r *row) { r.Key = "k" }, "Handshake": func(r *row) { r.Handshake = true }, "Recalled": func(r *row) { r.Recalled = true },
		"ToDevices": func(r *row) { r.ToDevices = []im.DeviceID{"x", ""} }, "Body": func(r *row) { r.Body = []byte("c") },
		"Previous": func(r *row) { r.Body, r.Previous = nil, r.Body },
	} {
		r := base
		change(&r)
		if got, _ := r.sum(nil); got == want {
			t.Errorf("%s is not covered", name)
		}
	}
	r := base
	r.Session, r.slot = 5, true
	if got, _ := r.sum(nil); got != want {
		t.Error("what is not stored is covered")
	}
}

func TestConversationsSpreadOverShards(t *testing.T) {
	count := make([]int, 64)
	for i := range 64 * 200 {
		count[shardOf("demo", im.Direct(im.UserID(fmt.Sprint("user", i)), im.UserID(fmt.Sprint("user", i*7+1))), 64)]++
	}
	for shard, n := range count {
		if n < 100 || n > 300 {
			t.Errorf("shard %d has %d of a mean of 200", shard, n)
		}
	}
	if a, b := shardOf("demo", "g1", 64), shardOf("demo", "g1", 64); a != b {
		t.Fatal("it is no function")
	}
	// The place of a conversation is stored data: it must not change.
	if got := shardOf("demo", "@5:alice:bob", 64); got != 0 {
		t.Fatalf("shard %d", got)
	}
}

func TestWhatIsQueuedBehindALostCommitIsLostWithIt(t *testing.T) {
	m := machine{maxQueue: 10, maxBatch: 10}
	items := []*item{{a: &Append{}}, {a: &Append{Body: []byte("abc")}}, {a: &Append{}}, {a: &Append{}}}
	first := m.step(event{kind: evSubmit, item: items[0]})
	for _, it := range items[1:3] {
		m.step(event{kind: evSubmit, item: it})
	}
	out := m.step(event{kind: evLost, spare: first.commit})
	if len(out.commit) != 0 || len(out.drop) != 2 || out.drop[0] != items[1] || out.drop[1] != items[2] || m.bytes != 0 {
		t.Fatalf("%+v", out)
	}
	if out = m.step(event{kind: evSubmit, item: items[3]}); len(out.commit) != 1 || out.commit[0] != items[3] {
		t.Fatalf("the next one is not committed at once: %+v", out)
	}
}
