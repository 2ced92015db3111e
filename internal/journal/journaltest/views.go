package journaltest

import (
	"fmt"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
)

func snapshot(e *env) {
	e.must(e.say("ann", "1"))
	e.view(func(v journal.View) error {
		heads, err := v.Heads()
		if err != nil {
			return err
		}
		e.must(e.say("ann", "2"))
		e.must(e.change("ann", journal.MemberChange{User: "bob"}))
		again, err := v.Heads()
		if err != nil {
			return err
		}
		c, err := v.Conv(app, group)
		if err != nil {
			return err
		}
		m, err := v.Member(app, group, "bob")
		if err != nil {
			return err
		}
		list, err := v.Entries(app, group, 1, 9, 9, false)
		if fmt.Sprint(heads) != fmt.Sprint(again) || c.HeadSeq != 1 || c.ACLVersion != 1 || m.To != 0 || len(list) != 1 {
			e.Fatalf("%v %v %+v %+v %d", heads, again, c, m, len(list))
		}
		return err
	})
	if c := e.conv(group); c.HeadSeq != 3 {
		e.Fatalf("%+v", c)
	}
}

func since(e *env) {
	var list []*journal.Append
	for i := range 120 {
		conv, create, sender := direct(i % 12)
		list = append(list, &journal.Append{App: app, Conv: conv, Kind: im.KindMessage, Sender: sender, ClientID: e.id(),
			Body: []byte(fmt.Sprint(i)), ACLVersion: -1, Create: create})
	}
	e.all(list...)
	total := 0
	e.view(func(v journal.View) error {
		heads, err := v.Heads()
		if err != nil {
			return err
		}
		for shard, head := range heads {
			var after im.Pos
			for {
				page, err := v.Since(shard, after, 7)
				if err != nil {
					return err
				}
				if len(page) == 0 {
					break
				}
				for _, x := range page {
					if x.Pos != after+1 || x.Shard != shard || x.Conv == "" || x.App != app {
						e.Fatalf("%+v after %d", x, after)
					}
					after = x.Pos
					total++
				}
			}
			if after != head {
				e.Fatalf("shard %d ends at %d, head %d", shard, after, head)
			}
		}
		return nil
	})
	if total != len(list) {
		e.Fatalf("%d entries", total)
	}
}

func seqs(list []im.Entry) (out []int) {
	for _, x := range list {
		out = append(out, int(x.Seq))
	}
	return out
}

func paging(e *env) {
	for i := range 30 {
		e.must(e.say("ann", fmt.Sprint(i)))
	}
	e.view(func(v journal.View) error {
		for _, c := range []struct {
			from, to im.Seq
			limit    int
			newest   bool
			want     string
		}{
			{1, 30, 3, false, "[1 2 3]"}, {1, 30, 3, true, "[28 29 30]"}, {5, 7, 10, false, "[5 6 7]"}, {5, 7, 10, true, "[5 6 7]"},
			{5, 20, 2, true, "[19 20]"}, {29, 99, 10, false, "[29 30]"}, {31, 99, 10, false, "[]"}, {1, 30, 0, false, "[]"}, {9, 3, 5, true, "[]"},
		} {
			list, err := v.Entries(app, group, c.from, c.to, c.limit, c.newest)
			if err != nil || fmt.Sprint(seqs(list)) != c.want {
				e.Fatalf("%+v: %v %v", c, seqs(list), err)
			}
		}
		return nil
	})
}

func targeting(e *env) {
	for i := range 4 {
		e.must(e.say("ann", fmt.Sprint(i)))
	}
	e.must(e.on(im.KindReaction, journal.NoEffect, 2, "x"))   // 5
	e.must(e.on(im.KindEdit, journal.ReplaceTarget, 1, "x"))  // 6
	e.must(e.on(im.KindReaction, journal.NoEffect, 1, "x"))   // 7
	e.must(e.on(im.KindReaction, journal.NoEffect, 4, "x"))   // 8
	e.must(e.on(im.KindRecall, journal.BlankTarget, 3, "x"))  // 9
	e.must(e.on(im.KindReaction, journal.NoEffect, 99, "x"))  // 10: a target that is not there is the caller's business
	e.must(e.on(im.KindReaction, journal.NoEffect, 2, "off")) // 11
	e.view(func(v journal.View) error {
		for _, c := range []struct {
			from, to im.Seq
			limit    int
			kinds    []im.Kind
			want     string
		}{
			{1, 4, 99, []im.Kind{im.KindReaction}, "[5 7 8 11]"}, {1, 4, 99, []im.Kind{im.KindReaction, im.KindEdit}, "[5 6 7 8 11]"},
			{2, 2, 99, []im.Kind{im.KindReaction}, "[5 11]"}, {1, 4, 2, []im.Kind{im.KindReaction}, "[5 7]"}, {0, 0, 9, []im.Kind{im.KindMessage}, "[]"},
			{3, 3, 9, []im.Kind{im.KindRecall}, "[9]"}, {1, 4, 9, nil, "[]"},
		} {
			list, err := v.Targeting(app, group, c.from, c.to, c.limit, c.kinds...)
			if err != nil || fmt.Sprint(seqs(list)) != c.want {
				e.Fatalf("%+v: %v %v", c, seqs(list), err)
			}
		}
		return nil
	})
}

