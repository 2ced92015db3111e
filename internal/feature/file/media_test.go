package file_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"image"
	"image/color"
	"image/jpeg"
	"net/http"
	"path"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/skein-im/skein/internal/blob"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/feature/file"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// photo is a picture of 700 × 500 with a note on where it was taken; those of
// other seeds are other ones.
func photo(t *testing.T, seed int) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 700, 500))
	for y := range 500 {
		for x := range 700 {
			img.SetRGBA(x, y, color.RGBA{byte(x + seed), byte(y), byte(x * y >> 8), 255})
		}
	}
	var b bytes.Buffer
	must(t, jpeg.Encode(&b, img, nil))
	note := "Exif\x00\x00II*\x00\x08\x00\x00\x00\x00\x00GPS 52.5163N"
	out := append([]byte("\xff\xd8\xff\xe1"), binary.BigEndian.AppendUint16(nil, uint16(len(note)+2))...)
	return append(append(out, note...), b.Bytes()[2:]...)
}

func (n *node) get(t *testing.T, who, path string) *skeinv1.File {
	t.Helper()
	app, user, _ := strings.Cut(who, "/")
	r, err := n.service.GetFile(t.Context(), im.Actor{App: im.AppID(app), User: im.UserID(user)}, &skeinv1.GetFileRequest{Id: id(path)})
	must(t, err)
	return r.File
}

func id(upload string) string { return path.Base(upload) }

func TestAPictureIsKeptWithItsSmallerOnesAndGoesWithThem(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		raw := photo(t, 1)
		first, second := w.nodes[0].upload(t, ann, raw), w.nodes[1].upload(t, "shop/bob", raw)
		f := w.nodes[1].get(t, ann, first)
		if m := f.Media; m == nil || m.Width != 700 || m.Height != 500 || len(m.Previews) != 2 || m.Previews[0].Size != "s" || m.Previews[1].Width != 480 || len(m.Thumb) != 28 {
			t.Fatalf("%v", f)
		}
		if f.Size >= uint64(len(raw)) || !bytes.Equal(f.Sha256, w.nodes[0].get(t, "shop/bob", second).Sha256) {
			t.Errorf("%d bytes of %d are kept", f.Size, len(raw))
		}
		if n := w.files("objects"); n != 3 || w.count("SELECT count(*) FROM file_trash") != 0 {
			t.Errorf("%d objects lie there", n)
		}
		// What is kept was cleaned: who uploads that has it at once.
		status, body := w.nodes[0].read(t, ann, first)
		if status != http.StatusOK || uint64(len(body)) != f.Size || strings.Contains(body, "GPS") {
			t.Fatalf("%d, %d bytes", status, len(body))
		}
		third := w.nodes[0].upload(t, ann, []byte(body))
		if got := w.nodes[0].get(t, ann, third); got.Media == nil || got.Mime != "image/jpeg" || w.files("objects") != 3 || w.count("SELECT uses FROM file_bytes") != 3 {
			t.Errorf("%v, %d objects", got, w.files("objects"))
		}
		must(t, w.db.Write(t.Context(), func(tx db.Tx) error { _, err := tx.Exec("UPDATE file SET touched = 1"); return err }))
		must(t, w.nodes[0].service.Collect(t.Context()))
		for what, n := range map[string]int{"objects": w.files("objects"), "trash": w.count("SELECT count(*) FROM file_trash"),
			"media": w.count("SELECT count(*) FROM file_media"), "previews": w.count("SELECT count(*) FROM file_preview"), "bytes": w.count("SELECT count(*) FROM file_bytes")} {
			if n != 0 {
				t.Errorf("%d %s are left", n, what)
			}
		}
	})
}

// failing is a store that is gone after some writes.
type failing struct {
	blob.Store
	left *atomic.Int64
}

func (f failing) Put(ctx context.Context, key string, body []byte) error {
	if f.left.Add(-1) < 0 {
		return im.Errorf(im.Unavailable, "the store is gone")
	}
	return f.Store.Put(ctx, key, body)
}

func (f failing) Delete(ctx context.Context, key string) error {
	if f.left.Load() < 0 {
		return im.Errorf(im.Unavailable, "the store is gone")
	}
	return f.Store.Delete(ctx, key)
}

func TestAPictureIsMadeByWhoComesAfterOneThatDiedInTheMiddle(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		for writes := range 4 {
			left := &atomic.Int64{}
			left.Store(int64(writes))
			dying := w.startWith(func(own blob.Store) *file.Stores {
				return file.NewStores(file.StoresDeps{DB: w.db, Own: failing{own, left}, Entropy: im.SystemEntropy()})
			})
			body := photo(t, writes)
			path := dying.create(t, ann, len(body))
			res, text := dying.patch(t, ann, path, 0, body)
			if died := writes < 3; died != (res.StatusCode == http.StatusServiceUnavailable) {
				t.Fatalf("after %d writes: %s %s", writes, res.Status, text)
			} else if died {
				if n := w.count("SELECT count(*) FROM file WHERE id = $1", id(path)); n != 0 {
					t.Fatal("it can be seen already")
				}
			}
			// Nothing of it is deleted while somebody may be at it.
			must(t, w.nodes[0].service.Collect(t.Context()))
			if at := w.nodes[1].head(t, ann, path); at != len(body) {
				t.Fatalf("it stands at %d", at)
			}
			if f := w.nodes[1].get(t, ann, path); f.Media == nil || len(f.Media.Previews) != 2 {
				t.Fatalf("%v", f)
			}
		}
		must(t, w.db.Write(t.Context(), func(tx db.Tx) error { _, err := tx.Exec("UPDATE file_trash SET since = 1"); return err }))
		must(t, w.nodes[0].service.Collect(t.Context()))
		if n := w.files("objects"); n != 4*3 || w.count("SELECT count(*) FROM file_trash") != 0 {
			t.Errorf("%d objects lie there, and %d are to be deleted", n, w.count("SELECT count(*) FROM file_trash"))
		}
	})
}

// busy is a store beside which somebody else does something after each write.
type busy struct {
	blob.Store
	after func()
}

func (b busy) Put(ctx context.Context, key string, body []byte) error {
	err := b.Store.Put(ctx, key, body)
	b.after()
	return err
}

func TestNothingIsCollectedFromUnderWhoMakesAPicture(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		collected := 0
		n := w.startWith(func(own blob.Store) *file.Stores {
			return file.NewStores(file.StoresDeps{DB: w.db, Entropy: im.SystemEntropy(), Own: busy{own, func() {
				if err := w.nodes[0].service.Collect(t.Context()); err != nil {
					t.Error(err)
				}
				collected++
			}}})
		})
		upload := n.upload(t, ann, photo(t, 1))
		if status, body := w.nodes[1].read(t, ann, upload); status != http.StatusOK || len(body) == 0 || collected != 3 {
			t.Errorf("%d, %d bytes, collected %d times", status, len(body), collected)
		}
		if n := w.files("objects"); n != 3 {
			t.Errorf("%d objects lie there", n)
		}
	})
}
