package journaltest

import (
	"fmt"
	"strings"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
)

// groups has ids on both sides of those of direct conversations, which a page
// must pass over also where it ends between them.
func groups(e *env) {
	make := func(of im.AppID, id im.ConvID, kind im.ConvKind) {
		e.must(&journal.Append{App: of, Conv: id, Kind: im.KindMembers, Sender: "ann", ClientID: e.id(), Body: []byte("x"), ACLVersion: -1,
			Create: &journal.Create{Kind: kind, Title: "of " + string(id), Members: []journal.NewMember{{User: "ann", Role: im.RoleOwner}, {User: "bob", Role: im.RoleMember}}}})
	}
	want := []string{"0", "9z", "A", "Zoo", "a", "demo-1", "zz"}
	for i := len(want) - 1; i >= 0; i-- {
		make("demo2", im.ConvID(want[i]), im.ConvGroup)
		make("demo3", im.ConvID("other"+want[i]), im.ConvGroup)
	}
	for i := range 5 {
		c, create, sender := direct(i)
		e.must(&journal.Append{App: "demo2", Conv: c, Kind: im.KindMessage, Sender: sender, ClientID: e.id(), Body: []byte("x"), ACLVersion: -1, Create: create})
		make("demo2", im.Self(sender), im.ConvSelf)
	}
	for limit := 1; limit <= len(want)+1; limit++ {
		var got []string
		for after := im.ConvID(""); ; {
			var page []journal.Conv
			e.view(func(v journal.View) (err error) {
				page, err = v.Groups("demo2", after, limit)
				return err
			})
			for _, c := range page {
				if c.Kind != im.ConvGroup || c.Title != "of "+string(c.ID) || c.Members != 2 || c.HeadSeq != 1 || c.App != "demo2" {
					e.Fatalf("%+v", c)
				}
				got, after = append(got, string(c.ID)), c.ID
			}
			if len(page) < limit {
				break
			}
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			e.Fatalf("in pages of %d: %s", limit, fmt.Sprint(got))
		}
	}
	e.view(func(v journal.View) error {
		none, err := v.Groups("nobody", "", 9)
		if len(none) > 0 {
			e.Fatalf("%+v", none)
		}
		return err
	})
}
