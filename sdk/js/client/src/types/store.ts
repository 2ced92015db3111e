import type { SkeinErrorDetails, ErrorCode } from "../error.js";
import type { Body, ReactionSummary } from "../wire/schema.js";
import type { Position } from "./conversation.js";
import type { MessageState } from "./message.js";

/** Whose data: nothing of one partition is ever seen in another. */
export interface PartitionKey {
  readonly endpoint: string;
  readonly appId: string;
  readonly userId: string;
}

/** Positions [from, to] of a conversation, both inclusive. */
export type Range = readonly [from: number, to: number];

/** How a message was sent, beyond its body. */
export interface Delivery {
  /** The root of the thread that it belongs to; 0 = none. */
  readonly threadSeq: number;
  /** Who beside the sender may read it; empty = every member. */
  readonly toUsers: readonly string[];
  /** It disturbs nobody: no sound, no push. */
  readonly silent: boolean;
  /** 0 usual, 1 high, 2 low. */
  readonly priority: number;
  /** When its body goes, microseconds since 1970 UTC; 0 = never. */
  readonly expiresUs: number;
  /** Seconds after the peer has read it that its body goes; 0 = it stays. */
  readonly burnAfterS: number;
  /** It does not count as unread. */
  readonly uncounted: boolean;
  /** Its body is gone because its time was up. */
  readonly expired: boolean;
}

/** How a message is to be sent. */
export interface SendOptions {
  readonly threadSeq?: number | undefined;
  readonly toUsers?: readonly string[] | undefined;
  readonly silent?: boolean | undefined;
  readonly priority?: number | undefined;
  /** Seconds after it was stored that its body goes. */
  readonly ttlS?: number | undefined;
  readonly burnAfterS?: number | undefined;
}

/**
 * A message as it is kept: an entry with what later entries said about it folded in. Records are plain
 * values that survive structured cloning; a store needs to look at `conversation`, `seq` and `id` only.
 */
export interface MessageRecord {
  readonly conversation: string;
  readonly seq: number;
  readonly ord: number;
  /** The sender's UUIDv7 in its 36-character form. */
  readonly id: string;
  /** EntryKind: 1 a message, 5 members, 6 the conversation's attributes. */
  readonly kind: number;
  readonly sender: string;
  /** Microseconds since 1970 UTC, the server's. */
  readonly time: number;
  readonly version: number;
  /** Absent once recalled, expired or erased. */
  readonly body: Body | undefined;
  readonly recalled: boolean;
  /** How many edits and recalls were counted. */
  readonly folded: number;
  /** Edits, recalls and reactions up to this seq are in it. */
  readonly asOf: number;
  readonly reactions: readonly ReactionSummary[];
  /** Absent when it was sent as usual. */
  readonly delivery?: Delivery | undefined;
  /** Fields of its entry that the core does not know, as protobuf bytes. */
  readonly entryRest?: Uint8Array | undefined;
  /** What later entries say about it, for modules: fields of its HistoryItem, kept up to date by their folds. */
  readonly itemRest?: Uint8Array | undefined;
}

/** A value of a conversation under a key: in the self conversation the user's own, in others what modules keep there. */
export interface KeyedRecord {
  readonly key: string;
  readonly seq: number;
  readonly body: Body | undefined;
}

/** A conversation as it is kept. docs/sdk-spec.md §2.1 says what the fields mean. */
export interface ConversationRecord {
  readonly id: string;
  readonly title: string;
  readonly members: number;
  readonly created: number;
  readonly meta: number;
  /** Role: 0 unknown, 1 member, 2 admin, 3 owner. */
  readonly role: number;
  readonly from: number;
  readonly to: number;
  readonly head: Position;
  readonly live: number;
  readonly ranges: readonly Range[];
  readonly read: Position;
  readonly readUnsent: number;
  readonly markers: readonly (readonly [user: string, marker: Position])[];
  readonly activity: number;
  readonly keyed: readonly KeyedRecord[];
  /** The journal's incarnation when the conversation was seen last. */
  readonly incarnation: string;
  /** Fields of the conversation that the core does not know, as protobuf bytes. */
  readonly rest?: Uint8Array | undefined;
  /** The newest message, for a list of conversations. */
  readonly last: MessageRecord | undefined;
}

/** A definitive error of an outbox item. */
export interface FailureRecord extends Omit<SkeinErrorDetails, "cause"> {
  readonly code: ErrorCode;
  readonly message: string;
}