func changes(e *env) {
	create := func(i int) *journal.Append {
		return &journal.Append{App: app, Conv: im.ConvID(fmt.Sprintf("c%02d", i)), Kind: im.KindMessage, Sender: "ann", ClientID: e.id(),
			Body: []byte(fmt.Sprint(i)), ACLVersion: -1, MarkRead: true, Create: &journal.Create{Kind: im.ConvGroup, Members: []journal.NewMember{
				{User: "ann", Role: im.RoleOwner}, {User: im.UserID(fmt.Sprintf("u%d", i%2)), Role: im.RoleMember}}}}
	}
	for i := range 20 {
		e.must(create(i))
	}
	if n := e.news("ann", nil); len(n) != 20 {
		e.Fatalf("%d", len(n))
	}
	if n := e.news("u1", nil); len(n) != 10 {
		e.Fatalf("%d", len(n))
	}
	if n := e.news("eve", nil); len(n) != 0 {
		e.Fatalf("%d", len(n))
	}
	cursor := e.heads()
	again := create(7)
	e.must(again)
	n := e.news("ann", cursor)
	if len(n) != 1 || n[0].Conv.ID != "c07" || n[0].Conv.HeadSeq != 2 || n[0].Member.ReadSeq != 2 || n[0].Member.User != "ann" || n[0].Conv.Members != 2 {
		e.Fatalf("%+v", n)
	}
	if n := e.news("u0", cursor); len(n) != 0 {
		e.Fatalf("%+v", n)
	}
	if n := e.news("ann", make([]im.Pos, e.j.Shards())); len(n) != 20 {
		e.Fatalf("%d past the beginning", len(n))
	}
	// Pages: all of them, none twice, newest first.
	seen := map[im.ConvID]bool{}
	e.view(func(v journal.View) error {
		var key *journal.PageKey
		for {
			page, err := v.Changes(app, "ann", nil, key, 3)
			if err != nil {
				return err
			}
			if len(page) == 0 {
				return nil
			}
			for _, c := range page {
				if seen[c.Conv.ID] || key != nil && c.Conv.LastPos > key.LastPos {
					e.Fatalf("%+v after %+v", c, key)
				}
				seen[c.Conv.ID] = true
				key = &journal.PageKey{LastPos: c.Conv.LastPos, Conv: c.Conv.ID}
			}
		}
	})
	if len(seen) != 20 {
		e.Fatalf("%d in pages", len(seen))
	}
}

func members(e *env) {
	a := e.say("ann", "1")
	for i := range 25 {
		a.Create.Members = append(a.Create.Members, journal.NewMember{User: im.UserID(fmt.Sprintf("m%02d", i)), Role: im.RoleMember})
	}
	e.must(a)
	e.must(e.change("ann", journal.MemberChange{User: "m03"}, journal.MemberChange{User: "Zed", Role: im.RoleMember}, journal.MemberChange{User: "äöü", Role: im.RoleMember}))
	var got []im.UserID
	e.view(func(v journal.View) error {
		after := im.UserID("")
		for {
			page, err := v.Members(app, group, after, 4)
			if err != nil || len(page) == 0 {
				return err
			}
			for _, m := range page {
				if m.User <= after || m.User == "m03" { // bytewise
					e.Fatalf("%s after %s", m.User, after)
				}
				after = m.User
				got = append(got, m.User)
			}
		}
	})
	if len(got) != 29 || got[0] != "Zed" || got[28] != "äöü" || e.conv(group).Members != 29 {
		e.Fatalf("%d %v", len(got), got)
	}
}

// membersSince follows a list of members by what has changed, through joins,
// ends, a return, a change of role and of attributes, and read markers.
func membersSince(e *env) {
	a := e.say("ann", "1")
	for i := range 9 {
		a.Create.Members = append(a.Create.Members, journal.NewMember{User: im.UserID(fmt.Sprintf("m%02d", i)), Role: im.RoleMember})
	}
	e.must(a)
	known, at := map[im.UserID]journal.Member{}, im.Pos(0)
	follow := func(want int) {
		e.Helper()
		now := map[im.UserID]journal.Member{}
		e.view(func(v journal.View) error {
			changed, err := v.MembersSince(app, group, at, 100)
			if err != nil {
				return err
			}
			if len(changed) != want {
				e.Fatalf("%d have changed since %d, want %d: %+v", len(changed), at, want, changed)
			}
			for _, m := range changed {
				m.ReadSeq, m.ReadOrd, m.Sent = 0, 0, 0 // what one's own messages move is no change of the list
				if known[m.User] = m; m.To > 0 {
					delete(known, m.User)
				}
			}
			few, err := v.MembersSince(app, group, at, 1)
			if err == nil && len(few) != min(want, 1) {
				e.Fatalf("%d of a limit of 1", len(few))
			}
			c, err := v.Conv(app, group)
			if err != nil {
				return err
			}
			at = c.LastPos
			all, err := v.Members(app, group, "", 100)
			for _, m := range all {
				m.ReadSeq, m.ReadOrd, m.Sent = 0, 0, 0
				now[m.User] = m
			}
			return err
		})
		if fmt.Sprint(known) != fmt.Sprint(now) {
			e.Fatalf("followed to %v, the list is %v", known, now)
		}
	}
	follow(12)
	e.must(e.say("ann", "nobody changes"))
	follow(0)
	attrs := []byte("nick")
	e.must(e.change("ann", journal.MemberChange{User: "m03"}, journal.MemberChange{User: "new", Role: im.RoleMember}, journal.MemberChange{User: "bob", Role: im.RoleMember}))
	follow(3)
	e.must(e.change("ann", journal.MemberChange{User: "m03", Role: im.RoleMember, Attrs: &attrs}))
	e.must(e.change("ann", journal.MemberChange{User: "new"}))
	follow(2)
	e.must(e.change("ann", journal.MemberChange{User: "m03"}))
	e.must(e.change("ann", journal.MemberChange{User: "m03", Role: im.RoleAdmin}))
	follow(1)
}
