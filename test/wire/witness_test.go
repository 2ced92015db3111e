package wire_test

import (
	"bytes"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"

	pb "github.com/skein-im/skein/proto/skein/v1"
)

// counter makes names that no other test has.
var counter atomic.Int64

// someone returns a user's id that nobody else has.
func someone(name string) string { return fmt.Sprintf("%s-%d", name, counter.Add(1)) }

// pair returns two users and their conversation.
func pair() (a, b, conv string) {
	n := counter.Add(1)
	a, b = fmt.Sprintf("ann-%d", n), fmt.Sprintf("bob-%d", n)
	return a, b, direct(a, b)
}

// witness stands for what was acknowledged before somebody misbehaved: two
// users, a message between them, and every answer about it, byte for byte.
type witness struct {
	t         *testing.T
	srv       *server
	ann, bob  *caller
	conv      string
	acked     *pb.Entry
	testimony [][]byte
}

// watch sets a witness.
func watch(t *testing.T, s *server) *witness {
	t.Helper()
	a, b, conv := pair()
	w := &witness{t: t, srv: s, ann: as(t, s, a), bob: as(t, s, b), conv: conv}
	w.acked = w.ann.say(conv, "acknowledged before")
	w.testimony = w.ask()
	return w
}

func (w *witness) ask() [][]byte {
	w.t.Helper()
	var out [][]byte
	for _, c := range []*caller{w.ann, w.bob} {
		for _, r := range []*reply{
			c.call(listMessages, &pb.ListMessagesRequest{Conversation: w.conv}),
			c.call(getConversation, &pb.GetConversationRequest{Conversation: w.conv}),
			c.call(listEdits, &pb.ListEditsRequest{Conversation: w.conv, Seq: 1}),
			c.call(listConversations, &pb.ListConversationsRequest{}),
		} {
			if r.status != http.StatusOK {
				w.t.Fatalf("the witness: %d %s", r.status, r.body)
			}
			out = append(out, r.body)
		}
	}
	return out
}

// holds fails the test unless the server is up, what was acknowledged is there
// as it was, nothing was added to it, and the next message gets the next number.
func (w *witness) holds() {
	w.t.Helper()
	w.srv.alive(w.t)
	for i, now := range w.ask() {
		if !bytes.Equal(now, w.testimony[i]) {
			w.t.Errorf("answer %d has changed:\n%q\n%q", i, w.testimony[i], now)
		}
	}
	if e := w.ann.say(w.conv, "after"); e.Seq != w.acked.Seq+1 || e.Ord != w.acked.Ord+1 {
		w.t.Errorf("the next message has seq %d and ord %d after %d and %d", e.Seq, e.Ord, w.acked.Seq, w.acked.Ord)
	}
	w.testimony = w.ask()
	w.acked = w.history()
}

func (w *witness) history() *pb.Entry {
	w.t.Helper()
	h := w.bob.history(w.conv)
	return h[len(h)-1]
}
