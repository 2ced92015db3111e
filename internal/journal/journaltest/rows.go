package journaltest

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
)

func intervals(e *env) {
	e.must(e.say("ann", "1"))
	e.must(e.change("ann", journal.MemberChange{User: "dan", Role: im.RoleMember}))  // 2
	e.must(e.say("ann", "3"))                                                        // 3
	kick := e.must(e.change("ann", journal.MemberChange{User: "dan"}))               // 4
	e.must(e.say("ann", "5"))                                                        // 5
	e.must(e.change("ann", journal.MemberChange{User: "dan", Role: im.RoleAdmin}))   // 6
	e.must(e.change("ann", journal.MemberChange{User: "dan", Role: im.RoleMember}))  // 7: a change of role, no new interval
	e.must(e.change("ann", journal.MemberChange{User: "dan"}))                       // 8
	_, err := e.j.Mark(e.Context(), app, group, "dan", 8)                            // ended
	e.code(err, im.NotFound)                                                         //
	e.must(e.change("ann", journal.MemberChange{User: "nobody"}))                    // 9: ends nothing
	again := journal.MemberChange{User: "dan", Role: im.RoleMember, FromStart: true} //
	e.must(e.change("ann", again))                                                   // 10
	e.view(func(v journal.View) error {
		list, err := v.Intervals(app, group, "dan")
		if err != nil || len(list) != 3 {
			e.Fatalf("%+v %v", list, err)
		}
		for i, want := range []journal.Member{{From: 2, To: 5, Role: im.RoleMember}, {From: 6, To: 9, Role: im.RoleMember}, {From: 1, To: 0, Role: im.RoleMember}} {
			if m := list[i]; m.From != want.From || m.To != want.To || m.Role != want.Role || m.User != "dan" {
				e.Fatalf("interval %d: %+v", i, m)
			}
		}
		if list[0].Changed != kick.Entry.Pos {
			e.Fatalf("the end was at %d, not %d", list[0].Changed, kick.Entry.Pos)
		}
		m, err := v.Member(app, group, "dan")
		if err != nil || !reflect.DeepEqual(m, list[2]) {
			e.Fatalf("%+v %v", m, err)
		}
		return nil
	})
	if c := e.conv(group); c.Members != 4 {
		e.Fatalf("%+v", c)
	}
	e.reopen()
	e.must(e.change("ann", journal.MemberChange{User: "dan"}))
	if m := e.member("dan"); m.To != 12 {
		e.Fatalf("%+v", m)
	}
	if c := e.conv(group); c.Members != 3 {
		e.Fatalf("%+v", c)
	}
	e.sound()
}

func joinReads(e *env) {
	for i := range 5 {
		e.must(e.say("ann", fmt.Sprint(i)))
	}
	e.must(e.change("ann", journal.MemberChange{User: "dan", Role: im.RoleMember, FromStart: true}))
	if m := e.member("dan"); m.ReadSeq != 5 || m.ReadOrd != 5 || m.From != 1 {
		e.Fatalf("%+v", m)
	}
	e.must(e.say("ann", "new"))
	if c, m := e.conv(group), e.member("dan"); c.HeadOrd-m.ReadOrd != 1 {
		e.Fatalf("%d unread", c.HeadOrd-m.ReadOrd)
	}
}

func endAndBegin(e *env) {
	e.must(e.say("ann", "1"))
	e.must(e.change("ann", journal.MemberChange{User: "bob"}, journal.MemberChange{User: "bob", Role: im.RoleMember}))
	e.view(func(v journal.View) error {
		list, err := v.Intervals(app, group, "bob")
		if err != nil || len(list) != 2 || list[0].To != 3 || list[1].From != 2 || list[1].To != 0 {
			e.Fatalf("%+v %v", list, err)
		}
		return nil
	})
	e.must(e.change("ann", journal.MemberChange{User: "dan", Role: im.RoleMember}, journal.MemberChange{User: "dan"},
		journal.MemberChange{User: "dan", Role: im.RoleAdmin}))
	if m := e.member("dan"); m.Role != im.RoleAdmin || m.To != 0 || m.From != 3 {
		e.Fatalf("%+v", m)
	}
	if c := e.conv(group); c.Members != 4 {
		e.Fatalf("%+v", c)
	}
}

