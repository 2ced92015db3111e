package sim

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
	skein "github.com/skein-im/skein/sdk/go"
)

// book is what the judge knows: what was committed, said and acknowledged.
type book struct {
	log    [][]record                      // by shard and position
	convs  map[im.ConvID][]record          // by seq
	byText map[string]record               // of messages, as they were committed
	ids    map[idKey]bool                  // client ids that were committed
	sends  map[string]*send                // by text
	byID   map[string]*send                // by client id
	lines_ map[string][]*send              // by device and conversation, in the order of saying
	gone   map[string]bool                 // texts whose recall was acknowledged
	reset  time.Duration                   // when the store was last restored
	old    map[im.ConvID]map[im.Seq]string // texts that a restore took back
}

type idKey struct {
	sender im.UserID
	id     im.ClientID
}

// record is an entry as it was when it was committed.
type record struct {
	im.Entry
	text string
	at   time.Duration // when it was seen to be committed
}

// send is a message that an app has handed to its SDK.
type send struct {
	device, conv, text string
	number             int
	invoked            time.Duration
	acked              time.Duration // 0 = not
	seq                uint64
	failed             skein.Code
	retried, discarded bool
	touched            bool // edited or recalled before it was acknowledged: its text is shown no more
	refused            bool // the server said once that it could not be stored now
	lost               bool // it was committed, and a restore took it back
}

func (b *book) init() {
	b.convs, b.byText, b.ids = map[im.ConvID][]record{}, map[string]record{}, map[idKey]bool{}
	b.sends, b.lines_, b.gone = map[string]*send{}, map[string][]*send{}, map[string]bool{}
	b.byID = map[string]*send{}
	b.old = map[im.ConvID]map[im.Seq]string{}
}

func (b *book) committedCount() (n int) {
	for _, l := range b.log {
		n += len(l)
	}
	return n
}

// textOf is the text of a body, "" when it has none.
func textOf(body []byte) string {
	var b skeinv1.Body
	if proto.Unmarshal(body, &b) != nil {
		return ""
	}
	return b.GetContent().GetText().GetText()
}

// scan reads what was committed since the last time and holds it to D2 and D3.
func (w *world) scan() {
	err := w.reader.View(context.Background(), func(v journal.View) error {
		for shard := range w.log {
			es, err := v.Since(shard, im.Pos(len(w.log[shard])), 1<<20)
			if err != nil {
				return err
			}
			for i := range es {
				w.enter(shard, es[i])
			}
		}
		return nil
	})
	if err != nil {
		w.fail("I2", "the log can not be read: %v", err)
	}
}

func (w *world) enter(shard int, e im.Entry) {
	r := record{Entry: e, text: textOf(e.Body), at: w.now}
	if int(e.Pos) != len(w.log[shard])+1 {
		w.fail("I2", "pos %d of shard %d comes behind %d", e.Pos, shard, len(w.log[shard]))
		return
	}
	list := w.convs[e.Conv]
	if int(e.Seq) != len(list)+1 {
		w.fail("I2", "seq %d of %s comes behind %d", e.Seq, e.Conv, len(list))
		return
	}
	ord := im.Ord(0)
	if len(list) > 0 {
		ord = list[len(list)-1].Ord
		if e.Time < list[len(list)-1].Time {
			w.fail("I2", "seq %d of %s was written before its predecessor", e.Seq, e.Conv)
		}
	}
	if e.Countable() {
		ord++
	}
	if e.Ord != ord {
		w.fail("I9", "seq %d of %s has ord %d, not %d", e.Seq, e.Conv, e.Ord, ord)
	}
	k := idKey{e.Sender, e.ClientID}
	if w.ids[k] {
		w.fail("I3", "client id %s of %s is in the log twice", e.ClientID, e.Sender)
	}
	w.ids[k] = true
	if e.Kind != im.KindMembers && e.Conv.Kind() == im.ConvGroup && !w.mayRead(string(e.Sender), e.Conv, e.Seq) {
		w.fail("I8", "%s wrote %s %d and was no member", e.Sender, e.Conv, e.Seq)
	}
	w.log[shard] = append(w.log[shard], r)
	w.convs[e.Conv] = append(list, r)
	if e.Kind == im.KindMessage && r.text != "" {
		if _, twice := w.byText[r.text]; twice && !w.renewed(r.text) {
			w.fail("I3", "%q is in the log twice", r.text)
		}
		w.byText[r.text] = r
	}
	w.trace("log", "%s %d pos %d/%d kind %d by %s target %d %q", e.Conv, e.Seq, shard, e.Pos, e.Kind, e.Sender, e.Target, r.text)
}

