package tlsserve

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/skein-im/skein/internal/im"
)

// Files is a certificate from two files.
type Files struct {
	cert, key string
	clock     im.Clock
	log       *slog.Logger

	mu     sync.RWMutex // guards the rest
	pair   *tls.Certificate
	loaded [2]stamp // of the files, when they were read last
}

// stamp tells one version of a file from another. Tools that replace a file
// give it another inode, others another time or size.
type stamp struct {
	mod  time.Time
	size int64
	info os.FileInfo // for os.SameFile
}

// same tells whether nothing has changed.
func (s stamp) same(o stamp) bool {
	return s.mod.Equal(o.mod) && s.size == o.size && (s.info == nil) == (o.info == nil) && (s.info == nil || os.SameFile(s.info, o.info))
}

// NewFiles reads a certificate.
func NewFiles(cert, key string, clock im.Clock, log *slog.Logger) (*Files, error) {
	f := &Files{cert: cert, key: key, clock: clock, log: log}
	if err := f.Reload(); err != nil {
		return nil, err
	}
	if f.expired(f.pair) {
		log.Error("the certificate has expired: clients will refuse it", "cert", cert, "until", f.pair.Leaf.NotAfter)
	}
	return f, nil
}

// GetCertificate is for tls.Config.
func (f *Files) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.pair, nil
}

// Reload reads the files. On an error the certificate that was in use stays,
// also when the new one has expired and the old one has not.
func (f *Files) Reload() error {
	// The stamps come first: a change while the files are read is seen again.
	stamps := [2]stamp{stampOf(f.cert), stampOf(f.key)}
	pair, err := tls.LoadX509KeyPair(f.cert, f.key)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.loaded = stamps
	if err != nil {
		return fmt.Errorf("read the certificate %s and its key %s: %w", f.cert, f.key, err)
	}
	if f.pair != nil && f.expired(&pair) && !f.expired(f.pair) {
		return fmt.Errorf("the certificate in %s expired on %s", f.cert, pair.Leaf.NotAfter.Format(time.DateOnly))
	}
	f.pair = &pair
	return nil
}

// expired tells whether clients refuse a certificate by its date.
func (f *Files) expired(c *tls.Certificate) bool { return f.clock.Now().After(c.Leaf.NotAfter) }

// poll reads the files if they have changed since. A pair that is just being
// replaced, first one file and then the other, fails once and is then read.
func (f *Files) poll() {
	f.mu.RLock()
	loaded := f.loaded
	f.mu.RUnlock()
	if loaded[0].same(stampOf(f.cert)) && loaded[1].same(stampOf(f.key)) {
		return
	}
	if err := f.Reload(); err != nil {
		f.log.Error("the new certificate is not used", "err", err)
		return
	}
	f.log.Info("the certificate was read again", "cert", f.cert)
}

func stampOf(path string) stamp {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}
	}
	return stamp{mod: info.ModTime(), size: info.Size(), info: info}
}
