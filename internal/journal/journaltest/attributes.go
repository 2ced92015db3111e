package journaltest

import (
	"slices"
	"time"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
)

func options(e *env) {
	a := e.say("ann", "for bob")
	a.ToUsers, a.Silent, a.Priority, a.Burn, a.TTL = []im.UserID{"bob", "日本"}, true, im.PriorityLow, 60, time.Hour
	first := e.must(a).Entry
	b := e.say("ann", "beside")
	b.Uncounted, b.Target = true, 1
	e.must(b)
	e.must(e.say("ann", "all"))
	e.reopen()
	list := e.entries(group)
	x := list[0]
	if !slices.Equal(x.ToUsers, a.ToUsers) || !x.Silent || x.Priority != im.PriorityLow || x.Burn != 60 || x.Expires != first.Expires ||
		x.Expires.Time().Sub(x.Time.Time()) != time.Hour || x.Uncounted || x.Expired {
		e.Fatalf("%+v", x)
	}
	if !list[1].Uncounted || list[1].Target != 1 || list[2].Special() {
		e.Fatalf("%+v", list)
	}
	if list[0].Ord != 0 || list[1].Ord != 0 || list[2].Ord != 1 {
		e.Fatalf("ords %d %d %d", list[0].Ord, list[1].Ord, list[2].Ord)
	}
	again := *a
	if r := e.must(&again); !r.Duplicate || r.Entry.Seq != 1 {
		e.Fatalf("%+v", r)
	}
	for what, change := range map[string]func(*journal.Append){
		"readers": func(a *journal.Append) { a.ToUsers = a.ToUsers[:1] }, "silent": func(a *journal.Append) { a.Silent = false },
		"priority": func(a *journal.Append) { a.Priority = im.PriorityHigh }, "burn": func(a *journal.Append) { a.Burn = 61 },
		"ttl": func(a *journal.Append) { a.TTL++ },
	} {
		other := *a
		if change(&other); what == "ttl" {
			other.TTL = 2 * time.Hour
		}
		_, err := e.try(&other)
		if im.CodeOf(err) != im.ClientIDReused {
			e.Fatalf("other %s: %v", what, err)
		}
	}
	e.sound()
}

func expiries(e *env) {
	a := e.say("ann", "short")
	a.TTL = time.Second
	e.must(a)
	e.must(e.on(im.KindEdit, journal.ReplaceTarget, 1, "edited"))
	e.must(e.on(im.KindExpire, journal.ExpireTarget, 1, ""))
	e.reopen()
	list := e.entries(group)
	if x := list[0]; !x.Expired || x.Recalled || len(x.Body) != 0 || x.Version != 3 {
		e.Fatalf("%+v", x)
	}
	if x := list[1]; x.Expired || len(x.Body) != 0 || len(x.Previous) != 0 {
		e.Fatalf("%+v", x)
	}
	_, err := e.try(e.on(im.KindEdit, journal.ReplaceTarget, 1, "back"))
	e.stale(err)
	e.sound()
}

func slots(e *env) {
	at := func(body string, seq im.Seq) *journal.Append {
		a := e.put("counter/n", body)
		a.SlotSeq = &seq
		return a
	}
	e.must(at("1", 0))
	_, err := e.try(at("1", 0))
	e.stale(err)
	e.reopen()
	_, errs := e.batch(at("2", 1), at("2", 1), at("3", 2), at("5", 2))
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else {
			e.stale(err)
		}
	}
	if won != 2 || errs[0] != nil && errs[1] != nil {
		e.Fatalf("%d of them: %v", won, errs)
	}
	if c := e.conv(group); c.Bits&journal.BitKeyed == 0 || c.ACLVersion != 1 {
		e.Fatalf("%+v", c)
	}
	e.sound()
}

