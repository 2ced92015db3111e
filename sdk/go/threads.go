package skein

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Replies is the thread below a message.
type Replies struct {
	Count    int
	LastSeq  uint64
	LastTime time.Time
	// Users are, of those who replied, the first five.
	Users []string
	// Unread is how many replies the user has not read; 0 for who does not
	// follow the thread.
	Unread int
	// Following: who started it, replied or was mentioned follows, unless they
	// said otherwise.
	Following bool
}

// Topic is a thread with a name, in a community.
type Topic struct {
	Name string // 1 to 128 bytes
	Icon string // an emoji, or empty
	// Closed: only who may manage topics writes into it.
	Closed bool
}

// Pin tells that a message was pinned, or its pin taken down.
type Pin struct {
	Seq     uint64
	Removed bool
}

func (v *Message) setBeside(s *state, c *conv, b *beside) {
	if v.Poll != nil {
		v.Poll.count(b.votes)
	}
	if !v.Recalled && !v.Expired {
		for _, x := range b.extensions {
			if v.Extensions == nil {
				v.Extensions = map[string][]byte{}
			}
			v.Extensions[x.GetKey()] = slices.Clone(x.GetValue())
		}
	}
	t := b.thread
	if t == nil {
		return
	}
	mark := s.threadMark(c.id, v.Seq)
	v.Replies = &Replies{Count: int(t.GetReplyCount()), LastSeq: t.GetLastSeq(), LastTime: time.UnixMicro(t.GetLastTimeUs()).UTC(),
		Users: slices.Clone(t.GetParticipants())}
	v.Replies.Following = mark.GetFollow() == followYes || mark.GetFollow() == 0 && (v.Sender == s.user || slices.Contains(t.GetParticipants(), s.user))
	if v.Replies.Following {
		v.Replies.Unread = max(0, v.Replies.Count-int(mark.GetReadCount()))
	}
}

// Values of PrivateThread.follow.
const (
	followYes = 1
	followNo  = 2
)

func threadKey(conv string, root uint64) string {
	return "thread/" + conv + "/" + strconv.FormatUint(root, 10)
}

// threadMark is what the user keeps of a thread, what is on its way included.
func (s *state) threadMark(conv string, root uint64) *skeinv1.PrivateThread {
	key, self := threadKey(conv, root), "~"+s.user
	for i := len(s.outbox) - 1; i >= 0; i-- {
		if it := s.outbox[i]; it.op == opSend && it.conv == self && it.key == key && it.state != Failed {
			return it.body.GetContent().GetPrivate().GetThread()
		}
	}
	if cv := s.convs[self]; cv != nil && cv.keyed[key] != nil {
		return cv.keyed[key].body.GetContent().GetPrivate().GetThread()
	}
	return nil
}

// ThreadOptions says which replies Thread shall read. The zero value is the
// newest page.
type ThreadOptions struct {
	Before, After uint64 // exclusive; one of them
	Limit         int    // 1 to 200, 0 = 50
}

// ThreadPage is a page of a thread.
type ThreadPage struct {
	Root    Message
	Replies []Message // oldest first, with those that are still being sent
	// AtStart and AtEnd: no reply lies before the first, behind the last.
	AtStart, AtEnd bool
}

// Thread reads the replies below a message from the server. News of them comes
// as OnMessage and OnMessageUpdated, with Message.Thread. A reply is sent by
// Send with Outgoing.Thread.
//
// Errors: NotFound, Unavailable without a network, Aborted, Closed.
func (v *Conversation) Thread(ctx context.Context, root uint64, o ThreadOptions) (ThreadPage, error) {
	var resp skeinv1.ListThreadResponse
	var page ThreadPage
	err := v.items(ctx, "ThreadService/ListThread", func(id string) proto.Message {
		return &skeinv1.ListThreadRequest{Conversation: id, RootSeq: root, BeforeSeq: o.Before, AfterSeq: o.After, Limit: uint32(min(max(o.Limit, 0), 200))}
	}, &resp, func() itemsEvent {
		return itemsEvent{asOf: resp.GetAsOfSeq(), incarnation: resp.GetIncarnation(), items: append([]*skeinv1.HistoryItem{resp.GetRoot()}, resp.GetItems()...)}
	}, func(ms []Message) {
		if len(ms) > 0 {
			page.Root, page.Replies = ms[0], ms[1:]
		}
	})
	page.AtStart, page.AtEnd = resp.GetAtStart(), resp.GetAtEnd()
	if err != nil || !page.AtEnd {
		return page, err
	}
	err = v.c.do(ctx, func() {
		for _, it := range v.c.st.outbox {
			if it.op == opSend && it.conv == v.id && it.opts.ThreadSeq == root {
				page.Replies = append(page.Replies, v.c.st.viewItem(it))
			}
		}
	})
	return page, err
}