func aclVersion(e *env) {
	e.must(e.say("ann", "1"))
	title := "new title"
	rename := e.say("ann", "rename")
	rename.Kind, rename.Title = im.KindConversation, &title
	for i, c := range []struct {
		a    *journal.Append
		want int64
	}{
		{e.say("ann", "x"), 1},
		{rename, 2},
		{e.change("ann", journal.MemberChange{User: "dan", Role: im.RoleMember}), 3},
		{e.change("ann", journal.MemberChange{User: "dan", Role: im.RoleAdmin}, journal.MemberChange{User: "cat"}), 4},
		{e.change("ann", journal.MemberChange{User: "dan"}), 5},
		{e.change("ann", journal.MemberChange{User: "dan"}), 5}, // nothing to change
	} {
		if r := e.must(c.a); r.ACLVersion != c.want {
			e.Fatalf("%d: version %d", i, r.ACLVersion)
		}
	}
	if c := e.conv(group); c.ACLVersion != 5 || c.Title != title {
		e.Fatalf("%+v", c)
	}
	e.reopen()
	a := e.say("ann", "y")
	a.ACLVersion = 5
	e.must(a)
}

func (e *env) mark(user im.UserID, seq im.Seq) journal.Marker {
	e.Helper()
	m, err := e.j.Mark(e.Context(), app, group, user, seq)
	if err != nil {
		e.Fatal(err)
	}
	return m
}

func marks(e *env) {
	for i := range 100 {
		a := e.say("ann", fmt.Sprint(i))
		if i%2 == 1 {
			a.Kind = im.KindReaction
		}
		e.must(a)
	}
	for i, c := range []struct {
		seq  im.Seq
		want journal.Marker
	}{
		{3, journal.Marker{Seq: 3, Ord: 2, Moved: true}},
		{3, journal.Marker{Seq: 3, Ord: 2}},
		{1, journal.Marker{Seq: 3, Ord: 2}},
		{98, journal.Marker{Seq: 98, Ord: 49, Moved: true}},
		{5000, journal.Marker{Seq: 100, Ord: 50, Moved: true}},
		{5000, journal.Marker{Seq: 100, Ord: 50}},
	} {
		if m := e.mark("bob", c.seq); m != c.want {
			e.Fatalf("%d: %+v", i, m)
		}
	}
	if m := e.member("bob"); m.ReadSeq != 100 || m.ReadOrd != 50 {
		e.Fatalf("%+v", m)
	}
	e.reopen()
	if m := e.mark("cat", 20); m.Ord != 10 { // read from the row: nothing is remembered
		e.Fatalf("%+v", m)
	}
	for i := range 70 { // over the end of what a writer remembers of ords
		e.must(e.say("ann", fmt.Sprint(i)))
	}
	for _, seq := range []im.Seq{99, 100, 105, 106, 107, 169, 170} {
		want := im.Ord(50 + seq - 100)
		if seq < 100 {
			want = 50
		}
		if m := e.mark("cat", seq); m.Seq != seq || m.Ord != want {
			e.Fatalf("%d: %+v, want ord %d", seq, m, want)
		}
	}
	if m := e.member("ann"); m.ReadSeq != 170 || m.ReadOrd != 120 { // its own messages are read
		e.Fatalf("%+v", m)
	}
}

// news is what a sync with a cursor would give a user.
func (e *env) news(user im.UserID, cursor []im.Pos) (out []journal.Changed) {
	e.Helper()
	e.view(func(v journal.View) (err error) {
		out, err = v.Changes(app, user, cursor, nil, 100)
		return err
	})
	return out
}

