import type {
  ConversationRecord,
  MessageRecord,
  MetaRecord,
  OutboxRecord,
  PageQuery,
  Partition,
  PartitionKey,
  Store,
  StoreBatch,
  StoredState,
} from "../types/store.js";

/** Messages of one conversation, in ascending order of seq. */
class Shelf {
  readonly #bySeq = new Map<number, MessageRecord>();
  #sorted: number[] = [];

  put(record: MessageRecord): void {
    if (!this.#bySeq.has(record.seq)) this.#sorted.splice(this.#indexOf(record.seq), 0, record.seq);
    this.#bySeq.set(record.seq, record);
  }

  remove(from: number, to: number): void {
    const gone = this.#sorted.splice(this.#indexOf(from), this.#indexOf(to + 1) - this.#indexOf(from));
    for (const seq of gone) this.#bySeq.delete(seq);
  }

  at(seq: number): MessageRecord | undefined {
    return this.#bySeq.get(seq);
  }

  page({ from, until, limit }: PageQuery): MessageRecord[] {
    const low = this.#indexOf(Math.min(from, until));
    const high = this.#indexOf(Math.max(from, until) + 1);
    const seqs = until < from ? this.#sorted.slice(Math.max(low, high - limit), high) : this.#sorted.slice(low, Math.min(high, low + limit));
    return seqs.flatMap((seq) => this.#bySeq.get(seq) ?? []);
  }

  /** Where `seq` stands or would stand. New ones stand at the end. */
  #indexOf(seq: number): number {
    let low = 0;
    let high = this.#sorted.length;
    if (high > 0 && (this.#sorted[high - 1] ?? 0) < seq) return high;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#sorted[middle] ?? 0) < seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

class MemoryPartition implements Partition {
  #meta: MetaRecord | undefined;
  readonly #conversations = new Map<string, ConversationRecord>();
  readonly #outbox = new Map<string, OutboxRecord>();
  readonly #messages = new Map<string, Shelf>();
  readonly #forget: () => void;

  constructor(forget: () => void) {
    this.#forget = forget;
  }

  async load(): Promise<StoredState> {
    return {
      meta: this.#meta,
      conversations: [...this.#conversations.values()],
      outbox: await this.outbox(),
    };
  }

  async outbox(): Promise<readonly OutboxRecord[]> {
    return [...this.#outbox.values()].sort((a, b) => a.order - b.order);
  }

  async commit(batch: StoreBatch): Promise<void> {
    for (const id of batch.dropped ?? []) {
      this.#conversations.delete(id);
      this.#messages.delete(id);
    }
    for (const { conversation, from, to } of batch.removed ?? []) this.#messages.get(conversation)?.remove(from, to);
    for (const id of batch.outboxDone ?? []) this.#outbox.delete(id);
    for (const item of batch.outbox ?? []) this.#outbox.set(item.id, item);
    for (const record of batch.conversations ?? []) this.#conversations.set(record.id, record);
    for (const record of batch.messages ?? []) {
      let shelf = this.#messages.get(record.conversation);
      if (!shelf) this.#messages.set(record.conversation, (shelf = new Shelf()));
      shelf.put(record);
    }
    if (batch.meta) this.#meta = batch.meta;
  }

  async messages(query: PageQuery): Promise<readonly MessageRecord[]> {
    return this.#messages.get(query.conversation)?.page(query) ?? [];
  }

  async messagesAt(conversation: string, seqs: readonly number[]): Promise<readonly MessageRecord[]> {
    return seqs.flatMap((seq) => this.#messages.get(conversation)?.at(seq) ?? []);
  }

  async erase(): Promise<void> {
    this.#forget();
    this.#meta = undefined;
    for (const map of [this.#conversations, this.#outbox, this.#messages]) map.clear();
  }

  async close(): Promise<void> {}
}

/**
 * A store in memory: for bots that may forget, for tests, and where there is no IndexedDB. It lasts as long as
 * the value does: give the same one to the next client of the process, and it goes on where the last one stopped.
 */
export function memoryStore(): Store {
  const partitions = new Map<string, MemoryPartition>();
  const users = new Map<string, string>();
  return {
    async open({ endpoint, appId, userId }: PartitionKey): Promise<Partition> {
      const app = JSON.stringify([endpoint, appId]);
      const key = JSON.stringify([endpoint, appId, userId]);
      users.set(app, userId);
      let partition = partitions.get(key);
      if (!partition) {
        partition = new MemoryPartition(() => {
          if (users.get(app) === userId) users.delete(app);
        });
        partitions.set(key, partition);
      }
      return partition;
    },
    async lastUser(endpoint: string, appId: string): Promise<string | undefined> {
      return users.get(JSON.stringify([endpoint, appId]));
    },
  };
}
