package chat_test

import (
	"context"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

func body(c *skeinv1.Content) []byte {
	b, _ := proto.Marshal(&skeinv1.Body{Scheme: skeinv1.BodyScheme_BODY_SCHEME_CONTENT, Content: c})
	return b
}

func location(lat, lng int32, name string) *skeinv1.Content {
	return &skeinv1.Content{Kind: &skeinv1.Content_Location{Location: &skeinv1.Location{LatitudeE7: lat, LongitudeE7: lng, Name: name}}}
}

func card(user string) *skeinv1.Content {
	return &skeinv1.Content{Kind: &skeinv1.Content_ContactCard{ContactCard: &skeinv1.ContactCard{User: user, Name: "Ann"}}}
}

func sticker(pack, url, alt string) *skeinv1.Content {
	return &skeinv1.Content{Kind: &skeinv1.Content_Sticker{Sticker: &skeinv1.Sticker{Pack: pack, Id: "wave", Url: url, Alt: alt}}}
}

func files(n int, change func(*skeinv1.Attachment)) *skeinv1.Content {
	as := &skeinv1.Attachments{}
	for range n {
		a := &skeinv1.Attachment{Name: "a.png", Mime: "image/png", Size: 10, Url: "https://files.example/a.png"}
		if change != nil {
			change(a)
		}
		as.Items = append(as.Items, a)
	}
	return &skeinv1.Content{Kind: &skeinv1.Content_Attachments{Attachments: as}}
}

func notice(code, text string, params ...*skeinv1.NoticeParam) *skeinv1.Content {
	return &skeinv1.Content{Kind: &skeinv1.Content_Notice{Notice: &skeinv1.Notice{Code: code, Text: text, Params: params}}}
}

func markdown(s string, f skeinv1.TextFormat) *skeinv1.Content {
	return &skeinv1.Content{Kind: &skeinv1.Content_Text{Text: &skeinv1.Text{Text: s}}, Format: f}
}

func TestEveryKindOfContentIsHeldToItsRules(t *testing.T) {
	const ok = im.Code(0)
	long := strings.Repeat("x", 300)
	for name, tc := range map[string]struct {
		c    *skeinv1.Content
		code im.Code
	}{
		"markdown":                        {markdown("*a*", skeinv1.TextFormat_TEXT_FORMAT_MARKDOWN), ok},
		"unknown format":                  {markdown("*a*", 3), im.InvalidArgument},
		"negative format":                 {markdown("*a*", -1), im.InvalidArgument},
		"location":                        {location(522_000_000, -1_800_000_000, "here"), ok},
		"location past the pole":          {location(900_000_001, 0, ""), im.InvalidArgument},
		"location past the date line":     {location(0, -1_800_000_001, ""), im.InvalidArgument},
		"location with a long name":       {location(0, 0, long), im.InvalidArgument},
		"location with a line break":      {location(0, 0, "a\nb"), im.InvalidArgument},
		"location that reads backwards":   {location(0, 0, "a\u202eb"), im.InvalidArgument},
		"card":                            {card("ann"), ok},
		"card of nobody":                  {card(""), im.InvalidArgument},
		"card of no user id":              {card("a\nb"), im.InvalidArgument},
		"sticker":                         {sticker("cats", "https://s.example/1.webp", "wave"), ok},
		"sticker of the app's own":        {sticker("cats", "", "wave"), ok},
		"sticker over http":               {sticker("cats", "http://s.example/1.webp", "wave"), im.InvalidArgument},
		"sticker that is a script":        {sticker("cats", "javascript:alert(1)", "wave"), im.InvalidArgument},
		"sticker with a password":         {sticker("cats", "https://a:b@s.example/1", "wave"), im.InvalidArgument},
		"sticker without a host":          {sticker("cats", "https:///1.webp", "wave"), im.InvalidArgument},
		"sticker without alt":             {sticker("cats", "", ""), im.InvalidArgument},
		"sticker of a bad pack":           {sticker("c/../d", "", "wave"), im.InvalidArgument},
		"one file":                        {files(1, nil), ok},
		"20 files":                        {files(20, nil), ok},
		"no file":                         {files(0, nil), im.InvalidArgument},
		"21 files":                        {files(21, nil), im.InvalidArgument},
		"file of no type":                 {files(1, func(a *skeinv1.Attachment) { a.Mime = "png" }), im.InvalidArgument},
		"file of a type with a break":     {files(1, func(a *skeinv1.Attachment) { a.Mime = "image/png\nx" }), im.InvalidArgument},
		"file with a large thumb":         {files(1, func(a *skeinv1.Attachment) { a.Thumb = make([]byte, 1025) }), im.TooLarge},
		"file with half a hash":           {files(1, func(a *skeinv1.Attachment) { a.Sha256 = make([]byte, 16) }), im.InvalidArgument},
		"file with a hash":                {files(1, func(a *skeinv1.Attachment) { a.Sha256 = make([]byte, 32) }), ok},
		"file with a long waveform":       {files(1, func(a *skeinv1.Attachment) { a.Waveform = make([]byte, 129) }), im.TooLarge},
		"file with a waveform":            {files(1, func(a *skeinv1.Attachment) { a.Waveform = make([]byte, 128) }), ok},
		"file with a poster that is none": {files(1, func(a *skeinv1.Attachment) { a.Poster = "../a" }), im.InvalidArgument},
		"file with a poster":              {files(1, func(a *skeinv1.Attachment) { a.Poster = strings.Repeat("0a", 16) }), ok},
		"file of 2^60 bytes":              {files(1, func(a *skeinv1.Attachment) { a.Size = 1 << 60 }), im.InvalidArgument},
		"file on ftp":                     {files(1, func(a *skeinv1.Attachment) { a.Url = "ftp://x/y" }), im.InvalidArgument},
		"file with a space in its url":    {files(1, func(a *skeinv1.Attachment) { a.Url = "https://x/a b" }), im.InvalidArgument},
		"a notice of a user":              {notice("shop.paid", "paid"), im.PermissionDenied},
		"forged forward":                  {&skeinv1.Content{Kind: markdown("x", 0).Kind, Forwarded: &skeinv1.Forwarded{Sender: "bob"}}, im.InvalidArgument},
		"forged merge":                    {&skeinv1.Content{Kind: &skeinv1.Content_Merged{Merged: &skeinv1.Merged{Title: "x", Count: 1}}}, im.InvalidArgument},
		"nothing":                         {&skeinv1.Content{}, im.InvalidArgument},
		"a reaction":                      {&skeinv1.Content{Kind: &skeinv1.Content_Reaction{Reaction: &skeinv1.Reaction{Emoji: "x"}}}, im.InvalidArgument},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			_, err := w.c.Send(context.Background(), alice, chat.SendRequest{Conv: ab, ClientID: w.id(), Body: body(tc.c)})
			if im.CodeOf(err) != tc.code {
				t.Fatalf("got %v, want %v", err, tc.code)
			}
			page, err := w.c.History(context.Background(), bob, chat.HistoryRequest{Conv: ab})
			if err != nil {
				t.Fatal(err)
			}
			if stored := len(page.Items) > 0; stored != (tc.code == ok) {
				t.Fatalf("stored: %v", stored)
			}
		})
	}
}

