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
  UploadRecord,
  UploadShelf,
} from "../types/store.js";

/** Raised when the layout below changes; `upgrade` then says how to get there. */
const version = 2;
const tables = ["meta", "conversations", "messages", "outbox"] as const;
/** Of version 2: uploads, and apart from them their bytes, so that a new record does not write those again. */
const uploadTables = ["uploads", "uploadBlobs"] as const;
const metaKey = "meta";
const registryName = "skein";
const registryTable = "users";

function result<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("the request failed"));
  });
}

function finished(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error ?? new Error("the transaction was aborted"));
  });
}

function openDatabase(factory: IDBFactory, name: string, to: number, upgrade: (db: IDBDatabase, from: number) => void): Promise<IDBDatabase> {
  const request = factory.open(name, to);
  request.onupgradeneeded = ({ oldVersion }) => upgrade(request.result, oldVersion);
  return result(request);
}

function createTables(db: IDBDatabase, from: number): void {
  db.createObjectStore("uploads", { keyPath: "id" });
  db.createObjectStore("uploadBlobs");
  if (from) return;
  db.createObjectStore("meta");
  db.createObjectStore("conversations", { keyPath: "id" });
  // In the order of the key, so that a page is one range read, however long the conversation is.
  db.createObjectStore("messages", { keyPath: ["conversation", "seq"] });
  db.createObjectStore("outbox", { keyPath: "id" });
}

class DatabasePartition implements Partition {
  readonly uploads: UploadShelf = {
    load: async () => {
      const [uploads, blobs] = await this.#uploads("readonly");
      const [records, keys, values] = await Promise.all([
        result(uploads.getAll() as IDBRequest<UploadRecord[]>),
        result(blobs.getAllKeys()),
        result(blobs.getAll() as IDBRequest<Blob[]>),
      ]);
      return records.map((record) => {
        const own = new Map<number, Blob>();
        for (const [i, blob] of values.entries()) {
          const [id, number] = keys[i] as [string, number];
          if (id === record.id) own.set(number, blob);
        }
        return { record, blobs: own };
      });
    },
    put: async (record, given) => {
      const [uploads, blobs, done] = await this.#uploads("readwrite");
      uploads.put(record);
      for (const [number, blob] of given) blobs.put(blob, [record.id, number]);
      await done;
    },
    update: async (record) => {
      const [uploads, , done] = await this.#uploads("readwrite");
      if (await result(uploads.getKey(record.id))) uploads.put(record);
      await done;
    },
    remove: async (id) => {
      const [uploads, blobs, done] = await this.#uploads("readwrite");
      uploads.delete(id);
      blobs.delete(IDBKeyRange.bound([id], [id, []]));
      await done;
    },
  };
  readonly #open: () => Promise<IDBDatabase>;
  readonly #forget: () => Promise<void>;
  #db: Promise<IDBDatabase> | undefined;

  constructor(open: () => Promise<IDBDatabase>, forget: () => Promise<void>) {
    this.#open = open;
    this.#forget = forget;
  }

