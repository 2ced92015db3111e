package auth

import (
	"context"
	"fmt"
	"math"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// allow sets the quota of users.
func (w *world) allow(users uint64) {
	w.t.Helper()
	if err := w.auth.SetQuotas(w.ctx, "shop", QuotaChange{Set: &skeinv1.AppQuotas{Users: &users}}); err != nil {
		w.t.Fatal(err)
	}
}

// wantUsers compares the count with the rows.
func (w *world) wantUsers(want uint64) {
	w.t.Helper()
	var rows uint64
	if err := w.db.Read(w.ctx, func(tx db.Tx) error {
		return tx.QueryRow("SELECT count(*) FROM app_user WHERE app = 'shop'").Scan(&rows)
	}); err != nil {
		w.t.Fatal(err)
	}
	if got := must(w.auth.Users(w.ctx, "shop"))(w.t); got != want || rows != want {
		w.t.Errorf("%d users are counted and %d are there, want %d", got, rows, want)
	}
}

func TestQuotasHoldOnEveryNodeWhenTheCommandEnds(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a := w.running()
		b := w.open(func(o *Options) { o.Quotas = &skeinv1.AppQuotas{Groups: proto.Uint64(7)} })
		w.run(b)
		if a.Quotas("shop").GetGroups() != 0 || b.Quotas("shop").GetGroups() != 7 || a.Quotas("shop").CallsPerSecond == nil {
			t.Errorf("the defaults: %v, %v", a.Quotas("shop"), b.Quotas("shop"))
		}
		operator := w.open(nil) // beside them, as the command
		for _, n := range []uint64{20, 0, 3} {
			if err := operator.SetQuotas(w.ctx, "shop", QuotaChange{Set: &skeinv1.AppQuotas{Groups: &n}}); err != nil {
				t.Fatal(err)
			}
			if a.Quotas("shop").GetGroups() != n || b.Quotas("shop").GetGroups() != n {
				t.Errorf("after %d was set: %v, %v", n, a.Quotas("shop"), b.Quotas("shop"))
			}
		}
		if err := operator.SetQuotas(w.ctx, "shop", QuotaChange{Set: &skeinv1.AppQuotas{Users: proto.Uint64(9)}, Default: []string{"groups"}}); err != nil {
			t.Fatal(err)
		}
		if q := b.Quotas("shop"); q.GetGroups() != 7 || q.GetUsers() != 9 {
			t.Errorf("back to the default: %v", q)
		}
		// The app's own settings and the operator's quotas do not touch each other.
		if _, err := a.UpdateApp(w.ctx, server(), AppUpdate{Settings: &skeinv1.AppSettings{EditWindowS: proto.Uint32(9)}}); err != nil {
			t.Fatal(err)
		}
		if q := a.Quotas("shop"); q.GetUsers() != 9 || a.Settings("shop").GetEditWindowS() != 9 {
			t.Errorf("after both: %v, %v", q, a.Settings("shop"))
		}
	})
}

func TestQuotasThatAreNoneChangeNothing(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a := w.running()
		w.allow(5)
		for name, c := range map[string]QuotaChange{
			"a negative rate":   {Set: &skeinv1.AppQuotas{CallsPerSecond: proto.Float64(-1)}},
			"no number":         {Set: &skeinv1.AppQuotas{MessagesPerSecond: proto.Float64(math.NaN())}},
			"a rate too large":  {Set: &skeinv1.AppQuotas{MessagesPerSecond: proto.Float64(math.Inf(1))}},
			"too many users":    {Set: &skeinv1.AppQuotas{Users: proto.Uint64(math.MaxUint64)}},
			"a group of one":    {Set: &skeinv1.AppQuotas{GroupMembers: proto.Uint32(1)}},
			"too many members":  {Set: &skeinv1.AppQuotas{GroupMembers: proto.Uint32(100_001)}},
			"an unknown name":   {Set: &skeinv1.AppQuotas{Users: proto.Uint64(1)}, Default: []string{"user"}},
			"one that is empty": {Set: &skeinv1.AppQuotas{Users: proto.Uint64(1)}, Default: []string{""}},
		} {
			wantCode(t, name, a.SetQuotas(w.ctx, "shop", c), im.InvalidArgument)
		}
		wantCode(t, "an app that does not exist", a.SetQuotas(w.ctx, "nobody", QuotaChange{}), im.NotFound)
		if q := a.Quotas("shop"); q.GetUsers() != 5 || q.GetCallsPerSecond() != 0 || q.GetGroupMembers() != 0 {
			t.Errorf("they are %v", q)
		}
	})
}

