package wire_test

import (
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"testing"

	pb "github.com/skein-im/skein/proto/skein/v1"
)

// upload begins an upload of a name and a size with its first words, and returns
// its id, which is the file's once it is whole.
func (c *caller) upload(name, words string, size int) string {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.srv.url+"/v1/uploads/", strings.NewReader(words))
	if err != nil {
		c.t.Fatal(err)
	}
	for k, v := range map[string]string{"Authorization": "Bearer " + c.token, "Skein-App": c.app, "Tus-Resumable": "1.0.0", "Upload-Length": strconv.Itoa(size),
		"Upload-Metadata": "filename " + base64.StdEncoding.EncodeToString([]byte(name)), "Content-Type": "application/offset+octet-stream"} {
		r.Header.Set(k, v)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	text, _ := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if res.StatusCode != http.StatusCreated || res.Header.Get("Upload-Offset") != strconv.Itoa(len(words)) {
		c.t.Fatalf("upload: %s %s", res.Status, text)
	}
	return path.Base(res.Header.Get("Location"))
}

// fileBody is the body of a message that has one file.
func fileBody(id, name string, size int) *pb.Body {
	return &pb.Body{Scheme: pb.BodyScheme_BODY_SCHEME_CONTENT, Content: &pb.Content{Kind: &pb.Content_Attachments{Attachments: &pb.Attachments{
		Items: []*pb.Attachment{{Name: name, Mime: "text/plain", Size: uint64(size), File: id}}}}}}
}

// readFile reads a file of a message and returns the status and what it says.
func (c *caller) readFile(t *testing.T, id, conv string, seq uint64) (int, string) {
	t.Helper()
	q := url.Values{"c": {conv}, "s": {strconv.FormatUint(seq, 10)}}
	return c.srv.get(t, "/v1/files/"+id+"?"+q.Encode(), http.Header{"Authorization": {"Bearer " + c.token}, "Skein-App": {c.app}})
}

func TestAFileOfTheAppGoesWithWhateverItsBackEndHasSent(t *testing.T) {
	s := shared
	ann, bob := someone("ann"), someone("bob")
	own, a, b := backEnd(t, s), as(t, s, ann), as(t, s, bob)
	const words = "the price list"
	id := own.upload("prices.txt", words, len(words))
	body := func() *pb.Body { return fileBody(id, "prices.txt", len(words)) }
	conv := direct(ann, bob)
	team := must[pb.CreateGroupResponse](own, createGroup, &pb.CreateGroupRequest{Owner: ann, Members: []string{bob}, ClientId: newID(0)}).Conversation.Id
	reads := func(what, conv string, seq uint64) {
		t.Helper()
		if status, got := b.readFile(t, id, conv, seq); status != http.StatusOK || got != words {
			t.Errorf("%s: %d %q", what, status, got)
		}
	}
	e := must[pb.SendMessageResponse](own, sendMessage, &pb.SendMessageRequest{Conversation: team, ClientId: newID(0), Body: body()}).Entry
	reads("of the app itself", team, e.Seq)
	e = must[pb.SendMessageResponse](own, sendMessage, &pb.SendMessageRequest{Conversation: conv, ClientId: newID(0), Sender: ann, Body: body()}).Entry
	reads("in a user's name", conv, e.Seq)
	seqs := must[pb.ImportMessagesResponse](own, importMessages, &pb.ImportMessagesRequest{Conversation: team, ImportId: newID(0), Messages: []*pb.ImportedMessage{
		{Sender: someone("gone"), TimeUs: 1_000_000_000_000_000, ClientId: []byte("1"), Body: body()}}}).Seqs
	reads("imported", team, seqs[0])
	shop := someone("shop")
	cast := must[pb.StartBroadcastResponse](own, startBroadcast, &pb.StartBroadcastRequest{ClientId: newID(0), Sender: shop, Users: []string{bob}, Body: body()}).Broadcast
	until(t, "the broadcast is over", func() bool {
		return must[pb.GetBroadcastResponse](own, getBroadcast, &pb.GetBroadcastRequest{Id: cast.Id}).Broadcast.State == pb.BroadcastState_BROADCAST_STATE_DONE
	})
	reads("of a broadcast", direct(shop, bob), 1)

	// Who is no back end sends it on by forwarding alone, and reads it by a message.
	const refused = pb.ErrorCode_ERROR_CODE_FAILED_PRECONDITION
	for _, c := range []*caller{a, b} {
		c.refused(sendMessage, &pb.SendMessageRequest{Conversation: conv, ClientId: newID(0), Body: body()}, refused)
		later := &pb.SendMessageRequest{Conversation: conv, Body: body()}
		c.refused("/skein.v1.TimedService/ScheduleMessage", &pb.ScheduleMessageRequest{Message: later, SendAtUs: inAnHour(), ClientId: newID(0)}, refused)
	}
	other := s.apps["other"]
	if other != nil {
		foreign := &caller{t: t, srv: s, app: other.id, token: other.token(t, ann)}
		foreign.refused(sendMessage, &pb.SendMessageRequest{Conversation: conv, ClientId: newID(0), Body: body()}, refused)
	}
	if status, _ := as(t, s, someone("eve")).readFile(t, id, conv, e.Seq); status != http.StatusNotFound {
		t.Errorf("a stranger reads it: %d", status)
	}
}
