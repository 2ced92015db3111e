package wire_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	pb "github.com/skein-im/skein/proto/skein/v1"
)

const (
	listGroups     = "/skein.v1.ArchiveService/ListGroups"
	exportMessages = "/skein.v1.ArchiveService/ExportMessages"
	importMessages = "/skein.v1.ArchiveService/ImportMessages"
)

func TestTheBackEndMakesAGroupForAnOwnerAndFindsItAmongAll(t *testing.T) {
	s := shared
	app := backEnd(t, s)
	own, bob := someone("own"), someone("bob")
	req := &pb.CreateGroupRequest{Title: "brought along", Owner: own, Members: []string{bob, own}, ClientId: newID(0)}
	first := must[pb.CreateGroupResponse](app, createGroup, req).Conversation
	if again := must[pb.CreateGroupResponse](app, createGroup, req).Conversation; again.Id != first.Id || again.HeadSeq != 1 || again.MemberCount != 2 {
		t.Fatalf("%+v, then %+v", first, again)
	}
	if c := must[pb.GetConversationResponse](as(t, s, own), getConversation, &pb.GetConversationRequest{Conversation: first.Id}).Conversation; c.Membership.Role != pb.Role_ROLE_OWNER {
		t.Errorf("%+v", c.Membership)
	}
	app.refused(createGroup, &pb.CreateGroupRequest{ClientId: newID(0)}, pb.ErrorCode_ERROR_CODE_INVALID_ARGUMENT)
	app.refused(createGroup, &pb.CreateGroupRequest{Owner: "a\u202e", ClientId: newID(0)}, pb.ErrorCode_ERROR_CODE_INVALID_ARGUMENT)
	other := proto.Clone(req).(*pb.CreateGroupRequest)
	other.Owner = bob
	app.refused(createGroup, other, pb.ErrorCode_ERROR_CODE_CLIENT_ID_REUSED)
	as(t, s, bob).refused(createGroup, &pb.CreateGroupRequest{Owner: own, ClientId: newID(0)}, pb.ErrorCode_ERROR_CODE_INVALID_ARGUMENT)

	seen := map[string]int{}
	last := ""
	for page := ""; ; {
		r := must[pb.ListGroupsResponse](app, listGroups, &pb.ListGroupsRequest{Limit: 3, Page: page})
		for _, g := range r.Groups {
			if g.Id <= last || g.Kind != pb.ConversationKind_CONVERSATION_KIND_GROUP || g.Membership != nil {
				t.Fatalf("%+v after %q", g, last)
			}
			seen[g.Id], last = seen[g.Id]+1, g.Id
			if g.Id == first.Id && (g.Title != "brought along" || g.MemberCount != 2 || g.HeadSeq != 1) {
				t.Errorf("%+v", g)
			}
		}
		if page = r.NextPage; page == "" {
			break
		}
		// It is of this app's back end alone, and of this list.
		foreign := &caller{t: t, srv: s, app: s.apps["other"].id, token: s.apps["other"].serverToken(t)}
		foreign.refused(listGroups, &pb.ListGroupsRequest{Page: page}, pb.ErrorCode_ERROR_CODE_INVALID_ARGUMENT)
		app.refused(listConversations, &pb.ListConversationsRequest{Page: page}, pb.ErrorCode_ERROR_CODE_INVALID_ARGUMENT)
		app.refused(listGroups, &pb.ListGroupsRequest{Page: "A" + page}, pb.ErrorCode_ERROR_CODE_INVALID_ARGUMENT)
	}
	if seen[first.Id] != 1 {
		t.Errorf("the group is there %d times", seen[first.Id])
	}
}

