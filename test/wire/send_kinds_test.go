package wire_test

import (
	"maps"
	"strings"
	"testing"

	pb "github.com/skein-im/skein/proto/skein/v1"
)

// badSend is a message that is refused.
type badSend = struct {
	change func(r *pb.SendMessageRequest)
	want   pb.ErrorCode
}

// badKinds are bad contents of every kind, what the server alone writes, and
// bad ways of sending.
func badKinds() map[string]badSend {
	const (
		invalid = pb.ErrorCode_ERROR_CODE_INVALID_ARGUMENT
		absent  = pb.ErrorCode_ERROR_CODE_NOT_FOUND
		denied  = pb.ErrorCode_ERROR_CODE_PERMISSION_DENIED
	)
	text := textBody("x").Content.Kind
	of := func(c *pb.Content, want pb.ErrorCode) badSend {
		return badSend{func(r *pb.SendMessageRequest) { r.Body = content(c) }, want}
	}
	place := func(lat, lng int32) *pb.Content {
		return &pb.Content{Kind: &pb.Content_Location{Location: &pb.Location{LatitudeE7: lat, LongitudeE7: lng}}}
	}
	files := func(n int, url string) *pb.Content {
		as := &pb.Attachments{}
		for range n {
			as.Items = append(as.Items, &pb.Attachment{Name: "a", Mime: "image/png", Url: url})
		}
		return &pb.Content{Kind: &pb.Content_Attachments{Attachments: as}}
	}
	return map[string]badSend{
		"a place beyond the pole":          of(place(900_000_001, 0), invalid),
		"a place beyond the date line":     of(place(0, -1_800_000_001), invalid),
		"a card of nobody":                 of(&pb.Content{Kind: &pb.Content_ContactCard{ContactCard: &pb.ContactCard{}}}, invalid),
		"a sticker that is a script":       of(&pb.Content{Kind: &pb.Content_Sticker{Sticker: &pb.Sticker{Pack: "p", Id: "i", Alt: "a", Url: "javascript:alert(1)"}}}, invalid),
		"no attachment":                    of(files(0, "https://x.example/a"), invalid),
		"21 attachments":                   of(files(21, "https://x.example/a"), invalid),
		"an attachment on somebody's disk": of(files(1, "file:///etc/passwd"), invalid),
		"a format that there is not":       of(&pb.Content{Kind: text, Format: 9}, invalid),
		"a notice of a user":               of(&pb.Content{Kind: &pb.Content_Notice{Notice: &pb.Notice{Code: "paid", Text: "paid"}}}, denied),
		"a forged forward":                 of(&pb.Content{Kind: text, Forwarded: &pb.Forwarded{Sender: "boss"}}, invalid),
		"a forged merged forward":          of(&pb.Content{Kind: &pb.Content_Merged{Merged: &pb.Merged{Title: "x"}}}, invalid),
		"all mentioned between two":        of(&pb.Content{Kind: text, MentionAll: true}, invalid),
		"11 roles mentioned":               of(&pb.Content{Kind: text, MentionRoles: strings.Split("a,b,c,d,e,f,g,h,i,j,k", ",")}, invalid),
		"an answer to seq -1":              of(&pb.Content{Kind: text, ReplyToSeq: 1<<64 - 1}, absent),
		"an answer to what is to come":     of(&pb.Content{Kind: text, ReplyToSeq: 1_000_000}, absent),
		"for somebody who is not in":       {func(r *pb.SendMessageRequest) { r.ToUsers = []string{"stranger"} }, absent},
		"for 101 users":                    {func(r *pb.SendMessageRequest) { r.ToUsers = strings.Split(strings.Repeat("u,", 100)+"u", ",") }, invalid},
		"for no user id":                   {func(r *pb.SendMessageRequest) { r.ToUsers = []string{"\u202e"} }, invalid},
		"a priority that there is not":     {func(r *pb.SendMessageRequest) { r.Priority = 7 }, invalid},
	}
}

// withKinds adds them to others.
func withKinds(all map[string]badSend) map[string]badSend {
	maps.Copy(all, badKinds())
	return all
}

func TestABadCommandReachesNobody(t *testing.T) {
	t.Parallel()
	w := watch(t, shared)
	ann, bob, conv := pair()
	c := connect(t, shared, ann, "phone")
	b := connect(t, shared, bob, "phone")
	c.say(conv, "hello")
	b.hears(conv, "hello")
	say := func(m *pb.Command) *pb.ClientFrame {
		return &pb.ClientFrame{Ref: 1, Frame: &pb.ClientFrame_Command{Command: m}}
	}
	for name, bad := range map[string]struct {
		m    *pb.Command
		want pb.ErrorCode
	}{
		"of no type":            {&pb.Command{Conversation: conv}, pb.ErrorCode_ERROR_CODE_INVALID_ARGUMENT},
		"of a type with a line": {&pb.Command{Conversation: conv, Type: "a\nb"}, pb.ErrorCode_ERROR_CODE_INVALID_ARGUMENT},
		"of 4097 bytes":         {&pb.Command{Conversation: conv, Type: "a", Data: make([]byte, 4097)}, pb.ErrorCode_ERROR_CODE_TOO_LARGE},
		"to a stranger":         {&pb.Command{Conversation: conv, Type: "a", ToUsers: []string{"stranger"}}, pb.ErrorCode_ERROR_CODE_NOT_FOUND},
		"to 101":                {&pb.Command{Conversation: conv, Type: "a", ToUsers: make([]string, 101)}, pb.ErrorCode_ERROR_CODE_INVALID_ARGUMENT},
		"elsewhere":             {&pb.Command{Conversation: "nowhere", Type: "a"}, pb.ErrorCode_ERROR_CODE_NOT_FOUND},
		"in no conversation":    {&pb.Command{Type: "a"}, pb.ErrorCode_ERROR_CODE_NOT_FOUND},
	} {
		t.Run(name, func(t *testing.T) { c.refused(say(bad.m), bad.want) })
	}
	// A user who says to be somebody else is passed on as themself.
	if f := c.ask(say(&pb.Command{Conversation: conv, Type: "ring", Data: []byte("now"), User: "boss"})); f.GetDone() == nil {
		t.Fatalf("answered with %v", f)
	}
	got := b.await("the command", func(f *pb.ServerFrame) bool { return f.GetCommand() != nil }).GetCommand()
	if got.User != ann || got.Type != "ring" || string(got.Data) != "now" || got.Conversation != conv {
		t.Errorf("bob hears %v", got)
	}
	w.holds()
}
