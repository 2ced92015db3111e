package wire_test

import (
	"google.golang.org/protobuf/proto"

	pb "github.com/skein-im/skein/proto/skein/v1"
)

func receiptRows() []row {
	return []row{
		{verb: "ReceiptService/ListReceipts", cells: outside + `
			ok muted member bot admin owner app`,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.ListReceiptsRequest{Conversation: f.group, Seq: f.own[member]}
			}},
	}
}