func TestAnExportHasEveryPositionAsItIsNow(t *testing.T) {
	s := shared
	owner, bob := someone("own"), someone("bob")
	app, own := backEnd(t, s), as(t, s, owner)
	conv := must[pb.CreateGroupResponse](app, createGroup, &pb.CreateGroupRequest{Owner: owner, Members: []string{bob}, ClientId: newID(0)}).Conversation.Id
	for i := range 5 {
		own.say(conv, fmt.Sprint("word ", i))
	}
	secret := text(conv, "for bob alone")
	secret.ToUsers = []string{bob}
	must[pb.SendMessageResponse](own, sendMessage, secret)
	must[pb.EditMessageResponse](own, editMessage, &pb.EditMessageRequest{Conversation: conv, Seq: 2, Body: text(conv, "edited").Body, ClientId: newID(0)})
	must[pb.RecallMessageResponse](own, recallMessage, &pb.RecallMessageRequest{Conversation: conv, Seq: 3, ClientId: newID(0)})

	var all []*pb.Entry
	for after := uint64(0); ; {
		r := must[pb.ExportMessagesResponse](app, exportMessages, &pb.ExportMessagesRequest{Conversation: conv, AfterSeq: after, Limit: 3})
		if r.HeadSeq != 9 || r.Incarnation == "" || len(r.Entries) > 3 {
			t.Fatalf("%+v", r)
		}
		if len(r.Entries) == 0 {
			break
		}
		all = append(all, r.Entries...)
		after = r.Entries[len(r.Entries)-1].Seq
	}
	if len(all) != 9 {
		t.Fatalf("%d entries", len(all))
	}
	for i, e := range all {
		if e.Seq != uint64(i+1) || e.Conversation != conv {
			t.Errorf("%+v at %d", e, i)
		}
	}
	if got := all[1].Body.GetContent().GetText().GetText(); got != "edited" {
		t.Errorf("the edited one says %q", got)
	}
	if !all[2].Recalled || all[2].Body != nil {
		t.Errorf("the recalled one: %+v", all[2])
	}
	if got := all[6].Body.GetContent().GetText().GetText(); got != "for bob alone" {
		t.Errorf("the one for bob says %q", got)
	}
	for _, bad := range []*pb.ExportMessagesRequest{{Conversation: conv, Limit: 501}, {Conversation: conv, Limit: 1_000_000_000}, {},
		{Conversation: conv, AfterSeq: 1 << 63}} {
		app.refused(exportMessages, bad, pb.ErrorCode_ERROR_CODE_INVALID_ARGUMENT)
	}
	app.refused(exportMessages, &pb.ExportMessagesRequest{Conversation: conv + "x"}, pb.ErrorCode_ERROR_CODE_NOT_FOUND)
	own.refused(exportMessages, &pb.ExportMessagesRequest{Conversation: conv}, pb.ErrorCode_ERROR_CODE_NOT_FOUND)
	own.refused(listGroups, &pb.ListGroupsRequest{}, pb.ErrorCode_ERROR_CODE_NOT_FOUND)
}

// brought is a message of another system.
func brought(sender string, at int64, id, words string) *pb.ImportedMessage {
	return &pb.ImportedMessage{Sender: sender, TimeUs: at, ClientId: []byte(id), Body: textBody(words)}
}

