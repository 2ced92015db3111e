package calltest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Egress is a track that is being recorded, or was.
type Egress struct {
	ID, Room, Track, Path, Identity, Source string
	Status                                  string
	began                                   time.Time
}

// SetSpool has tracks recorded to a folder; without one they are not.
func (s *Server) SetSpool(dir string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spool = dir
}

// SetFull has the folder's disk be full.
func (s *Server) SetFull(full bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.full = full
}

// Egresses are the recordings of a status, "" = all, in the order in which they
// began.
func (s *Server) Egresses(status string) (out []Egress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.egress {
		if status == "" || e.Status == status {
			out = append(out, *e)
		}
	}
	return out
}

// EndEgress has a recording end by itself, with a file of what it has, and tells
// of it.
func (s *Server) EndEgress(id, status, why string) error {
	s.mu.Lock()
	var e *Egress
	for _, x := range s.egress {
		if x.ID == id {
			e = x
		}
	}
	if e == nil {
		s.mu.Unlock()
		return fmt.Errorf("there is no recording %s", id)
	}
	err := s.finish(e, status)
	info := e.info()
	info["error"] = why
	s.mu.Unlock()
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]any{"event": "egress_ended", "id": "EV_1", "createdAt": fmt.Sprint(time.Now().Unix()), "egressInfo": info})
	if err != nil {
		return err
	}
	return s.Post(body, Hook(body))
}

// finish writes file and manifest of a recording.
func (s *Server) finish(e *Egress, status string) error {
	if e.Status != "EGRESS_ACTIVE" {
		return nil
	}
	e.Status = status
	path := filepath.Join(s.spool, e.Path+".ogg")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(path, []byte("the sound of "+e.Track), 0o600); err != nil {
		return err
	}
	m, err := json.Marshal(map[string]any{"egress": e.info(), "identity": e.Identity, "source": e.Source, "codec": "opus"})
	if err != nil {
		return err
	}
	return os.WriteFile(path+".json", m, 0o600)
}

func (e *Egress) info() map[string]any {
	info := map[string]any{"egressId": e.ID, "roomName": e.Room, "status": e.Status, "track": map[string]any{"roomName": e.Room, "trackId": e.Track, "file": map[string]any{"filepath": e.Path}}}
	if e.Status != "EGRESS_ACTIVE" {
		info["fileResults"] = []any{map[string]any{"filename": e.Path + ".ogg", "startedAt": fmt.Sprint(e.began.UnixNano()), "duration": "1500000000", "size": "10"}}
	}
	return info
}

// endOf ends the recordings of a room, or of one in it.
func (s *Server) endOf(room, who string) {
	for _, e := range s.egress {
		if e.Room == room && (who == "" || e.Identity == who) {
			if err := s.finish(e, "EGRESS_COMPLETE"); err != nil {
				s.wrong = append(s.wrong, err.Error())
			}
		}
	}
}

// answerEgress answers LiveKit's egress API; the Server's mu is held.
func (s *Server) answerEgress(method string, body []byte) (code string, res any) {
	var req struct {
		RoomName string `json:"roomName"`
		TrackID  string `json:"trackId"`
		EgressID string `json:"egressId"`
		Active   bool   `json:"active"`
		File     *struct {
			Path string `json:"filepath"`
		} `json:"file"`
	}
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.DisallowUnknownFields()
	if err := d.Decode(&req); err != nil {
		return "malformed", err
	}
	s.asked = append(s.asked, method)
	switch method {
	case "ListEgress":
		items := []any{}
		for _, e := range s.egress {
			if e.Room == req.RoomName && (!req.Active || e.Status == "EGRESS_ACTIVE") {
				items = append(items, e.info())
			}
		}
		return "", map[string]any{"items": items}
	case "StopEgress":
		for _, e := range s.egress {
			if e.ID == req.EgressID && e.Status == "EGRESS_ACTIVE" {
				if err := s.finish(e, "EGRESS_COMPLETE"); err != nil {
					return "internal", err
				}
				return "", e.info()
			}
		}
		return "not_found", "egress does not exist"
	case "StartTrackEgress":
		switch {
		case s.spool == "":
			return "failed_precondition", "no folder"
		case s.full:
			return "resource_exhausted", "the disk of the recordings is full"
		case req.File == nil || req.File.Path == "":
			return "malformed", "no file"
		}
		for _, e := range s.egress {
			if e.Track == req.TrackID && e.Status == "EGRESS_ACTIVE" {
				return "", e.info()
			}
		}
		if r := s.rooms[req.RoomName]; r != nil {
			for _, p := range r.members {
				for _, t := range p.Tracks {
					if t.SID == req.TrackID {
						e := &Egress{ID: fmt.Sprintf("EG_%d", len(s.egress)+1), Room: req.RoomName, Track: t.SID, Path: req.File.Path, Identity: p.Identity, Source: "MICROPHONE", Status: "EGRESS_ACTIVE", began: time.Now()}
						s.egress = append(s.egress, e)
						return "", e.info()
					}
				}
			}
		}
		return "not_found", "track does not exist"
	}
	return "bad_route", "no method " + method
}
