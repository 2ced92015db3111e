package script

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// callVerbs are voice and video calls; a conversation has one at a time, so
// that its name is the call's.
//
//	ring CONV [video] [quiet] [viewers] [with USER …]
//	incall CONV join | move | decline | leave | end | record | unrecord
//	incall CONV invite USER … | oust USER | role USER ROLE | mute USER
//	calls "CONV STATE" …
//	incall CONV is "STATE USER=STATE …"
//	callline CONV "KIND voice"
//	recordings CONV "STATE by USER" …
//	records [missed] "CONV STATE" …
func callVerbs() map[string]verb {
	return map[string]verb{"ring": ring, "incall": inCall, "calls": callsNow, "records": records, "callline": callLineIs, "recordings": recordings}
}

func ring(ctx context.Context, w *world, d *device, a *args) error {
	c := Command{Verb: "ring", Conversation: w.conv(d, a.next("a conversation")), Data: map[string]any{}}
	for _, word := range []string{"video", "quiet", "viewers"} {
		c.Data[word] = a.word(word)
	}
	if a.word("with") {
		c.Users = a.rest()
	}
	return w.call(ctx, d, a, c)
}

func inCall(ctx context.Context, w *world, d *device, a *args) error {
	c := Command{Verb: "incall", Conversation: w.conv(d, a.next("a conversation")), Type: a.next("what")}
	switch c.Type {
	case "invite", "oust", "mute":
		c.Users = a.rest()
	case "role":
		c.Users, c.Role = []string{a.next("a user")}, a.next("a role")
	case "is":
		want := a.text("its state")
		return w.result(ctx, d, c, func(raw json.RawMessage) error {
			var got string
			if err := json.Unmarshal(raw, &got); err != nil {
				return err
			}
			if got != want {
				return fmt.Errorf("the call is %q, want %q", got, want)
			}
			return nil
		})
	}
	return w.call(ctx, d, a, c)
}

// callLineIs: what the newest message says of a call.
func callLineIs(ctx context.Context, w *world, d *device, a *args) error {
	c := Command{Verb: "callline", Conversation: w.conv(d, a.next("a conversation"))}
	want := a.text("what it says")
	return w.result(ctx, d, c, func(raw json.RawMessage) error {
		var got string
		if err := json.Unmarshal(raw, &got); err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("the newest message is %q, want %q", got, want)
		}
		return nil
	})
}

// callsNow: what the device knows of its user's calls, newest first.
func callsNow(ctx context.Context, w *world, d *device, a *args) error {
	return w.callLines(ctx, d, a, Command{Verb: "calls"})
}

// recordings: those of a conversation, newest first.
func recordings(ctx context.Context, w *world, d *device, a *args) error {
	c := Command{Verb: "recordings", Conversation: w.conv(d, a.next("a conversation"))}
	want := a.rest()
	return w.result(ctx, d, c, func(raw json.RawMessage) error {
		var got []string
		if err := json.Unmarshal(raw, &got); err != nil {
			return err
		}
		if !slices.Equal(got, want) {
			return fmt.Errorf("the recordings are %q, want %q", got, want)
		}
		return nil
	})
}

func records(ctx context.Context, w *world, d *device, a *args) error {
	return w.callLines(ctx, d, a, Command{Verb: "records", Data: map[string]any{"missed": a.word("missed")}})
}

// callLines compares lines that begin with a conversation.
func (w *world) callLines(ctx context.Context, d *device, a *args, c Command) error {
	var want []string
	for _, l := range a.rest() {
		conv, rest, _ := strings.Cut(l, " ")
		want = append(want, w.conv(d, conv)+" "+rest)
	}
	return w.result(ctx, d, c, func(raw json.RawMessage) error {
		var got []string
		if err := json.Unmarshal(raw, &got); err != nil {
			return err
		}
		if !slices.Equal(got, want) {
			return fmt.Errorf("the calls are %q, want %q", got, want)
		}
		return nil
	})
}
