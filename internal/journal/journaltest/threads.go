package journaltest

import (
	"fmt"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
)

// reply is a message of a user below another one.
func (e *env) reply(user im.UserID, root im.Seq) *journal.Append {
	a := e.say(user, "reply")
	a.Target, a.Uncounted = root, true
	return a
}

func threads(e *env) {
	e.must(e.say("ann", "one")) // 1
	if c := e.conv(group); c.Bits&journal.BitThreads != 0 {
		e.Fatalf("no threads yet: %+v", c)
	}
	e.must(e.say("ann", "two")) // 2
	e.all(e.on(im.KindReaction, journal.NoEffect, 1, "x"))
	for i, user := range []im.UserID{"bob", "cat", "bob", "d", "e", "f", "g"} { // 4 to 10
		if r := e.must(e.reply(user, 1+im.Seq(i%2))); r.Entry.Ord != 2 {
			e.Fatalf("a reply counts: %+v", r.Entry)
		}
	}
	for _, u := range []im.UserID{"u1", "u2", "u3"} { // 11 to 13
		e.must(e.reply(u, 1))
	}
	e.reopen()
	if c := e.conv(group); c.Bits&journal.BitThreads == 0 || c.ACLVersion != 1 {
		e.Fatalf("%+v", c)
	}
	ask := func(q journal.ThreadQuery) string {
		var out string
		e.view(func(v journal.View) error {
			list, err := v.Threads(app, group, q)
			for _, t := range list {
				at, err := v.At(app, group, []im.Seq{t.Last})
				if err != nil || len(at) != 1 || at[0].Time != t.Time {
					e.Fatalf("%+v has time %d, %v", at, t.Time, err)
				}
				out += fmt.Sprintf("%d:%d@%d%v ", t.Root, t.Replies, t.Last, t.Senders)
			}
			return err
		})
		return out
	}
	for _, c := range []struct {
		q    journal.ThreadQuery
		want string
	}{
		{journal.ThreadQuery{From: 1, To: 20, Head: 20, Limit: 9}, "1:7@13[bob e g u1 u2] 2:3@9[cat d f] "},
		{journal.ThreadQuery{From: 1, To: 20, Head: 20, Limit: 1, Newest: true}, "1:7@13[bob e g u1 u2] "},
		{journal.ThreadQuery{From: 1, To: 20, Head: 20, Before: 13, Limit: 9, Newest: true}, "2:3@9[cat d f] "},
		{journal.ThreadQuery{From: 1, To: 20, Head: 5, Limit: 9, Newest: true}, "2:1@5[cat] 1:1@4[bob] "},
		{journal.ThreadQuery{From: 2, To: 20, Head: 20, Limit: 9}, "2:3@9[cat d f] "},
		{journal.ThreadQuery{From: 1, To: 1, Head: 20, Limit: 9}, "1:7@13[bob e g u1 u2] "},
		{journal.ThreadQuery{From: 3, To: 20, Head: 20, Limit: 9}, ""},
		{journal.ThreadQuery{From: 1, To: 20, Head: 3, Limit: 9}, ""},
	} {
		if got := ask(c.q); got != c.want {
			e.Errorf("%+v gives %q, want %q", c.q, got, c.want)
		}
	}
	e.view(func(v journal.View) error {
		for _, c := range []struct {
			from, to im.Seq
			limit    int
			newest   bool
			want     string
		}{{1, 20, 3, false, "4 6 8 "}, {1, 20, 3, true, "11 12 13 "}, {5, 11, 9, true, "6 8 10 11 "}, {14, 20, 9, false, ""}} {
			list, err := v.Replies(app, group, 1, c.from, c.to, c.limit, c.newest)
			if err != nil {
				return err
			}
			got := ""
			for _, x := range list {
				got += fmt.Sprint(x.Seq, " ")
			}
			if got != c.want {
				e.Errorf("%+v gives %q", c, got)
			}
		}
		none, err := v.Threads(app, "nobody", journal.ThreadQuery{To: 9, Head: 9, Limit: 9})
		if len(none) > 0 {
			e.Errorf("%v", none)
		}
		return err
	})
	e.sound()
}

func foldedKeys(e *env) {
	e.must(e.say("ann", "poll"))
	vote := func(user im.UserID, key, body string) *journal.Append {
		a := e.on(im.KindVote, journal.FollowKey, 1, body)
		a.Sender, a.Key = user, key
		return a
	}
	e.must(vote("ann", "!1/v/ann", "a"))
	_, errs := e.batch(vote("ann", "!1/v/ann", "b"), vote("bob", "!1/v/bob", "c"), vote("ann", "!1/v/ann", ""))
	for _, err := range errs {
		if err != nil {
			e.Fatal(err)
		}
	}
	e.must(e.put("pin/0", "p"))
	e.reopen()
	chain := ""
	for _, x := range e.entries(group) {
		if x.Kind == im.KindVote && x.Sender == "ann" {
			chain += fmt.Sprintf("%q<%q ", x.Body, x.Previous)
		}
	}
	if chain != `"a"<"" "b"<"a" ""<"b" ` && chain != `"a"<"" ""<"a" "b"<"" ` {
		e.Errorf("each vote has the one before: %s", chain)
	}
	e.view(func(v journal.View) error {
		list, err := v.Slots(app, group, "!1/v/", "!1/v0", 9)
		if err != nil {
			return err
		}
		n, err := v.CountSlots(app, group, "!1/v/", "!1/v0", 9)
		if err != nil {
			return err
		}
		one, err := v.CountSlots(app, group, "!", "~", 1)
		if err != nil {
			return err
		}
		if len(list) != 2 || n != 2 || one != 1 || list[0].Key != "!1/v/ann" || list[1].Key != "!1/v/bob" {
			e.Errorf("%d %d %+v", n, one, list)
		}
		shown, err := v.Keyed(app, group)
		if len(shown) != 1 || shown[0].Key != "pin/0" {
			e.Errorf("devices get %+v", shown)
		}
		return err
	})
	e.must(e.on(im.KindExtension, journal.NoEffect, 1, "beside"))
	e.must(e.on(im.KindRecall, journal.BlankTarget, 1, ""))
	for _, x := range e.entries(group) {
		if x.Kind == im.KindExtension && len(x.Body) > 0 {
			e.Errorf("a recall leaves %+v", x)
		}
	}
	e.sound()
}
