// Written by scripts/gen-wire.mjs from src/gen and wire.json; `npm run gen -w @skein/client` writes it again.
// What the fields mean stands in proto/skein/v1.
import { type Rest, core, schemaOf } from "../../wire/codec.js";
import { type Piece, callOf, piece } from "../../wire/piece.js";
import type { Entry, HistoryItem, ReactionSummary } from "../../wire/schema.js";

export interface ClosePollRequest extends Rest {
  conversation: string;
  seq: number;
  clientId: Uint8Array;
}

export interface ClosePollResponse extends Rest {
  entry?: Entry | undefined;
}

export interface CloseTopicRequest extends Rest {
  conversation: string;
  rootSeq: number;
  reopen: boolean;
  clientId: Uint8Array;
}

export interface CloseTopicResponse extends Rest {
  entry?: Entry | undefined;
}

export interface CreateTopicRequest extends Rest {
  conversation: string;
  name: string;
  icon: string;
  clientId: Uint8Array;
}

export interface CreateTopicResponse extends Rest {
  entry?: Entry | undefined;
}

export interface Extension extends Rest {
  key: string;
  value: Uint8Array;
  removed: boolean;
}

export interface ListExtensionsRequest extends Rest {
  conversation: string;
  seq: number;
}

export interface ListExtensionsResponse extends Rest {
  extensions: readonly Extension[];
}

export interface ListPinsRequest extends Rest {
  conversation: string;
}

export interface ListPinsResponse extends Rest {
  pins: readonly PinnedMessage[];
  asOfSeq: number;
  incarnation: string;
}

export interface ListThreadRequest extends Rest {
  conversation: string;
  rootSeq: number;
  beforeSeq: number;
  afterSeq: number;
  limit: number;
}

export interface ListThreadResponse extends Rest {
  root?: HistoryItem | undefined;
  items: readonly HistoryItem[];
  atStart: boolean;
  atEnd: boolean;
  asOfSeq: number;
  incarnation: string;
}

export interface ListThreadsRequest extends Rest {
  conversation: string;
  limit: number;
  beforeSeq: number;
}

export interface ListThreadsResponse extends Rest {
  roots: readonly HistoryItem[];
  nextBeforeSeq: number;
  asOfSeq: number;
  incarnation: string;
}

export interface ListTopicsRequest extends Rest {
  conversation: string;
  limit: number;
  afterSeq: number;
}

export interface ListTopicsResponse extends Rest {
  topics: readonly HistoryItem[];
  nextAfterSeq: number;
  asOfSeq: number;
  incarnation: string;
}

export interface Pin extends Rest {
  seq: number;
  removed: boolean;
}

export interface PinMessageRequest extends Rest {
  conversation: string;
  seq: number;
  clientId: Uint8Array;
}

export interface PinMessageResponse extends Rest {
  entry?: Entry | undefined;
}

export interface PinnedMessage extends Rest {
  item?: HistoryItem | undefined;
  user: string;
  timeUs: number;
}

export interface Poll extends Rest {
  question: string;
  options: readonly PollOption[];
  maxChoices: number;
  closesUs: number;
  closed: boolean;
}

export interface PollOption extends Rest {
  id: string;
  text: string;
}

export interface Private extends Rest {
  pin?: PrivatePin | undefined;
  mute?: PrivateMute | undefined;
  draft?: PrivateDraft | undefined;
  unread?: PrivateUnread | undefined;
  hide?: PrivateHide | undefined;
  archive?: PrivateArchive | undefined;
  folder?: PrivateFolder | undefined;
  folders?: PrivateFolders | undefined;
  hidden?: PrivateHidden | undefined;
  thread?: PrivateThread | undefined;
}

export interface PrivateArchive extends Rest {
  timeUs: number;
}

export interface PrivateDraft extends Rest {
  timeUs: number;
  text: string;
  replyToSeq: number;
  mentions: readonly string[];
}

export interface PrivateFolder extends Rest {
  name: string;
  emoji: string;
  order: number;
}

export interface PrivateFolders extends Rest {
  ids: readonly string[];
}

export interface PrivateHidden extends Rest {
  baseSeq: number;
  upToSeq: number;
  ranges: readonly SeqRange[];
}

export interface PrivateHide extends Rest {
  ord: number;
}

