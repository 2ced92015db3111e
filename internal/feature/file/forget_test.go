package file_test

import (
	"bytes"
	"context"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/feature/file"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// withFile is a body that has files, and their posters.
func withFile(paths ...string) []byte {
	as := &skeinv1.Attachments{}
	for _, p := range paths {
		as.Items = append(as.Items, &skeinv1.Attachment{Name: "x", Mime: "text/plain", File: filepath.Base(p)})
	}
	b, _ := proto.Marshal(&skeinv1.Body{Scheme: skeinv1.BodyScheme_BODY_SCHEME_CONTENT, Content: &skeinv1.Content{Kind: &skeinv1.Content_Attachments{Attachments: as}}})
	return b
}

func (w *world) write(fn func(tx db.Tx) error) {
	w.t.Helper()
	must(w.t, w.db.Write(w.t.Context(), fn))
}

// aged makes every file as old as can be, but for those of an erased user's; old
// has the collector run then.
func (w *world) aged() {
	w.t.Helper()
	w.write(func(tx db.Tx) error {
		_, err := tx.Exec("UPDATE file SET touched = 1 WHERE touched > 0")
		return err
	})
}

func (w *world) old() {
	w.t.Helper()
	w.aged()
	must(w.t, w.nodes[0].service.Collect(w.t.Context()))
}

func (w *world) follow(es ...im.Entry) {
	w.t.Helper()
	f := file.Follower()
	for i := range es {
		if !f.Wants(&es[i]) {
			w.t.Errorf("entry %d, a %v, is not looked at", es[i].Seq, es[i].Kind)
		}
	}
	w.write(func(tx db.Tx) error { return f.Apply(context.Background(), tx, es) })
}

func (w *world) has(path string, want bool) {
	w.t.Helper()
	if n := w.count("SELECT count(*) FROM file WHERE id = $1", filepath.Base(path)); (n == 1) != want {
		w.t.Errorf("%s: there are %d", path, n)
	}
}

func TestAFileThatWaitsToBeSentIsNotCollected(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		n, h := w.nodes[0], file.Holds{}
		a := im.Actor{App: "shop", User: "ann"}
		body := random(20, 9000)
		later, other, bobs := n.upload(t, ann, body), n.upload(t, ann, random(21, 10)), n.upload(t, "shop/bob", random(22, 10))
		hold := func(a im.Actor, name string, paths ...string) error {
			return w.db.Write(t.Context(), func(tx db.Tx) error { return h.Hold(tx, a, name, withFile(paths...)) })
		}
		must(t, hold(a, "later/1", later, later))
		must(t, hold(a, "later/2", later))
		if err := hold(a, "later/1", other, bobs); im.CodeOf(err) != im.FailedPrecondition {
			t.Errorf("bob's file: %v", err)
		}
		must(t, hold(im.Actor{App: "shop", Server: true}, "cast/1", bobs))
		w.old()
		w.has(later, true)
		w.has(bobs, true)
		w.has(other, false)
		w.whole(later, body)

		// Something else in its place, then nothing, and it is a file as any other.
		must(t, hold(a, "later/1"))
		w.old()
		w.has(later, true)
		for range 2 {
			w.write(func(tx db.Tx) error { return h.Release(tx, "shop", "later/2") })
		}
		must(t, n.service.Collect(t.Context()))
		w.has(later, true) // it was taken back a moment ago
		w.old()
		w.has(later, false)
		if refs := w.count("SELECT count(*) FROM file_ref"); refs != 1 {
			t.Errorf("%d are held", refs)
		}
	})
}

