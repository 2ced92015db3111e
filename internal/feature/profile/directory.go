package profile

import (
	"context"
	"slices"
	"unicode"
	"unicode/utf8"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Pages of the directory.
const (
	defaultFound = 20
	maxFound     = 50
)

// SearchDirectory finds users by id, by the beginning of their name, or by a
// custom field that the app looks up. Found is who wants to be: findable
// by the actor, and not having blocked them; by what everybody may see.
// Errors: InvalidArgument, PermissionDenied (guests), RateLimited.
func (s *Service) SearchDirectory(ctx context.Context, a im.Actor, r *skeinv1.SearchDirectoryRequest) (*skeinv1.SearchDirectoryResponse, error) {
	limit := int(r.Limit)
	if limit == 0 {
		limit = defaultFound
	}
	if limit < 1 || limit > maxFound {
		return nil, im.Errorf(im.InvalidArgument, "limit is 1 to %d", maxFound)
	}
	q, err := s.question(a, r)
	if err != nil {
		return nil, err
	}
	after, err := s.Pages.Open(a, q.list, r.Page)
	if err != nil {
		return nil, err
	}
	if err := s.AllowSearch(a); err != nil {
		return nil, err
	}
	users, next, err := s.find(ctx, a, q, after, limit)
	if err != nil {
		return nil, err
	}
	out := &skeinv1.SearchDirectoryResponse{}
	if next != "" {
		out.NextPage = s.Pages.Seal(a, q.list, next)
	}
	out.Profiles, err = s.listed(ctx, a, users)
	return out, err
}

// question is a checked look-up; list names it for the page's token.
type question struct {
	list  string
	user  im.UserID
	name  string // folded
	field string
	value string
}

func (s *Service) question(a im.Actor, r *skeinv1.SearchDirectoryRequest) (question, error) {
	n := 0
	for _, given := range []bool{r.User != "", r.Name != "", r.Field != nil} {
		if given {
			n++
		}
	}
	switch {
	case n != 1:
		return question{}, im.Errorf(im.InvalidArgument, "a look-up is by user, by name or by field: one of them")
	case r.User != "":
		if !im.ValidName(r.User) {
			return question{}, im.Errorf(im.InvalidArgument, "user is not a user id")
		}
		return question{list: "directory user " + r.User, user: im.UserID(r.User)}, nil
	case r.Name != "":
		q := fold(r.Name)
		if !line(r.Name, MaxName) || utf8.RuneCountInString(q) < 2 && !hasHan(q) {
			return question{}, im.Errorf(im.InvalidArgument, "a name is looked up by at least two characters, or one of Chinese, Japanese or Korean")
		}
		return question{list: "directory name " + q, name: q}, nil
	}
	f := r.Field
	if f.Value == "" || !utf8.ValidString(f.Value) || len(f.Value) > maxLookupBytes || !slices.Contains(s.Settings(a.App).GetDirectoryFields().GetNames(), f.Name) {
		return question{}, &im.Error{Code: im.InvalidArgument, Message: "the app does not look up that field", Hint: "its back end names it in AppSettings.directory_fields; see docs/guide/people.md"}
	}
	return question{list: "directory field " + f.Name + "\x00" + f.Value, field: f.Name, value: f.Value}, nil
}

func hasHan(s string) bool {
	for _, r := range s {
		if unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul) {
			return true
		}
	}
	return false
}

// find reads one page of user ids, and the row to go on after.
func (s *Service) find(ctx context.Context, a im.Actor, q question, after string, limit int) (users []im.UserID, next string, err error) {
	if q.user != "" {
		there, err := s.Exists(ctx, a.App, q.user)
		if err != nil || !there {
			return nil, "", err
		}
		return []im.UserID{q.user}, "", nil
	}
	sql := "SELECT found_as, user_id FROM profile WHERE app = $1 AND found_as <> '' AND found_as >= $2 AND found_as < $3 AND (found_as > $4 OR found_as = $4 AND user_id > $5) ORDER BY found_as, user_id LIMIT $6"
	args := []any{a.App, q.name, q.name + string(unicode.MaxRune)}
	if q.field != "" {
		sql = "SELECT value, user_id FROM profile_field WHERE app = $1 AND name = $2 AND value = $3 AND (value > $4 OR value = $4 AND user_id > $5) ORDER BY user_id LIMIT $6"
		args = []any{a.App, q.field, q.value}
	}
	key, user := cutRow(after)
	var last string
	err = s.DB.Read(ctx, func(tx db.Tx) error {
		users, next = nil, ""
		rows, err := tx.Query(sql, append(args, key, user, limit+1)...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var k string
			var u im.UserID
			if err := rows.Scan(&k, &u); err != nil {
				return err
			}
			if len(users) == limit {
				next = last
				break
			}
			users, last = append(users, u), joinRow(k, u)
		}
		return rows.Err()
	})
	return users, next, err
}

// joinRow and cutRow write a place in a list. No folded name, value or user id
// has a zero byte.
func joinRow(key string, u im.UserID) string { return key + "\x00" + string(u) }

func cutRow(after string) (key, user string) {
	for i := range len(after) {
		if after[i] == 0 {
			return after[:i], after[i+1:]
		}
	}
	return after, ""
}

// listed keeps who may be found by the actor and shows what they may see.
func (s *Service) listed(ctx context.Context, a im.Actor, users []im.UserID) ([]*skeinv1.Profile, error) {
	if len(users) == 0 {
		return nil, nil
	}
	rows, err := s.rows(ctx, a.App, users)
	if err != nil {
		return nil, err
	}
	near, blockers := map[im.UserID]bool{}, map[im.UserID]bool{}
	if !a.Server {
		if near, err = s.Relations.Contacts(ctx, a.App, a.User, users); err == nil {
			blockers, err = s.Relations.Blockers(ctx, a.App, a.User, users)
		}
		if err != nil {
			return nil, err
		}
	}
	var out []*skeinv1.Profile
	for _, r := range rows {
		see := stranger
		switch {
		case a.Server || r.user == a.User:
			see = owner
		case near[r.user]:
			see = contact
		}
		if blockers[r.user] || !see.allows(r.privacy.Findable) {
			continue
		}
		p := r.shown(see)
		if p == nil {
			p = &skeinv1.Profile{User: string(r.user)}
		}
		out = append(out, p)
	}
	return out, nil
}
