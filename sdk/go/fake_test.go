package skein

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// fakeServer is the protocol's server in this process: a Transport for
// sockets and a RoundTripper for calls over one in-memory journal. What a
// test wants to go wrong is a field of it.
type fakeServer struct {
	mu          sync.Mutex // guards everything
	incarnation string
	pos         int64 // of the newest entry, all conversations together
	now         int64 // server time of the next entry, µs
	convs       map[string]*fakeConv
	sessions    []*fakeSocket
	dials       int
	hellos      []*skeinv1.Hello
	calls       []string // methods, in order
	refresh     int
	syncPage    int // conversations a page, 0 = all
	syncEntries int // entries a conversation, 0 = 50

	dialErr    error                                        // every dial fails
	helloErr   func(h *skeinv1.Hello) *skeinv1.Error        // refuses a hello
	deliver    func(user string, e *skeinv1.Entry) bool     // false: the entry is not pushed
	onSend     func(r *skeinv1.SendMessageRequest) *verdict // nil: normal
	callErr    func(method string) *skeinv1.Error           // an RPC fails
	noCalls    bool                                         // RPCs find no network
	hold       chan struct{}                                // the answers of RPCs wait until it is closed; nil: they do not
	tokenLife  int64                                        // s; 0 = a day
	serverSkew int64                                        // µs added to the server's clock
	media      string                                       // the URL of calls; "" = the server itself
}

// verdict is what a test decides about a send.
type verdict struct {
	err    *skeinv1.Error
	silent bool // committed, but the ack is lost
	drop   bool // not even committed, no answer
}

type fakeConv struct {
	id      string
	title   string
	entries []*skeinv1.Entry // rows as they are now
	pos     []int64
	members map[string]*skeinv1.Membership
	changed map[string]int64 // pos at which a membership changed last
	version uint64
}

func newFake() *fakeServer {
	return &fakeServer{incarnation: "i1", now: 1_700_000_000_000_000, convs: map[string]*fakeConv{}}
}

// fakeSocket is both ends of a socket.
type fakeSocket struct {
	s      *fakeServer
	user   string
	device string
	live   bool
	toC    chan []byte
	ended  chan struct{}
	once   sync.Once
	err    error
	watch  []string
}

func (s *fakeServer) Dial(_ context.Context, address string) (Socket, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dials++
	if s.dialErr != nil {
		return nil, s.dialErr
	}
	if !strings.HasSuffix(address, "/v1/socket") {
		return nil, fmt.Errorf("no socket at %s", address)
	}
	f := &fakeSocket{s: s, toC: make(chan []byte, 4096), ended: make(chan struct{})}
	s.sessions = append(s.sessions, f)
	return f, nil
}

func (f *fakeSocket) Read() ([]byte, error) {
	select {
	case b := <-f.toC:
		return b, nil
	default:
	}
	select {
	case b := <-f.toC:
		return b, nil
	case <-f.ended:
		select {
		case b := <-f.toC:
			return b, nil
		default:
			return nil, f.err
		}
	}
}

func (f *fakeSocket) Close(int, string) error {
	f.end(io.EOF)
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	f.s.forget(f)
	return nil
}

func (f *fakeSocket) end(err error) { f.once.Do(func() { f.err = err; close(f.ended) }) }

func (s *fakeServer) forget(f *fakeSocket) {
	s.sessions = slices.DeleteFunc(s.sessions, func(x *fakeSocket) bool { return x == f })
}

// closeAll ends every socket with a code.
func (s *fakeServer) closeAll(code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.sessions {
		f.end(&CloseError{Code: code})
	}
	s.sessions = nil
}

func (f *fakeSocket) push(p *skeinv1.ServerPacket) {
	b, err := proto.Marshal(p)
	if err != nil {
		panic(err)
	}
	f.toC <- b
}

func (f *fakeSocket) frame(ref uint32, fr *skeinv1.ServerFrame) {
	fr.Ref = ref
	p := &skeinv1.ServerPacket{Frames: []*skeinv1.ServerFrame{fr}}
	if f.live && fr.GetEntry() != nil {
		p.Cursor = f.s.cursor(0)
	}
	f.push(p)
}

func (s *fakeServer) cursor(page int) []byte {
	return fmt.Appendf(nil, "%s/%d/%d", s.incarnation, s.pos, page)
}

