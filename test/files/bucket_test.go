package files

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/skein-im/skein/internal/cloudtest"
	"github.com/skein-im/skein/test/chaos"
)

// cloud is a bucket of a real server: its URL, its credentials in the
// environment, the server that has it, and what lies in it.
type cloud struct {
	url      string
	env      []string
	endpoint string
	list     func() []string
}

// buckets makes buckets in a server of S3's protocol.
func buckets(t *testing.T, server *cloudtest.Server, names ...string) (out []cloud) {
	t.Helper()
	c, err := minio.New(strings.TrimPrefix(server.URL, "http://"), &minio.Options{Creds: credentials.NewStaticV4(cloudtest.S3Key, cloudtest.S3Secret, "")})
	must(t, err)
	for _, name := range names {
		must(t, c.MakeBucket(t.Context(), name, minio.MakeBucketOptions{}))
		out = append(out, cloud{
			url: "s3://" + name + "/skein?region=us-east-1&endpoint=" + url.QueryEscape(server.URL),
			env: []string{"AWS_ACCESS_KEY_ID=" + cloudtest.S3Key, "AWS_SECRET_ACCESS_KEY=" + cloudtest.S3Secret}, endpoint: server.URL,
			list: func() (keys []string) {
				for o := range c.ListObjects(t.Context(), name, minio.ListObjectsOptions{Recursive: true}) {
					must(t, o.Err)
					keys = append(keys, o.Key)
				}
				return keys
			}})
	}
	return out
}

func azureContainer(t *testing.T) cloud {
	t.Helper()
	server := cloudtest.Azure(t)
	endpoint := server.URL + "/" + cloudtest.AzureAccount
	key, err := azblob.NewSharedKeyCredential(cloudtest.AzureAccount, cloudtest.AzureKey)
	must(t, err)
	c, err := azblob.NewClientWithSharedKeyCredential(endpoint, key, nil)
	must(t, err)
	_, err = c.CreateContainer(t.Context(), "files", nil)
	must(t, err)
	return cloud{
		url: "azure://" + cloudtest.AzureAccount + "/files/skein?endpoint=" + url.QueryEscape(endpoint),
		env: []string{"AZURE_STORAGE_KEY=" + cloudtest.AzureKey}, endpoint: endpoint,
		list: func() (keys []string) {
			for pager := c.NewListBlobsFlatPager("files", nil); pager.More(); {
				page, err := pager.NextPage(t.Context())
				must(t, err)
				for _, b := range page.Segment.BlobItems {
					keys = append(keys, *b.Name)
				}
			}
			return keys
		}}
}

