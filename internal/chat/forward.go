package chat

import (
	"context"
	"crypto/sha256"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Bounds of a forward.
const (
	MaxMerged    = 100 // messages in a merged forward
	MaxForwarded = 20  // messages that are forwarded each by itself
)

// ForwardRequest names messages that are to go on to another conversation.
type ForwardRequest struct {
	From, To im.ConvID
	Seqs     []im.Seq
	Merged   bool
	Title    string // of a merged one
	Comment  string // a text of the actor's own behind them
	ClientID im.ClientID
}

// Forward sends messages that the actor can read to another conversation: each
// by itself, or all merged into one. The server reads the originals, so nobody
// can make up who said them. The ids of what is sent are derived from the
// request's, so that a retry sends nothing twice, goes on where the first
// attempt ended, and finds what was sent even when an original is gone since.
func (s *Service) Forward(ctx context.Context, actor im.Actor, r ForwardRequest) ([]journal.Result, error) {
	if err := s.checkForward(&r); err != nil {
		return nil, err
	}
	entries, err := s.originals(ctx, actor, &r)
	if err != nil {
		return s.forwarded(ctx, actor, &r, err)
	}
	contents, err := s.forwards(entries, &r)
	if err != nil {
		return s.forwarded(ctx, actor, &r, err)
	}
	var out []journal.Result
	for i, c := range contents {
		send := SendRequest{Conv: r.To, ClientID: derived(r.ClientID, i), Body: encodeContent(c), content: c}
		res, err := s.apply(ctx, actor, r.To, send.ClientID, func(ctx context.Context, room *Room, a *journal.Append) error {
			return s.fillSend(ctx, actor, room, &send, a)
		})
		if im.CodeOf(err) == im.ClientIDReused && slices.ContainsFunc(entries, func(e im.Entry) bool { return e.Version > 1 }) {
			// An original was edited after the first attempt: that one counts.
			return s.forwarded(ctx, actor, &r, err)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, res)
	}
	return out, nil
}

func (s *Service) checkForward(r *ForwardRequest) error {
	if err := s.checkID(r.ClientID); err != nil {
		return err
	}
	most := MaxForwarded
	if r.Merged {
		most = MaxMerged
	}
	if n := len(r.Seqs); n < 1 || n > most {
		return im.Errorf(im.InvalidArgument, "1 to %d messages are forwarded at once", most)
	}
	r.Seqs = slices.Sorted(slices.Values(r.Seqs))
	if r.Seqs[0] < 1 || len(slices.Compact(slices.Clone(r.Seqs))) != len(r.Seqs) {
		return im.Errorf(im.InvalidArgument, "seqs are different and start at 1")
	}
	if len(r.Comment) > s.limits.TextBytes {
		return im.Errorf(im.TooLarge, "a text has at most %d bytes", s.limits.TextBytes)
	}
	if r.Title != "" && !r.Merged {
		return im.Errorf(im.InvalidArgument, "a title is for merged messages")
	}
	return checkLine(r.Title, "a title", 0, maxShownName)
}

// originals reads the messages as the actor; one that they do not see, or have
// deleted for themselves, is absent.
func (s *Service) originals(ctx context.Context, actor im.Actor, r *ForwardRequest) (out []im.Entry, err error) {
	err = s.readingShown(ctx, actor, r.From, func(v journal.View, c *journal.Conv, self journal.Member, head im.Seq, hidden Hidden) error {
		out, err = readable(v, actor, c, self, head, hidden, r.Seqs)
		if err == nil && len(out) < len(r.Seqs) {
			err = im.ErrNotFound
		}
		return err
	})
	return out, err
}

// forwards makes the contents that are to be sent.
func (s *Service) forwards(entries []im.Entry, r *ForwardRequest) ([]*skeinv1.Content, error) {
	var out []*skeinv1.Content
	for i := range entries {
		c, err := passedOn(&entries[i])
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	if r.Merged {
		merged := &skeinv1.Merged{Title: r.Title, Count: uint32(len(out))} //nolint:gosec // at most 100
		for i, c := range out {
			if c.Forwarded.Sender == string(entries[i].Sender) && c.Forwarded.TimeUs == int64(entries[i].Time) {
				c.Forwarded = nil // the item says so
			}
			if inner := c.GetMerged(); inner != nil { // one level is kept, deeper ones are told of
				c.Kind = &skeinv1.Content_Merged{Merged: &skeinv1.Merged{Title: inner.Title, Count: inner.Count}}
			}
			merged.Items = append(merged.Items, &skeinv1.MergedItem{Sender: string(entries[i].Sender), TimeUs: int64(entries[i].Time), Content: c})
		}
		out = []*skeinv1.Content{{Kind: &skeinv1.Content_Merged{Merged: merged}}}
	}
	for _, c := range out {
		if n := proto.Size(c) + 8; n > s.limits.BodyBytes {
			return nil, im.Errorf(im.TooLarge, "what is forwarded has %d bytes, a body at most %d: forward fewer at once", n, s.limits.BodyBytes)
		}
	}
	if r.Comment != "" {
		out = append(out, &skeinv1.Content{Kind: &skeinv1.Content_Text{Text: &skeinv1.Text{Text: r.Comment}}})
	}
	return out, nil
}

// passedOn is what of a message goes on: what it says and who said it first,
// not what it answered and whom it called. What its sender wanted to go away,
// or to be for some alone, stays where it is.
func passedOn(e *im.Entry) (*skeinv1.Content, error) {
	switch {
	case e.Recalled, e.Expired, len(e.Body) == 0:
		return nil, im.Errorf(im.FailedPrecondition, "message %d is gone", e.Seq)
	case e.Burn != 0 || e.Expires != 0:
		return nil, im.Errorf(im.FailedPrecondition, "message %d is to go away and is not forwarded", e.Seq)
	case len(e.ToUsers) > 0 || len(e.ToDevices) > 0:
		return nil, im.Errorf(im.FailedPrecondition, "message %d is for some alone and is not forwarded", e.Seq)
	}
	var b skeinv1.Body
	if proto.Unmarshal(e.Body, &b) != nil || b.Content == nil {
		return nil, im.Errorf(im.FailedPrecondition, "the server can not read message %d: send its content yourself", e.Seq)
	}
	c := &skeinv1.Content{Kind: b.Content.Kind, Format: b.Content.Format, Forwarded: b.Content.Forwarded}
	switch k := c.Kind.(type) {
	case *skeinv1.Content_Poll: // its votes are of its conversation: what was asked goes on
		c.Kind = textKind(pollText(k.Poll))
	case *skeinv1.Content_Topic:
		c.Kind = textKind(k.Topic.GetName())
	case *skeinv1.Content_Text, *skeinv1.Content_Custom, *skeinv1.Content_Location, *skeinv1.Content_ContactCard,
		*skeinv1.Content_Sticker, *skeinv1.Content_Attachments, *skeinv1.Content_Merged:
	default: // a notice is the app's word
		return nil, im.Errorf(im.FailedPrecondition, "message %d is of a kind that is not forwarded", e.Seq)
	}
	if c.Forwarded == nil {
		c.Forwarded = &skeinv1.Forwarded{Sender: string(e.Sender), TimeUs: int64(e.Time)}
		if at := b.Content.ImportedUs; at != 0 {
			c.Forwarded.TimeUs = at
		}
	}
	return c, nil
}

func textKind(text string) *skeinv1.Content_Text {
	return &skeinv1.Content_Text{Text: &skeinv1.Text{Text: text}}
}

// pollText is a poll in words: the question, and an option a line.
func pollText(p *skeinv1.Poll) string {
	var b strings.Builder
	b.WriteString(p.GetQuestion())
	for _, o := range p.GetOptions() {
		b.WriteString("\n• " + o.GetText())
	}
	return b.String()
}

// forwarded finds what an earlier attempt has sent, or returns why.
func (s *Service) forwarded(ctx context.Context, actor im.Actor, r *ForwardRequest, why error) ([]journal.Result, error) {
	var out []journal.Result
	for i := 0; i <= MaxForwarded; i++ {
		a := &journal.Append{App: actor.App, Conv: r.To, Sender: actor.User, ClientID: derived(r.ClientID, i), Kind: im.KindMessage}
		res, ok := s.repeated(ctx, a)
		if !ok || i == 0 && !res.Entry.Recalled && !isForward(res.Entry.Body) {
			break
		}
		out = append(out, res)
	}
	if len(out) == 0 {
		return nil, why
	}
	return out, nil
}

// derived is the id of the n-th message of a forward: the same for a retry,
// and of the same time.
func derived(id im.ClientID, n int) im.ClientID {
	if n == 0 {
		return id
	}
	sum := sha256.Sum256([]byte("skein forward " + string(id[:]) + strconv.Itoa(n)))
	out := id
	copy(out[6:], sum[:])
	out[6] = out[6]&0x0f | 0x70
	out[8] = out[8]&0x3f | 0x80
	return out
}
