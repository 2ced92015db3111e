package chat

import (
	"reflect"
	"testing"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
)

// spentView is a view all of whose methods that return entries return one whose
// time was up at 10.
type spentView struct{ journal.View }

func spent() im.Entry {
	return im.Entry{Seq: 1, Body: []byte("body"), Previous: []byte("before"), Expires: 10}
}
func (spentView) some() ([]im.Entry, error) { return []im.Entry{spent()}, nil }

func (f spentView) Entries(im.AppID, im.ConvID, im.Seq, im.Seq, int, bool) ([]im.Entry, error) {
	return f.some()
}
func (f spentView) Targeting(im.AppID, im.ConvID, im.Seq, im.Seq, int, ...im.Kind) ([]im.Entry, error) {
	return f.some()
}
func (f spentView) ByClientID(im.AppID, im.UserID, im.ClientID) (im.Entry, error) {
	return spent(), nil
}
func (f spentView) Keyed(im.AppID, im.ConvID) ([]im.Entry, error) { return f.some() }
func (f spentView) KeyedIn(im.AppID, im.ConvID, journal.KeyRange) ([]im.Entry, error) {
	return f.some()
}
func (f spentView) KeyedAt(im.AppID, im.ConvID, ...string) ([]im.Entry, error) { return f.some() }
func (f spentView) Since(int, im.Pos, int) ([]im.Entry, error)                 { return f.some() }
func (f spentView) Replies(im.AppID, im.ConvID, im.Seq, im.Seq, im.Seq, int, bool) ([]im.Entry, error) {
	return f.some()
}
func (f spentView) At(im.AppID, im.ConvID, []im.Seq) ([]im.Entry, error) { return f.some() }
func (f spentView) Slots(im.AppID, im.ConvID, string, string, int) ([]im.Entry, error) {
	return f.some()
}

// A method that is added to journal.View later and returns entries fails here
// until expiringView and spentView have it: spentView without it calls a nil view.
func TestNoMethodOfAViewShowsABodyAfterItsTime(t *testing.T) {
	view := reflect.TypeFor[journal.View]()
	entry, list := reflect.TypeFor[im.Entry](), reflect.TypeFor[[]im.Entry]()
	for _, at := range []im.Micros{9, 10} {
		v := reflect.ValueOf(expiringView{spentView{}, at})
		n := 0
		for i := range view.NumMethod() {
			m := view.Method(i)
			if first := m.Type.Out(0); first != entry && first != list {
				continue
			}
			n++
			t.Run(m.Name, func(t *testing.T) {
				var args []reflect.Value
				for k := range m.Type.NumIn() {
					if m.Type.IsVariadic() && k == m.Type.NumIn()-1 {
						break
					}
					args = append(args, reflect.Zero(m.Type.In(k)))
				}
				out := v.MethodByName(m.Name).Call(args)[0]
				if out.Type() == list {
					out = out.Index(0)
				}
				e := out.Interface().(im.Entry)
				if shown := len(e.Body) > 0 || len(e.Previous) > 0; shown != (at < 10) || e.Expired != (at >= 10) {
					t.Errorf("at %d: %+v", at, e)
				}
			})
		}
		if n < 10 {
			t.Errorf("only %d methods return entries", n)
		}
	}
}
