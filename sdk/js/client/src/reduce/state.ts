// All that a client knows (docs/sdk-spec.md §2.1). `reduce` alone changes it. Of a conversation's messages
// only those are here that an event touches or a window shows; the rest lies in the store, and `dirty` says
// what has to go there. Records and lists inside are replaced, never changed, so that they can be shown,
// stored and sent to other tabs as they are.
import type { Position } from "../types/conversation.js";
import type {
  ConversationRecord,
  FailureRecord,
  KeyedRecord,
  MessageRecord,
  OutboxRecord,
  Removal,
  StoreBatch,
} from "../types/store.js";
import type { Entry, Withheld } from "../wire/schema.js";
import { Items } from "./items.js";
import type { Ranges } from "./spans.js";

/** EntryKind of the wire. */
export const kinds = { message: 1, edit: 2, recall: 3, reaction: 4, members: 5, conversation: 6, keyed: 7, expire: 10 } as const;

/** A position that came before its predecessors: an entry, or the withheld range that begins there. */
export interface Early {
  readonly entry?: Entry;
  readonly withheld?: Withheld;
}

export interface ConversationState {
  readonly id: string;
  title: string;
  members: number;
  created: number;
  meta: number;
  /** Newest change of the attributes that was applied; not persisted. */
  changed: number;
  role: number;
  from: number;
  to: number;
  head: Position;
  live: number;
  floor: number;
  ranges: Ranges;
  read: Position;
  readUnsent: number;
  markers: ReadonlyMap<string, Position>;
  activity: number;
  keyed: ReadonlyMap<string, KeyedRecord>;
  rest: Uint8Array | undefined;
  incarnation: string;
  last: MessageRecord | undefined;
  /** `last` was removed and its predecessor is not in memory. */
  lastUnknown: boolean;
  readonly messages: Map<number, MessageRecord>;
  readonly held: Map<number, Early>;
  mods: readonly Entry[];
}

export interface State {
  readonly user: string;
  incarnation: string;
  cursor: Uint8Array;
  readonly conversations: Map<string, ConversationState>;
  outbox: Items;
  /** Conversations that miss something. */
  readonly holes: Set<string>;
  /** By EntryKind. */
  readonly folds: Map<number, Fold>;
  /** A sync that began with reset has more pages to come. */
  resetting: boolean;
  dirty: Dirty;
}

/**
 * Folds an entry of a module's kind into what is kept of the message that it is about: fields of its HistoryItem, as the
 * server writes them. Pure, since an entry may be folded again when the store did not take it.
 */
export type Fold = (item: Uint8Array | undefined, entry: Entry, me: string) => Uint8Array | undefined;

/** What differs from the store. */
export interface Dirty {
  meta: boolean;
  readonly conversations: Set<string>;
  readonly dropped: Set<string>;
  readonly messages: Map<string, Map<number, MessageRecord>>;
  removed: Removal[];
  readonly outbox: Set<string>;
  readonly outboxDone: Set<string>;
}

/** What happened, in order; docs/sdk-spec.md §2.2 says when each comes. */
export type Change =
  | { readonly type: "message"; readonly conversation: string; readonly seq: number; readonly missed?: boolean }
  | { readonly type: "messageUpdated"; readonly conversation: string; readonly seq?: number; readonly id?: string }
  | { readonly type: "messageRemoved"; readonly conversation: string; readonly seq?: number; readonly id?: string; readonly record?: MessageRecord; readonly item?: OutboxRecord }
  | { readonly type: "sent"; readonly conversation: string; readonly id: string; readonly seq: number }
  | { readonly type: "replaced"; readonly conversation: string; readonly id: string; readonly to: string }
  | { readonly type: "failed"; readonly conversation: string; readonly id: string; readonly error: FailureRecord }
  | { readonly type: "conversation"; readonly conversation: string }
  /** A value came, or began or ceased to wait in the outbox; without a key it may be any. */
  | { readonly type: "keyed"; readonly conversation: string; readonly key?: string }
  /** An entry of a kind that the core does not know. */
  | { readonly type: "entry"; readonly conversation: string; readonly entry: Entry; readonly missed: boolean }
  | { readonly type: "conversationRemoved"; readonly conversation: string }
  | { readonly type: "gap"; readonly conversation: string }
  | { readonly type: "resync" };

