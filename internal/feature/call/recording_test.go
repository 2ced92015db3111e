package call_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/job"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Keep implements call.Files: a store that a test may take away.
func (w *world) Keep(_ context.Context, a im.Actor, name, mime string, size int64, r io.Reader) (*skeinv1.File, error) {
	b, err := io.ReadAll(r)
	if err != nil || int64(len(b)) != size {
		return nil, fmt.Errorf("%d bytes of %d: %w", len(b), size, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lost != nil {
		return nil, w.lost
	}
	f := &skeinv1.File{Id: fmt.Sprintf("%032x", len(w.files)+1), Name: name, Mime: mime, Size: uint64(size)}
	w.files[f.Id+" "+string(a.User)] = f
	return f, nil
}

// storing says what becomes of files from now on: nil = they are stored.
func (w *world) storing(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lost = err
}

func (w *world) record(a im.Actor, id string) error {
	_, err := w.s.StartRecording(w.t.Context(), a, &skeinv1.StartRecordingRequest{Call: id})
	return err
}

func (w *world) stop(a im.Actor, id string) error {
	_, err := w.s.StopRecording(w.t.Context(), a, &skeinv1.StopRecordingRequest{Call: id})
	return err
}

// recordings are those of a call in words: "done ann/microphone bob/microphone", and behind them what is wrong.
func (w *world) recordings(a im.Actor, id string) string {
	w.t.Helper()
	r, err := w.s.ListRecordings(w.t.Context(), a, &skeinv1.ListRecordingsRequest{Call: id})
	must(w.t, err)
	var out []string
	for _, rec := range r.GetRecordings() {
		words := strings.ToLower(strings.TrimPrefix(rec.GetState().String(), "RECORDING_STATE_"))
		for _, t := range rec.GetTracks() {
			words += " " + t.GetUser() + "/" + strings.ToLower(strings.TrimPrefix(t.GetSource().String(), "RECORDED_SOURCE_"))
		}
		if rec.GetProblem() != "" {
			words += " (" + strings.ToLower(strings.TrimPrefix(rec.GetProblemCode().String(), "RECORDING_PROBLEM_")) + ": " + rec.GetProblem() + ")"
		}
		out = append(out, words)
	}
	return strings.Join(out, ", ")
}

// talk has ann and bob in a call.
func (w *world) talk(tracks ...string) (id string, hers, his string) {
	w.t.Helper()
	r := w.start(ann, ab)
	id = r.GetCall().GetId()
	must(w.t, w.media.Connect(r.GetAccess().GetToken(), tracks...))
	j := w.join(bob, id)
	must(w.t, w.media.Connect(j.GetAccess().GetToken(), tracks...))
	return id, r.GetAccess().GetToken(), j.GetAccess().GetToken()
}

// left is what lies in the folder of recordings.
func (w *world) left() int {
	list, err := filepath.Glob(filepath.Join(w.spool, "*", "*"))
	must(w.t, err)
	return len(list)
}

func TestACallIsRecordedWhoeverComesAndItsFilesGoIntoTheConversation(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		r := w.start(ann, ab)
		id := r.GetCall().GetId()
		must(t, w.media.Connect(r.GetAccess().GetToken(), "AUDIO"))
		w.want(im.PermissionDenied, w.record(bob, id), "who did not start it")
		w.want(im.NotFound, w.record(eve, id), "a stranger")
		must(t, w.record(ann, id))
		must(t, w.record(ann, id)) // once more
		if m := w.get(ann, id).GetRecording(); m.GetUser() != "ann" || m.GetSinceUs() == 0 {
			t.Errorf("the call says %v", m)
		}
		j := w.join(bob, id)
		if j.GetCall().GetRecording() == nil {
			t.Error("who comes is not told")
		}
		must(t, w.media.Connect(j.GetAccess().GetToken(), "AUDIO"))
		if n := len(w.media.Egresses("EGRESS_ACTIVE")); n != 2 {
			t.Errorf("%d tracks are recorded", n)
		}
		if got := w.recordings(bob, id); got != "on" {
			t.Errorf("the recording is %q", got)
		}
		must(t, w.stop(ann, id))
		if w.get(bob, id).GetRecording() != nil || len(w.media.Egresses("EGRESS_ACTIVE")) != 0 {
			t.Error("it goes on")
		}
		w.s.Gather(t.Context())
		if got := w.recordings(bob, id); got != "done ann/microphone bob/microphone" {
			t.Errorf("the recording is %q", got)
		}
		if n := w.left(); n != 0 {
			t.Errorf("%d files are left in the folder", n)
		}
		w.s.Gather(t.Context())
		if got := w.lines(bob, ab); !strings.HasPrefix(got, "call.recording: The call is being recorded | call.recorded: Recording of a call, 0:0") {
			t.Errorf("the conversation says %q", got)
		}
		for key := range w.files {
			if !strings.HasSuffix(key, " ann") {
				t.Errorf("a file is %q's", key)
			}
		}
		// Nobody else lists it.
		_, err := w.s.ListRecordings(t.Context(), eve, &skeinv1.ListRecordingsRequest{Call: id})
		w.want(im.NotFound, err, "a stranger's list")
		_, err = w.s.ListRecordings(t.Context(), eve, &skeinv1.ListRecordingsRequest{Conversation: string(ab)})
		w.want(im.NotFound, err, "a stranger's list of the conversation")
		_, err = w.s.ListRecordings(t.Context(), ann, &skeinv1.ListRecordingsRequest{})
		w.want(im.InvalidArgument, err, "of nothing")
		all, err := w.s.ListRecordings(t.Context(), server, &skeinv1.ListRecordingsRequest{})
		must(t, err)
		if len(all.GetRecordings()) != 1 || len(all.GetRecordings()[0].GetTracks()) != 2 {
			t.Errorf("the back end sees %v", all)
		}
		// Recalled is gone.
		cid, _ := im.ParseClientID(newID(t))
		_, err = w.c.Recall(t.Context(), server, ab, im.Seq(all.GetRecordings()[0].GetTracks()[0].GetSeq()), cid)
		must(t, err)
		if got := w.recordings(bob, id); got != "done" {
			t.Errorf("after the recall there is %q", got)
		}
	})
}

