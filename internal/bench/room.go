package bench

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/ws"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// The fields of ServerFrame that a viewer tells apart.
const (
	kindRoomMessage = 16
	kindRoomState   = 17
)

// RoomOptions is a load of one livestream.
type RoomOptions struct {
	Conv    im.ConvID
	Viewers []im.UserID
	Rate    float64 // messages a second, said by the viewers in turn
}

// RoomResult is what came of it.
type RoomResult struct {
	Said        int64       `json:"room_said"`
	Shown       int64       `json:"room_shown"` // over all viewers
	ShownPart   float64     `json:"room_shown_part"`
	Packets     int64       `json:"room_packets"` // that viewers were sent
	Refused     int64       `json:"room_refused"` // answered with an error
	Deliver     Percentiles `json:"room_deliver_ms"`
	LoginsPerS  float64     `json:"room_joins_per_s"`
	PacketsPerS float64     `json:"room_packets_per_s"`
}

// Room is a livestream under way.
type Room struct {
	o       RoomOptions
	viewers []*client
	stop    chan struct{}
	done    sync.WaitGroup
	began   time.Time

	said, shown, packets, refused atomic.Int64
	deliver                       histogram
	joins                         float64
}

// OpenRoom connects the viewers and lets them join; Say begins the load.
func OpenRoom(ctx context.Context, t *Target, o RoomOptions) (*Room, error) {
	r := &Room{o: o, viewers: make([]*client, len(o.Viewers)), stop: make(chan struct{})}
	join, err := proto.Marshal(&skeinv1.ClientPacket{Frames: []*skeinv1.ClientFrame{{Ref: 2, Frame: &skeinv1.ClientFrame_JoinRoom{JoinRoom: &skeinv1.JoinRoom{Conversation: string(o.Conv)}}}}})
	if err != nil {
		return nil, err
	}
	began := time.Now()
	err = Each(len(o.Viewers), 64, func(i int) (err error) {
		if r.viewers[i], err = dial(ctx, t, o.Viewers[i]); err != nil {
			return err
		}
		if err = r.viewers[i].conn.WriteMessage(ws.OpBinary, join); err != nil {
			return err
		}
		_, raw, err := r.viewers[i].conn.ReadMessage()
		var p skeinv1.ServerPacket
		if err == nil {
			err = proto.Unmarshal(raw, &p)
		}
		if err == nil && p.Frames[0].GetRoomState() == nil {
			err = fmt.Errorf("%s joins and gets %v", o.Viewers[i], p.Frames)
		}
		return err
	})
	if err != nil {
		r.Close()
		return nil, err
	}
	r.joins = float64(len(o.Viewers)) / time.Since(began).Seconds()
	r.began = time.Now()
	for _, c := range r.viewers {
		r.done.Go(func() { r.read(c) })
	}
	r.done.Go(r.say)
	return r, nil
}

// say sends at the rate until the room is closed.
func (r *Room) say() {
	body := TextBody(strings.Repeat("m", 60))
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; {
		select {
		case <-r.stop:
			return
		case <-tick.C:
		}
		for due := int(time.Since(r.began).Seconds() * r.o.Rate); n < due; n++ {
			now := time.Now()
			id := clientID(now, 0, uint32(now.Sub(r.began).Microseconds()))
			if r.viewers[n%len(r.viewers)].conn.WriteMessage(ws.OpBinary, appendRoomMessage(nil, string(r.o.Conv), &id, body)) == nil {
				r.said.Add(1)
			}
		}
	}
}

// read counts what a viewer is shown.
func (r *Room) read(c *client) {
	for {
		_, raw, err := c.conn.ReadMessage()
		if err != nil {
			return
		}
		now, n := time.Since(r.began), int64(0)
		scan(raw, func(f frame) {
			switch f.kind {
			case kindRoomMessage:
				n++
				if id := roomMessageID(f.inner); id != nil {
					_, at := whichOf(id)
					r.deliver.add(now - time.Duration(at)*time.Microsecond)
				}
			case kindError:
				r.refused.Add(1)
			}
		})
		r.shown.Add(n)
		r.packets.Add(1)
	}
}

// Close ends the load and returns what came of it.
func (r *Room) Close() RoomResult {
	close(r.stop)
	took := time.Since(r.began).Seconds()
	for _, c := range r.viewers {
		if c != nil {
			c.conn.Close()
		}
	}
	r.done.Wait()
	res := RoomResult{Said: r.said.Load(), Shown: r.shown.Load(), Packets: r.packets.Load(), Refused: r.refused.Load(), Deliver: r.deliver.percentiles(), LoginsPerS: r.joins}
	if res.Said > 0 {
		res.ShownPart = float64(res.Shown) / float64(res.Said*int64(len(r.viewers)))
		res.PacketsPerS = float64(res.Packets) / took
	}
	return res
}

// appendRoomMessage appends a room_message frame without a ref, as an element
// of ClientPacket.frames.
func appendRoomMessage(b []byte, conv string, id *im.ClientID, body []byte) []byte {
	inner := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), conv)
	inner = protowire.AppendBytes(protowire.AppendTag(inner, 2, protowire.BytesType), id[:])
	inner = protowire.AppendBytes(protowire.AppendTag(inner, 3, protowire.BytesType), body)
	f := protowire.AppendBytes(protowire.AppendTag(nil, 14, protowire.BytesType), inner)
	return protowire.AppendBytes(protowire.AppendTag(b, 1, protowire.BytesType), f)
}

// roomMessageID finds the client id of a RoomMessage.
func roomMessageID(b []byte) []byte {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return nil
		}
		m := protowire.ConsumeFieldValue(num, typ, b[n:])
		if m < 0 {
			return nil
		}
		if num == 2 {
			if id, _ := protowire.ConsumeBytes(b[n:]); len(id) == 16 {
				return id
			}
			return nil
		}
		b = b[n+m:]
	}
	return nil
}
