// The reducer: docs/sdk-spec.md §2. A pure function of state and event; the state is changed in place, what
// has to be stored is noted in `state.dirty`, what happened is returned.
import type { FailureRecord, OutboxRecord } from "../types/store.js";
import type { Conversation, Entry, ServerPacket } from "../wire/schema.js";
import { current } from "./incarnation.js";
import { attempted, discard, done, enqueue, fail, renew, retry, sweep, takeAck, takeAnswer } from "./outbox.js";
import { type PageEvent, coverage, takePage } from "./page.js";
import { takeEntry, takeWithheld } from "./positions.js";
import { Reduction, isModification } from "./reduction.js";
import { rangeAt } from "./spans.js";
import type { Change, State } from "./state.js";
import { giveUp, sameBytes, takeConversation, takeSync } from "./sync.js";

/** Something that happened to the state. */
export type Event =
  | { readonly type: "packet"; readonly packet: ServerPacket }
  | ({ readonly type: "page" } & PageEvent)
  | { readonly type: "answer"; readonly entry: Entry }
  | { readonly type: "conversation"; readonly conversation: Conversation }
  | { readonly type: "enqueue"; readonly item: OutboxRecord }
  | { readonly type: "failed"; readonly id: string; readonly error: FailureRecord }
  | { readonly type: "renewed"; readonly id: string; readonly newId: string }
  | { readonly type: "retry"; readonly id: string; readonly newId?: string | undefined }
  | { readonly type: "discard" | "done"; readonly id: string }
  | { readonly type: "attempted"; readonly id: string; readonly attempts: number; readonly firstAttempt: number }
  | { readonly type: "read"; readonly conversation: string; readonly seq: number }
  /** The server may tell something else of what lies before a position. */
  | { readonly type: "forget"; readonly conversation: string; readonly before: number }
  | { readonly type: "dropCursor" }
  | { readonly type: "restart" };

export function reduce(state: State, event: Event): readonly Change[] {
  const r = new Reduction(state);
  switch (event.type) {
    case "packet":
      takePacket(r, event.packet);
      break;
    case "page":
      takePage(r, event);
      break;
    case "answer":
      takeAnswer(r, event.entry);
      break;
    case "conversation":
      takeConversation(r, event.conversation, false);
      break;
    case "enqueue":
      enqueue(r, event.item);
      break;
    case "failed":
      fail(r, event.id, event.error);
      break;
    case "renewed":
      renew(r, event.id, event.newId);
      break;
    case "retry":
      retry(r, event.id, event.newId);
      break;
    case "discard":
      discard(r, event.id);
      break;
    case "done":
      done(r, event.id);
      break;
    case "attempted":
      attempted(r, event.id, event.attempts, event.firstAttempt);
      break;
    case "read":
      readUpTo(r, event.conversation, event.seq);
      break;
    case "forget": {
      const c = r.find(event.conversation);
      if (c) giveUp(r, c, event.before);
      break;
    }
    case "dropCursor":
      state.cursor = new Uint8Array(0);
      state.dirty.meta = true;
      break;
    case "restart":
      for (const c of state.conversations.values()) {
        c.held.clear();
        c.mods = [];
        c.floor = c.live;
        r.noteHole(c);
      }
  }
  sweep(r);
  return r.finish();
}

function takePacket(r: Reduction, packet: ServerPacket): void {
  let cursor = packet.cursor;
  let synced = false;
  for (const frame of packet.frames) {
    const sync = frame.welcome?.sync ?? frame.sync;
    if (sync) {
      takeSync(r, sync);
      synced = true;
      if (!packet.cursor.length) cursor = sync.cursor;
    } else if (frame.ack) takeAck(r, frame.ack);
    else if (frame.entry) takeEntry(r, current(r, frame.entry.conversation), frame.entry);
    else if (frame.withheld) takeWithheld(r, current(r, frame.withheld.conversation), frame.withheld);
    else if (frame.conversation) takeConversation(r, frame.conversation, false);
    else if (frame.readMarker) {
      const { conversation, user, readSeq, readOrd } = frame.readMarker;
      const c = r.find(conversation);
      if (c) r.mark(c, user, { seq: readSeq, ord: readOrd });
    }
  }
  // While something is missing the cursor stands still, so that a restart in between repairs as well.
  if (!cursor.length || (!synced && r.hasHole()) || sameBytes(cursor, r.state.cursor)) return;
  r.state.cursor = cursor;
  r.state.dirty.meta = true;
}

