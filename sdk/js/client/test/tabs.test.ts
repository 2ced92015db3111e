import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Message } from "../src/types/message.js";
import { Profile, type Tab } from "./fake/browser.js";
import { turn } from "./fake/clock.js";
import { World, alicesBob } from "./fake/world.js";

let world: World;
let profile: Profile;

beforeEach(() => {
  world = new World();
  profile = new Profile(world);
});
afterEach(async () => {
  for (const tab of tabs) tab.kill();
  tabs = [];
});

let tabs: Tab[] = [];

/** Opens tabs one after the other, each with the conversation with bob open. */
async function open(count: number): Promise<Tab[]> {
  for (let i = 0; i < count; i++) {
    const tab = profile.tab();
    tabs.push(tab);
    await tab.client.ready;
    await world.until(() => tab.client.state === "online", "a tab online");
    await tab.client.conversation.with("bob").open();
  }
  return tabs;
}

const bob = (tab: Tab): ReturnType<Tab["client"]["conversation"]["with"]> => tab.client.conversation.with("bob");
const texts = (messages: readonly Message[]): (string | undefined)[] => messages.map((m) => m.text);
const leaders = (all: readonly Tab[]): Tab[] => all.filter((tab) => tab.alive && tab.client.snapshot.tab === "leader");

