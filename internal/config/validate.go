package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Validate checks what the options say together, for a server that is about to
// start. Its errors say what to do next.
func (c *Config) Validate() error {
	host, err := splitListen("listen", c.Listen)
	if err != nil {
		return err
	}
	for _, check := range []func() error{c.checkData, c.checkProxies, c.checkCluster, c.TLS.check, c.Admin.check, c.Drain.check, c.OTel.check, c.Calls.check, c.RTC.check, c.TURN.check, c.Limits.check} {
		if err := check(); err != nil {
			return err
		}
	}
	if isLoopback(host) {
		if c.Dev && len(c.BehindProxy) > 0 {
			return errors.New("--dev hands tokens to whoever asks, so it does not work behind a proxy; drop --behind-proxy, or drop --dev and make an app with: skein app create NAME")
		}
		return nil
	}
	if c.Dev {
		return fmt.Errorf("--dev hands tokens to whoever asks, so it listens on loopback only, and %s is not; use --listen 127.0.0.1:8080, or drop --dev and make an app with: skein app create NAME", c.Listen)
	}
	if !c.TLS.Enabled() && len(c.BehindProxy) == 0 {
		return fmt.Errorf(`%s can be reached from other machines, and without TLS everybody on the way reads tokens and messages. Choose one:
  --tls-cert FILE --tls-key FILE      a certificate that you have
  --tls-acme-domains chat.example.com a certificate that the server gets by itself
  --behind-proxy 10.0.0.0/8           a proxy in front that does TLS, by its address
or stay on this machine with --listen 127.0.0.1:8080`, c.Listen)
	}
	return nil
}

// OwnSFU tells whether the server has a media server of its own.
func (c *Config) OwnSFU() bool { return c.Calls.URL == "" && c.SFU != "off" }

func (c *Calls) check() error {
	if c.URL == "" {
		if c.API != "" || c.Key != "" || c.Secret != "" {
			return errors.New("calls: api, key and secret are those of the media server that calls.url names; set that, or none of them")
		}
		return nil
	}
	for name, at := range map[string]struct{ url, schemes string }{"calls.url": {c.URL, "ws wss"}, "calls.api": {c.API, "http https"}} {
		if at.url == "" { // of calls.api
			continue
		}
		u, err := url.Parse(at.url)
		if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || !slices.Contains(strings.Fields(at.schemes), u.Scheme) {
			return fmt.Errorf("%s: %q is no URL of the schemes %s with a host", name, at.url, strings.ReplaceAll(at.schemes, " ", ", "))
		}
	}
	if c.Key == "" || len(c.Secret) < 32 {
		return errors.New("calls: calls.key and calls.secret, of at least 32 characters, are those of the media server; the secret is set in the file, or as SKEIN_CALLS_SECRET")
	}
	return nil
}

func (r *RTC) check() error {
	for _, a := range r.Listen {
		if _, err := netip.ParseAddr(a); err != nil {
			return fmt.Errorf("rtc.listen: %q is no IP address", a)
		}
	}
	if len(r.Listen) == 0 {
		return errors.New("rtc.listen: name an address of this machine, or 0.0.0.0 for all; without calls, set sfu to off")
	}
	for _, u := range r.ICEServers {
		if scheme, _, _ := strings.Cut(u, ":"); !slices.Contains([]string{"stun", "stuns", "turn", "turns"}, scheme) {
			return fmt.Errorf("rtc.ice_servers: %q is not the URL of a STUN or TURN server, such as turn:turn.example.com:3478", u)
		}
	}
	for _, s := range r.STUN {
		if _, _, err := net.SplitHostPort(s); err != nil {
			return fmt.Errorf("rtc.stun: %q is no HOST:PORT", s)
		}
	}
	return nil
}

func (t *TURN) check() error {
	if (t.Cert == "") != (t.Key == "") || (t.Cert != "") != (t.Domain != "") {
		return errors.New("turn: TURN over TLS needs domain, cert and key together")
	}
	if !t.Enabled && (t.Cert != "" || t.Public || t.RelayPorts != "") {
		return errors.New("turn: set turn.enabled, or nothing is relayed")
	}
	for _, a := range t.Listen {
		if _, err := netip.ParseAddr(a); err != nil {
			return fmt.Errorf("turn.listen: %q is no IP address", a)
		}
	}
	a, b, _ := strings.Cut(t.RelayPorts, "-")
	low, err1 := strconv.ParseUint(a, 10, 16)
	high, err2 := strconv.ParseUint(b, 10, 16)
	if t.RelayPorts != "" && (err1 != nil || err2 != nil || low == 0 || high < low) {
		return fmt.Errorf("turn.relay_ports: %q is not FIRST-LAST, such as 50000-50999", t.RelayPorts)
	}
	return nil
}

// Enabled tells whether the server speaks TLS by itself.
func (t *TLS) Enabled() bool { return t.Cert != "" || len(t.ACME.Domains) > 0 }

