package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/skein-im/skein/internal/bench"
)

// uploadReport is what "bench upload" prints.
type uploadReport struct {
	Kind       string  `json:"kind"`
	Size       int64   `json:"size"`
	Parallel   int     `json:"parallel"`
	MBPerS     float64 `json:"mb_per_s"`
	Yardstick  float64 `json:"yardstick_mb_per_s"`
	Ratio      float64 `json:"ratio_to_yardstick"`
	Mismatches int     `json:"hash_mismatches"`
	CPU        float64 `json:"server_cpu_s_per_gb"`
	// RSSGrowthMB is the most that the server had in memory during the uploads,
	// over what it had before the first.
	RSSGrowthMB float64 `json:"rss_growth_mb"`
	engine
}

func benchUpload(ctx context.Context, f benchFlags, stdout, stderr io.Writer) error {
	size, err := byteSize(f.size)
	if err != nil {
		return err
	}
	if f.endpoint != "" || f.parallel < 1 || f.rounds < 1 {
		return fmt.Errorf("upload starts a server of its own; --parallel and --rounds start at 1")
	}
	o := bench.UploadOptions{Size: size, Files: f.parallel}
	r := uploadReport{Kind: "upload", Size: size, Parallel: f.parallel, engine: f.engine()}
	sv, err := startChild(ctx, f, stderr)
	if err != nil {
		return err
	}
	defer sv.end()
	target := sv.target()
	before := target.RSS()
	gb := float64(size) * float64(f.parallel) / 1e9
	for i := range f.rounds {
		fmt.Fprintf(stderr, "round %d of %d\n", i+1, f.rounds)
		sink, err := sinkYardstick(ctx, o)
		if err != nil {
			return err
		}
		cpu, most := target.TreeCPU(), watchRSS(ctx, target)
		// Other files in each round: the same ones would be stored once.
		o.First = i * o.Files
		up, err := bench.Upload(ctx, target, o)
		peak := most()
		if err != nil {
			return err
		}
		r.MBPerS = max(r.MBPerS, 1e3*gb/up.Took.Seconds())
		r.Yardstick = max(r.Yardstick, 1e3*gb/sink.Took.Seconds())
		r.Mismatches += up.Mismatches + sink.Mismatches
		r.CPU = (target.TreeCPU() - cpu).Seconds() / gb
		r.RSSGrowthMB = max(r.RSSGrowthMB, float64(peak-before)/1e6)
	}
	r.Ratio = r.MBPerS / r.Yardstick
	return printReport(stdout, r, nil)
}

// watchRSS looks at the server's memory ten times a second until the function
// is called that it returns, which tells the most that there was.
func watchRSS(ctx context.Context, t *bench.Target) func() int64 {
	ctx, cancel := context.WithCancel(ctx)
	out := make(chan int64)
	go func() { // ends with the context
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		most := t.RSS()
		for ctx.Err() == nil {
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
			most = max(most, t.RSS())
		}
		out <- most
	}()
	return func() int64 { cancel(); return <-out }
}

// byteSize reads a size such as 200MB or 5GiB.
func byteSize(text string) (int64, error) {
	units := []struct {
		name string
		n    int64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"B", 1}, {"", 1}}
	for _, u := range units {
		if number, ok := strings.CutSuffix(text, u.name); ok {
			if n, err := strconv.ParseInt(number, 10, 64); err == nil && n > 0 && n <= math.MaxInt64/u.n {
				return n * u.n, nil
			}
			break
		}
	}
	return 0, fmt.Errorf("a size is a number with B, KB, MB, GB or KiB, MiB, GiB, such as 200MB, not %q", text)
}

// sinkYardstick measures a bare handler in a process of its own.
func sinkYardstick(ctx context.Context, o bench.UploadOptions) (r bench.UploadResult, err error) {
	self, err := os.Executable()
	if err != nil {
		return r, err
	}
	dir, err := os.MkdirTemp("", "skein-sink-")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(dir)
	cmd := exec.CommandContext(ctx, self, "bench", "upload-sink", "--data", dir)
	line, err := startLine(cmd)
	if err != nil {
		return r, err
	}
	defer func() { cmd.Process.Kill(); cmd.Wait() }()
	return bench.Sink(ctx, line, o)
}
