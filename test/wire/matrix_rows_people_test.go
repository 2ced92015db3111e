package wire_test

import (
	"google.golang.org/protobuf/proto"

	pb "github.com/skein-im/skein/proto/skein/v1"
)

const (
	blockUser      = "/skein.v1.ContactService/BlockUser"
	requestContact = "/skein.v1.ContactService/RequestContact"
)

// ofUsers is a verb about what a user has and a back end has not.
const ofUsers = everybodys + `
	INVALID_ARGUMENT foreign-app app
`

// onlyMember is a verb about something that the member alone has with the
// owner: to the owner it is a request about oneself.
const onlyMember = nobody + `
	NOT_FOUND        foreign stranger visitor guest ex blocked muted bot admin
	INVALID_ARGUMENT owner foreign-app app
	ok               member
`

// everybody is a verb that needs no token.
const everybody = `
	ok anonymous expired revoked foreign foreign-app stranger visitor guest ex blocked muted member bot admin owner app
`

// signInCode has a device ask to be signed in to the app.
func (f *fixture) signInCode() {
	got := must[pb.CreateSignInCodeResponse](f.as(member), "/skein.v1.SignInService/CreateSignInCode", &pb.CreateSignInCodeRequest{Device: "laptop"})
	f.users["code"], f.users["ticket"] = got.Code, got.Ticket
}

func signInRows() []row {
	code := func(f *fixture, _ principal) { f.signInCode() }
	const approves = nobody + `
		NOT_FOUND         foreign foreign-app app
		PERMISSION_DENIED guest
		ok                stranger visitor ex blocked muted member bot admin owner
	`
	return []row{
		{verb: "SignInService/GetSignInOptions", cells: everybody, same: true,
			request: func(*fixture, principal) proto.Message { return &pb.GetSignInOptionsRequest{} }},
		{verb: "SignInService/CreateGuest", cells: `
			PERMISSION_DENIED foreign foreign-app
			ok anonymous expired revoked stranger visitor guest ex blocked muted member bot admin owner app`,
			prepare: func(f *fixture, _ principal) {
				must[pb.UpdateAppResponse](f.as(appAdmin), "/skein.v1.AdminService/UpdateApp", &pb.UpdateAppRequest{Settings: &pb.AppSettings{Guests: proto.Bool(true)}})
			},
			request: func(*fixture, principal) proto.Message { return &pb.CreateGuestRequest{Device: "tab"} }},
		{verb: "SignInService/CreateSignInCode", cells: everybody,
			request: func(*fixture, principal) proto.Message { return &pb.CreateSignInCodeRequest{Device: "laptop"} }},
		{verb: "SignInService/WaitSignInCode", cells: `
			NOT_FOUND foreign foreign-app
			ok anonymous expired revoked stranger visitor guest ex blocked muted member bot admin owner app`, prepare: code,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.WaitSignInCodeRequest{Ticket: f.users["ticket"]}
			}},
		{verb: "SignInService/GetSignInCode", cells: approves, prepare: code,
			request: func(f *fixture, _ principal) proto.Message { return &pb.GetSignInCodeRequest{Code: f.users["code"]} }},
		{verb: "SignInService/AnswerSignInCode", cells: approves, prepare: code,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.AnswerSignInCodeRequest{Code: f.users["code"], Approve: true}
			}},
		{verb: "SignInService/RenewToken", cells: nobody + `
			FAILED_PRECONDITION foreign foreign-app stranger visitor guest ex blocked muted member bot admin owner app`,
			request: func(*fixture, principal) proto.Message { return &pb.RenewTokenRequest{} }},
	}
}

// asked has the owner ask the member to be a contact.
func (f *fixture) asked() {
	must[pb.RequestContactResponse](f.as(owner), requestContact, &pb.RequestContactRequest{User: f.users[member], ClientId: newID(0)})
}