// renewed tells whether the app asked for a message to be sent again under
// another id, after it had failed.
func (b *book) renewed(text string) bool { s := b.sends[text]; return s != nil && s.retried }

// committed is told by a node's journal.
func (w *world) committed(n *node, es []im.Entry) {
	for i := range es {
		e := &es[i]
		list := w.convs[e.Conv]
		if int(e.Seq) > len(list) || list[e.Seq-1].ClientID != e.ClientID || list[e.Seq-1].Pos != e.Pos {
			w.fail("I7", "%s announces %s %d, which is not stored", n.name, e.Conv, e.Seq)
		}
	}
}

// said notes a message in the outbox.
func (w *world) said(d *device, conv, text, id string, invoked time.Duration) {
	defer func() { w.byID[id] = w.sends[text] }()
	line := d.name + " " + conv
	s := &send{device: d.name, conv: conv, text: text, invoked: invoked, number: len(w.lines_[line])}
	if early := w.sends[text]; early != nil { // its answer was faster than Enqueue's
		*early, s = send{device: s.device, conv: s.conv, text: s.text, invoked: s.invoked, number: s.number, acked: early.acked, seq: early.seq,
			failed: early.failed}, early
	}
	w.sends[text] = s
	w.lines_[line] = append(w.lines_[line], s)
}

func (w *world) retried(text string) {
	if s := w.sends[text]; s != nil {
		s.retried, s.failed = true, ""
	}
}

func (w *world) discarded(text string) {
	if s := w.sends[text]; s != nil {
		s.discarded = true
	}
}

// changing notes that the app edits or recalls a message.
func (w *world) changing(m skein.Message) {
	if s := w.sends[m.Text]; s != nil && m.State == skein.Sending {
		s.touched = true
	}
}

func (w *world) recalled(conv string, m skein.Message) {
	if s := w.sends[m.Text]; s != nil && w.reset == 0 {
		w.gone[m.Text] = true
	}
}

// memberships is a user's newest membership of each conversation.
func (w *world) memberships(user string) map[string]journal.Member {
	out := map[string]journal.Member{}
	_ = w.reader.View(context.Background(), func(v journal.View) error {
		rows, err := v.Changes(app, im.UserID(user), nil, nil, 1000)
		for _, r := range rows {
			out[string(r.Conv.ID)] = r.Member
		}
		return err
	})
	return out
}

// mayRead tells whether a user may see a position now or could ever: D6.
func (w *world) mayRead(user string, conv im.ConvID, seq im.Seq) bool {
	switch conv.Kind() {
	case im.ConvDirect:
		return conv.Peer(im.UserID(user)) != ""
	case im.ConvSelf:
		return conv.Owner() == im.UserID(user)
	}
	ok := false
	_ = w.reader.View(context.Background(), func(v journal.View) error {
		list, err := v.Intervals(app, conv, im.UserID(user))
		for _, m := range list {
			ok = ok || seq >= m.From && (m.To == 0 || seq < m.To)
		}
		return err
	})
	return ok
}

// asked looks at a packet that a device sends.
func (w *world) asked(c *conn, data []byte) {
	var p skeinv1.ClientPacket
	if proto.Unmarshal(data, &p) != nil {
		w.fail("I7", "%s sent what is no packet", c.d.name)
		return
	}
	for _, f := range p.GetFrames() {
		if s := f.GetSend(); s != nil {
			c.sends[f.GetRef()] = s.GetBody().GetContent().GetText().GetText()
		}
	}
}

