// Input methods: a composition never sends.
import type { Browser, CDPSession } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { App } from "../src/app.ts";
import { launch, profile } from "../src/browser.ts";
import { Server } from "../src/server.ts";

let server: Server;
let browser: Browser;
let alice: App;
let keyboard: CDPSession;

beforeAll(async () => {
  [server, browser] = await Promise.all([Server.start(), launch()]);
  const { context } = await profile(browser);
  alice = await App.open(context, server, "alice");
  await alice.chatWith("bob");
  keyboard = await context.newCDPSession(alice.page);
});

afterAll(async () => {
  await browser.close();
  await server.stop();
});

/** Enter as the browser tells it while an input method works: key code 229. */
async function imeEnter(): Promise<void> {
  await keyboard.send("Input.dispatchKeyEvent", { type: "rawKeyDown", key: "Process", code: "Enter", windowsVirtualKeyCode: 229 });
  await keyboard.send("Input.dispatchKeyEvent", { type: "keyUp", key: "Enter", code: "Enter", windowsVirtualKeyCode: 13 });
}

test("Enter that confirms a composed word writes it, and a further Enter sends it", async () => {
  await alice.field.focus();
  await keyboard.send("Input.imeSetComposition", { text: "ni", selectionStart: 2, selectionEnd: 2 });
  await imeEnter();
  await keyboard.send("Input.imeSetComposition", { text: "nihao", selectionStart: 5, selectionEnd: 5 });
  await imeEnter();
  expect(await alice.page.locator("[data-message]").count()).toBe(0);
  await keyboard.send("Input.insertText", { text: "你好" });
  await alice.page.waitForFunction(() => document.querySelector<HTMLTextAreaElement>(".composer-field")?.value === "你好");
  expect(await alice.page.locator("[data-message]").count()).toBe(0);
  // No person is quicker than this; within 30 ms of the word's end the Enter would count as the one that ended it.
  const ended = await alice.page.evaluate(() => performance.now());
  await alice.page.waitForFunction((then) => performance.now() - then > 60, ended);
  await alice.field.press("Enter");
  await alice.sees("你好");
  expect(await alice.field.inputValue()).toBe("");
});

test("an Enter that the page sees as composing does not send", async () => {
  await alice.field.fill("まだ");
  const before = await alice.page.locator("[data-message]").count();
  const prevented = await alice.field.evaluate((field) => {
    const event = new KeyboardEvent("keydown", { key: "Enter", code: "Enter", keyCode: 13, isComposing: true, bubbles: true, cancelable: true });
    field.dispatchEvent(event);
    return event.defaultPrevented;
  });
  expect(prevented).toBe(false);
  expect(await alice.page.locator("[data-message]").count()).toBe(before);
  expect(await alice.field.inputValue()).toBe("まだ");
});
