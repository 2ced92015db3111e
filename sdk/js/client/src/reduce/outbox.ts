// What the user did and the server has not confirmed: docs/sdk-spec.md §2.5.
import { uuidText } from "../ids.js";
import type { FailureRecord, OutboxRecord } from "../types/store.js";
import type { Entry, SendAck } from "../wire/schema.js";
import { current } from "./incarnation.js";
import { takeEntry } from "./positions.js";
import { type Reduction, entryOptions } from "./reduction.js";
import { type ConversationState, kinds } from "./state.js";

/** Items of the outbox, all conversations together; `send` is refused beyond. */
export const maxOutbox = 10_000;

/** Takes something the user did into the outbox: the local echo. */
export function enqueue(r: Reduction, item: OutboxRecord): void {
  if (r.item(item.id)) return;
  r.get(item.conversation);
  if (item.op === "send" && item.key) {
    const sends = [...r.state.outbox.sends(item.conversation).values()];
    const old = sends.find((o) => o.key === item.key && !o.attempts && o.state === "sending");
    if (old) {
      r.putItem(old.id, { ...item, order: old.order });
      r.changes.push({ type: "replaced", conversation: item.conversation, id: old.id, to: item.id });
      updated(r, item);
      return;
    }
  }
  const target = item.targetSeq || !item.targetId ? undefined : r.item(item.targetId);
  const placed = target?.seq ? { ...item, targetSeq: target.seq } : item;
  r.putItem(item.id, placed);
  updated(r, placed);
}

/** What an item shows has changed: its own message, or the one that it is about. */
function updated(r: Reduction, item: OutboxRecord): void {
  const { conversation } = item;
  if (item.key) r.changes.push({ type: "keyed", conversation, key: item.key });
  else if (item.op === "send") r.changes.push({ type: "messageUpdated", conversation, id: item.id });
  else if (item.targetSeq) r.changes.push({ type: "messageUpdated", conversation, seq: item.targetSeq });
  else r.changes.push({ type: "messageUpdated", conversation, id: item.targetId });
}

/** The server has the item at a position: its promise is kept. */
function acknowledge(r: Reduction, item: OutboxRecord, seq: number, ord: number, ackTime: number): void {
  if (item.state === "sent") return;
  r.putItem(item.id, { ...item, state: "sent", error: undefined, seq, ord, ackTime });
  r.changes.push({ type: "sent", conversation: item.conversation, id: item.id, seq });
  for (const op of [...r.state.outbox.ops(item.conversation).values()]) {
    if (!op.targetSeq && op.targetId === item.id) r.putItem(op.id, { ...op, targetSeq: seq });
  }
}

/** Makes the entry of an own send out of the item and its ack. */
export function takeAck(r: Reduction, ack: SendAck): void {
  const item = r.item(uuidText(ack.clientId));
  if (item?.op !== "send" || item.conversation !== ack.conversation) return;
  acknowledge(r, item, ack.seq, ack.ord, ack.timeUs);
  takeEntry(r, current(r, item.conversation), {
    conversation: item.conversation,
    seq: ack.seq,
    ord: ack.ord,
    kind: item.key ? kinds.keyed : kinds.message,
    sender: r.state.user,
    timeUs: ack.timeUs,
    clientId: ack.clientId,
    version: 1,
    body: item.body,
    handshake: item.handshake,
    toDevices: item.toDevices,
    key: item.key,
    recalled: false,
    ...entryOptions(item.options, ack.timeUs),
    uncounted: ack.uncounted,
  });
  const held = r.item(item.id);
  if (held && held.seq > r.get(item.conversation).live) updated(r, held);
}

/** Takes an entry from the response of a call. */
export function takeAnswer(r: Reduction, entry: Entry): void {
  const item = entry.sender === r.state.user ? r.item(uuidText(entry.clientId)) : undefined;
  if (item) acknowledge(r, item, entry.seq, entry.ord, entry.timeUs);
  takeEntry(r, current(r, entry.conversation), entry);
}

/** Takes the item that became an entry out of the outbox; true when it was a send. */
export function claim(r: Reduction, c: ConversationState, entry: Entry): boolean {
  if (entry.sender !== r.state.user || !r.state.outbox.size) return false;
  const item = r.item(uuidText(entry.clientId));
  if (!item || item.conversation !== c.id) return false;
  acknowledge(r, item, entry.seq, entry.ord, entry.timeUs);
  r.putItem(item.id, undefined);
  return item.op === "send";
}

/** Removes acknowledged items whose position was passed without the entry: it lies in a gap, and history will show it. */
export function sweep(r: Reduction): void {
  for (const id of [...r.state.outbox.acked]) {
    const item = r.item(id);
    const c = item && r.find(item.conversation);
    if (!c || item.seq > c.live) continue;
    r.putItem(item.id, undefined);
    if (item.op === "send" && !item.key && !c.messages.has(item.seq)) {
      r.changes.push({ type: "messageRemoved", conversation: c.id, id: item.id, item });
    }
  }
}

/** A definitive error: of a send the message stays, to be retried or discarded; of others the overlay goes. */
export function fail(r: Reduction, id: string, error: FailureRecord): void {
  const item = r.item(id);
  if (item?.state !== "sending") return;
  r.putItem(id, item.op === "send" ? { ...item, state: "failed", error } : undefined);
  r.changes.push({ type: "failed", conversation: item.conversation, id, error });
  updated(r, item);
}

export function retry(r: Reduction, id: string, newId: string | undefined): void {
  const item = r.item(id);
  if (item?.state !== "failed") return;
  const { outbox } = r.state;
  const again: OutboxRecord = { ...item, state: "sending", error: undefined, order: outbox.lastOrder + 1 };
  outbox.put(id, undefined);
  outbox.put(id, again);
  if (newId) rename(r, again, newId);
  else r.putItem(id, again);
  updated(r, newId ? { ...again, id: newId } : again);
}

/** The server refused the id for its time before anything else was tried. */
export function renew(r: Reduction, id: string, newId: string): void {
  const item = r.item(id);
  if (item?.state !== "sending") return;
  rename(r, item, newId);
  updated(r, { ...item, id: newId });
}

/** Gives an item another id, in whose name nothing was sent yet. */
function rename(r: Reduction, item: OutboxRecord, id: string): void {
  r.putItem(item.id, { ...item, id, attempts: 0, firstAttempt: 0 });
  r.changes.push({ type: "replaced", conversation: item.conversation, id: item.id, to: id });
  for (const op of [...r.state.outbox.ops(item.conversation).values()]) if (op.targetId === item.id) r.putItem(op.id, { ...op, targetId: id });
}

export function discard(r: Reduction, id: string): void {
  const item = r.item(id);
  if (!item) return;
  r.putItem(id, undefined);
  if (item.op === "send" && !item.key) r.changes.push({ type: "messageRemoved", conversation: item.conversation, id, item });
  else updated(r, item);
}

/** The server did what was asked and wrote no entry for it, such as a reaction that was there already. */
export function done(r: Reduction, id: string): void {
  const item = r.item(id);
  if (item?.state !== "sending") return;
  r.putItem(id, undefined);
  r.changes.push({ type: "sent", conversation: item.conversation, id, seq: item.targetSeq });
  updated(r, item);
}

/** The outbox machine's book of attempts, kept with the item. */
export function attempted(r: Reduction, id: string, attempts: number, firstAttempt: number): void {
  const item = r.item(id);
  if (item) r.putItem(id, { ...item, attempts, firstAttempt });
}
