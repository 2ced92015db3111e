// Package netlab is a small internet in one process: hosts in network
// namespaces of their own, each with one cable that ends here, and between the
// cables links that lose, delay and slow packets down, NATs of every temper,
// and firewalls. It is for proofs with real programs (an SFU, browsers,
// clients of others), on a kernel that has neither netem nor a packet filter.
// It needs root, or at least the right to make namespaces and tun devices.
//
// What is lost and how long something takes follows from the seed and the
// order of packets. It speaks IPv4: UDP, TCP, and echoes of ICMP.
package netlab

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/skein-im/skein/test/netspace"
)

// Lab is one internet. Close ends it, and every process in it.
type Lab struct {
	seed uint64
	wg   sync.WaitGroup

	mu    sync.RWMutex // guards the rest
	hosts []*Host
	at    map[netip.Addr]*Host // those without a NAT
	nats  map[netip.Addr]*NAT
	n     uint64
	lost  atomic.Int64 // packets to nobody
}

// New makes an internet without hosts.
func New(seed uint64) *Lab {
	return &Lab{seed: seed, at: map[netip.Addr]*Host{}, nats: map[netip.Addr]*NAT{}}
}

// rng gives each part its own dice, so that what one does changes no other.
func (l *Lab) rng() *rand.Rand {
	l.n++
	return rand.New(rand.NewPCG(l.seed, l.n))
}

// Host is a machine with one address.
type Host struct {
	Name string
	Addr netip.Addr
	// Up and Down are what its cable does to what it sends and gets.
	Up, Down *Link

	lab   *Lab
	nat   *NAT // nil for a host with a public address
	tun   *os.File
	tasks chan func()
	block atomic.Pointer[func(Packet) bool]
	n     atomic.Int64 // blocked packets
}

// Host makes a machine. Behind a NAT its address is one of the NAT's inside,
// and others of the same NAT reach it by it.
func (l *Lab) Host(name, addr string, behind *NAT) (*Host, error) {
	h := &Host{Name: name, Addr: netip.MustParseAddr(addr), lab: l, nat: behind, tasks: make(chan func())}
	l.mu.Lock()
	h.Up, h.Down = newLink(l.rng()), newLink(l.rng())
	l.mu.Unlock()
	made := make(chan error)
	go func() {
		// Never unlocked: the thread ends with the goroutine, and takes the
		// namespace and what was started in it along.
		runtime.LockOSThread()
		err := h.make()
		made <- err
		if err != nil {
			return
		}
		for task := range h.tasks {
			task()
		}
	}()
	if err := <-made; err != nil {
		return nil, fmt.Errorf("make the host %s: %w", name, err)
	}
	l.mu.Lock()
	l.hosts = append(l.hosts, h)
	if behind == nil {
		l.at[h.Addr] = h
	} else {
		behind.hosts[h.Addr] = h
	}
	l.mu.Unlock()
	l.wg.Go(h.carry)
	return h, nil
}

// make sets up the namespace on the calling thread.
func (h *Host) make() error {
	end, err := netspace.Enter(h.Addr.As4())
	if err != nil {
		return err
	}
	h.tun = end
	return defaultRoute(netspace.Cable)
}

// rtentry is the kernel's struct of that name (linux/route.h).
type rtentry struct {
	_                  uint64
	dst, gateway, mask unix.RawSockaddrInet4
	flags, _           uint16
	_                  uint64
	_                  uintptr
	metric             int16
	dev                *byte
	mtu, window        uint64
	irtt               uint16
}

// defaultRoute sends everything into the cable.
func defaultRoute(dev string) error {
	sock, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(sock)
	name := append([]byte(dev), 0)
	r := rtentry{flags: unix.RTF_UP, dev: &name[0]}
	for _, a := range []*unix.RawSockaddrInet4{&r.dst, &r.gateway, &r.mask} {
		a.Family = unix.AF_INET
	}
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(sock), unix.SIOCADDRT, uintptr(unsafe.Pointer(&r)))
	runtime.KeepAlive(name)
	if errno != 0 {
		return fmt.Errorf("set the default route: %w", errno)
	}
	return nil
}