// delivered looks at a packet that a node writes to a socket.
func (w *world) delivered(c *conn, data []byte) {
	var p skeinv1.ServerPacket
	if proto.Unmarshal(data, &p) != nil {
		w.fail("I7", "%s was sent what is no packet", c.d.name)
		return
	}
	for _, f := range p.GetFrames() {
		if s := w.sends[c.sends[f.GetRef()]]; f.GetError() != nil && f.GetRef() > 0 && s != nil {
			s.refused = true // by the front door: too many, not allowed
		}
		if e := f.GetError(); e != nil {
			w.trace(c.n.name, "refuses %q of %s: %s, retry after %d ms", c.sends[f.GetRef()], c.d.name, e.GetCode(), e.GetRetryAfterMs())
		}
		var list []*skeinv1.Entry
		page := f.GetSync()
		if page == nil {
			page = f.GetWelcome().GetSync()
		}
		for _, delta := range page.GetConversations() {
			v := delta.GetConversation()
			w.trace(c.n.name, "page for %s: %s head %d, member %d to %d, gap %v", c.d.name, v.GetId(), v.GetHeadSeq(),
				v.GetMembership().GetFromSeq(), v.GetMembership().GetToSeq(), delta.GetGap())
			list = append(append(list, delta.GetEntries()...), delta.GetKeyed()...)
		}
		if e := f.GetEntry(); e != nil {
			list = append(list, e)
		}
		for _, e := range list {
			// What was on its way already may arrive: "nothing committed later".
			if at := w.committedAt(e); c.fenced > 0 && at >= c.fenced {
				w.fail("D6", "%s gets %s %d of %v, and its sign-out was acknowledged at %v", c.d.name, e.GetConversation(), e.GetSeq(), at, c.fenced)
			}
			w.checkEntry(c.d, e, "was sent")
		}
	}
}

// committedAt is when an entry was committed, 0 when it was not.
func (w *world) committedAt(e *skeinv1.Entry) time.Duration {
	if list := w.convs[im.ConvID(e.GetConversation())]; e.GetSeq() >= 1 && int(e.GetSeq()) <= len(list) {
		return list[e.GetSeq()-1].at
	}
	return 0
}

// checkEntry holds an entry that reaches a device to the log: I7 and I8.
func (w *world) checkEntry(d *device, e *skeinv1.Entry, how string) {
	conv, seq := im.ConvID(e.GetConversation()), im.Seq(e.GetSeq())
	list := w.convs[conv]
	if seq < 1 || int(seq) > len(list) || string(list[seq-1].ClientID[:]) != string(e.GetClientId()) ||
		int32(list[seq-1].Kind) != int32(e.GetKind()) || string(list[seq-1].Sender) != e.GetSender() {
		w.fail("I7", "%s %s %s %d, which is not in the log", d.name, how, conv, seq)
		return
	}
	if !w.mayRead(d.user, conv, seq) {
		w.fail("I8", "%s %s %s %d, which is not theirs to read", d.name, how, conv, seq)
	}
}

// told looks at a message that the SDK tells the app of.
func (w *world) told(d *device, m skein.Message, update bool) {
	what := "message"
	if update {
		what = "update"
	}
	w.trace(d.name, "%s %s %d %s %q recalled=%v edited=%v", what, m.Conversation, m.Seq, m.State, m.Text, m.Recalled, m.Edited)
	if m.Sender == d.user {
		w.answered(d, m)
	}
	if m.Seq == 0 {
		return
	}
	if list := w.convs[im.ConvID(m.Conversation)]; int(m.Seq) > len(list) {
		if w.old[im.ConvID(m.Conversation)][im.Seq(m.Seq)] == "" {
			w.fail("I7", "%s is told of %s %d, which is not in the log", d.name, m.Conversation, m.Seq)
		}
		return
	}
	if update {
		return
	}
	if last := d.seen[m.Conversation]; m.Seq <= last {
		w.fail("I6", "%s is told of %s %d behind %d", d.name, m.Conversation, m.Seq, last)
	}
	d.seen[m.Conversation] = m.Seq
}

// original is the text that an edit, or an edit of an edit, is of.
func original(text string) string {
	if i := strings.LastIndex(text, " for "); i >= 0 {
		return text[i+len(" for "):]
	}
	return text
}