func markVisibility(e *env) {
	e.must(e.say("ann", "1"))
	e.must(e.say("ann", "2"))
	before := e.heads()
	if n := e.news("bob", before); len(n) != 0 {
		e.Fatalf("news at the head: %+v", n)
	}
	e.mark("bob", 1)
	for _, user := range []im.UserID{"bob", "ann"} { // the own devices, and the others' by Conv.ChangedPos
		if n := e.news(user, before); len(n) != 1 {
			e.Fatalf("a device of %s with the cursor from before the mark is not told: %+v", user, n)
		}
	}
	// The head did not move, so the same cursor is all that a device can have.
	e.must(e.say("ann", "3"))
	after := e.heads()
	if n := e.news("bob", after); len(n) != 0 {
		e.Fatalf("the mark is news for ever: %+v", n)
	}
	// Again, on a head that has moved.
	e.mark("bob", 3)
	if n := e.news("bob", after); len(n) != 1 || n[0].Member.ReadSeq != 3 {
		e.Fatalf("%+v", n)
	}
	e.mark("bob", 1) // moves nothing: no news for those who know
	e.must(e.say("ann", "4"))
	if n := e.news("bob", e.heads()); len(n) != 0 {
		e.Fatalf("%+v", n)
	}
	// A removed member is told of the removal and of nothing after it.
	last := e.heads()
	e.must(e.change("ann", journal.MemberChange{User: "cat"}))
	if n := e.news("cat", last); len(n) != 1 || n[0].Member.To != 6 {
		e.Fatalf("%+v", n)
	}
	last = e.heads()
	e.must(e.say("ann", "6"))
	e.mark("bob", 6)
	if n := e.news("cat", last); len(n) != 0 {
		e.Fatalf("a removed member hears on: %+v", n)
	}
	if n := e.news("bob", last); len(n) != 1 {
		e.Fatalf("%+v", n)
	}
}

func marksInBatch(e *env) {
	e.must(e.say("ann", "1"))
	for round := range 20 {
		before := e.heads()
		done := make(chan error, 2)
		e.j.Submit(e.say("ann", "x"), func(_ journal.Result, err error) { done <- err })
		go func() {
			_, err := e.j.Mark(e.Context(), app, group, "bob", 1<<40)
			done <- err
		}()
		for range 2 {
			if err := <-done; err != nil {
				e.Fatal(err)
			}
		}
		if n := e.news("bob", before); len(n) != 1 || n[0].Member.ReadSeq == 0 {
			e.Fatalf("round %d: %+v", round, n)
		}
		var changed, head im.Pos
		e.view(func(v journal.View) error {
			c, err := v.Conv(app, group)
			changed, head = c.ChangedPos, c.LastPos
			return err
		})
		if changed > head+1 {
			e.Fatalf("changed at %d, head %d", changed, head)
		}
	}
	e.sound()
}

func readers(e *env) {
	e.must(e.say("ann", "1"))
	e.must(e.say("ann", "2"))
	e.mark("cat", 1)
	e.must(e.say("ann", "3"))
	e.mark("bob", 2)
	e.view(func(v journal.View) error {
		list, err := v.Readers(app, group, 2)
		if err != nil || len(list) != 2 || list[0].User != "bob" || list[1].User != "cat" {
			e.Fatalf("%+v %v", list, err)
		}
		return nil
	})
	e.must(e.change("ann", journal.MemberChange{User: "bob"}))
	e.view(func(v journal.View) error {
		list, err := v.Readers(app, group, 10)
		if err != nil || len(list) != 2 || list[0].User != "cat" {
			e.Fatalf("%+v %v", list, err)
		}
		return nil
	})
}

func (e *env) on(kind im.Kind, effect journal.Effect, target im.Seq, body string) *journal.Append {
	a := e.say("ann", body)
	a.Kind, a.Effect, a.Target = kind, effect, target
	return a
}

