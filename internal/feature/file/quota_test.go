package file_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/blob"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/feature/file"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// begin tries to begin an upload.
func (n *node) begin(t *testing.T, who string, size int) (*http.Response, string) {
	t.Helper()
	return n.request(t, who, "POST", "/v1/uploads/", nil, "Upload-Length", strconv.Itoa(size))
}

// refused holds an answer to a refusal that says which quota it was.
func refused(t *testing.T, res *http.Response, text, code, which string) {
	t.Helper()
	status := map[string]int{"RESOURCE_EXHAUSTED": http.StatusInsufficientStorage, "TOO_LARGE": http.StatusRequestEntityTooLarge}[code]
	if res.StatusCode != status || res.Header.Get("Skein-Error") != code || !strings.Contains(text, which) || !strings.Contains(text, "docs/ops/quotas.md") {
		t.Errorf("%s %s: %s", res.Status, res.Header.Get("Skein-Error"), text)
	}
}

// counts are what is counted: of the app, of ann, and of her day.
func (w *world) counts(when string, app, user, today int) {
	w.t.Helper()
	a := w.count("SELECT coalesce(sum(bytes), 0) FROM file_app WHERE app = 'shop'")
	u := w.count("SELECT coalesce(sum(bytes), 0) FROM file_user WHERE app = 'shop' AND owner = 'ann'")
	d := w.count("SELECT coalesce(sum(today), 0) FROM file_user WHERE app = 'shop' AND owner = 'ann'")
	if a != app || u != user || d != today {
		w.t.Errorf("%s: counted are %d, %d and %d; want %d, %d and %d", when, a, u, d, app, user, today)
	}
}

func TestAnAppAndItsUsersHaveRoomForSoManyBytes(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		one, two := w.nodes[0], w.nodes[1]
		first := one.upload(t, ann, random(1, 30_000))
		// What was there before a quota counts.
		w.quotas.Store(&skeinv1.AppQuotas{StoredBytes: proto.Uint64(100_000), UserStoredBytes: proto.Uint64(70_000), UserUploadedBytesPerDay: proto.Uint64(80_000)})
		w.counts("one file", 30_000, 30_000, 30_000)
		open := two.create(t, ann, 40_000)
		w.counts("an upload that is open", 70_000, 70_000, 70_000)
		res, text := one.begin(t, ann, 1)
		refused(t, res, text, "RESOURCE_EXHAUSTED", "70000 bytes of files that a user")
		res, text = one.begin(t, "shop/bob", 30_001)
		refused(t, res, text, "RESOURCE_EXHAUSTED", "100000 bytes of files that it may have")
		res, text = one.begin(t, "shop/bob", 100_001)
		refused(t, res, text, "TOO_LARGE", "100000 bytes of files that it may have")
		res, text = one.begin(t, "shop/bob", 70_001)
		refused(t, res, text, "RESOURCE_EXHAUSTED", "that it may have") // the app's comes first
		w.counts("what was refused", 70_000, 70_000, 70_000)
		if res, _ := one.begin(t, "club/ann", 100_000); res.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("the other app: %s", res.Status) // 70,000 a user, which is the same quota here
		}
		// What came of an upload that is given up counts for the day, and no longer as stored.
		one.cut(t, ann, open, 0, random(2, 40_000), 15_000)
		at := -1
		for until := time.Now().Add(20 * time.Second); at != 15_000 && time.Now().Before(until); <-time.After(10 * time.Millisecond) {
			at = one.head(t, ann, open)
		}
		if res, text := two.request(t, ann, "DELETE", open, nil); res.StatusCode != http.StatusNoContent {
			t.Fatalf("%s %s", res.Status, text)
		}
		w.counts("given up", 30_000, 30_000, 30_000+at)
		res, text = one.begin(t, ann, 35_001)
		refused(t, res, text, "RESOURCE_EXHAUSTED", "may upload in a day")
		if res.Header.Get("Retry-After") == "" {
			t.Error("nothing says when the day is over")
		}
		second := one.upload(t, ann, random(3, 35_000))
		w.counts("all of the day", 65_000, 65_000, 80_000)
		must(t, w.db.Write(t.Context(), func(tx db.Tx) error { _, err := tx.Exec("UPDATE file_user SET day = day - 1"); return err }))
		two.upload(t, ann, random(4, 5_000))
		w.counts("the next day", 70_000, 70_000, 5_000)
		// The same bytes once more are stored once and count twice.
		w.quotas.Store(&skeinv1.AppQuotas{})
		one.upload(t, "shop/bob", random(3, 35_000))
		w.counts("twice the same", 105_000, 70_000, 5_000)
		// What an older program left is too little or nothing; it refuses nobody, and can be counted anew.
		must(t, w.db.Write(t.Context(), func(tx db.Tx) error {
			_, err := tx.Exec("UPDATE file_app SET bytes = -7")
			if err == nil {
				_, err = tx.Exec("DELETE FROM file_user WHERE owner = 'ann'")
			}
			if err == nil {
				_, err = tx.Exec("UPDATE file_user SET bytes = 3")
			}
			return err
		}))
		w.quotas.Store(&skeinv1.AppQuotas{StoredBytes: proto.Uint64(100_000)})
		var few skeinv1.AppUsage
		if err := file.Usage(t.Context(), w.db, "shop", &few); err != nil || few.StoredBytes != 0 {
			t.Errorf("%v, %v", &few, err)
		}
		if res, text := one.begin(t, "shop/cid", 5); res.StatusCode != http.StatusCreated {
			t.Errorf("%s %s", res.Status, text)
		} else if res, text := one.request(t, "shop/cid", "DELETE", res.Header.Get("Location"), nil); res.StatusCode != http.StatusNoContent {
			t.Errorf("%s %s", res.Status, text)
		}
		w.quotas.Store(&skeinv1.AppQuotas{})
		must(t, file.Recount(t.Context(), w.db, "shop"))
		w.counts("counted anew", 105_000, 70_000, 0)
		if n := w.count("SELECT bytes FROM file_user WHERE app = 'shop' AND owner = 'bob'"); n != 35_000 {
			t.Errorf("bob has %d", n)
		}
		var use skeinv1.AppUsage
		if err := file.Usage(t.Context(), w.db, "shop", &use); err != nil || use.StoredBytes != 105_000 || use.Bucket != "" {
			t.Errorf("%v, %v", &use, err)
		}
		// What is taken out of a picture takes no room.
		photo := picture(t)
		made := one.upload(t, ann, photo)
		kept := w.count("SELECT size FROM file WHERE id = $1", made[len(made)-32:])
		if kept >= len(photo) {
			t.Errorf("of %d bytes %d were kept", len(photo), kept)
		}
		w.counts("a picture", 105_000+kept, 70_000+kept, len(photo))
		// What is collected frees its place, an upload that nothing came for too.
		two.create(t, ann, 9_000)
		must(t, w.db.Write(t.Context(), func(tx db.Tx) error {
			if _, err := tx.Exec("UPDATE file SET refs = 1 WHERE id = $1", first[len(first)-32:]); err != nil {
				return err
			}
			_, err := tx.Exec("UPDATE file_upload SET expires = 1")
			return err
		}))
		w.old()
		w.counts("collected", 30_000, 30_000, len(photo))
		if status, _ := one.read(t, ann, second); status != http.StatusNotFound {
			t.Errorf("a file that was collected: %d", status)
		}
	})
}

