// A livestream at both sizes and in both languages.
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { App } from "../src/app.ts";
import { launch, profile } from "../src/browser.ts";
import { shot } from "../src/look.ts";
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

async function menu(page: Page, button: RegExp, item: RegExp): Promise<void> {
  await page.getByRole("button", { name: button }).first().click();
  await page.getByRole("menuitem", { name: item }).click();
}

const dialog = (page: Page) => page.getByRole("dialog").last();

test("a livestream is made as a group, watched on a phone, written in, and looked after", async () => {
  const host = await App.open((await profile(browser, { viewport: { width: 1280, height: 800 } })).context, server, "host");
  await host.page.getByRole("button", { name: "New chat" }).click();
  await host.page.getByRole("menuitem", { name: "New group" }).click();
  await dialog(host.page).getByLabel("Name of the group").fill("The show");
  await dialog(host.page).getByLabel("Type").selectOption("livestream");
  await dialog(host.page).getByRole("button", { name: "Create the group" }).click();
  // It opens as a room, not as a conversation.
  const show = host.page.locator("main");
  await show.getByText("1 viewer").waitFor();
  expect(await host.field.count()).toBe(0);
  const id = decodeURIComponent(host.page.url().split("/c/")[1] ?? "");

  const { context } = await profile(browser, { viewport: { width: 360, height: 740 }, locale: "zh-CN", hasTouch: true });
  const eve = await App.open(context, server, "eve");
  await menu(eve.page, /^菜单/, /^直播间/);
  await dialog(eve.page).getByLabel("直播间的 ID 或链接").fill(`${server.url}/#/live/${encodeURIComponent(id)}`);
  await dialog(eve.page).getByRole("button", { name: "观看" }).click();
  const watched = eve.page.locator("main");
  await watched.getByText("2 人观看").waitFor();
  await watched.getByLabel("说点什么").fill("大家好");
  await watched.getByRole("button", { name: "发送" }).click();
  await show.getByText("大家好").waitFor();
  await show.getByLabel("Say something").fill("Welcome");
  await show.getByLabel("Say something").press("Enter");
  await watched.getByText("Welcome").waitFor();
  await shot(host.page, "livestream-host");
  await shot(eve.page, "livestream-phone");
  expect(await eve.page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);

  await show.getByRole("button", { name: /^What to do about/ }).click();
  await shot(host.page, "livestream-actions");
  await show.getByRole("button", { name: /^Mute/ }).click();
  await watched.getByText("之前不能发言").waitFor();
  // Leaving the page leaves the room; the link leads back, from the list of chats too.
  await host.page.keyboard.press("Escape");
  await watched.getByText("1 人观看").waitFor();
  await host.row("The show").click();
  await watched.getByText("2 人观看").waitFor();
  await show.getByRole("button", { name: "Details" }).last().click();
  await host.page.getByRole("button", { name: "Group settings" }).waitFor();
  await shot(host.page, "livestream-details");
  await watched.getByRole("button", { name: "返回" }).tap();
  await show.getByText("1 viewer", { exact: true }).waitFor();
});

test("who is taken out of a livestream is told", async () => {
  const host = await App.open((await profile(browser)).context, server, "host2");
  await menu(host.page, /^Menu/, /^Livestreams/);
  await dialog(host.page).getByLabel("Its name").fill("The other show");
  await dialog(host.page).getByRole("button", { name: "Start" }).click();
  const show = host.page.locator("main");
  await show.getByText("1 viewer").waitFor();
  const { context } = await profile(browser, { viewport: { width: 360, height: 740 }, locale: "zh-CN", hasTouch: true });
  const eve = await App.open(context, server, "eve");
  await eve.page.goto(`${server.url}/#/live/${host.page.url().split("/c/")[1] ?? ""}`);
  const watched = eve.page.locator("main");
  await watched.getByLabel("说点什么").fill("在吗");
  await watched.getByRole("button", { name: "发送" }).click();
  await show.getByText("在吗").waitFor();
  await show.getByRole("button", { name: /^What to do about/ }).click();
  await show.getByRole("button", { name: /^Take/ }).click();
  await watched.getByText("你已被请出直播间。").waitFor();
  await show.getByText("1 viewer", { exact: true }).waitFor();
  await shot(eve.page, "livestream-removed");
});
