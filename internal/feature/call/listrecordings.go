package call

import (
	"context"
	"slices"
	"strconv"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// ListRecordings returns recordings, newest first.
func (s *Service) ListRecordings(ctx context.Context, a im.Actor, r *skeinv1.ListRecordingsRequest) (*skeinv1.ListRecordingsResponse, error) {
	if err := s.mayList(ctx, a, r); err != nil {
		return nil, err
	}
	limit := int(r.GetLimit())
	if limit == 0 {
		limit = listed
	}
	list := "recordings/" + r.GetConversation() + "/" + r.GetCall()
	after, err := s.d.Pages.Open(a, list, r.GetPage())
	if err != nil {
		return nil, err
	}
	var found []*recording
	tracks := map[string][]*recorded{}
	err = s.d.DB.Read(ctx, func(tx db.Tx) error {
		found = nil
		query, args := "SELECT "+recordingColumns+" FROM call_recording WHERE app = $1", []any{a.App}
		for _, by := range [][2]string{{"conv =", r.GetConversation()}, {"call_id =", r.GetCall()}, {"id <", after}} {
			if by[1] != "" {
				args = append(args, by[1])
				query += " AND " + by[0] + " $" + strconv.Itoa(len(args))
			}
		}
		err := db.Each(tx, func(rows db.Rows) error {
			rec := new(recording)
			err := rec.scan(rows)
			found = append(found, rec)
			return err
		}, query+" ORDER BY id DESC LIMIT "+strconv.Itoa(limit+1), args...)
		for _, rec := range found {
			if err == nil {
				tracks[rec.id], err = tracksOf(tx, rec.app, rec.id)
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &skeinv1.ListRecordingsResponse{}
	for i, rec := range found {
		if i == limit {
			out.NextPage = s.d.Pages.Seal(a, list, found[i-1].id)
			break
		}
		w := &skeinv1.Recording{Id: rec.id, Call: rec.call, Conversation: string(rec.conv), Recorder: string(rec.recorder), StartedUs: int64(rec.started), EndedUs: int64(rec.ended),
			State: skeinv1.RecordingState(rec.state), Problem: rec.problem.words, ProblemCode: rec.problem.code}
		if w.Tracks, err = s.shown(ctx, a, rec, tracks[rec.id]); err != nil {
			return nil, err
		}
		out.Recordings = append(out.Recordings, w)
	}
	return out, nil
}

// mayList checks that an actor reads the conversation whose recordings it asks
// for.
func (s *Service) mayList(ctx context.Context, a im.Actor, r *skeinv1.ListRecordingsRequest) error {
	if r.GetCall() == "" && r.GetConversation() == "" && !a.Server {
		return im.Errorf(im.InvalidArgument, "say of which call, or of which conversation")
	}
	if r.GetCall() != "" {
		c, err := s.find(ctx, a, r.GetCall())
		if err != nil || a.Server {
			return err
		}
		if _, err := s.d.Chat.MayHear(ctx, a, c.conv); err != nil {
			return err
		}
	}
	if r.GetConversation() != "" && !a.Server {
		if _, err := s.d.Chat.MayHear(ctx, a, im.ConvID(r.GetConversation())); err != nil {
			return err
		}
	}
	return nil
}

// shown are the tracks whose messages an actor may read at this moment: one that
// was recalled is not there any more.
func (s *Service) shown(ctx context.Context, a im.Actor, rec *recording, tracks []*recorded) ([]*skeinv1.RecordedTrack, error) {
	var seqs []im.Seq
	for _, t := range tracks {
		if t.state == trackSent && !slices.Contains(seqs, t.seq) && len(seqs) < 500 {
			seqs = append(seqs, t.seq)
		}
	}
	slices.Sort(seqs)
	if len(seqs) == 0 {
		return nil, nil
	}
	entries, err := s.d.Chat.Glance(ctx, a, rec.conv, seqs)
	if err != nil {
		return nil, err
	}
	has := map[string]bool{}
	for i := range entries {
		var b skeinv1.Body
		if proto.Unmarshal(entries[i].Body, &b) != nil {
			continue
		}
		for _, at := range b.GetContent().GetAttachments().GetItems() {
			has[at.GetFile()] = true
		}
	}
	var out []*skeinv1.RecordedTrack
	for _, t := range tracks {
		if t.state == trackSent && has[t.file] {
			out = append(out, &skeinv1.RecordedTrack{User: string(t.user), Source: skeinv1.RecordedSource(t.source), StartedUs: int64(t.started), DurationMs: uint32(t.duration),
				File: t.file, Seq: uint64(t.seq), Name: t.name, Mime: t.mime, Size: uint64(t.size), Width: uint32(t.width), Height: uint32(t.height)})
		}
	}
	return out, nil
}