// splitListen returns the host of an address to listen on.
func splitListen(name, listen string) (host string, err error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", fmt.Errorf("%s: %q is no address with a port; write it as 127.0.0.1:8080, [::1]:8080 or :8080", name, listen)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
		return "", fmt.Errorf("%s: the port %q is no number from 0 to 65535", name, port)
	}
	return host, nil
}

// isLoopback tells whether only this machine can reach a host. A name other
// than localhost is looked up nowhere: it counts as reachable.
func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

func (c *Config) checkData() error {
	if c.Data == "" {
		return errors.New("data: the server needs a folder for its data, such as ./data")
	}
	if info, err := os.Stat(c.Data); err == nil && !info.IsDir() {
		return fmt.Errorf("data: %s is a file and no folder", c.Data)
	}
	if c.DB != "" && !strings.HasPrefix(c.DB, "postgres://") && !strings.HasPrefix(c.DB, "postgresql://") {
		// The value is not shown: it may hold a password.
		return errors.New("db: expected a URL that begins with postgres://; leave it empty for SQLite in the data folder")
	}
	return nil
}

func (c *Config) checkProxies() error {
	for _, s := range c.BehindProxy {
		bits := -1
		if p, err := netip.ParsePrefix(s); err == nil {
			bits = p.Bits()
		} else if _, err := netip.ParseAddr(s); err != nil {
			return fmt.Errorf("behind_proxy: %q is no address or network; write it as 10.0.0.7 or 10.0.0.0/8", s)
		}
		if bits == 0 {
			return fmt.Errorf("behind_proxy: %s is everybody, so that every client could claim any address; name the proxy's own", s)
		}
	}
	return nil
}

func (t *TLS) check() error {
	switch {
	case (t.Cert == "") != (t.Key == ""):
		return errors.New("tls: cert and key belong together; set both")
	case t.Cert != "" && len(t.ACME.Domains) > 0:
		return errors.New("tls: set either cert and key, or acme.domains; not both")
	case len(t.ACME.Domains) == 0 && (t.ACME.Email != "" || t.ACME.Cache != "" || t.ACME.Directory != "" || t.ACME.HTTP != ""):
		return errors.New("tls.acme: set domains, or nothing of it works")
	}
	for _, d := range t.ACME.Domains {
		if !isDomain(d) {
			return fmt.Errorf("tls.acme.domains: %q is no host name; write it as chat.example.com, without wildcards", d)
		}
	}
	if e := t.ACME.Email; e != "" && (!strings.Contains(e, "@") || strings.ContainsAny(e, " ,:<>")) {
		return fmt.Errorf("tls.acme.email: %q is no email address", e)
	}
	if d := t.ACME.Directory; d != "" {
		u, err := url.Parse(d)
		if err != nil || u.Host == "" || u.Scheme != "https" && !(u.Scheme == "http" && isLoopback(u.Hostname())) {
			return fmt.Errorf("tls.acme.directory: %q is no https URL", d)
		}
	}
	if t.ACME.HTTP != "" {
		if _, err := splitListen("tls.acme.http", t.ACME.HTTP); err != nil {
			return err
		}
	}
	return nil
}

func (a *Admin) check() error {
	if a.Listen == "" {
		return nil
	}
	host, err := splitListen("admin.listen", a.Listen)
	if err != nil {
		return err
	}
	if !isLoopback(host) && !a.AllowRemote {
		return fmt.Errorf("admin.listen: %s can be reached from other machines, and it asks nobody who they are; use 127.0.0.1:9090, or set admin.allow_remote when only your own programs can reach it", a.Listen)
	}
	return nil
}

func (d *Drain) check() error {
	if d.Delay+d.Spread >= d.Timeout {
		return fmt.Errorf("drain: delay and spread take %s together, which leaves nothing of the timeout of %s; raise drain.timeout", d.Delay+d.Spread, d.Timeout)
	}
	return nil
}

func (o *OTel) check() error {
	if o.Endpoint == "" {
		return nil
	}
	u, err := url.Parse(o.Endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return errors.New("otel.endpoint: expected the URL of a collector, such as http://127.0.0.1:4318")
	}
	return nil
}

// isDomain accepts names that a certificate can be had for.
func isDomain(s string) bool {
	if len(s) > 253 || !strings.Contains(s, ".") {
		return false
	}
	if _, err := netip.ParseAddr(s); err == nil {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range label {
			if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-') {
				return false
			}
		}
	}
	return true
}

func (l *Limits) check() error {
	for _, pair := range []struct {
		small, large string
		ok           bool
	}{
		{"text_bytes", "body_bytes", l.TextBytes <= l.BodyBytes},
		{"body_bytes", "packet_bytes", l.BodyBytes <= l.PacketBytes-1024},
		{"hello_bytes", "packet_bytes", l.HelloBytes <= l.PacketBytes},
	} {
		if !pair.ok {
			return fmt.Errorf("limits: %s does not fit into %s; raise the second or lower the first", pair.small, pair.large)
		}
	}
	return nil
}
