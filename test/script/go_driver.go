package script

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	skein "github.com/skein-im/skein/sdk/go"
	"github.com/skein-im/skein/sdk/go/sqlitestore"
)

// goDriver drives the Go SDK in this process, on its SQLite store.
type goDriver struct {
	options skein.Options
	store   *sqlitestore.Store
	changed chan struct{}
	code    *skein.SignInCode // that this device shows
	files   *goFiles

	mu     sync.Mutex // guards the rest
	client *skein.Client
	token  string
	typing map[string]map[string]bool // conversation → users
	online map[string]bool
	heard  commands
	live   goRooms
	undo   func(context.Context) error // of what was deleted last
	rang   map[string]string           // conversation → the call that this device started last
}

// OpenGo opens a device of the Go SDK.
func OpenGo(t *testing.T, endpoint, app, user, device string) Driver {
	t.Helper()
	store, err := sqlitestore.Open(filepath.Join(t.TempDir(), "device.db"))
	if err != nil {
		t.Fatal(err)
	}
	d := &goDriver{store: store, changed: make(chan struct{}, 1), typing: map[string]map[string]bool{}, online: map[string]bool{}, files: newGoFiles(t.TempDir())}
	d.options = skein.Options{HTTPClient: &http.Client{Transport: d.files}, Endpoint: endpoint, AppID: app, User: user, DeviceID: device, DeviceName: device, Platform: skein.Desktop,
		Store: store, Token: func(context.Context) (string, error) {
			d.mu.Lock()
			defer d.mu.Unlock()
			return d.token, nil
		}}
	return d
}

// Changed implements Driver.
func (d *goDriver) Changed() <-chan struct{} { return d.changed }

// Close implements Driver.
func (d *goDriver) Close() {
	d.files.hold(false)
	d.end()
	d.files.CloseIdleConnections()
	d.store.Close()
}

func (d *goDriver) end() {
	d.mu.Lock()
	c := d.client
	d.client = nil
	d.mu.Unlock()
	if c != nil {
		c.Close()
	}
	d.poke()
}

func (d *goDriver) poke() {
	select {
	case d.changed <- struct{}{}:
	default:
	}
}

// open returns the client, made when there is none.
func (d *goDriver) open() (*skein.Client, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.client != nil {
		return d.client, nil
	}
	c, err := skein.New(d.options)
	if err != nil {
		return nil, err
	}
	d.client = c
	clear(d.typing)
	c.OnState(func(skein.StateEvent) { d.poke() })
	c.OnMessage(func(skein.MessageEvent) { d.poke() })
	c.OnMessageUpdated(func(skein.MessageEvent) { d.poke() })
	c.OnMessageRemoved(func(skein.MessageEvent) { d.poke() })
	c.OnConversation(func(skein.ConversationEvent) { d.poke() })
	c.OnTyping(func(e skein.TypingEvent) {
		d.mu.Lock()
		if d.typing[e.Conversation.ID()] == nil {
			d.typing[e.Conversation.ID()] = map[string]bool{}
		}
		d.typing[e.Conversation.ID()][e.User] = e.Typing
		d.mu.Unlock()
		d.poke()
	})
	c.OnUpload(func(skein.UploadEvent) { d.poke() })
	c.OnCommand(func(e skein.CommandEvent) {
		d.heard.add(e.Type + " " + string(e.Data) + " of " + e.User)
		d.poke()
	})
	c.OnPresence(func(e skein.PresenceEvent) {
		d.mu.Lock()
		d.online[e.Presence.User] = e.Presence.Online
		d.mu.Unlock()
		d.poke()
	})
	return c, nil
}

// windowSize is more than any script loads.
const windowSize = 1000

// View implements Driver.
func (d *goDriver) View(ctx context.Context) (View, error) {
	d.mu.Lock()
	c := d.client
	v := View{State: "closed", Online: map[string]bool{}}
	for u, on := range d.online {
		v.Online[u] = on
	}
	d.mu.Unlock()
	if c == nil {
		return v, nil
	}
	v.State = string(c.State())
	for _, conv := range c.Conversations() {
		cv := ConversationView{ID: conv.ID(), Title: conv.Title(), Unread: conv.Unread(), HeadSeq: int(conv.Head().Seq), Members: conv.MemberCount(),
			Role: string(conv.Role()), ReadSeq: int(conv.ReadPosition().Seq), DeliveredSeq: int(conv.DeliveredSeq()), Markers: map[string]int{}}
		for u, p := range conv.ReadMarkers() {
			cv.Markers[u] = int(p.Seq)
		}
		d.mu.Lock()
		for u, on := range d.typing[conv.ID()] {
			if on {
				cv.Typing = append(cv.Typing, u)
			}
		}
		d.mu.Unlock()
		ms, err := conv.Messages(ctx, windowSize)
		if err != nil {
			return v, err
		}
		for _, m := range ms {
			cv.Messages = append(cv.Messages, goMessage(m))
		}
		v.Conversations = append(v.Conversations, cv)
	}
	return v, nil
}

