package wire_test

import (
	"errors"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	pb "github.com/skein-im/skein/proto/skein/v1"
	skein "github.com/skein-im/skein/sdk/go"
	backend "github.com/skein-im/skein/sdk/go/server"
)

func TestABackEndInGoDoesWhatItMayWithItsUsers(t *testing.T) {
	t.Parallel()
	ctx, app := t.Context(), shared.app()
	secret := &backend.Secret{App: app.id, KID: app.kid, Text: string(app.secret)}
	c, err := backend.New(backend.Options{Endpoint: shared.url, App: app.id, Token: secret.Token})
	if err != nil {
		t.Fatal(err)
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	is := func(what string, err error, want skein.Code) {
		t.Helper()
		var e *skein.Error
		if !errors.As(err, &e) || e.Code != want || e.Message == "" {
			t.Errorf("%s: %v", what, err)
		}
	}
	ann, bob := someone("ann"), someone("bob")
	results, err := c.UpsertUsers(ctx, &pb.UserChange{Id: ann, Name: proto.String("Ann")}, &pb.UserChange{Id: bob}, &pb.UserChange{Id: "a\nb"})
	check(err)
	if len(results) != 3 || !results[0].Created || backend.ResultError(results[0]) != nil {
		t.Errorf("made: %v", results)
	}
	is("an id of two lines", backend.ResultError(results[2]), skein.InvalidArgument)
	seen := 0
	for u, err := range c.Users(ctx) {
		check(err)
		if u.Id == ann && u.Profile.GetName() == "Ann" || u.Id == bob {
			seen++
		}
	}
	if seen != 2 {
		t.Errorf("%d of 2 were listed", seen)
	}
	m := text(direct(ann, bob), "from the shop's old system")
	m.Sender = ann
	e, err := c.Send(ctx, m)
	check(err)
	if e.Sender != ann {
		t.Errorf("sent: %v", e)
	}
	_, err = c.SuspendUser(ctx, ann)
	check(err)
	u, err := c.User(ctx, ann)
	if check(err); u.SuspendedUs == 0 {
		t.Errorf("ann is %v", u)
	}
	check(c.UnsuspendUser(ctx, ann))
	_, err = c.Erasure(ctx, ann)
	is("before it was begun", err, skein.NotFound)
	erasure, err := c.EraseUser(ctx, ann)
	for check(err); erasure.State != pb.ErasureState_ERASURE_STATE_DONE; check(err) {
		<-time.After(10 * time.Millisecond)
		erasure, err = c.Erasure(ctx, ann)
	}
	if erasure.Messages != 1 {
		t.Errorf("erased: %v", erasure)
	}

	wrong := &backend.Secret{App: app.id, KID: app.kid, Text: "another secret"}
	c, err = backend.New(backend.Options{Endpoint: shared.url, App: app.id, Token: wrong.Token})
	check(err)
	_, err = c.User(ctx, bob)
	is("with another secret", err, skein.Unauthenticated)
	c, err = backend.New(backend.Options{Endpoint: "http://127.0.0.1:1", App: app.id, Token: secret.Token})
	check(err)
	_, err = c.User(ctx, bob)
	is("where nobody listens", err, skein.Unavailable)
	_, err = backend.New(backend.Options{})
	is("of nothing", err, skein.InvalidArgument)
}
