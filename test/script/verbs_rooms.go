package script

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
)

// roomVerbs are what is done in livestreams:
//
//	tunein #g, tuneout #g        watch, and watch no longer
//	shout #g "text"              say something
//	gag #g USER SECONDS          keep a viewer from writing; 0 ends it
//	oust #g USER SECONDS         take a viewer out; 0 lets them in again
//	live #g "line" …             what this device was shown has these lines, at last: "USER: text", "viewers N", "muted", "ended removed"
//	unheard #g "USER: text" …    and none of these
func roomVerbs() map[string]verb {
	named := func(name string) verb {
		return func(ctx context.Context, w *world, d *device, a *args) error {
			return w.call(ctx, d, a, Command{Verb: name, Conversation: w.conv(d, a.next("a group"))})
		}
	}
	limit := func(remove bool) verb {
		return func(ctx context.Context, w *world, d *device, a *args) error {
			return w.timed(ctx, d, a, Command{Verb: "limitViewer", Conversation: w.conv(d, a.next("a group")), Users: []string{a.next("a user")}, Remove: remove})
		}
	}
	lines := func(want bool) verb {
		return func(ctx context.Context, w *world, d *device, a *args) error {
			c := Command{Verb: "roomLines", Conversation: w.conv(d, a.next("a group"))}
			wanted := a.rest()
			return w.result(ctx, d, c, func(raw json.RawMessage) error {
				var got []string
				if err := json.Unmarshal(raw, &got); err != nil {
					return err
				}
				for _, line := range wanted {
					if slices.Contains(got, line) != want {
						return fmt.Errorf("the room shows %q; %q should be among them: %v", got, line, want)
					}
				}
				return nil
			})
		}
	}
	return map[string]verb{
		"tunein":  named("joinRoom"),
		"tuneout": named("leaveRoom"),
		"shout": func(ctx context.Context, w *world, d *device, a *args) error {
			return w.call(ctx, d, a, Command{Verb: "sayInRoom", Conversation: w.conv(d, a.next("a group")), Text: a.text("the text")})
		},
		"gag":     limit(false),
		"oust":    limit(true),
		"live":    lines(true),
		"unheard": lines(false),
	}
}
