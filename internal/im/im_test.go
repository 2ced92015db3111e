package im

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestAConversationsKindIsToldByItsID(t *testing.T) {
	long := strings.Repeat("x", 64)
	for id, want := range map[ConvID]ConvKind{
		"@5:alice:bob": ConvDirect, Direct("bob", "alice"): ConvDirect, Direct("a:b", "a:b:c"): ConvDirect, Direct(UserID(long), "b"): ConvDirect,
		"~alice": ConvSelf, Self("王小明"): ConvSelf, "g1": ConvGroup, "A_b-9": ConvGroup, ConvID(long): ConvGroup,
		"": ConvInvalid, "@": ConvInvalid, "@5:alice": ConvInvalid, "@5:alice:": ConvInvalid, "@4:alice:bob": ConvInvalid, "@05:alice:bob": ConvInvalid,
		"@+5:alice:bob": ConvInvalid, "@3:bob:alice": ConvInvalid, "@3:bob:bob": ConvInvalid, "@99:a:b": ConvInvalid, "@-1:a:b": ConvInvalid,
		"~": ConvInvalid, "~a\nb": ConvInvalid, "_g": ConvInvalid, "g 1": ConvInvalid, "g/1": ConvInvalid, ConvID(long + "x"): ConvInvalid,
		"@5:al\x00ce:bob": ConvInvalid, "~\xff": ConvInvalid, "~a\u202eb": ConvInvalid,
	} {
		if got := id.Kind(); got != want {
			t.Errorf("%q is of kind %d, want %d", id, got, want)
		}
	}
}

func TestADirectConversationHasOneIDWhoeverAsks(t *testing.T) {
	for _, p := range [][2]UserID{{"alice", "bob"}, {"b", "a"}, {"x:y", "x"}, {"小明", "Zoë"}} {
		c := Direct(p[0], p[1])
		if c != Direct(p[1], p[0]) {
			t.Errorf("%v: two ids", p)
		}
		if c.Peer(p[0]) != p[1] || c.Peer(p[1]) != p[0] || c.Peer("somebody") != "" || c.Peer("") != "" {
			t.Errorf("%v: peers of %q", p, c)
		}
	}
	if Direct("a", "b").Owner() != "" || Self("a").Owner() != "a" || ConvID("g").Owner() != "" {
		t.Error("only a self conversation has an owner")
	}
}

func TestNamesWithoutControlOrFormattingCharacters(t *testing.T) {
	for s, want := range map[string]bool{"a": true, "user@example.com": true, "王小明": true, strings.Repeat("x", 64): true, " ": true,
		"": false, strings.Repeat("x", 65): false, "a\x00": false, "a\r\n": false, "\u202ea": false, "a\u200db": false, "\xff\xfe": false, "a\u2028": false} {
		if ValidName(s) != want {
			t.Errorf("ValidName(%q) = %v", s, !want)
		}
	}
	for s, want := range map[string]bool{"demo": true, "a_b-c": true, "9": true, "": false, "-a": false, "a.b": false, "ä": false, strings.Repeat("x", 65): false} {
		if ValidToken(s) != want {
			t.Errorf("ValidToken(%q) = %v", s, !want)
		}
	}
	for s, want := range map[string]bool{"draft/@5:alice:bob": true, "": false, strings.Repeat("k", 201): false, "a\tb": false} {
		if ValidKey(s) != want {
			t.Errorf("ValidKey(%q) = %v", s, !want)
		}
	}
}

func TestAClientIDCarriesItsTimeAndSortsByIt(t *testing.T) {
	at := time.UnixMilli(1_790_000_000_123)
	a, err := NewClientID(at, bytes.NewReader(make([]byte, 10)))
	if err != nil || !a.Time().Equal(at) {
		t.Fatal(a.Time(), err)
	}
	b, _ := NewClientID(at.Add(time.Millisecond), bytes.NewReader(bytes.Repeat([]byte{0xff}, 10)))
	if bytes.Compare(a[:], b[:]) >= 0 {
		t.Error("a later id sorts before an earlier one")
	}
	for _, id := range []ClientID{a, b} {
		if got, ok := ParseClientID(id[:]); !ok || got != id {
			t.Errorf("%s is refused", id)
		}
	}
	if s := a.String(); len(s) != 36 || s[14] != '7' || strings.Count(s, "-") != 4 {
		t.Errorf("written as %s", s)
	}
	v4 := a
	v4[6] = 0x40
	variant := a
	variant[8] = 0
	for _, bad := range [][]byte{nil, a[:15], append(bytes.Clone(a[:]), 0), v4[:], variant[:]} {
		if _, ok := ParseClientID(bad); ok {
			t.Errorf("%x is accepted", bad)
		}
	}
	if _, err := NewClientID(at, bytes.NewReader(nil)); err == nil {
		t.Error("an id without entropy")
	}
}

func TestOnlyWhatADeviceMayReadIsNotWithheld(t *testing.T) {
	for name, c := range map[string]struct {
		e    Entry
		want bool
	}{
		"a message": {Entry{Kind: KindMessage, Body: []byte("x")}, false}, "a recalled one": {Entry{Kind: KindMessage, Recalled: true}, false},
		"for this device": {Entry{ToDevices: []DeviceID{"x", "d"}}, false}, "for another": {Entry{ToDevices: []DeviceID{"x"}}, true},
		"a compacted key": {Entry{Kind: KindKeyed}, true}, "a damaged row": {Entry{Damaged: true}, true},
		"for this user": {Entry{ToUsers: []UserID{"x", "u"}}, false}, "for another user": {Entry{ToUsers: []UserID{"x"}}, true},
		"one's own for another user": {Entry{Sender: "u", ToUsers: []UserID{"x"}}, false},
	} {
		if c.e.Withheld("u", "d") != c.want {
			t.Errorf("%s: withheld %v", name, !c.want)
		}
	}
	for _, c := range []struct {
		e    Entry
		want bool
	}{
		{Entry{Kind: KindMessage}, true}, {Entry{Kind: KindMessage, ToDevices: []DeviceID{"d"}}, false}, {Entry{Kind: KindEdit}, false},
		{Entry{Kind: KindMessage, ToUsers: []UserID{"u"}}, false}, {Entry{Kind: KindMessage, Uncounted: true}, false},
	} {
		if c.e.Countable() != c.want {
			t.Errorf("only a message for everybody raises ord: %+v", c.e)
		}
	}
}

func TestAnErrorKeepsItsCodeWhenItIsWrapped(t *testing.T) {
	err := fmt.Errorf("append: %w", Errorf(TooLarge, "a text has at most %d bytes", 5))
	if CodeOf(err) != TooLarge || CodeOf(nil) != 0 || CodeOf(errors.New("x")) != Internal {
		t.Error(CodeOf(err), CodeOf(nil), CodeOf(errors.New("x")))
	}
	if SignedOut.String() != "SIGNED_OUT" || Code(99).String() != "CODE_99" || ErrNotFound.Error() != "NOT_FOUND: not found" {
		t.Error(SignedOut, Code(99), ErrNotFound)
	}
}
