package call_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/feature/call"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/job"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

func TestTwoWhoCallEachOtherAtOnceOnTwoNodesHaveOneCall(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		other := call.New(w.deps)
		defer other.Close(t.Context())
		for range 10 {
			var wg sync.WaitGroup
			errs := make([]error, 2)
			for i, s := range []*call.Service{w.s, other} {
				wg.Go(func() {
					_, errs[i] = s.StartCall(t.Context(), []im.Actor{ann, bob}[i], &skeinv1.StartCallRequest{Conversation: string(ab), ClientId: newID(t)})
				})
			}
			wg.Wait()
			w.oneOf(errs, im.AlreadyExists, "neither calls")
			list, err := w.s.ListCalls(t.Context(), server, &skeinv1.ListCallsRequest{Live: true})
			must(t, err)
			if len(list.GetCalls()) != 1 {
				t.Fatalf("%d calls are on", len(list.GetCalls()))
			}
			_, err = w.s.EndCall(t.Context(), server, &skeinv1.EndCallRequest{Call: list.GetCalls()[0].GetId()})
			must(t, err)
		}
	})
}

func TestWhoAnswersTwoCallsAtOnceIsInOne(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		other := call.New(w.deps)
		defer other.Close(t.Context())
		for range 10 {
			ids := []string{w.start(ann, ab).GetCall().GetId(), w.start(cat, im.Direct("bob", "cat")).GetCall().GetId()}
			var wg sync.WaitGroup
			errs := make([]error, 2)
			for i, s := range []*call.Service{w.s, other} {
				wg.Go(func() {
					_, errs[i] = s.JoinCall(t.Context(), []im.Actor{bob, bobTablet}[i], &skeinv1.JoinCallRequest{Call: ids[i]})
				})
			}
			wg.Wait()
			w.oneOf(errs, im.FailedPrecondition, "neither was answered")
			for _, id := range ids {
				_, err := w.s.EndCall(t.Context(), bob, &skeinv1.EndCallRequest{Call: id})
				must(t, err)
			}
		}
	})
}

// oneOf checks that one of two has succeeded, and why the other has not.
func (w *world) oneOf(errs []error, code im.Code, neither string) {
	w.t.Helper()
	w.want(code, cmp.Or(errs...), "the one that lost")
	if errs[0] != nil && errs[1] != nil {
		w.t.Fatalf("%s: %v", neither, errs)
	}
}

// crowd is users who do whatever comes to their mind, on two nodes.
type crowd struct {
	*world
	nodes []*call.Service

	mu     sync.Mutex // guards tokens
	tokens []string
}

func (c *crowd) token(r *rand.Rand) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.tokens) == 0 {
		return ""
	}
	return c.tokens[r.IntN(len(c.tokens))]
}

// let has a device connect, sooner or later.
func (c *crowd) let(r *rand.Rand, a *skeinv1.CallAccess) {
	if a == nil {
		return
	}
	c.mu.Lock()
	c.tokens = append(c.tokens, a.GetToken())
	c.mu.Unlock()
	if r.IntN(4) > 0 {
		_ = c.media.Connect(a.GetToken(), "AUDIO") // it may be over by now
	}
}

func (c *crowd) act(r *rand.Rand) error {
	ctx, s := c.t.Context(), c.nodes[r.IntN(len(c.nodes))]
	users := []im.UserID{"ann", "bob", "cat", "dan"}
	a := user(string(users[r.IntN(len(users))]), []string{"phone", "tablet"}[r.IntN(2)])
	peer := users[r.IntN(len(users))]
	list, err := s.ListCalls(ctx, server, &skeinv1.ListCallsRequest{Limit: 4})
	if err != nil {
		return err
	}
	id := fmt.Sprintf("%032x", 0)
	if n := len(list.GetCalls()); n > 0 {
		id = list.GetCalls()[r.IntN(n)].GetId()
	}
	switch r.IntN(13) {
	case 0, 1:
		conv := im.ConvID("g1")
		if peer != a.User && r.IntN(2) == 0 {
			conv = im.Direct(a.User, peer)
		}
		got, err := s.StartCall(ctx, a, &skeinv1.StartCallRequest{Conversation: string(conv), ClientId: newID(c.t)})
		c.let(r, got.GetAccess())
		return err
	case 2, 3, 4, 5:
		got, err := s.JoinCall(ctx, a, &skeinv1.JoinCallRequest{Call: id, Move: r.IntN(2) == 0})
		c.let(r, got.GetAccess())
		return err
	case 6:
		_, err = s.DeclineCall(ctx, a, &skeinv1.DeclineCallRequest{Call: id})
	case 7:
		_, err = s.LeaveCall(ctx, a, &skeinv1.LeaveCallRequest{Call: id})
	case 8:
		_, err = s.RemoveFromCall(ctx, a, &skeinv1.RemoveFromCallRequest{Call: id, User: string(peer)})
	case 9:
		_, err = s.InviteToCall(ctx, a, &skeinv1.InviteToCallRequest{Call: id, Users: []string{string(peer)}})
	case 10:
		_, err = s.SetCallRole(ctx, a, &skeinv1.SetCallRoleRequest{Call: id, User: string(peer), Role: skeinv1.CallRole(1 + r.IntN(2))})
	case 11:
		if token := c.token(r); token != "" {
			_ = []func(string) error{c.media.Disconnect, c.media.Break, func(t string) error { return c.media.Connect(t) }}[r.IntN(3)](token) // or it is not there
		}
	case 12:
		if p, there := c.media.Get(c.token(r)); there { // news that are not so
			err = c.media.Tell([]string{"participant_left", "participant_joined", "room_finished"}[r.IntN(3)], c.room(id), &p)
		}
	}
	return err
}

