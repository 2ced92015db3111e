package call

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Files keeps what was recorded, as files of a user's.
type Files interface {
	// Keep stores a file of size bytes and returns what became of it. Nothing is kept
	// after an error, which may pass by.
	Keep(ctx context.Context, a im.Actor, name, mime string, size int64, r io.Reader) (*skeinv1.File, error)
}

// How recordings are gathered.
const (
	// gatherEvery is how often the folder of recordings is looked into when nothing
	// tells of it.
	gatherEvery = 5 * time.Second
	// gatherPause is how long a file is left alone that could not be stored; it
	// doubles up to gatherLong.
	gatherPause = 2 * time.Second
	gatherLong  = 5 * time.Minute
	// gatherWait is how long the files that are there wait for those that are not:
	// these come in a message of their own later.
	gatherWait = im.Micros(60_000_000)
	// perMessage is how many files a message has at most.
	perMessage = 20
	// manifested is what the name of a file's manifest ends with.
	manifested = ".json"
)

// recorded is a row of call_track.
type recorded struct {
	app           im.AppID
	egress        string
	recording     string
	user          im.UserID
	source        int64
	state         int64
	started       im.Micros
	duration      int64 // ms
	file          string
	name, mime    string
	size          int64
	width, height int64
	about         []byte
	batch         []byte
	seq           im.Seq
}

// The states of a recorded track.
const (
	trackRuns   int64 = 1
	trackStored int64 = 2
	trackSent   int64 = 3
	trackNone   int64 = 4
)

const trackColumns = "app, egress, recording, usr, source, state, started, duration, file, name, mime, size, width, height, about, batch, seq"

func (r *recorded) scan(from interface{ Scan(...any) error }) error {
	return from.Scan(&r.app, &r.egress, &r.recording, &r.user, &r.source, &r.state, &r.started, &r.duration, &r.file, &r.name, &r.mime, &r.size, &r.width, &r.height,
		&r.about, &r.batch, &r.seq)
}

