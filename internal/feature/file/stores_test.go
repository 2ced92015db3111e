package file_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skein-im/skein/internal/auth"
	"github.com/skein-im/skein/internal/blob"
	"github.com/skein-im/skein/internal/blob/local"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/feature/file"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// buckets are folders by a URL; whoever opens one has to know its password, and
// one that is down answers nothing.
type buckets struct {
	t    *testing.T
	dir  string
	mu   sync.Mutex // guards the rest
	pass map[string]string
	down map[string]bool
}

func newBuckets(t *testing.T) *buckets {
	return &buckets{t: t, dir: t.TempDir(), pass: map[string]string{"one": "pass-one", "two": "pass-two"}, down: map[string]bool{}}
}

func (b *buckets) open(_ context.Context, url string, who file.Login) (blob.Store, error) {
	name, ok := strings.CutPrefix(url, "s3://")
	if !ok {
		return nil, im.Errorf(im.InvalidArgument, "not a bucket")
	}
	store, err := local.Open(filepath.Join(b.dir, name), im.SystemEntropy())
	if err != nil {
		return nil, err
	}
	b.t.Cleanup(func() { _ = store.Close() })
	return &bucket{store, b, name, who.Secret}, nil
}

func (b *buckets) set(name, pass string, down bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pass[name], b.down[name] = pass, down
}

type bucket struct {
	blob.Store
	of   *buckets
	name string
	pass string
}

func (b *bucket) allow() error {
	b.of.mu.Lock()
	defer b.of.mu.Unlock()
	if b.of.down[b.name] || b.of.pass[b.name] != b.pass {
		return im.Errorf(im.Unavailable, "the store for files refuses the server")
	}
	return nil
}

func (b *bucket) Create(ctx context.Context, key string, size int64) (string, error) {
	if err := b.allow(); err != nil {
		return "", err
	}
	return b.Store.Create(ctx, key, size)
}

func (b *bucket) Put(ctx context.Context, key string, body []byte) error {
	if err := b.allow(); err != nil {
		return err
	}
	return b.Store.Put(ctx, key, body)
}

func (b *bucket) Get(ctx context.Context, key string, from, n int64) (io.ReadCloser, error) {
	if err := b.allow(); err != nil {
		return nil, err
	}
	return b.Store.Get(ctx, key, from, n)
}

func (b *bucket) Append(ctx context.Context, u blob.Upload, r io.Reader, durable func(int64) error) error {
	if err := b.allow(); err != nil {
		return err
	}
	return b.Store.Append(ctx, u, r, durable)
}

func (b *bucket) Delete(ctx context.Context, key string) error {
	if err := b.allow(); err != nil {
		return err
	}
	return b.Store.Delete(ctx, key)
}

func masterKey(t testing.TB, digit string) auth.MasterKey {
	t.Helper()
	k, err := auth.ParseMasterKey(strings.Repeat(digit, 64))
	must(t, err)
	return k
}

// stores are a node's, with the server's own in the world's folder.
func (w *world) stores(own blob.Store, b *buckets, keys ...auth.MasterKey) *file.Stores {
	return file.NewStores(file.StoresDeps{DB: w.db, Own: own, Open: b.open, Secret: masterKey(w.t, "5"), Keys: keys, Entropy: im.SystemEntropy()})
}

// with starts both nodes again with buckets and keys.
func (w *world) with(b *buckets, keys ...auth.MasterKey) (operator *file.Stores) {
	w.t.Helper()
	for i := range w.nodes {
		w.nodes[i] = w.startWith(func(own blob.Store) *file.Stores { return w.stores(own, b, keys...) })
	}
	return w.stores(nil, b)
}

// read reads a file through a node as its owner.
func (n *node) read(t *testing.T, who, upload string, headers ...string) (int, string) {
	t.Helper()
	return n.readAs(t, who, upload, "", headers...)
}

// picture is a photograph of 800 x 500 that says where it was taken.
func picture(t *testing.T) []byte {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, 800, 500))
	for i := range m.Pix {
		m.Pix[i] = byte(i * i / 777)
	}
	var b bytes.Buffer
	must(t, jpeg.Encode(&b, m, nil))
	exif := "Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x00" + strings.Repeat("48.8584N 2.2945E ", 50)
	head := append([]byte("\xff\xd8\xff\xe1"), byte((len(exif)+2)>>8), byte(len(exif)+2))
	return append(append(head, exif...), b.Bytes()[2:]...)
}

// readAs is read with parameters.
func (n *node) readAs(t *testing.T, who, upload, query string, headers ...string) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, n.server.URL+"/v1/files/"+path.Base(upload)+query, nil)
	must(t, err)
	r.Header.Set("Authorization", who)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	must(t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return -1, string(b) // cut off
	}
	return res.StatusCode, string(b)
}