func peopleRows() []row {
	asked := func(f *fixture, _ principal) { f.asked() }
	contacts := func(f *fixture, _ principal) {
		f.asked()
		must[pb.AnswerContactRequestResponse](f.as(member), "/skein.v1.ContactService/AnswerContactRequest",
			&pb.AnswerContactRequestRequest{User: f.users[owner], Accept: true, ClientId: newID(0)})
	}
	return []row{
		{verb: "ProfileService/GetProfiles", cells: everybodys + "ok foreign-app app",
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.GetProfilesRequest{Users: []string{f.users[member], f.users[owner], f.newcomer()}}
			}},
		{verb: "ProfileService/UpdateProfile", cells: everybodys + "ok foreign-app app",
			request: func(f *fixture, p principal) proto.Message {
				r := &pb.UpdateProfileRequest{Profile: &pb.Profile{Name: "N"}, Fields: []string{"name"}}
				if p == appAdmin || p == foreignApp {
					r.Profile.User = f.users[member]
				}
				return r
			}},
		{verb: "ProfileService/GetPrivacy", cells: ofUsers, request: func(*fixture, principal) proto.Message { return &pb.GetPrivacyRequest{} }},
		{verb: "ProfileService/UpdatePrivacy", cells: ofUsers,
			request: func(*fixture, principal) proto.Message {
				return &pb.UpdatePrivacyRequest{Privacy: &pb.Privacy{Bio: pb.Visibility_VISIBILITY_NOBODY}}
			}},
		{verb: "ProfileService/SearchDirectory", cells: nobody + `
			PERMISSION_DENIED guest
			ok foreign stranger visitor ex blocked muted member bot admin owner foreign-app app`,
			request: func(f *fixture, _ principal) proto.Message { return &pb.SearchDirectoryRequest{User: f.users[owner]} }},
		{verb: "PresenceService/SetStatus", cells: ofUsers,
			request: func(*fixture, principal) proto.Message {
				return &pb.SetStatusRequest{Status: &pb.PresenceStatus{Text: "away", Emoji: "🌴"}}
			}},
		{verb: "ContactService/RequestContact", cells: nobody + `
			PERMISSION_DENIED blocked guest
			INVALID_ARGUMENT  owner foreign-app app
			ok                foreign stranger visitor ex muted member bot admin`,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.RequestContactRequest{User: f.users[owner], Greeting: "hi", ClientId: newID(0)}
			}},
		{verb: "ContactService/AnswerContactRequest", cells: onlyMember, prepare: asked,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.AnswerContactRequestRequest{User: f.users[owner], Accept: true, ClientId: newID(0)}
			}},
		{verb: "ContactService/RemoveContact", cells: onlyMember, prepare: contacts,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.RemoveContactRequest{User: f.users[owner], ClientId: newID(0)}
			}},
		{verb: "ContactService/UpdateContact", cells: onlyMember, prepare: contacts,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.UpdateContactRequest{Contact: &pb.Contact{User: f.users[owner], Remark: "boss"}, ClientId: newID(0)}
			}},
		{verb: "ContactService/ListContacts", cells: ofUsers, request: func(*fixture, principal) proto.Message { return &pb.ListContactsRequest{} }},
		{verb: "ContactService/ListContactRequests", cells: ofUsers, request: func(*fixture, principal) proto.Message { return &pb.ListContactRequestsRequest{} }},
		{verb: "ContactService/BlockUser", cells: ofUsers,
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.BlockUserRequest{User: f.newcomer(), ClientId: newID(0)}
			}},
		{verb: "ContactService/UnblockUser", cells: onlyMember,
			prepare: func(f *fixture, _ principal) {
				must[pb.BlockUserResponse](f.as(member), blockUser, &pb.BlockUserRequest{User: f.users[owner], ClientId: newID(0)})
			},
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.UnblockUserRequest{User: f.users[owner], ClientId: newID(0)}
			}},
		{verb: "ContactService/FollowUser", cells: nobody + `
			PERMISSION_DENIED blocked guest
			INVALID_ARGUMENT  owner foreign-app app
			ok                foreign stranger visitor ex muted member bot admin`,
			request: func(f *fixture, _ principal) proto.Message { return &pb.FollowUserRequest{User: f.users[owner]} }},
		{verb: "ContactService/UnfollowUser", cells: onlyMember,
			prepare: func(f *fixture, _ principal) {
				must[pb.FollowUserResponse](f.as(member), "/skein.v1.ContactService/FollowUser", &pb.FollowUserRequest{User: f.users[owner]})
			},
			request: func(f *fixture, _ principal) proto.Message { return &pb.UnfollowUserRequest{User: f.users[owner]} }},
		{verb: "ContactService/ListFollows", cells: ofUsers, request: func(*fixture, principal) proto.Message { return &pb.ListFollowsRequest{} }},
		{verb: "ContactService/GetFollows", cells: everybodys + "ok foreign-app app",
			request: func(f *fixture, _ principal) proto.Message { return &pb.GetFollowsRequest{User: f.users[owner]} }},
		{verb: "ContactService/ListBlocked", cells: ofUsers, request: func(*fixture, principal) proto.Message { return &pb.ListBlockedRequest{} }},
	}
}
