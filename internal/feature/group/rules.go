package group

import (
	"context"
	"time"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Rules is the policy on groups: the one place that says who may do what in
// them. Everything about other kinds of conversations passes, and the app's
// back end may do everything but bring a dissolved group back.
//
// What an action takes is the grant of its verb (verbGrant), that of what is
// sent (contentGrant), and whatever the feature that asks demands beside
// (chat.Demand). Then come the ranks: nobody acts on who is not below them,
// gives or takes a role that is not below them, or hands out what they may not
// do themselves. So nobody can raise themselves, nor an accomplice.
func Rules(_ context.Context, a *chat.Action) error {
	if a.Room.Kind != im.ConvGroup {
		return nil
	}
	if a.Room.Dissolved() && a.Verb != chat.VerbRead && a.Verb != chat.VerbDissolve {
		return im.Errorf(im.FailedPrecondition, "the group was dissolved")
	}
	if a.Actor.Server {
		return nil
	}
	return Can(a)
}

// Can says why a member of a group may not do something, or nil.
func Can(a *chat.Action) error {
	may, rank := a.Room.Grants(a.Actor.User, a.Now), a.Room.Rank(a.Actor.User)
	need := chat.GrantsOf(verbGrant(a), contentGrant(a), mentionGrant(a), a.Needs, a.Also) | a.Hands
	if missing := (need &^ 1) &^ may; missing != 0 { // bit 0 stands for no grant at all
		return refuse(a, missing)
	}
	if a.Above > 0 && rank <= a.Above {
		return errRank()
	}
	switch a.Verb {
	case chat.VerbMembers:
		return membersRule(a, may, rank)
	case chat.VerbDissolve:
		if a.Self.Role != im.RoleOwner {
			return errOwner()
		}
	case chat.VerbMemberRoles, chat.VerbNickname, chat.VerbMute:
		return attrsRule(a, may, rank)
	case chat.VerbRecall, chat.VerbClosePoll:
		if a.Target.Sender != a.Actor.User && a.Room.Rank(a.Target.Sender) >= rank {
			return errRank()
		}
	}
	return nil
}

// verbGrant is the grant that a verb takes, GRANT_UNSPECIFIED = none.
func verbGrant(a *chat.Action) skeinv1.Grant {
	switch a.Verb {
	case chat.VerbSend, chat.VerbEdit:
		return skeinv1.Grant_GRANT_SEND
	case chat.VerbReact, chat.VerbVote, chat.VerbExtend:
		return skeinv1.Grant_GRANT_REACT
	case chat.VerbPin:
		return skeinv1.Grant_GRANT_PIN
	case chat.VerbCreateTopic:
		return skeinv1.Grant_GRANT_TOPICS
	case chat.VerbTopic:
		if a.Target.Sender != a.Actor.User || a.Content != nil {
			return skeinv1.Grant_GRANT_TOPICS
		}
		return skeinv1.Grant_GRANT_SEND
	case chat.VerbRecall, chat.VerbClosePoll:
		if a.Target.Sender != a.Actor.User {
			return skeinv1.Grant_GRANT_RECALL_OTHERS
		}
	case chat.VerbTitle, chat.VerbSettings:
		return skeinv1.Grant_GRANT_MANAGE
	case chat.VerbRoles:
		return skeinv1.Grant_GRANT_MANAGE_ROLES
	case chat.VerbMute:
		return skeinv1.Grant_GRANT_MUTE
	}
	return 0
}

// contentGrant is the grant that what is sent, or edited in, takes.
func contentGrant(a *chat.Action) skeinv1.Grant {
	if a.Content == nil || a.Verb != chat.VerbSend && a.Verb != chat.VerbEdit {
		return 0
	}
	switch a.Content.Kind.(type) {
	case *skeinv1.Content_Text:
		return 0
	case *skeinv1.Content_Poll:
		return skeinv1.Grant_GRANT_POLL
	}
	return skeinv1.Grant_GRANT_SEND_MEDIA
}

// SmallGroup is up to how many members everybody may mention all at once.
const SmallGroup = 100

// mentionGrant is the grant that mentioning many takes: none in small groups,
// where a message reaches everybody's eyes anyway.
func mentionGrant(a *chat.Action) skeinv1.Grant {
	if chat.MentionsMany(a.Content) && a.Room.Size() > SmallGroup {
		return skeinv1.Grant_GRANT_MENTION_ALL
	}
	return 0
}

// membersRule is about who is in the group, and the roles that every group has.
func membersRule(a *chat.Action, may chat.Grants, rank int) error {
	handOver := false
	for _, c := range a.Changes {
		if c.Role == im.RoleOwner {
			handOver = true
		}
	}
	for _, c := range a.Changes {
		m, in := a.Room.Member(c.User)
		switch {
		case !in: // a join
			if !may.Has(skeinv1.Grant_GRANT_ADD_MEMBERS) {
				return refuse(a, chat.GrantsOf(skeinv1.Grant_GRANT_ADD_MEMBERS))
			}
			if c.Role != im.RoleMember {
				return errRank()
			}
		case c.Role == im.RoleNone && c.User == a.Actor.User: // leaving
			if m.Role == im.RoleOwner && a.Room.Size() > 1 {
				return errRank()
			}
		case c.Role == im.RoleNone: // a removal
			if !may.Has(skeinv1.Grant_GRANT_REMOVE_MEMBERS) {
				return refuse(a, chat.GrantsOf(skeinv1.Grant_GRANT_REMOVE_MEMBERS))
			}
			if rank <= a.Room.Rank(c.User) {
				return errRank()
			}
		default: // a role
			if a.Self.Role != im.RoleOwner || m.Role == im.RoleOwner && !handOver {
				return errOwner()
			}
		}
	}
	return nil
}

// attrsRule is about what the group keeps of a member. A mute of everybody
// changes no member.
func attrsRule(a *chat.Action, may chat.Grants, rank int) error {
	for _, c := range a.Changes {
		self := c.User == a.Actor.User
		switch {
		case a.Verb == chat.VerbMemberRoles && self:
			if a.Above > 0 { // something is given; to give a role up is free
				return errRank()
			}
			continue
		case a.Verb == chat.VerbMemberRoles:
			if !may.Has(skeinv1.Grant_GRANT_MANAGE_ROLES) {
				return refuse(a, chat.GrantsOf(skeinv1.Grant_GRANT_MANAGE_ROLES))
			}
		case a.Verb == chat.VerbNickname && self:
			continue
		case a.Verb == chat.VerbNickname:
			if !may.Has(skeinv1.Grant_GRANT_NICKNAMES) {
				return refuse(a, chat.GrantsOf(skeinv1.Grant_GRANT_NICKNAMES))
			}
		}
		if rank <= a.Room.Rank(c.User) {
			return errRank()
		}
	}
	return nil
}

// refuse says which grant is missing, or until when the actor is muted.
func refuse(a *chat.Action, missing chat.Grants) error {
	if until := a.Room.MutedUntil(a.Actor.User); a.Now < until && missing.Within(a.Room.Standing(a.Actor.User)) {
		wait := time.Duration(until-a.Now) * time.Microsecond
		return &im.Error{Code: im.PermissionDenied, Message: "you are muted in this group", Hint: "it ends by itself", RetryAfter: min(wait, 40*24*time.Hour)}
	}
	return im.Errorf(im.PermissionDenied, "you lack the grant %s in this group", missing.First().String()[len("GRANT_"):])
}

func errRank() error {
	return im.Errorf(im.PermissionDenied, "a higher rank in the group is needed for this")
}

func errOwner() error {
	return im.Errorf(im.PermissionDenied, "only the owner of the group may do this")
}
