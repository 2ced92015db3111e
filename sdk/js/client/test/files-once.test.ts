import { beforeEach, describe, expect, test } from "vitest";
import type { Kept } from "../src/modules/files/worker.js";
import { memoryStore } from "../src/store/memory.js";
import type { Partition, Store, UploadRecord, UploadShelf } from "../src/types/store.js";
import { Profile, type Tab } from "./fake/browser.js";
import { turn } from "./fake/clock.js";
import { answer } from "./fake/files.js";
import { type WithFiles, chunk, client, entries, file, hold, modules, online, outcome, patches, server, settled, states, world } from "./fake/transfers.js";
import { alicesBob } from "./fake/world.js";

describe("exactly one message", () => {
  test("when the answer to the send is lost", async () => {
    const alice = await online();
    world.server.shape = (frames) => frames.filter((frame) => !frame.ack);
    const sending = alice.conversation.with("bob").send({ file: file(10) });
    await world.until(() => entries().length === 1, "the message at the server");
    world.server.shape = (frames) => frames;
    world.server.cut();
    const message = await outcome(sending);
    expect(message.seq).toBe(1);
    await world.until(() => alice.files.transfers().length === 0, "the end of the transfer");
    expect(entries()).toHaveLength(1);
  });

  test("after a reload in the middle, without sending again what had arrived", async () => {
    const store = memoryStore();
    const first = await online({ store });
    server.after = ({ method }) => {
      if (method === "PATCH") server.before = ({ method: next }) => (next === "PATCH" ? new Promise(() => undefined) : undefined);
    };
    const { clientId } = first.files.send("~alice", { files: [file(2 * chunk)], caption: "notes" });
    await world.until(() => patches().length === 2, "the second request");
    await first.close();
    server.before = server.after = () => undefined;
    const before = server.heard.length;
    const second = await online({ store });
    await world.until(() => second.files.transfers().length === 1, "the transfer");
    expect(second.files.transfers()[0]).toMatchObject({ clientId, caption: "notes", kept: true });
    expect(second.files.transfers()[0]?.items[0]?.blob?.size).toBe(2 * chunk);
    await world.until(() => world.server.log("~alice").entries.length === 1, "the message");
    expect(server.heard.slice(before)).toEqual(["HEAD 1", `PATCH 1 ${chunk}`]);
    expect(second.conversation.self().lastMessage).toMatchObject({ id: clientId, content: { caption: "notes" } });
    await second.close();
    const third = await online({ store });
    await turn();
    expect(third.files.transfers()).toEqual([]);
  });

  test("after a reload at the moment when the message was in the outbox already", async () => {
    const inner = memoryStore();
    // The page ends before the store has heard that the message is in the outbox.
    const update = (shelf: UploadShelf) => (record: UploadRecord) => ((record as Kept).queued ? new Promise<void>(() => undefined) : shelf.update(record));
    const store = shelved(inner, (shelf) => ({ ...shelf, update: update(shelf), remove: () => new Promise(() => undefined) }));
    const first = await online({ store });
    await outcome(first.conversation.self().send({ file: file(10) }));
    await first.close();
    const second = await online({ store: inner });
    let again = false;
    second.files.onChange(({ state }) => (again ||= state === "sent"));
    await world.until(() => again, "the end of the transfer");
    expect(world.server.log("~alice").entries).toHaveLength(1);
    expect(second.snapshot.outbox).toBe(0);
  });

  test("after a reload while the message waits in the outbox, and none when it was discarded there", async () => {
    const store = memoryStore();
    const first = await online({ store });
    world.server.mute = true;
    const self = first.conversation.self();
    for (const caption of ["stays", "goes"]) first.files.send(self, { files: [file(10)], caption });
    await world.until(() => states(first).join() === "sending,sending", "both in the outbox");
    await first.close();
    const before = server.heard.length;
    const second = await online({ store });
    await world.until(() => states(second).join() === "sending,sending", "both again");
    expect(second.snapshot.outbox).toBe(2);
    const goes = second.files.transfers()[1]?.clientId ?? "";
    second.files.cancel(goes);
    await world.until(() => second.files.transfers().length === 1, "one less");
    world.server.mute = false;
    world.server.cut();
    await world.until(() => second.files.transfers().length === 0, "the message");
    expect(second.conversation.self().lastMessage?.content).toMatchObject({ caption: "stays" });
    await second.close();
    const third = await online({ store });
    await turn();
    expect(third.files.transfers()).toEqual([]);
    expect(server.heard).toHaveLength(before);
  });

  test("after the server has given up a file that no message had for long", async () => {
    const alice = await online();
    const self = alice.conversation.self();
    let refusals = 0;
    world.server.refuse = (what) => {
      if (what !== "send" || server.uploads.has("3")) return undefined;
      refusals++;
      server.uploads.delete("1");
      return { code: "failed_precondition" };
    };
    const message = await outcome(self.send({ files: [file(10, "a.txt"), file(20, "b.txt")] }));
    expect(refusals).toBe(1);
    expect(message.content).toMatchObject({ items: [{ file: "3", name: "safe a.txt" }, { file: "2" }] });
    expect(world.server.log("~alice").entries).toHaveLength(1);
    expect(server.heard.filter((one) => one.startsWith("PATCH"))).toEqual(["PATCH 1 10", "PATCH 2 20", "PATCH 3 10"]);
    // It is done once; and not when the files are there: another reason fails it.
    world.server.refuse = (what) => {
      if (what !== "send") return undefined;
      server.uploads.clear();
      return { code: "failed_precondition" };
    };
    expect(await outcome(settled(self.send({ file: file(10) })))).toMatchObject({ code: "failed_precondition" });
    world.server.refuse = (what) => (what === "send" ? { code: "failed_precondition" } : undefined);
    expect(await outcome(settled(self.send({ file: file(10) })))).toMatchObject({ code: "failed_precondition" });
  });

  test("what was paused or has failed stays so over a reload", async () => {
    const store = memoryStore();
    const first = await online({ store });
    const release = hold();
    const { id } = first.files.send("~alice", { files: [file(10)] });
    first.files.pause(id);
    await world.until(() => states(first)[0] === "paused", "the pause");
    release();
    server.before = () => answer(403);
    first.files.send("~alice", { files: [file(10)] });
    await world.until(() => states(first)[1] === "failed", "the failure");
    await first.close();
    server.before = () => undefined;
    const second = await online({ store });
    await world.until(() => second.files.transfers().length === 2, "the transfers");
    expect(states(second)).toEqual(["paused", "failed"]);
    expect(second.files.transfers()[1]?.error?.code).toBe("permission_denied");
  });
});

