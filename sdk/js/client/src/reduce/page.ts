// Pages of history, and the same pages when they close a hole: docs/sdk-spec.md §2.4.
import type { MessageRecord, Range } from "../types/store.js";
import type { Entry, HistoryItem, ListMessagesResponse, ReactionSummary } from "../wire/schema.js";
import { current } from "./incarnation.js";
import { claim } from "./outbox.js";
import { applyEntry, drain, modifyShown } from "./positions.js";
import { type Reduction, isMessage, recordOf } from "./reduction.js";
import { rangeAt } from "./spans.js";
import type { ConversationState } from "./state.js";
import { giveUp, sameBytes } from "./sync.js";

/** An answer to ListMessages with what was asked. */
export interface PageEvent {
  readonly conversation: string;
  /** before_seq of the request; 0 = not asked. */
  readonly before: number;
  /** after_seq of the request; undefined = not asked. */
  readonly after: number | undefined;
  /** It closes a hole. */
  readonly repair: boolean;
  /** Its items lie anywhere, and no range is current because of them. */
  readonly found?: boolean;
  readonly page: ListMessagesResponse;
}

/** The positions that a page speaks for; undefined = none. */
export function coverage(event: PageEvent): Range | undefined {
  const { page, before, after } = event;
  if (event.found) return [1, 0];
  let from = Math.max(page.fromSeq, 1);
  let to = page.toSeq;
  if (to === 0) {
    // Nothing is there: the page speaks for all that lies in its direction.
    if (after === undefined ? !page.atStart : !page.atEnd) return undefined;
    from = after === undefined ? 1 : after + 1;
    to = after === undefined && before > 0 ? Math.min(before - 1, page.asOfSeq) : page.asOfSeq;
  } else if (before > 0) {
    to = Math.max(to, Math.min(before - 1, page.asOfSeq));
  } else if (after !== undefined) {
    from = Math.min(from, after + 1);
  }
  return from <= to ? [from, to] : undefined;
}

export function takePage(r: Reduction, event: PageEvent): void {
  const { page, repair } = event;
  if (r.state.incarnation && page.incarnation !== r.state.incarnation) {
    r.changes.push({ type: "resync" });
    return;
  }
  const c = current(r, event.conversation);
  const covered = coverage(event);
  if (!covered || (repair ? covered[1] <= c.live : page.asOfSeq < c.floor)) return;
  const [from, to] = covered;
  if (repair) {
    giveUp(r, c, from);
    c.floor = Math.max(c.floor, to);
  }
  const seen = new Set<number>();
  for (const item of page.items) {
    const { entry } = item;
    if (!entry || !isMessage(entry.kind)) continue;
    seen.add(entry.seq);
    const record = pagedRecord(entry, item, page.asOfSeq);
    if (repair && entry.seq > c.live) applyEntry(r, c, entry, record);
    else takeItem(r, c, entry, record);
  }
  c.mods = c.mods.filter((mod) => {
    if (!seen.has(mod.targetSeq)) return true;
    if (mod.seq > page.asOfSeq) modifyShown(r, c, mod);
    return event.found;
  });
  r.removeMessages(c, from, to, seen);
  r.join(c, from, to);
  if (page.atStart) r.join(c, 1, from - 1);
  r.raiseHead(c, page.toSeq, page.items.at(-1)?.entry?.ord ?? c.head.ord);
  if (!repair) return;
  r.raiseLive(c, to);
  drain(r, c);
}

function pagedRecord(entry: Entry, item: HistoryItem, asOf: number): MessageRecord {
  return { ...recordOf(entry), asOf, folded: Math.max(entry.version - 1, 0), reactions: item.reactions, itemRest: item.rest };
}

/** An item that is no news. */
function takeItem(r: Reduction, c: ConversationState, entry: Entry, record: MessageRecord): void {
  const own = claim(r, c, entry);
  if (own) r.changes.push({ type: "messageUpdated", conversation: c.id, seq: entry.seq });
  const there = c.messages.get(entry.seq);
  const same = there?.id === record.id;
  if (there && same && rangeAt(c.ranges, entry.seq) && record.asOf < there.asOf) return;
  if (there && !(same && looksSame(there, record))) r.changes.push({ type: "messageUpdated", conversation: c.id, seq: entry.seq });
  r.putMessage(c, record);
}

function looksSame(a: MessageRecord, b: MessageRecord): boolean {
  const alike = (x: ReactionSummary, y: ReactionSummary | undefined): boolean =>
    x.emoji === y?.emoji && x.count === y.count && x.mine === y.mine && x.users.join("\n") === y.users.join("\n");
  return (
    a.version === b.version &&
    a.recalled === b.recalled &&
    a.reactions.length === b.reactions.length &&
    a.reactions.every((reaction, i) => alike(reaction, b.reactions[i])) &&
    sameBytes(a.itemRest, b.itemRest) &&
    sameBytes(a.entryRest, b.entryRest)
  );
}
