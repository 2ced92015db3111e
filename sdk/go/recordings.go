package skein

import (
	"context"
	"time"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// RecordingMark says that a call is being recorded.
type RecordingMark struct {
	User  string // who has started it; "" when they were erased
	Since time.Time
}

// RecordingState is how far a recording is.
type RecordingState string

// The states of a recording.
const (
	RecordingOn        RecordingState = "on"
	RecordingGathering RecordingState = "gathering" // over, its files are on their way
	RecordingDone      RecordingState = "done"
	RecordingEmpty     RecordingState = "empty" // nothing was there to be recorded
)

// RecordingProblem is what is wrong with a recording.
type RecordingProblem string

// What can be wrong with a recording.
const (
	RecordingEncrypted RecordingProblem = "encrypted" // what was encrypted end to end is not in it
	RecordingAway      RecordingProblem = "away"      // a part of it lies at a server that is away, and comes when that is back
	RecordingNotStored RecordingProblem = "notStored" // a file could not be stored yet; it is tried again
	RecordingQuota     RecordingProblem = "quota"     // a file could not be stored yet, for a storage quota is used up; it is tried again
	RecordingBrokenOff RecordingProblem = "brokenOff" // it ended before it was stopped; what was recorded until then is kept
)

// Recording is what was recorded of a call from when to when.
type Recording struct {
	ID           string
	Call         string // id
	Conversation string // id
	Recorder     string // who has started it, and whose the files are; "" when they were erased
	Started      time.Time
	Ended        time.Time // zero = it goes on
	State        RecordingState
	Problem      string           // what keeps it from going on, or its files from coming, or what is not in it, in words
	ProblemCode  RecordingProblem // "" = none, or one that has only words
	// Tracks are in the order in which they began; those alone that the user may
	// read.
	Tracks []RecordedTrack
}

// RecordedTrack is one file of a recording. Played together, each begins at its
// Started. Client.Files reads it by File and the message Seq of the
// conversation.
type RecordedTrack struct {
	User          string
	Source        string // "microphone", "camera", "screen", "screenAudio" or "unknown"
	Started       time.Time
	Duration      time.Duration
	File          string // id
	Seq           uint64
	Name, Mime    string
	Size          int64 // bytes
	Width, Height int   // of a film, pixels
}

// RecordCall records everybody in a call, and whoever comes, until
// StopRecording or its end. Its host may who is in it. Repeating it succeeds.
//
// Errors: NotFound, PermissionDenied, FailedPrecondition (over, encrypted end to
// end, a server that records nothing), ResourceExhausted (its disk is full),
// Unavailable.
func (c *Client) RecordCall(ctx context.Context, id string) (Call, error) {
	var resp skeinv1.StartRecordingResponse
	err := c.rpc(ctx, "CallService/StartRecording", &skeinv1.StartRecordingRequest{Call: id}, &resp)
	return callWith(resp.GetCall(), nil), err
}

// StopRecording ends a call's recording, as its host or who has started it. The
// files are in the conversation a while later. Repeating it succeeds.
func (c *Client) StopRecording(ctx context.Context, id string) (Call, error) {
	var resp skeinv1.StopRecordingResponse
	err := c.rpc(ctx, "CallService/StopRecording", &skeinv1.StopRecordingRequest{Call: id}, &resp)
	return callWith(resp.GetCall(), nil), err
}

// RecordingQuery says which recordings are listed: those of a call, or of a
// conversation.
type RecordingQuery struct {
	Call         string
	Conversation string
	Limit        int    // 0 = 50; at most 100
	Page         string // the next of the list before; "" = the newest
}

// Recordings returns recordings, newest first, and the next page; "" = there is
// none.
func (c *Client) Recordings(ctx context.Context, q RecordingQuery) (list []Recording, next string, err error) {
	var resp skeinv1.ListRecordingsResponse
	err = c.rpc(ctx, "CallService/ListRecordings", &skeinv1.ListRecordingsRequest{Call: q.Call, Conversation: q.Conversation, Limit: uint32(q.Limit), Page: q.Page}, &resp)
	for _, r := range resp.GetRecordings() {
		out := Recording{ID: r.GetId(), Call: r.GetCall(), Conversation: r.GetConversation(), Recorder: r.GetRecorder(), Started: microsTime(r.GetStartedUs()), Ended: microsTime(r.GetEndedUs()),
			State: wordAt(recordingStates(), int32(r.GetState())), Problem: r.GetProblem(), ProblemCode: wordAt(recordingProblems(), int32(r.GetProblemCode()))}
		for _, t := range r.GetTracks() {
			out.Tracks = append(out.Tracks, RecordedTrack{User: t.GetUser(), Source: wordAt(recordedSources(), int32(t.GetSource())), Started: microsTime(t.GetStartedUs()),
				Duration: time.Duration(t.GetDurationMs()) * time.Millisecond, File: t.GetFile(), Seq: t.GetSeq(), Name: t.GetName(), Mime: t.GetMime(), Size: int64(t.GetSize()),
				Width: int(t.GetWidth()), Height: int(t.GetHeight())})
		}
		list = append(list, out)
	}
	return list, resp.GetNextPage(), err
}

func markOf(m *skeinv1.RecordingMark) RecordingMark {
	return RecordingMark{User: m.GetUser(), Since: microsTime(m.GetSinceUs())}
}

func recordingStates() []RecordingState {
	return []RecordingState{"", RecordingOn, RecordingGathering, RecordingDone, RecordingEmpty}
}

func recordingProblems() []RecordingProblem {
	return []RecordingProblem{"", RecordingEncrypted, RecordingAway, RecordingNotStored, RecordingQuota, RecordingBrokenOff}
}

func recordedSources() []string {
	return []string{"unknown", "microphone", "camera", "screen", "screenAudio"}
}
