// One event's way through the state: what it touched, and the changes that it made. The functions beside it
// (positions, sync, pages, outbox) are the rules; this is the bookkeeping that they share.
import type { Position } from "../types/conversation.js";
import type { Delivery, MessageRecord, OutboxRecord, SendOptions } from "../types/store.js";
import type { Entry } from "../wire/schema.js";
import { uuidText } from "../ids.js";
import { addRange } from "./spans.js";
import { type Change, type ConversationState, type State, holeOf, kinds, newConversation } from "./state.js";

/** Bounds of what is kept in memory beside messages; beyond them the least useful goes. */
export const limits = { held: 1000, mods: 1000, markers: 200 } as const;

export class Reduction {
  readonly changes: Change[] = [];
  /** A sync page with reset says how things are, not what happened: no `message` for its entries. */
  quiet = false;
  /** What is applied came by sync. */
  missed = false;
  readonly #touched = new Set<ConversationState>();

  constructor(readonly state: State) {}

  find(id: string): ConversationState | undefined {
    return this.state.conversations.get(id);
  }

  /** The conversation, made if it is unknown. */
  get(id: string): ConversationState {
    let c = this.find(id);
    if (!c) {
      c = newConversation(id, this.state.incarnation);
      this.state.conversations.set(id, c);
      this.touch(c);
    }
    return c;
  }

  /** Something that the app sees of the conversation changed. */
  touch(c: ConversationState): void {
    this.#touched.add(c);
    this.save(c);
  }

  /** Something that only the store sees changed. */
  save(c: ConversationState): void {
    this.state.dirty.conversations.add(c.id);
  }

  putMessage(c: ConversationState, record: MessageRecord): void {
    c.messages.set(record.seq, record);
    // What was imported counts for nobody, and is all that there is where nothing counts yet.
    if (!(record.ord && record.delivery?.uncounted) && (!c.last || record.seq >= c.last.seq)) {
      c.last = record;
      c.lastUnknown = false;
    }
    const dirty = this.state.dirty.messages;
    let bySeq = dirty.get(c.id);
    if (!bySeq) dirty.set(c.id, (bySeq = new Map()));
    bySeq.set(record.seq, record);
    if (c.last === record) this.save(c);
  }

  /** Removes the messages of [from, to] but for those that `keep` names, also those that only the store has. */
  removeMessages(c: ConversationState, from: number, to: number, keep?: ReadonlySet<number>): void {
    if (from > to) return;
    const dirty = this.state.dirty.messages.get(c.id);
    this.state.dirty.removed.push({ conversation: c.id, from, to });
    for (const [seq, record] of [...c.messages].sort(([a], [b]) => a - b)) {
      if (seq < from || seq > to) continue;
      if (keep?.has(seq)) {
        this.putMessage(c, record);
        continue;
      }
      c.messages.delete(seq);
      dirty?.delete(seq);
      this.changes.push({ type: "messageRemoved", conversation: c.id, seq, record });
    }
    if (c.last && c.last.seq >= from && c.last.seq <= to && !c.messages.has(c.last.seq)) {
      c.last = c.messages.get(Math.max(...c.messages.keys()));
      c.lastUnknown = true;
      this.touch(c);
    }
  }

  join(c: ConversationState, from: number, to: number): void {
    const ranges = addRange(c.ranges, from, to);
    if (ranges === c.ranges) return;
    c.ranges = ranges;
    this.touch(c);
  }

  /** Positions up to `live` are done with. */
  raiseLive(c: ConversationState, live: number): void {
    if (live <= c.live) return;
    c.live = live;
    this.touch(c);
  }

  raiseHead(c: ConversationState, seq: number, ord: number): void {
    if (seq <= c.head.seq) return;
    c.head = { seq, ord };
    this.touch(c);
  }

