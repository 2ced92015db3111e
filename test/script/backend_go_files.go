package script

import (
	"context"
	"fmt"
	"net/url"

	pb "github.com/skein-im/skein/proto/skein/v1"
)

var goServerFiles = map[string]func(context.Context, *goServer, Command) (any, error){
	"file": func(ctx context.Context, g *goServer, c Command) (any, error) {
		f, err := g.sdk.File(ctx, fmt.Sprint(c.Data["file"]))
		return fmt.Sprint(f.GetName(), " ", f.GetMime(), " ", f.GetSize()), err
	},
	"readFile": func(ctx context.Context, g *goServer, c Command) (any, error) {
		key, _, err := g.sdk.FileKey(ctx)
		if err != nil {
			return nil, err
		}
		got, err := readURL(ctx, g.url+"/v1/files/"+fmt.Sprint(c.Data["file"])+"?"+url.Values{"k": {key}}.Encode(), "")
		return got["text"], err
	},
	"passFile": func(ctx context.Context, g *goServer, c Command) (any, error) {
		f, err := g.sdk.File(ctx, fmt.Sprint(c.Data["file"]))
		if err != nil {
			return nil, err
		}
		r := &pb.SendMessageRequest{Conversation: c.Conversation, Body: &pb.Body{Scheme: pb.BodyScheme_BODY_SCHEME_CONTENT, Content: &pb.Content{
			Kind: &pb.Content_Attachments{Attachments: &pb.Attachments{Items: []*pb.Attachment{{Name: f.Name, Mime: f.Mime, Size: f.Size, File: f.Id}}}}}}}
		if len(c.Users) > 0 {
			r.Sender = c.Users[0]
		}
		return g.said(ctx, r)
	},
}