// Threads reads the threads of the conversation, the one with the newest reply
// first: at most limit roots (0 = 30), and what to give as before for more.
func (v *Conversation) Threads(ctx context.Context, limit int, before uint64) (roots []Message, next uint64, err error) {
	var resp skeinv1.ListThreadsResponse
	err = v.items(ctx, "ThreadService/ListThreads", func(id string) proto.Message {
		return &skeinv1.ListThreadsRequest{Conversation: id, Limit: uint32(min(max(limit, 0), 100)), BeforeSeq: before}
	}, &resp, func() itemsEvent {
		return itemsEvent{asOf: resp.GetAsOfSeq(), incarnation: resp.GetIncarnation(), items: resp.GetRoots()}
	}, func(ms []Message) { roots = ms })
	return roots, resp.GetNextBeforeSeq(), err
}

// ReadThread notes that the user has read a thread up to a reply of which root
// tells the newest: it counts on all devices, and the further one wins.
func (v *Conversation) ReadThread(ctx context.Context, root Message) error {
	if root.Replies == nil {
		return nil
	}
	return v.markThread(ctx, root.Seq, func(t *skeinv1.PrivateThread) bool {
		if t.ReadSeq >= root.Replies.LastSeq {
			return false
		}
		t.ReadSeq, t.ReadCount = root.Replies.LastSeq, uint32(root.Replies.Count)
		return true
	})
}

// FollowThread says that the user follows a thread, or does not.
func (v *Conversation) FollowThread(ctx context.Context, root uint64, follow bool) error {
	return v.markThread(ctx, root, func(t *skeinv1.PrivateThread) bool {
		t.Follow = followNo
		if follow {
			t.Follow = followYes
		}
		return true
	})
}

// items makes a call that returns messages, takes what they say, and shows them
// in their order.
func (v *Conversation) items(ctx context.Context, method string, ask func(id string) proto.Message, resp proto.Message, take func() itemsEvent,
	show func([]Message)) error {
	id, err := v.key()
	if err != nil {
		return err
	}
	was := v.c.incarnation()
	if err := v.c.rpc(ctx, method, ask(id), resp); err != nil {
		return err
	}
	ev := take()
	ev.conv = id
	return v.c.do(ctx, func() {
		v.c.applyAnswer(was, ev)
		cv := v.c.st.convs[id]
		var out []Message
		for _, it := range ev.items {
			if cv == nil {
				break
			}
			m := cv.msgs[it.GetEntry().GetSeq()]
			if m == nil { // given up already: as it was answered
				m = &msg{entry: it.GetEntry(), reactions: it.GetReactions(), beside: besideOf(it), asOf: ev.asOf}
			}
			out = append(out, v.c.st.viewMessage(cv, m))
		}
		show(out)
	})
}

// changed is change that shows the message which the entry is.
func (v *Conversation) changed(ctx context.Context, call func(id string, cid []byte) (*skeinv1.Entry, error), out *Message) error {
	var e *skeinv1.Entry
	if err := v.change(ctx, func(id string, cid []byte) (_ *skeinv1.Entry, err error) {
		e, err = call(id, cid)
		return e, err
	}); err != nil {
		return err
	}
	return v.c.do(ctx, func() {
		if cv := v.c.st.convs[e.GetConversation()]; cv != nil {
			*out = v.c.st.viewMessage(cv, &msg{entry: e, asOf: e.GetSeq()})
		}
	})
}