// settle runs the jobs that are left, and a sweep.
func (c *crowd) settle() {
	c.t.Helper()
	c.queue.mu.Lock()
	specs := c.queue.specs
	c.queue.specs = nil
	c.queue.mu.Unlock()
	for _, s := range specs {
		c.run(s)
	}
	must(c.t, c.kinds["call_sweep"].Run(c.t.Context(), job.Job{}))
}

func TestWhateverHappensAtOnceOnTwoNodesComesToAnEnd(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		w.group("g1", "bob", "cat", "dan")
		other := call.New(w.deps)
		defer other.Close(t.Context())
		c := &crowd{world: w, nodes: []*call.Service{w.s, other}}
		refusals := map[im.Code]bool{0: true, im.NotFound: true, im.PermissionDenied: true, im.FailedPrecondition: true, im.AlreadyExists: true, im.InvalidArgument: true}
		for round := range 6 {
			var wg sync.WaitGroup
			for g := range 4 {
				r := rand.New(rand.NewPCG(uint64(round), uint64(g)))
				wg.Go(func() {
					for range 12 {
						if err := c.act(r); !refusals[im.CodeOf(err)] {
							t.Errorf("round %d: %v", round, err)
						}
					}
				})
			}
			wg.Wait()
			c.settle()
			c.inTheRooms(fmt.Sprintf("after round %d", round))
		}
		w.media.Crash()
		w.age(2 * time.Minute)
		c.settle()
		c.settle()
		for what, query := range map[string]string{
			"calls go on":                          "SELECT count(*) FROM call WHERE state < 3",
			"calls are not closed":                 "SELECT count(*) FROM call WHERE closed = 0",
			"calls have something to say":          "SELECT count(*) FROM call WHERE due > 0",
			"groups were not told of the last":     "SELECT count(*) FROM call WHERE conv = 'g1' AND told < version",
			"users were not told of the last":      "SELECT count(*) FROM call_party WHERE told < version",
			"users are in a call, or are rung":     "SELECT count(*) FROM call_party WHERE state IN (1, 2)",
			"conversations have two calls at once": "SELECT count(*) FROM call a, call b WHERE a.conv = b.conv AND a.id < b.id AND a.created < b.ended AND b.created < a.ended",
		} {
			var n int64
			must(t, w.d.Read(t.Context(), func(tx db.Tx) error { return tx.QueryRow(query).Scan(&n) }))
			if n > 0 {
				t.Errorf("%d %s", n, what)
			}
		}
	})
}

// inTheRooms checks that nobody is in a room who is not in its call.
func (c *crowd) inTheRooms(when string) {
	c.t.Helper()
	list, err := c.s.ListCalls(c.t.Context(), server, &skeinv1.ListCallsRequest{Live: true})
	must(c.t, err)
	in := map[string]bool{}
	must(c.t, c.d.Read(c.t.Context(), func(tx db.Tx) error {
		return db.Each(tx, func(r db.Rows) error {
			var id, u, device string
			err := r.Scan(&id, &u, &device)
			in[id+" "+u+"/"+device] = true
			return err
		}, "SELECT call_id, usr, device FROM call_party WHERE state = 2")
	}))
	for _, k := range list.GetCalls() {
		for _, who := range c.media.InRoom(c.room(k.GetId())) {
			if !in[k.GetId()+" "+who] {
				c.t.Errorf("%s %s is in the room of %s: %s", when, who, k.GetId(), c.parties(k.GetId()))
			}
		}
	}
}
