package join

import (
	"context"
	"hash/maphash"

	"github.com/skein-im/skein/internal/im"
)

// doors let the joins of a group through one after the other. It is not what
// makes them right: two that meet are decided again by the version of the
// group. It spares a hundred who come at once from doing so a hundred times.
type doors struct {
	seed  maphash.Seed
	slots [256]chan struct{} // each holds a token while somebody is in the door
}

func newDoors() *doors {
	d := &doors{seed: maphash.MakeSeed()}
	for i := range d.slots {
		d.slots[i] = make(chan struct{}, 1)
	}
	return d
}

// enter waits for its turn; leave must be called. Unavailable when ctx ends
// first: nothing was done.
func (d *doors) enter(ctx context.Context, app im.AppID, conv im.ConvID) (leave func(), err error) {
	slot := d.slots[maphash.String(d.seed, string(app)+"\x00"+string(conv))%uint64(len(d.slots))]
	select {
	case slot <- struct{}{}:
		return func() { <-slot }, nil
	case <-ctx.Done():
		return nil, im.Errorf(im.Unavailable, "too many are joining at once")
	}
}
