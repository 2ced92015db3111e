package bench

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"

	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
	"github.com/skein-im/skein/proto/skein/v1/skeinv1connect"
)

// UploadOptions say what is uploaded.
type UploadOptions struct {
	Size  int64 // of a file, in bytes
	Files int   // all at once
	First int   // the number of the first; those of other numbers are other bytes
}

// UploadResult is a run.
type UploadResult struct {
	Took       time.Duration
	Mismatches int // files whose hash is another one at the other end
}

// content is a file's bytes: those of all files, after a number of its own, so
// that no two are the same.
type content struct {
	number int
	size   int64
	block  []byte
	sum    [sha256.Size]byte
}

// contents makes the files and their hashes before anything is measured.
func contents(o UploadOptions) []*content {
	block := make([]byte, 4<<20)
	src := rand.NewChaCha8([32]byte{1})
	_, _ = src.Read(block)
	files := make([]*content, o.Files)
	var all sync.WaitGroup
	for i := range files {
		files[i] = &content{number: o.First + i, size: o.Size, block: block}
		all.Go(func() {
			h := sha256.New()
			_, _ = io.Copy(h, files[i].reader())
			files[i].sum = [sha256.Size]byte(h.Sum(nil))
		})
	}
	all.Wait()
	return files
}

// reader reads the bytes.
func (c *content) reader() io.Reader {
	first := make([]byte, min(8, c.size))
	copy(first, strconv.Itoa(c.number))
	return io.LimitReader(io.MultiReader(bytes.NewReader(first), &endless{b: c.block}), c.size)
}

// endless repeats a block.
type endless struct {
	b  []byte
	at int
}

// Read implements io.Reader.
func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.b[e.at:])
	e.at = (e.at + n) % len(e.b)
	return n, nil
}

// each sends all files at once and counts those that arrived as others.
func each(files []*content, send func(c *content) (sum []byte, err error)) (r UploadResult, err error) {
	var mu sync.Mutex // guards r and err
	var all sync.WaitGroup
	began := time.Now()
	for _, c := range files {
		all.Go(func() {
			sum, failed := send(c)
			mu.Lock()
			defer mu.Unlock()
			err = errors.Join(err, failed)
			if failed == nil && !bytes.Equal(sum, c.sum[:]) {
				r.Mismatches++
			}
		})
	}
	all.Wait()
	r.Took = time.Since(began)
	return r, err
}

// Upload uploads files over tus, each by a user of its own and with one PATCH.
func Upload(ctx context.Context, t *Target, o UploadOptions) (UploadResult, error) {
	base := "http" + strings.TrimSuffix(strings.TrimPrefix(t.URL, "ws"), "/v1/socket")
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: t.TLS, MaxConnsPerHost: 0}}
	defer client.CloseIdleConnections()
	calls := skeinv1connect.NewFileServiceClient(client, base)
	return each(contents(o), func(c *content) ([]byte, error) {
		token, err := t.Token(im.UserID(fmt.Sprintf("uploader%d", c.number)))
		if err != nil {
			return nil, err
		}
		headers := map[string]string{"Authorization": "Bearer " + token, "Skein-App": string(t.App), "Tus-Resumable": "1.0.0"}
		res, err := exchange(ctx, client, http.MethodPost, base+"/v1/uploads/", nil, 0, headers, "Upload-Length", strconv.FormatInt(c.size, 10))
		if err != nil {
			return nil, err
		}
		where := res.Get("Location")
		if _, err := exchange(ctx, client, http.MethodPatch, base+where, c.reader(), c.size, headers,
			"Upload-Offset", "0", "Content-Type", "application/offset+octet-stream"); err != nil {
			return nil, err
		}
		r := connect.NewRequest(&skeinv1.GetFileRequest{Id: path.Base(where)})
		r.Header().Set("Authorization", headers["Authorization"])
		r.Header().Set("Skein-App", headers["Skein-App"])
		got, err := calls.GetFile(ctx, r)
		if err != nil {
			return nil, err
		}
		return got.Msg.File.Sha256, nil
	})
}

// exchange makes a request that has to succeed and returns the answer's headers.
func exchange(ctx context.Context, client *http.Client, method, url string, body io.Reader, size int64, headers map[string]string, pairs ...string) (http.Header, error) {
	r, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return nil, err
	}
	r.ContentLength = size
	for k, v := range headers {
		r.Header.Set(k, v)
	}
	for i := 0; i < len(pairs); i += 2 {
		r.Header.Set(pairs[i], pairs[i+1])
	}
	res, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, 1024))
	if err = errors.Join(err, res.Body.Close()); err != nil {
		return nil, err
	}
	if res.StatusCode/100 != 2 {
		return nil, fmt.Errorf("%s %s: %s %s", method, path.Base(url), res.Status, text)
	}
	if len(text) > 0 {
		res.Header.Set("Body", strings.TrimSpace(string(text)))
	}
	return res.Header, nil
}

// ServeSink is the yardstick of uploads: it stores what is posted in a folder,
// hashing it on the way, with one fsync a file, and answers with the hash. It
// prints its address first.
func ServeSink(ctx context.Context, dir string, stdout io.Writer) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintln(stdout, ln.Addr())
	s := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sum, err := sink(filepath.Join(dir, path.Base(r.URL.Path)), r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprintln(w, hex.EncodeToString(sum))
	})}
	stop := context.AfterFunc(ctx, func() { _ = s.Close() })
	defer stop()
	if err := s.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func sink(name string, r io.Reader) ([]byte, error) {
	f, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	_, err = io.Copy(f, io.TeeReader(r, h))
	if err == nil {
		err = f.Sync()
	}
	return h.Sum(nil), errors.Join(err, f.Close())
}

// Sink posts the same files to a ServeSink.
func Sink(ctx context.Context, addr string, o UploadOptions) (UploadResult, error) {
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	return each(contents(o), func(c *content) ([]byte, error) {
		res, err := exchange(ctx, client, http.MethodPost, fmt.Sprintf("http://%s/%d", addr, c.number), c.reader(), c.size, nil)
		if err != nil {
			return nil, err
		}
		return hex.DecodeString(res.Get("Body"))
	})
}
