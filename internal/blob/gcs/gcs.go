// Package gcs is Google Cloud Storage, by its JSON interface
// (https://cloud.google.com/storage/docs/json_api). Google's own library brings
// gRPC and 28 MB of program with it, for the eight calls that stand here; what
// it knows of identities comes from golang.org/x/oauth2.
//
// A part is an object of its own below the object's name, and the service
// composes the object of them, 32 at a time.
package gcs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"

	"github.com/skein-im/skein/internal/blob"
	"github.com/skein-im/skein/internal/blob/remote"
	"github.com/skein-im/skein/internal/im"
)

// Options say where a bucket is.
type Options struct {
	Bucket string
	// Endpoint is the service's address; empty = https://storage.googleapis.com.
	Endpoint string
	// Credentials is the key file of a service account (JSON); empty = what the
	// environment (GOOGLE_APPLICATION_CREDENTIALS), the workload or the machine has.
	Credentials []byte
	Clock       im.Clock
	Entropy     im.Entropy
	// Transport makes the connections; nil = the default.
	Transport http.RoundTripper
}

const (
	endpoint = "https://storage.googleapis.com"
	scope    = "https://www.googleapis.com/auth/devstorage.read_write"
	iamScope = "https://www.googleapis.com/auth/cloud-platform" // to sign without a key
	// composed is how many objects the service composes at once.
	composed = 32
	// tries of a call that the service did not take on.
	tries = 3
)

// objects is a bucket.
type objects struct {
	endpoint, bucket string
	client           *http.Client // with the identity
	signer           signer
	clock            im.Clock
	entropy          im.Entropy
}

var _ remote.Objects = (*objects)(nil)

// New opens a bucket. Without Credentials it asks the machine who it is.
func New(ctx context.Context, o Options) (remote.Objects, error) {
	if o.Bucket == "" {
		return nil, im.Errorf(im.InvalidArgument, "a URL of Google Cloud Storage names a bucket: gs://BUCKET")
	}
	if o.Endpoint == "" {
		o.Endpoint = endpoint
	}
	if u, err := url.Parse(o.Endpoint); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.Path != "" || u.User != nil {
		return nil, im.Errorf(im.InvalidArgument, "the endpoint of Google Cloud Storage is https://HOST")
	}
	base := &http.Client{Transport: o.Transport}
	ctx = context.WithValue(ctx, oauth2.HTTPClient, base)
	var who *google.Credentials
	var err error
	if len(o.Credentials) > 0 {
		who, err = google.CredentialsFromJSONWithType(ctx, o.Credentials, google.ServiceAccount, scope)
	} else {
		who, err = google.FindDefaultCredentials(ctx, scope, iamScope)
	}
	if err != nil {
		return nil, im.Errorf(im.InvalidArgument, "there are no credentials for Google Cloud Storage: %v", err)
	}
	client := oauth2.NewClient(ctx, who.TokenSource)
	sign, err := newSigner(who.JSON, client)
	if err != nil {
		return nil, err
	}
	return &objects{endpoint: o.Endpoint, bucket: o.Bucket, client: client, signer: sign, clock: o.Clock, entropy: o.Entropy}, nil
}

// object is the path of an object's resource.
func (o *objects) object(name string) string {
	return "/storage/v1/b/" + url.PathEscape(o.bucket) + "/o/" + url.PathEscape(name)
}

// call makes a call, again when the service could not take it on. The caller
// closes the answer, which is one of success.
func (o *objects) call(ctx context.Context, method, to string, query url.Values, header http.Header, body io.ReadSeeker, size int64) (*http.Response, error) {
	for try := 1; ; try++ {
		res, err := o.once(ctx, method, to, query, header, body, size)
		if err == nil && res.StatusCode/100 == 2 {
			return res, nil
		}
		again := err != nil
		if err == nil {
			again = res.StatusCode == http.StatusTooManyRequests || res.StatusCode >= 500
			err = answerError(res)
		} else {
			err = fmt.Errorf("%w (%w)", im.Errorf(im.Unavailable, "the store for files does not answer"), err)
		}
		if !again || try == tries || ctx.Err() != nil {
			return nil, err
		}
		pause := time.NewTimer(time.Duration(try*try) * 200 * time.Millisecond)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return nil, err
		}
	}
}