/** A store whose shelf of uploads is another. */
function shelved(store: Store, wrap: (shelf: UploadShelf) => UploadShelf | undefined): Store {
  return {
    open: async (key) => {
      const partition = await store.open(key);
      const own: Partition = {
        load: () => partition.load(),
        outbox: () => partition.outbox(),
        commit: (batch) => partition.commit(batch),
        messages: (query) => partition.messages(query),
        messagesAt: (conversation, seqs) => partition.messagesAt(conversation, seqs),
        uploads: partition.uploads && wrap(partition.uploads),
        erase: () => partition.erase(),
        close: () => partition.close(),
      };
      return own;
    },
    lastUser: (endpoint, appId) => store.lastUser(endpoint, appId),
  };
}

describe("the store", () => {
  test.each([
    ["has no room", (shelf: UploadShelf) => ({ ...shelf, put: () => Promise.reject(new DOMException("full", "QuotaExceededError")) })],
    ["keeps no uploads", () => undefined],
  ])("%s: the file is uploaded all the same, and says that it would not survive", async (_, wrap) => {
    const alice = await online({ store: shelved(memoryStore(), wrap) });
    const release = hold();
    const sending = alice.conversation.with("bob").send({ file: file(10) });
    await world.until(() => alice.files.transfers()[0]?.kept === false, "the word");
    release();
    expect(await outcome(sending)).toMatchObject({ state: "sent" });
  });

  test("forgets uploads when the user signs out", async () => {
    const store = memoryStore();
    const alice = await online({ store });
    hold();
    alice.files.send("~alice", { files: [file(10)] });
    await world.until(() => patches().length === 1, "the request");
    await outcome(alice.signOut());
    await world.until(() => server.busy === 0, "the end of the request");
    const before = server.heard.length;
    server.before = () => undefined;
    const again = await online({ store });
    await turn();
    expect(again.files.transfers()).toEqual([]);
    expect(server.heard).toHaveLength(before);
  });
});

