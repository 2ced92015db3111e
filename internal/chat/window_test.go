package chat_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// settled is a front door whose app has settings.
func (w *world) settled(s *skeinv1.AppSettings) *chat.Service {
	b := bus.NewLocal()
	w.t.Cleanup(b.Close)
	return chat.New(chat.Deps{Journal: w.j, Signals: b, Limits: chat.DefaultLimits(), Clock: w.clock,
		Log: slog.New(slog.DiscardHandler), CursorKey: []byte("0123456789abcdef"), Settings: func(im.AppID) *skeinv1.AppSettings { return s }})
}

func TestASenderRecallsAndEditsWithinTheAppsWindows(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	c := w.settled(&skeinv1.AppSettings{RecallWindowS: proto.Uint32(120), EditWindowS: proto.Uint32(60)})
	w.group("g1", alice, bob)
	for _, tc := range []struct {
		after        time.Duration
		actor        im.Actor
		conv         im.ConvID
		edit, recall im.Code
	}{
		{59 * time.Second, bob, ab, 0, 0},
		{61 * time.Second, bob, ab, im.FailedPrecondition, 0},
		{121 * time.Second, bob, ab, im.FailedPrecondition, im.FailedPrecondition},
		{121 * time.Second, bob, "g1", im.FailedPrecondition, im.FailedPrecondition},
		{121 * time.Second, alice, "g1", 0, 0}, // who runs the group
	} {
		m := w.send(tc.actor, tc.conv, "hello")
		w.clock.now = w.clock.now.Add(tc.after)
		_, err := c.Edit(ctx, tc.actor, tc.conv, m.Seq, text("hallo"), w.id())
		w.want(tc.edit, err, "edit "+tc.after.String())
		_, err = c.Recall(ctx, tc.actor, tc.conv, m.Seq, w.id())
		w.want(tc.recall, err, "recall "+tc.after.String())
	}
	m := w.send(bob, "g1", "rude")
	w.clock.now = w.clock.now.Add(time.Hour)
	_, err := c.Recall(ctx, alice, "g1", m.Seq, w.id())
	w.want(0, err, "who runs the group recalls another's")
	m = w.send(bob, ab, "rude")
	w.clock.now = w.clock.now.Add(time.Hour)
	_, err = c.Recall(ctx, im.Actor{App: "demo", Server: true}, ab, m.Seq, w.id())
	w.want(0, err, "the back end recalls")
}

func TestWithoutAWindowASenderRecallsForEver(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	m := w.send(alice, ab, "hello")
	w.clock.now = w.clock.now.Add(5000 * time.Hour)
	_, err := w.c.Edit(ctx, alice, ab, m.Seq, text("hallo"), w.id())
	w.want(0, err, "edit")
	_, err = w.c.Recall(ctx, alice, ab, m.Seq, w.id())
	w.want(0, err, "recall")
}
