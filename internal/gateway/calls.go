package gateway

import (
	"cmp"
	"context"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// call runs one of the verbs that are not hot, on a goroutine of its own,
// and brings the machine its answer.
func (s *session) call(f *clientFrame) {
	ctx, cancel := context.WithTimeout(s.g.ctx, callTimeout)
	defer cancel()
	ev := event{kind: evAnswer, ref: f.ref}
	done := &skeinv1.ServerFrame{Frame: &skeinv1.ServerFrame_Done{Done: &skeinv1.Done{}}}
	var err error
	switch m := f.msg.GetFrame().(type) {
	case *skeinv1.ClientFrame_Read:
		ev.frame, err = s.readConversation(ctx, m.Read)
	case *skeinv1.ClientFrame_Typing:
		ev.frame, err = done, s.g.Chat.Typing(ctx, s.actor(), im.ConvID(m.Typing.Conversation), m.Typing.Stopped)
	case *skeinv1.ClientFrame_Command:
		ev.frame, err = done, s.command(ctx, m.Command)
	case *skeinv1.ClientFrame_JoinRoom:
		ev.frame, err = s.g.stage.join(ctx, s, im.ConvID(m.JoinRoom.Conversation))
	case *skeinv1.ClientFrame_LeaveRoom:
		ev.frame = done
		s.g.stage.leave(s, im.ConvID(cmp.Or(m.LeaveRoom.Conversation, "?")))
	case *skeinv1.ClientFrame_RoomMessage:
		ev.frame, err = done, s.g.stage.say(ctx, s, m.RoomMessage)
	case *skeinv1.ClientFrame_WatchPresence:
		ev.frame, err = done, s.watch(ctx, m.WatchPresence.Users)
	case *skeinv1.ClientFrame_CursorAck:
		ev.frame, err = done, s.acknowledge(ctx, m.CursorAck.Cursor)
	case *skeinv1.ClientFrame_RefreshToken:
		ev.id, err = s.g.Doorman.Refresh(ctx, s.signedIn(), m.RefreshToken.Token)
		ev.frame = done
	default:
		err = im.Errorf(im.Unsupported, "this server does not know the frame")
	}
	ev.err = s.internal("call", err)
	s.handle(ev)
}

func (s *session) readConversation(ctx context.Context, r *skeinv1.ReadConversationRequest) (*skeinv1.ServerFrame, error) {
	if r.Seq < 1 {
		return nil, im.Errorf(im.InvalidArgument, "seq starts at 1")
	}
	m, err := s.g.Chat.Read(ctx, s.actor(), im.ConvID(r.Conversation), im.Seq(min(r.Seq, 1<<62)))
	if err != nil {
		return nil, err
	}
	return &skeinv1.ServerFrame{Frame: &skeinv1.ServerFrame_ReadMarker{ReadMarker: &skeinv1.ReadMarker{
		Conversation: r.Conversation, User: string(s.actor().User), ReadSeq: uint64(m.Seq), ReadOrd: uint64(m.Ord)}}}, nil
}

func (s *session) command(ctx context.Context, c *skeinv1.Command) error {
	to := make([]im.UserID, len(c.ToUsers))
	for i, u := range c.ToUsers {
		to[i] = im.UserID(u)
	}
	return s.g.Chat.Command(ctx, s.actor(), chat.Command{Conv: im.ConvID(c.Conversation), Type: c.Type, Data: c.Data, To: to})
}

// unwatch ends the watch for good.
func (s *session) unwatch() {
	s.watchMu.Lock()
	defer s.watchMu.Unlock()
	s.watchEnded = true
	if s.watching != nil {
		s.watching.Close()
	}
}