// A hundred at once want the last free places, by every way there is to become
// a user, over two nodes.
func TestExactlyAsManyUsersComeInAsThereIsRoom(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		refused := 0
		var mu sync.Mutex // guards refused
		count := func() { mu.Lock(); refused++; mu.Unlock() }
		a := w.run(w.open(func(o *Options) { o.RefusedUsers = count }))
		b := w.run(w.open(func(o *Options) { o.RefusedUsers = count }))
		w.mustSignIn(a, w.token("ann"), "phone", PlatformIOS)
		w.allow(8)
		const many = 100
		tokens := make([]string, many)
		for i := range tokens {
			tokens[i] = w.token(im.UserID(fmt.Sprint("u", i)))
		}
		errs := make([]error, many)
		var wg sync.WaitGroup
		for i := range many {
			wg.Go(func() {
				n := []*Auth{a, b}[i%2]
				user := im.UserID(fmt.Sprint("u", i))
				switch i % 3 {
				case 0:
					_, errs[i] = w.signIn(n, tokens[i], "phone", PlatformIOS)
				case 1:
					_, errs[i] = n.PutAccounts(w.ctx, server(), []AccountChange{{ID: user}})
				default:
					_, errs[i] = n.SuspendUser(w.ctx, server(), user)
				}
			})
		}
		wg.Wait()
		in := 0
		for _, err := range errs {
			if err == nil {
				in++
				continue
			}
			wantCode(t, "who came too late", err, im.ResourceExhausted)
		}
		if in != 7 || refused != many-7 {
			t.Errorf("%d came in and %d were counted as refused", in, refused)
		}
		w.wantUsers(8)
		// Those who are in come and go as before.
		w.mustSignIn(b, w.token("ann"), "phone", PlatformIOS)
		w.mustSignIn(b, w.token("ann"), "tablet", PlatformWeb)
		must(a.PutAccounts(w.ctx, server(), []AccountChange{{ID: "ann", Bot: proto.Bool(true)}}))(t)
		// Of a list that does not fit as a whole nobody comes in.
		w.allow(10)
		_, err := a.PutAccounts(w.ctx, server(), []AccountChange{{ID: "x"}, {ID: "ann", Bot: proto.Bool(false)}, {ID: "y"}, {ID: "z"}})
		wantCode(t, "three into two places", err, im.ResourceExhausted)
		if must(a.GetAccount(w.ctx, server(), "ann"))(t).Bot != true {
			t.Error("a refused call has changed a user")
		}
		full := must(b.NewUsers(w.ctx, server(), []im.UserID{"x", "ann", "x", "y", "z"}))(t)
		if len(full) != 1 || im.CodeOf(full[4]) != im.ResourceExhausted {
			t.Errorf("no room for %v", full)
		}
		must(a.PutAccounts(w.ctx, server(), []AccountChange{{ID: "x"}, {ID: "ann"}, {ID: "y"}}))(t)
		w.wantUsers(10)
		w.allow(0)
		w.mustSignIn(a, w.token("z"), "phone", PlatformIOS)
		w.wantUsers(11)
		w.allow(4) // what is there stays
		w.mustSignIn(a, w.token("z"), "phone", PlatformIOS)
		_, err = w.signIn(b, w.token("late"), "phone", PlatformIOS)
		wantCode(t, "beyond what is there", err, im.ResourceExhausted)
		w.wantUsers(11)
	})
}

func TestQuotasOfOneAppDoNotTouchAnother(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a := w.running()
		must(a.CreateApp(w.ctx, NewApp{ID: "cafe"}))(t)
		w.allow(1)
		w.mustSignIn(a, w.token("ann"), "phone", PlatformIOS)
		_, err := w.signIn(a, w.token("bob"), "phone", PlatformIOS)
		wantCode(t, "the second user of the shop", err, im.ResourceExhausted)
		cafe := im.Actor{App: "cafe", Server: true}
		must(a.PutAccounts(w.ctx, cafe, []AccountChange{{ID: "ann"}, {ID: "bob"}}))(t)
		if n := must(a.Users(w.ctx, "cafe"))(t); n != 2 {
			t.Errorf("the other app has %d users", n)
		}
	})
}

func TestACountThatAnOlderProgramLeftBehindIsPutRight(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.running()
		if err := w.db.Write(w.ctx, func(tx db.Tx) error {
			if _, err := tx.Exec("DELETE FROM app_count"); err != nil {
				return err
			}
			_, err := tx.Exec("INSERT INTO app_user (app, id, created, tokens_valid_from, seen_iat) VALUES ('shop', 'old', 1, 0, 0)")
			return err
		}); err != nil {
			t.Fatal(err)
		}
		w.allow(2)
		w.wantUsers(1)
		if _, err := w.auth.NewUsers(context.Background(), im.Actor{App: "shop", User: "ann"}, nil); im.CodeOf(err) != im.NotFound {
			t.Errorf("a user asks: %v", err)
		}
	})
}
