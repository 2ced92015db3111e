package auth

import (
	"sync"

	"github.com/skein-im/skein/internal/im"
)

// Bounds of what is remembered.
const (
	maxKnownCalls   = 20_000 // tokens of calls: 300 bytes each
	maxKnownSecrets = 2_000
	maxKnownOrigins = 2_000
	maxKnownApps    = 20_000 // rules
	maxRecent       = 1_024  // fences
)

// known remembers what was read from the database, so that a call costs no
// transaction, and the newest fences, which say when to forget it.
//
// What was read before a fence and is remembered after it would outlive the
// fence. So everything comes with the head of the log at the moment when it
// was read, and is not remembered when a fence after that concerns it.
type known struct {
	mu sync.Mutex // guards the rest
	// recent are the fences that were applied last, oldest first; all after
	// the fence from are there.
	recent  []Fence
	from    int64
	applied int64
	calls   recall[callKey, Session]
	secrets recall[string, verifyKey]
	origins recall[originKey, bool]
	// rules are *rules by im.AppID. They are read without mu, on hot paths, and
	// changed under it.
	rules sync.Map
	apps  int // in rules
}

// callKey is the hash of a token with the app and device that it came with.
type callKey [32]byte

// originKey is an origin of an app, or of any app when app is empty.
type originKey struct {
	app    im.AppID
	origin string
}

func newKnown() *known {
	return &known{calls: newRecall[callKey, Session](maxKnownCalls), secrets: newRecall[string, verifyKey](maxKnownSecrets),
		origins: newRecall[originKey, bool](maxKnownOrigins)}
}

// apply forgets what a fence concerns.
func (k *known) apply(f Fence) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.applied = f.ID
	if f.Kind == FenceAll {
		k.recent, k.from = nil, f.ID
	} else {
		k.recent = append(k.recent, f)
		if n := len(k.recent) - maxRecent; n > 0 {
			k.from = k.recent[n-1].ID
			k.recent = append([]Fence(nil), k.recent[n:]...)
		}
	}
	k.calls.forget(func(s Session) bool { return f.doubts(s) })
	if !f.Kind.keepsTokens() {
		k.secrets.forget(func(v verifyKey) bool { return f.Kind == FenceAll || v.app == f.App })
		k.origins.forget(func(bool) bool { return true })
		if f.Kind == FenceAll {
			k.rules.Clear()
			k.apps = 0
		} else if _, had := k.rules.LoadAndDelete(f.App); had {
			k.apps--
		}
	}
}

// good tells whether no fence that was applied here ends a session.
func (k *known) good(s Session) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.since(s.fence, func(f Fence) bool { return f.Ends(s) })
}

// doubts tells whether a call's session has to be checked anew after the
// fence. That is wider than what the fence Ends: a token that a signed-out
// device has shown no longer works for a call that names no device.
func (f Fence) doubts(s Session) bool {
	if f.Kind == FenceDevice {
		return s.Actor.App == f.App && s.Actor.User == f.User
	}
	return f.Ends(s)
}

// since tells whether no fence after head concerns something. Too many fences
// to know count as one that does.
func (k *known) since(head int64, concerns func(Fence) bool) bool {
	if head < k.from {
		return false
	}
	for i := len(k.recent) - 1; i >= 0 && k.recent[i].ID > head; i-- {
		if concerns(k.recent[i]) {
			return false
		}
	}
	return true
}

// call returns a session that every fence so far has left alone.
func (k *known) call(key callKey) (Session, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	s, ok := k.calls.get(key)
	s.fence = max(s.fence, k.applied)
	return s, ok
}

// keepCall remembers an accepted call unless a fence has come in between.
func (k *known) keepCall(key callKey, s Session) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.since(s.fence, func(f Fence) bool { return f.doubts(s) }) {
		k.calls.put(key, s)
	}
}

func (k *known) secret(kid string) (verifyKey, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.secrets.get(kid)
}

func (k *known) keepSecret(v verifyKey, head int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.since(head, func(f Fence) bool { return !f.Kind.keepsTokens() && f.App == v.app }) {
		k.secrets.put(v.kid, v)
	}
}

func (k *known) origin(key originKey) (allowed, found bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.origins.get(key)
}

func (k *known) keepOrigin(key originKey, allowed bool, head int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.since(head, func(f Fence) bool { return f.Kind == FenceSettings }) {
		k.origins.put(key, allowed)
	}
}

// keepRules remembers the rules of an app unless they have changed since they
// were read.
func (k *known) keepRules(app im.AppID, r *rules, head int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.since(head, func(f Fence) bool { return !f.Kind.keepsTokens() && f.App == app }) {
		return
	}
	if k.apps >= maxKnownApps {
		k.rules.Clear()
		k.apps = 0
	}
	if _, had := k.rules.Swap(app, r); !had {
		k.apps++
	}
}

// recall is a bounded map. It has two halves: what is used moves to the young
// half, and when that is full the old half, with all that nobody has used
// since, is dropped.
type recall[K comparable, V any] struct {
	half       int
	young, old map[K]V
}

func newRecall[K comparable, V any](max int) recall[K, V] {
	return recall[K, V]{half: max / 2, young: map[K]V{}, old: map[K]V{}}
}

func (r *recall[K, V]) get(k K) (V, bool) {
	if v, ok := r.young[k]; ok {
		return v, true
	}
	v, ok := r.old[k]
	if ok {
		r.put(k, v)
	}
	return v, ok
}

func (r *recall[K, V]) put(k K, v V) {
	if len(r.young) >= r.half {
		r.old, r.young = r.young, map[K]V{}
	}
	r.young[k] = v
}

func (r *recall[K, V]) forget(which func(V) bool) {
	for _, m := range []map[K]V{r.young, r.old} {
		for k, v := range m {
			if which(v) {
				delete(m, k)
			}
		}
	}
}
