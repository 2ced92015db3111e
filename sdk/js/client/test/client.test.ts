import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { SkeinError } from "../src/error.js";
import { kinds } from "../src/reduce/state.js";
import { memoryStore } from "../src/store/memory.js";
import type { Client, FrameEvent } from "../src/types/client.js";
import type { Message } from "../src/types/message.js";
import { turn } from "./fake/clock.js";
import { textBody, tokenFor } from "./fake/server.js";
import { ManualEnvironment, World, alicesBob } from "./fake/world.js";

let world: World;

beforeEach(() => {
  world = new World();
});
afterEach(() => world.close());

const texts = (messages: readonly Message[]): (string | undefined)[] => messages.map((m) => m.text);

/** The error that a promise rejects with. */
async function refusal(promise: Promise<unknown>): Promise<SkeinError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(SkeinError);
  return error as SkeinError;
}

describe("sending", () => {
  test("a message shows at once, and the promise is the server's ack", async () => {
    const alice = await world.online("alice");
    const bob = alice.conversation.with("bob");
    await bob.open();
    const states: string[] = [];
    alice.on("messageUpdated", ({ message }) => states.push(message.state));
    const sending = bob.send({ text: "hi", mentions: ["bob"] });
    expect(bob.messages).toMatchObject([{ text: "hi", state: "sending", mine: true, seq: undefined }]);
    const key = bob.messages[0]?.key;
    const sent = await sending;
    expect(sent).toMatchObject({ text: "hi", state: "sent", seq: 1, ord: 1, key, mentions: ["bob"] });
    expect(bob.messages).toEqual([sent]);
    expect(states).toEqual(["sending", "sent"]);
    expect(world.server.log(alicesBob).entries).toHaveLength(1);
  });

  test("the other user gets it, unread until they read", async () => {
    const [alice, bob] = [await world.online("alice"), await world.online("bob")];
    const got: (string | undefined)[] = [];
    bob.on("message", ({ message, missed }) => got.push(`${message.text} ${missed}`));
    await alice.conversation.with("bob").send({ text: "hi" });
    await world.until(() => got.length === 1);
    expect(got).toEqual(["hi false"]);
    const there = bob.conversation.with("alice");
    expect(there.unread).toBe(1);
    expect(bob.conversation.list()).toEqual([there]);
    there.read();
    expect(there.unread).toBe(0);
    const here = alice.conversation.with("bob");
    await world.until(() => here.readMarkers.get("bob")?.seq === 1, "the read marker");
    expect(here.readBy(here.lastMessage as Message)).toEqual(["bob"]);
  });

  test("a definitive error fails that message only, and a retry sends it again", async () => {
    const alice = await world.online("alice");
    const bob = alice.conversation.with("bob");
    await bob.open();
    world.server.refuse = (what) => (what === "send" ? { code: "permission_denied" } : undefined);
    const error = await refusal(bob.send({ text: "no" }));
    expect(error.code).toBe("permission_denied");
    const failed = bob.messages[0] as Message;
    expect(failed).toMatchObject({ state: "failed", error: { code: "permission_denied" } });
    world.server.refuse = () => undefined;
    expect(await bob.send({ text: "yes" })).toMatchObject({ seq: 1 });
    expect(await bob.retry(failed)).toMatchObject({ seq: 2, text: "no", id: failed.id });
    expect(texts(bob.messages)).toEqual(["yes", "no"]);
  });

  test("a retry after an id was used for something else takes a new id", async () => {
    const alice = await world.online("alice");
    const bob = alice.conversation.with("bob");
    await bob.open();
    world.server.refuse = (what) => (what === "send" ? { code: "client_id_reused" } : undefined);
    await refusal(bob.send({ text: "again" }));
    const failed = bob.messages[0] as Message;
    world.server.refuse = () => undefined;
    const sent = await bob.retry(failed);
    expect(sent.id).not.toBe(failed.id);
    expect(texts(bob.messages)).toEqual(["again"]);
  });

  test("a failed message can be discarded", async () => {
    const alice = await world.online("alice");
    const bob = alice.conversation.with("bob");
    await bob.open();
    world.server.refuse = (what) => (what === "send" ? { code: "too_large" } : undefined);
    await refusal(bob.send({ text: "big" }));
    const removed: (string | undefined)[] = [];
    alice.on("messageRemoved", ({ message }) => removed.push(message.text));
    await bob.discard(bob.messages[0] as Message);
    expect(bob.messages).toEqual([]);
    expect(removed).toEqual(["big"]);
    expect(alice.snapshot.outbox).toBe(0);
  });

  test("a send that the server puts off is tried again by itself", async () => {
    const alice = await world.online("alice");
    let refusals = 0;
    world.server.refuse = (what) => (what === "send" && refusals++ < 2 ? { code: "rate_limited", retryAfterMs: 100 } : undefined);
    const sending = alice.conversation.with("bob").send({ text: "slow" });
    await world.until(() => refusals === 3, "the third attempt");
    expect(await sending).toMatchObject({ seq: 1 });
  });

  test("what the server would refuse is refused before it is sent", async () => {
    const alice = await world.online("alice");
    const bob = alice.conversation.with("bob");
    expect((await refusal(bob.send({ text: "" }))).code).toBe("invalid_argument");
    expect((await refusal(bob.send({ text: "é".repeat(8193) }))).code).toBe("too_large");
    expect((await refusal(bob.send({ custom: { type: "a b", data: "" } }))).code).toBe("invalid_argument");
    const custom = await bob.send({ custom: { type: "shop.order", data: '{"id":1}', summary: "order 1" } });
    expect(custom.kind).toBe("custom");
    expect(new TextDecoder().decode(custom.custom?.data)).toBe('{"id":1}');
  });

  test("messages sent offline go in order on return, each once", async () => {
    const alice = await world.online("alice");
    const bob = alice.conversation.with("bob");
    await bob.open();
    world.server.down = true;
    world.server.cut();
    await world.until(() => alice.state === "waiting");
    const sends = ["one", "two", "three"].map((text) => bob.send({ text }));
    expect(texts(bob.messages)).toEqual(["one", "two", "three"]);
    world.server.down = false;
    await world.until(() => alice.state === "online");
    await Promise.all(sends);
    expect(world.server.log(alicesBob).entries.map((e) => e.body?.content?.text?.text)).toEqual(["one", "two", "three"]);
  });

  test("an ack that is lost with the connection doubles nothing", async () => {
    const alice = await world.online("alice");
    const bob = alice.conversation.with("bob");
    await bob.open();
    world.server.shape = (frames) => frames.filter((frame) => !frame.ack);
    const sending = bob.send({ text: "once" });
    await world.until(() => world.server.log(alicesBob).entries.length === 1);
    world.server.shape = (frames) => frames;
    world.server.cut();
    await world.until(() => alice.state === "waiting");
    expect(await world.until(() => alice.state === "online").then(() => sending)).toMatchObject({ seq: 1 });
    expect(texts(bob.messages)).toEqual(["once"]);
    expect(world.server.log(alicesBob).entries).toHaveLength(1);
  });

  test("a signal ends the waiting, not the sending", async () => {
    const alice = await world.online("alice");
    const bob = alice.conversation.with("bob");
    await bob.open();
    world.server.mute = true;
    const given = new AbortController();
    const sending = bob.send({ text: "later" }, { signal: given.signal });
    given.abort();
    expect((await refusal(sending)).code).toBe("aborted");
    expect(bob.messages).toMatchObject([{ state: "sending" }]);
    world.server.mute = false;
    world.server.cut();
    await world.until(() => bob.messages[0]?.state === "sent");
  });

  test("an unanswered send on a live connection brings a new connection", async () => {
    const alice = await world.online("alice");
    world.server.mute = true;
    const sending = alice.conversation.with("bob").send({ text: "stuck" });
    await turn();
    world.server.mute = false;
    await world.until(() => world.server.hellos.length === 2, "a second hello");
    expect(await sending).toMatchObject({ seq: 1 });
  });

  test("the outbox survives a restart that shares the store", async () => {
    const store = memoryStore();
    world.server.down = true;
    const first = world.client("alice", { store });
    void first.connect().catch(() => undefined);
    await first.ready;
    first.conversation.with("bob").sendLocal({ text: "kept" });
    await turn();
    await first.close();
    world.server.down = false;
    const second = world.client("alice", { store });
    void second.connect();
    await second.ready;
    const bob = second.conversation.with("bob");
    await bob.open();
    expect(bob.messages).toMatchObject([{ text: "kept", state: "sending" }]);
    await world.until(() => bob.messages[0]?.state === "sent");
    expect(world.server.log(alicesBob).entries).toHaveLength(1);
  });
});

