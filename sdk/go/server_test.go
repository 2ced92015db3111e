package skein_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	skein "github.com/skein-im/skein/sdk/go"
	"github.com/skein-im/skein/sdk/go/sqlitestore"
)

// TestMain fails when a client has left a goroutine behind.
func TestMain(m *testing.M) {
	if os.Getenv(childOf) != "" {
		fmt.Println(uploadAsChild(os.Args[1]))
		return
	}
	dir, err := os.MkdirTemp("", "skein-sdk-")
	if err != nil {
		panic(err)
	}
	if err := os.Setenv(binaryDir, dir); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(dir)
		os.Exit(code)
	}))
}

const binaryDir = "SKEIN_SDK_TEST_DIR"

// binary builds the server once for all tests.
var binary = sync.OnceValues(func() (string, error) {
	path := filepath.Join(os.Getenv(binaryDir), "skein")
	out, err := exec.Command("go", "build", "-o", path, "github.com/skein-im/skein/cmd/skein").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build the server: %w\n%s", err, out)
	}
	return path, nil
})

// server is a real server in a process of its own, in dev mode.
type server struct {
	t    *testing.T
	data string
	addr string // host:port
	cmd  *exec.Cmd
}

func serve(t *testing.T) *server {
	t.Helper()
	s := &server{t: t, data: t.TempDir(), addr: "127.0.0.1:0"}
	s.start()
	t.Cleanup(s.kill)
	return s
}

// start runs the server on its folder, on the address it had before.
func (s *server) start() {
	s.t.Helper()
	path, err := binary()
	if err != nil {
		s.t.Fatal(err)
	}
	var log bytes.Buffer
	s.cmd = exec.Command(path, "serve", "--dev", "--sfu", "off", "--listen", s.addr, "--data", s.data)
	s.cmd.Stderr = &log
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	addr, ok := strings.CutPrefix(strings.TrimSpace(line), "listening http://")
	if err != nil || !ok {
		s.t.Fatalf("the server said %q, %v\n%s", line, err, log.String())
	}
	s.addr = addr
}

// kill ends the server as a power cut would.
func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// token asks the server's dev mode for a token.
func (s *server) token(user string) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.addr+"/dev/token", strings.NewReader(fmt.Sprintf(`{"user":%q}`, user)))
		if err != nil {
			return "", err
		}
		r.Header.Set("Content-Type", "application/json")
		c := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		resp, err := c.Do(r)
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			return "", errors.Join(err, fmt.Errorf("%s: %s", resp.Status, b))
		}
		var v struct{ Token string }
		return v.Token, json.Unmarshal(b, &v)
	}
}

// client is a user's device on the server; it is closed with the test.
func (s *server) client(user string, set ...func(*skein.Options)) *skein.Client {
	s.t.Helper()
	o := skein.Options{Endpoint: "http://" + s.addr, AppID: "demo", User: user, Token: s.token(user), Platform: skein.Desktop, DeviceName: user + "'s"}
	for _, fn := range set {
		fn(&o)
	}
	c, err := skein.New(o)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	return c
}

func (s *server) connected(user string, set ...func(*skein.Options)) *skein.Client {
	s.t.Helper()
	c := s.client(user, set...)
	if err := c.Connect(soon(s.t)); err != nil {
		s.t.Fatal(err)
	}
	return c
}

func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// until waits until a condition holds; it is looked at whenever the client has
// something new.
func until(t *testing.T, c *skein.Client, what string, ok func() bool) {
	t.Helper()
	bell := make(chan struct{}, 1)
	ring := func() {
		select {
		case bell <- struct{}{}:
		default:
		}
	}
	for _, off := range []func(){
		c.OnMessage(func(skein.MessageEvent) { ring() }), c.OnMessageUpdated(func(skein.MessageEvent) { ring() }),
		c.OnMessageRemoved(func(skein.MessageEvent) { ring() }), c.OnConversation(func(skein.ConversationEvent) { ring() }),
		c.OnState(func(skein.StateEvent) { ring() }), c.OnUpload(func(skein.UploadEvent) { ring() }), c.OnPresence(func(skein.PresenceEvent) { ring() }), c.OnTyping(func(skein.TypingEvent) { ring() }),
	} {
		defer off()
	}
	ctx := soon(t)
	for !ok() {
		select {
		case <-bell:
		case <-ctx.Done():
			t.Fatalf("%s does not see: %s", c.UserID(), what)
		}
	}
}

