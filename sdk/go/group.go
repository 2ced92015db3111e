package skein

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// GroupType gives a group its defaults: what members may do, who sees it.
type GroupType string

// The types of groups.
const (
	// PrivateGroup is known to its members alone.
	PrivateGroup GroupType = "private"
	// PublicGroup may be looked up by every user of the app.
	PublicGroup GroupType = "public"
	// Broadcast is a channel: owner and admins write, the others read and react.
	Broadcast GroupType = "broadcast"
	// Livestream keeps no history. A group is one from its first moment or never.
	Livestream GroupType = "livestream"
	// Community is talk in topics.
	Community GroupType = "community"
)

// JoinMode says how somebody becomes a member by themselves.
type JoinMode string

// The ways to join.
const (
	JoinOpen     JoinMode = "open"
	JoinApproval JoinMode = "approval"
	JoinInvite   JoinMode = "invite"
)

func groupTypes() []GroupType {
	return []GroupType{"", PrivateGroup, PublicGroup, Broadcast, Livestream, Community}
}

func joinModes() []JoinMode { return []JoinMode{"", JoinOpen, JoinApproval, JoinInvite} }

// indexOf is the wire value of a word, 0 for one that is not known.
func indexOf[T ~string](words []T, w T) int32 {
	for i, x := range words {
		if x == w {
			return int32(i)
		}
	}
	return 0
}

func wordAt[T ~string](words []T, i int32) T {
	if i < 0 || int(i) >= len(words) {
		return ""
	}
	return words[i]
}

// Grants is a set of what a member may do in a group.
type Grants uint64

// What a member may do.
const (
	GrantSend          = Grants(1 << skeinv1.Grant_GRANT_SEND)
	GrantSendMedia     = Grants(1 << skeinv1.Grant_GRANT_SEND_MEDIA) // anything but text
	GrantReact         = Grants(1 << skeinv1.Grant_GRANT_REACT)
	GrantMentionAll    = Grants(1 << skeinv1.Grant_GRANT_MENTION_ALL)
	GrantPin           = Grants(1 << skeinv1.Grant_GRANT_PIN)
	GrantInvite        = Grants(1 << skeinv1.Grant_GRANT_INVITE)
	GrantAddMembers    = Grants(1 << skeinv1.Grant_GRANT_ADD_MEMBERS)
	GrantRemoveMembers = Grants(1 << skeinv1.Grant_GRANT_REMOVE_MEMBERS)
	GrantMute          = Grants(1 << skeinv1.Grant_GRANT_MUTE)
	GrantManage        = Grants(1 << skeinv1.Grant_GRANT_MANAGE) // title and settings
	GrantManageRoles   = Grants(1 << skeinv1.Grant_GRANT_MANAGE_ROLES)
	GrantAnnounce      = Grants(1 << skeinv1.Grant_GRANT_ANNOUNCE)
	GrantRecallOthers  = Grants(1 << skeinv1.Grant_GRANT_RECALL_OTHERS)
	GrantTopics        = Grants(1 << skeinv1.Grant_GRANT_TOPICS)
	GrantCreateThread  = Grants(1 << skeinv1.Grant_GRANT_CREATE_THREAD)
	GrantPoll          = Grants(1 << skeinv1.Grant_GRANT_POLL)
	GrantNicknames     = Grants(1 << skeinv1.Grant_GRANT_NICKNAMES)  // of others
	GrantAttributes    = Grants(1 << skeinv1.Grant_GRANT_ATTRIBUTES) // of the group
	GrantCall          = Grants(1 << skeinv1.Grant_GRANT_CALL)       // start calls, invite to them
)

// Has tells whether all of them are in the set.
func (g Grants) Has(all Grants) bool { return g&all == all }

// GroupRole is a role that a group defines for itself.
type GroupRole struct {
	ID    string // the server makes it
	Name  string // 1 to 64 bytes
	Color uint32 // 0xRRGGBB, 0 = none
	// Rank is 1 to 99: members have 0, admins 100. Nobody acts on who is not
	// below them.
	Rank   int
	Grants Grants // beside what every member may do
}