// Do runs f on a thread in the host's namespace: the sockets that it makes
// stay there. Addresses have to be numbers, as names are looked up elsewhere.
func (h *Host) Do(f func()) {
	done := make(chan struct{})
	h.tasks <- func() { defer close(done); f() }
	<-done
}

// ListenUDP opens a socket of the host.
func (h *Host) ListenUDP(port int) (c *net.UDPConn, err error) {
	h.Do(func() { c, err = net.ListenUDP("udp4", &net.UDPAddr{Port: port}) })
	return c, err
}

// ListenTCP opens a listener of the host.
func (h *Host) ListenTCP(port int) (ln *net.TCPListener, err error) {
	h.Do(func() { ln, err = net.ListenTCP("tcp4", &net.TCPAddr{Port: port}) })
	return ln, err
}

// DialTCP connects from the host.
func (h *Host) DialTCP(to netip.AddrPort) (c net.Conn, err error) {
	h.Do(func() { c, err = net.DialTCP("tcp4", nil, net.TCPAddrFromAddrPort(to)) })
	return c, err
}

// Start starts a process on the host, which is killed when the lab ends.
func (h *Host) Start(cmd *exec.Cmd) (err error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	h.Do(func() { err = cmd.Start() })
	return err
}

// Block makes a firewall of what drop says of each packet that the host sends
// or gets, as it looks inside of any NAT; nil takes it away.
func (h *Host) Block(drop func(Packet) bool) {
	if drop == nil {
		h.block.Store(nil)
		return
	}
	h.block.Store(&drop)
}

// Blocked counts the packets that Block has dropped.
func (h *Host) Blocked() int64 { return h.n.Load() }

// UDP is a firewall that lets no UDP through.
func UDP(p Packet) bool { return p.Proto() == unix.IPPROTO_UDP }

func (h *Host) blocked(p Packet) bool {
	drop := h.block.Load()
	if drop == nil || !(*drop)(p) {
		return false
	}
	h.n.Add(1)
	return true
}

// carry takes what the host sends.
func (h *Host) carry() {
	b := make([]byte, 1<<16)
	for {
		n, err := h.tun.Read(b)
		if err != nil {
			if errors.Is(err, os.ErrClosed) || !errors.Is(err, syscall.EINTR) {
				return
			}
			continue
		}
		p := Packet(b[:n])
		if !p.good() || h.blocked(p) {
			continue
		}
		h.Up.send(append(Packet(nil), p...), h.leave)
	}
}

// leave brings a packet from a host's cable to whom it is for.
func (h *Host) leave(p Packet) {
	l := h.lab
	l.mu.RLock()
	defer l.mu.RUnlock()
	to := p.Dst()
	if h.nat != nil {
		if near := h.nat.hosts[to]; near != nil {
			near.Down.send(p, near.arrive)
			return
		}
		if !h.nat.out(p) {
			return
		}
	}
	if n := l.nats[to]; n != nil {
		if inside := n.in(p); inside != nil {
			inside.Down.send(p, inside.arrive)
		}
		return
	}
	if far := l.at[to]; far != nil {
		far.Down.send(p, far.arrive)
		return
	}
	l.lost.Add(1)
}

func (h *Host) arrive(p Packet) {
	if !h.blocked(p) {
		h.tun.Write(p) // a full queue drops it, as a cable would
	}
}

// Nowhere counts packets to addresses that nobody has.
func (l *Lab) Nowhere() int64 { return l.lost.Load() }

// Close pulls all cables, and kills what runs on the hosts.
func (l *Lab) Close() {
	l.mu.Lock()
	hosts := l.hosts
	l.hosts = nil
	l.mu.Unlock()
	for _, h := range hosts {
		h.tun.Close()
		close(h.tasks)
	}
	l.wg.Wait()
	for _, h := range hosts {
		h.Up.close()
		h.Down.close()
	}
}

// May tells whether this process may make hosts.
func May() error {
	l := New(0)
	defer l.Close()
	_, err := l.Host("try", "198.51.100.1", nil)
	return err
}
