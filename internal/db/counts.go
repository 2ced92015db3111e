package db

import (
	"os"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/skein-im/skein/internal/metrics"
)

// declareCheckpoints declares what the SQLite engine moves.
func declareCheckpoints(s *metrics.Set) prometheus.Observer {
	return s.Histogram("db_checkpoint_seconds", "SQLite: time of a checkpoint; the count is the number of checkpoints.", metrics.Latency())
}

// measure declares what a database tells of itself. The metrics of both
// engines are always there; those of the other one stay 0.
func (d *DB) measure(s *metrics.Set) {
	type stats struct{ used, idle, most, waits, waited float64 }
	read := func() (st stats) {
		if d.pool == nil {
			return st
		}
		p := d.pool.Stat()
		return stats{float64(p.AcquiredConns()), float64(p.IdleConns()), float64(p.MaxConns()), float64(p.EmptyAcquireCount()), p.EmptyAcquireWaitTime().Seconds()}
	}
	s.GaugeFunc("db_connections_used", "PostgreSQL: connections of the pool that are in use.", func() float64 { return read().used })
	s.GaugeFunc("db_connections_idle", "PostgreSQL: connections of the pool that wait for work.", func() float64 { return read().idle })
	s.GaugeFunc("db_connections_max", "PostgreSQL: the most connections that the pool opens.", func() float64 { return read().most })
	s.CounterFunc("db_waits_total", "PostgreSQL: times that somebody had to wait for a connection.", func() float64 { return read().waits })
	s.CounterFunc("db_wait_seconds_total", "PostgreSQL: time that they waited.", func() float64 { return read().waited })
	s.GaugeFunc("db_wal_bytes", "SQLite: size of the write-ahead log. The file is used again and never shrinks while the server runs.", func() float64 {
		if d.lite == nil {
			return 0
		}
		st, err := os.Stat(d.lite.wal)
		if err != nil {
			return 0
		}
		return float64(st.Size())
	})
}
