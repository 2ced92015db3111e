package server

import (
	"context"
	"iter"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Calls returns voice and video calls, newest first: all of the app's, or those
// of a user or a conversation, or that go on, as the request says. Its limit
// and page are filled in.
func (c *Client) Calls(ctx context.Context, r *skeinv1.ListCallsRequest) iter.Seq2[*skeinv1.Call, error] {
	return pages(func(page string) ([]*skeinv1.Call, string, error) {
		res, err := call(ctx, c, c.calls.ListCalls, &skeinv1.ListCallsRequest{User: r.GetUser(), Conversation: r.GetConversation(), Missed: r.GetMissed(), Live: r.GetLive(), Limit: 100, Page: page})
		return res.GetCalls(), res.GetNextPage(), err
	})
}

// Call returns a call with everybody in it. NotFound when there is none.
func (c *Client) Call(ctx context.Context, id string) (*skeinv1.Call, error) {
	res, err := call(ctx, c, c.calls.GetCall, &skeinv1.GetCallRequest{Call: id})
	return res.GetCall(), err
}

// EndCall ends a call for everybody.
func (c *Client) EndCall(ctx context.Context, id string) (*skeinv1.Call, error) {
	res, err := call(ctx, c, c.calls.EndCall, &skeinv1.EndCallRequest{Call: id})
	return res.GetCall(), err
}

// MuteInCall switches somebody's microphone or camera off; they may switch it on
// again.
func (c *Client) MuteInCall(ctx context.Context, r *skeinv1.MuteInCallRequest) error {
	_, err := call(ctx, c, c.calls.MuteInCall, r)
	return err
}

// RemoveFromCall takes somebody out of a call, or stops their ring.
func (c *Client) RemoveFromCall(ctx context.Context, r *skeinv1.RemoveFromCallRequest) (*skeinv1.Call, error) {
	res, err := call(ctx, c, c.calls.RemoveFromCall, r)
	return res.GetCall(), err
}

// SetCallRole says whether somebody speaks in a call or only hears and sees.
func (c *Client) SetCallRole(ctx context.Context, r *skeinv1.SetCallRoleRequest) (*skeinv1.Call, error) {
	res, err := call(ctx, c, c.calls.SetCallRole, r)
	return res.GetCall(), err
}

// StartRecording records everybody in a call, in the name of who has started
// it.
func (c *Client) StartRecording(ctx context.Context, id string) (*skeinv1.Call, error) {
	res, err := call(ctx, c, c.calls.StartRecording, &skeinv1.StartRecordingRequest{Call: id})
	return res.GetCall(), err
}

// StopRecording ends a call's recording.
func (c *Client) StopRecording(ctx context.Context, id string) (*skeinv1.Call, error) {
	res, err := call(ctx, c, c.calls.StopRecording, &skeinv1.StopRecordingRequest{Call: id})
	return res.GetCall(), err
}

// Recordings returns recordings, newest first: all of the app's, or those of a
// call or a conversation. Its limit and page are filled in.
func (c *Client) Recordings(ctx context.Context, r *skeinv1.ListRecordingsRequest) iter.Seq2[*skeinv1.Recording, error] {
	return pages(func(page string) ([]*skeinv1.Recording, string, error) {
		res, err := call(ctx, c, c.calls.ListRecordings, &skeinv1.ListRecordingsRequest{Call: r.GetCall(), Conversation: r.GetConversation(), Limit: 100, Page: page})
		return res.GetRecordings(), res.GetNextPage(), err
	})
}
