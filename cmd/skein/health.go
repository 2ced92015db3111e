package main

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/skein-im/skein/internal/config"
)

const healthHelp = `skein health asks the server of this machine whether it can take a message, and
ends with 0 if so, else with 1 and the reason: for containers without a shell,
and for scripts. It finds the server by the same options, variables and file as
the server itself. Options:
`

// healthCommand asks the health URL of the node that has these options.
func healthCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("health", flag.ContinueOnError)
	url := flags.String("url", "", "Ask this URL instead of the one that follows from the options.")
	timeout := flags.Duration("timeout", 5*time.Second, "How long the answer may take.")
	src := config.Source{Args: args, Environ: os.Environ(), Extra: flags, Only: []string{"listen", "tls.cert"}}
	cfg, operands, err := readOptions(config.Read, src, healthHelp, stdout)
	switch {
	case err != nil || cfg == nil:
		return err
	case len(operands) > 0:
		return fmt.Errorf("health takes options only, not %q", operands[0])
	}
	if *url == "" {
		if *url, err = healthURL(cfg); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, *timeout)
	defer cancel()
	return askHealth(ctx, *url, stdout)
}

// healthURL is where a server with these options tells its state.
func healthURL(cfg *config.Config) (string, error) {
	host, port, err := net.SplitHostPort(cfg.Listen)
	if err != nil {
		return "", fmt.Errorf("listen: %w", err)
	}
	if a, err := netip.ParseAddr(host); host == "" || err == nil && a.IsUnspecified() {
		host = "127.0.0.1" // every address is also this one
		if a.Is6() {
			host = "::1"
		}
	}
	scheme := "http"
	if cfg.TLS.Enabled() {
		scheme = "https"
	}
	return scheme + "://" + net.JoinHostPort(host, port) + "/healthz", nil
}

// askHealth asks once. The certificate is not checked: it is made for the name
// that clients use, this asks by address, and all that comes back is a state.
func askHealth(ctx context.Context, url string, stdout io.Writer) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} //nolint:gosec // see above
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 4<<10))
	if err != nil {
		return err
	}
	text := strings.TrimSpace(string(body))
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s: %s", url, res.Status, text)
	}
	_, err = fmt.Fprintln(stdout, text)
	return err
}
