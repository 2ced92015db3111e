package wire_test

import (
	"google.golang.org/protobuf/proto"

	pb "github.com/skein-im/skein/proto/skein/v1"
)

func messageRows() []row {
	return []row{
		{verb: "MessageService/SendMessage", cells: outside + `
			PERMISSION_DENIED muted
			ok                member bot admin owner app`,
			request: func(f *fixture, _ principal) proto.Message { return text(f.group, "hello") }},
		{verb: "MessageService/EditMessage", cells: outside + `
			PERMISSION_DENIED muted
			ok                member bot admin owner app`,
			request: func(f *fixture, p principal) proto.Message {
				return &pb.EditMessageRequest{Conversation: f.group, Seq: f.ownOr(p, member), Body: textBody("edited"), ClientId: newID(0)}
			}},
		{verb: "MessageService/RecallMessage", cells: outside + `
			PERMISSION_DENIED muted bot
			ok                member admin owner app`,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.RecallMessageRequest{Conversation: f.group, Seq: f.own[member], ClientId: newID(0)}
			}},
		{verb: "MessageService/ReactToMessage", cells: outside + `
			PERMISSION_DENIED muted
			ok                member bot admin owner app`,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.ReactToMessageRequest{Conversation: f.group, Seq: f.own[member], Emoji: "👍", ClientId: newID(0)}
			}},
		{verb: "MessageService/ReadConversation", cells: nobody + `
			NOT_FOUND foreign foreign-app stranger visitor guest ex blocked app
			ok        muted member bot admin owner`,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.ReadConversationRequest{Conversation: f.group, Seq: f.own[member]}
			}},
		{verb: "MessageService/ListMessages", cells: nobody + `
			NOT_FOUND foreign foreign-app stranger visitor guest
			ok        ex blocked muted member bot admin owner app`,
			shows:   []principal{ex, blocked},
			request: func(f *fixture, _ principal) proto.Message { return &pb.ListMessagesRequest{Conversation: f.group} }},
		{verb: "MessageService/ListEdits", cells: nobody + `
			NOT_FOUND foreign foreign-app stranger visitor guest
			ok        ex blocked muted member bot admin owner app`,
			shows: []principal{ex, blocked},
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.ListEditsRequest{Conversation: f.group, Seq: f.own[member]}
			}},
	}
}

// ownOr is a principal's own message in the group, or another's.
func (f *fixture) ownOr(p, other principal) uint64 {
	if seq, ok := f.own[p]; ok {
		return seq
	}
	return f.own[other]
}
