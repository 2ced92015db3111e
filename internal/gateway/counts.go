package gateway

import (
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	"github.com/skein-im/skein/internal/metrics"
	"github.com/skein-im/skein/internal/trace"
	"github.com/skein-im/skein/internal/ws"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// ackEvery: the time to the ack is taken of one send in so many, because two
// looks at the clock would be dearer than what they measure.
const ackEvery = 16

// counts are the metrics of a gateway.
type counts struct {
	refused    metrics.Vec
	logins     metrics.Vec
	login      prometheus.Observer
	syncs      prometheus.Observer
	closed     metrics.Vec
	ack        prometheus.Observer
	deliveries prometheus.Counter
	delivery   prometheus.Observer
	gapReads   prometheus.Counter
	lost       prometheus.Counter
	queueBytes prometheus.Gauge
	limited    prometheus.Counter
	// Of livestreams.
	roomWrites, roomDropped prometheus.Counter
}

func newCounts(s *metrics.Set, g *Gateway) *counts {
	s.GaugeFunc("gateway_connections", "Open sockets, signed in or not.", func() float64 { return float64(g.Connections()) })
	s.GaugeFunc("gateway_sessions", "Signed-in sessions.", func() float64 { return float64(g.Sessions()) })
	s.GaugeFunc("gateway_waiting", "Sign-ins and syncs that wait for one of limits.logins turns.", func() float64 { return float64(g.gate.waiting()) })
	return &counts{
		refused: s.Counters("gateway_refused_total", "Connections that were refused at the door.", "reason",
			refusedAddress, refusedConnections, refusedDraining, refusedLogins, refusedRate),
		logins: s.Counters("gateway_logins_total", "Hellos that were answered, by how.", "result", resultNames()...),
		login:  s.Histogram("gateway_login_seconds", "From the hello to the session, waiting included; the first sync comes on top.", metrics.Latency()),
		syncs:  s.Histogram("gateway_sync_seconds", "Time to read one page of a sync, waiting included; the count is the number of pages.", metrics.Latency()),
		closed: s.Counters("gateway_closed_total", "Connections that the server closed, by close code.", "code", closeNames()...),
		ack: s.Histogram("gateway_ack_seconds", "From the packet of a send to its acknowledgement, which is queued after the commit; one send in 16 is measured.",
			metrics.Latency()),
		deliveries: s.Counter("gateway_deliveries_total", "Entries that were queued to sessions, counted once a session."),
		delivery: s.Histogram("gateway_delivery_seconds", "From an entry's time to when its audience on this node had it queued; one entry a batch is measured.",
			metrics.Latency()),
		gapReads:    s.Counter("gateway_gap_reads_total", "Times that the fan-out read a shard of the journal because no hint brought the next entry."),
		lost:        s.Counter("gateway_hints_lost_total", "Times that the fan-out was told that hints were dropped before it."),
		roomWrites:  s.Counter("gateway_room_writes_total", "Times that a viewer of a livestream was sent what is new in it."),
		roomDropped: s.Counter("gateway_room_dropped_total", "Messages of livestreams that this node's viewers were not shown, because too many were said."),
		limited:     s.Counter("gateway_limited_total", "Frames that limits.send_rate or limits.in_flight refused."),
		queueBytes:  s.Gauge("gateway_queue_bytes", "Output that waits for readers, as of the last look (at least one a second)."),
	}
}

// resultNames are "ok" and the error codes, as labels.
func resultNames() []string {
	names := []string{"ok"}
	for c := im.InvalidArgument; c <= im.SignedOut; c++ {
		names = append(names, strings.ToLower(c.String()))
	}
	return names
}

// result is how something went, as a label.
func result(err error) string {
	if err == nil {
		return "ok"
	}
	return strings.ToLower(im.CodeOf(err).String())
}

// closeNames are the close codes, as labels.
func closeNames() []string {
	names := []string{"normal", "other"}
	for _, name := range skeinv1.CloseCode_name {
		names = append(names, closeLabel(name))
	}
	slices.Sort(names)
	return names
}

func closeLabel(name string) string { return strings.ToLower(strings.TrimPrefix(name, "CLOSE_CODE_")) }

// closedWith counts a close of ours.
func (c *counts) closedWith(code skeinv1.CloseCode) {
	name, known := skeinv1.CloseCode_name[int32(code)]
	switch {
	case known:
		c.closed.Inc(closeLabel(name))
	case ws.CloseCode(code) == ws.CloseNormal:
		c.closed.Inc("normal")
	default:
		c.closed.Inc("other")
	}
}

// timed wraps what is called with the outcome of a send, to measure it.
func (s *session) timed(done func(journal.Result, error)) func(journal.Result, error) {
	began := s.g.Clock.Now()
	return func(res journal.Result, err error) {
		done(res, err)
		if err == nil {
			s.g.counts.ack.Observe(s.g.Clock.Now().Sub(began).Seconds())
		}
	}
}

// traced wraps what is called with the outcome of a send that is traced.
func traced(span *trace.Span, bytes int, done func(journal.Result, error)) func(journal.Result, error) {
	span.Set("bytes", int64(bytes))
	return func(res journal.Result, err error) {
		done(res, err)
		span.Set("seq", int64(res.Entry.Seq))
		span.End(err)
	}
}

// deliverTraced delivers an entry, as a part of its trace if it has one.
func (f *fanout) deliverTraced(e *im.Entry) bool {
	if e.Trace == "" || f.g.Trace == nil {
		return f.deliver(e)
	}
	span, before := f.g.Trace.Remote(e.Trace, "gateway.deliver"), f.sent
	ok := f.deliver(e)
	span.Set("sessions", int64(f.sent-before))
	span.Set("pos", int64(e.Pos))
	span.End(nil)
	return ok
}

// delivered notes what the fan-out has done with a batch.
func (f *fanout) delivered(last *im.Entry) {
	if f.sent == 0 {
		return
	}
	f.g.counts.deliveries.Add(float64(f.sent))
	f.sent = 0
	if lag := f.g.Clock.Now().Sub(last.Time.Time()); lag >= 0 && lag < time.Hour { // else it is another node's clock
		f.g.counts.delivery.Observe(lag.Seconds())
	}
}
