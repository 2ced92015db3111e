package chat

import (
	"context"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Bounds of a user's own state.
const (
	MaxPins       = 100      // pinned conversations
	MaxFolders    = 50       // folders
	MaxInFolder   = 500      // conversations in a folder
	MaxHidden     = 1000     // pieces of a conversation that the user has deleted for themself
	MaxDraftBytes = 16 << 10 // of a draft's text
)

const (
	maxFolderName    = 64
	maxFolderEmoji   = 32
	maxFolderID      = 36
	maxPrivateKeys   = 20_000           // keys of one kind that are looked through to count
	draftsAhead      = 10 * time.Minute // of the server's clock
	bitHidden        = uint64(1) << 8   // of a self conversation: something is hidden anywhere
	hiddenKey        = "hidden/"
	folderKey, inKey = "folder/", "in/"
)

// privateKind is one kind of value: how the keys begin that carry it, whether
// the rest of the key is a conversation's id, and whether a value is this kind.
type privateKind struct {
	prefix string
	folder bool // the rest of the key is a folder's id
	thread bool // the rest of the key is a conversation's id and a root
	is     func(p *skeinv1.Private) bool
	check  func(p *skeinv1.Private) error
	// plan looks at what is there when the value is stored; nil = nothing
	// there matters.
	plan func(s *Service, v journal.View, w *privateWrite) error
}

// privateWrite is a value on its way into the journal.
type privateWrite struct {
	actor im.Actor
	r     *SendRequest
	value *skeinv1.Private
	a     *journal.Append
}

// privateKinds is the table of the keys that mean something to the server.
// It is a function, since a table with functions in it is no constant.
func privateKinds() [10]privateKind {
	return [...]privateKind{
		{prefix: "pin/", is: func(p *skeinv1.Private) bool { return p.GetPin() != nil }, plan: planPin},
		{prefix: "mute/", is: func(p *skeinv1.Private) bool { return p.GetMute() != nil }, check: checkMute},
		{prefix: "draft/", is: func(p *skeinv1.Private) bool { return p.GetDraft() != nil }, check: checkDraft, plan: planDraft},
		{prefix: "unread/", is: func(p *skeinv1.Private) bool { return p.GetUnread() != nil }},
		{prefix: "hide/", is: func(p *skeinv1.Private) bool { return p.GetHide() != nil }},
		{prefix: "archive/", is: func(p *skeinv1.Private) bool { return p.GetArchive() != nil }},
		{prefix: folderKey, folder: true, is: func(p *skeinv1.Private) bool { return p.GetFolder() != nil }, check: checkFolder, plan: planFolder},
		{prefix: inKey, is: func(p *skeinv1.Private) bool { return p.GetFolders() != nil }, check: checkFolders, plan: planFolders},
		{prefix: hiddenKey, is: func(p *skeinv1.Private) bool { return p.GetHidden() != nil }, check: checkHidden, plan: planHidden},
		{prefix: "thread/", thread: true, is: func(p *skeinv1.Private) bool { return p.GetThread() != nil }, check: checkThreadMark},
	}
}

// kindOfKey finds the kind whose keys begin like this one; ok is false for the
// app's own keys.
func kindOfKey(key string) (k privateKind, ok bool) {
	if !strings.Contains(key, "/") {
		return k, false
	}
	for _, k := range privateKinds() {
		if strings.HasPrefix(key, k.prefix) {
			return k, true
		}
	}
	return k, false
}

// checkPrivate holds a private value to its key. What else an app keeps under
// such a key, as one may that is older than private.proto, means nothing.
func checkPrivate(key string, c *skeinv1.Content) error {
	k, reserved := kindOfKey(key)
	p := c.GetPrivate()
	if p == nil {
		return nil
	}
	if hasGroups(p) {
		return errGroups()
	}
	if key == "" {
		return im.Errorf(im.InvalidArgument, "a private value has a key, in the self conversation")
	}
	if p.Value == nil {
		return nil // empties any key
	}
	if !reserved || !k.is(p) {
		return im.Errorf(im.InvalidArgument, "a private value of another kind lies under this key")
	}
	rest := key[len(k.prefix):]
	if i := strings.LastIndexByte(rest, '/'); k.thread && i >= 0 {
		if root, err := strconv.ParseUint(rest[i+1:], 10, 53); err != nil || root == 0 {
			return im.Errorf(im.InvalidArgument, "the key does not end with the seq of a root")
		}
		rest = rest[:i]
	}
	switch {
	case k.folder && !validFolderID(rest):
		return im.Errorf(im.InvalidArgument, "a folder's id is 1 to %d of a-z A-Z 0-9 _ -", maxFolderID)
	case !k.folder && im.ConvID(rest).Kind() == im.ConvInvalid:
		return im.Errorf(im.InvalidArgument, "the key does not end with the id of a conversation")
	}
	if k.check == nil {
		return nil
	}
	return k.check(p)
}

// validFolderID tells ids that clients make: UUIDs, mostly.
func validFolderID(s string) bool {
	return s != "" && len(s) <= maxFolderID && im.ValidToken(s)
}

func checkThreadMark(p *skeinv1.Private) error {
	if p.GetThread().Follow > 2 {
		return im.Errorf(im.InvalidArgument, "follow is 0, 1 or 2")
	}
	return nil
}

func checkMute(p *skeinv1.Private) error {
	if p.GetMute().UntilUs < 0 {
		return im.Errorf(im.InvalidArgument, "until_us is not before 1970")
	}
	return nil
}

func checkDraft(p *skeinv1.Private) error {
	d := p.GetDraft()
	switch {
	case hasGroups(d):
		return errGroups()
	case d.TimeUs < 1:
		return im.Errorf(im.InvalidArgument, "a draft says when it was written")
	case len(d.Text) > MaxDraftBytes:
		return im.Errorf(im.TooLarge, "a draft has at most %d bytes", MaxDraftBytes)
	case len(d.Mentions) > MaxMentions:
		return im.Errorf(im.InvalidArgument, "a draft mentions at most %d users", MaxMentions)
	}
	for _, u := range d.Mentions {
		if !im.ValidName(u) {
			return im.Errorf(im.InvalidArgument, "a mention is not a user id")
		}
	}
	return nil
}

func checkFolder(p *skeinv1.Private) error {
	f := p.GetFolder()
	if err := checkLine(f.Name, "a folder's name", 1, maxFolderName); err != nil {
		return err
	}
	return checkEmoji(f.Emoji)
}

// checkEmoji takes what one picture is written with: joiners and selectors
// are format characters, so that checkLine does not do.
func checkEmoji(v string) error {
	if len(v) > maxFolderEmoji || strings.ContainsFunc(v, func(r rune) bool { return r < 0x20 || r == 0x7f }) {
		return im.Errorf(im.InvalidArgument, "an emoji has at most %d bytes", maxFolderEmoji)
	}
	return nil
}

func checkFolders(p *skeinv1.Private) error {
	ids := p.GetFolders().Ids
	if len(ids) > MaxFolders {
		return im.Errorf(im.TooLarge, "there are at most %d folders", MaxFolders)
	}
	seen := make(map[string]bool, len(ids))
	for _, id := range ids {
		if !validFolderID(id) || seen[id] {
			return im.Errorf(im.InvalidArgument, "the folders have different ids of 1 to %d of a-z A-Z 0-9 _ -", maxFolderID)
		}
		seen[id] = true
	}
	return nil
}

func checkHidden(p *skeinv1.Private) error {
	h := p.GetHidden()
	if len(h.Ranges) > MaxHidden {
		return &im.Error{Code: im.TooLarge, Message: "more than 1000 ranges are hidden", Hint: "clear the history instead"}
	}
	last := h.UpToSeq
	for _, r := range h.Ranges {
		if r == nil || r.FromSeq < 1 || r.FromSeq <= last || r.ToSeq < r.FromSeq || r.ToSeq > maxSeq {
			return im.Errorf(im.InvalidArgument, "hidden ranges ascend, apart from each other and beyond up_to_seq")
		}
		last = r.ToSeq
	}
	if last > maxSeq || h.BaseSeq > maxSeq {
		return im.Errorf(im.InvalidArgument, "a seq is below 2^53")
	}
	return nil
}

// maxSeq is what a JavaScript number counts exactly.
const maxSeq = 1<<53 - 1

// planned tells whether a send looks at what is stored before it is decided,
// and so can be overtaken.
func (r *SendRequest) planned() bool {
	if r.Key == "" || r.content.GetPrivate() == nil {
		return false
	}
	k, ok := kindOfKey(r.Key)
	return ok && k.plan != nil
}

// planPrivate looks at what is stored and fills in what the append depends on.
func (s *Service) planPrivate(ctx context.Context, actor im.Actor, r *SendRequest, a *journal.Append) error {
	k, ok := kindOfKey(r.Key)
	if !ok || k.plan == nil {
		return nil
	}
	return s.j.View(ctx, func(v journal.View) (err error) {
		if a.ACLVersion, err = aclVersion(v, actor.App, r.Conv); err != nil {
			return err
		}
		return k.plan(s, v, &privateWrite{actor: actor, r: r, value: r.content.GetPrivate(), a: a})
	})
}

// now is the value that the key has, with its seq; nil and 0 when it has none.
func (w *privateWrite) now(v journal.View) (*skeinv1.Private, im.Seq, error) {
	es, err := v.KeyedAt(w.actor.App, w.r.Conv, w.r.Key)
	if err != nil || len(es) == 0 {
		return nil, 0, err
	}
	return privateOf(&es[0]), es[0].Seq, nil
}

// privateOf decodes a keyed entry; nil when it is no Private or is empty.
func privateOf(e *im.Entry) *skeinv1.Private {
	var b skeinv1.Body
	if proto.Unmarshal(e.Body, &b) != nil {
		return nil
	}
	if p := b.GetContent().GetPrivate(); p.GetValue() != nil {
		return p
	}
	return nil
}

// planCount refuses one value too many of a kind that is counted. The append
// raises the version that decisions hold for, so that two devices which add
// the last one at once do not both succeed.
func planCount(v journal.View, w *privateWrite, prefix, what string, most int) error {
	if w.value.Value == nil {
		return nil
	}
	if before, _, err := w.now(v); before != nil || err != nil {
		return err
	}
	es, err := v.KeyedIn(w.actor.App, w.r.Conv, journal.KeyRange{Prefix: prefix, Limit: maxPrivateKeys})
	if err != nil {
		return err
	}
	n := 0
	for i := range es {
		if privateOf(&es[i]) != nil {
			n++
		}
	}
	if n >= most {
		return im.Errorf(im.TooLarge, "there are at most %d %s", most, what)
	}
	w.a.Raise = true
	return nil
}

func planPin(_ *Service, v journal.View, w *privateWrite) error {
	return planCount(v, w, "pin/", "pinned conversations", MaxPins)
}

func planFolder(_ *Service, v journal.View, w *privateWrite) error {
	return planCount(v, w, folderKey, "folders", MaxFolders)
}

// planFolders counts the conversations of each folder that is new to this one.
func planFolders(_ *Service, v journal.View, w *privateWrite) error {
	before, _, err := w.now(v)
	if err != nil {
		return err
	}
	count := map[string]int{}
	for _, id := range w.value.GetFolders().GetIds() {
		count[id] = 0
	}
	for _, id := range before.GetFolders().GetIds() {
		delete(count, id)
	}
	if len(count) == 0 {
		return nil
	}
	es, err := v.KeyedIn(w.actor.App, w.r.Conv, journal.KeyRange{Prefix: inKey, Limit: MaxFolders * MaxInFolder})
	if err != nil {
		return err
	}
	for i := range es {
		for _, id := range privateOf(&es[i]).GetFolders().GetIds() {
			if n, ok := count[id]; ok {
				count[id] = n + 1
			}
		}
	}
	for _, n := range count {
		if n >= MaxInFolder {
			return im.Errorf(im.TooLarge, "a folder has at most %d conversations", MaxInFolder)
		}
	}
	w.a.Raise = true
	return nil
}

// planDraft lets no older draft take the place of a newer one, whichever of
// the user's devices comes last.
func planDraft(s *Service, v journal.View, w *privateWrite) error {
	d := w.value.GetDraft()
	if d != nil && im.Micros(d.TimeUs) > im.MicrosOf(s.clock.Now().Add(draftsAhead)) {
		return im.Errorf(im.InvalidArgument, "a draft is not of the future")
	}
	before, seq, err := w.now(v)
	if err != nil {
		return err
	}
	if d != nil && before.GetDraft().GetTimeUs() > d.TimeUs {
		return im.Errorf(im.FailedPrecondition, "a newer draft is there")
	}
	w.a.SlotSeq = &seq
	return nil
}

// planHidden takes a change of what is hidden only from whoever knows what is
// hidden now: two devices that delete at once must not undo each other.
func planHidden(_ *Service, v journal.View, w *privateWrite) error {
	_, seq, err := w.now(v)
	if err != nil {
		return err
	}
	if h := w.value.GetHidden(); h != nil && im.Seq(h.BaseSeq) != seq {
		return &im.Error{Code: im.FailedPrecondition, Message: "another device has changed what is hidden", Hint: "take over its value and try again"}
	}
	w.a.SlotSeq, w.a.SetBits = &seq, bitHidden
	return nil
}

// Hidden is what a user has deleted of a conversation for themself. The zero
// value hides nothing.
type Hidden struct{ v *skeinv1.PrivateHidden }

// Has tells whether a position is hidden.
func (h Hidden) Has(seq im.Seq) bool {
	if seq <= h.UpTo() {
		return true
	}
	for _, r := range h.v.GetRanges() {
		if uint64(seq) <= r.ToSeq {
			return uint64(seq) >= r.FromSeq
		}
	}
	return false
}

// UpTo is the position up to which the history was cleared; 0 = it was not.
func (h Hidden) UpTo() im.Seq { return im.Seq(h.v.GetUpToSeq()) }

// HiddenIn returns what a user has hidden of some conversations; those of
// which nothing is hidden are left out. It costs a row when nothing is hidden
// anywhere, else one query.
func HiddenIn(v journal.View, app im.AppID, user im.UserID, convs ...im.ConvID) (map[im.ConvID]Hidden, error) {
	if user == "" || len(convs) == 0 {
		return nil, nil
	}
	self := im.Self(user)
	c, err := v.Conv(app, self)
	if im.CodeOf(err) == im.NotFound || err == nil && c.Bits&bitHidden == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	keys := make([]string, len(convs))
	for i, id := range convs {
		keys[i] = hiddenKey + string(id)
	}
	es, err := v.KeyedAt(app, self, keys...)
	if err != nil && im.CodeOf(err) != im.DataLoss { // a damaged one was reported; the messages are still there
		return nil, err
	}
	out := make(map[im.ConvID]Hidden, len(es))
	for i := range es {
		if h := privateOf(&es[i]).GetHidden(); h != nil {
			out[im.ConvID(es[i].Key[len(hiddenKey):])] = Hidden{h}
		}
	}
	return out, nil
}
