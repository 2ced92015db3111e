// Package azure is Azure Blob Storage. A part is a block that is staged; the
// list of the blocks, committed, makes the blob.
package azure

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	azblobs "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"

	"github.com/skein-im/skein/internal/blob"
	"github.com/skein-im/skein/internal/blob/remote"
	"github.com/skein-im/skein/internal/im"
)

// Options say where a container is.
type Options struct {
	// Account is the storage account's name.
	Account string
	// Endpoint is the service's address; empty = https://ACCOUNT.blob.core.windows.net.
	Endpoint  string
	Container string
	// Key is the account's key, in base64; empty = the identity that the
	// environment (AZURE_CLIENT_ID …), the workload or the machine has.
	Key     string
	Clock   im.Clock
	Entropy im.Entropy
	// Transport makes the connections; nil = the default.
	Transport http.RoundTripper
}

// objects is a container.
type objects struct {
	container string
	service   *service.Client
	key       *service.SharedKeyCredential // nil = the machine's identity
	clock     im.Clock
	entropy   im.Entropy

	mu        sync.Mutex // guards delegate
	delegate  *service.UserDelegationCredential
	delegated time.Time // until then it signs
}

var _ remote.Objects = (*objects)(nil)

// New opens a container, without asking the service anything.
func New(o Options) (remote.Objects, error) {
	if o.Account == "" || o.Container == "" {
		return nil, im.Errorf(im.InvalidArgument, "an Azure URL names an account and a container: azure://ACCOUNT/CONTAINER")
	}
	if o.Endpoint == "" {
		o.Endpoint = "https://" + o.Account + ".blob.core.windows.net"
	}
	if u, err := url.Parse(o.Endpoint); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.User != nil {
		return nil, im.Errorf(im.InvalidArgument, "the endpoint of an Azure account is https://HOST")
	}
	s := &objects{container: o.Container, clock: o.Clock, entropy: o.Entropy}
	options := &service.ClientOptions{ClientOptions: azcore.ClientOptions{
		Telemetry: policy.TelemetryOptions{Disabled: true},
		Retry:     policy.RetryOptions{MaxRetries: 2, RetryDelay: 200 * time.Millisecond, MaxRetryDelay: 2 * time.Second},
	}}
	if o.Transport != nil {
		options.Transport = &http.Client{Transport: o.Transport}
	}
	var err error
	if o.Key != "" {
		if s.key, err = azblob.NewSharedKeyCredential(o.Account, o.Key); err != nil {
			return nil, im.Errorf(im.InvalidArgument, "the key of an Azure account is base64")
		}
		s.service, err = service.NewClientWithSharedKeyCredential(o.Endpoint, s.key, options)
	} else {
		var machine *azidentity.DefaultAzureCredential
		if machine, err = azidentity.NewDefaultAzureCredential(nil); err == nil {
			s.service, err = service.NewClient(o.Endpoint, machine, options)
		}
	}
	if err != nil {
		return nil, im.Errorf(im.InvalidArgument, "the Azure account %s: %v", o.Account, err)
	}
	return s, nil
}

func (o *objects) blob(name string) *blockblob.Client {
	return o.service.NewContainerClient(o.container).NewBlockBlobClient(name)
}

// Put implements remote.Objects.
func (o *objects) Put(ctx context.Context, name string, b remote.Body) error {
	_, err := o.blob(name).Upload(ctx, streaming.NopCloser(b), nil)
	return mapError(err)
}

// Get implements remote.Objects.
func (o *objects) Get(ctx context.Context, name string, from, n int64) (io.ReadCloser, error) {
	r := azblobs.HTTPRange{Offset: from}
	if n >= 0 {
		r.Count = n
	}
	res, err := o.blob(name).DownloadStream(ctx, &azblobs.DownloadStreamOptions{Range: r})
	if bloberror.HasCode(err, bloberror.InvalidRange) {
		return http.NoBody, nil
	}
	if err != nil {
		return nil, mapError(err)
	}
	return res.Body, nil
}

// Stat implements remote.Objects.
func (o *objects) Stat(ctx context.Context, name string) (int64, error) {
	p, err := o.blob(name).GetProperties(ctx, nil)
	if err != nil {
		return 0, mapError(err)
	}
	if p.ContentLength == nil {
		return 0, im.Errorf(im.Unavailable, "the store for files does not tell a size")
	}
	return *p.ContentLength, nil
}

// Delete implements remote.Objects.
func (o *objects) Delete(ctx context.Context, name string) error {
	_, err := o.blob(name).Delete(ctx, nil)
	if err := mapError(err); im.CodeOf(err) != im.NotFound {
		return err
	}
	return nil
}

