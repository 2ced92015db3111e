// Package board keeps what a group shows beside its messages: announcements,
// attributes and counters.
//
// Each is a keyed entry of the group, so it is stored, ordered, delivered and
// synced as a message is, and only its newest value is kept. The keys are
// numbered places ("attr/1" to "attr/100") with the name in the value: a place
// is used again when what was in it is removed, so that a group cannot grow a
// map without end by making and removing names.
//
// Everything is exact under concurrency without a lock: a change names the
// newest entry of its place that it was decided on, and whatever takes a new
// place raises the group's version, so that of two that saw one place free, or
// one name missing, one is decided again.
package board

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// The limits. Each has a row in docs/reference/limits.md.
const (
	// MaxAnnouncements, MaxAttributes and MaxCounters are how many of each a
	// group has at once.
	MaxAnnouncements = 50
	MaxAttributes    = 100
	MaxCounters      = 50
	// MaxName is the bytes of a name, MaxValue those of an attribute's value or
	// an announcement's text.
	MaxName  = 64
	MaxValue = 4096
	maxTitle = 128 // bytes
)

// tries is how often a change that others overtook is tried again; each try
// is decided several times.
const tries = 25

// Deps are what a Service is made of; all are needed.
type Deps struct {
	Chat    *chat.Service
	Journal journal.Journal
	Clock   im.Clock
}

// Service is the verbs. It is safe for concurrent use.
type Service struct{ Deps }

// New builds the service.
func New(d Deps) *Service { return &Service{d} }

// shelf is the places of one kind.
type shelf struct {
	prefix string // of the keys, with its slash
	places int
	full   string // what it has too many of
	grant  skeinv1.Grant
}

func announcements() shelf {
	return shelf{"announcement/", MaxAnnouncements, "announcements", skeinv1.Grant_GRANT_ANNOUNCE}
}

func attributes() shelf {
	return shelf{"attr/", MaxAttributes, "attributes", skeinv1.Grant_GRANT_ATTRIBUTES}
}

func counters() shelf {
	return shelf{"counter/", MaxCounters, "counters", skeinv1.Grant_GRANT_ATTRIBUTES}
}

// item is what is in a place.
type item struct {
	key     string
	entry   im.Entry
	content *skeinv1.Content
}

// removed tells whether the place is free again.
func (i *item) removed() bool {
	c := i.content
	return c.GetAnnouncement().GetRemoved() || c.GetAttribute().GetRemoved() || c.GetCounter().GetRemoved()
}

// read returns what is on a shelf of a group, removed ones included.
func (sh shelf) read(v journal.View, app im.AppID, conv im.ConvID) ([]item, error) {
	entries, err := v.Keyed(app, conv)
	if err != nil {
		return nil, err
	}
	var out []item
	for i := range entries {
		e := &entries[i]
		if !strings.HasPrefix(e.Key, sh.prefix) || len(e.Body) == 0 || e.Damaged {
			continue
		}
		var b skeinv1.Body
		if err := proto.Unmarshal(e.Body, &b); err != nil {
			return nil, fmt.Errorf("decode %s: %w", e.Key, err)
		}
		out = append(out, item{e.Key, *e, b.Content})
	}
	return out, nil
}

// free returns a place for something new, and the seq of its newest entry.
func (sh shelf) free(items []item) (key string, newest im.Seq, err error) {
	taken := make(map[string]*item, len(items))
	for i := range items {
		taken[items[i].key] = &items[i]
	}
	for n := 1; n <= sh.places; n++ {
		key := fmt.Sprint(sh.prefix, n)
		switch i := taken[key]; {
		case i == nil:
			return key, 0, nil
		case i.removed():
			return key, i.entry.Seq, nil
		}
	}
	return "", 0, &im.Error{Code: im.ResourceExhausted, Message: fmt.Sprintf("the group has %d %s, which is the most", sh.places, sh.full), Hint: "remove one first"}
}

