package auth

import (
	"context"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
)

// ParseOrigin checks a web origin and returns it as browsers write it in the
// Origin header: lower-case scheme://host, and the port unless it is the
// scheme's own. Hosts of other alphabets have to come in their ASCII form.
// Errors: InvalidArgument.
func ParseOrigin(s string) (string, error) {
	bad := func(why string) (string, error) {
		return "", &im.Error{Code: im.InvalidArgument, Message: "not a web origin: " + why,
			Hint: "write it as browsers send it, for example https://chat.example.com"}
	}
	if len(s) > 256 {
		return bad("it is longer than 256 bytes")
	}
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return bad("it has a character that is not printable ASCII")
		}
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Opaque != "" {
		return bad("it has to begin with http:// or https://")
	}
	if u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || strings.ContainsAny(s, "?#") {
		return bad("nothing may follow the host and port")
	}
	host := strings.ToLower(u.Hostname())
	if !validHost(host) {
		return bad("its host is none")
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	port := u.Port()
	if strings.HasSuffix(u.Host, ":") {
		return bad("its port is missing")
	}
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
			return bad("its port is none")
		}
		if u.Scheme == "http" && n == 80 || u.Scheme == "https" && n == 443 {
			port = ""
		} else {
			port = ":" + port
		}
	}
	return u.Scheme + "://" + host + port, nil
}

// validHost accepts names of letters, digits, '-', '_' and '.', and IPv6
// addresses; '*' is no host: origins are compared whole.
func validHost(h string) bool {
	if strings.Contains(h, ":") {
		a, err := netip.ParseAddr(h)
		return err == nil && a.Zone() == "" && a.String() == h
	}
	for i := 0; i < len(h); i++ {
		c := h[i]
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.') {
			return false
		}
	}
	return h != "" && h[0] != '.' && !strings.Contains(h, "..")
}

// SameOrigin tells whether an Origin header names the server itself, as the
// client reached it: scheme "http" or "https" and the request's Host.
func SameOrigin(origin, scheme, host string) bool {
	a, err := ParseOrigin(origin)
	if err != nil {
		return false
	}
	b, err := ParseOrigin(scheme + "://" + host)
	return err == nil && a == b
}

// AllowsOrigin tells whether pages of an origin may speak for an app: the
// origin stands in the app's list or in Options.AllowedOrigins, to the letter.
// The server's own origin is the caller's to allow (SameOrigin). A request
// without an Origin header comes from no page and need not be asked about.
func (a *Auth) AllowsOrigin(ctx context.Context, app im.AppID, origin string) (bool, error) {
	return a.askOrigin(ctx, originKey{app, origin}, "SELECT COUNT(*) FROM app_origin WHERE origin = $1 AND app = $2")
}

// KnowsOrigin tells whether any app allows an origin: for the answer to a
// browser's preflight, which does not say the app yet.
func (a *Auth) KnowsOrigin(ctx context.Context, origin string) (bool, error) {
	return a.askOrigin(ctx, originKey{"", origin}, "SELECT COUNT(*) FROM app_origin WHERE origin = $1")
}

func (a *Auth) askOrigin(ctx context.Context, key originKey, query string) (bool, error) {
	if o, err := ParseOrigin(key.origin); err != nil || o != key.origin {
		return false, nil //nolint:nilerr // browsers send it in just this form, so nobody allows another
	}
	if slices.Contains(a.origins, key.origin) {
		return true, nil
	}
	if allowed, found := a.known.origin(key); found {
		return allowed, nil
	}
	args := []any{key.origin}
	if key.app != "" {
		args = append(args, key.app)
	}
	var n, head int64
	err := a.db.Read(ctx, func(tx db.Tx) (err error) {
		if head, err = fenceHead(tx); err != nil {
			return err
		}
		return tx.QueryRow(query, args...).Scan(&n)
	})
	if err != nil {
		return false, err
	}
	a.known.keepOrigin(key, n > 0, head)
	return n > 0, nil
}
