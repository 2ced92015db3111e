package timed_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/job"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// send sends a text with options.
func (w *world) send(a im.Actor, conv im.ConvID, text string, change func(r *chat.SendRequest)) (im.Entry, error) {
	w.t.Helper()
	id, err := im.NewClientID(w.clock.Now(), im.SystemEntropy())
	must(w.t, err)
	r := chat.SendRequest{Conv: conv, ClientID: id, Body: body(text)}
	if change != nil {
		change(&r)
	}
	res, err := w.c.Send(w.t.Context(), a, r)
	return res.Entry, err
}

func ttl(d time.Duration) func(*chat.SendRequest) { return func(r *chat.SendRequest) { r.TTL = d } }
func burn(s int32) func(*chat.SendRequest)        { return func(r *chat.SendRequest) { r.Burn = s } }

// follow shows the follower what the journal has, as it is now.
func (w *world) follow(es ...im.Entry) {
	w.t.Helper()
	f := w.burns.Follower()
	var wanted []im.Entry
	for i := range es {
		if f.Wants(&es[i]) {
			wanted = append(wanted, es[i])
		}
	}
	if len(wanted) == 0 {
		return
	}
	must(w.t, w.d.Write(w.t.Context(), func(tx db.Tx) error { return f.Apply(w.t.Context(), tx, wanted) }))
}

// jobs takes the noted jobs of a kind.
func (w *world) jobs(kind string) (out []job.Spec) {
	w.queue.mu.Lock()
	defer w.queue.mu.Unlock()
	seen := map[string]bool{}
	rest := w.queue.specs[:0:0]
	for _, s := range w.queue.specs {
		switch {
		case s.Kind != kind:
			rest = append(rest, s)
		case !seen[s.Key]:
			seen[s.Key] = true
			out = append(out, s)
		}
	}
	w.queue.specs = rest
	return out
}

func (w *world) do(s job.Spec) error {
	return w.kinds[s.Kind].Run(w.t.Context(), job.Job{Kind: s.Kind, App: s.App, Key: s.Key, Try: 1})
}

// rows are the entries of a conversation as they are stored.
func (w *world) rows(conv im.ConvID) (es []im.Entry) {
	w.t.Helper()
	must(w.t, w.j.View(w.t.Context(), func(v journal.View) (err error) {
		es, err = v.Entries("demo", conv, 1, 1000, 1000, false)
		return err
	}))
	return es
}

// traces looks for a text wherever a member reads.
func (w *world) traces(a im.Actor, conv im.ConvID, seq im.Seq, secret string) (found []string) {
	w.t.Helper()
	ctx := w.t.Context()
	p, err := w.c.History(ctx, a, chat.HistoryRequest{Conv: conv})
	must(w.t, err)
	if strings.Contains(p.String(), secret) {
		found = append(found, "history")
	}
	s, err := w.c.Sync(ctx, a, chat.SyncRequest{})
	must(w.t, err)
	if strings.Contains(s.Page.String(), secret) {
		found = append(found, "sync")
	}
	e, err := w.c.Edits(ctx, a, conv, seq)
	must(w.t, err)
	if strings.Contains(e.String(), secret) {
		found = append(found, "edits")
	}
	return found
}

func TestABodyIsNotServedAfterItsTimeAndThenIsGone(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		m, err := w.send(ann, ab, "secret one", ttl(time.Hour))
		must(t, err)
		_, err = w.c.Edit(ctx, ann, ab, m.Seq, body("secret two"), id(t))
		must(t, err)
		if got := w.traces(bob, ab, m.Seq, "secret"); len(got) != 3 {
			t.Fatalf("before its time it is in %v", got)
		}
		w.follow(w.rows(ab)...)
		w.clock.shift.Add(int64(time.Hour + time.Second))
		// The job has not run: nobody is served it all the same.
		if got := w.traces(bob, ab, m.Seq, "secret"); len(got) != 0 {
			t.Errorf("after its time it is still in %v", got)
		}
		if e := w.c.Shown(&m); len(e.Body) != 0 || !e.Expired || len(m.Body) == 0 {
			t.Errorf("delivered late as %+v", e)
		}
		for what, err := range map[string]error{
			"edit":   second(w.c.Edit(ctx, ann, ab, m.Seq, body("x"), id(t))),
			"recall": second(w.c.Recall(ctx, ann, ab, m.Seq, id(t))),
			"react":  second(w.c.React(ctx, bob, ab, m.Seq, "👍", false, id(t))),
		} {
			w.want(im.FailedPrecondition, err, what)
		}
		jobs := w.jobs("expire")
		if len(jobs) != 1 || jobs[0].Delay > time.Hour || jobs[0].Delay < 59*time.Minute {
			t.Fatalf("the jobs are %+v", jobs)
		}
		var wg sync.WaitGroup
		for range 3 { // two nodes, and the one that died before it wrote it down
			wg.Go(func() { w.want(0, w.do(jobs[0]), "expire") })
		}
		wg.Wait()
		es := w.rows(ab)
		if len(es) != 3 || es[2].Kind != im.KindExpire || es[2].Target != m.Seq {
			t.Fatalf("the log has %+v", es)
		}
		for _, e := range es {
			if len(e.Body) > 0 || len(e.Previous) > 0 {
				t.Errorf("stored is still %q in %d", e.Body, e.Seq)
			}
		}
		if !es[0].Expired || es[0].Recalled {
			t.Errorf("the message is %+v", es[0])
		}
	})
}

