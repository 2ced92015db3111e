import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { SkeinClient } from "../src/client.js";
import { createClient } from "../src/core.js";
import { extras } from "../src/modules/extras/index.js";
import { SkeinError } from "../src/error.js";
import { kinds } from "../src/reduce/state.js";
import { memoryStore } from "../src/store/memory.js";
import type { Client } from "../src/types/client.js";
import { piece, schemaOf } from "../src/module.js";
import { Profile, type Tab } from "./fake/browser.js";
import { tokenFor } from "./fake/server.js";
import { World, alicesBob } from "./fake/world.js";
import { type Polls, polls } from "./example/polls.js";

const modules = { polls: polls() };
type WithPolls = Client & { readonly polls: Polls };

let world: World;
const tabs: Tab[] = [];

beforeEach(() => {
  world = new World();
});
afterEach(async () => {
  for (const tab of tabs.splice(0)) tab.kill();
  await world.close();
});

async function online(user: string): Promise<WithPolls> {
  return (await world.online(user, { modules })) as WithPolls;
}

/** Two tabs of one profile; the second asks the first. */
async function twoTabs(): Promise<[WithPolls, WithPolls]> {
  const profile = new Profile(world, { modules });
  for (let i = 0; i < 2; i++) {
    const tab = profile.tab();
    tabs.push(tab);
    await tab.client.ready;
    await world.until(() => tab.client.state === "online", "a tab online");
  }
  const [first, second] = tabs.map((tab) => tab.client as unknown as WithPolls);
  if (!first || !second) throw new Error("no tabs");
  expect(second.snapshot.tab).toBe("follower");
  return [first, second];
}

const lunch = { question: "Lunch?", options: ["noodles", "soup"] };

