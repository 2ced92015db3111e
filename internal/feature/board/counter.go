package board

import (
	"cmp"
	"context"
	"slices"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

func counterContent(c *skeinv1.GroupCounter) *skeinv1.Content {
	return &skeinv1.Content{Kind: &skeinv1.Content_Counter{Counter: c}}
}

// counted returns the counter of a name, or nil.
func counted(items []item, name string) *item {
	for i := range items {
		if c := items[i].content.GetCounter(); c.GetName() == name && !c.GetRemoved() {
			return &items[i]
		}
	}
	return nil
}

// IncrementCounter answers skein.v1.BoardService.IncrementCounter.
func (s *Service) IncrementCounter(ctx context.Context, a im.Actor, r *skeinv1.IncrementCounterRequest) (*skeinv1.IncrementCounterResponse, error) {
	if err := checkLine("name", r.Name, MaxName); err != nil {
		return nil, err
	}
	sh := counters()
	var value int64
	res, err := s.change(ctx, a, im.ConvID(r.Conversation), r.ClientId, sh, func(items []item) (chat.Keyed, error) {
		i := counted(items, r.Name)
		was := i.value()
		var err error
		if value, err = add(was, r); err != nil {
			return chat.Keyed{}, err
		}
		made := &skeinv1.GroupCounter{Name: r.Name, Value: value, Delta: r.Delta}
		made.Editor, made.UpdatedUs = s.stamp(a)
		next := counterContent(made)
		if i != nil {
			return sh.put(i.key, i.entry.Seq, false, next), nil
		}
		key, newest, err := sh.free(items)
		return sh.put(key, newest, true, next), err
	})
	if err != nil {
		return nil, err
	}
	if res.Duplicate {
		items, err := s.list(ctx, a, im.ConvID(r.Conversation), sh)
		return &skeinv1.IncrementCounterResponse{Value: counted(items, r.Name).value()}, err
	}
	return &skeinv1.IncrementCounterResponse{Value: value}, nil
}

// value is a counter's value, 0 for one that is not there.
func (i *item) value() int64 {
	if i == nil {
		return 0
	}
	return i.content.GetCounter().GetValue()
}

// add is the value after a change, within its bounds and 64 bits.
func add(was int64, r *skeinv1.IncrementCounterRequest) (int64, error) {
	value := was + r.Delta
	if over := r.Delta > 0 && value < was || r.Delta < 0 && value > was; over {
		return 0, im.Errorf(im.FailedPrecondition, "the counter would leave 64 bits")
	}
	if r.Min != nil && value < r.Min.Value || r.Max != nil && value > r.Max.Value {
		return 0, im.Errorf(im.FailedPrecondition, "the counter would pass its bound")
	}
	return value, nil
}

// RemoveCounter answers skein.v1.BoardService.RemoveCounter.
func (s *Service) RemoveCounter(ctx context.Context, a im.Actor, r *skeinv1.RemoveCounterRequest) (*skeinv1.RemoveCounterResponse, error) {
	sh := counters()
	_, err := s.change(ctx, a, im.ConvID(r.Conversation), r.ClientId, sh, func(items []item) (chat.Keyed, error) {
		i := counted(items, r.Name)
		if i == nil {
			return chat.Keyed{}, im.ErrNotFound
		}
		gone := &skeinv1.GroupCounter{Name: r.Name, Removed: true}
		gone.Editor, gone.UpdatedUs = s.stamp(a)
		return sh.put(i.key, i.entry.Seq, false, counterContent(gone)), nil
	})
	return &skeinv1.RemoveCounterResponse{}, err
}

// ListCounters answers skein.v1.BoardService.ListCounters.
func (s *Service) ListCounters(ctx context.Context, a im.Actor, r *skeinv1.ListCountersRequest) (*skeinv1.ListCountersResponse, error) {
	items, err := s.list(ctx, a, im.ConvID(r.Conversation), counters())
	if err != nil {
		return nil, err
	}
	out := &skeinv1.ListCountersResponse{}
	for i := range items {
		out.Counters = append(out.Counters, items[i].content.GetCounter())
	}
	slices.SortFunc(out.Counters, func(a, b *skeinv1.GroupCounter) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}
