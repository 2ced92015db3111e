package wire_test

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	pb "github.com/skein-im/skein/proto/skein/v1"
)

func TestABackEndMakesAndChangesItsUsersEachForItself(t *testing.T) {
	t.Parallel()
	own := backEnd(t, shared)
	ann, bot, bad := someone("ann"), someone("bot"), someone("bad")
	req := &pb.UpsertUsersRequest{Users: []*pb.UserChange{
		{Id: ann, Name: proto.String("Ann"), AvatarUrl: proto.String("https://shop.example/ann.png"),
			Custom: &pb.CustomFields{Fields: []*pb.ProfileField{{Name: "phone", Value: "5551234"}}}},
		{Id: bad, AvatarUrl: proto.String("javascript:alert(1)")},
		{Id: bot, Bot: proto.Bool(true)},
		{Id: strings.Repeat("x", 65)},
		{},
	}}
	want := []pb.ErrorCode{0, pb.ErrorCode_ERROR_CODE_INVALID_ARGUMENT, 0, pb.ErrorCode_ERROR_CODE_INVALID_ARGUMENT, pb.ErrorCode_ERROR_CODE_INVALID_ARGUMENT}
	for _, first := range []bool{true, false} {
		got := must[pb.UpsertUsersResponse](own, upsertUsers, req).Results
		for i, r := range got {
			if r.Id != req.Users[i].Id || r.Error.GetCode() != want[i] || r.Created != (first && want[i] == 0) {
				t.Errorf("the first time: %v, user %d: %v", first, i, r)
			}
		}
	}
	own.refused(getUser, &pb.GetUserRequest{Id: bad}, pb.ErrorCode_ERROR_CODE_NOT_FOUND)
	// What a change leaves out stays.
	must[pb.UpsertUsersResponse](own, upsertUsers, &pb.UpsertUsersRequest{Users: []*pb.UserChange{{Id: ann, Name: proto.String("")}, {Id: bot, Bot: proto.Bool(false)}}})
	u := must[pb.GetUserResponse](own, getUser, &pb.GetUserRequest{Id: ann}).User
	if p := u.Profile; u.Bot || u.CreatedUs == 0 || p.GetName() != "" || p.GetAvatarUrl() == "" || len(p.GetCustom()) != 1 || p.Custom[0].Value != "5551234" {
		t.Errorf("ann is %v", u)
	}
	if u := must[pb.GetUserResponse](own, getUser, &pb.GetUserRequest{Id: bot}).User; u.Bot || u.Profile != nil {
		t.Errorf("the former bot is %v", u)
	}
	own.refused(upsertUsers, &pb.UpsertUsersRequest{}, pb.ErrorCode_ERROR_CODE_INVALID_ARGUMENT)
	own.refused(upsertUsers, &pb.UpsertUsersRequest{Users: make501()}, pb.ErrorCode_ERROR_CODE_INVALID_ARGUMENT)
}

func make501() []*pb.UserChange {
	out := make([]*pb.UserChange, 501)
	for i := range out {
		out[i] = &pb.UserChange{Id: someone("many")}
	}
	return out
}

func TestUsersAreListedPageByPageAndAPageServesItsAppAlone(t *testing.T) {
	t.Parallel()
	own := backEnd(t, shared)
	made := map[string]bool{}
	var changes []*pb.UserChange
	for range 5 {
		id := someone("listed")
		made[id] = true
		changes = append(changes, &pb.UserChange{Id: id})
	}
	must[pb.UpsertUsersResponse](own, upsertUsers, &pb.UpsertUsersRequest{Users: changes})
	before, page, last := "", "", ""
	for pages := 0; ; pages++ {
		got := must[pb.ListUsersResponse](own, listUsers, &pb.ListUsersRequest{Limit: 2, Page: page})
		for _, u := range got.Users {
			if u.Id <= before {
				t.Fatalf("%q came after %q", u.Id, before)
			}
			before = u.Id
			delete(made, u.Id)
		}
		if page = got.NextPage; page == "" {
			break
		}
		last = page
	}
	if len(made) > 0 {
		t.Errorf("not listed: %v", made)
	}
	const invalid = pb.ErrorCode_ERROR_CODE_INVALID_ARGUMENT
	other := &caller{t: t, srv: shared, app: "other", token: shared.apps["other"].serverToken(t)}
	other.refused(listUsers, &pb.ListUsersRequest{Page: last}, invalid)
	own.refused(listUsers, &pb.ListUsersRequest{Page: last[:len(last)-1] + "!"}, invalid)
	own.refused(listUsers, &pb.ListUsersRequest{Limit: 501}, invalid)
}