func goMessage(m skein.Message) MessageView {
	v := MessageView{ID: m.ID, Seq: int(m.Seq), Sender: m.Sender, Kind: string(m.Kind), Text: m.Text, State: string(m.State), Edited: m.Edited,
		Recalled: m.Recalled, Expired: m.Expired, ReplyTo: int(m.ReplyTo), Mentions: m.Mentions, Reactions: map[string]int{}}
	if m.Custom != nil {
		v.Type = m.Custom.Type
	}
	if m.Err != nil {
		v.Error = string(m.Err.Code)
	}
	for _, r := range m.Reactions {
		v.Reactions[r.Emoji] = r.Count
	}
	return v
}

// Do implements Driver.
func (d *goDriver) Do(ctx context.Context, c Command) (json.RawMessage, error) {
	res, err := d.run(ctx, c)
	var se *skein.Error
	if errors.As(err, &se) {
		return nil, &Failure{Code: string(se.Code), Message: se.Message}
	}
	if err != nil {
		return nil, err
	}
	return json.Marshal(res)
}

// goVerb runs a verb of a domain on a device of the Go SDK.
type goVerb func(ctx context.Context, d *goDriver, client *skein.Client, c Command) (any, error)

// goVerbs are the verbs of the domains, each in its go_driver_<domain>.go.
var goVerbs = merged[goVerb](
	goGroupVerbs(),
	goPeopleVerbs(),
	goMessagesVerbs(),
	ownGoVerbs,
	searchGoVerbs,
	timedGoVerbs,
	receiptGoVerbs,
	goJoinVerbs(),
	goBoardVerbs(),
	goRoomVerbs(),
	goThreadVerbs(),
	filesGoVerbs,
	callGoVerbs,
)

func (d *goDriver) run(ctx context.Context, c Command) (any, error) {
	switch c.Verb {
	case "token":
		d.mu.Lock()
		d.token = c.Token
		d.mu.Unlock()
		return nil, nil
	case "visit":
		return d.visit(ctx)
	case "close":
		d.end()
		return nil, nil
	}
	client, err := d.open()
	if err != nil {
		return nil, err
	}
	if run, ok := goVerbs[c.Verb]; ok {
		return run(ctx, d, client, c)
	}
	switch c.Verb {
	case "connect":
		return nil, client.Connect(ctx)
	case "start":
		go client.Connect(context.WithoutCancel(ctx)) // ends with the client
		return nil, nil
	case "create":
		_, err := client.CreateGroup(ctx, skein.NewGroup{ID: c.Conversation, Title: c.Title, Members: c.Users})
		return nil, err
	case "devices":
		ds, err := client.Devices(ctx)
		ids := make([]string, 0, len(ds))
		for _, x := range ds {
			ids = append(ids, x.ID)
		}
		return ids, err
	case "signout":
		return nil, client.SignOut(ctx, c.Device)
	case "watch":
		return nil, client.WatchPresence(ctx, c.Users...)
	case "search":
		o := skein.SearchOptions{}
		if c.Conversation != "" {
			o.Conversation = client.Conversation(c.Conversation)
		}
		ms, err := client.Search(ctx, c.Text, o)
		return views(ms), err
	}
	return d.inConversation(ctx, client.Conversation(c.Conversation), c)
}

func views(ms []skein.Message) []MessageView {
	out := make([]MessageView, 0, len(ms))
	for _, m := range ms {
		out = append(out, goMessage(m))
	}
	return out
}