describe("edits, recalls and reactions", () => {
  async function pair(): Promise<{ alice: Client; bob: Client; sent: Message }> {
    const [alice, bob] = [await world.online("alice"), await world.online("bob")];
    await alice.conversation.with("bob").open();
    await bob.conversation.with("alice").open();
    const sent = await alice.conversation.with("bob").send({ text: "helo" });
    await world.until(() => bob.conversation.with("alice").messages.length === 1);
    return { alice, bob, sent };
  }

  test("an edit shows at once here and soon there", async () => {
    const { alice, bob, sent } = await pair();
    const here = alice.conversation.with("bob");
    const editing = here.edit(sent, { text: "hello" });
    expect(here.messages).toMatchObject([{ text: "hello", edited: true, pending: true }]);
    expect(await editing).toMatchObject({ text: "hello", edited: true, pending: false, seq: 1 });
    const there = bob.conversation.with("alice");
    await world.until(() => there.messages[0]?.text === "hello");
    expect(there.messages).toMatchObject([{ edited: true, key: sent.key }]);
    expect(await here.edits(sent)).toMatchObject([{ text: "first", editSeq: undefined }]);
  });

  test("a recalled message loses its body everywhere", async () => {
    const { alice, bob, sent } = await pair();
    await alice.conversation.with("bob").recall(sent);
    const there = bob.conversation.with("alice");
    await world.until(() => there.messages[0]?.recalled);
    expect(there.messages).toMatchObject([{ text: undefined, edited: false }]);
    expect(alice.conversation.with("bob").messages).toMatchObject([{ recalled: true, text: undefined }]);
  });

  test("a reaction is counted once, and can be taken back", async () => {
    const { alice, bob } = await pair();
    const [here, there] = [alice.conversation.with("bob"), bob.conversation.with("alice")];
    await there.react(there.messages[0] as Message, "👍");
    await world.until(() => here.messages[0]?.reactions.length === 1);
    expect(here.messages[0]?.reactions).toMatchObject([{ emoji: "👍", count: 1, mine: false, users: ["bob"] }]);
    expect(there.messages[0]?.reactions).toMatchObject([{ emoji: "👍", count: 1, mine: true }]);
    await there.react(there.messages[0] as Message, "👍", { remove: true });
    await world.until(() => here.messages[0]?.reactions.length === 0);
  });

  test("a refused edit is taken off again", async () => {
    const { alice, sent } = await pair();
    world.server.refuse = (what) => (what === "EditMessage" ? { code: "failed_precondition" } : undefined);
    const here = alice.conversation.with("bob");
    expect((await refusal(here.edit(sent, { text: "no" }))).code).toBe("failed_precondition");
    expect(here.messages).toMatchObject([{ text: "helo", edited: false, pending: false }]);
  });

  test("what is about an unsent message waits for its ack", async () => {
    const alice = await world.online("alice");
    const bob = alice.conversation.with("bob");
    await bob.open();
    world.server.down = true;
    world.server.cut();
    await world.until(() => alice.state === "waiting");
    const echo = bob.sendLocal({ text: "draft" });
    const editing = bob.edit(echo, { text: "final" });
    expect(texts(bob.messages)).toEqual(["final"]);
    world.server.down = false;
    await world.until(() => alice.state === "online");
    await editing;
    expect(bob.messages).toMatchObject([{ text: "final", edited: true, seq: 1, state: "sent" }]);
  });
});