func TestASuspendedUserLosesTheSocketAndGetsNothingMore(t *testing.T) {
	t.Parallel()
	own := backEnd(t, shared)
	ann, bob := someone("ann"), someone("bob")
	b := connect(t, shared, bob, "phone")
	conv := direct(ann, bob)
	b.say(conv, "before")
	if n := must[pb.SuspendUserResponse](own, suspendUser, &pb.SuspendUserRequest{Id: bob}).DevicesSignedOut; n != 1 {
		t.Errorf("%d devices were signed out", n)
	}
	b.endsWith(pb.CloseCode_CLOSE_CODE_SIGNED_OUT)
	as(t, shared, ann).say(conv, "after")
	as(t, shared, bob).refused(sendMessage, text(conv, "me again"), pb.ErrorCode_ERROR_CODE_PERMISSION_DENIED)
	if u := must[pb.GetUserResponse](own, getUser, &pb.GetUserRequest{Id: bob}).User; u.SuspendedUs == 0 {
		t.Errorf("bob is %v", u)
	}
	must[pb.UnsuspendUserResponse](own, unsuspendUser, &pb.UnsuspendUserRequest{Id: bob})
	back := as(t, shared, bob)
	back.token = shared.app().token(t, bob, lasting(5e9, 600e9)) // the tests' tokens tell seconds, a suspension finer times
	if h := back.history(conv); len(h) != 2 {
		t.Errorf("bob reads %d messages", len(h))
	}
}

func TestABackEndSendsAsAMemberByTheMembersRules(t *testing.T) {
	t.Parallel()
	own := backEnd(t, shared)
	ann, bob, eve := someone("ann"), someone("bob"), someone("eve")
	conv := as(t, shared, ann).group(bob)
	b := connect(t, shared, bob, "phone")
	r := text(conv, "from ann's old account")
	r.Sender = ann
	e := must[pb.SendMessageResponse](own, sendMessage, r).Entry
	if e.Sender != ann {
		t.Errorf("sent by %q", e.Sender)
	}
	if got := b.hears(conv, "from ann's old account"); got.Sender != ann || got.Seq != e.Seq {
		t.Errorf("bob hears %v", got)
	}
	if again := must[pb.SendMessageResponse](own, sendMessage, r).Entry; again.Seq != e.Seq {
		t.Errorf("sent again as %d, was %d", again.Seq, e.Seq)
	}
	for sender, want := range map[string]pb.ErrorCode{eve: pb.ErrorCode_ERROR_CODE_NOT_FOUND, "a\nb": pb.ErrorCode_ERROR_CODE_INVALID_ARGUMENT} {
		r := text(conv, "no")
		r.Sender = sender
		own.refused(sendMessage, r, want)
	}
	// A user is who they are, on either way.
	mine := text(conv, "as myself?")
	mine.Sender = bob
	as(t, shared, bob).refused(sendMessage, mine, pb.ErrorCode_ERROR_CODE_INVALID_ARGUMENT)
	b.refused(sendFrame(mine), pb.ErrorCode_ERROR_CODE_INVALID_ARGUMENT)
	if h := as(t, shared, ann).history(conv); h[len(h)-1].Seq != e.Seq {
		t.Errorf("the last entry is %v", h[len(h)-1])
	}
}