func TestARecordingEndsWithTheCallAndWaitsForTheStore(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		id, _, _ := w.talk("AUDIO")
		must(t, w.record(ann, id))
		w.storing(im.Errorf(im.Unavailable, "the store does not answer"))
		w.leave(bob, id)
		w.s.Gather(t.Context())
		if got := w.recordings(ann, id); got != "gathering (not_stored: a file could not be stored yet: the store does not answer)" {
			t.Errorf("without a store it is %q", got)
		}
		if n := w.left(); n != 4 {
			t.Errorf("%d files are in the folder", n)
		}
		w.storing(nil)
		must(t, w.s.Close(t.Context())) // the last thing that a node does: it may not be back
		if got := w.recordings(ann, id); got != "done ann/microphone bob/microphone" {
			t.Errorf("with the store it is %q", got)
		}
	})
}

func TestARecordingThatAQuotaHoldsUpSaysSo(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		id, _, _ := w.talk("AUDIO")
		must(t, w.record(ann, id))
		w.storing(im.Errorf(im.ResourceExhausted, "the quota is used up"))
		w.leave(bob, id)
		w.s.Gather(t.Context())
		if got := w.recordings(ann, id); got != "gathering (quota: a file could not be stored yet: the quota is used up)" {
			t.Errorf("over the quota it is %q", got)
		}
		w.storing(nil)
		w.s.Gather(t.Context())
		if got := w.recordings(ann, id); got != "done ann/microphone bob/microphone" {
			t.Errorf("with a larger quota it is %q", got)
		}
	})
}

