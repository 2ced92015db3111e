package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ioctls of Linux that x/sys has no name for: include/uapi/linux/loop.h and
// ext4's EXT4_IOC_SHUTDOWN, _IOR('X', 125, __u32).
const (
	loopCtlGetFree  = 0x4C82
	loopConfigure   = 0x4C0A
	loopAutoClear   = 4
	ext4Shutdown    = 0x8004587d
	shutdownNoFlush = 2 // nothing of the journal is written any more
)

// Disk is an ext4 file system in a file, on a loop device. The power of its
// machine can be cut: what was written and not forced to the disk is gone.
//
// The file is unlinked as soon as the device has it, the device is freed with
// its last mount, and the mount is in the run's own namespace (Apart): nothing
// is left behind, however the run ends.
type Disk struct {
	dir    string
	device string
	file   *os.File
}

// NewDisk makes and mounts a disk of so many bytes on a new folder.
func NewDisk(ctx context.Context, e *Env, size int64) (*Disk, error) {
	if !MayMount() {
		return nil, errors.New("this system lets nobody mount a disk")
	}
	dir, err := e.Folder("disk")
	if err != nil {
		return nil, err
	}
	d := &Disk{dir: filepath.Join(dir, "m")}
	if err := os.Mkdir(d.dir, 0o711); err != nil {
		return nil, err
	}
	image := filepath.Join(dir, "image")
	if d.file, err = os.OpenFile(image, os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return nil, err
	}
	err = d.file.Truncate(size)
	if err == nil {
		out, mkfs := exec.CommandContext(ctx, "mkfs.ext4", "-q", "-F", "-m", "0", image).CombinedOutput()
		if mkfs != nil {
			err = fmt.Errorf("mkfs.ext4: %w %s", mkfs, out)
		}
	}
	if err == nil {
		err = d.attach()
	}
	os.Remove(image)
	if err != nil {
		d.file.Close()
		return nil, err
	}
	return d, os.Chmod(d.dir, 0o711)
}

// Dir is where it is mounted.
func (d *Disk) Dir() string { return d.dir }

// attach finds a loop device, gives it the file, and mounts it.
func (d *Disk) attach() error {
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer control.Close()
	for try := 0; ; try++ {
		n, err := unix.IoctlRetInt(int(control.Fd()), loopCtlGetFree)
		if err != nil {
			return fmt.Errorf("find a loop device: %w", err)
		}
		d.device = fmt.Sprintf("/dev/loop%d", n)
		dev, err := os.OpenFile(d.device, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		config := unix.LoopConfig{Fd: uint32(d.file.Fd())}
		config.Info.Flags = loopAutoClear
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, dev.Fd(), loopConfigure, uintptr(unsafe.Pointer(&config)))
		if errno == unix.EBUSY && try < 20 { // somebody else was faster
			dev.Close()
			continue
		}
		if errno != 0 {
			dev.Close()
			return fmt.Errorf("attach the loop device: %w", errno)
		}
		err = d.mount()
		dev.Close() // the mount holds the device from now on
		return err
	}
}

func (d *Disk) mount() error {
	if err := unix.Mount(d.device, d.dir, "ext4", 0, ""); err != nil {
		return fmt.Errorf("mount %s: %w", d.device, err)
	}
	return nil
}

// Cut stops the file system as a power cut does: from now on every write and
// every fsync fails, and nothing reaches the disk any more.
func (d *Disk) Cut() error {
	f, err := os.Open(d.dir)
	if err != nil {
		return err
	}
	defer f.Close()
	flag := uint32(shutdownNoFlush)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), ext4Shutdown, uintptr(unsafe.Pointer(&flag))); errno != 0 {
		return fmt.Errorf("cut the power: %w", errno)
	}
	return nil
}

// syncDisk writes out what the file system has in memory.
func syncDisk(d *Disk) error {
	f, err := os.Open(d.dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.Syncfs(int(f.Fd()))
}

// Off tells whether the power is cut: a new file can not be made.
func (d *Disk) Off() bool {
	f, err := os.OpenFile(filepath.Join(d.dir, "probe"), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return errors.Is(err, unix.EIO) || errors.Is(err, unix.EROFS)
	}
	f.Close()
	os.Remove(f.Name())
	return false
}

// Again unmounts it and mounts it anew, as a machine does that starts: the
// journal is replayed. Nobody may have a file open on it.
func (d *Disk) Again(ctx context.Context) error {
	hold, err := os.OpenFile(d.device, os.O_RDWR, 0) // or the device is freed in between
	if err != nil {
		return err
	}
	defer hold.Close()
	if err := d.unmount(ctx); err != nil {
		return err
	}
	return d.mount()
}

// unmount waits until who was killed has let go.
func (d *Disk) unmount(ctx context.Context) error {
	var err error
	if until(ctx, 20*time.Second, func() bool { err = unix.Unmount(d.dir, 0); return err == nil }) {
		return nil
	}
	return fmt.Errorf("unmount: %w", err)
}

// Close unmounts it for good, also while somebody has files open.
func (d *Disk) Close() error {
	err := unix.Unmount(d.dir, unix.MNT_DETACH)
	return errors.Join(err, d.file.Close())
}

// Fill writes a file until no byte fits any more, and returns its path.
func (d *Disk) Fill() (string, int64, error) {
	name := filepath.Join(d.dir, "ballast")
	f, err := os.Create(name)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	total := int64(0)
	for block := make([]byte, 1<<20); len(block) > 0; {
		n, err := f.Write(block)
		total += int64(n)
		if err == nil {
			err = unix.Fsync(int(f.Fd())) // delayed allocation promises what it does not have
		}
		if err != nil {
			block = block[:len(block)/2]
		}
	}
	return name, total, nil
}
