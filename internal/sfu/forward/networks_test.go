package forward

import (
	"fmt"
	"os"
	"testing"
)

// seeds is how many worlds a proof looks at: SKEIN_CALLS_LONG takes the hundred.
func seeds() uint64 {
	if os.Getenv("SKEIN_CALLS_LONG") != "" {
		return 100
	}
	return 6
}

// cameras are what livekit-client sends of 640 x 360 and of 1280 x 720.
var cameras = [][]int64{{160e3, 450e3}, {150e3, 500e3, 1700e3}}

// until runs a world until something holds, and returns the seconds; 30 at most.
func (w *world) until(ok func() bool) float64 {
	began := w.now
	for !ok() && w.now-began < 30e9 {
		w.run(20e6)
	}
	return float64(w.now-began) / 1e9
}

func TestTheLayerFollowsANarrowNetworkWithinThreeSecondsAndAWideOneWithinEight(t *testing.T) {
	for _, rates := range cameras {
		for _, test := range []struct {
			jitter int64
			plain  bool
		}{{0, false}, {20e6, false}, {20e6, true}} {
			jitter := test.jitter
			t.Run(fmt.Sprintf("%d layers, %d ms of jitter, without temporal layers %t", len(rates), jitter/1e6, test.plain), func(t *testing.T) {
				var worstDown, worstUp float64
				var worstFreeze int64
				unsteady := 0
				for seed := range seeds() {
					w := newWorld(seed, 15, rates...)
					best := len(rates) - 1
					w.camera.plain = test.plain
					w.away.rate, w.away.jitter, w.up.jitter = 3e6, jitter, jitter
					w.run(8e9)
					if w.screen.width != best {
						t.Errorf("seed %d: through 3 Mbit/s the layer is %d", seed, w.screen.width)
					}
					w.away.rate = 300e3
					down := w.until(func() bool { return w.screen.width == 0 })
					switches := len(w.screen.widths)
					shown := w.screen.shown
					w.run(10e9)
					unsteady += len(w.screen.widths) - switches
					if w.screen.shown-shown < 60 {
						t.Errorf("seed %d: at 300 kbit/s %d pictures were seen in 10 s", seed, w.screen.shown-shown)
					}
					w.away.rate = 3e6
					up := w.until(func() bool { return w.screen.width == best })
					switches = len(w.screen.widths)
					w.run(5e9)
					unsteady += len(w.screen.widths) - switches
					if down > 3 || up > 8 {
						t.Errorf("seed %d: down after %.2f s, up after %.2f s", seed, down, up)
					}
					w.sound(t, seed)
					worstDown, worstUp, worstFreeze = max(worstDown, down), max(worstUp, up), max(worstFreeze, w.screen.longest)
				}
				t.Logf("at worst down after %.2f s, up after %.2f s, frozen for %.2f s", worstDown, worstUp, float64(worstFreeze)/1e9)
				if worstFreeze > 2e9 || unsteady > max(1, int(seeds()/25)) {
					t.Errorf("frozen for %.2f s; %d changes to and fro", float64(worstFreeze)/1e9, unsteady)
				}
			})
		}
	}
}

func TestLossDelayAndJitterFreezeNoPictureAndChangeNoLayer(t *testing.T) {
	for _, test := range []struct {
		name          string
		loss          float64
		delay, jitter int64
		frozen        float64 // seconds, at most
		freezes       float64 // a minute, on average
		changes       float64 // of the layer a minute, on average
	}{
		{"1 % loss", 0.01, 10e6, 0, 1, 1, 0.1},
		{"5 % loss", 0.05, 10e6, 0, 1, 6, 0.5},
		{"10 % loss", 0.1, 10e6, 0, 1, 25, 1},
		{"20 % loss", 0.2, 10e6, 0, 4, 60, 4},
		{"300 ms", 0, 75e6, 10e6, 1, 0.1, 0.1},
		{"300 ms and 1 % loss", 0.01, 75e6, 10e6, 1, 60, 0.5},
		{"50 ms of jitter", 0, 10e6, 50e6, 1, 2, 0.5},
	} {
		t.Run(test.name, func(t *testing.T) {
			var freezes, changes, minutes float64
			var longest int64
			for seed := range seeds() {
				w := newWorld(seed, 15, cameras[0]...)
				for _, c := range []*cable{w.up, w.upBack, w.away, w.awayBack} {
					c.loss, c.delay, c.jitter = test.loss, test.delay, test.jitter
				}
				w.run(5e9)
				w.screen.freezes, w.screen.longest = 0, 0
				n := len(w.screen.widths)
				w.run(30e9)
				freezes, changes, minutes, longest = freezes+float64(w.screen.freezes), changes+float64(len(w.screen.widths)-n), minutes+0.5, max(longest, w.screen.longest)
				if w.screen.shown < 300 {
					t.Errorf("seed %d: %d pictures in 35 s", seed, w.screen.shown)
				}
				w.sound(t, seed)
			}
			t.Logf("%.1f freezes a minute, the longest of %.2f s, %.1f changes of the layer a minute", freezes/minutes, float64(longest)/1e9, changes/minutes)
			if float64(longest) > test.frozen*1e9 || freezes/minutes > test.freezes || changes/minutes > test.changes {
				t.Error("that is too much")
			}
		})
	}
}

// sound holds a world to what a receiver can expect of any stream.
func (w *world) sound(t *testing.T, seed uint64) {
	t.Helper()
	for _, e := range w.screen.errors {
		t.Errorf("seed %d: %s", seed, e)
	}
}
