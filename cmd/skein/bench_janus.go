package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/skein-im/skein/internal/bench"
)

// janusProgram is an installed Janus, the yardstick of "bench sfu".
type janusProgram struct {
	path                 string
	videoRoom, webSocket string // its shared objects
	// media is an address of this machine: Janus sends none over 127.0.0.1. What
	// goes between two programs of one machine passes the same interface anyway.
	media netip.Addr
}

// findJanus looks on PATH, and for the VideoRoom and the WebSocket where
// packages put them; nil = there is none, or no address for it.
func findJanus() *janusProgram {
	path, err := exec.LookPath("janus")
	if err != nil {
		return nil
	}
	j := &janusProgram{path: path}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	for _, a := range addresses {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is4() && !p.Addr().IsLoopback() && !p.Addr().IsLinkLocalUnicast() {
			j.media = p.Addr()
			break
		}
	}
	if !j.media.IsValid() {
		return nil
	}
	// Two levels: a distribution's folder has the machine's name in it.
	for _, lib := range []string{"/usr/lib/*", "/usr/lib", filepath.Join(filepath.Dir(filepath.Dir(path)), "lib")} {
		room, _ := filepath.Glob(filepath.Join(lib, "janus/plugins/libjanus_videoroom.so"))
		socket, _ := filepath.Glob(filepath.Join(lib, "janus/transports/libjanus_websockets.so"))
		if len(room) > 0 && len(socket) > 0 {
			j.videoRoom, j.webSocket = room[0], socket[0]
			return j
		}
	}
	return nil
}

// round starts it with a folder of its own, loads it, and ends it.
func (j *janusProgram) round(ctx context.Context, o bench.SFUOptions, say func(string), stderr io.Writer) (*bench.SFUResult, string, error) {
	dir, err := os.MkdirTemp("", "skein-bench-janus-")
	if err != nil {
		return nil, "", err
	}
	defer os.RemoveAll(dir)
	port, err := freePort()
	if err != nil {
		return nil, "", err
	}
	plugins, transports := filepath.Join(dir, "plugins"), filepath.Join(dir, "transports")
	for folder, object := range map[string]string{plugins: j.videoRoom, transports: j.webSocket} {
		if err := os.Mkdir(folder, 0o700); err != nil {
			return nil, "", err
		}
		if err := os.Symlink(object, filepath.Join(folder, filepath.Base(object))); err != nil {
			return nil, "", err
		}
	}
	for name, text := range bench.JanusConfig(dir, plugins, transports, port, j.media) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return nil, "", err
		}
	}
	child := exec.Command(j.path, "--configs-folder="+dir)
	child.Stderr = stderr
	if err := child.Start(); err != nil {
		return nil, "", err
	}
	defer endChild(child)
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	if err := dialable(ctx, address); err != nil {
		return nil, "", err
	}
	o.URL, o.PID = "ws://"+address+"/", child.Process.Pid
	return bench.Janus(ctx, o, say)
}

// freePort finds a port of loopback that nobody has.
func freePort() (int, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// dialable waits until somebody listens.
func dialable(ctx context.Context, address string) error {
	end := time.Now().Add(10 * time.Second)
	for {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			return conn.Close()
		}
		if time.Now().After(end) {
			return fmt.Errorf("not listening after 10 s: %w", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}