  /** Moves a user's read marker, never back. */
  mark(c: ConversationState, user: string, marker: Position): void {
    if (user === this.state.user) {
      if (marker.seq > c.read.seq) {
        c.read = marker;
        this.touch(c);
      }
      if (c.readUnsent > 0 && marker.seq >= c.readUnsent) {
        c.readUnsent = 0;
        this.save(c);
      }
      return;
    }
    if (marker.seq < 1 || marker.seq <= (c.markers.get(user)?.seq ?? 0)) return;
    const markers = new Map(c.markers).set(user, marker);
    if (markers.size > limits.markers) {
      let least = user;
      for (const [other, { seq }] of markers) {
        const lowest = markers.get(least)?.seq ?? 0;
        if (seq < lowest || (seq === lowest && other > least)) least = other;
      }
      markers.delete(least);
    }
    c.markers = markers;
    this.touch(c);
  }

  item(id: string): OutboxRecord | undefined {
    return this.state.outbox.get(id);
  }

  putItem(id: string, item: OutboxRecord | undefined): void {
    const { dirty, outbox } = this.state;
    outbox.put(id, item);
    if (item?.id !== id) {
      dirty.outbox.delete(id);
      dirty.outboxDone.add(id);
    }
    if (item) {
      dirty.outboxDone.delete(item.id);
      dirty.outbox.add(item.id);
    }
  }

  /** Whether any conversation misses something now. */
  hasHole(): boolean {
    for (const c of this.#touched) this.noteHole(c);
    return this.state.holes.size > 0;
  }

  /** Keeps the list of conversations that miss something. */
  noteHole(c: ConversationState): void {
    const hole = holeOf(c);
    if (hole.from <= hole.to && this.state.conversations.get(c.id) === c) this.state.holes.add(c.id);
    else this.state.holes.delete(c.id);
  }

  /** Ends the event: says which conversations changed. */
  finish(): readonly Change[] {
    for (const c of this.#touched) {
      this.noteHole(c);
      if (this.state.conversations.get(c.id) === c) this.changes.push({ type: "conversation", conversation: c.id });
    }
    return this.changes;
  }
}

/** The message that an entry is when it is new. */
export function recordOf(entry: Entry): MessageRecord {
  return {
    conversation: entry.conversation,
    seq: entry.seq,
    ord: entry.ord,
    id: uuidText(entry.clientId),
    kind: entry.kind,
    sender: entry.sender,
    time: entry.timeUs,
    version: entry.version,
    body: entry.recalled ? undefined : entry.body,
    recalled: entry.recalled,
    folded: 0,
    asOf: entry.seq,
    reactions: [],
    // A line that says that a message was pinned has a target too, and is no reply in its thread.
    delivery: deliveryOf(entry.kind > 1 ? { ...entry, targetSeq: 0 } : entry),
    entryRest: entry.rest,
  };
}

type Sent = Pick<Entry, "targetSeq" | "toUsers" | "silent" | "priority" | "expiresUs" | "burnAfterS" | "uncounted" | "expired">;

/** How an entry was sent; undefined = as usual. */
export function deliveryOf({ targetSeq: threadSeq, toUsers, silent, priority, expiresUs, burnAfterS, uncounted, expired }: Sent): Delivery | undefined {
  const usual = !(threadSeq || toUsers.length || silent || priority || expiresUs || burnAfterS || uncounted || expired);
  return usual ? undefined : { threadSeq, toUsers, silent, priority, expiresUs, burnAfterS, uncounted, expired };
}

/** What an entry says of how it was sent; `time` in microseconds is when it was stored. */
export function entryOptions(options: SendOptions = {}, time: number): Sent {
  const { threadSeq = 0, toUsers = [], silent = false, priority = 0, ttlS, burnAfterS = 0 } = options;
  return { targetSeq: threadSeq, toUsers, silent, priority, expiresUs: ttlS ? time + ttlS * 1e6 : 0, burnAfterS, uncounted: false, expired: false };
}

/** Whether entries of this kind are lines of the conversation. */
export function isMessage(kind: number): boolean {
  return kind === kinds.message || kind === kinds.members || kind === kinds.conversation;
}

/** Whether entries of this kind say something about another one. */
export function isModification({ folds }: State, kind: number): boolean {
  return kind > kinds.message && (kind <= kinds.reaction || kind === kinds.expire || folds.has(kind));
}
