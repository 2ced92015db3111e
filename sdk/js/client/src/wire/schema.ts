// Written by scripts/gen-wire.mjs from src/gen; `npm run gen -w @skein/client` writes it again.
// What the fields mean stands in proto/skein/v1.
import type { Rest } from "./codec.js";

export interface Body extends Rest {
  scheme: number;
  content?: Content | undefined;
  opaque: Uint8Array;
}

export interface ClientFrame extends Rest {
  ref: number;
  hello?: Hello | undefined;
  send?: SendMessageRequest | undefined;
  read?: ReadConversationRequest | undefined;
  typing?: Typing | undefined;
  watchPresence?: WatchPresence | undefined;
  sync?: SyncRequest | undefined;
  cursorAck?: CursorAck | undefined;
  ping?: Ping | undefined;
  refreshToken?: RefreshToken | undefined;
}

export interface ClientPacket extends Rest {
  frames: readonly ClientFrame[];
}

export interface Content extends Rest {
  text?: Text | undefined;
  custom?: Custom | undefined;
  reaction?: Reaction | undefined;
  members?: MembersChange | undefined;
  conversation?: ConversationChange | undefined;
  replyToSeq: number;
  mentions: readonly string[];
}

export interface Conversation extends Rest {
  id: string;
  kind: number;
  title: string;
  headSeq: number;
  headOrd: number;
  aclVersion: number;
  memberCount: number;
  membership?: Membership | undefined;
  readMarkers: readonly ReadMarker[];
  createdUs: number;
}

export interface ConversationChange extends Rest {
  title: string;
}

export interface ConversationDelta extends Rest {
  conversation?: Conversation | undefined;
  entries: readonly Entry[];
  withheld: readonly Withheld[];
  gap: boolean;
  keyed: readonly Entry[];
}

export interface CursorAck extends Rest {
  cursor: Uint8Array;
}

export interface Custom extends Rest {
  type: string;
  data: Uint8Array;
  summary: string;
}

export interface Done extends Rest {
}

export interface EditMessageRequest extends Rest {
  conversation: string;
  seq: number;
  body?: Body | undefined;
  clientId: Uint8Array;
}

export interface EditMessageResponse extends Rest {
  entry?: Entry | undefined;
}

export interface Entry extends Rest {
  conversation: string;
  seq: number;
  ord: number;
  kind: number;
  sender: string;
  timeUs: number;
  clientId: Uint8Array;
  version: number;
  body?: Body | undefined;
  targetSeq: number;
  handshake: boolean;
  toDevices: readonly string[];
  key: string;
  previousBody?: Body | undefined;
  recalled: boolean;
  toUsers: readonly string[];
  silent: boolean;
  priority: number;
  expiresUs: number;
  burnAfterS: number;
  uncounted: boolean;
  expired: boolean;
}

export interface Error extends Rest {
  code: number;
  message: string;
  hint: string;
  retryAfterMs: number;
  serverTimeUs: number;
}

export interface GetConversationRequest extends Rest {
  conversation: string;
}

export interface GetConversationResponse extends Rest {
  conversation?: Conversation | undefined;
}

export interface GoAway extends Rest {
  reason: string;
  retryAfterMs: number;
}

export interface Hello extends Rest {
  protocol: number;
  app: string;
  token: string;
  device: string;
  platform: number;
  deviceName: string;
  sync?: SyncRequest | undefined;
  sdk: string;
}

export interface HistoryItem extends Rest {
  entry?: Entry | undefined;
  reactions: readonly ReactionSummary[];
}

export interface Limits extends Rest {
  maxTextBytes: number;
  maxBodyBytes: number;
  maxPacketBytes: number;
  maxInFlight: number;
  maxGroupMembers: number;
}

export interface ListMessagesRequest extends Rest {
  conversation: string;
  beforeSeq: number;
  afterSeq: number;
  limit: number;
}

export interface ListMessagesResponse extends Rest {
  items: readonly HistoryItem[];
  fromSeq: number;
  toSeq: number;
  atStart: boolean;
  atEnd: boolean;
  asOfSeq: number;
  incarnation: string;
}

export interface MembersChange extends Rest {
  added: readonly string[];
  removed: readonly string[];
  left: readonly string[];
  roleChanged: readonly string[];
  role: number;
}

export interface Membership extends Rest {
  user: string;
  role: number;
  fromSeq: number;
  toSeq: number;
  readSeq: number;
  readOrd: number;
}

