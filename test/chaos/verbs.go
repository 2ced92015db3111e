package chaos

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/feature/timed"
	"github.com/skein-im/skein/internal/im"
	pb "github.com/skein-im/skein/proto/skein/v1"
	"github.com/skein-im/skein/test/history"
)

// Bounds of what one group of verbs keeps: the later of its messages are
// changed again and again, and its pins stay far below an app's limit.
const (
	verbsRecent = 12
	verbsPins   = 5
	// A job of a node that was killed is taken up when its lease of a minute has ended.
	verbsLate = 100 * time.Second
)

// verbs is a group whose owner does, beside the messages of the load, what can
// be done to messages and groups: edits, recalls, reactions, polls and votes,
// pins, messages for later, invitations. Each is tried, under one client id,
// until the answer is definitive, and only then comes the next. So it is known
// exactly what has to be there at the end, and what was acknowledged and is
// gone, or was done twice, shows in a comparison.
type verbs struct {
	l      *Load
	id     string
	owner  *Caller
	dice   *rand.Rand
	said   []*subject
	pins   map[uint64]bool
	people map[string]bool
	guests int
	done   int // what was acknowledged
	bad    []error
}

// subject is a message and what was done to it.
type subject struct {
	id        history.ID
	seq       uint64 // 0 of one for later, which gets an id of the server's
	text      string
	poll      bool
	recalled  bool
	reactions map[string]bool
	choice    string
}

func newVerbs(ctx context.Context, l *Load, no int) (*verbs, error) {
	v := &verbs{l: l, id: fmt.Sprintf("verbs%04d", no), dice: rand.New(rand.NewPCG(uint64(no), 0x7e2b5)), pins: map[uint64]bool{}}
	owner := v.id + "-u0"
	v.owner, v.people = l.caller(owner), map[string]bool{owner: true}
	return v, l.createGroup(ctx, v.id, owner, nil)
}

// run does one thing after the other until the load is quiet.
func (v *verbs) run(ctx context.Context) {
	for !v.l.quiet.Load() && len(v.bad) == 0 {
		if err := v.once(ctx); ctx.Err() != nil {
			return
		} else if err != nil {
			v.bad = append(v.bad, err)
		} else {
			v.done++
		}
		if pause(ctx, between(5*time.Millisecond, 40*time.Millisecond)) != nil {
			return
		}
	}
}

func (v *verbs) once(ctx context.Context) error {
	recent := v.said[max(0, len(v.said)-verbsRecent):]
	k := v.dice.IntN(100)
	if len(recent) < verbsRecent/2 || k < 15 {
		return v.say(ctx, k%3 == 0)
	}
	s := recent[v.dice.IntN(len(recent))]
	switch {
	case k < 20:
		return v.later(ctx)
	case k < 25:
		return v.invite(ctx)
	case s.seq == 0 || s.recalled:
		return v.say(ctx, false)
	case k < 30:
		s.recalled = true
		return v.insist(ctx, "MessageService/RecallMessage", &pb.RecallMessageRequest{Conversation: v.id, Seq: s.seq, ClientId: clientID()}, &pb.RecallMessageResponse{})
	case k < 45 && v.pins[s.seq]:
		delete(v.pins, s.seq)
		return v.insist(ctx, "PinService/UnpinMessage", &pb.UnpinMessageRequest{Conversation: v.id, Seq: s.seq, ClientId: clientID()}, &pb.UnpinMessageResponse{})
	case k < 45 && len(v.pins) < verbsPins:
		v.pins[s.seq] = true
		return v.insist(ctx, "PinService/PinMessage", &pb.PinMessageRequest{Conversation: v.id, Seq: s.seq, ClientId: clientID()}, &pb.PinMessageResponse{})
	case k < 65 && s.poll:
		s.choice = []string{"1", "2"}[v.dice.IntN(2)]
		return v.insist(ctx, "PollService/VotePoll", &pb.VotePollRequest{Conversation: v.id, Seq: s.seq, Choices: []string{s.choice}, ClientId: clientID()}, &pb.VotePollResponse{})
	case k < 80 && !s.poll:
		s.text = fmt.Sprintf("%s edited %d", s.text[:min(len(s.text), 24)], v.done)
		return v.insist(ctx, "MessageService/EditMessage", &pb.EditMessageRequest{Conversation: v.id, Seq: s.seq, Body: textBody(s.text), ClientId: clientID()}, &pb.EditMessageResponse{})
	}
	emoji := []string{"👍", "🎉", "😀"}[v.dice.IntN(3)]
	s.reactions[emoji] = !s.reactions[emoji]
	return v.insist(ctx, "MessageService/ReactToMessage", &pb.ReactToMessageRequest{Conversation: v.id, Seq: s.seq, Emoji: emoji, Remove: !s.reactions[emoji], ClientId: clientID()},
		&pb.ReactToMessageResponse{})
}

