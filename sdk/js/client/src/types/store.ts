import type { ErrorCode } from "../error.js";
import type { ConversationKind, Position } from "./conversation.js";
import type { CustomContent, MembersChange, Outgoing, Reaction, Role } from "./message.js";

/** Whose data: nothing of one partition is ever seen in another. */
export interface PartitionKey {
  readonly endpoint: string;
  readonly appId: string;
  readonly userId: string;
}

/** Positions [from, to] of a conversation, both inclusive, that this device holds. */
export type Range = readonly [from: number, to: number];

/** A body as it is kept. At most one of the fields is set; none = the scheme is not readable here. */
export interface BodyRecord {
  readonly text?: string | undefined;
  readonly custom?: CustomContent | undefined;
  readonly members?: MembersChange | undefined;
  readonly title?: string | undefined;
  readonly replyTo?: number | undefined;
  readonly mentions?: readonly string[] | undefined;
}

/** A message as it is kept: the entry with what later entries said about it folded in. */
export interface MessageRecord {
  readonly conversation: string;
  readonly seq: number;
  readonly ord: number;
  readonly kind: "message" | "members" | "conversation" | "keyed";
  readonly sender: string;
  /** Microseconds since 1970 UTC, the server's. */
  readonly timeUs: number;
  /** UUID in its 36-character form. */
  readonly clientId: string;
  /** The row's version: a lower one never replaces a higher one. */
  readonly version: number;
  /** Absent once recalled, expired or erased. */
  readonly body: BodyRecord | undefined;
  /** The newest EDIT applied; 0 = none. */
  readonly editedSeq: number;
  readonly recalled: boolean;
  readonly reactions: readonly Reaction[];
  /** Edits, recalls and reactions up to this seq are contained. */
  readonly asOf: number;
  /** The key of a keyed entry, else empty. */
  readonly entryKey: string;
}

/** A conversation as it is kept. */
export interface ConversationRecord {
  readonly id: string;
  readonly kind: ConversationKind;
  readonly title: string;
  readonly head: Position;
  readonly aclVersion: number;
  readonly memberCount: number;
  readonly role: Role | undefined;
  readonly fromSeq: number;
  /** 0 = still a member. */
  readonly toSeq: number;
  readonly read: Position;
  /** The read marker that the server has not acknowledged yet; 0 = none. */
  readonly pendingRead: number;
  readonly readMarkers: Readonly<Record<string, Position>>;
  readonly createdUs: number;
  /** Ascending, neither touching nor overlapping. */
  readonly ranges: readonly Range[];
  /** The newest message to show in a list. */
  readonly last: MessageRecord | undefined;
}

/** What waits in the outbox. */
export type OutboxAction =
  | { readonly type: "send"; readonly message: Outgoing }
  | { readonly type: "edit"; readonly target: OutboxTarget; readonly message: Outgoing }
  | { readonly type: "recall"; readonly target: OutboxTarget }
  | { readonly type: "react"; readonly target: OutboxTarget; readonly emoji: string; readonly remove: boolean };

/** The message that an edit, a recall or a reaction is about: by seq, or while it has none by its client id. */
export interface OutboxTarget {
  readonly seq: number;
  readonly clientId: string;
}

/** One unacknowledged call, in the order of `order`. */
export interface OutboxItem {
  readonly clientId: string;
  readonly conversation: string;
  /** Ascending in the order in which the user acted. */
  readonly order: number;
  readonly action: OutboxAction;
  /** Server time of its making, microseconds since 1970 UTC. */
  readonly createdUs: number;
  /** Server time of the first attempt; 0 = never tried. Past 29 days the fate of it can not be known. */
  readonly firstAttemptUs: number;
  /** A definitive error; the item waits for the user to retry or to discard it. */
  readonly failure: { readonly code: ErrorCode; readonly message: string; readonly hint: string } | undefined;
}

/** What is kept once a partition. */
export interface MetaRecord {
  readonly deviceId: string;
  /** Opaque; only meaningful together with what was stored with it. Empty = never synced. */
  readonly cursor: Uint8Array;
  readonly incarnation: string;
}

/** Everything that a client loads when it starts; messages are read by window. */
export interface StoredState {
  readonly meta: MetaRecord | undefined;
  readonly conversations: readonly ConversationRecord[];
  /** Ascending by `order`. */
  readonly outbox: readonly OutboxItem[];
}

/** Changes that become durable together or not at all. */
export interface StoreBatch {
  readonly meta?: MetaRecord | undefined;
  readonly conversations: readonly ConversationRecord[];
  readonly messages: readonly MessageRecord[];
  readonly outbox: readonly OutboxItem[];
  /** Client ids of outbox items that are done. */
  readonly outboxDone: readonly string[];
  /** Conversations whose messages are dropped before anything else of the batch is written. */
  readonly dropMessages: readonly string[];
}

/** Which messages to read: the `limit` nearest to the bound, ascending. */
export interface PageQuery {
  readonly conversation: string;
  /** Highest seq, inclusive, going down; or lowest seq, inclusive, going up. */
  readonly from: number;
  readonly direction: "down" | "up";
  /** The far bound, inclusive. */
  readonly until: number;
  readonly limit: number;
}

/** One user's data. Calls are answered in the order in which they were made: a read sees every earlier commit. */
export interface Partition {
  load(): Promise<StoredState>;
  commit(batch: StoreBatch): Promise<void>;
  messages(query: PageQuery): Promise<readonly MessageRecord[]>;
  /** Those of the seqs that are held, in any order. */
  messagesAt(conversation: string, seqs: readonly number[]): Promise<readonly MessageRecord[]>;
  /** Deletes everything of this partition. */
  erase(): Promise<void>;
  close(): Promise<void>;
}

/** Where a device keeps what it knows. Ships as `./store/indexeddb` and `./store/memory`. */
export interface Store {
  /** Several tabs may hold the same partition open; only the leader commits messages and the cursor. */
  open(key: PartitionKey): Promise<Partition>;
  /** Who used this endpoint and app last on this device, undefined = nobody, or erased since. */
  lastUser(endpoint: string, appId: string): Promise<string | undefined>;
}
