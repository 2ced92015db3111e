package placement

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/sfu/token"
)

// Own is this node's SFU, asked by its room API.
type Own struct {
	// At is Current: whoever runs the SFU knows.
	At func() (base, incarnation string)
	// Key and Secret are its API key.
	Key, Secret string
	Clock       im.Clock
}

// Current implements SFU.
func (o *Own) Current() (base, incarnation string) { return o.At() }

// Rooms implements SFU.
func (o *Own) Rooms(ctx context.Context) (map[string]int, error) {
	var out struct {
		Rooms []struct {
			Name            string `json:"name"`
			NumParticipants int    `json:"numParticipants"`
		} `json:"rooms"`
	}
	if err := o.ask(ctx, "ListRooms", token.Video{RoomList: true}, struct{}{}, &out); err != nil {
		return nil, err
	}
	rooms := make(map[string]int, len(out.Rooms))
	for _, r := range out.Rooms {
		rooms[r.Name] = r.NumParticipants
	}
	return rooms, nil
}

// Release implements SFU.
func (o *Own) Release(ctx context.Context, room string) error {
	return o.ask(ctx, "ReleaseRoom", token.Video{RoomCreate: true}, map[string]string{"room": room}, nil)
}

// ask calls a method of the room API; a room that is not there is no error.
func (o *Own) ask(ctx context.Context, method string, may token.Video, req, res any) error {
	base, _ := o.At()
	if base == "" {
		return im.Errorf(im.Unavailable, "this node's media server does not run")
	}
	now := o.Clock.Now()
	raw, err := token.Mint(o.Key, o.Secret, token.Grants{Video: may, NotBefore: now.Add(-token.Leeway), Expires: now.Add(time.Minute)})
	if err != nil {
		return err
	}
	body, err := json.Marshal(req)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/twirp/livekit.RoomService/"+method, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+raw)
	r.Header.Set("Content-Type", "application/json")
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		return fmt.Errorf("ask this node's media server for %s: %w", method, err)
	}
	defer a.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(a.Body, 64<<20))
	switch {
	case err != nil:
		return fmt.Errorf("read this node's media server's answer to %s: %w", method, err)
	case a.StatusCode == http.StatusNotFound && res == nil:
		return nil
	case a.StatusCode != http.StatusOK:
		return fmt.Errorf("this node's media server refuses %s: %d", method, a.StatusCode)
	case res == nil:
		return nil
	}
	return json.Unmarshal(answer, res)
}