func (v *verbs) say(ctx context.Context, poll bool) error {
	s := &subject{id: newID(), text: fmt.Sprintf("%s %d", v.id, v.done), poll: poll, reactions: map[string]bool{}}
	body := textBody(s.text)
	if poll {
		body.Content.Kind = &pb.Content_Poll{Poll: &pb.Poll{Question: s.text, Options: []*pb.PollOption{{Id: "1", Text: "yes"}, {Id: "2", Text: "no"}}}}
	}
	var r pb.SendMessageResponse
	err := v.insist(ctx, "MessageService/SendMessage", &pb.SendMessageRequest{Conversation: v.id, ClientId: s.id[:], Body: body}, &r)
	s.seq = r.GetEntry().GetSeq()
	v.said = append(v.said, s)
	return err
}

// later schedules a message for a moment from now. When the servers were away
// until that moment was too near they refuse it, which says that they have not got
// it: then it is for another moment. Were it there all the same, its text would be
// found twice.
func (v *verbs) later(ctx context.Context) error {
	s := &subject{text: fmt.Sprintf("%s later %d", v.id, v.done), reactions: map[string]bool{}}
	v.said = append(v.said, s)
	for {
		s.id = newID()
		at := time.Now().Add(2 * time.Second)
		err := v.insist(ctx, "TimedService/ScheduleMessage", &pb.ScheduleMessageRequest{
			Message:  &pb.SendMessageRequest{Conversation: v.id, ClientId: s.id[:], Body: textBody(s.text)},
			SendAtUs: at.UnixMicro(), ClientId: s.id[:]}, &pb.ScheduleMessageResponse{})
		if late := time.Until(at) < timed.MinAhead; !late || im.CodeOf(err) != im.InvalidArgument {
			return err
		}
	}
}

// invite makes an invitation for one, with which somebody comes in, and nobody
// after them.
func (v *verbs) invite(ctx context.Context) error {
	var made pb.CreateInviteResponse
	if err := v.insist(ctx, "JoinService/CreateInvite", &pb.CreateInviteRequest{Conversation: v.id, MaxUses: 1, ClientId: clientID()}, &made); err != nil {
		return err
	}
	for _, welcome := range []bool{true, false} {
		v.guests++
		guest := fmt.Sprintf("%s-u%d", v.id, v.guests)
		caller, id := v.l.caller(guest), clientID()
		err := v.l.insist(ctx, func(base string) error {
			return caller.Call(ctx, base, "JoinService/JoinByInvite", &pb.JoinByInviteRequest{Code: made.GetCode(), ClientId: id}, &pb.JoinByInviteResponse{})
		})
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if welcome && err != nil {
			return fmt.Errorf("%s with an invitation: %w", guest, err)
		} else if !welcome && err == nil {
			return fmt.Errorf("%s came in with an invitation that was used up", guest)
		}
		if welcome {
			v.people[guest] = true
		}
	}
	return nil
}

func clientID() []byte {
	id := newID()
	return id[:]
}

// insist makes a call of the owner's; the response is the last answer's.
func (v *verbs) insist(ctx context.Context, method string, req, resp proto.Message) error {
	err := v.l.insist(ctx, func(base string) error { return v.owner.Call(ctx, base, method, req, resp) })
	if err != nil {
		return fmt.Errorf("%s in %s: %w", method, v.id, err)
	}
	return nil
}

// finish compares what is there with what was acknowledged. What was for later
// gets the time to come.
func (v *verbs) finish(ctx context.Context) []error {
	waiting := 0
	if !until(ctx, verbsLate, func() bool {
		var r pb.ListScheduledResponse
		err := v.insist(ctx, "TimedService/ListScheduled", &pb.ListScheduledRequest{Conversation: v.id}, &r)
		waiting = len(r.GetScheduled())
		return err == nil && waiting == 0
	}) {
		v.miss("%d messages for later were not sent %s after all was healed", waiting, verbsLate)
	}
	if err := v.compare(ctx); err != nil {
		v.bad = append(v.bad, err)
	}
	return v.bad
}