// answered notes what became of a message of the device's own.
func (w *world) answered(d *device, m skein.Message) {
	s := w.sends[original(m.Text)]
	if s == nil {
		s = w.byID[m.ID]
	}
	if s == nil {
		if !strings.HasPrefix(m.Text, d.name+" ") || m.State == skein.Sending || strings.Contains(m.Text, " for ") {
			return
		}
		s = &send{device: d.name, conv: m.Conversation, text: m.Text}
		w.sends[m.Text] = s
	}
	if s.device != d.name {
		return
	}
	switch m.State {
	case skein.Failed:
		if m.Err != nil {
			s.failed = m.Err.Code
		}
	case skein.Sent:
		if s.acked == 0 && m.Seq > 0 {
			s.acked, s.seq = w.now, m.Seq
			list := w.convs[im.ConvID(m.Conversation)]
			if int(m.Seq) > len(list) || list[m.Seq-1].text != s.text {
				if w.old[im.ConvID(m.Conversation)][im.Seq(m.Seq)] != s.text {
					w.fail("I1", "%q was acknowledged as %s %d and is not there", s.text, m.Conversation, m.Seq)
				}
			}
		}
	}
}

// conversationTold holds read markers to I9: never back.
func (w *world) conversationTold(d *device, v *skein.Conversation) {
	read := v.ReadPosition().Seq
	if last := d.reads[v.ID()]; read < last && w.reset == 0 {
		w.fail("I9", "the read marker of %s in %s went back from %d to %d", d.name, v.ID(), last, read)
	}
	d.reads[v.ID()] = read
}

// takeBackup copies the store.
func (w *world) takeBackup() {
	b, err := w.store.Restored(w.entropy("backup"))
	if err != nil {
		panic(err)
	}
	w.backup = b
	w.acted["backup"]++
	w.trace("world", "backup")
}

// restore brings the backup back: every node is stopped, and what was
// committed since is gone.
func (w *world) restore(back time.Duration) bool {
	if w.backup == nil {
		return false
	}
	for _, n := range w.nodes {
		w.crash(n)
		w.after(back, func() { w.boot(n) })
	}
	w.store, w.backup, w.reset = w.backup, nil, w.now
	w.reader = w.store.Open(journal.Options{Clock: w.judge})
	before := w.convs
	w.log, w.convs, w.byText, w.ids = make([][]record, w.shards), map[im.ConvID][]record{}, map[string]record{}, map[idKey]bool{}
	clear(w.gone)
	w.scan()
	for conv, list := range before {
		for i, r := range w.convs[conv] { // what is kept was said as it was said
			if i < len(list) && list[i].ClientID == r.ClientID && list[i].text != "" {
				w.convs[conv][i].text = list[i].text
				w.byText[list[i].text] = w.convs[conv][i]
			}
		}
		for _, r := range list[min(len(w.convs[conv]), len(list)):] {
			if w.old[conv] == nil {
				w.old[conv] = map[im.Seq]string{}
			}
			if s := w.sends[r.text]; s != nil {
				s.lost = true
			}
			w.old[conv][r.Seq] = r.text + " "
			if r.text != "" {
				w.old[conv][r.Seq] = r.text
			}
		}
	}
	for _, d := range w.devices {
		clear(d.seen)
		clear(d.reads)
	}
	return true
}

// checkSends holds what was acknowledged to the log: I1, I3, I4, I5.
func (w *world) checkSends() {
	for _, text := range sortedKeys(w.sends) {
		s := w.sends[text]
		r, stored := w.byText[text]
		switch {
		case s.acked > 0 && !stored && !s.lost:
			w.fail("I1", "%q was acknowledged as %s %d and is not in the log", text, s.conv, s.seq)
		case s.acked > 0 && stored && uint64(r.Seq) != s.seq && w.reset == 0:
			w.fail("I1", "%q was acknowledged as %s %d and is %d", text, s.conv, s.seq, r.Seq)
		case s.failed != "" && stored && s.acked == 0 && definitive(s.failed):
			w.fail("I3", "%q was refused with %s and is %s %d", text, s.failed, s.conv, r.Seq)
		case s.acked == 0 && s.failed == "" && !s.discarded && !s.lost && !s.retried && !s.touched:
			w.fail("I1", "%q in %s, said at %v, has no answer at the end (stored: %v)", text, s.conv, s.invoked, stored)
		}
	}
	for _, line := range sortedKeys(w.lines_) {
		var before *send
		for _, s := range w.lines_[line] {
			r, stored := w.byText[s.text]
			if !stored || s.retried || s.lost || s.refused {
				continue // what was refused meanwhile comes later: an error concerns one message
			}
			if before != nil && w.byText[before.text].Seq > r.Seq && w.reset == 0 {
				w.fail("I5", "%q was said after %q and comes before it", s.text, before.text)
			}
			before = s
		}
	}
	if w.reset == 0 {
		w.checkRealTime()
	}
}

