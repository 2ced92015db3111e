// Files on their way: what is seen of them, and that they arrive exactly once whatever happens meanwhile.
import type { Browser, CDPSession, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { App, eventually } from "../src/app.ts";
import { launch, profile } from "../src/browser.ts";
import { findings, shot } from "../src/look.ts";
import { noise, picture, sha256, type TestFile } from "../src/media.ts";
import { Server } from "../src/server.ts";

let server: Server;
let browser: Browser;
let alice: App;
let bob: App;
let alices: Network;
const problems: string[][] = [];

beforeAll(async () => {
  [server, browser] = await Promise.all([Server.start(), launch()]);
  const [first, second] = await Promise.all([profile(browser), profile(browser, { viewport: { width: 360, height: 740 }, locale: "zh-CN", colorScheme: "dark" })]);
  problems.push(first.problems, second.problems);
  alice = await App.open(first.context, server, "alice");
  bob = await App.open(second.context, server, "bob");
  alices = await networkOf(alice.page);
  await alice.chatWith("bob");
  await alice.send("hello");
  await bob.row("alice").click();
  await bob.sees("hello");
});

afterAll(async () => {
  await browser.close();
  await server.stop();
});

/** Chooses files and sends them as they are. */
async function send(app: App, files: readonly TestFile[], caption = ""): Promise<void> {
  const dialog = await app.choose(/^(File|文件)$/, files);
  if (caption !== "") await dialog.getByRole("textbox").fill(caption);
  await app.sendChosen();
}

/** The network of a page: so many bytes a second go out; undefined = as many as it can; "none" = there is no network. */
type Network = (bytesPerSecond?: number | "none") => Promise<unknown>;

async function networkOf(page: Page): Promise<Network> {
  const session: CDPSession = await page.context().newCDPSession(page);
  await session.send("Network.enable");
  return (speed) => session.send("Network.emulateNetworkConditions", { offline: speed === "none", latency: 0, downloadThroughput: -1, uploadThroughput: typeof speed === "number" ? speed : -1 });
}

const ring = (app: App) => app.page.locator(".ring[aria-valuenow]").last();
const done = async (app: App) => Number(await ring(app).getAttribute("aria-valuenow", { timeout: 5000 }));

/** The bytes of the newest file card with this name, as its reader saves them. */
async function saved(app: App, name: string): Promise<string> {
  const href = await app.page.locator(`a.card-file[download="${name}"]`).last().getAttribute("href");
  return sha256(Buffer.from(await (await fetch(new URL(href ?? "", server.url))).arrayBuffer()));
}

test("20 MB: a ring with the percentage, the speed and the time that is left; paused, resumed, seen from elsewhere", async () => {
  const big = noise("big.bin", 20_000_000);
  await alices(4_000_000);
  await send(alice, [big], "the whole archive");
  await ring(alice).waitFor();
  await alice.page.locator(".transfer-line", { hasText: /of 20 MB · [\d.]+ [KM]B\/s · \d+ s left/ }).waitFor();
  await eventually(() => done(alice), (percent) => percent >= 10);
  await shot(alice.page, "upload");

  await alice.page.getByRole("button", { name: "Pause" }).click();
  await alice.page.locator(".transfer-line", { hasText: /^Paused · / }).waitFor();
  await shot(alice.page, "upload-paused");
  const paused = await done(alice);
  await alice.page.getByRole("button", { name: "Resume" }).click();
  await eventually(() => done(alice), (percent) => percent > paused);

  // Elsewhere in the app a strip tells of it, and leads back.
  await alice.page.getByRole("button", { name: "New chat" }).click();
  await alice.page.getByRole("menuitem", { name: "New message" }).click();
  await alice.page.getByRole("dialog").getByRole("textbox").fill("carol");
  await alice.page.keyboard.press("Enter");
  await alice.page.locator(".thread-name", { hasText: "carol" }).waitFor();
  const tray = alice.page.getByRole("region", { name: "Files on their way" });
  await tray.getByText("Sending a message with files").waitFor();
  await tray.getByRole("button", { name: "Show" }).click();
  await shot(alice.page, "tray");
  expect(await findings(alice.page)).toEqual([]);
  await alice.page.getByRole("dialog", { name: "Files on their way" }).getByRole("button", { name: "bob" }).click();
  await alice.page.locator(".thread-name", { hasText: "bob" }).waitFor();
  await tray.waitFor({ state: "detached" });
  await alices();

  await bob.page.locator(".card-file", { hasText: "big.bin" }).waitFor();
  await alice.page.locator(".transfer-bar").waitFor({ state: "detached" });
  expect(await saved(bob, "big.bin")).toBe(sha256(big.buffer));
});

test("it goes on through a reload, a death of the server and a time offline, and is one message", async () => {
  const big = noise("again.bin", 12_000_000);
  await alices(3_000_000);
  await send(alice, [picture("shore.png", 900, 600, 190), big]);
  await alice.page.locator(".album-tile img").last().waitFor();
  await eventually(() => done(alice), (percent) => percent >= 10);

  await alice.page.reload();
  // The picture is there at once, out of what the browser keeps.
  await eventually(() => done(alice), (percent) => percent >= 15);
  await alice.page.locator(".album-tile img[src^='blob:']").last().waitFor();
  await shot(alice.page, "upload-after-reload");

  await server.kill();
  await alice.page.locator(".transfer-line", { hasText: "Waiting for network" }).waitFor();
  await shot(alice.page, "upload-no-network");
  await server.restart();
  await alice.online();
  await alice.page.locator(".transfer-line", { hasText: "of 12 MB" }).waitFor();

  await alices("none");
  await alice.page.locator(".transfer-line", { hasText: "Waiting for network" }).waitFor();
  await alices();
  await bob.page.locator(".card-file", { hasText: "again.bin" }).waitFor({ timeout: 60_000 });
  await alice.page.locator(".transfer-bar").waitFor({ state: "detached" });
  expect(await saved(bob, "again.bin")).toBe(sha256(big.buffer));
  for (const app of [alice, bob]) expect(await app.page.locator("[data-message]", { has: app.page.locator(".card-file", { hasText: "again.bin" }) }).count()).toBe(1);
});

test("what is given up is gone, and what the server does not take says why: Chinese, phone", async () => {
  const bobs = await networkOf(bob.page);
  await bobs(400_000);
  await send(bob, [noise("long.bin", 3_000_000)]);
  await bob.page.locator(".transfer-line", { hasText: /，共 3.0 MB/ }).waitFor();
  await bob.page.locator(".transfer-line", { hasText: /秒 · 还剩/ }).waitFor();
  await shot(bob.page, "upload-phone");
  await bob.page.getByRole("button", { name: "取消发送" }).click();
  await bob.page.locator(".transfer-bar").waitFor({ state: "detached" });
  expect(await bob.page.locator(".card-file", { hasText: "long.bin" }).count()).toBe(0);
  await bobs();

  await bob.page.route("**/v1/uploads/**", (route) => (route.request().method() === "POST" ? route.fulfill({ status: 413, headers: { "Tus-Resumable": "1.0.0" }, body: "" }) : route.continue()));
  await send(bob, [noise("huge.bin", 100_000)]);
  const failed = bob.page.locator(".transfer-failed");
  await failed.getByText("文件超过了此服务器允许的大小。").waitFor();
  const row = bob.page.locator("[data-message]", { has: failed });
  await row.locator(".ticks-failed").waitFor();
  expect(await row.locator(".ticks[data-state=sending]").count()).toBe(0);
  await shot(bob.page, "upload-failed-phone");
  expect(await findings(bob.page)).toEqual([]);
  await bob.page.unroute("**/v1/uploads/**");
  await failed.getByRole("button", { name: "重试" }).click();
  await alice.page.locator(".card-file", { hasText: "huge.bin" }).waitFor();
  expect(problems.flat()).toEqual([]);
});
