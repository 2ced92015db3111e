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
  recording?: RecordingMark | undefined;
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
  recording?: RecordingMark | undefined;
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

export interface ListRecordingsRequest extends Rest {
  limit: number;
  page: string;
  call: string;
  conversation: string;
}

export interface ListRecordingsResponse extends Rest {
  recordings: readonly Recording[];
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

export interface RecordedTrack extends Rest {
  user: string;
  source: number;
  startedUs: number;
  durationMs: number;
  file: string;
  seq: number;
  name: string;
  mime: string;
  size: number;
  width: number;
  height: number;
}

export interface Recording extends Rest {
  id: string;
  call: string;
  conversation: string;
  recorder: string;
  startedUs: number;
  endedUs: number;
  state: number;
  problem: string;
  tracks: readonly RecordedTrack[];
  problemCode: number;
}

export interface RecordingMark extends Rest {
  user: string;
  sinceUs: number;
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

export interface StartRecordingRequest extends Rest {
  call: string;
}

export interface StartRecordingResponse extends Rest {
  call?: Call | undefined;
}

export interface StopRecordingRequest extends Rest {
  call: string;
}

export interface StopRecordingResponse extends Rest {
  call?: Call | undefined;
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
  recording?: RecordingMark | undefined;
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
    Call: "1sid 2sconversation 3sstarter 4ovideo 5estate:CallState 6eend:CallEnd 7istartedUs 8iansweredUs 9iendedUs 10erole:CallRole 11Mparties:CallParty 12upartyCount 13ujoinedCount 14uversion 15mrecording:RecordingMark",
    CallAccess: "1surl 2stoken 3sidentity 4iexpiresUs",
    CallParty: "1suser 2estate:CallPartyState 3erole:CallRole 4sinvitedBy 5ijoinedUs 6ileftUs 7sdevice",
    ConversationCall: "1scall 2sstarter 3ovideo 4estate:CallState 5istartedUs 6ujoined 7Susers 8mrecording:RecordingMark",
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
    ListRecordingsRequest: "1ulimit 2spage 3scall 4sconversation",
    ListRecordingsResponse: "1Mrecordings:Recording 2snextPage",
    MuteInCallRequest: "1scall 2suser 3oaudio 4ovideo",
    MuteInCallResponse: "",
    RecordedTrack: "1suser 2esource:RecordedSource 3istartedUs 4udurationMs 5sfile 6lseq 7sname 8smime 9lsize 10uwidth 11uheight",
    Recording: "1sid 2scall 3sconversation 4srecorder 5istartedUs 6iendedUs 7estate:RecordingState 8sproblem 9Mtracks:RecordedTrack 10eproblemCode:RecordingProblem",
    RecordingMark: "1suser 2isinceUs",
    RemoveFromCallRequest: "1scall 2suser",
    RemoveFromCallResponse: "1mcall:Call",
    SetCallRoleRequest: "1scall 2suser 3erole:CallRole",
    SetCallRoleResponse: "1mcall:Call",
    StartCallRequest: "1sconversation 2bclientId 3ovideo 4Susers 5oquiet 6erole:CallRole",
    StartCallResponse: "1mcall:Call 2maccess:CallAccess",
    StartRecordingRequest: "1scall",
    StartRecordingResponse: "1mcall:Call",
    StopRecordingRequest: "1scall",
    StopRecordingResponse: "1mcall:Call",
    UserCall: "1scall 2sconversation 3sstarter 4ovideo 5estate:CallState 6eend:CallEnd 7eown:CallPartyState 8erole:CallRole 9sdevice 10sinvitedBy 11istartedUs 12iansweredUs 13iringsUntilUs 14mrecording:RecordingMark",
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
  StartRecording: /* @__PURE__ */ callOf<StartRecordingRequest, StartRecordingResponse>(schema, "CallService/StartRecording"),
  StopRecording: /* @__PURE__ */ callOf<StopRecordingRequest, StopRecordingResponse>(schema, "CallService/StopRecording"),
  ListRecordings: /* @__PURE__ */ callOf<ListRecordingsRequest, ListRecordingsResponse>(schema, "CallService/ListRecordings"),
} as const;

/** The values of CallEnd by number. */
export const callEndNames = ["unspecified","completed","cancelled","declined","no_answer","busy","failed"] as const;

/** The values of CallPartyState by number. */
export const callPartyStateNames = ["unspecified","ringing","joined","declined","missed","busy","left","removed"] as const;

/** The values of CallRole by number. */
export const callRoleNames = ["unspecified","publisher","viewer"] as const;

/** The values of CallState by number. */
export const callStateNames = ["unspecified","ringing","active","ended"] as const;

/** The values of RecordedSource by number. */
export const recordedSourceNames = ["unspecified","microphone","camera","screen","screen_audio"] as const;

/** The values of RecordingProblem by number. */
export const recordingProblemNames = ["unspecified","encrypted","away","not_stored","quota","broken_off"] as const;

/** The values of RecordingState by number. */
export const recordingStateNames = ["unspecified","on","gathering","done","empty"] as const;