func (v *verbs) miss(format string, args ...any) {
	if len(v.bad) < 5 {
		v.bad = append(v.bad, fmt.Errorf("%s: "+format, append([]any{v.id}, args...)...))
	}
}

func (v *verbs) compare(ctx context.Context) error {
	items, err := v.items(ctx)
	if err != nil {
		return err
	}
	for _, s := range v.said {
		found := items[s.key()]
		if len(found) != 1 {
			v.miss("%q is there %d times", s.text, len(found))
			continue
		}
		if why := s.differs(found[0]); why != "" {
			v.miss("%q at %d: %s", s.text, found[0].GetEntry().GetSeq(), why)
		}
		if s.recalled {
			delete(v.pins, s.seq)
		}
	}
	var pins pb.ListPinsResponse
	if err := v.insist(ctx, "PinService/ListPins", &pb.ListPinsRequest{Conversation: v.id}, &pins); err != nil {
		return err
	}
	pinned := map[uint64]bool{}
	for _, p := range pins.GetPins() {
		if !p.GetItem().GetEntry().GetRecalled() {
			pinned[p.GetItem().GetEntry().GetSeq()] = true
		}
	}
	if !maps.Equal(pinned, v.pins) {
		v.miss("pinned are %v, not %v", slices.Sorted(maps.Keys(pinned)), slices.Sorted(maps.Keys(v.pins)))
	}
	people := map[string]bool{}
	for page := ""; ; {
		var r pb.ListMembersResponse
		if err := v.insist(ctx, "ConversationService/ListMembers", &pb.ListMembersRequest{Conversation: v.id, Limit: 200, Page: page}, &r); err != nil {
			return err
		}
		for _, m := range r.GetMembers() {
			people[m.GetUser()] = true
		}
		if page = r.GetNextPage(); page == "" {
			break
		}
	}
	if !maps.Equal(people, v.people) {
		v.miss("members are %v, not %v", slices.Sorted(maps.Keys(people)), slices.Sorted(maps.Keys(v.people)))
	}
	return nil
}

// items reads the whole group: what is under each client id, and each text.
func (v *verbs) items(ctx context.Context) (map[string][]*pb.HistoryItem, error) {
	out := map[string][]*pb.HistoryItem{}
	for after := uint32(0); ; {
		var page pb.ListMessagesResponse
		if err := v.insist(ctx, "MessageService/ListMessages", pageAfter(v.id, after), &page); err != nil {
			return nil, err
		}
		for _, it := range page.GetItems() {
			id, text := string(it.GetEntry().GetClientId()), it.GetEntry().GetBody().GetContent().GetText().GetText()
			out[id], out[text] = append(out[id], it), append(out[text], it)
		}
		if page.GetAtEnd() || uint32(page.GetToSeq()) <= after {
			return out, nil
		}
		after = uint32(page.GetToSeq())
	}
}

// key finds it among the items.
func (s *subject) key() string {
	if s.seq == 0 {
		return s.text
	}
	return string(s.id[:])
}

// differs says in what a message is not as it has to be; "" = in nothing.
func (s *subject) differs(it *pb.HistoryItem) string {
	c := it.GetEntry().GetBody().GetContent()
	text := c.GetText().GetText() + c.GetPoll().GetQuestion()
	if s.recalled {
		if !it.GetEntry().GetRecalled() || text != "" {
			return "its recall was acknowledged"
		}
		return ""
	}
	if text != s.text {
		return fmt.Sprintf("it says %q", text)
	}
	for _, emoji := range []string{"👍", "🎉", "😀"} {
		if n := count(it.GetReactions(), emoji); n != btoi(s.reactions[emoji]) {
			return fmt.Sprintf("%s is there %d times", emoji, n)
		}
	}
	for _, choice := range []string{"1", "2"} {
		if n := count(it.GetVotes(), choice); n != btoi(s.choice == choice) {
			return fmt.Sprintf("%d voted for %s, and the voter for %q", n, choice, s.choice)
		}
	}
	return ""
}

func count(list []*pb.ReactionSummary, of string) int {
	for _, r := range list {
		if r.GetEmoji() == of {
			return int(r.GetCount())
		}
	}
	return 0
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
