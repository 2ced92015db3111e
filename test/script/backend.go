package script

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Caller is the app's own back end on a server SDK: Do and Close are as of a
// Driver.
type Caller interface {
	Do(ctx context.Context, c Command) (json.RawMessage, error)
	Close()
}

// ownServer is the back end of a script, the actor "backend".
type ownServer struct {
	sdk  Caller
	link *link
}

// backEnd runs a step of the back end.
func (w *world) backEnd(ctx context.Context, verb string, a *args) error {
	run, ok := backEndVerbs[verb]
	if !ok {
		return fmt.Errorf("the back end has no verb %q", verb)
	}
	if w.own == nil {
		if w.b.OpenServer == nil {
			return fmt.Errorf("there is no SDK for the back end")
		}
		l := newLink(w.t, w.b.Server.Addr)
		w.own = &ownServer{link: l, sdk: w.b.OpenServer(w.t, "http://"+l.addr(), w.b.Server.App, w.b.Server.KID, w.b.Server.Secret)}
	}
	return run(ctx, w, a)
}

// of is a conversation as the back end names it: "ann-bob" or "#g".
func (w *world) of(a *args) string { return w.conv(&device{}, a.next("a conversation")) }

// ask checks that all words were taken, runs a command and reads its result.
func (w *world) ask(ctx context.Context, a *args, c Command, result any) error {
	if err := a.done(); err != nil {
		return err
	}
	raw, err := w.own.sdk.Do(ctx, c)
	if err != nil || result == nil {
		return err
	}
	return json.Unmarshal(raw, result)
}

// answers runs a command whose result is a list that has exactly these.
func (w *world) answers(ctx context.Context, a *args, c Command, inOrder bool) error {
	want, got := a.rest(), []string{}
	if err := w.ask(ctx, a, c, &got); err != nil {
		return err
	}
	if !inOrder {
		got, want = sorted(got), sorted(want)
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("%s gave %q, want %q", c.Verb, got, want)
	}
	return nil
}

// backEndVerb is one thing that the back end does.
type backEndVerb func(ctx context.Context, w *world, a *args) error

// backEndVerbs are what the back end does; README.md explains each.
var backEndVerbs = merged(
	map[string]backEndVerb{
		"user": func(ctx context.Context, w *world, a *args) error {
			return w.ask(ctx, a, Command{Verb: "user", Users: []string{a.next("a user")}, Title: a.text("the name"), Remove: a.word("bot")}, nil)
		},
		"users": func(ctx context.Context, w *world, a *args) error {
			return w.answers(ctx, a, Command{Verb: "users"}, false)
		},
		"suspend": onUser("suspend"), "unsuspend": onUser("unsuspend"), "revoke": onUser("revoke"),
		"erase": eraseUser,
		"window": func(ctx context.Context, w *world, a *args) error {
			return numberIs(ctx, w, a, Command{Verb: "window", Limit: number(a)}, true)
		},
		"editwindow": func(ctx context.Context, w *world, a *args) error {
			return numberIs(ctx, w, a, Command{Verb: "editWindow", Limit: number(a)}, true)
		},
		"guests": func(ctx context.Context, w *world, a *args) error {
			return w.ask(ctx, a, Command{Verb: "guests", Remove: a.next("in or out") == "out"}, nil)
		},
		"notice": notice,
		"send":   sendAs,
		"edit": func(ctx context.Context, w *world, a *args) error {
			return onMessageOf(ctx, w, a, Command{Verb: "edit"})
		},
		"recall": func(ctx context.Context, w *world, a *args) error {
			return onMessageOf(ctx, w, a, Command{Verb: "recall"})
		},
		"export": exportLines, "import": importLines,
		"broadcast": broadcast, "over": broadcastOver,
		"cancel": func(ctx context.Context, w *world, a *args) error {
			return w.ask(ctx, a, Command{Verb: "cancel", Message: a.next("a broadcast")}, nil)
		},
	},
	backEndGroupVerbs,
	backEndTending,
	backEndFiles(),
	backEndCalls(),
)

