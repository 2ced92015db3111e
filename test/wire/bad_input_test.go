package wire_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	pb "github.com/skein-im/skein/proto/skein/v1"
)

func TestALimitOfABillionAndASeqBelowZeroAreRefusedWhereverOneIsTaken(t *testing.T) {
	t.Parallel()
	s, d := matrixServer(t, "")
	limits, seqs := 0, 0
	for _, r := range matrix() {
		if strings.HasPrefix(r.verb, "socket/") {
			continue
		}
		fields := r.request(newFixture(t, s), member).ProtoReflect().Descriptor().Fields()
		limit, seq := fields.ByName("limit"), fields.ByName("seq")
		if limit == nil && seq == nil {
			continue
		}
		p, want := appAdmin, r.outcomes(t)
		for _, one := range []principal{member, admin, owner} {
			if want[one] == outcomeOK {
				p = one
			}
		}
		f := fixtureFor(t, s, &r, p, false)
		before := settled(t, func() string { return stateOf(t, d) })
		if limit != nil {
			limits++
			q := r.request(f, p)
			q.ProtoReflect().Set(limit, protoreflect.ValueOf(uint32(1e9)))
			f.as(p).refused("/skein.v1."+r.verb, q, pb.ErrorCode_ERROR_CODE_INVALID_ARGUMENT)
		}
		if seq != nil {
			seqs++
			body := map[string]any{}
			text, err := protojson.Marshal(r.request(f, p))
			if err == nil {
				err = json.Unmarshal(text, &body)
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, bad := range []any{-1, "-1", "18446744073709551616", 1.5} {
				body["seq"] = bad
				text, _ := json.Marshal(body)
				if got := f.as(p).post("/skein.v1."+r.verb, "application/json", text); got.status != 400 || !bytes.Contains(got.body, []byte(`"invalid_argument"`)) {
					t.Errorf("%s with seq %v: %d %s", r.verb, bad, got.status, got.body)
				}
			}
		}
		if after := settled(t, func() string { return stateOf(t, d) }); after != before {
			t.Errorf("%s changed something:\n%s", r.verb, difference(before, after))
		}
	}
	if limits < 10 || seqs < 8 {
		t.Errorf("%d calls have a limit and %d a seq", limits, seqs)
	}
}

func TestWhatNobodyMayDoIsRefusedByATypedErrorAndChangesNothing(t *testing.T) {
	t.Parallel()
	s, d := matrixServer(t, "")
	f := newFixture(t, s)
	own, adm, mem, gone := f.as(owner), f.as(admin), f.as(member), f.as(ex)
	secret := must[pb.SendMessageResponse](own, sendMessage, &pb.SendMessageRequest{Conversation: f.group, ToUsers: []string{f.users[admin]}, Body: textBody("a secret"), ClientId: newID(0)}).Entry.Seq
	stale := must[pb.CreateInviteResponse](own, createInvite, &pb.CreateInviteRequest{Conversation: f.group, ClientId: newID(0)})
	must[pb.RevokeInviteResponse](own, "/skein.v1.JoinService/RevokeInvite", &pb.RevokeInviteRequest{Conversation: f.group, Invite: stale.Invite.Id, ClientId: newID(0)})
	once := must[pb.CreateInviteResponse](own, createInvite, &pb.CreateInviteRequest{Conversation: f.group, MaxUses: 1, ClientId: newID(0)})
	must[pb.JoinByInviteResponse](as(t, s, f.newcomer()), joinByInvite, &pb.JoinByInviteRequest{Code: once.Code, ClientId: newID(0)})
	used := newID(0)
	must[pb.SendMessageResponse](mem, sendMessage, &pb.SendMessageRequest{Conversation: f.group, Body: textBody("once"), ClientId: used})
	for i := range 50 {
		must[pb.ReactToMessageResponse](mem, reactToMessage, &pb.ReactToMessageRequest{Conversation: f.group, Seq: f.own[owner], Emoji: fmt.Sprint("e", i), ClientId: newID(0)})
	}
	quoting := func(c string, seq uint64) *pb.SendMessageRequest {
		q := text(c, "as was said")
		q.Body.Content.ReplyToSeq = seq
		return q
	}
	role := func(user principal, to pb.Role) proto.Message {
		return &pb.SetRoleRequest{Conversation: f.group, User: f.users[user], Role: to, ClientId: newID(0)}
	}
	elsewhere := mem.group(f.users[owner])
	state := func() string { return stateOf(t, d) }
	before := settled(t, state)
	for name, c := range map[string]struct {
		by   *caller
		verb string
		q    proto.Message
		want string
	}{
		"a member makes themself admin":          {mem, setRole, role(member, pb.Role_ROLE_ADMIN), "PERMISSION_DENIED"},
		"an admin makes themself owner":          {adm, setRole, role(admin, pb.Role_ROLE_OWNER), "PERMISSION_DENIED"},
		"an admin demotes the owner":             {adm, setRole, role(owner, pb.Role_ROLE_MEMBER), "PERMISSION_DENIED"},
		"the last owner is demoted":              {own, setRole, role(owner, pb.Role_ROLE_MEMBER), "FAILED_PRECONDITION"},
		"the last owner leaves":                  {own, leaveGroup, &pb.LeaveGroupRequest{Conversation: f.group, ClientId: newID(0)}, "FAILED_PRECONDITION"},
		"an invitation that was ended":           {f.as(stranger), joinByInvite, &pb.JoinByInviteRequest{Code: stale.Code, ClientId: newID(0)}, "NOT_FOUND"},
		"an invitation for one, a second time":   {f.as(stranger), joinByInvite, &pb.JoinByInviteRequest{Code: once.Code, ClientId: newID(0)}, "NOT_FOUND"},
		"who has left reads who is in":           {gone, listMembers, &pb.ListMembersRequest{Conversation: f.group}, "NOT_FOUND"},
		"who has left reads a later message":     {gone, listEdits, &pb.ListEditsRequest{Conversation: f.group, Seq: secret}, "NOT_FOUND"},
		"another's message is edited":            {adm, editMessage, &pb.EditMessageRequest{Conversation: f.group, Seq: f.own[member], Body: textBody("mine"), ClientId: newID(0)}, "PERMISSION_DENIED"},
		"one that is for another is quoted":      {mem, sendMessage, quoting(f.group, secret), "NOT_FOUND"},
		"one that is not there is quoted":        {mem, sendMessage, quoting(elsewhere, 99), "NOT_FOUND"},
		"one that is for another is forwarded":   {mem, "/skein.v1.ForwardService/ForwardMessages", &pb.ForwardMessagesRequest{From: f.group, Seqs: []uint64{secret}, To: elsewhere, ClientId: newID(0)}, "NOT_FOUND"},
		"one that is for another is reacted to":  {mem, reactToMessage, &pb.ReactToMessageRequest{Conversation: f.group, Seq: secret, Emoji: "👍", ClientId: newID(0)}, "NOT_FOUND"},
		"a client id says something else":        {mem, sendMessage, &pb.SendMessageRequest{Conversation: f.group, Body: textBody("twice"), ClientId: used}, "CLIENT_ID_REUSED"},
		"a client id is used in another place":   {mem, sendMessage, &pb.SendMessageRequest{Conversation: elsewhere, Body: textBody("once"), ClientId: used}, "CLIENT_ID_REUSED"},
		"a page token that nobody was given":     {own, "/skein.v1.JoinService/ListBans", &pb.ListBansRequest{Conversation: f.group, Page: "not one"}, "INVALID_ARGUMENT"},
		"a cursor that is none of this server's": {mem, syncProcedure, &pb.SyncRequest{Cursor: []byte("not one")}, "CURSOR_INVALID"},
	} {
		got := outcomeOf(c.by, c.verb, c.q)
		if got.code != c.want {
			t.Errorf("%s: %s, want %s: %s", name, got.code, c.want, got.text)
		}
	}
	// However many reactions are tried: a message has 50 different ones.
	for i := range 500 {
		q := &pb.ReactToMessageRequest{Conversation: f.group, Seq: f.own[owner], Emoji: fmt.Sprint("more", i), ClientId: newID(0)}
		if got := outcomeOf(mem, reactToMessage, q); got.code != "FAILED_PRECONDITION" {
			t.Fatalf("reaction %d: %s", 51+i, got.text)
		}
	}
	if after := settled(t, state); after != before {
		t.Errorf("something was changed:\n%s", difference(before, after))
	}
	for _, m := range must[pb.ListMembersResponse](own, listMembers, &pb.ListMembersRequest{Conversation: f.group}).Members {
		if want := map[string]pb.Role{f.users[owner]: pb.Role_ROLE_OWNER, f.users[admin]: pb.Role_ROLE_ADMIN}[m.User]; want != 0 && m.Role != want {
			t.Errorf("%s is %s", m.User, m.Role)
		}
	}
}