// objects are the files below a folder.
func objects(t *testing.T, dir string) (n int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			n++
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return n
}

func TestAnAppHasItsFilesInABucketOfItsOwn(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		b := newBuckets(t)
		operator := w.with(b)
		ctx, one, two := t.Context(), w.nodes[0], w.nodes[1]
		in := func(when string, own, first, second int) {
			t.Helper()
			if a, b, c := w.files("objects"), objects(t, filepath.Join(b.dir, "one/objects")), objects(t, filepath.Join(b.dir, "two/objects")); a != own || b != first || c != second {
				t.Errorf("%s: %d, %d and %d objects", when, a, b, c)
			}
		}
		set := func(url, pass string) {
			t.Helper()
			who := file.Login{}
			if pass != "" {
				who = file.Login{ID: "key", Secret: pass}
			}
			must(t, operator.SetBucket(ctx, "shop", url, who))
		}
		body := func(i int) []byte { return random(uint64(i), 30_000) }
		before := one.upload(t, ann, body(1))
		open := one.create(t, ann, 30_000)
		one.patch(t, ann, open, 0, body(2)[:10_000])
		set("s3://one", "pass-one")
		in("before", 1, 0, 0)
		// The other node, which had no part in it, stores there as well; other apps do not.
		first := two.upload(t, ann, body(3))
		other := two.upload(t, "club/ann", body(3))
		in("a bucket for the shop", 2, 1, 0)
		set("s3://two", "pass-two")
		second := one.upload(t, ann, body(4))
		// What was begun before goes on where it was begun, on any node.
		if res, text := two.patch(t, ann, open, 10_000, body(2)[10_000:]); res.StatusCode != http.StatusNoContent {
			t.Errorf("an upload that was open: %s %s", res.Status, text)
		}
		in("another bucket", 3, 1, 1)
		for i, upload := range map[int]string{1: before, 2: open, 3: first, 4: second} {
			for _, n := range w.nodes {
				if status, got := n.read(t, ann, upload); status != 200 || got != string(body(i)) {
					t.Errorf("file %d is read as %d, %d bytes", i, status, len(got))
				}
			}
		}
		if status, got := one.read(t, "club/ann", other); status != 200 || got != string(body(3)) {
			t.Errorf("the other app's: %d", status)
		}
		// What does not work is refused and changes nothing.
		for what, try := range map[string]struct{ url, pass string }{"a wrong password": {"s3://one", "pass-two"}, "no bucket": {"http://169.254.169.254/", "x"}} {
			if err := operator.SetBucket(ctx, "shop", try.url, file.Login{Secret: try.pass}); err == nil {
				t.Errorf("%s was taken", what)
			}
		}
		var use skeinv1.AppUsage
		if err := file.Usage(ctx, w.db, "shop", &use); err != nil || use.Bucket != "s3://two" {
			t.Errorf("%v, %v", &use, err)
		}
		if got, err := operator.Bucket(ctx, "shop"); err != nil || got.URL != "s3://two" || got.Elsewhere != 2 {
			t.Errorf("%+v %v", got, err)
		}
		// New credentials count for what lies there already, on nodes that have it open.
		b.set("one", "renewed", false)
		if status, _ := two.read(t, ann, first); status != http.StatusServiceUnavailable {
			t.Errorf("with credentials of before: %d", status)
		}
		set("s3://one", "renewed")
		for _, n := range w.nodes {
			if status, _ := n.read(t, ann, first); status != 200 {
				t.Errorf("with new credentials: %d", status)
			}
		}
		set("", "")
		one.upload(t, ann, body(5))
		in("without a bucket", 4, 1, 1)
		// Nothing of a password is in the database, nor of an app's in another's row.
		must(t, w.db.Read(ctx, func(tx db.Tx) error {
			rows, err := tx.Query("SELECT url, login FROM file_store")
			if err != nil {
				return err
			}
			defer rows.Close()
			n := 0
			for ; rows.Next(); n++ {
				var url string
				var login []byte
				if err := rows.Scan(&url, &login); err != nil {
					return err
				}
				if len(login) == 0 || strings.Contains(url+string(login), "pass-") || strings.Contains(string(login), "renewed") || bytes.Contains(login, []byte("key")) {
					t.Errorf("a row says %q, %q", url, login)
				}
			}
			if n != 2 {
				t.Errorf("%d rows", n)
			}
			return rows.Err()
		}))
		// Deleted is where it lies, and a bucket that is down holds nobody up.
		b.set("two", "pass-two", true)
		w.aged()
		last := w.startWith(func(own blob.Store) *file.Stores { return w.stores(own, b) })
		if err := last.service.Collect(ctx); err == nil {
			t.Error("a bucket that is down was emptied")
		}
		in("collected, but for the bucket that is down", 0, 0, 1)
		b.set("two", "pass-two", false)
		must(t, last.service.Collect(ctx))
		in("collected", 0, 0, 0)
		if n := w.count("SELECT count(*) FROM file_trash"); n != 0 {
			t.Errorf("%d rows are left in the trash", n)
		}
	})
}