func (r *recorded) store(tx db.Tx) error {
	_, err := tx.Exec("INSERT INTO call_track ("+trackColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
		ON CONFLICT (app, egress) DO UPDATE SET usr = excluded.usr, source = excluded.source, state = excluded.state, started = excluded.started, duration = excluded.duration,
		file = excluded.file, name = excluded.name, mime = excluded.mime, size = excluded.size, width = excluded.width, height = excluded.height, about = excluded.about
		WHERE call_track.state < 2`, // another server with the same folder was quicker
		r.app, r.egress, r.recording, r.user, r.source, r.state, r.started, r.duration, r.file, r.name, r.mime, r.size, r.width, r.height, r.about, r.batch, r.seq)
	return err
}

// tracksOf reads the tracks of a recording, in the order in which they began.
func tracksOf(tx db.Tx, app im.AppID, id string) (out []*recorded, err error) {
	err = db.Each(tx, func(r db.Rows) error {
		t := new(recorded)
		err := t.scan(r)
		out = append(out, t)
		return err
	}, "SELECT "+trackColumns+" FROM call_track WHERE app = $1 AND recording = $2 ORDER BY egress", app, id)
	slices.SortStableFunc(out, func(a, b *recorded) int { return cmp.Compare(a.started, b.started) })
	return out, err
}

// manifest is what lies beside a file in the folder of recordings.
type manifest struct {
	Egress   egress `json:"egress"`
	Identity string `json:"identity"`
	Source   string `json:"source"`
	Width    int64  `json:"width"`
	Height   int64  `json:"height"`
}

// wakeGather has the folder looked into now.
func (s *Service) wakeGather() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// gathers looks into the folder of recordings until ctx ends.
func (s *Service) gathers(ctx context.Context) {
	defer close(s.gathered)
	if s.d.Files == nil {
		return
	}
	tick := time.NewTicker(gatherEvery)
	defer tick.Stop()
	later := map[string]retry{}
	for {
		s.gather(ctx, later)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-s.wake:
		}
	}
}

// retry is when a file is tried again.
type retry struct {
	at    time.Time
	pause time.Duration
}

// gather takes in what lies in the folder and is complete.
func (s *Service) gather(ctx context.Context, later map[string]retry) {
	s.gathering.Lock()
	defer s.gathering.Unlock()
	err := filepath.WalkDir(s.d.Recordings, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // taken away meanwhile, or never there
		}
		if err != nil || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		now := s.d.Clock.Now()
		if d.IsDir() || !strings.HasSuffix(path, manifested) || now.Before(later[path].at) {
			return nil
		}
		if err := s.take(ctx, strings.TrimSuffix(path, manifested)); err != nil {
			pause := min(max(2*later[path].pause, gatherPause), gatherLong)
			later[path] = retry{now.Add(pause), pause}
			s.d.Log.Warn("a recording waits to be stored", "file", path, "again", pause, "err", err)
			return nil
		}
		delete(later, path)
		return nil
	})
	if err != nil && ctx.Err() == nil {
		s.d.Log.Warn("the folder of recordings cannot be read", "err", err)
	}
}

// take takes in one file, if it is complete and ours.
func (s *Service) take(ctx context.Context, path string) error {
	raw, err := os.ReadFile(path + manifested)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var m manifest
	if err := json.Unmarshal(raw, &m); err != nil {
		return fmt.Errorf("read a manifest: %w", err)
	}
	if !m.Egress.over() {
		return nil
	}
	var rec *recording
	var known recorded
	err = s.d.DB.Read(ctx, func(tx db.Tx) error {
		rec, known = new(recording), recorded{}
		err := rec.scan(tx.QueryRow("SELECT "+recordingColumns+" FROM call_recording WHERE id = $1", m.Egress.recording()))
		if err != nil {
			return err
		}
		err = known.scan(tx.QueryRow("SELECT "+trackColumns+" FROM call_track WHERE app = $1 AND egress = $2", rec.app, m.Egress.ID))
		if errors.Is(err, db.ErrNoRows) {
			return nil
		}
		return err
	})
	if errors.Is(err, db.ErrNoRows) {
		return nil // somebody else's, by the egress API
	}
	if err != nil {
		return err
	}
	if known.state < trackStored {
		if err := s.keep(ctx, rec, &m, path); err != nil {
			return errors.Join(err, s.trouble(ctx, rec, err))
		}
	}
	for _, p := range []string{path, path + manifested} {
		if err := os.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	_ = os.Remove(filepath.Dir(path)) // when it was the last one of its recording
	s.workNow(ctx, rec.app, rec.call)
	return nil
}

// trouble notes what keeps a file from being stored.
func (s *Service) trouble(ctx context.Context, rec *recording, why error) error {
	p := problem{skeinv1.RecordingProblem_RECORDING_PROBLEM_NOT_STORED, "a file could not be stored yet"}
	if known, ok := errors.AsType[*im.Error](why); ok && known.Code != im.Internal {
		p.words += ": " + known.Message
		if known.Code == im.ResourceExhausted {
			p.code = skeinv1.RecordingProblem_RECORDING_PROBLEM_QUOTA
		}
	}
	return s.d.DB.Write(ctx, func(tx db.Tx) error { return rec.lacks(tx, p) })
}

// keep stores a file as one of the recorder's, and notes it.
func (s *Service) keep(ctx context.Context, rec *recording, m *manifest, path string) error {
	user, _, _ := whoIs(m.Identity)
	t := &recorded{app: rec.app, egress: m.Egress.ID, recording: rec.id, user: user, source: sourceOf(m.Source), state: trackNone, about: []byte{}, batch: []byte{}}
	if len(m.Egress.Files) > 0 {
		f := m.Egress.Files[0]
		t.state, t.started, t.duration, t.width, t.height = trackStored, im.Micros(f.Started/1000), f.Duration/1_000_000, m.Width, m.Height
		name := namePart(string(user)) + "-" + nameOfSource(t.source) + "-" + t.started.Time().UTC().Format("150405") + filepath.Ext(path)
		if err := s.keepFile(ctx, rec, t, name, path); err != nil {
			return err
		}
	}
	return s.d.DB.Write(ctx, func(tx db.Tx) error {
		if err := t.store(tx); err != nil {
			return err
		}
		if _, err := tx.Exec("UPDATE call_recording SET due = due + $3 WHERE app = $1 AND id = $2 AND (due / $3) % 2 = 0", rec.app, rec.id, sendFiles); err != nil {
			return err
		}
		if _, err := tx.Exec("UPDATE call_recording SET problem = '', problem_code = 0 WHERE app = $1 AND id = $2 AND problem_code IN ($3, $4)", rec.app, rec.id,
			skeinv1.RecordingProblem_RECORDING_PROBLEM_NOT_STORED, skeinv1.RecordingProblem_RECORDING_PROBLEM_QUOTA); err != nil {
			return err
		}
		_, err := tx.Exec(`UPDATE call_recording SET problem = '', problem_code = 0 WHERE app = $1 AND id = $2 AND problem_code = $3
			AND NOT EXISTS (SELECT 1 FROM call_track t WHERE t.app = $1 AND t.recording = $2 AND t.state = 1)`, rec.app, rec.id, problemAway.code)
		return err
	})
}

func (s *Service) keepFile(ctx context.Context, rec *recording, t *recorded, name, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	i, err := f.Stat()
	if err != nil {
		return err
	}
	mime := "video/webm"
	switch filepath.Ext(path) {
	case ".ogg":
		mime = "audio/ogg"
	case ".mkv":
		mime = "video/x-matroska"
	}
	a := im.Actor{App: rec.app, User: rec.recorder, Server: rec.recorder == ""}
	file, err := s.d.Files.Keep(ctx, a, name, mime, i.Size(), f)
	if err != nil {
		return fmt.Errorf("store what was recorded: %w", err)
	}
	t.file, t.name, t.mime, t.size = file.GetId(), file.GetName(), file.GetMime(), int64(file.GetSize())
	about := &skeinv1.Attachment{Name: t.name, Mime: t.mime, Size: file.GetSize(), Sha256: file.GetSha256(), File: t.file, DurationMs: uint32(t.duration),
		Width: uint32(t.width), Height: uint32(t.height)}
	if md := file.GetMedia(); md != nil {
		about.Waveform, about.Thumb = md.GetWaveform(), md.GetThumb()
	}
	t.about, err = proto.Marshal(about)
	return err
}

// recordings does what follows from the recordings of a call as they are.
func (s *Service) recordings(ctx context.Context, c *call) error {
	var list []*recording
	err := s.d.DB.Read(ctx, func(tx db.Tx) error {
		list = nil
		return db.Each(tx, func(r db.Rows) error {
			rec := new(recording)
			err := rec.scan(r)
			list = append(list, rec)
			return err
		}, "SELECT "+recordingColumns+" FROM call_recording WHERE app = $1 AND call_id = $2 ORDER BY id", c.app, c.id)
	})
	errs := []error{err}
	over := false
	for _, rec := range list {
		if rec.due&noteStart != 0 {
			errs = append(errs, s.noteRecording(ctx, c, rec, noteStart, 0))
		}
		if rec.state > recordingOn {
			over = over || rec.state == recordingGathering
			errs = append(errs, s.post(ctx, c, rec))
		}
	}
	if over && s.d.Media != nil && s.d.Files != nil {
		errs = append(errs, s.release(ctx, c))
	}
	return errors.Join(errs...)
}

// post writes the messages of what has been stored, and ends a recording that
// has nothing more to come.
func (s *Service) post(ctx context.Context, c *call, rec *recording) error {
	tracks, waits, err := s.batches(ctx, c, rec)
	if err != nil || waits {
		return err
	}
	var sent int
	for i := 0; i < len(tracks); {
		n := i + 1
		for n < len(tracks) && string(tracks[n].batch) == string(tracks[i].batch) {
			n++
		}
		if err := s.sendBatch(ctx, rec, tracks[i:n]); err != nil {
			return err
		}
		for _, t := range tracks[i:n] {
			if t.state == trackSent {
				sent++
			}
		}
		i = n
	}
	if rec.state == recordingGathering {
		rec.state = recordingEmpty
		if sent > 0 {
			rec.state, rec.due = recordingDone, rec.due|noteEnd
		}
		err := s.noteDown(ctx, c.id, "UPDATE call_recording SET state = $3, due = due + $4 WHERE app = $1 AND id = $2 AND state = 2", rec.app, rec.id, rec.state, rec.due&noteEnd)
		if err != nil {
			return err
		}
	}
	if rec.due&sendFiles != 0 {
		err := s.noteDown(ctx, c.id, `UPDATE call_recording SET due = due - $3 WHERE app = $1 AND id = $2 AND (due / $3) % 2 = 1
			AND NOT EXISTS (SELECT 1 FROM call_track t WHERE t.app = $1 AND t.recording = $2 AND t.state = 2)`, rec.app, rec.id, sendFiles)
		if err != nil {
			return err
		}
	}
	if rec.due&noteEnd != 0 {
		return s.noteRecording(ctx, c, rec, noteEnd, sent)
	}
	return nil
}

// problemAway is what is said of a recording that is not waited for any longer.
var problemAway = problem{skeinv1.RecordingProblem_RECORDING_PROBLEM_AWAY, "a part of it lies at a server that is away, and comes when that is back"}

// batches says which of the stored files go into which message. waits: others
// are about to come.
func (s *Service) batches(ctx context.Context, c *call, rec *recording) (out []*recorded, waits bool, err error) {
	defer s.alone(c.id)()
	err = s.d.DB.Write(ctx, func(tx db.Tx) error {
		now, err := tx.Now()
		if err != nil {
			return err
		}
		tracks, err := tracksOf(tx, rec.app, rec.id)
		if err != nil {
			return err
		}
		away := rec.state == recordingGathering && slices.ContainsFunc(tracks, func(t *recorded) bool { return t.state == trackRuns })
		waits = away && now-rec.ended < gatherWait
		if away && !waits {
			if err := rec.lacks(tx, problemAway); err != nil {
				return err
			}
		}
		out = slices.DeleteFunc(tracks, func(t *recorded) bool { return t.state != trackStored && t.state != trackSent })
		if waits {
			return nil
		}
		var batch []byte
		n := 0
		for _, t := range out {
			if t.state != trackStored || len(t.batch) > 0 {
				continue
			}
			if n%perMessage == 0 {
				id, err := im.NewClientID(s.d.Clock.Now(), s.d.Entropy)
				if err != nil {
					return err
				}
				batch = id[:]
			}
			n++
			t.batch = batch
			if _, err := tx.Exec("UPDATE call_track SET batch = $3 WHERE app = $1 AND egress = $2", t.app, t.egress, batch); err != nil {
				return err
			}
		}
		slices.SortStableFunc(out, func(a, b *recorded) int { return strings.Compare(string(a.batch), string(b.batch)) })
		return nil
	})
	return out, waits, err
}

// sendBatch writes the message that has some files, unless it is written.
func (s *Service) sendBatch(ctx context.Context, rec *recording, tracks []*recorded) error {
	if tracks[0].state == trackSent {
		return nil
	}
	files := &skeinv1.Attachments{}
	for _, t := range tracks {
		at := &skeinv1.Attachment{}
		if err := proto.Unmarshal(t.about, at); err != nil {
			return err
		}
		files.Items = append(files.Items, at)
	}
	body, err := proto.MarshalOptions{Deterministic: true}.Marshal(&skeinv1.Body{Scheme: skeinv1.BodyScheme_BODY_SCHEME_CONTENT,
		Content: &skeinv1.Content{Kind: &skeinv1.Content_Attachments{Attachments: files}}})
	if err != nil {
		return err
	}
	cid, _ := im.ParseClientID(tracks[0].batch)
	state, seq := trackSent, im.Seq(0)
	res, err := s.d.Chat.Send(ctx, im.Actor{App: rec.app, User: rec.recorder, Server: true}, chat.SendRequest{Conv: rec.conv, ClientID: cid, Body: body, Silent: true})
	switch {
	case err == nil:
		seq = res.Entry.Seq
	case over(err), im.CodeOf(err) == im.ClockSkew:
		state = trackNone // there is no such conversation any more
	default:
		return fmt.Errorf("write the message of a recording: %w", err)
	}
	for _, t := range tracks {
		t.state, t.seq = state, seq
	}
	return s.noteDown(ctx, rec.call, "UPDATE call_track SET state = $3, seq = $4 WHERE app = $1 AND recording = $5 AND batch = $2", rec.app, tracks[0].batch, state, seq, rec.id)
}

// noteRecording writes a notice that is due.
func (s *Service) noteRecording(ctx context.Context, c *call, rec *recording, which int64, tracks int) error {
	id, n := rec.note1, recordingNotice(c, rec)
	if which == noteEnd {
		id, n = rec.note2, recordedNotice(c, rec, tracks)
	}
	cid, _ := im.ParseClientID(id)
	body, err := noticeBody(n)
	if err != nil {
		return err
	}
	_, err = s.d.Chat.Send(ctx, im.Actor{App: rec.app, User: rec.recorder, Server: true}, chat.SendRequest{Conv: rec.conv, ClientID: cid, Body: body, Silent: true})
	if err != nil && !over(err) && im.CodeOf(err) != im.ClockSkew {
		return fmt.Errorf("write the notice of a recording: %w", err)
	}
	return s.noteDown(ctx, rec.call, "UPDATE call_recording SET due = due - $3 WHERE app = $1 AND id = $2 AND (due / $3) % 2 = 1", rec.app, rec.id, which)
}
