package tlsserve

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// ca issues certificates for tests.
type ca struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	pool *x509.CertPool
	last int64
}

func newCA(t *testing.T) *ca {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	c := &ca{key: key, cert: cert, pool: x509.NewCertPool(), last: 1}
	c.pool.AddCert(cert)
	return c
}

// issue signs a certificate for a key.
func (c *ca) issue(pub crypto.PublicKey, until time.Time, names ...string) ([]byte, error) {
	c.last++
	return x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(c.last), DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: until, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}, c.cert, pub, c.key)
}

// acmeServer is a small ACME server (RFC 8555): it checks every request's
// signature, nonce and URL, proves a name by the challenge of its kind, and
// issues from its CA.
type acmeServer struct {
	t    *testing.T
	ca   *ca
	http *httptest.Server
	kind string // the one kind of challenge that it offers
	// tlsAddr and httpAddr are where every name is found, for the challenges.
	tlsAddr, httpAddr string

	mu       sync.Mutex // guards the rest
	nonces   map[string]bool
	accounts []*ecdsa.PublicKey
	names    []string // of the one order
	valid    bool     // the challenge was met
	chain    []byte
	requests int // that were accepted
	issued   int
}

func newACMEServer(t *testing.T, kind string) *acmeServer {
	s := &acmeServer{t: t, ca: newCA(t), kind: kind, nonces: map[string]bool{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /directory", s.directory)
	mux.HandleFunc("HEAD /nonce", func(w http.ResponseWriter, _ *http.Request) { s.nonce(w) })
	for path, h := range map[string]func(http.ResponseWriter, []byte, string) error{
		"/account": s.account, "/order": s.order, "/order/1": s.showOrder, "/authz/1": s.authz, "/challenge/1": s.challenge,
		"/finalize/1": s.finalize, "/cert/1": s.certificate,
	} {
		mux.HandleFunc("POST "+path, s.signed(h))
	}
	s.http = httptest.NewTLSServer(mux)
	t.Cleanup(s.http.Close)
	return s
}

func (s *acmeServer) url(path string) string { return s.http.URL + path }

func (s *acmeServer) directory(w http.ResponseWriter, _ *http.Request) {
	answer(w, 200, map[string]any{"newNonce": s.url("/nonce"), "newAccount": s.url("/account"), "newOrder": s.url("/order"),
		"revokeCert": s.url("/revoke"), "keyChange": s.url("/key")})
}

func (s *acmeServer) nonce(w http.ResponseWriter) {
	n := rand.Text()
	s.mu.Lock()
	s.nonces[n] = true
	s.mu.Unlock()
	w.Header().Set("Replay-Nonce", n)
	w.Header().Set("Cache-Control", "no-store")
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

// signed checks a request's JWS (RFC 8555 §6.2) before a handler gets the
// payload and the account's thumbprint.
func (s *acmeServer) signed(h func(w http.ResponseWriter, payload []byte, thumb string) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var payload []byte
		var thumb string
		if err == nil {
			payload, thumb, err = s.verify(body, s.url(r.URL.Path))
		}
		s.nonce(w)
		s.mu.Lock()
		defer s.mu.Unlock()
		if err == nil {
			s.requests++
			err = h(w, payload, thumb)
		}
		if err != nil {
			s.t.Logf("the ACME server refuses %s: %v", r.URL.Path, err)
			answer(w, 400, map[string]any{"type": "urn:ietf:params:acme:error:malformed", "detail": err.Error()})
		}
	}
}

type jwk struct{ Crv, Kty, X, Y string }

func (s *acmeServer) verify(body []byte, url string) (payload []byte, thumb string, err error) {
	var jws struct{ Protected, Payload, Signature string }
	var head struct {
		Alg, Nonce, URL, Kid string
		JWK                  *jwk
	}
	if err := json.Unmarshal(body, &jws); err != nil {
		return nil, "", err
	}
	if err := json.Unmarshal(unb64(jws.Protected), &head); err != nil {
		return nil, "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.nonces[head.Nonce] {
		return nil, "", errors.New("bad nonce")
	}
	delete(s.nonces, head.Nonce)
	if head.URL != url || head.Alg != "ES256" {
		return nil, "", fmt.Errorf("signed for %s with %s", head.URL, head.Alg)
	}
	var key *ecdsa.PublicKey
	if head.JWK != nil {
		raw := append([]byte{4}, append(unb64(head.JWK.X), unb64(head.JWK.Y)...)...)
		if key, err = ecdsa.ParseUncompressedPublicKey(elliptic.P256(), raw); err != nil {
			return nil, "", err
		}
		if strings.HasSuffix(url, "/account") {
			s.accounts = []*ecdsa.PublicKey{key}
		}
	} else if head.Kid == s.url("/account/1") && len(s.accounts) == 1 {
		key = s.accounts[0]
	} else {
		return nil, "", errors.New("unknown account")
	}
	sum := sha256.Sum256([]byte(jws.Protected + "." + jws.Payload))
	sig := unb64(jws.Signature)
	if len(sig) != 64 || !ecdsa.Verify(key, sum[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])) {
		return nil, "", errors.New("bad signature")
	}
	return unb64(jws.Payload), thumbprint(key), nil
}

// thumbprint is RFC 7638's.
func thumbprint(k *ecdsa.PublicKey) string {
	raw, err := k.Bytes()
	if err != nil {
		return ""
	}
	x, y := base64.RawURLEncoding.EncodeToString(raw[1:33]), base64.RawURLEncoding.EncodeToString(raw[33:])
	sum := sha256.Sum256([]byte(`{"crv":"P-256","kty":"EC","x":"` + x + `","y":"` + y + `"}`))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func unb64(s string) []byte {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return nil
	}
	return b
}

func (s *acmeServer) account(w http.ResponseWriter, payload []byte, _ string) error {
	var p struct{ TermsOfServiceAgreed bool }
	if err := json.Unmarshal(payload, &p); err != nil {
		return err
	}
	w.Header().Set("Location", s.url("/account/1"))
	answer(w, 201, map[string]any{"status": "valid"})
	return nil
}

func (s *acmeServer) order(w http.ResponseWriter, payload []byte, _ string) error {
	var p struct {
		Identifiers []struct{ Type, Value string }
	}
	if err := json.Unmarshal(payload, &p); err != nil {
		return err
	}
	s.names, s.valid, s.chain = nil, false, nil
	for _, id := range p.Identifiers {
		s.names = append(s.names, id.Value)
	}
	w.Header().Set("Location", s.url("/order/1"))
	w.WriteHeader(201)
	return s.writeOrder(w)
}

func (s *acmeServer) showOrder(w http.ResponseWriter, _ []byte, _ string) error {
	return s.writeOrder(w)
}

func (s *acmeServer) writeOrder(w http.ResponseWriter) error {
	o := map[string]any{"status": "pending", "identifiers": []any{map[string]string{"type": "dns", "value": s.names[0]}},
		"authorizations": []string{s.url("/authz/1")}, "finalize": s.url("/finalize/1")}
	if s.valid {
		o["status"] = "ready"
	}
	if s.chain != nil {
		o["status"], o["certificate"] = "valid", s.url("/cert/1")
	}
	return json.NewEncoder(w).Encode(o)
}

const challengeToken = "a-token-of-the-ACME-server"

func (s *acmeServer) challengeNow() map[string]any {
	c := map[string]any{"type": s.kind, "url": s.url("/challenge/1"), "token": challengeToken, "status": "pending"}
	if s.valid {
		c["status"] = "valid"
	}
	return c
}

func (s *acmeServer) authz(w http.ResponseWriter, _ []byte, _ string) error {
	a := map[string]any{"status": "pending", "identifier": map[string]string{"type": "dns", "value": s.names[0]}, "challenges": []any{s.challengeNow()}}
	if s.valid {
		a["status"] = "valid"
	}
	answer(w, 200, a)
	return nil
}

func (s *acmeServer) challenge(w http.ResponseWriter, payload []byte, thumb string) error {
	if string(payload) != "{}" {
		return nil // a look at the challenge
	}
	name, auth := s.names[0], challengeToken+"."+thumb
	prove := s.proveTLS
	if s.kind == "http-01" {
		prove = s.proveHTTP
	}
	s.mu.Unlock() // the proof asks the client, who may ask us
	err := prove(name, auth)
	s.mu.Lock()
	if err != nil {
		return fmt.Errorf("the challenge failed: %w", err)
	}
	s.valid = true
	answer(w, 200, s.challengeNow())
	return nil
}

func (s *acmeServer) proveHTTP(name, auth string) error {
	req, err := http.NewRequestWithContext(context.Background(), "GET", "http://"+s.httpAddr+"/.well-known/acme-challenge/"+challengeToken, nil)
	if err != nil {
		return err
	}
	req.Host = name
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || string(b) != auth {
		return fmt.Errorf("status %d, %q, %w", resp.StatusCode, b, err)
	}
	return nil
}

// proveTLS is RFC 8737 §3.
func (s *acmeServer) proveTLS(name, auth string) error {
	c, err := tls.Dial("tcp", s.tlsAddr, &tls.Config{ServerName: name, NextProtos: []string{"acme-tls/1"}, InsecureSkipVerify: true})
	if err != nil {
		return err
	}
	defer c.Close()
	state := c.ConnectionState()
	cert := state.PeerCertificates[0]
	if state.NegotiatedProtocol != "acme-tls/1" || len(cert.DNSNames) != 1 || cert.DNSNames[0] != name {
		return fmt.Errorf("protocol %q, names %q", state.NegotiatedProtocol, cert.DNSNames)
	}
	sum := sha256.Sum256([]byte(auth))
	for _, e := range cert.Extensions {
		if e.Id.Equal(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 31}) {
			var got []byte
			if _, err := asn1.Unmarshal(e.Value, &got); err == nil && e.Critical && string(got) == string(sum[:]) {
				return nil
			}
		}
	}
	return errors.New("the certificate does not carry the proof")
}

func (s *acmeServer) finalize(w http.ResponseWriter, payload []byte, _ string) error {
	var p struct{ CSR string }
	if err := json.Unmarshal(payload, &p); err != nil {
		return err
	}
	csr, err := x509.ParseCertificateRequest(unb64(p.CSR))
	if err != nil {
		return err
	}
	if err := csr.CheckSignature(); err != nil {
		return err
	}
	if !s.valid || len(csr.DNSNames) != 1 || csr.DNSNames[0] != s.names[0] {
		return fmt.Errorf("asked for %q, proven %v for %q", csr.DNSNames, s.valid, s.names)
	}
	der, err := s.ca.issue(csr.PublicKey, time.Now().Add(90*24*time.Hour), csr.DNSNames...)
	if err != nil {
		return err
	}
	s.issued++
	s.chain = append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.ca.cert.Raw})...)
	w.Header().Set("Location", s.url("/order/1"))
	return s.writeOrder(w)
}

func (s *acmeServer) certificate(w http.ResponseWriter, _ []byte, _ string) error {
	w.Header().Set("Content-Type", "application/pem-certificate-chain")
	_, err := w.Write(s.chain)
	return err
}
