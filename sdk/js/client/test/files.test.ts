import { describe, expect, test } from "vitest";
import { SkeinError } from "../src/error.js";
import type { HttpRequest, Transfer } from "../src/modules/files/index.js";
import { memoryStore } from "../src/store/memory.js";
import type { Message } from "../src/types/message.js";
import { turn } from "./fake/clock.js";
import { answer } from "./fake/files.js";
import { tokenFor } from "./fake/server.js";
import { bytes, chunk, client, entries, file, hold, mib, modules, online, outcome, patches, server, settled, states, world } from "./fake/transfers.js";
import { alicesBob } from "./fake/world.js";

describe("a message with files", () => {
  test("is uploaded, and becomes one message that names it", async () => {
    const alice = await online();
    const seen: string[] = [];
    const bob = alice.conversation.with("bob");
    const message = await bob.send({ file: file(1000), caption: "look", onProgress: ({ state }) => seen.push(state) });
    expect(message).toMatchObject({ seq: 1, state: "sent", content: { type: "attachments", caption: "look" } });
    expect(message.content).toMatchObject({ items: [{ file: "1", name: "safe cat.png", mime: "image/png", size: 1000, width: 30, height: 20, url: "" }] });
    expect([...server.uploads.values()]).toMatchObject([{ name: "cat.png", mime: "image/png", bytes: bytes(1000), made: true }]);
    await world.until(() => alice.files.transfers().length === 0, "the end of the transfer");
    expect([...new Set(seen)]).toEqual(["waiting", "preparing", "uploading", "sending", "sent"]);
    expect(entries()).toHaveLength(1);
  });

  test("shows at once, with its bytes, and the message has its id", async () => {
    const alice = await online();
    const release = hold();
    const bob = alice.conversation.with("bob");
    const given = file(1000);
    const transfer = alice.files.send(bob, { files: [given], caption: "look", options: { silent: true } });
    expect(transfer).toMatchObject({ state: "waiting", caption: "look", size: 1000, sent: 0, offline: false, kept: true, options: { silent: true } });
    expect(transfer.items[0]?.blob).toBe(given);
    expect(alice.files.transfers()).toEqual([transfer]);
    expect(alice.files.transfers()).toBe(alice.files.transfers());
    expect(alice.files.transfers(bob)).toEqual([transfer]);
    expect(alice.files.transfers("g1")).toEqual([]);
    await world.until(() => states(alice)[0] === "uploading", "the upload");
    expect(alice.files.transfers()[0]).not.toBe(transfer);
    release();
    await world.until(() => bob.lastMessage?.state === "sent", "the message");
    expect(bob.lastMessage?.id).toBe(transfer.clientId);
    expect(bob.lastMessage?.delivery?.silent).toBe(true);
  });

  test("says of voice, film and pictures what the sender knows, and what the server finds out", async () => {
    const alice = await online({}, { describe: async (_, mime) => (mime === "video/mp4" ? { width: 64, height: 48, durationMs: 900, poster: new Blob(["poster"], { type: "image/jpeg" }) } : undefined) });
    const waveform = bytes(64);
    const voice = { blob: file(10, "v", "audio/ogg;codecs=opus"), name: "voice.ogg", voice: { waveform, durationMs: 1500.4 } };
    const message = await alice.conversation.with("bob").send({ files: [voice, file(20, "film.mp4", "video/mp4")] });
    const items = message.content?.type === "attachments" ? message.content.items : [];
    expect(items[0]).toMatchObject({ name: "safe voice.ogg", mime: "audio/ogg", voice: true, waveform, duration: 1500, poster: "" });
    const [film, poster] = ["film.mp4", "film.mp4.jpg"].map((name) => [...server.uploads.values()].find((one) => one.name === name));
    expect(items[1]).toMatchObject({ voice: false, waveform: undefined, duration: 900, file: film?.id, poster: poster?.id });
    expect(poster).toMatchObject({ mime: "image/jpeg", bytes: new TextEncoder().encode("poster") });
  });

  test("keeps the order of its files, and brings three at once at most", async () => {
    const alice = await online();
    const release = hold();
    const names = Array.from({ length: 7 }, (_, i) => `${i}.txt`);
    const sending = alice.conversation.with("bob").send({ files: names.map((name) => file(10, name)) });
    await world.until(() => patches().length === 3, "three at once");
    await turn();
    expect(server.most).toBe(3);
    expect([...server.uploads.values()].map(({ name }) => name)).toEqual(names.slice(0, 3));
    release();
    const message = await outcome(sending);
    expect(server.most).toBe(3);
    expect(message.content).toMatchObject({ items: names.map((name) => ({ name: `safe ${name}` })) });
  });

  test("answers, mentions, and lies in a thread as other messages do", async () => {
    const alice = await online();
    const bob = alice.conversation.with("bob");
    const first = await bob.send({ text: "which?" });
    const message = await bob.send({ file: file(1), replyTo: first, mentions: ["bob"], options: { priority: 1 } });
    expect(message).toMatchObject({ replyTo: 1, mentions: ["bob"], delivery: { priority: 1 } });
  });

  test("may be empty", async () => {
    const alice = await online();
    const message = await alice.conversation.with("bob").send({ file: file(0) });
    expect(message.content).toMatchObject({ items: [{ size: 0 }] });
    expect(server.heard).toEqual(["POST", "HEAD 1"]);
  });

  test("is refused at once when no server would take it", async () => {
    const alice = await online();
    const bob = alice.conversation.with("bob");
    await expect(bob.send({ files: [] })).rejects.toMatchObject({ code: "invalid_argument" });
    await expect(bob.send({ files: Array.from({ length: 21 }, () => file(1)) })).rejects.toMatchObject({ code: "invalid_argument" });
    await expect(bob.send({ file: file(1), caption: "é".repeat(2049) })).rejects.toMatchObject({ code: "too_large" });
    await expect(bob.send({ file: { blob: file(1), name: "v", voice: { waveform: bytes(129), durationMs: 1 } } })).rejects.toMatchObject({ code: "too_large" });
    const elsewhere = alice.conversation.with("carol").sendLocal({ text: "x" });
    await expect(bob.send({ file: file(1), replyTo: elsewhere })).rejects.toMatchObject({ code: "invalid_argument" });
    expect(alice.files.transfers()).toEqual([]);
    expect(server.heard).toEqual([]);
    await alice.close();
    expect(() => alice.files.send(alicesBob, { files: [file(1)] })).toThrow(SkeinError);
  });

  test("is sent as well when it can not be found out what a file is", async () => {
    for (const describe of [() => new Promise<undefined>(() => undefined), () => Promise.reject(new Error("no")), async () => ({ width: Number.NaN, height: 1.5, durationMs: Infinity })]) {
      const alice = await online({ deviceId: "d" }, { describe });
      const message = await outcome(alice.conversation.with("bob").send({ file: file(10, "a.mp4", "video/mp4") }));
      expect(message.content).toMatchObject({ items: [{ duration: 0, poster: "" }] });
      await alice.close();
    }
  });

  test("asks nothing of a file of which everything is known", async () => {
    let asked = 0;
    const alice = await online({}, { describe: async () => void asked++ });
    const bob = alice.conversation.with("bob");
    const poster = file(1, "p", "image/jpeg");
    await bob.send({ files: [{ blob: file(1), name: "a", width: 2, height: 3 }, { blob: file(2, "b", "video/mp4"), name: "b", width: 2.4, height: 3, poster }] });
    expect(asked).toBe(0);
    await bob.send({ files: [{ blob: file(2, "b", "video/mp4"), name: "b", width: 2, height: 3 }] });
    expect(asked).toBe(1);
  });

  test("that is forwarded is not uploaded again", async () => {
    const alice = await online();
    const message = await alice.conversation.with("bob").send({ file: file(10) });
    const before = server.heard.length;
    world.server.modules.set("ForwardMessages", () => new Uint8Array(0));
    await alice.messages.forward([message], "~alice");
    expect(world.server.heard.filter((name) => name === "ForwardMessages")).toHaveLength(1);
    expect(server.heard).toHaveLength(before);
  });
});