// setKey sets a value of the self conversation and waits for the server.
func (v *Conversation) setKey(ctx context.Context, key string, body *skeinv1.Body) error {
	id, err := v.key()
	if err != nil {
		return err
	}
	m, wait, err := v.c.put(ctx, &item{conv: id, op: opSend, body: body, key: key})
	if err == nil {
		_, err = v.c.await(ctx, m, wait)
	}
	return err
}

// markThread changes what the user keeps of a thread.
func (v *Conversation) markThread(ctx context.Context, root uint64, change func(*skeinv1.PrivateThread) bool) error {
	id, err := v.key()
	if err != nil {
		return err
	}
	var body *skeinv1.Body
	if err := v.c.do(ctx, func() {
		old := v.c.st.threadMark(id, root)
		t := &skeinv1.PrivateThread{ReadSeq: old.GetReadSeq(), ReadCount: old.GetReadCount(), Follow: old.GetFollow()}
		if change(t) {
			body = &skeinv1.Body{Scheme: skeinv1.BodyScheme_BODY_SCHEME_CONTENT, Content: &skeinv1.Content{Kind: &skeinv1.Content_Private{
				Private: &skeinv1.Private{Value: &skeinv1.Private_Thread{Thread: t}}}}}
		}
	}); err != nil || body == nil {
		return err
	}
	return v.c.Self().setKey(ctx, threadKey(id, root), body)
}

// CreateTopic begins a topic in a community and returns its root.
//
// Errors: PermissionDenied, FailedPrecondition (no community, 500 topics), NotFound.
func (v *Conversation) CreateTopic(ctx context.Context, name, icon string) (Message, error) {
	var root Message
	err := v.changed(ctx, func(id string, cid []byte) (*skeinv1.Entry, error) {
		var resp skeinv1.CreateTopicResponse
		err := v.c.rpc(ctx, "ThreadService/CreateTopic", &skeinv1.CreateTopicRequest{Conversation: id, Name: name, Icon: icon, ClientId: cid}, &resp)
		return resp.GetEntry(), err
	}, &root)
	return root, err
}

// UpdateTopic changes a topic's name and icon.
func (v *Conversation) UpdateTopic(ctx context.Context, root uint64, name, icon string) error {
	return v.change(ctx, func(id string, cid []byte) (*skeinv1.Entry, error) {
		var resp skeinv1.UpdateTopicResponse
		err := v.c.rpc(ctx, "ThreadService/UpdateTopic", &skeinv1.UpdateTopicRequest{Conversation: id, RootSeq: root, Name: name, Icon: icon, ClientId: cid}, &resp)
		return resp.GetEntry(), err
	})
}

// CloseTopic lets nobody write into a topic any more, or opens it again.
func (v *Conversation) CloseTopic(ctx context.Context, root uint64, reopen bool) error {
	return v.change(ctx, func(id string, cid []byte) (*skeinv1.Entry, error) {
		var resp skeinv1.CloseTopicResponse
		err := v.c.rpc(ctx, "ThreadService/CloseTopic", &skeinv1.CloseTopicRequest{Conversation: id, RootSeq: root, Reopen: reopen, ClientId: cid}, &resp)
		return resp.GetEntry(), err
	})
}

// Topics reads the topics of a community, oldest first: at most limit (0 =
// 100), and what to give as after for more.
func (v *Conversation) Topics(ctx context.Context, limit int, after uint64) (topics []Message, next uint64, err error) {
	var resp skeinv1.ListTopicsResponse
	err = v.items(ctx, "ThreadService/ListTopics", func(id string) proto.Message {
		return &skeinv1.ListTopicsRequest{Conversation: id, Limit: uint32(min(max(limit, 0), 200)), AfterSeq: after}
	}, &resp, func() itemsEvent {
		return itemsEvent{asOf: resp.GetAsOfSeq(), incarnation: resp.GetIncarnation(), items: resp.GetTopics()}
	}, func(ms []Message) { topics = ms })
	return topics, resp.GetNextAfterSeq(), err
}

// PinnedMessage is a message with who pinned it.
type PinnedMessage struct {
	Message Message
	User    string
	Time    time.Time
}

