//go:build !linux

package bench

import (
	"errors"
	"net"
)

func deafen(*net.UDPConn) error { return errors.New("deaf subscribers need Linux") }

// Beside is not possible here.
func Beside(int, int) error { return errors.ErrUnsupported }