describe("progress", () => {
  test("is told ten times a second at most, with the rate of the last seconds and the time that is left", async () => {
    const alice = await online();
    hold();
    const heard: Transfer[] = [];
    alice.files.send(alice.conversation.with("bob"), { files: [file(chunk)], onProgress: (transfer) => heard.push(transfer) });
    await world.until(() => patches().length === 1, "the request");
    const { onProgress } = patches()[0] as HttpRequest;
    heard.length = 0;
    for (let ms = 0; ms < 2000; ms += 10) {
      world.clock.advance(10);
      onProgress?.((ms + 10) * 1024);
    }
    expect(heard.length).toBeGreaterThan(15);
    expect(heard.length).toBeLessThanOrEqual(23);
    const last = heard.at(-1) as Transfer;
    expect(last.bytesPerSecond).toBeGreaterThan(900 * 1024);
    expect(last.bytesPerSecond).toBeLessThan(1100 * 1024);
    expect(last.secondsLeft).toBe(Math.ceil((last.size - last.sent) / last.bytesPerSecond));
    expect(last.items[0]?.sent).toBe(last.sent);
    // Nothing goes out any more.
    world.clock.advance(9000);
    const { bytesPerSecond, secondsLeft } = alice.files.transfers()[0] as Transfer;
    expect([bytesPerSecond, secondsLeft]).toEqual([0, undefined]);
  });

  test("is never over before the server has the bytes", async () => {
    const alice = await online();
    const sums: number[] = [];
    const sending = alice.conversation.with("bob").send({ file: file(3 * chunk), onProgress: ({ sent }) => sums.push(sent) });
    await outcome(sending);
    expect(sums.at(-1)).toBe(3 * chunk);
    expect(sums).toEqual([...sums].sort((a, b) => a - b));
    // A request that took no time is followed by a larger one.
    expect(server.heard).toEqual(["POST", `PATCH 1 ${chunk}`, `PATCH 1 ${2 * chunk}`]);
  });
});

