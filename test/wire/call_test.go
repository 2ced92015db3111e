package wire_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"google.golang.org/protobuf/proto"

	pb "github.com/skein-im/skein/proto/skein/v1"
)

// caller is who makes unary calls.
type caller struct {
	t        testing.TB
	srv      *server
	app      string
	token    string
	device   string
	origin   string // of the page that calls; "" = a program
	encoding string // of the request's body
}

// as is a user of the server's first app, without a device.
func as(t testing.TB, s *server, user string) *caller {
	t.Helper()
	return &caller{t: t, srv: s, app: s.app().id, token: s.app().token(t, user)}
}

// on is the same on a device.
func (c caller) on(device string) *caller { c.device = device; return &c }

// backEnd is the app's own back end.
func backEnd(t testing.TB, s *server) *caller {
	t.Helper()
	return &caller{t: t, srv: s, app: s.app().id, token: s.app().serverToken(t)}
}

// reply is the answer to a call as it came.
type reply struct {
	status int
	header http.Header
	body   []byte
	// Of an error: Connect's own code, and our error if there is one.
	connect string
	err     *pb.Error
}

// post makes a call with any body.
func (c *caller) post(procedure, contentType string, body []byte) *reply {
	c.t.Helper()
	r, err := http.NewRequest(http.MethodPost, c.srv.url+procedure, bytes.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Content-Type", contentType)
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	if c.app != "" {
		r.Header.Set("Skein-App", c.app)
	}
	if c.device != "" {
		r.Header.Set("Skein-Device", c.device)
	}
	if c.encoding != "" {
		r.Header.Set("Content-Encoding", c.encoding)
	}
	if c.origin != "" {
		r.Header.Set("Origin", c.origin)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	out := &reply{status: res.StatusCode, header: res.Header}
	if out.body, err = io.ReadAll(res.Body); err != nil {
		c.t.Fatal(err)
	}
	if out.status != http.StatusOK {
		out.connect, out.err = errorOf(c.t, out.body)
	}
	return out
}

// errorOf reads a Connect error: its code, and the skein.v1.Error in it.
func errorOf(t testing.TB, body []byte) (string, *pb.Error) {
	t.Helper()
	var e struct {
		Code    string
		Message string
		Details []struct{ Type, Value string }
	}
	if err := json.Unmarshal(body, &e); err != nil {
		return "", nil
	}
	for _, d := range e.Details {
		if d.Type != "skein.v1.Error" {
			continue
		}
		raw, err := base64.RawStdEncoding.DecodeString(d.Value)
		if err != nil {
			t.Fatal(err)
		}
		out := new(pb.Error)
		if err := proto.Unmarshal(raw, out); err != nil {
			t.Fatal(err)
		}
		return e.Code, out
	}
	return e.Code, nil
}

// call makes a call with a message and returns the raw answer.
func (c *caller) call(procedure string, req proto.Message) *reply {
	c.t.Helper()
	b, err := proto.Marshal(req)
	if err != nil {
		c.t.Fatal(err)
	}
	return c.post(procedure, "application/proto", b)
}

// must makes a call that has to succeed.
func must[Res any, P interface {
	*Res
	proto.Message
}](c *caller, procedure string, req proto.Message) P {
	c.t.Helper()
	r := c.call(procedure, req)
	if r.status != http.StatusOK {
		c.t.Fatalf("%s: %d %s", procedure, r.status, r.body)
	}
	out := P(new(Res))
	if err := proto.Unmarshal(r.body, out); err != nil {
		c.t.Fatal(err)
	}
	return out
}

// refused makes a call that has to fail with a typed error.
func (c *caller) refused(procedure string, req proto.Message, want pb.ErrorCode) *pb.Error {
	c.t.Helper()
	r := c.call(procedure, req)
	if r.err.GetCode() != want || r.err.GetMessage() == "" {
		c.t.Fatalf("%s(%.200v): %d %s; want %v with a message", procedure, req, r.status, r.body, want)
	}
	return r.err
}

const (
	getConversation   = "/skein.v1.ConversationService/GetConversation"
	listConversations = "/skein.v1.ConversationService/ListConversations"
	createGroup       = "/skein.v1.ConversationService/CreateGroup"
	updateGroup       = "/skein.v1.ConversationService/UpdateGroup"
	listMembers       = "/skein.v1.ConversationService/ListMembers"
	addMembers        = "/skein.v1.ConversationService/AddMembers"
	removeMember      = "/skein.v1.ConversationService/RemoveMember"
	leaveGroup        = "/skein.v1.ConversationService/LeaveGroup"
	setRole           = "/skein.v1.ConversationService/SetRole"
	sendMessage       = "/skein.v1.MessageService/SendMessage"
	editMessage       = "/skein.v1.MessageService/EditMessage"
	recallMessage     = "/skein.v1.MessageService/RecallMessage"
	reactToMessage    = "/skein.v1.MessageService/ReactToMessage"
	readConversation  = "/skein.v1.MessageService/ReadConversation"
	listMessages      = "/skein.v1.MessageService/ListMessages"
	listEdits         = "/skein.v1.MessageService/ListEdits"
	syncProcedure     = "/skein.v1.SyncService/Sync"
	listDevices       = "/skein.v1.DeviceService/ListDevices"
	signOutDevice     = "/skein.v1.DeviceService/SignOutDevice"
	getPresence       = "/skein.v1.PresenceService/GetPresence"
	getApp            = "/skein.v1.AdminService/GetApp"
	updateApp         = "/skein.v1.AdminService/UpdateApp"
	revokeUser        = "/skein.v1.AdminService/RevokeUser"
)

// say sends a text over HTTP.
func (c *caller) say(conv, s string) *pb.Entry {
	c.t.Helper()
	return must[pb.SendMessageResponse](c, sendMessage, text(conv, s)).Entry
}

// group makes a group with other members; its id is unique.
func (c *caller) group(members ...string) string {
	c.t.Helper()
	return must[pb.CreateGroupResponse](c, createGroup, &pb.CreateGroupRequest{Members: members, ClientId: newID(0)}).Conversation.Id
}

// history returns all that a conversation holds, oldest first.
func (c *caller) history(conv string) []*pb.Entry {
	c.t.Helper()
	var out []*pb.Entry
	for after := uint64(0); ; {
		// Asked forwards from 0 the newest page would come; so the first one
		// is asked for by what lies before its end.
		r := &pb.ListMessagesRequest{Conversation: conv, AfterSeq: after, Limit: 200}
		if after == 0 {
			r.BeforeSeq = 2
		}
		page := must[pb.ListMessagesResponse](c, listMessages, r)
		for _, it := range page.Items {
			out = append(out, it.Entry)
		}
		if page.ToSeq == 0 || page.AtEnd && after > 0 {
			return out
		}
		after = max(page.ToSeq, after, 1)
	}
}
