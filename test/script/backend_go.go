package script

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	pb "github.com/skein-im/skein/proto/skein/v1"
	skein "github.com/skein-im/skein/sdk/go"
	"github.com/skein-im/skein/sdk/go/server"
)

// goServer drives the Go SDK of a back end. One step runs at a time.
type goServer struct {
	sdk *server.Client
	url string
	ids map[string][]byte // of imports and broadcasts, by their names
}

// OpenServerGo makes a back end on the Go SDK.
func OpenServerGo(t *testing.T, endpoint, app, kid, secret string) Caller {
	t.Helper()
	sdk, err := server.New(server.Options{Endpoint: endpoint, App: app, Token: (&server.Secret{App: app, KID: kid, Text: secret}).Token})
	if err != nil {
		t.Fatal(err)
	}
	return &goServer{sdk: sdk, url: endpoint, ids: map[string][]byte{}}
}

// Close implements Caller.
func (*goServer) Close() {}

// Do implements Caller.
func (g *goServer) Do(ctx context.Context, c Command) (json.RawMessage, error) {
	run, ok := goServerVerbs[c.Verb]
	if !ok {
		return nil, fmt.Errorf("no verb %s", c.Verb)
	}
	res, err := run(ctx, g, c)
	var e *skein.Error
	if errors.As(err, &e) {
		return nil, &Failure{Code: string(e.Code), Message: e.Message}
	}
	if err != nil {
		return nil, err
	}
	return json.Marshal(res)
}

// id is that of an import or a broadcast, made at its first use.
func (g *goServer) id(name string) ([]byte, error) {
	if id := g.ids[name]; id != nil {
		return id, nil
	}
	id, err := g.sdk.NewID()
	g.ids[name] = id
	return id, err
}

// said sends a message and shows it.
func (g *goServer) said(ctx context.Context, r *pb.SendMessageRequest) (any, error) {
	e, err := g.sdk.Send(ctx, r)
	if err != nil {
		return nil, err
	}
	id := r.ClientId
	return MessageView{ID: fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:]), Seq: int(e.Seq)}, nil
}

// listed reads a list to its end.
func listed[T any](list iter.Seq2[T, error], line func(T) string) ([]string, error) {
	out := []string{}
	for v, err := range list {
		if err != nil {
			return nil, err
		}
		out = append(out, line(v))
	}
	return out, nil
}

func roleName(r pb.Role) string { return strings.ToLower(strings.TrimPrefix(r.String(), "ROLE_")) }

// entryLine is how a script names an entry of an export.
func entryLine(e *pb.Entry) string {
	switch {
	case e.Kind != pb.EntryKind_ENTRY_KIND_MESSAGE:
		return strings.ToLower(strings.TrimPrefix(e.Kind.String(), "ENTRY_KIND_"))
	case e.Recalled:
		return e.Sender + ": (recalled)"
	}
	return e.Sender + ": " + e.Body.GetContent().GetText().GetText()
}

var goServerVerbs = merged(goServerUsers, goServerGroups, goServerMessages, goServerTending, goServerFiles, goServerCalls)

