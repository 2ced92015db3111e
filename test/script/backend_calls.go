package script

import (
	"context"
	"fmt"
	"strings"

	pb "github.com/skein-im/skein/proto/skein/v1"
)

// backEndCalls are what the back end does with calls: of a conversation with the
// one that goes on there.
func backEndCalls() map[string]backEndVerb {
	on := func(what string) backEndVerb {
		return func(ctx context.Context, w *world, a *args) error {
			c := Command{Verb: what, Conversation: w.of(a)}
			if what != "endcall" {
				c.Users = []string{a.next("a user")}
			}
			if what == "voice" {
				c.Role = a.next("a role")
			}
			return w.ask(ctx, a, c, nil)
		}
	}
	return map[string]backEndVerb{
		"calls": func(ctx context.Context, w *world, a *args) error {
			return w.answers(ctx, a, Command{Verb: "calls", Conversation: w.of(a)}, true)
		},
		"endcall": on("endcall"), "expel": on("expel"), "hush": on("hush"), "voice": on("voice"),
	}
}

// call is the one that goes on in a conversation.
func (g *goServer) call(ctx context.Context, c Command) (string, error) {
	for k, err := range g.sdk.Calls(ctx, &pb.ListCallsRequest{Conversation: c.Conversation, Live: true}) {
		return k.GetId(), err
	}
	return "", fmt.Errorf("no call goes on there")
}

// enumWord is an enum's value as the TypeScript SDK has it.
func enumWord(name, prefix string) string { return strings.ToLower(strings.TrimPrefix(name, prefix)) }

func serverCallLine(k *pb.Call) string {
	out := enumWord(k.GetState().String(), "CALL_STATE_")
	if k.GetEnd() != 0 {
		out += "/" + enumWord(k.GetEnd().String(), "CALL_END_")
	}
	for _, p := range k.GetParties() {
		out += " " + p.GetUser() + "=" + enumWord(p.GetState().String(), "CALL_PARTY_STATE_")
		if p.GetRole() == pb.CallRole_CALL_ROLE_VIEWER {
			out += "/viewer"
		}
	}
	return out
}

var goServerCalls = map[string]func(context.Context, *goServer, Command) (any, error){
	"calls": func(ctx context.Context, g *goServer, c Command) (any, error) {
		return listed(g.sdk.Calls(ctx, &pb.ListCallsRequest{Conversation: c.Conversation}), serverCallLine)
	},
	"endcall": func(ctx context.Context, g *goServer, c Command) (any, error) {
		id, err := g.call(ctx, c)
		if err == nil {
			_, err = g.sdk.EndCall(ctx, id)
		}
		return nil, err
	},
	"expel": func(ctx context.Context, g *goServer, c Command) (any, error) {
		id, err := g.call(ctx, c)
		if err == nil {
			_, err = g.sdk.RemoveFromCall(ctx, &pb.RemoveFromCallRequest{Call: id, User: c.Users[0]})
		}
		return nil, err
	},
	"hush": func(ctx context.Context, g *goServer, c Command) (any, error) {
		id, err := g.call(ctx, c)
		if err == nil {
			err = g.sdk.MuteInCall(ctx, &pb.MuteInCallRequest{Call: id, User: c.Users[0], Audio: true})
		}
		return nil, err
	},
	"voice": func(ctx context.Context, g *goServer, c Command) (any, error) {
		id, err := g.call(ctx, c)
		if err == nil {
			_, err = g.sdk.SetCallRole(ctx, &pb.SetCallRoleRequest{Call: id, User: c.Users[0], Role: pb.CallRole(pb.CallRole_value["CALL_ROLE_"+strings.ToUpper(c.Role)])})
		}
		return nil, err
	},
}
