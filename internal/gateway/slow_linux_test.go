package gateway

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/ws"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// rawConn is syscall.RawConn.
type rawConn = syscall.RawConn

// kernelBytes asks the kernel how much memory a socket takes and may take, both
// ways (SO_MEMINFO).
func kernelBytes(t *testing.T, c *ws.Conn) (used, allowed int) {
	t.Helper()
	raw, err := c.NetConn().(interface {
		SyscallConn() (rawConn, error)
	}).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var info [9]uint32 // see SK_MEMINFO_* of linux/sock_diag.h
	size := uint32(unsafe.Sizeof(info))
	var errno unix.Errno
	err = raw.Control(func(fd uintptr) {
		_, _, errno = unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_MEMINFO,
			uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	})
	if err != nil || errno != 0 {
		t.Fatal(err, errno)
	}
	return int(info[0] + info[5]), int(info[1] + info[3]) // what was received and not read, what was sent and not taken
}

func TestTwoHundredReadersThatStopCostABoundedAmountAndNobodyElseNotices(t *testing.T) {
	const stopped, total = 200, 24 << 20
	w := newWorld(t, func(s *setup) { s.limits.QueueBytes, s.limits.QueueTotalBytes = 256<<10, total })
	w.porter.admit = nil
	var conns []*client
	for i := range stopped {
		// A small window of the reader's own, or the loopback would swallow it all.
		c := dial(t, w.url, protoBinary, ws.Limits{SocketRead: 4 << 10})
		c.name = fmt.Sprint("r", i)
		c.ask(greeting("bob", c.name, nil))
		conns = append(conns, c)
	}
	ab := im.Direct("ann", "bob")
	live, _ := w.connect("bob", "phone")
	sessions := w.g.hub.of("demo", "bob")
	if len(sessions) != stopped+1 {
		t.Fatalf("%d sessions", len(sessions))
	}
	big := strings.Repeat("x", 16<<10)
	peak, kernel, slowest := 0, 0, time.Duration(0)
	for i := 0; i < 100 && len(w.g.hub.of("demo", "bob")) > 1; i++ {
		at := time.Now()
		w.say("ann", ab, big)
		live.hears(ab, big)
		slowest = max(slowest, time.Since(at))
		queued := 0
		for _, s := range sessions {
			s.mu.Lock()
			queued += s.outSize + s.flying
			asked := s.conn.(*ws.Conn)
			if s.closing {
				asked = nil
			}
			s.mu.Unlock()
			if asked != nil {
				used, allowed := kernelBytes(t, asked)
				kernel = max(kernel, used)
				if allowed > 4*w.g.Limits.SocketBuffer { // twice each way: the kernel counts its bookkeeping in
					t.Fatalf("the kernel allows a socket %d KiB", allowed>>10)
				}
			}
		}
		peak = max(peak, queued)
	}
	closing, left := time.Now(), len(w.g.hub.of("demo", "bob"))
	for ; left > stopped/2; left = len(w.g.hub.of("demo", "bob")) { // a writer that is stuck is not waited for
		if time.Since(closing) > 5*time.Second {
			t.Fatalf("%d sessions of readers that stopped are still there", left)
		}
		<-time.After(10 * time.Millisecond)
	}
	t.Logf("the kernel held %d KiB of a socket at most, the queues %d KiB together; %d sessions were left; the slowest delivery to who reads took %v",
		kernel>>10, peak>>10, left, slowest)
	if kernel == 0 || kernel > 256<<10 {
		t.Errorf("a stopped reader holds %d KiB of the kernel", kernel>>10)
	}
	if peak > total+total/shedParts+stopped*(20<<10) {
		t.Errorf("%d KiB wait for readers", peak>>10)
	}
	if slowest > 5*time.Second {
		t.Errorf("who reads waits for %v", slowest)
	}
	if live.closed != 0 {
		t.Error("who reads was closed")
	}
	for _, c := range conns {
		c.conn.Close()
	}
	w.say("ann", ab, "after all")
	live.hears(ab, "after all")
	live.send(&skeinv1.ClientFrame{Frame: &skeinv1.ClientFrame_Ping{Ping: &skeinv1.Ping{}}})
}
