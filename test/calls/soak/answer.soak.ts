// How long it takes from the click on "accept" until each side sees and hears the other: people in two browsers, the server as it comes.
// SOAK_ANSWERS (30) calls, one after the other; the table is printed, and kept in test-output.
import { mkdirSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Browser } from "playwright-core";
import { type Own, startOwn } from "../src/own.js";
import { launch, startPages, type Pages } from "../src/party.js";
import { Person } from "../src/person.js";

const answers = Number(process.env["SOAK_ANSWERS"] ?? "30");
let own: Own, pages: Pages, a: Browser, b: Browser, alice: Person, bob: Person;

beforeAll(async () => {
  [pages, a, b] = await Promise.all([startPages(), launch(), launch()]);
  own = await startOwn("--allowed-origins", new URL(pages.url).origin, "--limits-ring-burst", String(2 * answers));
  [alice, bob] = await Promise.all([Person.signIn(a, pages.url, own.url, "alice"), Person.signIn(b, pages.url, own.url, "bob")]);
});
afterAll(async () => {
  await Promise.all([a?.close(), b?.close()]);
  await own?.stop();
  await pages?.stop();
});

const columns = ["let in", "connected", "camera and microphone published", "sees", "hears", "is seen", "is heard"] as const;
type Answer = Record<(typeof columns)[number], number>;

async function answer(): Promise<Answer> {
  const calling = alice.start({ user: "bob" });
  const id = await bob.rings();
  await calling;
  await bob.accept(id);
  await bob.until(`return w.first["alice/phone"]?.video !== undefined && w.first["alice/phone"]?.audio !== undefined;`);
  await alice.until(`return w.first["bob/phone"]?.video !== undefined && w.first["bob/phone"]?.audio !== undefined;`);
  const { at, first: his } = await bob.times("alice/phone");
  const { first: hers } = await alice.times("bob/phone");
  await bob.hangUp();
  await alice.isOut(id, "completed");
  const after = (when = NaN): number => when - at.began;
  return { "let in": after(at.letIn), connected: after(at.connected), "camera and microphone published": after(at.published),
    sees: after(his?.video), hears: after(his?.audio), "is seen": after(hers?.video), "is heard": after(hers?.audio) };
}

test("whoever accepts a call sees and hears, and is seen and heard, within a second", { timeout: 60_000 + answers * 10_000 }, async () => {
  await answer(); // what a browser does once: its first camera, its first page
  const all: Answer[] = [];
  for (let i = 0; i < answers; i++) all.push(await answer());
  const at = (column: keyof Answer, q: number): number => all.map((x) => x[column]).sort((x, y) => x - y)[Math.min(all.length - 1, Math.floor(q * all.length))] ?? NaN;
  const table = ["| ms after accept | p50 | p95 | most |", "|---|---|---|---|", ...columns.map((c) => `| ${c} | ${at(c, 0.5)} | ${at(c, 0.95)} | ${at(c, 1)} |`)].join("\n");
  console.log(table);
  const out = new URL("../../../test-output/", import.meta.url).pathname;
  mkdirSync(out, { recursive: true });
  writeFileSync(out + "calls-answer.md", table + "\n");
  for (const column of ["sees", "hears", "is seen", "is heard"] as const) expect(at(column, 0.95), column).toBeLessThanOrEqual(1000);
});