func (f *fakeSocket) Write(b []byte) error {
	select {
	case <-f.ended:
		return io.ErrClosedPipe
	default:
	}
	var p skeinv1.ClientPacket
	if err := proto.Unmarshal(b, &p); err != nil {
		return err
	}
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	for _, fr := range p.GetFrames() {
		f.handle(fr)
	}
	return nil
}

func (f *fakeSocket) handle(fr *skeinv1.ClientFrame) {
	s, ref := f.s, fr.GetRef()
	fail := func(e *skeinv1.Error) {
		f.frame(ref, &skeinv1.ServerFrame{Frame: &skeinv1.ServerFrame_Error{Error: e}})
	}
	if fr.GetHello() == nil && f.user == "" {
		f.end(&CloseError{Code: closeHelloExpected})
		return
	}
	switch m := fr.GetFrame().(type) {
	case *skeinv1.ClientFrame_Hello:
		s.hellos = append(s.hellos, m.Hello)
		if s.helloErr != nil {
			if e := s.helloErr(m.Hello); e != nil {
				fail(e)
				return
			}
		}
		f.user, f.device = readClaims(m.Hello.GetToken()).Subject, m.Hello.GetDevice()
		for _, o := range slices.Clone(s.sessions) {
			if o != f && o.user == f.user && o.device == f.device {
				o.end(&CloseError{Code: closeReplaced})
				s.forget(o)
			}
		}
		page := s.sync(f, m.Hello.GetSync())
		life := s.tokenLife
		if life == 0 {
			life = 86400
		}
		f.frame(ref, &skeinv1.ServerFrame{Frame: &skeinv1.ServerFrame_Welcome{Welcome: &skeinv1.Welcome{
			Session: "s", User: f.user, ServerTimeUs: s.time(), TokenExpiresUs: s.time() + life*1_000_000, PingIntervalMs: 25000, Sync: page,
			Limits: &skeinv1.Limits{MaxInFlight: 64}}}})
	case *skeinv1.ClientFrame_Sync:
		f.frame(ref, &skeinv1.ServerFrame{Frame: &skeinv1.ServerFrame_Sync{Sync: s.sync(f, m.Sync)}})
	case *skeinv1.ClientFrame_Send:
		var v *verdict
		if s.onSend != nil {
			v = s.onSend(m.Send)
		}
		if v != nil && v.drop {
			return
		}
		if v != nil && v.err != nil {
			fail(v.err)
			return
		}
		e := s.commit(f, m.Send)
		if v == nil || !v.silent {
			f.frame(ref, &skeinv1.ServerFrame{Frame: &skeinv1.ServerFrame_Ack{Ack: &skeinv1.SendAck{
				Conversation: e.GetConversation(), Seq: e.GetSeq(), Ord: e.GetOrd(), TimeUs: e.GetTimeUs(), ClientId: e.GetClientId()}}})
		}
	case *skeinv1.ClientFrame_Read:
		c := s.conv(m.Read.GetConversation())
		own := c.members[f.user]
		seq := min(m.Read.GetSeq(), uint64(len(c.entries)))
		if seq > own.GetReadSeq() {
			own.ReadSeq, own.ReadOrd = seq, c.entries[seq-1].GetOrd()
		}
		mark := &skeinv1.ServerFrame{Frame: &skeinv1.ServerFrame_ReadMarker{ReadMarker: &skeinv1.ReadMarker{
			Conversation: c.id, User: f.user, ReadSeq: own.GetReadSeq(), ReadOrd: own.GetReadOrd()}}}
		f.frame(ref, mark)
		s.toOthers(f, c, mark)
	case *skeinv1.ClientFrame_Typing:
		m.Typing.User = f.user
		s.toOthers(f, s.conv(m.Typing.GetConversation()), &skeinv1.ServerFrame{Frame: &skeinv1.ServerFrame_Typing{Typing: m.Typing}})
	case *skeinv1.ClientFrame_WatchPresence:
		f.watch = m.WatchPresence.GetUsers()
		for _, u := range f.watch {
			f.frame(0, &skeinv1.ServerFrame{Frame: &skeinv1.ServerFrame_Presence{Presence: &skeinv1.Presence{User: u, Online: s.online(u)}}})
		}
	case *skeinv1.ClientFrame_Ping:
		f.frame(ref, &skeinv1.ServerFrame{Frame: &skeinv1.ServerFrame_Pong{Pong: &skeinv1.Pong{ServerTimeUs: s.time()}}})
	case *skeinv1.ClientFrame_RefreshToken:
		s.refresh++
		f.frame(ref, &skeinv1.ServerFrame{Frame: &skeinv1.ServerFrame_Done{Done: &skeinv1.Done{}}})
	}
}