  /** The database, opened again when the browser closed it by force. */
  database(): Promise<IDBDatabase> {
    this.#db ??= this.#open().then(
      (db) => {
        const gone = (): void => {
          this.#db = undefined;
        };
        db.onclose = gone;
        db.onversionchange = () => {
          // A tab with a newer SDK waits for this one to let go.
          db.close();
          gone();
        };
        return db;
      },
      (error: unknown) => {
        this.#db = undefined;
        throw error;
      },
    );
    return this.#db;
  }

  async #transaction(mode: IDBTransactionMode, names: readonly string[] = tables): Promise<IDBTransaction> {
    const db = await this.database();
    // Relaxed: a power cut may lose the last moment, but as a whole, with the cursor that stands for it.
    return db.transaction([...names], mode, { durability: "relaxed" });
  }

  async #uploads(mode: IDBTransactionMode): Promise<[IDBObjectStore, IDBObjectStore, Promise<void>]> {
    const transaction = await this.#transaction(mode, uploadTables);
    const done = finished(transaction);
    done.catch(() => undefined);
    return [transaction.objectStore("uploads"), transaction.objectStore("uploadBlobs"), done];
  }

  async load(): Promise<StoredState> {
    const transaction = await this.#transaction("readonly", ["meta", "conversations", "outbox"]);
    const [meta, conversations, outbox] = await Promise.all([
      result(transaction.objectStore("meta").get(metaKey) as IDBRequest<MetaRecord | undefined>),
      result(transaction.objectStore("conversations").getAll() as IDBRequest<ConversationRecord[]>),
      allOf(transaction),
    ]);
    return { meta, conversations, outbox };
  }

  async outbox(): Promise<readonly OutboxRecord[]> {
    return allOf(await this.#transaction("readonly", ["outbox"]));
  }

  async commit(batch: StoreBatch): Promise<void> {
    const transaction = await this.#transaction("readwrite");
    const done = finished(transaction);
    const [meta, conversations, messages, outbox] = tables.map((name) => transaction.objectStore(name)) as [
      IDBObjectStore,
      IDBObjectStore,
      IDBObjectStore,
      IDBObjectStore,
    ];
    try {
      for (const id of batch.dropped ?? []) {
        conversations.delete(id);
        messages.delete(IDBKeyRange.bound([id], [id, []]));
      }
      for (const { conversation, from, to } of batch.removed ?? []) {
        messages.delete(IDBKeyRange.bound([conversation, from], [conversation, to]));
      }
      for (const id of batch.outboxDone ?? []) outbox.delete(id);
      for (const item of batch.outbox ?? []) outbox.put(item);
      for (const record of batch.conversations ?? []) conversations.put(record);
      for (const record of batch.messages ?? []) messages.put(record);
      if (batch.meta) meta.put(batch.meta, metaKey);
    } catch (error) {
      // All or nothing, also when a record can not be cloned.
      done.catch(() => undefined);
      transaction.abort();
      throw error;
    }
    await done;
  }

  async messages({ conversation, from, until, limit }: PageQuery): Promise<readonly MessageRecord[]> {
    const transaction = await this.#transaction("readonly", ["messages"]);
    const table = transaction.objectStore("messages");
    const down = until < from;
    const high = [conversation, Math.max(from, until)];
    let low: IDBValidKey = [conversation, Math.min(from, until)];
    if (down && Number.isFinite(limit)) low = (await keyBelow(table, IDBKeyRange.bound(low, high), limit)) ?? low;
    const count = down || !Number.isFinite(limit) ? undefined : limit;
    return result(table.getAll(IDBKeyRange.bound(low, high), count) as IDBRequest<MessageRecord[]>);
  }

  async messagesAt(conversation: string, seqs: readonly number[]): Promise<readonly MessageRecord[]> {
    const transaction = await this.#transaction("readonly", ["messages"]);
    const table = transaction.objectStore("messages");
    const found = await Promise.all(seqs.map((seq) => result(table.get([conversation, seq]) as IDBRequest<MessageRecord | undefined>)));
    return found.filter((record) => record !== undefined);
  }

  async erase(): Promise<void> {
    // Emptied rather than deleted: a deletion would wait for every tab that has it open.
    const all = [...tables, ...uploadTables];
    const transaction = await this.#transaction("readwrite", all);
    const done = finished(transaction);
    for (const name of all) transaction.objectStore(name).clear();
    await done;
    await this.#forget();
  }

  async close(): Promise<void> {
    const db = await this.#db?.catch(() => undefined);
    this.#db = undefined;
    db?.close();
  }
}

async function allOf(transaction: IDBTransaction): Promise<readonly OutboxRecord[]> {
  const items = await result(transaction.objectStore("outbox").getAll() as IDBRequest<OutboxRecord[]>);
  return items.sort((a, b) => a.order - b.order);
}

/** The key of the lowest of the `limit` highest rows of a range, found without reading any. */
function keyBelow(table: IDBObjectStore, range: IDBKeyRange, limit: number): Promise<IDBValidKey | undefined> {
  return new Promise((resolve, reject) => {
    const request = table.openKeyCursor(range, "prev");
    let first = true;
    request.onerror = () => reject(request.error ?? new Error("the cursor failed"));
    request.onsuccess = () => {
      const cursor = request.result;
      if (cursor && first && limit > 1) {
        first = false;
        cursor.advance(limit - 1);
      } else resolve(cursor?.key);
    };
  });
}

/** Options of `indexedDBStore`. */
export interface IndexedDBStoreOptions {
  /** Default: the platform's. */
  readonly factory?: IDBFactory | undefined;
}

/**
 * A store in the browser's IndexedDB, one database a user: it outlives the page and the browser. What is
 * applied and the cursor that stands for it are written in one transaction.
 */
export function indexedDBStore({ factory = indexedDB }: IndexedDBStoreOptions = {}): Store {
  const registry = async <T>(mode: IDBTransactionMode, use: (table: IDBObjectStore) => IDBRequest<T>): Promise<T> => {
    const db = await openDatabase(factory, registryName, 1, (fresh) => fresh.createObjectStore(registryTable));
    try {
      return await result(use(db.transaction(registryTable, mode).objectStore(registryTable)));
    } finally {
      db.close();
    }
  };
  return {
    async open({ endpoint, appId, userId }: PartitionKey): Promise<Partition> {
      const name = `${registryName} ${JSON.stringify([endpoint, appId, userId])}`;
      const app = [endpoint, appId];
      const forget = async (): Promise<void> => {
        const last: unknown = await registry("readonly", (users) => users.get(app));
        if (last === userId) await registry("readwrite", (users) => users.delete(app));
      };
      const partition = new DatabasePartition(() => openDatabase(factory, name, version, createTables), forget);
      await Promise.all([partition.database(), registry("readwrite", (users) => users.put(userId, app))]);
      return partition;
    },
    async lastUser(endpoint: string, appId: string): Promise<string | undefined> {
      const last: unknown = await registry("readonly", (users) => users.get([endpoint, appId]));
      return typeof last === "string" ? last : undefined;
    },
  };
}
