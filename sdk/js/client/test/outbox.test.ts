import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type OutboxEffect, type OutboxEvent, OutboxMachine } from "../src/machine/outbox.js";
import { turn } from "./fake/clock.js";
import { World } from "./fake/world.js";
import { vectors } from "./vectors.js";

interface Vector {
  readonly random: readonly number[];
  readonly steps: readonly { readonly at: number; readonly event: Record<string, unknown>; readonly effects: unknown }[];
  readonly expect: readonly string[];
}

function effectJson(effect: OutboxEffect): unknown {
  if (effect.type === "transmit") return { type: effect.type, id: effect.id, firstAttemptMs: effect.firstAttemptMs };
  return effect.type === "fail" ? { type: effect.type, id: effect.id, error: effect.code } : effect;
}

describe("the outbox keeps the vectors", () => {
  test.each(vectors<Vector>("outbox", 15))("%s", (_, vector) => {
    let taken = 0;
    const machine = new OutboxMachine(() => {
      const number = vector.random[taken++];
      if (number === undefined) throw new Error("the machine wants more random numbers than the vector has");
      return number;
    });
    vector.steps.forEach(({ at, event, effects }, i) => {
      const step = { ...event, code: event["error"] } as unknown as OutboxEvent;
      expect(machine.step(step, at).map(effectJson), `effects of step ${i + 1}`).toEqual(effects);
    });
    expect(taken).toBe(vector.random.length);
    expect(machine.ids).toEqual(vector.expect);
  });
});

describe("the outbox of a client", () => {
  let world: World;
  beforeEach(() => {
    world = new World();
  });
  afterEach(() => world.close());

  test("a late refusal of an earlier attempt fails nothing", async () => {
    const alice = await world.online("alice");
    const here = alice.conversation.with("bob");
    await here.open();
    const sent = await here.send({ text: "helo" });
    const attempts = (): number => world.server.heard.filter((what) => what === "EditMessage").length;
    const hold = (): (() => void) => {
      let release = (): void => undefined;
      world.server.held = new Promise((resolve) => (release = resolve));
      return release;
    };
    world.server.shape = (frames) => frames.filter((frame) => !frame.entry); // the answer comes first
    const first = hold();
    world.server.refuse = (what) => (what === "EditMessage" ? { code: "permission_denied" } : undefined);
    const editing = here.edit(sent, { text: "hello" });
    await world.until(() => attempts() === 1);
    const second = hold();
    world.server.refuse = () => undefined;
    world.server.cut();
    await world.until(() => attempts() === 2);
    first();
    await turn();
    expect(here.messages).toMatchObject([{ text: "hello", pending: true }]);
    second();
    await editing;
    expect(here.messages).toMatchObject([{ text: "hello", edited: true, pending: false }]);
  });
});
