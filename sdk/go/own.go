package skein

import (
	"cmp"
	"context"
	"encoding/hex"
	"math"
	"slices"
	"strings"
	"time"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Own is how the user has a conversation: theirs alone, and the same on all
// of their devices.
type Own struct {
	Pinned bool
	// Order is its place among the pinned ones: the smallest is the topmost.
	Order int64
	// Muted: it disturbs nobody now. MutedUntil is zero when that is for ever.
	Muted      bool
	MutedUntil time.Time
	Draft      Draft
	// MarkedUnread by hand; reading it ends that.
	MarkedUnread bool
	// Hidden: out of the list until its next message.
	Hidden bool
	// Archived: put aside until the user takes it out; new messages do not.
	Archived bool
	// Folders are the ids of those that it is in.
	Folders []string
}

// Draft is what the user has begun to write; without Text there is none.
type Draft struct {
	Text     string // at most 16,384 bytes
	ReplyTo  uint64 // the seq of the message that it answers
	Mentions []string
}

// Folder is a list of conversations under a name.
type Folder struct {
	ID    string
	Name  string // 1 to 64 bytes
	Emoji string
	// Order is its place: the smallest comes first.
	Order int64
}

// privateValue is the value of a key of the user's own state, what waits in
// the outbox included, and the seq of the newest one that the server has.
// c.mu is held.
func (c *Client) privateValue(key string) (p *skeinv1.Private, seq uint64) {
	self := "~" + c.st.user
	if cv := c.st.convs[self]; cv != nil {
		if k := cv.keyed[key]; k != nil {
			p, seq = k.body.GetContent().GetPrivate(), k.seq
		}
	}
	for _, it := range c.st.outbox {
		if it.op == opSend && it.conv == self && it.key == key && it.state != Failed {
			p = it.body.GetContent().GetPrivate()
		}
	}
	return p, seq
}

// setPrivate sets a value of the user's own state and waits until the server
// has it. A nil value empties the key. What is refused is not kept.
func (c *Client) setPrivate(ctx context.Context, key string, p *skeinv1.Private) error {
	if p == nil {
		p = &skeinv1.Private{}
	}
	id, err := c.Self().key()
	if err != nil {
		return err
	}
	body := &skeinv1.Body{Scheme: skeinv1.BodyScheme_BODY_SCHEME_CONTENT, Content: &skeinv1.Content{Kind: &skeinv1.Content_Private{Private: p}}}
	m, wait, err := c.put(ctx, &item{conv: id, op: opSend, body: body, key: key})
	if err != nil {
		return err
	}
	if m, err = c.await(ctx, m, wait); err != nil && m.State == Failed {
		_ = c.Self().Discard(context.WithoutCancel(ctx), m)
	}
	return err
}

// clearPrivate empties a key, if it has a value.
func (c *Client) clearPrivate(ctx context.Context, key string) error {
	c.mu.RLock()
	p, _ := c.privateValue(key)
	c.mu.RUnlock()
	if p.GetValue() == nil {
		return nil
	}
	return c.setPrivate(ctx, key, nil)
}

// own sets a value of the user's own about a conversation.
func (v *Conversation) own(ctx context.Context, kind string, p *skeinv1.Private) error {
	id, err := v.key()
	if err != nil {
		return err
	}
	if p == nil {
		return v.c.clearPrivate(ctx, kind+id)
	}
	return v.c.setPrivate(ctx, kind+id, p)
}

// Own returns what the user has set of the conversation.
func (v *Conversation) Own() Own {
	v.c.mu.RLock()
	defer v.c.mu.RUnlock()
	value := func(kind string) *skeinv1.Private { p, _ := v.c.privateValue(kind + v.id); return p }
	var o Own
	if p := value("pin/").GetPin(); p != nil {
		o.Pinned, o.Order = true, p.Order
	}
	if m := value("mute/").GetMute(); m != nil {
		o.Muted = m.UntilUs == 0 || m.UntilUs > v.c.opt.Clock.Now().UnixMicro()
		if m.UntilUs > 0 {
			o.MutedUntil = time.UnixMicro(m.UntilUs)
		}
	}
	if d := value("draft/").GetDraft(); d.GetText() != "" {
		o.Draft = Draft{Text: d.Text, ReplyTo: d.ReplyToSeq, Mentions: slices.Clone(d.Mentions)}
	}
	o.Archived = value("archive/").GetArchive() != nil
	unread, hide := value("unread/").GetUnread(), value("hide/").GetHide()
	var read, head point
	if cv := v.c.st.convs[v.id]; cv != nil {
		read, head = cv.read, cv.head
	}
	o.MarkedUnread = unread != nil && read.seq <= unread.ReadSeq
	o.Hidden = hide != nil && head.ord <= hide.Ord
	for _, id := range value("in/").GetFolders().GetIds() {
		if p, _ := v.c.privateValue("folder/" + id); p.GetFolder() != nil {
			o.Folders = append(o.Folders, id)
		}
	}
	return o
}

// ownStep is the room between two places, so that others fit in.
const ownStep = 1 << 20

// Pin puts the conversation at the top of the list. At most 100: TooLarge.
func (v *Conversation) Pin(ctx context.Context) error {
	v.c.mu.RLock()
	order := int64(0)
	for _, key := range v.c.privateKeys("pin/") {
		if p, _ := v.c.privateValue(key); p.GetPin() != nil && key != "pin/"+v.id {
			order = min(order, p.GetPin().Order-ownStep)
		}
	}
	v.c.mu.RUnlock()
	return v.own(ctx, "pin/", &skeinv1.Private{Value: &skeinv1.Private_Pin{Pin: &skeinv1.PrivatePin{Order: order}}})
}

// privateKeys lists the keys of the user's own state that begin so. c.mu is
// held.
func (c *Client) privateKeys(prefix string) (keys []string) {
	self := "~" + c.st.user
	if cv := c.st.convs[self]; cv != nil {
		for key := range cv.keyed {
			keys = append(keys, key)
		}
	}
	for _, it := range c.st.outbox {
		if it.conv == self && it.key != "" {
			keys = append(keys, it.key)
		}
	}
	slices.Sort(keys)
	return slices.DeleteFunc(slices.Compact(keys), func(key string) bool { return !strings.HasPrefix(key, prefix) })
}

// Unpin takes it from the top of the list.
func (v *Conversation) Unpin(ctx context.Context) error { return v.own(ctx, "pin/", nil) }

// Mute keeps the conversation from disturbing, until a time or, with the zero
// time, for ever.
func (v *Conversation) Mute(ctx context.Context, until time.Time) error {
	m := &skeinv1.PrivateMute{}
	if !until.IsZero() {
		m.UntilUs = until.UnixMicro()
	}
	return v.own(ctx, "mute/", &skeinv1.Private{Value: &skeinv1.Private_Mute{Mute: m}})
}

// Unmute ends Mute.
func (v *Conversation) Unmute(ctx context.Context) error { return v.own(ctx, "mute/", nil) }

// SetDraft keeps what the user has begun to write; the zero Draft says that it
// was sent or given up. The draft that was written last wins, also over one
// that another device tells of later: then SetDraft changes nothing.
func (v *Conversation) SetDraft(ctx context.Context, d Draft) error {
	v.c.mu.RLock()
	before, _ := v.c.privateValue("draft/" + v.id)
	now := v.c.opt.Clock.Now().UnixMicro()
	v.c.mu.RUnlock()
	if d.Text == "" && before.GetDraft().GetText() == "" {
		return nil
	}
	at := max(now, before.GetDraft().GetTimeUs()+1)
	err := v.own(ctx, "draft/", &skeinv1.Private{Value: &skeinv1.Private_Draft{
		Draft: &skeinv1.PrivateDraft{TimeUs: at, Text: d.Text, ReplyToSeq: d.ReplyTo, Mentions: d.Mentions}}})
	if CodeOf(err) == FailedPrecondition {
		return nil
	}
	return err
}

// MarkUnread marks the conversation as unread; reading it ends that.
func (v *Conversation) MarkUnread(ctx context.Context) error {
	return v.own(ctx, "unread/", &skeinv1.Private{Value: &skeinv1.Private_Unread{Unread: &skeinv1.PrivateUnread{ReadSeq: v.ReadPosition().Seq}}})
}

// MarkRead reads all of it, and ends what MarkUnread did.
func (v *Conversation) MarkRead(ctx context.Context) error {
	if err := v.ReadAll(ctx); err != nil {
		return err
	}
	return v.own(ctx, "unread/", nil)
}

// Hide takes it out of the list until its next message.
func (v *Conversation) Hide(ctx context.Context) error {
	return v.own(ctx, "hide/", &skeinv1.Private{Value: &skeinv1.Private_Hide{Hide: &skeinv1.PrivateHide{Ord: v.Head().Ord}}})
}

// Unhide ends Hide.
func (v *Conversation) Unhide(ctx context.Context) error { return v.own(ctx, "hide/", nil) }

// Archive puts it aside until Unarchive; new messages do not bring it back.
func (v *Conversation) Archive(ctx context.Context) error {
	return v.own(ctx, "archive/", &skeinv1.Private{Value: &skeinv1.Private_Archive{Archive: &skeinv1.PrivateArchive{TimeUs: v.c.opt.Clock.Now().UnixMicro()}}})
}

// Unarchive ends Archive.
func (v *Conversation) Unarchive(ctx context.Context) error { return v.own(ctx, "archive/", nil) }

// SetFolders puts it into these folders and no other. A folder has at most 500
// conversations: TooLarge.
func (v *Conversation) SetFolders(ctx context.Context, ids ...string) error {
	if len(ids) == 0 {
		return v.own(ctx, "in/", nil)
	}
	return v.own(ctx, "in/", &skeinv1.Private{Value: &skeinv1.Private_Folders{Folders: &skeinv1.PrivateFolders{Ids: ids}}})
}

// Folders returns the user's folders in their order.
func (c *Client) Folders() (out []Folder) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, key := range c.privateKeys("folder/") {
		if p, _ := c.privateValue(key); p.GetFolder() != nil {
			f := p.GetFolder()
			out = append(out, Folder{ID: strings.TrimPrefix(key, "folder/"), Name: f.Name, Emoji: f.Emoji, Order: f.Order})
		}
	}
	slices.SortStableFunc(out, func(a, b Folder) int { return cmp.Or(cmp.Compare(a.Order, b.Order), cmp.Compare(a.ID, b.ID)) })
	return out
}

