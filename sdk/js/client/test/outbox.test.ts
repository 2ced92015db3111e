import { describe, expect, test } from "vitest";
import { type OutboxEffect, type OutboxEvent, OutboxMachine } from "../src/machine/outbox.js";
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
