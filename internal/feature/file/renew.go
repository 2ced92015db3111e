package file

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/skein-im/skein/internal/db"
)

// claims are what this node holds, renewed together: a transaction each, and as
// many as there are uploads, would keep the database from what cannot wait,
// such as the node's own lease, when its disk is slow.
type claims struct {
	mu   sync.Mutex // guards what follows
	held map[*claim]bool
	stop context.CancelFunc // of the renewals; nil while there are no claims
}

// add has a claim renewed until it is removed.
func (h *claims) add(c *claim) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.held == nil {
		h.held = map[*claim]bool{}
	}
	h.held[c] = true
	if h.stop == nil {
		var ctx context.Context
		ctx, h.stop = context.WithCancel(context.Background())
		go h.renew(ctx, c.s)
	}
}

func (h *claims) remove(c *claim) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.held, c)
	if len(h.held) == 0 && h.stop != nil {
		h.stop()
		h.stop = nil
	}
}

// list returns them in the order of their rows, in which every node locks them.
func (h *claims) list() []*claim {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.SortedFunc(maps.Keys(h.held), func(a, b *claim) int { return cmp.Compare(a.upload.id, b.upload.id) })
}

// renewed is how many are renewed in one transaction.
const renewed = 100

// renew renews what is held until ctx ends.
func (h *claims) renew(ctx context.Context, s *Service) {
	tick := time.NewTicker(renewal)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for some := range slices.Chunk(h.list(), renewed) {
			s.renew(ctx, some)
		}
	}
}

// renew renews some claims. What goes wrong is tried again, until they end by
// themselves.
func (s *Service) renew(ctx context.Context, some []*claim) {
	ctx, cancel := context.WithTimeout(ctx, answer)
	defer cancel()
	var began time.Time
	var lost []*claim
	err := s.d.DB.Write(ctx, func(tx db.Tx) error {
		began, lost = s.d.Clock.Now(), lost[:0]
		for _, c := range some {
			if err := c.set(tx, "held = $4", nil); errors.Is(err, errLost) {
				lost = append(lost, c)
			} else if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return
	}
	for _, c := range some {
		switch {
		case slices.Contains(lost, c):
			c.cancel()
		case c.ctx.Err() == nil:
			c.extend(began)
		}
	}
}