func TestAnErasedUserLeavesNothingOfTheirs(t *testing.T) {
	t.Parallel()
	own := backEnd(t, shared)
	ann, bob, carol, dora := someone("ann"), someone("bob"), someone("carol"), someone("dora")
	must[pb.UpsertUsersResponse](own, upsertUsers, &pb.UpsertUsersRequest{Users: []*pb.UserChange{{Id: ann, Name: proto.String("Ann")}}})
	a, b := as(t, shared, ann), as(t, shared, bob)
	conv, former, whisper := a.group(bob, carol, dora), b.group(ann), direct(ann, bob)
	must[pb.SetRoleResponse](a, setRole, &pb.SetRoleRequest{Conversation: conv, User: dora, Role: pb.Role_ROLE_ADMIN, ClientId: newID(0)})
	edited := a.say(conv, "a secret").Seq
	must[pb.EditMessageResponse](a, editMessage, &pb.EditMessageRequest{Conversation: conv, Seq: edited, Body: textBody("another secret"), ClientId: newID(0)})
	stays := b.say(conv, "bob's words").Seq
	a.say(former, "a secret of then")
	must[pb.LeaveGroupResponse](a, leaveGroup, &pb.LeaveGroupRequest{Conversation: former, ClientId: newID(0)})
	a.say(whisper, "a secret for two")
	must[pb.BlockUserResponse](a, blockUser, &pb.BlockUserRequest{User: bob, ClientId: newID(0)})
	listener := connect(t, shared, bob, "phone")

	if e := must[pb.EraseUserResponse](own, eraseUser, &pb.EraseUserRequest{Id: ann}).Erasure; e.State == 0 || e.Id != ann || e.StartedUs == 0 {
		t.Errorf("begun: %v", e)
	}
	a.refused(sendMessage, text(conv, "still here?"), pb.ErrorCode_ERROR_CODE_PERMISSION_DENIED)
	must[pb.EraseUserResponse](own, eraseUser, &pb.EraseUserRequest{Id: ann}) // as after a lost answer
	listener.await("the recall", func(f *pb.ServerFrame) bool {
		e := f.GetEntry()
		return e.GetKind() == pb.EntryKind_ENTRY_KIND_RECALL && e.TargetSeq == edited
	})
	var e *pb.Erasure
	for e.GetState() != pb.ErasureState_ERASURE_STATE_DONE {
		<-time.After(10 * time.Millisecond)
		e = must[pb.GetErasureResponse](own, getErasure, &pb.GetErasureRequest{Id: ann}).Erasure
	}
	if e.Messages != 3 || e.Conversations < 3 || e.FinishedUs < e.StartedUs {
		t.Errorf("done: %v", e)
	}
	for _, in := range []string{conv, former, whisper} {
		for _, entry := range b.history(in) {
			if entry.Seq != stays && strings.Contains(entry.String(), "secret") {
				t.Errorf("left in %s: %v", in, entry)
			}
		}
	}
	if r := must[pb.ListEditsResponse](b, listEdits, &pb.ListEditsRequest{Conversation: conv, Seq: edited}).Revisions; len(r) > 0 {
		t.Errorf("left of the edits: %v", r)
	}
	for _, m := range must[pb.ListMembersResponse](b, listMembers, &pb.ListMembersRequest{Conversation: conv}).Members {
		if m.User == ann || m.User == dora && m.Role != pb.Role_ROLE_OWNER {
			t.Errorf("a member: %v", m)
		}
	}
	if u := must[pb.GetUserResponse](own, getUser, &pb.GetUserRequest{Id: ann}).User; u.Profile != nil || u.SuspendedUs == 0 {
		t.Errorf("ann is %v", u)
	}
	b.say(whisper, "the block is gone")
}
