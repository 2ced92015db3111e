// Several nodes: a call is on one of them, its clients come by any, and it outlives that node.
import { Room } from "@livekit/rtc-node";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Device, until } from "../src/chat.js";
import { type Nodes, startNodes } from "../src/nodes.js";
import { talk, type Talker } from "../src/talker.js";

let nodes: Nodes;
let alice: Device, bob: Device;
beforeEach(async () => {
  nodes = await startNodes();
  [alice, bob] = await Promise.all([nodes.device("alice", "phone"), nodes.device("bob", "phone")]);
});
let both: Talker[] = [];
afterEach(async () => {
  await Promise.all(both.map((t) => t.stop()));
  both = [];
  await nodes.stop();
});

/**
 * What happens to two who talk when a node ends: when both hear each other again,
 * from when it is told to, and how long one of them heard nothing.
 */
async function gap(who: Talker[], end: () => void): Promise<{ again: number; silence: number }> {
  const began = performance.now();
  let again = 0;
  let silence = 0;
  end();
  await until("both to hear each other again", () => {
    const now = performance.now();
    const quiet = Math.max(...who.map((t) => t.quiet()));
    silence = Math.max(silence, quiet);
    if (quiet > 300) again = 0;
    else if (again === 0) again = now - began;
    return again > 0 && now - began > again + 500 && (silence > 300 || now - began > 3_000);
  }, 30_000);
  return { again: Math.round(again), silence: Math.round(silence) };
}

test("a client comes to a call by any node", async () => {
  const { call, access } = await alice.calls.start(alice.conversation.with("bob"));
  const hers = new Room();
  await hers.connect(access?.url ?? "", access?.token ?? "");
  const token = (await bob.calls.accept(call.id)).access?.token ?? "";
  const holder = await nodes.holder();
  expect(nodes.all).toHaveLength(3);
  const his: Room[] = [];
  for (const node of nodes.all) {
    const room = new Room(); // it takes the place of the one before
    his.push(room);
    await room.connect(node.url.replace("http", "ws"), token);
    await until(`bob to meet alice by ${node.name}`, () => room.remoteParticipants.has("alice/phone"));
    expect((await nodes.holder()).name).toBe(holder.name);
  }
  expect(await alice.calls.get(call.id)).toMatchObject({ state: "active", joined: 2 });
  await alice.calls.end(call.id);
  await until("the end for both", () => [hers, ...his].every((r) => !r.isConnected));
});

// rtc-node 1.1 comes back mute once in twenty times on a busy machine: it is in the room and neither publishes nor hears of the other. So there is another attempt.
test("a call outlives the nodes it is on: one is killed, the next is told to end", { retry: 1 }, async () => {
  const { call, access } = await alice.calls.start(alice.conversation.with("bob"));
  both = [talk(access), talk((await bob.calls.accept(call.id)).access)];
  await until("both to hear each other", () => both.every((t) => t.quiet() < 100));
  const first = await nodes.holder();
  console.log(`the room is on ${first.name}`);

  const killed = await gap(both, () => process.kill(first.pid, "SIGKILL"));
  console.log("killed, ms:", killed);
  expect(killed.again).toBeLessThan(10_000);
  const second = await nodes.holder();
  expect(second.name).not.toBe(first.name);
  expect(await alice.calls.get(call.id)).toMatchObject({ state: "active", joined: 2 });
  await alice.conversation.with("bob").send({ text: "are you there?" });

  const drained = await gap(both, () => process.kill(second.pid, "SIGTERM"));
  console.log("drained, ms:", drained);
  expect(drained.silence).toBeLessThan(5_000);
  expect((await nodes.holder()).name).not.toBe(second.name);
  expect(await bob.calls.get(call.id)).toMatchObject({ state: "active", joined: 2 });
  await alice.calls.end(call.id);
  await Promise.all(both.map((t) => t.gone));
});