func TestWhatIsImportedIsThereOnceAndDisturbsNobody(t *testing.T) {
	s := shared
	owner, bob, gone := someone("own"), someone("bob"), someone("gone")
	app, own := backEnd(t, s), as(t, s, owner)
	conv := must[pb.CreateGroupResponse](app, createGroup, &pb.CreateGroupRequest{Owner: owner, Members: []string{bob}, ClientId: newID(0)}).Conversation.Id
	r := &pb.ImportMessagesRequest{Conversation: conv, ImportId: newID(0)}
	for i := range 120 { // from 2001 on, by one who is a member and one who never was
		r.Messages = append(r.Messages, brought([]string{bob, gone}[i%2], 1_000_000_000_000_000+int64(i), fmt.Sprint("old-", i), fmt.Sprint("word ", i)))
	}
	first := must[pb.ImportMessagesResponse](app, importMessages, r).Seqs
	if len(first) != 120 || first[0] != 2 || first[119] != 121 {
		t.Fatalf("%v", first)
	}
	// A retry, and an overlapping call, find what is there.
	again := must[pb.ImportMessagesResponse](app, importMessages, &pb.ImportMessagesRequest{Conversation: conv, ImportId: r.ImportId,
		Messages: append(r.Messages[100:120:120], brought(bob, 2_000_000, "old-120", "word 120"))}).Seqs
	if fmt.Sprint(again) != fmt.Sprint(append(first[100:120:120], 122)) {
		t.Errorf("%v", again)
	}
	c := must[pb.GetConversationResponse](own, getConversation, &pb.GetConversationRequest{Conversation: conv}).Conversation
	if c.HeadSeq != 122 || c.HeadOrd != 0 {
		t.Errorf("%d entries, %d count as unread", c.HeadSeq, c.HeadOrd)
	}
	page := must[pb.ListMessagesResponse](own, listMessages, &pb.ListMessagesRequest{Conversation: conv, Limit: 10})
	if len(page.Items) != 10 {
		t.Fatalf("a page of 10 has %d", len(page.Items))
	}
	for i, it := range page.Items[:9] {
		e, n := it.Entry, 111+i
		if e.Seq != uint64(n+2) || e.Sender != []string{bob, gone}[n%2] || textOf(e) != fmt.Sprint("word ", n) || e.Body.Content.ImportedUs != 1_000_000_000_000_000+int64(n) ||
			!e.Silent || !e.Uncounted || e.TimeUs < 1_700_000_000_000_000 {
			t.Errorf("%d: %+v", n, e)
		}
	}

	head := func() uint64 {
		return must[pb.GetConversationResponse](own, getConversation, &pb.GetConversationRequest{Conversation: conv}).Conversation.HeadSeq
	}
	other := []*pb.ImportedMessage{brought(bob, 1_000_000_000_000_000, "old-0", "other words")}
	app.refused(importMessages, &pb.ImportMessagesRequest{Conversation: conv, ImportId: r.ImportId, Messages: other}, pb.ErrorCode_ERROR_CODE_CLIENT_ID_REUSED)
	good, marked := brought(bob, 5, "fine", "fine"), textBody("x")
	marked.Content.ImportedUs = 5
	for name, bad := range map[string]*pb.ImportedMessage{
		"no sender":         brought("", 5, "1", "x"),
		"no user":           brought("a\u202e", 5, "1", "x"),
		"no time":           brought(bob, 0, "1", "x"),
		"the future":        brought(bob, 9_000_000_000_000_000, "1", "x"),
		"no id":             brought(bob, 5, "", "x"),
		"a long id":         brought(bob, 5, strings.Repeat("i", 65), "x"),
		"no body":           {Sender: bob, TimeUs: 5, ClientId: []byte("1")},
		"an opaque body":    {Sender: bob, TimeUs: 5, ClientId: []byte("1"), Body: &pb.Body{Scheme: pb.BodyScheme_BODY_SCHEME_OPAQUE, Opaque: []byte("x")}},
		"a reaction":        {Sender: bob, TimeUs: 5, ClientId: []byte("1"), Body: &pb.Body{Scheme: 1, Content: &pb.Content{Kind: &pb.Content_Reaction{Reaction: &pb.Reaction{Emoji: "x"}}}}},
		"its mark set":      {Sender: bob, TimeUs: 5, ClientId: []byte("1"), Body: marked},
		"an empty text too": brought(bob, 5, "1", ""),
	} {
		t.Run(name, func(t *testing.T) {
			app.refused(importMessages, &pb.ImportMessagesRequest{Conversation: conv, ImportId: newID(0), Messages: []*pb.ImportedMessage{good, bad}}, pb.ErrorCode_ERROR_CODE_INVALID_ARGUMENT)
		})
	}
	app.refused(importMessages, &pb.ImportMessagesRequest{Conversation: conv, ImportId: newID(0)}, pb.ErrorCode_ERROR_CODE_INVALID_ARGUMENT)
	app.refused(importMessages, &pb.ImportMessagesRequest{Conversation: conv, ImportId: newID(-31 * 24 * time.Hour), Messages: r.Messages[:1]}, pb.ErrorCode_ERROR_CODE_CLOCK_SKEW)
	app.refused(importMessages, &pb.ImportMessagesRequest{Conversation: direct(owner, bob), ImportId: newID(0), Messages: []*pb.ImportedMessage{brought(gone, 5, "1", "x")}}, pb.ErrorCode_ERROR_CODE_INVALID_ARGUMENT)
	own.refused(importMessages, &pb.ImportMessagesRequest{Conversation: conv, ImportId: newID(0), Messages: r.Messages[:1]}, pb.ErrorCode_ERROR_CODE_NOT_FOUND)
	own.refused(sendMessage, &pb.SendMessageRequest{Conversation: conv, ClientId: newID(0), Body: marked}, pb.ErrorCode_ERROR_CODE_INVALID_ARGUMENT)
	as(t, s, bob).refused(editMessage, &pb.EditMessageRequest{Conversation: conv, Seq: 2, Body: textBody("changed"), ClientId: newID(0)}, pb.ErrorCode_ERROR_CODE_FAILED_PRECONDITION)
	if n := head(); n != 122 {
		t.Errorf("what was refused has left %d entries", n)
	}
	// Two users' conversation exists from the start.
	if seqs := must[pb.ImportMessagesResponse](app, importMessages, &pb.ImportMessagesRequest{Conversation: direct(owner, bob), ImportId: newID(0),
		Messages: []*pb.ImportedMessage{brought(bob, 5, "1", "hello"), brought(owner, 6, "2", "hi")}}).Seqs; fmt.Sprint(seqs) != "[1 2]" {
		t.Errorf("%v", seqs)
	}
}