export interface Ping extends Rest {
}

export interface Pong extends Rest {
  serverTimeUs: number;
}

export interface Presence extends Rest {
  user: string;
  online: boolean;
  lastSeenUs: number;
}

export interface ReactToMessageRequest extends Rest {
  conversation: string;
  seq: number;
  emoji: string;
  remove: boolean;
  clientId: Uint8Array;
}

export interface ReactToMessageResponse extends Rest {
  entry?: Entry | undefined;
}

export interface Reaction extends Rest {
  emoji: string;
  removed: boolean;
}

export interface ReactionSummary extends Rest {
  emoji: string;
  count: number;
  users: readonly string[];
  mine: boolean;
}

export interface ReadConversationRequest extends Rest {
  conversation: string;
  seq: number;
}

export interface ReadMarker extends Rest {
  conversation: string;
  user: string;
  readSeq: number;
  readOrd: number;
}

export interface RecallMessageRequest extends Rest {
  conversation: string;
  seq: number;
  clientId: Uint8Array;
}

export interface RecallMessageResponse extends Rest {
  entry?: Entry | undefined;
}

export interface RefreshToken extends Rest {
  token: string;
}

export interface SendAck extends Rest {
  conversation: string;
  seq: number;
  ord: number;
  timeUs: number;
  clientId: Uint8Array;
  uncounted: boolean;
}

export interface SendMessageRequest extends Rest {
  conversation: string;
  clientId: Uint8Array;
  body?: Body | undefined;
  toDevices: readonly string[];
  handshake: boolean;
  key: string;
  toUsers: readonly string[];
  silent: boolean;
  priority: number;
  ttlS: number;
  burnAfterS: number;
  threadSeq: number;
  sender: string;
}

export interface ServerFrame extends Rest {
  ref: number;
  welcome?: Welcome | undefined;
  ack?: SendAck | undefined;
  error?: Error | undefined;
  entry?: Entry | undefined;
  withheld?: Withheld | undefined;
  readMarker?: ReadMarker | undefined;
  typing?: Typing | undefined;
  presence?: Presence | undefined;
  sync?: SyncResponse | undefined;
  pong?: Pong | undefined;
  goAway?: GoAway | undefined;
  done?: Done | undefined;
  conversation?: Conversation | undefined;
}

export interface ServerPacket extends Rest {
  frames: readonly ServerFrame[];
  cursor: Uint8Array;
}

export interface SignOutDeviceRequest extends Rest {
  device: string;
}

export interface SignOutDeviceResponse extends Rest {
}

export interface SyncRequest extends Rest {
  cursor: Uint8Array;
  conversations: number;
  entries: number;
  follow: boolean;
}

export interface SyncResponse extends Rest {
  conversations: readonly ConversationDelta[];
  cursor: Uint8Array;
  more: boolean;
  reset: boolean;
  incarnation: string;
  serverTimeUs: number;
  follows: boolean;
}

export interface Text extends Rest {
  text: string;
}

export interface Typing extends Rest {
  conversation: string;
  user: string;
  stopped: boolean;
}

export interface WatchPresence extends Rest {
  users: readonly string[];
}

export interface Welcome extends Rest {
  session: string;
  user: string;
  serverTimeUs: number;
  tokenExpiresUs: number;
  pingIntervalMs: number;
  sync?: SyncResponse | undefined;
  limits?: Limits | undefined;
}

export interface Withheld extends Rest {
  conversation: string;
  fromSeq: number;
  toSeq: number;
  ord: number;
}

