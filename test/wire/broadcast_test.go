package wire_test

import (
	"fmt"
	"testing"
	"time"

	pb "github.com/skein-im/skein/proto/skein/v1"
)

const (
	startBroadcast  = "/skein.v1.BroadcastService/StartBroadcast"
	getBroadcast    = "/skein.v1.BroadcastService/GetBroadcast"
	cancelBroadcast = "/skein.v1.BroadcastService/CancelBroadcast"
)

func TestABroadcastReachesEverybodyOnce(t *testing.T) {
	s := shared
	app, sender := backEnd(t, s), someone("shop")
	var users []string
	for range 120 {
		users = append(users, someone("client"))
	}
	req := &pb.StartBroadcastRequest{ClientId: newID(0), Sender: sender, Users: append(users, sender, users[3]), Body: textBody("open on Sunday")}
	first := must[pb.StartBroadcastResponse](app, startBroadcast, req).Broadcast
	if again := must[pb.StartBroadcastResponse](app, startBroadcast, req).Broadcast; string(again.Id) != string(first.Id) || again.CreatedUs != first.CreatedUs {
		t.Errorf("%+v, then %+v", first, again)
	}
	b := first
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for end := time.Now().Add(30 * time.Second); b.State == pb.BroadcastState_BROADCAST_STATE_RUNNING && time.Now().Before(end); <-look.C {
		b = must[pb.GetBroadcastResponse](app, getBroadcast, &pb.GetBroadcastRequest{Id: first.Id}).Broadcast
	}
	if b.State != pb.BroadcastState_BROADCAST_STATE_DONE || b.Sent != 120 || b.Refused != 1 || b.FinishedUs == 0 {
		t.Fatalf("%+v", b)
	}
	for _, u := range users {
		es := as(t, s, u).history(direct(sender, u))
		if len(es) != 1 || es[0].Sender != sender || textOf(es[0]) != "open on Sunday" {
			t.Fatalf("%s has %v", u, es)
		}
	}
	if b := must[pb.CancelBroadcastResponse](app, cancelBroadcast, &pb.CancelBroadcastRequest{Id: first.Id}).Broadcast; b.State != pb.BroadcastState_BROADCAST_STATE_DONE {
		t.Errorf("what is over was cancelled: %+v", b)
	}

	other := &pb.StartBroadcastRequest{ClientId: req.ClientId, Sender: sender, Users: users, Body: textBody("closed")}
	app.refused(startBroadcast, other, pb.ErrorCode_ERROR_CODE_CLIENT_ID_REUSED)
	notice := &pb.Body{Scheme: pb.BodyScheme_BODY_SCHEME_CONTENT, Content: &pb.Content{Kind: &pb.Content_Notice{Notice: &pb.Notice{Code: "x", Text: "x"}}}}
	for name, bad := range map[string]*pb.StartBroadcastRequest{
		"no sender": {Users: users, Body: textBody("x")}, "no user": {Sender: sender, Users: []string{"a\u202e"}, Body: textBody("x")},
		"no body": {Sender: sender, Users: users}, "a notice": {Sender: sender, Users: users, Body: notice}, "an empty text": {Sender: sender, Users: users, Body: textBody("")},
	} {
		bad.ClientId = newID(0)
		if e := app.refused(startBroadcast, bad, pb.ErrorCode_ERROR_CODE_INVALID_ARGUMENT); e == nil {
			t.Error(name)
		}
	}
	app.refused(startBroadcast, &pb.StartBroadcastRequest{ClientId: newID(-31 * 24 * time.Hour), Sender: sender, Users: users, Body: textBody("x")}, pb.ErrorCode_ERROR_CODE_CLOCK_SKEW)
	app.refused(getBroadcast, &pb.GetBroadcastRequest{Id: newID(0)}, pb.ErrorCode_ERROR_CODE_NOT_FOUND)
}

func TestACancelledBroadcastEnds(t *testing.T) {
	app, sender := backEnd(t, shared), someone("shop")
	var users []string
	for i := range 2000 {
		users = append(users, fmt.Sprintf("%s-%d", sender, i))
	}
	first := must[pb.StartBroadcastResponse](app, startBroadcast, &pb.StartBroadcastRequest{ClientId: newID(0), Sender: sender, Users: users, Body: textBody("x")}).Broadcast
	b := must[pb.CancelBroadcastResponse](app, cancelBroadcast, &pb.CancelBroadcastRequest{Id: first.Id}).Broadcast
	if b.State != pb.BroadcastState_BROADCAST_STATE_CANCELLED || b.FinishedUs == 0 || b.Sent > 1000 {
		t.Fatalf("%+v", b)
	}
	last := fmt.Sprintf("%s-%d", sender, 999) // the last one in the order of ids
	if es := as(t, shared, last).history(direct(sender, last)); len(es) > 0 {
		t.Errorf("%v", es)
	}
}
