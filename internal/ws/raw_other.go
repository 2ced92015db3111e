//go:build !unix

package ws

import "errors"

// openRaw leaves the connection to net.Conn's own Read and Write; an idle one
// is then waited on with Conn.peek.
func (c *Conn) openRaw() {}

func (o *out) sendRaw() error { return errors.ErrUnsupported }
