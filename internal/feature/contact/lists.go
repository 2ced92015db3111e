package contact

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/chat"
	"github.com/skein-im/skein/internal/im"
	"github.com/skein-im/skein/internal/journal"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// The beginnings of the keys in a user's own conversation; the other user's id
// follows.
const (
	keyContact = "contact/"
	keyRequest = "request/"
	keyBlock   = "block/"
)

// Pages of lists.
const (
	defaultPage = 100
	maxPage     = 200
)

// lists are what a user's own conversation says about others.
type lists struct {
	contacts map[im.UserID]*skeinv1.Contact
	requests map[im.UserID]*skeinv1.ContactRequest
	blocked  map[im.UserID]*skeinv1.BlockedUser
}

// lists reads a user's lists.
func (s *Service) lists(ctx context.Context, app im.AppID, user im.UserID) (*lists, error) {
	var out *lists
	err := s.Journal.View(ctx, func(v journal.View) (err error) {
		out, err = readLists(v, app, user)
		return err
	})
	return out, err
}

func readLists(v journal.View, app im.AppID, user im.UserID) (*lists, error) {
	out := &lists{contacts: map[im.UserID]*skeinv1.Contact{}, requests: map[im.UserID]*skeinv1.ContactRequest{}, blocked: map[im.UserID]*skeinv1.BlockedUser{}}
	entries, err := v.Keyed(app, im.Self(user))
	if err != nil && im.CodeOf(err) != im.NotFound {
		return nil, err
	}
	for i := range entries {
		e := &entries[i]
		if !strings.HasPrefix(e.Key, keyContact) && !strings.HasPrefix(e.Key, keyRequest) && !strings.HasPrefix(e.Key, keyBlock) {
			continue
		}
		_, name, _ := strings.Cut(e.Key, "/")
		u, c := im.UserID(name), changeOf(e)
		switch {
		case c.GetContact() != nil:
			out.contacts[u] = c.Contact
		case c.GetRequest() != nil:
			out.requests[u] = c.Request
		case c.GetBlocked() != nil:
			out.blocked[u] = c.Blocked
		}
	}
	return out, nil
}

// changeOf is what an entry says; nil for what is none of this package's.
func changeOf(e *im.Entry) *skeinv1.ContactChange {
	var b skeinv1.Body
	if proto.Unmarshal(e.Body, &b) != nil {
		return nil
	}
	return b.GetContent().GetContactChange()
}

func actionOf(e *im.Entry) skeinv1.ContactAction { return changeOf(e).GetAction() }

// mayAsk tells whether the user may make another request.
func (l *lists) mayAsk(peer im.UserID, now time.Time) error {
	open := 0
	for u, r := range l.requests {
		if !r.Outgoing {
			continue
		}
		if r.State == skeinv1.ContactRequestState_CONTACT_REQUEST_STATE_PENDING {
			open++
			continue
		}
		if wait := im.Micros(r.TimeUs).Time().Add(Pause).Sub(now); u == peer && wait > 0 {
			return &im.Error{Code: im.FailedPrecondition, Message: "your request was declined", Hint: "ask again seven days after that", RetryAfter: wait}
		}
	}
	if open >= MaxOpen {
		return im.Errorf(im.ResourceExhausted, "at most %d requests of a user wait at once", MaxOpen)
	}
	return nil
}

// UpdateContact replaces the remark and the labels of a contact. Errors:
// NotFound, InvalidArgument, ResourceExhausted.
func (s *Service) UpdateContact(ctx context.Context, a im.Actor, r *skeinv1.UpdateContactRequest) (*skeinv1.UpdateContactResponse, error) {
	c := r.GetContact()
	peer, id, err := s.parties(a, c.GetUser(), r.ClientId)
	if err != nil {
		return nil, err
	}
	labels := slices.Clone(c.GetLabels())
	slices.Sort(labels)
	labels = slices.Compact(labels)
	if !line(c.GetRemark(), MaxRemark) {
		return nil, im.Errorf(im.InvalidArgument, "a remark is one line of at most %d characters", MaxRemark)
	}
	for _, l := range labels {
		if l == "" || !line(l, MaxLabel) || strings.TrimSpace(l) != l {
			return nil, im.Errorf(im.InvalidArgument, "a label is one line of 1 to %d characters, without space at either end", MaxLabel)
		}
	}
	if len(labels) > MaxLabelsEach {
		return nil, im.Errorf(im.InvalidArgument, "a contact has at most %d labels", MaxLabelsEach)
	}
	var out *skeinv1.Contact
	self := im.Actor{App: a.App, User: a.User, Device: a.Device}
	_, err = s.Chat.SetKeyed(ctx, self, im.Self(a.User), id, func(v journal.View, _ *chat.Room) (chat.Keyed, error) {
		all, err := readLists(v, a.App, a.User)
		if err != nil {
			return chat.Keyed{}, err
		}
		have := all.contacts[peer]
		if have == nil {
			return chat.Keyed{}, im.ErrNotFound
		}
		out = proto.Clone(have).(*skeinv1.Contact)
		out.Remark, out.Labels = c.GetRemark(), labels
		all.contacts[peer] = out
		if n := all.labels(); n > MaxLabels {
			return chat.Keyed{}, im.Errorf(im.ResourceExhausted, "a user has at most %d labels", MaxLabels)
		}
		seq, err := newest(v, a.App, im.Self(a.User), keyContact+string(peer))
		return keyed(keyContact+string(peer), seq, &skeinv1.ContactChange{Contact: out}), err
	})
	if err != nil {
		return nil, err
	}
	return &skeinv1.UpdateContactResponse{Contact: out}, nil
}

