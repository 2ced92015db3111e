package server_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
	skein "github.com/skein-im/skein/sdk/go"
	"github.com/skein-im/skein/sdk/go/server"
)

const uploadID = "0123456789abcdef0123456789abcdef"

// uploads is a server of uploads that has one at a time. says answers a request
// in its place, by its number of that method, unless it gives 0.
type uploads struct {
	says func(method string, n int) (status int, code string)
	n    map[string]int // requests by method
	seen []string
	begun,
	whole bool
	size int64
	meta string
	had  []byte
}

func (u *uploads) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	method := r.Method
	if strings.HasSuffix(r.URL.Path, "FileService/GetFile") {
		method = "GetFile"
	}
	u.n[method]++
	u.seen = append(u.seen, method)
	if status, code := u.says(method, u.n[method]); status != 0 {
		if status == -1 { // the connection breaks with half of the bytes
			_, _ = io.CopyN(io.Discard, r.Body, r.ContentLength/2)
			panic(http.ErrAbortHandler)
		}
		if u.begun = u.begun && status != http.StatusNotFound; code != "" {
			w.Header().Set("Skein-Error", code)
		}
		http.Error(w, "no: try less", status)
		return
	}
	switch method {
	case "POST":
		u.begun, u.had, u.meta = true, nil, r.Header.Get("Upload-Metadata")
		u.size, _ = strconv.ParseInt(r.Header.Get("Upload-Length"), 10, 64)
		w.Header().Set("Location", "/v1/uploads/"+uploadID)
		w.WriteHeader(http.StatusCreated)
		return
	case "PATCH":
		b, _ := io.ReadAll(r.Body)
		if at := r.Header.Get("Upload-Offset"); at != strconv.Itoa(len(u.had)) {
			panic("bytes for " + at)
		}
		u.had = append(u.had, b...)
		w.Header().Set("Upload-Offset", strconv.Itoa(len(u.had)))
		w.WriteHeader(http.StatusNoContent)
	case "HEAD":
		w.Header().Set("Upload-Offset", strconv.Itoa(len(u.had)))
	case "DELETE":
		u.begun = false
		w.WriteHeader(http.StatusNoContent)
	case "GetFile":
		if !u.whole {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"code":"not_found"}`)
			return
		}
		b, _ := proto.Marshal(&skeinv1.GetFileResponse{File: &skeinv1.File{Id: uploadID, Size: uint64(len(u.had))}})
		w.Header().Set("Content-Type", "application/proto")
		_, _ = w.Write(b)
	}
	u.whole = u.begun && int64(len(u.had)) == u.size
}

func uploadsTo(t *testing.T, says func(method string, n int) (int, string)) (*server.Client, *uploads) {
	t.Helper()
	if says == nil {
		says = func(string, int) (int, string) { return 0, "" }
	}
	u := &uploads{says: says, n: map[string]int{}}
	s := httptest.NewServer(u)
	t.Cleanup(s.Close)
	c, err := server.New(server.Options{Endpoint: s.URL, App: "shop", Token: (&server.Secret{App: "shop", KID: "k", Text: "s"}).Token, Attempts: 2})
	if err != nil {
		t.Fatal(err)
	}
	return c, u
}

func TestAnUploadGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	for name, c := range map[string]struct {
		size int
		says func(method string, n int) (int, string)
		want skein.Code // "" = it is there
		seen string
	}{
		"in pieces":           {size: 17 * mib, seen: "POST PATCH PATCH PATCH GetFile"},
		"of nothing":          {seen: "POST HEAD GetFile"},
		"a lost connection":   {size: 9, says: first("PATCH", -1, ""), seen: "POST PATCH HEAD PATCH GetFile"},
		"a broken server":     {size: 9, says: first("PATCH", 500, ""), seen: "POST PATCH HEAD PATCH GetFile"},
		"another holds it":    {size: 9, says: first("PATCH", 423, ""), seen: "POST PATCH HEAD PATCH GetFile"},
		"it stands elsewhere": {size: 9, says: first("PATCH", 409, "FAILED_PRECONDITION"), seen: "POST PATCH HEAD PATCH GetFile"},
		"no server yet":       {size: 9, says: first("POST", 503, ""), seen: "POST POST PATCH GetFile"},
		"it is forgotten":     {size: 9, says: first("PATCH", 404, "NOT_FOUND"), seen: "POST PATCH GetFile POST PATCH GetFile"},
		"it has expired":      {size: 9, says: first("PATCH", 410, ""), seen: "POST PATCH GetFile POST PATCH GetFile"},
		"a narrow proxy":      {size: 3 * mib, says: first("PATCH", 413, ""), seen: "POST PATCH HEAD PATCH PATCH GetFile"},
		"forgotten again":     {size: 9, says: always("PATCH", 404, "NOT_FOUND"), want: skein.NotFound, seen: "POST PATCH GetFile POST PATCH GetFile"},
		"too large":           {size: 9, says: always("POST", 413, "TOO_LARGE"), want: skein.TooLarge, seen: "POST"},
		"a quota":             {size: 9, says: always("POST", 507, "RESOURCE_EXHAUSTED"), want: skein.ResourceExhausted, seen: "POST"},
		"a full disk":         {size: 9, says: always("PATCH", 507, ""), want: skein.ResourceExhausted, seen: "POST PATCH DELETE"},
		"another hash":        {size: 9, says: always("PATCH", 400, "INVALID_ARGUMENT"), want: skein.InvalidArgument, seen: "POST PATCH DELETE"},
		"no token":            {size: 9, says: always("POST", 401, "UNAUTHENTICATED"), want: skein.Unauthenticated, seen: "POST"},
		"never a server":      {size: 9, says: always("PATCH", 502, ""), want: skein.Unavailable, seen: "POST PATCH HEAD PATCH HEAD PATCH HEAD PATCH DELETE"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, u := uploadsTo(t, c.says)
			b := bytes.Repeat([]byte("skein"), c.size/5+1)[:c.size]
			f, err := client.Upload(t.Context(), server.UploadFile{Name: "plan.txt", Reader: bytes.NewReader(b), Size: int64(c.size)})
			if skein.CodeOf(err) != c.want || strings.Join(u.seen, " ") != c.seen {
				t.Errorf("%v after %s", err, strings.Join(u.seen, " "))
			}
			if c.want == "" && (f.GetId() != uploadID || !bytes.Equal(u.had, b)) {
				t.Errorf("the server has %d bytes, and says %v", len(u.had), f)
			}
			if e := (*skein.Error)(nil); c.want == skein.TooLarge && (!errors.As(err, &e) || e.Message != "no: try less") {
				t.Errorf("it says %v", err)
			}
		})
	}
}

// first answers the first request of a method, always all of them.
func first(method string, status int, code string) func(string, int) (int, string) {
	return func(m string, n int) (int, string) {
		if m == method && n == 1 {
			return status, code
		}
		return 0, ""
	}
}

func always(method string, status int, code string) func(string, int) (int, string) {
	return func(m string, _ int) (int, string) {
		if m == method {
			return status, code
		}
		return 0, ""
	}
}

func TestAnUploadSaysWhatItBrings(t *testing.T) {
	t.Parallel()
	c, u := uploadsTo(t, nil)
	sum := sha256.Sum256([]byte("skein"))
	if _, err := c.Upload(t.Context(), server.UploadFile{Name: "a, b", MIME: "text/plain", Reader: strings.NewReader("skein"), Size: 5, SHA256: sum[:]}); err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("filename %s,filetype %s,sha256 %s", b64("a, b"), b64("text/plain"), b64(fmt.Sprintf("%x", sum))); u.meta != want {
		t.Errorf("it said %q", u.meta)
	}
	for _, f := range []server.UploadFile{{}, {Reader: strings.NewReader(""), Size: -1}, {Reader: strings.NewReader(""), SHA256: []byte("short")}} {
		if _, err := c.Upload(t.Context(), f); skein.CodeOf(err) != skein.InvalidArgument {
			t.Errorf("%+v: %v", f, err)
		}
	}
}

func TestAnUploadEndsWithItsContextAndWithABrokenFile(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	c, u := uploadsTo(t, func(method string, _ int) (int, string) {
		if method == "PATCH" {
			cancel()
			return 503, ""
		}
		return 0, ""
	})
	_, err := c.Upload(ctx, server.UploadFile{Name: "a", Reader: strings.NewReader("skein"), Size: 5})
	if skein.CodeOf(err) != skein.Aborted || !errors.Is(err, context.Canceled) || u.begun {
		t.Errorf("%v after %v", err, u.seen)
	}
	c, u = uploadsTo(t, nil)
	_, err = c.Upload(t.Context(), server.UploadFile{Name: "a", Reader: strings.NewReader("skein"), Size: 50})
	if skein.CodeOf(err) != skein.FailedPrecondition || !errors.Is(err, io.ErrUnexpectedEOF) || u.begun {
		t.Errorf("%v after %v", err, u.seen)
	}
	c, _ = uploadsTo(t, nil)
	closed, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	if _, err = c.Upload(t.Context(), server.UploadFile{Name: "a", Reader: closed, Size: 50}); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
}

func TestAMessageSaysOfAFileWhatTheServerFound(t *testing.T) {
	t.Parallel()
	f := &skeinv1.File{Id: uploadID, Name: "a.png", Mime: "image/png", Size: 7, Sha256: []byte{1}, CreatedUs: 5,
		Media: &skeinv1.Media{Width: 3, Height: 2, DurationMs: 4, Thumb: []byte{2}, Animated: true, Waveform: []byte{9}}}
	want := &skeinv1.Attachment{File: uploadID, Name: "a.png", Mime: "image/png", Size: 7, Sha256: []byte{1},
		Width: 3, Height: 2, DurationMs: 4, Thumb: []byte{2}, Animated: true, Waveform: []byte{9}}
	got := server.Attachments("look", server.Attachment(f), server.Attachment(&skeinv1.File{Id: "x"})).GetContent().GetAttachments()
	if got.GetCaption() != "look" || len(got.GetItems()) != 2 || !proto.Equal(got.GetItems()[0], want) || !proto.Equal(got.GetItems()[1], &skeinv1.Attachment{File: "x"}) {
		t.Errorf("it says %v", got)
	}
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
