package wire_test

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/proto"

	pb "github.com/skein-im/skein/proto/skein/v1"
)

// hidden are conversations that user eve may not know of, and some that do not
// exist. Nothing may tell the ones from the others.
func hidden(t *testing.T, s *server) map[string]string {
	t.Helper()
	ann, bob, conv := pair()
	as(t, s, ann).say(conv, "private")
	group := as(t, s, ann).group(bob)
	as(t, s, ann).say(group, "private")
	as(t, s, ann).say("~"+ann, "private")
	return map[string]string{
		"a group that there is not":       "nowhere",
		"somebody else's group":           group,
		"somebody else's conversation":    conv,
		"a conversation nobody has begun": direct("x", "y"),
		"somebody else's notes":           "~" + ann,
		"the notes of nobody":             "~" + someone("nobody"),
		"a direct id in the wrong order":  "@1:y:x",
		"an id that is none":              "g\x01\u202e",
		"an id of dots":                   "../../etc/passwd",
		"an id of SQL":                    "x' OR '1'='1",
	}
}

// verbs are all calls about one conversation.
func verbs(conv string) map[string]proto.Message {
	id := newID(0)
	return map[string]proto.Message{
		getConversation:  &pb.GetConversationRequest{Conversation: conv},
		listMembers:      &pb.ListMembersRequest{Conversation: conv},
		updateGroup:      &pb.UpdateGroupRequest{Conversation: conv, Title: "mine", ClientId: id},
		addMembers:       &pb.AddMembersRequest{Conversation: conv, Users: []string{"eve"}, ClientId: id},
		removeMember:     &pb.RemoveMemberRequest{Conversation: conv, User: "bob", ClientId: id},
		leaveGroup:       &pb.LeaveGroupRequest{Conversation: conv, ClientId: id},
		setRole:          &pb.SetRoleRequest{Conversation: conv, User: "eve", Role: pb.Role_ROLE_OWNER, ClientId: id},
		sendMessage:      &pb.SendMessageRequest{Conversation: conv, ClientId: id, Body: textBody("hello")},
		editMessage:      &pb.EditMessageRequest{Conversation: conv, Seq: 1, Body: textBody("mine"), ClientId: id},
		recallMessage:    &pb.RecallMessageRequest{Conversation: conv, Seq: 1, ClientId: id},
		reactToMessage:   &pb.ReactToMessageRequest{Conversation: conv, Seq: 1, Emoji: "x", ClientId: id},
		readConversation: &pb.ReadConversationRequest{Conversation: conv, Seq: 1},
		listMessages:     &pb.ListMessagesRequest{Conversation: conv},
		listEdits:        &pb.ListEditsRequest{Conversation: conv, Seq: 1},
		getGroupInfo:     &pb.GetGroupInfoRequest{Conversation: conv},
		updateSettings:   &pb.UpdateGroupSettingsRequest{Conversation: conv, Fields: []string{"description"}, ClientId: id},
		putGroupRole:     &pb.PutGroupRoleRequest{Conversation: conv, Role: &pb.GroupRole{Name: "r", Rank: 1}, ClientId: id},
		deleteRole:       &pb.DeleteGroupRoleRequest{Conversation: conv, RoleId: "r", ClientId: id},
		setMemberRoles:   &pb.SetMemberRolesRequest{Conversation: conv, User: "bob", ClientId: id},
		setNickname:      &pb.SetNicknameRequest{Conversation: conv, User: "eve", Nickname: "E", ClientId: id},
		muteMember:       &pb.MuteMemberRequest{Conversation: conv, User: "bob", Seconds: 60, ClientId: id},
		muteGroup:        &pb.MuteGroupRequest{Conversation: conv, Seconds: 60, ClientId: id},
		transferGroup:    &pb.TransferGroupRequest{Conversation: conv, User: "bob", ClientId: id},
		dissolveGroup:    &pb.DissolveGroupRequest{Conversation: conv, ClientId: id},
	}
}

func TestAConversationThatIsNotYoursIsAsOneThatDoesNotExist(t *testing.T) {
	t.Parallel()
	w := watch(t, shared)
	eve := someone("eve")
	// A caller of one app asks for a group that another app has.
	foreign := caller{t: t, srv: shared, app: "other", token: shared.apps["other"].token(t, eve)}
	elsewhere := foreign.group()
	convs := hidden(t, shared)
	convs["another app's group"] = elsewhere
	c := as(t, shared, eve)
	var procedures []string
	for p := range verbs("") {
		procedures = append(procedures, p)
	}
	for _, p := range procedures {
		var first *reply
		for what, conv := range convs {
			r := c.call(p, verbs(conv)[p])
			if r.status != 404 || r.connect != "not_found" || r.err.GetCode() != pb.ErrorCode_ERROR_CODE_NOT_FOUND {
				t.Errorf("%s of %s: %d %s", p, what, r.status, r.body)
			}
			r.header.Del("Date")
			if first == nil {
				first = r
				continue
			}
			if !bytes.Equal(r.body, first.body) || len(r.header) != len(first.header) {
				t.Errorf("%s of %s answers otherwise:\n%v %s\n%v %s", p, what, r.header, r.body, first.header, first.body)
			}
		}
	}
	w.holds()
}