func TestFilesAreEncryptedWithAKeyForEachApp(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		ctx, b := t.Context(), newBuckets(t)
		text := func(i int) []byte {
			return bytes.Repeat([]byte(fmt.Sprintf("line %d of a letter that is nobody else's\n", i)), 4000)
		}
		plain := w.nodes[0].upload(t, ann, text(1))
		old, young := masterKey(t, "a"), masterKey(t, "b")
		operator := w.with(b, old)
		one, two := w.nodes[0], w.nodes[1]
		secret := one.upload(t, ann, text(2))
		// Cut within a part, and once more, on two nodes.
		cut := one.create(t, ann, len(text(3)))
		for i, to := range []int{1, 777, 100_003, len(text(3))} {
			at := one.head(t, ann, cut)
			if res, said := w.nodes[i%2].patch(t, ann, cut, at, text(3)[at:to]); res.StatusCode != http.StatusNoContent {
				t.Fatalf("from %d: %s %s", at, res.Status, said)
			}
		}
		one.cut(t, ann, one.create(t, ann, len(text(4))), 0, text(4), 50_000)
		must(t, operator.SetBucket(ctx, "shop", "s3://one", file.Login{Secret: "pass-one"}))
		far := two.upload(t, ann, text(5))
		club := two.upload(t, "club/ann", text(2))
		for i, upload := range map[int]string{1: plain, 2: secret, 3: cut, 5: far} {
			for _, n := range w.nodes {
				if status, got := n.read(t, ann, upload); status != 200 || got != string(text(i)) {
					t.Errorf("file %d is read as %d", i, status)
				}
				if status, got := n.read(t, ann, upload, "Range", "bytes=99999-100004"); status != 206 || got != string(text(i)[99_999:100_005]) {
					t.Errorf("a range of file %d is read as %d %q", i, status, got)
				}
			}
		}
		// A picture and the smaller ones that were made of it.
		photo := two.upload(t, ann, picture(t))
		for _, size := range []string{"", "s", "m"} {
			status, got := one.readAs(t, ann, photo, "?t="+size)
			if _, kind, err := image.DecodeConfig(strings.NewReader(got)); status != 200 || err != nil || kind != "jpeg" {
				t.Errorf("the picture at size %q: %d, %s, %v", size, status, kind, err)
			}
		}
		// Of what came since, nothing lies anywhere in the clear; the same bytes of two apps have nothing in common.
		found := 0
		for _, dir := range []string{w.blobs, b.dir} {
			must(t, filepath.WalkDir(dir, func(name string, e os.DirEntry, err error) error {
				if err != nil || e.IsDir() {
					return err
				}
				got, err := os.ReadFile(name)
				if bytes.Contains(got, []byte("letter")) && !bytes.Contains(got, []byte("line 1 of")) {
					t.Errorf("%s: %.60q", name, got)
				}
				if _, _, err := image.DecodeConfig(bytes.NewReader(got)); err == nil || bytes.HasPrefix(got, []byte("\xff\xd8")) {
					t.Errorf("%s is a picture", name)
				}
				found++
				return err
			}))
		}
		if found < 8 {
			t.Errorf("%d files were looked at", found)
		}
		if a, b := w.stored(secret), w.stored(club); bytes.Equal(a[:32], b[:32]) {
			t.Error("two apps have one key")
		}

		// A byte that was changed at its place is not served as if it were right.
		name := w.place(secret)
		changed := bytes.Clone(w.stored(secret))
		changed[70_000] ^= 1
		must(t, os.WriteFile(name, changed, 0o600))
		if status, got := one.read(t, ann, secret); status != -1 || len(got) >= len(text(2)) || !strings.HasPrefix(string(text(2)), got[:1000]) {
			t.Errorf("a file with a changed byte: %d, %d bytes", status, len(got))
		}
		changed[70_000] ^= 1
		must(t, os.WriteFile(name, changed, 0o600))

		// Without the key, or with another, nothing begins; with a newer one before it the old one can go.
		for what, keys := range map[string][]auth.MasterKey{"none": nil, "another": {young}} {
			own, err := local.Open(w.blobs, im.SystemEntropy())
			must(t, err)
			if err := w.stores(own, b, keys...).Start(ctx); im.CodeOf(err) != im.Unavailable || !strings.Contains(err.Error(), old.ID) {
				t.Errorf("with %s of the keys: %v", what, err)
			}
			must(t, own.Close())
		}
		for _, keys := range [][]auth.MasterKey{{young, old}, {young}} {
			w.with(b, keys...)
			for i, upload := range map[int]string{1: plain, 2: secret, 3: cut, 5: far} {
				if status, got := w.nodes[1].read(t, ann, upload); status != 200 || got != string(text(i)) {
					t.Errorf("after the rotation file %d is read as %d", i, status)
				}
			}
			w.nodes[0].upload(t, ann, text(20+len(keys)))
		}
		if n := w.count("SELECT count(*) FROM file_store WHERE data_by NOT IN ('', $1)", young.ID); n != 0 {
			t.Errorf("%d keys are still sealed with the old one", n)
		}
		// Many at once, of an app that has no key yet, have one.
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() { w.nodes[i%2].upload(t, fmt.Sprint("new/", i), text(100+i)) })
		}
		all.Wait()
		if n := w.count("SELECT count(*) FROM file_store WHERE app = 'new'"); n != 1 {
			t.Errorf("%d keys of one app", n)
		}
	})
}

