// Pins: from the menu to the bar, the list and the way back, live on the other device; at both sizes, in both languages.
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { App } from "../src/app.ts";
import { launch, profile } from "../src/browser.ts";
import { findings, shot } from "../src/look.ts";
import { Server } from "../src/server.ts";

let server: Server;
let browser: Browser;

beforeAll(async () => {
  [server, browser] = await Promise.all([Server.start(), launch()]);
});

afterAll(async () => {
  await browser.close();
  await server.stop();
});

test("messages are pinned, shown one after the other, and taken down, on every device", async () => {
  const desk = await profile(browser, { viewport: { width: 1280, height: 800 } });
  const phone = await profile(browser, { viewport: { width: 360, height: 740 }, locale: "zh-CN", hasTouch: true, isMobile: true });
  const alice = await App.open(desk.context, server, "alice");
  const bob = await App.open(phone.context, server, "bob");
  for (const { page } of [alice, bob]) page.setDefaultTimeout(10_000);
  await alice.page.getByRole("button", { name: "New chat" }).click();
  await alice.page.getByRole("menuitem", { name: "New group" }).click();
  const dialog = alice.page.getByRole("dialog", { name: "New group" });
  await dialog.getByLabel("Name of the group").fill("Club");
  await dialog.getByRole("button", { name: "bob", exact: true }).click();
  await dialog.getByRole("button", { name: "Create the group" }).click();
  await alice.page.locator(".thread-name", { hasText: "Club" }).waitFor();
  await alice.send("the rules of the club");
  for (let i = 1; i <= 24; i++) await alice.send(`talk ${i}`);
  await alice.send("the next meeting is on Friday");
  await alice.state("the next meeting is on Friday", "sent");

  const bar = alice.page.getByRole("region", { name: "Pinned message" });
  await alice.menu("the next meeting is on Friday", "Pin");
  await bar.getByText("the next meeting is on Friday").waitFor();
  await alice.page.locator(".event-line", { hasText: "You pinned a message" }).waitFor();
  await alice.page.locator(".messages").evaluate((list) => list.scrollTo(0, 0));
  await alice.menu("the rules of the club", "Pin");
  await bar.getByText("1 of 2").waitFor();
  await shot(alice.page, "pins-bar");

  // The other device sees it in its list, then in its bar; a member who may not pin has no such item.
  await bob.page.getByText("alice 置顶了一条消息").first().waitFor();
  await bob.row("Club").click();
  const small = bob.page.getByRole("region", { name: "置顶消息" });
  await small.getByText("the rules of the club").waitFor();
  await bob.page.locator(".messages").evaluate((list) => list.scrollTo(0, list.scrollHeight));
  await bob.page.locator(".event-line", { hasText: "alice 置顶了一条消息" }).first().waitFor();
  await bob.menuOf("the next meeting is on Friday", "回复");
  expect(await bob.page.getByRole("menuitem", { name: "置顶", exact: true }).count()).toBe(0);
  await bob.page.keyboard.press("Escape");
  await shot(bob.page, "pins-bar-phone");

  // One press leads to the newest pin, the next one to the pin before it.
  await small.getByRole("button", { name: /the rules of the club/ }).tap();
  await bob.flashed("the rules of the club");
  await small.getByRole("button", { name: /the next meeting/ }).tap();
  await bob.flashed("the next meeting is on Friday");
  await small.getByRole("button", { name: "所有置顶消息" }).tap();
  const list = bob.page.getByRole("dialog", { name: "所有置顶消息" });
  await list.getByText(/由 alice 置顶/).first().waitFor();
  expect(await list.getByRole("button", { name: "取消置顶" }).count()).toBe(0);
  await shot(bob.page, "pins-list-phone");
  expect(await bob.page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
  expect(await findings(bob.page)).toEqual([]);

  // Taken down on one, it goes from the other.
  await alice.menu("the rules of the club", "Unpin");
  await expect.poll(() => list.getByText("the rules of the club").count()).toBe(0);
  await bar.getByRole("button", { name: "Pinned messages" }).click();
  const all = alice.page.getByRole("dialog", { name: "Pinned messages" });
  await shot(alice.page, "pins-list");
  expect(await findings(alice.page)).toEqual([]);
  await all.getByRole("button", { name: "Unpin" }).click();
  await all.getByText("Nothing is pinned here.").waitFor();
  await list.getByText("这里没有置顶消息。").waitFor();
  await shot(bob.page, "pins-none-phone");
  await alice.page.keyboard.press("Escape");
  expect(await bar.count()).toBe(0);
  await alice.page.locator(".event-line", { hasText: "You unpinned a message" }).first().waitFor();
  await shot(alice.page, "pins-events");
  expect([...desk.problems, ...phone.problems]).toEqual([]);
});
