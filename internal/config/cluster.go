package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
)

// Joined tells whether the server speaks to others over a bus.
func (c *Config) Joined() bool { return c.Cluster.Listen != "" || c.NATS.URL != "" }

func (c *Config) checkCluster() error {
	switch {
	case c.Cluster.Listen != "" && c.NATS.URL != "":
		return errors.New("set either cluster.listen, for embedded NATS servers, or nats.url, for an external one; not both")
	case c.Joined() && c.DB == "":
		return errors.New("cluster, nats: several servers need one PostgreSQL database; set db, or leave cluster and nats out")
	case c.Cluster.Listen == "" && len(c.Cluster.Peers) > 0:
		return errors.New("cluster.peers: set cluster.listen too, or the peers can not reach this server")
	}
	if n := c.Cluster.Name; n == "" || len(n) > 64 || strings.Trim(n, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" {
		return fmt.Errorf("cluster.name: %q is no name; use 1 to 64 of a-z A-Z 0-9 _ -", n)
	}
	if err := c.Cluster.check(); err != nil {
		return err
	}
	return c.NATS.check()
}

func (c *Cluster) check() error {
	if whole := c.Cert != "" && c.Key != "" && c.CA != ""; !whole && c.Cert+c.Key+c.CA != "" {
		return errors.New("cluster: cert, key and ca belong together; set all three")
	}
	if c.SFU != "" {
		if _, err := splitListen("cluster.sfu", c.SFU); err != nil {
			return err
		}
	}
	if c.Listen == "" {
		return nil
	}
	host, err := splitListen("cluster.listen", c.Listen)
	if err != nil {
		return err
	}
	local := isLoopback(host)
	for _, p := range c.Peers {
		peer, port, err := net.SplitHostPort(p)
		if err != nil || peer == "" || port == "" {
			return fmt.Errorf("cluster.peers: %q is no address with a port; write it as node2.internal:6222", p)
		}
		local = local && isLoopback(peer)
	}
	if !local && c.Cert == "" && !c.Plain {
		return errors.New(`cluster: other machines are involved, and without TLS everybody on the way reads messages. Choose one:
  --cluster-cert FILE --cluster-key FILE --cluster-ca FILE   a certificate for each server, of a CA of your own
  --cluster-plain                                            a network that encrypts by itself`)
	}
	return nil
}

func (n *NATS) check() error {
	if n.URL == "" {
		if n.User+n.Password+n.Credentials+n.CA+n.Cert+n.Key != "" {
			return errors.New("nats: set url, or nothing of it works")
		}
		return nil
	}
	for part := range strings.SplitSeq(n.URL, ",") {
		u, err := url.Parse(strings.TrimSpace(part))
		// The value is not shown: it may hold a password.
		if err != nil || u.Hostname() == "" || u.Scheme != "nats" && u.Scheme != "tls" {
			return errors.New("nats.url: expected nats://host:4222 or tls://host:4222, several with commas between")
		}
		if u.User != nil {
			return errors.New("nats.url: other users of a machine can see flags; put the name into nats.user and the password into SKEIN_NATS_PASSWORD")
		}
		if u.Scheme == "nats" && !isLoopback(u.Hostname()) && n.CA == "" {
			return fmt.Errorf("nats.url: %s can be reached from other machines, and without TLS everybody on the way reads messages; write it as tls://%s", u.Host, u.Host)
		}
	}
	switch {
	case (n.Cert == "") != (n.Key == ""):
		return errors.New("nats: cert and key belong together; set both")
	case n.Password != "" && n.User == "":
		return errors.New("nats: a password needs a user")
	case n.User != "" && n.Credentials != "":
		return errors.New("nats: set either user and password, or credentials; not both")
	}
	return nil
}