func TestTheValueOfAKeyHasItsFileUntilTheNextOne(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		n := w.nodes[0]
		one, two := n.upload(t, ann, random(23, 100)), n.upload(t, ann, random(24, 100))
		value := func(seq im.Seq, key string, body []byte) im.Entry {
			return im.Entry{App: "shop", Conv: "~ann", Seq: seq, Kind: im.KindKeyed, Key: key, Body: body}
		}
		w.follow(value(1, "favourite/1", withFile(one)), value(2, "favourite/2", withFile(two)))
		w.follow(value(1, "favourite/1", withFile(one))) // read again
		w.old()
		w.has(one, true)
		w.has(two, true)
		w.follow(value(3, "favourite/1", withFile(two)))
		w.old()
		w.has(one, false)
		w.follow(value(4, "favourite/2", nil))
		w.old()
		w.has(two, true)
		empty, err := proto.Marshal(&skeinv1.Body{Content: &skeinv1.Content{}})
		must(t, err)
		w.follow(value(5, "favourite/1", empty))
		w.old()
		w.has(two, false)
		draft, err := proto.Marshal(&skeinv1.Body{Content: &skeinv1.Content{Kind: &skeinv1.Content_Private{Private: &skeinv1.Private{Value: &skeinv1.Private_Draft{Draft: &skeinv1.PrivateDraft{Text: "…"}}}}}})
		must(t, err)
		for what, e := range map[string]im.Entry{"a draft": value(6, "draft/x", draft), "what a group has": {App: "shop", Conv: "team", Seq: 1, Kind: im.KindKeyed, Key: "pin/1", Body: empty}} {
			if file.Follower().Wants(&e) {
				t.Errorf("%s is looked at", what)
			}
		}
	})
}

func TestAnErasedUserLeavesNoFilesButThoseThatOthersHaveSent(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		n := w.nodes[0]
		shared := random(25, 5000)
		lone, said, both := n.upload(t, ann, random(26, 5000)), n.upload(t, ann, random(27, 5000)), n.upload(t, ann, shared)
		bobs := n.upload(t, "shop/bob", shared) // the same bytes
		other := n.upload(t, "other/ann", random(28, 10))
		half := n.create(t, ann, 1000)
		n.patch(t, ann, half, 0, random(29, 500))
		message := func(conv im.ConvID, paths ...string) im.Entry {
			return im.Entry{App: "shop", Conv: conv, Seq: 7, Kind: im.KindMessage, Body: withFile(paths...)}
		}
		w.follow(message("@3:ann:bob", said, both), message("@3:bob:cara", both))
		for range 2 {
			must(t, n.service.Forget(t.Context(), "shop", "ann"))
		}
		if at := n.head(t, ann, half); at != -1 {
			t.Errorf("an upload on its way stands at %d", at)
		}
		w.has(lone, false)
		w.has(said, true) // its message is emptied next
		w.has(both, true)
		w.has(other, true)
		if mine := w.count("SELECT count(*) FROM file WHERE owner = 'ann' AND app = 'shop'") + w.count("SELECT count(*) FROM file_upload WHERE owner = 'ann' AND app = 'shop'") + w.count("SELECT count(*) FROM file_user WHERE owner = 'ann' AND app = 'shop'"); mine != 0 {
			t.Errorf("%d rows are the erased user's", mine)
		}
		w.counts("erased", 15_000, 0, 0) // said and both, and bob's
		w.follow(im.Entry{App: "shop", Conv: "@3:ann:bob", Seq: 8, Kind: im.KindRecall, Target: 7})
		w.has(said, false)
		must(t, n.service.Collect(t.Context()))
		if objects := w.files("objects"); objects != 2 { // the shared bytes, and those of the other app
			t.Errorf("%d objects are left", objects)
		}
		w.whole(both, shared)
		w.whole(bobs, shared)
		w.follow(im.Entry{App: "shop", Conv: "@3:bob:cara", Seq: 8, Kind: im.KindExpire, Target: 7})
		w.has(both, false)
		must(t, n.service.Collect(t.Context()))
		w.whole(bobs, shared)
		must(t, n.service.Forget(t.Context(), "shop", ""))
		if !bytes.Equal(shared, w.stored(bobs)) {
			t.Error("bob's bytes are others")
		}
		w.counts("all but bob's", 5_000, 0, 0)
	})
}

func TestNothingIsCollectedThatAMessageMayHaveWhichWasNotCounted(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		path := w.nodes[0].upload(t, ann, random(30, 100))
		now := w.count("SELECT touched FROM file")
		day := 24 * int(time.Hour/time.Microsecond)
		touched := func(at int) {
			w.write(func(tx db.Tx) error {
				_, err := tx.Exec("UPDATE file SET touched = $1", at)
				return err
			})
			must(t, w.nodes[0].service.Collect(t.Context()))
		}
		// The follower stands for two days: the message may have been sent an hour
		// after the file was touched.
		w.uncounted = im.Micros(now - 2*day)
		touched(now - 2*day - day/24)
		w.has(path, true)
		w.uncounted = im.Micros(now - day)
		touched(now - 2*day - day/24)
		w.has(path, false)
	})
}
