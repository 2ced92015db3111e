package wire_test

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/feature/call/calltest"
	"github.com/skein-im/skein/internal/pgtest"
	pb "github.com/skein-im/skein/proto/skein/v1"
)

// The permission matrix: every call and every frame that the proto has, by
// everybody who could make it. Each outcome is written by hand, in the rows of
// matrix_rows_*_test.go; a call or frame without a row fails the test, and so
// does a row that leaves somebody out.
//
//   - A cell that is "ok" is made, on a group of its own, and has to succeed.
//     To somebody who is not in the group its answer must not show a word of it.
//   - A cell that is refused has to answer with its code and must change
//     nothing: no head of the journal and no table. NOT_FOUND has to answer
//     byte for byte like the same request about what does not exist.

// principal is who makes a call.
type principal string

// The principals. Each fixture has users of its own for them.
const (
	anonymous  principal = "anonymous"   // no token
	expired    principal = "expired"     // the member, with a token that has expired
	revoked    principal = "revoked"     // the member, with a token bound to a device that was signed out
	foreign    principal = "foreign"     // a user of another app, with the member's id
	foreignApp principal = "foreign-app" // another app's back end
	stranger   principal = "stranger"    // a user of the app who is not in the group
	visitor    principal = "visitor"     // a stranger at a group that is open to everybody: may see it and join it
	guest      principal = "guest"       // a stranger who signed in as a guest
	ex         principal = "ex"          // was a member and has left
	blocked    principal = "blocked"     // was a member, was banned, and the owner has blocked them
	muted      principal = "muted"       // a member who may not speak
	member     principal = "member"
	bot        principal = "bot" // a member that is a program of the app's, without a device
	admin      principal = "admin"
	owner      principal = "owner"
	appAdmin   principal = "app" // the app's own back end
)

var principals = []principal{anonymous, expired, revoked, foreign, foreignApp, stranger, visitor, guest, ex, blocked, muted, member, bot, admin, owner, appAdmin}

// within are those to whom what the group says may be told.
var within = []principal{muted, member, bot, admin, owner, appAdmin}

// fixture is a group with everybody in it who should be, and messages.
type fixture struct {
	t     *testing.T
	s     *server
	users map[principal]string
	group string
	// direct is the conversation of the member and the owner.
	direct string
	// own is the seq of a message in the group by each of those who are in it;
	// theirs of one in direct, where a row asks for it.
	own map[principal]uint64
	// early is said while ex and blocked are in, late after that.
	early, late string
	// before is the group in whose place livestream has put another.
	before string
	// open tells that the group is public, and that everybody may join it.
	open bool
}

// row is a verb of the protocol with everybody's outcome.
type row struct {
	// verb is "Service/Method", or "socket/field" for a frame.
	verb string
	// cells has a line for each outcome: ok or an error code, and who gets it.
	cells string
	// request makes what a principal asks: a request, or a *pb.ClientFrame.
	request func(f *fixture, p principal) proto.Message
	// prepare changes the fixture before the request is made; of a cell that is
	// ok for its principal alone, else once for all. The visitor always has a
	// fixture of their own, which is opened up before.
	prepare func(f *fixture, p principal)
	// same tells that the answer to what there is may differ from that to what
	// there is not: the request names nothing that could be absent.
	same bool
	// shows tells that an answer may show early words of the group to outsiders
	// (a former member reads what was theirs).
	shows []principal
}

const outcomeOK = "ok"

// outcomes reads the cells; everybody has to be in them once.
func (r *row) outcomes(t *testing.T) map[principal]string {
	out := map[principal]string{}
	for line := range strings.Lines(r.cells) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if _, known := pb.ErrorCode_value["ERROR_CODE_"+words[0]]; !known && words[0] != outcomeOK {
			t.Fatalf("%s: %q is no outcome", r.verb, words[0])
		}
		for _, w := range words[1:] {
			p := principal(w)
			if !slices.Contains(principals, p) || out[p] != "" {
				t.Fatalf("%s: %q is nobody, or there twice", r.verb, w)
			}
			out[p] = words[0]
		}
	}
	for _, p := range principals {
		if out[p] == "" {
			t.Errorf("%s: no outcome for %s", r.verb, p)
		}
	}
	return out
}

