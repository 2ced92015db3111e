package skein

import (
	"context"
	"iter"

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
