// Entry by entry: docs/sdk-spec.md §2.3, the heart of the reducer. A position is applied when all before it
// are, waits when it came too early, and repairs nothing but itself when it comes again.
import type { MessageRecord } from "../types/store.js";
import type { Entry, MembersChange, ReactionSummary, Withheld } from "../wire/schema.js";
import { claim } from "./outbox.js";
import { type Reduction, isMessage, isModification, limits, recordOf } from "./reduction.js";
import { rangeAt } from "./spans.js";
import { type ConversationState, type Early, type State, kinds } from "./state.js";

/** Takes an entry as news: applied when it is next, kept when it is early, compared when it is old. */
export function takeEntry(r: Reduction, c: ConversationState, entry: Entry): void {
  if (entry.seq < 1) return;
  if (entry.seq > c.live + 1) {
    holdBack(c, entry.seq, { entry });
    r.raiseHead(c, entry.seq, entry.ord);
  } else if (entry.seq <= c.live) {
    takeAgain(r, c, entry);
  } else {
    applyEntry(r, c, entry);
    c.live = entry.seq;
    drain(r, c);
  }
}

/** Takes positions that this reader does not get. */
export function takeWithheld(r: Reduction, c: ConversationState, withheld: Withheld): void {
  const { fromSeq, toSeq, ord } = withheld;
  if (fromSeq < 1 || fromSeq > toSeq) return;
  if (fromSeq > c.live + 1) {
    holdBack(c, fromSeq, { withheld });
    r.raiseHead(c, toSeq, ord);
    return;
  }
  r.removeMessages(c, fromSeq, toSeq);
  if (toSeq <= c.live) return;
  r.join(c, c.live + 1, toSeq);
  r.raiseLive(c, toSeq);
  r.raiseHead(c, toSeq, ord);
  drain(r, c);
}

function holdBack(c: ConversationState, seq: number, early: Early): void {
  const old = c.held.get(seq);
  if (old && (old.entry || !early.entry) && (old.entry?.version ?? 0) >= (early.entry?.version ?? 0)) return;
  c.held.set(seq, early);
  if (c.held.size > limits.held) c.held.delete(Math.max(...c.held.keys()));
}

/** Takes what was held back and joins now, and drops what is old. */
export function drain(r: Reduction, c: ConversationState): void {
  while (c.held.size > 0) {
    const lowest = Math.min(...c.held.keys());
    if (lowest > c.live + 1) return;
    const early = c.held.get(lowest);
    c.held.delete(lowest);
    if (early?.entry) takeEntry(r, c, early.entry);
    else if (early?.withheld) takeWithheld(r, c, early.withheld);
  }
}

/** An entry whose position was passed. */
function takeAgain(r: Reduction, c: ConversationState, entry: Entry): void {
  if (isModification(r.state, entry.kind)) {
    modify(r, c, entry);
    return;
  }
  if (entry.key) putKeyed(r, c, entry); // a repair has passed its position: pages show no keys
  if (entry.kind === kinds.keyed) return;
  const there = c.messages.get(entry.seq);
  if (!there) return;
  const fresh = recordOf(entry);
  if (there.id === fresh.id) {
    if (takeRow(r, c, there, fresh)) r.changes.push({ type: "messageUpdated", conversation: c.id, seq: entry.seq });
    return;
  }
  r.putMessage(c, fresh);
  r.changes.push({ type: "messageUpdated", conversation: c.id, seq: entry.seq });
}

/** A newer copy of the same row says how it is now. */
function takeRow(r: Reduction, c: ConversationState, there: MessageRecord, row: MessageRecord): boolean {
  const over = row.delivery?.expired && !there.delivery?.expired; // a row may be served empty before its version says so
  if (over ? row.version < there.version : row.version <= there.version) return false;
  r.putMessage(c, { ...there, version: row.version, body: row.body, recalled: row.recalled, delivery: row.delivery, entryRest: row.entryRest });
  return true;
}

/** Makes an entry part of the log. `paged` is the message of a page, with later entries folded in. */
export function applyEntry(r: Reduction, c: ConversationState, entry: Entry, paged?: MessageRecord): void {
  const own = claim(r, c, entry);
  const covered = rangeAt(c.ranges, entry.seq) !== undefined;
  r.join(c, entry.seq, entry.seq);
  r.raiseHead(c, entry.seq, entry.ord);
  if (isMessage(entry.kind)) show(r, c, entry, own, covered, paged);
  else r.removeMessages(c, entry.seq, entry.seq); // what stood there in another incarnation
  const content = entry.body?.content;
  if (entry.kind > kinds.keyed) {
    // The key of such a one is that of a message's state, which is folded into the message.
    if (!r.quiet) r.changes.push({ type: "entry", conversation: c.id, entry, missed: r.missed });
  } else if (entry.key) putKeyed(r, c, entry);
  if (entry.kind === kinds.message) {
    if (!entry.uncounted) r.mark(c, entry.sender, { seq: entry.seq, ord: entry.ord });
    if (entry.targetSeq) modify(r, c, entry); // a reply also changes the root of its thread
  } else if (isModification(r.state, entry.kind)) modify(r, c, entry);
  else if (entry.kind === kinds.members && entry.seq > c.meta && content?.members) {
    changeMembers(r, c, entry.seq, content.members);
    known(c, entry.seq);
  } else if (entry.kind === kinds.conversation && entry.seq > c.meta && content?.conversation) {
    known(c, entry.seq);
    if (c.title === content.conversation.title) return;
    c.title = content.conversation.title;
    r.touch(c);
  }
}

/** The attributes changed at seq: what was read before it and comes later must not take them back. */
function known(c: ConversationState, seq: number): void {
  c.changed = Math.max(c.changed, seq);
  if (c.meta > 0) c.meta = seq;
}

