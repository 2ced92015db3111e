package chaos

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	mrand "math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/skein-im/skein/internal/im"
	pb "github.com/skein-im/skein/proto/skein/v1"
)

// FlipOptions say how many bits to flip.
type FlipOptions struct {
	Engine Engine
	Flips  int
}

// flipsARound are flipped at once, each in another message: more of them make
// no message worse, and a start of the server serves for all.
const flipsARound = 20

// stored is one message that lies in the database.
type stored struct {
	user, peer, conv string
	seq              uint64
	text             string
	flipped          bool
}

// Flip flips single bits in the stored bodies of messages, in the files of the
// stopped engine, and starts it again. A flipped message is never served, all
// others are, and fsck names each.
func Flip(ctx context.Context, e *Env, o FlipOptions) (r *Result, err error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Minute)
	defer cancel()
	r = &Result{Proof: "one flipped bit in a stored message", Engine: o.Engine.String(), Nodes: 1, Began: time.Now(),
		Command: fmt.Sprintf("go run ./test/chaos/run flip --db %s --flips %d", string(o.Engine), o.Flips)}
	defer func() { r.Took = time.Since(r.Began) }()
	c, err := e.StartCluster(ctx, ClusterOptions{Engine: o.Engine})
	if err != nil {
		return r, err
	}
	defer c.Close()
	f := &flips{c: c, r: r, http: &http.Client{}}
	if err := f.write(ctx, 10, 60); err != nil {
		return r, err
	}
	for f.flipped < o.Flips {
		if err := f.round(ctx, min(flipsARound, o.Flips-f.flipped)); err != nil {
			return r, err
		}
		e.Logf("%d bits flipped, %d messages withheld, %d served", f.flipped, f.withheld, f.served)
	}
	r.Act("bits flipped", int64(f.flipped))
	r.Act("reads that withheld one", int64(f.withheld))
	r.Act("damaged rows that fsck named", int64(f.named))
	r.Measure("reads of undamaged messages, all right", float64(f.served), "")
	r.Measure("damaged messages served", float64(f.wrong), "")
	return r, nil
}

type flips struct {
	c                                       *Cluster
	r                                       *Result
	http                                    *http.Client
	all                                     []*stored
	flipped, withheld, served, named, wrong int
}

// write stores messages, each with a text that is nowhere else.
func (f *flips) write(ctx context.Context, convs, each int) error {
	for i := range convs {
		user, peer := fmt.Sprintf("f%da", i), fmt.Sprintf("f%db", i)
		conv := string(im.Direct(im.UserID(user), im.UserID(peer)))
		caller := f.caller(user)
		for range each {
			var secret [60]byte
			if _, err := rand.Read(secret[:]); err != nil {
				return err
			}
			id, text := newID(), hex.EncodeToString(secret[:])
			var res pb.SendMessageResponse
			if err := caller.Call(ctx, f.c.Nodes[0].URL(), "MessageService/SendMessage", &pb.SendMessageRequest{Conversation: conv, ClientId: id[:], Body: textBody(text)}, &res); err != nil {
				return err
			}
			f.all = append(f.all, &stored{user: user, peer: peer, conv: conv, seq: res.Entry.Seq, text: text})
		}
	}
	return nil
}

func (f *flips) caller(user string) *Caller {
	return &Caller{HTTP: f.http, App: f.c.App(), Token: f.c.App().Token(user)}
}

// bit is one that was flipped.
type bit struct {
	file string
	at   int64
	mask byte
	m    *stored
}

// round flips, looks, and flips back.
func (f *flips) round(ctx context.Context, n int) error {
	if err := f.stop(); err != nil {
		return err
	}
	bits, err := f.choose(n)
	if err != nil {
		return err
	}
	for _, b := range bits {
		if err := b.flip(); err != nil {
			return err
		}
		b.m.flipped = true
	}
	f.flipped += len(bits)
	if f.c.Postgres != nil {
		if err := f.c.Postgres.Start(ctx); err != nil {
			return err
		}
	}
	f.fsck(ctx, bits)
	if err := f.c.Nodes[0].Start(ctx); err != nil {
		return err
	}
	for _, user := range []string{"a", "b"} {
		if err := f.look(ctx, user); err != nil {
			return err
		}
	}
	for _, b := range bits {
		if err := f.ask(ctx, b.m); err != nil {
			return err
		}
	}
	if err := f.stop(); err != nil {
		return err
	}
	for _, b := range bits {
		if err := b.flip(); err != nil {
			return err
		}
		b.m.flipped = false
	}
	if f.c.Postgres != nil {
		if err := f.c.Postgres.Start(ctx); err != nil {
			return err
		}
	}
	if _, err := f.c.Nodes[0].Tool(ctx, "fsck"); err != nil {
		f.r.Problem("with every bit flipped back: %v", err)
	}
	return f.c.Nodes[0].Start(ctx)
}