// SetFolder makes a folder, or changes the one with f.ID; without an ID it is
// a new one behind the others. At most 50: TooLarge. It returns the folder as
// it is.
func (c *Client) SetFolder(ctx context.Context, f Folder) (Folder, error) {
	if f.ID == "" {
		id, err := newClientID(c.opt.Clock.Now().UnixMilli(), c.opt.Entropy)
		if err != nil {
			return f, err
		}
		f.ID = hex.EncodeToString(idBytes(id))
		if all := c.Folders(); f.Order == 0 && len(all) > 0 {
			f.Order = all[len(all)-1].Order + ownStep
		}
	}
	return f, c.setPrivate(ctx, "folder/"+f.ID, &skeinv1.Private{Value: &skeinv1.Private_Folder{
		Folder: &skeinv1.PrivateFolder{Name: f.Name, Emoji: f.Emoji, Order: f.Order}}})
}

// RemoveFolder takes a folder away; its conversations stay.
func (c *Client) RemoveFolder(ctx context.Context, id string) error {
	return c.clearPrivate(ctx, "folder/"+id)
}

// Listed returns the conversations to show: pinned ones first in their order,
// then the newest; without hidden and archived ones.
func (c *Client) Listed() []*Conversation {
	out, own := c.Conversations(), map[string]Own{}
	out = slices.DeleteFunc(out, func(v *Conversation) bool {
		own[v.ID()] = v.Own()
		return own[v.ID()].Hidden || own[v.ID()].Archived
	})
	rank := func(v *Conversation) int64 {
		if o := own[v.ID()]; o.Pinned {
			return o.Order
		}
		return math.MaxInt64
	}
	slices.SortStableFunc(out, func(a, b *Conversation) int { return cmp.Compare(rank(a), rank(b)) })
	return out
}