/** Every message by its name. */
export interface Messages {
  Body: Body;
  ClientFrame: ClientFrame;
  ClientPacket: ClientPacket;
  Content: Content;
  Conversation: Conversation;
  ConversationChange: ConversationChange;
  ConversationDelta: ConversationDelta;
  CursorAck: CursorAck;
  Custom: Custom;
  Done: Done;
  EditMessageRequest: EditMessageRequest;
  EditMessageResponse: EditMessageResponse;
  Entry: Entry;
  Error: Error;
  GetConversationRequest: GetConversationRequest;
  GetConversationResponse: GetConversationResponse;
  GoAway: GoAway;
  Hello: Hello;
  HistoryItem: HistoryItem;
  Limits: Limits;
  ListMessagesRequest: ListMessagesRequest;
  ListMessagesResponse: ListMessagesResponse;
  MembersChange: MembersChange;
  Membership: Membership;
  Ping: Ping;
  Pong: Pong;
  Presence: Presence;
  ReactToMessageRequest: ReactToMessageRequest;
  ReactToMessageResponse: ReactToMessageResponse;
  Reaction: Reaction;
  ReactionSummary: ReactionSummary;
  ReadConversationRequest: ReadConversationRequest;
  ReadMarker: ReadMarker;
  RecallMessageRequest: RecallMessageRequest;
  RecallMessageResponse: RecallMessageResponse;
  RefreshToken: RefreshToken;
  SendAck: SendAck;
  SendMessageRequest: SendMessageRequest;
  ServerFrame: ServerFrame;
  ServerPacket: ServerPacket;
  SignOutDeviceRequest: SignOutDeviceRequest;
  SignOutDeviceResponse: SignOutDeviceResponse;
  SyncRequest: SyncRequest;
  SyncResponse: SyncResponse;
  Text: Text;
  Typing: Typing;
  WatchPresence: WatchPresence;
  Welcome: Welcome;
  Withheld: Withheld;
}

/** A message's fields: number, type (capital = repeated), name, and for messages and enums theirs. */
export const fieldTables: Readonly<Record<keyof Messages, string>> = {
  Body: "1escheme:BodyScheme 2mcontent:Content 3bopaque",
  ClientFrame: "1uref 2mhello:Hello 3msend:SendMessageRequest 4mread:ReadConversationRequest 5mtyping:Typing 6mwatchPresence:WatchPresence 7msync:SyncRequest 8mcursorAck:CursorAck 9mping:Ping 10mrefreshToken:RefreshToken",
  ClientPacket: "1Mframes:ClientFrame",
  Content: "1mtext:Text 2mcustom:Custom 3mreaction:Reaction 4mmembers:MembersChange 5mconversation:ConversationChange 10lreplyToSeq 11Smentions",
  Conversation: "1sid 2ekind:ConversationKind 3stitle 4lheadSeq 5lheadOrd 6laclVersion 7umemberCount 8mmembership:Membership 9MreadMarkers:ReadMarker 10icreatedUs",
  ConversationChange: "1stitle",
  ConversationDelta: "1mconversation:Conversation 2Mentries:Entry 3Mwithheld:Withheld 4ogap 5Mkeyed:Entry",
  CursorAck: "1bcursor",
  Custom: "1stype 2bdata 3ssummary",
  Done: "",
  EditMessageRequest: "1sconversation 2lseq 3mbody:Body 4bclientId",
  EditMessageResponse: "1mentry:Entry",
  Entry: "1sconversation 2lseq 3lord 4ekind:EntryKind 5ssender 6itimeUs 7bclientId 8uversion 9mbody:Body 10ltargetSeq 11ohandshake 12StoDevices 13skey 14mpreviousBody:Body 15orecalled 16StoUsers 17osilent 18epriority:Priority 19iexpiresUs 20uburnAfterS 21ouncounted 22oexpired",
  Error: "1ecode:ErrorCode 2smessage 3shint 4uretryAfterMs 5iserverTimeUs",
  GetConversationRequest: "1sconversation",
  GetConversationResponse: "1mconversation:Conversation",
  GoAway: "1sreason 2uretryAfterMs",
  Hello: "1uprotocol 2sapp 3stoken 4sdevice 5eplatform:Platform 6sdeviceName 7msync:SyncRequest 8ssdk",
  HistoryItem: "1mentry:Entry 2Mreactions:ReactionSummary",
  Limits: "1umaxTextBytes 2umaxBodyBytes 3umaxPacketBytes 4umaxInFlight 5umaxGroupMembers",
  ListMessagesRequest: "1sconversation 2lbeforeSeq 3lafterSeq 4ulimit",
  ListMessagesResponse: "1Mitems:HistoryItem 2lfromSeq 3ltoSeq 4oatStart 5oatEnd 6lasOfSeq 7sincarnation",
  MembersChange: "1Sadded 2Sremoved 3Sleft 4SroleChanged 5erole:Role",
  Membership: "1suser 2erole:Role 3lfromSeq 4ltoSeq 5lreadSeq 6lreadOrd",
  Ping: "",
  Pong: "1iserverTimeUs",
  Presence: "1suser 2oonline 3ilastSeenUs",
  ReactToMessageRequest: "1sconversation 2lseq 3semoji 4oremove 5bclientId",
  ReactToMessageResponse: "1mentry:Entry",
  Reaction: "1semoji 2oremoved",
  ReactionSummary: "1semoji 2ucount 3Susers 4omine",
  ReadConversationRequest: "1sconversation 2lseq",
  ReadMarker: "1sconversation 2suser 3lreadSeq 4lreadOrd",
  RecallMessageRequest: "1sconversation 2lseq 3bclientId",
  RecallMessageResponse: "1mentry:Entry",
  RefreshToken: "1stoken",
  SendAck: "1sconversation 2lseq 3lord 4itimeUs 5bclientId 6ouncounted",
  SendMessageRequest: "1sconversation 2bclientId 3mbody:Body 4StoDevices 5ohandshake 6skey 7StoUsers 8osilent 9epriority:Priority 10uttlS 11uburnAfterS 12lthreadSeq 13ssender",
  ServerFrame: "1uref 2mwelcome:Welcome 3mack:SendAck 4merror:Error 5mentry:Entry 6mwithheld:Withheld 7mreadMarker:ReadMarker 8mtyping:Typing 9mpresence:Presence 10msync:SyncResponse 11mpong:Pong 12mgoAway:GoAway 13mdone:Done 14mconversation:Conversation",
  ServerPacket: "1Mframes:ServerFrame 2bcursor",
  SignOutDeviceRequest: "1sdevice",
  SignOutDeviceResponse: "",
  SyncRequest: "1bcursor 2uconversations 3uentries 4ofollow",
  SyncResponse: "1Mconversations:ConversationDelta 2bcursor 3omore 4oreset 5sincarnation 6iserverTimeUs 7ofollows",
  Text: "1stext",
  Typing: "1sconversation 2suser 3ostopped",
  WatchPresence: "1Susers",
  Welcome: "1ssession 2suser 3iserverTimeUs 4itokenExpiresUs 5upingIntervalMs 6msync:SyncResponse 7mlimits:Limits",
  Withheld: "1sconversation 2lfromSeq 3ltoSeq 4lord",
};