var goServerUsers = map[string]func(context.Context, *goServer, Command) (any, error){
	"user": func(ctx context.Context, g *goServer, c Command) (any, error) {
		rs, err := g.sdk.UpsertUsers(ctx, &pb.UserChange{Id: c.Users[0], Name: proto.String(c.Title), Bot: proto.Bool(c.Remove)})
		if err != nil {
			return nil, err
		}
		return nil, server.ResultError(rs[0])
	},
	"users": func(ctx context.Context, g *goServer, _ Command) (any, error) {
		return listed(g.sdk.Users(ctx), func(u *pb.User) string {
			line := u.Id
			if u.Bot {
				line += " bot"
			}
			if u.SuspendedUs != 0 {
				line += " suspended"
			}
			if name := u.Profile.GetName(); name != "" {
				line += ": " + name
			}
			return line
		})
	},
	"suspend": func(ctx context.Context, g *goServer, c Command) (any, error) {
		return g.sdk.SuspendUser(ctx, c.Users[0])
	},
	"unsuspend": func(ctx context.Context, g *goServer, c Command) (any, error) {
		return nil, g.sdk.UnsuspendUser(ctx, c.Users[0])
	},
	"revoke": func(ctx context.Context, g *goServer, c Command) (any, error) {
		return g.sdk.RevokeUser(ctx, c.Users[0])
	},
	"erase": func(ctx context.Context, g *goServer, c Command) (any, error) {
		if _, err := g.sdk.EraseUser(ctx, c.Users[0]); err != nil {
			return nil, err
		}
		e, err := g.sdk.WaitErasure(ctx, c.Users[0])
		return e.GetMessages(), err
	},
	"window": func(ctx context.Context, g *goServer, c Command) (any, error) {
		if _, err := g.sdk.UpdateApp(ctx, &pb.UpdateAppRequest{Settings: &pb.AppSettings{RecallWindowS: proto.Uint32(uint32(c.Limit))}}); err != nil {
			return nil, err
		}
		app, err := g.sdk.App(ctx)
		return app.GetSettings().GetRecallWindowS(), err
	},
	"editWindow": func(ctx context.Context, g *goServer, c Command) (any, error) {
		if _, err := g.sdk.UpdateApp(ctx, &pb.UpdateAppRequest{Settings: &pb.AppSettings{EditWindowS: proto.Uint32(uint32(c.Limit))}}); err != nil {
			return nil, err
		}
		app, err := g.sdk.App(ctx)
		return app.GetSettings().GetEditWindowS(), err
	},
	"guests": func(ctx context.Context, g *goServer, c Command) (any, error) {
		_, err := g.sdk.UpdateApp(ctx, &pb.UpdateAppRequest{Settings: &pb.AppSettings{Guests: proto.Bool(!c.Remove)}})
		return nil, err
	},
}

var goServerGroups = map[string]func(context.Context, *goServer, Command) (any, error){
	"create": func(ctx context.Context, g *goServer, c Command) (any, error) {
		_, err := g.sdk.CreateGroup(ctx, &pb.CreateGroupRequest{Id: c.Conversation, Title: c.Title, Owner: c.Data["owner"].(string), Members: c.Users})
		return nil, err
	},
	"groups": func(ctx context.Context, g *goServer, _ Command) (any, error) {
		return listed(g.sdk.Groups(ctx), func(c *pb.Conversation) string { return fmt.Sprintf("%s=%d", c.Id, c.MemberCount) })
	},
	"group": func(ctx context.Context, g *goServer, c Command) (any, error) {
		is, err := g.sdk.Group(ctx, c.Conversation)
		return []string{is.GetTitle(), is.GetSettings().GetDescription(), fmt.Sprint(is.GetMemberCount())}, err
	},
	"title": func(ctx context.Context, g *goServer, c Command) (any, error) {
		_, err := g.sdk.UpdateGroup(ctx, &pb.UpdateGroupRequest{Conversation: c.Conversation, Title: c.Title})
		return nil, err
	},
	"describe": func(ctx context.Context, g *goServer, c Command) (any, error) {
		_, err := g.sdk.UpdateGroupSettings(ctx, &pb.UpdateGroupSettingsRequest{Conversation: c.Conversation,
			Settings: &pb.GroupSettings{Description: c.Title}, Fields: []string{"description"}})
		return nil, err
	},
	"members": func(ctx context.Context, g *goServer, c Command) (any, error) {
		return listed(g.sdk.Members(ctx, &pb.ListMembersRequest{Conversation: c.Conversation}),
			func(m *pb.Membership) string { return m.User + "=" + roleName(m.Role) })
	},
	"add": func(ctx context.Context, g *goServer, c Command) (any, error) {
		_, err := g.sdk.AddMembers(ctx, &pb.AddMembersRequest{Conversation: c.Conversation, Users: c.Users})
		return nil, err
	},
	"remove": func(ctx context.Context, g *goServer, c Command) (any, error) {
		_, err := g.sdk.RemoveMember(ctx, &pb.RemoveMemberRequest{Conversation: c.Conversation, User: c.Users[0]})
		return nil, err
	},
	"role": func(ctx context.Context, g *goServer, c Command) (any, error) {
		role := pb.Role(pb.Role_value["ROLE_"+strings.ToUpper(c.Role)])
		_, err := g.sdk.SetRole(ctx, &pb.SetRoleRequest{Conversation: c.Conversation, User: c.Users[0], Role: role})
		return nil, err
	},
	"mute": func(ctx context.Context, g *goServer, c Command) (any, error) {
		_, err := g.sdk.MuteMember(ctx, &pb.MuteMemberRequest{Conversation: c.Conversation, User: c.Users[0], Seconds: uint32(c.Limit)})
		return nil, err
	},
	"transfer": func(ctx context.Context, g *goServer, c Command) (any, error) {
		_, err := g.sdk.TransferGroup(ctx, &pb.TransferGroupRequest{Conversation: c.Conversation, User: c.Users[0]})
		return nil, err
	},
	"dissolve": func(ctx context.Context, g *goServer, c Command) (any, error) {
		_, err := g.sdk.DissolveGroup(ctx, &pb.DissolveGroupRequest{Conversation: c.Conversation})
		return nil, err
	},
}

