package server

import (
	"context"
	"iter"
	"slices"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Thread returns the replies below a message, newest first.
func (c *Client) Thread(ctx context.Context, conversation string, root uint64) iter.Seq2[*skeinv1.HistoryItem, error] {
	return func(yield func(*skeinv1.HistoryItem, error) bool) {
		for before := uint64(0); ; {
			res, err := call(ctx, c, c.threads.ListThread, &skeinv1.ListThreadRequest{Conversation: conversation, RootSeq: root, BeforeSeq: before, Limit: 200})
			if err != nil {
				yield(nil, err)
				return
			}
			for _, it := range slices.Backward(res.Items) {
				if !yield(it, nil) {
					return
				}
			}
			if res.AtStart || len(res.Items) == 0 {
				return
			}
			before = res.Items[0].GetEntry().GetSeq()
		}
	}
}

// Threads returns the messages of a conversation that have replies, the thread
// with the newest reply first.
func (c *Client) Threads(ctx context.Context, conversation string) iter.Seq2[*skeinv1.HistoryItem, error] {
	return positions(func(before uint64) ([]*skeinv1.HistoryItem, uint64, error) {
		res, err := call(ctx, c, c.threads.ListThreads, &skeinv1.ListThreadsRequest{Conversation: conversation, BeforeSeq: before, Limit: 100})
		return res.GetRoots(), res.GetNextBeforeSeq(), err
	})
}

// CreateTopic opens a topic in a community. The seq of its entry names it in every
// other call.
func (c *Client) CreateTopic(ctx context.Context, r *skeinv1.CreateTopicRequest) (*skeinv1.Entry, error) {
	res, err := call(ctx, c, c.threads.CreateTopic, r)
	return res.GetEntry(), err
}

// UpdateTopic changes a topic's name and icon.
func (c *Client) UpdateTopic(ctx context.Context, r *skeinv1.UpdateTopicRequest) (*skeinv1.Entry, error) {
	res, err := call(ctx, c, c.threads.UpdateTopic, r)
	return res.GetEntry(), err
}

// CloseTopic lets nobody write into a topic any more, or opens it again.
func (c *Client) CloseTopic(ctx context.Context, r *skeinv1.CloseTopicRequest) (*skeinv1.Entry, error) {
	res, err := call(ctx, c, c.threads.CloseTopic, r)
	return res.GetEntry(), err
}

// Topics returns the topics of a community, oldest first.
func (c *Client) Topics(ctx context.Context, conversation string) iter.Seq2[*skeinv1.HistoryItem, error] {
	return positions(func(after uint64) ([]*skeinv1.HistoryItem, uint64, error) {
		res, err := call(ctx, c, c.threads.ListTopics, &skeinv1.ListTopicsRequest{Conversation: conversation, AfterSeq: after, Limit: 200})
		return res.GetTopics(), res.GetNextAfterSeq(), err
	})
}

// positions is a list whose pages are named by positions; fetch returns the
// next one, 0 when there is none.
func positions(fetch func(seq uint64) ([]*skeinv1.HistoryItem, uint64, error)) iter.Seq2[*skeinv1.HistoryItem, error] {
	return func(yield func(*skeinv1.HistoryItem, error) bool) {
		for seq := uint64(0); ; {
			items, next, err := fetch(seq)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, it := range items {
				if !yield(it, nil) {
					return
				}
			}
			if seq = next; seq == 0 {
				return
			}
		}
	}
}
