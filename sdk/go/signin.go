package skein

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"time"

	"google.golang.org/protobuf/proto"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Door is where somebody without a token asks to be let in.
type Door struct {
	// Endpoint and AppID as in Options.
	Endpoint, AppID string
	// Device is the id of the device that will use the token: as
	// Options.DeviceID of the client that is made with it.
	Device string
	// HTTPClient; nil = http.DefaultClient.
	HTTPClient *http.Client
}

// SignIn is a token that the server itself has given out.
type SignIn struct {
	User    string
	Token   string
	Expires time.Time
}

// GuestsAllowed tells whether the app lets guests in.
func (d Door) GuestsAllowed(ctx context.Context) (bool, error) {
	var resp skeinv1.GetSignInOptionsResponse
	err := d.call(ctx, "GetSignInOptions", "", &skeinv1.GetSignInOptionsRequest{}, &resp)
	return resp.GetGuests(), err
}

// CreateGuest makes a guest: a user without an account, who answers and begins
// nothing. Errors: PermissionDenied (the app has no guests), RateLimited,
// FailedPrecondition, Unavailable, Aborted.
func (d Door) CreateGuest(ctx context.Context) (SignIn, error) {
	var resp skeinv1.CreateGuestResponse
	if err := d.call(ctx, "CreateGuest", "", &skeinv1.CreateGuestRequest{Device: d.Device}, &resp); err != nil {
		return SignIn{}, err
	}
	return SignIn{resp.GetUser(), resp.GetToken(), time.UnixMicro(resp.GetExpiresUs()).UTC()}, nil
}

// Renew gives a new token for one that CreateGuest or a code gave and that is
// still good, for 30 days after the first. Errors: FailedPrecondition,
// TokenExpired, SignedOut, Unavailable, Aborted.
func (d Door) Renew(ctx context.Context, token string) (SignIn, error) {
	var resp skeinv1.RenewTokenResponse
	if err := d.call(ctx, "RenewToken", token, &skeinv1.RenewTokenRequest{}, &resp); err != nil {
		return SignIn{}, err
	}
	return SignIn{Token: resp.GetToken(), Expires: time.UnixMicro(resp.GetExpiresUs()).UTC()}, nil
}

// SignInCode waits for a signed-in device's approval. It lives two minutes.
type SignInCode struct {
	// Code is for the other device: show URL as a QR code.
	Code    string
	Expires time.Time

	door   Door
	ticket string
}

// CreateSignInCode begins the sign-in of this device by another one of the
// user's. name says to them which device it is. Errors: RateLimited,
// FailedPrecondition, Unavailable, Aborted.
func (d Door) CreateSignInCode(ctx context.Context, name string, platform Platform) (*SignInCode, error) {
	var resp skeinv1.CreateSignInCodeResponse
	err := d.call(ctx, "CreateSignInCode", "", &skeinv1.CreateSignInCodeRequest{Device: d.Device, DeviceName: name, Platform: platform.wire()}, &resp)
	if err != nil {
		return nil, err
	}
	return &SignInCode{Code: resp.GetCode(), Expires: time.UnixMicro(resp.GetExpiresUs()).UTC(), door: d, ticket: resp.GetTicket()}, nil
}

// URL is the address that the other device opens, or scans.
func (s *SignInCode) URL() string { return s.door.Endpoint + "/#/link/" + s.Code }

// pollCode is how often Wait asks.
const pollCode = 2 * time.Second

// Wait waits until the code was answered and returns the token, which is given
// out once. Errors: PermissionDenied (denied), NotFound (expired),
// Unavailable, Aborted.
func (s *SignInCode) Wait(ctx context.Context) (SignIn, error) {
	for {
		var resp skeinv1.WaitSignInCodeResponse
		if err := s.door.call(ctx, "WaitSignInCode", "", &skeinv1.WaitSignInCodeRequest{Ticket: s.ticket}, &resp); err != nil {
			return SignIn{}, err
		}
		switch resp.GetState() {
		case skeinv1.SignInState_SIGN_IN_STATE_APPROVED:
			return SignIn{resp.GetUser(), resp.GetToken(), time.UnixMicro(resp.GetExpiresUs()).UTC()}, nil
		case skeinv1.SignInState_SIGN_IN_STATE_DENIED:
			return SignIn{}, errorf(PermissionDenied, nil, "the sign-in was denied on the other device")
		}
		timer := time.NewTimer(pollCode)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return SignIn{}, aborted(ctx.Err())
		}
	}
}

// call makes a unary call without a client.
func (d Door) call(ctx context.Context, method, token string, req, resp proto.Message) error {
	body, err := proto.Marshal(req)
	if err != nil {
		return errorf(InvalidArgument, err, "the request can not be encoded")
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, d.Endpoint+"/skein.v1.SignInService/"+method, bytes.NewReader(body))
	if err != nil {
		return errorf(InvalidArgument, err, "the endpoint is no address")
	}
	r.Header.Set("Content-Type", "application/proto")
	r.Header.Set("Connect-Protocol-Version", "1")
	r.Header.Set("Skein-App", d.AppID)
	r.Header.Set("Skein-Device", url.PathEscape(d.Device))
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	client := d.HTTPClient
	if client == nil {
		client = http.DefaultClient
	}
	answer, err := client.Do(r)
	if err != nil {
		if ctx.Err() != nil {
			return aborted(ctx.Err())
		}
		return errorf(Unavailable, err, "the server can not be reached")
	}
	defer answer.Body.Close() //nolint:errcheck // it was read
	b, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	switch {
	case err != nil:
		return errorf(Unavailable, err, "the answer broke off")
	case answer.StatusCode != http.StatusOK:
		return connectError(answer.StatusCode, b)
	}
	if err := proto.Unmarshal(b, resp); err != nil {
		return errorf(Internal, err, "the answer can not be read")
	}
	return nil
}

// AskingDevice is a device that shows a sign-in code.
type AskingDevice struct {
	Name     string // what it says of itself
	Platform Platform
	Address  string // where it asks from, as the server saw it
	Asked    time.Time
}

// SignInCode shows which device asks to be signed in, to be shown to the user
// before AnswerSignInCode. Errors: NotFound, PermissionDenied (a guest),
// Unavailable, Aborted, Closed.
func (c *Client) SignInCode(ctx context.Context, code string) (AskingDevice, error) {
	var resp skeinv1.GetSignInCodeResponse
	err := c.rpc(ctx, "SignInService/GetSignInCode", &skeinv1.GetSignInCodeRequest{Code: code}, &resp)
	return AskingDevice{resp.GetDeviceName(), platformOf(resp.GetPlatform()), resp.GetAddress(), time.UnixMicro(resp.GetCreatedUs()).UTC()}, err
}

// AnswerSignInCode lets a device in as the user, or denies it. Errors:
// NotFound, PermissionDenied (a guest), Unavailable, Aborted, Closed.
func (c *Client) AnswerSignInCode(ctx context.Context, code string, approve bool) error {
	return c.rpc(ctx, "SignInService/AnswerSignInCode", &skeinv1.AnswerSignInCodeRequest{Code: code, Approve: approve}, &skeinv1.AnswerSignInCodeResponse{})
}
