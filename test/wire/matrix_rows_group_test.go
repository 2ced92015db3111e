package wire_test

import (
	"google.golang.org/protobuf/proto"

	pb "github.com/skein-im/skein/proto/skein/v1"
)

// leaders is a verb that members may not use.
const leaders = outside + `
	PERMISSION_DENIED muted member bot
`

// owners is a verb that only the owner may use, and the app's back end.
const owners = outside + `
	PERMISSION_DENIED muted member bot admin
	ok                owner app
`

const (
	getGroupInfo   = "/skein.v1.GroupService/GetGroupInfo"
	updateSettings = "/skein.v1.GroupService/UpdateGroupSettings"
	putGroupRole   = "/skein.v1.GroupService/PutGroupRole"
	deleteRole     = "/skein.v1.GroupService/DeleteGroupRole"
	setMemberRoles = "/skein.v1.GroupService/SetMemberRoles"
	setNickname    = "/skein.v1.GroupService/SetNickname"
	muteMember     = "/skein.v1.GroupService/MuteMember"
	muteGroup      = "/skein.v1.GroupService/MuteGroup"
	transferGroup  = "/skein.v1.GroupService/TransferGroup"
	dissolveGroup  = "/skein.v1.GroupService/DissolveGroup"
)

func groupRows() []row {
	return []row{
		{verb: "GroupService/GetGroupInfo", cells: nobody + `
			NOT_FOUND foreign foreign-app stranger guest ex blocked
			ok        visitor muted member bot admin owner app`, shows: []principal{visitor},
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.GetGroupInfoRequest{Conversation: f.group}
			}},
		{verb: "GroupService/UpdateGroupSettings", cells: leaders + `
			ok admin owner app`,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.UpdateGroupSettingsRequest{Conversation: f.group, Fields: []string{"description"}, ClientId: newID(0),
					Settings: &pb.GroupSettings{Description: "ours"}}
			}},
		{verb: "GroupService/PutGroupRole", cells: leaders + `
			ok admin owner app`,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.PutGroupRoleRequest{Conversation: f.group, Role: &pb.GroupRole{Name: "helper", Rank: 5}, ClientId: newID(0)}
			}},
		{verb: "GroupService/DeleteGroupRole", cells: leaders + `
			ok admin owner app`,
			prepare: func(f *fixture, _ principal) { f.role() },
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.DeleteGroupRoleRequest{Conversation: f.group, RoleId: f.role(), ClientId: newID(0)}
			}},
		{verb: "GroupService/SetMemberRoles", cells: leaders + `
			ok admin owner app`,
			prepare: func(f *fixture, _ principal) { f.role() },
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.SetMemberRolesRequest{Conversation: f.group, User: f.users[member], RoleIds: []string{f.role()}, ClientId: newID(0)}
			}},
		{verb: "GroupService/SetNickname", cells: outside + `
			PERMISSION_DENIED muted bot
			ok                member admin owner app`,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.SetNicknameRequest{Conversation: f.group, User: f.users[member], Nickname: "Em", ClientId: newID(0)}
			}},
		{verb: "GroupService/MuteMember", cells: leaders + `
			ok admin owner app`,
			request: func(f *fixture, p principal) proto.Message {
				return &pb.MuteMemberRequest{Conversation: f.group, User: f.users[member], Seconds: 60, ClientId: newID(0)}
			}},
		{verb: "GroupService/MuteGroup", cells: leaders + `
			ok admin owner app`,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.MuteGroupRequest{Conversation: f.group, Seconds: 60, ClientId: newID(0)}
			}},
		{verb: "GroupService/TransferGroup", cells: owners,
			request: func(f *fixture, p principal) proto.Message {
				to := bot
				if p == bot { // to hand over to oneself is another mistake
					to = member
				}
				return &pb.TransferGroupRequest{Conversation: f.group, User: f.users[to], ClientId: newID(0)}
			}},
		{verb: "GroupService/DissolveGroup", cells: owners,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.DissolveGroupRequest{Conversation: f.group, ClientId: newID(0)}
			}},
	}
}

// mute takes the muted one's voice for an hour.
func (f *fixture) mute() {
	must[pb.MuteMemberResponse](f.as(owner), muteMember, &pb.MuteMemberRequest{Conversation: f.group, User: f.users[muted], Seconds: 3600, ClientId: newID(0)})
}

// role is a role of the group, made when it is first asked for.
func (f *fixture) role() string {
	if f.users["role"] == "" {
		f.users["role"] = must[pb.PutGroupRoleResponse](f.as(owner), putGroupRole, &pb.PutGroupRoleRequest{Conversation: f.group,
			Role: &pb.GroupRole{Name: "helper", Rank: 5}, ClientId: newID(0)}).RoleId
	}
	return f.users["role"]
}
