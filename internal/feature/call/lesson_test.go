package call_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/skein-im/skein/internal/feature/call"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

func TestALessonOfOneTeacherAndTwoHundredPupils(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		w.deps.Parties = 250
		must(t, w.s.Close(t.Context()))
		w.s = call.New(w.deps)
		var names []im.UserID
		for i := range 200 {
			names = append(names, im.UserID(fmt.Sprintf("p%03d", i)))
		}
		w.group("class", names...)
		began := time.Now()
		r, err := w.s.StartCall(t.Context(), ann, &skeinv1.StartCallRequest{Conversation: "class", ClientId: newID(t), Video: true, Role: skeinv1.CallRole_CALL_ROLE_VIEWER})
		must(t, err)
		id := r.GetCall().GetId()
		t.Logf("200 rung after %v", time.Since(began).Round(time.Millisecond))
		began = time.Now()
		var wg sync.WaitGroup
		errs := make([]error, len(names))
		for i, n := range names {
			wg.Go(func() { errs[i] = w.tryJoin(user(string(n), "phone"), id) })
		}
		wg.Wait()
		t.Logf("200 at once are in after %v", time.Since(began).Round(time.Millisecond))
		for i, err := range errs {
			if err != nil {
				t.Errorf("%s: %v", names[i], err)
			}
		}
		if c := w.get(ann, id); c.GetJoinedCount() != 201 {
			t.Errorf("%d are in it", c.GetJoinedCount())
		}
		began = time.Now()
		_, err = w.s.EndCall(t.Context(), ann, &skeinv1.EndCallRequest{Call: id})
		must(t, err)
		t.Logf("all know of the end after %v", time.Since(began).Round(time.Millisecond))
		if got := w.rung(user("p100", "phone"), id); got != "left by phone, over" {
			t.Errorf("a pupil's devices know %q", got)
		}
	})
}
