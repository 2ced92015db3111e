package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/skein-im/skein/internal/auth"
	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/config"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/feature/call"
	"github.com/skein-im/skein/internal/feature/file"
	"github.com/skein-im/skein/internal/follow"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/job"
	"github.com/skein-im/skein/internal/page"
	"github.com/skein-im/skein/internal/quota"
	"github.com/skein-im/skein/internal/tus"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"

	"log/slog"
)

// hookPath is where the media server tells what happens in its rooms.
const hookPath = "/v1/calls/webhook"

// newCalls is voice and video calls.
func newCalls(s *server, cfg *config.Config, c *chat.Service, files *file.Service, jobs *job.Queue, pages *page.Sealer, limits *limits, log *slog.Logger) *call.Service {
	rings := quota.New[im.Actor](limits.of("ring"), 100_000, limits.clock)
	deps := call.Deps{DB: s.db, Chat: c, Queue: jobs, Pages: pages, Clock: limits.clock, Entropy: im.SystemEntropy(), Log: log,
		Media: s.mediaServer(&cfg.Calls), Parties: cfg.Calls.Parties, RingTime: cfg.Calls.RingTime,
		AllowRing: func(a im.Actor) error {
			a.Device = ""
			return rings.Allow(a, 1, "calls to others")
		}}
	if s.sfu != nil {
		deps.Files, deps.Recordings = recordings{files}, recordingsDir(cfg)
	}
	calls := call.New(deps)
	s.onClose(calls.Close)
	return calls
}

// recordingsDir is the folder that calls are recorded to, until the files are
// stored. Nodes that share a data folder have one each, under a name that stays
// theirs over restarts.
func recordingsDir(cfg *config.Config) string {
	dir := filepath.Join(cfg.Data, "recordings")
	if cfg.DB == "" {
		return dir
	}
	host, err := os.Hostname()
	if err != nil {
		host = "node" // the port tells those of one machine apart
	}
	return filepath.Join(dir, strings.Map(func(r rune) rune {
		if strings.ContainsRune("/\\:[]", r) {
			return '_'
		}
		return r
	}, host+"_"+cfg.Listen))
}

// recordings keeps what was recorded as files of who did.
type recordings struct{ files *file.Service }

// Keep implements call.Files.
func (r recordings) Keep(ctx context.Context, a im.Actor, name, mime string, size int64, from io.Reader) (*skeinv1.File, error) {
	id, _, err := r.files.Create(ctx, a, tus.New{Size: size, Metadata: map[string]string{"filename": name, "filetype": mime}}, "")
	if err != nil {
		return nil, err
	}
	info, err := r.files.Write(ctx, a, id, 0, from)
	if err == nil && info.Offset != size {
		err = im.Errorf(im.Unavailable, "the file ends at %d of %d bytes", info.Offset, size)
	}
	if err != nil {
		return nil, errors.Join(err, r.files.Terminate(context.WithoutCancel(ctx), a, id))
	}
	f, err := r.files.GetFile(ctx, a, &skeinv1.GetFileRequest{Id: id})
	return f.GetFile(), err
}

// mediaServer is the one that the configuration names, or the server's own;
// nil = there are no calls.
func (s *server) mediaServer(o *config.Calls) *call.Media {
	switch {
	case s.sfu != nil:
		m := &call.Media{Where: s.sfu.where, Key: s.sfu.keys.key, Secret: s.sfu.keys.secret, Clock: im.SystemClock{}}
		if n := s.sfu.nodes; n != nil {
			m.Lost, m.Client = n.register.Lost, &http.Client{Transport: n.keys.Transport()}
		}
		return m
	case o.URL == "":
		return nil
	}
	api := o.API
	if api == "" {
		api = "http" + strings.TrimPrefix(o.URL, "ws") // wss: https
	}
	return &call.Media{URL: o.URL, Where: call.At(api), Key: o.Key, Secret: o.Secret, Clock: im.SystemClock{}}
}

// callsFollower has calls looked at by jobs.
func callsFollower(jobs *job.Queue) follow.Follower {
	return call.Follower(func(tx db.Tx, s job.Spec) error {
		_, _, err := jobs.Enqueue(tx, s)
		return err
	})
}

// callFence has who was signed out taken out of their call.
func callFence(calls *call.Service, f auth.Fence) {
	switch f.Kind {
	case auth.FenceUser:
		calls.SignedOut(f.App, f.User, "", true)
	case auth.FenceDevice:
		calls.SignedOut(f.App, f.User, f.Device, false)
	case auth.FenceApp:
		calls.Suspended(f.App)
	}
}