// GroupSettings is what a group is like, with the defaults of its type.
type GroupSettings struct {
	Type        GroupType
	Description string
	AvatarURL   string
	// MemberGrants are everybody's; AdminGrants those of admins beside them.
	MemberGrants, AdminGrants Grants
	Roles                     []GroupRole
	JoinMode                  JoinMode
	// HistoryVisible: newcomers read what was said before they came.
	HistoryVisible bool
	// SlowMode is how long a member waits between two messages; 0 = not.
	SlowMode time.Duration
	// MutedUntil is until when nobody below the admins may write; zero = not muted.
	MutedUntil time.Time
	// MaxMembers is 0 where the server's limit holds.
	MaxMembers int
	// Dissolved: the group is over.
	Dissolved bool
}

// MemberAttrs is what a group keeps of a member beside their role.
type MemberAttrs struct {
	Nickname   string
	MutedUntil time.Time // zero = not muted
	Roles      []string  // ids of the group's roles
}

// GroupChange is what a message of KindMembers or KindConversation says of a
// group beside who came and went and its title.
type GroupChange struct {
	// Changed names what is another one: fields of the settings, or "nickname",
	// "muted_until_us", "role_ids" of User, or "dissolved".
	Changed  []string
	Settings *GroupSettings
	User     string
	Attrs    MemberAttrs
}

// SettingsChange is what to change of a group; nil fields stay.
type SettingsChange struct {
	Type                      *GroupType
	Description, AvatarURL    *string
	MemberGrants, AdminGrants *Grants
	JoinMode                  *JoinMode
	HistoryVisible            *bool
	SlowMode                  *time.Duration
	MaxMembers                *int
}

// GroupInfo is what may be known of a group before one is in it.
type GroupInfo struct {
	ID, Title, Description, AvatarURL string
	Type                              GroupType
	JoinMode                          JoinMode
	Members                           int
	Member                            bool // the user is in it
	Created                           time.Time
}

