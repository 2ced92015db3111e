package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// edit is a bug to build a server with.
type edit struct{ file, old, new string }

// normal lets SQLite acknowledge before the disk has it: what WAL mode is
// usually run with, and what loses messages.
var normal = edit{"internal/db/sqlite.go", "PRAGMA synchronous = FULL", "PRAGMA synchronous = NORMAL"}

// BuildBroken builds a server with a bug. The tree is not touched: the
// compiler is told to read one file elsewhere.
func (e *Env) BuildBroken(ctx context.Context, b edit) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("find the tree: %w", err)
	}
	path := filepath.Join(strings.TrimSpace(string(out)), b.file)
	src, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	if n := strings.Count(string(src), b.old); n != 1 {
		return "", fmt.Errorf("%s has %q %d times, not once; give the bug its new place", b.file, b.old, n)
	}
	dir, err := e.Folder("broken")
	if err != nil {
		return "", err
	}
	broken, overlay, bin := filepath.Join(dir, "file.go"), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "skein")
	list, err := json.Marshal(map[string]map[string]string{"Replace": {path: broken}})
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(broken, []byte(strings.Replace(string(src), b.old, b.new, 1)), 0o600); err != nil {
		return "", err
	}
	if err := os.WriteFile(overlay, list, 0o600); err != nil {
		return "", err
	}
	if out, err := exec.CommandContext(ctx, "go", "build", "-overlay", overlay, "-o", bin, "github.com/skein-im/skein/cmd/skein").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the broken server: %w\n%s", err, out)
	}
	return bin, nil
}

// Red cuts the power of a server that acknowledges too early, and expects the
// checker to report what is lost: a proof that can not fail proves nothing.
func Red(ctx context.Context, e *Env) (r *Result, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	r = &Result{Proof: "red control: SQLite with synchronous=NORMAL, power cut", Engine: "SQLite", Nodes: 1, Began: time.Now(), Command: "go run ./test/chaos/run red"}
	defer func() { r.Took = time.Since(r.Began) }()
	bin, err := e.BuildBroken(ctx, normal)
	if err != nil {
		return r, err
	}
	lost, cuts := int64(0), int64(0)
	for lost == 0 && cuts < 3 {
		n, err := e.redCut(ctx, bin)
		if err != nil {
			return r, err
		}
		lost += n
		cuts++
	}
	r.Act("cuts", cuts)
	r.Act("acknowledged messages that the checker reports as lost", lost)
	return r, nil
}

// redCut is one cut, and how much was lost.
func (e *Env) redCut(ctx context.Context, bin string) (int64, error) {
	disk, err := NewDisk(ctx, e, 1<<30)
	if err != nil {
		return 0, err
	}
	defer disk.Close()
	c, err := e.StartCluster(ctx, ClusterOptions{Engine: SQLite, Dir: filepath.Join(disk.Dir(), "c"), Bin: bin})
	if err != nil {
		return 0, err
	}
	defer c.Close()
	l, err := StartLoad(ctx, LoadOptions{Endpoints: c.Endpoints(), App: c.App(), Pairs: 20, Window: 8})
	if err != nil {
		return 0, err
	}
	defer l.Close()
	if err := l.WaitAcked(ctx, 2000, time.Minute); err != nil {
		return 0, err
	}
	// Everything up to here is old enough to be on the disk.
	if err := syncDisk(disk); err != nil {
		return 0, err
	}
	if err := l.WaitAcked(ctx, l.Acked()+5000, time.Minute); err != nil {
		return 0, err
	}
	l.Quiet() // or the clients would send again what was lost before it is looked for
	if err := freeze(ctx, c.processes()...); err != nil {
		return 0, err
	}
	if err := disk.Cut(); err != nil {
		return 0, err
	}
	c.Nodes[0].Kill()
	if err := disk.Again(ctx); err != nil {
		return 0, err
	}
	if err := c.Nodes[0].Start(ctx); err != nil {
		return 0, err
	}
	report, err := l.Finish(ctx, FinishOptions{Settle: 4 * time.Second, Fresh: 1})
	if report == nil {
		return 0, err
	}
	return report.Lost, nil // that devices and log disagree is what is expected here
}
