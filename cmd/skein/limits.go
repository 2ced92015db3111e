package main

import (
	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/config"
	"github.com/skein-im/skein/internal/gateway"
)

// chatLimits are the configured limits of the front door.
func chatLimits(cfg *config.Config) chat.Limits {
	l := chat.DefaultLimits()
	l.TextBytes, l.BodyBytes, l.GroupMembers = cfg.Limits.TextBytes, cfg.Limits.BodyBytes, cfg.Limits.GroupMembers
	return l
}

// gatewayLimits are the configured limits of a socket.
func gatewayLimits(cfg *config.Config) gateway.Limits {
	l := gateway.DefaultLimits()
	l.TextBytes, l.BodyBytes, l.GroupMembers = cfg.Limits.TextBytes, cfg.Limits.BodyBytes, cfg.Limits.GroupMembers
	l.PacketBytes, l.InFlight, l.Frames = cfg.Limits.PacketBytes, cfg.Limits.InFlight, cfg.Limits.Frames
	return l
}
