package skein

import (
	"context"
	"iter"
	"slices"
	"strings"
	"time"

	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// Contact is one of the user's contacts.
type Contact struct {
	User   string
	Since  time.Time
	Remark string   // what the user calls them; nobody else sees it
	Labels []string // the groups of contacts in which the user keeps them
}

// ContactRequest is a request that the user has made or got.
type ContactRequest struct {
	User     string // the other one
	Outgoing bool   // the user has made it
	// Declined: the other one has declined it; the user may ask again after
	// seven days. Else it waits for an answer.
	Declined bool
	Greeting string
	Time     time.Time
}

// BlockedUser is somebody whom the user has blocked.
type BlockedUser struct {
	User  string
	Since time.Time
}

// RequestContact asks a user to be a contact; greeting has at most 200
// characters. added tells that the two are contacts at once: the other one
// lets everybody, or had asked already.
//
// Errors: PermissionDenied (the other takes no requests), AlreadyExists,
// FailedPrecondition (declined less than seven days ago, or blocked by the
// user), ResourceExhausted, RateLimited, Unavailable, Aborted, Closed.
func (c *Client) RequestContact(ctx context.Context, user, greeting string) (added bool, err error) {
	id, err := c.newID()
	if err != nil {
		return false, err
	}
	var resp skeinv1.RequestContactResponse
	err = c.rpc(ctx, "ContactService/RequestContact", &skeinv1.RequestContactRequest{User: user, Greeting: greeting, ClientId: id}, &resp)
	return resp.GetAdded(), err
}

// AcceptContact accepts what a user has asked. Errors: NotFound,
// ResourceExhausted, Unavailable, Aborted, Closed.
func (c *Client) AcceptContact(ctx context.Context, user string) error {
	return c.answerContact(ctx, user, true)
}

// DeclineContact declines what a user has asked. Errors: NotFound,
// Unavailable, Aborted, Closed.
func (c *Client) DeclineContact(ctx context.Context, user string) error {
	return c.answerContact(ctx, user, false)
}

func (c *Client) answerContact(ctx context.Context, user string, accept bool) error {
	id, err := c.newID()
	if err != nil {
		return err
	}
	return c.rpc(ctx, "ContactService/AnswerContactRequest", &skeinv1.AnswerContactRequestRequest{User: user, Accept: accept, ClientId: id},
		&skeinv1.AnswerContactRequestResponse{})
}

// RemoveContact ends it for both. Errors: NotFound, Unavailable, Aborted, Closed.
func (c *Client) RemoveContact(ctx context.Context, user string) error {
	id, err := c.newID()
	if err != nil {
		return err
	}
	return c.rpc(ctx, "ContactService/RemoveContact", &skeinv1.RemoveContactRequest{User: user, ClientId: id}, &skeinv1.RemoveContactResponse{})
}

// UpdateContact replaces the remark (at most 64 characters) and the labels (at
// most 10 of at most 32 characters; 50 different ones in all) of a contact.
// Errors: NotFound, InvalidArgument, ResourceExhausted, Unavailable, Aborted, Closed.
func (c *Client) UpdateContact(ctx context.Context, user, remark string, labels ...string) (Contact, error) {
	id, err := c.newID()
	if err != nil {
		return Contact{}, err
	}
	var resp skeinv1.UpdateContactResponse
	err = c.rpc(ctx, "ContactService/UpdateContact", &skeinv1.UpdateContactRequest{
		Contact: &skeinv1.Contact{User: user, Remark: remark, Labels: labels}, ClientId: id}, &resp)
	return viewContact(resp.GetContact()), err
}

// BlockUser blocks a user: once it has returned, nothing that they send to the
// direct conversation is stored, and they see nothing of the user's presence.
// It ends a contact and requests. Groups are not concerned. Blocking twice is
// no error. Errors: InvalidArgument, Unavailable, Aborted, Closed.
func (c *Client) BlockUser(ctx context.Context, user string) error {
	id, err := c.newID()
	if err != nil {
		return err
	}
	return c.rpc(ctx, "ContactService/BlockUser", &skeinv1.BlockUserRequest{User: user, ClientId: id}, &skeinv1.BlockUserResponse{})
}

// UnblockUser takes it back. Errors: NotFound, Unavailable, Aborted, Closed.
func (c *Client) UnblockUser(ctx context.Context, user string) error {
	id, err := c.newID()
	if err != nil {
		return err
	}
	return c.rpc(ctx, "ContactService/UnblockUser", &skeinv1.UnblockUserRequest{User: user, ClientId: id}, &skeinv1.UnblockUserResponse{})
}

// Contacts returns the user's contacts, by user id. Like ContactRequests and
// Blocked it is what this device knows: it asks nobody, and an event of the
// user's own conversation tells when it changed.
func (c *Client) Contacts() []Contact {
	var out []Contact
	c.people("contact/", func(v *skeinv1.ContactChange) {
		if v.GetContact() != nil {
			out = append(out, viewContact(v.GetContact()))
		}
	})
	return out
}

// ContactRequests returns the requests that wait, and the user's own that were
// declined, by user id.
func (c *Client) ContactRequests() []ContactRequest {
	var out []ContactRequest
	c.people("request/", func(v *skeinv1.ContactChange) {
		if r := v.GetRequest(); r != nil {
			out = append(out, ContactRequest{User: r.GetUser(), Outgoing: r.GetOutgoing(), Greeting: r.GetGreeting(), Time: time.UnixMicro(r.GetTimeUs()).UTC(),
				Declined: r.GetState() == skeinv1.ContactRequestState_CONTACT_REQUEST_STATE_DECLINED})
		}
	})
	return out
}

// Blocked returns whom the user has blocked, by user id.
func (c *Client) Blocked() []BlockedUser {
	var out []BlockedUser
	c.people("block/", func(v *skeinv1.ContactChange) {
		if b := v.GetBlocked(); b != nil {
			out = append(out, BlockedUser{User: b.GetUser(), Since: time.UnixMicro(b.GetSinceUs()).UTC()})
		}
	})
	return out
}

// people calls fn with the values of the user's own conversation whose keys
// begin with prefix, in order.
func (c *Client) people(prefix string, fn func(v *skeinv1.ContactChange)) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	cv := c.st.convs["~"+c.st.user]
	if cv == nil {
		return
	}
	var keys []string
	for k := range cv.keyed {
		if strings.HasPrefix(k, prefix) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	for _, k := range keys {
		if v := cv.keyed[k].body.GetContent().GetContactChange(); v != nil {
			fn(v)
		}
	}
}

func viewContact(c *skeinv1.Contact) Contact {
	return Contact{User: c.GetUser(), Since: time.UnixMicro(c.GetSinceUs()).UTC(), Remark: c.GetRemark(), Labels: slices.Clone(c.GetLabels())}
}

// Follows is how many follow a user, and how the client's user stands to them.
type Follows struct {
	Followers, Following int
	ByMe                 bool // the client's user follows them
	OfMe                 bool // they follow the client's user
}

// Follow is a user on the other end of a following.
type Follow struct {
	User  string
	Since time.Time
}

// FollowUser follows a user, who need not agree. Following twice is no error.
// Errors: PermissionDenied, ResourceExhausted, Unavailable, Aborted, Closed.
func (c *Client) FollowUser(ctx context.Context, user string) error {
	return c.rpc(ctx, "ContactService/FollowUser", &skeinv1.FollowUserRequest{User: user}, &skeinv1.FollowUserResponse{})
}

// UnfollowUser takes it back. Errors: NotFound, Unavailable, Aborted, Closed.
func (c *Client) UnfollowUser(ctx context.Context, user string) error {
	return c.rpc(ctx, "ContactService/UnfollowUser", &skeinv1.UnfollowUserRequest{User: user}, &skeinv1.UnfollowUserResponse{})
}

// Follows counts the followers of a user. Errors: Unavailable, Aborted, Closed.
func (c *Client) Follows(ctx context.Context, user string) (Follows, error) {
	var resp skeinv1.GetFollowsResponse
	err := c.rpc(ctx, "ContactService/GetFollows", &skeinv1.GetFollowsRequest{User: user}, &resp)
	return Follows{Followers: int(resp.GetFollowers()), Following: int(resp.GetFollowing()), ByMe: resp.GetByMe(), OfMe: resp.GetOfMe()}, err
}

// Following walks through whom the user follows, by user id.
func (c *Client) Following(ctx context.Context) iter.Seq2[Follow, error] {
	return c.follows(ctx, false)
}

// Followers walks through who follows the user, by user id.
func (c *Client) Followers(ctx context.Context) iter.Seq2[Follow, error] { return c.follows(ctx, true) }

func (c *Client) follows(ctx context.Context, followers bool) iter.Seq2[Follow, error] {
	return func(yield func(Follow, error) bool) {
		req := &skeinv1.ListFollowsRequest{Followers: followers, Limit: 200}
		for {
			var resp skeinv1.ListFollowsResponse
			if err := c.rpc(ctx, "ContactService/ListFollows", req, &resp); err != nil {
				yield(Follow{}, err)
				return
			}
			for _, f := range resp.GetFollows() {
				if !yield(Follow{User: f.GetUser(), Since: time.UnixMicro(f.GetSinceUs()).UTC()}, nil) {
					return
				}
			}
			if req.Page = resp.GetNextPage(); req.Page == "" {
				return
			}
		}
	}
}
