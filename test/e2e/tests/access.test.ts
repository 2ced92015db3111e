// For people who use a keyboard or a screen reader, in both themes.
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { App } from "../src/app.ts";
import { launch, profile } from "../src/browser.ts";
import { findings } from "../src/look.ts";
import { Server } from "../src/server.ts";

let server: Server;
let browser: Browser;

beforeAll(async () => {
  [server, browser] = await Promise.all([Server.start(), launch()]);
  const bob = await server.client("bob");
  const chat = bob.conversation.with("alice");
  const first = await chat.send({ text: "hello alice, see https://example.com" });
  await chat.send({ text: "an answer", replyTo: first });
  await chat.edit(first, { text: "hello alice, look at https://example.com" });
  await chat.react(first, "🎉");
  const group = await bob.conversation.createGroup({ title: "Team", members: ["alice", "carol"] });
  await group.send({ text: "hi @alice", mentions: ["alice"] });
});

afterAll(async () => {
  await browser.close();
  await server.stop();
});

for (const colorScheme of ["light", "dark"] as const) {
  test(`${colorScheme}: axe has no serious finding, wherever one is`, async () => {
    const { context } = await profile(browser, { colorScheme, reducedMotion: "reduce" });
    const page = await context.newPage();
    await page.goto(`${server.url}/`);
    await page.getByRole("button", { name: "alice", exact: true }).waitFor();
    expect(await findings(page), "sign in").toEqual([]);
    await page.getByRole("button", { name: "alice", exact: true }).click();
    const alice = App.of(page);
    await alice.row("bob").waitFor();
    expect(await findings(page), "list").toEqual([]);
    await alice.row("bob").click();
    await alice.sees("an answer");
    const mine = `mine, ${colorScheme}`;
    await alice.send(mine);
    await alice.state(mine, "sent");
    expect(await findings(page), "chat").toEqual([]);
    await alice.message(mine).locator(".bubble").click({ button: "right" });
    await page.getByRole("menu", { name: "Message options" }).waitFor();
    expect(await findings(page), "menu of a message").toEqual([]);
    await page.getByRole("menuitem", { name: "Recall" }).click();
    expect(await findings(page), "question").toEqual([]);
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByRole("button", { name: "Emoji" }).click();
    expect(await findings(page), "emoji").toEqual([]);
    await page.keyboard.press("Escape");
    await alice.row("Team").click();
    await alice.sees("hi @alice");
    await page.getByRole("button", { name: "Details" }).last().click();
    await page.locator(".person").first().waitFor();
    expect(await findings(page), "group").toEqual([]);
    await page.getByRole("button", { name: "Menu", exact: true }).click();
    expect(await findings(page), "main menu").toEqual([]);
    await page.getByRole("menuitemradio", { name: "Developer panel" }).click();
    for (const tab of ["Frames", "Code", "Connection"]) {
      await page.locator(".developer").getByRole("tab", { name: tab }).click();
      expect(await findings(page), `developer panel, ${tab}`).toEqual([]);
    }
    await page.keyboard.press("Control+k");
    await page.keyboard.type("hello");
    await page.locator(".hit mark").first().waitFor();
    expect(await findings(page), "search").toEqual([]);
    await context.close();
  });
}

test("a whole conversation can be had with the keyboard", async () => {
  const { context } = await profile(browser);
  const page = await context.newPage();
  await page.goto(`${server.url}/`);
  await page.getByRole("button", { name: "carol", exact: true }).focus();
  await page.keyboard.press("Enter");
  const carol = App.of(page);
  await carol.row("Team").focus();
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.activeElement?.classList.contains("composer-field"));
  await page.keyboard.type("typed");
  await page.keyboard.press("Enter");
  await carol.state("typed", "sent");

  // Shift+Tab from the field leads to the messages, arrows go through them, Enter opens the menu.
  await carol.message("typed").focus();
  await page.keyboard.press("ArrowUp");
  expect(await page.evaluate(() => document.activeElement?.textContent)).toContain("hi @alice");
  await page.keyboard.press("Enter");
  await page.getByRole("menu", { name: "Message options" }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("menu").waitFor({ state: "detached" });
  expect(await page.evaluate(() => document.activeElement?.hasAttribute("data-message"))).toBe(true);
  await page.keyboard.press("Escape");
  await page.locator(".thread-none").waitFor();
});

test("a new message is read out, and scrolling is not", async () => {
  const { context } = await profile(browser);
  const alice = await App.open(context, server, "alice");
  await alice.row("bob").click();
  await alice.sees("an answer");
  const log = alice.page.getByRole("log");
  expect(await log.textContent()).toBe("");
  const bob = await server.client("bob");
  await bob.conversation.with("alice").send({ text: "listen" });
  await log.getByText("bob: listen").waitFor();
  expect(await log.getAttribute("aria-live")).toBe("polite");
});

test("language and colours can be chosen, and stay chosen", async () => {
  const { context } = await profile(browser);
  const alice = await App.open(context, server, "alice");
  const { page } = alice;
  await page.getByRole("button", { name: "Menu", exact: true }).click();
  await page.getByRole("menuitemradio", { name: "Dark" }).click();
  expect(await page.evaluate(() => document.documentElement.dataset["theme"])).toBe("dark");
  await page.getByRole("menuitemradio", { name: "中文" }).click();
  await page.getByRole("menuitem", { name: "备忘录" }).waitFor();
  await page.reload();
  await page.getByRole("button", { name: "菜单" }).waitFor();
  expect(await page.evaluate(() => [document.documentElement.dataset["theme"], document.documentElement.lang])).toEqual(["dark", "zh-CN"]);
});