// Presign implements remote.Objects, by a shared access signature.
func (o *objects) Presign(ctx context.Context, name string, ttl time.Duration, as blob.Headers) (string, error) {
	v := sas.BlobSignatureValues{Version: sas.Version, ContainerName: o.container, BlobName: name, ExpiryTime: o.clock.Now().Add(ttl).UTC(),
		Permissions: (&sas.BlobPermissions{Read: true}).String(), ContentType: as.Type, ContentDisposition: as.Disposition}
	var q sas.QueryParameters
	var err error
	if o.key != nil {
		q, err = v.SignWithSharedKey(o.key)
	} else {
		var by *service.UserDelegationCredential
		if by, err = o.delegation(ctx); err == nil {
			q, err = v.SignWithUserDelegation(by)
		}
	}
	if err != nil {
		return "", mapError(err)
	}
	return o.blob(name).URL() + "?" + q.Encode(), nil
}

// delegation returns the key with which an identity signs for the account. It
// is good for an hour, and asked for anew some minutes before its end.
func (o *objects) delegation(ctx context.Context) (*service.UserDelegationCredential, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.clock.Now().UTC()
	if o.delegate != nil && now.Add(5*time.Minute).Before(o.delegated) {
		return o.delegate, nil
	}
	end := now.Add(time.Hour)
	from, to := now.Add(-time.Minute).Format(sas.TimeFormat), end.Format(sas.TimeFormat)
	d, err := o.service.GetUserDelegationCredential(ctx, service.KeyInfo{Start: &from, Expiry: &to}, nil)
	if err != nil {
		return nil, err
	}
	o.delegate, o.delegated = d, end
	return d, nil
}

// Begin implements remote.Objects. Azure knows no uploads, only the blocks of a
// name; so the ids of the blocks say which upload they belong to.
func (o *objects) Begin(context.Context, string) (string, error) {
	return im.RandomID(o.entropy)
}

// idLen is the length of Begin's ids.
const idLen = 32

// block is a block's id; all of a blob have the same length.
func block(id string, number int) string {
	return base64.StdEncoding.EncodeToString([]byte(fmt.Sprintf("%s.%05d", id, number)))
}

// Part implements remote.Objects.
func (o *objects) Part(ctx context.Context, name, id string, number int, b remote.Body) error {
	if len(id) != idLen {
		return im.ErrNotFound
	}
	_, err := o.blob(name).StageBlock(ctx, block(id, number), streaming.NopCloser(b), nil)
	return mapError(err)
}

// Finish implements remote.Objects.
func (o *objects) Finish(ctx context.Context, name, id string, n int) error {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = block(id, i+1)
	}
	_, err := o.blob(name).CommitBlockList(ctx, ids, nil)
	if !bloberror.HasCode(err, bloberror.InvalidBlockList, bloberror.InvalidBlobOrBlock) {
		return mapError(err)
	}
	// Which of the two it is, the blocks that are there tell.
	list, err := o.blob(name).GetBlockList(ctx, blockblob.BlockListTypeUncommitted, nil)
	if err != nil {
		return mapError(err)
	}
	for _, b := range list.UncommittedBlocks {
		if b.Name != nil && strings.HasPrefix(decode(*b.Name), id+".") {
			return blob.ErrMissing()
		}
	}
	return im.ErrNotFound
}

func decode(block string) string {
	b, err := base64.StdEncoding.DecodeString(block)
	if err != nil {
		return ""
	}
	return string(b)
}

// Drop implements remote.Objects. A blob that is written whole has no blocks
// but its own any more; what was staged and is left alone ends after a week.
func (o *objects) Drop(ctx context.Context, name, _ string) error {
	list, err := o.blob(name).GetBlockList(ctx, blockblob.BlockListTypeAll, nil)
	if err := mapError(err); im.CodeOf(err) == im.NotFound {
		return nil
	} else if err != nil {
		return err
	}
	if len(list.UncommittedBlocks) == 0 || len(list.CommittedBlocks) > 0 {
		return nil
	}
	if err := o.Put(ctx, name, remote.Body{ReadSeeker: strings.NewReader("")}); err != nil {
		return err
	}
	return o.Delete(ctx, name)
}

// mapError gives a service's error the code that callers act on.
func mapError(err error) error {
	var known *im.Error
	var answer *azcore.ResponseError
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case bloberror.HasCode(err, bloberror.BlobNotFound):
		return im.ErrNotFound
	case bloberror.HasCode(err, bloberror.ContainerNotFound, bloberror.AuthenticationFailed, bloberror.AuthorizationFailure, bloberror.InsufficientAccountPermissions,
		bloberror.AuthorizationPermissionMismatch, bloberror.AccountIsDisabled):
		return fmt.Errorf("%w (%w)", &im.Error{Code: im.Unavailable, Message: "the store for files refuses the server", Hint: "the operator checks the container and its credentials"}, err)
	case errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound:
		return im.ErrNotFound
	}
	return fmt.Errorf("%w (%w)", im.Errorf(im.Unavailable, "the store for files does not answer"), err)
}
