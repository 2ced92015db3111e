package record

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"strings"
	"sync"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/proto/livekit"
)

// manifested is what a manifest's name ends with, after the file's.
const manifested = ".json"

// Manifest is what lies beside a file.
type Manifest struct {
	// Egress is the recording, as EgressInfo in JSON.
	Egress json.RawMessage `json:"egress"`
	// Identity is who published the track, and Name what they were called.
	Identity string `json:"identity"`
	Name     string `json:"name,omitempty"`
	// Source is the track's: CAMERA, MICROPHONE, SCREEN_SHARE, SCREEN_SHARE_AUDIO or UNKNOWN.
	Source string `json:"source"`
	// Codec is opus, vp8, vp9, av1 or h264.
	Codec string `json:"codec"`
	// Width and Height are those of the largest picture, 0 = of sound.
	Width  int `json:"width,omitempty"`
	Height int `json:"height,omitempty"`
}

func clone(i *livekit.EgressInfo) *livekit.EgressInfo { return proto.CloneOf(i) }

// note writes the recording's manifest.
func (r *Recording) note() error {
	info := r.Info()
	b, err := protojson.MarshalOptions{EmitUnpopulated: true}.Marshal(info)
	if err != nil {
		return err
	}
	m := Manifest{Egress: b, Identity: r.t.Owner.GetIdentity(), Name: r.t.Owner.GetName(), Source: r.t.Info.GetSource().String(), Codec: r.codec}
	if r.picture != nil {
		m.Width, m.Height = int(r.t.Info.GetWidth()), int(r.t.Info.GetHeight())
		if w := r.picture.webm; w != nil {
			m.Width, m.Height = w.width, w.height
		}
	}
	return r.s.putManifest(r.name, &m)
}

// putManifest writes a manifest so that it is always a whole one.
func (s *Spool) putManifest(name string, m *Manifest) error {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	f, err := s.root.OpenFile(name+manifested+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return s.root.Rename(name+manifested+".new", name+manifested)
}

// finish makes a file whole and says in info how it ended. mu guards info.
func (s *Spool) finish(f *os.File, name string, info *livekit.EgressInfo, mu *sync.Mutex, why error, status livekit.EgressStatus) {
	var duration int64 // ns
	var err error
	if strings.HasSuffix(name, ".ogg") {
		var samples int64
		samples, err = mendOgg(f)
		duration = samples * 125_000 / 6
	} else {
		duration, err = mendWebM(f)
		duration *= 1_000_000
	}
	var size int64
	if i, serr := f.Stat(); serr == nil {
		size = i.Size()
	}
	err = errors.Join(err, f.Sync(), f.Close())
	mu.Lock()
	defer mu.Unlock()
	now := s.o.Clock.Now().UnixNano()
	info.Status, info.EndedAt, info.UpdatedAt = status, now, now
	if why == nil && err != nil && !errors.Is(err, errNothing) {
		why = err
	}
	if why != nil {
		info.Status, info.Error = livekit.EgressStatus_EGRESS_FAILED, why.Error()
	}
	if errors.Is(err, errNothing) || len(info.FileResults) == 0 {
		s.root.Remove(name) //nolint:errcheck // it may be gone
		info.FileResults = nil
		if why == nil {
			info.Status = livekit.EgressStatus_EGRESS_ABORTED
		}
		return
	}
	r := info.FileResults[0]
	r.Duration, r.Size, r.EndedAt = duration, size, r.StartedAt+duration
}

// each goes through the manifests.
func (s *Spool) each(fn func(name string, m *Manifest, info *livekit.EgressInfo) error) error {
	return fs.WalkDir(s.root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		name, ok := strings.CutSuffix(path, manifested)
		if err != nil || d.IsDir() || !ok {
			return err
		}
		b, err := s.root.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it was taken away meanwhile
		}
		if err != nil {
			return err
		}
		m, info := &Manifest{}, &livekit.EgressInfo{}
		if json.Unmarshal(b, m) != nil || (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(m.Egress, info) != nil {
			s.o.Log.Warn("a manifest of a recording cannot be read", "file", path)
			return nil
		}
		return fn(name, m, info)
	})
}

// Over lists the recordings that are over and were not taken away.
func (s *Spool) Over() (out []*livekit.EgressInfo, err error) {
	err = s.each(func(_ string, _ *Manifest, info *livekit.EgressInfo) error {
		if info.Status >= livekit.EgressStatus_EGRESS_COMPLETE {
			out = append(out, info)
		}
		return nil
	})
	return out, err
}

// mend ends what an earlier process did not. What another one still writes, that
// has the same folder or has not quite ended, is left to it.
func (s *Spool) mend() error {
	return s.each(func(name string, m *Manifest, info *livekit.EgressInfo) error {
		if info.Status >= livekit.EgressStatus_EGRESS_COMPLETE {
			return nil
		}
		f, err := s.root.OpenFile(name, os.O_RDWR, 0o600)
		if err != nil {
			s.o.Log.Warn("a recording that broke off is lost", "file", name, "err", err)
			s.root.Remove(name + manifested) //nolint:errcheck // it may have been taken away with the file
			return nil
		}
		if lock(f) != nil {
			return f.Close()
		}
		var mu sync.Mutex
		s.finish(f, name, info, &mu, nil, livekit.EgressStatus_EGRESS_COMPLETE)
		info.Details = "the media server ended in the middle; this is what it had"
		if m.Egress, err = protojson.Marshal(info); err != nil {
			return err
		}
		return s.putManifest(name, m)
	})
}