describe("history", () => {
  test("opens with the newest page, and older ones come without a gap until the start", async () => {
    for (let i = 1; i <= 120; i++) world.server.text(alicesBob, "bob", `m${i}`);
    const alice = await world.online("alice");
    const bob = alice.conversation.with("bob");
    await bob.open({ limit: 30 });
    expect(texts(bob.messages)).toEqual(Array.from({ length: 30 }, (_, i) => `m${91 + i}`));
    expect(bob.window).toMatchObject({ opened: true, atStart: false, atEnd: true, loading: "none" });
    while (await bob.loadOlder({ limit: 40 }));
    expect(texts(bob.messages)).toEqual(Array.from({ length: 120 }, (_, i) => `m${1 + i}`));
    expect(bob.window.atStart).toBe(true);
  });

  test("asks the server about a conversation of which nothing has come here yet", async () => {
    const alice = await world.online("alice");
    world.server.shape = (frames) => frames.filter((frame) => !frame.entry); // the news is still on its way
    world.server.text(alicesBob, "bob", "hi");
    const pages: unknown[] = [];
    for await (const page of alice.conversation.with("bob").history()) pages.push(texts(page));
    for await (const page of alice.conversation.with("carol").history()) pages.push(page);
    expect(pages).toEqual([["hi"]]);
  });

  test("jumps to a place and back to the newest", async () => {
    for (let i = 1; i <= 300; i++) world.server.text(alicesBob, "bob", `m${i}`);
    const alice = await world.online("alice");
    const bob = alice.conversation.with("bob");
    await bob.open();
    const found = await bob.jumpTo(100, { limit: 20 });
    expect(found?.text).toBe("m100");
    expect(texts(bob.messages)).toEqual(Array.from({ length: 20 }, (_, i) => `m${91 + i}`));
    expect(bob.window).toMatchObject({ atStart: false, atEnd: false });
    world.server.text(alicesBob, "bob", "news");
    await world.until(() => bob.lastMessage?.text === "news");
    expect(texts(bob.messages).at(-1)).toBe("m110");
    expect(await bob.loadNewer({ limit: 10 })).toBe(true);
    expect(texts(bob.messages).at(-1)).toBe("m120");
    await bob.jumpToLatest({ limit: 10 });
    expect(texts(bob.messages).at(-1)).toBe("news");
    expect(bob.window.atEnd).toBe(true);
  });

  test("goes where it was led last, whatever was under way", async () => {
    for (let i = 1; i <= 300; i++) world.server.text(alicesBob, "bob", `m${i}`);
    const alice = await world.online("alice");
    const bob = alice.conversation.with("bob");
    const [, first, second] = await Promise.all([bob.open(), bob.jumpTo(100, { limit: 20 }), bob.jumpTo(40, { limit: 20 }), bob.open()]);
    expect([first?.text, second?.text]).toEqual(["m100", "m40"]);
    expect(texts(bob.messages)).toEqual(Array.from({ length: 20 }, (_, i) => `m${31 + i}`));
    await Promise.all([bob.jumpTo(200, { limit: 20 }), bob.jumpToLatest({ limit: 10 })]);
    expect(texts(bob.messages).at(-1)).toBe("m300");
    expect(bob.window).toMatchObject({ atEnd: true, loading: "none" });
  });

  test("pages both ways, also from the very start", async () => {
    for (let i = 1; i <= 130; i++) world.server.text(alicesBob, "bob", `m${i}`);
    const alice = await world.online("alice");
    const bob = alice.conversation.with("bob");
    const back: (string | undefined)[][] = [];
    for await (const page of bob.history({ before: 61, limit: 25 })) back.push(texts(page));
    expect(back.map((page) => page.length)).toEqual([25, 25, 10]);
    expect(back[0]?.at(-1)).toBe("m60");
    const forth: (string | undefined)[] = [];
    for await (const page of bob.history({ after: 0, limit: 50 })) forth.push(...texts(page));
    expect(forth).toEqual(Array.from({ length: 130 }, (_, i) => `m${1 + i}`));
  });

  test("offline it serves what it holds and then says that it can not", async () => {
    for (let i = 1; i <= 80; i++) world.server.text(alicesBob, "bob", `m${i}`);
    const alice = await world.online("alice");
    world.server.down = true;
    world.server.cut();
    await world.until(() => alice.state === "waiting");
    const bob = alice.conversation.with("bob");
    await bob.open({ limit: 100 });
    expect(bob.messages).toHaveLength(50);
    expect(bob.window.error?.code).toBe("unavailable");
    expect(await bob.loadOlder()).toBe(false);
    const pages: number[] = [];
    const reading = (async () => {
      for await (const page of bob.history()) pages.push(page.length);
    })();
    expect((await refusal(reading)).code).toBe("unavailable");
    expect(pages).toEqual([50]);
  });

  test("a second client on the same store opens the last state while the server is away", async () => {
    const store = memoryStore();
    for (let i = 1; i <= 20; i++) world.server.text(alicesBob, "bob", `m${i}`);
    const first = await world.online("alice", { store });
    await first.close();
    world.server.down = true;
    const second = world.client("alice", { store });
    void second.connect().catch(() => undefined);
    await second.ready;
    const [bob] = second.conversation.list();
    expect(bob?.id).toBe(alicesBob);
    expect(bob?.unread).toBe(20);
    await bob?.open();
    expect(bob?.messages).toHaveLength(20);
    expect(bob?.lastMessage?.text).toBe("m20");
  });

  test("search finds every word in what is held, newest first, in any case and width", async () => {
    world.server.text(alicesBob, "bob", "Hello Wörld");
    world.server.text(alicesBob, "bob", "你好 世界");
    world.server.text(alicesBob, "bob", "ＨＥＬＬＯ again wörld");
    const alice = await world.online("alice");
    const hits = await alice.search("wörld hello");
    expect(hits.map((hit) => hit.message.text)).toEqual(["ＨＥＬＬＯ again wörld", "Hello Wörld"]);
    expect(texts(await alice.conversation.with("bob").search("世界"))).toEqual(["你好 世界"]);
    expect(await alice.search(" ")).toEqual([]);
  });

  test("what was missed while away comes as missed, and a gap is never shown", async () => {
    const alice = await world.online("alice");
    for (let i = 1; i <= 3; i++) world.server.text(alicesBob, "bob", `m${i}`);
    const bob = alice.conversation.with("bob");
    await bob.open();
    await world.until(() => bob.messages.length === 3);
    const got: string[] = [];
    alice.on("message", ({ message, missed }) => got.push(`${message.text} ${missed}`));
    world.server.cut();
    await world.until(() => alice.state === "waiting");
    for (let i = 4; i <= 200; i++) world.server.text(alicesBob, "bob", `m${i}`);
    await world.until(() => alice.state === "online");
    expect(got).toEqual(Array.from({ length: 50 }, (_, i) => `m${151 + i} true`));
    const seqs = bob.messages.map((m) => m.seq);
    expect(seqs).toEqual(Array.from({ length: seqs.length }, (_, i) => 201 - seqs.length + i));
    while (await bob.loadOlder());
    expect(texts(bob.messages)).toEqual(Array.from({ length: 200 }, (_, i) => `m${1 + i}`));
  });
});

