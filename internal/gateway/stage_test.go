package gateway

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/auth"
	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// livestream makes one that is owned by a user.
func (w *world) livestream(id im.ConvID, owner string, set func(*skeinv1.GroupSettings)) {
	w.t.Helper()
	w.group(id, owner)
	w.settings(id, owner, set)
}

func (w *world) settings(id im.ConvID, owner string, set func(*skeinv1.GroupSettings)) {
	w.t.Helper()
	s := &skeinv1.GroupSettings{Type: skeinv1.GroupType_GROUP_TYPE_LIVESTREAM}
	if set != nil {
		set(s)
	}
	raw, err := proto.Marshal(s)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.c.Change(w.t.Context(), actor(owner), id, newID(w.t), func(*chat.Room) (chat.Change, error) {
		return chat.Change{Verb: chat.VerbSettings, Attrs: &raw, Content: &skeinv1.Content{Kind: &skeinv1.Content_Conversation{Conversation: &skeinv1.ConversationChange{}}}}, nil
	}); err != nil {
		w.t.Fatal(err)
	}
}

func (c *client) joins(conv im.ConvID) *skeinv1.ServerFrame {
	c.t.Helper()
	return c.ask(&skeinv1.ClientFrame{Frame: &skeinv1.ClientFrame_JoinRoom{JoinRoom: &skeinv1.JoinRoom{Conversation: string(conv)}}})
}

func (c *client) shouts(conv im.ConvID, s string) *skeinv1.ServerFrame {
	c.t.Helper()
	return c.ask(&skeinv1.ClientFrame{Frame: &skeinv1.ClientFrame_RoomMessage{RoomMessage: &skeinv1.RoomMessage{Conversation: string(conv), Body: textBody(s)}}})
}

// room waits for something of a livestream.
func (c *client) room(what string, want func(m *skeinv1.RoomMessage, s *skeinv1.RoomState) bool) {
	c.t.Helper()
	c.await(what, func(f *skeinv1.ServerFrame) bool { return want(f.GetRoomMessage(), f.GetRoomState()) })
}

func said(text string) func(*skeinv1.RoomMessage, *skeinv1.RoomState) bool {
	return func(m *skeinv1.RoomMessage, _ *skeinv1.RoomState) bool {
		return m.GetBody().GetContent().GetText().GetText() == text
	}
}

func TestWhatIsSaidInALivestreamReachesWhoWatchesAndIsNotStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.livestream("show", "host", nil)
	before := w.head("show")
	host, _ := w.connect("host", "phone")
	ann, _ := w.connect("ann", "phone") // a stranger to the group
	bob, _ := w.connect("bob", "phone")
	for i, c := range []*client{host, ann, bob} {
		f := c.joins("show")
		if n := f.GetRoomState().GetViewers(); int(n) != i+1 {
			t.Fatalf("%s joins and gets %v", c.name, f)
		}
	}
	if f := ann.shouts("show", "hello all"); f.GetDone() == nil {
		t.Fatalf("ann says, and gets %v", f)
	}
	for _, c := range []*client{host, ann, bob} {
		c.room("hello all", said("hello all"))
	}
	bob.room("three viewers", func(_ *skeinv1.RoomMessage, s *skeinv1.RoomState) bool { return s.GetViewers() == 3 })
	if f := bob.ask(&skeinv1.ClientFrame{Frame: &skeinv1.ClientFrame_LeaveRoom{LeaveRoom: &skeinv1.LeaveRoom{Conversation: "show"}}}); f.GetDone() == nil {
		t.Errorf("bob leaves and gets %v", f)
	}
	host.room("two viewers", func(_ *skeinv1.RoomMessage, s *skeinv1.RoomState) bool { return s.GetViewers() == 2 })
	if f := bob.shouts("show", "still here"); f.GetError().GetCode() != skeinv1.ErrorCode_ERROR_CODE_FAILED_PRECONDITION {
		t.Errorf("who has left says, and gets %v", f)
	}
	if w.head("show") != before {
		t.Error("something was stored")
	}
	ann.conn.Close()
	host.room("one viewer", func(_ *skeinv1.RoomMessage, s *skeinv1.RoomState) bool { return s.GetViewers() == 1 })
}

