package skein

import (
	"time"

	"google.golang.org/protobuf/proto"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// filesRow is what the store keeps of a message's files: enough to go on with
// them in another process.
type filesRow struct {
	Paused bool `json:",omitempty"`
	Ready  bool `json:",omitempty"`
	Parts  []partRow
}

type partRow struct {
	Path, Ref     string `json:",omitempty"`
	Name, MIME    string
	Size          int64
	Mod           int64  `json:",omitempty"` // nanoseconds
	Sum           []byte `json:",omitempty"`
	ID            string `json:",omitempty"`
	Whole         []byte `json:",omitempty"` // encoded
	Voice         bool   `json:",omitempty"`
	Waveform      []byte `json:",omitempty"`
	Width, Height uint32 `json:",omitempty"`
	DurationMS    int64  `json:",omitempty"`
	Film          int    `json:",omitempty"`
}

func encodeFiles(t *transfer) (*filesRow, error) {
	if t == nil {
		return nil, nil
	}
	r := &filesRow{Paused: t.paused, Ready: t.ready}
	for _, p := range t.parts {
		row := partRow{Path: p.up.Path, Ref: p.up.Ref, Name: p.up.Name, MIME: p.up.MIME, Size: p.up.Size, Mod: p.mod, Sum: p.sum, ID: p.id,
			Voice: p.up.Voice, Waveform: p.up.Waveform, Width: p.up.Width, Height: p.up.Height, DurationMS: p.up.Duration.Milliseconds(), Film: p.film}
		if p.whole != nil {
			b, err := proto.Marshal(p.whole)
			if err != nil {
				return nil, errorf(Internal, err, "encode an uploaded file")
			}
			row.Whole = b
		}
		r.Parts = append(r.Parts, row)
	}
	return r, nil
}

func decodeFiles(r *filesRow) (*transfer, error) {
	if r == nil {
		return nil, nil
	}
	t := &transfer{paused: r.Paused, ready: r.Ready}
	for i, row := range r.Parts {
		p := &part{mod: row.Mod, sum: row.Sum, id: row.ID, film: row.Film, up: Upload{Path: row.Path, Ref: row.Ref, Name: row.Name, MIME: row.MIME,
			Size: row.Size, Voice: row.Voice, Waveform: row.Waveform, Width: row.Width, Height: row.Height, Duration: time.Duration(row.DurationMS) * time.Millisecond}}
		if row.Film < 0 || row.Film > i {
			return nil, errorf(Storage, nil, "a stored upload is damaged")
		}
		if row.Whole != nil {
			p.whole = &skeinv1.File{}
			if err := proto.Unmarshal(row.Whole, p.whole); err != nil {
				return nil, errorf(Storage, err, "a stored upload is damaged")
			}
		}
		t.parts = append(t.parts, p)
	}
	return t, nil
}
