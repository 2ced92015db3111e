package relay

import (
	"context"
	"log/slog"
	"reflect"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/bus/bustest"
	"github.com/skein-im/skein/internal/im"
)

// full is an entry with every field set.
func full() im.Entry {
	return im.Entry{App: "app", Conv: "@3:ann:bob", Seq: 1, Ord: 2, Shard: 3, Pos: 4, Kind: im.KindEdit, Sender: "ann", Device: "phone", Session: 1 << 63,
		Time: 5, ClientID: im.ClientID{1, 2, 3}, Version: 6, Target: 7, Key: "draft/x", Handshake: true, ToDevices: []im.DeviceID{"a", "b"}, Recalled: true,
		Body: []byte("body"), Previous: []byte("before"), Trace: "00-1",
		ToUsers: []im.UserID{"u1", "u2"}, Silent: true, Priority: im.PriorityLow, Burn: 60, Expires: 77, Uncounted: true, Expired: true}
}

func sample() []byte {
	e := full()
	b := appendHead(nil, "0123456789abcdef0123456789abcdef", bus.Boot{Node: "n1", Started: 9})
	b = appendKnown(b, known{started: 3, version: 4})
	var c []byte
	c = appendBytes(c, batchEntry, appendEntry(nil, &e))
	c = appendBytes(c, batchSkip, appendSkip(nil, &skip{shard: 1, from: 5, to: 9, read: true}))
	c = appendBytes(c, batchSkip, appendSkip(nil, &skip{shard: 1, from: 10, to: 10, app: "app", conv: "g1", version: 3}))
	b = appendBytes(b, fieldBatch, c)
	for _, s := range bustest.Signals() {
		b = appendBytes(b, fieldSignal, appendSignal(nil, s))
	}
	return b
}

func TestAnEnvelopeCarriesEverythingAsItWas(t *testing.T) {
	got, err := decode(sample(), 4)
	if err != nil {
		t.Fatal(err)
	}
	want := envelope{incarnation: "0123456789abcdef0123456789abcdef", boot: bus.Boot{Node: "n1", Started: 9}, known: known{3, 4},
		batches: []batch{{entries: []im.Entry{full()}, skips: []skip{{shard: 1, from: 5, to: 9, read: true}, {shard: 1, from: 10, to: 10, app: "app", conv: "g1", version: 3}}}},
		signals: bustest.Signals()}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	// Damaged is never sent: a damaged row is found by reading.
	if n := reflect.TypeFor[im.Entry]().NumField(); n != 29 {
		t.Errorf("an entry has %d fields now: does the envelope carry the new one?", n)
	}
}

func TestANodeOfTheNextVersionIsUnderstood(t *testing.T) {
	b := sample()
	b = appendText(b, 100, "new")
	b = appendUint(b, 101, 7)
	b = protowire.AppendFixed64(protowire.AppendTag(b, 102, protowire.Fixed64Type), 1)
	b = appendBytes(b, fieldSignal, appendBytes(nil, 99, appendText(nil, 1, "a signal that is not known yet")))
	got, err := decode(b, 4)
	if err != nil || len(got.signals) != len(bustest.Signals()) {
		t.Errorf("%d signals, %v", len(got.signals), err)
	}
}

func TestWhatIndexesSomethingIsChecked(t *testing.T) {
	e := full()
	bad := map[string]func(*im.Entry){
		"shard": func(e *im.Entry) { e.Shard = 4 }, "pos": func(e *im.Entry) { e.Pos = 0 }, "seq": func(e *im.Entry) { e.Seq = -1 },
		"app": func(e *im.Entry) { e.App = "" }, "conv": func(e *im.Entry) { e.Conv = "@" }, "kind": func(e *im.Entry) { e.Kind = 0 },
	}
	for what, spoil := range bad {
		x := e
		spoil(&x)
		if _, ok := decodeEntry(appendEntry(nil, &x), 4); ok {
			t.Errorf("a bad %s was taken", what)
		}
	}
	for _, s := range []skip{{shard: 4, from: 1, to: 1}, {from: 0, to: 1}, {from: -1, to: 1}, {from: 1, to: 1, app: "app", conv: "@3:ann:bob"}} {
		if _, ok := decodeSkip(appendSkip(nil, &s), 4); ok {
			t.Errorf("%+v was taken", s)
		}
	}
}

func TestATagShowsEveryChange(t *testing.T) {
	s := newSealer([]byte("key"))
	m := append(make([]byte, tagBytes), sample()...)
	s.seal(m)
	if _, err := s.open(m); err != nil {
		t.Fatal(err)
	}
	for i := range m {
		m[i] ^= 1
		if _, err := s.open(m); err == nil {
			t.Fatalf("byte %d was changed unseen", i)
		}
		m[i] ^= 1
	}
	if _, err := s.open(m[:tagBytes-1]); err == nil {
		t.Error("a stump was taken")
	}
}

