package skein

import (
	"context"
	"slices"
	"time"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// SearchKind is what a message is, as far as one searches for it.
type SearchKind string

// The kinds that a search can ask for.
const (
	SearchText       SearchKind = "text"
	SearchAttachment SearchKind = "attachment" // files of any kind
	SearchLink       SearchKind = "link"
	SearchLocation   SearchKind = "location"
	SearchCard       SearchKind = "card"
	SearchPoll       SearchKind = "poll"
	SearchOther      SearchKind = "other"
	SearchMedia      SearchKind = "media" // pictures and films
	SearchFile       SearchKind = "file"  // files that are neither media nor voice
	SearchVoice      SearchKind = "voice" // what was spoken, and other sounds
)

// searchKinds are the wire's names, by number.
func searchKinds() []SearchKind {
	return []SearchKind{"", SearchText, SearchAttachment, SearchLink, SearchLocation, SearchCard, SearchPoll, SearchOther,
		SearchMedia, SearchFile, SearchVoice}
}

// MessageQuery is a search on the server.
type MessageQuery struct {
	// Text: every word of it has to be in a message; the last may be the
	// beginning of one. At most 256 bytes and 16 words. Empty = all that the
	// filters let through.
	Text string
	// Conversation narrows it to one; nil = all of the user's.
	Conversation *Conversation
	// Sender narrows it to one user's messages.
	Sender string
	// Kind narrows it to messages of one kind; "" = of any.
	Kind SearchKind
	// After and Before bound the time; zero = unbounded.
	After, Before time.Time
	// Limit is 1 to 50; 0 = 20.
	Limit int
	// Page is FoundMessages.NextPage of the answer before.
	Page string
}

// FoundMessage is a message that the server found.
type FoundMessage struct {
	// Conversation is its id; Client.Conversation opens it.
	Conversation string
	Seq          uint64
	// Thread is the root of the thread or topic that it is a reply in; 0 for
	// what stands in the conversation itself.
	Thread uint64
	Sender string
	Time   time.Time
	// Excerpt is what it says around the first hit, in pieces.
	Excerpt []ExcerptPiece
}

// ExcerptPiece is a stretch of an excerpt; Hit tells that the query asked for it.
type ExcerptPiece struct {
	Text string
	Hit  bool
}

// FoundMessages is a page of what was found, newest first.
type FoundMessages struct {
	Messages []FoundMessage
	// NextPage is empty when there is no more.
	NextPage string
}

// SearchMessages finds messages on the server: in everything that the user may
// read at this moment, not only what this device holds (see Search). A message
// is found some moments after it was stored, with its newest text. Errors:
// InvalidArgument, RateLimited.
func (c *Client) SearchMessages(ctx context.Context, q MessageQuery) (FoundMessages, error) {
	req := &skeinv1.SearchMessagesRequest{Query: q.Text, Sender: q.Sender, Page: q.Page}
	if q.Limit < 0 || q.Limit > 50 {
		return FoundMessages{}, errorf(InvalidArgument, nil, "limit is 1 to 50")
	}
	req.Limit = uint32(q.Limit)
	if q.Conversation != nil {
		req.Conversation = q.Conversation.ID()
	}
	kind := slices.Index(searchKinds(), q.Kind)
	if kind < 0 {
		return FoundMessages{}, errorf(InvalidArgument, nil, "kind is not known")
	}
	req.Kind = skeinv1.SearchKind(kind)
	if !q.After.IsZero() {
		req.AfterUs = q.After.UnixMicro()
	}
	if !q.Before.IsZero() {
		req.BeforeUs = q.Before.UnixMicro()
	}
	res := &skeinv1.SearchMessagesResponse{}
	if err := c.rpc(ctx, "SearchService/SearchMessages", req, res); err != nil {
		return FoundMessages{}, err
	}
	out := FoundMessages{NextPage: res.GetNextPage()}
	for _, h := range res.GetHits() {
		e := h.GetEntry()
		m := FoundMessage{Conversation: e.GetConversation(), Seq: e.GetSeq(), Thread: e.GetTargetSeq(), Sender: e.GetSender(), Time: time.UnixMicro(e.GetTimeUs())}
		for _, p := range h.GetExcerpt() {
			m.Excerpt = append(m.Excerpt, ExcerptPiece{Text: p.GetText(), Hit: p.GetHit()})
		}
		out.Messages = append(out.Messages, m)
	}
	return out, nil
}
