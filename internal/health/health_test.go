package health

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/pgtest"
)

// await waits until the node stands so.
func await(t *testing.T, h *Health, what string, fits func(Report) bool) Report {
	t.Helper()
	limit := time.NewTimer(20 * time.Second)
	defer limit.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		r := h.Report()
		if fits(r) {
			return r
		}
		select {
		case <-limit.C:
			t.Fatalf("it never was %s: %+v", what, r)
		case <-tick.C:
		}
	}
}

func TestANodeIsReadyWhenEveryCheckHasPassedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(im.SystemClock{}, nil)
		if r := h.Report(); r.Ready || r.Names() != Starting {
			t.Fatalf("a new node is %+v", r)
		}
		gate := make(chan struct{})
		stop := make(chan func(), 1)
		go func() {
			stop <- h.Start(time.Second, Check{"a", func(context.Context) error { return nil }},
				Check{"b", func(context.Context) error { <-gate; return nil }})
		}()
		synctest.Wait()
		if r := h.Report(); r.Ready {
			t.Fatal("ready before b has passed")
		}
		close(gate)
		defer (<-stop)()
		if r := h.Report(); !r.Ready || len(r.Reasons) != 0 {
			t.Fatalf("all has passed, and it is %+v", r)
		}
	})
}

func TestACheckTurnsTheNodeRedAndGreenAgainWithItsReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(im.SystemClock{}, nil)
		var bad atomic.Bool
		stop := h.Start(time.Second, Func("journal", func() error {
			if bad.Load() {
				return errors.New("the last commit failed")
			}
			return nil
		}))
		defer stop()
		synctest.Wait()
		bad.Store(true)
		<-time.After(4 * time.Second)
		synctest.Wait()
		r := h.Report()
		if r.Ready || r.Names() != "journal" || r.Reasons[0].Message != "the last commit failed" || r.Reasons[0].SinceMS < 3000 {
			t.Fatalf("%+v", r)
		}
		bad.Store(false)
		<-time.After(time.Second)
		synctest.Wait()
		if !h.Report().Ready {
			t.Fatal("it did not recover")
		}
		h.Drain()
		<-time.After(5 * time.Second)
		if r := h.Report(); r.Ready || r.Names() != Draining {
			t.Fatalf("a draining node is %+v", r)
		}
	})
}

func TestACheckThatHangsIsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(im.SystemClock{}, nil)
		var hang atomic.Bool
		stop := h.Start(time.Second, Check{"database", func(ctx context.Context) error {
			if hang.Load() {
				<-ctx.Done()
			}
			return ctx.Err()
		}})
		defer stop()
		synctest.Wait()
		hang.Store(true)
		<-time.After(time.Second + overdue + 10*time.Millisecond)
		synctest.Wait()
		if r := h.Report(); r.Ready || r.Names() != "database" {
			t.Fatalf("%+v", r)
		}
	})
}

func openLite(t *testing.T, dir string) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), dir, db.Options{})
	if err == nil {
		t.Cleanup(func() { d.Close() })
		err = d.Migrate(t.Context(), "health", Migrations())
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// small mounts a file system of 4 MiB, where the machine lets us.
func small(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("no file system can be mounted here: %s", out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %s", out)
		}
	})
	return dir
}

func TestAFullDiskTurnsTheNodeRedBeforeAndWhenWritesFail(t *testing.T) {
	dir := small(t)
	d := openLite(t, dir)
	h := New(im.SystemClock{}, nil)
	stop := h.Start(10*time.Millisecond, Database(d, "n1"), Disk(dir, 90))
	defer stop()
	await(t, h, "ready", func(r Report) bool { return r.Ready })

	if err := os.WriteFile(filepath.Join(dir, "ballast"), make([]byte, 3700<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	r := await(t, h, "red by the disk", func(r Report) bool { return strings.Contains(r.Names(), "disk") })
	if !strings.Contains(r.Reasons[len(r.Reasons)-1].Message, "% full") {
		t.Errorf("the reason does not say so: %+v", r)
	}

	f, err := os.Create(filepath.Join(dir, "rest"))
	if err != nil {
		t.Fatal(err)
	}
	for err == nil { // to the last byte
		_, err = f.Write(make([]byte, 512))
	}
	f.Close()
	r = await(t, h, "red by the database", func(r Report) bool { return strings.Contains(r.Names(), "database") })
	t.Log(r)

	os.Remove(filepath.Join(dir, "rest"))
	os.Remove(filepath.Join(dir, "ballast"))
	await(t, h, "ready again", func(r Report) bool { return r.Ready })
}

func TestADatabaseThatIsAwayOrTakesNoWritesTurnsTheNodeRed(t *testing.T) {
	d, err := db.Open(t.Context(), pgtest.DB(t), db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.Migrate(t.Context(), "health", Migrations()); err != nil {
		t.Fatal(err)
	}
	h := New(im.SystemClock{}, nil)
	stop := h.Start(10*time.Millisecond, Database(d, "n1"))
	defer stop()
	await(t, h, "ready", func(r Report) bool { return r.Ready })
	// Everything can be read, and nothing written: what a ping would not see.
	if _, err := d.Pool().Exec(t.Context(), "ALTER TABLE health_probe RENAME TO gone"); err != nil {
		t.Fatal(err)
	}
	await(t, h, "red", func(r Report) bool { return r.Names() == "database" })
	if _, err := d.Pool().Exec(t.Context(), "ALTER TABLE gone RENAME TO health_probe"); err != nil {
		t.Fatal(err)
	}
	await(t, h, "ready again", func(r Report) bool { return r.Ready })
	d.Close()
	r := await(t, h, "red", func(r Report) bool { return r.Names() == "database" })
	if strings.Contains(r.Reasons[0].Message, "postgres://") {
		t.Errorf("the reason shows the URL: %s", r.Reasons[0].Message)
	}
}

func TestTheLeaseOfTheNodeIsAsked(t *testing.T) {
	if Lease(func() bool { return true }).Run(t.Context()) != nil || Lease(func() bool { return false }).Run(t.Context()) == nil {
		t.Error("the check does not say what it was told")
	}
}
