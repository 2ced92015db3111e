// Whatever the network does to what the server says, the client ends where one ends that was never disturbed.
import { IDBFactory, IDBKeyRange } from "fake-indexeddb";
import fc from "fast-check";
import { expect, test } from "vitest";
import { uuidText } from "../src/ids.js";
import { kinds } from "../src/reduce/state.js";
import { indexedDBStore } from "../src/store/indexeddb.js";
import { memoryStore } from "../src/store/memory.js";
import type { Client } from "../src/types/client.js";
import type { Message } from "../src/types/message.js";
import type { Store } from "../src/types/store.js";
import { turn } from "./fake/clock.js";
import { textBody } from "./fake/server.js";
import { World, alicesBob } from "./fake/world.js";

globalThis.IDBKeyRange = IDBKeyRange;

type Step =
  | { readonly do: "say" | "send" | "cut" | "turn" | "tick" | "older" | "open" }
  | { readonly do: "edit" | "recall" | "react" | "unreact"; readonly which: number }
  | { readonly do: "mood"; readonly mood: "fair" | "drop" | "double" | "late" };

const which = fc.nat({ max: 30 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Step>({ do: "say" }) },
  { weight: 3, arbitrary: fc.constant<Step>({ do: "send" }) },
  { weight: 4, arbitrary: fc.constant<Step>({ do: "turn" }) },
  { weight: 2, arbitrary: fc.constant<Step>({ do: "tick" }) },
  { weight: 1, arbitrary: fc.constantFrom<Step>({ do: "cut" }, { do: "older" }, { do: "open" }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom("edit", "recall", "react", "unreact"), which }) as fc.Arbitrary<Step> },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("mood"), mood: fc.constantFrom("fair", "drop", "double", "late") }) as fc.Arbitrary<Step> },
);

/** What matters of a message, without what only the device that sent it has. */
function essence({ seq, ord, sender, text, edited, recalled, reactions, state, key }: Message): unknown {
  return { seq, ord, sender, text, edited, recalled, reactions, state, key };
}

async function everything(client: Client): Promise<unknown[]> {
  const bob = client.conversation.with("bob");
  await bob.jumpToLatest({ limit: 10 });
  while (await bob.loadOlder({ limit: 7 }));
  return bob.messages.map(essence);
}

async function run(steps: readonly Step[], store: Store): Promise<void> {
  const world = new World();
  try {
    const { server } = world;
    let mood = "fair";
    let late: (() => void)[] = [];
    server.syncEntries = 3;
    server.shape = (frames, session) => {
      if (mood === "fair" || session.user !== "alice" || frames.some((frame) => frame.welcome ?? frame.sync)) return frames;
      if (mood === "drop") return frames.filter((frame) => !frame.entry && !frame.ack);
      if (mood === "double") return [...frames, ...frames];
      late.unshift(() => server.tell(session, frames));
      return [];
    };
    const alice = await world.online("alice", { store });
    const bob = alice.conversation.with("bob");
    const target = (index: number): number => 1 + (index % Math.max(1, server.log(alicesBob).entries.length));
    const act = (kind: number, index: number, body?: ReturnType<typeof textBody>): void => {
      const targetSeq = target(index);
      if (server.log(alicesBob).entries[targetSeq - 1]?.kind !== kinds.message) return;
      server.append(alicesBob, "bob", { kind, targetSeq, body });
    };
    const sends: Promise<Message>[] = [];
    for (const [i, one] of steps.entries()) {
      switch (one.do) {
        case "say":
          server.text(alicesBob, "bob", `said ${i}`);
          break;
        case "send":
          sends.push(bob.send({ text: `sent ${i}` }));
          break;
        case "cut":
          server.cut();
          break;
        case "turn":
          await turn();
          break;
        case "tick":
          world.clock.advance(400);
          break;
        case "open":
          void bob.open({ limit: 5 });
          break;
        case "older":
          void bob.loadOlder({ limit: 5 });
          break;
        case "edit":
          act(kinds.edit, one.which, textBody(`edited ${i}`));
          break;
        case "recall":
          act(kinds.recall, one.which);
          break;
        case "react":
        case "unreact": {
          const reaction = { emoji: "👍", removed: one.do === "unreact" };
          act(kinds.reaction, one.which, { ...textBody(""), content: { reaction, replyToSeq: 0, mentions: [] } });
          break;
        }
        case "mood":
          mood = one.mood === "late" && mood === "late" ? "fair" : one.mood;
          for (const tell of late) tell();
          late = [];
      }
    }
    mood = "fair";
    for (const tell of late) tell();
    // Something to come after, so that what was dropped last is missed.
    server.text(alicesBob, "bob", "the end");
    const log = server.log(alicesBob);
    await world.until(() => alice.state === "online" && alice.snapshot.outbox === 0, "an empty outbox");
    await Promise.all(sends);
    await bob.jumpToLatest();
    await world.until(() => {
      if (bob.messages.some((message) => message.text === "the end")) return true;
      void bob.loadOlder();
      return false;
    }, "the end");
    const fresh = await world.online("alice", { deviceId: "fresh" });
    expect(await everything(alice)).toEqual(await everything(fresh));
    expect(bob.unread).toBe(fresh.conversation.with("bob").unread);
    expect(new Set(log.entries.map((e) => e.clientId.join())).size).toBe(log.entries.length);
    // Ids ascend in the order in which the user acted.
    const own = log.entries.filter((e) => e.sender === "alice").map((e) => uuidText(e.clientId));
    expect(own).toEqual([...own].sort());
  } finally {
    await world.close();
  }
}

test.each<[string, () => Store, number]>([
  ["memory", () => memoryStore(), 150],
  ["IndexedDB", () => indexedDBStore({ factory: new IDBFactory() }), 40],
])(
  "dropped, doubled, delayed and reordered news, and lost connections, end in the in-order state (%s)",
  async (_, store, numRuns) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), (steps) => run(steps, store())),
      { numRuns },
    );
  },
  120_000,
);
