// A call between two browsers outlives the node that it is on. (tests/nodes.test.ts has it with clients that need less of the machine.)
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Device, until } from "../src/chat.js";
import { type Nodes, startNodes } from "../src/nodes.js";
import { launch, Party, startPages } from "../src/party.js";
import type { SFU } from "../src/sfu.js";

let nodes: Nodes;
let alice: Device, bob: Device;
beforeAll(async () => {
  nodes = await startNodes();
  [alice, bob] = await Promise.all([nodes.device("alice", "phone"), nodes.device("bob", "phone")]);
});
afterAll(() => nodes.stop());

test("two browsers on a call hear each other again after its node was killed", async () => {
  const [browser, pages] = [await launch(), await startPages()];
  try {
    const { call, access } = await alice.calls.start(alice.conversation.with("bob"));
    const enter = (with_: typeof access, name: string): Promise<Party> =>
      Party.join(browser, pages.url, { url: with_?.url ?? "", token: async () => with_?.token ?? "" } as unknown as SFU, name, "", { publish: "audio" });
    const both = await Promise.all([enter(access, "alice"), bob.calls.accept(call.id).then((c) => enter(c.access, "bob"))]);
    const energy = (): Promise<number[]> => Promise.all(both.map(async (p) => (await p.heard()).filter((h) => h.kind === "audio").reduce((sum, h) => sum + h.bytes, 0)));
    await until("both to hear each other", async () => (await energy()).every((e) => e > 0));
    const first = await nodes.holder();
    const began = performance.now();
    process.kill(first.pid, "SIGKILL");
    await Promise.all(both.map((p) => p.until(`return w.events.some((e) => e[0] === "reconnected");`, 30_000)));
    await until("both to hear each other again", async () => {
      const before = await energy();
      await new Promise((resolve) => setTimeout(resolve, 50));
      const now = await energy();
      return now.every((e, i) => e > (before[i] ?? 0));
    });
    const took = Math.round(performance.now() - began);
    console.log(`killed under two browsers: they hear each other ${took} ms later`);
    expect(took).toBeLessThan(10_000);
    expect(await alice.calls.get(call.id)).toMatchObject({ state: "active", joined: 2 });
    await alice.calls.end(call.id);
  } finally {
    await browser.close();
    await pages.stop();
  }
});
