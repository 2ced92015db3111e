// Written by scripts/gen-wire.mjs from src/gen and wire.json; `npm run gen -w @skein/client` writes it again.
// What the fields mean stands in proto/skein/v1.
import { type Rest, core, schemaOf } from "../../wire/codec.js";
import { callOf } from "../../wire/piece.js";
import type { Body, Conversation, Entry, Membership, Presence } from "../../wire/schema.js";

export interface AddMembersRequest extends Rest {
  conversation: string;
  users: readonly string[];
  clientId: Uint8Array;
}

export interface AddMembersResponse extends Rest {
  entry?: Entry | undefined;
}

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

export interface Device extends Rest {
  id: string;
  platform: number;
  name: string;
  createdUs: number;
  lastSeenUs: number;
  online: boolean;
  current: boolean;
}

export interface GetPresenceRequest extends Rest {
  users: readonly string[];
}

export interface GetPresenceResponse extends Rest {
  presences: readonly Presence[];
}

export interface GrantSet extends Rest {
  bits: number;
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

export interface LeaveGroupRequest extends Rest {
  conversation: string;
  clientId: Uint8Array;
}

export interface LeaveGroupResponse extends Rest {
  entry?: Entry | undefined;
}

export interface ListDevicesRequest extends Rest {
}

export interface ListDevicesResponse extends Rest {
  devices: readonly Device[];
}

export interface ListEditsRequest extends Rest {
  conversation: string;
  seq: number;
}

export interface ListEditsResponse extends Rest {
  revisions: readonly Revision[];
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

export interface RemoveMemberRequest extends Rest {
  conversation: string;
  user: string;
  clientId: Uint8Array;
}

export interface RemoveMemberResponse extends Rest {
  entry?: Entry | undefined;
}

export interface Revision extends Rest {
  body?: Body | undefined;
  timeUs: number;
  editSeq: number;
}

export interface SetRoleRequest extends Rest {
  conversation: string;
  user: string;
  role: number;
  clientId: Uint8Array;
}

export interface SetRoleResponse extends Rest {
  entry?: Entry | undefined;
}

export interface UpdateGroupRequest extends Rest {
  conversation: string;
  title: string;
  clientId: Uint8Array;
}

export interface UpdateGroupResponse extends Rest {
  entry?: Entry | undefined;
}

const schema = /* @__PURE__ */ schemaOf(
  {
    AddMembersRequest: "1sconversation 2Susers 3bclientId",
    AddMembersResponse: "1mentry:Entry",
    CreateGroupRequest: "1sid 2stitle 3Smembers 4bclientId 5msettings:GroupSettings 6sowner",
    CreateGroupResponse: "1mconversation:Conversation",
    Device: "1sid 2eplatform:Platform 3sname 4icreatedUs 5ilastSeenUs 6oonline 7ocurrent",
    GetPresenceRequest: "1Susers",
    GetPresenceResponse: "1Mpresences:Presence",
    GrantSet: "1lbits",
    GroupRole: "1sid 2sname 3ucolor 4urank 5lgrants",
    GroupSettings: "1etype:GroupType 2sdescription 3savatarUrl 4mmemberGrants:GrantSet 5madminGrants:GrantSet 6Mroles:GroupRole 7ejoinMode:JoinMode 8ehistory:HistoryAccess 9uslowModeS 10imutedUntilUs 11umaxMembers 12odissolved",
    LeaveGroupRequest: "1sconversation 2bclientId",
    LeaveGroupResponse: "1mentry:Entry",
    ListDevicesRequest: "",
    ListDevicesResponse: "1Mdevices:Device",
    ListEditsRequest: "1sconversation 2lseq",
    ListEditsResponse: "1Mrevisions:Revision",
    ListMembersRequest: "1sconversation 2ulimit 3spage 4squery 5erole:Role",
    ListMembersResponse: "1Mmembers:Membership 2snextPage",
    RemoveMemberRequest: "1sconversation 2suser 3bclientId",
    RemoveMemberResponse: "1mentry:Entry",
    Revision: "1mbody:Body 2itimeUs 3leditSeq",
    SetRoleRequest: "1sconversation 2suser 3erole:Role 4bclientId",
    SetRoleResponse: "1mentry:Entry",
    UpdateGroupRequest: "1sconversation 2stitle 3bclientId",
    UpdateGroupResponse: "1mentry:Entry",
  },
  core,
);


/** The module's unary calls. */
export const calls = {
  CreateGroup: /* @__PURE__ */ callOf<CreateGroupRequest, CreateGroupResponse>(schema, "ConversationService/CreateGroup"),
  UpdateGroup: /* @__PURE__ */ callOf<UpdateGroupRequest, UpdateGroupResponse>(schema, "ConversationService/UpdateGroup"),
  ListMembers: /* @__PURE__ */ callOf<ListMembersRequest, ListMembersResponse>(schema, "ConversationService/ListMembers"),
  AddMembers: /* @__PURE__ */ callOf<AddMembersRequest, AddMembersResponse>(schema, "ConversationService/AddMembers"),
  RemoveMember: /* @__PURE__ */ callOf<RemoveMemberRequest, RemoveMemberResponse>(schema, "ConversationService/RemoveMember"),
  LeaveGroup: /* @__PURE__ */ callOf<LeaveGroupRequest, LeaveGroupResponse>(schema, "ConversationService/LeaveGroup"),
  SetRole: /* @__PURE__ */ callOf<SetRoleRequest, SetRoleResponse>(schema, "ConversationService/SetRole"),
  ListDevices: /* @__PURE__ */ callOf<ListDevicesRequest, ListDevicesResponse>(schema, "DeviceService/ListDevices"),
  ListEdits: /* @__PURE__ */ callOf<ListEditsRequest, ListEditsResponse>(schema, "MessageService/ListEdits"),
  GetPresence: /* @__PURE__ */ callOf<GetPresenceRequest, GetPresenceResponse>(schema, "PresenceService/GetPresence"),
} as const;

/** The values of GroupType by number. */
export const groupTypeNames = ["unspecified","private","public","broadcast","livestream","community"] as const;

/** The values of HistoryAccess by number. */
export const historyAccessNames = ["unspecified","hidden","visible"] as const;

/** The values of JoinMode by number. */
export const joinModeNames = ["unspecified","open","approval","invite"] as const;

/** The values of Platform by number. */
export const platformNames = ["unspecified","web","android","ios","desktop","server"] as const;

/** The values of Role by number. */
export const roleNames = ["unspecified","member","admin","owner"] as const;