var goServerMessages = map[string]func(context.Context, *goServer, Command) (any, error){
	"send": func(ctx context.Context, g *goServer, c Command) (any, error) {
		r := &pb.SendMessageRequest{Conversation: c.Conversation, Body: server.Text(c.Text)}
		if len(c.Users) > 0 {
			r.Sender = c.Users[0]
		}
		return g.said(ctx, r)
	},
	"notice": func(ctx context.Context, g *goServer, c Command) (any, error) {
		return g.said(ctx, &pb.SendMessageRequest{Conversation: c.Conversation, Body: &pb.Body{Scheme: pb.BodyScheme_BODY_SCHEME_CONTENT,
			Content: &pb.Content{Kind: &pb.Content_Notice{Notice: &pb.Notice{Code: c.Type, Text: c.Text}}}}})
	},
	"edit": func(ctx context.Context, g *goServer, c Command) (any, error) {
		_, err := g.sdk.EditMessage(ctx, &pb.EditMessageRequest{Conversation: c.Conversation, Seq: uint64(c.Data["seq"].(int)), Body: server.Text(c.Text)})
		return nil, err
	},
	"recall": func(ctx context.Context, g *goServer, c Command) (any, error) {
		_, err := g.sdk.RecallMessage(ctx, &pb.RecallMessageRequest{Conversation: c.Conversation, Seq: uint64(c.Data["seq"].(int))})
		return nil, err
	},
	"export": func(ctx context.Context, g *goServer, c Command) (any, error) {
		return listed(g.sdk.Export(ctx, c.Conversation, uint64(c.Data["after"].(int))), entryLine)
	},
	"import": func(ctx context.Context, g *goServer, c Command) (any, error) {
		id, err := g.id(c.Message)
		if err != nil {
			return nil, err
		}
		return g.sdk.Import(ctx, c.Conversation, id, func(yield func(*pb.ImportedMessage, error) bool) {
			for i, line := range c.Data["lines"].([]string) {
				sender, text, _ := strings.Cut(line, ": ")
				if !yield(&pb.ImportedMessage{Sender: sender, TimeUs: 1_500_000_000_000_000 + int64(i), ClientId: []byte(fmt.Sprint(i)), Body: server.Text(text)}, nil) {
					return
				}
			}
		})
	},
	"broadcast": func(ctx context.Context, g *goServer, c Command) (any, error) {
		id, err := g.id(c.Message)
		if err != nil {
			return nil, err
		}
		_, err = g.sdk.StartBroadcast(ctx, &pb.StartBroadcastRequest{ClientId: id, Sender: c.Data["sender"].(string), Users: c.Users, Body: server.Text(c.Text)})
		return nil, err
	},
	"over": func(ctx context.Context, g *goServer, c Command) (any, error) {
		b, err := g.sdk.WaitBroadcast(ctx, g.ids[c.Message])
		state := strings.ToLower(strings.TrimPrefix(b.GetState().String(), "BROADCAST_STATE_"))
		return []string{state, fmt.Sprint(b.GetSent()), fmt.Sprint(b.GetRefused())}, err
	},
	"cancel": func(ctx context.Context, g *goServer, c Command) (any, error) {
		_, err := g.sdk.CancelBroadcast(ctx, g.ids[c.Message])
		return nil, err
	},
}