func (f *flips) stop() error {
	err := f.c.Nodes[0].Stop()
	if f.c.Postgres != nil {
		err = errors.Join(err, f.c.Postgres.Halt())
	}
	return err
}

// choose finds messages in the engine's files, and a bit in the text of each.
func (f *flips) choose(n int) (bits []bit, err error) {
	root := filepath.Join(f.c.Dir, "data")
	if f.c.Postgres != nil {
		root = filepath.Join(f.c.Postgres.data(), "base")
	}
	files := map[string][]byte{}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		files[path], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, i := range mrand.Perm(len(f.all)) {
		if len(bits) == n {
			return bits, nil
		}
		m, found, b := f.all[i], 0, bit{}
		for path, content := range files {
			if n := bytes.Count(content, []byte(m.text)); n > 0 {
				found += n
				at := bytes.Index(content, []byte(m.text)) + mrand.IntN(len(m.text))
				b = bit{path, int64(at), 1 << mrand.IntN(8), m}
			}
		}
		if found == 1 { // a page may have left an old copy of a row behind
			bits = append(bits, b)
		}
	}
	return nil, fmt.Errorf("%d of %d messages were found once in %s", len(bits), len(f.all), root)
}

func (b bit) flip() error {
	file, err := os.OpenFile(b.file, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	var one [1]byte
	if _, err := file.ReadAt(one[:], b.at); err != nil {
		return err
	}
	one[0] ^= b.mask
	_, err = file.WriteAt(one[:], b.at)
	return errors.Join(err, file.Sync())
}

// fsck has to name each damaged message.
func (f *flips) fsck(ctx context.Context, bits []bit) {
	out, err := f.c.Nodes[0].Tool(ctx, "fsck")
	if err == nil {
		f.r.Problem("fsck says that all is well")
		return
	}
	said := out + err.Error()
	for _, b := range bits {
		if strings.Contains(said, fmt.Sprintf("%s %d:", b.m.conv, b.m.seq)) {
			f.named++
		} else {
			f.r.Problem("fsck does not name %s %d", b.m.conv, b.m.seq)
		}
	}
}

// look reads everything as one side of each conversation: by a sync, and page
// by page.
func (f *flips) look(ctx context.Context, side string) error {
	at := map[string]map[uint64]*stored{}
	for _, m := range f.all {
		if at[m.conv] == nil {
			at[m.conv] = map[uint64]*stored{}
		}
		at[m.conv][m.seq] = m
	}
	base := f.c.Nodes[0].URL()
	for conv, messages := range at {
		user := messages[1].user
		if side == "b" {
			user = messages[1].peer
		}
		caller := f.caller(user)
		var sync pb.SyncResponse
		if err := caller.Call(ctx, base, "SyncService/Sync", &pb.SyncRequest{Entries: 200}, &sync); err != nil {
			return fmt.Errorf("sync of %s: %w", user, err)
		}
		var got []*pb.Entry
		for _, d := range sync.Conversations {
			if d.Conversation.Id == conv {
				got = append(got, d.Entries...)
			}
		}
		f.compare("sync", messages, got)
		var page pb.ListMessagesResponse
		if err := caller.Call(ctx, base, "MessageService/ListMessages", pageAfter(conv, 0), &page); err != nil {
			return fmt.Errorf("history of %s: %w", conv, err)
		}
		got = nil
		for _, it := range page.Items {
			got = append(got, it.Entry)
		}
		f.compare("history", messages, got)
	}
	return nil
}

func (f *flips) compare(how string, messages map[uint64]*stored, got []*pb.Entry) {
	seen := map[uint64]bool{}
	for _, e := range got {
		m := messages[e.Seq]
		seen[e.Seq] = true
		switch text := e.GetBody().GetContent().GetText().GetText(); {
		case m == nil:
			f.r.Problem("%s serves %s %d, which nobody sent", how, e.Conversation, e.Seq)
		case m.flipped:
			f.wrong++
			f.r.Problem("%s serves %s %d, a bit of which is flipped", how, m.conv, m.seq)
		case text != m.text:
			f.wrong++
			f.r.Problem("%s serves another text at %s %d", how, m.conv, m.seq)
		default:
			f.served++
		}
	}
	for seq, m := range messages {
		switch {
		case !seen[seq] && m.flipped:
			f.withheld++
		case !seen[seq]:
			f.r.Problem("%s does not serve %s %d, which is not damaged", how, m.conv, m.seq)
		}
	}
}

// ask asks for just a damaged message.
func (f *flips) ask(ctx context.Context, m *stored) error {
	var res pb.ListEditsResponse
	err := f.caller(m.user).Call(ctx, f.c.Nodes[0].URL(), "MessageService/ListEdits", &pb.ListEditsRequest{Conversation: m.conv, Seq: m.seq}, &res)
	if code := im.CodeOf(err); code != im.DataLoss {
		f.r.Problem("who asks for %s %d is told %v, want DATA_LOSS", m.conv, m.seq, err)
	}
	return nil
}
