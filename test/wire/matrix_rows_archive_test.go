package wire_test

import (
	"google.golang.org/protobuf/proto"

	pb "github.com/skein-im/skein/proto/skein/v1"
)

// archiveRows are the calls of an app's back end on everybody's groups and
// messages: whether a conversation exists is told to nobody else.
func archiveRows() []row {
	return []row{
		{verb: "ArchiveService/ListGroups", cells: notUsers + "ok foreign-app app", same: true,
			request: func(*fixture, principal) proto.Message { return &pb.ListGroupsRequest{} }},
		{verb: "ArchiveService/ExportMessages", cells: notUsers + `
			NOT_FOUND foreign-app
			ok        app`,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.ExportMessagesRequest{Conversation: f.group}
			}},
		{verb: "ArchiveService/ImportMessages", cells: notUsers + `
			NOT_FOUND foreign-app
			ok        app`,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.ImportMessagesRequest{Conversation: f.group, ImportId: newID(0), Messages: []*pb.ImportedMessage{
					{Sender: f.users[member], TimeUs: 1_000_000, ClientId: []byte("1"), Body: textBody("long ago")}}}
			}},
	}
}