// googleBucket makes a bucket of Google's protocol, and a service account that may
// use it.
func googleBucket(t *testing.T) cloud {
	t.Helper()
	server := cloudtest.GCS(t, "files")
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"access_token":"of-the-account","token_type":"Bearer","expires_in":3600}`)
	}))
	t.Cleanup(tokens.Close)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	account, err := json.Marshal(map[string]string{"type": "service_account", "client_email": "skein@test.iam.gserviceaccount.com", "token_uri": tokens.URL,
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))})
	must(t, err)
	file := filepath.Join(t.TempDir(), "account.json")
	must(t, os.WriteFile(file, account, 0o600))
	return cloud{
		url: "gs://files/skein?endpoint=" + url.QueryEscape(server.URL),
		env: []string{"GOOGLE_APPLICATION_CREDENTIALS=" + file},
		list: func() (keys []string) {
			var list struct{ Items []struct{ Name string } }
			must(t, json.Unmarshal([]byte(fetch(t, "GET", server.URL+"/storage/v1/b/files/o").body), &list))
			for _, o := range list.Items {
				keys = append(keys, o.Name)
			}
			return keys
		}}
}

// tool runs an operator's command with an environment of its own.
func (w *world) tool(env []string, args ...string) (string, error) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, bin, append(args, "--data", w.data)...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + w.t.TempDir()}, env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestEachAppHasItsFilesInABucketOfItsOwn(t *testing.T) {
	w := newWorld(t)
	server := cloudtest.S3(t)
	s3 := buckets(t, server, "shop-files", "club-files", "shop-later")
	azure, google := azureContainer(t), googleBucket(t)
	apps := map[string]*world{"shop": w}
	for _, id := range []string{"club", "team", "hall"} {
		app, err := chaos.CreateApp(t.Context(), w.node, id)
		must(t, err)
		apps[id] = &world{t: t, node: w.node, app: app, data: w.data}
	}
	places := map[string]cloud{"shop": s3[0], "club": s3[1], "team": azure, "hall": google}
	body := bytes.Repeat([]byte("bytes of an app "), 4000)
	files := map[string][]string{}
	for id, a := range apps {
		files[id] = append(files[id], a.upload("ann", "before", "", body[:1000]))
	}
	open := apps["shop"].begin("ann", len(body))
	apps["shop"].patch("ann", open, 0, body[:20_000])
	for id, place := range places {
		out, err := w.tool(place.env, "app", "bucket", id, place.url)
		if err != nil || !strings.Contains(out, place.url) || strings.Contains(out, cloudtest.S3Secret) || strings.Contains(out, cloudtest.AzureKey) {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	for id, a := range apps {
		files[id] = append(files[id], a.upload("ann", "after", "", body))
	}
	for id, place := range places {
		if got := place.list(); len(got) != 1 || !strings.HasPrefix(got[0], "skein/files/") {
			t.Errorf("%s has %v", id, got)
		}
	}
	// What was open goes on where it began, and the next one goes where it is told now.
	out, err := w.tool(s3[2].env, "app", "bucket", "shop", s3[2].url)
	if err != nil || !strings.Contains(out, "elsewhere: 2 ") {
		t.Errorf("%v\n%s", err, out)
	}
	if a := apps["shop"].patch("ann", open, 20_000, body[20_000:]); a.StatusCode != http.StatusNoContent {
		t.Errorf("what was open: %s %s", a.Status, a.body)
	}
	files["shop"] = append(files["shop"], apps["shop"].upload("ann", "later", "", body[1:]))
	if a, b := len(s3[0].list()), len(s3[2].list()); a != 1 || b != 1 {
		t.Errorf("the shop's buckets have %d and %d objects", a, b)
	}
	w.node.Kill()
	must(t, w.node.Start(t.Context()))
	for id, a := range apps {
		for i, file := range files[id] {
			if got := a.do("ann", "GET", "/v1/files/"+file, nil); got.StatusCode != 200 || got.body != string([][]byte{body[:1000], body, body[1:]}[i]) {
				t.Errorf("file %d of %s: %s", i, id, got.Status)
			}
		}
		if got := a.do("ann", "GET", "/v1/files/"+files[id][1], nil, "Range", "bytes=16-20"); got.StatusCode != 206 || got.body != "bytes" {
			t.Errorf("a range of %s: %s %q", id, got.Status, got.body)
		}
	}
	// What does not work is refused with what is wrong, and changes nothing.
	wrong := strings.Replace(s3[0].url, "shop-files", "nobodys-files", 1)
	for what, try := range map[string]struct {
		env, args []string
		says      string
	}{
		"a bucket that there is not": {s3[0].env, []string{"shop", wrong}, "nothing was changed: write: UNAVAILABLE: the store for files refuses the server (The specified bucket does not exist"},
		"a wrong secret":             {[]string{"AWS_ACCESS_KEY_ID=" + cloudtest.S3Key, "AWS_SECRET_ACCESS_KEY=wrong"}, []string{"shop", s3[0].url}, "refuses the server"},
		"no secret":                  {nil, []string{"shop", s3[0].url}, "AWS_SECRET_ACCESS_KEY"},
		"a secret in the URL":        {s3[0].env, []string{"shop", "s3://key:secret@bucket"}, "without a secret in it"},
		"a folder":                   {nil, []string{"shop", "/etc"}, "a bucket is"},
		"another scheme":             {nil, []string{"shop", "http://127.0.0.1/"}, "a bucket is"},
		"an app that there is not":   {s3[0].env, []string{"nobody", s3[0].url}, `there is no app "nobody"`},
		"two of one":                 {s3[0].env, []string{"shop", s3[0].url, "--remove"}, "--remove goes without a URL"},
		"a place that is down":       {s3[0].env, []string{"shop", "s3://shop-files?region=us-east-1&endpoint=" + url.QueryEscape("http://127.0.0.1:1")}, "does not answer"},
	} {
		if out, err := w.tool(try.env, append([]string{"app", "bucket"}, try.args...)...); err == nil || strings.Contains(out, "secret@") || strings.Contains(out, cloudtest.S3Secret) || !strings.Contains(out, try.says) {
			t.Errorf("%s: %v %s", what, err, out)
		}
	}
	if out, err := w.tool(nil, "app", "bucket", "shop"); err != nil || !strings.Contains(out, s3[2].url) {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := w.tool(nil, "app", "bucket", "shop", "--remove"); err != nil || !strings.Contains(out, "the server's own store") {
		t.Errorf("%v\n%s", err, out)
	}
	apps["shop"].upload("ann", "home again", "", body[2:])
	if n := len(s3[2].list()); n != 1 {
		t.Errorf("%d objects in a bucket that was left", n)
	}
	w.nowhere(filepath.Dir(w.data), cloudtest.S3Secret, cloudtest.AzureKey, "iam.gserviceaccount.com", "PRIVATE KEY")
	if out, err := w.tool(nil, "fsck"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// begin begins an upload and returns its path.
func (w *world) begin(user string, size int) string {
	w.t.Helper()
	a := w.do(user, "POST", "/v1/uploads/", nil, "Tus-Resumable", "1.0.0", "Upload-Length", fmt.Sprint(size))
	if a.StatusCode != http.StatusCreated {
		w.t.Fatalf("begin: %s %s", a.Status, a.body)
	}
	return a.Header.Get("Location")
}

func (w *world) patch(user, upload string, at int, body []byte, headers ...string) answer {
	w.t.Helper()
	return w.do(user, "PATCH", upload, body, append([]string{"Tus-Resumable", "1.0.0", "Upload-Offset", fmt.Sprint(at), "Content-Type", "application/offset+octet-stream"}, headers...)...)
}

// nowhere fails when a text is in a file below a folder.
func (w *world) nowhere(dir string, texts ...string) {
	w.t.Helper()
	seen := 0
	must(w.t, filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(name)
		for _, text := range texts {
			if bytes.Contains(b, []byte(text)) {
				w.t.Errorf("%s has %q", name, text)
			}
		}
		seen++
		if errors.Is(err, fs.ErrNotExist) { // of an upload that has just ended
			return nil
		}
		return err
	}))
	if seen == 0 {
		w.t.Errorf("there is no file in %s", dir)
	}
}

func TestNoPlainByteOfAFileIsOnTheDiskOrInTheBucket(t *testing.T) {
	for name, with := range map[string]func(t *testing.T) (args, env []string, look string){
		"a folder": func(*testing.T) ([]string, []string, string) { return nil, nil, "" },
		"S3": func(t *testing.T) ([]string, []string, string) {
			server := cloudtest.S3(t)
			b := buckets(t, server, "files")[0]
			return []string{"--blobs", b.url}, b.env, server.Dir
		},
	} {
		t.Run(name, func(t *testing.T) {
			args, env, look := with(t)
			key := strings.Repeat("0f", 32)
			w := newWorldWith(t, append(env, "SKEIN_BLOBS_KEY="+key), args...)
			words := "words that nobody else may read; "
			text := []byte(strings.Repeat(words, 400_000)) // 13 MB: a part and a tail
			id := w.upload("ann", "letter.txt", "text/plain", text)
			open := w.begin("ann", len(text))
			// Cut in the middle of a part, as the server notices: what came is kept, and goes on from there.
			w.cut("ann", open, text, 9_000_001)
			at := w.awaitOffset("ann", open, 8_500_000)
			w.patch("ann", open, at, text[at:at+1000], "Upload-Checksum", "sha1 AAAAAAAAAAAAAAAAAAAAAAAAAAA=")
			look = map[bool]string{true: w.data, false: look}[look == ""]
			for _, dir := range []string{w.data, look} {
				w.nowhere(dir, words[:16], words[10:26], key)
			}
			w.node.Kill()
			must(t, w.node.Start(t.Context()))
			if again := w.awaitOffset("ann", open, 1); again != at {
				t.Errorf("the upload stood at %d and stands at %d", at, again)
			}
			if a := w.patch("ann", open, at, text[at:]); a.StatusCode != http.StatusNoContent {
				t.Fatalf("from %d: %s %s", at, a.Status, a.body)
			}
			for _, file := range []string{id, filepath.Base(open)} {
				if a := w.do("ann", "GET", "/v1/files/"+file, nil); a.StatusCode != 200 || a.body != string(text) {
					t.Errorf("%s: %s, %d bytes", file, a.Status, len(a.body))
				}
			}
			if a := w.do("ann", "GET", "/v1/files/"+id, nil, "Range", "bytes=8388600-8388619"); a.StatusCode != 206 || a.body != string(text[8_388_600:8_388_620]) {
				t.Errorf("a range over two parts: %s %q", a.Status, a.body)
			}
			// With another key, or none, the server does not start and says why.
			w.node.Kill()
			for _, wrong := range []string{"", "SKEIN_BLOBS_KEY=" + strings.Repeat("1e", 32), "SKEIN_BLOBS_KEY=short"} {
				out, err := w.tool(append(env, wrong), append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...)
				if err == nil || !strings.Contains(out, "blobs_key") || strings.Contains(out, key) {
					t.Errorf("with %q: %v\n%s", wrong, err, out)
				}
			}
		})
	}
}

// cut sends the beginning of a PATCH and breaks off.
func (w *world) cut(user, upload string, body []byte, after int) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), "PATCH", w.node.URL()+upload, io.MultiReader(bytes.NewReader(body[:after]), broken{}))
	must(w.t, err)
	r.ContentLength = int64(len(body))
	w.sign(r, user)
	for name, value := range map[string]string{"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"} {
		r.Header.Set(name, value)
	}
	if res, err := http.DefaultClient.Do(r); err == nil {
		w.t.Errorf("a request that was cut was answered: %s", res.Status)
		_ = res.Body.Close()
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("cut") }

// awaitOffset is where an upload stands, once that is as far as least.
func (w *world) awaitOffset(user, upload string, least int) (at int) {
	w.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for until := time.Now().Add(30 * time.Second); ; <-tick.C {
		a := w.do(user, "HEAD", upload, nil, "Tus-Resumable", "1.0.0")
		must(w.t, json.Unmarshal([]byte(a.Header.Get("Upload-Offset")), &at))
		if at >= least || time.Now().After(until) {
			return at
		}
	}
}
