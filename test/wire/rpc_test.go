package wire_test

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	pb "github.com/skein-im/skein/proto/skein/v1"
)

// procedures returns every call that the proto has, with an empty request.
func procedures(t *testing.T) map[string]proto.Message {
	t.Helper()
	out := map[string]proto.Message{}
	protoregistry.GlobalFiles.RangeFilesByPackage("skein.v1", func(f protoreflect.FileDescriptor) bool {
		for i := range f.Services().Len() {
			s := f.Services().Get(i)
			for k := range s.Methods().Len() {
				m := s.Methods().Get(k)
				mt, err := protoregistry.GlobalTypes.FindMessageByName(m.Input().FullName())
				if err != nil {
					t.Fatal(err)
				}
				out["/"+string(s.FullName())+"/"+string(m.Name())] = mt.New().Interface()
			}
		}
		return true
	})
	return out
}

// requests are good requests of every call, by a user to a group of theirs
// with a message at seq 2.
func requests(conv string) map[string]proto.Message {
	all := verbs(conv)
	for p, r := range map[string]proto.Message{
		listConversations: &pb.ListConversationsRequest{},
		createGroup:       &pb.CreateGroupRequest{ClientId: newID(0)},
		syncProcedure:     &pb.SyncRequest{},
		listDevices:       &pb.ListDevicesRequest{},
		signOutDevice:     &pb.SignOutDeviceRequest{Device: "phone"},
		getPresence:       &pb.GetPresenceRequest{Users: []string{"x"}},
		getApp:            &pb.GetAppRequest{},
		updateApp:         &pb.UpdateAppRequest{},
		revokeUser:        &pb.RevokeUserRequest{User: "nobody-at-all"},
	} {
		all[p] = r
	}
	return all
}

func TestEveryCallWantsATokenOfItsApp(t *testing.T) {
	t.Parallel()
	w := watch(t, shared)
	ann := someone("ann")
	wire, other := shared.apps["wire"], shared.apps["other"]
	conv := as(t, shared, ann).group()
	const stranger, expired = pb.ErrorCode_ERROR_CODE_UNAUTHENTICATED, pb.ErrorCode_ERROR_CODE_TOKEN_EXPIRED
	known := requests(conv)
	open := map[string]bool{} // to whoever has no token yet
	for _, r := range matrix() {
		open["/skein.v1."+r.verb] = r.outcomes(t)[anonymous] != "UNAUTHENTICATED"
	}
	for p, r := range procedures(t) {
		// RenewToken takes a token that has expired, too; package auth tests which.
		if open[p] || strings.HasSuffix(p, "/RenewToken") {
			continue
		}
		if known[p] != nil {
			r = known[p]
		}
		for name, c := range map[string]struct {
			app, token, device string
			want               pb.ErrorCode
		}{
			"no token":                       {"wire", "", "", stranger},
			"an expired token":               {"wire", wire.token(t, ann, lasting(-time.Hour, -2*time.Minute)), "", expired},
			"another app's header":           {"other", wire.token(t, ann), "", stranger},
			"another app's token":            {"wire", other.token(t, ann), "", stranger},
			"another app's server token":     {"wire", other.serverToken(t), "", stranger},
			"an expired server token":        {"wire", wire.serverToken(t, lasting(-time.Hour, -2*time.Minute)), "", expired},
			"no app":                         {"", wire.token(t, ann), "", stranger},
			"an app that there is not":       {"nobody", wire.token(t, ann), "", stranger},
			"a device with a control byte":   {"wire", wire.token(t, ann), "%07", pb.ErrorCode_ERROR_CODE_INVALID_ARGUMENT},
			"a token bound to another phone": {"wire", wire.token(t, ann, with("dev", "a")), "b", stranger},
		} {
			got := (&caller{t: t, srv: shared, app: c.app, token: c.token, device: c.device}).call(p, r)
			if got.err.GetCode() != c.want || got.err.GetMessage() == "" || c.want != pb.ErrorCode_ERROR_CODE_INVALID_ARGUMENT && got.status != 401 {
				t.Errorf("%s with %s: %d %s", p, name, got.status, got.body)
			}
		}
	}
	if c := must[pb.GetConversationResponse](as(t, shared, ann), getConversation, &pb.GetConversationRequest{Conversation: conv}).Conversation; c.HeadSeq != 1 {
		t.Errorf("something got in: %v", c)
	}
	w.holds()
}

