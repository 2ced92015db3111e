// Written by scripts/gen-wire.mjs from src/gen and wire.json; `npm run gen -w @skein/client` writes it again.
// What the fields mean stands in proto/skein/v1.
import { type Rest, core, schemaOf } from "../../wire/codec.js";
import { type Piece, callOf, piece } from "../../wire/piece.js";

export interface AnswerContactRequestRequest extends Rest {
  user: string;
  accept: boolean;
  clientId: Uint8Array;
}

export interface AnswerContactRequestResponse extends Rest {
}

export interface BlockUserRequest extends Rest {
  user: string;
  clientId: Uint8Array;
}

export interface BlockUserResponse extends Rest {
}

export interface BlockedUser extends Rest {
  user: string;
  sinceUs: number;
}

export interface Contact extends Rest {
  user: string;
  sinceUs: number;
  remark: string;
  labels: readonly string[];
}

export interface ContactChange extends Rest {
  action: number;
  greeting: string;
  contact?: Contact | undefined;
  request?: ContactRequest | undefined;
  blocked?: BlockedUser | undefined;
}

export interface ContactRequest extends Rest {
  user: string;
  outgoing: boolean;
  state: number;
  greeting: string;
  timeUs: number;
  seq: number;
}

export interface Follow extends Rest {
  user: string;
  sinceUs: number;
}

export interface FollowUserRequest extends Rest {
  user: string;
}

export interface FollowUserResponse extends Rest {
}

export interface GetFollowsRequest extends Rest {
  user: string;
}

export interface GetFollowsResponse extends Rest {
  followers: number;
  following: number;
  byMe: boolean;
  ofMe: boolean;
}

export interface GetPrivacyRequest extends Rest {
}

export interface GetPrivacyResponse extends Rest {
  privacy?: Privacy | undefined;
}

export interface GetProfilesRequest extends Rest {
  users: readonly string[];
  known: readonly KnownProfile[];
}

export interface GetProfilesResponse extends Rest {
  profiles: readonly Profile[];
  unchanged: readonly string[];
}

export interface KnownProfile extends Rest {
  user: string;
  version: string;
}

export interface ListFollowsRequest extends Rest {
  followers: boolean;
  limit: number;
  page: string;
}

export interface ListFollowsResponse extends Rest {
  follows: readonly Follow[];
  nextPage: string;
}

export interface PresenceStatus extends Rest {
  text: string;
  emoji: string;
  untilUs: number;
}

export interface Privacy extends Rest {
  name: number;
  avatarUrl: number;
  bio: number;
  gender: number;
  birthday: number;
  language: number;
  custom: number;
  lastSeen: number;
  findable: number;
  contactPolicy: number;
  readReceipts: number;
}

export interface Profile extends Rest {
  user: string;
  version: string;
  name: string;
  avatarUrl: string;
  bio: string;
  gender: string;
  birthday: string;
  language: string;
  custom: readonly ProfileField[];
}

export interface ProfileField extends Rest {
  name: string;
  value: string;
}

export interface RemoveContactRequest extends Rest {
  user: string;
  clientId: Uint8Array;
}

export interface RemoveContactResponse extends Rest {
}

export interface RequestContactRequest extends Rest {
  user: string;
  greeting: string;
  clientId: Uint8Array;
}

export interface RequestContactResponse extends Rest {
  added: boolean;
}

export interface SearchDirectoryRequest extends Rest {
  user: string;
  name: string;
  field?: ProfileField | undefined;
  limit: number;
  page: string;
}

export interface SearchDirectoryResponse extends Rest {
  profiles: readonly Profile[];
  nextPage: string;
}

export interface SetStatusRequest extends Rest {
  status?: PresenceStatus | undefined;
}

export interface SetStatusResponse extends Rest {
}

export interface UnblockUserRequest extends Rest {
  user: string;
  clientId: Uint8Array;
}

export interface UnblockUserResponse extends Rest {
}

