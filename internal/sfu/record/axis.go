package record

// How a stream's clock is held to ours.
const (
	axisJump   = 10_000_000_000 // ns: further off it is another clock
	axisWindow = 10_000_000_000 // ns over which the quickest packet counts
	axisSlack  = 40_000_000     // ns that are not worth a correction
)

// axis turns the timestamps of one stream into times of ours (ns). The
// stream's own clock says how far its packets are apart, as a network does not;
// how that clock lies to ours is what the quickest packets tell, over and over:
// it may run a little faster or slower, stand still while a track is muted, or
// begin anew.
type axis struct {
	rate int64 // ticks a second
	set  bool
	last int64 // the newest timestamp, extended
	base int64 // ns to add

	since int64 // of the window, 0 = none
	low   int64 // how late the quickest packet in it was
}

// at is when a packet was captured, on our clock.
func (x *axis) at(ts uint32, arrival int64) int64 {
	if !x.set {
		x.set, x.last = true, int64(ts)
		x.base = arrival - x.ns(x.last)
	}
	ext := x.last + int64(int32(ts-uint32(x.last)))
	late := arrival - x.ns(ext) - x.base
	switch {
	case late > axisJump || late < -axisJump:
		x.base += late
		x.since = 0
		x.last = ext
	case late < -axisSlack: // what the clock was set by had been delayed
		x.base += late
		x.since = 0
	case x.since == 0:
		x.since, x.low = arrival, late
	default:
		x.low = min(x.low, late)
		if arrival-x.since >= axisWindow {
			if x.low > axisSlack {
				x.base += x.low
			}
			x.since = 0
		}
	}
	x.last = max(x.last, ext)
	return x.ns(ext) + x.base
}

func (x *axis) ns(ticks int64) int64 {
	return ticks/x.rate*1e9 + ticks%x.rate*1e9/x.rate
}
