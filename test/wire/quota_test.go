package wire_test

import (
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	pb "github.com/skein-im/skein/proto/skein/v1"
)

// allow sets quotas of the app beside the running server, as an operator does.
func (s *server) allow(t *testing.T, flags ...string) {
	t.Helper()
	out, err := exec.Command(bin, append([]string{"app", "quota", s.app().id, "--data", s.dir}, flags...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func TestAnAppSeesItsQuotasAndCanNotChangeThem(t *testing.T) {
	s := serve(t)
	server := backEnd(t, s)
	s.allow(t, "--max-users=5", "--messages-per-second=2.5", "--max-group-members=7")
	connect(t, s, "ann", "phone")
	check := func(when string) {
		t.Helper()
		app := must[pb.GetAppResponse](server, getApp, &pb.GetAppRequest{}).App
		if q := app.GetQuotas(); q.GetUsers() != 5 || q.GetMessagesPerSecond() != 2.5 || q.GetGroupMembers() != 7 || q.Groups == nil || q.GetGroups() != 0 {
			t.Errorf("%s: quotas %v", when, q)
		}
		if u := app.GetUsage(); u.GetUsers() != 1 || u.GetDevicesOnline() != 1 {
			t.Errorf("%s: usage %v", when, u)
		}
	}
	check("at first")
	// The request has no such field: under the number that quotas have in App,
	// as a setting, and by name.
	quotas, err := proto.Marshal(&pb.AppQuotas{Users: proto.Uint64(1000)})
	if err != nil {
		t.Fatal(err)
	}
	field := func(n protowire.Number, b []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, n, protowire.BytesType), b)
	}
	for _, body := range [][]byte{field(7, quotas), field(3, field(30, quotas)), field(3, field(7, quotas))} {
		if r := server.post(updateApp, "application/proto", body); r.status != http.StatusOK {
			t.Errorf("an unknown field: %d %s", r.status, r.body)
		}
	}
	server.post(updateApp, "application/json", []byte(`{"quotas":{"users":"1000"},"settings":{"quotas":{"users":"1000"}}}`))
	check("after the app has tried")
}

// Over the socket and over HTTP, through a crash, and back.
func TestAQuotaRefusesByATypedErrorAndThroughACrash(t *testing.T) {
	s := serve(t)
	s.allow(t, "--messages-per-day=3", "--max-users=2", "--max-devices-online=2")
	ann, bob := connect(t, s, "ann", "phone"), as(t, s, "bob")
	must[pb.ListConversationsResponse](bob, listConversations, &pb.ListConversationsRequest{})
	first := text(direct("ann", "bob"), "first")
	ann.ack(ann.ask(sendFrame(first)))
	must[pb.SendMessageResponse](bob, sendMessage, text(first.Conversation, "second"))

	s.kill()
	s.fsck(t)
	s = s.again(t)
	ann, bob = connect(t, s, "ann", "phone"), as(t, s, "bob")
	full := func(e *pb.Error) {
		t.Helper()
		if e.GetCode() != pb.ErrorCode_ERROR_CODE_RESOURCE_EXHAUSTED || !strings.Contains(e.GetHint(), "docs/ops/quotas.md") {
			t.Errorf("refused by %v", e)
		}
	}
	ann.say(first.Conversation, "third")
	full(ann.refused(sendFrame(text(first.Conversation, "fourth")), pb.ErrorCode_ERROR_CODE_RESOURCE_EXHAUSTED))
	full(bob.refused(sendMessage, text(first.Conversation, "fourth"), pb.ErrorCode_ERROR_CODE_RESOURCE_EXHAUSTED))
	// What is stored is answered again, and other content under its id is not.
	if ack := ann.ack(ann.ask(sendFrame(first))); ack.GetSeq() != 1 {
		t.Errorf("a retry: %v", ack)
	}
	// A third user, over both; and a third device of one who is here.
	full(as(t, s, "cid").refused(listConversations, &pb.ListConversationsRequest{}, pb.ErrorCode_ERROR_CODE_RESOURCE_EXHAUSTED))
	c := greet(t, s, "cid", "phone")
	full(c.answer(c.ref).GetError())
	connect(t, s, "ann", "tablet")
	c = greet(t, s, "ann", "laptop")
	e := c.answer(c.ref).GetError()
	full(e)
	if e.GetRetryAfterMs() == 0 {
		t.Error("a device is not told when to come back")
	}
	if seqs := len(bob.history(first.Conversation)); seqs != 3 {
		t.Errorf("%d messages are stored", seqs)
	}
	s.allow(t, "--messages-per-day=0", "--max-users=default", "--max-devices-online=3")
	must[pb.SendMessageResponse](bob, sendMessage, text(first.Conversation, "at last"))
	connect(t, s, "ann", "laptop")
}
