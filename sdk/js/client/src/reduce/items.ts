// The outbox's items in the order in which the user acted, found by id and by conversation: thousands may gather in
// a day without a network, and each of them is looked up for its echo, its ack and its entry.
import type { OutboxRecord } from "../types/store.js";

const none: ReadonlyMap<string, OutboxRecord> = /* @__PURE__ */ new Map();

export class Items {
  readonly #all = new Map<string, OutboxRecord>();
  readonly #sends = new Map<string, Map<string, OutboxRecord>>();
  readonly #ops = new Map<string, Map<string, OutboxRecord>>();
  readonly #acked = new Set<string>();
  #lastOrder = 0;

  constructor(items: Iterable<OutboxRecord> = []) {
    for (const item of items) this.put(item.id, item);
  }

  get size(): number {
    return this.#all.size;
  }

  /** The order of the newest item that there ever was. */
  get lastOrder(): number {
    return this.#lastOrder;
  }

  /** Items that the server has not acknowledged. */
  get unacked(): number {
    return this.#all.size - this.#acked.size;
  }

  /** Ids of acknowledged items whose entry is still on its way. */
  get acked(): ReadonlySet<string> {
    return this.#acked;
  }

  get(id: string): OutboxRecord | undefined {
    return this.#all.get(id);
  }

  all(): readonly OutboxRecord[] {
    return [...this.#all.values()];
  }

  sends(conversation: string): ReadonlyMap<string, OutboxRecord> {
    return this.#sends.get(conversation) ?? none;
  }

  /** Edits, recalls and reactions. */
  ops(conversation: string): ReadonlyMap<string, OutboxRecord> {
    return this.#ops.get(conversation) ?? none;
  }

  /** Adds an item, or puts it in the place of the one with `id`; undefined removes that. */
  put(id: string, item: OutboxRecord | undefined): void {
    const before = this.#all.get(id);
    if (before && item && item.id !== id) {
      const all = [...this.#all.values()];
      for (const other of all) this.put(other.id, undefined);
      for (const other of all) this.put(other === before ? item.id : other.id, other === before ? item : other);
      return;
    }
    const known = item ?? before;
    if (!known) return;
    const index = known.op === "send" ? this.#sends : this.#ops;
    const group = index.get(known.conversation) ?? new Map<string, OutboxRecord>();
    if (item) {
      this.#all.set(id, item);
      index.set(item.conversation, group.set(id, item));
      this.#lastOrder = Math.max(this.#lastOrder, item.order);
    } else {
      this.#all.delete(id);
      group.delete(id);
      if (!group.size) index.delete(known.conversation);
    }
    if (item?.state === "sent") this.#acked.add(id);
    else this.#acked.delete(id);
  }
}
