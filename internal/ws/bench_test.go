//go:build unix

package ws

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// The benchmarks that compare processes run this test binary again as the
// client, told by an environment variable, so that the server's memory and
// CPU can be told apart from the load's:
//
//	go test ./internal/ws -run '^$' -bench Idle -benchtime 1x
//	go test ./internal/ws -run '^$' -bench Echo
const (
	roleEnv  = "WS_BENCH_CLIENT" // "url connections" of the load to make
	echoSize = 100
)

func TestMain(m *testing.M) {
	if role := os.Getenv(roleEnv); role != "" {
		if err := clientProcess(role); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// clientProcess opens connections and echoes one message on each. Then, for
// every line "n" on stdin, it echoes n messages over them all and answers with
// a line of its own CPU nanoseconds. The end of stdin ends it.
func clientProcess(role string) error {
	url, count, _ := strings.Cut(role, " ")
	n, err := strconv.Atoi(count)
	if err != nil {
		return err
	}
	conns := make([]func() error, n)
	for i := range conns {
		if conns[i], err = echoOver(url); err != nil {
			return err
		}
		if err := conns[i](); err != nil {
			return err
		}
	}
	fmt.Println("ready")
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		total, err := strconv.Atoi(lines.Text())
		if err != nil {
			return err
		}
		before := cpu()
		var wg sync.WaitGroup
		errs := make(chan error, n)
		for i, echo := range conns {
			share := total / n
			if i < total%n {
				share++
			}
			wg.Go(func() {
				for range share {
					if err := echo(); err != nil {
						errs <- err
						return
					}
				}
			})
		}
		wg.Wait()
		close(errs)
		if err := <-errs; err != nil {
			return err
		}
		fmt.Println(cpu() - before)
	}
	return lines.Err()
}

var echoPayload = []byte(strings.Repeat("x", echoSize))

// echoOver connects and returns a function that has one message echoed. Over
// tcp:// the bytes go without frames: the yardstick.
func echoOver(url string) (func() error, error) {
	if address, ok := strings.CutPrefix(url, "tcp://"); ok {
		nc, err := net.Dial("tcp", address)
		b := make([]byte, echoSize)
		return func() error {
			if _, err := nc.Write(echoPayload); err != nil {
				return err
			}
			_, err := io.ReadFull(nc, b)
			return err
		}, err
	}
	c, err := Dial(context.Background(), url, DialOptions{TLS: &tls.Config{InsecureSkipVerify: true}})
	return func() error {
		if err := c.WriteMessage(OpBinary, echoPayload); err != nil {
			return err
		}
		_, p, err := c.ReadMessage()
		if err == nil && len(p) != echoSize {
			err = errors.New("not what was sent")
		}
		return err
	}, err
}

// bareServer echoes bytes without frames.
func bareServer(b *testing.B) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { ln.Close() })
	go func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer nc.Close()
				buf := make([]byte, smallSize)
				for {
					n, err := nc.Read(buf)
					if err != nil {
						return
					}
					if _, err := nc.Write(buf[:n]); err != nil {
						return
					}
				}
			}()
		}
	}()
	return "tcp://" + ln.Addr().String()
}

func cpu() int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// load is the client process.
type load struct {
	in  io.WriteCloser
	out *bufio.Scanner
}

func startLoad(b *testing.B, url string, n int) *load {
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), roleEnv+"="+url+" "+strconv.Itoa(n))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			b.Error(err)
		}
	})
	l := &load{in, bufio.NewScanner(out)}
	l.line(b, "ready")
	return l
}

func (l *load) line(b *testing.B, prefix string) string {
	if !l.out.Scan() || !strings.HasPrefix(l.out.Text(), prefix) {
		b.Fatal("the client process has failed")
	}
	return l.out.Text()
}

// BenchmarkIdle reports what an open, silent connection costs the server, each
// having echoed a message before: B/conn is resident memory, stack and heap
// are the runtime's share of it.
func BenchmarkIdle(b *testing.B) {
	for _, withTLS := range []bool{false, true} {
		name := map[bool]string{false: "plain", true: "TLS"}[withTLS]
		b.Run(name, func(b *testing.B) {
			const n = 2000
			warm := echoServer(b, withTLS)
			startLoad(b, warm, 50) // what the first connections bring with them is not counted
			before, stack, heap := memory(b)
			for range b.N {
				startLoad(b, echoServer(b, withTLS), n)
			}
			after, stack2, heap2 := memory(b)
			per := func(x int64) float64 { return float64(x) / float64(n*b.N) }
			b.ReportMetric(per(after-before), "B/conn")
			b.ReportMetric(per(stack2-stack), "stack-B/conn")
			b.ReportMetric(per(heap2-heap), "heap-B/conn")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// memory is the process's resident set, and the runtime's stack and heap in
// use, after everything that can be given back has been.
func memory(b *testing.B) (resident, stack, heap int64) {
	for range 3 { // a stack is halved at most once a collection
		debug.FreeOSMemory()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatalf("resident memory is read where Linux shows it: %v", err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return kib << 10, int64(m.StackInuse), int64(m.HeapAlloc)
}

// BenchmarkEcho sends 100-byte messages to and fro between two processes and
// reports the CPU that each of the two spent on one. Read it against "bare",
// the same bytes without WebSocket, of the same run.
func BenchmarkEcho(b *testing.B) {
	for _, kind := range []struct {
		name string
		url  func(b *testing.B) string
	}{
		{"bare", bareServer},
		{"plain", func(b *testing.B) string { return echoServer(b, false) }},
		{"TLS", func(b *testing.B) string { return echoServer(b, true) }},
	} {
		for _, conns := range []int{1, 64, 1000} {
			b.Run(fmt.Sprintf("%s/conns=%d", kind.name, conns), func(b *testing.B) {
				l := startLoad(b, kind.url(b), conns)
				b.ReportAllocs()
				b.ResetTimer()
				before := cpu()
				fmt.Fprintln(l.in, b.N)
				client, err := strconv.ParseInt(l.line(b, ""), 10, 64)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(cpu()-before)/float64(b.N), "server-cpu-ns/op")
				b.ReportMetric(float64(client)/float64(b.N), "client-cpu-ns/op")
			})
		}
	}
}
