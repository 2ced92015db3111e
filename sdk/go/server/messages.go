package server

import (
	"context"
	"iter"
	"slices"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Text is the body of a message that is a text.
func Text(words string) *skeinv1.Body {
	return &skeinv1.Body{Scheme: skeinv1.BodyScheme_BODY_SCHEME_CONTENT,
		Content: &skeinv1.Content{Kind: &skeinv1.Content_Text{Text: &skeinv1.Text{Text: words}}}}
}

// Send sends a message as the user whom it names as sender, by that user's
// rules, or as the app itself when it names none.
func (c *Client) Send(ctx context.Context, r *skeinv1.SendMessageRequest) (*skeinv1.Entry, error) {
	res, err := call(ctx, c, c.messages.SendMessage, r)
	return res.GetEntry(), err
}

// EditMessage replaces the body of a message that the app itself has sent.
// PermissionDenied for somebody else's.
func (c *Client) EditMessage(ctx context.Context, r *skeinv1.EditMessageRequest) (*skeinv1.Entry, error) {
	res, err := call(ctx, c, c.messages.EditMessage, r)
	return res.GetEntry(), err
}

// RecallMessage empties a message for everybody, whoever sent it and however old
// it is.
func (c *Client) RecallMessage(ctx context.Context, r *skeinv1.RecallMessageRequest) (*skeinv1.Entry, error) {
	res, err := call(ctx, c, c.messages.RecallMessage, r)
	return res.GetEntry(), err
}

// ReactToMessage adds a reaction of the app's, or takes it back.
func (c *Client) ReactToMessage(ctx context.Context, r *skeinv1.ReactToMessageRequest) (*skeinv1.Entry, error) {
	res, err := call(ctx, c, c.messages.ReactToMessage, r)
	return res.GetEntry(), err
}

// ForwardMessages sends messages on, as the app itself, each by itself or all merged
// into one. It returns what was sent, in order.
func (c *Client) ForwardMessages(ctx context.Context, r *skeinv1.ForwardMessagesRequest) ([]*skeinv1.Entry, error) {
	res, err := call(ctx, c, c.forwards.ForwardMessages, r)
	return res.GetEntries(), err
}

// History returns a conversation's messages before a position, newest first,
// each with its newest body and its reactions; before 0 it begins with the
// newest. Export has what this leaves out.
func (c *Client) History(ctx context.Context, conversation string, before uint64) iter.Seq2[*skeinv1.HistoryItem, error] {
	return func(yield func(*skeinv1.HistoryItem, error) bool) {
		for before := before; ; {
			res, err := call(ctx, c, c.messages.ListMessages, &skeinv1.ListMessagesRequest{Conversation: conversation, BeforeSeq: before, Limit: 200})
			if err != nil {
				yield(nil, err)
				return
			}
			for _, it := range slices.Backward(res.Items) {
				if !yield(it, nil) {
					return
				}
			}
			if res.AtStart || res.FromSeq == 0 {
				return
			}
			before = res.FromSeq
		}
	}
}

// Edits returns every body that a message has had, oldest first.
func (c *Client) Edits(ctx context.Context, conversation string, seq uint64) ([]*skeinv1.Revision, error) {
	res, err := call(ctx, c, c.messages.ListEdits, &skeinv1.ListEditsRequest{Conversation: conversation, Seq: seq})
	return res.GetRevisions(), err
}

// Receipts tells how far a message has come with each member, by user id.
func (c *Client) Receipts(ctx context.Context, conversation string, seq uint64) iter.Seq2[*skeinv1.Receipt, error] {
	return pages(func(page string) ([]*skeinv1.Receipt, string, error) {
		res, err := call(ctx, c, c.receipts.ListReceipts, &skeinv1.ListReceiptsRequest{Conversation: conversation, Seq: seq, Limit: 200, Page: page})
		return res.GetReceipts(), res.GetNextPage(), err
	})
}

// ClosePoll ends a poll.
func (c *Client) ClosePoll(ctx context.Context, r *skeinv1.ClosePollRequest) (*skeinv1.Entry, error) {
	res, err := call(ctx, c, c.polls.ClosePoll, r)
	return res.GetEntry(), err
}

// PinMessage pins a message; a conversation has 100 pins at most. The entry is
// nil when it was pinned already.
func (c *Client) PinMessage(ctx context.Context, r *skeinv1.PinMessageRequest) (*skeinv1.Entry, error) {
	res, err := call(ctx, c, c.pins.PinMessage, r)
	return res.GetEntry(), err
}

// UnpinMessage takes a pin down. The entry is nil when there was none.
func (c *Client) UnpinMessage(ctx context.Context, r *skeinv1.UnpinMessageRequest) (*skeinv1.Entry, error) {
	res, err := call(ctx, c, c.pins.UnpinMessage, r)
	return res.GetEntry(), err
}

// Pins returns a conversation's pinned messages, the newest pin first.
func (c *Client) Pins(ctx context.Context, conversation string) ([]*skeinv1.PinnedMessage, error) {
	res, err := call(ctx, c, c.pins.ListPins, &skeinv1.ListPinsRequest{Conversation: conversation})
	return res.GetPins(), err
}

// SetExtension attaches a value to a message under a key, or takes it away.
func (c *Client) SetExtension(ctx context.Context, r *skeinv1.SetExtensionRequest) (*skeinv1.Entry, error) {
	res, err := call(ctx, c, c.extensions.SetExtension, r)
	return res.GetEntry(), err
}

// Extensions returns what is attached to a message, by key.
func (c *Client) Extensions(ctx context.Context, conversation string, seq uint64) ([]*skeinv1.Extension, error) {
	res, err := call(ctx, c, c.extensions.ListExtensions, &skeinv1.ListExtensionsRequest{Conversation: conversation, Seq: seq})
	return res.GetExtensions(), err
}
