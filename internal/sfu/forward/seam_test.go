package forward

import (
	"testing"

	"pgregory.net/rapid"
)

// TestOneStreamComesOutWhateverGoesIn lets a sender's way lose, repeat and
// reorder, and the division go up and down as it likes, within streams and
// between them; the receiver's way is good. Once all is repaired, what has
// come is one stream: no number twice or missing, time and pictures in order.
func TestOneStreamComesOutWhateverGoesIn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(rapid.Uint64().Draw(t, "seed"), 15, 150e3, 500e3, 1700e3)
		loss := rapid.SampledFrom([]float64{0, 0.02, 0.1}).Draw(t, "loss")
		w.up.loss = loss
		w.up.twice = rapid.SampledFrom([]float64{0, 0.1}).Draw(t, "twice")
		w.up.swap = rapid.SampledFrom([]float64{0, 0.05}).Draw(t, "swapped")
		type entry struct {
			ts    uint32
			pic   uint16
			blank bool
		}
		came := map[uint16]entry{}
		var first uint16
		w.screen.came = func(p Packet, body []byte) {
			if len(came) == 0 {
				first = p.seq
			}
			e := entry{ts: p.ts, blank: len(body) == 0}
			if !e.blank {
				e.pic = inspect(VP8, body, nil, nil).pic
			}
			if old, ok := came[p.seq]; ok && (p.ssrc == 99 || old != e) {
				t.Fatalf("number %d came as %+v and as %+v", p.seq, old, e)
			}
			came[p.seq] = e
		}
		steps := rapid.IntRange(1, 12).Draw(t, "steps")
		for range steps {
			w.viewer.SetCeiling(rapid.SampledFrom([]int64{0, 60e3, 90e3, 200e3, 400e3, 700e3}).Draw(t, "ceiling"))
			w.down.SetMax(rapid.IntRange(-1, 2).Draw(t, "shown"))
			w.run(rapid.Int64Range(50e6, 1500e6).Draw(t, "for"))
		}
		w.up.loss, w.up.twice = 0, 0
		w.run(2e9)
		for _, e := range w.screen.errors {
			t.Error(e)
		}
		holes := 0
		last := came[first]
		for seq := first + 1; int16(w.screen.highest-seq) >= 0; seq++ {
			e, ok := came[seq]
			if !ok {
				holes++ // given up by the sender's side
				continue
			}
			if e.blank {
				continue
			}
			ahead, later := int16((e.pic-last.pic)<<1)>>1, int32(e.ts-last.ts)
			if later < 0 || ahead < 0 || (ahead == 0) != (later == 0) || ahead > 1 && holes == 0 && w.up.lost == 0 {
				t.Fatalf("after picture %d of time %d comes number %d with picture %d of time %d", last.pic, last.ts, seq, e.pic, e.ts)
			}
			last = e
		}
		// What is late when another layer begins has no place any more: of each change a few packets.
		most := 0
		if loss > 0 || w.up.swap > 0 {
			most = 4 * (1 + steps)
		}
		if holes > most {
			t.Fatalf("%d numbers never came; %d were lost before the server, and what is shown changed %d times", holes, w.up.lost, steps)
		}
	})
}

func TestPicturesOfHigherTemporalLayersAreLeftOutWithoutATrace(t *testing.T) {
	w := newWorld(3, 30, 160e3)
	var tids [4]int
	w.screen.came = func(p Packet, body []byte) {
		if len(body) > 5 {
			tids[body[5]>>6]++
		}
	}
	w.run(2e9)
	if tids[0] == 0 || tids[1] == 0 || tids[2] == 0 {
		t.Fatalf("with room for all there came %v", tids)
	}
	for _, test := range []struct {
		ceiling int64
		most    int // temporal layer
	}{{110_000, 1}, {60_000, 0}, {110_000, 1}, {0, 2}} {
		w.viewer.SetCeiling(test.ceiling)
		w.run(1e9) // going up waits for a picture that allows it
		tids = [4]int{}
		shown := w.screen.shown
		w.run(2e9)
		for tid, n := range tids {
			if (n > 0) != (tid <= test.most) {
				t.Errorf("with %d bit/s there came %v of the temporal layers", test.ceiling, tids)
				break
			}
		}
		if want := []int{15, 30, 60}[test.most]; w.screen.shown-shown < want-3 {
			t.Errorf("with %d bit/s %d pictures of %d were decoded in 2 s", test.ceiling, w.screen.shown-shown, want)
		}
	}
	if w.screen.freezes > 0 || len(w.screen.errors) > 0 {
		t.Errorf("%d freezes, %v", w.screen.freezes, w.screen.errors)
	}
}
