package bench

import (
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/ws"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// SyncOptions is one device that comes back.
type SyncOptions struct {
	User   im.UserID
	Cursor []byte // where it was; nil = it is new
	Rounds int    // how often it comes back from there
}

// SyncRun is what one coming back took.
type SyncRun struct {
	Took     time.Duration // from dialling to the last of the bodies, decoded
	Requests int           // frames that the client sent, hello included
	Messages int
	Cursor   []byte
}

// ComeBack dials, and reads until nothing more is to come. Every body is
// decoded, as an SDK would before it shows anything.
func ComeBack(ctx context.Context, t *Target, o SyncOptions) (r SyncRun, err error) {
	token, err := t.Token(o.User)
	if err != nil {
		return r, err
	}
	began := time.Now()
	conn, err := ws.Dial(ctx, t.URL, ws.DialOptions{TLS: t.TLS, Subprotocols: []string{"skein.v1.proto"}, Limits: ws.Limits{ReadLimit: 16 << 20}})
	if err != nil {
		return r, err
	}
	defer conn.Close()
	ask := func(f *skeinv1.ClientFrame) error {
		r.Requests++
		f.Ref = uint32(r.Requests)
		raw, err := proto.Marshal(&skeinv1.ClientPacket{Frames: []*skeinv1.ClientFrame{f}})
		if err != nil {
			return err
		}
		return conn.WriteMessage(ws.OpBinary, raw)
	}
	err = ask(&skeinv1.ClientFrame{Frame: &skeinv1.ClientFrame_Hello{Hello: &skeinv1.Hello{Protocol: 1, App: string(t.App), Token: token,
		Device: "bench", Platform: skeinv1.Platform_PLATFORM_DESKTOP, Sdk: "skein-bench", Sync: wholeSync(o.Cursor)}}})
	for more := true; more && err == nil; {
		var raw []byte
		if _, raw, err = conn.ReadMessage(); err != nil {
			break
		}
		var p skeinv1.ServerPacket
		if err = proto.Unmarshal(raw, &p); err != nil {
			break
		}
		for _, f := range p.Frames {
			page := f.GetSync()
			if w := f.GetWelcome(); w != nil {
				page = w.GetSync()
			}
			if e := f.GetError(); e != nil {
				return r, fmt.Errorf("sync of %s: %v", o.User, e)
			}
			if page == nil {
				continue
			}
			for _, d := range page.Conversations {
				for _, e := range d.Entries {
					if e.GetBody() != nil {
						r.Messages++
					}
				}
			}
			r.Cursor = page.Cursor
			if more = page.More; more && !page.Follows {
				err = ask(&skeinv1.ClientFrame{Frame: &skeinv1.ClientFrame_Sync{Sync: wholeSync(page.Cursor)}})
			}
		}
	}
	r.Took = time.Since(began)
	return r, err
}

// wholeSync asks for all that there is.
func wholeSync(cursor []byte) *skeinv1.SyncRequest {
	return &skeinv1.SyncRequest{Cursor: cursor, Conversations: 500, Entries: 200, Follow: true}
}

// Sync lets a device come back from the same place several times and returns
// the run that took the middle one of the times, and the first.
func Sync(ctx context.Context, t *Target, o SyncOptions) (middle, first SyncRun, err error) {
	var runs []SyncRun
	for range max(o.Rounds, 1) {
		r, err := ComeBack(ctx, t, o)
		if err != nil {
			return middle, first, err
		}
		runs = append(runs, r)
	}
	first = runs[0]
	slices.SortFunc(runs, func(a, b SyncRun) int { return int(a.Took - b.Took) })
	return runs[len(runs)/2], first, nil
}
