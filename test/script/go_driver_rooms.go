package script

import (
	"context"
	"fmt"
	"time"

	skein "github.com/skein-im/skein/sdk/go"
)

// goRooms are the livestreams of a device.
type goRooms struct {
	rooms map[string]*skein.Room
	said  map[string][]string
}

func goRoomVerbs() map[string]goVerb {
	// room returns one that is watched, or one that never was: the server says
	// what it thinks of that.
	room := func(d *goDriver, id string) *skein.Room {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.live.rooms[id]
	}
	return map[string]goVerb{
		"joinRoom": func(ctx context.Context, d *goDriver, c *skein.Client, cmd Command) (any, error) {
			d.listenToRooms(c)
			r, err := c.JoinRoom(ctx, cmd.Conversation)
			if err == nil {
				d.mu.Lock()
				d.live.rooms[cmd.Conversation] = r
				d.mu.Unlock()
			}
			return nil, err
		},
		"leaveRoom": func(ctx context.Context, d *goDriver, _ *skein.Client, cmd Command) (any, error) {
			return nil, room(d, cmd.Conversation).Leave(ctx)
		},
		"sayInRoom": func(ctx context.Context, d *goDriver, _ *skein.Client, cmd Command) (any, error) {
			_, err := room(d, cmd.Conversation).Say(ctx, cmd.Text)
			return nil, err
		},
		"limitViewer": func(ctx context.Context, d *goDriver, _ *skein.Client, cmd Command) (any, error) {
			r, t := room(d, cmd.Conversation), time.Duration(cmd.Limit)*time.Second
			if cmd.Remove {
				return nil, r.Remove(ctx, cmd.Users[0], t)
			}
			return nil, r.Mute(ctx, cmd.Users[0], t)
		},
		"roomLines": func(_ context.Context, d *goDriver, _ *skein.Client, cmd Command) (any, error) {
			d.mu.Lock()
			defer d.mu.Unlock()
			lines := append([]string{}, d.live.said[cmd.Conversation]...)
			if r := d.live.rooms[cmd.Conversation]; r != nil {
				s := r.State()
				lines = append(lines, fmt.Sprint("viewers ", s.Viewers))
				if s.Muted.After(time.Now()) {
					lines = append(lines, "muted")
				}
				if s.Removed {
					lines = append(lines, "ended removed")
				} else if s.Ended {
					lines = append(lines, "ended closed")
				}
			}
			return lines, nil
		},
	}
}

// listenToRooms notes what is shown of livestreams, from the first on.
func (d *goDriver) listenToRooms(c *skein.Client) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.live.rooms != nil {
		return
	}
	d.live = goRooms{rooms: map[string]*skein.Room{}, said: map[string][]string{}}
	c.OnRoomMessage(func(m skein.RoomMessage) {
		d.mu.Lock()
		d.live.said[m.Room] = append(d.live.said[m.Room], m.User+": "+m.Text)
		d.mu.Unlock()
		d.poke()
	})
	c.OnRoomState(func(skein.RoomState) { d.poke() })
}
