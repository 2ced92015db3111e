package wire_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/pgtest"
	pb "github.com/skein-im/skein/proto/skein/v1"
)

func TestNoTableHasAWordOfAnErasedUser(t *testing.T) {
	t.Parallel()
	for name, store := range map[string]func(*testing.T) string{"SQLite": func(*testing.T) string { return "" }, "PostgreSQL": func(t *testing.T) string { return pgtest.DB(t) }} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			postgres := store(t)
			s, d := matrixServer(t, postgres)
			l := newLife(t, s)
			l.leads()
			for _, w := range l.words {
				if len(tablesWith(t, d, w)) == 0 {
					t.Errorf("%s is in no table before", w)
				}
			}
			own := backEnd(t, s)
			must[pb.EraseUserResponse](own, eraseUser, &pb.EraseUserRequest{Id: l.ann})
			until(t, "the erasure is done", func() bool {
				e := must[pb.GetErasureResponse](own, getErasure, &pb.GetErasureRequest{Id: l.ann}).Erasure
				return e.State == pb.ErasureState_ERASURE_STATE_DONE
			})
			settled(t, func() string { return stateOf(t, d) })
			for _, w := range l.words { // what follows the journal is as far in a moment
				until(t, w+" is in no table", func() bool { return len(tablesWith(t, d, w)) == 0 })
			}
			l.counted(0)
			if err := s.stop(); err != nil {
				t.Error(err)
			}
			fsck := exec.Command(bin, "fsck", "--data", s.dir)
			if postgres != "" {
				fsck.Args = append(fsck.Args, "--db", postgres)
			}
			if out, err := fsck.CombinedOutput(); err != nil {
				t.Errorf("fsck: %v\n%s", err, out)
			}
		})
	}
}

// life is a user with something of everything.
type life struct {
	t                     *testing.T
	ann, bob, carol, dora string
	a, b, backEnd         *caller
	conv, former, square  string
	theirs, poll          uint64 // bob's message and poll in conv
	n                     int64
	words                 []string
}

func newLife(t *testing.T, s *server) *life {
	l := &life{t: t, ann: someone("ann"), bob: someone("bob"), carol: someone("carol"), dora: someone("dora"), n: counter.Add(1), backEnd: backEnd(t, s)}
	l.a, l.b = as(t, s, l.ann), as(t, s, l.bob)
	return l
}

// word is one that nobody else says.
func (l *life) word(what string) string {
	w := fmt.Sprintf("sekrit%s%d", what, l.n)
	l.words = append(l.words, w)
	return w
}

// leads has the user leave traces wherever it can be done.
func (l *life) leads() {
	l.talks()
	l.reacts()
	l.meets()
	l.uploads()
	must[pb.UpdateProfileResponse](l.a, "/skein.v1.ProfileService/UpdateProfile", &pb.UpdateProfileRequest{Profile: &pb.Profile{Name: l.word("name"), Bio: l.word("bio")}, Fields: []string{"name", "bio"}})
	must[pb.SetStatusResponse](l.a, "/skein.v1.PresenceService/SetStatus", &pb.SetStatusRequest{Status: &pb.PresenceStatus{Text: l.word("status"), Emoji: "🌴"}})
	later := text(l.conv, l.word("later"))
	later.ClientId = nil
	must[pb.ScheduleMessageResponse](l.a, "/skein.v1.TimedService/ScheduleMessage", &pb.ScheduleMessageRequest{Message: later, SendAtUs: inAnHour(), ClientId: newID(0)})
	cast := must[pb.StartBroadcastResponse](l.backEnd, startBroadcast, &pb.StartBroadcastRequest{ClientId: newID(0), Sender: l.ann, Users: []string{l.bob}, Body: textBody(l.word("cast"))}).Broadcast
	until(l.t, "the broadcast is over", func() bool {
		return must[pb.GetBroadcastResponse](l.backEnd, getBroadcast, &pb.GetBroadcastRequest{Id: cast.Id}).Broadcast.State == pb.BroadcastState_BROADCAST_STATE_DONE
	})
}

