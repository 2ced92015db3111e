package search_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/feature/search"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// attach sends a message of files; each is said by its media type, "voice "
// before it when it was spoken.
func (w *world) attach(by string, conv im.ConvID, caption string, files ...string) im.Entry {
	w.t.Helper()
	a := &skeinv1.Attachments{Caption: caption}
	for i, f := range files {
		mime, voice := strings.CutPrefix(f, "voice ")
		a.Items = append(a.Items, &skeinv1.Attachment{Name: fmt.Sprint("file", i), Mime: mime, Voice: voice, Size: 1, Url: "https://example.org/f"})
	}
	raw, err := proto.Marshal(&skeinv1.Body{Scheme: skeinv1.BodyScheme_BODY_SCHEME_CONTENT,
		Content: &skeinv1.Content{Kind: &skeinv1.Content_Attachments{Attachments: a}}})
	must(w.t, err)
	w.clock.now = w.clock.now.Add(time.Second)
	r, err := w.chat.Send(w.t.Context(), actor(by), chat.SendRequest{Conv: conv, ClientID: w.id(), Body: raw})
	must(w.t, err)
	return r.Entry
}

func TestFilesAreFoundByWhatTheyAre(t *testing.T) {
	both(t, func(w *world) {
		conv := im.Direct("ann", "bob")
		w.say("ann", conv, "a picture in words")
		w.attach("ann", conv, "photo", "image/jpeg")
		w.attach("bob", conv, "film", "VIDEO/mp4")
		w.attach("ann", conv, "song", "audio/mpeg")
		w.attach("ann", conv, "spoken", "voice video/webm")
		w.attach("bob", conv, "paper", "application/pdf")
		w.attach("bob", conv, "drawing", "image/svg+xml")
		w.attach("ann", conv, "album", "image/png", "image/gif", "text/plain")
		w.caughtUp()
		check := func(when, late string) {
			w.t.Helper()
			for kind, want := range map[skeinv1.SearchKind]string{
				skeinv1.SearchKind_SEARCH_KIND_MEDIA:      late + "album film photo",
				skeinv1.SearchKind_SEARCH_KIND_FILE:       "album drawing paper",
				skeinv1.SearchKind_SEARCH_KIND_VOICE:      "spoken song",
				skeinv1.SearchKind_SEARCH_KIND_ATTACHMENT: late + "album drawing paper spoken song film photo",
			} {
				if got := w.captions(&skeinv1.SearchMessagesRequest{Conversation: string(conv), Kind: kind, Limit: 2}); got != want {
					w.t.Errorf("%s, %v: %q, want %q", when, kind, got, want)
				}
			}
		}
		check("a new index", "")
		if got := w.captions(&skeinv1.SearchMessagesRequest{Query: "fil", Kind: skeinv1.SearchKind_SEARCH_KIND_VOICE}); got != "spoken song" {
			w.t.Errorf("by a word and a kind: %q", got)
		}
		must(w.t, w.db.Write(w.t.Context(), search.ForgetFileKinds))
		check("an index of before files had kinds", "")
		w.attach("bob", conv, "late", "image/webp")
		w.caughtUp()
		check("an index that went on after an upgrade", "late ")
	})
}

// captions returns what is written under the files that bob finds, all pages.
func (w *world) captions(r *skeinv1.SearchMessagesRequest) string {
	w.t.Helper()
	var got []string
	for {
		res, err := w.search.Search(w.t.Context(), actor("bob"), r)
		must(w.t, err)
		for _, h := range res.Hits {
			got = append(got, h.Entry.Body.Content.GetAttachments().GetCaption())
		}
		if r.Page = res.NextPage; r.Page == "" {
			return strings.Join(got, " ")
		}
	}
}