func (s *fakeServer) time() int64 { return s.now + s.serverSkew }

func (s *fakeServer) online(user string) bool {
	return slices.ContainsFunc(s.sessions, func(f *fakeSocket) bool { return f.user == user })
}

func (s *fakeServer) toOthers(f *fakeSocket, c *fakeConv, fr *skeinv1.ServerFrame) {
	for _, o := range s.sessions {
		if o != f && o.live && c.members[o.user] != nil && o.user != f.user {
			o.frame(0, proto.CloneOf(fr))
		}
	}
}

// conv returns a conversation; direct and self ones exist from the start.
func (s *fakeServer) conv(id string) *fakeConv {
	c := s.convs[id]
	if c == nil {
		c = &fakeConv{id: id, members: map[string]*skeinv1.Membership{}, changed: map[string]int64{}, version: 1}
		s.convs[id] = c
		switch id[0] {
		case '@':
			rest := id[strings.Index(id, ":")+1:]
			n, _ := strconv.Atoi(id[1:strings.Index(id, ":")])
			for _, u := range []string{rest[:n], rest[n+1:]} {
				c.members[u] = &skeinv1.Membership{User: u, Role: skeinv1.Role_ROLE_MEMBER, FromSeq: 1}
			}
		case '~':
			c.members[id[1:]] = &skeinv1.Membership{User: id[1:], Role: skeinv1.Role_ROLE_OWNER, FromSeq: 1}
		}
	}
	return c
}

// commit appends a send, or finds it.
func (s *fakeServer) commit(from *fakeSocket, r *skeinv1.SendMessageRequest) *skeinv1.Entry {
	kind := skeinv1.EntryKind_ENTRY_KIND_MESSAGE
	if r.GetKey() != "" {
		kind = skeinv1.EntryKind_ENTRY_KIND_KEYED
	}
	return s.append(from, from.user, s.conv(r.GetConversation()), &skeinv1.Entry{Kind: kind, ClientId: r.GetClientId(), Body: r.GetBody(), Key: r.GetKey()})
}

// append gives an entry its numbers and pushes it to everybody but from.
func (s *fakeServer) append(from *fakeSocket, sender string, c *fakeConv, e *skeinv1.Entry) *skeinv1.Entry {
	for _, old := range c.entries {
		if old.GetSender() == sender && string(old.GetClientId()) == string(e.GetClientId()) {
			return old
		}
	}
	s.now += 1000
	s.pos++
	e.Conversation, e.Seq, e.Sender, e.TimeUs, e.Version = c.id, uint64(len(c.entries))+1, sender, s.time(), 1
	if n := len(c.entries); n > 0 {
		e.Ord = c.entries[n-1].GetOrd()
	}
	if e.GetKind() == skeinv1.EntryKind_ENTRY_KIND_MESSAGE {
		e.Ord++
		if own := c.members[sender]; own != nil {
			own.ReadSeq, own.ReadOrd = e.GetSeq(), e.GetOrd()
		}
	}
	c.entries = append(c.entries, e)
	c.pos = append(c.pos, s.pos)
	if t := e.GetTargetSeq(); t > 0 {
		row := proto.CloneOf(c.entries[t-1])
		switch e.GetKind() {
		case skeinv1.EntryKind_ENTRY_KIND_EDIT:
			row.Body, row.Version = e.GetBody(), row.GetVersion()+1
		case skeinv1.EntryKind_ENTRY_KIND_RECALL:
			row.Body, row.Version, row.Recalled = nil, row.GetVersion()+1, true
		}
		c.entries[t-1] = row
	}
	for _, o := range s.sessions {
		if o == from || !o.live || !c.reads(o.user, e.GetSeq()) || s.deliver != nil && !s.deliver(o.user, e) {
			continue
		}
		o.frame(0, &skeinv1.ServerFrame{Frame: &skeinv1.ServerFrame_Entry{Entry: e}})
	}
	return e
}