// pairs is a cluster of three in which everybody is at node b.
type pairs struct{}

func (pairs) Peers(fn func(bus.Boot, uint64)) {
	fn(bus.Boot{Node: "b", Started: 1}, 1)
	fn(bus.Boot{Node: "c", Started: 1}, 1)
}
func (pairs) Spread(_ im.AppID, _ []im.UserID, fn func(string)) { fn("b") }
func (pairs) Came() uint64                                      { return 1 }
func (pairs) Here(im.AppID, []im.UserID) bool                   { return true }
func (pairs) Reach(_ context.Context, _ *im.Entry, _ int, users []im.UserID) ([]im.UserID, bool, int64, error) {
	return append(users, "ann", "bob"), false, 0, nil
}
func (pairs) Users(_ im.AppID, users []im.UserID) []im.UserID { return append(users, "ann", "bob") }
func (pairs) MembersAt(_ context.Context, _ im.AppID, _ im.ConvID, _ int64, _ int, users []im.UserID) ([]im.UserID, bool, int64, error) {
	return append(users, "ann", "bob"), false, 1, nil
}
func (pairs) Meets(_ context.Context, _ im.AppID, _ im.ConvID, _ int64, users []im.UserID) (im.UserID, int64, error) {
	return users[0], 1, nil
}

// wire keeps the last message for each subject.
type wire map[string][]byte

func (w wire) Publish(subject string, m []byte)               { w[subject] = append(w[subject][:0], m...) }
func (w wire) Subscribe(string, func([]byte)) (func(), error) { return func() {}, nil }
func (w wire) MaxMessage() int                                { return 1 << 20 }
func (w wire) Restored() <-chan struct{}                      { return nil }

// BenchmarkSend and BenchmarkReceive show what an entry of a 96-byte message
// costs with two other nodes: its own node, a node that gets it, and a node
// that gets a skip. Publishing is not in it.
func BenchmarkSend(b *testing.B) { bench(b, "") }

func BenchmarkReceive(b *testing.B) {
	b.Run("entry", func(b *testing.B) { bench(b, "x.node.b") })
	b.Run("skip", func(b *testing.B) { bench(b, "x.node.c") })
}

func bench(b *testing.B, subject string) {
	local, w := bus.NewLocal(), wire{}
	defer local.Close()
	r, err := New(b.Context(), Options{Bus: local, Link: w, Prefix: "x", Key: []byte("key"), Incarnation: "0123456789abcdef0123456789abcdef", Shards: 4,
		Boot: bus.Boot{Node: "a", Started: 1}, Map: pairs{}, Rooms: pairs{}, Clock: im.SystemClock{}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	r.Close(b.Context())
	batch := bustest.Batch(1, 100)
	for i := range batch {
		batch[i].Body = make([]byte, 96)
	}
	r.ctx = context.WithoutCancel(b.Context())
	s := newSealer(r.o.Key)
	r.send(waiting{batches: [][]im.Entry{batch}})
	b.ReportAllocs()
	for b.Loop() {
		if subject == "" {
			r.send(waiting{batches: [][]im.Entry{batch}})
		} else {
			r.o.Boot.Node = "other"
			r.receive(s, w[subject])
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/entry")
	b.ReportMetric(float64(len(w["x.node.b"]))/100, "bytes/entry")
}

// FuzzEnvelope: whatever comes, decoding ends, panics never, and gives nothing
// that could index past a shard.
func FuzzEnvelope(f *testing.F) {
	f.Add(sample())
	f.Add([]byte{})
	f.Add(appendBytes(nil, fieldBatch, []byte{0xff}))
	f.Add(appendBytes(nil, fieldSignal, appendBytes(nil, signalRoster, appendBytes(nil, partSession, []byte{1}))))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := decode(b, 4)
		if err != nil {
			return
		}
		for _, c := range e.batches {
			for i := range c.entries {
				x := &c.entries[i]
				if x.Shard < 0 || x.Shard > 3 || x.Pos < 1 {
					t.Fatalf("%+v", x)
				}
				again, ok := decodeEntry(appendEntry(nil, x), 4)
				if !ok || again.Pos != x.Pos || again.Conv != x.Conv || string(again.Body) != string(x.Body) {
					t.Fatalf("%+v became %+v", x, again)
				}
			}
			for _, s := range c.skips {
				if s.shard < 0 || s.shard > 3 || s.from < 1 || s.to < s.from {
					t.Fatalf("%+v", s)
				}
			}
		}
	})
}
