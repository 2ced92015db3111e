package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/skein-im/skein/internal/bench"
)

// imageReport is what "bench upload --images" prints.
type imageReport struct {
	Kind      string  `json:"kind"`
	Images    int     `json:"images"`
	Size      int64   `json:"size"` // of a picture, as it was
	Parallel  int     `json:"parallel"`
	PerCore   float64 `json:"images_per_minute_per_core"`           // of the server's CPU time, that of its processes included
	PerMinute float64 `json:"images_per_minute"`                    // as the clock has it
	Yardstick float64 `json:"yardstick_images_per_minute_per_core"` // decoding and one thumbnail, without anything else
	Ratio     float64 `json:"ratio_to_yardstick"`
	Bare      int     `json:"images_without_thumbnails"`
	RSS       int64   `json:"server_rss_bytes"`
	engine
}

// imageRounds is how often each of the two is measured, in turns; the best counts.
const imageRounds = 3

func benchImages(ctx context.Context, f benchFlags, stdout, stderr io.Writer) error {
	size, err := byteSize(f.size)
	if err != nil {
		return err
	}
	if f.endpoint != "" || f.parallel < 1 || f.images < imageRounds {
		return fmt.Errorf("upload starts a server of its own; --parallel starts at 1, --images at %d", imageRounds)
	}
	pictures, err := bench.Photographs(bench.ImageOptions{Images: f.images, Size: size})
	if err != nil {
		return err
	}
	r := imageReport{Kind: "upload images", Images: f.images, Parallel: f.parallel, engine: f.engine()}
	for _, b := range pictures {
		r.Size += int64(len(b)) / int64(len(pictures))
	}
	sv, err := startChild(ctx, f, stderr)
	if err != nil {
		return err
	}
	defer sv.end()
	target := sv.target()
	for i := range imageRounds {
		fmt.Fprintf(stderr, "round %d of %d\n", i+1, imageRounds)
		part := pictures[i*len(pictures)/imageRounds : (i+1)*len(pictures)/imageRounds]
		yard, err := imageYardstick(ctx, part)
		if err != nil {
			return err
		}
		r.Yardstick = max(r.Yardstick, perMinute(len(part), yard))
		cpu := target.TreeCPU()
		up, err := bench.Images(ctx, target, part, f.parallel)
		if err != nil {
			return err
		}
		r.PerCore = max(r.PerCore, perMinute(len(part), target.TreeCPU()-cpu))
		r.PerMinute = max(r.PerMinute, perMinute(len(part), up.Took))
		r.Bare += up.Bare
		r.RSS = max(r.RSS, target.RSS())
	}
	r.Ratio = r.PerCore / r.Yardstick
	return printReport(stdout, r, nil)
}

func perMinute(n int, d time.Duration) float64 { return float64(n) / d.Minutes() }

// imageYardstick measures the yardstick's CPU time, in a process of its own.
func imageYardstick(ctx context.Context, pictures [][]byte) (time.Duration, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	dir, err := os.MkdirTemp("", "skein-images-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	for i, b := range pictures {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.jpg", i)), b, 0o600); err != nil {
			return 0, err
		}
	}
	cmd := exec.CommandContext(ctx, self, "bench", "image-yardstick", "--data", dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("the yardstick: %w: %s", err, out)
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}