func TestManyAtOnceOnTwoNodesTakeNoMoreThanThereIs(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		for _, q := range []struct {
			what   string
			quotas *skeinv1.AppQuotas
			who    func(i int) string
		}{
			{"the app", &skeinv1.AppQuotas{StoredBytes: proto.Uint64(40_000)}, func(i int) string { return fmt.Sprint("shop/u", i) }},
			{"a user", &skeinv1.AppQuotas{UserStoredBytes: proto.Uint64(4_000)}, func(int) string { return "user/ann" }},
			{"a day", &skeinv1.AppQuotas{UserUploadedBytesPerDay: proto.Uint64(4_999)}, func(int) string { return "day/ann" }},
		} {
			w.quotas.Store(q.quotas)
			var began, full atomic.Int64
			var all sync.WaitGroup
			for i := range 60 {
				all.Go(func() {
					res, text := w.nodes[i%2].begin(t, q.who(i), 1_000)
					switch res.StatusCode {
					case http.StatusCreated:
						began.Add(1)
					case http.StatusInsufficientStorage:
						full.Add(1)
					default:
						t.Errorf("%s: %s", res.Status, text)
					}
				})
			}
			all.Wait()
			want := int64(40)
			if q.what != "the app" {
				want = 4
			}
			if began.Load() != want || full.Load() != 60-want {
				t.Errorf("%s: %d of 60 began and %d found no place", q.what, began.Load(), full.Load())
			}
		}
	})
}

func TestAnUploadThatItsStoreDoesNotTakeOnCountsNothing(t *testing.T) {
	w := newWorld(t, t.TempDir())
	b := newBuckets(t)
	operator := w.with(b)
	must(t, operator.SetBucket(t.Context(), "shop", "s3://one", file.Login{Secret: "pass-one"}))
	b.set("one", "pass-one", true)
	for range w.limits.Open + 1 { // each may be one that its user has open
		if res, text := w.nodes[0].begin(t, ann, 1_000); res.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("%s %s", res.Status, text)
		}
	}
	w.counts("nothing began", 0, 0, 0)
	b.set("one", "pass-one", false)
	w.nodes[1].upload(t, ann, random(1, blob.Step))
	w.counts("the bucket is there again", blob.Step, blob.Step, blob.Step)
}
