// Tabs send files, come and die at random, over a network that loses requests and answers: at the end there is one
// message for each file whose tab lived, and one at most for the others, and no tab shows a transfer.
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Files, files } from "../src/modules/files/index.js";
import { messages } from "../src/modules/messages/index.js";
import { contentFields } from "../src/modules/files/wire.js";
import type { Client } from "../src/types/client.js";
import { Profile, type Tab } from "./fake/browser.js";
import { turn } from "./fake/clock.js";
import { FakeFiles } from "./fake/files.js";
import { World, alicesBob } from "./fake/world.js";

type Step =
  | { readonly do: "open" | "cut" | "turn" | "mute" | "lose" | "forget" | "full" }
  | { readonly do: "send" | "kill" | "close" | "pause" | "resume" | "retry"; readonly tab: number };

const tab = fc.nat({ max: 5 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: tab.map((t): Step => ({ do: "send", tab: t })) },
  { weight: 8, arbitrary: fc.constant<Step>({ do: "turn" }) },
  { weight: 3, arbitrary: fc.constantFrom<Step>({ do: "open" }, { do: "lose" }) },
  { weight: 2, arbitrary: fc.constantFrom<Step>({ do: "cut" }, { do: "mute" }, { do: "forget" }, { do: "full" }) },
  {
    weight: 4,
    arbitrary: fc.tuple(fc.constantFrom("kill" as const, "close" as const, "pause" as const, "resume" as const, "retry" as const), tab).map(([verb, t]): Step => ({ do: verb, tab: t })),
  },
);

type WithFiles = Client & { readonly files: Files };
const of = ({ client }: Tab): WithFiles => client as WithFiles;

async function run(steps: readonly Step[]): Promise<void> {
  const world = new World();
  const server = new FakeFiles(world.server, () => world.clock.now());
  const profile = new Profile(world, {
    modules: (owner, tabs) => ({
      messages: messages(),
      files: files({ tabs, http: (request) => (owner.alive ? server.http(request) : new Promise(() => undefined)) }),
    }),
  });
  const all: Tab[] = [profile.tab()];
  const closed = new Set<Tab>();
  const lives = (t: Tab): boolean => t.alive && !closed.has(t);
  /** Who sent what. */
  const sent = new Map<string, Tab>();
  const arrived = new Set<string>();
  let requests = 0;
  const lossy = (): void => {
    if (requests++ % 3 === 0) throw new TypeError("lost");
  };
  try {
    for (const [i, one] of steps.entries()) {
      const here = all.filter(lives);
      const chosen = "tab" in one ? here[one.tab % here.length] : undefined;
      const ready = chosen && chosen.client.userId !== "" ? of(chosen).files : undefined;
      if (one.do === "open" && here.length < 4) all.push(profile.tab());
      else if (one.do === "cut") world.server.cut();
      else if (one.do === "mute") world.server.mute = !world.server.mute;
      else if (one.do === "lose") [server.before, server.after] = server.before === lossy ? [() => undefined, () => undefined] : [lossy, lossy];
      else if (one.do === "full") profile.full = !profile.full;
      else if (one.do === "forget") {
        for (const { id, made } of [...server.uploads.values()]) if (!made) server.uploads.delete(id);
      } else if (one.do === "turn") {
        for (let n = 0; n < 5; n++) {
          await turn();
          world.clock.advance(100);
        }
      } else if (one.do === "send" && chosen && ready) {
        const caption = `file ${i}`;
        sent.set(caption, chosen);
        chosen.client.conversation
          .with("bob")
          .send({ file: new File([caption], "a.txt"), caption })
          .then(
            () => arrived.add(caption),
            () => undefined,
          );
      } else if (chosen && ready && (one.do === "pause" || one.do === "resume" || one.do === "retry")) {
        for (const { id } of ready.transfers()) ready[one.do](id);
      } else if (chosen && here.length > 1) {
        if (one.do === "kill") chosen.kill();
        else if (one.do === "close") {
          closed.add(chosen);
          await chosen.client.close();
        }
      }
    }
    // What was not answered is asked again on the next connection.
    world.server.mute = false;
    world.server.cut();
    [server.before, server.after] = [() => undefined, () => undefined];
    const rest = all.filter(lives);
    for (const t of rest) await t.client.ready;
    await world.until(() => {
      for (const t of rest) {
        for (const { id, state } of of(t).files.transfers()) {
          if (state === "paused") of(t).files.resume(id);
          if (state === "failed") of(t).files.retry(id);
        }
      }
      return rest.every((t) => t.client.state === "online" && t.client.snapshot.outbox === 0 && !of(t).files.transfers().length);
    }, "the end of all transfers");
    const captions = world.server.log(alicesBob).entries.map(({ body }) => contentFields.read(body?.content?.rest).attachments?.caption ?? "");
    expect(new Set(captions).size).toBe(captions.length);
    for (const caption of captions) expect(sent.has(caption)).toBe(true);
    for (const [caption, by] of sent) if (lives(by)) expect(captions).toContain(caption);
    for (const caption of arrived) expect(captions).toContain(caption);
  } finally {
    for (const t of all) t.kill();
  }
}

test("each file is one message, whatever becomes of tabs, requests and the store", async () => {
  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60, size: "max" }), run), { numRuns: 25 });
}, 120_000);