// matrix is all rows.
func matrix() []row {
	return slices.Concat(
		archiveRows(),
		attachedRows(),
		broadcastRows(),
		conversationRows(),
		fileRows(),
		forwardRows(),
		groupRows(),
		joinRows(),
		boardRows(),
		callRows(),
		messageRows(),
		otherRows(),
		peopleRows(),
		roomRows(),
		signInRows(),
		searchRows(),
		socketRows(),
		timedRows(),
		userRows(),
		receiptRows(),
	)
}

// variants are further rows of verbs that do something else to another
// conversation.
func variants() []row {
	return slices.Concat(
		keptRows(),
		ownRows(),
	)
}

func TestEveryVerbOfTheProtocolHasARowInTheMatrix(t *testing.T) {
	rows := map[string]bool{}
	for _, r := range matrix() {
		if rows[r.verb] {
			t.Errorf("%s has two rows", r.verb)
		}
		rows[r.verb] = true
		r.outcomes(t)
	}
	want := map[string]bool{}
	for p := range procedures(t) {
		want[strings.TrimPrefix(p, "/skein.v1.")] = true
	}
	frames := (&pb.ClientFrame{}).ProtoReflect().Descriptor().Oneofs().ByName("frame").Fields()
	for i := range frames.Len() {
		want["socket/"+string(frames.Get(i).Name())] = true
	}
	for v := range want {
		if !rows[v] {
			t.Errorf("%s has no row: write down who may do it", v)
		}
	}
	for v := range rows {
		if !want[v] {
			t.Errorf("%s has a row and is not in the protocol", v)
		}
	}
	if len(principals) < 12 {
		t.Error("there are at least 12 principals")
	}
}

// matrixServer is a server on SQLite, or on PostgreSQL where it gets a
// database's address, whose rate limits the matrix does not meet, and a view of
// its database.
func matrixServer(t *testing.T, postgres string) (*server, *db.DB) {
	dir := filepath.Join(t.TempDir(), "data")
	store, target := []string{"--data", dir}, dir
	if postgres != "" {
		store, target = append(store, "--db", postgres), postgres
	}
	apps, err := makeAppsIn(store, "wire", "other")
	if err != nil {
		t.Fatal(err)
	}
	serve := append([]string{"serve", "--listen", "127.0.0.1:0"}, store...)
	for _, limit := range []string{"call", "back-end", "hello"} {
		serve = append(serve, "--limits-"+limit+"-rate", "1000000", "--limits-"+limit+"-burst", "1000000")
	}
	for _, limit := range []string{"request", "directory", "stranger"} {
		serve = append(serve, "--limits-"+limit+"-burst", "1000000")
	}
	media := calltest.New()
	t.Cleanup(media.HTTP.Close)
	serve = append(serve, "--limits-ring-burst", "1000000", "--calls-ring-time", "5m", "--calls-url", "ws"+strings.TrimPrefix(media.HTTP.URL, "http"), "--calls-key", calltest.Key)
	cmd := exec.Command(bin, serve...)
	cmd.Env = []string{"SKEIN_CALLS_SECRET=" + calltest.Secret}
	s, err := launchAs(cmd, dir, apps)
	if err != nil {
		t.Fatal(err)
	}
	s.media = media
	media.SetHook(s.url + "/v1/calls/webhook")
	d, err := openData(target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		d.Close()
		if err := s.stop(); err != nil {
			t.Error(err)
		}
		for line := range strings.Lines(s.logs.String()) {
			if strings.Contains(line, "level=ERROR") || strings.Contains(line, "panic") {
				t.Errorf("the server logged: %s", line)
			}
		}
	})
	return s, d
}

// volatile are tables that change by themselves, or by a good token alone: who
// was here when, leases, and what followers make of the journal.
var volatile = []string{"app_user", "app_count", "group_place", "group_count", "device", "device_token", "node_lease", "health_probe", "follower", "follower_owner", "usage_day", "job", "known_user", "broadcast"}