// ClearHistory takes everything up to now away for the user, on all of their
// devices; others keep it. What it returns takes that back.
func (v *Conversation) ClearHistory(ctx context.Context) (undo func(context.Context) error, err error) {
	head := v.Head().Seq
	undo, err = v.hide(ctx, func(*skeinv1.PrivateHidden) *skeinv1.PrivateHidden {
		return &skeinv1.PrivateHidden{UpToSeq: head}
	})
	if err == nil {
		err = v.MarkRead(ctx)
	}
	return undo, err
}

// DeleteForMe takes messages away for the user, on all of their devices;
// others keep them. What it returns takes that back.
//
// Errors: TooLarge when more than 1,000 pieces are hidden: clear the history.
func (v *Conversation) DeleteForMe(ctx context.Context, ms ...Message) (undo func(context.Context) error, err error) {
	return v.hide(ctx, func(now *skeinv1.PrivateHidden) *skeinv1.PrivateHidden {
		ranges := slices.Clone(now.GetRanges())
		for _, m := range ms {
			if m.Seq > 0 && m.Conversation == v.ID() {
				ranges = append(ranges, &skeinv1.SeqRange{FromSeq: m.Seq, ToSeq: m.Seq})
			}
		}
		return joinHidden(now.GetUpToSeq(), ranges)
	})
}