describe("the connection", () => {
  test("resumes in one round trip with the cursor that it stored", async () => {
    const alice = await world.online("alice");
    world.server.text(alicesBob, "bob", "one");
    await world.until(() => alice.conversation.with("bob").unread === 1);
    world.server.cut();
    await world.until(() => alice.state === "waiting");
    world.server.heard.length = 0;
    await world.until(() => alice.state === "online");
    expect(world.server.hellos.at(-1)?.cursor).toMatch(/^i1\/[1-9]/);
    expect(world.server.heard).toEqual(["hello"]);
  });

  test("a large account comes page by page", async () => {
    for (let i = 1; i <= 25; i++) {
      world.clock.advance(10);
      world.server.text(`@5:alice:user${i}`, `user${i}`, `from ${i}`);
    }
    world.server.syncConversations = 10;
    const alice = world.client("alice");
    const done: string[] = [];
    alice.on("sync", (event) => done.push(`${event.done} ${event.more}`));
    const states: string[] = [];
    alice.on("state", ({ state }) => states.push(state));
    await alice.connect();
    expect(done).toEqual(["10 true", "20 true", "25 false"]);
    expect(states).toEqual(["connecting", "syncing", "online"]);
    expect(alice.conversation.list()).toHaveLength(25);
    expect(alice.conversation.list()[0]?.peer).toBe("user25");
  });

  test("the network's return and a page that becomes visible end the waiting at once", async () => {
    const environment = new ManualEnvironment();
    const alice = await world.online("alice", { environment });
    world.server.down = true;
    world.server.cut();
    for (let i = 0; i < 50 && alice.state !== "waiting"; i++) await turn();
    expect(alice.snapshot.retryAt).toBeGreaterThanOrEqual(world.clock.now());
    world.server.down = false;
    environment.signal("visible");
    for (let i = 0; i < 50 && alice.state !== "online"; i++) await turn();
    expect(alice.state).toBe("online");
  });

  test("a connection that went silent is found out by a probe", async () => {
    const environment = new ManualEnvironment();
    const alice = await world.online("alice", { environment });
    world.server.shape = () => [];
    environment.signal("visible");
    await turn();
    world.clock.advance(3_000);
    expect(alice.state).toBe("waiting");
    world.server.shape = (frames) => frames;
    await world.until(() => alice.state === "online");
  });

  test("timers that a hidden page's browser holds back run when another tab ticks, or something is heard", async () => {
    const environment = new ManualEnvironment();
    const alice = await world.online("alice", { environment });
    const pings = (): number => world.server.heard.filter((name) => name === "ping").length;
    world.clock.skip(30_000);
    environment.signal("tick");
    await turn();
    expect(pings()).toBe(1);
    world.clock.skip(30_000);
    world.server.text(alicesBob, "bob", "hi");
    await turn();
    await turn();
    expect(pings()).toBe(2);
    expect(alice.state).toBe("online");
  });

  test("a refused token is replaced once; two fresh ones refused mean signed out", async () => {
    let tokens = 0;
    world.server.refuse = (what) => (what === "hello" ? { code: "unauthenticated" } : undefined);
    const alice = world.client("alice", { token: () => tokenFor(`alice`, 3_000_000_000_000 + ++tokens) });
    expect((await refusal(alice.connect())).code).toBe("unauthenticated");
    expect(alice.state).toBe("signedOut");
    expect(tokens).toBe(2);
    world.server.refuse = () => undefined;
    await alice.connect();
    expect(alice.state).toBe("online");
  });

  test("the supplier is asked again before the token ends, and the session goes on", async () => {
    let tokens = 0;
    const alice = await world.online("alice", { token: () => tokenFor("alice", world.clock.now() + ++tokens * 100_000) });
    expect(tokens).toBe(1);
    await world.until(() => world.server.heard.includes("refreshToken"));
    expect(tokens).toBe(2);
    expect(alice.state).toBe("online");
    expect(world.server.hellos).toHaveLength(1);
  });

  test("a call whose token has expired gets another one and is made again", async () => {
    let tokens = 0;
    const alice = await world.online("alice", { token: () => tokenFor("alice", 3_000_000_000_000 + ++tokens) });
    let refusals = 0;
    world.server.refuse = (what) => (what === "ListDevices" && refusals++ === 0 ? { code: "token_expired" } : undefined);
    expect(await alice.devices.list()).toMatchObject([{ online: true, platform: "web" }]);
    expect(tokens).toBe(2);
  });

  test("a token supplier that fails is told of, waited for, and asked again", async () => {
    let fails = true;
    const alice = world.client("alice", {
      token: () => {
        if (fails) throw new Error("the back end is away");
        return tokenFor("alice");
      },
    });
    const connecting = alice.connect();
    await world.until(() => alice.state === "waiting");
    expect(alice.snapshot.error?.code).toBe("unavailable");
    expect(alice.snapshot.error?.cause).toBeInstanceOf(Error);
    fails = false;
    await world.until(() => alice.state === "online");
    await connecting;
  });

  test("a token of somebody else stops the client before anything of the user is shown to them", async () => {
    const alice = world.client("alice", { token: () => tokenFor("mallory") });
    const error = await refusal(alice.connect());
    expect(error.code).toBe("unauthenticated");
    expect(alice.state).toBe("closed");
    expect(world.server.hellos).toEqual([]);
    expect((await refusal(alice.connect())).code).toBe("unauthenticated");
  });

  test("without a user id the token tells the user; without a token the store does", async () => {
    const store = memoryStore();
    const first = world.client("alice", { store, userId: undefined });
    await first.connect();
    expect(first.userId).toBe("alice");
    const device = first.snapshot.deviceId;
    await first.close();
    const second = world.client("alice", {
      store,
      userId: undefined,
      token: () => Promise.reject(new Error("offline")),
    });
    void second.connect().catch(() => undefined);
    await second.ready;
    expect(second.userId).toBe("alice");
    await world.until(() => second.snapshot.deviceId === device);
  });

  test("the same device twice: the older connection is replaced and stays away", async () => {
    const first = await world.online("alice", { deviceId: "phone" });
    const second = await world.online("alice", { deviceId: "phone" });
    await world.until(() => first.state === "replaced");
    expect(second.state).toBe("online");
    expect(world.server.connections).toBe(1);
  });

  test("signing another device out ends it; signing out here forgets everything", async () => {
    const store = memoryStore();
    world.server.text(alicesBob, "bob", "secret");
    const phone = await world.online("alice", { deviceId: "phone" });
    const laptop = await world.online("alice", { deviceId: "laptop", store });
    await laptop.devices.signOut("phone");
    await world.until(() => phone.state === "signedOut");
    await laptop.signOut();
    expect(laptop.state).toBe("signedOut");
    expect(world.server.connections).toBe(0);
    expect(await store.lastUser("http://skein.example", "demo")).toBeUndefined();
    const partition = await store.open({ endpoint: "http://skein.example", appId: "demo", userId: "alice" });
    expect(await partition.load()).toMatchObject({ conversations: [], outbox: [] });
  });

  test("after close nothing can be asked any more", async () => {
    const alice = await world.online("alice");
    const bob = alice.conversation.with("bob");
    world.server.mute = true;
    const sending = refusal(bob.send({ text: "never" }));
    await alice.close();
    expect((await sending).code).toBe("closed");
    expect((await refusal(bob.send({ text: "later" }))).code).toBe("closed");
    expect((await refusal(alice.connect())).code).toBe("closed");
    expect((await refusal(alice.devices.list())).code).toBe("closed");
    await world.until(() => world.server.connections === 0);
  });

  test("a conversation that begins with what was sent before the first sync outlives the next ones", async () => {
    world.server.down = true;
    const alice = world.client("alice");
    void alice.connect().catch(() => undefined);
    await alice.ready;
    const bob = alice.conversation.with("bob");
    await bob.open();
    const sending = bob.send({ text: "first ever" });
    world.server.down = false;
    await world.until(() => alice.state === "online");
    await sending;
    world.server.cut();
    await world.until(() => alice.state === "waiting");
    await world.until(() => alice.state === "online");
    expect(texts(bob.messages)).toEqual(["first ever"]);
    expect(alice.conversation.list()).toEqual([bob]);
  });

  test("what waits for a conversation that a restored journal has lost begins it anew", async () => {
    for (let i = 1; i <= 3; i++) world.server.text(alicesBob, "bob", `old ${i}`);
    const alice = await world.online("alice");
    const bob = alice.conversation.with("bob");
    await bob.open();
    world.server.down = true;
    world.server.cut();
    await world.until(() => alice.state === "waiting");
    const sending = bob.send({ text: "still to say" });
    world.server.log(alicesBob).entries = [];
    world.server.incarnation = "i2";
    world.server.down = false;
    await world.until(() => alice.state === "online");
    expect(await sending).toMatchObject({ seq: 1, state: "sent" });
    await world.until(() => texts(bob.messages).join() === "still to say");
    expect(bob.head).toEqual({ seq: 1, ord: 1 });
    const fresh = await world.online("alice", { deviceId: "fresh" });
    await fresh.conversation.with("bob").open();
    expect(texts(fresh.conversation.with("bob").messages)).toEqual(["still to say"]);
  });

  test("another incarnation of the journal replaces what differs", async () => {
    for (let i = 1; i <= 3; i++) world.server.text(alicesBob, "bob", `old ${i}`);
    const alice = await world.online("alice");
    const bob = alice.conversation.with("bob");
    await bob.open();
    expect(texts(bob.messages)).toEqual(["old 1", "old 2", "old 3"]);
    const log = world.server.log(alicesBob);
    log.entries = log.entries.slice(0, 1);
    world.server.incarnation = "i2";
    world.server.text(alicesBob, "bob", "new 2");
    world.server.cut();
    await world.until(() => alice.state === "waiting");
    await world.until(() => alice.state === "online");
    await world.until(() => bob.messages.length === 2);
    expect(texts(bob.messages)).toEqual(["old 1", "new 2"]);
  });

  test("debug shows every frame, and never the token", async () => {
    const alice = world.client("alice", { debug: true });
    const frames: FrameEvent[] = [];
    alice.on("frame", (frame) => frames.push(frame));
    await alice.connect();
    await alice.conversation.with("bob").send({ text: "hi" });
    expect(frames.map((f) => `${f.direction} ${f.name}`)).toEqual(["out hello", "in welcome", "out send", "in ack"]);
    expect(JSON.stringify(frames)).not.toContain(tokenFor("alice").split(".")[1]);
  });

  test("a listener that throws keeps nobody else from hearing", async () => {
    const alice = await world.online("alice");
    const heard: string[] = [];
    const thrown: unknown[] = [];
    const catcher = (error: unknown): void => {
      thrown.push(error);
    };
    process.once("uncaughtException", catcher);
    alice.on("message", () => {
      throw new Error("an app's mistake");
    });
    alice.on("message", ({ message }) => heard.push(message.text ?? ""));
    world.server.text(alicesBob, "bob", "hi");
    await world.until(() => thrown.length === 1);
    expect(heard).toEqual(["hi"]);
    expect(alice.state).toBe("online");
  });
});