func TestAMessageBurnsOnceItsReaderHasReadIt(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		m, err := w.send(ann, ab, "secret", burn(30))
		must(t, err)
		w.follow(w.rows(ab)...)
		read := func(a im.Actor, seq im.Seq) {
			_, err := w.c.Read(t.Context(), a, ab, seq)
			must(t, err)
		}
		read(ann, m.Seq) // the sender's own reading burns nothing
		if jobs := w.jobs("expire"); len(jobs) != 0 {
			t.Fatalf("unread, it has %+v", jobs)
		}
		read(bob, m.Seq)
		read(bob, m.Seq)
		jobs := w.jobs("expire")
		if len(jobs) != 1 || jobs[0].Delay != 30*time.Second {
			t.Fatalf("read, it has %+v", jobs)
		}
		must(t, w.do(jobs[0]))
		if es := w.rows(ab); !es[0].Expired || len(es[0].Body) > 0 {
			t.Errorf("burnt: %+v", es[0])
		}
	})
}

func TestAReaderWhoWasFasterThanTheFollowerIsNoticed(t *testing.T) {
	for name, late := range map[string]func(w *world){
		"by the look": func(w *world) {
			for _, s := range w.jobs("burn_look") {
				must(w.t, w.do(s))
			}
		},
		"by the sweep": func(w *world) { must(w.t, w.do(job.Spec{Kind: "burn_sweep"})) },
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, w *world) {
				m, err := w.send(ann, ab, "secret", burn(5))
				must(t, err)
				if name == "by the sweep" {
					_, err = w.send(bob, ab, "an answer, which moves the marker", nil)
				} else {
					_, err = w.c.Read(t.Context(), bob, ab, m.Seq)
				}
				must(t, err)
				w.follow(w.rows(ab)...)
				if jobs := w.jobs("expire"); len(jobs) != 0 {
					t.Fatalf("at once: %+v", jobs)
				}
				late(w)
				if jobs := w.jobs("expire"); len(jobs) != 1 {
					t.Errorf("there are %+v", jobs)
				}
			})
		})
	}
}

func TestWhatCanNotExpireIsRefused(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		create := journal.Create{Kind: im.ConvGroup, Members: []journal.NewMember{{User: "ann", Role: im.RoleOwner}, {User: "bob", Role: im.RoleMember}}}
		_, err := w.c.Create(t.Context(), ann, "g1", id(t), create, &skeinv1.Content{Kind: &skeinv1.Content_Members{Members: &skeinv1.MembersChange{}}})
		must(t, err)
		for name, c := range map[string]struct {
			actor  im.Actor
			conv   im.ConvID
			change func(r *chat.SendRequest)
			want   im.Code
		}{
			"burning in a group":        {ann, "g1", burn(5), im.FailedPrecondition},
			"burning alone":             {ann, "~ann", burn(5), im.FailedPrecondition},
			"burning where one is not":  {eve, "g1", burn(5), im.NotFound},
			"more than a week":          {ann, ab, burn(7*24*3600 + 1), im.InvalidArgument},
			"less than nothing":         {ann, ab, burn(-1), im.InvalidArgument},
			"more than a year":          {ann, ab, ttl(367 * 24 * time.Hour), im.InvalidArgument},
			"a key with an end":         {ann, "~ann", func(r *chat.SendRequest) { r.Key, r.TTL = "k", time.Hour }, im.InvalidArgument},
			"a time to live in a group": {bob, "g1", ttl(time.Second), 0},
		} {
			_, err := w.send(c.actor, c.conv, "x", c.change)
			w.want(c.want, err, name)
		}
		if n := len(w.rows("g1")); n != 2 || len(w.rows(ab)) != 0 {
			t.Errorf("the group has %d entries", n)
		}
		m, err := w.send(ann, ab, "no end", nil)
		must(t, err)
		w.follow(w.rows(ab)...)
		if len(w.queue.specs) != 0 {
			t.Errorf("a message without an end has %+v", w.queue.specs)
		}
		w.want(im.NotFound, w.c.Expire(t.Context(), "demo", ab, m.Seq+1), "what does not exist")
	})
}

func second[T any](_ T, err error) error { return err }

func id(t *testing.T) im.ClientID {
	t.Helper()
	id, ok := im.ParseClientID(newID(t))
	if !ok {
		t.Fatal("no id")
	}
	return id
}

func body(text string) []byte {
	b, _ := proto.Marshal(request(ab, text).GetBody())
	return b
}