// put is a value for a place that holds something, or that free gave.
func (sh shelf) put(key string, newest im.Seq, fresh bool, c *skeinv1.Content) chat.Keyed {
	return chat.Keyed{Verb: chat.VerbBoard, Key: key, Content: c, Newest: &newest, Raise: fresh}
}

// errDone says that an entry with the call's client id is there.
var errDone = errors.New("done before")

// change changes a shelf. plan is given what is on it and says what to put
// where; it may run several times. The result's entry is a duplicate when the
// call was made before.
func (s *Service) change(ctx context.Context, a im.Actor, conv im.ConvID, raw []byte, sh shelf, plan func(items []item) (chat.Keyed, error)) (journal.Result, error) {
	client, ok := im.ParseClientID(raw)
	if !ok {
		return journal.Result{}, im.Errorf(im.InvalidArgument, "client_id is a UUIDv7 of 16 bytes")
	}
	if conv.Kind() != im.ConvGroup {
		return journal.Result{}, im.ErrNotFound
	}
	for n := 1; ; n++ {
		res, err := s.Chat.SetKeyed(ctx, a, conv, client, func(v journal.View, room *chat.Room) (chat.Keyed, error) {
			if !a.Server && !room.Grants(a.User, im.MicrosOf(s.Clock.Now())).Has(sh.grant) {
				return chat.Keyed{}, im.Errorf(im.PermissionDenied, "this needs the grant %s in the group", sh.grant.String()[len("GRANT_"):])
			}
			if _, err := v.ByClientID(a.App, a.User, client); err == nil {
				return chat.Keyed{}, errDone
			}
			items, err := sh.read(v, a.App, conv)
			if err != nil {
				return chat.Keyed{}, err
			}
			return plan(items)
		})
		switch {
		case err == nil && !strings.HasPrefix(res.Entry.Key, sh.prefix), errors.Is(err, errDone):
			return res, im.Errorf(im.ClientIDReused, "the client id was used for something else")
		case im.CodeOf(err) == im.Unavailable && n < tries && ctx.Err() == nil:
			continue // others were faster: the client id makes trying again safe
		case im.CodeOf(err) == im.ClientIDReused && n == 1:
			continue // the call was made twice at once: now its entry is there
		}
		return res, err
	}
}

// stamp is who changes something, and when: what is in a value, so that a
// device needs nothing else to show it.
func (s *Service) stamp(a im.Actor) (editor string, us int64) {
	return string(a.User), int64(im.MicrosOf(s.Clock.Now()))
}

// list returns what a member, or the back end, reads on a shelf.
func (s *Service) list(ctx context.Context, a im.Actor, conv im.ConvID, sh shelf) (out []item, err error) {
	if conv.Kind() != im.ConvGroup {
		return nil, im.ErrNotFound
	}
	room, err := s.Chat.Room(ctx, a.App, conv)
	if err != nil {
		return nil, err
	}
	if _, in := room.Member(a.User); !in && !a.Server {
		return nil, im.ErrNotFound
	}
	err = s.Journal.View(ctx, func(v journal.View) error {
		items, err := sh.read(v, a.App, conv)
		for i := range items {
			if !items[i].removed() {
				out = append(out, items[i])
			}
		}
		return err
	})
	return out, err
}

// checkLine holds a title or name to its length and to characters that show
// what they are.
func checkLine(what, s string, most int) error {
	if s == "" || len(s) > most || !utf8.ValidString(s) {
		return im.Errorf(im.InvalidArgument, "%s has 1 to %d bytes of UTF-8", what, most)
	}
	for _, r := range s {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' {
			return im.Errorf(im.InvalidArgument, "%s has a control character", what)
		}
	}
	return nil
}

// checkValue holds a text of several lines to its length.
func checkValue(what, s string) error {
	if len(s) > MaxValue || !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
		return im.Errorf(im.InvalidArgument, "%s has at most %d bytes of UTF-8 without NUL", what, MaxValue)
	}
	return nil
}
