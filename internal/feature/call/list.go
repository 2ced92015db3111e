package call

import (
	"context"
	"strconv"
	"strings"

	"github.com/skein-im/skein/internal/db"
	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
)

// GetCall returns a call with everybody in it.
func (s *Service) GetCall(ctx context.Context, a im.Actor, r *skeinv1.GetCallRequest) (*skeinv1.GetCallResponse, error) {
	if _, err := s.find(ctx, a, r.GetCall()); err != nil {
		return nil, err
	}
	c, parties, err := s.read(ctx, a.App, r.GetCall())
	if err != nil {
		return nil, err
	}
	return &skeinv1.GetCallResponse{Call: c.wire(parties, a, 0)}, nil
}

// listed is how many calls a page has that asks for no number.
const listed = 50

// ListCalls returns calls, newest first.
func (s *Service) ListCalls(ctx context.Context, a im.Actor, r *skeinv1.ListCallsRequest) (*skeinv1.ListCallsResponse, error) {
	user := a.User
	if a.Server {
		user = im.UserID(r.GetUser())
	} else if r.GetUser() != "" && im.UserID(r.GetUser()) != user {
		return nil, im.Errorf(im.PermissionDenied, "only the app's back end lists the calls of others")
	}
	if r.GetMissed() && user == "" {
		return nil, im.Errorf(im.InvalidArgument, "missed takes a user who has missed them")
	}
	limit := int(r.GetLimit())
	if limit == 0 {
		limit = listed
	}
	list := "calls/" + string(user) + "/" + r.GetConversation() + "/" + strconv.FormatBool(r.GetMissed()) + strconv.FormatBool(r.GetLive())
	after, err := s.d.Pages.Open(a, list, r.GetPage())
	if err != nil {
		return nil, err
	}
	query, args := question(a.App, user, r, after)
	out := &skeinv1.ListCallsResponse{}
	err = s.d.DB.Read(ctx, func(tx db.Tx) error {
		var calls []*call
		err := db.Each(tx, func(rows db.Rows) error {
			c := new(call)
			err := c.scan(rows)
			calls = append(calls, c)
			return err
		}, query+strconv.Itoa(limit+1), args...)
		if err != nil {
			return err
		}
		for i, c := range calls {
			if i == limit {
				out.NextPage = s.d.Pages.Seal(a, list, calls[i-1].id)
				break
			}
			parties, err := loadParties(tx, c)
			if err != nil {
				return err
			}
			out.Calls = append(out.Calls, c.wire(parties, a, MaxShown))
		}
		return nil
	})
	return out, err
}

// question is the query of ListCalls without its limit.
func question(app im.AppID, user im.UserID, r *skeinv1.ListCallsRequest, after string) (query string, args []any) {
	args = []any{app}
	arg := func(v any) string {
		args = append(args, v)
		return "$" + strconv.Itoa(len(args))
	}
	query = "SELECT " + callColumns + " FROM call WHERE app = $1"
	before := "id"
	if user != "" {
		query = "SELECT c." + strings.ReplaceAll(callColumns, ", ", ", c.") + " FROM call_party p JOIN call c ON c.app = p.app AND c.id = p.call_id WHERE p.app = $1 AND p.usr = " + arg(user)
		before = "p.call_id"
		if r.GetMissed() {
			query += " AND p.state IN (4, 5)"
		}
	}
	if r.GetLive() {
		query += " AND " + side(user) + "state < 3"
	}
	if r.GetConversation() != "" {
		query += " AND " + side(user) + "conv = " + arg(r.GetConversation())
	}
	if after != "" {
		query += " AND " + before + " < " + arg(after)
	}
	return query + " ORDER BY " + before + " DESC LIMIT ", args
}

func side(user im.UserID) string {
	if user == "" {
		return ""
	}
	return "c."
}