var goServerTending = map[string]func(context.Context, *goServer, Command) (any, error){
	"history": func(ctx context.Context, g *goServer, c Command) (any, error) {
		return listed(g.sdk.History(ctx, c.Conversation, 0), func(it *pb.HistoryItem) string { return entryLine(it.Entry) })
	},
	"pin": func(ctx context.Context, g *goServer, c Command) (any, error) {
		_, err := g.sdk.PinMessage(ctx, &pb.PinMessageRequest{Conversation: c.Conversation, Seq: uint64(c.Data["seq"].(int))})
		return nil, err
	},
	"pins": func(ctx context.Context, g *goServer, c Command) (any, error) {
		pins, err := g.sdk.Pins(ctx, c.Conversation)
		out := []string{}
		for _, p := range pins {
			out = append(out, entryLine(p.Item.GetEntry()))
		}
		return out, err
	},
	"extend": func(ctx context.Context, g *goServer, c Command) (any, error) {
		_, err := g.sdk.SetExtension(ctx, &pb.SetExtensionRequest{Conversation: c.Conversation, Seq: uint64(c.Data["seq"].(int)),
			Extension: &pb.Extension{Key: "note", Value: []byte(c.Text)}})
		return nil, err
	},
	"extensions": func(ctx context.Context, g *goServer, c Command) (any, error) {
		all, err := g.sdk.Extensions(ctx, c.Conversation, uint64(c.Data["seq"].(int)))
		out := []string{}
		for _, x := range all {
			out = append(out, x.Key+"="+string(x.Value))
		}
		return out, err
	},
	"ban": func(ctx context.Context, g *goServer, c Command) (any, error) {
		return nil, g.sdk.BanMember(ctx, &pb.BanMemberRequest{Conversation: c.Conversation, User: c.Users[0]})
	},
	"bans": func(ctx context.Context, g *goServer, c Command) (any, error) {
		return listed(g.sdk.Bans(ctx, c.Conversation), func(b *pb.Ban) string { return b.User })
	},
	"announce": func(ctx context.Context, g *goServer, c Command) (any, error) {
		_, err := g.sdk.CreateAnnouncement(ctx, &pb.CreateAnnouncementRequest{Conversation: c.Conversation, Title: c.Title, Text: c.Text})
		return nil, err
	},
	"announcements": func(ctx context.Context, g *goServer, c Command) (any, error) {
		all, err := g.sdk.Announcements(ctx, c.Conversation)
		out := []string{}
		for _, x := range all {
			out = append(out, x.Title+": "+x.Text)
		}
		return out, err
	},
	"tally": func(ctx context.Context, g *goServer, c Command) (any, error) {
		return g.sdk.IncrementCounter(ctx, &pb.IncrementCounterRequest{Conversation: c.Conversation, Name: c.Text, Delta: int64(c.Data["delta"].(int))})
	},
}
