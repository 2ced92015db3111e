import { afterEach, beforeEach, expect, test } from "vitest";
import { type Messages, messages } from "../src/modules/messages/index.js";
import type { Client } from "../src/types/client.js";
import type { Message } from "../src/types/message.js";
import { World } from "./fake/world.js";

type WithMessages = Client & { readonly messages: Messages };

let world: World;
let alice: WithMessages;
let bob: WithMessages;

beforeEach(async () => {
  world = new World();
  [alice, bob] = (await Promise.all(["alice", "bob"].map((user) => world.online(user, { modules: { messages: messages() } })))) as [WithMessages, WithMessages];
});
afterEach(() => world.close());

/** What bob gets of what alice sends. */
async function got(outgoing: Parameters<ReturnType<Client["conversation"]["with"]>["send"]>[0]): Promise<Message> {
  const sent = await alice.conversation.with("bob").send(outgoing);
  const theirs = bob.conversation.with("alice");
  await world.until(() => theirs.lastMessage?.id === sent.id, "bob has it");
  return theirs.lastMessage as Message;
}

test("every kind comes as it was sent", async () => {
  const place = { latitude: -33.8567844, longitude: -151.2152967, name: "Opera", address: "Sydney" };
  expect((await got(alice.messages.location(place))).content).toEqual({ type: "location", ...place });
  expect((await got(alice.messages.contactCard({ user: "carol", name: "Carol" }))).content).toEqual({ type: "contactCard", user: "carol", name: "Carol" });
  const sticker = { pack: "cats", id: "wave", url: "", alt: "a cat waves" };
  expect((await got(alice.messages.sticker(sticker))).content).toEqual({ type: "sticker", ...sticker });
  const file = { name: "a.png", mime: "image/png", url: "https://x.example/a.png", size: 5, width: 2, height: 3, duration: 1500, thumb: new Uint8Array([1]), sha256: undefined };
  const ours = { file: "", poster: "", waveform: undefined, voice: false, animated: false };
  const film = { ...file, ...ours, url: "", file: "0".repeat(32), poster: "1".repeat(32), waveform: new Uint8Array([0, 255]), voice: true, animated: true };
  const message = await got(alice.messages.attachments([file, film], "*look*", { format: "markdown" }));
  expect(message.kind).toBe("content");
  expect(message.content).toEqual({ type: "attachments", items: [{ ...file, ...ours }, film], caption: "*look*", format: "markdown" });
});

test("a text says how it is to be read and whom it calls", async () => {
  const plain = await got({ text: "plain" });
  expect(plain.fields).toBeUndefined();
  expect(bob.messages.details(plain)).toMatchObject({ format: undefined, forwarded: undefined, mentionAll: false });
  const all = await got({ ...alice.messages.text("**all**", { format: "markdown", calls: { all: true } }), mentions: ["carol"] });
  expect(all.text).toBe("**all**");
  expect(bob.messages.details(all)).toMatchObject({ format: "markdown", mentionAll: true });
  expect(bob.messages.details(all)).toBe(bob.messages.details(all));
  expect([plain, all].map((message) => bob.messages.mentionsMe(message))).toEqual([false, true]);
  expect(bob.messages.mentionsMe(await got({ text: "you", mentions: ["bob"] }))).toBe(true);
  expect(bob.messages.mentionsMe(await got(alice.messages.text("you", { calls: { roles: ["owner"] } })))).toBe(false);
});

test("what no server would take is refused at once", () => {
  expect(() => alice.messages.location({ latitude: 91, longitude: 0 })).toThrow("latitude");
  expect(() => alice.messages.location({ latitude: 0, longitude: Number.NaN })).toThrow("longitude");
  expect(() => alice.messages.attachments([])).toThrow("1 to 20");
  const file = { name: "a", mime: "text/plain", size: 1, file: "0".repeat(32) };
  expect(() => alice.messages.attachments([{ ...file, url: "https://x.example/a" }])).toThrow("a url or a file");
  expect(() => alice.messages.attachments([{ ...file, file: "" }])).toThrow("a url or a file");
});

test("messages that are not sent, or of two conversations, are not forwarded", async () => {
  const to = alice.conversation.with("carol");
  await expect(alice.messages.forward([], to)).rejects.toThrow("nothing");
  await expect(alice.messages.forward([to.sendLocal({ text: "x" })], to)).rejects.toThrow("only sent");
});
