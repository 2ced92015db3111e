// Written by scripts/gen-wire.mjs from src/gen and wire.json; `npm run gen -w @skein/client` writes it again.
// What the fields mean stands in proto/skein/v1.
import { type Rest, core, schemaOf } from "../../wire/codec.js";
import { type Piece, callOf, piece } from "../../wire/piece.js";

export interface Call extends Rest {
  id: string;
  conversation: string;
  starter: string;
  video: boolean;
  state: number;
  end: number;
  startedUs: number;
  answeredUs: number;
  endedUs: number;
  role: number;
  parties: readonly CallParty[];
  partyCount: number;
  joinedCount: number;
  version: number;
}

export interface CallAccess extends Rest {
  url: string;
  token: string;
  identity: string;
  expiresUs: number;
}

export interface CallParty extends Rest {
  user: string;
  state: number;
  role: number;
  invitedBy: string;
  joinedUs: number;
  leftUs: number;
  device: string;
}

export interface ConversationCall extends Rest {
  call: string;
  starter: string;
  video: boolean;
  state: number;
  startedUs: number;
  joined: number;
  users: readonly string[];
}

export interface DeclineCallRequest extends Rest {
  call: string;
}

export interface DeclineCallResponse extends Rest {
  call?: Call | undefined;
}

export interface EndCallRequest extends Rest {
  call: string;
}

export interface EndCallResponse extends Rest {
  call?: Call | undefined;
}

export interface GetCallRequest extends Rest {
  call: string;
}

export interface GetCallResponse extends Rest {
  call?: Call | undefined;
}

export interface InviteToCallRequest extends Rest {
  call: string;
  users: readonly string[];
  role: number;
}

export interface InviteToCallResponse extends Rest {
  call?: Call | undefined;
}

export interface JoinCallRequest extends Rest {
  call: string;
  move: boolean;
}

export interface JoinCallResponse extends Rest {
  call?: Call | undefined;
  access?: CallAccess | undefined;
}

export interface LeaveCallRequest extends Rest {
  call: string;
}

export interface LeaveCallResponse extends Rest {
  call?: Call | undefined;
}

export interface ListCallsRequest extends Rest {
  limit: number;
  page: string;
  missed: boolean;
  conversation: string;
  user: string;
  live: boolean;
}

export interface ListCallsResponse extends Rest {
  calls: readonly Call[];
  nextPage: string;
}

export interface MuteInCallRequest extends Rest {
  call: string;
  user: string;
  audio: boolean;
  video: boolean;
}

export interface MuteInCallResponse extends Rest {
}

export interface RemoveFromCallRequest extends Rest {
  call: string;
  user: string;
}

export interface RemoveFromCallResponse extends Rest {
  call?: Call | undefined;
}

export interface SetCallRoleRequest extends Rest {
  call: string;
  user: string;
  role: number;
}

export interface SetCallRoleResponse extends Rest {
  call?: Call | undefined;
}

export interface StartCallRequest extends Rest {
  conversation: string;
  clientId: Uint8Array;
  video: boolean;
  users: readonly string[];
  quiet: boolean;
  role: number;
}

export interface StartCallResponse extends Rest {
  call?: Call | undefined;
  access?: CallAccess | undefined;
}

export interface UserCall extends Rest {
  call: string;
  conversation: string;
  starter: string;
  video: boolean;
  state: number;
  end: number;
  own: number;
  role: number;
  device: string;
  invitedBy: string;
  startedUs: number;
  answeredUs: number;
  ringsUntilUs: number;
}

export interface UserCalls extends Rest {
  calls: readonly UserCall[];
}

/** Fields of Content that the core leaves to modules. */
export interface ContentFields extends Rest {
  calls?: UserCalls | undefined;
  call?: ConversationCall | undefined;
}