func microsTime(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

func settingsOf(s *skeinv1.GroupSettings) GroupSettings {
	out := GroupSettings{Type: wordAt(groupTypes(), int32(s.GetType())), Description: s.GetDescription(), AvatarURL: s.GetAvatarUrl(),
		MemberGrants: Grants(s.GetMemberGrants().GetBits()), AdminGrants: Grants(s.GetAdminGrants().GetBits()),
		JoinMode: wordAt(joinModes(), int32(s.GetJoinMode())), HistoryVisible: s.GetHistory() == skeinv1.HistoryAccess_HISTORY_ACCESS_VISIBLE,
		SlowMode: time.Duration(s.GetSlowModeS()) * time.Second, MutedUntil: microsTime(s.GetMutedUntilUs()),
		MaxMembers: int(s.GetMaxMembers()), Dissolved: s.GetDissolved()}
	for _, r := range s.GetRoles() {
		out.Roles = append(out.Roles, GroupRole{ID: r.GetId(), Name: r.GetName(), Color: r.GetColor(), Rank: int(r.GetRank()), Grants: Grants(r.GetGrants())})
	}
	return out
}

func attrsOf(a *skeinv1.MemberAttrs) MemberAttrs {
	return MemberAttrs{Nickname: a.GetNickname(), MutedUntil: microsTime(a.GetMutedUntilUs()), Roles: append([]string(nil), a.GetRoleIds()...)}
}

func groupChangeOf(g *skeinv1.GroupChange) *GroupChange {
	if g == nil {
		return nil
	}
	out := &GroupChange{Changed: g.GetChanged(), User: g.GetUser(), Attrs: attrsOf(g.GetAttrs())}
	if g.GetSettings() != nil {
		s := settingsOf(g.GetSettings())
		out.Settings = &s
	}
	return out
}

// wire returns the settings, and the names of those that are to change.
func (s *SettingsChange) wire() (*skeinv1.GroupSettings, []string) {
	g, fields := &skeinv1.GroupSettings{}, []string(nil)
	set := func(is bool, field string, take func()) {
		if is {
			take()
			fields = append(fields, field)
		}
	}
	set(s.Type != nil, "type", func() { g.Type = skeinv1.GroupType(indexOf(groupTypes(), *s.Type)) })
	set(s.Description != nil, "description", func() { g.Description = *s.Description })
	set(s.AvatarURL != nil, "avatar_url", func() { g.AvatarUrl = *s.AvatarURL })
	set(s.MemberGrants != nil, "member_grants", func() { g.MemberGrants = &skeinv1.GrantSet{Bits: uint64(*s.MemberGrants)} })
	set(s.AdminGrants != nil, "admin_grants", func() { g.AdminGrants = &skeinv1.GrantSet{Bits: uint64(*s.AdminGrants)} })
	set(s.JoinMode != nil, "join_mode", func() { g.JoinMode = skeinv1.JoinMode(indexOf(joinModes(), *s.JoinMode)) })
	set(s.HistoryVisible != nil, "history", func() {
		g.History = skeinv1.HistoryAccess_HISTORY_ACCESS_HIDDEN
		if *s.HistoryVisible {
			g.History = skeinv1.HistoryAccess_HISTORY_ACCESS_VISIBLE
		}
	})
	set(s.SlowMode != nil, "slow_mode_s", func() { g.SlowModeS = seconds(*s.SlowMode) })
	set(s.MaxMembers != nil, "max_members", func() { g.MaxMembers = uint32(max(*s.MaxMembers, 0)) })
	return g, fields
}

// seconds rounds up, so that nothing that is asked for becomes nothing.
func seconds(d time.Duration) uint32 { return uint32(max(d+time.Second-1, 0) / time.Second) }

// groupChanged takes over what an entry says of a group.
func (r *reducer) groupChanged(c *conv, e *skeinv1.Entry) {
	g := e.GetBody().GetContent().GetGroupChange()
	if g.GetSettings() != nil {
		c.settings = g.GetSettings()
	}
	if g.GetUser() != "" && g.GetUser() == r.st.user {
		c.attrs = g.GetAttrs()
	}
	if g != nil {
		r.touch(c)
	}
}

// groupAttributes takes over what the server says of a group; it tells whether
// something is another one.
func (c *conv) groupAttributes(x *skeinv1.Conversation) bool {
	same := proto.Equal(c.settings, x.GetSettings()) && proto.Equal(c.attrs, x.GetAttrs())
	c.settings, c.attrs = x.GetSettings(), x.GetAttrs()
	return !same
}

// spoke remembers when the user last said something.
func (r *reducer) spoke(c *conv, e *skeinv1.Entry) {
	if e.GetSender() == r.st.user && e.GetTimeUs() > c.lastOwn {
		c.lastOwn = e.GetTimeUs()
	}
}

// mayDo is what the user may do in a group, mutes aside.
func (c *conv) mayDo() Grants {
	switch c.role {
	case skeinv1.Role_ROLE_OWNER:
		return ^Grants(0)
	case skeinv1.Role_ROLE_UNSPECIFIED:
		return 0
	}
	may := Grants(c.settings.GetMemberGrants().GetBits())
	if c.role == skeinv1.Role_ROLE_ADMIN {
		may |= Grants(c.settings.GetAdminGrants().GetBits())
	}
	for _, id := range c.attrs.GetRoleIds() {
		for _, r := range c.settings.GetRoles() {
			if r.GetId() == id {
				may |= Grants(r.GetGrants())
			}
		}
	}
	return may
}

// mutedUntil is until when the user may not write, in microseconds.
func (c *conv) mutedUntil() int64 {
	until := c.attrs.GetMutedUntilUs()
	if c.role == skeinv1.Role_ROLE_MEMBER {
		until = max(until, c.settings.GetMutedUntilUs())
	}
	if c.role == skeinv1.Role_ROLE_OWNER {
		return 0
	}
	return until
}

// slowUntil is when slow mode lets the user write again, in microseconds.
func (c *conv) slowUntil() int64 {
	if c.settings.GetSlowModeS() == 0 || c.role >= skeinv1.Role_ROLE_ADMIN || c.lastOwn == 0 {
		return 0
	}
	return c.lastOwn + int64(c.settings.GetSlowModeS())*1e6
}

// Settings returns what a group is like, as far as this device has heard;
// false for a conversation that is no group, or not known yet.
func (v *Conversation) Settings() (s GroupSettings, ok bool) {
	v.look(func(cv *conv) {
		if ok = cv.settings != nil; ok {
			s = settingsOf(cv.settings)
		}
	})
	return s, ok
}

// Attrs returns what the group keeps of the user.
func (v *Conversation) Attrs() (a MemberAttrs) {
	v.look(func(cv *conv) { a = attrsOf(cv.attrs) })
	return a
}

// Grants returns what the user may do in a group, mutes aside; everything in a
// conversation that is none.
func (v *Conversation) Grants() (g Grants) {
	if v.Kind() != Group {
		return ^Grants(0)
	}
	v.look(func(cv *conv) { g = cv.mayDo() })
	return g
}

// MaySend says why the user may not send a text now, nil when they may:
// PermissionDenied without the grant, or while muted, RateLimited in slow mode.
// Of the last two RetryAfter says for how long. Send asks it first.
func (v *Conversation) MaySend() (err error) {
	now := v.c.serverMicros()
	v.look(func(cv *conv) {
		if cv.kind != skeinv1.ConversationKind_CONVERSATION_KIND_GROUP || cv.settings == nil || cv.to > 0 {
			return
		}
		muted, slow := cv.mutedUntil(), cv.slowUntil()
		wait := func(code Code, until int64, why string) error {
			return &Error{Code: code, Message: why, RetryAfter: time.Duration(until-now) * time.Microsecond}
		}
		switch {
		case cv.settings.GetDissolved():
			err = &Error{Code: FailedPrecondition, Message: "the group was dissolved"}
		case !cv.mayDo().Has(GrantSend):
			err = &Error{Code: PermissionDenied, Message: "the user may not write in this group"}
		case now < muted:
			err = wait(PermissionDenied, muted, "the user is muted in this group")
		case now < slow:
			err = wait(RateLimited, slow, "the group is in slow mode")
		}
	})
	return err
}

// serverMicros is the server's time.
func (c *Client) serverMicros() int64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.serverNow() * 1000
}

