package azure

import (
	"fmt"
	"testing"

	"github.com/skein-im/skein/internal/blob"
	"github.com/skein-im/skein/internal/blob/blobtest"
	"github.com/skein-im/skein/internal/blob/remote"
	"github.com/skein-im/skein/internal/cloudtest"
	"github.com/skein-im/skein/internal/im"
)

func TestContract(t *testing.T) {
	server := cloudtest.Azure(t)
	places := 0
	blobtest.Run(t, func(t *testing.T) blobtest.Place {
		places++
		container := fmt.Sprint("container-", places)
		open := func(t *testing.T) *objects {
			o, err := New(Options{Account: cloudtest.AzureAccount, Endpoint: server.URL + "/" + cloudtest.AzureAccount, Container: container,
				Key: cloudtest.AzureKey, Clock: im.SystemClock{}, Entropy: im.SystemEntropy()})
			if err != nil {
				t.Fatal(err)
			}
			return o.(*objects)
		}
		if _, err := open(t).service.CreateContainer(t.Context(), container, nil); err != nil {
			t.Fatal(err)
		}
		return func(t *testing.T) blob.Store {
			return remote.New(open(t), "skein/", t.TempDir(), im.SystemEntropy())
		}
	})
}
