package gcs

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/skein-im/skein/internal/blob"
	"github.com/skein-im/skein/internal/blob/blobtest"
	"github.com/skein-im/skein/internal/blob/remote"
	"github.com/skein-im/skein/internal/cloudtest"
	"github.com/skein-im/skein/internal/im"
)

const email = "skein@test.iam.gserviceaccount.com"

// service stands before the throw-away server and holds callers to what that
// one does not ask for: a token of the account, or a URL that its key signed
// for this object and whose time is not up.
type service struct {
	key    *rsa.PrivateKey
	proxy  *httputil.ReverseProxy
	bucket string
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	switch {
	case r.URL.Path == "/token":
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"access_token":"of-the-account","token_type":"Bearer","expires_in":3600}`)
	case q.Has("X-Goog-Signature"):
		if why := s.refuses(r); why != "" {
			http.Error(w, why, http.StatusForbidden)
			return
		}
		as := blob.Headers{Type: q.Get("response-content-type"), Disposition: q.Get("response-content-disposition")}
		name := strings.TrimPrefix(r.URL.Path, "/"+s.bucket+"/")
		r.URL.Path, r.URL.RawPath = "/storage/v1/b/"+s.bucket+"/o/"+name, "/storage/v1/b/"+s.bucket+"/o/"+url.PathEscape(name)
		r.URL.RawQuery = "alt=media"
		s.proxy.ServeHTTP(&headed{w, as}, r)
	case r.Header.Get("Authorization") != "Bearer of-the-account":
		http.Error(w, "who are you?", http.StatusUnauthorized)
	default:
		s.proxy.ServeHTTP(w, r)
	}
}

// headed answers with the headers that a URL asked for.
type headed struct {
	http.ResponseWriter
	as blob.Headers
}

func (h *headed) WriteHeader(code int) {
	h.Header().Set("Content-Type", h.as.Type)
	h.Header().Set("Content-Disposition", h.as.Disposition)
	h.ResponseWriter.WriteHeader(code)
}

// refuses holds a request to the description of V4 signatures.
func (s *service) refuses(r *http.Request) string {
	var pairs []string
	signature := ""
	for _, p := range strings.Split(r.URL.RawQuery, "&") {
		if v, ok := strings.CutPrefix(p, "X-Goog-Signature="); ok {
			signature = v
			continue
		}
		pairs = append(pairs, p)
	}
	slices.Sort(pairs)
	q := r.URL.Query()
	at, err := time.Parse("20060102T150405Z", q.Get("X-Goog-Date"))
	ttl, err2 := strconv.Atoi(q.Get("X-Goog-Expires"))
	if err != nil || err2 != nil || ttl < 1 || ttl > 604800 || time.Now().After(at.Add(time.Duration(ttl)*time.Second)) {
		return "its time is up"
	}
	place := at.Format("20060102") + "/auto/storage/goog4_request"
	if q.Get("X-Goog-Algorithm") != "GOOG4-RSA-SHA256" || q.Get("X-Goog-Credential") != email+"/"+place || q.Get("X-Goog-SignedHeaders") != "host" {
		return "not what is signed"
	}
	canonical := sha256.Sum256([]byte("GET\n" + r.URL.EscapedPath() + "\n" + strings.Join(pairs, "&") + "\nhost:" + r.Host + "\n\nhost\nUNSIGNED-PAYLOAD"))
	text := sha256.Sum256([]byte("GOOG4-RSA-SHA256\n" + q.Get("X-Goog-Date") + "\n" + place + "\n" + hex.EncodeToString(canonical[:])))
	b, err := hex.DecodeString(signature)
	if err != nil || rsa.VerifyPKCS1v15(&s.key.PublicKey, crypto.SHA256, text[:], b) != nil {
		return "the signature is another's"
	}
	return ""
}

func TestContract(t *testing.T) {
	const bucket = "skein-test"
	server := cloudtest.GCS(t, bucket)
	behind, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(&service{key: key, proxy: httputil.NewSingleHostReverseProxy(behind), bucket: bucket})
	t.Cleanup(front.Close)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	account, err := json.Marshal(map[string]string{"type": "service_account", "client_email": email, "private_key_id": "1", "token_uri": front.URL + "/token",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))})
	if err != nil {
		t.Fatal(err)
	}
	places := 0
	blobtest.Run(t, func(t *testing.T) blobtest.Place {
		places++
		prefix := fmt.Sprint("place-", places, "/")
		return func(t *testing.T) blob.Store {
			o, err := New(t.Context(), Options{Bucket: bucket, Endpoint: front.URL, Credentials: account, Clock: im.SystemClock{}, Entropy: im.SystemEntropy()})
			if err != nil {
				t.Fatal(err)
			}
			return remote.New(o, prefix, t.TempDir(), im.SystemEntropy())
		}
	})
}