// checkRealTime is I4: what was said after another was acknowledged comes
// behind it.
func (w *world) checkRealTime() {
	byConv := map[string][]*send{}
	for _, text := range sortedKeys(w.sends) {
		if s := w.sends[text]; s.acked > 0 && s.invoked > 0 {
			byConv[s.conv] = append(byConv[s.conv], s)
		}
	}
	for _, conv := range sortedKeys(byConv) {
		invoked, acked := slices.Clone(byConv[conv]), byConv[conv]
		sort.SliceStable(invoked, func(i, k int) bool { return invoked[i].invoked < invoked[k].invoked })
		sort.SliceStable(acked, func(i, k int) bool { return acked[i].acked < acked[k].acked })
		var highest *send
		i := 0
		for _, s := range invoked {
			for ; i < len(acked) && acked[i].acked < s.invoked; i++ {
				if highest == nil || acked[i].seq > highest.seq {
					highest = acked[i]
				}
			}
			if highest != nil && s.seq < highest.seq {
				w.fail("I4", "%q was said after %q was acknowledged, and comes before it", s.text, highest.text)
			}
		}
	}
}

// definitive tells whether a failure says that nothing was stored.
func definitive(c skein.Code) bool {
	switch c {
	case skein.InvalidArgument, skein.NotFound, skein.PermissionDenied, skein.TooLarge, skein.FailedPrecondition, skein.Unsupported:
		return true
	}
	return false
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// dump shows everything that a device knows, as text. Without reads, how far
// the user has read is left out, and how far others have always: a live device
// hears of it by hints, which may get lost, and then not before the next mark.
func (d *device) dump(reads bool) (lines []string, err error) {
	ctx, c, from := context.Background(), d.client, d.w.memberships(d.user)
	list := c.Conversations()
	if c.Self().Head().Seq > 0 && !slices.ContainsFunc(list, func(v *skein.Conversation) bool { return v.ID() == c.Self().ID() }) {
		list = append(list, c.Self())
	}
	slices.SortFunc(list, func(a, b *skein.Conversation) int { return strings.Compare(a.ID(), b.ID()) })
	for _, v := range list {
		if m, ever := from[v.ID()]; v.Kind() == skein.Group && (!ever || m.To > 0) {
			if ever && !v.Left() && d.w.reset == 0 {
				lines = append(lines, v.ID()+" kind=group, and does not know that it has left")
			}
			continue // what is kept of it is this device's own business
		}
		if _, ever := from[v.ID()]; !ever && d.w.reset > 0 {
			continue // a restore took it back: it is kept for what waits in the outbox
		}
		if v.Head().Seq == 0 {
			continue // there is only what waits, or has failed, in the outbox
		}
		line := fmt.Sprintf("%s kind=%s title=%q head=%v", v.ID(), v.Kind(), v.Title(), v.Head())
		if reads {
			line += fmt.Sprintf(" unread=%d read=%v", v.Unread(), v.ReadPosition())
		}
		if v.Kind() == skein.Group {
			line += fmt.Sprintf(" members=%d role=%s", v.MemberCount(), v.Role())
		}
		lines = append(lines, line)
		for _, k := range v.Keys() {
			m, _ := v.Value(k)
			lines = append(lines, fmt.Sprintf("%s key %s = %q", v.ID(), k, m.Text))
		}
		for page, err := range v.History(ctx, skein.HistoryOptions{FromStart: true, Limit: 100}) {
			if err != nil {
				return lines, fmt.Errorf("%s: history of %s: %w", d.name, v.ID(), err)
			}
			for _, m := range page {
				if m.Seq > 0 && uint64(from[v.ID()].From) > m.Seq {
					continue // of an earlier membership, which a fresh device does not get
				}
				lines = append(lines, fmt.Sprintf("%s %d/%d %s %s %s %q edited=%v recalled=%v pending=%v %v %v", v.ID(), m.Seq, m.Ord, m.Sender, m.State, m.Kind, m.Text,
					m.Edited, m.Recalled, m.Pending, m.Reactions, m.ToDevices))
			}
		}
	}
	return lines, nil
}
