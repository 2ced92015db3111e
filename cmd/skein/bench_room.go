package main

import (
	"cmp"
	"context"
	"fmt"
	"io"

	"github.com/skein-im/skein/internal/bench"
	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/feature/group"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// roomReport is what "bench room" prints.
type roomReport struct {
	Kind    string  `json:"kind"`
	Viewers int     `json:"viewers"`
	Rate    float64 `json:"rate"`
	// The pairs talk before the room, twice while it is watched, and after it.
	AckP99     float64           `json:"ack_p99_ms"`         // with the room: the mean of the two
	Yardstick  float64           `json:"ack_p99_ms_without"` // without: the mean of before and after
	Rise       float64           `json:"ack_p99_rise"`       // of the first over the second; 0.2 = 20 % more
	RiseMedian float64           `json:"ack_p50_rise"`
	With       []bench.P2PResult `json:"with"`
	Without    []bench.P2PResult `json:"without"`
	bench.RoomResult
	engine
}

// What the pairs of "bench room" do, at the rate of a busy team.
const (
	roomPairs = 50
	roomTalk  = 1000 // messages a second over all of them
)

func benchRoom(ctx context.Context, f benchFlags, stdout, stderr io.Writer) error {
	r := roomReport{Kind: "room", Viewers: cmp.Or(f.viewers, 5000), Rate: cmp.Or(f.p2p.Rate, 1000), engine: f.engine()}
	if r.Viewers < 1 || r.Rate <= 0 {
		return fmt.Errorf("--viewers starts at 1, --rate is over 0")
	}
	sv, err := newChild(ctx, f, stderr)
	if err != nil {
		return err
	}
	defer sv.end()
	if err := sv.makeLivestream(ctx, "bench-room"); err != nil {
		return err
	}
	if err := sv.start(); err != nil {
		return err
	}
	talk := func(into *[]bench.P2PResult) error {
		res, err := bench.P2P(ctx, sv.target(), bench.P2POptions{Pairs: roomPairs, Window: 16, Rate: roomTalk, Seconds: cmp.Or(f.seconds, 8)})
		*into = append(*into, res)
		return err
	}
	fmt.Fprintf(stderr, "%d pairs, %d messages a second, without the room\n", roomPairs, roomTalk)
	if err := talk(&r.Without); err != nil {
		return err
	}
	o := bench.RoomOptions{Conv: "bench-room", Rate: r.Rate}
	for i := range r.Viewers {
		o.Viewers = append(o.Viewers, im.UserID(fmt.Sprintf("v%06d", i)))
	}
	fmt.Fprintf(stderr, "%d viewers, %g messages a second in the room\n", r.Viewers, r.Rate)
	room, err := bench.OpenRoom(ctx, sv.target(), o)
	if err != nil {
		return err
	}
	for range 2 {
		if err = talk(&r.With); err != nil {
			break
		}
	}
	if r.RoomResult = room.Close(); err != nil {
		return err
	}
	if err := sv.calm(ctx); err != nil {
		return err
	}
	fmt.Fprintln(stderr, "without the room again")
	if err := talk(&r.Without); err != nil {
		return err
	}
	r.AckP99, r.Yardstick = (r.With[0].Ack.P99+r.With[1].Ack.P99)/2, (r.Without[0].Ack.P99+r.Without[1].Ack.P99)/2
	r.Rise = r.AckP99/r.Yardstick - 1
	r.RiseMedian = (r.With[0].Ack.P50+r.With[1].Ack.P50)/(r.Without[0].Ack.P50+r.Without[1].Ack.P50) - 1
	if r.Shown == 0 {
		err = fmt.Errorf("the viewers were shown nothing")
	}
	return printReport(stdout, r, err)
}

// makeLivestream makes a livestream that everybody may watch.
func (c *child) makeLivestream(ctx context.Context, id im.ConvID) error {
	j, front, err := c.frontDoor(ctx)
	if err != nil {
		return err
	}
	_, err = group.New(front, chat.DefaultLimits().GroupMembers, nil).Create(ctx, im.Actor{App: c.app, User: "host", Device: "bench"}, id, "bench", nil,
		&skeinv1.GroupSettings{Type: skeinv1.GroupType_GROUP_TYPE_LIVESTREAM}, bench.ClientID(1, 1))
	if closing := j.Close(ctx); err == nil {
		err = closing
	}
	return err
}
