import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Files, type FilesOptions, type Transfer, files } from "../src/modules/files/index.js";
import { type Messages, messages } from "../src/modules/messages/index.js";
import type { FullOptions } from "../src/client.js";
import type { Client } from "../src/types/client.js";
import { FakeFiles } from "./fake/files.js";
import { World, alicesBob } from "./fake/world.js";

type WithFiles = Client & { readonly files: Files; readonly messages: Messages };

let world: World;
let server: FakeFiles;

beforeEach(() => {
  world = new World();
  server = new FakeFiles(world.server, () => world.clock.now());
});
afterEach(() => world.close());

async function online(user = "alice", options: Partial<FullOptions> = {}, given: FilesOptions = {}): Promise<WithFiles> {
  return (await world.online(user, { modules: { files: files({ http: server.http, ...given }), messages: messages() }, ...options })) as WithFiles;
}

const bytes = (length: number): Uint8Array<ArrayBuffer> => Uint8Array.from({ length }, (_, i) => i % 251);
const blob = (length: number, type = "image/png"): Blob => new Blob([bytes(length)], { type });
const sent = (): readonly unknown[] => world.server.log(alicesBob).entries;

test("a file is uploaded, and ends in one message that names it", async () => {
  const alice = await online();
  const states: string[] = [];
  const bob = alice.conversation.with("bob");
  const message = await bob.send({ file: new File([bytes(1000)], "cat.png", { type: "image/png" }), caption: "look", onProgress: ({ state }) => states.push(state) });
  expect(message).toMatchObject({ seq: 1, state: "sent", content: { type: "attachments", caption: "look" } });
  expect(message.content).toMatchObject({ items: [{ file: "1", name: "safe cat.png", mime: "image/png", size: 1000, width: 30, height: 20, url: "" }] });
  expect([...server.uploads.values()]).toMatchObject([{ name: "cat.png", mime: "image/png", bytes: bytes(1000), made: true }]);
  await world.until(() => alice.files.transfers().length === 0, "the end of the transfer");
  expect([...new Set(states)]).toEqual(["waiting", "preparing", "uploading", "sending", "sent"]);
  expect(sent()).toHaveLength(1);
});
