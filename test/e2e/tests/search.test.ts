// Search that goes on at the server, where this device's memory ends.
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { App } from "../src/app.ts";
import { launch, profile } from "../src/browser.ts";
import { shot } from "../src/look.ts";
import { Server } from "../src/server.ts";

let server: Server;
let browser: Browser;

beforeAll(async () => {
  [server, browser] = await Promise.all([Server.start(), launch()]);
  const bob = await server.client("bob");
  const chat = bob.conversation.with("alice");
  await chat.send({ text: "The harbour is where we meet" });
  await chat.send({ text: "我们下午三点在北京大学开会" });
  await chat.send({ text: "See https://example.org/harbour for the map" });
  for (let i = 0; i < 260; i += 20) await Promise.all(Array.from({ length: 20 }, (_, k) => chat.send({ text: `filler ${i + k}` })));
});

afterAll(async () => {
  await browser.close();
  await server.stop();
});

for (const [name, options, words] of [
  ["English, desktop", {}, { more: "More on the server", filters: "Filters", links: "Links" }],
  ["Chinese, phone", { locale: "zh-CN", viewport: { width: 360, height: 740 } }, { more: "服务器上的更多结果", filters: "筛选", links: "链接" }],
] as const) {
  test(`what this device never had is found, filtered and jumped to: ${name}`, async () => {
    const { context, problems } = await profile(browser, options);
    const alice = await App.open(context, server, "alice");
    const { page } = alice;
    await page.getByRole("searchbox").fill("harbour");
    const found = page.locator("section.found", { hasText: words.more });
    await found.locator(".hit mark", { hasText: "harbour" }).nth(1).waitFor();
    expect(await found.locator(".hit").count()).toBe(2);
    await found.getByRole("button", { name: words.filters }).click();
    await found.getByRole("button", { name: words.links, exact: true }).click();
    await found.locator(".hit").nth(1).waitFor({ state: "detached" });
    expect(await found.locator(".hit").textContent()).toContain("https://example.org/harbour");
    await shot(page, `search-${options.locale ?? "en"}`);
    await page.getByRole("searchbox").fill("北京大学");
    await found.getByRole("button", { name: words.links, exact: true }).waitFor();
    await found.getByRole("button").filter({ hasText: /^(All|全部)$/ }).click();
    await found.locator(".hit mark", { hasText: "北京大学" }).waitFor();
    await found.locator(".hit").first().click();
    await alice.sees("我们下午三点在北京大学开会");
    await alice.flashed("北京大学");
    expect(problems).toEqual([]);
    await context.close();
  });
}

test("the find bar of a conversation goes on at the server", async () => {
  const { context } = await profile(browser);
  const alice = await App.open(context, server, "alice");
  await alice.chatWith("bob");
  await alice.page.getByRole("button", { name: "Search in this chat" }).click();
  await alice.page.locator(".findbar input").fill("where we meet");
  await alice.sees("The harbour is where we meet");
  expect(await alice.page.locator(".findbar-count").textContent()).toMatch(/1\D+1/);
  await context.close();
});
