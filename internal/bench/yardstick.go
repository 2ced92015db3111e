package bench

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// EchoResult is the yardstick: what this machine does, at this moment, when
// a server only reads and writes back. The same number of sockets, messages
// of about the same size, nothing decoded, nothing stored.
type EchoResult struct {
	PerS float64 `json:"yardstick_echo_per_s"`
	CPU  float64 `json:"yardstick_echo_server_cpu_us"`
}

// echoBytes is about what a message of the load takes on the wire.
const echoBytes = 176

// echoTime is long enough for a figure that does not jump.
const echoTime = 2 * time.Second

// ServeEcho echoes until ctx ends; it prints its address first.
func ServeEcho(ctx context.Context, stdout io.Writer) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintln(stdout, ln.Addr())
	stop := context.AfterFunc(ctx, func() { ln.Close() })
	defer stop()
	for {
		c, err := ln.Accept()
		if err != nil {
			return nil
		}
		go func() { // ends with the connection
			defer c.Close()
			buf := make([]byte, 4096)
			for {
				n, err := c.Read(buf)
				if err != nil {
					return
				}
				if _, err := c.Write(buf[:n]); err != nil {
					return
				}
			}
		}()
	}
}

// Echo keeps window messages in flight on each of n sockets.
func Echo(ctx context.Context, addr string, pid, n, window int) (EchoResult, error) {
	var count atomic.Int64
	conns := make([]net.Conn, 0, n)
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	for range n {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		if err != nil {
			return EchoResult{}, err
		}
		conns = append(conns, c)
	}
	cpu, start := cpuOf(pid), time.Now()
	var wg sync.WaitGroup
	for _, c := range conns {
		wg.Add(1)
		go func() {
			defer wg.Done()
			buf := make([]byte, max(window*echoBytes, 4096))
			if _, err := c.Write(buf[:window*echoBytes]); err != nil {
				return
			}
			rest := 0
			for {
				m, err := c.Read(buf)
				if err != nil {
					return
				}
				whole := (rest + m) / echoBytes
				rest = (rest + m) % echoBytes
				count.Add(int64(whole))
				if whole > 0 && time.Since(start) < echoTime {
					if _, err := c.Write(buf[:whole*echoBytes]); err != nil {
						return
					}
				}
			}
		}()
	}
	select {
	case <-ctx.Done():
	case <-time.After(echoTime):
	}
	done, elapsed, used := count.Load(), time.Since(start), cpuOf(pid)-cpu
	for _, c := range conns {
		c.Close()
	}
	wg.Wait()
	if done == 0 {
		return EchoResult{}, fmt.Errorf("the echo yardstick echoed nothing")
	}
	return EchoResult{float64(done) / elapsed.Seconds(), float64(used.Microseconds()) / float64(done)}, nil
}

// SelfSigned writes a certificate for 127.0.0.1 and its key into a folder.
func SelfSigned(dir string) (certFile, keyFile string, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", err
	}
	t := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "skein bench"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(24 * time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	cert, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return "", "", err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", "", err
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	if err := os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), 0o600); err != nil {
		return "", "", err
	}
	return certFile, keyFile, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
}

// TrustAll is for the certificate that SelfSigned has just made on this machine.
func TrustAll() *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(0)}
}