// PinMessage pins a message: at most 100 in a conversation; in a group by who has the
// grant. Pinning what is pinned does nothing.
//
// Errors: PermissionDenied, FailedPrecondition (100 are pinned, recalled), NotFound.
func (v *Conversation) PinMessage(ctx context.Context, seq uint64) error {
	return v.change(ctx, func(id string, cid []byte) (*skeinv1.Entry, error) {
		var resp skeinv1.PinMessageResponse
		err := v.c.rpc(ctx, "PinService/PinMessage", &skeinv1.PinMessageRequest{Conversation: id, Seq: seq, ClientId: cid}, &resp)
		return resp.GetEntry(), err
	})
}

// UnpinMessage takes a pin down.
func (v *Conversation) UnpinMessage(ctx context.Context, seq uint64) error {
	return v.change(ctx, func(id string, cid []byte) (*skeinv1.Entry, error) {
		var resp skeinv1.UnpinMessageResponse
		err := v.c.rpc(ctx, "PinService/UnpinMessage", &skeinv1.UnpinMessageRequest{Conversation: id, Seq: seq, ClientId: cid}, &resp)
		return resp.GetEntry(), err
	})
}

// Pins reads the pinned messages from the server, the newest pin first.
func (v *Conversation) Pins(ctx context.Context) ([]PinnedMessage, error) {
	var resp skeinv1.ListPinsResponse
	var out []PinnedMessage
	err := v.items(ctx, "PinService/ListPins", func(id string) proto.Message { return &skeinv1.ListPinsRequest{Conversation: id} }, &resp, func() itemsEvent {
		ev := itemsEvent{asOf: resp.GetAsOfSeq(), incarnation: resp.GetIncarnation()}
		for _, p := range resp.GetPins() {
			ev.items = append(ev.items, p.GetItem())
		}
		return ev
	}, func(ms []Message) {
		for i, p := range resp.GetPins() {
			if i < len(ms) {
				out = append(out, PinnedMessage{ms[i], p.GetUser(), time.UnixMicro(p.GetTimeUs()).UTC()})
			}
		}
	})
	return out, err
}

// Pinned returns the seqs of the pinned messages that this device knows of, the
// newest pin first. It asks nobody.
func (v *Conversation) Pinned() (seqs []uint64) {
	type pin struct{ seq, at uint64 }
	var pins []pin
	v.look(func(cv *conv) {
		for key, val := range cv.keyed {
			if p := val.body.GetContent().GetPin(); strings.HasPrefix(key, "pinned/") && p != nil && !p.GetRemoved() {
				pins = append(pins, pin{p.GetSeq(), val.seq})
			}
		}
	})
	slices.SortFunc(pins, func(a, b pin) int { return cmp.Compare(b.at, a.at) })
	for _, p := range pins {
		seqs = append(seqs, p.seq)
	}
	return seqs
}

// SetExtension attaches a value of at most 4 KiB to a message under a key of 1
// to 64 bytes, or with nil takes it away. The newest value counts; a message
// has at most 256 keys.
//
// Errors: NotFound, TooLarge, FailedPrecondition (256 keys, recalled).
func (v *Conversation) SetExtension(ctx context.Context, seq uint64, key string, value []byte) error {
	return v.change(ctx, func(id string, cid []byte) (*skeinv1.Entry, error) {
		var resp skeinv1.SetExtensionResponse
		err := v.c.rpc(ctx, "ExtensionService/SetExtension", &skeinv1.SetExtensionRequest{Conversation: id, Seq: seq, ClientId: cid,
			Extension: &skeinv1.Extension{Key: key, Value: value, Removed: value == nil}}, &resp)
		return resp.GetEntry(), err
	})
}

// ListExtensions reads what is attached to a message from the server.
func (v *Conversation) ListExtensions(ctx context.Context, seq uint64) (map[string][]byte, error) {
	id, err := v.key()
	if err != nil {
		return nil, err
	}
	var resp skeinv1.ListExtensionsResponse
	if err := v.c.rpc(ctx, "ExtensionService/ListExtensions", &skeinv1.ListExtensionsRequest{Conversation: id, Seq: seq}, &resp); err != nil {
		return nil, err
	}
	out := map[string][]byte{}
	for _, x := range resp.GetExtensions() {
		out[x.GetKey()] = x.GetValue()
	}
	return out, nil
}
