package skein

import (
	"context"
	"iter"
	"slices"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// ReceiptState is how far a message has come with a member.
type ReceiptState string

// The states of a receipt.
const (
	ReceiptNone      ReceiptState = "none"      // no device of theirs is known to have it
	ReceiptDelivered ReceiptState = "delivered" // a device of theirs has stored it
	ReceiptRead      ReceiptState = "read"      // they have read up to it
)

// Receipt is how far a message has come with one member.
type Receipt struct {
	User  string
	State ReceiptState
}

// Receipts reads, from the server and by user id, how far a message has come
// with those who are members now and were when it was sent, its sender aside;
// with states only those who are so far. What a device has acknowledged in the
// last seconds may be missing.
//
// Errors: NotFound.
func (v *Conversation) Receipts(ctx context.Context, m Message, state ...ReceiptState) iter.Seq2[Receipt, error] {
	return func(yield func(Receipt, error) bool) {
		id, err := v.key()
		if len(state) == 0 {
			state = []ReceiptState{""}
		}
		for _, want := range state {
			for page := ""; err == nil; {
				var resp skeinv1.ListReceiptsResponse
				err = v.c.rpc(ctx, "ReceiptService/ListReceipts", &skeinv1.ListReceiptsRequest{Conversation: id, Seq: m.Seq, State: want.wire(), Limit: 200, Page: page}, &resp)
				for _, r := range resp.GetReceipts() {
					if !yield(Receipt{r.GetUser(), receiptStateOf(r.GetState())}, nil) {
						return
					}
				}
				if page = resp.GetNextPage(); page == "" {
					break
				}
			}
		}
		if err != nil {
			yield(Receipt{}, err)
		}
	}
}

// DeliveredSeq returns up to which position of a direct conversation a device
// of the other user is known to have it: what the server told since the start
// of this client, and what they have read, which includes what they have
// written. It grows by itself, told by OnConversation, some seconds after a
// message has reached a device. See AskDelivered for what was missed.
func (v *Conversation) DeliveredSeq() (seq uint64) {
	v.look(func(cv *conv) {
		if cv.kind != skeinv1.ConversationKind_CONVERSATION_KIND_DIRECT {
			return
		}
		seq = cv.stored
		for _, p := range cv.markers {
			seq = max(seq, p.seq)
		}
	})
	return seq
}

// AskDelivered asks the server how far the newest 50 messages here have come,
// for DeliveredSeq: when a direct conversation is opened, and after the
// connection was lost. Where that is known already, and in other conversations,
// it does nothing.
//
// Errors: Unavailable, NotFound, Storage.
func (v *Conversation) AskDelivered(ctx context.Context) error {
	if v.Kind() != Direct {
		return nil
	}
	list, err := v.Messages(ctx, 50)
	if err != nil {
		return err
	}
	known := v.DeliveredSeq()
	list = slices.DeleteFunc(list, func(m Message) bool { return m.Sender != v.c.UserID() || m.State != Sent || m.Seq <= known })
	// The newest first; where it has not arrived, the newest that has is
	// searched by halves.
	arrived, missing := -1, len(list)
	for at := missing - 1; arrived < missing-1; at = (arrived + missing) / 2 {
		user, err := v.arrivedWith(ctx, list[at])
		if err != nil {
			return err
		}
		if user == "" {
			missing = at
			continue
		}
		arrived = at
		m := list[at]
		if err := v.c.do(ctx, func() { v.c.wasDelivered(&skeinv1.Delivered{Conversation: m.Conversation, User: user, Seq: m.Seq}) }); err != nil {
			return err
		}
	}
	return nil
}

// arrivedWith returns who has a message, "" for nobody.
func (v *Conversation) arrivedWith(ctx context.Context, m Message) (user string, err error) {
	for r, err := range v.Receipts(ctx, m) {
		if err != nil {
			return "", err
		}
		if r.State != ReceiptNone {
			user = r.User
		}
	}
	return user, nil
}

// wasDelivered takes how far a device of the other user has a conversation. It
// runs on the loop.
func (c *Client) wasDelivered(d *skeinv1.Delivered) {
	id := d.GetConversation()
	cv := c.st.convs[id]
	if cv == nil || directPeer(id, c.st.user) != d.GetUser() || d.GetSeq() <= cv.stored {
		return
	}
	c.mu.Lock()
	cv.stored = d.GetSeq()
	c.mu.Unlock()
	emit(c, &c.on.conversation, ConversationEvent{Conversation: c.Conversation(id)})
}

func (s ReceiptState) wire() skeinv1.ReceiptState {
	switch s {
	case ReceiptNone:
		return skeinv1.ReceiptState_RECEIPT_STATE_NONE
	case ReceiptDelivered:
		return skeinv1.ReceiptState_RECEIPT_STATE_DELIVERED
	case ReceiptRead:
		return skeinv1.ReceiptState_RECEIPT_STATE_READ
	}
	return skeinv1.ReceiptState_RECEIPT_STATE_UNSPECIFIED
}

func receiptStateOf(s skeinv1.ReceiptState) ReceiptState {
	switch s {
	case skeinv1.ReceiptState_RECEIPT_STATE_DELIVERED:
		return ReceiptDelivered
	case skeinv1.ReceiptState_RECEIPT_STATE_READ:
		return ReceiptRead
	}
	return ReceiptNone
}
