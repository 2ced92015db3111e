package wire_test

import (
	"google.golang.org/protobuf/proto"

	pb "github.com/skein-im/skein/proto/skein/v1"
)

// notUsers is a verb of the app's own back end.
const notUsers = nobody + `
	NOT_FOUND foreign stranger visitor guest ex blocked muted member bot admin owner
`

// everybodys is a verb about what is the caller's own.
const everybodys = nobody + `
	ok foreign stranger visitor guest ex blocked muted member bot admin owner
`

func otherRows() []row {
	return []row{
		{verb: "SyncService/Sync", cells: everybodys + "ok foreign-app app", shows: []principal{ex, blocked},
			request: func(*fixture, principal) proto.Message { return &pb.SyncRequest{} }},
		{verb: "DeviceService/ListDevices", cells: everybodys + "NOT_FOUND foreign-app app", same: true,
			request: func(*fixture, principal) proto.Message { return &pb.ListDevicesRequest{} }},
		{verb: "DeviceService/SignOutDevice", cells: nobody + `
			NOT_FOUND foreign foreign-app stranger visitor guest ex blocked muted bot admin owner app
			ok        member`, same: true,
			prepare: func(f *fixture, p principal) { connect(f.t, f.s, f.users[member], "tablet").conn.Close() },
			request: func(*fixture, principal) proto.Message { return &pb.SignOutDeviceRequest{Device: "tablet"} }},
		{verb: "PresenceService/GetPresence", cells: everybodys + "ok foreign-app app",
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.GetPresenceRequest{Users: []string{f.users[member]}}
			}},
		{verb: "AdminService/GetApp", cells: notUsers + "ok foreign-app app", same: true,
			request: func(*fixture, principal) proto.Message { return &pb.GetAppRequest{} }},
		{verb: "AdminService/UpdateApp", cells: notUsers + "ok foreign-app app", same: true,
			request: func(*fixture, principal) proto.Message { return &pb.UpdateAppRequest{} }},
		{verb: "AdminService/RevokeUser", cells: notUsers + "ok foreign-app app", same: true,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.RevokeUserRequest{User: f.users[stranger]}
			}},
	}
}

func socketRows() []row {
	return []row{
		{verb: "socket/hello", cells: everybodys + "PERMISSION_DENIED foreign-app app", shows: []principal{ex, blocked},
			request: func(*fixture, principal) proto.Message {
				return &pb.ClientFrame{Frame: &pb.ClientFrame_Hello{Hello: &pb.Hello{}}}
			}},
		{verb: "socket/send", cells: onSocket + `
			NOT_FOUND         foreign stranger visitor guest ex blocked
			PERMISSION_DENIED muted
			ok                member bot admin owner`,
			request: func(f *fixture, _ principal) proto.Message { return sendFrame(text(f.group, "hello")) }},
		{verb: "socket/read", cells: onSocket + `
			NOT_FOUND foreign stranger visitor guest ex blocked
			ok        muted member bot admin owner`,
			request: func(f *fixture, _ principal) proto.Message { return readFrame(f.group, f.own[member]) }},
		{verb: "socket/typing", cells: onSocket + `
			NOT_FOUND         foreign stranger visitor guest ex blocked
			PERMISSION_DENIED muted
			ok                member bot admin owner`,
			request: func(f *fixture, _ principal) proto.Message { return typingFrame(f.group) }},
		{verb: "socket/watch_presence", cells: onSocket + `
			ok foreign stranger visitor guest ex blocked muted member bot admin owner`,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.ClientFrame{Frame: &pb.ClientFrame_WatchPresence{WatchPresence: &pb.WatchPresence{Users: []string{f.users[member]}}}}
			}},
		{verb: "socket/sync", cells: onSocket + `
			ok foreign stranger visitor guest ex blocked muted member bot admin owner`, shows: []principal{ex, blocked},
			request: func(*fixture, principal) proto.Message {
				return &pb.ClientFrame{Frame: &pb.ClientFrame_Sync{Sync: &pb.SyncRequest{}}}
			}},
		{verb: "socket/cursor_ack", cells: onSocket + `
			CURSOR_INVALID foreign stranger visitor guest ex blocked muted bot admin owner
			ok             member`, same: true,
			request: func(f *fixture, _ principal) proto.Message { // the member's cursor, in everybody's hands
				page := must[pb.SyncResponse](f.as(member), syncProcedure, &pb.SyncRequest{})
				return &pb.ClientFrame{Frame: &pb.ClientFrame_CursorAck{CursorAck: &pb.CursorAck{Cursor: page.Cursor}}}
			}},
		{verb: "socket/ping", cells: onSocket + `
			ok foreign stranger visitor guest ex blocked muted member bot admin owner`,
			request: func(*fixture, principal) proto.Message { return ping() }},
		{verb: "socket/refresh_token", cells: onSocket + `
			UNAUTHENTICATED foreign stranger visitor guest ex blocked muted bot admin owner
			ok              member`, same: true,
			request: func(f *fixture, _ principal) proto.Message { // the member's token, in everybody's hands
				return &pb.ClientFrame{Frame: &pb.ClientFrame_RefreshToken{RefreshToken: &pb.RefreshToken{Token: f.as(member).token}}}
			}},
	}
}

// onSocket are those who are not welcomed: a back end has no socket.
const onSocket = nobody + `
	PERMISSION_DENIED foreign-app app
`