describe("gaps", () => {
  test("entries that never came are fetched, and shown in order", async () => {
    const alice = await world.online("alice");
    const bob = alice.conversation.with("bob");
    await bob.open();
    let drop = true;
    world.server.shape = (frames) => (drop ? [] : frames);
    world.server.text(alicesBob, "bob", "lost 1");
    world.server.text(alicesBob, "bob", "lost 2");
    drop = false;
    world.server.text(alicesBob, "bob", "came 3");
    await turn();
    expect(bob.messages).toEqual([]);
    await world.until(() => bob.messages.length === 3, "the repair");
    expect(texts(bob.messages)).toEqual(["lost 1", "lost 2", "came 3"]);
    expect(world.server.heard).toContain("ListMessages");
    world.server.text(alicesBob, "bob", "goes on");
    await world.until(() => bob.messages.length === 4);
  });

  test("an own message that passes the ones before it waits for them", async () => {
    const alice = await world.online("alice");
    const bob = alice.conversation.with("bob");
    await bob.open();
    world.server.shape = (frames) => frames.filter((frame) => !frame.entry);
    world.server.text(alicesBob, "bob", "before");
    const sent = await bob.send({ text: "after" });
    expect(sent).toMatchObject({ state: "sent", seq: 2, text: "after" });
    world.server.shape = (frames) => frames;
    await world.until(() => bob.messages.length === 2);
    expect(texts(bob.messages)).toEqual(["before", "after"]);
    expect(alice.snapshot.outbox).toBe(0);
  });
});

