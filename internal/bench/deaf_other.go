//go:build !linux

package bench

import (
	"errors"
	"net"
)

func deafen(*net.UDPConn) error { return errors.New("deaf subscribers need Linux") }