// backEndTending is what the back end does with what hangs on messages and in groups.
var backEndTending = map[string]backEndVerb{
	"history": func(ctx context.Context, w *world, a *args) error {
		return w.answers(ctx, a, Command{Verb: "history", Conversation: w.of(a)}, true)
	},
	"pin": func(ctx context.Context, w *world, a *args) error {
		return onMessageOf(ctx, w, a, Command{Verb: "pin"})
	},
	"pins": func(ctx context.Context, w *world, a *args) error {
		return w.answers(ctx, a, Command{Verb: "pins", Conversation: w.of(a)}, true)
	},
	"extend": func(ctx context.Context, w *world, a *args) error {
		return onMessageOf(ctx, w, a, Command{Verb: "extend"})
	},
	"extensions": func(ctx context.Context, w *world, a *args) error {
		m, err := w.message(a.next("a message"))
		if err != nil {
			return err
		}
		return w.answers(ctx, a, Command{Verb: "extensions", Conversation: m.conv, Data: map[string]any{"seq": m.seq}}, true)
	},
	"ban": func(ctx context.Context, w *world, a *args) error { return onMember(ctx, w, a, Command{Verb: "ban"}) },
	"bans": func(ctx context.Context, w *world, a *args) error {
		return w.answers(ctx, a, Command{Verb: "bans", Conversation: w.of(a)}, true)
	},
	"announce": func(ctx context.Context, w *world, a *args) error {
		return w.ask(ctx, a, Command{Verb: "announce", Conversation: w.of(a), Title: a.text("the title"), Text: a.text("the text")}, nil)
	},
	"announcements": func(ctx context.Context, w *world, a *args) error {
		return w.answers(ctx, a, Command{Verb: "announcements", Conversation: w.of(a)}, true)
	},
	"tally": func(ctx context.Context, w *world, a *args) error {
		c := Command{Verb: "tally", Conversation: w.of(a), Text: a.next("a counter"), Data: map[string]any{"delta": number(a)}}
		if !a.word("gives") {
			return fmt.Errorf("tally #g NAME DELTA gives VALUE")
		}
		c.Limit = number(a)
		return numberIs(ctx, w, a, c, true)
	},
}

var backEndGroupVerbs = map[string]backEndVerb{
	"create": func(ctx context.Context, w *world, a *args) error {
		c := Command{Verb: "create", Conversation: w.of(a), Title: a.text("the title")}
		if !a.word("for") {
			return fmt.Errorf("create #g \"title\" for USER [with USER …]")
		}
		c.Data = map[string]any{"owner": a.next("the owner")}
		if a.word("with") {
			c.Users = a.rest()
		}
		return w.ask(ctx, a, c, nil)
	},
	"groups": func(ctx context.Context, w *world, a *args) error {
		return w.answers(ctx, a, Command{Verb: "groups"}, true)
	},
	"group": func(ctx context.Context, w *world, a *args) error {
		return w.answers(ctx, a, Command{Verb: "group", Conversation: w.of(a)}, true)
	},
	"title":    func(ctx context.Context, w *world, a *args) error { return onGroup(ctx, w, a, "title") },
	"describe": func(ctx context.Context, w *world, a *args) error { return onGroup(ctx, w, a, "describe") },
	"members": func(ctx context.Context, w *world, a *args) error {
		return w.answers(ctx, a, Command{Verb: "members", Conversation: w.of(a)}, false)
	},
	"add": func(ctx context.Context, w *world, a *args) error {
		return w.ask(ctx, a, Command{Verb: "add", Conversation: w.of(a), Users: a.rest()}, nil)
	},
	"remove": func(ctx context.Context, w *world, a *args) error {
		return onMember(ctx, w, a, Command{Verb: "remove"})
	},
	"transfer": func(ctx context.Context, w *world, a *args) error {
		return onMember(ctx, w, a, Command{Verb: "transfer"})
	},
	"role": func(ctx context.Context, w *world, a *args) error {
		return w.ask(ctx, a, Command{Verb: "role", Conversation: w.of(a), Users: []string{a.next("a user")}, Role: a.next("a role")}, nil)
	},
	"mute": func(ctx context.Context, w *world, a *args) error {
		return w.ask(ctx, a, Command{Verb: "mute", Conversation: w.of(a), Users: []string{a.next("a user")}, Limit: number(a)}, nil)
	},
	"dissolve": func(ctx context.Context, w *world, a *args) error {
		return w.ask(ctx, a, Command{Verb: "dissolve", Conversation: w.of(a)}, nil)
	},
}

func onUser(verb string) backEndVerb {
	return func(ctx context.Context, w *world, a *args) error {
		return w.ask(ctx, a, Command{Verb: verb, Users: []string{a.next("a user")}}, nil)
	}
}

func onMember(ctx context.Context, w *world, a *args, c Command) error {
	c.Conversation, c.Users = w.of(a), []string{a.next("a user")}
	return w.ask(ctx, a, c, nil)
}

func onGroup(ctx context.Context, w *world, a *args, verb string) error {
	return w.ask(ctx, a, Command{Verb: verb, Conversation: w.of(a), Title: a.text("the text")}, nil)
}

func number(a *args) int {
	n, err := strconv.Atoi(a.next("a number"))
	if err != nil && a.err == nil {
		a.err = err
	}
	return n
}

