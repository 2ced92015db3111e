// Package blobtest holds every store of blobs to the contract of package blob.
package blobtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skein-im/skein/internal/blob"
	"github.com/skein-im/skein/internal/im"
)

// Place opens the same place of a test as often as it is called: what one
// opened store has written, another goes on with, as after a restart or on
// another node. It arranges for its own clean-up.
type Place func(t *testing.T) blob.Store

// Run holds a store to its contract. Each call of place is an empty place of
// its own.
func Run(t *testing.T, place func(t *testing.T) Place) {
	for name, test := range map[string]func(*testing.T, Place){
		"what was put is read, whole and in part":                           putAndGet,
		"an object that is not there is not found":                          absent,
		"a key leads nowhere else":                                          keys,
		"what was put twice is the one or the other":                        putAtOnce,
		"an upload goes on with another store, wherever it was durable":     resume,
		"an upload whose bytes are few is an object as well":                small,
		"a reader that fails loses nothing that it gave":                    readerFails,
		"what was not told durable is written over":                         overwrite,
		"nothing can be read before an upload is completed":                 invisible,
		"an upload that lacks bytes or has too many is refused":             wrongSizes,
		"an upload is completed once, whoever asks twice":                   completeTwice,
		"an upload that was aborted is gone, also by its key alone":         abort,
		"uploads of many keys do not disturb each other":                    manyUploads,
		"an error of the caller ends an append":                             callerFails,
		"a presigned URL reads ranges, as it was told, and ends":            presign,
		"a place that works passes its check":                               check,
		"a call that was given up answers that and leaves nothing half way": givenUp,
	} {
		t.Run(name, func(t *testing.T) { test(t, place(t)) })
	}
}

// Bytes makes n bytes from a seed.
func Bytes(seed uint64, n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16)}).Read(b)
	return b
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, code im.Code, err error) {
	t.Helper()
	if im.CodeOf(err) != code {
		t.Errorf("got %v, want %s", err, code)
	}
}

func read(t *testing.T, s blob.Store, key string, from, n int64) []byte {
	t.Helper()
	r, err := s.Get(t.Context(), key, from, n)
	must(t, err)
	b, err := io.ReadAll(r)
	must(t, errors.Join(err, r.Close()))
	return b
}

func putAndGet(t *testing.T, place Place) {
	s := place(t)
	for i, body := range [][]byte{{}, []byte("x"), Bytes(1, 100_000), Bytes(2, blob.MaxPut)} {
		key := fmt.Sprint("a/b/put", i)
		must(t, s.Put(t.Context(), key, body))
		if got := read(t, s, key, 0, -1); !bytes.Equal(got, body) {
			t.Fatalf("%d bytes came back as %d", len(body), len(got))
		}
		if n, err := s.Stat(t.Context(), key); err != nil || n != int64(len(body)) {
			t.Errorf("stat: %d, %v", n, err)
		}
		size := int64(len(body))
		for _, r := range [][2]int64{{0, 1}, {size / 2, 10}, {size - 1, 1}, {size - 1, 100}, {size / 3, -1}, {0, size}, {0, 0}} {
			if r[0] < 0 || r[0] >= size {
				continue
			}
			end := size
			if r[1] >= 0 {
				end = min(size, r[0]+r[1])
			}
			if got := read(t, s, key, r[0], r[1]); !bytes.Equal(got, body[r[0]:end]) {
				t.Errorf("range %v of %d gave %d bytes", r, size, len(got))
			}
		}
		// Behind the end is nothing, not an error: a range is answered by whoever knows the size.
		if got := read(t, s, key, size, 10); len(got) != 0 {
			t.Errorf("%d bytes behind the end", len(got))
		}
	}
	want(t, im.TooLarge, s.Put(t.Context(), "large", make([]byte, blob.MaxPut+1)))
	_, err := s.Get(t.Context(), "a/b/put1", -1, 1)
	want(t, im.InvalidArgument, err)
	must(t, s.Delete(t.Context(), "a/b/put1"))
	must(t, s.Delete(t.Context(), "a/b/put1"))
	_, err = s.Stat(t.Context(), "a/b/put1")
	want(t, im.NotFound, err)
	if got := read(t, s, "a/b/put2", 0, 10); len(got) != 10 {
		t.Error("its neighbour went with it")
	}
}

