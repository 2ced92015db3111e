// One call, and the node that it is on ends again and again: a third of them are killed, the others told to end, and each comes back after 2 s.
// Two clients of LiveKit's Rust SDK talk all the time; SOAK_DEATHS (30) nodes end.
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Device, until } from "../src/chat.js";
import { type Nodes, startNodes } from "../src/nodes.js";
import { gap, talk, type Talker } from "../src/talker.js";

const deaths = Number(process.env["SOAK_DEATHS"] ?? "30");
let nodes: Nodes, alice: Device, bob: Device;
let both: Talker[] = [];
beforeAll(async () => {
  nodes = await startNodes("2s");
  [alice, bob] = await Promise.all([nodes.device("alice", "phone"), nodes.device("bob", "phone")]);
});
afterAll(async () => {
  await Promise.all(both.map((t) => t.stop()));
  await nodes.stop();
});

test("both hear each other again whatever node ends, and however often", { timeout: 60_000 + deaths * 45_000 }, async () => {
  const { call, access } = await alice.calls.start(alice.conversation.with("bob"));
  both = [talk(access), talk((await bob.calls.accept(call.id)).access)];
  await until("both to hear each other", () => both.every((t) => t.quiet() < 100));
  const silences: Record<string, number[]> = { SIGKILL: [], SIGTERM: [] };
  for (let i = 0; i < deaths; i++) {
    const how = i % 3 === 0 ? "SIGKILL" : "SIGTERM";
    const { pid } = await nodes.holder();
    const { silence } = await gap(both, () => process.kill(pid, how));
    silences[how]?.push(silence);
    expect(silence, how).toBeLessThan(10_000);
    expect(await alice.calls.get(call.id)).toMatchObject({ state: "active", joined: 2 });
    await until("the node to be back", () => nodes.all.every((n) => n.pid !== pid), 30_000);
    await new Promise((resolve) => setTimeout(resolve, 3_000)); // as others have heard of it, too
  }
  for (const [how, all] of Object.entries(silences)) {
    const sorted = all.sort((a, b) => a - b);
    console.log(`${how}: ${all.length} times; neither heard the other for ${sorted[0]} to ${sorted.at(-1)} ms, ${sorted[Math.floor(all.length / 2)]} in the middle`);
  }
  await alice.calls.end(call.id);
  await Promise.all(both.map((t) => t.gone));
});