/** One call that the server has not acknowledged. */
export interface OutboxRecord {
  /** The client id that the attempts carry. */
  readonly id: string;
  /** Its place: ascending in the order in which the user acted. */
  readonly order: number;
  readonly conversation: string;
  readonly op: "send" | "edit" | "recall" | "react";
  readonly body: Body | undefined;
  readonly emoji: string;
  readonly remove: boolean;
  readonly key: string;
  readonly toDevices: readonly string[];
  readonly handshake: boolean;
  readonly options?: SendOptions | undefined;
  /** Fields of the request that the core does not know, as protobuf bytes. */
  readonly rest?: Uint8Array | undefined;
  /** The message that an edit, a recall or a reaction is about: its seq, or while it has none its id. */
  readonly targetSeq: number;
  readonly targetId: string;
  /** Microseconds since 1970 UTC, this device's estimate of the server's. */
  readonly time: number;
  readonly state: MessageState;
  readonly error: FailureRecord | undefined;
  /** With state `sent`: acknowledged at this seq, ord and server time (µs); entries before it are still on the way. */
  readonly seq: number;
  readonly ord: number;
  readonly ackTime: number;
  readonly attempts: number;
  /** Server time of the first attempt, milliseconds since 1970 UTC; 0 = never tried. */
  readonly firstAttempt: number;
}

/** What is kept once a partition. */
export interface MetaRecord {
  readonly deviceId: string;
  /** Opaque; only meaningful together with what was stored with it. Empty = never synced. */
  readonly cursor: Uint8Array;
  readonly incarnation: string;
  /** Counts the batches: says whether what another tab tells is older than what was read. */
  readonly revision: number;
}

/** Everything that a client loads when it starts; messages are read by page. */
export interface StoredState {
  readonly meta: MetaRecord | undefined;
  readonly conversations: readonly ConversationRecord[];
  /** Ascending by `order`. */
  readonly outbox: readonly OutboxRecord[];
}

/** Positions of a conversation whose messages go. */
export interface Removal {
  readonly conversation: string;
  readonly from: number;
  readonly to: number;
}

/** Changes that become durable together or not at all. Removals come first. */
export interface StoreBatch {
  readonly meta?: MetaRecord | undefined;
  /** Messages to delete. */
  readonly removed?: readonly Removal[] | undefined;
  /** Conversations to delete, their messages with them. */
  readonly dropped?: readonly string[] | undefined;
  readonly conversations?: readonly ConversationRecord[] | undefined;
  readonly messages?: readonly MessageRecord[] | undefined;
  /** Ids of outbox items to delete. */
  readonly outboxDone?: readonly string[] | undefined;
  readonly outbox?: readonly OutboxRecord[] | undefined;
}

/** Which messages to read: the `limit` nearest to `from`, going to `until`, both inclusive. */
export interface PageQuery {
  readonly conversation: string;
  readonly from: number;
  /** Below `from`: the page goes down. Above: up. */
  readonly until: number;
  readonly limit: number;
}

/** An upload under way, as the module that makes it keeps it; a store looks at `id` alone. */
export interface UploadRecord {
  readonly id: string;
}

/** The bytes of an upload's file, by their number. */
export type UploadBlobs = ReadonlyMap<number, Blob>;

/** Where uploads outlive the page, their bytes included. */
export interface UploadShelf {
  load(): Promise<readonly { readonly record: UploadRecord; readonly blobs: UploadBlobs }[]>;
  /** Keeps an upload, or its new record; bytes that are there and not given stay. */
  put(record: UploadRecord, blobs: UploadBlobs): Promise<void>;
  /** Keeps a new record of an upload that is still kept. */
  update(record: UploadRecord): Promise<void>;
  remove(id: string): Promise<void>;
}

/**
 * One user's data. A read that was begun after a commit was begun sees what it wrote. Any call may reject, with
 * whatever the engine raised: the client goes on in memory and tries the commit again.
 */
export interface Partition {
  load(): Promise<StoredState>;
  /** The outbox alone, ascending by `order`. */
  outbox(): Promise<readonly OutboxRecord[]>;
  commit(batch: StoreBatch): Promise<void>;
  /** A page, ascending by seq whatever its direction. */
  messages(query: PageQuery): Promise<readonly MessageRecord[]>;
  /** Those of the seqs that are held, in any order. */
  messagesAt(conversation: string, seqs: readonly number[]): Promise<readonly MessageRecord[]>;
  /** Absent: uploads that are under way end with the page. */
  readonly uploads?: UploadShelf | undefined;
  /** Deletes everything of this partition and forgets that it was used. */
  erase(): Promise<void>;
  close(): Promise<void>;
}

/** Where a device keeps what it knows. Ships as `./store/indexeddb` and `./store/memory`. */
export interface Store {
  /** Opens a partition and remembers it for `lastUser`. Several tabs may hold the same one. */
  open(key: PartitionKey): Promise<Partition>;
  /** Who used this endpoint and app last on this device; undefined = nobody, or erased since. */
  lastUser(endpoint: string, appId: string): Promise<string | undefined>;
}