func absent(t *testing.T, place Place) {
	s := place(t)
	must(t, s.Put(t.Context(), "folder/there", []byte("x")))
	for _, key := range []string{"nothing", "folder/nothing", "folder", "folder/there/below"} {
		_, err := s.Get(t.Context(), key, 0, -1)
		want(t, im.NotFound, err)
		_, err = s.Stat(t.Context(), key)
		want(t, im.NotFound, err)
		if key != "folder" { // which a file system cannot take for an object, and needs not
			must(t, s.Delete(t.Context(), key))
		}
	}
}

func keys(t *testing.T, place Place) {
	s := place(t)
	for _, key := range []string{"", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", ".a", "a/.b", "A", "é", "a b", "a\\b", "a\x00b", "a\nb", "a%2fb",
		"a:b", "a*", "a+b", strings.Repeat("a", 201)} {
		want(t, im.InvalidArgument, s.Put(t.Context(), key, []byte("x")))
		_, err := s.Get(t.Context(), key, 0, -1)
		want(t, im.InvalidArgument, err)
		_, err = s.Stat(t.Context(), key)
		want(t, im.InvalidArgument, err)
		want(t, im.InvalidArgument, s.Delete(t.Context(), key))
		_, err = s.Create(t.Context(), key, 1)
		want(t, im.InvalidArgument, err)
		want(t, im.InvalidArgument, s.Abort(t.Context(), blob.Upload{Key: key}))
	}
	long := strings.Repeat("a", 99) + "/" + strings.Repeat("b", 100)
	for _, key := range []string{"a", "a.b", "con", "a-b_c.d/0/1", long} {
		must(t, s.Put(t.Context(), key, []byte(key)))
		if got := read(t, s, key, 0, -1); string(got) != key {
			t.Errorf("%q holds %q", key, got)
		}
		u := blob.Upload{Key: key + "2", Size: 3}
		if len(u.Key) > 200 {
			u.Key = long[:199] + "c"
		}
		u.ID = create(t, s, u)
		u = add(t, s, u, []byte("abc"))
		must(t, s.Complete(t.Context(), u))
	}
}

func putAtOnce(t *testing.T, place Place) {
	s := place(t)
	bodies := [][]byte{Bytes(1, 300_000), Bytes(2, 200_000)}
	must(t, s.Put(t.Context(), "k", bodies[0]))
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			if i%2 == 0 {
				if err := s.Put(t.Context(), "k", bodies[i/2%2]); err != nil {
					t.Error(err)
				}
				return
			}
			r, err := s.Get(t.Context(), "k", 0, -1)
			if err != nil {
				t.Error(err)
				return
			}
			defer r.Close()
			if b, err := io.ReadAll(r); err != nil || !bytes.Equal(b, bodies[0]) && !bytes.Equal(b, bodies[1]) {
				t.Errorf("read %d bytes that nobody wrote, %v", len(b), err)
			}
		})
	}
	all.Wait()
}

func create(t *testing.T, s blob.Store, u blob.Upload) string {
	t.Helper()
	id, err := s.Create(t.Context(), u.Key, u.Size)
	must(t, err)
	if id == "" || len(id) > 1024 {
		t.Fatalf("the id is %q", id)
	}
	return id
}

// add appends, and returns the upload as its caller knows it then.
func add(t *testing.T, s blob.Store, u blob.Upload, b []byte) blob.Upload {
	t.Helper()
	must(t, s.Append(t.Context(), u, bytes.NewReader(b), func(at int64) error { u.At = at; return nil }))
	return u
}

