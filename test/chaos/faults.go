package chaos

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/skein-im/skein/internal/im"
)

// blkio is where version 1 of control groups keeps the limits of block
// devices. The journal of a file system is written by the kernel itself, which
// is in the root group, so that the limit is set there, for the one device.
const blkio = "/sys/fs/cgroup/blkio/blkio.throttle.write_iops_device"

// Slow bounds the writes a second of the disk; 0 takes the bound away.
func (d *Disk) Slow(iops int) error {
	var st unix.Stat_t
	if err := unix.Stat(d.device, &st); err != nil {
		return err
	}
	line := fmt.Sprintf("%d:%d %d", unix.Major(uint64(st.Rdev)), unix.Minor(uint64(st.Rdev)), iops) //nolint:unconvert // another width elsewhere
	if err := os.WriteFile(blkio, []byte(line), 0); err != nil {
		return fmt.Errorf("slow the disk: %w", err)
	}
	return nil
}

// ReadOnly makes the file system read-only as it makes itself when it meets an
// error; Again heals it.
func (d *Disk) ReadOnly() error {
	if err := unix.Mount("", d.dir, "", unix.MS_REMOUNT, "abort"); err != nil {
		return fmt.Errorf("make the disk read-only: %w", err)
	}
	return nil
}

// FaultOptions say which engine meets the faults of a disk.
type FaultOptions struct {
	Engine Engine
	Rate   float64 // messages a second of one sender; 0 = 40
	Rounds int     // of each fault; 0 = 1
	// Hold is how long a fault lasts; 0 = 3 s.
	Hold time.Duration
}

// faults is one disk, and what runs on it.
type faults struct {
	e    *Env
	o    FaultOptions
	disk *Disk
	c    *Cluster
	l    *Load
	r    *Result
}

// Faults lets the disk be full, slow, and read-only, under load. While it
// refuses, nothing is acknowledged and every answer says so; when it is well
// again the server goes on, and nothing that it acknowledged is lost.
func Faults(ctx context.Context, e *Env, o FaultOptions) (r *Result, err error) {
	o.Rounds = max(o.Rounds, 1)
	if o.Hold == 0 {
		o.Hold = 3 * time.Second
	}
	if o.Rate == 0 {
		o.Rate = 40
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute+time.Duration(o.Rounds)*2*time.Minute)
	defer cancel()
	r = &Result{Proof: "full, slow and read-only disk", Engine: o.Engine.String(), Nodes: 1, Began: time.Now(),
		Command: fmt.Sprintf("go run ./test/chaos/run disk --db %s --rounds %d", string(o.Engine), o.Rounds)}
	defer func() { r.Took = time.Since(r.Began) }()
	r.brokenDisk = true
	f := &faults{e: e, o: o, r: r}
	size := int64(192 << 20)
	if o.Engine == PostgreSQL {
		size = 768 << 20
	}
	if f.disk, err = NewDisk(ctx, e, size); err != nil {
		return r, err
	}
	defer f.disk.Close()
	if f.c, err = e.StartCluster(ctx, ClusterOptions{Engine: o.Engine, Dir: filepath.Join(f.disk.Dir(), "c")}); err != nil {
		return r, err
	}
	defer f.c.Close()
	f.l, err = StartLoad(ctx, LoadOptions{Endpoints: f.c.Endpoints(), App: f.c.App(), Pairs: 15, Groups: 1, GroupSize: 6, GroupSenders: 2, Watchers: 2, Window: 4, Rate: o.Rate, Reads: true})
	if err != nil {
		return r, err
	}
	defer f.l.Close()
	for range o.Rounds {
		for _, fault := range []func(context.Context) error{f.full, f.slow, f.readOnly} {
			if err := f.l.WaitAcked(ctx, f.l.Acked()+200, 30*time.Second); err != nil {
				return r, err
			}
			if err := fault(ctx); err != nil {
				return r, err
			}
		}
	}
	return r, conclude(ctx, e, r, f.c, f.l)
}