// inConversation runs the verbs that have a conversation.
func (d *goDriver) inConversation(ctx context.Context, conv *skein.Conversation, c Command) (any, error) {
	switch c.Verb {
	case "open": // the newest window, from the server when it is not here
		for _, err := range conv.History(ctx, skein.HistoryOptions{Limit: 200}) {
			if skein.CodeOf(err) == skein.NotFound || skein.CodeOf(err) == skein.Unavailable {
				err = nil // shown is what is here
			}
			return nil, err
		}
		return nil, nil
	case "older":
		for _, err := range conv.History(ctx, skein.HistoryOptions{Limit: 200}) {
			if err != nil {
				return nil, err
			}
		}
		return nil, nil
	case "send", "post":
		o, err := d.outgoing(ctx, conv, c)
		if err != nil {
			return nil, err
		}
		var m skein.Message
		if c.Verb == "send" {
			m, err = conv.Send(ctx, o)
		} else {
			m, err = conv.Enqueue(ctx, o)
		}
		return goMessage(m), err
	case "read":
		if c.Message == "" {
			return nil, conv.ReadAll(ctx)
		}
		m, err := find(ctx, conv, c.Message)
		if err != nil {
			return nil, err
		}
		return nil, conv.Read(ctx, m.Seq)
	case "typing":
		if c.Remove {
			conv.StopTyping()
		} else {
			conv.Typing()
		}
		return nil, nil
	case "history":
		return history(ctx, conv, c)
	case "members":
		var out []string
		for m, err := range conv.ListMembers(ctx) {
			if err != nil {
				return nil, err
			}
			out = append(out, m.User+"="+string(m.Role))
		}
		return out, nil
	case "add":
		return nil, conv.AddMembers(ctx, c.Users...)
	case "remove":
		return nil, conv.RemoveMember(ctx, c.Users[0])
	case "leave":
		return nil, conv.Leave(ctx)
	case "role":
		return nil, conv.SetRole(ctx, c.Users[0], skein.Role(c.Role))
	case "title":
		return nil, conv.SetTitle(ctx, c.Title)
	}
	return d.onMessage(ctx, conv, c)
}

// onMessage runs the verbs that have a message.
func (d *goDriver) onMessage(ctx context.Context, conv *skein.Conversation, c Command) (any, error) {
	m, err := find(ctx, conv, c.Message)
	if err != nil {
		return nil, err
	}
	switch c.Verb {
	case "edit":
		o, err := d.outgoing(ctx, conv, c)
		if err != nil {
			return nil, err
		}
		return nil, conv.Edit(ctx, m, o)
	case "recall":
		return nil, conv.Recall(ctx, m)
	case "react":
		if c.Remove {
			return nil, conv.Unreact(ctx, m, c.Emoji)
		}
		return nil, conv.React(ctx, m, c.Emoji)
	case "retry":
		m, err := conv.Retry(ctx, m)
		return goMessage(m), err
	case "discard":
		return nil, conv.Discard(ctx, m)
	case "edits":
		rs, err := conv.Edits(ctx, m)
		texts := make([]string, 0, len(rs))
		for _, r := range rs {
			texts = append(texts, r.Text)
		}
		return texts, err
	}
	return nil, fmt.Errorf("no verb %s", c.Verb)
}

func (d *goDriver) outgoing(ctx context.Context, conv *skein.Conversation, c Command) (skein.Outgoing, error) {
	o := skein.Outgoing{Text: c.Text, Mentions: c.Mentions}
	if c.Type != "" {
		o.Text, o.Custom = "", &skein.Custom{Type: c.Type, Data: []byte(c.Text), Summary: c.Text}
	}
	if c.ReplyTo != "" {
		m, err := find(ctx, conv, c.ReplyTo)
		if err != nil {
			return o, err
		}
		o.ReplyTo = m.Seq
	}
	return o, nil
}

func find(ctx context.Context, conv *skein.Conversation, id string) (skein.Message, error) {
	ms, err := conv.Messages(ctx, windowSize)
	if err != nil {
		return skein.Message{}, err
	}
	for _, m := range ms {
		if m.ID == id {
			return m, nil
		}
	}
	return skein.Message{}, fmt.Errorf("no message %s is here", id)
}

// history walks backwards to the start and returns all of it, oldest first.
func history(ctx context.Context, conv *skein.Conversation, c Command) (any, error) {
	o := skein.HistoryOptions{Limit: c.Limit}
	if c.Message != "" {
		m, err := find(ctx, conv, c.Message)
		if err != nil {
			return nil, err
		}
		o.Before = m.Seq
	}
	out := []MessageView{}
	for page, err := range conv.History(ctx, o) {
		if err != nil {
			return nil, err
		}
		out = slices.Concat(views(page), out)
	}
	return out, nil
}
