package gcs

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"cloud.google.com/go/compute/metadata"

	"github.com/skein-im/skein/internal/blob"
	"github.com/skein-im/skein/internal/im"
)

// iam is where accounts sign.
const iam = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/"

// signer signs in the name of a service account.
type signer interface {
	// account returns the account's email address.
	account(ctx context.Context) (string, error)
	sign(ctx context.Context, text []byte) ([]byte, error)
}

// newSigner takes the key of a service account's file, or has the service that
// keeps the machine's account sign.
func newSigner(file []byte, client *http.Client) (signer, error) {
	var account struct {
		Email string `json:"client_email"`
		Key   string `json:"private_key"`
	}
	if len(file) > 0 {
		if err := json.Unmarshal(file, &account); err != nil {
			return nil, im.Errorf(im.InvalidArgument, "the credentials of Google Cloud Storage are not JSON")
		}
	}
	if account.Key == "" {
		return &remoteSigner{client: client, email: account.Email}, nil
	}
	block, _ := pem.Decode([]byte(account.Key))
	if block == nil {
		return nil, im.Errorf(im.InvalidArgument, "the private key of a service account is PEM")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(*rsa.PrivateKey)
	if err != nil || !ok {
		return nil, im.Errorf(im.InvalidArgument, "the private key of a service account is RSA, in PKCS #8")
	}
	return keySigner{account.Email, key}, nil
}

// keySigner has the account's key.
type keySigner struct {
	email string
	key   *rsa.PrivateKey
}

func (s keySigner) account(context.Context) (string, error) { return s.email, nil }

func (s keySigner) sign(_ context.Context, text []byte) ([]byte, error) {
	sum := sha256.Sum256(text)
	return rsa.SignPKCS1v15(nil, s.key, crypto.SHA256, sum[:])
}

// remoteSigner asks IAM (projects.serviceAccounts.signBlob), which the account
// needs the role iam.serviceAccountTokenCreator on itself for.
type remoteSigner struct {
	client *http.Client
	email  string // "" = the machine's
}

func (s *remoteSigner) account(ctx context.Context) (string, error) {
	if s.email != "" {
		return s.email, nil
	}
	email, err := metadata.EmailWithContext(ctx, "default")
	if err != nil {
		return "", unsigned(err)
	}
	return email, nil
}

func (s *remoteSigner) sign(ctx context.Context, text []byte) ([]byte, error) {
	email, err := s.account(ctx)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(map[string][]byte{"payload": text})
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, iam+url.PathEscape(email)+":signBlob", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	res, err := s.client.Do(r)
	if err != nil {
		return nil, unsigned(err)
	}
	var answer struct {
		Signed []byte `json:"signedBlob"`
	}
	err = json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&answer)
	if err = errors.Join(err, res.Body.Close()); err != nil || res.StatusCode != http.StatusOK || len(answer.Signed) == 0 {
		return nil, unsigned(errors.Join(errors.New(res.Status), err))
	}
	return answer.Signed, nil
}

func unsigned(err error) error {
	return fmt.Errorf("%w (%w)", &im.Error{Code: im.Unavailable, Message: "nobody signs URLs of Google Cloud Storage",
		Hint: "give the server's account iam.serviceAccounts.signBlob on itself, or a key file"}, err)
}

// Presign implements remote.Objects, by a V4 signature
// (https://cloud.google.com/storage/docs/authentication/canonical-requests).
func (o *objects) Presign(ctx context.Context, name string, ttl time.Duration, as blob.Headers) (string, error) {
	u, err := url.Parse(o.endpoint)
	if err != nil {
		return "", err
	}
	now := o.clock.Now().UTC()
	stamp, day := now.Format("20060102T150405Z"), now.Format("20060102")
	place := day + "/auto/storage/goog4_request"
	email, err := o.signer.account(ctx)
	if err != nil {
		return "", err
	}
	q := url.Values{"X-Goog-Algorithm": {"GOOG4-RSA-SHA256"}, "X-Goog-Credential": {email + "/" + place}, "X-Goog-Date": {stamp},
		"X-Goog-Expires": {fmt.Sprint(int(ttl.Seconds()))}, "X-Goog-SignedHeaders": {"host"}}
	if as.Type != "" {
		q.Set("response-content-type", as.Type)
	}
	if as.Disposition != "" {
		q.Set("response-content-disposition", as.Disposition)
	}
	path := "/" + escape(o.bucket) + "/" + escape(name)
	query := strings.ReplaceAll(q.Encode(), "+", "%20")
	canonical := strings.Join([]string{http.MethodGet, path, query, "host:" + u.Host, "", "host", "UNSIGNED-PAYLOAD"}, "\n")
	sum := sha256.Sum256([]byte(canonical))
	signature, err := o.signer.sign(ctx, []byte("GOOG4-RSA-SHA256\n"+stamp+"\n"+place+"\n"+hex.EncodeToString(sum[:])))
	if err != nil {
		return "", err
	}
	return o.endpoint + path + "?" + query + "&X-Goog-Signature=" + hex.EncodeToString(signature), nil
}

// escape encodes a path as a canonical request has it: all but slashes and what
// RFC 3986 calls unreserved.
func escape(path string) string {
	return strings.NewReplacer("+", "%20", "%2F", "/").Replace(url.QueryEscape(path))
}