func edits(e *env) {
	e.must(e.say("ann", "one"))
	first := e.must(e.on(im.KindEdit, journal.ReplaceTarget, 1, "two"))
	second := e.must(e.on(im.KindEdit, journal.ReplaceTarget, 1, "three"))
	if string(first.Entry.Previous) != "one" || second.Entry.Previous != nil {
		e.Fatalf("%q %q", first.Entry.Previous, second.Entry.Previous)
	}
	for range 2 {
		list := e.entries(group)
		if x := list[0]; string(x.Body) != "three" || x.Version != 3 || x.Recalled || x.Seq != 1 || x.Kind != im.KindMessage {
			e.Fatalf("%+v", x)
		}
		if string(list[1].Body) != "two" || string(list[1].Previous) != "one" || string(list[2].Body) != "three" {
			e.Fatalf("%+v", list[1:])
		}
		e.reopen()
	}
}

func recalls(e *env) {
	e.must(e.say("ann", "secret"))
	e.must(e.say("bob", "other"))
	e.must(e.on(im.KindEdit, journal.ReplaceTarget, 1, "secret 2"))
	e.must(e.on(im.KindEdit, journal.ReplaceTarget, 1, "secret 3"))
	r := e.must(e.on(im.KindRecall, journal.BlankTarget, 1, "why"))
	if r.Entry.Seq != 5 {
		e.Fatalf("%+v", r)
	}
	e.must(e.on(im.KindRecall, journal.BlankTarget, 1, "again")) // changes nothing more
	list := e.entries(group)
	if x := list[0]; len(x.Body) != 0 || !x.Recalled || x.Version != 4 || x.Ord != 1 {
		e.Fatalf("%+v", x)
	}
	for _, x := range list[2:4] {
		if len(x.Body) != 0 || len(x.Previous) != 0 || x.Version != 2 || x.Recalled {
			e.Fatalf("%+v", x)
		}
	}
	if string(list[1].Body) != "other" || string(list[4].Body) != "why" {
		e.Fatalf("%+v", list)
	}
	e.sound()
}

func effectsInBatch(e *env) {
	e.must(e.say("ann", "0"))
	results, errs := e.batch(e.say("ann", "one"), e.on(im.KindEdit, journal.ReplaceTarget, 2, "two"),
		e.on(im.KindEdit, journal.ReplaceTarget, 1, "old one"), e.on(im.KindRecall, journal.BlankTarget, 2, ""), e.on(im.KindEdit, journal.ReplaceTarget, 2, "back"))
	for i, err := range errs[:4] {
		if err != nil {
			e.Fatal(i, err)
		}
	}
	e.stale(errs[4])
	if results[3].Entry.Seq != 5 {
		e.Fatalf("%+v", results[3])
	}
	list := e.entries(group)
	if x := list[1]; len(x.Body) != 0 || !x.Recalled || x.Version != 3 {
		e.Fatalf("%+v", x)
	}
	if x := list[2]; len(x.Body) != 0 || len(x.Previous) != 0 || x.Version != 2 {
		e.Fatalf("%+v", x)
	}
	if x := list[0]; string(x.Body) != "old one" || x.Version != 2 {
		e.Fatalf("%+v", x)
	}
	// A new conversation whose first entries refer to each other.
	x, y := e.say("ann", "first"), e.on(im.KindEdit, journal.ReplaceTarget, 1, "edited")
	x.Conv, y.Conv = "g2", "g2"
	_, errs = e.batch(x, y)
	if errs[0] != nil || errs[1] != nil {
		e.Fatal(errs)
	}
	if list := e.entries("g2"); string(list[0].Body) != "edited" || string(list[1].Previous) != "first" {
		e.Fatalf("%+v", list)
	}
	e.sound()
}

func (e *env) put(key, body string) *journal.Append {
	a := e.say("ann", body)
	a.Kind, a.Key, a.Effect = im.KindKeyed, key, journal.BlankKey
	return a
}

func bodies(list []im.Entry) string {
	var out []string
	for i := range list {
		out = append(out, string(list[i].Body))
	}
	return strings.Join(out, " ")
}