/** The error codes by number, as the SDK names them. */
export const errorCodes = "unspecified invalid_argument unauthenticated token_expired not_found permission_denied failed_precondition client_id_reused too_large rate_limited clock_skew expired unavailable resource_exhausted internal cursor_invalid unsupported data_loss already_exists signed_out";

/** Enum values by number, without their prefix. */
export const enumNames: Readonly<Record<string, string>> = {
  BodyScheme: "UNSPECIFIED CONTENT MLS OPAQUE",
  ConversationKind: "UNSPECIFIED DIRECT GROUP SELF",
  EntryKind: "UNSPECIFIED MESSAGE EDIT RECALL REACTION MEMBERS CONVERSATION KEYED VOTE EXTENSION EXPIRE CONTACT",
  ErrorCode: "UNSPECIFIED INVALID_ARGUMENT UNAUTHENTICATED TOKEN_EXPIRED NOT_FOUND PERMISSION_DENIED FAILED_PRECONDITION CLIENT_ID_REUSED TOO_LARGE RATE_LIMITED CLOCK_SKEW EXPIRED UNAVAILABLE RESOURCE_EXHAUSTED INTERNAL CURSOR_INVALID UNSUPPORTED DATA_LOSS ALREADY_EXISTS SIGNED_OUT",
  Platform: "UNSPECIFIED WEB ANDROID IOS DESKTOP SERVER",
  Priority: "UNSPECIFIED HIGH LOW",
  Role: "UNSPECIFIED MEMBER ADMIN OWNER",
};

/** A unary call by its path: what it takes and what it answers. */
export interface Methods {
  "ConversationService/GetConversation": { input: GetConversationRequest; output: GetConversationResponse };
  "DeviceService/SignOutDevice": { input: SignOutDeviceRequest; output: SignOutDeviceResponse };
  "MessageService/EditMessage": { input: EditMessageRequest; output: EditMessageResponse };
  "MessageService/RecallMessage": { input: RecallMessageRequest; output: RecallMessageResponse };
  "MessageService/ReactToMessage": { input: ReactToMessageRequest; output: ReactToMessageResponse };
  "MessageService/ListMessages": { input: ListMessagesRequest; output: ListMessagesResponse };
}
