// What the TypeScript blocks of a page find ready, and what checks are made
// with.
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { format } from "node:util";
import { type Client, createClient } from "@skein/client";

export { assert };

/** The server's address. */
export const endpoint = process.env["SKEIN_ENDPOINT"] ?? "http://127.0.0.1:8080";

/** A demo user's token: what a page's own back end would answer. */
export async function tokenOf(user: string): Promise<string> {
  const answer = await fetch(`${endpoint}/dev/token`, { method: "POST", body: JSON.stringify({ user }) });
  return ((await answer.json()) as { token: string }).token;
}

/** Stands for the reader's own back end, where alice is logged in. */
export const fetchTokenFromMyServer = (): Promise<string> => tokenOf("alice");

const clients: Client[] = [];

/** A connected client of a demo user. */
export async function client(user: string): Promise<Client> {
  const made = createClient({ endpoint, appId: "demo", token: () => tokenOf(user) });
  clients.push(made);
  await made.connect();
  return made;
}

/** Waits until a condition holds. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 15_000;
  while (!(await holds())) {
    assert.ok(performance.now() < end, `not within 15 s: ${what}`);
    await pause(10);
  }
}

/** Stops or starts the server. */
export async function server(verb: "stop" | "start"): Promise<void> {
  await fetch(`${process.env["SKEIN_CONTROL"]}/${verb}`, { method: "POST" });
}

const printed: string[] = [];

/** Takes the place of the global one, so that a page's output can be compared with what the page shows. */
export const console = {
  log(...values: unknown[]): void {
    printed.push(...format(...values).split("\n"));
  },
  error(...values: unknown[]): void {
    printed.push(...format(...values).split("\n"));
  },
};

/** Waits until the blocks so far have printed what the page shows; "…" stands for anything within a line. */
export async function prints(want: string): Promise<void> {
  const escaped = want.trim().replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replaceAll("…", ".*");
  const pattern = new RegExp(`^${escaped}$`);
  const end = performance.now() + 15_000;
  while (!pattern.test(printed.join("\n").trim()) && performance.now() < end) await pause(10);
  const got = printed.splice(0).join("\n").trim();
  if (!pattern.test(got)) assert.equal(got, want.trim());
}

/** Ends the program. What was printed and is not shown by the page fails it. */
export async function finish(): Promise<never> {
  assert.deepEqual(printed, [], "the page does not show this output");
  await Promise.all(clients.map((one) => one.close()));
  process.exit(0);
}
