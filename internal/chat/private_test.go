package chat_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

func private(p *skeinv1.Private) []byte {
	b, _ := proto.Marshal(&skeinv1.Body{Scheme: skeinv1.BodyScheme_BODY_SCHEME_CONTENT, Content: &skeinv1.Content{Kind: &skeinv1.Content_Private{Private: p}}})
	return b
}

func pin() *skeinv1.Private {
	return &skeinv1.Private{Value: &skeinv1.Private_Pin{Pin: &skeinv1.PrivatePin{}}}
}

func folder(name string) *skeinv1.Private {
	return &skeinv1.Private{Value: &skeinv1.Private_Folder{Folder: &skeinv1.PrivateFolder{Name: name}}}
}

func inFolders(ids ...string) *skeinv1.Private {
	return &skeinv1.Private{Value: &skeinv1.Private_Folders{Folders: &skeinv1.PrivateFolders{Ids: ids}}}
}

func draft(at time.Time, text string) *skeinv1.Private {
	return &skeinv1.Private{Value: &skeinv1.Private_Draft{Draft: &skeinv1.PrivateDraft{TimeUs: at.UnixMicro(), Text: text}}}
}

func hidden(base, upTo uint64, ranges ...uint64) *skeinv1.Private {
	h := &skeinv1.PrivateHidden{BaseSeq: base, UpToSeq: upTo}
	for i := 0; i+1 < len(ranges); i += 2 {
		h.Ranges = append(h.Ranges, &skeinv1.SeqRange{FromSeq: ranges[i], ToSeq: ranges[i+1]})
	}
	return &skeinv1.Private{Value: &skeinv1.Private_Hidden{Hidden: h}}
}

// set stores a value of alice's own.
func (w *world) set(key string, p *skeinv1.Private) (im.Entry, error) {
	r, err := w.c.Send(context.Background(), alice, chat.SendRequest{Conv: im.Self("alice"), ClientID: w.id(), Body: private(p), Key: key})
	return r.Entry, err
}

func TestAPrivateValueLiesUnderItsOwnKeyAlone(t *testing.T) {
	w := newWorld(t)
	long := strings.Repeat("x", 65)
	for key, p := range map[string]*skeinv1.Private{
		"mute/g1":                pin(),
		"pin/":                   pin(),
		"pin/@5:bob:alice":       pin(),
		"pin":                    pin(),
		"other/g1":               pin(),
		"":                       pin(),
		"folder/a b":             folder("Work"),
		"folder/a1":              folder(""),
		"folder/a2":              folder(long),
		"folder/a3":              folder("two\nlines"),
		"in/g1":                  inFolders("a", "a"),
		"in/g2":                  inFolders(""),
		"draft/g1":               draft(time.Time{}, "hi"),
		"draft/g2":               draft(w.clock.now.Add(time.Hour), "from the future"),
		"draft/g3":               draft(w.clock.now, strings.Repeat("x", 16385)),
		"hidden/g1":              hidden(0, 5, 5, 6),
		"hidden/g2":              hidden(0, 0, 7, 6),
		"hidden/g3":              hidden(0, 0, 3, 4, 4, 9),
		"hidden/g4":              hidden(0, 1<<53),
		"hidden/" + string("g5"): hidden(3, 0, 1, 1),
	} {
		if _, err := w.set(key, p); err == nil {
			t.Errorf("%q took %v", key, p)
		}
	}
	_, err := w.c.Send(context.Background(), alice, chat.SendRequest{Conv: ab, ClientID: w.id(), Body: private(pin())})
	w.want(im.InvalidArgument, err, "a private value as a message")
	e := w.send(alice, ab, "hi")
	_, err = w.c.Edit(context.Background(), alice, ab, e.Seq, private(pin()), w.id())
	w.want(im.InvalidArgument, err, "a message made a private value")
	if res, err := w.c.Sync(context.Background(), alice, chat.SyncRequest{}); err != nil || len(res.Page.Conversations) != 1 {
		t.Errorf("what was refused left %v %v", res.Page, err)
	}
	for key, p := range map[string]*skeinv1.Private{"pin/" + string(ab): pin(), "folder/x": folder("工作"), "in/g1": inFolders("x", "gone"),
		"draft/g1": draft(w.clock.now, "half"), "anything": {}, "hidden/g1": hidden(0, 5, 7, 7)} {
		if _, err := w.set(key, p); err != nil {
			t.Errorf("%q: %v", key, err)
		}
	}
}

