// Written by scripts/gen-wire.mjs from src/gen and wire.json; `npm run gen -w @skein/client` writes it again.
// What the fields mean stands in proto/skein/v1.
import { type Rest, core, schemaOf } from "../../wire/codec.js";
import { type Piece, callOf, piece } from "../../wire/piece.js";
import type { Conversation } from "../../wire/schema.js";

export interface AnswerJoinRequestRequest extends Rest {
  conversation: string;
  user: string;
  accept: boolean;
  clientId: Uint8Array;
}

export interface AnswerJoinRequestResponse extends Rest {
}

export interface Ban extends Rest {
  user: string;
  by: string;
  reason: string;
  createdUs: number;
}

export interface BanMemberRequest extends Rest {
  conversation: string;
  user: string;
  reason: string;
  clientId: Uint8Array;
}

export interface BanMemberResponse extends Rest {
}

export interface CancelJoinRequestRequest extends Rest {
  conversation: string;
}

export interface CancelJoinRequestResponse extends Rest {
}

export interface CreateInviteRequest extends Rest {
  conversation: string;
  expiresS: number;
  maxUses: number;
  approval: boolean;
  label: string;
  clientId: Uint8Array;
}

export interface CreateInviteResponse extends Rest {
  invite?: Invite | undefined;
  code: string;
}

export interface GetInviteRequest extends Rest {
  code: string;
}

export interface GetInviteResponse extends Rest {
  title: string;
  avatarUrl: string;
  memberCount: number;
  inviter: string;
  approval: boolean;
}

export interface Invite extends Rest {
  id: string;
  conversation: string;
  creator: string;
  label: string;
  createdUs: number;
  expiresUs: number;
  maxUses: number;
  uses: number;
  approval: boolean;
  ended: boolean;
}

export interface JoinByInviteRequest extends Rest {
  code: string;
  message: string;
  clientId: Uint8Array;
}

export interface JoinByInviteResponse extends Rest {
  outcome: number;
  conversation?: Conversation | undefined;
  request?: JoinRequest | undefined;
}

export interface JoinGroupRequest extends Rest {
  conversation: string;
  message: string;
  clientId: Uint8Array;
}

export interface JoinGroupResponse extends Rest {
  outcome: number;
  conversation?: Conversation | undefined;
  request?: JoinRequest | undefined;
}

export interface JoinRequest extends Rest {
  conversation: string;
  user: string;
  message: string;
  createdUs: number;
  expiresUs: number;
  inviter: string;
  state: number;
}

export interface JoinState extends Rest {
  requests: readonly JoinRequest[];
  conversation: string;
  open: number;
  newestUs: number;
}

export interface ListAllowListRequest extends Rest {
  conversation: string;
  limit: number;
  page: string;
}

export interface ListAllowListResponse extends Rest {
  users: readonly string[];
  enforced: boolean;
  size: number;
  nextPage: string;
}

export interface ListBansRequest extends Rest {
  conversation: string;
  limit: number;
  page: string;
}

export interface ListBansResponse extends Rest {
  bans: readonly Ban[];
  nextPage: string;
}

export interface ListInvitesRequest extends Rest {
  conversation: string;
  limit: number;
  page: string;
}

export interface ListInvitesResponse extends Rest {
  invites: readonly Invite[];
  nextPage: string;
}

export interface ListJoinRequestsRequest extends Rest {
  conversation: string;
  limit: number;
  page: string;
}

export interface ListJoinRequestsResponse extends Rest {
  requests: readonly JoinRequest[];
  open: number;
  nextPage: string;
}

export interface RemoveFromAllowListRequest extends Rest {
  conversation: string;
  users: readonly string[];
  clientId: Uint8Array;
}

export interface RemoveFromAllowListResponse extends Rest {
  size: number;
}

export interface RevokeInviteRequest extends Rest {
  conversation: string;
  invite: string;
  clientId: Uint8Array;
}

export interface RevokeInviteResponse extends Rest {
}

export interface SetAllowListRequest extends Rest {
  conversation: string;
  users: readonly string[];
  enforced: boolean;
  clientId: Uint8Array;
}

export interface SetAllowListResponse extends Rest {
  size: number;
}

export interface UnbanMemberRequest extends Rest {
  conversation: string;
  user: string;
}

export interface UnbanMemberResponse extends Rest {
}

/** Fields of Content that the core leaves to modules. */
export interface ContentFields extends Rest {
  join?: JoinState | undefined;
}