// GroupInfo tells what may be known of a group before one is in it.
//
// Errors: NotFound, also for a private group of others.
func (c *Client) GroupInfo(ctx context.Context, id string) (GroupInfo, error) {
	var resp skeinv1.GetGroupInfoResponse
	if err := c.rpc(ctx, "GroupService/GetGroupInfo", &skeinv1.GetGroupInfoRequest{Conversation: id}, &resp); err != nil {
		return GroupInfo{}, err
	}
	g := resp.GetGroup()
	return GroupInfo{ID: g.GetId(), Title: g.GetTitle(), Description: g.GetDescription(), AvatarURL: g.GetAvatarUrl(),
		Type: wordAt(groupTypes(), int32(g.GetType())), JoinMode: wordAt(joinModes(), int32(g.GetJoinMode())),
		Members: int(g.GetMemberCount()), Member: g.GetMember(), Created: microsTime(g.GetCreatedUs())}, nil
}

// UpdateSettings changes what a group is like. Grant: GrantManage; what
// members may do takes GrantManageRoles beside; type and admins' grants are
// the owner's to change.
//
// Errors: PermissionDenied, NotFound, InvalidArgument, FailedPrecondition.
func (v *Conversation) UpdateSettings(ctx context.Context, s SettingsChange) error {
	return v.change(ctx, func(id string, cid []byte) (*skeinv1.Entry, error) {
		g, fields := s.wire()
		var resp skeinv1.UpdateGroupSettingsResponse
		err := v.c.rpc(ctx, "GroupService/UpdateGroupSettings", &skeinv1.UpdateGroupSettingsRequest{Conversation: id, Settings: g, Fields: fields, ClientId: cid}, &resp)
		return resp.GetEntry(), err
	})
}

// PutRole makes a role, or changes the one with the id given, and returns its
// id. Grant: GrantManageRoles, over the role's rank and with all its grants.
func (v *Conversation) PutRole(ctx context.Context, r GroupRole) (id string, err error) {
	role := &skeinv1.GroupRole{Id: r.ID, Name: r.Name, Color: r.Color, Rank: uint32(max(r.Rank, 0)), Grants: uint64(r.Grants)}
	err = v.change(ctx, func(conv string, cid []byte) (*skeinv1.Entry, error) {
		var resp skeinv1.PutGroupRoleResponse
		err := v.c.rpc(ctx, "GroupService/PutGroupRole", &skeinv1.PutGroupRoleRequest{Conversation: conv, Role: role, ClientId: cid}, &resp)
		id = resp.GetRoleId()
		return resp.GetEntry(), err
	})
	return id, err
}

