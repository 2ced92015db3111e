package script

import (
	"bytes"
	"context"
	"fmt"
	"net/url"

	pb "github.com/skein-im/skein/proto/skein/v1"
	"github.com/skein-im/skein/sdk/go/server"
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
		return g.said(ctx, c.message(server.Attachments("", server.Attachment(f))))
	},
	"upload": func(ctx context.Context, g *goServer, c Command) (any, error) {
		var data struct{ File goFile }
		if err := again(c.Data, &data); err != nil {
			return nil, err
		}
		b := data.File.bytes()
		f, err := g.sdk.Upload(ctx, server.UploadFile{Name: data.File.Name, MIME: data.File.Mime, Reader: bytes.NewReader(b), Size: int64(len(b))})
		if err != nil {
			return nil, err
		}
		return g.said(ctx, c.message(server.Attachments(c.Text, server.Attachment(f))))
	},
}

// message is a message of the back end's, in the name of a command's user.
func (c Command) message(body *pb.Body) *pb.SendMessageRequest {
	r := &pb.SendMessageRequest{Conversation: c.Conversation, Body: body}
	if len(c.Users) > 0 {
		r.Sender = c.Users[0]
	}
	return r
}
