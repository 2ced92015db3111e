package search

import (
	"context"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// BenchmarkIndex is what a message of a dozen words, or thirty characters,
// costs the follower on SQLite, in batches as it gets them.
func BenchmarkIndex(b *testing.B) {
	d, err := db.Open(b.Context(), b.TempDir(), db.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	if err := d.Migrate(b.Context(), "search", Migrations()); err != nil {
		b.Fatal(err)
	}
	texts := []string{strings.Repeat("some words that people write each day ", 2), "我们下午三点在北京大学开会，请大家准时参加，不要迟到。谢谢"}
	var list []im.Entry
	seq := im.Seq(0)
	for b.Loop() {
		seq++
		raw, _ := proto.Marshal(&skeinv1.Body{Scheme: skeinv1.BodyScheme_BODY_SCHEME_CONTENT,
			Content: &skeinv1.Content{Kind: &skeinv1.Content_Text{Text: &skeinv1.Text{Text: texts[seq%2]}}}})
		list = append(list, im.Entry{App: "demo", Conv: "g1", Seq: seq, Pos: im.Pos(seq), Kind: im.KindMessage, Sender: "ann", Time: im.Micros(1_790_000_000_000_000 + int64(seq)*1000), Body: raw})
		if len(list) == batch {
			if err := d.Write(b.Context(), func(tx db.Tx) error { return apply(context.Background(), tx, list) }); err != nil {
				b.Fatal(err)
			}
			list = list[:0]
		}
	}
}