export interface PrivateMute extends Rest {
  untilUs: number;
}

export interface PrivatePin extends Rest {
  order: number;
}

export interface PrivateThread extends Rest {
  readSeq: number;
  readCount: number;
  follow: number;
}

export interface PrivateUnread extends Rest {
  readSeq: number;
}

export interface SeqRange extends Rest {
  fromSeq: number;
  toSeq: number;
}

export interface SetExtensionRequest extends Rest {
  conversation: string;
  seq: number;
  extension?: Extension | undefined;
  clientId: Uint8Array;
}

export interface SetExtensionResponse extends Rest {
  entry?: Entry | undefined;
}

export interface ThreadSummary extends Rest {
  replyCount: number;
  lastSeq: number;
  lastTimeUs: number;
  participants: readonly string[];
}

export interface Topic extends Rest {
  name: string;
  icon: string;
  closed: boolean;
}

export interface UnpinMessageRequest extends Rest {
  conversation: string;
  seq: number;
  clientId: Uint8Array;
}

export interface UnpinMessageResponse extends Rest {
  entry?: Entry | undefined;
}

export interface UpdateTopicRequest extends Rest {
  conversation: string;
  rootSeq: number;
  name: string;
  icon: string;
  clientId: Uint8Array;
}

export interface UpdateTopicResponse extends Rest {
  entry?: Entry | undefined;
}

export interface Vote extends Rest {
  choices: readonly string[];
}

export interface VotePollRequest extends Rest {
  conversation: string;
  seq: number;
  choices: readonly string[];
  clientId: Uint8Array;
}

export interface VotePollResponse extends Rest {
  entry?: Entry | undefined;
}

/** Fields of Content that the core leaves to modules. */
export interface ContentFields extends Rest {
  poll?: Poll | undefined;
  vote?: Vote | undefined;
  extension?: Extension | undefined;
  topic?: Topic | undefined;
  pin?: Pin | undefined;
  private?: Private | undefined;
}

/** Fields of HistoryItem that the core leaves to modules. */
export interface HistoryItemFields extends Rest {
  votes: readonly ReactionSummary[];
  extensions: readonly Extension[];
  thread?: ThreadSummary | undefined;
}

const schema = /* @__PURE__ */ schemaOf(
  {
    ClosePollRequest: "1sconversation 2lseq 3bclientId",
    ClosePollResponse: "1mentry:Entry",
    CloseTopicRequest: "1sconversation 2lrootSeq 3oreopen 4bclientId",
    CloseTopicResponse: "1mentry:Entry",
    CreateTopicRequest: "1sconversation 2sname 3sicon 4bclientId",
    CreateTopicResponse: "1mentry:Entry",
    Extension: "1skey 2bvalue 3oremoved",
    ListExtensionsRequest: "1sconversation 2lseq",
    ListExtensionsResponse: "1Mextensions:Extension",
    ListPinsRequest: "1sconversation",
    ListPinsResponse: "1Mpins:PinnedMessage 2lasOfSeq 3sincarnation",
    ListThreadRequest: "1sconversation 2lrootSeq 3lbeforeSeq 4lafterSeq 5ulimit",
    ListThreadResponse: "1mroot:HistoryItem 2Mitems:HistoryItem 3oatStart 4oatEnd 5lasOfSeq 6sincarnation",
    ListThreadsRequest: "1sconversation 2ulimit 3lbeforeSeq",
    ListThreadsResponse: "1Mroots:HistoryItem 2lnextBeforeSeq 3lasOfSeq 4sincarnation",
    ListTopicsRequest: "1sconversation 2ulimit 3lafterSeq",
    ListTopicsResponse: "1Mtopics:HistoryItem 2lnextAfterSeq 3lasOfSeq 4sincarnation",
    Pin: "1lseq 2oremoved",
    PinMessageRequest: "1sconversation 2lseq 3bclientId",
    PinMessageResponse: "1mentry:Entry",
    PinnedMessage: "1mitem:HistoryItem 2suser 3itimeUs",
    Poll: "1squestion 2Moptions:PollOption 3umaxChoices 4iclosesUs 5oclosed",
    PollOption: "1sid 2stext",
    Private: "1mpin:PrivatePin 2mmute:PrivateMute 3mdraft:PrivateDraft 4munread:PrivateUnread 5mhide:PrivateHide 6marchive:PrivateArchive 7mfolder:PrivateFolder 8mfolders:PrivateFolders 9mhidden:PrivateHidden 10mthread:PrivateThread",
    PrivateArchive: "1itimeUs",
    PrivateDraft: "1itimeUs 2stext 3lreplyToSeq 4Smentions",
    PrivateFolder: "1sname 2semoji 3iorder",
    PrivateFolders: "1Sids",
    PrivateHidden: "1lbaseSeq 2lupToSeq 3Mranges:SeqRange",
    PrivateHide: "1lord",
    PrivateMute: "1iuntilUs",
    PrivatePin: "1iorder",
    PrivateThread: "1lreadSeq 2ureadCount 3ufollow",
    PrivateUnread: "1lreadSeq",
    SeqRange: "1lfromSeq 2ltoSeq",
    SetExtensionRequest: "1sconversation 2lseq 3mextension:Extension 4bclientId",
    SetExtensionResponse: "1mentry:Entry",
    ThreadSummary: "1ureplyCount 2llastSeq 3ilastTimeUs 4Sparticipants",
    Topic: "1sname 2sicon 3oclosed",
    UnpinMessageRequest: "1sconversation 2lseq 3bclientId",
    UnpinMessageResponse: "1mentry:Entry",
    UpdateTopicRequest: "1sconversation 2lrootSeq 3sname 4sicon 5bclientId",
    UpdateTopicResponse: "1mentry:Entry",
    Vote: "1Schoices",
    VotePollRequest: "1sconversation 2lseq 3Schoices 4bclientId",
    VotePollResponse: "1mentry:Entry",
    ContentFields: "26mpoll:Poll 27mvote:Vote 28mextension:Extension 29mtopic:Topic 30mpin:Pin 35mprivate:Private",
    HistoryItemFields: "3Mvotes:ReactionSummary 4Mextensions:Extension 5mthread:ThreadSummary",
  },
  core,
);

