package wire_test

import (
	"errors"
	"fmt"
	"iter"
	"testing"

	"google.golang.org/protobuf/proto"

	pb "github.com/skein-im/skein/proto/skein/v1"
	skein "github.com/skein-im/skein/sdk/go"
	backend "github.com/skein-im/skein/sdk/go/server"
)

// shop is the Go SDK of a back end at the shared server.
func shop(t *testing.T) *backend.Client {
	t.Helper()
	app := shared.app()
	secret := &backend.Secret{App: app.id, KID: app.kid, Text: string(app.secret)}
	c, err := backend.New(backend.Options{Endpoint: shared.url, App: app.id, Token: secret.Token})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// good takes what a call returns and fails the test on an error.
func good[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// every reads a list to its end.
func every[T any](t *testing.T, list iter.Seq2[T, error]) []T {
	t.Helper()
	var out []T
	for v, err := range list {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	return out
}

func TestABackEndInGoKeepsGroupsFromTheirBeginningToTheirEnd(t *testing.T) {
	t.Parallel()
	ctx, c := t.Context(), shop(t)
	entry, conv, nothing := good[*pb.Entry](t), good[*pb.Conversation](t), func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ann, bob, dan := someone("ann"), someone("bob"), someone("dan")
	made := &pb.CreateGroupRequest{Title: "Support", Owner: ann, Members: []string{bob}}
	g := conv(c.CreateGroup(ctx, made)).Id
	if again := conv(c.CreateGroup(ctx, made)); again.Id != g { // the same request is a retry
		t.Errorf("%s, then %s", g, again.Id)
	}
	entry(c.UpdateGroup(ctx, &pb.UpdateGroupRequest{Conversation: g, Title: "Help"}))
	entry(c.UpdateGroupSettings(ctx, &pb.UpdateGroupSettingsRequest{Conversation: g, Settings: &pb.GroupSettings{Description: "ask"}, Fields: []string{"description"}}))
	entry(c.AddMembers(ctx, &pb.AddMembersRequest{Conversation: g, Users: []string{dan}}))
	entry(c.SetRole(ctx, &pb.SetRoleRequest{Conversation: g, User: bob, Role: pb.Role_ROLE_ADMIN}))
	role := good[string](t)(c.PutGroupRole(ctx, &pb.PutGroupRoleRequest{Conversation: g, Role: &pb.GroupRole{Name: "night", Rank: 5}}))
	entry(c.SetMemberRoles(ctx, &pb.SetMemberRolesRequest{Conversation: g, User: dan, RoleIds: []string{role}}))
	entry(c.DeleteGroupRole(ctx, &pb.DeleteGroupRoleRequest{Conversation: g, RoleId: role}))
	entry(c.SetNickname(ctx, &pb.SetNicknameRequest{Conversation: g, User: dan, Nickname: "Danny"}))
	entry(c.MuteMember(ctx, &pb.MuteMemberRequest{Conversation: g, User: dan, Seconds: 60}))
	entry(c.MuteGroup(ctx, &pb.MuteGroupRequest{Conversation: g, Seconds: 60}))
	entry(c.TransferGroup(ctx, &pb.TransferGroupRequest{Conversation: g, User: bob}))
	is := conv(c.Group(ctx, g))
	if is.Title != "Help" || is.Settings.GetDescription() != "ask" || is.MemberCount != 3 {
		t.Errorf("the group is %v", is)
	}
	listed := 0
	for _, x := range every(t, c.Groups(ctx)) {
		if x.Id == g {
			listed++
		}
	}
	if listed != 1 {
		t.Errorf("the group is listed %d times", listed)
	}
	roles := map[string]pb.Role{}
	for _, m := range every(t, c.Members(ctx, &pb.ListMembersRequest{Conversation: g})) {
		roles[m.User] = m.Role
	}
	if len(roles) != 3 || roles[bob] != pb.Role_ROLE_OWNER || roles[ann] != pb.Role_ROLE_ADMIN || roles[dan] != pb.Role_ROLE_MEMBER {
		t.Errorf("members: %v", roles)
	}
	if found := every(t, c.Members(ctx, &pb.ListMembersRequest{Conversation: g, Query: "danny"})); len(found) != 1 || found[0].User != dan {
		t.Errorf("by nickname: %v", found)
	}

	entry(c.RemoveMember(ctx, &pb.RemoveMemberRequest{Conversation: g, User: dan}))
	nothing(c.BanMember(ctx, &pb.BanMemberRequest{Conversation: g, User: dan, Reason: "spam"}))
	if bans := every(t, c.Bans(ctx, g)); len(bans) != 1 || bans[0].User != dan || bans[0].Reason != "spam" {
		t.Errorf("banned: %v", bans)
	}
	nothing(c.UnbanMember(ctx, g, dan))
	invite := good[*pb.CreateInviteResponse](t)(c.CreateInvite(ctx, &pb.CreateInviteRequest{Conversation: g, Label: "door"}))
	if all := every(t, c.Invites(ctx, g)); invite.Code == "" || len(all) != 1 || all[0].Label != "door" {
		t.Errorf("invitations: %v", all)
	}
	nothing(c.RevokeInvite(ctx, &pb.RevokeInviteRequest{Conversation: g, Invite: invite.Invite.Id}))
	if n := good[int](t)(c.SetAllowList(ctx, &pb.SetAllowListRequest{Conversation: g, Users: []string{ann, dan}})); n != 2 {
		t.Errorf("%d may join", n)
	}
	if n := good[int](t)(c.RemoveFromAllowList(ctx, &pb.RemoveFromAllowListRequest{Conversation: g, Users: []string{ann}})); n != 1 {
		t.Errorf("%d may join", n)
	}
	if all := every(t, c.AllowList(ctx, g)); len(all) != 1 || all[0] != dan {
		t.Errorf("who may join: %v", all)
	}
	if all := every(t, c.JoinRequests(ctx, g)); len(all) != 0 {
		t.Errorf("requests: %v", all)
	}

	entry(c.DissolveGroup(ctx, &pb.DissolveGroupRequest{Conversation: g}))
	_, err := c.AddMembers(ctx, &pb.AddMembersRequest{Conversation: g, Users: []string{dan}})
	if skein.CodeOf(err) != skein.FailedPrecondition {
		t.Errorf("into a group that has ended: %v", err)
	}
}

func TestABackEndInGoTakesHistoryOutAndIn(t *testing.T) {
	t.Parallel()
	ctx, c := t.Context(), shop(t)
	ann, bob := someone("ann"), someone("bob")
	g := good[*pb.Conversation](t)(c.CreateGroup(ctx, &pb.CreateGroupRequest{Owner: ann, Members: []string{bob}})).Id
	const old = 1203 // some calls
	messages := func(yield func(*pb.ImportedMessage, error) bool) {
		for i := range old {
			if !yield(brought([]string{ann, bob}[i%2], 1_000_000_000_000_000+int64(i), fmt.Sprint("old-", i), fmt.Sprint("word ", i)), nil) {
				return
			}
		}
	}
	id := good[[]byte](t)(c.NewID())
	for range 2 { // the second time nothing is stored
		if n := good[int](t)(c.Import(ctx, g, id, messages)); n != old {
			t.Errorf("%d were brought", n)
		}
	}
	all := every(t, c.Export(ctx, g, 0))
	if len(all) != 1+old || all[1].Sender != ann || all[old].Body.GetContent().GetText().GetText() != fmt.Sprint("word ", old-1) {
		t.Fatalf("%d entries came out", len(all))
	}
	for i, e := range all {
		if e.Seq != uint64(i+1) {
			t.Fatalf("seq %d at %d", e.Seq, i)
		}
	}
	m := text(g, "and now")
	m.Sender, m.ClientId = bob, nil
	e := good[*pb.Entry](t)(c.Send(ctx, m))
	if more := every(t, c.Export(ctx, g, all[old].Seq)); len(more) != 1 || more[0].Seq != e.Seq {
		t.Errorf("later: %v", more)
	}
	if more := every(t, c.Export(ctx, g, e.Seq)); len(more) != 0 {
		t.Errorf("after the end: %v", more)
	}
	for _, err := range c.Export(ctx, g, e.Seq+1) {
		if skein.CodeOf(err) != skein.FailedPrecondition {
			t.Errorf("from behind the end: %v", err)
		}
	}
	newest := 0
	for it, err := range c.History(ctx, g, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if newest++; newest == 1 && it.Entry.Seq != e.Seq {
			t.Errorf("the newest is %v", it)
		}
	}
	if newest != old+2 {
		t.Errorf("history has %d", newest)
	}
	broken := errors.New("the old system has gone")
	n, err := c.Import(ctx, g, id, func(yield func(*pb.ImportedMessage, error) bool) { yield(nil, broken) })
	if n != 0 || !errors.Is(err, broken) {
		t.Errorf("%d, %v", n, err)
	}
	_, err = c.ImportMessages(ctx, &pb.ImportMessagesRequest{Conversation: g, ImportId: id, Messages: []*pb.ImportedMessage{brought(ann, 1, "old-0", "another")}})
	if skein.CodeOf(err) != skein.ClientIDReused {
		t.Errorf("the same id with other words: %v", err)
	}
	for _, err := range c.Export(ctx, "nowhere", 0) {
		if skein.CodeOf(err) != skein.NotFound {
			t.Errorf("of no conversation: %v", err)
		}
	}
}

func TestABackEndInGoSpeaksInAndTendsConversations(t *testing.T) {
	t.Parallel()
	ctx, c := t.Context(), shop(t)
	entry := good[*pb.Entry](t)
	ann, bob := someone("ann"), someone("bob")
	g := good[*pb.Conversation](t)(c.CreateGroup(ctx, &pb.CreateGroupRequest{Owner: ann, Members: []string{bob},
		Settings: &pb.GroupSettings{Type: pb.GroupType_GROUP_TYPE_COMMUNITY}})).Id
	say := func(sender, words string) uint64 {
		t.Helper()
		m := text(g, words)
		m.Sender, m.ClientId = sender, nil
		return entry(c.Send(ctx, m)).Seq
	}
	own, his := say("", "from the app"), say(bob, "from bob")
	entry(c.EditMessage(ctx, &pb.EditMessageRequest{Conversation: g, Seq: own, Body: textBody("better")}))
	_, err := c.EditMessage(ctx, &pb.EditMessageRequest{Conversation: g, Seq: his, Body: textBody("never said")})
	if skein.CodeOf(err) != skein.PermissionDenied {
		t.Errorf("bob's message: %v", err)
	}
	if all := good[[]*pb.Revision](t)(c.Edits(ctx, g, own)); len(all) != 2 || all[1].Body.GetContent().GetText().GetText() != "better" {
		t.Errorf("edits: %v", all)
	}
	entry(c.ReactToMessage(ctx, &pb.ReactToMessageRequest{Conversation: g, Seq: his, Emoji: "👍"}))
	entry(c.PinMessage(ctx, &pb.PinMessageRequest{Conversation: g, Seq: own}))
	if pins := good[[]*pb.PinnedMessage](t)(c.Pins(ctx, g)); len(pins) != 1 || pins[0].Item.Entry.Seq != own {
		t.Errorf("pins: %v", pins)
	}
	entry(c.UnpinMessage(ctx, &pb.UnpinMessageRequest{Conversation: g, Seq: own}))
	entry(c.SetExtension(ctx, &pb.SetExtensionRequest{Conversation: g, Seq: own, Extension: &pb.Extension{Key: "ticket", Value: []byte("17")}}))
	if all := good[[]*pb.Extension](t)(c.Extensions(ctx, g, own)); len(all) != 1 || string(all[0].Value) != "17" {
		t.Errorf("extensions: %v", all)
	}
	if all := every(t, c.Receipts(ctx, g, his)); len(all) != 1 || all[0].User != ann {
		t.Errorf("receipts: %v", all)
	}
	if sent := good[[]*pb.Entry](t)(c.ForwardMessages(ctx, &pb.ForwardMessagesRequest{From: g, To: g, Seqs: []uint64{his}})); len(sent) != 1 {
		t.Errorf("forwarded: %v", sent)
	}
	entry(c.RecallMessage(ctx, &pb.RecallMessageRequest{Conversation: g, Seq: his}))

	topic := entry(c.CreateTopic(ctx, &pb.CreateTopicRequest{Conversation: g, Name: "News"})).Seq
	entry(c.UpdateTopic(ctx, &pb.UpdateTopicRequest{Conversation: g, RootSeq: topic, Name: "Old news"}))
	reply := text(g, "a reply")
	reply.Sender, reply.ThreadSeq = bob, topic
	entry(c.Send(ctx, reply))
	entry(c.CloseTopic(ctx, &pb.CloseTopicRequest{Conversation: g, RootSeq: topic}))
	if all := every(t, c.Topics(ctx, g)); len(all) != 1 || all[0].Entry.Seq != topic {
		t.Errorf("topics: %v", all)
	}
	if all := every(t, c.Thread(ctx, g, topic)); len(all) != 1 || all[0].Entry.Sender != bob {
		t.Errorf("replies: %v", all)
	}
	if all := every(t, c.Threads(ctx, g)); len(all) != 1 || all[0].Entry.Seq != topic {
		t.Errorf("threads: %v", all)
	}

	news := good[*pb.Announcement](t)(c.CreateAnnouncement(ctx, &pb.CreateAnnouncementRequest{Conversation: g, Title: "Sale", Text: "today"}))
	good[*pb.Announcement](t)(c.UpdateAnnouncement(ctx, &pb.UpdateAnnouncementRequest{Conversation: g, Id: news.Id, Title: "Sale", Text: "tomorrow"}))
	if all := good[[]*pb.Announcement](t)(c.Announcements(ctx, g)); len(all) != 1 || all[0].Text != "tomorrow" {
		t.Errorf("announcements: %v", all)
	}
	good[*pb.GroupAttribute](t)(c.SetGroupAttribute(ctx, &pb.SetGroupAttributeRequest{Conversation: g, Name: "open", Value: "yes"}))
	if all := good[[]*pb.GroupAttribute](t)(c.GroupAttributes(ctx, g)); len(all) != 1 || all[0].Value != "yes" {
		t.Errorf("attributes: %v", all)
	}
	if n := good[int64](t)(c.IncrementCounter(ctx, &pb.IncrementCounterRequest{Conversation: g, Name: "sold", Delta: 3})); n != 3 {
		t.Errorf("sold %d", n)
	}
	if all := good[[]*pb.GroupCounter](t)(c.Counters(ctx, g)); len(all) != 1 || all[0].Value != 3 {
		t.Errorf("counters: %v", all)
	}
	for _, err := range []error{
		c.DeleteAnnouncement(ctx, &pb.DeleteAnnouncementRequest{Conversation: g, Id: news.Id}),
		c.RemoveGroupAttribute(ctx, &pb.RemoveGroupAttributeRequest{Conversation: g, Name: "open"}),
		c.RemoveCounter(ctx, &pb.RemoveCounterRequest{Conversation: g, Name: "sold"}),
	} {
		if err != nil {
			t.Error(err)
		}
	}
}

func TestABackEndInGoBroadcastsAndKeepsItsApp(t *testing.T) {
	t.Parallel()
	ctx, c := t.Context(), shop(t)
	ann, bob, dan := someone("ann"), someone("bob"), someone("dan")
	broadcast := good[*pb.Broadcast](t)
	r := &pb.StartBroadcastRequest{Sender: ann, Users: []string{bob, dan}, Body: textBody("open on Sunday")}
	b := broadcast(c.StartBroadcast(ctx, r))
	if again := broadcast(c.StartBroadcast(ctx, r)); string(again.Id) != string(b.Id) || string(b.Id) != string(r.ClientId) {
		t.Errorf("%x, then %x", b.Id, again.Id)
	}
	if b = broadcast(c.WaitBroadcast(ctx, b.Id)); b.State != pb.BroadcastState_BROADCAST_STATE_DONE || b.Sent != 2 {
		t.Errorf("it went %v", b)
	}
	if b = broadcast(c.CancelBroadcast(ctx, b.Id)); b.State != pb.BroadcastState_BROADCAST_STATE_DONE {
		t.Errorf("what was over is %v", b)
	}
	_, err := c.WaitBroadcast(ctx, good[[]byte](t)(c.NewID()))
	if skein.CodeOf(err) != skein.NotFound {
		t.Errorf("of none: %v", err)
	}

	is := good[*pb.App](t)
	before := is(c.App(ctx))
	if after := is(c.UpdateApp(ctx, &pb.UpdateAppRequest{})); !proto.Equal(after.Settings, before.Settings) {
		t.Errorf("nothing was changed: %v, %v", before, after)
	}
	good[int](t)(c.RevokeUser(ctx, dan))
	p := good[*pb.Profile](t)(c.UpdateProfile(ctx, &pb.UpdateProfileRequest{Profile: &pb.Profile{User: bob, Bio: "sells"}, Fields: []string{"bio"}}))
	if p.Bio != "sells" {
		t.Errorf("bob's profile is %v", p)
	}
	if f := good[*pb.GetFollowsResponse](t)(c.Follows(ctx, bob)); f.Followers != 0 {
		t.Errorf("follow bob: %v", f)
	}
}
