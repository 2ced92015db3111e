package script

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strings"
	"testing"
	"time"
)

// patience is how long something that is expected may take. Expectations end
// as soon as they hold, so a generous time costs nothing.
const patience = 25 * time.Second

// quiet is how long something that must not happen is watched for, after a
// later message has arrived that would have followed it.
const quiet = 150 * time.Millisecond

// Opener makes a device; it is not connected yet.
type Opener func(t *testing.T, endpoint, app, user, device string) Driver

// Backend is what a script runs against: a server, and devices of one SDK.
type Backend struct {
	Server *Server
	// Open makes a device of the script.
	Open Opener
	// OpenServer makes the app's own back end, on the server SDK of the same
	// language; nil where no script has one.
	OpenServer func(t *testing.T, endpoint, app, kid, secret string) Caller
}

// world is one run of a script.
type world struct {
	t       *testing.T
	b       Backend
	devices map[string]*device
	named   map[string]*named // messages by the name that "as" gave them
	roles   map[string]string // ids of groups' roles, by group and name
	guests  map[string]string // ids of actors who came as guests
	own     *ownServer        // nil before it speaks
	line    int
}

// device is one actor of the script: "bob" is his device "phone".
type device struct {
	user, name string
	driver     Driver
	link       *link
	started    bool
}

// named is a message that the script speaks of.
type named struct {
	conv, id string
	seq      int
	named    time.Time // soon after it was sent
}

// Run runs one script.
func Run(t *testing.T, src string, b Backend) {
	t.Helper()
	_, lines, err := parse(src)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, b: b, devices: map[string]*device{}, named: map[string]*named{}, guests: map[string]string{}}
	t.Cleanup(w.close)
	for _, l := range lines {
		w.line = l.number
		for _, s := range l.steps {
			if err := w.step(l.actor, s); err != nil {
				t.Fatalf("line %d: %s: %s\n%v", l.number, l.actor, s.text, err)
			}
		}
	}
}

func (w *world) close() {
	for _, d := range w.devices {
		d.driver.Close()
	}
	for _, d := range w.devices {
		d.link.close()
	}
	if w.own != nil {
		w.own.sdk.Close()
		w.own.link.close()
	}
}

// step runs one step of an actor.
func (w *world) step(actor string, s step) error {
	ctx, cancel := context.WithTimeout(w.t.Context(), 2*patience)
	defer cancel()
	a := &args{step: s}
	verb := a.next("a verb")
	if actor == "server" {
		return w.server(ctx, verb, a)
	}
	var err error
	if actor == "backend" {
		err = w.backEnd(ctx, verb, a)
	} else {
		err = w.user(ctx, w.device(actor), verb, a)
	}
	var f *Failure
	switch {
	case errors.As(err, &f) && s.fails != "":
		if snake(s.fails) != f.Code {
			return fmt.Errorf("failed with %s, not %s", f.Code, s.fails)
		}
		return nil
	case err != nil:
		return err
	case s.fails != "":
		return fmt.Errorf("succeeded, and should fail with %s", s.fails)
	}
	return nil
}

// user runs a step of a user's device.
func (w *world) user(ctx context.Context, d *device, verb string, a *args) error {
	if run, ok := netVerbs[verb]; ok {
		if err := a.done(); err != nil {
			return err
		}
		return run(ctx, w, d)
	}
	if verb == "visit" {
		return w.visit(ctx, d, a)
	}
	if !d.started {
		if err := w.start(ctx, d, verb != "start"); err != nil {
			return err
		}
	}
	if verb == "expect" {
		return w.expect(ctx, d, a)
	}
	if run, ok := verbs[verb]; ok {
		return run(ctx, w, d, a)
	}
	return fmt.Errorf("there is no verb %q", verb)
}