const noBytes = /* @__PURE__ */ new Uint8Array(0);

export function newDirty(): Dirty {
  return {
    meta: false,
    conversations: new Set(),
    dropped: new Set(),
    messages: new Map(),
    removed: [],
    outbox: new Set(),
    outboxDone: new Set(),
  };
}

export function newState(user: string): State {
  return { user, incarnation: "", cursor: noBytes, conversations: new Map(), outbox: new Items(), holes: new Set(), folds: new Map(), resetting: false, dirty: newDirty() };
}

export function newConversation(id: string, incarnation: string): ConversationState {
  return {
    id,
    title: "",
    members: 0,
    created: 0,
    meta: 0,
    changed: 0,
    role: 0,
    from: 1,
    to: 0,
    head: { seq: 0, ord: 0 },
    live: 0,
    floor: 0,
    ranges: [],
    read: { seq: 0, ord: 0 },
    readUnsent: 0,
    markers: new Map(),
    activity: 0,
    keyed: new Map(),
    rest: undefined,
    incarnation,
    last: undefined,
    lastUnknown: false,
    messages: new Map(),
    held: new Map(),
    mods: [],
  };
}

export function unreadOf(c: ConversationState): number {
  return Math.max(0, c.head.ord - c.read.ord);
}

/** The positions that are missing between what was applied and what is known to exist; from > to = none. */
export function holeOf(c: ConversationState): { from: number; to: number } {
  return { from: c.live + 1, to: c.held.size > 0 ? Math.min(...c.held.keys()) - 1 : c.head.seq };
}

/** The conversation as the store keeps it. */
export function toRecord(c: ConversationState): ConversationRecord {
  return {
    id: c.id,
    title: c.title,
    members: c.members,
    created: c.created,
    meta: c.meta,
    role: c.role,
    from: c.from,
    to: c.to,
    head: c.head,
    live: c.live,
    ranges: c.ranges,
    read: c.read,
    readUnsent: c.readUnsent,
    markers: [...c.markers],
    activity: c.activity,
    keyed: [...c.keyed.values()],
    rest: c.rest,
    incarnation: c.incarnation,
    last: c.last,
  };
}

/** Takes over what the store, or the tab that leads, says of a conversation. Messages in memory stay. */
export function putRecord(state: State, record: ConversationRecord): ConversationState {
  let c = state.conversations.get(record.id);
  if (!c) {
    c = newConversation(record.id, record.incarnation);
    state.conversations.set(record.id, c);
  }
  Object.assign(c, record, {
    markers: new Map(record.markers),
    keyed: new Map(record.keyed.map((value) => [value.key, value])),
  });
  return c;
}

/** Empties `dirty` into a batch for the store; undefined when there is nothing to write. */
export function takeBatch(state: State, deviceId: string): StoreBatch | undefined {
  const dirty = state.dirty;
  const messages = [...dirty.messages.values()].flatMap((byseq) => [...byseq.values()]);
  const outbox = [...dirty.outbox].flatMap((id) => state.outbox.get(id) ?? []);
  const conversations: ConversationRecord[] = [];
  for (const id of dirty.conversations) {
    const c = state.conversations.get(id);
    if (c) conversations.push(toRecord(c));
  }
  const batch: StoreBatch = {
    meta: dirty.meta ? { deviceId, cursor: state.cursor, incarnation: state.incarnation, revision: 0 } : undefined,
    removed: dirty.removed,
    dropped: [...dirty.dropped],
    conversations,
    messages,
    outboxDone: [...dirty.outboxDone],
    outbox,
  };
  state.dirty = newDirty();
  const empty = !batch.meta && !dirty.removed.length && !dirty.dropped.size && !conversations.length && !messages.length;
  return empty && !outbox.length && !dirty.outboxDone.size ? undefined : batch;
}
