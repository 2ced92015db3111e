// A conversation of 50,000 messages.
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { App, eventually } from "../src/app.ts";
import { launch, profile } from "../src/browser.ts";
import { Server } from "../src/server.ts";

const count = 50_000;
const words = "one strand holds another and so a sweater grows out of a single thread while nobody looks at the needles".split(" ");

let server: Server;
let browser: Browser;
let alice: App;

beforeAll(async () => {
  [server, browser] = await Promise.all([Server.start("--limits-send-rate", "100000", "--limits-send-burst", "100000"), launch()]);
  const bob = await server.client("bob");
  const chat = bob.conversation.with("alice");
  for (let from = 1; from <= count; from += 2000) {
    const sends: Promise<unknown>[] = [];
    for (let i = from; i < from + 2000; i++) sends.push(chat.send({ text: `${i} ${words.slice(0, 1 + ((i * 7) % words.length)).join(" ")}` }));
    await Promise.all(sends);
  }
  alice = await App.open((await profile(browser)).context, server, "alice");
}, 240_000);

afterAll(async () => {
  await browser.close();
  await server.stop();
});

/** Presses the conversation's row and takes the time until its newest message is drawn. */
function timeToOpen(page: Page, last: number): Promise<number> {
  return page.evaluate(async (seq) => {
    const row = [...document.querySelectorAll<HTMLElement>(".chat-row")].find((r) => r.querySelector(".chat-name")?.textContent === "bob");
    const begin = performance.now();
    row?.click();
    while (!document.querySelector(`[data-seq="${seq}"]`)) await new Promise(requestAnimationFrame);
    await new Promise(requestAnimationFrame);
    return performance.now() - begin;
  }, last);
}

test("it opens within 300 ms, and draws fewer than 300 messages", async () => {
  await alice.chatWith("carol");
  await alice.row("bob").waitFor();
  // Read it first, so that it opens at its end.
  await alice.row("bob").click();
  await alice.page.getByRole("button", { name: /newest message|new message/ }).click({ timeout: 5000 }).catch(() => undefined);
  await eventually(() => alice.page.locator(`[data-seq="${count}"]`).count(), (n) => n === 1);
  await alice.page.reload();
  await alice.online();
  await alice.chatWith("carol");
  const took = await timeToOpen(alice.page, count);
  console.log(`50,000 messages open in ${Math.round(took)} ms`);
  expect(took).toBeLessThanOrEqual(300);
  expect(await alice.page.locator("[data-message]").count()).toBeLessThan(300);
});

test("scrolling up through older pages moves every row by what was scrolled, and never draws 300", async () => {
  await alice.page.mouse.move(800, 400);
  let most = 0;
  let oldest = count;
  for (let step = 0; step < 120; step++) {
    const before = await alice.page.evaluate(() => {
      const box = document.querySelector(".messages")?.getBoundingClientRect();
      const row = [...document.querySelectorAll<HTMLElement>("[data-message]")].find((r) => r.getBoundingClientRect().top > (box?.top ?? 0) + 60);
      return { key: row?.dataset["key"] ?? "", y: row?.getBoundingClientRect().top ?? 0 };
    });
    await alice.page.mouse.wheel(0, -280);
    const after = await eventually(
      () =>
        alice.page.evaluate(async (key) => {
          // Two frames: the scroll, and whatever it set off.
          await new Promise(requestAnimationFrame);
          await new Promise(requestAnimationFrame);
          const rows = [...document.querySelectorAll<HTMLElement>("[data-message]")];
          const row = rows.find((r) => r.dataset["key"] === key);
          return { y: row?.getBoundingClientRect().top, rows: rows.length, first: Number(rows[0]?.dataset["seq"]) };
        }, before.key),
      ({ y }) => y === undefined || y !== before.y,
      5000,
    );
    most = Math.max(most, after.rows);
    oldest = Math.min(oldest, after.first);
    if (after.y !== undefined) expect(Math.abs(after.y - before.y - 280), `step ${step}`).toBeLessThanOrEqual(1.5);
  }
  expect(oldest).toBeLessThan(count - 400);
  expect(most).toBeLessThan(300);
});

/** Where each drawn row ends: a row may lose the line of its day, which is at its top. */
function look(): Promise<Map<string, number>> {
  return alice.page
    .evaluate(async () => {
      await new Promise(requestAnimationFrame);
      await new Promise(requestAnimationFrame);
      return [...document.querySelectorAll<HTMLElement>("[data-message]")].map((row) => [row.dataset["key"] ?? "", row.getBoundingClientRect().bottom] as const);
    })
    .then((rows) => new Map(rows));
}

/** Rows that are drawn in both, and did not stay where they were. */
function moved(before: Map<string, number>, after: Map<string, number>): string[] {
  const both = [...before].filter(([key]) => after.has(key));
  expect(both.length).toBeGreaterThan(5);
  return both.filter(([key, y]) => Math.abs((after.get(key) ?? 0) - y) > 1).map(([key, y]) => `${key} by ${(after.get(key) ?? 0) - y}`);
}

test("a page of older messages that arrives while nobody scrolls moves nothing", async () => {
  const list = () =>
    alice.page.evaluate(() => {
      const box = document.querySelector(".messages");
      return { height: box?.scrollHeight ?? 0, at: box?.scrollTop, first: document.querySelector<HTMLElement>("[data-message]")?.dataset["seq"], says: document.querySelector(".messages-top")?.textContent };
    });
  for (let page = 0; page < 3; page++) {
    const { height: long } = await list();
    // In one step to where the page before has to be asked for.
    await alice.page.evaluate(() => document.querySelector(".messages")?.scrollTo(0, 700));
    const before = await look();
    await eventually(list, ({ height }) => height > long + 1000);
    expect(moved(before, await look())).toEqual([]);
  }
});

test("a new message does not move one who reads above, and the button leads down to it", async () => {
  const before = await look();
  const bob = await server.client("bob");
  await bob.conversation.with("alice").send({ text: "the newest of all" });
  const pill = alice.page.getByRole("button", { name: "1 new message" });
  await pill.waitFor();
  expect(moved(before, await look())).toEqual([]);
  await pill.click();
  await alice.sees("the newest of all");
  await pill.waitFor({ state: "detached" });
});

test("a search leads to a message far up, and on from there", async () => {
  await alice.page.getByRole("button", { name: "Search in this chat" }).click();
  await alice.page.getByPlaceholder("Search in this chat").fill("49777");
  await alice.page.locator("mark", { hasText: "49777" }).waitFor();
  expect(await alice.page.locator("[data-message]").count()).toBeLessThan(300);
  await alice.page.keyboard.press("Escape");
});