func complete(t *testing.T, s blob.Store, u blob.Upload, body []byte) {
	t.Helper()
	must(t, s.Complete(t.Context(), u))
	if got := read(t, s, u.Key, 0, -1); !bytes.Equal(got, body) {
		t.Fatalf("an upload of %d bytes became %d others", len(body), len(got))
	}
	if n, err := s.Stat(t.Context(), u.Key); err != nil || n != u.Size {
		t.Errorf("stat: %d, %v", n, err)
	}
}

func resume(t *testing.T, place Place) {
	body := Bytes(3, 3*blob.Step+12_345)
	s := place(t)
	u := blob.Upload{Key: "up/resumed", Size: int64(len(body))}
	u.ID = create(t, s, u)
	// Steps around the bounds of parts, each by a store that knows nothing of the others.
	for _, to := range []int{1, 1, 100_000, blob.Step - 1, blob.Step, blob.Step + 1, 2*blob.Step + 70_000, 3 * blob.Step, len(body) - 1, len(body)} {
		s = place(t)
		u = add(t, s, u, body[u.At:to])
		if u.At != int64(to) {
			t.Fatalf("durable up to %d of %d", u.At, to)
		}
	}
	complete(t, place(t), u, body)
	if got := read(t, s, u.Key, blob.Step-5, 10); !bytes.Equal(got, body[blob.Step-5:blob.Step+5]) {
		t.Error("a range over the bound of two parts is wrong")
	}
}

func small(t *testing.T, place Place) {
	s := place(t)
	for i, size := range []int{0, 1, 70_000, blob.Step, blob.Step + 1} {
		body := Bytes(uint64(10+i), size)
		u := blob.Upload{Key: fmt.Sprint("small", i), Size: int64(size)}
		u.ID = create(t, s, u)
		complete(t, s, add(t, s, u, body), body)
	}
}

// failing gives some bytes and fails then.
type failing struct {
	r   io.Reader
	err error
}

func (f failing) Read(b []byte) (int, error) {
	n, err := f.r.Read(b)
	if err == io.EOF {
		err = f.err
	}
	return n, err
}

func readerFails(t *testing.T, place Place) {
	s := place(t)
	body := Bytes(4, blob.Step+300_000)
	u := blob.Upload{Key: "cut", Size: int64(len(body))}
	u.ID = create(t, s, u)
	cable := errors.New("the cable was cut")
	for _, to := range []int{100_000, blob.Step + 7} {
		err := s.Append(t.Context(), u, failing{bytes.NewReader(body[u.At:to]), cable}, func(at int64) error { u.At = at; return nil })
		if !errors.Is(err, cable) || u.At != int64(to) {
			t.Fatalf("%v, durable up to %d of %d", err, u.At, to)
		}
	}
	complete(t, s, add(t, s, u, body[u.At:]), body)
}

func overwrite(t *testing.T, place Place) {
	body := Bytes(5, 2*blob.Step+5000)
	s := place(t)
	u := blob.Upload{Key: "over", Size: int64(len(body))}
	u.ID = create(t, s, u)
	// Each time the caller dies after bytes were stored, before it wrote their number down: within a part,
	// at its end, and behind it.
	for i, lost := range []int{500, blob.Step - 1000, blob.Step + 300, 1} {
		u = add(t, place(t), u, body[u.At:u.At+1000])
		must(t, s.Append(t.Context(), u, bytes.NewReader(Bytes(6, lost)), func(int64) error { return nil }))
		if i == 2 {
			u = add(t, place(t), u, body[u.At:blob.Step+9])
		}
	}
	u = add(t, place(t), u, body[u.At:])
	complete(t, s, u, body)
}

func invisible(t *testing.T, place Place) {
	s := place(t)
	body := Bytes(7, blob.Step+10)
	u := blob.Upload{Key: "not/yet", Size: int64(len(body))}
	u.ID = create(t, s, u)
	seen := func() {
		t.Helper()
		_, err := s.Stat(t.Context(), u.Key)
		want(t, im.NotFound, err)
		_, err = s.Get(t.Context(), u.Key, 0, -1)
		want(t, im.NotFound, err)
	}
	seen()
	u = add(t, s, u, body[:blob.Step])
	seen()
	u = add(t, s, u, body[blob.Step:])
	seen()
	complete(t, s, u, body)
}

