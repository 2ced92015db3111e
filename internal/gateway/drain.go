package gateway

import (
	"context"
	"time"

	"github.com/skein-im/skein/internal/turn"
)

const (
	// drainPace is how much of the spread a session is allowed at most, so that
	// a node with few of them does not take long to end.
	drainPace = 2 * time.Millisecond
	// drainTick is how often the next ones are sent away.
	drainTick = 20 * time.Millisecond
	// drainBack is the least span in which they come back.
	drainBack = 250 * time.Millisecond
)

// Drain takes no new sessions and sends those that are here away, one after the
// other over spread (less when there are few), each with a time of its own to
// come back: within what is left of the spread. A session's frames that are
// under way are answered before it is closed; what it sends after the go_away
// is left to its next connection. Drain returns when all are gone, or when ctx
// ends.
func (g *Gateway) Drain(ctx context.Context, spread time.Duration) {
	g.drain.Store(true)
	var all []*session
	g.hub.each(func(s *session) { all = append(all, s) })
	spread = min(spread, time.Duration(len(all))*drainPace)
	begin := g.Clock.Now()
	tick := turn.NewTicker(g.tasks, drainTick)
	defer tick.Stop()
	for told := 0; ; {
		past := g.Clock.Now().Sub(begin)
		due := len(all)
		if past < spread {
			due = int(float64(len(all)) * float64(past) / float64(spread))
		}
		for ; told < due; told++ {
			all[told].handle(event{kind: evDrain, spread: g.jitter(max(spread-past, drainBack))})
		}
		if told == len(all) && g.Sessions() == 0 {
			return
		}
		if _, ok := turn.ReceiveOr(g.tasks, tick.C, ctx.Done()); !ok {
			return
		}
	}
}

// Admits tells whether a new connection would be taken now: nil, or why not.
func (g *Gateway) Admits() error {
	if reason := g.refusal(); reason != "" {
		return refusedError(reason)
	}
	return nil
}

// refusedError is a reason for which no connection is taken.
type refusedError string

func (e refusedError) Error() string {
	why := "the server is going away"
	switch e {
	case refusedConnections:
		why = "as many are open as limits.connections allows"
	case refusedLogins:
		why = "as many wait to sign in as limits.login_queue allows"
	case refusedRate:
		why = "more come each second than limits.login_rate allows"
	case refusedAddress:
		why = "more come from this address than limits.hello_rate allows"
	}
	return "no new connections: " + why
}

// The reasons for which a connection is refused at the door.
const (
	refusedDraining    = "draining"
	refusedConnections = "connections"
	refusedLogins      = "logins"
	refusedRate        = "rate"
	refusedAddress     = "address"
)

// refusal is why nobody is taken at the moment, "" when somebody would be.
func (g *Gateway) refusal() string {
	switch {
	case g.drain.Load():
		return refusedDraining
	case g.open.Load() >= int64(g.Limits.Connections):
		return refusedConnections
	case g.gate.full():
		return refusedLogins
	}
	return ""
}