func (c *fakeConv) reads(user string, seq uint64) bool {
	m := c.members[user]
	return m != nil && seq >= m.GetFromSeq() && (m.GetToSeq() == 0 || seq < m.GetToSeq())
}

// say appends a message of a user without a client of his own.
func (s *fakeServer) say(conv, user, text string) *skeinv1.Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.append(nil, user, s.conv(conv), &skeinv1.Entry{Kind: skeinv1.EntryKind_ENTRY_KIND_MESSAGE, ClientId: s.id(), Body: textBody(text)})
}

// about appends an edit, a recall or a reaction.
func (s *fakeServer) about(conv, user string, kind skeinv1.EntryKind, target uint64, body *skeinv1.Body) *skeinv1.Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.append(nil, user, s.conv(conv), &skeinv1.Entry{Kind: kind, ClientId: s.id(), TargetSeq: target, Body: body})
}

// id makes an id that no client makes.
func (s *fakeServer) id() []byte {
	return fmt.Appendf(nil, "%08x\x70fake%03x", s.pos+1, s.pos%4096)
}

func textBody(s string) *skeinv1.Body {
	return &skeinv1.Body{Scheme: skeinv1.BodyScheme_BODY_SCHEME_CONTENT, Content: &skeinv1.Content{Kind: &skeinv1.Content_Text{Text: &skeinv1.Text{Text: s}}}}
}

func reactionBody(emoji string, removed bool) *skeinv1.Body {
	return &skeinv1.Body{Scheme: skeinv1.BodyScheme_BODY_SCHEME_CONTENT, Content: &skeinv1.Content{Kind: &skeinv1.Content_Reaction{
		Reaction: &skeinv1.Reaction{Emoji: emoji, Removed: removed}}}}
}

func (s *fakeServer) view(c *fakeConv, user string) *skeinv1.Conversation {
	own := c.members[user]
	head := uint64(len(c.entries))
	if own.GetToSeq() > 0 {
		head = own.GetToSeq() - 1
	}
	v := &skeinv1.Conversation{Id: c.id, Kind: kindOf(c.id), Title: c.title, HeadSeq: head, AclVersion: c.version, Membership: proto.CloneOf(own), CreatedUs: 1}
	if head > 0 {
		v.HeadOrd = c.entries[head-1].GetOrd()
	}
	for u, m := range c.members {
		if m.GetToSeq() == 0 {
			v.MemberCount++
		}
		if u != user && m.GetReadSeq() > 0 {
			v.ReadMarkers = append(v.ReadMarkers, &skeinv1.ReadMarker{Conversation: c.id, User: u, ReadSeq: m.GetReadSeq(), ReadOrd: m.GetReadOrd()})
		}
	}
	return v
}

// sync is one page. Its cursor is "incarnation/pos/conversations passed".
func (s *fakeServer) sync(f *fakeSocket, r *skeinv1.SyncRequest) *skeinv1.SyncResponse {
	since, skip, known := int64(0), 0, false
	if parts := strings.Split(string(r.GetCursor()), "/"); len(parts) == 3 && parts[0] == s.incarnation {
		since, _ = strconv.ParseInt(parts[1], 10, 64)
		skip, _ = strconv.Atoi(parts[2])
		known = true
	}
	base := since
	if skip > 0 {
		base = 0 // the page before was of a first sync
	}
	limit := s.syncEntries
	if limit == 0 {
		limit = 50
	}
	out := &skeinv1.SyncResponse{Reset_: !known, Incarnation: s.incarnation, ServerTimeUs: s.time()}
	ids := sortedKeys(s.convs)
	n := 0
	for _, id := range ids {
		c := s.convs[id]
		own := c.members[f.user]
		if own == nil || len(c.entries) == 0 || c.pos[len(c.pos)-1] <= base && c.changed[f.user] <= base {
			continue
		}
		if n++; n <= skip {
			continue
		}
		if s.syncPage > 0 && len(out.Conversations) == s.syncPage {
			out.More = true
			break
		}
		d := &skeinv1.ConversationDelta{Conversation: s.view(c, f.user)}
		for i := int(d.GetConversation().GetHeadSeq()) - 1; i >= 0 && c.pos[i] > base && len(d.Entries) < limit && c.reads(f.user, uint64(i+1)); i-- {
			d.Entries = append(d.Entries, c.entries[i])
		}
		slices.Reverse(d.Entries)
		d.Gap = len(d.Entries) == limit
		if id[0] == '~' {
			newest := map[string]*skeinv1.Entry{}
			for _, e := range c.entries {
				if e.GetKey() != "" {
					newest[e.GetKey()] = e
				}
			}
			for _, k := range sortedKeys(newest) {
				d.Keyed = append(d.Keyed, newest[k])
			}
		}
		out.Conversations = append(out.Conversations, d)
	}
	passed := 0
	if out.More {
		passed = skip + len(out.Conversations)
	} else {
		f.live = true
	}
	out.Cursor = s.cursor(passed)
	return out
}