describe("tabs of a profile", () => {
  test("are one device with one connection", async () => {
    const all = await open(3);
    expect(world.server.connections).toBe(1);
    expect(leaders(all)).toEqual([all[0]]);
    expect(all.map((tab) => tab.client.snapshot.tab)).toEqual(["leader", "follower", "follower"]);
    expect(new Set(all.map((tab) => tab.client.snapshot.deviceId)).size).toBe(1);
  });

  test("show the same, whoever sends", async () => {
    const all = await open(3);
    const sent = await Promise.all(all.map((tab, i) => bob(tab).send({ text: `from ${i}` })));
    expect(sent.every((message) => message.state === "sent")).toBe(true);
    world.server.text(alicesBob, "bob", "from bob");
    await world.until(() => all.every((tab) => bob(tab).messages.length === 4), "four messages in all tabs");
    for (const tab of all) expect(bob(tab).messages).toEqual(bob(all[0] as Tab).messages);
    expect(world.server.log(alicesBob).entries).toHaveLength(4);
  });

  test("go on when the one that leads is closed, at whatever moment, and are never told that they are closed", async () => {
    const pass = async (turns: number): Promise<void> => {
      for (let n = 0; n < turns; n++) {
        await turn();
        world.clock.advance(20);
      }
    };
    for (let moment = 0; moment < 12; moment++) {
      profile = new Profile(world);
      const first = profile.tab();
      await pass(4);
      const second = profile.tab();
      tabs.push(first, second);
      const states: string[] = [];
      second.client.on("state", ({ state }) => states.push(state));
      await pass(moment);
      await first.client.close();
      await world.until(() => second.client.state === "online", "the second one leads");
      expect(states).not.toContain("closed");
      await second.client.close();
    }
  });

  test("that are closed while they start stay closed", async () => {
    await open(1);
    for (let turns = 0; turns < 8; turns++) {
      const tab = profile.tab();
      tabs.push(tab);
      for (let n = 0; n < turns; n++) await turn();
      await tab.client.close();
      for (let n = 0; n < 20; n++) await turn();
      expect(tab.client.state).toBe("closed");
    }
  });

  test("hear the same news once each", async () => {
    const all = await open(2);
    const heard: string[] = [];
    for (const [i, tab] of all.entries()) tab.client.on("message", ({ message }) => heard.push(`${i} ${message.text}`));
    for (const session of world.server.sessions) world.server.tell(session, [{ typing: { conversation: alicesBob, user: "bob" } }]);
    await world.until(() => all.every((tab) => bob(tab).typing.includes("bob")), "typing in all tabs");
    world.server.text(alicesBob, "bob", "hi");
    await world.until(() => heard.length === 2);
    expect(all.map((tab) => bob(tab).typing)).toEqual([[], []]);
    expect(heard.sort()).toEqual(["0 hi", "1 hi"]);
  });

  test("share edits, reactions, read marks, history and calls", async () => {
    for (let i = 1; i <= 120; i++) world.server.text(alicesBob, "bob", `m${i}`);
    const [first, second] = (await open(2)) as [Tab, Tab];
    expect(bob(first).unread).toBe(120);
    bob(second).read();
    expect(bob(second).unread).toBe(0);
    await world.until(() => bob(first).unread === 0);
    while (await bob(second).loadOlder());
    expect(texts(bob(second).messages)).toEqual(Array.from({ length: 120 }, (_, i) => `m${1 + i}`));
    expect(bob(first).messages).toHaveLength(50);
    const last = bob(second).messages.at(-1) as Message;
    await bob(second).react(last, "🎉");
    await world.until(() => bob(first).messages.at(-1)?.reactions[0]?.mine);
    const own = await bob(second).send({ text: "tpyo" });
    await bob(second).edit(own, { text: "typo" });
    await world.until(() => bob(first).messages.at(-1)?.text === "typo");
    expect(await second.client.devices.list()).toHaveLength(1);
    expect((await second.client.search("m77"))[0]?.message.text).toBe("m77");
  });

  test("when the leader dies with messages queued, another takes over and each arrives once", async () => {
    const all = await open(3);
    world.server.mute = true;
    const waiting: Promise<Message>[] = [];
    for (let i = 0; i < 100; i++) {
      const sending = bob(all[i % 3] as Tab).send({ text: `n${i}` });
      if (i % 3 === 0) sending.catch(() => undefined);
      else waiting.push(sending);
    }
    await world.until(() => world.server.heard.filter((name) => name === "send").length >= 60, "sends in flight");
    // Every item is in the store by now: what a tab was told is kept, it keeps.
    await world.until(() => all.every((tab) => tab.client.snapshot.outbox === 100), "the outbox in all tabs");
    world.server.mute = false;
    const died = performance.now();
    all[0]?.kill();
    const rest = all.slice(1);
    await world.until(() => leaders(rest).length === 1 && rest.every((tab) => tab.client.state === "online"), "a new leader");
    expect(performance.now() - died).toBeLessThanOrEqual(1000);
    const sent = await Promise.all(waiting);
    expect(sent.every((message) => message.state === "sent")).toBe(true);
    await world.until(() => rest.every((tab) => tab.client.snapshot.outbox === 0), "an empty outbox");
    const log = world.server.log(alicesBob).entries.map((e) => e.body?.content?.text?.text);
    expect(log).toHaveLength(100);
    expect(new Set(log).size).toBe(100);
    // Of each tab the order is kept.
    for (const third of [0, 1, 2]) {
      const own = log.filter((text) => Number(text?.slice(1)) % 3 === third);
      expect(own).toEqual([...own].sort((a, b) => Number(a?.slice(1)) - Number(b?.slice(1))));
    }
    await world.until(() => rest.every((tab) => bob(tab).messages.length >= 100));
    expect(bob(rest[0] as Tab).messages).toEqual(bob(rest[1] as Tab).messages);
    expect(world.server.connections).toBe(1);
  });

  test("a leader that dies after storing an ack that it told nobody leaves no promise open", async () => {
    const [first, second] = (await open(2)) as [Tab, Tab];
    world.server.mute = true;
    const sending = bob(second).send({ text: "quiet" });
    await world.until(() => world.server.heard.includes("send"));
    world.server.text(alicesBob, "bob", "something else");
    first.kill();
    world.server.mute = false;
    expect(await world.until(() => second.client.state === "online").then(() => sending)).toMatchObject({ state: "sent", text: "quiet" });
    expect(texts(bob(second).messages)).toEqual(["something else", "quiet"]);
  });

  test("a call that was asked of a dying leader is made by the next one", async () => {
    const [first, second] = (await open(2)) as [Tab, Tab];
    first.kill();
    const presences = second.client.presence.fetch(["bob"]);
    await world.until(() => second.client.state === "online");
    expect(await presences).toMatchObject([{ user: "bob", online: false }]);
  });

  test("closing the leader hands over without a word lost", async () => {
    const [first, second] = (await open(2)) as [Tab, Tab];
    const sending = bob(first).send({ text: "last words" }).catch(() => undefined);
    await turn();
    await first.client.close();
    await sending;
    await world.until(() => second.client.snapshot.tab === "leader" && second.client.state === "online");
    await world.until(() => texts(bob(second).messages).includes("last words"));
    expect(world.server.log(alicesBob).entries).toHaveLength(1);
  });

  test("signing out in one tab ends them all and leaves nothing behind", async () => {
    world.server.text(alicesBob, "bob", "secret");
    const [first, second] = (await open(2)) as [Tab, Tab];
    await second.client.signOut();
    await world.until(() => first.client.state === "signedOut" && second.client.state === "signedOut");
    const fresh = profile.tab();
    tabs.push(fresh);
    world.server.down = true;
    await fresh.client.ready;
    expect(fresh.client.conversation.list()).toEqual([]);
  });

  test("a tab opened while the server is away shows the last state and sends on return", async () => {
    world.server.text(alicesBob, "bob", "before");
    await open(1);
    world.server.down = true;
    world.server.cut();
    const late = profile.tab();
    tabs.push(late);
    await late.client.ready;
    await bob(late).open();
    expect(texts(bob(late).messages)).toEqual(["before"]);
    const sending = bob(late).send({ text: "queued" });
    world.server.down = false;
    await world.until(() => late.client.state === "online");
    expect(await sending).toMatchObject({ seq: 2 });
  });
});
