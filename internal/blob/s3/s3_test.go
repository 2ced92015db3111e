package s3

import (
	"fmt"
	"testing"

	"github.com/minio/minio-go/v7"

	"github.com/skein-im/skein/internal/blob"
	"github.com/skein-im/skein/internal/blob/blobtest"
	"github.com/skein-im/skein/internal/blob/remote"
	"github.com/skein-im/skein/internal/cloudtest"
	"github.com/skein-im/skein/internal/im"
)

func TestContract(t *testing.T) {
	server := cloudtest.S3(t)
	open := func(t *testing.T, bucket string) *objects {
		o, err := New(Options{Endpoint: server.URL, Region: "us-east-1", Bucket: bucket, AccessKey: cloudtest.S3Key, Secret: cloudtest.S3Secret})
		if err != nil {
			t.Fatal(err)
		}
		return o.(*objects)
	}
	places := 0
	blobtest.Run(t, func(t *testing.T) blobtest.Place {
		places++
		bucket := fmt.Sprint("bucket-", places)
		if err := open(t, bucket).core.MakeBucket(t.Context(), bucket, minio.MakeBucketOptions{}); err != nil {
			t.Fatal(err)
		}
		return func(t *testing.T) blob.Store {
			return remote.New(open(t, bucket), "skein/", t.TempDir(), im.SystemEntropy())
		}
	})
}
