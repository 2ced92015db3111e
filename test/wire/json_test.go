package wire_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/skein-im/skein/internal/ws"
	pb "github.com/skein-im/skein/proto/skein/v1"
)

// jsonSocket speaks JSON as a program without protobuf would: maps and strings.
type jsonSocket struct {
	*client
}

func (j *jsonSocket) tell(s string) { j.t.Helper(); j.write(ws.OpText, []byte(s)) }

// hear returns the next frame that has a field of this name.
func (j *jsonSocket) hear(name string) map[string]any {
	j.t.Helper()
	for {
		op, b, err := j.conn.ReadMessage()
		if err != nil || op != ws.OpText {
			j.t.Fatalf("waits for %s: %v", name, err)
		}
		var p struct{ Frames []map[string]any }
		if err := json.Unmarshal(b, &p); err != nil {
			j.t.Fatal(err)
		}
		for _, f := range p.Frames {
			if f[name] != nil {
				return f
			}
		}
	}
}

func TestTheJSONSubprotocolDoesAllThatTheBinaryOneDoes(t *testing.T) {
	t.Parallel()
	ann, bob, conv := pair()
	j := &jsonSocket{client: knock(t, shared, asJSON)}
	j.tell(`{"frames":[{"ref":1,"hello":{"protocol":1,"app":"wire","device":"laptop","platform":"PLATFORM_DESKTOP","token":"` +
		shared.app().token(t, ann) + `","sync":{}}}]}`)
	wel := j.hear("welcome")["welcome"].(map[string]any)
	if wel["user"] != ann || wel["limits"].(map[string]any)["maxTextBytes"] != 16384.0 {
		t.Errorf("%v", wel)
	}
	if _, ok := wel["serverTimeUs"].(string); !ok {
		t.Errorf("64-bit numbers are strings in proto3 JSON: %v", wel["serverTimeUs"])
	}
	id := base64.StdEncoding.EncodeToString(newID(0))
	j.tell(`{"frames":[{"ref":2,"send":{"conversation":"` + conv + `","clientId":"` + id +
		`","body":{"scheme":"BODY_SCHEME_CONTENT","content":{"text":{"text":"grüße \ud83d\udc4b"},"mentions":["` + bob + `"]}}}}]}`)
	ack := j.hear("ack")
	if a := ack["ack"].(map[string]any); ack["ref"] != 2.0 || a["seq"] != "1" || a["clientId"] != id || a["conversation"] != conv {
		t.Errorf("%v", ack)
	}
	// Both kinds of clients read each other.
	b := connect(t, shared, bob, "phone")
	e := b.welcome.Sync.Conversations[0].Entries[0]
	if textOf(e) != "grüße 👋" || e.Body.Content.Mentions[0] != bob {
		t.Errorf("%v", e)
	}
	b.say(conv, "\x00 <script> \u2028 \"\\")
	got := j.hear("entry")["entry"].(map[string]any)
	if body := got["body"].(map[string]any)["content"].(map[string]any)["text"].(map[string]any); body["text"] != "\x00 <script> \u2028 \"\\" || got["seq"] != "2" || got["kind"] != "ENTRY_KIND_MESSAGE" {
		t.Errorf("%v", got)
	}
	j.tell(`{"frames":[{"ref":3,"read":{"conversation":"` + conv + `","seq":2}},{"ref":4,"send":{"conversation":"nowhere","clientId":"` + id + `"}},{"ref":5,"ping":{}}]}`)
	if m := j.hear("readMarker"); m["ref"] != 3.0 || m["readMarker"].(map[string]any)["readSeq"] != "2" {
		t.Errorf("%v", m)
	}
}

func TestJSONThatIsNotOfTheProtocolClosesTheSocket(t *testing.T) {
	t.Parallel()
	w := watch(t, shared)
	deep := strings.Repeat(`{"a":`, 20_000) + "1" + strings.Repeat("}", 20_000)
	for name, s := range map[string]string{
		"cut short":            `{"frames":[{"ref":1,"ping":{}}`,
		"no JSON":              `hello?`,
		"a list":               `[{"ref":1,"ping":{}}]`,
		"nothing":              ``,
		"two packets":          `{"frames":[]}{"frames":[]}`,
		"a string for a frame": `{"frames":["ping"]}`,
		"a number too large":   `{"frames":[{"ref":4294967296,"ping":{}}]}`,
		"a negative seq":       `{"frames":[{"ref":1,"read":{"conversation":"x","seq":-1}}]}`,
		"bytes not in base64":  `{"frames":[{"ref":1,"cursorAck":{"cursor":"***"}}]}`,
		"two frames in one":    `{"frames":[{"ref":1,"ping":{},"typing":{}}]}`,
		"nested 20,000 deep":   `{"frames":[{"ref":1,"ping":` + deep + `}]}`,
		"257 frames":           `{"frames":[` + strings.Repeat(`{"ping":{}},`, 256) + `{"ping":{}}]}`,
	} {
		c := connect(t, shared, someone("ann"), "phone", asJSON)
		c.write(ws.OpText, []byte(s))
		if c.end(); pb.CloseCode(c.closed) != pb.CloseCode_CLOSE_CODE_BAD_PACKET {
			t.Errorf("%s: closed with %d %q", name, c.closed, c.reason)
		}
	}
	// Fields that nobody knows are ignored here too.
	c := connect(t, shared, someone("ann"), "phone", asJSON)
	c.write(ws.OpText, []byte(`{"later":[1,{"x":null}],"frames":[{"ref":5,"ping":{"how":"gently"},"soon":true}]}`))
	if c.answer(5).GetPong() == nil {
		t.Error("no pong")
	}
	w.holds()
}
