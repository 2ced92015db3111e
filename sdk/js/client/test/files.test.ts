import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { FullOptions } from "../src/client.js";
import { SkeinError } from "../src/error.js";
import { type Files, type FilesOptions, type HttpRequest, type Transfer, files } from "../src/modules/files/index.js";
import { type Messages, messages } from "../src/modules/messages/index.js";
import { memoryStore } from "../src/store/memory.js";
import type { Client } from "../src/types/client.js";
import type { Message } from "../src/types/message.js";
import type { Kept } from "../src/modules/files/worker.js";
import type { Partition, Store, UploadRecord, UploadShelf } from "../src/types/store.js";
import { Profile, type Tab } from "./fake/browser.js";
import { turn } from "./fake/clock.js";
import { FakeFiles, answer } from "./fake/files.js";
import { tokenFor } from "./fake/server.js";
import { World, alicesBob } from "./fake/world.js";

type WithFiles = Client & { readonly files: Files; readonly messages: Messages };

const mib = 1024 * 1024;
/** What a first request brings. */
const chunk = 4 * mib;

let world: World;
let server: FakeFiles;

beforeEach(() => {
  world = new World();
  server = new FakeFiles(world.server, () => world.clock.now());
});
afterEach(() => world.close());

const modules = (given: FilesOptions = {}) => ({ files: files({ http: server.http, ...given }), messages: messages() });

function client(options: Partial<FullOptions> = {}, given: FilesOptions = {}): WithFiles {
  return world.client("alice", { modules: modules(given), ...options }) as WithFiles;
}

async function online(options: Partial<FullOptions> = {}, given: FilesOptions = {}): Promise<WithFiles> {
  const alice = client(options, given);
  await alice.connect();
  return alice;
}

const bytes = (length: number): Uint8Array<ArrayBuffer> => Uint8Array.from({ length }, (_, i) => i % 251);
const file = (length: number, name = "cat.png", type = "image/png"): File => new File([bytes(length)], name, { type });
const entries = (): readonly unknown[] => world.server.log(alicesBob).entries;
const patches = (): readonly HttpRequest[] => server.requests.filter(({ method }) => method === "PATCH");
const states = (alice: WithFiles): string[] => alice.files.transfers().map(({ state }) => state);

/** What it becomes, before its promise is looked at. */
function settled(promise: Promise<Message>): Promise<Message | SkeinError> {
  return promise.catch((error: unknown) => error as SkeinError);
}

/** Waits with the clock moving. */
async function outcome<T>(promise: Promise<T>): Promise<T> {
  let over = false;
  const end = (): void => {
    over = true;
  };
  promise.then(end, end);
  await world.until(() => over, "the outcome");
  return promise;
}

/** Holds every PATCH until it is called. */
function hold(): () => void {
  let release = (): void => undefined;
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  server.before = ({ method }) => (method === "PATCH" ? gate : undefined);
  return () => {
    server.before = () => undefined;
    release();
  };
}

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
