package local

import (
	"testing"

	"github.com/skein-im/skein/internal/blob"
	"github.com/skein-im/skein/internal/blob/blobtest"
	"github.com/skein-im/skein/internal/im"
)

func TestContract(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) blobtest.Place {
		dir := t.TempDir()
		return func(t *testing.T) blob.Store {
			s, err := Open(dir, im.SystemEntropy())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
			return s
		}
	})
}
