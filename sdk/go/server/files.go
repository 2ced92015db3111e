package server

import (
	"context"
	"time"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// File tells what is known of a file that anybody in the app has uploaded.
// NotFound when there is none, also while its upload is not complete.
func (c *Client) File(ctx context.Context, id string) (*skeinv1.File, error) {
	res, err := call(ctx, c, c.files.GetFile, &skeinv1.GetFileRequest{Id: id})
	return res.GetFile(), err
}

// FileKey returns a key with which every file of the app is read until it
// expires: GET /v1/files/FILE?k=KEY. It never goes to a user.
func (c *Client) FileKey(ctx context.Context) (key string, expires time.Time, err error) {
	res, err := call(ctx, c, c.files.CreateFileKey, &skeinv1.CreateFileKeyRequest{})
	return res.GetKey(), time.UnixMicro(res.GetExpiresUs()), err
}
