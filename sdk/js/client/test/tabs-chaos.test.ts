// Tabs come, die and send at random: at the end each message arrived once and all tabs show the same.
import fc from "fast-check";
import { expect, test } from "vitest";
import { Profile, type Tab } from "./fake/browser.js";
import { turn } from "./fake/clock.js";
import { World, alicesBob } from "./fake/world.js";

type Step = { readonly do: "open" | "say" | "cut" | "turn" | "mute" } | { readonly do: "send" | "kill" | "close" | "older"; readonly tab: number };

const tab = fc.nat({ max: 5 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: tab.map((t): Step => ({ do: "send", tab: t })) },
  { weight: 6, arbitrary: fc.constant<Step>({ do: "turn" }) },
  { weight: 3, arbitrary: fc.constantFrom<Step>({ do: "say" }, { do: "open" }) },
  { weight: 1, arbitrary: fc.constantFrom<Step>({ do: "cut" }, { do: "mute" }) },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom("kill" as const, "close" as const, "older" as const), tab).map(([verb, t]): Step => ({ do: verb, tab: t })) },
);

async function run(steps: readonly Step[]): Promise<void> {
  const world = new World();
  const profile = new Profile(world);
  const all: Tab[] = [profile.tab()];
  const closed = new Set<Tab>();
  const kept = new Set<string>();
  try {
    const { server } = world;
    for (const [i, one] of steps.entries()) {
      const here = all.filter((t) => t.alive && !closed.has(t));
      const chosen = "tab" in one ? here[one.tab % here.length] : undefined;
      const ready = chosen && chosen.client.userId !== "";
      const bob = ready ? chosen.client.conversation.with("bob") : undefined;
      if (one.do === "open" && here.length < 4) all.push(profile.tab());
      else if (one.do === "say") server.text(alicesBob, "bob", `said ${i}`);
      else if (one.do === "cut") server.cut();
      else if (one.do === "mute") server.mute = !server.mute;
      else if (one.do === "turn") for (let n = 0; n < 5; n++) await turn();
      else if (one.do === "older") void bob?.loadOlder({ limit: 3 }).catch(() => undefined);
      else if (one.do === "send" && bob) {
        const text = `sent ${i}`;
        bob.send({ text }).then(() => kept.add(text), () => undefined);
      } else if (chosen && here.length > 1) {
        if (one.do === "kill") chosen.kill();
        else if (one.do === "close") {
          closed.add(chosen);
          await chosen.client.close();
        }
      }
    }
    server.mute = false;
    const rest = all.filter((t) => t.alive && !closed.has(t));
    for (const t of rest) await t.client.ready;
    await world.until(() => server.connections === 1 && rest.filter((t) => t.client.snapshot.tab === "leader").length === 1, "one leader");
    await world.until(() => rest.every((t) => t.client.state === "online" && t.client.snapshot.outbox === 0), "all tabs online and nothing unsent");
    const log = server.log(alicesBob).entries;
    for (const t of rest) await t.client.conversation.with("bob").jumpToLatest();
    for (const t of rest) while (await t.client.conversation.with("bob").loadOlder());
    const complete = (t: Tab): boolean => {
      const { messages } = t.client.conversation.with("bob");
      return messages.length === log.length && messages.every((m) => m.state === "sent");
    };
    await world.until(() => rest.every(complete), "all messages in all tabs");
    const shown = rest.map((t) => t.client.conversation.with("bob").messages);
    for (const messages of shown) expect(messages).toEqual(shown[0]);
    const texts = log.map((e) => e.body?.content?.text?.text);
    expect(shown[0]?.map((m) => m.text)).toEqual(texts);
    expect(new Set(texts).size).toBe(texts.length);
    for (const text of kept) expect(texts).toContain(text);
  } finally {
    for (const t of all) t.kill();
  }
}

test("tabs that open, send, close and die end equal, with each message once", async () => {
  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 50 }), run), { numRuns: 40 });
}, 120_000);