// joinHidden sorts ranges and makes one of neighbours.
func joinHidden(upTo uint64, ranges []*skeinv1.SeqRange) *skeinv1.PrivateHidden {
	slices.SortFunc(ranges, func(a, b *skeinv1.SeqRange) int { return cmp.Compare(a.FromSeq, b.FromSeq) })
	h := &skeinv1.PrivateHidden{UpToSeq: upTo}
	for _, r := range ranges {
		n := len(h.Ranges)
		switch {
		case r.ToSeq <= h.UpToSeq:
		case n == 0 && r.FromSeq <= h.UpToSeq+1:
			h.UpToSeq = r.ToSeq
		case n > 0 && r.FromSeq <= h.Ranges[n-1].ToSeq+1:
			last := h.Ranges[n-1]
			h.Ranges[n-1] = &skeinv1.SeqRange{FromSeq: last.FromSeq, ToSeq: max(last.ToSeq, r.ToSeq)}
		default:
			h.Ranges = append(h.Ranges, &skeinv1.SeqRange{FromSeq: r.FromSeq, ToSeq: r.ToSeq})
		}
	}
	return h
}

// hideTries bounds how often a change is made again because another device
// was faster.
const hideTries = 5

// hide changes what is hidden of the conversation.
func (v *Conversation) hide(ctx context.Context, change func(now *skeinv1.PrivateHidden) *skeinv1.PrivateHidden) (func(context.Context) error, error) {
	for try := 1; ; try++ {
		v.c.mu.RLock()
		p, seq := v.c.privateValue("hidden/" + v.id)
		v.c.mu.RUnlock()
		before := p.GetHidden()
		next := change(before)
		if len(next.Ranges) > 1000 {
			return nil, &Error{Code: TooLarge, Message: "more than 1000 pieces are hidden", Hint: "clear the history instead"}
		}
		next.BaseSeq = seq
		err := v.own(ctx, "hidden/", &skeinv1.Private{Value: &skeinv1.Private_Hidden{Hidden: next}})
		if err == nil {
			return func(ctx context.Context) error {
				_, err := v.hide(ctx, func(*skeinv1.PrivateHidden) *skeinv1.PrivateHidden {
					return joinHidden(before.GetUpToSeq(), slices.Clone(before.GetRanges()))
				})
				return err
			}, nil
		}
		if try == hideTries || CodeOf(err) != FailedPrecondition {
			return nil, err
		}
		if err := v.newerThan(ctx, seq); err != nil {
			return nil, err
		}
	}
}

// newerThan waits until another device's value of what is hidden is here.
func (v *Conversation) newerThan(ctx context.Context, seq uint64) error {
	changed := make(chan struct{}, 1)
	off := v.c.OnConversation(func(ConversationEvent) {
		select {
		case changed <- struct{}{}:
		default:
		}
	})
	defer off()
	for {
		v.c.mu.RLock()
		_, now := v.c.privateValue("hidden/" + v.id)
		v.c.mu.RUnlock()
		if now != seq {
			return nil
		}
		if _, ok, ended := wait(v.c, ctx, changed); ended != nil {
			return ended
		} else if !ok {
			return aborted(ctx.Err())
		}
	}
}

// setHidden takes what the user has hidden out of what is held, and has the
// server asked for what is hidden no more.
func (r *reducer) setHidden(id string, before, now *skeinv1.PrivateHidden) {
	c := r.st.convs[id]
	if c == nil {
		return
	}
	if back := uncovered(before, now); back > 0 && c.ranges.giveUpBelow(back+1, c.from-1) {
		r.add(changeGap, c, 0)
		r.touch(c)
	}
	for _, p := range hiddenPieces(now) {
		r.removeRange(c, p.FromSeq, min(p.ToSeq, c.live), nil)
	}
	r.touch(c)
}

func hiddenPieces(h *skeinv1.PrivateHidden) []*skeinv1.SeqRange {
	if h.GetUpToSeq() == 0 {
		return h.GetRanges()
	}
	return append([]*skeinv1.SeqRange{{FromSeq: 1, ToSeq: h.GetUpToSeq()}}, h.GetRanges()...)
}

// uncovered is the last position that was hidden before and is not now; 0 = none.
func uncovered(before, now *skeinv1.PrivateHidden) (last uint64) {
	left := hiddenPieces(now)
	for _, p := range hiddenPieces(before) {
		if !slices.ContainsFunc(left, func(q *skeinv1.SeqRange) bool { return q.FromSeq <= p.FromSeq && p.ToSeq <= q.ToSeq }) {
			last = max(last, p.ToSeq)
		}
	}
	return last
}
