package wire_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	pb "github.com/skein-im/skein/proto/skein/v1"
)

const (
	startCall = "/skein.v1.CallService/StartCall"
	joinCall  = "/skein.v1.CallService/JoinCall"
)

// ring has the member call the whole group, from a device that is in the room.
func (f *fixture) ring() {
	res := must[pb.StartCallResponse](f.as(member), startCall, &pb.StartCallRequest{Conversation: f.group, ClientId: newID(0)})
	if err := f.s.media.Connect(res.GetAccess().GetToken(), "AUDIO"); err != nil {
		f.t.Fatal(err)
	}
	f.users[principal("call in "+f.group)] = res.GetCall().GetId()
}

// calling is that call's id; an id of nothing where there is none.
func (f *fixture) calling() string {
	if id := f.users[principal("call in "+f.group)]; id != "" {
		return id
	}
	return "0190b6f8a3c07d2e9f1122334455667f"
}

// hosts are those who manage the member's call.
const hosts = outside + `
	PERMISSION_DENIED muted bot
	ok                member admin owner app
`

func callRows() []row {
	rung := func(f *fixture, _ principal) { f.ring() }
	answer := nobody + `
		NOT_FOUND        foreign stranger visitor guest ex blocked
		INVALID_ARGUMENT foreign-app app
	`
	return []row{
		{verb: "CallService/StartCall", cells: answer + `
			PERMISSION_DENIED muted
			ok                member bot admin owner`,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.StartCallRequest{Conversation: f.group, ClientId: newID(0)}
			}},
		{verb: "CallService/JoinCall", cells: answer + "ok muted member bot admin owner", prepare: rung,
			request: func(f *fixture, _ principal) proto.Message { return &pb.JoinCallRequest{Call: f.calling()} }},
		{verb: "CallService/DeclineCall", prepare: rung, cells: answer + `
			FAILED_PRECONDITION member
			ok                  muted bot admin owner`,
			request: func(f *fixture, _ principal) proto.Message { return &pb.DeclineCallRequest{Call: f.calling()} }},
		{verb: "CallService/LeaveCall", cells: answer + "ok muted member bot admin owner", prepare: rung,
			request: func(f *fixture, _ principal) proto.Message { return &pb.LeaveCallRequest{Call: f.calling()} }},
		{verb: "CallService/EndCall", cells: hosts, prepare: rung,
			request: func(f *fixture, _ principal) proto.Message { return &pb.EndCallRequest{Call: f.calling()} }},
		{verb: "CallService/InviteToCall", cells: answer + `
			PERMISSION_DENIED muted
			ok                member bot admin owner`,
			prepare: func(f *fixture, p principal) {
				f.ring()
				if p == bot || p == admin || p == owner {
					must[pb.JoinCallResponse](f.as(p), joinCall, &pb.JoinCallRequest{Call: f.calling()})
				}
			},
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.InviteToCallRequest{Call: f.calling(), Users: []string{f.users[muted]}}
			}},
		{verb: "CallService/MuteInCall", cells: hosts, prepare: rung,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.MuteInCallRequest{Call: f.calling(), User: f.users[member], Audio: true}
			}},
		{verb: "CallService/RemoveFromCall", prepare: rung, cells: outside + `
			INVALID_ARGUMENT  muted
			PERMISSION_DENIED bot
			ok                member admin owner app`,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.RemoveFromCallRequest{Call: f.calling(), User: f.users[muted]}
			}},
		{verb: "CallService/SetCallRole", cells: hosts, prepare: rung,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.SetCallRoleRequest{Call: f.calling(), User: f.users[muted], Role: pb.CallRole_CALL_ROLE_VIEWER}
			}},
		// This server has its media elsewhere, and records nothing: whoever may is told so.
		{verb: "CallService/StartRecording", prepare: rung, cells: outside + `
			PERMISSION_DENIED   muted bot
			FAILED_PRECONDITION member admin owner app`,
			request: func(f *fixture, _ principal) proto.Message { return &pb.StartRecordingRequest{Call: f.calling()} }},
		{verb: "CallService/StopRecording", cells: hosts, prepare: rung,
			request: func(f *fixture, _ principal) proto.Message { return &pb.StopRecordingRequest{Call: f.calling()} }},
		{verb: "CallService/ListRecordings", cells: outside + "ok muted member bot admin owner app", prepare: rung,
			request: func(f *fixture, _ principal) proto.Message { return &pb.ListRecordingsRequest{Call: f.calling()} }},
		{verb: "CallService/GetCall", cells: outside + "ok muted member bot admin owner app", prepare: rung,
			request: func(f *fixture, _ principal) proto.Message { return &pb.GetCallRequest{Call: f.calling()} }},
		{verb: "CallService/ListCalls", cells: everybodys + "ok foreign-app app", prepare: rung,
			request: func(*fixture, principal) proto.Message { return &pb.ListCallsRequest{} }},
	}
}

// hangUp ends every call: one that goes on changes by itself, when a ring's time
// is up or somebody does not come.
func hangUp(t *testing.T, s *server) {
	back := &caller{t: t, srv: s, app: "wire", token: s.apps["wire"].serverToken(t)}
	for {
		live := must[pb.ListCallsResponse](back, "/skein.v1.CallService/ListCalls", &pb.ListCallsRequest{Live: true, Limit: 100})
		for _, c := range live.GetCalls() {
			must[pb.EndCallResponse](back, "/skein.v1.CallService/EndCall", &pb.EndCallRequest{Call: c.GetId()})
		}
		if len(live.GetCalls()) == 0 {
			return
		}
	}
}
