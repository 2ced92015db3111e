package auth

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/skein-im/skein/internal/im"
)

// keyBytes is the size of a master key: AES-256.
const keyBytes = 32

// MasterKey seals the apps' secrets in the database. Losing it makes every
// secret unreadable, so that all apps have to be given new ones; whoever has it
// and the database can sign tokens for every app.
type MasterKey struct {
	// ID is stored beside what the key sealed, so that a wrong key is told
	// from a damaged row. It says nothing about the key.
	ID  string
	key [keyBytes]byte
}

// ParseMasterKey reads a key as it stands in a key file or in SKEIN_SECRET_KEY:
// 32 bytes in base64 (standard or URL alphabet, padded or not) or in 64 hex digits.
func ParseMasterKey(s string) (MasterKey, error) {
	s = strings.TrimSpace(s)
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != keyBytes {
		plain := strings.NewReplacer("+", "-", "/", "_", "=", "").Replace(s)
		b, err = base64.RawURLEncoding.DecodeString(plain)
	}
	if err != nil || len(b) != keyBytes {
		return MasterKey{}, errors.New("the secret key is not 32 bytes in base64 or hex; make one with: openssl rand -base64 32")
	}
	return newMasterKey(b), nil
}

// newMasterKey names a key.
func newMasterKey(b []byte) MasterKey {
	k := MasterKey{}
	copy(k.key[:], b)
	sum := sha256.Sum256(append([]byte("skein master key id\x00"), b...))
	k.ID = hex.EncodeToString(sum[:8])
	return k
}

// LoadMasterKey returns the key in a file, and makes file and key when there is
// none. The file has mode 0600; one that others may read is refused. Two
// processes that make it at once end up with the same key.
func LoadMasterKey(path string, e im.Entropy) (MasterKey, error) {
	k, err := readMasterKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return k, err
	}
	b := make([]byte, keyBytes)
	if _, err := io.ReadFull(e, b); err != nil {
		return MasterKey{}, fmt.Errorf("make a secret key: %w", err)
	}
	if err := writeNew(path, base64.StdEncoding.EncodeToString(b)+"\n"); err != nil && !errors.Is(err, fs.ErrExist) {
		return MasterKey{}, fmt.Errorf("store the secret key: %w", err)
	}
	return readMasterKey(path) // another process may have been first
}

// readMasterKey reads a key file.
func readMasterKey(path string) (MasterKey, error) {
	info, err := os.Stat(path)
	if err != nil {
		return MasterKey{}, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return MasterKey{}, fmt.Errorf("%s can be read by other users of this machine; run: chmod 600 %s", path, path)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return MasterKey{}, err
	}
	k, err := ParseMasterKey(string(b))
	if err != nil {
		return MasterKey{}, fmt.Errorf("%s: %w", path, err)
	}
	return k, nil
}

// writeNew makes a file that appears whole or not at all, also after a power
// cut, and never replaces one (fs.ErrExist).
func writeNew(path, content string) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Seal encrypts a secret. about ties it to its row: sealed bytes copied into
// another row do not open.
func (k MasterKey) Seal(secret []byte, about string, e im.Entropy) ([]byte, error) {
	gcm, err := k.gcm()
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, gcm.NonceSize())
	if _, err := io.ReadFull(e, nonce); err != nil {
		return nil, err
	}
	return gcm.Seal(nonce, nonce, secret, []byte(about)), nil
}

// Open decrypts what Seal made for the same row.
func (k MasterKey) Open(sealed []byte, about string) ([]byte, error) {
	gcm, err := k.gcm()
	if err != nil {
		return nil, err
	}
	if len(sealed) < gcm.NonceSize() {
		return nil, errors.New("a sealed secret is too short")
	}
	return gcm.Open(nil, sealed[:gcm.NonceSize()], sealed[gcm.NonceSize():], []byte(about))
}

func (k MasterKey) gcm() (cipher.AEAD, error) {
	block, err := aes.NewCipher(k.key[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// Derive returns 32 bytes that only holders of the master key can make, for
// another purpose than sealing secrets; purposes do not know each other's keys.
func (k MasterKey) Derive(purpose string) ([]byte, error) {
	return hkdf.Key(sha256.New, k.key[:], nil, "skein "+purpose, 32)
}

// String keeps the key out of logs.
func (k MasterKey) String() string { return "master key " + k.ID }

// GoString keeps the key out of logs.
func (k MasterKey) GoString() string { return k.String() }
