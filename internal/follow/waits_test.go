package follow

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/skein-im/skein/internal/im"
)

func TestWhatWaitsForAFollowerIsKnownByItsTime(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		var healed atomic.Bool
		waits := func(when string, want im.Micros) {
			t.Helper()
			at, ok, err := Waits(t.Context(), b.db, b.log, "a")
			b.must(err)
			if at != want || ok != (want != 0) {
				t.Errorf("%s: %d, %v, want %d", when, at, ok, want)
			}
		}
		waits("before anything", 0)
		b.log.append(0, 100)
		b.log.append(1, 100)
		waits("of a follower that never ran", 1)
		r := b.runner(nil, Follower{Name: "a", Apply: poisoned("a", 37, func() error {
			if healed.Load() {
				return nil
			}
			return errors.New("planned")
		})})
		r.poll(t.Context())
		b.at("a", 0, 100)
		b.at("a", 1, 100)
		waits("with a parked entry", 37)
		healed.Store(true)
		b.must(r.Replay(t.Context(), "a", 0, 37))
		waits("when all is applied", 0)
		b.must(r.Close(t.Context()))
		b.log.append(1, 3)
		waits("while nobody runs it", 1101)
		b.log.mu.Lock()
		b.log.incarnation = "two"
		b.log.mu.Unlock()
		waits("of another journal", 1)
	})
}