export const contentFields: Piece<ContentFields> = /* @__PURE__ */ piece(schema, "ContentFields");
export const historyItemFields: Piece<HistoryItemFields> = /* @__PURE__ */ piece(schema, "HistoryItemFields");

/** The module's unary calls. */
export const calls = {
  ListThread: /* @__PURE__ */ callOf<ListThreadRequest, ListThreadResponse>(schema, "ThreadService/ListThread"),
  ListThreads: /* @__PURE__ */ callOf<ListThreadsRequest, ListThreadsResponse>(schema, "ThreadService/ListThreads"),
  CreateTopic: /* @__PURE__ */ callOf<CreateTopicRequest, CreateTopicResponse>(schema, "ThreadService/CreateTopic"),
  UpdateTopic: /* @__PURE__ */ callOf<UpdateTopicRequest, UpdateTopicResponse>(schema, "ThreadService/UpdateTopic"),
  CloseTopic: /* @__PURE__ */ callOf<CloseTopicRequest, CloseTopicResponse>(schema, "ThreadService/CloseTopic"),
  ListTopics: /* @__PURE__ */ callOf<ListTopicsRequest, ListTopicsResponse>(schema, "ThreadService/ListTopics"),
  VotePoll: /* @__PURE__ */ callOf<VotePollRequest, VotePollResponse>(schema, "PollService/VotePoll"),
  ClosePoll: /* @__PURE__ */ callOf<ClosePollRequest, ClosePollResponse>(schema, "PollService/ClosePoll"),
  PinMessage: /* @__PURE__ */ callOf<PinMessageRequest, PinMessageResponse>(schema, "PinService/PinMessage"),
  UnpinMessage: /* @__PURE__ */ callOf<UnpinMessageRequest, UnpinMessageResponse>(schema, "PinService/UnpinMessage"),
  ListPins: /* @__PURE__ */ callOf<ListPinsRequest, ListPinsResponse>(schema, "PinService/ListPins"),
  SetExtension: /* @__PURE__ */ callOf<SetExtensionRequest, SetExtensionResponse>(schema, "ExtensionService/SetExtension"),
  ListExtensions: /* @__PURE__ */ callOf<ListExtensionsRequest, ListExtensionsResponse>(schema, "ExtensionService/ListExtensions"),
} as const;