func show(t *testing.T, v *skein.Conversation) string {
	t.Helper()
	list, err := v.Messages(soon(t), 200)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, m := range list {
		s := m.Text
		switch {
		case m.Recalled:
			s = "(recalled)"
		case m.Kind != skein.KindText:
			s = "(" + string(m.Kind) + ")"
		}
		if m.Edited {
			s += "*"
		}
		for _, r := range m.Reactions {
			s += fmt.Sprint(" ", r.Emoji, r.Count)
		}
		out = append(out, s)
	}
	return strings.Join(out, ", ")
}

func shows(t *testing.T, c *skein.Client, v *skein.Conversation, want string) {
	t.Helper()
	got := ""
	defer func() {
		if t.Failed() {
			t.Logf("it shows: %s", got)
		}
	}()
	until(t, c, want, func() bool {
		got = show(t, v)
		return got == want
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestServerTwoPeopleChat(t *testing.T) {
	s := serve(t)
	a, b := s.connected("alice"), s.connected("bob")
	v := a.With("bob")
	m, err := v.Send(soon(t), skein.Outgoing{Text: "hello 你好"})
	must(t, err)
	if m.Seq != 1 || m.State != skein.Sent {
		t.Errorf("sent: %+v", m)
	}
	shows(t, b, b.With("alice"), "hello 你好")
	until(t, b, "one unread", func() bool { return b.With("alice").Unread() == 1 })

	must(t, b.With("alice").ReadAll(soon(t)))
	until(t, a, "bob's marker", func() bool { return v.ReadMarkers()["bob"].Seq == 1 })

	must(t, v.Edit(soon(t), m, skein.Outgoing{Text: "hello"}))
	must(t, b.With("alice").React(soon(t), m, "👍"))
	shows(t, a, v, "hello* 👍1")
	shows(t, b, b.With("alice"), "hello* 👍1")
	revisions, err := v.Edits(soon(t), m)
	must(t, err)
	if len(revisions) != 2 || revisions[0].Text != "hello 你好" || revisions[1].Text != "hello" {
		t.Errorf("revisions %+v", revisions)
	}
	must(t, b.With("alice").Unreact(soon(t), m, "👍"))
	must(t, v.Recall(soon(t), m))
	shows(t, b, b.With("alice"), "(recalled)")
	if err := v.Edit(soon(t), m, skein.Outgoing{Text: "again"}); skein.CodeOf(err) != skein.FailedPrecondition {
		t.Errorf("edit of a recalled message: %v", err)
	}
	if err := b.With("alice").Recall(soon(t), skein.Message{Conversation: v.ID(), Seq: 99}); skein.CodeOf(err) != skein.NotFound {
		t.Errorf("recall of nothing: %v", err)
	}

	var mu sync.Mutex
	var typing []string
	b.OnTyping(func(e skein.TypingEvent) {
		mu.Lock()
		defer mu.Unlock()
		typing = append(typing, fmt.Sprint(e.User, e.Typing))
	})
	v.Typing()
	until(t, b, "typing", func() bool { mu.Lock(); defer mu.Unlock(); return slices.Equal(typing, []string{"alicetrue"}) })
	must(t, b.WatchPresence(soon(t), "alice"))
	until(t, b, "alice online", func() bool { p, ok := b.Presence("alice"); return ok && p.Online })
	a.Close()
	until(t, b, "alice away", func() bool { p, _ := b.Presence("alice"); return !p.Online })
}

func TestServerGroups(t *testing.T) {
	s := serve(t)
	a, b, c := s.connected("alice"), s.connected("bob"), s.connected("carol")
	g, err := a.CreateGroup(soon(t), skein.NewGroup{ID: "team", Title: "Team", Members: []string{"bob"}})
	must(t, err)
	_, err = g.Send(soon(t), skein.Outgoing{Text: "hi"})
	must(t, err)
	until(t, b, "the group", func() bool {
		return b.Group("team").Title() == "Team" && strings.HasSuffix(show(t, b.Group("team")), "hi")
	})
	if err := c.Group("team").Fetch(soon(t)); skein.CodeOf(err) != skein.NotFound {
		t.Errorf("carol may see the group: %v", err)
	}
	must(t, g.AddMembers(soon(t), "carol"))
	must(t, g.SetTitle(soon(t), "Crew"))
	must(t, g.SetRole(soon(t), "bob", skein.RoleAdmin))
	_, err = g.Send(soon(t), skein.Outgoing{Custom: &skein.Custom{Type: "shop.order", Data: []byte(`{"id":7}`), Summary: "Order 7"}})
	must(t, err)
	until(t, c, "what came since the join", func() bool {
		return c.Group("team").Title() == "Crew" && show(t, c.Group("team")) == "(members), (conversation), (members), (custom)"
	})
	members := map[string]skein.Role{}
	for m, err := range g.ListMembers(soon(t)) {
		must(t, err)
		members[m.User] = m.Role
	}
	if len(members) != 3 || members["alice"] != skein.RoleOwner || members["bob"] != skein.RoleAdmin || members["carol"] != skein.RoleMember {
		t.Errorf("members %v", members)
	}
	if err := g.Leave(soon(t)); skein.CodeOf(err) != skein.FailedPrecondition {
		t.Errorf("the owner left: %v", err)
	}
	must(t, b.Group("team").RemoveMember(soon(t), "carol"))
	_, err = g.Send(soon(t), skein.Outgoing{Text: "without carol"})
	must(t, err)
	until(t, c, "the removal", func() bool { return c.Group("team").Left() })
	// The ack of her own message may be here before bob's removal of carol is.
	until(t, a, "the removal at the owner's", func() bool { return strings.HasSuffix(show(t, g), "(members), without carol") })
	shows(t, b, b.Group("team"), show(t, g))
	if got := show(t, c.Group("team")); strings.Contains(got, "without") {
		t.Errorf("carol reads on: %s", got)
	}
	if m, err := c.Group("team").Send(soon(t), skein.Outgoing{Text: "let me in"}); skein.CodeOf(err) != skein.NotFound || m.State != skein.Failed {
		t.Errorf("carol sends: %v, %+v", err, m)
	}
}

func TestServerKilledLosesNothingAndDoublesNothing(t *testing.T) {
	s := serve(t)
	path := filepath.Join(t.TempDir(), "alice.db")
	store, err := sqlitestore.Open(path)
	must(t, err)
	a, b := s.connected("alice", func(o *skein.Options) { o.Store = store }), s.connected("bob")
	v := a.With("bob")
	const n = 200
	for i := range n {
		if i == n/2 {
			s.kill()
		}
		m, err := v.Enqueue(soon(t), skein.Outgoing{Text: fmt.Sprint(i)})
		must(t, err)
		if i == n-1 {
			must(t, v.Read(soon(t), m.Seq))
		}
	}
	// The client goes too, with messages in its outbox.
	a.Close()
	must(t, store.Close())
	s.start()

	store, err = sqlitestore.Open(path)
	must(t, err)
	defer store.Close()
	a = s.connected("alice", func(o *skein.Options) { o.Store = store })
	defer a.Close()
	v = a.With("bob")
	var want []string
	for i := range n {
		want = append(want, fmt.Sprint(i))
	}
	shows(t, a, v, strings.Join(want, ", "))
	until(t, a, "all acknowledged", func() bool {
		list, err := v.Messages(soon(t), 200)
		must(t, err)
		return !slices.ContainsFunc(list, func(m skein.Message) bool { return m.State != skein.Sent })
	})
	until(t, b, "the last one", func() bool { return b.With("alice").Head().Ord == n })
	var got []string
	for page, err := range b.With("alice").History(soon(t), skein.HistoryOptions{FromStart: true, Limit: 30}) {
		must(t, err)
		for _, m := range page {
			got = append(got, m.Text)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("bob has %v", got)
	}
}

func TestServerDevicesOfOneUser(t *testing.T) {
	s := serve(t)
	phone := s.connected("alice", func(o *skein.Options) { o.DeviceID, o.Platform = "phone", skein.Android })
	desk := s.connected("alice", func(o *skein.Options) { o.DeviceID = "desk" })
	_, err := phone.With("bob").Send(soon(t), skein.Outgoing{Text: "from the phone"})
	must(t, err)
	shows(t, desk, desk.With("bob"), "from the phone")
	_, err = desk.Self().Send(soon(t), skein.Outgoing{Key: "draft/x", Text: "hel"})
	must(t, err)
	_, err = desk.Self().Send(soon(t), skein.Outgoing{Key: "draft/x", Text: "hello"})
	must(t, err)
	until(t, phone, "the draft", func() bool { m, ok := phone.Self().Value("draft/x"); return ok && m.Text == "hello" })
	tablet := s.connected("alice", func(o *skein.Options) { o.DeviceID = "tablet" })
	if m, ok := tablet.Self().Value("draft/x"); !ok || m.Text != "hello" {
		t.Errorf("the tablet has %q", m.Text)
	}
	devices, err := desk.Devices(soon(t))
	must(t, err)
	if len(devices) != 3 {
		t.Errorf("devices %+v", devices)
	}
	must(t, desk.SignOut(soon(t), "phone"))
	until(t, phone, "the sign-out", func() bool { return phone.State() == skein.SignedOff })
	if _, err := phone.Devices(soon(t)); err == nil {
		t.Error("a signed-out device may call")
	}
	// The same device id again replaces the connection.
	other := s.connected("alice", func(o *skein.Options) { o.DeviceID = "desk" })
	until(t, desk, "the replacement", func() bool { return desk.State() == skein.Replaced })
	_ = other
}

func TestServerSyncAfterALongTime(t *testing.T) {
	s := serve(t)
	store := skein.NewMemoryStore()
	a := s.connected("alice", func(o *skein.Options) { o.Store = store })
	b := s.connected("bob")
	_, err := b.With("alice").Send(soon(t), skein.Outgoing{Text: "first"})
	must(t, err)
	shows(t, a, a.With("bob"), "first")
	a.Close()
	for i := range 120 {
		_, err := b.With("alice").Enqueue(soon(t), skein.Outgoing{Text: fmt.Sprint(i)})
		must(t, err)
	}
	until(t, b, "all sent", func() bool { return b.With("alice").Head().Ord == 121 })
	a = s.connected("alice", func(o *skein.Options) { o.Store = store })
	v := a.With("bob")
	if v.Unread() != 121 {
		t.Errorf("%d unread", v.Unread())
	}
	n := 0
	for page, err := range v.History(soon(t), skein.HistoryOptions{Limit: 25}) {
		must(t, err)
		n += len(page)
	}
	if n != 121 {
		t.Errorf("history has %d messages", n)
	}
	found, err := v.Search(soon(t), "FIRST", 0)
	must(t, err)
	if len(found) != 1 {
		t.Errorf("search found %v", found)
	}
}

func TestServerRefusesAForgedToken(t *testing.T) {
	s := serve(t)
	good, err := s.token("alice")(soon(t))
	must(t, err)
	c := s.client("alice", func(o *skein.Options) {
		o.Token = func(context.Context) (string, error) { return good[:len(good)-8] + "AAAAAAAA", nil }
	})
	if err := c.Connect(soon(t)); skein.CodeOf(err) != skein.Unauthenticated {
		t.Errorf("connect: %v", err)
	}
	if _, err := c.Devices(soon(t)); skein.CodeOf(err) != skein.Unauthenticated {
		t.Errorf("a call: %v", err)
	}
}
