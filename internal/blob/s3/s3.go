// Package s3 is the object store of Amazon, and of all who speak its protocol:
// Cloudflare R2, Alibaba OSS, Tencent COS, Ceph and others.
package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/skein-im/skein/internal/blob"
	"github.com/skein-im/skein/internal/blob/remote"
	"github.com/skein-im/skein/internal/im"
)

// Options say where a bucket is.
type Options struct {
	// Endpoint is the service's address, such as https://s3.eu-central-1.amazonaws.com;
	// empty = Amazon's of the region.
	Endpoint string
	// Region of the bucket; empty = the service is asked.
	Region string
	Bucket string
	// VirtualHost has the bucket's name in the host instead of the path; Amazon
	// has it there in any case, and some services know nothing else.
	VirtualHost bool
	// AccessKey and Secret; both empty = what the environment (AWS_ACCESS_KEY_ID
	// …), a credentials file or the machine's role gives.
	AccessKey, Secret string
	// Transport makes the connections; nil = the default.
	Transport http.RoundTripper
}

// amazon is where buckets are when nothing else is said.
const amazon = "https://s3.amazonaws.com"

// objects is a bucket.
type objects struct {
	core   *minio.Core
	bucket string
}

var _ remote.Objects = (*objects)(nil)

// New opens a bucket, without asking the service anything.
func New(o Options) (remote.Objects, error) {
	if o.Endpoint == "" {
		o.Endpoint = amazon
	}
	u, err := url.Parse(o.Endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || strings.Trim(u.Path, "/") != "" || u.User != nil {
		return nil, im.Errorf(im.InvalidArgument, "the endpoint of an S3 service is https://HOST")
	}
	if o.Bucket == "" {
		return nil, im.Errorf(im.InvalidArgument, "an S3 URL names a bucket: s3://BUCKET")
	}
	from := credentials.NewChainCredentials([]credentials.Provider{&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}, &credentials.IAM{}})
	if o.AccessKey != "" || o.Secret != "" {
		from = credentials.NewStaticV4(o.AccessKey, o.Secret, "")
	}
	look := minio.BucketLookupPath
	if o.VirtualHost || o.Endpoint == amazon {
		look = minio.BucketLookupDNS
	}
	core, err := minio.NewCore(u.Host, &minio.Options{Creds: from, Secure: u.Scheme == "https", Region: o.Region, BucketLookup: look, Transport: o.Transport, MaxRetries: 3})
	if err != nil {
		return nil, im.Errorf(im.InvalidArgument, "the S3 service %s: %v", u.Host, err)
	}
	return &objects{core: core, bucket: o.Bucket}, nil
}

// Put implements remote.Objects.
func (o *objects) Put(ctx context.Context, name string, b remote.Body) error {
	_, err := o.core.PutObject(ctx, o.bucket, name, b, b.Size, "", b.Sum, minio.PutObjectOptions{DisableContentSha256: true})
	return mapError(err)
}

// Get implements remote.Objects.
func (o *objects) Get(ctx context.Context, name string, from, n int64) (io.ReadCloser, error) {
	var opts minio.GetObjectOptions
	switch {
	case n >= 0:
		opts.Set("Range", fmt.Sprintf("bytes=%d-%d", from, from+n-1))
	case from > 0:
		opts.Set("Range", fmt.Sprintf("bytes=%d-", from))
	}
	r, _, _, err := o.core.GetObject(ctx, o.bucket, name, opts)
	if minio.ToErrorResponse(err).Code == minio.InvalidRange {
		return http.NoBody, nil
	}
	if err != nil {
		return nil, mapError(err)
	}
	return r, nil
}

// Stat implements remote.Objects.
func (o *objects) Stat(ctx context.Context, name string) (int64, error) {
	info, err := o.core.StatObject(ctx, o.bucket, name, minio.StatObjectOptions{})
	return info.Size, mapError(err)
}

// Delete implements remote.Objects.
func (o *objects) Delete(ctx context.Context, name string) error {
	err := mapError(o.core.RemoveObject(ctx, o.bucket, name, minio.RemoveObjectOptions{}))
	if im.CodeOf(err) == im.NotFound {
		return nil
	}
	return err
}