func keyed(e *env) {
	e.must(e.put("draft/b", "b1"))
	e.must(e.put("draft/a", "a1"))
	e.must(e.put("draft/b", "b2"))
	_, errs := e.batch(e.put("draft/c", "c1"), e.put("draft/b", "b3"), e.put("draft/c", "c2"), e.put("draft/c", "c3"))
	for _, err := range errs {
		if err != nil {
			e.Fatal(err)
		}
	}
	e.reopen()
	e.must(e.put("draft/a", "a2"))
	e.view(func(v journal.View) error {
		list, err := v.Keyed(app, group)
		if err != nil || len(list) != 3 {
			e.Fatalf("%+v %v", list, err)
		}
		for i, want := range []string{"a2", "b3", "c3"} {
			if string(list[i].Body) != want || list[i].Version != 1 {
				e.Fatalf("%+v", list[i])
			}
		}
		return nil
	})
	e.view(func(v journal.View) error {
		for _, c := range []struct {
			r    journal.KeyRange
			want string
		}{
			{journal.KeyRange{Limit: 9}, "a2 b3 c3"},
			{journal.KeyRange{Prefix: "draft/", Limit: 2}, "a2 b3"},
			{journal.KeyRange{Prefix: "draft/", After: "draft/a", Limit: 9}, "b3 c3"},
			{journal.KeyRange{Prefix: "draft/b", Limit: 9}, "b3"},
			{journal.KeyRange{Prefix: "draf0", Limit: 9}, ""},
			{journal.KeyRange{Prefix: "draft/\u7fff", Limit: 9}, ""},
			{journal.KeyRange{Since: e.entries(group)[6].Pos, Limit: 9}, "a2"},
			{journal.KeyRange{}, ""},
		} {
			list, err := v.KeyedIn(app, group, c.r)
			if got := bodies(list); err != nil || got != c.want {
				e.Fatalf("%+v: %q %v", c.r, got, err)
			}
		}
		list, err := v.KeyedAt(app, group, "draft/c", "none", "", "draft/a")
		if got := bodies(list); err != nil || got != "a2 c3" {
			e.Fatalf("%q %v", got, err)
		}
		if list, err = v.KeyedAt(app, group); err != nil || len(list) != 0 {
			e.Fatalf("%+v %v", list, err)
		}
		return nil
	})
	for i, x := range e.entries(group) {
		kept := slices.Contains([]string{"a2", "b3", "c3"}, string(x.Body))
		if !kept && (len(x.Body) != 0 || x.Version != 2 || x.Key == "") {
			e.Fatalf("%d: %+v", i, x)
		}
	}
	e.sound()
}

func devices(e *env) {
	a := e.say("ann", "welcome")
	a.Handshake, a.ToDevices = true, []im.DeviceID{"phone", "", "table\nt", "日本"}
	e.must(a)
	e.must(e.say("ann", "all"))
	e.reopen()
	list := e.entries(group)
	if x := list[0]; !x.Handshake || !slices.Equal(x.ToDevices, a.ToDevices) {
		e.Fatalf("%+v", x)
	}
	if x := list[1]; x.Handshake || len(x.ToDevices) != 0 {
		e.Fatalf("%+v", x)
	}
	if r := e.must(a); !r.Duplicate || !slices.Equal(r.Entry.ToDevices, a.ToDevices) {
		e.Fatalf("%+v", r)
	}
}

func clockBack(e *env) {
	first := e.must(e.say("ann", "1")).Entry.Time
	e.clock.Add(-time.Hour)
	if x := e.must(e.say("ann", "2")).Entry; x.Time != first {
		e.Fatalf("%d after %d", x.Time, first)
	}
	e.reopen()
	if x := e.must(e.say("ann", "3")).Entry; x.Time != first {
		e.Fatalf("%d after %d", x.Time, first)
	}
	e.clock.Add(2 * time.Hour)
	if x := e.must(e.say("ann", "4")).Entry; x.Time <= first {
		e.Fatalf("%d after %d", x.Time, first)
	}
	e.sound()
}
