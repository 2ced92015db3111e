// A phone of 360 pixels, in both languages.
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { App } from "../src/app.ts";
import { launch, profile } from "../src/browser.ts";
import { Server } from "../src/server.ts";

let server: Server;
let browser: Browser;

beforeAll(async () => {
  [server, browser] = await Promise.all([Server.start(), launch()]);
  const bob = await server.client("bob");
  const chat = bob.conversation.with("alice");
  await chat.send({ text: "A rather long message, so that the bubble has to break its lines somewhere on a narrow screen 这是一条很长的消息，在窄屏上必须换行" });
  await chat.send({ text: "https://example.com/an/address/without/any/place/to/break/it/which/is/longer/than/the/screen/is/wide" });
});

afterAll(async () => {
  await browser.close();
  await server.stop();
});

/** Nothing may stick out at the side. */
async function fits(page: Page): Promise<void> {
  // What slides in has arrived.
  await page.evaluate(async () => {
    const ending = document.getAnimations().filter((a) => a.effect?.getComputedTiming().endTime !== Infinity);
    await Promise.allSettled(ending.map((a) => a.finished));
  });
  const wide = await page.evaluate(() =>
    [...document.querySelectorAll<HTMLElement>("body *")]
      .filter((element) => {
        const { right, left, width } = element.getBoundingClientRect();
        const style = getComputedStyle(element);
        if (width <= 1 || style.visibility === "hidden" || element.closest(".visually-hidden, svg")) return false;
        return right > innerWidth + 1 || left < -1;
      })
      .map((element) => `${element.tagName}.${element.className}`),
  );
  expect(wide).toEqual([]);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
}

for (const [locale, words] of [
  ["en-GB", { back: "Back", menu: "Menu", group: "New group", devices: "Devices", details: "Group details" }],
  ["zh-CN", { back: "返回", menu: "菜单", group: "新建群组", devices: "设备", details: "群组详情" }],
] as const) {
  test(`${locale}: the list, a chat, the way back, menus and dialogs fit on 360 pixels`, async () => {
    const { context, problems } = await profile(browser, { viewport: { width: 360, height: 720 }, hasTouch: true, isMobile: true, locale });
    const alice = await App.open(context, server, "alice");
    const { page } = alice;
    await fits(page);
    expect(await page.evaluate(() => document.documentElement.lang)).toBe(locale === "zh-CN" ? "zh-CN" : "en");

    await alice.row("bob").tap();
    await alice.sees("https://example.com/an/address");
    await page.locator("nav.inbox").waitFor({ state: "hidden" });
    await fits(page);

    await page.getByRole("button", { name: words.back }).tap();
    await alice.row("bob").waitFor();
    await page.locator("main.thread").waitFor({ state: "hidden" });
    await alice.row("bob").tap();
    await page.goBack();
    await page.locator("main.thread").waitFor({ state: "hidden" });

    await page.getByRole("button", { name: words.menu, exact: true }).tap();
    await fits(page);
    await page.getByRole("menuitem", { name: words.group }).tap();
    await fits(page);
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: words.menu, exact: true }).tap();
    await page.getByRole("menuitem", { name: words.devices }).tap();
    await page.locator(".device").first().waitFor();
    await fits(page);
    await page.keyboard.press("Escape");
    expect(problems).toEqual([]);
    await context.close();
  });
}

test("Enter makes a line on a phone, the button sends, and a long press opens the menu", async () => {
  const { context } = await profile(browser, { viewport: { width: 360, height: 720 }, hasTouch: true, isMobile: true });
  const alice = await App.open(context, server, "alice");
  await alice.row("bob").tap();
  await alice.field.tap();
  await alice.page.keyboard.type("one");
  await alice.page.keyboard.press("Enter");
  await alice.page.keyboard.type("two");
  expect(await alice.field.inputValue()).toBe("one\ntwo");
  await alice.page.getByRole("button", { name: "Send", exact: true }).tap();
  await alice.state("one", "sent");

  const box = await alice.message("one").locator(".bubble").boundingBox();
  if (!box) throw new Error("no bubble");
  const finger = await context.newCDPSession(alice.page);
  const at = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  await finger.send("Input.dispatchTouchEvent", { type: "touchStart", touchPoints: [at] });
  await alice.page.getByRole("menuitem", { name: "Reply", exact: true }).waitFor();
  await finger.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
  await alice.page.getByRole("menuitem", { name: "Reply", exact: true }).tap();
  await alice.page.getByText("Reply to you").waitFor();
});
