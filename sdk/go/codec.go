package skein

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// encodeMessage writes asOf and folded as varints, then the protocol's
// HistoryItem: the row as it is now with its reactions.
func encodeMessage(m *msg) ([]byte, error) {
	b := binary.AppendUvarint(nil, m.asOf)
	b = binary.AppendUvarint(b, uint64(m.folded))
	return proto.MarshalOptions{}.MarshalAppend(b, &skeinv1.HistoryItem{Entry: m.entry, Reactions: m.reactions, Votes: m.votes, Extensions: m.extensions, Thread: m.thread})
}

func decodeMessage(b []byte) (*msg, error) {
	asOf, n := binary.Uvarint(b)
	if n <= 0 {
		return nil, errorf(Storage, nil, "a stored message is damaged")
	}
	folded, k := binary.Uvarint(b[n:])
	if k <= 0 {
		return nil, errorf(Storage, nil, "a stored message is damaged")
	}
	var it skeinv1.HistoryItem
	if err := proto.Unmarshal(b[n+k:], &it); err != nil {
		return nil, errorf(Storage, err, "a stored message is damaged")
	}
	return &msg{entry: it.GetEntry(), reactions: it.GetReactions(), beside: besideOf(&it), asOf: asOf, folded: uint32(folded)}, nil
}

// saved is what goes into the store for a message.
func saved(m *msg) (SavedMessage, error) {
	b, err := encodeMessage(m)
	if err != nil {
		return SavedMessage{}, errorf(Internal, err, "encode a message")
	}
	e := m.entry
	return SavedMessage{Conversation: e.GetConversation(), Seq: e.GetSeq(), TimeUS: e.GetTimeUs(),
		Text: strings.ToLower(searchable(e.GetBody())), Data: b}, nil
}

// searchable is the text that a body can be found by.
func searchable(b *skeinv1.Body) string {
	return searchableContent(b.GetContent())
}

// convRow is a conversation in the store.
type convRow struct {
	Kind              int32
	Title             string               `json:",omitempty"`
	Members           uint32               `json:",omitempty"`
	Created, Activity int64                `json:",omitempty"`
	Meta              uint64               `json:",omitempty"`
	Role              int32                `json:",omitempty"`
	From, To          uint64               `json:",omitempty"`
	Head, Read        [2]uint64            `json:",omitempty"`
	Settings, Attrs   []byte               `json:",omitempty"` // encoded
	LastOwn           int64                `json:",omitempty"`
	Live, ReadUnsent  uint64               `json:",omitempty"`
	Ranges            [][2]uint64          `json:",omitempty"`
	Markers           map[string][2]uint64 `json:",omitempty"`
	Keyed             map[string]keyedRow  `json:",omitempty"`
	Incarnation       string               `json:",omitempty"`
}

type keyedRow struct {
	Seq  uint64
	Body []byte
}

func encodeConv(c *conv) ([]byte, error) {
	r := convRow{Kind: int32(c.kind), Title: c.title, Members: c.members, Created: c.created, Activity: c.activity, Meta: c.meta,
		Role: int32(c.role), From: c.from, To: c.to, Head: [2]uint64{c.head.seq, c.head.ord}, Read: [2]uint64{c.read.seq, c.read.ord},
		Live: c.live, ReadUnsent: c.readUnsent, Incarnation: c.incarnation, LastOwn: c.lastOwn}
	var err error
	if c.settings != nil {
		if r.Settings, err = proto.Marshal(c.settings); err != nil {
			return nil, fmt.Errorf("encode %s: %w", c.id, err)
		}
	}
	if c.attrs != nil {
		if r.Attrs, err = proto.Marshal(c.attrs); err != nil {
			return nil, fmt.Errorf("encode %s: %w", c.id, err)
		}
	}
	for _, s := range c.ranges {
		r.Ranges = append(r.Ranges, [2]uint64{s.from, s.to})
	}
	if len(c.markers) > 0 {
		r.Markers = map[string][2]uint64{}
		for u, p := range c.markers {
			r.Markers[u] = [2]uint64{p.seq, p.ord}
		}
	}
	if len(c.keyed) > 0 {
		r.Keyed = map[string]keyedRow{}
		for k, v := range c.keyed {
			b, err := proto.Marshal(v.body)
			if err != nil {
				return nil, fmt.Errorf("encode %s: %w", c.id, err)
			}
			r.Keyed[k] = keyedRow{v.seq, b}
		}
	}
	return json.Marshal(r)
}

