package server

import (
	"context"
	"iter"

	"google.golang.org/protobuf/proto"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
	skein "github.com/skein-im/skein/sdk/go"
)

// Export returns every entry of a conversation behind a position, oldest first,
// as it is now; after 0 it begins with the first. To go on later, keep the last
// one's seq. FailedPrecondition when the store becomes another one on the way, or
// ends before the position, as one restored from a backup can: begin again.
func (c *Client) Export(ctx context.Context, conversation string, after uint64) iter.Seq2[*skeinv1.Entry, error] {
	return func(yield func(*skeinv1.Entry, error) bool) {
		incarnation := ""
		for after := after; ; {
			res, err := c.ExportMessages(ctx, &skeinv1.ExportMessagesRequest{Conversation: conversation, AfterSeq: after})
			if err == nil && (incarnation != "" && incarnation != res.Incarnation || after > res.HeadSeq) {
				err = &skein.Error{Code: skein.FailedPrecondition, Message: "the store is another one than when the export began", Hint: "begin again"}
			}
			if err != nil {
				yield(nil, err)
				return
			}
			incarnation = res.Incarnation
			for _, e := range res.Entries {
				if !yield(e, nil) {
					return
				}
				after = e.Seq
			}
			if len(res.Entries) == 0 || after >= res.HeadSeq {
				return
			}
		}
	}
}

// ExportMessages returns one page of an export.
func (c *Client) ExportMessages(ctx context.Context, r *skeinv1.ExportMessagesRequest) (*skeinv1.ExportMessagesResponse, error) {
	return call(ctx, c, c.archive.ExportMessages, r)
}

const (
	importMessages = 500       // of a call
	importBytes    = 192 << 10 // of a call's messages, below the server's bound of a request
)

// Import brings messages of another system into a conversation, in their
// order, as many a call as it takes, and returns how many it has brought. It
// ends with the first error, of the messages or of a call. The import id is
// made once, by NewID, and kept: with it an import that broke off is begun
// again anywhere, and stores nothing twice.
func (c *Client) Import(ctx context.Context, conversation string, importID []byte, messages iter.Seq2[*skeinv1.ImportedMessage, error]) (brought int, err error) {
	var batch []*skeinv1.ImportedMessage
	size := 0
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		seqs, err := c.ImportMessages(ctx, &skeinv1.ImportMessagesRequest{Conversation: conversation, ImportId: importID, Messages: batch})
		brought += len(seqs)
		batch, size = nil, 0
		return err
	}
	for m, err := range messages {
		if err != nil {
			return brought, err
		}
		n := proto.Size(m)
		if len(batch) == importMessages || size+n > importBytes {
			if err := flush(); err != nil {
				return brought, err
			}
		}
		batch, size = append(batch, m), size+n
	}
	return brought, flush()
}

// ImportMessages brings one call's messages, at most 500, and returns where
// each of them is. All are checked before the first is stored.
func (c *Client) ImportMessages(ctx context.Context, r *skeinv1.ImportMessagesRequest) ([]uint64, error) {
	res, err := call(ctx, c, c.archive.ImportMessages, r)
	return res.GetSeqs(), err
}
