package main

import (
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/metrics"
	"github.com/skein-im/skein/internal/quota"
	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/config"
	"github.com/skein-im/skein/internal/feature/file"
	"github.com/skein-im/skein/internal/feature/usage"
	"github.com/skein-im/skein/internal/gateway"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// appDefaults are the settings of apps that have not made their own.
func appDefaults(cfg *config.Config) *skeinv1.AppSettings {
	return &skeinv1.AppSettings{RecallWindowS: proto.Uint32(uint32(cfg.Limits.RecallWindow.Seconds())),
		Guests: proto.Bool(cfg.Dev)}
}

// chatLimits are the configured limits of the front door.
func chatLimits(l *config.Limits) chat.Limits {
	return chat.Limits{TextBytes: l.TextBytes, BodyBytes: l.BodyBytes, GroupMembers: l.GroupMembers, Emoji: l.Emoji, Edits: l.Edits,
		ReceiptMembers: l.ReceiptMembers, IDWindow: l.IDWindow, IDAhead: l.IDAhead, RecallWindow: l.RecallWindow}
}

// gatewayLimits are the configured limits of a socket.
func gatewayLimits(l *config.Limits) gateway.Limits {
	return gateway.Limits{HelloBytes: l.HelloBytes, PacketBytes: l.PacketBytes, Frames: l.Frames, InFlight: l.InFlight,
		HelloTimeout: l.HelloTimeout, PingInterval: l.PingInterval, QueueBytes: l.QueueBytes, QueueFrames: l.QueueFrames, Watch: l.Watch,
		SocketBuffer: l.SocketBuffer, TextBytes: l.TextBytes, BodyBytes: l.BodyBytes, GroupMembers: l.GroupMembers,
		SendRate: l.SendRate, SendBurst: l.SendBurst, Connections: l.Connections, QueueTotalBytes: l.QueueTotalBytes,
		LoginRate: l.LoginRate, LoginBurst: l.LoginBurst, Logins: l.Logins, LoginQueue: l.LoginQueue,
		RoomWrites: l.RoomWrites}
}

// limits are the rates of the configuration, each with the counter of what it
// refuses.
type limits struct {
	clock   im.Clock
	rates   map[string]quota.Limit
	refused metrics.Vec
}

// refusedUsers counts whom the quota of users refuses.
const refusedUsers = "app_users"

// appQuotas are the quotas of apps for which the operator has decided nothing.
func appQuotas(q *config.Quotas) *skeinv1.AppQuotas {
	return &skeinv1.AppQuotas{Users: proto.Uint64(uint64(q.Users)), Groups: proto.Uint64(uint64(q.Groups)), DevicesOnline: proto.Uint64(uint64(q.DevicesOnline)),
		MessagesPerDay: proto.Uint64(uint64(q.MessagesPerDay)), MessagesPerSecond: proto.Float64(q.MessagesPerSecond),
		StoredBytes: proto.Uint64(uint64(q.StoredBytes)), UserStoredBytes: proto.Uint64(uint64(q.UserStoredBytes)), UserUploadedBytesPerDay: proto.Uint64(uint64(q.UserUploadedBytesPerDay))}
}

func newLimits(cfg *config.Config, set *metrics.Set, clock im.Clock) *limits {
	l := &cfg.Limits
	names := append([]string{"hello", "call", "back_end", "request", "directory", "stranger", "invite", "ring", refusedUsers}, append(usage.Names(), file.Refusals()...)...)
	return &limits{clock: clock, refused: quota.Refusals(set, names...),
		rates: map[string]quota.Limit{"hello": {Rate: l.HelloRate, Burst: l.HelloBurst}, "call": {Rate: l.CallRate, Burst: l.CallBurst},
			"back_end": {Rate: l.BackEndRate, Burst: l.BackEndBurst}, "request": {Rate: l.RequestRate, Burst: l.RequestBurst},
			"directory": {Rate: l.DirectoryRate, Burst: l.DirectoryBurst}, "stranger": {Rate: l.StrangerRate, Burst: l.StrangerBurst},
			"invite": {Rate: l.InviteRate, Burst: l.InviteBurst},
			"ring":   {Rate: l.RingRate, Burst: l.RingBurst}}}
}

// of is the limit of limits.NAME_rate.
func (l *limits) of(name string) quota.Limit {
	rate := l.rates[name]
	rate.Refused = l.refused[name].Inc
	return rate
}