func decodeConv(id string, b []byte) (*conv, error) {
	var r convRow
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, errorf(Storage, err, "a stored conversation is damaged")
	}
	c := newConv(id, r.Incarnation)
	c.kind, c.title, c.members, c.created, c.activity, c.meta = skeinv1.ConversationKind(r.Kind), r.Title, r.Members, r.Created, r.Activity, r.Meta
	c.role, c.from, c.to = skeinv1.Role(r.Role), r.From, r.To
	c.head, c.read = point{r.Head[0], r.Head[1]}, point{r.Read[0], r.Read[1]}
	c.live, c.floor, c.readUnsent, c.lastOwn = r.Live, r.Live, r.ReadUnsent, r.LastOwn
	if r.Settings != nil {
		c.settings = &skeinv1.GroupSettings{}
		if err := proto.Unmarshal(r.Settings, c.settings); err != nil {
			return nil, errorf(Storage, err, "a stored conversation is damaged")
		}
	}
	if r.Attrs != nil {
		c.attrs = &skeinv1.MemberAttrs{}
		if err := proto.Unmarshal(r.Attrs, c.attrs); err != nil {
			return nil, errorf(Storage, err, "a stored conversation is damaged")
		}
	}
	for _, s := range r.Ranges {
		c.ranges = append(c.ranges, span{s[0], s[1]})
	}
	for u, p := range r.Markers {
		c.markers[u] = point{p[0], p[1]}
	}
	for k, v := range r.Keyed {
		body := &skeinv1.Body{}
		if err := proto.Unmarshal(v.Body, body); err != nil {
			return nil, errorf(Storage, err, "a stored conversation is damaged")
		}
		c.keyed[k] = &keyedValue{v.Seq, body}
	}
	return c, nil
}

// itemRow is an outbox item in the store.
type itemRow struct {
	Conversation      string
	Op                opKind
	Body              []byte   `json:",omitempty"`
	Emoji             string   `json:",omitempty"`
	Remove, Handshake bool     `json:",omitempty"`
	Key               string   `json:",omitempty"`
	ToDevices         []string `json:",omitempty"`
	Options           sendOptions
	TargetID          string `json:",omitempty"`
	TargetSeq         uint64 `json:",omitempty"`
	Time              int64
	State             MessageState
	Code              Code      `json:",omitempty"`
	Message, Hint     string    `json:",omitempty"`
	Seq, Ord          uint64    `json:",omitempty"`
	AckTime           int64     `json:",omitempty"`
	Attempts          int       `json:",omitempty"`
	FirstTryMS        int64     `json:",omitempty"`
	Files             *filesRow `json:",omitempty"`
}

func encodeItem(it *item) (SavedItem, error) {
	r := itemRow{Conversation: it.conv, Op: it.op, Emoji: it.emoji, Remove: it.remove, Handshake: it.handshake, Key: it.key,
		ToDevices: it.toDevices, Options: it.opts, TargetID: it.targetID, TargetSeq: it.targetSeq, Time: it.time, State: it.state,
		Seq: it.seq, Ord: it.ord, AckTime: it.ackTime, Attempts: it.attempts, FirstTryMS: it.firstTryMS}
	if it.body != nil {
		b, err := proto.Marshal(it.body)
		if err != nil {
			return SavedItem{}, fmt.Errorf("encode an outbox item: %w", err)
		}
		r.Body = b
	}
	if it.err != nil {
		r.Code, r.Message, r.Hint = it.err.Code, it.err.Message, it.err.Hint
	}
	var err error
	if r.Files, err = encodeFiles(it.files); err != nil {
		return SavedItem{}, err
	}
	b, err := json.Marshal(r)
	return SavedItem{ID: it.id, Order: it.order, Data: b}, err
}

func decodeItem(s SavedItem) (*item, error) {
	var r itemRow
	if err := json.Unmarshal(s.Data, &r); err != nil {
		return nil, errorf(Storage, err, "a stored outbox item is damaged")
	}
	it := &item{id: s.ID, order: s.Order, conv: r.Conversation, op: r.Op, emoji: r.Emoji, remove: r.Remove, handshake: r.Handshake,
		key: r.Key, toDevices: r.ToDevices, opts: r.Options, targetID: r.TargetID, targetSeq: r.TargetSeq, time: r.Time, state: r.State,
		seq: r.Seq, ord: r.Ord, ackTime: r.AckTime, attempts: r.Attempts, firstTryMS: r.FirstTryMS}
	if r.Body != nil {
		it.body = &skeinv1.Body{}
		if err := proto.Unmarshal(r.Body, it.body); err != nil {
			return nil, errorf(Storage, err, "a stored outbox item is damaged")
		}
	}
	if r.Code != "" {
		it.err = &Error{Code: r.Code, Message: r.Message, Hint: r.Hint}
	}
	var err error
	it.files, err = decodeFiles(r.Files)
	return it, err
}

// loadState rebuilds the state from a store. Messages come when asked for.
func loadState(s Saved) (*state, error) {
	st := newState(s.Meta.User)
	st.incarnation, st.cursor = s.Meta.Incarnation, slices.Clone(s.Meta.Cursor)
	for _, row := range s.Conversations {
		c, err := decodeConv(row.ID, row.Data)
		if err != nil {
			return nil, err
		}
		st.convs[c.id] = c
		st.noteHole(c.id)
	}
	for _, row := range s.Outbox {
		it, err := decodeItem(row)
		if err != nil {
			return nil, err
		}
		st.outbox = append(st.outbox, it)
		if it.state == Sent {
			st.acked++
		}
		st.nextOrder = max(st.nextOrder, it.order)
	}
	return st, nil
}
