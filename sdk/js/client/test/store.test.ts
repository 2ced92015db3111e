import { IDBFactory, IDBKeyRange, IDBObjectStore } from "fake-indexeddb";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { newConversation, toRecord } from "../src/reduce/state.js";
import { indexedDBStore } from "../src/store/indexeddb.js";
import { memoryStore } from "../src/store/memory.js";
import type { ConversationRecord, MessageRecord, OutboxRecord, Partition, PartitionKey, Store, UploadRecord } from "../src/types/store.js";

globalThis.IDBKeyRange = IDBKeyRange;

const key: PartitionKey = { endpoint: "http://skein.example", appId: "demo", userId: "alice" };

function message(conversation: string, seq: number): MessageRecord {
  return {
    conversation,
    seq,
    ord: seq,
    id: `id-${conversation}-${seq}`,
    kind: 1,
    sender: "bob",
    time: seq,
    version: 1,
    body: { scheme: 1, content: { text: { text: `m${seq}` }, replyToSeq: 0, mentions: [] }, opaque: new Uint8Array([1, 2]) },
    recalled: false,
    folded: 0,
    asOf: seq,
    reactions: [],
  };
}

function messages(conversation: string, from: number, to: number): MessageRecord[] {
  return Array.from({ length: to - from + 1 }, (_, i) => message(conversation, from + i));
}

function conversation(id: string): ConversationRecord {
  return toRecord({ ...newConversation(id, "i1"), ranges: [[1, 5]], markers: new Map([["bob", { seq: 1, ord: 1 }]]) });
}

function item(id: string, order: number): OutboxRecord {
  const nothing = { emoji: "", remove: false, key: "", toDevices: [], handshake: false, targetSeq: 0, targetId: "", seq: 0, ord: 0, ackTime: 0 };
  return { id, order, conversation: "c", op: "send", body: undefined, time: 1, state: "sending", error: undefined, attempts: 0, firstAttempt: 0, ...nothing };
}

const seqs = (found: readonly MessageRecord[]): number[] => found.map((m) => m.seq);

describe.each<[string, () => Store]>([
  ["memory", () => memoryStore()],
  ["IndexedDB", () => indexedDBStore({ factory: new IDBFactory() })],
])("the %s store", (_, make) => {
  let store: Store;
  let partition: Partition;
  beforeEach(async () => {
    store = make();
    partition = await store.open(key);
  });

  test("is empty at first", async () => {
    expect(await partition.load()).toEqual({ meta: undefined, conversations: [], outbox: [] });
    expect(await partition.messages({ conversation: "c", from: 100, until: 1, limit: 10 })).toEqual([]);
  });

  test("gives back what was committed, also to the next who opens it", async () => {
    const meta = { deviceId: "d", cursor: new Uint8Array([7, 8]), incarnation: "i1", revision: 3 };
    await partition.commit({ meta, conversations: [conversation("c")], messages: messages("c", 1, 3), outbox: [item("b", 2), item("a", 1)] });
    await partition.close();
    const again = await store.open(key);
    expect(await again.load()).toEqual({ meta, conversations: [conversation("c")], outbox: [item("a", 1), item("b", 2)] });
    expect(await again.messagesAt("c", [2, 9])).toEqual([message("c", 2)]);
  });

  test("pages in both directions, ascending, of one conversation only", async () => {
    await partition.commit({ messages: [...messages("b", 1, 20), ...messages("c", 1, 4), ...messages("c", 7, 20), ...messages("d", 1, 20)] });
    const page = (from: number, until: number, limit: number): Promise<readonly MessageRecord[]> =>
      partition.messages({ conversation: "c", from, until, limit });
    expect(seqs(await page(20, 1, 3))).toEqual([18, 19, 20]);
    expect(seqs(await page(Infinity, 1, 1))).toEqual([20]);
    expect(seqs(await page(8, 1, 4))).toEqual([3, 4, 7, 8]);
    expect(seqs(await page(3, 1, 10))).toEqual([1, 2, 3]);
    expect(seqs(await page(3, 20, 4))).toEqual([3, 4, 7, 8]);
    expect(seqs(await page(19, 25, 10))).toEqual([19, 20]);
    expect(seqs(await page(5, 6, 10))).toEqual([]);
    expect(seqs(await page(20, 1, Infinity))).toHaveLength(18);
    expect(seqs(await page(4, 4, 5))).toEqual([4]);
  });

  test("removals come before what the same batch puts", async () => {
    await partition.commit({ conversations: [conversation("c"), conversation("d")], messages: [...messages("c", 1, 9), ...messages("d", 1, 2)] });
    await partition.commit({ removed: [{ conversation: "c", from: 3, to: Number.MAX_SAFE_INTEGER }], messages: [message("c", 5)] });
    expect(seqs(await partition.messages({ conversation: "c", from: 1, until: 99, limit: 99 }))).toEqual([1, 2, 5]);
    await partition.commit({ dropped: ["c"], conversations: [conversation("e")] });
    expect((await partition.load()).conversations.map((c) => c.id)).toEqual(["d", "e"]);
    expect(await partition.messagesAt("c", [1])).toEqual([]);
    expect(await partition.messagesAt("d", [1])).toHaveLength(1);
  });

  test("the outbox loses what is done", async () => {
    await partition.commit({ outbox: [item("a", 1), item("b", 2)] });
    await partition.commit({ outboxDone: ["a"], outbox: [{ ...item("b", 2), attempts: 1 }] });
    expect((await partition.load()).outbox).toEqual([{ ...item("b", 2), attempts: 1 }]);
  });

  test("a read that is begun after a commit was begun sees it", async () => {
    const committing = partition.commit({ messages: [message("c", 1)] });
    expect(await partition.messagesAt("c", [1])).toHaveLength(1);
    await committing;
  });

  test("uploads and their bytes are kept until they are removed", async () => {
    const { uploads } = partition;
    if (!uploads) throw new Error("it keeps uploads");
    const [a, b] = [{ id: "a", n: 1 }, { id: "b", n: 1 }];
    await uploads.put(a, new Map([[0, new Blob(["zero"])], [2, new Blob(["two"])]]));
    await uploads.put(b, new Map([[0, new Blob(["other"])]]));
    await uploads.put({ ...a, n: 2 } as UploadRecord, new Map([[1, new Blob(["one"])]]));
    await uploads.update({ ...b, n: 3 } as UploadRecord);
    await uploads.update({ id: "c" });
    const again = await store.open(key);
    const found = (await again.uploads?.load()) ?? [];
    expect(found.map(({ record }) => record)).toEqual([{ id: "a", n: 2 }, { id: "b", n: 3 }]);
    const texts = await Promise.all([...(found[0]?.blobs ?? [])].sort(([x], [y]) => x - y).map(async ([number, blob]) => `${number} ${await blob.text()}`));
    expect(texts).toEqual(["0 zero", "1 one", "2 two"]);
    await uploads.remove("a");
    expect((await uploads.load()).map(({ record }) => record.id)).toEqual(["b"]);
    await partition.erase();
    await uploads.update(b);
    expect(await uploads.load()).toEqual([]);
  });

  test("partitions share nothing, and the last user is remembered until they are erased", async () => {
    const bob = await store.open({ ...key, userId: "bob" });
    await partition.commit({ messages: [message("c", 1)] });
    expect(await bob.messagesAt("c", [1])).toEqual([]);
    expect(await store.lastUser(key.endpoint, key.appId)).toBe("bob");
    expect(await store.lastUser(key.endpoint, "other")).toBeUndefined();
    await bob.erase();
    expect(await store.lastUser(key.endpoint, key.appId)).toBeUndefined();
    expect(await partition.messagesAt("c", [1])).toHaveLength(1);
    await partition.erase();
    expect(await partition.messagesAt("c", [1])).toEqual([]);
  });
});

