package wire_test

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	pb "github.com/skein-im/skein/proto/skein/v1"
)

const (
	listGroups     = "/skein.v1.ArchiveService/ListGroups"
	exportMessages = "/skein.v1.ArchiveService/ExportMessages"
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
