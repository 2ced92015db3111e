package skein

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
	"github.com/skein-im/skein/sdk/go/internal/tus"
)

const (
	callTime  = 30 * time.Second
	maxAnswer = 32 << 20 // bytes of a call's answer
)

// rpc makes a unary call over Connect's protocol: one POST. A refused token
// is replaced once. What the server says comes back as *Error; a network that
// fails is Unavailable.
func (c *Client) rpc(ctx context.Context, method string, req, resp proto.Message) error {
	body, err := proto.Marshal(req)
	if err != nil {
		return errorf(InvalidArgument, err, "the request can not be encoded")
	}
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	stop := context.AfterFunc(c.ctx, cancel)
	defer stop()
	token, err := c.tokens.current(ctx)
	if err != nil {
		return c.tokenError(err)
	}
	callErr := c.post1(ctx, method, token, body, resp)
	if callErr != nil && (callErr.Code == Unauthenticated || callErr.Code == TokenExpired) {
		if token, err = c.tokens.better(ctx, token); err != nil {
			return c.tokenError(err)
		}
		callErr = c.post1(ctx, method, token, body, resp)
	}
	switch {
	case callErr == nil:
		return nil
	case caller.Err() != nil && c.ctx.Err() == nil:
		return aborted(caller.Err())
	}
	return callErr
}

func (c *Client) tokenError(err error) *Error {
	if e := asError(err); e.Code == Aborted || e.Code == Closed {
		return e
	}
	return &Error{Code: Unavailable, Message: "the token supplier failed", Cause: err}
}

func (c *Client) post1(ctx context.Context, method, token string, body []byte, resp proto.Message) *Error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.opt.Endpoint+"/skein.v1."+method, bytes.NewReader(body))
	if err != nil {
		return errorf(InvalidArgument, err, "the endpoint is no address")
	}
	r.Header.Set("Content-Type", "application/proto")
	r.Header.Set("Connect-Protocol-Version", "1")
	c.identify(r, token)
	answer, err := c.opt.HTTPClient.Do(r)
	if err != nil {
		if c.ctx.Err() != nil {
			return errClosed()
		}
		return errorf(Unavailable, err, "the server can not be reached")
	}
	defer answer.Body.Close() //nolint:errcheck // it was read
	b, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	switch {
	case err != nil:
		return errorf(Unavailable, err, "the answer broke off")
	case len(b) > maxAnswer:
		return errorf(TooLarge, nil, "the answer is larger than %d bytes", maxAnswer)
	case answer.StatusCode != http.StatusOK:
		return connectError(answer.StatusCode, b)
	}
	if err := proto.Unmarshal(b, resp); err != nil {
		return errorf(Internal, err, "the answer can not be read")
	}
	return nil
}

// connectError reads an error of Connect's unary protocol
// (https://connectrpc.com/docs/protocol#error-end-stream), whose detail of
// type skein.v1.Error is the protocol's own.
func connectError(status int, body []byte) *Error {
	var e struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		Details []struct {
			Type  string `json:"type"`
			Value string `json:"value"`
		} `json:"details"`
	}
	_ = json.Unmarshal(body, &e) // what can not be read is judged by the status
	for _, d := range e.Details {
		if d.Type != "skein.v1.Error" {
			continue
		}
		var wire skeinv1.Error
		if b, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(d.Value, "=")); err == nil && proto.Unmarshal(b, &wire) == nil {
			return fromWire(&wire)
		}
	}
	return errorf(Code(tus.CodeOf(status)), nil, "the server answered with status %d %s", status, e.Message)
}