// labels counts the different ones.
func (l *lists) labels() int {
	all := map[string]bool{}
	for _, c := range l.contacts {
		for _, name := range c.Labels {
			all[name] = true
		}
	}
	return len(all)
}

func keyed(key string, newest im.Seq, c *skeinv1.ContactChange) chat.Keyed {
	return chat.Keyed{Verb: chat.VerbSend, Key: key, Newest: &newest,
		Content: &skeinv1.Content{Kind: &skeinv1.Content_ContactChange{ContactChange: c}}}
}

// newest returns the seq of the newest entry of a key, 0 = none.
func newest(v journal.View, app im.AppID, conv im.ConvID, key string) (im.Seq, error) {
	e, err := slot(v, app, conv, key)
	if e == nil || err != nil {
		return 0, err
	}
	return e.Seq, nil
}

// slot returns the newest entry of a key, nil = none.
func slot(v journal.View, app im.AppID, conv im.ConvID, key string) (*im.Entry, error) {
	entries, err := v.Keyed(app, conv)
	if err != nil && im.CodeOf(err) != im.NotFound {
		return nil, err
	}
	for i := range entries {
		if entries[i].Key == key {
			return &entries[i], nil
		}
	}
	return nil, nil
}

// line tells whether s is one line of at most n characters that can be seen.
func line(s string, n int) bool {
	return utf8.ValidString(s) && utf8.RuneCountInString(s) <= n && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Cf, r) && r != '\u200c' && r != '\u200d'
	})
}

// ListContacts pages through the actor's contacts by user id.
func (s *Service) ListContacts(ctx context.Context, a im.Actor, r *skeinv1.ListContactsRequest) (*skeinv1.ListContactsResponse, error) {
	out := &skeinv1.ListContactsResponse{}
	err := listed(ctx, s, a, "contacts", r.Limit, r.Page, &out.NextPage, func(l *lists) map[im.UserID]*skeinv1.Contact { return l.contacts }, &out.Contacts)
	return out, err
}

// ListContactRequests pages through the actor's requests by user id.
func (s *Service) ListContactRequests(ctx context.Context, a im.Actor, r *skeinv1.ListContactRequestsRequest) (*skeinv1.ListContactRequestsResponse, error) {
	out := &skeinv1.ListContactRequestsResponse{}
	err := listed(ctx, s, a, "requests", r.Limit, r.Page, &out.NextPage, func(l *lists) map[im.UserID]*skeinv1.ContactRequest { return l.requests }, &out.Requests)
	return out, err
}

// ListBlocked pages through whom the actor blocks, by user id.
func (s *Service) ListBlocked(ctx context.Context, a im.Actor, r *skeinv1.ListBlockedRequest) (*skeinv1.ListBlockedResponse, error) {
	out := &skeinv1.ListBlockedResponse{}
	err := listed(ctx, s, a, "blocked", r.Limit, r.Page, &out.NextPage, func(l *lists) map[im.UserID]*skeinv1.BlockedUser { return l.blocked }, &out.Blocked)
	return out, err
}

// listed fills in one page of one of the lists.
func listed[T any](ctx context.Context, s *Service, a im.Actor, name string, want uint32, token string, next *string,
	which func(*lists) map[im.UserID]T, out *[]T) error {
	limit := int(want)
	if limit == 0 {
		limit = defaultPage
	}
	switch {
	case a.Server:
		return errServer
	case limit > maxPage:
		return im.Errorf(im.InvalidArgument, "limit is 1 to %d", maxPage)
	}
	after, err := s.Pages.Open(a, name, token)
	if err != nil {
		return err
	}
	all, err := s.lists(ctx, a.App, a.User)
	if err != nil {
		return err
	}
	m := which(all)
	users := slices.Sorted(maps.Keys(m))
	from, found := slices.BinarySearch(users, im.UserID(after))
	if found {
		from++
	}
	for _, u := range users[from:] {
		if len(*out) == limit {
			*next = s.Pages.Seal(a, name, string(users[from+limit-1]))
			return nil
		}
		*out = append(*out, m[u])
	}
	return nil
}