func (o *objects) once(ctx context.Context, method, to string, query url.Values, header http.Header, body io.ReadSeeker, size int64) (*http.Response, error) {
	to = o.endpoint + to
	if len(query) > 0 {
		to += "?" + query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, method, to, nil)
	if err != nil {
		return nil, err
	}
	for k, v := range header {
		r.Header[k] = v
	}
	if body != nil {
		if _, err := body.Seek(0, io.SeekStart); err != nil {
			return nil, err
		}
		r.Body, r.ContentLength = io.NopCloser(body), size
		if size == 0 {
			r.Body = http.NoBody
		}
	}
	return o.client.Do(r)
}

// answerError is what an answer means that is none of success. It closes it.
func answerError(res *http.Response) error {
	text, err := io.ReadAll(io.LimitReader(res.Body, 2048))
	err = errors.Join(fmt.Errorf("%s: %s", res.Status, text), err, res.Body.Close())
	switch res.StatusCode {
	case http.StatusNotFound:
		return im.ErrNotFound
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("%w (%w)", &im.Error{Code: im.Unavailable, Message: "the store for files refuses the server", Hint: "the operator checks the bucket and its credentials"}, err)
	}
	return fmt.Errorf("%w (%w)", im.Errorf(im.Unavailable, "the store for files cannot do it"), err)
}

// Put implements remote.Objects.
func (o *objects) Put(ctx context.Context, name string, b remote.Body) error {
	res, err := o.call(ctx, http.MethodPost, "/upload/storage/v1/b/"+url.PathEscape(o.bucket)+"/o", url.Values{"uploadType": {"media"}, "name": {name}},
		http.Header{"Content-Type": {"application/octet-stream"}}, b, b.Size)
	if err != nil {
		return err
	}
	return drain(res)
}

// drain reads an answer that says nothing more.
func drain(res *http.Response) error {
	_, err := io.Copy(io.Discard, io.LimitReader(res.Body, 1<<20))
	if err = errors.Join(err, res.Body.Close()); err != nil {
		return fmt.Errorf("%w (%w)", im.Errorf(im.Unavailable, "the store for files broke off"), err)
	}
	return nil
}

// Get implements remote.Objects.
func (o *objects) Get(ctx context.Context, name string, from, n int64) (io.ReadCloser, error) {
	header := http.Header{}
	switch {
	case n >= 0:
		header.Set("Range", fmt.Sprintf("bytes=%d-%d", from, from+n-1))
	case from > 0:
		header.Set("Range", fmt.Sprintf("bytes=%d-", from))
	}
	res, err := o.once(ctx, http.MethodGet, o.object(name), url.Values{"alt": {"media"}}, header, nil, 0)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w (%w)", im.Errorf(im.Unavailable, "the store for files does not answer"), err)
	case res.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		return http.NoBody, res.Body.Close()
	case res.StatusCode/100 != 2:
		return nil, answerError(res)
	}
	return res.Body, nil
}

// resource is what is asked of an object's description.
type resource struct {
	Name string `json:"name"`
	Size string `json:"size"`
}

// Stat implements remote.Objects.
func (o *objects) Stat(ctx context.Context, name string) (int64, error) {
	var r resource
	if err := o.read(ctx, o.object(name), url.Values{"fields": {"size"}}, &r); err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(r.Size, 10, 64)
	if err != nil {
		return 0, im.Errorf(im.Unavailable, "the store for files does not tell a size")
	}
	return n, nil
}

// read asks for a description.
func (o *objects) read(ctx context.Context, from string, query url.Values, into any) error {
	res, err := o.call(ctx, http.MethodGet, from, query, nil, nil, 0)
	if err != nil {
		return err
	}
	err = json.NewDecoder(io.LimitReader(res.Body, 16<<20)).Decode(into)
	if err = errors.Join(err, drain(res)); err != nil {
		return fmt.Errorf("%w (%w)", im.Errorf(im.Unavailable, "the store for files answers something else"), err)
	}
	return nil
}