// talks says something in every kind of conversation.
func (l *life) talks() {
	l.conv, l.former = l.b.group(l.ann), l.b.group(l.ann)
	first := l.a.say(l.conv, l.word("said")).Seq
	must[pb.EditMessageResponse](l.a, editMessage, &pb.EditMessageRequest{Conversation: l.conv, Seq: first, Body: textBody(l.word("edited")), ClientId: newID(0)})
	must[pb.SendMessageResponse](l.a, sendMessage, &pb.SendMessageRequest{Conversation: l.conv, ThreadSeq: first, Body: textBody(l.word("thread")), ClientId: newID(0)})
	l.a.say(l.former, l.word("former"))
	must[pb.SetNicknameResponse](l.a, setNickname, &pb.SetNicknameRequest{Conversation: l.former, User: l.ann, Nickname: l.word("formernick"), ClientId: newID(0)})
	must[pb.LeaveGroupResponse](l.a, leaveGroup, &pb.LeaveGroupRequest{Conversation: l.former, ClientId: newID(0)})
	must[pb.SetNicknameResponse](l.a, setNickname, &pb.SetNicknameRequest{Conversation: l.conv, User: l.ann, Nickname: l.word("nick"), ClientId: newID(0)})
	must[pb.MuteMemberResponse](l.b, muteMember, &pb.MuteMemberRequest{Conversation: l.conv, User: l.ann, Seconds: 1, ClientId: newID(0)}) // says the nickname again
	must[pb.MuteMemberResponse](l.b, muteMember, &pb.MuteMemberRequest{Conversation: l.conv, User: l.ann, ClientId: newID(0)})
	l.a.say(direct(l.ann, l.bob), l.word("two"))
	l.a.say("~"+l.ann, l.word("note"))
	draft := text("~"+l.ann, "")
	draft.Key = "draft/" + l.conv
	draft.Body.Content.Kind = &pb.Content_Private{Private: &pb.Private{Value: &pb.Private_Draft{Draft: &pb.PrivateDraft{Text: l.word("draft"), TimeUs: time.Now().UnixMicro()}}}}
	must[pb.SendMessageResponse](l.a, sendMessage, draft)
}

// reacts leaves something on what the other one said.
func (l *life) reacts() {
	l.theirs = l.b.say(l.conv, "words of mine").Seq
	must[pb.ReactToMessageResponse](l.a, reactToMessage, &pb.ReactToMessageRequest{Conversation: l.conv, Seq: l.theirs, Emoji: "👍", ClientId: newID(0)})
	must[pb.ReactToMessageResponse](l.a, reactToMessage, &pb.ReactToMessageRequest{Conversation: l.conv, Seq: l.theirs, Emoji: "🎉", ClientId: newID(0)})
	must[pb.SetExtensionResponse](l.a, "/skein.v1.ExtensionService/SetExtension", &pb.SetExtensionRequest{Conversation: l.conv, Seq: l.theirs, ClientId: newID(0),
		Extension: &pb.Extension{Key: "state", Value: []byte(l.word("extension"))}})
	l.poll = must[pb.SendMessageResponse](l.b, sendMessage, &pb.SendMessageRequest{Conversation: l.conv, ClientId: newID(0),
		Body: &pb.Body{Scheme: pb.BodyScheme_BODY_SCHEME_CONTENT, Content: &pb.Content{Kind: &pb.Content_Poll{Poll: &pb.Poll{
			Question: "what?", Options: []*pb.PollOption{{Id: "1", Text: "this"}, {Id: "2", Text: "that"}}}}}}}).Entry.Seq
	for _, choice := range []string{"2", "1"} {
		must[pb.VotePollResponse](l.a, "/skein.v1.PollService/VotePoll", &pb.VotePollRequest{Conversation: l.conv, Seq: l.poll, Choices: []string{choice}, ClientId: newID(0)})
	}
	must[pb.ClosePollResponse](l.b, "/skein.v1.PollService/ClosePoll", &pb.ClosePollRequest{Conversation: l.conv, Seq: l.poll, ClientId: newID(0)})
	l.counted(1)
}

