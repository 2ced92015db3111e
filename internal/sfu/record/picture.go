package record

import (
	"os"
)

// layerLost is how long a layer says nothing before another one is taken, ns.
const layerLost = 1_500_000_000

// topLayer is the highest that there can be.
const topLayer = 7

// picture is a video track on its way into a WebM file: the best layer there
// is.
type picture struct {
	file          *os.File
	codec         string
	width, height int // as the track's owner said
	ask           func(layer int)

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

// write writes the pictures that are whole.
func (v *picture) write(now int64) (err error) {
	for n := topLayer; n >= 0; n-- { // the best first: it is not to follow what it stands in for
		l := v.layers[n]
		if l == nil {
			continue
		}
		lost := l.ready(now, func(f frame) {
			if err == nil {
				err = v.show(n, f, now)
			}
		})
		if err != nil {
			return err
		}
		if lost && n == v.current {
			v.ask(n)
		}
	}
	return nil
}

// best is the highest layer that comes.
func (v *picture) best(now int64) int {
	best := -1
	for n, at := range v.heard {
		if n > best && now-at < layerLost {
			best = n
		}
	}
	return best
}

// begin asks for a key frame of what is to be written and is not; it is called
// now and then.
func (v *picture) begin(now int64) {
	if best := v.best(now); best >= 0 && best != v.current {
		v.ask(best)
	} else if best >= 0 && v.layers[best].needKey {
		v.ask(best)
	}
}

// show writes a picture of a layer, if it is the layer's turn: one begins with a
// key frame, when nothing better comes.
func (v *picture) show(layer int, f frame, now int64) error {
	if layer != v.current {
		alive := v.current >= 0 && now-v.heard[v.current] < layerLost
		if !f.key || alive && layer < v.current {
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
