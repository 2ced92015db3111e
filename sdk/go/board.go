package skein

import (
	"context"
	"time"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Announcement is one of a group's announcements.
type Announcement struct {
	ID, Title string
	// Text with the Markdown subset of messages.
	Text string
	// Pinned: the newest pinned one is shown to whoever opens the group.
	Pinned          bool
	Creator, Editor string
	Created         time.Time
	Updated         time.Time
}

// NewAnnouncement is what an announcement is made of.
type NewAnnouncement struct {
	Title  string // 1 to 128 bytes
	Text   string // at most 4,096 bytes
	Pinned bool
}

func announcementOf(p *skeinv1.Announcement) Announcement {
	return Announcement{ID: p.GetId(), Title: p.GetTitle(), Text: p.GetText(), Pinned: p.GetPinned(), Creator: p.GetCreator(), Editor: p.GetEditor(),
		Created: time.UnixMicro(p.GetCreatedUs()).UTC(), Updated: time.UnixMicro(p.GetUpdatedUs()).UTC()}
}

// CreateAnnouncement hangs an announcement up in a group. It needs the grant
// to announce.
//
// Errors: NotFound, PermissionDenied, ResourceExhausted (50 a group).
func (v *Conversation) CreateAnnouncement(ctx context.Context, n NewAnnouncement) (a Announcement, err error) {
	err = v.call(func(id string, cid []byte) error {
		var resp skeinv1.CreateAnnouncementResponse
		err := v.c.rpc(ctx, "BoardService/CreateAnnouncement", &skeinv1.CreateAnnouncementRequest{Conversation: id, Title: n.Title, Text: n.Text,
			Pinned: n.Pinned, ClientId: cid}, &resp)
		a = announcementOf(resp.GetAnnouncement())
		return err
	})
	return a, err
}

// UpdateAnnouncement replaces an announcement.
func (v *Conversation) UpdateAnnouncement(ctx context.Context, announcement string, n NewAnnouncement) (a Announcement, err error) {
	err = v.call(func(id string, cid []byte) error {
		var resp skeinv1.UpdateAnnouncementResponse
		err := v.c.rpc(ctx, "BoardService/UpdateAnnouncement", &skeinv1.UpdateAnnouncementRequest{Conversation: id, Id: announcement, Title: n.Title,
			Text: n.Text, Pinned: n.Pinned, ClientId: cid}, &resp)
		a = announcementOf(resp.GetAnnouncement())
		return err
	})
	return a, err
}

// DeleteAnnouncement takes an announcement down.
func (v *Conversation) DeleteAnnouncement(ctx context.Context, announcement string) error {
	return v.call(func(id string, cid []byte) error {
		return v.c.rpc(ctx, "BoardService/DeleteAnnouncement", &skeinv1.DeleteAnnouncementRequest{Conversation: id, Id: announcement, ClientId: cid},
			&skeinv1.DeleteAnnouncementResponse{})
	})
}

// Announcements reads a group's announcements from the server, pinned ones
// first, then the newest.
func (v *Conversation) Announcements(ctx context.Context) ([]Announcement, error) {
	id, err := v.key()
	if err != nil {
		return nil, err
	}
	var resp skeinv1.ListAnnouncementsResponse
	if err := v.c.rpc(ctx, "BoardService/ListAnnouncements", &skeinv1.ListAnnouncementsRequest{Conversation: id}, &resp); err != nil {
		return nil, err
	}
	out := make([]Announcement, 0, len(resp.GetAnnouncements()))
	for _, p := range resp.GetAnnouncements() {
		out = append(out, announcementOf(p))
	}
	return out, nil
}

// Attribute is one of a group's attributes.
type Attribute struct {
	Name, Value string
	// Version is 1 when it was made and grows with each change.
	Version uint64
	Editor  string
	Updated time.Time
}

func attributeOf(p *skeinv1.GroupAttribute) Attribute {
	return Attribute{Name: p.GetName(), Value: p.GetValue(), Version: p.GetVersion(), Editor: p.GetEditor(), Updated: time.UnixMicro(p.GetUpdatedUs()).UTC()}
}

// AnyVersion lets SetAttribute and RemoveAttribute change whatever is there.
const AnyVersion = ^uint64(0)

func wantVersion(version uint64) *skeinv1.AttributeVersion {
	if version == AnyVersion {
		return nil
	}
	return &skeinv1.AttributeVersion{Version: version}
}

// SetAttribute sets an attribute of a group: a name of at most 64 bytes and a
// value of at most 4,096. With a version it must still have that one, 0 = it
// must not be there. It needs the grant to write attributes.
//
// Errors: NotFound, PermissionDenied, FailedPrecondition (another version),
// ResourceExhausted (100 a group).
func (v *Conversation) SetAttribute(ctx context.Context, name, value string, version uint64) (a Attribute, err error) {
	err = v.call(func(id string, cid []byte) error {
		var resp skeinv1.SetGroupAttributeResponse
		err := v.c.rpc(ctx, "BoardService/SetGroupAttribute", &skeinv1.SetGroupAttributeRequest{Conversation: id, Name: name, Value: value,
			Version: wantVersion(version), ClientId: cid}, &resp)
		a = attributeOf(resp.GetAttribute())
		return err
	})
	return a, err
}

// RemoveAttribute removes an attribute.
func (v *Conversation) RemoveAttribute(ctx context.Context, name string, version uint64) error {
	return v.call(func(id string, cid []byte) error {
		return v.c.rpc(ctx, "BoardService/RemoveGroupAttribute", &skeinv1.RemoveGroupAttributeRequest{Conversation: id, Name: name, Version: wantVersion(version),
			ClientId: cid}, &skeinv1.RemoveGroupAttributeResponse{})
	})
}

// Attributes reads a group's attributes from the server, by name.
func (v *Conversation) Attributes(ctx context.Context) ([]Attribute, error) {
	id, err := v.key()
	if err != nil {
		return nil, err
	}
	var resp skeinv1.ListGroupAttributesResponse
	if err := v.c.rpc(ctx, "BoardService/ListGroupAttributes", &skeinv1.ListGroupAttributesRequest{Conversation: id}, &resp); err != nil {
		return nil, err
	}
	out := make([]Attribute, 0, len(resp.GetAttributes()))
	for _, p := range resp.GetAttributes() {
		out = append(out, attributeOf(p))
	}
	return out, nil
}

// Counter is one of a group's counters.
type Counter struct {
	Name    string
	Value   int64
	Editor  string
	Updated time.Time
}

// Bounds are what a counter may not pass; nil = 64 bits.
type Bounds struct{ Min, Max *int64 }

func bound(b *int64) *skeinv1.CounterBound {
	if b == nil {
		return nil
	}
	return &skeinv1.CounterBound{Value: *b}
}

// IncrementCounter adds to a counter of a group, which begins at 0, and
// returns its value. It is exact, however many add at once.
//
// Errors: NotFound, PermissionDenied, FailedPrecondition (it would pass its
// bounds), ResourceExhausted (50 a group).
func (v *Conversation) IncrementCounter(ctx context.Context, name string, delta int64, b Bounds) (value int64, err error) {
	err = v.call(func(id string, cid []byte) error {
		var resp skeinv1.IncrementCounterResponse
		err := v.c.rpc(ctx, "BoardService/IncrementCounter", &skeinv1.IncrementCounterRequest{Conversation: id, Name: name, Delta: delta,
			Min: bound(b.Min), Max: bound(b.Max), ClientId: cid}, &resp)
		value = resp.GetValue()
		return err
	})
	return value, err
}

// RemoveCounter removes a counter.
func (v *Conversation) RemoveCounter(ctx context.Context, name string) error {
	return v.call(func(id string, cid []byte) error {
		return v.c.rpc(ctx, "BoardService/RemoveCounter", &skeinv1.RemoveCounterRequest{Conversation: id, Name: name, ClientId: cid}, &skeinv1.RemoveCounterResponse{})
	})
}

// Counters reads a group's counters from the server, by name.
func (v *Conversation) Counters(ctx context.Context) ([]Counter, error) {
	id, err := v.key()
	if err != nil {
		return nil, err
	}
	var resp skeinv1.ListCountersResponse
	if err := v.c.rpc(ctx, "BoardService/ListCounters", &skeinv1.ListCountersRequest{Conversation: id}, &resp); err != nil {
		return nil, err
	}
	out := make([]Counter, 0, len(resp.GetCounters()))
	for _, p := range resp.GetCounters() {
		out = append(out, Counter{Name: p.GetName(), Value: p.GetValue(), Editor: p.GetEditor(), Updated: time.UnixMicro(p.GetUpdatedUs()).UTC()})
	}
	return out, nil
}
