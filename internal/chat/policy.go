package chat

import (
	"context"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Verb is what an actor wants to do with a conversation.
type Verb int

// The verbs that policies decide on.
const (
	VerbRead    Verb = iota + 1 // open, history, members, edits, read marker, typing
	VerbSend                    // append a message or a keyed entry
	VerbEdit                    // replace a message's body
	VerbRecall                  // empty a message
	VerbReact                   // add or remove a reaction
	VerbMembers                 // add, remove, leave, change roles
	VerbTitle                   // change the title
	VerbRelate                  // become contacts, block: a fact between the two of a direct conversation
	VerbJoin                    // come into a group by oneself; decided by who asks Join
	VerbBoard                   // change what hangs on a group's board; its grant was looked at
)

// The verbs on what a group is like.
const (
	VerbSettings    Verb = iota + 101 // change settings
	VerbRoles                         // make, change and delete roles
	VerbMemberRoles                   // give roles to a member and take them
	VerbNickname                      // name a member
	VerbMute                          // mute a member, or everybody
	VerbDissolve                      // end the group
)

// The verbs on what is attached to messages.
const (
	VerbPin         Verb = iota + 301 // pin a message, take a pin down
	VerbVote                          // vote in a poll
	VerbClosePoll                     // end a poll
	VerbCreateTopic                   // begin a topic of a community
	VerbTopic                         // rename, close or open a topic; write into a closed one
	VerbExtend                        // attach a value to a message
)

// Action is what policies see.
type Action struct {
	Verb  Verb
	Actor im.Actor
	Room  *Room
	// Self is the actor's interval; its Role is RoleNone for the app's back end.
	Self journal.Member
	// Target is the entry that an edit, recall or reaction is about; of a message
	// in a thread the root.
	Target *im.Entry
	// Changes are the membership changes asked for.
	Changes []journal.MemberChange
	// Content is that of a readable body which is sent, or edited in; else nil.
	Content *skeinv1.Content
	// FromApp: what is sent comes from the app's back end, as whomever it is sent.
	FromApp bool
	// Now is when it is decided.
	Now im.Micros
	Demand
}

// Demand is what an action in a group takes beside what its verb does.
type Demand struct {
	// Needs and Also are grants that the actor must have.
	Needs, Also skeinv1.Grant
	// Hands are grants that somebody gets or loses by it: the actor must have
	// all of them.
	Hands Grants
	// Above, if > 0, is a rank that the actor's must be higher than.
	Above int
}

// Policy says why an action is refused (an *im.Error) or nil. It must be
// quick and must decide on the Action alone: the room's version is checked
// again when the entry is appended, so a decision never acts on stale facts.
type Policy func(ctx context.Context, a *Action) error

// decide applies the base rule, then the policies. The base rule: only a
// current member acts; everybody else does not even learn that the
// conversation exists.
func (s *Service) decide(ctx context.Context, a *Action) error {
	self, ok := a.Room.Member(a.Actor.User)
	if !ok && !a.Actor.Server {
		return im.ErrNotFound
	}
	a.Self = self
	if a.Room.Kind == im.ConvGroup {
		a.Now = s.Now()
	}
	if err := checkSpeaker(a); err != nil {
		return err
	}
	return s.ask(ctx, a)
}

// ask asks the policies.
func (s *Service) ask(ctx context.Context, a *Action) error {
	for _, p := range s.policies {
		if err := p(ctx, a); err != nil {
			return err
		}
	}
	return nil
}
