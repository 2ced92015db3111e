package skein

import (
	"context"
	"iter"
	"slices"
	"sync"
	"time"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// profileFresh is for how long a profile is shown without asking whether it
// has changed: the server announces no change.
const profileFresh = 5 * time.Minute

// profilesKept bounds the profiles that a client remembers.
const profilesKept = 5000

// Profile is what the user may see of somebody. What they may not see is
// empty, as what was never set is.
type Profile struct {
	User      string
	Name      string // at most 64 characters
	AvatarURL string // https
	Bio       string // at most 500 characters
	Gender    string // at most 32 characters
	Birthday  string // YYYY-MM-DD
	Language  string // a BCP 47 tag, such as zh-CN
	// Custom are the app's own fields: at most 20 of at most 1 KiB.
	Custom map[string]string
}

// ProfileUpdate is what UpdateProfile changes: nil leaves a field as it is,
// and a pointer to "" takes it away.
type ProfileUpdate struct {
	Name, AvatarURL, Bio, Gender, Birthday, Language *string
	// Custom, if not nil, replaces all custom fields.
	Custom map[string]string
}

// Visibility says who may see something.
type Visibility string

// The visibilities.
const (
	ForEverybody Visibility = "everybody"
	ForContacts  Visibility = "contacts"
	ForNobody    Visibility = "nobody"
)

// ContactPolicy says what a request to be a contact does.
type ContactPolicy string

// The policies.
const (
	AcceptAnyone ContactPolicy = "anyone"  // whoever asks is a contact at once
	AskMe        ContactPolicy = "request" // the user answers
	AcceptNobody ContactPolicy = "nobody"
)

// ReadReceipts says whether others learn how far the user has read.
type ReadReceipts string

// The settings. Who hides theirs does not see in direct conversations how far
// the other one has read, either.
const (
	SendReadReceipts ReadReceipts = "send" // the default
	HideReadReceipts ReadReceipts = "hide" // nobody does but the app's back end
)

// Privacy is the user's own settings. In UpdatePrivacy what is empty stays.
type Privacy struct {
	Name, AvatarURL, Bio, Gender, Birthday, Language, Custom Visibility
	// LastSeen covers being online, too. Who hides theirs from somebody does
	// not see that one's.
	LastSeen Visibility
	// Findable is who finds the user in the directory.
	Findable     Visibility
	Contacts     ContactPolicy
	ReadReceipts ReadReceipts
}

// DirectoryQuery is a look-up in the directory: one of the three.
type DirectoryQuery struct {
	User string // a user id, exactly
	Name string // how a name begins: two characters, or one of Chinese, Japanese or Korean
	// Field and Value are a custom field that the app looks up, exactly.
	Field, Value string
}

// profileCache is what a client remembers of profiles, by user.
type profileCache struct {
	mu   sync.Mutex // guards kept
	kept map[string]keptProfile
}

// keptProfile is a remembered answer: p.User is empty for who shows nothing.
type keptProfile struct {
	p       Profile
	version string
	at      time.Time
}

// Profiles returns what the user may see of some users, by user id; who shows
// nothing, or is not there, is left out. What was asked for in the last five
// minutes comes from memory, and of the rest only what has changed crosses
// the network. Errors: Unavailable, RateLimited, Aborted, Closed.
func (c *Client) Profiles(ctx context.Context, users ...string) (map[string]Profile, error) {
	return c.profilesSince(ctx, profileFresh, users)
}

// RefreshProfiles is Profiles for when something has just changed: it asks
// about all of them, though again only changes cross the network.
func (c *Client) RefreshProfiles(ctx context.Context, users ...string) (map[string]Profile, error) {
	return c.profilesSince(ctx, 0, users)
}

// profilesSince returns profiles of which none was asked for longer ago.
func (c *Client) profilesSince(ctx context.Context, ago time.Duration, users []string) (map[string]Profile, error) {
	out := make(map[string]Profile, len(users))
	now := c.opt.Clock.Now()
	var ask []string
	c.profiles.mu.Lock()
	for _, u := range users {
		k, kept := c.profiles.kept[u]
		switch {
		case !kept || now.Sub(k.at) >= ago:
			if !slices.Contains(ask, u) {
				ask = append(ask, u)
			}
		case k.p.User != "":
			out[u] = k.p
		}
	}
	c.profiles.mu.Unlock()
	for part := range slices.Chunk(ask, 100) {
		if err := c.askProfiles(ctx, part, now, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// askProfiles reads at most 100 profiles and remembers them.
func (c *Client) askProfiles(ctx context.Context, users []string, now time.Time, out map[string]Profile) error {
	req := &skeinv1.GetProfilesRequest{Users: users}
	c.profiles.mu.Lock()
	for _, u := range users {
		if k, kept := c.profiles.kept[u]; kept && k.version != "" {
			req.Known = append(req.Known, &skeinv1.KnownProfile{User: u, Version: k.version})
		}
	}
	c.profiles.mu.Unlock()
	var resp skeinv1.GetProfilesResponse
	if err := c.rpc(ctx, "ProfileService/GetProfiles", req, &resp); err != nil {
		return err
	}
	c.profiles.mu.Lock()
	defer c.profiles.mu.Unlock()
	if len(c.profiles.kept)+len(users) > profilesKept {
		clear(c.profiles.kept)
	}
	got := make(map[string]keptProfile, len(users))
	for _, u := range resp.GetUnchanged() {
		k := c.profiles.kept[u]
		k.at = now
		got[u] = k
	}
	for _, p := range resp.GetProfiles() {
		got[p.GetUser()] = keptProfile{viewProfile(p), p.GetVersion(), now}
	}
	for _, u := range users {
		k, there := got[u]
		if !there {
			k = keptProfile{at: now}
		}
		if c.profiles.kept[u] = k; k.p.User != "" {
			out[u] = k.p
		}
	}
	return nil
}

func viewProfile(p *skeinv1.Profile) Profile {
	v := Profile{User: p.GetUser(), Name: p.GetName(), AvatarURL: p.GetAvatarUrl(), Bio: p.GetBio(), Gender: p.GetGender(),
		Birthday: p.GetBirthday(), Language: p.GetLanguage()}
	for _, f := range p.GetCustom() {
		if v.Custom == nil {
			v.Custom = map[string]string{}
		}
		v.Custom[f.GetName()] = f.GetValue()
	}
	return v
}

// UpdateProfile changes the user's own profile and returns the whole of it.
// Errors: InvalidArgument, TooLarge, Unavailable, Aborted, Closed.
func (c *Client) UpdateProfile(ctx context.Context, u ProfileUpdate) (Profile, error) {
	req := &skeinv1.UpdateProfileRequest{Profile: &skeinv1.Profile{}}
	set := func(name string, from *string, to *string) {
		if from != nil {
			*to = *from
			req.Fields = append(req.Fields, name)
		}
	}
	p := req.Profile
	set("name", u.Name, &p.Name)
	set("avatar_url", u.AvatarURL, &p.AvatarUrl)
	set("bio", u.Bio, &p.Bio)
	set("gender", u.Gender, &p.Gender)
	set("birthday", u.Birthday, &p.Birthday)
	set("language", u.Language, &p.Language)
	if u.Custom != nil {
		for name, value := range u.Custom {
			p.Custom = append(p.Custom, &skeinv1.ProfileField{Name: name, Value: value})
		}
		req.Fields = append(req.Fields, "custom")
	}
	if len(req.Fields) == 0 {
		return Profile{}, errorf(InvalidArgument, nil, "an update of a profile changes something")
	}
	var resp skeinv1.UpdateProfileResponse
	if err := c.rpc(ctx, "ProfileService/UpdateProfile", req, &resp); err != nil {
		return Profile{}, err
	}
	got := resp.GetProfile()
	c.profiles.mu.Lock()
	c.profiles.kept[got.GetUser()] = keptProfile{viewProfile(got), got.GetVersion(), c.opt.Clock.Now()}
	c.profiles.mu.Unlock()
	return viewProfile(got), nil
}

// Privacy returns the user's settings, each with the default that applies.
func (c *Client) Privacy(ctx context.Context) (Privacy, error) {
	var resp skeinv1.GetPrivacyResponse
	err := c.rpc(ctx, "ProfileService/GetPrivacy", &skeinv1.GetPrivacyRequest{}, &resp)
	return viewPrivacy(resp.GetPrivacy()), err
}

// UpdatePrivacy changes the settings that are not empty and returns all.
// Errors: InvalidArgument, Unavailable, Aborted, Closed.
func (c *Client) UpdatePrivacy(ctx context.Context, p Privacy) (Privacy, error) {
	var bad bool
	v := func(s Visibility) skeinv1.Visibility {
		i := slices.Index(visibilities(), s)
		bad = bad || i < 0
		return skeinv1.Visibility(max(i, 0))
	}
	policy, receipts := slices.Index(policies(), p.Contacts), slices.Index(readReceipts(), p.ReadReceipts)
	req := &skeinv1.UpdatePrivacyRequest{Privacy: &skeinv1.Privacy{Name: v(p.Name), AvatarUrl: v(p.AvatarURL), Bio: v(p.Bio), Gender: v(p.Gender),
		Birthday: v(p.Birthday), Language: v(p.Language), Custom: v(p.Custom), LastSeen: v(p.LastSeen), Findable: v(p.Findable),
		ContactPolicy: skeinv1.ContactPolicy(max(policy, 0)), ReadReceipts: skeinv1.ReadReceipts(max(receipts, 0))}}
	if bad || policy < 0 || receipts < 0 {
		return Privacy{}, errorf(InvalidArgument, nil, "a setting has a value that is none of the constants")
	}
	var resp skeinv1.UpdatePrivacyResponse
	err := c.rpc(ctx, "ProfileService/UpdatePrivacy", req, &resp)
	return viewPrivacy(resp.GetPrivacy()), err
}

// visibilities, policies and readReceipts are the words of the enums by their wire values;
// "" is what was not said.
func visibilities() []Visibility { return []Visibility{"", ForEverybody, ForContacts, ForNobody} }

func policies() []ContactPolicy { return []ContactPolicy{"", AcceptAnyone, AskMe, AcceptNobody} }

func readReceipts() []ReadReceipts { return []ReadReceipts{"", SendReadReceipts, HideReadReceipts} }

// word is the word of a wire value; "" for one that this version does not know.
func word[T ~string, V ~int32](words []T, v V) T {
	if v < 0 || int(v) >= len(words) {
		return ""
	}
	return words[v]
}

func viewPrivacy(p *skeinv1.Privacy) Privacy {
	v := func(w skeinv1.Visibility) Visibility { return word(visibilities(), w) }
	return Privacy{Name: v(p.GetName()), AvatarURL: v(p.GetAvatarUrl()), Bio: v(p.GetBio()), Gender: v(p.GetGender()), Birthday: v(p.GetBirthday()),
		Language: v(p.GetLanguage()), Custom: v(p.GetCustom()), LastSeen: v(p.GetLastSeen()), Findable: v(p.GetFindable()),
		Contacts: word(policies(), p.GetContactPolicy()), ReadReceipts: word(readReceipts(), p.GetReadReceipts())}
}

// SearchDirectory finds users who want to be found. Errors: InvalidArgument,
// PermissionDenied (guests), RateLimited, Unavailable, Aborted, Closed.
func (c *Client) SearchDirectory(ctx context.Context, q DirectoryQuery) iter.Seq2[Profile, error] {
	return func(yield func(Profile, error) bool) {
		req := &skeinv1.SearchDirectoryRequest{User: q.User, Name: q.Name}
		if q.Field != "" {
			req.Field = &skeinv1.ProfileField{Name: q.Field, Value: q.Value}
		}
		for {
			var resp skeinv1.SearchDirectoryResponse
			if err := c.rpc(ctx, "ProfileService/SearchDirectory", req, &resp); err != nil {
				yield(Profile{}, err)
				return
			}
			for _, p := range resp.GetProfiles() {
				if !yield(viewProfile(p), nil) {
					return
				}
			}
			if req.Page = resp.GetNextPage(); req.Page == "" {
				return
			}
		}
	}
}

// SetStatus says something of the user beside being online, to all who watch
// their presence; the zero Status takes it back. Errors: InvalidArgument,
// Unavailable, Aborted, Closed.
func (c *Client) SetStatus(ctx context.Context, st Status) error {
	wire := &skeinv1.PresenceStatus{Text: st.Text, Emoji: st.Emoji}
	if !st.Until.IsZero() {
		wire.UntilUs = st.Until.UnixMicro()
	}
	return c.rpc(ctx, "PresenceService/SetStatus", &skeinv1.SetStatusRequest{Status: wire}, &skeinv1.SetStatusResponse{})
}
