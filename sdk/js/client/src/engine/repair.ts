// Closes holes: positions that are missing between what was applied and what is known to exist. Out of order is
// normal for a moment (an ack may pass the entries before it), so that a hole has to stand before it is asked for.
import type { Ledger } from "../ledger.js";
import { holeOf } from "../reduce/state.js";
import type { Unsubscribe } from "../types/client.js";
import type { Clock } from "../types/environment.js";
import type { ListMessagesRequest, ListMessagesResponse } from "../wire/schema.js";
import type { Init } from "../wire/codec.js";

const standsMs = 500;
const pageLimit = 200;
/** A wider hole is jumped: the newest page is loaded and history fills the gap when it is looked at. */
const wide = 1000;
/** Between attempts when the server has nothing to close the hole with, or can not be reached. */
const againMs = 5_000;

export class Repair {
  readonly #ledger: Ledger;
  readonly #clock: Clock;
  readonly #list: (request: Init<ListMessagesRequest>) => Promise<ListMessagesResponse>;
  readonly #timers = new Map<string, Unsubscribe>();
  readonly #running = new Set<string>();
  #up = false;

  constructor(ledger: Ledger, clock: Clock, list: (request: Init<ListMessagesRequest>) => Promise<ListMessagesResponse>) {
    this.#ledger = ledger;
    this.#clock = clock;
    this.#list = list;
  }

  /** The connection came or went. While it is gone, sync will repair. */
  setUp(up: boolean): void {
    this.#up = up;
    if (up) this.look();
    else {
      for (const cancel of this.#timers.values()) cancel();
      this.#timers.clear();
    }
  }

  /** Something was applied: holes may have opened or closed. */
  look(): void {
    if (!this.#up) return;
    for (const id of this.#ledger.state.holes) if (!this.#running.has(id)) this.#set(id, standsMs);
    for (const [id, cancel] of this.#timers) {
      if (this.#ledger.state.holes.has(id)) continue;
      cancel();
      this.#timers.delete(id);
    }
  }

  #set(id: string, inMs: number): void {
    if (this.#timers.has(id)) return;
    this.#timers.set(
      id,
      this.#clock.after(inMs, () => {
        this.#timers.delete(id);
        void this.#repair(id);
      }),
    );
  }

  async #repair(id: string): Promise<void> {
    this.#running.add(id);
    let progress = true;
    try {
      while (progress && this.#up) {
        const c = this.#ledger.conversation(id);
        if (!c) return;
        const hole = holeOf(c);
        if (hole.from > hole.to) return;
        const jump = hole.to - hole.from + 1 > wide;
        const before = c.live;
        const page = await this.#list(jump ? { conversation: id, limit: pageLimit } : { conversation: id, afterSeq: before, limit: pageLimit });
        await this.#ledger.dispatch({ type: "page", repair: true, conversation: id, before: 0, after: jump ? undefined : before, page });
        progress = c.live > before;
      }
    } catch {
      // Unreachable, or not ours any more: the next attempt or the next sync tells.
    } finally {
      this.#running.delete(id);
      if (this.#up && this.#ledger.state.holes.has(id)) this.#set(id, againMs);
    }
  }
}
