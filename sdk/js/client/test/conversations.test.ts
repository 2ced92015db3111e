import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type ConversationsModule, conversations } from "../src/modules/conversations/index.js";
import { nothingHidden, uncovered, withMessages } from "../src/modules/conversations/hidden.js";
import type { Client } from "../src/types/client.js";
import { piece, schemaOf } from "../src/module.js";
import { World, alicesBob } from "./fake/world.js";

const modules = { conversations: conversations() };
type Own = Client & { readonly conversations: ConversationsModule };

let world: World;
beforeEach(() => {
  world = new World();
});
afterEach(() => world.close());

async function online(device: string): Promise<Own> {
  return (await world.online("alice", { modules, deviceId: device })) as Own;
}

/** Waits for a promise while the clock moves. */
async function done<T>(promise: Promise<T>): Promise<T> {
  let over = false;
  promise.then(
    () => (over = true),
    () => (over = true),
  );
  await world.until(() => over, "the call's end");
  return promise;
}

describe("the user's own order", () => {
  test("is the same on another device: pins, mutes, drafts, folders, archive, marks", async () => {
    const [desk, phone] = [await online("desk"), await online("phone")];
    for (const name of ["bob", "carol", "dave"]) world.server.text(`@5:alice:${name}`.replace("@5:alice:bob", alicesBob), name, "hi");
    await world.until(() => phone.conversations.list().length === 3, "three conversations");
    const [bob, carol, dave] = ["bob", "carol", "dave"].map((name) => desk.conversation.with(name));
    if (!bob || !carol || !dave) throw new Error("no conversations");
    await done(Promise.all([desk.conversations.pin(bob), desk.conversations.mute(bob, { until: world.clock.now() + 60_000 })]));
    await done(desk.conversations.pin(carol));
    await done(desk.conversations.setDraft(dave, { text: "half", replyTo: 1 }));
    await world.until(() => phone.conversations.of(dave.id).draft?.text === "half", "the draft on the phone");
    expect(phone.conversations.list().map(({ peer }) => peer)).toEqual(["carol", "bob", "dave"]);
    await done(desk.conversations.pin(bob, { before: carol }));
    await world.until(() => phone.conversations.list()[0]?.peer === "bob", "bob first");
    expect(phone.conversations.of(bob.id).muted).toBe(true);
    await world.clock.advance(61_000);
    expect(phone.conversations.of(bob.id).muted).toBe(false);
    const work = await done(desk.conversations.createFolder({ name: "Work", emoji: "💼" }));
    const home = await done(desk.conversations.createFolder({ name: "Home" }));
    await done(desk.conversations.moveFolder(home.id, work.id));
    await done(desk.conversations.setFolders(dave, [work.id, "gone"]));
    await done(desk.conversations.archive(dave));
    await world.until(() => phone.conversations.of(dave.id).archived, "archived on the phone");
    expect(phone.conversations.folders.map(({ name }) => name)).toEqual(["Home", "Work"]);
    expect(phone.conversations.list().map(({ peer }) => peer)).toEqual(["bob", "carol"]);
    expect(phone.conversations.list({ archived: true }).map(({ peer }) => peer)).toEqual(["dave"]);
    expect(phone.conversations.list({ folder: work.id }).map(({ peer }) => peer)).toEqual(["dave"]);
    await done(desk.conversations.removeFolder(work.id));
    await world.until(() => phone.conversations.folders.length === 1, "one folder");
    expect(phone.conversations.of(dave.id).folders).toEqual([]);
    const before = phone.conversations.of(dave.id);
    expect(phone.conversations.of(dave.id)).toBe(before);
  });

  test("hides until the next message, and marks as unread until it is read", async () => {
    const desk = await online("desk");
    world.server.text(alicesBob, "bob", "one");
    await world.until(() => desk.conversations.list().length === 1, "a conversation");
    const bob = desk.conversation.with("bob");
    await done(desk.conversations.hide(bob));
    expect(desk.conversations.list()).toEqual([]);
    world.server.text(alicesBob, "bob", "two");
    await world.until(() => desk.conversations.list().length === 1, "it came back");
    await done(desk.conversations.markRead(bob));
    await done(desk.conversations.markUnread(bob));
    expect(desk.conversations.of(bob).markedUnread).toBe(true);
    world.server.text(alicesBob, "bob", "three");
    await world.until(() => bob.unread === 1, "another message");
    bob.read();
    await world.until(() => bob.unread === 0, "all read");
    expect(desk.conversations.of(bob).markedUnread).toBe(false);
  });

  test("a draft that a newer one refused is no error, and its older text goes", async () => {
    const desk = await online("desk");
    world.server.refuse = (name) => (name === "send" ? { code: "failed_precondition" } : undefined);
    await done(desk.conversations.setDraft("@5:alice:zoe", { text: "late" }));
    expect(desk.conversations.of("@5:alice:zoe").draft).toBeUndefined();
  });
});