func attributes(e *env) {
	create := groupCreate()
	create.Attrs = []byte("made so")
	first := e.say("ann", "hi")
	first.Create = create
	e.must(first)
	if c := e.conv(group); string(c.Attrs) != "made so" || c.ACLVersion != 1 || c.Bits != 0 {
		e.Fatalf("%+v", c)
	}
	nick, settings := []byte("nick"), []byte("settings")
	a := e.change("ann", journal.MemberChange{User: "bob", Role: im.RoleAdmin, Attrs: &nick})
	a.Attrs = &settings
	e.must(a)
	again := e.change("ann", journal.MemberChange{User: "bob", Role: im.RoleAdmin, Attrs: &nick})
	again.Attrs = &settings
	e.must(again) // changes nothing
	e.reopen()
	if c := e.conv(group); string(c.Attrs) != "settings" || c.ACLVersion != 2 {
		e.Fatalf("%+v", c)
	}
	if m := e.member("bob"); string(m.Attrs) != "nick" || m.Role != im.RoleAdmin || m.Changed == 0 {
		e.Fatalf("%+v", m)
	}
	e.must(e.change("ann", journal.MemberChange{User: "bob", Role: im.RoleMember}))
	if m := e.member("bob"); string(m.Attrs) != "nick" {
		e.Fatalf("a change of role took %+v", m)
	}
	stays := []byte("stays")
	e.must(e.change("ann", journal.MemberChange{User: "bob", Attrs: &stays}))
	e.reopen()
	if m := e.member("bob"); string(m.Attrs) != "stays" || m.To == 0 {
		e.Fatalf("who went has %+v", m)
	}
	e.must(e.change("ann", journal.MemberChange{User: "bob", Role: im.RoleMember}))
	if m := e.member("bob"); m.Attrs != nil {
		e.Fatalf("who came back has %+v", m)
	}
	raise := e.say("ann", "raised")
	raise.Raise = true
	if r := e.must(raise); r.ACLVersion != 6 || e.conv(group).ACLVersion != 6 {
		e.Fatalf("%+v", r)
	}
	e.sound()
}

func bits(e *env) {
	e.must(e.say("ann", "hi"))
	set := e.say("ann", "closed")
	set.SetBits = 2 | 4
	e.must(set)
	denied := e.say("bob", "no")
	denied.Deny = 2
	_, err := e.try(denied)
	e.code(err, im.PermissionDenied)
	e.reopen()
	denied.ClientID = e.id()
	_, err = e.try(denied)
	e.code(err, im.PermissionDenied)
	passes := e.say("bob", "yes")
	passes.Deny = 8
	e.must(passes)
	if c := e.conv(group); c.Bits != 6 || c.ACLVersion != 2 || c.HeadSeq != 3 {
		e.Fatalf("%+v", c)
	}
	open := e.say("ann", "open")
	open.ClearBits = 2
	denied.ClientID = e.id()
	late := e.say("bob", "late")
	late.Deny = 4
	_, errs := e.batch(open, denied, late)
	if errs[0] != nil || errs[1] != nil {
		e.Fatal(errs)
	}
	e.code(errs[2], im.PermissionDenied)
	e.view(func(v journal.View) error {
		got, err := v.Bits(app, group, "none-such")
		if len(got) != 1 || got[group] != 4 {
			e.Fatalf("bits %v", got)
		}
		return err
	})
	e.sound()
}

func slowMode(e *env) {
	slow := func(user im.UserID) *journal.Append {
		a := e.say(user, "hi")
		a.MinGap = 10 * time.Second
		return a
	}
	e.must(slow("bob"))
	e.reopen()
	_, err := e.try(slow("bob"))
	e.code(err, im.RateLimited)
	if got := err.(*im.Error).RetryAfter; got != 10*time.Second {
		e.Fatalf("wait %v", got)
	}
	e.must(slow("cat"))
	e.must(e.say("bob", "who need not wait"))
	e.clock.Add(10 * time.Second)
	_, errs := e.batch(slow("bob"), slow("bob"))
	if errs[0] != nil {
		e.Fatal(errs)
	}
	e.code(errs[1], im.RateLimited)
	e.sound()
}