describe("tabs", () => {
  const of = (tab: Tab): WithFiles => tab.client as WithFiles;
  /** Which tab made each request. */
  let by: Tab[] = [];
  let profile: Profile;

  beforeEach(() => {
    by = [];
    profile = new Profile(world, {
      modules: (tab, tabs) =>
        modules({
          tabs,
          http: (request) => {
            by.push(tab);
            return tab.alive ? server.http(request) : new Promise(() => undefined);
          },
        }),
    });
  });

  async function opened(): Promise<Tab> {
    const tab = profile.tab();
    await world.until(() => tab.client.state === "online", "a tab");
    return tab;
  }

  test("one of them does the work, and all show it", async () => {
    const [first, second] = [await opened(), await opened()];
    const release = hold();
    const given = file(10);
    const sending = of(second).conversation.self().send({ file: given });
    await world.until(() => of(first).files.transfers()[0]?.state === "uploading", "the first tab");
    await world.until(() => of(second).files.transfers()[0]?.state === "uploading", "the second tab");
    expect(new Set(by)).toEqual(new Set([first]));
    expect(of(first).files.transfers()[0]?.items[0]?.blob?.size).toBe(10);
    const third = await opened();
    await world.until(() => of(third).files.transfers()[0]?.state === "uploading", "a tab that came later");
    expect(of(third).files.transfers()[0]?.items[0]?.blob?.size).toBe(10);
    of(third).files.pause(of(third).files.transfers()[0]?.id ?? "");
    await world.until(() => states(of(second))[0] === "paused", "the pause");
    release();
    of(first).files.resume(of(first).files.transfers()[0]?.id ?? "");
    await outcome(sending);
    await world.until(() => [first, second, third].every((tab) => !of(tab).files.transfers().length), "the end everywhere");
    expect(new Set(by)).toEqual(new Set([first]));
    expect(world.server.log("~alice").entries).toHaveLength(1);
  });

  test("another goes on when that one dies, with what each has sent", async () => {
    const [first, second] = [await opened(), await opened()];
    const release = hold();
    const sending = of(second).conversation.self().send({ file: file(10), caption: "mine" });
    of(first).files.send("~alice", { files: [file(11)], caption: "of the first" });
    await world.until(() => patches().length === 2, "the requests");
    await world.until(() => of(second).files.transfers().length === 2, "both in the second tab");
    // What its store keeps is there by now.
    await turn();
    first.kill();
    release();
    await outcome(sending);
    await world.until(() => world.server.log("~alice").entries.length === 2, "both messages");
    await world.until(() => !of(second).files.transfers().length, "the end");
    expect(world.server.log("~alice").entries).toHaveLength(2);
    expect(server.heard.filter((one) => one === "POST")).toHaveLength(2);
  });

  test("what the store has no room for is lost with the tab that sent it, and not with the one that works on it", async () => {
    profile.full = true;
    const [first, second] = [await opened(), await opened()];
    const release = hold();
    const sending = of(second).conversation.self().send({ file: file(10), caption: "mine" });
    await world.until(() => of(second).files.transfers()[0]?.kept === false, "the word");
    await world.until(() => patches().length === 1, "the request");
    first.kill();
    release();
    await outcome(sending);
    expect(new Set(by)).toEqual(new Set([first, second]));
    expect(world.server.log("~alice").entries).toHaveLength(1);
  });
});

describe("reading", () => {
  const place = { conversation: alicesBob, seq: 7, file: "ab" };

  test("a URL has a key, which is asked for once and replaced before it ends", async () => {
    const alice = await online();
    let heard = 0;
    alice.files.onKey(() => heard++);
    expect(alice.files.url(place)).toBeUndefined();
    expect(alice.files.url(place)).toBeUndefined();
    await alice.files.ready();
    expect(server.keys).toEqual(["key1"]);
    expect(heard).toBe(1);
    expect(alice.files.url(place)).toBe("http://skein.example/v1/files/ab?c=%405%3Aalice%3Abob&s=7&k=key1");
    expect(alice.files.url({ file: "ab" }, { size: "s", save: true })).toBe("http://skein.example/v1/files/ab?t=s&d=1&k=key1");
    world.clock.advance(54 * 60_000);
    await turn();
    expect(server.keys).toHaveLength(1);
    await world.until(() => alice.state === "online", "the connection");
    world.clock.advance(61_000);
    await world.until(() => server.keys.length === 2, "the next key");
    await world.until(() => heard === 2, "the news");
    expect(alice.files.url(place)).toContain("k=key2");
  });

  test("without a network there is no key, and one comes with the network", async () => {
    const alice = client();
    world.server.down = true;
    void alice.connect().catch(() => undefined);
    await alice.ready;
    expect(alice.files.url(place)).toBeUndefined();
    const ready = alice.files.ready();
    world.server.down = false;
    await outcome(ready);
    expect(alice.files.url(place)).toContain("k=key1");
    await expect(alice.files.ready()).resolves.toBeUndefined();
    const controller = new AbortController();
    world.clock.advance(3 * 3_600_000);
    world.server.down = true;
    world.server.cut();
    expect(alice.files.url(place)).toBeUndefined();
    const waiting = alice.files.ready({ signal: controller.signal });
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ code: "aborted" });
  });
});
