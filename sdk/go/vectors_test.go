package skein

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// The vectors are shared with every other SDK; sdk/testdata/README.md
// describes them. -update writes what this SDK does as what is expected: read
// every line of the difference before it is committed.
var update = flag.Bool("update", false, "write the outcome into the vectors")

// vectors calls fn for each file of a folder and, with -update, writes back
// what fn left in the vector.
func vectors[V any](t *testing.T, folder string, least int, fn func(t *testing.T, v *V)) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "testdata", folder, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < least {
		t.Fatalf("%d vectors in %s, want at least %d", len(files), folder, least)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".json"), func(t *testing.T) {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			var v V
			d := json.NewDecoder(bytes.NewReader(b))
			d.DisallowUnknownFields()
			if err := d.Decode(&v); err != nil {
				t.Fatal(err)
			}
			fn(t, &v)
			if *update {
				if err := os.WriteFile(f, append(pretty(t, v), '\n'), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// pretty prints JSON with each step, message and item on its own line where
// it is short.
func pretty(t *testing.T, v any) []byte {
	t.Helper()
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	var any any
	d := json.NewDecoder(&buf)
	d.UseNumber()
	if err := d.Decode(&any); err != nil {
		t.Fatal(err)
	}
	return layout(any, "")
}

func layout(v any, indent string) []byte {
	var flat bytes.Buffer
	e := json.NewEncoder(&flat)
	e.SetEscapeHTML(false)
	_ = e.Encode(v)
	line := bytes.TrimSpace(flat.Bytes())
	if len(line)+len(indent) <= 110 {
		return line
	}
	var out bytes.Buffer
	switch v := v.(type) {
	case map[string]any:
		keys := slices.SortedFunc(maps.Keys(v), func(a, b string) int { return rank(a, b) })
		out.WriteString("{")
		for i, k := range keys {
			if i > 0 {
				out.WriteString(",")
			}
			name, _ := json.Marshal(k)
			out.WriteString("\n" + indent + " " + string(name) + ": ")
			out.Write(layout(v[k], indent+" "))
		}
		out.WriteString("\n" + indent + "}")
	case []any:
		out.WriteString("[")
		for i, x := range v {
			if i > 0 {
				out.WriteString(",")
			}
			out.WriteString("\n" + indent + " ")
			out.Write(layout(x, indent+" "))
		}
		out.WriteString("\n" + indent + "]")
	default:
		return line
	}
	return out.Bytes()
}

// rank puts the words that open a vector first.
func rank(a, b string) int {
	order := []string{"name", "about", "user", "random", "config", "steps", "at", "event", "changes", "effects", "expect", "type"}
	ra, rb := slices.Index(order, a), slices.Index(order, b)
	switch {
	case ra >= 0 && rb >= 0:
		return ra - rb
	case ra >= 0:
		return -1
	case rb >= 0:
		return 1
	}
	return strings.Compare(a, b)
}

// same compares two values by their canonical JSON.
func same(t *testing.T, what string, got any, want json.RawMessage) {
	t.Helper()
	g := pretty(t, got)
	w := pretty(t, want)
	if !bytes.Equal(g, w) {
		t.Errorf("%s\n got %s\nwant %s", what, g, w)
	}
}

func raw(t *testing.T, v any) json.RawMessage {
	t.Helper()
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

type reduceVector struct {
	Name   string          `json:"name"`
	About  string          `json:"about"`
	User   string          `json:"user"`
	Steps  []*reduceStep   `json:"steps"`
	Expect json.RawMessage `json:"expect"`
}

type reduceStep struct {
	Event   map[string]json.RawMessage `json:"event"`
	Changes json.RawMessage            `json:"changes"`
}

func TestReducerKeepsTheVectors(t *testing.T) {
	vectors(t, "reduce", 25, func(t *testing.T, v *reduceVector) {
		st := newState(v.User)
		for i, s := range v.Steps {
			changes, _ := reduce(st, decodeEvent(t, s.Event))
			got := changesJSON(changes)
			if *update {
				s.Changes = raw(t, got)
			} else {
				same(t, "changes of step "+string(rune('1'+i)), got, s.Changes)
			}
		}
		if *update {
			v.Expect = raw(t, stateJSON(t, st))
		} else {
			same(t, "state", stateJSON(t, st), v.Expect)
		}
	})
}

func decodeEvent(t *testing.T, ev map[string]json.RawMessage) event {
	t.Helper()
	if len(ev) != 1 {
		t.Fatalf("an event has one key, got %d", len(ev))
	}
	for k, b := range ev {
		var x struct {
			ID, NewID, Conversation string
			Before, Seq             uint64
			After                   *uint64
			Response, Body, Error   json.RawMessage
			Time                    int64
			Key, Emoji              string
			ToDevices               []string
			Handshake, Remove       bool
			Target                  struct {
				ID  string
				Seq uint64
			}
		}
		wire := func(b json.RawMessage, m proto.Message) {
			t.Helper()
			if err := protojson.Unmarshal(b, m); err != nil {
				t.Fatalf("%s: %v", k, err)
			}
		}
		switch k {
		case "packet":
			p := &skeinv1.ServerPacket{}
			wire(b, p)
			return packetEvent{p}
		case "answer":
			e := &skeinv1.Entry{}
			wire(b, e)
			return answerEvent{e}
		case "restart":
			return restartEvent{}
		}
		if err := json.Unmarshal(b, &x); err != nil {
			t.Fatal(err)
		}
		it := &item{id: x.ID, conv: x.Conversation, time: x.Time, key: x.Key, toDevices: x.ToDevices, handshake: x.Handshake,
			emoji: x.Emoji, remove: x.Remove, targetID: x.Target.ID, targetSeq: x.Target.Seq, state: Sending}
		if x.Body != nil {
			it.body = &skeinv1.Body{}
			wire(x.Body, it.body)
		}
		switch k {
		case "page", "repair":
			p := &skeinv1.ListMessagesResponse{}
			wire(x.Response, p)
			ev := pageEvent{conv: x.Conversation, before: x.Before, repair: k == "repair", page: p}
			if x.After != nil {
				ev.after, ev.asked = *x.After, true
			}
			return ev
		case "send":
			return enqueueEvent{it}
		case "edit":
			it.op = opEdit
			return enqueueEvent{it}
		case "recall":
			it.op = opRecall
			return enqueueEvent{it}
		case "react":
			it.op = opReact
			return enqueueEvent{it}
		case "failed":
			e := &skeinv1.Error{}
			wire(x.Error, e)
			return failedEvent{x.ID, fromWire(e)}
		case "renewed":
			return renewedEvent{x.ID, x.NewID}
		case "retry":
			return retryEvent{x.ID, x.NewID}
		case "discard":
			return discardEvent{x.ID}
		case "read":
			return readEvent{x.Conversation, x.Seq}
		}
		t.Fatalf("no event is called %q", k)
	}
	return nil
}

func changesJSON(changes []change) []map[string]any {
	out := []map[string]any{}
	for _, c := range changes {
		m := map[string]any{"type": string(c.kind)}
		if c.conv != "" {
			m["conversation"] = c.conv
		}
		if c.seq != 0 {
			m["seq"] = c.seq
		}
		if c.id != "" {
			m["id"] = c.id
		}
		if c.to != "" {
			m["newId"] = c.to
		}
		if c.err != nil {
			m["error"] = string(c.err.Code)
		}
		out = append(out, m)
	}
	return out
}

// obj builds a JSON object without the fields that have their zero value.
type obj map[string]any

func (o obj) set(k string, v any) obj {
	switch x := v.(type) {
	case string:
		if x == "" {
			return o
		}
	case uint64:
		if x == 0 {
			return o
		}
	case uint32:
		if x == 0 {
			return o
		}
	case int64:
		if x == 0 {
			return o
		}
	case bool:
		if !x {
			return o
		}
	case point:
		if x == (point{}) {
			return o
		}
		v = []uint64{x.seq, x.ord}
	case []string:
		if len(x) == 0 {
			return o
		}
	case []any:
		if len(x) == 0 {
			return o
		}
	case obj:
		if len(x) == 0 {
			return o
		}
	}
	o[k] = v
	return o
}

func stateJSON(t *testing.T, st *state) obj {
	convs, outbox := obj{}, []any{}
	for id, c := range st.convs {
		convs[id] = convJSON(t, c)
	}
	ops := []string{"send", "edit", "recall", "react"}
	for _, it := range st.outbox {
		o := obj{"id": it.id, "conversation": it.conv, "op": ops[it.op], "state": string(it.state)}
		o.set("seq", it.seq).set("key", it.key).set("emoji", it.emoji).set("remove", it.remove)
		if it.body != nil {
			o["body"] = wireJSON(t, it.body)
		}
		if it.op != opSend {
			o["target"] = obj{}.set("id", it.targetID).set("seq", it.targetSeq)
		}
		if it.err != nil {
			o["error"] = string(it.err.Code)
		}
		outbox = append(outbox, o)
	}
	return obj{}.set("user", st.user).set("incarnation", st.incarnation).
		set("cursor", base64.StdEncoding.EncodeToString(st.cursor)).set("conversations", convs).set("outbox", outbox)
}

func convJSON(t *testing.T, c *conv) obj {
	kinds := []string{"", "direct", "group", "self"}
	roles := []string{"", "member", "admin", "owner"}
	var ranges, messages []any
	for _, r := range c.ranges {
		ranges = append(ranges, []uint64{r.from, r.to})
	}
	for _, seq := range c.seqs() {
		messages = append(messages, msgJSON(t, c.msgs[seq], !c.ranges.has(seq)))
	}
	markers, keyed := obj{}, obj{}
	for u, m := range c.markers {
		markers.set(u, m)
	}
	for k, v := range c.keyed {
		keyed[k] = obj{"seq": v.seq, "body": wireJSON(t, v.body)}
	}
	o := obj{"kind": kinds[c.kind]}
	if c.from != 1 {
		o["from"] = c.from
	}
	if h, ok := c.hole(); ok {
		o["hole"] = []uint64{h.from, h.to}
	}
	return o.set("title", c.title).set("members", c.members).set("role", roles[c.role]).set("to", c.to).
		set("head", c.head).set("live", c.live).set("ranges", ranges).set("read", c.read).set("readUnsent", c.readUnsent).
		set("unread", c.unread()).set("markers", markers).set("activity", c.activity).set("messages", messages).set("keyed", keyed)
}

func msgJSON(t *testing.T, m *msg, stale bool) obj {
	e := m.entry
	kinds := map[skeinv1.EntryKind]string{1: "message", 5: "members", 6: "conversation"}
	o := obj{"seq": e.GetSeq(), "id": idText(e.GetClientId()), "kind": kinds[e.GetKind()]}
	o.set("ord", e.GetOrd()).set("sender", e.GetSender()).set("time", e.GetTimeUs()).set("version", e.GetVersion()).
		set("recalled", e.GetRecalled()).set("expired", e.GetExpired()).set("stale", stale)
	if e.GetBody() != nil {
		o["body"] = wireJSON(t, e.GetBody())
	}
	var xs []any
	for _, x := range m.extensions {
		xs = append(xs, obj{"key": x.GetKey()}.set("value", base64.StdEncoding.EncodeToString(x.GetValue())))
	}
	return o.set("reactions", sumsJSON(m.reactions)).set("votes", sumsJSON(m.votes)).set("extensions", xs)
}

func sumsJSON(list []*skeinv1.ReactionSummary) (out []any) {
	for _, r := range list {
		out = append(out, obj{"emoji": r.GetEmoji(), "count": r.GetCount()}.set("users", r.GetUsers()).set("mine", r.GetMine()))
	}
	return out
}

// wireJSON is a wire value in the proto3 JSON mapping.
func wireJSON(t *testing.T, m proto.Message) json.RawMessage {
	t.Helper()
	b, err := protojson.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
