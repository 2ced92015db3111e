package wire_test

import (
	"google.golang.org/protobuf/proto"

	pb "github.com/skein-im/skein/proto/skein/v1"
)

// inside is a verb that every member has.
const inside = outside + `
	PERMISSION_DENIED muted
	ok                member bot admin owner app
`

// readers is a verb that shows a former member what was theirs.
const readers = nobody + `
	NOT_FOUND foreign foreign-app stranger visitor guest
	ok        ex blocked muted member bot admin owner app
`

// thread has the admin answer the member's message in a thread.
func (f *fixture) thread() {
	must[pb.SendMessageResponse](f.as(admin), sendMessage, &pb.SendMessageRequest{Conversation: f.group, ThreadSeq: f.own[member],
		Body: textBody(f.late), ClientId: newID(0)})
}

// poll has the member ask something, as their own message.
func (f *fixture) poll() {
	body := &pb.Body{Scheme: pb.BodyScheme_BODY_SCHEME_CONTENT, Content: &pb.Content{Kind: &pb.Content_Poll{Poll: &pb.Poll{
		Question: f.late, Options: []*pb.PollOption{{Id: "1", Text: "yes"}, {Id: "2", Text: "no"}}}}}}
	f.own[member] = must[pb.SendMessageResponse](f.as(member), sendMessage, &pb.SendMessageRequest{Conversation: f.group, Body: body, ClientId: newID(0)}).Entry.Seq
}

// community makes the group one.
func (f *fixture) community() {
	must[pb.UpdateGroupSettingsResponse](f.as(owner), "/skein.v1.GroupService/UpdateGroupSettings", &pb.UpdateGroupSettingsRequest{
		Conversation: f.group, Settings: &pb.GroupSettings{Type: pb.GroupType_GROUP_TYPE_COMMUNITY}, Fields: []string{"type"}, ClientId: newID(0)})
}

// topic has the owner begin a topic of the community, as their own message.
func (f *fixture) topic() {
	f.community()
	f.own[owner] = must[pb.CreateTopicResponse](f.as(owner), "/skein.v1.ThreadService/CreateTopic",
		&pb.CreateTopicRequest{Conversation: f.group, Name: f.late, ClientId: newID(0)}).Entry.Seq
}

func attachedRows() []row {
	community := func(f *fixture, _ principal) { f.community() }
	topic := func(f *fixture, _ principal) { f.topic() }
	threads := func(f *fixture, _ principal) { f.thread() }
	poll := func(f *fixture, _ principal) { f.poll() }
	pin := func(f *fixture, _ principal) {
		must[pb.PinMessageResponse](f.as(owner), "/skein.v1.PinService/PinMessage",
			&pb.PinMessageRequest{Conversation: f.group, Seq: f.own[member], ClientId: newID(0)})
	}
	return []row{
		{verb: "ThreadService/ListThread", cells: readers, shows: []principal{ex, blocked}, prepare: threads,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.ListThreadRequest{Conversation: f.group, RootSeq: f.own[member]}
			}},
		{verb: "ThreadService/ListThreads", cells: readers, shows: []principal{ex, blocked}, prepare: threads,
			request: func(f *fixture, _ principal) proto.Message { return &pb.ListThreadsRequest{Conversation: f.group} }},
		{verb: "ThreadService/ListTopics", cells: readers, prepare: topic,
			request: func(f *fixture, _ principal) proto.Message { return &pb.ListTopicsRequest{Conversation: f.group} }},
		{verb: "PollService/VotePoll", prepare: poll, cells: nobody + `
			NOT_FOUND         foreign stranger visitor guest ex blocked
			INVALID_ARGUMENT  foreign-app app
			PERMISSION_DENIED muted
			ok                member bot admin owner`,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.VotePollRequest{Conversation: f.group, Seq: f.own[member], Choices: []string{"1"}, ClientId: newID(0)}
			}},
		{verb: "PollService/ClosePoll", prepare: poll, cells: outside + `
			PERMISSION_DENIED muted bot
			ok                member admin owner app`,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.ClosePollRequest{Conversation: f.group, Seq: f.own[member], ClientId: newID(0)}
			}},
		{verb: "PinService/PinMessage", cells: outside + `
			PERMISSION_DENIED muted member bot
			ok                admin owner app`,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.PinMessageRequest{Conversation: f.group, Seq: f.own[member], ClientId: newID(0)}
			}},
		{verb: "PinService/UnpinMessage", prepare: pin, cells: outside + `
			PERMISSION_DENIED muted member bot
			ok                admin owner app`,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.UnpinMessageRequest{Conversation: f.group, Seq: f.own[member], ClientId: newID(0)}
			}},
		{verb: "PinService/ListPins", prepare: pin, cells: readers,
			request: func(f *fixture, _ principal) proto.Message { return &pb.ListPinsRequest{Conversation: f.group} }},
		{verb: "ExtensionService/SetExtension", cells: inside,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.SetExtensionRequest{Conversation: f.group, Seq: f.own[member], ClientId: newID(0),
					Extension: &pb.Extension{Key: "state", Value: []byte("done")}}
			}},
		{verb: "ExtensionService/ListExtensions", cells: readers,
			prepare: func(f *fixture, _ principal) {
				must[pb.SetExtensionResponse](f.as(member), "/skein.v1.ExtensionService/SetExtension", &pb.SetExtensionRequest{Conversation: f.group,
					Seq: f.own[member], ClientId: newID(0), Extension: &pb.Extension{Key: "state", Value: []byte(f.late)}})
			},
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.ListExtensionsRequest{Conversation: f.group, Seq: f.own[member]}
			}},
		{verb: "ThreadService/CreateTopic", cells: outside + `
			PERMISSION_DENIED muted member bot
			ok                admin owner app`, prepare: community,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.CreateTopicRequest{Conversation: f.group, Name: "Plans", ClientId: newID(0)}
			}},
		{verb: "ThreadService/UpdateTopic", cells: outside + `
			PERMISSION_DENIED muted member bot
			ok                admin owner app`, prepare: topic,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.UpdateTopicRequest{Conversation: f.group, RootSeq: f.own[owner], Name: "Plans", ClientId: newID(0)}
			}},
		{verb: "ThreadService/CloseTopic", cells: outside + `
			PERMISSION_DENIED muted member bot
			ok                admin owner app`, prepare: topic,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.CloseTopicRequest{Conversation: f.group, RootSeq: f.own[owner], ClientId: newID(0)}
			}},
	}
}
