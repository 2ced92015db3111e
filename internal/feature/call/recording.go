package call

import (
	"context"
	"encoding/hex"
	"errors"
	"strings"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// The states of a recording.
const (
	recordingOn        = int64(skeinv1.RecordingState_RECORDING_STATE_ON)
	recordingGathering = int64(skeinv1.RecordingState_RECORDING_STATE_GATHERING)
	recordingDone      = int64(skeinv1.RecordingState_RECORDING_STATE_DONE)
	recordingEmpty     = int64(skeinv1.RecordingState_RECORDING_STATE_EMPTY)
)

// recording is a row of call_recording.
type recording struct {
	app            im.AppID
	id, call       string
	conv           im.ConvID
	recorder       im.UserID
	started, ended im.Micros
	state          int64
	problem
	due          int64
	note1, note2 []byte
}

// problem is what is wrong with a recording; without words nothing is.
type problem struct {
	code  skeinv1.RecordingProblem
	words string
}

const recordingColumns = "app, id, call_id, conv, recorder, started, ended, state, problem, problem_code, due, note_1, note_2"

func (r *recording) scan(from interface{ Scan(...any) error }) error {
	return from.Scan(&r.app, &r.id, &r.call, &r.conv, &r.recorder, &r.started, &r.ended, &r.state, &r.problem.words, &r.problem.code, &r.due, &r.note1, &r.note2)
}

func (r *recording) insert(tx db.Tx) error {
	_, err := tx.Exec("INSERT INTO call_recording ("+recordingColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
		r.app, r.id, r.call, r.conv, r.recorder, r.started, r.ended, r.state, r.problem.words, r.problem.code, r.due, r.note1, r.note2)
	return err
}

// recordingOf reads a recording. Errors: NotFound.
func recordingOf(tx db.Tx, app im.AppID, id string) (*recording, error) {
	r := new(recording)
	err := r.scan(tx.QueryRow("SELECT "+recordingColumns+" FROM call_recording WHERE app = $1 AND id = $2", app, id))
	if errors.Is(err, db.ErrNoRows) {
		return nil, im.ErrNotFound
	}
	return r, err
}

// lacks notes what is wrong with a recording; the first problem stands.
func (r *recording) lacks(tx db.Tx, p problem) error {
	_, err := tx.Exec("UPDATE call_recording SET problem = $3, problem_code = $4 WHERE app = $1 AND id = $2 AND problem = ''", r.app, r.id, p.words, p.code)
	return err
}

// mark says that a call is recorded; nil when it is not.
func (c *call) mark() *skeinv1.RecordingMark {
	if c.recording == "" {
		return nil
	}
	return &skeinv1.RecordingMark{User: string(c.recorder), SinceUs: int64(c.recorded)}
}

// errNoRecordings is the answer where there is no folder for recordings.
func errNoRecordings() error {
	return &im.Error{Code: im.FailedPrecondition, Message: "this server records no calls", Hint: "recordings need the server's own media server (option sfu): docs/ops/calls.md"}
}

func errEncrypted() error {
	return &im.Error{Code: im.FailedPrecondition, Message: "the call is encrypted end to end: the server has no key to it", Hint: "record it with a client that has the key"}
}

// StartRecording records a call from now on.
func (s *Service) StartRecording(ctx context.Context, a im.Actor, r *skeinv1.StartRecordingRequest) (*skeinv1.StartRecordingResponse, error) {
	c, err := s.find(ctx, a, r.GetCall())
	if err != nil {
		return nil, err
	}
	if err := s.host(ctx, a, c, skeinv1.Grant_GRANT_MUTE, ""); err != nil {
		return nil, err
	}
	switch {
	case c.state == callEnded:
		return nil, errOver()
	case s.d.Media == nil:
		return nil, errNone()
	case s.d.Files == nil:
		return nil, errNoRecordings()
	}
	there, err := s.d.Media.list(ctx, c.room)
	if err != nil {
		return nil, err
	}
	for _, p := range there {
		for _, tr := range p.Tracks {
			if tr.encrypted() {
				return nil, errEncrypted()
			}
		}
	}
	rec, err := s.freshRecording(a, c)
	if err != nil {
		return nil, err
	}
	t, err := s.turn(ctx, a.App, c.id, func(t *turn) error { return t.record(a, rec) })
	if err != nil {
		return nil, err
	}
	// At once, so that who asks is told when it cannot be.
	if err := s.capture(ctx, t.c); im.CodeOf(err) == im.ResourceExhausted {
		s.breakOff(ctx, t.c, err)
		return nil, err
	} else if err != nil {
		s.d.Log.Warn("a call is recorded from the next look at it", "app", a.App, "call", c.id, "err", err)
	}
	s.workNow(ctx, a.App, c.id)
	return &skeinv1.StartRecordingResponse{Call: t.c.wire(t.parties, a, 0)}, nil
}

func (s *Service) freshRecording(a im.Actor, c *call) (*recording, error) {
	rec := &recording{app: c.app, call: c.id, conv: c.conv, recorder: a.User, state: recordingOn, due: noteStart}
	if a.Server {
		rec.recorder = c.starter
	}
	var ids [3]im.ClientID
	for i := range ids {
		var err error
		if ids[i], err = im.NewClientID(s.d.Clock.Now(), s.d.Entropy); err != nil {
			return nil, err
		}
	}
	rec.id, rec.note1, rec.note2 = hex.EncodeToString(ids[0][:]), ids[1][:], ids[2][:]
	return rec, nil
}

// record begins a recording, if there is none.
func (t *turn) record(a im.Actor, rec *recording) error {
	c := t.c
	if c.state == callEnded {
		return errOver()
	}
	if c.recording != "" {
		return nil
	}
	if p := t.party(a.User); !a.Server && (p == nil || p.state != joined) {
		return im.Errorf(im.PermissionDenied, "who is in the call records it")
	}
	rec.started = t.now
	c.recording, c.recorder, c.recorded = rec.id, rec.recorder, t.now
	t.news()
	return rec.insert(t.tx)
}

// news tells everybody in the call, or about to be, that something about it is
// different.
func (t *turn) news() {
	for _, p := range t.parties {
		if p.state == joined || p.state == ringing {
			p.version++
			p.touched, p.changed = true, t.now
		}
	}
}

// stopRecording ends the recording that goes on; why is what has gone wrong.
func (t *turn) stopRecording(why problem) error {
	c := t.c
	if c.recording == "" {
		return nil
	}
	_, err := t.tx.Exec(`UPDATE call_recording SET state = $3, ended = $4, problem = CASE WHEN $5 = '' THEN problem ELSE $5 END,
		problem_code = CASE WHEN $5 = '' THEN problem_code ELSE $6 END WHERE app = $1 AND id = $2 AND state = 1`, c.app, c.recording, recordingGathering, t.now, why.words, why.code)
	c.recording, c.recorder, c.recorded = "", "", 0
	return err
}

// StopRecording ends a recording.
func (s *Service) StopRecording(ctx context.Context, a im.Actor, r *skeinv1.StopRecordingRequest) (*skeinv1.StopRecordingResponse, error) {
	c, err := s.find(ctx, a, r.GetCall())
	if err != nil {
		return nil, err
	}
	if err := s.host(ctx, a, c, skeinv1.Grant_GRANT_MUTE, ""); err != nil && (c.recorder == "" || c.recorder != a.User) {
		return nil, err
	}
	t, err := s.change(ctx, a.App, c.id, func(t *turn) error {
		if t.c.recording == "" {
			return nil
		}
		t.news()
		return t.stopRecording(problem{})
	})
	if err != nil {
		return nil, err
	}
	return &skeinv1.StopRecordingResponse{Call: t.c.wire(t.parties, a, 0)}, nil
}

// breakOff ends a recording that cannot go on; the call does.
func (s *Service) breakOff(ctx context.Context, c *call, why error) {
	s.d.Log.Warn("the recording of a call ends: it cannot go on", "app", c.app, "call", c.id, "err", why)
	_, err := s.change(ctx, c.app, c.id, func(t *turn) error {
		if t.c.recording != c.recording {
			return nil
		}
		t.news()
		return t.stopRecording(problemOf(why))
	})
	if gone(err) != nil {
		s.d.Log.Warn("a recording that broke off counts as going on", "app", c.app, "call", c.id, "err", err)
	}
}

// problemOf is what users are told of an error that ends a recording.
func problemOf(err error) problem {
	words := "the recording broke off"
	if known, ok := errors.AsType[*im.Error](err); ok {
		words = known.Message
	}
	return problem{skeinv1.RecordingProblem_RECORDING_PROBLEM_BROKEN_OFF, words}
}

// capture has every track in a call's room recorded that is not yet. It may be
// repeated.
func (s *Service) capture(ctx context.Context, c *call) error {
	if c.recording == "" || s.d.Files == nil || c.state == callEnded {
		return nil
	}
	there, err := s.d.Media.list(ctx, c.room)
	if err != nil {
		return err
	}
	running, err := s.d.Media.egresses(ctx, c.room)
	if err != nil {
		return err
	}
	has := make(map[string]bool)
	for _, e := range running {
		has[e.Track.TrackID] = e.recording() == c.recording
	}
	var errs []error
	secret := false
	for _, p := range there {
		user, _, ok := whoIs(p.Identity)
		for _, tr := range p.Tracks {
			if !ok || has[tr.SID] || tr.Type == "DATA" {
				continue
			}
			if tr.encrypted() {
				secret = true
				continue
			}
			err := s.captureTrack(ctx, c, user, tr)
			if im.CodeOf(err) == im.ResourceExhausted {
				return err
			}
			errs = append(errs, gone(err))
		}
	}
	if secret {
		errs = append(errs, s.lacksSecret(ctx, c))
	}
	return errors.Join(errs...)
}

// problemSecret is what is said of a recording in which something is not.
var problemSecret = problem{skeinv1.RecordingProblem_RECORDING_PROBLEM_ENCRYPTED, "what was encrypted end to end is not in it: the server has no key to it"}

// lacksSecret notes that somebody in a recorded call sends what cannot be
// recorded. It goes on with the others: else anybody could end it by that.
func (s *Service) lacksSecret(ctx context.Context, c *call) error {
	var rec *recording
	err := s.d.DB.Read(ctx, func(tx db.Tx) (err error) {
		rec, err = recordingOf(tx, c.app, c.recording)
		return err
	})
	if err != nil || rec.problem.words != "" {
		return gone(err)
	}
	return s.d.DB.Write(ctx, func(tx db.Tx) error { return rec.lacks(tx, problemSecret) })
}

func (s *Service) captureTrack(ctx context.Context, c *call, user im.UserID, tr track) error {
	id, err := im.RandomID(s.d.Entropy)
	if err != nil {
		return err
	}
	e, err := s.d.Media.startEgress(ctx, c.room, tr.SID, c.recording+"/"+id)
	if err != nil {
		return err
	}
	if e.recording() != c.recording {
		return nil // that of the one before, which is about to end: a sweep comes
	}
	return s.d.DB.Write(ctx, func(tx db.Tx) error {
		_, err := tx.Exec("INSERT INTO call_track ("+trackColumns+") VALUES ($1, $2, $3, $4, $5, 1, 0, 0, '', '', '', 0, 0, 0, $6, $6, 0) ON CONFLICT (app, egress) DO NOTHING",
			c.app, e.ID, c.recording, user, sourceOf(tr.Source), []byte{})
		return err
	})
}

// release ends what is recorded in a call's room and is to be no more.
func (s *Service) release(ctx context.Context, c *call) error {
	if c.state == callEnded {
		return nil // the room goes, and everything in it
	}
	running, err := s.d.Media.egresses(ctx, c.room)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range running {
		if id := e.recording(); len(id) == 32 && id != c.recording { // others are somebody else's, by the egress API
			errs = append(errs, gone(s.d.Media.stopEgress(ctx, c.room, e.ID)))
		}
	}
	return errors.Join(errs...)
}

// egress is LiveKit's EgressInfo, as far as it is used.
type egress struct {
	ID     string `json:"egressId"`
	Room   string `json:"roomName"`
	Status string `json:"status"` // EGRESS_STARTING is 0 and may be left out
	Error  string `json:"error"`
	Track  struct {
		TrackID string `json:"trackId"`
		File    struct {
			Path string `json:"filepath"`
		} `json:"file"`
	} `json:"track"`
	Files []struct {
		Name     string `json:"filename"`
		Started  int64  `json:"startedAt,string"`
		Duration int64  `json:"duration,string"`
		Size     int64  `json:"size,string"`
	} `json:"fileResults"`
}

// recording is which of ours it is part of.
func (e *egress) recording() string {
	id, _, _ := strings.Cut(e.Track.File.Path, "/")
	return id
}

// over tells that nothing is added to its file any more.
func (e *egress) over() bool {
	switch e.Status {
	case "EGRESS_COMPLETE", "EGRESS_FAILED", "EGRESS_ABORTED", "EGRESS_LIMIT_REACHED":
		return true
	}
	return false
}

// sources are LiveKit's names of what a track is.
func sourceOf(name string) int64 {
	switch name {
	case "MICROPHONE":
		return int64(skeinv1.RecordedSource_RECORDED_SOURCE_MICROPHONE)
	case "CAMERA":
		return int64(skeinv1.RecordedSource_RECORDED_SOURCE_CAMERA)
	case "SCREEN_SHARE":
		return int64(skeinv1.RecordedSource_RECORDED_SOURCE_SCREEN)
	case "SCREEN_SHARE_AUDIO":
		return int64(skeinv1.RecordedSource_RECORDED_SOURCE_SCREEN_AUDIO)
	}
	return 0
}

// nameOfSource goes into the names of files.
func nameOfSource(source int64) string {
	switch skeinv1.RecordedSource(source) {
	case skeinv1.RecordedSource_RECORDED_SOURCE_MICROPHONE:
		return "microphone"
	case skeinv1.RecordedSource_RECORDED_SOURCE_CAMERA:
		return "camera"
	case skeinv1.RecordedSource_RECORDED_SOURCE_SCREEN:
		return "screen"
	case skeinv1.RecordedSource_RECORDED_SOURCE_SCREEN_AUDIO:
		return "screen-audio"
	}
	return "track"
}

// heardEgress has an event about a recording take effect.
func (s *Service) heardEgress(ctx context.Context, e *egress) error {
	if !e.over() {
		return nil
	}
	s.wakeGather()
	var c *call
	err := s.d.DB.Read(ctx, func(tx db.Tx) error {
		c = new(call)
		return c.scan(tx.QueryRow("SELECT "+callColumns+" FROM call WHERE room = $1", e.Room))
	})
	if errors.Is(err, db.ErrNoRows) {
		return nil
	}
	if err != nil || c.state == callEnded || c.recording == "" || c.recording != e.recording() {
		return err
	}
	if e.Status == "EGRESS_FAILED" {
		s.breakOff(ctx, c, im.Errorf(im.Unavailable, "the file could not be written: %s", e.Error))
		return nil
	}
	return s.captured(ctx, c) // its track may go on in another file
}

// captured is capture, and what follows when it cannot be.
func (s *Service) captured(ctx context.Context, c *call) error {
	err := s.capture(ctx, c)
	if im.CodeOf(err) == im.ResourceExhausted {
		s.breakOff(ctx, c, err)
		return nil
	}
	return err
}