function readUpTo(r: Reduction, id: string, upTo: number): void {
  const c = r.find(id);
  if (!c) return;
  const seq = Math.min(upTo, c.head.seq);
  if (seq <= c.read.seq) return;
  let { ord } = c.head;
  if (seq < c.head.seq) {
    let nearest = 0;
    for (const there of c.messages.keys()) if (there <= seq) nearest = Math.max(nearest, there);
    ord = Math.max(c.messages.get(nearest)?.ord ?? 0, c.read.ord);
  }
  c.read = { seq, ord };
  c.readUnsent = seq;
  r.touch(c);
}

/** Messages that have to be in memory before an event is reduced: positions, and ranges of them. */
export interface Need {
  readonly conversation: string;
  readonly seqs: readonly number[];
  readonly range?: readonly [from: number, to: number];
  /** Only the nearest message of the range, from its end down. */
  readonly nearest?: boolean;
}

/** What `reduce` will look at of the messages that lie in the store. */
export function needsOf(state: State, event: Event): readonly Need[] {
  const seqs = new Map<string, Set<number>>();
  const needs: Need[] = [];
  const want = (conversation: string, seq: number): void => {
    const c = state.conversations.get(conversation);
    if (!c || c.messages.has(seq) || seq < 1) return;
    const set = seqs.get(conversation) ?? new Set();
    seqs.set(conversation, set.add(seq));
  };
  const wantEntry = (entry: Entry | undefined): void => {
    const c = entry && state.conversations.get(entry.conversation);
    if (!c) return;
    want(c.id, entry.targetSeq);
    if (entry.seq <= c.live || rangeAt(c.ranges, entry.seq)) want(c.id, entry.seq);
    wantHeld(c.id);
  };
  // Whatever closes a hole applies what was held back behind it.
  const wantHeld = (conversation: string): void => {
    for (const { entry } of state.conversations.get(conversation)?.held.values() ?? []) {
      if (entry) want(conversation, entry.targetSeq);
    }
  };
  const wantRange = (conversation: string, from: number, to: number): void => {
    if (from <= to && state.conversations.has(conversation)) needs.push({ conversation, seqs: [], range: [from, to] });
  };
  const wantWithheld = (conversation: string, from: number, to: number): void => {
    const c = state.conversations.get(conversation);
    wantHeld(conversation);
    if (c && from <= c.head.seq) wantRange(conversation, from, Math.min(to, c.head.seq));
  };
  if (event.type === "packet") {
    for (const frame of event.packet.frames) {
      wantEntry(frame.entry);
      if (frame.conversation) wantHeld(frame.conversation.id);
      if (frame.ack) {
        const { conversation, seq } = frame.ack;
        if (seq <= (state.conversations.get(conversation)?.live ?? 0)) want(conversation, seq);
        wantHeld(conversation);
      }
      if (frame.withheld) wantWithheld(frame.withheld.conversation, frame.withheld.fromSeq, frame.withheld.toSeq);
      const sync = frame.welcome?.sync ?? frame.sync;
      for (const delta of sync?.conversations ?? []) {
        const c = state.conversations.get(delta.conversation?.id ?? "");
        if (c) wantHeld(c.id);
        if (c && (sync?.reset || c.incarnation !== sync?.incarnation)) {
          wantRange(c.id, (delta.conversation?.headSeq ?? 0) + 1, c.head.seq);
          for (const entry of delta.entries) if (entry.seq <= c.head.seq) want(c.id, entry.seq); // what it takes the place of
        }
        delta.entries.forEach(wantEntry);
        for (const withheld of delta.withheld) wantWithheld(withheld.conversation, withheld.fromSeq, withheld.toSeq);
      }
    }
  } else if (event.type === "answer") {
    wantEntry(event.entry);
  } else if (event.type === "conversation") {
    wantHeld(event.conversation.id);
  } else if (event.type === "page") {
    const c = state.conversations.get(event.conversation);
    const covered = c && coverage(event);
    if (covered) wantRange(event.conversation, covered[0], covered[1]);
    for (const { entry } of event.page.items) wantEntry(entry);
    wantHeld(event.conversation);
  } else if (event.type === "read") {
    const c = state.conversations.get(event.conversation);
    const there = !c || event.seq >= c.head.seq || event.seq <= c.read.seq || c.messages.has(event.seq);
    if (!there) needs.push({ conversation: event.conversation, seqs: [], range: [1, event.seq], nearest: true });
  }
  for (const [conversation, set] of seqs) needs.push({ conversation, seqs: [...set] });
  return needs;
}
