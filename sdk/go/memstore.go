package skein

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
)

// MemoryStore is a Store that ends with the process. A second client on the
// same MemoryStore starts where the first one was closed, as tests of restarts
// need it.
type MemoryStore struct {
	mu       sync.RWMutex // guards the rest
	meta     Meta
	convs    map[string][]byte
	messages map[string]*memoryLog
	items    map[string]SavedItem
}

// memoryLog is the messages of one conversation, ascending by seq.
type memoryLog struct{ rows []SavedMessage }

var _ Store = (*MemoryStore)(nil)

// NewMemoryStore returns an empty store.
func NewMemoryStore() *MemoryStore {
	return &MemoryStore{convs: map[string][]byte{}, messages: map[string]*memoryLog{}, items: map[string]SavedItem{}}
}

// Load implements Store.
func (s *MemoryStore) Load(context.Context) (Saved, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := Saved{Meta: s.meta}
	for _, id := range slices.Sorted(maps.Keys(s.convs)) {
		out.Conversations = append(out.Conversations, SavedConversation{ID: id, Data: s.convs[id]})
	}
	out.Outbox = slices.SortedFunc(maps.Values(s.items), func(a, b SavedItem) int { return cmp.Compare(a.Order, b.Order) })
	return out, nil
}

// Apply implements Store.
func (s *MemoryStore) Apply(_ context.Context, b Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range b.Removed {
		delete(s.convs, id)
		delete(s.messages, id)
	}
	for _, c := range b.Cleared {
		if log := s.messages[c.Conversation]; log != nil {
			i, j := log.index(c.From), log.index(c.To+1)
			log.rows = slices.Delete(log.rows, i, j)
		}
	}
	for _, c := range b.Conversations {
		s.convs[c.ID] = bytes.Clone(c.Data)
	}
	for _, m := range b.Messages {
		log := s.messages[m.Conversation]
		if log == nil {
			log = &memoryLog{}
			s.messages[m.Conversation] = log
		}
		i := log.index(m.Seq)
		if i < len(log.rows) && log.rows[i].Seq == m.Seq {
			log.rows[i] = m
		} else {
			log.rows = slices.Insert(log.rows, i, m)
		}
	}
	for _, it := range b.Items {
		s.items[it.ID] = it
	}
	for _, id := range b.Dropped {
		delete(s.items, id)
	}
	if b.Meta != nil {
		s.meta = *b.Meta
	}
	return nil
}

// index returns where seq is, or would be.
func (l *memoryLog) index(seq uint64) int {
	i, _ := slices.BinarySearchFunc(l.rows, seq, func(m SavedMessage, seq uint64) int { return cmp.Compare(m.Seq, seq) })
	return i
}

// Messages implements Store.
func (s *MemoryStore) Messages(_ context.Context, conversation string, from, to uint64, limit int, newest bool) ([]SavedMessage, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	log := s.messages[conversation]
	if log == nil || to < from {
		return nil, nil
	}
	rows := log.rows[log.index(from):log.index(to+1)]
	if len(rows) > limit {
		if newest {
			rows = rows[len(rows)-limit:]
		} else {
			rows = rows[:limit]
		}
	}
	return slices.Clone(rows), nil
}

// Search implements Store.
func (s *MemoryStore) Search(_ context.Context, text, conversation string, limit int) ([]SavedMessage, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []SavedMessage
	for id, log := range s.messages {
		if conversation != "" && id != conversation {
			continue
		}
		for _, m := range log.rows {
			if m.Text != "" && strings.Contains(m.Text, text) {
				out = append(out, m)
			}
		}
	}
	slices.SortFunc(out, func(a, b SavedMessage) int {
		return cmp.Or(cmp.Compare(b.TimeUS, a.TimeUS), cmp.Compare(a.Conversation, b.Conversation), cmp.Compare(b.Seq, a.Seq))
	})
	return out[:min(limit, len(out))], nil
}
