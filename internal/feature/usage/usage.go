// Package usage counts what apps use of what the operator allows them, and
// refuses what is beyond: messages a second and a day, groups, devices online,
// calls of a back end. (The users of an app are counted by package auth, in the
// transactions that add them.)
//
// What is refused changes nothing, and an app that has used up a quota costs
// the others no lock and no transaction of theirs: every count is of one app.
// Nothing is counted for an app that has no such quota, groups aside.
//
//   - A rate is a bucket a node and app (quota.Meter): with n nodes an app gets
//     up to n times its rate.
//   - A day's messages are taken from one row an app and day, by each node a
//     thousandth of the day at a time, so that a message costs no transaction.
//     No more than the quota are ever stored. Fewer can be: what another node
//     holds, or held when it died, is a thousandth for each.
//   - A group's place is taken in a transaction before the group is made, and
//     settled by a follower of the journal, which also frees it and can count
//     all of them anew.
package usage

import (
	"context"
	"embed"
	"io/fs"
	"log/slog"
	"sync"

	"github.com/skein-im/skein/internal/auth"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/metrics"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// hint is what to do about a quota.
const hint = "the operator of the server raises the quota; see " + auth.QuotasDoc

// Deps are what a Service is made of.
type Deps struct {
	DB    *db.DB // with this package's tables
	Clock im.Clock
	Log   *slog.Logger
	// Quotas returns what an app may use, every field set, 0 = no bound. It is
	// asked for each message, so it does not wait.
	Quotas func(app im.AppID) *skeinv1.AppQuotas
	// Users is how many users an app has.
	Users func(ctx context.Context, app im.AppID) (uint64, error)
	// Files sets what an app uses that is about files.
	Files func(ctx context.Context, app im.AppID, use *skeinv1.AppUsage) error
	// Online is how many devices of an app have an open socket.
	Online func(app im.AppID) int
	// Refused counts refusals by the names that Names has.
	Refused metrics.Vec
}

// Names are the refusals of this package as its metrics call them.
func Names() []string {
	return []string{refusedSecond, refusedDay, refusedGroups, refusedMembers, refusedDevices, refusedCalls}
}

const (
	refusedSecond  = "app_messages_per_second"
	refusedDay     = "app_messages_per_day"
	refusedGroups  = "app_groups"
	refusedMembers = "app_group_members"
	refusedDevices = "app_devices_online"
	refusedCalls   = "app_calls_per_second"
)

// Service counts. Close it behind whoever sends.
type Service struct {
	Deps
	tallies sync.Map // *tally by im.AppID, of apps that have a quota of messages or calls
}

// New builds the service. The tables must have been migrated.
func New(d Deps) *Service { return &Service{Deps: d} }

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns the tables of this package, for db.Migrate under the name
// "usage".
func Migrations() fs.FS { return db.Migrations(migrations) }

// Usage is what an app uses now.
func (s *Service) Usage(ctx context.Context, app im.AppID) (*skeinv1.AppUsage, error) {
	out := &skeinv1.AppUsage{DevicesOnline: uint64(s.Online(app))}
	var err error
	if out.Users, err = s.Users(ctx, app); err != nil {
		return nil, err
	}
	if err := s.Files(ctx, app, out); err != nil {
		return nil, err
	}
	out.Groups, out.MessagesToday, err = Counts(ctx, s.DB, app, s.today())
	if t, ok := s.tallies.Load(app); ok && err == nil { // what this node holds is not used
		out.MessagesToday -= min(out.MessagesToday, uint64(t.(*tally).holds(s.today())))
	}
	return out, err
}

// Counts reads what is stored of an app's use: its groups, and what the nodes
// have taken of the messages of a day.
func Counts(ctx context.Context, d *db.DB, app im.AppID, day int64) (groups, taken uint64, err error) {
	err = d.Read(ctx, func(tx db.Tx) error {
		return tx.QueryRow(`SELECT coalesce((SELECT places FROM group_count WHERE app = $1), 0),
			coalesce((SELECT taken FROM quota_day WHERE app = $1 AND day = $2), 0)`, app, day).Scan(&groups, &taken)
	})
	return groups, taken, err
}

// Devices is how many devices of an app may be online, 0 = any number. See
// gateway.Quota.
func (s *Service) Devices(app im.AppID) uint64 { return s.Quotas(app).GetDevicesOnline() }

// NoDevice counts a device that finds no place and answers it.
func (s *Service) NoDevice(most uint64) error {
	s.Refused[refusedDevices].Inc()
	e := im.Errorf(im.ResourceExhausted, "the app has all of the %d devices online that it may have", most)
	e.Hint, e.RetryAfter = hint, deviceBack
	return e
}

// Members is how many members a group of an app may have, 0 = the server's
// limit. See chat.Quota.
func (s *Service) Members(app im.AppID) int { return int(s.Quotas(app).GetGroupMembers()) }

// Full counts a refusal because of Members and says what to do about it.
func (s *Service) Full() string {
	s.Refused[refusedMembers].Inc()
	return hint
}

// Call counts a call of an app's back end. counted tells that the app has a
// quota of calls; otherwise the limit for all apps is to be asked. Errors:
// RateLimited.
func (s *Service) Call(app im.AppID) (counted bool, err error) {
	rate := s.Quotas(app).GetCallsPerSecond()
	if rate <= 0 {
		return false, nil
	}
	wait, ok := s.tally(app).calls.Take(s.Clock.Now(), rate)
	if ok {
		return true, nil
	}
	s.Refused[refusedCalls].Inc()
	e := im.Errorf(im.RateLimited, "the app's back end makes more calls than the %g a second that it may make", rate)
	e.Hint, e.RetryAfter = hint, wait
	return true, e
}

// tally is what is counted of an app in memory.
func (s *Service) tally(app im.AppID) *tally {
	if t, ok := s.tallies.Load(app); ok {
		return t.(*tally)
	}
	t, _ := s.tallies.LoadOrStore(app, &tally{turn: make(chan struct{}, 1)})
	return t.(*tally)
}