// What the app's back end may do without being anybody: all within its app
// that needs no user.
func TestAServerTokenActsForTheAppAndForNoUser(t *testing.T) {
	t.Parallel()
	ann, bob := someone("ann"), someone("bob")
	conv := as(t, shared, ann).group(bob)
	as(t, shared, ann).say(conv, "hello")
	be := backEnd(t, shared)
	must[pb.ReactToMessageResponse](be, reactToMessage, &pb.ReactToMessageRequest{Conversation: conv, Seq: 2, Emoji: "x", ClientId: newID(0)})
	const ok = pb.ErrorCode_ERROR_CODE_UNSPECIFIED
	want := map[string]pb.ErrorCode{
		getConversation: ok, listMembers: ok, updateGroup: ok, addMembers: ok, sendMessage: ok, listMessages: ok,
		listConversations: ok, syncProcedure: ok, getPresence: ok, getApp: ok, updateApp: ok, revokeUser: ok,
		removeMember:  pb.ErrorCode_ERROR_CODE_NOT_FOUND, // the group has no "bob"
		setRole:       ok,
		listEdits:     pb.ErrorCode_ERROR_CODE_NOT_FOUND, // entry 1 is a change of members
		editMessage:   pb.ErrorCode_ERROR_CODE_NOT_FOUND,
		recallMessage: pb.ErrorCode_ERROR_CODE_NOT_FOUND, reactToMessage: pb.ErrorCode_ERROR_CODE_NOT_FOUND,
		leaveGroup:       pb.ErrorCode_ERROR_CODE_NOT_FOUND, // it is in no group
		readConversation: pb.ErrorCode_ERROR_CODE_NOT_FOUND, // it has no marker
		createGroup:      pb.ErrorCode_ERROR_CODE_INVALID_ARGUMENT,
		listDevices:      pb.ErrorCode_ERROR_CODE_NOT_FOUND,
		signOutDevice:    pb.ErrorCode_ERROR_CODE_NOT_FOUND,
	}
	for _, p := range []string{getConversation, listMembers, updateGroup, addMembers, removeMember, setRole, leaveGroup, createGroup, sendMessage,
		editMessage, recallMessage, reactToMessage, readConversation, listMessages, listEdits, listConversations, syncProcedure,
		listDevices, signOutDevice, getPresence, getApp, updateApp, revokeUser} {
		got := be.call(p, requests(conv)[p])
		if got.err.GetCode() != want[p] || (got.status == 200) != (want[p] == ok) {
			t.Errorf("%s: %d %s, want %v", p, got.status, got.body, want[p])
		}
	}
	// Its message is the group's, and nobody's.
	var said []*pb.Entry
	for _, e := range as(t, shared, bob).history(conv) {
		if e.Sender == "" && e.Kind == pb.EntryKind_ENTRY_KIND_MESSAGE {
			said = append(said, e)
		}
	}
	if len(said) != 1 || textOf(said[0]) != "hello" {
		t.Errorf("%v", said)
	}
}

