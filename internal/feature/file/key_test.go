package file_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path"
	"sync/atomic"
	"testing"
	"time"

	"github.com/skein-im/skein/internal/blob/local"
	"github.com/skein-im/skein/internal/feature/file"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// later is a clock that a test moves.
type later struct{ by atomic.Int64 }

func (l *later) Now() time.Time { return im.SystemClock{}.Now().Add(time.Duration(l.by.Load())) }

func TestAKeyForURLsIsGoodForAnHourAndForNobodyElse(t *testing.T) {
	w := newWorld(t, t.TempDir())
	upload := w.nodes[0].upload(t, ann, []byte("words"))
	own, err := local.Open(w.blobs, im.SystemEntropy())
	must(t, err)
	defer own.Close()
	clock := &later{}
	service := func(secret byte) *file.Service {
		return file.New(file.Deps{DB: w.db, Stores: w.stores(own, newBuckets(t)), Key: bytes.Repeat([]byte{secret}, 32), Clock: clock, Entropy: im.SystemEntropy(), Log: slog.New(slog.DiscardHandler), Origin: "https://files.example.com"})
	}
	ann := im.Actor{App: "shop", User: "ann", Device: "phone"}
	key := func(s *file.Service) string {
		k, err := s.CreateFileKey(t.Context(), ann, &skeinv1.CreateFileKeyRequest{})
		must(t, err)
		if left := time.UnixMicro(k.ExpiresUs).Sub(clock.Now()); left < 59*time.Minute || left > time.Hour || k.Origin != "https://files.example.com" {
			t.Errorf("a key for %v at %q", left, k.Origin)
		}
		return k.Key
	}
	mine := service(1)
	asked := 0
	d := &file.Downloads{Service: mine, Prefix: "/v1/files/", Who: func(*http.Request) (im.Actor, error) { return im.Actor{}, im.Errorf(im.Unauthenticated, "who?") },
		Holds: func(_ context.Context, a im.Actor, since im.Micros) error {
			if asked++; a != ann || clock.Now().Sub(since.Time()) > time.Hour {
				t.Errorf("%v since %v", a, since.Time())
			}
			return nil
		}}
	get := func(key string) (int, string) {
		res := httptest.NewRecorder()
		d.ServeHTTP(res, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/files/"+path.Base(upload)+"?k="+key, nil))
		return res.Code, res.Header().Get("Skein-Error")
	}
	good := key(mine)
	clock.by.Add(int64(59 * time.Minute))
	if status, _ := get(good); status != http.StatusOK || asked != 1 {
		t.Errorf("before the hour is over: %d, asked %d times", status, asked)
	}
	clock.by.Add(int64(2 * time.Minute))
	if status, code := get(good); status != http.StatusUnauthorized || code != "EXPIRED" {
		t.Errorf("after the hour: %d %s", status, code)
	}
	// Any other character anywhere, any other length, and the key of another server.
	good = key(mine)
	for i := range good {
		for _, c := range []byte("Az_") {
			edited := []byte(good)
			if edited[i] == c {
				continue
			}
			edited[i] = c
			if status, code := get(string(edited)); status != http.StatusUnauthorized || code != "UNAUTHENTICATED" {
				t.Fatalf("with %q at %d: %d %s", c, i, status, code)
			}
		}
	}
	for _, bad := range []string{good[:len(good)-1], good + "A", good[4:], "x", key(service(2))} {
		if status, code := get(bad); status != http.StatusUnauthorized || code != "UNAUTHENTICATED" {
			t.Errorf("%q: %d %s", bad, status, code)
		}
	}
	if asked != 1 {
		t.Errorf("what was edited was asked about")
	}
	if status, _ := get(good); status != http.StatusOK {
		t.Errorf("the good one: %d", status)
	}
}
