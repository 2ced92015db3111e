package skein

import (
	"cmp"
	"context"
	"iter"
	"time"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Member is a member of a conversation.
type Member struct {
	User string
	Role Role
	// Attrs are what the group keeps of them.
	Attrs MemberAttrs
	// Read is how far they have read.
	Read Position
}

// NewGroup is what a group is made of.
type NewGroup struct {
	// ID is 1 to 64 of a-z A-Z 0-9 _ -, starting with a letter or a digit;
	// empty: the server makes one. With an id the call can be repeated.
	ID string
	// Title is at most 128 bytes.
	Title string
	// Members beside the user, at most 999.
	Members []string
	// Settings are what it is like beside the defaults of a private group.
	Settings *SettingsChange
}

// CreateGroup makes a group that the user owns. Unlike a send it needs the
// network.
//
// Errors: AlreadyExists, InvalidArgument, TooLarge, Unavailable, Aborted, Closed.
func (c *Client) CreateGroup(ctx context.Context, g NewGroup) (*Conversation, error) {
	cid, err := c.newID()
	if err != nil {
		return nil, err
	}
	was := c.incarnation()
	req := &skeinv1.CreateGroupRequest{Id: g.ID, Title: g.Title, Members: g.Members, ClientId: cid}
	if g.Settings != nil {
		req.Settings, _ = g.Settings.wire()
	}
	var resp skeinv1.CreateGroupResponse
	err = c.rpc(ctx, "ConversationService/CreateGroup", req, &resp)
	if err != nil {
		return nil, err
	}
	if err := c.do(ctx, func() { c.applyAnswer(was, conversationEvent(resp.GetConversation())) }); err != nil {
		return nil, err
	}
	return c.Conversation(resp.GetConversation().GetId()), nil
}

// newID makes a client id from the server's time.
func (c *Client) newID() ([]byte, error) {
	c.mu.RLock()
	ms := c.serverNow()
	c.mu.RUnlock()
	id, err := newClientID(ms, c.opt.Entropy)
	return idBytes(id), err
}

// Fetch asks the server what the conversation is: needed only for one that
// this client has not heard of, such as a group whose id came from elsewhere.
//
// Errors: NotFound when it does not exist or the user is no member.
func (v *Conversation) Fetch(ctx context.Context) error {
	id, err := v.key()
	if err != nil {
		return err
	}
	was := v.c.incarnation()
	var resp skeinv1.GetConversationResponse
	if err := v.c.rpc(ctx, "ConversationService/GetConversation", &skeinv1.GetConversationRequest{Conversation: id}, &resp); err != nil {
		return err
	}
	return v.c.do(ctx, func() { v.c.applyAnswer(was, conversationEvent(resp.GetConversation())) })
}

// MemberFilter says which members are looked for; the zero value wants all.
type MemberFilter struct {
	// Query: those whose user id begins with it, or whose nickname in the group
	// has it somewhere, in any case of letters. At most 64 bytes.
	Query string
	Role  Role // only those with this role; 0 = all
}

// ListMembers reads the current members by user id, from the server. Of a large
// group read only as many as are shown: it asks for 200 at a time.
func (v *Conversation) ListMembers(ctx context.Context) iter.Seq2[Member, error] {
	return v.FindMembers(ctx, MemberFilter{})
}

// FindMembers is ListMembers of those whom a filter wants.
func (v *Conversation) FindMembers(ctx context.Context, f MemberFilter) iter.Seq2[Member, error] {
	return func(yield func(Member, error) bool) {
		id, err := v.key()
		page := ""
		for err == nil {
			var resp skeinv1.ListMembersResponse
			err = v.c.rpc(ctx, "ConversationService/ListMembers", &skeinv1.ListMembersRequest{Conversation: id, Limit: 200, Page: page, Query: f.Query, Role: f.Role.wire()}, &resp)
			for _, m := range resp.GetMembers() {
				if !yield(Member{m.GetUser(), roleOf(m.GetRole()), attrsOf(m.GetAttrs()), Position{m.GetReadSeq(), m.GetReadOrd()}}, nil) {
					return
				}
			}
			if page = resp.GetNextPage(); page == "" && err == nil {
				return
			}
		}
		yield(Member{}, err)
	}
}

// change makes a call that appends an entry, and takes the entry.
func (v *Conversation) change(ctx context.Context, call func(id string, cid []byte) (*skeinv1.Entry, error)) error {
	id, err := v.key()
	if err != nil {
		return err
	}
	cid, err := v.c.newID()
	if err != nil {
		return err
	}
	was := v.c.incarnation()
	e, err := call(id, cid)
	if err != nil || e == nil {
		return err
	}
	return v.c.do(ctx, func() { v.c.applyAnswer(was, answerEvent{e}) })
}

// AddMembers adds users to a group, at most 100 at a time; who is in it
// already is skipped. Owner and admins only.
//
// Errors: PermissionDenied, NotFound, TooLarge.
func (v *Conversation) AddMembers(ctx context.Context, users ...string) error {
	return v.change(ctx, func(id string, cid []byte) (*skeinv1.Entry, error) {
		var resp skeinv1.AddMembersResponse
		err := v.c.rpc(ctx, "ConversationService/AddMembers", &skeinv1.AddMembersRequest{Conversation: id, Users: users, ClientId: cid}, &resp)
		return resp.GetEntry(), err
	})
}

// RemoveMember takes a user out of a group. It needs a higher role than
// theirs. Once it has returned nothing sent later reaches them.
func (v *Conversation) RemoveMember(ctx context.Context, user string) error {
	return v.change(ctx, func(id string, cid []byte) (*skeinv1.Entry, error) {
		var resp skeinv1.RemoveMemberResponse
		err := v.c.rpc(ctx, "ConversationService/RemoveMember", &skeinv1.RemoveMemberRequest{Conversation: id, User: user, ClientId: cid}, &resp)
		return resp.GetEntry(), err
	})
}

// Leave ends the user's membership. An owner has to hand the group over
// first: FailedPrecondition.
func (v *Conversation) Leave(ctx context.Context) error {
	return v.change(ctx, func(id string, cid []byte) (*skeinv1.Entry, error) {
		var resp skeinv1.LeaveGroupResponse
		err := v.c.rpc(ctx, "ConversationService/LeaveGroup", &skeinv1.LeaveGroupRequest{Conversation: id, ClientId: cid}, &resp)
		return resp.GetEntry(), err
	})
}

// SetRole changes a member's role. Only the owner may; RoleOwner hands the
// group over and makes the caller an admin.
func (v *Conversation) SetRole(ctx context.Context, user string, role Role) error {
	return v.change(ctx, func(id string, cid []byte) (*skeinv1.Entry, error) {
		var resp skeinv1.SetRoleResponse
		err := v.c.rpc(ctx, "ConversationService/SetRole", &skeinv1.SetRoleRequest{Conversation: id, User: user, Role: role.wire(), ClientId: cid}, &resp)
		return resp.GetEntry(), err
	})
}

// SetTitle changes a group's title, at most 128 bytes. Owner and admins only.
func (v *Conversation) SetTitle(ctx context.Context, title string) error {
	return v.change(ctx, func(id string, cid []byte) (*skeinv1.Entry, error) {
		var resp skeinv1.UpdateGroupResponse
		err := v.c.rpc(ctx, "ConversationService/UpdateGroup", &skeinv1.UpdateGroupRequest{Conversation: id, Title: title, ClientId: cid}, &resp)
		return resp.GetEntry(), err
	})
}

// Revision is one content that a message has had.
type Revision struct {
	Text   string
	Custom *Custom
	Time   time.Time
	// EditSeq is the seq of the edit, 0 for the original.
	EditSeq uint64
}

// Edits returns every content that a message has had, oldest first; none for
// a recalled one.
func (v *Conversation) Edits(ctx context.Context, m Message) ([]Revision, error) {
	id, err := v.key()
	if err != nil {
		return nil, err
	}
	var resp skeinv1.ListEditsResponse
	if err := v.c.rpc(ctx, "MessageService/ListEdits", &skeinv1.ListEditsRequest{Conversation: id, Seq: m.Seq}, &resp); err != nil {
		return nil, err
	}
	out := make([]Revision, 0, len(resp.GetRevisions()))
	for _, r := range resp.GetRevisions() {
		var view Message
		view.setBody(r.GetBody())
		out = append(out, Revision{Text: view.Text, Custom: view.Custom, Time: time.UnixMicro(r.GetTimeUs()).UTC(), EditSeq: r.GetEditSeq()})
	}
	return out, nil
}

// Device is a signed-in installation of the app.
type Device struct {
	ID, Name string
	Platform Platform
	Created  time.Time
	LastSeen time.Time
	Online   bool
	Current  bool // this one
}

// Devices returns the user's devices that are signed in.
func (c *Client) Devices(ctx context.Context) ([]Device, error) {
	var resp skeinv1.ListDevicesResponse
	if err := c.rpc(ctx, "DeviceService/ListDevices", &skeinv1.ListDevicesRequest{}, &resp); err != nil {
		return nil, err
	}
	out := make([]Device, 0, len(resp.GetDevices()))
	for _, d := range resp.GetDevices() {
		out = append(out, Device{ID: d.GetId(), Name: d.GetName(), Platform: platformOf(d.GetPlatform()), Created: time.UnixMicro(d.GetCreatedUs()).UTC(),
			LastSeen: time.UnixMicro(d.GetLastSeenUs()).UTC(), Online: d.GetOnline(), Current: d.GetCurrent()})
	}
	return out, nil
}

// SignOut signs a device of the user out: its socket is closed and its token
// refused before the call returns. "" is this one.
func (c *Client) SignOut(ctx context.Context, device string) error {
	return c.rpc(ctx, "DeviceService/SignOutDevice", &skeinv1.SignOutDeviceRequest{Device: cmp.Or(device, c.device)}, &skeinv1.SignOutDeviceResponse{})
}

// WatchPresence replaces the list of users, at most 500, whose presence this
// client hears of. Who shares no conversation with the user stays unknown.
func (c *Client) WatchPresence(ctx context.Context, users ...string) error {
	if len(users) > 500 {
		return errorf(TooLarge, nil, "at most 500 users can be watched")
	}
	return c.do(ctx, func() {
		c.watch = append([]string(nil), users...)
		c.mu.Lock()
		clear(c.presence)
		c.mu.Unlock()
		if c.conn.state == Online {
			c.sendWatch()
		}
	})
}

// Presence returns what is known of a watched user; nothing is without a
// connection.
func (c *Client) Presence(user string) (Presence, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	p, ok := c.presence[user]
	return p, ok
}

// GetPresence asks once for the presence of users, at most 200; those who
// share no conversation with the user are left out.
func (c *Client) GetPresence(ctx context.Context, users ...string) ([]Presence, error) {
	var resp skeinv1.GetPresenceResponse
	if err := c.rpc(ctx, "PresenceService/GetPresence", &skeinv1.GetPresenceRequest{Users: users}, &resp); err != nil {
		return nil, err
	}
	out := make([]Presence, 0, len(resp.GetPresences()))
	for _, p := range resp.GetPresences() {
		out = append(out, presenceOf(p))
	}
	return out, nil
}
