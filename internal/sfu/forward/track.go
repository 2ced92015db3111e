package forward

import (
	"slices"
	"sync"
	"sync/atomic"
)

// Track is what one participant published: an audio track, or a video track
// with one Source for each layer.
type Track struct {
	Video bool
	codec atomic.Uint32 // of the newest packet
	Muted atomic.Bool   // told by its owner; nothing is forwarded

	mu      sync.Mutex // guards changes of the two
	sources atomic.Pointer[[]*Source]
	downs   atomic.Pointer[[]*Down]
	tap     atomic.Pointer[func(Tapped) bool] // nil = nobody records it
}

// NewTrack makes a track without sources or subscribers.
func NewTrack(video bool) *Track {
	t := &Track{Video: video}
	t.sources.Store(&[]*Source{})
	t.downs.Store(&[]*Down{})
	return t
}

func (t *Track) clock() int64 {
	if t.Video {
		return 90_000
	}
	return 48_000
}

// layers are the sources, the smallest first.
func (t *Track) layers() []*Source { return *t.sources.Load() }

// Codec is what is being sent, codecNone before the first packet.
func (t *Track) Codec() Codec { return Codec(t.codec.Load()) }

func (t *Track) addSource(s *Source) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := append(slices.Clone(t.layers()), s)
	slices.SortStableFunc(l, func(a, b *Source) int { return a.layer - b.layer })
	t.sources.Store(&l)
}

func (t *Track) addDown(d *Down) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := append(slices.Clone(*t.downs.Load()), d)
	t.downs.Store(&l)
}

func (t *Track) removeDown(d *Down) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := slices.DeleteFunc(slices.Clone(*t.downs.Load()), func(x *Down) bool { return x == d })
	t.downs.Store(&l)
}

// topLayer is the highest that there can be.
const topLayer = 2

// Wanted is the highest layer that any subscriber wants, -1 when none wants
// any: what dynacast tells the publisher. Layers count from 0.
func (t *Track) Wanted() int {
	top := -1
	if t.tap.Load() != nil {
		return topLayer
	}
	for _, d := range *t.downs.Load() {
		if w := int(d.max.Load()); w > top {
			top = w
		}
	}
	return top
}

// Subscribers is how many receive the track.
func (t *Track) Subscribers() int { return len(*t.downs.Load()) }

// Loudness takes what was heard since the last call; see loudness.take.
func (t *Track) Loudness() (share, level float64) {
	for _, s := range t.layers() {
		sh, l := s.audio.take()
		if sh > share {
			share, level = sh, l
		}
	}
	return share, level
}

// layerOf finds a source by its layer.
func (t *Track) layerOf(layer int) *Source {
	for _, s := range t.layers() {
		if s.layer == layer {
			return s
		}
	}
	return nil
}
