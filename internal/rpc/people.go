package rpc

import (
	"context"
	"net/http"

	"github.com/skein-im/skein/internal/im"
	skeinv1 "github.com/skein-im/skein/proto/skein/v1"
	"github.com/skein-im/skein/proto/skein/v1/skeinv1connect"
)

// Profiles is what users show of themselves; feature/profile.
type Profiles interface {
	GetProfiles(ctx context.Context, a im.Actor, r *skeinv1.GetProfilesRequest) (*skeinv1.GetProfilesResponse, error)
	UpdateProfile(ctx context.Context, a im.Actor, r *skeinv1.UpdateProfileRequest) (*skeinv1.UpdateProfileResponse, error)
	GetPrivacy(ctx context.Context, a im.Actor, r *skeinv1.GetPrivacyRequest) (*skeinv1.GetPrivacyResponse, error)
	UpdatePrivacy(ctx context.Context, a im.Actor, r *skeinv1.UpdatePrivacyRequest) (*skeinv1.UpdatePrivacyResponse, error)
	SearchDirectory(ctx context.Context, a im.Actor, r *skeinv1.SearchDirectoryRequest) (*skeinv1.SearchDirectoryResponse, error)
	FollowUser(ctx context.Context, a im.Actor, r *skeinv1.FollowUserRequest) (*skeinv1.FollowUserResponse, error)
	UnfollowUser(ctx context.Context, a im.Actor, r *skeinv1.UnfollowUserRequest) (*skeinv1.UnfollowUserResponse, error)
	ListFollows(ctx context.Context, a im.Actor, r *skeinv1.ListFollowsRequest) (*skeinv1.ListFollowsResponse, error)
	GetFollows(ctx context.Context, a im.Actor, r *skeinv1.GetFollowsRequest) (*skeinv1.GetFollowsResponse, error)
}

// Contacts is what users are to each other; feature/contact.
type Contacts interface {
	RequestContact(ctx context.Context, a im.Actor, r *skeinv1.RequestContactRequest) (*skeinv1.RequestContactResponse, error)
	AnswerContactRequest(ctx context.Context, a im.Actor, r *skeinv1.AnswerContactRequestRequest) (*skeinv1.AnswerContactRequestResponse, error)
	RemoveContact(ctx context.Context, a im.Actor, r *skeinv1.RemoveContactRequest) (*skeinv1.RemoveContactResponse, error)
	UpdateContact(ctx context.Context, a im.Actor, r *skeinv1.UpdateContactRequest) (*skeinv1.UpdateContactResponse, error)
	ListContacts(ctx context.Context, a im.Actor, r *skeinv1.ListContactsRequest) (*skeinv1.ListContactsResponse, error)
	ListContactRequests(ctx context.Context, a im.Actor, r *skeinv1.ListContactRequestsRequest) (*skeinv1.ListContactRequestsResponse, error)
	BlockUser(ctx context.Context, a im.Actor, r *skeinv1.BlockUserRequest) (*skeinv1.BlockUserResponse, error)
	UnblockUser(ctx context.Context, a im.Actor, r *skeinv1.UnblockUserRequest) (*skeinv1.UnblockUserResponse, error)
	ListBlocked(ctx context.Context, a im.Actor, r *skeinv1.ListBlockedRequest) (*skeinv1.ListBlockedResponse, error)
}

func (s *server) peopleCalls(t map[string]http.Handler) {
	p, c := s.Verbs.Profiles, s.Verbs.Contacts
	at(t, s, skeinv1connect.ProfileServiceGetProfilesProcedure, p.GetProfiles)
	at(t, s, skeinv1connect.ProfileServiceUpdateProfileProcedure, p.UpdateProfile)
	at(t, s, skeinv1connect.ProfileServiceGetPrivacyProcedure, p.GetPrivacy)
	at(t, s, skeinv1connect.ProfileServiceUpdatePrivacyProcedure, p.UpdatePrivacy)
	at(t, s, skeinv1connect.ProfileServiceSearchDirectoryProcedure, p.SearchDirectory)
	at(t, s, skeinv1connect.ContactServiceRequestContactProcedure, c.RequestContact)
	at(t, s, skeinv1connect.ContactServiceAnswerContactRequestProcedure, c.AnswerContactRequest)
	at(t, s, skeinv1connect.ContactServiceRemoveContactProcedure, c.RemoveContact)
	at(t, s, skeinv1connect.ContactServiceUpdateContactProcedure, c.UpdateContact)
	at(t, s, skeinv1connect.ContactServiceListContactsProcedure, c.ListContacts)
	at(t, s, skeinv1connect.ContactServiceListContactRequestsProcedure, c.ListContactRequests)
	at(t, s, skeinv1connect.ContactServiceBlockUserProcedure, c.BlockUser)
	at(t, s, skeinv1connect.ContactServiceUnblockUserProcedure, c.UnblockUser)
	at(t, s, skeinv1connect.ContactServiceListBlockedProcedure, c.ListBlocked)
	at(t, s, skeinv1connect.ContactServiceFollowUserProcedure, p.FollowUser)
	at(t, s, skeinv1connect.ContactServiceUnfollowUserProcedure, p.UnfollowUser)
	at(t, s, skeinv1connect.ContactServiceListFollowsProcedure, p.ListFollows)
	at(t, s, skeinv1connect.ContactServiceGetFollowsProcedure, p.GetFollows)
}
