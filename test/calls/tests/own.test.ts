// The media server beside the server: clients need one address, and its death is none of a call's.
import type { Joined } from "@skein/client/calls";
import { connect } from "@skein/client/calls/livekit";
import { Room } from "@livekit/rtc-node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Device, until } from "../src/chat.js";
import { type Own, startOwn } from "../src/own.js";
import { Party } from "../src/party.js";
import { withScreens } from "../src/setup.js";

let own: Own;
let alice: Device, bob: Device;
const screens = withScreens();
beforeAll(async () => {
  own = await startOwn();
  [alice, bob] = await Promise.all([own.device("alice", "phone"), own.device("bob", "phone")]);
});
afterAll(() => own.stop());

/** A page in a call, with a microphone, and a token that ends after so many seconds. */
function enter({ access }: Joined, expires?: number): Promise<Party> {
  if (access === undefined) throw new Error("nobody was let in");
  const token = (): Promise<string> => Promise.resolve(expires === undefined ? access.token : own.resign(access.token, expires));
  return Party.join(screens().browser, screens().pages.url, { url: access.url, token }, access.identity, "", { publish: "audio" });
}

/** Bytes of the other's voice that came so far. */
const voice = async (party: Party): Promise<number> => (await party.heard()).filter((h) => h.kind === "audio").reduce((sum, h) => sum + h.bytes, 0);

/** Resolves when the other's voice comes. */
async function hears(party: Party, timeout = 20_000): Promise<void> {
  let before = await voice(party);
  await until("the other's voice", async () => {
    const [was, now] = [before, await voice(party)];
    before = now;
    return was > 0 && now > was;
  }, timeout);
}

test("a stranger's server has calls: its own address is the media server's", async () => {
  const started = await alice.calls.start(alice.conversation.with("bob"));
  expect(started.access?.url).toBe(own.url.replace("http", "ws"));
  const hers = await connect({ Room }, alice.calls, started);
  const { access } = await bob.calls.accept(started.call.id);
  const his = new Room();
  await his.connect(access?.url ?? "", access?.token ?? "");
  await until("each sees the other", () => hers.room.remoteParticipants.size === 1 && his.remoteParticipants.size === 1);
  await his.disconnect(); // the media server alone knows, and tells
  await until("the end for her", () => !hers.room.isConnected);
  expect(await alice.calls.get(started.call.id)).toMatchObject({ state: "ended", end: "completed" });
});

test("killed -9 in a call: chat goes on, and both hear each other again within 10 s, with tokens that ended long before; so after a restart of all", async () => {
  const started = await alice.calls.start(alice.conversation.with("bob"));
  const joined = await bob.calls.accept(started.call.id);
  // Good for 5 s by the leeway of clocks: what the clients come back with has to be newer.
  const [hers, his] = await Promise.all([enter(started, -5), enter(joined, -5)]);
  const last = own.resign(started.access?.token ?? "", -5);
  await Promise.all([hears(hers), hears(his)]);
  await until("the tokens' end", async () => (await fetch(`${own.url}/rtc/validate?access_token=${last}`)).status === 401);

  const life = own.lives.at(-1);
  if (life === undefined) throw new Error("the media server never was");
  const acks: number[] = [];
  let over = false;
  const chatting = (async () => {
    while (!over) {
      const began = performance.now();
      await alice.conversation.with("bob").send({ text: "still here" });
      acks.push(performance.now() - began);
    }
  })();
  const again = async (trouble: () => unknown): Promise<number> => {
    for (const party of [hers, his]) await party.run("w.events.length = 0;");
    const began = performance.now();
    await trouble();
    for (const party of [hers, his]) await until("the loss to be noticed", () => party.run<boolean>("return w.events.some(([e]) => e === 'signalReconnecting' || e === 'reconnecting');"));
    await Promise.all([hears(hers, 10_000), hears(his, 10_000)]);
    return performance.now() - began;
  };
  const took = await again(() => process.kill(life.pid, "SIGKILL"));
  over = true;
  await chatting;
  acks.sort((a, b) => a - b);
  console.log(`both hear each other again ${Math.round(took)} ms after the death; ${acks.length} messages meanwhile, acknowledged after ${Math.round(acks[acks.length >> 1] ?? 0)} ms (median), at most ${Math.round(acks.at(-1) ?? 0)} ms`);
  expect(took).toBeLessThan(10_000);
  expect(own.lives.length).toBeGreaterThan(1);
  expect(await alice.calls.get(started.call.id)).toMatchObject({ state: "active", joined: 2 });

  // A new version of the server takes the place of the old one.
  const renewed = await again(() => own.restart());
  console.log(`both hear each other again ${Math.round(renewed)} ms after the server was told to end, and started again`);
  expect(renewed).toBeLessThan(15_000);
  expect(await alice.calls.get(started.call.id)).toMatchObject({ state: "active", joined: 2 });
  await alice.calls.end(started.call.id);
  await until("both are out", () => Promise.all([hers, his].map((p) => p.run<boolean>("return room.state === 'disconnected';"))).then((out) => out.every(Boolean)));
});
