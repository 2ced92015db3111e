package script

import (
	"context"
	"encoding/json"
)

// Driver is one device: an SDK's client and its store. Both SDKs are driven
// by the same commands and show the same view.
type Driver interface {
	// Do runs a command and returns its result as JSON. A failure of the SDK is
	// a *Failure; any other error is one of the test.
	Do(ctx context.Context, c Command) (json.RawMessage, error)
	// View returns what the device shows now.
	View(ctx context.Context) (View, error)
	// Changed receives something after each change of the view.
	Changed() <-chan struct{}
	// Close ends the device for good.
	Close()
}

// Command is one call of an SDK's public API. Fields that a verb does not
// need are empty.
type Command struct {
	Verb         string   `json:"verb"`
	Conversation string   `json:"conversation,omitempty"`
	Message      string   `json:"message,omitempty"` // client id
	Text         string   `json:"text,omitempty"`
	Type         string   `json:"type,omitempty"` // of a custom message
	ReplyTo      string   `json:"replyTo,omitempty"`
	Mentions     []string `json:"mentions,omitempty"`
	Users        []string `json:"users,omitempty"`
	Role         string   `json:"role,omitempty"`
	Title        string   `json:"title,omitempty"`
	Emoji        string   `json:"emoji,omitempty"`
	Remove       bool     `json:"remove,omitempty"`
	Device       string   `json:"device,omitempty"`
	Limit        int      `json:"limit,omitempty"`
	// Data is what a domain's verb needs beside.
	Data map[string]any `json:"data,omitempty"`
	// Token replaces what the token supplier answers from now on.
	Token string `json:"token,omitempty"`
}

// Failure is an SDK's error: its code as both SDKs spell it, "not_found".
type Failure struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Error implements error.
func (f *Failure) Error() string { return f.Code + ": " + f.Message }

// View is what a device shows.
type View struct {
	State         string             `json:"state"`
	Conversations []ConversationView `json:"conversations"`
	Online        map[string]bool    `json:"online"`
}

// ConversationView is one conversation with its loaded window of messages.
type ConversationView struct {
	ID       string         `json:"id"`
	Title    string         `json:"title"`
	Unread   int            `json:"unread"`
	HeadSeq  int            `json:"headSeq"`
	Members  int            `json:"members"`
	Role     string         `json:"role"`
	Typing   []string       `json:"typing"`
	Markers  map[string]int `json:"markers"` // user → seq
	Messages []MessageView  `json:"messages"`
	ReadSeq  int            `json:"readSeq"`
	// DeliveredSeq is up to where a device of the other user has a direct conversation.
	DeliveredSeq int `json:"deliveredSeq"`
}

// MessageView is one message.
type MessageView struct {
	ID        string         `json:"id"`
	Seq       int            `json:"seq"`
	Sender    string         `json:"sender"`
	Kind      string         `json:"kind"`
	Text      string         `json:"text"`
	Type      string         `json:"type"`
	State     string         `json:"state"`
	Error     string         `json:"error"`
	Edited    bool           `json:"edited"`
	Recalled  bool           `json:"recalled"`
	Expired   bool           `json:"expired"`
	ReplyTo   int            `json:"replyTo"`
	Mentions  []string       `json:"mentions"`
	Reactions map[string]int `json:"reactions"`
}

// conversation finds one by id.
func (v *View) conversation(id string) *ConversationView {
	for i := range v.Conversations {
		if v.Conversations[i].ID == id {
			return &v.Conversations[i]
		}
	}
	return nil
}

// message finds one by client id.
func (c *ConversationView) message(id string) *MessageView {
	if c == nil {
		return nil
	}
	for i := range c.Messages {
		if c.Messages[i].ID == id {
			return &c.Messages[i]
		}
	}
	return nil
}