func TestTheLastPinIsOneDevicesAlone(t *testing.T) {
	w := newWorld(t)
	for i := range 99 {
		if _, err := w.set(fmt.Sprintf("pin/g%d", i), pin()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.set("pin/g0", &skeinv1.Private{}); err != nil { // 98
		t.Fatal(err)
	}
	if _, err := w.set("pin/h0", pin()); err != nil { // 99
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	errs := make([]error, 8)
	pipe := w.c.NewPipe(alice)
	for i := range errs {
		wg.Add(1)
		key := fmt.Sprintf("pin/last%d", i)
		if i%2 == 0 {
			go func() { defer wg.Done(); _, errs[i] = w.set(key, pin()) }()
			continue
		}
		go pipe.Submit(context.Background(), chat.SendRequest{Conv: im.Self("alice"), ClientID: w.id(), Body: private(pin()), Key: key},
			func(_ journal.Result, err error) { defer wg.Done(); errs[i] = err })
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else {
			w.want(im.TooLarge, err, "a pin too many")
		}
	}
	if won != 1 {
		t.Errorf("%d of them got the last place: %v", won, errs)
	}
	if _, err := w.set("pin/h0", pin()); err != nil {
		t.Errorf("a pin that moves: %v", err)
	}
}

func TestAFolderHasFiveHundredConversationsAndThereAreFifty(t *testing.T) {
	w := newWorld(t)
	for i := range 50 {
		if _, err := w.set(fmt.Sprintf("folder/f%d", i), folder("F")); err != nil {
			t.Fatal(err)
		}
	}
	_, err := w.set("folder/more", folder("F"))
	w.want(im.TooLarge, err, "a folder too many")
	for i := range 500 {
		if _, err := w.set(fmt.Sprintf("in/g%d", i), inFolders("f1")); err != nil {
			t.Fatal(err)
		}
	}
	_, err = w.set("in/more", inFolders("f2", "f1"))
	w.want(im.TooLarge, err, "a conversation too many")
	if _, err = w.set("in/g7", inFolders("f2", "f1")); err != nil {
		t.Errorf("one that is in it already: %v", err)
	}
	if _, err = w.set("in/more", inFolders("f2")); err != nil {
		t.Errorf("another folder: %v", err)
	}
}

func TestTheDraftThatWasWrittenLastWinsNotTheOneThatComesLast(t *testing.T) {
	w := newWorld(t)
	at := w.clock.now
	if _, err := w.set("draft/g1", draft(at, "new")); err != nil {
		t.Fatal(err)
	}
	_, err := w.set("draft/g1", draft(at.Add(-time.Second), "of the device that was offline"))
	w.want(im.FailedPrecondition, err, "an older draft")
	if _, err = w.set("draft/g1", draft(at.Add(time.Second), "")); err != nil { // sent
		t.Fatal(err)
	}
	_, err = w.set("draft/g1", draft(at.Add(time.Millisecond), "late"))
	w.want(im.FailedPrecondition, err, "a draft of what was sent")
}

// seqs are the positions of messages that alice gets.
func (w *world) seqs(before im.Seq) (out []uint64) {
	w.t.Helper()
	page, err := w.c.History(context.Background(), alice, chat.HistoryRequest{Conv: ab, Before: before})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, item := range page.Items {
		out = append(out, item.Entry.Seq)
	}
	return out
}

func TestWhatAUserDeletedForThemselfIsWithheldFromThemAlone(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	for i := range 10 {
		w.send(bob, ab, fmt.Sprint(i+1))
	}
	first, err := w.set("hidden/"+string(ab), hidden(0, 0, 4, 5, 9, 9))
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(w.seqs(0)); got != "[1 2 3 6 7 8 10]" {
		t.Error(got)
	}
	res, err := w.c.Sync(ctx, alice, chat.SyncRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range res.Page.Conversations {
		if d.Conversation.Id == string(ab) && (len(d.Entries) != 7 || len(d.Withheld) != 2 || d.Withheld[0].FromSeq != 4 || d.Withheld[0].ToSeq != 5) {
			t.Errorf("a new device gets %v", d)
		}
	}
	_, err = w.set("hidden/"+string(ab), hidden(0, 0, 1, 1))
	w.want(im.FailedPrecondition, err, "a device that does not know what is hidden")
	if _, err = w.set("hidden/"+string(ab), hidden(uint64(first.Seq), 8, 10, 10)); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(w.seqs(0)); got != "[9]" {
		t.Error(got)
	}
	page, err := w.c.History(ctx, alice, chat.HistoryRequest{Conv: ab, Before: 9})
	if err != nil || !page.AtStart || len(page.Items) != 0 {
		t.Errorf("before what was cleared: %v %v", page, err)
	}
	if page, err = w.c.History(ctx, bob, chat.HistoryRequest{Conv: ab}); err != nil || len(page.Items) != 10 {
		t.Errorf("bob gets %v %v", page, err)
	}
	if _, err = w.set("hidden/"+string(ab), &skeinv1.Private{}); err != nil {
		t.Fatal(err)
	}
	if got := w.seqs(0); len(got) != 10 {
		t.Errorf("taken back: %v", got)
	}
}

func TestAUsersStateComesInPagesOfBoundedSize(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	w.send(alice, ab, "hi")
	const keys = 300
	big := strings.Repeat("x", 8000)
	for i := range keys {
		if _, err := w.set(fmt.Sprintf("draft/g%03d", i), draft(w.clock.now, big)); err != nil {
			t.Fatal(err)
		}
	}
	for _, follow := range []bool{false, true} {
		seen := map[string]int{}
		pages, largest := 0, 0
		r := chat.SyncRequest{Follow: follow}
		for more := true; more; {
			err := w.c.SyncPages(ctx, alice, r, func(res chat.SyncResult) bool {
				pages++
				raw, err := proto.Marshal(res.Page)
				if err != nil {
					t.Fatal(err)
				}
				largest = max(largest, len(raw))
				var page skeinv1.SyncResponse
				if err := proto.Unmarshal(raw, &page); err != nil {
					t.Fatal(err)
				}
				for _, d := range page.Conversations {
					for _, e := range d.Keyed {
						seen[e.Key]++
					}
				}
				r.Cursor, more = page.Cursor, page.More
				return follow
			})
			if err != nil {
				t.Fatal(err)
			}
			if pages > 100 {
				t.Fatal("it does not end")
			}
		}
		if len(seen) != keys || pages < 4 || largest > 2<<20 {
			t.Errorf("follow %v: %d keys in %d pages, the largest of %d bytes", follow, len(seen), pages, largest)
		}
	}
	r := chat.SyncRequest{}
	res, err := w.c.Sync(ctx, alice, r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = w.c.Sync(ctx, bob, chat.SyncRequest{Cursor: res.Page.Cursor}); !errors.As(err, new(*im.Error)) {
		t.Errorf("another user's cursor: %v", err)
	}
}
