package auth

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

func TestSettingsHoldOnEveryNodeWhenTheCallIsAnswered(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a := w.running()
		b := w.open(func(o *Options) { o.Defaults = &skeinv1.AppSettings{RecallWindowS: proto.Uint32(60)} })
		w.run(b)
		if got := b.Settings("shop"); got.GetRecallWindowS() != 60 || got.EditWindowS == nil {
			t.Errorf("the defaults are %v", got)
		}
		if got := a.Settings("shop").GetRecallWindowS(); got != 0 {
			t.Errorf("without defaults of the server: %d", got)
		}
		for _, window := range []uint32{120, 0, 7} {
			_, err := a.UpdateApp(w.ctx, server(), AppUpdate{Settings: &skeinv1.AppSettings{RecallWindowS: &window}})
			wantCode(t, "update", err, 0)
			for name, n := range map[string]*Auth{"this node": a, "the other node": b} {
				if got := n.Settings("shop").GetRecallWindowS(); got != window {
					t.Errorf("%s: %d after %d was set", name, got, window)
				}
			}
		}
		// What a change leaves out stays.
		app, err := a.UpdateApp(w.ctx, server(), AppUpdate{Settings: &skeinv1.AppSettings{EditWindowS: proto.Uint32(9)}})
		wantCode(t, "update", err, 0)
		if got := b.Effective(app.Own); got.GetEditWindowS() != 9 || got.GetRecallWindowS() != 7 {
			t.Errorf("after two changes: %v", got)
		}
		if got := b.Settings("nobody"); got.GetRecallWindowS() != 60 {
			t.Errorf("an app that does not exist has %v", got)
		}
	})
}

func TestSettingsThatAreNoneChangeNothing(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a := w.running()
		year := uint32(maxWindow)
		_, err := a.UpdateApp(w.ctx, server(), AppUpdate{Settings: &skeinv1.AppSettings{RecallWindowS: &year}})
		wantCode(t, "a year", err, 0)
		more := year + 1
		for name, s := range map[string]*skeinv1.AppSettings{
			"more than a year to recall": {RecallWindowS: &more},
			"more than a year to edit":   {EditWindowS: &more},
		} {
			_, err := a.UpdateApp(w.ctx, server(), AppUpdate{Settings: s, LoginPolicy: PolicyOneDevice})
			wantCode(t, name, err, im.InvalidArgument)
		}
		large := &skeinv1.AppSettings{}
		large.ProtoReflect().SetUnknown([]byte("\xfa\x3e\x80\x80\x02" + strings.Repeat("x", 32<<10)))
		_, err = a.UpdateApp(w.ctx, server(), AppUpdate{Settings: large})
		wantCode(t, "32 KiB", err, im.TooLarge)
		_, err = a.UpdateApp(w.ctx, im.Actor{App: "shop", User: "ann"}, AppUpdate{Settings: &skeinv1.AppSettings{}})
		wantCode(t, "a user", err, im.NotFound)
		app := must(a.GetApp(w.ctx, server()))(t)
		if app.LoginPolicy != PolicyNone || app.Own.GetRecallWindowS() != year || app.Own.EditWindowS != nil {
			t.Errorf("a refused change left %+v", app)
		}
	})
}
