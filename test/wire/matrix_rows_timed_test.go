package wire_test

import (
	"time"

	"google.golang.org/protobuf/proto"

	pb "github.com/skein-im/skein/proto/skein/v1"
)

// theMembers is a verb on something of the member's own, which is nobody
// else's to know of.
const theMembers = nobody + `
	NOT_FOUND foreign foreign-app stranger visitor guest ex blocked muted bot admin owner app
	ok        member
`

func inAnHour() int64 { return time.Now().Add(time.Hour).UnixMicro() }

// schedule has the member write a message for later.
func (f *fixture) schedule() {
	id := newID(0)
	m := text(f.group, f.late)
	m.ClientId = nil
	must[pb.ScheduleMessageResponse](f.as(member), "/skein.v1.TimedService/ScheduleMessage",
		&pb.ScheduleMessageRequest{Message: m, SendAtUs: inAnHour(), ClientId: id})
	f.users[principal("scheduled in "+f.group)] = string(id)
}

// scheduled is that message's id; an id of nothing where there is none.
func (f *fixture) scheduled() []byte {
	if id := f.users[principal("scheduled in "+f.group)]; id != "" {
		return []byte(id)
	}
	return newID(0)
}

func timedRows() []row {
	planned := func(f *fixture, _ principal) { f.schedule() }
	return []row{
		{verb: "TimedService/ScheduleMessage", cells: nobody + `
			NOT_FOUND        foreign stranger visitor guest ex blocked
			INVALID_ARGUMENT foreign-app app
			ok               muted member bot admin owner`,
			request: func(f *fixture, _ principal) proto.Message {
				m := text(f.group, "later")
				m.ClientId = nil
				return &pb.ScheduleMessageRequest{Message: m, SendAtUs: inAnHour(), ClientId: newID(0)}
			}},
		{verb: "TimedService/ListScheduled", cells: everybodys + "ok foreign-app app", prepare: planned,
			request: func(*fixture, principal) proto.Message { return &pb.ListScheduledRequest{} }},
		{verb: "TimedService/UpdateScheduled", cells: theMembers, prepare: planned,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.UpdateScheduledRequest{Id: f.scheduled(), SendAtUs: inAnHour()}
			}},
		{verb: "TimedService/CancelScheduled", cells: theMembers, prepare: planned,
			request: func(f *fixture, _ principal) proto.Message { return &pb.CancelScheduledRequest{Id: f.scheduled()} }},
		{verb: "TimedService/SendScheduledNow", cells: theMembers, prepare: planned,
			request: func(f *fixture, _ principal) proto.Message { return &pb.SendScheduledNowRequest{Id: f.scheduled()} }},
	}
}
