package rpc

import (
	"net/http"

	"github.com/skein-im/skein/proto/skein/v1/skeinv1connect"
)

func (s *server) receiptCalls(t map[string]http.Handler) {
	at(t, s, skeinv1connect.ReceiptServiceListReceiptsProcedure, s.Verbs.Chat.Receipts)
}
