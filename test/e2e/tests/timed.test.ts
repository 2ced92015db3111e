// Messages by the clock: scheduled, changed, sent at once; gone after a while, and burning; at both sizes, in both languages.
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

const dialog = (page: Page) => page.getByRole("dialog").last();

test("a message is scheduled, changed and sent, and one burns once it was read", async () => {
  const alice = await App.open((await profile(browser, { viewport: { width: 1280, height: 800 } })).context, server, "alice");
  const bob = await App.open((await profile(browser)).context, server, "bob");
  await alice.chatWith("bob");
  const field = alice.page.getByRole("textbox", { name: /Message|bob/ }).first();
  await field.fill("see you tomorrow");
  const when = alice.page.getByRole("button", { name: "When and for how long" });
  await when.click();
  await shot(alice.page, "timed-menu");
  await alice.page.getByRole("menuitem", { name: "Send later…" }).click();
  await shot(alice.page, "timed-schedule");
  await dialog(alice.page).getByRole("button", { name: "Tomorrow morning" }).click();
  await alice.page.getByText(/^Will be sent/).waitFor();

  await when.click();
  await alice.page.getByRole("menuitem", { name: "Scheduled messages (1)" }).click();
  await dialog(alice.page).getByRole("button", { name: "Change" }).click();
  await dialog(alice.page).getByLabel("Message").fill("see you on Sunday");
  await dialog(alice.page).getByRole("button", { name: "Save" }).click();
  await dialog(alice.page).getByText("see you on Sunday").waitFor();
  await shot(alice.page, "timed-list");
  await dialog(alice.page).getByRole("button", { name: "Send now" }).click();
  await dialog(alice.page).getByText("Nothing is scheduled here.").waitFor();
  await alice.page.keyboard.press("Escape");
  await alice.sees("see you on Sunday");

  await when.click();
  await alice.page.getByRole("menuitemradio", { name: "Burns 5 seconds after reading" }).click();
  await alice.send("the code is 4711");
  await bob.chatWith("alice");
  await bob.sees("see you on Sunday");
  await bob.page.getByRole("button", { name: /it burns afterwards/ }).click();
  await bob.sees("the code is 4711");
  await shot(bob.page, "timed-burn");
  await bob.page.getByText("This message has expired").waitFor();
  await alice.page.getByText("This message has expired").waitFor();
  await shot(alice.page, "timed-expired");
  expect(await bob.page.getByText("the code is 4711").count()).toBe(0);
});

test("on a phone, in Chinese, the dialogs fit", async () => {
  const { context } = await profile(browser, { viewport: { width: 360, height: 740 }, locale: "zh-CN", hasTouch: true, isMobile: true });
  const carol = await App.open(context, server, "carol");
  await carol.chatWith("alice");
  await carol.page.locator(".composer-field").fill("明天见");
  await carol.page.getByRole("button", { name: "何时发送、保留多久" }).tap();
  await shot(carol.page, "timed-phone-menu");
  await carol.page.getByRole("menuitem", { name: "定时发送…" }).tap();
  await shot(carol.page, "timed-phone-schedule");
  await dialog(carol.page).getByRole("button", { name: "1 小时后" }).tap();
  await carol.page.getByText(/^将在/).waitFor();
  await carol.page.getByRole("button", { name: "何时发送、保留多久" }).tap();
  await carol.page.getByRole("menuitem", { name: /定时消息/ }).tap();
  await dialog(carol.page).getByText("明天见").waitFor();
  await shot(carol.page, "timed-phone-list");
  expect(await carol.page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
  await dialog(carol.page).getByRole("button", { name: "删除" }).tap();
  await dialog(carol.page).getByText("这里没有定时消息。").waitFor();
});
