// Calls as two people and their devices have them: ringing, answering,
// declining, missing, and what is said of a microphone that is not allowed.
// Chromium's own camera and microphone, the server's own media server.
import type { Browser, BrowserContext, BrowserContextOptions, Locator, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { App } from "../src/app.ts";
import { launch, profile } from "../src/browser.ts";
import { findings, shot } from "../src/look.ts";
import { Server } from "../src/server.ts";

let server: Server;
let browser: Browser;
const open: BrowserContext[] = [];
const problems: string[][] = [];

beforeAll(async () => {
  // Who is allowed what is said by each profile.
  [server, browser] = await Promise.all([Server.start("--sfu", "process", "--calls-ring-time", "7s"), launch("--use-fake-device-for-media-stream")]);
  // Each test has two people of its own.
  for (const [one, other] of [["alice", "bob"], ["carol", "dave"], ["erin", "frank"], ["grace", "heidi"]] as const) {
    const client = await server.client(one);
    await client.conversation.with(other).send({ text: "Shall we talk?" });
  }
});

afterEach(async () => {
  expect(problems.splice(0).flat()).toEqual([]);
  await Promise.all(open.splice(0).map((context) => context.close()));
});

afterAll(async () => {
  await browser.close();
  await server.stop();
});

/** A browser of a user's, in their conversation with somebody. */
async function device(user: string, peer: string, options: BrowserContextOptions = {}, allowed = ["camera", "microphone"]): Promise<App> {
  const made = await profile(browser, options);
  open.push(made.context);
  problems.push(made.problems);
  // What is not granted is denied.
  await made.context.grantPermissions(["clipboard-read", ...allowed], { origin: server.url });
  const app = await App.open(made.context, server, user);
  await app.row(peer).waitFor(); // a group that is not in the list yet would be taken for a user
  await app.chatWith(peer);
  return app;
}

const sheet = (page: Page): Locator => page.locator("dialog.callring");
const press = (page: Page, name: string): Promise<void> => page.getByRole("button", { name, exact: true }).click();

test("a call rings all devices; one answers, the others stop; a page that is loaded anew comes back; another device takes over", async () => {
  const [alice, laptop, tablet] = await Promise.all([device("alice", "bob"), device("bob", "alice"), device("bob", "alice")]);
  const tab = App.of(await laptop.page.context().newPage());
  await tab.page.goto(`${server.url}/#/`);
  await tab.row("alice").waitFor();

  await press(alice.page, "Video call");
  await alice.page.getByText("Ringing…").waitFor();
  await Promise.all([laptop, tablet, tab].map(({ page }) => sheet(page).getByText("Incoming video call").waitFor()));
  // One of the two tabs is heard.
  const rings = await laptop.page.evaluate(async () => {
    const { held = [], pending = [] } = await navigator.locks.query();
    return [held, pending].map((all) => all.filter(({ name }) => name?.startsWith("skein.ring")).length);
  });
  expect(rings).toEqual([1, 1]);
  expect(await laptop.page.evaluate(() => document.activeElement?.tagName)).toBe("DIALOG");

  await press(laptop.page, "Answer");
  await Promise.all([
    tablet.page.getByText("Answered on another of your devices.").waitFor(),
    tab.page.getByText("Answered in another tab.").waitFor(),
    sheet(alice.page).waitFor({ state: "detached" }),
    alice.page.locator(".stage video").nth(1).waitFor(),
    laptop.page.locator(".stage video").nth(1).waitFor(),
  ]);
  expect(await sheet(tablet.page).count()).toBe(0);

  await laptop.page.reload();
  await press(laptop.page, "Come back");
  await laptop.page.locator(".stage video").nth(1).waitFor();
  await shot(laptop.page, "call-came-back");

  await tablet.page.getByText("You are in this call on another device").waitFor();
  await press(tablet.page, "Move here");
  await laptop.page.getByText("The call goes on on another of your devices.").waitFor();
  await laptop.page.locator(".stage").waitFor({ state: "detached" });
  await tablet.page.locator(".stage video").nth(1).waitFor();
  await press(tablet.page, "Leave the call");
  await alice.page.locator(".call-line", { hasText: /Video call, 0:\d\d/ }).waitFor();
});

test("a call is declined with a message, on all devices", async () => {
  const [alice, laptop, tablet] = await Promise.all([device("carol", "dave"), device("dave", "carol"), device("dave", "carol")]);
  await press(alice.page, "Voice call");
  await Promise.all([laptop, tablet].map(({ page }) => sheet(page).waitFor()));
  await press(laptop.page, "Decline with a message");
  await laptop.page.keyboard.press("Escape");
  await press(laptop.page, "Decline with a message");
  await press(laptop.page, "I will call you back.");
  await sheet(alice.page).getByText("Declined", { exact: true }).waitFor();
  await tablet.page.getByText("Declined on another of your devices.").waitFor();
  await sheet(alice.page).getByRole("button", { name: "Leave a message" }).click();
  await alice.sees("I will call you back.");
  await alice.page.locator(".composer-field:focus").waitFor();
  await laptop.page.locator(".call-line", { hasText: "You declined a voice call" }).last().waitFor();
});

test("a call of a group is begun quietly, seen in the list, and joined from its bar", async () => {
  const ivan = await server.client("ivan");
  await ivan.conversation.createGroup({ id: "loom", title: "Loom", members: ["judy", "mallory"] });
  const [judy, mallory] = await Promise.all([device("judy", "Loom"), device("mallory", "Loom")]);
  await press(judy.page, "Voice call");
  const dialog = judy.page.getByRole("dialog", { name: "Call Loom" });
  await dialog.getByRole("checkbox", { name: "mallory" }).uncheck();
  await dialog.getByRole("button", { name: "Ring 1 person" }).waitFor();
  await dialog.getByRole("button", { name: "Start quietly" }).click();
  await mallory.row("Loom").getByRole("img", { name: "Voice call in progress" }).waitFor();
  await mallory.page.getByRole("region", { name: "Voice call in progress" }).getByText(/1 person/).waitFor();
  expect(await sheet(mallory.page).count()).toBe(0);
  expect(await findings(mallory.page)).toEqual([]);
  await press(mallory.page, "Join");
  await judy.page.locator(".stage").getByText("mallory").first().waitFor();
  await Promise.all([judy, mallory].map(({ page }) => press(page, "Leave the call")));
  await mallory.page.locator(".call-line", { hasText: "judy started a voice call" }).waitFor();
});

test("nobody answers: a phone in Chinese shows whom it missed, in the chat and in the list of calls", async () => {
  const [alice, phone] = await Promise.all([
    device("erin", "frank"),
    device("frank", "erin", { locale: "zh-CN", colorScheme: "dark", viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true, reducedMotion: "reduce" }),
  ]);
  const { page } = phone;
  await page.getByRole("button", { name: "返回" }).tap();
  await press(alice.page, "Voice call");
  await sheet(page).getByText("语音来电").waitFor();
  expect(await findings(page)).toEqual([]);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
  await page.getByRole("button", { name: "收起" }).tap();
  const bar = page.getByRole("alertdialog", { name: "语音来电" });
  await bar.waitFor();
  await shot(page, "call-bar-phone");
  expect((await bar.boundingBox())?.y).toBeLessThan(40);
  await sheet(alice.page).getByText("No answer", { exact: true }).waitFor();
  expect(await findings(alice.page)).toEqual([]);
  await bar.waitFor({ state: "detached" });
  await phone.row("erin").getByText("未接语音通话").waitFor();
  await phone.row("erin").locator(".badge").waitFor();

  await page.getByRole("button", { name: "菜单", exact: true }).tap();
  await page.getByRole("menuitem", { name: "通话记录" }).tap();
  await page.getByRole("tab", { name: "未接" }).tap();
  await page.locator(".call-entry").getByText("语音通话, 未接").waitFor();
  expect(await findings(page)).toEqual([]);
  await press(alice.page, "Close");
  await page.getByRole("button", { name: "语音通话：呼叫erin" }).tap();
  await sheet(alice.page).getByText("Incoming voice call").waitFor();
  await page.getByRole("button", { name: "取消呼叫" }).tap();
  await alice.page.getByText("You missed a call from frank.").waitFor();
});

test("without leave to use the microphone the call goes on, and it is said what to do", async () => {
  const [alice, bob] = await Promise.all([device("grace", "heidi"), device("heidi", "grace", {}, [])]);
  await press(alice.page, "Video call");
  await press(bob.page, "Answer");
  await bob.page.getByText("You only hear and see the others").waitFor();
  await bob.page.locator(".stage video").first().waitFor();
  await press(bob.page, "What to do");
  const lobby = bob.page.getByRole("dialog", { name: "Camera and sound" });
  await lobby.getByText("The microphone is not allowed for this page.").waitFor();
  await lobby.getByText("Press the sign at the left of the address").first().waitFor();
  expect(await findings(bob.page)).toEqual([]);
  await shot(bob.page, "call-not-allowed");
  await bob.page.context().grantPermissions(["camera", "microphone"], { origin: server.url });
  await lobby.getByRole("button", { name: "Try again" }).last().click();
  await lobby.locator("meter").waitFor();
  await lobby.getByRole("button", { name: "Done" }).click();
  await press(bob.page, "Leave the call");
  await alice.page.locator(".call-line", { hasText: "Video call, 0:" }).last().waitFor();
});