export interface UnfollowUserRequest extends Rest {
  user: string;
}

export interface UnfollowUserResponse extends Rest {
}

export interface UpdateContactRequest extends Rest {
  contact?: Contact | undefined;
  clientId: Uint8Array;
}

export interface UpdateContactResponse extends Rest {
  contact?: Contact | undefined;
}

export interface UpdatePrivacyRequest extends Rest {
  privacy?: Privacy | undefined;
}

export interface UpdatePrivacyResponse extends Rest {
  privacy?: Privacy | undefined;
}

export interface UpdateProfileRequest extends Rest {
  profile?: Profile | undefined;
  fields: readonly string[];
}

export interface UpdateProfileResponse extends Rest {
  profile?: Profile | undefined;
}

/** Fields of Content that the core leaves to modules. */
export interface ContentFields extends Rest {
  contactChange?: ContactChange | undefined;
}

/** Fields of Presence that the core leaves to modules. */
export interface PresenceFields extends Rest {
  status?: PresenceStatus | undefined;
}

const schema = /* @__PURE__ */ schemaOf(
  {
    AnswerContactRequestRequest: "1suser 2oaccept 3bclientId",
    AnswerContactRequestResponse: "",
    BlockUserRequest: "1suser 2bclientId",
    BlockUserResponse: "",
    BlockedUser: "1suser 2isinceUs",
    Contact: "1suser 2isinceUs 3sremark 4Slabels",
    ContactChange: "1eaction:ContactAction 2sgreeting 3mcontact:Contact 4mrequest:ContactRequest 5mblocked:BlockedUser",
    ContactRequest: "1suser 2ooutgoing 3estate:ContactRequestState 4sgreeting 5itimeUs 6lseq",
    Follow: "1suser 2isinceUs",
    FollowUserRequest: "1suser",
    FollowUserResponse: "",
    GetFollowsRequest: "1suser",
    GetFollowsResponse: "1ufollowers 2ufollowing 3obyMe 4oofMe",
    GetPrivacyRequest: "",
    GetPrivacyResponse: "1mprivacy:Privacy",
    GetProfilesRequest: "1Susers 2Mknown:KnownProfile",
    GetProfilesResponse: "1Mprofiles:Profile 2Sunchanged",
    KnownProfile: "1suser 2sversion",
    ListFollowsRequest: "1ofollowers 2ulimit 3spage",
    ListFollowsResponse: "1Mfollows:Follow 2snextPage",
    PresenceStatus: "1stext 2semoji 3iuntilUs",
    Privacy: "1ename:Visibility 2eavatarUrl:Visibility 3ebio:Visibility 4egender:Visibility 5ebirthday:Visibility 6elanguage:Visibility 7ecustom:Visibility 8elastSeen:Visibility 9efindable:Visibility 10econtactPolicy:ContactPolicy 11ereadReceipts:ReadReceipts",
    Profile: "1suser 2sversion 3sname 4savatarUrl 5sbio 6sgender 7sbirthday 8slanguage 9Mcustom:ProfileField",
    ProfileField: "1sname 2svalue",
    RemoveContactRequest: "1suser 2bclientId",
    RemoveContactResponse: "",
    RequestContactRequest: "1suser 2sgreeting 3bclientId",
    RequestContactResponse: "1oadded",
    SearchDirectoryRequest: "1suser 2sname 3mfield:ProfileField 4ulimit 5spage",
    SearchDirectoryResponse: "1Mprofiles:Profile 2snextPage",
    SetStatusRequest: "1mstatus:PresenceStatus",
    SetStatusResponse: "",
    UnblockUserRequest: "1suser 2bclientId",
    UnblockUserResponse: "",
    UnfollowUserRequest: "1suser",
    UnfollowUserResponse: "",
    UpdateContactRequest: "1mcontact:Contact 2bclientId",
    UpdateContactResponse: "1mcontact:Contact",
    UpdatePrivacyRequest: "1mprivacy:Privacy",
    UpdatePrivacyResponse: "1mprivacy:Privacy",
    UpdateProfileRequest: "1mprofile:Profile 2Sfields",
    UpdateProfileResponse: "1mprofile:Profile",
    ContentFields: "34mcontactChange:ContactChange",
    PresenceFields: "4mstatus:PresenceStatus",
  },
  core,
);

