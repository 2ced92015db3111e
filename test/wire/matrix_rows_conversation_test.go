package wire_test

import (
	"google.golang.org/protobuf/proto"

	pb "github.com/skein-im/skein/proto/skein/v1"
)

// nobody are those who are refused whatever they ask.
const nobody = `
	UNAUTHENTICATED anonymous
	TOKEN_EXPIRED   expired
	SIGNED_OUT      revoked
`

// outside are those who do not learn that the group exists.
const outside = nobody + `
	NOT_FOUND foreign foreign-app stranger visitor guest ex blocked
`

func conversationRows() []row {
	return []row{
		{verb: "ConversationService/GetConversation", cells: nobody + `
			NOT_FOUND foreign foreign-app stranger visitor guest
			ok        ex blocked muted member bot admin owner app`,
			shows: []principal{ex, blocked},
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.GetConversationRequest{Conversation: f.group}
			}},
		{verb: "ConversationService/ListConversations", cells: nobody + `
			ok foreign foreign-app stranger visitor guest ex blocked muted member bot admin owner app`,
			request: func(*fixture, principal) proto.Message { return &pb.ListConversationsRequest{} }},
		{verb: "ConversationService/CreateGroup", cells: nobody + `
			PERMISSION_DENIED guest
			ok               foreign foreign-app stranger visitor ex blocked muted member bot admin owner app`,
			request: func(f *fixture, p principal) proto.Message {
				if p == appAdmin || p == foreignApp { // in no group itself
					return &pb.CreateGroupRequest{Title: "theirs", Owner: f.newcomer(), Members: []string{f.newcomer()}, ClientId: newID(0)}
				}
				return &pb.CreateGroupRequest{Title: "mine", Members: []string{f.newcomer()}, ClientId: newID(0)}
			}},
		{verb: "ConversationService/UpdateGroup", cells: outside + `
			PERMISSION_DENIED muted member bot
			ok                admin owner app`,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.UpdateGroupRequest{Conversation: f.group, Title: "changed", ClientId: newID(0)}
			}},
		{verb: "ConversationService/ListMembers", cells: outside + `
			ok muted member bot admin owner app`,
			request: func(f *fixture, _ principal) proto.Message { return &pb.ListMembersRequest{Conversation: f.group} }},
		{verb: "ConversationService/AddMembers", cells: outside + `
			PERMISSION_DENIED muted member bot
			ok                admin owner app`,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.AddMembersRequest{Conversation: f.group, Users: []string{f.newcomer()}, ClientId: newID(0)}
			}},
		{verb: "ConversationService/RemoveMember", cells: outside + `
			PERMISSION_DENIED muted member bot
			ok                admin owner app`,
			request: func(f *fixture, p principal) proto.Message {
				who := member
				if p == member { // to go oneself is another verb
					who = bot
				}
				return &pb.RemoveMemberRequest{Conversation: f.group, User: f.users[who], ClientId: newID(0)}
			}},
		{verb: "ConversationService/LeaveGroup", cells: nobody + `
			NOT_FOUND           foreign foreign-app stranger visitor guest ex blocked app
			FAILED_PRECONDITION owner
			ok                  muted member bot admin`,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.LeaveGroupRequest{Conversation: f.group, ClientId: newID(0)}
			}},
		{verb: "ConversationService/SetRole", cells: outside + `
			PERMISSION_DENIED muted member bot admin
			ok                owner app`,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.SetRoleRequest{Conversation: f.group, User: f.users[member], Role: pb.Role_ROLE_ADMIN, ClientId: newID(0)}
			}},
	}
}
