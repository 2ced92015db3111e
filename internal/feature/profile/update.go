package profile

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Limits of a profile. Lengths are in characters where a person types, in
// bytes where a program does.
const (
	MaxName         = 64
	MaxBio          = 500
	MaxGender       = 32
	MaxAvatarBytes  = 1024
	MaxCustom       = 20
	MaxCustomBytes  = 1 << 10
	maxLookupBytes  = 256 // of a value that the directory can find
	maxLanguage     = 35
	maxCustomName   = 64
	birthdayPattern = "2006-01-02"
)

// UpdateProfile changes the fields of a profile that the request names, and
// returns the whole. The back end may change anybody's; for others a profile
// of somebody else does not exist. Errors: InvalidArgument, TooLarge, NotFound.
func (s *Service) UpdateProfile(ctx context.Context, a im.Actor, r *skeinv1.UpdateProfileRequest) (*skeinv1.UpdateProfileResponse, error) {
	user, err := whose(a, r.GetProfile().GetUser())
	if err != nil {
		return nil, err
	}
	if err := check(r, s.Clock.Now()); err != nil {
		return nil, err
	}
	var out *skeinv1.Profile
	err = s.change(ctx, a.App, user, func(have *row) error {
		apply(have.data, r)
		out = have.shown(owner)
		if out == nil {
			out = &skeinv1.Profile{User: string(user)}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &skeinv1.UpdateProfileResponse{Profile: out}, nil
}

// Put makes the changes of several profiles, each for itself: refused[i] says
// why nothing was changed by change i, nil = it was made. It is for the app's
// back end, whose actor this is; every change names its user. A change without
// fields is only looked at. Errors: NotFound for anybody else.
func (s *Service) Put(ctx context.Context, a im.Actor, changes []*skeinv1.UpdateProfileRequest) (refused []error, err error) {
	if !a.Server {
		return nil, im.ErrNotFound
	}
	refused = make([]error, len(changes))
	users := make([]im.UserID, len(changes))
	for i, c := range changes {
		if users[i], refused[i] = whose(a, c.GetProfile().GetUser()); refused[i] == nil && len(c.Fields) > 0 {
			refused[i] = check(c, s.Clock.Now())
		}
	}
	err = s.DB.Write(ctx, func(tx db.Tx) error {
		for i, c := range changes {
			if refused[i] != nil || len(c.Fields) == 0 {
				continue
			}
			have, err := load(tx, a.App, users[i])
			if err != nil {
				return err
			}
			apply(have.data, c)
			if err := s.store(tx, a.App, have); err != nil {
				return err
			}
		}
		return nil
	})
	return refused, err
}

// whose returns the user that a change is about.
func whose(a im.Actor, named string) (im.UserID, error) {
	switch {
	case a.Server && named == "":
		return "", im.Errorf(im.InvalidArgument, "a back end names the user")
	case a.Server && !im.ValidName(named):
		return "", im.Errorf(im.InvalidArgument, "a user id is 1 to %d bytes of UTF-8 without control characters", im.MaxIDBytes)
	case a.Server:
		return im.UserID(named), nil
	case named != "" && im.UserID(named) != a.User:
		return "", im.ErrNotFound
	}
	return a.User, nil
}

// check holds an update to the limits.
func check(r *skeinv1.UpdateProfileRequest, now time.Time) error {
	p := r.GetProfile()
	if p == nil || len(r.Fields) == 0 {
		return im.Errorf(im.InvalidArgument, "an update names its fields and has their values")
	}
	for _, f := range r.Fields {
		if err := checkField(f, p, now); err != nil {
			return err
		}
	}
	return nil
}

func checkField(field string, p *skeinv1.Profile, now time.Time) error {
	switch field {
	case "name":
		if !line(p.Name, MaxName) || p.Name != strings.TrimSpace(p.Name) {
			return im.Errorf(im.InvalidArgument, "a name has at most %d characters, none of them a line break or invisible, and no space at either end", MaxName)
		}
	case "avatar_url":
		u, err := url.Parse(p.AvatarUrl)
		if p.AvatarUrl != "" && (err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || len(p.AvatarUrl) > MaxAvatarBytes || !line(p.AvatarUrl, MaxAvatarBytes)) {
			return im.Errorf(im.InvalidArgument, "avatar_url is an https URL of at most %d bytes", MaxAvatarBytes)
		}
	case "bio":
		if !utf8.ValidString(p.Bio) || utf8.RuneCountInString(p.Bio) > MaxBio || strings.ContainsRune(p.Bio, 0) {
			return im.Errorf(im.InvalidArgument, "a bio has at most %d characters", MaxBio)
		}
	case "gender":
		if !line(p.Gender, MaxGender) {
			return im.Errorf(im.InvalidArgument, "gender has at most %d characters", MaxGender)
		}
	case "birthday":
		day, err := time.Parse(birthdayPattern, p.Birthday)
		// Somewhere on earth it is tomorrow already.
		if p.Birthday != "" && (err != nil || day.Year() < 1850 || day.After(now.Add(24*time.Hour))) {
			return im.Errorf(im.InvalidArgument, "birthday is a day that has been, as YYYY-MM-DD")
		}
	case "language":
		if len(p.Language) > maxLanguage {
			return im.Errorf(im.InvalidArgument, "language is a BCP 47 tag of at most %d bytes", maxLanguage)
		}
	case "custom":
		return checkCustom(p.Custom)
	default:
		return im.Errorf(im.InvalidArgument, "a profile has no field of that name that could be changed")
	}
	return nil
}

// line tells whether s is one line of at most n characters that can be seen.
// Zero-width joiners are let through: they belong into Persian and into emoji.
func line(s string, n int) bool {
	if !utf8.ValidString(s) || utf8.RuneCountInString(s) > n {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Cf, r) && r != '\u200c' && r != '\u200d'
	})
}

func checkCustom(fields []*skeinv1.ProfileField) error {
	if len(fields) > MaxCustom {
		return im.Errorf(im.TooLarge, "a profile has at most %d custom fields", MaxCustom)
	}
	seen := map[string]bool{}
	for _, f := range fields {
		name := f.GetName()
		if name == "" || len(name) > maxCustomName || seen[name] || !utf8.ValidString(f.GetValue()) {
			return im.Errorf(im.InvalidArgument, "a custom field has a name of 1 to %d bytes, once, and a value of UTF-8", maxCustomName)
		}
		if seen[name] = true; len(f.GetValue()) > MaxCustomBytes {
			return im.Errorf(im.TooLarge, "a custom field has at most %d bytes", MaxCustomBytes)
		}
	}
	return nil
}

// apply takes the named fields over.
func apply(to *skeinv1.Profile, r *skeinv1.UpdateProfileRequest) {
	p := r.GetProfile()
	for _, f := range r.Fields {
		switch f {
		case "name":
			to.Name = p.Name
		case "avatar_url":
			to.AvatarUrl = p.AvatarUrl
		case "bio":
			to.Bio = p.Bio
		case "gender":
			to.Gender = p.Gender
		case "birthday":
			to.Birthday = p.Birthday
		case "language":
			to.Language = p.Language
		case "custom":
			to.Custom = to.Custom[:0]
			for _, c := range p.Custom {
				if c.GetValue() != "" {
					to.Custom = append(to.Custom, &skeinv1.ProfileField{Name: c.Name, Value: c.Value})
				}
			}
			slices.SortFunc(to.Custom, func(a, b *skeinv1.ProfileField) int { return cmp.Compare(a.Name, b.Name) })
		}
	}
}

// change rewrites a user's row and what the directory has of it.
func (s *Service) change(ctx context.Context, app im.AppID, user im.UserID, fn func(have *row) error) error {
	return s.DB.Write(ctx, func(tx db.Tx) error {
		have, err := load(tx, app, user)
		if err != nil {
			return err
		}
		if err := fn(&have); err != nil {
			return err
		}
		return s.store(tx, app, have)
	})
}

func (s *Service) store(tx db.Tx, app im.AppID, r row) error {
	data, err := proto.Marshal(r.data)
	if err != nil {
		return im.Errorf(im.InvalidArgument, "a profile is UTF-8")
	}
	privacy, err := proto.Marshal(r.privacy)
	if err != nil {
		return err
	}
	everybody := skeinv1.Visibility_VISIBILITY_EVERYBODY
	foundAs := ""
	if r.privacy.Findable != skeinv1.Visibility_VISIBILITY_NOBODY && r.privacy.Name == everybody {
		foundAs = fold(r.data.Name)
	}
	_, err = tx.Exec(`INSERT INTO profile (app, user_id, data, privacy, found_as, updated) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (app, user_id) DO UPDATE SET data = $3, privacy = $4, found_as = $5, updated = $6`,
		app, r.user, data, privacy, foundAs, im.MicrosOf(s.Clock.Now()))
	if err != nil {
		return err
	}
	if _, err := tx.Exec("DELETE FROM profile_field WHERE app = $1 AND user_id = $2", app, r.user); err != nil {
		return err
	}
	if r.privacy.Findable == skeinv1.Visibility_VISIBILITY_NOBODY || r.privacy.Custom != everybody {
		return nil
	}
	for _, f := range r.data.Custom {
		if len(f.Value) > maxLookupBytes || strings.ContainsRune(f.Value, 0) {
			continue
		}
		if _, err := tx.Exec("INSERT INTO profile_field (app, name, value, user_id) VALUES ($1, $2, $3, $4)", app, f.Name, f.Value, r.user); err != nil {
			return err
		}
	}
	return nil
}

// fold is how names are compared: without case, and with single spaces.
func fold(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }
