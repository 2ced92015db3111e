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
  UploadBlobs,
  UploadRecord,
  UploadShelf,
} from "../types/store.js";

/** Messages of one conversation, ascending by seq. */
class Shelf {
  readonly #rows: MessageRecord[] = [];

  put(record: MessageRecord): void {
    const index = this.#indexOf(record.seq);
    this.#rows.splice(index, this.#rows[index]?.seq === record.seq ? 1 : 0, record);
  }

  remove(from: number, to: number): void {
    const index = this.#indexOf(from);
    this.#rows.splice(index, this.#indexOf(to + 1) - index);
  }

  at(seq: number): MessageRecord | undefined {
    const row = this.#rows[this.#indexOf(seq)];
    return row?.seq === seq ? row : undefined;
  }

  page({ from, until, limit }: PageQuery): MessageRecord[] {
    const low = this.#indexOf(Math.min(from, until));
    const high = this.#indexOf(Math.max(from, until) + 1);
    return until < from ? this.#rows.slice(Math.max(low, high - limit), high) : this.#rows.slice(low, Math.min(high, low + limit));
  }

  /** Where `seq` stands or would stand. New ones stand at the end. */
  #indexOf(seq: number): number {
    let low = 0;
    let high = this.#rows.length;
    if ((this.#rows[high - 1]?.seq ?? 0) < seq) return high;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#rows[middle]?.seq ?? 0) < seq) low = middle + 1;
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
  readonly #uploads = new Map<string, { record: UploadRecord; blobs: UploadBlobs }>();
  readonly #forget: () => void;

  readonly uploads: UploadShelf = {
    load: async () => [...this.#uploads.values()],
    put: async (record, blobs) => {
      this.#uploads.set(record.id, { record, blobs: new Map([...(this.#uploads.get(record.id)?.blobs ?? []), ...blobs]) });
    },
    update: async (record) => {
      const kept = this.#uploads.get(record.id);
      if (kept) kept.record = record;
    },
    remove: async (id) => void this.#uploads.delete(id),
  };

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
    for (const map of [this.#conversations, this.#outbox, this.#messages, this.#uploads]) map.clear();
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
