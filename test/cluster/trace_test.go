package cluster

import (
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	skein "github.com/skein-im/skein/sdk/go"
)

// span is what a collector learns of one.
type span struct {
	name, trace, id, parent, node string
	links                         int
}

// collecting is a collector of traces: OTLP over HTTP, in protobuf.
type collecting struct {
	*httptest.Server
	mu    sync.Mutex // guards spans
	spans []span
}

func collect(t *testing.T) *collecting {
	c := &collecting{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var ask collector.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(body, &ask)
		}
		if err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" {
			t.Errorf("%s %s %s: %v", r.Method, r.URL, r.Header.Get("Content-Type"), err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, rs := range ask.ResourceSpans {
			node := ""
			for _, a := range rs.Resource.Attributes {
				if a.Key == "service.instance.id" {
					node = a.Value.GetStringValue()
				}
			}
			for _, ss := range rs.ScopeSpans {
				for _, s := range ss.Spans {
					c.spans = append(c.spans, span{name: s.Name, trace: hex.EncodeToString(s.TraceId), id: hex.EncodeToString(s.SpanId),
						parent: hex.EncodeToString(s.ParentSpanId), node: node, links: len(s.Links)})
					for _, a := range s.Attributes {
						if text := a.Value.GetStringValue(); text != "" {
							t.Errorf("%s carries the text %s = %q", s.Name, a.Key, text)
						}
					}
				}
			}
		}
	}))
	t.Cleanup(c.Close)
	return c
}

// of waits until the spans of the first trace that has all the names are there.
func (c *collecting) of(t *testing.T, root string, names ...string) []span {
	t.Helper()
	var got []span
	for limit := time.Now().Add(20 * time.Second); time.Now().Before(limit); <-time.After(20 * time.Millisecond) {
		c.mu.Lock()
		all := slices.Clone(c.spans)
		c.mu.Unlock()
		for _, r := range all {
			if r.name != root {
				continue
			}
			got = nil
			have := map[string]int{}
			for _, s := range all {
				if s.trace == r.trace {
					got = append(got, s)
					have[s.name]++
				}
			}
			want := map[string]int{}
			whole := true
			for _, n := range names {
				want[n]++
				whole = whole && have[n] >= want[n]
			}
			if whole {
				return got
			}
		}
	}
	t.Fatalf("no trace has %v; the last one seen: %+v", names, got)
	return nil
}

// parentOf is the name of a span's parent within its trace.
func parentOf(spans []span, s span) string {
	for _, p := range spans {
		if p.id == s.parent {
			return p.name
		}
	}
	return s.parent
}

func TestAMessageIsFollowedFromItsPacketToItsDeliveryOnAnotherNode(t *testing.T) {
	to := collect(t)
	c := start(t, Options{Args: []string{"--otel-endpoint", to.URL, "--otel-sample", "1"}})
	ann, hers := person(t, c, "ann")
	bob := elsewhere(t, c, "bob", hers)
	heard := make(chan struct{}, 1)
	bob.OnMessage(func(skein.MessageEvent) { heard <- struct{}{} })
	if _, err := ann.With("bob").Send(t.Context(), skein.Outgoing{Text: "nobody's business"}); err != nil {
		t.Fatal(err)
	}
	<-heard
	spans := to.of(t, "gateway.send", "gateway.send", "chat.decide", "journal.append", "journal.commit", "bus.ring", "gateway.deliver", "gateway.deliver")
	want := map[string]string{"gateway.send": "", "chat.decide": "gateway.send", "journal.append": "gateway.send", "journal.commit": "journal.append",
		"bus.ring": "journal.append", "gateway.deliver": "journal.append"}
	nodes := map[string]bool{}
	for _, s := range spans {
		if got := parentOf(spans, s); got != want[s.name] {
			t.Errorf("%s is a part of %q, not of %q", s.name, got, want[s.name])
		}
		if s.name == "gateway.deliver" {
			nodes[s.node] = true
		}
	}
	if len(nodes) < 2 {
		t.Errorf("it was delivered in the trace on %d nodes", len(nodes))
	}
}

func TestACallJoinsTheTraceOfItsCaller(t *testing.T) {
	to := collect(t)
	c := start(t, Options{Nodes: 1, Args: []string{"--otel-endpoint", to.URL, "--otel-sample", "0"}})
	token := tokenOf(t, c.Addr(), "ann")
	call := func(traceparent string) {
		t.Helper()
		r, err := http.NewRequest(http.MethodPost, "http://"+c.Addr()+"/skein.v1.ConversationService/ListConversations", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header = http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + token}, "Skein-App": {"demo"}, "Traceparent": {traceparent}}
		res, err := http.DefaultClient.Do(r)
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatal(err, res)
		}
		res.Body.Close()
	}
	call("00-11111111111111111111111111111111-2222222222222222-00") // the caller does not trace
	call("nonsense")
	call("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	spans := to.of(t, "rpc.ListConversations", "rpc.ListConversations")
	if len(spans) != 1 || spans[0].trace != "4bf92f3577b34da6a3ce929d0e0e4736" || spans[0].parent != "00f067aa0ba902b7" {
		t.Errorf("%+v", spans)
	}
}

// tokenOf gets a token as the demo's pages do.
func tokenOf(t *testing.T, addr, user string) string {
	t.Helper()
	res, err := http.Post("http://"+addr+"/dev/token", "application/json", strings.NewReader(`{"user":"`+user+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var answer struct{ Token string }
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return answer.Token
}
