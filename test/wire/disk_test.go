package wire_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	pb "github.com/skein-im/skein/proto/skein/v1"
)

// onSmallDisk starts a server whose data folder is a file system of its own,
// of so many bytes. It is mounted in a namespace that dies with the process,
// so that nothing has to be cleaned up and no privilege is needed beyond what
// most systems give their users. The folder as others see it is returned.
func onSmallDisk(t *testing.T, bytes int) (*server, string) {
	t.Helper()
	root := t.TempDir()
	disk := filepath.Join(root, "disk")
	seed := filepath.Join(root, "seed")
	if err := os.Mkdir(disk, 0o700); err != nil {
		t.Fatal(err)
	}
	apps, err := makeApps(seed, "wire")
	if err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf("mount -t tmpfs -o size=%d,mode=700 tmpfs %[2]s && mkdir %[2]s/data && cp %[3]s/* %[2]s/data/ && exec %[4]s serve --listen 127.0.0.1:0 --data %[2]s/data",
		bytes, disk, seed, bin)
	attr := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Geteuid() != 0 {
		attr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWUSER,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}}
	}
	probe := exec.Command("sh", "-c", fmt.Sprintf("mount -t tmpfs tmpfs %s", disk))
	probe.SysProcAttr = attr
	if out, err := probe.CombinedOutput(); err != nil {
		t.Skipf("this system lets nobody mount a small disk: %v %s", err, out)
	}
	cmd := exec.Command("sh", "-c", script)
	cmd.SysProcAttr = attr
	s, err := launchAs(cmd, filepath.Join(disk, "data"), apps)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	})
	// The disk as the server sees it.
	return s, filepath.Join("/proc", fmt.Sprint(s.cmd.Process.Pid), "root", disk)
}

// fill writes a file until no byte fits any more, and returns its path.
func fill(t *testing.T, disk string) string {
	t.Helper()
	name := filepath.Join(disk, "ballast")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 64<<10); len(block) > 0; {
		if _, err := f.Write(block); err != nil {
			block = block[:len(block)/2]
		}
	}
	return name
}

// A full disk: sends get RESOURCE_EXHAUSTED, later UNAVAILABLE once the node
// may not serve any more; none of them is acknowledged; what was acknowledged
// is there; health says so; and with space the server goes on by itself.
func TestAFullDiskRefusesAndLosesNothingAndRecovers(t *testing.T) {
	t.Parallel()
	s, disk := onSmallDisk(t, 24<<20)
	ann, bob, conv := pair()
	c := connect(t, s, ann, "phone")
	acked := map[string]uint64{}
	send := func(r *pb.SendMessageRequest) pb.ErrorCode {
		f := c.ask(sendFrame(r))
		if a := f.GetAck(); a != nil {
			acked[string(r.ClientId)] = a.Seq
			return 0
		}
		return f.GetError().GetCode()
	}
	for i := range 20 {
		if code := send(text(conv, fmt.Sprint("before ", i))); code != 0 {
			t.Fatal(code)
		}
	}
	reader := as(t, s, bob)
	reader.history(conv) // the first call of a user stores that there is one
	ballast := fill(t, disk)
	// Pages that are there already may still take some.
	var refused []*pb.SendMessageRequest
	for i := 0; len(refused) < 3 && i < 2000; i++ {
		r := text(conv, strings.Repeat("x", 16000))
		switch code := send(r); code {
		case 0:
		case pb.ErrorCode_ERROR_CODE_RESOURCE_EXHAUSTED:
			refused = append(refused, r)
		default:
			t.Fatalf("message %d on a full disk: %v", i, code)
		}
	}
	if len(refused) < 3 {
		t.Fatal("the disk was never full")
	}
	e := as(t, s, ann).call(sendMessage, refused[0])
	if e.err.GetCode() != pb.ErrorCode_ERROR_CODE_RESOURCE_EXHAUSTED || e.err.GetHint() == "" {
		t.Errorf("over HTTP: %d %s", e.status, e.body)
	}
	// Reading goes on.
	if p := must[pb.ListMessagesResponse](reader, listMessages, &pb.ListMessagesRequest{Conversation: conv, Limit: 1}); len(p.Items) != 1 {
		t.Errorf("%v", p)
	}
	until(t, "health says what is wrong", func() bool {
		status, body := s.health(t)
		return status == http.StatusServiceUnavailable && strings.TrimSpace(body) != ""
	})
	select {
	case <-s.exited:
		t.Fatal("the server has given up")
	default:
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	until(t, "the server serves again", func() bool { status, _ := s.health(t); return status == http.StatusOK })
	// What was refused was not stored: the retry is the first of its id.
	c = connect(t, s, ann, "phone")
	for _, r := range refused {
		if code := send(r); code != 0 {
			t.Errorf("with space again: %v", code)
		}
	}
	h := as(t, s, bob).history(conv)
	for i, e := range h {
		if e.Seq != uint64(i+1) || acked[string(e.ClientId)] != e.Seq {
			t.Fatalf("position %d holds seq %d, acknowledged as %d", i+1, e.Seq, acked[string(e.ClientId)])
		}
		delete(acked, string(e.ClientId))
	}
	if len(acked) > 0 {
		t.Errorf("%d acknowledged messages are gone", len(acked))
	}
}