func TestBytesThatComeAgainMoveToWhereNewFilesGo(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		ctx, b := t.Context(), newBuckets(t)
		operator := w.with(b)
		one, two := w.nodes[0], w.nodes[1]
		text := bytes.Repeat([]byte("a letter that everybody sends on\n"), 3000)
		plain, photo := one.upload(t, ann, text), one.upload(t, ann, picture(t))
		open := one.create(t, "shop/cid", len(text))
		must(t, operator.SetBucket(ctx, "shop", "s3://one", file.Login{Secret: "pass-one"}))
		// Whoever brings the same again, in two places at once, has one file more and the bytes are there once.
		var all sync.WaitGroup
		for i := range 4 {
			all.Go(func() {
				w.nodes[i%2].upload(t, fmt.Sprint("shop/bob", i), text)
				w.nodes[i%2].upload(t, fmt.Sprint("shop/bob", i), picture(t))
			})
		}
		all.Wait()
		// An upload that began before the change finds them, and does not take them back.
		if res, said := two.patch(t, "shop/cid", open, 0, text); res.StatusCode != http.StatusNoContent {
			t.Fatalf("%s %s", res.Status, said)
		}
		if n, m := w.count("SELECT count(*) FROM file_bytes WHERE store = ''"), w.count("SELECT count(*) FROM file_bytes"); n != 0 || m != 2 {
			t.Errorf("%d of %d are where they were", n, m)
		}
		// For a while they lie in the old place too, for those who read them there.
		if n := w.files("objects"); n != 4 { // the letter, the picture, and two smaller ones
			t.Errorf("%d objects in the old place", n)
		}
		must(t, w.db.Write(ctx, func(tx db.Tx) error { _, err := tx.Exec("UPDATE file_trash SET since = 1"); return err }))
		must(t, one.service.Collect(ctx))
		if n := w.files("objects"); n != 0 {
			t.Errorf("%d objects are left in the old place", n)
		}
		if n := objects(t, filepath.Join(b.dir, "one/objects")); n != 4 {
			t.Errorf("%d objects in the new place", n)
		}
		for _, n := range w.nodes {
			for who, upload := range map[string]string{ann: plain, "shop/cid": open} {
				if status, got := n.read(t, who, upload); status != 200 || got != string(text) {
					t.Errorf("%s reads %d", who, status)
				}
			}
			for _, size := range []string{"", "s", "m"} {
				status, got := n.readAs(t, ann, photo, "?t="+size)
				if _, _, err := image.DecodeConfig(strings.NewReader(got)); status != 200 || err != nil {
					t.Errorf("the picture at size %q: %d, %v", size, status, err)
				}
			}
		}
		// With encryption they do not stay in the clear.
		w.with(b, masterKey(t, "a"))
		w.nodes[0].upload(t, "shop/dan", text)
		must(t, w.db.Write(ctx, func(tx db.Tx) error { _, err := tx.Exec("UPDATE file_trash SET since = 1"); return err }))
		must(t, w.nodes[0].service.Collect(ctx))
		if status, got := w.nodes[1].read(t, ann, plain); status != 200 || got != string(text) {
			t.Errorf("encrypted it is read as %d", status)
		}
		must(t, filepath.WalkDir(b.dir, func(name string, e os.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			got, err := os.ReadFile(name)
			if bytes.Contains(got, []byte("letter")) {
				t.Errorf("%s is in the clear", name)
			}
			return err
		}))
	})
}
