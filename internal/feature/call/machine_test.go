package call

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// word is a state as the guide names it.
func word(s state) string {
	if s == none {
		return "none"
	}
	return strings.ToLower(strings.TrimPrefix(skeinv1.CallPartyState(s).String(), "CALL_PARTY_STATE_"))
}

func TestTheGuideShowsTheTableThatTheServerGoesBy(t *testing.T) {
	want := map[string]string{}
	for from, row := range table() {
		for e, to := range row {
			want[word(from)+" "+string(e)] = word(to)
		}
	}
	for _, page := range []string{"calls.md", "zh-CN/calls.md"} {
		text, err := os.ReadFile("../../../docs/guide/" + page)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		lines := regexp.MustCompile("(?m)^\\| `([a-z]+)` \\|(.*)\\|$").FindAllStringSubmatch(string(text), -1)
		head := regexp.MustCompile("(?m)^\\| [^`|]*\\|((?: `[a-z]+` \\|)+)$").FindStringSubmatch(string(text))
		if head == nil {
			t.Fatalf("%s has no table of states", page)
		}
		events := regexp.MustCompile("`([a-z]+)`").FindAllStringSubmatch(head[1], -1)
		for _, l := range lines {
			for i, cell := range strings.Split(l[2], "|") {
				if to := strings.TrimSpace(cell); to != "" && i < len(events) {
					got[l[1]+" "+events[i][1]] = to
				}
			}
		}
		if !maps.Equal(got, want) {
			for _, k := range slices.Sorted(maps.Keys(want)) {
				if got[k] != want[k] {
					t.Errorf("%s: %s is %q, and the server makes %q of it", page, k, got[k], want[k])
				}
			}
			for k := range got {
				if want[k] == "" {
					t.Errorf("%s: %s is there, and the server does not know it", page, k)
				}
			}
		}
	}
}

// Whatever happens to whomever, in whatever order, a call keeps its rules.
func TestEveryOrderOfEventsKeepsTheRulesOfACall(t *testing.T) {
	events := []event{invite, engaged, join, decline, leave, remove, timeout}
	for _, conv := range []im.ConvID{im.Direct("a", "b"), "group"} {
		users := []im.UserID{"a", "b", "c"}
		if conv.Kind() == im.ConvDirect {
			users = users[:2]
		}
		var walk func(t1 *turn, depth int, path string)
		seen := 0
		walk = func(at *turn, depth int, path string) {
			seen++
			c := at.c
			in := at.count(joined)
			switch {
			case c.state == callEnded && (in > 0 || at.count(ringing) > 0):
				t.Fatalf("%s: it is over and somebody is in it or rings", path)
			case c.state == callEnded && c.ending == 0, c.state != callEnded && c.ending != 0:
				t.Fatalf("%s: over %v, why %d", path, c.state, c.ending)
			case c.state != callEnded && in == 0:
				t.Fatalf("%s: nobody is in it and it goes on", path)
			case c.state == callRings && c.answered != 0, c.state == callRings && at.count(ringing) == 0:
				t.Fatalf("%s: it rings and nobody is rung, or somebody has answered", path)
			case c.direct() && c.state == callActive && in != 2:
				t.Fatalf("%s: a call of two goes on with %d", path, in)
			}
			if depth == 0 || c.state == callEnded {
				return
			}
			for _, u := range users {
				for _, e := range events {
					next := at.copy()
					next.now++
					if next.move(next.add(u), e) {
						next.settle()
						walk(next, depth-1, path+fmt.Sprintf(" %s:%s", u, e))
					}
				}
			}
		}
		begin := &turn{now: 1, c: &call{conv: conv, state: callRings}}
		begin.move(begin.add("a"), join)
		begin.move(begin.add("b"), invite)
		begin.settle()
		walk(begin, 5, string(conv))
		if least := map[bool]int{true: 10, false: 1000}[conv.Kind() == im.ConvDirect]; seen < least {
			t.Errorf("only %d states of %s were looked at", seen, conv)
		}
	}
}

// copy is the same turn, to go another way from.
func (t *turn) copy() *turn {
	c := *t.c
	out := &turn{now: t.now, c: &c}
	for _, p := range t.parties {
		q := *p
		out.parties = append(out.parties, &q)
	}
	return out
}

func TestEveryUserAndDeviceIsOneParticipantAndBack(t *testing.T) {
	seen := map[string]bool{}
	for _, u := range []im.UserID{"ann", "Ann", "a/b", "~ann", "~", "安", "a b", "-x", "u1"} {
		for _, d := range []im.DeviceID{"", "phone", "a/b", "~", "Ann's phone 📱"} {
			who := identity(u, d)
			user, device, ok := whoIs(who)
			if !ok || user != u || device != d || seen[who] || len(who) > 256 {
				t.Errorf("%q/%q is %q, which is %q/%q", u, d, who, user, device)
			}
			seen[who] = true
		}
	}
	long := im.UserID(strings.Repeat("安", 21))
	if n := len(identity(long, im.DeviceID(long))); n > 256 {
		t.Errorf("the longest has %d bytes", n)
	}
	for _, bad := range []string{"", "ann", "/phone", "~!/x", "an n/x", "ann/x/y"} {
		if _, _, ok := whoIs(bad); ok {
			t.Errorf("%q is taken for somebody", bad)
		}
	}
}

func FuzzIdentity(f *testing.F) {
	f.Add("ann/phone")
	f.Add("~YW5u/")
	f.Fuzz(func(t *testing.T, who string) {
		if u, d, ok := whoIs(who); ok {
			if u2, d2, ok2 := whoIs(identity(u, d)); !ok2 || u != u2 || d != d2 {
				t.Errorf("%q is %q/%q, and back %q/%q", who, u, d, u2, d2)
			}
		}
	})
}
