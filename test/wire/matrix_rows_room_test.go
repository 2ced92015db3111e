package wire_test

import (
	"google.golang.org/protobuf/proto"

	pb "github.com/skein-im/skein/proto/skein/v1"
)

// A livestream that is not open to everybody: its members alone may watch. The
// visitor's is open. (That something can be said by who watches is in
// test/script/livestream.txt: a cell makes one request.)
func roomRows() []row {
	stage := func(f *fixture, _ principal) { f.livestream() }
	staff := outside + `
		PERMISSION_DENIED muted member bot
		ok                admin owner app`
	return []row{
		{verb: "RoomService/GetRoom", prepare: stage, shows: []principal{visitor}, cells: nobody + `
			NOT_FOUND foreign foreign-app stranger guest ex blocked
			ok        visitor muted member bot admin owner app`,
			request: func(f *fixture, _ principal) proto.Message { return &pb.GetRoomRequest{Conversation: f.group} }},
		{verb: "RoomService/MuteViewer", prepare: stage, cells: staff,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.MuteViewerRequest{Conversation: f.group, User: f.users[stranger] + "-x", Seconds: 60, ClientId: newID(0)}
			}},
		{verb: "RoomService/RemoveViewer", prepare: stage, cells: staff,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.RemoveViewerRequest{Conversation: f.group, User: f.users[stranger] + "-x", Seconds: 60, ClientId: newID(0)}
			}},
		{verb: "socket/join_room", prepare: stage, shows: []principal{visitor}, cells: onSocket + `
			NOT_FOUND foreign stranger guest ex blocked
			ok        visitor muted member bot admin owner`,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.ClientFrame{Frame: &pb.ClientFrame_JoinRoom{JoinRoom: &pb.JoinRoom{Conversation: f.group}}}
			}},
		{verb: "socket/leave_room", prepare: stage, same: true, cells: onSocket + `
			ok foreign stranger visitor guest ex blocked muted member bot admin owner`,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.ClientFrame{Frame: &pb.ClientFrame_LeaveRoom{LeaveRoom: &pb.LeaveRoom{Conversation: f.group}}}
			}},
		{verb: "socket/room_message", prepare: stage, cells: onSocket + `
			NOT_FOUND           foreign stranger guest ex blocked
			PERMISSION_DENIED   muted
			FAILED_PRECONDITION visitor member bot admin owner`,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.ClientFrame{Frame: &pb.ClientFrame_RoomMessage{RoomMessage: &pb.RoomMessage{Conversation: f.group, Body: text(f.group, "hello").Body}}}
			}},
	}
}

// keptRows are what would be kept if it were said anywhere else: in a livestream
// nobody's words are, those of its staff and of the back end neither.
func keptRows() []row {
	stage := func(f *fixture, _ principal) { f.livestream() }
	const said = `
		NOT_FOUND           foreign stranger visitor guest ex blocked
		PERMISSION_DENIED   muted
		FAILED_PRECONDITION member bot admin owner`
	return []row{
		{verb: "MessageService/SendMessage", prepare: stage, cells: nobody + said + `
			NOT_FOUND           foreign-app
			FAILED_PRECONDITION app`,
			request: func(f *fixture, _ principal) proto.Message { return text(f.group, "hello") }},
		{verb: "socket/send", prepare: stage, cells: onSocket + said,
			request: func(f *fixture, _ principal) proto.Message { return sendFrame(text(f.group, "hello")) }},
		{verb: "ForwardService/ForwardMessages", prepare: stage, cells: nobody + said + `
			NOT_FOUND           foreign-app
			FAILED_PRECONDITION app`,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.ForwardMessagesRequest{From: f.before, Seqs: []uint64{f.own[member]}, To: f.group, ClientId: newID(0)}
			}},
		{verb: "TimedService/ScheduleMessage", prepare: stage, cells: nobody + `
			NOT_FOUND           foreign stranger visitor guest ex blocked
			INVALID_ARGUMENT    foreign-app app
			FAILED_PRECONDITION muted member bot admin owner`,
			request: func(f *fixture, _ principal) proto.Message {
				m := text(f.group, "later")
				m.ClientId = nil
				return &pb.ScheduleMessageRequest{Message: m, SendAtUs: inAnHour(), ClientId: newID(0)}
			}},
		{verb: "ArchiveService/ImportMessages", prepare: stage, cells: notUsers + `
			NOT_FOUND           foreign-app
			FAILED_PRECONDITION app`,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.ImportMessagesRequest{Conversation: f.group, ImportId: newID(0), Messages: []*pb.ImportedMessage{
					{Sender: f.users[member], TimeUs: 1_000_000, ClientId: []byte("1"), Body: textBody("long ago")}}}
			}},
	}
}

// livestream puts a livestream with the same members in the group's place, one
// for its members unless the fixture is open.
func (f *fixture) livestream() {
	mode := pb.JoinMode_JOIN_MODE_INVITE
	if f.open {
		mode = pb.JoinMode_JOIN_MODE_OPEN
	}
	members := []string{f.users[muted], f.users[member], f.users[bot], f.users[admin], f.users[blocked]}
	own := f.as(owner)
	f.before = f.group
	f.group = must[pb.CreateGroupResponse](own, createGroup, &pb.CreateGroupRequest{Title: f.early, Members: members, ClientId: newID(0),
		Settings: &pb.GroupSettings{Type: pb.GroupType_GROUP_TYPE_LIVESTREAM, JoinMode: mode}}).Conversation.Id
	must[pb.SetRoleResponse](own, setRole, &pb.SetRoleRequest{Conversation: f.group, User: f.users[admin], Role: pb.Role_ROLE_ADMIN, ClientId: newID(0)})
	must[pb.RemoveMemberResponse](own, removeMember, &pb.RemoveMemberRequest{Conversation: f.group, User: f.users[blocked], ClientId: newID(0)})
	f.mute()
}
