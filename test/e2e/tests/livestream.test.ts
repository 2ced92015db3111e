// A livestream at both sizes and in both languages.
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { App } from "../src/app.ts";
import { launch, profile } from "../src/browser.ts";
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

async function picture(page: Page, name: string): Promise<void> {
  const folder = process.env["SKEIN_SHOTS"];
  if (folder) await page.screenshot({ path: `${folder}/livestream-${name}.png` });
}

test("a livestream is started, watched on a phone, written in, and looked after", async () => {
  const host = await App.open((await profile(browser)).context, server, "host");
  await menu(host.page, /^Menu/, /^Livestreams/);
  await dialog(host.page).getByLabel("Its name").fill("The show");
  await dialog(host.page).getByRole("button", { name: "Start" }).click();
  await dialog(host.page).getByText("1 viewer").waitFor();
  const id = (await dialog(host.page).locator("code").textContent()) ?? "";

  const { context } = await profile(browser, { viewport: { width: 360, height: 740 }, locale: "zh-CN", hasTouch: true });
  const eve = await App.open(context, server, "eve");
  await menu(eve.page, /^菜单/, /^直播间/);
  await dialog(eve.page).getByLabel("直播间的 ID").fill(id);
  await dialog(eve.page).getByRole("button", { name: "观看" }).click();
  await dialog(eve.page).getByText("2 人观看").waitFor();
  await dialog(eve.page).getByLabel("说点什么").fill("大家好");
  await dialog(eve.page).getByRole("button", { name: "发送" }).click();
  await dialog(host.page).getByText("大家好").waitFor();
  await dialog(host.page).getByLabel("Say something").fill("Welcome");
  await dialog(host.page).getByRole("button", { name: "Send" }).click();
  await dialog(eve.page).getByText("Welcome").waitFor();
  await picture(host.page, "host");
  await picture(eve.page, "phone");
  const box = await dialog(eve.page).boundingBox();
  expect(box?.width).toBeLessThanOrEqual(360);

  await dialog(host.page).getByRole("button", { name: /^What to do about/ }).click();
  await picture(host.page, "actions");
  await dialog(host.page).getByRole("button", { name: /^Mute/ }).click();
  await dialog(eve.page).getByText("之前不能发言").waitFor();
  await dialog(host.page).getByRole("button", { name: /^What to do about/ }).click();
  await dialog(host.page).getByRole("button", { name: /^Take/ }).click();
  await dialog(eve.page).getByText("你已被请出直播间。").waitFor();
  await dialog(host.page).getByText("1 viewer", { exact: true }).waitFor();
  await picture(eve.page, "removed");

  // In the group itself nobody writes: there is a way to the room in the composer's place.
  await host.page.keyboard.press("Escape");
  await host.page.getByRole("link", { name: /The show/ }).first().click();
  await host.page.getByText("What is said in a livestream is kept nowhere.").waitFor();
  await picture(host.page, "group");
  await host.page.getByRole("button", { name: "Open the room" }).first().click();
  await dialog(host.page).getByText("1 viewer", { exact: true }).waitFor();
});
