package skein

import (
	"context"
	"slices"
	"strconv"
	"time"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Poll is a question with options to choose from, and how often each was
// chosen. It is sent as Outgoing.Poll.
type Poll struct {
	Question string       // 1 to 512 bytes
	Options  []PollOption // 2 to 20
	// MaxChoices is how many options a voter may choose at once; 0 = one.
	MaxChoices int
	// Closes is when it takes no more votes; zero = when somebody closes it.
	Closes time.Time
	// Closed by ClosePoll; see also Closes.
	Closed bool
}

// PollOption is one thing to choose.
type PollOption struct {
	// ID is what Vote names: 1 to 16 of a-z A-Z 0-9 _ -; empty = the SDK gives
	// it its number, from 1.
	ID   string
	Text string // 1 to 128 bytes
	// Votes is how many users have chosen it, Users the first 100 of them, Mine
	// whether the user is one.
	Votes int
	Users []string
	Mine  bool
}

// NewPoll makes a poll of a question and its options.
func NewPoll(question string, options ...string) *Poll {
	p := &Poll{Question: question}
	for _, text := range options {
		p.Options = append(p.Options, PollOption{Text: text})
	}
	return p
}

func (p *Poll) wire() *skeinv1.Poll {
	w := &skeinv1.Poll{Question: p.Question, MaxChoices: uint32(max(p.MaxChoices, 0))}
	if !p.Closes.IsZero() {
		w.ClosesUs = p.Closes.UnixMicro()
	}
	for i, o := range p.Options {
		id := o.ID
		if id == "" {
			id = strconv.Itoa(i + 1)
		}
		w.Options = append(w.Options, &skeinv1.PollOption{Id: id, Text: o.Text})
	}
	return w
}

func pollOf(w *skeinv1.Poll) *Poll {
	p := &Poll{Question: w.GetQuestion(), MaxChoices: int(max(w.GetMaxChoices(), 1)), Closed: w.GetClosed()}
	if w.GetClosesUs() > 0 {
		p.Closes = time.UnixMicro(w.GetClosesUs()).UTC()
	}
	for _, o := range w.GetOptions() {
		p.Options = append(p.Options, PollOption{ID: o.GetId(), Text: o.GetText()})
	}
	return p
}

// count puts the votes to the options.
func (p *Poll) count(votes []*skeinv1.ReactionSummary) {
	for i := range p.Options {
		for _, v := range votes {
			if o := &p.Options[i]; v.GetEmoji() == o.ID {
				o.Votes, o.Users, o.Mine = int(v.GetCount()), slices.Clone(v.GetUsers()), v.GetMine()
			}
		}
	}
}

// Vote chooses options of a poll, in place of what the user chose before; none
// takes the vote back. It needs the network.
//
// Errors: FailedPrecondition (closed, recalled), InvalidArgument (no such
// option, too many), NotFound, PermissionDenied.
func (v *Conversation) Vote(ctx context.Context, poll uint64, options ...string) error {
	return v.change(ctx, func(id string, cid []byte) (*skeinv1.Entry, error) {
		var resp skeinv1.VotePollResponse
		err := v.c.rpc(ctx, "PollService/VotePoll", &skeinv1.VotePollRequest{Conversation: id, Seq: poll, Choices: options, ClientId: cid}, &resp)
		return resp.GetEntry(), err
	})
}

// ClosePoll ends a poll: one's own, or any with the grant to recall others'
// messages.
//
// Errors: PermissionDenied, FailedPrecondition (closed, recalled), NotFound.
func (v *Conversation) ClosePoll(ctx context.Context, poll uint64) error {
	return v.change(ctx, func(id string, cid []byte) (*skeinv1.Entry, error) {
		var resp skeinv1.ClosePollResponse
		err := v.c.rpc(ctx, "PollService/ClosePoll", &skeinv1.ClosePollRequest{Conversation: id, Seq: poll, ClientId: cid}, &resp)
		return resp.GetEntry(), err
	})
}