func TestRequestsThatBreakTheRulesOfTheProtoAreRefused(t *testing.T) {
	t.Parallel()
	w := watch(t, shared)
	ann := someone("ann")
	c := as(t, shared, ann)
	conv := c.group("x")
	long := strings.Repeat("i", 137)
	many := func(n int) []string { return strings.Split(strings.Repeat("u,", n-1)+"u", ",") }
	id := newID(0)
	v4 := bytes.Clone(id)
	v4[6] = 0x40
	for i, bad := range []struct {
		procedure string
		request   proto.Message
	}{
		{getConversation, &pb.GetConversationRequest{}},
		{getConversation, &pb.GetConversationRequest{Conversation: long}},
		{listConversations, &pb.ListConversationsRequest{Limit: 201}},
		{listConversations, &pb.ListConversationsRequest{Limit: 1 << 31}},
		{listConversations, &pb.ListConversationsRequest{Page: strings.Repeat("p", 257)}},
		{listConversations, &pb.ListConversationsRequest{Page: "forged"}},
		{createGroup, &pb.CreateGroupRequest{Id: "-x", ClientId: id}},
		{createGroup, &pb.CreateGroupRequest{Id: "@1:a:b", ClientId: id}},
		{createGroup, &pb.CreateGroupRequest{Id: "~ann", ClientId: id}},
		{createGroup, &pb.CreateGroupRequest{Id: "a b", ClientId: id}},
		{createGroup, &pb.CreateGroupRequest{Id: "grüppe", ClientId: id}},
		{createGroup, &pb.CreateGroupRequest{Id: strings.Repeat("g", 65), ClientId: id}},
		{createGroup, &pb.CreateGroupRequest{Title: strings.Repeat("t", 129), ClientId: id}},
		{createGroup, &pb.CreateGroupRequest{Title: "two\nlines", ClientId: id}},
		{createGroup, &pb.CreateGroupRequest{Members: many(1000), ClientId: id}},
		{createGroup, &pb.CreateGroupRequest{Members: []string{""}, ClientId: id}},
		{createGroup, &pb.CreateGroupRequest{Members: []string{"bob\u202e"}, ClientId: id}},
		{createGroup, &pb.CreateGroupRequest{Members: []string{strings.Repeat("b", 65)}, ClientId: id}},
		{createGroup, &pb.CreateGroupRequest{}},
		{createGroup, &pb.CreateGroupRequest{ClientId: id[:15]}},
		{createGroup, &pb.CreateGroupRequest{ClientId: v4}},
		{updateGroup, &pb.UpdateGroupRequest{Conversation: conv, Title: strings.Repeat("t", 129), ClientId: id}},
		{updateGroup, &pb.UpdateGroupRequest{Conversation: conv, Title: "x"}},
		{updateGroup, &pb.UpdateGroupRequest{Title: "x", ClientId: id}},
		{listMembers, &pb.ListMembersRequest{Conversation: conv, Limit: 201}},
		{listMembers, &pb.ListMembersRequest{Conversation: conv, Page: strings.Repeat("p", 257)}},
		{addMembers, &pb.AddMembersRequest{Conversation: conv, ClientId: id}},
		{addMembers, &pb.AddMembersRequest{Conversation: conv, Users: many(1001), ClientId: id}},
		{addMembers, &pb.AddMembersRequest{Conversation: conv, Users: []string{"a\x00"}, ClientId: id}},
		{removeMember, &pb.RemoveMemberRequest{Conversation: conv, ClientId: id}},
		{removeMember, &pb.RemoveMemberRequest{Conversation: conv, User: ann, ClientId: id}},
		{setRole, &pb.SetRoleRequest{Conversation: conv, User: "x", ClientId: id}},
		{setRole, &pb.SetRoleRequest{Conversation: conv, User: "x", Role: 9, ClientId: id}},
		{leaveGroup, &pb.LeaveGroupRequest{Conversation: conv, ClientId: make([]byte, 16)}},
		{sendMessage, &pb.SendMessageRequest{Conversation: conv, ClientId: id}},
		{sendMessage, &pb.SendMessageRequest{Conversation: conv, Body: textBody("x")}},
		{sendMessage, &pb.SendMessageRequest{Conversation: long, ClientId: id, Body: textBody("x")}},
		{editMessage, &pb.EditMessageRequest{Conversation: conv, Body: textBody("x"), ClientId: id}},
		{editMessage, &pb.EditMessageRequest{Conversation: conv, Seq: 1, ClientId: id}},
		{recallMessage, &pb.RecallMessageRequest{Conversation: conv, ClientId: id}},
		{reactToMessage, &pb.ReactToMessageRequest{Conversation: conv, Seq: 1, ClientId: id}},
		{reactToMessage, &pb.ReactToMessageRequest{Conversation: conv, Seq: 1, Emoji: strings.Repeat("e", 33), ClientId: id}},
		{readConversation, &pb.ReadConversationRequest{Conversation: conv}},
		{listMessages, &pb.ListMessagesRequest{Conversation: conv, Limit: 1e9}},
		{listMessages, &pb.ListMessagesRequest{Conversation: conv, BeforeSeq: 2, AfterSeq: 1}},
		{listEdits, &pb.ListEditsRequest{Conversation: conv}},
		{syncProcedure, &pb.SyncRequest{Conversations: 501}},
		{syncProcedure, &pb.SyncRequest{Entries: 201}},
		{syncProcedure, &pb.SyncRequest{Cursor: make([]byte, 1025)}},
		{signOutDevice, &pb.SignOutDeviceRequest{}},
		{signOutDevice, &pb.SignOutDeviceRequest{Device: strings.Repeat("d", 65)}},
		{getPresence, &pb.GetPresenceRequest{}},
		{getPresence, &pb.GetPresenceRequest{Users: many(201)}},
		{updateApp, &pb.UpdateAppRequest{LoginPolicy: 9}},
		{updateApp, &pb.UpdateAppRequest{AllowedOrigins: &pb.Origins{Origins: many(101)}}},
		{updateApp, &pb.UpdateAppRequest{AllowedOrigins: &pb.Origins{Origins: []string{strings.Repeat("o", 257)}}}},
		{revokeUser, &pb.RevokeUserRequest{}},
		{revokeUser, &pb.RevokeUserRequest{User: strings.Repeat("u", 65)}},
	} {
		who := c
		if strings.Contains(bad.procedure, "AdminService") {
			who = backEnd(t, shared)
		}
		if r := who.call(bad.procedure, bad.request); r.status != 400 || r.err.GetCode() != pb.ErrorCode_ERROR_CODE_INVALID_ARGUMENT || r.err.GetMessage() == "" {
			t.Errorf("row %d, %s: %d %s", i, bad.procedure, r.status, r.body)
		}
	}
	if conv := must[pb.GetConversationResponse](c, getConversation, &pb.GetConversationRequest{Conversation: conv}).Conversation; conv.HeadSeq != 1 || conv.MemberCount != 2 {
		t.Errorf("something got in: %v", conv)
	}
	w.holds()
}