// Presign implements remote.Objects.
func (o *objects) Presign(ctx context.Context, name string, ttl time.Duration, as blob.Headers) (string, error) {
	q := url.Values{}
	if as.Type != "" {
		q.Set("response-content-type", as.Type)
	}
	if as.Disposition != "" {
		q.Set("response-content-disposition", as.Disposition)
	}
	u, err := o.core.PresignedGetObject(ctx, o.bucket, name, ttl, q)
	if err != nil {
		return "", mapError(err)
	}
	return u.String(), nil
}

// Begin implements remote.Objects.
func (o *objects) Begin(ctx context.Context, name string) (string, error) {
	id, err := o.core.NewMultipartUpload(ctx, o.bucket, name, minio.PutObjectOptions{})
	return id, mapError(err)
}

// Part implements remote.Objects.
func (o *objects) Part(ctx context.Context, name, id string, number int, b remote.Body) error {
	_, err := o.core.PutObjectPart(ctx, o.bucket, name, id, number, b, b.Size, minio.PutObjectPartOptions{Sha256Hex: b.Sum, DisableContentSha256: true})
	return mapError(err)
}

// Finish implements remote.Objects.
func (o *objects) Finish(ctx context.Context, name, id string, n int) error {
	parts := make([]minio.CompletePart, 0, n)
	for marker := 0; ; {
		list, err := o.core.ListObjectParts(ctx, o.bucket, name, id, marker, 1000)
		if err != nil {
			return mapError(err)
		}
		for _, p := range list.ObjectParts {
			if p.PartNumber == len(parts)+1 && len(parts) < n {
				parts = append(parts, minio.CompletePart{PartNumber: p.PartNumber, ETag: p.ETag})
			}
		}
		if !list.IsTruncated || list.NextPartNumberMarker <= marker {
			break
		}
		marker = list.NextPartNumberMarker
	}
	if len(parts) < n {
		return blob.ErrMissing()
	}
	_, err := o.core.CompleteMultipartUpload(ctx, o.bucket, name, id, parts, minio.PutObjectOptions{})
	return mapError(err)
}

// Drop implements remote.Objects.
func (o *objects) Drop(ctx context.Context, name, id string) error {
	if id != "" {
		err := mapError(o.core.AbortMultipartUpload(ctx, o.bucket, name, id))
		if im.CodeOf(err) == im.NotFound {
			return nil
		}
		return err
	}
	for key, upload := "", ""; ; {
		list, err := o.core.ListMultipartUploads(ctx, o.bucket, name, key, upload, "", 1000)
		if err != nil {
			return mapError(err)
		}
		for _, u := range list.Uploads {
			if u.Key == name {
				if err := o.Drop(ctx, name, u.UploadID); err != nil {
					return err
				}
			}
		}
		if !list.IsTruncated {
			return nil
		}
		key, upload = list.NextKeyMarker, list.NextUploadIDMarker
	}
}

// mapError gives a service's error the code that callers act on.
func mapError(err error) error {
	if err == nil {
		return nil
	}
	r := minio.ToErrorResponse(err)
	switch r.Code {
	case minio.NoSuchKey, minio.NoSuchUpload, "NotFound":
		return im.ErrNotFound
	case minio.InvalidPart, "InvalidPartOrder":
		return blob.ErrMissing()
	case minio.NoSuchBucket, minio.AccessDenied, "InvalidAccessKeyId", "SignatureDoesNotMatch":
		return fmt.Errorf("%w (%w)", &im.Error{Code: im.Unavailable, Message: "the store for files refuses the server", Hint: "the operator checks the bucket and its credentials"}, err)
	case "QuotaExceeded", "XMinioStorageFull":
		return fmt.Errorf("%w (%w)", im.Errorf(im.ResourceExhausted, "the store for files is full"), err)
	}
	if r.StatusCode == http.StatusNotFound && !errors.Is(err, context.Canceled) {
		return im.ErrNotFound
	}
	return fmt.Errorf("%w (%w)", im.Errorf(im.Unavailable, "the store for files does not answer"), err)
}
