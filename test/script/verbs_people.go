package script

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// peopleVerbs are what users do about themselves and one another:
//
//	profile FIELD "text"             set a field of one's own: name, bio, gender, birthday, language, avatar, or a custom one
//	privacy SETTING VALUE            name contacts, lastSeen nobody, contacts anyone …
//	sees USER FIELD "text"           what is shown of a user, at last; sees USER nothing
//	discover name "An" gives USER …      the directory's answer; also discover user, discover FIELD
//	ask USER "greeting"              ask to be a contact
//	accept USER, decline USER        answer
//	unfriend USER, remark USER "text" LABEL …
//	block USER, unblock USER
//	follow USER, unfollow USER
//	linked by ACTOR, linked denied-by ACTOR   show a code that another of the user's devices answers; then use the token
//	status "text"                    say something of oneself; "" takes it back
func peopleVerbs() map[string]verb {
	user := func(name string, remove bool) verb {
		return func(ctx context.Context, w *world, d *device, a *args) error {
			return w.call(ctx, d, a, Command{Verb: name, Users: []string{a.next("a user")}, Remove: remove})
		}
	}
	return map[string]verb{
		"profile": func(ctx context.Context, w *world, d *device, a *args) error {
			return w.call(ctx, d, a, Command{Verb: "setProfile", Type: a.next("a field"), Text: a.text("the text")})
		},
		"privacy": func(ctx context.Context, w *world, d *device, a *args) error {
			return w.call(ctx, d, a, Command{Verb: "setPrivacy", Type: a.next("a setting"), Text: a.next("a value")})
		},
		"sees":     sees,
		"discover": findUsers,
		"ask": func(ctx context.Context, w *world, d *device, a *args) error {
			return w.call(ctx, d, a, Command{Verb: "askContact", Users: []string{a.next("a user")}, Text: a.text("the greeting")})
		},
		"accept":   user("answerContact", false),
		"decline":  user("answerContact", true),
		"unfriend": user("removeContact", false),
		"remark": func(ctx context.Context, w *world, d *device, a *args) error {
			c := Command{Verb: "remark", Users: []string{a.next("a user")}, Text: a.text("the remark")}
			c.Mentions = a.rest()
			return w.call(ctx, d, a, c)
		},
		"block":    user("block", false),
		"unblock":  user("block", true),
		"follow":   user("follow", false),
		"unfollow": user("follow", true),
		"linked":   linked,
		"status": func(ctx context.Context, w *world, d *device, a *args) error {
			return w.call(ctx, d, a, Command{Verb: "setStatus", Text: a.text("the text")})
		},
	}
}

// linked has a device ask to be signed in, another one answer, and the first
// take the token.
func linked(ctx context.Context, w *world, d *device, a *args) error {
	denied := a.word("denied-by")
	if !denied && !a.word("by") {
		return fmt.Errorf("linked is by or denied-by a device")
	}
	other := w.device(a.next("an actor"))
	if err := a.done(); err != nil {
		return err
	}
	raw, err := d.driver.Do(ctx, Command{Verb: "signInCode"})
	if err != nil {
		return err
	}
	var code string
	if err := json.Unmarshal(raw, &code); err != nil {
		return err
	}
	if _, err := other.driver.Do(ctx, Command{Verb: "answerCode", Text: code, Remove: denied}); err != nil {
		return err
	}
	if _, err := other.driver.Do(ctx, Command{Verb: "answerCode", Text: code}); err == nil {
		return fmt.Errorf("a code was answered twice")
	}
	_, err = d.driver.Do(ctx, Command{Verb: "takeCode"})
	return err
}

// sees waits until a profile shows a value.
func sees(ctx context.Context, w *world, d *device, a *args) error {
	user, field := a.next("a user"), a.next("a field, or nothing")
	want := ""
	if field != "nothing" {
		want = a.text("the text")
	}
	if err := a.done(); err != nil {
		return err
	}
	return w.result(ctx, d, Command{Verb: "profile", Users: []string{user}}, func(raw json.RawMessage) error {
		var got map[string]string
		if err := json.Unmarshal(raw, &got); err != nil {
			return err
		}
		if field == "nothing" && len(got) == 0 || field != "nothing" && got[field] == want {
			return nil
		}
		return fmt.Errorf("%s shows %s", user, raw)
	})
}

// findUsers compares what the directory finds.
func findUsers(ctx context.Context, _ *world, d *device, a *args) error {
	c := Command{Verb: "discover", Type: a.next("name, user or a field"), Text: a.text("what to find")}
	if !a.word("gives") {
		if err := a.done(); err != nil {
			return err
		}
		_, err := d.driver.Do(ctx, c)
		return err
	}
	want := a.rest()
	if err := a.done(); err != nil {
		return err
	}
	raw, err := d.driver.Do(ctx, c)
	if err != nil {
		return err
	}
	var got []string
	if err := json.Unmarshal(raw, &got); err != nil {
		return err
	}
	if slices.Sort(got); !slices.Equal(got, want) {
		return fmt.Errorf("found are %s", strings.Join(got, " "))
	}
	return nil
}

// expectStatus waits until a watched user says this of themselves: expect status USER "text".
func expectStatus(ctx context.Context, w *world, d *device, a *args) error {
	user, want := a.next("a user"), a.text("the text")
	if err := a.done(); err != nil {
		return err
	}
	return w.result(ctx, d, Command{Verb: "status", Users: []string{user}}, func(raw json.RawMessage) error {
		if got := string(raw); got != strconv.Quote(want) {
			return fmt.Errorf("the status of %s is %s", user, got)
		}
		return nil
	})
}

// expectFollows compares: expect follows USER FOLLOWERS FOLLOWING. Of oneself it
// compares with the lists, too.
func expectFollows(ctx context.Context, w *world, d *device, a *args) error {
	user, followers, following := a.next("a user"), a.next("a number"), a.next("a number")
	if err := a.done(); err != nil {
		return err
	}
	return w.result(ctx, d, Command{Verb: "follows", Users: []string{user}}, func(raw json.RawMessage) error {
		if got := string(raw); got != strconv.Quote(followers+" "+following) {
			return fmt.Errorf("%s has %s followers and following", user, got)
		}
		return nil
	})
}

// expectPeople waits until the device's lists are exactly these lines:
//
//	expect people "contact bob" "from eve hi" …
func expectPeople(ctx context.Context, w *world, d *device, a *args) error {
	var want []string
	for a.quoted() {
		want = append(want, a.text("a line"))
	}
	if err := a.done(); err != nil {
		return err
	}
	slices.Sort(want)
	return w.result(ctx, d, Command{Verb: "people"}, func(raw json.RawMessage) error {
		got := []string{}
		if err := json.Unmarshal(raw, &got); err != nil {
			return err
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			return fmt.Errorf("the lists are %q", got)
		}
		return nil
	})
}