func TestWhatTheMediaServerLosesIsNotWaitedForForEver(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		id, _, his := w.talk("AUDIO")
		must(t, w.record(ann, id))
		w.media.Vanish(his) // his track ends, and its file is complete
		w.media.Crash()     // hers never is
		_, err := w.s.EndCall(t.Context(), ann, &skeinv1.EndCallRequest{Call: id})
		must(t, err)
		w.s.Gather(t.Context())
		if got := w.recordings(ann, id); got != "gathering" {
			t.Errorf("at first it is %q", got)
		}
		must(t, w.d.Write(t.Context(), func(tx db.Tx) error {
			_, err := tx.Exec("UPDATE call_recording SET ended = ended - 61000000, started = started - 61000000")
			return err
		}))
		w.due("call_work") // any of its jobs
		if got := w.recordings(ann, id); got != "done bob/microphone (away: a part of it lies at a server that is away, and comes when that is back)" {
			t.Errorf("a minute later it is %q", got)
		}
		// Her node is back, late.
		w.mu.Lock()
		w.deaf = im.Errorf(im.Unavailable, "the chat does not answer")
		w.mu.Unlock()
		for _, e := range w.media.Egresses("EGRESS_ACTIVE") {
			must(t, w.media.EndEgress(e.ID, "EGRESS_COMPLETE", ""))
		}
		w.s.Gather(t.Context())
		if got := w.recordings(ann, id); got != "done bob/microphone" {
			t.Errorf("while nothing can be said it is %q", got)
		}
		w.mu.Lock()
		w.deaf = nil
		w.mu.Unlock()
		must(t, w.kinds["call_sweep"].Run(t.Context(), job.Job{}))
		if got := w.recordings(ann, id); got != "done ann/microphone bob/microphone" {
			t.Errorf("in the end it is %q", got)
		}
		must(t, w.d.Read(t.Context(), func(tx db.Tx) error {
			due, err := db.Column[int64](tx, "SELECT due FROM call_recording")
			if len(due) != 1 || due[0] != 0 {
				t.Errorf("still due is %v", due)
			}
			return err
		}))
		if got := strings.Count(w.lines(ann, ab), "call.recorded"); got != 1 {
			t.Errorf("%d lines tell of it", got)
		}
	})
}

func TestAFullDiskAndEncryptionAreSaidAndTheCallGoesOn(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		id, _, his := w.talk("AUDIO")
		w.media.SetFull(true)
		w.want(im.ResourceExhausted, w.record(ann, id), "on a full disk")
		if w.get(ann, id).GetRecording() != nil {
			t.Error("the call counts as recorded")
		}
		w.media.SetFull(false)
		must(t, w.record(ann, id))
		// It fills up in the middle.
		for _, e := range w.media.Egresses("EGRESS_ACTIVE") {
			must(t, w.media.EndEgress(e.ID, "EGRESS_FAILED", "no space left on device"))
		}
		if c := w.get(ann, id); c.GetRecording() != nil || c.GetState() != skeinv1.CallState_CALL_STATE_ACTIVE {
			t.Errorf("the call is %v", c)
		}
		w.s.Gather(t.Context())
		if got := w.recordings(ann, id); !strings.HasPrefix(got, "done ann/microphone bob/microphone (broken_off: the file could not be written: no space left on device)") {
			t.Errorf("the recordings are %q", got)
		}
		// A file that has reached its limit is followed by another one.
		must(t, w.record(ann, id))
		first := w.media.Egresses("EGRESS_ACTIVE")[0]
		must(t, w.media.EndEgress(first.ID, "EGRESS_LIMIT_REACHED", ""))
		if now := w.media.Egresses("EGRESS_ACTIVE"); len(now) != 2 || now[1].Track != first.Track {
			t.Errorf("recorded are %v", now)
		}
		// Somebody begins to encrypt: it goes on without them, and says so.
		must(t, w.media.Connect(his, "AUDIO GCM"))
		if c := w.get(ann, id); c.GetRecording() == nil {
			t.Error("who encrypts ends the recording of others")
		}
		if got := w.recordings(ann, id); !strings.Contains(got, "on (encrypted: what was encrypted end to end is not in it") {
			t.Errorf("while somebody encrypts the recordings are %q", got)
		}
		must(t, w.stop(ann, id))
		w.s.Gather(t.Context())
		if got := w.recordings(ann, id); strings.Count(got, "what was encrypted end to end is not in it") != 1 {
			t.Errorf("afterwards the recordings are %q", got)
		}
		w.want(im.FailedPrecondition, w.record(ann, id), "an encrypted call")
		// What is not ours stays where it is.
		other := filepath.Join(w.spool, "somebody.ogg.json")
		must(t, os.WriteFile(other, []byte(`{"egress":{"egressId":"EG_x","status":"EGRESS_COMPLETE","track":{"file":{"filepath":"somebody"}}}}`), 0o600))
		must(t, os.WriteFile(filepath.Join(w.spool, "broken.ogg.json"), []byte(`{`), 0o600))
		w.s.Gather(t.Context())
		if _, err := os.Stat(other); err != nil {
			t.Error(err)
		}
		// Who recorded is erased.
		must(t, w.s.Forget(t.Context(), "demo", "ann"))
		all, err := w.s.ListRecordings(t.Context(), server, &skeinv1.ListRecordingsRequest{Conversation: string(ab)})
		must(t, err)
		for _, rec := range all.GetRecordings() {
			if rec.GetRecorder() != "" {
				t.Errorf("it is still %s's", rec.GetRecorder())
			}
		}
	})
}