// meets writes to users and groups that are strangers.
func (l *life) meets() {
	const answer = "/skein.v1.ContactService/AnswerContactRequest"
	for user, word := range map[string]string{l.carol: "waits", l.dora: "accepted", l.bob: "declined"} {
		must[pb.RequestContactResponse](l.a, requestContact, &pb.RequestContactRequest{User: user, Greeting: l.word(word), ClientId: newID(0)})
	}
	must[pb.AnswerContactRequestResponse](as(l.t, l.a.srv, l.dora), answer, &pb.AnswerContactRequestRequest{User: l.ann, Accept: true, ClientId: newID(0)})
	must[pb.AnswerContactRequestResponse](l.b, answer, &pb.AnswerContactRequestRequest{User: l.ann, ClientId: newID(0)})
	must[pb.UpdateContactResponse](l.a, "/skein.v1.ContactService/UpdateContact",
		&pb.UpdateContactRequest{Contact: &pb.Contact{User: l.dora, Remark: l.word("remark"), Labels: []string{l.word("label")}}, ClientId: newID(0)})
	l.square = must[pb.CreateGroupResponse](l.b, createGroup, &pb.CreateGroupRequest{Title: "square", ClientId: newID(0),
		Settings: &pb.GroupSettings{Type: pb.GroupType_GROUP_TYPE_PUBLIC, JoinMode: pb.JoinMode_JOIN_MODE_APPROVAL}}).Conversation.Id
	must[pb.JoinGroupResponse](l.a, joinGroup, &pb.JoinGroupRequest{Conversation: l.square, Message: l.word("asks"), ClientId: newID(0)})
	mine := l.a.group(l.bob)
	must[pb.CreateInviteResponse](l.a, createInvite, &pb.CreateInviteRequest{Conversation: mine, Label: l.word("invite"), ClientId: newID(0)})
}

// uploads leaves files that are sent, that wait, that nobody sends, and one that
// is on its way.
func (l *life) uploads() {
	file := func(what string) *pb.SendMessageRequest {
		name := l.word(what) + ".txt"
		return &pb.SendMessageRequest{Conversation: l.conv, ClientId: newID(0), Body: fileBody(l.a.upload(name, "words", 5), name, 5)}
	}
	must[pb.SendMessageResponse](l.a, sendMessage, file("file"))
	later := file("laterfile")
	later.ClientId = nil
	must[pb.ScheduleMessageResponse](l.a, "/skein.v1.TimedService/ScheduleMessage", &pb.ScheduleMessageRequest{Message: later, SendAtUs: inAnHour(), ClientId: newID(0)})
	value := file("favourite")
	value.Conversation, value.Key = "~"+l.ann, "favourite/1"
	must[pb.SendMessageResponse](l.a, sendMessage, value)
	l.a.upload(l.word("lonefile")+".txt", "words", 5)
	l.a.upload(l.word("halffile")+".txt", "words", 5000)
}

// counted wants so many of everything on what the other one said.
func (l *life) counted(n int) {
	l.t.Helper()
	for _, it := range must[pb.ListMessagesResponse](l.b, listMessages, &pb.ListMessagesRequest{Conversation: l.conv}).Items {
		switch it.Entry.Seq {
		case l.theirs:
			if len(it.Reactions) != 2*n || len(it.Extensions) != n {
				l.t.Errorf("on the message: %v", it)
			}
		case l.poll:
			if len(it.Votes) != n || n > 0 && !proto.Equal(it.Votes[0], &pb.ReactionSummary{Emoji: "1", Count: 1, Users: []string{l.ann}}) {
				l.t.Errorf("votes: %v", it.Votes)
			}
		}
	}
}

// tablesWith returns the columns in which some row has a word. The segments of
// SQLite's full-text index are left out: they have single words, whose
// documents are gone, until they are merged.
func tablesWith(t *testing.T, d *db.DB, word string) (found []string) {
	t.Helper()
	columns := map[db.Dialect]string{
		db.SQLite: `SELECT m.name || ' ' || c.name FROM sqlite_master m, pragma_table_info(m.name) c
			WHERE m.type = 'table' AND m.sql NOT LIKE 'CREATE VIRTUAL%' AND m.name NOT LIKE 'search_token%'`,
		db.Postgres: "SELECT table_name || ' ' || column_name FROM information_schema.columns WHERE table_schema = current_schema()",
	}[d.Dialect()]
	value := map[db.Dialect]string{db.SQLite: `lower(quote("%s"))`, db.Postgres: `lower("%s"::text)`}[d.Dialect()] // bytes are in hex
	like := map[db.Dialect]string{db.SQLite: "instr(%s, $1)", db.Postgres: "strpos(%s, $1)"}[d.Dialect()]
	if err := d.Read(context.Background(), func(tx db.Tx) error {
		found = nil
		all, err := texts(tx, columns)
		for _, in := range all {
			table, column, _ := strings.Cut(in, " ")
			for _, w := range []string{word, hex.EncodeToString([]byte(word))} {
				var n int64
				query := fmt.Sprintf(`SELECT count(*) FROM "%s" WHERE `+like+" > 0", table, fmt.Sprintf(value, column))
				if err := tx.QueryRow(query, w).Scan(&n); err != nil {
					return fmt.Errorf("%s: %w", query, err)
				}
				if n > 0 {
					found = append(found, in)
				}
			}
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return found
}
