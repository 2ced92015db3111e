// Package netspace makes the machines of test networks: network namespaces,
// each with a loopback and one cable whose other end this process holds. It
// needs root, or at least the right to make namespaces and tun devices.
package netspace

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Cable is the name of a machine's network device.
const Cable = "cable0"

// Enter moves the calling thread into a new namespace with the address addr of
// a network of 256, and returns the end of its cable: what is read from it are
// the IPv4 packets that the machine sends. The thread must be locked
// (runtime.LockOSThread) and never unlocked, as nothing else may run in there.
func Enter(addr [4]byte) (end *os.File, err error) {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return nil, err
	}
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("/dev/net/tun: %w", err)
	}
	dev, err := unix.NewIfreq(Cable)
	if err == nil {
		dev.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, dev)
	}
	end = os.NewFile(uintptr(fd), "cable")
	if err == nil {
		err = up(addr)
	}
	if err != nil {
		end.Close()
		return nil, fmt.Errorf("make the cable: %w", err)
	}
	return end, nil
}

// up gives the devices of the thread's namespace what they need to work.
func up(addr [4]byte) error {
	sock, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(sock)
	on := func(r *unix.Ifreq) error { r.SetUint16(unix.IFF_UP | unix.IFF_RUNNING); return nil }
	for _, step := range []struct {
		dev string
		req uint
		set func(*unix.Ifreq) error
	}{
		{Cable, unix.SIOCSIFADDR, func(r *unix.Ifreq) error { return r.SetInet4Addr(addr[:]) }},
		{Cable, unix.SIOCSIFNETMASK, func(r *unix.Ifreq) error { return r.SetInet4Addr([]byte{255, 255, 255, 0}) }},
		// What this process is too busy to take at once is not lost.
		{Cable, unix.SIOCSIFTXQLEN, func(r *unix.Ifreq) error { r.SetUint32(10_000); return nil }},
		{Cable, unix.SIOCSIFFLAGS, on},
		{"lo", unix.SIOCSIFFLAGS, on},
	} {
		r, err := unix.NewIfreq(step.dev)
		if err == nil {
			err = step.set(r)
		}
		if err == nil {
			err = unix.IoctlIfreq(sock, step.req, r)
		}
		if err != nil {
			return fmt.Errorf("set up %s: %w", step.dev, err)
		}
	}
	return nil
}
