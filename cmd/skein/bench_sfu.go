package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"

	"github.com/skein-im/skein/internal/bench"
	"github.com/skein-im/skein/internal/im"
)

// sfuReport is what "bench sfu" prints. A Gbit is of RTP as the subscribers
// received it; the latency is from the write at a publisher to the read at a
// subscriber, both in the load's process.
type sfuReport struct {
	Kind        string `json:"kind"`
	Publishers  int    `json:"publishers"`
	Subscribers int    `json:"subscribers"`
	Kbps        int    `json:"kbps"`
	sfuFigures
	// Floor is what encryption and sending cost alone, of the same run.
	Floor float64 `json:"floor_cpu_s_per_gbit"`
	// JanusRatio is our CPU a Gbit over that of Janus, where it is installed.
	JanusRatio float64       `json:"janus_ratio,omitempty"`
	Janus      *janusFigures `json:"janus,omitempty"`
}

// sfuFigures are of one server.
type sfuFigures struct {
	CPUPerGbit        float64     `json:"server_cpu_s_per_gbit"`
	Latency           percentiles `json:"added_latency_ms"`
	Loss              float64     `json:"loss_percent"`
	RSSPerParticipant int64       `json:"rss_kb_per_participant"`
	Join              percentiles `json:"join_ms"`
	PacketsPerS       float64     `json:"packets_per_s"`
	Mbps              float64     `json:"mbit_per_s"`
	Cores             float64     `json:"server_cores"`
}

type janusFigures struct {
	Version string `json:"version"`
	sfuFigures
}

type percentiles struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
}

func percentilesOf(sorted []time.Duration) (p percentiles) {
	if len(sorted) == 0 {
		return p
	}
	at := func(q float64) float64 {
		return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)].Seconds() * 1000
	}
	return percentiles{at(0.50), at(0.99)}
}

// benchSFU measures "skein sfu" in a process of its own. Where Janus is
// installed, a Janus of its own gets the same load of the same process, in
// turns, so that what else the machine does falls on both.
func benchSFU(ctx context.Context, f benchFlags, stdout, stderr io.Writer) error {
	if f.publishers < 1 || f.subscribers < 1 || f.kbps < 100 {
		return fmt.Errorf("--publishers and --subscribers start at 1, --kbps at 100")
	}
	o := bench.SFUOptions{Publishers: f.publishers, Subscribers: f.subscribers, Kbps: f.kbps, Seconds: cmp.Or(f.seconds, 15),
		Address: netip.AddrFrom4([4]byte{127, 0, 0, 1})}
	say := func(s string) { fmt.Fprintln(stderr, s) }
	janus, rounds := findJanus(), 1
	if janus != nil {
		rounds, o.Address = 2, janus.media
	}
	var ours, theirs sfuSum
	var version string
	for range rounds {
		say("skein sfu")
		res, err := sfuRound(ctx, o, say, stderr)
		if err != nil {
			return err
		}
		ours.add(res)
		if janus == nil {
			continue
		}
		say("Janus")
		if res, version, err = janus.round(ctx, o, say, stderr); err != nil {
			return fmt.Errorf("Janus: %w", err)
		}
		theirs.add(res)
	}
	floor, err := bench.SFUFloor(f.subscribers)
	if err != nil {
		return err
	}
	r := sfuReport{Kind: "sfu", Publishers: f.publishers, Subscribers: f.subscribers, Kbps: f.kbps, sfuFigures: ours.figures(f.publishers + f.subscribers), Floor: floor}
	if janus != nil {
		r.Janus = &janusFigures{Version: version, sfuFigures: theirs.figures(f.publishers + f.subscribers)}
		if r.Janus.CPUPerGbit > 0 {
			r.JanusRatio = r.CPUPerGbit / r.Janus.CPUPerGbit
		}
	}
	return printReport(stdout, r, nil)
}

// sfuSum is what several rounds come to.
type sfuSum struct {
	bench.SFUResult
	rss []int64
}

func (s *sfuSum) add(r *bench.SFUResult) {
	s.Gbit += r.Gbit
	s.CPU += r.CPU
	s.Took += r.Took
	s.Expected += r.Expected
	s.Received += r.Received
	s.Latency = append(s.Latency, r.Latency...)
	s.Joins = append(s.Joins, r.Joins...)
	s.rss = append(s.rss, r.RSSLoaded-r.RSSIdle)
}

func (s *sfuSum) figures(participants int) sfuFigures {
	slices.Sort(s.Latency)
	slices.Sort(s.Joins)
	took := s.Took.Seconds()
	r := sfuFigures{Latency: percentilesOf(s.Latency), Join: percentilesOf(s.Joins), RSSPerParticipant: slices.Max(s.rss) / int64(participants) / 1024,
		PacketsPerS: float64(s.Received) / took, Mbps: s.Gbit * 1000 / took, Cores: s.CPU.Seconds() / took}
	if s.Gbit > 0 {
		r.CPUPerGbit = s.CPU.Seconds() / s.Gbit
	}
	if s.Expected > 0 {
		r.Loss = 100 * float64(s.Expected-s.Received) / float64(s.Expected)
	}
	return r
}

// sfuRound loads a "skein sfu" of its own.
func sfuRound(ctx context.Context, o bench.SFUOptions, say func(string), stderr io.Writer) (*bench.SFUResult, error) {
	secret, err := im.RandomID(im.SystemEntropy())
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	child := exec.Command(self, "sfu", "--listen", "127.0.0.1:0", "--rtc-port", "0", "--rtc-listen", o.Address.String())
	child.Env = append(os.Environ(), "SKEIN_SFU_KEY=bench", "SKEIN_SFU_SECRET="+secret)
	child.Stderr = stderr
	line, err := startLine(child)
	if err != nil {
		return nil, fmt.Errorf("the SFU did not start: %w", err)
	}
	defer endChild(child)
	var at struct{ Listen string }
	if err := json.Unmarshal([]byte(line), &at); err != nil {
		return nil, err
	}
	o.URL, o.Key, o.Secret, o.PID = "ws://"+at.Listen, "bench", secret, child.Process.Pid
	return bench.SFU(ctx, o, say)
}

// endChild ends a process as an operator would, and waits for it.
func endChild(cmd *exec.Cmd) {
	cmd.Process.Signal(syscall.SIGTERM) //nolint:errcheck // it may have ended
	t := time.AfterFunc(5*time.Second, func() { cmd.Process.Kill() })
	defer t.Stop()
	cmd.Wait() //nolint:errcheck // the load tells
}
