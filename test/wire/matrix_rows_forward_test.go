package wire_test

import (
	"google.golang.org/protobuf/proto"

	pb "github.com/skein-im/skein/proto/skein/v1"
)

func forwardRows() []row {
	return []row{
		{verb: "ForwardService/ForwardMessages", cells: outside + `
			PERMISSION_DENIED muted
			ok                member bot admin owner app`,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.ForwardMessagesRequest{From: f.group, Seqs: []uint64{f.own[member]}, To: f.group, Merged: true, ClientId: newID(0)}
			}},
		{verb: "socket/command", cells: onSocket + `
			NOT_FOUND         foreign stranger visitor guest ex blocked
			PERMISSION_DENIED muted
			ok                member bot admin owner`,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.ClientFrame{Frame: &pb.ClientFrame_Command{Command: &pb.Command{Conversation: f.group, Type: "slide"}}}
			}},
	}
}