/** Puts an entry where messages are. */
function show(r: Reduction, c: ConversationState, entry: Entry, own: boolean, covered: boolean, paged?: MessageRecord): void {
  const there = c.messages.get(entry.seq);
  const fresh = paged ?? recordOf(entry);
  if (!paged && there && covered && there.id === fresh.id) takeRow(r, c, there, fresh);
  else r.putMessage(c, fresh);
  if (entry.timeUs > c.activity) {
    c.activity = entry.timeUs;
    r.save(c);
  }
  if (own) r.changes.push({ type: "messageUpdated", conversation: c.id, seq: entry.seq });
  else if (!r.quiet) r.changes.push({ type: "message", conversation: c.id, seq: entry.seq, missed: r.missed });
}

// Roles, as the wire has them.
const [admin, owner] = [2, 3];

function changeMembers(r: Reduction, c: ConversationState, seq: number, change: MembersChange): void {
  const me = r.state.user;
  const role = change.role || 1;
  c.members = Math.max(0, c.members + change.added.length - change.removed.length - change.left.length);
  if (change.removed.includes(me) || change.left.includes(me)) c.to = seq + 1;
  if (change.added.includes(me)) {
    c.from = seq;
    c.to = 0;
    c.role = role;
    c.meta = 0; // what changed while the reader was out is not theirs to read: it has to be asked
  }
  if (change.roleChanged.includes(me)) c.role = role;
  else if (role === owner && change.roleChanged.length > 0 && c.role === owner) c.role = admin; // handed over
  r.touch(c);
}

/** The newest value of a key wins. */
export function putKeyed(r: Reduction, c: ConversationState, entry: Entry): void {
  const before = c.keyed.get(entry.key);
  if (before && before.seq >= entry.seq) return;
  c.keyed = new Map(c.keyed).set(entry.key, { key: entry.key, seq: entry.seq, body: entry.body });
  r.changes.push({ type: "keyed", conversation: c.id, key: entry.key });
  r.touch(c);
}

/** An edit, a recall or a reaction meets its target, and is kept for a page on its way when that is not current here. */
function modify(r: Reduction, c: ConversationState, entry: Entry): void {
  if (!rangeAt(c.ranges, entry.targetSeq)) remember(c, entry);
  modifyShown(r, c, entry);
}

function remember(c: ConversationState, entry: Entry): void {
  if (entry.seq <= c.floor || c.mods.some((mod) => mod.seq === entry.seq)) return;
  c.mods = [...c.mods, entry].sort((a, b) => a.seq - b.seq);
  if (c.mods.length <= limits.mods) return;
  c.floor = c.mods[0]?.seq ?? c.floor;
  c.mods = c.mods.slice(1);
}

/** Applies a modification to a message that is held. */
export function modifyShown(r: Reduction, c: ConversationState, entry: Entry): void {
  const target = c.messages.get(entry.targetSeq);
  if (!target || entry.seq <= target.asOf) return;
  const after = modified(r.state, target, entry);
  r.putMessage(c, after);
  const same =
    after.version === target.version && after.recalled === target.recalled && after.reactions === target.reactions && after.itemRest === target.itemRest;
  if (!same) r.changes.push({ type: "messageUpdated", conversation: c.id, seq: target.seq });
}

/**
 * The message after the entry. `folded` counts edits and recalls, since a row is served as it is now: read at
 * version 3 it is followed by the two edits that made it so, which change nothing any more.
 */
function modified({ user: me, folds }: State, m: MessageRecord, entry: Entry): MessageRecord {
  const asOf = entry.seq;
  const fold = folds.get(entry.kind);
  if (fold || entry.kind === kinds.message) return { ...m, asOf, itemRest: fold?.(m.itemRest, entry, me) ?? m.itemRest };
  const folded = m.folded + 1;
  if (entry.kind === kinds.reaction) {
    const reaction = entry.body?.content?.reaction;
    if (!reaction) return { ...m, asOf };
    return { ...m, asOf, reactions: react(m.reactions, me, entry.sender, reaction.emoji, reaction.removed) };
  }
  const gone = { ...m, asOf, folded, version: Math.max(m.version, folded + 1), body: undefined };
  if (entry.kind === kinds.recall) return { ...gone, recalled: true };
  if (entry.kind === kinds.expire) return { ...gone, delivery: m.delivery && { ...m.delivery, expired: true } }; // what ends was sent so
  if (folded + 1 <= m.version) return { ...m, asOf, folded };
  return { ...m, asOf, folded, version: folded + 1, body: m.recalled || m.delivery?.expired ? m.body : (entry.body ?? m.body) };
}

/** How many users of an emoji are listed by name; `count` may be more. */
const listedUsers = 100;

/** The reactions after `user` added or removed `emoji`; the same list when that changes nothing. */
export function react(
  reactions: readonly ReactionSummary[],
  me: string,
  user: string,
  emoji: string,
  removed: boolean,
): readonly ReactionSummary[] {
  const old = reactions.find((one) => one.emoji === emoji) ?? { emoji, count: 0, mine: false, users: [] };
  const own = user === me;
  const listed = old.users.includes(user);
  const known = own ? old.mine : listed;
  if (removed ? !known && (own || old.count <= old.users.length) : known) return reactions;
  let users = old.users;
  if (removed) users = users.filter((other) => other !== user);
  else if (!listed && users.length < listedUsers) users = [...users, user];
  const next = { emoji, count: old.count + (removed ? -1 : 1), mine: removed ? old.mine && !own : old.mine || own, users };
  if (next.count <= 0) return reactions.filter((one) => one.emoji !== emoji);
  return old.count === 0 ? [...reactions, next] : reactions.map((one) => (one.emoji === emoji ? next : one));
}
