package forward

import "sync/atomic"

// meter measures a rate over the last second or so. Any goroutine may add and
// read.
type meter struct {
	begin atomic.Int64 // of the window
	bytes atomic.Int64 // in it
	rate  atomic.Int64 // bits a second, of the windows before
	last  atomic.Int64 // when anything came
}

const meterWindow = 500_000_000

func (m *meter) add(now int64, n int) {
	m.last.Store(now)
	begin := m.begin.Load()
	if now-begin >= meterWindow && m.begin.CompareAndSwap(begin, now) {
		bytes := m.bytes.Swap(0)
		if begin != 0 && now-begin < 4*meterWindow {
			r := bytes * 8 * 1e9 / (now - begin)
			if old := m.rate.Load(); old > 0 {
				r = (old + r) / 2
			}
			m.rate.Store(r)
		} else {
			m.rate.Store(0)
		}
	}
	m.bytes.Add(int64(n))
}

// bits is the rate; 0 when nothing has come for a while.
func (m *meter) bits(now int64) int64 {
	if now-m.last.Load() > 2*meterWindow {
		return 0
	}
	if r := m.rate.Load(); r > 0 {
		return r
	}
	if d := now - m.begin.Load(); d > meterWindow/5 { // the first window
		return m.bytes.Load() * 8 * 1e9 / d
	}
	return 0
}

// alive reports whether anything came lately.
func (m *meter) alive(now int64) bool {
	last := m.last.Load()
	return last != 0 && now-last < 3*meterWindow
}

// loudness gathers what RFC 6464 says of each audio packet: 0 is the loudest,
// 127 silence.
type loudness struct {
	loud  atomic.Int64 // packets above the threshold
	all   atomic.Int64
	level atomic.Int64 // the sum of the loud ones' levels
}

// activeLevel is what counts as speech, in -dBov.
const activeLevel = 35

func (l *loudness) add(level uint8) {
	l.all.Add(1)
	if level <= activeLevel {
		l.loud.Add(1)
		l.level.Add(int64(level))
	}
}

// take empties the window: how much of it was speech (0 to 1), and how loud
// (0 to 1).
func (l *loudness) take() (share, level float64) {
	loud, all, sum := l.loud.Swap(0), l.all.Swap(0), l.level.Swap(0)
	if all == 0 || loud == 0 {
		return 0, 0
	}
	// With DTX a silent sender sends nearly nothing: a window of 400 ms has 20 packets.
	return float64(loud) / float64(max(all, 20)), 1 - float64(sum)/float64(loud)/127
}