func TestASocketTellsNoMoreOfAConversationThatIsNotYours(t *testing.T) {
	t.Parallel()
	w := watch(t, shared)
	convs := hidden(t, shared)
	c := connect(t, shared, someone("eve"), "phone")
	for verb, frame := range map[string]func(conv string) *pb.ClientFrame{
		"send":   func(conv string) *pb.ClientFrame { return sendFrame(text(conv, "hello")) },
		"read":   func(conv string) *pb.ClientFrame { return readFrame(conv, 1) },
		"typing": typingFrame,
	} {
		var first []byte
		for what, conv := range convs {
			f := c.ask(frame(conv))
			if f.GetError().GetCode() != pb.ErrorCode_ERROR_CODE_NOT_FOUND {
				t.Errorf("%s to %s: %v", verb, what, f)
			}
			f.Ref = 0
			b := encode(t, f)
			if first == nil {
				first = b
			}
			if !bytes.Equal(b, first) {
				t.Errorf("%s to %s answers otherwise: %q, %q", verb, what, b, first)
			}
		}
	}
	// Presence of strangers is passed over in silence, known or not.
	ann, bob, conv := pair()
	connect(t, shared, ann, "phone").say(conv, "here")
	watched := &pb.ClientFrame{Frame: &pb.ClientFrame_WatchPresence{WatchPresence: &pb.WatchPresence{Users: []string{ann, bob, someone("nobody")}}}}
	if c.ask(watched).GetDone() == nil {
		t.Error("no answer to the watch")
	}
	c.ask(ping())
	if len(c.waiting) > 0 {
		t.Errorf("told of strangers: %v", c.waiting)
	}
	if p := must[pb.GetPresenceResponse](as(t, shared, c.user), getPresence, &pb.GetPresenceRequest{Users: []string{ann, bob}}); len(p.Presences) > 0 {
		t.Errorf("told of strangers: %v", p)
	}
	w.holds()
}

// Within a conversation, a position that is not a readable message is as one
// that does not exist.
func TestAMessageThatYouMayNotReadIsAsOneThatDoesNotExist(t *testing.T) {
	t.Parallel()
	ann, bob, conv := pair()
	c := connect(t, shared, ann, "phone")
	c.say(conv, "for all") // 1
	secret := text(conv, "for one device")
	secret.ToDevices = []string{"phone"}
	c.ack(c.ask(sendFrame(secret))) // 2
	b := as(t, shared, bob)
	must[pb.ReactToMessageResponse](b, reactToMessage, &pb.ReactToMessageRequest{Conversation: conv, Seq: 1, Emoji: "x", ClientId: newID(0)}) // 3
	for p, request := range map[string]func(seq uint64) proto.Message{
		editMessage: func(seq uint64) proto.Message {
			return &pb.EditMessageRequest{Conversation: conv, Seq: seq, Body: textBody("x"), ClientId: newID(0)}
		},
		recallMessage: func(seq uint64) proto.Message {
			return &pb.RecallMessageRequest{Conversation: conv, Seq: seq, ClientId: newID(0)}
		},
		reactToMessage: func(seq uint64) proto.Message {
			return &pb.ReactToMessageRequest{Conversation: conv, Seq: seq, Emoji: "x", ClientId: newID(0)}
		},
		listEdits: func(seq uint64) proto.Message { return &pb.ListEditsRequest{Conversation: conv, Seq: seq} },
	} {
		absent := b.call(p, request(1000))
		for what, seq := range map[string]uint64{"a message to other devices": 2, "a reaction": 3, "2^63": 1 << 63, "2^64-1": 1<<64 - 1} {
			if r := b.call(p, request(seq)); r.err.GetCode() != pb.ErrorCode_ERROR_CODE_NOT_FOUND || !bytes.Equal(r.body, absent.body) {
				t.Errorf("%s of %s: %s, not %s", p, what, r.body, absent.body)
			}
		}
	}
	if h := b.history(conv); len(h) != 1 || textOf(h[0]) != "for all" {
		t.Errorf("%v", h)
	}
}