// RoundTrip answers calls.
func (s *fakeServer) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	hold := s.hold
	defer func() {
		s.mu.Unlock()
		if hold != nil {
			<-hold
		}
	}()
	method := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	s.calls = append(s.calls, method)
	if s.noCalls {
		return nil, io.ErrUnexpectedEOF
	}
	if s.callErr != nil {
		if e := s.callErr(method); e != nil {
			return fakeAnswer(connectFailure(e), http.StatusBadRequest), nil
		}
	}
	user := readClaims(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")).Subject
	resp, e := s.answer(user, method, body)
	if e != nil {
		return fakeAnswer(connectFailure(e), http.StatusBadRequest), nil
	}
	b, err := proto.Marshal(resp)
	return fakeAnswer(b, http.StatusOK), err
}

func fakeAnswer(b []byte, status int) *http.Response {
	return &http.Response{StatusCode: status, Body: io.NopCloser(bytes.NewReader(b)), Header: http.Header{}}
}

func connectFailure(e *skeinv1.Error) []byte {
	v, _ := proto.Marshal(e)
	b, _ := json.Marshal(map[string]any{"code": "unknown", "message": e.GetMessage(),
		"details": []map[string]string{{"type": "skein.v1.Error", "value": base64.RawStdEncoding.EncodeToString(v)}}})
	return b
}

func (s *fakeServer) answer(user, method string, body []byte) (proto.Message, *skeinv1.Error) {
	in := func(m proto.Message) {
		if err := proto.Unmarshal(body, m); err != nil {
			panic(err)
		}
	}
	switch method {
	case "ListMessages":
		var r skeinv1.ListMessagesRequest
		in(&r)
		return s.list(user, &r), nil
	case "EditMessage":
		var r skeinv1.EditMessageRequest
		in(&r)
		return &skeinv1.EditMessageResponse{Entry: s.append(nil, user, s.conv(r.GetConversation()), &skeinv1.Entry{
			Kind: skeinv1.EntryKind_ENTRY_KIND_EDIT, ClientId: r.GetClientId(), TargetSeq: r.GetSeq(), Body: r.GetBody()})}, nil
	case "RecallMessage":
		var r skeinv1.RecallMessageRequest
		in(&r)
		return &skeinv1.RecallMessageResponse{Entry: s.append(nil, user, s.conv(r.GetConversation()), &skeinv1.Entry{
			Kind: skeinv1.EntryKind_ENTRY_KIND_RECALL, ClientId: r.GetClientId(), TargetSeq: r.GetSeq()})}, nil
	case "ReactToMessage":
		var r skeinv1.ReactToMessageRequest
		in(&r)
		return &skeinv1.ReactToMessageResponse{Entry: s.append(nil, user, s.conv(r.GetConversation()), &skeinv1.Entry{
			Kind: skeinv1.EntryKind_ENTRY_KIND_REACTION, ClientId: r.GetClientId(), TargetSeq: r.GetSeq(), Body: reactionBody(r.GetEmoji(), r.GetRemove())})}, nil
	case "GetConversation":
		var r skeinv1.GetConversationRequest
		in(&r)
		c := s.conv(r.GetConversation())
		if c.members[user] == nil {
			return nil, &skeinv1.Error{Code: skeinv1.ErrorCode_ERROR_CODE_NOT_FOUND, Message: "not found"}
		}
		return &skeinv1.GetConversationResponse{Conversation: s.view(c, user)}, nil
	case "JoinCall":
		var r skeinv1.JoinCallRequest
		in(&r)
		return &skeinv1.JoinCallResponse{Call: &skeinv1.Call{Id: r.GetCall()}, Access: &skeinv1.CallAccess{Url: s.media, Token: "t", Identity: user + "/phone"}}, nil
	case "CreateGroup":
		var r skeinv1.CreateGroupRequest
		in(&r)
		c := s.conv(r.GetId())
		c.title = r.GetTitle()
		for _, u := range append([]string{user}, r.GetMembers()...) {
			c.members[u] = &skeinv1.Membership{User: u, Role: skeinv1.Role_ROLE_MEMBER, FromSeq: 1}
		}
		c.members[user].Role = skeinv1.Role_ROLE_OWNER
		s.append(nil, user, c, &skeinv1.Entry{Kind: skeinv1.EntryKind_ENTRY_KIND_MEMBERS, ClientId: r.GetClientId(), Body: membersBody(&skeinv1.MembersChange{Added: r.GetMembers()})})
		return &skeinv1.CreateGroupResponse{Conversation: s.view(c, user)}, nil
	case "RemoveMember":
		var r skeinv1.RemoveMemberRequest
		in(&r)
		c := s.conv(r.GetConversation())
		c.members[r.GetUser()].ToSeq = uint64(len(c.entries)) + 2
		c.changed[r.GetUser()] = s.pos + 1
		return &skeinv1.RemoveMemberResponse{Entry: s.append(nil, user, c, &skeinv1.Entry{
			Kind: skeinv1.EntryKind_ENTRY_KIND_MEMBERS, ClientId: r.GetClientId(), Body: membersBody(&skeinv1.MembersChange{Removed: []string{r.GetUser()}})})}, nil
	}
	return nil, &skeinv1.Error{Code: skeinv1.ErrorCode_ERROR_CODE_UNSUPPORTED, Message: method}
}

