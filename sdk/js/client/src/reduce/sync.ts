// What a server says of conversations as a whole: attributes, and pages of sync. docs/sdk-spec.md §2.3.
import type { Conversation, ConversationDelta, SyncResponse } from "../wire/schema.js";
import { uuidText } from "../ids.js";
import { current, disown } from "./incarnation.js";
import { drain, putKeyed, takeEntry, takeWithheld } from "./positions.js";
import type { Reduction } from "./reduction.js";
import { type Ranges, cutRange } from "./spans.js";
import type { ConversationState } from "./state.js";

/** Past every position there can be. */
const maxSeq = Number.MAX_SAFE_INTEGER;

/** Takes the attributes of a conversation. With `reset` its values replace what is held, also downwards. */
export function takeConversation(r: Reduction, news: Conversation, reset: boolean): ConversationState {
  const c = reset ? r.get(news.id) : current(r, news.id);
  const read = { seq: news.membership?.readSeq ?? 0, ord: news.membership?.readOrd ?? 0 };
  if (reset) {
    c.incarnation = r.state.incarnation;
    c.head = { seq: news.headSeq, ord: news.headOrd };
    c.meta = 0;
    c.changed = 0;
    c.activity = 0;
    if (c.readUnsent <= read.seq || c.readUnsent > news.headSeq) {
      c.read = read;
      c.readUnsent = 0;
    }
    c.markers = new Map();
    r.touch(c);
  }
  if (news.headSeq >= Math.max(c.meta, c.changed)) takeAttributes(r, c, news);
  r.raiseHead(c, news.headSeq, news.headOrd);
  r.mark(c, r.state.user, read);
  for (const marker of news.readMarkers) r.mark(c, marker.user, { seq: marker.readSeq, ord: marker.readOrd });
  if (news.createdUs > c.activity) {
    c.activity = news.createdUs;
    r.save(c);
  }
  if (c.from > 1) {
    r.join(c, 1, c.from - 1);
    r.raiseLive(c, c.from - 1);
    drain(r, c);
  }
  return c;
}

function takeAttributes(r: Reduction, c: ConversationState, news: Conversation): void {
  const after = {
    title: news.title,
    members: news.memberCount,
    created: news.createdUs,
    role: news.membership?.role ?? 0,
    from: Math.max(news.membership?.fromSeq ?? 0, 1),
    to: news.membership?.toSeq ?? 0,
    rest: news.rest,
  };
  const same = c.title === after.title && c.members === after.members && c.created === after.created;
  if (!c.meta || !same || c.role !== after.role || c.from !== after.from || c.to !== after.to || !sameBytes(c.rest, after.rest)) r.touch(c);
  Object.assign(c, after);
  c.meta = news.headSeq;
  r.save(c);
}

const noBytes = /* @__PURE__ */ new Uint8Array(0);

export function sameBytes(a: Uint8Array = noBytes, b: Uint8Array = noBytes): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** Takes one page of changes. */
export function takeSync(r: Reduction, page: SyncResponse): void {
  const { state } = r;
  state.resetting ||= page.reset;
  r.quiet = state.resetting;
  r.missed = true;
  if (page.incarnation !== state.incarnation) {
    state.incarnation = page.incarnation;
    state.dirty.meta = true;
  }
  for (const delta of page.conversations) if (delta.conversation?.id) takeDelta(r, delta, delta.conversation, page.reset);
  r.quiet = false;
  r.missed = false;
  if (page.more) return;
  state.resetting = false;
  for (const id of [...state.conversations.keys()].sort()) {
    const c = state.conversations.get(id);
    if (!c || c.incarnation === state.incarnation) continue;
    disown(r, c, []);
    if (state.outbox.sends(id).size || state.outbox.ops(id).size) continue;
    state.conversations.delete(id);
    state.dirty.conversations.delete(id);
    state.dirty.messages.delete(id);
    state.dirty.dropped.add(id);
    r.changes.push({ type: "conversationRemoved", conversation: id });
  }
}

function takeDelta(r: Reduction, delta: ConversationDelta, news: Conversation, resets: boolean): void {
  // On a later page of a reset too nothing counts that is held of another incarnation.
  const known = r.find(news.id);
  const other = known?.incarnation === r.state.incarnation ? undefined : known;
  const reset = resets || !!other;
  if (other) {
    // A read that was not told yet holds as far as the new incarnation has what was read.
    const last = delta.entries.filter((e) => e.seq <= other.readUnsent && other.messages.get(e.seq)?.id === uuidText(e.clientId)).at(-1);
    other.readUnsent = last?.seq ?? 0;
    if (last) other.read = { seq: last.seq, ord: last.ord };
  }
  const c = takeConversation(r, news, reset);
  const head = news.headSeq;
  const first = Math.min(head + 1, ...delta.entries.map((e) => e.seq), ...delta.withheld.map((w) => w.fromSeq));
  if (reset || first > c.live + 1) {
    if (reset) {
      c.held.clear();
      c.keyed = new Map();
      r.changes.push({ type: "keyed", conversation: c.id });
      r.removeMessages(c, head + 1, maxSeq);
    }
    giveUp(r, c, maxSeq);
    c.mods = [];
    c.live = first - 1;
    c.floor = first - 1;
  }
  const steps = [
    ...delta.entries.map((entry) => ({ seq: entry.seq, take: () => takeEntry(r, c, entry) })),
    ...delta.withheld.map((withheld) => ({ seq: withheld.fromSeq, take: () => takeWithheld(r, c, withheld) })),
  ];
  for (const step of steps.sort((a, b) => a.seq - b.seq)) step.take();
  c.live = Math.max(c.live, head);
  r.save(c);
  drain(r, c);
  for (const entry of delta.keyed) putKeyed(r, c, entry);
  if (other) disown(r, c);
}

/** Ranges below `below` are current no more, except what lies before the membership. */
export function giveUp(r: Reduction, c: ConversationState, below: number): void {
  const kept: Ranges = cutRange(c.ranges, Math.max(c.from, 1), below - 1);
  if (kept === c.ranges) return;
  c.ranges = kept;
  r.changes.push({ type: "gap", conversation: c.id });
  r.touch(c);
}