export const contentFields: Piece<ContentFields> = /* @__PURE__ */ piece(schema, "ContentFields");
export const presenceFields: Piece<PresenceFields> = /* @__PURE__ */ piece(schema, "PresenceFields");

/** The module's unary calls. */
export const calls = {
  GetProfiles: /* @__PURE__ */ callOf<GetProfilesRequest, GetProfilesResponse>(schema, "ProfileService/GetProfiles"),
  UpdateProfile: /* @__PURE__ */ callOf<UpdateProfileRequest, UpdateProfileResponse>(schema, "ProfileService/UpdateProfile"),
  GetPrivacy: /* @__PURE__ */ callOf<GetPrivacyRequest, GetPrivacyResponse>(schema, "ProfileService/GetPrivacy"),
  UpdatePrivacy: /* @__PURE__ */ callOf<UpdatePrivacyRequest, UpdatePrivacyResponse>(schema, "ProfileService/UpdatePrivacy"),
  SearchDirectory: /* @__PURE__ */ callOf<SearchDirectoryRequest, SearchDirectoryResponse>(schema, "ProfileService/SearchDirectory"),
  RequestContact: /* @__PURE__ */ callOf<RequestContactRequest, RequestContactResponse>(schema, "ContactService/RequestContact"),
  AnswerContactRequest: /* @__PURE__ */ callOf<AnswerContactRequestRequest, AnswerContactRequestResponse>(schema, "ContactService/AnswerContactRequest"),
  RemoveContact: /* @__PURE__ */ callOf<RemoveContactRequest, RemoveContactResponse>(schema, "ContactService/RemoveContact"),
  UpdateContact: /* @__PURE__ */ callOf<UpdateContactRequest, UpdateContactResponse>(schema, "ContactService/UpdateContact"),
  BlockUser: /* @__PURE__ */ callOf<BlockUserRequest, BlockUserResponse>(schema, "ContactService/BlockUser"),
  UnblockUser: /* @__PURE__ */ callOf<UnblockUserRequest, UnblockUserResponse>(schema, "ContactService/UnblockUser"),
  SetStatus: /* @__PURE__ */ callOf<SetStatusRequest, SetStatusResponse>(schema, "PresenceService/SetStatus"),
  FollowUser: /* @__PURE__ */ callOf<FollowUserRequest, FollowUserResponse>(schema, "ContactService/FollowUser"),
  UnfollowUser: /* @__PURE__ */ callOf<UnfollowUserRequest, UnfollowUserResponse>(schema, "ContactService/UnfollowUser"),
  ListFollows: /* @__PURE__ */ callOf<ListFollowsRequest, ListFollowsResponse>(schema, "ContactService/ListFollows"),
  GetFollows: /* @__PURE__ */ callOf<GetFollowsRequest, GetFollowsResponse>(schema, "ContactService/GetFollows"),
} as const;

/** The values of ContactAction by number. */
export const contactActionNames = ["unspecified","request","accept","decline","add","remove","block","unblock"] as const;

/** The values of ContactPolicy by number. */
export const contactPolicyNames = ["unspecified","anyone","request","nobody"] as const;

/** The values of ContactRequestState by number. */
export const contactRequestStateNames = ["unspecified","pending","declined"] as const;

/** The values of ReadReceipts by number. */
export const readReceiptsNames = ["unspecified","send","hide"] as const;

/** The values of Visibility by number. */
export const visibilityNames = ["unspecified","everybody","contacts","nobody"] as const;