const schema = /* @__PURE__ */ schemaOf(
  {
    AnswerJoinRequestRequest: "1sconversation 2suser 3oaccept 4bclientId",
    AnswerJoinRequestResponse: "",
    Ban: "1suser 2sby 3sreason 4icreatedUs",
    BanMemberRequest: "1sconversation 2suser 3sreason 4bclientId",
    BanMemberResponse: "",
    CancelJoinRequestRequest: "1sconversation",
    CancelJoinRequestResponse: "",
    CreateInviteRequest: "1sconversation 2uexpiresS 3umaxUses 4oapproval 5slabel 6bclientId",
    CreateInviteResponse: "1minvite:Invite 2scode",
    GetInviteRequest: "1scode",
    GetInviteResponse: "1stitle 2savatarUrl 3umemberCount 4sinviter 5oapproval",
    Invite: "1sid 2sconversation 3screator 4slabel 5icreatedUs 6iexpiresUs 7umaxUses 8uuses 9oapproval 10oended",
    JoinByInviteRequest: "1scode 2smessage 3bclientId",
    JoinByInviteResponse: "1eoutcome:JoinOutcome 2mconversation:Conversation 3mrequest:JoinRequest",
    JoinGroupRequest: "1sconversation 2smessage 3bclientId",
    JoinGroupResponse: "1eoutcome:JoinOutcome 2mconversation:Conversation 3mrequest:JoinRequest",
    JoinRequest: "1sconversation 2suser 3smessage 4icreatedUs 5iexpiresUs 6sinviter 7estate:JoinRequestState",
    JoinState: "1Mrequests:JoinRequest 2sconversation 3uopen 4inewestUs",
    ListAllowListRequest: "1sconversation 2ulimit 3spage",
    ListAllowListResponse: "1Susers 2oenforced 3usize 4snextPage",
    ListBansRequest: "1sconversation 2ulimit 3spage",
    ListBansResponse: "1Mbans:Ban 2snextPage",
    ListInvitesRequest: "1sconversation 2ulimit 3spage",
    ListInvitesResponse: "1Minvites:Invite 2snextPage",
    ListJoinRequestsRequest: "1sconversation 2ulimit 3spage",
    ListJoinRequestsResponse: "1Mrequests:JoinRequest 2uopen 3snextPage",
    RemoveFromAllowListRequest: "1sconversation 2Susers 3bclientId",
    RemoveFromAllowListResponse: "1usize",
    RevokeInviteRequest: "1sconversation 2sinvite 3bclientId",
    RevokeInviteResponse: "",
    SetAllowListRequest: "1sconversation 2Susers 3oenforced 4bclientId",
    SetAllowListResponse: "1usize",
    UnbanMemberRequest: "1sconversation 2suser",
    UnbanMemberResponse: "",
    ContentFields: "36mjoin:JoinState",
  },
  core,
);

export const contentFields: Piece<ContentFields> = /* @__PURE__ */ piece(schema, "ContentFields");

/** The module's unary calls. */
export const calls = {
  JoinGroup: /* @__PURE__ */ callOf<JoinGroupRequest, JoinGroupResponse>(schema, "JoinService/JoinGroup"),
  ListJoinRequests: /* @__PURE__ */ callOf<ListJoinRequestsRequest, ListJoinRequestsResponse>(schema, "JoinService/ListJoinRequests"),
  AnswerJoinRequest: /* @__PURE__ */ callOf<AnswerJoinRequestRequest, AnswerJoinRequestResponse>(schema, "JoinService/AnswerJoinRequest"),
  CancelJoinRequest: /* @__PURE__ */ callOf<CancelJoinRequestRequest, CancelJoinRequestResponse>(schema, "JoinService/CancelJoinRequest"),
  CreateInvite: /* @__PURE__ */ callOf<CreateInviteRequest, CreateInviteResponse>(schema, "JoinService/CreateInvite"),
  ListInvites: /* @__PURE__ */ callOf<ListInvitesRequest, ListInvitesResponse>(schema, "JoinService/ListInvites"),
  RevokeInvite: /* @__PURE__ */ callOf<RevokeInviteRequest, RevokeInviteResponse>(schema, "JoinService/RevokeInvite"),
  GetInvite: /* @__PURE__ */ callOf<GetInviteRequest, GetInviteResponse>(schema, "JoinService/GetInvite"),
  JoinByInvite: /* @__PURE__ */ callOf<JoinByInviteRequest, JoinByInviteResponse>(schema, "JoinService/JoinByInvite"),
  BanMember: /* @__PURE__ */ callOf<BanMemberRequest, BanMemberResponse>(schema, "JoinService/BanMember"),
  UnbanMember: /* @__PURE__ */ callOf<UnbanMemberRequest, UnbanMemberResponse>(schema, "JoinService/UnbanMember"),
  ListBans: /* @__PURE__ */ callOf<ListBansRequest, ListBansResponse>(schema, "JoinService/ListBans"),
  SetAllowList: /* @__PURE__ */ callOf<SetAllowListRequest, SetAllowListResponse>(schema, "JoinService/SetAllowList"),
  RemoveFromAllowList: /* @__PURE__ */ callOf<RemoveFromAllowListRequest, RemoveFromAllowListResponse>(schema, "JoinService/RemoveFromAllowList"),
  ListAllowList: /* @__PURE__ */ callOf<ListAllowListRequest, ListAllowListResponse>(schema, "JoinService/ListAllowList"),
} as const;

/** The values of JoinOutcome by number. */
export const joinOutcomeNames = ["unspecified","joined","requested"] as const;

/** The values of JoinRequestState by number. */
export const joinRequestStateNames = ["unspecified","open","declined"] as const;
