package sealed_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/skein-im/skein/internal/blob"
	"github.com/skein-im/skein/internal/blob/blobtest"
	"github.com/skein-im/skein/internal/blob/local"
	"github.com/skein-im/skein/internal/blob/remote"
	"github.com/skein-im/skein/internal/blob/s3"
	"github.com/skein-im/skein/internal/blob/sealed"
	"github.com/skein-im/skein/internal/cloudtest"
	"github.com/skein-im/skein/internal/im"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func folder(t testing.TB, dir string) blob.Store {
	s, err := local.Open(dir, im.SystemEntropy())
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

func seal(t testing.TB, in blob.Store, seed uint64) *sealed.Store {
	s, err := sealed.New(in, blobtest.Bytes(seed, sealed.KeyBytes))
	must(t, err)
	return s
}

func TestASealedFolderKeepsTheContract(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) blobtest.Place {
		dir := t.TempDir()
		return func(t *testing.T) blob.Store { return seal(t, folder(t, dir), 1) }
	})
}

func TestASealedBucketKeepsTheContract(t *testing.T) {
	server := cloudtest.S3(t)
	c, err := minio.New(strings.TrimPrefix(server.URL, "http://"), &minio.Options{Creds: credentials.NewStaticV4(cloudtest.S3Key, cloudtest.S3Secret, "")})
	must(t, err)
	places := 0
	blobtest.Run(t, func(t *testing.T) blobtest.Place {
		places++
		bucket := fmt.Sprint("bucket-", places)
		must(t, c.MakeBucket(t.Context(), bucket, minio.MakeBucketOptions{}))
		return func(t *testing.T) blob.Store {
			o, err := s3.New(s3.Options{Endpoint: server.URL, Region: "us-east-1", Bucket: bucket, AccessKey: cloudtest.S3Key, Secret: cloudtest.S3Secret})
			must(t, err)
			return seal(t, remote.New(o, "skein/", t.TempDir(), im.SystemEntropy()), 1)
		}
	})
}

// What lies in the folder is as long as what was stored and nothing of it, of
// what is on its way too; two objects of the same bytes have none in common.
func TestNothingThatIsStoredCanBeReadAtItsPlace(t *testing.T) {
	dir := t.TempDir()
	s := seal(t, folder(t, dir), 1)
	plain := bytes.Repeat([]byte("the same secret words "), 5000)
	must(t, s.Put(t.Context(), "a", plain))
	must(t, s.Put(t.Context(), "b", plain))
	u := blob.Upload{Key: "c", Size: int64(len(plain))}
	var err error
	u.ID, err = s.Create(t.Context(), u.Key, u.Size)
	must(t, err)
	must(t, s.Append(t.Context(), u, bytes.NewReader(plain[:50_001]), func(at int64) error { u.At = at; return nil }))
	var found [][]byte
	must(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		found = append(found, b)
		return err
	}))
	if len(found) != 3 {
		t.Fatalf("%d files", len(found))
	}
	for i, b := range found {
		if len(b) != len(plain) && len(b) != 50_001 {
			t.Errorf("a file of %d bytes", len(b))
		}
		for at := 0; at+8 <= len(b); at++ {
			if bytes.Contains(plain[:100], b[at:at+8]) {
				t.Fatalf("file %d says %q", i, b[at:at+8])
			}
		}
		for k := range i {
			if bytes.Equal(found[k][:16], b[:16]) {
				t.Error("two objects are encrypted alike")
			}
		}
	}
	// Another key reads other bytes: that is found out by whoever knows the hash.
	r, err := seal(t, folder(t, dir), 2).Get(t.Context(), "a", 0, 100)
	must(t, err)
	defer r.Close()
	other := make([]byte, 100)
	if _, err := r.Read(other); err != nil || bytes.Equal(other, plain[:100]) {
		t.Errorf("another key reads the same: %v", err)
	}
	if _, err := sealed.New(folder(t, dir), make([]byte, 16)); err == nil {
		t.Error("a key of 16 bytes was taken")
	}
}
