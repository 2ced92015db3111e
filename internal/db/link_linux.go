package db

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// linkControl bounds the time for which sent data may stay unacknowledged.
func linkControl(network, _ string, c syscall.RawConn) error {
	if network == "unix" {
		return nil
	}
	var err error
	ctl := c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(linkTimeout.Milliseconds()))
	})
	if ctl != nil {
		return ctl
	}
	return err
}
