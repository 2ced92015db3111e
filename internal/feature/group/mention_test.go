package group_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/feature/group"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

func TestInALargeGroupOnlyWhoHasTheGrantMentionsAll(t *testing.T) {
	w := newWorld(t)
	w.g = group.New(w.c, 500, nil)
	members := make([]string, 97)
	for i := range members {
		members[i] = fmt.Sprintf("m%d", i)
	}
	w.make("small", "olga", "adam", append(members, "mia")...)                 // 100
	w.make("large", "olga", "adam", append(members, "mia", "one-too-many")...) // 101
	many := []*skeinv1.Content{{MentionAll: true}, {MentionHere: true}, {MentionRoles: []string{"admin"}}}
	for _, tc := range []struct {
		conv im.ConvID
		who  string
		code im.Code
	}{{"small", "mia", 0}, {"large", "olga", 0}, {"large", "adam", 0}, {"large", "mia", im.PermissionDenied}} {
		for _, c := range many {
			c.Kind = &skeinv1.Content_Text{Text: &skeinv1.Text{Text: "hey"}}
			body, err := proto.Marshal(&skeinv1.Body{Scheme: skeinv1.BodyScheme_BODY_SCHEME_CONTENT, Content: c})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.c.Send(context.Background(), actor(tc.who), chat.SendRequest{Conv: tc.conv, ClientID: newID(t), Body: body}); im.CodeOf(err) != tc.code {
				t.Errorf("%s mentions %v in %s: %v", tc.who, c, tc.conv, err)
			}
		}
	}
	// @channel two thousand times over is a text.
	text, err := proto.Marshal(&skeinv1.Body{Scheme: skeinv1.BodyScheme_BODY_SCHEME_CONTENT,
		Content: &skeinv1.Content{Kind: &skeinv1.Content_Text{Text: &skeinv1.Text{Text: strings.Repeat("@channel", 2000)}}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.c.Send(context.Background(), actor("mia"), chat.SendRequest{Conv: "large", ClientID: newID(t), Body: text}); err != nil {
		t.Error(err)
	}
}
