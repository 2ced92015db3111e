import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type Module, defineModule } from "../src/module.js";
import { type Calls, type CallsEvents, calls, participantOf } from "../src/modules/calls/index.js";
import { type LiveKitRoom, connect } from "../src/modules/calls/livekit/index.js";
import { type UserCall, contentFields, calls as wire } from "../src/modules/calls/wire.js";
import type { Client } from "../src/types/client.js";
import { World } from "./fake/world.js";

const id = "0190b6f8a3c07d2e9f1122334455667f";

let world: World;
beforeEach(() => {
  world = new World();
});
afterEach(async () => {
  vi.useRealTimers();
  await world.close();
});

/** What the server writes under the key "calls", written by hand. */
const raw = (): Module<{ set(...list: Partial<UserCall>[]): Promise<void> }> =>
  defineModule((host) => ({
    async set(...list) {
      const content = contentFields.write({ calls: { calls: list.map((c) => ({ call: id, conversation: "@5:alice:bob", starter: "bob", state: 1, own: 1, startedUs: 1e15, ringsUntilUs: (host.now() + 60_000) * 1000, ...c })) } });
      let done = false;
      host.setKeyed("calls", content).finally(() => (done = true));
      await world.until(() => done, "the value");
    },
  }));

type Alice = Client & { readonly calls: Calls; readonly raw: ReturnType<ReturnType<typeof raw>> };

async function ringing(): Promise<{ alice: Alice; heard: string[] }> {
  const alice = (await world.online("alice", { modules: { calls: calls(), raw: raw() } })) as Alice;
  const heard: string[] = [];
  const hear = <Name extends keyof CallsEvents>(name: Name, say: (event: CallsEvents[Name]) => string): void => void alice.calls.on(name, (event) => heard.push(say(event)));
  hear("incoming", (c) => `incoming from ${c.starter}`);
  hear("accepted", () => "accepted");
  hear("ended", ({ reason }) => `ended ${reason}`);
  return { alice, heard };
}

describe("calls", () => {
  test("ring once, and stop when another device answers", async () => {
    const { alice, heard } = await ringing();
    await alice.raw.set({});
    await alice.raw.set({});
    expect(alice.calls.now).toMatchObject([{ id, own: "ringing", state: "ringing", starter: "bob" }]);
    expect(alice.calls.now).toBe(alice.calls.now);
    await alice.raw.set({ own: 2, state: 2, answeredUs: 1e15, device: "tablet" });
    expect(heard).toEqual(["incoming from bob", "ended answeredElsewhere"]);
  });

  test("are connected to at the server itself when its answer names no media server, else where it says", async () => {
    const { alice } = await ringing();
    for (const [url, want] of [["", "ws://"], ["wss://calls.example.com", "wss://calls.example.com"]] as const) {
      const answer = wire.StartCall.output.write({ call: { id }, access: { url, token: "t", identity: "alice/phone" } });
      world.server.modules.set("StartCall", () => answer).set("JoinCall", () => answer);
      for (const joined of [await alice.calls.start("@5:alice:bob"), await alice.calls.accept(id)]) {
        expect(joined.access?.url).toBe(url || alice.endpoint.replace(/^http/, "ws"));
        expect(joined.access?.url.startsWith(want)).toBe(true);
      }
    }
  });

  test("ring for who begins to listen while it rings", async () => {
    const { alice } = await ringing();
    await alice.raw.set({});
    const late: string[] = [];
    alice.calls.on("incoming", (c) => late.push(c.id));
    await world.until(() => late.length > 0, "the ring");
    expect(late).toEqual([id]);
  });

  test("do not ring when their time is over", async () => {
    const { alice, heard } = await ringing();
    await alice.raw.set({ ringsUntilUs: 1 });
    expect(heard).toEqual([]);
  });

  test.each([
    [{ own: 3, state: 3, end: 3 }, "declinedElsewhere"],
    [{ own: 4, state: 3, end: 2 }, "missed"],
    [{ own: 7, state: 2 }, "removed"],
  ])("end with a reason: %o", async (value, reason) => {
    const { alice, heard } = await ringing();
    await alice.raw.set({});
    await alice.raw.set(value);
    expect(heard).toEqual(["incoming from bob", `ended ${reason}`]);
  });

  test("do not ring on when their time is over and the server says nothing, as to a device that is offline", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout"] });
    const { alice, heard } = await ringing();
    await alice.raw.set({});
    vi.advanceTimersByTime(59_000);
    expect(heard).toEqual(["incoming from bob"]);
    vi.advanceTimersByTime(10_000);
    expect(heard).toEqual(["incoming from bob", "ended missed"]);
    await alice.raw.set({ own: 4, state: 2 });
    expect(heard).toEqual(["incoming from bob", "ended missed"]);
    await alice.raw.set({ state: 2, ringsUntilUs: (world.clock.now() + 60_000) * 1000 });
    expect(heard).toEqual(["incoming from bob", "ended missed", "incoming from bob"]);
    await alice.raw.set({ own: 3, state: 2 });
    vi.advanceTimersByTime(70_000);
    expect(heard.slice(3)).toEqual(["ended declinedElsewhere"]);
  });

  test("ring no more when they have ended long ago, while the device was away", async () => {
    const { alice, heard } = await ringing();
    await alice.raw.set({});
    await alice.raw.set({ call: "f".repeat(32), starter: "carol" });
    expect(heard).toEqual(["incoming from bob", "incoming from carol", "ended missed"]);
  });

  test("tell the starter that somebody has answered, and why it ended", async () => {
    const { alice, heard } = await ringing();
    await alice.raw.set({ starter: "alice", own: 2 });
    await alice.raw.set({ starter: "alice", own: 2, state: 2, answeredUs: 1e15 });
    await alice.raw.set({ starter: "alice", own: 6, state: 3, end: 1, answeredUs: 1e15 });
    expect(heard).toEqual(["accepted", "ended completed"]);
  });

  test("read their line in a conversation", async () => {
    const { alice } = await ringing();
    const notice = (code: string, params: Record<string, string>) => ({ content: { type: "notice", code, text: "", params } }) as never;
    expect(alice.calls.line(notice("call.ended", { call: id, video: "true", duration_s: "192" }))).toMatchObject({ kind: "ended", video: true, seconds: 192 });
    expect(alice.calls.line(notice("call.missed", { call: id, reason: "no_answer" }))).toMatchObject({ kind: "missed", reason: "noAnswer" });
    expect(alice.calls.line(notice("order.paid", {}))).toBeUndefined();
    expect(alice.calls.line({ content: undefined })).toBeUndefined();
  });

  test("name participants", () => {
    expect(participantOf("ann/phone")).toEqual({ user: "ann", device: "phone" });
    expect(participantOf("~5a6J/")).toEqual({ user: "安", device: "" });
    for (const bad of ["", "ann", "/x", "~*/x", "~_w/x"]) expect(participantOf(bad)).toBeUndefined();
  });
});