func wrongSizes(t *testing.T, place Place) {
	s := place(t)
	for _, size := range []int64{-1, blob.MaxSize + 1} {
		if _, err := s.Create(t.Context(), "k", size); err == nil {
			t.Errorf("an upload of %d bytes was created", size)
		}
	}
	u := blob.Upload{Key: "sizes", Size: 1000}
	u.ID = create(t, s, u)
	nothing := func(int64) error { return nil }
	for _, at := range []int64{-1, 1001, 1 << 62} {
		bad := u
		bad.At = at
		want(t, im.InvalidArgument, s.Append(t.Context(), bad, strings.NewReader("x"), nothing))
	}
	u = add(t, s, u, Bytes(8, 999))
	want(t, im.FailedPrecondition, s.Complete(t.Context(), u))
	want(t, im.TooLarge, s.Append(t.Context(), u, strings.NewReader("xy"), nothing))
	u = add(t, s, u, []byte("z"))
	complete(t, s, u, append(Bytes(8, 999), 'z'))
}

func completeTwice(t *testing.T, place Place) {
	for i, size := range []int{500, blob.Step + 500} {
		s := place(t)
		body := Bytes(9, size)
		u := blob.Upload{Key: fmt.Sprint("twice", i), Size: int64(size)}
		u.ID = create(t, s, u)
		u = add(t, s, u, body)
		for range 3 { // as whoever died before it heard the answer does
			must(t, place(t).Complete(t.Context(), u))
		}
		complete(t, place(t), u, body)
	}
}

func abort(t *testing.T, place Place) {
	for i, size := range []int{500, 2*blob.Step + 500} {
		s := place(t)
		u := blob.Upload{Key: fmt.Sprint("abort", i), Size: int64(size)}
		u.ID = create(t, s, u)
		u = add(t, s, u, Bytes(9, size*2/3))
		must(t, s.Abort(t.Context(), u))
		must(t, s.Abort(t.Context(), u))
		if err := s.Complete(t.Context(), blob.Upload{Key: u.Key, ID: u.ID, Size: u.Size, At: u.Size}); err == nil {
			t.Error("an upload that was aborted was completed")
		}
		_, err := s.Stat(t.Context(), u.Key)
		want(t, im.NotFound, err)
		// Whoever died before the id was written down knows the key alone.
		first, second := create(t, s, u), create(t, s, u)
		add(t, s, blob.Upload{Key: u.Key, ID: first, Size: u.Size}, Bytes(9, 100))
		other := blob.Upload{Key: u.Key + ".0", Size: 3}
		other.ID = create(t, s, other)
		must(t, place(t).Abort(t.Context(), blob.Upload{Key: u.Key}))
		for _, id := range []string{first, second} {
			if err := s.Complete(t.Context(), blob.Upload{Key: u.Key, ID: id, Size: u.Size, At: u.Size}); err == nil {
				t.Error("an upload that was aborted by its key was completed")
			}
		}
		complete(t, s, add(t, s, other, []byte("abc")), []byte("abc"))
	}
	s, forged := place(t), blob.Upload{Key: "k", ID: "../../etc/passwd", Size: 4}
	err := s.Append(t.Context(), forged, strings.NewReader("abcd"), func(at int64) error { forged.At = at; return nil })
	if err == nil {
		err = s.Complete(t.Context(), forged)
	}
	want(t, im.NotFound, err)
}

func manyUploads(t *testing.T, place Place) {
	s := place(t)
	var all sync.WaitGroup
	for i := range 6 {
		all.Go(func() {
			body := Bytes(uint64(100+i), 400_000*(i+1))
			u := blob.Upload{Key: fmt.Sprintf("many/%d", i%3), Size: int64(len(body))}
			u.Key += fmt.Sprint("/", i)
			id, err := s.Create(t.Context(), u.Key, u.Size)
			u.ID = id
			for err == nil && u.At < u.Size {
				err = s.Append(t.Context(), u, bytes.NewReader(body[u.At:min(u.Size, u.At+333_333)]), func(at int64) error { u.At = at; return nil })
			}
			if err == nil {
				err = s.Complete(t.Context(), u)
			}
			if err != nil {
				t.Error(err)
				return
			}
			r, err := s.Get(t.Context(), u.Key, 0, -1)
			if err != nil {
				t.Error(err)
				return
			}
			defer r.Close()
			if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, body) {
				t.Errorf("upload %d has other bytes, %v", i, err)
			}
		})
	}
	all.Wait()
}

