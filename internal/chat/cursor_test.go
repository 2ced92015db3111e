package chat

import (
	"bytes"
	"testing"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
)

const testIncarnation = "000102030405060708090a0b0c0d0e0f"

var alice = im.Actor{App: "demo", User: "alice", Device: "phone"}

func testCodec(shards int) *cursorCodec {
	return newCursorCodec([]byte("0123456789abcdef"), testIncarnation, shards)
}

func TestACursorComesBackAsItWas(t *testing.T) {
	c := testCodec(3)
	in := cursor{base: []im.Pos{1, 0, 1 << 40}, since: []im.Pos{5, 0, 1<<40 + 3}, snap: []im.Pos{9, 2, 1<<40 + 3},
		key: &journal.PageKey{LastPos: 77, Conv: "@5:alice:bob"}}
	out, ok, err := c.open(alice, c.seal(alice, in))
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	for i := range in.base {
		if out.base[i] != in.base[i] || out.since[i] != in.since[i] || out.snap[i] != in.snap[i] {
			t.Errorf("shard %d: %v %v %v", i, out.base[i], out.since[i], out.snap[i])
		}
	}
	if *out.key != *in.key {
		t.Errorf("key %v", out.key)
	}
}

func TestACursorOfSomebodyElseIsRefusedAndAnOldOneStartsOver(t *testing.T) {
	c := testCodec(1)
	raw := c.sealHeads(alice, []im.Pos{12})
	refused := map[string]struct {
		actor im.Actor
		raw   []byte
	}{
		"another user":     {im.Actor{App: "demo", User: "bob"}, raw},
		"another app":      {im.Actor{App: "other", User: "alice"}, raw},
		"shifted ids":      {im.Actor{App: "demoa", User: "lice"}, raw},
		"a flipped bit":    {alice, append(bytes.Clone(raw[:len(raw)-1]), raw[len(raw)-1]^1)},
		"truncated":        {alice, raw[:len(raw)-1]},
		"one byte":         {alice, []byte{1}},
		"too long":         {alice, make([]byte, 5000)},
		"a page token":     {alice, []byte(c.sealPage(alice, journal.PageKey{LastPos: 1, Conv: "g1"}))},
		"of another key":   {alice, newCursorCodec([]byte("another key 1234"), testIncarnation, 1).sealHeads(alice, []im.Pos{12})},
		"a future version": {alice, append([]byte{9}, raw[1:]...)},
	}
	for name, r := range refused {
		if _, _, err := c.open(r.actor, r.raw); im.CodeOf(err) != im.CursorInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, other := range map[string]*cursorCodec{
		"another incarnation":      newCursorCodec([]byte("0123456789abcdef"), "ff0102030405060708090a0b0c0d0e0f", 1),
		"another number of shards": testCodec(2),
	} {
		if _, ok, err := other.open(alice, raw); ok || err != nil {
			t.Errorf("%s: ok %v, err %v", name, ok, err)
		}
	}
	if _, ok, err := c.open(alice, nil); ok || err != nil {
		t.Errorf("no cursor: ok %v, err %v", ok, err)
	}
}

func TestAPageTokenBelongsToItsList(t *testing.T) {
	c := testCodec(1)
	tok := c.sealPage(alice, journal.PageKey{LastPos: 4, Conv: "g1"})
	k, err := c.openPage(alice, tok)
	if err != nil || k.LastPos != 4 || k.Conv != "g1" {
		t.Fatal(k, err)
	}
	for _, bad := range []string{"x", tok[:len(tok)-2], tok + "AA", "!!!", "AAAAAAAAAAAAAAAAAAAAAAAAAAAA"} {
		if _, err := c.openPage(alice, bad); im.CodeOf(err) != im.InvalidArgument {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, err := c.openPage(im.Actor{App: "demo", User: "bob"}, tok); im.CodeOf(err) != im.InvalidArgument {
		t.Errorf("bob: %v", err)
	}
}

// FuzzCursor: whatever comes in, the codec neither panics nor accepts what it
// did not seal, and an accepted cursor seals to the same bytes.
func FuzzCursor(f *testing.F) {
	c := testCodec(2)
	f.Add(c.sealHeads(alice, []im.Pos{1, 2}))
	f.Add(c.seal(alice, cursor{base: []im.Pos{0, 0}, since: []im.Pos{3, 3}, snap: []im.Pos{4, 9}, key: &journal.PageKey{LastPos: 1, Conv: "g1"}}))
	f.Add([]byte{})
	f.Add([]byte{1, 0, 0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		// With the right MAC put on, the decoder itself is reached.
		for _, b := range [][]byte{raw, append(bytes.Clone(raw), c.mac(alice, 'c', raw)...)} {
			cur, ok, err := c.open(alice, b)
			if err != nil && im.CodeOf(err) != im.CursorInvalid {
				t.Fatalf("untyped error %v", err)
			}
			if ok && (len(cur.base) != 2 || len(cur.since) != 2 || len(cur.snap) != 2) {
				t.Fatalf("wrong number of shards: %v", cur)
			}
		}
	})
}
