package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/skein-im/skein/internal/bench"
	"github.com/skein-im/skein/internal/im"
)

// sfuReport is what "bench sfu" prints. A Gbit is of RTP as the subscribers
// received it; the latency is from the write at a publisher to the read at a
// subscriber, both in the load's process.
type sfuReport struct {
	Kind              string      `json:"kind"`
	Publishers        int         `json:"publishers"`
	Subscribers       int         `json:"subscribers"`
	Kbps              int         `json:"kbps"`
	CPUPerGbit        float64     `json:"server_cpu_s_per_gbit"`
	Latency           percentiles `json:"added_latency_ms"`
	Loss              float64     `json:"loss_percent"`
	RSSPerParticipant int64       `json:"rss_kb_per_participant"`
	Join              percentiles `json:"join_ms"`
	PacketsPerS       float64     `json:"packets_per_s"`
	Mbps              float64     `json:"mbit_per_s"`
	Cores             float64     `json:"server_cores"`
	// Floor is what encryption and sending cost alone, of the same run.
	Floor float64 `json:"floor_cpu_s_per_gbit"`
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

// benchSFU measures "skein sfu" in a process of its own.
func benchSFU(ctx context.Context, f benchFlags, stdout, stderr io.Writer) error {
	if f.publishers < 1 || f.subscribers < 1 || f.kbps < 100 {
		return fmt.Errorf("--publishers and --subscribers start at 1, --kbps at 100")
	}
	secret, err := im.RandomID(im.SystemEntropy())
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	child := exec.CommandContext(ctx, self, "sfu", "--listen", "127.0.0.1:0", "--rtc-port", "0", "--rtc-listen", "127.0.0.1")
	child.Env = append(os.Environ(), "SKEIN_SFU_KEY=bench", "SKEIN_SFU_SECRET="+secret)
	child.Stderr = stderr
	child.Cancel = func() error { return child.Process.Signal(os.Interrupt) }
	pipe, err := child.StdoutPipe()
	if err != nil {
		return err
	}
	if err := child.Start(); err != nil {
		return err
	}
	defer func() {
		child.Process.Signal(os.Interrupt) //nolint:errcheck // it may have ended
		child.Wait()                       //nolint:errcheck // the load tells
	}()
	line, err := bufio.NewReader(pipe).ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("the SFU did not start: %w", err)
	}
	var at struct{ Listen string }
	if err := json.Unmarshal(line, &at); err != nil {
		return err
	}
	seconds := f.seconds
	if seconds == 0 {
		seconds = 15
	}
	o := bench.SFUOptions{URL: "ws://" + at.Listen, Key: "bench", Secret: secret, PID: child.Process.Pid, Publishers: f.publishers,
		Subscribers: f.subscribers, Kbps: f.kbps, Seconds: seconds}
	res, err := bench.SFU(ctx, o, func(s string) { fmt.Fprintln(stderr, s) })
	if err != nil {
		return err
	}
	floor, err := bench.SFUFloor(f.subscribers)
	if err != nil {
		return err
	}
	r := sfuReport{Kind: "sfu", Publishers: f.publishers, Subscribers: f.subscribers, Kbps: f.kbps, Latency: percentilesOf(res.Latency), Join: percentilesOf(res.Joins),
		RSSPerParticipant: (res.RSSLoaded - res.RSSIdle) / int64(f.publishers+f.subscribers) / 1024, PacketsPerS: res.PacketRate, Floor: floor,
		Mbps: res.Gbit * 1000 / seconds, Cores: res.CPU.Seconds() / seconds}
	if res.Gbit > 0 {
		r.CPUPerGbit = res.CPU.Seconds() / res.Gbit
	}
	if res.Expected > 0 {
		r.Loss = 100 * float64(res.Expected-res.Received) / float64(res.Expected)
	}
	return printReport(stdout, r, nil)
}
