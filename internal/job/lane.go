package job

import "time"

// The rules for lanes that fail.
const (
	// suspectAfter failures in a row a lane is under suspicion.
	suspectAfter = 3
	// pauseBase is the first pause of a suspect lane; it doubles to pauseMost.
	pauseBase = 2 * time.Second
	pauseMost = 5 * time.Minute
	// maxSuspects bounds the memory of failures. Beyond it the newest lanes
	// are not remembered; their jobs' own delays still hold them back.
	maxSuspects = 50_000
)

// lane is what shares a limit and can fail on its own.
type lane struct {
	kind string
	name string // see laneName
}

// health remembers which lanes fail. It is this node's opinion, learnt anew
// after a restart; it has no clock and no lock.
type health struct {
	lanes map[lane]*ills
}

type ills struct {
	failures int // in a row
	until    time.Time
}

// outcome notes how a job of a lane ended.
func (h *health) outcome(l lane, ok bool, now time.Time) {
	if ok {
		delete(h.lanes, l)
		return
	}
	i := h.lanes[l]
	if i == nil {
		if len(h.lanes) >= maxSuspects {
			return
		}
		i = &ills{}
		h.lanes[l] = i
	}
	if i.failures++; i.failures >= suspectAfter {
		i.until = now.Add(double(pauseBase, i.failures-suspectAfter, pauseMost))
	}
}

// suspect tells whether a lane has failed so often that it gets one job at a
// time, out of the share for such lanes.
func (h *health) suspect(l lane) bool {
	i := h.lanes[l]
	return i != nil && i.failures >= suspectAfter
}

// paused tells whether a lane is to be left alone.
func (h *health) paused(l lane, now time.Time) bool {
	i := h.lanes[l]
	return i != nil && now.Before(i.until)
}