func TestWhoMayWatchALivestreamAndSayWhat(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.livestream("open", "host", nil)
	w.livestream("closed", "host", func(s *skeinv1.GroupSettings) { s.JoinMode = skeinv1.JoinMode_JOIN_MODE_INVITE })
	w.livestream("quiet", "host", func(s *skeinv1.GroupSettings) { s.MutedUntilUs = time.Now().Add(time.Hour).UnixMicro() })
	w.group("talk", "host", "ann")
	ann, _ := w.connect("ann", "phone")
	code := func(f *skeinv1.ServerFrame) skeinv1.ErrorCode { return f.GetError().GetCode() }
	for conv, want := range map[im.ConvID]skeinv1.ErrorCode{"open": 0, "quiet": 0, "closed": skeinv1.ErrorCode_ERROR_CODE_NOT_FOUND,
		"none": skeinv1.ErrorCode_ERROR_CODE_NOT_FOUND, "talk": skeinv1.ErrorCode_ERROR_CODE_FAILED_PRECONDITION, im.Direct("ann", "bob"): skeinv1.ErrorCode_ERROR_CODE_NOT_FOUND} {
		if f := ann.joins(conv); code(f) != want {
			t.Errorf("joining %s: %v", conv, f)
		}
	}
	if f := ann.shouts("quiet", "psst"); code(f) != skeinv1.ErrorCode_ERROR_CODE_PERMISSION_DENIED {
		t.Errorf("in a room that is muted: %v", f)
	}
	custom := &skeinv1.Body{Scheme: skeinv1.BodyScheme_BODY_SCHEME_CONTENT, Content: &skeinv1.Content{Kind: &skeinv1.Content_Custom{Custom: &skeinv1.Custom{Type: "gift", Data: []byte("{}")}}}}
	if f := ann.ask(&skeinv1.ClientFrame{Frame: &skeinv1.ClientFrame_RoomMessage{RoomMessage: &skeinv1.RoomMessage{Conversation: "open", Body: custom}}}); code(f) != skeinv1.ErrorCode_ERROR_CODE_PERMISSION_DENIED {
		t.Errorf("other than text: %v", f)
	}
	file := &skeinv1.Body{Scheme: skeinv1.BodyScheme_BODY_SCHEME_CONTENT, Content: &skeinv1.Content{Kind: &skeinv1.Content_Attachments{Attachments: &skeinv1.Attachments{
		Items: []*skeinv1.Attachment{{Name: "x.txt", Mime: "text/plain", Size: 1, File: strings.Repeat("0", 32)}}}}}}
	if f := ann.ask(&skeinv1.ClientFrame{Frame: &skeinv1.ClientFrame_RoomMessage{RoomMessage: &skeinv1.RoomMessage{Conversation: "open", Body: file}}}); code(f) != skeinv1.ErrorCode_ERROR_CODE_FAILED_PRECONDITION {
		t.Errorf("a file, which no message would have: %v", f)
	}
	if f := ann.ask(&skeinv1.ClientFrame{Frame: &skeinv1.ClientFrame_RoomMessage{RoomMessage: &skeinv1.RoomMessage{Conversation: "open"}}}); code(f) != skeinv1.ErrorCode_ERROR_CODE_INVALID_ARGUMENT {
		t.Errorf("without a body: %v", f)
	}
	limited := 0
	for i := range 10 {
		if f := ann.shouts("open", fmt.Sprint(i)); code(f) == skeinv1.ErrorCode_ERROR_CODE_RATE_LIMITED {
			limited++
		}
	}
	if limited == 0 {
		t.Error("ten messages at once were all taken")
	}
	w.settings("open", "host", func(s *skeinv1.GroupSettings) { s.JoinMode = skeinv1.JoinMode_JOIN_MODE_INVITE })
	ann.room("the end", func(_ *skeinv1.RoomMessage, s *skeinv1.RoomState) bool {
		return s.GetConversation() == "open" && s.GetEnded() == skeinv1.RoomEnd_ROOM_END_CLOSED
	})
	w.settings("quiet", "host", func(s *skeinv1.GroupSettings) { s.Dissolved = true })
	ann.room("the end", func(_ *skeinv1.RoomMessage, s *skeinv1.RoomState) bool {
		return s.GetConversation() == "quiet" && s.GetEnded() == skeinv1.RoomEnd_ROOM_END_CLOSED
	})
}

