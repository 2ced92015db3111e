package cluster

import (
	"fmt"
	"slices"
	"testing"
	"time"

	skein "github.com/skein-im/skein/sdk/go"
)

// latency sends messages one by one and returns how long each took to reach a
// client, sorted.
func latency(t *testing.T, from, to *skein.Client, n int) []time.Duration {
	t.Helper()
	heard := make(chan string, 100)
	off := to.OnMessage(func(e skein.MessageEvent) { heard <- e.Message.Text })
	defer off()
	var out []time.Duration
	for i := range n {
		text := fmt.Sprintf("message %d", i)
		sent := time.Now()
		if _, err := from.With(to.UserID()).Send(t.Context(), skein.Outgoing{Text: text}); err != nil {
			t.Fatal(err)
		}
		for got := ""; got != text; {
			select {
			case got = <-heard:
			case <-time.After(15 * time.Second):
				t.Fatalf("%q did not arrive", text)
			}
		}
		out = append(out, time.Since(sent))
	}
	slices.Sort(out)
	return out
}

func TestWhatIsSentOnOneNodeIsThereAtOnceOnAnother(t *testing.T) {
	c := start(t, Options{})
	ann, hers := person(t, c, "ann")
	bob := elsewhere(t, c, "bob", hers)
	took := latency(t, ann, bob, 30)
	t.Logf("from send to delivery on another node: median %v, slowest %v", took[15], took[29])
	if took[15] > 100*time.Millisecond {
		t.Errorf("half of the messages took longer than %v", took[15])
	}
}

func TestWithoutABusMessagesArriveByReading(t *testing.T) {
	c := start(t, Options{Nodes: 2, Args: []string{NoBus}})
	ann, hers := person(t, c, "ann")
	bob := elsewhere(t, c, "bob", hers)
	if took := latency(t, ann, bob, 2); took[1] > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}
