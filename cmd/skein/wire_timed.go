package main

import (
	"log/slog"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/config"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/feature/timed"
	"github.com/skein-im/skein/internal/gateway"
	"github.com/skein-im/skein/internal/im"
)

// timedRunner is what the clock does to messages.
func timedRunner(cfg *config.Config, d *db.DB, c *chat.Service, log *slog.Logger) *timed.Runner {
	return timed.NewRunner(timed.Deps{DB: d, Chat: c, Clock: im.SystemClock{}, Entropy: im.SystemEntropy(), Log: log,
		Decode: gateway.DecodeSend, IDWindow: cfg.Limits.IDWindow})
}
