// Written by scripts/gen-wire.mjs from src/gen; `npm run gen -w @skein/client` writes it again.
// What the fields mean stands in proto/skein/v1.

export interface AddMembersRequest {
  conversation: string;
  users: readonly string[];
  clientId: Uint8Array;
}

export interface AddMembersResponse {
  entry?: Entry | undefined;
}

export interface Body {
  scheme: number;
  content?: Content | undefined;
  opaque: Uint8Array;
}

export interface ClientFrame {
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

export interface ClientPacket {
  frames: readonly ClientFrame[];
}

export interface Content {
  text?: Text | undefined;
  custom?: Custom | undefined;
  reaction?: Reaction | undefined;
  members?: MembersChange | undefined;
  conversation?: ConversationChange | undefined;
  replyToSeq: number;
  mentions: readonly string[];
}

export interface Conversation {
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
  settings?: Uint8Array | undefined;
  grants: number;
}

export interface ConversationChange {
  title: string;
  changed: readonly string[];
  settings?: Uint8Array | undefined;
}

export interface ConversationDelta {
  conversation?: Conversation | undefined;
  entries: readonly Entry[];
  withheld: readonly Withheld[];
  gap: boolean;
  keyed: readonly Entry[];
}

export interface CreateGroupRequest {
  id: string;
  title: string;
  members: readonly string[];
  clientId: Uint8Array;
}

export interface CreateGroupResponse {
  conversation?: Conversation | undefined;
}

export interface CursorAck {
  cursor: Uint8Array;
}

export interface Custom {
  type: string;
  data: Uint8Array;
  summary: string;
}

export interface Device {
  id: string;
  platform: number;
  name: string;
  createdUs: number;
  lastSeenUs: number;
  online: boolean;
  current: boolean;
}

export interface Done {
}

export interface EditMessageRequest {
  conversation: string;
  seq: number;
  body?: Body | undefined;
  clientId: Uint8Array;
}

export interface EditMessageResponse {
  entry?: Entry | undefined;
}

export interface Entry {
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

export interface Error {
  code: number;
  message: string;
  hint: string;
  retryAfterMs: number;
  serverTimeUs: number;
}

export interface GetConversationRequest {
  conversation: string;
}

export interface GetConversationResponse {
  conversation?: Conversation | undefined;
}

export interface GetPresenceRequest {
  users: readonly string[];
}

export interface GetPresenceResponse {
  presences: readonly Presence[];
}

export interface GoAway {
  reason: string;
  retryAfterMs: number;
}

export interface Hello {
  protocol: number;
  app: string;
  token: string;
  device: string;
  platform: number;
  deviceName: string;
  sync?: SyncRequest | undefined;
  sdk: string;
}

export interface HistoryItem {
  entry?: Entry | undefined;
  reactions: readonly ReactionSummary[];
}

export interface LeaveGroupRequest {
  conversation: string;
  clientId: Uint8Array;
}

export interface LeaveGroupResponse {
  entry?: Entry | undefined;
}

export interface Limits {
  maxTextBytes: number;
  maxBodyBytes: number;
  maxPacketBytes: number;
  maxInFlight: number;
  maxGroupMembers: number;
}

export interface ListDevicesRequest {
}

export interface ListDevicesResponse {
  devices: readonly Device[];
}

export interface ListEditsRequest {
  conversation: string;
  seq: number;
}

export interface ListEditsResponse {
  revisions: readonly Revision[];
}

export interface ListMembersRequest {
  conversation: string;
  limit: number;
  page: string;
}

export interface ListMembersResponse {
  members: readonly Membership[];
  nextPage: string;
}

export interface ListMessagesRequest {
  conversation: string;
  beforeSeq: number;
  afterSeq: number;
  limit: number;
}

export interface ListMessagesResponse {
  items: readonly HistoryItem[];
  fromSeq: number;
  toSeq: number;
  atStart: boolean;
  atEnd: boolean;
  asOfSeq: number;
  incarnation: string;
  ordBefore: number;
}

export interface MembersChange {
  added: readonly string[];
  removed: readonly string[];
  left: readonly string[];
  roleChanged: readonly string[];
  role: number;
  attrsChanged: readonly string[];
  attrs?: Uint8Array | undefined;
}

export interface Membership {
  user: string;
  role: number;
  fromSeq: number;
  toSeq: number;
  readSeq: number;
  readOrd: number;
  attrs?: Uint8Array | undefined;
}

export interface Ping {
}

export interface Pong {
  serverTimeUs: number;
}

export interface Presence {
  user: string;
  online: boolean;
  lastSeenUs: number;
}

export interface ReactToMessageRequest {
  conversation: string;
  seq: number;
  emoji: string;
  remove: boolean;
  clientId: Uint8Array;
}

export interface ReactToMessageResponse {
  entry?: Entry | undefined;
}

export interface Reaction {
  emoji: string;
  removed: boolean;
}

export interface ReactionSummary {
  emoji: string;
  count: number;
  users: readonly string[];
  mine: boolean;
}

export interface ReadConversationRequest {
  conversation: string;
  seq: number;
}

export interface ReadMarker {
  conversation: string;
  user: string;
  readSeq: number;
  readOrd: number;
}

export interface RecallMessageRequest {
  conversation: string;
  seq: number;
  clientId: Uint8Array;
}

export interface RecallMessageResponse {
  entry?: Entry | undefined;
}

export interface RefreshToken {
  token: string;
}

export interface RemoveMemberRequest {
  conversation: string;
  user: string;
  clientId: Uint8Array;
}

export interface RemoveMemberResponse {
  entry?: Entry | undefined;
}

export interface Revision {
  body?: Body | undefined;
  timeUs: number;
  editSeq: number;
}

export interface SendAck {
  conversation: string;
  seq: number;
  ord: number;
  timeUs: number;
  clientId: Uint8Array;
}

export interface SendMessageRequest {
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
}

export interface ServerFrame {
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

export interface ServerPacket {
  frames: readonly ServerFrame[];
  cursor: Uint8Array;
}

export interface SetRoleRequest {
  conversation: string;
  user: string;
  role: number;
  clientId: Uint8Array;
}

export interface SetRoleResponse {
  entry?: Entry | undefined;
}

export interface SignOutDeviceRequest {
  device: string;
}

export interface SignOutDeviceResponse {
}

export interface SyncRequest {
  cursor: Uint8Array;
  conversations: number;
  entries: number;
  follow: boolean;
}

export interface SyncResponse {
  conversations: readonly ConversationDelta[];
  cursor: Uint8Array;
  more: boolean;
  follows: boolean;
  reset: boolean;
  incarnation: string;
  serverTimeUs: number;
}

export interface Text {
  text: string;
}

export interface Typing {
  conversation: string;
  user: string;
  stopped: boolean;
}

export interface UpdateGroupRequest {
  conversation: string;
  title: string;
  clientId: Uint8Array;
}

export interface UpdateGroupResponse {
  entry?: Entry | undefined;
}

export interface WatchPresence {
  users: readonly string[];
}

export interface Welcome {
  session: string;
  user: string;
  serverTimeUs: number;
  tokenExpiresUs: number;
  pingIntervalMs: number;
  sync?: SyncResponse | undefined;
  limits?: Limits | undefined;
}

export interface Withheld {
  conversation: string;
  fromSeq: number;
  toSeq: number;
  ord: number;
}

/** Every message by its name. */
export interface Messages {
  AddMembersRequest: AddMembersRequest;
  AddMembersResponse: AddMembersResponse;
  Body: Body;
  ClientFrame: ClientFrame;
  ClientPacket: ClientPacket;
  Content: Content;
  Conversation: Conversation;
  ConversationChange: ConversationChange;
  ConversationDelta: ConversationDelta;
  CreateGroupRequest: CreateGroupRequest;
  CreateGroupResponse: CreateGroupResponse;
  CursorAck: CursorAck;
  Custom: Custom;
  Device: Device;
  Done: Done;
  EditMessageRequest: EditMessageRequest;
  EditMessageResponse: EditMessageResponse;
  Entry: Entry;
  Error: Error;
  GetConversationRequest: GetConversationRequest;
  GetConversationResponse: GetConversationResponse;
  GetPresenceRequest: GetPresenceRequest;
  GetPresenceResponse: GetPresenceResponse;
  GoAway: GoAway;
  Hello: Hello;
  HistoryItem: HistoryItem;
  LeaveGroupRequest: LeaveGroupRequest;
  LeaveGroupResponse: LeaveGroupResponse;
  Limits: Limits;
  ListDevicesRequest: ListDevicesRequest;
  ListDevicesResponse: ListDevicesResponse;
  ListEditsRequest: ListEditsRequest;
  ListEditsResponse: ListEditsResponse;
  ListMembersRequest: ListMembersRequest;
  ListMembersResponse: ListMembersResponse;
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
  RemoveMemberRequest: RemoveMemberRequest;
  RemoveMemberResponse: RemoveMemberResponse;
  Revision: Revision;
  SendAck: SendAck;
  SendMessageRequest: SendMessageRequest;
  ServerFrame: ServerFrame;
  ServerPacket: ServerPacket;
  SetRoleRequest: SetRoleRequest;
  SetRoleResponse: SetRoleResponse;
  SignOutDeviceRequest: SignOutDeviceRequest;
  SignOutDeviceResponse: SignOutDeviceResponse;
  SyncRequest: SyncRequest;
  SyncResponse: SyncResponse;
  Text: Text;
  Typing: Typing;
  UpdateGroupRequest: UpdateGroupRequest;
  UpdateGroupResponse: UpdateGroupResponse;
  WatchPresence: WatchPresence;
  Welcome: Welcome;
  Withheld: Withheld;
}

/** A message's fields: number, type (capital = repeated), name, and for messages and enums theirs. */
export const fieldTables: Readonly<Record<keyof Messages, string>> = {
  AddMembersRequest: "1sconversation 2Susers 3bclientId",
  AddMembersResponse: "1mentry:Entry",
  Body: "1escheme:BodyScheme 2mcontent:Content 3bopaque",
  ClientFrame: "1uref 2mhello:Hello 3msend:SendMessageRequest 4mread:ReadConversationRequest 5mtyping:Typing 6mwatchPresence:WatchPresence 7msync:SyncRequest 8mcursorAck:CursorAck 9mping:Ping 10mrefreshToken:RefreshToken",
  ClientPacket: "1Mframes:ClientFrame",
  Content: "1mtext:Text 2mcustom:Custom 3mreaction:Reaction 4mmembers:MembersChange 5mconversation:ConversationChange 10lreplyToSeq 11Smentions",
  Conversation: "1sid 2ekind:ConversationKind 3stitle 4lheadSeq 5lheadOrd 6laclVersion 7umemberCount 8mmembership:Membership 9MreadMarkers:ReadMarker 10icreatedUs 11bsettings 12lgrants",
  ConversationChange: "1stitle 2Schanged 3bsettings",
  ConversationDelta: "1mconversation:Conversation 2Mentries:Entry 3Mwithheld:Withheld 4ogap 5Mkeyed:Entry",
  CreateGroupRequest: "1sid 2stitle 3Smembers 4bclientId",
  CreateGroupResponse: "1mconversation:Conversation",
  CursorAck: "1bcursor",
  Custom: "1stype 2bdata 3ssummary",
  Device: "1sid 2eplatform:Platform 3sname 4icreatedUs 5ilastSeenUs 6oonline 7ocurrent",
  Done: "",
  EditMessageRequest: "1sconversation 2lseq 3mbody:Body 4bclientId",
  EditMessageResponse: "1mentry:Entry",
  Entry: "1sconversation 2lseq 3lord 4ekind:EntryKind 5ssender 6itimeUs 7bclientId 8uversion 9mbody:Body 10ltargetSeq 11ohandshake 12StoDevices 13skey 14mpreviousBody:Body 15orecalled 16StoUsers 17osilent 18epriority:Priority 19iexpiresUs 20uburnAfterS 21ouncounted 22oexpired",
  Error: "1ecode:ErrorCode 2smessage 3shint 4uretryAfterMs 5iserverTimeUs",
  GetConversationRequest: "1sconversation",
  GetConversationResponse: "1mconversation:Conversation",
  GetPresenceRequest: "1Susers",
  GetPresenceResponse: "1Mpresences:Presence",
  GoAway: "1sreason 2uretryAfterMs",
  Hello: "1uprotocol 2sapp 3stoken 4sdevice 5eplatform:Platform 6sdeviceName 7msync:SyncRequest 8ssdk",
  HistoryItem: "1mentry:Entry 2Mreactions:ReactionSummary",
  LeaveGroupRequest: "1sconversation 2bclientId",
  LeaveGroupResponse: "1mentry:Entry",
  Limits: "1umaxTextBytes 2umaxBodyBytes 3umaxPacketBytes 4umaxInFlight 5umaxGroupMembers",
  ListDevicesRequest: "",
  ListDevicesResponse: "1Mdevices:Device",
  ListEditsRequest: "1sconversation 2lseq",
  ListEditsResponse: "1Mrevisions:Revision",
  ListMembersRequest: "1sconversation 2ulimit 3spage",
  ListMembersResponse: "1Mmembers:Membership 2snextPage",
  ListMessagesRequest: "1sconversation 2lbeforeSeq 3lafterSeq 4ulimit",
  ListMessagesResponse: "1Mitems:HistoryItem 2lfromSeq 3ltoSeq 4oatStart 5oatEnd 6lasOfSeq 7sincarnation 8lordBefore",
  MembersChange: "1Sadded 2Sremoved 3Sleft 4SroleChanged 5erole:Role 6SattrsChanged 7battrs",
  Membership: "1suser 2erole:Role 3lfromSeq 4ltoSeq 5lreadSeq 6lreadOrd 7battrs",
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
  RemoveMemberRequest: "1sconversation 2suser 3bclientId",
  RemoveMemberResponse: "1mentry:Entry",
  Revision: "1mbody:Body 2itimeUs 3leditSeq",
  SendAck: "1sconversation 2lseq 3lord 4itimeUs 5bclientId",
  SendMessageRequest: "1sconversation 2bclientId 3mbody:Body 4StoDevices 5ohandshake 6skey 7StoUsers 8osilent 9epriority:Priority 10uttlS 11uburnAfterS 12lthreadSeq",
  ServerFrame: "1uref 2mwelcome:Welcome 3mack:SendAck 4merror:Error 5mentry:Entry 6mwithheld:Withheld 7mreadMarker:ReadMarker 8mtyping:Typing 9mpresence:Presence 10msync:SyncResponse 11mpong:Pong 12mgoAway:GoAway 13mdone:Done 14mconversation:Conversation",
  ServerPacket: "1Mframes:ServerFrame 2bcursor",
  SetRoleRequest: "1sconversation 2suser 3erole:Role 4bclientId",
  SetRoleResponse: "1mentry:Entry",
  SignOutDeviceRequest: "1sdevice",
  SignOutDeviceResponse: "",
  SyncRequest: "1bcursor 2uconversations 3uentries 4ofollow",
  SyncResponse: "1Mconversations:ConversationDelta 2bcursor 3omore 7ofollows 4oreset 5sincarnation 6iserverTimeUs",
  Text: "1stext",
  Typing: "1sconversation 2suser 3ostopped",
  UpdateGroupRequest: "1sconversation 2stitle 3bclientId",
  UpdateGroupResponse: "1mentry:Entry",
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
  EntryKind: "UNSPECIFIED MESSAGE EDIT RECALL REACTION MEMBERS CONVERSATION KEYED    CONTACT",
  ErrorCode: "UNSPECIFIED INVALID_ARGUMENT UNAUTHENTICATED TOKEN_EXPIRED NOT_FOUND PERMISSION_DENIED FAILED_PRECONDITION CLIENT_ID_REUSED TOO_LARGE RATE_LIMITED CLOCK_SKEW EXPIRED UNAVAILABLE RESOURCE_EXHAUSTED INTERNAL CURSOR_INVALID UNSUPPORTED DATA_LOSS ALREADY_EXISTS SIGNED_OUT",
  Platform: "UNSPECIFIED WEB ANDROID IOS DESKTOP SERVER",
  Priority: "UNSPECIFIED HIGH LOW",
  Role: "UNSPECIFIED MEMBER ADMIN OWNER",
};

/** A unary call: what it takes and what it answers. */
export interface Methods {
  GetConversation: { input: GetConversationRequest; output: GetConversationResponse };
  CreateGroup: { input: CreateGroupRequest; output: CreateGroupResponse };
  UpdateGroup: { input: UpdateGroupRequest; output: UpdateGroupResponse };
  ListMembers: { input: ListMembersRequest; output: ListMembersResponse };
  AddMembers: { input: AddMembersRequest; output: AddMembersResponse };
  RemoveMember: { input: RemoveMemberRequest; output: RemoveMemberResponse };
  LeaveGroup: { input: LeaveGroupRequest; output: LeaveGroupResponse };
  SetRole: { input: SetRoleRequest; output: SetRoleResponse };
  ListDevices: { input: ListDevicesRequest; output: ListDevicesResponse };
  SignOutDevice: { input: SignOutDeviceRequest; output: SignOutDeviceResponse };
  EditMessage: { input: EditMessageRequest; output: EditMessageResponse };
  RecallMessage: { input: RecallMessageRequest; output: RecallMessageResponse };
  ReactToMessage: { input: ReactToMessageRequest; output: ReactToMessageResponse };
  ListMessages: { input: ListMessagesRequest; output: ListMessagesResponse };
  ListEdits: { input: ListEditsRequest; output: ListEditsResponse };
  GetPresence: { input: GetPresenceRequest; output: GetPresenceResponse };
}

/** Each service with its calls. */
export const serviceMethods: readonly string[] = [
  "ConversationService GetConversation CreateGroup UpdateGroup ListMembers AddMembers RemoveMember LeaveGroup SetRole",
  "DeviceService ListDevices SignOutDevice",
  "MessageService EditMessage RecallMessage ReactToMessage ListMessages ListEdits",
  "PresenceService GetPresence",
];