// stateOf tells what a database holds: each shard's head, and how many rows
// each table has.
func stateOf(t *testing.T, d *db.DB) string {
	t.Helper()
	var b strings.Builder
	if err := d.Read(context.Background(), func(tx db.Tx) error {
		b.Reset()
		var head int64
		if err := tx.QueryRow("SELECT sum(head) FROM shard").Scan(&head); err != nil {
			return err
		}
		fmt.Fprintf(&b, "head %d\n", head)
		names, err := texts(tx, map[db.Dialect]string{
			db.SQLite:   "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY name",
			db.Postgres: "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename",
		}[tx.Dialect()])
		if err != nil {
			return err
		}
		for _, n := range names {
			if slices.Contains(volatile, n) || strings.HasPrefix(n, "search_") {
				continue
			}
			var count int64
			if err := tx.QueryRow(`SELECT count(*) FROM "` + n + `"`).Scan(&count); err != nil {
				return err
			}
			fmt.Fprintf(&b, "%s %d\n", n, count)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// texts reads a column of texts.
func texts(tx db.Tx, query string, args ...any) (out []string, err error) {
	rows, err := tx.Query(query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, rows.Err()
}

// settled waits until nothing moves: followers may still act on what a fixture
// has done.
func settled(t *testing.T, state func() string) string {
	t.Helper()
	before := state()
	for range 200 {
		<-time.After(5 * time.Millisecond)
		now := state()
		if now == before {
			return now
		}
		before = now
	}
	t.Fatal("the database does not come to rest")
	return ""
}

func newFixture(t *testing.T, s *server) *fixture {
	t.Helper()
	n := counter.Add(1)
	f := &fixture{t: t, s: s, users: map[principal]string{}, own: map[principal]uint64{},
		early: fmt.Sprintf("early-words-%d", n), late: fmt.Sprintf("late-words-%d", n)}
	for _, p := range principals {
		f.users[p] = fmt.Sprintf("%s-%d", p, n)
	}
	for _, p := range []principal{expired, revoked, foreign} {
		f.users[p] = f.users[member]
	}
	var members []string
	for _, p := range []principal{ex, blocked, muted, member, bot, admin} {
		members = append(members, f.users[p])
	}
	own := f.as(owner)
	f.group = must[pb.CreateGroupResponse](own, createGroup, &pb.CreateGroupRequest{Title: f.early, Members: members, ClientId: newID(0)}).Conversation.Id
	f.direct = direct(f.users[member], f.users[owner])
	must[pb.SetRoleResponse](own, setRole, &pb.SetRoleRequest{Conversation: f.group, User: f.users[admin], Role: pb.Role_ROLE_ADMIN, ClientId: newID(0)})
	for _, p := range []principal{member, muted, bot, admin, owner, appAdmin, ex} {
		f.own[p] = f.as(p).say(f.group, f.early+" by "+string(p)).Seq
	}
	must[pb.LeaveGroupResponse](f.as(ex), leaveGroup, &pb.LeaveGroupRequest{Conversation: f.group, ClientId: newID(0)})
	f.ban()
	f.mute()
	own.say(f.group, f.late)
	return f
}

// ban takes the blocked one out for good; the owner blocks them, too.
func (f *fixture) ban() {
	must[pb.BanMemberResponse](f.as(owner), banMember, &pb.BanMemberRequest{Conversation: f.group, User: f.users[blocked], ClientId: newID(0)})
	must[pb.BlockUserResponse](f.as(owner), blockUser, &pb.BlockUserRequest{User: f.users[blocked], ClientId: newID(0)})
}

// talk says something in the direct conversation and returns its seq.
func (f *fixture) talk() uint64 { return f.as(member).say(f.direct, f.late).Seq }

// newcomer is a user who is in nothing yet.
func (f *fixture) newcomer() string { return someone("newcomer") }

// as is a principal's way to call.
func (f *fixture) as(p principal) *caller {
	c := &caller{t: f.t, srv: f.s, app: "wire"}
	wire, other := f.s.apps["wire"], f.s.apps["other"]
	switch p {
	case anonymous:
	case expired:
		c.token = wire.token(f.t, f.users[member], lasting(-3600e9, -120e9))
	case revoked:
		c.token, c.device = f.lose(), "lost"
	case foreign:
		c.app, c.token = "other", other.token(f.t, f.users[member])
	case foreignApp:
		c.app, c.token = "other", other.serverToken(f.t)
	case appAdmin:
		c.token = wire.serverToken(f.t)
	default:
		c.token = wire.token(f.t, f.users[p], f.claims(p)...)
	}
	return c
}

// claims are what a principal's token says beside who they are.
func (f *fixture) claims(p principal) []claim {
	if p == guest {
		return []claim{with("guest", true)}
	}
	return nil
}

// lose signs the member's lost device out, once, and returns the token that it
// had.
func (f *fixture) lose() string {
	if f.users["lost"] == "" {
		token := f.s.apps["wire"].token(f.t, f.users[member], with("dev", "lost"))
		f.users["lost"] = token
		c := connect(f.t, f.s, f.users[member], "lost", withToken(token))
		must[pb.SignOutDeviceResponse](f.as(member), signOutDevice, &pb.SignOutDeviceRequest{Device: "lost"})
		c.mayBreak = true
		c.end()
	}
	return f.users["lost"]
}

// absent is a fixture whose conversations do not exist; the users are the same.
func (f *fixture) absent() *fixture {
	a := *f
	n := counter.Add(1)
	a.group = fmt.Sprintf("g-%024x", n)
	a.direct = direct(fmt.Sprintf("absent-%d", n), fmt.Sprintf("nobody-%d", n))
	return &a
}

// outcome is what came of a request.
type outcome struct {
	code   string // ok, or an error code
	answer []byte // as it came
	text   string // readable
}

// ask makes a request as a principal.
func (f *fixture) ask(p principal, verb string, m proto.Message) outcome {
	f.t.Helper()
	if frame, ok := m.(*pb.ClientFrame); ok {
		return f.askSocket(p, frame)
	}
	return outcomeOf(f.as(p), "/skein.v1."+verb, m)
}

// outcomeOf is what comes of a call.
func outcomeOf(c *caller, procedure string, m proto.Message) outcome {
	c.t.Helper()
	r := c.call(procedure, m)
	if r.status == 200 {
		return outcome{outcomeOK, r.body, string(r.body)}
	}
	return outcome{strings.TrimPrefix(r.err.GetCode().String(), "ERROR_CODE_"), r.body, string(r.body)}
}

// askSocket says hello and then the frame; a hello that fails is the outcome.
func (f *fixture) askSocket(p principal, frame *pb.ClientFrame) outcome {
	f.t.Helper()
	who := f.as(p)
	d := "matrix"
	if who.device != "" {
		d = who.device
	}
	c, dialed := dial(f.t, f.s, f.users[p], d)
	defer c.conn.Close()
	c.mayBreak = true
	hello := dialed.hello
	hello.App, hello.Token = who.app, who.token
	c.send(&pb.ClientFrame{Frame: &pb.ClientFrame_Hello{Hello: hello}})
	first := c.answer(c.ref)
	if first.GetWelcome() == nil || frame.GetHello() != nil {
		return frameOutcome(f.t, first)
	}
	got := c.ask(proto.Clone(frame).(*pb.ClientFrame))
	got.Ref = 0
	return frameOutcome(f.t, got)
}

func frameOutcome(t *testing.T, got *pb.ServerFrame) outcome {
	out := outcome{code: outcomeOK, answer: encode(t, got), text: protojson.Format(got)}
	if e := got.GetError(); e != nil {
		out.code = strings.TrimPrefix(e.Code.String(), "ERROR_CODE_")
	}
	return out
}

func TestThePermissionMatrix(t *testing.T) {
	t.Parallel()
	theMatrix(t, "", 0, 1)
}

func TestThePermissionMatrixOnPostgreSQL(t *testing.T) {
	for _, part := range []int{0, 1} { // it is the longest of all these tests
		t.Run([]string{"even", "odd"}[part], func(t *testing.T) {
			t.Parallel()
			theMatrix(t, pgtest.DB(t), part, 2)
		})
	}
}

// theMatrix makes every request of one of so many parts of the matrix, on one
// server.
func theMatrix(t *testing.T, postgres string, part, parts int) {
	s, d := matrixServer(t, postgres)
	state := func() string { return stateOf(t, d) }
	cells := 0
	for i, r := range slices.Concat(matrix(), variants()) {
		if i%parts != part {
			continue
		}
		t.Run(strings.ReplaceAll(r.verb, "/", "."), func(t *testing.T) {
			want := r.outcomes(t)
			cells += len(want)
			refusals(t, s, state, &r, want)
			for _, p := range principals {
				if want[p] == outcomeOK {
					allowed(t, s, &r, p)
				}
			}
			if strings.HasPrefix(r.verb, "CallService/") {
				hangUp(t, s)
			}
		})
	}
	t.Logf("%d cells", cells)
}

// refusals makes every request that is to be refused, on one group; the
// visitor's on another.
func refusals(t *testing.T, s *server, state func() string, r *row, want map[principal]string) {
	shared := fixtureFor(t, s, r, "", false)
	shared.lose() // changes something, once
	its := func(principal) *fixture { return shared }
	if want[visitor] != outcomeOK {
		opened := fixtureFor(t, s, r, "", true)
		its = func(p principal) *fixture {
			if p == visitor {
				return opened
			}
			return shared
		}
	}
	before := settled(t, state)
	for _, p := range principals {
		if want[p] == outcomeOK {
			continue
		}
		f := its(p)
		got := f.ask(p, r.verb, r.request(f, p))
		if got.code != want[p] {
			t.Errorf("%s as %s: %s, want %s: %s", r.verb, p, got.code, want[p], got.text)
			continue
		}
		f.silent(r, p, got)
		if got.code != "NOT_FOUND" || r.same {
			continue
		}
		absent := f.absent()
		if other := absent.ask(p, r.verb, r.request(absent, p)); !bytes.Equal(other.answer, got.answer) {
			t.Errorf("%s as %s tells what there is from what there is not:\n%s\n%s", r.verb, p, got.text, other.text)
		}
	}
	if after := settled(t, state); after != before {
		t.Errorf("%s: refusals changed something:\n%s", r.verb, difference(before, after))
	}
}

// fixtureFor is a fixture that a row's request can be made on, by p or, if
// empty, by all who are refused.
func fixtureFor(t *testing.T, s *server, r *row, p principal, open bool) *fixture {
	t.Helper()
	f := newFixture(t, s)
	if f.open = open; open {
		f.openUp(pb.JoinMode_JOIN_MODE_OPEN)
	}
	if r.prepare != nil {
		r.prepare(f, p)
	}
	return f
}

// difference is the lines that two texts do not share.
func difference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	var out []string
	for _, l := range x {
		if !slices.Contains(y, l) {
			out = append(out, "- "+l)
		}
	}
	for _, l := range y {
		if !slices.Contains(x, l) {
			out = append(out, "+ "+l)
		}
	}
	return strings.Join(out, "\n")
}

// allowed makes a request that has to succeed, on a group of its own.
func allowed(t *testing.T, s *server, r *row, p principal) {
	f := fixtureFor(t, s, r, p, p == visitor)
	got := f.ask(p, r.verb, r.request(f, p))
	if got.code != outcomeOK {
		t.Errorf("%s as %s: %s, want ok: %s", r.verb, p, got.code, got.text)
		return
	}
	f.silent(r, p, got)
}

// silent holds an answer to an outsider to say nothing of the group.
func (f *fixture) silent(r *row, p principal, got outcome) {
	if slices.Contains(within, p) {
		return
	}
	if bytes.Contains(got.answer, []byte(f.late)) {
		f.t.Errorf("%s tells %s what was said behind their back: %s", r.verb, p, got.text)
	}
	if bytes.Contains(got.answer, []byte(f.early)) && !slices.Contains(r.shows, p) {
		f.t.Errorf("%s tells %s what was said in the group: %s", r.verb, p, got.text)
	}
}