// Delete implements remote.Objects.
func (o *objects) Delete(ctx context.Context, name string) error {
	res, err := o.call(ctx, http.MethodDelete, o.object(name), nil, nil, nil, 0)
	if im.CodeOf(err) == im.NotFound {
		return nil
	} else if err != nil {
		return err
	}
	return drain(res)
}

// Begin implements remote.Objects.
func (o *objects) Begin(context.Context, string) (string, error) {
	return im.RandomID(o.entropy)
}

// partsOf is how the names of all parts of an object begin. What a key has
// between its slashes does not begin with a dot, so they are nobody else's.
func partsOf(name string) string {
	folder, last := path.Split(name)
	return folder + ".part/" + last + "/"
}

// part is the name of a part; level 0 = as it was stored, above = composed.
func part(name, id string, level, number int) string {
	return fmt.Sprintf("%s%s/%d/%05d", partsOf(name), id, level, number)
}

// idLen is the length of Begin's ids.
const idLen = 32

// Part implements remote.Objects.
func (o *objects) Part(ctx context.Context, name, id string, number int, b remote.Body) error {
	if len(id) != idLen {
		return im.ErrNotFound
	}
	return o.Put(ctx, part(name, id, 0, number), b)
}

// Finish implements remote.Objects.
func (o *objects) Finish(ctx context.Context, name, id string, n int) error {
	for level := 0; ; level++ {
		groups := (n + composed - 1) / composed
		for g := range groups {
			to := name
			if groups > 1 {
				to = part(name, id, level+1, g+1)
			}
			from := make([]string, 0, composed)
			for i := g * composed; i < min(n, (g+1)*composed); i++ {
				from = append(from, part(name, id, level, i+1))
			}
			if err := o.compose(ctx, to, from); err != nil {
				return o.why(ctx, name, id, err)
			}
		}
		if groups == 1 {
			return o.Drop(ctx, name, id)
		}
		n = groups
	}
}

// why tells whether parts could not be composed because there are none: another
// call may have been here.
func (o *objects) why(ctx context.Context, name, id string, err error) error {
	if _, serr := o.Stat(ctx, name); serr == nil {
		return im.ErrNotFound // Complete looks what is there
	}
	names, _, lerr := o.list(ctx, partsOf(name)+id+"/", "")
	switch {
	case lerr != nil:
		return lerr
	case len(names) == 0:
		return im.ErrNotFound
	case im.CodeOf(err) == im.NotFound:
		return blob.ErrMissing()
	}
	return err
}

func (o *objects) compose(ctx context.Context, to string, from []string) error {
	type source struct {
		Name string `json:"name"`
	}
	var request struct {
		Sources     []source          `json:"sourceObjects"`
		Destination map[string]string `json:"destination"`
	}
	request.Destination = map[string]string{"contentType": "application/octet-stream"}
	for _, f := range from {
		request.Sources = append(request.Sources, source{f})
	}
	b, err := json.Marshal(request)
	if err != nil {
		return err
	}
	res, err := o.call(ctx, http.MethodPost, o.object(to)+"/compose", nil, http.Header{"Content-Type": {"application/json"}}, bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return err
	}
	return drain(res)
}

// list returns the names that begin so, page by page.
func (o *objects) list(ctx context.Context, prefix, page string) (names []string, next string, err error) {
	query := url.Values{"prefix": {prefix}, "fields": {"items(name),nextPageToken"}}
	if page != "" {
		query.Set("pageToken", page)
	}
	var l struct {
		Items []resource `json:"items"`
		Next  string     `json:"nextPageToken"`
	}
	if err := o.read(ctx, "/storage/v1/b/"+url.PathEscape(o.bucket)+"/o", query, &l); err != nil {
		return nil, "", err
	}
	for _, r := range l.Items {
		names = append(names, r.Name)
	}
	return names, l.Next, nil
}

// Drop implements remote.Objects.
func (o *objects) Drop(ctx context.Context, name, id string) error {
	prefix := partsOf(name)
	if id != "" {
		prefix += id + "/"
	}
	for page := ""; ; {
		names, next, err := o.list(ctx, prefix, page)
		if err != nil {
			return err
		}
		for _, n := range names {
			if err := o.Delete(ctx, n); err != nil {
				return err
			}
		}
		if page = next; page == "" {
			return nil
		}
	}
}