class Room implements LiveKitRoom {
  static made: Room[] = [];
  readonly said: string[] = [];
  gone: (reason?: number) => void = () => undefined;
  constructor(readonly options?: { readonly refuse?: boolean }) {
    Room.made.push(this);
  }
  async connect(url: string, token: string): Promise<void> {
    this.said.push(`connect ${url} ${token}`);
    if (this.options?.refuse) throw new Error("no media");
  }
  async disconnect(): Promise<void> {
    this.said.push("disconnect");
    this.gone();
  }
  on(_: "disconnected", listener: (reason?: number) => void): this {
    this.gone = listener;
    return this;
  }
}

describe("a LiveKit room", () => {
  const joined = { call: { id } as never, access: { url: "ws://media", token: "t", identity: "alice/phone" } };

  function lines(): { calls: Pick<Calls, "leave" | "on">; left: string[]; over: (event: CallsEvents["ended"]) => void } {
    const left: string[] = [];
    const made = {
      left,
      over: (_: CallsEvents["ended"]): void => undefined,
      calls: {
        leave: async (call: string) => void left.push(call) as never,
        on: (_: string, listener: (event: never) => void) => {
          made.over = listener as never;
          return () => void (made.over = () => undefined);
        },
      } as never,
    };
    return made;
  }

  test("is connected, and left with the call by whoever hangs up", async () => {
    const line = lines();
    const { room, hangUp } = await connect({ Room }, line.calls, joined);
    expect(room.said).toEqual(["connect ws://media t"]);
    await hangUp();
    await hangUp();
    expect(room.said).toEqual(["connect ws://media t", "disconnect"]);
    expect(line.left).toEqual([id]);
  });

  test("is left when the call is over, and the call when the room is lost", async () => {
    const line = lines();
    const first = await connect({ Room }, line.calls, joined);
    line.over({ call: { id: "another" } as never, reason: "left" });
    line.over({ call: { id } as never, reason: "completed" });
    await world.until(() => first.room.said.includes("disconnect"), "the end of the room");
    expect(line.left).toEqual([]);
    const second = await connect({ Room }, line.calls, joined);
    await second.room.disconnect();
    await world.until(() => line.left.length > 0, "the end of the call");
    expect(line.left).toEqual([id]);
  });

  test.each([
    ["another connection of the device has replaced", 2],
    ["the server has taken the device out of", 4],
  ])("that %s is left without the call", async (_, reason) => {
    const line = lines();
    const { room } = await connect({ Room }, line.calls, joined);
    room.gone(reason);
    await world.until(() => room.said.includes("disconnect"), "the end of the room");
    expect(line.left).toEqual([]);
  });

  test("is shown to the app before it connects; when the app fails at that the call is left", async () => {
    const line = lines();
    const { room } = await connect({ Room }, line.calls, joined, {}, (made) => void made.said.push("prepared"));
    expect(room.said).toEqual(["prepared", "connect ws://media t"]);
    const broken = connect({ Room }, line.calls, joined, {}, () => {
      throw new Error("no camera");
    });
    await expect(broken).rejects.toThrow("no camera");
    expect(line.left).toEqual([id]);
  });

  test("that can not be connected leaves the call; one that is over has none", async () => {
    const line = lines();
    await expect(connect({ Room }, line.calls, joined, { refuse: true })).rejects.toThrow("no media");
    expect(line.left).toEqual([id]);
    await expect(connect({ Room }, line.calls, { ...joined, access: undefined })).rejects.toMatchObject({ code: "failed_precondition" });
  });
});