func TestCallsThatAreNotOfTheProtocolAreRefused(t *testing.T) {
	t.Parallel()
	w := watch(t, shared)
	ann, _, conv := pair()
	c := as(t, shared, ann)
	good := encode(t, text(conv, "x"))
	var squeezed bytes.Buffer
	z := gzip.NewWriter(&squeezed)
	z.Write(make([]byte, 64<<20))
	z.Close()
	for name, r := range map[string]struct {
		contentType string
		body        []byte
		status      int
		code        string
	}{
		"noise":               {"application/proto", []byte("\xff\xff\xff"), 400, "invalid_argument"},
		"cut short":           {"application/proto", good[:len(good)-1], 400, "invalid_argument"},
		"not UTF-8":           {"application/proto", field(nil, 1, []byte("\xff")), 400, "invalid_argument"},
		"no JSON":             {"application/json", []byte("{"), 400, "invalid_argument"},
		"JSON nested deep":    {"application/json", []byte(strings.Repeat(`{"body":`, 20000)), 400, "invalid_argument"},
		"another type":        {"text/plain", good, 415, ""},
		"a form":              {"application/x-www-form-urlencoded", good, 415, ""},
		"more than 256 KiB":   {"application/proto", pad(good, 256<<10+1), 400, "out_of_range"},
		"more than 1 MiB":     {"application/json", append([]byte(`{"x":"`), bytes.Repeat([]byte("x"), 1<<20)...), 400, "out_of_range"},
		"64 MiB in a thimble": {"application/proto", squeezed.Bytes(), 400, "invalid_argument"}, // not declared as gzip: noise
	} {
		got := c.post(sendMessage, r.contentType, r.body)
		if got.status != r.status || got.connect != r.code {
			t.Errorf("%s: %d %.300s", name, got.status, got.body)
		}
		if got.connect == "out_of_range" && got.err.GetCode() != pb.ErrorCode_ERROR_CODE_TOO_LARGE {
			t.Errorf("%s: %v", name, got.err)
		}
	}
	c.encoding = "gzip"
	if got := c.post(sendMessage, "application/proto", squeezed.Bytes()); got.connect != "resource_exhausted" {
		t.Errorf("64 MiB in %d bytes: %d %.300s", squeezed.Len(), got.status, got.body)
	}
	c.encoding = ""
	if got := c.call("/skein.v1.MessageService/Nope", &pb.SyncRequest{}); got.status != 404 {
		t.Errorf("a call that there is not: %d %s", got.status, got.body)
	}
	if status, _ := shared.get(t, sendMessage, nil); status != 405 {
		t.Errorf("GET: %d", status)
	}
	// JSON in, JSON out.
	b, err := protojson.Marshal(text(conv, "in JSON"))
	if err != nil {
		t.Fatal(err)
	}
	got := c.post(sendMessage, "application/json", b)
	var res pb.SendMessageResponse
	if got.status != 200 || protojson.Unmarshal(got.body, &res) != nil || res.Entry.Seq != 1 || textOf(res.Entry) != "in JSON" {
		t.Errorf("%d %s", got.status, got.body)
	}
	w.holds()
}

func TestCallsSayThatTheyAreNotToBeKept(t *testing.T) {
	t.Parallel()
	r := as(t, shared, someone("ann")).call(listDevices, &pb.ListDevicesRequest{})
	for k, v := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"} {
		if r.header.Get(k) != v {
			t.Errorf("%s: %q", k, r.header.Get(k))
		}
	}
	// A preflight is answered; it carries no cookie and decides nothing.
	status, _ := shared.do(t, http.MethodOptions, sendMessage, http.Header{"Origin": {"https://shop.example"},
		"Access-Control-Request-Method": {"POST"}}, "")
	if status != http.StatusNoContent {
		t.Errorf("preflight: %d", status)
	}
}