// numberIs runs a command whose result is the limit that it names, where it names one.
func numberIs(ctx context.Context, w *world, a *args, c Command, named bool) error {
	var got int
	if err := w.ask(ctx, a, c, &got); err != nil {
		return err
	}
	if named && got != c.Limit {
		return fmt.Errorf("%s gave %d, want %d", c.Verb, got, c.Limit)
	}
	return nil
}

// eraseUser: USER [gives N], to its end.
func eraseUser(ctx context.Context, w *world, a *args) error {
	c := Command{Verb: "erase", Users: []string{a.next("a user")}}
	named := a.word("gives")
	if named {
		c.Limit = number(a)
	}
	return numberIs(ctx, w, a, c, named)
}

// sendAs: CONV "text" [from USER] [as NAME]
func sendAs(ctx context.Context, w *world, a *args) error {
	c := Command{Verb: "send", Conversation: w.of(a), Text: a.text("the text")}
	if a.word("from") {
		c.Users = []string{a.next("a user")}
	}
	return say(ctx, w, a, c)
}

// say has the back end do what stores a message, and names it: [as NAME]
func say(ctx context.Context, w *world, a *args, c Command) error {
	name := ""
	if a.word("as") {
		name = a.next("a name")
	}
	if err := a.done(); err != nil {
		return err
	}
	raw, err := w.own.sdk.Do(ctx, c)
	if err != nil {
		return err
	}
	return w.remember(name, c.Conversation, raw)
}

// notice: CONV CODE "text" [as NAME]
func notice(ctx context.Context, w *world, a *args) error {
	return say(ctx, w, a, Command{Verb: "notice", Conversation: w.of(a), Type: a.next("a code"), Text: a.text("the text")})
}

// onMessageOf: NAME ["text"]
func onMessageOf(ctx context.Context, w *world, a *args, c Command) error {
	m, err := w.message(a.next("a message"))
	if err != nil {
		return err
	}
	if a.more() {
		c.Text = a.text("the new text")
	}
	c.Conversation, c.Data = m.conv, map[string]any{"seq": m.seq}
	return w.ask(ctx, a, c, nil)
}

// exportLines: CONV [after NAME] "line" …
func exportLines(ctx context.Context, w *world, a *args) error {
	c := Command{Verb: "export", Conversation: w.of(a), Data: map[string]any{"after": 0}}
	if a.word("after") {
		m, err := w.message(a.next("a message"))
		if err != nil {
			return err
		}
		c.Data["after"] = m.seq
	}
	return w.answers(ctx, a, c, true)
}

// importLines: CONV run NAME "user: text" …
func importLines(ctx context.Context, w *world, a *args) error {
	c := Command{Verb: "import", Conversation: w.of(a)}
	if !a.word("run") {
		return fmt.Errorf("import CONV run NAME \"user: text\" …")
	}
	c.Message = a.next("a name")
	lines := a.rest()
	for _, l := range lines {
		if !strings.Contains(l, ": ") {
			return fmt.Errorf("%q is not \"user: text\"", l)
		}
	}
	c.Data, c.Limit = map[string]any{"lines": lines}, len(lines)
	return numberIs(ctx, w, a, c, true)
}

// broadcast: NAME "text" from USER to everybody|N others|USER …
func broadcast(ctx context.Context, w *world, a *args) error {
	c := Command{Verb: "broadcast", Message: a.next("a name"), Text: a.text("the text"), Data: map[string]any{}}
	if !a.word("from") {
		return fmt.Errorf("broadcast NAME \"text\" from USER to USER …")
	}
	c.Data["sender"] = a.next("a user")
	if !a.word("to") || !a.more() {
		return fmt.Errorf("a broadcast goes to everybody, or to USER …")
	}
	if !a.word("everybody") {
		c.Users = a.rest()
	}
	if n, err := strconv.Atoi(strings.Join(c.Users[:min(1, len(c.Users))], "")); err == nil && len(c.Users) == 2 && c.Users[1] == "others" {
		c.Users = make([]string, n)
		for i := range c.Users {
			c.Users[i] = fmt.Sprint("other-", i)
		}
	}
	return w.ask(ctx, a, c, nil)
}

// broadcastOver: NAME STATE [SENT REFUSED], when it is over.
func broadcastOver(ctx context.Context, w *world, a *args) error {
	c, want := Command{Verb: "over", Message: a.next("a broadcast")}, a.rest()
	got := []string{}
	if err := w.ask(ctx, a, c, &got); err != nil {
		return err
	}
	if len(got) < len(want) || !slices.Equal(got[:len(want)], want) {
		return fmt.Errorf("it is over with %q, want %q", got, want)
	}
	return nil
}
