package skein

import "context"

// Store keeps what a client knows across restarts: one user of one app at one
// endpoint. The client writes from one goroutine and reads from several.
//
// What is stored is encoded by the SDK; a store keeps bytes and finds them by
// their keys. It must not change or keep a slice that it was given or gave.
type Store interface {
	// Load returns everything but the messages. An empty store returns the
	// zero Saved.
	Load(ctx context.Context) (Saved, error)
	// Apply writes a batch wholly or not at all: removals of conversations
	// first, then clearings, then what is to be put. It returns after the
	// batch would survive a crash of the process.
	Apply(ctx context.Context, b Batch) error
	// Messages returns up to limit messages of a conversation with
	// from <= seq <= to, ascending: the first ones of that range, or with
	// newest the last ones.
	Messages(ctx context.Context, conversation string, from, to uint64, limit int, newest bool) ([]SavedMessage, error)
	// Search returns up to limit messages whose Text contains the given
	// lower-case text, newest first, of one conversation or, with "", of all.
	Search(ctx context.Context, text, conversation string, limit int) ([]SavedMessage, error)
}

// Saved is what a store returns at the start.
type Saved struct {
	Meta          Meta
	Conversations []SavedConversation
	Outbox        []SavedItem // ascending by Order
}

// Meta says whose data a store holds and how far it is.
type Meta struct {
	Endpoint, App, User, Device string
	Incarnation                 string
	Cursor                      []byte
}

// SavedConversation is a conversation without its messages.
type SavedConversation struct {
	ID   string
	Data []byte
}

// SavedMessage is one message.
type SavedMessage struct {
	Conversation string
	Seq          uint64
	TimeUS       int64
	// Text is what Search looks at, in lower case; empty for what can not be
	// read.
	Text string
	Data []byte
}

// SavedItem is one item of the outbox.
type SavedItem struct {
	ID    string
	Order int64
	Data  []byte
}

// Clearing is a range of positions that hold no messages, those apart that
// the same batch puts.
type Clearing struct {
	Conversation string
	From, To     uint64 // inclusive
}

// Batch is one transaction.
type Batch struct {
	Meta          *Meta // nil: unchanged
	Removed       []string
	Cleared       []Clearing
	Conversations []SavedConversation
	Messages      []SavedMessage
	Items         []SavedItem
	Dropped       []string // ids of items
}
