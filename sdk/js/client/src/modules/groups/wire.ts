// Written by scripts/gen-wire.mjs from src/gen and wire.json; `npm run gen -w @skein/client` writes it again.
// What the fields mean stands in proto/skein/v1.
import { type Rest, core, schemaOf } from "../../wire/codec.js";
import { type Piece, callOf, piece } from "../../wire/piece.js";
import type { Conversation, Entry, GetConversationRequest, GetConversationResponse, Membership } from "../../wire/schema.js";

export interface CreateGroupRequest extends Rest {
  id: string;
  title: string;
  members: readonly string[];
  clientId: Uint8Array;
  settings?: GroupSettings | undefined;
  owner: string;
}

export interface CreateGroupResponse extends Rest {
  conversation?: Conversation | undefined;
}

export interface DeleteGroupRoleRequest extends Rest {
  conversation: string;
  roleId: string;
  clientId: Uint8Array;
}

export interface DeleteGroupRoleResponse extends Rest {
  entry?: Entry | undefined;
}

export interface DissolveGroupRequest extends Rest {
  conversation: string;
  clientId: Uint8Array;
}

export interface DissolveGroupResponse extends Rest {
  entry?: Entry | undefined;
}

export interface GetGroupInfoRequest extends Rest {
  conversation: string;
}

export interface GetGroupInfoResponse extends Rest {
  group?: GroupInfo | undefined;
}

export interface GrantSet extends Rest {
  bits: number;
}

export interface GroupChange extends Rest {
  changed: readonly string[];
  settings?: GroupSettings | undefined;
  user: string;
  attrs?: MemberAttrs | undefined;
  dissolved: boolean;
}

export interface GroupInfo extends Rest {
  id: string;
  title: string;
  description: string;
  avatarUrl: string;
  type: number;
  joinMode: number;
  memberCount: number;
  member: boolean;
  createdUs: number;
}

export interface GroupRole extends Rest {
  id: string;
  name: string;
  color: number;
  rank: number;
  grants: number;
}

export interface GroupSettings extends Rest {
  type: number;
  description: string;
  avatarUrl: string;
  memberGrants?: GrantSet | undefined;
  adminGrants?: GrantSet | undefined;
  roles: readonly GroupRole[];
  joinMode: number;
  history: number;
  slowModeS: number;
  mutedUntilUs: number;
  maxMembers: number;
  dissolved: boolean;
}

export interface ListMembersRequest extends Rest {
  conversation: string;
  limit: number;
  page: string;
  query: string;
  role: number;
}

export interface ListMembersResponse extends Rest {
  members: readonly Membership[];
  nextPage: string;
}

export interface MemberAttrs extends Rest {
  nickname: string;
  mutedUntilUs: number;
  roleIds: readonly string[];
}

export interface MuteGroupRequest extends Rest {
  conversation: string;
  seconds: number;
  clientId: Uint8Array;
}

export interface MuteGroupResponse extends Rest {
  entry?: Entry | undefined;
}

export interface MuteMemberRequest extends Rest {
  conversation: string;
  user: string;
  seconds: number;
  clientId: Uint8Array;
}

export interface MuteMemberResponse extends Rest {
  entry?: Entry | undefined;
}

export interface PutGroupRoleRequest extends Rest {
  conversation: string;
  role?: GroupRole | undefined;
  clientId: Uint8Array;
}

export interface PutGroupRoleResponse extends Rest {
  entry?: Entry | undefined;
  roleId: string;
}

export interface SetMemberRolesRequest extends Rest {
  conversation: string;
  user: string;
  roleIds: readonly string[];
  clientId: Uint8Array;
}

export interface SetMemberRolesResponse extends Rest {
  entry?: Entry | undefined;
}

export interface SetNicknameRequest extends Rest {
  conversation: string;
  user: string;
  nickname: string;
  clientId: Uint8Array;
}

export interface SetNicknameResponse extends Rest {
  entry?: Entry | undefined;
}

export interface TransferGroupRequest extends Rest {
  conversation: string;
  user: string;
  clientId: Uint8Array;
}

export interface TransferGroupResponse extends Rest {
  entry?: Entry | undefined;
}

export interface UpdateGroupSettingsRequest extends Rest {
  conversation: string;
  settings?: GroupSettings | undefined;
  fields: readonly string[];
  clientId: Uint8Array;
}

export interface UpdateGroupSettingsResponse extends Rest {
  entry?: Entry | undefined;
}

/** Fields of Content that the core leaves to modules. */
export interface ContentFields extends Rest {
  groupChange?: GroupChange | undefined;
}

/** Fields of Conversation that the core leaves to modules. */
export interface ConversationFields extends Rest {
  settings?: GroupSettings | undefined;
  grants: number;
  attrs?: MemberAttrs | undefined;
}

/** Fields of Membership that the core leaves to modules. */
export interface MembershipFields extends Rest {
  attrs?: MemberAttrs | undefined;
}