const schema = /* @__PURE__ */ schemaOf(
  {
    Call: "1sid 2sconversation 3sstarter 4ovideo 5estate:CallState 6eend:CallEnd 7istartedUs 8iansweredUs 9iendedUs 10erole:CallRole 11Mparties:CallParty 12upartyCount 13ujoinedCount 14uversion",
    CallAccess: "1surl 2stoken 3sidentity 4iexpiresUs",
    CallParty: "1suser 2estate:CallPartyState 3erole:CallRole 4sinvitedBy 5ijoinedUs 6ileftUs 7sdevice",
    ConversationCall: "1scall 2sstarter 3ovideo 4estate:CallState 5istartedUs 6ujoined 7Susers",
    DeclineCallRequest: "1scall",
    DeclineCallResponse: "1mcall:Call",
    EndCallRequest: "1scall",
    EndCallResponse: "1mcall:Call",
    GetCallRequest: "1scall",
    GetCallResponse: "1mcall:Call",
    InviteToCallRequest: "1scall 2Susers 3erole:CallRole",
    InviteToCallResponse: "1mcall:Call",
    JoinCallRequest: "1scall 2omove",
    JoinCallResponse: "1mcall:Call 2maccess:CallAccess",
    LeaveCallRequest: "1scall",
    LeaveCallResponse: "1mcall:Call",
    ListCallsRequest: "1ulimit 2spage 3omissed 4sconversation 5suser 6olive",
    ListCallsResponse: "1Mcalls:Call 2snextPage",
    MuteInCallRequest: "1scall 2suser 3oaudio 4ovideo",
    MuteInCallResponse: "",
    RemoveFromCallRequest: "1scall 2suser",
    RemoveFromCallResponse: "1mcall:Call",
    SetCallRoleRequest: "1scall 2suser 3erole:CallRole",
    SetCallRoleResponse: "1mcall:Call",
    StartCallRequest: "1sconversation 2bclientId 3ovideo 4Susers 5oquiet 6erole:CallRole",
    StartCallResponse: "1mcall:Call 2maccess:CallAccess",
    UserCall: "1scall 2sconversation 3sstarter 4ovideo 5estate:CallState 6eend:CallEnd 7eown:CallPartyState 8erole:CallRole 9sdevice 10sinvitedBy 11istartedUs 12iansweredUs 13iringsUntilUs",
    UserCalls: "1Mcalls:UserCall",
    ContentFields: "38mcalls:UserCalls 39mcall:ConversationCall",
  },
  core,
);

export const contentFields: Piece<ContentFields> = /* @__PURE__ */ piece(schema, "ContentFields");

/** The module's unary calls. */
export const calls = {
  StartCall: /* @__PURE__ */ callOf<StartCallRequest, StartCallResponse>(schema, "CallService/StartCall"),
  JoinCall: /* @__PURE__ */ callOf<JoinCallRequest, JoinCallResponse>(schema, "CallService/JoinCall"),
  DeclineCall: /* @__PURE__ */ callOf<DeclineCallRequest, DeclineCallResponse>(schema, "CallService/DeclineCall"),
  LeaveCall: /* @__PURE__ */ callOf<LeaveCallRequest, LeaveCallResponse>(schema, "CallService/LeaveCall"),
  EndCall: /* @__PURE__ */ callOf<EndCallRequest, EndCallResponse>(schema, "CallService/EndCall"),
  InviteToCall: /* @__PURE__ */ callOf<InviteToCallRequest, InviteToCallResponse>(schema, "CallService/InviteToCall"),
  MuteInCall: /* @__PURE__ */ callOf<MuteInCallRequest, MuteInCallResponse>(schema, "CallService/MuteInCall"),
  RemoveFromCall: /* @__PURE__ */ callOf<RemoveFromCallRequest, RemoveFromCallResponse>(schema, "CallService/RemoveFromCall"),
  SetCallRole: /* @__PURE__ */ callOf<SetCallRoleRequest, SetCallRoleResponse>(schema, "CallService/SetCallRole"),
  GetCall: /* @__PURE__ */ callOf<GetCallRequest, GetCallResponse>(schema, "CallService/GetCall"),
  ListCalls: /* @__PURE__ */ callOf<ListCallsRequest, ListCallsResponse>(schema, "CallService/ListCalls"),
} as const;

/** The values of CallEnd by number. */
export const callEndNames = ["unspecified","completed","cancelled","declined","no_answer","busy","failed"] as const;

/** The values of CallPartyState by number. */
export const callPartyStateNames = ["unspecified","ringing","joined","declined","missed","busy","left","removed"] as const;

/** The values of CallRole by number. */
export const callRoleNames = ["unspecified","publisher","viewer"] as const;

/** The values of CallState by number. */
export const callStateNames = ["unspecified","ringing","active","ended"] as const;
