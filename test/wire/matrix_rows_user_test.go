package wire_test

import (
	"google.golang.org/protobuf/proto"

	pb "github.com/skein-im/skein/proto/skein/v1"
)

const (
	upsertUsers   = "/skein.v1.UserService/UpsertUsers"
	getUser       = "/skein.v1.UserService/GetUser"
	listUsers     = "/skein.v1.UserService/ListUsers"
	suspendUser   = "/skein.v1.UserService/SuspendUser"
	unsuspendUser = "/skein.v1.UserService/UnsuspendUser"
	eraseUser     = "/skein.v1.UserService/EraseUser"
	getErasure    = "/skein.v1.UserService/GetErasure"
)

func userRows() []row {
	const ownUsers = notUsers + `
		NOT_FOUND foreign-app
		ok        app
	`
	var made string
	makeUser := func(f *fixture, _ principal) {
		made = f.newcomer()
		must[pb.UpsertUsersResponse](f.as(appAdmin), upsertUsers, &pb.UpsertUsersRequest{Users: []*pb.UserChange{{Id: made}}})
	}
	return []row{
		{verb: "UserService/UpsertUsers", cells: notUsers + "ok foreign-app app", same: true,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.UpsertUsersRequest{Users: []*pb.UserChange{{Id: f.newcomer(), Name: proto.String("New")}}}
			}},
		{verb: "UserService/GetUser", cells: ownUsers, prepare: makeUser,
			request: func(*fixture, principal) proto.Message { return &pb.GetUserRequest{Id: made} }},
		{verb: "UserService/ListUsers", cells: notUsers + "ok foreign-app app", same: true,
			request: func(*fixture, principal) proto.Message { return &pb.ListUsersRequest{Limit: 1} }},
		{verb: "UserService/SuspendUser", cells: notUsers + "ok foreign-app app", same: true,
			request: func(f *fixture, _ principal) proto.Message { return &pb.SuspendUserRequest{Id: f.newcomer()} }},
		{verb: "UserService/EraseUser", cells: notUsers + "ok foreign-app app", same: true,
			request: func(f *fixture, _ principal) proto.Message { return &pb.EraseUserRequest{Id: f.newcomer()} }},
		{verb: "UserService/GetErasure", cells: ownUsers, prepare: func(f *fixture, _ principal) {
			made = f.newcomer()
			must[pb.EraseUserResponse](f.as(appAdmin), eraseUser, &pb.EraseUserRequest{Id: made})
		}, request: func(*fixture, principal) proto.Message { return &pb.GetErasureRequest{Id: made} }},
		{verb: "UserService/UnsuspendUser", cells: ownUsers, prepare: makeUser,
			request: func(*fixture, principal) proto.Message { return &pb.UnsuspendUserRequest{Id: made} }},
	}
}
