package chat

import (
	"math"
	"math/bits"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Grants is a set of what a member may do: bit 1 << skeinv1.Grant for each.
type Grants uint64

// GrantsOf returns the set of the grants.
func GrantsOf(gs ...skeinv1.Grant) Grants {
	var s Grants
	for _, g := range gs {
		s |= 1 << g
	}
	return s
}

// AllGrants is every grant that this version knows.
func AllGrants() Grants { return 1<<len(skeinv1.Grant_name) - 2 }

// Has tells whether the grant is in the set. Nothing is needed for
// GRANT_UNSPECIFIED, so every set has it.
func (s Grants) Has(g skeinv1.Grant) bool { return g == 0 || s&(1<<g) != 0 }

// Within tells whether the set has nothing that the other one has not.
func (s Grants) Within(o Grants) bool { return s&^o == 0 }

// First returns the lowest grant of a set, or GRANT_UNSPECIFIED.
func (s Grants) First() skeinv1.Grant {
	if s == 0 {
		return 0
	}
	return skeinv1.Grant(bits.TrailingZeros64(uint64(s)))
}

// The ranks. A group's own roles have 1 to 99. Nobody acts on a member who is
// not below them.
const (
	RankMember = 0
	RankAdmin  = 100
	RankOwner  = 1000
)

// voiced are the grants that a muted member does not have: whatever others
// would read or hear.
func voiced() Grants {
	return GrantsOf(skeinv1.Grant_GRANT_SEND, skeinv1.Grant_GRANT_SEND_MEDIA, skeinv1.Grant_GRANT_REACT, skeinv1.Grant_GRANT_MENTION_ALL,
		skeinv1.Grant_GRANT_PIN, skeinv1.Grant_GRANT_ANNOUNCE, skeinv1.Grant_GRANT_TOPICS, skeinv1.Grant_GRANT_CREATE_THREAD,
		skeinv1.Grant_GRANT_POLL, skeinv1.Grant_GRANT_ATTRIBUTES, skeinv1.Grant_GRANT_CALL)
}

// memberDefaults is what every member of a group may do where the group says
// nothing else.
func memberDefaults(t skeinv1.GroupType) Grants {
	talk := GrantsOf(skeinv1.Grant_GRANT_SEND, skeinv1.Grant_GRANT_SEND_MEDIA, skeinv1.Grant_GRANT_REACT,
		skeinv1.Grant_GRANT_CREATE_THREAD, skeinv1.Grant_GRANT_POLL, skeinv1.Grant_GRANT_CALL)
	switch t {
	case skeinv1.GroupType_GROUP_TYPE_BROADCAST:
		return GrantsOf(skeinv1.Grant_GRANT_REACT)
	case skeinv1.GroupType_GROUP_TYPE_LIVESTREAM:
		return GrantsOf(skeinv1.Grant_GRANT_SEND, skeinv1.Grant_GRANT_REACT)
	case skeinv1.GroupType_GROUP_TYPE_PUBLIC, skeinv1.GroupType_GROUP_TYPE_COMMUNITY:
		return talk | GrantsOf(skeinv1.Grant_GRANT_INVITE)
	}
	return talk
}

// DecodeSettings reads a group's attributes. Where the group follows its
// type's defaults they are filled in, so that whoever asks need not know them.
// It never returns nil; what cannot be read, which was checked when it was
// written, counts as nothing.
func DecodeSettings(attrs []byte) *skeinv1.GroupSettings {
	s := new(skeinv1.GroupSettings)
	if proto.Unmarshal(attrs, s) != nil {
		s = new(skeinv1.GroupSettings)
	}
	return ResolveSettings(s)
}

// ResolveSettings fills in the defaults of the type, and returns s.
func ResolveSettings(s *skeinv1.GroupSettings) *skeinv1.GroupSettings {
	if s.Type == 0 {
		s.Type = skeinv1.GroupType_GROUP_TYPE_PRIVATE
	}
	if s.MemberGrants == nil {
		s.MemberGrants = &skeinv1.GrantSet{Bits: uint64(memberDefaults(s.Type))}
	}
	if s.AdminGrants == nil {
		s.AdminGrants = &skeinv1.GrantSet{Bits: uint64(AllGrants())}
	}
	if s.JoinMode == 0 {
		switch s.Type {
		case skeinv1.GroupType_GROUP_TYPE_PRIVATE:
			s.JoinMode = skeinv1.JoinMode_JOIN_MODE_INVITE
		case skeinv1.GroupType_GROUP_TYPE_PUBLIC:
			s.JoinMode = skeinv1.JoinMode_JOIN_MODE_APPROVAL
		default:
			s.JoinMode = skeinv1.JoinMode_JOIN_MODE_OPEN
		}
	}
	if s.History == 0 {
		s.History = skeinv1.HistoryAccess_HISTORY_ACCESS_VISIBLE
		if s.Type == skeinv1.GroupType_GROUP_TYPE_PRIVATE {
			s.History = skeinv1.HistoryAccess_HISTORY_ACCESS_HIDDEN
		}
	}
	return s
}

// DecodeMember reads a member's attributes; nil when there are none.
func DecodeMember(attrs []byte) *skeinv1.MemberAttrs {
	if len(attrs) == 0 {
		return nil
	}
	m := new(skeinv1.MemberAttrs)
	if proto.Unmarshal(attrs, m) != nil { // checked when it was written
		return nil
	}
	return m
}

// standing is a member's rank, what they may do, mutes aside, and until when
// they are muted.
func standing(s *skeinv1.GroupSettings, m *journal.Member) (rank int, may Grants, muted im.Micros) {
	switch m.Role {
	case im.RoleOwner:
		return RankOwner, AllGrants(), 0
	case im.RoleAdmin:
		rank, may = RankAdmin, Grants(s.GetAdminGrants().GetBits())
	case im.RoleMember:
		muted = im.Micros(s.GetMutedUntilUs())
	default:
		return -1, 0, 0
	}
	may |= Grants(s.GetMemberGrants().GetBits())
	attrs := DecodeMember(m.Attrs)
	for _, id := range attrs.GetRoleIds() {
		for _, r := range s.GetRoles() {
			if r.Id == id {
				rank, may = max(rank, int(r.Rank)), may|Grants(r.Grants)
			}
		}
	}
	return rank, may & AllGrants(), max(muted, im.Micros(attrs.GetMutedUntilUs()))
}

// Rank returns a member's rank: RankMember, that of their highest role,
// RankAdmin or RankOwner; -1 for who is not in. It is 0 for both users of a
// direct conversation.
func (r *Room) Rank(u im.UserID) int {
	m, in := r.Member(u)
	if !in {
		return -1
	}
	if r.Kind != im.ConvGroup {
		return RankMember
	}
	rank, _, _ := standing(r.Settings, &m)
	return rank
}

// Grants returns what a user may do at a time: nothing for who is not in,
// everything in a conversation that is no group. What others would notice is
// missing while the user, or the whole group, is muted.
func (r *Room) Grants(u im.UserID, now im.Micros) Grants {
	m, in := r.Member(u)
	if !in {
		return 0
	}
	if r.Kind != im.ConvGroup {
		return AllGrants()
	}
	_, may, muted := standing(r.Settings, &m)
	if now < muted {
		may &^= voiced()
	}
	return may
}

// Standing is Grants as it is while nobody is muted.
func (r *Room) Standing(u im.UserID) Grants { return r.Grants(u, math.MaxInt64) }

// MutedUntil returns until when a member may not write; 0 = they may.
func (r *Room) MutedUntil(u im.UserID) im.Micros {
	m, in := r.Member(u)
	if !in || r.Kind != im.ConvGroup {
		return 0
	}
	_, _, muted := standing(r.Settings, &m)
	return muted
}

// SlowMode is how long a member waits between two messages.
func (r *Room) SlowMode(u im.UserID) time.Duration {
	if m, _ := r.Member(u); r.Settings.GetSlowModeS() == 0 || m.Role >= im.RoleAdmin {
		return 0
	}
	return time.Duration(r.Settings.SlowModeS) * time.Second
}

// Joining is the change that makes a user a member, with the history that the
// group shows to newcomers.
func (r *Room) Joining(u im.UserID) journal.MemberChange {
	return journal.MemberChange{User: u, Role: im.RoleMember, FromStart: r.Settings.GetHistory() == skeinv1.HistoryAccess_HISTORY_ACCESS_VISIBLE}
}

// Dissolved tells whether the group was dissolved. Members are left in it only
// until the last of them has been taken out.
func (r *Room) Dissolved() bool { return r.Settings.GetDissolved() }