test("an app's mistake in what hears of progress ends nothing", async () => {
  const alice = await online();
  const thrown: unknown[] = [];
  process.once("uncaughtException", (error) => thrown.push(error));
  let calls = 0;
  const onProgress = (): void => {
    if (calls++ === 2) throw new Error("an app's mistake");
  };
  await outcome(alice.conversation.with("bob").send({ file: file(10), onProgress }));
  await world.until(() => thrown.length === 1, "the mistake");
  expect(calls).toBeGreaterThan(3);
});

describe("trouble", () => {
  test("a connection that is cut is found again, and nothing that arrived is sent twice", async () => {
    const alice = await online();
    let cuts = 0;
    const offline: boolean[] = [];
    server.after = ({ method }) => {
      if (method === "PATCH" && cuts++ < 2) throw new TypeError("cut");
    };
    const sending = alice.conversation.with("bob").send({ file: file(2 * chunk), onProgress: (transfer) => offline.push(transfer.offline) });
    await outcome(sending);
    expect(offline).toContain(true);
    expect(offline.at(-1)).toBe(false);
    const brought = patches().reduce((sum, { body }) => sum + (body?.size ?? 0), 0);
    expect(brought).toBe(2 * chunk);
    expect(server.heard.filter((one) => one.startsWith("HEAD"))).toHaveLength(2);
    expect(Buffer.compare(server.uploads.get("1")?.bytes ?? bytes(0), bytes(2 * chunk))).toBe(0);
  });

  test("without a network it waits, and goes on at once when the client is online again", async () => {
    const alice = await online();
    world.server.down = true;
    world.server.cut();
    server.before = () => {
      throw new TypeError("no network");
    };
    await world.until(() => alice.state === "waiting", "no connection");
    const sending = settled(alice.conversation.with("bob").send({ file: file(10) }));
    await world.until(() => alice.files.transfers()[0]?.offline, "an offline transfer");
    expect(states(alice)).toEqual(["waiting"]);
    server.before = () => undefined;
    world.server.down = false;
    expect(await outcome(sending)).toMatchObject({ state: "sent" });
  });

  test("a request that shows no sign of life for a minute is given up and made again", async () => {
    const alice = await online();
    const release = hold();
    const sending = alice.conversation.with("bob").send({ file: file(10) });
    await world.until(() => patches().length === 1, "the request");
    server.before = () => undefined;
    world.clock.advance(59_000);
    await turn();
    expect(patches()).toHaveLength(1);
    await outcome(sending);
    expect(patches()).toHaveLength(2);
    release();
  });

  test("a request that was silent when the connection was lost is made again when it is found", async () => {
    const alice = await online();
    const release = hold();
    const sending = alice.conversation.with("bob").send({ file: file(10) });
    await world.until(() => patches().length === 1, "the request");
    server.before = () => undefined;
    world.clock.advance(6_000);
    world.server.cut();
    const before = world.clock.now();
    await outcome(sending);
    expect(world.clock.now() - before).toBeLessThan(50_000);
    release();
  });

  test("a token that has expired is replaced, once a request", async () => {
    const tokens = ["first", "second"].map((_, i) => tokenFor("alice", 4_000_000_000_000 + i));
    let given = 0;
    const alice = await online({ token: () => tokens[Math.min(given++, 1)] as string });
    server.before = ({ headers }) => (headers["Authorization"] === `Bearer ${tokens[0]}` ? answer(401, { "Skein-Error": "TOKEN_EXPIRED" }, "expired") : undefined);
    await alice.conversation.with("bob").send({ file: file(10) });
    expect(given).toBe(2);
    expect(server.heard).toEqual(["POST", "POST", "PATCH 1 10"]);
  });

  test("a page that answers in the server's place is not taken for it", async () => {
    const alice = await online();
    let others = 0;
    server.before = () => (others++ < 3 ? { ...answer(200), header: () => null } : undefined);
    const offline: boolean[] = [];
    await outcome(alice.conversation.with("bob").send({ file: file(10), onProgress: (transfer) => offline.push(transfer.offline) }));
    expect(offline).toContain(true);
    expect(server.heard).toEqual(["POST", "POST", "POST", "POST", "PATCH 1 10"]);
  });

  test("an upload that the server has forgotten begins anew, and a file that it has made does not", async () => {
    const alice = await online();
    const release = hold();
    const sending = alice.conversation.with("bob").send({ file: file(10) });
    await world.until(() => patches().length === 1, "the request");
    server.uploads.clear();
    release();
    await outcome(sending);
    expect(server.heard).toEqual(["POST", "PATCH 1 10", "POST", "PATCH 2 10"]);

    server.after = ({ method }) => {
      if (method !== "PATCH") return;
      server.after = () => undefined;
      server.before = ({ method: next }) => (next === "HEAD" ? answer(410) : undefined);
      throw new TypeError("cut");
    };
    await outcome(alice.conversation.with("bob").send({ file: file(10) }));
    expect(server.heard.slice(4)).toEqual(["POST", "PATCH 3 10", "HEAD 3"]);
  });

  test("an upload that is always forgotten fails", async () => {
    const alice = await online();
    server.before = ({ method }) => (method === "PATCH" ? answer(404) : undefined);
    expect(await outcome(settled(alice.conversation.with("bob").send({ file: file(10) })))).toMatchObject({ code: "not_found" });
    expect(server.heard.filter((one) => one === "POST")).toHaveLength(4);
  });

  test("bytes for another place than the upload's end go to its end", async () => {
    const alice = await online();
    let once = true;
    server.before = ({ method }, id) => {
      const upload = server.uploads.get(id);
      if (method !== "PATCH" || !upload || !once) return;
      once = false;
      upload.bytes = bytes(4);
    };
    await outcome(alice.conversation.with("bob").send({ file: file(10) }));
    expect(server.heard).toEqual(["POST", "PATCH 1 10", "HEAD 1", "PATCH 1 6"]);
    expect(server.uploads.get("1")?.bytes).toEqual(bytes(10));
  });

  test.each([
    [413, "TOO_LARGE", "too_large"],
    [507, "RESOURCE_EXHAUSTED", "resource_exhausted"],
    [403, "PERMISSION_DENIED", "permission_denied"],
  ])("%i fails with its own error, and a retry goes on", async (status, name, code) => {
    const alice = await online();
    server.before = ({ method }) => (method === "POST" ? answer(status, { "Skein-Error": name }, "no more") : undefined);
    const seen: string[] = [];
    const onProgress = ({ state }: Transfer): void => void seen.push(state);
    const failed = await outcome(settled(alice.conversation.with("bob").send({ files: [file(10), file(11)], onProgress })));
    expect(failed).toBeInstanceOf(SkeinError);
    expect(failed).toMatchObject({ code, message: "no more" });
    const [transfer] = alice.files.transfers();
    expect(transfer).toMatchObject({ state: "failed", error: { code } });
    expect(seen.at(-1)).toBe("failed");
    server.before = () => undefined;
    alice.files.retry(transfer?.id ?? "");
    await world.until(() => seen.at(-1) === "sent", "the message");
    expect(entries()).toHaveLength(1);
  });

  test("a server that is busy or broken is asked again later, when it says so not before", async () => {
    const alice = await online();
    const answers = [answer(429, { "Skein-Error": "RATE_LIMITED", "Retry-After": "3" }), answer(503), answer(500, { "Skein-Error": "INTERNAL" })];
    const times: number[] = [];
    server.before = () => {
      times.push(world.clock.now());
      return answers.shift();
    };
    await outcome(alice.conversation.with("bob").send({ file: file(10) }));
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(3000);
    expect(server.heard).toEqual(["POST", "POST", "POST", "POST", "PATCH 1 10"]);
  });

  test("a proxy that takes less a request gets less", async () => {
    const alice = await online();
    server.before = ({ body }) => ((body?.size ?? 0) > mib ? answer(413) : undefined);
    await outcome(alice.conversation.with("bob").send({ file: file(3 * mib) }));
    expect(server.uploads.get("1")?.bytes).toHaveLength(3 * mib);
  });

  test("a file that can not be read any more fails, and is not taken for a lost connection", async () => {
    const alice = await online();
    const gone = file(10);
    const unreadable = (): never => {
      throw new DOMException("gone", "NotReadableError");
    };
    Object.defineProperty(gone, "slice", { value: () => Object.defineProperty(new Blob(["x"]), "arrayBuffer", { value: unreadable }) });
    expect(await outcome(settled(alice.conversation.with("bob").send({ file: gone })))).toMatchObject({ code: "data_loss" });
  });

  test("a message that the server refuses fails as a transfer and as a message, and is sent by either's retry", async () => {
    const alice = await online();
    const bob = alice.conversation.with("bob");
    await bob.open();
    for (const retry of [(transfer: Transfer) => alice.files.retry(transfer.id), () => void bob.retry(bob.messages.at(-1) as Message)]) {
      const before = entries().length;
      world.server.refuse = (what) => (what === "send" ? { code: "permission_denied" } : undefined);
      expect(await outcome(settled(bob.send({ file: file(10) })))).toMatchObject({ code: "permission_denied" });
      await world.until(() => states(alice)[0] === "failed", "a failed transfer");
      expect(bob.messages.at(-1)).toMatchObject({ state: "failed", id: alice.files.transfers()[0]?.clientId });
      world.server.refuse = () => undefined;
      retry(alice.files.transfers()[0] as Transfer);
      await world.until(() => alice.files.transfers().length === 0, "the message");
      expect(entries()).toHaveLength(before + 1);
    }
  });
});

