package record

import (
	"math"
	"os"
)

// When other layers are taken, ns.
const (
	layerLost = 1_200_000_000 // that a layer says nothing, while others do, before another one is taken: a still screen comes once a second
	askEvery  = 500_000_000   // between two requests for a key frame
)

// topLayer is the highest that there can be.
const topLayer = 7

// picture is a video track on its way into a WebM file: the best layer there
// is.
type picture struct {
	file          *os.File
	codec         string
	width, height int // as the track's owner said
	ask           func(layer int)

	asked   int64 // ns: when a key frame was asked for
	layers  map[int]*frames
	current int // the layer that is written, -1 = none yet
	heard   map[int]int64
	webm    *webm
	first   int64 // ns: when the file begins
}

func newPicture(f *os.File, codec string, width, height int, ask func(layer int)) *picture {
	return &picture{file: f, codec: codec, width: width, height: height, ask: ask, layers: map[int]*frames{}, current: -1, heard: map[int]int64{}}
}

func (v *picture) take(p *Packet) {
	l := v.layers[p.Layer]
	if p.Layer < 0 || p.Layer > topLayer {
		return
	}
	if l == nil {
		l = newFrames(v.codec)
		v.layers[p.Layer] = l
	}
	v.heard[p.Layer] = p.Arrival
	l.take(p)
}

// write writes the pictures that are whole; all: nothing more comes that could
// make others so.
func (v *picture) write(now int64, all bool) (err error) {
	until := now
	if all {
		until = math.MaxInt64
	}
	for n := topLayer; n >= 0; n-- { // the best first: it is not to follow what it stands in for
		l := v.layers[n]
		if l == nil {
			continue
		}
		l.ready(until, func(f frame) {
			if err == nil {
				err = v.show(n, f)
			}
		})
		if err != nil {
			return err
		}
	}
	v.need(now)
	return nil
}

// alive tells whether a layer comes, if any does.
func (v *picture) alive(layer int) bool {
	at, ok := v.heard[layer]
	for _, other := range v.heard {
		ok = ok && other-at < layerLost
	}
	return ok
}

// best is the highest layer that comes, -1 = none does.
func (v *picture) best(now int64) int {
	for n := topLayer; n >= 0; n-- {
		if v.alive(n) && now-v.heard[n] < layerLost {
			return n
		}
	}
	return -1
}

// need asks for a key frame where nothing can be written without: of a better
// layer than the one that is written, of what stands in for one that comes no
// more, and after a loss.
func (v *picture) need(now int64) {
	best := v.best(now)
	if best < 0 || v.asked != 0 && now-v.asked < askEvery {
		return
	}
	if l := v.layers[best]; (best != v.current || l.needKey) && !l.coming() {
		v.asked = now
		v.ask(best)
	}
}

// show writes a picture of a layer, if it is the layer's turn: one begins with a
// key frame, when nothing better comes.
func (v *picture) show(layer int, f frame) error {
	if layer != v.current {
		if !f.key || layer < v.current && v.alive(v.current) {
			return nil
		}
	}
	if f.key {
		private, width, height, ok := describe(v.codec, f.data)
		if !ok && v.webm == nil {
			return nil
		}
		if width == 0 {
			width, height = v.width, v.height
		}
		if v.webm == nil {
			w, err := newWebM(v.file, v.codec, private, width, height)
			if err != nil {
				return err
			}
			v.webm, v.first = w, f.at
		} else if err := v.webm.grow(width, height); err != nil {
			return err
		}
	}
	v.current = layer
	return v.webm.frame(max((f.at-v.first)/1_000_000, v.webm.last+1), f.key, f.data)
}