// DeleteRole takes a role away from everybody who has it.
func (v *Conversation) DeleteRole(ctx context.Context, role string) error {
	return v.change(ctx, func(id string, cid []byte) (*skeinv1.Entry, error) {
		var resp skeinv1.DeleteGroupRoleResponse
		err := v.c.rpc(ctx, "GroupService/DeleteGroupRole", &skeinv1.DeleteGroupRoleRequest{Conversation: id, RoleId: role, ClientId: cid}, &resp)
		return resp.GetEntry(), err
	})
}

// SetMemberRoles says which of the group's roles a member has, by their ids.
func (v *Conversation) SetMemberRoles(ctx context.Context, user string, roles ...string) error {
	return v.change(ctx, func(id string, cid []byte) (*skeinv1.Entry, error) {
		var resp skeinv1.SetMemberRolesResponse
		err := v.c.rpc(ctx, "GroupService/SetMemberRoles", &skeinv1.SetMemberRolesRequest{Conversation: id, User: user, RoleIds: roles, ClientId: cid}, &resp)
		return resp.GetEntry(), err
	})
}

// SetNickname names a member in the group, at most 64 bytes; "" is none. One's
// own needs no grant, that of others GrantNicknames.
func (v *Conversation) SetNickname(ctx context.Context, user, nickname string) error {
	return v.change(ctx, func(id string, cid []byte) (*skeinv1.Entry, error) {
		var resp skeinv1.SetNicknameResponse
		err := v.c.rpc(ctx, "GroupService/SetNickname", &skeinv1.SetNicknameRequest{Conversation: id, User: user, Nickname: nickname, ClientId: cid}, &resp)
		return resp.GetEntry(), err
	})
}

// MuteMember keeps a member from writing for a time from now on, at most a
// year; 0 ends it. Grant: GrantMute.
func (v *Conversation) MuteMember(ctx context.Context, user string, d time.Duration) error {
	return v.change(ctx, func(id string, cid []byte) (*skeinv1.Entry, error) {
		var resp skeinv1.MuteMemberResponse
		err := v.c.rpc(ctx, "GroupService/MuteMember", &skeinv1.MuteMemberRequest{Conversation: id, User: user, Seconds: seconds(d), ClientId: cid}, &resp)
		return resp.GetEntry(), err
	})
}

// MuteAll keeps everybody below the admins from writing for a time from now
// on; 0 ends it. Admins with GrantMute, and the owner.
func (v *Conversation) MuteAll(ctx context.Context, d time.Duration) error {
	return v.change(ctx, func(id string, cid []byte) (*skeinv1.Entry, error) {
		var resp skeinv1.MuteGroupResponse
		err := v.c.rpc(ctx, "GroupService/MuteGroup", &skeinv1.MuteGroupRequest{Conversation: id, Seconds: seconds(d), ClientId: cid}, &resp)
		return resp.GetEntry(), err
	})
}

// Transfer makes a member the owner, and the user, who is it, an admin.
func (v *Conversation) Transfer(ctx context.Context, user string) error {
	return v.change(ctx, func(id string, cid []byte) (*skeinv1.Entry, error) {
		var resp skeinv1.TransferGroupResponse
		err := v.c.rpc(ctx, "GroupService/TransferGroup", &skeinv1.TransferGroupRequest{Conversation: id, User: user, ClientId: cid}, &resp)
		return resp.GetEntry(), err
	})
}

// Dissolve ends the group for everybody, and for ever. Only the owner may.
func (v *Conversation) Dissolve(ctx context.Context) error {
	return v.change(ctx, func(id string, cid []byte) (*skeinv1.Entry, error) {
		var resp skeinv1.DissolveGroupResponse
		err := v.c.rpc(ctx, "GroupService/DissolveGroup", &skeinv1.DissolveGroupRequest{Conversation: id, ClientId: cid}, &resp)
		return resp.GetEntry(), err
	})
}