func callerFails(t *testing.T, place Place) {
	s := place(t)
	u := blob.Upload{Key: "caller", Size: 2*blob.Step + 1}
	u.ID = create(t, s, u)
	gone := errors.New("the lease is gone")
	calls := 0
	r := bytes.NewReader(Bytes(11, int(u.Size)))
	if err := s.Append(t.Context(), u, r, func(int64) error { calls++; return gone }); !errors.Is(err, gone) || calls != 1 {
		t.Errorf("%v after %d calls", err, calls)
	}
}

func presign(t *testing.T, place Place) {
	s := place(t)
	body := Bytes(12, 1000)
	must(t, s.Put(t.Context(), "signed/a", body))
	for _, ttl := range []time.Duration{0, -1, time.Millisecond, blob.MaxPresign + 1} {
		_, err := s.Presign(t.Context(), "signed/a", ttl, blob.Headers{})
		want(t, im.InvalidArgument, err)
	}
	as := blob.Headers{Type: "image/webp", Disposition: `attachment; filename="a b.webp"; filename*=UTF-8''%E4%BD%A0.webp`}
	url, err := s.Presign(t.Context(), "signed/a", 2*time.Second, as)
	if im.CodeOf(err) == im.Unsupported {
		return
	}
	must(t, err)
	get := func(url string, from string) (*http.Response, []byte) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		must(t, err)
		if from != "" {
			r.Header.Set("Range", from)
		}
		res, err := http.DefaultClient.Do(r)
		must(t, err)
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		must(t, err)
		return res, b
	}
	res, got := get(url, "")
	if res.StatusCode != http.StatusOK || !bytes.Equal(got, body) {
		t.Fatalf("the URL answers %s with %d bytes: %.300s", res.Status, len(got), got)
	}
	if res.Header.Get("Content-Type") != as.Type || res.Header.Get("Content-Disposition") != as.Disposition {
		t.Errorf("the URL answers as %q, %q", res.Header.Get("Content-Type"), res.Header.Get("Content-Disposition"))
	}
	if res, got := get(url, "bytes=10-19"); res.StatusCode != http.StatusPartialContent || !bytes.Equal(got, body[10:20]) {
		t.Errorf("a range of the URL answers %s with %d bytes", res.Status, len(got))
	}
	// An edited one reads nothing, and neither does one whose time is up.
	must(t, s.Put(t.Context(), "signed/b", body))
	edited := strings.NewReplacer("signed/a", "signed/b", "signed%2Fa", "signed%2Fb").Replace(url)
	if res, _ := get(edited, ""); edited == url || res.StatusCode/100 == 2 {
		t.Error("an edited URL reads another object")
	}
	for until := time.Now().Add(20 * time.Second); ; {
		if res, _ := get(url, ""); res.StatusCode/100 != 2 {
			break
		}
		if time.Now().After(until) {
			t.Fatal("the URL is good for ever")
		}
		<-time.After(200 * time.Millisecond)
	}
}

func check(t *testing.T, place Place) { must(t, place(t).Check(t.Context())) }

func givenUp(t *testing.T, place Place) {
	s := place(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	u := blob.Upload{Key: "given/up", Size: 2 * blob.Step}
	u.ID = create(t, s, u)
	body := Bytes(13, int(u.Size))
	told := int64(0)
	if err := s.Append(ctx, u, bytes.NewReader(body), func(at int64) error { told = at; return nil }); err == nil {
		t.Error("a call that was given up answered nothing")
	}
	u.At = told
	complete(t, s, add(t, s, u, body[u.At:]), body)
}