describe("the user", () => {
  test("pauses and resumes; what has arrived is not sent again", async () => {
    const alice = await online();
    let cut = false;
    server.before = ({ method }) => (method === "PATCH" && cut ? new Promise(() => undefined) : undefined);
    server.after = ({ method }) => {
      if (method === "PATCH") cut = true;
    };
    const sending = alice.conversation.with("bob").send({ file: file(2 * chunk) });
    await world.until(() => patches().length === 2, "the second request");
    const { id } = alice.files.transfers()[0] as Transfer;
    alice.files.pause(id);
    await world.until(() => states(alice)[0] === "paused", "the pause");
    expect(alice.files.transfers()[0]).toMatchObject({ sent: chunk, bytesPerSecond: 0 });
    await world.until(() => server.busy === 0, "silence");
    const before = server.heard.length;
    world.clock.advance(100_000);
    await turn();
    expect(server.heard).toHaveLength(before);
    cut = false;
    server.after = () => undefined;
    alice.files.resume(id);
    await outcome(sending);
    expect(server.heard.slice(before)).toEqual(["HEAD 1", `PATCH 1 ${chunk}`]);
  });

  test.each(["cancel", "signal"])("gives it up (%s): the upload is deleted and no message is sent", async (how) => {
    const alice = await online();
    hold();
    const heard: Transfer[] = [];
    const controller = new AbortController();
    alice.files.onChange((transfer) => heard.push(transfer));
    const sending = settled(alice.conversation.with("bob").send({ file: file(10), signal: controller.signal }));
    await world.until(() => patches().length === 1, "the request");
    if (how === "cancel") alice.files.cancel(alice.files.transfers()[0]?.id ?? "");
    else controller.abort();
    expect(await outcome(sending)).toMatchObject({ code: "aborted" });
    expect(alice.files.transfers()).toEqual([]);
    expect(heard.at(-1)).toMatchObject({ state: "failed", error: { code: "aborted" } });
    await world.until(() => server.uploads.size === 0, "the deletion");
    expect(server.heard.at(-1)).toBe("DELETE 1");
    const before = heard.length;
    world.clock.advance(100_000);
    await turn();
    expect(heard).toHaveLength(before);
    expect(entries()).toHaveLength(0);
  });

  test("pauses while a token is on its way: nothing goes out", async () => {
    let release = (_: string): void => undefined;
    let tokens = 0;
    const alice = await online({ token: () => (tokens++ ? new Promise<string>((resolve) => (release = resolve)) : tokenFor("alice")) });
    let refused = false;
    server.before = ({ method }) => {
      if (method !== "PATCH" || refused) return undefined;
      refused = true;
      return answer(401, { "Skein-Error": "TOKEN_EXPIRED" });
    };
    const { id } = alice.files.send("~alice", { files: [file(10)] });
    await world.until(() => tokens === 2, "the second token");
    alice.files.pause(id);
    await world.until(() => states(alice)[0] === "paused", "the pause");
    release(tokenFor("alice"));
    for (let n = 0; n < 10; n++) await turn();
    expect(server.uploads.get("1")?.bytes).toHaveLength(0);
    alice.files.resume(id);
    await world.until(() => alice.files.transfers().length === 0, "the message");
  });

  test("gives it up while the upload is being made: it is deleted, too", async () => {
    const alice = await online();
    let release = (): void => undefined;
    const gate = new Promise<void>((resolve) => (release = resolve));
    server.after = ({ method }) => (method === "POST" ? gate : undefined);
    const { id } = alice.files.send("~alice", { files: [file(10)] });
    await world.until(() => server.uploads.size === 1, "the upload");
    alice.files.cancel(id);
    await world.until(() => alice.files.transfers().length === 0, "the end");
    release();
    await world.until(() => server.uploads.size === 0, "the deletion");
    expect(server.heard).toEqual(["POST", "DELETE 1"]);
  });

  test("gives it up before it has begun, and nothing of it comes back", async () => {
    const store = memoryStore();
    let described = (_: undefined): void => undefined;
    const alice = await online({ store }, { describe: () => new Promise((resolve) => (described = resolve)) });
    const { id } = alice.files.send("~alice", { files: [file(10)] });
    await world.until(() => states(alice)[0] === "preparing", "the preparation");
    alice.files.cancel(id);
    described(undefined);
    await turn();
    expect(server.heard).toEqual([]);
    await alice.close();
    const again = await online({ store });
    await turn();
    expect(again.files.transfers()).toEqual([]);
  });

  test("gives up waiting without giving up the file, by the signal of the call", async () => {
    const alice = await online();
    const release = hold();
    const controller = new AbortController();
    const sending = alice.conversation.with("bob").send({ file: file(10) }, { signal: controller.signal });
    controller.abort();
    await expect(sending).rejects.toMatchObject({ code: "aborted" });
    release();
    await world.until(() => entries().length === 1, "the message");
  });
});