describe("groups", () => {
  test("are made, listed, and change by their entries", async () => {
    const [alice, bob] = [await world.online("alice"), await world.online("bob")];
    const group = await alice.conversation.createGroup({ id: "team", title: "Team", members: ["bob"] });
    expect(group).toMatchObject({ id: "team", kind: "group", title: "Team", memberCount: 2, myRole: "owner" });
    expect(alice.conversation.group("team")).toBe(group);
    await group.send({ text: "welcome" });
    const there = bob.conversation.group("team");
    await world.until(() => there.unread === 1);
    await world.until(() => there.title === "Team", "the title, which no entry told");
    world.server.append("team", "alice", {
      kind: kinds.conversation,
      body: { ...textBody("x"), content: { conversation: { title: "Squad" }, replyToSeq: 0, mentions: [] } },
    });
    await world.until(() => there.title === "Squad");
    const members = [];
    for await (const page of group.members()) members.push(...page);
    expect(members.map((m) => `${m.user} ${m.role}`)).toEqual(["alice owner", "bob member"]);
  });
});

describe("typing and presence", () => {
  test("typing is told at most every three seconds, and ends by itself or with a message", async () => {
    const [alice, bob] = [await world.online("alice"), await world.online("bob")];
    const [here, there] = [alice.conversation.with("bob"), bob.conversation.with("alice")];
    const heard: string[] = [];
    bob.on("typing", ({ user, typing }) => heard.push(`${user} ${typing}`));
    for (let i = 0; i < 10; i++) here.setTyping(true);
    for (let i = 0; i < 50 && !there.typing.length; i++) await turn();
    expect(there.typing).toEqual(["alice"]);
    expect(world.server.heard.filter((name) => name === "typing")).toHaveLength(1);
    world.clock.advance(6_000);
    expect(there.typing).toEqual([]);
    here.setTyping(true);
    for (let i = 0; i < 50 && !there.typing.length; i++) await turn();
    await here.send({ text: "done" });
    await world.until(() => there.lastMessage?.text === "done");
    expect(there.typing).toEqual([]);
    expect(heard).toEqual(["alice true", "alice false", "alice true", "alice false"]);
  });

  test("presence is watched for as long as somebody wants to know", async () => {
    const alice = await world.online("alice");
    await world.online("bob");
    const off = alice.presence.watch(["bob", "carol"]);
    await world.until(() => alice.presence.get("carol"));
    expect(alice.presence.get("bob")).toMatchObject({ online: true });
    expect(alice.presence.get("carol")).toMatchObject({ online: false });
    expect(await alice.presence.fetch(["bob"])).toMatchObject([{ user: "bob", online: true }]);
    off();
    world.server.cut();
    await world.until(() => alice.state === "waiting");
    expect(alice.presence.get("bob")).toBeUndefined();
  });
});