func membersBody(m *skeinv1.MembersChange) *skeinv1.Body {
	return &skeinv1.Body{Scheme: skeinv1.BodyScheme_BODY_SCHEME_CONTENT, Content: &skeinv1.Content{Kind: &skeinv1.Content_Members{Members: m}}}
}

// list is a page of history.
func (s *fakeServer) list(user string, r *skeinv1.ListMessagesRequest) *skeinv1.ListMessagesResponse {
	c := s.conv(r.GetConversation())
	own := c.members[user]
	head := s.view(c, user).GetHeadSeq()
	low, high := max(own.GetFromSeq(), 1), head
	out := &skeinv1.ListMessagesResponse{AsOfSeq: head, Incarnation: s.incarnation}
	back := r.GetAfterSeq() == 0
	if back && r.GetBeforeSeq() > 0 {
		high = min(high, r.GetBeforeSeq()-1)
	}
	if !back {
		low = max(low, r.GetAfterSeq()+1)
	}
	if low > high {
		out.AtStart, out.AtEnd = back, !back || high == head
		return out
	}
	limit, n := int(r.GetLimit()), 0
	from, to := low, high
	if back {
		for from = high; from > low && n < limit; from-- {
			if c.entries[from-1].GetKind() == skeinv1.EntryKind_ENTRY_KIND_MESSAGE {
				if n++; n == limit {
					break
				}
			}
		}
	} else {
		for to = low; to < high; to++ {
			if c.entries[to-1].GetKind() == skeinv1.EntryKind_ENTRY_KIND_MESSAGE {
				if n++; n == limit {
					break
				}
			}
		}
	}
	out.FromSeq, out.ToSeq = from, to
	out.AtStart, out.AtEnd = from == max(own.GetFromSeq(), 1), to == head
	for seq := from; seq <= to; seq++ {
		e := c.entries[seq-1]
		if !isShown(e.GetKind()) {
			continue
		}
		it := &skeinv1.HistoryItem{Entry: e}
		for _, x := range c.entries[:head] {
			if x.GetKind() == skeinv1.EntryKind_ENTRY_KIND_REACTION && x.GetTargetSeq() == seq {
				it.Reactions, _ = react(it.Reactions, x.GetBody().GetContent().GetReaction(), x.GetSender(), x.GetSender() == user)
			}
		}
		out.Items = append(out.Items, it)
	}
	return out
}

// fakeToken is an unsigned token: nobody here checks it.
func fakeToken(user string, exp int64) string {
	b, _ := json.Marshal(map[string]any{"sub": user, "exp": exp})
	return "e30." + base64.RawURLEncoding.EncodeToString(b) + ".c2ln"
}