describe("a module", () => {
  test("is on the client under its name, with its type", () => {
    const client = createClient({ endpoint: "http://skein.example", appId: "demo", extras, token: () => tokenFor("alice"), modules: { polls: polls() } });
    const close: (m: never) => Promise<number> = client.polls.close;
    expect(close).toBeTypeOf("function");
    // @ts-expect-error -- a client without the module has none
    expect(createClient({ endpoint: "http://skein.example", appId: "demo", extras, token: () => tokenFor("alice") }).polls).toBeUndefined();
  });

  test("can not take the place of what a client has", () => {
    expect(() => world.client("alice", { modules: { conversation: polls() } })).toThrow(SkeinError);
  });

  test("sends contents of its kind and reads them, from the echo on and after a reload", async () => {
    const [alice, bob] = [await online("alice"), await online("bob")];
    const chat = alice.conversation.with("bob");
    await chat.open();
    const echo = chat.sendLocal({ ...alice.polls.content(lunch) });
    expect(echo).toMatchObject({ kind: "content", content: { type: "ballot", ...lunch } });
    await world.until(() => bob.conversation.with("alice").lastMessage, "the poll at bob's");
    const there = bob.conversation.with("alice").lastMessage;
    expect(there?.content?.type === "ballot" && there.content.options).toEqual(lunch.options);
  });

  test("is not needed to keep what it reads: the bytes go through store and tabs", async () => {
    const [alice, plain] = [await online("alice"), await world.online("bob")];
    await alice.conversation.with("bob").send(alice.polls.content(lunch));
    await world.until(() => plain.conversation.with("alice").lastMessage, "the poll at bob's");
    const there = plain.conversation.with("alice").lastMessage;
    expect(there).toMatchObject({ kind: "content", content: { type: "unknown" }, text: undefined });
    expect(there?.fields?.content).toEqual(alice.polls.content(lunch).content);
  });

  test("folds entries of its kind into the message that they are about", async () => {
    const [alice, bob] = [await online("alice"), await online("bob")];
    const chat = alice.conversation.with("bob");
    await chat.open();
    const poll = await chat.send(alice.polls.content(lunch));
    for (const seq of [2, 3]) {
      world.server.append(alicesBob, "bob", { kind: 8, targetSeq: poll.seq ?? 0 });
      await world.until(() => chat.head.seq === seq, "a vote");
    }
    await world.until(() => alice.polls.votes(chat.messages[0] ?? poll) === 2, "two votes");
    expect(chat.messages).toHaveLength(1);
    expect(bob.state).toBe("online");
  });

  test("calls by the tab that holds the connection, which need not know its messages", async () => {
    const answer = piece<{ votes: number }>(schemaOf({ A: "2uvotes" }), "A");
    world.server.modules.set("ClosePoll", () => answer.write({ votes: 7 }));
    const [first, second] = await twoTabs();
    const message = await second.conversation.with("bob").send(second.polls.content(lunch));
    expect(await second.polls.close(message)).toBe(7);
    expect(await first.polls.close(message)).toBe(7);
  });

  test("is refused in the server's words", async () => {
    const alice = await online("alice");
    const message = await alice.conversation.with("bob").send({ text: "no poll" });
    await expect(alice.polls.close(message)).rejects.toMatchObject({ code: "not_found" });
  });

  test("says frames and hears frames of its own, in every tab", async () => {
    const [first, second] = await twoTabs();
    const heard: string[] = [];
    await second.polls.watch(second.conversation.with("bob"), (votes) => heard.push(`second ${votes}`));
    await first.polls.watch(first.conversation.with("bob"), (votes) => heard.push(`first ${votes}`));
    const tally = piece<{ tally: { votes: number } }>(schemaOf({ F: "15mtally:T", T: "1uvotes" }), "F").write({ tally: { votes: 3 } });
    for (const session of world.server.sessions) world.server.tell(session, [{ rest: tally }]);
    await world.until(() => heard.length === 2, "both tabs hear");
    expect(heard.sort()).toEqual(["first 3", "second 3"]);
  });

  test("hears that a frame was refused, and that nobody answers any more", async () => {
    const alice = await online("alice");
    const chat = alice.conversation.with("bob");
    world.server.refuse = (name) => (name === "rest" ? { code: "rate_limited" } : undefined);
    await expect(alice.polls.watch(chat, () => undefined)).rejects.toMatchObject({ code: "rate_limited" });
    world.server.refuse = () => undefined;
    world.server.moduleFrame = () => {
      world.server.cut();
      return { done: {} };
    };
    await expect(alice.polls.watch(chat, () => undefined)).rejects.toMatchObject({ code: "unavailable" });
  });

  test("sets values of the user's own: shown at once, on all devices, at most one write a second", async () => {
    const [first, second] = await twoTabs();
    const phone = (await world.online("alice", { modules, deviceId: "phone" })) as unknown as WithPolls;
    const heard: (string | undefined)[] = [];
    phone.polls.onDraft(() => heard.push(phone.polls.draft));
    const writes = ["L", "Lu", "Lun"].map((text) => second.polls.setDraft(text));
    expect(second.polls.draft).toBe("Lun");
    let written = false;
    void Promise.all(writes).then(() => (written = true));
    await world.until(() => written, "the writes");
    await world.until(() => phone.polls.draft === "Lun", "the draft on the phone");
    await world.until(() => first.polls.draft === "Lun", "the draft in the other tab");
    expect(heard.at(-1)).toBe("Lun");
    const values = world.server.log("~alice").entries.filter((entry) => entry.kind === kinds.keyed);
    expect(values.length).toBeLessThanOrEqual(2);
    const emptied = second.polls.setDraft("");
    await world.until(() => phone.polls.draft === undefined, "no draft");
    await emptied;
  });

  test("has a value that was refused taken back", async () => {
    const alice = await online("alice");
    world.server.refuse = (name) => (name === "send" ? { code: "too_large" } : undefined);
    await expect(alice.polls.setDraft("long")).rejects.toMatchObject({ code: "too_large" });
    await world.until(() => alice.snapshot.outbox === 0, "an empty outbox");
    expect(alice.polls.draft).toBeUndefined();
  });
});

test("a client without extras refuses what only they do, and needs a store", async () => {
  const alice = (await world.online("alice")) as unknown as SkeinClient;
  expect(await alice.devices.list()).toHaveLength(1);
  const bare = await world.online("bob", { extras: undefined, store: memoryStore() });
  await expect(bare.devices.list()).rejects.toMatchObject({ code: "unsupported" });
  const none = world.client("carol", { extras: undefined });
  await expect(none.connect()).rejects.toMatchObject({ code: "invalid_argument" });
});
