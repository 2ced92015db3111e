package main

import (
	"context"
	"encoding/hex"
	"log/slog"

	"github.com/skein-im/skein/internal/auth"
	"github.com/skein-im/skein/internal/bus"
	"github.com/skein-im/skein/internal/bus/natslink"
	"github.com/skein-im/skein/internal/bus/relay"
	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/config"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	"github.com/skein-im/skein/internal/metrics"
	"github.com/skein-im/skein/internal/presence"
)

// cluster is this node's part of the bus between nodes: a link that carries
// bytes, and a relay that joins the node's own bus to it. With neither
// configured both are nil and every method does nothing.
type cluster struct {
	link  *natslink.Link
	relay *relay.Relay
}

// openLink starts what the configuration names.
func openLink(cfg *config.Config, node string, key auth.MasterKey, log *slog.Logger) (*natslink.Link, error) {
	c, n := &cfg.Cluster, &cfg.NATS
	switch {
	case n.URL != "":
		return natslink.Dial(natslink.DialOptions{URL: n.URL, Name: c.Name + " " + node, User: n.User, Password: n.Password,
			Credentials: n.Credentials, CA: n.CA, Cert: n.Cert, Key: n.Key, Log: log})
	case c.Listen != "":
		secret, err := key.Derive("cluster routes")
		if err != nil {
			return nil, err
		}
		l, err := natslink.Embed(natslink.EmbedOptions{Node: node, Cluster: c.Name, Listen: c.Listen, Peers: c.Peers,
			Secret: hex.EncodeToString(secret), Cert: c.Cert, Key: c.Key, CA: c.CA, Log: log})
		if err == nil {
			log.Info("listening for other nodes", "addr", l.RouteAddr(), "tls", c.Cert != "")
		}
		return l, err
	case cfg.DB != "":
		log.Info("no bus between nodes is configured: what is sent on one node reaches users of another within 2 s; cluster.listen makes that milliseconds")
	}
	return nil, nil
}

// join starts the relay. It comes last of the parts, because it routes by what
// presence and the front door know.
func (c *cluster) join(ctx context.Context, cfg *config.Config, key auth.MasterKey, b *bus.Local, j journal.Journal, p *presence.Presence, front *chat.Service, log *slog.Logger) error {
	if c.link == nil {
		return nil
	}
	sign, err := key.Derive("cluster bus")
	if err != nil {
		return err
	}
	c.relay, err = relay.New(ctx, relay.Options{Bus: b, Link: c.link, Prefix: "skein." + cfg.Cluster.Name, Key: sign,
		Incarnation: j.Incarnation(), Shards: j.Shards(), Boot: p.Boot(), Map: p, Rooms: front, Clock: im.SystemClock{}, Log: log})
	return err
}

// declare declares the metrics of the bus between nodes. Without one they stay 0.
func (c *cluster) declare(set *metrics.Set) {
	stats := func(read func(relay.Stats) float64) func() float64 {
		return func() float64 {
			if c.relay == nil {
				return 0
			}
			return read(c.relay.Stats())
		}
	}
	set.GaugeFunc("cluster_connected", "1 while this node is connected to the bus between nodes: its embedded NATS server, or the external one.", func() float64 {
		if c.link != nil {
			if connected, _ := c.link.State(); connected {
				return 1
			}
		}
		return 0
	})
	set.GaugeFunc("cluster_routes", "Other nodes to which the embedded NATS server has a route; 0 with an external one.", func() float64 {
		if c.link == nil {
			return 0
		}
		_, routes := c.link.State()
		return float64(routes)
	})
	set.GaugeFunc("cluster_subscriptions", "Subjects that this node listens to: two, and one for each large conversation in use here.",
		stats(func(s relay.Stats) float64 { return float64(s.Subscriptions) }))
	set.CounterFunc("cluster_sent_total", "Messages to other nodes; one carries what has gathered for a node.", stats(func(s relay.Stats) float64 { return float64(s.Sent) }))
	set.CounterFunc("cluster_sent_bytes_total", "Their size.", stats(func(s relay.Stats) float64 { return float64(s.SentBytes) }))
	set.CounterFunc("cluster_received_total", "Messages from other nodes.", stats(func(s relay.Stats) float64 { return float64(s.Received) }))
	set.CounterFunc("cluster_received_bytes_total", "Their size.", stats(func(s relay.Stats) float64 { return float64(s.ReceivedBytes) }))
	set.CounterFunc("cluster_rejected_total", "Messages on the bus between nodes that no node of this cluster has signed.", stats(func(s relay.Stats) float64 { return float64(s.Rejected) }))
	set.CounterFunc("cluster_dropped_total", "Times that this node dropped hints for others, because the network was too slow for them.", stats(func(s relay.Stats) float64 { return float64(s.Dropped) }))
}

// close ends the relay, which says what waits to be said, and the link.
func (c *cluster) close(ctx context.Context) error {
	if c.relay != nil {
		if err := c.relay.Close(ctx); err != nil {
			return err
		}
	}
	if c.link != nil {
		return c.link.Close(ctx)
	}
	return nil
}

// fenceNews lets auth say over the bus what it raises and applies.
func fenceNews(b bus.Bus, o *auth.Options, node string) {
	o.Raised = func(pos int64) { b.Signal(bus.FenceRaised{Pos: pos}) }
	o.Applied = func(pos int64) { b.Signal(bus.FenceApplied{Node: node, Pos: pos}) }
}

// hearFences wakes auth by what other nodes say, until off.
func hearFences(b bus.Bus, a *auth.Auth) (off func()) {
	return b.Listen(bus.Fences, func(e bus.Event) {
		switch e.Signal.(type) {
		case bus.FenceRaised:
			if e.Remote {
				a.Look()
			}
		case bus.FenceApplied:
			if e.Remote {
				a.Recount()
			}
		case nil: // some were lost
			a.Look()
			a.Recount()
		}
	})
}