describe("snapshots", () => {
  test("keep their identity until something in them changes", async () => {
    world.server.text(alicesBob, "bob", "one");
    const alice = await world.online("alice");
    const bob = alice.conversation.with("bob");
    await bob.open();
    const [before, list] = [bob.snapshot, alice.conversation.list()];
    let told = 0;
    const off = bob.subscribe(() => told++);
    expect(bob.snapshot).toBe(before);
    expect(alice.conversation.list()).toBe(list);
    world.server.text(alicesBob, "bob", "two");
    await world.until(() => bob.snapshot !== before);
    expect(bob.messages[0]).toBe(before.messages[0]);
    await world.until(() => told > 0);
    const messages = bob.messages;
    bob.read();
    expect(bob.snapshot.unread).toBe(0);
    expect(bob.messages).toBe(messages);
    off();
    off();
  });

  test("tell every listener, also when somebody has read the new one before", async () => {
    const alice = await world.online("alice");
    const bob = alice.conversation.with("bob");
    await bob.open();
    world.server.cut();
    await world.until(() => alice.state === "waiting");
    let told = 0;
    bob.subscribe(() => told++);
    bob.sendLocal({ text: "one" });
    expect(bob.messages).toHaveLength(1);
    await Promise.resolve();
    expect(told).toBe(1);
  });
});
