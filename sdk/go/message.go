package skein

import "encoding/hex"

// MessageState is how far a message of the user's own is.
type MessageState string

// The states of a message. Everything that came from the server is Sent.
const (
	Sending MessageState = "sending" // in the outbox; will be sent until it is answered
	Sent    MessageState = "sent"    // in the log
	Failed  MessageState = "failed"  // refused for good; the user may retry or discard it
)

// idText returns a client id's usual 8-4-4-4-12 form, or "" when it is none.
func idText(b []byte) string {
	if len(b) != 16 {
		return ""
	}
	var s [36]byte
	hex.Encode(s[0:8], b[0:4])
	hex.Encode(s[9:13], b[4:6])
	hex.Encode(s[14:18], b[6:8])
	hex.Encode(s[19:23], b[8:10])
	hex.Encode(s[24:36], b[10:16])
	s[8], s[13], s[18], s[23] = '-', '-', '-', '-'
	return string(s[:])
}

// idBytes is the inverse of idText; nil when the text is no id.
func idBytes(s string) []byte {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return nil
	}
	b, err := hex.DecodeString(s[0:8] + s[9:13] + s[14:18] + s[19:23] + s[24:36])
	if err != nil {
		return nil
	}
	return b
}
