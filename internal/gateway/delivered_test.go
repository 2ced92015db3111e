package gateway

import (
	"testing"

	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// acks acknowledges everything that has come, once its cursor has: it comes
// a moment later.
func (c *client) acks() {
	c.t.Helper()
	for old := string(c.cursor); string(c.cursor) == old && c.read(); {
	}
	if f := c.ask(&skeinv1.ClientFrame{Frame: &skeinv1.ClientFrame_CursorAck{CursorAck: &skeinv1.CursorAck{Cursor: c.cursor}}}); f.GetDone() == nil {
		c.t.Fatalf("%s acknowledges: %v", c.name, f)
	}
}

// stored waits until the other user of a conversation is known to have it up to seq.
func (c *client) stored(conv im.ConvID, user string, seq uint64) {
	c.t.Helper()
	d := c.await("what was delivered", func(f *skeinv1.ServerFrame) bool { return f.GetDelivered() != nil }).GetDelivered()
	if d.GetConversation() != string(conv) || d.GetUser() != user || d.GetSeq() != seq {
		c.t.Errorf("%s is told %v, want %s %s %d", c.name, d, conv, user, seq)
	}
}

func TestASenderIsToldOnEveryNodeWhenADeviceOfTheOtherHasAMessage(t *testing.T) {
	w := newWorld(t)
	_, _, second := w.node("n2")
	conv := im.Direct("ann", "bob")
	w.group("g1", "ann", "bob")
	w.say("ann", conv, "while you were away")
	ann, _ := w.connect("ann", "phone")
	far, _ := connectTo(t, second, "ann", "tablet", nil)
	bob, _ := w.connect("bob", "phone")
	bob.ask(&skeinv1.ClientFrame{Frame: &skeinv1.ClientFrame_CursorAck{CursorAck: &skeinv1.CursorAck{Cursor: bob.cursor}}})
	ann.stored(conv, "bob", 1)
	far.stored(conv, "bob", 1)
	ann.says("g1", "to all")
	bob.hears("g1", "to all")
	bob.acks() // nobody is told of a group
	ann.says(conv, "two")
	ann.says(conv, "three")
	bob.hears(conv, "two")
	bob.hears(conv, "three")
	bob.acks()
	ann.stored(conv, "bob", 3)
	far.stored(conv, "bob", 3)
	bob.says(conv, "four") // what the other one sends is none of one's own
	ann.hears(conv, "four")
	ann.acks()
	bob.stored(conv, "ann", 4)
}
