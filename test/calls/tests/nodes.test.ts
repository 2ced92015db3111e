// Several nodes: a call is on one of them, its clients come by any, and it outlives that node.
import { Room } from "@livekit/rtc-node";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Recording } from "@skein/client/calls";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Device, devToken, until } from "../src/chat.js";
import { type Nodes, startNodes } from "../src/nodes.js";
import { launch, startPages } from "../src/party.js";
import { play } from "../src/recorded.js";
import { gap, talk, type Talker } from "../src/talker.js";

let nodes: Nodes;
let alice: Device, bob: Device;
beforeEach(async () => {
  nodes = await startNodes("8s"); // after the calls have found another one
  [alice, bob] = await Promise.all([nodes.device("alice", "phone"), nodes.device("bob", "phone")]);
});
let both: Talker[] = [];
afterEach(async () => {
  await Promise.all(both.map((t) => t.stop()));
  both = [];
  await nodes.stop();
});

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

/** Every part of a recording, as the app gets it, is played to its end by a browser. */
async function playAll({ tracks, conversation }: Recording): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "skein-parts-"));
  const [browser, pages] = await Promise.all([launch(), startPages()]);
  try {
    const page = await browser.newPage();
    await page.goto(pages.url);
    const token = await devToken(nodes.url, "bob");
    for (const { file, seq, duration, user } of tracks) {
      const answer = await fetch(`${nodes.url}/v1/files/${file}?c=${encodeURIComponent(conversation)}&s=${seq}`, { headers: { Authorization: `Bearer ${token}`, "Skein-App": "demo" } });
      expect(answer.status).toBe(200);
      const at = join(folder, `${file}.ogg`);
      writeFileSync(at, Buffer.from(await answer.arrayBuffer()));
      const seen = await play(page, at);
      console.log(`a part of ${user}: ${duration} ms, plays ${Math.round(seen.decoded * 1000)}`);
      expect(seen.error).toBe("");
      expect(Math.abs(seen.decoded * 1000 - duration)).toBeLessThan(200);
      expect(seen.at).toBeGreaterThan(seen.decoded - 0.2);
    }
  } finally {
    await browser.close();
    await pages.stop();
    rmSync(folder, { recursive: true });
  }
}

test("a call and its recording outlive the nodes they are on: one is killed, the next is told to end", async () => {
  const { call, access } = await alice.calls.start(alice.conversation.with("bob"));
  both = [talk(access), talk((await bob.calls.accept(call.id)).access)];
  await until("both to hear each other", () => both.every((t) => t.quiet() < 100));
  const first = await nodes.holder();
  const other = nodes.all.find(({ name }) => name !== first.name)!;
  const asked = await fetch(`${other.url}/skein.v1.CallService/StartRecording`, {
    method: "POST",
    headers: { Authorization: `Bearer ${await devToken(other.url, "alice")}`, "Skein-App": "demo", "Content-Type": "application/json" },
    body: JSON.stringify({ call: call.id }),
  });
  expect(asked.status).toBe(200);
  await until("bob to know", () => bob.calls.now[0]?.recording?.user === "alice");
  const recordedSince = performance.now();
  await until("something to lose", () => performance.now() - recordedSince > 2000);
  console.log(`asked by ${other.name}; the room is on ${first.name}`);

  const killed = await gap(both, () => process.kill(first.pid, "SIGKILL"));
  console.log("killed, ms:", killed);
  expect(killed.again).toBeLessThan(10_000);
  const second = await nodes.holder();
  expect(second.name).not.toBe(first.name);
  expect(await alice.calls.get(call.id)).toMatchObject({ state: "active", joined: 2 });
  expect((await alice.calls.get(call.id)).recording?.user).toBe("alice");
  await alice.conversation.with("bob").send({ text: "are you there?" });

  const drained = await gap(both, () => process.kill(second.pid, "SIGTERM"));
  console.log("drained, ms:", drained);
  expect(drained.silence).toBeLessThan(5_000);
  expect((await nodes.holder()).name).not.toBe(second.name);
  expect(await bob.calls.get(call.id)).toMatchObject({ state: "active", joined: 2 });
  const third = performance.now();
  await until("a third part", () => performance.now() - third > 1500);
  await alice.calls.end(call.id);
  await Promise.all(both.map((t) => t.gone));
  // The node that was killed comes back with what it has.
  let recording: Recording | undefined;
  await until("a part of each node", async () => {
    [recording] = (await bob.calls.recordings({ call: call.id })).recordings;
    return recording?.state === "done" && ["alice", "bob"].every((who) => recording!.tracks.filter(({ user }) => user === who).length >= 3);
  }, 60_000);
  expect(recording).toMatchObject({ problem: "", problemCode: undefined, recorder: "alice" });
  for (const who of ["alice", "bob"]) {
    const parts = recording!.tracks.filter(({ user }) => user === who).sort((a, b) => a.started - b.started);
    parts.forEach((part, i) => expect(part.started).toBeGreaterThanOrEqual(i === 0 ? 0 : parts[i - 1]!.started + parts[i - 1]!.duration - 500));
  }
  await playAll(recording!);
}, 120_000);