describe("the IndexedDB store", () => {
  test("a batch that can not be written as a whole is not written at all", async () => {
    const partition = await indexedDBStore({ factory: new IDBFactory() }).open(key);
    const broken = { ...message("c", 2), body: (() => undefined) as never };
    await expect(partition.commit({ messages: [message("c", 1), broken], outbox: [item("a", 1)] })).rejects.toThrow();
    expect(await partition.messagesAt("c", [1, 2])).toEqual([]);
    expect((await partition.load()).outbox).toEqual([]);
  });

  test("a database of before there were uploads gets a place for them, and keeps the rest", async () => {
    const factory = new IDBFactory();
    const old = factory.open(`skein ${JSON.stringify([key.endpoint, key.appId, key.userId])}`, 1);
    await new Promise((resolve) => {
      old.onupgradeneeded = () => {
        old.result.createObjectStore("meta");
        old.result.createObjectStore("conversations", { keyPath: "id" });
        old.result.createObjectStore("messages", { keyPath: ["conversation", "seq"] });
        old.result.createObjectStore("outbox", { keyPath: "id" }).put(item("a", 1));
      };
      old.onsuccess = resolve;
    });
    old.result.close();
    const partition = await indexedDBStore({ factory }).open(key);
    expect(await partition.outbox()).toEqual([item("a", 1)]);
    await partition.uploads?.put({ id: "u" }, new Map([[0, new Blob(["x"])]]));
    expect(await partition.uploads?.load()).toHaveLength(1);
  });

  test("reads a page of a long conversation without reading the rest", async () => {
    const partition = await indexedDBStore({ factory: new IDBFactory() }).open(key);
    await partition.commit({ messages: messages("c", 1, 5000) });
    const getAll = vi.spyOn(IDBObjectStore.prototype, "getAll");
    expect(seqs(await partition.messages({ conversation: "c", from: 5000, until: 1, limit: 50 }))).toHaveLength(50);
    const [range] = getAll.mock.calls[0] as [IDBKeyRange];
    expect(range.lower).toEqual(["c", 4951]);
    getAll.mockRestore();
  });
});
