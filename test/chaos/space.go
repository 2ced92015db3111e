package chaos

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/skein-im/skein/test/netspace"
)

// spaceName is what a process of this program is called that enters a network
// namespace and becomes another program there.
const spaceName = "chaos-space"

// Space is a network namespace that nobody else sees: a machine of its own as
// far as the network goes, with one address, whose cable ends in a Switch. It
// has no name and is held by descriptors of this process, so that it is gone
// when the run is, however that ends. Sockets on files reach out of it.
type Space struct {
	Name string
	Addr string // such as 10.99.0.1

	ns  *os.File
	tun *os.File // the machine's cable
}

// newSpace makes a namespace with a loopback and the address 10.99.0.host.
func newSpace(name string, host byte) (*Space, error) {
	s := &Space{Name: name, Addr: fmt.Sprintf("10.99.0.%d", host)}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends here, as nothing else may run in its namespace
		done <- s.make([4]byte{10, 99, 0, host})
	}()
	if err := <-done; err != nil {
		return nil, errors.Join(fmt.Errorf("make a network namespace: %w", err), s.close())
	}
	return s, nil
}

// make makes the namespace on the calling thread.
func (s *Space) make(addr [4]byte) (err error) {
	if s.tun, err = netspace.Enter(addr); err != nil {
		return err
	}
	s.ns, err = os.Open("/proc/thread-self/ns/net")
	return err
}

func (s *Space) close() error {
	var errs []error
	for _, f := range []*os.File{s.tun, s.ns} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}

// Command prepares a process in the namespace.
func (s *Space) Command(bin string, args ...string) *exec.Cmd { return s.commandAs(nil, bin, args...) }

// commandAs is Command for another user.
func (s *Space) commandAs(who *syscall.Credential, bin string, args ...string) *exec.Cmd {
	as := "-"
	if who != nil {
		as = fmt.Sprintf("%d:%d", who.Uid, who.Gid)
	}
	cmd := exec.Command("/proc/self/exe", append([]string{as, bin}, args...)...)
	cmd.Args[0] = spaceName
	cmd.ExtraFiles = []*os.File{s.ns}
	return cmd
}

// spaceMain is the process that Command prepares: it returns only if it can
// not become the other program.
func spaceMain() int {
	err := func() error {
		if len(os.Args) < 3 {
			return errors.New("no program")
		}
		runtime.LockOSThread()
		const ns = 3 // the first of ExtraFiles
		if err := unix.Setns(ns, unix.CLONE_NEWNET); err != nil {
			return err
		}
		unix.CloseOnExec(ns)
		if uid, gid, ok := strings.Cut(os.Args[1], ":"); ok {
			u, err := strconv.Atoi(uid)
			g, err2 := strconv.Atoi(gid)
			if err := errors.Join(err, err2); err != nil {
				return err
			}
			if err := errors.Join(syscall.Setgroups(nil), syscall.Setgid(g), syscall.Setuid(u)); err != nil {
				return err
			}
		}
		// This thread takes the place of the process, and what spawn asked for
		// was asked of the first one. Changing the user has undone it besides.
		if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
			return err
		}
		return syscall.Exec(os.Args[2], os.Args[2:], os.Environ())
	}()
	fmt.Fprintln(os.Stderr, "start a program in a network namespace:", err)
	return 1
}

// Dial connects from the namespace to an address, not a name.
func (s *Space) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	type result struct {
		conn net.Conn
		err  error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread() // and never unlocked, as above
		var r result
		if r.err = unix.Setns(int(s.ns.Fd()), unix.CLONE_NEWNET); r.err == nil {
			// A single address is dialled on this very goroutine, and a socket
			// stays in the namespace that it was made in.
			r.conn, r.err = new(net.Dialer).DialContext(ctx, network, addr)
		}
		done <- r
	}()
	r := <-done
	return r.conn, r.err
}

// MayNetwork tells whether this process may make network namespaces with
// cables.
func MayNetwork() bool {
	s, err := newSpace("try", 1)
	if err != nil {
		return false
	}
	return s.close() == nil
}