func TestAViewerWhoIsRemovedHearsNothingSaidLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.livestream("show", "host", nil)
	host, _ := w.connect("host", "phone")
	ann, _ := w.connect("ann", "phone")
	host.joins("show")
	ann.joins("show")
	limit := func(remove bool, d time.Duration) {
		t.Helper()
		if err := w.c.LimitViewer(t.Context(), actor("host"), "show", newID(t), "ann", remove, d); err != nil {
			t.Fatal(err)
		}
		f := auth.Fence{Kind: auth.FenceViewer, App: "demo", User: "ann", KID: "show"}
		if remove && d > 0 {
			f.Device = "*"
		}
		w.g.Apply(f)
	}
	limit(false, time.Hour)
	ann.room("being muted", func(_ *skeinv1.RoomMessage, s *skeinv1.RoomState) bool {
		return s.GetMutedUntilUs() > time.Now().UnixMicro()
	})
	if f := ann.shouts("show", "mm"); f.GetError().GetCode() != skeinv1.ErrorCode_ERROR_CODE_PERMISSION_DENIED {
		t.Errorf("a muted viewer says, and gets %v", f)
	}
	limit(true, time.Hour)
	for i := range 5 {
		host.shouts("show", fmt.Sprint("secret ", i))
	}
	host.room("secret 4", said("secret 4"))
	ann.room("the end", func(_ *skeinv1.RoomMessage, s *skeinv1.RoomState) bool {
		return s.GetEnded() == skeinv1.RoomEnd_ROOM_END_REMOVED
	})
	ann.ask(&skeinv1.ClientFrame{Frame: &skeinv1.ClientFrame_Ping{Ping: &skeinv1.Ping{}}})
	for _, f := range ann.waiting {
		if f.GetRoomMessage() != nil {
			t.Errorf("a removed viewer heard %v", f)
		}
	}
	if f := ann.joins("show"); f.GetError().GetCode() != skeinv1.ErrorCode_ERROR_CODE_PERMISSION_DENIED || f.GetError().GetRetryAfterMs() == 0 {
		t.Errorf("a removed viewer joins and gets %v", f)
	}
	limit(true, 0)
	if f := ann.joins("show"); f.GetRoomState().GetMutedUntilUs() < time.Now().UnixMicro() { // but is still muted
		t.Errorf("a viewer who is let in again gets %v", f)
	}
	// A stranger and a viewer look after nothing.
	for _, who := range []string{"ann", "eve"} {
		if err := w.c.LimitViewer(t.Context(), actor(who), "show", newID(t), "host", true, time.Hour); im.CodeOf(err) != im.NotFound {
			t.Errorf("%s removes the host: %v", who, err)
		}
	}
}

func TestALivestreamUnderLoadShowsARankedSampleAndSaysWhatItLeftOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) { s.limits.RoomWrites = 10 })
	w.livestream("show", "host", nil)
	host, _ := w.connect("host", "phone")
	host.joins("show")
	var others []*client
	for i := range 20 {
		c, _ := w.connect(fmt.Sprint("v", i), "phone")
		c.joins("show")
		others = append(others, c)
	}
	host.shouts("show", "the host")
	for i, c := range others {
		for n := range 4 {
			c.shouts("show", fmt.Sprint("noise ", i, n))
		}
	}
	host.room("the host", said("the host"))
	dropped := 0
	host.room("what was left out", func(_ *skeinv1.RoomMessage, s *skeinv1.RoomState) bool {
		dropped += int(s.GetDropped())
		return dropped > 0
	})
}

func TestALivestreamIsOneOnAllNodes(t *testing.T) {
	t.Parallel()
	nodes, _ := newCluster(t, 2)
	nodes[0].livestream("show", "host", nil)
	host, _ := nodes[0].connect("host", "phone")
	ann, _ := nodes[1].connect("ann", "phone")
	host.joins("show")
	ann.joins("show")
	host.room("both", func(_ *skeinv1.RoomMessage, s *skeinv1.RoomState) bool { return s.GetViewers() == 2 })
	ann.room("both", func(_ *skeinv1.RoomMessage, s *skeinv1.RoomState) bool { return s.GetViewers() == 2 })
	host.shouts("show", "to the other node")
	ann.room("it", said("to the other node"))
	ann.shouts("show", "and back")
	host.room("it", said("and back"))
	if n := nodes[0].g.Viewers("demo", "show"); n != 2 {
		t.Errorf("%d viewers", n)
	}
}
