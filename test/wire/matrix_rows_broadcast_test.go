package wire_test

import (
	"google.golang.org/protobuf/proto"

	pb "github.com/skein-im/skein/proto/skein/v1"
)

// broadcastRows are those of a broadcast to the sender alone, who gets nothing:
// the jobs of a row must not write while another is looked at.
func broadcastRows() []row {
	start := func(f *fixture) *pb.StartBroadcastRequest {
		return &pb.StartBroadcastRequest{ClientId: newID(0), Sender: f.users[member], Users: []string{f.users[member]}, Body: textBody("news")}
	}
	id := func(f *fixture) []byte { // of one that was started; of nothing where there is none
		if id := f.users[principal("broadcast "+f.group)]; id != "" {
			return []byte(id)
		}
		return newID(0)
	}
	prepare := func(f *fixture, _ principal) {
		r := must[pb.StartBroadcastResponse](backEnd(f.t, f.s), startBroadcast, start(f))
		f.users[principal("broadcast "+f.group)] = string(r.Broadcast.Id)
	}
	return []row{
		{verb: "BroadcastService/StartBroadcast", cells: notUsers + "ok foreign-app app", same: true,
			request: func(f *fixture, _ principal) proto.Message { return start(f) }},
		{verb: "BroadcastService/GetBroadcast", cells: notUsers + `
			NOT_FOUND foreign-app
			ok        app`, prepare: prepare,
			request: func(f *fixture, _ principal) proto.Message { return &pb.GetBroadcastRequest{Id: id(f)} }},
		{verb: "BroadcastService/CancelBroadcast", cells: notUsers + `
			NOT_FOUND foreign-app
			ok        app`, prepare: prepare,
			request: func(f *fixture, _ principal) proto.Message { return &pb.CancelBroadcastRequest{Id: id(f)} }},
	}
}