// healthy tells what the node says of itself.
func (f *faults) healthy() bool {
	res, err := http.Get(f.c.Nodes[0].URL() + "/healthz")
	if err != nil {
		return false
	}
	res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// hold waits while the fault lasts, and tells how many messages were
// acknowledged after its first moments: what had been committed already may
// still be answered.
func (f *faults) hold(ctx context.Context) (late int64, sick bool, err error) {
	if err := pause(ctx, time.Second); err != nil {
		return 0, false, err
	}
	before := f.l.Acked()
	sick = until(ctx, f.o.Hold, func() bool { return !f.healthy() })
	err = pause(ctx, f.o.Hold)
	return f.l.Acked() - before, sick, err
}

// full fills the disk, and takes the ballast away again. The server is not
// touched.
func (f *faults) full(ctx context.Context) error {
	before := f.l.answers(im.ResourceExhausted) + f.l.answers(im.Unavailable)
	ballast, bytes, err := f.disk.Fill()
	if err != nil {
		return err
	}
	// Files have room of their own for a while, and the log of the engine too.
	refusing := func() bool { return f.l.answers(im.ResourceExhausted)+f.l.answers(im.Unavailable) > before+20 }
	if !until(ctx, time.Minute, refusing) {
		os.Remove(ballast)
		return errors.New("nothing was refused on a full disk")
	}
	late, sick, err := f.hold(ctx)
	if err != nil {
		return err
	}
	f.r.Act("bytes of ballast", bytes)
	f.r.Act("answers RESOURCE_EXHAUSTED", f.l.answers(im.ResourceExhausted))
	f.r.Measure("acknowledged while the disk was full (pages that were there)", float64(late), "")
	if !sick {
		f.r.Problem("the node says that it is well on a full disk")
	}
	if err := os.Remove(ballast); err != nil {
		return err
	}
	if f.c.Postgres != nil && f.c.Postgres.Gone() { // as its supervisor does
		if err := f.c.Postgres.Start(ctx); err != nil {
			return err
		}
	}
	began, acked := time.Now(), f.l.Acked()
	if !until(ctx, time.Minute, func() bool { return f.l.Acked() > acked+50 && f.healthy() }) {
		f.r.Problem("the node does not serve a minute after there is space again: %s", f.l.Stats())
	}
	f.r.Measure("serves again after", ms(time.Since(began)), "ms")
	return nil
}

// slow lets the disk write a few times a second.
func (f *faults) slow(ctx context.Context) error {
	f.l.latency.take(0.5)
	if err := pause(ctx, time.Second); err != nil {
		return err
	}
	fast, _ := f.l.latency.take(0.5)
	if err := f.disk.Slow(40); err != nil {
		return err
	}
	err := pause(ctx, 2*f.o.Hold)
	slow, n := f.l.latency.take(0.5)
	if err := errors.Join(err, f.disk.Slow(0)); err != nil {
		return err
	}
	f.r.Measure("ack p50 before", fast, "ms")
	f.r.Measure("ack p50 with 40 writes a second", slow, "ms")
	f.r.Act("acknowledged by the slow disk", int64(n))
	if slow < 2*fast {
		f.r.Problem("the disk was not slow: %g ms, and %g ms before", slow, fast)
	}
	return nil
}

// readOnly lets the file system refuse every write, and heals it by what a
// machine's restart does.
func (f *faults) readOnly(ctx context.Context) error {
	running := f.c.processes()
	defer thaw(running...)
	if err := freeze(ctx, running...); err != nil {
		return err
	}
	if err := f.disk.ReadOnly(); err != nil {
		return err
	}
	thaw(running...)
	if !f.disk.Off() {
		f.r.Problem("the disk is not read-only")
	}
	late, sick, err := f.hold(ctx)
	if err != nil {
		return err
	}
	f.r.Act("messages that waited while the disk was read-only", int64(f.l.underWay()))
	f.r.Measure("answers UNAVAILABLE", float64(f.l.answers(im.Unavailable)), "")
	if late > 0 {
		f.r.Problem("%d messages were acknowledged while the disk was read-only", late)
	}
	if !sick {
		f.r.Problem("the node says that it is well on a read-only disk")
	}
	f.c.Nodes[0].Kill()
	if f.c.Postgres != nil {
		f.c.Postgres.Kill()
	}
	if err := f.disk.Again(ctx); err != nil {
		return err
	}
	if f.c.Postgres != nil {
		if err := f.c.Postgres.Start(ctx); err != nil {
			return err
		}
	}
	if err := f.c.Nodes[0].Start(ctx); err != nil {
		return err
	}
	return f.l.WaitAcked(ctx, f.l.Acked()+50, time.Minute)
}