describe("what is deleted for the user", () => {
  test("goes on every device, and comes back when that is undone", async () => {
    const [desk, phone] = [await online("desk"), await online("phone")];
    for (let i = 1; i <= 5; i++) world.server.text(alicesBob, "bob", `${i}`);
    const [here, there] = [desk.conversation.with("bob"), phone.conversation.with("bob")];
    await world.until(() => there.head.seq === 5, "five messages");
    await Promise.all([here.open(), there.open()]);
    const texts = (chat: typeof here): string => chat.messages.map(({ text }) => text).join(" ");
    const undo = await done(desk.conversations.deleteForMe(here, here.messages.slice(1, 3)));
    await world.until(() => texts(there) === "1 4 5", "two fewer on the phone");
    expect(texts(here)).toBe("1 4 5");
    expect((await phone.search("2")).length).toBe(0);
    await done(undo());
    await world.until(() => texts(here) === "1 2 3 4 5" && texts(there) === "1 2 3 4 5", "all again");
    await done(phone.conversations.clearHistory(there));
    await world.until(() => texts(here) === "" && here.unread === 0, "nothing left");
    world.server.text(alicesBob, "bob", "6");
    await world.until(() => texts(here) === "6" && texts(there) === "6", "the next message");
  });

  test("is changed again when another device was faster", async () => {
    const desk = await online("desk");
    for (let i = 1; i <= 4; i++) world.server.text(alicesBob, "bob", `${i}`);
    const chat = desk.conversation.with("bob");
    await world.until(() => chat.head.seq === 4, "four messages");
    await chat.open();
    let refusals = 0;
    world.server.refuse = (name) => {
      if (name !== "send" || refusals++) return undefined;
      const other = piece(schemaOf({ C: "35mp:P", P: "9mh:H", H: "1lb 2lu 3Mr:R", R: "1lf 2lt" }), "C").write({ p: { h: { r: [{ f: 1, t: 1 }] } } } as never);
      queueMicrotask(() => {
        const body = { scheme: 1, content: { replyToSeq: 0, mentions: [], rest: other }, opaque: new Uint8Array(0) };
        world.server.append("~alice", "alice", { kind: 7, key: `hidden/${alicesBob}`, body });
      });
      return { code: "failed_precondition" };
    };
    await done(desk.conversations.deleteForMe(chat, chat.messages.slice(2, 3)));
    await world.until(() => chat.messages.map(({ text }) => text).join("") === "24", "both are gone");
  });

  test("positions become ranges, and what is shown again is found", () => {
    const some = withMessages(nothingHidden, [4, 9, 5, 6]);
    expect(some).toEqual({ upToSeq: 0, ranges: [{ fromSeq: 4, toSeq: 6 }, { fromSeq: 9, toSeq: 9 }] });
    expect(withMessages(some, [7, 8, 9])).toEqual({ upToSeq: 0, ranges: [{ fromSeq: 4, toSeq: 9 }] });
    expect(withMessages({ upToSeq: 3, ranges: [] }, [4, 2, 6])).toEqual({ upToSeq: 4, ranges: [{ fromSeq: 6, toSeq: 6 }] });
    expect(uncovered(some, withMessages(some, [7]))).toBe(0);
    expect(uncovered(some, withMessages(nothingHidden, [9]))).toBe(6);
    expect(uncovered({ upToSeq: 8, ranges: [] }, some)).toBe(8);
  });
});
