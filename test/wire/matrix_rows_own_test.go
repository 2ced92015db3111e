package wire_test

import (
	"google.golang.org/protobuf/proto"

	pb "github.com/skein-im/skein/proto/skein/v1"
)

// A user's own state is theirs alone: nobody else writes into the member's
// self conversation, or reads it, whatever they are in a group, but for the
// app's own back end. In another app there is another self conversation of a
// user with the member's id.
func ownRows() []row {
	return []row{
		{verb: "MessageService/SendMessage", cells: nobody + `
			NOT_FOUND stranger visitor guest ex blocked muted bot admin owner
			ok        foreign foreign-app member app`, same: true,
			request: func(f *fixture, _ principal) proto.Message { return f.ownValue() }},
		{verb: "socket/send", cells: onSocket + `
			NOT_FOUND stranger visitor guest ex blocked muted bot admin owner
			ok        foreign member`, same: true,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.ClientFrame{Frame: &pb.ClientFrame_Send{Send: f.ownValue()}}
			}},
		{verb: "MessageService/ListMessages", cells: nobody + `
			NOT_FOUND stranger visitor guest ex blocked muted bot admin owner
			ok        foreign foreign-app member app`, same: true,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.ListMessagesRequest{Conversation: "~" + f.users[member]}
			}},
	}
}

// ownValue hides the group's first messages from the member.
func (f *fixture) ownValue() *pb.SendMessageRequest {
	r := text("~"+f.users[member], "")
	r.Key = "hidden/" + f.group
	r.Body.Content.Kind = &pb.Content_Private{Private: &pb.Private{Value: &pb.Private_Hidden{Hidden: &pb.PrivateHidden{UpToSeq: 1}}}}
	return r
}