func TestOnlyTheBackEndSendsNotices(t *testing.T) {
	w := newWorld(t)
	server := im.Actor{App: "demo", User: "shop", Server: true}
	many := make([]*skeinv1.NoticeParam, 21)
	for i := range many {
		many[i] = &skeinv1.NoticeParam{Name: strings.Repeat("n", i+1)}
	}
	for name, tc := range map[string]struct {
		c    *skeinv1.Content
		code im.Code
	}{
		"no code":           {notice("", "paid"), im.InvalidArgument},
		"no text":           {notice("paid", ""), im.InvalidArgument},
		"a name twice":      {notice("paid", "paid", &skeinv1.NoticeParam{Name: "a"}, &skeinv1.NoticeParam{Name: "a"}), im.InvalidArgument},
		"21 params":         {notice("paid", "paid", many...), im.InvalidArgument},
		"a large parameter": {notice("paid", "paid", &skeinv1.NoticeParam{Name: "a", Value: strings.Repeat("v", 257)}), im.InvalidArgument},
		"a good one":        {notice("shop.paid", "Order 7 is paid", &skeinv1.NoticeParam{Name: "order", Value: "7"}), 0},
	} {
		if _, err := w.c.Send(context.Background(), server, chat.SendRequest{Conv: ab, ClientID: w.id(), Body: body(tc.c)}); im.CodeOf(err) != tc.code {
			t.Errorf("%s: got %v, want %v", name, err, tc.code)
		}
	}
	page, err := w.c.History(context.Background(), bob, chat.HistoryRequest{Conv: ab})
	if err != nil || len(page.Items) != 1 || page.Items[0].Entry.Body.Content.GetNotice().GetCode() != "shop.paid" {
		t.Fatalf("bob sees %v, %v", page, err)
	}
}
