import { describe, expect, test } from "vitest";
import { type ConnectionEffect, type ConnectionEvent, ConnectionMachine } from "../src/machine/connection.js";
import { vectors } from "./vectors.js";

interface Vector {
  readonly random: readonly number[];
  readonly steps: readonly { readonly at: number; readonly event: Record<string, unknown>; readonly effects: unknown }[];
  readonly expect: string;
}

/** The vectors leave zeros out and give errors by code. */
function eventOf(event: Record<string, unknown>): ConnectionEvent {
  const zeros = { expiresMs: 0, serverTimeMs: 0, pingIntervalMs: 0, retryAfterMs: 0, more: false, code: 0 };
  const error = { code: event["error"] ?? "unavailable", retryAfterMs: event["retryAfterMs"] ?? 0 };
  return { ...zeros, ...event, error } as unknown as ConnectionEvent;
}

function effectJson(effect: ConnectionEffect): unknown {
  return "error" in effect && effect.error ? { ...effect, error: effect.error.code } : effect;
}

describe("the connection keeps the vectors", () => {
  test.each(vectors<Vector>("connection", 30))("%s", (_, vector) => {
    let taken = 0;
    const machine = new ConnectionMachine(() => {
      const number = vector.random[taken++];
      if (number === undefined) throw new Error("the machine wants more random numbers than the vector has");
      return number;
    });
    vector.steps.forEach((step, i) => {
      expect(machine.step(eventOf(step.event), step.at).map(effectJson), `effects of step ${i + 1}`).toEqual(step.effects);
    });
    expect(taken).toBe(vector.random.length);
    expect(machine.state).toBe(vector.expect);
  });
});