const schema = /* @__PURE__ */ schemaOf(
  {
    CreateGroupRequest: "1sid 2stitle 3Smembers 4bclientId 5msettings:GroupSettings 6sowner",
    CreateGroupResponse: "1mconversation:Conversation",
    DeleteGroupRoleRequest: "1sconversation 2sroleId 3bclientId",
    DeleteGroupRoleResponse: "1mentry:Entry",
    DissolveGroupRequest: "1sconversation 2bclientId",
    DissolveGroupResponse: "1mentry:Entry",
    GetGroupInfoRequest: "1sconversation",
    GetGroupInfoResponse: "1mgroup:GroupInfo",
    GrantSet: "1lbits",
    GroupChange: "1Schanged 2msettings:GroupSettings 3suser 4mattrs:MemberAttrs 5odissolved",
    GroupInfo: "1sid 2stitle 3sdescription 4savatarUrl 5etype:GroupType 6ejoinMode:JoinMode 7umemberCount 8omember 9icreatedUs",
    GroupRole: "1sid 2sname 3ucolor 4urank 5lgrants",
    GroupSettings: "1etype:GroupType 2sdescription 3savatarUrl 4mmemberGrants:GrantSet 5madminGrants:GrantSet 6Mroles:GroupRole 7ejoinMode:JoinMode 8ehistory:HistoryAccess 9uslowModeS 10imutedUntilUs 11umaxMembers 12odissolved",
    ListMembersRequest: "1sconversation 2ulimit 3spage 4squery 5erole:Role",
    ListMembersResponse: "1Mmembers:Membership 2snextPage",
    MemberAttrs: "1snickname 2imutedUntilUs 3SroleIds",
    MuteGroupRequest: "1sconversation 2useconds 3bclientId",
    MuteGroupResponse: "1mentry:Entry",
    MuteMemberRequest: "1sconversation 2suser 3useconds 4bclientId",
    MuteMemberResponse: "1mentry:Entry",
    PutGroupRoleRequest: "1sconversation 2mrole:GroupRole 3bclientId",
    PutGroupRoleResponse: "1mentry:Entry 2sroleId",
    SetMemberRolesRequest: "1sconversation 2suser 3SroleIds 4bclientId",
    SetMemberRolesResponse: "1mentry:Entry",
    SetNicknameRequest: "1sconversation 2suser 3snickname 4bclientId",
    SetNicknameResponse: "1mentry:Entry",
    TransferGroupRequest: "1sconversation 2suser 3bclientId",
    TransferGroupResponse: "1mentry:Entry",
    UpdateGroupSettingsRequest: "1sconversation 2msettings:GroupSettings 3Sfields 4bclientId",
    UpdateGroupSettingsResponse: "1mentry:Entry",
    ContentFields: "51mgroupChange:GroupChange",
    ConversationFields: "11msettings:GroupSettings 12lgrants 13mattrs:MemberAttrs",
    MembershipFields: "7mattrs:MemberAttrs",
  },
  core,
);

export const contentFields: Piece<ContentFields> = /* @__PURE__ */ piece(schema, "ContentFields");
export const conversationFields: Piece<ConversationFields> = /* @__PURE__ */ piece(schema, "ConversationFields");
export const membershipFields: Piece<MembershipFields> = /* @__PURE__ */ piece(schema, "MembershipFields");
export const groupSettings: Piece<GroupSettings> = /* @__PURE__ */ piece(schema, "GroupSettings");

/** The module's unary calls. */
export const calls = {
  CreateGroup: /* @__PURE__ */ callOf<CreateGroupRequest, CreateGroupResponse>(schema, "ConversationService/CreateGroup"),
  GetConversation: /* @__PURE__ */ callOf<GetConversationRequest, GetConversationResponse>(schema, "ConversationService/GetConversation"),
  ListMembers: /* @__PURE__ */ callOf<ListMembersRequest, ListMembersResponse>(schema, "ConversationService/ListMembers"),
  GetGroupInfo: /* @__PURE__ */ callOf<GetGroupInfoRequest, GetGroupInfoResponse>(schema, "GroupService/GetGroupInfo"),
  UpdateGroupSettings: /* @__PURE__ */ callOf<UpdateGroupSettingsRequest, UpdateGroupSettingsResponse>(schema, "GroupService/UpdateGroupSettings"),
  PutGroupRole: /* @__PURE__ */ callOf<PutGroupRoleRequest, PutGroupRoleResponse>(schema, "GroupService/PutGroupRole"),
  DeleteGroupRole: /* @__PURE__ */ callOf<DeleteGroupRoleRequest, DeleteGroupRoleResponse>(schema, "GroupService/DeleteGroupRole"),
  SetMemberRoles: /* @__PURE__ */ callOf<SetMemberRolesRequest, SetMemberRolesResponse>(schema, "GroupService/SetMemberRoles"),
  SetNickname: /* @__PURE__ */ callOf<SetNicknameRequest, SetNicknameResponse>(schema, "GroupService/SetNickname"),
  MuteMember: /* @__PURE__ */ callOf<MuteMemberRequest, MuteMemberResponse>(schema, "GroupService/MuteMember"),
  MuteGroup: /* @__PURE__ */ callOf<MuteGroupRequest, MuteGroupResponse>(schema, "GroupService/MuteGroup"),
  TransferGroup: /* @__PURE__ */ callOf<TransferGroupRequest, TransferGroupResponse>(schema, "GroupService/TransferGroup"),
  DissolveGroup: /* @__PURE__ */ callOf<DissolveGroupRequest, DissolveGroupResponse>(schema, "GroupService/DissolveGroup"),
} as const;

/** The values of GroupType by number. */
export const groupTypeNames = ["unspecified","private","public","broadcast","livestream","community"] as const;

/** The values of HistoryAccess by number. */
export const historyAccessNames = ["unspecified","hidden","visible"] as const;

/** The values of JoinMode by number. */
export const joinModeNames = ["unspecified","open","approval","invite"] as const;

/** The values of Role by number. */
export const roleNames = ["unspecified","member","admin","owner"] as const;