// snake turns NotFound into not_found.
func snake(s string) string {
	var b strings.Builder
	for i, r := range s {
		if r >= 'A' && r <= 'Z' {
			if i > 0 {
				b.WriteByte('_')
			}
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// device returns an actor's device, made on first sight.
func (w *world) device(actor string) *device {
	if d := w.devices[actor]; d != nil {
		return d
	}
	user, name, ok := strings.Cut(actor, "/")
	if !ok {
		name = "phone"
	}
	d := &device{user: user, name: name, link: newLink(w.t, w.b.Server.Addr)}
	d.driver = w.b.Open(w.t, "http://"+d.link.addr(), w.b.Server.App, user, user+"-"+name)
	w.devices[actor] = d
	return d
}

// start prepares a device that speaks for the first time, and connects it.
func (w *world) start(ctx context.Context, d *device, connect bool) error {
	d.started = true
	token, err := w.b.Server.Token(d.user)
	if err != nil {
		return err
	}
	if _, err := d.driver.Do(ctx, Command{Verb: "token", Token: token}); err != nil || !connect {
		return err
	}
	_, err = d.driver.Do(ctx, Command{Verb: "connect"})
	return err
}

// conv turns a name of the script into a conversation id: "bob" is the
// conversation with bob, "ann-bob" the one of these two, "#g" a group, "self"
// the actor's own.
func (w *world) conv(d *device, name string) string {
	switch {
	case name == "self":
		return "~" + d.user
	case strings.HasPrefix(name, "#"):
		return w.b.Server.Prefix + name[1:]
	}
	a, b, ok := strings.Cut(name, "-")
	if !ok {
		a, b = d.user, name
	}
	if a, b = w.id(a), w.id(b); b < a {
		a, b = b, a
	}
	return fmt.Sprintf("@%d:%s:%s", len(a), a, b)
}

// id is the id of a user: an actor's name, but for those who came as guests.
func (w *world) id(name string) string {
	if id := w.guests[name]; id != "" {
		return id
	}
	return name
}

// visit has an actor come as a guest, in place of as the user of that name.
func (w *world) visit(ctx context.Context, d *device, a *args) error {
	if err := a.done(); err != nil {
		return err
	}
	raw, err := d.driver.Do(ctx, Command{Verb: "visit"})
	if err != nil {
		return err
	}
	var id string
	if err := json.Unmarshal(raw, &id); err != nil {
		return err
	}
	w.guests[d.user], d.user, d.started = id, id, true
	_, err = d.driver.Do(ctx, Command{Verb: "connect"})
	return err
}

// message returns a message that the script named.
func (w *world) message(name string) (*named, error) {
	if m := w.named[name]; m != nil {
		return m, nil
	}
	return nil, fmt.Errorf("no message was named %s before line %d", name, w.line)
}

// remember gives a message of a driver's answer its name.
func (w *world) remember(name, conv string, raw json.RawMessage) error {
	var m MessageView
	if err := json.Unmarshal(raw, &m); err != nil {
		return err
	}
	if name != "" {
		w.named[name] = &named{conv: conv, id: m.ID, seq: m.Seq, named: time.Now()}
	}
	return nil
}

// until waits for a condition on what the device shows.
func (w *world) until(ctx context.Context, d *device, conv string, holds func(v *View) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if conv != "" {
		if _, err := d.driver.Do(ctx, Command{Verb: "open", Conversation: conv}); err != nil {
			return err
		}
	}
	for {
		v, err := d.driver.View(ctx)
		if err != nil {
			return err
		}
		if err = holds(&v); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w\nshown:\n%s", err, describe(&v))
		case <-d.driver.Changed():
		case <-time.After(time.Second): // what an SDK derives from the clock
		}
	}
}

// result repeats a command until its result holds, and waits for changes of the device between.
func (w *world) result(ctx context.Context, d *device, c Command, holds func(raw json.RawMessage) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		raw, err := d.driver.Do(ctx, c)
		if err != nil {
			return err
		}
		if err = holds(raw); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-d.driver.Changed():
		case <-time.After(time.Second): // what an SDK derives from the clock
		}
	}
}

// describe writes a view for a person who reads a failed run.
func describe(v *View) string {
	var b strings.Builder
	fmt.Fprintf(&b, "  %s\n", v.State)
	for _, c := range v.Conversations {
		fmt.Fprintf(&b, "  %s head %d unread %d markers %v typing %v\n", c.ID, c.HeadSeq, c.Unread, c.Markers, c.Typing)
		for _, m := range c.Messages {
			fmt.Fprintf(&b, "    %3d %s %s %q %s recalled=%v edited=%v %v\n", m.Seq, m.Sender, m.Kind, m.Text, m.State, m.Recalled, m.Edited, m.Reactions)
		}
	}
	return b.String()
}

// sorted returns a copy in order.
func sorted(s []string) []string {
	out := append([]string(nil), s...)
	sort.Strings(out)
	return out
}
