package timed_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// shelf notes whose files are kept.
type shelf map[string][]string

func (s shelf) Hold(_ db.Tx, a im.Actor, name string, body []byte) error {
	var b skeinv1.Body
	if err := proto.Unmarshal(body, &b); err != nil {
		return err
	}
	delete(s, name)
	for _, it := range b.GetContent().GetAttachments().GetItems() {
		if it.GetFile() == foreign {
			return im.Errorf(im.FailedPrecondition, "not yours, %s", a.User)
		}
		s[name] = append(s[name], it.GetFile())
	}
	return nil
}

func (s shelf) Release(_ db.Tx, _ im.AppID, name string) error {
	delete(s, name)
	return nil
}

// kept are the files of all that waits.
func (s shelf) kept() string {
	var out []string
	for _, files := range s {
		out = append(out, files...)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

var (
	plan    = strings.Repeat("a", 32)
	photo   = strings.Repeat("b", 32)
	foreign = strings.Repeat("f", 32)
)

func fileRequest(conv im.ConvID, files ...string) *skeinv1.SendMessageRequest {
	as := &skeinv1.Attachments{}
	for _, f := range files {
		as.Items = append(as.Items, &skeinv1.Attachment{Name: "x.txt", Mime: "text/plain", Size: 1, File: f})
	}
	return &skeinv1.SendMessageRequest{Conversation: string(conv), Body: &skeinv1.Body{Scheme: skeinv1.BodyScheme_BODY_SCHEME_CONTENT,
		Content: &skeinv1.Content{Kind: &skeinv1.Content_Attachments{Attachments: as}}}}
}

func TestTheFilesOfWhatWaitsAreKeptUntilItIsOver(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		later := func(m *skeinv1.SendMessageRequest) *skeinv1.Scheduled {
			r, err := w.s.ScheduleMessage(ctx, ann, &skeinv1.ScheduleMessageRequest{Message: m, SendAtUs: in(time.Hour), ClientId: newID(t)})
			must(t, err)
			return r.GetScheduled()
		}
		kept := func(after, want string) {
			t.Helper()
			if got := w.shelf.kept(); got != want {
				t.Errorf("after %s %q is kept, want %q", after, got, want)
			}
		}
		sent, changed := later(fileRequest(ab, plan)), later(fileRequest(ab, photo))
		kept("scheduling", plan+" "+photo)
		_, err := w.s.UpdateScheduled(ctx, ann, &skeinv1.UpdateScheduledRequest{Id: changed.GetId(), SendAtUs: in(2 * time.Hour)})
		must(t, err)
		kept("another time", plan+" "+photo)
		_, err = w.s.UpdateScheduled(ctx, ann, &skeinv1.UpdateScheduledRequest{Id: changed.GetId(), Message: fileRequest(ab, foreign)})
		w.want(im.FailedPrecondition, err, "somebody else's file in its place")
		_, err = w.s.UpdateScheduled(ctx, ann, &skeinv1.UpdateScheduledRequest{Id: changed.GetId(), Message: request(ab, "no file")})
		must(t, err)
		kept("a change", plan)
		_, err = w.s.SendScheduledNow(ctx, ann, &skeinv1.SendScheduledNowRequest{Id: sent.GetId()})
		must(t, err)
		kept("the sending", "")

		gone := later(fileRequest(ab, plan))
		_, err = w.s.CancelScheduled(ctx, ann, &skeinv1.CancelScheduledRequest{Id: gone.GetId()})
		must(t, err)
		kept("a cancel", "")

		later(fileRequest(ab, plan))
		w.front.lose = 1
		must(t, w.due(w.run.Tries))
		if l := w.list(ann); len(l) != 2 || l[0].GetState()+l[1].GetState() != skeinv1.ScheduledState_SCHEDULED_STATE_FAILED+skeinv1.ScheduledState_SCHEDULED_STATE_WAITING {
			t.Errorf("the list is %v", l)
		}
		kept("a failure, because it can be sent once more", plan)
		must(t, w.s.Forget(ctx, ann.App, ann.User))
		kept("an erasure", "")

		_, err = w.s.ScheduleMessage(ctx, ann, &skeinv1.ScheduleMessageRequest{Message: fileRequest(ab, foreign), SendAtUs: in(time.Hour), ClientId: newID(t)})
		w.want(im.FailedPrecondition, err, "somebody else's file")
		if l := w.list(ann); len(l) != 0 {
			t.Errorf("what was refused waits: %v", l)
		}
	})
}
