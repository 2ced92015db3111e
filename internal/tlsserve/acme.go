package tlsserve

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
)

// alpnACME is the protocol under which a tls-alpn-01 challenge arrives (RFC 8737).
const alpnACME = acme.ALPNProto

// ACME gets certificates for some host names by itself, when the first
// handshake for a name arrives, and renews them 30 days before they end. The
// ACME server proves the names by tls-alpn-01 on the listener itself, or by
// http-01 on HTTP.
type ACME struct {
	// Domains are the names, in lower case. A handshake for another one fails.
	Domains []string
	// HTTP is the address of the listener for plain HTTP; empty = none.
	HTTP    string
	manager *autocert.Manager
}

// ACMEOptions of NewACME. Domains and Cache are needed.
type ACMEOptions struct {
	Domains []string
	Email   string // where the ACME server writes; can be empty
	// Cache is the folder of keys and certificates; it is made with mode 0700.
	// Without one that lasts, an ACME server's limits are soon used up.
	Cache string
	// Directory is the URL of the ACME server; empty = Let's Encrypt.
	Directory string
	HTTP      string // see ACME
	// Client speaks to the ACME server; nil = http.DefaultClient.
	Client *http.Client
}

// NewACME makes the cache's folder; it asks for nothing yet.
func NewACME(o ACMEOptions) (*ACME, error) {
	if len(o.Domains) == 0 || o.Cache == "" {
		return nil, errors.New("ACME needs domains and a cache folder")
	}
	if err := os.MkdirAll(o.Cache, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of certificates: %w", err)
	}
	domains := make([]string, len(o.Domains))
	for i, d := range o.Domains {
		domains[i] = strings.ToLower(d)
	}
	return &ACME{Domains: domains, HTTP: o.HTTP, manager: &autocert.Manager{
		Prompt: autocert.AcceptTOS, Cache: autocert.DirCache(o.Cache), HostPolicy: autocert.HostWhitelist(domains...), Email: o.Email,
		Client: &acme.Client{DirectoryURL: o.Directory, HTTPClient: o.Client, UserAgent: "skein"},
	}}, nil
}

// GetCertificate is for tls.Config, where it needs acme-tls/1 in NextProtos.
func (a *ACME) GetCertificate(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return a.manager.GetCertificate(h)
}
