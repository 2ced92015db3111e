// Reading history: from the ranges that this device holds without a call, else from the server. A page never
// jumps over a gap: where the next position can be had from neither, it stops and says why.
import { abortable, abortedError, asSkeinError } from "./abort.js";
import type { SkeinError } from "./error.js";
import type { Ledger } from "./ledger.js";
import { rangeAt } from "./reduce/spans.js";
import type { MessageRecord } from "./types/store.js";

/** Which positions to ask the server for; the answer is in the ledger when the promise resolves. */
export interface PageRequest {
  readonly conversation: string;
  readonly before?: number | undefined;
  readonly after?: number | undefined;
  readonly limit: number;
}

export interface PageSource {
  readonly ledger: Ledger;
  fetchPage(request: PageRequest, signal?: AbortSignal): Promise<void>;
}

export interface Page {
  /** Ascending, and without a gap between them. */
  readonly records: readonly MessageRecord[];
  /** Nothing lies beyond: the conversation's start, or what is known of its end. */
  readonly edge: boolean;
  /** Why it is shorter than asked, though it is not at the edge. */
  readonly error: SkeinError | undefined;
}

/** Messages a page, and the most that the server gives. */
export const defaultLimit = 50;
export const maxLimit = 200;

/** Answers that lead nowhere, such as pages older than what this device has applied, before it gives up. */
const maxFruitless = 3;

/** The `limit` messages from a position on, in one direction. */
export async function readPage(
  source: PageSource,
  conversation: string,
  start: number,
  direction: "down" | "up",
  limit: number,
  signal: AbortSignal | undefined,
): Promise<Page> {
  const { ledger } = source;
  const down = direction === "down";
  let records: readonly MessageRecord[] = [];
  let at = start;
  for (let fruitless = 0; ; ) {
    if (signal?.aborted) throw abortedError(signal);
    const c = ledger.conversation(conversation);
    // Of one of which nothing came in order yet: what is known of its end.
    const end = c?.live || (c?.head.seq ?? 0);
    if (down) at = Math.min(at, end);
    if (down ? at < 1 : at > end) return { records, edge: true, error: undefined };
    const range = c && rangeAt(c.ranges, at);
    if (range) {
      const until = range[down ? 0 : 1];
      const wanted = limit - records.length;
      const found = await abortable(ledger.read({ conversation, from: at, until, limit: wanted }), signal);
      // Meanwhile the range may have been given up: what was read then counts for nothing.
      const now = rangeAt(ledger.conversation(conversation)?.ranges ?? [], at);
      if (!now || now[0] > Math.min(at, until) || now[1] < Math.max(at, until)) continue;
      records = down ? [...found, ...records] : [...records, ...found];
      if (records.length >= limit) return { records, edge: false, error: undefined };
      at = down ? until - 1 : until + 1;
      continue;
    }
    if (fruitless++ >= maxFruitless) return { records, edge: false, error: undefined };
    try {
      const missing = Math.min(maxLimit, Math.max(limit - records.length, defaultLimit));
      // after 0 would be the newest page: the first one forwards is asked for by its end.
      const bound = down ? { before: at + 1 } : at > 1 ? { after: at - 1 } : { before: missing + 1 };
      await source.fetchPage({ conversation, ...bound, limit: missing }, signal);
    } catch (error) {
      if (signal?.aborted) throw abortedError(signal);
      return { records, edge: false, error: asSkeinError(error, "unavailable", "the page could not be had") };
    }
    const after = ledger.conversation(conversation);
    if (after && rangeAt(after.ranges, at)) fruitless = 0;
  }
}
